/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpuinfo_kernels.h"

#include <string.h>

/* --- which kernels there are ---------------------------------------------------------------------- */

void evc_cpuinfo_list(struct evc_sink *sink)
{
	for (size_t i = 0; i < evc_n_linux_trees; i++)
		evc_sink_printf(sink, "%-16s %s%s\n", evc_linux_trees[i].name, evc_linux_trees[i].title,
		                evc_linux_trees[i].headers_only ? ": its names, the rules of its neighbours"
		                                                : "");
	for (size_t i = 0; i < evc_n_linux_aliases; i++)
		evc_sink_printf(
			sink, "%-16s stands for %s%s\n", evc_linux_aliases[i].name, evc_linux_aliases[i].tree,
			evc_linux_aliases[i].vendors ? ", less certain: with changes of the vendor's" : "");
}

json_t *evc_cpuinfo_list_json(void)
{
	json_t *trees = json_array(), *aliases = json_array();

	for (size_t i = 0; i < evc_n_linux_trees; i++)
		json_array_append_new(trees, json_pack("{s:s, s:s, s:b}", "name", evc_linux_trees[i].name,
		                                       "title", evc_linux_trees[i].title, "names_only",
		                                       evc_linux_trees[i].headers_only));
	for (size_t i = 0; i < evc_n_linux_aliases; i++)
		json_array_append_new(aliases, json_pack("{s:s, s:s, s:b}", "name", evc_linux_aliases[i].name,
		                                         "tree", evc_linux_aliases[i].tree, "less_certain",
		                                         evc_linux_aliases[i].vendors));
	return json_pack("{s:o, s:o}", "trees", trees, "aliases", aliases);
}

const char *evc_cpuinfo_match(const struct evc_linux_kernel *kernel, struct evc_arena *arena)
{
	const char *how = "", *text;

	switch (kernel->match) {
	case EVC_LINUX_EXACT:
		how = "this kernel was read";
		break;
	case EVC_LINUX_SERIES:
		how = "another build of its series answers for it";
		break;
	case EVC_LINUX_OLDER:
		how = "the nearest older kernel answers for it";
		break;
	case EVC_LINUX_FIRST:
		how = "older than all kernels that were read; the oldest answers for it";
		break;
	}
	text = evc_arena_printf(arena, "%s: %s (%s)%s", how, kernel->tree->name, kernel->tree->title,
	                        kernel->vendors ? "; changes of its vendor's are not known" : "");
	return text ? text : how;
}

/* --- what each prints ------------------------------------------------------------------------------ */

enum { MAX_ROWS = 1024 };

struct table {
	struct evc_arena *arena;
	struct evc_cpuinfo_kernels_row *rows;
	size_t n;
};

static struct evc_cpuinfo_kernels_row *row_of(struct table *table, const char *name, bool bug)
{
	struct evc_cpuinfo_kernels_row *row;

	for (size_t i = 0; i < table->n; i++)
		if (table->rows[i].bug == bug && !strcmp(table->rows[i].name, name))
			return &table->rows[i];
	if (table->n == MAX_ROWS)
		return NULL;
	row = &table->rows[table->n];
	row->cells = evc_arena_array(table->arena, evc_n_linux_trees + 1, 1);
	if (!row->cells)
		return NULL;
	memset(row->cells, '.', evc_n_linux_trees);
	row->cells[evc_n_linux_trees] = '\0';
	row->name = name;
	row->bug = bug;
	table->n++;
	return row;
}

static char cell_of(const struct evc_linux_truth *truths, size_t n)
{
	if (truths[0].truth == EVC_UNSURE || (n > 1 && truths[1].truth == EVC_UNSURE))
		return '?';
	if (n > 1 && truths[0].truth != truths[1].truth)
		return truths[1].truth == EVC_PRESENT ? '+' : '-';
	return truths[0].truth == EVC_PRESENT ? 'x' : '.';
}

static bool fill(struct table *table, const struct evc_linux_view *views, size_t n_views, size_t column,
                 bool bugs)
{
	const struct evc_linux_tree *tree = &evc_linux_trees[column];
	struct evc_linux_words words = evc_linux_tree_words(tree, bugs ? EVC_LINUX_BUGS : EVC_LINUX_FLAGS);

	for (size_t i = 0; i < words.n; i++) {
		struct evc_linux_truth truths[2] = { 0 };
		struct evc_cpuinfo_kernels_row *row = row_of(table, words.names[i].name, bugs);

		if (!row)
			return false;
		for (size_t v = 0; v < n_views; v++)
			truths[v] = evc_linux_view_word(&views[v], &words, i);
		row->cells[column] = cell_of(truths, n_views);
	}
	return true;
}

