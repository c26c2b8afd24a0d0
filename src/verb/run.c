/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc run: become QEMU, with a guest at a mode. */
#include "verb/verbs.h"

#include "core/qemu.h"
#include "core/side.h"
#include "core/vcpu.h"
#include "guest/qmp.h"
#include "guest/record.h"
#include "host/capture.h"
#include "host/kvm.h"
#include "host/qemu.h"
#include "text/json.h"
#include "text/qemu-args.h"
#include "text/report.h"
#include "text/target.h"
#include "verb/fit.h"
#include "verb/input.h"
#include "verb/recipe.h"
#include "verb/run.h"
#include "verb/run_check.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct evc_param params[] = {
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "what the guest is to see" },
	{ .name = "host",
	  .value = "FILE",
	  .help = "only what this host can give; this machine's KVM unless given" },
	{ .name = "cluster",
	  .letter = 'c',
	  .value = "FILE",
	  .many = true,
	  .help = "and nothing that one of these hosts lacks, so that it can move to all of them" },
	{ .name = "accel",
	  .value = "ACCEL",
	  .help = "kvm, tcg, or auto (default): KVM where it can be trusted" },
	{ .name = "name",
	  .value = "NAME",
	  .help = "call the guest so; evc guest and evc migrate find it by that" },
	{ .name = "qmp",
	  .value = "SOCKET",
	  .help = "path of its QMP socket, beside its record unless given" },
	{ .name = "incoming",
	  .value = "URI",
	  .help = "wait for a guest that is moved here: defer, or as QEMU takes it" },
	{ .name = "like",
	  .value = "FILE",
	  .help = "a guest with the options of this record, - for standard input, instead of --mode" },
	{ .name = "detach", .help = "return when its QMP socket answers, and leave it running" },
	{ .name = "machine",
	  .value = "TYPE",
	  .help = "machine type with its version: this QEMU's newest pc-q35 unless given" },
	{ .name = "with",
	  .letter = 'w',
	  .value = "PROPERTY[=VALUE]",
	  .many = true,
	  .help = "give it an interface of KVM or Hyper-V (hv-time, kvm-pv-ipi) or a tsc-frequency" },
	{ .name = "program", .value = "FILE", .help = "the QEMU to become: qemu-system-x86_64 unless given" },
	{ .name = "lossy", .help = "start it even if the host cannot give everything" },
	{ .name = "dry-run", .letter = 'n', .help = "print the command line and start nothing" },
	{ 0 },
};

/* The names of a set, as many as fit a sentence. */
static const char *some_names(const struct evc_set *set, struct evc_arena *arena)
{
	const char *text = "";
	int n = 0;

	EVC_SET_FOREACH(id, set)
	if (n++ < 4)
		text = evc_arena_printf(arena, "%s%s%s", text, n > 1 ? ", " : "", evc_features[id].name);
	if (n > 4)
		text = evc_arena_printf(arena, "%s and %d more", text, n - 4);
	return text ? text : "";
}

/* KVM if it keeps its word, else TCG where that is allowed. */
static int choose_accel(struct evc_command *command, struct evc_run_job *job, struct evc_error *err)
{
	const char *accel = evc_args_value(&command->args, "accel"), *why;
	bool kvm = accel && !strcmp(accel, "kvm"), automatic = !accel || !strcmp(accel, "auto");
	struct evc_set overridden = { 0 };
	struct evc_error trouble = { 0 };
	enum evc_verdict trusted;

	if (accel && !kvm && !automatic && strcmp(accel, "tcg") != 0)
		return evc_fail(err, EVC_ERR_USAGE, "%s is no accelerator: kvm, tcg or auto", accel);
	job->accel_why = "";
	job->options.accel = EVC_ACCEL_TCG;
	if (!kvm && !automatic)
		return EVC_OK;
	trusted = evc_kvm_trusted(command->arena, &overridden, &trouble);
	if (trusted == EVC_YES) {
		job->options.accel = EVC_ACCEL_KVM;
		job->accel_why = automatic ? "KVM shows guests what they are given" : "";
		return EVC_OK;
	}
	why = trusted == EVC_NO ? evc_arena_printf(command->arena,
	                                           "this machine's KVM shows guests what was masked (%s): no "
	                                           "mode can be trusted under it",
	                                           some_names(&overridden, command->arena))
	                        : evc_arena_printf(command->arena, "KVM cannot be used: %s", trouble.text);
	if (kvm)
		return evc_fail(err, trusted == EVC_NO ? EVC_ERR_UNSUPPORTED : EVC_ERR_IO, "%s", why);
	job->accel_why = why ? why : "";
	return EVC_OK;
}

