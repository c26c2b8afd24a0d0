/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest sees at a mode: the story's registers, and each rule on a real machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/alike.h"
#include "core/machines.h"
#include "core/vcpu.h"
#include "text/modes.h"

#include <stdio.h>

#define HASWELL "machines/intel-haswell-2xxeon-e5-2680v3"
#define SKYLAKE "machines/intel-skylake-2xxeon6140"
#define CASCADELAKE "machines/intel-cascadelake-2xxeon6230"
#define SAPPHIRE "machines/intel-sapphirerapids-2xxeonmax9460"
#define ROME "machines/zen2-amd-ryzen-threadripper-pro-3955wx-16-cores"

/* A host with one leaf's registers and one MSR changed, as it is offered and as a guest sees it. */
struct guest {
	struct evc_host host;
	struct evc_offer offer;
	struct evc_dump dump;
	struct evc_findings findings;
};

static struct guest *new_guest(const char *name)
{
	struct guest *guest = evc_arena_alloc(&arena, sizeof(*guest));

	assert_non_null(guest);
	assert_true(corpus_host(name, &arena, &guest->host));
	guest->findings.arena = &arena;
	return guest;
}

/* Bits of the host that are set, or not known any more. */
static void change(struct guest *guest, uint32_t leaf, enum evc_reg reg, uint32_t set, uint32_t unknown)
{
	struct evc_leaf *leaves = evc_arena_array(&arena, guest->host.cpus[0].n_leaves, sizeof(*leaves));
	struct evc_dump *dump = evc_arena_alloc(&arena, sizeof(*dump));

	*dump = guest->host.cpus[0];
	for (size_t i = 0; i < dump->n_leaves; i++) {
		leaves[i] = dump->leaves[i];
		if (leaves[i].leaf != leaf || leaves[i].subleaf)
			continue;
		leaves[i].value[reg] = (leaves[i].value[reg] | set) & ~unknown;
		leaves[i].known[reg] &= ~unknown;
	}
	dump->leaves = leaves;
	guest->host.cpus = dump;
	guest->host.n_cpus = 1;
}

static const struct evc_mode *find_mode(const char *key, unsigned *ret_version)
{
	const struct evc_mode *mode = NULL;
	struct evc_error err;

	assert_int_equal(evc_modes_find(&evc_builtin_modes, evc_span_from(key), &mode, ret_version, &err),
	                 EVC_OK);
	return mode;
}

static void apply_mode(struct guest *guest, const struct evc_mode *mode, unsigned version,
                       const struct evc_cpu *level)
{
	const struct evc_offer_options options = { .view = EVC_VIEW_RAW };
	struct evc_error err;

	assert_int_equal(evc_offer_make(&guest->host, &options, &arena, &guest->offer, NULL, &err), EVC_OK);
	assert_int_equal(evc_vcpu_make(&evc_builtin_modes, mode, version, &guest->offer, level, &arena,
	                               &guest->dump, &guest->findings, &err),
	                 EVC_OK);
}

static void apply(struct guest *guest, const char *key, const struct evc_cpu *level)
{
	unsigned version;
	const struct evc_mode *mode = find_mode(key, &version);

	apply_mode(guest, mode, version, level);
}

static uint64_t get(const struct evc_dump *dump, uint32_t leaf, uint32_t subleaf, enum evc_reg reg)
{
	uint64_t known, value = evc_dump_register(dump, leaf, subleaf, reg, &known);

	assert_int_equal(known & UINT32_MAX, UINT32_MAX);
	return value;
}

static bool has_finding(const struct guest *guest, enum evc_finding_kind kind, enum evc_feature_id id,
                        enum evc_severity severity)
{
	for (size_t i = 0; i < guest->findings.n; i++)
		if (guest->findings.items[i].kind == kind && guest->findings.items[i].feature == id &&
		    guest->findings.items[i].severity == severity)
			return true;
	return false;
}

