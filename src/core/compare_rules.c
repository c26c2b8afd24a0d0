/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a guest's CPUID may be otherwise than predicted, and who decides it.
 *
 * Some bits follow registers that the guest's kernel writes (OSXSAVE, the size of what XCR0 has on), some are
 * QEMU's own affair (topology, caches), and TCG has leaves of its own where KVM has others.  Everything else
 * is as predicted or wrong.  A rule is as narrow as can be: it names features, says for whom it holds, and
 * where a value is bounded by another it asks for that.
 */
#include "core/compare.h"

#include <string.h>

enum { KVM = 1 << EVC_BY_KVM, QEMU = 1 << EVC_BY_QEMU, TCG = 1 << EVC_BY_TCG, ANYBODY = KVM | QEMU | TCG };

static const struct rule {
	enum evc_feature_id first, last; /* by place */
	unsigned by;                     /* for guests that these started */
	bool os;                         /* only where the guest has switched something on */
	enum evc_feature_id needs;       /* which must be seen, EVC_N_FEATURES: none */
	enum evc_cause cause;
	const char *why;
} rules[] = {
	{ .first = EVC_F_OSXSAVE,
	  .last = EVC_F_OSXSAVE,
	  .by = ANYBODY,
	  .os = true,
	  .needs = EVC_F_XSAVE,
	  .cause = EVC_CAUSE_GUEST,
	  .why = "follows CR4 of the guest" },
	{ .first = EVC_F_OSPKE,
	  .last = EVC_F_OSPKE,
	  .by = QEMU | TCG,
	  .os = true,
	  .needs = EVC_F_PKU,
	  .cause = EVC_CAUSE_GUEST,
	  .why = "follows CR4 of the guest" },
	{ .first = EVC_F_APIC,
	  .last = EVC_F_APIC,
	  .by = ANYBODY,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_GUEST,
	  .why = "follows whether the guest has its APIC switched on" },
	{ .first = EVC_F_BRAND_ID,
	  .last = EVC_F_LOCAL_APIC_ID,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "QEMU numbers its vCPUs" },
	{ .first = EVC_F_HT,
	  .last = EVC_F_HT,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "follows the number of vCPUs" },
	{ .first = EVC_F_CMP_LEGACY,
	  .last = EVC_F_CMP_LEGACY,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "follows the number of vCPUs" },
	{ .first = EVC_F_TOPOEXT,
	  .last = EVC_F_TOPOEXT,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "follows the number of vCPUs" },
	{ .first = EVC_F_CPU_NTHREADS,
	  .last = EVC_F_APICID_COREID_LEN,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "follows the number of vCPUs" },
	{ .first = EVC_F_MWAIT_EXT,
	  .last = EVC_F_MWAIT_IRQ_BREAK,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "QEMU states MWAIT's extensions even where MONITOR is hidden" },
	{ .first = EVC_F_XSAVE_SZ_XCR0,
	  .last = EVC_F_XSAVE_SZ_XCR0,
	  .by = ANYBODY,
	  .needs = EVC_F_XSAVE,
	  .cause = EVC_CAUSE_GUEST,
	  .why = "the size for what the guest has switched on" },
	{ .first = EVC_F_XSAVE_SZ_XCR0_XSS,
	  .last = EVC_F_XSAVE_SZ_XCR0_XSS,
	  .by = ANYBODY,
	  .needs = EVC_F_XSAVE,
	  .cause = EVC_CAUSE_GUEST,
	  .why = "the compacted size for what the guest has switched on" },
	{ .first = EVC_F_XSAVE_SZ_MAX,
	  .last = EVC_F_XSAVE_SZ_MAX,
	  .by = TCG,
	  .needs = EVC_F_PKU,
	  .cause = EVC_CAUSE_ACCELERATOR,
	  .why = "TCG's own layout of what XSAVE writes" },
	{ .first = EVC_F_XSTATE_OFFSET_PKRU,
	  .last = EVC_F_XSTATE_OFFSET_PKRU,
	  .by = TCG,
	  .needs = EVC_F_PKU,
	  .cause = EVC_CAUSE_ACCELERATOR,
	  .why = "TCG's own layout of what XSAVE writes" },
	{ .first = EVC_F_CPU_BRANDID_0,
	  .last = EVC_F_CPU_BRANDID_11,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "the same brand string without the blanks around it" },
	{ .first = EVC_F_E_STEPPING_ID,
	  .last = EVC_F_E_EXT_FAMILY,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "QEMU repeats leaf 1 EAX here; Intel's CPUs have zero" },
	{ .first = EVC_F_E_VENDORID_0,
	  .last = EVC_F_E_VENDORID_1,
	  .by = QEMU | TCG,
	  .needs = EVC_N_FEATURES,
	  .cause = EVC_CAUSE_QEMU_ADDS,
	  .why = "QEMU repeats leaf 0's vendor here; Intel's CPUs have zero" },
};

static bool sees(const struct evc_dump *seen, enum evc_feature_id id)
{
	bool known;

	return id == EVC_N_FEATURES || (evc_dump_get(seen, evc_features[id].bit, &known) && known);
}

