/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks of a modes text: where they are, that each key is there once, and the order in which
 * "from" wants them read.  What the lines in a block say is mode-lines.c's.
 */
#include "text/modes-private.h"

#include <string.h>

struct evc_name_index {
	uint16_t size;    /* a power of two */
	uint16_t slots[]; /* id + 1, 0 for a free slot */
};

static uint32_t hash(struct evc_span name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.length; i++)
		h = (h ^ (unsigned char)name.text[i]) * 16777619u;
	return h;
}

static const struct evc_name_index *make_index(struct evc_arena *arena)
{
	struct evc_name_index *index;
	uint16_t size = 4096;

	while (size < 2 * EVC_N_FEATURES)
		size = (uint16_t)(size * 2);
	index = evc_arena_alloc(arena, sizeof(*index) + size * sizeof(index->slots[0]));
	if (!index)
		return NULL;
	index->size = size;
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		uint32_t slot = hash(evc_span_from(evc_features[id].name)) & (size - 1u);

		while (index->slots[slot])
			slot = (slot + 1) & (size - 1u);
		index->slots[slot] = (uint16_t)(id + 1);
	}
	return index;
}

bool evc_name_index_find(const struct evc_name_index *names, struct evc_span name,
                         enum evc_feature_id *ret_id)
{
	uint32_t slot = hash(name) & (names->size - 1u);

	for (; names->slots[slot]; slot = (slot + 1) & (names->size - 1u)) {
		unsigned id = names->slots[slot] - 1u;

		if (evc_span_equals(name, evc_features[id].name)) {
			*ret_id = (enum evc_feature_id)id;
			return true;
		}
	}
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct evc_span without_comment(struct evc_span line)
{
	/* Most lines have none. */
	const char *mark = line.length ? memchr(line.text, '#', line.length) : NULL;

	for (size_t i = mark ? (size_t)(mark - line.text) : line.length; i < line.length; i++) {
		if (line.text[i] != '#')
			continue;
		if (!i || line.text[i - 1] == '\t' ||
		    (i > 1 && is_blank(line.text[i - 1]) && is_blank(line.text[i - 2])) ||
		    (i == 1 && is_blank(line.text[0])))
			line.length = i;
	}
	return evc_span_trim(line);
}

bool evc_modes_line(struct evc_span *rest, unsigned *line, struct evc_span *ret_line)
{
	while (evc_span_line(rest, ret_line)) {
		++*line;
		*ret_line = without_comment(*ret_line);
		if (ret_line->length)
			return true;
	}
	return false;
}

const char *evc_modes_string(struct evc_modes_reader *reader, struct evc_span span)
{
	const char *copy = evc_arena_string(reader->arena, span.text, span.length);

	return copy ? copy : "";
}

static bool same_text(struct evc_span a, struct evc_span b)
{
	return a.length == b.length && (!a.length || !memcmp(a.text, b.text, a.length));
}

static bool is_key(struct evc_span key)
{
	for (size_t i = 0; i < key.length; i++) {
		char c = key.text[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c != '-' || !i))
			return false;
	}
	return key.length > 0 && key.length < 64;
}

/* "KEY" or "KEY@2". */
static int read_from(struct evc_modes_reader *reader, struct evc_mode_block *block, struct evc_span line,
                     unsigned number)
{
	struct evc_span key, more;
	uint64_t version = 1;
	const char *at;

	if (block->from.length)
		return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0, "from is already given (line %u)",
		                   block->from_line);
	if (!evc_span_word(&line, &key) || evc_span_word(&line, &more))
		return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0, "not a from: from KEY[@VERSION]");
	at = memchr(key.text, '@', key.length);
	if (at) {
		struct evc_span digits = { .text = at + 1,
			                   .length = key.length - (size_t)(at + 1 - key.text) };

		if (!evc_span_number(digits, 1000, &version) || !version)
			return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0,
			                   "%.*s: a version is a number from 1", (int)key.length, key.text);
		key.length = (size_t)(at - key.text);
	}
	block->from = key;
	block->from_version = (unsigned)version;
	block->from_line = number;
	return EVC_OK;
}

static const char *word_of(const struct evc_mode_block *block)
{
	return block->is_base ? "base" : "mode";
}

static bool is_heading_word(struct evc_span word)
{
	return evc_span_equals(word, "mode") || evc_span_equals(word, "base") ||
	       evc_span_equals(word, "passes");
}

static size_t count_headings(struct evc_span text)
{
	struct evc_span line, word;
	unsigned number = 0;
	size_t n = 0;

	while (evc_modes_line(&text, &number, &line))
		n += evc_span_word(&line, &word) && is_heading_word(word);
	return n;
}