static void the_story_comes_out_register_for_register(void **state)
{
	struct guest *guest = new_guest("story/kabylake");
	struct evc_host told;
	size_t n = 0;

	(void)state;
	assert_true(corpus_host("story/kabylake-haswell", &arena, &told));
	apply(guest, "intel-haswell", NULL);
	for (size_t i = 0; i < told.cpus[0].n_leaves; i++) {
		const struct evc_leaf *leaf = &told.cpus[0].leaves[i];

		for (int reg = EVC_EAX; reg <= EVC_EDX; reg++) {
			uint64_t known, seen = evc_dump_register(&guest->dump, leaf->leaf, leaf->subleaf,
			                                         (enum evc_reg)reg, &known);
			uint32_t own = evc_leaf_own_bits(leaf->leaf, (enum evc_reg)reg);

			if ((seen ^ leaf->value[reg]) & ~own)
				fail_msg("leaf %x.%x register %d: %llx, told was %x", leaf->leaf,
				         leaf->subleaf, reg, (unsigned long long)seen, leaf->value[reg]);
			n += known == UINT32_MAX;
		}
	}
	assert_true(n > 100);
}

/* As seen in a guest under a real KVM: what QEMU does not switch on by itself is not there. */
static void of_kvms_own_features_it_has_what_qemu_switches_on(void **state)
{
	const struct evc_offer_options options = { .view = EVC_VIEW_KVM, .kernel = "6.1.187", .qemu = "7.2" };
	struct guest *guest = new_guest(ROME);
	unsigned version;
	const struct evc_mode *mode = find_mode("amd-zen", &version);
	struct evc_error err;

	(void)state;
	assert_int_equal(evc_offer_make(&guest->host, &options, &arena, &guest->offer, NULL, &err), EVC_OK);
	assert_true(evc_set_has(&guest->offer.cpu.has, EVC_F_KVM_PV_UNHALT));
	assert_int_equal(evc_vcpu_make(&evc_builtin_modes, mode, version, &guest->offer, NULL, &arena,
	                               &guest->dump, &guest->findings, &err),
	                 EVC_OK);
	assert_int_equal(get(&guest->dump, 0x40000001, 0, EVC_EAX), 0x0100007b);
}

static void what_nobody_has_named_stays_hidden(void **state)
{
	struct guest *guest = new_guest(SKYLAKE);
	struct evc_set all;
	uint64_t named;

	(void)state;
	for (int w = 0; w < EVC_SET_WORDS; w++)
		all.word[w] = UINT64_MAX;
	for (unsigned id = EVC_N_FEATURES; id < EVC_SET_WORDS * 64; id++)
		all.word[id / 64] &= ~(UINT64_C(1) << id % 64);
	named = evc_set_bits(&all, EVC_VENDOR_INTEL, 0x80000008, 0, EVC_EBX);
	assert_int_not_equal((uint32_t)~named, 0);
	change(guest, 0x80000008, EVC_EBX, UINT32_MAX, 0);
	apply(guest, "intel-haswell", NULL);
	assert_int_equal(get(&guest->dump, 0x80000008, 0, EVC_EBX) & ~named & UINT32_MAX, 0);
}

/* The signature of leaf 1, and what stands in AMD's copy. */
static const struct {
	const char *host, *mode;
	uint32_t signature, copy;
} signatures[] = {
	{ .host = SKYLAKE, .mode = "intel-haswell", .signature = 0x000306f0, .copy = 0 },
	{ .host = ROME, .mode = "amd-zen", .signature = 0x00800f12, .copy = 0x00800f12 },
	/* Modes for any vendor leave the host's. */
	{ .host = SKYLAKE, .mode = "x86-64-v2", .signature = 0x00050654, .copy = 0 },
	{ .host = ROME, .mode = "x86-64-v2", .signature = 0x00830f10, .copy = 0x00830f10 },
};

static void the_signature_is_the_modes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		struct guest *guest = new_guest(signatures[i].host);

		apply(guest, signatures[i].mode, NULL);
		assert_int_equal(get(&guest->dump, 1, 0, EVC_EAX), signatures[i].signature);
		assert_int_equal(get(&guest->dump, 0x80000001, 0, EVC_EAX), signatures[i].copy);
	}
}

