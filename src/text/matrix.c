/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/matrix.h"

#include "core/check.h"

#include <string.h>

static const struct {
	char letter;
	const char *word;
	const char *style;
} looks[] = {
	[EVC_YES] = { .letter = 'Y', .word = "yes", .style = "y" },
	[EVC_NO] = { .letter = 'n', .word = "no", .style = "n" },
	[EVC_UNKNOWN] = { .letter = '?', .word = "unknown", .style = "u" },
};

enum evc_verdict evc_matrix_view_at(const struct evc_matrix_view *view, size_t from, size_t to)
{
	enum evc_verdict verdict = evc_matrix_verdict(view->matrix, view->bits, from, to);

	return view->starts ? evc_verdict_worse(verdict, view->starts[from]) : verdict;
}

void evc_matrix_grid(const struct evc_matrix_view *view, struct evc_sink *out)
{
	size_t n = view->matrix->n_hosts;

	evc_sink_printf(out, "who can move where, %s: from rows to columns; Y yes, n no, ? unknown\n",
	                view->title);
	evc_sink_puts(out, "    ");
	for (size_t to = 0; to < n; to++)
		evc_sink_printf(out, " %2zu", to + 1);
	evc_sink_puts(out, "\n");
	for (size_t from = 0; from < n; from++) {
		evc_sink_printf(out, " %2zu ", from + 1);
		for (size_t to = 0; to < n; to++)
			evc_sink_printf(out, "  %c", looks[evc_matrix_view_at(view, from, to)].letter);
		evc_sink_printf(out, "  %s\n", view->names[from]);
	}
}

/* Pairs of hosts with each verdict, from the kinds. */
static void count_pairs(const struct evc_matrix_view *view, const uint64_t *hosts_of,
                        uint64_t counts[static 3])
{
	const struct evc_matrix *matrix = view->matrix;

	for (size_t a = 0; a < matrix->n_kinds; a++)
		for (size_t b = 0; b < matrix->n_kinds; b++)
			counts[evc_matrix_view_at(view, matrix->first[a], matrix->first[b])] +=
				hosts_of[a] * hosts_of[b];
}

void evc_matrix_summary(const struct evc_matrix_view *view, struct evc_arena *arena, struct evc_sink *out)
{
	enum { SHOWN = 40 };
	const struct evc_matrix *matrix = view->matrix;
	uint64_t *hosts_of = evc_arena_array(arena, matrix->n_kinds + 1, sizeof(*hosts_of));
	uint64_t *size = evc_arena_array(arena, matrix->n_kinds + 1, sizeof(*size));
	uint32_t *pool = evc_arena_array(arena, matrix->n_kinds + 1, sizeof(*pool));
	uint64_t counts[3] = { 0 };
	size_t n_pools;

	if (!hosts_of || !size || !pool) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < matrix->n_hosts; i++)
		hosts_of[matrix->kind[i]]++;
	n_pools = evc_matrix_pools(matrix, view->bits, pool);
	count_pairs(view, hosts_of, counts);
	for (size_t k = 0; k < matrix->n_kinds; k++)
		size[pool[k]] += hosts_of[k];
	evc_sink_printf(out, "%zu hosts of %zu kinds, %s: %llu pairs yes, %llu no, %llu unknown\n",
	                matrix->n_hosts, matrix->n_kinds, view->title, (unsigned long long)counts[EVC_YES],
	                (unsigned long long)counts[EVC_NO], (unsigned long long)counts[EVC_UNKNOWN]);
	for (size_t p = 0; p < n_pools && p < SHOWN; p++) {
		size_t k = 0;

		while (pool[k] != p)
			k++;
		evc_sink_printf(out, "pool %zu: %llu hosts that guests can move among, as %s\n", p + 1,
		                (unsigned long long)size[p], view->names[matrix->first[k]]);
	}
	if (n_pools > SHOWN)
		evc_sink_printf(out, "and %zu more pools\n", n_pools - SHOWN);
}

