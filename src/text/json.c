/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OpenEVC's own form: one JSON object for each host, any number of them in one text (JSON lines:
 * one host a line).
 *
 *     {
 *      "openevc": 1,                                version of this form
 *      "name": "web3",
 *      "origin": "...", "licence": "...",           of a dump that is passed on
 *      "partial": "why",                            something is missing, and what
 *      "facts": {"kernel": "6.1.0", "qemu": "7.2.22", "firmware": "...", "kvm_module": "kvm_intel",
 *                "kvm_options": "nested=1 ept=1", "microcode": "0x84", "tsc_khz": 2400000},
 *      "cpus": [                                    one for each kind of logical CPU
 *       {"cpu": 0, "alike": 4, "skips_zero": true,  its number, how many are alike,
 *        "leaves": {                                whether leaves left out are known to be zero
 *         "7.0": "00000000 029c6fbb 00000000 00000000"},   leaf.subleaf: eax ebx ecx edx
 *        "msrs": {"10a": "000000000000002b"}}
 *      ],
 *      "kvm": {"leaves": {}, "msrs": {}},           KVM_GET_SUPPORTED_CPUID and feature MSRs
 *      "kvm_emulated": {"leaves": {}}               KVM_GET_EMULATED_CPUID
 *     }
 *
 * Numbers in quotes are hexadecimal.  A register known in part is value/mask, where the mask has a
 * one for each known bit; "-" is a register of which nothing is known.  Only "openevc" and "cpus"
 * must be there; members with other names are left alone, so that a later version can add some.
 */
#include "text/cpus.h"

#include <jansson.h>
#include <string.h>

enum { VERSION = 1, MAX_DEPTH = 6 };

/* One step from the top of the object to a value: for messages that name a place. */
struct step {
	const char *key; /* of an object; NULL: an array's index */
	size_t index;
};

struct reader {
	struct evc_span text;  /* of this object */
	unsigned line, column; /* where it begins, from 1 */
	struct evc_arena *arena;
	struct evc_error *err;
	struct step steps[MAX_DEPTH];
	int depth;
};

/* The next character that is not blank; text is known to be good JSON. */
static void skip_space(struct evc_span *at)
{
	while (at->length && strchr(" \t\r\n,:", at->text[0]) && at->text[0]) {
		at->text++;
		at->length--;
	}
}

static struct evc_span take_string(struct evc_span *at)
{
	struct evc_span inside = { .text = at->text + 1 };
	size_t i = 1;

	while (i < at->length && at->text[i] != '"')
		i += at->text[i] == '\\' ? 2 : 1;
	if (i >= at->length)
		i = at->length - 1;
	inside.length = i - 1;
	at->text += i + 1;
	at->length -= i + 1;
	return inside;
}

static void skip_value(struct evc_span *at)
{
	int depth = 0;

	do {
		skip_space(at);
		if (!at->length)
			return;
		if (at->text[0] == '"') {
			take_string(at);
			continue;
		}
		depth += at->text[0] == '{' || at->text[0] == '[';
		depth -= at->text[0] == '}' || at->text[0] == ']';
		at->text++;
		at->length--;
		while (at->length && !strchr(" \t\r\n,:{}[]\"", at->text[0]) && at->text[0]) {
			at->text++;
			at->length--;
		}
	} while (depth > 0);
}

/* From the value at *at into the member or element that step names; false when it is not there. */
static bool descend(struct evc_span *at, const struct step *step)
{
	skip_space(at);
	if (!at->length || !strchr("{[", at->text[0]))
		return false;
	at->text++;
	at->length--;
	for (size_t i = 0;; i++) {
		skip_space(at);
		if (!at->length || strchr("}]", at->text[0]))
			return false;
		if (step->key) {
			bool found = evc_span_equals(take_string(at), step->key);

			skip_space(at);
			if (found)
				return true;
		} else if (i == step->index) {
			return true;
		}
		skip_value(at);
	}
}

