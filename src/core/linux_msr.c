/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest reads from model-specific registers.
 *
 * A dump seldom holds them, and they decide about a dozen words of /proc/cpuinfo.  The profiles below are
 * what hypervisors answer when nobody set them otherwise; they are assumptions, and mark what rests on them.
 * They are good in different measure:
 *
 *   kvm, tcg  read (linux:arch/x86/kvm, qemu:target/i386) and seen in guests
 *   xen       1a0, ce and 140 read, of HVM guests (xen:xen/arch/x86/msr.c, hvm/vmx/vmx.c): 1a0 is the
 *             host's without BTS and PEBS, the others are emulated for all; 3a inferred; of 8b nothing is
 *             assumed
 *   vmware    ce, 140, 1a0 and 10a seen in two listings (corpus/story); the others inferred
 *   hyperv    8b as listings of its guests have it; the others inferred, no document tells
 *   bare      as after reset; whatever firmware decides is not assumed
 *
 * IA32_ARCH_CAPABILITIES is taken for zero, which is what admits every weakness: a hypervisor that knows of
 * a defence in its host shows it there, and only the dump or the caller can say so.  Of bare metal nothing is
 * assumed but what every CPU after reset has.
 */
#include "core/linux-private.h"

/* One answer; a register without a row is refused where the platform refuses what it does not know. */
struct answer {
	enum evc_linux_platform platform;
	uint32_t index;
	bool faults;
	uint64_t value;
	uint64_t unknown; /* bits of which nothing is assumed */
};

