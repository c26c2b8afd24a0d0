/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hypervisor as Linux finds it, and what each sets: clocks, mostly.  Then what the kernel finds of its
 * clock, its page tables and the words of its command line. (linux:arch/x86/kernel/cpu/hypervisor.c,
 * vmware.c, mshyperv.c, kvmclock.c, tsc.c, mm/init.c, mm/pti.c)
 */
#include "core/linux-private.h"

#include <string.h>

#define HAS(flag) evc_linux_has(work, EVC_LINUX_F_##flag)
#define FEATURE(name) evc_linux_feature(work, EVC_F_##name)
#define SWITCH(name) work->tree->switches[EVC_LINUX_S_##name]

static void signature(struct evc_linux_work *work, uint32_t leaf, char text[static 13], bool *ret_known)
{
	static const enum evc_reg order[] = { EVC_EBX, EVC_ECX, EVC_EDX };
	uint32_t known = UINT32_MAX;

	memset(text, 0, 13);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t bits, value = evc_linux_register(work, leaf, 0, order[i], &bits);

		memcpy(text + i * 4, &value, sizeof(value));
		known &= bits;
	}
	*ret_known = known == UINT32_MAX;
}

/* KVM, Xen and others may be at any of these, above another hypervisor's interface: that one is used. */
static enum evc_linux_platform at_bases(struct evc_linux_work *work, bool *ret_known)
{
	static const struct {
		const char *text;
		enum evc_linux_platform platform;
	} rows[] = {
		{ .text = "KVMKVMKVM", .platform = EVC_LINUX_KVM },
		{ .text = "XenVMMXenVMM", .platform = EVC_LINUX_XEN },
		{ .text = "VMwareVMware", .platform = EVC_LINUX_VMWARE },
		{ .text = "Microsoft Hv", .platform = EVC_LINUX_HYPERV },
		{ .text = "TCGTCGTCGTCG", .platform = EVC_LINUX_TCG },
	};
	enum evc_linux_platform found = EVC_LINUX_OTHER;
	char text[13];

	for (uint32_t leaf = 0x40000000; leaf <= 0x40000200; leaf += 0x100) {
		bool known;

		signature(work, leaf, text, &known);
		if (leaf == 0x40000000)
			*ret_known = known;
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (known && !strcmp(rows[i].text, text))
				found = rows[i].platform;
	}
	return found;
}

void evc_linux_find_platform(struct evc_linux_work *work)
{
	struct evc_linux_tri guest = HAS(HYPERVISOR);
	bool known = true;

	work->view->platform = work->env->platform;
	if (work->env->platform != EVC_LINUX_PLATFORM_AUTO)
		return;
	if (guest.truth == EVC_ABSENT)
		work->view->platform = EVC_LINUX_BARE;
	else
		work->view->platform = at_bases(work, &known);
	if (guest.truth == EVC_UNSURE || !known)
		work->platform_depends = UINT32_C(1) << EVC_LINUX_BY_PLATFORM;
}

static void vmware(struct evc_linux_work *work)
{
	const char *where = "vmware.c:vmware_set_capabilities";
	struct evc_linux_tri is = evc_linux_platform_is(work, EVC_LINUX_VMWARE);

	evc_linux_force(work, EVC_LINUX_F_CONSTANT_TSC, is, where);
	evc_linux_force(work, EVC_LINUX_F_TSC_RELIABLE, is, where);
	if (SWITCH(VMWARE_KNOWN_FREQ))
		evc_linux_force(work, EVC_LINUX_F_TSC_KNOWN_FREQ, is, where);
}

