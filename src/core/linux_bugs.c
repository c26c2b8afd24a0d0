/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bugs that Linux takes a CPU to have, which it decides once, early, by two lists of models, by
 * IA32_ARCH_CAPABILITIES where CPUID says that it is there, by some flags and by whether it is a guest.
 *
 * The lists name models: who rewrites family and model rewrites this line.  A hypervisor whose guests may
 * move says with RSBA, RFDS_CLEAR and by leaving out ITS_NO that some of its hosts are affected.
 * (linux:arch/x86/kernel/cpu/common.c:cpu_set_bug_bits)
 */
#include "core/linux-private.h"

#define HAS(flag) evc_linux_has(work, EVC_LINUX_F_##flag)
#define LISTED(list) evc_linux_listed(work, EVC_LINUX_L_##list)
#define SWITCH(name) work->tree->switches[EVC_LINUX_S_##name]
#define NOT(a) evc_linux_not(work, a)
#define AND(a, b) evc_linux_and(work, a, b)
#define OR(a, b) evc_linux_or(work, a, b)

static const char where[] = "common.c:cpu_set_bug_bits";

static void bug(struct evc_linux_work *work, enum evc_linux_bug id, struct evc_linux_tri when)
{
	evc_linux_set_bug(work, id, when, where);
}

/* A bit of IA32_ARCH_CAPABILITIES, which is read only if CPUID has it. */
static struct evc_linux_tri cap(struct evc_linux_work *work, enum evc_feature_id bit)
{
	struct evc_linux_tri there = HAS(ARCH_CAPABILITIES);

	if (there.truth == EVC_ABSENT && !there.depends)
		return there;
	return AND(there, evc_linux_feature(work, bit));
}

#define CAP(name) cap(work, EVC_F_##name)

static bool knows_flag(const struct evc_linux_work *work, enum evc_linux_flag flag)
{
	return work->tree->places[flag] != EVC_LINUX_NOWHERE;
}

static bool matches(const struct evc_linux_work *work, const struct evc_linux_row *row)
{
	return (row->vendor == EVC_LINUX_VENDOR_ANY || row->vendor == work->vendor) &&
	       (!row->family || row->family == work->family) &&
	       (row->model < 0 || (unsigned)row->model == work->model) &&
	       row->steppings >> work->stepping & 1;
}

static const struct evc_linux_row *match(const struct evc_linux_work *work, const struct evc_linux_row *rows,
                                         size_t n, uint32_t *ret_says)
{
	*ret_says = 0;
	for (size_t i = 0; i < n; i++)
		if (matches(work, &rows[i])) {
			*ret_says = rows[i].says;
			return &rows[i];
		}
	return NULL;
}

static void speculation(struct evc_linux_work *work)
{
	struct evc_linux_tri v2 = NOT(LISTED(NO_SPECTRE_V2));

	bug(work, EVC_LINUX_B_SPECTRE_V1, evc_linux_yes());
	bug(work, EVC_LINUX_B_SPECTRE_V2, v2);
	bug(work, EVC_LINUX_B_SPECTRE_V2_USER, v2);
	bug(work, EVC_LINUX_B_SPEC_STORE_BYPASS,
	    AND(NOT(LISTED(NO_SSB)), AND(NOT(CAP(SSB_NO)), NOT(HAS(AMD_SSB_NO)))));
}

/* IBRS that stays on, Intel's or AMD's automatic one. */
static void enhanced_ibrs(struct evc_linux_work *work)
{
	struct evc_linux_tri automatic = HAS(AUTOIBRS), on;

	if (SWITCH(AUTOIBRS_SNP))
		automatic = AND(automatic, NOT(HAS(SEV_SNP)));
	on = OR(CAP(IBRS_ALL), automatic);
	evc_linux_force(work, EVC_LINUX_F_IBRS_ENHANCED, on, where);
	bug(work, EVC_LINUX_B_EIBRS_PBRSB, AND(on, AND(NOT(LISTED(NO_EIBRS_PBRSB)), NOT(CAP(PBRSB_NO)))));
}

