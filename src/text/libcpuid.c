/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcpuid's raw form (`cpuid_tool --save=FILE`) and its test files:
 *
 *     _________________ Logical CPU #0 _________________
 *     basic_cpuid[7]=00000000 219c91a9 00400004 00000000
 *     ext_cpuid[1]=00830f10 40000000 75c237ff 2fd3fbff
 *     intel_fn4[0]=...
 *
 * Indices are decimal.  Its arrays are of fixed size, so that there are leaves above the highest
 * one, and no subleaves but those of some leaves: what an array does not hold stays unknown.
 * A line of dashes ends the dump; what libcpuid expects of it follows and is not read.
 */
#include "text/cpus.h"

#include <string.h>

enum { RECOGNISE_LINES = 64, DASHES = 40 };

/* An array of libcpuid's: its index is a leaf from base on, or a subleaf of base. */
struct array {
	const char *name;
	uint32_t base;
	uint32_t n; /* what libcpuid itself accepts */
	bool subleaves;
};

static const struct array arrays[] = {
	{ .name = "basic_cpuid", .base = 0, .n = 32 },
	{ .name = "ext_cpuid", .base = 0x80000000, .n = 32 },
	{ .name = "intel_fn4", .base = 0x4, .n = 8, .subleaves = true },
	{ .name = "intel_fn11", .base = 0xb, .n = 4, .subleaves = true },
	{ .name = "intel_fn12h", .base = 0x12, .n = 4, .subleaves = true },
	{ .name = "intel_fn14h", .base = 0x14, .n = 4, .subleaves = true },
	{ .name = "amd_fn8000001dh", .base = 0x8000001d, .n = 4, .subleaves = true },
	{ .name = "amd_fn80000026h", .base = 0x80000026, .n = 4, .subleaves = true },
};

enum { N_ARRAYS = sizeof(arrays) / sizeof(arrays[0]) };

/* The array that the line names, with *at behind its bracket. */
static const struct array *take_array(struct evc_span *at)
{
	for (size_t i = 0; i < N_ARRAYS && at->length; i++) {
		struct evc_span rest = *at;

		if (rest.text[0] == arrays[i].name[0] && evc_span_skip(&rest, arrays[i].name) &&
		    evc_span_skip(&rest, "[")) {
			*at = rest;
			return &arrays[i];
		}
	}
	return NULL;
}

static bool recognise(struct evc_span text)
{
	struct evc_lines lines = evc_lines_from(text);

	while (lines.number < RECOGNISE_LINES && evc_lines_next(&lines)) {
		struct evc_span at = evc_span_trim(lines.line);

		if (evc_span_starts(at, "arm_midr=") || take_array(&at))
			return true;
	}
	return false;
}

static int read_registers(const struct evc_lines *lines, struct evc_cpus *cpus, const struct array *array,
                          struct evc_span at, struct evc_error *err)
{
	struct evc_span start = at;
	uint32_t value[4];
	uint64_t index;

	if (!evc_span_decimal(&at, &index) || index >= EVC_MAX_LEAVES)
		return evc_lines_fail(lines, start, err, "expected a decimal index below %d", EVC_MAX_LEAVES);
	if (!evc_span_skip(&at, "]") || !evc_span_skip(&at, "="))
		return evc_lines_fail(lines, at, err, "expected ]= and four registers");
	evc_span_skip_blanks(&at);
	if (!evc_span_registers(&at, " ", value))
		return evc_lines_fail(lines, at, err, "expected four registers of 8 hexadecimal digits");
	if (array->subleaves)
		return evc_cpus_leaf(cpus, array->base, (uint32_t)index, value, err);
	return evc_cpus_leaf(cpus, array->base + (uint32_t)index, 0, value, err);
}

/* "____ Logical CPU #3 ____" */
static bool is_heading(struct evc_span line, uint64_t *ret_number)
{
	struct evc_span at = line;

	while (evc_span_skip(&at, "_"))
		;
	evc_span_skip_blanks(&at);
	return evc_span_skip(&at, "Logical CPU #") && evc_span_decimal(&at, ret_number) &&
	       *ret_number <= UINT32_MAX;
}

