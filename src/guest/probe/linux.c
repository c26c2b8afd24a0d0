/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe program on Linux: its CPUs, its MSRs, and what the kernel says of itself. */
#include "guest/probe/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

enum {
	MAX_CPUS = 8192,
	SIZE_FILE = 4096,
	REQUEST_STATE = 0x1023, /* ARCH_REQ_XCOMP_PERM: Linux wants to be asked for tile registers */
	TILE_DATA = 18,
};

typedef uint64_t cpu_mask[MAX_CPUS / 64];

static const char vulnerabilities[] = "/sys/devices/system/cpu/vulnerabilities";

long probe_call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
	                 : "rcx", "r11", "memory");
	return result;
}

void probe_write(const char *text, size_t length)
{
	while (length) {
		long n = probe_call(SYS_write, 1, (long)text, (long)length, 0);

		/* Nobody listens any more: there is nothing left to do. */
		if (n <= 0)
			probe_call(SYS_exit_group, 1, 0, 0, 0);
		text += n;
		length -= (size_t)n;
	}
}

/* A file as it is, with prefix before its first line. */
static void put_file(const char *prefix, const char *path)
{
	char text[SIZE_FILE], last = '\n';
	long n, fd = probe_call(SYS_open, (long)path, 0, 0, 0);

	if (fd < 0)
		return;
	probe_put(prefix);
	probe_flush();
	while ((n = probe_call(SYS_read, fd, (long)text, sizeof(text), 0)) > 0) {
		probe_write(text, (size_t)n);
		last = text[n - 1];
	}
	if (last != '\n')
		probe_put("\n");
	probe_call(SYS_close, fd, 0, 0, 0);
}

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

/* The file of the CPU that was asked for last stays open: the next question is likely for it too. */
enum probe_msr probe_read_msr(int cpu, uint32_t index, uint64_t *ret_value)
{
	static long fd = -1;
	static int open_cpu = -1;
	long n;

	if (cpu != open_cpu) {
		if (fd >= 0)
			probe_call(SYS_close, fd, 0, 0, 0);
		fd = open_msr(cpu);
		open_cpu = cpu;
	}
	if (fd < 0)
		return PROBE_MSR_NONE;
	n = probe_call(SYS_pread64, fd, (long)ret_value, sizeof(*ret_value), index);
	return n == sizeof(*ret_value) ? PROBE_MSR_READ : n == -EIO ? PROBE_MSR_FAULT : PROBE_MSR_NONE;
}

const char *probe_no_msr(void)
{
	return open_msr(0) == -ENOENT ? "the kernel has no /dev/cpu/N/msr, or it is a module"
	                              : "/dev/cpu/N/msr is not for this user";
}

void probe_want_state(void)
{
	probe_call(SYS_arch_prctl, REQUEST_STATE, TILE_DATA, 0, 0);
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
	put_file("online ", "/sys/devices/system/cpu/online");
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
	put_file(prefix, path);
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

void probe_put_system(void)
{
	probe_put("--- cpuinfo\n");
	put_file("", "/proc/cpuinfo");
	put_kernel();
	put_vulnerabilities();
}

static void mount(const char *kind, const char *where)
{
	probe_call(SYS_mount, (long)kind, (long)where, (long)kind, 0);
}

void probe_start(void);

/* Process 1 is a guest's init: it makes itself at home, and the guest ends with it. */
void __attribute__((noreturn)) probe_start(void)
{
	bool init = probe_call(SYS_getpid, 0, 0, 0, 0) == 1;

	if (init) {
		mount("proc", "/proc");
		mount("sysfs", "/sys");
		mount("devtmpfs", "/dev");
	}
	probe_sections();
	if (init)
		probe_call(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0);
	for (;;)
		probe_call(SYS_exit_group, 0, 0, 0, 0);
}

/* The stack is aligned as the ABI wants it only after a call. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall probe_start\n");
