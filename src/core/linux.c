/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Linux prints of a CPU, in the order in which Linux comes to know it.
 *
 *   early_identify_cpu       CPUID is read into words; the vendor's early rules; the level filter; bugs
 *   init_hypervisor_platform the hypervisor's rules force flags
 *   tsc, pcid, pti           force or clear flags
 *   identify_cpu             the words are zeroed and read again; the vendor's rules; the level filter
 *   mitigations, fpu         clear flags, XSAVE if leaf 0xD is not sound
 *
 * Only what was forced or cleared for good survives the second reading; bugs are decided at the first.  Each
 * step is a condition of three truths and what it does, so that what a dump does not say stays unsure,
 * and what rests on an assumption says on which.  Rules that differ between kernels ask a switch of the tree.
 * (linux:arch/x86/kernel/setup.c, cpu/common.c of the trees of data/linux)
 */
#include "core/linux-private.h"

#include <string.h>

static enum evc_linux_vendor vendor_of(const char id[static 13])
{
	static const struct {
		const char *id;
		enum evc_linux_vendor vendor;
	} rows[] = {
		{ .id = "GenuineIntel", .vendor = EVC_LINUX_VENDOR_INTEL },
		{ .id = "AuthenticAMD", .vendor = EVC_LINUX_VENDOR_AMD },
		{ .id = "HygonGenuine", .vendor = EVC_LINUX_VENDOR_HYGON },
		{ .id = "CentaurHauls", .vendor = EVC_LINUX_VENDOR_CENTAUR },
		{ .id = "  Shanghai  ", .vendor = EVC_LINUX_VENDOR_ZHAOXIN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].id, id))
			return rows[i].vendor;
	return EVC_LINUX_VENDOR_ANY;
}

/* cpu_detect, get_cpu_vendor */
static void detect(struct evc_linux_work *work)
{
	static const enum evc_reg order[] = { EVC_EBX, EVC_EDX, EVC_ECX };
	const uint32_t short_parts = 0xf0fff, extended_family = 0xff00000;
	uint32_t known[4] = { 0 }, value, parts;

	work->level = evc_linux_register(work, 0, 0, EVC_EAX, &known[0]);
	work->level_known = known[0] == UINT32_MAX;
	for (unsigned i = 0; i < 3; i++) {
		value = evc_linux_register(work, 0, 0, order[i], &known[i + 1]);
		memcpy(work->view->vendor_id + i * 4, &value, sizeof(value));
	}
	work->vendor_known = (known[1] & known[2] & known[3]) == UINT32_MAX;
	work->vendor = vendor_of(work->view->vendor_id);
	value = evc_linux_register(work, 1, 0, EVC_EAX, &known[0]);
	parts = short_parts | ((value >> 8 & 0xf) == 0xf ? extended_family : 0);
	/* Family, model and stepping: a /proc/cpuinfo read back does not know the type. */
	work->signature_known = (known[0] & parts) == parts;
	work->signature = value;
	evc_signature_unpack(value, &work->family, &work->model, &work->stepping);
	value = evc_linux_register(work, 0x80000000, 0, EVC_EAX, &known[0]);
	work->xlevel = (value & 0xffff0000) == 0x80000000 ? value : 0;
	work->xlevel_known = known[0] == UINT32_MAX;
}

/* What the kernel does for a vendor's CPUs: at first, then once, then for each CPU. */
static const struct {
	void (*early)(struct evc_linux_work *work);
	void (*boot)(struct evc_linux_work *work);
	void (*late)(struct evc_linux_work *work);
} vendors[EVC_LINUX_N_VENDORS] = {
	[EVC_LINUX_VENDOR_INTEL] = { .early = evc_linux_intel_early, .late = evc_linux_intel_late },
	[EVC_LINUX_VENDOR_AMD] = { .early = evc_linux_amd_early,
	                           .boot = evc_linux_amd_bsp,
	                           .late = evc_linux_amd_late },
	[EVC_LINUX_VENDOR_HYGON] = { .early = evc_linux_hygon_early,
	                             .boot = evc_linux_hygon_bsp,
	                             .late = evc_linux_hygon_late },
	[EVC_LINUX_VENDOR_CENTAUR] = { .early = evc_linux_centaur_early, .late = evc_linux_centaur_late },
	[EVC_LINUX_VENDOR_ZHAOXIN] = { .early = evc_linux_zhaoxin_early, .late = evc_linux_zhaoxin_late },
};