/*
 * The host whose offer counts: the one that was named, else this machine under KVM, else one of the cluster.
 * False: none.
 */
static int read_host(struct evc_command *command, const struct evc_run_job *job, struct evc_host *ret_host,
                     bool *ret_has, struct evc_error *err)
{
	const struct evc_capture_options options = { .no_programs = true };
	struct evc_findings notes = { .arena = command->arena };
	const char *path = evc_args_value(&command->args, "host");
	int status;

	*ret_has = true;
	if (path)
		return evc_input_host(command, path, ret_host, err);
	if (job->options.accel != EVC_ACCEL_KVM && !job->mode->keeps_signature) {
		*ret_has = job->first != NULL;
		if (job->first)
			*ret_host = *job->first;
		return EVC_OK;
	}
	status = evc_capture(command->arena, &options, ret_host, &notes, err);
	if (status == EVC_OK)
		ret_host->facts.qemu = job->program.version;
	return status;
}

/* Under KVM this machine must have it all, whichever host it was made for: QEMU would refuse with less said.
 */
static int check_machine(struct evc_command *command, const struct evc_run_job *job,
                         struct evc_findings *findings, struct evc_error *err)
{
	const struct evc_capture_options capture = { .no_programs = true, .name = "this machine" };
	const struct evc_offer_options options = { .qemu = job->program.version };
	const struct evc_check_options check = { .modes = &job->modes };
	struct evc_findings notes = { .arena = command->arena };
	struct evc_check_side side;
	struct evc_host machine;
	int status = evc_capture(command->arena, &capture, &machine, &notes, err);

	if (status >= 0)
		status = evc_side_make(&machine, &options, command->arena, &side, NULL, err);
	if (status < 0)
		return status;
	EVC_SET_FOREACH(id, &job->cpu.features)
	if (evc_cpu_truth(side.cpu, id) == EVC_ABSENT)
		evc_findings_add(findings,
		                 (struct evc_finding){ .kind = EVC_FINDING_LACKS,
		                                       .severity = EVC_BLOCKS,
		                                       .feature = id,
		                                       .subject = side.name,
		                                       .other = job->mode->key,
		                                       .cause = evc_check_cause(&side, id, NULL, &check) });
	return EVC_OK;
}

/* What the guest is to see, and what it cannot be given. */
static int make_cpu(struct evc_command *command, struct evc_run_job *job, struct evc_findings *findings,
                    struct evc_error *err)
{
	const struct evc_offer_options options = { .qemu = job->oldest };
	bool cluster = evc_args_flag(&command->args, "cluster"), has_host;
	struct evc_host host;
	/* Each host's own QEMU counts, and everywhere the oldest. */
	struct evc_fit fit = { .modes = &job->modes,
		               .mode = job->mode,
		               .version = job->version,
		               .host = &host,
		               .options = &options,
		               .others = "cluster" };
	const struct evc_offer *offer;
	int status = read_host(command, job, &host, &has_host, err);

	if (status < 0)
		return status;
	if (!has_host)
		return evc_recipe_mode(&job->modes, job->mode, job->version, 0, command->arena, &job->cpu,
		                       err);
	if ((status = evc_fit_guest(command, &fit, &offer, &job->dump, findings, err)) < 0)
		return status;
	job->version = fit.version ? fit.version : evc_mode_best_version(job->mode, &offer->cpu);
	job->guest = (struct evc_host){ .name = job->name,
		                        .format = "json",
		                        .cpus = &job->dump,
		                        .n_cpus = 1,
		                        .facts = { .tsc_khz = host.facts.tsc_khz } };
	status = evc_recipe_make(&job->dump, job->mode, job->options.qemu, command->arena, &job->cpu, err);
	/* Of a cluster alone no host is better than the others: the guest is called after its mode. */
	if (status == EVC_OK && job->options.accel == EVC_ACCEL_TCG && cluster &&
	    !evc_args_flag(&command->args, "host"))
		job->cpu.brand = evc_recipe_brand(job->mode, command->arena);
	if (status == EVC_OK && evc_args_flag(&command->args, "host") && job->options.accel == EVC_ACCEL_KVM)
		status = check_machine(command, job, findings, err);
	return status;
}

