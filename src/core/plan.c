/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Will this guest be the same guest there?
 *
 * QEMU's migration stream holds memory, devices and registers, but neither CPUID nor the -cpu line:
 * after the move the guest sees what the destination was started with, and QEMU compares none of it.
 * A lesser CPU kills the guest, a greater or merely different one changes under its feet and is noticed
 * at the next reboot, or never.  So equality is demanded here, in both directions:
 *
 *   words       each bit of the feature words, by the feature's name where it has one
 *   properties  what no word shows: numbers, names, caches, TSC, Hyper-V's values, pins
 *   shape       machine type, memory, topology: what QEMU would refuse itself, but later
 *   devices     the same
 *
 * All properties are compared but for those that say how QEMU came to its values (checked); a name
 * that is new tomorrow is thus compared, too.  QEMUs of different versions know different names.  One that
 * only one side knows counts as equal in three cases: it is a feature and off; its value is the one
 * that data/qemu.txt pins, which is how a QEMU without the property behaves; it belongs to the checked ones.
 * Else nobody knows, and that is a doubt.
 *
 * "Back" is the same question about a QEMU that is started anew like the source.  Since the two are equal,
 * little is left: streams go from older to newer QEMUs by promise, the other way by luck.
 */
#include "core/plan.h"

#include "core/qemu.h"
#include "core/set.h"

#include <assert.h>
#include <string.h>

enum { TSC_TOLERANCE_PPM = 250 }; /* linux:arch/x86/kvm/x86.c, tsc_tolerance_ppm */

struct comparison {
	const struct evc_plan_side *from, *to;
	struct evc_findings *findings;
	struct evc_set lost, gained; /* features already reported */
};

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

/* The same sentence about the next vCPU is not said again. */
static void report(struct comparison *c, struct evc_finding finding)
{
	for (size_t i = 0; finding.detail && i < c->findings->n; i++) {
		const struct evc_finding *said = &c->findings->items[i];

		if (said->kind == finding.kind && !strcmp(said->detail, finding.detail) &&
		    !strcmp(said->subject, finding.subject) &&
		    !strcmp(said->other, finding.other ? finding.other : ""))
			return;
	}
	finding.feature = EVC_N_FEATURES;
	evc_findings_add(c->findings, finding);
}

static void add(struct comparison *c, enum evc_severity severity, const struct evc_plan_side *side,
                const char *detail)
{
	report(c, (struct evc_finding){ .kind = EVC_FINDING_NOTE,
	                                .severity = severity,
	                                .subject = side->name,
	                                .detail = detail });
}

/* The destination's value of a thing, and the source's. */
static void differs(struct comparison *c, enum evc_severity severity, const char *what, const char *there,
                    const char *here)
{
	report(c,
	       (struct evc_finding){
		       .kind = EVC_FINDING_CHANGES,
		       .severity = severity,
		       .subject = c->to->name,
		       .other = what,
		       .detail = evc_arena_printf(c->findings->arena, "%s where the guest has %s",
	                                          there[0] ? there : "nothing", here[0] ? here : "nothing"),
	       });
}

static void feature_differs(struct comparison *c, enum evc_feature_id id, bool here)
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

static void register_differs(struct comparison *c, const struct evc_leaf *at, enum evc_reg reg, uint32_t here,
                             uint32_t there)
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
		differs(c, EVC_BLOCKS, evc_arena_string(c->findings->arena, place, strlen(place)),
		        there >> bit & 1 ? "1" : "0", here >> bit & 1 ? "1" : "0");
	}
}

/* A word that one QEMU does not know is zero there. */
static void compare_leaf(struct comparison *c, const struct evc_leaf *here, const struct evc_leaf *there,
                         const struct evc_leaf *at)
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

static void compare_words(struct comparison *c, const struct evc_dump *here, const struct evc_dump *there)
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
static void tsc_differs(struct comparison *c, const char *here, const char *there)
{
	uint64_t a, b, apart;

	if (!evc_span_number(evc_span_from(here), UINT64_MAX, &a) ||
	    !evc_span_number(evc_span_from(there), UINT64_MAX, &b) || !a || !b) {
		differs(c, EVC_DOUBT, "tsc-frequency", there, here);
		return;
	}
	apart = a > b ? a - b : b - a;
	differs(c, apart / TSC_TOLERANCE_PPM > a / 1000000 ? EVC_DOUBT : EVC_NOTE, "tsc-frequency", there,
	        here);
}

