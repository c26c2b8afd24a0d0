/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/dump.h"

#include "core/cpu.h"
#include "core/subleaf.h"

#include <stdlib.h>
#include <string.h>

static int compare_leaves(const void *a, const void *b)
{
	const struct evc_leaf *x = a, *y = b;

	if (x->leaf != y->leaf)
		return x->leaf < y->leaf ? -1 : 1;
	if (x->subleaf != y->subleaf)
		return x->subleaf < y->subleaf ? -1 : 1;
	return 0;
}

static int compare_msrs(const void *a, const void *b)
{
	const struct evc_msr *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return 0;
}

/* Leaf and subleaf as one number: their order is its order. */
static uint64_t place_of(const struct evc_leaf *leaf)
{
	return (uint64_t)leaf->leaf << 32 | leaf->subleaf;
}

/* Where the place is or would be.  By hand: everything asks here, and bsearch would call back for each step.
 */
static size_t position(const struct evc_dump *dump, uint64_t place)
{
	size_t low = 0, high = dump->n_leaves;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (place_of(&dump->leaves[middle]) < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct evc_leaf *leaf_at(const struct evc_dump *dump, size_t at, uint64_t place)
{
	return at < dump->n_leaves && place_of(&dump->leaves[at]) == place ? &dump->leaves[at] : NULL;
}

const struct evc_leaf *evc_dump_find(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf)
{
	uint64_t place = (uint64_t)leaf << 32 | subleaf;

	return leaf_at(dump, position(dump, place), place);
}

static uint32_t range_of(uint32_t leaf)
{
	/* The hypervisor's range may start again every 0x100 leaves: KVM under Hyper-V's. */
	if ((leaf & 0xffff0000) == 0x40000000)
		return leaf & 0xffffff00;
	return leaf & 0xffff0000;
}

/* The CPU is known not to run under a hypervisor that shows itself. */
static bool has_no_hypervisor(const struct evc_dump *dump)
{
	const struct evc_leaf *leaf = evc_dump_find(dump, 0x1, 0);
	const uint32_t hypervisor = UINT32_C(1) << 31;

	return leaf && leaf->known[EVC_ECX] & hypervisor && !(leaf->value[EVC_ECX] & hypervisor);
}

/* The CPU is of a vendor whose CPUs have no leaves from 0xc0000000 on: these are VIA's and Zhaoxin's. */
static bool has_no_centaur(const struct evc_dump *dump)
{
	const struct evc_leaf *leaf = evc_dump_find(dump, 0, 0);
	char id[13] = "";

	if (!leaf)
		return false;
	memcpy(id, &leaf->value[EVC_EBX], 4);
	memcpy(id + 4, &leaf->value[EVC_EDX], 4);
	memcpy(id + 8, &leaf->value[EVC_ECX], 4);
	return (evc_vendor_from_id(id) & (EVC_VENDOR_INTEL | EVC_VENDOR_AMD)) != 0;
}

/* Highest leaf as the first leaf of the range states it; *ret_known false when it is not stored. */
static uint32_t stated_highest(const struct evc_dump *dump, uint32_t leaf, bool *ret_known)
{
	uint32_t base = range_of(leaf);
	const struct evc_leaf *first = evc_dump_find(dump, base, 0);

	*ret_known = first && first->known[EVC_EAX] == UINT32_MAX;
	if (!*ret_known) {
		/* The hypervisor's range is there when a hypervisor says so, Centaur's on its own CPUs. */
		*ret_known = !first && ((base >> 16 == 0x4000 && has_no_hypervisor(dump)) ||
		                        (base == 0xc0000000 && has_no_centaur(dump)));
		return 0;
	}
	/* A CPU without the range answers with whatever it has there: no number in the range. */
	if (range_of(first->value[EVC_EAX]) != base)
		return 0;
	return first->value[EVC_EAX];
}

uint32_t evc_dump_highest(const struct evc_dump *dump, uint32_t leaf)
{
	bool known;

	return stated_highest(dump, leaf, &known);
}

bool evc_dump_is_junk(const struct evc_dump *dump, const struct evc_leaf *leaf)
{
	bool known;
	uint32_t highest = stated_highest(dump, leaf->leaf, &known);

	return known && leaf->leaf > highest;
}

static uint64_t msr_register(const struct evc_dump *dump, uint32_t index, uint64_t *ret_known)
{
	struct evc_msr key = { .index = index };
	const struct evc_msr *msr = NULL;

	if (dump->n_msrs)
		msr = bsearch(&key, dump->msrs, dump->n_msrs, sizeof(key), compare_msrs);
	*ret_known = msr ? msr->known : 0;
	return msr ? msr->value & msr->known : 0;
}

/* Who asks in order finds the next leaf a few steps further. */
static const struct evc_leaf *next_leaf(struct evc_dump_reader *reader, uint64_t place)
{
	const struct evc_dump *dump = reader->dump;

	if (reader->at && place_of(&dump->leaves[reader->at - 1]) >= place)
		reader->at = position(dump, place);
	while (reader->at < dump->n_leaves && place_of(&dump->leaves[reader->at]) < place)
		reader->at++;
	return leaf_at(dump, reader->at, place);
}

void evc_dump_reader_leaf(struct evc_dump_reader *reader, uint32_t leaf, uint32_t subleaf,
                          struct evc_leaf *ret_leaf)
{
	const struct evc_dump *dump = reader->dump;
	const struct evc_leaf *found = NULL;
	uint32_t known = UINT32_MAX;

	if (!reader->in_range || reader->range != range_of(leaf)) {
		reader->in_range = true;
		reader->range = range_of(leaf);
		reader->highest = stated_highest(dump, leaf, &reader->highest_known);
	}
	if (!reader->highest_known || leaf <= reader->highest) {
		found = next_leaf(reader, (uint64_t)leaf << 32 | subleaf);
		if (!reader->highest_known ||
		    (!dump->skips_zero && !found && evc_dump_announces(dump, leaf, subleaf)))
			known = 0;
	}
	if (found)
		*ret_leaf = *found;
	else
		*ret_leaf = (struct evc_leaf){ .leaf = leaf,
			                       .subleaf = subleaf,
			                       .known = { known, known, known, known } };
}

void evc_dump_leaf(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf, struct evc_leaf *ret_leaf)
{
	struct evc_dump_reader reader = { .dump = dump };

	evc_dump_reader_leaf(&reader, leaf, subleaf, ret_leaf);
}

uint64_t evc_dump_register(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf, enum evc_reg reg,
                           uint64_t *ret_known)
{
	struct evc_leaf whole;

	if (reg == EVC_MSR)
		return msr_register(dump, leaf, ret_known);
	evc_dump_leaf(dump, leaf, subleaf, &whole);
	*ret_known = whole.known[reg];
	return whole.value[reg];
}

uint64_t evc_dump_get(const struct evc_dump *dump, struct evc_bit bit, bool *ret_known)
{
	uint64_t known, value = evc_dump_register(dump, bit.leaf, bit.subleaf, bit.reg, &known);
	uint64_t mask = evc_bit_mask(bit);

	if (ret_known)
		*ret_known = (known & mask) == mask;
	return evc_bit_get(bit, value);
}

void evc_dump_begin(struct evc_dump_builder *builder, struct evc_arena *arena)
{
	*builder = (struct evc_dump_builder){ .arena = arena };
}

/* Where the key is, or would be inserted. */
static size_t leaf_position(const struct evc_dump_builder *builder, const struct evc_leaf *key)
{
	size_t low = 0, high = builder->n_leaves;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_leaves(&builder->leaves[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The builder's leaf, made with nothing known if it is not there yet. */
static struct evc_leaf *builder_leaf(struct evc_dump_builder *builder, uint32_t leaf, uint32_t subleaf)
{
	struct evc_leaf key = { .leaf = leaf, .subleaf = subleaf };
	size_t at = leaf_position(builder, &key);
	struct evc_leaf *leaves;

	if (at < builder->n_leaves && !compare_leaves(&builder->leaves[at], &key))
		return &builder->leaves[at];
	if (builder->n_leaves >= EVC_MAX_LEAVES) {
		builder->overflow = true;
		return NULL;
	}
	leaves = evc_arena_room(builder->arena, builder->leaves, builder->n_leaves, &builder->size_leaves, 64,
	                        sizeof(key));
	if (!leaves)
		return NULL;
	memmove(&leaves[at + 1], &leaves[at], (builder->n_leaves - at) * sizeof(key));
	leaves[at] = key;
	builder->leaves = leaves;
	builder->n_leaves++;
	return &leaves[at];
}

void evc_dump_set_leaf(struct evc_dump_builder *builder, uint32_t leaf, uint32_t subleaf,
                       const uint32_t value[static 4])
{
	struct evc_leaf *place = builder_leaf(builder, leaf, subleaf);

	if (!place)
		return;
	for (int reg = 0; reg < 4; reg++) {
		place->value[reg] = value[reg];
		place->known[reg] = UINT32_MAX;
	}
}

void evc_dump_set_bits(struct evc_dump_builder *builder, const struct evc_leaf *leaf)
{
	struct evc_leaf *place = builder_leaf(builder, leaf->leaf, leaf->subleaf);

	if (!place)
		return;
	for (int reg = 0; reg < 4; reg++) {
		uint32_t known = leaf->known[reg];

		place->value[reg] = (place->value[reg] & ~known) | (leaf->value[reg] & known);
		place->known[reg] |= known;
	}
}

void evc_dump_set_msr(struct evc_dump_builder *builder, uint32_t index, uint64_t value, uint64_t known)
{
	struct evc_msr msr = { .index = index, .value = value & known, .known = known };
	struct evc_msr *msrs;
	size_t at = builder->n_msrs;

	while (at && builder->msrs[at - 1].index > index)
		at--;
	if (at && builder->msrs[at - 1].index == index) {
		builder->msrs[at - 1] = msr;
		return;
	}
	if (builder->n_msrs >= EVC_MAX_MSRS) {
		builder->overflow = true;
		return;
	}
	msrs = evc_arena_room(builder->arena, builder->msrs, builder->n_msrs, &builder->size_msrs, 16,
	                      sizeof(msr));
	if (!msrs)
		return;
	builder->msrs = msrs;
	memmove(&msrs[at + 1], &msrs[at], (builder->n_msrs - at) * sizeof(msr));
	msrs[at] = msr;
	builder->n_msrs++;
}

void evc_dump_copy(struct evc_dump_builder *builder, const struct evc_dump *dump)
{
	for (size_t i = 0; i < dump->n_leaves; i++)
		evc_dump_set_bits(builder, &dump->leaves[i]);
	for (size_t i = 0; i < dump->n_msrs; i++)
		evc_dump_set_msr(builder, dump->msrs[i].index, dump->msrs[i].value, dump->msrs[i].known);
}

int evc_dump_finish(struct evc_dump_builder *builder, struct evc_dump *ret_dump, struct evc_error *err)
{
	if (builder->overflow)
		return evc_fail(err, EVC_ERR_LIMIT, "more than %d leaves or %d MSRs on one CPU",
		                EVC_MAX_LEAVES, EVC_MAX_MSRS);
	if (evc_arena_failed(builder->arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_dump = (struct evc_dump){
		.leaves = builder->leaves,
		.n_leaves = builder->n_leaves,
		.msrs = builder->msrs,
		.n_msrs = builder->n_msrs,
		.n_alike = 1,
	};
	return EVC_OK;
}
