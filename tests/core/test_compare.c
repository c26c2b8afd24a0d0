/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest saw held against what was predicted: what may differ, what may not, and who did it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/compare.h"
#include "core/machines.h"
#include "core/vcpu.h"
#include "text/modes.h"

#include <string.h>

/* The published guest at intel-haswell: a vCPU that somebody really saw. */
static struct evc_dump predicted(void)
{
	struct evc_host host;

	assert_true(corpus_host("story/kabylake-haswell", &arena, &host));
	return host.cpus[0];
}

/* The dump with a field of it set to a value. */
static struct evc_dump with(const struct evc_dump *dump, enum evc_feature_id id, uint64_t value)
{
	struct evc_bit bit = evc_features[id].bit;
	struct evc_dump_builder builder;
	struct evc_dump result;
	struct evc_leaf leaf;
	uint64_t known;

	evc_dump_begin(&builder, &arena);
	evc_dump_copy(&builder, dump);
	if (bit.reg == EVC_MSR) {
		uint64_t old = evc_dump_register(dump, bit.leaf, 0, EVC_MSR, &known);

		evc_dump_set_msr(&builder, bit.leaf, (old & ~evc_bit_mask(bit)) | value << bit.lo,
		                 UINT64_MAX);
	} else {
		evc_dump_leaf(dump, bit.leaf, bit.subleaf, &leaf);
		leaf.value[bit.reg] =
			(leaf.value[bit.reg] & ~(uint32_t)evc_bit_mask(bit)) | (uint32_t)(value << bit.lo);
		evc_dump_set_leaf(&builder, bit.leaf, bit.subleaf, leaf.value);
	}
	assert_int_equal(evc_dump_finish(&builder, &result, NULL), EVC_OK);
	return result;
}

static struct evc_comparison compare(struct evc_compare *question, struct evc_findings *findings)
{
	struct evc_comparison comparison;

	question->subject = "the guest";
	question->mode = "intel-haswell";
	question->modes = &evc_builtin_modes;
	findings->arena = &arena;
	assert_int_equal(evc_compare_make(question, &arena, &comparison, findings, NULL), EVC_OK);
	return comparison;
}

static void the_same_dump_differs_in_nothing(void **state)
{
	struct evc_dump dump = predicted();
	struct evc_compare question = { .predicted = &dump, .seen = &dump, .by = EVC_BY_KVM };
	struct evc_findings findings = { 0 };
	struct evc_comparison comparison = compare(&question, &findings);

	(void)state;
	assert_int_equal(comparison.n, 0);
	assert_int_equal(findings.n, 0);
	assert_true(comparison.n_leaves > 20);
	assert_true(evc_set_has(&comparison.proved, EVC_F_AVX2));
	assert_false(evc_set_has(&comparison.proved, EVC_F_ADX));
}

enum { MAY = -1 }; /* instead of a kind of finding */

