/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_JSON_TREE_H
#define EVC_TEXT_JSON_TREE_H

/*
 * A JSON text as a tree of values in an arena, for the form of which there may be very many (text/json.c).
 * Strings are borrowed from the text where they stand there as they are meant.
 */

#include "base/arena.h"
#include "text/place.h"

#include <stdbool.h>
#include <stdint.h>

enum evc_json_kind {
	EVC_JSON_OBJECT,
	EVC_JSON_ARRAY,
	EVC_JSON_STRING,
	EVC_JSON_INTEGER,
	EVC_JSON_TRUE,
	EVC_JSON_FALSE,
	EVC_JSON_OTHER, /* null, and numbers that are not whole */
};

struct evc_json_value {
	enum evc_json_kind kind;
	struct evc_span key;          /* of a member */
	struct evc_json_value *next;  /* behind it in its object or array */
	struct evc_json_value *first; /* of an object or array, NULL: it is empty */
	struct evc_span text;         /* of a string */
	int64_t integer;
};

/*
 * The object or array at the front of the place's text; NULL with its err filled when it is not JSON, has a
 * key twice, or there is no memory.
 */
const struct evc_json_value *evc_json_tree(struct evc_json_place *place, struct evc_arena *arena,
                                           size_t *ret_length);

/* A member by its key; NULL when there is none, or the value is no object (or NULL). */
const struct evc_json_value *evc_json_member(const struct evc_json_value *object, const char *key);

static inline bool evc_json_is(const struct evc_json_value *value, enum evc_json_kind kind)
{
	return value && value->kind == kind;
}

#endif
