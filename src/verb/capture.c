/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "host/capture.h"
#include "host/files.h"
#include "text/format.h"

static const struct evc_param params[] = {
	{ .name = "output", .letter = 'o', .value = "FILE", .help = "write to this file" },
	{ .name = "to", .letter = 't', .value = "FORMAT", .help = "form to write: json unless given" },
	{ .name = "name", .value = "NAME", .help = "call the host so instead of by its host name" },
	{ .name = "no-kvm", .help = "do not ask /dev/kvm" },
	{ .name = "no-programs", .help = "do not start QEMU to learn its version" },
	{ 0 },
};

/* What was not read, and what was found odd. */
static void say(struct evc_command *command, const struct evc_findings *findings)
{
	static const char *const words[] = { [EVC_NOTE] = "note",
		                             [EVC_WARNING] = "warning",
		                             [EVC_DOUBT] = "incomplete",
		                             [EVC_BLOCKS] = "error" };

	for (size_t i = 0; i < findings->n; i++)
		evc_sink_printf(command->messages, "evc: %s: %s: %s\n", findings->items[i].subject,
		                words[findings->items[i].severity], findings->items[i].detail);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const char *to = evc_args_value(&command->args, "to"),
		   *path = evc_args_value(&command->args, "output");
	const struct evc_format *format = evc_format_find(to ? to : "json");
	struct evc_capture_options options = { .no_kvm = evc_args_flag(&command->args, "no-kvm"),
		                               .no_programs = evc_args_flag(&command->args, "no-programs"),
		                               .name = evc_args_value(&command->args, "name") };
	struct evc_findings findings = { .arena = command->arena }, losses = { .arena = command->arena };
	struct evc_sink file = { 0 };
	struct evc_host host;
	int status;

	if (command->args.n_operands)
		return evc_fail(err, EVC_ERR_USAGE, "takes no operand: it reads this machine");
	if (!format || !format->write)
		return evc_fail(err, EVC_ERR_NAME,
		                "%s is not a form that evc writes; evc convert --to list names them", to);
	status = evc_capture(command->arena, &options, &host, &findings, err);
	if (status < 0)
		return status;
	status = format->write(&host, path ? &file : command->out, &losses, err);
	if (status == EVC_OK && path)
		status = evc_file_write(path, &file, err);
	evc_sink_free(&file);
	say(command, &findings);
	return status < 0 ? status : evc_verdict_exit(evc_findings_verdict(&findings));
}

const struct evc_verb evc_verb_capture = {
	.name = "capture",
	.summary = "read this machine's CPUs and what its KVM offers",
	.operands = "",
	.help = "Write what the CPUs of this machine say, their feature MSRs, what KVM says it can show a\n"
		"guest, kernel, firmware, microcode and QEMU's version.  Works without root; what could not\n"
		"be read is said on standard error.\n\n"
		"    evc capture -o web3.json",
	.params = params,
	.run = run,
};
