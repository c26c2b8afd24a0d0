/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Intel's CPUs as Linux comes to know them: early rules, which are repeated at the second reading, then
 * the others; what a feature needs beside its bit is in model-specific registers.
 * (linux:arch/x86/kernel/cpu/intel.c, feat_ctl.c)
 */
#include "core/linux-private.h"

#define HAS(flag) evc_linux_has(work, EVC_LINUX_F_##flag)
#define FEATURE(name) evc_linux_feature(work, EVC_F_##name)

static struct evc_linux_tri intel6(struct evc_linux_work *work, unsigned first, unsigned last)
{
	return evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 6, first, last);
}

static bool is_intel6(const struct evc_linux_work *work, unsigned first, unsigned last)
{
	return work->family == 6 && work->model >= first && work->model <= last;
}

/* Microcodes of early 2018 whose controls of speculation were broken; a hypervisor's revision is no revision.
 */
static struct evc_linux_tri bad_spectre_microcode(struct evc_linux_work *work)
{
	static const struct {
		uint8_t model, stepping;
		uint32_t revision;
	} rows[] = {
		{ .model = 0x9e, .stepping = 0xb, .revision = 0x80 },
		{ .model = 0x9e, .stepping = 0xa, .revision = 0x80 },
		{ .model = 0x9e, .stepping = 0x9, .revision = 0x80 },
		{ .model = 0x8e, .stepping = 0xa, .revision = 0x80 },
		{ .model = 0x8e, .stepping = 0x9, .revision = 0x80 },
		{ .model = 0x55, .stepping = 0x3, .revision = 0x0100013e },
		{ .model = 0x55, .stepping = 0x4, .revision = 0x0200003c },
		{ .model = 0x3d, .stepping = 0x4, .revision = 0x28 },
		{ .model = 0x47, .stepping = 0x1, .revision = 0x1b },
		{ .model = 0x56, .stepping = 0x2, .revision = 0x14 },
		{ .model = 0x56, .stepping = 0x3, .revision = 0x07000011 },
		{ .model = 0x4f, .stepping = 0x1, .revision = 0x0b000025 },
		{ .model = 0x45, .stepping = 0x1, .revision = 0x21 },
		{ .model = 0x46, .stepping = 0x1, .revision = 0x18 },
		{ .model = 0x3c, .stepping = 0x3, .revision = 0x23 },
		{ .model = 0x3f, .stepping = 0x2, .revision = 0x3b },
		{ .model = 0x3f, .stepping = 0x4, .revision = 0x10 },
		{ .model = 0x3e, .stepping = 0x4, .revision = 0x42a },
		{ .model = 0x2d, .stepping = 0x6, .revision = 0x61b },
		{ .model = 0x2d, .stepping = 0x7, .revision = 0x712 },
	};

	if (work->family != 6)
		return evc_linux_no();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].model == work->model && rows[i].stepping == work->stepping)
			return evc_linux_and(work, evc_linux_not(work, HAS(HYPERVISOR)),
			                     evc_linux_older_microcode(work, rows[i].revision + 1));
	return evc_linux_no();
}

static void spectre_microcode(struct evc_linux_work *work)
{
	static const enum evc_linux_flag gone[] = { EVC_LINUX_F_IBRS,          EVC_LINUX_F_IBPB,
		                                    EVC_LINUX_F_STIBP,         EVC_LINUX_F_SPEC_CTRL,
		                                    EVC_LINUX_F_INTEL_STIBP,   EVC_LINUX_F_SSBD,
		                                    EVC_LINUX_F_SPEC_CTRL_SSBD };
	struct evc_linux_tri bad = bad_spectre_microcode(work);

	if (bad.truth == EVC_ABSENT)
		return;
	bad = evc_linux_and(
		work, bad,
		evc_linux_or(work, evc_linux_or(work, HAS(SPEC_CTRL), HAS(INTEL_STIBP)),
	                     evc_linux_or(work, HAS(IBRS), evc_linux_or(work, HAS(IBPB), HAS(STIBP)))));
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		evc_linux_forbid(work, gone[i], bad, "intel.c:bad_spectre_microcode");
}

