/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What differs between a prediction and one CPU of a real text.
 *
 * Explaining a difference makes the same comparison a hundred times and more, so the words of the real lines
 * are put into a table once; each comparison then costs the words of the kernel and those of the text, and
 * not their product.
 */
#include "text/cpuinfo_differ.h"

#include "text/cpuinfo_write.h"

#include <string.h>

static const struct evc_span nothing = { .text = "", .length = 0 };

static void add(struct evc_cpuinfo_differences *found, struct evc_cpuinfo_difference difference)
{
	if (found->n < EVC_CPUINFO_MAX_DIFFERENCES)
		found->items[found->n++] = difference;
}

/* --- the words of a real line --------------------------------------------------------------------- */

static size_t hash(struct evc_span word)
{
	uint32_t value = 2166136261U;

	for (size_t i = 0; i < word.length; i++)
		value = (value ^ (unsigned char)word.text[i]) * 16777619U;
	return value;
}

/* Where the word is, or the free place where it would be; tables are at most half full. */
static struct evc_cpuinfo_real_word *place_of(const struct evc_cpuinfo_real_words *words,
                                              struct evc_span word)
{
	size_t at = hash(word) & (words->size - 1);

	while (words->items[at].word.text && !evc_span_same(words->items[at].word, word))
		at = (at + 1) & (words->size - 1);
	return &words->items[at];
}

static bool index_line(const struct evc_cpuinfo_line *line, struct evc_arena *arena,
                       struct evc_cpuinfo_real_words *ret_words)
{
	struct evc_cpuinfo_real_words words = { .size = 2 };
	struct evc_span rest = line->value, word;

	while (evc_span_word(&rest, &word))
		words.n++;
	while (words.size < 2 * words.n)
		words.size *= 2;
	words.items = evc_arena_array(arena, words.size, sizeof(*words.items));
	words.order = evc_arena_array(arena, words.n + 1, sizeof(*words.order));
	if (!words.items || !words.order)
		return false;
	words.n = 0;
	rest = line->value;
	while (evc_span_word(&rest, &word)) {
		struct evc_cpuinfo_real_word *place = place_of(&words, word);

		if (place->word.text)
			continue;
		place->word = word;
		words.order[words.n++] = place;
	}
	*ret_words = words;
	return true;
}

static struct evc_cpuinfo_real_words *words_of(struct evc_cpuinfo_real *real, enum evc_linux_line line)
{
	return line == EVC_LINUX_FLAGS ? &real->flags : line == EVC_LINUX_BUGS ? &real->bugs : &real->vmx;
}

static bool is_words(enum evc_linux_line line)
{
	return line == EVC_LINUX_FLAGS || line == EVC_LINUX_BUGS || line == EVC_LINUX_VMX_FLAGS;
}

bool evc_cpuinfo_real_index(const struct evc_cpuinfo_cpu *cpu, struct evc_arena *arena,
                            struct evc_cpuinfo_real *ret_real)
{
	struct evc_cpuinfo_real real = { .cpu = cpu };

	for (unsigned i = 0; i < EVC_LINUX_N_LINES; i++) {
		enum evc_linux_line line = (enum evc_linux_line)i;

		real.lines[i] = evc_cpuinfo_find(cpu, evc_linux_line_name(line));
		if (is_words(line) && real.lines[i] &&
		    !index_line(real.lines[i], arena, words_of(&real, line)))
			return false;
	}
	*ret_real = real;
	return true;
}

/* --- lines ---------------------------------------------------------------------------------------- */

static const char *value_of(const struct evc_linux_view *view, enum evc_linux_line line,
                            struct evc_arena *arena)
{
	struct evc_sink text = { 0 };
	const char *value;

	evc_cpuinfo_value(view, line, &text);
	value = evc_arena_string(arena, text.text ? text.text : "", text.length);
	evc_sink_free(&text);
	return value ? value : "";
}

/* Runs of blanks count as one: web pages fold them. */
static bool same_words(struct evc_span a, struct evc_span b)
{
	struct evc_span x, y;

	for (;;) {
		bool more = evc_span_word(&a, &x), others = evc_span_word(&b, &y);

		if (!more || !others)
			return more == others;
		if (!evc_span_same(x, y))
			return false;
	}
}

