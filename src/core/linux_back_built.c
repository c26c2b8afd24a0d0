/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the words prove of a CPU that is as it was built, and of the state that XSAVE saves.
 *
 * The kernel's rules alone (linux_back.c) leave open what a hypervisor could have made: it makes the whole
 * table, and nothing keeps it from AVX without the state for it in leaf 0xd, or from AMD's bits on an Intel
 * CPU.  A text without the flag "hypervisor" is of a CPU that nobody stands before, and no such CPU is
 * built with a feature that lacks what it needs (data/needs.txt), nor with two vendors' bits for one thing.
 *
 * Whoever made the table, a kernel keeps XSAVE only where XCR0 can have the x87 and SSE components; and
 * kernels that take XSAVE away where a component has another size than the architecture gives it
 * prove, by printing it, the size of each component that they enable.
 */
#include "core/linux-private.h"
#include "core/linux_back.h"

static bool is_component(enum evc_feature_id feature)
{
	struct evc_bit x87 = evc_features[EVC_F_XCR0_X87].bit, bit = evc_features[feature].bit;

	return bit.leaf == x87.leaf && bit.subleaf == x87.subleaf && bit.reg == x87.reg;
}

static bool is_known(const struct evc_dump *dump, enum evc_feature_id feature, bool value)
{
	bool known;
	uint64_t has = evc_dump_get(dump, evc_features[feature].bit, &known);

	return known && (has != 0) == value;
}

/* A bit that is one; what the dump says otherwise stays. */
static void prove(struct evc_dump_builder *builder, const struct evc_dump *dump, enum evc_feature_id feature)
{
	struct evc_bit bit = evc_features[feature].bit;
	struct evc_leaf leaf = { .leaf = bit.leaf, .subleaf = bit.subleaf };
	bool known;

	evc_dump_get(dump, bit, &known);
	if (known)
		return;
	leaf.value[bit.reg] = leaf.known[bit.reg] = (uint32_t)evc_bit_mask(bit);
	evc_dump_set_bits(builder, &leaf);
}

static void prove_needs(struct evc_dump_builder *builder, const struct evc_dump *dump)
{
	for (size_t i = 0; i < evc_n_needs; i++)
		if (is_component(evc_needs[i].needs) && !is_component(evc_needs[i].feature) &&
		    is_known(dump, evc_needs[i].feature, true))
			prove(builder, dump, evc_needs[i].needs);
}

/*
 * Flags that several bits can set, of which each vendor builds one.  AMD builds PREFETCHW's bit since family
 * 0x10; the kernel sets the flag on all of its 64-bit CPUs.  SSBD came by a register of families 0x15 to
 * 0x17 before there was a bit (ppr:CPUID_Fn80000001_ECX,
 * linux:arch/x86/kernel/cpu/amd.c, common.c:init_speculation_control).
 */
static void prove_vendors(struct evc_dump_builder *builder, const struct evc_dump *dump,
                          const struct evc_linux_listing *listing)
{
	static const struct {
		unsigned vendors;
		unsigned family; /* the first */
		enum evc_linux_flag flag;
		enum evc_feature_id bit;
	} rows[] = {
		{ .vendors = EVC_VENDOR_INTEL, .flag = EVC_LINUX_F_IBRS, .bit = EVC_F_SPEC_CTRL },
		{ .vendors = EVC_VENDOR_INTEL, .flag = EVC_LINUX_F_STIBP, .bit = EVC_F_STIBP },
		{ .vendors = EVC_VENDOR_INTEL, .flag = EVC_LINUX_F_SSBD, .bit = EVC_F_SSBD },
		{ .vendors = EVC_VENDOR_AMD, .flag = EVC_LINUX_F_IBRS, .bit = EVC_F_IBRS },
		{ .vendors = EVC_VENDOR_AMD, .flag = EVC_LINUX_F_IBPB, .bit = EVC_F_IBPB },
		{ .vendors = EVC_VENDOR_AMD, .flag = EVC_LINUX_F_STIBP, .bit = EVC_F_AMD_STIBP },
		{ .vendors = EVC_VENDOR_AMD,
		  .family = 0x19,
		  .flag = EVC_LINUX_F_SSBD,
		  .bit = EVC_F_AMD_SSBD },
		{ .vendors = EVC_VENDOR_AMD,
		  .family = 0x10,
		  .flag = EVC_LINUX_F_3DNOWPREFETCH,
		  .bit = EVC_F_3DNOWPREFETCH },
	};
	struct evc_cpu cpu;

	evc_cpu_decode(dump, &cpu);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (cpu.vendor & rows[i].vendors && cpu.family >= rows[i].family &&
		    evc_linux_lists(listing, rows[i].flag))
			prove(builder, dump, rows[i].bit);
}

/* The sizes of what the kernel enables: the component and its flag are there. */
static void prove_sizes(struct evc_dump_builder *builder, const struct evc_dump *dump,
                        const struct evc_linux_listing *listing)
{
	struct evc_leaf main;

	evc_dump_leaf(dump, evc_features[EVC_F_XCR0_X87].bit.leaf, 0, &main);
	for (size_t i = 0; i < evc_n_linux_components; i++) {
		const struct evc_linux_component *component = &evc_linux_components[i];
		uint32_t bit = UINT32_C(1) << component->number;
		struct evc_leaf leaf = { .leaf = main.leaf, .subleaf = component->number };

		if (!(main.known[EVC_EAX] & main.value[EVC_EAX] & bit) ||
		    !evc_linux_lists(listing, component->flag))
			continue;
		leaf.value[EVC_EAX] = component->size;
		leaf.known[EVC_EAX] = UINT32_MAX;
		evc_dump_set_bits(builder, &leaf);
	}
}

int evc_linux_back_built(const struct evc_linux_listing *listing, const struct evc_dump *dump,
                         struct evc_arena *arena, struct evc_dump *ret_dump, struct evc_error *err)
{
	const struct evc_linux_tree *tree = listing->tree;
	struct evc_dump_builder builder;
	struct evc_dump built;
	int status;

	evc_dump_begin(&builder, arena);
	evc_dump_copy(&builder, dump);
	if (evc_linux_lists(listing, EVC_LINUX_F_XSAVE)) {
		prove(&builder, dump, EVC_F_XCR0_X87);
		prove(&builder, dump, EVC_F_XCR0_SSE);
	}
	if (is_known(dump, EVC_F_HYPERVISOR, false)) {
		prove_needs(&builder, dump);
		prove_vendors(&builder, dump, listing);
	}
	status = evc_dump_finish(&builder, &built, err);
	if (status < 0)
		return status;
	evc_dump_begin(&builder, arena);
	evc_dump_copy(&builder, &built);
	if (tree && !tree->headers_only && tree->switches[EVC_LINUX_S_XSTATE_SIZE] &&
	    evc_linux_lists(listing, EVC_LINUX_F_XSAVE))
		prove_sizes(&builder, &built, listing);
	return evc_dump_finish(&builder, ret_dump, err);
}
