/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Capabilities as the kernel keeps them: words of bits, and two sets that survive every new reading of
 * CPUID, what was forced and what was cleared for good.  Clearing a flag clears what depends on it; a flag
 * that was never there takes nothing along.  Where a flag is in both sets it is there.
 * (linux:arch/x86/kernel/cpu/cpuid-deps.c, common.c:apply_forced_caps)
 */
#include "core/linux-private.h"

#include <string.h>

static void step(struct evc_linux_work *work, enum evc_linux_target target, uint16_t id,
                 enum evc_linux_effect effect, struct evc_linux_tri when, const char *where)
{
	if (work->trace)
		evc_linux_trace_step(work->trace,
		                     &(struct evc_linux_step){ .target = target,
		                                               .id = id,
		                                               .effect = effect,
		                                               .node = evc_linux_node_of(work, when),
		                                               .where = where });
}

/* What a place is now and what comes, as "or" (a set) or "and not" (a clear). */
static void put(struct evc_linux_work *work, uint16_t place, struct evc_linux_tri result)
{
	struct evc_linux_view *view = work->view;
	uint32_t bit = UINT32_C(1) << place % 32;

	view->flags[place / 32] &= ~bit;
	view->flags_unsure[place / 32] &= ~bit;
	if (result.truth == EVC_PRESENT)
		view->flags[place / 32] |= bit;
	else if (result.truth == EVC_UNSURE)
		view->flags_unsure[place / 32] |= bit;
	view->flags_depend[place] = result.depends;
}

static void set_place(struct evc_linux_work *work, uint16_t place, struct evc_linux_tri when)
{
	put(work, place, evc_linux_joined(EVC_LINUX_REASON_OR, evc_linux_at(work, place), when));
}

static void clear_place(struct evc_linux_work *work, uint16_t place, struct evc_linux_tri when)
{
	when.truth = (uint8_t)evc_linux_combine(EVC_LINUX_REASON_NOT, (enum evc_truth)when.truth, EVC_ABSENT);
	put(work, place, evc_linux_joined(EVC_LINUX_REASON_AND, evc_linux_at(work, place), when));
}

/* Rules below a return of the kernel's hold only where it did not return. */
static struct evc_linux_tri gated(struct evc_linux_work *work, struct evc_linux_tri when)
{
	if (work->gate.truth == EVC_PRESENT && !work->gate.depends)
		return when;
	return evc_linux_and(work, work->gate, when);
}

/* Nothing can come of it: no such flag, or a condition that surely does not hold. */
static bool idle(const struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when)
{
	return work->tree->places[flag] == EVC_LINUX_NOWHERE ||
	       (when.truth == EVC_ABSENT && !when.depends && !work->trace);
}

static void mark(struct evc_linux_forced *forced, uint16_t place, struct evc_linux_tri when)
{
	uint32_t bit = UINT32_C(1) << place % 32;

	if (when.truth == EVC_PRESENT)
		forced->sure[place / 32] |= bit;
	else if (when.truth == EVC_UNSURE)
		forced->unsure[place / 32] |= bit;
}

void evc_linux_set(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                   const char *where)
{
	when = gated(work, when);
	if (idle(work, flag, when))
		return;
	set_place(work, work->tree->places[flag], when);
	step(work, EVC_LINUX_TARGET_FLAG, (uint16_t)flag, EVC_LINUX_SET, when, where);
}

void evc_linux_force(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                     const char *where)
{
	uint16_t place;

	when = gated(work, when);
	if (idle(work, flag, when))
		return;
	place = work->tree->places[flag];
	set_place(work, place, when);
	mark(&work->set, place, when);
	work->force_depends[place] |= when.depends;
	step(work, EVC_LINUX_TARGET_FLAG, (uint16_t)flag, EVC_LINUX_STAYS_SET, when, where);
}

static void clear_one(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                      bool for_good, const char *where)
{
	uint16_t place = work->tree->places[flag];

	clear_place(work, place, when);
	if (for_good) {
		mark(&work->cleared, place, when);
		work->force_depends[place] |= when.depends;
	}
	step(work, EVC_LINUX_TARGET_FLAG, (uint16_t)flag, for_good ? EVC_LINUX_STAYS_CLEAR : EVC_LINUX_CLEAR,
	     when, where);
}

/* The flag and everything that directly or indirectly depends on it, by the kernel's pairs. */
static void clear_all(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                      bool for_good, const char *where)
{
	const struct evc_linux_tree *tree = work->tree;
	uint32_t going[EVC_LINUX_WORDS] = { 0 };
	uint16_t place = tree->places[flag];
	bool more = true;

	going[place / 32] |= UINT32_C(1) << place % 32;
	clear_one(work, flag, when, for_good, where);
	while (more) {
		more = false;
		for (size_t i = 0; i < tree->n_dependencies; i++) {
			const struct evc_linux_dependency *pair = &tree->dependencies[i];
			uint16_t from = tree->places[pair->needs], to = tree->places[pair->flag];

			if (!(going[from / 32] >> from % 32 & 1) || going[to / 32] >> to % 32 & 1)
				continue;
			going[to / 32] |= UINT32_C(1) << to % 32;
			clear_one(work, (enum evc_linux_flag)pair->flag, when, for_good,
			          "cpuid-deps.c:do_clear_cpu_cap");
			more = true;
		}
	}
}