static void nothing_is_above_the_highest_leaf(void **state)
{
	struct guest *guest = new_guest(SKYLAKE);

	(void)state;
	assert_int_equal(get(&guest->host.cpus[0], 0, 0, EVC_EAX), 0x16);
	apply(guest, "intel-haswell", NULL);
	assert_int_equal(get(&guest->dump, 0, 0, EVC_EAX), 0xd);
	for (size_t i = 0; i < guest->dump.n_leaves; i++)
		assert_true(guest->dump.leaves[i].leaf <= 0xd || guest->dump.leaves[i].leaf >= 0x40000000);
}

static void the_save_area_shrinks_with_its_states(void **state)
{
	struct guest *guest = new_guest(SKYLAKE);

	(void)state;
	assert_int_equal(get(&guest->host.cpus[0], 0xd, 0, EVC_ECX), 0xa88);
	apply(guest, "intel-haswell", NULL);
	assert_int_equal(get(&guest->dump, 0xd, 0, EVC_EAX), 0x7);
	assert_int_equal(get(&guest->dump, 0xd, 0, EVC_ECX), 0x340);
	assert_int_equal(get(&guest->dump, 0xd, 5, EVC_EAX), 0);
	assert_int_equal(get(&guest->dump, 7, 0, EVC_EAX), 0);
}

static void an_msr_shows_what_is_allowed_of_it(void **state)
{
	struct guest *guest = new_guest(CASCADELAKE);
	const struct evc_bit hidden = evc_features[EVC_F_RDCL_NO].bit;
	const struct evc_bit warning = evc_features[EVC_F_RSBA].bit, unnamed = { .lo = 60, .hi = 60 };
	const uint64_t bits = evc_bit_mask(hidden) | evc_bit_mask(warning) | evc_bit_mask(unnamed);
	const struct evc_msr msr = { .index = hidden.leaf, .value = bits, .known = UINT64_MAX };
	struct evc_dump with = guest->host.cpus[0];
	uint64_t known;

	(void)state;
	with.msrs = &msr;
	with.n_msrs = 1;
	guest->host.cpus = &with;
	guest->host.n_cpus = 1;
	apply(guest, "intel-haswell", NULL);
	assert_int_equal(evc_dump_register(&guest->dump, hidden.leaf, 0, EVC_MSR, &known),
	                 evc_bit_mask(warning));
	assert_true(known == UINT64_MAX);
}

static void what_the_host_lacks_blocks_and_what_is_not_known_is_doubted(void **state)
{
	struct guest *lacking = new_guest(HASWELL), *unsure = new_guest(SKYLAKE);
	const struct evc_bit adx = evc_features[EVC_F_ADX].bit;
	uint64_t known;

	(void)state;
	apply(lacking, "intel-broadwell", NULL);
	assert_true(has_finding(lacking, EVC_FINDING_LACKS, EVC_F_ADX, EVC_BLOCKS));
	assert_int_equal(evc_findings_verdict(&lacking->findings), EVC_NO);

	change(unsure, adx.leaf, adx.reg, 0, (uint32_t)evc_bit_mask(adx));
	apply(unsure, "intel-broadwell", NULL);
	assert_true(has_finding(unsure, EVC_FINDING_UNSURE, EVC_F_ADX, EVC_DOUBT));
	assert_int_equal(evc_findings_verdict(&unsure->findings), EVC_UNKNOWN);
	evc_dump_register(&unsure->dump, adx.leaf, adx.subleaf, adx.reg, &known);
	assert_int_equal(known & evc_bit_mask(adx), 0);
}

/* The level of a host, and with it a guest of another at the mode. */
static void apply_with(struct guest *guest, const char *other, const char *mode)
{
	struct evc_cpu level, part;
	struct evc_host host;

	assert_true(corpus_host(other, &arena, &host));
	evc_cpu_decode_host(&host, &level);
	evc_cpu_decode_host(&guest->host, &part);
	evc_cpu_level_part(&level);
	evc_cpu_level_part(&part);
	evc_cpu_merge(&level, &part);
	apply(guest, mode, &level);
}

