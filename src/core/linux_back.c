/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Back from printed words to bits, by the same rules that print them.
 *
 * There is no second table of which flags tell the truth.  A prediction is made for the dump as far as
 * it is known, with its trace: all conditions under which the kernel sets and clears each word.  Then,
 * for each bit that a word's conditions ask for, the word is computed again with the bit zero and with
 * the bit one, everything else unknown or assumed being unknown:
 *
 *   the word is printed, and could not be with the bit v       the bit is not v
 *   it is not printed, and would have to be with the bit v     the bit is not v
 *   otherwise                                                  the bit stays unknown
 *
 * So "avx" proves its bit; "constant_tsc", which Linux gives to every newer Intel CPU, proves none; no
 * "smap" proves a zero where nothing clears it; and no "l1tf" on a model that the kernel's list names
 * proves a bit of an MSR.  Boot options are refuted the same way: who prints "pcid" was not booted with
 * "nopcid", which makes room for the next conclusion.  What is proved is put into the dump, and the
 * whole is done again, since a level or the hypervisor's bit decides other conditions.
 *
 * Without a kernel's name a conclusion must hold for each kernel that knows all the printed flags.
 * Of a kernel whose builder is known the configuration counts as well; of others it could be any.
 * Options that take a flag away by its name (clearcpuid=, nopcid, noxsave, nosmap …) are not considered:
 * the KVM of such a kernel does not offer the flag either.
 */
#include "core/linux_back.h"

#include <string.h>

enum {
	MAX_CLAIMS = 1536,
	MAX_OPTIONS = 32,
	MAX_PASSES = 4,
	N_WORDS = EVC_LINUX_N_FLAGS + EVC_LINUX_N_BUGS, /* of both lines */
	NO_STEP = 0xffff,
};

struct claim {
	uint16_t word;
	struct evc_bit bit;
	bool value;
};

struct claims {
	struct claim items[MAX_CLAIMS];
	size_t n;
};

/* One kernel looked at: its trace, the steps of each word, which words it prints. */
struct look {
	const struct evc_linux_tree *tree;
	const struct evc_linux_build *build;
	const struct evc_linux_trace *trace;
	uint16_t first[N_WORDS]; /* step, or NO_STEP */
	uint16_t *next;          /* by step */
	bool shows[N_WORDS];
	bool printed[N_WORDS];
	const char *refuted[MAX_OPTIONS]; /* boot options that were not given */
	size_t n_refuted;
};

/* What all rounds share. */
struct work {
	struct evc_linux_trace *trace;
	uint16_t *next;
	struct look *looks; /* one for each kernel that may have printed it */
	size_t n_looks;
	struct claims *all, *these;
};

/* What is supposed while a word is computed again: a bit, or a boot option. */
struct supposed {
	const struct evc_bit *bit;
	const char *option;
	enum evc_truth truth;
};

static bool same_bit(const struct evc_bit *a, const struct evc_bit *b)
{
	return a->leaf == b->leaf && a->subleaf == b->subleaf && a->reg == b->reg && a->lo == b->lo &&
	       a->hi == b->hi;
}

static bool is_refuted(const struct look *look, const char *option)
{
	for (size_t i = 0; i < look->n_refuted; i++)
		if (!strcmp(look->refuted[i], option))
			return true;
	return false;
}

static enum evc_truth negate(enum evc_truth truth)
{
	if (truth == EVC_UNSURE)
		return truth;
	return truth == EVC_PRESENT ? EVC_ABSENT : EVC_PRESENT;
}

static enum evc_truth both(enum evc_truth a, enum evc_truth b)
{
	if (a == EVC_ABSENT || b == EVC_ABSENT)
		return EVC_ABSENT;
	return a == EVC_UNSURE || b == EVC_UNSURE ? EVC_UNSURE : EVC_PRESENT;
}

static enum evc_truth either(enum evc_truth a, enum evc_truth b)
{
	return negate(both(negate(a), negate(b)));
}

/* A condition under the supposition; what was only assumed counts as unknown. */
static enum evc_truth evaluate(const struct look *look, uint16_t number, const struct supposed *supposed)
{
	const struct evc_linux_node *node = &look->trace->nodes[number];

