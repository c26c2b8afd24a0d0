/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc cpuinfo: what Linux will print of a CPU, why, and what a mode changes of it. */
#include "verb/cpuinfo.h"

#include "verb/verbs.h"

#include "core/vcpu.h"
#include "host/capture.h"
#include "host/facts.h"
#include "text/cpuinfo_change.h"
#include "text/cpuinfo_kernels.h"
#include "text/cpuinfo_why.h"
#include "text/cpuinfo_write.h"
#include "text/report.h"
#include "verb/cpuinfo_more.h"
#include "verb/input.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "mode",
	  .letter = 'm',
	  .value = "MODE",
	  .many = true,
	  .help = "of a guest at this mode; given twice: what changes from the first to the second" },
	{ .name = "kernel",
	  .letter = 'k',
	  .value = "KERNEL",
	  .help = "4.15 to 7.3, ubuntu-22.04, debian-12, rhel-9, what uname -r prints; list: say which" },
	{ .name = "cpu", .letter = 'c', .value = "N", .help = "this logical CPU only" },
	{ .name = "env",
	  .letter = 'e',
	  .value = "KEY=VALUE",
	  .many = true,
	  .help = "hypervisor=, msr.0x10a=, cmdline=, config.5level=, tsc-khz=, microcode=, smp=" },
	{ .name = "certainty", .help = "say below each line on what it depends, and what is not known" },
	{ .name = "why",
	  .letter = 'w',
	  .value = "WORD",
	  .many = true,
	  .otherwise = "all",
	  .help = "explain a flag, a bug or a line; without a word, at the end: all" },
	{ .name = "against",
	  .letter = 'a',
	  .value = "FILE",
	  .help = "compare with a real /proc/cpuinfo: a file, - or live" },
	{ .name = "all-kernels", .help = "flags and bugs that some kernels print and others do not" },
	{ .name = "view", .value = "VIEW", .help = "with --mode: auto, kvm or raw, how to look at the host" },
	{ .name = "host-kernel",
	  .value = "VERSION",
	  .help = "with --mode: the kernel that the host's KVM is of" },
	{ .name = "qemu", .value = "VERSION", .help = "with --mode: the host's QEMU" },
	{ .name = "nested", .help = "with --mode: a guest that is given VMX or SVM" },
	EVC_CPUINFO_MORE_PARAMS,
	{ 0 },
};

/* --- subjects ------------------------------------------------------------------------------------- */

/* As the kernel reads CPUID; as programs do where their view is asked for.  Some hypervisors tell them apart.
 */
static int this_machine(struct evc_command *command, struct evc_host *ret_host, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_capture_options options = { .no_kvm = true, .no_programs = true, .each = true };

	options.kernels =
		!evc_args_flag(&command->args, "views") || evc_args_flag(&command->args, "vulnerabilities");

	return evc_capture(command->arena, &options, ret_host, &findings, err);
}

static int offer_options(const struct evc_command *command, struct evc_offer_options *ret_options,
                         struct evc_error *err)
{
	int status = evc_input_offer_view(&command->args, &ret_options->view, err);

	if (status < 0)
		return status;
	ret_options->kernel = evc_args_value(&command->args, "host-kernel");
	ret_options->qemu = evc_args_value(&command->args, "qemu");
	ret_options->nested = evc_args_flag(&command->args, "nested");
	return EVC_OK;
}

/* A hypervisor that its CPUID does not name is KVM: a guest at a mode runs there. */
static int make_guest(struct evc_command *command, const char *name, struct evc_cpuinfo_subject *subject,
                      struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_offer_options options = { 0 };
	const struct evc_host *host = &subject->host;
	const struct evc_mode *mode;
	struct evc_modes modes;
	struct evc_offer offer;
	struct evc_dump *dump = evc_arena_alloc(command->arena, sizeof(*dump));
	unsigned version;
	int status;

	if (!dump)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if ((status = offer_options(command, &options, err)) < 0 ||
	    (status = evc_input_modes(command, &modes, err)) < 0 ||
	    (status = evc_modes_find(&modes, evc_span_from(name), &mode, &version, err)) < 0 ||
	    (status = evc_offer_make(host, &options, command->arena, &offer, &findings, err)) < 0 ||
	    (status = evc_vcpu_make(&modes, mode, version, &offer, NULL, command->arena, dump, &findings,
	                            err)) < 0)
		return status;
	for (size_t i = 0; i < findings.n; i++)
		if (findings.items[i].severity == EVC_BLOCKS) {
			evc_sink_printf(command->messages, "evc: %s: ", host->name);
			evc_report_finding(&findings.items[i], command->messages);
			evc_sink_puts(command->messages, "\n");
		}
	subject->name = evc_arena_printf(command->arena, "%s at %s", host->name, name);
	subject->guest = true;
	subject->host_before = subject->host;
	/* One vCPU, unless --env smp= says more; QEMU has a microcode of its own for a host's guests. */
	dump->cpu = 0;
	dump->n_alike = 1;
	subject->placed = offer.basis != EVC_OFFER_GIVEN;
	if (subject->placed)
		subject->host.facts.microcode = 0;
	subject->host.cpus = dump;
	subject->host.n_cpus = 1;
	return evc_arena_failed(command->arena) ? evc_fail(err, EVC_ERR_MEMORY, "out of memory") : EVC_OK;
}

