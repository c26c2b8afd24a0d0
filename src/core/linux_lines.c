/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a block of /proc/cpuinfo beside flags and bugs, as show_cpuinfo writes them.
 * (linux:arch/x86/kernel/cpu/proc.c)
 */
#include "core/linux-private.h"

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

void evc_linux_lines(struct evc_linux_work *work)
{
	put(work, EVC_LINUX_PROCESSOR, work->question->cpu, true);
	put(work, EVC_LINUX_VENDOR_ID, 0, work->vendor_known);
	put(work, EVC_LINUX_CPU_FAMILY, work->family, work->signature_known);
	put(work, EVC_LINUX_MODEL, work->model, work->signature_known);
	put(work, EVC_LINUX_STEPPING, work->stepping, work->signature_known);
	put(work, EVC_LINUX_CPUID_LEVEL, (int32_t)work->level, work->level_known);
	put(work, EVC_LINUX_FPU, 1, true);
	put(work, EVC_LINUX_FPU_EXCEPTION, 1, true);
	put(work, EVC_LINUX_WP, 1, true);
	put(work, EVC_LINUX_FLAGS, 0, true);
	put(work, EVC_LINUX_BUGS, 0, true);
}
