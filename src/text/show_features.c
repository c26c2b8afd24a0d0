/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups of features, and a leaf's registers with their meaning. */
#include "text/show.h"

#include <string.h>

/* In the order of printing: what people look for first. */
enum group {
	GROUP_BASIC,
	GROUP_EXTENDED,
	GROUP_VECTOR,
	GROUP_STATE,
	GROUP_MSR,
	GROUP_WARNINGS,
	GROUP_VIRTUALISATION,
	GROUP_HYPERVISOR,
	N_GROUPS = EVC_SHOW_GROUPS,
};

static const char *const group_names[N_GROUPS] = {
	[GROUP_WARNINGS] = "warnings",        [GROUP_HYPERVISOR] = "from the hypervisor",
	[GROUP_VIRTUALISATION] = "guests",    [GROUP_STATE] = "saved state",
	[GROUP_VECTOR] = "vectors",           [GROUP_BASIC] = "basic leaves",
	[GROUP_EXTENDED] = "extended leaves", [GROUP_MSR] = "registers (MSR)",
};

/* Add what needs a member, directly or over others, until nothing changes. */
static void add_dependents(struct evc_set *set)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < evc_n_needs; i++) {
			if (!evc_set_has(set, evc_needs[i].needs) || evc_set_has(set, evc_needs[i].feature))
				continue;
			evc_set_add(set, evc_needs[i].feature);
			more = true;
		}
	}
}

struct kin {
	struct evc_set vector, lm, guests;
};

static enum group group_of(enum evc_feature_id id, const struct kin *kin)
{
	const struct evc_feature *feature = &evc_features[id];

	if (feature->rule == EVC_RULE_OR)
		return GROUP_WARNINGS;
	if (evc_set_has(&kin->guests, id))
		return GROUP_VIRTUALISATION;
	if (evc_feature_is_msr(feature))
		return GROUP_MSR;
	if (feature->bit.leaf == evc_features[EVC_F_XSAVEOPT].bit.leaf)
		return GROUP_STATE;
	/* 64-bit mode needs SSE2 for its ABI only: what needs it does not compute in vectors. */
	if (evc_set_has(&kin->vector, id) && !evc_set_has(&kin->lm, id))
		return GROUP_VECTOR;
	if (feature->bit.leaf >= 0x80000000)
		return GROUP_EXTENDED;
	return feature->bit.leaf >= 0x40000000 ? GROUP_HYPERVISOR : GROUP_BASIC;
}

void evc_show_groups(const struct evc_cpu *cpu, struct evc_show_group ret_groups[static EVC_SHOW_GROUPS])
{
	struct kin kin = { 0 };

	evc_set_add(&kin.vector, EVC_F_MMX);
	evc_set_add(&kin.vector, EVC_F_SSE);
	evc_set_add(&kin.vector, EVC_F_AVX);
	add_dependents(&kin.vector);
	evc_set_add(&kin.lm, EVC_F_LM);
	add_dependents(&kin.lm);
	evc_set_add(&kin.guests, EVC_F_VMX);
	evc_set_add(&kin.guests, EVC_F_SVM);
	add_dependents(&kin.guests);
	for (unsigned i = 0; i < EVC_SHOW_GROUPS; i++)
		ret_groups[i] = (struct evc_show_group){ .name = group_names[i] };
	EVC_SET_FOREACH(id, &cpu->has)
	{
		if (evc_feature_is_bit(&evc_features[id]))
			evc_set_add(&ret_groups[group_of(id, &kin)].set, id);
	}
}

/* Does the feature live in this register of this leaf, for this vendor? */
static bool lives_in(const struct evc_feature *feature, const struct evc_leaf *leaf, unsigned reg,
                     unsigned vendor)
{
	return feature->bit.leaf == leaf->leaf && feature->bit.reg == (enum evc_reg)reg &&
	       feature->bit.subleaf <= leaf->subleaf && leaf->subleaf <= feature->subleaf_last &&
	       feature->vendors & vendor;
}

