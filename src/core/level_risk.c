/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Risks of a level: what works and is not quite true.
 *
 * A guest is told of its CPU's flaws by two kinds of bits.  A warning ("affected") is united: a guest
 * must see it if any host gives it.  KVM cannot show one that the host lacks, so where hosts differ
 * the reachable level has it cleared.  An immunity ("not affected") is levelled like a feature; but
 * those that pass a mode untouched are the host's, and a guest that is made on an immune host believes
 * itself immune on the next.  So are the widths of addresses of a guest that is made for one host alone.
 */
#include "core/level-private.h"

#include <string.h>

/* What nobody promises about a guest that moves between vendors, even where the features agree. */
static const char *const vendor_risks[] = {
	"SYSENTER and SYSCALL work in other modes on the other vendor's CPUs: 32-bit programs of a 64-bit guest may fail",
	"speculation flaws and their cures differ: a kernel booted on one vendor applies its mitigations on the other",
	"performance counters, last-branch records and machine-check banks are laid out differently",
	"vendor, brand and leaves that only one vendor has are the first host's and are wrong on the other",
	"errata differ: a guest works around those of the CPU it was started on",
};

/* By name where both are known: Hygon's CPUs are AMD's design, and no guest moves between the two. */
static bool other_vendor(const struct evc_cpu *a, const struct evc_cpu *b)
{
	return a->vendor != b->vendor ||
	       (a->vendor_id[0] && b->vendor_id[0] && strcmp(a->vendor_id, b->vendor_id) != 0);
}

void evc_level_find_vendors(struct evc_level_work *work)
{
	size_t first = work->n_kinds, other = work->n_kinds;

	for (size_t k = 0; k < work->n_kinds; k++) {
		if (!work->kinds[k].cpu)
			continue;
		if (first == work->n_kinds)
			first = k;
		if (other == work->n_kinds && other_vendor(work->kinds[k].cpu, work->kinds[first].cpu))
			other = k;
		work->no_vendors_mode |= work->kinds[k].cpu->vendor != work->kinds[first].cpu->vendor;
	}
	work->mixed = other < work->n_kinds;
	if (!work->mixed)
		return;
	evc_level_find(work, (struct evc_finding){ .kind = EVC_FINDING_VENDOR,
	                                           .severity = work->options->across_vendors ? EVC_WARNING
	                                                                                     : EVC_BLOCKS,
	                                           .feature = EVC_N_FEATURES,
	                                           .subject = work->kinds[other].name,
	                                           .other = work->kinds[first].name });
	if (!work->options->across_vendors)
		return;
	for (size_t i = 0; i < sizeof(vendor_risks) / sizeof(vendor_risks[0]); i++)
		evc_level_find(work, (struct evc_finding){ .kind = EVC_FINDING_RISK,
		                                           .severity = EVC_WARNING,
		                                           .feature = EVC_N_FEATURES,
		                                           .detail = vendor_risks[i] });
}

/* The first readable kind of which this is the truth about the feature, or NULL. */
static const struct evc_level_kind *kind_with(const struct evc_level_work *work, enum evc_feature_id id,
                                              enum evc_truth truth)
{
	for (size_t k = 0; k < work->n_kinds; k++)
		if (work->kinds[k].cpu && evc_cpu_truth(work->kinds[k].cpu, id) == truth)
			return &work->kinds[k];
	return NULL;
}

/* Of which host it is not sure that KVM can show its guests the warning; NULL: of none. */
static const struct evc_level_kind *kind_silent(const struct evc_level_work *work, enum evc_feature_id id,
                                                enum evc_cause *ret_cause)
{
	const struct evc_level_kind *lacking = kind_with(work, id, EVC_ABSENT);

	*ret_cause = lacking ? EVC_CAUSE_NONE : EVC_CAUSE_DUMP;
	return lacking ? lacking : kind_with(work, id, EVC_UNSURE);
}

/* What is said of counters says nothing to a guest at a mode, which has none (vcpu.c). */
static bool is_of_no_use(const struct evc_level_work *work, enum evc_feature_id id)
{
	return evc_features[id].bit.leaf == evc_features[EVC_F_PMU_VERSION].bit.leaf &&
	       (work->options->mode || evc_level_best_common(work, false));
}

void evc_level_clear_unreachable(struct evc_level_work *work)
{
	struct evc_cpu *cpu = &work->level->cpu;
	struct evc_set warnings = evc_set_and(&cpu->has, &evc_rule_sets[EVC_RULE_OR]);

	EVC_SET_FOREACH(id, &warnings)
	{
		const struct evc_level_kind *silent, *warned;
		enum evc_cause cause;

		silent = kind_silent(work, id, &cause);
		if (!silent || evc_features[id].slot != EVC_NO_SLOT)
			continue;
		warned = kind_with(work, id, EVC_PRESENT);
		evc_set_drop(&cpu->has, id);
		if (cause == EVC_CAUSE_DUMP)
			evc_set_drop(&cpu->known, id);
		if (is_of_no_use(work, id))
			continue;
		evc_level_find(work, (struct evc_finding){ .kind = EVC_FINDING_UNREACHABLE,
		                                           .severity = EVC_WARNING,
		                                           .cause = cause,
		                                           .feature = id,
		                                           .subject = silent->name,
		                                           .other = warned ? warned->name : "" });
	}
}

void evc_level_find_untruths(struct evc_level_work *work)
{
	EVC_SET_FOREACH(id, &work->modes->passes)
	{
		const struct evc_level_kind *immune, *affected;

		if (!evc_check_is_immunity(id))
			continue;
		immune = kind_with(work, id, EVC_PRESENT);
		affected = kind_with(work, id, EVC_ABSENT);
		if (immune && affected)
			evc_level_find(work, (struct evc_finding){ .kind = EVC_FINDING_SECURITY,
			                                           .severity = EVC_WARNING,
			                                           .feature = id,
			                                           .subject = affected->name,
			                                           .other = immune->name });
	}
}

void evc_level_find_widths(struct evc_level_work *work)
{
	const struct evc_level_kind *narrow = NULL, *wide = NULL;
	uint64_t least = 0, most = 0, bits;

	for (size_t k = 0; k < work->n_kinds; k++) {
		const struct evc_level_kind *kind = &work->kinds[k];

		if (!kind->cpu || !evc_cpu_value(kind->cpu, EVC_F_PHYS_ADDR_BITS, &bits))
			continue;
		if (!narrow || bits < least) {
			narrow = kind;
			least = bits;
		}
		if (!wide || bits > most) {
			wide = kind;
			most = bits;
		}
	}
	if (least == most || (work->mixed && !work->options->across_vendors))
		return;
	evc_level_find(
		work,
		(struct evc_finding){
			.kind = EVC_FINDING_NOTE,
			.severity = EVC_NOTE,
			.feature = EVC_F_PHYS_ADDR_BITS,
			.subject = narrow->name,
			.other = wide->name,
			.detail = evc_arena_printf(
				work->arena,
				"physical addresses have %llu bits here, %llu on %s: only guests that are made "
				"for all hosts (evc export --cluster) move everywhere",
				(unsigned long long)least, (unsigned long long)most, wide->name) });
}
