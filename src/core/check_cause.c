/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why has a host not the feature?
 *
 * A guess from what is known, best evidence first: what the silicon has but the offer has not was taken by
 * KVM, QEMU or an option; what a host of the same signature has, or its generation's mode, was switched off
 * or comes with microcode; what is left is silicon: older, or newer than the last that had it
 * (data/removed.txt), or with a flaw that the other has not.
 *
 * Intel and AMD have bits of their own for the same controls of speculation, and KVM shows guests both: what
 * the silicon says of one is why the other is missing.
 */
#include "core/check.h"

#include "core/generation.h"

#include <string.h>

/* Bits by which a CPU says that a flaw, or the cure of one, is not its own. */
static const enum evc_feature_id immunities[] = {
	EVC_F_MCDT_NO,        EVC_F_MONITOR_MITG_NO,
	EVC_F_AMD_NO_SSB,     EVC_F_BTC_NO,
	EVC_F_SRSO_NO,        EVC_F_SRSO_USER_KERNEL_NO,
	EVC_F_TSA_SQ_NO,      EVC_F_TSA_L1_NO,
	EVC_F_RDCL_NO,        EVC_F_SKIP_L1DFL_VMENTRY,
	EVC_F_SSB_NO,         EVC_F_MDS_NO,
	EVC_F_PSCHANGE_MC_NO, EVC_F_TAA_NO,
	EVC_F_SBDR_SSDP_NO,   EVC_F_FBSDP_NO,
	EVC_F_PSDP_NO,        EVC_F_BHI_NO,
	EVC_F_PBRSB_NO,       EVC_F_GDS_NO,
	EVC_F_RFDS_NO,        EVC_F_ITS_NO,
};

bool evc_check_is_immunity(enum evc_feature_id id)
{
	for (size_t i = 0; i < sizeof(immunities) / sizeof(immunities[0]); i++)
		if (immunities[i] == id)
			return true;
	return false;
}

/* linux:arch/x86/kvm/cpuid.c, kvm_set_cpu_caps */
static const struct {
	enum evc_feature_id intel, amd;
} synonyms[] = {
	{ .intel = EVC_F_SPEC_CTRL, .amd = EVC_F_IBRS },
	{ .intel = EVC_F_SPEC_CTRL, .amd = EVC_F_IBPB },
	{ .intel = EVC_F_STIBP, .amd = EVC_F_AMD_STIBP },
	{ .intel = EVC_F_SSBD, .amd = EVC_F_AMD_SSBD },
};

/* The bit of its vendor's silicon of which KVM makes this one; the feature itself where there is none. */
static enum evc_feature_id silicons_own(const struct evc_cpu *silicon, enum evc_feature_id id)
{
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
		if (silicon->vendor == EVC_VENDOR_INTEL && synonyms[i].amd == id)
			return synonyms[i].intel;
		if (silicon->vendor == EVC_VENDOR_AMD && synonyms[i].intel == id)
			return synonyms[i].amd;
	}
	return id;
}

/* Does any later version of a mode add it?  Such features came with microcode. */
static bool came_with_microcode(const struct evc_modes *modes, enum evc_feature_id id)
{
	for (size_t m = 0; modes && m < modes->n; m++)
		for (size_t v = 1; v < modes->items[m]->n_versions; v++)
			if (evc_set_has(&modes->items[m]->versions[v].adds, id))
				return true;
	return evc_feature_is_msr(&evc_features[id]) && evc_check_announcer(id) == EVC_F_ARCH_CAPABILITIES;
}

static bool mode_lists(const struct evc_modes *modes, const struct evc_cpu *silicon, enum evc_feature_id id)
{
	const struct evc_generation *generation = evc_generation_find(silicon);
	const struct evc_mode *mode;
	unsigned version;
	struct evc_error err;

	if (!modes || !generation || !strcmp(generation->mode, "-"))
		return false;
	if (evc_modes_find(modes, evc_span_from(generation->mode), &mode, &version, &err) < 0)
		return false;
	return evc_set_has(&evc_mode_version(mode, (unsigned)mode->n_versions)->features, id);
}

/*
 * A generation's mode is what its servers have.  Its clients were made without some of it, as Ryzens without
 * PCID; setups of firmware have switches for these.
 */
