/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_BASE_ARENA_H
#define EVC_BASE_ARENA_H

/*
 * An arena: memory for what has no fixed length, one per command, request or test.
 * Everything taken from it lives until evc_arena_free.  Failure is sticky: after the first
 * failed allocation all further ones return NULL and evc_arena_failed says so, so a caller
 * that builds something checks once, at the end.
 */

#include <stdbool.h>
#include <stddef.h>

struct evc_arena_block;

struct evc_arena {
	struct evc_arena_block *head;
	size_t used; /* bytes handed out, for limits and statistics */
	bool failed;
};

/* size zeroed bytes, aligned for any object; NULL when memory is out. */
void *evc_arena_alloc(struct evc_arena *arena, size_t size);

/* n zeroed objects of size bytes each; refuses a product that overflows. */
void *evc_arena_array(struct evc_arena *arena, size_t n, size_t size);

/*
 * Room for one more behind n items of item bytes each, of an array that has room for *size: items itself, or
 * an array of twice the room (of first, to begin with) with the items in it and the rest zeroed.  What was
 * taken last grows where it is.  NULL when memory is out: items and *size stay as they are.
 */
void *evc_arena_room(struct evc_arena *arena, void *items, size_t n, size_t *size, size_t first, size_t item);

/* A copy of the first length bytes of text, terminated. */
char *evc_arena_string(struct evc_arena *arena, const char *text, size_t length);

/*
 * The same for a name from outside, which must not leave its line nor steer a terminal: '?' for each
 * control character.  The copy is UTF-8; what is not is taken for Latin-1.
 */
char *evc_arena_name(struct evc_arena *arena, const char *text, size_t length);

/* printf into the arena. */
char *evc_arena_printf(struct evc_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

bool evc_arena_failed(const struct evc_arena *arena);

/* Empty for the next of many like it: what was taken is gone, the newest block is kept for use again. */
void evc_arena_reset(struct evc_arena *arena);

/* Give everything back; the arena is empty and usable again. */
void evc_arena_free(struct evc_arena *arena);

#endif
