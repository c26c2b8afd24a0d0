/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Will this guest be the same guest there?
 *
 * QEMU's migration stream holds memory, devices and registers, but neither CPUID nor the -cpu line:
 * after the move the guest sees what the destination was started with, and QEMU compares none of it.
 * A lesser CPU kills the guest, a greater or merely different one changes under its feet and is noticed
 * at the next reboot, or never.  So equality is demanded here, in both directions: of what the vCPUs show
 * (plan_vcpu.c), and of machine type, memory, topology and devices, which QEMU would refuse itself, but
 * later.
 *
 * "Back" is the same question about a QEMU that is started anew like the source.  Since the two are equal,
 * little is left: streams go from older to newer QEMUs by promise, the other way by luck.
 */
#include "core/plan-private.h"

#include "core/qemu.h"

#include <string.h>

/* The same sentence about the next vCPU is not said again. */
static void report(struct evc_plan_comparison *c, struct evc_finding finding)
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

void evc_plan_note(struct evc_plan_comparison *c, enum evc_severity severity,
                   const struct evc_plan_side *side, const char *detail)
{
	report(c, (struct evc_finding){ .kind = EVC_FINDING_NOTE,
	                                .severity = severity,
	                                .subject = side->name,
	                                .detail = detail });
}

/* The destination's value of a thing, and the source's. */
void evc_plan_differs(struct evc_plan_comparison *c, enum evc_severity severity, const char *what,
                      const char *there, const char *here)
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

void evc_plan_compare_number(struct evc_plan_comparison *c, const char *what, size_t here, size_t there)
{
	struct evc_arena *arena = c->findings->arena;

	if (here != there)
		evc_plan_differs(c, EVC_BLOCKS, what, evc_arena_printf(arena, "%zu", there),
		                 evc_arena_printf(arena, "%zu", here));
}

static bool is_known(const char *text)
{
	return text && text[0];
}

static void compare_text(struct evc_plan_comparison *c, const char *what, const char *here, const char *there)
{
	if (!is_known(here) || !is_known(there))
		evc_plan_note(c, EVC_DOUBT, is_known(here) ? c->to : c->from,
		              evc_arena_printf(c->findings->arena, "its %s is not known", what));
	else if (strcmp(here, there) != 0)
		evc_plan_differs(c, EVC_BLOCKS, what, there, here);
}

static bool list_has(const struct evc_plan_list *list, const char *text, size_t times)
{
	size_t found = 0;

	for (size_t i = 0; i < list->n; i++)
		found += !strcmp(list->items[i], text);
	return found >= times;
}

/* What the first list has more often than the second. */
static void report_more(struct evc_plan_comparison *c, const struct evc_plan_list *list,
                        const struct evc_plan_list *other, const struct evc_plan_side *side)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t times = 1;

		for (size_t j = 0; j < i; j++)
			times += !strcmp(list->items[j], list->items[i]);
		if (!list_has(other, list->items[i], times))
			evc_plan_note(c, EVC_BLOCKS, side,
			              evc_arena_printf(c->findings->arena, "only it has the device %s",
			                               list->items[i]));
	}
}

static void compare_devices(struct evc_plan_comparison *c)
{
	const struct evc_plan_list *here = &c->from->devices, *there = &c->to->devices;

	if (!here->known || !there->known) {
		evc_plan_note(
			c, EVC_WARNING, here->known ? c->to : c->from,
			"its devices are not known; QEMU notices a difference while it moves, and the guest stays");
		return;
	}
	report_more(c, here, there, c->from);
	report_more(c, there, here, c->to);
}

static void check_blockers(struct evc_plan_comparison *c)
{
	for (size_t i = 0; i < c->from->blockers.n; i++)
		evc_plan_note(c, EVC_BLOCKS, c->from,
		              evc_arena_printf(c->findings->arena, "QEMU refuses to migrate it: %s",
		                               c->from->blockers.items[i]));
}

