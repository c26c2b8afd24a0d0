/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TESTS_ARENA_H
#define EVC_TESTS_ARENA_H

/* The memory of a whole test program; free_arena is the teardown of its group. */

#include "base/arena.h"

static struct evc_arena arena;

static int free_arena(void **state)
{
	(void)state;
	evc_arena_free(&arena);
	return 0;
}

#endif
