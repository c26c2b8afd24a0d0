/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_KERNELS_H
#define EVC_TEXT_CPUINFO_KERNELS_H

/*
 * Kernels as rows and columns: which there are, which one stands for a version that somebody
 * named, and what each prints of the same CPU.
 */

#include "base/arena.h"
#include "base/sink.h"
#include "core/linux.h"

#include <jansson.h>

/* All trees and the names that stand for them, a line each. */
void evc_cpuinfo_list(struct evc_sink *sink);
json_t *evc_cpuinfo_list_json(void);

/* Which tree answers and how near it is: "no such kernel was read; 6.1.192 (Debian 12) is ...". */
const char *evc_cpuinfo_match(const struct evc_linux_kernel *kernel, struct evc_arena *arena);

/* A flag or bug whose cells are not all alike. */
struct evc_cpuinfo_kernels_row {
	const char *name;
	bool bug;
	char *cells; /* one for each tree: x there, . not there, ? unknown; of two subjects also - lost, +
	                gained */
};

struct evc_cpuinfo_kernels {
	struct evc_cpuinfo_kernels_row *rows; /* flags, then bugs */
	size_t n_rows;
	size_t n_subjects;
};

/*
 * One question: what appears or vanishes from kernel to kernel.  Two: what is lost or gained between
 * them, where any kernel shows a difference.  The questions' trees and traces are not used.
 */
int evc_cpuinfo_kernels_make(const struct evc_linux_question *questions, size_t n_questions,
                             struct evc_arena *arena, struct evc_cpuinfo_kernels *ret_kernels,
                             struct evc_error *err);

/* names: of the subjects, as many as there were questions. */
void evc_cpuinfo_kernels_print(const struct evc_cpuinfo_kernels *kernels, const char *const *names,
                               struct evc_sink *sink);
json_t *evc_cpuinfo_kernels_json(const struct evc_cpuinfo_kernels *kernels, const char *const *names);

#endif
