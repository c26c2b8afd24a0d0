/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/spawn.h"

#include "base/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_OUTPUT = 64 * 1024, CHUNK = 16 * 1024 };

/* A program that runs, and what was heard of it. */
struct child {
	const struct evc_spawn *spawn;
	pid_t pid;
	int output, errors; /* ends of pipes to read from; -1: closed */
	int told;           /* a descriptor that can be read when this process is told to end */
	int64_t deadline;
	struct evc_sink heard, complaints;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct evc_spawn *spawn, int output,
                       int errors)
{
	int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, errors, STDERR_FILENO);
	if (!error && spawn->descriptor >= 0)
		error = posix_spawn_file_actions_adddup2(actions, spawn->descriptor, EVC_SPAWN_DESCRIPTOR);
	return error;
}

/* Start it with the signals that were let through before; returns 0 or an errno. */
static int start(struct child *child, int output, int errors, const sigset_t *before)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error) {
		posix_spawn_file_actions_destroy(&actions);
		return error;
	}
	error = add_actions(&actions, child->spawn, output, errors);
	if (!error)
		error = posix_spawnattr_setsigmask(&attributes, before);
	if (!error)
		error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = posix_spawnp(&child->pid, child->spawn->argv[0], &actions, &attributes,
		                     (char *const *)child->spawn->argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* What is there now; closed at its end.  What is more than limit is read and forgotten. */
static void take(int *fd, struct evc_sink *sink, size_t limit)
{
	char text[CHUNK];
	ssize_t n = read(*fd, text, sizeof(text));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close_end(fd);
		return;
	}
	if ((size_t)n > limit - sink->length)
		n = (ssize_t)(limit - sink->length);
	evc_sink_write(sink, text, (size_t)n);
}

/* Until the end of its output; false at the deadline, the limit, or when this process is told to end. */
static bool listen_to(struct child *child)
{
	while (child->output >= 0) {
		struct pollfd fds[] = { { .fd = child->output, .events = POLLIN },
			                { .fd = child->errors, .events = POLLIN },
			                { .fd = child->told, .events = POLLIN } };
		int64_t left = child->deadline - now_ms();

		if (left <= 0)
			return false;
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), (int)left) <= 0)
			continue;
		if (fds[2].revents)
			return false;
		if (fds[1].revents)
			take(&child->errors, &child->complaints, EVC_SPAWN_MAX_ERRORS);
		if (fds[0].revents)
			take(&child->output, &child->heard, child->spawn->max_output);
		if (child->heard.length == child->spawn->max_output)
			return false;
	}
	return true;
}

/* Wait until the deadline, then kill; false when it had to be. */
static bool reap(pid_t pid, int64_t deadline, int *ret_status)
{
	enum { FIRST_NS = 20 * 1000, LAST_NS = 2 * 1000 * 1000 };
	struct timespec pause = { .tv_nsec = FIRST_NS };
	pid_t done;

	while ((done = waitpid(pid, ret_status, WNOHANG)) == 0 && now_ms() < deadline) {
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < LAST_NS)
			pause.tv_nsec *= 2;
	}
	if (done == pid)
		return true;
	kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return false;
}

/* From its start to its end; 0, or the errno of the start. */
static int run(struct child *child, const sigset_t *before, struct evc_spawned *spawned)
{
	int output[2] = { -1, -1 }, errors[2] = { -1, -1 }, error = 0, status = 0;
	bool heard;

	if (pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
		error = errno;
	if (!error)
		error = start(child, output[1], errors[1], before);
	close_end(&output[1]);
	close_end(&errors[1]);
	child->output = output[0];
	child->errors = errors[0];
	if (!error) {
		heard = listen_to(child);
		spawned->timed_out = !reap(child->pid, heard ? child->deadline : 0, &status);
		/* Its last words may have come after the last of its output. */
		if (child->errors >= 0 && !fcntl(child->errors, F_SETFL, O_NONBLOCK))
			take(&child->errors, &child->complaints, EVC_SPAWN_MAX_ERRORS);
		spawned->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	close_end(&child->output);
	close_end(&child->errors);
	return error;
}

static const char *keep(struct evc_arena *arena, const struct evc_sink *sink)
{
	return sink->length ? evc_arena_string(arena, sink->text, sink->length) : "";
}

int evc_spawn_run(const struct evc_spawn *spawn, struct evc_arena *arena, struct evc_spawned *ret_spawned,
                  struct evc_error *err)
{
	struct child child = { .spawn = spawn, .deadline = now_ms() + spawn->timeout_ms };
	struct evc_spawned spawned = { 0 };
	sigset_t ends, before;
	bool failed;
	int error;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	/* Held back until the program has ended; one that came is then delivered as always. */
	sigprocmask(SIG_BLOCK, &ends, &before);
	child.told = signalfd(-1, &ends, SFD_CLOEXEC);
	error = run(&child, &before, &spawned);
	close_end(&child.told);
	sigprocmask(SIG_SETMASK, &before, NULL);
	spawned.n_output = child.heard.length;
	spawned.output = keep(arena, &child.heard);
	spawned.errors = keep(arena, &child.complaints);
	failed = child.heard.failed || child.complaints.failed || !spawned.output || !spawned.errors;
	evc_sink_free(&child.heard);
	evc_sink_free(&child.complaints);
	if (error)
		return evc_fail(err, error == ENOENT ? EVC_ERR_UNSUPPORTED : EVC_ERR_IO, "%s: %s",
		                spawn->argv[0], strerror(error));
	if (failed)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_spawned = spawned;
	return EVC_OK;
}

int evc_spawn_output(const char *const argv[], unsigned timeout_ms, struct evc_arena *arena,
                     const char **ret_text, struct evc_error *err)
{
	struct evc_spawn spawn = {
		.argv = argv, .timeout_ms = timeout_ms, .max_output = MAX_OUTPUT, .descriptor = -1
	};
	struct evc_spawned spawned;
	int status = evc_spawn_run(&spawn, arena, &spawned, err);

	if (status < 0)
		return status;
	if (spawned.timed_out)
		return evc_fail(err, EVC_ERR_IO, "%s did not end within %u ms and was killed", argv[0],
		                timeout_ms);
	if (spawned.status)
		return evc_fail(err, EVC_ERR_IO, "%s ended with status %d", argv[0], spawned.status);
	*ret_text = spawned.output;
	return EVC_OK;
}
