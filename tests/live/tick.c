/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first and only program of a guest that is moved: ten times a second it says that it lives and what
 * its CPU says of itself, "T number hash", and uses what it found at its start, as programs do.
 *
 * Free of the C library, which chooses its functions by CPUID.
 */
#include <stddef.h>
#include <stdint.h>

enum { SYS_WRITE = 1, SYS_NANOSLEEP = 35, SYS_SETAFFINITY = 203 };
enum { TICK_NS = 100 * 1000 * 1000 };

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"(number), "D"(a), "S"(b), "d"(c)
	                 : "rcx", "r11", "memory");
	return result;
}

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

static uint64_t mix(uint64_t hash, struct regs r)
{
	const uint32_t values[] = { r.eax, r.ebx, r.ecx, r.edx };

	for (int i = 0; i < 4; i++)
		hash = (hash ^ values[i]) * 0x100000001b3;
	return hash;
}

static uint64_t hash_range(uint64_t hash, uint32_t base)
{
	uint32_t highest = cpuid(base, 0).eax;

	if (highest < base || highest > base + 0xff)
		return hash;
	for (uint32_t leaf = base; leaf <= highest; leaf++)
		for (uint32_t subleaf = 0; subleaf < 3; subleaf++)
			hash = mix(hash, cpuid(leaf, subleaf));
	return hash;
}

static uint64_t hash_all(void)
{
	return hash_range(hash_range(hash_range(0xcbf29ce484222325, 0), 0x40000000), 0x80000000);
}

static char *put_hex(char *to, uint64_t value, int digits)
{
	while (digits--)
		*to++ = "0123456789abcdef"[value >> (4 * digits) & 0xf];
	return to;
}

static void put_tick(uint32_t number, uint64_t hash)
{
	char text[40] = "T ", *end;

	end = put_hex(text + 2, number, 8);
	*end++ = ' ';
	end = put_hex(end, hash, 16);
	*end++ = '\n';
	call(SYS_WRITE, 1, (long)text, end - text);
}

/* AVX2 as a program finds it: the CPU has it, and the system keeps its state. */
static int has_avx2(void)
{
	uint32_t low, high;

	if (cpuid(0, 0).eax < 7 || !(cpuid(1, 0).ecx >> 27 & 1) || !(cpuid(7, 0).ebx >> 5 & 1))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 6) == 6;
}

void start(void);

void __attribute__((noreturn)) start(void)
{
	const long pause[2] = { 0, TICK_NS };
	const long first = 1;
	int avx2 = has_avx2();

	call(SYS_SETAFFINITY, 0, sizeof(first), (long)&first);
	for (uint32_t number = 0;; number++) {
		put_tick(number, hash_all());
		if (avx2)
			__asm__ volatile("vpaddd %ymm0, %ymm0, %ymm0");
		call(SYS_NANOSLEEP, (long)pause, 0, 0);
	}
}

/* The stack is aligned as the ABI wants it only after a call. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall start\n");
