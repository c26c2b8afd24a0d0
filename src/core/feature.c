/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding features by name.  Two tables are in the order of evc_span_compare_name: our own names
 * (evc_name_order) and those of others (evc_foreign_names).  The generator refuses two names of ours that are
 * one in it.
 */
#include "core/feature.h"

#include <string.h>

const char *evc_rule_name(enum evc_rule rule)
{
	static const char *const names[] = {
		[EVC_RULE_AND] = "and",   [EVC_RULE_OR] = "or",     [EVC_RULE_MIN] = "min",
		[EVC_RULE_MAX] = "max",   [EVC_RULE_SAME] = "same", [EVC_RULE_OWN] = "own",
		[EVC_RULE_CALC] = "calc",
	};

	return names[rule];
}

const char *evc_vendor_name(unsigned vendor)
{
	switch (vendor) {
	case EVC_VENDOR_INTEL:
		return "intel";
	case EVC_VENDOR_AMD:
		return "amd";
	case EVC_VENDOR_ZHAOXIN:
		return "zhaoxin";
	case EVC_VENDOR_TRANSMETA:
		return "transmeta";
	case EVC_VENDOR_ANY:
		return "any";
	default:
		return "other";
	}
}

static const char *own_name(size_t i)
{
	return evc_features[evc_name_order[i]].name;
}

static const char *foreign_name(size_t i)
{
	return evc_foreign_names[i].name;
}

/* The first of n names in order that is not before name. */
static size_t lower_bound(struct evc_span name, const char *(*at)(size_t), size_t n)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;

		if (evc_span_compare_name(name, at(middle)) > 0)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

static bool find_own(struct evc_span name, enum evc_feature_id *ret_id)
{
	size_t i = lower_bound(name, own_name, EVC_N_FEATURES);

	if (i == EVC_N_FEATURES || evc_span_compare_name(name, own_name(i)))
		return false;
	*ret_id = evc_name_order[i];
	return true;
}

bool evc_feature_find(struct evc_span name, enum evc_feature_id *ret_id)
{
	enum evc_feature_id id;

	if (!find_own(name, &id) || !evc_span_equals(name, evc_features[id].name))
		return false;
	*ret_id = id;
	return true;
}

/* All meanings in one space; in the first space that has any when space is NULL. */
static size_t find_foreign(struct evc_span name, const char *space, enum evc_feature_id *ret_ids)
{
	size_t n = 0;

	for (size_t i = lower_bound(name, foreign_name, evc_n_foreign_names);
	     i < evc_n_foreign_names && n < EVC_MAX_MEANINGS && !evc_span_compare_name(name, foreign_name(i));
	     i++) {
		const struct evc_foreign_name *foreign = &evc_foreign_names[i];

		if (!space)
			space = foreign->space;
		if (!strcmp(space, foreign->space))
			ret_ids[n++] = foreign->feature;
	}
	return n;
}

static bool find_place(struct evc_span name, enum evc_feature_id *ret_id)
{
	if (!name.length || name.text[name.length - 1] != ']')
		return false;
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		char place[EVC_BIT_TEXT];

		if (evc_span_equals_nocase(name, evc_bit_format(evc_features[id].bit, place))) {
			*ret_id = (enum evc_feature_id)id;
			return true;
		}
	}
	return false;
}

size_t evc_feature_lookup_all(struct evc_span name, const char *space,
                              enum evc_feature_id ret_ids[static EVC_MAX_MEANINGS])
{
	static const char *const spaces[] = { "qemu", "libvirt", "linux", "vmware", "xen" };
	size_t n;

	if (find_place(name, ret_ids))
		return 1;
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		struct evc_span rest = name;

		if (evc_span_skip(&rest, spaces[i]) && evc_span_skip(&rest, ":")) {
			name = rest;
			space = spaces[i];
			break;
		}
	}
	if (space && (n = find_foreign(name, space, ret_ids)))
		return n;
	return find_own(name, ret_ids) ? 1 : find_foreign(name, NULL, ret_ids);
}

bool evc_feature_lookup(struct evc_span name, const char *space, enum evc_feature_id *ret_id)
{
	enum evc_feature_id ids[EVC_MAX_MEANINGS];

	if (!evc_feature_lookup_all(name, space, ids))
		return false;
	*ret_id = ids[0];
	return true;
}

const char *evc_feature_name_in(enum evc_feature_id id, const char *space)
{
	size_t first = 0, n = evc_n_printed_names;

	while (n) {
		size_t half = n / 2;

		if (evc_foreign_names[evc_printed_names[first + half]].feature < id) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	for (; first < evc_n_printed_names; first++) {
		const struct evc_foreign_name *foreign = &evc_foreign_names[evc_printed_names[first]];

		if (foreign->feature != id)
			break;
		if (!strcmp(foreign->space, space))
			return foreign->name;
	}
	return evc_features[id].name;
}