	switch (node->reason) {
	case EVC_LINUX_REASON_NOT:
		return negate(evaluate(look, node->a, supposed));
	case EVC_LINUX_REASON_AND:
		return both(evaluate(look, node->a, supposed), evaluate(look, node->b, supposed));
	case EVC_LINUX_REASON_OR:
		return either(evaluate(look, node->a, supposed), evaluate(look, node->b, supposed));
	case EVC_LINUX_REASON_BIT:
		if (supposed->bit && same_bit(&node->bit, supposed->bit))
			return supposed->truth;
		break;
	case EVC_LINUX_REASON_OPTION:
		if (supposed->option && !strcmp(node->text, supposed->option))
			return supposed->truth;
		if (is_refuted(look, node->text))
			return EVC_ABSENT;
		break;
	case EVC_LINUX_NO_REASON:
	case EVC_LINUX_REASON_FLAG:
	case EVC_LINUX_REASON_BUG:
	case EVC_LINUX_REASON_ROW:
	case EVC_LINUX_REASON_READABLE:
	case EVC_LINUX_REASON_PLATFORM:
	case EVC_LINUX_REASON_SWITCH:
	case EVC_LINUX_REASON_CPU:
	case EVC_LINUX_REASON_NUMBER:
	case EVC_LINUX_REASON_TEXT:
		break;
	}
	return node->depends ? EVC_UNSURE : (enum evc_truth)node->truth;
}

/* The word, under the supposition. */
static enum evc_truth word_truth(const struct look *look, uint16_t word, const struct supposed *supposed)
{
	enum evc_truth now = EVC_ABSENT, forced = EVC_ABSENT, forbidden = EVC_ABSENT;

	for (uint16_t i = look->first[word]; i != NO_STEP; i = look->next[i]) {
		const struct evc_linux_step *step = &look->trace->steps[i];
		enum evc_truth when = evaluate(look, step->node, supposed);

		switch (step->effect) {
		case EVC_LINUX_BECOMES:
			now = when;
			break;
		case EVC_LINUX_STAYS_SET:
			forced = either(forced, when);
			now = either(now, when);
			break;
		case EVC_LINUX_SET:
			now = either(now, when);
			break;
		case EVC_LINUX_STAYS_CLEAR:
			forbidden = either(forbidden, when);
			now = both(now, negate(when));
			break;
		case EVC_LINUX_CLEAR:
			now = both(now, negate(when));
			break;
		}
	}
	return either(both(now, negate(forbidden)), forced);
}

/* Can the supposition not be, given what is printed? */
static bool contradicts(const struct look *look, uint16_t word, const struct supposed *supposed)
{
	return word_truth(look, word, supposed) == (look->printed[word] ? EVC_ABSENT : EVC_PRESENT);
}

static void add_claim(struct claims *claims, uint16_t word, const struct evc_bit *bit, bool value)
{
	for (size_t i = 0; i < claims->n; i++)
		if (claims->items[i].word == word && same_bit(&claims->items[i].bit, bit))
			return;
	if (claims->n < MAX_CLAIMS)
		claims->items[claims->n++] = (struct claim){ .word = word, .bit = *bit, .value = value };
}

/* Try both values of each bit, and the presence of each option, that the condition asks for. */
static void try_node(struct look *look, uint16_t word, uint16_t number, bool options, struct claims *claims)
{
	const struct evc_linux_node *node = &look->trace->nodes[number];
	struct supposed zero = { .bit = &node->bit, .truth = EVC_ABSENT },
			one = { .bit = &node->bit, .truth = EVC_PRESENT },
			given = { .option = node->text, .truth = EVC_PRESENT };

	if (node->reason == EVC_LINUX_REASON_AND || node->reason == EVC_LINUX_REASON_OR) {
		try_node(look, word, node->a, options, claims);
		try_node(look, word, node->b, options, claims);
	} else if (node->reason == EVC_LINUX_REASON_NOT) {
		try_node(look, word, node->a, options, claims);
	} else if (options && node->reason == EVC_LINUX_REASON_OPTION) {
		if (look->n_refuted < MAX_OPTIONS && !is_refuted(look, node->text) &&
		    contradicts(look, word, &given))
			look->refuted[look->n_refuted++] = node->text;
	} else if (!options && node->reason == EVC_LINUX_REASON_BIT && node->bit.lo == node->bit.hi) {
		bool not_zero = contradicts(look, word, &zero), not_one = contradicts(look, word, &one);

		if (not_zero != not_one)
			add_claim(claims, word, &node->bit, not_zero);
	}
}

