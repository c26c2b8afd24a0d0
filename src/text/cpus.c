/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpus.h"

#include "core/alike.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct evc_lines evc_lines_from(struct evc_span text)
{
	struct evc_lines lines = { .rest = text };

	evc_span_skip(&lines.rest, "\xef\xbb\xbf");
	return lines;
}

bool evc_lines_next(struct evc_lines *lines)
{
	if (!evc_span_line(&lines->rest, &lines->line))
		return false;
	lines->number++;
	return true;
}

int evc_lines_fail(const struct evc_lines *lines, struct evc_span at, struct evc_error *err,
                   const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return evc_fail_at(err, EVC_ERR_INPUT, lines->number, (unsigned)(at.text - lines->line.text) + 1,
	                   "%s", text);
}

void evc_cpus_begin(struct evc_cpus *cpus, struct evc_arena *arena)
{
	*cpus = (struct evc_cpus){ .arena = arena };
	evc_dump_begin(&cpus->builder, arena);
}

bool evc_cpus_empty(const struct evc_cpus *cpus)
{
	return !cpus->n && !cpus->builder.n_leaves && !cpus->builder.n_msrs;
}

uint32_t evc_cpus_first(const struct evc_cpus *cpus)
{
	return cpus->n ? cpus->items[0].cpu : cpus->cpu;
}

/* The dump's arrays in memory of their own size: the builder's are used again. */
static void settle(struct evc_arena *arena, struct evc_dump *dump)
{
	struct evc_leaf *leaves = evc_arena_array(arena, dump->n_leaves + 1, sizeof(*leaves));
	struct evc_msr *msrs = evc_arena_array(arena, dump->n_msrs + 1, sizeof(*msrs));

	if (leaves && dump->n_leaves)
		memcpy(leaves, dump->leaves, dump->n_leaves * sizeof(*leaves));
	if (msrs && dump->n_msrs)
		memcpy(msrs, dump->msrs, dump->n_msrs * sizeof(*msrs));
	dump->leaves = leaves;
	dump->msrs = msrs;
}

/* Texts that were put together number their CPUs twice; a host has each number once. */
static uint32_t free_number(struct evc_cpus *cpus, uint32_t number)
{
	for (size_t i = 0; i < cpus->n; i++)
		if (cpus->items[i].cpu == number && cpus->highest < UINT32_MAX) {
			number = cpus->highest + 1;
			break;
		}
	if (!cpus->n || number > cpus->highest)
		cpus->highest = number;
	return number;
}

static int append(struct evc_cpus *cpus, struct evc_dump *dump, uint64_t hash, struct evc_error *err)
{
	size_t size = cpus->size;
	struct evc_dump *items = evc_arena_room(cpus->arena, cpus->items, cpus->n, &size, 4, sizeof(*items));
	uint64_t *hashes =
		evc_arena_room(cpus->arena, cpus->hashes, cpus->n, &cpus->size, 4, sizeof(*hashes));

	if (!items || !hashes)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	cpus->items = items;
	cpus->hashes = hashes;
	settle(cpus->arena, dump);
	dump->cpu = free_number(cpus, dump->cpu);
	cpus->hashes[cpus->n] = hash;
	cpus->items[cpus->n++] = *dump;
	return EVC_OK;
}

/* End the open CPU: count it with its kind, or make it a new kind. */
static int close_cpu(struct evc_cpus *cpus, struct evc_error *err)
{
	struct evc_dump dump;
	uint64_t hash;
	int status;

	cpus->open = false;
	if (!cpus->builder.n_leaves && !cpus->builder.n_msrs && !cpus->builder.overflow)
		return EVC_OK;
	status = evc_dump_finish(&cpus->builder, &dump, err);
	if (status < 0)
		return status;
	cpus->builder.n_leaves = cpus->builder.n_msrs = 0;
	if (++cpus->n_total > EVC_MAX_CPUS)
		return evc_fail(err, EVC_ERR_LIMIT, "more than %d logical CPUs in one host", EVC_MAX_CPUS);
	dump.cpu = cpus->cpu;
	dump.skips_zero = cpus->skips_zero;
	hash = evc_dump_kind_hash(&dump);
	for (size_t i = 0; i < cpus->n; i++)
		if (cpus->hashes[i] == hash && evc_dump_alike(&cpus->items[i], &dump)) {
			cpus->items[i].n_alike++;
			return EVC_OK;
		}
	return append(cpus, &dump, hash, err);
}

