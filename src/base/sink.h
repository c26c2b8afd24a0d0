/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_BASE_SINK_H
#define EVC_BASE_SINK_H

/*
 * A text sink: a string that grows.  Printers write to it and never to a file; who owns the
 * sink writes it out.  Failure is sticky and asked for once, as with arenas.
 */

#include <stdbool.h>
#include <stddef.h>

struct evc_sink {
	char *text; /* terminated when length > 0; NULL when empty */
	size_t length;
	size_t size;
	bool failed;
};

void evc_sink_write(struct evc_sink *sink, const char *text, size_t length);
void evc_sink_puts(struct evc_sink *sink, const char *text);
void evc_sink_printf(struct evc_sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* n spaces, for aligned columns; none when n is not positive. */
void evc_sink_pad(struct evc_sink *sink, int n);

/* Forget the text, keep the memory. */
void evc_sink_clear(struct evc_sink *sink);
void evc_sink_free(struct evc_sink *sink);

#endif
