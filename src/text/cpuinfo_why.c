/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpuinfo_why.h"

#include "text/cpuinfo_write.h"

#include <inttypes.h>
#include <string.h>

/* --- conditions ----------------------------------------------------------------------------------- */

static const char *truth_word(unsigned truth)
{
	return truth == EVC_PRESENT ? "yes" : truth == EVC_ABSENT ? "no" : "not known";
}

static void print_row(const struct evc_linux_row *row, struct evc_sink *sink)
{
	if (row->family)
		evc_sink_printf(sink, "family %u", row->family);
	else
		evc_sink_puts(sink, "any family");
	if (row->model >= 0)
		evc_sink_printf(sink, " model %d", row->model);
	if (row->steppings != UINT16_MAX)
		evc_sink_printf(sink, " steppings %04x", row->steppings);
}

/* A condition that is no combination of others: what is asked, without the answer. */
static void print_leaf(const struct evc_linux_tree *tree, const struct evc_linux_node *node,
                       struct evc_sink *sink)
{
	char bit[EVC_BIT_TEXT], cpus[EVC_LINUX_CPUS_TEXT];

	switch (node->reason) {
	case EVC_LINUX_NO_REASON:
		evc_sink_puts(sink, "always");
		break;
	case EVC_LINUX_REASON_BIT:
		evc_sink_puts(sink, evc_bit_format(node->bit, bit));
		if (node->bit.lo != node->bit.hi && node->truth != EVC_UNSURE)
			evc_sink_printf(sink, " = 0x%" PRIx64, node->number);
		break;
	case EVC_LINUX_REASON_FLAG:
		evc_sink_printf(sink, "flag %s", evc_cpuinfo_name(tree, EVC_LINUX_TARGET_FLAG, node->id));
		break;
	case EVC_LINUX_REASON_BUG:
		evc_sink_printf(sink, "bug %s", evc_cpuinfo_name(tree, EVC_LINUX_TARGET_BUG, node->id));
		break;
	case EVC_LINUX_REASON_ROW:
		evc_sink_printf(sink, "the list of models says %s", evc_linux_list_symbols[node->id]);
		if (node->row) {
			evc_sink_puts(sink, " (row ");
			print_row(node->row, sink);
			evc_sink_puts(sink, ")");
		} else
			evc_sink_puts(sink, " (no row names this model)");
		break;
	case EVC_LINUX_REASON_READABLE:
		evc_sink_printf(sink, "MSR 0x%" PRIx64 " can be read", node->number);
		break;
	case EVC_LINUX_REASON_PLATFORM:
		evc_sink_printf(sink, "platform %s",
		                evc_linux_platform_name((enum evc_linux_platform)node->id));
		break;
	case EVC_LINUX_REASON_SWITCH:
		evc_sink_printf(sink, "this kernel's %s", evc_linux_switch_symbols[node->id]);
		break;
	case EVC_LINUX_REASON_CPU:
		evc_sink_puts(sink, evc_linux_cpus_format(&node->cpus, cpus));
		break;
	case EVC_LINUX_REASON_NUMBER:
		evc_sink_printf(sink, "%s 0x%" PRIx64, node->text, node->limit);
		if (node->truth != EVC_UNSURE)
			evc_sink_printf(sink, " (0x%" PRIx64 ")", node->number);
		break;
	case EVC_LINUX_REASON_OPTION:
		evc_sink_printf(sink,
		                evc_linux_is_config(node) ? "%s, an option of its configuration"
		                                          : "boot option %s",
		                node->text);
		break;
	case EVC_LINUX_REASON_TEXT:
		evc_sink_puts(sink, node->text ? node->text : "");
		break;
	case EVC_LINUX_REASON_NOT:
	case EVC_LINUX_REASON_AND:
	case EVC_LINUX_REASON_OR:
		break;
	}
}

static bool is_leaf(const struct evc_linux_node *node)
{
	return node->reason != EVC_LINUX_REASON_NOT && node->reason != EVC_LINUX_REASON_AND &&
	       node->reason != EVC_LINUX_REASON_OR;
}

