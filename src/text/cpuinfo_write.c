/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpuinfo_write.h"

#include "text/cpuinfo_why.h"

#include <inttypes.h>
#include <string.h>

/* How a value is printed. */
enum form {
	NUMBER,
	VENDOR,
	NAME,
	HEXADECIMAL,
	THOUSANDTHS,
	HUNDREDTHS,
	KILOBYTES,
	PAGES,
	YES,
	SIZES,
	POWER,
	WORDS,
};

/* A line's name with the tabs that the kernel gives it; words bring their own blanks. */
static const struct {
	const char *head;
	enum form form;
} lines[EVC_LINUX_N_LINES] = {
	[EVC_LINUX_PROCESSOR] = { .head = "processor\t: " },
	[EVC_LINUX_VENDOR_ID] = { .head = "vendor_id\t: ", .form = VENDOR },
	[EVC_LINUX_CPU_FAMILY] = { .head = "cpu family\t: " },
	[EVC_LINUX_MODEL] = { .head = "model\t\t: " },
	[EVC_LINUX_MODEL_NAME] = { .head = "model name\t: ", .form = NAME },
	[EVC_LINUX_STEPPING] = { .head = "stepping\t: " },
	[EVC_LINUX_MICROCODE] = { .head = "microcode\t: ", .form = HEXADECIMAL },
	[EVC_LINUX_CPU_MHZ] = { .head = "cpu MHz\t\t: ", .form = THOUSANDTHS },
	[EVC_LINUX_CACHE_SIZE] = { .head = "cache size\t: ", .form = KILOBYTES },
	[EVC_LINUX_PHYSICAL_ID] = { .head = "physical id\t: " },
	[EVC_LINUX_SIBLINGS] = { .head = "siblings\t: " },
	[EVC_LINUX_CORE_ID] = { .head = "core id\t\t: " },
	[EVC_LINUX_CPU_CORES] = { .head = "cpu cores\t: " },
	[EVC_LINUX_APICID] = { .head = "apicid\t\t: " },
	[EVC_LINUX_INITIAL_APICID] = { .head = "initial apicid\t: " },
	[EVC_LINUX_FPU] = { .head = "fpu\t\t: ", .form = YES },
	[EVC_LINUX_FPU_EXCEPTION] = { .head = "fpu_exception\t: ", .form = YES },
	[EVC_LINUX_CPUID_LEVEL] = { .head = "cpuid level\t: " },
	[EVC_LINUX_WP] = { .head = "wp\t\t: ", .form = YES },
	[EVC_LINUX_FLAGS] = { .head = "flags\t\t:", .form = WORDS },
	[EVC_LINUX_VMX_FLAGS] = { .head = "vmx flags\t:", .form = WORDS },
	[EVC_LINUX_BUGS] = { .head = "bugs\t\t:", .form = WORDS },
	[EVC_LINUX_BOGOMIPS] = { .head = "bogomips\t: ", .form = HUNDREDTHS },
	[EVC_LINUX_TLB_SIZE] = { .head = "TLB size\t: ", .form = PAGES },
	[EVC_LINUX_CLFLUSH_SIZE] = { .head = "clflush size\t: " },
	[EVC_LINUX_CACHE_ALIGNMENT] = { .head = "cache_alignment\t: " },
	[EVC_LINUX_ADDRESS_SIZES] = { .head = "address sizes\t: ", .form = SIZES },
	[EVC_LINUX_POWER_MANAGEMENT] = { .head = "power management:", .form = POWER },
};

bool evc_cpuinfo_shows(const struct evc_linux_view *view, enum evc_linux_line line)
{
	return view->lines[line].shown.truth != EVC_ABSENT;
}

const char *evc_cpuinfo_certainty(struct evc_linux_truth truth)
{
	if (truth.truth == EVC_UNSURE)
		return "unknown";
	return truth.depends ? "depends" : "sure";
}

void evc_cpuinfo_inputs(uint32_t mask, struct evc_sink *sink)
{
	const char *comma = "";

	for (unsigned i = 0; i < EVC_LINUX_N_INPUTS; i++) {
		if (!(mask >> i & 1))
			continue;
		evc_sink_printf(sink, "%s%s", comma, evc_linux_input_name((enum evc_linux_input)i));
		comma = ", ";
	}
}

json_t *evc_cpuinfo_inputs_json(uint32_t mask)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < EVC_LINUX_N_INPUTS; i++)
		if (mask >> i & 1)
			json_array_append_new(array,
			                      json_string(evc_linux_input_name((enum evc_linux_input)i)));
	return array;
}

/* --- words: flags, vmx flags and bugs ------------------------------------------------------------- */