/* A state in which there is a guest that can go, and one in which somebody waits for it. */
static void check_status(struct evc_plan_comparison *c)
{
	static const char *const can_go[] = { "running", "paused", "prelaunch", "suspended" };
	const char *here = is_known(c->from->status) ? c->from->status : "not known",
		   *there = is_known(c->to->status) ? c->to->status : "not known";
	bool goes = false;

	for (size_t i = 0; i < sizeof(can_go) / sizeof(can_go[0]); i++)
		goes |= !strcmp(can_go[i], here);
	if (!goes)
		evc_plan_note(c, EVC_BLOCKS, c->from,
		              evc_arena_printf(c->findings->arena,
		                               "its state is %s: there is no guest that can go", here));
	if (strcmp(there, "inmigrate") != 0)
		evc_plan_note(
			c, EVC_BLOCKS, c->to,
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

static void check_nested(struct evc_plan_comparison *c)
{
	if (c->from->accel && !strcmp(c->from->accel, "kvm") &&
	    (has_feature(c->from, EVC_F_VMX) || has_feature(c->from, EVC_F_SVM)))
		evc_plan_note(
			c, EVC_WARNING, c->from,
			"it may run guests of its own, whose state moves only where that KVM can restore it; "
			"if it cannot, the guest stays");
}

static void check_unavailable(struct evc_plan_comparison *c, const struct evc_plan_side *side)
{
	const struct evc_plan_list *list = &side->unavailable;

	if (!list->known)
		evc_plan_note(c, EVC_DOUBT, side, "what it was asked for and did not give is not known");
	else if (list->n)
		evc_plan_note(
			c, EVC_WARNING, side,
			evc_arena_printf(
				c->findings->arena,
				"it was started without enforce, and could not give %zu features (%s%s): "
				"the same command shows another CPU elsewhere",
				list->n, list->items[0], list->n > 1 ? " ..." : ""));
}

/* Versions as numbers; what is not known is said by compare_text of the machine. */
static enum evc_verdict check_versions(struct evc_plan_comparison *c)
{
	unsigned here, there;

	if (!is_known(c->from->qemu) || !is_known(c->to->qemu) || !evc_qemu_version(c->from->qemu, &here) ||
	    !evc_qemu_version(c->to->qemu, &there)) {
		evc_plan_note(c, EVC_DOUBT, is_known(c->from->qemu) ? c->to : c->from,
		              "its QEMU's version is not known");
		return EVC_UNKNOWN;
	}
	if (here == there)
		return EVC_YES;
	if (there < here) {
		evc_plan_note(
			c, EVC_WARNING, c->to,
			evc_arena_printf(
				c->findings->arena,
				"QEMU %s is older than %s: QEMU promises streams to newer ones only; if it "
				"cannot read this one, the guest stays",
				c->to->qemu, c->from->qemu));
		return EVC_YES;
	}
	evc_plan_note(
		c, EVC_WARNING, c->to,
		evc_arena_printf(c->findings->arena,
	                         "QEMU %s is newer than %s: whether the guest can come back, nobody promises",
	                         c->to->qemu, c->from->qemu));
	return EVC_UNKNOWN;
}

static bool is_asked(struct evc_plan_comparison *c, const struct evc_plan_side *side)
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
	struct evc_plan_comparison c = { .from = source, .to = destination, .findings = findings };
	bool here = is_asked(&c, source), there = is_asked(&c, destination);
	struct evc_plan_verdict verdict = { .there = EVC_UNKNOWN, .back = EVC_UNKNOWN };

	if (!here || !there)
		return verdict;
	check_status(&c);
	check_blockers(&c);
	compare_text(&c, "accelerator", source->accel, destination->accel);
	compare_text(&c, "machine type", source->machine, destination->machine);
	evc_plan_compare_properties(&c, &source->shape, &destination->shape);
	evc_plan_compare_vcpus(&c);
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
	struct evc_plan_comparison c = { .from = source, .to = destination, .findings = findings };
	bool here = is_asked(&c, source), there = is_asked(&c, destination);

	if (here && there)
		evc_plan_compare_vcpus(&c);
	return judge(findings);
}
