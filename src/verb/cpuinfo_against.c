/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc cpuinfo --against: a prediction and a real /proc/cpuinfo. */
#include "text/cpuinfo_against.h"

#include "host/files.h"
#include "text/report.h"
#include "verb/cpuinfo.h"

#include <string.h>

static const struct evc_cpuinfo_cpu *cpu_numbered(const struct evc_cpuinfo *real, uint32_t number)
{
	for (size_t i = 0; i < real->n_cpus; i++)
		if (real->cpus[i].number == number)
			return &real->cpus[i];
	return NULL;
}

/* How many CPUs there are at least: some may not run. */
static uint32_t highest(const struct evc_cpuinfo *real)
{
	uint32_t number = real->cpus[real->n_cpus - 1].number;

	return number < EVC_MAX_CPUS ? number + 1 : EVC_MAX_CPUS;
}

/* Compare all CPUs of the real text; those that differ in the same way are told once. */
static int compare_all(struct evc_cpuinfo_request *request, const struct evc_cpuinfo *real, json_t *array,
                       size_t *ret_differ, struct evc_error *err)
{
	const struct evc_cpuinfo_subject *subject = &request->subjects[0];
	struct evc_sink told = { 0 }, here = { 0 };
	size_t n_same = 0;
	int status = EVC_OK;

	for (size_t i = 0; i < real->n_cpus && status >= 0; i++) {
		struct evc_linux_question question =
			evc_cpuinfo_question(request, subject, real->cpus[i].number);
		struct evc_cpuinfo_comparison comparison;

		if (request->one_cpu && real->cpus[i].number != request->cpu)
			continue;
		status = evc_cpuinfo_against(&question, real, i, request->command->arena, &comparison, err);
		if (status < 0)
			break;
		*ret_differ += comparison.n_count > 0;
		if (array) {
			json_array_append_new(array,
			                      json_pack("{s:i, s:b, s:o}", "cpu", (int)real->cpus[i].number,
			                                "equal", comparison.n_count == 0, "differences",
			                                evc_cpuinfo_against_json(&comparison)));
			continue;
		}
		evc_sink_clear(&here);
		evc_cpuinfo_against_print(&comparison, &here);
		if (told.length && here.length == told.length && !memcmp(here.text, told.text, told.length)) {
			n_same++;
			continue;
		}
		if (here.length)
			evc_sink_printf(request->command->out, "CPU %u\n%s", real->cpus[i].number, here.text);
		evc_sink_clear(&told);
		evc_sink_write(&told, here.text ? here.text : "", here.length);
	}
	if (n_same && !array)
		evc_sink_printf(request->command->out, "and the same of %zu more CPUs\n", n_same);
	evc_sink_free(&told);
	evc_sink_free(&here);
	return status;
}

int evc_cpuinfo_compare_real(struct evc_cpuinfo_request *request, const char *path, struct evc_error *err)
{
	struct evc_command *command = request->command;
	struct evc_cpuinfo real;
	struct evc_span text;
	json_t *array = command->json ? json_array() : NULL;
	size_t differ = 0;
	int status =
		evc_file_text(!strcmp(path, "live") ? "/proc/cpuinfo" : path, command->arena, &text, err);

	if (status >= 0) {
		status = evc_cpuinfo_read(text, command->arena, &real, err);
		if (status < 0)
			evc_error_set_origin(err, path);
	}
	if (status >= 0 && request->one_cpu && !cpu_numbered(&real, request->cpu))
		status = evc_fail(err, EVC_ERR_USAGE, "%s has no CPU %u", path, request->cpu);
	if (status >= 0 && !request->env.cpus && evc_cpuinfo_count(request, &request->subjects[0]) == 1)
		request->env.cpus = highest(&real); /* a dump of one CPU says nothing of the others */
	if (status >= 0)
		status = compare_all(request, &real, array, &differ, err);
	if (status >= 0 && array)
		evc_report_json(json_pack("{s:s, s:o, s:b, s:O}", "name", request->subjects[0].name, "kernel",
		                          evc_cpuinfo_kernel_json(request), "equal", differ == 0, "cpus",
		                          array),
		                command->out);
	else if (status >= 0)
		evc_sink_printf(command->out, "%s under Linux %s and %s: %s\n", request->subjects[0].name,
		                request->kernel.tree->name, path, differ ? "they differ" : "equal");
	json_decref(array);
	return status < 0 ? status : evc_verdict_exit(differ ? EVC_NO : EVC_YES);
}
