/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modes as values: the built-in ones, how they compare, and what they say of a cpu. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "text/modes.h"

#include <string.h>

static const struct evc_mode *mode(const char *name)
{
	const struct evc_mode *result = NULL;
	unsigned version;
	struct evc_error err;

	assert_int_equal(evc_modes_find(&evc_builtin_modes, evc_span_from(name), &result, &version, &err), 0);
	return result;
}

/* A cpu that has exactly these features and knows all others to be absent. */
static struct evc_cpu cpu_with(const struct evc_set *features, unsigned vendor)
{
	struct evc_cpu cpu = { .has = *features, .vendor = vendor, .vendor_id = "test" };

	memset(&cpu.known, 0xff, sizeof(cpu.known));
	return cpu;
}

static void has_the_25_modes_and_4_levels_in_order(void **state)
{
	static const char *const keys[] = {
		"intel-merom",
		"intel-penryn",
		"intel-nehalem",
		"intel-westmere",
		"intel-sandybridge",
		"intel-ivybridge",
		"intel-haswell",
		"intel-broadwell",
		"intel-skylake",
		"intel-cascadelake",
		"intel-icelake",
		"intel-sapphirerapids",
		"intel-graniterapids",
		"amd-rev-e",
		"amd-rev-f",
		"amd-greyhound-no3dnow",
		"amd-greyhound",
		"amd-bulldozer",
		"amd-piledriver",
		"amd-steamroller",
		"amd-zen",
		"amd-zen2",
		"amd-zen3",
		"amd-zen4",
		"amd-zen5",
		"x86-64-v1",
		"x86-64-v2",
		"x86-64-v3",
		"x86-64-v4",
	};

	(void)state;
	assert_int_equal(evc_builtin_modes.n, sizeof(keys) / sizeof(keys[0]));
	for (size_t i = 0; i < evc_builtin_modes.n; i++)
		assert_string_equal(evc_builtin_modes.items[i]->key, keys[i]);
}

static void orders_by_features_as_tracks_and_tiers_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < evc_builtin_modes.n; i++) {
		for (size_t k = 0; k < evc_builtin_modes.n; k++) {
			const struct evc_mode *a = evc_builtin_modes.items[i],
					      *b = evc_builtin_modes.items[k];

			if (strcmp(a->vendor, b->vendor) != 0)
				continue;
			if (evc_mode_covers(a, b) != evc_mode_ranks_above(a, b))
				fail_msg("%s and %s: features say %d, tracks say %d", a->key, b->key,
				         evc_mode_covers(a, b), evc_mode_ranks_above(a, b));
		}
	}
}

