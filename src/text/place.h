/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_PLACE_H
#define EVC_TEXT_PLACE_H

/*
 * Places in JSON.  jansson tells where a text is not JSON, but not where a value stands that is
 * not what a reader wants.  A reader therefore keeps the steps from the top to where it is, and
 * only when something is wrong they are walked through the text once more, to its line and column.
 */

#include "base/error.h"
#include "base/span.h"

#include <jansson.h>

enum { EVC_MAX_STEPS = 8 };

/* One step from the top of an object to a value. */
struct evc_json_step {
	const char *key; /* of an object; NULL: an array's index */
	size_t index;
};

struct evc_json_place {
	struct evc_span text;  /* from the current object on */
	unsigned line, column; /* where it begins, from 1 */
	struct evc_error *err;
	struct evc_json_step steps[EVC_MAX_STEPS];
	int depth;
};

/* A byte order mark and blanks before the first object are dropped. */
struct evc_json_place evc_json_begin(struct evc_span text, struct evc_error *err);

/* The object at the front of the text, a new reference; NULL with err filled when it is not JSON. */
json_t *evc_json_load(struct evc_json_place *place, size_t *ret_length);

/* Go past the object and the blanks behind it. */
void evc_json_next(struct evc_json_place *place, size_t length);

void evc_json_enter(struct evc_json_place *place, const char *key, size_t index);
void evc_json_leave(struct evc_json_place *place);

/* Fail where the steps lead, or as near to it as there is something; returns the code. */
int evc_json_fail(const struct evc_json_place *place, const char *what);

/* The same for a member of where the steps lead. */
int evc_json_fail_in(struct evc_json_place *place, const char *key, const char *what);

/* An optional member that is a string, as jansson holds it; NULL: not there. */
int evc_json_string(struct evc_json_place *place, json_t *object, const char *key, const char **ret_text);

#endif
