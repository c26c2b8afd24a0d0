/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests that do not behave, on a real KVM: TAP on standard output.  A program without shared libraries, so
 * that it can be put into a host of the lab; where there is no KVM it says that it skips.
 */
#include "guest/machine.h"
#include "guest/micro.h"
#include "guest/micro_code.h"
#include "host/kvm.h"

#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	IDT = 0x5000, /* guest/machine.c */
	VECTOR_UD = 6,
	VECTOR_GP = 13,
	NO_MSR = 0x12345678,
};

struct request {
	uint32_t op, first, second;
	int32_t state;
	uint32_t answer[4];
};

static unsigned number, failed;

static void result(bool good, const char *name)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++number, name);
	failed += !good;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A machine with what KVM supports, or none. */
static bool make(struct evc_machine *machine, struct evc_arena *arena)
{
	struct evc_error err = { 0 };
	struct evc_dump supported;

	if (evc_machine_make(machine, &err) < 0 ||
	    evc_kvm_cpuid(machine->kvm, KVM_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID", arena, &supported,
	                  &err) < 0 ||
	    evc_machine_give_cpuid(machine, &supported, arena, &err) < 0) {
		printf("# %s\n", err.text);
		return false;
	}
	return true;
}

/* One request in a ring: its state, and how the run ended. */
static int32_t ask(struct evc_machine *machine, unsigned ring, uint32_t op, uint32_t first, uint32_t second,
                   enum evc_machine_end *ret_end)
{
	struct request request = { .op = op, .first = first, .second = second, .state = -1 };
	struct evc_error err = { 0 };

	memcpy(machine->memory + EVC_MACHINE_DATA, &request, sizeof(request));
	*ret_end = EVC_MACHINE_ODD;
	if (evc_machine_set(machine, ring, EVC_MICRO_ASK, EVC_MACHINE_DATA, 1, &err) < 0 ||
	    evc_machine_run(machine, 5000, ret_end, &err) < 0)
		printf("# %s\n", err.text);
	memcpy(&request, machine->memory + EVC_MACHINE_DATA, sizeof(request));
	return request.state;
}

static void faults(struct evc_machine *machine)
{
	enum evc_machine_end end;

	result(ask(machine, EVC_MACHINE_KERNEL, EVC_MICRO_CPUID, 0, 0, &end) == 0 && end == EVC_MACHINE_DONE,
	       "CPUID is answered in ring 0");
	result(ask(machine, EVC_MACHINE_KERNEL, EVC_MICRO_RDMSR, NO_MSR, 0, &end) ==
	                       EVC_MICRO_FAULTED + VECTOR_GP &&
	               end == EVC_MACHINE_DONE,
	       "an MSR that is not there faults, and the guest goes on");
	result(ask(machine, EVC_MACHINE_USER, EVC_MICRO_CPUID, 0, 0, &end) == 0 && end == EVC_MACHINE_DONE,
	       "CPUID is answered in ring 3");
	result(ask(machine, EVC_MACHINE_USER, EVC_MICRO_RDMSR, NO_MSR, 0, &end) ==
	                       EVC_MICRO_FAULTED + VECTOR_GP &&
	               end == EVC_MACHINE_DONE,
	       "ring 3 may not read MSRs: it faults, and the guest goes on");
	result(ask(machine, EVC_MACHINE_KERNEL, EVC_MICRO_XGETBV, 0, 0, &end) ==
	                       EVC_MICRO_FAULTED + VECTOR_UD &&
	               end == EVC_MACHINE_DONE,
	       "XGETBV is no instruction before OSXSAVE is on");
	memset(machine->memory + IDT, 0, 0x200);
	ask(machine, EVC_MACHINE_KERNEL, EVC_MICRO_RDMSR, NO_MSR, 0, &end);
	result(end == EVC_MACHINE_SHUTDOWN, "a fault that nobody handles is a shutdown");
}

/* More CPUIDs than any machine executes in this time. */
static void silence(struct evc_machine *machine)
{
	struct evc_error err = { 0 };
	enum evc_machine_end end = EVC_MACHINE_DONE;
	struct sigaction before, after;
	sigset_t blocked_before, blocked_after;
	double start;
	int status = evc_machine_set(machine, EVC_MACHINE_KERNEL, EVC_MICRO_LOOP, 0, UINT64_C(1) << 60, &err);

	sigaction(SIGRTMIN, NULL, &before);
	sigprocmask(SIG_BLOCK, NULL, &blocked_before);
	start = seconds();
	if (status == EVC_OK)
		status = evc_machine_run(machine, 500, &end, &err);
	start = seconds() - start;
	result(status == EVC_OK && end == EVC_MACHINE_SILENT, "a guest that does not return is left");
	result(start > 0.4 && start < 3, "in time");
	sigaction(SIGRTMIN, NULL, &after);
	sigprocmask(SIG_BLOCK, NULL, &blocked_after);
	result(before.sa_handler == after.sa_handler &&
	               !memcmp(&blocked_before, &blocked_after, sizeof(blocked_before)),
	       "signals are afterwards as they were");
}

int main(void)
{
	struct evc_machine machine;
	struct evc_arena arena = { 0 };
	struct evc_error err = { 0 };
	int kvm;

	if (evc_kvm_open(&kvm, &err) < 0) {
		printf("ok 1 - guests that do not behave # SKIP %s\n1..1\n", err.text);
		return 0;
	}
	if (make(&machine, &arena)) {
		faults(&machine);
		evc_machine_free(&machine);
	} else {
		result(false, "a machine is made");
	}
	if (make(&machine, &arena)) {
		silence(&machine);
		evc_machine_free(&machine);
	}
	printf("1..%u\n", number);
	evc_arena_free(&arena);
	return failed != 0;
}
