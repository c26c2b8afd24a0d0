/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The own form, written; json.c describes it. */
#include "text/json.h"

#include <jansson.h>

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

int evc_json_write(const struct evc_host *host, bool lines, struct evc_sink *sink, struct evc_error *err)
{
	const struct style to = { .sink = sink, .lines = lines }, *style = &to;
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
	evc_sink_printf(style->sink, "\"openevc\": %d", EVC_JSON_VERSION);
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