/* A field that is read for its number: whether it is zero says nothing. */
static bool is_value(const struct evc_linux_node *node)
{
	return node->reason == EVC_LINUX_REASON_TEXT ||
	       (node->reason == EVC_LINUX_REASON_BIT && node->bit.lo != node->bit.hi &&
	        node->truth != EVC_UNSURE);
}

static void print_inline(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                         uint16_t number, enum evc_linux_reason within, struct evc_sink *sink)
{
	const struct evc_linux_node *node = &trace->nodes[number];
	bool brackets = (node->reason == EVC_LINUX_REASON_AND || node->reason == EVC_LINUX_REASON_OR) &&
	                within != EVC_LINUX_NO_REASON && within != node->reason;

	if (is_leaf(node)) {
		print_leaf(tree, node, sink);
		if (node->reason != EVC_LINUX_NO_REASON)
			evc_sink_printf(sink, ": %s", truth_word(node->truth));
		return;
	}
	if (node->reason == EVC_LINUX_REASON_NOT) {
		evc_sink_puts(sink, "not ");
		print_inline(tree, trace, node->a, EVC_LINUX_REASON_NOT, sink);
		return;
	}
	if (brackets)
		evc_sink_puts(sink, "(");
	print_inline(tree, trace, node->a, node->reason, sink);
	evc_sink_puts(sink, node->reason == EVC_LINUX_REASON_AND ? " and " : " or ");
	print_inline(tree, trace, node->b, node->reason, sink);
	if (brackets)
		evc_sink_puts(sink, ")");
}

void evc_cpuinfo_condition(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                           uint16_t node, struct evc_sink *sink)
{
	print_inline(tree, trace, node, EVC_LINUX_NO_REASON, sink);
}

/* --- lines ---------------------------------------------------------------------------------------- */

