/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/target.h"

#include "core/qemu.h"

#include <string.h>

enum {
	BRAND_SIZE = 48,
	TCG_PHYS_BITS = 40,
	DEFAULT_PHYS_BITS = 40,
};

const struct evc_target *const evc_targets[] = { &evc_target_qemu, &evc_target_libvirt };
const size_t evc_n_targets = sizeof(evc_targets) / sizeof(evc_targets[0]);

const struct evc_target *evc_target_find(const char *name)
{
	for (size_t i = 0; i < evc_n_targets; i++)
		if (!strcmp(evc_targets[i]->name, name))
			return evc_targets[i];
	return NULL;
}

static void lose(struct evc_findings *findings, const struct evc_target_cpu *cpu, enum evc_feature_id id,
                 enum evc_severity severity, const char *detail)
{
	evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_TARGET_LOSS,
	                                                 .severity = severity,
	                                                 .cause = severity == EVC_BLOCKS ? EVC_CAUSE_QEMU
	                                                                                 : EVC_CAUSE_NONE,
	                                                 .feature = id,
	                                                 .subject = cpu->mode,
	                                                 .other = "qemu",
	                                                 .detail = detail });
}

/* Why this QEMU has no property for the feature. */
static const char *why_not_named(struct evc_arena *arena, enum evc_feature_id id, unsigned version)
{
	unsigned since = evc_qemu_properties[id].since;

	if (!since)
		return "no QEMU has a property for it";
	return evc_arena_printf(arena, "QEMU %u.%u has no property for it, %u.%u has", version / 100,
	                        version % 100, since / 100, since % 100);
}

static void explain_losses(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                           struct evc_findings *findings)
{
	EVC_SET_FOREACH(id, &cpu->features)
	{
		if (evc_set_has(&evc_qemu_automatic, id) || evc_set_has(&evc_qemu_supplied, id) ||
		    evc_set_has(&evc_qemu_unmigratable, id))
			continue;
		if (!evc_qemu_names(id, options->qemu))
			lose(findings, cpu, id, EVC_BLOCKS,
			     why_not_named(findings->arena, id, options->qemu));
		else if (options->accel == EVC_ACCEL_TCG && !evc_qemu_tcg_shows(id, options->qemu))
			lose(findings, cpu, id, EVC_WARNING,
			     evc_arena_printf(findings->arena, "QEMU %u.%u cannot show it without KVM (TCG)",
			                      options->qemu / 100, options->qemu % 100));
	}
}

struct evc_set evc_target_expressible(const struct evc_target_cpu *cpu,
                                      const struct evc_target_options *options, struct evc_findings *findings)
{
	struct evc_set wanted = evc_set_minus(&evc_qemu_supplied, &cpu->withheld);
	struct evc_set result = { 0 };

	explain_losses(cpu, options, findings);
	wanted = evc_set_or(&wanted, &cpu->features);
	wanted = evc_set_minus(&wanted, &evc_qemu_automatic);
	wanted = evc_set_minus(&wanted, &evc_qemu_unmigratable);
	EVC_SET_FOREACH(id, &wanted)
	{
		if (!evc_qemu_names(id, options->qemu))
			continue;
		if (options->accel == EVC_ACCEL_TCG && !evc_qemu_tcg_shows(id, options->qemu))
			continue;
		evc_set_add(&result, id);
	}
	return result;
}

unsigned evc_target_level_func7(const struct evc_set *features)
{
	uint32_t leaf = evc_features[EVC_F_AVX2].bit.leaf;
	unsigned highest = 0;

	EVC_SET_FOREACH(id, features)
	{
		struct evc_bit bit = evc_features[id].bit;

		if (bit.reg != EVC_MSR && bit.leaf == leaf && bit.subleaf > highest)
			highest = bit.subleaf;
	}
	return highest;
}

const char *evc_target_machine(const struct evc_target_options *options, struct evc_arena *arena)
{
	const char *machine = options->machine;

	if (!machine)
		machine = evc_arena_printf(arena, "pc-q35-%u.%u", options->qemu / 100, options->qemu % 100);
	return machine ? machine : "";
}

const char *evc_target_brand(const struct evc_target_cpu *cpu, struct evc_findings *findings)
{
	size_t length = strnlen(cpu->brand, BRAND_SIZE);
	char *text = evc_arena_string(findings->arena, cpu->brand, length);
	bool changed = false;

	if (!text)
		return "";
	for (char *c = text; *c; c++)
		if (*c == ',' || *c == '\'' || (unsigned char)*c < ' ') {
			*c = ' ';
			changed = true;
		}
	if (changed || cpu->brand[length])
		evc_findings_add(findings,
		                 (struct evc_finding){ .kind = EVC_FINDING_TARGET_LOSS,
		                                       .severity = EVC_NOTE,
		                                       .feature = EVC_N_FEATURES,
		                                       .subject = cpu->mode,
		                                       .other = "qemu",
		                                       .detail = "a brand string has no commas or quotes and "
		                                                 "at most 48 characters there" });
	return text;
}

unsigned evc_target_phys_bits(const struct evc_target_cpu *cpu, const struct evc_target_options *options)
{
	if (!evc_set_has(&cpu->features, EVC_F_LM))
		return 0;
	if (options->accel == EVC_ACCEL_TCG)
		return TCG_PHYS_BITS;
	return cpu->phys_bits ? cpu->phys_bits : DEFAULT_PHYS_BITS;
}
