/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does a guest fit a host?  The decision of every check, without a word about it.
 *
 * It is evc_cpu_fits, less what does not stop a move:
 *
 *  - a warning bit that the guest was not given.  KVM cannot show a guest a warning that its host
 *    lacks, so a guest of an old host never has those of a new one; refusing it would refuse every
 *    move to newer hosts.  It is a warning: the guest works, without a protection it might choose.
 *  - what an MSR says that no CPUID bit announces.  A guest cannot rely on it and KVM emulates it.
 *  - sleep states of MWAIT: a hint that the CPU does not know means a lighter sleep.
 *
 * Cpus that are the same in all that is known, signature and microcode too, are taken as the same in
 * what is not known: a guest fits each host of the kind that it was started on.  The findings name what
 * was taken as the same.  Whose microcode nobody knows is of one kind with itself only: what a dump does
 * not say, above all the MSRs, is what microcode changes.
 *
 * OS-dependent bits, topology and APIC ids have the rules own and calc and are in no comparison, so
 * two equal machines are never refused for them.
 */
#include "core/check.h"

#include <string.h>

/* MSRs that a CPUID bit announces; the table of features is sorted by place. */
static const struct {
	enum evc_feature_id announcer, first, last;
} announced[] = {
	{ .announcer = EVC_F_CORE_CAPABILITY,
	  .first = EVC_F_CORE_CAP_STLB_QOS,
	  .last = EVC_F_CORE_CAP_STLB_QOS },
	{ .announcer = EVC_F_ARCH_CAPABILITIES, .first = EVC_F_RDCL_NO, .last = EVC_F_RDCL_NO },
	{ .announcer = EVC_F_PDCM, .first = EVC_F_PERF_CAP_LBR_FORMAT, .last = EVC_F_PERF_CAP_LBR_FORMAT },
	{ .announcer = EVC_F_VMX, .first = EVC_F_VMX_BASIC_REVISION, .last = EVC_F_VMX_EXIT2_MAY },
};

/*
 * The bit of IA32_XSS or XCR0 whose state a subleaf of leaf 0xD describes: no number is of both, and where
 * both have a name (CET) no CPU has XCR0's.
 */
static enum evc_feature_id component(uint32_t subleaf)
{
	for (unsigned id = EVC_F_XSS_HIGH; id >= EVC_F_XCR0_X87; id--) {
		const struct evc_bit *bit = &evc_features[id].bit;
		enum evc_reg low = bit->subleaf ? EVC_ECX : EVC_EAX;

		if (bit->lo == bit->hi && ((bit->reg == low && bit->lo == subleaf) ||
		                           (bit->reg == EVC_EDX && bit->lo + 32U == subleaf)))
			return (enum evc_feature_id)id;
	}
	return EVC_N_FEATURES;
}

enum evc_feature_id evc_check_announcer(enum evc_feature_id id)
{
	const struct evc_bit *bit = &evc_features[id].bit;

	/* QEMU tells every guest of extensions of an MWAIT that it does not show. */
	if (bit->reg != EVC_MSR && bit->leaf == evc_features[EVC_F_MWAIT_EXT].bit.leaf)
		return EVC_F_MONITOR;
	if (id >= EVC_F_XCR0_X87 && id <= EVC_F_XSS_HIGH)
		return bit->subleaf && bit->reg == EVC_ECX ? EVC_F_XSAVES : EVC_F_XSAVE;
	if (id >= EVC_F_AMX_MAX_PALETTE && id <= EVC_F_AMX_MOVRS)
		return EVC_F_AMX_TILE;
	if (id >= EVC_F_XSTATE_SIZE_AVX && id <= EVC_F_XSTATE_OFFSET_LWP)
		return component(bit->subleaf);
	for (size_t i = 0;
	     evc_feature_is_msr(&evc_features[id]) && i < sizeof(announced) / sizeof(announced[0]); i++)
		if (evc_features[announced[i].first].bit.leaf <= bit->leaf &&
		    bit->leaf <= evc_features[announced[i].last].bit.leaf)
			return announced[i].announcer;
	return EVC_N_FEATURES;
}

