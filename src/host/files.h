/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_FILES_H
#define EVC_HOST_FILES_H

/* Files of this machine: where texts come from.  The only place that opens what a user names. */

#include "text/format.h"

/* The whole file, or standard input for "-", at most EVC_MAX_TEXT bytes, in the arena. */
int evc_file_text(const char *path, struct evc_arena *arena, struct evc_span *ret_text,
                  struct evc_error *err);

/* Write the file whole or not at all: beside it first, then renamed.  "-" is standard output. */
int evc_file_write(const char *path, const struct evc_sink *sink, struct evc_error *err);

/*
 * The hosts of a file of any format, of "-", or of every file of a directory (sorted, one level).
 * A host is called after its file unless the text names it.  Damaged files are appended as
 * EVC_DAMAGED hosts; the status is then still 0, and the caller asks each host for its reading.
 * Fails on what cannot be opened.
 */
int evc_files_read(const char *path, struct evc_arena *arena, struct evc_hosts *hosts, struct evc_error *err);

#endif
