/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two ends of a move: connections that may break, and processes that may end.  A connection that
 * ended says nothing of the guest; the process does, where it can be watched.
 */
#include "guest/migrate-private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	REOPEN_MS = 2000, /* QEMU listens again as soon as it has seen the end of the last connection */
	REOPEN_PAUSE_MS = 50,
	SHARED_ANSWER_MS = 500,
	ENDING_MS = 500, /* between the end of a connection and that of its process */
};

int64_t evc_migrate_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Is the process behind the socket a QEMU, and not somebody (ssh) who passes its words on and may end alone?
 */
static bool is_qemu(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return strstr(name, "qemu") != NULL;
}

/* A handle of the process behind a UNIX socket that means it even when its number is used again. */
static void watch(struct evc_migrate_end *end)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	end->pidfd = -1;
	if (end->qmp.fd < 0 || getsockopt(end->qmp.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) ||
	    peer.pid <= 0 || !is_qemu(peer.pid))
		return;
	end->pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

static int connect_to(struct evc_migrate_end *end, const char *address, unsigned answer_ms,
                      struct evc_error *err)
{
	return end->beside ? evc_qmp_open_beside(&end->qmp, address, answer_ms, err)
	                   : evc_qmp_open(&end->qmp, address, answer_ms, err);
}

int evc_migrate_end_open(struct evc_migrate_end *end, const char *address, unsigned answer_ms,
                         struct evc_error *err)
{
	int status = connect_to(end, address, answer_ms, err);

	if (status < 0)
		return status;
	end->address = address;
	watch(end);
	return EVC_OK;
}

void evc_migrate_end_close(struct evc_migrate_end *end)
{
	evc_qmp_close(&end->qmp);
	if (end->pidfd >= 0)
		close(end->pidfd);
	end->pidfd = -1;
}

bool evc_migrate_end_ended(const struct evc_migrate_end *end, unsigned wait_ms)
{
	struct pollfd process = { .fd = end->pidfd, .events = POLLIN };

	return end->pidfd >= 0 && poll(&process, 1, (int)wait_ms) > 0;
}

/* The same QEMU again; a new one that took its address is somebody else. */
static int reopen(struct evc_migrate_end *end, unsigned answer_ms, struct evc_error *err)
{
	const struct timespec pause = { .tv_nsec = REOPEN_PAUSE_MS * 1000L * 1000L };
	int64_t deadline = evc_migrate_now() + REOPEN_MS;
	int status = EVC_OK;

	evc_qmp_close(&end->qmp);
	while (!evc_migrate_end_ended(end, 0)) {
		status = connect_to(end, end->address, answer_ms, err);
		if (status == EVC_OK || evc_migrate_now() > deadline)
			return status;
		nanosleep(&pause, NULL);
	}
	return evc_fail(err, EVC_ERR_IO, "it has ended");
}

int evc_migrate_query(struct evc_migrate_end *end, const char *command, json_t *arguments, unsigned answer_ms,
                      json_t **ret_value, struct evc_error *err)
{
	int status = evc_qmp_call(&end->qmp, command, json_incref(arguments), answer_ms, ret_value, err);

	if (status < 0 && (end->qmp.state == EVC_QMP_GONE || end->qmp.state == EVC_QMP_GARBAGE) &&
	    !evc_migrate_end_ended(end, ENDING_MS)) {
		status = reopen(end, answer_ms, err);
		if (status == EVC_OK)
			status = evc_qmp_call(&end->qmp, command, json_incref(arguments), answer_ms,
			                      ret_value, err);
	}
	json_decref(arguments);
	return status;
}

/* The last word to one that does not listen. */
static bool kill_qemu(const struct evc_migrate_end *end, unsigned answer_ms)
{
	if (end->pidfd < 0 || !evc_qmp_is_local(&end->qmp) ||
	    syscall(SYS_pidfd_send_signal, end->pidfd, SIGKILL, NULL, 0))
		return false;
	return evc_migrate_end_ended(end, answer_ms);
}

/* The connection ends with the QEMU. */
static bool wait_for_close(struct evc_migrate_end *end, unsigned answer_ms)
{
	struct evc_error err;
	json_t *event = NULL;

	while (end->qmp.state == EVC_QMP_READY &&
	       evc_qmp_wait(&end->qmp, NULL, answer_ms, &event, &err) == EVC_OK && event) {
		json_decref(event);
		event = NULL;
	}
	return end->qmp.state == EVC_QMP_GONE;
}