/* In the order of places, so that what announces is settled before what it announces. */
void evc_check_settle(struct evc_cpu *cpu)
{
	for (unsigned i = 0; i < EVC_N_FEATURES; i++) {
		enum evc_feature_id id = (enum evc_feature_id)i, by = evc_check_announcer(id);

		if (evc_features[id].rule == EVC_RULE_OWN || by == EVC_N_FEATURES ||
		    evc_cpu_truth(cpu, by) != EVC_ABSENT)
			continue;
		evc_set_add(&cpu->known, id);
		evc_set_drop(&cpu->has, id);
		if (evc_features[id].slot != EVC_NO_SLOT)
			cpu->value[evc_features[id].slot] = 0;
	}
}

void evc_check_asked(struct evc_set *ret_set)
{
	struct evc_set set = evc_rule_sets[EVC_RULE_AND];

	/* All fields, whatever their rule. */
	for (int slot = 0; slot < EVC_N_SLOTS; slot++)
		evc_set_add(&set, evc_slots[slot]);
	for (unsigned id = 0; id < EVC_N_FEATURES; id++)
		if (evc_feature_is_msr(&evc_features[id]) &&
		    evc_check_announcer((enum evc_feature_id)id) == EVC_N_FEATURES)
			evc_set_drop(&set, (enum evc_feature_id)id);
	for (unsigned id = EVC_F_N_C0_SUBSTATES; id <= EVC_F_N_C7_SUBSTATES; id++)
		evc_set_drop(&set, (enum evc_feature_id)id);
	evc_set_drop(&set, EVC_F_K1OM); /* KVM shows a guest nothing of its range of leaves */
	*ret_set = set;
}

bool evc_check_cares(const struct evc_cpu *guest, enum evc_feature_id id)
{
	enum evc_feature_id by = evc_check_announcer(id);

	return by == EVC_N_FEATURES || evc_cpu_truth(guest, by) != EVC_ABSENT;
}

/* Drop what the guest does not care for. */
static void keep_cared(const struct evc_cpu *guest, struct evc_set *set)
{
	EVC_SET_FOREACH(id, set)
	{
		if (!evc_check_cares(guest, id))
			evc_set_drop(set, id);
	}
}

enum evc_verdict evc_check_fits(const struct evc_cpu *guest, const struct evc_cpu *host,
                                struct evc_misfit *ret_misfit)
{
	struct evc_misfit misfit;
	struct evc_set asked;

	evc_check_asked(&asked);
	evc_cpu_fits(guest, host, &misfit);
	misfit.lacks = evc_set_and(&misfit.lacks, &asked);
	misfit.outside = evc_set_and(&misfit.outside, &asked);
	misfit.unsure = evc_set_and(&misfit.unsure, &asked);
	keep_cared(guest, &misfit.lacks);
	keep_cared(guest, &misfit.outside);
	keep_cared(guest, &misfit.unsure);
	if (ret_misfit)
		*ret_misfit = misfit;
	if (!evc_set_is_empty(&misfit.lacks) || !evc_set_is_empty(&misfit.outside))
		return EVC_NO;
	return evc_set_is_empty(&misfit.unsure) ? EVC_YES : EVC_UNKNOWN;
}

bool evc_check_same_kind(const struct evc_set *asked, const struct evc_cpu *a, const struct evc_cpu *b)
{
	struct evc_set has[2] = { evc_set_and(&a->has, asked), evc_set_and(&b->has, asked) },
		       known[2] = { evc_set_and(&a->known, asked), evc_set_and(&b->known, asked) };

	if (a == b)
		return a->identified;
	return a->identified && b->identified && a->signature == b->signature && a->microcode &&
	       a->microcode == b->microcode && !strcmp(a->vendor_id, b->vendor_id) &&
	       evc_set_equals(&has[0], &has[1]) && evc_set_equals(&known[0], &known[1]) &&
	       !memcmp(a->value, b->value, sizeof(a->value));
}

enum evc_verdict evc_check_fits_from(const struct evc_cpu *guest, const struct evc_cpu *from,
                                     const struct evc_cpu *host, struct evc_misfit *ret_misfit)
{
	enum evc_verdict verdict = evc_check_fits(guest, host, ret_misfit);
	struct evc_set asked;

	if (verdict != EVC_UNKNOWN)
		return verdict;
	evc_check_asked(&asked);
	return evc_check_same_kind(&asked, from ? from : guest, host) ? EVC_YES : EVC_UNKNOWN;
}
