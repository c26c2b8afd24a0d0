/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sink.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct evc_sink *sink, size_t extra)
{
	size_t size = sink->size ? sink->size : 256;
	char *text;

	if (sink->failed || extra > SIZE_MAX / 4 - sink->length) {
		sink->failed = true;
		return false;
	}
	while (size < sink->length + extra + 1)
		size *= 2;
	if (size == sink->size)
		return true;
	text = realloc(sink->text, size);
	if (!text) {
		sink->failed = true;
		return false;
	}
	sink->text = text;
	sink->size = size;
	return true;
}

void evc_sink_write(struct evc_sink *sink, const char *text, size_t length)
{
	if (!reserve(sink, length))
		return;
	memcpy(sink->text + sink->length, text, length);
	sink->length += length;
	sink->text[sink->length] = '\0';
}

void evc_sink_puts(struct evc_sink *sink, const char *text)
{
	evc_sink_write(sink, text, strlen(text));
}

void evc_sink_printf(struct evc_sink *sink, const char *format, ...)
{
	size_t room;
	va_list args;
	int length;

	/* Most texts are short: print at once into what is there, again only if it was too little. */
	if (!reserve(sink, 64))
		return;
	room = sink->size - sink->length;
	va_start(args, format);
	length = vsnprintf(sink->text + sink->length, room, format, args);
	va_end(args);
	if (length >= 0 && (size_t)length >= room && reserve(sink, (size_t)length)) {
		va_start(args, format);
		vsnprintf(sink->text + sink->length, (size_t)length + 1, format, args);
		va_end(args);
	}
	if (length < 0 || sink->failed) {
		sink->text[sink->length] = '\0';
		return;
	}
	sink->length += (size_t)length;
}

void evc_sink_pad(struct evc_sink *sink, int n)
{
	size_t length = n > 0 ? (size_t)n : 0;

	if (!reserve(sink, length))
		return;
	memset(sink->text + sink->length, ' ', length);
	sink->length += length;
	sink->text[sink->length] = '\0';
}

void evc_sink_clear(struct evc_sink *sink)
{
	sink->length = 0;
	if (sink->text)
		sink->text[0] = '\0';
}

void evc_sink_free(struct evc_sink *sink)
{
	free(sink->text);
	*sink = (struct evc_sink){ 0 };
}