static void a_level_takes_what_one_host_lacks(void **state)
{
	struct guest *alone = new_guest(CASCADELAKE), *with = new_guest(CASCADELAKE);
	const struct evc_bit spec = evc_features[EVC_F_SPEC_CTRL].bit;

	(void)state;
	apply(alone, "intel-haswell", NULL);
	apply_with(with, HASWELL, "intel-haswell");
	assert_true(get(&alone->dump, spec.leaf, 0, spec.reg) & evc_bit_mask(spec));
	assert_false(get(&with->dump, spec.leaf, 0, spec.reg) & evc_bit_mask(spec));
}

static void a_level_lowers_address_widths_and_counters(void **state)
{
	struct guest *with = new_guest(CASCADELAKE);
	const struct evc_bit width = evc_features[EVC_F_PHYS_ADDR_BITS].bit;
	const struct evc_bit counters = evc_features[EVC_F_PMU_VERSION].bit;

	(void)state;
	/* A desktop of the same time has 39 bits of physical addresses; the Xeon has 46. */
	assert_int_equal(evc_bit_get(width, get(&with->host.cpus[0], width.leaf, 0, width.reg)), 46);
	apply_with(with, "machines/haswell-intel-core-i3-4130-cpu", "intel-ivybridge@1");
	assert_int_equal(evc_bit_get(width, get(&with->dump, width.leaf, 0, width.reg)), 39);
	assert_int_equal(evc_bit_get(counters, get(&with->host.cpus[0], counters.leaf, 0, counters.reg)), 4);
	assert_int_equal(evc_bit_get(counters, get(&with->dump, counters.leaf, 0, counters.reg)), 3);
}

/* 57 bits come with five-level paging, and go with it. */
static void linear_addresses_are_as_wide_as_the_guests_page_tables(void **state)
{
	const struct evc_bit width = evc_features[EVC_F_VIRT_ADDR_BITS].bit;
	struct guest *old = new_guest(SAPPHIRE), *new = new_guest(SAPPHIRE);
	unsigned number;
	struct evc_mode mode = *find_mode("intel-sapphirerapids@1", &number);
	struct evc_mode_version version = mode.versions[0];

	(void)state;
	assert_int_equal(evc_bit_get(width, get(&old->host.cpus[0], width.leaf, 0, width.reg)), 57);
	apply(old, "intel-sapphirerapids", NULL);
	assert_int_equal(evc_bit_get(width, get(&old->dump, width.leaf, 0, width.reg)), 48);
	/* A mode of somebody's own may have it. */
	evc_set_add(&version.features, EVC_F_LA57);
	mode.versions = &version;
	mode.n_versions = 1;
	apply_mode(new, &mode, number, NULL);
	assert_int_equal(evc_bit_get(width, get(&new->dump, width.leaf, 0, width.reg)), 57);
}

/* Leaf 7 says that there is such a register: a guest whose leaves end before it gets a fault, and no
 * promises. */
static void a_register_of_promises_goes_with_its_leaf(void **state)
{
	const struct evc_bit promises = evc_features[EVC_F_PSCHANGE_MC_NO].bit;
	const struct evc_bit announced = evc_features[EVC_F_ARCH_CAPABILITIES].bit;
	struct guest *low = new_guest("kvm-hosts/epyc-7502-32-core"),
		     *high = new_guest("kvm-hosts/epyc-7502-32-core");
	uint64_t known;

	(void)state;
	/* As KVM offers it on AMD's CPUs, where the register is KVM's own. */
	change(low, announced.leaf, announced.reg, (uint32_t)evc_bit_mask(announced), 0);
	change(high, announced.leaf, announced.reg, (uint32_t)evc_bit_mask(announced), 0);
	assert_true(evc_dump_register(&low->host.cpus[0], promises.leaf, 0, EVC_MSR, &known) &
	            evc_bit_mask(promises));
	apply(low, "amd-rev-e", NULL);
	assert_int_equal(evc_dump_register(&low->dump, promises.leaf, 0, EVC_MSR, &known), 0);
	assert_true(has_finding(low, EVC_FINDING_DROPPED, EVC_F_PSCHANGE_MC_NO, EVC_WARNING));
	apply(high, "amd-zen", NULL);
	assert_true(evc_dump_register(&high->dump, promises.leaf, 0, EVC_MSR, &known) &
	            evc_bit_mask(promises));
}

