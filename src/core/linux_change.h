/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LINUX_CHANGE_H
#define EVC_CORE_LINUX_CHANGE_H

/*
 * What changes between two predictions of one kernel, word by word, and which conditions made it:
 * the leaves of the two traces whose answers are not the same.
 */

#include "core/linux.h"

enum { EVC_LINUX_MAX_CAUSES = 6 };

struct evc_linux_told {
	const struct evc_linux_view *view;
	const struct evc_linux_trace *trace; /* of that view */
};

/* A question that the kernel asks and that was answered otherwise; 0: not asked there. */
struct evc_linux_cause {
	uint16_t before, after; /* nodes of the two traces */
	uint16_t through;       /* node of the trace before: another flag or bug that lies between; 0: none */
	const char *where;      /* the kernel's function */
};

struct evc_linux_change {
	enum evc_linux_target target;
	uint16_t id;
	struct evc_linux_truth before, after; /* is it there; of a line: is it printed */
	struct evc_linux_cause causes[EVC_LINUX_MAX_CAUSES];
	unsigned n_causes;
};

struct evc_linux_changes {
	struct evc_linux_change *items; /* lines, flags, bugs; each in printing order */
	size_t n;
};

/* All words that the kernel prints and all lines; both sides of the same tree. */
int evc_linux_compare(const struct evc_linux_told *before, const struct evc_linux_told *after,
                      struct evc_arena *arena, struct evc_linux_changes *ret_changes, struct evc_error *err);

/* The causes of one word or line, whether it changed or not. */
void evc_linux_find_causes(const struct evc_linux_told *before, const struct evc_linux_told *after,
                           struct evc_linux_change *change);

#endif
