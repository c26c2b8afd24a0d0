/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest was given can only be told from what it sees.
 *
 * A mode sets a signature, the highest leaves, and every feature that it does not pass on as the host has it.
 * So a guest was given a mode exactly when its signature is the mode's, it has all features of one of its
 * versions, and of the features that the mode decides it has no other.  Anything else with the same signature
 * is "like" the mode: either it was made by hand, or its host could not give all, or the real CPU happens to
 * have this signature and nobody took anything away.
 *
 * To expect a mode is the same question about one mode, asked leaf by leaf: the mode is applied to what the
 * guest sees itself.  What then differs the mode would have taken away or set otherwise.  What it lacks is
 * asked before, since applying a mode cannot add.
 */
#include "core/given.h"

#include "core/compare.h"
#include "core/offer.h"
#include "core/vcpu.h"

/* The bits that a mode decides about. */
static struct evc_set decided(const struct evc_modes *modes)
{
	return evc_set_minus(&evc_rule_sets[EVC_RULE_AND], &modes->passes);
}

static bool has_signature(const struct evc_mode *mode, const struct evc_cpu *cpu)
{
	return cpu->identified && !mode->keeps_signature && cpu->vendor & mode->vendors &&
	       cpu->signature ==
	               evc_signature_pack(mode->family.value, mode->model.value, mode->stepping.value);
}

/* What is set by others than the mode: it says nothing about it. */
static struct evc_set set_by_others(const struct evc_modes *modes, const struct evc_dump *dump,
                                    const struct evc_set *more)
{
	const struct evc_compare compare = { .modes = modes, .seen = dump, .by = EVC_BY_QEMU, .os = true };
	struct evc_set others = { 0 };

	EVC_SET_FOREACH(id, more)
	{
		struct evc_bit place = evc_features[id].bit;
		const struct evc_difference difference = { .place = place,
			                                   .feature = id,
			                                   .bits = evc_bit_mask(place),
			                                   .seen = evc_bit_mask(place) };
		enum evc_cause cause;

		if (evc_compare_may_differ(&compare, &difference, &cause))
			evc_set_add(&others, id);
	}
	return others;
}

static struct evc_given judge(const struct evc_modes *modes, const struct evc_mode *mode,
                              const struct evc_dump *dump, const struct evc_cpu *cpu)
{
	struct evc_given given = { .fit = EVC_GIVEN_LIKE, .mode = mode };
	const struct evc_mode_version *version;
	struct evc_set mine = decided(modes), unsure, others;

	given.version = evc_mode_best_version(mode, cpu);
	version = evc_mode_version(mode, given.version);
	if (!given.version)
		evc_mode_satisfied(mode, 1, cpu, &given.less, &unsure);
	mine = evc_set_and(&mine, &cpu->has);
	given.more = evc_set_minus(&mine, &version->features);
	others = set_by_others(modes, dump, &given.more);
	given.more = evc_set_minus(&given.more, &others);
	if (given.version && evc_set_is_empty(&given.more) && cpu->max_basic == mode->max_basic.value &&
	    cpu->max_extended == mode->max_extended.value)
		given.fit = EVC_GIVEN_EXACTLY;
	return given;
}

static int strangeness(const struct evc_given *given)
{
	return evc_set_count(&given->more) + evc_set_count(&given->less);
}

void evc_given_find(const struct evc_modes *modes, const struct evc_dump *dump, const struct evc_cpu *cpu,
                    struct evc_given *ret_given)
{
	struct evc_given best = { .fit = EVC_GIVEN_NOTHING };

	for (size_t i = 0; i < modes->n; i++) {
		struct evc_given given;

		if (!has_signature(modes->items[i], cpu))
			continue;
		given = judge(modes, modes->items[i], dump, cpu);
		if (given.fit > best.fit ||
		    (given.fit == best.fit && strangeness(&given) < strangeness(&best)))
			best = given;
	}
	*ret_given = best;
}

struct work {
	const struct evc_modes *modes;
	const struct evc_mode *mode;
	unsigned version;
	const struct evc_cpu *cpu;
	const char *subject;
	struct evc_arena *arena;
	struct evc_findings *findings;
};

static void find(struct work *work, struct evc_finding finding)
{
	finding.subject = work->subject;
	finding.other = work->mode->key;
	evc_findings_add(work->findings, finding);
}

static void find_number(struct work *work, const char *what, uint64_t have, uint64_t want)
{
	if (have != want)
		find(work, (struct evc_finding){ .kind = EVC_FINDING_VALUE,
		                                 .severity = EVC_BLOCKS,
		                                 .feature = EVC_N_FEATURES,
		                                 .detail = what,
		                                 .have = have,
		                                 .want = want });
}