static void compares_modes(void **state)
{
	static const struct {
		const char *name, *a, *b;
		bool covers;
	} rows[] = {
		{ "a mode covers itself", "intel-haswell", "intel-haswell", true },
		{ "newer covers older", "intel-skylake", "intel-merom", true },
		{ "older does not cover newer", "intel-merom", "intel-skylake", false },
		{ "zen is not above bulldozer", "amd-zen", "amd-bulldozer", false },
		{ "zen is not above steamroller", "amd-zen", "amd-steamroller", false },
		{ "zen is above greyhound without 3dnow", "amd-zen", "amd-greyhound-no3dnow", true },
		{ "bulldozer is not above greyhound", "amd-bulldozer", "amd-greyhound", false },
		{ "greyhound is above its no3dnow sister", "amd-greyhound", "amd-greyhound-no3dnow", true },
		{ "greyhound is above rev-f", "amd-greyhound", "amd-rev-f", true },
		{ "greyhound without 3dnow is not above rev-f", "amd-greyhound-no3dnow", "amd-rev-f", false },
		{ "haswell includes x86-64-v3", "intel-haswell", "x86-64-v3", true },
		{ "haswell does not include x86-64-v4", "intel-haswell", "x86-64-v4", false },
		{ "a level for all is not above a vendor's mode", "x86-64-v4", "intel-merom", false },
		{ "no mode is above another vendor's", "intel-graniterapids", "amd-rev-e", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (evc_mode_covers(mode(rows[i].a), mode(rows[i].b)) != rows[i].covers)
			fail_msg("%s", rows[i].name);
}

/* However many features: what only Intel's CPUs may have is above what any may, and not the other way. */
static void a_mode_for_all_vendors_is_above_no_vendors_mode(void **state)
{
	struct evc_mode all = *mode("x86-64-v2"), one = all;

	(void)state;
	one.vendors = EVC_VENDOR_INTEL;
	assert_true(evc_mode_covers(&one, &all));
	assert_false(evc_mode_covers(&all, &one));
}

static void finds_modes_by_name_and_version(void **state)
{
	static const struct {
		const char *name, *key;
		unsigned version;
		const char *error;
	} rows[] = {
		{ .name = "intel-haswell", .key = "intel-haswell" },
		{ .name = "intel-haswell@2", .key = "intel-haswell", .version = 2 },
		{ .name = "INTEL_HASWELL", .key = "intel-haswell" },
		{ .name = "Intel.Haswell", .key = "intel-haswell" },
		{ .name = "intel-haswell@99", .error = "intel-haswell has versions 1 to 5, not 99" },
		{ .name = "intel-haswell@",
		  .error = "intel-haswell@: a version is a number from 1, as in intel-haswell@2" },
		{ .name = "intel-haswell@0",
		  .error = "intel-haswell@0: a version is a number from 1, as in intel-haswell@2" },
		{ .name = "intel-hasswell",
		  .error = "no mode is called intel-hasswell; did you mean intel-haswell?" },
		{ .name = "", .error = "no mode is called ; \"evc modes\" lists them" },
		{ .name = "x86-64", .error = "no mode is called x86-64; did you mean x86-64-v1?" },
		{ .name = "xeon", .error = "no mode is called xeon; \"evc modes\" lists them" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct evc_mode *found = NULL;
		struct evc_error err = { 0 };
		unsigned version = 0;
		int status = evc_modes_find(&evc_builtin_modes, evc_span_from(rows[i].name), &found, &version,
		                            &err);

		assert_int_equal(status, rows[i].error ? EVC_ERR_NAME : 0);
		if (rows[i].error) {
			assert_string_equal(err.text, rows[i].error);
			continue;
		}
		assert_string_equal(found->key, rows[i].key);
		assert_int_equal(version, rows[i].version);
	}
}

static void grows_from_version_to_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < evc_builtin_modes.n; i++) {
		const struct evc_mode *m = evc_builtin_modes.items[i];

		for (unsigned v = 1; v < m->n_versions; v++) {
			const struct evc_mode_version *a = &m->versions[v - 1], *b = &m->versions[v];

			assert_int_equal(b->number, a->number + 1);
			assert_true(evc_set_within(&a->features, &b->features));
			assert_false(evc_set_equals(&a->features, &b->features));
			assert_true(strcmp(a->since, b->since) < 0);
		}
	}
}

static void says_where_each_feature_comes_from(void **state)
{
	(void)state;
	for (size_t i = 0; i < evc_builtin_modes.n; i++) {
		const struct evc_mode *m = evc_builtin_modes.items[i], *by;
		const struct evc_set *all = &evc_mode_version(m, (unsigned)m->n_versions)->features;

		EVC_SET_FOREACH(id, all)
		if (!evc_mode_claim(m, id, &by))
			fail_msg("%s: %s comes from nowhere", m->key, evc_features[id].name);
	}
}

static void judges_a_cpu_by_what_is_missing_or_not_known(void **state)
{
	const struct evc_mode *haswell = mode("intel-haswell");
	struct evc_set all = evc_mode_version(haswell, 1)->features, lacks, unsure;
	struct evc_cpu cpu = cpu_with(&all, EVC_VENDOR_INTEL);

	(void)state;
	assert_int_equal(evc_mode_satisfied(haswell, 1, &cpu, &lacks, &unsure), EVC_YES);
	assert_true(evc_set_is_empty(&lacks) && evc_set_is_empty(&unsure));
	evc_set_drop(&cpu.known, EVC_F_AVX2);
	assert_int_equal(evc_mode_satisfied(haswell, 1, &cpu, &lacks, &unsure), EVC_UNKNOWN);
	assert_true(evc_set_has(&unsure, EVC_F_AVX2) && evc_set_count(&unsure) == 1);
	evc_set_drop(&cpu.has, EVC_F_AES);
	assert_int_equal(evc_mode_satisfied(haswell, 1, &cpu, &lacks, &unsure), EVC_NO);
	assert_true(evc_set_has(&lacks, EVC_F_AES) && evc_set_count(&lacks) == 1);
}

static void judges_the_vendor_first(void **state)
{
	struct evc_set all = evc_mode_version(mode("intel-haswell"), 1)->features;
	struct evc_cpu cpu = cpu_with(&all, EVC_VENDOR_AMD);

	(void)state;
	assert_int_equal(evc_mode_satisfied(mode("intel-haswell"), 1, &cpu, NULL, NULL), EVC_NO);
	assert_int_equal(evc_mode_satisfied(mode("x86-64-v3"), 1, &cpu, NULL, NULL), EVC_YES);
	cpu.vendor = EVC_VENDOR_OTHER;
	assert_int_equal(evc_mode_satisfied(mode("intel-haswell"), 1, &cpu, NULL, NULL), EVC_NO);
	cpu.vendor_id[0] = '\0';
	assert_int_equal(evc_mode_satisfied(mode("intel-haswell"), 1, &cpu, NULL, NULL), EVC_UNKNOWN);
	assert_int_equal(evc_mode_best_version(mode("intel-haswell"), &cpu), 0);
	cpu.vendor = EVC_VENDOR_AMD; /* by what else is known of it */
	assert_int_equal(evc_mode_satisfied(mode("intel-haswell"), 1, &cpu, NULL, NULL), EVC_NO);
}

static void version_0_is_the_first_and_one_too_high_the_last(void **state)
{
	const struct evc_mode *m = mode("intel-haswell");

	(void)state;
	assert_ptr_equal(evc_mode_version(m, 0), &m->versions[0]);
	assert_ptr_equal(evc_mode_version(m, 1), &m->versions[0]);
	assert_ptr_equal(evc_mode_version(m, (unsigned)m->n_versions), &m->versions[m->n_versions - 1]);
	assert_ptr_equal(evc_mode_version(m, (unsigned)m->n_versions + 1), &m->versions[m->n_versions - 1]);
}

static void finds_the_newest_version_without_a_gap(void **state)
{
	const struct evc_mode *haswell = mode("intel-haswell");
	struct evc_set all = evc_mode_version(haswell, 5)->features;
	struct evc_cpu cpu = cpu_with(&all, EVC_VENDOR_INTEL);

	(void)state;
	assert_int_equal(evc_mode_best_version(haswell, &cpu), 5);
	evc_set_drop(&cpu.has, EVC_F_SSBD);
	assert_int_equal(evc_mode_best_version(haswell, &cpu), 2);
	evc_set_drop(&cpu.has, EVC_F_AVX2);
	assert_int_equal(evc_mode_best_version(haswell, &cpu), 0);
}

static void finds_the_best_modes(void **state)
{
	static const struct {
		const char *features; /* a mode whose features the cpu has */
		unsigned vendor;
		const char *best[3];
	} rows[] = {
		{ "intel-haswell", EVC_VENDOR_INTEL, { "intel-haswell", "x86-64-v3" } },
		{ "intel-merom", EVC_VENDOR_INTEL, { "intel-merom", "x86-64-v1" } },
		{ "amd-zen3", EVC_VENDOR_AMD, { "amd-zen3", "x86-64-v3" } },
		{ "amd-steamroller", EVC_VENDOR_AMD, { "amd-steamroller", "x86-64-v2" } },
		{ "x86-64-v4", EVC_VENDOR_ZHAOXIN, { "x86-64-v4" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_set all = evc_mode_version(mode(rows[i].features), 1)->features;
		struct evc_cpu cpu = cpu_with(&all, rows[i].vendor);
		const struct evc_mode *best[3];
		size_t n = evc_modes_best(&evc_builtin_modes, &cpu, best, 3), wanted = 0;

		while (wanted < 3 && rows[i].best[wanted])
			wanted++;
		assert_int_equal(n, wanted);
		for (size_t k = 0; k < n; k++)
			assert_string_equal(best[k]->key, rows[i].best[k]);
	}
}

static void two_lines_of_amd_are_both_best(void **state)
{
	struct evc_set both = evc_set_or(&evc_mode_version(mode("amd-zen"), 1)->features,
	                                 &evc_mode_version(mode("amd-steamroller"), 1)->features);
	struct evc_cpu cpu = cpu_with(&both, EVC_VENDOR_AMD);
	const struct evc_mode *best[4];

	(void)state;
	assert_int_equal(evc_modes_best(&evc_builtin_modes, &cpu, best, 4), 3);
	assert_string_equal(best[0]->key, "amd-steamroller");
	assert_string_equal(best[1]->key, "amd-zen");
}

/* A bit that passes is nobody's to give or take, so no mode may sell it as its own. */
static void what_passes_is_in_every_mode_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < evc_builtin_modes.n; i++) {
		const struct evc_mode *m = evc_builtin_modes.items[i];
		struct evc_set both;

		if (!m->from || !m->from->from)
			continue;
		for (size_t v = 0; v < m->n_versions; v++) {
			both = evc_set_and(&m->versions[v].adds, &evc_builtin_modes.passes);
			EVC_SET_FOREACH(id, &both)
			fail_msg("%s adds %s, which passes", m->key, evc_features[id].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_25_modes_and_4_levels_in_order),
		cmocka_unit_test(orders_by_features_as_tracks_and_tiers_do),
		cmocka_unit_test(compares_modes),
		cmocka_unit_test(a_mode_for_all_vendors_is_above_no_vendors_mode),
		cmocka_unit_test(finds_modes_by_name_and_version),
		cmocka_unit_test(grows_from_version_to_version),
		cmocka_unit_test(says_where_each_feature_comes_from),
		cmocka_unit_test(judges_a_cpu_by_what_is_missing_or_not_known),
		cmocka_unit_test(judges_the_vendor_first),
		cmocka_unit_test(version_0_is_the_first_and_one_too_high_the_last),
		cmocka_unit_test(finds_the_newest_version_without_a_gap),
		cmocka_unit_test(finds_the_best_modes),
		cmocka_unit_test(two_lines_of_amd_are_both_best),
		cmocka_unit_test(what_passes_is_in_every_mode_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