static int read_host(struct evc_command *command, const char *path, struct evc_cpuinfo_subject *subject,
                     struct evc_error *err)
{
	int status = path ? evc_input_host(command, path, &subject->host, err)
	                  : this_machine(command, &subject->host, err);

	if (status < 0)
		return status;
	if (!subject->host.n_cpus)
		return evc_fail(err, EVC_ERR_INPUT, "nothing is known of the CPUs of %s", subject->host.name);
	subject->name = subject->host.name;
	return EVC_OK;
}

/* One subject, or two: two dumps, or one dump at two modes. */
static int read_subjects(struct evc_cpuinfo_request *request, struct evc_error *err)
{
	const struct evc_args *args = &request->command->args;
	size_t n_modes, n = args->n_operands ? args->n_operands : 1;
	const char *const *modes = evc_args_values(args, "mode", &n_modes);

	if (n > EVC_CPUINFO_MAX_SUBJECTS || n_modes > EVC_CPUINFO_MAX_SUBJECTS ||
	    (n == EVC_CPUINFO_MAX_SUBJECTS && n_modes == EVC_CPUINFO_MAX_SUBJECTS))
		return evc_fail(err, EVC_ERR_USAGE, "two at most: two dumps, or two modes of one");
	request->n_subjects = n_modes > n ? n_modes : n;
	for (size_t i = 0; i < request->n_subjects; i++) {
		struct evc_cpuinfo_subject *subject = &request->subjects[i];
		const char *path = args->n_operands ? args->operands[i < n ? i : 0] : NULL;
		int status = EVC_OK;

		if (i && n == 1)
			subject->host = request->subjects[0].host;
		else
			status = read_host(request->command, path, subject, err);
		if (status < 0)
			return status;
	}
	/* Guests last: both of one host begin from what was read of it. */
	for (size_t i = 0; n_modes && i < request->n_subjects; i++) {
		int status =
			make_guest(request->command, modes[i < n_modes ? i : 0], &request->subjects[i], err);

		if (status < 0)
			return status;
		if (request->subjects[i].placed && !request->env.cpus)
			request->env.cpus = 1;
	}
	return EVC_OK;
}

/* --- kernel and env ------------------------------------------------------------------------------- */

/* The kernel that was asked for, else the dump's own, else this machine's. */
static int read_kernel(struct evc_cpuinfo_request *request, struct evc_error *err)
{
	struct evc_command *command = request->command;
	const char *name = evc_args_value(&command->args, "kernel");
	const struct evc_cpuinfo_subject *subject = &request->subjects[0];
	int status;

	if (!name && !subject->guest && subject->host.facts.kernel && subject->host.facts.kernel[0])
		name = subject->host.facts.kernel;
	if (!name)
		name = evc_facts_line(command->arena, "/proc/sys/kernel/osrelease");
	if (!name)
		return evc_fail(err, EVC_ERR_USAGE, "name a kernel: --kernel KERNEL");
	request->kernel_name = name;
	status = evc_linux_find(evc_span_from(name), &request->kernel, err);
	if (status < 0)
		return status;
	if (request->kernel.match != EVC_LINUX_EXACT && !evc_args_flag(&command->args, "all-kernels"))
		evc_sink_printf(command->messages, "evc: %s: %s\n", name,
		                evc_cpuinfo_match(&request->kernel, command->arena));
	return EVC_OK;
}

/* This machine was booted with options that can be read. */
static void read_cmdline(struct evc_cpuinfo_request *request)
{
	const char *line = evc_facts_line(request->command->arena, "/proc/cmdline");
	const char *setting = line ? evc_arena_printf(request->command->arena, "cmdline=%s", line) : NULL;

	/* One that is too long to be kept stays unknown. */
	if (setting)
		(void)evc_linux_env_set(&request->env, evc_span_from(setting), NULL);
}

