/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc level: the level of a set of hosts, and who holds it down. */
#include "verb/verbs.h"

#include "core/level.h"
#include "text/report.h"
#include "verb/cluster.h"
#include "verb/input.h"
#include "verb/seen.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "can all hosts have this one?" },
	{ .name = "floor", .letter = 'f', .value = "MODE", .help = "say no to a level below this one" },
	{ .name = "across-vendors", .help = "level Intel with AMD, with the risks said" },
	EVC_OFFER_PARAMS,
	EVC_SEEN_PARAM,
	{ 0 },
};

enum { HOSTS_LISTED = 20 }; /* more are counted by their best mode */

/* Everything the answer is made of. */
struct answer {
	struct evc_command *command;
	struct evc_modes modes;
	struct evc_cluster_hosts cluster;
	struct evc_level_options options;
	struct evc_level level;
	struct evc_seen seen;
	struct evc_findings findings;
};

static const char *mode_name(const struct answer *answer, const struct evc_mode *mode, unsigned version)
{
	if (!mode)
		return "none";
	if (!version || mode->n_versions == 1)
		return mode->key;
	return evc_arena_printf(answer->command->arena, "%s@%u", mode->key, version);
}

/* ---- text ---- */

/* Does the floor alone say no? */
static bool is_only_too_low(const struct evc_findings *findings)
{
	bool low = false;

	for (size_t i = 0; i < findings->n; i++) {
		if (findings->items[i].severity != EVC_BLOCKS)
			continue;
		if (findings->items[i].kind != EVC_FINDING_FLOOR)
			return false;
		low = true;
	}
	return low;
}

static const char *why_not(const struct answer *answer)
{
	const struct evc_level *level = &answer->level;

	for (size_t i = 0; i < answer->findings.n; i++)
		if (answer->findings.items[i].kind == EVC_FINDING_VENDOR &&
		    answer->findings.items[i].severity == EVC_BLOCKS && !answer->options.mode)
			return "the hosts are of different vendors (--across-vendors levels them, with the "
			       "risks said)";
	if (answer->options.mode && !is_only_too_low(&answer->findings))
		return "not all hosts can have this mode";
	if (level->mode && answer->options.floor)
		return evc_arena_printf(answer->command->arena, "%s is below %s",
		                        mode_name(answer, level->mode, level->version),
		                        answer->options.floor->key);
	return "these hosts have no common level";
}

static void put_headline(const struct answer *answer, struct evc_sink *out)
{
	const struct evc_level *level = &answer->level;
	const char *mode = mode_name(answer, level->mode, level->version);
	size_t readable = level->n_hosts - level->n_unreadable;

	switch (level->verdict) {
	case EVC_YES:
		if (level->n_hosts == 1)
			evc_sink_printf(out, "%s, for this host\n", mode);
		else
			evc_sink_printf(out, "%s, for all %zu hosts\n", mode, level->n_hosts);
		break;
	case EVC_NO:
		evc_sink_printf(out, "no: %s\n", why_not(answer));
		break;
	case EVC_UNKNOWN:
		evc_sink_puts(out, "unknown");
		if (level->n_unreadable)
			evc_sink_printf(out, ": %zu of %zu hosts could not be read", level->n_unreadable,
			                level->n_hosts);
		else
			evc_sink_puts(out, ": what is not known decides");
		if (level->n_unreadable && readable)
			evc_sink_printf(out, " (the other %zu: %s)", readable, mode);
		evc_sink_puts(out, "\n");
		break;
	}
}

static void put_host(const struct answer *answer, size_t i, struct evc_sink *out)
{
	const struct evc_level_part *part = &answer->level.parts[i];
	const struct evc_kind *kind = answer->cluster.hosts[i];

	evc_sink_printf(out, "  %s", answer->cluster.kinds[i].name);
	if (kind->n_hosts > 1)
		evc_sink_printf(out, " and %zu like it", kind->n_hosts - 1);
	if (answer->cluster.kinds[i].cpu)
		evc_sink_printf(out, ": up to %s\n", mode_name(answer, part->best, part->version));
	else
		evc_sink_puts(out, ": could not be read\n");
}

