/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The probe program as a guest of its own: no firmware's services, no operating system.  It is there as
 * soon as QEMU is, and in ring 0 it may read what a Linux keeps to itself.
 *
 * It switches on what a kernel would for its programs (SSE, XSAVE with all states, FSGSBASE, keys),
 * each where CPUID shows it, and lives on if that is refused.
 */
#include "guest/probe/bare.h"

#include "guest/probe/probe.h"

#include <cpuid.h>

/* bare_code.S */
uint32_t bare_enter(void (*code)(void), void *memory, bool user);
void bare_main(void);
void bare_tick(void);
void bare_ignore(void);
void bare_leave(void);
extern const unsigned char bare_exceptions[];
extern int bare_vector;
extern uint32_t bare_ticks;

int bare_vector;
uint32_t bare_ticks;

unsigned char probe_memory[PROBE_MEMORY] __attribute__((aligned(4096)));

enum {
	CR4_OSFXSR = 1 << 9,
	CR4_OSXMMEXCPT = 1 << 10,
	CR4_FSGSBASE = 1 << 16,
	CR4_OSXSAVE = 1 << 18,
	CR4_PKE = 1 << 22,
	GATE = 0x8e, /* present, of ring 0, interrupts off */
	GATE_FOR_USER = 0xee,
};

/* What code in ring 0 that may fault works on. */
static uint32_t number;
static uint64_t value;

struct gate {
	uint16_t address_low, selector;
	uint8_t stack, kind;
	uint16_t address_middle;
	uint32_t address_high, reserved;
};

static struct gate gates[BARE_N_VECTORS];

static void set_gate(unsigned vector, uintptr_t address, uint8_t kind)
{
	gates[vector] = (struct gate){
		.address_low = (uint16_t)address,
		.selector = BARE_KERNEL_CODE,
		.kind = kind,
		.address_middle = (uint16_t)(address >> 16),
		.address_high = (uint32_t)(address >> 32),
	};
}

static void out(uint16_t port, uint8_t byte)
{
	__asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"(port));
}

/* Away from the exceptions' vectors, where firmware leaves them; only the timer may interrupt. */
static void move_interrupts(void)
{
	enum {
		FIRST = 0x20,
		SECOND = 0xa0,
		BEGIN = 0x11,
		CASCADE = 2,
		MODE_8086 = 1,
		BUT_TIMER = 0xfe,
		ALL = 0xff
	};

	out(FIRST, BEGIN);
	out(SECOND, BEGIN);
	out(FIRST + 1, BARE_TIMER);
	out(SECOND + 1, BARE_TIMER + 8);
	out(FIRST + 1, 1 << CASCADE);
	out(SECOND + 1, CASCADE);
	out(FIRST + 1, MODE_8086);
	out(SECOND + 1, MODE_8086);
	out(FIRST + 1, BUT_TIMER);
	out(SECOND + 1, ALL);
}

void probe_catch(void)
{
	const struct {
		uint16_t limit;
		uint64_t address;
	} __attribute__((packed)) table = { .limit = sizeof(gates) - 1, .address = (uintptr_t)gates };

	for (unsigned i = 0; i < BARE_N_EXCEPTIONS; i++)
		set_gate(i, (uintptr_t)&bare_exceptions[i * BARE_HANDLER_SIZE], GATE);
	for (unsigned i = 0; i < BARE_N_INTERRUPTS; i++)
		set_gate(BARE_TIMER + i, (uintptr_t)(i ? bare_ignore : bare_tick), GATE);
	set_gate(BARE_EXIT, (uintptr_t)bare_leave, GATE_FOR_USER);
	__asm__ volatile("lidt %0" : : "m"(table));
}

static struct probe_outcome enter(void (*code)(void), bool user)
{
	struct probe_outcome outcome;

	bare_vector = -1;
	bare_ticks = 0;
	outcome.eax = bare_enter(code, probe_memory, user);
	outcome.vector = bare_vector;
	outcome.stuck = bare_ticks >= BARE_STUCK_TICKS;
	return outcome;
}

struct probe_outcome probe_run(void (*code)(void))
{
	return enter(code, true);
}

void probe_write(const char *text, size_t length)
{
	__asm__ volatile("rep outsb" : "+S"(text), "+c"(length) : "d"(BARE_CONSOLE) : "memory");
}

int probe_next_cpu(int cpu)
{
	return cpu < 0 ? 0 : -1;
}

static void read_msr(void)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	value = (uint64_t)high << 32 | low;
}

enum probe_msr probe_read_msr(int cpu, uint32_t index, uint64_t *ret_value)
{
	(void)cpu;
	number = index;
	if (enter(read_msr, false).vector >= 0)
		return PROBE_MSR_FAULT;
	*ret_value = value;
	return PROBE_MSR_READ;
}

const char *probe_no_msr(void)
{
	return "no question was put";
}

void probe_want_state(void)
{
}

void probe_put_system(void)
{
}

static void write_cr4(void)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value));
}

static void switch_on(uint64_t bits)
{
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	value |= bits;
	enter(write_cr4, false);
}

static void write_xcr0(void)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xd1" /* xsetbv */
	                 :
	                 : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0));
}

/*
 * QEMU's TCG, since it knows reserved bits of CR4 (7.2 and 10.2 do), takes OSXSAVE for one where leaf d.1 is
 * empty, and executes the instruction that sets it for ever (qemu:target/i386/cpu.h).
 */
static bool would_hang(void)
{
	static const char tcg[4] = "TCGT";
	uint32_t eax, ebx, ecx, edx, first;

	__cpuid(0x40000000, eax, ebx, ecx, edx);
	__builtin_memcpy(&first, tcg, sizeof(first));
	if (ebx != first)
		return false;
	__cpuid_count(0xd, 1, eax, ebx, ecx, edx);
	return !eax;
}

static void switch_all_on(void)
{
	uint32_t eax, ebx, ecx, edx, unused;

	__cpuid(0, eax, ebx, ecx, edx);
	if (eax >= 7) {
		__cpuid_count(7, 0, eax, ebx, ecx, edx);
		if (ebx & bit_FSGSBASE)
			switch_on(CR4_FSGSBASE);
		if (ecx & bit_PKU)
			switch_on(CR4_PKE);
	}
	__cpuid(1, eax, ebx, ecx, edx);
	if (edx & bit_FXSAVE)
		switch_on(CR4_OSFXSR);
	if (edx & bit_SSE)
		switch_on(CR4_OSXMMEXCPT);
	if (!(ecx & bit_XSAVE) || would_hang())
		return;
	switch_on(CR4_OSXSAVE);
	__cpuid_count(0xd, 0, eax, ebx, unused, edx);
	value = (uint64_t)edx << 32 | eax;
	enter(write_xcr0, false);
}

void bare_main(void)
{
	probe_catch();
	move_interrupts();
	switch_all_on();
	probe_sections();
}
