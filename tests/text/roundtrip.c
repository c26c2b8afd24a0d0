/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "roundtrip.h"

#include <string.h>

static bool whole(const struct evc_leaf *leaf)
{
	return (leaf->known[0] & leaf->known[1] & leaf->known[2] & leaf->known[3]) == UINT32_MAX;
}

static bool zero(const struct evc_leaf *leaf)
{
	return !(leaf->value[0] | leaf->value[1] | leaf->value[2] | leaf->value[3]);
}

static bool same_leaf(const struct evc_leaf *a, const struct evc_leaf *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static bool same_dump(const struct evc_dump *a, const struct evc_dump *b)
{
	if (a->n_leaves != b->n_leaves || a->n_msrs != b->n_msrs || a->cpu != b->cpu ||
	    a->n_alike != b->n_alike || a->skips_zero != b->skips_zero)
		return false;
	for (size_t i = 0; i < a->n_leaves; i++)
		if (!same_leaf(&a->leaves[i], &b->leaves[i]))
			return false;
	for (size_t i = 0; i < a->n_msrs; i++)
		if (a->msrs[i].index != b->msrs[i].index || a->msrs[i].value != b->msrs[i].value ||
		    a->msrs[i].known != b->msrs[i].known)
			return false;
	return true;
}

static bool same_measured(const struct evc_dump *a, const struct evc_dump *b)
{
	return a && b ? same_dump(a, b) : a == b;
}

/* The own form holds everything. */
static const char *compare_all(const struct evc_host *a, const struct evc_host *b)
{
	if (a->n_cpus != b->n_cpus)
		return "another number of CPUs";
	for (size_t i = 0; i < a->n_cpus; i++)
		if (!same_dump(&a->cpus[i], &b->cpus[i]))
			return "a CPU differs";
	if (!same_measured(a->kvm, b->kvm) || !same_measured(a->kvm_emulated, b->kvm_emulated))
		return "what KVM said differs";
	if (a->facts.microcode != b->facts.microcode || a->facts.tsc_khz != b->facts.tsc_khz ||
	    strcmp(a->facts.kernel, b->facts.kernel) || strcmp(a->facts.origin, b->facts.origin))
		return "facts differ";
	return "";
}

/* A form without names for what is unknown: what comes back was there, and nothing whole is lost
 * that the form has a place for. */
static const char *compare_dump(const struct evc_format *format, const struct evc_dump *a,
                                const struct evc_dump *b)
{
	bool libcpuid = !strcmp(format->name, "libcpuid"), kcpuid = !strcmp(format->name, "kcpuid");

	if (a->cpu != b->cpu && !kcpuid && strcmp(format->name, "libvirt"))
		return "another CPU number";
	for (size_t i = 0; i < b->n_leaves; i++) {
		const uint32_t *some = b->leaves[i].known;
		const struct evc_leaf *leaf = evc_dump_find(a, b->leaves[i].leaf, b->leaves[i].subleaf);

		/* kcpuid marks what it did not ask for */
		if (!(some[0] | some[1] | some[2] | some[3]))
			continue;
		if (!leaf)
			return "a leaf that was not there";
		for (int reg = 0; reg < 4; reg++)
			if ((leaf->value[reg] ^ b->leaves[i].value[reg]) & b->leaves[i].known[reg] ||
			    b->leaves[i].known[reg] & ~leaf->known[reg])
				return "a leaf differs";
	}
	for (size_t i = 0; i < a->n_leaves && !libcpuid; i++) {
		const struct evc_leaf *leaf = &a->leaves[i];

		if (whole(leaf) && !(kcpuid && zero(leaf)) && !evc_dump_find(b, leaf->leaf, leaf->subleaf))
			return "a leaf is lost";
	}
	for (size_t i = 0; i < b->n_msrs; i++) {
		uint64_t known, value = evc_dump_register(a, b->msrs[i].index, 0, EVC_MSR, &known);

		if (known != b->msrs[i].known || value != b->msrs[i].value)
			return "an MSR differs";
	}
	return "";
}

/* Has the CPU anything that the form can say? */
static bool sayable(const struct evc_format *format, const struct evc_dump *dump)
{
	for (size_t i = 0; i < dump->n_leaves; i++) {
		const struct evc_leaf *leaf = &dump->leaves[i];

		if (!whole(leaf) || (!strcmp(format->name, "kcpuid") && zero(leaf)))
			continue;
		if (strcmp(format->name, "libcpuid") || (!leaf->subleaf && leaf->leaf < 32))
			return true;
	}
	return false;
}

/* CPUs that differ only in what the form cannot hold come back as one kind. */
static const char *compare_cpus(const struct evc_format *format, const struct evc_host *a, size_t n,
                                const struct evc_host *b)
{
	/* our own form may hold alike CPUs one by one */
	bool lossy = !strcmp(format->name, "libcpuid") || !strcmp(a->format, "json");
	const char *wrong = "";
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < a->cpus[i].n_leaves; k++)
			lossy |= !whole(&a->cpus[i].leaves[k]);
	if (b->n_cpus > n || (!lossy && b->n_cpus != n))
		return "another number of CPUs";
	for (size_t i = 0; i < b->n_cpus && !*wrong; i++) {
		wrong = "a CPU that was not there";
		for (; at < n && *wrong; at++)
			wrong = compare_dump(format, &a->cpus[at], &b->cpus[i]);
	}
	return wrong;
}

const char *roundtrip(const struct evc_format *format, const struct evc_host *host, struct evc_arena *arena)
{
	struct evc_sink sink = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };
	const char *wrong = "";
	bool single = !strcmp(format->name, "kcpuid") || !strcmp(format->name, "libvirt"), json;
	size_t n = single ? 1 : host->n_cpus;

	json = !strcmp(format->name, "json");
	for (size_t i = 0; i < n && !json; i++)
		if (!sayable(format, &host->cpus[i]))
			return "";
	if (format->write(host, &sink, NULL, &err) < 0)
		return evc_arena_printf(arena, "%s: not written: %s", format->name, err.text);
	if (evc_format_recognise((struct evc_span){ sink.text, sink.length }) != format)
		wrong = "not recognised";
	else if (format->read((struct evc_span){ sink.text, sink.length }, host->name, arena, &hosts, &err) <
	         0)
		wrong = evc_arena_printf(arena, "line %u: %s", err.line, err.text);
	else if (hosts.n != 1)
		wrong = "not one host";
	else if (json)
		wrong = compare_all(host, &hosts.items[0]);
	else
		wrong = compare_cpus(format, host, n, &hosts.items[0]);
	evc_sink_free(&sink);
	return *wrong ? evc_arena_printf(arena, "%s: %s", format->name, wrong) : "";
}
