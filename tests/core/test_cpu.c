/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules on three truths: what is known of neither, one or both, merged and compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/check.h"

#include <string.h>

#define AND EVC_F_AVX2
#define OR EVC_F_RSBA

/* A cpu of which all but one feature is known to be absent. */
static struct evc_cpu cpu_with(enum evc_feature_id id, enum evc_truth truth)
{
	struct evc_cpu cpu = { .vendor = EVC_VENDOR_INTEL,
		               .vendor_id = "GenuineIntel",
		               .identified = true,
		               .signature = 0x306f2,
		               .microcode = 0x49 };

	memset(&cpu.known, 0xff, sizeof(cpu.known));
	if (truth == EVC_PRESENT)
		evc_set_add(&cpu.has, id);
	if (truth == EVC_UNSURE)
		evc_set_drop(&cpu.known, id);
	return cpu;
}

static void these_have_the_rules_that_the_rows_are_about(void **state)
{
	(void)state;
	assert_int_equal(evc_features[AND].rule, EVC_RULE_AND);
	assert_int_equal(evc_features[OR].rule, EVC_RULE_OR);
	assert_int_equal(evc_features[EVC_F_PHYS_ADDR_BITS].rule, EVC_RULE_MIN);
}

static void a_zero_decides_and_a_one_decides_or(void **state)
{
	static const struct {
		enum evc_feature_id id;
		enum evc_truth a, b, merged;
	} rows[] = {
		{ .id = AND, .a = EVC_PRESENT, .b = EVC_PRESENT, .merged = EVC_PRESENT },
		{ .id = AND, .a = EVC_PRESENT, .b = EVC_ABSENT, .merged = EVC_ABSENT },
		{ .id = AND, .a = EVC_PRESENT, .b = EVC_UNSURE, .merged = EVC_UNSURE },
		{ .id = AND, .a = EVC_ABSENT, .b = EVC_UNSURE, .merged = EVC_ABSENT },
		{ .id = AND, .a = EVC_UNSURE, .b = EVC_UNSURE, .merged = EVC_UNSURE },
		{ .id = OR, .a = EVC_PRESENT, .b = EVC_ABSENT, .merged = EVC_PRESENT },
		{ .id = OR, .a = EVC_ABSENT, .b = EVC_ABSENT, .merged = EVC_ABSENT },
		{ .id = OR, .a = EVC_PRESENT, .b = EVC_UNSURE, .merged = EVC_PRESENT },
		{ .id = OR, .a = EVC_ABSENT, .b = EVC_UNSURE, .merged = EVC_UNSURE },
		{ .id = OR, .a = EVC_UNSURE, .b = EVC_UNSURE, .merged = EVC_UNSURE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_cpu a = cpu_with(rows[i].id, rows[i].a), b = cpu_with(rows[i].id, rows[i].b);
		struct evc_cpu first = a, second = b;

		evc_cpu_merge(&first, &b);
		evc_cpu_merge(&second, &a);
		assert_int_equal(evc_cpu_truth(&first, rows[i].id), rows[i].merged);
		assert_int_equal(evc_cpu_truth(&second, rows[i].id), rows[i].merged);
	}
}

static void what_is_not_known_is_never_a_yes(void **state)
{
	static const struct {
		enum evc_feature_id id;
		enum evc_truth guest, host;
		enum evc_verdict verdict;
	} rows[] = {
		{ .id = AND, .guest = EVC_PRESENT, .host = EVC_PRESENT, .verdict = EVC_YES },
		{ .id = AND, .guest = EVC_PRESENT, .host = EVC_ABSENT, .verdict = EVC_NO },
		{ .id = AND, .guest = EVC_PRESENT, .host = EVC_UNSURE, .verdict = EVC_UNKNOWN },
		{ .id = AND, .guest = EVC_ABSENT, .host = EVC_UNSURE, .verdict = EVC_YES },
		{ .id = AND, .guest = EVC_UNSURE, .host = EVC_PRESENT, .verdict = EVC_YES },
		{ .id = AND, .guest = EVC_UNSURE, .host = EVC_ABSENT, .verdict = EVC_UNKNOWN },
		{ .id = AND, .guest = EVC_UNSURE, .host = EVC_UNSURE, .verdict = EVC_UNKNOWN },
		{ .id = OR, .guest = EVC_PRESENT, .host = EVC_PRESENT, .verdict = EVC_YES },
		{ .id = OR, .guest = EVC_PRESENT, .host = EVC_ABSENT, .verdict = EVC_YES },
		{ .id = OR, .guest = EVC_PRESENT, .host = EVC_UNSURE, .verdict = EVC_YES },
		{ .id = OR, .guest = EVC_ABSENT, .host = EVC_PRESENT, .verdict = EVC_NO },
		{ .id = OR, .guest = EVC_ABSENT, .host = EVC_UNSURE, .verdict = EVC_UNKNOWN },
		{ .id = OR, .guest = EVC_UNSURE, .host = EVC_PRESENT, .verdict = EVC_UNKNOWN },
		{ .id = OR, .guest = EVC_UNSURE, .host = EVC_ABSENT, .verdict = EVC_YES },
		{ .id = OR, .guest = EVC_UNSURE, .host = EVC_UNSURE, .verdict = EVC_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_cpu guest = cpu_with(rows[i].id, rows[i].guest),
			       host = cpu_with(rows[i].id, rows[i].host);

		assert_int_equal(evc_cpu_fits(&guest, &host, NULL), rows[i].verdict);
	}
}

static void a_field_is_known_of_both_or_of_neither(void **state)
{
	struct evc_cpu known = cpu_with(EVC_F_PHYS_ADDR_BITS, EVC_PRESENT),
		       unsure = cpu_with(EVC_F_PHYS_ADDR_BITS, EVC_UNSURE), merged = known;
	uint64_t value;

	(void)state;
	known.value[evc_features[EVC_F_PHYS_ADDR_BITS].slot] = 46;
	evc_cpu_merge(&merged, &unsure);
	assert_false(evc_cpu_value(&merged, EVC_F_PHYS_ADDR_BITS, &value));
	assert_int_equal(evc_cpu_fits(&known, &unsure, NULL), EVC_UNKNOWN);
	assert_int_equal(evc_cpu_fits(&unsure, &known, NULL), EVC_UNKNOWN);
}

/* The unknown is taken as equal only where nothing that is known tells the two apart. */
static void equal_unknowns_are_equal_only_for_equal_cpus(void **state)
{
	struct evc_cpu guest = cpu_with(AND, EVC_UNSURE), other;

	(void)state;
	assert_int_equal(evc_check_fits_from(&guest, NULL, &guest, NULL), EVC_YES);
	other = guest;
	other.microcode = 0x4a;
	assert_int_equal(evc_check_fits_from(&guest, NULL, &other, NULL), EVC_UNKNOWN);
	other = guest;
	other.signature = 0x306f4;
	assert_int_equal(evc_check_fits_from(&guest, NULL, &other, NULL), EVC_UNKNOWN);
	other = guest;
	strcpy(other.vendor_id, "GenuineIotel");
	assert_int_equal(evc_check_fits_from(&guest, NULL, &other, NULL), EVC_UNKNOWN);
	other = guest;
	other.identified = false;
	assert_int_equal(evc_check_fits_from(&guest, NULL, &other, NULL), EVC_UNKNOWN);
}

static struct evc_cpu cpu_with_field(enum evc_feature_id id, uint64_t value)
{
	struct evc_cpu cpu = cpu_with(id, value ? EVC_PRESENT : EVC_ABSENT);

	cpu.value[evc_features[id].slot] = value;
	return cpu;
}

static void fields_merge_and_fit_by_their_rules(void **state)
{
	static const struct {
		enum evc_feature_id id;
		uint64_t guest, host, merged;
		enum evc_verdict fits;
		bool differs;
	} rows[] = {
		{ .id = EVC_F_PHYS_ADDR_BITS, .guest = 46, .host = 46, .merged = 46, .fits = EVC_YES },
		{ .id = EVC_F_PHYS_ADDR_BITS, .guest = 46, .host = 39, .merged = 39, .fits = EVC_NO },
		{ .id = EVC_F_PHYS_ADDR_BITS, .guest = 39, .host = 46, .merged = 39, .fits = EVC_YES },
		{ .id = EVC_F_PHYS_ADDR_BITS, .guest = 39, .host = 0, .merged = 0, .fits = EVC_NO },
		{ .id = EVC_F_MIN_SEV_ASID_NO_SEV_ES, .guest = 5, .host = 9, .merged = 9, .fits = EVC_NO },
		{ .id = EVC_F_MIN_SEV_ASID_NO_SEV_ES, .guest = 9, .host = 5, .merged = 9, .fits = EVC_YES },
		{ .id = EVC_F_MIN_SEV_ASID_NO_SEV_ES, .guest = 9, .host = 9, .merged = 9, .fits = EVC_YES },
		{ .id = EVC_F_PMU_FCOUNTERS_BITMAP, .guest = 7, .host = 5, .merged = 5, .fits = EVC_NO },
		{ .id = EVC_F_PMU_FCOUNTERS_BITMAP, .guest = 5, .host = 7, .merged = 5, .fits = EVC_YES },
		{ .id = EVC_F_PMU_FCOUNTERS_BITMAP, .guest = 1, .host = 2, .merged = 0, .fits = EVC_NO },
		{ .id = EVC_F_XSTATE_SIZE_AVX, .guest = 256, .host = 256, .merged = 256, .fits = EVC_YES },
		{ .id = EVC_F_XSTATE_SIZE_AVX,
		  .guest = 256,
		  .host = 64,
		  .merged = 256,
		  .fits = EVC_NO,
		  .differs = true },
		{ .id = EVC_F_XSTATE_SIZE_AVX,
		  .guest = 64,
		  .host = 256,
		  .merged = 256,
		  .fits = EVC_NO,
		  .differs = true },
		/* zero is not there, which its component says */
		{ .id = EVC_F_XSTATE_SIZE_AVX, .guest = 0, .host = 256, .merged = 256, .fits = EVC_YES },
		{ .id = EVC_F_XSTATE_SIZE_AVX, .guest = 256, .host = 0, .merged = 256, .fits = EVC_YES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_cpu guest = cpu_with_field(rows[i].id, rows[i].guest),
			       host = cpu_with_field(rows[i].id, rows[i].host), merged = guest;
		struct evc_misfit misfit;
		uint64_t value;

		assert_int_equal(evc_cpu_fits(&guest, &host, &misfit), rows[i].fits);
		assert_int_equal(evc_set_has(&misfit.outside, rows[i].id), rows[i].fits == EVC_NO);
		evc_cpu_merge(&merged, &host);
		assert_true(evc_cpu_value(&merged, rows[i].id, &value));
		assert_int_equal(value, rows[i].merged);
		assert_int_equal(evc_set_has(&merged.has, rows[i].id), value != 0);
		assert_int_equal(evc_set_has(&merged.differs, rows[i].id), rows[i].differs);
	}
}

static void cpus_of_one_vendor_are_merged_to_that_vendor(void **state)
{
	struct evc_cpu a = cpu_with(AND, EVC_PRESENT), b = a, other = a;

	(void)state;
	evc_cpu_merge(&a, &b);
	assert_int_equal(a.vendor, EVC_VENDOR_INTEL);
	assert_string_equal(a.vendor_id, "GenuineIntel");
	other.vendor = EVC_VENDOR_AMD;
	strcpy(other.vendor_id, "AuthenticAMD");
	evc_cpu_merge(&a, &other);
	assert_int_equal(a.vendor, EVC_VENDOR_OTHER);
	assert_string_equal(a.vendor_id, "");
}

static void what_lost_its_need_is_dropped_and_told_and_what_is_not_known_loses_none(void **state)
{
	struct evc_cpu cpu = cpu_with_field(EVC_F_AVX10_VERSION, 2);
	struct evc_set dropped;

	(void)state;
	evc_set_add(&cpu.has, EVC_F_AVX512_VNNI);
	evc_set_drop(&cpu.known, EVC_F_AVX512F);
	evc_cpu_close(&cpu, &dropped);
	assert_false(evc_set_has(&dropped, EVC_F_AVX512_VNNI));
	assert_true(evc_set_has(&dropped, EVC_F_AVX10_VERSION)); /* avx10 is known to be absent */
	assert_false(evc_set_has(&cpu.has, EVC_F_AVX10_VERSION));
	assert_int_equal(cpu.value[evc_features[EVC_F_AVX10_VERSION].slot], 0);
	evc_set_add(&cpu.known, EVC_F_AVX512F);
	evc_cpu_close(&cpu, &dropped);
	assert_true(evc_set_has(&dropped, EVC_F_AVX512_VNNI));
	assert_false(evc_set_has(&dropped, EVC_F_AVX10_VERSION));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(these_have_the_rules_that_the_rows_are_about),
		cmocka_unit_test(a_zero_decides_and_a_one_decides_or),
		cmocka_unit_test(what_is_not_known_is_never_a_yes),
		cmocka_unit_test(a_field_is_known_of_both_or_of_neither),
		cmocka_unit_test(equal_unknowns_are_equal_only_for_equal_cpus),
		cmocka_unit_test(fields_merge_and_fit_by_their_rules),
		cmocka_unit_test(cpus_of_one_vendor_are_merged_to_that_vendor),
		cmocka_unit_test(what_lost_its_need_is_dropped_and_told_and_what_is_not_known_loses_none),
	};

	return cmocka_run_group_tests_name("core/cpu", tests, NULL, NULL);
}
