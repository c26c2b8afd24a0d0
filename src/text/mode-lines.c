/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the lines in a mode say.  A mode starts as a copy of the one it is from; each line changes
 * that copy; at the end its versions are put in order of their dates and checked.
 */
#include "text/modes-private.h"

#include <stdio.h>
#include <string.h>

enum { MAX_OWN_VERSIONS = 16 };

/* Statements that may be there once. */
enum statement {
	LABEL,
	VENDOR,
	TRACKS,
	TIER,
	FAMILY,
	MODEL,
	STEPPING,
	MAX_BASIC,
	MAX_EXTENDED,
	SIGNATURE,
	N_STATEMENTS,
};

struct lines {
	struct evc_modes_reader *reader;
	const struct evc_mode_block *block;
	const struct evc_mode *from;
	struct evc_mode *mode;
	struct evc_mode_change *changes;
	struct evc_own_version own[MAX_OWN_VERSIONS]; /* first: version 1 */
	size_t n_own;
	struct evc_set has;           /* all so far, later versions of "from" included */
	struct evc_set now;           /* without those: a mode may have at once what came to "from" later */
	struct evc_set drops;         /* taken from what "from" has or will have */
	unsigned given[N_STATEMENTS]; /* line of each statement, 0: not given */
	unsigned inherited;           /* a bit for each statement that "from" had */
};

#define REFUSE(lines, number, ...) evc_fail_at((lines)->reader->err, EVC_ERR_INPUT, (number), 0, __VA_ARGS__)

static int give(struct lines *lines, enum statement which, const char *word, unsigned number)
{
	if (lines->given[which])
		return REFUSE(lines, number, "%s is already given (line %u)", word, lines->given[which]);
	lines->given[which] = number;
	return EVC_OK;
}

static int read_label(struct lines *lines, const char *word, struct evc_span line, unsigned number)
{
	int status = give(lines, LABEL, word, number);

	if (!status)
		status = evc_modes_claim(lines->reader, number, &line, &lines->mode->label_claim);
	if (status < 0)
		return status;
	if (!line.length)
		return REFUSE(lines, number, "label says nothing");
	lines->mode->label = evc_modes_string(lines->reader, line);
	return EVC_OK;
}

static int read_vendor(struct lines *lines, const char *word, struct evc_span line, unsigned number)
{
	static const struct {
		const char *name;
		unsigned vendors;
	} vendors[] = {
		{ .name = "intel", .vendors = EVC_VENDOR_INTEL },
		{ .name = "amd", .vendors = EVC_VENDOR_AMD },
		{ .name = "any", .vendors = EVC_VENDOR_ANY },
	};
	int status = give(lines, VENDOR, word, number);

	if (status < 0)
		return status;
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		if (!evc_span_equals(line, vendors[i].name))
			continue;
		lines->mode->vendor = vendors[i].name;
		lines->mode->vendors = vendors[i].vendors;
		return EVC_OK;
	}
	return REFUSE(lines, number, "unknown vendor %.*s: intel, amd or any", (int)line.length, line.text);
}

static int read_tracks(struct lines *lines, const char *word, struct evc_span line, unsigned number)
{
	int status = give(lines, TRACKS, word, number);

	if (!status)
		status = evc_modes_claim(lines->reader, number, &line, &lines->mode->order_claim);
	if (status < 0)
		return status;
	if (!line.length)
		return REFUSE(lines, number, "tracks says nothing");
	lines->mode->tracks = evc_modes_string(lines->reader, line);
	return EVC_OK;
}

/* A number and its claim into *ret_number. */
static int read_number(struct lines *lines, const char *word, struct evc_span line, unsigned number,
                       struct evc_mode_number *ret_number)
{
	struct evc_claim claim;
	uint64_t value;
	int status = evc_modes_claim(lines->reader, number, &line, &claim);