void evc_linux_clear(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                     const char *where)
{
	when = gated(work, when);
	if (!idle(work, flag, when))
		clear_all(work, flag, when, false, where);
}

void evc_linux_forbid(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                      const char *where)
{
	when = gated(work, when);
	if (!idle(work, flag, when))
		clear_all(work, flag, when, true, where);
}

/* A word's bits that a forced set or clear reaches, one by one. */
static void apply(struct evc_linux_work *work, const struct evc_linux_forced *forced, unsigned word,
                  bool clears)
{
	uint32_t left = forced->sure[word] | forced->unsure[word];

	for (; left; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctz(left);
		uint16_t place = (uint16_t)(word * 32 + bit);
		struct evc_linux_tri when = { .truth = forced->sure[word] >> bit & 1 ? EVC_PRESENT
			                                                             : EVC_UNSURE,
			                      .depends = work->force_depends[place] };

		if (clears)
			clear_place(work, place, when);
		else
			set_place(work, place, when);
	}
}

void evc_linux_apply_forced(struct evc_linux_work *work)
{
	for (unsigned word = 0; word < EVC_LINUX_WORDS; word++) {
		apply(work, &work->cleared, word, true);
		apply(work, &work->set, word, false);
	}
}

/* --- reading CPUID ---------------------------------------------------------------------------------- */

static void copy_word(struct evc_linux_work *work, const struct evc_linux_word *word)
{
	uint32_t known, value;

	value = evc_linux_register(work, word->from.leaf, word->from.subleaf, word->from.reg, &known);
	work->raw[word->word] = value;
	work->raw_unsure[word->word] = ~known;
}

/* The highest leaves as the kernel keeps them bound what it reads; the dump's rules bound it the same way. */
void evc_linux_read_words(struct evc_linux_work *work)
{
	uint16_t ospke = work->tree->places[EVC_LINUX_F_OSPKE];

	/* Other vendors' own ranges are copied by their rules alone. */
	for (size_t i = 0; i < work->tree->n_words; i++)
		if (work->tree->words[i].from.leaf >> 16 == 0 ||
		    work->tree->words[i].from.leaf >> 16 == 0x8000)
			copy_word(work, &work->tree->words[i]);
	/* It is the kernel that switches it on: before it boots, it is off. */
	work->raw[ospke / 32] &= ~(UINT32_C(1) << ospke % 32);
	work->raw_unsure[ospke / 32] &= ~(UINT32_C(1) << ospke % 32);
}

/* Leaf 7 has subleaf 1 if its subleaf 0 says so; sub-leaves of the scattered bits are not checked. */
static void trace_words(struct evc_linux_work *work)
{
	const struct evc_linux_tree *tree = work->tree;

	for (unsigned flag = 0; flag < EVC_LINUX_N_FLAGS; flag++) {
		uint16_t place = tree->places[flag];

		if (place == EVC_LINUX_NOWHERE)
			continue;
		for (size_t i = 0; i < tree->n_words; i++) {
			struct evc_bit bit = tree->words[i].from;

			if (tree->words[i].word != place / 32 ||
			    (bit.leaf >> 16 != 0 && bit.leaf >> 16 != 0x8000))
				continue;
			bit.lo = bit.hi = place % 32;
			step(work, EVC_LINUX_TARGET_FLAG, (uint16_t)flag, EVC_LINUX_BECOMES,
			     flag == EVC_LINUX_F_OSPKE ? evc_linux_text(work, evc_linux_no(),
			                                                "on before the kernel switches it on")
			                               : evc_linux_bit(work, bit),
			     "common.c:get_cpu_cap");
		}
	}
}

void evc_linux_zero(struct evc_linux_work *work)
{
	struct evc_linux_view *view = work->view;

	memset(view->flags, 0, sizeof(view->flags));
	memset(view->flags_unsure, 0, sizeof(view->flags_unsure));
	memset(view->flags_depend, 0, sizeof(view->flags_depend));
	step(work, EVC_LINUX_TARGET_FLAG, EVC_LINUX_N_FLAGS, EVC_LINUX_CLEAR, evc_linux_yes(),
	     "common.c:identify_cpu");
}

static void scattered(struct evc_linux_work *work)
{
	for (size_t i = 0; i < work->tree->n_scattered; i++) {
		const struct evc_linux_scattered *row = &work->tree->scattered[i];

		evc_linux_set(work, (enum evc_linux_flag)row->symbol, evc_linux_bit(work, row->bit),
		              "scattered.c:init_scattered_cpuid_features");
	}
}