static int read_env(struct evc_cpuinfo_request *request, struct evc_error *err)
{
	size_t n;
	const char *const *settings = evc_args_values(&request->command->args, "env", &n);
	const char *cpu = evc_args_value(&request->command->args, "cpu");
	uint64_t number = 0;

	if (!request->command->args.n_operands && !evc_args_flag(&request->command->args, "mode") &&
	    !evc_args_flag(&request->command->args, "kernel"))
		read_cmdline(request);
	for (size_t i = 0; i < n; i++) {
		int status = evc_linux_env_set(&request->env, evc_span_from(settings[i]), err);

		if (status < 0)
			return status;
	}
	if (cpu && !evc_span_number(evc_span_from(cpu), EVC_CPUINFO_MAX_CPUS - 1, &number))
		return evc_fail(err, EVC_ERR_USAGE, "--cpu %s: not the number of a CPU", cpu);
	request->one_cpu = cpu != NULL;
	request->cpu = (uint32_t)number;
	return EVC_OK;
}

/* How many logical CPUs the subject has. */
uint32_t evc_cpuinfo_count(const struct evc_cpuinfo_request *request,
                           const struct evc_cpuinfo_subject *subject)
{
	uint32_t n = 0;

	if (request->env.cpus)
		return request->env.cpus;
	for (size_t i = 0; i < subject->host.n_cpus; i++)
		n += subject->host.cpus[i].n_alike ? subject->host.cpus[i].n_alike : 1;
	return n < EVC_CPUINFO_MAX_CPUS ? n : EVC_CPUINFO_MAX_CPUS;
}

/* The kind that CPU number is of: the one that was taken there, else the last that begins before it. */
static const struct evc_dump *dump_of(const struct evc_cpuinfo_subject *subject, uint32_t number)
{
	const struct evc_dump *dump = &subject->host.cpus[0];

	for (size_t i = 0; i < subject->host.n_cpus; i++)
		if (subject->host.cpus[i].cpu <= number && subject->host.cpus[i].cpu >= dump->cpu)
			dump = &subject->host.cpus[i];
	return dump;
}

struct evc_linux_question evc_cpuinfo_question(const struct evc_cpuinfo_request *request,
                                               const struct evc_cpuinfo_subject *subject, uint32_t cpu)
{
	return (struct evc_linux_question){ .tree = request->kernel.tree,
		                            .build = request->kernel.build,
		                            .built = request->kernel.built,
		                            .env = &request->env,
		                            .dump = dump_of(subject, cpu),
		                            .host = &subject->host,
		                            .cpu = cpu };
}

/* Predict with causes. */
static int predict(const struct evc_cpuinfo_request *request, const struct evc_cpuinfo_subject *subject,
                   uint32_t cpu, struct evc_linux_view *ret_view, const struct evc_linux_trace **ret_trace,
                   struct evc_error *err)
{
	struct evc_linux_question question = evc_cpuinfo_question(request, subject, cpu);

	question.trace = evc_linux_trace_new(request->command->arena);
	if (!question.trace)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_linux_predict(&question, ret_view);
	*ret_trace = question.trace;
	return EVC_OK;
}

json_t *evc_cpuinfo_kernel_json(const struct evc_cpuinfo_request *request)
{
	const struct evc_linux_tree *tree = request->kernel.tree;

	return json_pack("{s:s, s:s, s:s, s:b}", "asked", request->kernel_name, "tree", tree->name, "title",
	                 tree->title, "exact", request->kernel.match == EVC_LINUX_EXACT);
}

/* --- one subject ---------------------------------------------------------------------------------- */

