/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `cpuid -r` prints (its author is Todd Allen), and what became of it in mails and scripts:
 *
 *     HOST web3
 *     CPU 0:
 *        0x00000007 0x00: eax=0x00000001 ebx=0xf1bf07ab ecx=0x00405fc6 edx=0x00000010
 *
 * Read as well: no CPU line, `CPU:` (cpuid -1), the old form without subleaf, where the n-th line
 * in a row of one leaf is subleaf n, quote marks before the line, registers that a mail wrapped
 * to the next line, blank lines, and any line that is plainly not part of a dump.  A line that
 * begins like one must be whole.
 *
 * Many hosts in one text: `HOST name` begins a host.  Without such lines, a CPU number that was
 * there before begins another host of the same name with a number behind it.
 */
#include "text/cpus.h"

#include <string.h>
#include <strings.h>

/* Of one length, which compilers see. */
static const char reg_names[][5] = { "eax=", "ebx=", "ecx=", "edx=" };

/* A leaf whose registers are being read, perhaps over several lines. */
struct pending {
	uint32_t leaf, subleaf;
	bool numbered; /* has a subleaf */
	int n;         /* registers so far, 4: complete */
	uint32_t value[4];
};

struct reader {
	struct evc_lines lines;
	struct evc_cpus cpus;
	struct evc_hosts *hosts;
	struct pending pending;
	struct evc_span name; /* of the host being read */
	const char *default_name;
	unsigned n_unnamed;
};

/* Mail quotes and blanks before the text of a line. */
static struct evc_span strip(struct evc_span line)
{
	while (line.length && (evc_is_blank(line.text[0]) || line.text[0] == '>' || line.text[0] == '|'))
		evc_span_drop(&line, 1);
	return line;
}

static inline bool skip_n_nocase(struct evc_span *span, const char *word, size_t n)
{
	if (n > span->length)
		return false;
	if (memcmp(span->text, word, n) != 0 && strncasecmp(span->text, word, n) != 0)
		return false;
	evc_span_drop(span, n);
	return true;
}

/* The word is in lower case. */
static inline bool skip_nocase(struct evc_span *span, const char *word)
{
	size_t n = strlen(word);

	return skip_n_nocase(span, word, n);
}

/* "0x7 0x1:" or "0x7:" from the front; a place that cannot be read stays in *at. */
static bool take_place(struct evc_span *at, struct pending *ret)
{
	uint64_t leaf, subleaf = 0;
	bool numbered = false;

	if (!skip_nocase(at, "0x") || !evc_span_hex(at, &leaf) || leaf > UINT32_MAX)
		return false;
	evc_span_skip_blanks(at);
	if (skip_nocase(at, "0x")) {
		numbered = true;
		if (!evc_span_hex(at, &subleaf) || subleaf > UINT32_MAX)
			return false;
		evc_span_skip_blanks(at);
	}
	if (!evc_span_skip(at, ":"))
		return false;
	*ret = (struct pending){ .leaf = (uint32_t)leaf, .subleaf = (uint32_t)subleaf, .numbered = numbered };
	return true;
}

/* "CPU 12:" or "CPU:"; *ret_numbered says which. */
static bool is_cpu_line(struct evc_span line, uint64_t *ret_number, bool *ret_numbered)
{
	struct evc_span at = line;

	if (!evc_span_skip(&at, "CPU"))
		return false;
	evc_span_skip_blanks(&at);
	*ret_number = 0;
	*ret_numbered = evc_span_decimal(&at, ret_number);
	return evc_span_skip(&at, ":") && !evc_span_trim(at).length;
}

static bool recognise(struct evc_span text)
{
	struct evc_lines lines = evc_lines_from(text);
	struct pending pending;
	uint64_t number;
	bool numbered;

	while (lines.number < 256 && evc_lines_next(&lines)) {
		struct evc_span at = strip(lines.line);

		if (is_cpu_line(at, &number, &numbered))
			return true;
		if (!take_place(&at, &pending))
			continue;
		evc_span_skip_blanks(&at);
		if (skip_nocase(&at, reg_names[0]))
			return true;
	}
	return false;
}

/* The registers that this line holds; fewer than four leave the rest to the next line. */
static int read_registers(struct reader *reader, struct evc_span at, struct evc_error *err)
{
	struct pending *pending = &reader->pending;

	while (pending->n < 4) {
		struct evc_span start;
		uint64_t value;

		evc_span_skip_blanks(&at);
		if (!at.length)
			return EVC_OK;
		start = at;
		if (!skip_n_nocase(&at, reg_names[pending->n], sizeof(reg_names[0]) - 1))
			return evc_lines_fail(&reader->lines, start, err,
			                      "expected %s0x and hexadecimal digits", reg_names[pending->n]);
		start = at;
		if (!skip_nocase(&at, "0x") || !evc_span_hex(&at, &value) || value > UINT32_MAX)
			return evc_lines_fail(&reader->lines, start, err,
			                      "expected 0x and at most 8 hexadecimal digits");
		pending->value[pending->n++] = (uint32_t)value;
	}
	if (pending->numbered)
		return evc_cpus_leaf(&reader->cpus, pending->leaf, pending->subleaf, pending->value, err);
	return evc_cpus_repeated(&reader->cpus, pending->leaf, pending->value, err);
}

