/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc verify: run guests at a mode here, and hold what they see against what was predicted. */
#include "verb/verify.h"

#include "core/qemu.h"
#include "host/capture.h"
#include "host/kvm.h"
#include "text/report.h"
#include "verb/input.h"
#include "verb/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	STATUS_UNTESTED = 3,
	COST_CPUIDS = 20000, /* 4 s on the slowest machine seen, a KVM inside an emulated CPU */
};

static const struct evc_param params[] = {
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "the mode, as \"evc modes\" lists them" },
	{ .name = "all-modes", .letter = 'a', .help = "every mode of this host's vendor, as a table" },
	{ .name = "host", .value = "FILE", .help = "predict for this host's guests, and try them here" },
	{ .name = "micro", .help = "the micro-VM: KVM without QEMU and without an operating system" },
	{ .name = "bare", .help = "the bare guest: QEMU, and our program in it without an operating system" },
	{ .name = "inside", .help = "the probe guest: QEMU, and a Linux kernel with our init" },
	{ .name = "accel", .value = "ACCEL", .help = "QEMU's: kvm or tcg; kvm unless it is not there" },
	{ .name = "kernel", .value = "FILE", .help = "Linux kernel of the probe guest" },
	{ .name = "machine", .value = "TYPE", .help = "QEMU's machine type: its newest pc-q35 unless given" },
	{ .name = "cost", .help = "measure what one CPUID costs a guest: an exit to KVM and back" },
	{ 0 },
};

/* n_ended of n guests; the line goes with the last one. */
static void progress(void *context, size_t n_ended, size_t n)
{
	const struct evc_command *command = context;

	if (!command->progress)
		return;
	if (n_ended < n)
		fprintf(stderr, "\r\033[K%zu of %zu guests", n_ended, n);
	else
		fputs("\r\033[K", stderr);
	fflush(stderr);
}

/* This machine, and what its KVM offers and keeps. */
static int look_around(struct evc_command *command, struct evc_verify *verify, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_offer_options options = { 0 };
	struct evc_set overridden;
	struct evc_error why = { 0 };
	int status = evc_capture(command->arena, NULL, &verify->here, &findings, err);

	if (status == EVC_OK)
		status = evc_offer_make(&verify->here, &options, command->arena, &verify->offer_here, NULL,
		                        err);
	if (status < 0)
		return status;
	if (verify->here.facts.qemu && *verify->here.facts.qemu &&
	    !evc_qemu_version(verify->here.facts.qemu, &verify->qemu))
		verify->qemu = 0;
	verify->trusted = evc_kvm_trusted(command->arena, &overridden, &why);
	verify->no_kvm = why.code ? evc_arena_printf(command->arena, "%s", why.text) : "";
	if (verify->no_kvm)
		return EVC_OK;
	return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
}

static int choose_host(struct evc_command *command, struct evc_verify *verify, struct evc_error *err)
{
	const char *path = evc_args_value(&command->args, "host");
	/* The guests run here: what this machine's QEMU has no name for they cannot be shown. */
	struct evc_offer_options options = { .qemu = verify->here.facts.qemu };
	int status;

	verify->host = verify->here;
	verify->offer = verify->offer_here;
	if (!path)
		return EVC_OK;
	status = evc_input_host(command, path, &verify->host, err);
	if (status < 0)
		return status;
	verify->other_host = true;
	return evc_offer_make(&verify->host, &options, command->arena, &verify->offer, NULL, err);
}

/* Those that are named, else all. */
static void choose_ways(const struct evc_args *args, struct evc_verify *verify)
{
	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++) {
		verify->ways[i] = evc_args_flag(args, evc_verify_ways[i].name);
		verify->named |= verify->ways[i];
	}
	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++)
		verify->ways[i] |= !verify->named;
}

static void choose_accelerator(const struct evc_args *args, struct evc_verify *verify)
{
	const char *accel = evc_args_value(args, "accel");

	if (accel)
		verify->accel = strcmp(accel, "tcg") ? EVC_ACCEL_KVM : EVC_ACCEL_TCG;
	else
		verify->accel = *verify->no_kvm ? EVC_ACCEL_TCG : EVC_ACCEL_KVM;
}

