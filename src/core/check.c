/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * May a guest move, may a host join, and why not.
 *
 * The decision is evc_cpu_fits, less what does not stop a move:
 *
 *  - a warning bit that the guest was not given.  KVM cannot show a guest a warning that its host
 *    lacks, so a guest of an old host never has those of a new one; refusing it would refuse every
 *    move to newer hosts.  It is a warning: the guest works, without a protection it might choose.
 *  - what an MSR says that no CPUID bit announces.  A guest cannot rely on it and KVM emulates it.
 *  - sleep states of MWAIT: a hint that the CPU does not know means a lighter sleep.
 *
 * Cpus that are the same in all that is known, signature and microcode too, are taken as the same in
 * what is not known: the same dump fits itself, and a guest fits each host of the kind that it was
 * started on.  The findings name what was taken as the same.
 *
 * A running guest keeps the vCPU it was started with, so everything here is about that; what it
 * would be given if it were made anew at the destination is told as notes.  OS-dependent bits,
 * topology and APIC ids have the rules own and calc and are in no comparison, so two equal
 * machines are never refused for them.
 *
 * The cause of a missing feature is a guess from what is known, best evidence first: what the
 * silicon has but the offer has not was taken by KVM, QEMU or an option; what a host of the same
 * signature has, or its generation's mode, was switched off or comes with microcode; what is left
 * is silicon: older, or newer than the last that had it (data/removed.txt).
 */
#include "core/check.h"

#include "core/generation.h"

#include <string.h>

enum { TSC_TOLERANCE_PPM = 250 }; /* linux:arch/x86/kvm/x86.c, tsc_tolerance_ppm */

/* MSRs that a CPUID bit announces; the table of features is sorted by place. */
static const struct {
	enum evc_feature_id announcer, first, last;
} announced[] = {
	{ .announcer = EVC_F_CORE_CAPABILITY,
	  .first = EVC_F_CORE_CAP_STLB_QOS,
	  .last = EVC_F_CORE_CAP_STLB_QOS },
	{ .announcer = EVC_F_ARCH_CAPABILITIES, .first = EVC_F_RDCL_NO, .last = EVC_F_RDCL_NO },
	{ .announcer = EVC_F_PDCM, .first = EVC_F_PERF_CAP_LBR_FORMAT, .last = EVC_F_PERF_CAP_LBR_FORMAT },
	{ .announcer = EVC_F_VMX, .first = EVC_F_VMX_BASIC_REVISION, .last = EVC_F_VMX_EXIT2_MAY },
};

static bool is_msr(enum evc_feature_id id)
{
	return evc_features[id].bit.reg == EVC_MSR;
}

/* The bit of XCR0 or IA32_XSS whose state a subleaf of leaf 0xD describes. */
static enum evc_feature_id component(uint32_t subleaf)
{
	for (unsigned id = EVC_F_XCR0_X87; id <= EVC_F_XSS_HIGH; id++) {
		const struct evc_bit *bit = &evc_features[id].bit;
		bool user = !bit->subleaf && bit->reg == EVC_EAX,
		     system = bit->subleaf && bit->reg == EVC_ECX;

		if ((user || system) && bit->lo == subleaf && bit->hi == subleaf)
			return (enum evc_feature_id)id;
	}
	return EVC_N_FEATURES;
}

/*
 * The bit without which the feature means nothing: that announces its MSR, its leaf, or its part of leaf 0xD.
 * EVC_N_FEATURES: none does.
 */
static enum evc_feature_id announcer(enum evc_feature_id id)
{
	const struct evc_bit *bit = &evc_features[id].bit;

	/* QEMU tells every guest of extensions of an MWAIT that it does not show. */
	if (bit->reg != EVC_MSR && bit->leaf == evc_features[EVC_F_MWAIT_EXT].bit.leaf)
		return EVC_F_MONITOR;
	if (id >= EVC_F_XCR0_X87 && id <= EVC_F_XSS_HIGH)
		return bit->subleaf && bit->reg == EVC_ECX ? EVC_F_XSAVES : EVC_F_XSAVE;
	if (id >= EVC_F_XSTATE_SIZE_AVX && id <= EVC_F_XSTATE_OFFSET_LWP)
		return component(bit->subleaf);
	for (size_t i = 0; is_msr(id) && i < sizeof(announced) / sizeof(announced[0]); i++)
		if (evc_features[announced[i].first].bit.leaf <= bit->leaf &&
		    bit->leaf <= evc_features[announced[i].last].bit.leaf)
			return announced[i].announcer;
	return EVC_N_FEATURES;
}

/* In the order of places, so that what announces is settled before what it announces. */
void evc_check_settle(struct evc_cpu *cpu)
{
	for (unsigned i = 0; i < EVC_N_FEATURES; i++) {
		enum evc_feature_id id = (enum evc_feature_id)i, by = announcer(id);

		if (evc_features[id].rule == EVC_RULE_OWN || by == EVC_N_FEATURES ||
		    evc_cpu_truth(cpu, by) != EVC_ABSENT)
			continue;
		evc_set_add(&cpu->known, id);
		evc_set_drop(&cpu->has, id);
		if (evc_features[id].slot != EVC_NO_SLOT)
			cpu->value[evc_features[id].slot] = 0;
	}
}

