/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Levels of small clusters: the mode, who holds it down, why, and what could be done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/level.h"
#include "core/machines.h"
#include "text/modes.h"

#include <stdio.h>
#include <string.h>

#define HASWELL "intel-haswell-2xxeon-e5-2680v3"
#define BROADWELL "intel-broadwell-2xxeon-e5-2650lv4"
#define SKYLAKE "intel-skylake-2xxeon6140"
#define CASCADELAKE "intel-cascadelake-2xxeon6230"
#define NAPLES "amd-17h-zen-2xepyc-7451"
#define ROME "zen2-amd-ryzen-threadripper-pro-3955wx-16-cores"

enum { MOST = 48 };

/* A cluster that is being made up, and its level. */
struct cluster {
	struct evc_cpu cpus[MOST];
	struct evc_check_side sides[MOST];
	struct evc_level_kind kinds[MOST];
	size_t n;
	const struct evc_modes *modes;
	struct evc_level_options options;
	struct evc_level level;
	struct evc_findings findings;
};

static struct cluster *new_cluster(void)
{
	struct cluster *cluster = evc_arena_alloc(&arena, sizeof(*cluster));

	assert_non_null(cluster);
	cluster->findings.arena = &arena;
	cluster->modes = &evc_builtin_modes;
	return cluster;
}

/* One more host; what the cluster knows of it is its own copy, to be changed. */
static struct evc_cpu *add_host(struct cluster *cluster, const char *machine, const char *name)
{
	size_t i = cluster->n++;

	assert_true(machine_read(machine, &arena, &cluster->cpus[i]));
	cluster->sides[i] = (struct evc_check_side){ .name = name,
		                                     .cpu = &cluster->cpus[i],
		                                     .silicon = &cluster->cpus[i] };
	cluster->kinds[i] = (struct evc_level_kind){
		.cpu = &cluster->cpus[i], .name = name, .n_hosts = 1, .side = &cluster->sides[i]
	};
	return &cluster->cpus[i];
}

static const struct evc_mode *mode_called(const char *key)
{
	const struct evc_mode *mode;
	unsigned version;
	struct evc_error err;

	assert_int_equal(evc_modes_find(&evc_builtin_modes, evc_span_from(key), &mode, &version, &err),
	                 EVC_OK);
	return mode;
}

static void make_level(struct cluster *cluster)
{
	struct evc_error err;

	assert_int_equal(evc_level_make(cluster->modes, cluster->kinds, cluster->n, &cluster->options, &arena,
	                                &cluster->level, &cluster->findings, &err),
	                 EVC_OK);
}

static void set_truth(struct evc_cpu *cpu, enum evc_feature_id id, enum evc_truth truth)
{
	evc_set_drop(&cpu->has, id);
	evc_set_drop(&cpu->known, id);
	if (truth != EVC_UNSURE)
		evc_set_add(&cpu->known, id);
	if (truth == EVC_PRESENT)
		evc_set_add(&cpu->has, id);
}

static const struct evc_finding *find(const struct cluster *cluster, enum evc_finding_kind kind,
                                      enum evc_feature_id id, const char *subject)
{
	for (size_t i = 0; i < cluster->findings.n; i++) {
		const struct evc_finding *finding = &cluster->findings.items[i];

		if (finding->kind == kind && finding->feature == id && !strcmp(finding->subject, subject))
			return finding;
	}
	return NULL;
}

static const struct evc_finding *find_gain(const struct cluster *cluster, const char *subject, bool mended)
{
	for (size_t i = 0; i < cluster->findings.n; i++) {
		const struct evc_finding *finding = &cluster->findings.items[i];

		if (finding->kind == EVC_FINDING_GAIN && !strcmp(finding->subject, subject) &&
		    (finding->cause != EVC_CAUSE_NONE) == mended)
			return finding;
	}
	return NULL;
}

