/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proofs as text and as JSON. */
#include "verb/verify.h"

#include "text/report.h"

#include <string.h>

static const char *state_words(enum evc_verify_state state)
{
	switch (state) {
	case EVC_VERIFY_HELD:
		return "as predicted";
	case EVC_VERIFY_BROKEN:
		return "differs";
	case EVC_VERIFY_UNTESTED:
		return "could not be tested";
	case EVC_VERIFY_FOREIGN:
		return "another vendor's";
	}
	return "";
}

static void put_mode(const struct evc_verify_proof *proof, struct evc_sink *out)
{
	evc_sink_puts(out, proof->mode->key);
	if (proof->mode->n_versions > 1)
		evc_sink_printf(out, "@%u", proof->version);
}

/* Registers that are otherwise than predicted and may be, each with the reason once. */
static void put_may_be(const struct evc_comparison *comparison, struct evc_sink *out)
{
	for (size_t i = 0; i < comparison->n; i++) {
		const struct evc_difference *difference = &comparison->differences[i];
		bool said = !difference->may_be;
		size_t n = 0;

		for (size_t j = 0; j < comparison->n; j++) {
			bool same = comparison->differences[j].may_be &&
			            !strcmp(comparison->differences[j].why, difference->why);

			said |= same && j < i;
			n += same;
		}
		if (said)
			continue;
		evc_sink_puts(out, "    may differ: ");
		if (difference->feature < EVC_N_FEATURES)
			evc_sink_puts(out, evc_features[difference->feature].name);
		else
			evc_sink_printf(out, "a part of leaf %x", difference->place.leaf);
		if (n > 1)
			evc_sink_printf(out, " and %zu more", n - 1);
		evc_sink_printf(out, ": %s\n", difference->why);
	}
}

static void put_part(const struct evc_verify_part *part, const char *title, struct evc_sink *out)
{
	const struct evc_comparison *comparison = &part->comparison;

	if (!part->asked)
		return;
	evc_sink_printf(out, "  %-12s %s", title, state_words(part->state));
	if (part->state == EVC_VERIFY_UNTESTED) {
		evc_sink_printf(out, ": %s\n", part->why);
		return;
	}
	evc_sink_printf(out, ": %zu leaves and %zu MSRs compared (%s)\n", comparison->n_leaves,
	                comparison->n_msrs, part->how);
	put_may_be(comparison, out);
	if (comparison->n_not_seen)
		evc_sink_printf(out, "    not seen: %zu leaves or MSRs of the prediction\n",
		                comparison->n_not_seen);
}

void evc_verify_report(const struct evc_verify *verify, const struct evc_verify_proof *proof,
                       struct evc_sink *out)
{
	if (proof->state == EVC_VERIFY_FOREIGN)
		return;
	put_mode(proof, out);
	evc_sink_printf(out, " on %s\n", verify->host.name);
	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++)
		put_part(&proof->parts[i], evc_verify_ways[i].title, out);
	evc_verify_leaks_report(proof, out);
	if (evc_set_is_empty(&proof->reduced) || proof->state == EVC_VERIFY_UNTESTED)
		return;
	evc_sink_puts(out, "  reduced: not shown here, so not proved\n");
	evc_report_set(&proof->reduced, 4, out);
}

static int mode_width(const struct evc_verify_proof *proofs, size_t n)
{
	size_t width = 4;

	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(proofs[i].mode->key) + 3;

		if (length > width)
			width = length;
	}
	return (int)width;
}

/* "-": nobody looked. */
static void put_leaks(const struct evc_verify_proof *proof, struct evc_sink *out)
{
	int count = evc_verify_leaks_count(proof);

	if (count < 0)
		evc_sink_puts(out, "      -");
	else
		evc_sink_printf(out, "  %5d", count);
}

static void put_column(const struct evc_verify_part *part, struct evc_sink *out)
{
	if (part->asked)
		evc_sink_printf(out, "  %-19s", state_words(part->state));
}

void evc_verify_table(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n,
                      struct evc_sink *out)
{
	int width = mode_width(proofs, n);

