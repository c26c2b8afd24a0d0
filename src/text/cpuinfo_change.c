/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpuinfo_change.h"

#include "text/cpuinfo_why.h"
#include "text/cpuinfo_write.h"

#include <inttypes.h>

enum { NAME_WIDTH = 20 };

/* --- causes --------------------------------------------------------------------------------------- */

static void print_bit(const struct evc_linux_node *a, const struct evc_linux_node *b, struct evc_sink *sink)
{
	char text[EVC_BIT_TEXT];

	evc_sink_puts(sink, evc_bit_format(a->bit, text));
	if (b->truth == EVC_UNSURE)
		evc_sink_puts(sink, " is no longer known");
	else if (a->truth == EVC_UNSURE)
		evc_sink_printf(sink, " was not known and is %" PRIu64, b->number);
	else if (a->bit.lo != a->bit.hi)
		evc_sink_printf(sink, ": 0x%" PRIx64 " -> 0x%" PRIx64, a->number, b->number);
	else
		evc_sink_puts(sink, b->number ? " is new" : " is gone");
}

static void print_model(const struct evc_linux_view *view, struct evc_sink *sink)
{
	evc_sink_puts(sink, "family ");
	evc_cpuinfo_value(view, EVC_LINUX_CPU_FAMILY, sink);
	evc_sink_puts(sink, " model ");
	evc_cpuinfo_value(view, EVC_LINUX_MODEL, sink);
	evc_sink_puts(sink, " stepping ");
	evc_cpuinfo_value(view, EVC_LINUX_STEPPING, sink);
}

/* Which model a row names, and which it does not. */
static void print_rows(const struct evc_linux_told *before, const struct evc_linux_told *after,
                       const struct evc_linux_node *node, struct evc_sink *sink)
{
	bool was = node->truth == EVC_PRESENT;

	evc_sink_printf(sink, "no feature bit: the kernel's list has %s for ",
	                evc_linux_list_symbols[node->id]);
	print_model(was ? before->view : after->view, sink);
	evc_sink_puts(sink, " and not for ");
	print_model(was ? after->view : before->view, sink);
}

/* The flag or bug that a condition asks for. */
static void print_name(const struct evc_linux_tree *tree, const struct evc_linux_node *node,
                       struct evc_sink *sink)
{
	evc_sink_puts(sink, evc_cpuinfo_name(tree,
	                                     node->reason == EVC_LINUX_REASON_BUG ? EVC_LINUX_TARGET_BUG
	                                                                          : EVC_LINUX_TARGET_FLAG,
	                                     node->id));
}

void evc_cpuinfo_change_cause(const struct evc_linux_told *before, const struct evc_linux_told *after,
                              const struct evc_linux_cause *cause, struct evc_sink *sink)
{
	const struct evc_linux_tree *tree = before->view->tree;
	const struct evc_linux_node *a = &before->trace->nodes[cause->before];
	const struct evc_linux_node *b = &after->trace->nodes[cause->after];

	if (!cause->before || !cause->after) {
		const struct evc_linux_told *told = cause->before ? before : after;

		evc_sink_puts(sink, cause->before ? "was asked before only: " : "is asked now only: ");
		evc_cpuinfo_condition(tree, told->trace, cause->before ? cause->before : cause->after, sink);
	} else if (a->reason == EVC_LINUX_REASON_BIT) {
		print_bit(a, b, sink);
	} else if (a->reason == EVC_LINUX_REASON_ROW) {
		print_rows(before, after, a, sink);
	} else {
		evc_cpuinfo_condition(tree, before->trace, cause->before, sink);
		evc_sink_puts(sink, " -> ");
		evc_cpuinfo_condition(tree, after->trace, cause->after, sink);
	}
	if (cause->through && cause->through != cause->before) {
		evc_sink_puts(sink, ", through ");
		print_name(tree, &before->trace->nodes[cause->through], sink);
	}
	evc_sink_printf(sink, " (%s)", cause->where);
}