/* Clusters of real machines as they are. */
static const struct {
	const char *name;
	const char *hosts[4];
	bool across_vendors;
	enum evc_verdict verdict;
	const char *mode;    /* NULL: none */
	const char *holder;  /* alone, NULL: nobody is */
	const char *without; /* the level without it */
} clusters[] = {
	{ .name = "one host has its own level",
	  .hosts = { SKYLAKE },
	  .verdict = EVC_YES,
	  .mode = "intel-skylake" },
	{ .name = "the oldest host holds the level down",
	  .hosts = { SKYLAKE, HASWELL, BROADWELL },
	  .verdict = EVC_YES,
	  .mode = "intel-haswell",
	  .holder = HASWELL,
	  .without = "intel-broadwell" },
	{ .name = "of two old hosts neither holds it down alone",
	  .hosts = { SKYLAKE, HASWELL, HASWELL },
	  .verdict = EVC_YES,
	  .mode = "intel-haswell" },
	{ .name = "vendors are not mixed unless asked for",
	  .hosts = { SKYLAKE, NAPLES },
	  .verdict = EVC_NO,
	  .mode = "x86-64-v3" },
	{ .name = "mixed vendors have a level of the psABI",
	  .hosts = { SKYLAKE, ROME, HASWELL },
	  .across_vendors = true,
	  .verdict = EVC_YES,
	  .mode = "x86-64-v3",
	  .holder = ROME,
	  .without = "intel-haswell" },
};

static void finds_the_mode_and_who_holds_it_down(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(clusters) / sizeof(clusters[0]); c++) {
		struct cluster *cluster = new_cluster();
		const char *holder = NULL, *without = NULL;

		for (size_t i = 0; i < 4 && clusters[c].hosts[i]; i++)
			add_host(cluster, clusters[c].hosts[i], clusters[c].hosts[i]);
		cluster->options.across_vendors = clusters[c].across_vendors;
		make_level(cluster);
		print_message("# %s\n", clusters[c].name);
		assert_int_equal(cluster->level.verdict, clusters[c].verdict);
		assert_string_equal(cluster->level.mode->key, clusters[c].mode);
		for (size_t i = 0; i < cluster->n; i++) {
			if (!cluster->level.parts[i].holds_down)
				continue;
			assert_null(holder);
			holder = cluster->kinds[i].name;
			without = cluster->level.parts[i].without->key;
		}
		assert_int_equal(!holder, !clusters[c].holder);
		if (!holder)
			continue;
		assert_string_equal(holder, clusters[c].holder);
		assert_string_equal(without, clusters[c].without);
		assert_non_null(find_gain(cluster, holder, false));
	}
}

static void names_hosts_that_hold_it_down_together(void **state)
{
	struct cluster *cluster = new_cluster();
	const struct evc_finding *gain;

	(void)state;
	add_host(cluster, SKYLAKE, "new");
	add_host(cluster, HASWELL, "old1");
	add_host(cluster, HASWELL, "old2");
	add_host(cluster, HASWELL, "old3");
	make_level(cluster);
	assert_non_null(find(cluster, EVC_FINDING_HOLDS_DOWN, EVC_F_ADX, "old1"));
	assert_non_null(find(cluster, EVC_FINDING_HOLDS_DOWN, EVC_F_ADX, "old3"));
	assert_int_equal(find(cluster, EVC_FINDING_HOLDS_DOWN, EVC_F_ADX, "old1")->cause, EVC_CAUSE_OLDER);
	gain = find_gain(cluster, "old1, old2 and 1 more", false);
	assert_non_null(gain);
	assert_string_equal(gain->other, "intel-skylake");
	assert_null(find(cluster, EVC_FINDING_HOLDS_DOWN, EVC_F_ADX, "new"));
	/* Not the microcode that they lack as well. */
	assert_true(evc_set_has(&cluster->level.parts[2].lacks, EVC_F_ADX));
}

