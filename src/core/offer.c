/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a host to what its KVM and QEMU can show a guest.
 *
 * The answer per feature comes from KVM itself where it was captured, else from the rules
 * (core/kvm_rules.h); QEMU's layer lies over both.  The offer's dump is then written register by
 * register: bits of features as answered, fields of leaves that pass as the host has them, all else
 * zero, as KVM does with what it does not know.  What nobody knows is not known in the dump, and so
 * not in the cpu that is decoded from it.
 */
#include "core/offer.h"

#include "core/kvm_rules.h"
#include "core/qemu.h"

#include <string.h>

enum {
	NEWEST_QEMU = 9999,
	LEAF_KVM = 0x40000000,
	LEAF_KVM_FEATURES = 0x40000001,
};

/* One offer in the making. */
struct work {
	const struct evc_host *host;
	struct evc_cpu raw;
	struct evc_kvm_machine machine;
	struct evc_kvm_answer answer;
	const struct evc_dump *fields; /* the dump whose fields pass */
	uint32_t components;           /* XSAVE components that may be offered */
	struct evc_dump_builder builder;
	bool assumed_kernel, assumed_qemu;
};

static bool given(const char *text)
{
	return text && text[0];
}

static int set_up(struct work *work, const struct evc_offer_options *options, struct evc_error *err)
{
	const struct evc_facts *facts = &work->host->facts;
	struct evc_kvm_machine *machine = &work->machine;

	machine->raw = &work->raw;
	machine->microcode = facts->microcode;
	machine->nested = options->nested;
	work->assumed_kernel = !given(options->kernel) && !given(facts->kernel);
	if (!evc_kvm_kernels_from(given(options->kernel) ? options->kernel : facts->kernel,
	                          &machine->kernels)) {
		if (given(options->kernel))
			return evc_fail(err, EVC_ERR_USAGE, "not a kernel version: %s", options->kernel);
		work->assumed_kernel = true;
	}
	machine->qemu = NEWEST_QEMU;
	work->assumed_qemu = false;
	if (given(options->qemu)) {
		if (!evc_qemu_version(options->qemu, &machine->qemu))
			return evc_fail(err, EVC_ERR_USAGE, "not a QEMU version: %s", options->qemu);
	} else if (!given(facts->qemu) || !evc_qemu_version(facts->qemu, &machine->qemu)) {
		work->assumed_qemu = true;
	}
	if (given(options->options)) {
		if (!evc_kvm_options_from(options->options, machine))
			return evc_fail(err, EVC_ERR_USAGE, "not NAME=0 or NAME=1 of a KVM module: %s",
			                options->options);
	} else if (given(facts->kvm_options)) {
		/* As far as it can be read: a parameter nobody understands says nothing. */
		evc_kvm_options_from(facts->kvm_options, machine);
	}
	return EVC_OK;
}

/* KVM's own answer, bit by bit and whatever the vendor: AMD's bits on Intel's CPUs are its doing. */
static void take_answer(struct work *work)
{
	const struct evc_dump *kvm = work->host->kvm;
	uint64_t reg, reg_known;

	memset(&work->answer, 0, sizeof(work->answer));
	memset(work->answer.most, 0xff, sizeof(work->answer.most));
	memset(work->answer.least, 0xff, sizeof(work->answer.least));
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		struct evc_bit bit = evc_features[id].bit;
		uint64_t mask = evc_bit_mask(bit);

		reg = evc_dump_register(kvm, bit.leaf, bit.subleaf, bit.reg, &reg_known);
		if ((reg_known & mask) != mask)
			work->answer.may[id] = EVC_MAY_EITHER;
		else
			work->answer.may[id] = reg & mask ? EVC_MAY_YES : EVC_MAY_NO;
	}
	work->answer.max_basic = evc_dump_highest(kvm, 0);
	work->answer.max_extended = evc_dump_highest(kvm, 0x80000000);
}

