/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words in which the kernel's rules are written: conditions of three truths, and what they do to flags
 * and bugs.  A condition that was assumed leaves its mark on what it decides; a zero of "and" and a one of
 * "or" that is sure decides alone, and leaves none.
 */
#include "core/linux-private.h"

#include <string.h>

struct evc_linux_tri evc_linux_yes(void)
{
	return (struct evc_linux_tri){ .truth = EVC_PRESENT };
}

struct evc_linux_tri evc_linux_no(void)
{
	return (struct evc_linux_tri){ .truth = EVC_ABSENT };
}

struct evc_linux_tri evc_linux_if(bool condition)
{
	return condition ? evc_linux_yes() : evc_linux_no();
}

struct evc_linux_tri evc_linux_unknown(uint32_t depends)
{
	return (struct evc_linux_tri){ .truth = EVC_UNSURE, .depends = depends };
}

struct evc_linux_tri evc_linux_told(struct evc_linux_work *work, struct evc_linux_tri tri,
                                    const struct evc_linux_node *node)
{
	struct evc_linux_node whole = *node;

	whole.truth = tri.truth;
	whole.depends = tri.depends;
	tri.node = evc_linux_trace_node(work->trace, &whole);
	return tri;
}

struct evc_linux_tri evc_linux_text(struct evc_linux_work *work, struct evc_linux_tri tri, const char *text)
{
	return evc_linux_leaf(work, tri,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_TEXT, .text = text });
}

/* A constant has no node yet; in a tree it needs one. */
uint16_t evc_linux_node_of(struct evc_linux_work *work, struct evc_linux_tri tri)
{
	if (tri.node || (tri.truth == EVC_PRESENT && !tri.depends))
		return tri.node;
	return evc_linux_text(work, tri, "constant").node;
}

struct evc_linux_tri evc_linux_joined(enum evc_linux_reason reason, struct evc_linux_tri a,
                                      struct evc_linux_tri b)
{
	/* What decides alone: a zero of "and", a one of "or". */
	enum evc_truth decides = reason == EVC_LINUX_REASON_AND ? EVC_ABSENT : EVC_PRESENT;
	struct evc_linux_tri result = { .truth = (uint8_t)evc_linux_combine(reason, (enum evc_truth)a.truth,
		                                                            (enum evc_truth)b.truth),
		                        .depends = a.depends | b.depends };

	if (a.truth == decides && (b.truth != decides || !a.depends))
		result.depends = a.depends;
	else if (b.truth == decides && (a.truth != decides || !b.depends))
		result.depends = b.depends;
	return result;
}

static struct evc_linux_tri joined(struct evc_linux_work *work, enum evc_linux_reason reason,
                                   struct evc_linux_tri a, struct evc_linux_tri b)
{
	struct evc_linux_tri result = evc_linux_joined(reason, a, b);

	if (work->trace)
		result.node = evc_linux_trace_node(
			work->trace, &(struct evc_linux_node){ .reason = reason,
		                                               .truth = result.truth,
		                                               .depends = result.depends,
		                                               .a = evc_linux_node_of(work, a),
		                                               .b = evc_linux_node_of(work, b) });
	return result;
}

struct evc_linux_tri evc_linux_and(struct evc_linux_work *work, struct evc_linux_tri a,
                                   struct evc_linux_tri b)
{
	return joined(work, EVC_LINUX_REASON_AND, a, b);
}

struct evc_linux_tri evc_linux_or(struct evc_linux_work *work, struct evc_linux_tri a, struct evc_linux_tri b)
{
	return joined(work, EVC_LINUX_REASON_OR, a, b);
}

struct evc_linux_tri evc_linux_not(struct evc_linux_work *work, struct evc_linux_tri a)
{
	struct evc_linux_tri result = a;

	result.truth = (uint8_t)evc_linux_combine(EVC_LINUX_REASON_NOT, (enum evc_truth)a.truth, EVC_ABSENT);
	if (work->trace)
		result.node = evc_linux_trace_node(
			work->trace, &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_NOT,
		                                               .truth = result.truth,
		                                               .depends = result.depends,
		                                               .a = evc_linux_node_of(work, a) });
	return result;
}

/* --- what conditions are made of ------------------------------------------------------------------ */

struct evc_linux_tri evc_linux_has(struct evc_linux_work *work, enum evc_linux_flag flag)
{
	uint16_t place = work->tree->places[flag];
	struct evc_linux_tri tri = evc_linux_no();

