/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_MICRO_H
#define EVC_GUEST_MICRO_H

/*
 * The micro-VM: what a guest sees of a vCPU, by its own instructions, without QEMU and without an
 * operating system.  Given a vCPU as a dump it is asked CPUID leaf by leaf in ring 0 and in ring 3,
 * model-specific registers and XCR0, and what KVM itself says of the vCPU is read back.
 *
 * Whatever the guest or KVM does, it is a result: an error is returned only when nothing could be tried.
 */

#include "core/dump.h"
#include "guest/machine.h"

struct evc_micro {
	struct evc_dump given;            /* what the vCPU was given: what is unknown in the vcpu is zero */
	struct evc_dump refused;          /* MSRs among them that KVM did not let be set */
	struct evc_dump shown;            /* read back from KVM before it ran: KVM_GET_CPUID2, KVM_GET_MSRS */
	struct evc_dump seen;             /* by CPUID and RDMSR in ring 0; an MSR that faults is zero */
	struct evc_dump seen_by_programs; /* by CPUID in ring 3; empty when it did not get there */
	enum evc_machine_end end;         /* of the first run that did not come to its end, else DONE */
	const char *end_at;               /* where: "CPUID of leaf 7.0 in ring 3", "" when DONE */
	size_t n_asked;                   /* instructions executed that ask for something */
	bool has_xcr0;                    /* OSXSAVE could be switched on and XGETBV answered */
	uint64_t xcr0_allowed;            /* states that leaf 0xd offers */
	uint64_t xcr0;                    /* after XSETBV of all of them */
	bool xcr0_learnt;    /* KVM itself says that XCR0 is what the guest wrote, or does not tell */
	bool xsetbv_refused; /* XSETBV of what leaf 0xd offers faulted */
	uint32_t xsave_size; /* leaf 0xd EBX after it */
	bool exits_counted;  /* by KVM itself; older kernels do not tell */
	uint64_t exits;      /* VM exits of it all */
};

/* Memory from arena.  EVC_ERR_UNSUPPORTED without /dev/kvm, EVC_ERR_IO with what helps when KVM refuses. */
int evc_micro_look(const struct evc_dump *vcpu, struct evc_arena *arena, struct evc_micro *ret_micro,
                   struct evc_error *err);

enum { EVC_MICRO_BATCHES = 40 };

/* What one CPUID costs in a guest: an exit to KVM and the way back. */
struct evc_micro_cost {
	uint64_t n;                /* CPUIDs of all batches */
	double best_ns, median_ns; /* wall-clock time of one, by batches of a loop that does nothing else */
	uint32_t tsc_khz;          /* cycles of the vCPU's clock per ms, 0 when KVM does not tell */
	uint32_t least, median;    /* cycles of one, between two RDTSC */
	uint32_t clock_least;      /* cycles between two RDTSC with nothing between */
	bool exits_counted;
	double exits_per_cpuid; /* as KVM counts them in the loop: 1 unless something else exits */
};

/* EVC_ERR_IO also when the guest did not come to its end. */
int evc_micro_measure(const struct evc_dump *vcpu, uint64_t n, struct evc_arena *arena,
                      struct evc_micro_cost *ret_cost, struct evc_error *err);

#endif