static void compare_line(const struct evc_linux_view *view, const struct evc_cpuinfo_real *text,
                         enum evc_linux_line line, struct evc_cpuinfo_differences *found)
{
	const struct evc_cpuinfo_line *real = text->lines[line];
	const struct evc_linux_value *value = &view->lines[line];
	bool predicts = evc_cpuinfo_shows(view, line);
	struct evc_cpuinfo_difference difference = {
		.target = EVC_LINUX_TARGET_LINE,
		.name = evc_span_from(evc_linux_line_name(line)),
		.real = real ? real->value : nothing,
		.in_real = real != NULL,
		.predicts = predicts,
		.unknown = value->shown.truth == EVC_UNSURE ||
		           (predicts && real && value->known.truth != EVC_PRESENT),
		.varies = (value->known.depends | value->shown.depends) >> EVC_LINUX_BY_RUNTIME & 1,
		.predicted = predicts ? value_of(view, line, found->arena) : "",
	};

	if (!predicts && !real)
		return;
	if (difference.unknown || !predicts || !real ||
	    !same_words(difference.real, evc_span_from(difference.predicted)))
		add(found, difference);
}

/* --- words ---------------------------------------------------------------------------------------- */

/* The words that this kernel has a name for; those of the real line are marked as known. */
static void compare_words(const struct evc_linux_view *view, const struct evc_cpuinfo_real_words *real,
                          enum evc_linux_line line, struct evc_cpuinfo_differences *found)
{
	struct evc_linux_words words = evc_linux_tree_words(view->tree, line);
	enum evc_linux_target target = line == EVC_LINUX_BUGS ? EVC_LINUX_TARGET_BUG : EVC_LINUX_TARGET_FLAG;

	for (size_t i = 0; i < words.n; i++) {
		struct evc_span name = evc_span_from(words.names[i].name);
		struct evc_cpuinfo_real_word *place = real->items ? place_of(real, name) : NULL;
		bool has = place && place->word.text;
		struct evc_linux_truth truth = evc_linux_view_word(view, &words, i);

		if (has)
			place->round = found->round;
		if (truth.truth == (has ? EVC_PRESENT : EVC_ABSENT))
			continue;
		add(found,
		    (struct evc_cpuinfo_difference){ .target = target,
		                                     .name = name,
		                                     .real = nothing,
		                                     .predicted = "",
		                                     .in_real = has,
		                                     .predicts = truth.truth == EVC_PRESENT,
		                                     .unknown = truth.truth == EVC_UNSURE,
		                                     .varies = truth.depends >> EVC_LINUX_BY_RUNTIME & 1 });
	}
}

/* Words of the real line that this kernel has no name for. */
static void compare_strangers(const struct evc_cpuinfo_real_words *real, enum evc_linux_line line,
                              struct evc_cpuinfo_differences *found)
{
	for (size_t i = 0; i < real->n; i++)
		if (real->order[i]->round != found->round)
			add(found, (struct evc_cpuinfo_difference){ .target = line == EVC_LINUX_BUGS
			                                                              ? EVC_LINUX_TARGET_BUG
			                                                              : EVC_LINUX_TARGET_FLAG,
			                                            .name = real->order[i]->word,
			                                            .real = nothing,
			                                            .predicted = "",
			                                            .in_real = true });
}

/* Lines that no kernel of ours prints. */
static void compare_strange_lines(const struct evc_cpuinfo_cpu *cpu, struct evc_cpuinfo_differences *found)
{
	for (size_t i = 0; i < cpu->n_lines; i++) {
		unsigned line = 0;

		while (line < EVC_LINUX_N_LINES &&
		       !evc_span_equals(cpu->lines[i].name, evc_linux_line_name((enum evc_linux_line)line)))
			line++;
		if (line == EVC_LINUX_N_LINES)
			add(found, (struct evc_cpuinfo_difference){ .target = EVC_LINUX_TARGET_LINE,
			                                            .name = cpu->lines[i].name,
			                                            .real = cpu->lines[i].value,
			                                            .predicted = "",
			                                            .in_real = true });
	}
}

void evc_cpuinfo_differ(const struct evc_linux_view *view, struct evc_cpuinfo_real *real,
                        struct evc_cpuinfo_differences *found)
{
	found->n = 0;
	found->round = ++real->rounds;
	for (unsigned i = 0; i < EVC_LINUX_N_LINES; i++) {
		enum evc_linux_line line = (enum evc_linux_line)i;
		bool shows = evc_cpuinfo_shows(view, line);

		if (!is_words(line) || !real->lines[line] != !shows)
			compare_line(view, real, line, found);
		if (!is_words(line) || (!real->lines[line] && !shows))
			continue;
		compare_words(view, words_of(real, line), line, found);
		compare_strangers(words_of(real, line), line, found);
	}
	compare_strange_lines(real->cpu, found);
}
