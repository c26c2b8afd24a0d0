/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpuinfo_against.h"

#include "text/cpuinfo_differ.h"

#include <inttypes.h>
#include <string.h>

static const struct evc_span nothing = { .text = "", .length = 0 };

/* --- what would explain it ------------------------------------------------------------------------ */

/* One experiment: another env or kernel, and how a user would ask for it. */
struct experiment {
	struct evc_linux_env env;
	const struct evc_linux_tree *tree;
	const char *option; /* "--env microcode=0x84" */
	const char *why;    /* "" when the option says it all */
	bool may_add;       /* another kernel may also add differences of its own */
};

struct laboratory {
	const struct evc_linux_question *question;
	struct evc_cpuinfo_real *real;
	struct evc_arena *arena;
	struct evc_cpuinfo_comparison *comparison;
	struct evc_cpuinfo_differences again; /* differences of the experiment */
};

static bool still_there(const struct evc_cpuinfo_differences *found,
                        const struct evc_cpuinfo_difference *difference)
{
	for (size_t i = 0; i < found->n; i++) {
		const struct evc_cpuinfo_difference *other = &found->items[i];

		if (other->target == difference->target && other->name.length == difference->name.length &&
		    !memcmp(other->name.text, difference->name.text, other->name.length))
			return true;
	}
	return false;
}

static bool adds(const struct laboratory *laboratory)
{
	struct evc_cpuinfo_differences before = { .items = laboratory->comparison->items,
		                                  .n = laboratory->comparison->n };

	for (size_t i = 0; i < laboratory->again.n; i++)
		if (!still_there(&before, &laboratory->again.items[i]))
			return true;
	return false;
}

static bool all_explained(const struct evc_cpuinfo_comparison *comparison)
{
	for (size_t i = 0; i < comparison->n; i++)
		if (!comparison->items[i].explanation[0])
			return false;
	return true;
}

static void try_it(struct laboratory *laboratory, const struct experiment *experiment)
{
	struct evc_linux_question question = *laboratory->question;
	struct evc_linux_view view;

	question.env = &experiment->env;
	question.trace = NULL;
	if (experiment->tree) {
		question.tree = experiment->tree;
		question.build = NULL;
	}
	evc_linux_predict(&question, &view);
	evc_cpuinfo_differ(&view, laboratory->real, &laboratory->again);
	if (!experiment->may_add && adds(laboratory))
		return;
	if (experiment->may_add && laboratory->again.n >= laboratory->comparison->n)
		return;
	for (size_t i = 0; i < laboratory->comparison->n; i++) {
		struct evc_cpuinfo_difference *difference = &laboratory->comparison->items[i];

		if (difference->explanation[0] || still_there(&laboratory->again, difference))
			continue;
		difference->explanation = experiment->option;
		difference->why = experiment->why;
	}
}

/* "--env SETTING" as an experiment; settings are made here, so that they are valid. */
static void try_setting(struct laboratory *laboratory, const char *setting, const char *why)
{
	struct experiment experiment = { .env = *laboratory->question->env, .why = why };

	if (!setting || !why || evc_linux_env_set(&experiment.env, evc_span_from(setting), NULL) < 0)
		return;
	experiment.option = evc_arena_printf(laboratory->arena, "--env %s", setting);
	if (experiment.option)
		try_it(laboratory, &experiment);
}

static void try_option(struct laboratory *laboratory, const char *option)
{
	const char *cmdline = laboratory->question->env->cmdline;

	if (option)
		try_setting(laboratory,
		            evc_arena_printf(laboratory->arena, "cmdline=%s%s%s", cmdline,
		                             *cmdline ? " " : "", option),
		            "this boot option");
}

