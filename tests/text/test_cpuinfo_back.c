/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way back and the laws of a prediction: a /proc/cpuinfo proves no bit wrong, flags that CPUID has not
 * are never added by taking features away, and the printed chain computes to what is printed.
 */
#include "core/linux_back.h"
#include "core/linux_change.h"
#include "text/cpuinfo.h"
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

enum { MAX_HOSTS = 256, PATH = 1024 };

static struct evc_arena corpus_arena;
static struct evc_host corpus[MAX_HOSTS];
static size_t n_corpus;

static bool read_text(struct evc_arena *arena, const char *path, struct evc_span *ret_text)
{
	FILE *file = fopen(path, "rb");
	char *text = evc_arena_alloc(arena, 1 << 20);

	if (!file || !text)
		return false;
	*ret_text = (struct evc_span){ .text = text, .length = fread(text, 1, 1 << 20, file) };
	fclose(file);
	return true;
}

static int read_corpus(void **state)
{
	static const char *const folders[] = { "story", "guests", "kvm-hosts", "machines" };

	(void)state;
	for (size_t f = 0; f < sizeof(folders) / sizeof(folders[0]); f++) {
		char path[PATH], file[PATH + 300];
		struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof(path), "%s/corpus/%s", getenv("EVC_SOURCE"), folders[f]);
		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			struct evc_hosts hosts = { 0 };
			struct evc_span text;

			snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
			if (entry->d_name[0] == '.' || !read_text(&corpus_arena, file, &text) ||
			    evc_hosts_read(text, entry->d_name, &corpus_arena, &hosts, NULL) < 0 ||
			    n_corpus == MAX_HOSTS)
				continue;
			corpus[n_corpus++] = hosts.items[0];
		}
		if (dir)
			closedir(dir);
	}
	return n_corpus > 50 ? 0 : -1;
}

static int free_corpus(void **state)
{
	(void)state;
	evc_arena_free(&corpus_arena);
	return 0;
}

/* The text that the kernel would print of the host, with the kernel's name before it where that is told. */
static void print(const struct evc_host *host, const struct evc_linux_tree *tree, bool named,
                  struct evc_sink *sink)
{
	struct evc_linux_question question = { .tree = tree, .dump = &host->cpus[0], .host = host };
	struct evc_linux_view view;

	evc_linux_predict(&question, &view);
	evc_sink_clear(sink);
	if (named)
		evc_sink_printf(sink, "Linux version %s\n", tree->name);
	evc_cpuinfo_write(&view, EVC_CPUINFO_PLAIN, sink);
}

/* Bits that the text is said to prove and that the dump has otherwise; counts those that were proved. */
static unsigned wrong_bits(const struct evc_dump *proved, const struct evc_dump *dump, unsigned *n_proved)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < proved->n_leaves; i++) {
		const struct evc_leaf *leaf = &proved->leaves[i];

		/* The name is kept as it is printed, and the kernel cuts blanks off. */
		if (leaf->leaf >= 0x80000002 && leaf->leaf <= 0x80000004)
			continue;
		for (int reg = 0; reg < 4; reg++) {
			uint64_t known, value = evc_dump_register(dump, leaf->leaf, leaf->subleaf,
			                                          (enum evc_reg)reg, &known);
			uint32_t bits = leaf->known[reg] & (uint32_t)known;

			*n_proved += (unsigned)__builtin_popcount(bits);
			if ((leaf->value[reg] ^ value) & bits) {
				wrong++;
				print_message("# %x.%x reg %d: proved %08x/%08x, is %08x\n", leaf->leaf,
				              leaf->subleaf, reg, leaf->value[reg], leaf->known[reg],
				              (unsigned)value);
			}
		}
	}
	return wrong;
}

/* Whether all of the prediction is known: a text with "?" was printed by nobody. */
static bool is_printable(const struct evc_sink *sink)
{
	return !strstr(sink->text, "cpuid level\t: ?") && !strstr(sink->text, "model\t\t: ?") &&
	       !strstr(sink->text, "vendor_id\t: ?") && !strstr(sink->text, "sizes\t: ?") &&
	       !strstr(sink->text, "management: ?") && !strstr(sink->text, "clflush size\t: ?");
}

