/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arenas: arrays that grow keep what is in them, are zeroed behind it, and take no more than they need. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N = 10000 };

/* Fill an array of n numbers one by one; the room behind each has to be zero. */
static uint64_t *fill(struct evc_arena *arena, size_t n, size_t *ret_size, bool between)
{
	uint64_t *items = NULL;
	size_t size = 0;

	for (size_t i = 0; i < n; i++) {
		items = evc_arena_room(arena, items, i, &size, 3, sizeof(*items));
		assert_non_null(items);
		assert_true(size > i);
		assert_int_equal(items[size - 1], 0);
		items[i] = i + 1;
		if (between)
			evc_arena_alloc(arena, 1);
	}
	*ret_size = size;
	return items;
}

static void last_array_grows_in_place(void **state)
{
	struct evc_arena arena = { 0 };
	size_t size, used;
	uint64_t *items;

	(void)state;
	items = fill(&arena, 1000, &size, false);
	used = arena.used;
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(items[i], i + 1);
	assert_in_range(used, size * sizeof(*items), size * sizeof(*items) + 16);
	evc_arena_free(&arena);
}

static void array_with_others_behind_it_moves(void **state)
{
	struct evc_arena arena = { 0 };
	size_t size;
	uint64_t *items;

	(void)state;
	items = fill(&arena, N, &size, true);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(items[i], i + 1);
	evc_arena_free(&arena);
}

/* Blocks end: an array of megabytes goes on in a block of its own. */
static void large_array_goes_over_blocks(void **state)
{
	struct evc_arena arena = { 0 };
	size_t size;
	uint64_t *items;

	(void)state;
	items = fill(&arena, 40 * N, &size, false);
	for (size_t i = 0; i < 40 * N; i += 999)
		assert_int_equal(items[i], i + 1);
	evc_arena_free(&arena);
}

static void room_without_memory_is_none(void **state)
{
	struct evc_arena arena = { 0 };
	size_t size = SIZE_MAX / 16;
	uint64_t item = 0;

	(void)state;
	assert_null(evc_arena_room(&arena, &item, size, &size, 1, sizeof(item)));
	assert_int_equal(size, SIZE_MAX / 16);
	assert_true(evc_arena_failed(&arena));
	evc_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_array_grows_in_place),
		cmocka_unit_test(array_with_others_behind_it_moves),
		cmocka_unit_test(large_array_goes_over_blocks),
		cmocka_unit_test(room_without_memory_is_none),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
