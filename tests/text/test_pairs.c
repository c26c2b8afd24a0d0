/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Predictions against what kernels printed: each dump of the corpora of which a /proc/cpuinfo is kept.
 * The clock is taken from the real text, since no dump of a guest holds it; all else comes from the dump
 * and from what its hypervisor is known to answer.  Figures per kernel and each miss are printed; a kernel of
 * which neither the source nor another build was read counts in the figures only.
 */
#include "text/cpuinfo_against.h"
#include "text/cpuinfo_write.h"
#include "text/format.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_KERNELS = 16, MAX_FILES = 512, PATH = 1024 };

/* What came of one kernel's pairs. */
struct figures {
	char kernel[64];
	bool read;                   /* its source, or that of its series, was read: it has to be right */
	unsigned pairs, cpus, whole; /* whole: the block is equal byte for byte */
	unsigned flags, bugs;        /* lines that are equal */
	unsigned lines, lines_right, lines_unknown;
};

static struct figures all[MAX_KERNELS];
static size_t n_all;
static unsigned n_wrong; /* words and lines that were predicted otherwise */
static struct evc_arena arena;

static struct figures *figures_of(struct evc_span kernel)
{
	for (size_t i = 0; i < n_all; i++)
		if (evc_span_equals(kernel, all[i].kernel))
			return &all[i];
	assert_true(n_all < MAX_KERNELS && kernel.length < sizeof(all[0].kernel));
	memcpy(all[n_all].kernel, kernel.text, kernel.length);
	return &all[n_all++];
}

static bool read_text(const char *path, struct evc_span *ret_text)
{
	FILE *file = fopen(path, "rb");
	char *text = evc_arena_alloc(&arena, 1 << 20);

	if (!file || !text)
		return false;
	*ret_text = (struct evc_span){ .text = text, .length = fread(text, 1, 1 << 20, file) };
	fclose(file);
	return true;
}

/* --- one pair ------------------------------------------------------------------------------------- */

/* The kernel's own clock, so that lines which are computed from it can be compared. */
static void take_clock(const struct evc_cpuinfo_cpu *cpu, struct evc_linux_env *env)
{
	const struct evc_cpuinfo_line *mhz = evc_cpuinfo_find(cpu, "cpu MHz");
	struct evc_span rest;
	uint64_t whole, part;

	if (!mhz)
		return;
	rest = mhz->value;
	if (evc_span_decimal(&rest, &whole) && evc_span_skip(&rest, ".") && evc_span_decimal(&rest, &part))
		env->tsc_khz = (uint32_t)(whole * 1000 + part);
}

static uint32_t number_of(const struct evc_cpuinfo_cpu *cpu, const char *line)
{
	const struct evc_cpuinfo_line *found = evc_cpuinfo_find(cpu, line);
	struct evc_span rest = found ? found->value : evc_span_from("");
	uint64_t number = 0;

	return evc_span_decimal(&rest, &number) ? (uint32_t)number : 0;
}

/* One dump that stands for CPUs alike does not say how they are laid out; the text does. */
static void take_shape(const struct evc_host *host, const struct evc_cpuinfo *real, struct evc_linux_env *env)
{
	uint32_t siblings = number_of(&real->cpus[0], "siblings");
	uint32_t cores = number_of(&real->cpus[0], "cpu cores");

	if (host->n_cpus != 1 || real->n_cpus < 2 || !siblings || !cores)
		return;
	env->cpus = (uint32_t)real->n_cpus;
	env->sockets = env->cpus / siblings;
	env->cores = cores;
	env->threads = siblings / cores;
}

static bool names(struct evc_span name, enum evc_linux_line line)
{
	return evc_span_equals(name, evc_linux_line_name(line));
}

