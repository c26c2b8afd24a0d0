/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a block of /proc/cpuinfo beside flags and bugs, as show_cpuinfo writes them.
 * (linux:arch/x86/kernel/cpu/proc.c)
 */
#include "core/linux-private.h"

#include <stdio.h>
#include <string.h>

static const char *const names[EVC_LINUX_N_LINES] = {
	[EVC_LINUX_PROCESSOR] = "processor",
	[EVC_LINUX_VENDOR_ID] = "vendor_id",
	[EVC_LINUX_CPU_FAMILY] = "cpu family",
	[EVC_LINUX_MODEL] = "model",
	[EVC_LINUX_MODEL_NAME] = "model name",
	[EVC_LINUX_STEPPING] = "stepping",
	[EVC_LINUX_MICROCODE] = "microcode",
	[EVC_LINUX_CPU_MHZ] = "cpu MHz",
	[EVC_LINUX_CACHE_SIZE] = "cache size",
	[EVC_LINUX_PHYSICAL_ID] = "physical id",
	[EVC_LINUX_SIBLINGS] = "siblings",
	[EVC_LINUX_CORE_ID] = "core id",
	[EVC_LINUX_CPU_CORES] = "cpu cores",
	[EVC_LINUX_APICID] = "apicid",
	[EVC_LINUX_INITIAL_APICID] = "initial apicid",
	[EVC_LINUX_FPU] = "fpu",
	[EVC_LINUX_FPU_EXCEPTION] = "fpu_exception",
	[EVC_LINUX_CPUID_LEVEL] = "cpuid level",
	[EVC_LINUX_WP] = "wp",
	[EVC_LINUX_FLAGS] = "flags",
	[EVC_LINUX_VMX_FLAGS] = "vmx flags",
	[EVC_LINUX_BUGS] = "bugs",
	[EVC_LINUX_BOGOMIPS] = "bogomips",
	[EVC_LINUX_TLB_SIZE] = "TLB size",
	[EVC_LINUX_CLFLUSH_SIZE] = "clflush size",
	[EVC_LINUX_CACHE_ALIGNMENT] = "cache_alignment",
	[EVC_LINUX_ADDRESS_SIZES] = "address sizes",
	[EVC_LINUX_POWER_MANAGEMENT] = "power management",
};

const char *const evc_linux_power_names[32] = {
	"ts", "fid", "vid",         "ttp",           "tm",        "stc", "100mhzsteps", "hwpstate",
	"",   "cpb", "eff_freq_ro", "proc_feedback", "acc_power",
};

const char *evc_linux_line_name(enum evc_linux_line line)
{
	return names[line];
}

/* A line that is always printed. */
static void put(struct evc_linux_work *work, enum evc_linux_line line, int64_t number, bool known)
{
	work->view->lines[line] =
		(struct evc_linux_value){ .shown = { .truth = EVC_PRESENT },
		                          .known = { .truth = known ? EVC_PRESENT : EVC_UNSURE },
		                          .number = number };
}

/* get_model_name: blanks at both ends are cut, blanks between stay. */
static bool brand(struct evc_linux_work *work)
{
	char *to = work->view->model_name, *end = to;
	char text[49] = { 0 };
	const char *from = text;
	bool known = work->xlevel_known, whole = true, ended = false;

	if (known && work->xlevel < 0x80000004)
		return known;
	for (unsigned leaf = 0; leaf < 3; leaf++)
		for (unsigned reg = 0; reg < 4; reg++) {
			uint32_t bits, value;

			value = evc_linux_register(work, 0x80000002 + leaf, 0, (enum evc_reg)reg, &bits);
			memcpy(text + leaf * 16 + reg * 4, &value, sizeof(value));
			for (unsigned byte = 0; byte < 4 && !ended; byte++) {
				whole = whole && (bits >> (8 * byte) & 0xff) == 0xff;
				ended = whole && !(value >> (8 * byte) & 0xff);
			}
		}
	/* A name that is known to its end has its leaves, even if nobody knows how many there are. */
	known = whole && (known || *from);
	while (*from == ' ')
		from++;
	for (; *from; from++) {
		*to++ = *from;
		if (!strchr(" \t\n\v\f\r", *from))
			end = to;
	}
	*end = '\0';
	return known;
}

