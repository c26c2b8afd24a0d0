/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes from QEMU's socket.  However they are cut, the same messages come out; each, printed, is read
 * back as the same; and what is refused says why.  Addresses too: the bytes as one.
 */
#include "text/qmp.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good, const char *wrong)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", wrong);
	abort();
}

/* All messages of the bytes, fed in pieces of this size, as an array. */
static json_t *read_all(const char *bytes, size_t size, size_t piece, int *ret_status)
{
	json_t *objects = json_array();
	struct evc_qmp_stream stream = { 0 };
	struct evc_qmp_message message;
	struct evc_error err = { 0 };
	int status = EVC_OK;

	for (size_t at = 0; at < size && status == EVC_OK; at += piece) {
		evc_qmp_feed(&stream, bytes + at, at + piece < size ? piece : size - at);
		while ((status = evc_qmp_next(&stream, &message, &err)) == EVC_OK && message.object)
			json_array_append_new(objects, message.object);
	}
	check(status == EVC_OK || err.text[0], "an error without a text");
	check(status == EVC_OK || status == EVC_ERR_INPUT || status == EVC_ERR_LIMIT,
	      "an error of another kind");
	evc_qmp_stream_free(&stream);
	*ret_status = status;
	return objects;
}

static void check_printed(const json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	json_t *again;
	int status;

	check(text != NULL, "a message that cannot be printed");
	again = read_all(text, strlen(text), SIZE_MAX / 2, &status);
	check(status == EVC_OK && json_array_size(again) == 1, "a printed message is not one message");
	check(json_equal(json_array_get(again, 0), object), "a message changed on its way");
	json_decref(again);
	free(text);
}

static void check_address(const uint8_t *data, size_t size)
{
	struct evc_qmp_address address;
	struct evc_error err = { 0 };
	char *text = malloc(size + 1);

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (evc_qmp_address_parse(text, &address, &err) < 0)
		check(err.text[0] && err.code == EVC_ERR_USAGE, "an address is refused in another way");
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int status, other;
	json_t *whole = read_all((const char *)data, size, SIZE_MAX / 2, &status);
	json_t *pieces = read_all((const char *)data, size, 7, &other);

	check(json_equal(whole, pieces), "pieces gave other messages than the whole");
	check(status == other, "pieces ended otherwise than the whole");
	for (size_t i = 0; i < json_array_size(whole); i++)
		check_printed(json_array_get(whole, i));
	json_decref(whole);
	json_decref(pieces);
	check_address(data, size);
	return 0;
}
