/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long the matrix of many different hosts takes: bench-matrix N [PATH...].
 *
 * N hosts are made from those of the paths (corpus/machines) by taking features away, all different in
 * what a move asks for.  Prints one line: the seconds for all pairs, then the parts.
 */
#include "core/matrix.h"
#include "core/check.h"
#include "host/files.h"
#include "host/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 100000 };

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct rows {
	const struct evc_matrix *matrix;
	const struct evc_matrix_bits *bits;
};

static void work(void *context, size_t part, size_t first, size_t last)
{
	const struct rows *rows = context;

	(void)part;
	evc_matrix_rows(rows->matrix, first, last, rows->bits);
}

/* Lose those of the machine's features that the number's bits say: another number, another host. */
static void vary(struct evc_cpu *cpu, uint64_t number)
{
	struct evc_set has = cpu->has;
	uint32_t state_leaf = evc_features[EVC_F_XCR0_X87].bit.leaf; /* its parts follow from others */

	EVC_SET_FOREACH(id, &has)
	{
		const struct evc_feature *feature = &evc_features[id];

		if (feature->rule != EVC_RULE_AND || feature->slot != EVC_NO_SLOT ||
		    feature->bit.reg == EVC_MSR || feature->bit.leaf == state_leaf)
			continue;
		if (number & 1)
			evc_set_drop(&cpu->has, id);
		number >>= 1;
	}
}

/* One machine of each kind; those before SSE4.2 have too few features to vary. */
static size_t choose_seeds(const struct evc_hosts *hosts, struct evc_cpu *ret_seeds)
{
	struct evc_set asked;
	size_t n = 0;

	evc_check_asked(&asked);
	for (size_t i = 0; i < hosts->n; i++) {
		struct evc_cpu *cpu = &ret_seeds[n];
		bool fresh;

		evc_cpu_decode_host(&hosts->items[i], cpu);
		fresh = evc_cpu_truth(cpu, EVC_F_SSE4_2) == EVC_PRESENT;
		for (size_t k = 0; k < n && fresh; k++)
			fresh = !evc_check_same_kind(&asked, cpu, &ret_seeds[k]);
		n += fresh;
	}
	return n;
}

/* n hosts after those of the paths. */
static const struct evc_cpu **make_hosts(size_t n, const struct evc_hosts *hosts)
{
	struct evc_cpu *seeds = calloc(hosts->n + 1, sizeof(*seeds)), *cpus = calloc(n, sizeof(*cpus));
	const struct evc_cpu **list = calloc(n, sizeof(*list));
	size_t n_seeds = seeds ? choose_seeds(hosts, seeds) : 0;

	for (size_t i = 0; cpus && list && n_seeds && i < n; i++) {
		cpus[i] = seeds[i % n_seeds];
		vary(&cpus[i], i / n_seeds);
		evc_check_settle(&cpus[i]);
		list[i] = &cpus[i];
	}
	free(seeds);
	return cpus && n_seeds ? list : NULL;
}

int main(int argc, char **argv)
{
	static const char *const usual[] = { "corpus/machines" };
	const char *const *paths = argc > 2 ? (const char *const *)argv + 2 : usual;
	int n_paths = argc > 2 ? argc - 2 : 1;
	struct evc_arena arena = { 0 };
	struct evc_hosts seeds = { 0 };
	struct evc_error err;
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;
	const struct evc_cpu **hosts;
	double start, prepared, end;
	uint64_t n;

	if (argc < 2 || !evc_span_number(evc_span_from(argv[1]), MOST, &n) || n < 2) {
		fputs("usage: bench-matrix N [PATH...]\n", stderr);
		return 2;
	}
	for (int i = 0; i < n_paths; i++)
		if (evc_files_read(paths[i], &arena, &seeds, &err) < 0) {
			fprintf(stderr, "%s: %s\n", paths[i], err.text);
			return 3;
		}
	hosts = seeds.n ? make_hosts((size_t)n, &seeds) : NULL;
	if (!hosts)
		return 3;
	start = now();
	if (evc_matrix_prepare(hosts, hosts, (size_t)n, &arena, &matrix, &err) < 0 ||
	    evc_matrix_bits_make(&matrix, &arena, &bits, &err) < 0)
		return 3;
	prepared = now();
	evc_share(matrix.n_kinds, evc_share_parts(matrix.n_kinds, 1), work,
	          &(struct rows){ .matrix = &matrix, .bits = &bits });
	end = now();
	printf("%.3f s: %llu hosts of %zu kinds, %zu words a set, preparing %.3f s, pairs %.3f s\n",
	       end - start, (unsigned long long)n, matrix.n_kinds, matrix.n_words, prepared - start,
	       end - prepared);
	free((void *)hosts[0]);
	free(hosts);
	evc_arena_free(&arena);
	/* Hosts that are alike would be measured as fewer. */
	return matrix.n_kinds == n ? 0 : 1;
}
