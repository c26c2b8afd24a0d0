/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Do the vCPUs of two QEMUs show the same?
 *
 *   words       each bit of the feature words, by the feature's name where it has one
 *   properties  what no word shows: numbers, names, caches, TSC, Hyper-V's values, pins
 *
 * All properties are compared but for those that say how QEMU came to its values (checked); a name
 * that is new tomorrow is thus compared, too.  QEMUs of different versions know different names.  One that
 * only one side knows counts as equal in three cases: it is a feature and off; its value is the one
 * that data/qemu.txt pins, which is how a QEMU without the property behaves; it belongs to the checked ones.
 * Else nobody knows, and that is a doubt.
 */
#include "core/plan-private.h"

#include "core/check.h"
#include "core/qemu.h"

#include <string.h>

/* How QEMU came to what it shows, and handles of this very process. */
static const char *const checked[] = {
	"check",
	"enforce",
	"full-cpuid-auto-level",
	"host-phys-bits",
	"host-phys-bits-limit",
	"hotpluggable",
	"hotplugged",
	"kvm-no-smi-migration",
	"migratable",
	"min-level",
	"min-xlevel",
	"min-xlevel2",
	"realized",
	"parent_bus",
	"start-powered-off",
	"x-force-features",
	"x-intel-pt-auto-level",
	"x-migrate-smi-count",
};

bool evc_plan_compares(const char *name)
{
	for (size_t i = 0; i < sizeof(checked) / sizeof(checked[0]); i++)
		if (!strcmp(checked[i], name))
			return false;
	return true;
}

static void feature_differs(struct evc_plan_comparison *c, enum evc_feature_id id, bool here)
{
	struct evc_set *said = here ? &c->lost : &c->gained;

	if (evc_set_has(said, id))
		return;
	evc_set_add(said, id);
	evc_findings_add(c->findings, (struct evc_finding){
					      .kind = here ? EVC_FINDING_LACKS : EVC_FINDING_SHOWS,
					      .severity = EVC_BLOCKS,
					      .feature = id,
					      .subject = c->to->name,
					      .other = c->from->name,
				      });
}

/* --- feature words --------------------------------------------------------------------------- */

/* Registers whose fields have a property each: they are compared, and named, as that. */
static bool has_property(uint32_t leaf, enum evc_reg reg)
{
	static const enum evc_feature_id ids[] = {
		EVC_F_MAX_STD_LEAF, EVC_F_CPU_VENDORID_0, EVC_F_CPU_VENDORID_1, EVC_F_CPU_VENDORID_2,
		EVC_F_STEPPING,     EVC_F_MAX_EXT_LEAF,   EVC_F_E_VENDORID_0,   EVC_F_E_VENDORID_1,
		EVC_F_E_VENDORID_2, EVC_F_E_STEPPING_ID,  EVC_F_PHYS_ADDR_BITS,
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (evc_features[ids[i]].bit.leaf == leaf && evc_features[ids[i]].bit.reg == reg)
			return true;
	return leaf >= evc_features[EVC_F_CPU_BRANDID_0].bit.leaf &&
	       leaf <= evc_features[EVC_F_CPU_BRANDID_11].bit.leaf;
}

/* The first feature that is this one bit. */
static enum evc_feature_id feature_at(uint32_t leaf, uint32_t subleaf, enum evc_reg reg, unsigned bit)
{
	for (unsigned i = 0; i < EVC_N_FEATURES; i++) {
		const struct evc_feature *feature = &evc_features[i];

		if (feature->bit.leaf == leaf && feature->bit.reg == reg && feature->bit.subleaf <= subleaf &&
		    subleaf <= feature->subleaf_last && feature->bit.lo == bit && feature->bit.hi == bit)
			return (enum evc_feature_id)i;
	}
	return EVC_N_FEATURES;
}

static void register_differs(struct evc_plan_comparison *c, const struct evc_leaf *at, enum evc_reg reg,
                             uint32_t here, uint32_t there)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		enum evc_feature_id id;
		char place[EVC_BIT_TEXT];

		if (!((here ^ there) >> bit & 1))
			continue;
		id = feature_at(at->leaf, at->subleaf, reg, bit);
		if (id < EVC_N_FEATURES) {
			feature_differs(c, id, here >> bit & 1);
			continue;
		}
		evc_bit_format((struct evc_bit){ .leaf = at->leaf,
		                                 .subleaf = at->subleaf,
		                                 .reg = reg,
		                                 .lo = (uint8_t)bit,
		                                 .hi = (uint8_t)bit },
		               place);
		evc_plan_differs(c, EVC_BLOCKS, evc_arena_string(c->findings->arena, place, strlen(place)),
		                 there >> bit & 1 ? "1" : "0", here >> bit & 1 ? "1" : "0");
	}
}