void evc_check_asked(struct evc_set *ret_set)
{
	static const enum evc_rule rules[] = { EVC_RULE_AND, EVC_RULE_MIN, EVC_RULE_MAX, EVC_RULE_SAME };
	struct evc_set set = { 0 };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		set = evc_set_or(&set, &evc_rule_sets[rules[i]]);
	for (int slot = 0; slot < EVC_N_SLOTS; slot++)
		evc_set_add(&set, evc_slots[slot]);
	for (unsigned id = 0; id < EVC_N_FEATURES; id++)
		if (is_msr((enum evc_feature_id)id) && announcer((enum evc_feature_id)id) == EVC_N_FEATURES)
			evc_set_drop(&set, (enum evc_feature_id)id);
	for (unsigned id = EVC_F_N_C0_SUBSTATES; id <= EVC_F_N_C7_SUBSTATES; id++)
		evc_set_drop(&set, (enum evc_feature_id)id);
	evc_set_drop(&set, EVC_F_K1OM); /* KVM shows a guest nothing of its range of leaves */
	*ret_set = set;
}

bool evc_check_cares(const struct evc_cpu *guest, enum evc_feature_id id)
{
	enum evc_feature_id by = announcer(id);

	return by == EVC_N_FEATURES || evc_cpu_truth(guest, by) != EVC_ABSENT;
}

/* Drop what the guest does not care for. */
static void keep_cared(const struct evc_cpu *guest, struct evc_set *set)
{
	EVC_SET_FOREACH(id, set)
	{
		if (!evc_check_cares(guest, id))
			evc_set_drop(set, id);
	}
}

enum evc_verdict evc_check_fits(const struct evc_cpu *guest, const struct evc_cpu *host,
                                struct evc_misfit *ret_misfit)
{
	struct evc_misfit misfit;
	struct evc_set asked;

	evc_check_asked(&asked);
	evc_cpu_fits(guest, host, &misfit);
	misfit.lacks = evc_set_and(&misfit.lacks, &asked);
	misfit.outside = evc_set_and(&misfit.outside, &asked);
	misfit.unsure = evc_set_and(&misfit.unsure, &asked);
	keep_cared(guest, &misfit.lacks);
	keep_cared(guest, &misfit.outside);
	keep_cared(guest, &misfit.unsure);
	if (ret_misfit)
		*ret_misfit = misfit;
	if (!evc_set_is_empty(&misfit.lacks) || !evc_set_is_empty(&misfit.outside))
		return EVC_NO;
	return evc_set_is_empty(&misfit.unsure) ? EVC_YES : EVC_UNKNOWN;
}

bool evc_check_same_kind(const struct evc_set *asked, const struct evc_cpu *a, const struct evc_cpu *b)
{
	struct evc_set has[2] = { evc_set_and(&a->has, asked), evc_set_and(&b->has, asked) },
		       known[2] = { evc_set_and(&a->known, asked), evc_set_and(&b->known, asked) };

	return a->identified && b->identified && a->signature == b->signature &&
	       a->microcode == b->microcode && !strcmp(a->vendor_id, b->vendor_id) &&
	       evc_set_equals(&has[0], &has[1]) && evc_set_equals(&known[0], &known[1]) &&
	       !memcmp(a->value, b->value, sizeof(a->value));
}

enum evc_verdict evc_check_fits_from(const struct evc_cpu *guest, const struct evc_cpu *from,
                                     const struct evc_cpu *host, struct evc_misfit *ret_misfit)
{
	enum evc_verdict verdict = evc_check_fits(guest, host, ret_misfit);
	struct evc_set asked;

	if (verdict != EVC_UNKNOWN)
		return verdict;
	evc_check_asked(&asked);
	return evc_check_same_kind(&asked, from ? from : guest, host) ? EVC_YES : EVC_UNKNOWN;
}

/* Does any later version of a mode add it?  Such features came with microcode. */
static bool came_with_microcode(const struct evc_modes *modes, enum evc_feature_id id)
{
	for (size_t m = 0; modes && m < modes->n; m++)
		for (size_t v = 1; v < modes->items[m]->n_versions; v++)
			if (evc_set_has(&modes->items[m]->versions[v].adds, id))
				return true;
	return is_msr(id) && announcer(id) == EVC_F_ARCH_CAPABILITIES;
}

static bool mode_lists(const struct evc_modes *modes, const struct evc_cpu *silicon, enum evc_feature_id id)
{
	const struct evc_generation *generation = evc_generation_find(silicon);
	const struct evc_mode *mode;
	unsigned version;
	struct evc_error err;

	if (!modes || !generation || !strcmp(generation->mode, "-"))
		return false;
	if (evc_modes_find(modes, evc_span_from(generation->mode), &mode, &version, &err) < 0)
		return false;
	return evc_set_has(&evc_mode_version(mode, (unsigned)mode->n_versions)->features, id);
}

