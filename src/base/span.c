/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/span.h"

#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct evc_span evc_span_from(const char *text)
{
	return (struct evc_span){ .text = text, .length = strlen(text) };
}

bool evc_span_line(struct evc_span *rest, struct evc_span *ret_line)
{
	const char *end;
	size_t length;

	if (!rest->length)
		return false;
	end = memchr(rest->text, '\n', rest->length);
	length = end ? (size_t)(end - rest->text) : rest->length;
	*ret_line = (struct evc_span){ .text = rest->text, .length = length };
	evc_span_drop(rest, end ? length + 1 : length);
	if (ret_line->length && ret_line->text[ret_line->length - 1] == '\r')
		ret_line->length--;
	return true;
}

bool evc_span_word(struct evc_span *rest, struct evc_span *ret_word)
{
	size_t n = 0;

	evc_span_skip_blanks(rest);
	while (n < rest->length && !evc_is_blank(rest->text[n]))
		n++;
	*ret_word = (struct evc_span){ .text = rest->text, .length = n };
	evc_span_drop(rest, n);
	return n > 0;
}

struct evc_span evc_span_trim(struct evc_span span)
{
	evc_span_skip_blanks(&span);
	while (span.length && evc_is_blank(span.text[span.length - 1]))
		span.length--;
	return span;
}

/* Of ASCII, or the second byte of U+0080..U+009F. */
static bool is_control(struct evc_span span, size_t i)
{
	unsigned char c = (unsigned char)span.text[i];

	return c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0 && i && span.text[i - 1] == '\xc2');
}

void evc_span_tame(struct evc_span span, char *ret_text)
{
	for (size_t i = 0; i < span.length; i++) {
		bool latin = is_control(span, i) && (span.text[i] & 0x80);
		char c = is_control(span, i) ? '?' : span.text[i];

		if (latin)
			ret_text[i - 1] = '?';
		ret_text[i] = c;
	}
}

/* Bytes of the well-formed character at the start of the span; 0: there is none. */
static size_t utf8_length(struct evc_span span)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)span.text[0];
	size_t n = first < 0x80   ? 1
	           : first < 0xc2 ? 0
	           : first < 0xe0 ? 2
	           : first < 0xf0 ? 3
	           : first < 0xf5 ? 4
	                          : 0;
	uint32_t value = n > 1 ? first & (0x7fU >> n) : first;

	if (n > span.length)
		return 0;
	for (size_t i = 1; i < n; i++) {
		unsigned char c = (unsigned char)span.text[i];

		if ((c & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (c & 0x3f);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return n;
}

bool evc_span_is_utf8(struct evc_span span)
{
	while (span.length) {
		size_t n = utf8_length(span);

		if (!n)
			return false;
		evc_span_drop(&span, n);
	}
	return true;
}

bool evc_span_is_tame(struct evc_span span)
{
	if (!evc_span_is_utf8(span))
		return false;
	for (size_t i = 0; i < span.length; i++)
		if (is_control(span, i))
			return false;
	return true;
}

bool evc_span_same(struct evc_span a, struct evc_span b)
{
	return a.length == b.length && !memcmp(a.text, b.text, a.length);
}

bool evc_span_has_word(struct evc_span text, struct evc_span word)
{
	struct evc_span one;

	while (evc_span_word(&text, &one))
		if (evc_span_same(one, word))
			return true;
	return false;
}

bool evc_span_equals(struct evc_span span, const char *text)
{
	/* Most comparisons end at the first character, so no strlen first. */
	for (size_t i = 0; i < span.length; i++)
		if (!text[i] || text[i] != span.text[i])
			return false;
	return !text[span.length];
}

bool evc_span_equals_nocase(struct evc_span span, const char *text)
{
	for (size_t i = 0; i < span.length; i++)
		if (!text[i] || lower(span.text[i]) != lower(text[i]))
			return false;
	return !text[span.length];
}

static int folded(char c)
{
	return c == '_' || c == '.' ? '-' : (unsigned char)lower(c);
}

int evc_span_compare_name(struct evc_span name, const char *other)
{
	for (size_t i = 0; i < name.length; i++) {
		int order = folded(name.text[i]) - folded(other[i]);

		if (order || !other[i])
			return order ? order : 1;
	}
	return other[name.length] ? -1 : 0;
}

bool evc_span_decimal(struct evc_span *span, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t n = 0;

	while (n < span->length && span->text[n] >= '0' && span->text[n] <= '9') {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(span->text[n] - '0'), &value))
			return false;
		n++;
	}
	if (!n)
		return false;
	evc_span_drop(span, n);
	*ret_value = value;
	return true;
}

bool evc_span_number(struct evc_span span, uint64_t max, uint64_t *ret_value)
{
	bool hex = evc_span_skip(&span, "0x") || evc_span_skip(&span, "0X");
	uint64_t value;

	if (hex ? !evc_span_hex(&span, &value) : !evc_span_decimal(&span, &value))
		return false;
	if (span.length || value > max)
		return false;
	*ret_value = value;
	return true;
}
