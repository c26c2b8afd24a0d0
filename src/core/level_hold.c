/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who holds a level down, and what could be done about it.
 *
 * A target is a version of a mode that the level does not reach: of a mode above it, or a newer one of
 * its own.  Its group are the kinds of host that do not surely have it.  From groups follow all answers:
 *
 *   without the group the others reach what they all have, which may be more than the target
 *   a kind that is alone in the group of some mode holds the level down alone
 *   a group of which every kind lacks only what can be mended (a firmware switch, microcode, a newer
 *   kernel, ...) can be mended, and then the target is reached
 *
 * The target that people are told of is the lowest that some host has or may have; mending is tried on
 * all of them, and the best is told.  Causes are asked of core/check.h.
 */
#include "core/level-private.h"

#include <string.h>

enum {
	NAMED = 2,     /* hosts of a group that are called by name */
	MENDED = 4096, /* kinds of a group that are asked whether they can be mended */
};

struct target {
	const struct evc_mode *mode;
	size_t index;
	unsigned version; /* at least 1 */
};

/* What kinds that can be mended need. */
struct cure {
	enum evc_cause cause; /* one of them */
	bool several;
};

static bool in_group(const struct evc_level_work *work, const struct target *target, size_t k)
{
	return work->kinds[k].cpu && evc_level_cell(work, target->index, k)->version < target->version;
}

static enum evc_cause cause_of(const struct evc_level_work *work, size_t k, enum evc_feature_id id)
{
	const struct evc_check_side *side = work->kinds[k].side;

	return side ? evc_check_cause(side, id, NULL, &work->check) : EVC_CAUSE_NONE;
}

static const char *target_name(const struct evc_level_work *work, const struct target *target)
{
	return target->version > 1 ? evc_level_mode_name(work, target->mode, target->version)
	                           : target->mode->key;
}

/* "web3", "web3 and web4", "web3, web4 and 7 more". */
static const char *group_name(const struct evc_level_work *work, const struct target *target)
{
	const char *name[NAMED] = { NULL };
	size_t n_names = 0, n_hosts = 0, n_named = 0;

	for (size_t k = 0; k < work->n_kinds; k++) {
		if (!in_group(work, target, k))
			continue;
		n_hosts += work->kinds[k].n_hosts;
		if (n_names == NAMED)
			continue;
		name[n_names++] = work->kinds[k].name;
		n_named++;
	}
	if (n_hosts == 1)
		return name[0];
	if (n_names < NAMED)
		return evc_arena_printf(work->arena, "%s and %zu like it", name[0], n_hosts - 1);
	if (n_hosts == n_named)
		return evc_arena_printf(work->arena, "%s and %s", name[0], name[1]);
	return evc_arena_printf(work->arena, "%s, %s and %zu more", name[0], name[1], n_hosts - n_named);
}

/* ---- what is lacking ---- */

/* Findings of one kind about one target; all of "like" but feature, cause and detail is used as it is. */
static void find_lacks(struct evc_level_work *work, size_t k, const struct target *target,
                       struct evc_finding like)
{
	const struct evc_level_kind *host = &work->kinds[k];
	bool vendor = host->cpu->vendor & target->mode->vendors;
	struct evc_set lacks, unsure;

	evc_mode_satisfied(target->mode, target->version, host->cpu, &lacks, &unsure);
	like.subject = host->name;
	like.other = target_name(work, target);
	if (!vendor) {
		like.kind = EVC_FINDING_VENDOR;
		like.feature = EVC_N_FEATURES;
		evc_level_find(work, like);
		return;
	}
	EVC_SET_FOREACH(id, &lacks)
	{
		like.feature = id;
		like.cause = cause_of(work, k, id);
		evc_level_find(work, like);
	}
	like.kind = EVC_FINDING_UNSURE;
	like.cause = EVC_CAUSE_DUMP;
	if (like.severity == EVC_BLOCKS)
		like.severity = EVC_DOUBT;
	if (evc_set_is_empty(&lacks))
		like.detail = evc_arena_printf(work->arena, "nothing else keeps it from %s", like.other);
	EVC_SET_FOREACH(id, &unsure)
	{
		like.feature = id;
		evc_level_find(work, like);
	}
}

