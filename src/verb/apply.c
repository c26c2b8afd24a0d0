/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc apply: what a guest on a host sees at a mode, as a dump. */
#include "verb/verbs.h"

#include "core/vcpu.h"
#include "text/report.h"
#include "verb/input.h"

static const struct evc_param params[] = {
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "the mode, as \"evc modes\" lists them" },
	{ .name = "to", .letter = 't', .value = "FORMAT", .help = "form to write: cpuid unless given" },
	EVC_OFFER_PARAMS,
	{ 0 },
};

/* The guest is a host like any other: its dump, and nothing of what only the host has. */
static struct evc_host as_guest(const struct evc_host *host, const struct evc_dump *dump)
{
	return (struct evc_host){ .name = host->name,
		                  .format = host->format,
		                  .cpus = dump,
		                  .n_cpus = 1,
		                  .facts = { .tsc_khz = host->facts.tsc_khz } };
}

static int write_dump(struct evc_command *command, const char *name, const struct evc_host *guest,
                      struct evc_findings *findings, struct evc_error *err)
{
	const struct evc_format *format = evc_format_find(name);

	if (!format || !format->write)
		return evc_fail(
			err, EVC_ERR_NAME,
			"--to %s: not a form that can be written; \"evc convert --to list\" lists them",
			name);
	return format->write(guest, command->out, findings, err);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_offer_options options;
	struct evc_modes modes;
	const struct evc_mode *mode;
	struct evc_offer offer;
	struct evc_dump dump;
	struct evc_host host, guest;
	const char *to = evc_args_value(&command->args, "to");
	unsigned version;
	int status;

	if (command->args.n_operands != 1)
		return evc_fail(err, EVC_ERR_USAGE, "name one host");
	if ((status = evc_input_offer_options(&command->args, &options, err)) < 0 ||
	    (status = evc_input_modes(command, &modes, err)) < 0 ||
	    (status = evc_input_mode(command, &modes, "mode", &mode, &version, err)) < 0)
		return status;
	if (!mode)
		return evc_fail(err, EVC_ERR_USAGE, "name a mode: --mode MODE");
	if ((status = evc_input_host(command, command->args.operands[0], &host, err)) < 0 ||
	    (status = evc_offer_make(&host, &options, command->arena, &offer, &findings, err)) < 0 ||
	    (status = evc_vcpu_make(&modes, mode, version, &offer, NULL, command->arena, &dump, &findings,
	                            err)) < 0)
		return status;
	guest = as_guest(&host, &dump);
	status = write_dump(command, to ? to : command->json ? "json" : "cpuid", &guest, &findings, err);
	if (status < 0)
		return status;
	evc_report_findings(&findings, command->messages);
	return evc_verdict_exit(evc_findings_verdict(&findings));
}

const struct evc_verb evc_verb_apply = {
	.name = "apply",
	.summary = "show what a guest on a host sees at a mode",
	.operands = "HOST",
	.help = "Print the vCPU that a guest on this host is given at the mode, leaf by leaf, as a dump in any\n"
		"form that evc reads.  What the mode takes away and what the host lacks is said on standard\n"
		"error; if the host lacks something, the status is 1.\n"
		"\n"
		"    evc apply --mode intel-haswell web3.json | cpuid -f -",
	.params = params,
	.run = run,
};
