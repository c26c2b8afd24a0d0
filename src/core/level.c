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
#include "core/level.h"

#include <string.h>

/* What is asked, and the table that all answers come from. */
struct work {
	const struct evc_modes *modes;
	const struct evc_level_kind *kinds;
	size_t n_kinds;
	const struct evc_level_options *options;
	struct evc_findings *findings;
	unsigned *versions; /* newest version of mode m that kind k has: versions[m * n_kinds + k], 0 none */
	size_t *n_failing;  /* by mode: how many readable kinds do not surely satisfy it */
	size_t *failing;    /* by mode: the last such kind */
	struct evc_level *level;
};

static void find(struct work *work, struct evc_finding finding)
{
	if (work->findings)
		evc_findings_add(work->findings, finding);
}

static unsigned *version_of(const struct work *work, size_t mode, size_t kind)
{
	return &work->versions[mode * work->n_kinds + kind];
}

static void fill_table(struct work *work)
{
	for (size_t m = 0; m < work->modes->n; m++) {
		for (size_t k = 0; k < work->n_kinds; k++) {
			if (!work->kinds[k].cpu)
				continue;
			*version_of(work, m, k) =
				evc_mode_best_version(work->modes->items[m], work->kinds[k].cpu);
			if (*version_of(work, m, k))
				continue;
			work->n_failing[m]++;
			work->failing[m] = k;
		}
	}
}

/* Does every readable kind satisfy mode m, when kind "without" (n_kinds: none) is left out? */
static bool reached(const struct work *work, size_t m, size_t without)
{
	return !work->n_failing[m] || (work->n_failing[m] == 1 && work->failing[m] == without);
}

static bool for_any_vendor(const struct evc_mode *mode)
{
	return mode->vendors == EVC_VENDOR_ANY;
}

/*
 * The best mode reached: a vendor's before one for any, the one that no other covers, and of several the
 * last in the file's order, which is the newest generation.
 */
static const struct evc_mode *best_reached(const struct work *work, size_t without, bool psabi)
{
	const struct evc_mode *best = NULL;

	for (size_t m = 0; m < work->modes->n; m++) {
		const struct evc_mode *mode = work->modes->items[m];

		if (!reached(work, m, without) || (psabi && !for_any_vendor(mode)))
			continue;
		if (!best || evc_mode_covers(mode, best) || (for_any_vendor(best) && !for_any_vendor(mode)) ||
		    (for_any_vendor(best) == for_any_vendor(mode) && !evc_mode_covers(best, mode)))
			best = mode;
	}
	return best;
}

static size_t index_of(const struct work *work, const struct evc_mode *mode)
{
	size_t m = 0;

	while (work->modes->items[m] != mode)
		m++;
	return m;
}

/* The newest version that all readable kinds have. */
static unsigned common_version(const struct work *work, const struct evc_mode *mode)
{
	size_t m = index_of(work, mode);
	unsigned version = (unsigned)mode->n_versions;

	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu && *version_of(work, m, k) < version)
			version = *version_of(work, m, k);
	return version;
}

/* Findings for what a kind lacks of a version of a mode; the lacks are kept in the kind's part. */
static void find_lacks(struct work *work, size_t k, const struct evc_mode *mode, unsigned version,
                       enum evc_finding_kind kind, enum evc_severity severity)
{
	const struct evc_level_kind *host = &work->kinds[k];
	struct evc_set lacks, unsure;
	enum evc_severity doubt = severity == EVC_BLOCKS ? EVC_DOUBT : severity;

	if (evc_mode_satisfied(mode, version, host->cpu, &lacks, &unsure) == EVC_YES)
		return;
	work->level->parts[k].lacks = lacks;
	if (!(host->cpu->vendor & mode->vendors))
		find(work, (struct evc_finding){ .kind = EVC_FINDING_VENDOR,
		                                 .severity = severity,
		                                 .cause = EVC_CAUSE_VENDOR,
		                                 .feature = EVC_N_FEATURES,
		                                 .subject = host->name,
		                                 .other = mode->key });
	EVC_SET_FOREACH(id, &lacks)
	find(work, (struct evc_finding){ .kind = kind,
	                                 .severity = severity,
	                                 .feature = id,
	                                 .subject = host->name,
	                                 .other = mode->key });
	EVC_SET_FOREACH(id, &unsure)
	find(work, (struct evc_finding){ .kind = EVC_FINDING_UNSURE,
	                                 .severity = doubt,
	                                 .cause = EVC_CAUSE_DUMP,
	                                 .feature = id,
	                                 .subject = host->name,
	                                 .other = mode->key });
}

/* ---- the exact baseline ---- */

/* Merge all readable kinds; false when there are none. */
static bool merge_all(struct work *work)
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

/* The first kind that surely does not have the feature, or NULL. */
static const struct evc_level_kind *without_feature(const struct work *work, enum evc_feature_id id)
{
	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu && evc_cpu_truth(work->kinds[k].cpu, id) == EVC_ABSENT)
			return &work->kinds[k];
	return NULL;
}