static void tells_what_mending_the_firmware_would_gain(void **state)
{
	struct cluster *cluster = new_cluster();
	struct evc_cpu *cpu;
	const struct evc_finding *lacks, *gain;

	(void)state;
	add_host(cluster, SKYLAKE, "good");
	cpu = add_host(cluster, SKYLAKE, "bad");
	evc_set_drop(&cpu->has, EVC_F_AES);
	make_level(cluster);
	assert_string_equal(cluster->level.mode->key, "intel-nehalem");
	assert_true(cluster->level.parts[1].holds_down);
	lacks = find(cluster, EVC_FINDING_HOLDS_DOWN, EVC_F_AES, "bad");
	assert_non_null(lacks);
	assert_int_equal(lacks->cause, EVC_CAUSE_FIRMWARE);
	gain = find_gain(cluster, "bad", true);
	assert_non_null(gain);
	assert_int_equal(gain->cause, EVC_CAUSE_FIRMWARE);
	assert_string_equal(gain->other, "intel-skylake");
}

static void tells_what_new_microcode_would_gain(void **state)
{
	struct cluster *cluster = new_cluster();
	const struct evc_finding *lacks, *gain;

	(void)state;
	/* Captured before 2018: the generation's mode has had four more versions since. */
	add_host(cluster, HASWELL, "old");
	make_level(cluster);
	assert_int_equal(cluster->level.version, 1);
	lacks = find(cluster, EVC_FINDING_HOLDS_DOWN, EVC_F_SPEC_CTRL, "old");
	assert_non_null(lacks);
	assert_int_equal(lacks->cause, EVC_CAUSE_MICROCODE);
	gain = find_gain(cluster, "old", true);
	assert_non_null(gain);
	assert_int_equal(gain->cause, EVC_CAUSE_MICROCODE);
	assert_string_equal(gain->other, "intel-haswell@5");
}

static void does_not_promise_what_silicon_lacks(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	add_host(cluster, SKYLAKE, "new");
	add_host(cluster, HASWELL, "old");
	make_level(cluster);
	for (size_t i = 0; i < cluster->findings.n; i++)
		if (cluster->findings.items[i].kind == EVC_FINDING_GAIN &&
		    cluster->findings.items[i].cause != EVC_CAUSE_NONE)
			assert_memory_equal(cluster->findings.items[i].other, "intel-haswell@", 14);
}

static void an_unreadable_host_makes_the_answer_unknown(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	add_host(cluster, SKYLAKE, "good");
	cluster->kinds[cluster->n++] =
		(struct evc_level_kind){ .name = "torn", .n_hosts = 3, .why = "torn:1:1: what is this" };
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_UNKNOWN);
	assert_int_equal(cluster->level.n_hosts, 4);
	assert_int_equal(cluster->level.n_unreadable, 3);
	assert_string_equal(cluster->level.mode->key, "intel-skylake");
	assert_non_null(find(cluster, EVC_FINDING_UNREADABLE, EVC_N_FEATURES, "torn"));
}

static void nothing_readable_has_no_level(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	cluster->kinds[cluster->n++] = (struct evc_level_kind){ .name = "torn", .n_hosts = 1, .why = "torn" };
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_UNKNOWN);
	assert_null(cluster->level.mode);
	assert_true(evc_set_is_empty(&cluster->level.cpu.has));
}

static void an_unknown_bit_is_no_yes(void **state)
{
	struct cluster *cluster = new_cluster();
	const struct evc_finding *unsure;
	struct evc_cpu *cpu = add_host(cluster, SKYLAKE, "short");

	(void)state;
	add_host(cluster, SKYLAKE, "good");
	evc_set_drop(&cpu->has, EVC_F_PKU);
	evc_set_drop(&cpu->known, EVC_F_PKU);
	make_level(cluster);
	assert_string_equal(cluster->level.mode->key, "intel-broadwell");
	unsure = find(cluster, EVC_FINDING_UNSURE, EVC_F_PKU, "short");
	assert_non_null(unsure);
	assert_int_equal(unsure->severity, EVC_NOTE);
	assert_int_equal(unsure->cause, EVC_CAUSE_DUMP);
	assert_string_equal(unsure->detail, "nothing else keeps it from intel-skylake");
	assert_false(evc_set_has(&cluster->level.cpu.known, EVC_F_PKU));
}