static void hyperv(struct evc_linux_work *work)
{
	const char *where = "mshyperv.c:ms_hyperv_init_platform";
	struct evc_linux_tri is = evc_linux_platform_is(work, EVC_LINUX_HYPERV);

	if (!SWITCH(HYPERV_TSC))
		return;
	evc_linux_force(
		work, EVC_LINUX_F_TSC_KNOWN_FREQ,
		evc_linux_and(work, is,
	                      evc_linux_and(work, FEATURE(HV_ACCESS_FREQUENCY), FEATURE(HV_FREQUENCY_MSRS))),
		where);
	evc_linux_force(work, EVC_LINUX_F_TSC_RELIABLE,
	                evc_linux_and(work, is, FEATURE(HV_ACCESS_TSC_INVARIANT)), where);
}

static void kvm(struct evc_linux_work *work)
{
	struct evc_linux_tri clock = evc_linux_or(work, FEATURE(KVMCLOCK), FEATURE(KVMCLOCK2));

	clock = evc_linux_and(work, clock, evc_linux_not(work, evc_linux_option(work, "no-kvmclock", false)));
	evc_linux_force(work, EVC_LINUX_F_TSC_KNOWN_FREQ,
	                evc_linux_and(work, evc_linux_platform_is(work, EVC_LINUX_KVM), clock),
	                "kvmclock.c:kvm_get_tsc_khz");
	work->clock_replaced = clock.truth == EVC_PRESENT;
}

void evc_linux_platform(struct evc_linux_work *work)
{
	switch (work->view->platform) {
	case EVC_LINUX_VMWARE:
		vmware(work);
		work->clock_replaced = true;
		break;
	case EVC_LINUX_HYPERV:
		hyperv(work);
		work->clock_replaced = SWITCH(HYPERV_TSC);
		break;
	case EVC_LINUX_KVM:
		kvm(work);
		break;
	case EVC_LINUX_XEN:
		evc_linux_force(work, EVC_LINUX_F_TSC_KNOWN_FREQ, evc_linux_platform_is(work, EVC_LINUX_XEN),
		                "xen/time.c:xen_tsc_khz");
		work->clock_replaced = true;
		break;
	case EVC_LINUX_PLATFORM_AUTO:
	case EVC_LINUX_BARE:
	case EVC_LINUX_TCG:
	case EVC_LINUX_OTHER:
	case EVC_LINUX_N_PLATFORMS:
		break;
	}
}

/* Leaf 0x15 says it all, or the family knows its crystal. */
static void native_calibration(struct evc_linux_work *work)
{
	struct evc_linux_tri ratio, crystal = FEATURE(CPU_CRYSTAL_HZ);

	if (work->clock_replaced || work->vendor != EVC_LINUX_VENDOR_INTEL)
		return;
	ratio = evc_linux_and(work, FEATURE(TSC_DENOMINATOR), FEATURE(TSC_NUMERATOR));
	if (work->model == 0x5f)
		crystal = evc_linux_yes();
	evc_linux_force(work, EVC_LINUX_F_TSC_KNOWN_FREQ, evc_linux_and(work, ratio, crystal),
	                "tsc.c:native_calibrate_tsc");
	if (work->model == 0x5c)
		evc_linux_force(work, EVC_LINUX_F_TSC_RELIABLE,
		                evc_linux_and(work, ratio,
		                              evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, work->family,
		                                               0x5c, 0x5c)),
		                "tsc.c:native_calibrate_tsc");
}

static void always_running_timer(struct evc_linux_work *work)
{
	struct evc_linux_tri ratio = FEATURE(TSC_DENOMINATOR);

	if (ratio.truth == EVC_ABSENT)
		return;
	evc_linux_force(
		work, EVC_LINUX_F_ART,
		evc_linux_and(work,
	                      evc_linux_and(work, evc_linux_not(work, HAS(HYPERVISOR)), HAS(NONSTOP_TSC)),
	                      evc_linux_and(work, HAS(TSC_ADJUST), ratio)),
		"tsc.c:detect_art");
}

/* Alder and Raptor Lake lose entries of the TLB with PCID, unless the microcode is new; guests believe
 * theirs. */