	if (status < 0)
		return status;
	if (!evc_span_number(line, UINT32_MAX, &value))
		return REFUSE(lines, number, "%s %.*s is not a number", word, (int)line.length, line.text);
	*ret_number = (struct evc_mode_number){ .value = (uint32_t)value,
		                                .provenance = claim.provenance,
		                                .source = claim.source };
	return EVC_OK;
}

static int read_tier(struct lines *lines, const char *word, struct evc_span line, unsigned number)
{
	struct evc_mode_number tier = { 0 };
	int status = give(lines, TIER, word, number);

	if (!status)
		status = read_number(lines, word, line, number, &tier);
	if (status < 0)
		return status;
	lines->mode->tier = tier.value;
	return EVC_OK;
}

static int read_signature_part(struct lines *lines, enum statement which, const char *word,
                               struct evc_span line, unsigned number)
{
	struct evc_mode *mode = lines->mode;
	struct evc_mode_number *const places[N_STATEMENTS] = {
		[FAMILY] = &mode->family,
		[MODEL] = &mode->model,
		[STEPPING] = &mode->stepping,
		[MAX_BASIC] = &mode->max_basic,
		[MAX_EXTENDED] = &mode->max_extended,
	};
	static const uint32_t most[N_STATEMENTS] = {
		[FAMILY] = 0xf + 0xff,       [MODEL] = 0xff, [STEPPING] = 0xf, [MAX_BASIC] = 0xffff,
		[MAX_EXTENDED] = 0x8000ffff,
	};
	int status = give(lines, which, word, number);

	if (!status)
		status = read_number(lines, word, line, number, places[which]);
	if (status < 0)
		return status;
	if (places[which]->value > most[which])
		return REFUSE(lines, number, "%s 0x%x is more than 0x%x", word, places[which]->value,
		              most[which]);
	if (which == MAX_EXTENDED && places[which]->value < 0x80000000)
		return REFUSE(lines, number, "max-extended 0x%x is below 0x80000000", places[which]->value);
	return EVC_OK;
}

static int read_signature(struct lines *lines, const char *word, struct evc_span line, unsigned number)
{
	int status = give(lines, SIGNATURE, word, number);

	if (status < 0)
		return status;
	if (!evc_span_equals(line, "host"))
		return REFUSE(lines, number, "not a signature: signature host");
	lines->mode->keeps_signature = true;
	return EVC_OK;
}

static int read_host_keys(struct lines *lines, struct evc_span line, unsigned number)
{
	struct evc_mode *mode = lines->mode;
	int status = evc_modes_claim(lines->reader, number, &line, &mode->host_keys_claim);

	if (status < 0)
		return status;
	mode->host_keys = evc_arena_printf(lines->reader->arena, "%s%s%.*s", mode->host_keys,
	                                   mode->host_keys[0] ? " " : "", (int)line.length, line.text);
	return EVC_OK;
}

/* Where a feature that is there already comes from, for the message. */
static void say_doubled(const struct lines *lines, enum evc_feature_id id, char *buf, size_t size)
{
	const struct evc_mode_change *change;

	/* The line that is being read is not counted yet. */
	for (size_t i = lines->mode->n_changes + 1; i > 0; i--) {
		change = &lines->changes[i - 1];
		if (change->kind == EVC_MODE_ADDS && evc_set_has(&change->features, id)) {
			snprintf(buf, size, "line %u", change->line);
			return;
		}
	}
	for (const struct evc_mode *mode = lines->from; mode; mode = mode->from) {
		for (size_t i = 0; i < mode->n_changes; i++) {
			change = &mode->changes[i];
			if (change->kind != EVC_MODE_ADDS || !evc_set_has(&change->features, id))
				continue;
			snprintf(buf, size, "%s, %.*s:%u", mode->key,
			         (int)(strrchr(mode->origin, ':') - mode->origin), mode->origin,
			         change->line);
			return;
		}
	}
	snprintf(buf, size, "%s", lines->mode->key);
}

