/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Linux's `kcpuid -r` prints:
 *
 *     Basic Leafs :
 *     =============
 *     0x00000000: EAX=0x0000001c, EBX=0x68747541, ECX=0x444d4163, EDX=0x69746e65
 *     0x00000007: subleafs:
 *       0: EAX=0x00000001, EBX=0xf1bf07ab, ECX=0x00405fc6, EDX=0x00000010
 *
 * One CPU.  Subleaf numbers are decimal.  Leaves and subleaves that are all zero are left out, so
 * what is not there is zero; except subleaves of leaves that the program does not know to have any,
 * and prints on one line.
 */
#include "text/cpus.h"

#include <string.h>

enum { RECOGNISE_LINES = 256 };

static const char *const reg_names[] = { "EAX=0x", "EBX=0x", "ECX=0x", "EDX=0x" };

/* "EAX=0x1, EBX=0x2, ..." from the front; what cannot be read stays in *at. */
static bool take_registers(struct evc_span *at, uint32_t value[static 4])
{
	uint64_t number;

	for (int reg = 0; reg < 4; reg++) {
		struct evc_span rest = *at;

		if (reg && !evc_span_skip(&rest, ","))
			return false;
		evc_span_skip_blanks(&rest);
		if (!evc_span_skip(&rest, reg_names[reg]) || !evc_span_hex(&rest, &number) ||
		    number > UINT32_MAX)
			return false;
		value[reg] = (uint32_t)number;
		*at = rest;
	}
	return true;
}

/* "0x00000007:" from the front. */
static bool take_leaf(struct evc_span *at, uint64_t *ret_leaf)
{
	struct evc_span rest = *at;

	if (!evc_span_skip(&rest, "0x") || !evc_span_hex(&rest, ret_leaf) || *ret_leaf > UINT32_MAX ||
	    !evc_span_skip(&rest, ":"))
		return false;
	evc_span_skip_blanks(&rest);
	*at = rest;
	return true;
}

static bool recognise(struct evc_span text)
{
	struct evc_lines lines = evc_lines_from(text);
	uint32_t value[4];
	uint64_t leaf;

	while (lines.number < RECOGNISE_LINES && evc_lines_next(&lines)) {
		struct evc_span at = evc_span_trim(lines.line);

		if (take_leaf(&at, &leaf) && (evc_span_starts(at, "subleafs:") || take_registers(&at, value)))
			return true;
	}
	return false;
}

struct reader {
	struct evc_lines lines;
	struct evc_cpus cpus;
	uint32_t leaf; /* whose subleaves are being listed */
	bool listing;
};