/* What this machine can and cannot do, said before anything is tried. */
static void say_what_is_missing(const struct evc_verify *verify, struct evc_sink *messages)
{
	bool guests = verify->ways[EVC_VERIFY_BARE] || verify->ways[EVC_VERIFY_INSIDE];

	if (verify->ways[EVC_VERIFY_MICRO] && *verify->no_kvm)
		evc_sink_printf(messages, "evc: KVM cannot be used: %s\n", verify->no_kvm);
	if (guests && verify->accel == EVC_ACCEL_TCG)
		evc_sink_puts(messages, "evc: QEMU's guests run under TCG, its own emulation of a CPU: "
		                        "what TCG cannot show is reduced\n");
	if (!*verify->no_kvm && verify->trusted == EVC_NO)
		evc_sink_puts(messages,
		              "evc: this KVM shows guests features that were masked: it cannot be trusted\n");
}

/* The status of it all: a difference is worse than what could not be tried. */
static int status_of(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n)
{
	bool held = false, untested = false;

	for (size_t i = 0; i < n; i++) {
		if (proofs[i].state == EVC_VERIFY_BROKEN)
			return evc_verdict_exit(EVC_NO);
		held |= proofs[i].state == EVC_VERIFY_HELD;
		untested |= proofs[i].state == EVC_VERIFY_UNTESTED;
	}
	if (!*verify->no_kvm && verify->trusted == EVC_NO &&
	    (verify->ways[EVC_VERIFY_MICRO] || verify->accel == EVC_ACCEL_KVM))
		return evc_verdict_exit(EVC_NO);
	return held && !untested ? evc_verdict_exit(EVC_YES) : STATUS_UNTESTED;
}

static bool same(const struct evc_finding *a, const struct evc_finding *b)
{
	return a->kind == b->kind && a->severity == b->severity && a->cause == b->cause &&
	       a->feature == b->feature && a->have == b->have && a->want == b->want &&
	       !strcmp(a->subject, b->subject) && !strcmp(a->other, b->other) &&
	       !strcmp(a->detail, b->detail);
}

/* What was found of all modes, each once: that a KVM overrides a leaf is found at every mode. */
static void say_findings(struct evc_command *command, const struct evc_verify_proof *proofs, size_t n)
{
	struct evc_findings all = { .arena = command->arena };

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < proofs[i].findings.n; j++) {
			const struct evc_finding *finding = &proofs[i].findings.items[j];
			bool said = false;

			for (size_t k = 0; k < all.n && !said; k++)
				said = same(&all.items[k], finding);
			if (!said)
				evc_findings_add(&all, *finding);
		}
	evc_report_findings(&all, command->messages);
}

static void report(struct evc_command *command, const struct evc_verify *verify,
                   const struct evc_verify_proof *proofs, size_t n, bool table)
{
	if (command->json) {
		evc_report_json(evc_verify_json(verify, proofs, n), command->out);
		return;
	}
	if (table)
		evc_verify_table(verify, proofs, n, command->out);
	for (size_t i = 0; i < n && !table; i++)
		evc_verify_report(verify, &proofs[i], command->out);
	say_findings(command, proofs, n);
	evc_verify_summary(verify, proofs, n, command->out);
}

/* One mode at a version, or all of them (mode is NULL). */
static int verify_modes(struct evc_command *command, struct evc_verify *verify, const struct evc_mode *mode,
                        unsigned version, struct evc_error *err)
{
	size_t n = mode ? 1 : verify->modes.n;
	struct evc_verify_proof *proofs = evc_arena_array(command->arena, n, sizeof(*proofs));
	int status;

	if (!proofs)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++)
		proofs[i] = (struct evc_verify_proof){ .mode = mode ? mode : verify->modes.items[i],
			                               .version = version };
	say_what_is_missing(verify, command->messages);
	status = evc_verify_modes(verify, proofs, n, err);
	if (status < 0)
		return status;
	report(command, verify, proofs, n, !mode);
	return status_of(verify, proofs, n);
}

