/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leaf 0xd: which states XSAVE keeps, where, and how large the area is.
 *
 * Subleaf 0 names the user states (a mask, bit = number of the state), subleaf 1 the supervisor states
 * and XSAVE's variants, and each state n >= 2 has a subleaf n with its size, its offset in the standard
 * form, and two flags: kept by IA32_XSS, and aligned to 64 bytes in the compacted form.
 *
 * Sizes follow from the masks, so a level that drops a state must compute them anew: a guest that reads
 * its buffer size here and finds the old host's would save more, or less, than it has room for.  Size
 * and place of one state are the hardware's and stay as the host says; they cannot be levelled.
 *
 * Two sizes follow from what the guest's kernel has switched on when it asks.  A dump shows one moment;
 * it is told by the host's own dump: all switched on, or nothing yet (the legacy area alone).
 */
#include "core/vcpu.h"

enum {
	LEGACY = 512,    /* bytes of x87 and SSE state */
	HEADER = 64,     /* of the XSAVE header behind it */
	ALIGNMENT = 64,  /* of aligned states in the compacted form */
	N_STATES = 63,   /* states 0 to 62; 63 means "compacted" */
	FIRST_STATE = 2, /* 0 and 1 are the legacy area */
	XSAVE_LEAF = 0xd,
	FLAG_SUPERVISOR = 1, /* subleaf n, ECX */
	FLAG_ALIGNED = 2,
};

struct state {
	uint32_t size, offset, flags;
};

static bool read_state(const struct evc_dump *like, uint32_t n, struct state *ret_state)
{
	uint64_t size, offset, flags, known_size, known_offset, known_flags;

	size = evc_dump_register(like, XSAVE_LEAF, n, EVC_EAX, &known_size);
	offset = evc_dump_register(like, XSAVE_LEAF, n, EVC_EBX, &known_offset);
	flags = evc_dump_register(like, XSAVE_LEAF, n, EVC_ECX, &known_flags);
	*ret_state = (struct state){ .size = (uint32_t)size,
		                     .offset = (uint32_t)offset,
		                     .flags = (uint32_t)flags };
	return known_size == UINT32_MAX && known_offset == UINT32_MAX && known_flags == UINT32_MAX;
}

/* A mask of 64 states from two registers of which only the cpu's features count. */
static uint64_t states_of(const struct evc_cpu *cpu, uint32_t subleaf, enum evc_reg low, enum evc_reg high)
{
	return evc_set_bits(&cpu->has, cpu->vendor, XSAVE_LEAF, subleaf, low) |
	       evc_set_bits(&cpu->has, cpu->vendor, XSAVE_LEAF, subleaf, high) << 32;
}

/* The subleaf of one state, and its part in the standard size. */
static void put_state(const struct evc_dump *like, uint32_t n, struct evc_dump_builder *builder,
                      uint32_t *standard, bool *known)
{
	struct state state;
	uint32_t end;

	if (!read_state(like, n, &state)) {
		*known = false;
		return;
	}
	evc_dump_set_leaf(builder, XSAVE_LEAF, n, (uint32_t[4]){ state.size, state.offset, state.flags, 0 });
	end = state.offset + state.size;
	if (!(state.flags & FLAG_SUPERVISOR) && end > *standard)
		*standard = end;
}

bool evc_xsave_compacted_size(const struct evc_dump *dump, uint64_t states, uint32_t *ret_size)
{
	uint32_t size = LEGACY + HEADER;
	bool known = true;

	for (uint32_t n = FIRST_STATE; n < N_STATES; n++) {
		struct state state;

		if (!(states >> n & 1))
			continue;
		if (!read_state(dump, n, &state)) {
			known = false;
			continue;
		}
		if (state.flags & FLAG_ALIGNED)
			size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
		size += state.size;
	}
	*ret_size = size;
	return known;
}

/* Did the kernel that the dump was taken under use supervisor states?  Many have them and use none. */
static bool uses_supervisor(const struct evc_dump *like)
{
	uint64_t known, low = evc_dump_register(like, XSAVE_LEAF, 0, EVC_EAX, &known),
			high = evc_dump_register(like, XSAVE_LEAF, 0, EVC_EDX, &known);
	uint32_t without;

	evc_xsave_compacted_size(like, low | high << 32, &without);
	return evc_dump_register(like, XSAVE_LEAF, 1, EVC_EBX, &known) != without;
}

