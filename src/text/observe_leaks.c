/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instruction by instruction: what it did, and what could have stopped it. */
#include "text/observe.h"

#include "core/hypervisor.h"
#include "text/report.h"
#include "text/show.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMN = 17, FEATURE_COLUMN = 20 };

/* "XCR0 without avx", "CR4.FSGSBASE", "VMX's \"RDRAND exiting\"" */
static void put_control(const struct evc_control *control, struct evc_sink *out)
{
	switch (control->kind) {
	case EVC_CONTROL_XCR0:
		evc_sink_printf(out, "XCR0 without %s", control->title + strlen("xcr0-"));
		break;
	case EVC_CONTROL_CR4:
		evc_sink_printf(out, "CR4.%s", control->title);
		break;
	case EVC_CONTROL_MSR:
		evc_sink_puts(out, control->title);
		break;
	case EVC_CONTROL_VMX:
		evc_sink_printf(out, "VMX's \"%s\"", control->title);
		break;
	case EVC_CONTROL_SVM:
		evc_sink_printf(out, "SVM's intercept of %s", control->title);
		break;
	}
}

/* What could stop it, as half a sentence: what takes nothing else first, and only that where there is some.
 */
static void put_stops(const struct evc_leak *leak, struct evc_sink *out)
{
	const char *between = "";

	for (size_t i = 0; i < leak->n_stops; i++) {
		const struct evc_leak_stop *stop = &leak->stops[i];

		if (leak->stoppable && !stop->alone)
			continue;
		evc_sink_puts(out, between);
		put_control(stop->control, out);
		if (!stop->alone)
			evc_sink_printf(out, " takes %s with it, which is shown",
			                evc_features[stop->control->base].name);
		between = leak->stoppable ? " or " : ", ";
	}
	if (leak->stoppable)
		evc_sink_puts(out, " can stop it");
	else
		evc_sink_puts(out, leak->n_stops ? ": nothing can stop it alone" : "nothing can stop it");
}

/* A bit that only the guest's kernel can set, if the hypervisor lets it. */
static bool is_kernels(const struct evc_control *control)
{
	return control->kind == EVC_CONTROL_CR4 || control->kind == EVC_CONTROL_MSR;
}

/* What refused it, as far as that is known: what is shown may wait for the kernel to switch it on. */
static void put_refused(const struct evc_leak *leak, struct evc_sink *out)
{
	for (size_t i = 0; i < leak->n_stops; i++)
		if (leak->stops[i].engaged) {
			evc_sink_puts(out, "by ");
			put_control(leak->stops[i].control, out);
			return;
		}
	for (size_t i = 0; i < leak->n_stops; i++)
		if (leak->shown == EVC_PRESENT && is_kernels(leak->stops[i].control)) {
			put_control(leak->stops[i].control, out);
			evc_sink_puts(out, " is the kernel's, and probably not set");
			return;
		}
	evc_sink_puts(out, "the CPU or the hypervisor does not have it");
}

static void put_reason(const struct evc_leak *leak, const struct evc_instruction *instruction,
                       struct evc_sink *out)
{
	switch (leak->kind) {
	case EVC_LEAK_LEAKS:
		put_stops(leak, out);
		break;
	case EVC_LEAK_SILENT:
		evc_sink_puts(out, instruction->silent);
		break;
	case EVC_LEAK_HELD:
		if (leak->older)
			evc_sink_puts(out, "it executes as the older instruction of the same bytes");
		else
			put_refused(leak, out);
		break;
	case EVC_LEAK_REFUSED:
		put_refused(leak, out);
		break;
	case EVC_LEAK_WORKS:
		break;
	case EVC_LEAK_UNTRIED:
		evc_sink_puts(out, leak->shown == EVC_UNSURE ? "whether it is shown is not known"
		                                             : "it was not tried, or did not end");
		break;
	}
}

void evc_observe_instruction(const struct evc_leak *leak, size_t instruction, int indent,
                             struct evc_sink *out)
{
	const struct evc_instruction *what = &evc_instructions[instruction];

	evc_sink_pad(out, indent);
	evc_sink_printf(out, "%-*s%-*s", NAME_COLUMN, what->name, FEATURE_COLUMN,
	                evc_features[what->feature].name);
	put_reason(leak, what, out);
}

/* Says whether there was one. */
static bool put_kind(const struct evc_observation *observation, enum evc_leak_kind kind, const char *title,
                     struct evc_sink *out)
{
	bool any = false;

	for (size_t i = 0; i < evc_n_instructions; i++) {
		struct evc_leak leak;

		evc_leak_judge(observation->probe, &observation->first, i, &leak);
		if (leak.kind != kind)
			continue;
		if (!any)
			evc_sink_printf(out, "\n%s\n", title);
		any = true;
		evc_observe_instruction(&leak, i, 2, out);
		evc_sink_puts(out, "\n");
	}
	return any;
}

void evc_observe_leaks(const struct evc_observation *observation, struct evc_sink *out)
{
	if (put_kind(observation, EVC_LEAK_LEAKS, "hidden by CPUID, and executed", out))
		evc_sink_puts(
			out,
			"  CPUID asks programs not to use these and cannot forbid it; one that does dies where the\n"
			"  CPU has none, after a move.\n");
	put_kind(observation, EVC_LEAK_SILENT, "hidden by CPUID, and executed, which says nothing", out);
	put_kind(observation, EVC_LEAK_REFUSED, "shown by CPUID, and refused", out);
	put_kind(observation, EVC_LEAK_UNTRIED, "not known", out);
}

