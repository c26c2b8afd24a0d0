/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cache and TLB sizes as Linux comes to them: Intel's leaf 4, else the descriptors of leaf 2, the largest
 * level counts; AMD's leaf 0x80000006, where the second level counts.
 * (linux:arch/x86/kernel/cpu/cacheinfo.c:init_intel_cacheinfo, common.c:cpu_detect_cache_sizes)
 */
#include "core/linux-private.h"

enum level { L1_CODE, L1_DATA, L2, L3, TRACE, N_LEVELS };

/* A byte of leaf 2 and the cache it stands for, in KB.  (SDM2A:CPUID) */
static const struct descriptor {
	uint8_t byte, level;
	uint16_t size;
} descriptors[] = {
	{ .byte = 0x06, .level = L1_CODE, .size = 8 },  { .byte = 0x08, .level = L1_CODE, .size = 16 },
	{ .byte = 0x09, .level = L1_CODE, .size = 32 }, { .byte = 0x0a, .level = L1_DATA, .size = 8 },
	{ .byte = 0x0c, .level = L1_DATA, .size = 16 }, { .byte = 0x0d, .level = L1_DATA, .size = 16 },
	{ .byte = 0x0e, .level = L1_DATA, .size = 24 }, { .byte = 0x21, .level = L2, .size = 256 },
	{ .byte = 0x22, .level = L3, .size = 512 },     { .byte = 0x23, .level = L3, .size = 1024 },
	{ .byte = 0x25, .level = L3, .size = 2048 },    { .byte = 0x29, .level = L3, .size = 4096 },
	{ .byte = 0x2c, .level = L1_DATA, .size = 32 }, { .byte = 0x30, .level = L1_CODE, .size = 32 },
	{ .byte = 0x39, .level = L2, .size = 128 },     { .byte = 0x3a, .level = L2, .size = 192 },
	{ .byte = 0x3b, .level = L2, .size = 128 },     { .byte = 0x3c, .level = L2, .size = 256 },
	{ .byte = 0x3d, .level = L2, .size = 384 },     { .byte = 0x3e, .level = L2, .size = 512 },
	{ .byte = 0x3f, .level = L2, .size = 256 },     { .byte = 0x41, .level = L2, .size = 128 },
	{ .byte = 0x42, .level = L2, .size = 256 },     { .byte = 0x43, .level = L2, .size = 512 },
	{ .byte = 0x44, .level = L2, .size = 1024 },    { .byte = 0x45, .level = L2, .size = 2048 },
	{ .byte = 0x46, .level = L3, .size = 4096 },    { .byte = 0x47, .level = L3, .size = 8192 },
	{ .byte = 0x48, .level = L2, .size = 3072 },    { .byte = 0x49, .level = L3, .size = 4096 },
	{ .byte = 0x4a, .level = L3, .size = 6144 },    { .byte = 0x4b, .level = L3, .size = 8192 },
	{ .byte = 0x4c, .level = L3, .size = 12288 },   { .byte = 0x4d, .level = L3, .size = 16384 },
	{ .byte = 0x4e, .level = L2, .size = 6144 },    { .byte = 0x60, .level = L1_DATA, .size = 16 },
	{ .byte = 0x66, .level = L1_DATA, .size = 8 },  { .byte = 0x67, .level = L1_DATA, .size = 16 },
	{ .byte = 0x68, .level = L1_DATA, .size = 32 }, { .byte = 0x70, .level = TRACE, .size = 12 },
	{ .byte = 0x71, .level = TRACE, .size = 16 },   { .byte = 0x72, .level = TRACE, .size = 32 },
	{ .byte = 0x73, .level = TRACE, .size = 64 },   { .byte = 0x78, .level = L2, .size = 1024 },
	{ .byte = 0x79, .level = L2, .size = 128 },     { .byte = 0x7a, .level = L2, .size = 256 },
	{ .byte = 0x7b, .level = L2, .size = 512 },     { .byte = 0x7c, .level = L2, .size = 1024 },
	{ .byte = 0x7d, .level = L2, .size = 2048 },    { .byte = 0x7f, .level = L2, .size = 512 },
	{ .byte = 0x80, .level = L2, .size = 512 },     { .byte = 0x82, .level = L2, .size = 256 },
	{ .byte = 0x83, .level = L2, .size = 512 },     { .byte = 0x84, .level = L2, .size = 1024 },
	{ .byte = 0x85, .level = L2, .size = 2048 },    { .byte = 0x86, .level = L2, .size = 512 },
	{ .byte = 0x87, .level = L2, .size = 1024 },    { .byte = 0xd0, .level = L3, .size = 512 },
	{ .byte = 0xd1, .level = L3, .size = 1024 },    { .byte = 0xd2, .level = L3, .size = 2048 },
	{ .byte = 0xd6, .level = L3, .size = 1024 },    { .byte = 0xd7, .level = L3, .size = 2048 },
	{ .byte = 0xd8, .level = L3, .size = 4096 },    { .byte = 0xdc, .level = L3, .size = 2048 },
	{ .byte = 0xdd, .level = L3, .size = 4096 },    { .byte = 0xde, .level = L3, .size = 8192 },
	{ .byte = 0xe2, .level = L3, .size = 2048 },    { .byte = 0xe3, .level = L3, .size = 4096 },
	{ .byte = 0xe4, .level = L3, .size = 8192 },    { .byte = 0xea, .level = L3, .size = 12288 },
	{ .byte = 0xeb, .level = L3, .size = 18432 },   { .byte = 0xec, .level = L3, .size = 24576 },
};