static int print_cpus(struct evc_cpuinfo_request *request, struct evc_error *err)
{
	const struct evc_cpuinfo_subject *subject = &request->subjects[0];
	enum evc_cpuinfo_marks marks = evc_args_flag(&request->command->args, "certainty")
	                                       ? EVC_CPUINFO_CERTAINTY
	                                       : EVC_CPUINFO_PLAIN;
	uint32_t n = evc_cpuinfo_count(request, subject), first = request->one_cpu ? request->cpu : 0;
	json_t *cpus = request->command->json ? json_array() : NULL;

	if (first >= n)
		return evc_fail(err, EVC_ERR_USAGE, "--cpu %u: %s has %u", first, subject->name, n);
	for (uint32_t i = first; i < n && (i == first || !request->one_cpu); i++) {
		struct evc_linux_question question = evc_cpuinfo_question(request, subject, i);
		const struct evc_linux_trace *trace = NULL;
		struct evc_linux_view view;
		int status = EVC_OK;

		if (cpus)
			status = predict(request, subject, i, &view, &trace, err);
		else
			evc_linux_predict(&question, &view);
		if (status < 0) {
			json_decref(cpus);
			return status;
		}
		if (request->one_cpu && !evc_cpuinfo_shows(&view, EVC_LINUX_PROCESSOR))
			evc_sink_printf(request->command->messages,
			                "evc: this kernel does not start CPU %u: %s\n", i,
			                request->env.cmdline);
		if (!evc_cpuinfo_shows(&view, EVC_LINUX_PROCESSOR))
			continue;
		if (cpus)
			json_array_append_new(cpus, evc_cpuinfo_json(&view, trace));
		else
			evc_cpuinfo_write(&view, marks, request->command->out);
	}
	if (cpus)
		evc_report_json(json_pack("{s:s, s:o, s:o}", "name", subject->name, "kernel",
		                          evc_cpuinfo_kernel_json(request), "cpus", cpus),
		                request->command->out);
	return EVC_OK;
}

/* What is explained: the subject, and the host without the mode where it is a guest at one. */
struct explained {
	struct evc_linux_view views[2];
	struct evc_linux_told now, before;
	bool guest;
	json_t *array; /* NULL: text */
};

static int explain_word(struct evc_cpuinfo_request *request, const struct explained *explained,
                        const char *text, struct evc_error *err)
{
	const struct evc_linux_told *now = &explained->now;
	struct evc_cpuinfo_word word;
	json_t *object;

	if (!evc_cpuinfo_word(now->view->tree, evc_span_from(text), &word))
		return evc_fail(err, EVC_ERR_NAME, "--why %s: no flag, bug or line of /proc/cpuinfo", text);
	if (!explained->array) {
		evc_cpuinfo_why(now->view, now->trace, &word, request->command->out);
		if (explained->guest)
			evc_cpuinfo_turned(&explained->before, now, &word, request->command->out);
		return EVC_OK;
	}
	object = evc_cpuinfo_why_json(now->view, now->trace, &word);
	if (explained->guest)
		json_object_set_new(object, "turned",
		                    evc_cpuinfo_turned_json(&explained->before, now, &word));
	json_array_append_new(explained->array, object);
	return EVC_OK;
}

/* All lines; flags and bugs among them give a line to each word. */
static int explain_all(struct evc_cpuinfo_request *request, const struct explained *explained,
                       struct evc_error *err)
{
	int status = EVC_OK;

	for (unsigned line = 0; line < EVC_LINUX_N_LINES && status >= 0; line++)
		if (evc_cpuinfo_shows(explained->now.view, (enum evc_linux_line)line))
			status = explain_word(request, explained,
			                      evc_linux_line_name((enum evc_linux_line)line), err);
	return status;
}

static int explain(struct evc_cpuinfo_request *request, struct evc_error *err)
{
	const struct evc_cpuinfo_subject *subject = &request->subjects[0];
	struct evc_cpuinfo_subject host = { .name = subject->host_before.name, .host = subject->host_before };
	struct explained explained = { .guest = subject->guest,
		                       .now.view = &explained.views[0],
		                       .before.view = &explained.views[1],
		                       .array = request->command->json ? json_array() : NULL };
	size_t n;
	const char *const *words = evc_args_values(&request->command->args, "why", &n);
	int status = predict(request, subject, request->cpu, &explained.views[0], &explained.now.trace, err);

	if (status >= 0 && subject->guest)
		status = predict(request, &host, request->cpu, &explained.views[1], &explained.before.trace,
		                 err);
	for (size_t i = 0; i < n && status >= 0; i++)
		status = strcmp(words[i], "all") != 0 ? explain_word(request, &explained, words[i], err)
		                                      : explain_all(request, &explained, err);
	if (explained.array && status >= 0)
		evc_report_json(json_pack("{s:s, s:o, s:O}", "name", subject->name, "kernel",
		                          evc_cpuinfo_kernel_json(request), "why", explained.array),
		                request->command->out);
	json_decref(explained.array);
	return status;
}

/* --- two subjects --------------------------------------------------------------------------------- */

