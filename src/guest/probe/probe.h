/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_PROBE_PROBE_H
#define EVC_GUEST_PROBE_PROBE_H

/*
 * The probe program: the only program of a probe guest, and a plain process on any other Linux.
 * Linked statically and free of the C library, whose start chooses functions by CPUID and would
 * die of what a badly made vCPU promises before it could be reported; compiled without vector
 * registers but for the instructions that are probed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- start.c: the kernel, and what is printed --- */

/* A system call; its result, or a negative errno. */
long probe_call(long number, long a, long b, long c, long d);

/* Text on standard output; lines are written whole, with what was put before. */
void probe_put(const char *text);
void probe_put_hex(uint64_t value, int digits); /* that many digits, 0: as many as there are */
void probe_put_decimal(uint64_t value);
void probe_flush(void);

/* A file as it is, with prefix before its first line; says whether it could be opened. */
bool probe_put_file(const char *prefix, const char *path);

/* --- fault.c: executing what may not exist --- */

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

/* Catch the exceptions of this process from now on. */
void probe_catch(void);

/* Execute code with EAX, ECX and EDX zero, RDI and RSI at probe_memory. */
struct probe_outcome probe_run(void (*code)(void));

/* --- sections.c: what is asked --- */

/* All CPUs that this process may use, in turn: next from -1; a negative one ends. */
int probe_next_cpu(int cpu);

void probe_sections(void);

#endif
