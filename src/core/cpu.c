/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From registers to features.
 *
 * Decoding asks the dump for each leaf once and hands its bits to the features that live
 * there; the tables know where.  Two things are not in the tables: fields that are split over a
 * register (family, model) and strings, and two known lies of dumpers: a program that is not in
 * 64-bit mode reads Intel's SYSCALL bit as zero, although every CPU with long mode has it; and MSRs
 * of VMX that no CPU has.
 *
 * Truth is kept in two sets, has and known, with has within known.
 */
#include "core/cpu.h"

#include <string.h>

enum { MAX_VMX_REGION = 4096 };

enum evc_vendor evc_vendor_from_id(const char *vendor_id)
{
	static const struct {
		const char *id;
		enum evc_vendor vendor;
	} vendors[] = {
		{ .id = "GenuineIntel", .vendor = EVC_VENDOR_INTEL },
		{ .id = "GenuineIotel", .vendor = EVC_VENDOR_INTEL },
		{ .id = "AuthenticAMD", .vendor = EVC_VENDOR_AMD },
		{ .id = "HygonGenuine", .vendor = EVC_VENDOR_AMD },
		{ .id = "AMDisbetter!", .vendor = EVC_VENDOR_AMD },
		{ .id = "  Shanghai  ", .vendor = EVC_VENDOR_ZHAOXIN },
		{ .id = "CentaurHauls", .vendor = EVC_VENDOR_ZHAOXIN },
		{ .id = "VIA VIA VIA ", .vendor = EVC_VENDOR_ZHAOXIN },
		{ .id = "GenuineTMx86", .vendor = EVC_VENDOR_TRANSMETA },
		{ .id = "TransmetaCPU", .vendor = EVC_VENDOR_TRANSMETA },
	};

	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (!strcmp(vendor_id, vendors[i].id))
			return vendors[i].vendor;
	return EVC_VENDOR_OTHER;
}

uint32_t evc_signature_pack(unsigned family, unsigned model, unsigned stepping)
{
	unsigned base = family > 0xf ? 0xf : family;

	return (uint32_t)((stepping & 0xf) | (model & 0xf) << 4 | base << 8 | (model >> 4 & 0xf) << 16 |
	                  (family - base) << 20);
}

void evc_signature_unpack(uint32_t eax, unsigned *ret_family, unsigned *ret_model, unsigned *ret_stepping)
{
	unsigned family = eax >> 8 & 0xf, model = eax >> 4 & 0xf;

	/*
	 * SDM2A:CPUID lets the extended model count for families 6 and 15 only, but Zhaoxin's family 7 uses
	 * it as well; with linux:arch/x86/lib/cpu.c from 6 on.  AMD's rule agrees where it has CPUs.
	 */
	if (family >= 6)
		model |= (eax >> 16 & 0xf) << 4;
	if (family == 0xf)
		family += eax >> 20 & 0xff;
	*ret_family = family;
	*ret_model = model;
	*ret_stepping = eax & 0xf;
}

/* A register's four characters at a time, low byte first; a name is one line of ASCII, whatever a dump says.
 */
static void put_text(char *text, uint64_t reg)
{
	for (int i = 0; i < 4; i++) {
		unsigned char c = reg >> (8 * i) & 0xff;

		text[i] = (char)((c && c < 0x20) || c >= 0x7f ? '?' : c);
	}
}

static void trim(char *text)
{
	size_t length = strlen(text), skip = strspn(text, " ");

	memmove(text, text + skip, length - skip + 1);
	for (length -= skip; length && text[length - 1] == ' '; length--)
		text[length - 1] = '\0';
}

static void decode_vendor(const struct evc_dump *dump, struct evc_cpu *cpu)
{
	uint64_t known = UINT32_MAX, one, value;

	value = evc_dump_register(dump, 0, 0, EVC_EBX, &one);
	put_text(cpu->vendor_id, value);
	known &= one;
	value = evc_dump_register(dump, 0, 0, EVC_EDX, &one);
	put_text(cpu->vendor_id + 4, value);
	known &= one;
	value = evc_dump_register(dump, 0, 0, EVC_ECX, &one);
	put_text(cpu->vendor_id + 8, value);
	known &= one;
	if (known != UINT32_MAX)
		cpu->vendor_id[0] = '\0';
	cpu->vendor = evc_vendor_from_id(cpu->vendor_id);
}

/* Is the text known up to a NUL in this register?  What follows it means nothing. */
static bool ends_known(uint32_t value, uint32_t known)
{
	for (int i = 0; i < 4; i++) {
		if ((known >> (8 * i) & 0xff) != 0xff)
			return false;
		if (!(value >> (8 * i) & 0xff))
			return true;
	}
	return false;
}