static void property_differs(struct comparison *c, const char *name, const char *here, const char *there)
{
	enum evc_feature_id id;
	bool on_off = (is_on(here) || is_off(here)) && (is_on(there) || is_off(there));

	if (!strcmp(name, "tsc-frequency"))
		tsc_differs(c, here, there);
	else if (!strcmp(name, "type"))
		differs(c, EVC_NOTE, "the name of the CPU model", there, here);
	else if (on_off && evc_feature_lookup(evc_span_from(name), "qemu", &id))
		feature_differs(c, id, is_on(here));
	else
		differs(c, EVC_BLOCKS, name, there, here);
}

static void property_alone(struct comparison *c, const struct evc_plan_property *property,
                           const struct evc_plan_side *knows, const struct evc_plan_side *other)
{
	enum evc_feature_id id;

	if (is_as_without(property->name, property->value))
		return;
	if (is_on(property->value) && evc_feature_lookup(evc_span_from(property->name), "qemu", &id)) {
		feature_differs(c, id, knows == c->from);
		return;
	}
	add(c, EVC_DOUBT, other,
	    evc_arena_printf(c->findings->arena, "QEMU %s has no %s, which is %s at %s", other->qemu,
	                     property->name, property->value, knows->name));
}

static void compare_properties(struct comparison *c, const struct evc_plan_properties *here,
                               const struct evc_plan_properties *there)
{
	size_t i = 0, j = 0;

	while (i < here->n || j < there->n) {
		int order = i == here->n    ? 1
		            : j == there->n ? -1
		                            : strcmp(here->items[i].name, there->items[j].name);
		const struct evc_plan_property *a = order <= 0 ? &here->items[i++] : NULL;
		const struct evc_plan_property *b = order >= 0 ? &there->items[j++] : NULL;

		assert(a || b);
		if (!evc_plan_compares((a ? a : b)->name))
			continue;
		if (a && b && strcmp(a->value, b->value) != 0)
			property_differs(c, a->name, a->value, b->value);
		else if (a && !b)
			property_alone(c, a, c->from, c->to);
		else if (b && !a)
			property_alone(c, b, c->to, c->from);
	}
}

/* --- vCPUs ----------------------------------------------------------------------------------- */

/* Without these there was no answer, and equal silence is not equality. */
static bool is_readable(struct comparison *c, const struct evc_plan_side *side, size_t number)
{
	static const char *const wanted[] = { "family",   "model", "stepping", "vendor",
		                              "model-id", "level", "xlevel",   "phys-bits" };
	const struct evc_plan_vcpu *vcpu = &side->vcpus[number];
	bool readable = true;

	if (!vcpu->words.n_leaves) {
		add(c, EVC_DOUBT, side,
		    evc_arena_printf(c->findings->arena,
		                     "the feature words of vCPUs of kind %zu are not known", number));
		readable = false;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (evc_plan_value(&vcpu->properties, wanted[i]))
			continue;
		add(c, EVC_DOUBT, side,
		    evc_arena_printf(c->findings->arena, "%s of vCPUs of kind %zu is not known", wanted[i],
		                     number));
		readable = false;
	}
	return readable;
}

static void compare_number(struct comparison *c, const char *what, size_t here, size_t there)
{
	struct evc_arena *arena = c->findings->arena;

	if (here != there)
		differs(c, EVC_BLOCKS, what, evc_arena_printf(arena, "%zu", there),
		        evc_arena_printf(arena, "%zu", here));
}

static size_t count(const struct evc_plan_side *side)
{
	size_t n = 0;

	for (size_t i = 0; i < side->n_vcpus; i++)
		n += side->vcpus[i].n_alike;
	return n;
}

