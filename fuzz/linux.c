/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any table at all, on any kernel: the prediction ends, holds to its own words, and its laws hold.
 *
 * The input says in its first bytes which kernel, which hypervisor and boot options, which law, and which
 * words of it are looked at; then come records of a leaf or a register: the first leaf, subleaf and
 * registers of those that the kernel asks, so that random bytes hit what counts.  One law and few words a
 * time: an execution is short, and many of them see everything.
 */
#include "core/linux.h"

#include "base/sink.h"
#include "core/linux_back.h"
#include "core/linux_change.h"
#include "core/linux_seen.h"
#include "core/linux_vuln.h"
#include "text/cpuinfo.h"
#include "text/cpuinfo_against.h"
#include "text/cpuinfo_why.h"
#include "text/cpuinfo_write.h"

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

static const char *const command_lines[] = {
	NULL,
	"",
	"mitigations=off",
	"pti=on tsx=on",
	"nopti tsx=auto gather_data_sampling=force",
	"noxsave nopcid nox2apic fred=on",
	"clearcpuid=avx,514 noxsaves nopku tsc=reliable",
	"nosmap nosmep nordrand no5lvl ibt=off nosmt",
};

struct input {
	const uint8_t *data;
	size_t size;
};

/* What one execution does. */
struct trial {
	struct evc_arena arena;
	struct evc_linux_env env;
	struct evc_linux_question question;
	struct evc_dump dump;
	unsigned choice; /* of words, of bits: whatever the law wants to have chosen */
};

enum { STRIDE = 16 }; /* of the words, so many are passed over for each that is looked at */

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

/* What every view holds to. */
static void predict(const struct trial *trial, struct evc_linux_view *ret_view)
{
	evc_linux_predict(&trial->question, ret_view);
	for (unsigned word = 0; word < EVC_LINUX_WORDS; word++)
		if (ret_view->flags[word] & ret_view->flags_unsure[word])
			wrong("there, and not known", ret_view->tree->name);
	if (ret_view->bugs & ret_view->bugs_unsure)
		wrong("there, and not known", ret_view->tree->name);
}

/* An empty trace; its memory serves all executions, or most of the time would go into asking for it. */
static struct evc_linux_trace *empty_trace(unsigned which)
{
	static struct evc_arena arena;
	static struct evc_linux_trace *traces[2];

	if (!traces[which])
		traces[which] = evc_linux_trace_new(&arena);
	if (traces[which]) {
		traces[which]->n_nodes = 1;
		traces[which]->n_steps = 0;
		traces[which]->full = false;
	}
	return traces[which];
}

/* --- laws ----------------------------------------------------------------------------------------- */

/* Who is told "Not affected" surely has no such bug, and every text has an end. */
static void law_vulnerabilities(struct trial *trial)
{
	struct evc_linux_vuln vulns[EVC_LINUX_MAX_VULNS];
	struct evc_linux_view view;
	size_t n;

	predict(trial, &view);
	n = evc_linux_vulns(&trial->question, &view, vulns);
	for (size_t i = 0; i < n; i++) {
		if ((vulns[i].class == EVC_LINUX_VULN_NOT_AFFECTED) !=
		            (vulns[i].affected.truth == EVC_ABSENT) &&
		    vulns[i].class != EVC_LINUX_VULN_UNSURE && vulns[i].affected.truth != EVC_PRESENT)
			wrong("told otherwise than affected", vulns[i].file->name);
		if (!memchr(vulns[i].text, 0, sizeof(vulns[i].text)) ||
		    vulns[i].text_known != (vulns[i].text[0] != 0))
			wrong("a text that has no end or no beginning", vulns[i].file->name);
	}
}