/* Bits that guests are levelled by. */
static bool is_levelled(const struct evc_feature *feature)
{
	return feature->slot == EVC_NO_SLOT && evc_feature_is_bit(feature) &&
	       (feature->rule == EVC_RULE_AND || feature->rule == EVC_RULE_OR);
}

/*
 * What is answered by rules: in a register with levelled bits every bit, since KVM shows those that it
 * knows only; of what follows from others the mirrors in AMD's leaf.  The rest is fields, which pass.
 */
static bool is_answered(const struct evc_feature *feature, bool levelled)
{
	if (!evc_feature_is_bit(feature) || feature->slot != EVC_NO_SLOT)
		return false;
	if (feature->rule == EVC_RULE_CALC)
		return feature->bit.leaf == 0x80000001;
	return levelled;
}

static void find_components(struct work *work)
{
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		const struct evc_bit *bit = &evc_features[id].bit;

		if (bit->leaf == 0xd && evc_feature_is_bit(&evc_features[id]) && bit->lo < 32 &&
		    ((bit->subleaf == 0 && bit->reg == EVC_EAX) ||
		     (bit->subleaf == 1 && bit->reg == EVC_ECX)) &&
		    work->answer.may[id] & EVC_MAY_YES)
			work->components |= UINT32_C(1) << bit->lo;
	}
}

/* What passes of a register of the host. */
static uint32_t base_register(const struct work *work, uint32_t leaf, uint32_t subleaf, enum evc_reg reg,
                              uint32_t *ret_known)
{
	enum evc_may passes = evc_kvm_leaf_passes(&work->machine.kernels, leaf);
	uint64_t known, value;

	*ret_known = UINT32_MAX;
	if (passes == EVC_MAY_NO)
		return 0;
	if (leaf == 0xd && subleaf >= 2 && (subleaf >= 32 || !(work->components >> subleaf & 1)))
		return 0;
	value = evc_dump_register(work->fields, leaf, subleaf, reg, &known);
	if (work->fields != &work->host->cpus[0] && (known != UINT32_MAX || !value))
		value = evc_dump_register(&work->host->cpus[0], leaf, subleaf, reg, &known);
	if (passes == EVC_MAY_EITHER)
		known &= ~value;
	*ret_known = (uint32_t)known;
	return (uint32_t)(value & known);
}

static void put_limited(const struct work *work, const struct evc_feature *feature, uint32_t *value,
                        uint32_t *known)
{
	uint64_t most = work->answer.most[feature->slot], least = work->answer.least[feature->slot], field;
	uint32_t mask = (uint32_t)evc_bit_mask(feature->bit);

	if (most == UINT64_MAX && least == UINT64_MAX)
		return;
	if (!most) {
		*value &= ~mask;
		*known |= mask;
		return;
	}
	if ((*known & mask) != mask)
		return;
	field = evc_bit_get(feature->bit, *value);
	*value &= ~mask;
	if (field > least && least != most)
		*known &= ~mask;
	else
		*value |= (uint32_t)((field < most ? field : most) << feature->bit.lo);
}

static void put_bit(const struct work *work, unsigned id, uint64_t *value, uint64_t *known)
{
	uint64_t mask = evc_bit_mask(evc_features[id].bit);

	*value &= ~mask;
	*known |= mask;
	if (work->answer.may[id] == EVC_MAY_YES)
		*value |= mask;
	else if (work->answer.may[id] == EVC_MAY_EITHER)
		*known &= ~mask;
}

