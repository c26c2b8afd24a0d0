/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of what KVM offers, evaluated.
 *
 * Everything is computed on sets of possible answers (enum evc_may), two bits each: a bit of the CPU
 * that is not known is "either", and so is what follows from it unless something else decides.  A
 * kernel that may be one of several trees is computed once for each, and its answer is the union:
 * what the trees agree on is known, what changed between them is not.
 *
 * Per tree, in the order in which Linux does it: the CPU as it says, what Linux edits at boot (views),
 * KVM's rules, the highest leaf KVM answers.  QEMU then adds, hides, and drops what it has no property
 * for.
 */
#include "core/kvm_rules.h"

#include "core/qemu.h"

#include <string.h>

enum { STACK = 24, N_PLACES = EVC_N_FEATURES + EVC_KVM_FLAGS };

static uint8_t may_not(uint8_t a)
{
	return (uint8_t)((a & EVC_MAY_NO) << 1 | (a & EVC_MAY_YES) >> 1);
}

static uint8_t may_and(uint8_t a, uint8_t b)
{
	return (uint8_t)(((a | b) & EVC_MAY_NO) | (a & b & EVC_MAY_YES));
}

static uint8_t may_or(uint8_t a, uint8_t b)
{
	return (uint8_t)((a & b & EVC_MAY_NO) | ((a | b) & EVC_MAY_YES));
}

static uint8_t may_if(bool yes)
{
	return yes ? EVC_MAY_YES : EVC_MAY_NO;
}

static uint8_t may_raw(const struct evc_cpu *cpu, unsigned id)
{
	if (!evc_set_has(&cpu->known, (enum evc_feature_id)id))
		return EVC_MAY_EITHER;
	return may_if(evc_set_has(&cpu->has, (enum evc_feature_id)id));
}

/* One tree at work. */
struct run {
	const struct evc_kvm_machine *machine;
	uint16_t tree;                       /* its bit in masks of trees */
	const struct evc_kvm_answer *answer; /* KVM's, where QEMU's conditions are asked */
	uint8_t raw[EVC_N_FEATURES];
	uint8_t view[N_PLACES];
};

static uint8_t option(const struct run *run, unsigned id)
{
	const struct evc_kvm_option *option = &evc_kvm_options[id];

	if (run->machine->options[id])
		return run->machine->options[id];
	return may_if(option->usual != !!(option->except & run->tree));
}

static uint8_t compare(const struct run *run, const struct evc_kvm_op *op)
{
	const struct evc_cpu *raw = run->machine->raw;
	unsigned kind = op->op - EVC_OP_FAMILY_EQ;
	const uint32_t numbers[] = { raw->family, raw->model, raw->stepping, run->machine->microcode };
	uint32_t number, other = op->argument;

	if (kind / 6 >= sizeof(numbers) / sizeof(numbers[0]))
		return EVC_MAY_EITHER;
	number = numbers[kind / 6];
	if (kind / 6 < 3 && !raw->identified)
		return EVC_MAY_EITHER;
	switch (kind % 6) {
	case 0:
		return may_if(number == other);
	case 1:
		return may_if(number != other);
	case 2:
		return may_if(number >= other);
	case 3:
		return may_if(number <= other);
	case 4:
		return may_if(number > other);
	default:
		return may_if(number < other);
	}
}

static uint8_t operand(const struct run *run, const struct evc_kvm_op *op)
{
	unsigned vendor = run->machine->raw->vendor;
	uint8_t raw;

	switch (op->op) {
	case EVC_OP_TRUE:
		return EVC_MAY_YES;
	case EVC_OP_INTEL: /* kvm_intel drives VIA's and Zhaoxin's CPUs as well */
		return may_if(vendor == EVC_VENDOR_INTEL || vendor == EVC_VENDOR_ZHAOXIN);
	case EVC_OP_AMD:
		return may_if(vendor == EVC_VENDOR_AMD);
	case EVC_OP_ZHAOXIN:
		return may_if(vendor == EVC_VENDOR_ZHAOXIN);
	case EVC_OP_RAW:
		return run->raw[op->argument];
	case EVC_OP_CONTROL:
		raw = may_raw(run->machine->raw, op->argument);
		return raw == EVC_MAY_EITHER ? EVC_MAY_YES : raw;
	case EVC_OP_LINUX:
		return run->view[op->argument];
	case EVC_OP_ANSWER:
		return run->answer ? run->answer->may[op->argument] : EVC_MAY_EITHER;
	case EVC_OP_OPTION:
		return option(run, op->argument);
	case EVC_OP_UNKNOWN:
		return EVC_MAY_EITHER;
	default:
		return compare(run, op);
	}
}

