/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of /proc/cpuinfo: what a tree calls a flag, a bug or a line, and which one a name means. */
#include "text/cpuinfo_why.h"

static const char *printed_name(const struct evc_linux_name *names, size_t n, uint16_t symbol)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].symbol == symbol)
			return names[i].name;
	return NULL;
}

const char *evc_cpuinfo_name(const struct evc_linux_tree *tree, enum evc_linux_target target, uint16_t id)
{
	const char *name = NULL;

	switch (target) {
	case EVC_LINUX_TARGET_FLAG:
		name = printed_name(tree->flags, tree->n_flags, id);
		return name ? name : evc_linux_flag_symbols[id];
	case EVC_LINUX_TARGET_BUG:
		name = printed_name(tree->bugs, tree->n_bugs, id);
		return name ? name : evc_linux_bug_symbols[id];
	case EVC_LINUX_TARGET_LINE:
		name = evc_linux_line_name((enum evc_linux_line)id);
		break;
	}
	return name ? name : "";
}

/* The symbol that prints as this, in the tree or else in any. */
static bool find_name(const struct evc_linux_tree *tree, bool bugs, struct evc_span text, uint16_t *ret_id)
{
	struct evc_linux_words words = evc_linux_tree_words(tree, bugs ? EVC_LINUX_BUGS : EVC_LINUX_FLAGS);

	for (size_t i = 0; i < words.n; i++)
		if (evc_span_equals(text, words.names[i].name)) {
			*ret_id = words.names[i].symbol;
			return true;
		}
	return false;
}

static bool find_symbol(const char *const *symbols, size_t n, struct evc_span text, uint16_t *ret_id)
{
	for (size_t i = 0; i < n; i++)
		if (evc_span_equals_nocase(text, symbols[i])) {
			*ret_id = (uint16_t)i;
			return true;
		}
	return false;
}

static bool find_line(struct evc_span text, uint16_t *ret_id)
{
	for (unsigned i = 0; i < EVC_LINUX_N_LINES; i++)
		if (evc_span_equals_nocase(text, evc_linux_line_name((enum evc_linux_line)i))) {
			*ret_id = (uint16_t)i;
			return true;
		}
	return false;
}

bool evc_cpuinfo_word(const struct evc_linux_tree *tree, struct evc_span text,
                      struct evc_cpuinfo_word *ret_word)
{
	struct evc_cpuinfo_word word = { .target = EVC_LINUX_TARGET_LINE, .printed = true };
	bool found = find_line(text, &word.id);

	for (int bugs = 0; bugs < 2 && !found; bugs++) {
		word.target = bugs ? EVC_LINUX_TARGET_BUG : EVC_LINUX_TARGET_FLAG;
		found = find_name(tree, bugs, text, &word.id);
	}
	word.printed = found;
	for (int bugs = 0; bugs < 2 && !found; bugs++) {
		word.target = bugs ? EVC_LINUX_TARGET_BUG : EVC_LINUX_TARGET_FLAG;
		for (size_t t = 0; t < evc_n_linux_trees && !found; t++)
			found = find_name(&evc_linux_trees[t], bugs, text, &word.id);
		if (!found)
			found = bugs ? find_symbol(evc_linux_bug_symbols, EVC_LINUX_N_BUGS, text, &word.id)
			             : find_symbol(evc_linux_flag_symbols, EVC_LINUX_N_FLAGS, text, &word.id);
	}
	if (!found)
		return false;
	word.name = evc_cpuinfo_name(tree, word.target, word.id);
	*ret_word = word;
	return true;
}
