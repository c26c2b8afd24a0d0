/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_BASE_SPAN_H
#define EVC_BASE_SPAN_H

/*
 * A span: text that is borrowed, with its length, never terminated.  Parsers walk spans and
 * numbers are read strictly: all of the span or nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evc_span {
	const char *text;
	size_t length;
};

struct evc_span evc_span_from(const char *text);

/* The next line of *rest without its line end (LF or CRLF); false when nothing is left. */
bool evc_span_line(struct evc_span *rest, struct evc_span *ret_line);

/* The next word of *rest (blanks and tabs separate); false when nothing is left. */
bool evc_span_word(struct evc_span *rest, struct evc_span *ret_word);

struct evc_span evc_span_trim(struct evc_span span);
bool evc_span_equals(struct evc_span span, const char *text);
bool evc_span_equals_nocase(struct evc_span span, const char *text);
bool evc_span_starts(struct evc_span span, const char *prefix);

/* Drop prefix from the front of *span when it is there; says whether it was. */
bool evc_span_skip(struct evc_span *span, const char *prefix);
void evc_span_skip_blanks(struct evc_span *span);

/* 1 to 16 hexadecimal digits from the front of *span; false and nothing taken if there is none or too many.
 */
bool evc_span_hex(struct evc_span *span, uint64_t *ret_value);

/* Decimal digits from the front of *span; false on none or overflow. */
bool evc_span_decimal(struct evc_span *span, uint64_t *ret_value);

/* A whole span that is one number: 0x hexadecimal or decimal, at most max. */
bool evc_span_number(struct evc_span span, uint64_t max, uint64_t *ret_value);

#endif
