/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 5, 0))) static void fill(struct evc_error *err, enum evc_code code,
                                                       unsigned line, unsigned column, const char *format,
                                                       va_list args)
{
	if (!err)
		return;
	err->code = code;
	err->line = line;
	err->column = column;
	err->origin[0] = '\0';
	vsnprintf(err->text, sizeof(err->text), format, args);
}

int(evc_fail)(struct evc_error *err, enum evc_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, 0, 0, format, args);
	va_end(args);
	return code;
}

int(evc_fail_at)(struct evc_error *err, enum evc_code code, unsigned line, unsigned column,
                 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, line, column, format, args);
	va_end(args);
	return code;
}

void evc_error_set_origin(struct evc_error *err, const char *origin)
{
	if (err && origin)
		snprintf(err->origin, sizeof(err->origin), "%s", origin);
}

char *evc_error_format(const struct evc_error *err, char *buf, size_t size)
{
	char place[160] = "";

	if (err->origin[0] && err->line && err->column)
		snprintf(place, sizeof(place), "%s:%u:%u: ", err->origin, err->line, err->column);
	else if (err->origin[0] && err->line)
		snprintf(place, sizeof(place), "%s:%u: ", err->origin, err->line);
	else if (err->origin[0])
		snprintf(place, sizeof(place), "%s: ", err->origin);
	else if (err->line)
		snprintf(place, sizeof(place), "line %u: ", err->line);
	snprintf(buf, size, "%s%s", place, err->text);
	return buf;
}

enum evc_verdict evc_verdict_worse(enum evc_verdict a, enum evc_verdict b)
{
	if (a == EVC_NO || b == EVC_NO)
		return EVC_NO;
	return a == EVC_UNKNOWN ? a : b;
}

const char *evc_verdict_name(enum evc_verdict verdict)
{
	switch (verdict) {
	case EVC_YES:
		return "yes";
	case EVC_NO:
		return "no";
	case EVC_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

int evc_verdict_exit(enum evc_verdict verdict)
{
	return verdict == EVC_YES ? 0 : 1;
}

int evc_code_exit(enum evc_code code)
{
	switch (code) {
	case EVC_OK:
		return 0;
	case EVC_ERR_USAGE:
	case EVC_ERR_NAME:
		return 2;
	case EVC_ERR_INPUT:
	case EVC_ERR_LIMIT:
		return 3;
	case EVC_ERR_IO:
		return 4;
	case EVC_ERR_UNSUPPORTED:
		return 5;
	case EVC_ERR_MEMORY:
		return 6;
	}
	return 3;
}
