/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any table at all, on any kernel: the prediction ends, holds to its own words, and its causes come to the
 * same.
 *
 * The input is a kernel and then records of a leaf or a register: the first leaf, subleaf and registers of
 * those that the kernel asks, so that random bytes hit what counts.
 */
#include "core/linux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Places that decide. */
static const uint32_t leaves[][2] = {
	{ 0x0, 0 },        { 0x1, 0 },        { 0x2, 0 },        { 0x4, 0 },        { 0x4, 1 },
	{ 0x4, 2 },        { 0x6, 0 },        { 0x7, 0 },        { 0x7, 1 },        { 0x7, 2 },
	{ 0xa, 0 },        { 0xb, 0 },        { 0xb, 1 },        { 0xd, 0 },        { 0xd, 1 },
	{ 0xd, 2 },        { 0xd, 5 },        { 0xd, 9 },        { 0xd, 18 },       { 0x15, 0 },
	{ 0x1f, 0 },       { 0x40000000, 0 }, { 0x40000001, 0 }, { 0x40000003, 0 }, { 0x40000010, 0 },
	{ 0x40000100, 0 }, { 0x80000000, 0 }, { 0x80000001, 0 }, { 0x80000002, 0 }, { 0x80000006, 0 },
	{ 0x80000007, 0 }, { 0x80000008, 0 }, { 0x8000000a, 0 }, { 0x8000001e, 0 }, { 0x8000001f, 0 },
	{ 0x80000021, 0 }, { 0x80000026, 0 }, { 0xc0000000, 0 }, { 0xc0000001, 0 }, { 0x80860001, 0 },
};
static const uint32_t msrs[] = { 0x3a,  0x4e,  0x8b,  0xce,       0x10a,      0x140,      0x1a0,
	                         0x480, 0x48b, 0x982, 0xc0010010, 0xc0010114, 0xc0010140, 0xc0011020 };

struct input {
	const uint8_t *data;
	size_t size;
};

static uint32_t take(struct input *input, unsigned bytes)
{
	uint32_t value = 0;

	for (; bytes && input->size; bytes--, input->data++, input->size--)
		value = value << 8 | *input->data;
	return value;
}

static void read_record(struct input *input, struct evc_dump_builder *builder)
{
	enum { N_LEAVES = sizeof(leaves) / sizeof(leaves[0]), N_MSRS = sizeof(msrs) / sizeof(msrs[0]) };
	uint32_t which = take(input, 1);
	struct evc_leaf leaf = { 0 };

	if (which >= 224) {
		uint64_t value = (uint64_t)take(input, 4) << 32;

		value |= take(input, 4);
		evc_dump_set_msr(builder, msrs[which % N_MSRS], value, UINT64_MAX);
		return;
	}
	leaf.leaf = leaves[which % N_LEAVES][0];
	leaf.subleaf = leaves[which % N_LEAVES][1];
	for (unsigned reg = 0; reg < 4; reg++) {
		leaf.value[reg] = take(input, 4);
		leaf.known[reg] = which < 200 ? UINT32_MAX : take(input, 4);
		leaf.value[reg] &= leaf.known[reg];
	}
	evc_dump_set_bits(builder, &leaf);
}

static void wrong(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s\n", name, what);
	abort();
}

static void check(const struct evc_linux_view *view, const struct evc_linux_view *traced,
                  const struct evc_linux_trace *trace)
{
	for (size_t i = 0; i < view->tree->n_flags; i++) {
		const struct evc_linux_name *name = &view->tree->flags[i];
		struct evc_linux_truth truth = evc_linux_view_flag(view, (enum evc_linux_flag)name->symbol);

		if (truth.truth != evc_linux_recompute(trace, EVC_LINUX_TARGET_FLAG, name->symbol))
			wrong("the causes come to something else", name->name);
	}
	for (size_t i = 0; i < view->tree->n_bugs; i++) {
		const struct evc_linux_name *name = &view->tree->bugs[i];
		struct evc_linux_truth truth = evc_linux_view_bug(view, (enum evc_linux_bug)name->symbol);

		if (truth.truth != evc_linux_recompute(trace, EVC_LINUX_TARGET_BUG, name->symbol))
			wrong("the causes come to something else", name->name);
	}
	if (memcmp(view->flags, traced->flags, sizeof(view->flags)) || view->bugs != traced->bugs)
		wrong("with causes it is another", view->tree->name);
	for (unsigned word = 0; word < EVC_LINUX_WORDS; word++)
		if (view->flags[word] & view->flags_unsure[word])
			wrong("there, and not known", view->tree->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .data = data, .size = size };
	struct evc_linux_question question = { 0 };
	struct evc_linux_env env = { 0 };
	struct evc_linux_view view, traced;
	struct evc_dump_builder builder;
	struct evc_arena arena = { 0 };
	struct evc_dump dump;

	question.tree = &evc_linux_trees[take(&input, 1) % evc_n_linux_trees];
	env.platform = (enum evc_linux_platform)(take(&input, 1) % EVC_LINUX_N_PLATFORMS);
	evc_dump_begin(&builder, &arena);
	while (input.size)
		read_record(&input, &builder);
	if (!evc_dump_finish(&builder, &dump, NULL)) {
		question.env = &env;
		question.dump = &dump;
		evc_linux_predict(&question, &view);
		question.trace = evc_linux_trace_new(&arena);
		if (question.trace) {
			evc_linux_predict(&question, &traced);
			if (!question.trace->full)
				check(&view, &traced, question.trace);
		}
	}
	evc_arena_free(&arena);
	return 0;
}