/* Fields with their values, then the bits that are set, one a line. */
static void put_register(const struct evc_leaf *leaf, unsigned reg, unsigned vendor, struct evc_sink *out)
{
	struct evc_set bits = { 0 };

	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		const struct evc_feature *feature = &evc_features[id];
		uint64_t value = evc_bit_get(feature->bit, leaf->value[reg]);

		if (!lives_in(feature, leaf, reg, vendor))
			continue;
		if (evc_feature_is_bit(feature)) {
			if (value)
				evc_set_add(&bits, (enum evc_feature_id)id);
			continue;
		}
		evc_sink_printf(out, "  %s[%u:%u]", evc_reg_name((enum evc_reg)reg), feature->bit.hi,
		                feature->bit.lo);
		evc_sink_pad(out, 8 - (feature->bit.hi > 9) - (feature->bit.lo > 9));
		evc_sink_printf(out, "%-28s %llu (0x%llx)\n", feature->name, (unsigned long long)value,
		                (unsigned long long)value);
	}
	EVC_SET_FOREACH(id, &bits)
	{
		struct evc_bit bit = evc_features[id].bit;

		evc_sink_printf(out, "  %s[%u]", evc_reg_name((enum evc_reg)reg), bit.lo);
		evc_sink_pad(out, 10 - (bit.lo > 9));
		evc_sink_printf(out, "%s\n", evc_features[id].name);
	}
}

static void put_head(struct evc_sink *out)
{
	evc_sink_puts(out, "leaf     subleaf   eax      ebx      ecx      edx\n");
}

static void put_leaf(const struct evc_dump *dump, const struct evc_leaf *leaf, struct evc_sink *out)
{
	evc_sink_printf(out, "%08x %08x ", leaf->leaf, leaf->subleaf);
	for (int reg = 0; reg < 4; reg++)
		evc_sink_printf(out, leaf->known[reg] ? " %08x" : " ????????", leaf->value[reg]);
	evc_sink_puts(out, evc_dump_is_junk(dump, leaf) ? "  above the highest leaf: ignored\n" : "\n");
}

void evc_show_leaf(const struct evc_host *host, uint32_t number, struct evc_sink *out)
{
	for (size_t i = 0; i < host->n_cpus; i++) {
		const struct evc_dump *dump = &host->cpus[i];
		struct evc_cpu cpu;

		if (host->n_cpus > 1)
			evc_sink_printf(out, "%sCPU %u, and %u like it\n", i ? "\n" : "", dump->cpu,
			                dump->n_alike - 1);
		evc_cpu_decode(dump, &cpu);
		for (size_t j = 0; j < dump->n_leaves; j++) {
			const struct evc_leaf *leaf = &dump->leaves[j];

			if (leaf->leaf != number)
				continue;
			put_head(out);
			put_leaf(dump, leaf, out);
			for (unsigned reg = 0; reg < 4 && !evc_dump_is_junk(dump, leaf); reg++)
				put_register(leaf, reg, cpu.vendor, out);
		}
	}
}

json_t *evc_show_leaf_json(const struct evc_dump *dump, const struct evc_leaf *leaf)
{
	json_t *object = json_object(), *registers = json_object();
	struct evc_sink text = { 0 };

	evc_sink_printf(&text, "%x.%x", leaf->leaf, leaf->subleaf);
	json_object_set_new(object, "leaf", json_string(text.text));
	for (int reg = 0; reg < 4; reg++) {
		evc_sink_clear(&text);
		evc_sink_printf(&text, "%08x", leaf->value[reg]);
		json_object_set_new(registers, evc_reg_name((enum evc_reg)reg),
		                    leaf->known[reg] ? json_string(text.text) : json_null());
	}
	evc_sink_free(&text);
	json_object_set_new(object, "registers", registers);
	json_object_set_new(object, "ignored", json_boolean(evc_dump_is_junk(dump, leaf)));
	return object;
}

void evc_show_raw(const struct evc_host *host, struct evc_sink *out)
{
	for (size_t i = 0; i < host->n_cpus; i++) {
		const struct evc_dump *dump = &host->cpus[i];

		evc_sink_printf(out, "%sCPU %u, and %u like it\n", i ? "\n" : "", dump->cpu,
		                dump->n_alike - 1);
		put_head(out);
		for (size_t j = 0; j < dump->n_leaves; j++)
			put_leaf(dump, &dump->leaves[j], out);
		for (size_t j = 0; j < dump->n_msrs; j++)
			evc_sink_printf(out, "%smsr %08x  %016llx\n", j ? "" : "\n", dump->msrs[j].index,
			                (unsigned long long)dump->msrs[j].value);
	}
}
