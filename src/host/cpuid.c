/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPUID has no general way to say which subleaves a leaf has; each leaf that has any says it in
 * its own way.  There are five of them:
 *
 *   a count     EAX of subleaf 0 is the number of the last one
 *   a list      subleaves follow until one says in its type field that it is none
 *   components  leaf 0xd: one for each state component of XCR0 and IA32_XSS
 *   a mask      leaf 0x23: EAX of subleaf 0 has a one for each
 *   resources   0xf, 0x10, 0x80000020: EBX or EDX of subleaf 0 has a one for each
 *
 * The end marker of a list is kept: it is how a reader knows that the list is whole.
 */
#include "host/cpuid.h"

#include <cpuid.h>

enum {
	MAX_RANGE = 0x200,   /* leaves of one range that are believed */
	MAX_SUBLEAVES = 128, /* of one leaf */
};

enum ending {
	COUNTED,
	LISTED_EAX_4_0,  /* ends when EAX[4:0] is 0: caches */
	LISTED_ECX_15_8, /* ends when ECX[15:8] is 0: topology */
	LISTED_EAX_11_0, /* ends when EAX[11:0] is 0: targets of PCONFIG */
	ENCLAVES,        /* two, then a list that ends when EAX[3:0] is 0 */
	COMPONENTS,
	MASKED,
	RESOURCES_EBX,
	RESOURCES_EDX,
};

static const struct {
	uint32_t leaf;
	enum ending ending;
} with_subleaves[] = {
	{ .leaf = 0x4, .ending = LISTED_EAX_4_0 },
	{ .leaf = 0x7, .ending = COUNTED },
	{ .leaf = 0xb, .ending = LISTED_ECX_15_8 },
	{ .leaf = 0xd, .ending = COMPONENTS },
	{ .leaf = 0xf, .ending = RESOURCES_EDX },
	{ .leaf = 0x10, .ending = RESOURCES_EBX },
	{ .leaf = 0x12, .ending = ENCLAVES },
	{ .leaf = 0x14, .ending = COUNTED },
	{ .leaf = 0x17, .ending = COUNTED },
	{ .leaf = 0x18, .ending = COUNTED },
	{ .leaf = 0x1b, .ending = LISTED_EAX_11_0 },
	{ .leaf = 0x1d, .ending = COUNTED },
	{ .leaf = 0x1e, .ending = COUNTED },
	{ .leaf = 0x1f, .ending = LISTED_ECX_15_8 },
	{ .leaf = 0x20, .ending = COUNTED },
	{ .leaf = 0x23, .ending = MASKED },
	{ .leaf = 0x24, .ending = COUNTED },
	{ .leaf = 0x8000001d, .ending = LISTED_EAX_4_0 },
	{ .leaf = 0x80000020, .ending = RESOURCES_EBX },
	{ .leaf = 0x80000026, .ending = LISTED_ECX_15_8 },
};

/* Who answers, and who keeps it. */
struct source {
	struct evc_dump_builder *builder;
	evc_cpuid_ask *ask; /* NULL: the instruction */
	void *context;
};

static void ask(const struct source *source, uint32_t leaf, uint32_t subleaf, uint32_t value[static 4])
{
	if (source->ask)
		source->ask(source->context, leaf, subleaf, value);
	else
		__cpuid_count(leaf, subleaf, value[EVC_EAX], value[EVC_EBX], value[EVC_ECX], value[EVC_EDX]);
	evc_dump_set_leaf(source->builder, leaf, subleaf, value);
}

/* Subleaves 1 and up, one for each bit of mask. */
static void ask_mask(const struct source *source, uint32_t leaf, uint64_t mask)
{
	uint32_t value[4];

	for (uint32_t i = 1; i < 64; i++)
		if (mask >> i & 1)
			ask(source, leaf, i, value);
}

/* first .. last, last believed up to a bound. */
static void ask_count(const struct source *source, uint32_t leaf, uint32_t first, uint32_t last)
{
	uint32_t value[4];

	for (uint32_t i = first; i <= last && i < MAX_SUBLEAVES; i++)
		ask(source, leaf, i, value);
}

