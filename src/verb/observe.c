/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "guest/initrd.h"
#include "guest/probe_guest.h"
#include "host/capture.h"
#include "host/facts.h"
#include "host/files.h"
#include "text/observe.h"
#include "text/probe.h"
#include "text/report.h"
#include "verb/input.h"

#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 30 * 1000 };

static const struct evc_param params[] = {
	{ .name = "expect",
	  .letter = 'e',
	  .value = "MODE",
	  .help = "is this what a guest at the mode sees? says what is not" },
	{ .name = "leaks",
	  .help = "each instruction that executes though CPUID hides it, and what could stop it" },
	{ .name = "output",
	  .letter = 'o',
	  .value = "FILE",
	  .help = "write what the CPUs said to this file, for other verbs" },
	{ .name = "initrd",
	  .value = "FILE",
	  .help = "write the probe guest's first file system instead, to be booted by other means" },
	{ 0 },
};

/* What there is to be said of it beside the probe. */
struct question {
	struct evc_modes modes;
	const struct evc_mode *expected;
	unsigned version;
	struct evc_probe probe;
	const char *product;
};

static const char *host_name(struct evc_arena *arena)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) || !*name)
		return "localhost";
	return evc_arena_string(arena, name, strlen(name));
}

/* "QEMU Standard PC (Q35 + ICH9, 2009)" */
static const char *read_product(struct evc_arena *arena)
{
	const char *vendor = evc_facts_line(arena, "/sys/class/dmi/id/sys_vendor"),
		   *product = evc_facts_line(arena, "/sys/class/dmi/id/product_name");

	if (!vendor && !product)
		return "";
	return evc_arena_printf(arena, "%s%s%s", vendor ? vendor : "", vendor && product ? " " : "",
	                        product ? product : "");
}

/* Of a host whose CPUID alone is known. */
static void take_host(const struct evc_host *host, struct evc_probe *probe)
{
	*probe = (struct evc_probe){ .host = *host, .cpuinfo = "", .msr = "" };
	for (size_t i = 0; i < host->n_cpus; i++)
		probe->n_cpus += host->cpus[i].n_alike;
	probe->cpus_missed = host->reading == EVC_PARTIAL;
}

/* Where no program may be started from memory, CPUID can be read still; instructions are then not tried. */
static int capture_instead(struct evc_command *command, const struct evc_error *why, struct evc_probe *probe,
                           struct evc_error *err)
{
	const struct evc_capture_options options = { .no_kvm = true, .no_programs = true };
	struct evc_findings findings = { .arena = command->arena };
	struct evc_host host;
	int status = evc_capture(command->arena, &options, &host, &findings, err);

	if (status < 0)
		return status;
	take_host(&host, probe);
	evc_sink_printf(command->messages, "evc: instructions were not tried: %s\n", why->text);
	return EVC_OK;
}

static int probe_here(struct evc_command *command, struct question *question, struct evc_error *err)
{
	struct evc_error why = { 0 };
	int status =
		evc_probe_here(host_name(command->arena), TIMEOUT_MS, command->arena, &question->probe, &why);

	question->product = read_product(command->arena);
	if (status == EVC_ERR_MEMORY) {
		*err = why;
		return status;
	}
	return status < 0 ? capture_instead(command, &why, &question->probe, err) : EVC_OK;
}

/* What the probe guest printed, or a dump of any form, of which CPUID alone can be told. */
static int probe_file(struct evc_command *command, const char *path, struct question *question,
                      struct evc_error *err)
{
	const char *slash = strrchr(path, '/');
	struct evc_span text;
	struct evc_host host;
	int status = evc_file_text(path, command->arena, &text, err);

	question->product = "";
	if (status < 0)
		return status;
	if (evc_probe_recognise(text)) {
		status =
			evc_probe_read(text, slash ? slash + 1 : path, command->arena, &question->probe, err);
		if (status < 0)
			evc_error_set_origin(err, path);
		return status;
	}
	if (!strcmp(path, "-"))
		return evc_fail(err, EVC_ERR_INPUT, "standard input is not what the probe guest prints");
	status = evc_input_host(command, path, &host, err);
	if (status >= 0)
		take_host(&host, &question->probe);
	return status;
}

static int write_dump(const char *path, const struct evc_probe *probe, struct evc_error *err)
{
	struct evc_sink file = { 0 };
	int status = evc_format_json.write(&probe->host, &file, NULL, err);

	if (status == EVC_OK)
		status = evc_file_write(path, &file, err);
	evc_sink_free(&file);
	return status;
}