static void print_words(const struct evc_linux_view *view, enum evc_linux_line line, struct evc_sink *sink)
{
	struct evc_linux_words words = evc_linux_tree_words(view->tree, line);

	for (size_t i = 0; i < words.n; i++)
		if (evc_linux_view_word(view, &words, i).truth == EVC_PRESENT) {
			evc_sink_puts(sink, " ");
			evc_sink_puts(sink, words.names[i].name);
		}
}

static bool is_words(enum evc_linux_line line)
{
	return lines[line].form == WORDS;
}

/* --- lines ---------------------------------------------------------------------------------------- */

static void print_power(uint32_t mask, struct evc_sink *sink)
{
	for (unsigned i = 0; i < 32; i++) {
		const char *name = evc_linux_power_names[i];

		if (!(mask >> i & 1))
			continue;
		if (!name)
			evc_sink_printf(sink, " [%u]", i);
		else if (*name)
			evc_sink_printf(sink, " %s", name);
	}
}

static void print_known(const struct evc_linux_view *view, enum evc_linux_line line, struct evc_sink *sink)
{
	const struct evc_linux_value *value = &view->lines[line];
	int64_t number = value->number;

	switch (lines[line].form) {
	case NUMBER:
		evc_sink_printf(sink, "%" PRId64, number);
		break;
	case VENDOR:
		evc_sink_puts(sink, view->vendor_id);
		break;
	case NAME:
		evc_sink_puts(sink, view->model_name);
		break;
	case HEXADECIMAL:
		evc_sink_printf(sink, "0x%" PRIx64, (uint64_t)number);
		break;
	case THOUSANDTHS:
		evc_sink_printf(sink, "%" PRId64 ".%03" PRId64, number / 1000, number % 1000);
		break;
	case HUNDREDTHS:
		evc_sink_printf(sink, "%" PRId64 ".%02" PRId64, number / 100, number % 100);
		break;
	case KILOBYTES:
		evc_sink_printf(sink, "%" PRId64 " KB", number);
		break;
	case PAGES:
		evc_sink_printf(sink, "%" PRId64 " 4K pages", number);
		break;
	case YES:
		evc_sink_puts(sink, number ? "yes" : "no");
		break;
	case SIZES:
		evc_sink_printf(sink, "%" PRId64 " bits physical, %" PRId64 " bits virtual", number,
		                value->second);
		break;
	case POWER:
		print_power((uint32_t)number, sink);
		break;
	case WORDS:
		print_words(view, line, sink);
		break;
	}
}

/* With the blank before it where the kernel prints words. */
static void print_value(const struct evc_linux_view *view, enum evc_linux_line line, struct evc_sink *sink)
{
	if (is_words(line) || view->lines[line].known.truth == EVC_PRESENT)
		print_known(view, line, sink);
	else
		evc_sink_puts(sink, lines[line].form == POWER ? " ?" : "?");
}

void evc_cpuinfo_value(const struct evc_linux_view *view, enum evc_linux_line line, struct evc_sink *sink)
{
	size_t start = sink->length;

	print_value(view, line, sink);
	if (sink->length > start && sink->text[start] == ' ') {
		memmove(sink->text + start, sink->text + start + 1, sink->length - start); /* with its end */
		sink->length--;
	}
}

/* Words that are not sure, in one remark for each mask and truth. */
static void remark_words(const struct evc_linux_view *view, enum evc_linux_line line, struct evc_sink *sink)
{
	struct evc_linux_words words = evc_linux_tree_words(view->tree, line);
	struct {
		struct evc_linux_truth truth;
	} told[32];
	size_t n_told = 0;

	for (size_t i = 0; i < words.n; i++) {
		struct evc_linux_truth truth = evc_linux_view_word(view, &words, i);
		size_t t = 0;

		if (truth.truth != EVC_UNSURE && !truth.depends)
			continue;
		while (t < n_told &&
		       (told[t].truth.truth != truth.truth || told[t].truth.depends != truth.depends))
			t++;
		if (t < n_told || n_told == sizeof(told) / sizeof(told[0]))
			continue;
		told[n_told++].truth = truth;
		evc_sink_printf(sink, "\t# %s",
		                truth.truth == EVC_UNSURE    ? "unknown"
		                : truth.truth == EVC_PRESENT ? "there"
		                                             : "absent");
		if (truth.depends) {
			evc_sink_puts(sink, ", depends on ");
			evc_cpuinfo_inputs(truth.depends, sink);
		}
		evc_sink_puts(sink, ":");
		for (size_t j = i; j < words.n; j++) {
			struct evc_linux_truth other = evc_linux_view_word(view, &words, j);

			if (other.truth == truth.truth && other.depends == truth.depends)
				evc_sink_printf(sink, " %s", words.names[j].name);
		}
		evc_sink_puts(sink, "\n");
	}
}

