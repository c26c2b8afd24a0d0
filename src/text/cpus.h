/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUS_H
#define EVC_TEXT_CPUS_H

/*
 * What all readers of dumps share: walking lines with their place, gathering the logical CPUs of
 * a host, and folding those that are alike.  For files of src/text only.
 */

#include "core/dump.h"
#include "text/format.h"

/* Lines with their number. Start with evc_lines_from; a byte order mark is dropped. */
struct evc_lines {
	struct evc_span rest, line;
	unsigned number; /* of line, from 1 */
};

struct evc_lines evc_lines_from(struct evc_span text);
bool evc_lines_next(struct evc_lines *lines);

/* Fail at the place where *at begins, which must lie in the current line. */
int evc_lines_fail(const struct evc_lines *lines, struct evc_span at, struct evc_error *err,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

struct evc_cpus_msr {
	uint32_t cpu, index;
	uint64_t value;
	size_t order;
};

/* The logical CPUs of a host while it is read. */
struct evc_cpus {
	struct evc_arena *arena;
	struct evc_dump_builder builder; /* of the open CPU */
	struct evc_dump *items;          /* kinds so far */
	uint64_t *hashes;
	size_t n, size;
	size_t n_total;   /* CPUs so far */
	uint32_t cpu;     /* number of the open one */
	uint32_t highest; /* number of all kinds so far */
	bool open;
	bool skips_zero; /* for all CPUs of this text */
	/* for forms that repeat a leaf instead of numbering its subleaves */
	uint32_t last_leaf, next_subleaf;
	struct evc_cpus_msr *msrs; /* of all CPUs, given to their kinds at the end */
	size_t n_msrs, size_msrs;
};

void evc_cpus_begin(struct evc_cpus *cpus, struct evc_arena *arena);

/* Begin a logical CPU, ending the one before.  One without a leaf or MSR is left out. */
int evc_cpus_open(struct evc_cpus *cpus, uint32_t number, struct evc_error *err);

/* Add to the open CPU; opens the next number when none is open. */
int evc_cpus_leaf(struct evc_cpus *cpus, uint32_t leaf, uint32_t subleaf, const uint32_t value[static 4],
                  struct evc_error *err);

/* A line without subleaf: the n-th in a row of the same leaf is subleaf n, from 0. */
int evc_cpus_repeated(struct evc_cpus *cpus, uint32_t leaf, const uint32_t value[static 4],
                      struct evc_error *err);

/* An MSR of the logical CPU of this number, wherever in the text it stands. */
int evc_cpus_msr(struct evc_cpus *cpus, uint32_t number, uint32_t index, uint64_t value,
                 struct evc_error *err);

/*
 * Let a host of this name have the CPUs and append it.  Nothing to append is an error at line.
 * The cpus are empty again and may be used for the next host.
 */
int evc_cpus_finish(struct evc_cpus *cpus, struct evc_span name, const char *format, struct evc_hosts *hosts,
                    struct evc_error *err);

/* A host without CPUs and facts; the strings are borrowed. */
void evc_host_begin(struct evc_host *host, const char *name, const char *format);

/* Nothing read so far? */
bool evc_cpus_empty(const struct evc_cpus *cpus);

/* The number of the first CPU that is not empty. */
uint32_t evc_cpus_first(const struct evc_cpus *cpus);

/* What a writer cannot keep, as a finding; findings may be NULL. */
void evc_format_loses(struct evc_findings *findings, const struct evc_host *host, const char *format,
                      const char *detail);

/* The usual losses of a form that holds CPUs as leaves and nothing else. */
enum evc_holds {
	EVC_HOLDS_CPUS = 1, /* more than one kind of logical CPU */
	EVC_HOLDS_MSRS = 2,
	EVC_HOLDS_PARTIAL = 4, /* registers that are known in part */
	EVC_HOLDS_SKIPS = 8,   /* that leaves left out are zero */
};
void evc_format_usual_losses(struct evc_findings *findings, const struct evc_host *host, const char *format,
                             unsigned holds);

/* Are all bits of the leaf known? */
bool evc_leaf_whole(const struct evc_leaf *leaf);

/* Four registers separated by one of the characters; false, nothing taken when they are not there. */
bool evc_span_registers(struct evc_span *span, const char *separators, uint32_t ret_value[static 4]);

#endif
