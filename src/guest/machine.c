/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The smallest guest that executes 64-bit code.  Memory, by address:
 *
 *   0x1000 0x2000 0x3000  page tables: one page of 2 MiB, also for ring 3
 *   0x4000 0x5000 0x6000  segments, exception handlers, task state (where ring 0's stack is)
 *   0x8000 0x9000         ends of two stacks: of the code, of the handlers
 *   0x10000               the code
 *   0x20000               what it is asked and answers
 *
 * The vCPU begins in 64-bit mode: its registers are set as if a kernel had switched already.  Features
 * that a mode may hide (NX, SSE, OSXSAVE) are not used for that, so that every vCPU can begin.
 *
 * A timer ends a run that does not end itself: its signal is blocked but inside KVM_RUN, so that it
 * cannot come too early and be lost.
 */
#include "guest/machine.h"

#include "core/subleaf.h"
#include "guest/micro_code.h"
#include "host/kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	GDT = 0x4000,
	IDT = 0x5000,
	TSS = 0x6000,
	STACK_END = 0x8000,
	FAULT_STACK_END = 0x9000,
	CODE = 0x10000,
	N_VECTORS = 32,
	HANDLER_SIZE = 16, /* guest/micro_code.S */
	TSS_SIZE = 104,
	TSS_RSP0 = 4,
	FLAGS_ALWAYS = 0x2,
	FLAGS_IOPL3 = 0x3000,
	MAX_ENTRIES = 256, /* that any KVM takes */
};

enum { PAGE_PRESENT = 1, PAGE_WRITE = 2, PAGE_USER = 4, PAGE_LARGE = 0x80 };

enum { KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_CODE = 0x18, USER_DATA = 0x20, TASK = 0x28 };

static int fail_ioctl(struct evc_error *err, const char *name, const char *advice)
{
	return evc_fail(err, EVC_ERR_IO, "/dev/kvm: %s: %s%s%s", name, strerror(errno), *advice ? "; " : "",
	                advice);
}

static void put(const struct evc_machine *machine, size_t address, uint64_t value)
{
	memcpy(machine->memory + address, &value, sizeof(value));
}

static void make_pages(const struct evc_machine *machine)
{
	uint64_t table = PAGE_PRESENT | PAGE_WRITE | PAGE_USER;

	put(machine, PML4, PDPT | table);
	put(machine, PDPT, PD | table);
	put(machine, PD, table | PAGE_LARGE);
}

/* Flat segments; in 64-bit mode only ring and kind of them count. */
static void make_segments(const struct evc_machine *machine)
{
	put(machine, GDT + KERNEL_CODE, UINT64_C(0x00209b0000000000));
	put(machine, GDT + KERNEL_DATA, UINT64_C(0x0000930000000000));
	put(machine, GDT + USER_CODE, UINT64_C(0x0020fb0000000000));
	put(machine, GDT + USER_DATA, UINT64_C(0x0000f30000000000));
	put(machine, GDT + TASK, UINT64_C(0x00008b0000000000) | (uint64_t)TSS << 16 | (TSS_SIZE - 1));
	put(machine, TSS + TSS_RSP0, FAULT_STACK_END);
}

static void make_handlers(const struct evc_machine *machine)
{
	uint64_t first = CODE + (uint64_t)evc_micro_places[EVC_MICRO_FAULTS];

	for (uint64_t vector = 0; vector < N_VECTORS; vector++) {
		uint64_t address = first + vector * HANDLER_SIZE;

		/* An interrupt gate in ring 0; addresses are below 64 KiB + 64 KiB: two parts are enough. */
		put(machine, IDT + vector * 16,
		    (address & 0xffff) | (uint64_t)KERNEL_CODE << 16 | UINT64_C(0x8e00) << 32 |
		            (address >> 16 & 0xffff) << 48);
	}
}

