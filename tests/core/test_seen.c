/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guests are told of flaws, and what programs make of a CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/linux_seen.h"
#include "core/machines.h"
#include "core/userland.h"
#include "core/vcpu.h"
#include "text/modes.h"

#include <string.h>

enum { MAX_HOSTS = 2 };

/* Two hosts at a mode: of which flaw is a guest not told that the first or second has. */
struct row {
	const char *name;
	const char *hosts[MAX_HOSTS];
	const char *mode;
	const char *untold; /* "file:host", "" none */
};

static const struct row rows[] = {
	{ .name = "a client's Kaby Lake at the server's Haswell: SRBDS is listed by models",
	  .hosts = { "story/kabylake", "machines/intel-haswell-2xxeon-e5-2680v3" },
	  .mode = "intel-haswell",
	  .untold = "srbds:story/kabylake retbleed:story/kabylake " },
	{ .name = "two hosts of the mode's own model: nothing",
	  .hosts = { "machines/intel-haswell-2xxeon-e5-2680v3", "machines/intel-haswell-2xxeon-e5-2680v3" },
	  .mode = "intel-haswell",
	  .untold = "" },
	{ .name = "a mode that hides TSX does not keep a guest from transactions",
	  .hosts = { "machines/intel-skylake-2xxeon6140", "machines/intel-skylake-2xxeon6140" },
	  .mode = "intel-skylake",
	  .untold = "tsx_async_abort:machines/intel-skylake-2xxeon6140 " },
	{ .name = "KVM hides of a CPU without transactions that their aborts do not affect it",
	  .hosts = { "kvm-hosts/xeon-6788p", "kvm-hosts/xeon-6788p" },
	  .mode = "intel-sapphirerapids",
	  .untold = "" },
	{ .name = "at a mode without AVX a gather is no flaw",
	  .hosts = { "machines/intel-skylake-2xxeon6140", "machines/intel-skylake-2xxeon6140" },
	  .mode = "intel-nehalem",
	  .untold = "tsx_async_abort:machines/intel-skylake-2xxeon6140 "
	            "retbleed:machines/intel-skylake-2xxeon6140 " },
};

static void see(const char *host, const char *mode_name, struct evc_arena *arena,
                struct evc_linux_seer *guest, struct evc_linux_seer *honest)
{
	struct evc_offer_options options = { .view = EVC_VIEW_KVM };
	struct evc_findings findings = { .arena = arena };
	const struct evc_linux_tree *tree;
	const struct evc_mode *mode;
	struct evc_linux_view view;
	struct evc_dump dump, own;
	struct evc_offer *offer = evc_arena_alloc(arena, sizeof(*offer));
	struct evc_host machine;
	unsigned version;

	assert_true(corpus_host(host, arena, &machine));
	if (machine.cpus && evc_dump_highest(machine.cpus, 0x40000000))
		options.view = EVC_VIEW_AUTO;
	assert_int_equal(evc_modes_find(&evc_builtin_modes, evc_span_from(mode_name), &mode, &version, NULL),
	                 0);
	assert_int_equal(evc_offer_make(&machine, &options, arena, offer, &findings, NULL), 0);
	assert_int_equal(
		evc_vcpu_make(&evc_builtin_modes, mode, 0, offer, NULL, arena, &dump, &findings, NULL), 0);
	assert_int_equal(evc_linux_honest(&dump, offer, arena, &own, NULL), 0);
	assert_int_equal(evc_linux_seen_tree(NULL, &tree, NULL), 0);
	guest->name = honest->name = host;
	evc_linux_see(tree, &dump, &view);
	evc_linux_flaws_told(&view, &dump, &guest->flaws);
	evc_linux_see(tree, &own, &view);
	evc_linux_flaws_told(&view, &own, &honest->flaws);
}

