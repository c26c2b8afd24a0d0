/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two cpus side by side.
 *
 * Every feature that is not the same on both is in one group, by what it means to whoever asks
 * "why do they differ", and in one set of it.  Unknown is not absent: what only one dump knows is
 * kept apart, and only where it is set, since a short dump would else differ in everything.
 * Rules own and calc are never a difference that matters.
 */
#include "core/diff.h"

#include <string.h>

const char *evc_diff_group_name(enum evc_diff_group group)
{
	static const char *const names[EVC_N_DIFF_GROUPS] = {
		[EVC_DIFF_FEATURES] = "features",
		[EVC_DIFF_SECURITY] = "security",
		[EVC_DIFF_VIRTUALISATION] = "virtualisation",
		[EVC_DIFF_HYPERVISOR] = "hypervisor",
		[EVC_DIFF_STATE] = "state",
		[EVC_DIFF_IDLE] = "idle",
	};

	return names[group];
}

const struct evc_mode *evc_diff_step(const struct evc_modes *modes, unsigned vendors, enum evc_feature_id id,
                                     unsigned *ret_version)
{
	for (size_t m = 0; m < modes->n; m++) {
		const struct evc_mode *mode = modes->items[m];

		/* Modes for any vendor (x86-64-v2) are no step of a generation. */
		if (!(mode->vendors & vendors) || !strcmp(mode->vendor, "any"))
			continue;
		for (size_t v = 0; v < mode->n_versions; v++) {
			if (!evc_set_has(&mode->versions[v].features, id))
				continue;
			*ret_version = mode->versions[v].number;
			return mode;
		}
	}
	return NULL;
}

static bool starts(enum evc_feature_id id, const char *prefix)
{
	return !strncmp(evc_features[id].name, prefix, strlen(prefix));
}

/* Does a mode's first version (v = 0), or a later one, bring the feature? */
static bool comes_in_version(enum evc_feature_id id, const struct evc_mode *mode, bool later)
{
	for (size_t v = later; v < (later ? mode->n_versions : 1); v++)
		if (evc_set_has(&mode->versions[v].adds, id))
			return true;
	return false;
}

/* What joined old modes later and came with no generation: that is how microcode's cures come. */
static bool is_security(enum evc_feature_id id, const struct evc_modes *modes)
{
	const struct evc_bit *bit = &evc_features[id].bit;
	bool joined = false;

	if (bit->reg == EVC_MSR && bit->leaf == evc_features[EVC_F_RDCL_NO].bit.leaf)
		return true;
	for (size_t m = 0; modes && m < modes->n; m++) {
		if (comes_in_version(id, modes->items[m], false))
			return false;
		joined = joined || comes_in_version(id, modes->items[m], true);
	}
	return joined || evc_features[id].rule == EVC_RULE_OR;
}

/* In the leaf of SVM's own features, or an MSR of VMX? */
static bool is_virtualisation(enum evc_feature_id id)
{
	const struct evc_bit *bit = &evc_features[id].bit;

	if (id == EVC_F_VMX || id == EVC_F_SVM || starts(id, "vmx-"))
		return true;
	return bit->reg != EVC_MSR && bit->leaf == evc_features[EVC_F_SVM_VERSION].bit.leaf;
}

enum evc_diff_group evc_diff_group_of(enum evc_feature_id id, const struct evc_modes *modes)
{
	if (evc_feature_is_hypervisors(&evc_features[id]))
		return EVC_DIFF_HYPERVISOR;
	if (evc_features[id].rule == EVC_RULE_OWN || evc_features[id].rule == EVC_RULE_CALC)
		return EVC_DIFF_IDLE;
	/* Hints of MWAIT: core/check_fit.c. */
	if (id >= EVC_F_N_C0_SUBSTATES && id <= EVC_F_N_C7_SUBSTATES)
		return EVC_DIFF_IDLE;
	if (is_virtualisation(id))
		return EVC_DIFF_VIRTUALISATION;
	if (starts(id, "xstate-"))
		return EVC_DIFF_STATE;
	return is_security(id, modes) ? EVC_DIFF_SECURITY : EVC_DIFF_FEATURES;
}

static bool is_vendor_name(enum evc_feature_id id)
{
	static const enum evc_feature_id names[] = { EVC_F_CPU_VENDORID_0, EVC_F_CPU_VENDORID_1,
		                                     EVC_F_CPU_VENDORID_2, EVC_F_E_VENDORID_0,
		                                     EVC_F_E_VENDORID_1,   EVC_F_E_VENDORID_2 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] == id)
			return true;
	return false;
}

static void compare(const struct evc_cpu *a, const struct evc_cpu *b, enum evc_feature_id id,
                    struct evc_diff_part *part)
{
	enum evc_truth x = evc_cpu_truth(a, id), y = evc_cpu_truth(b, id);
	uint64_t p, q;

	if (x == EVC_UNSURE || y == EVC_UNSURE) {
		if (y == EVC_PRESENT)
			evc_set_add(&part->unsure_a, id);
		if (x == EVC_PRESENT)
			evc_set_add(&part->unsure_b, id);
		return;
	}
	if (evc_cpu_value(a, id, &p) && evc_cpu_value(b, id, &q)) {
		if (p != q)
			evc_set_add(&part->changed, id);
		return;
	}
	if (x == y)
		return;
	evc_set_add(x == EVC_PRESENT ? &part->only_a : &part->only_b, id);
}

static bool part_is_empty(const struct evc_diff_part *part)
{
	return evc_set_is_empty(&part->only_a) && evc_set_is_empty(&part->only_b) &&
	       evc_set_is_empty(&part->changed) && evc_set_is_empty(&part->unsure_a) &&
	       evc_set_is_empty(&part->unsure_b);
}

void evc_diff_make(const struct evc_cpu *a, const struct evc_cpu *b, const struct evc_modes *modes,
                   struct evc_diff *ret_diff)
{
	struct evc_diff diff = { 0 };

	for (unsigned i = 0; i < EVC_N_FEATURES; i++) {
		enum evc_feature_id id = (enum evc_feature_id)i;

		/* The vendor's name is identity, said as a word. */
		if (is_vendor_name(id))
			continue;
		compare(a, b, id, &diff.parts[evc_diff_group_of(id, modes)]);
	}
	diff.identity = strcmp(a->vendor_id, b->vendor_id) || a->signature != b->signature ||
	                strcmp(a->brand, b->brand) || a->max_basic != b->max_basic ||
	                a->max_extended != b->max_extended;
	diff.same = !strcmp(a->vendor_id, b->vendor_id) && a->signature == b->signature &&
	            a->identified == b->identified;
	for (int group = 0; group < EVC_N_DIFF_GROUPS; group++)
		if (group != EVC_DIFF_IDLE)
			diff.same &= part_is_empty(&diff.parts[group]);
	*ret_diff = diff;
}
