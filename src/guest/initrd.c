/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * newc: for each file a header of 13 numbers of 8 hexadecimal digits after a magic word, its name, and what
 * is in it; name and content end at a multiple of 4 bytes.  A file called TRAILER!!! is the end.
 */
#include "guest/initrd.h"

#include <stdint.h>
#include <string.h>

enum {
	FOLDER = 0040000, /* of the mode */
	REGULAR = 0100000,
};

static void pad(struct evc_sink *out, size_t start)
{
	static const char zeros[4] = { 0 };

	evc_sink_write(out, zeros, -(out->length - start) & 3);
}

/* start is where the archive begins in the sink. */
static void write_file(const struct evc_initrd_file *file, unsigned number, unsigned mode, size_t start,
                       struct evc_sink *out)
{
	size_t n_name = strlen(file->path) + 1;

	/* Magic, inode, mode, user, group, links, time, size, device and its kin, name, check. */
	evc_sink_printf(out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", number, mode, 0, 0,
	                mode & FOLDER ? 2 : 1, 0, (unsigned)file->size, 0, 0, 0, 0, (unsigned)n_name, 0);
	evc_sink_write(out, file->path, n_name);
	pad(out, start);
	if (file->size)
		evc_sink_write(out, file->data, file->size);
	pad(out, start);
}

void evc_initrd_write(const struct evc_initrd_file *files, size_t n, struct evc_sink *out)
{
	static const struct evc_initrd_file end = { .path = "TRAILER!!!" };
	size_t start = out->length;

	for (size_t i = 0; i < n; i++)
		write_file(&files[i], (unsigned)i + 1, files[i].mode | (files[i].data ? REGULAR : FOLDER),
		           start, out);
	write_file(&end, 0, 0, start, out);
}

void evc_initrd_probe(struct evc_sink *out)
{
	const struct evc_initrd_file files[] = {
		{ .path = "dev", .mode = 0755 },
		{ .path = "proc", .mode = 0755 },
		{ .path = "sys", .mode = 0755 },
		{ .path = "init", .mode = 0755, .data = evc_probe_program, .size = evc_probe_program_size },
	};

	evc_initrd_write(files, sizeof(files) / sizeof(files[0]), out);
}
