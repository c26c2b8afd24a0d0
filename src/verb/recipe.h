/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_RECIPE_H
#define EVC_VERB_RECIPE_H

/* What QEMU is to be asked for, so that a guest sees a vCPU that core/vcpu.h made. */

#include "core/mode.h"
#include "text/target.h"

/*
 * The target's CPU of a vCPU at a mode, for this QEMU (version as in core/qemu.h): all of the mode's
 * features, and of what passes whatever the mode what QEMU has a property for.  Strings live in arena.
 */
int evc_recipe_make(const struct evc_dump *vcpu, const struct evc_mode *mode, unsigned qemu,
                    struct evc_arena *arena, struct evc_target_cpu *ret_cpu, struct evc_error *err);

/*
 * The target's CPU of a mode alone, of version 1 when version is 0, where there is no host to ask.  A mode
 * without a signature of its own takes signature and highest leaves of the lowest of the vendor's modes that
 * has all of it; EVC_ERR_USAGE when vendor (enum evc_vendor) is 0 then, or has no such mode.
 */
int evc_recipe_mode(const struct evc_modes *modes, const struct evc_mode *mode, unsigned version,
                    unsigned vendor, struct evc_arena *arena, struct evc_target_cpu *ret_cpu,
                    struct evc_error *err);

/* A mode's label as a brand: it is all that is known where there is no host. */
const char *evc_recipe_brand(const struct evc_mode *mode, struct evc_arena *arena);

#endif
