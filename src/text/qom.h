/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_QOM_H
#define EVC_TEXT_QOM_H

/* What the properties of QEMU's object of a vCPU say of the CPUID that its guest sees. */

#include "core/dump.h"

#include <jansson.h>

/* What counts beside the vCPU's own properties. */
struct evc_qom_machine {
	bool kvm;          /* by KVM, else by QEMU's own emulation (TCG) */
	bool plain;        /* known not to be encrypted (SEV) */
	unsigned n_alike;  /* vCPUs with the same properties, at least 1 */
	unsigned n_shared; /* vCPUs in one package, 0: not known */
};

/*
 * Has a property, by its name and the type that qom-list tells, a value that belongs to the CPU's model?
 * False for parts of the object tree and for what is this one vCPU's: its place, its state, what was
 * filtered.
 */
bool evc_qom_is_model(const char *name, const char *type);

/*
 * properties: an object of name and value, as qom-get gives them, null for one that is there and was not
 * asked for.  What they say is known in the dump, what follows from them by QEMU's rules as well, and the
 * rest (caches, topology, sizes of state) is not. EVC_ERR_INPUT when they are not a vCPU's properties.
 */
int evc_qom_dump(const json_t *properties, const struct evc_qom_machine *machine, struct evc_arena *arena,
                 struct evc_dump *ret_dump, struct evc_error *err);

/*
 * Add to a guest's dump size and place of each state that it has, which under KVM are its host's (like).
 * Leaves of the result live in arena.
 */
int evc_qom_states(const struct evc_dump *guest, const struct evc_dump *like, struct evc_arena *arena,
                   struct evc_dump *ret_dump, struct evc_error *err);

/* The kHz of the time stamp counter, 0 when not told. */
uint32_t evc_qom_tsc_khz(const json_t *properties);

#endif
