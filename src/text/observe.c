/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/observe.h"

#include "core/hypervisor.h"
#include "text/report.h"
#include "text/show.h"

#include <stdio.h>
#include <string.h>

enum { COLUMN = 14, SECOND_RANGE = 0x40000100 };

static void put_label(const char *label, struct evc_sink *out)
{
	evc_sink_printf(out, "%-*s", COLUMN, label);
}

static void find_second(const struct evc_dump *dump, const struct evc_cpu *cpu, char text[static 13])
{
	static const enum evc_reg order[] = { EVC_EBX, EVC_ECX, EVC_EDX };
	const struct evc_leaf *leaf = evc_dump_find(dump, SECOND_RANGE, 0);

	memset(text, 0, 13);
	if (!cpu->hypervisor[0] || !leaf || leaf->value[EVC_EAX] < SECOND_RANGE)
		return;
	for (int i = 0; i < 3; i++)
		for (int byte = 0; byte < 4; byte++) {
			char c = (char)(leaf->value[order[i]] >> (8 * byte));

			if (c && (c < ' ' || c > '~')) {
				text[0] = '\0';
				return;
			}
			text[4 * i + byte] = c;
		}
}

void evc_observe_prepare(const struct evc_probe *probe, const struct evc_modes *modes, const char *product,
                         struct evc_observation *ret_observation)
{
	struct evc_observation *observation = ret_observation;

	observation->probe = probe;
	observation->modes = modes;
	observation->product = product;
	evc_cpu_decode(&probe->host.cpus[0], &observation->first);
	if (probe->host.n_cpus > 1)
		evc_cpu_decode_host(&probe->host, &observation->all);
	else
		observation->all = observation->first;
	/* The merge of kinds has no signature of its own. */
	evc_given_find(modes, &probe->host.cpus[0], &observation->first, &observation->given);
	find_second(&probe->host.cpus[0], &observation->first, observation->second);
}

static const char *name_of(const char *signature)
{
	const char *name = evc_hypervisor_name(signature);

	return name ? name : "a hypervisor that nobody named yet";
}

static bool in_guest(const struct evc_observation *observation)
{
	return evc_cpu_truth(&observation->first, EVC_F_HYPERVISOR) == EVC_PRESENT;
}

static void put_place(const struct evc_observation *observation, struct evc_sink *out)
{
	const struct evc_cpu *cpu = &observation->first;

	put_label("runs in", out);
	if (!in_guest(observation))
		evc_sink_puts(out, "a real machine, or a guest whose hypervisor hides itself");
	else if (!cpu->hypervisor[0])
		evc_sink_puts(out, "a guest; its hypervisor does not say which it is");
	else
		evc_sink_printf(out, "a guest of %s (\"%s\")", name_of(cpu->hypervisor), cpu->hypervisor);
	if (observation->second[0])
		evc_sink_printf(out, ", which also is %s (\"%s\")", name_of(observation->second),
		                observation->second);
	evc_sink_puts(out, "\n");
	if (observation->product[0]) {
		put_label("machine", out);
		evc_sink_printf(out, "%s\n", observation->product);
	}
}

static void put_cpus(const struct evc_observation *observation, struct evc_sink *out)
{
	const struct evc_probe *probe = observation->probe;
	const struct evc_cpu *cpu = &observation->first;

	put_label("CPUs", out);
	evc_sink_printf(out, "%u", probe->n_cpus);
	if (probe->host.n_cpus > 1)
		evc_sink_printf(out, ", of %zu kinds", probe->host.n_cpus);
	else if (probe->n_cpus > 1)
		evc_sink_puts(out, ", all alike");
	evc_sink_puts(out, probe->cpus_missed ? "; others are online that this process may not use\n" : "\n");
	put_label("CPU", out);
	evc_sink_printf(out, "%s family %u model %u stepping %u, highest leaves 0x%x and 0x%x\n",
	                cpu->vendor_id, cpu->family, cpu->model, cpu->stepping, cpu->max_basic,
	                cpu->max_extended);
	if (cpu->brand[0]) {
		evc_sink_pad(out, COLUMN);
		evc_sink_printf(out, "%s\n", cpu->brand);
	}
}

/* A few names of a set, for a line. */
static void put_some(const struct evc_set *set, struct evc_sink *out)
{
	enum { SOME = 8 };
	int n = 0, all = evc_set_count(set);

	EVC_SET_FOREACH(id, set)
	{
		if (n == SOME && all > SOME + 1) {
			evc_sink_printf(out, " and %d more", all - SOME);
			return;
		}
		evc_sink_printf(out, "%s%s", n++ ? " " : "", evc_features[id].name);
	}
}

