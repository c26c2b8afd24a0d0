/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AMD's CPUs and Hygon's, which are AMD's design: early rules, those of the boot CPU, then the others by
 * family and by generation of Zen. (linux:arch/x86/kernel/cpu/amd.c, hygon.c)
 */
#include "core/linux-private.h"

#define HAS(flag) evc_linux_has(work, EVC_LINUX_F_##flag)
#define FEATURE(name) evc_linux_feature(work, EVC_F_##name)
#define SWITCH(name) work->tree->switches[EVC_LINUX_S_##name]

static struct evc_linux_tri amd(struct evc_linux_work *work, unsigned family, unsigned first, unsigned last)
{
	return evc_linux_models(work, EVC_LINUX_VENDOR_AMD, family, first, last);
}

static struct evc_linux_tri amd_families(struct evc_linux_work *work, unsigned first, unsigned last)
{
	return evc_linux_families(work, EVC_LINUX_VENDOR_AMD, first, last);
}

/* AMD and Hygon alike. */
static void early_common(struct evc_linux_work *work, const char *where)
{
	evc_linux_set(work, EVC_LINUX_F_CONSTANT_TSC, FEATURE(INVTSC), where);
	evc_linux_set(work, EVC_LINUX_F_NONSTOP_TSC, FEATURE(INVTSC), where);
	evc_linux_set(work, EVC_LINUX_F_ACC_POWER, FEATURE(ACC_POWER), where);
	evc_linux_set(work, EVC_LINUX_F_RAPL, FEATURE(RAPL), where);
	evc_linux_set(work, EVC_LINUX_F_VMMCALL, evc_linux_yes(), where);
	if (SWITCH(TOPOLOGY)) {
		struct evc_linux_tri parsed = evc_linux_has_topology(work);

		if (SWITCH(TOPOLOGY_TOPOEXT))
			parsed = evc_linux_and(work, HAS(TOPOEXT), parsed);
		evc_linux_set(work, EVC_LINUX_F_XTOPOLOGY, parsed, "topology_ext.c:cpu_parse_topology_ext");
	}
}

/* Memory encryption is shown where firmware enabled it; SME only where this kernel runs with it, which is
 * rare. */
static void memory_encryption(struct evc_linux_work *work)
{
	const char *where = "amd.c:early_detect_mem_encrypt";
	struct evc_linux_tri any = evc_linux_or(work, HAS(SME), HAS(SEV)), on, sev;

	if (any.truth == EVC_ABSENT)
		return;
	on = FEATURE(SYSCFG_MEM_ENCRYPT);
	sev = evc_linux_and(work, on, FEATURE(HWCR_SMM_LOCK));
	evc_linux_forbid(
		work, EVC_LINUX_F_SME,
		evc_linux_and(
			work, any,
			evc_linux_not(work, evc_linux_and(work, on,
	                                                  evc_linux_option(work, "mem_encrypt=on", true)))),
		where);
	sev = evc_linux_and(work, any, evc_linux_not(work, sev));
	evc_linux_forbid(work, EVC_LINUX_F_SEV, sev, where);
	evc_linux_forbid(work, EVC_LINUX_F_SEV_ES, sev, where);
	evc_linux_forbid(work, EVC_LINUX_F_SEV_SNP, sev, where);
}

/* Families 0xf to 0x16 tell by a device of the processor; where there is none its register reads as ones. */
static void extended_apic_id(struct evc_linux_work *work)
{
	struct evc_linux_tri device =
		evc_linux_text(work, evc_linux_yes(), "PCI 00:18.0 register 0x68, bits 17 and 18");

	device.depends = UINT32_C(1) << EVC_LINUX_BY_DEVICE;
	if (work->view->platform != EVC_LINUX_BARE && work->view->platform != EVC_LINUX_OTHER)
		device.depends = 0;
	evc_linux_set(work, EVC_LINUX_F_EXTD_APICID,
	              evc_linux_and(work, HAS(APIC),
	                            evc_linux_or(work, amd_families(work, 0x17, UINT8_MAX),
	                                         evc_linux_and(work, amd_families(work, 0xf, 0x16), device))),
	              "amd.c:early_init_amd");
}

