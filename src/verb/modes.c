/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "text/mode-keys.h"
#include "text/report.h"
#include "verb/input.h"

#include <stdio.h>
#include <string.h>

static const struct evc_param params[] = {
	{ .name = "features", .help = "print only the names of the mode's features, one a line" },
	{ 0 },
};

/* The highest psABI level within a mode, or NULL. */
static const struct evc_mode *level_within(const struct evc_modes *modes, const struct evc_mode *mode)
{
	const struct evc_mode *level = NULL;

	for (size_t i = 0; i < modes->n; i++)
		if (modes->items[i]->vendors == EVC_VENDOR_ANY && modes->items[i]->keeps_signature &&
		    evc_mode_covers(mode, modes->items[i]))
			level = modes->items[i];
	return level;
}

static void signature_text(const struct evc_mode *mode, char *buf, size_t size)
{
	if (mode->keeps_signature)
		snprintf(buf, size, "the host's");
	else
		snprintf(buf, size, "%u/%u/%u", mode->family.value, mode->model.value, mode->stepping.value);
}

static json_t *claim_json(const struct evc_claim *claim)
{
	return json_pack("{s:s, s:s}", "provenance", evc_provenance_name(claim->provenance), "source",
	                 claim->source);
}

static json_t *number_json(const struct evc_mode_number *number)
{
	return json_pack("{s:I, s:s, s:s}", "value", (json_int_t)number->value, "provenance",
	                 evc_provenance_name(number->provenance), "source", number->source);
}

static json_t *words_json(const char *words)
{
	struct evc_span rest = evc_span_from(words), word;
	json_t *array = json_array();

	while (evc_span_word(&rest, &word))
		json_array_append_new(array, json_stringn(word.text, word.length));
	return array;
}

/* What one line of the table says. */
static json_t *summary_json(const struct evc_modes *modes, const struct evc_mode *mode)
{
	const struct evc_mode *level = level_within(modes, mode);
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:o, s:i, s:s?, s:s?, s:i}", "key", mode->key,
	                           "label", mode->label, "vendor", mode->vendor, "origin", mode->origin,
	                           "tracks", words_json(mode->tracks), "tier", (int)mode->tier, "from",
	                           mode->from && mode->from->label[0] ? mode->from->key : NULL, "psabi",
	                           level ? level->key : NULL, "newest", (int)mode->n_versions);

	if (mode->keeps_signature)
		return object;
	json_object_set_new(object, "family", number_json(&mode->family));
	json_object_set_new(object, "model", number_json(&mode->model));
	json_object_set_new(object, "stepping", number_json(&mode->stepping));
	json_object_set_new(object, "max_basic", number_json(&mode->max_basic));
	json_object_set_new(object, "max_extended", number_json(&mode->max_extended));
	return object;
}

static void print_row(struct evc_command *command, const struct evc_modes *modes, const struct evc_mode *mode)
{
	const struct evc_mode *level = level_within(modes, mode);
	char signature[32];

	signature_text(mode, signature, sizeof(signature));
	evc_sink_printf(command->out, "%-22s %-40s %-11s %4u  %-9s  %zu\n", mode->key, mode->label, signature,
	                mode->tier, level ? level->key : "-", mode->n_versions);
}

static int list(struct evc_command *command, const struct evc_modes *modes)
{
	json_t *array = json_array();
	const char *vendor = NULL;

	for (size_t i = 0; i < modes->n; i++) {
		const struct evc_mode *mode = modes->items[i];

		if (command->json) {
			json_array_append_new(array, summary_json(modes, mode));
			continue;
		}
		if (!vendor || strcmp(vendor, mode->vendor) != 0)
			evc_sink_printf(command->out, "%s%-22s %-40s %-11s %4s  %-9s  %s\n",
			                vendor ? "\n" : "", "MODE", "LABEL", "SHOWS", "TIER", "PSABI",
			                "VERSIONS");
		vendor = mode->vendor;
		print_row(command, modes, mode);
	}
	if (command->json)
		evc_report_json(array, command->out);
	else
		json_decref(array);
	return 0;
}

