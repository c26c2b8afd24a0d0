/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/report.h"

#include <string.h>

/* What a cause is called, what it says in a sentence, what helps against it. */
static const struct {
	const char *name;
	const char *sentence;
	const char *remedy;
} causes[] = {
	[EVC_CAUSE_NONE] = { .name = "none", .sentence = "", .remedy = "" },
	[EVC_CAUSE_OLDER] = { .name = "older", .sentence = "its silicon does not have it", .remedy = "" },
	[EVC_CAUSE_REMOVED] = { .name = "removed", .sentence = "it was dropped again", .remedy = "" },
	[EVC_CAUSE_FIRMWARE] = { .name = "firmware",
	                         .sentence =
	                                 "its generation has it, so it is probably switched off in firmware",
	                         .remedy = "switch it on in the firmware setup" },
	[EVC_CAUSE_MICROCODE] = { .name = "microcode",
	                          .sentence = "it comes with a microcode update",
	                          .remedy = "update the microcode" },
	[EVC_CAUSE_KERNEL] = { .name = "kernel",
	                       .sentence = "this kernel's KVM does not offer it",
	                       .remedy = "update the host's kernel" },
	[EVC_CAUSE_OPTION] = { .name = "option",
	                       .sentence = "a module option or boot parameter switches it off",
	                       .remedy = "change the kvm module's options or the boot parameters" },
	[EVC_CAUSE_QEMU] = { .name = "qemu",
	                     .sentence = "KVM offers it, but this QEMU has no name for it",
	                     .remedy = "update QEMU" },
	[EVC_CAUSE_UNMIGRATABLE] = { .name = "unmigratable",
	                             .sentence = "QEMU hides it from guests that are to be migrated",
	                             .remedy = "" },
	[EVC_CAUSE_NESTED] = { .name = "nested",
	                       .sentence = "the host is a guest itself and was not given it",
	                       .remedy = "give it to the host's own vCPU" },
	[EVC_CAUSE_DUMP] = { .name = "dump",
	                     .sentence = "the dump is too old or too short to say",
	                     .remedy = "capture the host again with evc capture" },
	[EVC_CAUSE_VENDOR] = { .name = "vendor", .sentence = "it is another vendor's feature", .remedy = "" },
	[EVC_CAUSE_NEVER] = { .name = "never", .sentence = "KVM never offers it to guests", .remedy = "" },
	[EVC_CAUSE_AFFECTED] = { .name = "affected",
	                         .sentence = "the host has the flaw, or does not say that it has not",
	                         .remedy = "" },
	[EVC_CAUSE_ACCELERATOR] = { .name = "accelerator",
	                            .sentence = "the accelerator here cannot show it",
	                            .remedy = "" },
	[EVC_CAUSE_OVERRIDE] = { .name = "override",
	                         .sentence = "KVM shows another value than it was given",
	                         .remedy = "" },
	[EVC_CAUSE_QEMU_ADDS] = { .name = "qemu-adds",
	                          .sentence = "QEMU decides it, whatever it was asked for",
	                          .remedy = "" },
	[EVC_CAUSE_GUEST] = { .name = "guest", .sentence = "the guest's kernel decides it", .remedy = "" },
	[EVC_CAUSE_OURS] = { .name = "ours",
	                     .sentence = "nobody else had a hand in it: our prediction is wrong",
	                     .remedy = "please report it" },
};

const char *evc_cause_name(enum evc_cause cause)
{
	return causes[cause].name;
}

const char *evc_cause_sentence(enum evc_cause cause)
{
	return causes[cause].sentence;
}

const char *evc_cause_remedy(enum evc_cause cause)
{
	return causes[cause].remedy;
}

const char *evc_severity_name(enum evc_severity severity)
{
	static const char *const names[] = {
		[EVC_NOTE] = "note", [EVC_WARNING] = "warning", [EVC_DOUBT] = "doubt", [EVC_BLOCKS] = "blocks"
	};

	return names[severity];
}

