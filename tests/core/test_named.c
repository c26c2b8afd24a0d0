/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much of what CPUs say has a name: every bit that is set in the first CPU of every dump, in leaves up
 * to the highest of their range, that lies in the place of a feature for that CPU's vendor.
 */
#include "core/cpu.h"
#include "host/files.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_UNNAMED = 4096, SHOWN = 40 };

/* The share that a table has to name, in 1/1000. */
enum { NAMED_AT_LEAST = 995 };

struct unnamed {
	struct evc_bit bit;
	unsigned times;
	const char *host;
};

struct measure {
	struct evc_arena arena;
	unsigned long long set, named;
	unsigned hosts;
	struct unnamed unnamed[MAX_UNNAMED];
	size_t n_unnamed;
};

static void note(struct measure *measure, struct evc_bit bit, const char *host)
{
	for (size_t i = 0; i < measure->n_unnamed; i++) {
		struct unnamed *seen = &measure->unnamed[i];

		if (seen->bit.leaf == bit.leaf && seen->bit.subleaf == bit.subleaf &&
		    seen->bit.reg == bit.reg && seen->bit.lo == bit.lo) {
			seen->times++;
			return;
		}
	}
	if (measure->n_unnamed < MAX_UNNAMED)
		measure->unnamed[measure->n_unnamed++] =
			(struct unnamed){ .bit = bit, .times = 1, .host = host };
}

/* The bits of a register that some feature names for this vendor. */
static uint32_t named_bits(const struct evc_leaf *leaf, enum evc_reg reg, unsigned vendor)
{
	uint64_t mask = 0;

	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		const struct evc_feature *feature = &evc_features[id];

		if (feature->bit.leaf == leaf->leaf && feature->bit.reg == reg &&
		    feature->bit.subleaf <= leaf->subleaf && leaf->subleaf <= feature->subleaf_last &&
		    feature->vendors & vendor)
			mask |= evc_bit_mask(feature->bit);
	}
	return (uint32_t)mask;
}

static void measure_host(struct measure *measure, const struct evc_host *host)
{
	struct evc_cpu cpu;

	if (host->reading == EVC_DAMAGED || !host->n_cpus)
		return;
	evc_cpu_decode(&host->cpus[0], &cpu);
	/* Lists of single bits (libvirt's masks) say nothing of the vendor, so their bits have no meaning. */
	if (!*cpu.vendor_id)
		return;
	measure->hosts++;
	for (size_t i = 0; i < host->cpus[0].n_leaves; i++) {
		const struct evc_leaf *leaf = &host->cpus[0].leaves[i];

		for (int reg = EVC_EAX; reg <= EVC_EDX; reg++) {
			uint64_t known;
			/* Asked by the rules, so that junk above the highest leaf is zero. */
			uint32_t value =
				(uint32_t)evc_dump_register(&host->cpus[0], leaf->leaf, leaf->subleaf,
			                                    (enum evc_reg)reg, &known) &
				(uint32_t)known;
			uint32_t rest = value & ~named_bits(leaf, (enum evc_reg)reg, cpu.vendor);

			measure->set += (unsigned)__builtin_popcount(value);
			measure->named += (unsigned)__builtin_popcount(value & ~rest);
			for (; rest; rest &= rest - 1) {
				uint8_t bit = (uint8_t)__builtin_ctz(rest);

				note(measure,
				     (struct evc_bit){ .leaf = leaf->leaf,
				                       .subleaf = leaf->subleaf,
				                       .reg = (enum evc_reg)reg,
				                       .lo = bit,
				                       .hi = bit },
				     host->name);
			}
		}
	}
}

/* A dump, or a folder of dumps and folders.  What is no dump (a README) has nothing to measure. */
static void measure_path(struct measure *measure, const char *path)
{
	DIR *folder = opendir(path);
	struct evc_hosts hosts = { 0 };
	struct evc_error err;

	if (!folder) {
		if (evc_files_read(path, &measure->arena, &hosts, &err) < 0)
			return;
		for (size_t i = 0; i < hosts.n; i++)
			measure_host(measure, &hosts.items[i]);
		return;
	}
	for (struct dirent *entry; (entry = readdir(folder));) {
		char inner[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		measure_path(measure, inner);
	}
	closedir(folder);
}

static int by_times(const void *a, const void *b)
{
	const struct unnamed *x = a, *y = b;

	return x->times != y->times ? (x->times < y->times ? 1 : -1) : 0;
}

static void judge(struct measure *measure, const char *what)
{
	qsort(measure->unnamed, measure->n_unnamed, sizeof(measure->unnamed[0]), by_times);
	printf("# %s: %u dumps, %llu of %llu set bits named: %.2f %%\n", what, measure->hosts, measure->named,
	       measure->set, 100.0 * (double)measure->named / (double)measure->set);
	for (size_t i = 0; i < measure->n_unnamed && i < SHOWN; i++) {
		char text[EVC_BIT_TEXT];

		printf("# unnamed %s: %u times, first in %s\n", evc_bit_format(measure->unnamed[i].bit, text),
		       measure->unnamed[i].times, measure->unnamed[i].host);
	}
	assert_true(measure->named * 1000 >= measure->set * NAMED_AT_LEAST);
}

static void measure_folders(const char *top, const char *const *folders, const char *what)
{
	struct measure *measure = calloc(1, sizeof(*measure));
	char path[4096];

	assert_non_null(measure);
	for (size_t i = 0; folders[i]; i++) {
		snprintf(path, sizeof(path), "%s/%s", top, folders[i]);
		measure_path(measure, path);
	}
	if (measure->hosts) /* a checkout may lack the folder beside it, never its own */
		judge(measure, what);
	else
		printf("# SKIP %s: no dumps at %s\n", what, top);
	evc_arena_free(&measure->arena);
	free(measure);
}

static void own_corpus(void **state)
{
	static const char *const folders[] = { "story", "kvm-hosts", "guests", "machines", NULL };
	char top[4096];

	(void)state;
	assert_non_null(getenv("EVC_SOURCE"));
	snprintf(top, sizeof(top), "%s/corpus", getenv("EVC_SOURCE"));
	measure_folders(top, folders, "own corpus");
}

static void more_corpus(void **state)
{
	static const char *const folders[] = { "libcpuid", "hwloc", "instlatx64", NULL };
	const char *top = getenv("EVC_MORE_CORPUS");

	(void)state;
	measure_folders(top ? top : "", folders, "further corpus");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "names the set bits of the own corpus", own_corpus, NULL, NULL, NULL },
		{ "names the set bits of the further corpus", more_corpus, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
