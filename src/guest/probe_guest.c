/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nothing is written to disk: the program and the first file system are files in memory, which the
 * other process opens by its descriptor, and the guest's serial line is QEMU's standard output.
 */
#include "guest/probe_guest.h"

#include "guest/initrd.h"
#include "host/spawn.h"
#include "text/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
	MAX_OUTPUT = 64 * 1024 * 1024, /* a guest of many vCPUs says much */
	MAX_ARGUMENTS = 256,
	USUAL_TIMEOUT_MS = 60 * 1000,
	FILE_EXECUTABLE = 0x10, /* MFD_EXEC, younger than the C library's headers */
};

static const char descriptor_path[] = "/proc/self/fd/3"; /* EVC_SPAWN_DESCRIPTOR */

/* A file in memory that holds this; a negative code when there is none. */
static int memory_file(const void *data, size_t size, int *ret_fd, struct evc_error *err)
{
	int fd = memfd_create("evc-probe", MFD_CLOEXEC | FILE_EXECUTABLE);
	size_t done = 0;

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("evc-probe", MFD_CLOEXEC);
	if (fd < 0)
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "a file in memory: %s", strerror(errno));
	while (done < size) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n < 0 && errno != EINTR) {
			close(fd);
			return evc_fail(err, EVC_ERR_IO, "a file in memory: %s", strerror(errno));
		}
		done += n > 0 ? (size_t)n : 0;
	}
	*ret_fd = fd;
	return EVC_OK;
}

static bool readable(const char *path)
{
	return path && !access(path, R_OK);
}

/* "6.1.0-9" before "6.1.0-10" */
static int compare_versions(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static const char *newest_kernel(struct evc_arena *arena)
{
	const char *found = NULL;
	glob_t paths;

	if (glob("/boot/vmlinuz-*", GLOB_NOSORT, NULL, &paths))
		return NULL;
	qsort(paths.gl_pathv, paths.gl_pathc, sizeof(*paths.gl_pathv), compare_versions);
	for (size_t i = paths.gl_pathc; i > 0 && !found; i--)
		if (readable(paths.gl_pathv[i - 1]))
			found = evc_arena_string(arena, paths.gl_pathv[i - 1], strlen(paths.gl_pathv[i - 1]));
	globfree(&paths);
	return found;
}

static const char *cached_kernel(struct evc_arena *arena)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (cache && *cache)
		return evc_arena_printf(arena, "%s/openevc/vmlinuz", cache);
	return home ? evc_arena_printf(arena, "%s/.cache/openevc/vmlinuz", home) : NULL;
}

int evc_probe_kernel(const char *wanted, struct evc_arena *arena, const char **ret_path,
                     struct evc_error *err)
{
	const char *cached = cached_kernel(arena), *found = NULL;
	struct utsname names;

	if (!wanted)
		wanted = getenv("EVC_KERNEL");
	if (wanted && *wanted) {
		if (!readable(wanted))
			return evc_fail(err, EVC_ERR_IO, "%s: %s", wanted, strerror(errno));
		found = wanted;
	}
	if (!found && readable(cached))
		found = cached;
	if (!found && !uname(&names)) {
		const char *running = evc_arena_printf(arena, "/boot/vmlinuz-%s", names.release);

		found = readable(running) ? running : newest_kernel(arena);
	}
	if (!found)
		return evc_fail(
			err, EVC_ERR_UNSUPPORTED,
			"no kernel to boot a guest with: name one with --kernel or EVC_KERNEL, or put one at %s "
			"(in Debian: apt-get download linux-image-cloud-amd64's package, dpkg-deb -x, boot/vmlinuz-*)",
			cached ? cached : "~/.cache/openevc/vmlinuz");
	*ret_path = found;
	return EVC_OK;
}

struct command_line {
	const char *words[MAX_ARGUMENTS + 1];
	size_t n;
	bool full;
};

static void add(struct command_line *line, const char *word)
{
	if (line->n == MAX_ARGUMENTS)
		line->full = true;
	else
		line->words[line->n++] = word;
}

