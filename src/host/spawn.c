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
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	MAX_OUTPUT = 64 * 1024,
	CHUNK = 16 * 1024,
	MAX_AT_ONCE = 16,
	FIRST_PAUSE_NS = 20 * 1000,
	LAST_PAUSE_NS = 2 * 1000 * 1000,
};

/* A program that runs, and what was heard of it. */
struct child {
	const struct evc_spawn *spawn;
	struct evc_spawned *spawned;
	pid_t pid;          /* 0: none runs */
	int output, errors; /* ends of pipes to read from; -1: closed */
	int64_t deadline;
	long pause_ns; /* its output has ended: how long to wait before it is asked again whether it has too
	                */
	struct evc_sink heard, complaints;
};

struct crowd {
	struct child children[MAX_AT_ONCE];
	size_t n_children; /* that may run */
	struct evc_arena *arena;
	struct evc_spawned *spawned; /* of all */
	evc_spawn_ended *ended;
	void *context;
	int told;        /* a descriptor that can be read when this process is told to end */
	sigset_t before; /* signals that programs shall have blocked */
	bool failed;     /* memory is out */
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

/* Its text as a file that can be read from its beginning; -1: none, or it could not be made. */
static int make_input(const struct evc_spawn *spawn)
{
	size_t length = spawn->input ? strlen(spawn->input) : 0;
	int fd = spawn->input ? memfd_create("input", MFD_CLOEXEC) : -1;

	if (fd >= 0 && (write(fd, spawn->input, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET)))
		close_end(&fd);
	return fd;
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct evc_spawn *spawn, int input,
                       int output, int errors)
{
	int error = spawn->input ? posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO)
	                         : posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
	                                                            O_RDONLY, 0);

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
	int input, error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error) {
		posix_spawn_file_actions_destroy(&actions);
		return error;
	}
	input = make_input(child->spawn);
	error = add_actions(&actions, child->spawn, input, output, errors);
	if (!error)
		error = posix_spawnattr_setsigmask(&attributes, before);
	if (!error)
		error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = posix_spawnp(&child->pid, child->spawn->argv[0], &actions, &attributes,
		                     (char *const *)child->spawn->argv, environ);
	close_end(&input);
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

static const char *keep(struct evc_arena *arena, const struct evc_sink *sink)
{
	return sink->length ? evc_arena_string(arena, sink->text, sink->length) : "";
}

/* Whatever came of it: tell, and be free for another. */
static void settle(struct crowd *crowd, struct child *child)
{
	size_t which = (size_t)(child->spawned - crowd->spawned);

	close_end(&child->output);
	close_end(&child->errors);
	*child = (struct child){ .output = -1, .errors = -1 };
	if (crowd->ended)
		crowd->ended(crowd->context, which);
}

/* Its texts as a result. */
static void finish(struct crowd *crowd, struct child *child, int status)
{
	struct evc_spawned *spawned = child->spawned;

	/* Its last words may have come after the last of its output. */
	if (child->errors >= 0 && !fcntl(child->errors, F_SETFL, O_NONBLOCK))
		take(&child->errors, &child->complaints, EVC_SPAWN_MAX_ERRORS);
	spawned->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	spawned->n_output = child->heard.length;
	spawned->output = keep(crowd->arena, &child->heard);
	spawned->errors = keep(crowd->arena, &child->complaints);
	crowd->failed |=
		child->heard.failed || child->complaints.failed || !spawned->output || !spawned->errors;
	evc_sink_free(&child->heard);
	evc_sink_free(&child->complaints);
	settle(crowd, child);
}

static void end(struct crowd *crowd, struct child *child)
{
	int status = 0;

	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->spawned->timed_out = true;
	finish(crowd, child, status);
}

static void begin(struct crowd *crowd, struct child *child, const struct evc_spawn *spawn,
                  struct evc_spawned *spawned)
{
	int output[2] = { -1, -1 }, errors[2] = { -1, -1 }, error = 0;

	*child = (struct child){ .spawn = spawn,
		                 .spawned = spawned,
		                 .deadline = now_ms() + spawn->timeout_ms,
		                 .pause_ns = FIRST_PAUSE_NS };
	if (pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
		error = errno;
	if (!error)
		error = start(child, output[1], errors[1], &crowd->before);
	close_end(&output[1]);
	close_end(&errors[1]);
	child->output = output[0];
	child->errors = errors[0];
	if (!error)
		return;
	spawned->error = error;
	settle(crowd, child);
}

/* Its output has ended: has it too?  If not, ask again a little later each time. */
static void ask_end(struct crowd *crowd, struct child *child)
{
	int status = 0;

	if (waitpid(child->pid, &status, WNOHANG) == child->pid)
		finish(crowd, child, status);
	else if (child->pause_ns < LAST_PAUSE_NS)
		child->pause_ns *= 2;
}

/* What one of them said or did until now. */
static void attend(struct crowd *crowd, struct child *child, short output, short errors)
{
	if (errors)
		take(&child->errors, &child->complaints, EVC_SPAWN_MAX_ERRORS);
	if (output)
		take(&child->output, &child->heard, child->spawn->max_output);
	if (child->heard.length == child->spawn->max_output || now_ms() >= child->deadline)
		end(crowd, child);
	else if (child->output < 0)
		ask_end(crowd, child);
}

static struct timespec time_to_wait(const struct crowd *crowd)
{
	struct timespec least = { .tv_sec = 3600 };