enum {
	MAX_CACHES = 32, /* subleaves of leaf 4; no CPU has ten */
	MAX_ROUNDS = 16, /* of leaf 2 */
};

struct caches {
	uint64_t kb[N_LEVELS];
	bool known;
};

/* ways * partitions * line size * sets, each told less one; leaf 4's registers are fields throughout */
static uint64_t size_kb(uint32_t ebx, uint32_t ecx)
{
	return (uint64_t)((ebx >> 22) + 1) * ((ebx >> 12 & 0x3ff) + 1) * ((ebx & 0xfff) + 1) *
	       ((uint64_t)ecx + 1) / 1024;
}

static void cause(struct evc_linux_work *work, const struct evc_leaf *leaf, enum evc_reg reg)
{
	evc_linux_cause_bits(
		work, (struct evc_bit){ .leaf = leaf->leaf, .subleaf = leaf->subleaf, .reg = reg, .hi = 31 },
		leaf->value[reg], leaf->known[reg] == UINT32_MAX);
}

/* Leaf 4, subleaf by subleaf until one says that there are no more; how many there are. */
static unsigned deterministic(struct evc_linux_work *work, struct caches *caches)
{
	unsigned i;

	for (i = 0; i < MAX_CACHES; i++) {
		struct evc_leaf leaf;
		unsigned type, level;

		evc_dump_reader_leaf(&work->reader, 4, i, &leaf);
		for (unsigned reg = EVC_EAX; reg <= EVC_ECX; reg++)
			cause(work, &leaf, (enum evc_reg)reg);
		type = leaf.value[EVC_EAX] & 0x1f;
		level = leaf.value[EVC_EAX] >> 5 & 7;
		if ((leaf.known[EVC_EAX] & leaf.known[EVC_EBX] & leaf.known[EVC_ECX]) != UINT32_MAX)
			caches->known = false;
		if (!type)
			break;
		if (level == 1 && type == 1)
			caches->kb[L1_DATA] = size_kb(leaf.value[EVC_EBX], leaf.value[EVC_ECX]);
		else if (level == 1 && type == 2)
			caches->kb[L1_CODE] = size_kb(leaf.value[EVC_EBX], leaf.value[EVC_ECX]);
		else if (level == 2 || level == 3)
			caches->kb[level == 2 ? L2 : L3] = size_kb(leaf.value[EVC_EBX], leaf.value[EVC_ECX]);
	}
	return i;
}

static void descriptor(struct caches *caches, uint8_t byte)
{
	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
		if (descriptors[i].byte == byte)
			caches->kb[descriptors[i].level] += descriptors[i].size;
}

