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
#include <string.h>

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
/*
 * Copy to ret_text (of the same length, may be the span's own memory) with '?' for each control character:
 * those of ASCII and the second bytes of U+0080..U+009F, which terminals take for ESC and a letter.
 */
void evc_span_tame(struct evc_span span, char *ret_text);

/* Well-formed, without surrogates, up to U+10FFFF. */
bool evc_span_is_utf8(struct evc_span span);

/* UTF-8 without control characters: what evc_arena_name would not change. */
bool evc_span_is_tame(struct evc_span span);

bool evc_span_same(struct evc_span a, struct evc_span b);
/* Is it one of the words, by blanks, of a text? */
bool evc_span_has_word(struct evc_span text, struct evc_span word);
bool evc_span_equals(struct evc_span span, const char *text);
bool evc_span_equals_nocase(struct evc_span span, const char *text);

/*
 * Order of names as people type them, where QEMU says sse4.1 and Linux sse4_1: upper and lower case are
 * alike, and so are '-', '_' and '.'.  Below, above or 0.
 */
int evc_span_compare_name(struct evc_span name, const char *other);

/* What readers of dumps do for every few characters is inline. */
static inline bool evc_is_blank(char c)
{
	/* \t \n \v \f \r are in a row. */
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline void evc_span_drop(struct evc_span *span, size_t n)
{
	span->text += n;
	span->length -= n;
}

static inline bool evc_span_starts(struct evc_span span, const char *prefix)
{
	size_t n = strlen(prefix);

	return n <= span.length && !memcmp(span.text, prefix, n);
}

/* Drop prefix from the front of *span when it is there; says whether it was. */
static inline bool evc_span_skip(struct evc_span *span, const char *prefix)
{
	if (!evc_span_starts(*span, prefix))
		return false;
	evc_span_drop(span, strlen(prefix));
	return true;
}

static inline void evc_span_skip_blanks(struct evc_span *span)
{
	while (span->length && evc_is_blank(span->text[0]))
		evc_span_drop(span, 1);
}

/* The value of a hexadecimal digit, more than 15 when it is none. */
static inline unsigned evc_hex_digit(char c)
{
	unsigned digit = (unsigned)c - '0', letter = ((unsigned)c | 0x20) - 'a';

	return digit < 10 ? digit : letter < 6 ? letter + 10 : 16;
}

/* 1 to 16 hexadecimal digits from the front of *span; false and nothing taken if there is none or too many.
 */
static inline bool evc_span_hex(struct evc_span *span, uint64_t *ret_value)
{
	uint64_t value = 0;
	unsigned digit;
	size_t n = 0;

	for (; n < span->length && (digit = evc_hex_digit(span->text[n])) < 16; n++) {
		if (n == 16)
			return false;
		value = value << 4 | digit;
	}
	if (!n)
		return false;
	evc_span_drop(span, n);
	*ret_value = value;
	return true;
}

/* Decimal digits from the front of *span; false on none or overflow. */
bool evc_span_decimal(struct evc_span *span, uint64_t *ret_value);

/* A whole span that is one number: 0x hexadecimal or decimal, at most max. */
bool evc_span_number(struct evc_span span, uint64_t max, uint64_t *ret_value);

#endif
