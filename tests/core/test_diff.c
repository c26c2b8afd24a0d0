/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Differences between real machines, and what does not count as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/diff.h"
#include "core/machines.h"
#include "text/modes.h"

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

/* The published pair: the mode took eight features, the model and the level, and nothing else. */
static void a_mode_took_eight_features_from_the_same_machine(void **state)
{
	static const struct {
		enum evc_feature_id id;
		const char *step;
	} lost[] = {
		{ EVC_F_RDSEED, "intel-broadwell" },   { EVC_F_ADX, "intel-broadwell" },
		{ EVC_F_SMAP, "intel-broadwell" },     { EVC_F_3DNOWPREFETCH, "intel-broadwell" },
		{ EVC_F_CLFLUSHOPT, "intel-skylake" }, { EVC_F_XSAVEC, "intel-skylake" },
		{ EVC_F_XSAVES, "intel-skylake" },     { EVC_F_XGETBV1, "intel-cascadelake" },
	};
	struct evc_cpu a = machine("../story/kabylake"), b = machine("../story/kabylake-haswell");
	struct evc_diff diff;
	unsigned version;

	(void)state;
	evc_diff_make(&a, &b, &evc_builtin_modes, &diff);
	assert_int_equal(evc_set_count(&diff.parts[EVC_DIFF_FEATURES].only_a), 8);
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		const struct evc_mode *step =
			evc_diff_step(&evc_builtin_modes, a.vendor, lost[i].id, &version);

		assert_true(evc_set_has(&diff.parts[EVC_DIFF_FEATURES].only_a, lost[i].id));
		assert_non_null(step);
		assert_string_equal(step->key, lost[i].step);
		assert_int_equal(version, 1);
	}
	for (int group = 0; group < EVC_DIFF_IDLE; group++)
		assert_true(evc_set_is_empty(&diff.parts[group].only_b) &&
		            evc_set_is_empty(&diff.parts[group].changed));
	assert_true(diff.identity);
	assert_int_equal(a.model, 142);
	assert_int_equal(b.model, 63);
	assert_int_equal(a.max_basic, 22);
	assert_int_equal(b.max_basic, 13);
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
		cmocka_unit_test(a_mode_took_eight_features_from_the_same_machine),
		cmocka_unit_test(features_are_said_on_the_side_that_has_them),
		cmocka_unit_test(unknown_is_not_absent),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
