/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's shape, as the caller gives it, put into CPUID as a hypervisor does.
 *
 * Kernels make sockets, cores and threads of what CPUID says, each generation and vendor from other
 * leaves, and so the same shape is printed differently: without TOPOEXT, kernels before 6.9 take an AMD
 * guest's threads for cores.  So the shape replaces bits of leaves, and the kernel's rules do the rest.
 * The layout is QEMU's: threads within cores within sockets, each number in as many bits as it needs.  A
 * leaf that the dump does not have does not come; those of dies and modules, which nobody asked for, go.
 * Where only the number of CPUs is given and the dump's leaves tell of as many already, or of several, they
 * stay as they are: the dump is the guest's own. (qemu:target/i386/cpu.c:cpu_x86_cpuid)
 */
#include "core/linux-private.h"

enum {
	SMT = 1,
	CORE = 2,
	CACHE_TYPE = 0x1f, /* of leaf 4 EAX: zero ends the list */
};

unsigned evc_linux_bits_for(unsigned n)
{
	return n <= 1 ? 0 : 32U - (unsigned)__builtin_clz(n - 1);
}

/* What is not given is made of the rest; cores come first, as in QEMU since 6.2. */
static struct evc_linux_shape shape_of(const struct evc_linux_env *env)
{
	unsigned threads = env->threads, cores = env->cores;

	if (!threads && env->sockets && cores)
		threads = env->cpus / env->sockets / cores;
	threads = threads ? threads : 1;
	if (!cores)
		cores = env->cpus / threads / (env->sockets ? env->sockets : 1);
	return (struct evc_linux_shape){ .cores = cores ? cores : 1, .threads = threads };
}

static uint32_t replace(uint32_t value, unsigned low, uint32_t mask, uint32_t by)
{
	return (value & ~(mask << low)) | (by & mask) << low;
}

static bool tells_of_several(const struct evc_dump *dump)
{
	return evc_dump_get(dump, evc_features[EVC_F_N_LOGICAL_CPU].bit, NULL) > 1;
}

enum evc_linux_shaping evc_linux_shaping_of(const struct evc_linux_question *question)
{
	const struct evc_linux_env *env = question->env;
	bool shares = question->dump->n_alike > 1;

	if (!env || !env->cpus)
		return shares ? EVC_LINUX_AS_NUMBERED : EVC_LINUX_AS_DUMPED;
	if (!env->sockets && !env->cores && !env->threads && env->cpus == 1 &&
	    !tells_of_several(question->dump))
		return EVC_LINUX_AS_DUMPED;
	if (env->sockets || env->cores || env->threads || !tells_of_several(question->dump))
		return EVC_LINUX_AS_SHAPED;
	return question->host && question->host->n_cpus > 1 ? EVC_LINUX_AS_DUMPED : EVC_LINUX_AS_NUMBERED;
}

/* A leaf of extended topology, level by level, as the hypervisor filled it. */
static void read_levels(const struct evc_dump *dump, uint32_t number, struct evc_linux_layout *layout)
{
	for (unsigned i = 0; i < EVC_LINUX_LEVELS; i++) {
		struct evc_leaf leaf;
		unsigned count;

		evc_dump_leaf(dump, number, i, &leaf);
		count = leaf.value[EVC_EBX] & leaf.known[EVC_EBX] & 0xffff;
		if (!count || !(leaf.value[EVC_ECX] >> 8 & 0xff))
			return;
		layout->counts[layout->n] = count;
		layout->shifts[layout->n++] = leaf.value[EVC_EAX] & 0x1f;
	}
}

static uint32_t own_apicid(const struct evc_dump *dump)
{
	static const uint32_t leaves[] = { 0x1f, 0xb, 0x80000026 };
	struct evc_leaf leaf;

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		evc_dump_leaf(dump, leaves[i], 0, &leaf);
		if (leaf.value[EVC_EBX] & leaf.known[EVC_EBX] & 0xffff)
			return leaf.value[EVC_EDX];
	}
	evc_dump_leaf(dump, 1, 0, &leaf);
	return leaf.value[EVC_EBX] >> 24;
}

struct evc_linux_layout evc_linux_layout_of(const struct evc_dump *dump)
{
	struct evc_linux_layout layout = { 0 };
	struct evc_leaf leaf;

	read_levels(dump, 0x1f, &layout);
	if (!layout.n)
		read_levels(dump, 0xb, &layout);
	if (!layout.n) {
		/* Leaf 1 counts the CPUs of a package; numbers within it have no gaps. */
		evc_dump_leaf(dump, 1, 0, &leaf);
		layout.counts[0] = leaf.value[EVC_EBX] >> 16 & 0xff;
		layout.counts[0] = layout.counts[0] ? layout.counts[0] : 1;
		layout.shifts[0] = evc_linux_bits_for(layout.counts[0]);
		layout.n = 1;
	}
	layout.fits = own_apicid(dump) == evc_linux_layout_apicid(&layout, dump->cpu);
	return layout;
}

uint32_t evc_linux_layout_apicid(const struct evc_linux_layout *layout, unsigned cpu)
{
	uint32_t apicid = 0;

	for (unsigned i = layout->n; i-- > 0;) {
		apicid |= cpu / layout->counts[i] << layout->shifts[i];
		cpu %= layout->counts[i];
	}
	return apicid | cpu;
}

