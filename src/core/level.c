/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The level of some hosts: two answers to one question.
 *
 * The exact answer is the merge of all hosts' cpus by the rules, closed under needs: whatever is in
 * it, every host can show.  It changes with each host that comes or goes.  The lasting answer is a
 * mode: the best one that every host satisfies, in the newest version that every host has.
 *
 * Whether a mode holds is asked of each host, never of the merged cpu: a warning that one host gives
 * is in the merge for all.  From the table of modes by kinds follow all "what if" answers: a mode is
 * reached without kind k when nobody but k fails it.
 *
 * A host that could not be read may lack anything.  The level of the others is computed and shown,
 * but the verdict is "unknown".  A mode that a host only may satisfy is not reached.
 *
 * Warnings are united ("or").  KVM cannot show a guest a warning bit that its host does not give, so
 * where hosts differ on one the reachable level has it cleared, and a finding says what that means.
 */
#include "core/level-private.h"

#include <string.h>

void evc_level_find(struct evc_level_work *work, struct evc_finding finding)
{
	evc_findings_add(work->findings, finding);
}

size_t evc_level_index(const struct evc_level_work *work, const struct evc_mode *mode)
{
	size_t m = 0;

	while (work->modes->items[m] != mode)
		m++;
	return m;
}

const char *evc_level_mode_name(const struct evc_level_work *work, const struct evc_mode *mode,
                                unsigned version)
{
	if (mode->n_versions < 2)
		return mode->key;
	return evc_arena_printf(work->arena, "%s@%u", mode->key, version);
}

/* ---- the table ---- */

static struct evc_level_cell ask(const struct evc_mode *mode, const struct evc_cpu *cpu)
{
	struct evc_level_cell cell = { .version = (uint16_t)evc_mode_best_version(mode, cpu) };

	if (!cell.version)
		cell.maybe = evc_mode_satisfied(mode, 1, cpu, NULL, NULL) == EVC_UNKNOWN;
	return cell;
}

static void fill_table(struct evc_level_work *work)
{
	const struct evc_modes *modes = work->modes;

	for (size_t a = 0; a < modes->n; a++)
		for (size_t b = 0; b < modes->n; b++)
			work->covers[a * modes->n + b] = evc_mode_covers(modes->items[a], modes->items[b]);
	for (size_t k = 0; k < work->n_kinds; k++) {
		if (!work->kinds[k].cpu)
			continue;
		for (size_t m = 0; m < modes->n; m++) {
			struct evc_level_cell cell = ask(modes->items[m], work->kinds[k].cpu);

			work->cells[m * work->n_kinds + k] = cell;
			if (cell.version)
				continue;
			work->n_failing[m]++;
			work->failing[m] = k;
		}
	}
}

static bool for_any_vendor(const struct evc_mode *mode)
{
	return mode->vendors == EVC_VENDOR_ANY;
}

/* Is there a reached mode above it?  Of two that are equal the later one stands for both. */
static bool is_topped(const struct evc_level_work *work, const bool *reached, size_t m)
{
	const struct evc_modes *modes = work->modes;

	for (size_t o = 0; o < modes->n; o++)
		if (o != m && reached[o] &&
		    for_any_vendor(modes->items[o]) == for_any_vendor(modes->items[m]) &&
		    work->covers[o * modes->n + m] && (!work->covers[m * modes->n + o] || o > m))
			return true;
	return false;
}

const struct evc_mode *evc_level_pick(const struct evc_level_work *work, const bool *reached, bool psabi)
{
	const struct evc_mode *any = NULL;

	for (size_t m = work->modes->n; m > 0; m--) {
		const struct evc_mode *mode = work->modes->items[m - 1];

		if (!reached[m - 1] || (any && for_any_vendor(mode)) || is_topped(work, reached, m - 1))
			continue;
		if (!for_any_vendor(mode) && !psabi)
			return mode;
		if (for_any_vendor(mode))
			any = mode;
	}
	return any;
}

const struct evc_mode *evc_level_best_common(const struct evc_level_work *work, bool psabi)
{
	bool *reached = evc_arena_array(work->arena, work->modes->n, sizeof(*reached));

	if (!reached)
		return NULL;
	for (size_t m = 0; m < work->modes->n; m++)
		reached[m] = !work->n_failing[m];
	return evc_level_pick(work, reached, psabi);
}

/* The newest version that all readable kinds have. */
static unsigned common_version(const struct evc_level_work *work, const struct evc_mode *mode)
{
	size_t m = evc_level_index(work, mode);
	unsigned version = (unsigned)mode->n_versions;

	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu && evc_level_cell(work, m, k)->version < version)
			version = evc_level_cell(work, m, k)->version;
	return version;
}

