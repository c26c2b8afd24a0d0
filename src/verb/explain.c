/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that the tables know about a feature.  Nothing is decided here. */
#include "verb/verbs.h"

#include "base/nearest.h"
#include "core/feature.h"
#include "core/kvm_rules.h"
#include "core/qemu.h"
#include "text/report.h"
#include "verb/input.h"

#include <string.h>

static const char *const spaces[] = { "qemu", "libvirt", "linux", "vmware", "xen" };

enum { N_SPACES = sizeof(spaces) / sizeof(spaces[0]) };

static const struct evc_param params[] = {
	{ 0 },
};

static const char *rule_sentence(enum evc_rule rule)
{
	switch (rule) {
	case EVC_RULE_AND:
		return "a level has it when every host has it; a guest that has it needs a host that has it";
	case EVC_RULE_OR:
		return "a warning: a level has it when any host has it; a host that has it takes only guests "
		       "that were told";
	case EVC_RULE_MIN:
		return "a level has the smallest of all hosts; a guest's may not exceed its host's";
	case EVC_RULE_MAX:
		return "a level has the largest of all hosts; a guest's may not be less than its host's";
	case EVC_RULE_SAME:
		return "hosts must agree, since a guest cannot be shown another value";
	case EVC_RULE_OWN:
		return "never levelled: each host, or the hypervisor, decides";
	case EVC_RULE_CALC:
		return "computed from other features";
	case EVC_N_RULES:
		break;
	}
	return "";
}

/* Whom the place is for: "Intel, AMD". */
static const char *vendor_list(unsigned vendors, struct evc_arena *arena)
{
	static const struct {
		unsigned vendor;
		const char *title;
	} titles[] = {
		{ .vendor = EVC_VENDOR_INTEL, .title = "Intel" },
		{ .vendor = EVC_VENDOR_AMD, .title = "AMD" },
		{ .vendor = EVC_VENDOR_ZHAOXIN, .title = "Zhaoxin" },
		{ .vendor = EVC_VENDOR_TRANSMETA, .title = "Transmeta" },
	};
	const char *list = "";

	if (vendors == EVC_VENDOR_ANY)
		return "any";
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (vendors & titles[i].vendor)
			list = evc_arena_printf(arena, "%s%s%s", list, *list ? ", " : "", titles[i].title);
	return list;
}

/* The names of one space, the printed one first: "spec-ctrl, also ibpb"; NULL when it is our name. */
static const char *names_in(enum evc_feature_id id, const char *space, struct evc_arena *arena)
{
	const char *name = evc_feature_name_in(id, space), *list = name;

	for (size_t i = 0; i < evc_n_foreign_names; i++) {
		const struct evc_foreign_name *foreign = &evc_foreign_names[i];

		if (foreign->feature == id && foreign->also && !strcmp(foreign->space, space))
			list = evc_arena_printf(arena, "%s, also %s", list, foreign->name);
	}
	return strcmp(list, evc_features[id].name) ? list : NULL;
}

static bool mode_has(const struct evc_mode *mode, enum evc_feature_id id, unsigned *ret_version)
{
	for (size_t i = 0; i < mode->n_versions; i++) {
		if (evc_set_has(&mode->versions[i].features, id)) {
			*ret_version = mode->versions[i].number;
			return true;
		}
	}
	return false;
}

static void print_needs(enum evc_feature_id id, struct evc_sink *out)
{
	for (size_t i = 0; i < evc_n_needs; i++)
		if (evc_needs[i].feature == id)
			evc_sink_printf(out, "  needs       %s: %s (%s)\n",
			                evc_features[evc_needs[i].needs].name, evc_needs[i].why,
			                evc_needs[i].source);
	for (size_t i = 0; i < evc_n_needs; i++)
		if (evc_needs[i].needs == id)
			evc_sink_printf(out, "  needed by   %s: %s (%s)\n",
			                evc_features[evc_needs[i].feature].name, evc_needs[i].why,
			                evc_needs[i].source);
}

/* The first mode of each vendor that has it, and how many do. */
static void print_modes(enum evc_feature_id id, const struct evc_modes *modes, struct evc_sink *out)
{
	const char *vendor = "";
	unsigned version;
	size_t n = 0;

	for (size_t i = 0; i < modes->n; i++) {
		const struct evc_mode *mode = modes->items[i];

		if (!mode_has(mode, id, &version))
			continue;
		n++;
		if (!strcmp(vendor, mode->vendor))
			continue;
		vendor = mode->vendor;
		evc_sink_printf(out, version > 1 ? "  first mode  %s@%u\n" : "  first mode  %s\n", mode->key,
		                version);
	}
	if (evc_set_has(&modes->passes, id))
		evc_sink_puts(out,
		              "  modes       none takes it away: the hypervisor or the host supplies it\n");
	else if (n)
		evc_sink_printf(out, "  modes       %zu of %zu have it\n", n, modes->n);
	else
		evc_sink_puts(out, "  modes       none has it: it is hidden at every mode\n");
}

/* "5.4.273..7.2.8", "all kernels that were read"; the trees of a rule that has none in between are a range.
 */
