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
 * Modes are ordered partly: A is at least B when A's features include B's (newest versions) and
 * its tracks cover B's.  Newer is not a superset: amd-zen is not above amd-bulldozer.
 *
 * Some features are not a mode's to take: what the hypervisor itself supplies (x2apic,
 * tsc-deadline, the hypervisor bit, arat ...).  They pass (evc_modes.passes).
 */

#include "core/cpu.h"

enum evc_provenance {
	EVC_PROVENANCE_READ,     /* read in a source */
	EVC_PROVENANCE_INFERRED, /* deduced from sources */
	EVC_PROVENANCE_CHOSEN,   /* our choice, no source says */
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
	const char *since;       /* date, "2018-01" */
	const char *why;         /* "Spectre variant 2 controls" */
	enum evc_provenance provenance;
	const char *source;
};

struct evc_mode {
	const char *key;             /* "intel-haswell" */
	const char *label;           /* "Intel \"Haswell\" Generation" */
	const char *origin;          /* "modes.txt:40" */
	const char *vendor;          /* "intel", "amd", "any" */
	unsigned vendors;            /* mask of enum evc_vendor */
	const char *tracks;          /* blank-separated, as EVCMode.track */
	unsigned tier;               /* as EVCMode.vendorTier */
	const struct evc_mode *from; /* NULL for a first one */
	struct evc_mode_number family, model, stepping, max_basic, max_extended;
	bool keeps_signature; /* no family, model, stepping of its own (x86-64-v1 .. v4): the host's stay */
	const struct evc_mode_version *versions;
	size_t n_versions;
	const char *host_keys; /* VMware keys that are about hosts, not guests: "DS MWAIT VMX hv.capable" */
};

struct evc_modes {
	const struct evc_mode *const *items; /* in the order of the file: per vendor, low to high */
	size_t n;
	struct evc_set passes; /* what a mode never takes away */
};

/* "intel-haswell" or "intel-haswell@2"; *ret_version 0 when none was named. */
int evc_modes_find(const struct evc_modes *modes, struct evc_span name, const struct evc_mode **ret_mode,
                   unsigned *ret_version, struct evc_error *err);

/* Is a at least b: same vendor or b for any, features of a's version 1 include b's? */
bool evc_mode_covers(const struct evc_mode *a, const struct evc_mode *b);

/* The features of a version; 0 means version 1. */
const struct evc_mode_version *evc_mode_version(const struct evc_mode *mode, unsigned number);

/*
 * Has the cpu all that the version asks for?  ret_lacks and ret_unsure (may be NULL) get what is
 * missing and what is not known.  Vendor counts.
 */
enum evc_verdict evc_mode_satisfied(const struct evc_mode *mode, unsigned version, const struct evc_cpu *cpu,
                                    struct evc_set *ret_lacks, struct evc_set *ret_unsure);

/* The newest version the cpu satisfies; 0 when not even the first. */
unsigned evc_mode_best_version(const struct evc_mode *mode, const struct evc_cpu *cpu);

/* Modes that the cpu satisfies and that no other satisfied one covers: usually one per vendor and one psABI
 * level. */
size_t evc_modes_best(const struct evc_modes *modes, const struct evc_cpu *cpu,
                      const struct evc_mode **ret_best, size_t size);

#endif
