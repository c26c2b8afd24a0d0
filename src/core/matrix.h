/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_MATRIX_H
#define EVC_CORE_MATRIX_H

/* The matrix: for all pairs of hosts, may the guest of one move to the other. */

#include "base/arena.h"
#include "base/error.h"
#include "core/cpu.h"

/*
 * What a run needs, prepared once and then only read, so that threads may share it.  Hosts with
 * the same words are one kind; rows and columns of the result are kinds.
 */
struct evc_matrix {
	size_t n_hosts, n_kinds;
	uint32_t *kind;              /* of each host */
	uint32_t *first;             /* the first host of each kind */
	size_t n_words;              /* words of a kind in each of the four arrays below */
	const uint64_t *needs;       /* guest: surely asks for */
	const uint64_t *may;         /* guest: perhaps asks for */
	const uint64_t *lacks;       /* host: surely has not */
	const uint64_t *doubt;       /* host: not surely has */
	const uint32_t *guest_class; /* of each kind: the class of the host that its guest started on */
	const uint32_t *host_class;  /* hosts of evc_check_same_kind share a class; 0: none */
	size_t row_words;            /* words of one row of the result */
};

/* Two bits a pair: rows of n_kinds bits; neither bit set means no. */
struct evc_matrix_bits {
	uint64_t *yes;
	uint64_t *unknown;
};

/*
 * guests[i] is the guest started on host i, hosts[i] what host i offers; a NULL in either (not
 * readable) is unknown to all.  guests and hosts may be one array.  All in the arena.
 */
int evc_matrix_prepare(const struct evc_cpu *const *guests, const struct evc_cpu *const *hosts, size_t n,
                       struct evc_arena *arena, struct evc_matrix *ret_matrix, struct evc_error *err);

/* Room for the result; EVC_ERR_MEMORY. */
int evc_matrix_bits_make(const struct evc_matrix *matrix, struct evc_arena *arena,
                         struct evc_matrix_bits *ret_bits, struct evc_error *err);

/* Rows (kinds of guests) first <= row < last.  Threads may fill different rows at the same time. */
void evc_matrix_rows(const struct evc_matrix *matrix, size_t first, size_t last,
                     const struct evc_matrix_bits *bits);

/* May host from's guest move to host to? */
enum evc_verdict evc_matrix_verdict(const struct evc_matrix *matrix, const struct evc_matrix_bits *bits,
                                    size_t from, size_t to);

/*
 * Pools: kinds whose guests may move among all of them.  ret_pool gets a number for each kind,
 * counted from 0 in the order of the kinds; returns the number of pools.
 */
size_t evc_matrix_pools(const struct evc_matrix *matrix, const struct evc_matrix_bits *bits,
                        uint32_t *ret_pool);

#endif