static bool is_end(struct evc_span line)
{
	for (size_t i = 0; i < line.length; i++)
		if (line.text[i] != '-')
			return false;
	return line.length >= DASHES;
}

static int read_line(const struct evc_lines *lines, struct evc_cpus *cpus, struct evc_error *err)
{
	struct evc_span at = evc_span_trim(lines->line);
	const struct array *array;
	uint64_t number;

	if (evc_span_starts(at, "arm_"))
		return evc_lines_fail(lines, at, err,
		                      "not an x86 CPU: expected basic_cpuid, found an ARM register");
	if (is_heading(at, &number))
		return evc_cpus_open(cpus, (uint32_t)number, err);
	array = take_array(&at);
	return array ? read_registers(lines, cpus, array, at, err) : EVC_OK;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct evc_lines lines = evc_lines_from(text);
	struct evc_cpus cpus;

	evc_cpus_begin(&cpus, arena);
	while (evc_lines_next(&lines)) {
		int status;

		if (is_end(evc_span_trim(lines.line)) && !evc_cpus_empty(&cpus))
			break;
		status = read_line(&lines, &cpus, err);
		if (status < 0) {
			if (err && !err->line)
				err->line = lines.number;
			return status;
		}
	}
	return evc_cpus_finish(&cpus, evc_span_from(name), "libcpuid", ret_hosts, err);
}

/* Does the array hold this leaf, and at which index? */
static bool holds(const struct array *array, const struct evc_leaf *leaf, uint32_t *ret_index)
{
	if (array->subleaves ? leaf->leaf != array->base : leaf->subleaf || leaf->leaf < array->base)
		return false;
	*ret_index = array->subleaves ? leaf->subleaf : leaf->leaf - array->base;
	return *ret_index < array->n;
}

static void write_cpu(const struct evc_dump *dump, struct evc_sink *sink)
{
	uint32_t index;

	evc_sink_printf(sink, "_________________ Logical CPU #%u _________________\n", dump->cpu);
	for (size_t a = 0; a < N_ARRAYS; a++)
		for (size_t i = 0; i < dump->n_leaves; i++) {
			const struct evc_leaf *leaf = &dump->leaves[i];

			if (evc_leaf_whole(leaf) && holds(&arrays[a], leaf, &index))
				evc_sink_printf(sink, "%s[%u]=%08x %08x %08x %08x\n", arrays[a].name, index,
				                leaf->value[EVC_EAX], leaf->value[EVC_EBX],
				                leaf->value[EVC_ECX], leaf->value[EVC_EDX]);
		}
}

/* A leaf or subleaf that no array holds. */
static bool has_others(const struct evc_dump *dump)
{
	for (size_t i = 0; i < dump->n_leaves; i++) {
		uint32_t index;
		size_t a = 0;

		while (a < N_ARRAYS && !holds(&arrays[a], &dump->leaves[i], &index))
			a++;
		if (a == N_ARRAYS)
			return true;
	}
	return false;
}

static int write(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                 struct evc_error *err)
{
	bool others = false;

	(void)err;
	evc_format_usual_losses(findings, host, "libcpuid", EVC_HOLDS_CPUS);
	evc_sink_puts(sink, "version=0.8.2\n\n");
	for (size_t i = 0; i < host->n_cpus; i++) {
		others |= has_others(&host->cpus[i]);
		write_cpu(&host->cpus[i], sink);
	}
	if (others)
		evc_format_loses(
			findings, host, "libcpuid",
			"subleaves of leaves as 7 and 0xd, leaves above 0x1f and those of hypervisors");
	return EVC_OK;
}

const struct evc_format evc_format_libcpuid = {
	.name = "libcpuid",
	.title = "libcpuid's raw data, without most subleaves",
	.recognise = recognise,
	.read = read,
	.write = write,
};