/* Where the value of a line comes from, and by which function of the kernel. */
static const struct {
	const char *where, *from;
} sources[EVC_LINUX_N_LINES] = {
	[EVC_LINUX_PROCESSOR] = { .where = "proc.c:show_cpuinfo", .from = "the kernel's number of the CPU" },
	[EVC_LINUX_VENDOR_ID] = { .where = "common.c:cpu_detect", .from = "0.0: ebx, edx, ecx" },
	[EVC_LINUX_CPU_FAMILY] = { .where = "lib/cpu.c:x86_family",
	                           .from = "1.0:eax[11:8], with eax[27:20] added where it is 15" },
	[EVC_LINUX_MODEL] = { .where = "lib/cpu.c:x86_model",
	                      .from = "1.0:eax[7:4], below eax[19:16] from family 6 on" },
	[EVC_LINUX_MODEL_NAME] = { .where = "common.c:get_model_name",
	                           .from = "80000002 to 80000004, without the blanks around it" },
	[EVC_LINUX_STEPPING] = { .where = "lib/cpu.c:x86_stepping", .from = "1.0:eax[3:0]" },
	[EVC_LINUX_MICROCODE] = { .where = "intel.c:early_init_intel, amd.c:early_init_amd",
	                          .from = "msr:8b, printed if it is not zero" },
	[EVC_LINUX_CPU_MHZ] = { .where = "proc.c:show_cpuinfo",
	                        .from = "aperf and mperf, else cpufreq, else the TSC's frequency" },
	[EVC_LINUX_CACHE_SIZE] = { .where = "cacheinfo.c:init_intel_cacheinfo, init_amd_cacheinfo",
	                           .from = "the last level of 4 or 2 (Intel), the second of 80000006 (AMD)" },
	[EVC_LINUX_PHYSICAL_ID] = { .where = "topology.c, topology_common.c",
	                            .from = "the APIC id above a package" },
	[EVC_LINUX_SIBLINGS] = { .where = "smpboot.c:set_cpu_sibling_map",
	                         .from = "CPUs of the package that run" },
	[EVC_LINUX_CORE_ID] = { .where = "topology.c, topology_common.c",
	                        .from = "the APIC id within a package" },
	[EVC_LINUX_CPU_CORES] = { .where = "smpboot.c:set_cpu_sibling_map",
	                          .from = "cores of the package that run" },
	[EVC_LINUX_APICID] = { .where = "common.c:generic_identify", .from = "the APIC's own number" },
	[EVC_LINUX_INITIAL_APICID] = { .where = "common.c:generic_identify",
	                               .from = "1.0:ebx[31:24], or edx of leaf 0xb or 0x1f" },
	[EVC_LINUX_FPU] = { .where = "proc.c:show_cpuinfo_misc", .from = "always" },
	[EVC_LINUX_FPU_EXCEPTION] = { .where = "proc.c:show_cpuinfo_misc", .from = "always" },
	[EVC_LINUX_CPUID_LEVEL] = { .where = "common.c:cpu_detect", .from = "0.0:eax" },
	[EVC_LINUX_WP] = { .where = "proc.c:show_cpuinfo_misc", .from = "always" },
	[EVC_LINUX_VMX_FLAGS] = { .where = "feat_ctl.c:init_vmx_capabilities", .from = "msr:480 to msr:492" },
	[EVC_LINUX_BOGOMIPS] = { .where = "init/calibrate.c:calibrate_delay",
	                         .from = "twice the TSC's frequency, where that is known" },
	[EVC_LINUX_TLB_SIZE] = { .where = "cacheinfo.c, amd.c:cpu_detect_tlb_amd",
	                         .from = "80000006.0:ebx, printed if it is not zero" },
	[EVC_LINUX_CLFLUSH_SIZE] = { .where = "common.c:get_cpu_address_sizes",
	                             .from = "1.0:ebx[15:8] times 8" },
	[EVC_LINUX_CACHE_ALIGNMENT] = { .where = "common.c:early_identify_cpu",
	                                .from = "the clflush size, twice that of Intel's family 15" },
	[EVC_LINUX_ADDRESS_SIZES] = { .where = "common.c:get_cpu_address_sizes",
	                              .from = "80000008.0:eax[7:0] and eax[15:8], less what encryption takes" },
	[EVC_LINUX_POWER_MANAGEMENT] = { .where = "common.c:get_cpu_cap", .from = "80000007.0:edx" },
};

/* --- the chain ------------------------------------------------------------------------------------ */

enum { MAX_FURTHER = 48, STEP_INDENT = 2 };

/* What the steps told so far rest on, to be told after them. */
struct further {
	struct {
		enum evc_linux_target target;
		uint16_t id;
	} items[MAX_FURTHER];
	size_t n;
};

static void remember(struct further *further, enum evc_linux_target target, uint16_t id)
{
	for (size_t i = 0; i < further->n; i++)
		if (further->items[i].target == target && further->items[i].id == id)
			return;
	if (further->n == MAX_FURTHER)
		return;
	further->items[further->n].target = target;
	further->items[further->n++].id = id;
}

/* The parts of a condition, one line each, deeper in deeper. */
static void print_tree(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                       uint16_t number, enum evc_linux_reason within, int indent, struct further *further,
                       struct evc_sink *sink)
{
	const struct evc_linux_node *node = &trace->nodes[number];
	bool nested = node->reason != within;

	if (is_leaf(node)) {
		evc_sink_pad(sink, indent);
		print_leaf(tree, node, sink);
		evc_sink_printf(sink, ": %s", truth_word(node->truth));
		if (node->depends) {
			evc_sink_puts(sink, ", assumed of ");
			evc_cpuinfo_inputs(node->depends, sink);
		}
		evc_sink_puts(sink, "\n");
		if (node->reason == EVC_LINUX_REASON_FLAG)
			remember(further, EVC_LINUX_TARGET_FLAG, node->id);
		if (node->reason == EVC_LINUX_REASON_BUG)
			remember(further, EVC_LINUX_TARGET_BUG, node->id);
		return;
	}
	if (nested) {
		evc_sink_pad(sink, indent);
		evc_sink_printf(sink, "%s: %s\n",
		                node->reason == EVC_LINUX_REASON_AND  ? "all of"
		                : node->reason == EVC_LINUX_REASON_OR ? "any of"
		                                                      : "not",
		                truth_word(node->truth));
	}
	indent += nested ? STEP_INDENT : 0;
	print_tree(tree, trace, node->a, node->reason, indent, further, sink);
	if (node->reason != EVC_LINUX_REASON_NOT)
		print_tree(tree, trace, node->b, node->reason, indent, further, sink);
}