static void tells_of_flaws(void **state)
{
	const struct row *row = *state;
	struct evc_arena arena = { 0 };
	struct evc_findings findings = { .arena = &arena };
	struct evc_linux_seer guests[MAX_HOSTS], honest[MAX_HOSTS];
	const char *said = "";

	for (size_t i = 0; i < MAX_HOSTS; i++)
		see(row->hosts[i], row->mode, &arena, &guests[i], &honest[i]);
	evc_linux_find_untold(honest, MAX_HOSTS, guests, MAX_HOSTS, &findings);
	for (size_t i = 0; i < findings.n; i++) {
		assert_int_equal(findings.items[i].kind, EVC_FINDING_UNTOLD);
		assert_int_equal(findings.items[i].severity, EVC_WARNING);
		assert_false(!strcmp(findings.items[i].detail, "gather_data_sampling") &&
		             !strcmp(row->mode, "intel-nehalem"));
	}
	for (size_t i = 0; i < findings.n; i++)
		said = evc_arena_printf(&arena, "%s%s:%s ", said, findings.items[i].detail,
		                        findings.items[i].subject);
	assert_string_equal(said, row->untold);
	evc_arena_free(&arena);
}

/* A guest of this dump; each bit that is known of it stays. */
static void make_guest(const struct evc_dump *dump, enum evc_feature_id without, struct evc_arena *arena,
                       struct evc_dump *ret_dump)
{
	struct evc_bit guest = evc_features[EVC_F_HYPERVISOR].bit, hidden = evc_features[without].bit;
	struct evc_dump_builder builder;
	struct evc_leaf leaf = { .leaf = guest.leaf };

	evc_dump_begin(&builder, arena);
	evc_dump_copy(&builder, dump);
	leaf.value[guest.reg] = leaf.known[guest.reg] = (uint32_t)evc_bit_mask(guest);
	evc_dump_set_bits(&builder, &leaf);
	if (without != EVC_F_HYPERVISOR) {
		leaf = (struct evc_leaf){ .leaf = hidden.leaf, .subleaf = hidden.subleaf };
		leaf.known[hidden.reg] = (uint32_t)evc_bit_mask(hidden);
		evc_dump_set_bits(&builder, &leaf);
	}
	assert_int_equal(evc_dump_finish(&builder, ret_dump, NULL), 0);
}

/*
 * Whatever one feature a level hides, a flaw of the host is known when it is asked for; but of gathers, which
 * no guest can do without AVX.
 */
static void knows_each_flaw_whatever_is_hidden(void **state)
{
	static const char *const hosts[] = { "story/kabylake", "machines/intel-skylake-2xxeon6140",
		                             "machines/intel-haswell-2xxeon-e5-2680v3",
		                             "machines/amd-19h-zen3-2xepyc-7763",
		                             "machines/amd-17h-zen-2xepyc-7451" };
	const struct evc_linux_tree *tree;
	unsigned n_affected = 0;

	(void)state;
	assert_int_equal(evc_linux_seen_tree(NULL, &tree, NULL), 0);
	for (size_t h = 0; h < sizeof(hosts) / sizeof(hosts[0]); h++) {
		struct evc_arena arena = { 0 };
		struct evc_linux_flaws whole, honest;
		struct evc_linux_view view;
		struct evc_offer offer = { 0 };
		struct evc_dump guest, own;
		struct evc_host host;

		assert_true(corpus_host(hosts[h], &arena, &host));
		make_guest(&host.cpus[0], EVC_F_HYPERVISOR, &arena, &offer.dump);
		evc_cpu_decode(&host.cpus[0], &offer.silicon);
		evc_linux_see(tree, &offer.dump, &view);
		evc_linux_flaws_told(&view, &offer.dump, &whole);
		for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
			if (evc_features[id].rule != EVC_RULE_AND || evc_features[id].bit.reg == EVC_MSR ||
			    evc_features[id].bit.lo != evc_features[id].bit.hi ||
			    !evc_dump_get(&offer.dump, evc_features[id].bit, NULL))
				continue;
			make_guest(&host.cpus[0], (enum evc_feature_id)id, &arena, &guest);
			assert_int_equal(evc_linux_honest(&guest, &offer, &arena, &own, NULL), 0);
			evc_linux_see(tree, &own, &view);
			evc_linux_flaws_told(&view, &own, &honest);
			for (size_t f = 0; f < whole.n; f++) {
				bool affected = whole.affected[f] == EVC_PRESENT;

				n_affected += affected;
				if (affected && honest.affected[f] == EVC_ABSENT &&
				    (strcmp(whole.files[f]->name, "gather_data_sampling") != 0 ||
				     id != EVC_F_AVX))
					fail_msg("%s without %s: %s is forgotten", hosts[h],
					         evc_features[id].name, whole.files[f]->name);
			}
		}
		evc_arena_free(&arena);
	}
	assert_true(n_affected > 1000);
}