static const struct evc_level_kind *with_feature(const struct work *work, enum evc_feature_id id)
{
	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu && evc_set_has(&work->kinds[k].cpu->has, id))
			return &work->kinds[k];
	return NULL;
}

/* A warning that not every host can show its guests is cleared, and said. */
static void clear_unreachable(struct work *work)
{
	struct evc_cpu *cpu = &work->level->cpu;
	struct evc_set warnings = evc_set_and(&cpu->has, &evc_rule_sets[EVC_RULE_OR]);

	EVC_SET_FOREACH(id, &warnings)
	{
		const struct evc_level_kind *lacking = without_feature(work, id), *warned;

		if (!lacking || evc_features[id].slot != EVC_NO_SLOT)
			continue;
		warned = with_feature(work, id);
		evc_set_drop(&cpu->has, id);
		find(work, (struct evc_finding){ .kind = EVC_FINDING_UNREACHABLE,
		                                 .severity = EVC_WARNING,
		                                 .feature = id,
		                                 .subject = lacking->name,
		                                 .other = warned ? warned->name : "" });
	}
}

static void find_baseline(struct work *work)
{
	struct evc_cpu *cpu = &work->level->cpu;
	struct evc_set dropped;

	if (!merge_all(work))
		return;
	clear_unreachable(work);
	evc_cpu_close(cpu, &dropped);
	EVC_SET_FOREACH(id, &dropped)
	find(work, (struct evc_finding){ .kind = EVC_FINDING_DROPPED, .severity = EVC_NOTE, .feature = id });
	EVC_SET_FOREACH(id, &cpu->differs)
	if (cpu->vendor != EVC_VENDOR_OTHER)
		find(work, (struct evc_finding){
				   .kind = EVC_FINDING_DIFFERS, .severity = EVC_WARNING, .feature = id });
}

/* ---- vendors ---- */

/* What nobody promises about a guest that moves between vendors, even where the features agree. */
static const char *const vendor_risks[] = {
	"SYSENTER and SYSCALL work in other modes on the other vendor's CPUs: 32-bit programs of a 64-bit guest may fail",
	"speculation flaws and their cures differ: a kernel booted on one vendor applies its mitigations on the other",
	"performance counters, last-branch records and machine-check banks are laid out differently",
	"vendor, brand and leaves that only one vendor has are the first host's and are wrong on the other",
	"errata differ: a guest works around those of the CPU it was started on",
};

/* Two readable kinds of different vendors, if there are. */
static bool mixed_vendors(const struct work *work, size_t *ret_a, size_t *ret_b)
{
	size_t first = work->n_kinds;

	for (size_t k = 0; k < work->n_kinds; k++) {
		if (!work->kinds[k].cpu)
			continue;
		if (first == work->n_kinds)
			first = k;
		if (work->kinds[k].cpu->vendor == work->kinds[first].cpu->vendor)
			continue;
		*ret_a = first;
		*ret_b = k;
		return true;
	}
	return false;
}

static void find_vendors(struct work *work)
{
	size_t a, b;

	if (!mixed_vendors(work, &a, &b))
		return;
	find(work, (struct evc_finding){ .kind = EVC_FINDING_VENDOR,
	                                 .severity = work->options->across_vendors ? EVC_WARNING : EVC_BLOCKS,
	                                 .cause = EVC_CAUSE_VENDOR,
	                                 .feature = EVC_N_FEATURES,
	                                 .subject = work->kinds[b].name,
	                                 .other = work->kinds[a].name });
	if (!work->options->across_vendors)
		return;
	for (size_t i = 0; i < sizeof(vendor_risks) / sizeof(vendor_risks[0]); i++)
		find(work, (struct evc_finding){ .kind = EVC_FINDING_RISK,
		                                 .severity = EVC_WARNING,
		                                 .feature = EVC_N_FEATURES,
		                                 .detail = vendor_risks[i] });
}

/* ---- who holds it down ---- */

/* The lowest mode that is strictly above, and that some readable kind has: what the others would reach. */
static const struct evc_mode *next_above(const struct work *work, const struct evc_mode *mode)
{
	const struct evc_mode *next = NULL;

	for (size_t m = 0; m < work->modes->n; m++) {
		const struct evc_mode *other = work->modes->items[m];
		bool somebody = false;

		if (other == mode || for_any_vendor(other) || (mode && !evc_mode_covers(other, mode)) ||
		    (mode && evc_mode_covers(mode, other)))
			continue;
		for (size_t k = 0; k < work->n_kinds && !somebody; k++)
			somebody = work->kinds[k].cpu && *version_of(work, m, k);
		if (somebody && (!next || evc_mode_covers(next, other)))
			next = other;
	}
	return next;
}

