/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leaf 0xd made anew: sizes that follow from the states that are left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/machines.h"
#include "core/vcpu.h"

/* Nine user states: x87, SSE, AVX, both of MPX, three of AVX-512, PKRU; 0xa88 bytes. */
#define SKYLAKE "machines/intel-skylake-2xxeon6140"

static struct evc_host skylake;

static int setup(void **state)
{
	(void)state;
	return corpus_host(SKYLAKE, &arena, &skylake) ? 0 : -1;
}

static const enum evc_feature_id mpx[] = { EVC_F_XCR0_MPX_BNDREGS, EVC_F_XCR0_MPX_BNDCSR };
static const enum evc_feature_id avx512[] = { EVC_F_XCR0_AVX512_OPMASK, EVC_F_XCR0_AVX512_ZMM_HI256,
	                                      EVC_F_XCR0_AVX512_HI16_ZMM };

/* What is taken from the Skylake, and what then stands in the leaf. */
static const struct {
	const char *name;
	bool no_mpx, no_avx512, no_pkru, no_compacted, no_xsave;
	uint32_t states, standard, compacted;
} rows[] = {
	{ .name = "nothing", .states = 0x2ff, .standard = 0xa88, .compacted = 0xa08 },
	{ .name = "PKRU, the last", .no_pkru = true, .states = 0xff, .standard = 0xa80, .compacted = 0xa00 },
	{ .name = "AVX-512 before PKRU: the standard form keeps the hole, the compacted one has none",
	  .no_avx512 = true,
	  .states = 0x21f,
	  .standard = 0xa88,
	  .compacted = 0x3c8 },
	{ .name = "AVX-512 and PKRU",
	  .no_avx512 = true,
	  .no_pkru = true,
	  .states = 0x1f,
	  .standard = 0x440,
	  .compacted = 0x3c0 },
	{ .name = "all but AVX",
	  .no_mpx = true,
	  .no_avx512 = true,
	  .no_pkru = true,
	  .states = 0x7,
	  .standard = 0x340,
	  .compacted = 0x340 },
	{ .name = "the compacted form",
	  .no_mpx = true,
	  .no_avx512 = true,
	  .no_pkru = true,
	  .no_compacted = true,
	  .states = 0x7,
	  .standard = 0x340,
	  .compacted = 0 },
	{ .name = "XSAVE", .no_xsave = true, .states = 0, .standard = 0, .compacted = 0 },
};

static void drop(struct evc_cpu *cpu, bool wanted, const enum evc_feature_id *ids, size_t n)
{
	for (size_t i = 0; wanted && i < n; i++)
		evc_set_drop(&cpu->has, ids[i]);
}

static void make(const struct evc_cpu *cpu, const struct evc_dump *like, struct evc_dump *ret_dump)
{
	struct evc_dump_builder builder;
	struct evc_error err;

	evc_dump_begin(&builder, &arena);
	evc_dump_set_leaf(&builder, 0, 0, (uint32_t[4]){ 0xd });
	evc_xsave_leaves(cpu, like, &builder);
	assert_int_equal(evc_dump_finish(&builder, ret_dump, &err), EVC_OK);
}

static uint32_t get(const struct evc_dump *dump, uint32_t subleaf, enum evc_reg reg, bool known)
{
	uint64_t bits, value = evc_dump_register(dump, 0xd, subleaf, reg, &bits);

	assert_int_equal(bits, known ? UINT32_MAX : 0);
	return (uint32_t)value;
}

static void sizes_follow_from_the_states_that_are_left(void **state)
{
	static const enum evc_feature_id pkru = EVC_F_XCR0_PKRU, xsave = EVC_F_XSAVE;
	static const enum evc_feature_id compacted[] = { EVC_F_XSAVEC, EVC_F_XSAVES };

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct evc_cpu cpu;
		struct evc_dump dump;

		print_message("# without %s\n", rows[r].name);
		evc_cpu_decode(&skylake.cpus[0], &cpu);
		drop(&cpu, rows[r].no_mpx, mpx, 2);
		drop(&cpu, rows[r].no_avx512, avx512, 3);
		drop(&cpu, rows[r].no_pkru, &pkru, 1);
		drop(&cpu, rows[r].no_compacted, compacted, 2);
		drop(&cpu, rows[r].no_xsave, &xsave, 1);
		make(&cpu, &skylake.cpus[0], &dump);
		assert_int_equal(get(&dump, 0, EVC_EAX, true), rows[r].states);
		assert_int_equal(get(&dump, 0, EVC_EBX, true), rows[r].standard);
		assert_int_equal(get(&dump, 0, EVC_ECX, true), rows[r].standard);
		assert_int_equal(get(&dump, 1, EVC_EBX, true), rows[r].compacted);
		/* A state that is gone has no subleaf. */
		if (rows[r].no_avx512)
			assert_int_equal(get(&dump, 6, EVC_EAX, true), 0);
	}
}