static struct evc_linux_tri invlpg_misses(struct evc_linux_work *work)
{
	static const struct {
		uint8_t model;
		uint32_t revision;
	} rows[] = {
		{ .model = 0x97, .revision = 0x2e },   { .model = 0x9a, .revision = 0x42c },
		{ .model = 0xbe, .revision = 0x11 },   { .model = 0xb7, .revision = 0x118 },
		{ .model = 0xba, .revision = 0x4117 }, { .model = 0xbf, .revision = 0x2e },
	};

	if (!SWITCH(PCID_INVLPG) || work->family != 6)
		return evc_linux_no();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].model == work->model)
			return evc_linux_and(
				work,
				evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 6, work->model, work->model),
				evc_linux_older_microcode(work, rows[i].revision));
	return evc_linux_no();
}

static void page_tables(struct evc_linux_work *work)
{
	const char *where = "mm/init.c:setup_pcid";
	struct evc_linux_tri pcid = HAS(PCID), pge = HAS(PGE), misses;

	if (pcid.truth != EVC_ABSENT) {
		misses = invlpg_misses(work);
		evc_linux_force(work, EVC_LINUX_F_INVPCID_SINGLE,
		                evc_linux_and(work, evc_linux_and(work, pcid, evc_linux_not(work, misses)),
		                              evc_linux_and(work, pge, HAS(INVPCID))),
		                where);
		evc_linux_forbid(work, EVC_LINUX_F_PCID, evc_linux_or(work, misses, evc_linux_not(work, pge)),
		                 where);
	}
	evc_linux_force(work, EVC_LINUX_F_PTI,
	                evc_linux_or(work, evc_linux_option(work, "pti=on", true),
	                             evc_linux_and(work, evc_linux_has_bug(work, EVC_LINUX_B_CPU_MELTDOWN),
	                                           evc_linux_not(work, evc_linux_no_pti(work)))),
	                "mm/pti.c:pti_check_boottime_disable");
}

struct evc_linux_tri evc_linux_no_pti(struct evc_linux_work *work)
{
	return evc_linux_or(work, evc_linux_option(work, "pti=off", true),
	                    evc_linux_or(work, evc_linux_option(work, "nopti", true),
	                                 evc_linux_option(work, "mitigations=off", true)));
}

void evc_linux_tsc(struct evc_linux_work *work)
{
	native_calibration(work);
	if (evc_linux_option(work, "tsc=reliable", false).truth == EVC_PRESENT)
		evc_linux_force(work, EVC_LINUX_F_TSC_RELIABLE, evc_linux_option(work, "tsc=reliable", false),
		                "tsc.c:tsc_setup");
	page_tables(work);
	always_running_timer(work);
}

/* --- the command line ----------------------------------------------------------------------------------- */

static enum evc_linux_flag flag_at(const struct evc_linux_tree *tree, unsigned place)
{
	for (unsigned flag = 0; flag < EVC_LINUX_N_FLAGS; flag++)
		if (tree->places[flag] == place)
			return (enum evc_linux_flag)flag;
	return EVC_LINUX_N_FLAGS;
}

static enum evc_linux_flag flag_named(const struct evc_linux_tree *tree, struct evc_span name)
{
	struct evc_span number = name;
	uint64_t place;

	if (evc_span_number(number, EVC_LINUX_PLACES - 1, &place))
		return flag_at(tree, (unsigned)place);
	for (size_t i = 0; i < tree->n_flags; i++)
		if (evc_span_equals(name, tree->flags[i].name))
			return (enum evc_linux_flag)tree->flags[i].symbol;
	return EVC_LINUX_N_FLAGS;
}