/* Of one subject a row that changes from column to column, of two one with a loss or gain. */
static bool is_worth_it(const struct evc_cpuinfo_kernels_row *row, size_t n_subjects)
{
	if (n_subjects > 1)
		return strpbrk(row->cells, "+-") != NULL;
	return strspn(row->cells, (char[2]){ row->cells[0], '\0' }) != evc_n_linux_trees;
}

int evc_cpuinfo_kernels_make(const struct evc_linux_question *questions, size_t n_questions,
                             struct evc_arena *arena, struct evc_cpuinfo_kernels *ret_kernels,
                             struct evc_error *err)
{
	struct table table = { .arena = arena,
		               .rows = evc_arena_array(arena, MAX_ROWS, sizeof(*table.rows)) };
	struct evc_cpuinfo_kernels kernels = {
		.n_subjects = n_questions, .rows = evc_arena_array(arena, MAX_ROWS, sizeof(*kernels.rows))
	};
	struct evc_linux_view views[2];
	bool filled = table.rows && kernels.rows;

	for (size_t t = 0; t < evc_n_linux_trees && filled; t++) {
		for (size_t q = 0; q < n_questions; q++) {
			struct evc_linux_question question = questions[q];

			question.tree = &evc_linux_trees[t];
			question.build = NULL;
			question.trace = NULL;
			evc_linux_predict(&question, &views[q]);
		}
		filled = fill(&table, views, n_questions, t, false) &&
		         fill(&table, views, n_questions, t, true);
	}
	if (!filled)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (int bugs = 0; bugs < 2; bugs++)
		for (size_t i = 0; i < table.n; i++)
			if (table.rows[i].bug == bugs && is_worth_it(&table.rows[i], n_questions))
				kernels.rows[kernels.n_rows++] = table.rows[i];
	*ret_kernels = kernels;
	return EVC_OK;
}

enum { NAME_WIDTH = 22 };

static void print_heads(struct evc_sink *sink)
{
	for (size_t t = 0; t < evc_n_linux_trees; t++)
		evc_sink_printf(sink, "%2zu %-16s %s\n", t + 1, evc_linux_trees[t].name,
		                evc_linux_trees[t].title);
	evc_sink_printf(sink, "\n%-*s", NAME_WIDTH, "");
	for (size_t t = 0; t < evc_n_linux_trees; t++)
		evc_sink_printf(sink, " %2zu", t + 1);
	evc_sink_puts(sink, "\n");
}

void evc_cpuinfo_kernels_print(const struct evc_cpuinfo_kernels *kernels, const char *const *names,
                               struct evc_sink *sink)
{
	bool bugs = false;

	if (kernels->n_subjects > 1)
		evc_sink_printf(sink, "%s -> %s: - lost, + gained, x both, . neither\n", names[0], names[1]);
	else
		evc_sink_printf(sink, "%s: x there, . not there, ? not known\n", names[0]);
	if (!kernels->n_rows) {
		evc_sink_puts(sink, "no flag or bug differs in any kernel\n");
		return;
	}
	print_heads(sink);
	for (size_t i = 0; i < kernels->n_rows; i++) {
		const struct evc_cpuinfo_kernels_row *row = &kernels->rows[i];

		if (!i || row->bug != bugs)
			evc_sink_puts(sink, row->bug ? "bugs\n" : "flags\n");
		bugs = row->bug;
		evc_sink_printf(sink, "  %-*s", NAME_WIDTH - 2, row->name);
		for (size_t t = 0; t < evc_n_linux_trees; t++)
			evc_sink_printf(sink, "  %c", row->cells[t]);
		evc_sink_puts(sink, "\n");
	}
}

static const char *cell_word(char cell)
{
	switch (cell) {
	case 'x':
		return "there";
	case '-':
		return "lost";
	case '+':
		return "gained";
	case '?':
		return "unknown";
	default:
		return "absent";
	}
}

json_t *evc_cpuinfo_kernels_json(const struct evc_cpuinfo_kernels *kernels, const char *const *names)
{
	json_t *flags = json_object(), *bugs = json_object(), *subjects = json_array(), *trees = json_array();

	for (size_t i = 0; i < kernels->n_subjects; i++)
		json_array_append_new(subjects, json_string(names[i]));
	for (size_t t = 0; t < evc_n_linux_trees; t++)
		json_array_append_new(trees, json_string(evc_linux_trees[t].name));
	for (size_t i = 0; i < kernels->n_rows; i++) {
		const struct evc_cpuinfo_kernels_row *row = &kernels->rows[i];
		json_t *cells = json_array();

		for (size_t t = 0; t < evc_n_linux_trees; t++)
			json_array_append_new(cells, json_string(cell_word(row->cells[t])));
		json_object_set_new(row->bug ? bugs : flags, row->name, cells);
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "subjects", subjects, "kernels", trees, "flags", flags,
	                 "bugs", bugs);
}
