/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/qmp-private.h"
#include "guest/socket.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PIECE = 64 * 1024,
	TOGETHER = 64, /* commands that are sent before an answer is waited for */
};

/* Ids of commands beside the queue begin here, so that their answers are told from those that are owed in
 * order. */
static const json_int_t BESIDE = (json_int_t)1 << 40;

int evc_qmp_fail_as(struct evc_qmp *qmp, enum evc_qmp_state state, int status, struct evc_error *err)
{
	qmp->state = state;
	evc_error_set_origin(err, qmp->name);
	return status;
}

static int silent(struct evc_qmp *qmp, const char *command, struct evc_error *err)
{
	if (!*command)
		return evc_qmp_fail_as(
			qmp, EVC_QMP_SILENT,
			evc_fail(err, EVC_ERR_IO,
		                 "QEMU does not greet: it answers one client at a time, and another one may "
		                 "be connected; or it is stopped by a signal"),
			err);
	return evc_qmp_fail_as(
		qmp, EVC_QMP_SILENT,
		evc_fail(err, EVC_ERR_IO,
	                 "QEMU did not answer %s in time; see whether it is stopped or overloaded, and "
	                 "try again",
	                 command),
		err);
}

static int gone(struct evc_qmp *qmp, struct evc_error *err)
{
	return evc_qmp_fail_as(
		qmp, EVC_QMP_GONE,
		evc_fail(err, EVC_ERR_IO,
	                 "QEMU closed the connection: it ended, or its monitor was taken away; its own "
	                 "log says which"),
		err);
}

static int send_text(struct evc_qmp *qmp, const char *command, const char *text, size_t length,
                     int64_t deadline, struct evc_error *err)
{
	while (length) {
		ssize_t n;

		if (!evc_socket_wait(qmp->fd, POLLOUT, deadline))
			return silent(qmp, command, err);
		n = write(qmp->fd, text, length);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return gone(qmp, err);
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
	}
	return EVC_OK;
}

/* The next message, whatever it is; its object is NULL at the deadline. */
static int receive(struct evc_qmp *qmp, int64_t deadline, struct evc_qmp_message *ret_message,
                   struct evc_error *err)
{
	char piece[PIECE];

	for (;;) {
		int status = evc_qmp_next(&qmp->stream, ret_message, err);
		ssize_t n;

		if (status < 0)
			return evc_qmp_fail_as(qmp, EVC_QMP_GARBAGE, status, err);
		if (ret_message->object || !evc_socket_wait(qmp->fd, POLLIN, deadline))
			return EVC_OK;
		n = read(qmp->fd, piece, sizeof(piece));
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return gone(qmp, err);
		if (n > 0)
			evc_qmp_feed(&qmp->stream, piece, (size_t)n);
	}
}

/* Whatever it is, it may be an answer that was owed, or an event for later. */
static void note(struct evc_qmp *qmp, const struct evc_qmp_message *message)
{
	bool answers = message->kind == EVC_QMP_RETURN || message->kind == EVC_QMP_ERROR;

	if (answers && message->id < BESIDE && qmp->n_owed)
		qmp->n_owed--;
	if (message->kind != EVC_QMP_EVENT)
		return;
	if (json_array_size(qmp->events) >= EVC_QMP_EVENTS) {
		json_array_remove(qmp->events, 0);
		qmp->n_dropped++;
	}
	json_array_append(qmp->events, message->object);
}

/* Does the greeting offer it? */
static bool offers(const json_t *greeting, const char *capability)
{
	const json_t *list = json_object_get(greeting, "capabilities");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name && !strcmp(name, capability))
			return true;
	}
	return false;
}

static int greet(struct evc_qmp *qmp, bool beside, unsigned timeout_ms, struct evc_error *err)
{
	struct evc_qmp_message message;
	int status = receive(qmp, evc_now_ms() + timeout_ms, &message, err);
	bool good;

	if (status < 0)
		return status;
	if (!message.object)
		return silent(qmp, "", err);
	good = message.kind == EVC_QMP_GREETING && evc_qmp_version(message.value, qmp->version);
	qmp->oob = good && beside && offers(message.value, "oob");
	json_decref(message.object);
	if (!good)
		return evc_qmp_fail_as(
			qmp, EVC_QMP_GARBAGE,
			evc_fail(err, EVC_ERR_INPUT,
		                 "expected QEMU's greeting with its version; is it a guest agent's socket?"),
			err);
	return evc_qmp_call(qmp, "qmp_capabilities", qmp->oob ? json_pack("{s:[s]}", "enable", "oob") : NULL,
	                    timeout_ms, NULL, err);
}

