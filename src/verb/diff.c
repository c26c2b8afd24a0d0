/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/diff.h"
#include "core/side.h"
#include "text/report.h"
#include "verb/input.h"
#include "verb/seen.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "all", .letter = 'a', .help = "print what does not matter to a move as well" },
	EVC_SEEN_PARAM,
	{ 0 },
};

static const char *const titles[EVC_N_DIFF_GROUPS] = {
	[EVC_DIFF_FEATURES] = "features",
	[EVC_DIFF_SECURITY] = "security",
	[EVC_DIFF_VIRTUALISATION] = "virtualisation",
	[EVC_DIFF_HYPERVISOR] = "what the hypervisor says",
	[EVC_DIFF_STATE] = "layout of the saved state",
	[EVC_DIFF_IDLE] = "topology, ids and what the system switched on: does not matter to a move",
};

static void put_set(const char *what, const char *name, const struct evc_set *set, struct evc_sink *out)
{
	if (evc_set_is_empty(set))
		return;
	evc_sink_printf(out, "  %s %s\n", what, name);
	evc_report_set(set, 4, out);
}

struct pair {
	const char *name[2];
	struct evc_cpu cpu[2];
	struct evc_modes modes;
	struct evc_diff diff;
	struct evc_seen seen; /* from the first to the second */
	/* What guests have of one only though the CPUs do not differ in it: the doing of kernels, QEMU,
	 * options. */
	struct evc_set offered[2];
	bool same; /* CPUs and offers in what matters to a move */
	bool all;
};

enum { INDENT = 4, MANY = 16 };

/* Features of one step: the mode of the side's vendor that first has them; NULL: those that no mode has. */
static void put_step(const struct pair *pair, int side, const struct evc_set *set,
                     const struct evc_mode *mode, unsigned version, struct evc_sink *out)
{
	struct evc_set here = { 0 };
	unsigned v = 0;

	EVC_SET_FOREACH(id, set)
	{
		if (evc_diff_step(&pair->modes, pair->cpu[side].vendor, id, &v) == mode &&
		    (!mode || v == version))
			evc_set_add(&here, id);
	}
	if (evc_set_is_empty(&here))
		return;
	evc_sink_pad(out, INDENT);
	if (!mode)
		evc_sink_puts(out, "in no mode\n");
	else if (version == 1)
		evc_sink_printf(out, "from %s on\n", mode->key);
	else
		evc_sink_printf(out, "from %s@%u on (%s, %s)\n", mode->key, version,
		                mode->versions[version - 1].why, mode->versions[version - 1].since);
	evc_report_set(&here, 2 * INDENT, out);
}

/* By generation: whoever levels the two wants to know which step is lost. */
static void put_steps(const struct pair *pair, int side, const struct evc_set *set, struct evc_sink *out)
{
	struct evc_set passing = evc_set_and(set, &pair->modes.passes), listed = evc_set_minus(set, &passing);

	for (size_t m = 0; m < pair->modes.n; m++)
		for (size_t v = 0; v < pair->modes.items[m]->n_versions; v++)
			put_step(pair, side, &listed, pair->modes.items[m],
			         pair->modes.items[m]->versions[v].number, out);
	put_step(pair, side, &listed, NULL, 0, out);
	if (evc_set_is_empty(&passing))
		return;
	evc_sink_pad(out, INDENT);
	evc_sink_puts(out, "at any mode\n");
	evc_report_set(&passing, 2 * INDENT, out);
}

static void put_only(const struct pair *pair, int side, const struct evc_set *only, struct evc_sink *out)
{
	struct evc_set warnings = evc_set_and(only, &evc_rule_sets[EVC_RULE_OR]),
		       features = evc_set_minus(only, &warnings);

	if (!evc_set_is_empty(&features)) {
		evc_sink_printf(out, "  only %s has\n", pair->name[side]);
		put_steps(pair, side, &features, out);
	}
	if (!evc_set_is_empty(&warnings)) {
		evc_sink_printf(out, "  only %s warns of\n", pair->name[side]);
		evc_report_set(&warnings, INDENT, out);
	}
}

/* What only the other's dump tells. */
static void put_unsure(const struct pair *pair, int side, const struct evc_set *set, struct evc_sink *out)
{
	int n = evc_set_count(set);

	if (!n)
		return;
	evc_sink_printf(out, "  not known of %s, but %s has ", pair->name[side], pair->name[!side]);
	if (n > MANY && !pair->all) {
		evc_sink_printf(out, "%d; --all lists them\n", n);
		return;
	}
	evc_sink_puts(out, "\n");
	evc_report_set(set, INDENT, out);
}

