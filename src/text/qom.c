/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From QEMU's properties of a vCPU to a dump.
 *
 * "feature-words" holds the registers of feature bits after all filtering, as the guest reads them, but for
 * the bits that the guest's own doing switches (OSXSAVE, OSPKE) and those that QEMU adds for the topology
 * (HT, CMP_LEGACY).  Numbers are properties of their own: level, xlevel, family, phys-bits. MSRs have no
 * words; each of their bits is a property.  A feature for which this QEMU has no property, and a later one
 * has, is never shown (see data/qemu.txt), so it is known to be absent.
 *
 * Families, models, steppings, vendors and model ids may be changed by qom-set while the guest runs;
 * under KVM the guest then goes on seeing what it was started with (QEMU's own emulation shows the new value
 * at once).  Nobody who wishes a guest well does that, and it cannot be seen from outside.
 */
#include "text/qom.h"

#include "core/cpu.h"
#include "core/qemu.h"

#include <string.h>

enum {
	BRAND_SIZE = 48,
	VENDOR_SIZE = 12,
	HYPERVISOR_RANGE = 0x40000000,
	CLFLUSH_SIZE = 64 / 8, /* in units of 8 bytes */
	AVX_SIZE = 256,
	AVX_OFFSET = 576,
};

struct source {
	const json_t *properties;
	const struct evc_qom_machine *machine;
	struct evc_dump_builder *builder;
};

bool evc_qom_is_model(const char *name, const char *type)
{
	static const char *const no_values[] = { "child<", "link<", "X86CPUFeatureWordInfo",
		                                 "GuestPanicInformation" };
	static const char *const own[] = {
		"apic-id",
		"cluster-id",
		"core-id",
		"die-id",
		"hotpluggable",
		"hotplugged",
		"id",
		"module-id",
		"node-id",
		"realized",
		"socket-id",
		"thread-id",
		"legacy-memory",
		"start-powered-off",
		"unavailable-features",
	};

	for (size_t i = 0; i < sizeof(no_values) / sizeof(no_values[0]); i++)
		if (!strncmp(type, no_values[i], strlen(no_values[i])))
			return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcmp(name, own[i]))
			return false;
	return true;
}

static const char *text_of(const json_t *properties, const char *name)
{
	return json_string_value(json_object_get(properties, name));
}

/* A property that is a whole number from 0 to max; false when it is not there or anything else. */
static bool number_of(const json_t *properties, const char *name, uint64_t max, uint64_t *ret_value)
{
	const json_t *value = json_object_get(properties, name);

	if (!json_is_number(value) || json_number_value(value) < 0 || json_number_value(value) > (double)max)
		return false;
	*ret_value = json_is_integer(value) ? (uint64_t)json_integer_value(value)
	                                    : (uint64_t)json_number_value(value);
	return *ret_value <= max;
}

static bool is_on(const json_t *properties, const char *name)
{
	return json_is_true(json_object_get(properties, name));
}

/* Some bits of one register become known. */
static void put(struct evc_dump_builder *builder, struct evc_bit at, uint64_t value, uint64_t known)
{
	struct evc_leaf leaf = { .leaf = at.leaf, .subleaf = at.subleaf };

	if (at.reg == EVC_MSR)
		return;
	leaf.value[at.reg] = (uint32_t)(value & known);
	leaf.known[at.reg] = (uint32_t)known;
	evc_dump_set_bits(builder, &leaf);
}

/* The value of a feature's place. */
static void put_feature(struct evc_dump_builder *builder, enum evc_feature_id id, uint64_t value)
{
	struct evc_bit bit = evc_features[id].bit;

	put(builder, bit, value << bit.lo, evc_bit_mask(bit));
}

static bool hyperv(const json_t *properties)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)properties, name,
	                    value) if (!strncmp(name, "hv-", 3) && json_is_true(value)) return true;
	return false;
}

/* The bits of a register that the word does not decide, of those that it says are zero. */
static uint64_t undecided(const struct source *source, struct evc_bit at, uint64_t value)
{
	static const enum evc_feature_id by_guest[] = { EVC_F_OSXSAVE, EVC_F_OSPKE },
					 by_topology[] = { EVC_F_HT, EVC_F_CMP_LEGACY };
	uint64_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		enum evc_feature_id id = i < 2 ? by_guest[i] : by_topology[i - 2];
		struct evc_bit bit = evc_features[id].bit;

		if (bit.leaf == at.leaf && bit.subleaf == at.subleaf && bit.reg == at.reg &&
		    (i < 2 || source->machine->n_shared != 1))
			bits |= evc_bit_mask(bit) & ~value;
	}
	return bits;
}

