/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_H
#define EVC_TEXT_CPUINFO_H

/*
 * The text of /proc/cpuinfo on x86: read into lines, strictly; what a line says is not judged here.
 *
 *     processor\t: 0
 *     vendor_id\t: GenuineIntel
 *     ...
 *     power management:
 *     <empty line>
 *     processor\t: 1
 *
 * Blanks instead of tabs, as web pages have it, are accepted, and a text that ends early.  A first line as
 * /proc/version or uname -a print it says which kernel printed the rest: cat /proc/version /proc/cpuinfo.
 */

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

#include <stdint.h>

enum {
	EVC_CPUINFO_MAX_LINES = 64,    /* of one CPU; Linux has printed at most 30 */
	EVC_CPUINFO_MAX_NAME = 31,     /* bytes of a line's name */
	EVC_CPUINFO_MAX_VALUE = 32768, /* bytes of its value; all flags that Linux knows are 3,000 */
};

/* One line; spans lie in the text that was read. */
struct evc_cpuinfo_line {
	struct evc_span name;  /* "cpu family" */
	struct evc_span value; /* "6", trimmed; empty for "power management:" */
	unsigned number;       /* in the text, from 1 */
	unsigned column;       /* of the value, from 1 */
};

/* One logical CPU: its lines in the order of the text, "processor" first, each name once. */
struct evc_cpuinfo_cpu {
	const struct evc_cpuinfo_line *lines;
	size_t n_lines;
	uint32_t number; /* of the processor */
};

struct evc_cpuinfo {
	const struct evc_cpuinfo_cpu *cpus; /* at least one, by rising number */
	size_t n_cpus;
	struct evc_span kernel; /* uname -r of the first line, empty when there is none */
};

/* Does the text begin as /proc/cpuinfo of an x86 machine does? */
bool evc_cpuinfo_recognise(struct evc_span text);

/*
 * All CPUs of the text, in the arena; the text must live as long.  EVC_ERR_INPUT with line and
 * column for what is no such text, EVC_ERR_LIMIT for more than EVC_MAX_CPUS.
 */
int evc_cpuinfo_read(struct evc_span text, struct evc_arena *arena, struct evc_cpuinfo *ret_cpuinfo,
                     struct evc_error *err);

/* The line of this name, or NULL. */
const struct evc_cpuinfo_line *evc_cpuinfo_find(const struct evc_cpuinfo_cpu *cpu, const char *name);

/* The value of that line as a decimal number, all of it; false when there is no such line or number. */
bool evc_cpuinfo_number(const struct evc_cpuinfo_cpu *cpu, const char *name, uint64_t max,
                        uint64_t *ret_value);

/* Is the word one of those in a line such as flags or bugs?  False for no line. */
bool evc_cpuinfo_has(const struct evc_cpuinfo_line *line, struct evc_span word);

#endif
