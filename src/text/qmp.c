/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP's messages.
 *
 * A message is one JSON object.  QEMU ends each with a line end, but spreads it over many lines when it
 * was told to print prettily, and a read may end anywhere; so a message is found by its braces, and
 * only a whole one is given to the JSON parser.  Nothing but blanks may stand between messages: whatever else
 * comes is not QEMU's machine protocol, most often its monitor for people.
 */
#include "text/qmp.h"

#include "base/span.h"

#include <string.h>

enum { SAMPLE = 24 }; /* characters shown of what is not a message */

void evc_qmp_feed(struct evc_qmp_stream *stream, const char *bytes, size_t length)
{
	evc_sink_write(&stream->bytes, bytes, length);
}

void evc_qmp_stream_free(struct evc_qmp_stream *stream)
{
	evc_sink_free(&stream->bytes);
	*stream = (struct evc_qmp_stream){ 0 };
}

/* Drop n bytes from the front, and forget what was seen of the message there. */
static void take(struct evc_qmp_stream *stream, size_t n)
{
	struct evc_sink *bytes = &stream->bytes;

	memmove(bytes->text, bytes->text + n, bytes->length - n);
	bytes->length -= n;
	stream->seen = 0;
	stream->depth = 0;
	stream->in_string = stream->escaped = false;
}

static void skip_blanks(struct evc_qmp_stream *stream)
{
	size_t n = 0;

	while (n < stream->bytes.length && stream->bytes.text[n] && strchr(" \t\r\n", stream->bytes.text[n]))
		n++;
	if (n && !stream->seen)
		take(stream, n);
}

/* One more character of the message; true when it is the last one. */
static bool step(struct evc_qmp_stream *stream, char c)
{
	if (stream->in_string) {
		if (stream->escaped)
			stream->escaped = false;
		else if (c == '\\')
			stream->escaped = true;
		else if (c == '"')
			stream->in_string = false;
		return false;
	}
	if (c == '"')
		stream->in_string = true;
	else if (c == '{' || c == '[')
		stream->depth++;
	else if (c == '}' || c == ']')
		return !--stream->depth;
	return false;
}

static int not_qmp(const struct evc_sink *bytes, struct evc_error *err)
{
	char sample[SAMPLE + 1];
	size_t n = 0;

	for (; n < SAMPLE && n < bytes->length; n++)
		sample[n] = (bytes->text[n] >= ' ' && bytes->text[n] <= '~') ? bytes->text[n] : '.';
	sample[n] = '\0';
	return evc_fail(
		err, EVC_ERR_INPUT,
		"expected a message of QEMU's machine protocol, found \"%s\"; is it a monitor for people?",
		sample);
}

/* Find the end of the message at the front; *ret_length is 0 when it is not there yet. */
static int find_message(struct evc_qmp_stream *stream, size_t *ret_length, struct evc_error *err)
{
	const struct evc_sink *bytes = &stream->bytes;

	*ret_length = 0;
	if (bytes->length && bytes->text[0] != '{')
		return not_qmp(bytes, err);
	while (stream->seen < bytes->length && stream->seen < EVC_QMP_MAX_MESSAGE)
		if (step(stream, bytes->text[stream->seen++])) {
			*ret_length = stream->seen;
			return EVC_OK;
		}
	if (stream->seen >= EVC_QMP_MAX_MESSAGE)
		return evc_fail(err, EVC_ERR_LIMIT, "a message has more than %d bytes", EVC_QMP_MAX_MESSAGE);
	return EVC_OK;
}