static void put_mode(const struct evc_observation *observation, struct evc_sink *out)
{
	const struct evc_given *given = &observation->given;
	const struct evc_cpu *cpu = &observation->first;

	put_label("given mode", out);
	if (given->fit == EVC_GIVEN_NOTHING) {
		evc_sink_puts(out, "none: no mode has its signature\n");
		return;
	}
	if (given->fit == EVC_GIVEN_EXACTLY) {
		evc_sink_printf(out, "%s@%u, exactly\n", given->mode->key, given->version);
		return;
	}
	evc_sink_printf(out, "none; the signature is that of %s\n", given->mode->key);
	if (cpu->max_basic != given->mode->max_basic.value ||
	    cpu->max_extended != given->mode->max_extended.value) {
		evc_sink_pad(out, COLUMN);
		evc_sink_printf(out, "highest leaves 0x%x and 0x%x would be the mode's\n",
		                given->mode->max_basic.value, given->mode->max_extended.value);
	}
	if (!evc_set_is_empty(&given->less)) {
		evc_sink_pad(out, COLUMN);
		evc_sink_puts(out, "it lacks ");
		put_some(&given->less, out);
		evc_sink_puts(out, "\n");
	}
	if (!evc_set_is_empty(&given->more)) {
		evc_sink_pad(out, COLUMN);
		evc_sink_puts(out, "beyond it: ");
		put_some(&given->more, out);
		evc_sink_puts(out, "\n");
	}
}

static void put_reach(const struct evc_observation *observation, struct evc_sink *out)
{
	for (int psabi = 0; psabi < 2; psabi++) {
		const struct evc_mode *best, *next;

		evc_show_modes(observation->modes, &observation->all, psabi, &best, &next);
		put_label(psabi ? "psABI" : "has all of", out);
		if (!best)
			evc_sink_puts(out, "none\n");
		else if (psabi)
			evc_sink_printf(out, "%s\n", best->key);
		else
			evc_sink_printf(out, "%s@%u\n", best->key,
			                evc_mode_best_version(best, &observation->all));
	}
}

/* The components of XCR0 by name: "x87 sse avx". */
static void put_states(uint64_t xcr0, struct evc_sink *out)
{
	static const char prefix[] = "xcr0-";
	const char *blank = "";

	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		const struct evc_feature *feature = &evc_features[id];
		unsigned bit = feature->bit.lo + (feature->bit.reg == EVC_EDX ? 32U : 0U);

		if (strncmp(feature->name, prefix, sizeof(prefix) - 1) || !evc_feature_is_bit(feature) ||
		    !(xcr0 >> bit & 1))
			continue;
		evc_sink_printf(out, "%s%s", blank, feature->name + sizeof(prefix) - 1);
		blank = " ";
	}
}

static void put_xsave(const struct evc_observation *observation, struct evc_sink *out)
{
	const struct evc_probe *probe = observation->probe;

	put_label("XCR0", out);
	if (!probe->ran) {
		evc_sink_puts(out, "not asked\n");
		return;
	}
	if (!probe->has_xcr0) {
		evc_sink_puts(out, evc_cpu_truth(&observation->first, EVC_F_XSAVE) == EVC_PRESENT
		                           ? "the kernel has not switched XSAVE on\n"
		                           : "there is no XSAVE\n");
		return;
	}
	evc_sink_printf(out, "0x%llx (", (unsigned long long)probe->xcr0);
	put_states(probe->xcr0, out);
	evc_sink_printf(out, ")%s; XSAVE writes %u bytes of %u stated\n",
	                probe->xcr0_differs ? ", not on all CPUs" : "", probe->xsave_written,
	                probe->xsave_stated);
}

static void put_counts(const struct evc_observation *observation, struct evc_sink *out)
{
	size_t count[EVC_N_LEAK_KINDS];

	put_label("instructions", out);
	if (!observation->probe->outcomes) {
		evc_sink_puts(out, "not tried\n");
		return;
	}
	evc_leak_count(observation->probe, &observation->first, count);
	evc_sink_printf(out, "%zu shown and executed, %zu hidden and refused\n", count[EVC_LEAK_WORKS],
	                count[EVC_LEAK_HELD]);
	evc_sink_pad(out, COLUMN);
	evc_sink_printf(out, "%zu hidden and executed all the same, %zu more where that says nothing\n",
	                count[EVC_LEAK_LEAKS], count[EVC_LEAK_SILENT]);
	if (count[EVC_LEAK_REFUSED]) {
		evc_sink_pad(out, COLUMN);
		evc_sink_printf(out, "%zu shown and refused\n", count[EVC_LEAK_REFUSED]);
	}
	if (count[EVC_LEAK_UNTRIED]) {
		evc_sink_pad(out, COLUMN);
		evc_sink_printf(out, "%zu not known\n", count[EVC_LEAK_UNTRIED]);
	}
}

void evc_observe_text(const struct evc_observation *observation, struct evc_sink *out)
{
	const struct evc_probe *probe = observation->probe;

	put_place(observation, out);
	put_cpus(observation, out);
	put_mode(observation, out);
	put_reach(observation, out);
	put_xsave(observation, out);
	put_counts(observation, out);
	if (probe->host.facts.kernel && probe->host.facts.kernel[0]) {
		put_label("kernel", out);
		evc_sink_printf(out, "%s\n", probe->host.facts.kernel);
	}
	if (probe->msr[0]) {
		put_label("MSRs", out);
		evc_sink_printf(out, "none: %s\n", probe->msr);
	}
	if (probe->ran && !probe->complete) {
		put_label("incomplete", out);
		evc_sink_puts(out, "the probe did not come to its end\n");
	}
}