static json_t *truth_json(enum evc_truth truth)
{
	return truth == EVC_UNSURE ? json_null() : json_boolean(truth == EVC_PRESENT);
}

static json_t *outcome_json(const struct evc_probe *probe, size_t instruction)
{
	const struct evc_outcome *outcome = probe->outcomes ? &probe->outcomes[instruction] : NULL;
	char text[EVC_VECTOR_TEXT];

	if (!outcome || outcome->kind == EVC_OUTCOME_NONE)
		return json_null();
	if (outcome->kind == EVC_OUTCOME_RAN)
		return json_string("ok");
	return json_string(evc_vector_name(outcome->vector, text));
}

static json_t *stops_json(const struct evc_leak *leak)
{
	json_t *array = json_array();

	for (size_t i = 0; i < leak->n_stops; i++) {
		const struct evc_control *control = leak->stops[i].control;

		json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:s, s:b, s:b}", "kind", evc_control_kind_name(control->kind),
		                  "control", control->title, "takes", evc_features[control->base].name,
		                  "alone", leak->stops[i].alone, "engaged", leak->stops[i].engaged));
	}
	return array;
}

json_t *evc_observe_instruction_json(const struct evc_probe *probe, const struct evc_cpu *cpu, size_t i)
{
	const struct evc_instruction *instruction = &evc_instructions[i];
	struct evc_sink reason = { 0 };
	struct evc_leak leak;
	json_t *object;

	evc_leak_judge(probe, cpu, i, &leak);
	put_reason(&leak, instruction, &reason);
	object = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:b, s:o, s:s}", "name", instruction->name, "text",
	                   instruction->text, "feature", evc_features[instruction->feature].name, "shown",
	                   truth_json(leak.shown), "outcome", outcome_json(probe, i), "verdict",
	                   evc_leak_kind_name(leak.kind), "stoppable", leak.stoppable, "stops",
	                   stops_json(&leak), "reason", reason.length ? reason.text : "");
	evc_sink_free(&reason);
	return object;
}

static json_t *given_json(const struct evc_given *given)
{
	static const char *const fits[] = {
		[EVC_GIVEN_NOTHING] = "nothing", [EVC_GIVEN_LIKE] = "like", [EVC_GIVEN_EXACTLY] = "exactly"
	};

	return json_pack("{s:s?, s:i, s:s, s:o, s:o}", "mode", given->mode ? given->mode->key : NULL,
	                 "version", (int)given->version, "fit", fits[given->fit], "more",
	                 evc_report_set_json(&given->more), "less", evc_report_set_json(&given->less));
}

static json_t *xsave_json(const struct evc_probe *probe)
{
	char text[20];

	if (!probe->has_xcr0)
		return json_null();
	snprintf(text, sizeof(text), "%llx", (unsigned long long)probe->xcr0);
	return json_pack("{s:s, s:b, s:i, s:i, s:i}", "xcr0", text, "differs", probe->xcr0_differs, "stated",
	                 (int)probe->xsave_stated, "written", (int)probe->xsave_written, "compact",
	                 (int)probe->compact_stated);
}

static json_t *highest_json(const struct evc_observation *observation, bool psabi)
{
	const struct evc_mode *best, *next;

	evc_show_modes(observation->modes, &observation->all, psabi, &best, &next);
	return best ? json_string(best->key) : json_null();
}

static json_t *lines_json(const struct evc_probe *probe)
{
	json_t *object = json_object();

	for (size_t i = 0; i < probe->n_vulnerabilities; i++)
		json_object_set_new(object, probe->vulnerabilities[i].name,
		                    json_string(probe->vulnerabilities[i].text));
	return object;
}

json_t *evc_observe_json(const struct evc_observation *observation)
{
	const struct evc_probe *probe = observation->probe;
	const struct evc_cpu *cpu = &observation->first;
	json_t *instructions = json_array(), *object;

	for (size_t i = 0; i < evc_n_instructions; i++)
		json_array_append_new(instructions, evc_observe_instruction_json(probe, cpu, i));
	object = json_pack(
		"{s:s, s:o, s:s, s:s?, s:s, s:s, s:i, s:i, s:b, s:s, s:i, s:i, s:i, s:I, s:I, s:s}", "name",
		probe->host.name, "guest", truth_json(evc_cpu_truth(cpu, EVC_F_HYPERVISOR)), "hypervisor",
		cpu->hypervisor, "hypervisor_name", evc_hypervisor_name(cpu->hypervisor), "second_hypervisor",
		observation->second, "machine", observation->product, "cpus", (int)probe->n_cpus, "kinds",
		(int)probe->host.n_cpus, "cpus_missed", probe->cpus_missed, "vendor", cpu->vendor_id,
		"family", cpu->family, "model", cpu->model, "stepping", cpu->stepping, "max_basic",
		(json_int_t)cpu->max_basic, "max_extended", (json_int_t)cpu->max_extended, "brand",
		cpu->brand);
	json_object_set_new(object, "given", given_json(&observation->given));
	json_object_set_new(object, "has_all_of", highest_json(observation, false));
	json_object_set_new(object, "psabi", highest_json(observation, true));
	json_object_set_new(object, "xsave", xsave_json(probe));
	json_object_set_new(object, "kernel",
	                    json_string(probe->host.facts.kernel ? probe->host.facts.kernel : ""));
	json_object_set_new(object, "msr", json_string(probe->msr));
	json_object_set_new(object, "vulnerabilities", lines_json(probe));
	json_object_set_new(object, "complete", json_boolean(probe->complete));
	json_object_set_new(object, "instructions", instructions);
	return object;
}
