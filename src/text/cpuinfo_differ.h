/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_DIFFER_H
#define EVC_TEXT_CPUINFO_DIFFER_H

/* What differs between a prediction and one CPU of a real /proc/cpuinfo; for evc_cpuinfo_against. */

#include "text/cpuinfo_against.h"

enum { EVC_CPUINFO_MAX_DIFFERENCES = 512 };

/* A word of a real line, and the last comparison whose kernel has a name for it. */
struct evc_cpuinfo_real_word {
	struct evc_span word; /* text NULL: a free place of the table */
	unsigned round;
};

struct evc_cpuinfo_real_words {
	struct evc_cpuinfo_real_word *items;  /* a table by hash, NULL: there is no such line */
	struct evc_cpuinfo_real_word **order; /* as the line has them, each once */
	size_t n, size;
};

struct evc_cpuinfo_real {
	const struct evc_cpuinfo_cpu *cpu;
	const struct evc_cpuinfo_line *lines[EVC_LINUX_N_LINES]; /* NULL: not printed */
	struct evc_cpuinfo_real_words flags, bugs, vmx;
	unsigned rounds;
};

struct evc_cpuinfo_differences {
	struct evc_arena *arena; /* of the values' texts */
	struct evc_cpuinfo_difference *items;
	size_t n;
	unsigned round;
};

/* False when memory is out; ret_real points into the CPU and the arena. */
bool evc_cpuinfo_real_index(const struct evc_cpuinfo_cpu *cpu, struct evc_arena *arena,
                            struct evc_cpuinfo_real *ret_real);

/* Replace found's items; their explanations are not set. */
void evc_cpuinfo_differ(const struct evc_linux_view *view, struct evc_cpuinfo_real *real,
                        struct evc_cpuinfo_differences *found);

#endif
