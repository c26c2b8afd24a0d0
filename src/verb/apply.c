/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc apply: what a guest on a host sees at a mode, as a dump. */
#include "verb/verbs.h"

#include "core/vcpu.h"
#include "text/report.h"
#include "verb/fit.h"
#include "verb/input.h"
#include "verb/seen.h"

static const struct evc_param params[] = {
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "the mode, as \"evc modes\" lists them" },
	{ .name = "to", .letter = 't', .value = "FORMAT", .help = "form to write: cpuid unless given" },
	{ .name = "with",
	  .letter = 'w',
	  .value = "FILE",
	  .many = true,
	  .help = "other hosts that it is to fit" },
	{ .name = "across-vendors", .help = "also those of other vendors" },
	EVC_OFFER_PARAMS,
	EVC_SEEN_PARAM,
	{ 0 },
};

/* What is asked for. */
struct wish {
	struct evc_modes modes;
	const struct evc_mode *mode;
	unsigned version;
	struct evc_offer_options options;
	struct evc_host host;
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

static int read_wish(struct evc_command *command, struct wish *wish, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	int status;

	if (args->n_operands != 1)
		return evc_fail(err, EVC_ERR_USAGE, "name one host");
	if ((status = evc_input_offer_options(args, &wish->options, err)) < 0 ||
	    (status = evc_input_modes(command, &wish->modes, err)) < 0 ||
	    (status = evc_input_mode(command, &wish->modes, "mode", &wish->mode, &wish->version, err)) < 0)
		return status;
	if (!wish->mode)
		return evc_fail(err, EVC_ERR_USAGE, "name a mode: --mode MODE");
	return evc_input_host(command, args->operands[0], &wish->host, err);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct wish wish = { 0 };
	struct evc_fit fit;
	const struct evc_offer *offer;
	struct evc_dump dump;
	struct evc_host guest;
	const struct evc_linux_tree *tree = NULL;
	struct evc_seen seen = { 0 };
	const char *to = evc_args_value(&command->args, "to");
	int status = read_wish(command, &wish, err);

	fit = (struct evc_fit){ .modes = &wish.modes,
		                .mode = wish.mode,
		                .version = wish.version,
		                .across_vendors = evc_args_flag(&command->args, "across-vendors"),
		                .host = &wish.host,
		                .options = &wish.options,
		                .others = "with" };
	if (status >= 0)
		status = evc_fit_guest(command, &fit, &offer, &dump, &findings, err);
	if (status < 0)
		return status;
	if (evc_seen_tree(&command->args, &tree, err) < 0 ||
	    evc_seen_change(command, tree, &offer->dump, &dump, &seen, err) < 0)
		return err->code;
	guest = as_guest(&wish.host, &dump);
	status = write_dump(command, to ? to : command->json ? "json" : "cpuid", &guest, &findings, err);
	if (status < 0)
		return status;
	evc_report_findings(&findings, command->messages);
	evc_seen_print(&seen, "as the guest sees it", command->messages);
	return evc_verdict_exit(evc_findings_verdict(&findings));
}

const struct evc_verb evc_verb_apply = {
	.name = "apply",
	.summary = "show what a guest on a host sees at a mode",
	.operands = "HOST",
	.help = "Print the vCPU that a guest on this host is given at the mode, leaf by leaf, as a dump in any\n"
		"form that evc reads.  What the mode takes away and what the host lacks is said on standard\n"
		"error; if the host lacks something, the status is 1.  With --with the vCPU also fits the other\n"
		"hosts of its cluster: no feature that one of them lacks, the smallest of their address widths.\n"
		"\n"
		"    evc apply --mode intel-haswell web3.json | cpuid -f -\n"
		"    evc apply --mode intel-haswell --with web1.json --with web2.json web3.json",
	.params = params,
	.run = run,
};
