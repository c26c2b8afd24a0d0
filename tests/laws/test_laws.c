/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The laws of levelling, on random cpus and on every machine of the corpora.
 *
 * Random cpus are deliberately senseless (AVX2 without AVX, half of it unknown): a law that holds only
 * for sensible CPUs would fail on the first odd one.  The seed is fixed and printed; EVC_SEED changes it.
 */
#include "core/level.h"
#include "core/vcpu.h"
#include "host/files.h"
#include "text/modes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_RANDOM = 100000, MAX_MACHINES = 1024 };

static uint64_t seed = 20261125;

/* splitmix64: small, and good enough to reach every feature. */
static uint64_t random_bits(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Each bit there, absent or unknown; fields small numbers, so that they meet often. */
static void random_cpu(struct evc_cpu *cpu)
{
	*cpu = (struct evc_cpu){ .vendor = random_bits() % 8 ? EVC_VENDOR_INTEL : EVC_VENDOR_AMD,
		                 .max_basic = (uint32_t)(random_bits() % 32),
		                 .max_extended = 0x80000000 + (uint32_t)(random_bits() % 40) };
	for (int w = 0; w < EVC_SET_WORDS; w++) {
		cpu->known.word[w] = random_bits() | random_bits() | random_bits();
		cpu->has.word[w] = random_bits() & cpu->known.word[w];
	}
	for (unsigned id = EVC_N_FEATURES; id < EVC_SET_WORDS * 64; id++) {
		cpu->known.word[id / 64] &= ~(UINT64_C(1) << id % 64);
		cpu->has.word[id / 64] &= ~(UINT64_C(1) << id % 64);
	}
	for (int slot = 0; slot < EVC_N_SLOTS; slot++) {
		enum evc_feature_id id = evc_slots[slot];

		cpu->value[slot] = evc_set_has(&cpu->known, id) ? random_bits() % 4 : 0;
		if (cpu->value[slot])
			evc_set_add(&cpu->has, id);
		else
			evc_set_drop(&cpu->has, id);
	}
	evc_cpu_level_part(cpu);
}

static struct evc_cpu merged(const struct evc_cpu *a, const struct evc_cpu *b)
{
	struct evc_cpu result = *a;

	evc_cpu_merge(&result, b);
	return result;
}

static void hold_algebra(const struct evc_cpu *a, const struct evc_cpu *b, const struct evc_cpu *c)
{
	struct evc_cpu ab = merged(a, b), ba = merged(b, a), bc = merged(b, c);
	struct evc_cpu left = merged(&ab, c), right = merged(a, &bc), twice = merged(a, a);

	assert_true(evc_cpu_same_level(&ab, &ba));
	assert_true(evc_cpu_same_level(&left, &right));
	assert_true(evc_cpu_same_level(a, &twice));
}

/* What the level has, every host has; what is a warning of one, the level gives. */
static void hold_bounds(const struct evc_cpu *level, const struct evc_cpu *host)
{
	const struct evc_set *and = &evc_rule_sets[EVC_RULE_AND], * or = &evc_rule_sets[EVC_RULE_OR];
	struct evc_set given = evc_set_and(&level->has, and), warned = evc_set_and(&host->has, or);

	for (int slot = 0; slot < EVC_N_SLOTS; slot++) {
		evc_set_drop(&given, evc_slots[slot]);
		evc_set_drop(&warned, evc_slots[slot]);
	}
	assert_true(evc_set_within(&given, &host->has));
	assert_true(evc_set_within(&warned, &level->has));
}

/* A level fits each host it came from; only hosts that contradict each other in a "same" field do not. */
static void hold_fits(const struct evc_cpu *level, const struct evc_cpu *host)
{
	struct evc_misfit misfit;

	if (evc_cpu_fits(level, host, &misfit) != EVC_NO)
		return;
	assert_true(evc_set_is_empty(&misfit.lacks));
	assert_true(evc_set_is_empty(&misfit.hides));
	assert_true(evc_set_within(&misfit.outside, &level->differs));
}

static void hold_closed(struct evc_cpu cpu)
{
	struct evc_set before = cpu.has, dropped, again;

	evc_cpu_close(&cpu, &dropped);
	for (size_t i = 0; i < evc_n_needs; i++)
		if (evc_set_has(&cpu.has, evc_needs[i].feature))
			assert_int_not_equal(evc_cpu_truth(&cpu, evc_needs[i].needs), EVC_ABSENT);
	assert_true(evc_set_within(&cpu.has, &before));
	assert_true(evc_set_within(&dropped, &before));
	evc_cpu_close(&cpu, &again);
	assert_true(evc_set_is_empty(&again));
}

/* To know less of a host never turns "no" into "yes". */
static void hold_doubt(const struct evc_cpu *guest, const struct evc_cpu *host)
{
	struct evc_cpu less = *host;

	for (int w = 0; w < EVC_SET_WORDS; w++) {
		less.known.word[w] &= random_bits() | random_bits();
		less.has.word[w] &= less.known.word[w];
	}
	for (int slot = 0; slot < EVC_N_SLOTS; slot++)
		if (!evc_set_has(&less.known, evc_slots[slot]))
			less.value[slot] = 0;
	if (evc_cpu_fits(guest, host, NULL) != EVC_YES)
		assert_int_not_equal(evc_cpu_fits(guest, &less, NULL), EVC_YES);
}

static void laws_hold_for_random_cpus(void **state)
{
	struct evc_cpu a, b, c, level;

	(void)state;
	for (int i = 0; i < N_RANDOM; i++) {
		random_cpu(&a);
		random_cpu(&b);
		random_cpu(&c);
		hold_algebra(&a, &b, &c);
		level = merged(&a, &b);
		hold_bounds(&level, &a);
		hold_bounds(&level, &b);
		hold_fits(&level, &a);
		hold_fits(&level, &b);
		hold_closed(level);
		hold_doubt(&a, &b);
	}
}

/* ---- real machines ---- */

struct machines {
	struct evc_arena arena;
	struct evc_offer *offers;
	size_t n;
};

static void add_machines(struct machines *machines, const char *folder)
{
	static const struct evc_offer_options raw = { .view = EVC_VIEW_RAW };
	struct evc_hosts hosts = { 0 };
	struct evc_error err;

	if (evc_files_read(folder, &machines->arena, &hosts, &err) < 0) {
		print_message("# SKIP %s: %s\n", folder, err.text);
		return;
	}
	for (size_t i = 0; i < hosts.n && machines->n < MAX_MACHINES; i++)
		/* Without leaf 0 it is a mask of some bits and no machine. */
		if (hosts.items[i].reading != EVC_DAMAGED && hosts.items[i].n_cpus &&
		    evc_dump_highest(&hosts.items[i].cpus[0], 0) &&
		    evc_offer_make(&hosts.items[i], &raw, &machines->arena, &machines->offers[machines->n],
		                   NULL, &err) == EVC_OK)
			machines->n++;
}

static int read_machines(void **state)
{
	static const char *const own[] = { "story", "kvm-hosts", "guests", "machines" };
	static const char *const more[] = { "hwloc", "instlatx64", "libvirt" };
	struct machines *machines = calloc(1, sizeof(*machines));
	char folder[512];

	if (!machines)
		return -1;
	machines->offers = evc_arena_array(&machines->arena, MAX_MACHINES, sizeof(*machines->offers));
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		snprintf(folder, sizeof(folder), "%s/corpus/%s", getenv("EVC_SOURCE"), own[i]);
		add_machines(machines, folder);
	}
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		snprintf(folder, sizeof(folder), "%s/%s", getenv("EVC_MORE_CORPUS"), more[i]);
		add_machines(machines, folder);
	}
	print_message("# %zu machines\n", machines->n);
	*state = machines;
	return machines->n ? 0 : -1;
}

