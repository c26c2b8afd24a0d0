/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_VCPU_H
#define EVC_CORE_VCPU_H

/*
 * A vcpu: what a guest on a host sees at a mode, leaf by leaf, as a dump.
 *
 * Features: the mode's, those that pass, and nothing else; named or not, what the mode does not
 * list is hidden.  Signature and highest leaves are the mode's; leaves above are gone.  Brand
 * string, topology, caches and the hypervisor's leaves stay the host's.  Leaf 0xD is computed
 * for the features that are left: components, sizes, offsets.
 */

#include "core/finding.h"
#include "core/mode.h"
#include "core/offer.h"

/*
 * The level is a cluster's (evc_level_make) or a single host's: features that the guest may
 * have.  NULL: all of the offer that the mode lists.  version 0: the newest the offer satisfies,
 * and of later versions the bits that are there are kept out.
 * Findings say what the mode takes away and what it wants that the offer lacks; if anything is
 * lacking the verdict is "no" and the dump is still made, without it.
 */
int evc_vcpu_make(const struct evc_modes *modes, const struct evc_mode *mode, unsigned version,
                  const struct evc_offer *offer, const struct evc_cpu *level, struct evc_arena *arena,
                  struct evc_dump *ret_dump, struct evc_findings *findings, struct evc_error *err);

/*
 * Bytes of XSAVE's area in the compacted form, where one state follows the other, with these states (a mask)
 * as the dump describes them.  False: some of them are not known, and left out.
 */
bool evc_xsave_compacted_size(const struct evc_dump *dump, uint64_t states, uint32_t *ret_size);

/* Leaf 0xD of a cpu with these features, offsets and sizes as in like; added to the builder. */
void evc_xsave_leaves(const struct evc_cpu *cpu, const struct evc_dump *like,
                      struct evc_dump_builder *builder);

#endif