const char *evc_finding_kind_name(enum evc_finding_kind kind)
{
	static const char *const names[] = {
		[EVC_FINDING_LACKS] = "lacks",
		[EVC_FINDING_HIDES] = "hides",
		[EVC_FINDING_OUTSIDE] = "outside",
		[EVC_FINDING_DIFFERS] = "differs",
		[EVC_FINDING_UNSURE] = "unsure",
		[EVC_FINDING_UNREADABLE] = "unreadable",
		[EVC_FINDING_VENDOR] = "vendor",
		[EVC_FINDING_HOLDS_DOWN] = "holds-down",
		[EVC_FINDING_GAIN] = "gain",
		[EVC_FINDING_EXTRA] = "extra",
		[EVC_FINDING_DROPPED] = "dropped",
		[EVC_FINDING_UNREACHABLE] = "unreachable",
		[EVC_FINDING_SECURITY] = "security",
		[EVC_FINDING_UNTOLD] = "untold",
		[EVC_FINDING_RISK] = "risk",
		[EVC_FINDING_FLOOR] = "floor",
		[EVC_FINDING_CANNOT_RETURN] = "cannot-return",
		[EVC_FINDING_TARGET_LOSS] = "target-loss",
		[EVC_FINDING_SHOWS] = "shows",
		[EVC_FINDING_CHANGES] = "changes",
		[EVC_FINDING_UNSEEN] = "unseen",
		[EVC_FINDING_LEAKED] = "leaked",
		[EVC_FINDING_VALUE] = "value",
		[EVC_FINDING_REDUCED] = "reduced",
		[EVC_FINDING_OVERRIDES] = "overrides",
		[EVC_FINDING_NOTE] = "note",
	};

	return names[kind];
}

/* Findings that differ in the feature only are one sentence with several features. */
static bool same_sentence(const struct evc_finding *a, const struct evc_finding *b)
{
	return a->kind == b->kind && a->severity == b->severity && a->cause == b->cause &&
	       a->feature != EVC_N_FEATURES && b->feature != EVC_N_FEATURES &&
	       a->kind != EVC_FINDING_OUTSIDE && a->kind != EVC_FINDING_VALUE &&
	       !strcmp(a->subject, b->subject) && !strcmp(a->other, b->other) &&
	       !strcmp(a->detail, b->detail);
}

/* The features of findings[first] and of all later ones that share its sentence: "a, b and c". */
static void put_features(const struct evc_finding *first, size_t n, struct evc_sink *out)
{
	enum { MANY = 8 }; /* what is not known of a short dump; JSON has all */
	size_t total = 0, done = 0;

	for (size_t i = 0; i < n; i++)
		total += !i || same_sentence(first, &first[i]);
	for (size_t i = 0; i < n; i++) {
		if (i && !same_sentence(first, &first[i]))
			continue;
		if (first->kind == EVC_FINDING_UNSURE && done == MANY && total > MANY + 1) {
			evc_sink_printf(out, " and %zu more", total - done);
			return;
		}
		if (done)
			evc_sink_puts(out, done + 1 == total ? " and " : ", ");
		evc_sink_puts(out,
		              first[i].feature < EVC_N_FEATURES ? evc_features[first[i].feature].name : "?");
		done++;
	}
}

static void put_wanted_by(const struct evc_finding *finding, struct evc_sink *out)
{
	if (finding->other[0])
		evc_sink_printf(out, " of %s", finding->other);
}