/* Erratum 400, which OSVW can tell of; younger kernels go by model alone. */
static void erratum_400(struct evc_linux_work *work, const char *where)
{
	bool model = (work->family == 0xf &&
	              (work->model > 0x41 || (work->model == 0x41 && work->stepping >= 2))) ||
	             (work->family == 0x10 && (work->model > 2 || (work->model == 2 && work->stepping >= 1)));
	struct evc_linux_tri listed =
		evc_linux_and(work, amd(work, work->family, work->model, work->model), evc_linux_if(model));
	struct evc_linux_tri told;

	if (SWITCH(OSVW)) {
		told = evc_linux_and(work, HAS(OSVW), evc_linux_osvw_knows(work, 1));
		listed = evc_linux_or(work, evc_linux_and(work, told, evc_linux_osvw_says(work, 1)),
		                      evc_linux_and(work, evc_linux_not(work, told), listed));
	}
	evc_linux_set_bug(work, EVC_LINUX_B_AMD_E400, listed, where);
}

void evc_linux_amd_early(struct evc_linux_work *work)
{
	early_common(work, "amd.c:early_init_amd");
	extended_apic_id(work);
	if (SWITCH(OSVW))
		erratum_400(work, "amd.c:early_init_amd");
	memory_encryption(work);
}

/* SSBD by LS_CFG, where neither the CPU nor a hypervisor has it and that register can be read. */
static void ls_cfg(struct evc_linux_work *work, struct evc_linux_tri cpu, const char *where)
{
	struct evc_linux_tri neither = evc_linux_not(work, evc_linux_or(work, HAS(AMD_SSBD), HAS(VIRT_SSBD)));

	if (cpu.truth == EVC_ABSENT || neither.truth == EVC_ABSENT)
		return;
	evc_linux_force(work, EVC_LINUX_F_SSBD,
	                evc_linux_and(work, evc_linux_and(work, cpu, neither),
	                              evc_linux_readable(work, EVC_LINUX_MSR_LS_CFG)),
	                where);
}

static void zen_generation(struct evc_linux_work *work)
{
	static const struct {
		uint8_t family, first, last;
		enum evc_linux_flag flag;
	} rows[] = {
		{ .family = 0x17, .first = 0x00, .last = 0x2f, .flag = EVC_LINUX_F_ZEN1 },
		{ .family = 0x17, .first = 0x50, .last = 0x5f, .flag = EVC_LINUX_F_ZEN1 },
		{ .family = 0x17, .first = 0x30, .last = 0x4f, .flag = EVC_LINUX_F_ZEN2 },
		{ .family = 0x17, .first = 0x60, .last = 0x7f, .flag = EVC_LINUX_F_ZEN2 },
		{ .family = 0x17, .first = 0x90, .last = 0x91, .flag = EVC_LINUX_F_ZEN2 },
		{ .family = 0x17, .first = 0xa0, .last = 0xaf, .flag = EVC_LINUX_F_ZEN2 },
		{ .family = 0x19, .first = 0x00, .last = 0x0f, .flag = EVC_LINUX_F_ZEN3 },
		{ .family = 0x19, .first = 0x20, .last = 0x5f, .flag = EVC_LINUX_F_ZEN3 },
		{ .family = 0x19, .first = 0x10, .last = 0x1f, .flag = EVC_LINUX_F_ZEN4 },
		{ .family = 0x19, .first = 0x60, .last = 0xaf, .flag = EVC_LINUX_F_ZEN4 },
		{ .family = 0x1a, .first = 0x00, .last = 0x2f, .flag = EVC_LINUX_F_ZEN5 },
		{ .family = 0x1a, .first = 0x40, .last = 0x4f, .flag = EVC_LINUX_F_ZEN5 },
		{ .family = 0x1a, .first = 0x60, .last = 0x7f, .flag = EVC_LINUX_F_ZEN5 },
		{ .family = 0x1a, .first = 0xd0, .last = 0xd7, .flag = EVC_LINUX_F_ZEN5 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].family == work->family && rows[i].first <= work->model &&
		    rows[i].last >= work->model)
			evc_linux_force(work, rows[i].flag,
			                amd(work, rows[i].family, rows[i].first, rows[i].last),
			                "amd.c:bsp_init_amd");
}

/* What bare metal of these families is immune to without saying so. */
static void immune_to_tsa(struct evc_linux_work *work)
{
	struct evc_linux_tri bare = evc_linux_not(work, HAS(HYPERVISOR));

	/* Kernels that ask for three bits take Zen 5 to be affected. */
	if (work->tree->places[EVC_LINUX_F_TSA_FILL_NO] != EVC_LINUX_NOWHERE)
		bare = evc_linux_and(work, bare, evc_linux_not(work, HAS(ZEN5)));
	evc_linux_force(work, EVC_LINUX_F_TSA_SQ_NO, bare, "amd.c:tsa_init");
	evc_linux_force(work, EVC_LINUX_F_TSA_L1_NO, bare, "amd.c:tsa_init");
	evc_linux_force(work, EVC_LINUX_F_TSA_FILL_NO, bare, "amd.c:tsa_init");
}