/* The repeated signature is either nothing or the signature: a third value is wrong. */
static bool is_repeated_signature(const struct evc_dump *seen, const struct evc_bit *place)
{
	struct evc_bit first = evc_features[EVC_F_STEPPING].bit;
	uint64_t known, signature = evc_dump_register(seen, first.leaf, 0, first.reg, &known);

	return evc_dump_register(seen, place->leaf, 0, place->reg, &known) == signature;
}

/* In leaf 0x80000000 each register is that of leaf 0. */
static bool is_repeated_vendor(const struct evc_dump *seen, const struct evc_bit *place)
{
	uint64_t known;

	return evc_dump_register(seen, place->leaf, 0, place->reg, &known) ==
	       evc_dump_register(seen, evc_features[EVC_F_CPU_VENDORID_0].bit.leaf, 0, place->reg, &known);
}

static bool is_same_brand(const struct evc_compare *compare)
{
	struct evc_cpu predicted, seen;

	evc_cpu_decode(compare->predicted, &predicted);
	evc_cpu_decode(compare->seen, &seen);
	return !strcmp(predicted.brand, seen.brand);
}

/* Not larger than what all states need. */
static bool is_size(const struct evc_dump *seen, enum evc_feature_id id)
{
	bool known;

	return id != EVC_F_XSAVE_SZ_XCR0 ||
	       evc_dump_get(seen, evc_features[id].bit, &known) <=
	               evc_dump_get(seen, evc_features[EVC_F_XSAVE_SZ_MAX].bit, &known);
}

static bool holds(const struct rule *rule, const struct evc_compare *compare,
                  const struct evc_difference *difference)
{
	enum evc_feature_id id = difference->feature;

	if (id < rule->first || id > rule->last || !(rule->by >> compare->by & 1) ||
	    (rule->os && !compare->os) || !sees(compare->seen, rule->needs))
		return false;
	if (rule->first == EVC_F_CPU_BRANDID_0)
		return is_same_brand(compare);
	if (rule->first == EVC_F_E_STEPPING_ID)
		return is_repeated_signature(compare->seen, &difference->place);
	if (rule->first == EVC_F_E_VENDORID_0)
		return is_repeated_vendor(compare->seen, &difference->place);
	return is_size(compare->seen, id);
}

/* Leaves that stay a host's own whatever the mode: topology, caches, clock, the hypervisor's. */
static const char *own_leaf(const struct evc_compare *compare, const struct evc_difference *difference,
                            enum evc_cause *ret_cause)
{
	uint32_t leaf = difference->place.leaf;
	bool own = difference->feature == EVC_N_FEATURES ||
	           evc_features[difference->feature].rule == EVC_RULE_OWN;

	if (compare->by == EVC_BY_KVM)
		return NULL;
	if (compare->by == EVC_BY_TCG && leaf == evc_features[EVC_F_LBR_DEPTH_MASK].bit.leaf) {
		*ret_cause = EVC_CAUSE_ACCELERATOR;
		return "TCG gives this leaf no value: what was in the registers before stays there";
	}
	if (!compare->modes || !evc_modes_leaf_passes(compare->modes, leaf))
		return NULL;
	if (compare->by == EVC_BY_TCG && leaf >> 16 == evc_features[EVC_F_MAX_HYP_LEAF].bit.leaf >> 16) {
		*ret_cause = EVC_CAUSE_ACCELERATOR;
		return "TCG's own leaves, which are not KVM's";
	}
	*ret_cause = EVC_CAUSE_QEMU_ADDS;
	return own ? "QEMU's own topology, caches and clock" : NULL;
}

/* A register that the guest's vendor does not have and KVM keeps for every guest, such as MSR_PLATFORM_INFO
 * on AMD. */
static const char *foreign_msr(const struct evc_compare *compare, const struct evc_difference *difference,
                               enum evc_cause *ret_cause)
{
	struct evc_cpu predicted;

	if (difference->place.reg != EVC_MSR || difference->feature < EVC_N_FEATURES)
		return NULL;
	evc_cpu_decode(compare->predicted, &predicted);
	for (unsigned id = 0; id < EVC_N_FEATURES; id++)
		if (evc_features[id].bit.reg == EVC_MSR &&
		    evc_features[id].bit.leaf == difference->place.leaf &&
		    evc_features[id].vendors & predicted.vendor)
			return NULL;
	*ret_cause = EVC_CAUSE_ACCELERATOR;
	return "a register of another vendor's CPUs, which the hypervisor has for every guest";
}

const char *evc_compare_may_differ(const struct evc_compare *compare, const struct evc_difference *difference,
                                   enum evc_cause *ret_cause)
{
	if (difference->feature < EVC_N_FEATURES)
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
			if (!holds(&rules[i], compare, difference))
				continue;
			*ret_cause = rules[i].cause;
			return rules[i].why;
		}
	return difference->place.reg == EVC_MSR ? foreign_msr(compare, difference, ret_cause)
	                                        : own_leaf(compare, difference, ret_cause);
}