static void print_head(struct evc_command *command, const struct evc_modes *modes,
                       const struct evc_mode *mode, unsigned version)
{
	const struct evc_mode *level = level_within(modes, mode);
	char signature[32];

	signature_text(mode, signature, sizeof(signature));
	evc_sink_printf(command->out, "%s@%u: %s\n", mode->key, version, mode->label);
	evc_sink_printf(command->out, "for      %s hosts; tracks %s, tier %u (%s)\n",
	                mode->vendors == EVC_VENDOR_ANY ? "all" : mode->vendor, mode->tracks, mode->tier,
	                evc_provenance_name(mode->order_claim.provenance));
	if (mode->keeps_signature)
		evc_sink_puts(command->out,
		              "shows    the host's family, model, stepping and highest leaves\n");
	else
		evc_sink_printf(
			command->out,
			"shows    family/model/stepping %s, leaf 1 EAX %08x, leaves to 0x%x and 0x%x\n",
			signature,
			evc_signature_pack(mode->family.value, mode->model.value, mode->stepping.value),
			mode->max_basic.value, mode->max_extended.value);
	if (level && level != mode)
		evc_sink_printf(command->out, "includes %s\n", level->key);
	evc_sink_printf(command->out, "written  %s\n", mode->origin);
}

/* "read evc-story", and which mode of the line brought it when it is another. */
static void claim_text(const struct evc_mode *mode, const struct evc_mode_key *key, char *buf, size_t size)
{
	const struct evc_mode *by = mode;

	if (key->feature != EVC_N_FEATURES)
		evc_mode_claim(mode, key->feature, &by);
	snprintf(buf, size, "%s%s%s%s%s%s", evc_provenance_name(key->claim.provenance),
	         key->claim.source[0] ? " " : "", key->claim.source, by != mode ? " (" : "",
	         by != mode ? by->key : "", by != mode ? ")" : "");
}

static void print_keys(struct evc_command *command, const struct evc_mode *mode,
                       const struct evc_mode_key *keys, size_t n)
{
	if (!n)
		return;
	evc_sink_puts(command->out, "\nas vCenter shows it:\n");
	for (size_t i = 0; i < n; i++) {
		char claim[160], joined[32] = "";

		claim_text(mode, &keys[i], claim, sizeof(claim));
		if (keys[i].version > 1)
			snprintf(joined, sizeof(joined), ", from version %u on", keys[i].version);
		evc_sink_printf(command->out, "  %-26s %-14s  %s%s\n", keys[i].key, keys[i].value, claim,
		                joined);
	}
}

static void print_versions(struct evc_command *command, const struct evc_mode *mode)
{
	if (mode->n_versions < 2)
		return;
	evc_sink_puts(command->out, "\nversions:\n");
	for (size_t i = 1; i < mode->n_versions; i++) {
		const struct evc_mode_version *version = &mode->versions[i];

		evc_sink_printf(command->out, "  %s@%u since %s: %s\n", mode->key, version->number,
		                version->since, version->why);
		evc_report_set(&version->adds, 4, command->out);
	}
}

static void print_mode(struct evc_command *command, const struct evc_modes *modes,
                       const struct evc_mode *mode, unsigned version, const struct evc_mode_key *keys,
                       size_t n, const struct evc_set *keyless)
{
	const struct evc_mode_version *first = &mode->versions[0];
	struct evc_set drops = { { 0 } };

	print_head(command, modes, mode, version);
	print_keys(command, mode, keys, n);
	evc_sink_puts(command->out, "\nwithout a key of VMware's:\n");
	evc_report_set(keyless, 2, command->out);
	if (mode->from && mode->from->label[0]) {
		evc_sink_printf(command->out, "\nadds to %s@%u:\n", mode->from->key, mode->from_version);
		evc_report_set(&first->adds, 2, command->out);
		drops = evc_set_minus(&evc_mode_version(mode->from, mode->from_version)->features,
		                      &first->features);
	}
	if (mode->from && !evc_set_is_empty(&drops)) {
		evc_sink_printf(command->out, "\ndrops of %s:\n", mode->from->key);
		evc_report_set(&drops, 2, command->out);
	}
	print_versions(command, mode);
}

