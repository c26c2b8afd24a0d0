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
#include "text/json.h"

#include "text/cpus.h"
#include "text/place.h"
#include <string.h>

struct reader {
	struct evc_json_place place;
	struct evc_arena *arena;
};

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

	evc_json_enter(&reader->place, "leaves", 0);
	if (!json_is_object(leaves))
		return evc_json_fail(&reader->place, "expected an object of leaves");
	json_object_foreach(leaves, key, value)
	{
		struct evc_leaf leaf;

		if (!read_place(key, &leaf))
			return evc_json_fail_in(&reader->place, key,
			                        "expected leaf.subleaf in hexadecimal before this value");
		if (!json_is_string(value) || !read_registers(json_string_value(value), &leaf))
			return evc_json_fail_in(
				&reader->place, key,
				"expected \"eax ebx ecx edx\", each of 1 to 8 hexadecimal digits, "
				"value/mask or -");
		evc_dump_set_bits(builder, &leaf);
	}
	evc_json_leave(&reader->place);
	return EVC_OK;
}

static int read_msrs(struct reader *reader, json_t *msrs, struct evc_dump_builder *builder)
{
	const char *key;
	json_t *value;

	if (!msrs)
		return EVC_OK;
	evc_json_enter(&reader->place, "msrs", 0);
	if (!json_is_object(msrs))
		return evc_json_fail(&reader->place, "expected an object of MSRs");
	json_object_foreach(msrs, key, value)
	{
		struct evc_span place = evc_span_from(key), at;
		uint64_t index, number, known;

		if (!take_hex(&place, 32, &index) || place.length)
			return evc_json_fail_in(&reader->place, key,
			                        "expected an MSR's index in hexadecimal before this value");
		at = evc_span_from(json_is_string(value) ? json_string_value(value) : "");
		if (!take_known(&at, 64, &number, &known) || at.length)
			return evc_json_fail_in(&reader->place, key,
			                        "expected 1 to 16 hexadecimal digits, value/mask or -");
		evc_dump_set_msr(builder, (uint32_t)index, number, known);
	}
	evc_json_leave(&reader->place);
	return EVC_OK;
}

static int read_dump(struct reader *reader, json_t *object, struct evc_dump *ret_dump)
{
	struct evc_dump_builder builder;
	int status;

	evc_dump_begin(&builder, reader->arena);
	if (!json_is_object(object))
		return evc_json_fail(&reader->place, "expected an object with \"leaves\"");
	status = read_leaves(reader, json_object_get(object, "leaves"), &builder);
	if (status == EVC_OK)
		status = read_msrs(reader, json_object_get(object, "msrs"), &builder);
	if (status == EVC_OK)
		status = evc_dump_finish(&builder, ret_dump, reader->place.err);
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
		return evc_json_fail_in(&reader->place, key,
		                        low ? "expected a whole number from 1 up"
		                            : "expected a whole number");
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
		return evc_json_fail_in(&reader->place, "skips_zero", "expected true or false");
	ret_dump->cpu = number;
	ret_dump->n_alike = alike;
	ret_dump->skips_zero = json_is_true(skips);
	return EVC_OK;
}

static int read_cpus(struct reader *reader, json_t *cpus, struct evc_host *host)
{
	struct evc_dump *dumps;
	size_t n = json_array_size(cpus);

	evc_json_enter(&reader->place, "cpus", 0);
	if (!n)
		return evc_json_fail(&reader->place, "expected \"cpus\", an array with at least one CPU");
	if (n > EVC_MAX_CPUS)
		return evc_json_fail(&reader->place, "more kinds of logical CPU than evc accepts");
	dumps = evc_arena_array(reader->arena, n, sizeof(*dumps));
	if (!dumps)
		return evc_fail(reader->place.err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++) {
		int status;

		evc_json_enter(&reader->place, NULL, i);
		status = read_cpu(reader, json_array_get(cpus, i), i, &dumps[i]);
		for (size_t k = 0; k < i && status == EVC_OK; k++)
			if (dumps[k].cpu == dumps[i].cpu)
				status = evc_json_fail(&reader->place,
				                       "expected a CPU number that was not there before");
		if (status < 0)
			return status;
		evc_json_leave(&reader->place);
	}
	evc_json_leave(&reader->place);
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
		return evc_fail(reader->place.err, EVC_ERR_MEMORY, "out of memory");
	evc_json_enter(&reader->place, key, 0);
	status = read_dump(reader, object, dump);
	if (status < 0)
		return status;
	/* KVM lists what it has: what it leaves out it does not offer. */
	dump->skips_zero = true;
	evc_json_leave(&reader->place);
	*ret_dump = dump;
	return EVC_OK;
}

static int read_string(struct reader *reader, json_t *object, const char *key, const char **text)
{
	json_t *value = json_object_get(object, key);

	if (!value)
		return EVC_OK;
	if (!json_is_string(value))
		return evc_json_fail_in(&reader->place, key, "expected a string");
	*text = evc_arena_name(reader->arena, json_string_value(value), json_string_length(value));
	return *text ? EVC_OK : evc_fail(reader->place.err, EVC_ERR_MEMORY, "out of memory");
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
	evc_json_enter(&reader->place, "facts", 0);
	if (!json_is_object(object))
		return evc_json_fail(&reader->place, "expected an object of facts");
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
		return evc_json_fail_in(&reader->place, "microcode",
		                        "expected a revision of at most 8 hexadecimal digits");
	facts->microcode = (uint32_t)number;
	evc_json_leave(&reader->place);
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
		return evc_json_fail(&reader->place, "expected a host with \"openevc\": 1, not other JSON");
	if (version > EVC_JSON_VERSION)
		return evc_json_fail_in(&reader->place, "openevc",
		                        "a form that is newer than this evc: expected 1");
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
		(void)evc_fail(&host->error, EVC_ERR_INPUT, "%s", partial);
	}
	return status;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct reader reader = { .place = evc_json_begin(text, err), .arena = arena };
	size_t before = ret_hosts->n, length;

	while (reader.place.text.length) {
		const char *called = ret_hosts->n == before ? name
		                                            : evc_arena_printf(arena, "%s-%zu", name,
		                                                               ret_hosts->n - before + 1);
		json_t *root = evc_json_load(&reader.place, &length);
		struct evc_host host;
		int status;

		if (!root)
			return err ? (int)err->code : EVC_ERR_INPUT;
		evc_host_begin(&host, called, "json");
		status = read_host(&reader, root, &host);
		json_decref(root);
		if (status == EVC_OK && !*host.name)
			host.name = called;
		if (status < 0) {
			if (err && !err->line)
				err->line = reader.place.line;
			return status;
		}
		evc_hosts_add(ret_hosts, arena, &host);
		evc_json_next(&reader.place, length);
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

static int write(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                 struct evc_error *err)
{
	(void)findings;
	return evc_json_write(host, true, sink, err);
}

static int write_bulk(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                      struct evc_error *err)
{
	(void)findings;
	return evc_json_write(host, false, sink, err);
}

const struct evc_format evc_format_json = {
	.name = "json",
	.title = "OpenEVC's own form; many hosts: one a line",
	.recognise = recognise,
	.read = read,
	.write = write,
	.write_bulk = write_bulk,
};
