/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_CAPTURE_H
#define EVC_HOST_CAPTURE_H

/*
 * Capture: this machine as a host.  CPUID of each logical CPU, alike ones folded; feature MSRs
 * where /dev/cpu/N/msr can be read; KVM's answers where /dev/kvm can be opened; kernel, firmware,
 * microcode, KVM's module and its parameters, QEMU's version.
 */

#include "core/dump.h"
#include "core/finding.h"

struct evc_capture_options {
	bool fast;        /* only the CPU this runs on, no MSRs, no KVM, no other programs: under 1 ms */
	bool no_kvm;      /* leave /dev/kvm alone */
	bool no_programs; /* start nothing */
	bool each;        /* every logical CPU for itself, even those that are alike */
	bool kernels;     /* CPUID as the kernel is given it, where /dev/cpu/N/cpuid can be read: under a
	                     paravirtual kernel that is not what programs are given */
	const char *name; /* of the host; NULL: its host name */
};

/*
 * What could not be read is a finding and not an error: a note where nothing hangs on it, a
 * warning where the offer then has to be predicted, a doubt (and EVC_PARTIAL) where a CPU was not
 * seen.  Everything lives in arena, which findings must share.  options may be NULL.
 */
int evc_capture(struct evc_arena *arena, const struct evc_capture_options *options, struct evc_host *ret_host,
                struct evc_findings *findings, struct evc_error *err);

#endif