static void decode_brand(const struct evc_dump *dump, struct evc_cpu *cpu)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct evc_leaf leaf;

		evc_dump_leaf(dump, 0x80000002 + i, 0, &leaf);
		for (int reg = 0; reg < 4; reg++) {
			if (leaf.known[reg] != UINT32_MAX && !ends_known(leaf.value[reg], leaf.known[reg])) {
				cpu->brand[0] = '\0';
				return;
			}
			put_text(cpu->brand + 16 * i + 4 * reg, leaf.value[reg]);
			if (leaf.known[reg] != UINT32_MAX) {
				trim(cpu->brand);
				return;
			}
		}
	}
	trim(cpu->brand);
}

static void decode_hypervisor(const struct evc_dump *dump, struct evc_cpu *cpu)
{
	static const enum evc_reg order[] = { EVC_EBX, EVC_ECX, EVC_EDX };
	uint64_t known;

	if (evc_cpu_truth(cpu, EVC_F_HYPERVISOR) != EVC_PRESENT)
		return;
	cpu->max_hypervisor = evc_dump_highest(dump, 0x40000000);
	for (int i = 0; i < 3; i++)
		put_text(cpu->hypervisor + 4 * i, evc_dump_register(dump, 0x40000000, 0, order[i], &known));
}

static void decode_signature(const struct evc_dump *dump, struct evc_cpu *cpu)
{
	uint64_t known, eax = evc_dump_register(dump, 1, 0, EVC_EAX, &known);
	const uint64_t extended_family = 0xff00000;
	uint64_t parts = 0xf0fff | (((eax >> 8) & 0xf) == 0xf ? extended_family : 0);
	unsigned family, model, stepping;

	/* Family, model and stepping; the type is zero in every part that is sold. */
	cpu->identified = (known & parts) == parts;
	if (!cpu->identified)
		return;
	evc_signature_unpack((uint32_t)eax, &family, &model, &stepping);
	cpu->signature = (uint32_t)eax;
	cpu->family = (uint16_t)family;
	cpu->model = (uint16_t)model;
	cpu->stepping = (uint8_t)stepping;
	cpu->type = eax >> 12 & 3;
}

/* One register whose bits are all known, as nearly all are: no branch but for fields. */
static void decode_known(struct evc_cpu *cpu, const struct evc_register *place, uint64_t value)
{
	for (unsigned id = place->first, end = id + place->n; id < end; id++) {
		uint64_t bits = value & evc_feature_masks[id];

		cpu->has.word[id / 64] |= (uint64_t) !!bits << id % 64;
		if (evc_features[id].slot != EVC_NO_SLOT)
			cpu->value[evc_features[id].slot] = bits >> evc_features[id].bit.lo;
	}
}

/* A feature is known when all of its bits are. */
static void decode_partly(struct evc_cpu *cpu, const struct evc_register *place, uint64_t value,
                          uint64_t known)
{
	evc_set_drop_range(&cpu->known, place->first, place->n);
	for (unsigned id = place->first, end = id + place->n; id < end && known; id++) {
		struct evc_register one = { .first = (uint16_t)id, .n = 1 };

		if (~known & evc_feature_masks[id])
			continue;
		evc_set_add(&cpu->known, (enum evc_feature_id)id);
		decode_known(cpu, &one, value);
	}
}

/* For another vendor a place means something else, or nothing: such features are known not to be there. */
static void drop_foreign(struct evc_cpu *cpu)
{
	const struct evc_set *own = &evc_vendor_sets[__builtin_ctz(cpu->vendor)];

	for (int i = 0; i < EVC_SET_WORDS; i++) {
		cpu->has.word[i] &= own->word[i];
		cpu->known.word[i] |= ~own->word[i];
	}
	/* Behind the last feature there is nothing. */
	cpu->known.word[EVC_SET_WORDS - 1] &= UINT64_MAX >> (EVC_SET_WORDS * 64 - EVC_N_FEATURES);
	for (int slot = 0; slot < EVC_N_SLOTS; slot++)
		if (!evc_set_has(own, evc_slots[slot]))
			cpu->value[slot] = 0;
}

/* The table is sorted by place, so each leaf is asked for once. */
static void decode_features(const struct evc_dump *dump, struct evc_cpu *cpu)
{
	struct evc_dump_reader reader = { .dump = dump };
	struct evc_leaf leaf = { .leaf = UINT32_MAX };

	/* Nearly all is known: what is not is taken out. */
	memset(&cpu->known, 0xff, sizeof(cpu->known));
	for (size_t i = 0; i < evc_n_registers; i++) {
		const struct evc_register *place = &evc_registers[i];
		uint64_t value, known, all = UINT32_MAX;

		if (place->reg == EVC_MSR) {
			value = evc_dump_register(dump, place->leaf, 0, EVC_MSR, &known);
			all = UINT64_MAX;
		} else {
			if (leaf.leaf != place->leaf || leaf.subleaf != place->subleaf)
				evc_dump_reader_leaf(&reader, place->leaf, place->subleaf, &leaf);
			value = leaf.value[place->reg];
			known = leaf.known[place->reg];
		}
		if (known != all)
			decode_partly(cpu, place, value, known);
		else if (value)
			decode_known(cpu, place, value);
	}
	drop_foreign(cpu);
}