static int check_feature(const struct lines *lines, unsigned number, enum evc_feature_id id)
{
	const struct evc_feature *feature = &evc_features[id];

	if (!evc_feature_is_bit(feature))
		return REFUSE(lines, number, "%s is a number: a mode lists single bits", feature->name);
	if (feature->rule != EVC_RULE_AND && feature->rule != EVC_RULE_OR)
		return REFUSE(lines, number, "%s has rule %s: a mode lists features of rule and, or",
		              feature->name, evc_rule_name(feature->rule));
	if (!(feature->vendors & lines->mode->vendors))
		return REFUSE(lines, number, "%s does not exist on %s", feature->name, lines->mode->vendor);
	return EVC_OK;
}

/* One feature of an adds, drops or holds. */
static int change_feature(struct lines *lines, struct evc_mode_change *change, enum evc_feature_id id)
{
	bool there = evc_set_has(&lines->has, id);
	struct evc_own_version *own = &lines->own[lines->n_own - 1];
	int status = check_feature(lines, change->line, id);
	char where[160];

	if (status < 0)
		return status;
	switch (change->kind) {
	case EVC_MODE_ADDS:
		if (evc_set_has(&lines->now, id)) {
			say_doubled(lines, id, where, sizeof(where));
			return REFUSE(lines, change->line, "%s is already there (%s)", evc_features[id].name,
			              where);
		}
		evc_set_add(&lines->has, id);
		evc_set_add(&lines->now, id);
		evc_set_add(&own->adds, id);
		break;
	case EVC_MODE_DROPS:
		if (!there)
			return REFUSE(lines, change->line, "drops %s, which is not there",
			              evc_features[id].name);
		evc_set_drop(&lines->has, id);
		evc_set_drop(&lines->now, id);
		evc_set_drop(&own->adds, id);
		evc_set_add(&lines->drops, id);
		break;
	case EVC_MODE_HOLDS:
		if (!there)
			return REFUSE(lines, change->line, "holds %s, which is not there",
			              evc_features[id].name);
		break;
	}
	evc_set_add(&change->features, id);
	return EVC_OK;
}

static int read_features(struct lines *lines, enum evc_mode_change_kind kind, struct evc_span line,
                         unsigned number)
{
	struct evc_mode_change *change = &lines->changes[lines->mode->n_changes];
	struct evc_span name;
	enum evc_feature_id id;
	int status;

	if (kind == EVC_MODE_DROPS && lines->n_own > 1)
		return REFUSE(lines, number, "a later version only adds");
	*change = (struct evc_mode_change){ .kind = kind, .line = number };
	status = evc_modes_claim(lines->reader, number, &line, &change->claim);
	if (status < 0)
		return status;
	if (!line.length)
		return REFUSE(lines, number, "no feature is named");
	while (evc_span_word(&line, &name)) {
		if (!evc_name_index_find(lines->reader->names, name, &id))
			return evc_fail_at(lines->reader->err, EVC_ERR_NAME, number, 0,
			                   "unknown feature %.*s", (int)name.length, name.text);
		status = change_feature(lines, change, id);
		if (status < 0)
			return status;
	}
	lines->mode->n_changes++;
	return EVC_OK;
}

static bool is_month(struct evc_span text)
{
	for (size_t i = 0; i < text.length; i++)
		if (i == 4 ? text.text[i] != '-' : text.text[i] < '0' || text.text[i] > '9')
			return false;
	return text.length == 7;
}