/* How many hosts have this best mode (NULL: none); of those that could be read. */
static size_t count_best(const struct answer *answer, const struct evc_mode *mode)
{
	size_t n = 0;

	for (size_t i = 0; i < answer->cluster.n; i++)
		if (answer->cluster.kinds[i].cpu && answer->level.parts[i].best == mode)
			n += answer->cluster.kinds[i].n_hosts;
	return n;
}

static void put_count(size_t n, const char *what, struct evc_sink *out)
{
	if (n)
		evc_sink_printf(out, "  %7zu  %s\n", n, what);
}

static void put_hosts(const struct answer *answer, struct evc_sink *out)
{
	if (answer->cluster.n <= HOSTS_LISTED) {
		evc_sink_puts(out, "\nhosts\n");
		for (size_t i = 0; i < answer->cluster.n; i++)
			put_host(answer, i, out);
		return;
	}
	evc_sink_puts(out, "\nhosts, by the best mode of each\n");
	for (size_t m = 0; m < answer->modes.n; m++)
		put_count(count_best(answer, answer->modes.items[m]), answer->modes.items[m]->key, out);
	put_count(count_best(answer, NULL), "no mode", out);
	put_count(answer->level.n_unreadable, "could not be read", out);
}

/* Where in the report a finding is told. */
enum part { REASONS, HOLDING, REMARKS };

static enum part part_of(const struct evc_finding *finding)
{
	if (finding->severity == EVC_BLOCKS || finding->severity == EVC_DOUBT)
		return REASONS;
	if (finding->kind == EVC_FINDING_HOLDS_DOWN || finding->kind == EVC_FINDING_GAIN)
		return HOLDING;
	return finding->severity == EVC_NOTE && finding->kind != EVC_FINDING_DROPPED &&
	                       finding->kind != EVC_FINDING_NOTE
	               ? HOLDING
	               : REMARKS;
}

/* What one host lacks of one mode: findings that follow one another. */
struct want {
	const struct evc_finding *first;
	size_t n;
	size_t n_alike; /* other hosts that lack the same, for the same causes */
	const char *alike;
};

static struct want want_from(const struct evc_findings *findings, size_t i)
{
	struct want want = { .first = &findings->items[i], .n = 1 };

	while (want.first->kind == EVC_FINDING_HOLDS_DOWN && i + want.n < findings->n) {
		const struct evc_finding *next = &findings->items[i + want.n];

		if (next->kind != want.first->kind || strcmp(next->subject, want.first->subject) != 0 ||
		    strcmp(next->other, want.first->other) != 0)
			break;
		want.n++;
	}
	return want;
}

static bool same_lacks(const struct want *a, const struct want *b)
{
	if (a->first->kind != EVC_FINDING_HOLDS_DOWN || b->first->kind != EVC_FINDING_HOLDS_DOWN ||
	    a->n != b->n || strcmp(a->first->other, b->first->other) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->first[i].feature != b->first[i].feature || a->first[i].cause != b->first[i].cause)
			return false;
	return true;
}

static void add_want(const struct want *want, struct evc_findings *findings)
{
	struct evc_arena *arena = findings->arena;

	for (size_t i = 0; i < want->n; i++) {
		struct evc_finding finding = want->first[i];

		if (want->n_alike == 1)
			finding.detail = evc_arena_printf(arena, "so does %s", want->alike);
		else if (want->n_alike)
			finding.detail = evc_arena_printf(arena, "so do %s and %zu more", want->alike,
			                                  want->n_alike - 1);
		evc_findings_add(findings, finding);
	}
}

/* Hosts that lack the same are told of once. */
static void fold_alike(const struct evc_findings *findings, struct evc_findings *ret_folded)
{
	struct want *wants = evc_arena_array(findings->arena, findings->n, sizeof(*wants));
	size_t n = 0;

	for (size_t i = 0; wants && i < findings->n;) {
		struct want want = want_from(findings, i);
		size_t like = 0;

		i += want.n;
		while (like < n && !same_lacks(&wants[like], &want))
			like++;
		if (like == n)
			wants[n++] = want;
		else if (!wants[like].n_alike++)
			wants[like].alike = want.first->subject;
	}
	for (size_t i = 0; i < n; i++)
		add_want(&wants[i], ret_folded);
}