/*
 * A VMX control structure has 1 to 4096 bytes (SDM3:A.1), and every CPU with VMX says how many.  Some
 * programs that gather dumps store in these MSRs what they read last from another: then none of them tells
 * anything.
 */
static void doubt_vmx(const struct evc_dump *dump, struct evc_cpu *cpu)
{
	bool known;
	uint64_t size = evc_dump_get(dump, evc_features[EVC_F_VMX_BASIC_REGION_SIZE].bit, &known);

	if (!known || (size && size <= MAX_VMX_REGION))
		return;
	for (size_t i = evc_n_registers; i-- && evc_registers[i].reg == EVC_MSR;) {
		const struct evc_register *msr = &evc_registers[i];

		if (msr->leaf < EVC_MSR_VMX_FIRST || msr->leaf > EVC_MSR_VMX_LAST)
			continue;
		evc_set_drop_range(&cpu->known, msr->first, msr->n);
		evc_set_drop_range(&cpu->has, msr->first, msr->n);
		for (unsigned id = msr->first; id < (unsigned)msr->first + msr->n; id++)
			if (evc_features[id].slot != EVC_NO_SLOT)
				cpu->value[evc_features[id].slot] = 0;
	}
}

void evc_cpu_decode(const struct evc_dump *dump, struct evc_cpu *ret_cpu)
{
	*ret_cpu = (struct evc_cpu){ 0 };
	decode_vendor(dump, ret_cpu);
	decode_signature(dump, ret_cpu);
	decode_features(dump, ret_cpu);
	if (ret_cpu->vendor == EVC_VENDOR_INTEL && evc_set_has(&ret_cpu->has, EVC_F_VMX))
		doubt_vmx(dump, ret_cpu);
	if (ret_cpu->vendor == EVC_VENDOR_INTEL && evc_set_has(&ret_cpu->has, EVC_F_LM)) {
		evc_set_add(&ret_cpu->has, EVC_F_SYSCALL);
		evc_set_add(&ret_cpu->known, EVC_F_SYSCALL);
	}
	decode_brand(dump, ret_cpu);
	decode_hypervisor(dump, ret_cpu);
	ret_cpu->max_basic = evc_dump_highest(dump, 0);
	ret_cpu->max_extended = evc_dump_highest(dump, 0x80000000);
}

void evc_cpu_decode_host(const struct evc_host *host, struct evc_cpu *ret_cpu)
{
	if (!host->n_cpus) {
		*ret_cpu = (struct evc_cpu){ .vendor = EVC_VENDOR_OTHER };
		return;
	}
	evc_cpu_decode(&host->cpus[0], ret_cpu);
	for (size_t i = 1; i < host->n_cpus; i++) {
		struct evc_cpu other, level;

		evc_cpu_decode(&host->cpus[i], &other);
		level = *ret_cpu;
		evc_cpu_level_part(&level);
		evc_cpu_level_part(&other);
		evc_cpu_merge(&level, &other);
		/* The identity stays the first CPU's; what is levelled is all CPUs'. */
		for (int w = 0; w < EVC_SET_WORDS; w++) {
			uint64_t kept =
				evc_rule_sets[EVC_RULE_OWN].word[w] | evc_rule_sets[EVC_RULE_CALC].word[w];

			ret_cpu->has.word[w] = (ret_cpu->has.word[w] & kept) | level.has.word[w];
			ret_cpu->known.word[w] = (ret_cpu->known.word[w] & kept) | level.known.word[w];
		}
		ret_cpu->differs = level.differs;
		memcpy(ret_cpu->value, level.value, sizeof(level.value));
	}
}

enum evc_truth evc_cpu_truth(const struct evc_cpu *cpu, enum evc_feature_id id)
{
	if (!evc_set_has(&cpu->known, id))
		return EVC_UNSURE;
	return evc_set_has(&cpu->has, id) ? EVC_PRESENT : EVC_ABSENT;
}

bool evc_cpu_value(const struct evc_cpu *cpu, enum evc_feature_id id, uint64_t *ret_value)
{
	int slot = evc_features[id].slot;

	if (slot == EVC_NO_SLOT || !evc_set_has(&cpu->known, id))
		return false;
	*ret_value = cpu->value[slot];
	return true;
}
