/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_SUBLEAF_H
#define EVC_CORE_SUBLEAF_H

#include "core/dump.h"

/*
 * May the leaf have this subleaf?  False only when what is stored of the leaf says that it has
 * not, so that a subleaf that is not stored is then known to be zero.
 */
bool evc_dump_announces(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf);

/* Does what the leaf answers depend on the subleaf that is asked for (ECX)? */
bool evc_leaf_has_subleaves(uint32_t leaf);

#endif