static const char *effect_words(enum evc_linux_effect effect, bool line)
{
	switch (effect) {
	case EVC_LINUX_SET:
		return line ? "gives it" : "sets it if";
	case EVC_LINUX_CLEAR:
		return line ? "takes it away" : "clears it if";
	case EVC_LINUX_BECOMES:
		return line ? "takes it from" : "makes it";
	case EVC_LINUX_STAYS_SET:
		return "forces it on if";
	case EVC_LINUX_STAYS_CLEAR:
		return "forces it off if";
	}
	return "";
}

static void print_step(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                       const struct evc_linux_step *step, int indent, struct further *further,
                       struct evc_sink *sink)
{
	const struct evc_linux_node *node = &trace->nodes[step->node];
	const char *words = effect_words(step->effect, step->target == EVC_LINUX_TARGET_LINE);

	evc_sink_pad(sink, indent);
	evc_sink_printf(sink, "%s %s", step->where, words);
	if (is_leaf(node)) {
		evc_sink_puts(sink, " ");
		print_leaf(tree, node, sink);
		if (node->reason != EVC_LINUX_NO_REASON &&
		    !(step->target == EVC_LINUX_TARGET_LINE && is_value(node)))
			evc_sink_printf(sink, ": %s", truth_word(node->truth));
		if (node->depends) {
			evc_sink_puts(sink, ", assumed of ");
			evc_cpuinfo_inputs(node->depends, sink);
		}
		evc_sink_puts(sink, "\n");
		if (node->reason == EVC_LINUX_REASON_FLAG)
			remember(further, EVC_LINUX_TARGET_FLAG, node->id);
		return;
	}
	evc_sink_printf(sink, ": %s\n", truth_word(node->truth));
	print_tree(tree, trace, step->node, EVC_LINUX_NO_REASON, indent + STEP_INDENT, further, sink);
}

/* Does the text from tail on stand between start and tail already? */
static bool is_told(const struct evc_sink *sink, size_t start, size_t tail)
{
	size_t length = sink->length - tail;

	for (size_t at = start; at + length <= tail; at++)
		if ((at == start || sink->text[at - 1] == '\n') &&
		    !memcmp(sink->text + at, sink->text + tail, length))
			return true;
	return false;
}

static void cut(struct evc_sink *sink, size_t length)
{
	if (sink->length <= length)
		return;
	sink->length = length;
	sink->text[length] = '\0';
}

static void print_steps(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                        enum evc_linux_target target, uint16_t id, int indent, struct further *further,
                        struct evc_sink *sink)
{
	size_t start = sink->length, last = start;

	/* The kernel identifies the boot CPU twice; a step that says the same again is told once. */
	for (size_t i = 0; i < trace->n_steps; i++) {
		size_t before = sink->length;

		if (trace->steps[i].target != target || trace->steps[i].id != id)
			continue;
		print_step(tree, trace, &trace->steps[i], indent, further, sink);
		if (is_told(sink, start, before))
			cut(sink, before);
		else
			last = sink->length;
	}
	if (last > start)
		return;
	if (target == EVC_LINUX_TARGET_LINE && sources[id].where) {
		evc_sink_pad(sink, indent);
		evc_sink_printf(sink, "%s: %s\n", sources[id].where, sources[id].from);
		return;
	}
	evc_sink_pad(sink, indent);
	evc_sink_puts(sink, "nothing in this kernel sets it for this CPU\n");
}