void evc_linux_amd_bsp(struct evc_linux_work *work)
{
	const char *where = "amd.c:bsp_init_amd";

	ls_cfg(work, amd_families(work, 0x15, 0x17), where);
	zen_generation(work);
	evc_linux_forbid(work, EVC_LINUX_F_SEV_SNP, HAS(HYPERVISOR), "amd.c:bsp_determine_snp");
	if (work->family != 0x19)
		immune_to_tsa(work);
}

/* --- the second reading -------------------------------------------------------------------------------- */

static void k8(struct evc_linux_work *work)
{
	const char *where = "amd.c:init_amd_k8";
	struct evc_linux_tri is = amd_families(work, 0xf, 0xf);
	struct evc_linux_tri early = evc_linux_and(work, amd(work, 0xf, 0, 0x13), HAS(LAHF_LM));

	evc_linux_set(work, EVC_LINUX_F_REP_GOOD,
	              evc_linux_and(work, is,
	                            evc_linux_if((work->signature >= 0x0f48 && work->signature < 0x0f50) ||
	                                         work->signature >= 0x0f58)),
	              where);
	if (SWITCH(LAHF_GUEST))
		early = evc_linux_and(work, early, evc_linux_not(work, HAS(HYPERVISOR)));
	evc_linux_clear(work, EVC_LINUX_F_LAHF_LM, early, where);
	evc_linux_set_bug(work, EVC_LINUX_B_SWAPGS_FENCE, is, where);
	if (!SWITCH(OSVW))
		erratum_400(work, where);
}

static void family_10h(struct evc_linux_work *work)
{
	struct evc_linux_tri mismatch = amd_families(work, 0x10, 0x10), told;

	if (SWITCH(OSVW)) {
		told = evc_linux_and(work, HAS(OSVW), evc_linux_osvw_knows(work, 3));
		mismatch = evc_linux_or(work, evc_linux_and(work, told, evc_linux_osvw_says(work, 3)),
		                        evc_linux_and(work, evc_linux_not(work, told), mismatch));
	}
	evc_linux_set_bug(work, EVC_LINUX_B_AMD_TLB_MMATCH, mismatch, "amd.c:init_amd_gh");
	if (!SWITCH(OSVW))
		erratum_400(work, "amd.c:init_amd_gh");
}

/* RDRAND is hidden by a register, which a hypervisor seldom lets be written. */
static void rdrand(struct evc_linux_work *work)
{
	struct evc_linux_tri hides = evc_linux_unknown(UINT32_C(1) << EVC_LINUX_BY_MSR);

	if (!SWITCH(RDRAND_HIDE))
		return;
	if (work->view->platform == EVC_LINUX_BARE)
		hides = (struct evc_linux_tri){ .truth = EVC_PRESENT, .depends = hides.depends };
	else if (work->view->platform != EVC_LINUX_OTHER)
		hides = evc_linux_no();
	hides = evc_linux_text(work, hides, "a register that hides RDRAND can be written (msr:c0011004[62])");
	hides = evc_linux_and(work, hides,
	                      evc_linux_not(work, evc_linux_option(work, "rdrand=force", false)));
	evc_linux_clear(work, EVC_LINUX_F_RDRAND, evc_linux_and(work, amd_families(work, 0x15, 0x16), hides),
	                "amd.c:clear_rdrand_cpuid_bit");
}

static void families(struct evc_linux_work *work)
{
	evc_linux_clear(work, EVC_LINUX_F_MCE, amd_families(work, 0, 5), "amd.c:init_amd");
	switch (work->family) {
	case 0xf:
		k8(work);
		break;
	case 0x10:
		family_10h(work);
		break;
	case 0x15:
	case 0x16:
		rdrand(work);
		break;
	default:
		break;
	}
}

/* XSAVES of Zen 1 and 2: which of them, and whether newer microcode is believed, differs between kernels. */
static void erratum_1386(struct evc_linux_work *work)
{
	struct evc_linux_tri affected, old = evc_linux_yes();

	switch (SWITCH(XSAVES_1386)) {
	case 0:
		return;
	case 1:
		affected = amd_families(work, 0x17, 0x17);
		break;
	case 2:
		affected = HAS(ZEN2);
		break;
	default:
		affected = evc_linux_or(work, HAS(ZEN1), HAS(ZEN2));
		if (work->family == 0x17 && work->model == 0x1 && work->stepping == 2)
			old = evc_linux_older_microcode(work, 0x0800126e);
		if (work->family == 0x17 && work->model == 0x31 && work->stepping == 0)
			old = evc_linux_older_microcode(work, 0x08301052);
		break;
	}
	evc_linux_clear(work, EVC_LINUX_F_XSAVES, evc_linux_and(work, affected, old),
	                "amd.c:fix_erratum_1386");
}

