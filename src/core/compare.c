/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A prediction held against what a guest saw.
 *
 * Both are dumps, so both know of each bit whether it is known.  Compared is what both know: the union of
 * their leaves, register by register, and the MSRs of the prediction.  A register that differs is taken apart
 * by the features that live in it, since one may be and another may not; what is left over has no name.
 *
 * The cause of a difference is found by asking in turn
 *
 *   may it be?                           a rule of core/compare_rules.c says who decides it
 *   can the accelerator show it?         if not it is reduced, and never counted as proved
 *   was KVM asked what it shows?         it was given what is predicted, so KVM overrides it
 *   is there a QEMU?                     then it decided so
 *   else                                 nobody is left but us
 */
#include "core/compare.h"

#include <string.h>

struct work {
	const struct evc_compare *compare;
	struct evc_arena *arena;
	struct evc_comparison result;
	struct evc_difference *items;
	size_t size;
	unsigned vendor;
	struct evc_findings *findings;
};

static void add(struct work *work, const struct evc_difference *difference)
{
	struct evc_comparison *result = &work->result;
	struct evc_difference *items =
		evc_arena_room(work->arena, work->items, result->n, &work->size, 32, sizeof(*items));

	if (!items)
		return;
	work->items = items;
	work->items[result->n++] = *difference;
	result->n_may_be += difference->may_be;
}

/* Of a difference that no rule lets be. */
static enum evc_cause cause_of(const struct work *work, const struct evc_difference *difference)
{
	const struct evc_compare *compare = work->compare;
	struct evc_bit place = difference->place;
	uint64_t known;

	if (compare->refused && place.reg == EVC_MSR) {
		evc_dump_register(compare->refused, place.leaf, 0, EVC_MSR, &known);
		if (known)
			return EVC_CAUSE_ACCELERATOR;
	}
	if (compare->shown) {
		evc_dump_register(compare->shown, place.leaf, place.subleaf, place.reg, &known);
		if (!(difference->bits & ~known))
			return EVC_CAUSE_OVERRIDE;
	}
	return compare->by == EVC_BY_KVM ? EVC_CAUSE_OURS : EVC_CAUSE_QEMU_ADDS;
}

static bool is_lacking(const struct work *work, const struct evc_difference *difference)
{
	const struct evc_set *lacking = work->compare->lacking;

	return lacking && difference->feature < EVC_N_FEATURES && evc_set_has(lacking, difference->feature) &&
	       !difference->seen;
}

static void tell(struct work *work, const struct evc_difference *difference)
{
	enum evc_feature_id id = difference->feature;
	bool bit = id < EVC_N_FEATURES && evc_feature_is_bit(&evc_features[id]);
	char text[EVC_BIT_TEXT];
	struct evc_finding finding = {
		.kind = EVC_FINDING_VALUE,
		.severity = EVC_BLOCKS,
		.cause = difference->cause,
		.feature = id,
		.subject = work->compare->subject,
		.other = work->compare->mode,
	};

	if (!work->findings)
		return;
	if (bit)
		finding.kind = difference->seen ? EVC_FINDING_LEAKED : EVC_FINDING_UNSEEN;
	if (evc_set_has(&work->result.reduced, id < EVC_N_FEATURES ? id : 0) &&
	    is_lacking(work, difference)) {
		finding.kind = EVC_FINDING_REDUCED;
		finding.severity = EVC_WARNING;
	}
	if (finding.kind == EVC_FINDING_VALUE) {
		finding.have = difference->seen >> difference->place.lo;
		finding.want = difference->predicted >> difference->place.lo;
		finding.detail = evc_arena_printf(work->arena, "%s", evc_bit_format(difference->place, text));
	}
	evc_findings_add(work->findings, finding);
}

/* One feature, or what is left of a register, whose bits differ. */
static void judge(struct work *work, struct evc_difference difference)
{
	const char *why = evc_compare_may_differ(work->compare, &difference, &difference.cause);

	difference.why = why ? why : "";
	difference.may_be = why != NULL;
	if (!why && is_lacking(work, &difference)) {
		difference.cause = EVC_CAUSE_ACCELERATOR;
		evc_set_add(&work->result.reduced, difference.feature);
	} else if (!why) {
		difference.cause = cause_of(work, &difference);
	}
	add(work, &difference);
	if (!why)
		tell(work, &difference);
}

/* Features whose place is this register and that mean something on this CPU, from *id on. */
static bool next_feature(const struct work *work, struct evc_bit reg, unsigned *id)
{
	for (; *id < EVC_N_FEATURES; ++*id) {
		const struct evc_feature *feature = &evc_features[*id];

		if (feature->bit.leaf == reg.leaf && feature->bit.reg == reg.reg &&
		    (reg.reg == EVC_MSR ||
		     (reg.subleaf >= feature->bit.subleaf && reg.subleaf <= feature->subleaf_last)) &&
		    feature->vendors & work->vendor)
			return true;
	}
	return false;
}

