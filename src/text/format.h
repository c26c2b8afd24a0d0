/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_FORMAT_H
#define EVC_TEXT_FORMAT_H

/*
 * Dump formats: bytes to hosts and back.  A format is recognised by its content, never by a file
 * name.  Readers store what the text says and interpret nothing; a damaged text gives an error
 * with line and column and a host whose reading is EVC_DAMAGED.
 */

#include "base/arena.h"
#include "base/sink.h"
#include "base/span.h"
#include "core/dump.h"
#include "core/finding.h"

enum { EVC_MAX_TEXT = 256 * 1024 * 1024 }; /* bytes of one text that is read whole */

/* Hosts read from one text: usually one; a bulk text holds many. */
struct evc_hosts {
	struct evc_host *items;
	size_t n, size;
};

struct evc_format {
	const char *name;  /* "cpuid", as --to takes it */
	const char *title; /* "etallen cpuid -r" */
	/* Does the text look like this format?  Looks at the start of it only. NULL: write only. */
	bool (*recognise)(struct evc_span text);
	/* Read all hosts of the text; name is what to call a host that has no name in the text. */
	int (*read)(struct evc_span text, const char *name, struct evc_arena *arena,
	            struct evc_hosts *ret_hosts, struct evc_error *err);
	/* Write one host; findings (may be NULL) get what the format cannot hold. NULL: read only. */
	int (*write)(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
	             struct evc_error *err);
	/* Write one of many hosts of a stream, under its name.  NULL: a text of this form holds one host. */
	int (*write_bulk)(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
	                  struct evc_error *err);
};

extern const struct evc_format evc_format_json;
extern const struct evc_format evc_format_cpuid;
extern const struct evc_format evc_format_aida64;
extern const struct evc_format evc_format_libcpuid;
extern const struct evc_format evc_format_kcpuid;
extern const struct evc_format evc_format_libvirt;
extern const struct evc_format evc_format_firecracker;
extern const struct evc_format evc_format_cpuinfo;
extern const struct evc_format evc_format_probe;

extern const struct evc_format *const evc_formats[];
extern const size_t evc_n_formats;

const struct evc_format *evc_format_find(const char *name);
const struct evc_format *evc_format_recognise(struct evc_span text);

/*
 * Read a text of any format.  On damage returns the error and also appends a host of that name
 * with reading EVC_DAMAGED and the error in it, so that whoever goes on cannot forget it.
 */
int evc_hosts_read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *hosts,
                   struct evc_error *err);

/* Append a copy of host; for readers. */
void evc_hosts_add(struct evc_hosts *hosts, struct evc_arena *arena, const struct evc_host *host);

#endif
