/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only program of a guest that is to be moved.  Ten times a second it prints
 *
 *   tick NUMBER at MILLISECONDS cpuid HASH uses INSTRUCTION...
 *
 * HASH is over every leaf of CPUID, so it changes when the CPU does.  Like any program it looked once at its
 * start which instructions there are, and uses those ever after: on a CPU that lacks one it dies of it.
 *
 * Linked statically and free of the C library, which would choose instructions on its own.
 */
#include <stddef.h>
#include <stdint.h>

enum {
	SYS_WRITE = 1,
	SYS_NANOSLEEP = 35,
	SYS_SETAFFINITY = 203,
	SYS_CLOCK_GETTIME = 228,
	CLOCK_MONOTONIC = 1,
	TICK_NS = 100000000,
	LINE = 160,
	AVX_STATES = 6, /* of XCR0 */
	PAGE = 4096,
};

/* What a guest with an argument ("busy") writes to at each tick, so that copying it takes its time. */
static volatile char memory[12 * 1024 * 1024];

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"(number), "D"(a), "S"(b), "d"(c)
	                 : "rcx", "r11", "memory");
	return result;
}

/* One line, written at once. */
struct line {
	char text[LINE];
	size_t n;
};

static void put(struct line *line, const char *text)
{
	while (*text && line->n < LINE)
		line->text[line->n++] = *text++;
}

static void put_number(struct line *line, uint64_t value, unsigned base, int digits)
{
	char text[24];
	int at = sizeof(text);

	text[--at] = '\0';
	do {
		text[--at] = "0123456789abcdef"[value % base];
		value /= base;
		digits--;
	} while (value || digits > 0);
	put(line, text + at);
}

/* --- the CPU --- */

struct regs {
	uint32_t eax, ebx, ecx, edx;
};

static struct regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct regs r;

	__asm__ volatile("cpuid"
	                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
	                 : "0"(leaf), "2"(subleaf));
	return r;
}

static uint64_t hash_word(uint64_t hash, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		hash = (hash ^ (word >> (8 * i) & 0xff)) * UINT64_C(0x100000001b3); /* FNV-1a */
	return hash;
}

static uint64_t hash_leaf(uint64_t hash, uint32_t leaf, uint32_t subleaf)
{
	struct regs r = cpuid(leaf, subleaf);

	hash = hash_word(hash, leaf);
	hash = hash_word(hash, r.eax);
	hash = hash_word(hash, r.ebx);
	hash = hash_word(hash, r.ecx);
	return hash_word(hash, r.edx);
}

static uint64_t hash_range(uint64_t hash, uint32_t base)
{
	enum { MOST = 0xff, SUBLEAVES = 4 };
	uint32_t highest = cpuid(base, 0).eax;

	if (highest < base || highest > base + MOST)
		return hash;
	for (uint32_t leaf = base; leaf <= highest; leaf++)
		for (uint32_t subleaf = 0; subleaf < SUBLEAVES; subleaf++)
			hash = hash_leaf(hash, leaf, subleaf);
	return hash;
}

static uint64_t hash_cpuid(void)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	hash = hash_range(hash, 0);
	hash = hash_range(hash, 0x40000000);
	return hash_range(hash, 0x80000000);
}

/* --- instructions --- */

static void use_popcnt(void)
{
	uint64_t value = 5;

	__asm__ volatile("popcnt %0, %0" : "+r"(value) : : "cc");
}

static void use_crc32(void)
{
	uint64_t value = 5;

	__asm__ volatile("crc32q %0, %0" : "+r"(value));
}

static void use_movbe(void)
{
	uint64_t value, memory = 5;

	__asm__ volatile("movbe %1, %0" : "=r"(value) : "m"(memory));
}

static void use_mulx(void)
{
	uint64_t high, low;

	__asm__ volatile("mulx %2, %0, %1" : "=r"(low), "=r"(high) : "r"(UINT64_C(5)), "d"(UINT64_C(7)));
}

static void use_adcx(void)
{
	uint64_t value = 5;

	__asm__ volatile("adcx %0, %0" : "+r"(value) : : "cc");
}

static void use_vpaddd(void)
{
	__asm__ volatile("vpaddd %ymm0, %ymm0, %ymm0");
}

struct instruction {
	const char *name;
	void (*use)(void);
	uint32_t leaf;
	int reg, bit;    /* 1: EBX, 2: ECX */
	uint32_t states; /* that the system must keep */
};

/* Without a C library there is no loader either: addresses are known to the linker. */
static const struct instruction instructions[] = {
	{ " popcnt", use_popcnt, 0x1, 2, 23, 0 }, { " crc32", use_crc32, 0x1, 2, 20, 0 },
	{ " movbe", use_movbe, 0x1, 2, 22, 0 },   { " mulx", use_mulx, 0x7, 1, 8, 0 },
	{ " adcx", use_adcx, 0x7, 1, 19, 0 },     { " vpaddd", use_vpaddd, 0x7, 1, 5, AVX_STATES },
};

enum { N_INSTRUCTIONS = sizeof(instructions) / sizeof(instructions[0]) };

/* What of XCR0 is on; nothing where the system did not switch XSAVE on. */
static uint32_t states_kept(void)
{
	uint32_t low, high;

	if (!(cpuid(1, 0).ecx >> 27 & 1))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

static unsigned find_instructions(void)
{
	uint32_t highest = cpuid(0, 0).eax, states = states_kept();
	unsigned found = 0;

	for (unsigned i = 0; i < N_INSTRUCTIONS; i++) {
		struct regs r = cpuid(instructions[i].leaf, 0);
		uint32_t value = instructions[i].reg == 1 ? r.ebx : r.ecx;

		if (instructions[i].leaf <= highest && value >> instructions[i].bit & 1 &&
		    (states & instructions[i].states) == instructions[i].states)
			found |= 1U << i;
	}
	return found;
}

static uint64_t milliseconds(void)
{
	int64_t now[2] = { 0 };

	call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (long)now, 0);
	return (uint64_t)(now[0] * 1000 + now[1] / 1000000);
}

void start(const long *stack);

void __attribute__((noreturn)) start(const long *stack)
{
	const int64_t pause[2] = { 0, TICK_NS };
	const uint64_t first_cpu = 1; /* each says its own number in CPUID */
	unsigned found = find_instructions();

	call(SYS_SETAFFINITY, 0, sizeof(first_cpu), (long)&first_cpu);
	for (uint64_t number = 1;; number++) {
		struct line line = { .n = 0 };

		put(&line, "tick ");
		put_number(&line, number, 10, 1);
		put(&line, " at ");
		put_number(&line, milliseconds(), 10, 1);
		put(&line, " cpuid ");
		put_number(&line, hash_cpuid(), 16, 16);
		put(&line, " uses");
		for (unsigned i = 0; i < N_INSTRUCTIONS; i++)
			if (found >> i & 1) {
				instructions[i].use();
				put(&line, instructions[i].name);
			}
		put(&line, "\n");
		call(SYS_WRITE, 1, (long)line.text, (long)line.n);
		for (unsigned long at = 0; stack[0] > 1 && at < sizeof(memory); at += PAGE)
			memory[at]++;
		call(SYS_NANOSLEEP, (long)pause, 0, 0);
	}
}

/* The stack is aligned as the ABI wants it only after a call. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n");
