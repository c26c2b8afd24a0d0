/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/modes.h"

#include "host/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int is_modes_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 6 && !strcmp(entry->d_name + length - 6, ".modes");
}

static int read_file(const char *folder, const char *name, struct evc_arena *arena, struct evc_modes *modes,
                     struct evc_error *err)
{
	const char *path = evc_arena_printf(arena, "%s/%s", folder, name);
	struct evc_span text;
	int status;

	if (!path)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = evc_file_text(path, arena, &text, err);
	return status < 0 ? status : evc_modes_parse(text, path, arena, modes, err);
}

/* Byte order, so that the order does not hang on the user's locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int evc_modes_read_folder(const char *folder, struct evc_arena *arena, struct evc_modes *modes,
                          struct evc_error *err)
{
	struct dirent **entries;
	int status = EVC_OK, n = scandir(folder, &entries, is_modes_file, by_name);

	if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
		return EVC_OK;
	if (n < 0) {
		status = evc_fail(err, EVC_ERR_IO, "%s", strerror(errno));
		evc_error_set_origin(err, folder);
		return status;
	}
	for (int i = 0; i < n; i++) {
		if (!status)
			status = read_file(folder, entries[i]->d_name, arena, modes, err);
		free(entries[i]);
	}
	free(entries);
	return status;
}

/* NULL when neither variable is set; the specification says to ignore a relative path. */
static const char *own_folder(struct evc_arena *arena)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && config[0] == '/')
		return evc_arena_printf(arena, "%s/evc/modes.d", config);
	if (home && home[0])
		return evc_arena_printf(arena, "%s/.config/evc/modes.d", home);
	return NULL;
}

int evc_modes_read(struct evc_arena *arena, struct evc_modes *ret_modes, struct evc_error *err)
{
	struct evc_modes modes = evc_builtin_modes;
	const char *own = own_folder(arena);
	int status = evc_modes_read_folder("/etc/evc/modes.d", arena, &modes, err);

	if (!status && own)
		status = evc_modes_read_folder(own, arena, &modes, err);
	if (status < 0)
		return status;
	*ret_modes = modes;
	return EVC_OK;
}