/* The deadline timer missed deadlines before these microcodes; it is trusted under hypervisors.
 * (linux:arch/x86/kernel/apic/apic.c) */
static void deadline_microcode(struct evc_linux_work *work)
{
	static const struct {
		uint8_t model, lowest, highest; /* steppings */
		uint32_t revision;
	} rows[] = {
		{ .model = 0x3c, .lowest = 0, .highest = 15, .revision = 0x22 },
		{ .model = 0x3d, .lowest = 0, .highest = 15, .revision = 0x25 },
		{ .model = 0x3f, .lowest = 2, .highest = 2, .revision = 0x3a },
		{ .model = 0x3f, .lowest = 4, .highest = 4, .revision = 0x0f },
		{ .model = 0x45, .lowest = 0, .highest = 15, .revision = 0x20 },
		{ .model = 0x46, .lowest = 0, .highest = 15, .revision = 0x17 },
		{ .model = 0x47, .lowest = 0, .highest = 15, .revision = 0x17 },
		{ .model = 0x4e, .lowest = 0, .highest = 15, .revision = 0xb2 },
		{ .model = 0x4f, .lowest = 0, .highest = 15, .revision = 0x0b000020 },
		{ .model = 0x55, .lowest = 3, .highest = 3, .revision = 0x01000136 },
		{ .model = 0x55, .lowest = 4, .highest = 4, .revision = 0x02000014 },
		{ .model = 0x56, .lowest = 2, .highest = 2, .revision = 0x11 },
		{ .model = 0x56, .lowest = 3, .highest = 3, .revision = 0x0700000e },
		{ .model = 0x56, .lowest = 4, .highest = 4, .revision = 0x0f00000c },
		{ .model = 0x56, .lowest = 5, .highest = 5, .revision = 0x0e000003 },
		{ .model = 0x5e, .lowest = 0, .highest = 15, .revision = 0xb2 },
		{ .model = 0x8e, .lowest = 0, .highest = 15, .revision = 0x52 },
		{ .model = 0x9e, .lowest = 0, .highest = 15, .revision = 0x52 },
	};

	if (work->family != 6)
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].model == work->model && rows[i].lowest <= work->stepping &&
		    work->stepping <= rows[i].highest) {
			struct evc_linux_tri older = evc_linux_older_microcode(work, rows[i].revision);

			/* They are of 2017: assumed where nobody says, and a hypervisor's usual revision is
			 * none. */
			if (older.depends)
				older = evc_linux_text(work,
				                       (struct evc_linux_tri){ .truth = EVC_ABSENT,
				                                               .depends = older.depends },
				                       "microcode from before 2017");
			evc_linux_forbid(work, EVC_LINUX_F_TSC_DEADLINE_TIMER,
			                 evc_linux_and(work, evc_linux_not(work, HAS(HYPERVISOR)), older),
			                 "apic.c:apic_validate_deadline_timer");
		}
}

static void constant_tsc(struct evc_linux_work *work)
{
	const char *where = "intel.c:early_init_intel";
	bool bounded = work->tree->switches[EVC_LINUX_S_CONSTANT_TSC];

	evc_linux_set(work, EVC_LINUX_F_CONSTANT_TSC,
	              evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 15, 3, bounded ? 6 : UINT8_MAX), where);
	evc_linux_set(work, EVC_LINUX_F_CONSTANT_TSC, intel6(work, 0xe, bounded ? 0x3a : UINT8_MAX), where);
	evc_linux_set(work, EVC_LINUX_F_CONSTANT_TSC, FEATURE(INVTSC), where);
	evc_linux_set(work, EVC_LINUX_F_NONSTOP_TSC, FEATURE(INVTSC), where);
	if (is_intel6(work, 0x27, 0x27) || is_intel6(work, 0x35, 0x35) || is_intel6(work, 0x4a, 0x4a) ||
	    is_intel6(work, 0x75, 0x75))
		evc_linux_set(work, EVC_LINUX_F_NONSTOP_TSC_S3, intel6(work, work->model, work->model),
		              where);
}

