/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every dump of the corpus is read, and comes back from every form.  What is a dump is told by
 * folder and name, not by whether it can be read.
 */
#include "roundtrip.h"

#include <fnmatch.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const dump_names[] = {
	"*/seed/*.cpuid",    "*/this-machine/cpuid-r.txt", "*/qemu-guests/*.txt", "*/hwloc/*.cpuid",
	"*/libcpuid/*.test", "*/firecracker/*.json",       "*/instlatx64/*.txt",  "*/corpus/*.json",
};

static int n_dumps, n_hosts, n_cpus, n_arm, n_failed;

static bool is_dump(const char *path, struct evc_span text)
{
	if (!fnmatch("*/libvirt/*.xml", path, 0))
		return memmem(text.text, text.length, "<cpudata", 8) != NULL;
	if (!fnmatch("*/corpus/this-machine/*.json", path, 0) || !fnmatch("*/corpus/libvirt/*.json", path, 0))
		return memmem(text.text, text.length, "openevc", 7) != NULL;
	for (size_t i = 0; i < sizeof(dump_names) / sizeof(dump_names[0]); i++)
		if (!fnmatch(dump_names[i], path, 0))
			return true;
	return false;
}

static void failed(const char *path, const char *why)
{
	n_failed++;
	printf("# %s: %s\n", path, why);
}

static void check_host(const char *path, const struct evc_host *host, struct evc_arena *arena)
{
	n_hosts++;
	n_cpus += (int)host->n_cpus;
	if (!evc_dump_highest(&host->cpus[0], 0) && !strstr(path, "/libvirt/"))
		failed(path, "has no leaf 0");
	for (size_t i = 0; i < evc_n_formats; i++) {
		const char *wrong = evc_formats[i]->write ? roundtrip(evc_formats[i], host, arena) : "";

		if (*wrong)
			failed(path, wrong);
	}
}

static void check_text(const char *path, struct evc_span text, struct evc_arena *arena)
{
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };
	char message[512];

	if (!is_dump(path, text))
		return;
	n_dumps++;
	if (evc_hosts_read(text, "host", arena, &hosts, &err) < 0) {
		if (strstr(path, "/libcpuid/arm/") && strstr(err.text, "not an x86 CPU") && err.line)
			n_arm++;
		else
			failed(path, evc_error_format(&err, message, sizeof(message)));
		return;
	}
	for (size_t i = 0; i < hosts.n; i++)
		check_host(path, &hosts.items[i], arena);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct evc_arena arena = { 0 };
	FILE *file;
	char *text;

	(void)ftw;
	if (type != FTW_F)
		return 0;
	text = malloc((size_t)st->st_size + 1);
	file = fopen(path, "re");
	assert_non_null(text);
	assert_non_null(file);
	check_text(path, (struct evc_span){ text, fread(text, 1, (size_t)st->st_size, file) }, &arena);
	fclose(file);
	free(text);
	evc_arena_free(&arena);
	return 0;
}

static void read_folder(const char *folder)
{
	n_dumps = n_hosts = n_cpus = n_arm = n_failed = 0;
	nftw(folder, visit, 16, FTW_PHYS);
	printf("# %s: %d dumps, %d hosts, %d kinds of CPU, %d ARM refused, %d failed\n", folder, n_dumps,
	       n_hosts, n_cpus, n_arm, n_failed);
	assert_int_equal(n_failed, 0);
	assert_true(n_dumps > 0);
}

static void reads_every_dump_of_the_own_corpus(void **state)
{
	char folder[4096];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/corpus", getenv("EVC_SOURCE"));
	if (access(folder, R_OK)) {
		printf("# SKIP: the corpus is not in this source tree\n");
		return;
	}
	read_folder(folder);
}

static void reads_every_dump_of_the_larger_corpus(void **state)
{
	const char *folder = getenv("EVC_MORE_CORPUS");

	(void)state;
	if (!folder || access(folder, R_OK)) {
		printf("# SKIP: the larger corpus is not laid beside the checkout\n");
		return;
	}
	read_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_dump_of_the_own_corpus),
		cmocka_unit_test(reads_every_dump_of_the_larger_corpus),
	};

	return cmocka_run_group_tests_name("text/corpus", tests, NULL, NULL);
}
