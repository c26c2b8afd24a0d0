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
