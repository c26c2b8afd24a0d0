/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who says what is JSON is jansson, and its words are what a user reads of a text that is none.  But it looks
 * at each character several times and allocates each key, and a dump is a few hundred short strings: reading
 * took longer than all that was then done with them.
 *
 * So a plain text is read here: objects and arrays that are not deep, whole numbers of few digits, strings of
 * printable ASCII without a backslash.  What is not plain, whether it is wrong or only rare, is given up at
 * once and left to jansson from its beginning; so this file knows no message and no rule for what it does not
 * read, and what it does read jansson would read as the same.
 */
#include "text/json_tree.h"

enum {
	DEPTH = 16,
	DIGITS = 18,   /* below 2^63 */
	FEW = 8,       /* keys that are compared pair by pair */
	MEMBERS = 512, /* of one object */
	SLOTS = 1024,  /* a power of two, more than there are members */
};

struct plain {
	const char *at, *end;
	struct evc_arena *arena;
	int depth;
};

static void skip_space(struct plain *plain)
{
	while (plain->at < plain->end &&
	       (*plain->at == ' ' || *plain->at == '\n' || *plain->at == '\r' || *plain->at == '\t'))
		plain->at++;
}

/* The next character that is not blank; NUL at the end. */
static char peek(struct plain *plain)
{
	skip_space(plain);
	return plain->at < plain->end ? *plain->at : '\0';
}

static bool take(struct plain *plain, char c)
{
	if (peek(plain) != c)
		return false;
	plain->at++;
	return true;
}

static bool take_string(struct plain *plain, struct evc_span *ret_text)
{
	const char *at, *end = plain->end;

	if (!take(plain, '"'))
		return false;
	for (at = plain->at; at < end && *at != '"'; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at > '~' || *at == '\\')
			return false;
	if (at == end)
		return false;
	*ret_text = (struct evc_span){ plain->at, (size_t)(at - plain->at) };
	plain->at = at + 1;
	return true;
}

/* What stands behind a number or a word; anything else makes it another one. */
static bool is_over(struct plain *plain)
{
	char c = peek(plain);

	return c == ',' || c == '}' || c == ']';
}

static bool take_integer(struct plain *plain, int64_t *ret_integer)
{
	bool negative = take(plain, '-');
	const char *first = plain->at;
	int64_t value = 0;

	while (plain->at < plain->end && *plain->at >= '0' && *plain->at <= '9' && plain->at - first < DIGITS)
		value = value * 10 + (*plain->at++ - '0');
	if (plain->at == first || (*first == '0' && plain->at - first > 1) || !is_over(plain))
		return false;
	*ret_integer = negative ? -value : value;
	return true;
}

static bool take_word(struct plain *plain, struct evc_json_value *value)
{
	struct evc_span rest = { plain->at, (size_t)(plain->end - plain->at) };

	if (evc_span_skip(&rest, "true"))
		value->kind = EVC_JSON_TRUE;
	else if (evc_span_skip(&rest, "false"))
		value->kind = EVC_JSON_FALSE;
	else if (evc_span_skip(&rest, "null"))
		value->kind = EVC_JSON_OTHER;
	else
		return false;
	plain->at = rest.text;
	return is_over(plain);
}

static bool same_key(const struct evc_json_value *a, const struct evc_json_value *b)
{
	return a->key.length == b->key.length && !memcmp(a->key.text, b->key.text, a->key.length);
}

static size_t slot_of(struct evc_span key)
{
	uint32_t hash = (uint32_t)key.length;

	for (size_t i = 0; i < key.length; i++)
		hash = (hash ^ (unsigned char)key.text[i]) * UINT32_C(0x01000193);
	return (hash ^ hash >> 15) & (SLOTS - 1);
}

/* No key twice, as far as that can be told here.  Not inlined: its table would be there once for each level.
 */
__attribute__((noinline)) static bool are_different(const struct evc_json_value *first, size_t n)
{
	const struct evc_json_value *slots[SLOTS];

	if (n > MEMBERS)
		return false;
	if (n <= FEW) {
		for (const struct evc_json_value *a = first; a; a = a->next)
			for (const struct evc_json_value *b = a->next; b; b = b->next)
				if (same_key(a, b))
					return false;
		return true;
	}
	memset(slots, 0, sizeof(slots));
	for (const struct evc_json_value *a = first; a; a = a->next) {
		size_t slot = slot_of(a->key);

		for (; slots[slot]; slot = (slot + 1) & (SLOTS - 1))
			if (same_key(slots[slot], a))
				return false;
		slots[slot] = a;
	}
	return true;
}

static struct evc_json_value *take_value(struct plain *plain);