static int free_machines(void **state)
{
	struct machines *machines = *state;

	evc_arena_free(&machines->arena);
	free(machines);
	return 0;
}

static struct evc_cpu part_of(const struct evc_offer *offer)
{
	struct evc_cpu cpu = offer->cpu;

	evc_cpu_level_part(&cpu);
	return cpu;
}

static void laws_hold_for_all_pairs_of_machines(void **state)
{
	struct machines *machines = *state;

	for (size_t i = 0; i < machines->n; i++) {
		struct evc_cpu a = part_of(&machines->offers[i]);

		for (size_t j = i; j < machines->n; j++) {
			struct evc_cpu b = part_of(&machines->offers[j]);
			struct evc_cpu c = part_of(&machines->offers[random_bits() % machines->n]);
			struct evc_cpu level = merged(&a, &b);

			hold_algebra(&a, &b, &c);
			hold_bounds(&level, &a);
			hold_fits(&level, &b);
			hold_closed(level);
		}
	}
}

/* A dump as an offer, as if somebody had captured the guest. */
static struct evc_offer given(const struct evc_dump *dump)
{
	struct evc_offer offer = {
		.dump = *dump, .basis = EVC_OFFER_GIVEN, .kernel_tree = "", .qemu_tree = ""
	};

	evc_cpu_decode(dump, &offer.cpu);
	return offer;
}

static void assert_same_dump(const struct evc_dump *a, const struct evc_dump *b)
{
	assert_int_equal(a->n_leaves, b->n_leaves);
	assert_memory_equal(a->leaves, b->leaves, a->n_leaves * sizeof(*a->leaves));
	assert_int_equal(a->n_msrs, b->n_msrs);
	if (a->n_msrs)
		assert_memory_equal(a->msrs, b->msrs, a->n_msrs * sizeof(*a->msrs));
}