static void proves_no_bit_wrong(void **state)
{
	struct evc_sink sink = { 0 };
	unsigned n_texts = 0, n_proved = 0, wrong = 0;

	(void)state;
	for (size_t h = 0; h < n_corpus; h++)
		for (size_t t = h % 3; t < evc_n_linux_trees; t += 3) {
			struct evc_arena arena = { 0 };
			struct evc_hosts hosts = { 0 };
			struct evc_error err = { 0 };
			const char *microcode;

			print(&corpus[h], &evc_linux_trees[t], t % 2, &sink);
			if (!is_printable(&sink))
				continue;
			microcode = strstr(sink.text, "microcode\t: ?\n");
			if (microcode) /* as a hypervisor does that tells none */
				memmove((char *)microcode, microcode + 14, strlen(microcode + 14) + 1);
			if (evc_hosts_read(evc_span_from(sink.text), "host", &arena, &hosts, &err) < 0)
				fail_msg("%s under %s: %u: %s", corpus[h].name, evc_linux_trees[t].name,
				         err.line, err.text);
			assert_string_equal(hosts.items[0].format, "cpuinfo");
			unsigned here = wrong_bits(&hosts.items[0].cpus[0], &corpus[h].cpus[0], &n_proved);
			if (here)
				print_message("# %s under %s\n", corpus[h].name, evc_linux_trees[t].name);
			wrong += here;
			n_texts++;
			evc_arena_free(&arena);
		}
	print_message("# %u texts prove %u bits that their dumps know, %u registers wrong\n", n_texts,
	              n_proved, wrong);
	evc_sink_free(&sink);
	assert_true(n_texts > 100);
	assert_true(n_proved / n_texts > 150);
	assert_int_equal(wrong, 0);
}

/* --- laws of the prediction --------------------------------------------------------------------------- */

static uint64_t seed = 1;

static uint32_t roll(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* The dump without some of its features: bits of the words that flags are copied from. */
static void weaken(const struct evc_dump *dump, const struct evc_linux_tree *tree, struct evc_arena *arena,
                   struct evc_dump *ret_dump)
{
	struct evc_dump_builder builder;

	evc_dump_begin(&builder, arena);
	evc_dump_copy(&builder, dump);
	for (size_t i = 0; i < tree->n_words; i++) {
		struct evc_leaf leaf;
		struct evc_bit from = tree->words[i].from;

		evc_dump_leaf(dump, from.leaf, from.subleaf, &leaf);
		leaf.value[from.reg] &= roll() | roll();
		for (int reg = 0; reg < 4; reg++)
			leaf.known[reg] = reg == (int)from.reg ? leaf.known[reg] : 0;
		/* The kernel needs long mode, and the hypervisor's bit is no feature. */
		if (from.leaf == 0x80000001 || (from.leaf == 1 && from.reg == EVC_ECX))
			continue;
		evc_dump_set_bits(&builder, &leaf);
	}
	assert_int_equal(evc_dump_finish(&builder, ret_dump, NULL), EVC_OK);
}

/* Is the flag copied from a bit of CPUID? */
static bool is_born(const struct evc_linux_tree *tree, uint16_t place)
{
	for (size_t i = 0; i < tree->n_words; i++)
		if (tree->words[i].word == place / 32)
			return true;
	return false;
}

static void a_weaker_cpu_has_no_flag_more(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t h = 0; h < n_corpus; h++) {
		const struct evc_linux_tree *tree = &evc_linux_trees[h % evc_n_linux_trees];
		struct evc_arena arena = { 0 };
		struct evc_dump weaker;
		struct evc_linux_view strong, weak;
		struct evc_linux_question question = { .tree = tree, .dump = &corpus[h].cpus[0] };

		weaken(question.dump, tree, &arena, &weaker);
		evc_linux_predict(&question, &strong);
		question.dump = &weaker;
		evc_linux_predict(&question, &weak);
		for (size_t i = 0; i < tree->n_flags; i++) {
			enum evc_linux_flag flag = (enum evc_linux_flag)tree->flags[i].symbol;

			if (!is_born(tree, tree->flags[i].place) ||
			    evc_linux_view_flag(&weak, flag).truth != EVC_PRESENT)
				continue;
			n++;
			if (evc_linux_view_flag(&strong, flag).truth == EVC_ABSENT)
				fail_msg("%s gains %s under %s", corpus[h].name, tree->flags[i].name,
				         tree->name);
		}
		evc_arena_free(&arena);
	}
	assert_true(n > 1000);
}