/* RDSEED of Zen 5 returns too many zeros without newer microcode; one Zen 2 cannot be helped. */
static void rdseed(struct evc_linux_work *work)
{
	static const struct {
		uint8_t model, stepping;
		uint32_t revision;
	} rows[] = {
		{ .model = 0x02, .stepping = 1, .revision = 0x0b00215a },
		{ .model = 0x08, .stepping = 1, .revision = 0x0b008121 },
		{ .model = 0x11, .stepping = 0, .revision = 0x0b101054 },
		{ .model = 0x24, .stepping = 0, .revision = 0x0b204037 },
		{ .model = 0x44, .stepping = 0, .revision = 0x0b404035 },
		{ .model = 0x44, .stepping = 1, .revision = 0x0b404108 },
		{ .model = 0x60, .stepping = 0, .revision = 0x0b600037 },
		{ .model = 0x68, .stepping = 0, .revision = 0x0b608038 },
		{ .model = 0x70, .stepping = 0, .revision = 0x0b700037 },
	};
	struct evc_linux_tri old = evc_linux_yes();

	if (!SWITCH(RDSEED_ZEN5))
		return;
	if (work->family == 0x17 && work->model == 0x47 && work->stepping == 0)
		evc_linux_clear(work, EVC_LINUX_F_RDSEED, amd(work, 0x17, 0x47, 0x47), "amd.c:init_amd_zen2");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].model == work->model && rows[i].stepping == work->stepping)
			old = evc_linux_older_microcode(work, rows[i].revision);
	evc_linux_clear(work, EVC_LINUX_F_RDSEED, evc_linux_and(work, HAS(ZEN5), old), "amd.c:init_amd_zen5");
}

static void zen(struct evc_linux_work *work)
{
	struct evc_linux_tri bare = evc_linux_not(work, HAS(HYPERVISOR)), zen1;

	if (work->family < 0x17)
		return;
	/* Kernels that have no flags of generations go by model too. */
	zen1 = evc_linux_or(work, amd(work, 0x17, 0, 0x2f), amd(work, 0x17, 0x50, 0x5f));
	evc_linux_force(work, EVC_LINUX_F_ZEN, amd_families(work, 0x17, UINT8_MAX),
	                "amd.c:init_amd_zen_common");
	erratum_1386(work);
	evc_linux_set(work, EVC_LINUX_F_CPB, evc_linux_and(work, zen1, bare), "amd.c:init_amd_zen1");
	evc_linux_set_bug(work, EVC_LINUX_B_DIV0, zen1, "amd.c:init_amd_zen1");
	if (SWITCH(IRPERF_1054))
		evc_linux_clear(work, EVC_LINUX_F_IRPERF, evc_linux_and(work, zen1, amd(work, 0x17, 0, 0x2f)),
		                "amd.c:init_amd_zen1");
	evc_linux_set(work, EVC_LINUX_F_BTC_NO, evc_linux_and(work, HAS(ZEN3), bare), "amd.c:init_amd_zen3");
	if (SWITCH(VMLOAD_ZEN4)) {
		evc_linux_clear(work, EVC_LINUX_F_V_VMSAVE_VMLOAD, amd(work, 0x19, 0x18, 0x1f),
		                "amd.c:init_amd_zen4");
		evc_linux_clear(work, EVC_LINUX_F_V_VMSAVE_VMLOAD, amd(work, 0x19, 0x60, 0x7f),
		                "amd.c:init_amd_zen4");
	}
	rdseed(work);
	evc_linux_set_bug(
		work, EVC_LINUX_B_TLBI,
		evc_linux_and(work, HAS(ZEN5),
	                      evc_linux_and(work, HAS(INVLPGB), evc_linux_not(work, HAS(TLBSYNC_SFW_NO)))),
		"amd.c:init_amd_zen5");
}