static void a_wanted_mode_is_doubted_by_unknown_and_blocked_by_absent(void **state)
{
	struct cluster *cluster = new_cluster();
	struct evc_cpu *cpu = add_host(cluster, SKYLAKE, "short");

	(void)state;
	evc_set_drop(&cpu->has, EVC_F_PKU);
	evc_set_drop(&cpu->known, EVC_F_PKU);
	cluster->options.mode = mode_called("intel-skylake");
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_UNKNOWN);
	assert_int_equal(find(cluster, EVC_FINDING_UNSURE, EVC_F_PKU, "short")->severity, EVC_DOUBT);

	evc_set_add(&cpu->known, EVC_F_PKU);
	cluster->findings.n = 0;
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_NO);
	assert_int_equal(find(cluster, EVC_FINDING_LACKS, EVC_F_PKU, "short")->severity, EVC_BLOCKS);
}

static void a_level_below_the_floor_is_no(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	add_host(cluster, HASWELL, "old");
	cluster->options.floor = mode_called("intel-haswell");
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_YES);
	cluster->options.floor = mode_called("intel-broadwell");
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_NO);
	assert_non_null(find(cluster, EVC_FINDING_FLOOR, EVC_N_FEATURES, "intel-haswell"));
}

static void a_floor_that_may_be_reached_is_a_doubt(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	set_truth(add_host(cluster, SKYLAKE, "short"), EVC_F_PKU, EVC_UNSURE);
	cluster->options.floor = mode_called("intel-skylake");
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_UNKNOWN);
	/* What is wanted is below it, whatever else the hosts may have. */
	cluster->options.mode = mode_called("intel-haswell");
	cluster->findings.n = 0;
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_NO);
	assert_int_equal(find(cluster, EVC_FINDING_FLOOR, EVC_N_FEATURES, "intel-haswell")->severity,
	                 EVC_BLOCKS);
}

static void hosts_without_a_common_mode_have_features_in_common_all_the_same(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	add_host(cluster, HASWELL, "new");
	add_host(cluster, "p6-intel-pentium-m-processor-1.60ghz", "old"); /* of 32 bits */
	make_level(cluster);
	assert_int_equal(cluster->level.verdict, EVC_NO);
	assert_null(cluster->level.mode);
	assert_null(cluster->level.psabi);
	assert_true(evc_set_has(&cluster->level.extra, EVC_F_SSE2));
}

static void mending_promises_nothing_that_is_not_known(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	/* Without PKU, which nobody knows, new microcode gains newer versions of Broadwell's mode only. */
	set_truth(add_host(cluster, SKYLAKE, "short"), EVC_F_PKU, EVC_UNSURE);
	make_level(cluster);
	assert_non_null(find_gain(cluster, "short", true));
	for (size_t i = 0; i < cluster->findings.n; i++)
		if (cluster->findings.items[i].kind == EVC_FINDING_GAIN)
			assert_memory_equal(cluster->findings.items[i].other, "intel-broadwell@", 16);
}

static void only_without_who_holds_it_down_the_level_would_be_higher(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	add_host(cluster, SKYLAKE, "a");
	add_host(cluster, HASWELL, "old");
	add_host(cluster, CASCADELAKE, "b");
	make_level(cluster);
	assert_string_equal(find_gain(cluster, "old", false)->other, "intel-skylake");
	assert_null(find_gain(cluster, "a", false));
	assert_null(find_gain(cluster, "b", false));
}

/* A warning that the first host gives, by what the second says of it. */
static const struct {
	enum evc_truth second;
	enum evc_truth level;
	bool said;
	enum evc_cause cause;
} warnings[] = {
	{ .second = EVC_PRESENT, .level = EVC_PRESENT },
	{ .second = EVC_ABSENT, .level = EVC_ABSENT, .said = true, .cause = EVC_CAUSE_NONE },
	{ .second = EVC_UNSURE, .level = EVC_UNSURE, .said = true, .cause = EVC_CAUSE_DUMP },
};