/* Fast strings can be switched off in IA32_MISC_ENABLE, which takes ERMS along. */
static void fast_strings(struct evc_linux_work *work)
{
	const char *where = "intel.c:early_init_intel";
	struct evc_linux_tri has_switch =
		evc_linux_or(work, intel6(work, 0xd, UINT8_MAX),
	                     evc_linux_families(work, EVC_LINUX_VENDOR_INTEL, 7, UINT8_MAX));
	struct evc_linux_tri on = FEATURE(MISC_ENABLE_FAST_STRING);
	struct evc_linux_tri off = evc_linux_and(work, has_switch, evc_linux_not(work, on));

	if (has_switch.truth == EVC_ABSENT)
		return;
	if (work->tree->switches[EVC_LINUX_S_REP_GOOD])
		evc_linux_set(work, EVC_LINUX_F_REP_GOOD, evc_linux_and(work, has_switch, on), where);
	evc_linux_forbid(work, EVC_LINUX_F_REP_GOOD, off, where);
	evc_linux_forbid(work, EVC_LINUX_F_ERMS, off, where);
}

static void self_snoop(struct evc_linux_work *work)
{
	static const uint8_t models[] = {
		0xe, 0xf, 0x16, 0x17, 0x1d, 0x1e, 0x1f, 0x1a, 0x2e, 0x25, 0x2c, 0x2a
	};

	if (!work->tree->switches[EVC_LINUX_S_SELF_SNOOP])
		return;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (is_intel6(work, models[i], models[i]))
			evc_linux_forbid(work, EVC_LINUX_F_SELFSNOOP, intel6(work, models[i], models[i]),
			                 "intel.c:check_memory_type_self_snoop_errata");
}

static void extended_topology(struct evc_linux_work *work)
{
	evc_linux_set(work, EVC_LINUX_F_XTOPOLOGY, evc_linux_has_topology(work),
	              work->tree->switches[EVC_LINUX_S_TOPOLOGY]
	                      ? "topology_ext.c:cpu_parse_topology_ext"
	                      : "topology.c:detect_extended_topology_early");
}

void evc_linux_intel_early(struct evc_linux_work *work)
{
	const char *where = "intel.c:early_init_intel";

	constant_tsc(work);
	spectre_microcode(work);
	deadline_microcode(work);
	if (is_intel6(work, 0x1c, 0x1c) && work->stepping <= 2)
		evc_linux_clear(work, EVC_LINUX_F_PSE, evc_linux_older_microcode(work, 0x20e), where);
	if (is_intel6(work, 0, 0xe))
		evc_linux_clear(work, EVC_LINUX_F_PAT, intel6(work, 0, 0xe), where);
	fast_strings(work);
	if (work->family == 5 && work->model == 9)
		evc_linux_forbid(work, EVC_LINUX_F_PGE,
		                 evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 5, 9, 9), where);
	if (work->tree->switches[EVC_LINUX_S_MPX_SMEP])
		evc_linux_forbid(work, EVC_LINUX_F_MPX, evc_linux_not(work, HAS(SMEP)),
		                 "intel.c:check_mpx_erratum");
	self_snoop(work);
	extended_topology(work);
	if (work->tree->switches[EVC_LINUX_S_TME] && HAS(TME).truth != EVC_ABSENT)
		evc_linux_clear(
			work, EVC_LINUX_F_TME,
			evc_linux_not(work, evc_linux_and(work, FEATURE(TME_LOCK), FEATURE(TME_ENABLE))),
			"intel.c:detect_tme_early");
}

