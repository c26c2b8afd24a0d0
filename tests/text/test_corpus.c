/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every dump of the corpus is read, and comes back from every form.  What is a dump is told by
 * folder and name, not by whether it can be read.
 */
#include "roundtrip.h"

#include "core/cpu.h"

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

static int n_dumps, n_hosts, n_cpus, n_arm, n_judged, n_failed;

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
	if (!strcmp(host->format, "json") && (!host->facts.origin[0] || !host->facts.licence[0]))
		failed(path, "has no origin or licence");
	n_hosts++;
	n_cpus += (int)host->n_cpus;
	if (!evc_dump_highest(&host->cpus[0], 0) && !strstr(path, "/libvirt/") &&
	    !strstr(path, "/kvm-given/"))
		failed(path, "has no leaf 0");
	for (size_t i = 0; i < evc_n_formats; i++) {
		const char *wrong = evc_formats[i]->write ? roundtrip(evc_formats[i], host, arena) : "";

		if (*wrong)
			failed(path, wrong);
	}
}

/* libcpuid's own family, model and stepping as displayed, behind the dashes; false when there are none. */
static bool expected_signature(struct evc_span text, unsigned values[static 3])
{
	static const int lines[3] = { 6, 7, 5 }; /* extended family, extended model, stepping */
	static const char dashes[] = "\n----------------------------------------";
	const char *at = memmem(text.text, text.length, dashes, sizeof(dashes) - 1);
	struct evc_span rest, line;
	uint64_t number;

	if (!at)
		return false;
	rest = (struct evc_span){ at + 1, text.length - (size_t)(at + 1 - text.text) };
	for (int n = -1; n < 8 && evc_span_line(&rest, &line); n++)
		for (int i = 0; i < 3; i++)
			if (n == lines[i]) {
				if (!evc_span_number(evc_span_trim(line), UINT16_MAX, &number))
					return false;
				values[i] = (unsigned)number;
			}
	return true;
}

/* What others say of the same dump: libcpuid's expectations, and the signature in InstLatX64's file names. */
static void check_others(const char *path, struct evc_span text, const struct evc_host *host)
{
	const char *name = strrchr(path, '/') + 1;
	unsigned want[3], family, model, stepping;
	uint64_t known, eax = evc_dump_register(&host->cpus[0], 1, 0, EVC_EAX, &known), number;
	struct evc_span at = evc_span_from(name);

	evc_signature_unpack((uint32_t)eax, &family, &model, &stepping);
	if (!fnmatch("*/libcpuid/*.test", path, 0) && expected_signature(text, want)) {
		n_judged++;
		if (family != want[0] || model != want[1] || stepping != want[2])
			failed(path, "family, model and stepping are not those that libcpuid has");
	}
	if (!fnmatch("*/instlatx64/*.txt", path, 0) && at.length > 20) {
		at = (struct evc_span){ name + 12, 7 };
		n_judged++;
		if (!evc_span_hex(&at, &number) || number != eax)
			failed(path, "the signature is not that of the file name");
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
	check_others(path, text, &hosts.items[0]);
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
	n_dumps = n_hosts = n_cpus = n_arm = n_judged = n_failed = 0;
	nftw(folder, visit, 16, FTW_PHYS);
	printf("# %s: %d dumps, %d hosts, %d kinds of CPU, %d ARM refused, %d with a signature from others, "
	       "%d failed\n",
	       folder, n_dumps, n_hosts, n_cpus, n_arm, n_judged, n_failed);
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