/* Fail at the value that the steps lead to, or as near to it as there is something. */
static int fail(const struct reader *reader, const char *what)
{
	struct evc_span at = reader->text, deeper = at;
	unsigned line = reader->line, column = reader->column;

	for (int i = 0; i < reader->depth && descend(&deeper, &reader->steps[i]); i++)
		at = deeper;
	for (const char *c = reader->text.text; c < at.text; c++) {
		column = *c == '\n' ? 1 : column + 1;
		line += *c == '\n';
	}
	return evc_fail_at(reader->err, EVC_ERR_INPUT, line, column, "%s", what);
}

static void enter(struct reader *reader, const char *key, size_t index)
{
	if (reader->depth < MAX_DEPTH)
		reader->steps[reader->depth++] = (struct step){ .key = key, .index = index };
}

static int fail_in(struct reader *reader, const char *key, const char *what)
{
	enter(reader, key, 0);
	return fail(reader, what);
}

/* Hexadecimal with or without 0x, all of the text, of at most this many bits. */
static bool take_hex(struct evc_span *at, int bits, uint64_t *ret_value)
{
	uint64_t value;

	evc_span_skip(at, "0x");
	if (!evc_span_hex(at, &value) || (bits < 64 && value >> bits))
		return false;
	*ret_value = value;
	return true;
}

/* "value", "value/mask" or "-". */
static bool take_known(struct evc_span *at, int bits, uint64_t *ret_value, uint64_t *ret_known)
{
	*ret_value = *ret_known = 0;
	if (evc_span_skip(at, "-"))
		return true;
	if (!take_hex(at, bits, ret_value))
		return false;
	*ret_known = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
	if (evc_span_skip(at, "/") && !take_hex(at, bits, ret_known))
		return false;
	*ret_value &= *ret_known;
	return true;
}

/* "7.1" or "7"; hexadecimal. */
static bool read_place(const char *key, struct evc_leaf *ret_leaf)
{
	struct evc_span at = evc_span_from(key);
	uint64_t leaf, subleaf = 0;

	if (!take_hex(&at, 32, &leaf) || (evc_span_skip(&at, ".") && !take_hex(&at, 32, &subleaf)) ||
	    at.length)
		return false;
	*ret_leaf = (struct evc_leaf){ .leaf = (uint32_t)leaf, .subleaf = (uint32_t)subleaf };
	return true;
}

static bool read_registers(const char *text, struct evc_leaf *leaf)
{
	struct evc_span at = evc_span_from(text);
	uint64_t value, known;

	for (int reg = 0; reg < 4; reg++) {
		evc_span_skip_blanks(&at);
		if (!take_known(&at, 32, &value, &known) || (at.length && at.text[0] != ' '))
			return false;
		leaf->value[reg] = (uint32_t)value;
		leaf->known[reg] = (uint32_t)known;
	}
	return !at.length;
}

static int read_leaves(struct reader *reader, json_t *leaves, struct evc_dump_builder *builder)
{
	const char *key;
	json_t *value;

	enter(reader, "leaves", 0);
	if (!json_is_object(leaves))
		return fail(reader, "expected an object of leaves");
	json_object_foreach(leaves, key, value)
	{
		struct evc_leaf leaf;

		if (!read_place(key, &leaf))
			return fail_in(reader, key, "expected leaf.subleaf in hexadecimal before this value");
		if (!json_is_string(value) || !read_registers(json_string_value(value), &leaf))
			return fail_in(reader, key,
			               "expected \"eax ebx ecx edx\", each of 1 to 8 hexadecimal digits, "
			               "value/mask or -");
		evc_dump_set_bits(builder, &leaf);
	}
	reader->depth--;
	return EVC_OK;
}

static int read_msrs(struct reader *reader, json_t *msrs, struct evc_dump_builder *builder)
{
	const char *key;
	json_t *value;

	if (!msrs)
		return EVC_OK;
	enter(reader, "msrs", 0);
	if (!json_is_object(msrs))
		return fail(reader, "expected an object of MSRs");
	json_object_foreach(msrs, key, value)
	{
		struct evc_span place = evc_span_from(key), at;
		uint64_t index, number, known;

		if (!take_hex(&place, 32, &index) || place.length)
			return fail_in(reader, key,
			               "expected an MSR's index in hexadecimal before this value");
		at = evc_span_from(json_is_string(value) ? json_string_value(value) : "");
		if (!take_known(&at, 64, &number, &known) || at.length)
			return fail_in(reader, key, "expected 1 to 16 hexadecimal digits, value/mask or -");
		evc_dump_set_msr(builder, (uint32_t)index, number, known);
	}
	reader->depth--;
	return EVC_OK;
}