/* More than one counter, and a version. */
void evc_linux_arch_perfmon(struct evc_linux_work *work, const char *where)
{
	bool known, known_count, found;
	uint32_t version = evc_linux_field(work, EVC_F_PMU_VERSION, &known);
	uint32_t count = evc_linux_field(work, EVC_F_NUM_COUNTERS_GP, &known_count);
	struct evc_linux_tri there = evc_linux_unknown(0);

	found = (known && !version) || (known_count && count <= 1) || (known && known_count);
	if (found)
		there = evc_linux_if(version && count > 1);
	there = evc_linux_leaf(work, there,
	                       &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_NUMBER,
	                                                 .number = count,
	                                                 .limit = 2,
	                                                 .text = "performance counters" });
	evc_linux_set(work, EVC_LINUX_F_ARCH_PERFMON, there, where);
}

static void debug_store(struct evc_linux_work *work)
{
	struct evc_linux_tri ds = HAS(DS);

	if (ds.truth == EVC_ABSENT)
		return;
	evc_linux_set(work, EVC_LINUX_F_BTS,
	              evc_linux_and(work, ds, evc_linux_not(work, FEATURE(MISC_ENABLE_BTS_UNAVAIL))),
	              "intel.c:init_intel");
	evc_linux_set(work, EVC_LINUX_F_PEBS,
	              evc_linux_and(work, ds, evc_linux_not(work, FEATURE(MISC_ENABLE_PEBS_UNAVAIL))),
	              "intel.c:init_intel");
}

static void intel_bugs(struct evc_linux_work *work)
{
	if (is_intel6(work, 0x1d, 0x1d) || is_intel6(work, 0x2e, 0x2f))
		evc_linux_set_bug(work, EVC_LINUX_B_CLFLUSH_MONITOR,
		                  evc_linux_and(work, intel6(work, work->model, work->model), HAS(CLFLUSH)),
		                  "intel.c:init_intel");
	if (is_intel6(work, 0x5c, 0x5c) ||
	    (is_intel6(work, 0xbd, 0xbd) && work->tree->switches[EVC_LINUX_S_MONITOR_LNL]))
		evc_linux_set_bug(work, EVC_LINUX_B_MONITOR,
		                  evc_linux_and(work, intel6(work, work->model, work->model), HAS(MWAIT)),
		                  "intel.c:init_intel");
}

/* CPUID can be made to fault, where both registers of it can be read. */
static void misc_features(struct evc_linux_work *work)
{
	struct evc_linux_tri readable = evc_linux_readable(work, EVC_LINUX_MSR_MISC_FEATURES);

	evc_linux_set(work, EVC_LINUX_F_CPUID_FAULT, evc_linux_and(work, readable, FEATURE(CPUID_FAULTING)),
	              "intel.c:init_cpuid_fault");
	if (is_intel6(work, 0x57, 0x57) || is_intel6(work, 0x85, 0x85))
		evc_linux_set(work, EVC_LINUX_F_RING3MWAIT,
		              evc_linux_and(work, readable,
		                            evc_linux_not(work, evc_linux_option(work, "ring3mwait=disable",
		                                                                 false))),
		              "intel.c:probe_xeon_phi_r3mwait");
}

void evc_linux_intel_late(struct evc_linux_work *work)
{
	evc_linux_intel_early(work);
	if (work->signature < 0x633 && work->signature_known)
		evc_linux_clear(work, EVC_LINUX_F_SEP, intel6(work, 0, 3), "intel.c:intel_workarounds");
	if (work->level_known && work->level > 9)
		evc_linux_arch_perfmon(work, "intel.c:init_intel");
	debug_store(work);
	intel_bugs(work);
	if (!work->tree->switches[EVC_LINUX_S_REP_GOOD])
		evc_linux_set(work, EVC_LINUX_F_REP_GOOD, intel6(work, 0, UINT8_MAX), "intel.c:init_intel");
	evc_linux_feat_ctl(work);
	misc_features(work);
}

/* --- IA32_FEAT_CTL and what VMX can do --------------------------------------------------------------- */