static void the_chain_computes_to_what_is_printed(void **state)
{
	(void)state;
	for (size_t h = 0; h < n_corpus; h++) {
		const struct evc_linux_tree *tree = &evc_linux_trees[h % evc_n_linux_trees];
		struct evc_arena arena = { 0 };
		struct evc_linux_view view;
		struct evc_linux_question question = { .tree = tree,
			                               .dump = &corpus[h].cpus[0],
			                               .host = &corpus[h],
			                               .trace = evc_linux_trace_new(&arena) };

		evc_linux_predict(&question, &view);
		assert_false(question.trace->full);
		for (size_t i = 0; i < tree->n_flags; i++) {
			uint16_t flag = tree->flags[i].symbol;

			if (evc_linux_recompute(question.trace, EVC_LINUX_TARGET_FLAG, flag) !=
			    evc_linux_view_flag(&view, (enum evc_linux_flag)flag).truth)
				fail_msg("%s: the chain of %s under %s says otherwise", corpus[h].name,
				         tree->flags[i].name, tree->name);
		}
		for (size_t i = 0; i < tree->n_bugs; i++) {
			uint16_t bug = tree->bugs[i].symbol;

			if (evc_linux_recompute(question.trace, EVC_LINUX_TARGET_BUG, bug) !=
			    evc_linux_view_bug(&view, (enum evc_linux_bug)bug).truth)
				fail_msg("%s: the chain of %s under %s says otherwise", corpus[h].name,
				         tree->bugs[i].name, tree->name);
		}
		evc_arena_free(&arena);
	}
}

/* --- single conclusions --------------------------------------------------------------------------------- */

#define HEAD                                                                                                 \
	"processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 63\nstepping\t: 0\n"         \
	"cpuid level\t: 13\n"
#define TEXT(flags)                                                                                          \
	HEAD "flags\t\t: fpu tsc msr pae cx8 cmov fxsr sse sse2 lm nopl cpuid " flags "\nbugs\t\t:\n"

struct conclusion {
	const char *name, *text;
	uint32_t leaf, subleaf;
	enum evc_reg reg;
	unsigned bit;
	int wanted; /* 1, 0, or -1: unknown */
};

static const struct conclusion conclusions[] = {
	{ .name = "a printed flag proves its bit",
	  .text = TEXT("adx"),
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .bit = 19,
	  .wanted = 1 },
	{ .name = "a flag that all kernels know and nothing clears proves a zero where it is missing",
	  .text = TEXT(""),
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .bit = 19,
	  .wanted = 0 },
	{ .name = "a flag that some kernels do not know proves nothing where it is missing",
	  .text = TEXT(""),
	  .leaf = 7,
	  .subleaf = 1,
	  .reg = EVC_EAX,
	  .bit = 4,
	  .wanted = -1 },
	{ .name = "it proves a zero where the kernel is named and knows it",
	  .text = "Linux version 6.1.192\n" TEXT(""),
	  .leaf = 7,
	  .subleaf = 1,
	  .reg = EVC_EAX,
	  .bit = 4,
	  .wanted = 0 },
	{ .name = "a flag that is forced proves nothing, and the one that is not says no",
	  .text = TEXT("constant_tsc"),
	  .leaf = 0x80000007,
	  .reg = EVC_EDX,
	  .bit = 8,
	  .wanted = 0 },
	{ .name = "no avx proves nothing where XSAVE may have been taken away",
	  .text = TEXT(""),
	  .leaf = 1,
	  .reg = EVC_ECX,
	  .bit = 28,
	  .wanted = -1 },
	{ .name = "avx of a CPU as it was built proves the state for it",
	  .text = TEXT("xsave avx"),
	  .leaf = 0xd,
	  .reg = EVC_EAX,
	  .bit = 2,
	  .wanted = 1 },
	{ .name = "avx of a guest proves nothing of its state, since a hypervisor makes the table",
	  .text = TEXT("xsave avx hypervisor"),
	  .leaf = 0xd,
	  .reg = EVC_EAX,
	  .bit = 2,
	  .wanted = -1 },
	{ .name = "xsave proves the components that every kernel asks for, also in a guest",
	  .text = TEXT("xsave avx hypervisor"),
	  .leaf = 0xd,
	  .reg = EVC_EAX,
	  .bit = 1,
	  .wanted = 1 },
	{ .name = "a kernel that takes XSAVE away for a wrong size proves the right one",
	  .text = "Linux version 6.1.192\n" TEXT("xsave avx"),
	  .leaf = 0xd,
	  .subleaf = 2,
	  .reg = EVC_EAX,
	  .bit = 8,
	  .wanted = 1 },
	{ .name = "a kernel that only warns of it proves no size",
	  .text = "Linux version 5.4.0-139\n" TEXT("xsave avx"),
	  .leaf = 0xd,
	  .subleaf = 2,
	  .reg = EVC_EAX,
	  .bit = 8,
	  .wanted = -1 },
	{ .name = "no la57 under Ubuntu's 6.8, which has pages of five levels, is a zero",
	  .text = "Linux version 6.8.0-151-generic\n" TEXT(""),
	  .leaf = 7,
	  .reg = EVC_ECX,
	  .bit = 16,
	  .wanted = 0 },
	{ .name = "under Ubuntu's 5.4, which has none, it may be either",
	  .text = "Linux version 5.4.0-139-generic\n" TEXT(""),
	  .leaf = 7,
	  .reg = EVC_ECX,
	  .bit = 16,
	  .wanted = -1 },
	{ .name = "and under a kernel of which nobody knows how it was configured",
	  .text = "Linux version 6.1.192\n" TEXT(""),
	  .leaf = 7,
	  .reg = EVC_ECX,
	  .bit = 16,
	  .wanted = -1 },
	{ .name = "stibp of an Intel CPU as it was built is Intel's bit",
	  .text = TEXT("stibp"),
	  .leaf = 7,
	  .reg = EVC_EDX,
	  .bit = 27,
	  .wanted = 1 },
	{ .name = "stibp of a guest may come from either vendor's bit",
	  .text = TEXT("stibp hypervisor"),
	  .leaf = 7,
	  .reg = EVC_EDX,
	  .bit = 27,
	  .wanted = -1 },
	{ .name = "the family is known", .text = TEXT(""), .leaf = 1, .reg = EVC_EAX, .bit = 9, .wanted = 1 },
	{ .name = "the type is not", .text = TEXT(""), .leaf = 1, .reg = EVC_EAX, .bit = 12, .wanted = -1 },
	{ .name = "words that contradict each other are read all the same",
	  .text = TEXT("xsave avx adx") "address sizes\t: 39 bits physical, 48 bits virtual\n",
	  .leaf = 0x80000008,
	  .reg = EVC_EAX,
	  .bit = 5,
	  .wanted = 1 },
};

