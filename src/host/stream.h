/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_STREAM_H
#define EVC_HOST_STREAM_H

/*
 * Very many hosts from one stream.  A fleet of 100,000 hosts has a few dozen different ones: a
 * host whose text, its name left out, was there before is counted and not read again.  Texts
 * are compared byte by byte, a hash only finds whom to compare with.
 */

#include "text/format.h"

enum {
	EVC_STREAM_NAMES = 8,     /* names that are kept of each kind */
	EVC_STREAM_KINDS = 65536, /* different hosts that are accepted */
};

/* Hosts of one text. */
struct evc_kind {
	struct evc_host host; /* the first of them; EVC_DAMAGED when its text could not be read */
	size_t n_hosts;
	const char *names[EVC_STREAM_NAMES]; /* of the first ones, JSON's escapes as they stand */
	size_t n_names;
};

struct evc_kinds {
	struct evc_kind *items; /* in the order in which they first come */
	size_t n, size;
	size_t n_hosts;
	size_t bytes; /* of the text */
};

/*
 * The hosts of a file or of "-", by kind.  JSON lines and bulk cpuid ("HOST name") are read in
 * pieces, with memory for one piece and for what is different; other forms and directories as
 * evc_files_read does, each host a kind of its own.  Damaged hosts are kinds, with the place in
 * their error.  Fails on what cannot be opened, and above EVC_STREAM_KINDS.
 */
int evc_stream_read(const char *path, struct evc_arena *arena, struct evc_kinds *ret_kinds,
                    struct evc_error *err);

#endif
