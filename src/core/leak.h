/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LEAK_H
#define EVC_CORE_LEAK_H

/*
 * Leaks: instructions that CPUID hides from a guest and that execute in it all the same; and those
 * that it shows and that do not.  Of each, what could stop it.
 */

#include "core/cpu.h"
#include "core/instruction.h"
#include "core/probe.h"

enum evc_leak_kind {
	EVC_LEAK_UNTRIED, /* not tried, or nobody knows whether CPUID shows it */
	EVC_LEAK_WORKS,   /* shown, and executes */
	EVC_LEAK_HELD,    /* hidden, and refused */
	EVC_LEAK_SILENT,  /* hidden and executes, as it does on CPUs that do not have the feature */
	EVC_LEAK_LEAKS,   /* hidden, and executes */
	EVC_LEAK_REFUSED, /* shown, and refused */
};

enum { EVC_N_LEAK_KINDS = EVC_LEAK_REFUSED + 1 };

/* A control that the instruction obeys, on CPUs of the guest's vendor. */
struct evc_leak_stop {
	const struct evc_control *control;
	bool alone;   /* pulling it takes nothing that the guest is shown */
	bool engaged; /* known to be what refuses the instruction in this guest */
};

struct evc_leak {
	enum evc_leak_kind kind;
	enum evc_truth shown; /* by CPUID */
	bool older;           /* executed with the meaning that the bytes have on older CPUs */
	struct evc_leak_stop stops[EVC_MAX_CONTROLS];
	size_t n_stops;
	bool stoppable; /* one of the stops is alone */
};

/* cpu is the decoded dump of the probe's guest. */
void evc_leak_judge(const struct evc_probe *probe, const struct evc_cpu *cpu, size_t instruction,
                    struct evc_leak *ret_leak);

/* How many instructions are of each kind. */
void evc_leak_count(const struct evc_probe *probe, const struct evc_cpu *cpu,
                    size_t ret_count[static EVC_N_LEAK_KINDS]);

/* "leaks" */
const char *evc_leak_kind_name(enum evc_leak_kind kind);

#endif
