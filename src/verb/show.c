/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc show: what a CPU is, for people; registers on request. */
#include "verb/verbs.h"

#include "host/capture.h"
#include "text/report.h"
#include "text/show.h"
#include "verb/input.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "leaf",
	  .letter = 'l',
	  .value = "LEAF",
	  .many = true,
	  .help = "print the registers of this leaf (hexadecimal) and what they mean" },
	{ .name = "raw", .letter = 'r', .help = "print every leaf and nothing else" },
	EVC_OFFER_PARAMS,
	{ 0 },
};

/* The file's host, or this machine: its CPUID only, which takes no rights and no time. */
static int subject(struct evc_command *command, struct evc_host *ret_host, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_capture_options fast = { .fast = true };

	if (command->args.n_operands > 1)
		return evc_fail(err, EVC_ERR_USAGE, "name one file, or none for this machine");
	if (command->args.n_operands)
		return evc_input_host(command, command->args.operands[0], ret_host, err);
	return evc_capture(command->arena, &fast, ret_host, &findings, err);
}

static json_t *leaves_json(const struct evc_host *host, const uint32_t *number)
{
	json_t *array = json_array();

	for (size_t i = 0; i < host->n_cpus; i++) {
		const struct evc_dump *dump = &host->cpus[i];
		json_t *leaves = json_array();

		for (size_t j = 0; j < dump->n_leaves; j++)
			if (!number || dump->leaves[j].leaf == *number)
				json_array_append_new(leaves, evc_show_leaf_json(dump, &dump->leaves[j]));
		json_array_append_new(array,
		                      json_pack("{s:i, s:o}", "cpu", (int)dump->cpu, "leaves", leaves));
	}
	return array;
}

static int show_leaf(struct evc_command *command, const struct evc_host *host, const char *text,
                     struct evc_error *err)
{
	struct evc_span span = evc_span_from(text);
	uint64_t number;
	uint32_t leaf;

	evc_span_skip(&span, "0x");
	if (!evc_span_hex(&span, &number) || span.length || number > UINT32_MAX)
		return evc_fail(err, EVC_ERR_USAGE, "--leaf %s: a leaf is a hexadecimal number", text);
	leaf = (uint32_t)number;
	if (command->json) {
		evc_report_json(leaves_json(host, &leaf), command->out);
		return EVC_OK;
	}
	if (!evc_show_leaf(host, leaf, false, command->out))
		evc_sink_printf(command->messages, "evc: %s has no leaf %x\n", host->name, leaf);
	return EVC_OK;
}

static int show_all(struct evc_command *command, const struct evc_host *host, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_offer_options options;
	struct evc_offer offer;
	struct evc_modes modes;
	struct evc_show show;
	int status;

	if ((status = evc_input_offer_options(&command->args, &options, err)) < 0 ||
	    (status = evc_input_modes(command, &modes, err)) < 0 ||
	    (status = evc_offer_make(host, &options, command->arena, &offer, &findings, err)) < 0)
		return status;
	evc_show_prepare(host, &modes, &offer, &show);
	if (command->json)
		evc_report_json(evc_show_json(&show), command->out);
	else
		evc_show_text(&show, command->out);
	return EVC_OK;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_host host;
	size_t n;
	const char *const *leaves = evc_args_values(&command->args, "leaf", &n);
	int status = subject(command, &host, err);

	if (status < 0)
		return status;
	if (evc_args_flag(&command->args, "raw")) {
		if (command->json)
			evc_report_json(leaves_json(&host, NULL), command->out);
		else
			evc_show_raw(&host, command->out);
		return EVC_OK;
	}
	for (size_t i = 0; i < n && status >= 0; i++)
		status = show_leaf(command, &host, leaves[i], err);
	return n ? status : show_all(command, &host, err);
}

const struct evc_verb evc_verb_show = {
	.name = "show",
	.summary = "say what a CPU is",
	.operands = "[FILE]",
	.help = "Say what the CPU of a dump, or of this machine, is: its signature step by step, generation,\n"
		"hypervisor, the highest mode it satisfies and what it lacks for the next, its features.\n"
		"\n"
		"    evc show web3.json --leaf 1",
	.params = params,
	.run = run,
};