void evc_qmp_begin(struct evc_qmp *qmp, const char *name)
{
	size_t length = strnlen(name, sizeof(qmp->name) - 1);

	*qmp = (struct evc_qmp){ .fd = -1, .events = json_array() };
	memcpy(qmp->name, name, length);
}

int evc_qmp_finish_open(struct evc_qmp *qmp, int status, struct evc_qmp *ret_qmp)
{
	enum evc_qmp_state state = qmp->state;

	if (status < 0) {
		evc_qmp_close(qmp);
		qmp->state = state;
	}
	*ret_qmp = *qmp;
	return status;
}

static int open_as(struct evc_qmp *ret_qmp, const char *address, bool beside, unsigned timeout_ms,
                   struct evc_error *err)
{
	struct evc_qmp qmp;
	struct evc_qmp_address to;
	int status = evc_qmp_address_parse(address, &to, err);

	evc_qmp_begin(&qmp, address);
	if (status < 0)
		return evc_qmp_finish_open(&qmp, evc_qmp_fail_as(&qmp, EVC_QMP_GONE, status, err), ret_qmp);
	qmp.fd = evc_socket_connect(&to, evc_now_ms() + timeout_ms, err);
	status = qmp.fd < 0 ? evc_qmp_fail_as(&qmp, EVC_QMP_GONE, qmp.fd, err)
	                    : greet(&qmp, beside, timeout_ms, err);
	return evc_qmp_finish_open(&qmp, status, ret_qmp);
}

int evc_qmp_open(struct evc_qmp *ret_qmp, const char *address, unsigned timeout_ms, struct evc_error *err)
{
	return open_as(ret_qmp, address, false, timeout_ms, err);
}

int evc_qmp_open_beside(struct evc_qmp *ret_qmp, const char *address, unsigned timeout_ms,
                        struct evc_error *err)
{
	return open_as(ret_qmp, address, true, timeout_ms, err);
}

/* What QEMU says to a command: its value, or its refusal. */
static int take_answer(struct evc_qmp *qmp, const char *command, const struct evc_qmp_message *answer,
                       json_t **ret_value, struct evc_error *err)
{
	qmp->state = EVC_QMP_READY;
	if (answer->kind == EVC_QMP_RETURN) {
		if (ret_value)
			*ret_value = json_incref(answer->value);
		return EVC_OK;
	}
	snprintf(qmp->class, sizeof(qmp->class), "%s", *answer->name ? answer->name : "GenericError");
	if (!strcmp(qmp->class, "CommandNotFound"))
		return evc_qmp_fail_as(qmp, EVC_QMP_READY,
		                       evc_fail(err, EVC_ERR_UNSUPPORTED,
		                                "this QEMU (%u.%u) has no command %s", qmp->version[0],
		                                qmp->version[1], command),
		                       err);
	return evc_qmp_fail_as(qmp, EVC_QMP_READY,
	                       evc_fail(err, EVC_ERR_IO, "QEMU refused %s: %s", command, answer->text), err);
}

/*
 * Wait for the answer to the command of this id; events are queued, late answers to earlier ones
 * dropped.  The caller drops the answer's object.
 */
static int hear_answer(struct evc_qmp *qmp, const char *command, json_int_t id, int64_t deadline,
                       struct evc_qmp_message *ret_answer, struct evc_error *err)
{
	for (;;) {
		struct evc_qmp_message message;
		int status = receive(qmp, deadline, &message, err);

		if (status < 0)
			return status;
		if (!message.object)
			return silent(qmp, command, err);
		note(qmp, &message);
		if ((message.kind == EVC_QMP_RETURN || message.kind == EVC_QMP_ERROR) && message.id == id) {
			*ret_answer = message;
			return EVC_OK;
		}
		json_decref(message.object);
	}
}