static void what_the_hardware_says_of_a_state_stays(void **state)
{
	struct evc_cpu cpu;
	struct evc_dump dump;

	(void)state;
	evc_cpu_decode(&skylake.cpus[0], &cpu);
	make(&cpu, &skylake.cpus[0], &dump);
	assert_int_equal(get(&dump, 2, EVC_EAX, true), 0x100);
	assert_int_equal(get(&dump, 2, EVC_EBX, true), 0x240);
	assert_int_equal(get(&dump, 9, EVC_EBX, true), 0xa80);
}

/* Intel PT's state is there, 128 bytes, but the kernel under which the dump was taken did not use it. */
static void supervisor_states_count_when_the_host_uses_them(void **state)
{
	struct evc_dump_builder builder;
	struct evc_dump using, dump;
	struct evc_error err;
	struct evc_cpu cpu;

	(void)state;
	evc_dump_begin(&builder, &arena);
	evc_dump_copy(&builder, &skylake.cpus[0]);
	evc_dump_set_leaf(&builder, 0xd, 1, (uint32_t[4]){ 0xf, 0xa88, 0x100, 0 });
	assert_int_equal(evc_dump_finish(&builder, &using, &err), EVC_OK);
	evc_cpu_decode(&using, &cpu);
	make(&cpu, &using, &dump);
	assert_int_equal(get(&dump, 1, EVC_EBX, true), 0xa88);
	evc_cpu_decode(&skylake.cpus[0], &cpu);
	make(&cpu, &skylake.cpus[0], &dump);
	assert_int_equal(get(&dump, 1, EVC_EBX, true), 0xa08);
}

static void a_state_of_unknown_size_makes_the_sizes_unknown(void **state)
{
	struct evc_dump_builder builder;
	struct evc_dump without, dump;
	struct evc_error err;
	struct evc_cpu cpu;

	(void)state;
	evc_dump_begin(&builder, &arena);
	for (size_t i = 0; i < skylake.cpus[0].n_leaves; i++)
		if (skylake.cpus[0].leaves[i].leaf != 0xd || skylake.cpus[0].leaves[i].subleaf != 5)
			evc_dump_set_bits(&builder, &skylake.cpus[0].leaves[i]);
	assert_int_equal(evc_dump_finish(&builder, &without, &err), EVC_OK);
	evc_cpu_decode(&without, &cpu);
	make(&cpu, &without, &dump);
	assert_int_equal(get(&dump, 0, EVC_EAX, true), 0x2ff);
	get(&dump, 0, EVC_ECX, false);
	get(&dump, 1, EVC_EBX, false);
}

static void either_way_of_compacting_has_the_compacted_form(void **state)
{
	static const enum evc_feature_id ways[] = { EVC_F_XSAVEC, EVC_F_XSAVES };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct evc_cpu cpu;
		struct evc_dump dump;

		evc_cpu_decode(&skylake.cpus[0], &cpu);
		evc_set_drop(&cpu.has, ways[i]);
		make(&cpu, &skylake.cpus[0], &dump);
		assert_int_equal(get(&dump, 1, EVC_EBX, true), 0xa08);
	}
}

static void a_state_that_is_not_known_makes_the_sizes_unknown(void **state)
{
	static const enum evc_feature_id states[] = { EVC_F_XCR0_PKRU, EVC_F_XSS_PT };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct evc_cpu cpu;
		struct evc_dump dump;

		evc_cpu_decode(&skylake.cpus[0], &cpu);
		evc_set_drop(&cpu.has, states[i]);
		evc_set_drop(&cpu.known, states[i]);
		make(&cpu, &skylake.cpus[0], &dump);
		get(&dump, 0, EVC_ECX, false);
		get(&dump, 1, EVC_EBX, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_follow_from_the_states_that_are_left),
		cmocka_unit_test(what_the_hardware_says_of_a_state_stays),
		cmocka_unit_test(supervisor_states_count_when_the_host_uses_them),
		cmocka_unit_test(a_state_of_unknown_size_makes_the_sizes_unknown),
		cmocka_unit_test(either_way_of_compacting_has_the_compacted_form),
		cmocka_unit_test(a_state_that_is_not_known_makes_the_sizes_unknown),
	};

	return cmocka_run_group_tests(tests, setup, free_arena);
}
