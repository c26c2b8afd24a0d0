/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modes against machines that are not ours: every server of a generation has its generation's mode
 * and so all below it, and QEMU's guests of a named model have the mode of that name but for what
 * QEMU's own CPU emulation cannot show.  What lacks something is listed here by name, with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/generation.h"
#include "text/format.h"
#include "text/modes.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first host of a dump; false when the file is no dump. */
static bool read_cpu(const char *path, struct evc_arena *memory, struct evc_cpu *ret_cpu)
{
	struct evc_hosts hosts = { 0 };
	struct evc_error err;
	FILE *file = fopen(path, "re");
	char *text;
	long size;
	int status;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = malloc((size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)size, file), size);
	fclose(file);
	status = evc_hosts_read((struct evc_span){ .text = text, .length = (size_t)size }, path, memory,
	                        &hosts, &err);
	if (!status && hosts.n)
		evc_cpu_decode(&hosts.items[0].cpus[0], ret_cpu);
	free(text);
	return !status && hosts.n > 0;
}

/*
 * Who lacks what of the mode of their generation.  The generations' rows are of silicon that was
 * sold for servers too; clients and cut-down parts of it are named here by their brand.
 */
static struct {
	const char *part; /* of brand or path */
	const char *lacks;
	const char *why;
	bool own; /* in our own corpus, so it must be met */
	int met;
} exceptions[] = {
	{ .part = "amd-k10-istanbul-8xopteron-8439se",
	  .lacks = "nx",
	  .why = "NX is switched off in firmware",
	  .own = true },
	{ .part = "intel-ivybridge-12xxeon-e5-4620v2",
	  .lacks = "aes",
	  .why = "AES is switched off in firmware",
	  .own = true },
	{ .part = "Hygon",
	  .lacks = "pclmulqdq aes rdrand rdseed sha-ni",
	  .why = "AMD's design with other cryptography" },
	{ .part = "kvm-hosts/ice-lake-server", .lacks = "md-clear", .why = "an early sample", .own = true },
	{ .part = "Ryzen", .lacks = "pcid", .why = "PCID is in EPYC only", .own = true },
	{ .part = "Core(TM) i7-7800X", .lacks = "pku xcr0-pkru", .why = "a client", .own = true },
	{ .part = "Core(TM) i9-", .lacks = "pku xcr0-pkru", .why = "clients" },
	{ .part = "Pentium",
	  .lacks = "sse4.1 fma avx f16c bmi1 avx2 bmi2 smep adx xcr0-avx",
	  .why = "cut-down parts",
	  .own = true },
	{ .part = "Celeron", .lacks = "sse4.1 aes avx f16c rdrand xcr0-avx nx", .why = "cut-down parts" },
	{ .part = "Core(TM) i3-3220T", .lacks = "aes rdrand", .why = "a cut-down part, old microcode" },
	{ .part = "Core(TM)2 Quad CPU    Q6600", .lacks = "nx", .why = "XD is switched off in firmware" },
	{ .part = "Athlon(tm) II P320", .lacks = "misalignsse", .why = "a client" },
};

static int n_servers, n_full, n_unsure, n_excepted, n_failed;

static void names_of(const struct evc_set *set, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	EVC_SET_FOREACH(id, set)
	if (n < size)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? " " : "", evc_features[id].name);
}

static bool contains_nocase(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

static bool has_word(const char *words, const char *word)
{
	struct evc_span rest = evc_span_from(words), one;

	while (evc_span_word(&rest, &one))
		if (evc_span_equals(one, word))
			return true;
	return false;
}

static bool is_excepted(const char *path, const struct evc_cpu *cpu, const struct evc_set *lacks)
{
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		bool all = contains_nocase(path, exceptions[i].part) ||
		           contains_nocase(cpu->brand, exceptions[i].part);

		EVC_SET_FOREACH(id, lacks)
		all = all && has_word(exceptions[i].lacks, evc_features[id].name);
		exceptions[i].met += all;
		if (all)
			return true;
	}
	return false;
}