char *evc_qmp_write_command(struct evc_qmp *qmp, const char *command, json_t *arguments)
{
	json_t *object = json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
	char *text;

	qmp->last_id++;
	if (object && !qmp->domain)
		json_object_set_new(object, "id", json_integer(qmp->last_id));
	text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

/* Those from..to as one piece, few enough that QEMU's and our buffers hold them. */
static int send_some(struct evc_qmp *qmp, const struct evc_qmp_question *questions, size_t from, size_t to,
                     int64_t deadline, struct evc_error *err)
{
	struct evc_sink script = { 0 };
	int status = EVC_OK;

	for (size_t i = from; i < to; i++) {
		char *text =
			evc_qmp_write_command(qmp, questions[i].command, json_incref(questions[i].arguments));

		if (!text)
			script.failed = true;
		else if (qmp->domain)
			evc_qmp_put_virsh(qmp, text, &script);
		else
			evc_sink_printf(&script, "%s\n", text);
		free(text);
	}
	if (script.failed)
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	else if (qmp->domain)
		status = evc_qmp_ask_virsh(qmp, &script, deadline - evc_now_ms(), err);
	else
		status = qmp->fd < 0 ? gone(qmp, err)
		                     : send_text(qmp, questions[from].command, script.text, script.length,
		                                 deadline, err);
	evc_sink_free(&script);
	if (status == EVC_OK && !qmp->domain)
		qmp->n_owed += to - from;
	return status;
}

static int send_command(struct evc_qmp *qmp, const char *command, json_t *arguments, int64_t deadline,
                        struct evc_error *err)
{
	const struct evc_qmp_question question = { .command = command, .arguments = arguments };
	int status = send_some(qmp, &question, 0, 1, deadline, err);

	json_decref(arguments);
	return status;
}

int evc_qmp_send(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                 struct evc_error *err)
{
	qmp->class[0] = '\0';
	return send_command(qmp, command, arguments, evc_now_ms() + timeout_ms, err);
}

int evc_qmp_hear(struct evc_qmp *qmp, const char *command, unsigned timeout_ms, json_t **ret_value,
                 struct evc_error *err)
{
	struct evc_qmp_message answer = { 0 };
	int status = EVC_OK;

	qmp->class[0] = '\0';
	assert(qmp->heard < qmp->last_id);
	if (qmp->fd < 0)
		return gone(qmp, err);
	status = hear_answer(qmp, command, ++qmp->heard, evc_now_ms() + timeout_ms, &answer, err);
	if (status == EVC_OK)
		status = take_answer(qmp, command, &answer, ret_value, err);
	else
		qmp->heard = qmp->last_id;
	json_decref(answer.object);
	return status;
}

int evc_qmp_call(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                 json_t **ret_value, struct evc_error *err)
{
	struct evc_qmp_message answer = { 0 };
	int64_t deadline = evc_now_ms() + timeout_ms;
	int status;

	qmp->class[0] = '\0';
	if (qmp->domain) {
		status = evc_qmp_call_libvirt(qmp, command, arguments, timeout_ms, &answer, err);
	} else {
		status = send_command(qmp, command, arguments, deadline, err);
		if (status == EVC_OK)
			status = hear_answer(qmp, command, qmp->last_id, deadline, &answer, err);
		qmp->heard = qmp->last_id;
	}
	if (status == EVC_OK)
		status = take_answer(qmp, command, &answer, ret_value, err);
	json_decref(answer.object);
	return status;
}

/* {"exec-oob": COMMAND, "arguments": ..., "id": ...}; the arguments are given away. */
static int send_beside(struct evc_qmp *qmp, const char *command, json_t *arguments, int64_t deadline,
                       struct evc_error *err)
{
	json_t *object = json_pack("{s:s, s:o*, s:I}", "exec-oob", command, "arguments", arguments, "id",
	                           qmp->last_beside);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	int status;

	json_decref(object);
	if (!text)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = send_text(qmp, command, text, strlen(text), deadline, err);
	if (status == EVC_OK)
		status = send_text(qmp, command, "\n", 1, deadline, err);
	free(text);
	return status;
}

int evc_qmp_call_beside(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                        struct evc_error *err)
{
	struct evc_qmp_message answer = { 0 };
	int64_t deadline = evc_now_ms() + timeout_ms;
	int status;

	qmp->class[0] = '\0';
	if (!qmp->oob || qmp->fd < 0) {
		json_decref(arguments);
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "this QEMU takes no commands beside its queue");
	}
	qmp->last_beside = qmp->last_beside ? qmp->last_beside + 1 : BESIDE;
	status = send_beside(qmp, command, arguments, deadline, err);
	if (status == EVC_OK)
		status = hear_answer(qmp, command, qmp->last_beside, deadline, &answer, err);
	qmp->heard = qmp->last_id;
	if (status == EVC_OK)
		status = take_answer(qmp, command, &answer, NULL, err);
	json_decref(answer.object);
	return status;
}