static const struct answer answers[] = {
	/* QEMU sets IA32_MISC_ENABLE to 1; KVM adds that BTS and PEBS are not there, unless the guest has a
	   PMU. */
	{ .platform = EVC_LINUX_KVM, .index = 0x1a0, .value = 0x1801 },
	{ .platform = EVC_LINUX_TCG, .index = 0x1a0, .value = 0x1 },
	{ .platform = EVC_LINUX_VMWARE, .index = 0x1a0, .value = 0x1800 },
	{ .platform = EVC_LINUX_HYPERV, .index = 0x1a0, .value = 0x1801 },
	{ .platform = EVC_LINUX_XEN, .index = 0x1a0, .value = 0x1801 },
	{ .platform = EVC_LINUX_BARE, .index = 0x1a0, .value = 0x1 },
	{ .platform = EVC_LINUX_KVM, .index = 0x10a },
	{ .platform = EVC_LINUX_TCG, .index = 0x10a },
	/* RSBA, bit 2, is a warning: VMware gives it to a guest below the model of its host, which may move
	   to where returns are predicted from jumps.  So the published guest at an EVC mode shows
	   (corpus/story). */
	{ .platform = EVC_LINUX_VMWARE, .index = 0x10a, .value = 0x4 },
	{ .platform = EVC_LINUX_HYPERV, .index = 0x10a },
	{ .platform = EVC_LINUX_XEN, .index = 0x10a },
	/* CPUID faulting: MSR_PLATFORM_INFO, and MSR_MISC_FEATURES_ENABLES that must be readable. */
	{ .platform = EVC_LINUX_KVM, .index = 0xce, .value = 0x80000000 },
	{ .platform = EVC_LINUX_KVM, .index = 0x140 },
	{ .platform = EVC_LINUX_VMWARE, .index = 0xce, .value = 0x80000000 },
	{ .platform = EVC_LINUX_VMWARE, .index = 0x140 },
	{ .platform = EVC_LINUX_XEN, .index = 0xce, .value = 0x80000000 },
	{ .platform = EVC_LINUX_XEN, .index = 0x140 },
	{ .platform = EVC_LINUX_HYPERV, .index = 0x140, .faults = true },
	/* IA32_FEAT_CTL: not locked, so that Linux locks it and enables what it wants. */
	{ .platform = EVC_LINUX_KVM, .index = 0x3a, .value = 0x5 },
	{ .platform = EVC_LINUX_VMWARE, .index = 0x3a, .value = 0x5 },
	{ .platform = EVC_LINUX_HYPERV, .index = 0x3a, .value = 0x5 },
	{ .platform = EVC_LINUX_XEN, .index = 0x3a, .value = 0x5 },
	{ .platform = EVC_LINUX_BARE, .index = 0x3a, .value = 0x5, .unknown = ~UINT64_C(0x5) },
	/* The processor's own number is not for guests. */
	{ .platform = EVC_LINUX_VMWARE, .index = 0x4e, .faults = true },
	{ .platform = EVC_LINUX_HYPERV, .index = 0x4e, .faults = true },
	{ .platform = EVC_LINUX_XEN, .index = 0x4e, .faults = true },
	{ .platform = EVC_LINUX_VMWARE, .index = 0xc00102f0, .faults = true },
	{ .platform = EVC_LINUX_HYPERV, .index = 0xc00102f0, .faults = true },
	{ .platform = EVC_LINUX_XEN, .index = 0xc00102f0, .faults = true },
	/* SVM can be used, memory is not encrypted. */
	{ .platform = EVC_LINUX_KVM, .index = 0xc0010114 },
	{ .platform = EVC_LINUX_VMWARE, .index = 0xc0010114 },
	{ .platform = EVC_LINUX_HYPERV, .index = 0xc0010114 },
	{ .platform = EVC_LINUX_XEN, .index = 0xc0010114 },
	{ .platform = EVC_LINUX_BARE, .index = 0xc0010114 },
	{ .platform = EVC_LINUX_KVM, .index = 0xc0010010 },
	{ .platform = EVC_LINUX_VMWARE, .index = 0xc0010010 },
	{ .platform = EVC_LINUX_HYPERV, .index = 0xc0010010 },
	{ .platform = EVC_LINUX_XEN, .index = 0xc0010010 },
	{ .platform = EVC_LINUX_KVM, .index = 0xc0010015 },
	/* Bare metal has LS_CFG, PPIN_CTL's answer is the firmware's. */
	{ .platform = EVC_LINUX_BARE, .index = 0xc0011020, .unknown = UINT64_MAX },
	{ .platform = EVC_LINUX_BARE, .index = 0xc0010015, .unknown = UINT64_MAX },
	{ .platform = EVC_LINUX_BARE, .index = 0xc0010010, .unknown = UINT64_MAX },
	{ .platform = EVC_LINUX_BARE, .index = 0xce, .unknown = UINT64_MAX },
	{ .platform = EVC_LINUX_BARE, .index = 0x140, .unknown = UINT64_MAX },
	/* QEMU's models have these revisions; -cpu host has the host's. */
	{ .platform = EVC_LINUX_KVM, .index = 0x8b, .value = 0x100000000 },
	{ .platform = EVC_LINUX_TCG, .index = 0x8b, .value = 0x100000000 },
	{ .platform = EVC_LINUX_HYPERV, .index = 0x8b, .value = 0xffffffffffffffff },
};

enum { QEMU_AMD_REVISION = 0x01000065 };