static void a_warning_that_a_host_cannot_show_is_said(void **state)
{
	(void)state;
	for (size_t w = 0; w < sizeof(warnings) / sizeof(warnings[0]); w++) {
		struct cluster *cluster = new_cluster();
		const struct evc_finding *finding;

		set_truth(add_host(cluster, SKYLAKE, "warned"), EVC_F_RSBA, EVC_PRESENT);
		set_truth(add_host(cluster, SKYLAKE, "silent"), EVC_F_RSBA, warnings[w].second);
		make_level(cluster);
		assert_int_equal(evc_cpu_truth(&cluster->level.cpu, EVC_F_RSBA), warnings[w].level);
		finding = find(cluster, EVC_FINDING_UNREACHABLE, EVC_F_RSBA, "silent");
		assert_int_equal(finding != NULL, warnings[w].said);
		if (!finding)
			continue;
		assert_string_equal(finding->other, "warned");
		assert_int_equal(finding->cause, warnings[w].cause);
		assert_int_equal(finding->severity, EVC_WARNING);
	}
}

static void an_immunity_that_not_all_hosts_have_is_said(void **state)
{
	struct cluster *cluster = new_cluster();
	const struct evc_finding *finding;

	(void)state;
	set_truth(add_host(cluster, SKYLAKE, "affected"), EVC_F_PSCHANGE_MC_NO, EVC_ABSENT);
	set_truth(add_host(cluster, SKYLAKE, "immune"), EVC_F_PSCHANGE_MC_NO, EVC_PRESENT);
	make_level(cluster);
	finding = find(cluster, EVC_FINDING_SECURITY, EVC_F_PSCHANGE_MC_NO, "affected");
	assert_non_null(finding);
	assert_string_equal(finding->other, "immune");
	assert_false(evc_set_has(&cluster->level.cpu.has, EVC_F_PSCHANGE_MC_NO));
}

static void lists_a_few_of_many_and_counts_the_rest(void **state)
{
	struct cluster *cluster = new_cluster();
	const struct evc_finding *note;
	size_t n = 0;

	(void)state;
	add_host(cluster, SKYLAKE, "new");
	for (int i = 0; i < MOST - 1; i++)
		add_host(cluster, HASWELL, evc_arena_printf(&arena, "old%d", i));
	make_level(cluster);
	for (size_t i = 0; i < cluster->findings.n; i++)
		n += cluster->findings.items[i].kind == EVC_FINDING_HOLDS_DOWN &&
		     cluster->findings.items[i].feature == EVC_F_ADX;
	assert_int_equal(n, EVC_LEVEL_LISTED);
	note = find(cluster, EVC_FINDING_NOTE, EVC_N_FEATURES, "");
	assert_non_null(note);
	assert_string_equal(note->detail, "35 more kinds of host are below intel-broadwell");
	assert_false(evc_set_is_empty(&cluster->level.parts[MOST - 1].lacks));
}

/* Modes of one's own come last in the order, and may lie anywhere. */
static void prefers_the_mode_that_no_other_covers(void **state)
{
	static const char text[] =
		"mode site-odd\nlabel Odd  @chosen\nfrom intel-haswell\ntracks intel  @chosen\n"
		"tier 6  @chosen\nadds rtm  @chosen\n"
		"mode site-small\nlabel Small  @chosen\nfrom intel-haswell\n"
		"tracks intel  @chosen\ntier 6  @chosen\nadds rdseed  @chosen\n";
	struct evc_modes more = evc_builtin_modes;
	struct cluster *cluster = new_cluster();
	struct evc_error err;

	(void)state;
	assert_int_equal(evc_modes_parse(evc_span_from(text), "site.modes", &arena, &more, &err), EVC_OK);
	add_host(cluster, CASCADELAKE, "host");
	cluster->modes = &more;
	make_level(cluster);
	for (size_t m = 0; m < more.n; m++)
		if (evc_mode_covers(more.items[m], cluster->level.mode) &&
		    !evc_mode_covers(cluster->level.mode, more.items[m]))
			assert_int_equal(evc_mode_best_version(more.items[m], &cluster->cpus[0]), 0);
	assert_ptr_equal(cluster->level.parts[0].best, cluster->level.mode);
}

