/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_PROBE_H
#define EVC_CORE_PROBE_H

/*
 * A probe: what a guest said from inside.  CPUID of each logical CPU, what XSAVE really does, what
 * executing instructions did, and what its kernel made of it.  text/probe.h reads it from what the
 * probe program prints.
 */

#include "core/dump.h"

enum evc_outcome_kind {
	EVC_OUTCOME_NONE,  /* was not tried, or the probe did not come back from it */
	EVC_OUTCOME_RAN,   /* executed */
	EVC_OUTCOME_FAULT, /* an exception of the CPU: vector */
};

/* What executing one instruction did. */
struct evc_outcome {
	enum evc_outcome_kind kind;
	uint8_t vector; /* of a fault: 6 for #UD, 13 for #GP */
	uint32_t value; /* EAX after it ran */
};

/* A line of the kernel: "spectre_v2", "Mitigation: Retpolines". */
struct evc_probe_line {
	const char *name;
	const char *text;
};

struct evc_probe {
	struct evc_host host;   /* name, the kinds of vCPU with MSRs where they could be read, facts.kernel */
	unsigned n_cpus;        /* logical CPUs in all */
	bool cpus_missed;       /* the probe could not get to some of them */
	bool has_xcr0;          /* CR4.OSXSAVE is on, and XGETBV answered: */
	uint64_t xcr0;          /* of the first CPU */
	bool xcr0_differs;      /* between CPUs */
	uint32_t xsave_stated;  /* bytes for XCR0 as CPUID says, 0: no XSAVE */
	uint32_t xsave_written; /* bytes up to the last one that XSAVE wrote, 0: was not tried */
	uint32_t compact_stated; /* of XSAVEC as CPUID says, 0: does not have it */
	const char *msr;         /* why no MSR could be read, "" when some were */
	const char *cpuinfo;     /* /proc/cpuinfo, "" when not there */
	const struct evc_probe_line
		*vulnerabilities; /* /sys/devices/system/cpu/vulnerabilities, sorted by name */
	size_t n_vulnerabilities;
	/* By index of evc_instructions, evc_n_instructions of them; NULL: none was tried. */
	const struct evc_outcome *outcomes;
	bool ran;      /* the probe program did; else only the host and its CPUs are known */
	bool complete; /* the end was there: nothing after it is missing */
};

/* "#UD"; vectors that have no name are "#32". buf holds the latter. */
enum { EVC_VECTOR_TEXT = 8 };
const char *evc_vector_name(uint8_t vector, char buf[static EVC_VECTOR_TEXT]);

/* Does the probe's outcome show that the CPU has the instruction's feature?  Unknown when not tried or
 * without meaning. */
enum evc_verdict evc_probe_shows(const struct evc_probe *probe, size_t instruction);

#endif
