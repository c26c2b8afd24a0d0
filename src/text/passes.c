/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of "passes": what no mode takes away. */
#include "text/modes-private.h"

static int read_leaves(struct evc_modes_reader *reader, struct evc_span line, unsigned number,
                       struct evc_leaf_range *leaves, size_t *n)
{
	struct evc_span word;

	while (evc_span_word(&line, &word)) {
		struct evc_span rest = word;
		uint64_t first = 0, last;
		bool good = evc_span_hex(&rest, &first);

		last = first;
		if (good && evc_span_skip(&rest, "-"))
			good = evc_span_hex(&rest, &last);
		if (!good || rest.length || first > last || last > UINT32_MAX)
			return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0,
			                   "%.*s is not a leaf: LEAF or LEAF-LEAF, hexadecimal",
			                   (int)word.length, word.text);
		leaves[(*n)++] = (struct evc_leaf_range){ .first = (uint32_t)first, .last = (uint32_t)last };
	}
	return EVC_OK;
}

static int read_msrs(struct evc_modes_reader *reader, struct evc_span line, unsigned number,
                     struct evc_set *passes)
{
	struct evc_leaf_range ranges[64];
	size_t n = 0;
	int status;

	if (line.length > 2 * sizeof(ranges) / sizeof(ranges[0]))
		return evc_fail_at(reader->err, EVC_ERR_LIMIT, number, 0, "a line of MSRs this long");
	status = read_leaves(reader, line, number, ranges, &n);
	for (unsigned id = 0; !status && id < EVC_N_FEATURES; id++) {
		struct evc_bit bit = evc_features[id].bit;

		for (size_t i = 0; bit.reg == EVC_MSR && i < n; i++)
			if (bit.leaf >= ranges[i].first && bit.leaf <= ranges[i].last)
				evc_set_add(passes, (enum evc_feature_id)id);
	}
	return status;
}

static int read_rule(struct evc_modes_reader *reader, struct evc_span line, unsigned number,
                     struct evc_set *passes)
{
	for (int rule = 0; rule < EVC_N_RULES; rule++) {
		if (!evc_span_equals(line, evc_rule_name((enum evc_rule)rule)))
			continue;
		*passes = evc_set_or(passes, &evc_rule_sets[rule]);
		return EVC_OK;
	}
	return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0, "unknown rule %.*s", (int)line.length,
	                   line.text);
}

static int read_pass(struct evc_modes_reader *reader, struct evc_span line, unsigned number,
                     struct evc_set *passes)
{
	struct evc_span name;
	enum evc_feature_id id;

	while (evc_span_word(&line, &name)) {
		if (!evc_name_index_find(reader->names, name, &id))
			return evc_fail_at(reader->err, EVC_ERR_NAME, number, 0, "unknown feature %.*s",
			                   (int)name.length, name.text);
		if (evc_set_has(passes, id))
			return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0, "%s passes already",
			                   evc_features[id].name);
		evc_set_add(passes, id);
	}
	return EVC_OK;
}

static void add_leaves(struct evc_modes *modes)
{
	bool passes = false;

	/* Features are sorted by place: each leaf is asked for once. */
	for (unsigned id = 0; id < EVC_N_FEATURES && evc_features[id].bit.reg != EVC_MSR; id++) {
		if (!id || evc_features[id].bit.leaf != evc_features[id - 1].bit.leaf)
			passes = evc_modes_leaf_passes(modes, evc_features[id].bit.leaf);
		if (passes)
			evc_set_add(&modes->passes, (enum evc_feature_id)id);
	}
}

int evc_passes_read_lines(struct evc_modes_reader *reader, const struct evc_mode_block *block,
                          struct evc_modes *modes)
{
	/* A leaf takes at least two characters of text. */
	struct evc_leaf_range *leaves =
		evc_arena_array(reader->arena, block->body.length / 2 + 1, sizeof(*leaves));
	struct evc_span rest = block->body, line, word;
	struct evc_claim claim;
	unsigned number = block->line;
	size_t n = 0;

	if (!leaves)
		return evc_fail(reader->err, EVC_ERR_MEMORY, "out of memory");
	while (evc_modes_line(&rest, &number, &line)) {
		int status = evc_modes_claim(reader, number, &line, &claim);

		if (status < 0)
			return status;
		evc_span_word(&line, &word);
		if (evc_span_equals(word, "leaf"))
			status = read_leaves(reader, line, number, leaves, &n);
		else if (evc_span_equals(word, "msr"))
			status = read_msrs(reader, evc_span_trim(line), number, &modes->passes);
		else if (evc_span_equals(word, "rule"))
			status = read_rule(reader, evc_span_trim(line), number, &modes->passes);
		else if (evc_span_equals(word, "features"))
			status = read_pass(reader, line, number, &modes->passes);
		else
			status = evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0, "unknown word %.*s",
			                     (int)word.length, word.text);
		if (status < 0)
			return status;
	}
	modes->leaves = leaves;
	modes->n_leaves = n;
	modes->passes_origin = evc_arena_printf(reader->arena, "%s:%u", reader->origin, block->line);
	add_leaves(modes);
	return EVC_OK;
}
