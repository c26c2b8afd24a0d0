/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_MODE_H
#define EVC_CORE_MODE_H

/*
 * Modes: named levels.  A mode is a whitelist of features, a signature and highest leaves.
 *
 * A mode has versions.  Version 1 is what the generation had when it was new; each later version
 * adds security bits that microcode brought afterwards (IBRS in 2018, MD_CLEAR in 2019).
 * "intel-haswell@2" means exactly that version; "intel-haswell" means the newest version that
 * every host has, so that a new bit stays hidden until the last host is patched.
 *
 * A mode has the versions of the mode it is from as well, in order of their dates.  What "every host
 * has" is the smallest of each host's evc_mode_best_version: the united cpu of a level would not do,
 * since one host's warning bit is in it for all.
 *
 * Modes are ordered partly: A is at least B when A's features include B's.  Newer is not a superset:
 * amd-zen is not above amd-bulldozer.  tracks and tier say the same as two values, the way vCenter
 * does (A's tracks include B's and A's tier is at least B's); a test holds both against each other.
 *
 * Some features are not a mode's to take: what the hypervisor itself supplies (x2apic,
 * tsc-deadline, the hypervisor bit, arat ...).  They pass (evc_modes.passes), levelled as their rule
 * says.  Whole leaves pass too (evc_modes.leaves): brand, caches, topology, clock, the hypervisor's.
 *
 * The features of the XSAVE state (xcr0-avx ...) are listed by a mode like any other; sizes and
 * offsets follow from them and are computed (core/vcpu.h).
 */

#include "core/cpu.h"

enum evc_provenance {
	EVC_PROVENANCE_READ,     /* read in a source */
	EVC_PROVENANCE_INFERRED, /* deduced from sources */
	EVC_PROVENANCE_CHOSEN,   /* our choice, no source says */
};

/* Where a value comes from. */
struct evc_claim {
	enum evc_provenance provenance;
	const char *source; /* key of sources.txt with a place, "" when chosen */
};

struct evc_mode_number {
	uint32_t value;
	enum evc_provenance provenance;
	const char *source; /* key of sources.txt, "" when chosen */
};

struct evc_mode_version {
	unsigned number;         /* 1, 2, ... */
	struct evc_set features; /* all of this version, those of earlier ones included */
	struct evc_set adds;     /* what this version added (version 1: to the mode it is from) */
	const char *since;       /* date, "2018-01"; "" for version 1 */
	const char *why;         /* "Spectre variant 2 controls"; "" for version 1 */
	enum evc_provenance provenance;
	const char *source;
};

enum evc_mode_change_kind {
	EVC_MODE_ADDS,
	EVC_MODE_DROPS,
	EVC_MODE_HOLDS, /* there by the mode it is from, and here by this source as well */
};

/* One line of the mode's text, so that each feature can say where it comes from. */
struct evc_mode_change {
	enum evc_mode_change_kind kind;
	unsigned line;
	struct evc_set features;
	struct evc_claim claim;
};

struct evc_mode {
	const char *key;                                            /* "intel-haswell" */
	const char *label;                                          /* "Intel \"Haswell\" Generation" */
	const char *origin;                                         /* "modes.txt:40" */
	const char *vendor;                                         /* "intel", "amd", "any" */
	unsigned vendors;                                           /* mask of enum evc_vendor */
	const char *tracks;                                         /* blank-separated, as EVCMode.track */
	unsigned tier;                                              /* as EVCMode.vendorTier */
	struct evc_claim label_claim, order_claim, host_keys_claim; /* of label; tracks and tier; host_keys */
	const struct evc_mode *from;                                /* NULL for a first one */
	unsigned from_version; /* the version of it that version 1 starts with */
	struct evc_mode_number family, model, stepping, max_basic, max_extended;
	bool keeps_signature; /* no family, model, stepping of its own (x86-64-v1 .. v4): the host's stay */
	const struct evc_mode_version *versions;
	size_t n_versions;
	const char *host_keys; /* VMware keys that are about hosts, not guests: "DS MWAIT VMX hv.capable" */
	const struct evc_mode_change *changes;
	size_t n_changes;
};

struct evc_leaf_range {
	uint32_t first, last;
};

/* items and bases are in the order of the text: per vendor, low to high. */
struct evc_modes {
	const struct evc_mode *const *items;
	size_t n;
	const struct evc_mode *const *bases; /* what modes begin with; not modes themselves */
	size_t n_bases;
	struct evc_set passes;               /* what a mode never takes away, all of leaves included */
	const struct evc_leaf_range *leaves; /* that stay the host's as they are, named bits or not */
	size_t n_leaves;
	const char *passes_origin; /* NULL until passes were read */
};

/* "intel-haswell" or "intel-haswell@2", upper case and '_' for '-' allowed; *ret_version 0 when none was
 * named. */
int evc_modes_find(const struct evc_modes *modes, struct evc_span name, const struct evc_mode **ret_mode,
                   unsigned *ret_version, struct evc_error *err);

/* Is a at least b: a's vendors are among b's, features of a's version 1 include b's? */
bool evc_mode_covers(const struct evc_mode *a, const struct evc_mode *b);

/* The features of a version; 0 means version 1. */
const struct evc_mode_version *evc_mode_version(const struct evc_mode *mode, unsigned number);

/* Is a at least b by tracks and tier alone, as vCenter compares them? */
bool evc_mode_ranks_above(const struct evc_mode *a, const struct evc_mode *b);

/* Where a feature of the mode comes from, and which mode of its line says so; NULL when it has it in no
 * version. */
const struct evc_claim *evc_mode_claim(const struct evc_mode *mode, enum evc_feature_id id,
                                       const struct evc_mode **ret_by);

/* Does the leaf stay the host's whatever the mode? */
bool evc_modes_leaf_passes(const struct evc_modes *modes, uint32_t leaf);

const char *evc_provenance_name(enum evc_provenance provenance);

/*
 * Has the cpu all that the version asks for?  ret_lacks and ret_unsure (may be NULL) get what is
 * missing and what is not known.  Vendor counts: another one is "no", an unknown one "unknown".
 */
enum evc_verdict evc_mode_satisfied(const struct evc_mode *mode, unsigned version, const struct evc_cpu *cpu,
                                    struct evc_set *ret_lacks, struct evc_set *ret_unsure);

/* The newest version the cpu satisfies; 0 when not even the first. */
unsigned evc_mode_best_version(const struct evc_mode *mode, const struct evc_cpu *cpu);

/*
 * Modes that the cpu satisfies and that no other satisfied one of the same vendor word covers: usually one of
 * the cpu's vendor and one psABI level ("any").  In the order of modes; at most size are stored, all counted.
 */
size_t evc_modes_best(const struct evc_modes *modes, const struct evc_cpu *cpu,
                      const struct evc_mode **ret_best, size_t size);

#endif