static void take_apart(struct work *work, struct evc_bit reg, uint64_t predicted, uint64_t seen,
                       uint64_t bits)
{
	struct evc_difference rest = { .place = reg, .feature = EVC_N_FEATURES };

	for (unsigned id = 0; next_feature(work, reg, &id); id++) {
		uint64_t mask = evc_bit_mask(evc_features[id].bit);
		struct evc_difference difference = { .place = evc_features[id].bit,
			                             .feature = (enum evc_feature_id)id,
			                             .bits = bits & mask,
			                             .predicted = predicted & mask,
			                             .seen = seen & mask };

		difference.place.subleaf = reg.subleaf;
		if (evc_feature_is_bit(&evc_features[id]) && predicted & seen & mask)
			evc_set_add(&work->result.proved, (enum evc_feature_id)id);
		if (!difference.bits)
			continue;
		bits &= ~mask;
		judge(work, difference);
	}
	if (!bits)
		return;
	rest.bits = bits;
	rest.predicted = predicted & bits;
	rest.seen = seen & bits;
	judge(work, rest);
}

static void compare_register(struct work *work, struct evc_bit reg, bool *compared, bool *unpredicted,
                             bool *unseen)
{
	uint64_t known_predicted, known_seen, both,
		predicted = evc_dump_register(work->compare->predicted, reg.leaf, reg.subleaf, reg.reg,
	                                      &known_predicted),
		seen = evc_dump_register(work->compare->seen, reg.leaf, reg.subleaf, reg.reg, &known_seen);
	uint64_t all = reg.reg == EVC_MSR ? UINT64_MAX : UINT32_MAX;

	both = known_predicted & known_seen;
	*compared |= both != 0;
	*unpredicted |= (known_seen & ~known_predicted & all) != 0;
	*unseen |= (known_predicted & ~known_seen & all) != 0;
	take_apart(work, reg, predicted & both, seen & both, (predicted ^ seen) & both);
}

static void compare_leaf(struct work *work, uint32_t leaf, uint32_t subleaf)
{
	bool compared = false, unpredicted = false, unseen = false;

	for (int reg = EVC_EAX; reg <= EVC_EDX; reg++)
		compare_register(
			work,
			(struct evc_bit){
				.leaf = leaf, .subleaf = subleaf, .reg = (enum evc_reg)reg, .hi = 31 },
			&compared, &unpredicted, &unseen);
	work->result.n_leaves += compared;
	work->result.n_not_predicted += unpredicted;
	work->result.n_not_seen += unseen;
}

static int order(const struct evc_leaf *a, const struct evc_leaf *b)
{
	if (a->leaf != b->leaf)
		return a->leaf < b->leaf ? -1 : 1;
	return (a->subleaf > b->subleaf) - (a->subleaf < b->subleaf);
}

static bool is_beyond_both(const struct work *work, const struct evc_leaf *leaf)
{
	return evc_dump_is_junk(work->compare->predicted, leaf) &&
	       evc_dump_is_junk(work->compare->seen, leaf);
}

/* The union of both dumps' leaves, in order; what lies beyond both their ends is not compared here. */
static void compare_leaves(struct work *work)
{
	const struct evc_dump *a = work->compare->predicted, *b = work->compare->seen;
	size_t i = 0, j = 0;

	while (i < a->n_leaves || j < b->n_leaves) {
		int which = i == a->n_leaves   ? 1
		            : j == b->n_leaves ? -1
		                               : order(&a->leaves[i], &b->leaves[j]);
		const struct evc_leaf *leaf = which <= 0 ? &a->leaves[i] : &b->leaves[j];

		i += which <= 0;
		j += which >= 0;
		if (!is_beyond_both(work, leaf))
			compare_leaf(work, leaf->leaf, leaf->subleaf);
	}
}

static void compare_msrs(struct work *work)
{
	const struct evc_dump *predicted = work->compare->predicted;

	for (size_t i = 0; i < predicted->n_msrs; i++) {
		bool compared = false, unpredicted = false, unseen = false;

		compare_register(
			work, (struct evc_bit){ .leaf = predicted->msrs[i].index, .reg = EVC_MSR, .hi = 63 },
			&compared, &unpredicted, &unseen);
		work->result.n_msrs += compared;
		work->result.n_not_predicted += unpredicted;
		work->result.n_not_seen += unseen;
	}
}

