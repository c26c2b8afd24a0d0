/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_MATRIX_PRIVATE_H
#define EVC_CORE_MATRIX_PRIVATE_H

/* Between matrix_kinds.c and matrix_places.c: what a guest asks for and a host lacks, as bits of words. */

#include "core/matrix.h"

/* The guests and hosts of a matrix; a NULL is not readable. */
struct evc_matrix_sides {
	const struct evc_cpu *const *guests, *const *hosts;
	size_t n;
};

enum evc_matrix_place_kind {
	EVC_MATRIX_WHOLE,
	EVC_MATRIX_VALUE,
	EVC_MATRIX_GUEST_UNKNOWN,
	EVC_MATRIX_HOST_UNKNOWN,
};

/* One thing that a guest may want. */
struct evc_matrix_place {
	enum evc_feature_id id;
	enum evc_matrix_place_kind kind;
	uint64_t value; /* of EVC_MATRIX_VALUE: the value, or the mask of the bit of an and/or field */
};

struct evc_matrix_places {
	struct evc_arena *arena; /* its failure is the list's */
	struct evc_matrix_place *items;
	size_t n, size;
};

/* The places in which these guests and hosts differ, added to an empty list. */
void evc_matrix_find_places(struct evc_matrix_places *list, const struct evc_matrix_sides *sides);

/* Words of one set: a bit for each place, and two of their own at the end of the last. */
static inline size_t evc_matrix_n_words(const struct evc_matrix_places *list)
{
	return (list->n + 2 + 63) / 64;
}

/* The four sets of one host, in the order of struct evc_matrix: 4 * evc_matrix_n_words. */
void evc_matrix_pack(const struct evc_matrix_places *list, const struct evc_cpu *guest,
                     const struct evc_cpu *host, uint64_t *words);

#endif