static bool reg_from_name(const char *name, enum evc_reg *ret_reg)
{
	static const char *const names[] = {
		[EVC_EAX] = "EAX", [EVC_EBX] = "EBX", [EVC_ECX] = "ECX", [EVC_EDX] = "EDX"
	};

	for (unsigned reg = 0; name && reg < 4; reg++)
		if (!strcmp(name, names[reg])) {
			*ret_reg = (enum evc_reg)reg;
			return true;
		}
	return false;
}

/* One element of "feature-words". */
static bool take_word(const struct source *source, const json_t *word, bool shifted)
{
	uint32_t kvm = evc_features[EVC_F_KVMCLOCK].bit.leaf;
	uint64_t leaf, subleaf = 0, value;
	enum evc_reg reg;
	struct evc_bit at;

	if (!number_of(word, "cpuid-input-eax", UINT32_MAX, &leaf) ||
	    !number_of(word, "features", UINT32_MAX, &value) ||
	    !reg_from_name(text_of(word, "cpuid-register"), &reg) ||
	    (json_object_get(word, "cpuid-input-ecx") &&
	     !number_of(word, "cpuid-input-ecx", UINT32_MAX, &subleaf)))
		return false;
	at = (struct evc_bit){ .leaf = (uint32_t)leaf, .subleaf = (uint32_t)subleaf, .reg = reg, .hi = 31 };
	/* Where Hyper-V's leaves are, KVM's come after them. */
	if (shifted && at.leaf == kvm)
		at.leaf += 0x100;
	put(source->builder, at, value, UINT32_MAX & ~undecided(source, at, value));
	return true;
}

static bool take_words(const struct source *source)
{
	const json_t *words = json_object_get(source->properties, "feature-words");
	bool shifted = source->machine->kvm && hyperv(source->properties);

	for (size_t i = 0; i < json_array_size(words); i++)
		if (!take_word(source, json_array_get(words, i), shifted))
			return false;
	return json_array_size(words) > 0;
}

/* Four characters of a text that may be shorter, the first one lowest. */
static uint64_t characters(const char *text, size_t at)
{
	size_t length = strlen(text);
	uint64_t value = 0;

	for (size_t i = 0; i < 4 && at + i < length; i++)
		value |= (uint64_t)(unsigned char)text[at + i] << (8 * i);
	return value;
}

static bool take_identity(const struct source *source)
{
	const char *vendor = text_of(source->properties, "vendor"),
		   *brand = text_of(source->properties, "model-id");
	const struct evc_bit version = { .leaf = 1, .reg = EVC_EAX, .hi = 31 };
	uint64_t family, model, stepping;

	if (!vendor || strlen(vendor) > VENDOR_SIZE || !brand || strlen(brand) > BRAND_SIZE ||
	    !number_of(source->properties, "family", 0xf + 0xff, &family) ||
	    !number_of(source->properties, "model", 0xff, &model) ||
	    !number_of(source->properties, "stepping", 0xf, &stepping))
		return false;
	put_feature(source->builder, EVC_F_CPU_VENDORID_0, characters(vendor, 0));
	put_feature(source->builder, EVC_F_CPU_VENDORID_1, characters(vendor, 4));
	put_feature(source->builder, EVC_F_CPU_VENDORID_2, characters(vendor, 8));
	put(source->builder, version,
	    evc_signature_pack((unsigned)family, (unsigned)model, (unsigned)stepping), UINT32_MAX);
	for (unsigned i = 0; i < BRAND_SIZE / 4; i++)
		put_feature(source->builder, (enum evc_feature_id)(EVC_F_CPU_BRANDID_0 + i),
		            characters(brand, 4 * i));
	return true;
}

static bool take_levels(const struct source *source)
{
	const json_t *properties = source->properties;
	uint64_t level, xlevel, value;

	if (!number_of(properties, "level", UINT32_MAX, &level) ||
	    !number_of(properties, "xlevel", UINT32_MAX, &xlevel))
		return false;
	put_feature(source->builder, EVC_F_MAX_STD_LEAF, level);
	put_feature(source->builder, EVC_F_MAX_EXT_LEAF, xlevel);
	if (number_of(properties, "level-func7", UINT32_MAX, &value))
		put_feature(source->builder, EVC_F_LEAF7_N_SUBLEAVES, value);
	return true;
}

