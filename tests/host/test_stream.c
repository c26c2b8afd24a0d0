/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams of many hosts: repeated ones are counted, different ones kept apart, damaged ones named. */
#include "host/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define JSON(name, eax)                                                                                      \
	"{\"openevc\": 1, \"name\": \"" name "\", \"cpus\": [{\"leaves\": {\"0.0\": \"" eax " 1 2 3\"}}]}\n"
#define CPUID(name, eax) "HOST " name "\nCPU 0:\n   0x00000000 0x00: eax=0x" eax " ebx=0x1 ecx=0x2 edx=0x3\n"

struct row {
	const char *name, *text;
	size_t n_kinds, n_hosts, first; /* first: hosts of the first kind */
	const char *last_name;          /* of the last kind's second host, or its first */
	unsigned damaged_line;          /* of the last kind, 0: none is damaged */
};

static const struct row rows[] = {
	{ .name = "counts lines of JSON that differ in the name only",
	  .text = JSON("a", "7") JSON("b", "7") JSON("c", "8") JSON("dd", "7"),
	  .n_kinds = 2,
	  .n_hosts = 4,
	  .first = 3,
	  .last_name = "c" },
	{ .name = "reads a last line without its end",
	  .text = JSON("a", "7") "{\"openevc\":1,\"name\":\"x\",\"cpus\":[{\"leaves\":{\"0\":\"1 1 1 1\"}}]}",
	  .n_kinds = 2,
	  .n_hosts = 2,
	  .first = 1,
	  .last_name = "x" },
	{ .name = "leaves out empty lines",
	  .text = JSON("a", "7") "\n \r\n" JSON("b", "7"),
	  .n_kinds = 1,
	  .n_hosts = 2,
	  .first = 2,
	  .last_name = "b" },
	{ .name = "counts hosts of cpuid -r",
	  .text = CPUID("a", "7") CPUID("b b", "7") CPUID("c", "8"),
	  .n_kinds = 2,
	  .n_hosts = 3,
	  .first = 2,
	  .last_name = "c" },
	{ .name = "names the line of a damaged host and goes on",
	  .text = JSON("a", "7") JSON("b", "7") JSON("c", "zz") JSON("d", "7"),
	  .n_kinds = 2,
	  .n_hosts = 4,
	  .first = 3,
	  .last_name = "c",
	  .damaged_line = 3 },
	{ .name = "names the line of damage within a host of cpuid -r",
	  .text = CPUID("a", "7") CPUID("b", "zz"),
	  .n_kinds = 2,
	  .n_hosts = 2,
	  .first = 1,
	  .last_name = "b",
	  .damaged_line = 6 },
	{ .name = "does not take a name elsewhere for the host's",
	  .text = JSON(
		  "a",
		  "7") "{\"openevc\": 1, \"x\": {\"name\": \"p\"}, \"cpus\": [{\"leaves\": {\"0\": \"1 1 1 1\"}}]}\n"
	               "{\"openevc\": 1, \"x\": {\"name\": \"q\"}, \"cpus\": [{\"leaves\": {\"0\": \"1 1 1 1\"}}]}\n",
	  .n_kinds = 3,
	  .n_hosts = 3,
	  .first = 1,
	  .last_name = "host-3" },
	{ .name = "reads other forms whole",
	  .text = "CPU 0:\n   0x00000000 0x00: eax=0x7 ebx=0x1 ecx=0x2 edx=0x3\n",
	  .n_kinds = 1,
	  .n_hosts = 1,
	  .first = 1 },
};

