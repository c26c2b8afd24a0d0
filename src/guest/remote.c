/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/remote.h"

#include "host/files.h"
#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	START_MS = 90 * 1000, /* that evc itself waits a minute */
	FORWARD_MS = 30 * 1000,
	LOOK_MS = 20,
	MAX_ANSWER = 8 * 1024 * 1024, /* a record with its dump */
	SSH_FAILED = 255,
	SHELL_FOUND_NONE = 127,
};

/* No question is asked that nobody may be there to answer; a connection that died is noticed. */
#define SSH_OPTIONS                                                                                          \
	"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=5", "-o",         \
		"ServerAliveCountMax=3"

bool evc_remote_host_fits(const char *host)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@:[]%/";
	size_t length = strlen(host);

	if (!strncmp(host, "ssh://", 6))
		return length > 6 && host[6] != '-' && strspn(host, letters) == length;
	return length && host[0] != '-' && strspn(host, letters) == length && !strchr(host, '/');
}

/* The line of a text that says why: the last one of evc's own, without that, else the last one. */
static const char *last_line(const char *text, struct evc_arena *arena)
{
	static const char own[] = "evc: run: ";
	const char *line = "it said nothing", *end;

	for (bool ours = false; *text; text = *end ? end + 1 : end) {
		bool is_own = !strncmp(text, own, strlen(own));

		end = text + strcspn(text, "\n");
		if (end == text || (ours && !is_own))
			continue;
		ours |= is_own;
		text += is_own ? strlen(own) : 0;
		line = evc_arena_string(arena, text, (size_t)(end - text));
	}
	return line ? line : "";
}

/* Why nothing was started; where is a host, or this machine. */
static int explain(const struct evc_spawned *spawned, const char *where, struct evc_arena *arena,
                   struct evc_error *err)
{
	const char *said = last_line(spawned->errors, arena);

	if (spawned->timed_out)
		return evc_fail(err, EVC_ERR_IO, "%s: no guest was started in time", where);
	if (spawned->status == SSH_FAILED)
		return evc_fail(err, EVC_ERR_IO, "%s cannot be reached by ssh: %s", where, said);
	if (spawned->status == SHELL_FOUND_NONE)
		return evc_fail(err, EVC_ERR_UNSUPPORTED,
		                "%s has no evc in the PATH that commands of ssh have: %s", where, said);
	return evc_fail(err, EVC_ERR_IO, "%s: %s", where, said);
}

static int start(const char *const *argv, const char *where, const char *record, struct evc_arena *arena,
                 json_t **ret_started, struct evc_error *err)
{
	const struct evc_spawn spawn = { .argv = argv,
		                         .timeout_ms = START_MS,
		                         .max_output = MAX_ANSWER,
		                         .input = record,
		                         .descriptor = -1 };
	struct evc_spawned spawned;
	json_t *started;
	int status = evc_spawn_run(&spawn, arena, &spawned, err);

	if (status < 0)
		return status;
	if (spawned.timed_out || spawned.status)
		return explain(&spawned, where, arena, err);
	started = json_loadb(spawned.output, spawned.n_output, 0, NULL);
	if (!json_string_value(json_object_get(started, "qmp")) ||
	    !json_string_value(json_object_get(started, "name"))) {
		json_decref(started);
		return evc_fail(err, EVC_ERR_INPUT,
		                "%s: expected evc's record of a guest; is its evc another one?", where);
	}
	*ret_started = started;
	return EVC_OK;
}

int evc_remote_start(const struct evc_remote *remote, const char *record, struct evc_arena *arena,
                     json_t **ret_started, struct evc_error *err)
{
	/* One word for the shell there: nothing of it comes from outside. */
	const char *const argv[] = { remote->ssh,
		                     SSH_OPTIONS,
		                     "--",
		                     remote->host,
		                     "exec evc run --like - --incoming defer --detach --json",
		                     NULL };

	return start(argv, remote->host, record, arena, ret_started, err);
}

int evc_remote_start_here(const char *record, const char *name, struct evc_arena *arena, json_t **ret_started,
                          struct evc_error *err)
{
	const char *const argv[] = { "/proc/self/exe", "run",    "--like", "-",  "--incoming", "defer",
		                     "--detach",       "--json", "--name", name, NULL };

	return start(argv, "this machine", record, arena, ret_started, err);
}

/* A path that ssh takes as one: its -L has ':' between two. */
static bool path_fits(const char *path)
{
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == ':')
			return false;
	return path[0] == '/';
}