/* Each kind alone. */
static void fill_parts(struct evc_level_work *work)
{
	bool *reached = evc_arena_array(work->arena, work->modes->n, sizeof(*reached));

	for (size_t k = 0; reached && k < work->n_kinds; k++) {
		struct evc_level_part *part = &work->level->parts[k];

		if (!work->kinds[k].cpu)
			continue;
		for (size_t m = 0; m < work->modes->n; m++)
			reached[m] = evc_level_cell(work, m, k)->version;
		part->best = evc_level_pick(work, reached, false);
		if (part->best)
			part->version = evc_level_cell(work, evc_level_index(work, part->best), k)->version;
	}
}

/* ---- the exact baseline ---- */

/* Merge all readable kinds; false when there are none. */
static bool merge_all(struct evc_level_work *work)
{
	struct evc_cpu *cpu = &work->level->cpu;
	bool first = true;

	for (size_t k = 0; k < work->n_kinds; k++) {
		struct evc_cpu part;

		if (!work->kinds[k].cpu)
			continue;
		part = *work->kinds[k].cpu;
		evc_cpu_level_part(&part);
		if (first)
			*cpu = part;
		else
			evc_cpu_merge(cpu, &part);
		first = false;
	}
	return !first;
}

static void find_baseline(struct evc_level_work *work)
{
	struct evc_cpu *cpu = &work->level->cpu;
	struct evc_set dropped;

	if (!merge_all(work))
		return;
	evc_level_clear_unreachable(work);
	evc_level_find_untruths(work);
	evc_level_find_widths(work);
	evc_cpu_close(cpu, &dropped);
	EVC_SET_FOREACH(id, &dropped)
	evc_level_find(work, (struct evc_finding){
				     .kind = EVC_FINDING_DROPPED, .severity = EVC_NOTE, .feature = id });
	EVC_SET_FOREACH(id, &cpu->differs)
	if (!work->mixed)
		evc_level_find(work, (struct evc_finding){ .kind = EVC_FINDING_DIFFERS,
		                                           .severity = EVC_WARNING,
		                                           .feature = id });
}

/* ---- causes ---- */

static bool same_silicon(const struct evc_cpu *a, const struct evc_cpu *b)
{
	return a->signature == b->signature && !strcmp(a->vendor_id, b->vendor_id);
}

/*
 * One sibling for each signature, which has all that any host of it has: that is what tells a firmware
 * switch or an old microcode from silicon.
 */
static void unite_siblings(struct evc_level_work *work)
{
	struct evc_check_side *sides = evc_arena_array(work->arena, work->n_kinds, sizeof(*sides));
	struct evc_cpu *all = evc_arena_array(work->arena, work->n_kinds, sizeof(*all));
	size_t n = 0;

	for (size_t k = 0; sides && all && k < work->n_kinds; k++) {
		const struct evc_check_side *side = work->kinds[k].side;
		size_t i = 0;

		if (!side || !side->silicon || !side->silicon->identified)
			continue;
		while (i < n && !same_silicon(&all[i], side->silicon))
			i++;
		if (i == n) {
			all[n] = *side->silicon;
			sides[n] = (struct evc_check_side){ .name = side->name, .silicon = &all[n] };
			n++;
		}
		all[i].has = evc_set_or(&all[i].has, &side->silicon->has);
		all[i].known = evc_set_or(&all[i].known, &side->silicon->known);
	}
	work->check = (struct evc_check_options){ .modes = work->modes, .siblings = sides, .n_siblings = n };
}

/* ---- the parts together ---- */

static void find_unreadable(struct evc_level_work *work)
{
	struct evc_finding finding = { .severity = EVC_DOUBT, .feature = EVC_N_FEATURES };
	size_t n = 0;

	for (size_t k = 0; k < work->n_kinds; k++) {
		work->level->n_hosts += work->kinds[k].n_hosts;
		if (work->kinds[k].cpu)
			continue;
		work->level->n_unreadable += work->kinds[k].n_hosts;
		finding.kind = EVC_FINDING_UNREADABLE;
		finding.subject = work->kinds[k].name;
		finding.detail = work->kinds[k].why;
		if (n++ < EVC_LEVEL_LISTED)
			evc_level_find(work, finding);
	}
	if (n <= EVC_LEVEL_LISTED)
		return;
	finding.kind = EVC_FINDING_NOTE;
	finding.subject = "";
	finding.detail = evc_arena_printf(work->arena, "%zu more could not be read", n - EVC_LEVEL_LISTED);
	evc_level_find(work, finding);
}