int evc_cpus_open(struct evc_cpus *cpus, uint32_t number, struct evc_error *err)
{
	int status = close_cpu(cpus, err);

	cpus->open = true;
	cpus->cpu = number;
	cpus->last_leaf = UINT32_MAX;
	return status;
}

int evc_cpus_leaf(struct evc_cpus *cpus, uint32_t leaf, uint32_t subleaf, const uint32_t value[static 4],
                  struct evc_error *err)
{
	if (!cpus->open) {
		int status = evc_cpus_open(cpus, (uint32_t)cpus->n_total, err);

		if (status < 0)
			return status;
	}
	evc_dump_set_leaf(&cpus->builder, leaf, subleaf, value);
	cpus->last_leaf = leaf;
	cpus->next_subleaf = subleaf + 1;
	return EVC_OK;
}

int evc_cpus_repeated(struct evc_cpus *cpus, uint32_t leaf, const uint32_t value[static 4],
                      struct evc_error *err)
{
	uint32_t subleaf = cpus->open && cpus->last_leaf == leaf ? cpus->next_subleaf : 0;

	return evc_cpus_leaf(cpus, leaf, subleaf, value, err);
}

int evc_cpus_msr(struct evc_cpus *cpus, uint32_t number, uint32_t index, uint64_t value,
                 struct evc_error *err)
{
	struct evc_cpus_msr *msrs =
		evc_arena_room(cpus->arena, cpus->msrs, cpus->n_msrs, &cpus->size_msrs, 64, sizeof(*msrs));

	if (!msrs)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	cpus->msrs = msrs;
	cpus->msrs[cpus->n_msrs] =
		(struct evc_cpus_msr){ .cpu = number, .index = index, .value = value, .order = cpus->n_msrs };
	cpus->n_msrs++;
	return EVC_OK;
}