/* Linear addresses have as many bits as paging has levels for: 4 levels, 5 with LA57. */
static void take_widths(const struct source *source)
{
	const json_t *properties = source->properties;
	uint64_t phys, guest;

	if (number_of(properties, "phys-bits", 64, &phys) && phys)
		put_feature(source->builder, EVC_F_PHYS_ADDR_BITS, phys);
	if (is_on(properties, "lm"))
		put_feature(source->builder, EVC_F_VIRT_ADDR_BITS, is_on(properties, "la57") ? 57 : 48);
	if (!json_object_get(properties, "guest-phys-bits"))
		put_feature(source->builder, EVC_F_GUEST_PHYS_ADDR_BITS, 0);
	else if (number_of(properties, "guest-phys-bits", 64, &guest))
		put_feature(source->builder, EVC_F_GUEST_PHYS_ADDR_BITS, guest);
}

/*
 * May leaf 5 be the host's?  Only for a model that takes what the host has, under KVM, and with power left to
 * the guest, which shows it MONITOR.
 */
static bool has_hosts_monitor(const struct source *source)
{
	const char *type = text_of(source->properties, "type");
	bool takes_host = !type || !strncmp(type, "host-", 5) || !strncmp(type, "max-", 4);

	return takes_host && source->machine->kvm &&
	       !json_is_false(json_object_get(source->properties, "monitor"));
}

/*
 * What QEMU writes whatever the model (7.2, 10.0 and 11.1 alike): lines of 64 bytes; leaf 5 that tells of
 * extensions alone, unless a model takes the host's; feature leaves whose registers are words or empty, and
 * AVX's state, which has the same size and place on all CPUs (SDM1:13.5.2).
 */