/* The inside of an object or array, and its end. */
static bool take_inside(struct plain *plain, struct evc_json_value *value, char end)
{
	struct evc_json_value **last = &value->first;
	size_t n = 0;

	plain->at++;
	if (++plain->depth > DEPTH)
		return false;
	for (; n ? take(plain, ',') : peek(plain) != end; n++) {
		struct evc_span key = { 0 };

		if (value->kind == EVC_JSON_OBJECT && (!take_string(plain, &key) || !take(plain, ':')))
			return false;
		*last = take_value(plain);
		if (!*last)
			return false;
		(*last)->key = key;
		last = &(*last)->next;
	}
	plain->depth--;
	return take(plain, end) && (value->kind == EVC_JSON_ARRAY || are_different(value->first, n));
}

/* NULL: it is not plain, or there is no memory, which the arena remembers. */
static struct evc_json_value *take_value(struct plain *plain)
{
	struct evc_json_value *value = evc_arena_alloc(plain->arena, sizeof(*value));
	char c = peek(plain);
	bool taken;

	if (!value)
		return NULL;
	if (c == '{' || c == '[') {
		value->kind = c == '{' ? EVC_JSON_OBJECT : EVC_JSON_ARRAY;
		taken = take_inside(plain, value, c == '{' ? '}' : ']');
	} else if (c == '"') {
		value->kind = EVC_JSON_STRING;
		taken = take_string(plain, &value->text);
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		value->kind = EVC_JSON_INTEGER;
		taken = take_integer(plain, &value->integer);
	} else {
		taken = take_word(plain, value);
	}
	return taken ? value : NULL;
}

/* ---- what jansson read ---- */

static struct evc_span copy(const char *text, size_t length, struct evc_arena *arena)
{
	const char *kept = evc_arena_string(arena, text, length);

	return (struct evc_span){ kept, kept ? length : 0 };
}

static struct evc_json_value *from_jansson(json_t *json, struct evc_arena *arena);

static struct evc_json_value **append(struct evc_json_value **last, json_t *json, struct evc_arena *arena)
{
	*last = from_jansson(json, arena);
	return *last ? &(*last)->next : last;
}

static struct evc_json_value *from_jansson(json_t *json, struct evc_arena *arena)
{
	struct evc_json_value *value = evc_arena_alloc(arena, sizeof(*value)), **last;
	const char *key;
	json_t *item;
	size_t i;

	if (!value)
		return NULL;
	last = &value->first;
	value->kind = EVC_JSON_OTHER;
	if (json_is_object(json)) {
		value->kind = EVC_JSON_OBJECT;
		json_object_foreach(json, key, item)
		{
			struct evc_json_value **place = last;

			last = append(last, item, arena);
			if (*place)
				(*place)->key = copy(key, strlen(key), arena);
		}
	} else if (json_is_array(json)) {
		value->kind = EVC_JSON_ARRAY;
		json_array_foreach(json, i, item) last = append(last, item, arena);
	} else if (json_is_string(json)) {
		value->kind = EVC_JSON_STRING;
		value->text = copy(json_string_value(json), json_string_length(json), arena);
	} else if (json_is_integer(json)) {
		value->kind = EVC_JSON_INTEGER;
		value->integer = json_integer_value(json);
	} else if (json_is_boolean(json)) {
		value->kind = json_is_true(json) ? EVC_JSON_TRUE : EVC_JSON_FALSE;
	}
	return value;
}

const struct evc_json_value *evc_json_tree(struct evc_json_place *place, struct evc_arena *arena,
                                           size_t *ret_length)
{
	struct plain plain = { .at = place->text.text,
		               .end = place->text.text + place->text.length,
		               .arena = arena };
	const struct evc_json_value *value = NULL;
	json_t *json;

	if (plain.at < plain.end && (*plain.at == '{' || *plain.at == '['))
		value = take_value(&plain);
	if (value) {
		*ret_length = (size_t)(plain.at - place->text.text);
	} else {
		json = evc_json_load(place, ret_length);
		if (!json)
			return NULL;
		value = from_jansson(json, arena);
		json_decref(json);
	}
	if (evc_arena_failed(arena)) {
		(void)evc_fail(place->err, EVC_ERR_MEMORY, "out of memory");
		return NULL;
	}
	return value;
}

const struct evc_json_value *evc_json_member(const struct evc_json_value *object, const char *key)
{
	if (!evc_json_is(object, EVC_JSON_OBJECT))
		return NULL;
	for (const struct evc_json_value *member = object->first; member; member = member->next)
		if (evc_span_equals(member->key, key))
			return member;
	return NULL;
}
