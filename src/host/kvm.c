/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM's own answers.  The ioctls are those of <linux/kvm.h>; what they return is stored like any
 * other CPUID, except that KVM leaves out what is all zero.
 *
 * Can it be trusted?  A hypervisor that runs guest code natively, without hardware support, may
 * take CPUID from the machine whatever it was told.  Such a KVM accepts every KVM_SET_CPUID2;
 * KVM_GET_CPUID2 shows what it made of it.  So features are masked that KVM itself says a guest
 * may have, and nothing that was masked may be there when it is read back.  Bits that follow the
 * guest's own registers (OSXSAVE, OSPKE, APIC) are not features of a level and do not count.
 */
#include "host/kvm.h"

#include "core/cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	MAX_ENTRIES = 4096, /* of one answer of KVM */
	FIRST_ENTRIES = 128,
};

static int fail_errno(struct evc_error *err, const char *what)
{
	return evc_fail(err, EVC_ERR_IO, "/dev/kvm: %s: %s", what, strerror(errno));
}

int evc_kvm_open(int *ret_fd, struct evc_error *err)
{
	int version, fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "there is no /dev/kvm");
	if (fd < 0)
		return fail_errno(err, "open");
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		close(fd);
		return evc_fail(err, EVC_ERR_UNSUPPORTED,
		                "/dev/kvm speaks version %d of its interface, not %d", version,
		                KVM_API_VERSION);
	}
	*ret_fd = fd;
	return EVC_OK;
}

/* An answer of KVM whose length is known only to it: asked again with more room until it fits. */
static struct kvm_cpuid2 *get_cpuid(int fd, unsigned long request, struct evc_arena *arena)
{
	for (size_t n = FIRST_ENTRIES; n <= MAX_ENTRIES; n *= 2) {
		struct kvm_cpuid2 *cpuid =
			evc_arena_alloc(arena, sizeof(*cpuid) + n * sizeof(cpuid->entries[0]));

		if (!cpuid) {
			errno = ENOMEM;
			return NULL;
		}
		cpuid->nent = (uint32_t)n;
		if (!ioctl(fd, request, cpuid))
			return cpuid;
		if (errno != E2BIG)
			return NULL;
	}
	errno = E2BIG;
	return NULL;
}

/*
 * Entries that are all zero say nothing, and must not: after KVM_GET_CPUID2 Linux 6.1 leaves the number of
 * entries as it was asked for, so behind the real ones lie empty ones, which read as "leaf 0 is zero".
 */
static void add_cpuid(struct evc_dump_builder *builder, const struct kvm_cpuid2 *cpuid)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		const uint32_t value[4] = { entry->eax, entry->ebx, entry->ecx, entry->edx };
		bool indexed = entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

		if (!(value[EVC_EAX] | value[EVC_EBX] | value[EVC_ECX] | value[EVC_EDX]))
			continue;
		evc_dump_set_leaf(builder, entry->function, indexed ? entry->index : 0, value);
	}
}

static int dump_of(const struct kvm_cpuid2 *cpuid, struct evc_arena *arena, struct evc_dump *ret_dump,
                   struct evc_error *err)
{
	struct evc_dump_builder builder;

	evc_dump_begin(&builder, arena);
	add_cpuid(&builder, cpuid);
	return evc_dump_finish(&builder, ret_dump, err);
}

int evc_kvm_cpuid(int fd, unsigned long request, const char *name, struct evc_arena *arena,
                  struct evc_dump *ret_dump, struct evc_error *err)
{
	struct kvm_cpuid2 *cpuid = get_cpuid(fd, request, arena);
	int status;

	if (!cpuid)
		return fail_errno(err, name);
	status = dump_of(cpuid, arena, ret_dump, err);
	if (status == EVC_OK)
		ret_dump->skips_zero = true;
	return status;
}