static struct evc_linux_truth truth_of(const struct evc_linux_view *view, enum evc_linux_target target,
                                       uint16_t id)
{
	switch (target) {
	case EVC_LINUX_TARGET_FLAG:
		return evc_linux_view_flag(view, (enum evc_linux_flag)id);
	case EVC_LINUX_TARGET_BUG:
		return evc_linux_view_bug(view, (enum evc_linux_bug)id);
	case EVC_LINUX_TARGET_LINE:
		break;
	}
	return view->lines[id].shown;
}

/* A line of words, each of which has its own cause. */
static bool is_list(const struct evc_cpuinfo_word *word)
{
	return word->target == EVC_LINUX_TARGET_LINE &&
	       (word->id == EVC_LINUX_FLAGS || word->id == EVC_LINUX_BUGS);
}

static void print_head(const struct evc_linux_view *view, const struct evc_cpuinfo_word *word,
                       struct evc_sink *sink)
{
	static const char *const kinds[] = { "flag", "bug", "line" };
	struct evc_linux_truth truth = truth_of(view, word->target, word->id);

	evc_sink_printf(sink, "%s %s: ", kinds[word->target], word->name);
	if (is_list(word))
		evc_sink_puts(sink, "why each word");
	else if (word->target == EVC_LINUX_TARGET_LINE &&
	         evc_cpuinfo_shows(view, (enum evc_linux_line)word->id))
		evc_cpuinfo_value(view, (enum evc_linux_line)word->id, sink);
	else
		evc_sink_puts(sink, truth.truth == EVC_PRESENT  ? "there"
		                    : truth.truth == EVC_ABSENT ? "absent"
		                                                : "unknown");
	if (word->target == EVC_LINUX_TARGET_LINE)
		truth.depends |= view->lines[word->id].known.depends;
	if (truth.depends) {
		evc_sink_puts(sink, ", depends on ");
		evc_cpuinfo_inputs(truth.depends, sink);
	}
	evc_sink_printf(sink, " (Linux %s%s)\n", view->tree->name,
	                word->printed ? "" : ", which does not print it");
}

/* One line for each word of the line that is there. */
static void list_causes(const struct evc_linux_view *view, const struct evc_linux_trace *trace, bool bugs,
                        struct evc_sink *sink)
{
	struct evc_linux_words words =
		evc_linux_tree_words(view->tree, bugs ? EVC_LINUX_BUGS : EVC_LINUX_FLAGS);
	enum evc_linux_target target = bugs ? EVC_LINUX_TARGET_BUG : EVC_LINUX_TARGET_FLAG;

	for (size_t i = 0; i < words.n; i++) {
		if (evc_linux_view_word(view, &words, i).truth == EVC_ABSENT)
			continue;
		evc_sink_printf(sink, "  %-20s ", words.names[i].name);
		if (!evc_cpuinfo_cause(view->tree, trace, target, words.names[i].symbol, sink))
			evc_sink_puts(sink, "unknown");
		evc_sink_puts(sink, "\n");
	}
}

void evc_cpuinfo_why(const struct evc_linux_view *view, const struct evc_linux_trace *trace,
                     const struct evc_cpuinfo_word *word, struct evc_sink *sink)
{
	struct further further = { 0 };

	print_head(view, word, sink);
	if (is_list(word)) {
		list_causes(view, trace, word->id == EVC_LINUX_BUGS, sink);
		return;
	}
	remember(&further, word->target, word->id);
	print_steps(view->tree, trace, word->target, word->id, STEP_INDENT, &further, sink);
	for (size_t i = 1; i < further.n; i++) {
		struct evc_linux_truth truth = truth_of(view, further.items[i].target, further.items[i].id);

		evc_sink_printf(sink, "  and %s: %s\n",
		                evc_cpuinfo_name(view->tree, further.items[i].target, further.items[i].id),
		                truth_word(truth.truth));
		print_steps(view->tree, trace, further.items[i].target, further.items[i].id, 2 * STEP_INDENT,
		            &further, sink);
	}
}

