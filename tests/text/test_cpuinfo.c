/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of /proc/cpuinfo: what is read, and what is refused and where. */
#include "text/cpuinfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CPU0 "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme sse4_1\npower management:\n\n"
#define CPU1 "processor\t: 1\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme sse4_1\npower management:\n\n"

struct good {
	const char *name, *text;
	size_t n_cpus, cpu; /* how many there are; where to look */
	uint32_t number;
	const char *line, *value; /* NULL: there is no such line */
};

static const struct good goods[] = {
	{ .name = "one CPU", .text = CPU0, .n_cpus = 1, .line = "vendor_id", .value = "GenuineIntel" },
	{ .name = "two CPUs",
	  .text = CPU0 CPU1,
	  .n_cpus = 2,
	  .cpu = 1,
	  .number = 1,
	  .line = "flags",
	  .value = "fpu vme sse4_1" },
	{ .name = "a line without a value",
	  .text = CPU0,
	  .n_cpus = 1,
	  .line = "power management",
	  .value = "" },
	{ .name = "a line that is not there", .text = CPU0, .n_cpus = 1, .line = "microcode" },
	{ .name = "blanks instead of tabs, as web pages have it",
	  .text = "processor       : 3\nvendor_id       : GenuineIntel\n",
	  .n_cpus = 1,
	  .number = 3,
	  .line = "vendor_id",
	  .value = "GenuineIntel" },
	{ .name = "carriage returns and a byte order mark",
	  .text = "\xef\xbb\xbfprocessor\t: 0\r\nvendor_id\t: AuthenticAMD\r\n\r\nprocessor\t: 1\r\n",
	  .n_cpus = 2,
	  .line = "vendor_id",
	  .value = "AuthenticAMD" },
	{ .name = "empty lines before and between",
	  .text = "\n\nprocessor\t: 0\n\n\n" CPU1 "\n",
	  .n_cpus = 2,
	  .cpu = 1,
	  .number = 1,
	  .line = "vendor_id",
	  .value = "GenuineIntel" },
	{ .name = "a CPU that is offline is not listed",
	  .text = CPU0 "processor\t: 2\nvendor_id\t: GenuineIntel\n",
	  .n_cpus = 2,
	  .cpu = 1,
	  .number = 2,
	  .line = "flags" },
	{ .name = "a colon in the value",
	  .text = "processor\t: 0\nmodel name\t: Foo: Bar\n",
	  .n_cpus = 1,
	  .line = "model name",
	  .value = "Foo: Bar" },
};

static void reads(void **state)
{
	const struct good *row = *state;
	const struct evc_cpuinfo_line *line;
	struct evc_arena arena = { 0 };
	struct evc_cpuinfo cpuinfo;
	struct evc_error err = { 0 };

	assert_int_equal(evc_cpuinfo_read(evc_span_from(row->text), &arena, &cpuinfo, &err), EVC_OK);
	assert_int_equal(cpuinfo.n_cpus, row->n_cpus);
	assert_int_equal(cpuinfo.cpus[row->cpu].number, row->number);
	line = evc_cpuinfo_find(&cpuinfo.cpus[row->cpu], row->line);
	if (row->value) {
		assert_non_null(line);
		assert_int_equal(line->value.length, strlen(row->value));
		assert_memory_equal(line->value.text, row->value, line->value.length);
	} else
		assert_null(line);
	evc_arena_free(&arena);
}

struct bad {
	const char *name, *text, *message;
	unsigned line, column;
};

static const struct bad bads[] = {
	{ .name = "refuses an empty text", .text = "", .message = "no CPU in it" },
	{ .name = "refuses a line without a colon",
	  .text = CPU0 "processor\t: 1\nvendor_id\n",
	  .line = 7,
	  .column = 1,
	  .message = "expected a name, a colon and a value" },
	{ .name = "refuses a line without a name",
	  .text = "processor\t: 0\n : x\n",
	  .line = 2,
	  .column = 1,
	  .message = "expected a name, a colon and a value" },
	{ .name = "refuses a CPU that does not begin with its number",
	  .text = CPU0 "vendor_id\t: GenuineIntel\n",
	  .line = 6,
	  .column = 1,
	  .message = "a CPU begins with a line \"processor\"" },
	{ .name = "refuses a processor that is no number",
	  .text = "processor\t: zero\n",
	  .line = 1,
	  .column = 13,
	  .message = "expected the number of a processor" },
	{ .name = "refuses a processor of 33 bits",
	  .text = "processor\t: 4294967296\n",
	  .line = 1,
	  .column = 13,
	  .message = "expected the number of a processor" },
	{ .name = "refuses two texts in one",
	  .text = CPU0 CPU0,
	  .line = 6,
	  .column = 13,
	  .message = "the numbers of processors must rise: two texts in one?" },
	{ .name = "refuses two lines of a name for one CPU",
	  .text = "processor\t: 0\nflags\t: a\nflags\t: b\n",
	  .line = 3,
	  .column = 1,
	  .message = "a second line \"flags\" for one CPU" },
	{ .name = "refuses a name without end",
	  .text = "processor\t: 0\nabcdefghijklmnopqrstuvwxyzabcdef: 1\n",
	  .line = 2,
	  .column = 1,
	  .message = "expected a name, a colon and a value" },
};