	if (place != EVC_LINUX_NOWHERE)
		tri = evc_linux_at(work, place);
	return evc_linux_leaf(
		work, tri, &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_FLAG, .id = (uint16_t)flag });
}

struct evc_linux_tri evc_linux_at(const struct evc_linux_work *work, uint16_t place)
{
	const struct evc_linux_view *view = work->view;
	uint32_t bit = UINT32_C(1) << place % 32;
	struct evc_linux_tri tri = { .depends = view->flags_depend[place] };

	tri.truth = view->flags_unsure[place / 32] & bit ? EVC_UNSURE
	            : view->flags[place / 32] & bit      ? EVC_PRESENT
	                                                 : EVC_ABSENT;
	return tri;
}

struct evc_linux_tri evc_linux_has_bug(struct evc_linux_work *work, enum evc_linux_bug bug)
{
	struct evc_linux_truth truth = evc_linux_view_bug(work->view, bug);
	struct evc_linux_tri tri = { .truth = truth.truth, .depends = truth.depends };

	return evc_linux_leaf(
		work, tri, &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_BUG, .id = (uint16_t)bug });
}

static uint32_t read_register(struct evc_linux_work *work, uint32_t leaf, uint32_t subleaf, enum evc_reg reg,
                              uint32_t *ret_known)
{
	struct evc_leaf whole;

	evc_dump_reader_leaf(&work->reader, leaf, subleaf, &whole);
	*ret_known = whole.known[reg];
	if (work->shape != EVC_LINUX_AS_DUMPED) {
		uint32_t value = evc_linux_shaped_register(
			work, work->question->cpu,
			&(struct evc_linux_place){ .leaf = leaf, .subleaf = subleaf, .reg = reg },
			whole.value[reg] & whole.known[reg]);

		*ret_known |= value ^ (whole.value[reg] & whole.known[reg]);
		return value;
	}
	return whole.value[reg] & whole.known[reg];
}

uint32_t evc_linux_register(struct evc_linux_work *work, uint32_t leaf, uint32_t subleaf, enum evc_reg reg,
                            uint32_t *ret_known)
{
	struct evc_bit bit = { .leaf = leaf, .subleaf = subleaf, .reg = reg, .hi = 31 };
	uint32_t value = read_register(work, leaf, subleaf, reg, ret_known);

	evc_linux_cause_bits(work, bit, value, *ret_known == UINT32_MAX);
	return value;
}

struct evc_linux_tri evc_linux_bit(struct evc_linux_work *work, struct evc_bit bit)
{
	uint64_t mask = evc_bit_mask(bit), known = 0, value = 0;
	struct evc_linux_tri tri = evc_linux_yes();

	if (bit.reg == EVC_MSR) {
		struct evc_linux_answer answer = evc_linux_msr(work, bit.leaf);

		value = answer.value;
		known = answer.known;
		tri.depends = answer.depends;
	} else {
		uint32_t known_bits;

		value = read_register(work, bit.leaf, bit.subleaf, bit.reg, &known_bits);
		known = known_bits;
	}
	value &= mask & known;
	if (!value)
		tri.truth = (known & mask) == mask ? EVC_ABSENT : EVC_UNSURE;
	evc_linux_cause_bits(work, bit, value, tri.truth != EVC_UNSURE);
	return evc_linux_leaf(work, tri,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_BIT,
	                                                .bit = bit,
	                                                .number = evc_bit_get(bit, value) });
}

struct evc_linux_tri evc_linux_feature(struct evc_linux_work *work, enum evc_feature_id feature)
{
	return evc_linux_bit(work, evc_features[feature].bit);
}

uint32_t evc_linux_field(struct evc_linux_work *work, enum evc_feature_id feature, bool *ret_known)
{
	struct evc_bit bit = evc_features[feature].bit;
	uint32_t known, value = read_register(work, bit.leaf, bit.subleaf, bit.reg, &known);
	uint64_t mask = evc_bit_mask(bit);

	*ret_known = (known & mask) == mask;
	evc_linux_cause_bits(work, bit, value, *ret_known);
	return (uint32_t)evc_bit_get(bit, value);
}

struct evc_linux_tri evc_linux_field_is(struct evc_linux_work *work, enum evc_feature_id feature,
                                        unsigned value, const char *text)
{
	bool known;
	uint32_t is = evc_linux_field(work, feature, &known);

	return evc_linux_leaf(
		work, known ? evc_linux_if(is == value) : evc_linux_unknown(0),
		&(struct evc_linux_node){
			.reason = EVC_LINUX_REASON_NUMBER, .number = is, .limit = value, .text = text });
}