/* What is written can be read, and says the same words. */
static void law_text(struct trial *trial)
{
	struct evc_linux_view view;
	struct evc_cpuinfo text;
	struct evc_sink sink = { 0 };

	predict(trial, &view);
	evc_cpuinfo_write(&view, trial->choice % 2 ? EVC_CPUINFO_CERTAINTY : EVC_CPUINFO_PLAIN, &sink);
	if (!sink.failed && trial->choice % 2 == 0 &&
	    !evc_cpuinfo_read((struct evc_span){ .text = sink.text, .length = sink.length }, &trial->arena,
	                      &text, NULL)) {
		struct evc_linux_words words = evc_linux_tree_words(view.tree, EVC_LINUX_FLAGS);

		for (size_t i = 0; i < words.n; i++)
			if (evc_cpuinfo_has(evc_cpuinfo_find(&text.cpus[0], "flags"),
			                    evc_span_from(words.names[i].name)) !=
			    (evc_linux_view_word(&view, &words, i).truth == EVC_PRESENT))
				wrong("written otherwise", words.names[i].name);
	}
	evc_sink_free(&sink);
}

/* Words that the trial looks at: their causes come to what they are. */
static void recompute(const struct trial *trial, const struct evc_linux_view *view, enum evc_linux_line line,
                      enum evc_linux_target target)
{
	struct evc_linux_words words = evc_linux_tree_words(view->tree, line);

	for (size_t i = trial->choice % STRIDE; i < words.n; i += STRIDE)
		if (evc_linux_view_word(view, &words, i).truth !=
		    evc_linux_recompute(trial->question.trace, target, words.names[i].symbol))
			wrong("the causes come to something else", words.names[i].name);
}

static bool same_truth(struct evc_linux_truth a, struct evc_linux_truth b)
{
	return a.depends == b.depends && a.truth == b.truth;
}

/* Value by value: there may be anything between them. */
static bool same_view(const struct evc_linux_view *a, const struct evc_linux_view *b)
{
	for (unsigned i = 0; i < EVC_LINUX_N_LINES; i++)
		if (!same_truth(a->lines[i].shown, b->lines[i].shown) ||
		    !same_truth(a->lines[i].known, b->lines[i].known) ||
		    a->lines[i].number != b->lines[i].number || a->lines[i].second != b->lines[i].second)
			return false;
	return !memcmp(a->flags, b->flags, sizeof(a->flags)) &&
	       !memcmp(a->flags_unsure, b->flags_unsure, sizeof(a->flags_unsure)) &&
	       !memcmp(a->flags_depend, b->flags_depend, sizeof(a->flags_depend)) && a->bugs == b->bugs &&
	       a->bugs_unsure == b->bugs_unsure &&
	       !memcmp(a->bugs_depend, b->bugs_depend, sizeof(a->bugs_depend)) &&
	       !memcmp(a->vmx, b->vmx, sizeof(a->vmx)) &&
	       !memcmp(a->vmx_unsure, b->vmx_unsure, sizeof(a->vmx_unsure)) &&
	       a->vmx_depends == b->vmx_depends && !strcmp(a->vendor_id, b->vendor_id) &&
	       !strcmp(a->model_name, b->model_name);
}

static void law_causes(struct trial *trial)
{
	struct evc_linux_view view, traced;

	predict(trial, &view);
	trial->question.trace = empty_trace(0);
	if (!trial->question.trace)
		return;
	evc_linux_predict(&trial->question, &traced);
	if (trial->question.trace->full)
		wrong("more causes than there is room for", view.tree->name);
	if (!same_view(&view, &traced))
		wrong("with causes it is another", view.tree->name);
	recompute(trial, &view, EVC_LINUX_FLAGS, EVC_LINUX_TARGET_FLAG);
	recompute(trial, &view, EVC_LINUX_BUGS, EVC_LINUX_TARGET_BUG);
}