static void put_csv(const char *text, struct evc_sink *out)
{
	evc_sink_puts(out, "\"");
	if (*text && strchr("=+-@\t\r", *text))
		evc_sink_puts(out, "'");
	for (; *text; text++)
		evc_sink_write(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
	evc_sink_puts(out, "\"");
}

void evc_matrix_csv(const struct evc_matrix_view *view, struct evc_sink *out)
{
	size_t n = view->matrix->n_hosts;

	evc_sink_puts(out, "from");
	for (size_t to = 0; to < n; to++) {
		evc_sink_puts(out, ",");
		put_csv(view->names[to], out);
	}
	evc_sink_puts(out, "\r\n");
	for (size_t from = 0; from < n; from++) {
		put_csv(view->names[from], out);
		for (size_t to = 0; to < n; to++)
			evc_sink_printf(out, ",%s", looks[evc_matrix_view_at(view, from, to)].word);
		evc_sink_puts(out, "\r\n");
	}
}

static void put_html(const char *text, struct evc_sink *out)
{
	for (; *text; text++) {
		if (*text == '&')
			evc_sink_puts(out, "&amp;");
		else if (*text == '<')
			evc_sink_puts(out, "&lt;");
		else if (*text == '>')
			evc_sink_puts(out, "&gt;");
		else if (*text == '"')
			evc_sink_puts(out, "&quot;");
		else
			evc_sink_write(out, text, 1);
	}
}

/* The first few features of a set. */
static void put_first(const char *what, const struct evc_set *set, struct evc_sink *out)
{
	enum { SHOWN = 4 };
	int n = 0, total = evc_set_count(set);

	if (!total)
		return;
	evc_sink_printf(out, "; %s", what);
	EVC_SET_FOREACH(id, set)
	{
		if (n++ < SHOWN)
			evc_sink_printf(out, " %s", evc_features[id].name);
	}
	if (total > SHOWN)
		evc_sink_printf(out, " and %d more", total - SHOWN);
}

/* Why, for the title of a cell: what the host lacks, or the one that the guest cannot even start on. */
static void put_reason(const struct evc_matrix_view *view, size_t from, size_t to, struct evc_sink *out)
{
	enum evc_verdict starts = view->starts ? view->starts[from] : EVC_YES;
	struct evc_misfit misfit;

	if (!view->guests[from] || !view->hosts[to]) {
		evc_sink_puts(out, "; could not be read");
		return;
	}
	if (starts != EVC_YES) {
		evc_sink_printf(out, "; a guest at this mode %s start there",
		                starts == EVC_NO ? "cannot" : "perhaps cannot");
		to = from;
	}
	evc_check_fits(view->guests[from], view->hosts[to], &misfit);
	put_first("lacks", &misfit.lacks, out);
	put_first("differs in", &misfit.outside, out);
	put_first("not known:", &misfit.unsure, out);
}

/* Colours of Okabe and Ito, which the colour-blind can tell apart; a letter says the same. */
static const char page_head[] =
	"<style>body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}"
	"td{min-width:1.6em;height:1.6em;text-align:center;border:1px solid #fff;font-weight:bold}"
	"th{font-weight:normal;text-align:left;padding:0 .6em;white-space:nowrap}"
	"thead th{writing-mode:vertical-rl;transform:rotate(180deg);padding:.6em .2em}"
	"tbody tr:hover th{font-weight:bold}"
	".y{background:#009e73;color:#000}.n{background:#d55e00;color:#000}.u{background:#f0e442;color:#000}"
	"</style>\n";

static void html_row(const struct evc_matrix_view *view, size_t from, struct evc_sink *out)
{
	evc_sink_puts(out, "<tr><th scope=\"row\">");
	put_html(view->names[from], out);
	evc_sink_puts(out, "</th>");
	for (size_t to = 0; to < view->matrix->n_hosts; to++) {
		enum evc_verdict verdict = evc_matrix_view_at(view, from, to);

		evc_sink_printf(out, "<td class=\"%s\" title=\"", looks[verdict].style);
		put_html(view->names[from], out);
		evc_sink_puts(out, " to ");
		put_html(view->names[to], out);
		evc_sink_printf(out, ": %s", looks[verdict].word);
		if (verdict != EVC_YES)
			put_reason(view, from, to, out);
		evc_sink_printf(out, "\">%c</td>", looks[verdict].letter);
	}
	evc_sink_puts(out, "</tr>\n");
}

void evc_matrix_html(const struct evc_matrix_view *view, struct evc_sink *out)
{
	evc_sink_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	                   "<title>Who can move where</title>\n");
	evc_sink_puts(out, page_head);
	evc_sink_puts(out, "</head><body><h1>Who can move where, ");
	put_html(view->title, out);
	evc_sink_puts(out, "</h1>\n<p>A guest of the row's host moves to the column's: "
	                   "<b class=\"y\">&nbsp;Y&nbsp;</b> yes, <b class=\"n\">&nbsp;n&nbsp;</b> no, "
	                   "<b class=\"u\">&nbsp;?&nbsp;</b> unknown. Point at a cell for the reason.</p>\n"
	                   "<table><thead><tr><td></td>");
	for (size_t to = 0; to < view->matrix->n_hosts; to++) {
		evc_sink_puts(out, "<th scope=\"col\">");
		put_html(view->names[to], out);
		evc_sink_puts(out, "</th>");
	}
	evc_sink_puts(out, "</tr></thead><tbody>\n");
	for (size_t from = 0; from < view->matrix->n_hosts; from++)
		html_row(view, from, out);
	evc_sink_puts(out, "</tbody></table></body></html>\n");
}
