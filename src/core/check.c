/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * May a guest move, may a host join, and every reason for the answer.
 *
 * check_fit.c decides whether a cpu fits, check_cause.c why a host lacks something; here each misfit becomes
 * a finding with its cause, beside what stands next to the decision: clocks, nested guests, the way back.
 *
 * A running guest keeps the vCPU it was started with, so everything here is about that; what it
 * would be given if it were made anew at the destination is told as notes.
 */
#include "core/check.h"

#include <string.h>

/* One finding for each feature of a set. */
static void add_set(const struct evc_set *set, struct evc_finding like, const struct evc_check_side *host,
                    const struct evc_check_side *other, const struct evc_check_options *options,
                    struct evc_findings *findings)
{
	EVC_SET_FOREACH(id, set)
	{
		like.feature = id;
		like.cause = like.kind == EVC_FINDING_HIDES ? EVC_CAUSE_NONE
		                                            : evc_check_cause(host, id, other, options);
		like.detail = like.cause == EVC_CAUSE_REMOVED ? evc_removals[id].what : "";
		evc_findings_add(findings, like);
	}
}

/* What would have kept the guest from it. */
static const char *outside_detail(enum evc_feature_id id)
{
	if (id == EVC_F_PHYS_ADDR_BITS || id == EVC_F_VIRT_ADDR_BITS)
		return "a guest made for both hosts gets the smaller (evc export --cluster)";
	if (evc_features[id].bit.leaf == evc_features[EVC_F_PMU_VERSION].bit.leaf)
		return "guests at a mode have no counters";
	return "";
}

static void add_outside(const struct evc_set *set, const struct evc_check_side *guest,
                        const struct evc_check_side *host, struct evc_findings *findings)
{
	EVC_SET_FOREACH(id, set)
	{
		struct evc_finding finding = { .kind = EVC_FINDING_OUTSIDE,
			                       .severity = EVC_BLOCKS,
			                       .feature = id,
			                       .subject = host->name,
			                       .other = guest->name,
			                       .detail = outside_detail(id) };

		evc_cpu_value(host->cpu, id, &finding.have);
		evc_cpu_value(guest->cpu, id, &finding.want);
		evc_findings_add(findings, finding);
	}
}

/* What an MSR holds is asked once: its bits are known together or not at all. */
static bool is_said(struct evc_set *said, enum evc_feature_id id)
{
	enum evc_feature_id by =
		evc_feature_is_msr(&evc_features[id]) ? evc_check_announcer(id) : EVC_N_FEATURES;
	bool before;

	if (by == EVC_N_FEATURES)
		return false;
	before = evc_set_has(said, by);
	evc_set_add(said, by);
	return before;
}

static const char *unsure_detail(bool msr, bool same)
{
	if (same)
		return msr ? "what their MSRs say is taken as equal, since the CPUs are the same"
		           : "taken as equal, since the CPUs are the same";
	return msr ? "what their MSRs say" : "";
}

/* What is not known of either is a doubt, or between equals a warning. */
static void add_unsure(const struct evc_set *set, bool same, const struct evc_check_side *guest,
                       const struct evc_check_side *host, struct evc_findings *findings)
{
	struct evc_set said = { 0 };

	EVC_SET_FOREACH(id, set)
	{
		bool of_guest = evc_cpu_truth(guest->cpu, id) == EVC_UNSURE,
		     msr = evc_feature_is_msr(&evc_features[id]);
		struct evc_finding finding = { .kind = EVC_FINDING_UNSURE,
			                       .severity = same ? EVC_WARNING : EVC_DOUBT,
			                       .cause = EVC_CAUSE_DUMP,
			                       .feature = msr ? evc_check_announcer(id) : id,
			                       .subject = of_guest ? guest->name : host->name,
			                       .other = of_guest ? host->name : guest->name,
			                       .detail = unsure_detail(msr, same) };

		if (!is_said(&said, id))
			evc_findings_add(findings, finding);
	}
}

static void add_note(struct evc_findings *findings, enum evc_severity severity, const char *subject,
                     const char *detail)
{
	evc_findings_add(findings, (struct evc_finding){ .kind = severity == EVC_WARNING ? EVC_FINDING_RISK
	                                                                                 : EVC_FINDING_NOTE,
	                                                 .severity = severity,
	                                                 .feature = EVC_N_FEATURES,
	                                                 .subject = subject,
	                                                 .detail = detail });
}

static bool unreadable(const struct evc_check_side *side, struct evc_findings *findings)
{
	if (side->cpu)
		return false;
	evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_UNREADABLE,
	                                                 .severity = EVC_DOUBT,
	                                                 .feature = EVC_N_FEATURES,
	                                                 .subject = side->name,
	                                                 .detail = side->why });
	return true;
}

