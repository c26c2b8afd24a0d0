/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An offer's dump, register by register: bits of features as answered, fields of leaves that pass as the
 * host has them, all else zero, as KVM does with what it does not know.  What nobody knows is not known
 * in the dump, and so not in the cpu that is decoded from it.
 */
#include "core/offer_dump.h"

#include "core/vcpu.h"

enum {
	LEAF_KVM = 0x40000000,
	LEAF_KVM_FEATURES = 0x40000001,
	LEAF_CENTAUR = 0xc0000000, /* linux:arch/x86/kvm/cpuid.c shows its range on hosts that have it */
	LEAF_CENTAUR_LAST = 0xc0000004,
};

/* Bits that guests are levelled by. */
static bool is_levelled(const struct evc_feature *feature)
{
	return feature->slot == EVC_NO_SLOT && evc_feature_is_bit(feature) &&
	       (feature->rule == EVC_RULE_AND || feature->rule == EVC_RULE_OR);
}

/*
 * What is answered by rules: in a register with levelled bits every bit, since KVM shows those that it
 * knows only; of what follows from others the mirrors in AMD's leaf.  The rest is fields, which pass.
 */
static bool is_answered(const struct evc_feature *feature, bool levelled)
{
	if (!evc_feature_is_bit(feature) || feature->slot != EVC_NO_SLOT)
		return false;
	if (feature->rule == EVC_RULE_CALC)
		return feature->bit.leaf == 0x80000001;
	return levelled;
}

static void find_components(struct evc_offer_work *work)
{
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		const struct evc_bit *bit = &evc_features[id].bit;

		if (bit->leaf == 0xd && evc_feature_is_bit(&evc_features[id]) && bit->lo < 32 &&
		    ((bit->subleaf == 0 && bit->reg == EVC_EAX) ||
		     (bit->subleaf == 1 && bit->reg == EVC_ECX)) &&
		    work->answer.may[id] & EVC_MAY_YES)
			work->components |= UINT32_C(1) << bit->lo;
	}
}

/* What passes of a leaf of the host: fills its registers. */
static void put_base(struct evc_offer_work *work, struct evc_leaf *leaf)
{
	enum evc_may passes = evc_kvm_leaf_passes(&work->machine.kernels, leaf->leaf);
	bool component = leaf->leaf == 0xd && leaf->subleaf >= 2;
	struct evc_leaf fields, own;

	if (passes == EVC_MAY_NO ||
	    (component && (leaf->subleaf >= 32 || !(work->components >> leaf->subleaf & 1)))) {
		for (int reg = 0; reg < 4; reg++)
			leaf->known[reg] = UINT32_MAX;
		return;
	}
	evc_dump_reader_leaf(&work->from_fields, leaf->leaf, leaf->subleaf, &fields);
	own = fields;
	if (work->fields != &work->host->cpus[0])
		evc_dump_reader_leaf(&work->from_host, leaf->leaf, leaf->subleaf, &own);
	for (int reg = 0; reg < 4; reg++) {
		const struct evc_leaf *from =
			fields.known[reg] != UINT32_MAX || !fields.value[reg] ? &own : &fields;
		uint32_t known = from->known[reg];

		if (passes == EVC_MAY_EITHER)
			known &= ~from->value[reg];
		leaf->known[reg] = known;
		leaf->value[reg] = from->value[reg] & known;
	}
}

static void put_limited(const struct evc_offer_work *work, const struct evc_feature *feature, uint32_t *value,
                        uint32_t *known)
{
	uint64_t most = work->answer.most[feature->slot], least = work->answer.least[feature->slot], field;
	uint32_t mask = (uint32_t)evc_bit_mask(feature->bit);

	if (most == UINT64_MAX && least == UINT64_MAX)
		return;
	if (!most) {
		*value &= ~mask;
		*known |= mask;
		return;
	}
	if ((*known & mask) != mask)
		return;
	field = evc_bit_get(feature->bit, *value);
	*value &= ~mask;
	if (field > least && least != most)
		*known &= ~mask;
	else
		*value |= (uint32_t)((field < most ? field : most) << feature->bit.lo);
}