/* The bits of a register whose features the cpu does not know. */
static uint32_t unknown_bits(const struct evc_cpu *cpu, uint32_t subleaf, enum evc_reg reg)
{
	struct evc_set unknown;

	for (int w = 0; w < EVC_SET_WORDS; w++)
		unknown.word[w] = ~cpu->known.word[w];
	return (uint32_t)evc_set_bits(&unknown, cpu->vendor, XSAVE_LEAF, subleaf, reg);
}

/* A subleaf of masks and sizes; the sizes are known only when "known" says so. */
static void put_subleaf(const struct evc_cpu *cpu, struct evc_dump_builder *builder, uint32_t subleaf,
                        const uint32_t value[static 4], bool sizes_known)
{
	struct evc_leaf leaf = { .leaf = XSAVE_LEAF, .subleaf = subleaf };

	for (int reg = EVC_EAX; reg <= EVC_EDX; reg++) {
		bool is_size = reg == EVC_EBX || (reg == EVC_ECX && !subleaf);

		leaf.known[reg] = is_size ? (sizes_known ? UINT32_MAX : 0)
		                          : ~unknown_bits(cpu, subleaf, (enum evc_reg)reg);
		leaf.value[reg] = value[reg] & leaf.known[reg];
	}
	evc_dump_set_bits(builder, &leaf);
}

/* Are all states known to be there or not? */
static bool knows_states(const struct evc_cpu *cpu)
{
	return !(unknown_bits(cpu, 0, EVC_EAX) | unknown_bits(cpu, 0, EVC_EDX) |
	         unknown_bits(cpu, 1, EVC_ECX) | unknown_bits(cpu, 1, EVC_EDX));
}

void evc_xsave_leaves(const struct evc_cpu *cpu, const struct evc_dump *like,
                      struct evc_dump_builder *builder)
{
	uint64_t user = states_of(cpu, 0, EVC_EAX, EVC_EDX), supervisor = states_of(cpu, 1, EVC_ECX, EVC_EDX);
	uint32_t variants = (uint32_t)evc_set_bits(&cpu->has, cpu->vendor, XSAVE_LEAF, 1, EVC_EAX);
	uint32_t standard = LEGACY + HEADER, compacted;
	uint64_t known_now, known_max, now = evc_dump_register(like, XSAVE_LEAF, 0, EVC_EBX, &known_now),
				       max = evc_dump_register(like, XSAVE_LEAF, 0, EVC_ECX, &known_max);
	bool all_on = now == max, known = known_now && known_max && knows_states(cpu);

	switch (evc_cpu_truth(cpu, EVC_F_XSAVE)) {
	case EVC_PRESENT:
		break;
	case EVC_UNSURE:
		return;
	case EVC_ABSENT:
		evc_dump_set_leaf(builder, XSAVE_LEAF, 0, (uint32_t[4]){ 0 });
		evc_dump_set_leaf(builder, XSAVE_LEAF, 1, (uint32_t[4]){ 0 });
		return;
	}
	for (uint32_t n = FIRST_STATE; n < N_STATES; n++)
		if ((user | supervisor) >> n & 1)
			put_state(like, n, builder, &standard, &known);
	evc_xsave_compacted_size(like, user | (uses_supervisor(like) ? supervisor : 0), &compacted);
	put_subleaf(cpu, builder, 0,
	            (uint32_t[4]){ (uint32_t)user, all_on ? standard : LEGACY + HEADER, standard,
	                           (uint32_t)(user >> 32) },
	            known);
	/* Without XSAVEC and XSAVES there is no compacted form, and no size of it. */
	if (!evc_set_has(&cpu->has, EVC_F_XSAVEC) && !evc_set_has(&cpu->has, EVC_F_XSAVES))
		compacted = 0;
	else if (!all_on)
		compacted = LEGACY + HEADER;
	put_subleaf(cpu, builder, 1,
	            (uint32_t[4]){ variants, compacted, (uint32_t)supervisor, (uint32_t)(supervisor >> 32) },
	            known);
}