static void sampling(struct evc_linux_work *work)
{
	struct evc_linux_tri mds = AND(NOT(LISTED(NO_MDS)), NOT(CAP(MDS_NO)));

	bug(work, EVC_LINUX_B_MDS, mds);
	bug(work, EVC_LINUX_B_MSBDS_ONLY, AND(mds, LISTED(MSBDS_ONLY)));
	bug(work, EVC_LINUX_B_SWAPGS, NOT(LISTED(NO_SWAPGS)));
	bug(work, EVC_LINUX_B_TAA, AND(NOT(CAP(TAA_NO)), OR(HAS(RTM), CAP(TSX_CTRL))));
	bug(work, EVC_LINUX_B_SRBDS, AND(OR(HAS(RDRAND), HAS(RDSEED)), OR(LISTED(SRBDS), LISTED(MMIO_SBDS))));
}

static void mmio(struct evc_linux_work *work)
{
	struct evc_linux_tri immune = AND(CAP(FBSDP_NO), AND(CAP(PSDP_NO), CAP(SBDR_SSDP_NO)));

	bug(work, EVC_LINUX_B_MMIO_STALE_DATA, AND(NOT(immune), LISTED(MMIO)));
	bug(work, EVC_LINUX_B_MMIO_UNKNOWN, AND(NOT(immune), AND(NOT(LISTED(MMIO)), NOT(LISTED(NO_MMIO)))));
}

static void returns(struct evc_linux_work *work)
{
	bug(work, EVC_LINUX_B_RETBLEED, AND(NOT(HAS(BTC_NO)), OR(LISTED(RETBLEED), CAP(RSBA))));
	bug(work, EVC_LINUX_B_SMT_RSB, LISTED(SMT_RSB));
	bug(work, EVC_LINUX_B_SRSO, AND(NOT(HAS(SRSO_NO)), LISTED(SRSO)));
	bug(work, EVC_LINUX_B_GDS, AND(LISTED(GDS), AND(NOT(CAP(GDS_NO)), HAS(AVX))));
}

/* A row that asks for Atom cores: a hybrid CPU has all types, another the one that its boot CPU tells.
 * (linux:arch/x86/kernel/cpu/match.c:x86_match_vendor_cpu_type) */
static struct evc_linux_tri has_atom_cores(struct evc_linux_work *work)
{
	const unsigned atom = 0x20;
	struct evc_linux_tri told = evc_linux_level_from(work, evc_features[EVC_F_CORE_TYPE].bit.leaf);

	return OR(HAS(HYBRID_CPU),
	          AND(told, evc_linux_field_is(work, EVC_F_CORE_TYPE, atom, "core type is")));
}

/* Alder and Raptor Lake without Atom cores are affected for kernels that cannot tell. */
static struct evc_linux_tri rfds_listed(struct evc_linux_work *work)
{
	struct evc_linux_tri listed = LISTED(RFDS);

	if (SWITCH(RFDS_TYPE) && work->family == 6 && (work->model == 0x97 || work->model == 0xb7))
		return AND(listed, has_atom_cores(work));
	return listed;
}

static void histories(struct evc_linux_work *work)
{
	struct evc_linux_tri bhi = AND(NOT(LISTED(NO_BHI)), OR(HAS(IBRS_ENHANCED), HAS(HYPERVISOR))), its;

	bug(work, EVC_LINUX_B_RFDS, AND(NOT(CAP(RFDS_NO)), OR(CAP(RFDS_CLEAR), rfds_listed(work))));
	if (SWITCH(BHI) == 2)
		bhi = AND(bhi, NOT(CAP(BHI_NO)));
	if (SWITCH(BHI))
		bug(work, EVC_LINUX_B_BHI, bhi);
	bug(work, EVC_LINUX_B_IBPB_NO_RET, AND(HAS(AMD_IBPB), NOT(HAS(AMD_IBPB_RET))));
	its = AND(AND(NOT(CAP(ITS_NO)), evc_linux_vendor_is(work, EVC_LINUX_VENDOR_INTEL)),
	          AND(NOT(HAS(BHI_CTRL)), OR(HAS(HYPERVISOR), LISTED(ITS))));
	bug(work, EVC_LINUX_B_ITS, its);
	bug(work, EVC_LINUX_B_ITS_NATIVE_ONLY, AND(its, LISTED(ITS_NATIVE_ONLY)));
}