/* What an unknown MSR would decide is told of nobody. */
static void keeps_what_is_not_known(void **state)
{
	struct evc_arena arena = { 0 };
	struct evc_findings findings = { .arena = &arena };
	struct evc_linux_seer guest, honest;

	(void)state;
	see("story/kabylake", "intel-haswell", &arena, &guest, &honest);
	evc_linux_find_untold(&honest, 1, &guest, 1, &findings);
	for (size_t i = 0; i < findings.n; i++)
		assert_string_not_equal(findings.items[i].detail, "mmio_stale_data");
	evc_arena_free(&arena);
}

/* A machine, and how programs see it. */
struct program_row {
	const char *name, *host;
	const char *best_hwcaps; /* "" none */
	const char *march;       /* of the newest GCC */
	const char *lscpu;       /* the hypervisor's name */
};

static const struct program_row program_rows[] = {
	{ .name = "Skylake with AVX-512",
	  .host = "machines/intel-skylake-2xxeon6140",
	  .best_hwcaps = "x86-64-v4",
	  .march = "skylake-avx512" },
	{ .name = "a Kaby Lake under VMware",
	  .host = "story/kabylake",
	  .best_hwcaps = "x86-64-v3",
	  .march = "skylake",
	  .lscpu = "VMware" },
	{ .name = "the same at Haswell: the compiler goes by the model",
	  .host = "story/kabylake-haswell",
	  .best_hwcaps = "x86-64-v3",
	  .march = "haswell",
	  .lscpu = "VMware" },
	{ .name = "Zen 4 by what it can",
	  .host = "machines/amd-19h-zen4-2xepyc-9654",
	  .best_hwcaps = "x86-64-v4",
	  .march = "znver4" },
	{ .name = "Westmere",
	  .host = "machines/intel-westmere-2xxeon-x5650",
	  .best_hwcaps = "x86-64-v2",
	  .march = "westmere" },
	{ .name = "a K8",
	  .host = "machines/amd-k8-sledgehammer-2xopteron-250",
	  .best_hwcaps = "",
	  .march = "k8" },
};

static void shows_to_programs(void **state)
{
	const struct program_row *row = *state;
	struct evc_arena arena = { 0 };
	const struct evc_linux_tree *tree;
	struct evc_linux_view view;
	struct evc_userland userland;
	struct evc_host host;
	struct evc_cpu cpu;
	const char *best = "";

	assert_true(corpus_host(row->host, &arena, &host));
	assert_int_equal(evc_linux_seen_tree(NULL, &tree, NULL), 0);
	evc_linux_see(tree, host.cpus, &view);
	evc_cpu_decode(host.cpus, &cpu);
	evc_userland_see(&cpu, &view, &userland);
	for (size_t i = evc_n_userland_hwcaps; i-- > 0;)
		if (userland.hwcaps[i] == EVC_PRESENT)
			best = evc_userland_hwcaps[i].name;
	assert_string_equal(best, row->best_hwcaps);
	assert_non_null(userland.march[EVC_USERLAND_GCCS - 1]);
	assert_string_equal(userland.march[EVC_USERLAND_GCCS - 1], row->march);
	if (row->lscpu)
		assert_string_equal(userland.hypervisor.lscpu, row->lscpu);
	else
		assert_null(userland.hypervisor.lscpu);
	evc_arena_free(&arena);
}

int main(void)
{
	enum {
		N = sizeof(rows) / sizeof(rows[0]),
		N_PROGRAMS = sizeof(program_rows) / sizeof(program_rows[0])
	};
	struct CMUnitTest tests[N + N_PROGRAMS + 2];

	for (size_t i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
			                        .test_func = tells_of_flaws,
			                        .initial_state = (void *)&rows[i] };
	for (size_t i = 0; i < N_PROGRAMS; i++)
		tests[N + i] = (struct CMUnitTest){ .name = program_rows[i].name,
			                            .test_func = shows_to_programs,
			                            .initial_state = (void *)&program_rows[i] };
	tests[N + N_PROGRAMS] =
		(struct CMUnitTest){ .name = "what an MSR decides that nobody read is told of nobody",
		                     .test_func = keeps_what_is_not_known };
	tests[N + N_PROGRAMS + 1] = (struct CMUnitTest){
		.name = "no flaw is forgotten by hiding a feature, but gathers without AVX",
		.test_func = knows_each_flaw_whatever_is_hidden
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