/* What the leaf's further subleaves hold was not asked for: unknown, although zeros are left out. */
static void doubt_subleaves(struct evc_cpus *cpus, uint32_t leaf)
{
	static const struct {
		uint32_t leaf, last;
	} rows[] = {
		{ .leaf = 0x7, .last = 2 },        { .leaf = 0xd, .last = 31 },
		{ .leaf = 0x12, .last = 2 },       { .leaf = 0x14, .last = 1 },
		{ .leaf = 0x17, .last = 3 },       { .leaf = 0x18, .last = 8 },
		{ .leaf = 0x1d, .last = 1 },       { .leaf = 0x1e, .last = 1 },
		{ .leaf = 0x20, .last = 1 },       { .leaf = 0x23, .last = 5 },
		{ .leaf = 0x24, .last = 1 },       { .leaf = 0x80000020, .last = 3 },
		{ .leaf = 0x80000026, .last = 3 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint32_t subleaf = 1; rows[i].leaf == leaf && subleaf <= rows[i].last; subleaf++)
			evc_dump_set_bits(&cpus->builder,
			                  &(struct evc_leaf){ .leaf = leaf, .subleaf = subleaf });
}

static int read_subleaf(struct reader *reader, struct evc_span at, struct evc_error *err)
{
	struct evc_span start = at;
	uint64_t subleaf;
	uint32_t value[4];

	if (!evc_span_decimal(&at, &subleaf) || subleaf > UINT32_MAX || !evc_span_skip(&at, ":"))
		return evc_lines_fail(&reader->lines, start, err, "expected a decimal subleaf and a colon");
	evc_span_skip_blanks(&at);
	if (!take_registers(&at, value))
		return evc_lines_fail(&reader->lines, at, err,
		                      "expected registers as EAX=0x0, EBX=0x0, ECX=0x0, EDX=0x0");
	return evc_cpus_leaf(&reader->cpus, reader->leaf, (uint32_t)subleaf, value, err);
}

static int read_line(struct reader *reader, struct evc_error *err)
{
	struct evc_span at = evc_span_trim(reader->lines.line), start = at;
	uint32_t value[4];
	uint64_t leaf;
	int status;

	if (!at.length)
		return EVC_OK;
	if (reader->listing && at.text[0] >= '0' && at.text[0] <= '9' && !evc_span_starts(at, "0x"))
		return read_subleaf(reader, at, err);
	if (!evc_span_starts(at, "0x"))
		return EVC_OK; /* headings */
	if (!take_leaf(&at, &leaf))
		return evc_lines_fail(&reader->lines, start, err, "expected a leaf as 0x00000007:");
	reader->leaf = (uint32_t)leaf;
	reader->listing = evc_span_starts(at, "subleafs:");
	if (reader->listing || evc_span_starts(at, "..."))
		return EVC_OK; /* old ones print dots for a leaf that is zero */
	if (!take_registers(&at, value))
		return evc_lines_fail(
			&reader->lines, at, err,
			"expected subleafs: or registers as EAX=0x0, EBX=0x0, ECX=0x0, EDX=0x0");
	status = evc_cpus_leaf(&reader->cpus, (uint32_t)leaf, 0, value, err);
	if (status == EVC_OK)
		doubt_subleaves(&reader->cpus, (uint32_t)leaf);
	return status;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	struct reader reader = { .lines = evc_lines_from(text) };

	evc_cpus_begin(&reader.cpus, arena);
	reader.cpus.skips_zero = true;
	while (evc_lines_next(&reader.lines)) {
		int status = read_line(&reader, err);

		if (status < 0) {
			if (err && !err->line)
				err->line = reader.lines.number;
			return status;
		}
	}
	return evc_cpus_finish(&reader.cpus, evc_span_from(name), "kcpuid", ret_hosts, err);
}

static bool is_zero(const struct evc_leaf *leaf)
{
	return !(leaf->value[0] | leaf->value[1] | leaf->value[2] | leaf->value[3]);
}

static void write_registers(struct evc_sink *sink, const struct evc_leaf *leaf)
{
	evc_sink_printf(sink, "EAX=0x%08x, EBX=0x%08x, ECX=0x%08x, EDX=0x%08x\n", leaf->value[EVC_EAX],
	                leaf->value[EVC_EBX], leaf->value[EVC_ECX], leaf->value[EVC_EDX]);
}

/* All that is stored of the leaf at leaves[0]; returns how many. */
static size_t write_leaf(struct evc_sink *sink, const struct evc_leaf *leaves, size_t n_leaves)
{
	size_t n = 1, written = 0;
	bool listing;

	while (n < n_leaves && leaves[n].leaf == leaves[0].leaf)
		n++;
	listing = n > 1 || leaves[0].subleaf;
	for (size_t i = 0; i < n; i++) {
		if (!evc_leaf_whole(&leaves[i]) || is_zero(&leaves[i]))
			continue;
		if (!listing)
			evc_sink_printf(sink, "0x%08x: ", leaves[i].leaf);
		else if (!written++)
			evc_sink_printf(sink, "0x%08x: subleafs:\n", leaves[i].leaf);
		if (listing)
			evc_sink_printf(sink, " %2u: ", leaves[i].subleaf);
		write_registers(sink, &leaves[i]);
	}
	return n;
}

static int write(const struct evc_host *host, struct evc_sink *sink, struct evc_findings *findings,
                 struct evc_error *err)
{
	static const struct {
		uint32_t first, last;
		const char *title;
	} ranges[] = {
		{ 0, 0x3fffffff, "Basic Leafs :\n================\n" },
		{ 0x40000000, 0x7fffffff, "\nHypervisor Leafs :\n==================\n" },
		{ 0x80000000, 0x8085ffff, "\nExtended Leafs :\n================\n" },
		{ 0x80860000, UINT32_MAX, "\nOther Leafs :\n=============\n" },
	};
	const struct evc_dump *dump = &host->cpus[0];
	size_t i = 0;

	if (!host->n_cpus)
		return evc_fail(err, EVC_ERR_INPUT, "nothing is known of the CPUs of %s", host->name);
	evc_format_usual_losses(findings, host, "kcpuid", EVC_HOLDS_SKIPS);
	if (!dump->skips_zero)
		evc_format_loses(findings, host, "kcpuid",
		                 "which leaves are unknown: it means zero by what it leaves out");
	for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
		if (i < dump->n_leaves && dump->leaves[i].leaf <= ranges[r].last)
			evc_sink_puts(sink, ranges[r].title);
		while (i < dump->n_leaves && dump->leaves[i].leaf <= ranges[r].last)
			i += write_leaf(sink, &dump->leaves[i], dump->n_leaves - i);
	}
	return EVC_OK;
}

const struct evc_format evc_format_kcpuid = {
	.name = "kcpuid",
	.title = "Linux's kcpuid -r, one CPU",
	.recognise = recognise,
	.read = read,
	.write = write,
};
