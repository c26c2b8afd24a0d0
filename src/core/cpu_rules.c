/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The algebra of features: how cpus merge, when one fits another, and what is lost with a need.
 *
 * A cpu's truth is in two sets, has and known, with has within known, so that all features of a rule are
 * merged and compared a word at a time; only fields are looked at one by one.
 *
 * "same" fields use zero as "not there", so that a component that one host lacks does not clash with a host
 * that has it; "differs" remembers every clash, which keeps merging associative.
 */
#include "core/cpu.h"

#include <string.h>

void evc_cpu_level_part(struct evc_cpu *cpu)
{
	for (int w = 0; w < EVC_SET_WORDS; w++) {
		uint64_t dropped = evc_rule_sets[EVC_RULE_OWN].word[w] | evc_rule_sets[EVC_RULE_CALC].word[w];

		cpu->has.word[w] &= ~dropped;
		cpu->known.word[w] &= ~dropped;
	}
	cpu->brand[0] = '\0';
	cpu->hypervisor[0] = '\0';
	cpu->identified = false;
	cpu->signature = 0;
	cpu->family = cpu->model = 0;
	cpu->stepping = cpu->type = 0;
	cpu->max_hypervisor = 0;
}

/* Merge one levelled field; what is not known of either side is not known of the level. */
static void merge_value(struct evc_cpu *a, const struct evc_cpu *b, int slot)
{
	enum evc_feature_id id = evc_slots[slot];
	uint64_t x = a->value[slot], y = b->value[slot], value = 0;

	if (!evc_set_has(&a->known, id) || !evc_set_has(&b->known, id)) {
		evc_set_drop(&a->known, id);
		evc_set_drop(&a->has, id);
		a->value[slot] = 0;
		return;
	}
	switch (evc_features[id].rule) {
	case EVC_RULE_AND:
		value = x & y;
		break;
	case EVC_RULE_OR:
		value = x | y;
		break;
	case EVC_RULE_MIN:
		value = x < y ? x : y;
		break;
	case EVC_RULE_MAX:
		value = x > y ? x : y;
		break;
	case EVC_RULE_SAME:
		/* The larger stands for both when they differ, so that order does not matter. */
		value = x > y ? x : y;
		if (x && y && x != y)
			evc_set_add(&a->differs, id);
		break;
	case EVC_RULE_OWN:
	case EVC_RULE_CALC:
	case EVC_N_RULES:
		break;
	}
	a->value[slot] = value;
	if (value)
		evc_set_add(&a->has, id);
	else
		evc_set_drop(&a->has, id);
}

void evc_cpu_merge(struct evc_cpu *a, const struct evc_cpu *b)
{
	const struct evc_set *and = &evc_rule_sets[EVC_RULE_AND], * or = &evc_rule_sets[EVC_RULE_OR];
	struct evc_cpu old = *a;

	for (int w = 0; w < EVC_SET_WORDS; w++) {
		uint64_t ha = old.has.word[w], hb = b->has.word[w], ka = old.known.word[w],
			 kb = b->known.word[w];
		/* A known zero decides "and", a known one decides "or"; the other rules need both sides. */
		uint64_t decided = (and->word[w] & ((ka & ~ha) | (kb & ~hb))) | (or->word[w] & (ha | hb));

		a->known.word[w] = (ka & kb) | decided;
		a->has.word[w] = (and->word[w] & ha & hb) | (~and->word[w] & (ha | hb) & a->known.word[w]);
	}
	a->differs = evc_set_or(&old.differs, &b->differs);
	for (int slot = 0; slot < EVC_N_SLOTS; slot++) {
		enum evc_feature_id id = evc_slots[slot];

		/* Whether a field is known is not a question of its bits: both sides or nothing. */
		if (!evc_set_has(&old.known, id) || !evc_set_has(&b->known, id))
			evc_set_drop(&a->known, id);
		merge_value(a, b, slot);
	}
	/* What is not known of one host says nothing of the others' clash: else order would matter. */
	a->differs = evc_set_and(&a->differs, &a->known);
	if (a->vendor != b->vendor)
		a->vendor = EVC_VENDOR_OTHER;
	if (strcmp(a->vendor_id, b->vendor_id))
		memset(a->vendor_id, 0, sizeof(a->vendor_id));
	a->max_basic = a->max_basic < b->max_basic ? a->max_basic : b->max_basic;
	a->max_extended = a->max_extended < b->max_extended ? a->max_extended : b->max_extended;
}

