/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpuinfo.h"

#include "text/cpus.h"

#include <string.h>

/* "name\t: value" apart; false when the line has no name and colon. */
static bool split(const struct evc_lines *lines, struct evc_cpuinfo_line *ret_line)
{
	struct evc_span text = lines->line;
	const char *colon = text.length ? memchr(text.text, ':', text.length) : NULL;
	size_t length;

	if (!colon)
		return false;
	length = (size_t)(colon - text.text);
	ret_line->name = evc_span_trim((struct evc_span){ .text = text.text, .length = length });
	ret_line->value =
		evc_span_trim((struct evc_span){ .text = colon + 1, .length = text.length - length - 1 });
	ret_line->number = lines->number;
	ret_line->column = (unsigned)(ret_line->value.text - text.text) + 1;
	return ret_line->name.length > 0 && ret_line->name.length <= EVC_CPUINFO_MAX_NAME;
}

static bool is_blank(struct evc_span line)
{
	return !evc_span_trim(line).length;
}

/* "Linux version 5.4.0-139-generic (...", as /proc/version has it, or "Linux HOST 5.4.0-139-generic #...". */
static bool take_kernel(struct evc_span line, struct evc_span *ret_kernel)
{
	struct evc_span word, kernel;

	if (!evc_span_word(&line, &word) || !evc_span_equals(word, "Linux") || !evc_span_word(&line, &word) ||
	    !evc_span_word(&line, &kernel) || kernel.text[0] < '0' || kernel.text[0] > '9')
		return false;
	*ret_kernel = kernel;
	return true;
}

bool evc_cpuinfo_recognise(struct evc_span text)
{
	struct evc_span kernel;

	struct evc_lines lines = evc_lines_from(text);
	struct evc_cpuinfo_line line;
	unsigned n = 0;

	while (n < 2 && evc_lines_next(&lines)) {
		if (is_blank(lines.line) || (!n && take_kernel(lines.line, &kernel)))
			continue;
		if (!split(&lines, &line) || !evc_span_equals(line.name, n ? "vendor_id" : "processor"))
			return false;
		n++;
	}
	return n == 2;
}

const struct evc_cpuinfo_line *evc_cpuinfo_find(const struct evc_cpuinfo_cpu *cpu, const char *name)
{
	for (size_t i = 0; i < cpu->n_lines; i++)
		if (evc_span_equals(cpu->lines[i].name, name))
			return &cpu->lines[i];
	return NULL;
}

bool evc_cpuinfo_number(const struct evc_cpuinfo_cpu *cpu, const char *name, uint64_t max,
                        uint64_t *ret_value)
{
	const struct evc_cpuinfo_line *line = evc_cpuinfo_find(cpu, name);
	struct evc_span rest;
	uint64_t value;

	if (!line)
		return false;
	rest = line->value;
	if (!evc_span_decimal(&rest, &value) || rest.length || value > max)
		return false;
	*ret_value = value;
	return true;
}

bool evc_cpuinfo_has(const struct evc_cpuinfo_line *line, struct evc_span word)
{
	return line && evc_span_has_word(line->value, word);
}

struct reader {
	struct evc_lines lines;
	struct evc_arena *arena;
	struct evc_cpuinfo_cpu *cpus;
	size_t n_cpus, size_cpus;
	struct evc_cpuinfo_line open[EVC_CPUINFO_MAX_LINES]; /* of the CPU being read */
	size_t n_open;
	struct evc_span kernel;
};

/* Room for one more CPU. */
static bool grow(struct reader *reader)
{
	struct evc_cpuinfo_cpu *cpus = evc_arena_room(reader->arena, reader->cpus, reader->n_cpus,
	                                              &reader->size_cpus, 8, sizeof(*cpus));

	if (cpus)
		reader->cpus = cpus;
	return cpus != NULL;
}

