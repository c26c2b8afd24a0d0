/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firecracker's fingerprints and CPU templates, read only:
 *
 *     {"kernel_version": "6.1.0", "microcode_version": "0x5003901", "guest_cpu_config": {
 *        "cpuid_modifiers": [{"leaf": "0x7", "subleaf": "0x0", "flags": 1,
 *                             "modifiers": [{"register": "ebx", "bitmap": "0b1111...x1"}]}],
 *        "msr_modifiers": [{"addr": "0x10a", "bitmap": "0b0000...x1"}]}}
 *
 * A fingerprint is what a guest saw.  A template is the inner object alone; a bit that it leaves as
 * it is (x), and a register that it does not name, are unknown.  The last digit is bit 0.
 */
#include "text/cpus.h"
#include "text/place.h"

#include <string.h>

struct reader {
	struct evc_json_place place;
	struct evc_dump_builder *builder;
};

static bool recognise(struct evc_span text)
{
	size_t n;

	evc_span_skip(&text, "\xef\xbb\xbf");
	evc_span_skip_blanks(&text);
	n = text.length < 65536 ? text.length : 65536;
	/* a host of our own may be called anything */
	return n && text.text[0] == '{' && memmem(text.text, n, "\"cpuid_modifiers\"", 17) &&
	       !memmem(text.text, n, "\"openevc\"", 9);
}

/* "0b01x_1" of at most this many digits. */
static bool read_bitmap(const char *text, int bits, uint64_t *ret_value, uint64_t *ret_known)
{
	struct evc_span at = evc_span_from(text);
	int n = 0;

	*ret_value = *ret_known = 0;
	if (!evc_span_skip(&at, "0b"))
		return false;
	for (size_t i = 0; i < at.length; i++) {
		char c = at.text[i];

		if (c == '_')
			continue;
		if (!strchr("01x", c) || ++n > bits)
			return false;
		*ret_value = *ret_value << 1 | (c == '1');
		*ret_known = *ret_known << 1 | (c != 'x');
	}
	return n > 0;
}

/* A member that holds a number of 32 bits as a string. */
static int read_number(struct reader *reader, json_t *object, const char *key, uint32_t *ret_value)
{
	const char *text;
	uint64_t value;
	int status = evc_json_string(&reader->place, object, key, &text);

	if (status < 0)
		return status;
	if (!text || !evc_span_number(evc_span_from(text), UINT32_MAX, &value))
		return evc_json_fail_in(&reader->place, key, "expected a number of 32 bits as \"0x7\"");
	*ret_value = (uint32_t)value;
	return EVC_OK;
}

static int read_register(struct reader *reader, json_t *object, struct evc_leaf *leaf)
{
	const char *name = NULL, *bitmap = NULL;
	uint64_t value, known;
	int status = evc_json_string(&reader->place, object, "register", &name);

	if (status == EVC_OK)
		status = evc_json_string(&reader->place, object, "bitmap", &bitmap);
	if (status < 0)
		return status;
	for (int reg = EVC_EAX; name && reg <= EVC_EDX; reg++) {
		if (strcmp(name, evc_reg_name((enum evc_reg)reg)))
			continue;
		if (!bitmap || !read_bitmap(bitmap, 32, &value, &known))
			return evc_json_fail_in(&reader->place, "bitmap",
			                        "expected 0b and at most 32 of the digits 0, 1 and x");
		leaf->value[reg] = (uint32_t)value;
		leaf->known[reg] = (uint32_t)known;
		return EVC_OK;
	}
	return evc_json_fail_in(&reader->place, "register", "expected eax, ebx, ecx or edx");
}

static int read_leaf(struct reader *reader, json_t *object)
{
	struct evc_leaf leaf = { 0 };
	json_t *modifiers = json_object_get(object, "modifiers");
	int status = read_number(reader, object, "leaf", &leaf.leaf);

	if (status == EVC_OK)
		status = read_number(reader, object, "subleaf", &leaf.subleaf);
	if (status < 0)
		return status;
	evc_json_enter(&reader->place, "modifiers", 0);
	if (!json_is_array(modifiers))
		return evc_json_fail(&reader->place, "expected an array of registers");
	for (size_t i = 0; i < json_array_size(modifiers); i++) {
		evc_json_enter(&reader->place, NULL, i);
		status = read_register(reader, json_array_get(modifiers, i), &leaf);
		if (status < 0)
			return status;
		evc_json_leave(&reader->place);
	}
	evc_json_leave(&reader->place);
	evc_dump_set_bits(reader->builder, &leaf);
	return EVC_OK;
}