static json_t *load(const char *text, size_t length, struct evc_error *err)
{
	json_error_t error;
	json_t *object = json_loadb(text, length, JSON_ALLOW_NUL, &error);

	if (!object && json_error_code(&error) == json_error_numeric_overflow)
		object = json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
	if (!object)
		(void)evc_fail(err, EVC_ERR_INPUT, "a message is not JSON: %s", error.text);
	return object;
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Say of what kind the object is; false when of none. */
static bool classify(struct evc_qmp_message *message)
{
	json_t *object = message->object, *error = json_object_get(object, "error");
	const json_t *id = json_object_get(object, "id"),
		     *seconds = json_object_get(json_object_get(object, "timestamp"), "seconds");

	message->name = message->text = "";
	message->id = json_is_number(id) ? (json_int_t)json_number_value(id) : -1;
	message->seconds = json_is_number(seconds) ? (json_int_t)json_number_value(seconds) : -1;
	if ((message->value = json_object_get(object, "return"))) {
		message->kind = EVC_QMP_RETURN;
	} else if (json_is_object(error)) {
		message->kind = EVC_QMP_ERROR;
		message->name = string(error, "class");
		message->text = string(error, "desc");
	} else if (json_is_string(json_object_get(object, "event"))) {
		message->kind = EVC_QMP_EVENT;
		message->name = string(object, "event");
		message->value = json_object_get(object, "data");
	} else if (json_is_object(message->value = json_object_get(object, "QMP"))) {
		message->kind = EVC_QMP_GREETING;
	} else {
		return false;
	}
	return true;
}

int evc_qmp_next(struct evc_qmp_stream *stream, struct evc_qmp_message *ret_message, struct evc_error *err)
{
	struct evc_qmp_message message = { 0 };
	size_t length;
	int status;

	if (stream->bytes.failed)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	skip_blanks(stream);
	status = find_message(stream, &length, err);
	if (status < 0)
		return status;
	if (length) {
		message.object = load(stream->bytes.text, length, err);
		if (!message.object)
			return EVC_ERR_INPUT;
		if (!classify(&message)) {
			json_decref(message.object);
			return not_qmp(&stream->bytes, err);
		}
		take(stream, length);
	}
	*ret_message = message;
	return EVC_OK;
}

bool evc_qmp_version(const json_t *value, unsigned ret_version[static 3])
{
	static const char *const parts[] = { "major", "minor", "micro" };
	const json_t *inner = json_object_get(value, "version"),
		     *qemu = json_object_get(inner ? inner : value, "qemu");

	for (int i = 0; i < 3; i++) {
		json_int_t number = json_integer_value(json_object_get(qemu, parts[i]));

		if (!json_is_integer(json_object_get(qemu, parts[i])) || number < 0 || number > 9999)
			return false;
		ret_version[i] = (unsigned)number;
	}
	return true;
}

static int parse_tcp(struct evc_span rest, struct evc_qmp_address *address, struct evc_error *err)
{
	size_t colon = rest.length;
	struct evc_span host, port;
	uint64_t number;

	while (colon && rest.text[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return evc_fail(err, EVC_ERR_USAGE, "expected tcp:ADDRESS:PORT");
	host = (struct evc_span){ .text = rest.text, .length = colon - 1 };
	port = (struct evc_span){ .text = rest.text + colon, .length = rest.length - colon };
	if (!evc_span_decimal(&port, &number) || port.length || !number || number > UINT16_MAX)
		return evc_fail(err, EVC_ERR_USAGE, "expected a port from 1 to 65535 at the end of tcp:%.*s",
		                (int)rest.length, rest.text);
	if (host.length > 2 && host.text[0] == '[' && host.text[host.length - 1] == ']') {
		host.text++;
		host.length -= 2;
	}
	if (host.length >= sizeof(address->host))
		return evc_fail(err, EVC_ERR_USAGE, "expected a numeric address, as tcp:127.0.0.1:4444");
	memcpy(address->host, host.text, host.length);
	address->kind = EVC_QMP_TCP;
	address->port = (uint16_t)number;
	return EVC_OK;
}

int evc_qmp_address_parse(const char *text, struct evc_qmp_address *ret_address, struct evc_error *err)
{
	struct evc_qmp_address address = { .kind = EVC_QMP_UNIX, .fd = -1 };
	struct evc_span rest = evc_span_from(text);
	uint64_t number;
	int status = EVC_OK;

	if (evc_span_skip(&rest, "tcp:")) {
		status = parse_tcp(rest, &address, err);
	} else if (evc_span_skip(&rest, "fd:")) {
		address.kind = EVC_QMP_FD;
		if (!evc_span_number(rest, INT32_MAX, &number))
			return evc_fail(err, EVC_ERR_USAGE, "expected the number of a descriptor in fd:N");
		address.fd = (int)number;
	} else {
		evc_span_skip(&rest, "unix:");
		if (!rest.length)
			return evc_fail(err, EVC_ERR_USAGE, "expected the path of a socket");
		if (rest.length > EVC_QMP_MAX_PATH)
			return evc_fail(
				err, EVC_ERR_USAGE,
				"the path of a socket has at most %d characters, this one %zu: change into "
				"its folder and name it from there",
				EVC_QMP_MAX_PATH, rest.length);
		memcpy(address.path, rest.text, rest.length);
	}
	if (status == EVC_OK)
		*ret_address = address;
	return status;
}
