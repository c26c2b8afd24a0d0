/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_BIT_H
#define EVC_CORE_BIT_H

/*
 * A place in what a CPU says of itself: one bit or one run of bits of a CPUID register or of a
 * model-specific register (MSR).  A place is a value: it is passed by value and means nothing
 * by itself; what it means is a feature (core/feature.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum evc_reg {
	EVC_EAX,
	EVC_EBX,
	EVC_ECX,
	EVC_EDX,
	EVC_MSR, /* leaf is the MSR's index, 64 bits wide, no subleaf */
};

struct evc_bit {
	uint32_t leaf;
	uint32_t subleaf;
	enum evc_reg reg;
	uint8_t lo; /* lowest bit */
	uint8_t hi; /* highest bit, equal to lo for a single bit */
};

enum { EVC_BIT_TEXT = 40 };

/* "7.0:ebx[5]", "1.0:ebx[15:8]" or "msr:10a[0]", leaf and subleaf in hexadecimal; returns buf. */
char *evc_bit_format(struct evc_bit bit, char buf[static EVC_BIT_TEXT]);

/* The bits lo..hi as a mask of the whole register. */
static inline uint64_t evc_bit_mask(struct evc_bit bit)
{
	unsigned width = (unsigned)(bit.hi - bit.lo) + 1;

	return (UINT64_MAX >> (64 - width)) << bit.lo;
}

/* The value of the place in a register that holds reg. */
static inline uint64_t evc_bit_get(struct evc_bit bit, uint64_t reg)
{
	return (reg & evc_bit_mask(bit)) >> bit.lo;
}

const char *evc_reg_name(enum evc_reg reg);

#endif