/* The features of one register of CPUID, from id on; returns the id after them. */
static unsigned put_register(const struct work *work, unsigned id, struct evc_leaf *leaf)
{
	const struct evc_bit *first = &evc_features[id].bit;
	uint64_t value, known;
	uint32_t base, base_known;
	unsigned end = id;
	bool levelled = false;

	base = base_register(work, first->leaf, first->subleaf, first->reg, &base_known);
	while (end < EVC_N_FEATURES && evc_features[end].bit.leaf == first->leaf &&
	       evc_features[end].bit.subleaf == first->subleaf && evc_features[end].bit.reg == first->reg)
		levelled |= is_levelled(&evc_features[end++]);
	for (unsigned i = id; i < end; i++)
		if (evc_features[i].slot != EVC_NO_SLOT && evc_features[i].vendors & work->raw.vendor)
			put_limited(work, &evc_features[i], &base, &base_known);
	value = base;
	known = base_known;
	/* Bits of other vendors first: where two share a place the host's own counts. */
	for (int own = 0; own < 2; own++)
		for (unsigned i = id; i < end; i++)
			if (own == !!(evc_features[i].vendors & work->raw.vendor) &&
			    (own || evc_features[i].rule != EVC_RULE_CALC) &&
			    is_answered(&evc_features[i], levelled))
				put_bit(work, i, &value, &known);
	leaf->value[first->reg] = (uint32_t)(value & known);
	leaf->known[first->reg] = (uint32_t)known;
	return end;
}

static bool above(const struct work *work, uint32_t leaf)
{
	if (leaf < 0x40000000)
		return work->answer.max_basic && leaf > work->answer.max_basic;
	if (leaf >> 16 == 0x8000)
		return work->answer.max_extended && leaf > work->answer.max_extended;
	return leaf >> 16 != 0x4000;
}

/* The first leaves of the three ranges state the highest. */
static void put_highest(struct work *work, struct evc_leaf *leaf)
{
	if (leaf->leaf == 0 && work->answer.max_basic)
		leaf->value[EVC_EAX] = work->answer.max_basic;
	if (leaf->leaf == 0x80000000 && work->answer.max_extended)
		leaf->value[EVC_EAX] = work->answer.max_extended;
}

static void put_leaves(struct work *work)
{
	unsigned id = 0;

	while (id < EVC_N_FEATURES && evc_features[id].bit.reg != EVC_MSR) {
		struct evc_leaf leaf = { .leaf = evc_features[id].bit.leaf,
			                 .subleaf = evc_features[id].bit.subleaf };

		for (int reg = 0; reg < 4; reg++)
			leaf.value[reg] = base_register(work, leaf.leaf, leaf.subleaf, (enum evc_reg)reg,
			                                &leaf.known[reg]);
		while (id < EVC_N_FEATURES && evc_features[id].bit.reg != EVC_MSR &&
		       evc_features[id].bit.leaf == leaf.leaf && evc_features[id].bit.subleaf == leaf.subleaf)
			id = put_register(work, id, &leaf);
		put_highest(work, &leaf);
		if (!above(work, leaf.leaf) && leaf.leaf != LEAF_KVM)
			evc_dump_set_bits(&work->builder, &leaf);
	}
	evc_dump_set_leaf(&work->builder, LEAF_KVM, 0,
	                  (const uint32_t[]){ LEAF_KVM_FEATURES, 0x4b4d564b, 0x564b4d56, 0x4d });
}

/* Leaves that pass and that no feature is in: further subleaves of caches, topology and so on. */
static void put_rest(struct work *work)
{
	const struct evc_dump *raw = &work->host->cpus[0];

	for (size_t i = 0; i < raw->n_leaves; i++) {
		const struct evc_leaf *from = &raw->leaves[i];
		struct evc_leaf leaf = { .leaf = from->leaf, .subleaf = from->subleaf };
		bool there = false;

		if (above(work, from->leaf) ||
		    evc_kvm_leaf_passes(&work->machine.kernels, from->leaf) == EVC_MAY_NO)
			continue;
		for (size_t j = 0; j < work->builder.n_leaves && !there; j++)
			there = work->builder.leaves[j].leaf == from->leaf &&
			        work->builder.leaves[j].subleaf == from->subleaf;
		if (there)
			continue;
		for (int reg = 0; reg < 4; reg++)
			leaf.value[reg] = base_register(work, leaf.leaf, leaf.subleaf, (enum evc_reg)reg,
			                                &leaf.known[reg]);
		evc_dump_set_bits(&work->builder, &leaf);
	}
}