static void put_bit(const struct evc_offer_work *work, unsigned id, uint64_t *value, uint64_t *known)
{
	uint64_t mask = evc_bit_mask(evc_features[id].bit);

	*value &= ~mask;
	*known |= mask;
	if (work->answer.may[id] == EVC_MAY_YES)
		*value |= mask;
	else if (work->answer.may[id] == EVC_MAY_EITHER)
		*known &= ~mask;
}

/* Is there nothing to pass, and none of the features to show? */
static bool is_empty(const struct evc_offer_work *work, const struct evc_register *place,
                     const struct evc_leaf *leaf)
{
	if (leaf->value[place->reg] || leaf->known[place->reg] != UINT32_MAX)
		return false;
	for (unsigned id = place->first; id < (unsigned)place->first + place->n; id++)
		if (work->answer.may[id] != EVC_MAY_NO)
			return false;
	return true;
}

/* The features of one register of CPUID over what passes of it. */
static void put_register(const struct evc_offer_work *work, const struct evc_register *place,
                         struct evc_leaf *leaf)
{
	uint32_t base = leaf->value[place->reg], base_known = leaf->known[place->reg];
	unsigned id = place->first, end = id + place->n;
	uint64_t value, known;
	bool levelled = false;

	if (is_empty(work, place, leaf))
		return;
	for (unsigned i = id; i < end; i++)
		levelled |= is_levelled(&evc_features[i]);
	for (unsigned i = id; i < end; i++)
		if (evc_features[i].slot != EVC_NO_SLOT && evc_features[i].vendors & work->raw->vendor)
			put_limited(work, &evc_features[i], &base, &base_known);
	value = base;
	known = base_known;
	/* Bits of other vendors first: where two share a place the host's own counts. */
	for (int own = 0; own < 2; own++)
		for (unsigned i = id; i < end; i++)
			if (own == !!(evc_features[i].vendors & work->raw->vendor) &&
			    (own || evc_features[i].rule != EVC_RULE_CALC) &&
			    is_answered(&evc_features[i], levelled))
				put_bit(work, i, &value, &known);
	leaf->value[place->reg] = (uint32_t)(value & known);
	leaf->known[place->reg] = (uint32_t)known;
}

/* 0: the host is not of Centaur's line, or nobody knows. */
static uint32_t highest_of_centaur(const struct evc_offer_work *work)
{
	uint32_t highest = evc_dump_highest(&work->host->cpus[0], LEAF_CENTAUR);

	if (!(work->raw->vendor & EVC_VENDOR_ZHAOXIN))
		return 0;
	return highest < LEAF_CENTAUR_LAST ? highest : LEAF_CENTAUR_LAST;
}

static bool above(const struct evc_offer_work *work, uint32_t leaf)
{
	if (leaf < 0x40000000)
		return work->answer.max_basic && leaf > work->answer.max_basic;
	if (leaf >> 16 == 0x8000)
		return work->answer.max_extended && leaf > work->answer.max_extended;
	if (leaf >= LEAF_CENTAUR)
		return leaf > highest_of_centaur(work);
	return leaf >> 16 != 0x4000;
}

/* The first leaves of the ranges state the highest. */
static void put_highest(struct evc_offer_work *work, struct evc_leaf *leaf)
{
	if (leaf->leaf == 0 && work->answer.max_basic)
		leaf->value[EVC_EAX] = work->answer.max_basic;
	if (leaf->leaf == 0x80000000 && work->answer.max_extended)
		leaf->value[EVC_EAX] = work->answer.max_extended;
	if (leaf->leaf == LEAF_CENTAUR)
		leaf->value[EVC_EAX] = highest_of_centaur(work);
}

static void put_leaves(struct evc_offer_work *work)
{
	size_t i = 0;

	while (i < evc_n_registers && evc_registers[i].reg != EVC_MSR) {
		struct evc_leaf leaf = { .leaf = evc_registers[i].leaf, .subleaf = evc_registers[i].subleaf };

		put_base(work, &leaf);
		for (; i < evc_n_registers && evc_registers[i].reg != EVC_MSR &&
		       evc_registers[i].leaf == leaf.leaf && evc_registers[i].subleaf == leaf.subleaf;
		     i++)
			put_register(work, &evc_registers[i], &leaf);
		put_highest(work, &leaf);
		if (!above(work, leaf.leaf) && leaf.leaf != LEAF_KVM)
			evc_dump_set_bits(&work->builder, &leaf);
	}
	evc_dump_set_leaf(&work->builder, LEAF_KVM, 0,
	                  (const uint32_t[]){ LEAF_KVM_FEATURES, 0x4b4d564b, 0x564b4d56, 0x4d });
}

