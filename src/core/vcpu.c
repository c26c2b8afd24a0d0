/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a mode and a host's offer to what a guest sees.
 *
 * A mode is a whitelist.  So the vCPU is not the host with some bits cleared: it is empty, and gets what
 * the mode lists and the offer has.  A bit that nobody has named yet stays hidden like any other.
 *
 *   allowed = the mode's features, and what a mode never takes away (evc_modes.passes)
 *   vcpu    = offer and allowed, closed under needs
 *
 * Whole leaves that pass (brand, caches, topology, the hypervisor's) are copied bit by bit.  Signature and
 * highest leaves are the mode's, leaf 0xd is computed (core/xsave.c), all else that is "calc" follows
 * here.  What the offer does not know stays unknown, and is a doubt.
 *
 * With a cluster's level the guest gets no more than the level has, and address widths are the level's:
 * so that a guest started on the wider host fits the narrower one.
 */
#include "core/vcpu.h"

#include "core/qemu.h"

#include <string.h>

struct work {
	const struct evc_modes *modes;
	const struct evc_mode *mode;
	const struct evc_mode_version *version;
	const struct evc_offer *offer;
	const struct evc_cpu *level; /* NULL: none */
	struct evc_set denied;       /* what the level surely lacks */
	struct evc_set allowed;      /* what may be shown, of what the offer has */
	uint32_t max_basic, max_extended;
	struct evc_dump_builder builder;
	struct evc_findings *findings;
};

static void find(struct work *work, enum evc_finding_kind kind, enum evc_severity severity,
                 enum evc_cause cause, enum evc_feature_id id)
{
	if (work->findings)
		evc_findings_add(work->findings, (struct evc_finding){ .kind = kind,
		                                                       .severity = severity,
		                                                       .cause = cause,
		                                                       .feature = id,
		                                                       .subject = "the host",
		                                                       .other = work->mode->key });
}

/* What the mode wants and the offer lacks or does not know. */
static void find_lacks(struct work *work)
{
	EVC_SET_FOREACH(id, &work->version->features)
	{
		switch (evc_cpu_truth(&work->offer->cpu, id)) {
		case EVC_PRESENT:
			break;
		case EVC_ABSENT:
			find(work, EVC_FINDING_LACKS, EVC_BLOCKS, EVC_CAUSE_NONE, id);
			break;
		case EVC_UNSURE:
			find(work, EVC_FINDING_UNSURE, EVC_DOUBT, EVC_CAUSE_DUMP, id);
			break;
		}
	}
}

enum {
	HYPERVISOR_RANGE = 0x40000000,
	EXTENDED_RANGE = 0x80000000,
	TRANSMETA_RANGE = 0x80860000, /* this one and those above have no place in a mode */
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void choose_highest(struct work *work)
{
	const struct evc_cpu *cpu = &work->offer->cpu;

	if (!cpu->max_basic)
		find(work, EVC_FINDING_UNSURE, EVC_DOUBT, EVC_CAUSE_DUMP, EVC_F_MAX_STD_LEAF);
	work->max_basic = cpu->max_basic;
	work->max_extended = cpu->max_extended;
	if (work->level && work->level->max_basic)
		work->max_basic = smaller(work->max_basic, work->level->max_basic);
	if (work->level && work->level->max_extended)
		work->max_extended = smaller(work->max_extended, work->level->max_extended);
	if (work->mode->max_basic.value)
		work->max_basic = smaller(work->max_basic, work->mode->max_basic.value);
	if (work->mode->max_extended.value)
		work->max_extended = smaller(work->max_extended, work->mode->max_extended.value);
}

/* Above the vCPU's highest leaf of its range there is nothing. */
static bool is_beyond(const struct work *work, uint32_t leaf)
{
	if (leaf < HYPERVISOR_RANGE)
		return leaf > work->max_basic;
	if (leaf < EXTENDED_RANGE)
		return false;
	return leaf > work->max_extended || leaf >= TRANSMETA_RANGE;
}

/* Features whose leaves the vCPU does not have: whatever is allowed, they cannot be shown. */
static struct evc_set out_of_reach(const struct work *work)
{
	struct evc_set beyond = { 0 };

	EVC_SET_FOREACH(id, &evc_rule_sets[EVC_RULE_AND])
	{
		struct evc_bit bit = evc_features[id].bit;
		uint32_t highest = bit.leaf < EXTENDED_RANGE ? work->max_basic : work->max_extended;

		/* An end that is not known hides nothing. */
		if (bit.reg != EVC_MSR && highest && is_beyond(work, bit.leaf))
			evc_set_add(&beyond, id);
	}
	return beyond;
}

/* What the level surely lacks may not be shown, listed or not, warnings it had to clear included; nor may
 * what lost its needs, be it to the highest leaf: a register of promises that no leaf announces is not read.
 */
static void choose_allowed(struct work *work)
{
	struct evc_cpu cpu = work->offer->cpu;
	struct evc_set hidden, beyond, dropped;

	work->allowed = evc_set_or(&work->version->features, &work->modes->passes);
	if (work->level) {
		struct evc_set levelled =
			evc_set_or(&evc_rule_sets[EVC_RULE_AND], &evc_rule_sets[EVC_RULE_OR]);

		work->denied = evc_set_and(&work->level->known, &levelled);
		work->denied = evc_set_minus(&work->denied, &work->level->has);
		work->allowed = evc_set_minus(&work->allowed, &work->denied);
	}
	hidden = evc_set_minus(&evc_rule_sets[EVC_RULE_AND], &work->allowed);
	beyond = out_of_reach(work);
	beyond = evc_set_or(&beyond, &hidden);
	cpu.known = evc_set_or(&cpu.known, &beyond);
	cpu.has = evc_set_minus(&cpu.has, &beyond);
	evc_cpu_close(&cpu, &dropped);
	work->allowed = evc_set_minus(&work->allowed, &dropped);
	EVC_SET_FOREACH(id, &dropped)
	find(work, EVC_FINDING_DROPPED, EVC_WARNING, EVC_CAUSE_NONE, id);
	hidden = evc_set_and(&hidden, &work->offer->cpu.has);
	EVC_SET_FOREACH(id, &hidden)
	find(work, EVC_FINDING_EXTRA, EVC_NOTE, EVC_CAUSE_NONE, id);
}

/* The level's values of levelled fields (address widths, counters) in place of the host's. */
static void take_level(const struct work *work, struct evc_leaf *leaf)
{
	for (int slot = 0; work->level && slot < EVC_N_SLOTS; slot++) {
		enum evc_feature_id id = evc_slots[slot];
		struct evc_bit bit = evc_features[id].bit;
		uint32_t mask = (uint32_t)evc_bit_mask(bit);
		uint64_t value;

		if (bit.leaf != leaf->leaf || bit.subleaf != leaf->subleaf || bit.reg == EVC_MSR ||
		    !(evc_features[id].vendors & work->offer->cpu.vendor) ||
		    !evc_set_has(&work->modes->passes, id))
			continue;
		leaf->value[bit.reg] &= ~mask;
		leaf->known[bit.reg] &= ~mask;
		if (!evc_cpu_value(work->level, id, &value))
			continue;
		leaf->value[bit.reg] |= (uint32_t)(value << bit.lo);
		leaf->known[bit.reg] |= mask;
	}
}

/* Without five-level paging there are 48 bits of linear addresses, however many the host has. */
static void limit_linear_width(const struct work *work, struct evc_leaf *leaf)
{
	enum { FOUR_LEVELS = 48 };
	struct evc_bit bit = evc_features[EVC_F_VIRT_ADDR_BITS].bit;
	uint32_t *value = &leaf->value[bit.reg];

	if (bit.leaf != leaf->leaf || bit.subleaf != leaf->subleaf ||
	    evc_set_has(&work->allowed, EVC_F_LA57) || evc_bit_get(bit, *value) <= FOUR_LEVELS)
		return;
	*value = (*value & ~(uint32_t)evc_bit_mask(bit)) | (uint32_t)FOUR_LEVELS << bit.lo;
}

/* The bits of these features in a register of the leaf. */
static uint32_t bits_of(const struct work *work, const struct evc_set *set, const struct evc_leaf *leaf,
                        enum evc_reg reg)
{
	return (uint32_t)evc_set_bits(set, work->offer->cpu.vendor, leaf->leaf, leaf->subleaf, reg);
}

/* A leaf with what is allowed of it; hidden bits are known to be zero. */
static void put_filtered(struct work *work, const struct evc_leaf *leaf)
{
	struct evc_leaf shown = { .leaf = leaf->leaf, .subleaf = leaf->subleaf };

	for (int reg = EVC_EAX; reg <= EVC_EDX; reg++) {
		uint32_t kept = bits_of(work, &work->allowed, leaf, (enum evc_reg)reg);

		shown.value[reg] = leaf->value[reg] & kept;
		shown.known[reg] = leaf->known[reg] | ~kept;
	}
	take_level(work, &shown);
	limit_linear_width(work, &shown);
	evc_dump_set_bits(&work->builder, &shown);
}

/* Of what KVM offers its guests beyond a CPU, QEMU switches on a part; the rest only who asks for it has. */
static void limit_hypervisor(const struct work *work, struct evc_leaf *leaf)
{
	struct evc_bit bit = evc_features[EVC_F_KVMCLOCK].bit;
	uint32_t kept = bits_of(work, &evc_qemu_supplied, leaf, bit.reg);

	if (leaf->leaf != bit.leaf || strcmp(work->offer->cpu.hypervisor, "KVMKVMKVM") != 0)
		return;
	leaf->value[bit.reg] &= kept;
	leaf->known[bit.reg] |= ~kept;
}

/* A leaf that passes a mode, bits without a name included, is still held to the level. */
static void put_passing(struct work *work, const struct evc_leaf *leaf)
{
	struct evc_leaf shown = *leaf;

	limit_hypervisor(work, &shown);
	for (int reg = EVC_EAX; work->level && reg <= EVC_EDX; reg++) {
		uint32_t denied = bits_of(work, &work->denied, leaf, (enum evc_reg)reg);

		shown.value[reg] &= ~denied;
		shown.known[reg] |= denied;
	}
	take_level(work, &shown);
	evc_dump_set_bits(&work->builder, &shown);
}

static void put_register(struct work *work, uint32_t leaf, enum evc_reg reg, uint32_t value)
{
	struct evc_leaf part = { .leaf = leaf };

	part.value[reg] = value;
	part.known[reg] = UINT32_MAX;
	evc_dump_set_bits(&work->builder, &part);
}

/* The signature of leaf 1; AMD repeats it in leaf 0x80000001, where Intel has nothing. */
static void put_signature(struct work *work)
{
	const struct evc_cpu *cpu = &work->offer->cpu;
	uint32_t eax = cpu->signature;

	if (!work->mode->keeps_signature)
		eax = evc_signature_pack(work->mode->family.value, work->mode->model.value,
		                         work->mode->stepping.value);
	else if (!cpu->identified)
		return;
	put_register(work, 1, EVC_EAX, eax);
	if (cpu->vendor == EVC_VENDOR_AMD)
		put_register(work, 0x80000001, EVC_EAX, eax);
}

/* The number of the highest subleaf that says something, of leaves that state it. */
static void put_last_subleaf(struct work *work, uint32_t leaf)
{
	uint32_t last = 0;

	for (size_t i = 0; i < work->builder.n_leaves; i++) {
		const struct evc_leaf *part = &work->builder.leaves[i];

		if (part->leaf == leaf && (part->value[EVC_EAX] | part->value[EVC_EBX] |
		                           part->value[EVC_ECX] | part->value[EVC_EDX]))
			last = part->subleaf;
	}
	if (evc_dump_find(&work->offer->dump, leaf, 0) && leaf <= work->max_basic)
		put_register(work, leaf, EVC_EAX, last);
}

/*
 * AMD mirrors bits of leaf 1 EDX in leaf 0x80000001: those that the offer mirrors, as the vCPU has them. QEMU
 * does so for AuthenticAMD and not for HygonGenuine (qemu:target/i386/cpu.h:IS_AMD_CPU).
 */
static void put_mirrors(struct work *work)
{
	uint64_t known, mirrored = evc_set_bits(&evc_rule_sets[EVC_RULE_CALC], EVC_VENDOR_AMD, 0x80000001, 0,
	                                        EVC_EDX);
	uint64_t offered = evc_dump_register(&work->offer->dump, 0x80000001, 0, EVC_EDX, &known);
	struct evc_leaf part = { .leaf = 0x80000001 };

	if (work->offer->cpu.vendor != EVC_VENDOR_AMD || work->max_extended < part.leaf)
		return;
	if (work->offer->basis != EVC_OFFER_GIVEN && strcmp(work->offer->cpu.vendor_id, "AuthenticAMD") != 0)
		offered = 0;
	for (size_t i = 0; i < work->builder.n_leaves; i++)
		if (work->builder.leaves[i].leaf == 1)
			part.value[EVC_EDX] =
				(uint32_t)(work->builder.leaves[i].value[EVC_EDX] & mirrored & offered);
	part.known[EVC_EDX] = (uint32_t)(mirrored & known);
	evc_dump_set_bits(&work->builder, &part);
}

static bool is_shown(const struct work *work, enum evc_feature_id id)
{
	return evc_set_has(&work->allowed, id) && evc_cpu_truth(&work->offer->cpu, id) != EVC_ABSENT;
}

/*
 * Leaves that are empty without what they describe.  A guest that QEMU starts at a mode has pmu=off: counters
 * differ between generations and cannot be levelled.  One that was given them already (a dump taken inside a
 * guest) keeps them.
 */
static bool is_switched_off(const struct work *work, uint32_t leaf)
{
	if (leaf == evc_features[EVC_F_PMU_VERSION].bit.leaf)
		return work->offer->basis != EVC_OFFER_GIVEN;
	if (leaf == evc_features[EVC_F_AMX_MAX_PALETTE].bit.leaf ||
	    leaf == evc_features[EVC_F_TMUL_MAXK].bit.leaf)
		return !is_shown(work, EVC_F_AMX_TILE);
	return false;
}

static void put_leaves(struct work *work)
{
	const struct evc_dump *dump = &work->offer->dump;

	for (size_t i = 0; i < dump->n_leaves; i++) {
		const struct evc_leaf *leaf = &dump->leaves[i];

		if (evc_dump_is_junk(dump, leaf) || is_beyond(work, leaf->leaf) || leaf->leaf == 0xd)
			continue;
		if (is_switched_off(work, leaf->leaf))
			evc_dump_set_leaf(&work->builder, leaf->leaf, leaf->subleaf, (uint32_t[4]){ 0 });
		else if (evc_modes_leaf_passes(work->modes, leaf->leaf))
			put_passing(work, leaf);
		else
			put_filtered(work, leaf);
	}
	put_register(work, 0, EVC_EAX, work->max_basic);
	if (work->max_extended)
		put_register(work, 0x80000000, EVC_EAX, work->max_extended);
	put_signature(work);
	put_mirrors(work);
	put_last_subleaf(work, 7);
}

static void put_xsave(struct work *work)
{
	struct evc_cpu cpu = work->offer->cpu;

	if (work->max_basic < 0xd)
		return;
	/* What is hidden is known not to be there. */
	for (int w = 0; w < EVC_SET_WORDS; w++)
		cpu.known.word[w] |= ~work->allowed.word[w];
	cpu.has = evc_set_and(&cpu.has, &work->allowed);
	evc_xsave_leaves(&cpu, &work->offer->dump, &work->builder);
}

static void put_msrs(struct work *work)
{
	const struct evc_dump *dump = &work->offer->dump;

	for (size_t i = 0; i < dump->n_msrs; i++) {
		const struct evc_msr *msr = &dump->msrs[i];
		uint64_t kept = evc_set_bits(&work->allowed, work->offer->cpu.vendor, msr->index, 0, EVC_MSR);

		evc_dump_set_msr(&work->builder, msr->index, msr->value & kept, msr->known | ~kept);
	}
}

int evc_vcpu_make(const struct evc_modes *modes, const struct evc_mode *mode, unsigned version,
                  const struct evc_offer *offer, const struct evc_cpu *level, struct evc_arena *arena,
                  struct evc_dump *ret_dump, struct evc_findings *findings, struct evc_error *err)
{
	struct work work = {
		.modes = modes, .mode = mode, .offer = offer, .level = level, .findings = findings
	};
	int status;

	if (!version)
		version = evc_mode_best_version(mode, &offer->cpu);
	work.version = evc_mode_version(mode, version);
	if (!(offer->cpu.vendor & mode->vendors))
		find(&work, EVC_FINDING_VENDOR, EVC_BLOCKS, EVC_CAUSE_VENDOR, EVC_N_FEATURES);
	find_lacks(&work);
	choose_highest(&work);
	choose_allowed(&work);
	evc_dump_begin(&work.builder, arena);
	put_leaves(&work);
	put_xsave(&work);
	put_msrs(&work);
	status = evc_dump_finish(&work.builder, ret_dump, err);
	if (status == EVC_OK)
		ret_dump->n_alike = offer->dump.n_alike;
	return status;
}