/* A word can be explained, and the explanation says something. */
static void law_explanation(struct trial *trial)
{
	struct evc_linux_words words = evc_linux_tree_words(
		trial->question.tree, trial->choice % 3 ? EVC_LINUX_FLAGS : EVC_LINUX_BUGS);
	struct evc_sink sink = { 0 };
	struct evc_cpuinfo_word word;
	struct evc_linux_view view;
	struct evc_span name = evc_span_from(trial->choice % 5 ? words.names[trial->choice % words.n].name
	                                                       : evc_linux_line_name((enum evc_linux_line)(
									 trial->choice % EVC_LINUX_N_LINES)));

	trial->question.trace = empty_trace(0);
	if (!trial->question.trace)
		return;
	predict(trial, &view);
	if (!evc_cpuinfo_word(view.tree, name, &word))
		wrong("no word of its own kernel", name.text);
	evc_cpuinfo_why(&view, trial->question.trace, &word, &sink);
	if (!sink.failed && !sink.length)
		wrong("explained by nothing", name.text);
	evc_sink_free(&sink);
}

/* The words as they are printed, apart by blanks; false when one of them is not known. */
static bool print_words(const struct evc_linux_view *view, enum evc_linux_line line, struct evc_sink *sink)
{
	struct evc_linux_words words = evc_linux_tree_words(view->tree, line);

	for (size_t i = 0; i < words.n; i++) {
		struct evc_linux_truth truth = evc_linux_view_word(view, &words, i);

		if (truth.truth == EVC_UNSURE)
			return false;
		if (truth.truth == EVC_PRESENT)
			evc_sink_printf(sink, " %s", words.names[i].name);
	}
	return !sink->failed;
}

static void compare_back(const struct trial *trial, const struct evc_dump *back)
{
	for (size_t i = 0; i < back->n_leaves; i++) {
		const struct evc_leaf *leaf = &back->leaves[i];
		struct evc_leaf real;

		evc_dump_leaf(&trial->dump, leaf->leaf, leaf->subleaf, &real);
		for (int reg = 0; reg < 4; reg++)
			if (leaf->known[reg] & ~real.known[reg] ||
			    (leaf->value[reg] ^ real.value[reg]) & leaf->known[reg]) {
				fprintf(stderr, "%x.%x:%d back %x of %x, was %x of %x\n", leaf->leaf,
				        leaf->subleaf, reg, leaf->value[reg], leaf->known[reg],
				        real.value[reg], real.known[reg]);
				wrong("a bit is proved that is not so", trial->question.tree->name);
			}
	}
	for (size_t i = 0; i < back->n_msrs; i++) {
		uint64_t known,
			value = evc_dump_register(&trial->dump, back->msrs[i].index, 0, EVC_MSR, &known);

		if (known & back->msrs[i].known & (value ^ back->msrs[i].value)) {
			fprintf(stderr, "msr:%x\n", back->msrs[i].index);
			wrong("a bit is proved that is not so", trial->question.tree->name);
		}
	}
}

/* From printed words back to bits: what they prove is true. */
static void law_way_back(struct trial *trial)
{
	struct evc_linux_listing listing = { .tree = trial->question.tree, .has_bugs = true };
	struct evc_sink flags = { 0 }, bugs = { 0 };
	struct evc_dump_builder builder;
	struct evc_linux_view view;
	struct evc_leaf leaf;
	struct evc_dump lines, back;

	/* Options are left out: those that take a flag away are not considered on the way back. */
	trial->env = (struct evc_linux_env){ 0 };
	predict(trial, &view);
	if (print_words(&view, EVC_LINUX_FLAGS, &flags) && print_words(&view, EVC_LINUX_BUGS, &bugs)) {
		listing.flags = evc_span_from(flags.length ? flags.text : "");
		listing.bugs = evc_span_from(bugs.length ? bugs.text : "");
		evc_dump_begin(&builder, &trial->arena);
		for (uint32_t number = 0; number < 2; number++) {
			evc_dump_leaf(&trial->dump, number, 0, &leaf);
			if (number)
				leaf.known[EVC_EBX] = leaf.known[EVC_ECX] = leaf.known[EVC_EDX] = 0;
			for (int reg = 0; reg < 4; reg++)
				leaf.value[reg] &= leaf.known[reg];
			evc_dump_set_bits(&builder, &leaf);
		}
		if (!evc_dump_finish(&builder, &lines, NULL) &&
		    !evc_linux_back(&listing, &lines, &trial->arena, &back, NULL))
			compare_back(trial, &back);
	}
	evc_sink_free(&flags);
	evc_sink_free(&bugs);
}