/* The group of a target, as far as it is listed, and how many more there are. */
static void find_group(struct evc_level_work *work, const struct target *target, struct evc_finding like)
{
	size_t n = 0;

	for (size_t k = 0; k < work->n_kinds; k++) {
		if (!in_group(work, target, k))
			continue;
		/* Of several targets the first is the one that the others wait for. */
		if (evc_set_is_empty(&work->level->parts[k].lacks))
			evc_mode_satisfied(target->mode, target->version, work->kinds[k].cpu,
			                   &work->level->parts[k].lacks, NULL);
		if (n++ < EVC_LEVEL_LISTED)
			find_lacks(work, k, target, like);
	}
	if (n <= EVC_LEVEL_LISTED)
		return;
	like.kind = EVC_FINDING_NOTE;
	like.feature = EVC_N_FEATURES;
	like.detail = evc_arena_printf(work->arena, "%zu more kinds of host are below %s",
	                               n - EVC_LEVEL_LISTED, target_name(work, target));
	evc_level_find(work, like);
}

/* ---- mending ---- */

static bool can_be_mended(enum evc_cause cause)
{
	switch (cause) {
	case EVC_CAUSE_FIRMWARE:
	case EVC_CAUSE_MICROCODE:
	case EVC_CAUSE_KERNEL:
	case EVC_CAUSE_OPTION:
	case EVC_CAUSE_QEMU:
		return true;
	case EVC_CAUSE_NESTED: /* whether the machine around it has it is not known */
	case EVC_CAUSE_NONE:
	case EVC_CAUSE_OLDER:
	case EVC_CAUSE_REMOVED:
	case EVC_CAUSE_DUMP:
	case EVC_CAUSE_VENDOR:
	case EVC_CAUSE_NEVER:
	case EVC_CAUSE_AFFECTED:
	case EVC_CAUSE_UNMIGRATABLE:
	case EVC_CAUSE_ACCELERATOR: /* these are about guests that run */
	case EVC_CAUSE_OVERRIDE:
	case EVC_CAUSE_QEMU_ADDS:
	case EVC_CAUSE_GUEST:
	case EVC_CAUSE_OURS:
		return false;
	}
	return false;
}

/* Does the kind lack nothing of the target but what can be mended? */
static bool kind_curable(const struct evc_level_work *work, size_t k, const struct target *target,
                         struct cure *cure)
{
	const struct evc_cpu *cpu = work->kinds[k].cpu;
	struct evc_set lacks, unsure;

	evc_mode_satisfied(target->mode, target->version, cpu, &lacks, &unsure);
	if (!(cpu->vendor & target->mode->vendors) || !evc_set_is_empty(&unsure))
		return false;
	EVC_SET_FOREACH(id, &lacks)
	{
		enum evc_cause cause = cause_of(work, k, id);

		if (!can_be_mended(cause))
			return false;
		cure->several |= cure->cause != EVC_CAUSE_NONE && cure->cause != cause;
		cure->cause = cause;
	}
	return true;
}

static bool group_curable(const struct evc_level_work *work, const struct target *target, struct cure *cure)
{
	size_t n = 0;

	*cure = (struct cure){ 0 };
	for (size_t k = 0; k < work->n_kinds; k++)
		if (in_group(work, target, k) && (++n > MENDED || !kind_curable(work, k, target, cure)))
			return false;
	return n > 0;
}

static void find_cure(struct evc_level_work *work, const struct target *target, const struct cure *cure)
{
	evc_level_find(work,
	               (struct evc_finding){ .kind = EVC_FINDING_GAIN,
	                                     .severity = EVC_NOTE,
	                                     .cause = cure->cause,
	                                     .feature = EVC_N_FEATURES,
	                                     .subject = group_name(work, target),
	                                     .other = target_name(work, target),
	                                     .detail = cure->several ? "all of these causes mended" : "" });
}

/* ---- targets ---- */