/* The generator writes sound postfix; should it ever not, the answer is "unknown". */
static uint8_t holds(const struct run *run, unsigned condition)
{
	uint8_t stack[STACK] = { EVC_MAY_EITHER };
	unsigned n = 0;

	for (const struct evc_kvm_op *op = &evc_kvm_code[condition]; op->op != EVC_OP_END; op++) {
		uint8_t top = n ? stack[n - 1] : EVC_MAY_EITHER,
			below = n > 1 ? stack[n - 2] : EVC_MAY_EITHER;

		if (op->op == EVC_OP_NOT && n)
			stack[n - 1] = may_not(top);
		else if (op->op == EVC_OP_AND && n > 1)
			stack[--n - 1] = may_and(below, top);
		else if (op->op == EVC_OP_OR && n > 1)
			stack[--n - 1] = may_or(below, top);
		else if (n < STACK)
			stack[n++] = operand(run, op);
	}
	return stack[0];
}

/* An MSR that the CPU does not have reads as nothing. */
static void take_raw_msr(struct run *run, const struct evc_register *msr)
{
	const struct evc_cpu *cpu = run->machine->raw;
	uint8_t there = EVC_MAY_YES;

	if (msr->leaf == EVC_MSR_ARCH_CAPABILITIES)
		there = may_raw(cpu, EVC_F_ARCH_CAPABILITIES);
	else if (msr->leaf >= EVC_MSR_VMX_FIRST && msr->leaf <= EVC_MSR_VMX_LAST)
		there = may_raw(cpu, EVC_F_VMX);
	for (unsigned id = msr->first; id < (unsigned)msr->first + msr->n; id++)
		run->raw[id] = may_and(may_raw(cpu, id), there);
}

static void take_raw(struct run *run)
{
	const struct evc_cpu *cpu = run->machine->raw;

	/* Most of what is known is not there. */
	memset(run->raw, EVC_MAY_NO, sizeof(run->raw));
	for (unsigned i = 0; i < EVC_SET_WORDS; i++)
		for (uint64_t rest = cpu->has.word[i] | ~cpu->known.word[i]; rest; rest &= rest - 1) {
			unsigned id = i * 64 + (unsigned)__builtin_ctzll(rest);

			if (id < EVC_N_FEATURES)
				run->raw[id] = may_raw(cpu, id);
		}
	for (size_t i = evc_n_registers; i-- && evc_registers[i].reg == EVC_MSR;)
		take_raw_msr(run, &evc_registers[i]);
}

static void look_as_linux(struct run *run)
{
	memcpy(run->view, run->raw, sizeof(run->raw));
	memset(run->view + EVC_N_FEATURES, EVC_MAY_NO, EVC_KVM_FLAGS);
	for (size_t i = 0; i < evc_n_kvm_views; i++) {
		const struct evc_kvm_view *view = &evc_kvm_views[i];
		uint8_t *place = &run->view[view->place], condition;

		if (!(view->trees & run->tree))
			continue;
		condition = holds(run, view->condition);
		*place = view->clear ? may_and(*place, may_not(condition)) : may_or(*place, condition);
	}
}

static uint8_t offers(const struct run *run, const struct evc_kvm_rule *rule)
{
	uint8_t condition = holds(run, rule->condition);
	unsigned vendor = run->machine->raw->vendor;

	switch (rule->how) {
	case EVC_KVM_PASS:
		return may_and(condition, may_and(run->raw[rule->feature], run->view[rule->feature]));
	case EVC_KVM_RAW:
		return may_and(condition, run->raw[rule->feature]);
	case EVC_KVM_INTEL:
		return vendor == EVC_VENDOR_INTEL || vendor == EVC_VENDOR_ZHAOXIN ? condition : EVC_MAY_NO;
	case EVC_KVM_VMX:
		if (!run->machine->nested || vendor != EVC_VENDOR_INTEL)
			return EVC_MAY_NO;
		return may_and(condition, run->raw[EVC_F_VMX]);
	case EVC_KVM_AMD:
		return vendor == EVC_VENDOR_AMD ? condition : EVC_MAY_NO;
	case EVC_KVM_ALWAYS:
	case EVC_KVM_SYNTH:
	case EVC_KVM_CLEAR:
		break;
	}
	return condition;
}