/* The sentence up to its cause; features stands for the names of all findings that share it. */
static void put_claim(const struct evc_finding *finding, const char *features, struct evc_sink *out)
{
	const char *subject = finding->subject[0] ? finding->subject : "the level";

	switch (finding->kind) {
	case EVC_FINDING_LACKS:
		evc_sink_printf(out, "%s lacks %s", subject, features);
		put_wanted_by(finding, out);
		break;
	case EVC_FINDING_HIDES:
		evc_sink_printf(out, "the guest was not told of %s, a warning that %s gives", features,
		                subject);
		break;
	case EVC_FINDING_OUTSIDE:
		evc_sink_printf(out, "%s has %s %llu where %llu is wanted", subject, features,
		                (unsigned long long)finding->have, (unsigned long long)finding->want);
		break;
	case EVC_FINDING_DIFFERS:
		evc_sink_printf(out, "hosts do not agree on %s", features);
		break;
	case EVC_FINDING_UNSURE:
		evc_sink_printf(out, "%s: %s not known", subject, features);
		break;
	case EVC_FINDING_UNREADABLE:
		evc_sink_printf(out, "%s could not be read", subject);
		break;
	case EVC_FINDING_VENDOR:
		evc_sink_printf(out, "%s is of another vendor", subject);
		if (finding->other[0])
			evc_sink_printf(out, " than %s", finding->other);
		break;
	case EVC_FINDING_HOLDS_DOWN:
		evc_sink_printf(out, "%s holds the level below %s: it lacks %s", subject, finding->other,
		                features);
		break;
	case EVC_FINDING_GAIN:
		/* With a cause it is about mending the subject, without one about leaving it out. */
		evc_sink_printf(out,
		                finding->cause ? "with %s mended the level would be %s"
		                               : "without %s the level would be %s",
		                subject, finding->other);
		break;
	case EVC_FINDING_EXTRA:
		evc_sink_printf(out, "hidden by the mode: %s", features);
		break;
	case EVC_FINDING_DROPPED:
		evc_sink_printf(out, "%s left out, since what it needs is not there", features);
		break;
	case EVC_FINDING_UNREACHABLE:
		evc_sink_printf(out,
		                finding->cause == EVC_CAUSE_DUMP ? "perhaps KVM cannot show a guest %s on %s"
		                                                 : "KVM cannot show a guest %s on %s",
		                features, subject);
		if (finding->other[0])
			evc_sink_printf(out, ": one that moves on to %s goes unwarned", finding->other);
		break;
	case EVC_FINDING_SECURITY:
		evc_sink_printf(out,
		                "a guest started on %s is told %s (not affected), but %s does not say so",
		                finding->other, features, subject);
		break;
	case EVC_FINDING_UNTOLD:
		evc_sink_printf(out, "%s is told that %s does not affect it, but %s is affected",
		                finding->other, finding->detail, subject);
		break;
	case EVC_FINDING_RISK:
		evc_sink_puts(out, "risk");
		break;
	case EVC_FINDING_FLOOR:
		evc_sink_printf(out, "%s is below the floor %s", subject, finding->other);
		break;
	case EVC_FINDING_CANNOT_RETURN:
		evc_sink_printf(out, "a guest restarted on %s could not come back to %s", subject,
		                finding->other);
		break;
	case EVC_FINDING_TARGET_LOSS:
		evc_sink_printf(out, "%s cannot hold", finding->other[0] ? finding->other : "the target");
		if (finding->feature < EVC_N_FEATURES)
			evc_sink_printf(out, " %s", features);
		break;
	case EVC_FINDING_SHOWS:
		evc_sink_printf(out, "%s shows %s, which %s does not", subject, features, finding->other);
		break;
	case EVC_FINDING_CHANGES:
		evc_sink_printf(out, "%s differs in %s", subject, finding->other);
		break;
	case EVC_FINDING_UNSEEN:
		evc_sink_printf(out, "%s does not see %s", subject, features);
		put_wanted_by(finding, out);
		break;
	case EVC_FINDING_LEAKED:
		evc_sink_printf(out, "%s sees %s, which %s hides", subject, features,
		                finding->other[0] ? finding->other : "the mode");
		break;
	case EVC_FINDING_VALUE:
		evc_sink_printf(out, "%s sees %s%s0x%llx where 0x%llx was predicted", subject, features,
		                *features ? " " : "", (unsigned long long)finding->have,
		                (unsigned long long)finding->want);
		break;
	case EVC_FINDING_REDUCED:
		evc_sink_printf(out, "%s was tried without %s, which %s cannot show",
		                finding->other[0] ? finding->other : "the mode", features, subject);
		break;
	case EVC_FINDING_OVERRIDES:
		evc_sink_printf(out, "%s overrides %s; levelling cannot be trusted here", subject,
		                finding->other);
		break;
	case EVC_FINDING_NOTE:
		evc_sink_puts(out, finding->subject);
		break;
	}
}

/* What to do, when it is one thing; several have been named with what is lacking. */
static void put_remedy(const struct evc_finding *gain, struct evc_sink *out)
{
	if (causes[gain->cause].remedy[0] && !gain->detail[0])
		evc_sink_printf(out, ": %s", causes[gain->cause].remedy);
}

