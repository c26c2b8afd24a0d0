/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Facts that several of the kernel's rules ask for: the microcode, topology leaves, AMD's register of errata.
 * (linux:arch/x86/kernel/cpu/topology.c, topology_ext.c, amd.c:cpu_has_amd_erratum)
 */
#include "core/linux-private.h"

/* Intel has the revision in the upper half, AMD and Hygon in the lower one; others have none. */
uint32_t evc_linux_microcode(struct evc_linux_work *work, bool *ret_known, uint32_t *ret_depends)
{
	struct evc_linux_answer answer = { .known = UINT64_MAX };
	bool intel = work->vendor == EVC_LINUX_VENDOR_INTEL;

	if ((intel && work->family >= 6) || work->vendor == EVC_LINUX_VENDOR_AMD ||
	    work->vendor == EVC_LINUX_VENDOR_HYGON)
		answer = evc_linux_msr(work, EVC_LINUX_MSR_MICROCODE);
	evc_linux_cause_bits(work,
	                     (struct evc_bit){ .leaf = EVC_LINUX_MSR_MICROCODE,
	                                       .reg = EVC_MSR,
	                                       .lo = intel ? 32 : 0,
	                                       .hi = intel ? 63 : 31 },
	                     answer.value, (answer.known >> (intel ? 32 : 0) & UINT32_MAX) == UINT32_MAX);
	if (intel) {
		answer.value >>= 32;
		answer.known >>= 32;
	}
	*ret_known = (answer.known & UINT32_MAX) == UINT32_MAX;
	*ret_depends = answer.depends;
	return (uint32_t)answer.value;
}

struct evc_linux_tri evc_linux_older_microcode(struct evc_linux_work *work, uint32_t revision)
{
	struct evc_linux_tri older = { 0 };
	bool known;
	uint32_t has = evc_linux_microcode(work, &known, &older.depends);

	older.truth = has < revision ? EVC_PRESENT : EVC_ABSENT;
	if (!known)
		older.truth = EVC_UNSURE;
	return evc_linux_leaf(work, older,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_NUMBER,
	                                                .number = has,
	                                                .limit = revision,
	                                                .text = "microcode older than" });
}

/* A leaf of topology: processors at its first level, and a type that the kernel takes. */
static struct evc_linux_tri topology_leaf(struct evc_linux_work *work, uint32_t leaf)
{
	bool new = work->tree->switches[EVC_LINUX_S_TOPOLOGY];
	uint32_t known_count, known_type;
	uint32_t count = evc_linux_register(work, leaf, 0, EVC_EBX, &known_count);
	uint32_t type = evc_linux_register(work, leaf, 0, EVC_ECX, &known_type) >> 8 & 0xff;
	struct evc_linux_tri tri = evc_linux_unknown(0);
	struct evc_bit bit = { .leaf = leaf, .reg = EVC_EBX, .hi = 15 };

	if (new)
		count &= 0xffff;
	if ((known_count == UINT32_MAX && !count) || (known_type >> 8 & 0xff) == 0xff)
		tri = evc_linux_if(count && (new ? type != 0 : type == 1));
	if (known_count != UINT32_MAX && tri.truth == EVC_PRESENT)
		tri = evc_linux_unknown(0);
	return evc_linux_leaf(
		work, tri,
		&(struct evc_linux_node){ .reason = EVC_LINUX_REASON_BIT, .bit = bit, .number = count });
}

struct evc_linux_tri evc_linux_has_topology(struct evc_linux_work *work)
{
	struct evc_linux_tri any = evc_linux_or(work, topology_leaf(work, 0x1f), topology_leaf(work, 0xb));

	if (work->vendor == EVC_LINUX_VENDOR_INTEL)
		return any;
	return evc_linux_or(work, topology_leaf(work, 0x80000026), any);
}

struct evc_linux_tri evc_linux_osvw_knows(struct evc_linux_work *work, unsigned id)
{
	struct evc_linux_answer length = evc_linux_msr(work, EVC_LINUX_MSR_OSVW_LENGTH);
	struct evc_linux_tri tri = { .truth = length.value > id ? EVC_PRESENT : EVC_ABSENT,
		                     .depends = length.depends };

	if (length.known != UINT64_MAX)
		tri.truth = EVC_UNSURE;
	return evc_linux_leaf(work, tri,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_NUMBER,
	                                                .number = length.value,
	                                                .limit = id,
	                                                .text = "OSVW knows errata up to" });
}

struct evc_linux_tri evc_linux_osvw_says(struct evc_linux_work *work, unsigned id)
{
	return evc_linux_bit(work, (struct evc_bit){ .leaf = EVC_LINUX_MSR_OSVW_STATUS,
	                                             .reg = EVC_MSR,
	                                             .lo = (uint8_t)id,
	                                             .hi = (uint8_t)id });
}

/* More than one node in a package, as AMD and Hygon tell it. */
void evc_linux_dcm(struct evc_linux_work *work)
{
	struct evc_linux_tri nodes = evc_linux_feature(work, EVC_F_NNODES_PER_SOCKET);

	evc_linux_set(work, EVC_LINUX_F_AMD_DCM,
	              evc_linux_and(work, evc_linux_has(work, EVC_LINUX_F_TOPOEXT), nodes),
	              "amd.c:amd_get_topology");
}