static void try_words(struct look *look, bool options, struct claims *claims)
{
	for (unsigned word = 0; word < N_WORDS; word++) {
		if (!look->shows[word])
			continue;
		for (uint16_t i = look->first[word]; i != NO_STEP; i = look->next[i])
			try_node(look, (uint16_t)word, look->trace->steps[i].node, options, claims);
	}
}

static bool has_word(struct evc_span words, const char *name)
{
	return evc_span_has_word(words, evc_span_from(name));
}

static void find_shown(struct look *look, const struct evc_linux_listing *listing)
{
	const struct evc_linux_tree *tree = look->tree;

	for (size_t i = 0; i < tree->n_flags; i++) {
		look->shows[tree->flags[i].symbol] = true;
		look->printed[tree->flags[i].symbol] = has_word(listing->flags, tree->flags[i].name);
	}
	for (size_t i = 0; i < tree->n_bugs && listing->has_bugs; i++) {
		look->shows[EVC_LINUX_N_FLAGS + tree->bugs[i].symbol] = true;
		look->printed[EVC_LINUX_N_FLAGS + tree->bugs[i].symbol] =
			has_word(listing->bugs, tree->bugs[i].name);
	}
}

/* The steps of each word, in their order. */
static void thread_steps(struct look *look)
{
	for (size_t word = 0; word < N_WORDS; word++)
		look->first[word] = NO_STEP;
	for (uint16_t i = look->trace->n_steps; i-- > 0;) {
		const struct evc_linux_step *step = &look->trace->steps[i];
		uint16_t word = step->id;

		if (step->target == EVC_LINUX_TARGET_LINE)
			continue;
		if (step->target == EVC_LINUX_TARGET_BUG)
			word = (uint16_t)(word + EVC_LINUX_N_FLAGS);
		look->next[i] = look->first[word];
		look->first[word] = i;
	}
}

/* All that one kernel's rules prove. */
static void look_at(struct work *work, struct look *look, const struct evc_dump *dump, struct claims *claims)
{
	struct evc_linux_trace *trace = work->trace;
	struct evc_linux_view view;
	struct evc_linux_question question = { .tree = look->tree,
		                               .build = look->build,
		                               .built = look->build != NULL,
		                               .dump = dump,
		                               .trace = trace };

	trace->n_nodes = 1;
	trace->n_steps = 0;
	trace->full = false;
	evc_linux_predict(&question, &view);
	look->trace = trace;
	look->next = work->next;
	look->n_refuted = 0;
	claims->n = 0;
	if (trace->full)
		return;
	thread_steps(look);
	try_words(look, true, claims);
	try_words(look, false, claims);
}

/* Those of a that b has as well; both are in the order of words. */
static void keep_common(struct claims *a, const struct claims *b)
{
	size_t n = 0, from = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct claim *claim = &a->items[i];

		while (from < b->n && b->items[from].word < claim->word)
			from++;
		for (size_t k = from; k < b->n && b->items[k].word == claim->word; k++)
			if (claim->value == b->items[k].value && same_bit(&claim->bit, &b->items[k].bit)) {
				a->items[n++] = *claim;
				break;
			}
	}
	a->n = n;
}

static bool is_denied(const struct claims *claims, const struct claim *claim)
{
	for (size_t i = 0; i < claims->n; i++)
		if (same_bit(&claims->items[i].bit, &claim->bit) && claims->items[i].value != claim->value)
			return true;
	return false;
}

/* Put the bit into the builder; says whether it was not known in the dump. */
static bool apply(struct evc_dump_builder *builder, const struct evc_dump *dump, const struct claim *claim)
{
	struct evc_bit bit = claim->bit;
	uint64_t known, mask = evc_bit_mask(bit);

	evc_dump_register(dump, bit.leaf, bit.subleaf, bit.reg, &known);
	if (known & mask)
		return false;
	if (bit.reg != EVC_MSR) {
		struct evc_leaf leaf = { .leaf = bit.leaf, .subleaf = bit.subleaf };

		leaf.known[bit.reg] = (uint32_t)mask;
		leaf.value[bit.reg] = claim->value ? (uint32_t)mask : 0;
		evc_dump_set_bits(builder, &leaf);
	}
	return true;
}

