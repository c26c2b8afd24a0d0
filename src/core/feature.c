/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding features by name.  Our own names are few enough (about 1,600) for a scan when a person
 * typed one; nothing that runs per host looks names up.
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

static char folded(char c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(struct evc_span name, const char *other)
{
	size_t i = 0;

	while (i < name.length && other[i] && folded(name.text[i]) == folded(other[i]))
		i++;
	return i == name.length && !other[i];
}

bool evc_feature_find(struct evc_span name, enum evc_feature_id *ret_id)
{
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		if (evc_span_equals(name, evc_features[id].name)) {
			*ret_id = (enum evc_feature_id)id;
			return true;
		}
	}
	return false;
}

static bool find_foreign(struct evc_span name, const char *space, enum evc_feature_id *ret_id)
{
	for (size_t i = 0; i < evc_n_foreign_names; i++) {
		const struct evc_foreign_name *foreign = &evc_foreign_names[i];

		if ((!space || !strcmp(space, foreign->space)) && same_name(name, foreign->name)) {
			*ret_id = foreign->feature;
			return true;
		}
	}
	return false;
}

static bool find_own(struct evc_span name, enum evc_feature_id *ret_id)
{
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		char place[EVC_BIT_TEXT];

		if (same_name(name, evc_features[id].name) ||
		    evc_span_equals_nocase(name, evc_bit_format(evc_features[id].bit, place))) {
			*ret_id = (enum evc_feature_id)id;
			return true;
		}
	}
	return false;
}

bool evc_feature_lookup(struct evc_span name, const char *space, enum evc_feature_id *ret_id)
{
	static const char *const spaces[] = { "qemu", "libvirt", "linux", "vmware", "xen" };

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		struct evc_span rest = name;

		if (evc_span_skip(&rest, spaces[i]) && evc_span_skip(&rest, ":"))
			return find_foreign(rest, spaces[i], ret_id) || find_own(rest, ret_id);
	}
	if (space && find_foreign(name, space, ret_id))
		return true;
	return find_own(name, ret_id) || find_foreign(name, NULL, ret_id);
}

const char *evc_feature_name_in(enum evc_feature_id id, const char *space)
{
	for (size_t i = 0; i < evc_n_foreign_names; i++)
		if (evc_foreign_names[i].feature == id && !strcmp(evc_foreign_names[i].space, space))
			return evc_foreign_names[i].name;
	return evc_features[id].name;
}
