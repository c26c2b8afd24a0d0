/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/probe.h"

#include "core/instruction.h"
#include "text/cpus.h"
#include "text/format.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_VULNERABILITIES = 256, MAX_NAME = 64, FIRST_LINES = 4096 };

enum section {
	CPUID,
	CPUINFO,
	KERNEL,
	VULNERABILITIES,
	XSAVE,
	MSR,
	INSTRUCTIONS,
	N_SECTIONS,
};

static const char *const section_names[N_SECTIONS] = { "cpuid", "cpuinfo", "kernel",      "vulnerabilities",
	                                               "xsave", "msr",     "instructions" };

struct reader {
	struct evc_arena *arena;
	struct evc_span sections[N_SECTIONS]; /* length 0 where there is none */
	bool complete;
};

/* The name of "--- name". */
static bool is_mark(struct evc_span line, struct evc_span *ret_name)
{
	if (!evc_span_skip(&line, "--- "))
		return false;
	*ret_name = evc_span_trim(line);
	return ret_name->length > 0 && ret_name->length <= MAX_NAME &&
	       !memchr(ret_name->text, ' ', ret_name->length);
}

/* Find the sections; of one that is there twice the last counts: a guest may have begun again. */
static void split(struct reader *reader, struct evc_span text)
{
	struct evc_span rest = text, line, name;
	struct evc_span *open = NULL;

	while (evc_span_line(&rest, &line)) {
		if (!is_mark(line, &name))
			continue;
		if (open)
			open->length = (size_t)(line.text - open->text);
		open = NULL;
		for (int i = 0; i < N_SECTIONS; i++)
			if (evc_span_equals(name, section_names[i])) {
				open = &reader->sections[i];
				open->text = rest.length ? rest.text : line.text + line.length;
				open->length = 0;
			}
		reader->complete = evc_span_equals(name, "end");
	}
	if (open)
		open->length = (size_t)(text.text + text.length - open->text);
}

/* "NAME VALUE" where VALUE is a number; takes both from the line. */
static bool take_number(struct evc_span *line, const char *name, uint64_t max, uint64_t *ret_value)
{
	struct evc_span at = *line, word;

	if (!evc_span_word(&at, &word) || !evc_span_equals(word, name) || !evc_span_word(&at, &word) ||
	    !evc_span_number(word, max, ret_value))
		return false;
	*line = at;
	return true;
}

static const char *keep(struct evc_arena *arena, struct evc_span span)
{
	const char *text = evc_arena_string(arena, span.text, span.length);

	return text ? text : "";
}

/* How many CPUs "0-3,5" names; 0 when it cannot be read. */
static unsigned count_list(struct evc_span list)
{
	uint64_t first, last, n = 0;

	while (list.length) {
		if (!evc_span_decimal(&list, &first))
			return 0;
		last = first;
		if (evc_span_skip(&list, "-") && !evc_span_decimal(&list, &last))
			return 0;
		if (last < first || last >= EVC_MAX_CPUS)
			return 0;
		n += last - first + 1;
		if (list.length && !evc_span_skip(&list, ","))
			return 0;
	}
	return n <= EVC_MAX_CPUS ? (unsigned)n : 0;
}

static void read_kernel(const struct reader *reader, struct evc_probe *probe)
{
	struct evc_span rest = reader->sections[KERNEL], line;

	while (evc_span_line(&rest, &line)) {
		if (evc_span_skip(&line, "release "))
			probe->host.facts.kernel = keep(reader->arena, evc_span_trim(line));
		else if (evc_span_skip(&line, "online "))
			probe->cpus_missed = count_list(evc_span_trim(line)) > probe->n_cpus;
	}
}

