/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of QMP against QEMUs that are slow, silent, gone or somebody else: a thread plays them. */
#include "guest/qmp.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define HELLO                                                                                                \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 5, \"minor\": 0, \"major\": 10}}, \"capabilities\": []}}\r\n"

#define OFFERS_OOB                                                                                           \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 5, \"minor\": 0, \"major\": 10}}, "                  \
	"\"capabilities\": [\"oob\"]}}\r\n"

/* The answer to the first command after the greeting's. */
#define LATE "{\"return\": {}, \"id\": 2}\n"

enum { SHORT = 150, LONG = 5000, MAX_LINE = 4096 };

/* What the other side does: each line that it hears is answered by the next text, "" by nothing; NULL: it
 * goes. */
struct play {
	const char *greeting; /* NULL: none */
	const char *answers[8];
	int fd;
	bool beside; /* the client wants commands beside the queue */
};

/* Its id is put in where the answer has %s. */
static void answer(const struct play *play, const char *text, const char *line)
{
	const char *id = strstr(line, "\"id\":");
	char number[32] = "0", out[MAX_LINE];
	size_t n;

	if (id)
		sscanf(id + 5, "%31[0-9]", number);
	/* the texts are those of the rows below, with one %s at most */
	n = strcspn(text, "$");
	if (text[n])
		snprintf(out, sizeof(out), "%.*s%s%s", (int)n, text, number, text + n + 1);
	else
		snprintf(out, sizeof(out), "%s", text);
	/* in two pieces, so that a message comes in parts */
	if (*out) {
		(void)!write(play->fd, out, strlen(out) / 2);
		(void)!write(play->fd, out + strlen(out) / 2, strlen(out) - strlen(out) / 2);
	}
}

static void *act(void *context)
{
	const struct play *play = context;
	char line[MAX_LINE];
	FILE *in = fdopen(dup(play->fd), "r");

	if (play->greeting)
		(void)!write(play->fd, play->greeting, strlen(play->greeting));
	for (int i = 0; in && play->greeting && play->answers[i] && fgets(line, sizeof(line), in); i++)
		answer(play, play->answers[i], line);
	/* Silent QEMUs stay until the client goes. */
	while (in && !play->greeting && fgets(line, sizeof(line), in))
		;
	if (in)
		fclose(in);
	close(play->fd);
	return NULL;
}

/* Start the play and connect; the status of that. */
static int begin(struct play *play, pthread_t *thread, struct evc_qmp *qmp, struct evc_error *err)
{
	char address[16];
	int ends[2], status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	play->fd = ends[1];
	assert_int_equal(pthread_create(thread, NULL, act, play), 0);
	snprintf(address, sizeof(address), "fd:%d", ends[0]);
	status = (play->beside ? evc_qmp_open_beside : evc_qmp_open)(qmp, address,
	                                                             play->greeting ? LONG : SHORT, err);
	close(ends[0]);
	return status;
}

#define GOOD "{\"return\": {}, \"id\": $}\n"

static void asks_and_is_answered(void **state)
{
	struct play play = {
		.greeting = HELLO,
		.answers = { GOOD, "{\"event\": \"STOP\"}{\"return\": [7], \"id\": $}",
		             "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": $}",
		             "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"x\"}, \"id\": $}" }
	};
	static const char *const names[] = { "RESUME", "STOP", NULL };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;
	json_t *value = NULL;

	(void)state;
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	assert_int_equal(qmp.version[0], 10);
	assert_int_equal(evc_qmp_call(&qmp, "a", json_object(), LONG, &value, &err), EVC_OK);
	assert_int_equal(json_integer_value(json_array_get(value, 0)), 7);
	json_decref(value);
	assert_int_equal(evc_qmp_call(&qmp, "b", NULL, LONG, NULL, &err), EVC_ERR_IO);
	assert_string_equal(err.text, "QEMU refused b: no");
	assert_string_equal(qmp.class, "GenericError");
	assert_int_equal(qmp.state, EVC_QMP_READY);
	assert_int_equal(evc_qmp_call(&qmp, "c", NULL, LONG, NULL, &err), EVC_ERR_UNSUPPORTED);
	/* the event that came before an answer was kept */
	assert_int_equal(evc_qmp_wait(&qmp, names, 0, &value, &err), EVC_OK);
	assert_non_null(value);
	assert_string_equal(json_string_value(json_object_get(value, "event")), "STOP");
	json_decref(value);
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

