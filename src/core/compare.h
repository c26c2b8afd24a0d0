/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_COMPARE_H
#define EVC_CORE_COMPARE_H

/*
 * Predicted against seen: every register of every leaf of a guest, and why it is another where it is.
 * A difference is a finding with a cause, or it may be: then the rule that lets it be says why.
 */

#include "core/dump.h"
#include "core/finding.h"
#include "core/mode.h"
#include "core/set.h"

/* Who started the guest. */
enum evc_started_by {
	EVC_BY_KVM,  /* the micro-VM: KVM alone, no operating system */
	EVC_BY_QEMU, /* QEMU with KVM, and a kernel in the guest */
	EVC_BY_TCG,  /* QEMU with its own emulation, and a kernel in the guest */
};

struct evc_compare {
	const char *subject; /* "the micro-VM" */
	const char *mode;    /* what the prediction is for: "intel-haswell" */
	const struct evc_modes *modes;
	const struct evc_dump *predicted;
	const struct evc_dump *seen;
	const struct evc_dump *shown;   /* what KVM itself says of the vCPU; NULL: was not asked */
	const struct evc_dump *refused; /* MSRs that KVM did not let be set; NULL: none */
	const struct evc_set *lacking;  /* features that the accelerator cannot show; NULL: none known */
	enum evc_started_by by;
	bool os; /* the guest had switched on what it wanted (OSXSAVE): a kernel, or the micro-VM's second
	            half */
};

struct evc_difference {
	struct evc_bit place;        /* of the feature, or the whole register */
	enum evc_feature_id feature; /* EVC_N_FEATURES: bits without a name */
	uint64_t bits;               /* of the register that differ and are known on both sides */
	uint64_t predicted, seen;    /* those bits, at their place */
	enum evc_cause cause;
	bool may_be;     /* a rule lets it be */
	const char *why; /* which */
};

struct evc_comparison {
	const struct evc_difference *differences; /* in order of place */
	size_t n;
	size_t n_may_be;         /* of them that a rule lets be */
	size_t n_leaves, n_msrs; /* compared: known at least in part on both sides */
	size_t n_not_predicted;  /* leaves and MSRs with bits that the prediction does not know */
	size_t n_not_seen;       /* that the prediction knows and nobody saw */
	struct evc_set proved;   /* features predicted and seen */
	struct evc_set reduced;  /* features predicted that the accelerator cannot show, and did not */
};

/* All of it; findings (may be NULL) get each difference that may not be.  Memory from arena. */
int evc_compare_make(const struct evc_compare *compare, struct evc_arena *arena,
                     struct evc_comparison *ret_comparison, struct evc_findings *findings,
                     struct evc_error *err);

/*
 * Does KVM say of a vCPU what it was given?  One finding (EVC_FINDING_OVERRIDES) for each leaf where it does
 * not.  What follows from the vCPU's own registers does not count.  shown is a read-back: what it lacks is
 * zero.
 */
int evc_compare_read_back(const struct evc_dump *given, const struct evc_dump *shown, struct evc_arena *arena,
                          struct evc_findings *findings, struct evc_error *err);

/*
 * What lies beyond the highest leaves of a guest that was asked there: nothing, or with Intel's rule the
 * highest basic leaf again.  Anything else is a leaf that a mask has forgotten (EVC_FINDING_LEAKED, detail
 * says which).
 */
void evc_compare_beyond(const struct evc_compare *compare, struct evc_arena *arena,
                        struct evc_findings *findings);

/* May this feature's place be otherwise than predicted?  Why, or NULL; ret_cause says who decides it. */
const char *evc_compare_may_differ(const struct evc_compare *compare, const struct evc_difference *difference,
                                   enum evc_cause *ret_cause);

#endif
