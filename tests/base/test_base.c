/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every layer rests on: exit statuses, names and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/nearest.h"
#include "base/span.h"

static void exit_statuses_are_those_of_the_manual(void **state)
{
	static const struct {
		enum evc_code code;
		int status;
	} rows[] = {
		{ .code = EVC_OK, .status = 0 },
		{ .code = EVC_ERR_USAGE, .status = 2 },
		{ .code = EVC_ERR_NAME, .status = 2 },
		{ .code = EVC_ERR_INPUT, .status = 3 },
		{ .code = EVC_ERR_LIMIT, .status = 3 },
		{ .code = EVC_ERR_IO, .status = 4 },
		{ .code = EVC_ERR_UNSUPPORTED, .status = 5 },
		{ .code = EVC_ERR_MEMORY, .status = 6 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(evc_code_exit(rows[i].code), rows[i].status);
	assert_int_equal(evc_verdict_exit(EVC_YES), 0);
	assert_int_equal(evc_verdict_exit(EVC_NO), 1);
	assert_int_equal(evc_verdict_exit(EVC_UNKNOWN), 1);
}

static void no_is_worse_than_unknown_and_unknown_than_yes(void **state)
{
	static const enum evc_verdict order[] = { EVC_YES, EVC_UNKNOWN, EVC_NO };

	(void)state;
	for (int a = 0; a < 3; a++)
		for (int b = 0; b < 3; b++)
			assert_int_equal(evc_verdict_worse(order[a], order[b]), order[a > b ? a : b]);
}

static void names_are_compared_as_people_type_them(void **state)
{
	static const struct evc_span torn = { .text = "avx2\0x", .length = 6 };
	static const struct {
		const char *name, *other;
		int order; /* below 0, above 0 or 0 */
	} rows[] = {
		{ .name = "avx2", .other = "AVX2" },
		{ .name = "SSE4.1", .other = "sse4_1" },
		{ .name = "sse4-1", .other = "sse4.1" },
		{ .name = "avx", .other = "avx2", .order = -1 },
		{ .name = "avx2", .other = "avx", .order = 1 },
		{ .name = "", .other = "avx", .order = -1 },
		{ .name = "b", .other = "a", .order = 1 },
		{ .name = "\xff", .other = "z", .order = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int order = evc_span_compare_name(evc_span_from(rows[i].name), rows[i].other);

		assert_int_equal((order > 0) - (order < 0), rows[i].order);
	}
	assert_true(evc_span_compare_name(torn, "avx2") > 0);
}

static void a_name_that_is_not_there_is_near_at_most_one(void **state)
{
	static const char *const words[] = { "intel-haswell", "intel-westmere", "amd-zen", "amd-zen2",
		                             "level" };
	static const struct {
		const char *name, *nearest;
	} rows[] = {
		{ .name = "intel-haswel", .nearest = "intel-haswell" },
		{ .name = "INTEL-HASWEL", .nearest = "intel-haswell" },
		{ .name = "haswell", .nearest = "intel-haswell" },
		{ .name = "Zen2", .nearest = "amd-zen2" },
		{ .name = "amd-zen3", .nearest = "amd-zen" }, /* the first of two that are as near */
		{ .name = "lvl", .nearest = "level" },
		{ .name = "leevl", .nearest = "level" },
		{ .name = "xy" },
		{ .name = "" },
		{ .name = "estmere" }, /* a part begins behind a hyphen */
		{ .name = "0123456789012345678901234567890123456789012345678901234567890123456789" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_nearest nearest = { .name = evc_span_from(rows[i].name) };

		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			evc_nearest_offer(&nearest, words[w]);
		if (!rows[i].nearest)
			assert_null(nearest.word);
		else
			assert_string_equal(nearest.word, rows[i].nearest);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_statuses_are_those_of_the_manual),
		cmocka_unit_test(no_is_worse_than_unknown_and_unknown_than_yes),
		cmocka_unit_test(names_are_compared_as_people_type_them),
		cmocka_unit_test(a_name_that_is_not_there_is_near_at_most_one),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