static void put_part(const struct answer *answer, enum part part, const char *heading, struct evc_sink *out)
{
	struct evc_findings some = { .arena = answer->command->arena },
			    folded = { .arena = answer->command->arena };

	for (size_t i = 0; i < answer->findings.n; i++)
		if (part_of(&answer->findings.items[i]) == part)
			evc_findings_add(&some, answer->findings.items[i]);
	if (!some.n)
		return;
	fold_alike(&some, &folded);
	evc_sink_puts(out, heading);
	evc_report_findings(&folded, out);
}

static void put_text(const struct answer *answer, struct evc_sink *out)
{
	const struct evc_level *level = &answer->level;

	put_headline(answer, out);
	put_part(answer, REASONS, "", out);
	put_hosts(answer, out);
	put_part(answer, HOLDING, "\nwhat holds the level down\n", out);
	if (level->psabi)
		evc_sink_printf(out, "\nx86-64 level of the psABI: %s\n", level->psabi->key);
	if (level->n_unreadable < level->n_hosts) {
		evc_sink_puts(out, level->mode ? "\ncommon to all readable hosts, but hidden by the mode\n"
		                               : "\ncommon to all readable hosts\n");
		evc_report_set(&level->extra, 2, out);
	}
	evc_seen_print(&answer->seen, "\nas guests see it", out);
	put_part(answer, REMARKS, "\n", out);
}

/* ---- JSON ---- */

static json_t *mode_json(const struct evc_mode *mode)
{
	return mode ? json_string(mode->key) : json_null();
}

static json_t *host_json(const struct answer *answer, size_t i)
{
	const struct evc_level_part *part = &answer->level.parts[i];
	const struct evc_level_kind *kind = &answer->cluster.kinds[i];
	json_t *names = json_array();

	for (size_t n = 0; n < answer->cluster.hosts[i]->n_names; n++)
		json_array_append_new(names, json_string(answer->cluster.hosts[i]->names[n]));
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

	for (size_t i = 0; i < answer->cluster.n; i++)
		json_array_append_new(hosts, host_json(answer, i));
	evc_report_json(json_pack("{s:s, s:o, s:i, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "verdict",
	                          evc_verdict_name(level->verdict), "mode", mode_json(level->mode), "version",
	                          (int)level->version, "psabi", mode_json(level->psabi), "n_hosts",
	                          (json_int_t)level->n_hosts, "n_unreadable", (json_int_t)level->n_unreadable,
	                          "hosts", hosts, "baseline", evc_report_set_json(&level->cpu.has), "extra",
	                          evc_report_set_json(&level->extra), "guests_see",
	                          evc_seen_json(&answer->seen), "findings",
	                          evc_report_findings_json(&answer->findings)),
	                out);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	struct answer answer = { .command = command, .findings = { .arena = command->arena } };
	struct evc_offer_options offers;
	unsigned floor_version;
	int status;

	if (!args->n_operands)
		return evc_fail(err, EVC_ERR_USAGE,
		                "name the hosts' dumps: files, directories, or - for standard input");
	if ((status = evc_input_offer_options(args, &offers, err)) < 0 ||
	    (status = evc_input_modes(command, &answer.modes, err)) < 0 ||
	    (status = evc_input_mode(command, &answer.modes, "mode", &answer.options.mode,
	                             &answer.options.version, err)) < 0 ||
	    (status = evc_input_mode(command, &answer.modes, "floor", &answer.options.floor, &floor_version,
	                             err)) < 0 ||
	    (status = evc_cluster_read(command, args->operands, args->n_operands, &offers, &answer.cluster,
	                               &answer.findings, err)) < 0)
		return status;
	answer.options.across_vendors = evc_args_flag(args, "across-vendors");
	status = evc_level_make(&answer.modes, answer.cluster.kinds, answer.cluster.n, &answer.options,
	                        command->arena, &answer.level, &answer.findings, err);
	if (status >= 0)
		status = evc_seen_level(command, &answer.modes, &answer.level, &answer.cluster, &answer.seen,
		                        &answer.findings, err);
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
