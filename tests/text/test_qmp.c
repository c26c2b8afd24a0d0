/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's machine protocol: addresses, and messages out of bytes however they come. */
#include "text/qmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct address_row {
	const char *name, *text;
	int kind; /* -1: refused */
	const char *where;
	int number;
	const char *says;
};

static const struct address_row address_rows[] = {
	{ .name = "takes a path", .text = "/run/q.sock", .kind = EVC_QMP_UNIX, .where = "/run/q.sock" },
	{ .name = "takes a path with its kind",
	  .text = "unix:q.sock",
	  .kind = EVC_QMP_UNIX,
	  .where = "q.sock" },
	{ .name = "takes a path that looks like nothing else",
	  .text = "tcp",
	  .kind = EVC_QMP_UNIX,
	  .where = "tcp" },
	{ .name = "takes an IPv4 address and a port",
	  .text = "tcp:127.0.0.1:4444",
	  .kind = EVC_QMP_TCP,
	  .where = "127.0.0.1",
	  .number = 4444 },
	{ .name = "takes an IPv6 address in brackets",
	  .text = "tcp:[::1]:4444",
	  .kind = EVC_QMP_TCP,
	  .where = "::1",
	  .number = 4444 },
	{ .name = "takes an IPv6 address without brackets",
	  .text = "tcp:fe80::2:44",
	  .kind = EVC_QMP_TCP,
	  .where = "fe80::2",
	  .number = 44 },
	{ .name = "takes a descriptor", .text = "fd:7", .kind = EVC_QMP_FD, .where = "", .number = 7 },
	{ .name = "refuses a port that is none",
	  .text = "tcp:127.0.0.1:http",
	  .kind = -1,
	  .says = "expected a port from 1 to 65535 at the end of tcp:127.0.0.1:http" },
	{ .name = "refuses port 0", .text = "tcp:::0", .kind = -1, .says = "expected a port" },
	{ .name = "refuses a port above 65535",
	  .text = "tcp:::65536",
	  .kind = -1,
	  .says = "expected a port" },
	{ .name = "refuses an address without a port",
	  .text = "tcp:127.0.0.1",
	  .kind = -1,
	  .says = "expected tcp:ADDRESS:PORT" },
	{ .name = "refuses an empty address",
	  .text = "tcp::4444",
	  .kind = -1,
	  .says = "expected tcp:ADDRESS:PORT" },
	{ .name = "refuses an empty path",
	  .text = "unix:",
	  .kind = -1,
	  .says = "expected the path of a socket" },
	{ .name = "refuses a descriptor that is no number",
	  .text = "fd:x",
	  .kind = -1,
	  .says = "expected the number" },
	{ .name = "refuses a path that no socket can have",
	  .text = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	          "aaaaaaaaaaaaaa",
	  .kind = -1,
	  .says = "at most 107 characters" },
};

static void address(void **state)
{
	const struct address_row *row = *state;
	struct evc_qmp_address got;
	struct evc_error err = { 0 };
	int status = evc_qmp_address_parse(row->text, &got, &err);

	if (row->kind < 0) {
		assert_int_equal(status, EVC_ERR_USAGE);
		if (!strstr(err.text, row->says))
			assert_string_equal(err.text, row->says);
		return;
	}
	assert_int_equal(status, EVC_OK);
	assert_int_equal(got.kind, row->kind);
	assert_string_equal(got.kind == EVC_QMP_UNIX ? got.path : got.host, row->where);
	if (got.kind != EVC_QMP_UNIX)
		assert_int_equal(got.kind == EVC_QMP_TCP ? got.port : got.fd, row->number);
}

struct message_row {
	const char *name, *bytes;
	const char *messages; /* one character each: g greeting, r return, x error, e event */
	const char *text;     /* of the last one: name and text of an error or event */
	const char *says;     /* of what is refused after them, NULL: nothing */
};

#define GREETING                                                                                               \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, " \
	"\"capabilities\": [\"oob\"]}}\r\n"

static const struct message_row message_rows[] = {
	{ .name = "reads a greeting", .bytes = GREETING, .messages = "g", .text = "" },
	{ .name = "reads an answer",
	  .bytes = "{\"return\": {}, \"id\": 3}\r\n",
	  .messages = "r",
	  .text = "" },
	{ .name = "reads an answer that is null",
	  .bytes = "{\"return\": null}",
	  .messages = "r",
	  .text = "" },
	{ .name = "reads a refusal",
	  .bytes = "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no {\"}}",
	  .messages = "x",
	  .text = "GenericError no {" },
	{ .name = "reads an event",
	  .bytes = "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 1}, \"event\": \"STOP\"}",
	  .messages = "e",
	  .text = "STOP " },
	{ .name = "reads what is printed prettily",
	  .bytes = "{\n    \"return\": [\n        {\n        }\n    ]\n}\n{\n\"event\": \"RESUME\"}\n",
	  .messages = "re",
	  .text = "RESUME " },
	{ .name = "reads messages without anything between them",
	  .bytes = GREETING "{\"return\": 1}{\"return\": 2}",
	  .messages = "grr",
	  .text = "" },
	{ .name = "is not led astray by braces and quotes in strings",
	  .bytes = "{\"return\": \"}]\\\"}\\\\\"}{\"return\": 1}",
	  .messages = "rr",
	  .text = "" },
	{ .name = "reads numbers of 64 bits without a sign",
	  .bytes = "{\"return\": 18446744073709551552}",
	  .messages = "r",
	  .text = "" },
	{ .name = "waits for the rest of a message",
	  .bytes = "{\"return\": {\"a\": [1",
	  .messages = "",
	  .text = "" },
	{ .name = "says what it found instead of a greeting",
	  .bytes = "QEMU 7.2.22 monitor - type 'help' for more information\r\n",
	  .messages = "",
	  .text = "",
	  .says = "found \"QEMU 7.2.22 monitor - ty\"" },
	{ .name = "says that a message is not JSON",
	  .bytes = "{return: 1}",
	  .messages = "",
	  .text = "",
	  .says = "not JSON" },
	{ .name = "says that an object is of no kind",
	  .bytes = "{\"return\": 1}\n{\"jsonrpc\": 2}",
	  .messages = "r",
	  .text = "",
	  .says = "found \"{\"jsonrpc\": 2}\"" },
	{ .name = "does not print what cannot be printed",
	  .bytes = "\x01\x02\x03",
	  .messages = "",
	  .text = "",
	  .says = "found \"...\"" },
	{ .name = "refuses a closing brace too many",
	  .bytes = "{\"return\": 1}}",
	  .messages = "r",
	  .text = "",
	  .says = "found \"}\"" },
};