/* The -cpu value, with what --with adds before enforce. */
static int write_cpu(struct evc_command *command, struct evc_run_job *job, struct evc_findings *findings,
                     struct evc_error *err)
{
	struct evc_sink sink = { 0 };
	size_t n;
	const char *const *with = evc_args_values(&command->args, "with", &n);
	int status = evc_run_check_with(with, n, job->options.accel, err);

	if (status < 0)
		return status;
	evc_target_qemu_cpu(&job->cpu, &job->options, &sink, findings);
	for (size_t i = 0; i < n; i++)
		evc_sink_printf(&sink, ",%s%s", with[i], strchr(with[i], '=') ? "" : "=on");
	job->cpu_value = sink.failed ? NULL : evc_arena_string(command->arena, sink.text, sink.length);
	evc_sink_free(&sink);
	return job->cpu_value ? EVC_OK : evc_fail(err, EVC_ERR_MEMORY, "out of memory");
}

/* The oldest QEMU says which machine type all have; its name is fixed, whatever this QEMU's newest is. */
static int read_cluster(struct evc_command *command, struct evc_run_job *job, struct evc_error *err)
{
	struct evc_target_options options = job->options;
	const char *const *paths, *oldest;
	unsigned version;
	size_t n_paths;
	int status;

	job->oldest = job->program.version;
	paths = evc_args_values(&command->args, "cluster", &n_paths);
	status = evc_fit_hosts(command, paths, n_paths, &job->first, &oldest, err);
	if (status < 0)
		return status;
	if (n_paths && !job->first)
		return evc_fail(err, EVC_ERR_INPUT, "--cluster %s: no host there can be read", paths[0]);
	if (oldest && evc_qemu_version(oldest, &version) && version < options.qemu) {
		if (version < EVC_QEMU_OLDEST)
			return evc_fail(err, EVC_ERR_UNSUPPORTED,
			                "a host of the cluster has QEMU %s: 7.2 or newer is wanted", oldest);
		job->oldest = oldest;
		options.qemu = version;
	}
	job->machine = evc_target_machine(&options, command->arena);
	return job->machine ? EVC_OK : evc_fail(err, EVC_ERR_MEMORY, "out of memory");
}

static int read_job(struct evc_command *command, struct evc_run_job *job, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	struct evc_error trouble;
	const char *where, *cache = NULL;
	int status = evc_run_check_options(args->operands, args->n_operands, err);

	if (status == EVC_OK)
		status = evc_input_modes(command, &job->modes, err);
	if (status == EVC_OK)
		status = evc_input_mode(command, &job->modes, "mode", &job->mode, &job->version, err);
	if (status < 0)
		return status;
	if (!job->mode)
		return evc_fail(err, EVC_ERR_USAGE, "name a mode with --mode; evc modes lists them");
	job->options.machine = evc_args_value(args, "machine");
	if (job->options.machine && (status = evc_run_check_machine(job->options.machine, err)) < 0)
		return status;
	where = evc_record_folder(command->arena, true, &trouble);
	if (where)
		cache = evc_arena_printf(command->arena, "%s/.qemu", where);
	status = evc_qemu_program(evc_args_value(args, "program"), cache, command->arena, &job->program, err);
	if (status < 0)
		return status;
	if (!evc_qemu_version(job->program.version, &job->options.qemu) ||
	    job->options.qemu < EVC_QEMU_OLDEST)
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "%s is QEMU %s: 7.2 or newer is wanted",
		                job->program.path, job->program.version);
	if ((status = read_cluster(command, job, err)) < 0)
		return status;
	status = choose_accel(command, job, err);
	return status < 0 ? status : evc_run_choose_name(command, job, err);
}

/*
 * What the guest is not given.  What the mode hides is what was asked for, and what QEMU decides by itself
 * nobody can ask for: neither is worth a line here.
 */
static struct evc_findings worth_saying(const struct evc_findings *findings)
{
	struct evc_findings worth = { .arena = findings->arena };

