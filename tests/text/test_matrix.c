/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A matrix as CSV and HTML, whatever hosts are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/matrix.h"
#include "text/matrix.h"

#include <string.h>

enum { N = 4 };

/* A name for each thing that CSV or HTML could trip over; the last host could not be read. */
static const char *const names[N] = { "<b>&\"one\"", "two, three\nfour", "=HYPERLINK(\"x\")", "gone" };

static struct evc_cpu cpus[2];
static const struct evc_cpu *hosts[N] = { &cpus[0], &cpus[1], &cpus[0], NULL };
static struct evc_matrix matrix;
static struct evc_matrix_bits bits;

/* The second host has avx2 and the first has not; all else is known to be absent. */
static int setup(void **state)
{
	struct evc_error err;

	(void)state;
	for (int i = 0; i < 2; i++)
		memset(&cpus[i].known, 0xff, sizeof(cpus[i].known));
	evc_set_add(&cpus[1].has, EVC_F_AVX2);
	if (evc_matrix_prepare(hosts, hosts, N, &arena, &matrix, &err) < 0 ||
	    evc_matrix_bits_make(&matrix, &arena, &bits, &err) < 0)
		return -1;
	evc_matrix_rows(&matrix, 0, matrix.n_kinds, &bits);
	return 0;
}

static struct evc_matrix_view view(void)
{
	return (struct evc_matrix_view){ .matrix = &matrix,
		                         .bits = &bits,
		                         .names = names,
		                         .guests = hosts,
		                         .hosts = hosts,
		                         .title = "a <title>" };
}

static void csv_quotes_every_name_and_defuses_formulas(void **state)
{
	struct evc_matrix_view all = view();
	struct evc_sink out = { 0 };

	(void)state;
	evc_matrix_csv(&all, &out);
	assert_string_equal(
		out.text,
		"from,\"<b>&\"\"one\"\"\",\"two, three\nfour\",\"'=HYPERLINK(\"\"x\"\")\",\"gone\"\r\n"
		"\"<b>&\"\"one\"\"\",yes,yes,yes,unknown\r\n"
		"\"two, three\nfour\",no,yes,no,unknown\r\n"
		"\"'=HYPERLINK(\"\"x\"\")\",yes,yes,yes,unknown\r\n"
		"\"gone\",unknown,unknown,unknown,unknown\r\n");
	evc_sink_free(&out);
}

static void html_shows_names_and_never_obeys_them(void **state)
{
	struct evc_matrix_view all = view();
	struct evc_sink out = { 0 };

	(void)state;
	evc_matrix_html(&all, &out);
	assert_non_null(strstr(out.text, "&lt;b&gt;&amp;&quot;one&quot;</th>"));
	assert_non_null(strstr(out.text, "a &lt;title&gt;"));
	assert_null(strstr(out.text, "<b>&"));
	assert_null(strstr(out.text, "\"one\""));
	assert_null(strstr(out.text, "<title>\n"));
	evc_sink_free(&out);
}

/* Colour alone says nothing to some people. */
static void html_cells_have_a_letter_and_a_reason(void **state)
{
	struct evc_matrix_view all = view();
	struct evc_sink out = { 0 };

	(void)state;
	evc_matrix_html(&all, &out);
	assert_non_null(strstr(out.text, ": no; lacks avx2\">n</td>"));
	assert_non_null(strstr(out.text, ": yes\">Y</td>"));
	assert_non_null(strstr(out.text, ": unknown; could not be read\">?</td>"));
	evc_sink_free(&out);
}

static void a_guest_that_cannot_start_moves_nowhere(void **state)
{
	static const enum evc_verdict starts[N] = { EVC_NO, EVC_YES, EVC_UNKNOWN, EVC_UNKNOWN };
	struct evc_matrix_view all = view();
	struct evc_sink out = { 0 };

	(void)state;
	all.starts = starts;
	assert_int_equal(evc_matrix_view_at(&all, 0, 1), EVC_NO);
	assert_int_equal(evc_matrix_view_at(&all, 1, 1), EVC_YES);
	assert_int_equal(evc_matrix_view_at(&all, 2, 1), EVC_UNKNOWN);
	evc_matrix_html(&all, &out);
	assert_non_null(strstr(out.text, ": no; a guest at this mode cannot start there"));
	evc_sink_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_quotes_every_name_and_defuses_formulas),
		cmocka_unit_test(html_shows_names_and_never_obeys_them),
		cmocka_unit_test(html_cells_have_a_letter_and_a_reason),
		cmocka_unit_test(a_guest_that_cannot_start_moves_nowhere),
	};

	return cmocka_run_group_tests(tests, setup, free_arena);
}
