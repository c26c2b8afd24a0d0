/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPUID exits per second: the micro-VM of "evc verify --cost" beside the barest loop that can be written, in
 *one process, in turn, on the same vCPU model.  Also KVM_RUN itself: an OUT that leaves to user space and
 * comes back, which is what a hypervisor pays that does not answer CPUID in the kernel.
 *
 *	bench-exits [ROUNDS]
 *
 * Needs /dev/kvm; linked statically, so that it runs in a host of the lab.
 */
#include "guest/micro.h"
#include "host/kvm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	EACH = 500, /* CPUIDs of one measurement */
	MEMORY = 0x200000,
	CODE = 0x8000,
	ROUNDS = 20,
	MAX_ROUNDS = 10000,
};

/* mov $EACH, %esi; 1: xor %eax, %eax; xor %ecx, %ecx; cpuid; dec %esi; jnz 1b; hlt */
static const unsigned char cpuid_loop[] = { 0xbe, EACH & 0xff, EACH >> 8, 0,    0,    0x31, 0xc0, 0x31,
	                                    0xc9, 0x0f,        0xa2,      0xff, 0xce, 0x75, 0xf6, 0xf4 };
/* 1: out %al, $0x80; jmp 1b */
static const unsigned char out_loop[] = { 0xe6, 0x80, 0xeb, 0xfc };

struct bare {
	int vm, vcpu;
	unsigned char *memory;
	struct kvm_run *run;
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void give_cpuid(int kvm, int vcpu)
{
	enum { MOST = 256 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + MOST * sizeof(cpuid->entries[0]));

	if (!cpuid)
		die("calloc");
	cpuid->nent = MOST;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) || ioctl(vcpu, KVM_SET_CPUID2, cpuid))
		die("KVM_SET_CPUID2");
	free(cpuid);
}

/* 64-bit mode, one page of 2 MiB, no interrupts, no stack. */
static struct bare make(int kvm)
{
	struct bare bare = { .vm = ioctl(kvm, KVM_CREATE_VM, 0) };
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	struct kvm_sregs sregs;
	const uint64_t tables[] = { 0x2003, 0x3003, 0x83 };
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	bare.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bare.vm < 0 || size <= 0 || bare.memory == MAP_FAILED)
		die("KVM_CREATE_VM");
	region.userspace_addr = (uintptr_t)bare.memory;
	for (size_t i = 0; i < 3; i++)
		memcpy(bare.memory + 0x1000 * (i + 1), &tables[i], sizeof(tables[i]));
	bare.vcpu = ioctl(bare.vm, KVM_CREATE_VCPU, 0);
	if (ioctl(bare.vm, KVM_SET_USER_MEMORY_REGION, &region) || bare.vcpu < 0)
		die("KVM_CREATE_VCPU");
	bare.run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, bare.vcpu, 0);
	if (bare.run == MAP_FAILED || ioctl(bare.vcpu, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	give_cpuid(kvm, bare.vcpu);
	sregs.cs = (struct kvm_segment){
		.selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1, .limit = UINT32_MAX
	};
	sregs.ds = (struct kvm_segment){
		.selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1, .limit = UINT32_MAX
	};
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.cr0 = 0x80000011;
	sregs.cr3 = 0x1000;
	sregs.cr4 = 0x20;
	sregs.efer = 0x500;
	if (ioctl(bare.vcpu, KVM_SET_SREGS, &sregs))
		die("KVM_SET_SREGS");
	return bare;
}

static void begin(const struct bare *bare, const unsigned char *code, size_t size)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };

	memcpy(bare->memory + CODE, code, size);
	if (ioctl(bare->vcpu, KVM_SET_REGS, &regs))
		die("KVM_SET_REGS");
}

/* ns of one CPUID. */
static double time_cpuid(const struct bare *bare)
{
	double start;

	begin(bare, cpuid_loop, sizeof(cpuid_loop));
	start = now();
	if (ioctl(bare->vcpu, KVM_RUN, 0) || bare->run->exit_reason != KVM_EXIT_HLT)
		die("KVM_RUN");
	return (now() - start) / EACH;
}

/* ns of one KVM_RUN. */
static double time_run(const struct bare *bare)
{
	double start;

	begin(bare, out_loop, sizeof(out_loop));
	start = now();
	for (int i = 0; i < EACH; i++)
		if (ioctl(bare->vcpu, KVM_RUN, 0) || bare->run->exit_reason != KVM_EXIT_IO)
			die("KVM_RUN");
	return (now() - start) / EACH;
}

static double smaller(double a, double b)
{
	return b > 0 && a > b ? b : a;
}

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long rounds = argc > 1 ? strtoul(argv[1], &end, 10) : ROUNDS;
	double ours = 1e12, bare_ns = 1e12, run = 1e12;
	struct evc_arena arena = { 0 };
	struct evc_error err = { 0 };
	struct evc_dump supported;
	struct bare bare, other;
	int kvm;

	if (!rounds || rounds > MAX_ROUNDS || (end && *end))
		return EXIT_FAILURE;
	if (evc_kvm_open(&kvm, &err) < 0 ||
	    evc_kvm_cpuid(kvm, KVM_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID", &arena, &supported, &err) <
	            0) {
		fprintf(stderr, "bench-exits: %s\n", err.text);
		return EXIT_FAILURE;
	}
	bare = make(kvm);
	other = make(kvm);
	for (unsigned long i = 0; i < rounds; i++) {
		struct evc_micro_cost cost;

		if (evc_micro_measure(&supported, (uint64_t)EACH * EVC_MICRO_BATCHES / 10, &arena, &cost,
		                      &err) < 0) {
			fprintf(stderr, "bench-exits: %s\n", err.text);
			return EXIT_FAILURE;
		}
		ours = smaller(ours, cost.best_ns);
		for (int j = 0; j < EVC_MICRO_BATCHES / 10; j++)
			bare_ns = smaller(bare_ns, time_cpuid(&bare));
		run = smaller(run, time_run(&other));
	}
	printf("| CPUID exits per second | micro-VM of evc | bare loop | ratio | wanted |\n| --- | --- | --- | --- | --- |\n");
	printf("| best of %lu rounds | %.0f (%.0f ns) | %.0f (%.0f ns) | %.3f | at least 0.95 |\n", rounds,
	       1e9 / ours, ours, 1e9 / bare_ns, bare_ns, bare_ns / ours);
	printf("KVM_RUN with an OUT to user space: %.0f per second (%.0f ns)\n", 1e9 / run, run);
	evc_arena_free(&arena);
	return EXIT_SUCCESS;
}