	for (size_t i = 0; i < findings->n; i++) {
		const struct evc_finding *finding = &findings->items[i];
		bool automatic = finding->feature != EVC_N_FEATURES &&
		                 evc_set_has(&evc_qemu_automatic, finding->feature);

		if (finding->severity != EVC_NOTE && !(automatic && finding->severity == EVC_WARNING))
			evc_findings_add(&worth, *finding);
	}
	return worth;
}

/* Say so; false when the guest is not to be started like that. */
static bool accept(struct evc_command *command, const struct evc_run_job *job,
                   const struct evc_findings *findings)
{
	bool good = evc_findings_verdict(findings) == EVC_YES;
	const struct evc_findings worth = worth_saying(findings);

	if (*job->accel_why)
		evc_sink_printf(command->messages, "evc: %s by %s: %s\n", job->name,
		                job->options.accel == EVC_ACCEL_KVM ? "KVM" : "TCG", job->accel_why);
	evc_report_findings(&worth, command->messages);
	if (!good && !evc_args_flag(&command->args, "lossy"))
		evc_sink_printf(
			command->messages,
			"evc: %s is not started: it cannot have all of %s here; a lower mode may do, and "
			"--lossy starts it without\n",
			job->name, job->mode->key);
	return good || evc_args_flag(&command->args, "lossy");
}

/* A guest at a mode; *ret_record stays NULL when it is not to be started. */
static int make_guest(struct evc_command *command, struct evc_run_job *job, const char ***ret_words,
                      json_t **ret_record, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	int status = read_job(command, job, err);

	if (status == EVC_OK)
		status = make_cpu(command, job, &findings, err);
	if (status == EVC_OK && !job->version)
		job->version = 1;
	if (status == EVC_OK)
		status = write_cpu(command, job, &findings, err);
	if (status == EVC_OK)
		status = evc_run_choose_socket(command, job, err);
	if (status == EVC_OK)
		status = evc_run_make_words(command, job, ret_words, err);
	if (status < 0 || !accept(command, job, &findings))
		return status;
	*ret_record = evc_run_record(job, *ret_words);
	if (evc_args_flag(&command->args, "dry-run")) {
		json_object_set_new(*ret_record, "accel_why", json_string(job->accel_why));
		json_object_set_new(*ret_record, "findings", evc_report_findings_json(&findings));
	}
	return EVC_OK;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const char *like = evc_args_value(&command->args, "like"), **words = NULL;
	bool dry = evc_args_flag(&command->args, "dry-run"), detach = evc_args_flag(&command->args, "detach");
	struct evc_run_job job = { 0 };
	json_t *record = NULL;
	int status = like ? evc_run_like(command, like, &job, &words, &record, err)
	                  : make_guest(command, &job, &words, &record, err);

	if (status < 0)
		return status;
	if (!record)
		return evc_verdict_exit(EVC_NO);
	assert(words);
	if (detach && !job.recorded && !dry) {
		json_decref(record);
		return evc_fail(err, EVC_ERR_USAGE,
		                "--detach: a guest that is not recorded cannot be found again");
	}
	return dry ? evc_run_print(command, words, record)
	           : evc_run_start(command, &job, words, record, detach, err);
}

const struct evc_verb evc_verb_run = {
	.name = "run",
	.summary = "become QEMU, with a guest at a mode",
	.operands = "[-- QEMU-OPTION...]",
	.help = "Replace this process with QEMU and exactly the CPU of a mode: every feature named, signature\n"
		"and highest leaves fixed, a machine type with a version, a QMP socket.  KVM where it can be\n"
		"trusted, else TCG; --accel kvm refuses rather.  What the host cannot give is said by name and\n"
		"why, and then nothing is started (status 1) unless --lossy.  Under TCG the host does not count\n"
		"unless it is named, and what TCG cannot show is only said.  The guest is recorded by its name\n"
		"in $XDG_RUNTIME_DIR/openevc or /run/openevc, where evc guest and evc migrate find it.  --like\n"
		"takes such a record (or what --dry-run --json prints) and starts a guest with the same options;\n"
		"options after -- take the place of those of their name.  With --incoming it waits for the other.\n"
		"A newer host has features beside the mode's (virt-ssbd) and a newer machine type: with --cluster\n"
		"the guest fits all hosts that it names.\n\n"
		"    evc run --mode intel-haswell@5 --name vm7 -- -m 2G -smp 2 -drive file=vm7.img\n"
		"    evc run --like vm7.json --incoming defer --detach",
	.params = params,
	.run = run,
};