/* One sentence for first and for those of the n findings from it on that share it. */
static void put_sentence(const struct evc_finding *first, size_t n, struct evc_sink *out)
{
	struct evc_sink features = { 0 };
	size_t before = out->length;

	if (first->feature < EVC_N_FEATURES)
		put_features(first, n, &features);
	put_claim(first, features.text ? features.text : "", out);
	evc_sink_free(&features);
	if (first->detail[0] && first->kind != EVC_FINDING_UNTOLD)
		evc_sink_printf(out, "%s%s", out->length > before ? ": " : "", first->detail);
	if (first->kind == EVC_FINDING_GAIN)
		put_remedy(first, out);
	else if (causes[first->cause].sentence[0])
		evc_sink_printf(out, " (%s%s%s)", causes[first->cause].sentence,
		                causes[first->cause].remedy[0] ? "; " : "", causes[first->cause].remedy);
}

void evc_report_finding(const struct evc_finding *finding, struct evc_sink *out)
{
	put_sentence(finding, 1, out);
}

void evc_report_findings(const struct evc_findings *findings, struct evc_sink *out)
{
	static const enum evc_severity order[] = { EVC_BLOCKS, EVC_DOUBT, EVC_WARNING, EVC_NOTE };

	for (size_t s = 0; s < sizeof(order) / sizeof(order[0]); s++) {
		for (size_t i = 0; i < findings->n; i++) {
			const struct evc_finding *finding = &findings->items[i];
			bool said = finding->severity != order[s];

			for (size_t j = 0; j < i && !said; j++)
				said = same_sentence(&findings->items[j], finding);
			if (said)
				continue;
			if (finding->severity != EVC_NOTE)
				evc_sink_printf(out, "%s: ", evc_severity_name(finding->severity));
			put_sentence(finding, findings->n - i, out);
			evc_sink_puts(out, "\n");
		}
	}
}

static json_t *finding_json(const struct evc_finding *finding)
{
	struct evc_sink text = { 0 };
	json_t *object;

	evc_report_finding(finding, &text);
	object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", evc_finding_kind_name(finding->kind),
	                   "severity", evc_severity_name(finding->severity), "cause",
	                   evc_cause_name(finding->cause), "subject", finding->subject, "text",
	                   text.text ? text.text : "");
	evc_sink_free(&text);
	if (finding->feature < EVC_N_FEATURES)
		json_object_set_new(object, "feature", json_string(evc_features[finding->feature].name));
	if (finding->other[0])
		json_object_set_new(object, "other", json_string(finding->other));
	if (finding->detail[0])
		json_object_set_new(object, "detail", json_string(finding->detail));
	if (causes[finding->cause].remedy[0])
		json_object_set_new(object, "remedy", json_string(causes[finding->cause].remedy));
	if (finding->have || finding->want) {
		json_object_set_new(object, "have", json_integer((json_int_t)finding->have));
		json_object_set_new(object, "want", json_integer((json_int_t)finding->want));
	}
	return object;
}

json_t *evc_report_findings_json(const struct evc_findings *findings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < findings->n; i++)
		json_array_append_new(array, finding_json(&findings->items[i]));
	return array;
}

void evc_report_set(const struct evc_set *set, int indent, struct evc_sink *out)
{
	enum { WIDTH = 78 };
	int column = 0;

	if (evc_set_is_empty(set)) {
		evc_sink_pad(out, indent);
		evc_sink_puts(out, "none\n");
		return;
	}
	EVC_SET_FOREACH(id, set)
	{
		int length = (int)strlen(evc_features[id].name);

		if (column && column + 1 + length > WIDTH) {
			evc_sink_puts(out, "\n");
			column = 0;
		}
		if (!column) {
			evc_sink_pad(out, indent);
			column = indent;
		} else {
			evc_sink_puts(out, " ");
			column++;
		}
		evc_sink_puts(out, evc_features[id].name);
		column += length;
	}
	evc_sink_puts(out, "\n");
}

json_t *evc_report_set_json(const struct evc_set *set)
{
	json_t *array = json_array();

	EVC_SET_FOREACH(id, set)
	json_array_append_new(array, json_string(evc_features[id].name));
	return array;
}

/* jansson hands out the text piece by piece. */
static int collect(const char *text, size_t length, void *out)
{
	evc_sink_write(out, text, length);
	return 0;
}

void evc_report_json(json_t *object, struct evc_sink *out)
{
	if (!object || json_dump_callback(object, collect, out, JSON_INDENT(2)))
		out->failed = true;
	evc_sink_puts(out, "\n");
	json_decref(object);
}