static json_t *keys_json(const struct evc_mode_key *keys, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct evc_mode_key *key = &keys[i];

		json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:s?, s:i, s:s, s:s}", "key", key->key, "value", key->value,
		                  "feature",
		                  key->feature == EVC_N_FEATURES ? NULL : evc_features[key->feature].name,
		                  "version", (int)key->version, "provenance",
		                  evc_provenance_name(key->claim.provenance), "source", key->claim.source));
	}
	return array;
}

static json_t *features_json(const struct evc_mode *mode, const struct evc_set *features)
{
	json_t *array = json_array();

	EVC_SET_FOREACH(id, features)
	{
		const struct evc_mode *by = mode;
		const struct evc_claim *claim = evc_mode_claim(mode, id, &by);

		if (claim)
			json_array_append_new(array, json_pack("{s:s, s:i, s:s, s:s, s:s}", "name",
			                                       evc_features[id].name, "version",
			                                       (int)evc_mode_joined(mode, id), "provenance",
			                                       evc_provenance_name(claim->provenance),
			                                       "source", claim->source, "by", by->key));
	}
	return array;
}

static json_t *versions_json(const struct evc_mode *mode)
{
	json_t *array = json_array();

	for (size_t i = 0; i < mode->n_versions; i++) {
		const struct evc_mode_version *version = &mode->versions[i];
		struct evc_claim claim = { version->provenance, version->source };

		json_array_append_new(array, json_pack("{s:i, s:s, s:s, s:o, s:o}", "number",
		                                       (int)version->number, "since", version->since, "why",
		                                       version->why, "claim", claim_json(&claim), "adds",
		                                       evc_report_set_json(&version->adds)));
	}
	return array;
}

static void print_mode_json(struct evc_command *command, const struct evc_modes *modes,
                            const struct evc_mode *mode, unsigned version, const struct evc_mode_key *keys,
                            size_t n)
{
	json_t *object = summary_json(modes, mode);

	json_object_set_new(object, "version", json_integer(version));
	json_object_set_new(object, "label_claim", claim_json(&mode->label_claim));
	json_object_set_new(object, "order_claim", claim_json(&mode->order_claim));
	json_object_set_new(object, "host_keys", words_json(mode->host_keys));
	json_object_set_new(object, "keys", keys_json(keys, n));
	json_object_set_new(object, "features",
	                    features_json(mode, &evc_mode_version(mode, version)->features));
	json_object_set_new(object, "versions", versions_json(mode));
	evc_report_json(object, command->out);
}

static int show(struct evc_command *command, const struct evc_modes *modes, struct evc_span name,
                struct evc_error *err)
{
	const struct evc_mode *mode;
	const struct evc_mode_key *keys;
	struct evc_set keyless;
	unsigned version;
	size_t n;
	int status = evc_modes_find(modes, name, &mode, &version, err);

	if (status < 0)
		return status;
	if (!version)
		version = (unsigned)mode->n_versions;
	keys = evc_mode_keys(mode, version, command->arena, &n, &keyless);
	if (!keys)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (evc_args_flag(&command->args, "features")) {
		EVC_SET_FOREACH(id, &evc_mode_version(mode, version)->features)
		evc_sink_printf(command->out, "%s\n", evc_features[id].name);
	} else if (command->json) {
		print_mode_json(command, modes, mode, version, keys, n);
	} else {
		print_mode(command, modes, mode, version, keys, n, &keyless);
	}
	return 0;
}

/* One end of A..B. */
struct end {
	const struct evc_mode *mode;
	unsigned version;
	const struct evc_set *features;
};

static int find_end(const struct evc_modes *modes, struct evc_span name, struct end *ret_end,
                    struct evc_error *err)
{
	struct end end;
	int status = evc_modes_find(modes, name, &end.mode, &end.version, err);

	if (status < 0)
		return status;
	if (!end.version)
		end.version = (unsigned)end.mode->n_versions;
	end.features = &evc_mode_version(end.mode, end.version)->features;
	*ret_end = end;
	return EVC_OK;
}

