/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/format.h"

#include <string.h>

/* In the order of recognition: those that cannot be mistaken first. */
const struct evc_format *const evc_formats[] = {
	&evc_format_firecracker, &evc_format_json, /* whatever else begins with a brace: it says what is
	                                              missing */
	&evc_format_libvirt,     &evc_format_libcpuid, &evc_format_aida64,
	&evc_format_kcpuid,      &evc_format_probe, /* it holds the next two */
	&evc_format_cpuinfo,     &evc_format_cpuid,
};

const size_t evc_n_formats = sizeof(evc_formats) / sizeof(evc_formats[0]);

const struct evc_format *evc_format_find(const char *name)
{
	for (size_t i = 0; i < evc_n_formats; i++)
		if (!strcmp(evc_formats[i]->name, name))
			return evc_formats[i];
	return NULL;
}

const struct evc_format *evc_format_recognise(struct evc_span text)
{
	for (size_t i = 0; i < evc_n_formats; i++)
		if (evc_formats[i]->recognise && evc_formats[i]->recognise(text))
			return evc_formats[i];
	return NULL;
}

void evc_hosts_add(struct evc_hosts *hosts, struct evc_arena *arena, const struct evc_host *host)
{
	struct evc_host *items =
		evc_arena_room(arena, hosts->items, hosts->n, &hosts->size, 1, sizeof(*items));
	const char *name;

	if (!items)
		return;
	hosts->items = items;
	hosts->items[hosts->n++] = *host;
	if (evc_span_is_tame(evc_span_from(host->name)))
		return;
	name = evc_arena_name(arena, host->name, strlen(host->name));
	items[hosts->n - 1].name = name ? name : "?";
}

static size_t put_utf8(char *to, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint32_t marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 0; c >>= 6)
		to[i] = (char)(i ? 0x80 | (c & 0x3f) : marks[n] | c);
	return n;
}

/* Windows writes text as UTF-16 where PowerShell redirects a dumper's output; a byte order mark says so. */
static bool from_utf16(struct evc_span *text, struct evc_arena *arena)
{
	const unsigned char *from = (const unsigned char *)text->text;
	bool little = evc_span_starts(*text, "\xff\xfe");
	uint32_t high = 0;
	size_t length = 0;
	char *to;

	if (!little && !evc_span_starts(*text, "\xfe\xff"))
		return true;
	to = evc_arena_alloc(arena, text->length / 2 * 3 + 1);
	if (!to)
		return false;
	for (size_t i = 2; i + 1 < text->length; i += 2) {
		uint32_t c =
			little ? from[i] | (uint32_t)from[i + 1] << 8 : from[i + 1] | (uint32_t)from[i] << 8;

		if (high && c >> 10 == 0x37)
			c = 0x10000 + ((high & 0x3ff) << 10 | (c & 0x3ff));
		high = c >> 10 == 0x36 ? c : 0;
		if (!high)
			length += put_utf8(to + length, c >> 11 == 0x1b ? '?' : c);
	}
	*text = (struct evc_span){ to, length };
	return true;
}

int evc_hosts_read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *hosts,
                   struct evc_error *err)
{
	const struct evc_format *format;
	struct evc_error error = { 0 };
	int status;

	if (!from_utf16(&text, arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	format = evc_format_recognise(text);
	if (format)
		status = format->read(text, name, arena, hosts, &error);
	else if (!evc_span_trim(text).length)
		status = evc_fail(&error, EVC_ERR_INPUT, "there is nothing in it");
	else
		status = evc_fail(&error, EVC_ERR_INPUT, "not a CPUID dump of any form that evc reads");
	if (status == EVC_OK)
		return EVC_OK;
	evc_hosts_add(hosts, arena,
	              &(struct evc_host){
			      .name = evc_arena_string(arena, name, strlen(name)),
			      .format = format ? format->name : "",
			      .reading = EVC_DAMAGED,
			      .error = error,
		      });
	if (err)
		*err = error;
	return status;
}