/* A word that one QEMU does not know is zero there. */
static void compare_leaf(struct evc_plan_comparison *c, const struct evc_leaf *here,
                         const struct evc_leaf *there, const struct evc_leaf *at)
{
	static const struct evc_leaf none;

	here = here ? here : &none;
	there = there ? there : &none;
	for (int i = EVC_EAX; i <= EVC_EDX; i++) {
		enum evc_reg reg = (enum evc_reg)i;

		if (!has_property(at->leaf, reg))
			register_differs(c, at, reg, here->value[reg], there->value[reg]);
	}
}

static void compare_words(struct evc_plan_comparison *c, const struct evc_dump *here,
                          const struct evc_dump *there)
{
	for (size_t i = 0; i < here->n_leaves; i++) {
		const struct evc_leaf *at = &here->leaves[i];

		compare_leaf(c, at, evc_dump_find(there, at->leaf, at->subleaf), at);
	}
	for (size_t i = 0; i < there->n_leaves; i++) {
		const struct evc_leaf *at = &there->leaves[i];

		if (!evc_dump_find(here, at->leaf, at->subleaf))
			compare_leaf(c, NULL, at, at);
	}
}

/* --- properties ------------------------------------------------------------------------------ */

const char *evc_plan_value(const struct evc_plan_properties *properties, const char *name)
{
	for (size_t i = 0; i < properties->n; i++)
		if (!strcmp(properties->items[i].name, name))
			return properties->items[i].value;
	return NULL;
}

static bool is_off(const char *value)
{
	return !strcmp(value, "false") || !strcmp(value, "off");
}

static bool is_on(const char *value)
{
	return !strcmp(value, "true") || !strcmp(value, "on");
}

/* Does a QEMU without this property behave as one that has it with this value? */
static bool is_as_without(const char *name, const char *value)
{
	enum evc_feature_id id;

	for (size_t i = 0; i < evc_n_qemu_pins; i++) {
		const char *pinned = evc_qemu_pins[i].value;

		if (!strcmp(evc_qemu_pins[i].name, name))
			return !strcmp(pinned, value) || (is_on(pinned) && is_on(value)) ||
			       (is_off(pinned) && is_off(value));
	}
	return is_off(value) && evc_feature_lookup(evc_span_from(name), "qemu", &id);
}

/* KVM lets a guest go on at another TSC frequency when it cannot set the guest's, and QEMU only warns. */
static void tsc_differs(struct evc_plan_comparison *c, const char *here, const char *there)
{
	uint64_t a, b;

	if (!evc_span_number(evc_span_from(here), UINT64_MAX, &a) ||
	    !evc_span_number(evc_span_from(there), UINT64_MAX, &b) || !a || !b) {
		evc_plan_differs(c, EVC_DOUBT, "tsc-frequency", there, here);
		return;
	}
	evc_plan_differs(c, evc_check_clocks_apart(a, b) ? EVC_DOUBT : EVC_NOTE, "tsc-frequency", there,
	                 here);
}

static void property_differs(struct evc_plan_comparison *c, const char *name, const char *here,
                             const char *there)
{
	enum evc_feature_id id;
	bool on_off = (is_on(here) || is_off(here)) && (is_on(there) || is_off(there));

	if (!strcmp(name, "tsc-frequency"))
		tsc_differs(c, here, there);
	else if (!strcmp(name, "type"))
		evc_plan_differs(c, EVC_NOTE, "the name of the CPU model", there, here);
	else if (on_off && evc_feature_lookup(evc_span_from(name), "qemu", &id))
		feature_differs(c, id, is_on(here));
	else
		evc_plan_differs(c, EVC_BLOCKS, name, there, here);
}

