/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_MATRIX_H
#define EVC_TEXT_MATRIX_H

/* A matrix as text: a grid, CSV, a page of HTML that needs nothing else. */

#include "base/sink.h"
#include "core/matrix.h"

struct evc_matrix_view {
	const struct evc_matrix *matrix;
	const struct evc_matrix_bits *bits;
	const char *const *names;            /* of each host */
	const struct evc_cpu *const *guests; /* as they were given to evc_matrix_prepare, for the reasons */
	const struct evc_cpu *const *hosts;
	const enum evc_verdict *starts; /* can such a guest start on each host? NULL: on all */
	const char *title;              /* "as they are" or a mode */
};

/* May a guest of host from move to host to?  Where it cannot start the answer is no. */
enum evc_verdict evc_matrix_view_at(const struct evc_matrix_view *view, size_t from, size_t to);

/* Rows move to columns: Y yes, n no, ? unknown. */
void evc_matrix_grid(const struct evc_matrix_view *view, struct evc_sink *out);

/* Pools of hosts whose guests may move among all of them, and pairs counted; for many hosts. */
void evc_matrix_summary(const struct evc_matrix_view *view, struct evc_arena *arena, struct evc_sink *out);

/* RFC 4180; the first column is the guest's host.  What a spreadsheet would run as a formula is quoted away.
 */
void evc_matrix_csv(const struct evc_matrix_view *view, struct evc_sink *out);

void evc_matrix_html(const struct evc_matrix_view *view, struct evc_sink *out);

#endif