/* What the real text itself says: microcode, clock, shape. */
static void try_text(struct laboratory *laboratory, const struct evc_cpuinfo *real)
{
	const struct evc_cpuinfo_cpu *cpu = laboratory->real->cpu;
	const struct evc_cpuinfo_line *microcode = evc_cpuinfo_find(cpu, "microcode");
	const struct evc_cpuinfo_line *mhz = evc_cpuinfo_find(cpu, "cpu MHz");
	struct evc_span rest = mhz ? mhz->value : nothing;
	uint64_t whole, part, siblings, cores, package = 0, highest = 0;

	if (!microcode)
		try_setting(laboratory, "microcode=0", "a hypervisor that tells no microcode");
	else
		try_setting(laboratory,
		            evc_arena_printf(laboratory->arena, "microcode=%.*s",
		                             (int)microcode->value.length, microcode->value.text),
		            "this microcode");
	if (evc_span_decimal(&rest, &whole) && evc_span_skip(&rest, ".") && evc_span_decimal(&rest, &part) &&
	    whole < 1000000 && part < 1000)
		try_setting(laboratory,
		            evc_arena_printf(laboratory->arena, "tsc-khz=%" PRIu64, whole * 1000 + part),
		            "this clock");
	for (size_t i = 0; i < real->n_cpus; i++)
		if (evc_cpuinfo_number(&real->cpus[i], "physical id", UINT32_MAX, &package) &&
		    package > highest)
			highest = package;
	if (evc_cpuinfo_number(cpu, "siblings", EVC_MAX_CPUS, &siblings) &&
	    evc_cpuinfo_number(cpu, "cpu cores", EVC_MAX_CPUS, &cores) && cores)
		try_setting(laboratory,
		            evc_arena_printf(laboratory->arena,
		                             "smp=%zu,sockets=%" PRIu64 ",cores=%" PRIu64 ",threads=%" PRIu64,
		                             real->n_cpus, highest + 1, cores,
		                             siblings / cores ? siblings / cores : 1),
		            "this shape");
	try_setting(laboratory, evc_arena_printf(laboratory->arena, "smp=%zu", real->n_cpus),
	            "this number of CPUs");
	try_option(laboratory, "nosmt");
	try_option(laboratory, evc_arena_printf(laboratory->arena, "maxcpus=%zu", real->n_cpus));
}

/* The value of an MSR as far as the trace's questions show it. */
static uint64_t msr_base(const struct evc_linux_trace *trace, uint32_t index)
{
	uint64_t value = 0;

	for (uint16_t i = 1; i < trace->n_nodes; i++) {
		const struct evc_linux_node *node = &trace->nodes[i];

		if (node->reason == EVC_LINUX_REASON_BIT && node->bit.reg == EVC_MSR &&
		    node->bit.leaf == index && node->truth == EVC_PRESENT)
			value |= node->number << node->bit.lo;
	}
	return value;
}

/* What the kernel asks can be tried as often as it is different: a table of what was tried, by hash. */
struct asked {
	uint16_t *nodes; /* 0: free */
	size_t size;
};

static bool asks_same(const struct evc_linux_node *a, const struct evc_linux_node *b)
{
	if (a->reason != b->reason)
		return false;
	if (a->reason == EVC_LINUX_REASON_BIT)
		return a->bit.reg == b->bit.reg && a->bit.leaf == b->bit.leaf && a->bit.lo == b->bit.lo;
	if (a->reason == EVC_LINUX_REASON_READABLE)
		return a->number == b->number;
	return !strcmp(a->text, b->text);
}

