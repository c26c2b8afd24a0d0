/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/record.h"

#include "host/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool evc_record_name_fits(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+@";
	size_t length = strlen(name);

	return length && length <= EVC_RECORD_MAX_NAME && strspn(name, letters) == length && name[0] != '.' &&
	       name[0] != '-' && strspn(name, "0123456789") < length;
}

/* The folders where records may be, the user's own first; NULL: there is no such folder for this user. */
static const char *folder(struct evc_arena *arena, bool own)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (own)
		return runtime && *runtime ? evc_arena_printf(arena, "%s/openevc", runtime) : NULL;
	return "/run/openevc";
}

const char *evc_record_folder(struct evc_arena *arena, bool make, struct evc_error *err)
{
	const char *path = folder(arena, true);

	if (!path && !geteuid())
		path = folder(arena, false);
	if (!path) {
		(void)evc_fail(err, EVC_ERR_UNSUPPORTED,
		               "there is no place for records of guests: XDG_RUNTIME_DIR is not set");
		return NULL;
	}
	if (make && mkdir(path, 0700) && errno != EEXIST) {
		(void)evc_fail(err, EVC_ERR_IO, "%s: %s", path, strerror(errno));
		return NULL;
	}
	return path;
}

/* When a process began, in ticks since the machine did; 0 when it is not there, or has ended and waits for
 * its parent to notice. */
static json_int_t started(pid_t pid, struct evc_arena *arena)
{
	enum { STATE = 3, START_TIME = 22 };
	const char *path = evc_arena_printf(arena, "/proc/%d/stat", (int)pid);
	struct evc_span text, word;
	struct evc_error err;
	uint64_t ticks = 0;
	size_t name;

	if (!path || evc_file_text(path, arena, &text, &err) < 0)
		return 0;
	/* The second word, the program's name in brackets, may hold anything. */
	for (name = text.length; name && text.text[name - 1] != ')'; name--)
		;
	text = (struct evc_span){ .text = text.text + name, .length = text.length - name };
	for (int i = STATE; i <= START_TIME; i++)
		if (!evc_span_word(&text, &word) || (i == STATE && strchr("ZX", word.text[0])))
			return 0;
	return evc_span_decimal(&word, &ticks) ? (json_int_t)ticks : 0;
}

static bool is_alive(const json_t *record, struct evc_arena *arena)
{
	json_int_t pid = json_integer_value(json_object_get(record, "pid")),
		   start = json_integer_value(json_object_get(record, "start"));

	return pid > 0 && start && started((pid_t)pid, arena) == start;
}

/* The record of this folder; NULL when there is none, or one that nobody can read. */
static json_t *read_in(const char *where, const char *name, struct evc_arena *arena)
{
	const char *path = where ? evc_arena_printf(arena, "%s/%s.json", where, name) : NULL;
	struct evc_span text;
	struct evc_error err;
	json_t *record;

	if (!path || evc_file_text(path, arena, &text, &err) < 0)
		return NULL;
	record = json_loadb(text.text, text.length, JSON_REJECT_DUPLICATES, NULL);
	if (is_alive(record, arena))
		return record;
	json_decref(record);
	unlink(path);
	return NULL;
}

int evc_record_read(const char *name, struct evc_arena *arena, json_t **ret_record, struct evc_error *err)
{
	json_t *record = NULL;

	if (evc_record_name_fits(name)) {
		record = read_in(folder(arena, true), name, arena);
		if (!record)
			record = read_in(folder(arena, false), name, arena);
	}
	if (evc_arena_failed(arena)) {
		json_decref(record);
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	}
	*ret_record = record;
	return EVC_OK;
}

static int write_piece(const char *text, size_t length, void *sink)
{
	evc_sink_write(sink, text, length);
	return 0;
}

int evc_record_write(const char *name, json_t *record, struct evc_arena *arena, struct evc_error *err)
{
	const char *where = evc_record_folder(arena, true, err), *path;
	struct evc_sink sink = { 0 };
	json_t *other = NULL;
	int status;

	if (!where)
		return err ? (int)err->code : EVC_ERR_IO;
	status = evc_record_read(name, arena, &other, err);
	if (status == EVC_OK && other)
		status = evc_fail(err, EVC_ERR_USAGE, "a guest of the name %s is running (process %d)", name,
		                  (int)json_integer_value(json_object_get(other, "pid")));
	json_decref(other);
	path = evc_arena_printf(arena, "%s/%s.json", where, name);
	if (status == EVC_OK && !path)
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (status < 0)
		return status;
	json_object_set_new(record, "pid", json_integer(getpid()));
	json_object_set_new(record, "start", json_integer(started(getpid(), arena)));
	json_dump_callback(record, write_piece, &sink, JSON_INDENT(1));
	status = evc_file_write(path, &sink, err);
	evc_sink_free(&sink);
	return status;
}

void evc_record_remove(const char *name, struct evc_arena *arena)
{
	struct evc_error err;
	const char *where = evc_record_folder(arena, false, &err),
		   *path = where ? evc_arena_printf(arena, "%s/%s.json", where, name) : NULL;

	if (path)
		unlink(path);
}