static void compare_vcpus(struct comparison *c)
{
	size_t n = c->from->n_vcpus < c->to->n_vcpus ? c->from->n_vcpus : c->to->n_vcpus;

	compare_number(c, "number of vCPUs", count(c->from), count(c->to));
	compare_number(c, "kinds of vCPUs", c->from->n_vcpus, c->to->n_vcpus);
	if (!n)
		add(c, EVC_DOUBT, c->from->n_vcpus ? c->to : c->from, "its vCPUs are not known");
	for (size_t i = 0; i < n; i++) {
		bool here = is_readable(c, c->from, i), there = is_readable(c, c->to, i);

		if (here && there)
			compare_words(c, &c->from->vcpus[i].words, &c->to->vcpus[i].words);
		compare_properties(c, &c->from->vcpus[i].properties, &c->to->vcpus[i].properties);
		if (n > 1)
			compare_number(c, "vCPUs of a kind", c->from->vcpus[i].n_alike,
			               c->to->vcpus[i].n_alike);
	}
}

/* --- the machine around them ----------------------------------------------------------------- */

static bool is_known(const char *text)
{
	return text && text[0];
}

static void compare_text(struct comparison *c, const char *what, const char *here, const char *there)
{
	if (!is_known(here) || !is_known(there))
		add(c, EVC_DOUBT, is_known(here) ? c->to : c->from,
		    evc_arena_printf(c->findings->arena, "its %s is not known", what));
	else if (strcmp(here, there) != 0)
		differs(c, EVC_BLOCKS, what, there, here);
}

static bool list_has(const struct evc_plan_list *list, const char *text, size_t times)
{
	size_t found = 0;

	for (size_t i = 0; i < list->n; i++)
		found += !strcmp(list->items[i], text);
	return found >= times;
}

/* What the first list has more often than the second. */
static void report_more(struct comparison *c, const struct evc_plan_list *list,
                        const struct evc_plan_list *other, const struct evc_plan_side *side)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t times = 1;

		for (size_t j = 0; j < i; j++)
			times += !strcmp(list->items[j], list->items[i]);
		if (!list_has(other, list->items[i], times))
			add(c, EVC_BLOCKS, side,
			    evc_arena_printf(c->findings->arena, "only it has the device %s",
			                     list->items[i]));
	}
}

static void compare_devices(struct comparison *c)
{
	const struct evc_plan_list *here = &c->from->devices, *there = &c->to->devices;

	if (!here->known || !there->known) {
		add(c, EVC_WARNING, here->known ? c->to : c->from,
		    "its devices are not known; QEMU notices a difference while it moves, and the guest stays");
		return;
	}
	report_more(c, here, there, c->from);
	report_more(c, there, here, c->to);
}

static void check_blockers(struct comparison *c)
{
	for (size_t i = 0; i < c->from->blockers.n; i++)
		add(c, EVC_BLOCKS, c->from,
		    evc_arena_printf(c->findings->arena, "QEMU refuses to migrate it: %s",
		                     c->from->blockers.items[i]));
}

/* A state in which there is a guest that can go, and one in which somebody waits for it. */
static void check_status(struct comparison *c)
{
	static const char *const can_go[] = { "running", "paused", "prelaunch", "suspended" };
	const char *here = is_known(c->from->status) ? c->from->status : "not known",
		   *there = is_known(c->to->status) ? c->to->status : "not known";
	bool goes = false;

	for (size_t i = 0; i < sizeof(can_go) / sizeof(can_go[0]); i++)
		goes |= !strcmp(can_go[i], here);
	if (!goes)
		add(c, EVC_BLOCKS, c->from,
		    evc_arena_printf(c->findings->arena, "its state is %s: there is no guest that can go",
		                     here));
	if (strcmp(there, "inmigrate") != 0)
		add(c, EVC_BLOCKS, c->to,
		    evc_arena_printf(c->findings->arena,
		                     "its state is %s: it does not wait for a guest (-incoming defer)",
		                     there));
}

static bool has_feature(const struct evc_plan_side *side, enum evc_feature_id id)
{
	const struct evc_bit bit = evc_features[id].bit;

	for (size_t i = 0; i < side->n_vcpus; i++) {
		const struct evc_leaf *leaf = evc_dump_find(&side->vcpus[i].words, bit.leaf, bit.subleaf);

		if (leaf && evc_bit_get(bit, leaf->value[bit.reg]))
			return true;
	}
	return false;
}