/* Feed the bytes in pieces of this size, and write down what comes out. */
static int run(const char *bytes, size_t piece, char *kinds, char *text, struct evc_error *err)
{
	static const char letters[] = {
		[EVC_QMP_GREETING] = 'g', [EVC_QMP_RETURN] = 'r', [EVC_QMP_ERROR] = 'x', [EVC_QMP_EVENT] = 'e'
	};
	struct evc_qmp_stream stream = { 0 };
	struct evc_qmp_message message;
	size_t length = strlen(bytes), n = 0;
	int status = EVC_OK;

	for (size_t at = 0; at < length && status == EVC_OK; at += piece) {
		evc_qmp_feed(&stream, bytes + at, at + piece < length ? piece : length - at);
		while ((status = evc_qmp_next(&stream, &message, err)) == EVC_OK && message.object) {
			kinds[n++] = letters[message.kind];
			strcpy(text, message.name);
			if (*text)
				strcat(strcat(text, " "), message.text);
			json_decref(message.object);
		}
	}
	kinds[n] = '\0';
	evc_qmp_stream_free(&stream);
	return status;
}

static void messages(void **state)
{
	const struct message_row *row = *state;

	for (size_t piece = 1; piece <= strlen(row->bytes); piece++) {
		char kinds[8] = "", text[64] = "";
		struct evc_error err = { 0 };
		int status = run(row->bytes, piece, kinds, text, &err);

		assert_string_equal(kinds, row->messages);
		assert_string_equal(text, row->text);
		assert_int_equal(status, row->says ? EVC_ERR_INPUT : EVC_OK);
		/* what comes a byte at a time is refused before there is more to show */
		if (row->says && piece == strlen(row->bytes) && !strstr(err.text, row->says))
			assert_string_equal(err.text, row->says);
	}
}

static void bounds_a_message(void **state)
{
	struct evc_qmp_stream stream = { 0 };
	struct evc_qmp_message message;
	struct evc_error err = { 0 };
	size_t size = EVC_QMP_MAX_MESSAGE / 4;
	char *spaces = malloc(size);
	int status = EVC_OK;
	(void)state;

	assert_non_null(spaces);
	memset(spaces, ' ', size);
	evc_qmp_feed(&stream, "{", 1);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(status, EVC_OK);
		evc_qmp_feed(&stream, spaces, size);
		status = evc_qmp_next(&stream, &message, &err);
	}
	assert_int_equal(status, EVC_ERR_LIMIT);
	evc_qmp_stream_free(&stream);
	free(spaces);
}

static void reads_version_and_numbers(void **state)
{
	struct evc_qmp_stream stream = { 0 };
	struct evc_qmp_message message;
	struct evc_error err = { 0 };
	unsigned version[3] = { 0 };
	(void)state;

	evc_qmp_feed(&stream, GREETING, strlen(GREETING));
	assert_int_equal(evc_qmp_next(&stream, &message, &err), EVC_OK);
	assert_true(evc_qmp_version(message.value, version));
	assert_int_equal(version[0], 7);
	assert_int_equal(version[1], 2);
	assert_int_equal(version[2], 22);
	json_decref(message.object);
	evc_qmp_feed(&stream, "{\"return\": 18446744073709551615, \"id\": 7}", 41);
	assert_int_equal(evc_qmp_next(&stream, &message, &err), EVC_OK);
	assert_int_equal(message.id, 7);
	assert_true(json_number_value(message.value) > 18e18);
	assert_false(evc_qmp_version(message.object, version));
	json_decref(message.object);
	evc_qmp_stream_free(&stream);
}

int main(void)
{
	enum { N_ADDRESSES = sizeof(address_rows) / sizeof(address_rows[0]) };
	enum { N_MESSAGES = sizeof(message_rows) / sizeof(message_rows[0]) };
	struct CMUnitTest tests[N_ADDRESSES + N_MESSAGES + 2];
	size_t n = 0;

	for (int i = 0; i < N_ADDRESSES; i++)
		tests[n++] = (struct CMUnitTest){ .name = address_rows[i].name,
			                          .test_func = address,
			                          .initial_state = (void *)&address_rows[i] };
	for (int i = 0; i < N_MESSAGES; i++)
		tests[n++] = (struct CMUnitTest){ .name = message_rows[i].name,
			                          .test_func = messages,
			                          .initial_state = (void *)&message_rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(bounds_a_message);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(reads_version_and_numbers);
	return cmocka_run_group_tests_name("text/qmp", tests, NULL, NULL);
}