/* Leaves that pass and that no feature is in: further subleaves of caches, topology and so on. */
static void put_rest(struct evc_offer_work *work)
{
	const struct evc_dump *raw = &work->host->cpus[0];

	for (size_t i = 0; i < raw->n_leaves; i++) {
		const struct evc_leaf *from = &raw->leaves[i];
		struct evc_leaf leaf = { .leaf = from->leaf, .subleaf = from->subleaf };
		const struct evc_dump written = { .leaves = work->builder.leaves,
			                          .n_leaves = work->builder.n_leaves };

		if (above(work, from->leaf) ||
		    evc_kvm_leaf_passes(&work->machine.kernels, from->leaf) == EVC_MAY_NO)
			continue;
		if (evc_dump_find(&written, from->leaf, from->subleaf))
			continue;
		put_base(work, &leaf);
		evc_dump_set_bits(&work->builder, &leaf);
	}
}

static void put_msrs(struct evc_offer_work *work)
{
	unsigned id = 0;

	while (id < EVC_N_FEATURES && evc_features[id].bit.reg != EVC_MSR)
		id++;
	while (id < EVC_N_FEATURES) {
		uint32_t index = evc_features[id].bit.leaf;
		uint64_t value = 0, known = 0;

		for (; id < EVC_N_FEATURES && evc_features[id].bit.leaf == index; id++) {
			const struct evc_feature *feature = &evc_features[id];
			bool one;

			if (feature->rule == EVC_RULE_OWN)
				continue;
			if (evc_feature_is_bit(feature)) {
				put_bit(work, id, &value, &known);
				continue;
			}
			/* Fields: all of VMX, or the PMU's; without those the guest reads nothing. */
			if (!work->machine.nested || index < EVC_MSR_VMX_FIRST) {
				known |= evc_bit_mask(feature->bit);
				continue;
			}
			value |= evc_dump_get(work->fields, feature->bit, &one) << feature->bit.lo;
			/* What decoding did not believe is not offered either. */
			if (one && (work->host->kvm || evc_set_has(&work->raw->known, id)))
				known |= evc_bit_mask(feature->bit);
		}
		evc_dump_set_msr(&work->builder, index, value & known, known);
	}
}

/* Two registers of a leaf that say which states there are: are they shown as the host has them? */
static bool shows_states(struct evc_offer_work *work, const struct evc_dump *written, uint32_t subleaf,
                         enum evc_reg low)
{
	struct evc_leaf shown, own;

	evc_dump_reader_leaf(&(struct evc_dump_reader){ .dump = written }, 0xd, subleaf, &shown);
	evc_dump_reader_leaf(&work->from_host, 0xd, subleaf, &own);
	return shown.value[low] == own.value[low] && shown.value[EVC_EDX] == own.value[EVC_EDX];
}

/* States that are not shown, users' or supervisors', make XSAVE's area smaller, and KVM and QEMU say so. */
static void put_sizes(struct evc_offer_work *work)
{
	const struct evc_dump written = { .leaves = work->builder.leaves,
		                          .n_leaves = work->builder.n_leaves };
	struct evc_cpu cpu;

	if (shows_states(work, &written, 0, EVC_EAX) && shows_states(work, &written, 1, EVC_ECX))
		return;
	evc_cpu_decode(&written, &cpu);
	evc_xsave_leaves(&cpu, &work->host->cpus[0], &work->builder);
}

int evc_offer_write(struct evc_offer_work *work, struct evc_arena *arena, struct evc_dump *ret_dump,
                    struct evc_error *err)
{
	work->from_fields = (struct evc_dump_reader){ .dump = work->fields };
	work->from_host = (struct evc_dump_reader){ .dump = &work->host->cpus[0] };
	find_components(work);
	evc_dump_begin(&work->builder, arena);
	put_leaves(work);
	put_rest(work);
	put_sizes(work);
	put_msrs(work);
	return evc_dump_finish(&work->builder, ret_dump, err);
}