static int close_cpu(struct reader *reader, struct evc_error *err)
{
	struct evc_cpuinfo_line *lines;
	struct evc_cpuinfo_cpu cpu = { .lines = reader->open, .n_lines = reader->n_open };
	uint64_t number = 0;

	if (!reader->n_open)
		return EVC_OK;
	lines = evc_arena_array(reader->arena, reader->n_open, sizeof(*lines));
	if (!lines || !grow(reader))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_cpuinfo_number(&cpu, "processor", UINT32_MAX, &number);
	memcpy(lines, reader->open, reader->n_open * sizeof(*lines));
	cpu.lines = lines;
	cpu.number = (uint32_t)number;
	reader->cpus[reader->n_cpus++] = cpu;
	reader->n_open = 0;
	return EVC_OK;
}

/* The first line of a CPU: its number, higher than the one before. */
static int check_first(struct reader *reader, const struct evc_cpuinfo_line *line, struct evc_error *err)
{
	struct evc_span rest = line->value;
	uint64_t number;

	if (!evc_span_equals(line->name, "processor"))
		return evc_lines_fail(&reader->lines, line->name, err,
		                      "a CPU begins with a line \"processor\"");
	if (!evc_span_decimal(&rest, &number) || rest.length || number > UINT32_MAX)
		return evc_lines_fail(&reader->lines, line->value, err, "expected the number of a processor");
	if (reader->n_cpus && number <= reader->cpus[reader->n_cpus - 1].number)
		return evc_lines_fail(&reader->lines, line->value, err,
		                      "the numbers of processors must rise: two texts in one?");
	if (reader->n_cpus >= EVC_MAX_CPUS)
		return evc_fail(err, EVC_ERR_LIMIT, "more than %d logical CPUs in one host", EVC_MAX_CPUS);
	return EVC_OK;
}

static bool is_open(const struct reader *reader, struct evc_span name)
{
	for (size_t i = 0; i < reader->n_open; i++)
		if (reader->open[i].name.length == name.length &&
		    !memcmp(reader->open[i].name.text, name.text, name.length))
			return true;
	return false;
}

static int read_line(struct reader *reader, struct evc_error *err)
{
	struct evc_cpuinfo_line line;
	int status;

	if (is_blank(reader->lines.line))
		return close_cpu(reader, err);
	if (!reader->n_open && !reader->n_cpus && !reader->kernel.length &&
	    take_kernel(reader->lines.line, &reader->kernel))
		return EVC_OK;
	if (!split(&reader->lines, &line))
		return evc_lines_fail(&reader->lines, reader->lines.line, err,
		                      "expected a name, a colon and a value");
	if (!reader->n_open && (status = check_first(reader, &line, err)) < 0)
		return status;
	if (is_open(reader, line.name))
		return evc_lines_fail(&reader->lines, line.name, err, "a second line \"%.*s\" for one CPU",
		                      (int)line.name.length, line.name.text);
	if (line.value.length > EVC_CPUINFO_MAX_VALUE)
		return evc_lines_fail(&reader->lines, line.name, err, "more than %d characters in a line",
		                      EVC_CPUINFO_MAX_VALUE);
	if (reader->n_open == EVC_CPUINFO_MAX_LINES)
		return evc_lines_fail(&reader->lines, line.name, err, "more than %d lines for one CPU",
		                      EVC_CPUINFO_MAX_LINES);
	reader->open[reader->n_open++] = line;
	return EVC_OK;
}

int evc_cpuinfo_read(struct evc_span text, struct evc_arena *arena, struct evc_cpuinfo *ret_cpuinfo,
                     struct evc_error *err)
{
	struct reader reader = { .lines = evc_lines_from(text), .arena = arena };
	int status = EVC_OK;

	while (status == EVC_OK && evc_lines_next(&reader.lines))
		status = read_line(&reader, err);
	if (status == EVC_OK)
		status = close_cpu(&reader, err);
	if (status < 0) {
		if (err && !err->line)
			err->line = reader.lines.number;
		return status;
	}
	if (!reader.n_cpus)
		return evc_fail(err, EVC_ERR_INPUT, "no CPU in it");
	*ret_cpuinfo =
		(struct evc_cpuinfo){ .cpus = reader.cpus, .n_cpus = reader.n_cpus, .kernel = reader.kernel };
	return EVC_OK;
}