/* The modes on the way down from high to low, high first; 0 when low is not among those it is from. */
static size_t steps_between(const struct end *low, const struct end *high, const struct evc_mode **steps,
                            size_t size)
{
	size_t n = 0;

	for (const struct evc_mode *mode = high->mode; mode; mode = mode->from) {
		if (mode == low->mode)
			return n;
		if (n < size)
			steps[n++] = mode;
	}
	return 0;
}

static void print_between(struct evc_command *command, const struct end *a, const struct end *b)
{
	const struct evc_mode *steps[64];
	size_t n = steps_between(a, b, steps, 64);
	struct evc_set added = evc_set_minus(b->features, a->features);
	struct evc_set dropped = evc_set_minus(a->features, b->features);
	char from[32], to[32];

	signature_text(a->mode, from, sizeof(from));
	signature_text(b->mode, to, sizeof(to));
	evc_sink_printf(command->out, "%s@%u .. %s@%u: signature %s to %s\n", a->mode->key, a->version,
	                b->mode->key, b->version, from, to);
	for (size_t i = n; n > 1 && i > 0; i--) {
		evc_sink_printf(command->out, "\n%s adds at its version 1:\n", steps[i - 1]->key);
		evc_report_set(&steps[i - 1]->versions[0].adds, 2, command->out);
	}
	evc_sink_printf(command->out, "\nadded%s (%d):\n", n > 1 ? ", all together" : "",
	                evc_set_count(&added));
	evc_report_set(&added, 2, command->out);
	evc_sink_printf(command->out, "\ndropped (%d):\n", evc_set_count(&dropped));
	evc_report_set(&dropped, 2, command->out);
}

static void print_between_json(struct evc_command *command, const struct end *a, const struct end *b)
{
	const struct evc_mode *steps[64];
	size_t n = steps_between(a, b, steps, 64);
	struct evc_set added = evc_set_minus(b->features, a->features);
	struct evc_set dropped = evc_set_minus(a->features, b->features);
	json_t *between = json_array();

	for (size_t i = n; i > 0; i--)
		json_array_append_new(between,
		                      json_pack("{s:s, s:o}", "mode", steps[i - 1]->key, "adds",
		                                evc_report_set_json(&steps[i - 1]->versions[0].adds)));
	evc_report_json(json_pack("{s:s, s:i, s:s, s:i, s:o, s:o, s:o}", "from", a->mode->key, "from_version",
	                          (int)a->version, "to", b->mode->key, "to_version", (int)b->version, "steps",
	                          between, "added", evc_report_set_json(&added), "dropped",
	                          evc_report_set_json(&dropped)),
	                command->out);
}

static int between(struct evc_command *command, const struct evc_modes *modes, struct evc_span low,
                   struct evc_span high, struct evc_error *err)
{
	struct end a, b;
	int status = find_end(modes, low, &a, err);

	if (!status)
		status = find_end(modes, high, &b, err);
	if (status < 0)
		return status;
	if (command->json)
		print_between_json(command, &a, &b);
	else
		print_between(command, &a, &b);
	return 0;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_modes modes;
	const char *name, *dots;
	int status;

	if (command->args.n_operands > 1)
		return evc_fail(err, EVC_ERR_USAGE, "name one mode, or two as A..B");
	status = evc_input_modes(command, &modes, err);
	if (status < 0)
		return status;
	if (!command->args.n_operands)
		return list(command, &modes);
	name = command->args.operands[0];
	dots = strstr(name, "..");
	if (!dots)
		return show(command, &modes, evc_span_from(name), err);
	return between(command, &modes, (struct evc_span){ .text = name, .length = (size_t)(dots - name) },
	               evc_span_from(dots + 2), err);
}

const struct evc_verb evc_verb_modes = {
	.name = "modes",
	.summary = "list the modes, or say what one is",
	.operands = "[MODE|A..B]",
	.help = "Lists all modes in order, per vendor.  With MODE: its keys and values as vCenter shows them,\n"
		"where each comes from, its versions, and what it adds.  With A..B: what lies between.\n\n"
		"  evc modes intel-haswell\n"
		"  evc modes intel-haswell..intel-skylake",
	.params = params,
	.run = run,
};
