/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_ALIKE_H
#define EVC_CORE_ALIKE_H

/*
 * Logical CPUs that are alike.  A machine has many of them and few kinds: what differs from one to
 * the next is its own number (APIC ids, core and node numbers).  Dumps that differ in nothing
 * else are of one kind and are kept once, with a count.
 */

#include "core/dump.h"

/* The bits of this register that number the logical CPU; the rest says what kind it is. */
uint32_t evc_leaf_own_bits(uint32_t leaf, enum evc_reg reg);

/* Do the two differ in their own numbers at most?  skips_zero counts as a difference. */
bool evc_dump_alike(const struct evc_dump *a, const struct evc_dump *b);

/* The same for alike dumps, and most likely different for others. */
uint64_t evc_dump_kind_hash(const struct evc_dump *dump);

#endif
