/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/arena.h"

#include "base/span.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks double up to the larger size: a short command touches little, a long one asks seldom. */
enum { FIRST_BLOCK = 64 * 1024, LARGEST_BLOCK = 1024 * 1024, PAGES = 64 * 1024 };

struct evc_arena_block {
	struct evc_arena_block *next;
	size_t size;
	size_t used;
	size_t brought; /* bytes whose pages are there */
	alignas(max_align_t) char bytes[];
};

static struct evc_arena_block *add_block(struct evc_arena *arena, size_t size)
{
	size_t usual = arena->head ? arena->head->size * 2 : FIRST_BLOCK;
	size_t room;
	struct evc_arena_block *block;

	if (usual > LARGEST_BLOCK)
		usual = LARGEST_BLOCK;
	room = size > usual ? size : usual;
	block = malloc(sizeof(*block) + room);
	if (!block)
		return NULL;
	*block = (struct evc_arena_block){ .next = arena->head, .size = room };
	arena->head = block;
	return block;
}

/*
 * The pages of the next size bytes, and of some more: one by one, each costs an exception when it is touched,
 * in a virtual machine a dozen times as much.  A kernel before 5.14 does not know how, and nothing is lost.
 */
static void bring_pages(struct evc_arena_block *block, size_t size)
{
	size_t end = block->used + size;

	/* Of the first block a short command touches a part. */
	if (end <= block->brought || block->size <= FIRST_BLOCK)
		return;
	end = (end / PAGES + 1) * PAGES;
	if (end > block->size)
		end = block->size;
#ifdef MADV_POPULATE_WRITE
	char *first = block->bytes + block->brought;
	size_t before = (uintptr_t)first % 4096;

	(void)madvise(first - before, end - block->brought + before, MADV_POPULATE_WRITE);
#endif
	block->brought = end;
}

/* Bytes as they are handed out: whatever follows is aligned, too. */
static size_t rounded(size_t size)
{
	const size_t align = alignof(max_align_t);

	return (size + align - 1) / align * align;
}

void *evc_arena_alloc(struct evc_arena *arena, size_t size)
{
	struct evc_arena_block *block = arena->head;
	void *result;

	if (arena->failed || size > SIZE_MAX / 2) {
		arena->failed = true;
		return NULL;
	}
	size = rounded(size);
	if (!block || block->size - block->used < size)
		block = add_block(arena, size);
	if (!block) {
		arena->failed = true;
		return NULL;
	}
	bring_pages(block, size);
	result = block->bytes + block->used;
	block->used += size;
	arena->used += size;
	return memset(result, 0, size);
}

void *evc_arena_array(struct evc_arena *arena, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		arena->failed = true;
		return NULL;
	}
	return evc_arena_alloc(arena, bytes);
}

/* More bytes for what was taken last; false when it was not the last, or its block is full. */
static bool extend(struct evc_arena *arena, const void *taken, size_t bytes, size_t wanted)
{
	struct evc_arena_block *block = arena->head;
	size_t more = rounded(wanted) - rounded(bytes);

	if (!block || (const char *)taken + rounded(bytes) != block->bytes + block->used ||
	    block->size - block->used < more)
		return false;
	bring_pages(block, more);
	memset(block->bytes + block->used, 0, more);
	block->used += more;
	arena->used += more;
	return true;
}

void *evc_arena_room(struct evc_arena *arena, void *items, size_t n, size_t *size, size_t first, size_t item)
{
	size_t more = *size ? *size * 2 : first;
	void *bigger;

	if (n < *size)
		return items;
	if (more < SIZE_MAX / 2 / item && *size && extend(arena, items, *size * item, more * item)) {
		*size = more;
		return items;
	}
	bigger = evc_arena_array(arena, more, item);
	if (!bigger)
		return NULL;
	if (n)
		memcpy(bigger, items, n * item);
	*size = more;
	return bigger;
}

char *evc_arena_string(struct evc_arena *arena, const char *text, size_t length)
{
	char *copy = evc_arena_alloc(arena, length + 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}

char *evc_arena_name(struct evc_arena *arena, const char *text, size_t length)
{
	bool utf8 = evc_span_is_utf8((struct evc_span){ text, length });
	char *copy = evc_arena_alloc(arena, (utf8 ? length : 2 * length) + 1), *end = copy;

	for (size_t i = 0; copy && i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!utf8 && c >= 0x80) {
			*end++ = (char)(0xc0 | c >> 6);
			c = 0x80 | (c & 0x3f);
		}
		*end++ = (char)c;
	}
	if (copy)
		evc_span_tame((struct evc_span){ copy, (size_t)(end - copy) }, copy);
	return copy;
}

char *evc_arena_printf(struct evc_arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		return NULL;
	text = evc_arena_alloc(arena, (size_t)length + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)length + 1, format, args);
	va_end(args);
	return text;
}

bool evc_arena_failed(const struct evc_arena *arena)
{
	return arena->failed;
}

static void free_blocks(struct evc_arena_block *block)
{
	while (block) {
		struct evc_arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void evc_arena_reset(struct evc_arena *arena)
{
	struct evc_arena_block *kept = arena->head;

	if (kept) {
		free_blocks(kept->next);
		kept->next = NULL;
		kept->used = 0;
	}
	*arena = (struct evc_arena){ .head = kept };
}

void evc_arena_free(struct evc_arena *arena)
{
	free_blocks(arena->head);
	*arena = (struct evc_arena){ 0 };
}
