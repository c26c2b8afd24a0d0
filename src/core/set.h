/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_SET_H
#define EVC_CORE_SET_H

/* A set of features: a value of fixed size, so that the algebra is a few words of logic. */

#include "core/feature.h"

#include <stdbool.h>
#include <stdint.h>

enum { EVC_SET_WORDS = (EVC_N_FEATURES + 63) / 64 };

struct evc_set {
	uint64_t word[EVC_SET_WORDS];
};

static inline bool evc_set_has(const struct evc_set *set, enum evc_feature_id id)
{
	return set->word[id / 64] >> (id % 64) & 1;
}

static inline void evc_set_add(struct evc_set *set, enum evc_feature_id id)
{
	set->word[id / 64] |= UINT64_C(1) << (id % 64);
}

static inline void evc_set_drop(struct evc_set *set, enum evc_feature_id id)
{
	set->word[id / 64] &= ~(UINT64_C(1) << (id % 64));
}

static inline struct evc_set evc_set_and(const struct evc_set *a, const struct evc_set *b)
{
	struct evc_set result;

	for (int i = 0; i < EVC_SET_WORDS; i++)
		result.word[i] = a->word[i] & b->word[i];
	return result;
}

static inline struct evc_set evc_set_or(const struct evc_set *a, const struct evc_set *b)
{
	struct evc_set result;

	for (int i = 0; i < EVC_SET_WORDS; i++)
		result.word[i] = a->word[i] | b->word[i];
	return result;
}

/* What is in a and not in b. */
static inline struct evc_set evc_set_minus(const struct evc_set *a, const struct evc_set *b)
{
	struct evc_set result;

	for (int i = 0; i < EVC_SET_WORDS; i++)
		result.word[i] = a->word[i] & ~b->word[i];
	return result;
}

static inline bool evc_set_is_empty(const struct evc_set *set)
{
	for (int i = 0; i < EVC_SET_WORDS; i++)
		if (set->word[i])
			return false;
	return true;
}

static inline bool evc_set_equals(const struct evc_set *a, const struct evc_set *b)
{
	for (int i = 0; i < EVC_SET_WORDS; i++)
		if (a->word[i] != b->word[i])
			return false;
	return true;
}

static inline bool evc_set_within(const struct evc_set *inner, const struct evc_set *outer)
{
	for (int i = 0; i < EVC_SET_WORDS; i++)
		if (inner->word[i] & ~outer->word[i])
			return false;
	return true;
}

static inline int evc_set_count(const struct evc_set *set)
{
	int n = 0;

	for (int i = 0; i < EVC_SET_WORDS; i++)
		n += __builtin_popcountll(set->word[i]);
	return n;
}

/* Without the n features from first on. */
static inline void evc_set_drop_range(struct evc_set *set, unsigned first, unsigned n)
{
	while (n) {
		unsigned at = first % 64, here = n < 64 - at ? n : 64 - at;

		set->word[first / 64] &= ~(((UINT64_C(2) << (here - 1)) - 1) << at);
		first += here;
		n -= here;
	}
}

/* The first member at or after from, or EVC_N_FEATURES: for (id = next(s, 0); id < N; id = next(s, id + 1)).
 */
static inline enum evc_feature_id evc_set_next(const struct evc_set *set, unsigned from)
{
	unsigned i = from / 64;
	uint64_t word;

	if (from >= EVC_N_FEATURES)
		return EVC_N_FEATURES;
	word = set->word[i] & (UINT64_MAX << (from % 64));
	while (!word) {
		if (++i >= EVC_SET_WORDS)
			return EVC_N_FEATURES;
		word = set->word[i];
	}
	return (enum evc_feature_id)(i * 64 + (unsigned)__builtin_ctzll(word));
}

/*
 * The bits of a register where the set's features live, of those that mean something for these vendors.
 * For EVC_MSR leaf is the index.
 */
uint64_t evc_set_bits(const struct evc_set *set, unsigned vendors, uint32_t leaf, uint32_t subleaf,
                      enum evc_reg reg);

/* All features of a rule (generated). */
extern const struct evc_set evc_rule_sets[EVC_N_RULES];

/* All features that mean something for a vendor, by the number of its bit in enum evc_vendor (generated). */
extern const struct evc_set evc_vendor_sets[EVC_N_VENDORS];

#define EVC_SET_FOREACH(id, set)                                                                             \
	for (enum evc_feature_id id = evc_set_next(set, 0); id < EVC_N_FEATURES;                             \
	     id = evc_set_next(set, (unsigned)id + 1))

#endif