/* Where firmware did not lock the register, Linux does, with what it wants itself. */
static struct evc_linux_tri allowed(struct evc_linux_work *work, struct evc_linux_tri wanted,
                                    enum evc_feature_id bit)
{
	struct evc_linux_tri locked = FEATURE(FEAT_CTL_LOCK);

	return evc_linux_or(work, evc_linux_and(work, locked, evc_linux_feature(work, bit)),
	                    evc_linux_and(work, evc_linux_not(work, locked), wanted));
}

static void sgx(struct evc_linux_work *work, struct evc_linux_tri readable)
{
	struct evc_linux_tri has = HAS(SGX), built, driver, kvm, on, control, locked;
	const char *where = "feat_ctl.c:init_ia32_feat_ctl";

	if (has.truth == EVC_ABSENT)
		return;
	built = evc_linux_configured(work, EVC_LINUX_CONFIG_SGX, EVC_LINUX_IS_YES);
	driver = evc_linux_and(work, evc_linux_and(work, has, built), HAS(SGX_LC));
	kvm = evc_linux_and(work, evc_linux_and(work, has, built), HAS(VMX));
	on = evc_linux_and(work, readable,
	                   allowed(work, evc_linux_or(work, driver, kvm), EVC_F_FEAT_CTL_SGX));
	control = evc_linux_and(work, driver, allowed(work, driver, EVC_F_FEAT_CTL_SGX_LC));
	evc_linux_clear(work, EVC_LINUX_F_SGX, evc_linux_not(work, on), where);
	/* Launch control that the kernel wants and must not write: for guests alone, or for nobody. */
	locked = evc_linux_and(work, driver, evc_linux_not(work, control));
	evc_linux_clear(work, EVC_LINUX_F_SGX_LC, locked, where);
	evc_linux_clear(work, EVC_LINUX_F_SGX, evc_linux_and(work, locked, evc_linux_not(work, kvm)), where);
}

/* Bits of the words that become "vmx flags", from the registers that say what may be set. */
static void vmx_words(struct evc_linux_work *work)
{
	struct evc_linux_answer pin = evc_linux_msr(work, 0x481), primary = evc_linux_msr(work, 0x482);
	struct evc_linux_answer secondary = evc_linux_msr(work, 0x48b), tertiary = evc_linux_msr(work, 0x492);
	struct evc_linux_answer ept = evc_linux_msr(work, 0x48c), functions = evc_linux_msr(work, 0x491);
	const struct {
		const struct evc_linux_answer *answer;
		uint8_t from, word, to;
	} copies[] = {
		{ .answer = &ept, .from = 32, .word = 0, .to = 16 },
		{ .answer = &ept, .from = 0, .word = 0, .to = 17 },
		{ .answer = &ept, .from = 21, .word = 0, .to = 18 },
		{ .answer = &ept, .from = 17, .word = 0, .to = 19 },
		{ .answer = &functions, .from = 32, .word = 0, .to = 28 },
		{ .answer = &functions, .from = 33, .word = 0, .to = 29 },
		{ .answer = &functions, .from = 34, .word = 0, .to = 30 },
		{ .answer = &functions, .from = 35, .word = 0, .to = 31 },
	};
	struct evc_linux_view *view = work->view;

	view->vmx[0] = (uint32_t)(pin.value >> 32) & 0xffff;
	view->vmx_unsure[0] = ~(uint32_t)(pin.known >> 32) & 0xffff;
	view->vmx[1] = (uint32_t)(primary.value >> 32);
	view->vmx_unsure[1] = ~(uint32_t)(primary.known >> 32);
	view->vmx[2] = (uint32_t)(secondary.value >> 32);
	view->vmx_unsure[2] = ~(uint32_t)(secondary.known >> 32);
	view->vmx[3] = (uint32_t)tertiary.value;
	view->vmx_unsure[3] = ~(uint32_t)tertiary.known;
	view->vmx[4] = (uint32_t)(tertiary.value >> 32);
	view->vmx_unsure[4] = ~(uint32_t)(tertiary.known >> 32);
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		view->vmx[copies[i].word] |= (uint32_t)(copies[i].answer->value >> copies[i].from & 1)
		                             << copies[i].to;
		view->vmx_unsure[copies[i].word] |= (uint32_t)(~copies[i].answer->known >> copies[i].from & 1)
		                                    << copies[i].to;
	}
	view->vmx_depends = pin.depends | primary.depends | secondary.depends | ept.depends;
}