uint32_t evc_linux_msr_input(uint32_t index)
{
	static const struct {
		uint32_t first, last;
		enum evc_linux_input input;
	} rows[] = {
		{ .first = 0x8b, .last = 0x8b, .input = EVC_LINUX_BY_MICROCODE },
		{ .first = 0x10a, .last = 0x10a, .input = EVC_LINUX_BY_ARCH_CAP },
		{ .first = 0x1a0, .last = 0x1a0, .input = EVC_LINUX_BY_MISC },
		{ .first = 0x3a, .last = 0x3a, .input = EVC_LINUX_BY_FEAT_CTL },
		{ .first = 0x480, .last = 0x492, .input = EVC_LINUX_BY_VMX },
		{ .first = 0xce, .last = 0xce, .input = EVC_LINUX_BY_FAULTING },
		{ .first = 0x140, .last = 0x140, .input = EVC_LINUX_BY_FAULTING },
		{ .first = 0x4e, .last = 0x4e, .input = EVC_LINUX_BY_PPIN },
		{ .first = 0xc00102f0, .last = 0xc00102f0, .input = EVC_LINUX_BY_PPIN },
		{ .first = 0xc0011020, .last = 0xc0011020, .input = EVC_LINUX_BY_LS_CFG },
		{ .first = 0xc0010114, .last = 0xc0010114, .input = EVC_LINUX_BY_VM_CR },
		{ .first = 0xc0010010, .last = 0xc0010015, .input = EVC_LINUX_BY_SYSCFG },
		{ .first = 0xc0010140, .last = 0xc0010141, .input = EVC_LINUX_BY_OSVW },
		{ .first = 0xc0010055, .last = 0xc0010055, .input = EVC_LINUX_BY_OSVW },
		{ .first = 0x982, .last = 0x982, .input = EVC_LINUX_BY_TME },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (index >= rows[i].first && index <= rows[i].last)
			return UINT32_C(1) << rows[i].input;
	return UINT32_C(1) << EVC_LINUX_BY_MSR;
}

/* What the platform usually answers. */
static struct evc_linux_answer assumed(const struct evc_linux_work *work, uint32_t index)
{
	enum evc_linux_platform platform = work->view->platform;
	struct evc_linux_answer answer = { .depends = evc_linux_msr_input(index) };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (answers[i].platform != platform || answers[i].index != index)
			continue;
		answer.known = ~answers[i].unknown;
		answer.value = answers[i].value & answer.known;
		answer.readable = answers[i].faults ? EVC_ABSENT : EVC_PRESENT;
		if (index == EVC_LINUX_MSR_MICROCODE && work->vendor == EVC_LINUX_VENDOR_AMD &&
		    platform != EVC_LINUX_HYPERV)
			answer.value = QEMU_AMD_REVISION;
		return answer;
	}
	switch (platform) {
	case EVC_LINUX_TCG: /* never refuses: what it does not know reads as zero */
		answer.readable = EVC_PRESENT;
		answer.known = UINT64_MAX;
		break;
	case EVC_LINUX_KVM: /* refuses what it does not know */
		answer.readable = EVC_ABSENT;
		answer.known = UINT64_MAX;
		break;
	case EVC_LINUX_PLATFORM_AUTO:
	case EVC_LINUX_BARE:
	case EVC_LINUX_VMWARE:
	case EVC_LINUX_HYPERV:
	case EVC_LINUX_XEN:
	case EVC_LINUX_OTHER:
	case EVC_LINUX_N_PLATFORMS:
		answer.readable = EVC_UNSURE;
		break;
	}
	return answer;
}

struct evc_linux_answer evc_linux_msr(const struct evc_linux_work *work, uint32_t index)
{
	const struct evc_linux_env *env = work->env;
	struct evc_linux_answer answer = { .readable = EVC_PRESENT };
	const struct evc_host *host = work->question->host;

	for (unsigned i = 0; i < env->n_msrs; i++)
		if (env->msrs[i].index == index) {
			answer.readable = env->msrs[i].faults ? EVC_ABSENT : EVC_PRESENT;
			answer.known = env->msrs[i].faults ? UINT64_MAX : env->msrs[i].known;
			answer.value = env->msrs[i].faults ? 0 : env->msrs[i].value;
			return answer;
		}
	answer.value = evc_dump_register(work->reader.dump, index, 0, EVC_MSR, &answer.known);
	if (answer.known)
		return answer;
	if (index == 0x8b && host && host->facts.microcode) {
		answer.known = UINT64_MAX;
		answer.value = (uint64_t)host->facts.microcode << 32 | host->facts.microcode;
		return answer;
	}
	return assumed(work, index);
}

struct evc_linux_tri evc_linux_readable(struct evc_linux_work *work, uint32_t index)
{
	struct evc_linux_answer answer = evc_linux_msr(work, index);
	struct evc_linux_tri tri = { .truth = (uint8_t)answer.readable, .depends = answer.depends };

	return evc_linux_leaf(
		work, tri, &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_READABLE, .number = index });
}