static int finish_host(struct reader *reader, struct evc_error *err)
{
	struct evc_span name = reader->name;

	if (!name.text) {
		name = evc_span_from(reader->default_name);
		if (reader->n_unnamed++) {
			const char *numbered = evc_arena_printf(reader->cpus.arena, "%s-%u",
			                                        reader->default_name, reader->n_unnamed);

			if (numbered)
				name = evc_span_from(numbered);
		}
	}
	return evc_cpus_finish(&reader->cpus, name, "cpuid", reader->hosts, err);
}

static int read_cpu_line(struct reader *reader, uint64_t number, struct evc_span at, struct evc_error *err)
{
	if (number > UINT32_MAX)
		return evc_lines_fail(&reader->lines, at, err, "expected a CPU number of at most 32 bits");
	if (!evc_cpus_empty(&reader->cpus) && number == evc_cpus_first(&reader->cpus)) {
		int status = finish_host(reader, err);

		if (status < 0)
			return status;
	}
	return evc_cpus_open(&reader->cpus, (uint32_t)number, err);
}

static int read_host_line(struct reader *reader, struct evc_span name, struct evc_error *err)
{
	name = evc_span_trim(name);
	if (!name.length)
		return evc_lines_fail(&reader->lines, name, err, "expected a name after HOST");
	if (reader->name.text || !evc_cpus_empty(&reader->cpus)) {
		int status = finish_host(reader, err);

		if (status < 0)
			return status;
	}
	reader->name = name;
	return EVC_OK;
}

/* Text that is not a dump's may stand between; but nothing that looks like a damaged line. */
static bool looks_like_registers(struct evc_span line)
{
	return evc_span_starts(line, "0x") || memmem(line.text, line.length, "eax=0x", 6) ||
	       memmem(line.text, line.length, "edx=0x", 6);
}

static int read_line(struct reader *reader, struct evc_error *err)
{
	struct evc_span at = strip(reader->lines.line), start = at;
	uint64_t number;
	bool numbered;

	if (!at.length)
		return EVC_OK;
	if (reader->pending.n < 4)
		return read_registers(reader, at, err);
	if (at.text[0] == 'H' && (evc_span_skip(&at, "HOST ") || evc_span_equals(at, "HOST")))
		return read_host_line(reader, at, err);
	if (is_cpu_line(at, &number, &numbered))
		return read_cpu_line(reader, number, at, err);
	if (!looks_like_registers(at))
		return EVC_OK;
	if (!take_place(&at, &reader->pending)) {
		reader->pending.n = 4;
		return evc_lines_fail(&reader->lines, start.length ? at : start, err,
		                      "expected a leaf as 0x00000007 0x00: and its registers");
	}
	return read_registers(reader, at, err);
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct reader reader = {
		.lines = evc_lines_from(text),
		.hosts = ret_hosts,
		.default_name = name,
		.pending = { .n = 4 },
	};

	evc_cpus_begin(&reader.cpus, arena);
	while (evc_lines_next(&reader.lines)) {
		int status = read_line(&reader, err);

		if (status < 0) {
			if (err && !err->line)
				err->line = reader.lines.number;
			return status;
		}
	}
	if (reader.pending.n < 4)
		return evc_fail_at(err, EVC_ERR_INPUT, reader.lines.number,
		                   (unsigned)reader.lines.line.length + 1,
		                   "the text ends where %s0x was expected", reg_names[reader.pending.n]);
	return finish_host(&reader, err);
}

static void write_cpu(const struct evc_dump *dump, struct evc_sink *sink)
{
	evc_sink_printf(sink, "CPU %u:\n", dump->cpu);
	for (size_t i = 0; i < dump->n_leaves; i++) {
		const struct evc_leaf *leaf = &dump->leaves[i];

		if (evc_leaf_whole(leaf))
			evc_sink_printf(sink,
			                "   0x%08x 0x%02x: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x\n",
			                leaf->leaf, leaf->subleaf, leaf->value[EVC_EAX], leaf->value[EVC_EBX],
			                leaf->value[EVC_ECX], leaf->value[EVC_EDX]);
	}
}

static int write(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                 struct evc_error *err)
{
	(void)err;
	evc_format_usual_losses(findings, host, "cpuid", EVC_HOLDS_CPUS);
	for (size_t i = 0; i < host->n_cpus; i++)
		write_cpu(&host->cpus[i], sink);
	return EVC_OK;
}

static int write_bulk(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                      struct evc_error *err)
{
	/* a name of several lines would not come back: its first line has to do */
	evc_sink_printf(sink, "HOST %.*s\n", (int)strcspn(host->name, "\r\n"), host->name);
	return write(host, sink, findings, err);
}

const struct evc_format evc_format_cpuid = {
	.name = "cpuid",
	.title = "cpuid -r; many hosts: a line \"HOST name\" before each",
	.recognise = recognise,
	.read = read,
	.write = write,
	.write_bulk = write_bulk,
};