static void find_lacks(struct work *work)
{
	struct evc_set lacks, unsure;

	evc_mode_satisfied(work->mode, work->version, work->cpu, &lacks, &unsure);
	EVC_SET_FOREACH(id, &lacks)
	find(work, (struct evc_finding){ .kind = EVC_FINDING_UNSEEN, .severity = EVC_BLOCKS, .feature = id });
	EVC_SET_FOREACH(id, &unsure)
	find(work, (struct evc_finding){ .kind = EVC_FINDING_UNSURE, .severity = EVC_DOUBT, .feature = id });
}

/* Signature and highest leaves; what leaf by leaf says of them again is left out there. */
static void find_identity(struct work *work)
{
	const struct evc_mode *mode = work->mode;
	const struct evc_cpu *cpu = work->cpu;

	if (!(cpu->vendor & mode->vendors))
		find(work, (struct evc_finding){ .kind = EVC_FINDING_VENDOR,
		                                 .severity = EVC_BLOCKS,
		                                 .cause = EVC_CAUSE_VENDOR,
		                                 .feature = EVC_N_FEATURES });
	if (!mode->keeps_signature)
		find_number(work, "the signature (leaf 1 EAX)", cpu->signature,
		            evc_signature_pack(mode->family.value, mode->model.value, mode->stepping.value));
	if (mode->max_basic.value)
		find_number(work, "the highest basic leaf", cpu->max_basic, mode->max_basic.value);
	if (mode->max_extended.value)
		find_number(work, "the highest extended leaf", cpu->max_extended, mode->max_extended.value);
}

static bool is_identity(struct evc_bit place)
{
	return place.reg == EVC_EAX &&
	       (place.leaf == 0 || place.leaf == 0x80000000 || place.leaf == 1 || place.leaf == 0x80000001);
}

static void find_difference(struct work *work, const struct evc_difference *difference)
{
	bool bit = difference->feature < EVC_N_FEATURES &&
	           evc_feature_is_bit(&evc_features[difference->feature]);
	struct evc_finding finding = { .kind = EVC_FINDING_VALUE,
		                       .severity = EVC_BLOCKS,
		                       .feature = difference->feature,
		                       .have = difference->seen >> difference->place.lo,
		                       .want = difference->predicted >> difference->place.lo };

	if (difference->may_be || is_identity(difference->place))
		return;
	if (bit && difference->seen) {
		finding = (struct evc_finding){ .kind = EVC_FINDING_LEAKED,
			                        .severity = EVC_BLOCKS,
			                        .feature = difference->feature };
	} else {
		char text[EVC_BIT_TEXT];

		finding.detail = evc_arena_printf(work->arena, "%s", evc_bit_format(difference->place, text));
	}
	find(work, finding);
}

static int find_differences(struct work *work, const struct evc_host *guest, const struct evc_offer *offer,
                            struct evc_error *err)
{
	struct evc_compare compare = { .subject = work->subject,
		                       .mode = work->mode->key,
		                       .modes = work->modes,
		                       .seen = &guest->cpus[0],
		                       .by = EVC_BY_QEMU,
		                       .os = true };
	struct evc_comparison comparison;
	struct evc_dump predicted;
	int status = evc_vcpu_make(work->modes, work->mode, work->version, offer, NULL, work->arena,
	                           &predicted, NULL, err);

	compare.predicted = &predicted;
	if (status == EVC_OK)
		status = evc_compare_make(&compare, work->arena, &comparison, NULL, err);
	for (size_t i = 0; status == EVC_OK && i < comparison.n; i++)
		find_difference(work, &comparison.differences[i]);
	return status;
}

int evc_given_expect(const struct evc_modes *modes, const struct evc_mode *mode, unsigned version,
                     const struct evc_host *guest, const char *subject, struct evc_arena *arena,
                     struct evc_findings *findings, enum evc_verdict *ret_verdict, struct evc_error *err)
{
	const struct evc_offer_options options = { .view = EVC_VIEW_RAW };
	struct evc_findings mine = { .arena = arena };
	struct work work = {
		.modes = modes, .mode = mode, .subject = subject, .arena = arena, .findings = &mine
	};
	struct evc_offer offer;
	int status = evc_offer_make(guest, &options, arena, &offer, NULL, err);

	if (status < 0)
		return status;
	work.cpu = &offer.cpu;
	work.version = version ? version : evc_mode_best_version(mode, &offer.cpu);
	find_identity(&work);
	find_lacks(&work);
	status = find_differences(&work, guest, &offer, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < mine.n; i++)
		evc_findings_add(findings, mine.items[i]);
	*ret_verdict = evc_findings_verdict(&mine);
	return EVC_OK;
}
