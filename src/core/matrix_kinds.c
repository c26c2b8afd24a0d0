/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hosts of the same words are one kind, and a verdict is computed once for a pair of kinds.
 *
 * A guest of a host that is not wholly known still fits that host: hosts of evc_check_same_kind are one
 * class, and within a class what is not known is no obstacle.  So kinds are told apart by their class too.
 */
#include "core/matrix-private.h"

#include "core/check.h"

#include <string.h>

static uint64_t hash_words(const uint64_t *words, size_t n)
{
	uint64_t hash = UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < n; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return hash;
}

/* Classes of cpus, each with one that stands for it. */
struct classes {
	struct evc_set asked;
	const struct evc_cpu **cpu; /* of class c: cpu[c - 1] */
	size_t n;
	size_t n_single; /* classes of one host, of unknown microcode; the others are numbered from 1 */
	uint32_t *table; /* open hash of classes, 0: free */
	size_t mask;
};

/* Of what evc_check_same_kind compares. */
static uint64_t hash_cpu(const struct evc_set *asked, const struct evc_cpu *cpu)
{
	struct evc_set has = evc_set_and(&cpu->has, asked), known = evc_set_and(&cpu->known, asked);

	return hash_words(has.word, EVC_SET_WORDS) ^ hash_words(known.word, EVC_SET_WORDS) * 3 ^
	       hash_words(cpu->value, EVC_N_SLOTS) * 5 ^ cpu->signature;
}

static bool is_known_whole(const struct evc_set *asked, const struct evc_cpu *cpu)
{
	struct evc_set unknown = evc_set_minus(asked, &cpu->known);

	return evc_set_is_empty(&unknown);
}

static uint32_t find_class(struct classes *classes, const struct evc_cpu *cpu, const struct evc_cpu *guest)
{
	size_t slot;

	if (!cpu || !cpu->identified)
		return 0;
	/* Of one kind with itself only; where nothing is unknown, no class is needed. */
	if (!cpu->microcode && is_known_whole(&classes->asked, cpu) &&
	    (!guest || is_known_whole(&classes->asked, guest)))
		return 0;
	if (!cpu->microcode)
		return (uint32_t)(classes->n_single++ | 1U << 31);
	slot = (size_t)hash_cpu(&classes->asked, cpu) & classes->mask;
	for (; classes->table[slot]; slot = (slot + 1) & classes->mask)
		if (evc_check_same_kind(&classes->asked, classes->cpu[classes->table[slot] - 1], cpu))
			return classes->table[slot];
	classes->cpu[classes->n++] = cpu;
	classes->table[slot] = (uint32_t)classes->n;
	return classes->table[slot];
}

struct kinds {
	uint64_t *words; /* of kind k: n_words from k * n_words */
	size_t n_words;  /* four sets and a word with both classes */
	uint32_t *table; /* open hash of kind + 1 */
	size_t mask;
	struct classes classes;
};

static uint32_t find_kind(const struct kinds *kinds, const uint64_t *words, struct evc_matrix *matrix,
                          size_t host)
{
	size_t n = kinds->n_words, slot = (size_t)hash_words(words, n) & kinds->mask;

	for (; kinds->table[slot]; slot = (slot + 1) & kinds->mask) {
		uint32_t kind = kinds->table[slot] - 1;

		if (!memcmp(kinds->words + kind * n, words, n * sizeof(*words)))
			return kind;
	}
	matrix->first[matrix->n_kinds] = (uint32_t)host;
	kinds->table[slot] = (uint32_t)++matrix->n_kinds;
	memcpy(kinds->words + (matrix->n_kinds - 1) * n, words, n * sizeof(*words));
	return kinds->table[slot] - 1;
}