bool evc_migrate_end_quit(struct evc_migrate_end *end, unsigned answer_ms)
{
	struct evc_error err;

	/* Twice, since a connection may be cut with the word on its way. */
	for (int i = 0; i < 2 && !evc_migrate_end_ended(end, 0); i++) {
		/* A question first, unless it just answered: it connects again where that was lost. */
		if ((i || end->qmp.fd < 0 || end->qmp.state != EVC_QMP_READY) &&
		    evc_migrate_query(end, "query-status", NULL, answer_ms, NULL, &err) < 0)
			break;
		evc_qmp_call(&end->qmp, "quit", NULL, answer_ms, NULL, &err);
		if (end->pidfd < 0 ? wait_for_close(end, answer_ms) : evc_migrate_end_ended(end, answer_ms))
			return true;
	}
	return evc_migrate_end_ended(end, 0) ||
	       (end->qmp.state == EVC_QMP_SILENT && kill_qemu(end, answer_ms));
}

/* --- looking --------------------------------------------------------------------------------- */

static void keep(char *text, size_t size, const json_t *value)
{
	const char *string = json_string_value(value);

	snprintf(text, size, "%s", string ? string : "");
}

static uint64_t number(const json_t *object, const char *name)
{
	double value = json_number_value(json_object_get(object, name));

	return value > 0 ? (uint64_t)value : 0;
}

/* What query-migrate tells of the copy; the source's memory is what counts. */
static void keep_progress(struct evc_migrate_job *job, const json_t *migration)
{
	struct evc_migrate_progress *progress = &job->progress;
	const json_t *ram = json_object_get(migration, "ram");
	const char *why = json_string_value(json_object_get(migration, "error-desc"));

	progress->state = job->source.migration;
	if (json_is_object(ram)) {
		progress->total = number(ram, "total");
		progress->remaining = number(ram, "remaining");
		progress->transferred = number(ram, "transferred");
		progress->mbps = json_number_value(json_object_get(ram, "mbps"));
		progress->passes = (unsigned)number(ram, "dirty-sync-count");
	}
	if (json_is_number(json_object_get(migration, "total-time")))
		progress->elapsed_ms = number(migration, "total-time");
	progress->expected_downtime_ms = number(migration, "expected-downtime");
	if (json_is_number(json_object_get(migration, "downtime")))
		job->result.downtime_ms = number(migration, "downtime");
	if (why && !job->result.why)
		job->result.why = evc_arena_string(job->arena, why, strlen(why));
}

static const char *const looks[] = { "query-status", "query-migrate" };
enum { RUN, MIGRATION, N_LOOKS };

/* Ask one end for both its states, so that the two ends answer at the same time. */
static bool send_looks(struct evc_migrate_end *end, unsigned answer_ms)
{
	struct evc_error err;

	return evc_qmp_send(&end->qmp, looks[RUN], NULL, answer_ms, &err) == EVC_OK &&
	       evc_qmp_send(&end->qmp, looks[MIGRATION], NULL, answer_ms, &err) == EVC_OK;
}

/* The answers; by a new connection where that was lost.  False when it does not answer. */
static bool hear_looks(struct evc_migrate_end *end, bool sent, unsigned answer_ms, json_t **ret_migration)
{
	json_t *answers[N_LOOKS] = { 0 };
	struct evc_error err;
	bool told = sent;

	end->run[0] = end->migration[0] = '\0';
	for (int i = 0; i < N_LOOKS && told; i++)
		told = evc_qmp_hear(&end->qmp, looks[i], answer_ms, &answers[i], &err) == EVC_OK;
	for (int i = 0; i < N_LOOKS && !told && end->qmp.state != EVC_QMP_SILENT; i++) {
		json_decref(answers[i]);
		answers[i] = NULL;
		if (evc_migrate_query(end, looks[i], NULL, answer_ms, &answers[i], &err) < 0)
			break;
		told = i + 1 == N_LOOKS;
	}
	keep(end->run, sizeof(end->run), json_object_get(answers[RUN], "status"));
	keep(end->migration, sizeof(end->migration), json_object_get(answers[MIGRATION], "status"));
	json_decref(answers[RUN]);
	*ret_migration = answers[MIGRATION];
	return told;
}

