/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_PROBE_PROBE_H
#define EVC_GUEST_PROBE_PROBE_H

/*
 * The probe program, twice: on Linux (linux.c, fault.c) it is the only program of a probe guest, and a plain
 * process on any other; bare (bare.c, bare_code.S) it is a kernel of its own without anything below
 * or above it.  sections.c is the same for both.
 *
 * Linked statically and free of the C library, whose start chooses functions by CPUID and would
 * die of what a badly made vCPU promises before it could be reported; compiled without vector
 * registers but for the instructions that are probed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- print.c: what was put goes out when there is enough of it, or by probe_flush --- */

void probe_put(const char *text);
void probe_put_hex(uint64_t value, int digits); /* that many digits, 0: as many as there are */
void probe_put_decimal(uint64_t value);
void probe_put_cpu(int cpu); /* "cpu 0" */
void probe_flush(void);

/* --- linux.c or bare.c: what it runs on --- */

/* To whoever reads it; does not return when nobody does. */
void probe_write(const char *text, size_t length);

/* All CPUs that can be had, in turn: next from -1; a negative one ends. */
int probe_next_cpu(int cpu);

enum probe_msr {
	PROBE_MSR_READ,
	PROBE_MSR_FAULT, /* the CPU refuses to read it: it has none */
	PROBE_MSR_NONE,  /* nobody asked the CPU */
};

enum probe_msr probe_read_msr(int cpu, uint32_t index, uint64_t *ret_value);

/* Why no MSR can be read. */
const char *probe_no_msr(void);

/* Ask the system for registers that it gives to nobody unasked. */
void probe_want_state(void);

/* What the system says of itself, as sections of its own. */
void probe_put_system(void);

/* --- fault.c or bare.c: executing what may not exist --- */

struct probe_outcome {
	uint32_t eax;
	int vector; /* of the CPU's exception; -1: none, it ran */
	bool stuck; /* had to be interrupted */
};

struct probe_code {
	const char *name;
	void (*code)(void);
};

/* Generated from data/instructions.txt. */
extern const struct probe_code probe_codes[];
extern const unsigned n_probe_codes;
extern const uint32_t probe_msrs[];
extern const unsigned n_probe_msrs;

enum { PROBE_MEMORY = 16384 };
extern unsigned char probe_memory[PROBE_MEMORY]; /* at a multiple of 4096 */

/* Catch exceptions from now on. */
void probe_catch(void);

/* Execute code in ring 3 with EAX, ECX and EDX zero, RDI and RSI at probe_memory. */
struct probe_outcome probe_run(void (*code)(void));

/* --- sections.c: what is asked --- */

void probe_sections(void);

#endif