static void put_values(const struct pair *pair, const struct evc_set *set, struct evc_sink *out)
{
	EVC_SET_FOREACH(id, set)
	{
		uint64_t a = 0, b = 0;

		evc_cpu_value(&pair->cpu[0], id, &a);
		evc_cpu_value(&pair->cpu[1], id, &b);
		evc_sink_printf(out, "  %-30s %llu -> %llu\n", evc_features[id].name, (unsigned long long)a,
		                (unsigned long long)b);
	}
}

static int count(const struct evc_diff_part *part)
{
	return evc_set_count(&part->only_a) + evc_set_count(&part->only_b) + evc_set_count(&part->changed) +
	       evc_set_count(&part->unsure_a) + evc_set_count(&part->unsure_b);
}

static void put_number(const char *what, unsigned a, unsigned b, struct evc_sink *out)
{
	if (a != b)
		evc_sink_printf(out, "  %-30s %u -> %u\n", what, a, b);
}

static void put_word(const char *what, const char *a, const char *b, struct evc_sink *out)
{
	if (strcmp(a, b) != 0)
		evc_sink_printf(out, "  %-30s %s -> %s\n", what, a[0] ? a : "not known",
		                b[0] ? b : "not known");
}

static void put_leaf(const char *what, uint32_t a, uint32_t b, struct evc_sink *out)
{
	if (a != b)
		evc_sink_printf(out, "  %-30s %u -> %u (0x%x -> 0x%x)\n", what, a & UINT16_MAX,
		                b & UINT16_MAX, a, b);
}

static void put_identity(const struct pair *pair, struct evc_sink *out)
{
	const struct evc_cpu *a = &pair->cpu[0], *b = &pair->cpu[1];

	if (!pair->diff.identity)
		return;
	evc_sink_puts(out, "identity\n");
	put_word("vendor", a->vendor_id, b->vendor_id, out);
	put_word("name", a->brand, b->brand, out);
	put_number("family", a->family, b->family, out);
	put_number("model", a->model, b->model, out);
	put_number("stepping", a->stepping, b->stepping, out);
	put_leaf("level (highest leaf)", a->max_basic, b->max_basic, out);
	put_leaf("highest extended leaf", a->max_extended, b->max_extended, out);
}

/* Sizes and offsets of what one side has not follow from the features; true differences are rare. */
static void put_state(const struct pair *pair, struct evc_sink *out)
{
	const struct evc_diff_part *part = &pair->diff.parts[EVC_DIFF_STATE];
	struct evc_set apart = { 0 };

	EVC_SET_FOREACH(id, &part->changed)
	{
		uint64_t a = 0, b = 0;

		if (pair->all ||
		    (evc_cpu_value(&pair->cpu[0], id, &a) && evc_cpu_value(&pair->cpu[1], id, &b) && a && b))
			evc_set_add(&apart, id);
	}
	if (!evc_set_is_empty(&apart)) {
		evc_sink_printf(out, "%s\n", titles[EVC_DIFF_STATE]);
		put_values(pair, &apart, out);
	}
	if (count(part) > evc_set_count(&apart))
		evc_sink_printf(out, "%s: %d %svalues follow from the features\n", titles[EVC_DIFF_STATE],
		                count(part) - evc_set_count(&apart), evc_set_is_empty(&apart) ? "" : "more ");
}

static void put_group(const struct pair *pair, enum evc_diff_group group, struct evc_sink *out)
{
	const struct evc_diff_part *part = &pair->diff.parts[group];

	if (!count(part))
		return;
	if (group == EVC_DIFF_STATE) {
		put_state(pair, out);
		return;
	}
	if (group == EVC_DIFF_IDLE && !pair->all) {
		evc_sink_printf(out, "%d more differences do not matter to a move; --all prints them\n",
		                count(part));
		return;
	}
	evc_sink_printf(out, "%s\n", titles[group]);
	if (group == EVC_DIFF_IDLE) {
		put_set("only", pair->name[0], &part->only_a, out);
		put_set("only", pair->name[1], &part->only_b, out);
	} else {
		put_only(pair, 0, &part->only_a, out);
		put_only(pair, 1, &part->only_b, out);
	}
	put_values(pair, &part->changed, out);
	put_unsure(pair, 0, &part->unsure_a, out);
	put_unsure(pair, 1, &part->unsure_b, out);
}