/* One array for each of the four sets, so that a pass touches only what it reads. */
static void spread(const struct kinds *kinds, struct evc_arena *arena, struct evc_matrix *matrix)
{
	size_t n = matrix->n_words, size = matrix->n_kinds * n;
	uint64_t *sets = evc_arena_array(arena, 4 * size + 1, sizeof(*sets));

	if (!sets)
		return;
	matrix->needs = sets;
	matrix->may = sets + size;
	matrix->lacks = sets + 2 * size;
	matrix->doubt = sets + 3 * size;
	for (size_t k = 0; k < matrix->n_kinds; k++)
		for (size_t s = 0; s < 4; s++)
			memcpy(sets + s * size + k * n, kinds->words + k * kinds->n_words + s * n,
			       n * sizeof(*sets));
}

/* Classes of all kinds, out of the last word of each. */
static void spread_classes(const struct kinds *kinds, struct evc_arena *arena, struct evc_matrix *matrix)
{
	uint32_t *both = evc_arena_array(arena, 2 * matrix->n_kinds + 1, sizeof(*both));

	if (!both)
		return;
	for (size_t k = 0; k < matrix->n_kinds; k++) {
		uint64_t word = kinds->words[(k + 1) * kinds->n_words - 1];

		both[k] = (uint32_t)(word >> 32);
		both[matrix->n_kinds + k] = (uint32_t)word;
	}
	matrix->guest_class = both;
	matrix->host_class = both + matrix->n_kinds;
}

static int make_kinds(struct kinds *kinds, size_t n, size_t n_words, struct evc_arena *arena,
                      struct evc_error *err)
{
	struct kinds made = { .n_words = 4 * n_words + 1, .mask = 15 };

	while (made.mask < 2 * n)
		made.mask = 2 * made.mask + 1;
	made.words = evc_arena_array(arena, n * made.n_words + 1, sizeof(*made.words));
	made.table = evc_arena_array(arena, made.mask + 1, sizeof(*made.table));
	made.classes.mask = made.mask;
	made.classes.table = evc_arena_array(arena, made.classes.mask + 1, sizeof(*made.classes.table));
	made.classes.cpu = evc_arena_array(arena, n + 1, sizeof(const struct evc_cpu *));
	evc_check_asked(&made.classes.asked);
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*kinds = made;
	return EVC_OK;
}

int evc_matrix_prepare(const struct evc_cpu *const *guests, const struct evc_cpu *const *hosts, size_t n,
                       struct evc_arena *arena, struct evc_matrix *ret_matrix, struct evc_error *err)
{
	struct evc_matrix_sides sides = { .guests = guests, .hosts = hosts, .n = n };
	struct evc_matrix_places list = { .arena = arena };
	struct evc_matrix matrix = { .n_hosts = n };
	struct kinds kinds;
	uint64_t *words;
	int status;

	if (n >= UINT32_MAX / 2)
		return evc_fail(err, EVC_ERR_LIMIT, "a matrix of %zu hosts is too large", n);
	evc_matrix_find_places(&list, &sides);
	matrix.n_words = evc_matrix_n_words(&list);
	status = make_kinds(&kinds, n, matrix.n_words, arena, err);
	if (status < 0)
		return status;
	words = evc_arena_array(arena, kinds.n_words, sizeof(*words));
	matrix.kind = evc_arena_array(arena, n + 1, sizeof(*matrix.kind));
	matrix.first = evc_arena_array(arena, n + 1, sizeof(*matrix.first));
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++) {
		uint64_t class = find_class(&kinds.classes, hosts[i], guests[i]);

		evc_matrix_pack(&list, guests[i], hosts[i], words);
		words[kinds.n_words - 1] = (guests[i] ? class : 0) << 32 | class;
		matrix.kind[i] = find_kind(&kinds, words, &matrix, i);
	}
	spread(&kinds, arena, &matrix);
	spread_classes(&kinds, arena, &matrix);
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	matrix.row_words = (matrix.n_kinds + 63) / 64;
	*ret_matrix = matrix;
	return EVC_OK;
}