/* The dump without one of its features that are levelled by "and"; false when it has none. */
static bool weaken(struct trial *trial, struct evc_dump *ret_dump)
{
	struct evc_dump_builder builder;

	for (unsigned n = 0; n < EVC_N_FEATURES; n++) {
		unsigned id = (trial->choice + n) % EVC_N_FEATURES;
		const struct evc_bit bit = evc_features[id].bit;
		struct evc_leaf leaf;

		if (evc_features[id].rule != EVC_RULE_AND || bit.reg == EVC_MSR || bit.lo != bit.hi ||
		    evc_dump_get(&trial->dump, bit, NULL) == 0)
			continue;
		evc_dump_begin(&builder, &trial->arena);
		evc_dump_copy(&builder, &trial->dump);
		evc_dump_leaf(&trial->dump, bit.leaf, bit.subleaf, &leaf);
		leaf.value[bit.reg] &= ~(uint32_t)evc_bit_mask(bit);
		evc_dump_set_bits(&builder, &leaf);
		return !evc_dump_finish(&builder, ret_dump, NULL);
	}
	return false;
}

/* One feature less: no flag comes whose bit CPUID does not have, and each change is told. */
static void law_weaker(struct trial *trial)
{
	struct evc_linux_told before, after;
	struct evc_linux_view views[2];
	struct evc_linux_changes changes;
	struct evc_dump weaker, stronger = trial->dump;

	trial->question.trace = empty_trace(0);
	predict(trial, &views[0]);
	before = (struct evc_linux_told){ .view = &views[0], .trace = trial->question.trace };
	if (!weaken(trial, &weaker))
		return;
	trial->dump = weaker;
	trial->question.trace = empty_trace(1);
	predict(trial, &views[1]);
	after = (struct evc_linux_told){ .view = &views[1], .trace = trial->question.trace };
	for (unsigned flag = 0; flag < EVC_LINUX_N_FLAGS; flag++) {
		uint16_t feature = evc_linux_flag_features[flag];

		if (feature == EVC_N_FEATURES || evc_dump_get(&stronger, evc_features[feature].bit, NULL))
			continue;
		if (evc_linux_view_flag(&views[0], (enum evc_linux_flag)flag).truth == EVC_ABSENT &&
		    evc_linux_view_flag(&views[1], (enum evc_linux_flag)flag).truth == EVC_PRESENT)
			wrong("comes with a feature less", evc_linux_flag_symbols[flag]);
	}
	if (!before.trace || !after.trace ||
	    evc_linux_compare(&before, &after, &trial->arena, &changes, NULL) < 0)
		return;
	for (size_t i = 0; i < changes.n; i++)
		if (changes.items[i].target == EVC_LINUX_TARGET_FLAG &&
		    changes.items[i].before.truth == changes.items[i].after.truth &&
		    !changes.items[i].n_causes)
			wrong("a change that is none", evc_linux_flag_symbols[changes.items[i].id]);
}

/* Nobody is hidden a flaw from that knows its own CPU. */
static void law_honest(struct trial *trial)
{
	struct evc_findings findings = { .arena = &trial->arena };
	struct evc_linux_seer host = { .name = "host" }, guest = { .name = "guest" };
	struct evc_offer offer = { .dump = trial->dump };
	struct evc_linux_view view;
	struct evc_dump honest;

	evc_cpu_decode(&trial->dump, &offer.silicon);
	evc_linux_see(trial->question.tree, &trial->dump, &view);
	evc_linux_flaws_told(&view, &trial->dump, &guest.flaws);
	if (evc_linux_honest(&trial->dump, &offer, &trial->arena, &honest, NULL) < 0)
		return;
	evc_linux_see(trial->question.tree, &honest, &view);
	evc_linux_flaws_told(&view, &honest, &host.flaws);
	evc_linux_find_untold(&host, 1, &guest, 1, &findings);
	if (findings.n)
		wrong("a flaw of its own is not told", findings.items[0].detail);
}