/* The highest leaves that this tree answers; 0: not known. */
static void limit_leaves(const struct run *run, uint32_t *ret_basic, uint32_t *ret_extended)
{
	const struct evc_cpu *raw = run->machine->raw;
	uint64_t basic = raw->max_basic, extended = raw->max_extended;

	for (size_t i = 0; i < evc_n_kvm_raises; i++) {
		const struct evc_kvm_raise *raise = &evc_kvm_raises[i];

		if (raise->trees & run->tree && extended >= raise->from && extended < raise->leaf &&
		    holds(run, raise->condition) & EVC_MAY_YES)
			extended = raise->leaf;
	}
	for (size_t i = 0; i < evc_n_kvm_limits; i++) {
		const struct evc_kvm_limit *limit = &evc_kvm_limits[i];
		uint64_t *place = limit->feature == EVC_F_MAX_STD_LEAF   ? &basic
		                  : limit->feature == EVC_F_MAX_EXT_LEAF ? &extended
		                                                         : NULL;

		if (place && limit->trees & run->tree && *place > limit->most)
			*place = limit->most;
	}
	*ret_basic = (uint32_t)basic;
	*ret_extended = (uint32_t)extended;
}

static bool is_cut(const struct evc_register *place, uint32_t basic, uint32_t extended)
{
	if (place->reg == EVC_MSR)
		return false;
	if (place->leaf < 0x40000000)
		return basic && place->leaf > basic;
	return place->leaf >> 16 == 0x8000 && extended && place->leaf > extended;
}

static void limit_fields(const struct run *run, struct evc_kvm_answer *answer)
{
	for (size_t i = 0; i < evc_n_kvm_limits; i++) {
		const struct evc_kvm_limit *limit = &evc_kvm_limits[i];
		int slot = evc_features[limit->feature].slot;
		uint8_t condition;

		if (slot == EVC_NO_SLOT || !(limit->trees & run->tree))
			continue;
		condition = holds(run, limit->condition);
		if (condition & EVC_MAY_NO)
			answer->least[slot] = 0;
		if (condition == EVC_MAY_NO)
			answer->most[slot] = 0;
		else if (answer->most[slot] > limit->most)
			answer->most[slot] = limit->most;
		if (answer->least[slot] > limit->most)
			answer->least[slot] = limit->most;
	}
}

/* What one tree answers, added to what is possible. */
static void answer_of_tree(struct run *run, struct evc_kvm_answer *total)
{
	uint8_t may[EVC_N_FEATURES];
	struct evc_kvm_answer fields;
	uint32_t basic, extended;

	memset(may, EVC_MAY_NO, sizeof(may));
	memset(&fields.most, 0xff, sizeof(fields.most));
	memset(&fields.least, 0xff, sizeof(fields.least));
	look_as_linux(run);
	for (size_t i = 0; i < evc_n_kvm_rules; i++) {
		const struct evc_kvm_rule *rule = &evc_kvm_rules[i];
		uint8_t *place = &may[rule->feature], one;

		if (!(rule->trees & run->tree))
			continue;
		one = offers(run, rule);
		*place = rule->how == EVC_KVM_CLEAR ? may_and(*place, may_not(one)) : may_or(*place, one);
	}
	limit_leaves(run, &basic, &extended);
	limit_fields(run, &fields);
	for (size_t i = 0; i < evc_n_registers; i++)
		if (is_cut(&evc_registers[i], basic, extended))
			memset(may + evc_registers[i].first, EVC_MAY_NO, evc_registers[i].n);
	for (unsigned id = 0; id < EVC_N_FEATURES; id++)
		total->may[id] |= may[id];
	for (int slot = 0; slot < EVC_N_SLOTS; slot++) {
		if (total->most[slot] < fields.most[slot])
			total->most[slot] = fields.most[slot];
		if (total->least[slot] > fields.least[slot])
			total->least[slot] = fields.least[slot];
	}
	if (total->max_basic < basic)
		total->max_basic = basic;
	if (total->max_extended < extended)
		total->max_extended = extended;
}