static int read_dump(struct reader *reader, json_t *object, struct evc_dump *ret_dump)
{
	struct evc_dump_builder builder;
	int status;

	evc_dump_begin(&builder, reader->arena);
	if (!json_is_object(object))
		return fail(reader, "expected an object with \"leaves\"");
	status = read_leaves(reader, json_object_get(object, "leaves"), &builder);
	if (status == EVC_OK)
		status = read_msrs(reader, json_object_get(object, "msrs"), &builder);
	if (status == EVC_OK)
		status = evc_dump_finish(&builder, ret_dump, reader->err);
	return status;
}

/* An optional whole number from low to high. */
static int read_number(struct reader *reader, json_t *object, const char *key, long long low, long long high,
                       uint32_t *number)
{
	json_t *value = json_object_get(object, key);

	if (!value)
		return EVC_OK;
	if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high)
		return fail_in(reader, key,
		               low ? "expected a whole number from 1 up" : "expected a whole number");
	*number = (uint32_t)json_integer_value(value);
	return EVC_OK;
}

static int read_cpu(struct reader *reader, json_t *object, size_t index, struct evc_dump *ret_dump)
{
	uint32_t number = (uint32_t)index, alike = 1;
	json_t *skips;
	int status = read_dump(reader, object, ret_dump);

	if (status == EVC_OK)
		status = read_number(reader, object, "cpu", 0, UINT32_MAX, &number);
	if (status == EVC_OK)
		status = read_number(reader, object, "alike", 1, EVC_MAX_CPUS, &alike);
	if (status < 0)
		return status;
	skips = json_object_get(object, "skips_zero");
	if (skips && !json_is_boolean(skips))
		return fail_in(reader, "skips_zero", "expected true or false");
	ret_dump->cpu = number;
	ret_dump->n_alike = alike;
	ret_dump->skips_zero = json_is_true(skips);
	return EVC_OK;
}

static int read_cpus(struct reader *reader, json_t *cpus, struct evc_host *host)
{
	struct evc_dump *dumps;
	size_t n = json_array_size(cpus);

	enter(reader, "cpus", 0);
	if (!n)
		return fail(reader, "expected \"cpus\", an array with at least one CPU");
	if (n > EVC_MAX_CPUS)
		return fail(reader, "more kinds of logical CPU than evc accepts");
	dumps = evc_arena_array(reader->arena, n, sizeof(*dumps));
	if (!dumps)
		return evc_fail(reader->err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++) {
		int status;

		enter(reader, NULL, i);
		status = read_cpu(reader, json_array_get(cpus, i), i, &dumps[i]);
		if (status < 0)
			return status;
		reader->depth--;
	}
	reader->depth--;
	host->cpus = dumps;
	host->n_cpus = n;
	return EVC_OK;
}

/* An optional measured dump. */
static int read_measured(struct reader *reader, json_t *object, const char *key,
                         const struct evc_dump **ret_dump)
{
	struct evc_dump *dump;
	int status;

	if (!object)
		return EVC_OK;
	dump = evc_arena_alloc(reader->arena, sizeof(*dump));
	if (!dump)
		return evc_fail(reader->err, EVC_ERR_MEMORY, "out of memory");
	enter(reader, key, 0);
	status = read_dump(reader, object, dump);
	if (status < 0)
		return status;
	/* KVM lists what it has: what it leaves out it does not offer. */
	dump->skips_zero = true;
	reader->depth--;
	*ret_dump = dump;
	return EVC_OK;
}

static int read_string(struct reader *reader, json_t *object, const char *key, const char **text)
{
	json_t *value = json_object_get(object, key);

	if (!value)
		return EVC_OK;
	if (!json_is_string(value))
		return fail_in(reader, key, "expected a string");
	*text = evc_arena_string(reader->arena, json_string_value(value), json_string_length(value));
	return *text ? EVC_OK : evc_fail(reader->err, EVC_ERR_MEMORY, "out of memory");
}