static const char *trees_text(uint16_t trees, struct evc_arena *arena)
{
	const char *list = "";
	size_t last;

	for (size_t i = 0; i < evc_n_kvm_trees; i = last + 1) {
		for (last = i; last + 1 < evc_n_kvm_trees && trees >> last & trees >> (last + 1) & 1;)
			last++;
		if (!(trees >> i & 1))
			continue;
		if (!i && last + 1 == evc_n_kvm_trees)
			return "all kernels that were read";
		list = evc_arena_printf(arena, last > i ? "%s%s%s..%s" : "%s%s%s", list,
		                        *list ? ", " : "kernels ", evc_kvm_trees[i].name,
		                        evc_kvm_trees[last].name);
	}
	return list;
}

static const char *how_sentence(enum evc_kvm_how how)
{
	switch (how) {
	case EVC_KVM_PASS:
		return "KVM passes the host's on, as Linux sees it";
	case EVC_KVM_RAW:
		return "KVM passes the host's on, whatever Linux makes of it";
	case EVC_KVM_ALWAYS:
		return "KVM offers it on every host";
	case EVC_KVM_SYNTH:
		return "KVM makes it of other facts about the host";
	case EVC_KVM_INTEL:
		return "KVM offers it through kvm_intel";
	case EVC_KVM_AMD:
		return "KVM offers it through kvm_amd";
	case EVC_KVM_VMX:
		return "KVM offers it to guests that may run guests, on Intel";
	case EVC_KVM_CLEAR:
		return "KVM takes it away";
	}
	return "";
}

/* The n-th thing that KVM and QEMU do about it, NULL: no more. */
static const char *offer_sentence(enum evc_feature_id id, size_t n, struct evc_arena *arena)
{
	const struct evc_feature *feature = &evc_features[id];
	size_t seen = 0;

	if (feature->slot != EVC_NO_SLOT || (feature->rule != EVC_RULE_AND && feature->rule != EVC_RULE_OR))
		return NULL;
	for (size_t i = 0; i < evc_n_kvm_rules; i++) {
		const struct evc_kvm_rule *rule = &evc_kvm_rules[i];

		if (rule->feature == id && seen++ == n)
			return evc_arena_printf(
				arena, "%s%s: %s", how_sentence(rule->how),
				evc_kvm_code[rule->condition].op == EVC_OP_TRUE ? "" : ", on a condition",
				trees_text(rule->trees, arena));
	}
	for (size_t i = 0; i < evc_n_kvm_qemu_adds; i++) {
		const struct evc_kvm_qemu *row = &evc_kvm_qemu_adds[i];

		if (row->feature == id && seen++ == n)
			return evc_arena_printf(arena, "QEMU sets it%s: %u.%u and later",
			                        evc_kvm_code[row->condition].op == EVC_OP_TRUE
			                                ? ", whatever KVM says"
			                                : ", on a condition",
			                        row->since / 100, row->since % 100);
	}
	if (evc_set_has(&evc_qemu_unmigratable, id) && seen++ == n)
		return "QEMU hides it from guests that are to be migrated";
	if (evc_set_has(&evc_qemu_supplied, id) && seen++ == n)
		return "QEMU supplies it, whatever the mode";
	if (evc_set_has(&evc_qemu_automatic, id) && seen++ == n)
		return "QEMU decides by itself";
	return !seen && !n ? "KVM never offers it to guests" : NULL;
}

static void print_feature(enum evc_feature_id id, const struct evc_modes *modes, struct evc_command *command)
{
	const struct evc_feature *feature = &evc_features[id];
	struct evc_sink *out = command->out;
	char place[EVC_BIT_TEXT];
	const char *offer;

	evc_sink_printf(out, "%s\n  what        %s\n", feature->name, feature->title);
	evc_sink_printf(out, "  place       %s", evc_bit_format(feature->bit, place));
	if (feature->subleaf_last != feature->bit.subleaf)
		evc_sink_printf(out, ", to subleaf %x", (unsigned)feature->subleaf_last);
	evc_sink_printf(out, "\n  vendors     %s\n", vendor_list(feature->vendors, command->arena));
	evc_sink_printf(out, "  source      %s\n", evc_sources[feature->source].title);
	for (size_t i = 0; i < N_SPACES; i++) {
		const char *names = names_in(id, spaces[i], command->arena);

		if (names)
			evc_sink_printf(out, "  %-10s  %s\n", spaces[i], names);
	}
	evc_sink_printf(out, "  rule        %s: %s\n", evc_rule_name(feature->rule),
	                rule_sentence(feature->rule));
	print_needs(id, out);
	print_modes(id, modes, out);
	for (size_t i = 0; (offer = offer_sentence(id, i, command->arena)); i++)
		evc_sink_printf(out, "  offer       %s\n", offer);
	if (evc_removals[id].vendors)
		evc_sink_printf(out, "  left        %s, CPUs first sold in %d or later: %s\n",
		                vendor_list(evc_removals[id].vendors, command->arena), evc_removals[id].year,
		                evc_removals[id].what);
	if (evc_feature_costs[id])
		evc_sink_printf(out, "  without it  %s\n", evc_feature_costs[id]);
}

