/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/probe/probe.h"

enum { SIZE_TEXT = 4096, ENOUGH = SIZE_TEXT - 512 /* a line fits behind it */ };

static char held[SIZE_TEXT];
static size_t n_held;

void probe_flush(void)
{
	if (n_held)
		probe_write(held, n_held);
	n_held = 0;
}

/* Many lines at once, since each write is a way to the kernel; whole ones, since a kernel prints in between.
 */
void probe_put(const char *text)
{
	for (; *text; text++) {
		held[n_held++] = *text;
		if (n_held == SIZE_TEXT || (*text == '\n' && n_held > ENOUGH))
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

void probe_put_cpu(int cpu)
{
	probe_put("cpu ");
	probe_put_decimal((uint64_t)cpu);
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