/* "mode KEY", "base KEY" or "passes"; *ret_is_heading false when the line is none of them. */
static int read_heading(struct evc_modes_reader *reader, struct evc_span line, unsigned number,
                        struct evc_mode_block *ret_block, bool *ret_is_heading)
{
	struct evc_span rest = line, word, key = { .text = "", .length = 0 }, more;
	bool passes;

	evc_span_word(&rest, &word);
	passes = evc_span_equals(word, "passes");
	*ret_is_heading = is_heading_word(word);
	if (!*ret_is_heading)
		return EVC_OK;
	*ret_block = (struct evc_mode_block){ .line = number, .is_base = evc_span_equals(word, "base") };
	if (passes ? evc_span_word(&rest, &more) : !evc_span_word(&rest, &key) || evc_span_word(&rest, &more))
		return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0,
		                   "not a heading: mode KEY, base KEY or passes");
	if (!passes && !is_key(key))
		return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0,
		                   "%.*s is not a key: lower case letters, digits, hyphens", (int)key.length,
		                   key.text);
	ret_block->key = key;
	return EVC_OK;
}

/* Where each block is; "from" is looked up now because it decides the order of reading. */
static int find_blocks(struct evc_modes_reader *reader, struct evc_span text)
{
	struct evc_mode_block *block = NULL, heading;
	struct evc_span rest = text, line;
	unsigned number = 0;

	reader->n_blocks = count_headings(text);
	reader->blocks = evc_arena_array(reader->arena, reader->n_blocks + 1, sizeof(*reader->blocks));
	if (!reader->blocks)
		return evc_fail(reader->err, EVC_ERR_MEMORY, "out of memory");
	reader->n_blocks = 0;
	while (evc_modes_line(&rest, &number, &line)) {
		struct evc_span words = line, word;
		bool is_heading;
		int status = read_heading(reader, line, number, &heading, &is_heading);

		if (status < 0)
			return status;
		if (is_heading) {
			block = &reader->blocks[reader->n_blocks++];
			*block = heading;
			block->body = rest;
			continue;
		}
		if (!block)
			return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0,
			                   "%.*s before the first mode KEY", (int)line.length, line.text);
		block->body.length = (size_t)(line.text + line.length - block->body.text);
		evc_span_word(&words, &word);
		if (block->key.length && evc_span_equals(word, "from")) {
			status = read_from(reader, block, words, number);
			if (status < 0)
				return status;
		}
	}
	return EVC_OK;
}

static const struct evc_mode *find_old(const struct evc_modes *modes, struct evc_span key)
{
	for (size_t i = 0; i < modes->n; i++)
		if (evc_span_equals(key, modes->items[i]->key))
			return modes->items[i];
	for (size_t i = 0; i < modes->n_bases; i++)
		if (evc_span_equals(key, modes->bases[i]->key))
			return modes->bases[i];
	return NULL;
}

static struct evc_mode_block *find_block(const struct evc_modes_reader *reader, struct evc_span key)
{
	for (size_t i = 0; i < reader->n_blocks; i++)
		if (same_text(key, reader->blocks[i].key))
			return &reader->blocks[i];
	return NULL;
}

static int refuse_doubles(struct evc_modes_reader *reader)
{
	for (size_t i = 0; i < reader->n_blocks; i++) {
		const struct evc_mode_block *block = &reader->blocks[i];
		const struct evc_mode_block *first = find_block(reader, block->key);
		const struct evc_mode *old = find_old(reader->old, block->key);

		if (first != block && block->key.length)
			return evc_fail_at(reader->err, EVC_ERR_INPUT, block->line, 0,
			                   "%s %.*s is already there (line %u)", word_of(block),
			                   (int)block->key.length, block->key.text, first->line);
		if (first != block)
			return evc_fail_at(reader->err, EVC_ERR_INPUT, block->line, 0,
			                   "passes is already there (line %u)", first->line);
		if (!block->key.length && reader->old->passes_origin)
			return evc_fail_at(reader->err, EVC_ERR_INPUT, block->line, 0,
			                   "passes is already there (%s)", reader->old->passes_origin);
		if (old)
			return evc_fail_at(reader->err, EVC_ERR_INPUT, block->line, 0,
			                   "%s %s is already there (%s)", word_of(block), old->key,
			                   old->origin);
	}
	return EVC_OK;
}

static int read_block(struct evc_modes_reader *reader, struct evc_mode_block *block);