bool evc_cpu_same_level(const struct evc_cpu *a, const struct evc_cpu *b)
{
	return evc_set_equals(&a->has, &b->has) && evc_set_equals(&a->known, &b->known) &&
	       evc_set_equals(&a->differs, &b->differs) && !memcmp(a->value, b->value, sizeof(a->value)) &&
	       a->vendor == b->vendor && a->max_basic == b->max_basic && a->max_extended == b->max_extended;
}

/* Does the guest's value of a field fit the host's? */
static bool value_fits(enum evc_rule rule, uint64_t guest, uint64_t host)
{
	switch (rule) {
	case EVC_RULE_AND:
		return !(guest & ~host);
	case EVC_RULE_OR:
		return !(host & ~guest);
	case EVC_RULE_MIN:
		return guest <= host;
	case EVC_RULE_MAX:
		return guest >= host;
	case EVC_RULE_SAME:
		return !guest || !host || guest == host;
	case EVC_RULE_OWN:
	case EVC_RULE_CALC:
	case EVC_N_RULES:
		return true;
	}
	return true;
}

static void fit_value(const struct evc_cpu *guest, const struct evc_cpu *host, int slot,
                      struct evc_misfit *misfit)
{
	enum evc_feature_id id = evc_slots[slot];

	evc_set_drop(&misfit->lacks, id);
	evc_set_drop(&misfit->hides, id);
	evc_set_drop(&misfit->unsure, id);
	/* A guest that does not have the field (known zero) asks for nothing. */
	if (evc_set_has(&guest->known, id) && !guest->value[slot] && evc_features[id].rule != EVC_RULE_OR)
		return;
	if (!evc_set_has(&guest->known, id) || !evc_set_has(&host->known, id))
		evc_set_add(&misfit->unsure, id);
	else if (!value_fits(evc_features[id].rule, guest->value[slot], host->value[slot]))
		evc_set_add(&misfit->outside, id);
}

enum evc_verdict evc_cpu_fits(const struct evc_cpu *guest, const struct evc_cpu *host,
                              struct evc_misfit *ret_misfit)
{
	const struct evc_set *and = &evc_rule_sets[EVC_RULE_AND], * or = &evc_rule_sets[EVC_RULE_OR];
	struct evc_misfit misfit = { 0 };

	for (int w = 0; w < EVC_SET_WORDS; w++) {
		uint64_t hg = guest->has.word[w], kg = guest->known.word[w];
		uint64_t hh = host->has.word[w], kh = host->known.word[w];

		misfit.lacks.word[w] = and->word[w] & hg & kh & ~hh;
		misfit.hides.word[w] = or->word[w] & hh & kg & ~hg;
		/* Unsure: not both known, and neither a guest without it (and) nor one with it (or) settles
		 * it. */
		misfit.unsure.word[w] = (and->word[w] & ((hg & ~kh) | (~kg & ~hh))) |
		                        (or->word[w] & ((hh & ~kg) | (~kh & ~hg)));
	}
	for (int slot = 0; slot < EVC_N_SLOTS; slot++)
		fit_value(guest, host, slot, &misfit);
	if (ret_misfit)
		*ret_misfit = misfit;
	if (!evc_set_is_empty(&misfit.lacks) || !evc_set_is_empty(&misfit.hides) ||
	    !evc_set_is_empty(&misfit.outside))
		return EVC_NO;
	return evc_set_is_empty(&misfit.unsure) ? EVC_YES : EVC_UNKNOWN;
}

void evc_cpu_close(struct evc_cpu *cpu, struct evc_set *ret_dropped)
{
	bool again = true;

	if (ret_dropped)
		*ret_dropped = (struct evc_set){ 0 };
	while (again) {
		again = false;
		for (size_t i = 0; i < evc_n_needs; i++) {
			const struct evc_need *need = &evc_needs[i];

			if (!evc_set_has(&cpu->has, need->feature) ||
			    evc_cpu_truth(cpu, need->needs) != EVC_ABSENT)
				continue;
			evc_set_drop(&cpu->has, need->feature);
			if (evc_features[need->feature].slot != EVC_NO_SLOT)
				cpu->value[evc_features[need->feature].slot] = 0;
			if (ret_dropped)
				evc_set_add(ret_dropped, need->feature);
			again = true;
		}
	}
}