/* Their answers, one after the other. */
static int hear_some(struct evc_qmp *qmp, const struct evc_qmp_question *questions, size_t n,
                     int64_t deadline, json_t **ret_values, struct evc_error *err)
{
	json_int_t first = qmp->last_id - (json_int_t)n + 1;
	int status = EVC_OK;

	for (size_t i = 0; i < n && status == EVC_OK; i++) {
		struct evc_qmp_message answer = { 0 };

		if (qmp->domain)
			status = evc_qmp_take_printed(qmp, questions[i].command, &answer, err);
		else
			status = hear_answer(qmp, questions[i].command, first + (json_int_t)i, deadline,
			                     &answer, err);
		if (status == EVC_OK && answer.kind == EVC_QMP_RETURN)
			ret_values[i] = json_incref(answer.value);
		json_decref(answer.object);
	}
	qmp->heard = qmp->last_id;
	return status;
}

int evc_qmp_call_all(struct evc_qmp *qmp, const struct evc_qmp_question *questions, size_t n,
                     unsigned timeout_ms, json_t **ret_values, struct evc_error *err)
{
	int64_t deadline = evc_now_ms() + timeout_ms;
	int status = EVC_OK;

	qmp->class[0] = '\0';
	for (size_t i = 0; i < n; i++)
		ret_values[i] = NULL;
	for (size_t from = 0; from < n && status == EVC_OK; from += TOGETHER) {
		size_t to = from + TOGETHER < n ? from + TOGETHER : n;

		status = send_some(qmp, questions, from, to, deadline, err);
		if (status == EVC_OK)
			status =
				hear_some(qmp, questions + from, to - from, deadline, ret_values + from, err);
	}
	for (size_t i = 0; i < n; i++) {
		json_decref(questions[i].arguments);
		if (status < 0)
			json_decref(ret_values[i]);
		if (status < 0)
			ret_values[i] = NULL;
	}
	if (status == EVC_OK)
		qmp->state = EVC_QMP_READY;
	return status;
}

static bool is_named(const json_t *event, const char *const *names)
{
	const char *name = json_string_value(json_object_get(event, "event"));

	for (; names && *names; names++)
		if (!strcmp(name, *names))
			return true;
	return !names;
}

static json_t *take_queued(struct evc_qmp *qmp, const char *const *names)
{
	for (size_t i = 0; i < json_array_size(qmp->events); i++) {
		json_t *event = json_array_get(qmp->events, i);

		if (!is_named(event, names))
			continue;
		json_incref(event);
		json_array_remove(qmp->events, i);
		return event;
	}
	return NULL;
}

int evc_qmp_wait(struct evc_qmp *qmp, const char *const *names, unsigned timeout_ms, json_t **ret_event,
                 struct evc_error *err)
{
	int64_t deadline = evc_now_ms() + timeout_ms;

	for (;;) {
		struct evc_qmp_message message = { 0 };
		int status = EVC_OK;

		*ret_event = take_queued(qmp, names);
		if (*ret_event)
			return EVC_OK;
		if (qmp->fd < 0)
			return gone(qmp, err);
		status = receive(qmp, deadline, &message, err);
		if (status < 0 || !message.object)
			return status;
		note(qmp, &message);
		json_decref(message.object);
	}
}

bool evc_qmp_owes(struct evc_qmp *qmp)
{
	static const char *const none[] = { NULL };
	json_t *event;
	struct evc_error err;

	if (qmp->fd >= 0)
		evc_qmp_wait(qmp, none, 0, &event, &err);
	return qmp->n_owed > 0;
}

void evc_qmp_close(struct evc_qmp *qmp)
{
	if (qmp->fd >= 0 && qmp->events)
		close(qmp->fd);
	json_decref(qmp->events);
	evc_qmp_stream_free(&qmp->stream);
	*qmp = (struct evc_qmp){ .fd = -1 };
}

bool evc_qmp_is_local(const struct evc_qmp *qmp)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	char path[64], program[4096];
	const char *name;
	ssize_t length;

	if (qmp->domain)
		return !qmp->uri || !strncmp(qmp->uri, "qemu:///", 8);
	if (qmp->fd < 0 || getsockopt(qmp->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)peer.pid);
	length = readlink(path, program, sizeof(program) - 1);
	if (length <= 0)
		return false;
	program[length] = '\0';
	name = strrchr(program, '/');
	return strstr(name ? name : program, "qemu") != NULL;
}

const char *evc_qmp_version_text(const struct evc_qmp *qmp, struct evc_arena *arena)
{
	const char *text =
		evc_arena_printf(arena, "%u.%u.%u", qmp->version[0], qmp->version[1], qmp->version[2]);

	return text ? text : "";
}