static void amd_transient(struct evc_linux_work *work)
{
	struct evc_linux_tri immune = AND(HAS(TSA_SQ_NO), HAS(TSA_L1_NO));

	if (knows_flag(work, EVC_LINUX_F_TSA_FILL_NO))
		immune = AND(immune, HAS(TSA_FILL_NO));
	bug(work, EVC_LINUX_B_TSA,
	    AND(AND(evc_linux_vendor_is(work, EVC_LINUX_VENDOR_AMD), NOT(immune)),
	        OR(LISTED(TSA), AND(HAS(HYPERVISOR), HAS(ZEN)))));
	bug(work, EVC_LINUX_B_VMSCAPE, AND(LISTED(VMSCAPE), NOT(HAS(HYPERVISOR))));
}

/* Rows may hold for some platforms of a signature only, which a register tells. */
static struct evc_linux_tri on_platform(struct evc_linux_work *work, uint32_t platforms)
{
	struct evc_linux_answer id = evc_linux_msr(work, EVC_LINUX_MSR_PLATFORM_ID);
	struct evc_linux_tri tri = evc_linux_unknown(id.depends);

	if (!platforms)
		return evc_linux_yes();
	if (id.readable == EVC_PRESENT && id.known == UINT64_MAX)
		tri.truth = platforms >> (id.value >> 50 & 7) & 1 ? EVC_PRESENT : EVC_ABSENT;
	return evc_linux_text(work, tri, "platform of the row (msr:17[52:50])");
}

/* Microcode older than what the kernel knows of; the kernel believes only what bare metal says. */
static void old_microcode(struct evc_linux_work *work)
{
	struct evc_linux_tri bare = NOT(HAS(HYPERVISOR));

	if (bare.truth == EVC_ABSENT || !work->signature_known || work->vendor != EVC_LINUX_VENDOR_INTEL)
		return;
	for (size_t i = 0; i < work->tree->n_microcodes; i++) {
		const struct evc_linux_microcode *row = &work->tree->microcodes[i];

		if (row->signature == (work->signature & 0x0fff3fff))
			bug(work, EVC_LINUX_B_OLD_MICROCODE,
			    AND(AND(bare, on_platform(work, row->platforms)),
			        evc_linux_older_microcode(work, row->revision)));
	}
}

void evc_linux_bugs(struct evc_linux_work *work)
{
	const struct evc_linux_tree *tree = work->tree;
	struct evc_linux_tri open = work->gate;

	work->unaffected_row = match(work, tree->unaffected, tree->n_unaffected, &work->unaffected);
	work->affected_row = match(work, tree->affected, tree->n_affected, &work->affected);
	bug(work, EVC_LINUX_B_ITLB_MULTIHIT, AND(NOT(LISTED(NO_ITLB_MULTIHIT)), NOT(CAP(PSCHANGE_MC_NO))));
	old_microcode(work);
	/* What is below, the kernel does not reach for CPUs that do not speculate. */
	work->gate = AND(open, NOT(LISTED(NO_SPECULATION)));
	if (work->gate.truth != EVC_ABSENT) {
		speculation(work);
		enhanced_ibrs(work);
		sampling(work);
		mmio(work);
		returns(work);
		histories(work);
		amd_transient(work);
		work->gate = AND(work->gate, AND(NOT(LISTED(NO_MELTDOWN)), NOT(CAP(RDCL_NO))));
		bug(work, EVC_LINUX_B_CPU_MELTDOWN, evc_linux_yes());
		bug(work, EVC_LINUX_B_L1TF, NOT(LISTED(NO_L1TF)));
	}
	work->gate = open;
}
