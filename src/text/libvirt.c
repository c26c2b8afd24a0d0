/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's cpudata, in which its tests keep machines:
 *
 *     <cpudata arch='x86'>
 *       <cpuid eax_in='0x07' ecx_in='0x00' eax='0x00' ebx='0x219c91a9' ecx='0x00400004' edx='0x00'/>
 *       <msr index='0x10a' edx='0x00000000' eax='0x0000002b'/>
 *     </cpudata>
 *
 * One CPU.  Older texts say function for eax_in and have no ecx_in.  A register that is not
 * given is unknown.  Texts are read as Latin-1: names in comments come in any encoding and are
 * not used.  Declarations of entities are refused: no dump needs them.
 */
#include "text/cpus.h"

#include <expat.h>
#include <string.h>

struct reader {
	XML_Parser parser;
	struct evc_cpus cpus;
	struct evc_error *err;
	int status;
	unsigned depth;
	bool found; /* a cpudata element */
};

static bool recognise(struct evc_span text)
{
	size_t n = text.length < 65536 ? text.length : 65536;

	evc_span_skip(&text, "\xef\xbb\xbf");
	evc_span_skip_blanks(&text);
	n = n < text.length ? n : text.length;
	return n && text.text[0] == '<' && memmem(text.text, n, "<cpudata", 8);
}

static void stop(struct reader *reader, int status)
{
	if (reader->status == EVC_OK)
		reader->status = status;
	XML_StopParser(reader->parser, XML_FALSE);
}

static void stop_at(struct reader *reader, const char *what)
{
	stop(reader,
	     evc_fail_at(reader->err, EVC_ERR_INPUT, (unsigned)XML_GetCurrentLineNumber(reader->parser),
	                 (unsigned)XML_GetCurrentColumnNumber(reader->parser) + 1, "%s", what));
}

/* An attribute's number; false when it is there and no number of 32 bits. */
static bool attribute(const char **attributes, const char *name, uint32_t *value, bool *ret_found)
{
	uint64_t number;

	*ret_found = false;
	for (; attributes[0]; attributes += 2) {
		if (strcmp(attributes[0], name))
			continue;
		if (!evc_span_number(evc_span_from(attributes[1]), UINT32_MAX, &number))
			return false;
		*value = (uint32_t)number;
		*ret_found = true;
	}
	return true;
}

static void read_cpuid(struct reader *reader, const char **attributes)
{
	static const char *const names[] = { "eax", "ebx", "ecx", "edx" };
	struct evc_leaf leaf = { 0 };
	bool found, old;

	if (!attribute(attributes, "eax_in", &leaf.leaf, &found) ||
	    !attribute(attributes, "function", &leaf.leaf, &old) || !(found || old)) {
		stop_at(reader, "expected eax_in (or function) with a number of 32 bits");
		return;
	}
	if (!attribute(attributes, "ecx_in", &leaf.subleaf, &found)) {
		stop_at(reader, "expected ecx_in with a number of 32 bits");
		return;
	}
	for (int reg = 0; reg < 4; reg++) {
		if (!attribute(attributes, names[reg], &leaf.value[reg], &found)) {
			stop_at(reader, "expected registers with numbers of 32 bits");
			return;
		}
		leaf.known[reg] = found ? UINT32_MAX : 0;
	}
	evc_dump_set_bits(&reader->cpus.builder, &leaf);
}

static void read_msr(struct reader *reader, const char **attributes)
{
	uint32_t index = 0, low = 0, high = 0;
	bool have_index, have_low, have_high;

	if (!attribute(attributes, "index", &index, &have_index) ||
	    !attribute(attributes, "eax", &low, &have_low) ||
	    !attribute(attributes, "edx", &high, &have_high) || !have_index) {
		stop_at(reader, "expected index, eax and edx with numbers of 32 bits");
		return;
	}
	evc_dump_set_msr(&reader->cpus.builder, index, (uint64_t)high << 32 | low,
	                 (have_high ? (uint64_t)UINT32_MAX << 32 : 0) | (have_low ? UINT32_MAX : 0));
}

