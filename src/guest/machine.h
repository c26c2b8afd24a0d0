/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_MACHINE_H
#define EVC_GUEST_MACHINE_H

/*
 * A virtual machine without firmware, devices and operating system: one vCPU of KVM's in 64-bit mode and 2
 * MiB of memory, mapped one to one, with the code of guest/micro_code.S in it.  KVM is spoken to directly.
 *
 * What the guest does is bounded: evc_machine_run returns in time whether the guest does or not.
 */

#include "core/dump.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_run;

enum {
	EVC_MACHINE_DATA = 0x20000,    /* where requests and answers begin in the guest's memory */
	EVC_MACHINE_MEMORY = 0x200000, /* bytes of it */
	EVC_MACHINE_KERNEL = 0,        /* rings */
	EVC_MACHINE_USER = 3,
};

struct evc_machine {
	int kvm, vm, vcpu, stats; /* descriptors; -1: not there */
	struct kvm_run *run;
	size_t run_size;
	unsigned char *memory; /* the guest's, EVC_MACHINE_MEMORY bytes */
};

enum evc_machine_end {
	EVC_MACHINE_DONE,      /* came to its end */
	EVC_MACHINE_SHUTDOWN,  /* a fault in its own handler */
	EVC_MACHINE_EMULATION, /* KVM had to emulate an instruction and could not */
	EVC_MACHINE_REFUSED,   /* the CPU does not enter this guest */
	EVC_MACHINE_SILENT,    /* did not return in time */
	EVC_MACHINE_ODD,       /* ended in a way that nothing here asks for */
};

/* EVC_ERR_UNSUPPORTED when there is no /dev/kvm, EVC_ERR_IO with what helps when KVM refuses. */
int evc_machine_make(struct evc_machine *ret_machine, struct evc_error *err);
void evc_machine_free(struct evc_machine *machine);

/*
 * Give the vCPU these leaves: known bits as they are, unknown ones zero, leaves that are not stored zero.
 * Before it runs for the first time.
 */
int evc_machine_give_cpuid(const struct evc_machine *machine, const struct evc_dump *dump,
                           struct evc_arena *arena, struct evc_error *err);

/* One model-specific register of the vCPU; false when KVM does not let it be set to that, or be read. */
bool evc_machine_give_msr(const struct evc_machine *machine, uint32_t index, uint64_t value);
bool evc_machine_msr(const struct evc_machine *machine, uint32_t index, uint64_t *ret_value);

/* XCR0 of the vCPU as KVM knows it; false when KVM does not tell. */
bool evc_machine_xcr0(const struct evc_machine *machine, uint64_t *ret_xcr0);

/* Let the next run begin at a place of the code (EVC_MICRO_ASK ...) in this ring, with two arguments. */
int evc_machine_set(const struct evc_machine *machine, unsigned ring, unsigned place, uint64_t first,
                    uint64_t second, struct evc_error *err);

/* Run until the guest's end, or for at most timeout_ms. */
int evc_machine_run(const struct evc_machine *machine, unsigned timeout_ms, enum evc_machine_end *ret_end,
                    struct evc_error *err);

/* VM exits of the vCPU so far as KVM itself counts them; false when this kernel does not tell. */
bool evc_machine_exits(const struct evc_machine *machine, uint64_t *ret_exits);

/* "KVM could not emulate an instruction of it" */
const char *evc_machine_end_sentence(enum evc_machine_end end);

/* guest/micro_code.S, and where things are in it. */
extern const unsigned char evc_micro_code[];
extern const uint32_t evc_micro_places[];

#endif