static void refuses(void **state)
{
	const struct bad *row = *state;
	struct evc_arena arena = { 0 };
	struct evc_cpuinfo cpuinfo;
	struct evc_error err = { 0 };

	assert_int_equal(evc_cpuinfo_read(evc_span_from(row->text), &arena, &cpuinfo, &err), EVC_ERR_INPUT);
	assert_string_equal(err.text, row->message);
	assert_int_equal(err.line, row->line);
	assert_int_equal(err.column, row->column);
	evc_arena_free(&arena);
}

static void refuses_too_many_lines(void **state)
{
	struct evc_arena arena = { 0 };
	struct evc_cpuinfo cpuinfo;
	struct evc_error err = { 0 };
	char text[4096];
	int n = snprintf(text, sizeof(text), "processor\t: 0\n");

	(void)state;
	for (int i = 1; i <= EVC_CPUINFO_MAX_LINES; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "line%d: x\n", i);
	assert_int_equal(evc_cpuinfo_read(evc_span_from(text), &arena, &cpuinfo, &err), EVC_ERR_INPUT);
	assert_int_equal(err.line, EVC_CPUINFO_MAX_LINES + 1);
	evc_arena_free(&arena);
}

static void finds_whole_words_only(void **state)
{
	struct evc_arena arena = { 0 };
	struct evc_cpuinfo cpuinfo;
	const struct evc_cpuinfo_line *flags;
	uint64_t number;

	(void)state;
	assert_int_equal(evc_cpuinfo_read(evc_span_from(CPU0), &arena, &cpuinfo, NULL), EVC_OK);
	flags = evc_cpuinfo_find(&cpuinfo.cpus[0], "flags");
	assert_true(evc_cpuinfo_has(flags, evc_span_from("vme")));
	assert_true(evc_cpuinfo_has(flags, evc_span_from("sse4_1")));
	assert_false(evc_cpuinfo_has(flags, evc_span_from("sse4")));
	assert_false(evc_cpuinfo_has(NULL, evc_span_from("vme")));
	assert_true(evc_cpuinfo_number(&cpuinfo.cpus[0], "processor", 0, &number));
	assert_false(evc_cpuinfo_number(&cpuinfo.cpus[0], "vendor_id", 0, &number));
	evc_arena_free(&arena);
}

static void recognises_x86_only(void **state)
{
	(void)state;
	assert_true(evc_cpuinfo_recognise(evc_span_from(CPU0)));
	assert_false(evc_cpuinfo_recognise(evc_span_from("processor\t: 0\nBogoMIPS\t: 48.00\n")));
	assert_false(evc_cpuinfo_recognise(evc_span_from("CPU 0:\n   0x00000000 0x00: eax=0x0\n")));
	assert_false(evc_cpuinfo_recognise(evc_span_from("")));
}

enum { N_GOODS = sizeof(goods) / sizeof(goods[0]), N_BADS = sizeof(bads) / sizeof(bads[0]) };

int main(void)
{
	struct CMUnitTest tests[N_GOODS + N_BADS + 3] = {
		cmocka_unit_test(refuses_too_many_lines),
		cmocka_unit_test(finds_whole_words_only),
		cmocka_unit_test(recognises_x86_only),
	};

	for (size_t i = 0; i < N_GOODS; i++)
		tests[3 + i] = (struct CMUnitTest){ .name = goods[i].name,
			                            .test_func = reads,
			                            .initial_state = (void *)&goods[i] };
	for (size_t i = 0; i < N_BADS; i++)
		tests[3 + N_GOODS + i] = (struct CMUnitTest){ .name = bads[i].name,
			                                      .test_func = refuses,
			                                      .initial_state = (void *)&bads[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
