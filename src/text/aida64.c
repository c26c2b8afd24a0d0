/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of AIDA64 and EVEREST, which InstLatX64 collects, and which libcpuid's tests quote:
 *
 *     ------[ CPUID Registers / Logical CPU #0 ]------
 *     CPUID 00000007: 00000002-F3BFBFFB-BB417FEE-FFDD4430 [SL 00]
 *     ------[ MSR Registers / Logical CPU #0 ]------
 *     MSR 0000010A: 0000-0000-0088-FD6B
 *     MSR 00000140: < FAILED >
 *
 * EAX-EBX-ECX-EDX; the subleaf behind SL is hexadecimal; other brackets are remarks.  Without SL the
 * n-th line in a row of one leaf is subleaf n.  Several ways to write the heading of a CPU were in
 * use; some texts have none.  A line of dashes alone ends the dump: libcpuid's expectations follow.
 */
#include "text/cpus.h"

#include <string.h>

enum { RECOGNISE_LINES = 512, DASHES = 40 };

struct reader {
	struct evc_lines lines;
	struct evc_cpus cpus;
	uint32_t cpu; /* number of the section's CPU */
};

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* "CPUID 0000": words that begin so mean registers; "CPUID Manufacturer" does not. */
static bool starts_with_hex(struct evc_span at)
{
	if (at.length < 4)
		return false;
	for (int i = 0; i < 4; i++)
		if (!is_hex(at.text[i]))
			return false;
	return true;
}

/* Behind "CPUID ": leaf, colon and blanks as they come, four registers. */
static bool take_registers(struct evc_span *at, uint32_t *ret_leaf, uint32_t value[static 4])
{
	struct evc_span rest = *at;
	uint64_t leaf;

	if (!evc_span_hex(&rest, &leaf) || leaf > UINT32_MAX)
		return false;
	*at = rest;
	evc_span_skip_blanks(&rest);
	evc_span_skip(&rest, ":");
	evc_span_skip_blanks(&rest);
	*at = rest;
	if (!evc_span_registers(&rest, "- ", value))
		return false;
	*ret_leaf = (uint32_t)leaf;
	*at = rest;
	return true;
}

static bool recognise(struct evc_span text)
{
	struct evc_lines lines = evc_lines_from(text);
	uint32_t leaf, value[4];

	while (lines.number < RECOGNISE_LINES && evc_lines_next(&lines)) {
		struct evc_span at = evc_span_trim(lines.line);

		if (evc_span_skip(&at, "CPUID ") && starts_with_hex(at) && take_registers(&at, &leaf, value))
			return true;
	}
	return false;
}

/* The text behind the first occurrence of word. */
static bool behind(struct evc_span line, const char *word, struct evc_span *ret_rest)
{
	size_t n = strlen(word);
	const char *found = memmem(line.text, line.length, word, n);

	if (!found)
		return false;
	*ret_rest = (struct evc_span){ found + n, line.length - (size_t)(found - line.text) - n };
	return true;
}

static int read_cpuid(struct reader *reader, struct evc_span at, struct evc_error *err)
{
	uint32_t leaf, value[4];
	uint64_t subleaf;
	struct evc_span sl;

	if (!take_registers(&at, &leaf, value))
		return evc_lines_fail(&reader->lines, at, err,
		                      "expected a leaf and four registers as 00000007: "
		                      "00000000-00000000-00000000-00000000");
	if (!behind(at, "[SL ", &sl))
		return evc_cpus_repeated(&reader->cpus, leaf, value, err);
	at = sl;
	if (!evc_span_hex(&sl, &subleaf) || subleaf > UINT32_MAX)
		return evc_lines_fail(&reader->lines, at, err, "expected a subleaf in hexadecimal after SL");
	return evc_cpus_leaf(&reader->cpus, leaf, (uint32_t)subleaf, value, err);
}

static int read_msr(struct reader *reader, struct evc_span at, struct evc_error *err)
{
	uint64_t index, part, value = 0;

	if (!evc_span_hex(&at, &index) || index > UINT32_MAX || !evc_span_skip(&at, ":"))
		return evc_lines_fail(&reader->lines, at, err, "expected an MSR's index and a colon");
	evc_span_skip_blanks(&at);
	if (evc_span_starts(at, "<"))
		return EVC_OK; /* could not be read there: unknown */
	for (int i = 0; i < 4; i++) {
		if ((i && !evc_span_skip(&at, "-")) || !evc_span_hex(&at, &part) || part > UINT16_MAX)
			return evc_lines_fail(&reader->lines, at, err,
			                      "expected an MSR's value as 0000-0000-0000-0000");
		value = value << 16 | part;
	}
	return evc_cpus_msr(&reader->cpus, reader->cpu, (uint32_t)index, value, err);
}

/* A heading of a CPU's registers in one of its spellings; *ret_number is the CPU's, from 0. */
static bool is_heading(const struct reader *reader, struct evc_span line, uint64_t *ret_number)
{
	struct evc_span at;
	bool from_one = false;

	if (evc_span_starts(line, "------[")) {
		if (!behind(line, "Logical CPU #", &at))
			return false;
	} else if (behind(line, "CPUID Registers (CPU #", &at)) {
		from_one = true;
	} else if (evc_span_starts(line, "CPU#")) {
		at = line;
		evc_span_skip(&at, "CPU#");
	} else {
		return false;
	}
	if (!evc_span_decimal(&at, ret_number) || *ret_number > UINT32_MAX)
		return false;
	*ret_number -= from_one && *ret_number;
	/* its second thread is listed under the number of the first */
	if (behind(line, " Virtual", &at))
		*ret_number = reader->cpus.n_total + reader->cpus.open;
	return true;
}

static bool is_end(struct evc_span line)
{
	for (size_t i = 0; i < line.length; i++)
		if (line.text[i] != '-')
			return false;
	return line.length >= DASHES;
}

static int read_line(struct reader *reader, struct evc_span line, struct evc_error *err)
{
	struct evc_span at = line;
	uint64_t number;

	if (evc_span_skip(&at, "MSR ") && starts_with_hex(at))
		return read_msr(reader, at, err);
	at = line;
	if (evc_span_skip(&at, "CPUID ") && starts_with_hex(at))
		return read_cpuid(reader, at, err);
	if (!is_heading(reader, line, &number))
		return EVC_OK;
	reader->cpu = (uint32_t)number;
	if (behind(line, "MSR", &at))
		return EVC_OK;
	return evc_cpus_open(&reader->cpus, (uint32_t)number, err);
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct reader reader = { .lines = evc_lines_from(text) };

	evc_cpus_begin(&reader.cpus, arena);
	while (evc_lines_next(&reader.lines)) {
		struct evc_span line = evc_span_trim(reader.lines.line);
		int status;

		if (is_end(line) && !evc_cpus_empty(&reader.cpus))
			break;
		status = read_line(&reader, line, err);
		if (status < 0) {
			if (err && !err->line)
				err->line = reader.lines.number;
			return status;
		}
	}
	return evc_cpus_finish(&reader.cpus, evc_span_from(name), "aida64", ret_hosts, err);
}

static void write_cpuid(const struct evc_dump *dump, struct evc_sink *sink)
{
	evc_sink_printf(sink, "------[ CPUID Registers / Logical CPU #%u ]------\n\n", dump->cpu);
	for (size_t i = 0; i < dump->n_leaves; i++) {
		const struct evc_leaf *leaf = &dump->leaves[i];

		if (evc_leaf_whole(leaf))
			evc_sink_printf(sink, "CPUID %08X: %08X-%08X-%08X-%08X [SL %02X]\n", leaf->leaf,
			                leaf->value[EVC_EAX], leaf->value[EVC_EBX], leaf->value[EVC_ECX],
			                leaf->value[EVC_EDX], leaf->subleaf);
	}
	evc_sink_puts(sink, "\n");
}

static void write_msrs(const struct evc_dump *dump, struct evc_sink *sink)
{
	if (!dump->n_msrs)
		return;
	evc_sink_printf(sink, "------[ MSR Registers / Logical CPU #%u ]------\n\n", dump->cpu);
	for (size_t i = 0; i < dump->n_msrs; i++) {
		const struct evc_msr *msr = &dump->msrs[i];

		if (msr->known == UINT64_MAX)
			evc_sink_printf(sink, "MSR %08X: %04X-%04X-%04X-%04X\n", msr->index,
			                (unsigned)(msr->value >> 48), (unsigned)(msr->value >> 32 & 0xffff),
			                (unsigned)(msr->value >> 16 & 0xffff),
			                (unsigned)(msr->value & 0xffff));
	}
	evc_sink_puts(sink, "\n");
}

static int write(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                 struct evc_error *err)
{
	(void)err;
	evc_format_usual_losses(findings, host, "aida64", EVC_HOLDS_CPUS | EVC_HOLDS_MSRS);
	for (size_t i = 0; i < host->n_cpus; i++)
		write_cpuid(&host->cpus[i], sink);
	for (size_t i = 0; i < host->n_cpus; i++)
		write_msrs(&host->cpus[i], sink);
	return EVC_OK;
}

const struct evc_format evc_format_aida64 = {
	.name = "aida64",
	.title = "AIDA64 and InstLatX64 text, with MSRs",
	.recognise = recognise,
	.read = read,
	.write = write,
};
