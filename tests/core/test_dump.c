/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of a leaf that is stored, not stored, or junk. */
#include "core/alike.h"
#include "core/dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_LEAVES = 6 };

struct row {
	const char *name;
	struct {
		uint32_t leaf, subleaf, value[4];
	} leaves[N_LEAVES]; /* ends with one that is all zero, after the first */
	uint32_t leaf, subleaf;
	enum evc_reg reg;
	uint64_t value;
	bool known;
	bool skips_zero;
};

static const struct row rows[] = {
	{ .name = "a stored register is known",
	  .leaves = { { 0, 0, { 7 } }, { 7, 0, { 0, 5 } } },
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .value = 5,
	  .known = true },
	{ .name = "junk above the highest leaf is zero",
	  .leaves = { { 0, 0, { 4 } }, { 7, 0, { 0, 5 } } },
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .known = true },
	{ .name = "a leaf above the highest is zero without being stored",
	  .leaves = { { 0, 0, { 4 } } },
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .known = true },
	{ .name = "without leaf 0 nothing is known of what is not stored",
	  .leaves = { { 1, 0, { 1 } } },
	  .leaf = 7,
	  .reg = EVC_EBX },
	{ .name = "a leaf that the dump is too old to have is unknown",
	  .leaves = { { 0, 0, { 0xd } }, { 1, 0, { 1 } } },
	  .leaf = 7,
	  .reg = EVC_EBX },
	{ .name = "such a leaf is zero where the dumper leaves out zeros",
	  .leaves = { { 0, 0, { 0xd } }, { 1, 0, { 1 } } },
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .known = true,
	  .skips_zero = true },
	{ .name = "a subleaf above the count of leaf 7 is zero",
	  .leaves = { { 0, 0, { 7 } }, { 7, 0, { 0, 5 } } },
	  .leaf = 7,
	  .subleaf = 1,
	  .reg = EVC_EAX,
	  .known = true },
	{ .name = "a subleaf within the count of leaf 7 that a form lost is unknown",
	  .leaves = { { 0, 0, { 7 } }, { 7, 0, { 1, 5 } } },
	  .leaf = 7,
	  .subleaf = 1,
	  .reg = EVC_EAX },
	{ .name = "an old dump without leaf 0xd.1 does not say there is no xsaves",
	  .leaves = { { 0, 0, { 0xd } }, { 0xd, 0, { 7, 0x340, 0x340 } } },
	  .leaf = 0xd,
	  .subleaf = 1,
	  .reg = EVC_EAX },
	{ .name = "without xsave leaf 0xd.1 is zero",
	  .leaves = { { 0, 0, { 0xd } }, { 0xd, 0, { 0, 0, 0, 0 } }, { 1, 0, { 1 } } },
	  .leaf = 0xd,
	  .subleaf = 1,
	  .reg = EVC_EAX,
	  .known = true },
	{ .name = "a state component that neither mask has is zero",
	  .leaves = { { 0, 0, { 0xd } }, { 0xd, 0, { 7 } }, { 0xd, 1, { 0xf, 0, 0x100 } } },
	  .leaf = 0xd,
	  .subleaf = 9,
	  .reg = EVC_EAX,
	  .known = true },
	{ .name = "a state component of IA32_XSS that is not stored is unknown",
	  .leaves = { { 0, 0, { 0xd } }, { 0xd, 0, { 7 } }, { 0xd, 1, { 0xf, 0, 0x100 } } },
	  .leaf = 0xd,
	  .subleaf = 8,
	  .reg = EVC_EAX },
	{ .name = "a cache behind the last one is zero",
	  .leaves = { { 0, 0, { 4 } },
	              { 4, 0, { 0x121, 1 } },
	              { 4, 1, { 0 } },
	              { 0x80000000, 0, { 0x80000000 } } },
	  .leaf = 4,
	  .subleaf = 3,
	  .reg = EVC_EBX,
	  .known = true },
	{ .name = "a cache behind those that are stored is unknown",
	  .leaves = { { 0, 0, { 4 } }, { 4, 0, { 0x121, 1 } } },
	  .leaf = 4,
	  .subleaf = 1,
	  .reg = EVC_EBX },
	{ .name = "the hypervisor's range is zero without the hypervisor bit",
	  .leaves = { { 0, 0, { 7 } }, { 1, 0, { 1, 0, 0x1 } } },
	  .leaf = 0x40000001,
	  .reg = EVC_EAX,
	  .known = true },
	{ .name = "the hypervisor's range is unknown with the bit and without the leaf",
	  .leaves = { { 0, 0, { 7 } }, { 1, 0, { 1, 0, 0x80000001 } } },
	  .leaf = 0x40000001,
	  .reg = EVC_EAX },
	{ .name = "what answers for the hypervisor's range without being one is junk",
	  .leaves = { { 0, 0, { 7 } }, { 0x40000000, 0, { 7, 1 } }, { 0x40000001, 0, { 7, 1 } } },
	  .leaf = 0x40000001,
	  .reg = EVC_EAX,
	  .known = true },
	{ .name = "KVM's leaves under Hyper-V's are a range of their own",
	  .leaves = { { 0, 0, { 7 } },
	              { 0x40000000, 0, { 0x40000006 } },
	              { 0x40000100, 0, { 0x40000101 } },
	              { 0x40000101, 0, { 0x1ff } } },
	  .leaf = 0x40000101,
	  .reg = EVC_EAX,
	  .value = 0x1ff,
	  .known = true },
	{ .name = "an extended range that was not dumped is unknown",
	  .leaves = { { 0, 0, { 7 } } },
	  .leaf = 0x80000001,
	  .reg = EVC_EDX },
};

