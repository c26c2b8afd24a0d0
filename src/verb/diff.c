/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/diff.h"
#include "text/report.h"
#include "verb/input.h"

static const struct evc_param params[] = {
	{ .name = "all", .letter = 'a', .help = "print what does not matter to a move as well" },
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

struct pair {
	const char *name[2];
	struct evc_cpu cpu[2];
	struct evc_diff diff;
};

static void put_set(const char *what, const char *name, const struct evc_set *set, struct evc_sink *out)
{
	if (evc_set_is_empty(set))
		return;
	evc_sink_printf(out, "  %s %s:\n", what, name);
	evc_report_set(set, 4, out);
}

static void put_values(const struct pair *pair, const struct evc_set *set, struct evc_sink *out)
{
	EVC_SET_FOREACH(id, set)
	{
		uint64_t a = 0, b = 0;

		evc_cpu_value(&pair->cpu[0], id, &a);
		evc_cpu_value(&pair->cpu[1], id, &b);
		evc_sink_printf(out, "  %s: %llu, %llu\n", evc_features[id].name, (unsigned long long)a,
		                (unsigned long long)b);
	}
}

static int count(const struct evc_diff_part *part)
{
	return evc_set_count(&part->only_a) + evc_set_count(&part->only_b) + evc_set_count(&part->changed) +
	       evc_set_count(&part->unsure_a) + evc_set_count(&part->unsure_b);
}

static void put_identity(const struct pair *pair, struct evc_sink *out)
{
	if (!pair->diff.identity)
		return;
	evc_sink_puts(out, "identity\n");
	for (int i = 0; i < 2; i++) {
		const struct evc_cpu *cpu = &pair->cpu[i];

		evc_sink_printf(out, "  %s: %s family %u model %u stepping %u, %s\n", pair->name[i],
		                cpu->vendor_id, cpu->family, cpu->model, cpu->stepping,
		                cpu->brand[0] ? cpu->brand : "no name");
	}
}

static void put_text(const struct pair *pair, bool all, struct evc_sink *out)
{
	evc_sink_printf(out, "%s and %s %s\n", pair->name[0], pair->name[1],
	                pair->diff.same ? "are the same in what matters to a move" : "differ");
	put_identity(pair, out);
	for (int group = 0; group < EVC_N_DIFF_GROUPS; group++) {
		const struct evc_diff_part *part = &pair->diff.parts[group];

		if (!count(part))
			continue;
		if (group == EVC_DIFF_IDLE && !all) {
			evc_sink_printf(out,
			                "%d more differences do not matter to a move; --all prints them\n",
			                count(part));
			continue;
		}
		evc_sink_printf(out, "%s\n", titles[group]);
		put_set("only", pair->name[0], &part->only_a, out);
		put_set("only", pair->name[1], &part->only_b, out);
		put_values(pair, &part->changed, out);
		put_set("not known of", pair->name[0], &part->unsure_a, out);
		put_set("not known of", pair->name[1], &part->unsure_b, out);
	}
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
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "only_a", evc_report_set_json(&part->only_a), "only_b",
	                 evc_report_set_json(&part->only_b), "changed", changed, "unknown_a",
	                 evc_report_set_json(&part->unsure_a), "unknown_b",
	                 evc_report_set_json(&part->unsure_b));
}

static json_t *identity_json(const struct evc_cpu *cpu, const char *name)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:s}", "name", name, "vendor", cpu->vendor_id, "family",
	                 cpu->family, "model", cpu->model, "stepping", cpu->stepping, "brand", cpu->brand);
}

static void put_json(const struct pair *pair, struct evc_sink *out)
{
	json_t *groups = json_object();

	for (int group = 0; group < EVC_N_DIFF_GROUPS; group++)
		json_object_set_new(groups, evc_diff_group_name((enum evc_diff_group)group),
		                    part_json(pair, &pair->diff.parts[group]));
	evc_report_json(json_pack("{s:b, s:o, s:o, s:o}", "same", pair->diff.same, "a",
	                          identity_json(&pair->cpu[0], pair->name[0]), "b",
	                          identity_json(&pair->cpu[1], pair->name[1]), "groups", groups),
	                out);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_modes modes = { 0 };
	struct pair pair;
	int status;

	if (command->args.n_operands != 2)
		return evc_fail(err, EVC_ERR_USAGE, "name two files");
	status = evc_input_modes(command, &modes, err);
	for (int i = 0; i < 2 && status >= 0; i++) {
		struct evc_host host;

		status = evc_input_host(command, command->args.operands[i], &host, err);
		if (status < 0)
			break;
		pair.name[i] = host.name;
		evc_cpu_decode_host(&host, &pair.cpu[i]);
	}
	if (status < 0)
		return status;
	evc_diff_make(&pair.cpu[0], &pair.cpu[1], &modes, &pair.diff);
	if (command->json)
		put_json(&pair, command->out);
	else
		put_text(&pair, evc_args_flag(&command->args, "all"), command->out);
	return pair.diff.same ? 0 : 1;
}

const struct evc_verb evc_verb_diff = {
	.name = "diff",
	.summary = "say how two CPUs differ, by what the differences mean",
	.operands = "FILE FILE",
	.help = "Exit status 0: the same in what matters to a move, 1: they differ.\n"
		"  evc diff web1.json web3.json",
	.params = params,
	.run = run,
};