static void find_holding(struct work *work)
{
	struct evc_level *level = work->level;
	const struct evc_mode *next = next_above(work, level->mode);

	for (size_t k = 0; k < work->n_kinds; k++) {
		struct evc_level_part *part = &level->parts[k];

		if (!work->kinds[k].cpu)
			continue;
		part->without = best_reached(work, k, false);
		part->holds_down = part->without && part->without != level->mode &&
		                   (!level->mode || evc_mode_covers(part->without, level->mode) ||
		                    for_any_vendor(level->mode));
		if (part->holds_down)
			find(work, (struct evc_finding){ .kind = EVC_FINDING_GAIN,
			                                 .severity = EVC_NOTE,
			                                 .feature = EVC_N_FEATURES,
			                                 .subject = work->kinds[k].name,
			                                 .other = part->without->key });
		if (part->holds_down)
			find_lacks(work, k, part->without, 1, EVC_FINDING_HOLDS_DOWN, EVC_NOTE);
		else if (next && !*version_of(work, index_of(work, next), k))
			find_lacks(work, k, next, 1, EVC_FINDING_HOLDS_DOWN, EVC_NOTE);
	}
}

/* ---- the parts together ---- */

static void find_unreadable(struct work *work)
{
	for (size_t k = 0; k < work->n_kinds; k++) {
		work->level->n_hosts += work->kinds[k].n_hosts;
		if (work->kinds[k].cpu)
			continue;
		work->level->n_unreadable += work->kinds[k].n_hosts;
		find(work, (struct evc_finding){ .kind = EVC_FINDING_UNREADABLE,
		                                 .severity = EVC_DOUBT,
		                                 .feature = EVC_N_FEATURES,
		                                 .subject = work->kinds[k].name,
		                                 .detail = work->kinds[k].why });
	}
}

static void fill_parts(struct work *work)
{
	for (size_t k = 0; k < work->n_kinds; k++) {
		struct evc_level_part *part = &work->level->parts[k];
		const struct evc_mode *best[1];

		if (!work->kinds[k].cpu || !evc_modes_best(work->modes, work->kinds[k].cpu, best, 1))
			continue;
		part->best = best[0];
		part->version = *version_of(work, index_of(work, best[0]), k);
	}
}

static void find_extra(struct work *work)
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
static void want_mode(struct work *work)
{
	const struct evc_mode *mode = work->options->mode;
	unsigned version = work->options->version ? work->options->version : 1;

	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu)
			find_lacks(work, k, mode, version, EVC_FINDING_LACKS, EVC_BLOCKS);
	work->level->mode = mode;
	work->level->version = work->options->version;
	if (!work->options->version && reached(work, index_of(work, mode), work->n_kinds))
		work->level->version = common_version(work, mode);
}

static void find_mode(struct work *work)
{
	struct evc_level *level = work->level;
	const struct evc_mode *floor = work->options->floor;
	bool readable = level->n_unreadable < level->n_hosts;

	level->psabi = readable ? best_reached(work, work->n_kinds, true) : NULL;
	if (work->options->mode) {
		want_mode(work);
	} else if (readable) {
		level->mode = best_reached(work, work->n_kinds, false);
		if (level->mode)
			level->version = common_version(work, level->mode);
		else
			find(work, (struct evc_finding){ .kind = EVC_FINDING_NOTE,
			                                 .severity = EVC_BLOCKS,
			                                 .feature = EVC_N_FEATURES,
			                                 .detail = "no mode is common to all hosts" });
		find_holding(work);
	}
	if (readable && floor && (!level->mode || !evc_mode_covers(level->mode, floor)))
		find(work, (struct evc_finding){ .kind = EVC_FINDING_FLOOR,
		                                 .severity = EVC_BLOCKS,
		                                 .feature = EVC_N_FEATURES,
		                                 .subject = level->mode ? level->mode->key : "no mode",
		                                 .other = floor->key });
}

int evc_level_make(const struct evc_modes *modes, const struct evc_level_kind *kinds, size_t n_kinds,
                   const struct evc_level_options *options, struct evc_arena *arena,
                   struct evc_level *ret_level, struct evc_findings *findings, struct evc_error *err)
{
	struct evc_findings own = { .arena = arena };
	struct evc_level level = { .parts = evc_arena_array(arena, n_kinds, sizeof(*level.parts)) };
	struct work work = {
		.modes = modes,
		.kinds = kinds,
		.n_kinds = n_kinds,
		.options = options,
		.findings = findings ? findings : &own,
		.versions = evc_arena_array(arena, modes->n * n_kinds, sizeof(*work.versions)),
		.n_failing = evc_arena_array(arena, modes->n, sizeof(*work.n_failing)),
		.failing = evc_arena_array(arena, modes->n, sizeof(*work.failing)),
		.level = &level,
	};

	if (!n_kinds)
		return evc_fail(err, EVC_ERR_USAGE, "no hosts to level");
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	find_unreadable(&work);
	fill_table(&work);
	fill_parts(&work);
	find_vendors(&work);
	find_baseline(&work);
	find_mode(&work);
	find_extra(&work);
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	level.verdict = evc_findings_verdict(work.findings);
	*ret_level = level;
	return EVC_OK;
}