/* The dump's own layout, of which this is the CPU of that number. */
uint32_t evc_linux_numbered_register(const struct evc_linux_layout *layout, unsigned cpu,
                                     const struct evc_linux_place *place, uint32_t value)
{
	uint32_t apicid = evc_linux_layout_apicid(layout, cpu);

	if (place->leaf == 1 && place->reg == EVC_EBX)
		return replace(value, 24, 0xff, apicid);
	if (place->leaf == 0x8000001e && place->reg == EVC_EBX)
		return replace(value, 0, 0xff,
		               cpu % layout->counts[layout->n - 1] / ((value >> 8 & 0xff) + 1));
	if (place->leaf == 0x8000001e && place->reg == EVC_EAX)
		return apicid;
	if ((place->leaf == 0xb || place->leaf == 0x1f || place->leaf == 0x80000026) && place->reg == EVC_EDX)
		return apicid;
	return value;
}

static uint32_t shaped_apicid(const struct evc_linux_shape *shape, unsigned cpu)
{
	unsigned thread = cpu % shape->threads, core = cpu / shape->threads % shape->cores;
	uint64_t socket = cpu / shape->threads / shape->cores;

	return (uint32_t)((socket << evc_linux_bits_for(shape->cores) | core)
	                          << evc_linux_bits_for(shape->threads) |
	                  thread);
}

/* Leaf 0xb, level by level; one that is all zero stays so. */
static uint32_t extended(const struct evc_linux_shape *shape, uint32_t subleaf, enum evc_reg reg,
                         uint32_t apicid)
{
	unsigned threads = evc_linux_bits_for(shape->threads), cores = evc_linux_bits_for(shape->cores);

	switch (reg) {
	case EVC_EAX:
		return subleaf == 0 ? threads : subleaf == 1 ? threads + cores : 0;
	case EVC_EBX:
		return subleaf == 0 ? shape->threads : subleaf == 1 ? shape->threads * shape->cores : 0;
	case EVC_ECX:
		return (subleaf == 0 ? SMT : subleaf == 1 ? CORE : 0) << 8 | (subleaf & 0xff);
	case EVC_EDX:
	case EVC_MSR:
		break;
	}
	return apicid;
}

static bool has_leaf(const struct evc_dump *dump, uint32_t leaf)
{
	struct evc_leaf whole;

	evc_dump_leaf(dump, leaf, 0, &whole);
	return (whole.value[EVC_EBX] & whole.known[EVC_EBX]) != 0;
}

/* Leaves 1, 4 and 0x80000001: how many there are, in the oldest way. */
static uint32_t counted(const struct evc_linux_work *work, const struct evc_linux_shape *shape,
                        uint32_t apicid, const struct evc_linux_place *place, uint32_t value)
{
	const struct evc_bit ht = evc_features[EVC_F_HT].bit, legacy = evc_features[EVC_F_CMP_LEGACY].bit;
	unsigned package = shape->threads * shape->cores;

	if (place->leaf == 4 && place->reg == EVC_EAX && value & CACHE_TYPE)
		return replace(value, 26, 0x3f, (1U << evc_linux_bits_for(shape->cores)) - 1);
	if (place->leaf == 1 && place->reg == EVC_EBX)
		return replace(replace(value, 24, 0xff, apicid), 16, 0xff, package);
	if (package > 1 && place->leaf == ht.leaf && place->reg == ht.reg)
		return value | (uint32_t)evc_bit_mask(ht);
	/* Linux takes it for "no threads" and so it is not for Intel's. */
	if (package > 1 && place->leaf == legacy.leaf && place->reg == legacy.reg &&
	    work->vendor != EVC_LINUX_VENDOR_INTEL)
		return value | (uint32_t)evc_bit_mask(legacy);
	return value;
}

/* Leaves 0x80000008 and 0x8000001e. */
static uint32_t amds(const struct evc_linux_shape *shape, uint32_t apicid,
                     const struct evc_linux_place *place, uint32_t value)
{
	unsigned threads = evc_linux_bits_for(shape->threads), cores = evc_linux_bits_for(shape->cores);

	if (place->leaf == 0x80000008 && place->reg == EVC_ECX)
		return replace(replace(value, 0, 0xff, shape->threads * shape->cores - 1), 12, 0xf,
		               threads + cores);
	if (place->leaf != 0x8000001e)
		return value;
	if (place->reg == EVC_EAX)
		return apicid;
	if (place->reg == EVC_EBX)
		return replace(replace(value, 0, 0xff, apicid >> threads & ((1U << cores) - 1)), 8, 0xff,
		               shape->threads - 1);
	/* One node. */
	return place->reg == EVC_ECX ? replace(value, 8, 0x7, 0) : value;
}

uint32_t evc_linux_shaped_register(const struct evc_linux_work *work, unsigned cpu,
                                   const struct evc_linux_place *place, uint32_t value)
{
	struct evc_linux_shape shape;
	uint32_t apicid;

	if (work->shape == EVC_LINUX_AS_NUMBERED)
		return evc_linux_numbered_register(&work->layout, cpu, place, value);
	shape = shape_of(work->env);
	apicid = shaped_apicid(&shape, cpu);
	switch (place->leaf) {
	case 0xb:
		return has_leaf(work->question->dump, place->leaf)
		               ? extended(&shape, place->subleaf, place->reg, apicid)
		               : value;
	case 0x1f:
	case 0x80000026:
		return 0;
	case 0x80000008:
	case 0x8000001e:
		return amds(&shape, apicid, place, value);
	default:
		return counted(work, &shape, apicid, place, value);
	}
}
