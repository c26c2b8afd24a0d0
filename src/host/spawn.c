/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_OUTPUT = 64 * 1024 };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Start it with its standard output on a pipe; returns 0 or an errno. */
static int start(const char *const argv[], int output, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* What comes out until the end of it, the deadline or the limit; false at the deadline. */
static bool listen_to(int fd, int64_t deadline, char *text, size_t *length)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t n;

		if (left <= 0)
			return false;
		if (poll(&poll_fd, 1, (int)left) <= 0)
			continue;
		n = read(fd, text + *length, MAX_OUTPUT - *length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		*length += (size_t)n;
		if (*length == MAX_OUTPUT)
			return true;
	}
}

/* Wait until the deadline, then kill; false when it had to be. */
static bool reap(pid_t pid, int64_t deadline, int *ret_status)
{
	const struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };
	pid_t done;

	while ((done = waitpid(pid, ret_status, WNOHANG)) == 0 && now_ms() < deadline)
		nanosleep(&pause, NULL);
	if (done == pid)
		return true;
	kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return false;
}

int evc_spawn_output(const char *const argv[], unsigned timeout_ms, struct evc_arena *arena,
                     const char **ret_text, struct evc_error *err)
{
	char *text = evc_arena_alloc(arena, MAX_OUTPUT + 1);
	int64_t deadline = now_ms() + timeout_ms;
	int ends[2], error, status = 0;
	size_t length = 0;
	bool heard, ended;
	pid_t pid;

	if (!text)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (pipe2(ends, O_CLOEXEC))
		return evc_fail(err, EVC_ERR_IO, "pipe: %s", strerror(errno));
	error = start(argv, ends[1], &pid);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		return evc_fail(err, error == ENOENT ? EVC_ERR_UNSUPPORTED : EVC_ERR_IO, "%s: %s", argv[0],
		                strerror(error));
	}
	heard = listen_to(ends[0], deadline, text, &length);
	close(ends[0]);
	ended = reap(pid, heard ? deadline : 0, &status);
	if (!ended)
		return evc_fail(err, EVC_ERR_IO, "%s did not end within %u ms and was killed", argv[0],
		                timeout_ms);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return evc_fail(err, EVC_ERR_IO, "%s ended with status %d", argv[0],
		                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	*ret_text = text;
	return EVC_OK;
}
