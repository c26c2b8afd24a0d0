/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a mode asks of a cpu, and how modes compare.
 *
 * A mode is a promise to a guest: whatever it sees at this mode, every host that satisfies the mode
 * has.  So a mode that a cpu "probably" satisfies does not exist: each feature of the version is
 * there, or is missing, or is not known, and one that is not known makes the verdict "unknown".
 *
 * Versions only grow, so the newest one a cpu satisfies is found from below: the first that fails
 * or is not certain ends the search.  A later version cannot mend an earlier one's doubt.
 *
 * Of the modes a cpu satisfies, the best are those that no other one covers.  There is no total
 * order to sort by: a cpu may satisfy two modes of which neither includes the other.
 */
#include "core/mode.h"

#include "base/nearest.h"

#include <string.h>

/* "name@2" into its parts; false when what follows the '@' is no version number. */
static bool split_version(struct evc_span *name, unsigned *ret_version)
{
	const char *at = memchr(name->text, '@', name->length);
	struct evc_span digits;
	uint64_t number;

	*ret_version = 0;
	if (!at)
		return true;
	digits = (struct evc_span){ .text = at + 1, .length = name->length - (size_t)(at + 1 - name->text) };
	name->length = (size_t)(at - name->text);
	if (!evc_span_decimal(&digits, &number) || digits.length || number < 1 || number > 1000)
		return false;
	*ret_version = (unsigned)number;
	return true;
}

static int unknown_mode(const struct evc_modes *modes, struct evc_span key, struct evc_error *err)
{
	struct evc_nearest nearest = { .name = key };

	for (size_t i = 0; i < modes->n; i++)
		evc_nearest_offer(&nearest, modes->items[i]->key);
	if (nearest.word)
		return evc_fail(err, EVC_ERR_NAME, "no mode is called %.*s; did you mean %s?",
		                (int)key.length, key.text, nearest.word);
	return evc_fail(err, EVC_ERR_NAME, "no mode is called %.*s; \"evc modes\" lists them",
	                (int)key.length, key.text);
}

int evc_modes_find(const struct evc_modes *modes, struct evc_span name, const struct evc_mode **ret_mode,
                   unsigned *ret_version, struct evc_error *err)
{
	struct evc_span key = name;
	unsigned version;

	if (!split_version(&key, &version))
		return evc_fail(err, EVC_ERR_NAME,
		                "%.*s: a version is a number from 1, as in intel-haswell@2", (int)name.length,
		                name.text);
	for (size_t i = 0; i < modes->n; i++) {
		const struct evc_mode *mode = modes->items[i];

		if (evc_span_compare_name(key, mode->key))
			continue;
		if (version > mode->n_versions)
			return evc_fail(err, EVC_ERR_NAME, "%s has versions 1 to %zu, not %u", mode->key,
			                mode->n_versions, version);
		*ret_mode = mode;
		*ret_version = version;
		return EVC_OK;
	}
	return unknown_mode(modes, key, err);
}

const struct evc_mode_version *evc_mode_version(const struct evc_mode *mode, unsigned number)
{
	if (number < 1)
		number = 1;
	if (number > mode->n_versions)
		number = (unsigned)mode->n_versions;
	return &mode->versions[number - 1];
}

bool evc_mode_covers(const struct evc_mode *a, const struct evc_mode *b)
{
	return !(a->vendors & ~b->vendors) &&
	       evc_set_within(&b->versions[0].features, &a->versions[0].features);
}

bool evc_mode_ranks_above(const struct evc_mode *a, const struct evc_mode *b)
{
	struct evc_span rest = evc_span_from(b->tracks), track;

	while (evc_span_word(&rest, &track))
		if (!evc_span_has_word(evc_span_from(a->tracks), track))
			return false;
	return a->tier >= b->tier;
}

/* The mode's own word on a feature; the last one stands. */
static const struct evc_mode_change *own_change(const struct evc_mode *mode, enum evc_feature_id id)
{
	for (size_t i = mode->n_changes; i > 0; i--)
		if (evc_set_has(&mode->changes[i - 1].features, id))
			return &mode->changes[i - 1];
	return NULL;
}

