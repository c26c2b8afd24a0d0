/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long the matrix of many different hosts takes: bench-matrix FILE... (hosts to vary), 10,000 of them. */
#include "core/matrix.h"
#include "core/check.h"
#include "host/files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N = 10000, CHANGES = 12 };

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct half {
	const struct evc_matrix *matrix;
	const struct evc_matrix_bits *bits;
	size_t first, last;
};

static void *work(void *data)
{
	struct half *half = data;

	evc_matrix_rows(half->matrix, half->first, half->last, half->bits);
	return NULL;
}

/* Lose some features that the machine has. */
static void vary(struct evc_cpu *cpu, uint64_t *state)
{
	for (int i = 0; i < CHANGES; i++) {
		enum evc_feature_id id = evc_set_next(&cpu->has, (unsigned)(next(state) % EVC_N_FEATURES));

		if (id < EVC_N_FEATURES && evc_features[id].rule == EVC_RULE_AND &&
		    evc_features[id].slot == EVC_NO_SLOT)
			evc_set_drop(&cpu->has, id);
	}
}

int main(int argc, char **argv)
{
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err;
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;
	struct evc_cpu *cpus = calloc(N, sizeof(*cpus));
	const struct evc_cpu **list = calloc(N, sizeof(*list));
	uint64_t state = 88172645463325252;
	double start, prepared;
	pthread_t thread;

	for (int i = 1; i < argc; i++)
		evc_files_read(argv[i], &arena, &hosts, &err);
	if (!hosts.n || !cpus || !list)
		return 2;
	for (size_t i = 0; i < N; i++) {
		evc_cpu_decode_host(&hosts.items[i % hosts.n], &cpus[i]);
		evc_check_settle(&cpus[i]);
		vary(&cpus[i], &state);
		list[i] = &cpus[i];
	}
	start = now();
	if (evc_matrix_prepare(list, list, N, &arena, &matrix, &err) < 0 ||
	    evc_matrix_bits_make(&matrix, &arena, &bits, &err) < 0)
		return 3;
	prepared = now();
	struct half halves[] = {
		{ .matrix = &matrix, .bits = &bits, .last = matrix.n_kinds / 2 },
		{ .matrix = &matrix, .bits = &bits, .first = matrix.n_kinds / 2, .last = matrix.n_kinds },
	};

	if (pthread_create(&thread, NULL, work, &halves[0]))
		return 3;
	work(&halves[1]);
	pthread_join(thread, NULL);
	printf("%d hosts, %zu kinds, %zu words: prepare %.3f s, pairs %.3f s\n", N, matrix.n_kinds,
	       matrix.n_words, prepared - start, now() - prepared);
	evc_arena_free(&arena);
	free(cpus);
	free(list);
	return 0;
}
