/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/probe/probe.h"

enum { SIZE_LINE = 512 };

static char line[SIZE_LINE];
static size_t n_line;

void probe_flush(void)
{
	probe_write(line, n_line);
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