static void model_name(struct evc_linux_work *work)
{
	struct evc_linux_view *view = work->view;
	bool known = brand(work);

	if (!view->model_name[0] && work->vendor == EVC_LINUX_VENDOR_AMD && work->family == 0xf)
		memcpy(view->model_name, "Hammer", sizeof("Hammer"));
	if (!view->model_name[0])
		snprintf(view->model_name, sizeof(view->model_name), "%02x/%02x", work->family, work->model);
	put(work, EVC_LINUX_MODEL_NAME, 0, known && work->signature_known);
}

static void microcode(struct evc_linux_work *work)
{
	struct evc_linux_value *value = &work->view->lines[EVC_LINUX_MICROCODE];
	bool known;

	value->number = evc_linux_microcode(work, &known, &value->known.depends);
	evc_linux_show_if_positive(value, known);
	value->shown.depends = value->known.depends;
}

/* Leaf 0x15 of Intel's, as native_calibrate_tsc reckons; 0: it does not say. */
static uint32_t native_khz(struct evc_linux_work *work)
{
	bool known[4];
	uint32_t denominator = evc_linux_field(work, EVC_F_TSC_DENOMINATOR, &known[0]);
	uint32_t numerator = evc_linux_field(work, EVC_F_TSC_NUMERATOR, &known[1]);
	uint64_t crystal = evc_linux_field(work, EVC_F_CPU_CRYSTAL_HZ, &known[2]) / 1000;
	uint32_t base = evc_linux_field(work, EVC_F_CPU_BASE_MHZ, &known[3]);

	if (work->vendor != EVC_LINUX_VENDOR_INTEL || !known[0] || !known[1] || !known[2] || !known[3] ||
	    !denominator || !numerator)
		return 0;
	if (!crystal && work->model == 0x5f)
		crystal = 25000;
	if (!crystal)
		crystal = (uint64_t)base * 1000 * denominator / numerator;
	crystal = crystal * numerator / denominator;
	return crystal > UINT32_MAX ? 0 : (uint32_t)crystal;
}

/* The TSC's frequency: who says it, and whether that is who the kernel asks. */
static uint32_t tsc_khz(struct evc_linux_work *work, uint32_t *ret_depends)
{
	const struct evc_host *host = work->question->host;
	uint32_t known, khz;

	*ret_depends = 0;
	if (work->env->tsc_khz || (host && host->facts.tsc_khz))
		evc_linux_cause_text(work, work->env->tsc_khz
		                                   ? "the TSC's frequency, as the caller says"
		                                   : "the TSC's frequency, as the host's facts say");
	if (work->env->tsc_khz)
		return work->env->tsc_khz;
	if (host && host->facts.tsc_khz)
		return host->facts.tsc_khz;
	*ret_depends = UINT32_C(1) << EVC_LINUX_BY_CLOCK;
	if (work->view->platform == EVC_LINUX_VMWARE || work->view->platform == EVC_LINUX_KVM) {
		/* VMware's leaf of frequencies; the kernel asks the same of the hypervisor by another way. */
		khz = evc_linux_register(work, 0x40000010, 0, EVC_EAX, &known);
		if (known == UINT32_MAX && khz)
			return khz;
		return 0;
	}
	return work->clock_replaced ? 0 : native_khz(work);
}

