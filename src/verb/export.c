/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/qemu.h"
#include "core/vcpu.h"
#include "text/report.h"
#include "text/target.h"
#include "verb/input.h"
#include "verb/recipe.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "to", .letter = 't', .value = "TARGET", .help = "qemu or libvirt" },
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "what the guest is to see" },
	{ .name = "host", .value = "FILE", .help = "only what this host can give, with its brand string" },
	{ .name = "machine",
	  .value = "TYPE",
	  .help = "machine type: pc-q35 of the QEMU version unless given" },
	{ .name = "accel", .value = "ACCEL", .help = "kvm (default) or tcg" },
	{ .name = "signature",
	  .value = "MODEL",
	  .help = "libvirt: a named model with its numbers, no -global" },
	{ .name = "domain", .help = "libvirt: a whole small domain" },
	{ .name = "lossy", .help = "write it even if the host or the target cannot give everything" },
	EVC_OFFER_PARAMS,
	{ 0 },
};

/* What was asked for, read. */
struct job {
	const struct evc_target *target;
	struct evc_target_options options;
	struct evc_modes modes;
	const struct evc_mode *mode;
	unsigned version;
	struct evc_host host;
	bool has_host;
};

/* What a guest at the mode sees on the host; what the host lacks is among the findings. */
static int host_cpu(struct evc_command *command, const struct job *job, struct evc_target_cpu *ret_cpu,
                    struct evc_findings *findings, struct evc_error *err)
{
	struct evc_offer_options options;
	struct evc_offer offer;
	struct evc_dump dump;
	int status;

	if ((status = evc_input_offer_options(&command->args, &options, err)) < 0)
		return status;
	/* What this QEMU has no name for the guest cannot have, so the mode's version that it gets is
	 * without. */
	options.qemu =
		evc_arena_printf(command->arena, "%u.%u", job->options.qemu / 100, job->options.qemu % 100);
	if ((status = evc_offer_make(&job->host, &options, command->arena, &offer, findings, err)) < 0 ||
	    (status = evc_vcpu_make(&job->modes, job->mode, job->version, &offer, NULL, command->arena, &dump,
	                            findings, err)) < 0)
		return status;
	return evc_recipe_make(&dump, job->mode, job->options.qemu, command->arena, ret_cpu, err);
}

/* host may be NULL; its QEMU counts where none is named. */
static int read_options(const struct evc_args *args, const struct evc_host *host,
                        struct evc_target_options *ret_options, struct evc_error *err)
{
	const char *accel = evc_args_value(args, "accel"), *qemu = evc_args_value(args, "qemu");
	struct evc_target_options options = { .qemu = EVC_QEMU_OLDEST,
		                              .machine = evc_args_value(args, "machine"),
		                              .signature = evc_args_value(args, "signature"),
		                              .domain = evc_args_flag(args, "domain") };

	if (!qemu && host && host->facts.qemu && *host->facts.qemu)
		qemu = host->facts.qemu;
	if (accel && !strcmp(accel, "tcg"))
		options.accel = EVC_ACCEL_TCG;
	else if (accel && strcmp(accel, "kvm"))
		return evc_fail(err, EVC_ERR_USAGE, "%s is no accelerator: kvm or tcg", accel);
	if (qemu && !evc_qemu_version(qemu, &options.qemu))
		return evc_fail(err, EVC_ERR_USAGE, "%s is not a QEMU version like 7.2", qemu);
	if (options.qemu < EVC_QEMU_OLDEST)
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "QEMU %s is older than 7.2", qemu);
	*ret_options = options;
	return EVC_OK;
}

static int read_job(struct evc_command *command, struct job *job, struct evc_error *err)
{
	const char *to = evc_args_value(&command->args, "to"), *host = evc_args_value(&command->args, "host");
	int status;

	job->target = evc_target_find(to ? to : "qemu");
	if (!job->target)
		return evc_fail(err, EVC_ERR_NAME, "%s is not a target: qemu or libvirt", to);
	if (command->args.n_operands)
		return evc_fail(err, EVC_ERR_USAGE, "takes no operand; a host is named by --host");
	if (host && (status = evc_input_host(command, host, &job->host, err)) < 0)
		return status;
	job->has_host = host != NULL;
	if ((status = read_options(&command->args, host ? &job->host : NULL, &job->options, err)) < 0 ||
	    (status = evc_input_modes(command, &job->modes, err)) < 0 ||
	    (status = evc_input_mode(command, &job->modes, "mode", &job->mode, &job->version, err)) < 0)
		return status;
	if (!job->mode)
		return evc_fail(err, EVC_ERR_USAGE, "name a mode with --mode; evc modes lists them");
	return EVC_OK;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_target_cpu cpu;
	struct evc_sink text = { 0 };
	struct job job = { 0 };
	enum evc_verdict verdict;
	int status = read_job(command, &job, err);

	if (status < 0)
		return status;
	if (job.has_host)
		status = host_cpu(command, &job, &cpu, &findings, err);
	else
		status = evc_recipe_mode(job.mode, job.version, command->arena, &cpu, err);
	if (status == EVC_OK)
		status = job.target->write(&cpu, &job.options, &text, &findings, err);
	if (status == EVC_OK) {
		evc_report_findings(&findings, command->messages);
		verdict = evc_findings_verdict(&findings);
		if (verdict == EVC_YES || evc_args_flag(&command->args, "lossy"))
			evc_sink_write(command->out, text.text, text.length);
		status = evc_verdict_exit(verdict);
	}
	evc_sink_free(&text);
	return status;
}

const struct evc_verb evc_verb_export = {
	.name = "export",
	.summary = "write a guest's CPU as QEMU or libvirt configuration",
	.operands = "",
	.help = "Write what makes a guest see exactly a mode: QEMU's -machine and -cpu with every bit named, or\n"
		"libvirt's <cpu> and <qemu:commandline>.  Without --host the mode's own features (version 1\n"
		"unless named), with it those that the host can give.  What the host or the target cannot give\n"
		"is said; unless --lossy is given nothing is written then (status 1).  --qemu is the oldest\n"
		"QEMU that is to run it: the host's, else 7.2.\n\n"
		"    evc export --to qemu --mode intel-haswell --host web3.json",
	.params = params,
	.run = run,
};
