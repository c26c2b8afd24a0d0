/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/probe/probe.h"

#include <sys/syscall.h>

enum { SIZE_LINE = 512, SIZE_FILE = 4096 };

static char line[SIZE_LINE];
static size_t n_line;

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

static void write_all(const char *text, size_t length)
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

void probe_flush(void)
{
	write_all(line, n_line);
	n_line = 0;
}

void probe_put(const char *text)
{
	for (; *text; text++) {
		line[n_line++] = *text;
		if (*text == '\n' || n_line == SIZE_LINE)
			probe_flush();
	}
}

void probe_put_hex(uint64_t value, int digits)
{
	char text[17];
	int n = digits ? digits : 1;

	while (!digits && n < 16 && value >> (4 * n))
		n++;
	for (int i = 0; i < n; i++)
		text[i] = "0123456789abcdef"[value >> (4 * (n - 1 - i)) & 0xf];
	text[n] = '\0';
	probe_put(text);
}

void probe_put_decimal(uint64_t value)
{
	char text[21];
	int at = sizeof(text) - 1;

	text[at] = '\0';
	do
		text[--at] = (char)('0' + value % 10);
	while (value /= 10);
	probe_put(text + at);
}

bool probe_put_file(const char *prefix, const char *path)
{
	char text[SIZE_FILE], last = '\n';
	long n, fd = probe_call(SYS_open, (long)path, 0, 0, 0);

	if (fd < 0)
		return false;
	probe_put(prefix);
	probe_flush();
	while ((n = probe_call(SYS_read, fd, (long)text, sizeof(text), 0)) > 0) {
		write_all(text, (size_t)n);
		last = text[n - 1];
	}
	if (last != '\n')
		probe_put("\n");
	probe_call(SYS_close, fd, 0, 0, 0);
	return true;
}

/* The compiler may call these two wherever it likes. */
void *memset(void *target, int byte, size_t size);
void *memcpy(void *restrict target, const void *restrict source, size_t size);

void *memset(void *target, int byte, size_t size)
{
	void *at = target;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	return target;
}

void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
	void *at = target;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(source), "+c"(size) : : "memory");
	return target;
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