/* Has another host of the very same signature the feature in its silicon? */
static bool twin_has(const struct evc_check_side *host, const struct evc_check_side *other,
                     enum evc_feature_id id)
{
	if (!other || other == host || !other->silicon || !other->silicon->identified)
		return false;
	return other->silicon->signature == host->silicon->signature &&
	       !strcmp(other->silicon->vendor_id, host->silicon->vendor_id) &&
	       evc_cpu_truth(other->silicon, id) == EVC_PRESENT;
}

static bool some_twin_has(const struct evc_check_side *host, const struct evc_check_side *other,
                          const struct evc_check_options *options, enum evc_feature_id id)
{
	bool has = twin_has(host, other, id);

	for (size_t i = 0; options && i < options->n_siblings && !has; i++)
		has = twin_has(host, &options->siblings[i], id);
	return has;
}

/* The silicon itself does not have it: was it made too early, or too late? */
static enum evc_cause silicon_cause(const struct evc_cpu *silicon, enum evc_feature_id id)
{
	const struct evc_removal *removal = &evc_removals[id];
	const struct evc_generation *generation = evc_generation_find(silicon);
	uint64_t year;

	if (!(removal->vendors & silicon->vendor) || !generation ||
	    !evc_span_number(evc_span_from(generation->year), 9999, &year))
		return EVC_CAUSE_OLDER;
	return (int)year < removal->year ? EVC_CAUSE_OLDER : EVC_CAUSE_REMOVED;
}

enum evc_cause evc_check_cause(const struct evc_check_side *host, enum evc_feature_id id,
                               const struct evc_check_side *other, const struct evc_check_options *options)
{
	const struct evc_modes *modes = options ? options->modes : NULL;
	enum evc_cause cause = EVC_CAUSE_NONE;
	bool twin;

	if (!host->cpu)
		return EVC_CAUSE_DUMP;
	if (!(evc_features[id].vendors & host->cpu->vendor))
		return EVC_CAUSE_VENDOR;
	if (!host->silicon)
		return EVC_CAUSE_NONE;
	if (host->cause && evc_cpu_truth(host->silicon, id) == EVC_PRESENT)
		cause = host->cause(host, id);
	if (cause != EVC_CAUSE_NONE || evc_cpu_truth(host->silicon, id) == EVC_PRESENT)
		return cause;
	if (evc_cpu_truth(host->silicon, id) == EVC_UNSURE)
		return evc_cpu_truth(host->cpu, id) == EVC_UNSURE ? EVC_CAUSE_DUMP : EVC_CAUSE_NONE;
	if (evc_cpu_truth(host->silicon, EVC_F_HYPERVISOR) == EVC_PRESENT)
		return EVC_CAUSE_NESTED;
	twin = some_twin_has(host, other, options, id);
	if (twin || mode_lists(modes, host->silicon, id))
		return came_with_microcode(modes, id) ? EVC_CAUSE_MICROCODE : EVC_CAUSE_FIRMWARE;
	return silicon_cause(host->silicon, id);
}

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

static void add_outside(const struct evc_set *set, const struct evc_check_side *guest,
                        const struct evc_check_side *host, struct evc_findings *findings)
{
	EVC_SET_FOREACH(id, set)
	{
		struct evc_finding finding = { .kind = EVC_FINDING_OUTSIDE,
			                       .severity = EVC_BLOCKS,
			                       .feature = id,
			                       .subject = host->name,
			                       .other = guest->name };

		evc_cpu_value(host->cpu, id, &finding.have);
		evc_cpu_value(guest->cpu, id, &finding.want);
		evc_findings_add(findings, finding);
	}
}

/* What an MSR holds is asked once: its bits are known together or not at all. */
static bool is_said(struct evc_set *said, enum evc_feature_id id)
{
	enum evc_feature_id by = is_msr(id) ? announcer(id) : EVC_N_FEATURES;
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
		bool of_guest = evc_cpu_truth(guest->cpu, id) == EVC_UNSURE, msr = is_msr(id);
		struct evc_finding finding = { .kind = EVC_FINDING_UNSURE,
			                       .severity = same ? EVC_WARNING : EVC_DOUBT,
			                       .cause = EVC_CAUSE_DUMP,
			                       .feature = msr ? announcer(id) : id,
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

static void check_clock(const struct evc_check_side *guest, const struct evc_check_side *host,
                        struct evc_findings *findings)
{
	uint64_t a = guest->tsc_khz, b = host->tsc_khz, apart = a > b ? a - b : b - a;

	if (evc_cpu_truth(guest->cpu, EVC_F_INVTSC) == EVC_PRESENT)
		add_note(findings, EVC_WARNING, guest->name,
		         "the guest was given invtsc: QEMU moves it only when its TSC frequency is set");
	if (a && b && apart * 1000000 > a * TSC_TOLERANCE_PPM)
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