static void check_nested(struct comparison *c)
{
	if (c->from->accel && !strcmp(c->from->accel, "kvm") &&
	    (has_feature(c->from, EVC_F_VMX) || has_feature(c->from, EVC_F_SVM)))
		add(c, EVC_WARNING, c->from,
		    "it may run guests of its own, whose state moves only where that KVM can restore it; "
		    "if it cannot, the guest stays");
}

static void check_unavailable(struct comparison *c, const struct evc_plan_side *side)
{
	const struct evc_plan_list *list = &side->unavailable;

	if (!list->known)
		add(c, EVC_DOUBT, side, "what it was asked for and did not give is not known");
	else if (list->n)
		add(c, EVC_WARNING, side,
		    evc_arena_printf(
			    c->findings->arena,
			    "it was started without enforce, and could not give %zu features (%s%s): "
			    "the same command shows another CPU elsewhere",
			    list->n, list->items[0], list->n > 1 ? " ..." : ""));
}

/* Versions as numbers; what is not known is said by compare_text of the machine. */
static enum evc_verdict check_versions(struct comparison *c)
{
	unsigned here, there;

	if (!is_known(c->from->qemu) || !is_known(c->to->qemu) || !evc_qemu_version(c->from->qemu, &here) ||
	    !evc_qemu_version(c->to->qemu, &there)) {
		add(c, EVC_DOUBT, is_known(c->from->qemu) ? c->to : c->from,
		    "its QEMU's version is not known");
		return EVC_UNKNOWN;
	}
	if (here == there)
		return EVC_YES;
	if (there < here) {
		add(c, EVC_WARNING, c->to,
		    evc_arena_printf(
			    c->findings->arena,
			    "QEMU %s is older than %s: QEMU promises streams to newer ones only; if it "
			    "cannot read this one, the guest stays",
			    c->to->qemu, c->from->qemu));
		return EVC_YES;
	}
	add(c, EVC_WARNING, c->to,
	    evc_arena_printf(c->findings->arena,
	                     "QEMU %s is newer than %s: whether the guest can come back, nobody promises",
	                     c->to->qemu, c->from->qemu));
	return EVC_UNKNOWN;
}

static bool is_asked(struct comparison *c, const struct evc_plan_side *side)
{
	if (!side->why)
		return true;
	evc_findings_add(c->findings, (struct evc_finding){
					      .kind = EVC_FINDING_UNREADABLE,
					      .severity = EVC_DOUBT,
					      .feature = EVC_N_FEATURES,
					      .subject = side->name,
					      .detail = side->why,
				      });
	return false;
}

/* What could not be written down may have been a no. */
static enum evc_verdict judge(const struct evc_findings *findings)
{
	enum evc_verdict verdict = evc_findings_verdict(findings);

	return evc_arena_failed(findings->arena) ? evc_verdict_worse(verdict, EVC_UNKNOWN) : verdict;
}

struct evc_plan_verdict evc_plan_move(const struct evc_plan_side *source,
                                      const struct evc_plan_side *destination, struct evc_findings *findings)
{
	struct comparison c = { .from = source, .to = destination, .findings = findings };
	bool here = is_asked(&c, source), there = is_asked(&c, destination);
	struct evc_plan_verdict verdict = { .there = EVC_UNKNOWN, .back = EVC_UNKNOWN };

	if (!here || !there)
		return verdict;
	check_status(&c);
	check_blockers(&c);
	compare_text(&c, "accelerator", source->accel, destination->accel);
	compare_text(&c, "machine type", source->machine, destination->machine);
	compare_properties(&c, &source->shape, &destination->shape);
	compare_vcpus(&c);
	compare_devices(&c);
	check_nested(&c);
	check_unavailable(&c, source);
	check_unavailable(&c, destination);
	verdict.back = check_versions(&c);
	verdict.there = judge(findings);
	verdict.back = evc_verdict_worse(verdict.there, verdict.back);
	return verdict;
}

enum evc_verdict evc_plan_same_vcpus(const struct evc_plan_side *source,
                                     const struct evc_plan_side *destination, struct evc_findings *findings)
{
	struct comparison c = { .from = source, .to = destination, .findings = findings };
	bool here = is_asked(&c, source), there = is_asked(&c, destination);

	if (here && there)
		compare_vcpus(&c);
	return judge(findings);
}