static void see_source(struct evc_migrate_job *job, bool sent)
{
	struct evc_migrate_end *end = &job->source;
	json_t *migration = NULL;

	if (!hear_looks(end, sent, job->answer_ms, &migration)) {
		job->seen.source = evc_migrate_end_ended(end, 0) ? EVC_SOURCE_GONE : EVC_SOURCE_SILENT;
		json_decref(migration);
		return;
	}
	job->seen.source = evc_handover_source_from(end->run, end->migration);
	job->seen.gave |= job->seen.source == EVC_SOURCE_GAVE;
	if (job->result.started)
		keep_progress(job, migration);
	/* Its user may stop or continue it underway; QEMU's own stop at the end has other names. */
	if (job->seen.source == EVC_SOURCE_SENDS && !strcmp(end->run, "running"))
		job->was_running = true;
	if (job->seen.source == EVC_SOURCE_SENDS && !strcmp(end->run, "paused"))
		job->was_running = false;
	json_decref(migration);
}

/*
 * With postcopy the destination's main loop may stand still at a page, for moments or until a broken
 * connection is mended.  That is done beside the monitor's queue, so nobody needs to wait long for what is in
 * it; and nothing may be added to it as long as answers are owed, since the monitor's thread hears no more
 * when it is full.
 */
static bool is_shared(const struct evc_migrate_job *job)
{
	return !strncmp(job->source.migration, "postcopy-", strlen("postcopy-"));
}

static bool send_looks_there(struct evc_migrate_job *job)
{
	if (job->seen.source == EVC_SOURCE_SHARES && job->destination.qmp.state == EVC_QMP_SILENT &&
	    evc_qmp_owes(&job->destination.qmp))
		return false;
	return send_looks(&job->destination, job->answer_ms);
}

static void see_destination(struct evc_migrate_job *job, bool sent)
{
	struct evc_migrate_end *end = &job->destination;
	unsigned answer_ms =
		is_shared(job) && job->answer_ms > SHARED_ANSWER_MS ? SHARED_ANSWER_MS : job->answer_ms;
	json_t *migration = NULL;
	bool told = hear_looks(end, sent, answer_ms, &migration);

	json_decref(migration);
	if (!told) {
		job->seen.destination =
			evc_migrate_end_ended(end, 0) ? EVC_DESTINATION_GONE : EVC_DESTINATION_SILENT;
		return;
	}
	job->seen.destination = evc_handover_destination_from(end->run, end->migration);
	/* A guest that its user had paused is where it should be when it is there, paused. */
	if (job->seen.destination == EVC_DESTINATION_LOADED && !job->was_running && job->checked)
		job->seen.destination = EVC_DESTINATION_RUNS;
}

void evc_migrate_look_at_destination(struct evc_migrate_job *job)
{
	see_destination(job, send_looks_there(job));
}

void evc_migrate_look(struct evc_migrate_job *job)
{
	bool here = send_looks(&job->source, job->answer_ms), there = send_looks_there(job);

	see_source(job, here);
	see_destination(job, there);
	/* Whoever has gone may have sent the rest since the other one answered. */
	if (job->seen.source == EVC_SOURCE_GONE || job->seen.source == EVC_SOURCE_SILENT)
		evc_migrate_look_at_destination(job);
	if (!job->arrived && job->seen.destination == EVC_DESTINATION_LOADED)
		job->arrived = evc_migrate_now();
	if (!job->running && (job->seen.destination == EVC_DESTINATION_RUNS ||
	                      job->seen.destination == EVC_DESTINATION_FETCHES))
		job->running = evc_migrate_now();
}

/* --- waiting --------------------------------------------------------------------------------- */

/* Has one of these events come?  Those before it are dropped. */
static bool take_events(struct evc_migrate_end *end)
{
	static const char *const names[] = { "MIGRATION", "STOP", "RESUME", NULL };
	json_t *event = NULL;
	struct evc_error err;
	bool any = false;

	while (end->qmp.fd >= 0 && evc_qmp_wait(&end->qmp, names, 0, &event, &err) == EVC_OK && event) {
		any = true;
		json_decref(event);
	}
	return any;
}

void evc_migrate_wait(struct evc_migrate_job *job, unsigned ms)
{
	struct pollfd fds[] = { { .fd = job->source.qmp.fd, .events = POLLIN },
		                { .fd = job->destination.qmp.fd, .events = POLLIN } };
	bool here = take_events(&job->source), there = take_events(&job->destination);

	if (here || there)
		return;
	/* A connection that ended is always readable: then time passes here. */
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (recv(fds[i].fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
			fds[i].fd = -1;
	poll(fds, sizeof(fds) / sizeof(fds[0]), (int)ms);
	take_events(&job->source);
	take_events(&job->destination);
}
