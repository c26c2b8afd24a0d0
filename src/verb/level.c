/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc level: the level of a set of hosts, and who holds it down. */
#include "verb/verbs.h"

#include "core/level.h"
#include "host/stream.h"
#include "text/report.h"
#include "verb/input.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "can all hosts have this one?" },
	{ .name = "floor", .letter = 'f', .value = "MODE", .help = "say no to a level below this one" },
	{ .name = "across-vendors", .help = "level Intel with AMD, with the risks said" },
	EVC_OFFER_PARAMS,
	{ 0 },
};

/* Everything the answer is made of. */
struct answer {
	struct evc_command *command;
	struct evc_modes modes;
	struct evc_kinds hosts;
	struct evc_level_kind *kinds;
	struct evc_level_options options;
	struct evc_level level;
	struct evc_findings findings;
};

static void take_kinds(struct evc_kinds *all, const struct evc_kinds *more, struct evc_arena *arena)
{
	struct evc_kind *items = evc_arena_array(arena, all->n + more->n, sizeof(*items));

	if (!items)
		return;
	if (all->n)
		memcpy(items, all->items, all->n * sizeof(*items));
	if (more->n)
		memcpy(items + all->n, more->items, more->n * sizeof(*items));
	all->items = items;
	all->n += more->n;
	all->n_hosts += more->n_hosts;
}

static int read_hosts(struct answer *answer, struct evc_error *err)
{
	const struct evc_args *args = &answer->command->args;

	if (!args->n_operands)
		return evc_fail(err, EVC_ERR_USAGE,
		                "name the hosts' dumps: files, directories, or - for standard input");
	for (size_t i = 0; i < args->n_operands; i++) {
		struct evc_kinds kinds = { 0 };
		int status = evc_stream_read(args->operands[i], answer->command->arena, &kinds, err);

		if (status < 0)
			return status;
		take_kinds(&answer->hosts, &kinds, answer->command->arena);
	}
	return EVC_OK;
}

/* What each kind of host can offer; NULL for those that could not be read. */
static int make_offers(struct answer *answer, const struct evc_offer_options *options, struct evc_error *err)
{
	struct evc_arena *arena = answer->command->arena;

	answer->kinds = evc_arena_array(arena, answer->hosts.n, sizeof(*answer->kinds));
	for (size_t i = 0; i < answer->hosts.n && answer->kinds; i++) {
		const struct evc_kind *kind = &answer->hosts.items[i];
		struct evc_level_kind *ours = &answer->kinds[i];
		struct evc_offer *offer;
		char text[512];
		int status;

		*ours = (struct evc_level_kind){ .name = kind->host.name, .n_hosts = kind->n_hosts };
		if (kind->host.reading == EVC_DAMAGED) {
			evc_error_format(&kind->host.error, text, sizeof(text));
			ours->why = evc_arena_string(arena, text, strlen(text));
			continue;
		}
		offer = evc_arena_alloc(arena, sizeof(*offer));
		if (!offer)
			break;
		status = evc_offer_make(&kind->host, options, arena, offer, &answer->findings, err);
		if (status < 0)
			return status;
		ours->cpu = &offer->cpu;
	}
	return evc_arena_failed(arena) ? evc_fail(err, EVC_ERR_MEMORY, "out of memory") : EVC_OK;
}

static const char *mode_name(const struct answer *answer, const struct evc_mode *mode, unsigned version)
{
	if (!mode)
		return "none";
	if (!version || mode->n_versions == 1)
		return mode->key;
	return evc_arena_printf(answer->command->arena, "%s@%u", mode->key, version);
}

/* ---- text ---- */

static void put_headline(const struct answer *answer, struct evc_sink *out)
{
	const struct evc_level *level = &answer->level;
	const char *mode = mode_name(answer, level->mode, level->version);
	size_t readable = level->n_hosts - level->n_unreadable;

	switch (level->verdict) {
	case EVC_YES:
		evc_sink_printf(out, "%s, for all %zu hosts\n", mode, level->n_hosts);
		break;
	case EVC_NO:
		evc_sink_printf(out, "no: %s\n",
		                answer->options.mode ? "not all hosts can have this mode"
		                                     : "these hosts have no common level");
		break;
	case EVC_UNKNOWN:
		evc_sink_puts(out, "unknown");
		if (level->n_unreadable)
			evc_sink_printf(out, ": %zu of %zu hosts could not be read (the other %zu: %s)",
			                level->n_unreadable, level->n_hosts, readable, mode);
		evc_sink_puts(out, "\n");
		break;
	}
}

static void put_kind_name(const struct evc_kind *kind, const char *name, struct evc_sink *out)
{
	evc_sink_puts(out, name);
	if (kind->n_hosts > 1)
		evc_sink_printf(out, " and %zu like it", kind->n_hosts - 1);
}

