/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_QMP_H
#define EVC_TEXT_QMP_H

/*
 * QEMU's machine protocol, as bytes: a stream of JSON objects is cut into messages, whichever way it
 * arrives, and each message is told by its kind.  Who holds the socket is guest/qmp.h.
 */

#include "base/error.h"
#include "base/sink.h"

#include <jansson.h>

#include <stdint.h>

enum {
	EVC_QMP_MAX_MESSAGE = 16 * 1024 * 1024, /* bytes; the largest known answers have some 100 KB */
	EVC_QMP_MAX_PATH = 107,                 /* of a UNIX socket: what sockaddr_un holds */
};

enum evc_qmp_kind {
	EVC_QMP_GREETING, /* the first message of a connection; value: its "QMP" */
	EVC_QMP_RETURN,   /* value: what was returned */
	EVC_QMP_ERROR,    /* name: its class, text: its description */
	EVC_QMP_EVENT,    /* name: of the event, value: its data, NULL when it has none */
};

/* A message owns its object; the rest is borrowed from it. */
struct evc_qmp_message {
	enum evc_qmp_kind kind;
	json_t *object;     /* NULL: there is no message yet */
	json_t *value;      /* see the kinds */
	const char *name;   /* see the kinds, else "" */
	const char *text;   /* see the kinds, else "" */
	json_int_t id;      /* of the command that it answers, -1: none, or not one of ours */
	json_int_t seconds; /* of an event's time since 1970, -1: none */
};

/* What was fed and not yet taken.  Starts as all zeros; evc_qmp_stream_free gives its memory back. */
struct evc_qmp_stream {
	struct evc_sink bytes;
	size_t seen; /* bytes of the message at the front that were looked at */
	unsigned depth;
	bool in_string, escaped;
};

void evc_qmp_feed(struct evc_qmp_stream *stream, const char *bytes, size_t length);

/*
 * The next whole message of the stream; its object is NULL when more bytes are wanted.  The caller
 * drops the object with json_decref.  EVC_ERR_INPUT for what is not a QMP message, EVC_ERR_LIMIT for one that
 * is too long: after either the stream is of no use.
 *
 * A message that holds a number above 2^63 (some properties of QEMU are 64 bits without a sign) has
 * all its numbers as reals: read numbers with json_number_value.
 */
int evc_qmp_next(struct evc_qmp_stream *stream, struct evc_qmp_message *ret_message, struct evc_error *err);

void evc_qmp_stream_free(struct evc_qmp_stream *stream);

/* QEMU's version in a greeting, or in what query-version returns; false when it is not there. */
bool evc_qmp_version(const json_t *value, unsigned ret_version[static 3]);

/* Where a QMP socket is. */
struct evc_qmp_address {
	enum {
		EVC_QMP_UNIX,
		EVC_QMP_TCP,
		EVC_QMP_FD,
	} kind;
	char path[EVC_QMP_MAX_PATH + 1]; /* UNIX */
	char host[48];                   /* TCP: a numeric address, without brackets */
	uint16_t port;                   /* TCP */
	int fd;                          /* FD: inherited, connected */
};

/* "PATH", "unix:PATH", "tcp:ADDRESS:PORT", "tcp:[ADDRESS]:PORT", "fd:N". */
int evc_qmp_address_parse(const char *text, struct evc_qmp_address *ret_address, struct evc_error *err);

#endif
