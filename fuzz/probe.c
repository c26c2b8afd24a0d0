/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes over a guest's serial line.  What is refused says why; what is read is in order, can be
 * judged instruction by instruction, and is the same behind what firmware and kernel say before it.
 */
#include "text/probe.h"
#include "core/leak.h"
#include "text/format.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good, const char *wrong)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", wrong);
	abort();
}

static void check_probe(const struct evc_probe *probe)
{
	size_t count[EVC_N_LEAK_KINDS], total = 0;
	struct evc_cpu cpu;
	unsigned n_cpus = 0;

	check(probe->host.n_cpus > 0, "a guest without a CPU");
	for (size_t i = 0; i < probe->host.n_cpus; i++)
		n_cpus += probe->host.cpus[i].n_alike;
	check(n_cpus == probe->n_cpus, "CPUs are counted wrongly");
	for (size_t i = 1; i < probe->n_vulnerabilities; i++)
		check(strcmp(probe->vulnerabilities[i - 1].name, probe->vulnerabilities[i].name) <= 0,
		      "vulnerabilities are not sorted");
	check(probe->has_xcr0 || !probe->xcr0, "XCR0 of nobody");
	evc_cpu_decode(&probe->host.cpus[0], &cpu);
	evc_leak_count(probe, &cpu, count);
	for (int kind = 0; kind < EVC_N_LEAK_KINDS; kind++)
		total += count[kind];
	check(total == evc_n_instructions, "instructions are counted wrongly");
}

static void check_same(const struct evc_probe *a, const struct evc_probe *b)
{
	check(a->n_cpus == b->n_cpus && a->complete == b->complete &&
	              a->n_vulnerabilities == b->n_vulnerabilities && a->xcr0 == b->xcr0 &&
	              a->xsave_stated == b->xsave_stated && !strcmp(a->msr, b->msr),
	      "noise before it changes what is read");
	check(!a->outcomes == !b->outcomes, "noise before it changes what was tried");
	for (size_t i = 0; a->outcomes && i < evc_n_instructions; i++)
		check(a->outcomes[i].kind == b->outcomes[i].kind &&
		              a->outcomes[i].value == b->outcomes[i].value,
		      "noise before it changes an outcome");
}

/* The text behind lines of firmware and kernel; in the arena. */
static struct evc_span noisy(struct evc_span text, struct evc_arena *arena)
{
	static const char noise[] = "SeaBIOS (version 1)\r\n[    0.000000] Linux version\r\n";
	char *copy = evc_arena_alloc(arena, sizeof(noise) - 1 + text.length + 1);

	check(copy != NULL, "out of memory");
	memcpy(copy, noise, sizeof(noise) - 1);
	if (text.length)
		memcpy(copy + sizeof(noise) - 1, text.text, text.length);
	return (struct evc_span){ .text = copy, .length = sizeof(noise) - 1 + text.length };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evc_span text = { .text = (const char *)data, .length = size };
	struct evc_arena arena = { 0 };
	struct evc_error err = { 0 };
	struct evc_probe probe, again;

	if (evc_probe_read(text, "guest", &arena, &probe, &err) < 0) {
		check(err.text[0] != '\0', "an error without a text");
		check(err.code == EVC_ERR_INPUT || err.code == EVC_ERR_LIMIT, "an error of another kind");
	} else {
		check(evc_probe_recognise(text), "read and not recognised");
		check_probe(&probe);
		check(evc_probe_read(noisy(text, &arena), "guest", &arena, &again, &err) == EVC_OK,
		      "noise before it makes it unreadable");
		check_same(&probe, &again);
	}
	evc_arena_free(&arena);
	return 0;
}
