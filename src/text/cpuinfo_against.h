/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_AGAINST_H
#define EVC_TEXT_CPUINFO_AGAINST_H

/*
 * A prediction against a real /proc/cpuinfo, and what would explain each difference.
 *
 * An explanation is an experiment: the prediction is made again with another MSR, boot option,
 * hypervisor, shape, clock, microcode or kernel, and counts if the difference is then gone and no
 * new one has come.
 */

#include "base/sink.h"
#include "core/linux.h"
#include "text/cpuinfo.h"

#include <jansson.h>

struct evc_cpuinfo_difference {
	enum evc_linux_target target; /* a flag, a bug, or another line */
	struct evc_span name;
	struct evc_span real;    /* the value of a line; empty for a word */
	const char *predicted;   /* the same */
	bool in_real, predicts;  /* is it there */
	bool unknown;            /* nobody could say: predicts and predicted mean nothing */
	bool varies;             /* changes while the machine runs: not counted */
	const char *explanation; /* "--env msr.0x1a0=0x1", "" when there is none */
	const char *why;         /* "with MSR 0x1a0 bit 0 set", "" when there is none */
};

struct evc_cpuinfo_comparison {
	struct evc_cpuinfo_difference *items;
	size_t n;       /* differences and unknowns, those that vary included */
	size_t n_count; /* without those that vary */
};

/*
 * One CPU of the real text against the prediction that the question asks for.  The question's env must
 * not be NULL; its trace is not used.  Strings are the arena's or the text's.
 */
int evc_cpuinfo_against(const struct evc_linux_question *question, const struct evc_cpuinfo *real, size_t cpu,
                        struct evc_arena *arena, struct evc_cpuinfo_comparison *ret_comparison,
                        struct evc_error *err);

/* One difference a line, its explanation below it. */
void evc_cpuinfo_against_print(const struct evc_cpuinfo_comparison *comparison, struct evc_sink *sink);

/* [{"kind", "name", "real", "predicted", "explanation", "why"}], new reference. */
json_t *evc_cpuinfo_against_json(const struct evc_cpuinfo_comparison *comparison);

#endif