int evc_compare_make(const struct evc_compare *compare, struct evc_arena *arena,
                     struct evc_comparison *ret_comparison, struct evc_findings *findings,
                     struct evc_error *err)
{
	struct work work = { .compare = compare, .arena = arena, .findings = findings };
	struct evc_cpu cpu;

	evc_cpu_decode(compare->predicted, &cpu);
	work.vendor = cpu.vendor;
	compare_leaves(&work);
	compare_msrs(&work);
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	work.result.differences = work.items;
	*ret_comparison = work.result;
	return EVC_OK;
}

/* "shows avx2 bmi2 unasked; hides sse3" for one leaf of a comparison. */
static const char *describe_leaf(const struct evc_comparison *comparison, uint32_t leaf,
                                 struct evc_arena *arena)
{
	const char *shows = "", *hides = "", *other = "";

	for (size_t i = 0; i < comparison->n; i++) {
		const struct evc_difference *difference = &comparison->differences[i];
		bool named = difference->feature < EVC_N_FEATURES;
		const char **list = !named || !evc_feature_is_bit(&evc_features[difference->feature]) ? &other
		                    : difference->seen                                                ? &shows
		                                       : &hides;
		char text[EVC_BIT_TEXT];

		if (difference->may_be || difference->place.leaf != leaf || difference->place.reg == EVC_MSR)
			continue;
		*list = evc_arena_printf(arena, "%s %s", *list,
		                         named ? evc_features[difference->feature].name
		                               : evc_bit_format(difference->place, text));
		if (!*list)
			return "";
	}
	return evc_arena_printf(arena, "%s%s%s%s%s%s%s%s", *shows ? "shows" : "", shows,
	                        *shows ? " though hidden" : "", *shows && *hides ? "; " : "",
	                        *hides ? "hides" : "", hides,
	                        *other && (*shows || *hides) ? "; changes"
	                        : *other                     ? "changes"
	                                                     : "",
	                        other);
}

int evc_compare_read_back(const struct evc_dump *given, const struct evc_dump *shown, struct evc_arena *arena,
                          struct evc_findings *findings, struct evc_error *err)
{
	struct evc_compare compare = {
		.subject = "this KVM", .predicted = given, .seen = shown, .by = EVC_BY_KVM, .os = true
	};
	struct evc_comparison comparison;
	int status = evc_compare_make(&compare, arena, &comparison, NULL, err);

	if (status < 0)
		return status;
	for (size_t i = 0; i < comparison.n; i++) {
		const struct evc_difference *difference = &comparison.differences[i];
		uint32_t leaf = difference->place.leaf;
		bool said = difference->may_be || difference->place.reg == EVC_MSR;

		for (size_t j = 0; j < i && !said; j++)
			said = !comparison.differences[j].may_be &&
			       comparison.differences[j].place.leaf == leaf;
		if (said)
			continue;
		evc_findings_add(findings,
		                 (struct evc_finding){ .kind = EVC_FINDING_OVERRIDES,
		                                       .severity = EVC_BLOCKS,
		                                       .feature = EVC_N_FEATURES,
		                                       .subject = compare.subject,
		                                       .other = evc_arena_printf(arena, "leaf %x", leaf),
		                                       .detail = describe_leaf(&comparison, leaf, arena) });
	}
	return EVC_OK;
}

static bool is_zero(const struct evc_leaf *leaf)
{
	return !(leaf->value[EVC_EAX] | leaf->value[EVC_EBX] | leaf->value[EVC_ECX] | leaf->value[EVC_EDX]);
}

void evc_compare_beyond(const struct evc_compare *compare, struct evc_arena *arena,
                        struct evc_findings *findings)
{
	const struct evc_dump *seen = compare->seen;
	uint32_t highest = evc_dump_highest(seen, 0);

	for (size_t i = 0; i < seen->n_leaves; i++) {
		const struct evc_leaf *leaf = &seen->leaves[i], *repeated;

		if (!evc_dump_is_junk(seen, leaf) || is_zero(leaf))
			continue;
		/* SDM2A:CPUID: beyond the end of any range the highest basic leaf answers, for that subleaf.
		 */
		repeated = evc_dump_find(seen, highest, leaf->subleaf);
		if (repeated && !memcmp(repeated->value, leaf->value, sizeof(leaf->value)))
			continue;
		evc_findings_add(
			findings,
			(struct evc_finding){ .kind = EVC_FINDING_NOTE,
		                              .severity = EVC_BLOCKS,
		                              .feature = EVC_N_FEATURES,
		                              .subject = compare->subject,
		                              .detail = evc_arena_printf(
						      arena, "leaf %x.%x answers, though the last one is %x",
						      leaf->leaf, leaf->subleaf,
						      evc_dump_highest(seen, leaf->leaf)) });
	}
}