/* Another vendor is said once, not once for each register of its name. */
static void check_vendor(const struct evc_check_side *guest, const struct evc_check_side *host,
                         struct evc_set *outside, struct evc_findings *findings)
{
	static const enum evc_feature_id names[] = { EVC_F_CPU_VENDORID_0, EVC_F_CPU_VENDORID_1,
		                                     EVC_F_CPU_VENDORID_2 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		evc_set_drop(outside, names[i]);
	if (!guest->cpu->vendor_id[0] || !host->cpu->vendor_id[0] ||
	    !strcmp(guest->cpu->vendor_id, host->cpu->vendor_id))
		return;
	evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_VENDOR,
	                                                 .severity = EVC_BLOCKS,
	                                                 .cause = EVC_CAUSE_NONE,
	                                                 .feature = EVC_N_FEATURES,
	                                                 .subject = host->name,
	                                                 .other = guest->name });
}

bool evc_check_clocks_apart(uint64_t a, uint64_t b)
{
	enum { TOLERANCE_PPM = 250, MILLION = 1000000 }; /* linux:arch/x86/kvm/x86.c, tsc_tolerance_ppm */
	uint64_t apart = a > b ? a - b : b - a;

	return apart > a / MILLION * TOLERANCE_PPM + a % MILLION * TOLERANCE_PPM / MILLION;
}

static void check_clock(const struct evc_check_side *guest, const struct evc_check_side *host,
                        struct evc_findings *findings)
{
	uint64_t a = guest->tsc_khz, b = host->tsc_khz;

	if (evc_cpu_truth(guest->cpu, EVC_F_INVTSC) == EVC_PRESENT)
		add_note(findings, EVC_WARNING, guest->name,
		         "the guest was given invtsc: QEMU moves it only when its TSC frequency is set");
	if (a && b && evc_check_clocks_apart(a, b))
		add_note(findings, EVC_WARNING, host->name,
		         evc_arena_printf(findings->arena,
		                          "its TSC runs at %llu kHz, the guest's at %llu kHz: without TSC "
		                          "scaling the guest's clock goes wrong",
		                          (unsigned long long)b, (unsigned long long)a));
}

static void check_nested(const struct evc_check_side *guest, struct evc_findings *findings)
{
	if (evc_cpu_truth(guest->cpu, EVC_F_VMX) == EVC_PRESENT ||
	    evc_cpu_truth(guest->cpu, EVC_F_SVM) == EVC_PRESENT)
		add_note(findings, EVC_WARNING, guest->name,
		         "the guest was given virtualisation: if it runs guests of its own, their state must "
		         "fit too");
}

/* What a guest that is made anew there would see differently. */
static void check_identity(const struct evc_check_side *guest, const struct evc_check_side *host,
                           struct evc_findings *findings)
{
	const struct evc_cpu *g = guest->cpu, *h = host->cpu;

	if (g->identified && h->identified && g->signature != h->signature)
		add_note(
			findings, EVC_NOTE, host->name,
			evc_arena_printf(
				findings->arena,
				"made anew there a guest would be family %u model %u stepping %u, not %u %u %u",
				h->family, h->model, h->stepping, g->family, g->model, g->stepping));
	if (g->brand[0] && h->brand[0] && strcmp(g->brand, h->brand) != 0)
		add_note(findings, EVC_NOTE, host->name,
		         evc_arena_printf(findings->arena, "made anew there a guest would be called %s",
		                          h->brand));
	if (g->max_basic > h->max_basic || g->max_extended > h->max_extended)
		add_note(findings, EVC_NOTE, host->name,
		         evc_arena_printf(findings->arena,
		                          "its highest leaves are 0x%x and 0x%x, the guest's 0x%x and 0x%x",
		                          h->max_basic, h->max_extended, g->max_basic, g->max_extended));
}

static void tell_assumed(const struct evc_check_side *side, struct evc_findings *findings)
{
	if (side->assumed && side->assumed[0])
		add_note(findings, EVC_NOTE, side->name, side->assumed);
}

/* How far from fitting: what blocks counts more than what is not known. */
static int distance(const struct evc_misfit *misfit)
{
	return 1000 * (evc_set_count(&misfit->lacks) + evc_set_count(&misfit->outside)) +
	       evc_set_count(&misfit->unsure);
}