/* version N since YYYY-MM why TEXT  @... */
static int read_version(struct lines *lines, struct evc_span line, unsigned number)
{
	struct evc_span digits, word, since = { .text = "", .length = 0 };
	struct evc_own_version *own = &lines->own[lines->n_own];
	struct evc_claim claim;
	uint64_t count = 0;
	int status = evc_modes_claim(lines->reader, number, &line, &claim);

	if (status < 0)
		return status;
	if (!evc_span_word(&line, &digits) || !evc_span_number(digits, 1000, &count) || count < 2 ||
	    !evc_span_word(&line, &word) || !evc_span_equals(word, "since") ||
	    !evc_span_word(&line, &since) || !is_month(since) || !evc_span_word(&line, &word) ||
	    !evc_span_equals(word, "why") || !evc_span_trim(line).length)
		return REFUSE(lines, number,
		              "not a version: version NUMBER since YYYY-MM why TEXT, NUMBER from 2");
	if (lines->n_own == MAX_OWN_VERSIONS)
		return REFUSE(lines, number, "more than %d versions", MAX_OWN_VERSIONS);
	*own = (struct evc_own_version){ .number = (unsigned)count,
		                         .line = number,
		                         .since = evc_modes_string(lines->reader, since),
		                         .why = evc_modes_string(lines->reader, evc_span_trim(line)),
		                         .claim = claim };
	if (lines->n_own > 1 && strcmp(own->since, own[-1].since) <= 0)
		return REFUSE(lines, number, "version %u is not after version %u (line %u)", own->number,
		              own[-1].number, own[-1].line);
	lines->n_own++;
	return EVC_OK;
}

static int read_line(struct lines *lines, struct evc_span line, unsigned number)
{
	static const struct {
		const char *word;
		enum statement part;
	} parts[] = {
		{ .word = "family", .part = FAMILY },
		{ .word = "model", .part = MODEL },
		{ .word = "stepping", .part = STEPPING },
		{ .word = "max-basic", .part = MAX_BASIC },
		{ .word = "max-extended", .part = MAX_EXTENDED },
	};
	static const struct {
		const char *word;
		int (*read)(struct lines *lines, const char *word, struct evc_span line, unsigned number);
	} once[] = {
		{ .word = "label", .read = read_label },         { .word = "vendor", .read = read_vendor },
		{ .word = "tracks", .read = read_tracks },       { .word = "tier", .read = read_tier },
		{ .word = "signature", .read = read_signature },
	};
	static const char *const changes[] = {
		[EVC_MODE_ADDS] = "adds", [EVC_MODE_DROPS] = "drops", [EVC_MODE_HOLDS] = "holds"
	};
	struct evc_span word;

	evc_span_word(&line, &word);
	line = evc_span_trim(line);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (evc_span_equals(word, changes[i]))
			return read_features(lines, (enum evc_mode_change_kind)i, line, number);
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		if (evc_span_equals(word, once[i].word))
			return once[i].read(lines, once[i].word, line, number);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (evc_span_equals(word, parts[i].word))
			return read_signature_part(lines, parts[i].part, parts[i].word, line, number);
	if (evc_span_equals(word, "host-keys"))
		return read_host_keys(lines, line, number);
	if (evc_span_equals(word, "version"))
		return read_version(lines, line, number);
	if (evc_span_equals(word, "from"))
		return EVC_OK;
	return REFUSE(lines, number, "unknown word %.*s", (int)word.length, word.text);
}

/* A mode's own numbers take the place of an inherited "signature host", and the other way round. */
static bool settle_signature(struct lines *lines)
{
	struct evc_mode *mode = lines->mode;
	const struct evc_mode_number none = { .source = "" };

	for (int which = FAMILY; which <= MAX_EXTENDED; which++)
		if (lines->given[which] && !lines->given[SIGNATURE])
			mode->keeps_signature = false;
	if (mode->keeps_signature && !lines->given[FAMILY])
		mode->family = mode->model = mode->stepping = mode->max_basic = mode->max_extended = none;
	return mode->keeps_signature;
}