/* "a from b from a", with the line of each step but the first, which is the error's own. */
static int refuse_cycle(struct evc_modes_reader *reader, const struct evc_mode_block *block)
{
	const char *path = evc_modes_string(reader, block->key);
	const struct evc_mode_block *step = block;

	do {
		step = find_block(reader, step->from);
		path = evc_arena_printf(reader->arena, "%s from %.*s (line %u)", path, (int)step->key.length,
		                        step->key.text, step->line);
	} while (path && step != block);
	return evc_fail_at(reader->err, EVC_ERR_INPUT, block->from_line, 0, "a cycle: %s",
	                   path ? path : "out of memory");
}

static int resolve_from(struct evc_modes_reader *reader, struct evc_mode_block *block,
                        const struct evc_mode **ret_from)
{
	struct evc_mode_block *other = find_block(reader, block->from);
	int status;

	*ret_from = find_old(reader->old, block->from);
	if (!*ret_from && !other)
		return evc_fail_at(reader->err, EVC_ERR_NAME, block->from_line, 0, "unknown mode %.*s",
		                   (int)block->from.length, block->from.text);
	if (!*ret_from) {
		if (other->reading)
			return refuse_cycle(reader, other);
		status = read_block(reader, other);
		if (status < 0)
			return status;
		*ret_from = other->mode;
	}
	if (block->from_version > (*ret_from)->n_versions)
		return evc_fail_at(reader->err, EVC_ERR_INPUT, block->from_line, 0,
		                   "%s has versions 1 to %zu, not %u (%s)", (*ret_from)->key,
		                   (*ret_from)->n_versions, block->from_version, (*ret_from)->origin);
	return EVC_OK;
}

/* Depth is bounded by EVC_MAX_MODES: each step marks its block. */
static int read_block(struct evc_modes_reader *reader, struct evc_mode_block *block)
{
	const struct evc_mode *from = NULL;
	int status = EVC_OK;

	if (block->mode)
		return EVC_OK;
	block->reading = true;
	if (block->from.length)
		status = resolve_from(reader, block, &from);
	if (status < 0)
		return status;
	status = evc_mode_read_lines(reader, block, from);
	block->reading = false;
	return status;
}

static const struct evc_mode *const *append(struct evc_modes_reader *reader, bool bases,
                                            const struct evc_mode *const *old, size_t *n)
{
	const struct evc_mode **all =
		evc_arena_array(reader->arena, *n + reader->n_blocks + 1, sizeof(struct evc_mode *));

	if (!all)
		return NULL;
	for (size_t i = 0; i < *n; i++)
		all[i] = old[i];
	for (size_t i = 0; i < reader->n_blocks; i++)
		if (reader->blocks[i].mode && reader->blocks[i].is_base == bases)
			all[(*n)++] = reader->blocks[i].mode;
	return all;
}

static int read_blocks(struct evc_modes_reader *reader, struct evc_modes *modes)
{
	for (size_t i = 0; i < reader->n_blocks; i++) {
		struct evc_mode_block *block = &reader->blocks[i];
		int status = block->key.length ? read_block(reader, block)
		                               : evc_passes_read_lines(reader, block, modes);

		if (status < 0)
			return status;
	}
	modes->items = append(reader, false, modes->items, &modes->n);
	modes->bases = append(reader, true, modes->bases, &modes->n_bases);
	return EVC_OK;
}

int evc_modes_parse(struct evc_span text, const char *origin, struct evc_arena *arena,
                    struct evc_modes *modes, struct evc_error *err)
{
	struct evc_error ignored = { 0 };
	struct evc_modes result = *modes;
	struct evc_modes_reader reader = {
		.arena = arena, .err = err ? err : &ignored, .origin = origin, .old = modes
	};
	int status;

	if (text.length > EVC_MAX_MODES_TEXT)
		return evc_fail(err, EVC_ERR_LIMIT, "more than %d bytes of modes", EVC_MAX_MODES_TEXT);
	reader.names = make_index(arena);
	status = reader.names ? find_blocks(&reader, text) : EVC_ERR_MEMORY;
	if (!status && modes->n + reader.n_blocks > EVC_MAX_MODES)
		status = evc_fail(err, EVC_ERR_LIMIT, "more than %d modes", EVC_MAX_MODES);
	if (!status)
		status = refuse_doubles(&reader);
	if (!status)
		status = read_blocks(&reader, &result);
	if (evc_arena_failed(arena))
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (status < 0) {
		if (err)
			evc_error_set_origin(err, origin);
		return status;
	}
	*modes = result;
	return EVC_OK;
}