/* A running guest keeps its vCPU; one that starts there with all the host offers may be stuck. */
static void check_return(const struct evc_check_side *guest, const struct evc_check_side *host,
                         const struct evc_check_side *from, struct evc_findings *findings)
{
	struct evc_misfit misfit;
	enum evc_verdict verdict;
	int n;

	if (unreadable(from, findings))
		return;
	/* It runs there: what is not known of it is no obstacle. */
	if (evc_check_fits(guest->cpu, from->cpu, NULL) == EVC_NO)
		evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_CANNOT_RETURN,
		                                                 .severity = EVC_WARNING,
		                                                 .feature = EVC_N_FEATURES,
		                                                 .subject = host->name,
		                                                 .other = from->name,
		                                                 .detail = "not even as it is" });
	else
		add_note(findings, EVC_NOTE, guest->name,
		         evc_arena_printf(findings->arena, "as long as it keeps its vCPU it fits on %s again",
		                          from->name));
	verdict = evc_check_fits(host->cpu, from->cpu, &misfit);
	n = evc_set_count(&misfit.lacks) + evc_set_count(&misfit.outside);
	if (verdict == EVC_NO)
		evc_findings_add(
			findings,
			(struct evc_finding){
				.kind = EVC_FINDING_CANNOT_RETURN,
				.severity = EVC_WARNING,
				.feature = EVC_N_FEATURES,
				.subject = host->name,
				.other = from->name,
				.detail = evc_arena_printf(
					findings->arena,
					"with all the host offers, its level lost, %d of its features and "
					"values would be too much",
					n) });
}

enum evc_verdict evc_check_move(const struct evc_check_side *guest, const struct evc_check_side *host,
                                const struct evc_check_options *options, struct evc_findings *findings)
{
	struct evc_misfit misfit;
	struct evc_findings own = { .arena = findings->arena };
	bool cannot = unreadable(guest, &own);

	cannot |= unreadable(host, &own);
	if (!cannot) {
		struct evc_finding lacks = { .kind = EVC_FINDING_LACKS,
			                     .severity = EVC_BLOCKS,
			                     .subject = host->name,
			                     .other = guest->name };
		struct evc_finding hides = { .kind = EVC_FINDING_HIDES,
			                     .severity = EVC_WARNING,
			                     .subject = host->name,
			                     .other = guest->name };

		const struct evc_cpu *from = options && options->from ? options->from->cpu : NULL;
		bool same = evc_check_fits_from(guest->cpu, from, host->cpu, &misfit) == EVC_YES;

		check_vendor(guest, host, &misfit.outside, &own);
		add_set(&misfit.lacks, lacks, host, guest, options, &own);
		add_outside(&misfit.outside, guest, host, &own);
		add_unsure(&misfit.unsure, same, guest, host, &own);
		add_set(&misfit.hides, hides, host, guest, options, &own);
		check_clock(guest, host, &own);
		check_nested(guest, &own);
		if (!options || !options->moves_only)
			check_identity(guest, host, &own);
		if (options && options->from)
			check_return(guest, host, options->from, &own);
		tell_assumed(guest, &own);
		if (guest != host)
			tell_assumed(host, &own);
	}
	for (size_t i = 0; i < own.n; i++)
		evc_findings_add(findings, own.items[i]);
	return evc_findings_verdict(&own);
}

enum evc_verdict evc_check_join(const struct evc_mode *mode, unsigned version,
                                const struct evc_check_side *host, const struct evc_check_options *options,
                                struct evc_findings *findings)
{
	struct evc_finding like = {
		.severity = EVC_BLOCKS, .feature = EVC_N_FEATURES, .subject = host->name, .other = mode->key
	};
	struct evc_set lacks = { 0 }, unsure = { 0 };
	enum evc_verdict verdict;

	if (unreadable(host, findings))
		return EVC_UNKNOWN;
	if (!host->cpu->vendor_id[0]) {
		like.kind = EVC_FINDING_UNSURE;
		like.severity = EVC_DOUBT;
		like.cause = EVC_CAUSE_DUMP;
		like.feature = EVC_F_CPU_VENDORID_0;
		evc_findings_add(findings, like);
		return EVC_UNKNOWN;
	}
	if (!(mode->vendors & host->cpu->vendor)) {
		like.kind = EVC_FINDING_VENDOR;
		evc_findings_add(findings, like);
		return EVC_NO;
	}
	verdict = evc_mode_satisfied(mode, version, host->cpu, &lacks, &unsure);
	like.kind = EVC_FINDING_LACKS;
	add_set(&lacks, like, host, NULL, options, findings);
	like.kind = EVC_FINDING_UNSURE;
	like.severity = EVC_DOUBT;
	add_set(&unsure, like, host, NULL, options, findings);
	tell_assumed(host, findings);
	return verdict;
}

size_t evc_check_nearest(const struct evc_check_side *guest, const struct evc_check_side *hosts, size_t n)
{
	size_t best = n;
	int least = 0;

	for (size_t i = 0; guest->cpu && i < n; i++) {
		struct evc_misfit misfit;
		int far;

		if (!hosts[i].cpu)
			continue;
		evc_check_fits(guest->cpu, hosts[i].cpu, &misfit);
		far = distance(&misfit);
		if (best != n && far >= least)
			continue;
		best = i;
		least = far;
	}
	return best;
}