static void clock_lines(struct evc_linux_work *work)
{
	struct evc_linux_view *view = work->view;
	struct evc_linux_truth tsc = evc_linux_view_flag(view, EVC_LINUX_F_TSC);
	struct evc_linux_truth running = evc_linux_view_flag(view, EVC_LINUX_F_APERFMPERF);
	uint32_t depends, khz = tsc_khz(work, &depends);

	put(work, EVC_LINUX_CPU_MHZ, khz, khz != 0);
	view->lines[EVC_LINUX_CPU_MHZ].shown = tsc;
	view->lines[EVC_LINUX_CPU_MHZ].known.depends = depends;
	if (running.truth != EVC_ABSENT || view->platform == EVC_LINUX_BARE) {
		/* measured, or a driver's, at the moment of asking */
		view->lines[EVC_LINUX_CPU_MHZ].known.truth = EVC_UNSURE;
		view->lines[EVC_LINUX_CPU_MHZ].known.depends = UINT32_C(1) << EVC_LINUX_BY_RUNTIME;
	}
	put(work, EVC_LINUX_BOGOMIPS, khz / 5, khz != 0);
	view->lines[EVC_LINUX_BOGOMIPS].known.depends = depends;
}

static void clflush(struct evc_linux_work *work)
{
	uint32_t known, ebx = evc_linux_register(work, 1, 0, EVC_EBX, &known);
	struct evc_linux_tri has = evc_linux_feature(work, EVC_F_CLFLUSH);
	int64_t size = 64, alignment;

	if (has.truth == EVC_PRESENT)
		size = (ebx >> 8 & 0xff) * 8;
	if (work->tree->switches[EVC_LINUX_S_ADDRESS_SIZES] && work->xlevel < 0x80000008)
		size = 64;
	alignment = size;
	if ((work->vendor == EVC_LINUX_VENDOR_INTEL && work->family == 15) ||
	    (work->vendor == EVC_LINUX_VENDOR_CENTAUR && work->family == 6 && work->model >= 0xf))
		alignment = size * 2;
	put(work, EVC_LINUX_CLFLUSH_SIZE, size, has.truth != EVC_UNSURE && known == UINT32_MAX);
	put(work, EVC_LINUX_CACHE_ALIGNMENT, alignment, has.truth != EVC_UNSURE && known == UINT32_MAX);
}

/* Bits of the physical address that keys of memory encryption take. */
static unsigned key_bits(struct evc_linux_work *work, struct evc_linux_truth *known)
{
	/* One after the other: the trace has them as they are read. */
	struct evc_linux_tri sme = evc_linux_feature(work, EVC_F_SME);
	struct evc_linux_tri sev = evc_linux_feature(work, EVC_F_SEV);
	struct evc_linux_tri amds = evc_linux_or(work, sme, sev);
	struct evc_linux_tri intels = evc_linux_feature(work, EVC_F_TME), on = evc_linux_no();
	bool field_known = true;
	unsigned bits = 0;

	if (work->vendor == EVC_LINUX_VENDOR_AMD && amds.truth != EVC_ABSENT) {
		on = evc_linux_and(work, amds, evc_linux_feature(work, EVC_F_SYSCFG_MEM_ENCRYPT));
		bits = evc_linux_field(work, EVC_F_PHYS_ADDR_REDUCTION_NBITS, &field_known);
	} else if (work->vendor == EVC_LINUX_VENDOR_INTEL && intels.truth != EVC_ABSENT) {
		struct evc_linux_answer answer =
			evc_linux_msr(work, evc_features[EVC_F_TME_KEYID_BITS].bit.leaf);

		struct evc_linux_tri lock = evc_linux_feature(work, EVC_F_TME_LOCK);
		struct evc_linux_tri enable = evc_linux_feature(work, EVC_F_TME_ENABLE);

		on = evc_linux_and(work, intels, evc_linux_and(work, lock, enable));
		bits = (unsigned)evc_bit_get(evc_features[EVC_F_TME_KEYID_BITS].bit, answer.value);
	}
	known->depends |= on.depends;
	if (on.truth == EVC_UNSURE || (on.truth == EVC_PRESENT && !field_known))
		known->truth = EVC_UNSURE;
	return on.truth == EVC_PRESENT ? bits : 0;
}