/* MSRs are set whole: gather what all claims say of one. */
static void apply_msrs(struct evc_dump_builder *builder, const struct evc_dump *dump,
                       const struct claims *claims)
{
	for (size_t i = 0; i < claims->n; i++) {
		struct evc_bit bit = claims->items[i].bit;
		uint64_t known, value;

		if (bit.reg != EVC_MSR)
			continue;
		value = evc_dump_register(dump, bit.leaf, 0, EVC_MSR, &known);
		for (size_t k = 0; k < claims->n; k++) {
			const struct claim *claim = &claims->items[k];
			uint64_t mask = evc_bit_mask(claim->bit);

			if (claim->bit.reg != EVC_MSR || claim->bit.leaf != bit.leaf || known & mask ||
			    is_denied(claims, claim))
				continue;
			known |= mask;
			value |= claim->value ? mask : 0;
		}
		evc_dump_set_msr(builder, bit.leaf, value, known);
	}
}

/* One round over all kernels that may have printed it; says whether something new was proved. */
static int conclude(struct work *work, struct evc_dump *dump, struct evc_arena *arena, bool *ret_more,
                    struct evc_error *err)
{
	struct evc_dump_builder builder;

	*ret_more = false;
	for (size_t i = 0; i < work->n_looks; i++) {
		look_at(work, &work->looks[i], dump, i ? work->these : work->all);
		if (i)
			keep_common(work->all, work->these);
	}
	evc_dump_begin(&builder, arena);
	evc_dump_copy(&builder, dump);
	for (size_t i = 0; i < work->all->n; i++)
		if (!is_denied(work->all, &work->all->items[i]))
			*ret_more |= apply(&builder, dump, &work->all->items[i]);
	apply_msrs(&builder, dump, work->all);
	return evc_dump_finish(&builder, dump, err);
}

/* The kernels that can have printed it: the one that is named, else those that know all its flags, else all.
 */
static int prepare(const struct evc_linux_listing *listing, struct evc_arena *arena, struct work *work,
                   struct evc_error *err)
{
	bool named = false;

	*work = (struct work){
		.trace = evc_linux_trace_new(arena),
		.next = evc_arena_array(arena, UINT16_MAX, sizeof(*work->next)),
		.looks = evc_arena_array(arena, evc_n_linux_trees, sizeof(*work->looks)),
		.all = evc_arena_alloc(arena, sizeof(*work->all)),
		.these = evc_arena_alloc(arena, sizeof(*work->these)),
	};
	if (!work->trace || !work->next || !work->looks || !work->all || !work->these)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	work->all->n = 0;
	for (size_t i = 0; i < evc_n_linux_trees && !listing->tree; i++)
		named |= evc_linux_prints(&evc_linux_trees[i], listing->flags);
	for (size_t i = 0; i < evc_n_linux_trees; i++) {
		const struct evc_linux_tree *tree = &evc_linux_trees[i];

		if (listing->tree ? tree != listing->tree : named && !evc_linux_prints(tree, listing->flags))
			continue;
		work->looks[work->n_looks] = (struct look){ .tree = tree, .build = listing->build };
		find_shown(&work->looks[work->n_looks++], listing);
	}
	return EVC_OK;
}

int evc_linux_back(const struct evc_linux_listing *listing, const struct evc_dump *dump,
                   struct evc_arena *arena, struct evc_dump *ret_dump, struct evc_error *err)
{
	struct evc_dump now = *dump;
	struct work work;
	bool more = true;
	int status = prepare(listing, arena, &work, err);

	for (int pass = 0; pass < MAX_PASSES && more && status >= 0; pass++)
		status = conclude(&work, &now, arena, &more, err);
	if (status < 0)
		return status;
	now.cpu = dump->cpu;
	now.n_alike = dump->n_alike;
	*ret_dump = now;
	return EVC_OK;
}

bool evc_linux_lists(const struct evc_linux_listing *listing, enum evc_linux_flag flag)
{
	for (size_t t = 0; t < evc_n_linux_trees; t++) {
		const struct evc_linux_tree *tree = &evc_linux_trees[t];

		for (size_t i = 0; i < tree->n_flags && (!listing->tree || tree == listing->tree); i++)
			if (tree->flags[i].symbol == flag && has_word(listing->flags, tree->flags[i].name))
				return true;
	}
	return false;
}

bool evc_linux_prints(const struct evc_linux_tree *tree, struct evc_span flags)
{
	struct evc_span word;

	while (evc_span_word(&flags, &word)) {
		bool found = false;

		for (size_t i = 0; i < tree->n_flags && !found; i++)
			found = evc_span_equals(word, tree->flags[i].name);
		if (!found)
			return false;
	}
	return true;
}