/* All that the line was made of, each function of the kernel named once. */
static void line_cause(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace, uint16_t id,
                       struct evc_sink *sink)
{
	const char *where = NULL;

	for (size_t i = 0; i < trace->n_steps; i++) {
		const struct evc_linux_step *step = &trace->steps[i];

		if (step->target != EVC_LINUX_TARGET_LINE || step->id != id)
			continue;
		if (where != step->where)
			evc_sink_printf(sink, "%s%s: ", where ? "; " : "", step->where);
		else
			evc_sink_puts(sink, ", ");
		where = step->where;
		if (is_value(&trace->nodes[step->node]))
			print_leaf(tree, &trace->nodes[step->node], sink);
		else
			evc_cpuinfo_condition(tree, trace, step->node, sink);
	}
}

bool evc_cpuinfo_cause(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                       enum evc_linux_target target, uint16_t id, struct evc_sink *sink)
{
	const struct evc_linux_step *decides = NULL;

	for (size_t i = 0; i < trace->n_steps; i++) {
		const struct evc_linux_step *step = &trace->steps[i];

		if (step->target != target || step->id != id)
			continue;
		if (!decides || step->effect == EVC_LINUX_BECOMES ||
		    trace->nodes[step->node].truth != EVC_ABSENT)
			decides = step;
	}
	if (!decides && target == EVC_LINUX_TARGET_LINE && sources[id].where) {
		evc_sink_printf(sink, "%s: %s", sources[id].where, sources[id].from);
		return true;
	}
	if (!decides)
		return false;
	if (target == EVC_LINUX_TARGET_LINE) {
		line_cause(tree, trace, id, sink);
		return true;
	}
	evc_sink_printf(sink, "%s: ", decides->where);
	evc_cpuinfo_condition(tree, trace, decides->node, sink);
	return true;
}

/* --- JSON ----------------------------------------------------------------------------------------- */

static json_t *node_json(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                         uint16_t number)
{
	const struct evc_linux_node *node = &trace->nodes[number];
	struct evc_sink text = { 0 };
	json_t *object = json_object(), *parts;

	if (is_leaf(node)) {
		print_leaf(tree, node, &text);
		json_object_set_new(object, "asks", json_string(text.text ? text.text : ""));
		evc_sink_free(&text);
	} else {
		parts = json_array();
		json_array_append_new(parts, node_json(tree, trace, node->a));
		if (node->reason != EVC_LINUX_REASON_NOT)
			json_array_append_new(parts, node_json(tree, trace, node->b));
		json_object_set_new(object,
		                    node->reason == EVC_LINUX_REASON_AND  ? "all"
		                    : node->reason == EVC_LINUX_REASON_OR ? "any"
		                                                          : "not",
		                    parts);
	}
	json_object_set_new(object, "holds",
	                    node->truth == EVC_UNSURE ? json_null()
	                                              : json_boolean(node->truth == EVC_PRESENT));
	if (node->depends)
		json_object_set_new(object, "depends", evc_cpuinfo_inputs_json(node->depends));
	return object;
}

json_t *evc_cpuinfo_why_json(const struct evc_linux_view *view, const struct evc_linux_trace *trace,
                             const struct evc_cpuinfo_word *word)
{
	static const char *const kinds[] = { "flag", "bug", "line" };
	static const char *const effects[] = { "set", "clear", "becomes", "stays set", "stays clear" };
	struct evc_linux_truth truth = truth_of(view, word->target, word->id);
	json_t *steps = json_array();

	for (size_t i = 0; i < trace->n_steps; i++) {
		const struct evc_linux_step *step = &trace->steps[i];

		if (step->target == word->target && step->id == word->id)
			json_array_append_new(steps, json_pack("{s:s, s:s, s:o}", "where", step->where,
			                                       "effect", effects[step->effect], "condition",
			                                       node_json(view->tree, trace, step->node)));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "kind", kinds[word->target], "name", word->name,
	                 "certainty", evc_cpuinfo_certainty(truth), "truth", truth_word(truth.truth), "steps",
	                 steps);
}