static void address_sizes(struct evc_linux_work *work)
{
	struct evc_linux_value *value = &work->view->lines[EVC_LINUX_ADDRESS_SIZES];
	uint32_t known = UINT32_MAX, eax = 36 | 48 << 8;

	if (work->xlevel >= 0x80000008)
		eax = evc_linux_register(work, 0x80000008, 0, EVC_EAX, &known);
	put(work, EVC_LINUX_ADDRESS_SIZES, eax & 0xff, work->xlevel_known && known == UINT32_MAX);
	value->second = eax >> 8 & 0xff;
	value->number -= key_bits(work, &value->known);
	if (work->vendor == EVC_LINUX_VENDOR_INTEL && (work->signature & 0xfff) == 0xf33)
		value->number = 36;
	if (work->vendor == EVC_LINUX_VENDOR_INTEL && (work->signature & 0xfff) == 0xf34)
		value->number = 36;
}

static void power(struct evc_linux_work *work)
{
	uint32_t known = UINT32_MAX, edx = 0;

	if (work->xlevel >= 0x80000007)
		edx = evc_linux_register(work, 0x80000007, 0, EVC_EDX, &known);
	put(work, EVC_LINUX_POWER_MANAGEMENT, edx, work->xlevel_known && known == UINT32_MAX);
}

/* Only with VMX, and registers that say something. */
static void vmx_flags(struct evc_linux_work *work)
{
	struct evc_linux_value *value = &work->view->lines[EVC_LINUX_VMX_FLAGS];

	value->known.truth = EVC_PRESENT;
	value->known.depends = work->view->vmx_depends;
	value->shown = (struct evc_linux_truth){ .truth = EVC_ABSENT };
	if (!work->tree->n_vmx)
		return;
	value->shown = evc_linux_view_flag(work->view, EVC_LINUX_F_VMX);
	if (value->shown.truth == EVC_ABSENT)
		return;
	value->shown.depends |= work->view->vmx_depends;
	if (!work->view->vmx[0])
		value->shown.truth = work->view->vmx_unsure[0] ? EVC_UNSURE : EVC_ABSENT;
}

/* Fields of what was read before all else. */
static void field_causes(struct evc_linux_work *work, enum evc_linux_line line, const char *where,
                         const enum evc_feature_id *fields, size_t n)
{
	bool known;

	evc_linux_line_begin(work, line, where);
	for (size_t i = 0; work->where && i < n; i++)
		evc_linux_field(work, fields[i], &known);
	evc_linux_line_end(work);
}

static void detected_causes(struct evc_linux_work *work)
{
	static const enum evc_feature_id vendor[] = { EVC_F_CPU_VENDORID_0, EVC_F_CPU_VENDORID_1,
		                                      EVC_F_CPU_VENDORID_2 };
	static const enum evc_feature_id family[] = { EVC_F_BASE_FAMILY_ID, EVC_F_EXT_FAMILY };
	static const enum evc_feature_id model[] = { EVC_F_BASE_MODEL, EVC_F_EXT_MODEL };
	static const enum evc_feature_id stepping[] = { EVC_F_STEPPING }, level[] = { EVC_F_MAX_STD_LEAF };

	field_causes(work, EVC_LINUX_VENDOR_ID, "common.c:cpu_detect", vendor, 3);
	field_causes(work, EVC_LINUX_CPU_FAMILY, "lib/cpu.c:x86_family", family, work->family >= 0xf ? 2 : 1);
	field_causes(work, EVC_LINUX_MODEL, "lib/cpu.c:x86_model", model, work->family >= 6 ? 2 : 1);
	field_causes(work, EVC_LINUX_STEPPING, "lib/cpu.c:x86_stepping", stepping, 1);
	field_causes(work, EVC_LINUX_CPUID_LEVEL, "common.c:cpu_detect", level, 1);
}