static int read_facts(struct reader *reader, json_t *object, struct evc_facts *facts)
{
	const struct {
		const char *key;
		const char **text;
	} strings[] = {
		{ "kernel", &facts->kernel },           { "qemu", &facts->qemu },
		{ "firmware", &facts->firmware },       { "kvm_module", &facts->kvm_module },
		{ "kvm_options", &facts->kvm_options },
	};
	const char *microcode = "0";
	struct evc_span at;
	uint64_t number;
	int status;

	if (!object)
		return EVC_OK;
	enter(reader, "facts", 0);
	if (!json_is_object(object))
		return fail(reader, "expected an object of facts");
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		status = read_string(reader, object, strings[i].key, strings[i].text);
		if (status < 0)
			return status;
	}
	status = read_string(reader, object, "microcode", &microcode);
	if (status == EVC_OK)
		status = read_number(reader, object, "tsc_khz", 0, UINT32_MAX, &facts->tsc_khz);
	if (status < 0)
		return status;
	at = evc_span_from(microcode);
	if (!take_hex(&at, 32, &number) || at.length)
		return fail_in(reader, "microcode", "expected a revision of at most 8 hexadecimal digits");
	facts->microcode = (uint32_t)number;
	reader->depth--;
	return EVC_OK;
}

static int read_host(struct reader *reader, json_t *root, struct evc_host *host)
{
	uint32_t version = 0;
	const char *partial = NULL;
	int status = read_number(reader, root, "openevc", 1, UINT32_MAX, &version);

	if (status < 0)
		return status;
	if (!version)
		return fail(reader, "expected a host with \"openevc\": 1, not other JSON");
	if (version > VERSION)
		return fail_in(reader, "openevc", "a form that is newer than this evc: expected 1");
	status = read_string(reader, root, "name", &host->name);
	if (status == EVC_OK)
		status = read_string(reader, root, "origin", &host->facts.origin);
	if (status == EVC_OK)
		status = read_string(reader, root, "licence", &host->facts.licence);
	if (status == EVC_OK)
		status = read_string(reader, root, "partial", &partial);
	if (status == EVC_OK)
		status = read_facts(reader, json_object_get(root, "facts"), &host->facts);
	if (status == EVC_OK)
		status = read_cpus(reader, json_object_get(root, "cpus"), host);
	if (status == EVC_OK)
		status = read_measured(reader, json_object_get(root, "kvm"), "kvm", &host->kvm);
	if (status == EVC_OK)
		status = read_measured(reader, json_object_get(root, "kvm_emulated"), "kvm_emulated",
		                       &host->kvm_emulated);
	if (status == EVC_OK && partial) {
		host->reading = EVC_PARTIAL;
		evc_fail(&host->error, EVC_ERR_INPUT, "%s", partial);
	}
	return status;
}

/* Move past n bytes, counting lines and columns. */
static void advance(struct reader *reader, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool newline = reader->text.text[i] == '\n';

		reader->column = newline ? 1 : reader->column + 1;
		reader->line += newline;
	}
	reader->text.text += n;
	reader->text.length -= n;
}

static int fail_parse(const struct reader *reader, const json_error_t *error)
{
	unsigned line = reader->line + (error->line > 0 ? (unsigned)error->line - 1 : 0);
	unsigned column = error->column > 0 ? (unsigned)error->column : 1;

	if (error->line <= 1)
		column += reader->column - 1;
	return evc_fail_at(reader->err, EVC_ERR_INPUT, line, column, "expected JSON: %s", error->text);
}