/* A guest at a mode on a host that has it: shows the mode, no more of it when asked again, and fits. */
static void hold_mode(struct machines *machines, const struct evc_offer *host, const struct evc_mode *mode)
{
	unsigned version = evc_mode_best_version(mode, &host->cpu);
	struct evc_dump dump, again;
	struct evc_offer guest;
	struct evc_misfit misfit;
	struct evc_set wanted, shown, lacks;

	if (!version)
		return;
	assert_int_equal(evc_vcpu_make(&evc_builtin_modes, mode, version, host, NULL, &machines->arena, &dump,
	                               NULL, NULL),
	                 EVC_OK);
	guest = given(&dump);
	if (evc_mode_satisfied(mode, version, &guest.cpu, &lacks, NULL) != EVC_YES)
		fail_msg("%s at %s@%u lacks %s", host->cpu.brand, mode->key, version,
		         evc_set_is_empty(&lacks) ? "nothing that is known"
		                                  : evc_features[evc_set_next(&lacks, 0)].name);
	wanted = evc_set_or(&evc_mode_version(mode, version)->features, &evc_builtin_modes.passes);
	shown = evc_set_and(&guest.cpu.has, &evc_rule_sets[EVC_RULE_AND]);
	assert_true(evc_set_within(&shown, &wanted));
	if (!mode->keeps_signature)
		assert_int_equal(
			guest.cpu.signature,
			evc_signature_pack(mode->family.value, mode->model.value, mode->stepping.value));
	assert_string_equal(guest.cpu.brand, host->cpu.brand);
	evc_cpu_fits(&guest.cpu, &host->cpu, &misfit);
	assert_true(evc_set_is_empty(&misfit.lacks));
	assert_int_equal(evc_vcpu_make(&evc_builtin_modes, mode, version, &guest, NULL, &machines->arena,
	                               &again, NULL, NULL),
	                 EVC_OK);
	assert_same_dump(&dump, &again);
}

static void every_version_of_a_mode_has_what_its_features_need(void **state)
{
	(void)state;
	for (size_t m = 0; m < evc_builtin_modes.n; m++) {
		const struct evc_mode *mode = evc_builtin_modes.items[m];

		for (size_t v = 0; v < mode->n_versions; v++) {
			const struct evc_set *features = &mode->versions[v].features;
			struct evc_cpu cpu = { .has = evc_set_or(features, &evc_builtin_modes.passes) };
			struct evc_set dropped;

			memset(&cpu.known, 0xff, sizeof(cpu.known));
			evc_cpu_close(&cpu, &dropped);
			dropped = evc_set_and(&dropped, features);
			if (!evc_set_is_empty(&dropped))
				fail_msg("%s@%zu: what %s needs is not in it", mode->key, v + 1,
				         evc_features[evc_set_next(&dropped, 0)].name);
		}
	}
}

static void a_guest_at_a_mode_shows_the_mode_and_fits_its_host(void **state)
{
	struct machines *machines = *state;
	size_t n = 0;

	for (size_t i = 0; i < machines->n; i++)
		for (size_t m = 0; m < evc_builtin_modes.n; m++, n++)
			hold_mode(machines, &machines->offers[i], evc_builtin_modes.items[m]);
	print_message("# %zu hosts at modes\n", n);
}

/* The order of hosts, and a host counted twice, change nothing that evc_level_make says. */
static void the_level_does_not_depend_on_order_or_repetition(void **state)
{
	enum { N = 6 };
	struct machines *machines = *state;
	static const struct evc_level_options options = { .mode = NULL };

	for (int round = 0; round < 300; round++) {
		struct evc_level_kind kinds[2 * N];
		struct evc_level one, other;
		struct evc_error err;

		for (int i = 0; i < N; i++) {
			kinds[i] = (struct evc_level_kind){
				.cpu = &machines->offers[random_bits() % machines->n].cpu,
				.name = "",
				.n_hosts = 1
			};
			kinds[2 * N - 1 - i] = kinds[i];
		}
		assert_int_equal(evc_level_make(&evc_builtin_modes, kinds, N, &options, &machines->arena,
		                                &one, NULL, &err),
		                 EVC_OK);
		assert_int_equal(evc_level_make(&evc_builtin_modes, kinds + N, N, &options, &machines->arena,
		                                &other, NULL, &err),
		                 EVC_OK);
		assert_true(evc_cpu_same_level(&one.cpu, &other.cpu));
		assert_ptr_equal(one.mode, other.mode);
		assert_int_equal(one.version, other.version);
		assert_int_equal(one.verdict, other.verdict);
		assert_int_equal(evc_level_make(&evc_builtin_modes, kinds, 2 * N, &options, &machines->arena,
		                                &other, NULL, &err),
		                 EVC_OK);
		assert_true(evc_cpu_same_level(&one.cpu, &other.cpu));
		assert_ptr_equal(one.mode, other.mode);
		assert_int_equal(one.version, other.version);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(laws_hold_for_random_cpus),
		cmocka_unit_test(laws_hold_for_all_pairs_of_machines),
		cmocka_unit_test(every_version_of_a_mode_has_what_its_features_need),
		cmocka_unit_test(a_guest_at_a_mode_shows_the_mode_and_fits_its_host),
		cmocka_unit_test(the_level_does_not_depend_on_order_or_repetition),
	};

	if (getenv("EVC_SEED"))
		seed = strtoull(getenv("EVC_SEED"), NULL, 0);
	print_message("# seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, read_machines, free_machines);
}