static void put_msrs(struct work *work)
{
	unsigned id = 0;

	while (id < EVC_N_FEATURES && evc_features[id].bit.reg != EVC_MSR)
		id++;
	while (id < EVC_N_FEATURES) {
		uint32_t index = evc_features[id].bit.leaf;
		uint64_t value = 0, known = 0;

		for (; id < EVC_N_FEATURES && evc_features[id].bit.leaf == index; id++) {
			const struct evc_feature *feature = &evc_features[id];
			bool one;

			if (feature->rule == EVC_RULE_OWN)
				continue;
			if (evc_feature_is_bit(feature)) {
				put_bit(work, id, &value, &known);
				continue;
			}
			/* Fields: all of VMX, or the PMU's; without those the guest reads nothing. */
			if (!work->machine.nested || index < EVC_MSR_VMX_FIRST) {
				known |= evc_bit_mask(feature->bit);
				continue;
			}
			value |= evc_dump_get(work->fields, feature->bit, &one) << feature->bit.lo;
			if (one)
				known |= evc_bit_mask(feature->bit);
		}
		evc_dump_set_msr(&work->builder, index, value & known, known);
	}
}

/* A host with several kinds of CPU: fields are those that all kinds can give. */
static void merge_kinds(const struct work *work, struct evc_cpu *cpu)
{
	struct evc_cpu first;

	if (work->host->n_cpus < 2)
		return;
	evc_cpu_decode(&work->host->cpus[0], &first);
	cpu->differs = work->raw.differs;
	for (int slot = 0; slot < EVC_N_SLOTS; slot++) {
		enum evc_feature_id id = evc_slots[slot];

		if (!evc_set_has(&cpu->known, id) || cpu->value[slot] != first.value[slot])
			continue;
		cpu->value[slot] = work->raw.value[slot];
		if (!evc_set_has(&work->raw.known, id)) {
			evc_set_drop(&cpu->known, id);
			evc_set_drop(&cpu->has, id);
		} else if (!cpu->value[slot]) {
			evc_set_drop(&cpu->has, id);
		}
	}
}

static const char *tree_text(uint16_t trees, struct evc_arena *arena)
{
	const char *first = NULL, *last = NULL;

	for (size_t i = 0; i < evc_n_kvm_trees; i++) {
		if (!(trees >> i & 1))
			continue;
		first = first ? first : evc_kvm_trees[i].name;
		last = evc_kvm_trees[i].name;
	}
	if (!first || first == last)
		return first ? first : "";
	return evc_arena_printf(arena, "%s..%s", first, last);
}

static void note(struct evc_findings *findings, const struct evc_host *host, const char *detail)
{
	if (findings)
		evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_NOTE,
		                                                 .severity = EVC_NOTE,
		                                                 .feature = EVC_N_FEATURES,
		                                                 .subject = host->name,
		                                                 .detail = detail });
}

static void answer(struct work *work)
{
	if (work->host->kvm)
		take_answer(work);
	else
		evc_kvm_predict(&work->machine, &work->answer);
	evc_kvm_qemu_layer(&work->machine, &work->answer);
}

static int through_kvm(const struct evc_host *host, const struct evc_offer_options *options,
                       struct evc_arena *arena, struct evc_offer *offer, struct evc_findings *findings,
                       struct evc_error *err)
{
	struct work work = { .host = host, .fields = host->kvm ? host->kvm : &host->cpus[0] };
	int status;

