/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_MODE_KEYS_H
#define EVC_TEXT_MODE_KEYS_H

/* A mode as vCenter shows it: keys and values, "cpuid.MODEL" "Val:0x3f". */

#include "base/arena.h"
#include "core/mode.h"

struct evc_mode_key {
	const char *key;   /* "cpuid.AVX2", "hv.capable" */
	const char *value; /* "Val:1" */
	struct evc_claim claim;
	enum evc_feature_id feature; /* EVC_N_FEATURES: not about one that a guest sees */
	unsigned version;            /* of the mode, in which it joined; 1 for numbers */
};

/*
 * The keys of a version: numbers first, then the vendor, then features and host keys by name.  Features that
 * VMware has no key for are in *ret_keyless.  NULL when memory is out.
 */
const struct evc_mode_key *evc_mode_keys(const struct evc_mode *mode, unsigned version,
                                         struct evc_arena *arena, size_t *ret_n, struct evc_set *ret_keyless);

/* The version in which a feature joined the mode; 0: not there. */
unsigned evc_mode_joined(const struct evc_mode *mode, enum evc_feature_id id);

#endif