static void take_constants(const struct source *source)
{
	static const struct evc_leaf words_or_zero[] = {
		{ .leaf = 6, .known = { 0, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
		{ .leaf = 7, .subleaf = 1, .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
		{ .leaf = 7, .subleaf = 2, .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
		{ .leaf = 0x80000001, .known = { 0, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
		{ .leaf = 0x80000007, .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
		{ .leaf = 0x80000008, .known = { 0, UINT32_MAX, 0, UINT32_MAX } },
		{ .leaf = 0x8000001a, .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
	};
	struct evc_leaf monitor = { .leaf = 5 };

	for (size_t i = 0; i < sizeof(words_or_zero) / sizeof(words_or_zero[0]); i++)
		evc_dump_set_bits(source->builder, &words_or_zero[i]);
	for (int reg = 0; reg < 4 && !has_hosts_monitor(source); reg++)
		monitor.known[reg] = UINT32_MAX;
	evc_dump_set_bits(source->builder, &monitor);
	if (!has_hosts_monitor(source)) {
		put_feature(source->builder, EVC_F_MWAIT_EXT, 1);
		put_feature(source->builder, EVC_F_MWAIT_IRQ_BREAK, 1);
	}
	put_feature(source->builder, EVC_F_CLFLUSH_SIZE, CLFLUSH_SIZE);
	put_feature(source->builder, EVC_F_XSTATE_SIZE_AVX, AVX_SIZE);
	put_feature(source->builder, EVC_F_XSTATE_OFFSET_AVX, AVX_OFFSET);
}

static void put_empty(struct evc_dump_builder *builder, uint32_t leaf)
{
	const struct evc_leaf empty = { .leaf = leaf,
		                        .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } };

	evc_dump_set_bits(builder, &empty);
}

/*
 * Without nested virtualization its leaf is empty (with it QEMU writes revision and ASIDs), and so is that of
 * encryption for a guest that is not encrypted.
 */
static void take_switched(const struct source *source)
{
	if (json_is_false(json_object_get(source->properties, "svm")))
		put_empty(source->builder, evc_features[EVC_F_SVM_VERSION].bit.leaf);
	if (source->machine->plain)
		put_empty(source->builder, evc_features[EVC_F_PTE_CBIT_POS].bit.leaf);
}

/* Without counters their leaf is empty. */
static void take_counters(const struct source *source)
{
	struct evc_bit at = evc_features[EVC_F_PMU_VERSION].bit;

	if (!json_is_false(json_object_get(source->properties, "pmu")))
		return;
	for (unsigned reg = 0; reg < 4; reg++) {
		at.reg = (enum evc_reg)reg;
		put(source->builder, at, 0, UINT32_MAX);
	}
}

/* Who the hypervisor says it is.  Hyper-V's interface has a name of its own, which is not read here. */
static void take_hypervisor(const struct source *source)
{
	const char *name = source->machine->kvm ? "KVMKVMKVM" : "TCGTCGTCGTCG";
	bool shown = is_on(source->properties, source->machine->kvm ? "kvm" : "tcg-cpuid");

	if (!shown || (source->machine->kvm && hyperv(source->properties)))
		return;
	put_feature(source->builder, EVC_F_HYPERVISOR_ID_0, characters(name, 0));
	put_feature(source->builder, EVC_F_HYPERVISOR_ID_1, characters(name, 4));
	put_feature(source->builder, EVC_F_HYPERVISOR_ID_2, characters(name, 8));
}

/*
 * Features that have a property in some QEMU: what this one says of those in MSRs, and of all that it has
 * no property for, that it cannot show them.
 */
static void take_properties(const struct source *source)
{
	struct evc_msr msr = { 0 };

	for (unsigned i = 0; i < EVC_N_FEATURES; i++) {
		enum evc_feature_id id = (enum evc_feature_id)i;
		struct evc_bit bit = evc_features[id].bit;
		const json_t *value = json_object_get(source->properties, evc_feature_name_in(id, "qemu"));
		uint64_t mask = evc_bit_mask(bit);

		if (!evc_qemu_properties[id].since ||
		    (bit.reg == EVC_MSR && value && !json_is_boolean(value)))
			continue;
		if (bit.reg != EVC_MSR) {
			/* the hypervisor's leaves may be elsewhere */
			if (!value && bit.leaf >> 16 != HYPERVISOR_RANGE >> 16)
				put(source->builder, bit, 0, mask);
			continue;
		}
		/* the table is sorted by place: the bits of one MSR come one after the other */
		if (msr.index != bit.leaf)
			msr = (struct evc_msr){ .index = bit.leaf };
		msr.value |= json_is_true(value) ? mask : 0;
		msr.known |= mask;
		evc_dump_set_msr(source->builder, msr.index, msr.value, msr.known);
	}
}

int evc_qom_dump(const json_t *properties, const struct evc_qom_machine *machine, struct evc_arena *arena,
                 struct evc_dump *ret_dump, struct evc_error *err)
{
	struct evc_dump_builder builder;
	const struct source source = { .properties = properties, .machine = machine, .builder = &builder };
	struct evc_dump dump;
	int status;

	evc_dump_begin(&builder, arena);
	take_constants(&source);
	take_properties(&source);
	take_widths(&source);
	take_counters(&source);
	take_switched(&source);
	take_hypervisor(&source);
	if (!take_words(&source) || !take_levels(&source) || !take_identity(&source))
		return evc_fail(
			err, EVC_ERR_INPUT,
			"expected the properties of an x86 vCPU: feature-words, level, family and others");
	status = evc_dump_finish(&builder, &dump, err);
	if (status < 0)
		return status;
	dump.n_alike = machine->n_alike;
	*ret_dump = dump;
	return EVC_OK;
}

int evc_qom_states(const struct evc_dump *guest, const struct evc_dump *like, struct evc_arena *arena,
                   struct evc_dump *ret_dump, struct evc_error *err)
{
	enum { FIRST = 2, LAST = 31 };
	struct evc_bit at = evc_features[EVC_F_XCR0_X87].bit;
	uint64_t known, states = evc_dump_register(guest, at.leaf, at.subleaf, EVC_EAX, &known);
	struct evc_dump_builder builder;
	struct evc_dump dump;
	int status;

	evc_dump_begin(&builder, arena);
	evc_dump_copy(&builder, guest);
	for (uint32_t n = FIRST; n <= LAST; n++) {
		struct evc_leaf leaf;

		if (!(states >> n & 1))
			continue;
		evc_dump_leaf(like, at.leaf, n, &leaf);
		evc_dump_set_bits(&builder, &leaf);
	}
	status = evc_dump_finish(&builder, &dump, err);
	if (status < 0)
		return status;
	dump.cpu = guest->cpu;
	dump.n_alike = guest->n_alike;
	*ret_dump = dump;
	return EVC_OK;
}

uint32_t evc_qom_tsc_khz(const json_t *properties)
{
	uint64_t hz;

	return number_of(properties, "tsc-frequency", UINT64_C(1) << 62, &hz) ? (uint32_t)(hz / 1000) : 0;
}