static void count(const struct evc_cpuinfo_comparison *comparison, const struct evc_cpuinfo_cpu *cpu,
                  const char *name, struct figures *figures)
{
	bool flags = true, bugs = true;
	struct evc_sink text = { 0 };

	figures->lines += (unsigned)cpu->n_lines - 3; /* without flags, bugs and the clock, which was given */
	figures->lines_right += (unsigned)cpu->n_lines - 3;
	for (size_t i = 0; i < comparison->n; i++) {
		const struct evc_cpuinfo_difference *difference = &comparison->items[i];
		bool line = difference->target == EVC_LINUX_TARGET_LINE;

		bugs &= difference->target != EVC_LINUX_TARGET_BUG;
		flags &= difference->target != EVC_LINUX_TARGET_FLAG;
		n_wrong += !difference->unknown && figures->read;
		if (line && !names(difference->name, EVC_LINUX_FLAGS) &&
		    !names(difference->name, EVC_LINUX_BUGS)) {
			figures->lines_right--;
			figures->lines_unknown += difference->unknown;
		}
	}
	figures->flags += flags;
	figures->bugs += bugs;
	figures->cpus++;
	if (!comparison->n)
		return;
	evc_cpuinfo_against_print(comparison, &text);
	print_message("# %s, CPU %u, Linux %s:\n", name, cpu->number, figures->kernel);
	for (char *line = strtok(text.text, "\n"); line; line = strtok(NULL, "\n"))
		print_message("#  %s\n", line);
	evc_sink_free(&text);
}

/* The text of the block as it stands in the file, with the empty line that ends it. */
static struct evc_span block_of(const struct evc_cpuinfo_cpu *cpu)
{
	const struct evc_cpuinfo_line *last = &cpu->lines[cpu->n_lines - 1];
	const char *end = last->value.length ? last->value.text + last->value.length
	                                     : last->name.text + last->name.length + 1;

	return (struct evc_span){ .text = cpu->lines[0].name.text,
		                  .length = (size_t)(end - cpu->lines[0].name.text) };
}

static void check_whole(const struct evc_linux_question *question, const struct evc_cpuinfo_cpu *cpu,
                        struct figures *figures)
{
	struct evc_span block = block_of(cpu);
	struct evc_sink text = { 0 };
	struct evc_linux_view view;

	evc_linux_predict(question, &view);
	evc_cpuinfo_write(&view, EVC_CPUINFO_PLAIN, &text);
	assert_true(text.length == block.length + 2);
	assert_memory_equal(text.text, block.text, block.length);
	assert_memory_equal(text.text + block.length, "\n\n", 2);
	figures->whole++;
	evc_sink_free(&text);
}

static void check_pair(const struct evc_host *host, const struct evc_cpuinfo *real, struct evc_span kernel,
                       const char *name)
{
	struct evc_linux_env env = { 0 };
	struct evc_linux_kernel found;
	struct evc_error err = { 0 };
	struct figures *figures = figures_of(kernel);

	if (evc_linux_find(kernel, &found, &err) < 0)
		fail_msg("%s", err.text);
	figures->read = found.match == EVC_LINUX_EXACT || found.match == EVC_LINUX_SERIES;
	figures->pairs++;
	take_clock(&real->cpus[0], &env);
	take_shape(host, real, &env);
	for (size_t i = 0; i < real->n_cpus; i++) {
		struct evc_cpuinfo_comparison comparison;
		struct evc_linux_question question = { .tree = found.tree,
			                               .build = found.build,
			                               .built = found.built,
			                               .env = &env,
			                               .dump = &host->cpus[0],
			                               .host = host,
			                               .cpu = real->cpus[i].number };

		assert_int_equal(evc_cpuinfo_against(&question, real, i, &arena, &comparison, &err), EVC_OK);
		count(&comparison, &real->cpus[i], name, figures);
		if (!comparison.n)
			check_whole(&question, &real->cpus[i], figures);
	}
}

static void print_figures(void)
{
	for (size_t i = 0; i < n_all; i++)
		print_message("# Linux %s: %u pairs, %u CPUs: flags line equal %u, bugs line equal %u, other "
		              "lines equal %u of %u, %u of them unknown; whole block equal %u\n",
		              all[i].kernel, all[i].pairs, all[i].cpus, all[i].flags, all[i].bugs,
		              all[i].lines_right, all[i].lines, all[i].lines_unknown, all[i].whole);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The files of a folder, sorted. */
static size_t list(const char *folder, char (*ret_names)[256])
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && n < MAX_FILES && strlen(entry->d_name) < 256)
			snprintf(ret_names[n++], 256, "%s", entry->d_name);
	closedir(dir);
	qsort(ret_names, n, 256, by_name);
	return n;
}

static void begin(void)
{
	memset(all, 0, sizeof(all));
	n_all = 0;
	n_wrong = 0;
}