	evc_cpu_decode_host(host, &work.raw);
	status = set_up(&work, options, err);
	if (status < 0)
		return status;
	answer(&work);
	find_components(&work);
	evc_dump_begin(&work.builder, arena);
	put_leaves(&work);
	put_rest(&work);
	put_msrs(&work);
	status = evc_dump_finish(&work.builder, &offer->dump, err);
	if (status < 0)
		return status;
	offer->dump.cpu = host->cpus[0].cpu;
	offer->dump.n_alike = host->cpus[0].n_alike;
	offer->dump.skips_zero = host->cpus[0].skips_zero;
	evc_cpu_decode(&offer->dump, &offer->cpu);
	merge_kinds(&work, &offer->cpu);
	offer->basis = host->kvm ? EVC_OFFER_MEASURED : EVC_OFFER_PREDICTED;
	if (!host->kvm) {
		offer->kernel_tree = tree_text(work.machine.kernels.trees, arena);
		if (work.assumed_kernel)
			note(findings, host,
			     work.assumed_qemu ? "kernel and QEMU are not known: taken as the newest known"
			                       : "the kernel is not known: taken as the newest known");
	}
	if (work.machine.qemu != NEWEST_QEMU)
		offer->qemu_tree = given(options->qemu) ? options->qemu : host->facts.qemu;
	return EVC_OK;
}

int evc_offer_make(const struct evc_host *host, const struct evc_offer_options *options,
                   struct evc_arena *arena, struct evc_offer *ret_offer, struct evc_findings *findings,
                   struct evc_error *err)
{
	struct evc_offer offer = { .basis = EVC_OFFER_GIVEN, .kernel_tree = "", .qemu_tree = "" };
	int status = EVC_OK;
	bool is_guest;

	if (!host->n_cpus) {
		*ret_offer = offer;
		return EVC_OK;
	}
	evc_cpu_decode_host(host, &offer.cpu);
	is_guest = evc_set_has(&offer.cpu.has, EVC_F_HYPERVISOR) && !host->kvm;
	if (options->view == EVC_VIEW_RAW || (options->view == EVC_VIEW_AUTO && is_guest))
		offer.dump = host->cpus[0];
	else
		status = through_kvm(host, options, arena, &offer, findings, err);
	if (!status)
		*ret_offer = offer;
	return status;
}

static bool asked(struct work *work, enum evc_feature_id id)
{
	evc_kvm_predict(&work->machine, &work->answer);
	return work->answer.may[id] & EVC_MAY_YES;
}

enum evc_cause evc_offer_cause(const struct evc_host *host, const struct evc_offer_options *options,
                               const struct evc_offer *offer, enum evc_feature_id id)
{
	struct work work = { .host = host };
	struct evc_kvm_kernels newest;
	bool yes;

	if (evc_cpu_truth(&offer->cpu, id) != EVC_ABSENT || offer->basis == EVC_OFFER_GIVEN || !host->n_cpus)
		return EVC_CAUSE_NONE;
	evc_cpu_decode_host(host, &work.raw);
	if (!(evc_features[id].vendors & work.raw.vendor))
		return EVC_CAUSE_VENDOR;
	if (evc_cpu_truth(&work.raw, id) == EVC_ABSENT)
		return evc_set_has(&work.raw.has, EVC_F_HYPERVISOR) ? EVC_CAUSE_NESTED : EVC_CAUSE_NONE;
	if (set_up(&work, options, NULL) < 0)
		return EVC_CAUSE_NONE;
	if (host->kvm) {
		take_answer(&work);
		yes = work.answer.may[id] & EVC_MAY_YES;
	} else {
		yes = asked(&work, id);
	}
	if (yes)
		return (id == EVC_F_VMX || id == EVC_F_SVM) && !options->nested ? EVC_CAUSE_OPTION
		                                                                : EVC_CAUSE_QEMU;
	evc_kvm_kernels_from(NULL, &newest);
	work.machine.kernels.trees |= newest.trees;
	if (asked(&work, id))
		return EVC_CAUSE_KERNEL;
	memset(work.machine.options, 0, sizeof(work.machine.options));
	return asked(&work, id) ? EVC_CAUSE_OPTION : EVC_CAUSE_NEVER;
}