/* --- text ----------------------------------------------------------------------------------------- */

static void print_change(const struct evc_linux_told *before, const struct evc_linux_told *after,
                         const struct evc_linux_change *change, struct evc_sink *sink)
{
	const char *name = evc_cpuinfo_name(before->view->tree, change->target, change->id);
	enum evc_linux_line line = (enum evc_linux_line)change->id;

	evc_sink_printf(sink, "    %-*s", NAME_WIDTH, name);
	if (change->target == EVC_LINUX_TARGET_LINE) {
		if (evc_cpuinfo_shows(before->view, line))
			evc_cpuinfo_value(before->view, line, sink);
		else
			evc_sink_puts(sink, "not printed");
		evc_sink_puts(sink, " -> ");
		if (evc_cpuinfo_shows(after->view, line))
			evc_cpuinfo_value(after->view, line, sink);
		else
			evc_sink_puts(sink, "not printed");
	}
	for (unsigned i = 0; i < change->n_causes; i++) {
		if (i || change->target == EVC_LINUX_TARGET_LINE)
			evc_sink_printf(sink, "\n    %-*s", NAME_WIDTH, "");
		evc_cpuinfo_change_cause(before, after, &change->causes[i], sink);
	}
	evc_sink_puts(sink, "\n");
}

/* What became of a word. */
enum fate {
	LOST,
	GAINED,
	DOUBTED,
	N_FATES,
};

static enum fate fate_of(const struct evc_linux_change *change)
{
	if (change->before.truth == EVC_UNSURE || change->after.truth == EVC_UNSURE)
		return DOUBTED;
	return change->after.truth == EVC_PRESENT ? GAINED : LOST;
}

static void print_words(const struct evc_linux_told *before, const struct evc_linux_told *after,
                        const struct evc_linux_changes *changes, enum evc_linux_target target, enum fate fate,
                        struct evc_sink *sink)
{
	static const char *const fates[N_FATES] = {
		[LOST] = "lost", [GAINED] = "gained", [DOUBTED] = "not known on one side"
	};
	size_t n = 0;

	for (size_t i = 0; i < changes->n; i++) {
		const struct evc_linux_change *change = &changes->items[i];

		if (change->target != target || fate_of(change) != fate)
			continue;
		if (!n++)
			evc_sink_printf(sink, "%s %s\n", target == EVC_LINUX_TARGET_BUG ? "bugs" : "flags",
			                fates[fate]);
		print_change(before, after, change, sink);
	}
}

void evc_cpuinfo_changes(const struct evc_linux_told *before, const struct evc_linux_told *after,
                         const struct evc_linux_changes *changes, struct evc_sink *sink)
{
	static const enum evc_linux_target targets[] = { EVC_LINUX_TARGET_FLAG, EVC_LINUX_TARGET_BUG };
	size_t n = 0;

	if (!changes->n)
		evc_sink_puts(sink, "nothing changes\n");
	for (size_t i = 0; i < changes->n; i++) {
		if (changes->items[i].target != EVC_LINUX_TARGET_LINE)
			continue;
		if (!n++)
			evc_sink_puts(sink, "lines\n");
		print_change(before, after, &changes->items[i], sink);
	}
	for (size_t t = 0; t < sizeof(targets) / sizeof(targets[0]); t++)
		for (unsigned fate = 0; fate < N_FATES; fate++)
			print_words(before, after, changes, targets[t], (enum fate)fate, sink);
}

/* --- JSON ----------------------------------------------------------------------------------------- */

static json_t *value_json(const struct evc_linux_view *view, const struct evc_linux_change *change,
                          struct evc_linux_truth truth)
{
	struct evc_sink text = { 0 };
	json_t *value;