/* Against itself there is no difference. */
static void law_against(struct trial *trial)
{
	struct evc_cpuinfo_comparison comparison;
	struct evc_linux_view view;
	struct evc_cpuinfo text;
	struct evc_sink sink = { 0 };

	if (trial->choice % STRIDE)
		return;
	predict(trial, &view);
	/* For each word that is not known it would look for what decides it: long. */
	if (!print_words(&view, EVC_LINUX_FLAGS, &sink) || !print_words(&view, EVC_LINUX_BUGS, &sink)) {
		evc_sink_free(&sink);
		return;
	}
	evc_sink_clear(&sink);
	evc_cpuinfo_write(&view, EVC_CPUINFO_PLAIN, &sink);
	if (!evc_cpuinfo_read((struct evc_span){ .text = sink.text, .length = sink.length }, &trial->arena,
	                      &text, NULL) &&
	    !evc_cpuinfo_against(&trial->question, &text, 0, &trial->arena, &comparison, NULL))
		for (size_t i = 0; i < comparison.n; i++)
			if (!comparison.items[i].unknown && !comparison.items[i].varies)
				wrong("differs from itself", comparison.items[i].predicted
				                                     ? comparison.items[i].predicted
				                                     : "a word");
	evc_sink_free(&sink);
}

/* Laws, and how often each is taken: dear ones seldom. */
static const struct {
	void (*check)(struct trial *trial);
	unsigned share;
} laws[] = {
	{ .check = law_vulnerabilities, .share = 8 }, { .check = law_text, .share = 6 },
	{ .check = law_causes, .share = 6 },          { .check = law_explanation, .share = 4 },
	{ .check = law_weaker, .share = 3 },          { .check = law_honest, .share = 2 },
	{ .check = law_way_back, .share = 2 },        { .check = law_against, .share = 1 },
};

enum { SHARES = 32 };

static void check(struct trial *trial, unsigned number)
{
	for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++) {
		if (number < laws[i].share) {
			laws[i].check(trial);
			return;
		}
		number -= laws[i].share;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .data = data, .size = size };
	struct evc_dump_builder builder;
	struct trial trial = { 0 };
	const char *line;
	unsigned law;

	trial.question.tree = &evc_linux_trees[take(&input, 1) % evc_n_linux_trees];
	trial.env.platform = (enum evc_linux_platform)(take(&input, 1) % EVC_LINUX_N_PLATFORMS);
	law = take(&input, 1) % SHARES;
	trial.choice = take(&input, 2);
	line = command_lines[trial.choice % (sizeof(command_lines) / sizeof(command_lines[0]))];
	if (line) {
		trial.env.has_cmdline = true;
		memcpy(trial.env.cmdline, line, strlen(line) + 1);
	}
	if (trial.choice & 0x100) {
		trial.env.cpus = 1 + (trial.choice >> 9 & 7);
		trial.env.cores = trial.choice >> 12 & 3;
		trial.env.threads = trial.choice >> 14 & 3;
		trial.question.cpu = trial.env.cpus - 1;
	}
	evc_dump_begin(&builder, &trial.arena);
	while (input.size)
		read_record(&input, &builder);
	if (!evc_dump_finish(&builder, &trial.dump, NULL)) {
		trial.question.env = &trial.env;
		trial.question.dump = &trial.dump;
		check(&trial, law);
	}
	evc_arena_free(&trial.arena);
	return 0;
}