static int compare_msrs(const void *a, const void *b)
{
	const struct evc_cpus_msr *x = a, *y = b;

	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* The first MSR of the CPU, or where it would be. */
static size_t first_msr(const struct evc_cpus *cpus, uint32_t cpu)
{
	size_t low = 0, high = cpus->n_msrs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cpus->msrs[middle].cpu < cpu)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* MSRs to the kinds whose first CPU they were read on; those of other CPUs say nothing more. */
static int give_msrs(struct evc_cpus *cpus, struct evc_error *err)
{
	if (!cpus->n_msrs)
		return EVC_OK;
	qsort(cpus->msrs, cpus->n_msrs, sizeof(*cpus->msrs), compare_msrs);
	for (size_t i = 0; i < cpus->n; i++) {
		struct evc_dump *dump = &cpus->items[i], msrs;
		struct evc_dump_builder builder;
		int status;

		evc_dump_begin(&builder, cpus->arena);
		for (size_t m = first_msr(cpus, dump->cpu);
		     m < cpus->n_msrs && cpus->msrs[m].cpu == dump->cpu; m++)
			evc_dump_set_msr(&builder, cpus->msrs[m].index, cpus->msrs[m].value, UINT64_MAX);
		status = evc_dump_finish(&builder, &msrs, err);
		if (status < 0)
			return status;
		dump->msrs = msrs.msrs;
		dump->n_msrs = msrs.n_msrs;
	}
	cpus->n_msrs = 0;
	return EVC_OK;
}

void evc_host_begin(struct evc_host *host, const char *name, const char *format)
{
	*host = (struct evc_host){
		.name = name ? name : "",
		.format = format,
		.facts = { .kernel = "",
		           .qemu = "",
		           .firmware = "",
		           .kvm_module = "",
		           .kvm_options = "",
		           .origin = "",
		           .licence = "" },
	};
}

int evc_cpus_finish(struct evc_cpus *cpus, struct evc_span name, const char *format, struct evc_hosts *hosts,
                    struct evc_error *err)
{
	struct evc_host host;
	int status = close_cpu(cpus, err);

	if (status < 0)
		return status;
	if (!cpus->n)
		return evc_fail(err, EVC_ERR_INPUT, "no CPUID leaf in it");
	status = give_msrs(cpus, err);
	if (status < 0)
		return status;
	evc_host_begin(&host, evc_arena_string(cpus->arena, name.text, name.length), format);
	host.cpus = cpus->items;
	host.n_cpus = cpus->n;
	evc_hosts_add(hosts, cpus->arena, &host);
	if (evc_arena_failed(cpus->arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	cpus->items = NULL;
	cpus->hashes = NULL;
	cpus->n = cpus->size = cpus->n_total = 0;
	return EVC_OK;
}

void evc_format_loses(struct evc_findings *findings, const struct evc_host *host, const char *format,
                      const char *detail)
{
	if (!findings)
		return;
	evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_TARGET_LOSS,
	                                                 .severity = EVC_WARNING,
	                                                 .feature = EVC_N_FEATURES,
	                                                 .subject = host->name,
	                                                 .other = format,
	                                                 .detail = detail });
}

bool evc_leaf_whole(const struct evc_leaf *leaf)
{
	return (leaf->known[0] & leaf->known[1] & leaf->known[2] & leaf->known[3]) == UINT32_MAX;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static bool has_facts(const struct evc_facts *facts)
{
	return or_empty(facts->kernel)[0] || or_empty(facts->qemu)[0] || or_empty(facts->firmware)[0] ||
	       or_empty(facts->kvm_module)[0] || or_empty(facts->kvm_options)[0] || facts->microcode ||
	       facts->tsc_khz;
}

void evc_format_usual_losses(struct evc_findings *findings, const struct evc_host *host, const char *format,
                             unsigned holds)
{
	bool alike = false, msrs = false, partial = false, skips = false;

	for (size_t c = 0; c < host->n_cpus; c++) {
		const struct evc_dump *dump = &host->cpus[c];

		alike |= dump->n_alike > 1;
		msrs |= dump->n_msrs > 0;
		skips |= dump->skips_zero;
		for (size_t i = 0; i < dump->n_leaves; i++)
			partial |= !evc_leaf_whole(&dump->leaves[i]);
	}
	if (host->n_cpus > 1 && !(holds & EVC_HOLDS_CPUS))
		evc_format_loses(findings, host, format, "all kinds of logical CPU but the first");
	if (alike)
		evc_format_loses(findings, host, format, "how many logical CPUs are alike");
	if (msrs && !(holds & EVC_HOLDS_MSRS))
		evc_format_loses(findings, host, format, "MSRs");
	if (partial && !(holds & EVC_HOLDS_PARTIAL))
		evc_format_loses(findings, host, format, "leaves that are known in part only");
	if (skips && !(holds & EVC_HOLDS_SKIPS))
		evc_format_loses(findings, host, format, "that leaves left out are zero");
	if (host->kvm || host->kvm_emulated)
		evc_format_loses(findings, host, format, "what KVM said that it can offer");
	if (has_facts(&host->facts))
		evc_format_loses(findings, host, format, "kernel, microcode and firmware versions");
}

bool evc_span_registers(struct evc_span *span, const char *separators, uint32_t ret_value[static 4])
{
	struct evc_span at = *span;
	uint32_t value[4];

	for (int reg = 0; reg < 4; reg++) {
		uint64_t number;

		if (reg) {
			if (!at.length || !strchr(separators, at.text[0]) || !at.text[0])
				return false;
			at.text++;
			at.length--;
		}
		if (!evc_span_hex(&at, &number) || number > UINT32_MAX)
			return false;
		value[reg] = (uint32_t)number;
	}
	memcpy(ret_value, value, sizeof(value));
	*span = at;
	return true;
}
