/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/recipe.h"

#include "core/check.h"
#include "core/qemu.h"

#include <string.h>

const char *evc_recipe_brand(const struct evc_mode *mode, struct evc_arena *arena)
{
	char *text = evc_arena_string(arena, mode->label, strlen(mode->label)), *to = text;

	if (!text)
		return "";
	for (const char *from = mode->label; *from; from++)
		if (*from != '"' && *from != ',')
			*to++ = *from;
	*to = '\0';
	return text;
}

/* The lowest mode of the vendor that has all of the mode's features; NULL: none. */
static const struct evc_mode *lowest_above(const struct evc_modes *modes, const struct evc_mode *mode,
                                           unsigned vendor)
{
	for (size_t i = 0; i < modes->n; i++) {
		const struct evc_mode *other = modes->items[i];

		if (other->vendors == vendor && !other->keeps_signature && evc_mode_covers(other, mode))
			return other;
	}
	return NULL;
}

int evc_recipe_mode(const struct evc_modes *modes, const struct evc_mode *mode, unsigned version,
                    unsigned vendor, struct evc_arena *arena, struct evc_target_cpu *ret_cpu,
                    struct evc_error *err)
{
	const struct evc_mode *like = mode->keeps_signature ? lowest_above(modes, mode, vendor) : mode;

	if (!like && !vendor)
		return evc_fail(
			err, EVC_ERR_USAGE,
			"%s has no signature of its own: say with --host whose the guest is to have, or "
			"--vendor intel or amd",
			mode->key);
	if (!like)
		return evc_fail(err, EVC_ERR_USAGE, "no mode of that vendor has all of %s", mode->key);
	if (vendor && like->vendors != vendor)
		return evc_fail(err, EVC_ERR_USAGE, "%s is another vendor's than --vendor", mode->key);
	*ret_cpu = (struct evc_target_cpu){
		.features = evc_mode_version(mode, version)->features,
		.mode = mode->key,
		.vendor_id = like->vendors == EVC_VENDOR_INTEL ? "GenuineIntel" : "AuthenticAMD",
		.brand = evc_recipe_brand(mode, arena),
		.family = like->family.value,
		.model = like->model.value,
		.stepping = like->stepping.value,
		.max_basic = like->max_basic.value,
		.max_extended = like->max_extended.value,
	};
	return EVC_OK;
}

/* The hypervisor's own leaves are not the host's to give. */
static void take_features(const struct evc_cpu *guest, const struct evc_set *listed, unsigned qemu,
                          struct evc_target_cpu *cpu)
{
	struct evc_set bits = evc_set_or(&evc_rule_sets[EVC_RULE_AND], &evc_rule_sets[EVC_RULE_OR]);
	struct evc_set known = evc_set_and(&guest->known, &evc_qemu_supplied);

	bits = evc_set_and(&bits, &guest->has);
	/* The hypervisor and APIC bits are "own": not in a host's CPUID, or not as a guest has them. */
	known = evc_set_and(&known, &evc_rule_sets[EVC_RULE_AND]);
	cpu->withheld = evc_set_minus(&known, &guest->has);
	EVC_SET_FOREACH(id, &bits)
	if (evc_feature_is_bit(&evc_features[id]) && evc_features[id].bit.leaf >> 16 != 0x4000 &&
	    (evc_set_has(listed, id) || evc_qemu_names(id, qemu)))
		evc_set_add(&cpu->features, id);
}

int evc_recipe_make(const struct evc_dump *vcpu, const struct evc_mode *mode, unsigned qemu,
                    struct evc_arena *arena, struct evc_target_cpu *ret_cpu, struct evc_error *err)
{
	struct evc_cpu *guest = evc_arena_alloc(arena, sizeof(*guest));
	uint64_t bits = 0;

	if (!guest)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_cpu_decode(vcpu, guest);
	/* QEMU refuses a feature of an MSR that nothing announces; KVM tells of some on every CPU. */
	evc_check_settle(guest);
	evc_cpu_value(guest, EVC_F_PHYS_ADDR_BITS, &bits);
	*ret_cpu = (struct evc_target_cpu){
		.mode = mode->key,
		.vendor_id = guest->vendor_id,
		.brand = *guest->brand ? guest->brand : evc_recipe_brand(mode, arena),
		.family = guest->family,
		.model = guest->model,
		.stepping = guest->stepping,
		.max_basic = guest->max_basic,
		.max_extended = guest->max_extended,
		.phys_bits = (unsigned)bits,
	};
	/* Which version the guest has the offer decides: all versions' features are listed. */
	take_features(guest, &mode->versions[mode->n_versions - 1].features, qemu, ret_cpu);
	return EVC_OK;
}