static int compare_two(struct evc_cpuinfo_request *request, struct evc_error *err)
{
	struct evc_linux_view views[EVC_CPUINFO_MAX_SUBJECTS];
	struct evc_linux_told told[EVC_CPUINFO_MAX_SUBJECTS];
	struct evc_linux_changes changes;
	struct evc_command *command = request->command;
	int status = EVC_OK;

	for (size_t i = 0; i < EVC_CPUINFO_MAX_SUBJECTS && status >= 0; i++) {
		told[i].view = &views[i];
		status =
			predict(request, &request->subjects[i], request->cpu, &views[i], &told[i].trace, err);
	}
	if (status >= 0)
		status = evc_linux_compare(&told[0], &told[1], command->arena, &changes, err);
	if (status < 0)
		return status;
	if (command->json) {
		evc_report_json(json_pack("{s:s, s:s, s:o, s:o}", "before", request->subjects[0].name,
		                          "after", request->subjects[1].name, "kernel",
		                          evc_cpuinfo_kernel_json(request), "changes",
		                          evc_cpuinfo_changes_json(&told[0], &told[1], &changes)),
		                command->out);
		return EVC_OK;
	}
	evc_sink_printf(command->out, "%s -> %s, Linux %s\n", request->subjects[0].name,
	                request->subjects[1].name, request->kernel.tree->name);
	evc_cpuinfo_changes(&told[0], &told[1], &changes, command->out);
	return EVC_OK;
}

static int over_kernels(struct evc_cpuinfo_request *request, struct evc_error *err)
{
	struct evc_linux_question questions[EVC_CPUINFO_MAX_SUBJECTS];
	struct evc_command *command = request->command;
	const char *names[EVC_CPUINFO_MAX_SUBJECTS];
	struct evc_cpuinfo_kernels kernels;
	int status;

	for (size_t i = 0; i < request->n_subjects; i++) {
		questions[i] = evc_cpuinfo_question(request, &request->subjects[i], request->cpu);
		names[i] = request->subjects[i].name;
	}
	status = evc_cpuinfo_kernels_make(questions, request->n_subjects, command->arena, &kernels, err);
	if (status < 0)
		return status;
	if (command->json)
		evc_report_json(evc_cpuinfo_kernels_json(&kernels, names), command->out);
	else
		evc_cpuinfo_kernels_print(&kernels, names, command->out);
	return EVC_OK;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_cpuinfo_request request = { .command = command };
	const char *real = evc_args_value(&command->args, "against"),
		   *kernel = evc_args_value(&command->args, "kernel");
	bool why = evc_args_flag(&command->args, "why"), all = evc_args_flag(&command->args, "all-kernels");
	int status;

	if (kernel && !strcmp(kernel, "list")) {
		if (command->json)
			evc_report_json(evc_cpuinfo_list_json(), command->out);
		else
			evc_cpuinfo_list(command->out);
		return EVC_OK;
	}
	if (real && (why || all))
		return evc_fail(err, EVC_ERR_USAGE, "--against goes with neither --why nor --all-kernels");
	if ((status = read_env(&request, err)) < 0 || (status = read_subjects(&request, err)) < 0 ||
	    (status = read_kernel(&request, err)) < 0)
		return status;
	if ((real || why) && request.n_subjects > 1)
		return evc_fail(err, EVC_ERR_USAGE, "%s is for one dump at one mode",
		                real ? "--against" : "--why");
	if (evc_cpuinfo_more_wanted(&command->args) && request.n_subjects > 1)
		return evc_fail(err, EVC_ERR_USAGE,
		                "--vulnerabilities and --views are for one dump at one mode");
	if (evc_cpuinfo_more_wanted(&command->args)) {
		struct evc_linux_question question =
			evc_cpuinfo_question(&request, &request.subjects[0], request.cpu);

		return evc_cpuinfo_more(command, &question, request.subjects[0].name,
		                        evc_cpuinfo_kernel_json(&request), err);
	}
	if (real)
		return evc_cpuinfo_compare_real(&request, real, err);
	if (all)
		return over_kernels(&request, err);
	if (why)
		return explain(&request, err);
	return request.n_subjects > 1 ? compare_two(&request, err) : print_cpus(&request, err);
}

const struct evc_verb evc_verb_cpuinfo = {
	.name = "cpuinfo",
	.summary = "print what Linux will show in /proc/cpuinfo, and why",
	.operands = "[DUMP [DUMP]]",
	.help = "Print /proc/cpuinfo of a CPU as a kernel would: of a dump, of a guest on it at a mode, or of this\n"
		"machine.  Two dumps or two modes: what a guest's user sees change, with the cause of each change.\n"
		"What the dump does not say is assumed of its hypervisor, unless --env says otherwise.\n"
		"\n"
		"    evc cpuinfo web3.json --mode intel-haswell --kernel ubuntu-22.04\n"
		"    evc cpuinfo web3.json --mode intel-haswell --kernel 6.12 --why retbleed\n"
		"    evc cpuinfo --against live",
	.params = params,
	.run = run,
};