/* The MSRs that say what a guest can have; an older KVM has no such list, which is no failure. */
static void add_feature_msrs(struct evc_dump_builder *builder, int fd, struct evc_arena *arena)
{
	struct kvm_msr_list probe = { 0 }, *list;

	if (ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_GET_MSR_FEATURES) <= 0)
		return;
	if (!ioctl(fd, KVM_GET_MSR_FEATURE_INDEX_LIST, &probe) || errno != E2BIG ||
	    probe.nmsrs > EVC_MAX_MSRS)
		return;
	list = evc_arena_alloc(arena, sizeof(*list) + probe.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return;
	list->nmsrs = probe.nmsrs;
	if (ioctl(fd, KVM_GET_MSR_FEATURE_INDEX_LIST, list))
		return;
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		union {
			struct kvm_msrs msrs;
			unsigned char room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
		} one = { .msrs.nmsrs = 1 };

		one.msrs.entries[0].index = list->indices[i];
		if (ioctl(fd, KVM_GET_MSRS, &one.msrs) == 1)
			evc_dump_set_msr(builder, list->indices[i], one.msrs.entries[0].data, UINT64_MAX);
	}
}

static int read_supported(int fd, struct evc_arena *arena, struct evc_dump *ret_dump, struct evc_error *err)
{
	struct kvm_cpuid2 *cpuid = get_cpuid(fd, KVM_GET_SUPPORTED_CPUID, arena);
	struct evc_dump_builder builder;
	int status;

	if (!cpuid)
		return fail_errno(err, "KVM_GET_SUPPORTED_CPUID");
	evc_dump_begin(&builder, arena);
	add_cpuid(&builder, cpuid);
	add_feature_msrs(&builder, fd, arena);
	status = evc_dump_finish(&builder, ret_dump, err);
	if (status == EVC_OK)
		ret_dump->skips_zero = true;
	return status;
}

/* A virtual machine with one vCPU that never runs. */
struct guest {
	int vm, vcpu;
};

static int make_guest(int fd, struct guest *ret_guest, struct evc_error *err)
{
	struct guest guest = { .vm = ioctl(fd, KVM_CREATE_VM, 0) };

	if (guest.vm < 0)
		return fail_errno(err, "KVM_CREATE_VM");
	guest.vcpu = ioctl(guest.vm, KVM_CREATE_VCPU, 0);
	if (guest.vcpu < 0) {
		int status = fail_errno(err, "KVM_CREATE_VCPU");

		close(guest.vm);
		return status;
	}
	*ret_guest = guest;
	return EVC_OK;
}

static void end_guest(const struct guest *guest)
{
	close(guest->vcpu);
	close(guest->vm);
}

/* Drop every "and" feature that lives in one of these leaves from KVM's own answer. */
static void mask_features(struct kvm_cpuid2 *cpuid)
{
	EVC_SET_FOREACH(id, &evc_rule_sets[EVC_RULE_AND])
	{
		struct evc_bit bit = evc_features[id].bit;

		if (bit.reg == EVC_MSR)
			continue;
		for (uint32_t i = 0; i < cpuid->nent; i++) {
			struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
			uint32_t *const regs[] = { &entry->eax, &entry->ebx, &entry->ecx, &entry->edx };

			/* EDX of leaf 1 holds what every 64-bit CPU has; a KVM may insist on it. */
			if (entry->function != bit.leaf || entry->index != bit.subleaf ||
			    (bit.leaf == evc_features[EVC_F_FPU].bit.leaf &&
			     bit.reg == evc_features[EVC_F_FPU].bit.reg))
				continue;
			if (bit.leaf == evc_features[EVC_F_SSE3].bit.leaf ||
			    bit.leaf == evc_features[EVC_F_AVX2].bit.leaf)
				*regs[bit.reg] &= ~(uint32_t)evc_bit_mask(bit);
		}
	}
}

/* What is shown though it was not given: "and" features only, known on both sides. */
static int compare(const struct kvm_cpuid2 *given, const struct kvm_cpuid2 *shown, struct evc_arena *arena,
                   struct evc_set *ret_overridden, struct evc_error *err)
{
	struct evc_dump given_dump, shown_dump;
	struct evc_cpu given_cpu, shown_cpu;
	struct evc_set more;
	int status = dump_of(given, arena, &given_dump, err);