static int compare_lines(const void *a, const void *b)
{
	const struct evc_probe_line *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* "spectre_v2: Mitigation: Retpolines" */
static bool read_vulnerability(struct evc_span line, struct evc_arena *arena, struct evc_probe_line *ret_line)
{
	size_t n = 0;

	while (n < line.length && (line.text[n] == '_' || (line.text[n] >= 'a' && line.text[n] <= 'z') ||
	                           (line.text[n] >= '0' && line.text[n] <= '9')))
		n++;
	if (!n || n > MAX_NAME || n == line.length || line.text[n] != ':')
		return false;
	ret_line->name = keep(arena, (struct evc_span){ .text = line.text, .length = n });
	ret_line->text = keep(arena, evc_span_trim((struct evc_span){ .text = line.text + n + 1,
	                                                              .length = line.length - n - 1 }));
	return true;
}

static void read_vulnerabilities(const struct reader *reader, struct evc_probe *probe)
{
	struct evc_span rest = reader->sections[VULNERABILITIES], line;
	struct evc_probe_line *lines;
	size_t n = 0;

	if (!rest.length)
		return;
	lines = evc_arena_array(reader->arena, MAX_VULNERABILITIES, sizeof(*lines));
	while (lines && n < MAX_VULNERABILITIES && evc_span_line(&rest, &line))
		n += read_vulnerability(line, reader->arena, &lines[n]);
	if (n)
		qsort(lines, n, sizeof(*lines), compare_lines);
	probe->vulnerabilities = lines;
	probe->n_vulnerabilities = lines ? n : 0;
}

/* "cpu 0 xcr0 0x7 stated 832 written 832 compact 832" */
static void read_xsave(const struct reader *reader, struct evc_probe *probe)
{
	struct evc_span rest = reader->sections[XSAVE], line;

	while (evc_span_line(&rest, &line)) {
		uint64_t cpu, xcr0, stated, written, compact;

		if (!take_number(&line, "cpu", EVC_MAX_CPUS, &cpu) ||
		    !take_number(&line, "xcr0", UINT64_MAX, &xcr0) ||
		    !take_number(&line, "stated", UINT32_MAX, &stated) ||
		    !take_number(&line, "written", UINT32_MAX, &written) ||
		    !take_number(&line, "compact", UINT32_MAX, &compact))
			continue;
		if (probe->has_xcr0) {
			probe->xcr0_differs |= xcr0 != probe->xcr0;
			continue;
		}
		probe->has_xcr0 = true;
		probe->xcr0 = xcr0;
		probe->xsave_stated = (uint32_t)stated;
		probe->xsave_written = (uint32_t)written;
		probe->compact_stated = (uint32_t)compact;
	}
}

static void read_outcome(struct evc_span line, struct evc_outcome *outcomes)
{
	struct evc_span word;
	uint64_t value;
	size_t at;

	if (!evc_span_word(&line, &word))
		return;
	at = evc_instruction_find(word);
	if (at == evc_n_instructions)
		return;
	outcomes[at] = (struct evc_outcome){ .kind = EVC_OUTCOME_NONE };
	if (take_number(&line, "ok", UINT32_MAX, &value))
		outcomes[at] = (struct evc_outcome){ .kind = EVC_OUTCOME_RAN, .value = (uint32_t)value };
	else if (take_number(&line, "vector", UINT8_MAX, &value))
		outcomes[at] = (struct evc_outcome){ .kind = EVC_OUTCOME_FAULT, .vector = (uint8_t)value };
}

static void read_instructions(const struct reader *reader, struct evc_probe *probe)
{
	struct evc_span rest = reader->sections[INSTRUCTIONS], line;
	struct evc_outcome *outcomes;

	if (!rest.length)
		return;
	outcomes = evc_arena_array(reader->arena, evc_n_instructions, sizeof(*outcomes));
	while (outcomes && evc_span_line(&rest, &line))
		read_outcome(line, outcomes);
	probe->outcomes = outcomes;
}

/* The MSRs of the CPU that stands for a kind; any says whether there was one.  One that faults is not there,
 * which is what zero says. */
static int add_msrs(const struct reader *reader, struct evc_dump *dump, bool *any, struct evc_error *err)
{
	struct evc_span rest = reader->sections[MSR], line;
	struct evc_dump_builder builder;
	struct evc_dump with;
	int status;

	evc_dump_begin(&builder, reader->arena);
	evc_dump_copy(&builder, dump);
	while (evc_span_line(&rest, &line)) {
		struct evc_span index, word;
		uint64_t cpu, msr, value;

		if (!take_number(&line, "cpu", EVC_MAX_CPUS, &cpu) || cpu != dump->cpu ||
		    !evc_span_word(&line, &index) || !evc_span_number(index, UINT32_MAX, &msr) ||
		    !evc_span_word(&line, &word))
			continue;
		if (evc_span_equals(word, "faults"))
			value = 0;
		else if (!evc_span_number(word, UINT64_MAX, &value))
			continue;
		evc_dump_set_msr(&builder, (uint32_t)msr, value, UINT64_MAX);
		*any = true;
	}
	status = evc_dump_finish(&builder, &with, err);
	if (status < 0)
		return status;
	with.cpu = dump->cpu;
	with.n_alike = dump->n_alike;
	with.skips_zero = dump->skips_zero;
	*dump = with;
	return EVC_OK;
}

static int read_msrs(const struct reader *reader, struct evc_probe *probe, struct evc_error *err)
{
	struct evc_span rest = reader->sections[MSR], line;
	struct evc_dump *cpus = evc_arena_array(reader->arena, probe->host.n_cpus, sizeof(*cpus));
	bool any = false;
	int status = EVC_OK;

	if (!cpus)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	memcpy(cpus, probe->host.cpus, probe->host.n_cpus * sizeof(*cpus));
	for (size_t i = 0; i < probe->host.n_cpus && status == EVC_OK; i++)
		status = add_msrs(reader, &cpus[i], &any, err);
	probe->host.cpus = cpus;
	if (any)
		return status;
	probe->msr = "they were not asked for";
	while (evc_span_line(&rest, &line))
		if (evc_span_skip(&line, "none: "))
			probe->msr = keep(reader->arena, evc_span_trim(line));
	return status;
}

static int read_cpuid(const struct reader *reader, const char *name, struct evc_probe *probe,
                      struct evc_error *err)
{
	struct evc_span text = reader->sections[CPUID];
	struct evc_hosts hosts = { 0 };
	int status;

	if (!text.length)
		return evc_fail(err, EVC_ERR_INPUT, "there is no section \"--- cpuid\"");
	status = evc_format_cpuid.read(text, name, reader->arena, &hosts, err);
	if (status < 0)
		return status;
	if (hosts.n != 1)
		return evc_fail(err, EVC_ERR_INPUT, "the section cpuid has %zu guests in it", hosts.n);
	probe->host = hosts.items[0];
	probe->host.format = "probe";
	for (size_t i = 0; i < probe->host.n_cpus; i++)
		probe->n_cpus += probe->host.cpus[i].n_alike;
	return EVC_OK;
}

bool evc_probe_recognise(struct evc_span text)
{
	struct evc_span line, name;

	while (evc_span_line(&text, &line))
		if (is_mark(line, &name) && evc_span_equals(name, section_names[CPUID]))
			return true;
	return false;
}

int evc_probe_read(struct evc_span text, const char *name, struct evc_arena *arena,
                   struct evc_probe *ret_probe, struct evc_error *err)
{
	struct reader reader = { .arena = arena };
	struct evc_probe probe = { .msr = "", .cpuinfo = "", .ran = true };
	int status;

	split(&reader, text);
	status = read_cpuid(&reader, name, &probe, err);
	if (status == EVC_OK)
		status = read_msrs(&reader, &probe, err);
	if (status < 0)
		return status;
	probe.complete = reader.complete;
	if (reader.sections[CPUINFO].length)
		probe.cpuinfo = keep(arena, reader.sections[CPUINFO]);
	read_kernel(&reader, &probe);
	read_vulnerabilities(&reader, &probe);
	read_xsave(&reader, &probe);
	read_instructions(&reader, &probe);
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_probe = probe;
	return EVC_OK;
}

/* A kernel may have said much before. */
static bool recognise(struct evc_span text)
{
	struct evc_span line, name;

	for (int i = 0; i < FIRST_LINES && evc_span_line(&text, &line); i++)
		if (is_mark(line, &name) && evc_span_equals(name, section_names[CPUID]))
			return true;
	return false;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct evc_probe probe;
	int status = evc_probe_read(text, name, arena, &probe, err);

	if (status == EVC_OK)
		evc_hosts_add(ret_hosts, arena, &probe.host);
	return status;
}

const struct evc_format evc_format_probe = {
	.name = "probe",
	.title = "what the probe guest prints",
	.recognise = recognise,
	.read = read,
};