	if (change->target != EVC_LINUX_TARGET_LINE)
		return truth.truth == EVC_UNSURE ? json_null() : json_boolean(truth.truth == EVC_PRESENT);
	if (!evc_cpuinfo_shows(view, (enum evc_linux_line)change->id))
		return json_null();
	evc_cpuinfo_value(view, (enum evc_linux_line)change->id, &text);
	value = json_string(text.text ? text.text : "");
	evc_sink_free(&text);
	return value;
}

static json_t *change_json(const struct evc_linux_told *before, const struct evc_linux_told *after,
                           const struct evc_linux_change *change)
{
	json_t *causes = json_array();

	for (unsigned i = 0; i < change->n_causes; i++) {
		struct evc_sink text = { 0 };

		evc_cpuinfo_change_cause(before, after, &change->causes[i], &text);
		json_array_append_new(causes, json_string(text.text ? text.text : ""));
		evc_sink_free(&text);
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "name",
	                 evc_cpuinfo_name(before->view->tree, change->target, change->id), "before",
	                 value_json(before->view, change, change->before), "after",
	                 value_json(after->view, change, change->after), "causes", causes);
}

json_t *evc_cpuinfo_changes_json(const struct evc_linux_told *before, const struct evc_linux_told *after,
                                 const struct evc_linux_changes *changes)
{
	json_t *arrays[3] = { [EVC_LINUX_TARGET_FLAG] = json_array(),
		              [EVC_LINUX_TARGET_BUG] = json_array(),
		              [EVC_LINUX_TARGET_LINE] = json_array() };

	for (size_t i = 0; i < changes->n; i++)
		json_array_append_new(arrays[changes->items[i].target],
		                      change_json(before, after, &changes->items[i]));
	return json_pack("{s:o, s:o, s:o}", "lines", arrays[EVC_LINUX_TARGET_LINE], "flags",
	                 arrays[EVC_LINUX_TARGET_FLAG], "bugs", arrays[EVC_LINUX_TARGET_BUG]);
}

/* --- one word ------------------------------------------------------------------------------------- */

static struct evc_linux_truth truth_of(const struct evc_linux_view *view, const struct evc_cpuinfo_word *word)
{
	switch (word->target) {
	case EVC_LINUX_TARGET_FLAG:
		return evc_linux_view_flag(view, (enum evc_linux_flag)word->id);
	case EVC_LINUX_TARGET_BUG:
		return evc_linux_view_bug(view, (enum evc_linux_bug)word->id);
	case EVC_LINUX_TARGET_LINE:
		break;
	}
	return view->lines[word->id].shown;
}

static struct evc_linux_change change_of(const struct evc_linux_told *before,
                                         const struct evc_linux_told *after,
                                         const struct evc_cpuinfo_word *word)
{
	struct evc_linux_change change = { .target = word->target,
		                           .id = word->id,
		                           .before = truth_of(before->view, word),
		                           .after = truth_of(after->view, word) };

	evc_linux_find_causes(before, after, &change);
	return change;
}

void evc_cpuinfo_turned(const struct evc_linux_told *before, const struct evc_linux_told *after,
                        const struct evc_cpuinfo_word *word, struct evc_sink *sink)
{
	struct evc_linux_change change = change_of(before, after, word);
	unsigned truth = change.before.truth;

	if (word->target == EVC_LINUX_TARGET_LINE)
		return;
	evc_sink_printf(sink, "  without the mode: %s%s\n",
	                truth == EVC_PRESENT  ? "there"
	                : truth == EVC_ABSENT ? "absent"
	                                      : "unknown",
	                truth == change.after.truth ? " as well" : "");
	for (unsigned i = 0; i < change.n_causes; i++) {
		evc_sink_puts(sink, "    turned by ");
		evc_cpuinfo_change_cause(before, after, &change.causes[i], sink);
		evc_sink_puts(sink, "\n");
	}
}

json_t *evc_cpuinfo_turned_json(const struct evc_linux_told *before, const struct evc_linux_told *after,
                                const struct evc_cpuinfo_word *word)
{
	struct evc_linux_change change = change_of(before, after, word);

	return change_json(before, after, &change);
}