/* clearcpuid=avx,188: by number, and since 5.14 by name. */
static void clear_cpuid(struct evc_linux_work *work, struct evc_span option)
{
	struct evc_span part;

	while (option.length) {
		enum evc_linux_flag flag;

		part = option;
		part.length = 0;
		while (option.length && option.text[0] != ',') {
			part.length++;
			option.text++;
			option.length--;
		}
		evc_span_skip(&option, ",");
		flag = flag_named(work->tree, part);
		if (flag != EVC_LINUX_N_FLAGS)
			evc_linux_forbid(
				work, flag,
				evc_linux_leaf(work, evc_linux_yes(),
			                       &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_OPTION,
			                                                 .text = "clearcpuid" }),
				"common.c:cpu_parse_early_param");
	}
}

/* Flexible return: first only where it was asked for, then unless it was refused. */
static void fred(struct evc_linux_work *work)
{
	struct evc_linux_tri off = evc_linux_option(work, "fred=off", false);

	if (!SWITCH(FRED))
		return;
	if (SWITCH(FRED) == 1)
		off = evc_linux_not(work, evc_linux_option(work, "fred=on", true));
	evc_linux_forbid(work, EVC_LINUX_F_FRED, off, "common.c:cpu_parse_early_param");
}

/* Pages of five levels: an option that became the rule. */
static void page_levels(struct evc_linux_work *work)
{
	if (SWITCH(LA57) == 1)
		evc_linux_forbid(work, EVC_LINUX_F_LA57,
		                 evc_linux_not(work, evc_linux_configured(work, EVC_LINUX_CONFIG_5LEVEL,
		                                                          EVC_LINUX_IS_YES)),
		                 "common.c:early_identify_cpu");
}

void evc_linux_options(struct evc_linux_work *work)
{
	static const struct {
		const char *option;
		enum evc_linux_flag flag;
	} rows[] = {
		{ .option = "noxsave", .flag = EVC_LINUX_F_XSAVE },
		{ .option = "noxsaveopt", .flag = EVC_LINUX_F_XSAVEOPT },
		{ .option = "noxsaves", .flag = EVC_LINUX_F_XSAVES },
		{ .option = "nopcid", .flag = EVC_LINUX_F_PCID },
		{ .option = "noinvpcid", .flag = EVC_LINUX_F_INVPCID },
		{ .option = "nofsgsbase", .flag = EVC_LINUX_F_FSGSBASE },
		{ .option = "nox2apic", .flag = EVC_LINUX_F_X2APIC },
		{ .option = "nolapic", .flag = EVC_LINUX_F_APIC },
		{ .option = "disableapic", .flag = EVC_LINUX_F_APIC },
		{ .option = "nosgx", .flag = EVC_LINUX_F_SGX },
		{ .option = "ibt=off", .flag = EVC_LINUX_F_IBT },
		{ .option = "no5lvl", .flag = EVC_LINUX_F_LA57 },
		{ .option = "lapic=notscdeadline", .flag = EVC_LINUX_F_TSC_DEADLINE_TIMER },
		{ .option = "nosmep", .flag = EVC_LINUX_F_SMEP },
		{ .option = "nosmap", .flag = EVC_LINUX_F_SMAP },
		{ .option = "nordrand", .flag = EVC_LINUX_F_RDRAND },
		{ .option = "nordrand", .flag = EVC_LINUX_F_RDSEED },
	};
	struct evc_span rest = evc_span_from(work->env->cmdline), option;

	fred(work);
	page_levels(work);
	while (evc_span_word(&rest, &option)) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			/* Options that later kernels do not have. */
			bool old = rows[i].flag == EVC_LINUX_F_SMEP || rows[i].flag == EVC_LINUX_F_SMAP ||
			           rows[i].flag == EVC_LINUX_F_RDRAND || rows[i].flag == EVC_LINUX_F_RDSEED;

			if (old && !SWITCH(NOSMEP))
				continue;
			if (evc_span_equals(option, rows[i].option))
				evc_linux_forbid(work, rows[i].flag,
				                 evc_linux_option(work, rows[i].option, false),
				                 "the command line");
		}
		if (evc_span_skip(&option, "clearcpuid="))
			clear_cpuid(work, option);
	}
}