	for (size_t i = 0; i < crowd->n_children; i++) {
		const struct child *child = &crowd->children[i];
		int64_t left = child->deadline - now_ms();
		struct timespec time = { .tv_nsec = child->pause_ns };

		if (left < 0)
			left = 0;
		if (child->output >= 0)
			time = (struct timespec){ .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		if (child->pid && (time.tv_sec < least.tv_sec ||
		                   (time.tv_sec == least.tv_sec && time.tv_nsec < least.tv_nsec)))
			least = time;
	}
	return least;
}

/* Wait until one of them does something; false when this process is told to end. */
static bool wait_for_one(struct crowd *crowd)
{
	struct pollfd fds[1 + 2 * MAX_AT_ONCE] = { { .fd = crowd->told, .events = POLLIN } };
	struct timespec time = time_to_wait(crowd);

	for (size_t i = 0; i < crowd->n_children; i++) {
		fds[1 + 2 * i] = (struct pollfd){ .fd = crowd->children[i].output, .events = POLLIN };
		fds[2 + 2 * i] = (struct pollfd){ .fd = crowd->children[i].errors, .events = POLLIN };
	}
	if (ppoll(fds, 1 + 2 * crowd->n_children, &time, NULL) < 0)
		return true;
	if (fds[0].revents)
		return false;
	for (size_t i = 0; i < crowd->n_children; i++)
		if (crowd->children[i].pid)
			attend(crowd, &crowd->children[i], fds[1 + 2 * i].revents, fds[2 + 2 * i].revents);
	return true;
}

/* Each slot takes the next one when its last has ended, until this process is told to end. */
static void run(struct crowd *crowd, const struct evc_spawn *spawns, size_t n)
{
	size_t next = 0;
	bool told = false, any = true;

	while (any) {
		any = false;
		for (size_t i = 0; i < crowd->n_children; i++) {
			struct child *child = &crowd->children[i];

			while (!told && !child->pid && next < n) {
				begin(crowd, child, &spawns[next], &crowd->spawned[next]);
				next++;
			}
			any |= child->pid != 0;
		}
		told = any && !wait_for_one(crowd);
		for (size_t i = 0; i < crowd->n_children && told; i++)
			if (crowd->children[i].pid)
				end(crowd, &crowd->children[i]);
	}
	for (; next < n; next++)
		crowd->spawned[next] = (struct evc_spawned){ .output = "", .errors = "", .timed_out = true };
}

int evc_spawn_run_many(const struct evc_spawn *spawns, size_t n, unsigned at_once, struct evc_arena *arena,
                       struct evc_spawned *ret_spawned, evc_spawn_ended *ended, void *context)
{
	struct crowd crowd = { .n_children = at_once < MAX_AT_ONCE ? at_once : MAX_AT_ONCE,
		               .arena = arena,
		               .spawned = ret_spawned,
		               .ended = ended,
		               .context = context };
	sigset_t ends;

	for (size_t i = 0; i < crowd.n_children; i++)
		crowd.children[i].output = crowd.children[i].errors = -1;
	for (size_t i = 0; i < n; i++)
		ret_spawned[i] = (struct evc_spawned){ .output = "", .errors = "" };
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	/* Held back until the programs have ended; one that came is then delivered as always. */
	sigprocmask(SIG_BLOCK, &ends, &crowd.before);
	crowd.told = signalfd(-1, &ends, SFD_CLOEXEC);
	run(&crowd, spawns, n);
	close_end(&crowd.told);
	sigprocmask(SIG_SETMASK, &crowd.before, NULL);
	return crowd.failed ? EVC_ERR_MEMORY : EVC_OK;
}

int evc_spawn_run(const struct evc_spawn *spawn, struct evc_arena *arena, struct evc_spawned *ret_spawned,
                  struct evc_error *err)
{
	struct evc_spawned spawned;
	int status = evc_spawn_run_many(spawn, 1, 1, arena, &spawned, NULL, NULL);

	if (spawned.error)
		return evc_fail(err, spawned.error == ENOENT ? EVC_ERR_UNSUPPORTED : EVC_ERR_IO, "%s: %s",
		                spawn->argv[0], strerror(spawned.error));
	if (status < 0)
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
