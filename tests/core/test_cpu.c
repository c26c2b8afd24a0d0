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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(these_have_the_rules_that_the_rows_are_about),
		cmocka_unit_test(a_zero_decides_and_a_one_decides_or),
		cmocka_unit_test(what_is_not_known_is_never_a_yes),
		cmocka_unit_test(a_field_is_known_of_both_or_of_neither),
		cmocka_unit_test(equal_unknowns_are_equal_only_for_equal_cpus),
	};

	return cmocka_run_group_tests_name("core/cpu", tests, NULL, NULL);
}