	evc_sink_printf(out, "%-*s  proved  reduced  leaks", width, "mode");
	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++)
		if (verify->ways[i])
			evc_sink_printf(out, "  %-19s", evc_verify_ways[i].title);
	evc_sink_puts(out, "\n");
	for (size_t i = 0; i < n; i++) {
		const struct evc_verify_proof *proof = &proofs[i];
		size_t before = out->length;

		if (proof->state == EVC_VERIFY_FOREIGN)
			continue;
		put_mode(proof, out);
		evc_sink_pad(out, width - (int)(out->length - before));
		evc_sink_printf(out, "  %6d  %7d", evc_set_count(&proof->proved),
		                evc_set_count(&proof->reduced));
		put_leaks(proof, out);
		for (int j = 0; j < EVC_N_VERIFY_WAYS; j++)
			put_column(&proof->parts[j], out);
		evc_sink_puts(out, "\n");
	}
	evc_verify_leaks_summary(proofs, n, out);
}

/* "A, B and C" of the ways that are in the mask. */
static void put_ways(unsigned mask, struct evc_sink *out)
{
	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++) {
		unsigned later = mask >> i >> 1;

		if (!(mask >> i & 1))
			continue;
		evc_sink_printf(out, "the %s%s", evc_verify_ways[i].title,
		                !later                ? ""
		                : later & (later - 1) ? ", "
		                                      : " and ");
	}
}

/* Whose word it is, and who could not be asked. */
static void put_who(const struct evc_verify_proof *proofs, size_t n, struct evc_sink *out)
{
	unsigned tried = 0, untested = 0;

	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < EVC_N_VERIFY_WAYS; j++) {
			const struct evc_verify_part *part = &proofs[i].parts[j];

			if (part->asked && part->state == EVC_VERIFY_UNTESTED)
				untested |= 1U << j;
			else if (part->asked)
				tried |= 1U << j;
		}
	if (tried) {
		evc_sink_puts(out, " by ");
		put_ways(tried, out);
	}
	if (tried && untested) {
		evc_sink_puts(out, " (not tried");
		evc_sink_puts(out, untested & tried ? " everywhere: " : ": ");
		put_ways(untested, out);
		evc_sink_puts(out, ")");
	}
}

static void put_summary_of_one(const struct evc_verify *verify, const struct evc_verify_proof *proof,
                               struct evc_sink *out)
{
	if (proof->state == EVC_VERIFY_FOREIGN) {
		evc_sink_printf(out, "%s: could not be tested: it is for %s hosts, and %s is none\n",
		                proof->mode->key, proof->mode->vendor, verify->host.name);
		return;
	}
	put_mode(proof, out);
	evc_sink_printf(out, ": %s", state_words(proof->state));
	if (proof->state != EVC_VERIFY_UNTESTED) {
		put_who(proof, 1, out);
		evc_sink_printf(out, "; %d of %d features proved, %d reduced", evc_set_count(&proof->proved),
		                evc_set_count(&proof->wanted), evc_set_count(&proof->reduced));
	}
	evc_sink_puts(out, "\n");
}

void evc_verify_summary(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n,
                        struct evc_sink *out)
{
	size_t counts[] = { 0, 0, 0, 0 };
	size_t reduced = 0;

	if (n == 1) {
		put_summary_of_one(verify, proofs, out);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		counts[proofs[i].state]++;
		reduced += proofs[i].state == EVC_VERIFY_HELD && !evc_set_is_empty(&proofs[i].reduced);
	}
	evc_sink_printf(out, "%zu as predicted (%zu of them reduced), %zu differ", counts[EVC_VERIFY_HELD],
	                reduced, counts[EVC_VERIFY_BROKEN]);
	put_who(proofs, n, out);
	evc_sink_printf(out, "; %zu could not be tested, %zu of another vendor than %s\n",
	                counts[EVC_VERIFY_UNTESTED], counts[EVC_VERIFY_FOREIGN], verify->host.name);
}

static const char *state_name(enum evc_verify_state state)
{
	static const char *const names[] = { [EVC_VERIFY_HELD] = "as-predicted",
		                             [EVC_VERIFY_BROKEN] = "differs",
		                             [EVC_VERIFY_UNTESTED] = "untested",
		                             [EVC_VERIFY_FOREIGN] = "other-vendor" };

	return names[state];
}

static json_t *difference_json(const struct evc_difference *difference)
{
	char text[EVC_BIT_TEXT];
	json_t *object = json_pack("{s:s, s:I, s:I, s:b, s:s}", "place",
	                           evc_bit_format(difference->place, text), "predicted",
	                           (json_int_t)difference->predicted, "seen", (json_int_t)difference->seen,
	                           "may_be", difference->may_be, "cause", evc_cause_name(difference->cause));

	if (difference->feature < EVC_N_FEATURES)
		json_object_set_new(object, "feature", json_string(evc_features[difference->feature].name));
	if (*difference->why)
		json_object_set_new(object, "why", json_string(difference->why));
	return object;
}

