/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(struct evc_error *err, const char *path)
{
	int status = evc_fail(err, EVC_ERR_IO, "%s", strerror(errno));

	evc_error_set_origin(err, path);
	return status;
}

/* Room for the whole file and one byte more, so that its end shows at once; a guess for what has no size. */
static size_t first_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > EVC_MAX_TEXT)
		return 64 * 1024;
	return (size_t)st.st_size + 1;
}

/* Everything that fd has, in a buffer of the arena that doubles. */
static int read_all(int fd, const char *path, struct evc_arena *arena, struct evc_span *ret_text,
                    struct evc_error *err)
{
	size_t size = first_size(fd), length = 0;
	char *text = evc_arena_alloc(arena, size);

	while (text) {
		ssize_t n = read(fd, text + length, size - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, path);
		if (n == 0)
			break;
		length += (size_t)n;
		if (length > EVC_MAX_TEXT)
			return evc_fail(err, EVC_ERR_LIMIT, "%s is larger than %d bytes", path, EVC_MAX_TEXT);
		if (length == size) {
			char *bigger = evc_arena_alloc(arena, size * 2);

			if (bigger)
				memcpy(bigger, text, length);
			text = bigger;
			size *= 2;
		}
	}
	if (!text)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_text = (struct evc_span){ .text = text, .length = length };
	return EVC_OK;
}

int evc_file_text(const char *path, struct evc_arena *arena, struct evc_span *ret_text, struct evc_error *err)
{
	int fd, status;

	if (!strcmp(path, "-"))
		return read_all(STDIN_FILENO, "standard input", arena, ret_text, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, path);
	status = read_all(fd, path, arena, ret_text, err);
	close(fd);
	return status;
}

static int write_all(int fd, const struct evc_sink *sink)
{
	size_t done = 0;

	while (done < sink->length) {
		ssize_t n = write(fd, sink->text + done, sink->length - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A regular file is replaced at once, so that nobody reads half of it; others are written to. */
static bool is_replaceable(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? errno == ENOENT : S_ISREG(st.st_mode);
}

int evc_file_write(const char *path, const struct evc_sink *sink, struct evc_error *err)
{
	bool replace = is_replaceable(path);
	char temporary[4096];
	int fd, status = EVC_OK;

	if (sink->failed)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (!strcmp(path, "-"))
		return write_all(STDOUT_FILENO, sink) ? fail_errno(err, "standard output") : EVC_OK;
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s%s", path, replace ? ".new" : "") >=
	    sizeof(temporary))
		return evc_fail(err, EVC_ERR_USAGE, "the name of the file is too long");
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return fail_errno(err, path);
	if (write_all(fd, sink))
		status = fail_errno(err, path);
	if (close(fd) && status == EVC_OK)
		status = fail_errno(err, path);
	if (status == EVC_OK && replace && rename(temporary, path))
		status = fail_errno(err, path);
	if (status < 0 && replace)
		unlink(temporary);
	return status;
}

/* The file's name without directory: what a host is called that does not say its name. */
static const char *host_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* listed: in a folder, where a host that cannot be read is a host all the same, and not known. */
static int read_file(const char *path, bool listed, struct evc_arena *arena, struct evc_hosts *hosts,
                     struct evc_error *err)
{
	struct evc_span text = { 0 };
	size_t before = hosts->n;
	int status = evc_file_text(path, arena, &text, err);

	if (status < 0 && status != EVC_ERR_MEMORY && listed) {
		evc_hosts_add(hosts, arena,
		              &(struct evc_host){
				      .name = host_name(path),
				      .format = "",
				      .reading = EVC_DAMAGED,
				      .error = *err,
			      });
		return EVC_OK;
	}
	if (status < 0)
		return status;
	status = evc_hosts_read(text, host_name(path), arena, hosts, err);
	if (status == EVC_ERR_MEMORY)
		return status;
	for (size_t i = before; i < hosts->n; i++)
		evc_error_set_origin(&hosts->items[i].error, path);
	return EVC_OK;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* A directory without a file is no answer of no hosts: somebody expected some there. */
static int read_directory(const char *path, struct evc_arena *arena, struct evc_hosts *hosts,
                          struct evc_error *err)
{
	struct dirent **entries;
	size_t before = hosts->n;
	int n = scandir(path, &entries, visible, alphasort), status = EVC_OK;

	if (n < 0)
		return fail_errno(err, path);
	for (int i = 0; i < n; i++) {
		char *file = evc_arena_printf(arena, "%s/%s", path, entries[i]->d_name);
		struct stat st;

		/* What is there and cannot be looked at, as a link to nowhere, must not be passed over. */
		if (status == EVC_OK && file && (stat(file, &st) || S_ISREG(st.st_mode)))
			status = read_file(file, true, arena, hosts, err);
		free(entries[i]);
	}
	free(entries);
	if (status == EVC_OK && hosts->n == before && !evc_arena_failed(arena)) {
		status = evc_fail(err, EVC_ERR_INPUT, "no dump in this directory");
		evc_error_set_origin(err, path);
	}
	return status;
}

int evc_files_read(const char *path, struct evc_arena *arena, struct evc_hosts *hosts, struct evc_error *err)
{
	struct stat st;

	if (strcmp(path, "-") && !stat(path, &st) && S_ISDIR(st.st_mode))
		return read_directory(path, arena, hosts, err);
	return read_file(path, false, arena, hosts, err);
}