/* A folder that only we can enter, where a socket's path is short. */
static int make_directory(struct evc_remote *remote, struct evc_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	bool fits = runtime && runtime[0] == '/' && strlen(runtime) < sizeof(remote->directory) / 2;

	snprintf(remote->directory, sizeof(remote->directory), "%s/evc-XXXXXX", fits ? runtime : "/tmp");
	if (!mkdtemp(remote->directory)) {
		(void)evc_fail(err, EVC_ERR_IO, "%s: %s", remote->directory, strerror(errno));
		remote->directory[0] = '\0';
		return EVC_ERR_IO;
	}
	snprintf(remote->qmp, sizeof(remote->qmp), "%s/qmp", remote->directory);
	snprintf(remote->memory, sizeof(remote->memory), "%s/memory", remote->directory);
	return EVC_OK;
}

/* ssh, apart from our terminal's signals, and not longer than we. */
_Noreturn static void be_forwarder(const char *const *argv, const char *complaints, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC),
	    log = open(complaints, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (!prctl(PR_SET_PDEATHSIG, SIGTERM) && getppid() == parent && null >= 0 && log >= 0 &&
	    dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
		execvp(argv[0], (char *const *)argv);
	_exit(SHELL_FOUND_NONE);
}

static const char *complaint(const char *path, struct evc_arena *arena)
{
	struct evc_span text;
	struct evc_error err;

	if (evc_file_text(path, arena, &text, &err) < 0)
		return "it said nothing";
	return last_line(evc_arena_string(arena, text.text, text.length), arena);
}

/* Until both sockets are there, which is after ssh has connected. */
static int wait_for_sockets(struct evc_remote *remote, const char *complaints, struct evc_arena *arena,
                            struct evc_error *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000L * 1000L };

	for (int i = 0; i < FORWARD_MS / LOOK_MS; i++) {
		if (waitpid(remote->forwarder, NULL, WNOHANG) == remote->forwarder) {
			remote->forwarder = 0;
			return evc_fail(err, EVC_ERR_IO, "%s cannot be reached by ssh: %s", remote->host,
			                complaint(complaints, arena));
		}
		if (!access(remote->qmp, F_OK) && !access(remote->memory, F_OK))
			return EVC_OK;
		nanosleep(&pause, NULL);
	}
	return evc_fail(err, EVC_ERR_IO, "%s cannot be reached by ssh in time", remote->host);
}

int evc_remote_forward(struct evc_remote *remote, const char *qmp_there, const char *memory_there,
                       struct evc_arena *arena, struct evc_error *err)
{
	int status = make_directory(remote, err);
	const char *complaints = evc_arena_printf(arena, "%s/log", remote->directory);
	const char *const argv[] = { remote->ssh,
		                     SSH_OPTIONS,
		                     "-N",
		                     "-o",
		                     "ExitOnForwardFailure=yes",
		                     "-o",
		                     "ControlPath=none",
		                     "-o",
		                     "StreamLocalBindMask=0177",
		                     "-L",
		                     evc_arena_printf(arena, "%s:%s", remote->qmp, qmp_there),
		                     "-L",
		                     evc_arena_printf(arena, "%s:%s", remote->memory, memory_there),
		                     "--",
		                     remote->host,
		                     NULL };
	pid_t parent = getpid();

	if (status < 0)
		return status;
	if (!path_fits(qmp_there) || !path_fits(memory_there))
		return evc_fail(
			err, EVC_ERR_USAGE,
			"%s: ssh forwards sockets whose paths begin with / and have no spaces and no colons",
			qmp_there);
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	remote->forwarder = fork();
	if (!remote->forwarder)
		be_forwarder(argv, complaints, parent);
	if (remote->forwarder < 0) {
		remote->forwarder = 0;
		return evc_fail(err, EVC_ERR_IO, "fork: %s", strerror(errno));
	}
	return wait_for_sockets(remote, complaints, arena, err);
}

void evc_remote_close(struct evc_remote *remote)
{
	static const char *const names[] = { "qmp", "memory", "log" };
	char path[sizeof(remote->directory) + 16];

	if (remote->forwarder > 0 && !kill(remote->forwarder, SIGTERM))
		while (waitpid(remote->forwarder, NULL, 0) < 0 && errno == EINTR)
			;
	remote->forwarder = 0;
	for (size_t i = 0; remote->directory[0] && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", remote->directory, names[i]);
		unlink(path);
	}
	if (remote->directory[0])
		rmdir(remote->directory);
	remote->directory[0] = '\0';
}