static void write_file(const char *text, size_t length, char path[static 32])
{
	int fd;

	strcpy(path, "/tmp/evc-stream-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), (ssize_t)length);
	close(fd);
}

static void reads_a_stream(void **state)
{
	const struct row *row = *state;
	struct evc_arena arena = { 0 };
	struct evc_kinds kinds = { 0 };
	struct evc_error err = { 0 };
	const struct evc_kind *last;
	char path[32];

	write_file(row->text, strlen(row->text), path);
	assert_int_equal(evc_stream_read(path, &arena, &kinds, &err), EVC_OK);
	unlink(path);
	assert_int_equal(kinds.n, row->n_kinds);
	assert_int_equal(kinds.n_hosts, row->n_hosts);
	assert_int_equal(kinds.items[0].n_hosts, row->first);
	last = &kinds.items[kinds.n - 1];
	if (row->last_name)
		assert_string_equal(last->names[last->n_names - 1], row->last_name);
	assert_int_equal(last->host.reading, row->damaged_line ? EVC_DAMAGED : EVC_READ);
	assert_int_equal(last->host.error.line, row->damaged_line);
	evc_arena_free(&arena);
}

/* More than the buffer holds, with hosts across its end at every offset. */
static void finds_hosts_across_the_buffer(void **state)
{
	struct evc_sink sink = { 0 };
	struct evc_arena arena = { 0 };
	struct evc_kinds kinds = { 0 };
	char path[32];

	(void)state;
	for (int i = 0; i < 40000; i++)
		evc_sink_printf(&sink, i % 3 ? JSON("host%d", "7") : JSON("host%d", "8"), i);
	write_file(sink.text, sink.length, path);
	assert_int_equal(evc_stream_read(path, &arena, &kinds, NULL), EVC_OK);
	unlink(path);
	assert_int_equal(kinds.n, 2);
	assert_int_equal(kinds.n_hosts, 40000);
	assert_int_equal(kinds.items[0].n_hosts, 13334);
	assert_int_equal(kinds.items[0].n_names, EVC_STREAM_NAMES);
	assert_string_equal(kinds.items[0].names[7], "host21");
	assert_int_equal(kinds.bytes, sink.length);
	evc_sink_free(&sink);
	evc_arena_free(&arena);
}

/*
 * Lines that are long enough to be known by their beginning, of kinds that differ in their last byte only;
 * then names that end elsewhere than it seems, a damaged line, and a last line without an end.
 */
static void knows_long_lines_by_their_beginning(void **state)
{
	struct evc_sink sink = { 0 };
	struct evc_arena arena = { 0 };
	struct evc_kinds kinds = { 0 };
	char path[32], padding[3001];

	(void)state;
	memset(padding, 'x', sizeof(padding) - 1);
	padding[sizeof(padding) - 1] = '\0';
	for (int i = 0; i < 3000; i++)
		evc_sink_printf(
			&sink,
			"{\"openevc\": 1, \"name\": \"n%d\", \"origin\": \"%s\", \"cpus\": [{\"leaves\": "
			"{\"0\": \"1 1 1 %d\"}}]}\n",
			i, padding, i % 4);
	for (int i = 0; i < 2; i++)
		evc_sink_printf(
			&sink,
			"{\"openevc\": 1, \"name\": \"q\\\"%d\", \"origin\": \"%s\", \"cpus\": [{\"leaves\": "
			"{\"0\": \"1 1 1 0\"}}]}\n",
			i, padding);
	evc_sink_puts(&sink, "{\"openevc\": 1, \"name\": \"torn\n");
	evc_sink_printf(
		&sink,
		"{\"openevc\": 1, \"name\": \"end\", \"origin\": \"%s\", \"cpus\": [{\"leaves\": {\"0\": "
		"\"1 1 1 0\"}}]}",
		padding);
	write_file(sink.text, sink.length, path);
	assert_int_equal(evc_stream_read(path, &arena, &kinds, NULL), EVC_OK);
	unlink(path);
	assert_int_equal(kinds.n_hosts, 3004);
	assert_int_equal(kinds.n, 8);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(kinds.items[i].n_hosts, 750);
		assert_int_equal(kinds.items[i].host.cpus[0].leaves[0].value[EVC_EDX], i);
	}
	assert_string_equal(kinds.items[3].names[7], "n31");
	assert_string_equal(kinds.items[4].names[0], "q\"0");
	assert_string_equal(kinds.items[5].names[0], "q\"1");
	assert_int_equal(kinds.items[6].host.reading, EVC_DAMAGED);
	assert_int_equal(kinds.items[6].host.error.line, 3003);
	assert_string_equal(kinds.items[7].names[0], "end");
	evc_sink_free(&sink);
	evc_arena_free(&arena);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 2];
	size_t n = 0;

	for (; n < sizeof(rows) / sizeof(rows[0]); n++)
		tests[n] = (struct CMUnitTest){ .name = rows[n].name,
			                        .test_func = reads_a_stream,
			                        .initial_state = (void *)(uintptr_t)&rows[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(finds_hosts_across_the_buffer);
	tests[n] = (struct CMUnitTest)cmocka_unit_test(knows_long_lines_by_their_beginning);
	return cmocka_run_group_tests_name("host/stream", tests, NULL, NULL);
}