static bool may_be_switched(const struct evc_cpu *silicon, enum evc_feature_id id)
{
	const struct evc_generation *generation = evc_generation_find(silicon);

	return id == EVC_F_NX || id == EVC_F_AES || (generation && !strstr(generation->segment, "client"));
}

/* Has another host of the very same signature the feature in its silicon? */
static bool twin_has(const struct evc_check_side *host, const struct evc_check_side *other,
                     enum evc_feature_id id)
{
	if (!other || other == host || !other->silicon || !other->silicon->identified)
		return false;
	return other->silicon->signature == host->silicon->signature &&
	       !strcmp(other->silicon->vendor_id, host->silicon->vendor_id) &&
	       evc_cpu_truth(other->silicon, id) == EVC_PRESENT;
}

static bool some_twin_has(const struct evc_check_side *host, const struct evc_check_side *other,
                          const struct evc_check_options *options, enum evc_feature_id id)
{
	bool has = twin_has(host, other, id);

	for (size_t i = 0; options && i < options->n_siblings && !has; i++)
		has = twin_has(host, &options->siblings[i], id);
	return has;
}

/* The silicon itself does not have it: was it made too early, or too late? */
static enum evc_cause silicon_cause(const struct evc_cpu *silicon, enum evc_feature_id id)
{
	const struct evc_removal *removal = &evc_removals[id];
	const struct evc_generation *generation = evc_generation_find(silicon);
	uint64_t year;

	if (evc_check_is_immunity(id))
		return EVC_CAUSE_AFFECTED;
	if (!(removal->vendors & silicon->vendor) || !generation ||
	    !evc_span_number(evc_span_from(generation->year), 9999, &year))
		return EVC_CAUSE_OLDER;
	return (int)year < removal->year ? EVC_CAUSE_OLDER : EVC_CAUSE_REMOVED;
}

/* The silicon does not decide it. */
static enum evc_cause unsure_cause(const struct evc_check_side *host, enum evc_feature_id id)
{
	enum evc_cause cause;

	if (evc_cpu_truth(host->cpu, id) == EVC_UNSURE)
		return EVC_CAUSE_DUMP;
	cause = host->cause ? host->cause(host, id) : EVC_CAUSE_NONE;
	if (cause == EVC_CAUSE_KERNEL || cause == EVC_CAUSE_QEMU)
		return cause;
	return evc_check_is_immunity(id) ? EVC_CAUSE_AFFECTED : EVC_CAUSE_NONE;
}

enum evc_cause evc_check_cause(const struct evc_check_side *host, enum evc_feature_id id,
                               const struct evc_check_side *other, const struct evc_check_options *options)
{
	const struct evc_modes *modes = options ? options->modes : NULL;
	enum evc_cause cause = EVC_CAUSE_NONE;
	enum evc_feature_id own;
	enum evc_truth has;
	bool twin;

	if (!host->cpu)
		return EVC_CAUSE_DUMP;
	if (!(evc_features[id].vendors & host->cpu->vendor))
		return EVC_CAUSE_VENDOR;
	if (!host->silicon)
		return EVC_CAUSE_NONE;
	has = evc_cpu_truth(host->silicon, id);
	if (host->cause && (has == EVC_PRESENT || evc_feature_is_hypervisors(&evc_features[id])))
		cause = host->cause(host, id);
	if (cause != EVC_CAUSE_NONE || has == EVC_PRESENT)
		return cause;
	if (has == EVC_UNSURE)
		return unsure_cause(host, id);
	own = silicons_own(host->silicon, id);
	if (evc_cpu_truth(host->silicon, own) != EVC_ABSENT)
		return unsure_cause(host, id);
	id = own;
	if (evc_cpu_truth(host->silicon, EVC_F_HYPERVISOR) == EVC_PRESENT)
		return EVC_CAUSE_NESTED;
	twin = some_twin_has(host, other, options, id);
	if ((twin || mode_lists(modes, host->silicon, id)) && came_with_microcode(modes, id))
		return EVC_CAUSE_MICROCODE;
	if (twin || (mode_lists(modes, host->silicon, id) && may_be_switched(host->silicon, id)))
		return EVC_CAUSE_FIRMWARE;
	return silicon_cause(host->silicon, id);
}
