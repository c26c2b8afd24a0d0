/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Differences between a prediction and a real /proc/cpuinfo, as text and as JSON. */
#include "text/cpuinfo_against.h"

static const char *kind_name(enum evc_linux_target target)
{
	switch (target) {
	case EVC_LINUX_TARGET_FLAG:
		return "flag";
	case EVC_LINUX_TARGET_BUG:
		return "bug";
	case EVC_LINUX_TARGET_LINE:
		break;
	}
	return "line";
}

static void print_difference(const struct evc_cpuinfo_difference *difference, struct evc_sink *sink)
{
	evc_sink_printf(sink, "  %-5s%.*s: ", kind_name(difference->target), (int)difference->name.length,
	                difference->name.text);
	if (difference->target != EVC_LINUX_TARGET_LINE)
		evc_sink_printf(sink, "%s%s\n", difference->in_real ? "there" : "not there",
		                difference->unknown    ? ", predicted unknown"
		                : difference->predicts ? ", predicted there"
		                                       : ", predicted not there");
	else if (difference->unknown)
		evc_sink_printf(sink, "%.*s, predicted unknown\n", (int)difference->real.length,
		                difference->real.text);
	else if (!difference->in_real)
		evc_sink_printf(sink, "not printed, predicted %s\n", difference->predicted);
	else
		evc_sink_printf(sink, "%.*s, predicted %s\n", (int)difference->real.length,
		                difference->real.text,
		                difference->predicts ? difference->predicted : "not printed");
	if (difference->varies)
		evc_sink_puts(sink, "       changes while it runs, not counted\n");
	else if (difference->explanation[0])
		evc_sink_printf(sink, "       equal with %s (%s)\n", difference->explanation,
		                difference->why);
	else
		evc_sink_printf(
			sink, "       %s\n",
			difference->why[0]
				? difference->why
				: "evc cannot explain it: another CPU, or a kernel that its vendor changed");
}

void evc_cpuinfo_against_print(const struct evc_cpuinfo_comparison *comparison, struct evc_sink *sink)
{
	for (size_t i = 0; i < comparison->n; i++)
		print_difference(&comparison->items[i], sink);
}

static json_t *span_json(struct evc_span span)
{
	json_t *string = json_stringn(span.text, span.length);

	return string ? string : json_string("?"); /* what is no UTF-8 */
}

json_t *evc_cpuinfo_against_json(const struct evc_cpuinfo_comparison *comparison)
{
	json_t *array = json_array();

	for (size_t i = 0; i < comparison->n; i++) {
		const struct evc_cpuinfo_difference *difference = &comparison->items[i];
		bool line = difference->target == EVC_LINUX_TARGET_LINE;
		json_t *real = line ? span_json(difference->real) : json_boolean(difference->in_real);
		json_t *predicted = difference->unknown ? json_null()
		                    : line              ? json_string(difference->predicted)
		                                        : json_boolean(difference->predicts);

		if (line && !difference->in_real) {
			json_decref(real);
			real = json_null();
		}
		json_array_append_new(array, json_pack("{s:s, s:o, s:o, s:o, s:b, s:s, s:s}", "kind",
		                                       kind_name(difference->target), "name",
		                                       span_json(difference->name), "real", real, "predicted",
		                                       predicted, "varies", difference->varies, "explanation",
		                                       difference->explanation, "why", difference->why));
	}
	return array;
}
