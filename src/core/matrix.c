/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All pairs at once.
 *
 * Ten thousand different hosts are a hundred million pairs, so a pair must cost a few words of
 * logic.  Every rule is turned into one form: the guest has a set of wants, the host a set of
 * lacks, and the pair fits when no want is lacking.
 *
 *	and          want: the guest has it            lack: the host has it not
 *	min field    want: each value up to its own    lack: each value above its own
 *	max field    want: each value above its own    lack: each value up to its own
 *	same field   want: its value                   lack: every other value, unless it has none
 *	or field     want: each bit it has not         lack: each bit the host has
 *	and field    want: each bit it has             lack: each bit the host has not
 *
 * where "each value" means each that occurs among these hosts.  What nobody wants or nobody lacks
 * is left out, so the words hold only what varies: a few dozen bits for real fleets.
 *
 * Truth has three values, so each set comes twice: surely and perhaps.  The answer is no when a
 * sure want meets a sure lack, yes when no perhaps meets a perhaps, else unknown.  Two extra
 * places a field stand for "the guest's value is not known" and "the host's is not".
 *
 * A guest of a host that is not wholly known still fits that host: hosts of the same kind are one
 * class, and within a class what is not known is no obstacle.
 *
 * The invariant: each verdict is that of evc_check_fits_from.
 */
#include "core/matrix.h"

#include "core/check.h"

#include <string.h>

enum { BLOCK = 256 }; /* hosts whose words stay in the cache while rows pass over them */

/* A place in the words: one thing that a guest may want. */
struct place {
	enum evc_feature_id id;
	enum { WHOLE, VALUE, GUEST_UNKNOWN, HOST_UNKNOWN } kind;
	uint64_t value; /* of VALUE: the value, or the mask of the bit of an and/or field */
};

struct answer {
	bool sure, perhaps;
};

static struct answer known_answer(bool answer)
{
	return (struct answer){ .sure = answer, .perhaps = answer };
}

/* Does a guest that is known not to have the field ask for nothing? */
static bool zero_asks_nothing(enum evc_rule rule)
{
	return rule != EVC_RULE_OR;
}

static bool value_wanted(enum evc_rule rule, uint64_t own, uint64_t value)
{
	switch (rule) {
	case EVC_RULE_AND:
		return own & value;
	case EVC_RULE_OR:
		return !(own & value);
	case EVC_RULE_MIN:
		return own && value <= own;
	case EVC_RULE_MAX:
		return own && value > own;
	case EVC_RULE_SAME:
		return own && value == own;
	case EVC_RULE_OWN:
	case EVC_RULE_CALC:
	case EVC_N_RULES:
		break;
	}
	return false;
}

static bool value_lacking(enum evc_rule rule, uint64_t own, uint64_t value)
{
	switch (rule) {
	case EVC_RULE_AND:
		return !(own & value);
	case EVC_RULE_OR:
		return own & value;
	case EVC_RULE_MIN:
		return value > own;
	case EVC_RULE_MAX:
		return value <= own;
	case EVC_RULE_SAME:
		return own && value != own;
	case EVC_RULE_OWN:
	case EVC_RULE_CALC:
	case EVC_N_RULES:
		break;
	}
	return false;
}

static struct answer wants(const struct evc_cpu *guest, const struct place *place)
{
	enum evc_rule rule = evc_features[place->id].rule;
	bool known = evc_set_has(&guest->known, place->id), has = evc_set_has(&guest->has, place->id);
	uint64_t value = place->kind == WHOLE ? 0 : guest->value[evc_features[place->id].slot];

	if (!evc_check_cares(guest, place->id))
		return known_answer(false);
	switch (place->kind) {
	case WHOLE:
		return (struct answer){ .sure = has, .perhaps = has || !known };
	case VALUE:
		return known_answer(known && value_wanted(rule, value, place->value));
	case GUEST_UNKNOWN:
		return (struct answer){ .perhaps = !known };
	case HOST_UNKNOWN:
		return (struct answer){ .perhaps = !known || value || !zero_asks_nothing(rule) };
	}
	return known_answer(false);
}

static struct answer is_lacking(const struct evc_cpu *host, const struct place *place)
{
	bool known = evc_set_has(&host->known, place->id), has = evc_set_has(&host->has, place->id);

	switch (place->kind) {
	case WHOLE:
		return (struct answer){ .sure = known && !has, .perhaps = !has };
	case VALUE:
		return known_answer(known &&
		                    value_lacking(evc_features[place->id].rule,
		                                  host->value[evc_features[place->id].slot], place->value));
	case GUEST_UNKNOWN:
		return (struct answer){ .perhaps = true };
	case HOST_UNKNOWN:
		return (struct answer){ .perhaps = !known };
	}
	return known_answer(false);
}

struct side_list {
	const struct evc_cpu *const *guests, *const *hosts;
	size_t n;
};

struct place_list {
	struct evc_arena *arena;
	struct place *items;
	size_t n, size;
};

