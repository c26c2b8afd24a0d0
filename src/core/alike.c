/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The numbers of a logical CPU, by place.  A list and not the rule "own" of the features, since
 * that rule also holds the brand string, caches and power management: hybrid CPUs differ in those,
 * and that difference must not be lost.
 */
#include "core/alike.h"

struct own {
	uint32_t leaf;
	enum evc_reg reg;
	uint32_t bits;
};

static const struct own own_bits[] = {
	{ .leaf = 0x1, .reg = EVC_EBX, .bits = 0xff000000 },        /* initial APIC id */
	{ .leaf = 0xb, .reg = EVC_EDX, .bits = UINT32_MAX },        /* x2APIC id, in each subleaf */
	{ .leaf = 0x1f, .reg = EVC_EDX, .bits = UINT32_MAX },       /* the same */
	{ .leaf = 0x8000001e, .reg = EVC_EAX, .bits = UINT32_MAX }, /* extended APIC id */
	{ .leaf = 0x8000001e, .reg = EVC_EBX, .bits = 0x000000ff }, /* core id */
	{ .leaf = 0x8000001e, .reg = EVC_ECX, .bits = 0x000000ff }, /* node id */
	{ .leaf = 0x80000026, .reg = EVC_EDX, .bits = UINT32_MAX }, /* extended APIC id */
};

uint32_t evc_leaf_own_bits(uint32_t leaf, enum evc_reg reg)
{
	for (size_t i = 0; i < sizeof(own_bits) / sizeof(own_bits[0]); i++)
		if (own_bits[i].leaf == leaf && own_bits[i].reg == reg)
			return own_bits[i].bits;
	return 0;
}

/*
 * The first leaf of a range that is not there.  Intel's CPUs answer it with their highest basic leaf,
 * which may be the one with the APIC id; nobody believes what it says.
 */
static bool has_no_range(const struct evc_leaf *leaf)
{
	enum { FIRST_RANGE = 0x20000000 };

	return leaf->leaf >= FIRST_RANGE && !(leaf->leaf & 0xff) && leaf->value[EVC_EAX] < leaf->leaf;
}

static bool leaves_alike(const struct evc_leaf *a, const struct evc_leaf *b)
{
	if (a->leaf != b->leaf || a->subleaf != b->subleaf)
		return false;
	for (int reg = 0; reg < 4; reg++) {
		uint32_t differ = a->value[reg] ^ b->value[reg];

		if (a->known[reg] != b->known[reg])
			return false;
		if (differ && differ & ~evc_leaf_own_bits(a->leaf, (enum evc_reg)reg) &&
		    !(has_no_range(a) && has_no_range(b)))
			return false;
	}
	return true;
}

bool evc_dump_alike(const struct evc_dump *a, const struct evc_dump *b)
{
	if (a->n_leaves != b->n_leaves || a->n_msrs != b->n_msrs || a->skips_zero != b->skips_zero)
		return false;
	for (size_t i = 0; i < a->n_leaves; i++)
		if (!leaves_alike(&a->leaves[i], &b->leaves[i]))
			return false;
	for (size_t i = 0; i < a->n_msrs; i++)
		if (a->msrs[i].index != b->msrs[i].index || a->msrs[i].value != b->msrs[i].value ||
		    a->msrs[i].known != b->msrs[i].known)
			return false;
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

uint64_t evc_dump_kind_hash(const struct evc_dump *dump)
{
	uint64_t hash = mix(dump->skips_zero, dump->n_leaves);

	for (size_t i = 0; i < dump->n_leaves; i++) {
		const struct evc_leaf *leaf = &dump->leaves[i];

		hash = mix(hash, (uint64_t)leaf->leaf << 32 | leaf->subleaf);
		if (has_no_range(leaf))
			continue;
		for (int reg = 0; reg < 4; reg++) {
			uint32_t value = leaf->value[reg];

			hash = mix(hash,
			           value ? value & ~evc_leaf_own_bits(leaf->leaf, (enum evc_reg)reg) : 0);
		}
	}
	for (size_t i = 0; i < dump->n_msrs; i++)
		hash = mix(mix(hash, dump->msrs[i].index), dump->msrs[i].value);
	return hash;
}