/* A guest that QEMU starts at the mode, through KVM. */
static uint32_t made(const char *host, const char *mode, uint32_t leaf, uint32_t subleaf, enum evc_reg reg)
{
	const struct evc_offer_options options = { .view = EVC_VIEW_KVM,
		                                   .kernel = "6.12.107",
		                                   .qemu = "10.0" };
	struct guest *guest = new_guest(host);
	unsigned version;
	uint64_t known;

	assert_int_equal(evc_offer_make(&guest->host, &options, &arena, &guest->offer, NULL, NULL), EVC_OK);
	assert_int_equal(evc_vcpu_make(&evc_builtin_modes, find_mode(mode, &version), 0, &guest->offer, NULL,
	                               &arena, &guest->dump, &guest->findings, NULL),
	                 EVC_OK);
	return (uint32_t)evc_dump_register(&guest->dump, leaf, subleaf, reg, &known);
}

static void leaves_are_empty_without_what_they_describe(void **state)
{
	(void)state;
	assert_int_equal(made(SAPPHIRE, "intel-sapphirerapids", 0x1d, 0, EVC_EAX), 1);
	assert_int_not_equal(made(SAPPHIRE, "intel-sapphirerapids", 0x1e, 0, EVC_EBX), 0);
	assert_int_equal(made(SAPPHIRE, "x86-64-v4", 0x1d, 0, EVC_EAX), 0);
	assert_int_equal(made(SAPPHIRE, "x86-64-v4", 0x1d, 1, EVC_EAX), 0);
	assert_int_equal(made(SAPPHIRE, "x86-64-v4", 0x1e, 0, EVC_EBX), 0);
	/* counters: of no mode */
	assert_int_equal(made(SAPPHIRE, "intel-sapphirerapids", 0xa, 0, EVC_EAX), 0);
	assert_int_equal(made(SAPPHIRE, "x86-64-v4", 0xa, 0, EVC_EDX), 0);
}

static void amds_leaf_mirrors_leaf_1_for_amds_own_cpus(void **state)
{
	static const struct {
		const char *host, *mode;
		bool mirrors;
	} rows[] = {
		{ .host = ROME, .mode = "amd-zen2", .mirrors = true },
		{ .host = ROME, .mode = "x86-64-v2", .mirrors = true },
		{ .host = "machines/hygon-dhyana-32cores", .mode = "x86-64-v2" },
		{ .host = SAPPHIRE, .mode = "x86-64-v2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t own = made(rows[i].host, rows[i].mode, 1, 0, EVC_EDX),
			 mirror = made(rows[i].host, rows[i].mode, 0x80000001, 0, EVC_EDX);
		uint32_t both = 1U << evc_features[EVC_F_FPU].bit.lo | 1U << evc_features[EVC_F_TSC].bit.lo;

		assert_int_equal(own & both, both);
		assert_int_equal(mirror & both, rows[i].mirrors ? both : 0);
		assert_int_equal(mirror & 1U << evc_features[EVC_F_LM].bit.lo,
		                 1U << evc_features[EVC_F_LM].bit.lo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_story_comes_out_register_for_register),
		cmocka_unit_test(of_kvms_own_features_it_has_what_qemu_switches_on),
		cmocka_unit_test(what_nobody_has_named_stays_hidden),
		cmocka_unit_test(the_signature_is_the_modes),
		cmocka_unit_test(nothing_is_above_the_highest_leaf),
		cmocka_unit_test(the_save_area_shrinks_with_its_states),
		cmocka_unit_test(an_msr_shows_what_is_allowed_of_it),
		cmocka_unit_test(what_the_host_lacks_blocks_and_what_is_not_known_is_doubted),
		cmocka_unit_test(a_level_takes_what_one_host_lacks),
		cmocka_unit_test(a_level_lowers_address_widths_and_counters),
		cmocka_unit_test(linear_addresses_are_as_wide_as_the_guests_page_tables),
		cmocka_unit_test(leaves_are_empty_without_what_they_describe),
		cmocka_unit_test(amds_leaf_mirrors_leaf_1_for_amds_own_cpus),
		cmocka_unit_test(a_register_of_promises_goes_with_its_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
