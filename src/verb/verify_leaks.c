/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest at a mode can do though it is not shown it. */
#include "verb/verify.h"

#include "core/leak.h"
#include "text/observe.h"

enum { LINE_WIDTH = 96 };

/* How the instruction went in this guest; false: it executed none. */
static bool judge(const struct evc_verify_part *part, size_t instruction, struct evc_leak *ret_leak)
{
	if (!part->probe)
		return false;
	evc_leak_judge(part->probe, part->cpu, instruction, ret_leak);
	return true;
}

/* The ways whose guest it leaks in, as a mask; ret_tried: those that executed anything. */
static unsigned where(const struct evc_verify_proof *proof, size_t instruction, unsigned *ret_tried,
                      struct evc_leak *ret_leak)
{
	unsigned leaks = 0;

	*ret_tried = 0;
	for (int way = 0; way < EVC_N_VERIFY_WAYS; way++) {
		struct evc_leak leak;

		if (!judge(&proof->parts[way], instruction, &leak))
			continue;
		*ret_tried |= 1U << way;
		if (leak.kind != EVC_LEAK_LEAKS)
			continue;
		leaks |= 1U << way;
		*ret_leak = leak;
	}
	return leaks;
}

int evc_verify_leaks_count(const struct evc_verify_proof *proof)
{
	unsigned tried = 0;
	int count = 0;

	for (size_t i = 0; i < evc_n_instructions; i++) {
		struct evc_leak leak;

		count += where(proof, i, &tried, &leak) != 0;
	}
	return tried ? count : -1;
}

/* " (in the bare guest)", where another one refused it. */
static void put_where(unsigned leaks, unsigned tried, struct evc_sink *out)
{
	for (int way = 0; way < EVC_N_VERIFY_WAYS && leaks != tried; way++)
		if (leaks >> way & 1)
			evc_sink_printf(out, " (in the %s)", evc_verify_ways[way].title);
}

void evc_verify_leaks_report(const struct evc_verify_proof *proof, struct evc_sink *out)
{
	int count = evc_verify_leaks_count(proof);

	if (count < 0)
		return;
	if (!count) {
		evc_sink_puts(out, "  leaks: none; no instruction that is hidden executes\n");
		return;
	}
	evc_sink_puts(out,
	              "  leaks: hidden, and executed all the same, since CPUID asks and does not forbid\n");
	for (size_t i = 0; i < evc_n_instructions; i++) {
		struct evc_leak leak;
		unsigned tried, leaks = where(proof, i, &tried, &leak);

		if (!leaks)
			continue;
		evc_observe_instruction(&leak, i, 4, out);
		put_where(leaks, tried, out);
		evc_sink_puts(out, "\n");
	}
}

void evc_verify_leaks_summary(const struct evc_verify_proof *proofs, size_t n, struct evc_sink *out)
{
	size_t column = 0;

	for (size_t i = 0; i < evc_n_instructions; i++) {
		struct evc_sink item = { 0 };
		size_t n_modes = 0;

		for (size_t j = 0; j < n; j++) {
			struct evc_leak leak;
			unsigned tried;

			n_modes += where(&proofs[j], i, &tried, &leak) != 0;
		}
		if (!n_modes)
			continue;
		evc_sink_printf(&item, "%s (%zu)", evc_instructions[i].name, n_modes);
		if (!column)
			evc_sink_puts(
				out,
				"leaks, and at how many modes (--mode says of each what could stop it):");
		if (!column || column + 1 + item.length > LINE_WIDTH) {
			evc_sink_puts(out, "\n ");
			column = 1;
		}
		evc_sink_printf(out, " %s", item.length ? item.text : "");
		column += 1 + item.length;
		evc_sink_free(&item);
	}
	if (column)
		evc_sink_puts(out, "\n");
}

json_t *evc_verify_leaks_json(const struct evc_verify_part *part)
{
	json_t *list;

	if (!part->probe)
		return NULL;
	list = json_array();
	for (size_t i = 0; i < evc_n_instructions; i++) {
		struct evc_leak leak;

		if (judge(part, i, &leak) && leak.kind == EVC_LEAK_LEAKS)
			json_array_append_new(list, evc_observe_instruction_json(part->probe, part->cpu, i));
	}
	return list;
}