static bool covers(const struct evc_level_work *work, size_t a, size_t b)
{
	return work->covers[a * work->modes->n + b];
}

/* Is mode m of the kind that these hosts look for, and above the level's? */
static bool is_above(const struct evc_level_work *work, size_t m)
{
	const struct evc_mode *mode = work->level->mode;
	bool any = work->modes->items[m]->vendors == EVC_VENDOR_ANY;
	size_t own;

	/* One vendor's mode is not above those of all where hosts are of several. */
	if (any != work->no_vendors_mode)
		return false;
	if (!mode || (mode->vendors == EVC_VENDOR_ANY && !any))
		return true;
	own = evc_level_index(work, mode);
	return covers(work, m, own) && !covers(work, own, m);
}

static bool somebody_may(const struct evc_level_work *work, size_t m)
{
	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu &&
		    (evc_level_cell(work, m, k)->version || evc_level_cell(work, m, k)->maybe))
			return true;
	return false;
}

/* The lowest mode above the level that some host has or may have. */
static bool next_mode(const struct evc_level_work *work, struct target *ret_target)
{
	size_t next = work->modes->n;

	for (size_t m = 0; m < work->modes->n; m++)
		if (is_above(work, m) && (next == work->modes->n || covers(work, next, m)) &&
		    somebody_may(work, m))
			next = m;
	if (next == work->modes->n)
		return false;
	*ret_target = (struct target){ .mode = work->modes->items[next], .index = next, .version = 1 };
	return true;
}

/* The newest version of the level's own mode that some host has. */
static bool next_version(const struct evc_level_work *work, struct target *ret_target)
{
	const struct evc_level *level = work->level;
	struct target target = { .mode = level->mode, .version = level->version };

	if (!level->mode)
		return false;
	target.index = evc_level_index(work, level->mode);
	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu && evc_level_cell(work, target.index, k)->version > target.version)
			target.version = evc_level_cell(work, target.index, k)->version;
	*ret_target = target;
	return target.version > level->version;
}

/* The best target that mending reaches: a mode above, the newest of them, or a version of the own. */
static bool best_cure(const struct evc_level_work *work, struct target *ret_target, struct cure *ret_cure)
{
	const struct evc_level *level = work->level;
	size_t best = work->modes->n;
	struct cure cure;

	for (size_t m = 0; m < work->modes->n; m++) {
		struct target target = { .mode = work->modes->items[m], .index = m, .version = 1 };

		if (!is_above(work, m) || (best < work->modes->n && covers(work, best, m)) ||
		    !group_curable(work, &target, &cure))
			continue;
		best = m;
		*ret_target = target;
		*ret_cure = cure;
	}
	if (best < work->modes->n)
		return true;
	for (unsigned v = level->mode ? (unsigned)level->mode->n_versions : 0; v > level->version; v--) {
		*ret_target = (struct target){ .mode = level->mode,
			                       .index = evc_level_index(work, level->mode),
			                       .version = v };
		if (group_curable(work, ret_target, ret_cure))
			return true;
	}
	return false;
}

/* ---- together ---- */

/* What all reach but the kinds of the group; NULL also when nobody is left. */
static const struct evc_mode *without_group(const struct evc_level_work *work, const struct target *target)
{
	bool *reached = evc_arena_array(work->arena, work->modes->n, sizeof(*reached));
	bool others = false;

	for (size_t m = 0; reached && m < work->modes->n; m++) {
		reached[m] = true;
		for (size_t k = 0; k < work->n_kinds && reached[m]; k++) {
			if (!work->kinds[k].cpu || in_group(work, target, k))
				continue;
			others = true;
			reached[m] = evc_level_cell(work, m, k)->version;
		}
	}
	return others ? evc_level_pick(work, reached, false) : NULL;
}

static void find_gain(struct evc_level_work *work, const char *name, const char *gained)
{
	evc_level_find(work, (struct evc_finding){ .kind = EVC_FINDING_GAIN,
	                                           .severity = EVC_NOTE,
	                                           .feature = EVC_N_FEATURES,
	                                           .subject = name,
	                                           .other = gained });
}