static void make_command_line(const struct evc_probe_guest *guest, const char *kernel,
                              struct evc_arena *arena, struct command_line *line)
{
	const char *append = evc_arena_printf(arena, "console=ttyS0 quiet loglevel=1 panic=-1 %s",
	                                      guest->append ? guest->append : "");
	/* clang-format off */
	const char *const words[] = {
		guest->qemu ? guest->qemu : "qemu-system-x86_64",
		"-accel", guest->accel, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
	};
	const char *const bare[] = { "-m", "32", "-debugcon", "stdio", "-kernel", descriptor_path, NULL };
	const char *const with_linux[] = {
		"-m", "256", "-serial", "stdio", "-kernel", kernel, "-initrd", descriptor_path, "-append", append, NULL,
	};
	/* clang-format on */
	const char *const *more = guest->bare ? bare : with_linux;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		add(line, words[i]);
	for (size_t i = 0; more[i]; i++)
		add(line, more[i]);
	for (size_t i = 0; guest->arguments && guest->arguments[i]; i++)
		add(line, guest->arguments[i]);
}

/* The last line of a text that says something. */
static struct evc_span last_words(const char *text)
{
	struct evc_span rest = evc_span_from(text), line, last = { .text = "" };

	while (evc_span_line(&rest, &line))
		if (evc_span_trim(line).length)
			last = evc_span_trim(line);
	return last;
}

/* Why a guest did not answer, as far as QEMU and its kernel say. */
static int no_answer(const struct evc_spawned *spawned, unsigned timeout_ms, struct evc_error *err)
{
	struct evc_span complaint = last_words(spawned->errors), said = last_words(spawned->output);

	if (spawned->timed_out)
		return evc_fail(err, EVC_ERR_IO,
		                "the guest did not end within %u s and was stopped; its last words: %.*s",
		                timeout_ms / 1000, (int)said.length, said.text);
	if (spawned->status)
		return evc_fail(err, EVC_ERR_IO, "QEMU ended with status %d: %.*s", spawned->status,
		                (int)complaint.length, complaint.text);
	return evc_fail(err, EVC_ERR_IO, "the guest ended without an answer; its last words: %.*s",
	                (int)said.length, said.text);
}

/* What was heard of a guest as its answer, or why there is none. */
static void take_answer(const struct evc_probe_guest *guest, const struct evc_spawn *spawn,
                        const struct evc_spawned *spawned, struct evc_arena *arena,
                        struct evc_probe_answer *answer)
{
	struct evc_span text = { .text = spawned->output, .length = spawned->n_output };
	int status;

	if (spawned->error) {
		(void)evc_fail(&answer->error, spawned->error == ENOENT ? EVC_ERR_UNSUPPORTED : EVC_ERR_IO,
		               "%s: %s", spawn->argv[0], strerror(spawned->error));
		return;
	}
	status = evc_probe_read(text, guest->name ? guest->name : "guest", arena, &answer->probe,
	                        &answer->error);
	if (status == EVC_ERR_MEMORY)
		return;
	if (status < 0 || !answer->probe.complete)
		no_answer(spawned, spawn->timeout_ms, &answer->error);
}

/* Files in memory with what guests boot from; -1: nobody needs it. */
struct images {
	int initrd, bare;
};

static int make_images(const struct evc_probe_guest *guests, size_t n, struct images *images,
                       struct evc_error *err)
{
	struct evc_sink archive = { 0 };
	bool bare = false, with_linux = false;
	int status = EVC_OK;

	for (size_t i = 0; i < n; i++) {
		bare |= guests[i].bare;
		with_linux |= !guests[i].bare;
	}
	if (bare)
		status = memory_file(evc_bare_program, evc_bare_program_size, &images->bare, err);
	if (status < 0 || !with_linux)
		return status;
	evc_initrd_probe(&archive);
	if (archive.failed)
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	else
		status = memory_file(archive.text, archive.length, &images->initrd, err);
	evc_sink_free(&archive);
	return status;
}

/* Those that can be started, and what came of them. */
struct batch {
	struct evc_spawn *spawns;
	struct evc_spawned *spawned;
	size_t *which; /* guest of each */
	size_t n, n_ended;
	evc_probe_ended *ended;
	void *context;
};

static void one_ended(void *context, size_t which)
{
	struct batch *batch = context;

	(void)which;
	if (batch->ended)
		batch->ended(batch->context, ++batch->n_ended);
}