static const struct row {
	const char *name;
	enum evc_feature_id id;
	uint64_t value; /* that the guest sees; the prediction has another */
	enum evc_started_by by;
	bool os;
	bool asked;  /* KVM was asked what it shows */
	bool lacked; /* the accelerator is known not to have it */
	int kind;
	enum evc_severity severity;
	enum evc_cause cause;
} rows[] = {
	/* clang-format off */
	{ "a hidden feature that is seen was leaked by KVM", EVC_F_ADX, 1, EVC_BY_KVM, false, true, false, EVC_FINDING_LEAKED, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "a promised feature that is not seen blocks", EVC_F_AVX2, 0, EVC_BY_KVM, false, true, false, EVC_FINDING_UNSEEN, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "without anybody else it is our error", EVC_F_AVX2, 0, EVC_BY_KVM, false, false, false, EVC_FINDING_UNSEEN, EVC_BLOCKS, EVC_CAUSE_OURS },
	{ "QEMU may have hidden it", EVC_F_AVX2, 0, EVC_BY_QEMU, true, false, false, EVC_FINDING_UNSEEN, EVC_BLOCKS, EVC_CAUSE_QEMU_ADDS },
	{ "what the accelerator lacks is reduced", EVC_F_AVX2, 0, EVC_BY_TCG, true, false, true, EVC_FINDING_REDUCED, EVC_WARNING, EVC_CAUSE_ACCELERATOR },
	{ "what the accelerator lacks and shows is leaked", EVC_F_ADX, 1, EVC_BY_TCG, true, false, true, EVC_FINDING_LEAKED, EVC_BLOCKS, EVC_CAUSE_QEMU_ADDS },
	{ "another stepping is no matter of features", EVC_F_STEPPING, 7, EVC_BY_QEMU, true, false, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_QEMU_ADDS },
	{ "another highest leaf is wrong", EVC_F_MAX_STD_LEAF, 0x16, EVC_BY_KVM, false, true, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "another brand string is wrong", EVC_F_CPU_BRANDID_3, 0x41414141, EVC_BY_QEMU, true, false, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_QEMU_ADDS },
	{ "protection keys are not on where they are hidden", EVC_F_OSPKE, 1, EVC_BY_QEMU, true, false, false, EVC_FINDING_LEAKED, EVC_BLOCKS, EVC_CAUSE_QEMU_ADDS },
	{ "a kernel may not have switched XSAVE on", EVC_F_OSXSAVE, 0, EVC_BY_QEMU, true, false, false, MAY, EVC_NOTE, EVC_CAUSE_GUEST },
	{ "the size of what is on is the guest's affair", EVC_F_XSAVE_SZ_XCR0, 0x240, EVC_BY_KVM, false, true, false, MAY, EVC_NOTE, EVC_CAUSE_GUEST },
	{ "a size larger than all states is wrong", EVC_F_XSAVE_SZ_XCR0, 0x1000, EVC_BY_KVM, false, true, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "the size of all states is not the guest's affair", EVC_F_XSAVE_SZ_MAX, 0xa80, EVC_BY_KVM, false, true, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "QEMU gives out its own APIC ids", EVC_F_LOCAL_APIC_ID, 3, EVC_BY_QEMU, true, false, false, MAY, EVC_NOTE, EVC_CAUSE_QEMU_ADDS },
	{ "KVM alone does not", EVC_F_LOCAL_APIC_ID, 3, EVC_BY_KVM, false, true, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "QEMU describes its own caches", EVC_F_CACHE_LINESIZE, 5, EVC_BY_QEMU, true, false, false, MAY, EVC_NOTE, EVC_CAUSE_QEMU_ADDS },
	{ "KVM alone does not describe caches", EVC_F_CACHE_LINESIZE, 5, EVC_BY_KVM, false, true, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "QEMU states the extensions of MWAIT", EVC_F_MWAIT_EXT, 1, EVC_BY_TCG, true, false, false, MAY, EVC_NOTE, EVC_CAUSE_QEMU_ADDS },
	{ "QEMU repeats the vendor for every vendor", EVC_F_E_VENDORID_0, 0x756e6547, EVC_BY_QEMU, true, false, false, MAY, EVC_NOTE, EVC_CAUSE_QEMU_ADDS },
	{ "another vendor than leaf 0's is not repeated", EVC_F_E_VENDORID_0, 0x68747541, EVC_BY_QEMU, true, false, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_QEMU_ADDS },
	{ "KVM alone repeats nothing", EVC_F_E_VENDORID_1, 0x49656e69, EVC_BY_KVM, false, true, false, EVC_FINDING_VALUE, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	{ "an MSR counts like a leaf", EVC_F_RDCL_NO, 1, EVC_BY_KVM, false, true, false, EVC_FINDING_LEAKED, EVC_BLOCKS, EVC_CAUSE_OVERRIDE },
	/* clang-format on */
};

/* The prediction has the field otherwise than the guest of the row sees it. */
static struct evc_dump row_predicted(const struct row *row)
{
	struct evc_dump dump = predicted();
	bool known;
	uint64_t value;

	if (evc_features[row->id].bit.reg == EVC_MSR)
		return with(&dump, row->id, !row->value);
	value = evc_dump_get(&dump, evc_features[row->id].bit, &known);
	assert_true(known);
	return value == row->value ? with(&dump, row->id, !row->value) : dump;
}

static void a_difference_has_its_cause(void **state)
{
	const struct row *row = *state;
	struct evc_dump dump = row_predicted(row), seen = with(&dump, row->id, row->value);
	struct evc_set lacking = { 0 };
	struct evc_findings findings = { 0 };
	struct evc_compare question = { .predicted = &dump,
		                        .seen = &seen,
		                        .shown = row->asked ? &dump : NULL,
		                        .lacking = &lacking,
		                        .by = row->by,
		                        .os = row->os };
	struct evc_comparison comparison;

	if (row->lacked)
		evc_set_add(&lacking, row->id);
	comparison = compare(&question, &findings);
	assert_int_equal(comparison.n, 1);
	assert_int_equal(comparison.differences[0].feature, row->id);
	assert_int_equal(comparison.differences[0].cause, row->cause);
	assert_int_equal(comparison.n_may_be, row->kind == MAY);
	assert_int_equal(findings.n, row->kind != MAY);
	if (row->kind == MAY) {
		assert_true(strlen(comparison.differences[0].why) > 0);
		return;
	}
	assert_int_equal(findings.items[0].kind, row->kind);
	assert_int_equal(findings.items[0].severity, row->severity);
	assert_int_equal(findings.items[0].cause, row->cause);
	assert_int_equal(evc_set_has(&comparison.reduced, row->id), row->kind == EVC_FINDING_REDUCED);
	assert_false(evc_set_has(&comparison.proved, row->id));
}

static void what_nobody_saw_is_neither_right_nor_wrong(void **state)
{
	struct evc_dump dump = predicted(), seen = { 0 };
	struct evc_compare question = { .predicted = &dump, .seen = &seen, .by = EVC_BY_KVM };
	struct evc_findings findings = { 0 };
	struct evc_comparison comparison = compare(&question, &findings);

	(void)state;
	assert_int_equal(comparison.n, 0);
	assert_int_equal(comparison.n_leaves, 0);
	assert_true(comparison.n_not_seen > 10);
	assert_true(evc_set_is_empty(&comparison.proved));
}

static void bits_without_a_name_are_told_by_their_place(void **state)
{
	struct evc_dump dump = predicted(), seen;
	struct evc_dump_builder builder;
	struct evc_leaf leaf;
	struct evc_findings findings = { 0 };
	struct evc_compare question = { .predicted = &dump, .seen = &seen, .by = EVC_BY_KVM };
	struct evc_comparison comparison;

	(void)state;
	/* Nobody has named anything in this register. */
	evc_dump_leaf(&dump, 9, 0, &leaf);
	leaf.value[EVC_EDX] ^= 0x80000000;
	evc_dump_begin(&builder, &arena);
	evc_dump_copy(&builder, &dump);
	evc_dump_set_leaf(&builder, 9, 0, leaf.value);
	assert_int_equal(evc_dump_finish(&builder, &seen, NULL), EVC_OK);
	comparison = compare(&question, &findings);
	assert_int_equal(comparison.n, 1);
	assert_int_equal(comparison.differences[0].feature, EVC_N_FEATURES);
	assert_int_equal(findings.items[0].kind, EVC_FINDING_VALUE);
	assert_string_equal(findings.items[0].detail, "9.0:edx[31:0]");
}

/* What kvm_pvm did on the machine where it was found: leaf 1 kept its signature, features came from the host.
 */
static void a_kvm_that_overrides_is_named_by_leaf(void **state)
{
	struct evc_dump given = predicted(), shown = given;
	struct evc_findings findings = { .arena = &arena };

	(void)state;
	shown = with(&shown, EVC_F_ADX, 1);
	shown = with(&shown, EVC_F_RDSEED, 1);
	shown = with(&shown, EVC_F_BMI2, 0);
	assert_int_equal(evc_compare_read_back(&given, &shown, &arena, &findings, NULL), EVC_OK);
	assert_int_equal(findings.n, 1);
	assert_int_equal(findings.items[0].kind, EVC_FINDING_OVERRIDES);
	assert_int_equal(findings.items[0].severity, EVC_BLOCKS);
	assert_string_equal(findings.items[0].other, "leaf 7");
	assert_string_equal(findings.items[0].detail, "shows rdseed adx though hidden; hides bmi2");
}

static void a_kvm_that_overrides_two_leaves_is_named_twice(void **state)
{
	struct evc_dump given = predicted(), shown = with(&given, EVC_F_ADX, 1);
	struct evc_findings findings = { .arena = &arena };

	(void)state;
	given = with(&given, EVC_F_SSE3, 0);
	shown = with(&shown, EVC_F_STEPPING, 9);
	assert_int_equal(evc_compare_read_back(&given, &shown, &arena, &findings, NULL), EVC_OK);
	assert_int_equal(findings.n, 2);
	assert_string_equal(findings.items[0].other, "leaf 1");
	assert_string_equal(findings.items[0].detail, "shows sse3 though hidden; changes stepping");
	assert_string_equal(findings.items[1].other, "leaf 7");
}

static void a_read_back_that_follows_the_vcpu_is_trusted(void **state)
{
	struct evc_dump given = predicted(), shown = with(&given, EVC_F_XSAVE_SZ_XCR0, 0x240);
	struct evc_findings findings = { .arena = &arena };

	(void)state;
	shown = with(&shown, EVC_F_OSXSAVE, 0);
	assert_int_equal(evc_compare_read_back(&given, &shown, &arena, &findings, NULL), EVC_OK);
	assert_int_equal(findings.n, 0);
}

static struct evc_dump with_leaf(const struct evc_dump *dump, uint32_t leaf, const uint32_t value[static 4])
{
	struct evc_dump_builder builder;
	struct evc_dump result;

	evc_dump_begin(&builder, &arena);
	evc_dump_copy(&builder, dump);
	evc_dump_set_leaf(&builder, leaf, 0, value);
	assert_int_equal(evc_dump_finish(&builder, &result, NULL), EVC_OK);
	return result;
}

static void nothing_may_lie_beyond_the_last_leaf(void **state)
{
	struct evc_dump dump = predicted(), seen;
	struct evc_compare question = { .subject = "the guest", .predicted = &dump, .seen = &seen };
	struct evc_findings findings = { .arena = &arena };
	struct evc_leaf last;

	(void)state;
	seen = with_leaf(&dump, 0x17, (uint32_t[4]){ 0 });
	evc_compare_beyond(&question, &arena, &findings);
	assert_int_equal(findings.n, 0);
	/* Intel: the highest basic leaf once more. */
	evc_dump_leaf(&dump, evc_dump_highest(&dump, 0), 0, &last);
	seen = with_leaf(&dump, 0x17, last.value);
	evc_compare_beyond(&question, &arena, &findings);
	assert_int_equal(findings.n, 0);
	seen = with_leaf(&dump, 0x17, (uint32_t[4]){ 1, 2, 3, 4 });
	evc_compare_beyond(&question, &arena, &findings);
	assert_int_equal(findings.n, 1);
	assert_string_equal(findings.items[0].detail, "leaf 17.0 answers, though the last one is d");
}

int main(void)
{
	enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(the_same_dump_differs_in_nothing),
		cmocka_unit_test(what_nobody_saw_is_neither_right_nor_wrong),
		cmocka_unit_test(bits_without_a_name_are_told_by_their_place),
		cmocka_unit_test(a_kvm_that_overrides_is_named_by_leaf),
		cmocka_unit_test(a_kvm_that_overrides_two_leaves_is_named_twice),
		cmocka_unit_test(a_read_back_that_follows_the_vcpu_is_trusted),
		cmocka_unit_test(nothing_may_lie_beyond_the_last_leaf),
	};
	enum { N_OTHERS = sizeof(others) / sizeof(others[0]) };
	struct CMUnitTest tests[N_ROWS + N_OTHERS];

	for (size_t i = 0; i < N_ROWS; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
			                        .test_func = a_difference_has_its_cause,
			                        .initial_state = (void *)(uintptr_t)&rows[i] };
	memcpy(tests + N_ROWS, others, sizeof(others));
	return cmocka_run_group_tests_name("core/compare", tests, NULL, free_arena);
}