static json_t *needs_json(enum evc_feature_id id, bool needed_by)
{
	json_t *list = json_array();

	for (size_t i = 0; i < evc_n_needs; i++) {
		const struct evc_need *need = &evc_needs[i];

		if ((needed_by ? need->needs : need->feature) == id)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:s}", "feature",
			                        evc_features[needed_by ? need->feature : need->needs].name,
			                        "why", need->why, "source", need->source));
	}
	return list;
}

static json_t *modes_json(enum evc_feature_id id, const struct evc_modes *modes)
{
	json_t *list = json_array();
	unsigned version;

	for (size_t i = 0; i < modes->n; i++)
		if (mode_has(modes->items[i], id, &version))
			json_array_append_new(list, json_pack("{s:s, s:i}", "mode", modes->items[i]->key,
			                                      "version", (int)version));
	return list;
}

static json_t *names_json(enum evc_feature_id id)
{
	json_t *names = json_object();

	for (size_t i = 0; i < evc_n_foreign_names; i++) {
		const struct evc_foreign_name *foreign = &evc_foreign_names[i];

		if (foreign->feature != id)
			continue;
		if (!json_object_get(names, foreign->space))
			json_object_set_new(names, foreign->space, json_array());
		json_array_append_new(json_object_get(names, foreign->space), json_string(foreign->name));
	}
	return names;
}

static json_t *offers_json(enum evc_feature_id id, struct evc_arena *arena)
{
	json_t *list = json_array();
	const char *offer;

	for (size_t i = 0; (offer = offer_sentence(id, i, arena)); i++)
		json_array_append_new(list, json_string(offer));
	return list;
}

/* NULL, which a pack leaves out, when nobody removed it. */
static json_t *removed_json(enum evc_feature_id id, struct evc_arena *arena)
{
	const struct evc_removal *removal = &evc_removals[id];

	if (!removal->vendors)
		return NULL;
	return json_pack("{s:s, s:i, s:s, s:s}", "vendors", vendor_list(removal->vendors, arena), "year",
	                 removal->year, "what", removal->what, "source", removal->source);
}

static json_t *feature_json(enum evc_feature_id id, const struct evc_modes *modes, struct evc_arena *arena)
{
	const struct evc_feature *feature = &evc_features[id];
	char place[EVC_BIT_TEXT];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o*, s:s?}",
	                 "feature", feature->name, "title", feature->title, "place",
	                 evc_bit_format(feature->bit, place), "vendors", vendor_list(feature->vendors, arena),
	                 "rule", evc_rule_name(feature->rule), "source", evc_sources[feature->source].key,
	                 "names", names_json(id), "needs", needs_json(id, false), "needed_by",
	                 needs_json(id, true), "modes", modes_json(id, modes), "passes",
	                 evc_set_has(&modes->passes, id), "offer", offers_json(id, arena), "removed",
	                 removed_json(id, arena), "without_it", evc_feature_costs[id]);
}

static int unknown_feature(const char *name, struct evc_error *err)
{
	struct evc_nearest nearest = { .name = evc_span_from(name) };

	for (unsigned id = 0; id < EVC_N_FEATURES; id++)
		evc_nearest_offer(&nearest, evc_features[id].name);
	return evc_fail(err, EVC_ERR_NAME, "no feature is called %s%s%s%s", name,
	                nearest.word ? "; did you mean " : "", nearest.word ? nearest.word : "",
	                nearest.word ? "?" : "");
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_modes modes = { 0 };
	json_t *list = command->json ? json_array() : NULL;
	int status = evc_input_modes(command, &modes, err);

	if (status >= 0 && !command->args.n_operands)
		status = evc_fail(err, EVC_ERR_USAGE, "name a feature");
	for (size_t i = 0; status >= 0 && i < command->args.n_operands; i++) {
		const char *name = command->args.operands[i];
		enum evc_feature_id ids[EVC_MAX_MEANINGS];
		size_t n = evc_feature_lookup_all(evc_span_from(name), NULL, ids);

		if (!n)
			status = unknown_feature(name, err);
		for (size_t j = 0; j < n; j++) {
			if (list) {
				json_array_append_new(list, feature_json(ids[j], &modes, command->arena));
				continue;
			}
			if (i || j)
				evc_sink_puts(command->out, "\n");
			print_feature(ids[j], &modes, command);
		}
	}
	if (list && status >= 0)
		evc_report_json(list, command->out);
	else
		json_decref(list);
	return status;
}

const struct evc_verb evc_verb_explain = {
	.name = "explain",
	.summary = "say what a feature is, needs and costs",
	.operands = "FEATURE...",
	.help = "Explain a feature by any of its names, or by its place.  A name that stands for several\n"
		"features explains each; \"linux:ibrs\" asks for what one project means.\n\n"
		"    evc explain avx2 linux:ibrs 7.0:ebx[5]\n",
	.params = params,
	.run = run,
};