static int check_complete(struct lines *lines)
{
	static const char *const names[N_STATEMENTS] = {
		[LABEL] = "label",         [VENDOR] = "vendor",       [TRACKS] = "tracks",
		[TIER] = "tier",           [FAMILY] = "family",       [MODEL] = "model",
		[STEPPING] = "stepping",   [MAX_BASIC] = "max-basic", [MAX_EXTENDED] = "max-extended",
		[SIGNATURE] = "signature",
	};
	bool keeps = settle_signature(lines);

	if (lines->block->is_base)
		return EVC_OK;
	for (int which = 0; which < N_STATEMENTS; which++) {
		bool given = lines->given[which] || lines->inherited >> which & 1;
		bool part = which >= FAMILY && which <= MAX_EXTENDED;

		if (which == SIGNATURE)
			continue;
		if (part && keeps && lines->given[which])
			return REFUSE(lines, lines->given[which], "%s beside \"signature host\" (line %u)",
			              names[which], lines->given[SIGNATURE]);
		if (!given && !(part && keeps))
			return REFUSE(lines, lines->block->line, "%s has no %s", lines->mode->key,
			              names[which]);
	}
	return EVC_OK;
}

/* Lines of features: how many changes there can be. */
static size_t count_changes(struct evc_span body)
{
	struct evc_span line, word;
	unsigned number = 0;
	size_t n = 0;

	while (evc_modes_line(&body, &number, &line))
		n += evc_span_word(&line, &word) &&
		     (evc_span_equals(word, "adds") || evc_span_equals(word, "drops") ||
		      evc_span_equals(word, "holds"));
	return n;
}

/* The mode before its own lines. */
static struct evc_mode *begin(struct lines *lines)
{
	const struct evc_mode *from = lines->from;
	struct evc_modes_reader *reader = lines->reader;
	struct evc_mode *mode = evc_arena_alloc(reader->arena, sizeof(*mode));

	lines->changes = evc_arena_array(reader->arena, count_changes(lines->block->body) + 1,
	                                 sizeof(*lines->changes));
	if (!mode || !lines->changes)
		return NULL;
	*mode = from ? *from
	             : (struct evc_mode){
			       .vendor = "any", .vendors = EVC_VENDOR_ANY, .host_keys = "", .tracks = ""
		       };
	mode->key = evc_modes_string(reader, lines->block->key);
	mode->label = "";
	mode->label_claim = (struct evc_claim){ .source = "" };
	mode->origin = evc_arena_printf(reader->arena, "%s:%u", reader->origin, lines->block->line);
	mode->from = from;
	mode->from_version = from ? lines->block->from_version : 0;
	mode->changes = lines->changes;
	mode->n_changes = 0;
	lines->own[0] =
		(struct evc_own_version){ .number = 1, .since = "", .why = "", .claim = { .source = "" } };
	lines->n_own = 1;
	if (!from)
		return mode;
	lines->has = from->versions[from->n_versions - 1].features;
	lines->now = evc_mode_version(from, mode->from_version)->features;
	lines->inherited = 1u << VENDOR | (mode->tracks[0] ? 1u << TRACKS | 1u << TIER : 0);
	if (mode->max_extended.value)
		lines->inherited |=
			1u << FAMILY | 1u << MODEL | 1u << STEPPING | 1u << MAX_BASIC | 1u << MAX_EXTENDED;
	return mode;
}

int evc_mode_read_lines(struct evc_modes_reader *reader, struct evc_mode_block *block,
                        const struct evc_mode *from)
{
	struct lines lines = { .reader = reader, .block = block, .from = from };
	struct evc_span rest = block->body, line;
	unsigned number = block->line;
	int status = EVC_OK;

	lines.mode = begin(&lines);
	if (!lines.mode)
		return evc_fail(reader->err, EVC_ERR_MEMORY, "out of memory");
	while (!status && evc_modes_line(&rest, &number, &line))
		status = read_line(&lines, line, number);
	if (!status)
		status = evc_mode_order_versions(reader, lines.mode, lines.own, lines.n_own, &lines.drops);
	if (!status)
		status = check_complete(&lines);
	if (status < 0)
		return status;
	block->mode = lines.mode;
	return EVC_OK;
}
