/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which subleaves a leaf has, as the leaf itself tells.  There are three ways:
 *
 *   counted   EAX of subleaf 0 is the highest subleaf
 *   masked    a register of subleaf 0 has a one for each subleaf
 *   chained   subleaves follow one another until one says that it is the last
 *
 * Whatever is not stored, or not known, is taken for "perhaps": a zero that is not sure would make
 * a guest fit where it does not.  (SDM2A:CPUID, APM3:E.4)
 */
#include "core/subleaf.h"

enum way { COUNTED, MASKED, CHAINED };

struct rule {
	uint32_t leaf;
	enum way way;
	enum evc_reg reg; /* masked: the mask; chained: where the end shows */
	uint32_t bits;    /* chained: all zero at the end */
};

static const struct rule rules[] = {
	{ .leaf = 0x4, .way = CHAINED, .reg = EVC_EAX, .bits = 0x1f }, /* type of cache */
	{ .leaf = 0x7, .way = COUNTED },
	{ .leaf = 0xb, .way = CHAINED, .reg = EVC_ECX, .bits = 0xff00 }, /* type of level */
	{ .leaf = 0xf, .way = MASKED, .reg = EVC_EDX },
	{ .leaf = 0x10, .way = MASKED, .reg = EVC_EBX },
	{ .leaf = 0x14, .way = COUNTED },
	{ .leaf = 0x17, .way = COUNTED },
	{ .leaf = 0x18, .way = COUNTED },
	{ .leaf = 0x1d, .way = COUNTED },
	{ .leaf = 0x1f, .way = CHAINED, .reg = EVC_ECX, .bits = 0xff00 },
	{ .leaf = 0x20, .way = COUNTED },
	{ .leaf = 0x23, .way = MASKED, .reg = EVC_EAX },
	{ .leaf = 0x24, .way = COUNTED },
	{ .leaf = 0x8000001d, .way = CHAINED, .reg = EVC_EAX, .bits = 0x1f },
	{ .leaf = 0x80000020, .way = MASKED, .reg = EVC_EBX },
	{ .leaf = 0x80000026, .way = CHAINED, .reg = EVC_ECX, .bits = 0xff00 },
};

/* A register and whether all of it is known. */
static bool whole(const struct evc_leaf *leaf, enum evc_reg reg, uint32_t *ret_value)
{
	*ret_value = leaf ? leaf->value[reg] : 0;
	return leaf && leaf->known[reg] == UINT32_MAX;
}

static bool follows(const struct evc_dump *dump, const struct rule *rule, uint32_t subleaf)
{
	/* no chain is long: what lies far behind a missing link is not looked for */
	for (uint32_t i = 0; i < subleaf && i < 64; i++) {
		uint32_t value;

		if (whole(evc_dump_find(dump, rule->leaf, i), rule->reg, &value) && !(value & rule->bits))
			return false;
	}
	return true;
}

/* Leaf 0xd has a subleaf for each state component that XCR0 or IA32_XSS can enable. */
static bool has_component(const struct evc_dump *dump, uint32_t component)
{
	const struct evc_leaf *user = evc_dump_find(dump, 0xd, 0), *system = evc_dump_find(dump, 0xd, 1);
	enum evc_reg xcr0 = component < 32 ? EVC_EAX : EVC_EDX, xss = component < 32 ? EVC_ECX : EVC_EDX;
	uint32_t value, bit = UINT32_C(1) << component % 32;

	if (!whole(user, xcr0, &value))
		return true;
	/* Without XSAVE, which enables x87 state at least, there is nothing behind subleaf 0. */
	if (whole(user, EVC_EAX, &value) && !value)
		return false;
	if (component < 2)
		return true;
	whole(user, xcr0, &value);
	if (component >= 64 || value & bit)
		return component < 64;
	return !whole(system, xss, &value) || value & bit;
}

bool evc_dump_announces(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf)
{
	const struct rule *rule = NULL;
	uint32_t value;

	if (!subleaf)
		return true;
	if (leaf == 0xd)
		return has_component(dump, subleaf);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !rule; i++)
		if (rules[i].leaf == leaf)
			rule = &rules[i];
	if (!rule)
		return true;
	if (rule->way == CHAINED)
		return follows(dump, rule, subleaf);
	if (!whole(evc_dump_find(dump, leaf, 0), rule->way == COUNTED ? EVC_EAX : rule->reg, &value))
		return true;
	if (rule->way == COUNTED)
		return subleaf <= value;
	return subleaf < 32 && value >> subleaf & 1;
}

bool evc_leaf_has_subleaves(uint32_t leaf)
{
	/* Those whose subleaves no register of theirs announces. */
	static const uint32_t others[] = { 0xd, 0x12, 0x1b, 0x1e };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].leaf == leaf)
			return true;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] == leaf)
			return true;
	return false;
}
