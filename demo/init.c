/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first and only program of a probe guest: prints what this virtual CPU says of itself and what
 * the kernel made of it, between marker lines, and powers off.
 *
 * Linked statically and free of the C library: glibc chooses its string functions by CPUID at start,
 * and would die of what a badly made vCPU promises before it could report it.
 */
#include <stddef.h>
#include <stdint.h>

enum { SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_MOUNT = 165, SYS_REBOOT = 169 };

static long call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
	                 : "rcx", "r11", "memory");
	return result;
}

static void put(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	call(SYS_WRITE, 1, (long)text, (long)length, 0, 0);
}

/* digits hexadecimal digits of value at the end of prefix. */
static void put_hex(const char *prefix, uint32_t value, int digits)
{
	char text[9];

	for (int i = 0; i < digits; i++)
		text[i] = "0123456789abcdef"[value >> (4 * (digits - 1 - i)) & 0xf];
	text[digits] = '\0';
	put(prefix);
	put(text);
}

static void put_file(const char *path)
{
	char text[4096];
	long n, fd = call(SYS_OPEN, (long)path, 0, 0, 0, 0);

	while (fd >= 0 && (n = call(SYS_READ, fd, (long)text, sizeof(text), 0, 0)) > 0)
		call(SYS_WRITE, 1, (long)text, n, 0, 0);
	if (fd >= 0)
		call(SYS_CLOSE, fd, 0, 0, 0, 0);
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

/* One line in the form of "cpuid -r". */
static void put_leaf(uint32_t leaf, uint32_t subleaf, struct regs r)
{
	put_hex("   0x", leaf, 8);
	put_hex(" 0x", subleaf, 2);
	put_hex(": eax=0x", r.eax, 8);
	put_hex(" ebx=0x", r.ebx, 8);
	put_hex(" ecx=0x", r.ecx, 8);
	put_hex(" edx=0x", r.edx, 8);
	put("\n");
}

/* The highest subleaf of a leaf that has some, by its subleaf 0. */
static uint32_t last_subleaf(uint32_t leaf, struct regs first)
{
	switch (leaf) {
	case 0x7:
	case 0x14:
	case 0x17:
	case 0x18:
	case 0x1d:
	case 0x20:
	case 0x24:
		return first.eax < 32 ? first.eax : 32;
	case 0x4:
	case 0x8000001d:
		return 7;
	case 0xb:
	case 0x1f:
	case 0x80000026:
		return 3;
	case 0xd:
		return 63;
	case 0xf:
	case 0x10:
	case 0x1e:
		return 3;
	case 0x12:
		return 4;
	default:
		return 0;
	}
}

static void put_range(uint32_t base)
{
	uint32_t highest = cpuid(base, 0).eax;

	if (highest < base || highest > base + 0xff)
		return;
	for (uint32_t leaf = base; leaf <= highest; leaf++) {
		struct regs first = cpuid(leaf, 0);
		uint32_t last = last_subleaf(leaf, first);

		put_leaf(leaf, 0, first);
		for (uint32_t subleaf = 1; subleaf <= last; subleaf++) {
			struct regs r = cpuid(leaf, subleaf);

			/* Of leaf 0xd only the components that are there; 0 and 1 always. */
			if (leaf != 0xd || subleaf < 2 || r.eax)
				put_leaf(leaf, subleaf, r);
		}
	}
}

void start(void);

void __attribute__((noreturn)) start(void)
{
	call(SYS_MOUNT, (long)"proc", (long)"/proc", (long)"proc", 0, 0);
	call(SYS_MOUNT, (long)"sysfs", (long)"/sys", (long)"sysfs", 0, 0);
	put("\n--- cpuid\nCPU 0:\n");
	put_range(0);
	if (cpuid(1, 0).ecx >> 31)
		put_range(0x40000000);
	put_range(0x80000000);
	put("--- cpuinfo\n");
	put_file("/proc/cpuinfo");
	put("--- end\n");
	call(SYS_REBOOT, (long)0xfee1dead, 672274793, 0x4321fedc, 0, 0);
	for (;;)
		;
}

/* The stack is aligned as the ABI wants it only after a call. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall start\n");
