/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long predictions of /proc/cpuinfo take: bench-linux N [PATH...].
 *
 * N dumps, those of the paths (corpus) in turn, under eight kernels each, by two threads; every text
 * is written.  Prints one line: the seconds, then what was made of them.
 */
#include "core/linux.h"
#include "host/files.h"
#include "text/cpuinfo_write.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { MOST = 1000000, N_KERNELS = 8, N_THREADS = 2 };

static const char *const kernels[N_KERNELS] = { "4.15",         "ubuntu-20.04", "debian-11", "ubuntu-22.04",
	                                        "ubuntu-24.04", "debian-12",    "debian-13", "7.3" };

struct part {
	const struct evc_hosts *hosts;
	const struct evc_linux_tree *const *trees;
	size_t first, last;
	size_t bytes;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *work(void *data)
{
	struct part *part = data;
	struct evc_sink text = { 0 };

	for (size_t i = part->first; i < part->last; i++)
		for (size_t k = 0; k < N_KERNELS; k++) {
			const struct evc_host *host = &part->hosts->items[i % part->hosts->n];
			struct evc_linux_question question = { .tree = part->trees[k],
				                               .dump = &host->cpus[0],
				                               .host = host };
			struct evc_linux_view view;

			evc_linux_predict(&question, &view);
			evc_sink_clear(&text);
			evc_cpuinfo_write(&view, EVC_CPUINFO_PLAIN, &text);
			part->bytes += text.length;
		}
	evc_sink_free(&text);
	return NULL;
}

static int run(const struct evc_hosts *hosts, size_t n, size_t *ret_bytes)
{
	const struct evc_linux_tree *trees[N_KERNELS];
	struct part parts[N_THREADS];
	pthread_t threads[N_THREADS];

	for (size_t k = 0; k < N_KERNELS; k++) {
		struct evc_linux_kernel kernel;

		if (evc_linux_find(evc_span_from(kernels[k]), &kernel, NULL) < 0)
			return -1;
		trees[k] = kernel.tree;
	}
	for (size_t t = 0; t < N_THREADS; t++) {
		parts[t] = (struct part){ .hosts = hosts,
			                  .trees = trees,
			                  .first = n * t / N_THREADS,
			                  .last = n * (t + 1) / N_THREADS };
		if (pthread_create(&threads[t], NULL, work, &parts[t]))
			return -1;
	}
	*ret_bytes = 0;
	for (size_t t = 0; t < N_THREADS; t++) {
		if (pthread_join(threads[t], NULL))
			return -1;
		*ret_bytes += parts[t].bytes;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const usual[] = { "corpus/machines", "corpus/guests", "corpus/kvm-hosts" };
	const char *const *paths = argc > 2 ? (const char *const *)argv + 2 : usual;
	int n_paths = argc > 2 ? argc - 2 : 3;
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err;
	size_t bytes;
	double start;
	uint64_t n;

	if (argc < 2 || !evc_span_number(evc_span_from(argv[1]), MOST, &n) || !n) {
		fputs("usage: bench-linux N [PATH...]\n", stderr);
		return 2;
	}
	for (int i = 0; i < n_paths; i++)
		if (evc_files_read(paths[i], &arena, &hosts, &err) < 0) {
			fprintf(stderr, "%s: %s\n", paths[i], err.text);
			return 3;
		}
	start = now();
	if (!hosts.n || run(&hosts, (size_t)n, &bytes) < 0)
		return 3;
	printf("%.3f s: %llu dumps of %zu files under %d kernels, %zu bytes of text\n", now() - start,
	       (unsigned long long)n, hosts.n, N_KERNELS, bytes);
	evc_arena_free(&arena);
	return 0;
}
