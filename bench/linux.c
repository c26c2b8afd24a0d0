/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long predictions of /proc/cpuinfo take: bench-linux N [PATH...].
 *
 * N dumps, those of the paths (corpus) in turn, under eight kernels each, by two threads; every text
 * is written.  Prints one line: the seconds, then what was made of them.
 */
#include "core/linux.h"
#include "host/files.h"
#include "host/share.h"
#include "text/cpuinfo_write.h"

#include <stdio.h>
#include <time.h>

enum { MOST = 1000000, N_KERNELS = 8 };

static const char *const kernels[N_KERNELS] = { "4.15",         "ubuntu-20.04", "debian-11", "ubuntu-22.04",
	                                        "ubuntu-24.04", "debian-12",    "debian-13", "7.3" };

struct work {
	const struct evc_hosts *hosts;
	const struct evc_linux_tree *trees[N_KERNELS];
	size_t bytes[EVC_MAX_PARTS];
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void predict(void *context, size_t part, size_t first, size_t last)
{
	struct work *work = context;
	struct evc_sink text = { 0 };

	for (size_t i = first; i < last; i++)
		for (size_t k = 0; k < N_KERNELS; k++) {
			const struct evc_host *host = &work->hosts->items[i % work->hosts->n];
			struct evc_linux_question question = { .tree = work->trees[k],
				                               .dump = &host->cpus[0],
				                               .host = host };
			struct evc_linux_view view;

			evc_linux_predict(&question, &view);
			evc_sink_clear(&text);
			evc_cpuinfo_write(&view, EVC_CPUINFO_PLAIN, &text);
			work->bytes[part] += text.length;
		}
	evc_sink_free(&text);
}

static int run(const struct evc_hosts *hosts, size_t n, size_t *ret_bytes)
{
	struct work work = { .hosts = hosts };

	for (size_t k = 0; k < N_KERNELS; k++) {
		struct evc_linux_kernel kernel;

		if (evc_linux_find(evc_span_from(kernels[k]), &kernel, NULL) < 0)
			return -1;
		work.trees[k] = kernel.tree;
	}
	evc_share(n, evc_share_parts(n, 1), predict, &work);
	*ret_bytes = 0;
	for (size_t i = 0; i < EVC_MAX_PARTS; i++)
		*ret_bytes += work.bytes[i];
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