static size_t blanks(struct evc_span text)
{
	struct evc_span rest = text;

	evc_span_skip_blanks(&rest);
	return text.length - rest.length;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct reader reader = { .text = text, .line = 1, .column = 1, .arena = arena, .err = err };
	size_t before = ret_hosts->n;

	evc_span_skip(&reader.text, "\xef\xbb\xbf");
	advance(&reader, blanks(reader.text));
	while (reader.text.length) {
		struct evc_host host;
		json_error_t error;
		json_t *root = json_loadb(reader.text.text, reader.text.length,
		                          JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
		int status;

		if (!root)
			return fail_parse(&reader, &error);
		evc_host_begin(&host,
		               ret_hosts->n == before
		                       ? name
		                       : evc_arena_printf(arena, "%s-%zu", name, ret_hosts->n - before + 1),
		               "json");
		reader.depth = 0;
		status = read_host(&reader, root, &host);
		json_decref(root);
		if (status < 0) {
			if (err && !err->line)
				err->line = reader.line;
			return status;
		}
		evc_hosts_add(ret_hosts, arena, &host);
		advance(&reader, (size_t)error.position);
		advance(&reader, blanks(reader.text));
	}
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (ret_hosts->n == before)
		return evc_fail_at(err, EVC_ERR_INPUT, 1, 1, "expected a JSON object, found nothing");
	return EVC_OK;
}

static bool recognise(struct evc_span text)
{
	evc_span_skip(&text, "\xef\xbb\xbf");
	evc_span_skip_blanks(&text);
	return text.length && text.text[0] == '{';
}

static int write_piece(const char *text, size_t length, void *sink)
{
	evc_sink_write(sink, text, length);
	return 0;
}

/* A string with its quotes.  Bytes that are not UTF-8 are taken for Latin-1. */
static void write_string(struct evc_sink *sink, const char *text)
{
	json_t *value = json_string(text);

	if (value) {
		json_dump_callback(value, write_piece, sink, JSON_ENCODE_ANY);
		json_decref(value);
		return;
	}
	evc_sink_puts(sink, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			evc_sink_printf(sink, "\\u%04x", c);
		else
			evc_sink_write(sink, text, 1);
	}
	evc_sink_puts(sink, "\"");
}

/* The text between members: a line and its indentation, or a blank in the form of one line. */
struct style {
	struct evc_sink *sink;
	bool lines;
};

static void new_line(const struct style *style, int indent)
{
	if (style->lines) {
		evc_sink_write(style->sink, "\n", 1);
		evc_sink_pad(style->sink, indent);
	}
}

static void write_known(struct evc_sink *sink, int digits, uint64_t value, uint64_t known, uint64_t all)
{
	if (!known)
		evc_sink_puts(sink, "-");
	else if (known == all)
		evc_sink_printf(sink, "%0*llx", digits, (unsigned long long)value);
	else
		evc_sink_printf(sink, "%0*llx/%0*llx", digits, (unsigned long long)(value & known), digits,
		                (unsigned long long)known);
}

static void write_leaves(const struct style *style, const struct evc_dump *dump, int indent)
{
	struct evc_sink *sink = style->sink;

	evc_sink_puts(sink, "\"leaves\": {");
	for (size_t i = 0; i < dump->n_leaves; i++) {
		const struct evc_leaf *leaf = &dump->leaves[i];

		evc_sink_puts(sink, i ? "," : "");
		new_line(style, indent + 1);
		evc_sink_printf(sink, "\"%x.%x\": \"", leaf->leaf, leaf->subleaf);
		for (int reg = 0; reg < 4; reg++) {
			evc_sink_puts(sink, reg ? " " : "");
			write_known(sink, 8, leaf->value[reg], leaf->known[reg], UINT32_MAX);
		}
		evc_sink_puts(sink, "\"");
	}
	evc_sink_puts(sink, "}");
}

static void write_msrs(const struct style *style, const struct evc_dump *dump, int indent)
{
	struct evc_sink *sink = style->sink;

	if (!dump->n_msrs)
		return;
	evc_sink_puts(sink, ",");
	new_line(style, indent);
	evc_sink_puts(sink, "\"msrs\": {");
	for (size_t i = 0; i < dump->n_msrs; i++) {
		const struct evc_msr *msr = &dump->msrs[i];

		evc_sink_puts(sink, i ? "," : "");
		new_line(style, indent + 1);
		evc_sink_printf(sink, "\"%x\": \"", msr->index);
		write_known(sink, 16, msr->value, msr->known, UINT64_MAX);
		evc_sink_puts(sink, "\"");
	}
	evc_sink_puts(sink, "}");
}

static void write_cpus(const struct style *style, const struct evc_host *host)
{
	struct evc_sink *sink = style->sink;

	evc_sink_puts(sink, ",");
	new_line(style, 1);
	evc_sink_puts(sink, "\"cpus\": [");
	for (size_t i = 0; i < host->n_cpus; i++) {
		const struct evc_dump *dump = &host->cpus[i];

		evc_sink_puts(sink, i ? "," : "");
		new_line(style, 2);
		evc_sink_printf(sink, "{\"cpu\": %u, \"alike\": %u, ", dump->cpu, dump->n_alike);
		evc_sink_puts(sink, dump->skips_zero ? "\"skips_zero\": true, " : "");
		write_leaves(style, dump, 3);
		write_msrs(style, dump, 3);
		evc_sink_puts(sink, "}");
	}
	evc_sink_puts(sink, "]");
}

static void write_measured(const struct style *style, const char *key, const struct evc_dump *dump)
{
	if (!dump)
		return;
	evc_sink_puts(style->sink, ",");
	new_line(style, 1);
	evc_sink_printf(style->sink, "\"%s\": {", key);
	write_leaves(style, dump, 2);
	write_msrs(style, dump, 2);
	evc_sink_puts(style->sink, "}");
}

/* A member with a string, unless it is empty; *first says whether a comma is due. */
static void write_member(const struct style *style, const char *key, const char *text, bool *first)
{
	if (!text || !*text)
		return;
	evc_sink_puts(style->sink, *first ? "" : ", ");
	*first = false;
	evc_sink_printf(style->sink, "\"%s\": ", key);
	write_string(style->sink, text);
}

static void write_facts(const struct style *style, const struct evc_facts *facts)
{
	struct evc_sink *sink = style->sink;
	size_t before = sink->length;
	bool first = true;

	evc_sink_puts(sink, ",");
	new_line(style, 1);
	evc_sink_puts(sink, "\"facts\": {");
	write_member(style, "kernel", facts->kernel, &first);
	write_member(style, "qemu", facts->qemu, &first);
	write_member(style, "firmware", facts->firmware, &first);
	write_member(style, "kvm_module", facts->kvm_module, &first);
	write_member(style, "kvm_options", facts->kvm_options, &first);
	if (facts->microcode) {
		evc_sink_printf(sink, "%s\"microcode\": \"0x%x\"", first ? "" : ", ", facts->microcode);
		first = false;
	}
	if (facts->tsc_khz) {
		evc_sink_printf(sink, "%s\"tsc_khz\": %u", first ? "" : ", ", facts->tsc_khz);
		first = false;
	}
	evc_sink_puts(sink, "}");
	if (first && !sink->failed)
		sink->length = before;
}

static int write_host(const struct style *style, const struct evc_host *host, struct evc_error *err)
{
	const struct {
		const char *key, *text;
	} members[] = {
		{ "name", host->name },
		{ "origin", host->facts.origin },
		{ "licence", host->facts.licence },
		{ "partial", host->reading == EVC_PARTIAL ? host->error.text : "" },
	};

	if (!host->n_cpus)
		return evc_fail(err, EVC_ERR_INPUT, "nothing is known of the CPUs of %s", host->name);
	evc_sink_puts(style->sink, "{");
	new_line(style, 1);
	evc_sink_printf(style->sink, "\"openevc\": %d", VERSION);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		bool first = true;

		if (!members[i].text || !*members[i].text)
			continue;
		evc_sink_puts(style->sink, style->lines ? "," : ", ");
		new_line(style, 1);
		write_member(style, members[i].key, members[i].text, &first);
	}
	write_facts(style, &host->facts);
	write_cpus(style, host);
	write_measured(style, "kvm", host->kvm);
	write_measured(style, "kvm_emulated", host->kvm_emulated);
	new_line(style, 0);
	evc_sink_puts(style->sink, "}\n");
	return EVC_OK;
}

static int write(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                 struct evc_error *err)
{
	const struct style style = { .sink = sink, .lines = true };

	(void)findings;
	return write_host(&style, host, err);
}

static int write_bulk(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                      struct evc_error *err)
{
	const struct style style = { .sink = sink };

	(void)findings;
	return write_host(&style, host, err);
}

const struct evc_format evc_format_json = {
	.name = "json",
	.title = "OpenEVC's own form; many hosts: one a line",
	.recognise = recognise,
	.read = read,
	.write = write,
	.write_bulk = write_bulk,
};