static int write_initrd(const char *path, struct evc_error *err)
{
	struct evc_sink file = { 0 };
	int status;

	evc_initrd_probe(&file);
	status = file.failed ? evc_fail(err, EVC_ERR_MEMORY, "out of memory")
	                     : evc_file_write(path, &file, err);
	evc_sink_free(&file);
	return status;
}

/* Whether anything leaks; unknown when nothing was tried. */
static enum evc_verdict leak_verdict(const struct evc_observation *observation)
{
	size_t count[EVC_N_LEAK_KINDS];

	evc_leak_count(observation->probe, &observation->first, count);
	if (count[EVC_LEAK_LEAKS])
		return EVC_NO;
	return count[EVC_LEAK_UNTRIED] ? EVC_UNKNOWN : EVC_YES;
}

static void put_expected(const struct question *question, enum evc_verdict verdict, struct evc_sink *out)
{
	evc_sink_printf(out, "\n%s %s %s promises\n", question->probe.host.name,
	                verdict == EVC_YES  ? "sees what"
	                : verdict == EVC_NO ? "does not see what"
	                                    : "may or may not see what",
	                question->expected->key);
}

/* The answers; the worst verdict of what was asked. */
static int answer(struct evc_command *command, const struct question *question, struct evc_error *err)
{
	bool leaks = evc_args_flag(&command->args, "leaks");
	struct evc_findings findings = { .arena = command->arena };
	enum evc_verdict expected = EVC_YES, worst = EVC_YES;
	struct evc_observation *observation = evc_arena_alloc(command->arena, sizeof(*observation));
	json_t *object;

	if (!observation)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_observe_prepare(&question->probe, &question->modes, question->product, observation);
	if (question->expected) {
		int status = evc_given_expect(&question->modes, question->expected, question->version,
		                              &question->probe.host, question->probe.host.name,
		                              command->arena, &findings, &expected, err);

		if (status < 0)
			return status;
		worst = evc_verdict_worse(worst, expected);
	}
	if (leaks)
		worst = evc_verdict_worse(worst, leak_verdict(observation));
	if (command->json) {
		object = evc_observe_json(observation);
		if (question->expected)
			json_object_set_new(object, "expected",
			                    json_pack("{s:s, s:s, s:o}", "mode", question->expected->key,
			                              "verdict", evc_verdict_name(expected), "findings",
			                              evc_report_findings_json(&findings)));
		evc_report_json(object, command->out);
		return evc_verdict_exit(worst);
	}
	evc_observe_text(observation, command->out);
	if (leaks)
		evc_observe_leaks(observation, command->out);
	if (question->expected) {
		put_expected(question, expected, command->out);
		evc_report_findings(&findings, command->out);
	}
	return evc_verdict_exit(worst);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	const char *output = evc_args_value(args, "output"), *initrd = evc_args_value(args, "initrd");
	struct question *question = evc_arena_alloc(command->arena, sizeof(*question));
	int status;

	if (args->n_operands > 1)
		return evc_fail(err, EVC_ERR_USAGE, "name one file, or none for this machine");
	if (initrd)
		return write_initrd(initrd, err);
	if (!question)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if ((status = evc_input_modes(command, &question->modes, err)) < 0 ||
	    (status = evc_input_mode(command, &question->modes, "expect", &question->expected,
	                             &question->version, err)) < 0)
		return status;
	status = args->n_operands ? probe_file(command, args->operands[0], question, err)
	                          : probe_here(command, question, err);
	if (status == EVC_OK && output)
		status = write_dump(output, &question->probe, err);
	return status < 0 ? status : answer(command, question, err);
}

const struct evc_verb evc_verb_observe = {
	.name = "observe",
	.summary = "say from inside what a guest sees, and at which mode it runs",
	.operands = "[FILE]",
	.help = "Say in which hypervisor this machine runs, which mode it was given, what its XSAVE does, and\n"
		"execute about a hundred instructions in a process of their own, to see whether they do as CPUID\n"
		"says. FILE is what the probe guest printed on its serial line, or a dump, of which CPUID alone is\n"
		"known; without one it is this machine, and no root is needed. With --expect the status is 1 when a guest at the mode would see anything\n"
		"else, with --leaks when an instruction executes that CPUID hides.\n"
		"\n"
		"    evc observe --expect intel-haswell\n"
		"    evc observe --leaks",
	.params = params,
	.run = run,
};
