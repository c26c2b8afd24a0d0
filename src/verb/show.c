/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/generation.h"
#include "host/files.h"

static const struct evc_param params[] = {
	{ .name = "leaf",
	  .letter = 'l',
	  .value = "LEAF",
	  .many = true,
	  .help = "print the registers of this leaf" },
	{ 0 },
};

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_hosts hosts = { 0 };
	struct evc_cpu cpu;

	if (command->args.n_operands != 1)
		return evc_fail(err, EVC_ERR_USAGE, "name one file");
	int status = evc_files_read(command->args.operands[0], command->arena, &hosts, err);

	if (status < 0)
		return status;
	evc_cpu_decode_host(&hosts.items[0], &cpu);
	evc_sink_printf(command->out, "%s %08x\n", cpu.brand, cpu.signature);
	return 0;
}

const struct evc_verb evc_verb_show = {
	.name = "show",
	.summary = "say what a CPU is",
	.operands = "[FILE]",
	.help = "",
	.params = params,
	.run = run,
};