static char found[MAX_FILES][256];

/* --- the own corpus: corpus/cpuinfo/FOLDER/NAME@KERNEL.txt is of corpus/FOLDER/NAME.json ----------- */

static void check_own(const char *folder, const char *file)
{
	char path[PATH], dump[PATH];
	struct evc_hosts hosts = { 0 };
	struct evc_cpuinfo real;
	struct evc_span text;
	struct evc_error err = { 0 };

	snprintf(path, sizeof(path), "%s/corpus/cpuinfo/%s/%s", getenv("EVC_SOURCE"), folder, file);
	snprintf(dump, sizeof(dump), "%s/corpus/%s/%.*s.json", getenv("EVC_SOURCE"), folder,
	         (int)strcspn(file, "@"), file);
	assert_true(read_text(path, &text));
	if (evc_cpuinfo_read(text, &arena, &real, &err) < 0)
		fail_msg("%s:%u: %s", path, err.line, err.text);
	assert_true(real.kernel.length > 0);
	assert_true(read_text(dump, &text));
	assert_int_equal(evc_hosts_read(text, dump, &arena, &hosts, &err), EVC_OK);
	check_pair(&hosts.items[0], &real, real.kernel, file);
}

static void own_corpus(void **state)
{
	static const char *const folders[] = { "story", "guests", "kvm-hosts" };
	char path[PATH];
	unsigned pairs = 0;

	(void)state;
	begin();
	for (size_t f = 0; f < sizeof(folders) / sizeof(folders[0]); f++) {
		size_t n;

		snprintf(path, sizeof(path), "%s/corpus/cpuinfo/%s", getenv("EVC_SOURCE"), folders[f]);
		n = list(path, found);
		for (size_t i = 0; i < n; i++) {
			check_own(folders[f], found[i]);
			evc_arena_reset(&arena);
			pairs++;
		}
	}
	print_figures();
	assert_true(pairs > 50);
	assert_int_equal(n_wrong, 0);
}

/* --- the further corpus: one file holds both --------------------------------------------------------- */

/* What stands between two marks. */
static struct evc_span between(struct evc_span text, const char *from, const char *to)
{
	const char *start = strstr(text.text, from), *end = start ? strstr(start, to) : NULL;

	assert_non_null(end);
	start = strchr(start, '\n') + 1;
	return (struct evc_span){ .text = start, .length = (size_t)(end - start) };
}

static void check_further(const char *folder, const char *file)
{
	char path[PATH];
	struct evc_hosts hosts = { 0 };
	struct evc_cpuinfo real;
	struct evc_span text, kernel;
	struct evc_error err = { 0 };

	assert_true((size_t)snprintf(path, sizeof(path), "%s/%s", folder, file) < sizeof(path));
	assert_true(read_text(path, &text));
	kernel.text = strstr(text.text, "@@UNAME ") + strlen("@@UNAME ");
	kernel.length = strcspn(kernel.text, " \n");
	assert_int_equal(evc_cpuinfo_read(between(text, "@@CPUINFO", "@@VULN"), &arena, &real, &err), EVC_OK);
	assert_int_equal(evc_hosts_read(between(text, "@@CPUID", "@@CPUINFO"), file, &arena, &hosts, &err),
	                 EVC_OK);
	check_pair(&hosts.items[0], &real, kernel, file);
}

static void further_corpus(void **state)
{
	const char *top = getenv("EVC_MORE_CORPUS");
	static const char *const kernels[] = { "6.1.0-56", "6.12.117" };
	char path[PATH];
	unsigned pairs = 0;

	(void)state;
	begin();
	for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
		size_t n;

		snprintf(path, sizeof(path), "%s/qemu-guests/%s", top ? top : "", kernels[k]);
		n = list(path, found);
		for (size_t i = 0; i < n; i++) {
			check_further(path, found[i]);
			evc_arena_reset(&arena);
			pairs++;
		}
	}
	if (!pairs) {
		print_message("# SKIP: the larger corpus is not laid beside the checkout\n");
		return;
	}
	print_figures();
	assert_int_equal(n_wrong, 0);
}

static int end(void **state)
{
	(void)state;
	evc_arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "predicts what kernels printed of the own corpus", own_corpus, NULL, NULL, NULL },
		{ "predicts what kernels printed of the further corpus", further_corpus, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