	if (status == EVC_OK)
		status = dump_of(shown, arena, &shown_dump, err);
	if (status < 0)
		return status;
	given_dump.skips_zero = shown_dump.skips_zero = true;
	evc_cpu_decode(&given_dump, &given_cpu);
	evc_cpu_decode(&shown_dump, &shown_cpu);
	more = evc_set_minus(&shown_cpu.has, &given_cpu.has);
	*ret_overridden = evc_set_and(&more, &evc_rule_sets[EVC_RULE_AND]);
	return EVC_OK;
}

static int try_masks(int fd, const struct guest *guest, struct evc_arena *arena,
                     struct evc_set *ret_overridden, struct evc_error *err)
{
	struct kvm_cpuid2 *given = get_cpuid(fd, KVM_GET_SUPPORTED_CPUID, arena), *shown;

	if (!given)
		return fail_errno(err, "KVM_GET_SUPPORTED_CPUID");
	mask_features(given);
	if (ioctl(guest->vcpu, KVM_SET_CPUID2, given))
		return fail_errno(err, "KVM_SET_CPUID2");
	shown = get_cpuid(guest->vcpu, KVM_GET_CPUID2, arena);
	if (!shown)
		return fail_errno(err, "KVM_GET_CPUID2");
	return compare(given, shown, arena, ret_overridden, err);
}

static enum evc_verdict trust(int fd, const struct guest *guest, struct evc_arena *arena,
                              struct evc_set *ret_overridden, struct evc_error *err)
{
	if (try_masks(fd, guest, arena, ret_overridden, err) < 0)
		return EVC_UNKNOWN;
	return evc_set_is_empty(ret_overridden) ? EVC_YES : EVC_NO;
}

enum evc_verdict evc_kvm_trusted(struct evc_arena *arena, struct evc_set *ret_overridden,
                                 struct evc_error *err)
{
	enum evc_verdict verdict = EVC_UNKNOWN;
	struct guest guest = { .vm = -1, .vcpu = -1 };
	int fd = -1;

	*ret_overridden = (struct evc_set){ 0 };
	if (evc_kvm_open(&fd, err) < 0)
		return EVC_UNKNOWN;
	if (make_guest(fd, &guest, err) == EVC_OK) {
		verdict = trust(fd, &guest, arena, ret_overridden, err);
		end_guest(&guest);
	}
	close(fd);
	return verdict;
}

static void read_guest(int fd, struct evc_arena *arena, struct evc_kvm *kvm)
{
	struct guest guest = { .vm = -1, .vcpu = -1 };
	int khz;

	kvm->trusted = EVC_UNKNOWN;
	if (make_guest(fd, &guest, NULL) < 0)
		return;
	khz = ioctl(guest.vcpu, KVM_GET_TSC_KHZ, 0);
	kvm->tsc_khz = khz > 0 ? (uint32_t)khz : 0;
	kvm->trusted = trust(fd, &guest, arena, &kvm->overridden, NULL);
	end_guest(&guest);
}

int evc_kvm_read(struct evc_arena *arena, struct evc_kvm *ret_kvm, struct evc_error *err)
{
	struct evc_kvm kvm = { 0 };
	struct kvm_cpuid2 *emulated;
	int fd = -1, status = evc_kvm_open(&fd, err);

	if (status < 0)
		return status;
	status = read_supported(fd, arena, &kvm.supported, err);
	emulated = get_cpuid(fd, KVM_GET_EMULATED_CPUID, arena);
	if (status == EVC_OK && emulated) {
		kvm.has_emulated = dump_of(emulated, arena, &kvm.emulated, NULL) == EVC_OK;
		kvm.emulated.skips_zero = true;
	}
	if (status == EVC_OK)
		read_guest(fd, arena, &kvm);
	close(fd);
	if (status == EVC_OK)
		*ret_kvm = kvm;
	return status;
}