/* Intel and AMD have bits of their own for the same controls, and a hypervisor may show either kind. */
static void speculation_control(struct evc_linux_work *work)
{
	static const struct {
		enum evc_linux_flag from, to;
	} rules[] = {
		{ .from = EVC_LINUX_F_SPEC_CTRL, .to = EVC_LINUX_F_IBRS },
		{ .from = EVC_LINUX_F_SPEC_CTRL, .to = EVC_LINUX_F_IBPB },
		{ .from = EVC_LINUX_F_INTEL_STIBP, .to = EVC_LINUX_F_STIBP },
		{ .from = EVC_LINUX_F_SPEC_CTRL_SSBD, .to = EVC_LINUX_F_SSBD },
		{ .from = EVC_LINUX_F_VIRT_SSBD, .to = EVC_LINUX_F_SSBD },
		{ .from = EVC_LINUX_F_AMD_IBRS, .to = EVC_LINUX_F_IBRS },
		{ .from = EVC_LINUX_F_AMD_IBPB, .to = EVC_LINUX_F_IBPB },
		{ .from = EVC_LINUX_F_AMD_STIBP, .to = EVC_LINUX_F_STIBP },
		{ .from = EVC_LINUX_F_AMD_SSBD, .to = EVC_LINUX_F_SSBD },
	};
	const char *where = "common.c:init_speculation_control";

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		evc_linux_set(work, rules[i].to, evc_linux_has(work, rules[i].from), where);
	evc_linux_clear(work, EVC_LINUX_F_VIRT_SSBD, evc_linux_has(work, EVC_LINUX_F_AMD_SSBD), where);
}

void evc_linux_get_cpu_cap(struct evc_linux_work *work)
{
	struct evc_linux_view *view = work->view;

	memcpy(view->flags, work->raw, sizeof(view->flags));
	memcpy(view->flags_unsure, work->raw_unsure, sizeof(view->flags_unsure));
	if (work->trace)
		trace_words(work);
	scattered(work);
	speculation_control(work);
	evc_linux_apply_forced(work);
}

/* A feature that needs a leaf which is not there. */
void evc_linux_filter(struct evc_linux_work *work)
{
	static const struct {
		enum evc_linux_flag flag;
		uint32_t level;
	} rules[] = {
		{ .flag = EVC_LINUX_F_MWAIT, .level = 0x5 },
		{ .flag = EVC_LINUX_F_DCA, .level = 0x9 },
		{ .flag = EVC_LINUX_F_XSAVE, .level = 0xd },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct evc_linux_tri below =
			work->level_known ? evc_linux_if(work->level < rules[i].level) : evc_linux_unknown(0);

		below = evc_linux_leaf(work, below,
		                       &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_BIT,
		                                                 .bit = evc_features[EVC_F_MAX_STD_LEAF].bit,
		                                                 .number = work->level,
		                                                 .text = "the highest leaf is too low" });
		evc_linux_clear(work, rules[i].flag, below, "common.c:filter_cpuid_features");
	}
}

void evc_linux_set_bug(struct evc_linux_work *work, enum evc_linux_bug bug, struct evc_linux_tri when,
                       const char *where)
{
	struct evc_linux_view *view = work->view;
	struct evc_linux_truth now = evc_linux_view_bug(view, bug);
	struct evc_linux_tri result, before = { .truth = now.truth, .depends = now.depends };

	if (work->tree->bug_numbers[bug] == EVC_LINUX_NO_BUG)
		return;
	when = gated(work, when);
	result = evc_linux_joined(EVC_LINUX_REASON_OR, before, when);
	view->bugs &= ~(UINT64_C(1) << bug);
	view->bugs_unsure &= ~(UINT64_C(1) << bug);
	if (result.truth == EVC_PRESENT)
		view->bugs |= UINT64_C(1) << bug;
	else if (result.truth == EVC_UNSURE)
		view->bugs_unsure |= UINT64_C(1) << bug;
	view->bugs_depend[bug] = result.depends;
	step(work, EVC_LINUX_TARGET_BUG, (uint16_t)bug, EVC_LINUX_SET, when, where);
}

/* Word 5: leaf 0xc0000001, and units that were switched off are switched on. */
void evc_linux_copy_centaur_word(struct evc_linux_work *work, const char *where)
{
	static const enum evc_linux_flag units[][2] = {
		{ EVC_LINUX_F_XCRYPT, EVC_LINUX_F_XCRYPT_EN },
		{ EVC_LINUX_F_XSTORE, EVC_LINUX_F_XSTORE_EN },
	};
	const struct evc_linux_tree *tree = work->tree;

	for (unsigned flag = 0; flag < EVC_LINUX_N_FLAGS; flag++) {
		struct evc_bit bit = { .leaf = 0xc0000001, .reg = EVC_EDX };
		uint16_t place = tree->places[flag];

		if (place == EVC_LINUX_NOWHERE || place / 32 != 5)
			continue;
		bit.lo = bit.hi = place % 32;
		evc_linux_set(work, (enum evc_linux_flag)flag, evc_linux_bit(work, bit), where);
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		evc_linux_set(work, units[i][1], evc_linux_has(work, units[i][0]), where);
}
