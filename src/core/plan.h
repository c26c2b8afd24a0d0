/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_PLAN_H
#define EVC_CORE_PLAN_H

/*
 * A plan to move a running guest from one QEMU to another that was started for it: everything that
 * would go wrong, all at once, before anything is touched.
 */

#include "core/dump.h"
#include "core/finding.h"

/* What a QEMU says of a vCPU or a machine beside its CPUID words; value as text, "" is a value too. */
struct evc_plan_property {
	const char *name; /* QEMU's: "model-id" */
	const char *value;
};

struct evc_plan_properties {
	const struct evc_plan_property *items; /* sorted by name, each once */
	size_t n;
};

/* vCPUs that are alike. */
struct evc_plan_vcpu {
	/* The feature words after what the accelerator filtered; what is not in it, this QEMU does not know.
	 */
	struct evc_dump words;
	struct evc_plan_properties properties;
	size_t n_alike; /* at least 1 */
};

/* A list of texts whose order means nothing. */
struct evc_plan_list {
	const char *const *items;
	size_t n;
	bool known; /* false: nobody could be asked */
};

/* One of the two QEMUs.  Pointers are borrowed; NULL or "" where not known. */
struct evc_plan_side {
	const char *name;
	const char *why;                   /* it could not be asked: why; everything else is then unknown */
	const char *qemu;                  /* "7.2.22" */
	const char *accel;                 /* "kvm", "tcg" */
	const char *machine;               /* "pc-q35-7.2" */
	const char *status;                /* of query-status: "running", "inmigrate" */
	struct evc_plan_properties shape;  /* of the machine: "memory", "smp.cores" ... */
	const struct evc_plan_vcpu *vcpus; /* kinds, in the order of their first vCPUs */
	size_t n_vcpus;                    /* kinds */
	struct evc_plan_list blockers;     /* why QEMU itself refuses to migrate it */
	struct evc_plan_list devices;      /* one text for each, equal for equal ones */
	struct evc_plan_list unavailable;  /* features that were asked for and not given */
};

struct evc_plan_verdict {
	enum evc_verdict there; /* may it move: that of all findings */
	enum evc_verdict back;  /* could it come back to a QEMU like the source; never better than there */
};

/*
 * Compare the two and add findings.  Whatever would look different to the guest blocks; what cannot be
 * compared is a doubt.
 */
struct evc_plan_verdict evc_plan_move(const struct evc_plan_side *source,
                                      const struct evc_plan_side *destination, struct evc_findings *findings);

/*
 * The same question after the move, about the vCPUs alone: is the destination's guest what the source's
 * was?
 */
enum evc_verdict evc_plan_same_vcpus(const struct evc_plan_side *source,
                                     const struct evc_plan_side *destination, struct evc_findings *findings);

/*
 * Is a property of this name compared at all?  False for those that only say how QEMU came to its values, and
 * for handles of its process.
 */
bool evc_plan_compares(const char *name);

/* The value of a property; NULL: there is none. */
const char *evc_plan_value(const struct evc_plan_properties *properties, const char *name);

#endif