static void make_dump(const struct row *row, struct evc_arena *arena, struct evc_dump *dump)
{
	struct evc_dump_builder builder;

	evc_dump_begin(&builder, arena);
	for (size_t i = 0; i < N_LEAVES; i++) {
		if (i && !row->leaves[i].leaf)
			break;
		evc_dump_set_leaf(&builder, row->leaves[i].leaf, row->leaves[i].subleaf,
		                  row->leaves[i].value);
	}
	assert_int_equal(evc_dump_finish(&builder, dump, NULL), EVC_OK);
	dump->skips_zero = row->skips_zero;
}

static void knows_what_is_known(void **state)
{
	const struct row *row = *state;
	struct evc_arena arena = { 0 };
	struct evc_dump dump;
	uint64_t known;

	make_dump(row, &arena, &dump);
	assert_int_equal(evc_dump_register(&dump, row->leaf, row->subleaf, row->reg, &known), row->value);
	assert_int_equal(known, row->known ? UINT32_MAX : 0);
	evc_arena_free(&arena);
}

/* Two CPUs of one leaf each that differ in one register by these bits: of one kind? */
static bool alike(uint32_t leaf, int reg, uint32_t bits)
{
	struct evc_leaf a = { .leaf = leaf, .known = { -1U, -1U, -1U, -1U } }, b = a;
	struct evc_dump x = { .leaves = &a, .n_leaves = 1 }, y = { .leaves = &b, .n_leaves = 1 };

	b.value[reg] = bits;
	if (evc_dump_alike(&x, &y))
		assert_true(evc_dump_kind_hash(&x) == evc_dump_kind_hash(&y));
	return evc_dump_alike(&x, &y);
}

static void folds_cpus_that_differ_in_their_number_only(void **state)
{
	(void)state;
	assert_true(alike(0x1, EVC_EBX, 0x03000000));
	assert_true(alike(0xb, EVC_EDX, 0x11));
	assert_true(alike(0x8000001e, EVC_EAX, 0x11));
	/* ranges that are not there are answered with the highest basic leaf, here 0xb */
	assert_true(alike(0x20000000, EVC_EDX, 0x11));
	assert_true(alike(0x40000000, EVC_EDX, 0x11));
	assert_false(alike(0x80000000, EVC_EAX, 0x80000008));
	assert_false(alike(0x1, EVC_EBX, 0x00010000));
	assert_false(alike(0x7, EVC_EBX, 0x20));
	assert_false(alike(0x1a, EVC_EAX, 0x20000000));
}

int main(void)
{
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 1];
	size_t n = 0;

	for (; n < sizeof(rows) / sizeof(rows[0]); n++)
		tests[n] = (struct CMUnitTest){ .name = rows[n].name,
			                        .test_func = knows_what_is_known,
			                        .initial_state = (void *)(uintptr_t)&rows[n] };
	tests[n] = (struct CMUnitTest)cmocka_unit_test(folds_cpus_that_differ_in_their_number_only);
	return cmocka_run_group_tests_name("core/dump", tests, NULL, NULL);
}