/* Without the CPUID bit of Zen 3 a guest is told nothing, and is taken to have the bug. */
static void null_segment(struct evc_linux_work *work)
{
	const char *where = "common.c:check_null_seg_clears_base";
	struct evc_linux_tri told = FEATURE(NULL_SEL_CLR_BASE), guest = HAS(HYPERVISOR), clears;

	clears = evc_linux_text(work, evc_linux_unknown(UINT32_C(1) << EVC_LINUX_BY_RUNTIME),
	                        "a null selector clears the segment's base, which the kernel tries");
	if (work->family == 0x17 && work->model >= 0x30)
		clears = evc_linux_text(work, evc_linux_yes(), "Zen 2 clears the segment's base");
	else if (work->family != 0x17 && work->family != 0x18)
		clears = evc_linux_no();
	else if (work->family == 0x17)
		clears = evc_linux_text(work, evc_linux_no(), "Zen 1 does not clear the segment's base");
	if (SWITCH(NULL_SEG)) {
		/* By trying it, whether told or not, guest or not. */
		if (work->view->platform != EVC_LINUX_BARE)
			clears = evc_linux_unknown(UINT32_C(1) << EVC_LINUX_BY_RUNTIME);
		evc_linux_set_bug(work, EVC_LINUX_B_NULL_SEG, evc_linux_not(work, clears), where);
		return;
	}
	evc_linux_set_bug(work, EVC_LINUX_B_NULL_SEG,
	                  evc_linux_and(work, evc_linux_not(work, told),
	                                evc_linux_or(work, guest, evc_linux_not(work, clears))),
	                  where);
}

static void svm(struct evc_linux_work *work, const char *where)
{
	if (SWITCH(SVM_CR))
		evc_linux_clear(work, EVC_LINUX_F_SVM, evc_linux_and(work, HAS(SVM), FEATURE(VM_CR_SVMDIS)),
		                where);
}

void evc_linux_amd_late(struct evc_linux_work *work)
{
	const char *where = "amd.c:init_amd";

	evc_linux_amd_early(work);
	if (SWITCH(PBE))
		evc_linux_clear(work, EVC_LINUX_F_PBE, evc_linux_yes(), where);
	evc_linux_set(work, EVC_LINUX_F_REP_GOOD, amd_families(work, 0x10, UINT8_MAX), where);
	families(work);
	zen(work);
	evc_linux_set_bug(
		work, EVC_LINUX_B_FXSAVE_LEAK,
		evc_linux_and(work, amd_families(work, 6, UINT8_MAX), evc_linux_not(work, HAS(XSAVEERPTR))),
		where);
	evc_linux_dcm(work);
	svm(work, where);
	evc_linux_set(work, EVC_LINUX_F_ARAT, amd_families(work, 0x12, UINT8_MAX), where);
	evc_linux_set(work, EVC_LINUX_F_3DNOWPREFETCH, evc_linux_or(work, HAS(3DNOW), HAS(LM)), where);
	evc_linux_set_bug(work, EVC_LINUX_B_SYSRET_SS_ATTRS, evc_linux_yes(), where);
	null_segment(work);
	evc_linux_set(work, EVC_LINUX_F_CPUID_FAULT, HAS(GP_ON_USER_CPUID), where);
}

/* --- Hygon --------------------------------------------------------------------------------------------- */

void evc_linux_hygon_early(struct evc_linux_work *work)
{
	early_common(work, "hygon.c:early_init_hygon");
	evc_linux_set(work, EVC_LINUX_F_EXTD_APICID, HAS(APIC), "hygon.c:early_init_hygon");
}

void evc_linux_hygon_bsp(struct evc_linux_work *work)
{
	ls_cfg(work, evc_linux_vendor_is(work, EVC_LINUX_VENDOR_HYGON), "hygon.c:bsp_init_hygon");
}

void evc_linux_hygon_late(struct evc_linux_work *work)
{
	const char *where = "hygon.c:init_hygon";

	evc_linux_hygon_early(work);
	if (SWITCH(PBE))
		evc_linux_clear(work, EVC_LINUX_F_PBE, evc_linux_yes(), where);
	evc_linux_set(work, EVC_LINUX_F_REP_GOOD, evc_linux_yes(), where);
	evc_linux_set(work, EVC_LINUX_F_ZEN, evc_linux_yes(), where);
	evc_linux_set(work, EVC_LINUX_F_CPB, evc_linux_yes(), where);
	evc_linux_dcm(work);
	svm(work, where);
	evc_linux_set(work, EVC_LINUX_F_ARAT, evc_linux_yes(), where);
	evc_linux_set_bug(work, EVC_LINUX_B_SYSRET_SS_ATTRS, evc_linux_yes(), where);
	null_segment(work);
}