const struct evc_claim *evc_mode_claim(const struct evc_mode *mode, enum evc_feature_id id,
                                       const struct evc_mode **ret_by)
{
	for (; mode; mode = mode->from) {
		const struct evc_mode_change *change = own_change(mode, id);

		if (!change)
			continue;
		if (change->kind == EVC_MODE_DROPS)
			return NULL;
		*ret_by = mode;
		return &change->claim;
	}
	return NULL;
}

bool evc_modes_leaf_passes(const struct evc_modes *modes, uint32_t leaf)
{
	for (size_t i = 0; i < modes->n_leaves; i++)
		if (leaf >= modes->leaves[i].first && leaf <= modes->leaves[i].last)
			return true;
	return false;
}

const char *evc_provenance_name(enum evc_provenance provenance)
{
	switch (provenance) {
	case EVC_PROVENANCE_READ:
		return "read";
	case EVC_PROVENANCE_INFERRED:
		return "inferred";
	case EVC_PROVENANCE_CHOSEN:
		return "chosen";
	}
	return "";
}

/* Only modes that fix a vendor care which one it is. */
static enum evc_verdict vendor_verdict(const struct evc_mode *mode, const struct evc_cpu *cpu)
{
	if (mode->vendors == EVC_VENDOR_ANY)
		return EVC_YES;
	if (!cpu->vendor_id[0] && !(cpu->vendor & EVC_VENDOR_ANY & ~EVC_VENDOR_OTHER))
		return EVC_UNKNOWN;
	return cpu->vendor & mode->vendors ? EVC_YES : EVC_NO;
}

enum evc_verdict evc_mode_satisfied(const struct evc_mode *mode, unsigned version, const struct evc_cpu *cpu,
                                    struct evc_set *ret_lacks, struct evc_set *ret_unsure)
{
	const struct evc_set *wants = &evc_mode_version(mode, version)->features;
	enum evc_verdict verdict = vendor_verdict(mode, cpu);
	uint64_t any_unsure = 0, any_lacks = 0;

	for (int w = 0; w < EVC_SET_WORDS; w++) {
		uint64_t unsure = wants->word[w] & ~cpu->known.word[w];
		uint64_t lacks = wants->word[w] & cpu->known.word[w] & ~cpu->has.word[w];

		any_unsure |= unsure;
		any_lacks |= lacks;
		if (ret_lacks)
			ret_lacks->word[w] = lacks;
		if (ret_unsure)
			ret_unsure->word[w] = unsure;
	}
	if (any_unsure)
		verdict = evc_verdict_worse(verdict, EVC_UNKNOWN);
	return any_lacks ? EVC_NO : verdict;
}

unsigned evc_mode_best_version(const struct evc_mode *mode, const struct evc_cpu *cpu)
{
	unsigned best = 0;

	if (vendor_verdict(mode, cpu) != EVC_YES)
		return 0;
	/* What a cpu has is known of it, so that this is evc_mode_satisfied's "yes". */
	while (best < mode->n_versions && evc_set_within(&mode->versions[best].features, &cpu->has))
		best++;
	return best;
}

/* Is there a satisfied one above it?  Of two that are equal the later one stands for both. */
static bool is_covered(const struct evc_modes *modes, size_t which, const struct evc_cpu *cpu)
{
	const struct evc_mode *mode = modes->items[which];

	for (size_t i = 0; i < modes->n; i++) {
		const struct evc_mode *other = modes->items[i];

		if (i == which || strcmp(other->vendor, mode->vendor) != 0 || !evc_mode_covers(other, mode))
			continue;
		if (evc_mode_covers(mode, other) && i < which)
			continue;
		if (evc_mode_satisfied(other, 1, cpu, NULL, NULL) == EVC_YES)
			return true;
	}
	return false;
}

size_t evc_modes_best(const struct evc_modes *modes, const struct evc_cpu *cpu,
                      const struct evc_mode **ret_best, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < modes->n; i++) {
		if (evc_mode_satisfied(modes->items[i], 1, cpu, NULL, NULL) != EVC_YES ||
		    is_covered(modes, i, cpu))
			continue;
		if (n < size)
			ret_best[n] = modes->items[i];
		n++;
	}
	return n;
}
