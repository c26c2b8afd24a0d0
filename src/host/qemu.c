/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/qemu.h"

#include "host/files.h"
#include "host/spawn.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIMEOUT_MS = 10 * 1000 };

/* Where PATH has the program; NULL when nowhere. */
static const char *find_in_path(const char *name, struct evc_arena *arena)
{
	const char *rest = getenv("PATH");

	if (strchr(name, '/'))
		return access(name, X_OK) ? NULL : name;
	while (rest) {
		size_t length = strcspn(rest, ":");
		const char *path = evc_arena_printf(arena, "%.*s/%s", (int)length, rest, name);

		if (path && length && !access(path, X_OK))
			return path;
		rest = rest[length] ? rest + length + 1 : NULL;
	}
	return NULL;
}

static const char *find(const char *name, struct evc_arena *arena)
{
	static const char *const names[] = { "qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm" };
	const char *path = NULL;

	if (name)
		return find_in_path(name, arena);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !path; i++)
		path = find_in_path(names[i], arena);
	return path;
}

/* What tells this program from another one of its name, as text. */
static const char *mark_of(const char *path, struct evc_arena *arena)
{
	struct stat st;

	if (stat(path, &st))
		return NULL;
	return evc_arena_printf(arena, "%s %llu %lld %lld.%09ld", path, (unsigned long long)st.st_ino,
	                        (long long)st.st_size, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

static json_t *read_cache(const char *cache, struct evc_arena *arena)
{
	struct evc_span text;
	struct evc_error err;

	if (!cache || evc_file_text(cache, arena, &text, &err) < 0)
		return NULL;
	return json_loadb(text.text, text.length, 0, NULL);
}

static int write_piece(const char *text, size_t length, void *sink)
{
	evc_sink_write(sink, text, length);
	return 0;
}

/* One program is remembered; that it could not be is no harm. */
static void write_cache(const char *cache, const char *mark, const char *version)
{
	json_t *object = json_pack("{s:s, s:s}", "program", mark, "version", version);
	struct evc_sink sink = { 0 };
	struct evc_error err;

	json_dump_callback(object, write_piece, &sink, 0);
	(void)evc_file_write(cache, &sink, &err);
	evc_sink_free(&sink);
	json_decref(object);
}

/* "QEMU emulator version 7.2.22 (Debian ...)" */
static int ask(const char *path, struct evc_arena *arena, const char **ret_version, struct evc_error *err)
{
	static const char before[] = "version ";
	const char *const argv[] = { path, "--version", NULL };
	const char *text, *version;
	int status = evc_spawn_output(argv, TIMEOUT_MS, arena, &text, err);
	size_t length;

	if (status < 0)
		return status;
	version = strstr(text, before);
	length = version ? strspn(version + strlen(before), "0123456789.") : 0;
	if (!length)
		return evc_fail(err, EVC_ERR_IO, "%s --version printed no version", path);
	*ret_version = evc_arena_string(arena, version + strlen(before), length);
	return *ret_version ? EVC_OK : evc_fail(err, EVC_ERR_MEMORY, "out of memory");
}

int evc_qemu_program(const char *name, const char *cache, struct evc_arena *arena,
                     struct evc_qemu_program *ret_program, struct evc_error *err)
{
	struct evc_qemu_program program = { .path = find(name, arena) };
	const char *mark, *known, *version;
	json_t *cached;
	int status = EVC_OK;

	if (!program.path)
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "there is no program %s: install QEMU, or name it",
		                name ? name : "qemu-system-x86_64");
	mark = mark_of(program.path, arena);
	cached = read_cache(cache, arena);
	known = json_string_value(json_object_get(cached, "program"));
	version = json_string_value(json_object_get(cached, "version"));
	if (known && version && mark && !strcmp(known, mark)) {
		program.version = evc_arena_string(arena, version, strlen(version));
	} else {
		status = ask(program.path, arena, &program.version, err);
		if (status == EVC_OK && cache && mark)
			write_cache(cache, mark, program.version);
	}
	json_decref(cached);
	if (status == EVC_OK)
		*ret_program = program;
	return status;
}