static void add_parts(struct evc_set sets[static 2], const struct evc_diff *diff)
{
	for (int group = 0; group < EVC_N_DIFF_GROUPS; group++) {
		if (group == EVC_DIFF_IDLE)
			continue;
		sets[0] = evc_set_or(&sets[0], &diff->parts[group].only_a);
		sets[1] = evc_set_or(&sets[1], &diff->parts[group].only_b);
	}
}

/* A guest's own dump shows what it was given; between hosts what they can give counts. */
static void compare_offers(struct pair *pair, const struct evc_check_side sides[static 2])
{
	struct evc_set offered[2] = { 0 }, own[2] = { 0 };
	struct evc_diff diff;

	pair->same = pair->diff.same;
	if (!sides[0].cpu || !sides[1].cpu || evc_side_offer(&sides[0])->basis == EVC_OFFER_GIVEN ||
	    evc_side_offer(&sides[1])->basis == EVC_OFFER_GIVEN)
		return;
	evc_diff_make(sides[0].cpu, sides[1].cpu, &pair->modes, &diff);
	pair->same &= diff.same;
	add_parts(offered, &diff);
	add_parts(own, &pair->diff);
	for (int i = 0; i < 2; i++)
		pair->offered[i] = evc_set_minus(&offered[i], &own[i]);
}

static void put_offers(const struct pair *pair, struct evc_sink *out)
{
	if (evc_set_is_empty(&pair->offered[0]) && evc_set_is_empty(&pair->offered[1]))
		return;
	evc_sink_puts(out, "what KVM and QEMU make guests see, beyond what the CPUs differ in\n");
	put_set("only guests of", pair->name[0], &pair->offered[0], out);
	put_set("only guests of", pair->name[1], &pair->offered[1], out);
}

/* The first line: how much is lost by a move in each direction. */
static void put_summary(const struct pair *pair, struct evc_sink *out)
{
	int n[2] = { 0 };

	if (pair->diff.same && !pair->same) {
		evc_sink_printf(out,
		                "%s and %s are the same CPU, but their guests may see another one each\n",
		                pair->name[0], pair->name[1]);
		return;
	}
	if (pair->diff.same) {
		evc_sink_printf(out, "%s and %s are the same in what matters to a move\n", pair->name[0],
		                pair->name[1]);
		return;
	}
	for (int group = EVC_DIFF_FEATURES; group <= EVC_DIFF_VIRTUALISATION; group++) {
		struct evc_set a = evc_set_minus(&pair->diff.parts[group].only_a,
		                                 &evc_rule_sets[EVC_RULE_OR]),
			       b = evc_set_minus(&pair->diff.parts[group].only_b,
		                                 &evc_rule_sets[EVC_RULE_OR]);

		n[0] += evc_set_count(&a);
		n[1] += evc_set_count(&b);
	}
	evc_sink_printf(out, "%s and %s differ: %d features only in %s, %d only in %s\n", pair->name[0],
	                pair->name[1], n[0], pair->name[0], n[1], pair->name[1]);
}

static void put_text(const struct pair *pair, struct evc_sink *out)
{
	put_summary(pair, out);
	put_identity(pair, out);
	for (int group = 0; group < EVC_N_DIFF_GROUPS; group++)
		put_group(pair, (enum evc_diff_group)group, out);
	put_offers(pair, out);
	evc_seen_print(&pair->seen, "as Linux shows it, from the first to the second", out);
}

/* Which mode each differing feature came with. */
static json_t *since_json(const struct pair *pair, const struct evc_diff_part *part)
{
	json_t *object = json_object();

	for (int side = 0; side < 2; side++)
		EVC_SET_FOREACH(id, side ? &part->only_b : &part->only_a)
		{
			unsigned version = 0;
			const struct evc_mode *mode =
				evc_diff_step(&pair->modes, pair->cpu[side].vendor, id, &version);

			if (mode)
				json_object_set_new(object, evc_features[id].name,
				                    json_sprintf("%s@%u", mode->key, version));
		}
	return object;
}