/* Keep the place when some guest may want what some host may lack. */
static void add_place(struct place_list *list, const struct side_list *sides, struct place place)
{
	bool wanted = false, lacking = false;

	for (size_t i = 0; i < sides->n && !(wanted && lacking); i++) {
		wanted |= sides->guests[i] && wants(sides->guests[i], &place).perhaps;
		lacking |= sides->hosts[i] && is_lacking(sides->hosts[i], &place).perhaps;
	}
	if (!wanted || !lacking)
		return;
	if (list->n == list->size) {
		size_t size = list->size ? list->size * 2 : 256;
		struct place *items = evc_arena_array(list->arena, size, sizeof(*items));

		if (!items)
			return;
		if (list->n)
			memcpy(items, list->items, list->n * sizeof(*items));
		list->items = items;
		list->size = size;
	}
	list->items[list->n++] = place;
}

/* Add a value to the distinct ones, which are few. */
static size_t add_value(uint64_t *values, size_t n, uint64_t value)
{
	for (size_t i = 0; i < n; i++)
		if (values[i] == value)
			return n;
	values[n] = value;
	return n + 1;
}

static void add_field(struct place_list *list, const struct side_list *sides, enum evc_feature_id id)
{
	int slot = evc_features[id].slot;
	enum evc_rule rule = evc_features[id].rule;
	struct place place = { .id = id, .kind = VALUE };

	if (rule == EVC_RULE_AND || rule == EVC_RULE_OR) {
		for (unsigned bit = 0; bit < 64; bit++) {
			place.value = UINT64_C(1) << bit;
			add_place(list, sides, place);
		}
	} else {
		uint64_t *values = evc_arena_array(list->arena, 2 * sides->n + 1, sizeof(*values));
		size_t n = 0;

		for (size_t i = 0; values && i < sides->n; i++) {
			if (sides->guests[i] && evc_set_has(&sides->guests[i]->known, id))
				n = add_value(values, n, sides->guests[i]->value[slot]);
			if (sides->hosts[i] && evc_set_has(&sides->hosts[i]->known, id))
				n = add_value(values, n, sides->hosts[i]->value[slot]);
		}
		for (size_t i = 0; i < n; i++) {
			place.value = values[i];
			add_place(list, sides, place);
		}
	}
	add_place(list, sides, (struct place){ .id = id, .kind = GUEST_UNKNOWN });
	add_place(list, sides, (struct place){ .id = id, .kind = HOST_UNKNOWN });
}

static void find_places(struct place_list *list, const struct side_list *sides)
{
	struct evc_set asked;

	evc_check_asked(&asked);
	EVC_SET_FOREACH(id, &asked)
	{
		if (evc_features[id].slot != EVC_NO_SLOT)
			add_field(list, sides, id);
		else
			add_place(list, sides, (struct place){ .id = id, .kind = WHOLE });
	}
}

/* The four sets of one host, in the order of struct evc_matrix, n_words each. */
static void pack(const struct place_list *list, const struct evc_cpu *guest, const struct evc_cpu *host,
                 size_t n_words, uint64_t *words)
{
	uint64_t *needs = words, *may = needs + n_words, *lacks = may + n_words, *doubt = lacks + n_words;

	memset(words, 0, 4 * n_words * sizeof(*words));
	for (size_t p = 0; p < list->n; p++) {
		uint64_t bit = UINT64_C(1) << (p % 64);
		struct answer want = guest ? wants(guest, &list->items[p]) : known_answer(false);
		struct answer lack = host ? is_lacking(host, &list->items[p]) : known_answer(false);

		needs[p / 64] |= want.sure ? bit : 0;
		may[p / 64] |= want.perhaps ? bit : 0;
		lacks[p / 64] |= lack.sure ? bit : 0;
		doubt[p / 64] |= lack.perhaps ? bit : 0;
	}
	/* Two places of their own, last: an unreadable guest clashes with all hosts, an unreadable host
	 * with all guests. */
	may[n_words - 1] |= (guest ? 0 : UINT64_C(1) << 63) | UINT64_C(1) << 62;
	doubt[n_words - 1] |= (host ? 0 : UINT64_C(1) << 62) | UINT64_C(1) << 63;
}

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

static uint32_t find_class(struct classes *classes, const struct evc_cpu *cpu)
{
	size_t slot;

	if (!cpu || !cpu->identified)
		return 0;
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
	struct side_list sides = { .guests = guests, .hosts = hosts, .n = n };
	struct place_list list = { .arena = arena };
	struct evc_matrix matrix = { .n_hosts = n };
	struct kinds kinds;
	uint64_t *words;
	int status;

	if (n >= UINT32_MAX / 2)
		return evc_fail(err, EVC_ERR_LIMIT, "a matrix of %zu hosts is too large", n);
	find_places(&list, &sides);
	matrix.n_words = (list.n + 2 + 63) / 64;
	status = make_kinds(&kinds, n, matrix.n_words, arena, err);
	if (status < 0)
		return status;
	words = evc_arena_array(arena, kinds.n_words, sizeof(*words));
	matrix.kind = evc_arena_array(arena, n + 1, sizeof(*matrix.kind));
	matrix.first = evc_arena_array(arena, n + 1, sizeof(*matrix.first));
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++) {
		uint64_t class = find_class(&kinds.classes, hosts[i]);

		pack(&list, guests[i], hosts[i], matrix.n_words, words);
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