static void judge(const char *path, const struct evc_cpu *cpu, const struct evc_generation *generation)
{
	struct evc_span key = evc_span_from(generation->mode);
	const struct evc_mode *mode;
	struct evc_set lacks, unsure;
	struct evc_error err;
	unsigned version;
	char names[512];

	assert_int_equal(evc_modes_find(&evc_builtin_modes, key, &mode, &version, &err), 0);
	n_servers++;
	evc_mode_satisfied(mode, 1, cpu, &lacks, &unsure);
	names_of(&lacks, names, sizeof(names));
	if (names[0] && is_excepted(path, cpu, &lacks)) {
		n_excepted++;
	} else if (names[0] || !(cpu->vendor & mode->vendors)) {
		n_failed++;
		printf("# %s: %s, %s: lacks %s of %s\n", path, generation->product, cpu->brand, names,
		       mode->key);
	} else if (!evc_set_is_empty(&unsure)) {
		n_unsure++;
	} else {
		n_full++;
		for (size_t i = 0; i < evc_builtin_modes.n; i++)
			if (evc_mode_covers(mode, evc_builtin_modes.items[i]))
				assert_true(evc_mode_best_version(evc_builtin_modes.items[i], cpu) > 0);
	}
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct evc_arena memory = { 0 };
	const struct evc_generation *generation;
	struct evc_cpu cpu;

	(void)st;
	(void)ftw;
	if (type != FTW_F || strstr(path, "/guests/") || strstr(path, "/qemu-guests/") ||
	    !(strstr(path, ".json") || strstr(path, ".cpuid") || strstr(path, ".test")))
		return 0;
	if (read_cpu(path, &memory, &cpu) && cpu.identified && !cpu.hypervisor[0] &&
	    !evc_set_has(&cpu.has, EVC_F_HYPERVISOR)) {
		generation = evc_generation_find(&cpu);
		if (generation && strstr(generation->segment, "server") && strcmp(generation->mode, "-") != 0)
			judge(path, &cpu, generation);
	}
	evc_arena_free(&memory);
	return 0;
}

static void judge_folder(const char *folder)
{
	n_servers = n_full = n_unsure = n_excepted = n_failed = 0;
	nftw(folder, visit, 16, FTW_PHYS);
	printf("# %s: %d servers: %d have their mode, %d cannot tell, %d exceptions, %d failed\n", folder,
	       n_servers, n_full, n_unsure, n_excepted, n_failed);
	assert_int_equal(n_failed, 0);
	assert_true(n_full > 0);
}

static void servers_of_the_corpus_have_the_mode_of_their_generation(void **state)
{
	char folder[4096];

	(void)state;
	if (!evc_n_generations) {
		printf("# SKIP: no generations\n");
		return;
	}
	snprintf(folder, sizeof(folder), "%s/corpus", getenv("EVC_SOURCE"));
	judge_folder(folder);
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (exceptions[i].own && !exceptions[i].met)
			fail_msg("%s is no exception any more", exceptions[i].part);
}

static void servers_of_the_larger_corpus_have_it_too(void **state)
{
	const char *folder = getenv("EVC_MORE_CORPUS");

	(void)state;
	if (!folder || access(folder, R_OK) || !evc_n_generations) {
		printf("# SKIP: the larger corpus is not laid beside the checkout\n");
		return;
	}
	judge_folder(folder);
}

/*
 * QEMU's guests.  What "-cpu max" does not show, its emulation cannot show to any; the rest that a
 * guest lacks is what QEMU's model has less than VMware's mode.
 */
static const struct {
	const char *guest, *mode, *model_lacks;
} guests[] = {
	{ "qemu-conroe-v1", "intel-merom", "cx16" },
	{ "qemu-penryn-v1", "intel-penryn", "" },
	{ "qemu-nehalem-v2", "intel-nehalem", "rdtscp" },
	{ "qemu-westmere-v2", "intel-westmere", "rdtscp" },
	{ "qemu-sandybridge-v2", "intel-sandybridge", "" },
	{ "qemu-ivybridge-v2", "intel-ivybridge", "" },
	{ "qemu-haswell-v4", "intel-haswell", "pdpe1gb" },
	{ "qemu-broadwell-v4", "intel-broadwell", "pdpe1gb" },
	{ "qemu-skylake-server-v5", "intel-skylake", "clflushopt" },
	{ "qemu-cascadelake-server-v5", "intel-cascadelake", "" },
	{ "qemu-icelake-server-v6", "intel-icelake", "" },
	{ "qemu-phenom-v1", "amd-greyhound", "" },
	{ "qemu-opteron_g3-v1", "amd-greyhound-no3dnow", "mmxext" },
	{ "qemu-epyc-v3", "amd-zen", "" },
	{ "qemu-epyc-rome-v2", "amd-zen2", "" },
	{ "qemu-epyc-milan-v1", "amd-zen3", "vaes" },
};