static void described(struct evc_linux_work *work, struct caches *caches)
{
	unsigned rounds;
	struct evc_leaf leaf;

	evc_dump_reader_leaf(&work->reader, 2, 0, &leaf);
	for (unsigned reg = EVC_EAX; reg <= EVC_EDX; reg++)
		cause(work, &leaf, (enum evc_reg)reg);
	rounds = leaf.value[EVC_EAX] & 0xff;
	if (rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	for (unsigned reg = 0; reg < 4; reg++)
		caches->known = caches->known && leaf.known[reg] == UINT32_MAX;
	while (rounds--)
		for (unsigned i = 1; i < 16; i++) {
			uint32_t value = leaf.value[i / 4];

			/* a register with its top bit set says nothing; the first byte is the number of
			 * rounds */
			if (!(value >> 31))
				descriptor(caches, (uint8_t)(value >> i % 4 * 8));
		}
}

/* AMD's way, and everybody's whose second level is not told otherwise. */
static void extended(struct evc_linux_work *work, uint64_t *kb, struct evc_linux_value *tlb, bool *ret_known)
{
	struct evc_leaf five, six;

	*ret_known = work->xlevel_known;
	if (work->xlevel >= 0x80000005) {
		evc_dump_reader_leaf(&work->reader, 0x80000005, 0, &five);
		if (work->xlevel < 0x80000006) {
			cause(work, &five, EVC_ECX);
			cause(work, &five, EVC_EDX);
		}
		*kb = (five.value[EVC_ECX] >> 24) + (five.value[EVC_EDX] >> 24);
		*ret_known = *ret_known && (five.known[EVC_ECX] & five.known[EVC_EDX]) == UINT32_MAX;
	}
	if (work->xlevel < 0x80000006)
		return;
	evc_dump_reader_leaf(&work->reader, 0x80000006, 0, &six);
	cause(work, &six, EVC_ECX);
	evc_linux_line_begin(work, EVC_LINUX_TLB_SIZE, "common.c:cpu_detect_cache_sizes");
	cause(work, &six, EVC_EBX);
	*kb = six.value[EVC_ECX] >> 16;
	*ret_known = (six.known[EVC_EBX] & six.known[EVC_ECX]) == UINT32_MAX;
	tlb->number = (six.value[EVC_EBX] >> 16 & 0xfff) + (six.value[EVC_EBX] & 0xfff);
}

void evc_linux_caches(struct evc_linux_work *work, struct evc_linux_value *size, struct evc_linux_value *tlb)
{
	struct caches caches = { .known = work->level_known };
	bool intels = work->vendor == EVC_LINUX_VENDOR_INTEL || work->vendor == EVC_LINUX_VENDOR_CENTAUR ||
	              work->vendor == EVC_LINUX_VENDOR_ZHAOXIN;
	uint64_t kb = 0;
	bool known = true;

	if (intels) {
		unsigned n;

		evc_linux_line_begin(work, EVC_LINUX_CACHE_SIZE, "cacheinfo.c:init_intel_cacheinfo");
		n = work->level > 3 ? deterministic(work, &caches) : 0;

		if (!n && work->level > 1)
			described(work, &caches);
		kb = caches.kb[L3]   ? caches.kb[L3]
		     : caches.kb[L2] ? caches.kb[L2]
		                     : caches.kb[L1_CODE] + caches.kb[L1_DATA];
		known = caches.known;
	}
	if (!intels || !caches.kb[L2]) {
		bool extended_known;

		evc_linux_line_begin(work, EVC_LINUX_CACHE_SIZE, "common.c:cpu_detect_cache_sizes");
		extended(work, &kb, tlb, &extended_known);
		known = known && extended_known;
	}
	evc_linux_line_end(work);
	if (!work->vendor_known)
		known = false;
	size->number = (int64_t)kb;
	evc_linux_show_if_positive(size, known);
	evc_linux_show_if_positive(tlb, known);
}

/* Lines that are left out when there is nothing to say. */
void evc_linux_show_if_positive(struct evc_linux_value *value, bool known)
{
	value->known.truth = known ? EVC_PRESENT : EVC_UNSURE;
	value->shown.truth = !known ? EVC_UNSURE : value->number > 0 ? EVC_PRESENT : EVC_ABSENT;
}
