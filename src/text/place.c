/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/place.h"

#include <string.h>

/* The next character that is not blank; text is known to be good JSON. */
static void skip_space(struct evc_span *at)
{
	while (at->length && strchr(" \t\r\n,:", at->text[0]) && at->text[0]) {
		at->text++;
		at->length--;
	}
}

static struct evc_span take_string(struct evc_span *at)
{
	struct evc_span inside = { .text = at->text + 1 };
	size_t i = 1;

	while (i < at->length && at->text[i] != '"')
		i += at->text[i] == '\\' ? 2 : 1;
	if (i >= at->length)
		i = at->length - 1;
	inside.length = i - 1;
	at->text += i + 1;
	at->length -= i + 1;
	return inside;
}

static void skip_value(struct evc_span *at)
{
	int depth = 0;

	do {
		skip_space(at);
		if (!at->length)
			return;
		if (at->text[0] == '"') {
			take_string(at);
			continue;
		}
		depth += at->text[0] == '{' || at->text[0] == '[';
		depth -= at->text[0] == '}' || at->text[0] == ']';
		at->text++;
		at->length--;
		while (at->length && !strchr(" \t\r\n,:{}[]\"", at->text[0]) && at->text[0]) {
			at->text++;
			at->length--;
		}
	} while (depth > 0);
}

/* From the value at *at into the member or element that step names; false when it is not there. */
static bool descend(struct evc_span *at, const struct evc_json_step *step)
{
	skip_space(at);
	if (!at->length || !strchr("{[", at->text[0]))
		return false;
	at->text++;
	at->length--;
	for (size_t i = 0;; i++) {
		skip_space(at);
		if (!at->length || strchr("}]", at->text[0]))
			return false;
		if (step->key) {
			bool found = evc_span_equals(take_string(at), step->key);

			skip_space(at);
			if (found)
				return true;
		} else if (i == step->index) {
			return true;
		}
		skip_value(at);
	}
}

int evc_json_fail(const struct evc_json_place *place, const char *what)
{
	struct evc_span at = place->text, deeper = at;
	unsigned line = place->line, column = place->column;

	for (int i = 0; i < place->depth && descend(&deeper, &place->steps[i]); i++)
		at = deeper;
	for (const char *c = place->text.text; c < at.text; c++) {
		column = *c == '\n' ? 1 : column + 1;
		line += *c == '\n';
	}
	return evc_fail_at(place->err, EVC_ERR_INPUT, line, column, "%s", what);
}

void evc_json_enter(struct evc_json_place *place, const char *key, size_t index)
{
	if (place->depth < EVC_MAX_STEPS)
		place->steps[place->depth++] = (struct evc_json_step){ .key = key, .index = index };
}

void evc_json_leave(struct evc_json_place *place)
{
	place->depth--;
}

int evc_json_fail_in(struct evc_json_place *place, const char *key, const char *what)
{
	evc_json_enter(place, key, 0);
	return evc_json_fail(place, what);
}

int evc_json_string(struct evc_json_place *place, json_t *object, const char *key, const char **ret_text)
{
	json_t *value = json_object_get(object, key);

	if (value && !json_is_string(value))
		return evc_json_fail_in(place, key, "expected a string");
	*ret_text = value ? json_string_value(value) : NULL;
	return EVC_OK;
}

/* Move past n bytes, counting lines and columns. */
static void advance(struct evc_json_place *place, size_t n)
{
	const char *from = place->text.text, *end = from + n, *newline;

	while (from < end && (newline = memchr(from, '\n', (size_t)(end - from)))) {
		from = newline + 1;
		place->line++;
		place->column = 1;
	}
	place->column += (unsigned)(end - from);
	evc_span_drop(&place->text, n);
}

void evc_json_next(struct evc_json_place *place, size_t length)
{
	struct evc_span rest;

	advance(place, length);
	rest = place->text;
	evc_span_skip_blanks(&rest);
	advance(place, place->text.length - rest.length);
	place->depth = 0;
}

struct evc_json_place evc_json_begin(struct evc_span text, struct evc_error *err)
{
	struct evc_json_place place = { .text = text, .line = 1, .column = 1, .err = err };

	evc_span_skip(&place.text, "\xef\xbb\xbf");
	evc_json_next(&place, 0);
	return place;
}

json_t *evc_json_load(struct evc_json_place *place, size_t *ret_length)
{
	json_error_t error;
	json_t *root = json_loadb(place->text.text, place->text.length,
	                          JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
	unsigned line = place->line, column = error.column > 0 ? (unsigned)error.column : 1;

	if (root) {
		*ret_length = (size_t)error.position;
		return root;
	}
	if (error.line > 1)
		line += (unsigned)error.line - 1;
	else
		column += place->column - 1;
	(void)evc_fail_at(place->err, EVC_ERR_INPUT, line, column, "expected JSON: %s", error.text);
	return NULL;
}
