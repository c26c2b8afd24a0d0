/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/qemu.h"
#include "text/report.h"
#include "text/target.h"
#include "verb/input.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "to", .letter = 't', .value = "TARGET", .help = "qemu or libvirt" },
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "what the guest is to see" },
	{ .name = "machine",
	  .value = "TYPE",
	  .help = "machine type: pc-q35 of the QEMU version unless given" },
	{ .name = "accel", .value = "ACCEL", .help = "kvm (default) or tcg" },
	{ .name = "qemu", .value = "VERSION", .help = "the oldest QEMU that is to run it: 7.2 unless given" },
	{ .name = "signature",
	  .value = "MODEL",
	  .help = "libvirt: a named model with its numbers, no -global" },
	{ .name = "domain", .help = "libvirt: a whole small domain" },
	{ .name = "lossy", .help = "write it even if the target cannot hold everything" },
	{ 0 },
};

/* The vendor's id for the guests of a mode. */
static const char *vendor_id(const struct evc_mode *mode)
{
	return mode->vendors == EVC_VENDOR_INTEL ? "GenuineIntel" : "AuthenticAMD";
}

/* A mode's label as a brand: it is all that is known where there is no host. */
static const char *brand(const struct evc_mode *mode, struct evc_arena *arena)
{
	char *text = evc_arena_string(arena, mode->label, strlen(mode->label)), *to = text;

	if (!text)
		return "";
	for (const char *from = mode->label; *from; from++)
		if (*from != '"' && *from != ',')
			*to++ = *from;
	*to = '\0';
	return text;
}

static int mode_cpu(struct evc_command *command, const struct evc_mode *mode, unsigned version,
                    struct evc_target_cpu *ret_cpu, struct evc_error *err)
{
	const struct evc_mode_version *features = evc_mode_version(mode, version);

	if (mode->keeps_signature)
		return evc_fail(err, EVC_ERR_USAGE,
		                "%s has no signature of its own: say with --host whose the guest is to have",
		                mode->key);
	*ret_cpu = (struct evc_target_cpu){
		.features = features->features,
		.mode = mode->key,
		.vendor_id = vendor_id(mode),
		.brand = brand(mode, command->arena),
		.family = mode->family.value,
		.model = mode->model.value,
		.stepping = mode->stepping.value,
		.max_basic = mode->max_basic.value,
		.max_extended = mode->max_extended.value,
	};
	return EVC_OK;
}

static int read_options(const struct evc_args *args, struct evc_target_options *ret_options,
                        struct evc_error *err)
{
	const char *accel = evc_args_value(args, "accel"), *qemu = evc_args_value(args, "qemu");
	struct evc_target_options options = { .qemu = EVC_QEMU_OLDEST,
		                              .machine = evc_args_value(args, "machine"),
		                              .signature = evc_args_value(args, "signature"),
		                              .domain = evc_args_flag(args, "domain") };

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

static int run(struct evc_command *command, struct evc_error *err)
{
	const char *to = evc_args_value(&command->args, "to");
	const struct evc_target *target = evc_target_find(to ? to : "qemu");
	struct evc_findings findings = { .arena = command->arena };
	struct evc_target_options options;
	const struct evc_mode *mode;
	struct evc_target_cpu cpu;
	struct evc_sink text = { 0 };
	struct evc_modes modes = { 0 };
	enum evc_verdict verdict;
	unsigned version;
	int status;

	if (!target)
		return evc_fail(err, EVC_ERR_NAME, "%s is not a target: qemu or libvirt", to);
	status = read_options(&command->args, &options, err);
	if (status == EVC_OK)
		status = evc_input_modes(command, &modes, err);
	if (status == EVC_OK)
		status = evc_input_mode(command, &modes, "mode", &mode, &version, err);
	if (status < 0)
		return status;
	if (!mode)
		return evc_fail(err, EVC_ERR_USAGE, "name a mode with --mode; evc modes lists them");
	status = mode_cpu(command, mode, version, &cpu, err);
	if (status == EVC_OK)
		status = target->write(&cpu, &options, &text, &findings, err);
	if (status < 0)
		return status;
	evc_report_findings(&findings, command->messages);
	verdict = evc_findings_verdict(&findings);
	if (verdict == EVC_YES || evc_args_flag(&command->args, "lossy"))
		evc_sink_write(command->out, text.text, text.length);
	evc_sink_free(&text);
	return evc_verdict_exit(verdict);
}

const struct evc_verb evc_verb_export = {
	.name = "export",
	.summary = "write a guest's CPU as QEMU or libvirt configuration",
	.operands = "",
	.help = "Write what makes a guest see exactly a mode: QEMU's -machine and -cpu with every bit named, or\n"
		"libvirt's <cpu> and <qemu:commandline>.  What the target cannot express is said, and unless\n"
		"--lossy is given nothing is written then (status 1).\n\n"
		"    evc export --to qemu --mode intel-haswell",
	.params = params,
	.run = run,
};
