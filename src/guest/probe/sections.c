/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program says, section by section: text/probe.h describes them.  What could harm the
 * guest comes last, so that the rest is already told.
 */
#include "guest/probe/probe.h"

#include "host/cpuid.h"

#include <cpuid.h>

/* Where host/cpuid.c, which is compiled into this program, puts a leaf: here it is printed. */
void evc_dump_set_leaf(struct evc_dump_builder *builder, uint32_t leaf, uint32_t subleaf,
                       const uint32_t value[static 4])
{
	static const char *const names[] = { ": eax=0x", " ebx=0x", " ecx=0x", " edx=0x" };

	(void)builder;
	probe_put("   0x");
	probe_put_hex(leaf, 8);
	probe_put(" 0x");
	probe_put_hex(subleaf, 2);
	for (int i = 0; i < 4; i++) {
		probe_put(names[i]);
		probe_put_hex(value[i], 8);
	}
	probe_put("\n");
}

static void put_cpuid(void)
{
	probe_put("\n--- cpuid\n");
	for (int cpu = probe_next_cpu(-1); cpu >= 0; cpu = probe_next_cpu(cpu)) {
		probe_put("CPU ");
		probe_put_decimal((uint64_t)cpu);
		probe_put(":\n");
		evc_cpuid_read(NULL);
	}
}

static void fill(unsigned char byte)
{
	for (size_t i = 0; i < PROBE_MEMORY; i++)
		((volatile unsigned char *)probe_memory)[i] = byte;
}

/* Of what is not byte, the end. */
static uint32_t end_of_written(unsigned char byte)
{
	uint32_t end = PROBE_MEMORY;

	while (end && probe_memory[end - 1] == byte)
		end--;
	return end;
}

static void xsave_all(void)
{
	__asm__ volatile(".byte 0x0f, 0xae, 0x27" /* xsave [rdi] */
	                 :
	                 : "a"(-1), "d"(-1), "D"(probe_memory)
	                 : "memory");
}

/* Two fillings, since a byte that is written may be what was there. */
static uint32_t xsave_size(void)
{
	uint32_t first, second;

	fill(0x5a);
	xsave_all();
	first = end_of_written(0x5a);
	fill(0xa5);
	xsave_all();
	second = end_of_written(0xa5);
	fill(0);
	return first > second ? first : second;
}

static void put_xsave_here(int cpu)
{
	uint32_t eax, ebx, ecx, edx, low, high;

	probe_put_cpu(cpu);
	__cpuid_count(1, 0, eax, ebx, ecx, edx);
	if (!(ecx & bit_OSXSAVE)) {
		probe_put(" none\n");
		return;
	}
	__asm__ volatile(".byte 0x0f, 0x01, 0xd0" /* xgetbv */ : "=a"(low), "=d"(high) : "c"(0));
	probe_put(" xcr0 0x");
	probe_put_hex((uint64_t)high << 32 | low, 0);
	__cpuid_count(0xd, 0, eax, ebx, ecx, edx);
	probe_put(" stated ");
	probe_put_decimal(ebx);
	probe_put(" written ");
	probe_put_decimal(xsave_size());
	__cpuid_count(0xd, 1, eax, ebx, ecx, edx);
	probe_put(" compact ");
	probe_put_decimal(eax & bit_XSAVEC ? ebx : 0);
	probe_put("\n");
}

static void put_xsave(void)
{
	probe_put("--- xsave\n");
	for (int cpu = probe_next_cpu(-1); cpu >= 0; cpu = probe_next_cpu(cpu))
		put_xsave_here(cpu);
}

/* False when nobody may ask this CPU. */
static bool put_msr(int cpu, uint32_t index)
{
	uint64_t value;
	enum probe_msr outcome = probe_read_msr(cpu, index, &value);

	if (outcome == PROBE_MSR_NONE)
		return false;
	probe_put_cpu(cpu);
	probe_put(" 0x");
	probe_put_hex(index, 0);
	if (outcome == PROBE_MSR_READ) {
		probe_put(" 0x");
		probe_put_hex(value, 0);
		probe_put("\n");
	} else {
		probe_put(" faults\n");
	}
	return true;
}

static void put_msrs(void)
{
	bool any = false;

	probe_put("--- msr\n");
	for (int cpu = probe_next_cpu(-1); cpu >= 0; cpu = probe_next_cpu(cpu))
		for (unsigned i = 0; i < n_probe_msrs; i++)
			any |= put_msr(cpu, probe_msrs[i]);
	if (any)
		return;
	probe_put("none: ");
	probe_put(probe_no_msr());
	probe_put("\n");
}

/* On the first CPU.  The name goes out before the instruction is tried, to say what the end was. */
static void put_instructions(void)
{
	probe_put("--- instructions\n");
	probe_next_cpu(-1);
	probe_want_state();
	probe_catch();
	for (unsigned i = 0; i < n_probe_codes; i++) {
		struct probe_outcome outcome;

		probe_put(probe_codes[i].name);
		probe_flush();
		outcome = probe_run(probe_codes[i].code);
		if (outcome.stuck) {
			probe_put(" stuck\n");
		} else if (outcome.vector >= 0) {
			probe_put(" vector ");
			probe_put_decimal((uint64_t)outcome.vector);
			probe_put("\n");
		} else {
			probe_put(" ok 0x");
			probe_put_hex(outcome.eax, 0);
			probe_put("\n");
		}
	}
}

void probe_sections(void)
{
	put_cpuid();
	probe_put_system();
	put_xsave();
	put_msrs();
	put_instructions();
	probe_put("--- end\n");
	probe_flush();
}