static void widths_of_addresses_that_differ_are_said(void **state)
{
	static const struct {
		uint64_t bits[3]; /* 0: not known */
		const char *narrow, *wide;
	} rows[] = {
		{ .bits = { 46, 46, 46 } },
		{ .bits = { 46, 39, 52 }, .narrow = "b", .wide = "c" },
		{ .bits = { 39, 46, 46 }, .narrow = "a", .wide = "b" },
		{ .bits = { 46, 0, 46 } },
		{ .bits = { 0, 46, 39 }, .narrow = "c", .wide = "b" },
	};
	static const char *const names[] = { "a", "b", "c" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cluster *cluster = new_cluster();
		const struct evc_finding *said;

		for (int k = 0; k < 3; k++) {
			struct evc_cpu *cpu = add_host(cluster, HASWELL, names[k]);

			cpu->value[evc_features[EVC_F_PHYS_ADDR_BITS].slot] = rows[i].bits[k];
			set_truth(cpu, EVC_F_PHYS_ADDR_BITS, rows[i].bits[k] ? EVC_PRESENT : EVC_UNSURE);
		}
		make_level(cluster);
		said = find(cluster, EVC_FINDING_NOTE, EVC_F_PHYS_ADDR_BITS,
		            rows[i].narrow ? rows[i].narrow : "a");
		assert_int_equal(!!said, !!rows[i].narrow);
		if (said)
			assert_string_equal(said->other, rows[i].wide);
	}
}

static void the_baseline_is_what_all_have(void **state)
{
	struct cluster *cluster = new_cluster();

	(void)state;
	add_host(cluster, SKYLAKE, "new");
	add_host(cluster, HASWELL, "old");
	make_level(cluster);
	assert_true(evc_set_has(&cluster->level.cpu.has, EVC_F_AVX2));
	assert_false(evc_set_has(&cluster->level.cpu.has, EVC_F_AVX512F));
	assert_true(evc_set_has(&cluster->level.extra, EVC_F_MONITOR));
	assert_false(evc_set_has(&cluster->level.extra, EVC_F_AVX2));
	assert_string_equal(cluster->level.psabi->key, "x86-64-v3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_mode_and_who_holds_it_down),
		cmocka_unit_test(names_hosts_that_hold_it_down_together),
		cmocka_unit_test(tells_what_mending_the_firmware_would_gain),
		cmocka_unit_test(tells_what_new_microcode_would_gain),
		cmocka_unit_test(does_not_promise_what_silicon_lacks),
		cmocka_unit_test(an_unreadable_host_makes_the_answer_unknown),
		cmocka_unit_test(nothing_readable_has_no_level),
		cmocka_unit_test(an_unknown_bit_is_no_yes),
		cmocka_unit_test(a_wanted_mode_is_doubted_by_unknown_and_blocked_by_absent),
		cmocka_unit_test(a_level_below_the_floor_is_no),
		cmocka_unit_test(a_floor_that_may_be_reached_is_a_doubt),
		cmocka_unit_test(hosts_without_a_common_mode_have_features_in_common_all_the_same),
		cmocka_unit_test(mending_promises_nothing_that_is_not_known),
		cmocka_unit_test(only_without_who_holds_it_down_the_level_would_be_higher),
		cmocka_unit_test(a_warning_that_a_host_cannot_show_is_said),
		cmocka_unit_test(an_immunity_that_not_all_hosts_have_is_said),
		cmocka_unit_test(lists_a_few_of_many_and_counts_the_rest),
		cmocka_unit_test(prefers_the_mode_that_no_other_covers),
		cmocka_unit_test(widths_of_addresses_that_differ_are_said),
		cmocka_unit_test(the_baseline_is_what_all_have),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