static int map_memory(struct evc_machine *machine, struct evc_error *err)
{
	struct kvm_userspace_memory_region region = { .memory_size = EVC_MACHINE_MEMORY };
	void *memory =
		mmap(NULL, EVC_MACHINE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return evc_fail(err, EVC_ERR_MEMORY, "no memory for a guest of 2 MiB");
	machine->memory = memory;
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return fail_ioctl(err, "KVM_SET_USER_MEMORY_REGION", "");
	make_pages(machine);
	make_segments(machine);
	make_handlers(machine);
	memcpy(machine->memory + CODE, evc_micro_code, evc_micro_places[EVC_MICRO_SIZE]);
	return EVC_OK;
}

static int make_vcpu(struct evc_machine *machine, struct evc_error *err)
{
	int size = ioctl(machine->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	machine->vcpu = ioctl(machine->vm, KVM_CREATE_VCPU, 0);
	if (machine->vcpu < 0)
		return fail_ioctl(err, "KVM_CREATE_VCPU", "");
	if (size <= 0)
		return fail_ioctl(err, "KVM_GET_VCPU_MMAP_SIZE", "");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, machine->vcpu, 0);
	if (run == MAP_FAILED)
		return fail_ioctl(err, "mmap of a vCPU", "");
	machine->run = run;
	machine->run_size = (size_t)size;
	if (ioctl(machine->kvm, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD) > 0)
		machine->stats = ioctl(machine->vcpu, KVM_GET_STATS_FD, NULL);
	return EVC_OK;
}

static const char *advice_on_vm(void)
{
	if (errno == EBUSY)
		return "another hypervisor holds the CPU's virtualisation: stop VirtualBox or VMware";
	if (errno == EMFILE || errno == ENFILE)
		return "too many open files";
	return "";
}

static int make(struct evc_machine *machine, struct evc_error *err)
{
	uint64_t identity = UINT64_C(0xfeffc000);
	int status = evc_kvm_open(&machine->kvm, err);

	if (status < 0)
		return status;
	machine->vm = ioctl(machine->kvm, KVM_CREATE_VM, 0);
	if (machine->vm < 0)
		return fail_ioctl(err, "KVM_CREATE_VM", advice_on_vm());
	/* Pages that Intel's CPUs without "unrestricted guest" need; others say that they do not. */
	ioctl(machine->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	ioctl(machine->vm, KVM_SET_TSS_ADDR, 0xfeffd000UL);
	if ((status = map_memory(machine, err)) < 0)
		return status;
	return make_vcpu(machine, err);
}

int evc_machine_make(struct evc_machine *ret_machine, struct evc_error *err)
{
	struct evc_machine machine = { .kvm = -1, .vm = -1, .vcpu = -1, .stats = -1 };
	int status = make(&machine, err);

	if (status < 0) {
		evc_machine_free(&machine);
		return status;
	}
	*ret_machine = machine;
	return EVC_OK;
}

void evc_machine_free(struct evc_machine *machine)
{
	const int fds[] = { machine->stats, machine->vcpu, machine->vm, machine->kvm };

	if (machine->run)
		munmap(machine->run, machine->run_size);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (machine->memory)
		munmap(machine->memory, EVC_MACHINE_MEMORY);
	*machine = (struct evc_machine){ .kvm = -1, .vm = -1, .vcpu = -1, .stats = -1 };
}

static const char *advice_on_cpuid(void)
{
	if (errno == E2BIG)
		return "more leaves than this KVM takes";
	if (errno == EINVAL)
		return "this KVM refuses the address widths or the states of XSAVE in it";
	return "";
}

int evc_machine_give_cpuid(const struct evc_machine *machine, const struct evc_dump *dump,
                           struct evc_arena *arena, struct evc_error *err)
{
	struct kvm_cpuid2 *cpuid =
		evc_arena_alloc(arena, sizeof(*cpuid) + MAX_ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < dump->n_leaves; i++) {
		const struct evc_leaf *leaf = &dump->leaves[i];
		const uint32_t *value = leaf->value;

		/*
		 * KVM answers what it was not given with zero, and old ones take few leaves.  Into an empty
		 * leaf 0xd, that of a guest without XSAVE, it would write a size.
		 */
		if (!(value[EVC_EAX] | value[EVC_EBX] | value[EVC_ECX] | value[EVC_EDX]))
			continue;
		if (cpuid->nent == MAX_ENTRIES)
			return evc_fail(err, EVC_ERR_LIMIT, "more than %d leaves for one vCPU", MAX_ENTRIES);
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
			.function = leaf->leaf,
			.index = leaf->subleaf,
			.flags = evc_leaf_has_subleaves(leaf->leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = value[EVC_EAX],
			.ebx = value[EVC_EBX],
			.ecx = value[EVC_ECX],
			.edx = value[EVC_EDX],
		};
	}
	if (ioctl(machine->vcpu, KVM_SET_CPUID2, cpuid))
		return fail_ioctl(err, "KVM_SET_CPUID2", advice_on_cpuid());
	return EVC_OK;
}

union one_msr {
	struct kvm_msrs msrs;
	unsigned char room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

bool evc_machine_give_msr(const struct evc_machine *machine, uint32_t index, uint64_t value)
{
	union one_msr one = { .msrs.nmsrs = 1 };

	one.msrs.entries[0] = (struct kvm_msr_entry){ .index = index, .data = value };
	return ioctl(machine->vcpu, KVM_SET_MSRS, &one.msrs) == 1;
}

bool evc_machine_msr(const struct evc_machine *machine, uint32_t index, uint64_t *ret_value)
{
	union one_msr one = { .msrs.nmsrs = 1 };

	one.msrs.entries[0].index = index;
	if (ioctl(machine->vcpu, KVM_GET_MSRS, &one.msrs) != 1)
		return false;
	*ret_value = one.msrs.entries[0].data;
	return true;
}

bool evc_machine_xcr0(const struct evc_machine *machine, uint64_t *ret_xcr0)
{
	struct kvm_xcrs xcrs;

	if (ioctl(machine->vcpu, KVM_GET_XCRS, &xcrs))
		return false;
	for (uint32_t i = 0; i < xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++)
		if (!xcrs.xcrs[i].xcr) {
			*ret_xcr0 = xcrs.xcrs[i].value;
			return true;
		}
	return false;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, unsigned ring, bool code)
{
	return (struct kvm_segment){
		.selector = (uint16_t)(selector | ring),
		.limit = UINT32_MAX,
		.type = type,
		.present = 1,
		.dpl = (uint8_t)ring,
		.s = 1,
		.l = code,
		.db = !code,
		.g = 1,
	};
}

static void set_system_registers(struct kvm_sregs *sregs, unsigned ring)
{
	enum { CODE_READ_ACCESSED = 11, DATA_WRITE_ACCESSED = 3, BUSY_TASK = 11 };
	bool user = ring == EVC_MACHINE_USER;

	sregs->cs = segment(user ? USER_CODE : KERNEL_CODE, CODE_READ_ACCESSED, ring, true);
	sregs->ds = segment(user ? USER_DATA : KERNEL_DATA, DATA_WRITE_ACCESSED, ring, false);
	sregs->es = sregs->fs = sregs->gs = sregs->ss = sregs->ds;
	sregs->tr = (struct kvm_segment){
		.base = TSS, .limit = TSS_SIZE - 1, .selector = TASK, .type = BUSY_TASK, .present = 1
	};
	sregs->ldt = (struct kvm_segment){ .unusable = 1 };
	sregs->gdt = (struct kvm_dtable){ .base = GDT, .limit = TASK + 16 - 1 };
	sregs->idt = (struct kvm_dtable){ .base = IDT, .limit = N_VECTORS * 16 - 1 };
}

int evc_machine_set(const struct evc_machine *machine, unsigned ring, unsigned place, uint64_t first,
                    uint64_t second, struct evc_error *err)
{
	enum { CR0_PE_ET_NE_WP = 0x10031, EFER_LME_LMA = 0x500, CR4_PAE = 0x20, APIC_ON = 0x900 };
	struct kvm_regs regs = {
		.rip = CODE + (uint64_t)evc_micro_places[place],
		.rsp = STACK_END,
		.rdi = first,
		.rsi = second,
		.rflags = FLAGS_ALWAYS | (ring == EVC_MACHINE_USER ? FLAGS_IOPL3 : 0),
	};
	struct kvm_sregs sregs;

	if (ioctl(machine->vcpu, KVM_GET_SREGS, &sregs))
		return fail_ioctl(err, "KVM_GET_SREGS", "");
	set_system_registers(&sregs, ring);
	sregs.cr0 = UINT64_C(0x80000000) | CR0_PE_ET_NE_WP;
	sregs.cr3 = PML4;
	sregs.cr4 |= CR4_PAE; /* what the guest itself switched on stays */
	sregs.efer = EFER_LME_LMA;
	sregs.apic_base = UINT64_C(0xfee00000) | APIC_ON;
	if (ioctl(machine->vcpu, KVM_SET_SREGS, &sregs))
		return fail_ioctl(err, "KVM_SET_SREGS", "this KVM does not let a vCPU begin in 64-bit mode");
	if (ioctl(machine->vcpu, KVM_SET_REGS, &regs))
		return fail_ioctl(err, "KVM_SET_REGS", "");
	return EVC_OK;
}

static void wake_up(int number)
{
	(void)number;
}

/* What a run changes of this thread, and takes back. */
struct alarm {
	timer_t timer;
	sigset_t before, only;
	struct sigaction action;
	int signal;
};

/* A signal to this thread after the time, and every 100 ms from then on, in case one comes between two
 * entries. */
static int set_alarm(struct alarm *alarm, unsigned timeout_ms, struct evc_error *err)
{
	struct sigaction action = { .sa_handler = wake_up };
	struct itimerspec spec = { .it_value = { .tv_sec = timeout_ms / 1000,
		                                 .tv_nsec = (long)(timeout_ms % 1000) * 1000000 },
		                   .it_interval = { .tv_nsec = 100 * 1000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID };

	alarm->signal = event.sigev_signo = SIGRTMIN;
	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &alarm->timer))
		return evc_fail(err, EVC_ERR_IO, "no timer for a guest: %s", strerror(errno));
	sigemptyset(&alarm->only);
	sigaddset(&alarm->only, alarm->signal);
	pthread_sigmask(SIG_BLOCK, &alarm->only, &alarm->before);
	sigaction(alarm->signal, &action, &alarm->action);
	timer_settime(alarm->timer, 0, &spec, NULL);
	return EVC_OK;
}

/* Inside KVM_RUN the alarm may come. */
static int let_alarm_in(const struct alarm *alarm, const struct evc_machine *machine, struct evc_error *err)
{
	union {
		struct kvm_signal_mask mask;
		unsigned char room[sizeof(struct kvm_signal_mask) + sizeof(uint64_t)];
	} inside = { .mask.len = sizeof(uint64_t) };
	sigset_t allowed = alarm->before;

	sigdelset(&allowed, alarm->signal);
	memcpy(inside.mask.sigset, &allowed, sizeof(uint64_t));
	if (ioctl(machine->vcpu, KVM_SET_SIGNAL_MASK, &inside.mask))
		return fail_ioctl(err, "KVM_SET_SIGNAL_MASK", "");
	return EVC_OK;
}

static void end_alarm(struct alarm *alarm)
{
	const struct timespec now = { 0 };

	timer_delete(alarm->timer);
	while (sigtimedwait(&alarm->only, NULL, &now) > 0)
		;
	sigaction(alarm->signal, &alarm->action, NULL);
	pthread_sigmask(SIG_SETMASK, &alarm->before, NULL);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum evc_machine_end end_of(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return run->io.port == EVC_MICRO_END_PORT ? EVC_MACHINE_DONE : EVC_MACHINE_ODD;
	case KVM_EXIT_SHUTDOWN:
		return EVC_MACHINE_SHUTDOWN;
	case KVM_EXIT_INTERNAL_ERROR:
		return run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION ? EVC_MACHINE_EMULATION
		                                                              : EVC_MACHINE_ODD;
	case KVM_EXIT_FAIL_ENTRY:
		return EVC_MACHINE_REFUSED;
	default:
		return EVC_MACHINE_ODD;
	}
}

static int run_until(const struct evc_machine *machine, int64_t deadline, enum evc_machine_end *ret_end,
                     struct evc_error *err)
{
	while (ioctl(machine->vcpu, KVM_RUN, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			return fail_ioctl(err, "KVM_RUN", "");
		if (now_ms() >= deadline) {
			*ret_end = EVC_MACHINE_SILENT;
			return EVC_OK;
		}
	}
	*ret_end = end_of(machine->run);
	return EVC_OK;
}

int evc_machine_run(const struct evc_machine *machine, unsigned timeout_ms, enum evc_machine_end *ret_end,
                    struct evc_error *err)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct alarm alarm;
	int status = set_alarm(&alarm, timeout_ms, err);

	if (status < 0)
		return status;
	status = let_alarm_in(&alarm, machine, err);
	if (status == EVC_OK)
		status = run_until(machine, deadline, ret_end, err);
	end_alarm(&alarm);
	return status;
}

/* Where KVM keeps the number called "exits" among a vCPU's statistics. */
static bool find_exits(int fd, off_t *ret_place)
{
	enum { MAX_STATS = 1024, MAX_NAME = 256 };
	struct kvm_stats_header header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) || header.num_desc > MAX_STATS ||
	    header.name_size > MAX_NAME)
		return false;
	for (uint32_t i = 0; i < header.num_desc; i++) {
		union {
			struct kvm_stats_desc stats;
			char room[sizeof(struct kvm_stats_desc) + MAX_NAME];
		} desc = { 0 };
		size_t size = sizeof(desc.stats) + header.name_size;

		if (pread(fd, &desc, size, (off_t)(header.desc_offset + i * size)) != (ssize_t)size)
			return false;
		if (strncmp(desc.room + sizeof(desc.stats), "exits", MAX_NAME) != 0)
			continue;
		*ret_place = (off_t)header.data_offset + desc.stats.offset;
		return true;
	}
	return false;
}

bool evc_machine_exits(const struct evc_machine *machine, uint64_t *ret_exits)
{
	off_t place;

	return machine->stats >= 0 && find_exits(machine->stats, &place) &&
	       pread(machine->stats, ret_exits, sizeof(*ret_exits), place) == sizeof(*ret_exits);
}

const char *evc_machine_end_sentence(enum evc_machine_end end)
{
	static const char *const sentences[] = {
		[EVC_MACHINE_DONE] = "it came to its end",
		[EVC_MACHINE_SHUTDOWN] = "its vCPU shut down: a fault that could not be handled",
		[EVC_MACHINE_EMULATION] = "KVM had to emulate an instruction and could not",
		[EVC_MACHINE_REFUSED] = "the CPU does not enter this guest",
		[EVC_MACHINE_SILENT] = "it did not return in time",
		[EVC_MACHINE_ODD] = "it ended in a way that nobody asked for",
	};

	return sentences[end];
}