static void ask(void (*rules)(struct evc_linux_work *work), struct evc_linux_work *work)
{
	if (rules)
		rules(work);
}

/* early_identify_cpu: the boot CPU for the first time, and the bugs of all. */
static void early_identify(struct evc_linux_work *work)
{
	evc_linux_get_cpu_cap(work);
	evc_linux_find_platform(work);
	evc_linux_force(work, EVC_LINUX_F_CPUID, evc_linux_yes(), "common.c:early_identify_cpu");
	evc_linux_options(work);
	ask(vendors[work->vendor].early, work);
	evc_linux_filter(work);
	ask(vendors[work->vendor].boot, work);
	evc_linux_bugs(work);
	evc_linux_split_lock(work);
	evc_linux_force(work, EVC_LINUX_F_NOPL, evc_linux_yes(), "common.c:detect_nopl");
}

/* identify_cpu: zeroed, and read again. */
static void identify(struct evc_linux_work *work)
{
	evc_linux_zero(work);
	evc_linux_get_cpu_cap(work);
	ask(vendors[work->vendor].late, work);
	evc_linux_filter(work);
	evc_linux_control_registers(work);
	evc_linux_apply_forced(work);
	evc_linux_ppin(work);
}

void evc_linux_predict(const struct evc_linux_question *question, struct evc_linux_view *ret_view)
{
	static const struct evc_linux_env nothing = { 0 };
	struct evc_linux_work work = { .question = question,
		                       .tree = question->tree,
		                       .env = question->env ? question->env : &nothing,
		                       .view = ret_view,
		                       .trace = question->trace,
		                       .reader = { .dump = question->dump },
		                       .gate = evc_linux_yes() };

	memset(ret_view, 0, sizeof(*ret_view));
	ret_view->tree = question->tree;
	work.shape = evc_linux_shaping_of(question);
	if (work.shape == EVC_LINUX_AS_NUMBERED)
		work.layout = evc_linux_layout_of(question->dump);
	detect(&work);
	if (!work.vendor_known)
		work.vendor = EVC_LINUX_VENDOR_INTEL;
	evc_linux_read_words(&work);
	early_identify(&work);
	evc_linux_platform(&work);
	evc_linux_tsc(&work);
	identify(&work);
	evc_linux_mitigations(&work);
	evc_linux_lines(&work);
}

struct evc_linux_truth evc_linux_view_flag(const struct evc_linux_view *view, enum evc_linux_flag flag)
{
	uint16_t place = view->tree->places[flag];
	struct evc_linux_truth truth = { .truth = EVC_ABSENT };
	uint32_t bit;

	if (place == EVC_LINUX_NOWHERE)
		return truth;
	bit = UINT32_C(1) << place % 32;
	truth.depends = view->flags_depend[place];
	if (view->flags_unsure[place / 32] & bit)
		truth.truth = EVC_UNSURE;
	else if (view->flags[place / 32] & bit)
		truth.truth = EVC_PRESENT;
	return truth;
}

struct evc_linux_truth evc_linux_view_bug(const struct evc_linux_view *view, enum evc_linux_bug bug)
{
	struct evc_linux_truth truth = { .truth = EVC_ABSENT, .depends = view->bugs_depend[bug] };

	if (view->bugs_unsure >> bug & 1)
		truth.truth = EVC_UNSURE;
	else if (view->bugs >> bug & 1)
		truth.truth = EVC_PRESENT;
	return truth;
}

struct evc_linux_truth evc_linux_view_vmx(const struct evc_linux_view *view, unsigned place)
{
	struct evc_linux_truth truth = { .truth = EVC_ABSENT, .depends = view->vmx_depends };

	if (view->vmx_unsure[place / 32] >> place % 32 & 1)
		truth.truth = EVC_UNSURE;
	else if (view->vmx[place / 32] >> place % 32 & 1)
		truth.truth = EVC_PRESENT;
	return truth;
}