static void remark_line(const struct evc_linux_value *value, struct evc_sink *sink)
{
	uint32_t depends = value->shown.depends | value->known.depends;
	bool unknown = value->known.truth != EVC_PRESENT, unsure = value->shown.truth == EVC_UNSURE;

	if (!depends && !unknown && !unsure)
		return;
	evc_sink_printf(sink, "\t# %s", unsure ? "unknown whether it is printed" : unknown ? "unknown" : "");
	if (depends) {
		evc_sink_puts(sink, unknown || unsure ? ", depends on " : "depends on ");
		evc_cpuinfo_inputs(depends, sink);
	}
	evc_sink_puts(sink, "\n");
}

void evc_cpuinfo_write(const struct evc_linux_view *view, enum evc_cpuinfo_marks marks, struct evc_sink *sink)
{
	if (!evc_cpuinfo_shows(view, EVC_LINUX_PROCESSOR))
		return;
	for (unsigned i = 0; i < EVC_LINUX_N_LINES; i++) {
		enum evc_linux_line line = (enum evc_linux_line)i;

		if (!evc_cpuinfo_shows(view, line))
			continue;
		evc_sink_puts(sink, lines[line].head);
		print_value(view, line, sink);
		evc_sink_puts(sink, "\n");
		if (marks != EVC_CPUINFO_CERTAINTY)
			continue;
		if (is_words(line))
			remark_words(view, line, sink);
		else
			remark_line(&view->lines[line], sink);
	}
	evc_sink_puts(sink, "\n");
}

/* --- JSON ----------------------------------------------------------------------------------------- */

/* The last step that had an effect, in words; absent when nothing was traced. */
static void add_cause(json_t *object, const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                      enum evc_linux_target target, uint16_t id)
{
	struct evc_sink cause = { 0 };

	if (trace && evc_cpuinfo_cause(tree, trace, target, id, &cause))
		json_object_set_new(object, "cause", json_string(cause.text ? cause.text : ""));
	evc_sink_free(&cause);
}

static json_t *truth_json(struct evc_linux_truth truth)
{
	json_t *object = json_pack("{s:s}", "certainty", evc_cpuinfo_certainty(truth));

	if (truth.depends)
		json_object_set_new(object, "depends", evc_cpuinfo_inputs_json(truth.depends));
	return object;
}

/* Words that are there, and those that might be. */
static json_t *words_json(const struct evc_linux_view *view, const struct evc_linux_trace *trace,
                          enum evc_linux_line line)
{
	struct evc_linux_words words = evc_linux_tree_words(view->tree, line);
	json_t *object = json_object();

	for (size_t i = 0; i < words.n; i++) {
		struct evc_linux_truth truth = evc_linux_view_word(view, &words, i);
		json_t *word;

		if (truth.truth == EVC_ABSENT && !truth.depends)
			continue;
		word = truth_json(truth);
		json_object_set_new(word, "there",
		                    truth.truth == EVC_UNSURE ? json_null()
		                                              : json_boolean(truth.truth == EVC_PRESENT));
		if (line != EVC_LINUX_VMX_FLAGS)
			add_cause(word, view->tree, trace,
			          line == EVC_LINUX_BUGS ? EVC_LINUX_TARGET_BUG : EVC_LINUX_TARGET_FLAG,
			          words.names[i].symbol);
		json_object_set_new(object, words.names[i].name, word);
	}
	return object;
}

static json_t *line_json(const struct evc_linux_view *view, const struct evc_linux_trace *trace,
                         enum evc_linux_line line)
{
	const struct evc_linux_value *value = &view->lines[line];
	bool unknown = value->shown.truth == EVC_UNSURE || value->known.truth != EVC_PRESENT;
	struct evc_linux_truth truth = { .truth = unknown ? EVC_UNSURE : EVC_PRESENT,
		                         .depends = value->shown.depends | value->known.depends };
	json_t *object = truth_json(truth);
	struct evc_sink text = { 0 };

	evc_cpuinfo_value(view, line, &text);
	json_object_set_new(object, "value",
	                    value->known.truth != EVC_PRESENT && !is_words(line)
	                            ? json_null()
	                            : json_string(text.text ? text.text : ""));
	evc_sink_free(&text);
	add_cause(object, view->tree, trace, EVC_LINUX_TARGET_LINE, (uint16_t)line);
	return object;
}

json_t *evc_cpuinfo_json(const struct evc_linux_view *view, const struct evc_linux_trace *trace)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < EVC_LINUX_N_LINES; i++)
		if (evc_cpuinfo_shows(view, (enum evc_linux_line)i))
			json_object_set_new(all, evc_linux_line_name((enum evc_linux_line)i),
			                    line_json(view, trace, (enum evc_linux_line)i));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "kernel", view->tree->name, "platform",
	                 evc_linux_platform_name(view->platform), "lines", all, "flags",
	                 words_json(view, trace, EVC_LINUX_FLAGS), "bugs",
	                 words_json(view, trace, EVC_LINUX_BUGS), "vmx flags",
	                 words_json(view, trace, EVC_LINUX_VMX_FLAGS));
}