static void put_hosts(const struct answer *answer, struct evc_sink *out)
{
	evc_sink_puts(out, "\nhosts\n");
	for (size_t i = 0; i < answer->hosts.n; i++) {
		const struct evc_level_part *part = &answer->level.parts[i];

		evc_sink_puts(out, "  ");
		put_kind_name(&answer->hosts.items[i], answer->kinds[i].name, out);
		if (!answer->kinds[i].cpu) {
			evc_sink_puts(out, ": could not be read\n");
			continue;
		}
		evc_sink_printf(out, ": up to %s", mode_name(answer, part->best, part->version));
		if (part->holds_down)
			evc_sink_printf(out, "; holds the level down: without it %s", part->without->key);
		evc_sink_puts(out, "\n");
		if (!evc_set_is_empty(&part->lacks)) {
			evc_sink_printf(out, "    lacks\n");
			evc_report_set(&part->lacks, 6, out);
		}
	}
}

static void put_text(const struct answer *answer, struct evc_sink *out)
{
	const struct evc_level *level = &answer->level;
	struct evc_findings rest = { .arena = answer->command->arena };

	put_headline(answer, out);
	put_hosts(answer, out);
	if (level->psabi)
		evc_sink_printf(out, "\nx86-64 level of the psABI: %s\n", level->psabi->key);
	if (level->n_unreadable < level->n_hosts) {
		evc_sink_puts(out, "\ncommon to all readable hosts, but hidden by the mode\n");
		evc_report_set(&level->extra, 2, out);
	}
	/* Said above already: who lacks what, who holds the level down. */
	for (size_t i = 0; i < answer->findings.n; i++) {
		enum evc_finding_kind kind = answer->findings.items[i].kind;

		if (kind != EVC_FINDING_HOLDS_DOWN && kind != EVC_FINDING_GAIN)
			evc_findings_add(&rest, answer->findings.items[i]);
	}
	if (rest.n) {
		evc_sink_puts(out, "\n");
		evc_report_findings(&rest, out);
	}
}

/* ---- JSON ---- */

static json_t *mode_json(const struct evc_mode *mode)
{
	return mode ? json_string(mode->key) : json_null();
}

static json_t *host_json(const struct answer *answer, size_t i)
{
	const struct evc_level_part *part = &answer->level.parts[i];
	const struct evc_level_kind *kind = &answer->kinds[i];
	json_t *names = json_array();

	for (size_t n = 0; n < answer->hosts.items[i].n_names; n++)
		json_array_append_new(names, json_string(answer->hosts.items[i].names[n]));
	return json_pack("{s:s, s:I, s:o, s:b, s:o, s:i, s:b, s:o, s:o}", "name", kind->name, "n_hosts",
	                 (json_int_t)kind->n_hosts, "names", names, "readable", kind->cpu != NULL, "best",
	                 mode_json(part->best), "version", (int)part->version, "holds_down",
	                 (int)part->holds_down, "without", mode_json(part->without), "lacks",
	                 evc_report_set_json(&part->lacks));
}

static void put_json(const struct answer *answer, struct evc_sink *out)
{
	const struct evc_level *level = &answer->level;
	json_t *hosts = json_array();

	for (size_t i = 0; i < answer->hosts.n; i++)
		json_array_append_new(hosts, host_json(answer, i));
	evc_report_json(json_pack("{s:s, s:o, s:i, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "verdict",
	                          evc_verdict_name(level->verdict), "mode", mode_json(level->mode), "version",
	                          (int)level->version, "psabi", mode_json(level->psabi), "n_hosts",
	                          (json_int_t)level->n_hosts, "n_unreadable", (json_int_t)level->n_unreadable,
	                          "hosts", hosts, "baseline", evc_report_set_json(&level->cpu.has), "extra",
	                          evc_report_set_json(&level->extra), "findings",
	                          evc_report_findings_json(&answer->findings)),
	                out);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct answer answer = { .command = command, .findings = { .arena = command->arena } };
	struct evc_offer_options offers;
	unsigned floor_version;
	int status;

	if ((status = evc_input_offer_options(&command->args, &offers, err)) < 0 ||
	    (status = evc_input_modes(command, &answer.modes, err)) < 0 ||
	    (status = evc_input_mode(command, &answer.modes, "mode", &answer.options.mode,
	                             &answer.options.version, err)) < 0 ||
	    (status = evc_input_mode(command, &answer.modes, "floor", &answer.options.floor, &floor_version,
	                             err)) < 0 ||
	    (status = read_hosts(&answer, err)) < 0)
		return status;
	answer.options.across_vendors = evc_args_flag(&command->args, "across-vendors");
	status = make_offers(&answer, &offers, err);
	if (status < 0)
		return status;
	status = evc_level_make(&answer.modes, answer.kinds, answer.hosts.n, &answer.options, command->arena,
	                        &answer.level, &answer.findings, err);
	if (status < 0)
		return status;
	if (command->json)
		put_json(&answer, command->out);
	else
		put_text(&answer, command->out);
	return evc_verdict_exit(answer.level.verdict);
}

const struct evc_verb evc_verb_level = {
	.name = "level",
	.summary = "find the level that hosts have in common, and who holds it down",
	.operands = "FILE...",
	.help = "Compute the best mode that all hosts can have, what they have in common beyond it, and which host\n"
		"and which features hold it down.  A directory is many hosts; so is a bulk file (JSON lines).\n"
		"Hosts are seen through their KVM and QEMU.  A host that could not be read makes the answer\n"
		"\"unknown\", status 1.\n"
		"\n"
		"    evc level hosts/\n"
		"    evc level --mode intel-haswell --floor x86-64-v2 web*.json",
	.params = params,
	.run = run,
};
