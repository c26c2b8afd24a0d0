/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program says, section by section: text/probe.h describes them.  What could harm the
 * guest comes last, so that the rest is already told.
 */
#include "guest/probe/probe.h"

#include "host/cpuid.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <cpuid.h>

enum {
	MAX_CPUS = 8192,
	REQUEST_STATE = 0x1023, /* ARCH_REQ_XCOMP_PERM: Linux wants to be asked for tile registers */
	TILE_DATA = 18,
};

typedef uint64_t cpu_mask[MAX_CPUS / 64];

static const char vulnerabilities[] = "/sys/devices/system/cpu/vulnerabilities";

int probe_next_cpu(int cpu)
{
	static cpu_mask allowed;
	static long n_bytes;

	if (!n_bytes) {
		n_bytes = probe_call(SYS_sched_getaffinity, 0, sizeof(allowed), (long)allowed, 0);
		if (n_bytes < 0)
			n_bytes = 0;
	}
	while (++cpu < n_bytes * 8)
		if (allowed[cpu / 64] >> (cpu % 64) & 1) {
			cpu_mask only = { 0 };

			only[cpu / 64] = UINT64_C(1) << (cpu % 64);
			if (!probe_call(SYS_sched_setaffinity, 0, n_bytes, (long)only, 0))
				return cpu;
		}
	return -1;
}

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

static void put_cpu(int cpu)
{
	probe_put("cpu ");
	probe_put_decimal((uint64_t)cpu);
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

static void put_kernel(void)
{
	static struct utsname names;

	probe_put("--- kernel\n");
	if (probe_call(SYS_uname, (long)&names, 0, 0, 0))
		return;
	probe_put("release ");
	probe_put(names.release);
	probe_put("\nmachine ");
	probe_put(names.machine);
	probe_put("\n");
	probe_put_file("online ", "/sys/devices/system/cpu/online");
}

static void put_vulnerability(const char *name)
{
	char path[512], prefix[300];
	size_t n_path = 0, n_prefix = 0;

	for (const char *c = vulnerabilities; *c; c++)
		path[n_path++] = *c;
	path[n_path++] = '/';
	for (const char *c = name; *c && n_prefix < 256; c++)
		path[n_path++] = prefix[n_prefix++] = *c;
	path[n_path] = '\0';
	prefix[n_prefix++] = ':';
	prefix[n_prefix++] = ' ';
	prefix[n_prefix] = '\0';
	probe_put_file(prefix, path);
}

/* As getdents64 fills it. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static void put_vulnerabilities(void)
{
	static char entries[4096] __attribute__((aligned(8)));
	long n, fd = probe_call(SYS_open, (long)vulnerabilities, O_DIRECTORY, 0, 0);

	probe_put("--- vulnerabilities\n");
	while (fd >= 0 && (n = probe_call(SYS_getdents64, fd, (long)entries, sizeof(entries), 0)) > 0)
		for (long at = 0; at < n;) {
			const struct entry *entry = (const struct entry *)(entries + at);

			if (entry->name[0] != '.')
				put_vulnerability(entry->name);
			at += entry->length;
		}
	if (fd >= 0)
		probe_call(SYS_close, fd, 0, 0, 0);
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

	put_cpu(cpu);
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

static long open_msr(int cpu)
{
	static const char front[] = "/dev/cpu/", back[] = "/msr";
	char path[32], digits[12];
	int n = 0, n_digits = 0;

	for (const char *c = front; *c; c++)
		path[n++] = *c;
	do
		digits[n_digits++] = (char)('0' + cpu % 10);
	while (cpu /= 10);
	while (n_digits)
		path[n++] = digits[--n_digits];
	for (const char *c = back; *c; c++)
		path[n++] = *c;
	path[n] = '\0';
	return probe_call(SYS_open, (long)path, O_RDONLY, 0, 0);
}

static void put_msrs_here(int cpu, long fd)
{
	for (unsigned i = 0; i < n_probe_msrs; i++) {
		uint64_t value;

		if (probe_call(SYS_pread64, fd, (long)&value, sizeof(value), probe_msrs[i]) != sizeof(value))
			continue;
		put_cpu(cpu);
		probe_put(" 0x");
		probe_put_hex(probe_msrs[i], 0);
		probe_put(" 0x");
		probe_put_hex(value, 0);
		probe_put("\n");
	}
	probe_call(SYS_close, fd, 0, 0, 0);
}

static void put_msrs(void)
{
	probe_put("--- msr\n");
	for (int cpu = probe_next_cpu(-1); cpu >= 0; cpu = probe_next_cpu(cpu)) {
		long fd = open_msr(cpu);

		if (fd < 0) {
			probe_put(fd == -2 ? "none: the kernel has no /dev/cpu/N/msr, or it is a module\n"
			                   : "none: /dev/cpu/N/msr is not for this user\n");
			return;
		}
		put_msrs_here(cpu, fd);
	}
}

/* On the first CPU.  The name goes out before the instruction is tried, to say what the end was. */
static void put_instructions(void)
{
	probe_put("--- instructions\n");
	probe_next_cpu(-1);
	probe_call(SYS_arch_prctl, REQUEST_STATE, TILE_DATA, 0, 0);
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
	probe_put("--- cpuinfo\n");
	probe_put_file("", "/proc/cpuinfo");
	put_kernel();
	put_vulnerabilities();
	put_xsave();
	put_msrs();
	put_instructions();
	probe_put("--- end\n");
}