void evc_linux_lines(struct evc_linux_work *work)
{
	struct evc_linux_value *lines = work->view->lines;

	/* Whether the CPU runs is evc_linux_topology's. */
	put(work, EVC_LINUX_PROCESSOR, work->question->cpu, true);
	put(work, EVC_LINUX_VENDOR_ID, 0, work->vendor_known);
	put(work, EVC_LINUX_CPU_FAMILY, work->level ? work->family : 4,
	    work->signature_known && work->level_known);
	put(work, EVC_LINUX_MODEL, work->model, work->signature_known);
	put(work, EVC_LINUX_STEPPING, work->stepping, work->signature_known);
	put(work, EVC_LINUX_CPUID_LEVEL, (int32_t)work->level, work->level_known);
	detected_causes(work);
	evc_linux_line_begin(work, EVC_LINUX_MODEL_NAME, "common.c:get_model_name");
	model_name(work);
	evc_linux_line_begin(work, EVC_LINUX_MICROCODE, "microcode: intel.c, amd.c");
	microcode(work);
	evc_linux_line_begin(work, EVC_LINUX_BOGOMIPS, "init/calibrate.c:calibrate_delay");
	clock_lines(work);
	evc_linux_line_end(work);
	evc_linux_caches(work, &lines[EVC_LINUX_CACHE_SIZE], &lines[EVC_LINUX_TLB_SIZE]);
	evc_linux_topology(work);
	put(work, EVC_LINUX_FPU, 1, true);
	put(work, EVC_LINUX_FPU_EXCEPTION, 1, true);
	put(work, EVC_LINUX_WP, 1, true);
	put(work, EVC_LINUX_FLAGS, 0, true);
	vmx_flags(work);
	put(work, EVC_LINUX_BUGS, 0, true);
	evc_linux_line_begin(work, EVC_LINUX_CLFLUSH_SIZE, "common.c:get_cpu_address_sizes");
	clflush(work);
	if (work->trace) {
		evc_linux_line_begin(work, EVC_LINUX_CACHE_ALIGNMENT, "common.c:early_identify_cpu");
		clflush(work);
	}
	evc_linux_line_begin(work, EVC_LINUX_ADDRESS_SIZES, "common.c:get_cpu_address_sizes");
	address_sizes(work);
	evc_linux_line_begin(work, EVC_LINUX_POWER_MANAGEMENT, "common.c:get_cpu_cap");
	power(work);
	evc_linux_line_end(work);
}

struct evc_linux_words evc_linux_tree_words(const struct evc_linux_tree *tree, enum evc_linux_line line)
{
	struct evc_linux_words words = { .line = line };

	if (line == EVC_LINUX_FLAGS)
		words = (struct evc_linux_words){ .line = line, .names = tree->flags, .n = tree->n_flags };
	else if (line == EVC_LINUX_VMX_FLAGS)
		words = (struct evc_linux_words){ .line = line, .names = tree->vmx, .n = tree->n_vmx };
	else if (line == EVC_LINUX_BUGS)
		words = (struct evc_linux_words){ .line = line, .names = tree->bugs, .n = tree->n_bugs };
	return words;
}

struct evc_linux_truth evc_linux_view_word(const struct evc_linux_view *view,
                                           const struct evc_linux_words *words, size_t i)
{
	const struct evc_linux_name *name = &words->names[i];

	if (words->line == EVC_LINUX_FLAGS)
		return evc_linux_view_flag(view, (enum evc_linux_flag)name->symbol);
	if (words->line == EVC_LINUX_BUGS)
		return evc_linux_view_bug(view, (enum evc_linux_bug)name->symbol);
	/* Of VMX by place: they have no symbol of their own. */
	return evc_linux_view_vmx(view, name->place);
}