void evc_kvm_predict(const struct evc_kvm_machine *machine, struct evc_kvm_answer *ret_answer)
{
	struct run run = { .machine = machine };

	memset(ret_answer, 0, sizeof(*ret_answer));
	memset(ret_answer->least, 0xff, sizeof(ret_answer->least));
	take_raw(&run);
	for (size_t i = 0; i < evc_n_kvm_trees; i++) {
		run.tree = (uint16_t)(1 << i);
		if (machine->kernels.trees & run.tree)
			answer_of_tree(&run, ret_answer);
	}
	/* A kernel before all that were read may lack anything that they have. */
	if (machine->kernels.older)
		for (unsigned id = 0; id < EVC_N_FEATURES; id++)
			ret_answer->may[id] |= EVC_MAY_NO;
}

/* Bits pass QEMU by name, for guests that can be migrated. */
static bool qemu_passes(enum evc_feature_id id, unsigned version, bool nested)
{
	const struct evc_feature *feature = &evc_features[id];

	if (feature->slot != EVC_NO_SLOT || (feature->rule != EVC_RULE_AND && feature->rule != EVC_RULE_OR))
		return true;
	if (evc_set_has(&evc_qemu_unmigratable, id))
		return false;
	return evc_set_has(&evc_qemu_automatic, id) || evc_set_has(&evc_qemu_supplied, id) ||
	       evc_qemu_names(id, version) || (nested && evc_qemu_passes_nested(id, version));
}

void evc_kvm_qemu_layer(const struct evc_kvm_machine *machine, struct evc_kvm_answer *answer)
{
	struct run run = { .machine = machine, .answer = answer };

	/* QEMU's own conditions ask the CPU, switches and what KVM answered; no tree. */
	take_raw(&run);
	for (size_t i = 0; i < evc_n_kvm_qemu_adds; i++) {
		const struct evc_kvm_qemu *row = &evc_kvm_qemu_adds[i];

		if (row->since <= machine->qemu)
			answer->may[row->feature] =
				may_or(answer->may[row->feature], holds(&run, row->condition));
	}
	for (size_t i = 0; i < evc_n_kvm_qemu_hides; i++) {
		const struct evc_kvm_qemu *row = &evc_kvm_qemu_hides[i];

		if (row->since <= machine->qemu)
			answer->may[row->feature] =
				may_and(answer->may[row->feature], may_not(holds(&run, row->condition)));
	}
	if (!machine->nested)
		answer->may[EVC_F_VMX] = answer->may[EVC_F_SVM] = EVC_MAY_NO;
	for (unsigned id = 0; id < EVC_N_FEATURES; id++)
		if (answer->may[id] != EVC_MAY_NO &&
		    !qemu_passes((enum evc_feature_id)id, machine->qemu, machine->nested))
			answer->may[id] = EVC_MAY_NO;
	for (size_t i = 0; i < evc_n_kvm_needs; i++) {
		enum evc_feature_id feature = evc_kvm_needs[i].feature;
		enum evc_may needed = answer->may[evc_kvm_needs[i].needs];

		answer->may[feature] = may_and(answer->may[feature], needed);
		if (needed == EVC_MAY_NO && evc_features[feature].slot != EVC_NO_SLOT)
			answer->most[evc_features[feature].slot] = 0;
	}
}

enum evc_may evc_kvm_leaf_passes(const struct evc_kvm_kernels *kernels, uint32_t leaf)
{
	uint16_t passes = 0;

	for (size_t i = 0; i < evc_n_kvm_leaves; i++)
		if (leaf >= evc_kvm_leaves[i].first && leaf <= evc_kvm_leaves[i].last)
			passes |= evc_kvm_leaves[i].trees;
	passes &= kernels->trees;
	if (!passes)
		return EVC_MAY_NO;
	return passes == kernels->trees ? EVC_MAY_YES : EVC_MAY_EITHER;
}