static void concludes(void **state)
{
	const struct conclusion *row = *state;
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };
	uint64_t known, value;

	if (evc_hosts_read(evc_span_from(row->text), "host", &arena, &hosts, &err) < 0)
		fail_msg("%u:%u: %s", err.line, err.column, err.text);
	value = evc_dump_register(&hosts.items[0].cpus[0], row->leaf, row->subleaf, row->reg, &known);
	if (row->wanted < 0)
		assert_false(known >> row->bit & 1);
	else {
		assert_true(known >> row->bit & 1);
		assert_int_equal(value >> row->bit & 1, row->wanted);
	}
	evc_arena_free(&arena);
}

static void folds_cpus_that_are_alike(void **state)
{
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_sink text = { 0 };

	(void)state;
	for (int i = 0; i < 12; i++)
		evc_sink_printf(&text,
		                "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 63\n"
		                "stepping\t: 0\napicid\t\t: %d\ncpu MHz\t\t: %d.000\ncpuid level\t: 13\n"
		                "flags\t\t: fpu lm%s\n\n",
		                i, 2 * i, 1000 + i, i < 8 ? " smap" : "");
	assert_int_equal(evc_hosts_read(evc_span_from(text.text), "host", &arena, &hosts, NULL), EVC_OK);
	assert_int_equal(hosts.items[0].n_cpus, 2);
	assert_int_equal(hosts.items[0].cpus[0].n_alike, 8);
	assert_int_equal(hosts.items[0].cpus[1].n_alike, 4);
	assert_int_equal(hosts.items[0].cpus[1].cpu, 8);
	evc_sink_free(&text);
	evc_arena_free(&arena);
}

enum { N_CONCLUSIONS = sizeof(conclusions) / sizeof(conclusions[0]), N_LAWS = 4 };

int main(void)
{
	struct CMUnitTest tests[N_LAWS + N_CONCLUSIONS] = {
		{ "a text proves no bit that its dump has otherwise", proves_no_bit_wrong, NULL, NULL, NULL },
		{ "a weaker CPU has no flag of CPUID more", a_weaker_cpu_has_no_flag_more, NULL, NULL, NULL },
		{ "the chain computes to what is printed", the_chain_computes_to_what_is_printed, NULL, NULL,
		  NULL },
		{ "folds CPUs that are alike", folds_cpus_that_are_alike, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < N_CONCLUSIONS; i++)
		tests[N_LAWS + i] = (struct CMUnitTest){ .name = conclusions[i].name,
			                                 .test_func = concludes,
			                                 .initial_state = (void *)&conclusions[i] };
	return cmocka_run_group_tests(tests, read_corpus, free_corpus);
}