static void find_extra(struct evc_level_work *work)
{
	struct evc_level *level = work->level;
	struct evc_set listed = { 0 };

	level->extra = evc_set_and(&level->cpu.has, &evc_rule_sets[EVC_RULE_AND]);
	if (level->mode)
		listed = evc_mode_version(level->mode, level->version)->features;
	level->extra = evc_set_minus(&level->extra, &listed);
	level->extra = evc_set_minus(&level->extra, &work->modes->passes);
}

/* A wanted mode: everything that stands in its way, at once. */
static void want_mode(struct evc_level_work *work)
{
	const struct evc_mode *mode = work->options->mode;
	struct evc_level *level = work->level;

	level->mode = mode;
	level->version = work->options->version ? work->options->version : 1;
	evc_level_find_blocking(work, mode, level->version);
	if (!work->options->version && !work->n_failing[evc_level_index(work, mode)])
		level->version = common_version(work, mode);
}

/* Does only what is not known keep the readable kinds from the mode, or of NULL from every mode? */
static bool may_be(const struct evc_level_work *work, const struct evc_mode *mode)
{
	for (size_t m = 0; m < work->modes->n; m++) {
		bool all = !mode || evc_mode_covers(work->modes->items[m], mode);

		for (size_t k = 0; k < work->n_kinds && all; k++)
			all = !work->kinds[k].cpu || evc_level_cell(work, m, k)->version ||
			      evc_level_cell(work, m, k)->maybe;
		if (all)
			return true;
	}
	return false;
}

static void find_mode(struct evc_level_work *work)
{
	struct evc_level *level = work->level;
	const struct evc_mode *floor = work->options->floor;
	struct evc_finding finding = { .severity = EVC_BLOCKS, .feature = EVC_N_FEATURES };

	level->psabi = evc_level_best_common(work, true);
	if (work->options->mode) {
		want_mode(work);
	} else {
		level->mode = evc_level_best_common(work, false);
		if (level->mode)
			level->version = common_version(work, level->mode);
		finding.kind = EVC_FINDING_NOTE;
		finding.severity = may_be(work, NULL) ? EVC_DOUBT : EVC_BLOCKS;
		finding.detail = finding.severity == EVC_DOUBT ? "no mode is surely common to all hosts"
		                                               : "no mode is common to all hosts";
		if (!level->mode)
			evc_level_find(work, finding);
		/* Of vendors that must not be mixed it is said that they are; the rest would confuse. */
		if (!work->mixed || work->options->across_vendors)
			evc_level_find_holding(work);
	}
	finding.kind = EVC_FINDING_FLOOR;
	finding.detail = "";
	finding.subject = level->mode ? level->mode->key : "no mode";
	if (floor && (!level->mode || !evc_mode_covers(level->mode, floor))) {
		finding.severity = !work->options->mode && may_be(work, floor) ? EVC_DOUBT : EVC_BLOCKS;
		finding.other = floor->key;
		evc_level_find(work, finding);
	}
}

int evc_level_make(const struct evc_modes *modes, const struct evc_level_kind *kinds, size_t n_kinds,
                   const struct evc_level_options *options, struct evc_arena *arena,
                   struct evc_level *ret_level, struct evc_findings *findings, struct evc_error *err)
{
	struct evc_findings own = { .arena = arena };
	struct evc_level level = { .parts = evc_arena_array(arena, n_kinds, sizeof(*level.parts)) };
	struct evc_level_work work = {
		.modes = modes,
		.kinds = kinds,
		.n_kinds = n_kinds,
		.options = options,
		.arena = arena,
		.findings = findings ? findings : &own,
		.cells = evc_arena_array(arena, modes->n * n_kinds, sizeof(*work.cells)),
		.covers = evc_arena_array(arena, modes->n * modes->n, sizeof(*work.covers)),
		.n_failing = evc_arena_array(arena, modes->n, sizeof(*work.n_failing)),
		.failing = evc_arena_array(arena, modes->n, sizeof(*work.failing)),
		.level = &level,
	};

	if (!n_kinds)
		return evc_fail(err, EVC_ERR_USAGE, "no hosts to level");
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	find_unreadable(&work);
	if (level.n_unreadable < level.n_hosts) {
		fill_table(&work);
		fill_parts(&work);
		evc_level_find_vendors(&work);
		find_baseline(&work);
		unite_siblings(&work);
		find_mode(&work);
		find_extra(&work);
	}
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	level.verdict = evc_findings_verdict(work.findings);
	*ret_level = level;
	return EVC_OK;
}