static int prepare(const struct evc_probe_guest *guest, const struct images *images, struct evc_arena *arena,
                   struct evc_spawn *ret_spawn, struct evc_error *err)
{
	struct command_line *line = evc_arena_alloc(arena, sizeof(*line));
	const char *kernel = NULL;
	int status = guest->bare ? EVC_OK : evc_probe_kernel(guest->kernel, arena, &kernel, err);

	if (status < 0)
		return status;
	if (!line)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	make_command_line(guest, kernel, arena, line);
	if (line->full)
		return evc_fail(err, EVC_ERR_LIMIT, "more than %d arguments for QEMU", MAX_ARGUMENTS);
	*ret_spawn =
		(struct evc_spawn){ .argv = line->words,
		                    .timeout_ms = guest->timeout_ms ? guest->timeout_ms : USUAL_TIMEOUT_MS,
		                    .max_output = MAX_OUTPUT,
		                    .descriptor = guest->bare ? images->bare : images->initrd };
	return EVC_OK;
}

static int run_batch(const struct evc_probe_guest *guests, size_t n, unsigned at_once,
                     const struct images *images, struct batch *batch, struct evc_arena *arena,
                     struct evc_probe_answer *answers, struct evc_error *err)
{
	for (size_t i = 0; i < n; i++) {
		answers[i] = (struct evc_probe_answer){ 0 };
		if (prepare(&guests[i], images, arena, &batch->spawns[batch->n], &answers[i].error) == EVC_OK)
			batch->which[batch->n++] = i;
		else
			one_ended(batch, i);
	}
	if (evc_spawn_run_many(batch->spawns, batch->n, at_once, arena, batch->spawned, one_ended, batch) < 0)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < batch->n; i++) {
		size_t which = batch->which[i];

		take_answer(&guests[which], &batch->spawns[i], &batch->spawned[i], arena, &answers[which]);
	}
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	return EVC_OK;
}

int evc_probe_guests_run(const struct evc_probe_guest *guests, size_t n, unsigned at_once,
                         struct evc_arena *arena, struct evc_probe_answer *ret_answers,
                         evc_probe_ended *ended, void *context, struct evc_error *err)
{
	struct batch batch = { .spawns = evc_arena_array(arena, n, sizeof(*batch.spawns)),
		               .spawned = evc_arena_array(arena, n, sizeof(*batch.spawned)),
		               .which = evc_arena_array(arena, n, sizeof(*batch.which)),
		               .ended = ended,
		               .context = context };
	struct images images = { .initrd = -1, .bare = -1 };
	int status = EVC_OK;

	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = make_images(guests, n, &images, err);
	if (status == EVC_OK)
		status = run_batch(guests, n, at_once, &images, &batch, arena, ret_answers, err);
	if (images.initrd >= 0)
		close(images.initrd);
	if (images.bare >= 0)
		close(images.bare);
	return status;
}

int evc_probe_guest_run(const struct evc_probe_guest *guest, struct evc_arena *arena,
                        struct evc_probe *ret_probe, struct evc_error *err)
{
	struct evc_probe_answer answer = { 0 };
	int status = evc_probe_guests_run(guest, 1, 1, arena, &answer, NULL, NULL, err);

	if (status == EVC_OK && answer.error.code) {
		if (err)
			*err = answer.error;
		status = answer.error.code;
	}
	if (status == EVC_OK)
		*ret_probe = answer.probe;
	return status;
}

int evc_probe_here(const char *name, unsigned timeout_ms, struct evc_arena *arena,
                   struct evc_probe *ret_probe, struct evc_error *err)
{
	const char *const argv[] = { descriptor_path, NULL };
	struct evc_spawn spawn = { .argv = argv, .timeout_ms = timeout_ms, .max_output = MAX_OUTPUT };
	struct evc_spawned spawned;
	int status = memory_file(evc_probe_program, evc_probe_program_size, &spawn.descriptor, err);

	if (status < 0)
		return status;
	status = evc_spawn_run(&spawn, arena, &spawned, err);
	close(spawn.descriptor);
	if (status < 0)
		return status;
	return evc_probe_read((struct evc_span){ .text = spawned.output, .length = spawned.n_output }, name,
	                      arena, ret_probe, err);
}
