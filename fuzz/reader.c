/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One fuzz target for each reader; EVC_FUZZ_FORMAT names the form.  Whatever is read must come
 * back from every form that can be written, and whatever is refused must say why and where.
 */
#include "roundtrip.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *wrong)
{
	if (!*wrong)
		return;
	fprintf(stderr, "%s\n", wrong);
	abort();
}

static void check_error(const struct evc_error *err)
{
	if (!err->text[0])
		check("an error without a text");
	if (err->code != EVC_ERR_INPUT && err->code != EVC_ERR_LIMIT)
		check("an error of another kind than input and limit");
	if (err->column && !err->line)
		check("a column without a line");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evc_span text = { .text = (const char *)data, .length = size };
	const struct evc_format *format = &EVC_FUZZ_FORMAT;
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };

	format->recognise(text);
	if (format->read(text, "host", &arena, &hosts, &err) < 0) {
		check_error(&err);
		hosts.n = 0;
	}
	for (size_t i = 0; i < hosts.n; i++)
		for (size_t f = 0; f < evc_n_formats; f++)
			if (evc_formats[f]->write)
				check(roundtrip(evc_formats[f], &hosts.items[i], &arena));
	evc_arena_free(&arena);
	return 0;
}
