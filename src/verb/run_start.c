/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * evc run becomes QEMU, or, with --detach, leaves one behind that answers.
 *
 * Who starts a guest on another machine hears of it by what is printed here; when nobody hears any more (the
 * connection ended), a QEMU that was just started is of no use to anybody, and is ended again.
 */
#include "verb/run.h"

#include "guest/qmp.h"
#include "guest/record.h"
#include "host/files.h"
#include "text/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	START_MS = 60 * 1000, /* until its socket answers */
	ANSWER_MS = 2000,
	LOOK_MS = 20,
	MAX_COMPLAINT = 400, /* of what QEMU said, the last bytes */
};

static int become(struct evc_command *command, const struct evc_run_job *job, const char *const *words,
                  json_t *record, struct evc_error *err)
{
	int status = job->recorded ? evc_record_write(job->name, record, command->arena, err) : EVC_OK;

	if (status < 0)
		return status;
	if (command->messages->length)
		fwrite(command->messages->text, 1, command->messages->length, stderr);
	evc_sink_clear(command->messages);
	fflush(stderr);
	signal(SIGPIPE, SIG_DFL);
	execv(job->program.path, (char *const *)words);
	status = evc_fail(err, EVC_ERR_IO, "%s: %s", job->program.path, strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	if (job->recorded)
		evc_record_remove(job->name, command->arena);
	return status;
}

/* The new process: of no terminal, and with its complaints in a file. */
_Noreturn static void be_detached(struct evc_command *command, const struct evc_run_job *job,
                                  const char *const *words, json_t *record, int complaints)
{
	struct evc_error err = { 0 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(complaints, STDOUT_FILENO) >= 0 &&
	    dup2(complaints, STDERR_FILENO) >= 0 && become(command, job, words, record, &err) < 0)
		dprintf(complaints, "evc: %s\n", err.text);
	_exit(1);
}

/* Has the reader of what we print gone? */
static bool is_unheard(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP));
}

/* The end of what QEMU said, as one line. */
static const char *last_words(int complaints, struct evc_arena *arena)
{
	char text[MAX_COMPLAINT + 1];
	off_t size = lseek(complaints, 0, SEEK_END);
	ssize_t n = pread(complaints, text, MAX_COMPLAINT, size > MAX_COMPLAINT ? size - MAX_COMPLAINT : 0);
	const char *copy;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' ';
	copy = n > 0 ? evc_arena_string(arena, text, (size_t)n) : "it said nothing";
	return copy ? copy : "";
}

/* Until its monitor answers; the QEMU is still there after a failure, unless it ended. */
static int wait_for_answer(const struct evc_run_job *job, pid_t pid, bool *ret_ended, struct evc_error *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000L * 1000L };
	struct evc_qmp qmp;
	struct evc_error trouble;

	for (int i = 0; i < START_MS / LOOK_MS; i++) {
		*ret_ended = waitpid(pid, NULL, WNOHANG) == pid;
		if (*ret_ended)
			return evc_fail(err, EVC_ERR_IO, "%s ended at once", job->program.path);
		if (is_unheard())
			return evc_fail(err, EVC_ERR_IO, "nobody listens any more");
		if (!access(job->qmp, F_OK) && evc_qmp_open(&qmp, job->qmp, ANSWER_MS, &trouble) == EVC_OK) {
			evc_qmp_close(&qmp);
			return EVC_OK;
		}
		nanosleep(&pause, NULL);
	}
	return evc_fail(err, EVC_ERR_IO, "%s did not answer within %d s", job->program.path, START_MS / 1000);
}

/* What was started, for people or programs. */
static int print_started(struct evc_command *command, const struct evc_run_job *job, pid_t pid,
                         json_t *record)
{
	if (!command->json) {
		evc_sink_printf(command->out, "%s runs as process %d, QMP at %s\n", job->name, (int)pid,
		                job->qmp);
		return EVC_OK;
	}
	json_object_set_new(record, "pid", json_integer(pid));
	evc_report_json(json_incref(record), command->out);
	return EVC_OK;
}

static int detach(struct evc_command *command, const struct evc_run_job *job, const char *const *words,
                  json_t *record, struct evc_error *err)
{
	const char *where = evc_record_folder(command->arena, true, err), *log;
	int complaints, status;
	bool ended = false;
	pid_t pid;

	if (!where)
		return err->code;
	log = evc_arena_printf(command->arena, "%s/%s.log", where, job->name);
	complaints = log ? open(log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600) : -1;
	if (complaints < 0)
		return evc_fail(err, EVC_ERR_IO, "%s: %s", log ? log : where, strerror(errno));
	pid = fork();
	if (!pid)
		be_detached(command, job, words, record, complaints);
	status = pid < 0 ? evc_fail(err, EVC_ERR_IO, "fork: %s", strerror(errno))
	                 : wait_for_answer(job, pid, &ended, err);
	if (status < 0 && pid > 0) {
		if (!ended && !kill(pid, SIGKILL))
			waitpid(pid, NULL, 0);
		evc_record_remove(job->name, command->arena);
		(void)evc_fail(err, EVC_ERR_IO, "%s: %s",
		               evc_arena_string(command->arena, err->text, strlen(err->text)),
		               last_words(complaints, command->arena));
	}
	close(complaints);
	return status < 0 ? status : print_started(command, job, pid, record);
}

int evc_run_start(struct evc_command *command, const struct evc_run_job *job, const char *const *words,
                  json_t *record, bool detached, struct evc_error *err)
{
	int status = detached ? detach(command, job, words, record, err)
	                      : become(command, job, words, record, err);

	json_decref(record);
	return status;
}