static int measure_cost(struct evc_command *command, const struct evc_verify *verify, struct evc_error *err)
{
	struct evc_micro_cost cost;
	int status;

	if (*verify->no_kvm)
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "the cost of an exit cannot be measured: %s",
		                verify->no_kvm);
	status = evc_micro_measure(&verify->offer_here.dump, COST_CPUIDS, command->arena, &cost, err);
	if (status < 0)
		return status;
	if (command->json)
		evc_report_json(evc_verify_cost_json(&cost), command->out);
	else
		evc_verify_cost_report(&cost, command->out);
	return EVC_OK;
}

static int check_arguments(const struct evc_args *args, struct evc_error *err)
{
	bool mode = evc_args_flag(args, "mode"), all = evc_args_flag(args, "all-modes");
	const char *accel = evc_args_value(args, "accel");

	if (accel && strcmp(accel, "kvm") != 0 && strcmp(accel, "tcg") != 0)
		return evc_fail(err, EVC_ERR_USAGE, "--accel %s: kvm or tcg", accel);
	if (args->n_operands)
		return evc_fail(err, EVC_ERR_USAGE, "takes no operand; a host is named by --host");
	if (mode && all)
		return evc_fail(err, EVC_ERR_USAGE, "--mode or --all-modes, not both");
	if (!mode && !all && !evc_args_flag(args, "cost"))
		return evc_fail(err, EVC_ERR_USAGE, "name a mode with --mode, or say --all-modes or --cost");
	return EVC_OK;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	struct evc_verify *verify = evc_arena_alloc(command->arena, sizeof(*verify));
	const struct evc_mode *mode;
	unsigned version;
	int status = check_arguments(args, err);

	if (status < 0)
		return status;
	if (!verify)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	verify->arena = command->arena;
	verify->kernel = evc_args_value(args, "kernel");
	verify->machine = evc_args_value(args, "machine");
	verify->progress = progress;
	verify->context = command;
	choose_ways(args, verify);
	if ((status = evc_input_modes(command, &verify->modes, err)) < 0 ||
	    (status = evc_input_mode(command, &verify->modes, "mode", &mode, &version, err)) < 0 ||
	    (status = look_around(command, verify, err)) < 0 ||
	    (status = choose_host(command, verify, err)) < 0)
		return status;
	choose_accelerator(args, verify);
	if (evc_args_flag(args, "cost"))
		status = measure_cost(command, verify, err);
	if (status < 0)
		return status;
	if (!mode && !evc_args_flag(args, "all-modes"))
		return status;
	return verify_modes(command, verify, mode, version, err);
}

const struct evc_verb evc_verb_verify = {
	.name = "verify",
	.summary = "run guests at a mode here and prove what they see",
	.operands = "",
	.help = "Run guests at a mode on this machine and hold every leaf that they see against what \"evc apply\"\n"
		"predicts.  Three guests: a micro-VM, which is KVM alone and executes CPUID, RDMSR and XGETBV in ring\n"
		"0 and 3; a bare guest, which is a program of ours alone under QEMU as \"evc export\" configures it; and a\n"
		"probe guest, which is a Linux kernel under the same.  Those that are named with --micro, --bare and\n"
		"--inside are tried, or all that are possible here; the last line says which were.\n"
		"Each difference is said with its cause.  A feature that cannot be shown here is \"reduced\",\n"
		"said by name and never counted as proved.  A KVM that does not keep to masks is found out.\n"
		"\n"
		"Status: 0 all as predicted, by each guest that was named or that is possible here; 1 something differs;\n"
		"3 it could not be tested: nothing is possible here, or a guest that was named, or one did not answer.\n"
		"\n"
		"    evc verify --mode amd-zen\n"
		"    evc verify --all-modes --bare\n"
		"    evc verify --cost",
	.params = params,
	.run = run,
};