static json_t *part_json(const struct pair *pair, const struct evc_diff_part *part)
{
	json_t *changed = json_object();

	EVC_SET_FOREACH(id, &part->changed)
	{
		uint64_t a = 0, b = 0;

		evc_cpu_value(&pair->cpu[0], id, &a);
		evc_cpu_value(&pair->cpu[1], id, &b);
		json_object_set_new(changed, evc_features[id].name,
		                    json_pack("[I, I]", (json_int_t)a, (json_int_t)b));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "only_a", evc_report_set_json(&part->only_a),
	                 "only_b", evc_report_set_json(&part->only_b), "since", since_json(pair, part),
	                 "changed", changed, "unknown_a", evc_report_set_json(&part->unsure_a), "unknown_b",
	                 evc_report_set_json(&part->unsure_b));
}

static json_t *identity_json(const struct evc_cpu *cpu, const char *name)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:I, s:I}", "name", name, "vendor", cpu->vendor_id,
	                 "family", cpu->family, "model", cpu->model, "stepping", cpu->stepping, "brand",
	                 cpu->brand, "level", (json_int_t)cpu->max_basic, "extended_level",
	                 (json_int_t)cpu->max_extended);
}

static void put_json(const struct pair *pair, struct evc_sink *out)
{
	json_t *groups = json_object();

	for (int group = 0; group < EVC_N_DIFF_GROUPS; group++)
		json_object_set_new(groups, evc_diff_group_name((enum evc_diff_group)group),
		                    part_json(pair, &pair->diff.parts[group]));
	evc_report_json(json_pack("{s:b, s:o, s:o, s:o, s:{s:o, s:o}, s:o}", "same", pair->same, "a",
	                          identity_json(&pair->cpu[0], pair->name[0]), "b",
	                          identity_json(&pair->cpu[1], pair->name[1]), "groups", groups, "guests",
	                          "only_a", evc_report_set_json(&pair->offered[0]), "only_b",
	                          evc_report_set_json(&pair->offered[1]), "linux",
	                          evc_seen_json(&pair->seen)),
	                out);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct pair pair = { .all = evc_args_flag(&command->args, "all") };
	struct evc_dump none = { 0 };
	const struct evc_dump *dumps[2] = { &none, &none };
	const struct evc_linux_tree *tree = NULL;
	const struct evc_offer_options options = { .view = EVC_VIEW_AUTO };
	struct evc_check_side sides[2] = { 0 };
	struct evc_host hosts[2];
	int status;

	if (command->args.n_operands != 2)
		return evc_fail(err, EVC_ERR_USAGE, "name two files");
	status = evc_input_modes(command, &pair.modes, err);
	for (int i = 0; i < 2 && status >= 0; i++) {
		status = evc_input_host(command, command->args.operands[i], &hosts[i], err);
		if (status >= 0)
			status = evc_side_make(&hosts[i], &options, command->arena, &sides[i], NULL, err);
		if (status < 0)
			break;
		pair.name[i] = hosts[i].name;
		evc_cpu_decode_host(&hosts[i], &pair.cpu[i]);
		dumps[i] = hosts[i].n_cpus ? hosts[i].cpus : &none;
	}
	/* Two captures of one machine are told apart by their files. */
	for (int i = 0; status >= 0 && i < 2; i++)
		if (!strcmp(hosts[0].name, hosts[1].name))
			pair.name[i] = command->args.operands[i];
	if (status >= 0)
		status = evc_seen_tree(&command->args, &tree, err);
	if (status >= 0)
		status = evc_seen_change(command, tree, dumps[0], dumps[1], &pair.seen, err);
	if (status < 0)
		return status;
	evc_diff_make(&pair.cpu[0], &pair.cpu[1], &pair.modes, &pair.diff);
	compare_offers(&pair, sides);
	if (command->json)
		put_json(&pair, command->out);
	else
		put_text(&pair, command->out);
	return pair.same ? 0 : 1;
}

const struct evc_verb evc_verb_diff = {
	.name = "diff",
	.summary = "say how two CPUs differ, by what the differences mean",
	.operands = "FILE FILE",
	.help = "Exit status 0: the same in what matters to a move, 1: they differ. Between hosts, what their KVM\n"
		"and QEMU make guests see counts as well: two captures tell what an update of them changed.\n"
		"Features are listed by the mode that first has them: what a level below it takes away.\n"
		"  evc diff web1.json web3.json",
	.params = params,
	.run = run,
};