/* After subleaf, whose answer value holds, until the type field of a register is 0, that one included. */
static void ask_list(const struct source *source, uint32_t leaf, uint32_t subleaf, uint32_t value[static 4],
                     enum evc_reg reg, uint32_t type)
{
	while (value[reg] & type && ++subleaf < MAX_SUBLEAVES)
		ask(source, leaf, subleaf, value);
}

/* Leaf 0xd without XSAVE is zero in EAX and EDX of subleaf 0, and then has nothing else. */
static void ask_components(const struct source *source, const uint32_t first[static 4])
{
	uint64_t components = (uint64_t)first[EVC_EDX] << 32 | first[EVC_EAX];
	uint32_t value[4];

	if (!components)
		return;
	ask(source, 0xd, 1, value);
	components |= (uint64_t)value[EVC_EDX] << 32 | value[EVC_ECX];
	ask_mask(source, 0xd, components & ~UINT64_C(3));
}

static void ask_subleaves(const struct source *source, uint32_t leaf, enum ending ending)
{
	uint32_t first[4], value[4];

	ask(source, leaf, 0, first);
	switch (ending) {
	case COUNTED:
		ask_count(source, leaf, 1, first[EVC_EAX]);
		break;
	case LISTED_EAX_4_0:
		ask_list(source, leaf, 0, first, EVC_EAX, 0x1f);
		break;
	case LISTED_ECX_15_8:
		ask_list(source, leaf, 0, first, EVC_ECX, 0xff00);
		break;
	case LISTED_EAX_11_0:
		ask_list(source, leaf, 0, first, EVC_EAX, 0xfff);
		break;
	case ENCLAVES:
		ask_count(source, leaf, 1, first[EVC_EAX] ? 1 : 0);
		ask(source, leaf, 2, value);
		ask_list(source, leaf, 2, value, EVC_EAX, 0xf);
		break;
	case COMPONENTS:
		ask_components(source, first);
		break;
	case MASKED:
		ask_mask(source, leaf, first[EVC_EAX]);
		break;
	case RESOURCES_EBX:
		ask_mask(source, leaf, first[EVC_EBX]);
		break;
	case RESOURCES_EDX:
		ask_mask(source, leaf, first[EVC_EDX]);
		break;
	}
}

static void ask_leaf(const struct source *source, uint32_t leaf)
{
	uint32_t value[4];

	for (size_t i = 0; i < sizeof(with_subleaves) / sizeof(with_subleaves[0]); i++)
		if (with_subleaves[i].leaf == leaf) {
			ask_subleaves(source, leaf, with_subleaves[i].ending);
			return;
		}
	ask(source, leaf, 0, value);
}

/*
 * A CPU without the range answers its first leaf with something else: then there is no more.  Returns
 * what the first leaf states as the highest.
 */
static uint32_t ask_range(const struct source *source, uint32_t base)
{
	uint32_t first[4], last;

	ask(source, base, 0, first);
	last = first[EVC_EAX];
	if (last < base || last - base >= MAX_RANGE)
		return last;
	for (uint32_t leaf = base + 1; leaf <= last; leaf++)
		ask_leaf(source, leaf);
	return last;
}

static void read_all(const struct source *source)
{
	uint32_t highest;

	ask_range(source, 0x0);
	ask_range(source, 0x20000000); /* the first Xeon Phi */
	highest = ask_range(source, 0x40000000);
	/* A hypervisor that also speaks Hyper-V's language has its own leaves 0x100 further on. */
	if (highest >= 0x40000000 && highest - 0x40000000 < 0x100)
		ask_range(source, 0x40000100);
	ask_range(source, 0x80000000);
	ask_range(source, 0x80860000);
	ask_range(source, 0xc0000000);
}

void evc_cpuid_read(struct evc_dump_builder *builder)
{
	read_all(&(struct source){ .builder = builder });
}

void evc_cpuid_read_by(struct evc_dump_builder *builder, evc_cpuid_ask *other, void *context)
{
	read_all(&(struct source){ .builder = builder, .ask = other, .context = context });
}
