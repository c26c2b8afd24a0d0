/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_DUMP_H
#define EVC_CORE_DUMP_H

/*
 * A dump: what CPUID and some MSRs said on one logical CPU, leaf by leaf, uninterpreted.
 *
 * Every bit is known or unknown.  A reader stores what the file says and nothing else; whether
 * a leaf that is not stored is zero or unknown is decided here, once, by the rules of CPUID:
 *
 *   above the highest leaf of its range      known, zero; what a dumper stored there is junk
 *   the range's highest leaf is not stored   unknown
 *   a subleaf that its leaf does not announce  known, zero
 *   otherwise                                unknown, unless the dumper leaves out zero leaves
 *
 * so that "the dump is too old to have leaf 0xd.1" is never taken for "the CPU has no XSAVES".
 */

#include "base/arena.h"
#include "base/error.h"
#include "core/bit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evc_leaf {
	uint32_t leaf;
	uint32_t subleaf;
	uint32_t value[4]; /* by enum evc_reg; zero where unknown */
	uint32_t known[4]; /* a one for each known bit */
};

struct evc_msr {
	uint32_t index;
	uint64_t value;
	uint64_t known;
};

/* One logical CPU.  Leaves are sorted by leaf and subleaf, MSRs by index, each once. */
struct evc_dump {
	const struct evc_leaf *leaves;
	const struct evc_msr *msrs;
	size_t n_leaves;
	size_t n_msrs;
	uint32_t cpu;     /* number of the logical CPU it was taken on */
	uint32_t n_alike; /* logical CPUs it stands for, at least 1 */
	bool skips_zero;  /* the dumper leaves out leaves that are all zero */
};

/* What is known of a machine beside its CPUID; "" or 0 where unknown. */
struct evc_facts {
	const char *kernel;      /* uname -r */
	const char *qemu;        /* QEMU version, "7.2.22" */
	const char *firmware;    /* vendor and version */
	const char *kvm_module;  /* kvm_intel, kvm_amd, other */
	const char *kvm_options; /* "nested=1 ept=1 ...", as the module's parameters read */
	const char *origin;      /* where a dump that is passed on comes from */
	const char *licence;     /* and under which licence it was published */
	uint32_t microcode;      /* revision */
	uint32_t tsc_khz;
};

enum evc_reading {
	EVC_READ,    /* read whole */
	EVC_PARTIAL, /* read, but something is missing: see error */
	EVC_DAMAGED, /* could not be read: everything about this host is unknown */
};

/* A machine, or a guest: what its logical CPUs said, and what its KVM says it can offer. */
struct evc_host {
	const char *name;            /* never NULL */
	const char *format;          /* the form it was read from, "json", "cpuid", ... */
	const struct evc_dump *cpus; /* first is the one that counts where one is asked for */
	size_t n_cpus;
	const struct evc_dump *kvm; /* KVM_GET_SUPPORTED_CPUID and feature MSRs; NULL: not captured */
	const struct evc_dump *kvm_emulated; /* KVM_GET_EMULATED_CPUID; NULL: not captured */
	struct evc_facts facts;
	enum evc_reading reading;
	struct evc_error error; /* why, unless EVC_READ */
};

enum {
	EVC_MAX_LEAVES = 4096, /* leaves of one logical CPU */
	EVC_MAX_CPUS = 8192,   /* logical CPUs of one host */
	EVC_MAX_MSRS = 4096,
};

/* The stored leaf, junk included, or NULL. */
const struct evc_leaf *evc_dump_find(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf);

/*
 * One register by the rules above.  For EVC_MSR leaf is the index.  ret_known gets a one for each
 * bit whose value is known.
 */
uint64_t evc_dump_register(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf, enum evc_reg reg,
                           uint64_t *ret_known);

/* Many leaves of a dump, best in order: the highest leaf of a range is looked up once. */
struct evc_dump_reader {
	const struct evc_dump *dump;
	size_t at;     /* where the last leaf was found, or would be */
	bool in_range; /* the rest is of this range */
	uint32_t range, highest;
	bool highest_known;
};

/* All four registers of a leaf by the rules above; a new reader has its dump and zeros. */
void evc_dump_reader_leaf(struct evc_dump_reader *reader, uint32_t leaf, uint32_t subleaf,
                          struct evc_leaf *ret_leaf);
void evc_dump_leaf(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf, struct evc_leaf *ret_leaf);

/* The value of a place; ret_known (may be NULL) says whether all its bits are known. */
uint64_t evc_dump_get(const struct evc_dump *dump, struct evc_bit bit, bool *ret_known);

/* Highest leaf of the range that leaf belongs to (basic, hypervisor, extended, Centaur, Transmeta); 0 if
 * unknown or no such range. */
uint32_t evc_dump_highest(const struct evc_dump *dump, uint32_t leaf);

/* True for a leaf above its range's highest: a reader may store it, nobody believes it. */
bool evc_dump_is_junk(const struct evc_dump *dump, const struct evc_leaf *leaf);

/*
 * Building: a writable dump whose memory is an arena's.  Leaves and MSRs may be set in any
 * order; a later value of the same place wins.  evc_dump_finish sorts and returns the dump.
 */
struct evc_dump_builder {
	struct evc_arena *arena;
	struct evc_leaf *leaves;
	struct evc_msr *msrs;
	size_t n_leaves, size_leaves;
	size_t n_msrs, size_msrs;
	bool overflow; /* more than EVC_MAX_LEAVES or EVC_MAX_MSRS */
};

void evc_dump_begin(struct evc_dump_builder *builder, struct evc_arena *arena);

/* All four registers known. */
void evc_dump_set_leaf(struct evc_dump_builder *builder, uint32_t leaf, uint32_t subleaf,
                       const uint32_t value[static 4]);

/* Some bits known: the known ones are added to what the leaf already holds. */
void evc_dump_set_bits(struct evc_dump_builder *builder, const struct evc_leaf *leaf);
void evc_dump_set_msr(struct evc_dump_builder *builder, uint32_t index, uint64_t value, uint64_t known);

/* Copy every leaf and MSR of a dump into the builder. */
void evc_dump_copy(struct evc_dump_builder *builder, const struct evc_dump *dump);

/* 0, EVC_ERR_LIMIT or EVC_ERR_MEMORY. */
int evc_dump_finish(struct evc_dump_builder *builder, struct evc_dump *ret_dump, struct evc_error *err);

#endif
