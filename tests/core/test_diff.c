/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Differences between real machines, and what does not count as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/diff.h"
#include "core/machines.h"

static struct evc_arena arena;

static int teardown(void **state)
{
	(void)state;
	evc_arena_free(&arena);
	return 0;
}

static struct evc_cpu machine(const char *name)
{
	struct evc_cpu cpu;

	assert_true(machine_read(name, &arena, &cpu));
	return cpu;
}

static void a_machine_is_the_same_as_itself(void **state)
{
	struct evc_cpu a = machine("intel-haswell-2xxeon-e5-2680v3");
	struct evc_diff diff;

	(void)state;
	evc_diff_make(&a, &a, NULL, &diff);
	assert_true(diff.same);
	assert_false(diff.identity);
}

static void apic_ids_and_osxsave_are_idle(void **state)
{
	struct evc_cpu a = machine("intel-haswell-2xxeon-e5-2680v3"), b = a;
	struct evc_diff diff;

	(void)state;
	evc_set_add(&a.has, EVC_F_OSXSAVE);
	evc_set_drop(&b.has, EVC_F_OSXSAVE);
	evc_diff_make(&a, &b, NULL, &diff);
	assert_true(diff.same);
	assert_true(evc_set_has(&diff.parts[EVC_DIFF_IDLE].only_a, EVC_F_OSXSAVE));
}

static void features_are_said_on_the_side_that_has_them(void **state)
{
	struct evc_cpu a = machine("intel-skylake-2xxeon6140");
	struct evc_cpu b = machine("intel-haswell-2xxeon-e5-2680v3");
	struct evc_diff diff;

	(void)state;
	evc_diff_make(&a, &b, NULL, &diff);
	assert_false(diff.same);
	assert_true(diff.identity);
	assert_true(evc_set_has(&diff.parts[EVC_DIFF_FEATURES].only_a, EVC_F_AVX512F));
	assert_false(evc_set_has(&diff.parts[EVC_DIFF_FEATURES].only_b, EVC_F_AVX512F));
	assert_true(evc_set_has(&diff.parts[EVC_DIFF_FEATURES].changed, EVC_F_PMU_VERSION));
}

static void unknown_is_not_absent(void **state)
{
	struct evc_cpu a = machine("intel-haswell-2xxeon-e5-2680v3"), b = a;
	struct evc_diff diff;

	(void)state;
	evc_set_drop(&b.has, EVC_F_AVX2);
	evc_set_drop(&b.known, EVC_F_AVX2);
	evc_diff_make(&a, &b, NULL, &diff);
	assert_false(diff.same);
	assert_true(evc_set_has(&diff.parts[EVC_DIFF_FEATURES].unsure_b, EVC_F_AVX2));
	assert_false(evc_set_has(&diff.parts[EVC_DIFF_FEATURES].only_a, EVC_F_AVX2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_is_the_same_as_itself),
		cmocka_unit_test(apic_ids_and_osxsave_are_idle),
		cmocka_unit_test(features_are_said_on_the_side_that_has_them),
		cmocka_unit_test(unknown_is_not_absent),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
