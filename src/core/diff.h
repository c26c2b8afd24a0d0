/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_DIFF_H
#define EVC_CORE_DIFF_H

/* Differences between two cpus, grouped by what they mean. */

#include "core/cpu.h"
#include "core/mode.h"

enum evc_diff_group {
	EVC_DIFF_FEATURES,       /* what programs use */
	EVC_DIFF_SECURITY,       /* controls and promises against attacks on the CPU */
	EVC_DIFF_VIRTUALISATION, /* for guests of guests */
	EVC_DIFF_HYPERVISOR,     /* what the hypervisor says of itself */
	EVC_DIFF_STATE,          /* sizes and offsets of saved state, computed from the features */
	EVC_DIFF_IDLE,           /* does not matter to a move: topology, ids, what the OS switched on */
	EVC_N_DIFF_GROUPS,
};

/* One group.  Fields of which both values are known and differ are in changed. */
struct evc_diff_part {
	struct evc_set only_a, only_b;
	struct evc_set changed;
	struct evc_set unsure_a, unsure_b; /* known of the other only, and set there */
};

struct evc_diff {
	struct evc_diff_part parts[EVC_N_DIFF_GROUPS];
	bool identity; /* vendor, signature, brand or highest leaves differ */
	bool same;     /* nothing differs that matters; brand and idle differences do not */
};

/* modes (may be NULL) tell which features came as security bits. */
void evc_diff_make(const struct evc_cpu *a, const struct evc_cpu *b, const struct evc_modes *modes,
                   struct evc_diff *ret_diff);

/* The first mode, in their order, of one of the vendors and with the feature, and its first such version. */
const struct evc_mode *evc_diff_step(const struct evc_modes *modes, unsigned vendors, enum evc_feature_id id,
                                     unsigned *ret_version);

/* "security" */
const char *evc_diff_group_name(enum evc_diff_group group);

enum evc_diff_group evc_diff_group_of(enum evc_feature_id id, const struct evc_modes *modes);

#endif