static void property_alone(struct evc_plan_comparison *c, const struct evc_plan_property *property,
                           const struct evc_plan_side *knows, const struct evc_plan_side *other)
{
	enum evc_feature_id id;

	if (is_as_without(property->name, property->value))
		return;
	if (is_on(property->value) && evc_feature_lookup(evc_span_from(property->name), "qemu", &id)) {
		feature_differs(c, id, knows == c->from);
		return;
	}
	evc_plan_note(c, EVC_DOUBT, other,
	              evc_arena_printf(c->findings->arena, "QEMU %s has no %s, which is %s at %s",
	                               other->qemu, property->name, property->value, knows->name));
}

void evc_plan_compare_properties(struct evc_plan_comparison *c, const struct evc_plan_properties *here,
                                 const struct evc_plan_properties *there)
{
	size_t i = 0, j = 0;

	while (i < here->n || j < there->n) {
		int order = i == here->n    ? 1
		            : j == there->n ? -1
		                            : strcmp(here->items[i].name, there->items[j].name);
		const struct evc_plan_property *a = &here->items[i], *b = &there->items[j];

		i += order <= 0;
		j += order >= 0;
		if (!evc_plan_compares(order <= 0 ? a->name : b->name))
			continue;
		if (order < 0)
			property_alone(c, a, c->from, c->to);
		else if (order > 0)
			property_alone(c, b, c->to, c->from);
		else if (strcmp(a->value, b->value) != 0)
			property_differs(c, a->name, a->value, b->value);
	}
}

/* --- vCPUs ----------------------------------------------------------------------------------- */

/* Without these there was no answer, and equal silence is not equality. */
static bool is_readable(struct evc_plan_comparison *c, const struct evc_plan_side *side, size_t number)
{
	static const char *const wanted[] = { "family",   "model", "stepping", "vendor",
		                              "model-id", "level", "xlevel",   "phys-bits" };
	const struct evc_plan_vcpu *vcpu = &side->vcpus[number];
	bool readable = true;

	if (!vcpu->words.n_leaves) {
		evc_plan_note(c, EVC_DOUBT, side,
		              evc_arena_printf(c->findings->arena,
		                               "the feature words of vCPUs of kind %zu are not known",
		                               number));
		readable = false;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (evc_plan_value(&vcpu->properties, wanted[i]))
			continue;
		evc_plan_note(c, EVC_DOUBT, side,
		              evc_arena_printf(c->findings->arena, "%s of vCPUs of kind %zu is not known",
		                               wanted[i], number));
		readable = false;
	}
	return readable;
}

static size_t count(const struct evc_plan_side *side)
{
	size_t n = 0;

	for (size_t i = 0; i < side->n_vcpus; i++)
		n += side->vcpus[i].n_alike;
	return n;
}

void evc_plan_compare_vcpus(struct evc_plan_comparison *c)
{
	size_t n = c->from->n_vcpus < c->to->n_vcpus ? c->from->n_vcpus : c->to->n_vcpus;

	evc_plan_compare_number(c, "number of vCPUs", count(c->from), count(c->to));
	evc_plan_compare_number(c, "kinds of vCPUs", c->from->n_vcpus, c->to->n_vcpus);
	if (!n)
		evc_plan_note(c, EVC_DOUBT, c->from->n_vcpus ? c->to : c->from, "its vCPUs are not known");
	for (size_t i = 0; i < n; i++) {
		bool here = is_readable(c, c->from, i), there = is_readable(c, c->to, i);

		if (here && there)
			compare_words(c, &c->from->vcpus[i].words, &c->to->vcpus[i].words);
		evc_plan_compare_properties(c, &c->from->vcpus[i].properties, &c->to->vcpus[i].properties);
		if (n > 1)
			evc_plan_compare_number(c, "vCPUs of a kind", c->from->vcpus[i].n_alike,
			                        c->to->vcpus[i].n_alike);
	}
}