struct evc_linux_tri evc_linux_level_from(struct evc_linux_work *work, uint32_t leaf)
{
	struct evc_linux_tri tri =
		work->level_known ? evc_linux_if(work->level >= leaf) : evc_linux_unknown(0);

	return evc_linux_leaf(work, tri,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_NUMBER,
	                                                .number = work->level,
	                                                .limit = leaf,
	                                                .text = "cpuid level at least" });
}

struct evc_linux_tri evc_linux_listed(struct evc_linux_work *work, enum evc_linux_list list)
{
	bool there = (work->unaffected | work->affected) >> list & 1;
	const struct evc_linux_row *row = work->unaffected >> list & 1 ? work->unaffected_row : NULL;
	struct evc_linux_tri tri =
		work->signature_known && work->vendor_known ? evc_linux_if(there) : evc_linux_unknown(0);

	if (work->affected >> list & 1)
		row = work->affected_row;
	return evc_linux_leaf(
		work, tri,
		&(struct evc_linux_node){ .reason = EVC_LINUX_REASON_ROW, .id = (uint16_t)list, .row = row });
}

static bool within(unsigned value, unsigned first, unsigned last)
{
	return value >= first && (last == UINT8_MAX || value <= last);
}

struct evc_linux_tri evc_linux_cpu(struct evc_linux_work *work, struct evc_linux_cpus cpus)
{
	bool vendor = cpus.vendor == EVC_LINUX_VENDOR_ANY || cpus.vendor == work->vendor;
	bool is = vendor && within(work->family, cpus.family, cpus.family_last) &&
	          within(work->model, cpus.model, cpus.model_last) &&
	          within(work->stepping, cpus.stepping, cpus.stepping_last);
	struct evc_linux_tri tri = evc_linux_if(is);

	if (!work->vendor_known || (vendor && !work->signature_known))
		tri = evc_linux_unknown(0);
	return evc_linux_leaf(work, tri,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_CPU, .cpus = cpus });
}

struct evc_linux_tri evc_linux_models(struct evc_linux_work *work, enum evc_linux_vendor vendor,
                                      unsigned family, unsigned first, unsigned last)
{
	return evc_linux_cpu(work, (struct evc_linux_cpus){ .vendor = vendor,
	                                                    .family = (uint8_t)family,
	                                                    .family_last = (uint8_t)family,
	                                                    .model = (uint8_t)first,
	                                                    .model_last = (uint8_t)last,
	                                                    .stepping_last = UINT8_MAX });
}

struct evc_linux_tri evc_linux_families(struct evc_linux_work *work, enum evc_linux_vendor vendor,
                                        unsigned first, unsigned last)
{
	return evc_linux_cpu(work, (struct evc_linux_cpus){ .vendor = vendor,
	                                                    .family = (uint8_t)first,
	                                                    .family_last = (uint8_t)last,
	                                                    .model_last = UINT8_MAX,
	                                                    .stepping_last = UINT8_MAX });
}

struct evc_linux_tri evc_linux_vendor_is(struct evc_linux_work *work, enum evc_linux_vendor vendor)
{
	return evc_linux_families(work, vendor, 0, UINT8_MAX);
}

struct evc_linux_tri evc_linux_platform_is(struct evc_linux_work *work, enum evc_linux_platform platform)
{
	struct evc_linux_tri tri = evc_linux_if(work->view->platform == platform);

	tri.depends = work->platform_depends;
	return evc_linux_leaf(
		work, tri,
		&(struct evc_linux_node){ .reason = EVC_LINUX_REASON_PLATFORM, .id = (uint16_t)platform });
}

struct evc_linux_tri evc_linux_switched(struct evc_linux_work *work, enum evc_linux_switch id, unsigned least)
{
	return evc_linux_leaf(work, evc_linux_if(work->tree->switches[id] >= least),
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_SWITCH,
	                                                .id = (uint16_t)id,
	                                                .number = work->tree->switches[id] });
}

struct evc_linux_tri evc_linux_option(struct evc_linux_work *work, const char *word, bool usual)
{
	struct evc_span rest = evc_span_from(work->env->cmdline), option;
	struct evc_linux_tri tri = evc_linux_no();

	while (evc_span_word(&rest, &option))
		if (evc_span_equals(option, word))
			tri = evc_linux_yes();
	if (usual && !work->env->has_cmdline)
		tri.depends = UINT32_C(1) << EVC_LINUX_BY_OPTIONS;
	return evc_linux_leaf(work, tri,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_OPTION, .text = word });
}