static void start_element(void *context, const char *name, const char **attributes)
{
	struct reader *reader = context;
	unsigned depth = reader->depth++;

	if (depth == 0) {
		if (strcmp(name, "cpudata")) {
			stop_at(reader, "expected the element cpudata");
			return;
		}
		reader->found = true;
		for (; attributes[0]; attributes += 2)
			if (!strcmp(attributes[0], "arch") && strcmp(attributes[1], "x86"))
				stop_at(reader, "not an x86 CPU: expected arch='x86'");
		return;
	}
	if (depth == 1 && !strcmp(name, "cpuid"))
		read_cpuid(reader, attributes);
	else if (depth == 1 && !strcmp(name, "msr"))
		read_msr(reader, attributes);
}

static void end_element(void *context, const char *name)
{
	struct reader *reader = context;

	(void)name;
	reader->depth--;
}

static void entity(void *context, const char *name, int is_parameter, const char *value, int length,
                   const char *base, const char *system, const char *public, const char *notation)
{
	(void)name, (void)is_parameter, (void)value, (void)length;
	(void)base, (void)system, (void)public, (void)notation;
	stop_at(context, "a dump may not declare entities");
}

static int parse(struct reader *reader, struct evc_span text)
{
	evc_span_skip(&text, "\xef\xbb\xbf");
	XML_SetUserData(reader->parser, reader);
	XML_SetElementHandler(reader->parser, start_element, end_element);
	XML_SetEntityDeclHandler(reader->parser, entity);
	if (text.length > EVC_MAX_TEXT)
		return evc_fail(reader->err, EVC_ERR_LIMIT, "more than %d bytes", EVC_MAX_TEXT);
	if (XML_Parse(reader->parser, text.text, (int)text.length, XML_TRUE) != XML_STATUS_OK &&
	    reader->status == EVC_OK)
		stop_at(reader, XML_ErrorString(XML_GetErrorCode(reader->parser)));
	return reader->status;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct reader reader = { .parser = XML_ParserCreate("ISO-8859-1"), .err = err };
	int status;

	if (!reader.parser)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_cpus_begin(&reader.cpus, arena);
	evc_cpus_open(&reader.cpus, 0, err);
	status = parse(&reader, text);
	XML_ParserFree(reader.parser);
	if (status < 0)
		return status;
	return evc_cpus_finish(&reader.cpus, evc_span_from(name), "libvirt", ret_hosts, err);
}

static void write_leaf(const struct evc_leaf *leaf, struct evc_sink *sink)
{
	static const char *const names[] = { "eax", "ebx", "ecx", "edx" };

	evc_sink_printf(sink, "  <cpuid eax_in='0x%08x' ecx_in='0x%02x'", leaf->leaf, leaf->subleaf);
	for (int reg = 0; reg < 4; reg++)
		if (leaf->known[reg] == UINT32_MAX)
			evc_sink_printf(sink, " %s='0x%08x'", names[reg], leaf->value[reg]);
	evc_sink_puts(sink, "/>\n");
}

static int write(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                 struct evc_error *err)
{
	const struct evc_dump *dump = &host->cpus[0];

	if (!host->n_cpus)
		return evc_fail(err, EVC_ERR_INPUT, "nothing is known of the CPUs of %s", host->name);
	evc_format_usual_losses(findings, host, "libvirt", EVC_HOLDS_MSRS);
	evc_sink_puts(sink, "<cpudata arch='x86'>\n");
	for (size_t i = 0; i < dump->n_leaves; i++)
		write_leaf(&dump->leaves[i], sink);
	for (size_t i = 0; i < dump->n_msrs; i++)
		if (dump->msrs[i].known == UINT64_MAX)
			evc_sink_printf(sink, "  <msr index='0x%x' edx='0x%08x' eax='0x%08x'/>\n",
			                dump->msrs[i].index, (unsigned)(dump->msrs[i].value >> 32),
			                (unsigned)(dump->msrs[i].value & UINT32_MAX));
	evc_sink_puts(sink, "</cpudata>\n");
	return EVC_OK;
}

const struct evc_format evc_format_libvirt = {
	.name = "libvirt",
	.title = "libvirt's cpudata XML, one CPU",
	.recognise = recognise,
	.read = read,
	.write = write,
};
