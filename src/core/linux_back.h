/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LINUX_BACK_H
#define EVC_CORE_LINUX_BACK_H

/* The way back: what the words of a /proc/cpuinfo prove of the registers they came from. */

#include "core/linux.h"

struct evc_linux_listing {
	const struct evc_linux_tree *tree;   /* the kernel that printed it; NULL: not known */
	const struct evc_linux_build *build; /* how it was configured; NULL: nobody knows */
	struct evc_span flags, bugs;         /* the words of these lines */
	bool has_bugs;                       /* is there a line of bugs */
};

/*
 * Add to a dump, which holds what the other lines say, each bit that the words prove to be one or zero;
 * whatever could be otherwise stays unknown, for any table of CPUID at all.  Words that contradict each other
 * prove nothing.
 */
int evc_linux_back(const struct evc_linux_listing *listing, const struct evc_dump *dump,
                   struct evc_arena *arena, struct evc_dump *ret_dump, struct evc_error *err);

/* Could this kernel have printed all these flags?  Only names count. */
bool evc_linux_prints(const struct evc_linux_tree *tree, struct evc_span flags);

/* Is the flag among those printed, by whichever name the kernel gives it? */
bool evc_linux_lists(const struct evc_linux_listing *listing, enum evc_linux_flag flag);

/*
 * What they prove besides of a CPU that no hypervisor stands before, which has what its features need, and of
 * the state of XSAVE.  The dump is one that evc_linux_back made.
 */
int evc_linux_back_built(const struct evc_linux_listing *listing, const struct evc_dump *dump,
                         struct evc_arena *arena, struct evc_dump *ret_dump, struct evc_error *err);

#endif
