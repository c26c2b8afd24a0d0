/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LEVEL_H
#define EVC_CORE_LEVEL_H

/*
 * Levelling: the common baseline of some hosts, the best mode within it, and who holds it down.
 *
 * Hosts come in kinds: a fleet of 100,000 has a few dozen different cpus, so a kind carries the
 * number of hosts that share it, and names of them.
 *
 * Findings name at most EVC_LEVEL_LISTED kinds for one thing and count the rest; the parts of the
 * result have them all.
 */

#include "core/check.h"
#include "core/finding.h"
#include "core/mode.h"

enum { EVC_LEVEL_LISTED = 12 };

struct evc_level_kind {
	const struct evc_cpu *cpu; /* what hosts of this kind can offer; NULL: not readable */
	const char *name;          /* the first host of the kind */
	size_t n_hosts;
	const char *why;                   /* of an unreadable one */
	const struct evc_check_side *side; /* silicon and whom to ask for causes; NULL: causes are not told */
};

struct evc_level_options {
	const struct evc_mode *mode;  /* the wanted mode, NULL: the best */
	unsigned version;             /* of mode, 0: the newest all hosts have */
	const struct evc_mode *floor; /* a level below is a "no", NULL: none */
	bool across_vendors;          /* Intel with AMD, with the risks as findings */
};

/* One kind's part in the result, in the order of the input. */
struct evc_level_part {
	const struct evc_mode *best; /* highest mode of the kind alone, NULL: none */
	unsigned version;
	bool holds_down;                /* the level's mode is higher without this kind */
	const struct evc_mode *without; /* the level's best mode if this kind left, NULL: none */
	struct evc_set lacks;           /* of the lowest mode or version that it keeps the others from */
};

struct evc_level {
	struct evc_cpu cpu;          /* the exact common baseline, closed under needs */
	const struct evc_mode *mode; /* best (or wanted) mode, NULL: none */
	unsigned version;
	const struct evc_mode *psabi; /* x86-64-v1 .. v4 reached, NULL: none */
	struct evc_set extra;         /* common features beyond the mode */
	struct evc_level_part *parts; /* one per kind, in arena */
	size_t n_hosts, n_unreadable;
	enum evc_verdict verdict;
};

int evc_level_make(const struct evc_modes *modes, const struct evc_level_kind *kinds, size_t n_kinds,
                   const struct evc_level_options *options, struct evc_arena *arena,
                   struct evc_level *ret_level, struct evc_findings *findings, struct evc_error *err);

#endif