/* Is it more than what the level reaches? */
static bool is_gain(const struct evc_level_work *work, const struct evc_mode *mode)
{
	const struct evc_mode *level = work->level->mode;

	return mode && mode != level &&
	       (!level || level->vendors == EVC_VENDOR_ANY ||
	        covers(work, evc_level_index(work, mode), evc_level_index(work, level)));
}

/* Kinds that hold the level down alone: only who is alone in the group of a mode can. */
static void find_alone(struct evc_level_work *work)
{
	bool *reached = evc_arena_array(work->arena, work->modes->n, sizeof(*reached));
	struct evc_level *level = work->level;
	size_t n_readable = 0;

	for (size_t k = 0; k < work->n_kinds; k++) {
		level->parts[k].without = level->mode;
		n_readable += work->kinds[k].cpu != NULL;
	}
	/* Without the only one there is nobody to have a level. */
	if (n_readable < 2)
		return;
	for (size_t m = 0; reached && m < work->modes->n; m++) {
		size_t k = work->failing[m];
		struct evc_level_part *part = &level->parts[k];

		if (work->n_failing[m] != 1 || part->holds_down)
			continue;
		for (size_t i = 0; i < work->modes->n; i++)
			reached[i] =
				!work->n_failing[i] || (work->n_failing[i] == 1 && work->failing[i] == k);
		part->without = evc_level_pick(work, reached, false);
		part->holds_down = is_gain(work, part->without);
	}
}

/* A mode above: the next one, and the one that mending reaches when that is another. */
static void find_next_mode(struct evc_level_work *work, const struct target *cured)
{
	static const struct evc_finding like = { .kind = EVC_FINDING_HOLDS_DOWN, .severity = EVC_NOTE };
	struct target target;
	bool told = false;

	if (next_mode(work, &target)) {
		const struct evc_mode *without = without_group(work, &target);

		find_group(work, &target, like);
		if (is_gain(work, without)) {
			find_gain(work, group_name(work, &target), without->key);
			told = work->n_failing[target.index] == 1;
		}
		if (cured && cured->mode != work->level->mode && cured->mode != target.mode)
			find_group(work, cured, like);
	}
	for (size_t k = 0; k < work->n_kinds; k++) {
		const struct evc_level_part *part = &work->level->parts[k];

		if (part->holds_down && !(told && work->failing[target.index] == k))
			find_gain(work, work->kinds[k].name, part->without->key);
	}
}

/* A newer version of the own mode: told of the one that mending reaches, else of the newest that a host has.
 */
static void find_next_version(struct evc_level_work *work, const struct target *cured)
{
	static const struct evc_finding like = { .kind = EVC_FINDING_HOLDS_DOWN, .severity = EVC_NOTE };
	struct target newer;
	bool some = next_version(work, &newer);

	if (cured && cured->mode == work->level->mode && (!some || cured->version > newer.version)) {
		newer = *cured;
		some = true;
	}
	if (!some)
		return;
	find_group(work, &newer, like);
	/* Without them the others may reach more than this mode; that was told. */
	if (without_group(work, &newer) == newer.mode)
		find_gain(work, group_name(work, &newer), target_name(work, &newer));
}

void evc_level_find_holding(struct evc_level_work *work)
{
	struct target cured;
	struct cure cure;
	bool curable = best_cure(work, &cured, &cure);

	find_alone(work);
	find_next_mode(work, curable ? &cured : NULL);
	find_next_version(work, curable ? &cured : NULL);
	if (curable)
		find_cure(work, &cured, &cure);
}

void evc_level_find_blocking(struct evc_level_work *work, const struct evc_mode *mode, unsigned version)
{
	static const struct evc_finding like = { .kind = EVC_FINDING_LACKS, .severity = EVC_BLOCKS };
	struct target target = { .mode = mode, .index = evc_level_index(work, mode), .version = version };
	struct cure cure;

	find_group(work, &target, like);
	if (group_curable(work, &target, &cure))
		find_cure(work, &target, &cure);
}
