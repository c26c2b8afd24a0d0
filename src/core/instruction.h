/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_INSTRUCTION_H
#define EVC_CORE_INSTRUCTION_H

/*
 * Instructions that show whether a feature is really there: for each its feature, its bytes, and
 * what could stop a guest that was not shown the feature from executing it all the same.  The
 * tables are generated from data/instructions.txt; the probe program (src/guest/probe) gets the
 * bytes from the same file.
 */

#include "core/feature.h"

enum evc_control_kind {
	EVC_CONTROL_XCR0, /* a state component that XCR0 does not have */
	EVC_CONTROL_CR4,  /* a bit of CR4 that the guest may not set */
	EVC_CONTROL_MSR,  /* a bit of an MSR that the guest may not set */
	EVC_CONTROL_VMX,  /* a VM-execution control of Intel's virtualisation */
	EVC_CONTROL_SVM,  /* an intercept of AMD's */
};

/* What a hypervisor can use to make instructions fail. */
struct evc_control {
	enum evc_control_kind kind;
	const char *title;         /* "RDRAND exiting" */
	enum evc_feature_id base;  /* all of this feature goes with it */
	enum evc_feature_id state; /* XCR0: the component, as a feature; else EVC_N_FEATURES */
	const char *source;
};

/* What the outcome of a probe has to be for the feature to be there. */
enum evc_proof {
	EVC_PROOF_RUNS,      /* it is executed */
	EVC_PROOF_PROTECTED, /* it is known, and only forbidden outside ring 0: #GP */
	EVC_PROOF_VALUE,     /* it is executed and leaves a value that older CPUs would not */
};

enum { EVC_MAX_CONTROLS = 3 };

struct evc_instruction {
	const char *name; /* "pshufb", unique */
	const char *text; /* "pshufb xmm0, xmm0" */
	enum evc_feature_id feature;
	enum evc_proof proof;
	uint32_t value;                                       /* of EVC_PROOF_VALUE */
	const struct evc_control *controls[EVC_MAX_CONTROLS]; /* NULL after the last */
	const char *silent; /* why its execution says nothing; "" when it does */
	const char *source;
};

extern const struct evc_instruction evc_instructions[];
extern const size_t evc_n_instructions;

/* By name; evc_n_instructions when there is none. */
size_t evc_instruction_find(struct evc_span name);

const char *evc_control_kind_name(enum evc_control_kind kind); /* "xcr0" */

#endif
