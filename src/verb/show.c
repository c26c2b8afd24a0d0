/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc show: what a CPU is, for people; registers on request. */
#include "verb/verbs.h"

#include "core/vcpu.h"
#include "host/capture.h"
#include "host/share.h"
#include "text/report.h"
#include "text/show.h"
#include "verb/input.h"
#include "verb/seen.h"

#include <string.h>

enum { FILES_FOR_A_THREAD = 16 };

static const struct evc_param params[] = {
	{ .name = "leaf",
	  .letter = 'l',
	  .value = "LEAF",
	  .many = true,
	  .help = "print the registers of this leaf (hexadecimal) and what they mean" },
	{ .name = "raw", .letter = 'r', .help = "print every leaf and nothing else" },
	EVC_OFFER_PARAMS,
	EVC_SEEN_PARAM,
	{ 0 },
};

/* The hosts of a file, or this machine: its CPUID only, which takes no rights and no time. */
static int subjects(struct evc_command *command, const char *const *path, struct evc_hosts *ret_hosts,
                    struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_capture_options fast = { .fast = true };
	struct evc_host host;
	int status;

	*ret_hosts = (struct evc_hosts){ 0 };
	if (path)
		return evc_input_hosts(command, path, 1, ret_hosts, err);
	status = evc_capture(command->arena, &fast, &host, &findings, err);
	if (status == EVC_OK)
		evc_hosts_add(ret_hosts, command->arena, &host);
	return status;
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

static bool has_leaf(const struct evc_host *host, uint32_t leaf)
{
	for (size_t i = 0; i < host->n_cpus; i++)
		for (size_t j = 0; j < host->cpus[i].n_leaves; j++)
			if (host->cpus[i].leaves[j].leaf == leaf)
				return true;
	return false;
}

static int show_leaf(struct evc_command *command, const struct evc_host *host, const char *text,
                     bool *ret_there, struct evc_error *err)
{
	struct evc_span span = evc_span_from(text);
	uint64_t number;
	uint32_t leaf;

	evc_span_skip(&span, "0x");
	if (!evc_span_hex(&span, &number) || span.length || number > UINT32_MAX)
		return evc_fail(err, EVC_ERR_USAGE, "--leaf %s: a leaf is a hexadecimal number", text);
	leaf = (uint32_t)number;
	*ret_there = has_leaf(host, leaf);
	if (!*ret_there)
		evc_sink_printf(command->messages, "evc: %s has no leaf %x\n", host->name, leaf);
	if (command->json)
		evc_report_json(leaves_json(host, &leaf), command->out);
	else
		evc_show_leaf(host, leaf, command->out);
	return EVC_OK;
}

/* What all hosts of one command are looked at with. */
struct view {
	struct evc_modes modes;
	struct evc_offer_options options;
	struct evc_arena scratch; /* for one host at a time */
};

/* What guests at the host's best mode see less and more than guests without a mode; *ret_mode NULL: no mode.
 */
static int see_best(struct evc_command *command, struct view *view, const struct evc_offer *offer,
                    const struct evc_mode **ret_mode, struct evc_seen *ret_seen, struct evc_error *err)
{
	struct evc_findings told_elsewhere = { .arena = &view->scratch };
	const struct evc_linux_tree *tree = NULL;
	const struct evc_mode *next;
	struct evc_dump guest;
	int status = evc_seen_tree(&command->args, &tree, err);

	evc_show_modes(&view->modes, &offer->cpu, false, ret_mode, &next);
	if (status < 0 || !*ret_mode)
		return status;
	status = evc_vcpu_make(&view->modes, *ret_mode, 0, offer, NULL, &view->scratch, &guest,
	                       &told_elsewhere, err);
	return status < 0 ? status : evc_seen_change(command, tree, &offer->dump, &guest, ret_seen, err);
}

static int show_all(struct evc_command *command, struct view *view, const struct evc_host *host,
                    struct evc_error *err)
{
	struct evc_offer offer;
	struct evc_show show;
	const struct evc_mode *best = NULL;
	struct evc_seen seen = { 0 };
	int status;

	evc_arena_reset(&view->scratch);
	status = evc_offer_make(host, &view->options, &view->scratch, &offer, NULL, err);
	if (status >= 0)
		status = see_best(command, view, &offer, &best, &seen, err);
	if (status < 0)
		return status;
	evc_show_prepare(host, &view->modes, &offer, &show);
	if (command->json) {
		json_t *object = evc_show_json(&show);

		json_object_set_new(object, "guests_see", best ? evc_seen_json(&seen) : json_null());
		evc_report_json(object, command->out);
		return EVC_OK;
	}
	evc_show_text(&show, command->out);
	if (best)
		evc_seen_print(&seen, evc_arena_printf(&view->scratch, "as its guests see %s", best->key),
		               command->out);
	return EVC_OK;
}

/* *ret_whole: all that was asked for is there. */
static int show(struct evc_command *command, struct view *view, const struct evc_host *host, bool *ret_whole,
                struct evc_error *err)
{
	size_t n;
	const char *const *leaves = evc_args_values(&command->args, "leaf", &n);
	int status = EVC_OK;

	*ret_whole = true;
	if (evc_args_flag(&command->args, "raw")) {
		if (command->json)
			evc_report_json(leaves_json(host, NULL), command->out);
		else
			evc_show_raw(host, command->out);
		return EVC_OK;
	}
	for (size_t i = 0; i < n && status >= 0; i++) {
		bool there = false;

		status = show_leaf(command, host, leaves[i], &there, err);
		*ret_whole &= there;
	}
	return n ? status : show_all(command, view, host, err);
}

/* What became of the hosts. */
struct tally {
	size_t hosts, shown, whole;
	struct evc_error first; /* of the first that could not be read */
};

/* One file after the other, in memory that is used again: there may be very many. */
static int show_subjects(struct evc_command *command, const char *const *path, struct view *view,
                         struct tally *tally, struct evc_error *err)
{
	struct evc_hosts hosts;
	int status = subjects(command, path, &hosts, err);

	if (status < 0)
		return status;
	for (size_t i = 0; i < hosts.n && status >= 0; i++, tally->hosts++) {
		bool whole = false;

		if (hosts.items[i].reading == EVC_DAMAGED) {
			if (tally->hosts == tally->shown)
				tally->first = hosts.items[i].error;
			continue;
		}
		if (tally->shown++)
			evc_sink_puts(command->out, "\n");
		status = show(command, view, &hosts.items[i], &whole, err);
		tally->whole += whole;
	}
	return status;
}

/* A part of the files, and all that was said of them: the first says it at once, the others when it is their
 * turn. */
struct part {
	struct evc_command command;
	struct evc_arena arena;
	struct evc_sink out, messages; /* of the others */
	struct view view;
	struct tally tally;
	struct evc_error err;
	int status;
};

/* Files first up to last; this machine when there are none. */
static void show_part(struct part *part, size_t first, size_t last)
{
	const struct evc_args *args = &part->command.args;

	part->command.arena = &part->arena;
	for (size_t i = first; i < last && part->status >= 0; i++) {
		evc_arena_reset(&part->arena);
		part->status = show_subjects(&part->command, args->n_operands ? &args->operands[i] : NULL,
		                             &part->view, &part->tally, &part->err);
	}
	evc_arena_free(&part->view.scratch);
	evc_arena_free(&part->arena);
}

static void show_shared(void *context, size_t part, size_t first, size_t last)
{
	struct part *parts = context;

	show_part(&parts[part], first, last);
}

/* What a part said, behind what those before it said. */
static int join(struct evc_command *command, struct part *part, struct tally *tally, struct evc_error *err)
{
	if (tally->shown && part->tally.shown)
		evc_sink_puts(command->out, "\n");
	if (part->out.length)
		evc_sink_write(command->out, part->out.text, part->out.length);
	if (part->messages.length)
		evc_sink_write(command->messages, part->messages.text, part->messages.length);
	command->out->failed |= part->out.failed;
	if (tally->hosts == tally->shown)
		tally->first = part->tally.first;
	tally->hosts += part->tally.hosts;
	tally->shown += part->tally.shown;
	tally->whole += part->tally.whole;
	*err = part->err;
	return part->status;
}

/* Several hosts one after the other; with --json one object each. */
static int run(struct evc_command *command, struct evc_error *err)
{
	bool registers = evc_args_flag(&command->args, "raw") || evc_args_value(&command->args, "leaf");
	struct view view = { .options = { .view = EVC_VIEW_AUTO } };
	size_t n = command->args.n_operands ? command->args.n_operands : 1;
	size_t n_parts = evc_share_parts(n, FILES_FOR_A_THREAD);
	struct part *parts = evc_arena_array(command->arena, n_parts, sizeof(*parts));
	struct tally tally = { 0 };
	int status = EVC_OK;

	if (!parts)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (!registers && ((status = evc_input_offer_options(&command->args, &view.options, err)) < 0 ||
	                   (status = evc_input_modes(command, &view.modes, err)) < 0))
		return status;
	for (size_t i = 0; i < n_parts; i++) {
		parts[i] = (struct part){ .command = *command, .view = view };
		if (i) {
			parts[i].command.out = &parts[i].out;
			parts[i].command.messages = &parts[i].messages;
		}
	}
	evc_share(n, n_parts, show_shared, parts);
	for (size_t i = 0; i < n_parts; i++) {
		if (status >= 0)
			status = join(command, &parts[i], &tally, err);
		evc_sink_free(&parts[i].out);
		evc_sink_free(&parts[i].messages);
	}
	/* Each was told already; that none could be shown is a failure all the same. */
	if (status >= 0 && tally.hosts && !tally.shown)
		return evc_code_exit(tally.first.code);
	return status < 0 ? status : evc_verdict_exit(tally.whole == tally.hosts ? EVC_YES : EVC_UNKNOWN);
}

const struct evc_verb evc_verb_show = {
	.name = "show",
	.summary = "say what a CPU is",
	.operands = "[FILE...]",
	.help = "Say what the CPU of a dump, or of this machine, is: its signature step by step, generation,\n"
		"hypervisor, the highest mode it satisfies and what it lacks for the next, its features.\n"
		"\n"
		"    evc show web3.json --leaf 1",
	.params = params,
	.run = run,
};