static void read_guest(const char *name, struct evc_cpu *ret_cpu)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/corpus/guests/%s.json", getenv("EVC_SOURCE"), name);
	assert_true(read_cpu(path, &arena, ret_cpu));
}

static void guests_of_qemus_models_have_the_mode_but_for_what_it_cannot_emulate(void **state)
{
	struct evc_cpu most, cpu;
	int failed = 0;

	(void)state;
	read_guest("qemu-max", &most);
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		const struct evc_mode *mode = NULL;
		struct evc_set lacks, unsure, cannot, model;
		struct evc_error err;
		unsigned version;
		char names[512], hidden[512];

		read_guest(guests[i].guest, &cpu);
		assert_int_equal(evc_modes_find(&evc_builtin_modes, evc_span_from(guests[i].mode), &mode,
		                                &version, &err),
		                 0);
		evc_mode_satisfied(mode, 1, &cpu, &lacks, &unsure);
		cannot = evc_set_minus(&lacks, &most.has);
		model = evc_set_minus(&lacks, &cannot);
		names_of(&model, names, sizeof(names));
		names_of(&cannot, hidden, sizeof(hidden));
		printf("# %s, %s: not emulated: %s\n", guests[i].guest, mode->key, hidden);
		if (strcmp(names, guests[i].model_lacks) != 0 || !evc_set_is_empty(&unsure)) {
			failed++;
			printf("# %s lacks \"%s\" of %s, expected \"%s\"\n", guests[i].guest, names,
			       mode->key, guests[i].model_lacks);
		}
	}
	assert_int_equal(failed, 0);
}

/* The published pair: what the mode takes from the guest at the host's own level is what was lost. */
static void the_published_guest_loses_exactly_eight(void **state)
{
	static const enum evc_feature_id lost[] = {
		EVC_F_3DNOWPREFETCH, EVC_F_RDSEED, EVC_F_ADX,     EVC_F_SMAP,
		EVC_F_CLFLUSHOPT,    EVC_F_XSAVEC, EVC_F_XGETBV1, EVC_F_XSAVES,
	};
	const struct evc_mode *haswell = NULL;
	struct evc_set wanted = { { 0 } }, keeps, gone;
	struct evc_cpu cpu;
	struct evc_error err;
	unsigned version;
	char path[4096], names[512];

	(void)state;
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		evc_set_add(&wanted, lost[i]);
	snprintf(path, sizeof(path), "%s/corpus/story/kabylake.json", getenv("EVC_SOURCE"));
	assert_true(read_cpu(path, &arena, &cpu));
	assert_int_equal(
		evc_modes_find(&evc_builtin_modes, evc_span_from("intel-haswell"), &haswell, &version, &err),
		0);
	version = evc_mode_best_version(haswell, &cpu);
	assert_int_equal(version, 2);
	keeps = evc_set_or(&evc_mode_version(haswell, version)->features, &evc_builtin_modes.passes);
	gone = evc_set_minus(&cpu.has, &keeps);
	gone = evc_set_minus(&gone, &evc_rule_sets[EVC_RULE_CALC]);
	names_of(&gone, names, sizeof(names));
	if (!evc_set_equals(&gone, &wanted))
		fail_msg("lost: %s", names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_of_the_corpus_have_the_mode_of_their_generation),
		cmocka_unit_test(servers_of_the_larger_corpus_have_it_too),
		cmocka_unit_test(guests_of_qemus_models_have_the_mode_but_for_what_it_cannot_emulate),
		cmocka_unit_test(the_published_guest_loses_exactly_eight),
	};

	return cmocka_run_group_tests_name("modes/machines", tests, NULL, free_arena);
}