static json_t *part_json(const struct evc_verify_part *part)
{
	const struct evc_comparison *comparison = &part->comparison;
	json_t *object = json_pack("{s:s}", "state", state_name(part->state)), *list;

	if (part->state == EVC_VERIFY_UNTESTED) {
		json_object_set_new(object, "why", json_string(part->why));
		json_object_set_new(object, "possible", json_boolean(!part->impossible));
		return object;
	}
	json_object_set_new(object, "how", json_string(part->how));
	json_object_set_new(object, "leaves", json_integer((json_int_t)comparison->n_leaves));
	json_object_set_new(object, "msrs", json_integer((json_int_t)comparison->n_msrs));
	json_object_set_new(object, "not_seen", json_integer((json_int_t)comparison->n_not_seen));
	json_object_set_new(object, "not_predicted", json_integer((json_int_t)comparison->n_not_predicted));
	list = json_array();
	for (size_t i = 0; i < comparison->n; i++)
		json_array_append_new(list, difference_json(&comparison->differences[i]));
	json_object_set_new(object, "differences", list);
	list = evc_verify_leaks_json(part);
	if (list)
		json_object_set_new(object, "leaks", list);
	return object;
}

static json_t *proof_json(const struct evc_verify_proof *proof)
{
	json_t *object = json_pack("{s:s, s:I, s:s}", "mode", proof->mode->key, "version",
	                           (json_int_t)proof->version, "state", state_name(proof->state));
	if (proof->state == EVC_VERIFY_FOREIGN)
		return object;
	json_object_set_new(object, "proved", evc_report_set_json(&proof->proved));
	json_object_set_new(object, "reduced", evc_report_set_json(&proof->reduced));
	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++)
		if (proof->parts[i].asked)
			json_object_set_new(object, evc_verify_ways[i].name, part_json(&proof->parts[i]));
	json_object_set_new(object, "findings", evc_report_findings_json(&proof->findings));
	return object;
}

json_t *evc_verify_json(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, proof_json(&proofs[i]));
	return json_pack("{s:s, s:s, s:s, s:o}", "host", verify->host.name, "kvm",
	                 *verify->no_kvm ? verify->no_kvm : evc_verdict_name(verify->trusted), "accelerator",
	                 verify->accel == EVC_ACCEL_KVM ? "kvm" : "tcg", "modes", list);
}

void evc_verify_cost_report(const struct evc_micro_cost *cost, struct evc_sink *out)
{
	double khz = cost->tsc_khz;

	evc_sink_printf(out, "one CPUID in a guest, which is a VM exit to KVM and back:\n");
	evc_sink_printf(out,
	                "  loop     %.0f per second, %.0f ns each (best of %d batches; median %.0f ns)\n",
	                1e9 / cost->best_ns, cost->best_ns, EVC_MICRO_BATCHES, cost->median_ns);
	evc_sink_printf(out, "  least    %u cycles", cost->least);
	if (cost->tsc_khz)
		evc_sink_printf(out, ", %.0f ns", cost->least * 1e6 / khz);
	evc_sink_printf(out, "\n  median   %u cycles", cost->median);
	if (cost->tsc_khz)
		evc_sink_printf(out, ", %.0f ns", cost->median * 1e6 / khz);
	evc_sink_printf(out, "\n  clock    %u cycles of these are for reading the clock\n",
	                cost->clock_least);
	if (cost->exits_counted)
		evc_sink_printf(out, "  exits    %.3f for each CPUID, as KVM counts them\n",
		                cost->exits_per_cpuid);
	else
		evc_sink_puts(
			out,
			"  exits    not counted: this kernel's KVM does not tell (it does since Linux 5.14)\n");
}

json_t *evc_verify_cost_json(const struct evc_micro_cost *cost)
{
	json_t *object = json_pack("{s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "rate", 1e9 / cost->best_ns,
	                           "best_ns", cost->best_ns, "median_ns", cost->median_ns, "n",
	                           (json_int_t)cost->n, "least_cycles", (json_int_t)cost->least,
	                           "median_cycles", (json_int_t)cost->median, "clock_cycles",
	                           (json_int_t)cost->clock_least, "tsc_khz", (json_int_t)cost->tsc_khz);

	if (cost->exits_counted)
		json_object_set_new(object, "exits_per_cpuid", json_real(cost->exits_per_cpuid));
	return object;
}