static struct evc_linux_tri vmx_bit(struct evc_linux_work *work, unsigned word, unsigned bit)
{
	struct evc_linux_view *view = work->view;
	struct evc_linux_tri tri = { .depends = view->vmx_depends, .truth = EVC_ABSENT };

	if (view->vmx_unsure[word] >> bit & 1)
		tri.truth = EVC_UNSURE;
	else if (view->vmx[word] >> bit & 1)
		tri.truth = EVC_PRESENT;
	return evc_linux_text(work, tri, "VMX controls that may be set");
}

/* What is made of several bits. */
static void vmx_made(struct evc_linux_work *work, unsigned bit, struct evc_linux_tri truth)
{
	if (truth.truth == EVC_PRESENT)
		work->view->vmx[0] |= UINT32_C(1) << bit;
	else if (truth.truth == EVC_UNSURE)
		work->view->vmx_unsure[0] |= UINT32_C(1) << bit;
}

static void vmx_capabilities(struct evc_linux_work *work, struct evc_linux_tri on)
{
	const char *where = "feat_ctl.c:init_vmx_capabilities";
	struct evc_linux_tri shadow, flexible;

	vmx_words(work);
	shadow = vmx_bit(work, 1, 21);
	flexible = evc_linux_and(work, shadow, vmx_bit(work, 2, 0));
	vmx_made(work, 24, flexible);
	vmx_made(work, 25,
	         evc_linux_and(work, evc_linux_and(work, shadow, vmx_bit(work, 2, 8)),
	                       evc_linux_and(work, vmx_bit(work, 2, 9), vmx_bit(work, 0, 7))));
	evc_linux_set(work, EVC_LINUX_F_TPR_SHADOW, evc_linux_and(work, on, shadow), where);
	evc_linux_set(work, EVC_LINUX_F_FLEXPRIORITY, evc_linux_and(work, on, flexible), where);
	/* Since the flag is AMD's bit, it is set here all the same. */
	evc_linux_set(work, EVC_LINUX_F_VNMI, evc_linux_and(work, on, vmx_bit(work, 0, 5)), where);
	evc_linux_set(work, EVC_LINUX_F_EPT, evc_linux_and(work, on, vmx_bit(work, 2, 1)), where);
	evc_linux_set(work, EVC_LINUX_F_EPT_AD, evc_linux_and(work, on, vmx_bit(work, 0, 18)), where);
	/* The kernel looks for VPID's bit in the wrong word, where it is that of virtual NMIs. */
	evc_linux_set(work, EVC_LINUX_F_VPID, evc_linux_and(work, on, vmx_bit(work, 0, 5)), where);
}

void evc_linux_feat_ctl(struct evc_linux_work *work)
{
	struct evc_linux_tri readable, on, has = HAS(VMX);
	const char *where = "feat_ctl.c:init_ia32_feat_ctl";

	if (!work->tree->switches[EVC_LINUX_S_FEAT_CTL]) {
		/* Older kernels take the bit as it is. */
		if (has.truth != EVC_ABSENT)
			vmx_capabilities(work, has);
		return;
	}
	readable = evc_linux_readable(work, EVC_LINUX_MSR_FEAT_CTL);
	sgx(work, readable);
	if (has.truth == EVC_ABSENT)
		return;
	on = evc_linux_and(work, readable, allowed(work, has, EVC_F_FEAT_CTL_VMX));
	evc_linux_clear(work, EVC_LINUX_F_VMX, evc_linux_not(work, on), where);
	vmx_capabilities(work, HAS(VMX));
}