static void drops_an_answer_that_comes_too_late(void **state)
{
	struct play play = { .greeting = HELLO,
		             .answers = { GOOD, "",
		                          "{\"return\": 1, \"id\": 2}\n{\"return\": 2, \"id\": $}\n" } };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;
	json_t *value = NULL;

	(void)state;
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	assert_int_equal(evc_qmp_call(&qmp, "slow", NULL, SHORT, NULL, &err), EVC_ERR_IO);
	assert_int_equal(qmp.state, EVC_QMP_SILENT);
	assert_non_null(strstr(err.text, "did not answer slow in time"));
	assert_int_equal(evc_qmp_call(&qmp, "next", NULL, LONG, &value, &err), EVC_OK);
	assert_int_equal(json_integer_value(value), 2);
	assert_int_equal(qmp.state, EVC_QMP_READY);
	json_decref(value);
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

static void asks_many_at_once(void **state)
{
	struct play play = {
		.greeting = HELLO,
		.answers = { GOOD, "{\"return\": 1, \"id\": $}",
		             "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": $}",
		             "{\"return\": 3, \"id\": $}" }
	};
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;
	const struct evc_qmp_question questions[] = { { .command = "a", .arguments = json_object() },
		                                      { .command = "b" },
		                                      { .command = "c" } };
	json_t *values[3];

	(void)state;
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	assert_int_equal(evc_qmp_call_all(&qmp, questions, 3, LONG, values, &err), EVC_OK);
	assert_int_equal(json_integer_value(values[0]), 1);
	assert_null(values[1]);
	assert_int_equal(json_integer_value(values[2]), 3);
	json_decref(values[0]);
	json_decref(values[2]);
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

/* What was sent and not heard is dropped by the next call. */
static void hears_later_what_it_sent(void **state)
{
	struct play play = {
		.greeting = HELLO,
		.answers = { GOOD, "{\"return\": 1, \"id\": $}",
		             "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": $}",
		             "{\"return\": 3, \"id\": $}", "{\"return\": 4, \"id\": $}" }
	};
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;
	json_t *value = NULL;

	(void)state;
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	assert_int_equal(evc_qmp_send(&qmp, "a", NULL, LONG, &err), EVC_OK);
	assert_int_equal(evc_qmp_send(&qmp, "b", json_object(), LONG, &err), EVC_OK);
	assert_int_equal(evc_qmp_send(&qmp, "c", NULL, LONG, &err), EVC_OK);
	assert_int_equal(evc_qmp_hear(&qmp, "a", LONG, &value, &err), EVC_OK);
	assert_int_equal(json_integer_value(value), 1);
	json_decref(value);
	assert_int_equal(evc_qmp_hear(&qmp, "b", LONG, NULL, &err), EVC_ERR_IO);
	assert_string_equal(err.text, "QEMU refused b: no");
	assert_int_equal(evc_qmp_call(&qmp, "d", NULL, LONG, &value, &err), EVC_OK);
	assert_int_equal(json_integer_value(value), 4);
	json_decref(value);
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

/* A main loop that stands still owes an answer; what is asked beside the queue comes before it. */
static void is_answered_beside_what_is_owed(void **state)
{
	struct play play = { .greeting = OFFERS_OOB,
		             .beside = true,
		             .answers = { GOOD, "", "{\"return\": {}, \"id\": $}\n", LATE GOOD } };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;

	(void)state;
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	assert_true(qmp.oob);
	assert_false(evc_qmp_owes(&qmp));
	assert_int_equal(evc_qmp_call(&qmp, "slow", NULL, SHORT, NULL, &err), EVC_ERR_IO);
	assert_int_equal(qmp.state, EVC_QMP_SILENT);
	assert_true(evc_qmp_owes(&qmp));
	assert_int_equal(evc_qmp_call_beside(&qmp, "migrate-recover", json_object(), LONG, &err), EVC_OK);
	assert_int_equal(qmp.state, EVC_QMP_READY);
	assert_true(evc_qmp_owes(&qmp));
	assert_int_equal(evc_qmp_call(&qmp, "next", NULL, LONG, NULL, &err), EVC_OK);
	assert_false(evc_qmp_owes(&qmp));
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

static void says_who_takes_nothing_beside(void **state)
{
	struct play play = { .greeting = HELLO, .beside = true, .answers = { GOOD, "" } };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;

	(void)state;
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	assert_false(qmp.oob);
	assert_int_equal(evc_qmp_call_beside(&qmp, "migrate-recover", json_object(), LONG, &err),
	                 EVC_ERR_UNSUPPORTED);
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

static void an_event_that_does_not_come_is_no_failure(void **state)
{
	struct play play = { .greeting = HELLO, .answers = { GOOD, "" } };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;
	json_t *event = NULL;

	(void)state;
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	assert_int_equal(evc_qmp_wait(&qmp, NULL, SHORT, &event, &err), EVC_OK);
	assert_null(event);
	assert_int_equal(qmp.state, EVC_QMP_READY);
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

static void keeps_a_bounded_number_of_events(void **state)
{
	enum { N = EVC_QMP_EVENTS + 10 };
	char *flood = malloc(N * 32 + 64);
	struct play play = { .greeting = HELLO, .answers = { GOOD, "" } };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;
	size_t length = 0;

	(void)state;
	assert_non_null(flood);
	assert_int_equal(begin(&play, &thread, &qmp, &err), EVC_OK);
	for (int i = 0; i < N; i++)
		length += (size_t)sprintf(flood + length, "{\"event\": \"E\"}");
	length += (size_t)sprintf(flood + length, "{\"return\": 1, \"id\": %d}", (int)qmp.last_id + 1);
	evc_qmp_feed(&qmp.stream, flood, length);
	free(flood);
	assert_int_equal(evc_qmp_call(&qmp, "a", NULL, LONG, NULL, &err), EVC_OK);
	assert_int_equal(json_array_size(qmp.events), EVC_QMP_EVENTS);
	assert_int_equal(qmp.n_dropped, N - EVC_QMP_EVENTS);
	evc_qmp_close(&qmp);
	pthread_join(thread, NULL);
}

/* What a connection begins with, and what is said then. */
static const struct {
	const char *name, *greeting;
	const char *answers[2];
	enum evc_qmp_state state;
	const char *says;
} starts[] = {
	{ .name = "says that nobody greets", .state = EVC_QMP_SILENT, .says = "QEMU does not greet" },
	{ .name = "says that QEMU has gone",
	  .greeting = "",
	  .state = EVC_QMP_GONE,
	  .says = "QEMU closed the connection" },
	{ .name = "says that QEMU went before it answered",
	  .greeting = HELLO,
	  .state = EVC_QMP_GONE,
	  .says = "QEMU closed the connection" },
	{ .name = "says that it is a monitor for people",
	  .greeting = "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
	  .state = EVC_QMP_GARBAGE,
	  .says = "is it a monitor for people?" },
	{ .name = "says that it is a guest agent",
	  .greeting = "{\"return\": 1}\n",
	  .state = EVC_QMP_GARBAGE,
	  .says = "is it a guest agent's socket?" },
	{ .name = "says that QEMU refuses to begin",
	  .greeting = HELLO,
	  .answers = { "{\"error\": {\"class\": \"GenericError\", \"desc\": \"busy\"}, \"id\": $}" },
	  .state = EVC_QMP_READY,
	  .says = "QEMU refused qmp_capabilities: busy" },
};

static void start(void **state)
{
	size_t i = (size_t)*state;
	struct play play = { .greeting = starts[i].greeting, .answers = { starts[i].answers[0] } };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	pthread_t thread;

	assert_true(begin(&play, &thread, &qmp, &err) < 0);
	assert_int_equal(qmp.state, starts[i].state);
	if (!strstr(err.text, starts[i].says))
		assert_string_equal(err.text, starts[i].says);
	assert_int_equal(strncmp(err.origin, "fd:", 3), 0);
	pthread_join(thread, NULL);
}

/* Addresses where nobody is. */
static void says_why_it_cannot_connect(void **state)
{
	static const struct {
		const char *address, *says;
	} rows[] = {
		{ "/nonexistent/socket", "there is no such socket" },
		{ "tcp:127.0.0.1:1", "cannot be reached: Connection refused" },
		{ "tcp:localhost:4444", "localhost is not a numeric address" },
		{ "fd:999", "Bad file descriptor" },
	};
	char path[] = "/tmp/evc-qmp-XXXXXX", socket_path[64];
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct evc_error err = { 0 };
	struct evc_qmp qmp;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(evc_qmp_open(&qmp, rows[i].address, SHORT, &err) < 0);
		if (!strstr(err.text, rows[i].says))
			assert_string_equal(err.text, rows[i].says);
		assert_int_equal(qmp.state, EVC_QMP_GONE);
	}
	/* a socket that its maker left behind */
	assert_non_null(mkdtemp(path));
	snprintf(socket_path, sizeof(socket_path), "%s/s", path);
	strcpy(to.sun_path, socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	close(fd);
	assert_true(evc_qmp_open(&qmp, socket_path, SHORT, &err) < 0);
	assert_non_null(strstr(err.text, "nobody listens there"));
	unlink(socket_path);
	rmdir(path);
}

int main(void)
{
	enum { N_STARTS = sizeof(starts) / sizeof(starts[0]) };
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(asks_and_is_answered),
		cmocka_unit_test(drops_an_answer_that_comes_too_late),
		cmocka_unit_test(asks_many_at_once),
		cmocka_unit_test(hears_later_what_it_sent),
		cmocka_unit_test(is_answered_beside_what_is_owed),
		cmocka_unit_test(says_who_takes_nothing_beside),
		cmocka_unit_test(an_event_that_does_not_come_is_no_failure),
		cmocka_unit_test(keeps_a_bounded_number_of_events),
		cmocka_unit_test(says_why_it_cannot_connect),
	};
	struct CMUnitTest tests[sizeof(fixed) / sizeof(fixed[0]) + N_STARTS];
	size_t n = 0;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		tests[n++] = fixed[i];
	for (size_t i = 0; i < N_STARTS; i++)
		tests[n++] = (struct CMUnitTest){ .name = starts[i].name,
			                          .test_func = start,
			                          .initial_state = (void *)i };
	return cmocka_run_group_tests_name("guest/qmp", tests, NULL, NULL);
}
