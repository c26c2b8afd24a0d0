/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From rules to words.
 *
 * Every rule is turned into one form: the guest has a set of wants, the host a set of lacks, and the pair
 * fits when no want is lacking.
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
 * Truth has three values, so each set comes twice: surely and perhaps.  Two extra places a field stand for
 * "the guest's value is not known" and "the host's is not".
 */
#include "core/matrix-private.h"

#include "core/check.h"

#include <string.h>

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

static struct answer wants(const struct evc_cpu *guest, const struct evc_matrix_place *place)
{
	enum evc_rule rule = evc_features[place->id].rule;
	bool known = evc_set_has(&guest->known, place->id), has = evc_set_has(&guest->has, place->id);
	uint64_t value = place->kind == EVC_MATRIX_WHOLE ? 0 : guest->value[evc_features[place->id].slot];

	if (!evc_check_cares(guest, place->id))
		return known_answer(false);
	switch (place->kind) {
	case EVC_MATRIX_WHOLE:
		return (struct answer){ .sure = has, .perhaps = has || !known };
	case EVC_MATRIX_VALUE:
		return known_answer(known && value_wanted(rule, value, place->value));
	case EVC_MATRIX_GUEST_UNKNOWN:
		return (struct answer){ .perhaps = !known };
	case EVC_MATRIX_HOST_UNKNOWN:
		return (struct answer){ .perhaps = !known || value || !zero_asks_nothing(rule) };
	}
	return known_answer(false);
}

static struct answer is_lacking(const struct evc_cpu *host, const struct evc_matrix_place *place)
{
	bool known = evc_set_has(&host->known, place->id), has = evc_set_has(&host->has, place->id);

	switch (place->kind) {
	case EVC_MATRIX_WHOLE:
		return (struct answer){ .sure = known && !has, .perhaps = !has };
	case EVC_MATRIX_VALUE:
		return known_answer(known &&
		                    value_lacking(evc_features[place->id].rule,
		                                  host->value[evc_features[place->id].slot], place->value));
	case EVC_MATRIX_GUEST_UNKNOWN:
		return (struct answer){ .perhaps = true };
	case EVC_MATRIX_HOST_UNKNOWN:
		return (struct answer){ .perhaps = !known };
	}
	return known_answer(false);
}

/* Keep the place when some guest may want what some host may lack. */
static void add_place(struct evc_matrix_places *list, const struct evc_matrix_sides *sides,
                      struct evc_matrix_place place)
{
	struct evc_matrix_place *items;
	bool wanted = false, lacking = false;

	for (size_t i = 0; i < sides->n && !(wanted && lacking); i++) {
		wanted |= sides->guests[i] && wants(sides->guests[i], &place).perhaps;
		lacking |= sides->hosts[i] && is_lacking(sides->hosts[i], &place).perhaps;
	}
	if (!wanted || !lacking)
		return;
	items = evc_arena_room(list->arena, list->items, list->n, &list->size, 256, sizeof(*items));
	if (!items)
		return;
	list->items = items;
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

static void add_field(struct evc_matrix_places *list, const struct evc_matrix_sides *sides,
                      enum evc_feature_id id)
{
	int slot = evc_features[id].slot;
	enum evc_rule rule = evc_features[id].rule;
	struct evc_matrix_place place = { .id = id, .kind = EVC_MATRIX_VALUE };

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
	add_place(list, sides, (struct evc_matrix_place){ .id = id, .kind = EVC_MATRIX_GUEST_UNKNOWN });
	add_place(list, sides, (struct evc_matrix_place){ .id = id, .kind = EVC_MATRIX_HOST_UNKNOWN });
}

void evc_matrix_find_places(struct evc_matrix_places *list, const struct evc_matrix_sides *sides)
{
	struct evc_set asked;

	evc_check_asked(&asked);
	EVC_SET_FOREACH(id, &asked)
	{
		if (evc_features[id].slot != EVC_NO_SLOT)
			add_field(list, sides, id);
		else
			add_place(list, sides,
			          (struct evc_matrix_place){ .id = id, .kind = EVC_MATRIX_WHOLE });
	}
}

void evc_matrix_pack(const struct evc_matrix_places *list, const struct evc_cpu *guest,
                     const struct evc_cpu *host, uint64_t *words)
{
	size_t n_words = evc_matrix_n_words(list);
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