static size_t asked_hash(const struct evc_linux_node *node)
{
	size_t hash = node->reason;

	if (node->reason == EVC_LINUX_REASON_BIT)
		return (hash + node->bit.leaf * 64U + node->bit.lo) * 2654435761U;
	if (node->reason == EVC_LINUX_REASON_READABLE)
		return (hash + node->number) * 2654435761U;
	for (const char *c = node->text; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	return hash;
}

/* Has an earlier node asked the same?  If not, this one has now. */
static bool is_repeated(const struct evc_linux_trace *trace, struct asked *asked, uint16_t number)
{
	const struct evc_linux_node *node = &trace->nodes[number];
	size_t at = asked_hash(node) & (asked->size - 1);

	for (; asked->nodes[at]; at = (at + 1) & (asked->size - 1))
		if (asks_same(node, &trace->nodes[asked->nodes[at]]))
			return true;
	asked->nodes[at] = number;
	return false;
}

static void try_msr_bit(struct laboratory *laboratory, const struct evc_linux_trace *trace,
                        const struct evc_linux_node *node)
{
	uint64_t base = msr_base(trace, node->bit.leaf), mask = evc_bit_mask(node->bit);
	bool set = !(base & mask);
	char bit[EVC_BIT_TEXT];

	if (node->bit.lo != node->bit.hi)
		return;
	evc_bit_format(node->bit, bit);
	try_setting(laboratory,
	            evc_arena_printf(laboratory->arena, "msr.0x%x=0x%" PRIx64, node->bit.leaf, base ^ mask),
	            evc_arena_printf(laboratory->arena, "%s %s", bit, set ? "set" : "clear"));
}

/* The other values of an option of the configuration. */
static void try_config(struct laboratory *laboratory, const char *asked)
{
	for (unsigned option = 0; option < EVC_LINUX_N_CONFIGS; option++) {
		bool is = false;

		for (unsigned value = 0; value < EVC_LINUX_N_CONFIG_VALUES; value++)
			is |= evc_linux_config_asks[option][value] == asked;
		for (unsigned value = 0; is && value < EVC_LINUX_N_CONFIG_VALUES; value++)
			if (evc_linux_config_asks[option][value])
				try_setting(laboratory, evc_linux_config_asks[option][value],
				            "this configuration");
	}
}

/* Every MSR and boot option that the kernel asked for, the other way round. */
static void try_asked(struct laboratory *laboratory, const struct evc_linux_trace *trace)
{
	struct asked asked = { .size = 2 };

	while (asked.size < 2U * trace->n_nodes)
		asked.size *= 2;
	asked.nodes = evc_arena_array(laboratory->arena, asked.size, sizeof(*asked.nodes));
	if (!asked.nodes)
		return;
	for (uint16_t i = 1; i < trace->n_nodes && !all_explained(laboratory->comparison); i++) {
		const struct evc_linux_node *node = &trace->nodes[i];
		bool msr = node->reason == EVC_LINUX_REASON_BIT && node->bit.reg == EVC_MSR;

		if ((!msr && node->reason != EVC_LINUX_REASON_READABLE &&
		     node->reason != EVC_LINUX_REASON_OPTION) ||
		    is_repeated(trace, &asked, i))
			continue;
		if (msr)
			try_msr_bit(laboratory, trace, node);
		else if (node->reason == EVC_LINUX_REASON_READABLE)
			try_setting(laboratory,
			            evc_arena_printf(laboratory->arena, "msr.0x%" PRIx64 "=%s", node->number,
			                             node->truth == EVC_PRESENT ? "fault" : "0x0"),
			            node->truth == EVC_PRESENT ? "this MSR not readable"
			                                       : "this MSR readable");
		else if (evc_linux_is_config(node))
			try_config(laboratory, node->text);
		else if (node->text)
			try_option(laboratory, node->text);
	}
}

static void try_platforms(struct laboratory *laboratory)
{
	for (unsigned i = EVC_LINUX_BARE; i < EVC_LINUX_N_PLATFORMS; i++)
		try_setting(laboratory,
		            evc_arena_printf(laboratory->arena, "hypervisor=%s",
		                             evc_linux_platform_name((enum evc_linux_platform)i)),
		            "this hypervisor");
}

/* The kernel under which the fewest differences are left, and only if these are fewer than now. */
static void try_kernels(struct laboratory *laboratory)
{
	const struct evc_linux_tree *best = NULL;
	size_t least = laboratory->comparison->n;
	struct experiment experiment = { .env = *laboratory->question->env, .may_add = true };

	for (size_t i = 0; i < evc_n_linux_trees; i++) {
		struct evc_linux_question question = *laboratory->question;
		struct evc_linux_view view;

		question.tree = &evc_linux_trees[i];
		question.build = NULL;
		question.trace = NULL;
		evc_linux_predict(&question, &view);
		evc_cpuinfo_differ(&view, laboratory->real, &laboratory->again);
		if (laboratory->again.n >= least)
			continue;
		least = laboratory->again.n;
		best = question.tree;
	}
	if (!best)
		return;
	experiment.tree = best;
	experiment.option = evc_arena_printf(laboratory->arena, "--kernel %s", best->name);
	experiment.why = "another kernel";
	if (experiment.option)
		try_it(laboratory, &experiment);
}

/* The bits that a word hangs on and that the dump does not know. */
static void tell_unknown(struct laboratory *laboratory, const struct evc_linux_trace *trace)
{
	const struct evc_linux_tree *tree = laboratory->question->tree;

	for (size_t i = 0; i < laboratory->comparison->n; i++) {
		struct evc_cpuinfo_difference *difference = &laboratory->comparison->items[i];
		const char *bits = "";

		if (!difference->unknown || difference->explanation[0] ||
		    difference->target == EVC_LINUX_TARGET_LINE)
			continue;
		for (uint16_t s = 0; s < trace->n_steps; s++) {
			const struct evc_linux_step *step = &trace->steps[s];
			const struct evc_linux_node *node = &trace->nodes[step->node];
			bool flag = difference->target == EVC_LINUX_TARGET_FLAG;
			const struct evc_linux_name *names = flag ? tree->flags : tree->bugs;
			size_t n = flag ? tree->n_flags : tree->n_bugs, k = 0;
			char bit[EVC_BIT_TEXT];

			while (k < n && (names[k].symbol != step->id ||
			                 !evc_span_equals(difference->name, names[k].name)))
				k++;
			if (step->target != difference->target || k == n ||
			    node->reason != EVC_LINUX_REASON_BIT || node->truth != EVC_UNSURE)
				continue;
			bits = evc_arena_printf(laboratory->arena, "%s%s%s", bits ? bits : "",
			                        bits && *bits ? ", " : "", evc_bit_format(node->bit, bit));
		}
		if (bits && *bits)
			difference->why =
				evc_arena_printf(laboratory->arena, "the dump does not know %s", bits);
	}
}

int evc_cpuinfo_against(const struct evc_linux_question *question, const struct evc_cpuinfo *real, size_t cpu,
                        struct evc_arena *arena, struct evc_cpuinfo_comparison *ret_comparison,
                        struct evc_error *err)
{
	struct evc_linux_question traced = *question;
	struct evc_linux_view view;
	struct evc_cpuinfo_comparison comparison = { 0 };
	struct evc_cpuinfo_real indexed;
	struct evc_cpuinfo_differences found = { .arena = arena,
		                                 .items = evc_arena_array(arena, EVC_CPUINFO_MAX_DIFFERENCES,
		                                                          sizeof(*found.items)) };
	struct laboratory laboratory = {
		.question = question,
		.real = &indexed,
		.arena = arena,
		.comparison = &comparison,
		.again = { .arena = arena,
		           .items = evc_arena_array(arena, EVC_CPUINFO_MAX_DIFFERENCES,
		                                    sizeof(*found.items)) },
	};

	traced.trace = evc_linux_trace_new(arena);
	if (!found.items || !laboratory.again.items || !traced.trace ||
	    !evc_cpuinfo_real_index(&real->cpus[cpu], arena, &indexed))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_linux_predict(&traced, &view);
	evc_cpuinfo_differ(&view, &indexed, &found);
	comparison.items = found.items;
	comparison.n = found.n;
	for (size_t i = 0; i < found.n; i++) {
		found.items[i].explanation = found.items[i].why = "";
		comparison.n_count += !found.items[i].varies;
	}
	if (comparison.n_count) {
		try_text(&laboratory, real);
		try_asked(&laboratory, traced.trace);
		try_platforms(&laboratory);
		try_kernels(&laboratory);
		tell_unknown(&laboratory, traced.trace);
	}
	*ret_comparison = comparison;
	return evc_arena_failed(arena) ? evc_fail(err, EVC_ERR_MEMORY, "out of memory") : EVC_OK;
}
