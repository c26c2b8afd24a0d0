/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_SIDE_H
#define EVC_CORE_SIDE_H

/* A host as a side of the checks: its offer, and whom to ask why something is not in it. */

#include "core/check.h"
#include "core/offer.h"

/*
 * All of the side is in the arena but the host, which is borrowed.  A damaged host is a side without cpu.
 * findings (may be NULL) get those of evc_offer_make; fails as that does.
 */
int evc_side_make(const struct evc_host *host, const struct evc_offer_options *options,
                  struct evc_arena *arena, struct evc_check_side *ret_side, struct evc_findings *findings,
                  struct evc_error *err);

/* The offer of a side that evc_side_make made and that has a cpu. */
const struct evc_offer *evc_side_offer(const struct evc_check_side *side);

#endif
