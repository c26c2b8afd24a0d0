/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All pairs at once.
 *
 * Ten thousand different hosts are a hundred million pairs, so a pair must cost a few words of logic.
 * matrix_places.c turns what a guest asks for and what a host lacks into words, matrix_kinds.c makes hosts
 * of the same words one kind; what is left is here: the answer is no when a sure want meets a sure lack, yes
 * when no perhaps meets a perhaps or both are of one class, else unknown.
 *
 * The invariant: each verdict is that of evc_check_fits_from.
 */
#include "core/matrix.h"

enum { BLOCK = 256 }; /* hosts whose words stay in the cache while rows pass over them */

int evc_matrix_bits_make(const struct evc_matrix *matrix, struct evc_arena *arena,
                         struct evc_matrix_bits *ret_bits, struct evc_error *err)
{
	struct evc_matrix_bits bits = {
		.yes = evc_arena_array(arena, matrix->n_kinds * matrix->row_words + 1, sizeof(uint64_t)),
		.unknown = evc_arena_array(arena, matrix->n_kinds * matrix->row_words + 1, sizeof(uint64_t)),
	};

	if (!bits.yes || !bits.unknown)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory for %zu kinds of hosts", matrix->n_kinds);
	*ret_bits = bits;
	return EVC_OK;
}

static bool clash(const uint64_t *a, const uint64_t *b, size_t n)
{
	for (size_t w = 0; w < n; w++)
		if (a[w] & b[w])
			return true;
	return false;
}

static bool same_class(const struct evc_matrix *matrix, size_t row, size_t column)
{
	return matrix->guest_class[row] && matrix->guest_class[row] == matrix->host_class[column];
}

/* Columns first <= column < last of one row; first is a multiple of 64. */
static void row_block(const struct evc_matrix *matrix, size_t row, size_t first, size_t last,
                      const struct evc_matrix_bits *bits)
{
	size_t n = matrix->n_words;
	const uint64_t *may = matrix->may + row * n, *needs = matrix->needs + row * n;

	for (size_t base = first; base < last; base += 64) {
		size_t end = base + 64 < last ? base + 64 : last;
		uint64_t yes = 0, unknown = 0;

		for (size_t column = base; column < end; column++) {
			uint64_t bit = UINT64_C(1) << (column - base);

			if (clash(needs, matrix->lacks + column * n, n))
				continue;
			if (clash(may, matrix->doubt + column * n, n) && !same_class(matrix, row, column))
				unknown |= bit;
			else
				yes |= bit;
		}
		bits->yes[row * matrix->row_words + base / 64] = yes;
		bits->unknown[row * matrix->row_words + base / 64] = unknown;
	}
}

void evc_matrix_rows(const struct evc_matrix *matrix, size_t first, size_t last,
                     const struct evc_matrix_bits *bits)
{
	for (size_t base = 0; base < matrix->n_kinds; base += BLOCK) {
		size_t end = base + BLOCK < matrix->n_kinds ? base + BLOCK : matrix->n_kinds;

		for (size_t row = first; row < last; row++)
			row_block(matrix, row, base, end, bits);
	}
}

static bool bit_at(const uint64_t *words, size_t row_words, size_t row, size_t column)
{
	return words[row * row_words + column / 64] >> (column % 64) & 1;
}

static enum evc_verdict kinds_verdict(const struct evc_matrix *matrix, const struct evc_matrix_bits *bits,
                                      size_t row, size_t column)
{
	if (bit_at(bits->yes, matrix->row_words, row, column))
		return EVC_YES;
	return bit_at(bits->unknown, matrix->row_words, row, column) ? EVC_UNKNOWN : EVC_NO;
}

enum evc_verdict evc_matrix_verdict(const struct evc_matrix *matrix, const struct evc_matrix_bits *bits,
                                    size_t from, size_t to)
{
	return kinds_verdict(matrix, bits, matrix->kind[from], matrix->kind[to]);
}

static bool mutual(const struct evc_matrix *matrix, const struct evc_matrix_bits *bits, size_t a, size_t b)
{
	return kinds_verdict(matrix, bits, a, b) == EVC_YES && kinds_verdict(matrix, bits, b, a) == EVC_YES;
}

size_t evc_matrix_pools(const struct evc_matrix *matrix, const struct evc_matrix_bits *bits,
                        uint32_t *ret_pool)
{
	size_t n = 0;

	for (size_t k = 0; k < matrix->n_kinds; k++)
		ret_pool[k] = UINT32_MAX;
	for (size_t k = 0; k < matrix->n_kinds; k++) {
		if (ret_pool[k] != UINT32_MAX)
			continue;
		ret_pool[k] = (uint32_t)n;
		for (size_t other = k + 1; other < matrix->n_kinds; other++) {
			bool fits = ret_pool[other] == UINT32_MAX && mutual(matrix, bits, k, other);

			/* Guests at different modes need not be transitive: ask every member. */
			for (size_t member = k + 1; fits && member < other; member++)
				fits = ret_pool[member] != n || mutual(matrix, bits, member, other);
			if (fits)
				ret_pool[other] = (uint32_t)n;
		}
		n++;
	}
	return n;
}