static int read_msr(struct reader *reader, json_t *object)
{
	const char *bitmap = NULL;
	uint64_t value, known;
	uint32_t index = 0;
	int status = read_number(reader, object, "addr", &index);

	if (status == EVC_OK)
		status = evc_json_string(&reader->place, object, "bitmap", &bitmap);
	if (status < 0)
		return status;
	if (!bitmap || !read_bitmap(bitmap, 64, &value, &known))
		return evc_json_fail_in(&reader->place, "bitmap",
		                        "expected 0b and at most 64 of the digits 0, 1 and x");
	evc_dump_set_msr(reader->builder, index, value, known);
	return EVC_OK;
}

static int read_array(struct reader *reader, json_t *object, const char *key,
                      int (*element)(struct reader *reader, json_t *object))
{
	json_t *array = json_object_get(object, key);

	if (!array)
		return EVC_OK;
	evc_json_enter(&reader->place, key, 0);
	if (!json_is_array(array))
		return evc_json_fail(&reader->place, "expected an array");
	for (size_t i = 0; i < json_array_size(array); i++) {
		int status;

		evc_json_enter(&reader->place, NULL, i);
		status = element(reader, json_array_get(array, i));
		if (status < 0)
			return status;
		evc_json_leave(&reader->place);
	}
	evc_json_leave(&reader->place);
	return EVC_OK;
}

static int read_facts(struct reader *reader, json_t *root, struct evc_arena *arena, struct evc_facts *facts)
{
	const char *kernel = NULL, *microcode = NULL;
	uint64_t revision;
	int status = evc_json_string(&reader->place, root, "kernel_version", &kernel);

	if (status == EVC_OK)
		status = evc_json_string(&reader->place, root, "microcode_version", &microcode);
	if (status < 0)
		return status;
	if (kernel)
		facts->kernel = evc_arena_string(arena, kernel, strlen(kernel));
	if (microcode && evc_span_number(evc_span_from(microcode), UINT32_MAX, &revision))
		facts->microcode = (uint32_t)revision;
	return EVC_OK;
}

static int read_root(struct reader *reader, json_t *root, struct evc_arena *arena, struct evc_facts *facts)
{
	json_t *config = json_object_get(root, "guest_cpu_config");
	int status = read_facts(reader, root, arena, facts);

	if (status < 0)
		return status;
	if (config)
		evc_json_enter(&reader->place, "guest_cpu_config", 0);
	status = read_array(reader, config ? config : root, "cpuid_modifiers", read_leaf);
	if (status == EVC_OK)
		status = read_array(reader, config ? config : root, "msr_modifiers", read_msr);
	return status;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct evc_cpus cpus;
	struct reader reader = { .place = evc_json_begin(text, err), .builder = &cpus.builder };
	struct evc_facts facts = { .kernel = "" };
	size_t length;
	json_t *root = evc_json_load(&reader.place, &length);
	int status;

	if (!root)
		return err ? (int)err->code : EVC_ERR_INPUT;
	evc_cpus_begin(&cpus, arena);
	evc_cpus_open(&cpus, 0, err);
	status = read_root(&reader, root, arena, &facts);
	json_decref(root);
	if (status == EVC_OK)
		status = evc_cpus_finish(&cpus, evc_span_from(name), "firecracker", ret_hosts, err);
	if (status < 0)
		return status;
	ret_hosts->items[ret_hosts->n - 1].facts.kernel = facts.kernel;
	ret_hosts->items[ret_hosts->n - 1].facts.microcode = facts.microcode;
	return EVC_OK;
}

const struct evc_format evc_format_firecracker = {
	.name = "firecracker",
	.title = "Firecracker's fingerprint or CPU template",
	.recognise = recognise,
	.read = read,
};
