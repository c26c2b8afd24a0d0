/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/qemu.h"
#include "core/vcpu.h"
#include "text/report.h"
#include "text/target.h"
#include "verb/fit.h"
#include "verb/input.h"
#include "verb/recipe.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "to", .letter = 't', .value = "TARGET", .help = "qemu or libvirt" },
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "what the guest is to see" },
	{ .name = "host", .value = "FILE", .help = "only what this host can give, with its brand string" },
	{ .name = "cluster",
	  .letter = 'c',
	  .value = "FILE",
	  .many = true,
	  .help = "and nothing that one of these hosts lacks, so that it can move to all of them" },
	{ .name = "vendor",
	  .value = "VENDOR",
	  .help = "intel or amd: whose signature, for x86-64-v1 .. v4 without a host" },
	{ .name = "machine",
	  .value = "TYPE",
	  .help = "machine type: pc-q35 of the QEMU version unless given" },
	{ .name = "accel", .value = "ACCEL", .help = "kvm (default) or tcg" },
	{ .name = "signature",
	  .value = "MODEL",
	  .help = "libvirt: a named model with its numbers, no -global" },
	{ .name = "libvirt",
	  .value = "VERSION",
	  .help = "libvirt: the version that is to read it; it wants each feature that it has a name for by that" },
	{ .name = "domain", .help = "libvirt: a whole small domain" },
	{ .name = "lossy", .help = "write it even if the host or the target cannot give everything" },
	EVC_OFFER_PARAMS,
	{ 0 },
};

/* What was asked for, read. */
struct job {
	const struct evc_target *target;
	struct evc_target_options options;
	struct evc_modes modes;
	const struct evc_mode *mode;
	unsigned version, vendor;
	struct evc_host host;
	bool has_host;
	const struct evc_host *first; /* of the cluster's hosts, NULL: there is no cluster */
	const char *oldest;           /* QEMU of them, NULL: not known */
};

/* What a guest at the mode sees on the host; what the host lacks is among the findings. */
static int host_cpu(struct evc_command *command, struct job *job, struct evc_target_cpu *ret_cpu,
                    struct evc_findings *findings, struct evc_error *err)
{
	struct evc_offer_options options;
	struct evc_fit fit = { .modes = &job->modes,
		               .mode = job->mode,
		               .version = job->version,
		               .host = &job->host,
		               .options = &options,
		               .others = "cluster" };
	const struct evc_offer *offer;
	struct evc_dump dump;
	int status = evc_input_offer_options(&command->args, &options, err);

	if (status < 0)
		return status;
	/* What this QEMU has no name for the guest cannot have, so the mode's version that it gets is
	 * without. */
	options.qemu =
		evc_arena_printf(command->arena, "%u.%u", job->options.qemu / 100, job->options.qemu % 100);
	if ((status = evc_fit_guest(command, &fit, &offer, &dump, findings, err)) < 0)
		return status;
	job->version = fit.version;
	if ((status = evc_recipe_make(&dump, job->mode, job->options.qemu, command->arena, ret_cpu, err)) < 0)
		return status;
	/* Of a cluster no host is better than the others: the guest is called after its mode. */
	if (!evc_args_flag(&command->args, "host"))
		ret_cpu->brand = evc_recipe_brand(job->mode, command->arena);
	return EVC_OK;
}

/* host_qemu (may be NULL) counts where none is named. */
static int read_options(const struct evc_args *args, const char *host_qemu,
                        struct evc_target_options *ret_options, struct evc_error *err)
{
	const char *accel = evc_args_value(args, "accel"), *qemu = evc_args_value(args, "qemu");
	const char *libvirt = evc_args_value(args, "libvirt");
	struct evc_target_options options = { .qemu = EVC_QEMU_OLDEST,
		                              .machine = evc_args_value(args, "machine"),
		                              .signature = evc_args_value(args, "signature"),
		                              .domain = evc_args_flag(args, "domain") };

	if (!qemu && host_qemu && *host_qemu)
		qemu = host_qemu;
	if (accel && !strcmp(accel, "tcg"))
		options.accel = EVC_ACCEL_TCG;
	else if (accel && strcmp(accel, "kvm"))
		return evc_fail(err, EVC_ERR_USAGE, "%s is no accelerator: kvm or tcg", accel);
	if (qemu && !evc_qemu_version(qemu, &options.qemu))
		return evc_fail(err, EVC_ERR_USAGE, "%s is not a QEMU version like 7.2", qemu);
	if (libvirt && !evc_qemu_version(libvirt, &options.libvirt))
		return evc_fail(err, EVC_ERR_USAGE, "%s is not a libvirt version like 9.0", libvirt);
	if (options.qemu < EVC_QEMU_OLDEST)
		return evc_fail(err, EVC_ERR_UNSUPPORTED, "QEMU %s is older than 7.2", qemu);
	*ret_options = options;
	return EVC_OK;
}

/* Of two QEMUs' versions, each may be NULL, the older. */
static const char *older(const char *a, const char *b)
{
	unsigned first, second;

	if (!b || !evc_qemu_version(b, &second))
		return a;
	return a && evc_qemu_version(a, &first) && first <= second ? a : b;
}

static int read_vendor(const struct evc_args *args, unsigned *ret_vendor, struct evc_error *err)
{
	const char *vendor = evc_args_value(args, "vendor");

	*ret_vendor = 0;
	if (vendor && (evc_args_flag(args, "host") || evc_args_flag(args, "cluster")))
		return evc_fail(err, EVC_ERR_USAGE,
		                "--vendor is for where there is no host; a host has its own");
	if (vendor && !strcmp(vendor, "intel"))
		*ret_vendor = EVC_VENDOR_INTEL;
	else if (vendor && !strcmp(vendor, "amd"))
		*ret_vendor = EVC_VENDOR_AMD;
	else if (vendor)
		return evc_fail(err, EVC_ERR_USAGE, "--vendor %s: intel or amd", vendor);
	return EVC_OK;
}

/* The host and the cluster's; without a host one of the cluster's stands for it, and which makes no
 * difference. */
static int read_hosts(struct evc_command *command, struct job *job, struct evc_error *err)
{
	const char *host = evc_args_value(&command->args, "host");
	size_t n_paths;
	const char *const *paths = evc_args_values(&command->args, "cluster", &n_paths);
	int status = evc_fit_hosts(command, paths, n_paths, &job->first, &job->oldest, err);

	if (status < 0)
		return status;
	if (n_paths && !job->first)
		return evc_fail(err, EVC_ERR_INPUT, "--cluster %s: no host there can be read", paths[0]);
	job->has_host = host || job->first;
	if (job->first && !host)
		job->host = *job->first;
	if (!host)
		return EVC_OK;
	status = evc_input_host(command, host, &job->host, err);
	if (status == EVC_OK)
		job->oldest = older(job->oldest, job->host.facts.qemu);
	return status;
}

static int read_job(struct evc_command *command, struct job *job, struct evc_error *err)
{
	const char *to = evc_args_value(&command->args, "to");
	int status;

	job->target = evc_target_find(to ? to : "qemu");
	if (!job->target)
		return evc_fail(err, EVC_ERR_NAME, "%s is not a target: qemu or libvirt", to);
	if (command->args.n_operands)
		return evc_fail(err, EVC_ERR_USAGE, "takes no operand; a host is named by --host");
	if ((status = read_hosts(command, job, err)) < 0 ||
	    (status = read_vendor(&command->args, &job->vendor, err)) < 0 ||
	    (status = read_options(&command->args, job->oldest, &job->options, err)) < 0 ||
	    (status = evc_input_modes(command, &job->modes, err)) < 0 ||
	    (status = evc_input_mode(command, &job->modes, "mode", &job->mode, &job->version, err)) < 0)
		return status;
	if (!job->mode)
		return evc_fail(err, EVC_ERR_USAGE, "name a mode with --mode; evc modes lists them");
	if (job->mode->keeps_signature && job->first && !evc_args_flag(&command->args, "host"))
		return evc_fail(
			err, EVC_ERR_USAGE,
			"%s has no signature of its own: say with --host which of the cluster's the guest "
			"is to have",
			job->mode->key);
	return EVC_OK;
}

/* Nothing is written: what can be done about it. */
static void say_what_helps(const struct job *job, const struct evc_findings *findings,
                           struct evc_sink *messages)
{
	unsigned newest = 0;

	for (size_t i = 0; i < findings->n; i++) {
		const struct evc_finding *finding = &findings->items[i];

		if (finding->severity == EVC_BLOCKS && finding->cause == EVC_CAUSE_QEMU &&
		    finding->feature != EVC_N_FEATURES &&
		    evc_qemu_properties[finding->feature].since > newest)
			newest = evc_qemu_properties[finding->feature].since;
	}
	evc_sink_printf(messages, "evc: nothing is written: the guest cannot have all of %s; ",
	                job->mode->key);
	if (newest > job->options.qemu)
		evc_sink_printf(messages, "with --qemu %u.%u or newer QEMU has names for all of it, ",
		                newest / 100, newest % 100);
	evc_sink_puts(messages, "a lower mode may do, and --lossy writes it without\n");
}

/* What people read, and where nothing is written null for it. */
static void put_json(const struct job *job, const struct evc_target_cpu *cpu, const char *text,
                     const struct evc_findings *findings, struct evc_sink *out)
{
	json_t *object = json_object();

	json_object_set_new(object, "verdict", json_string(evc_verdict_name(evc_findings_verdict(findings))));
	json_object_set_new(object, "target", json_string(job->target->name));
	json_object_set_new(object, "mode", json_string(cpu->mode));
	json_object_set_new(object, "host", job->has_host ? json_string(job->host.name) : json_null());
	json_object_set_new(object, "text", text ? json_string(text) : json_null());
	json_object_set_new(object, "findings", evc_report_findings_json(findings));
	evc_report_json(object, out);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_findings findings = { .arena = command->arena };
	struct evc_target_cpu cpu;
	struct evc_sink text = { 0 };
	struct job job = { 0 };
	enum evc_verdict verdict;
	int status = read_job(command, &job, err);

	if (status < 0)
		return status;
	if (job.has_host)
		status = host_cpu(command, &job, &cpu, &findings, err);
	else
		status = evc_recipe_mode(&job.modes, job.mode, job.version, job.vendor, command->arena, &cpu,
		                         err);
	if (status == EVC_OK)
		status = job.target->write(&cpu, &job.options, &text, &findings, err);
	if (status == EVC_OK) {
		bool written;

		verdict = evc_findings_verdict(&findings);
		written = verdict == EVC_YES || evc_args_flag(&command->args, "lossy");
		if (command->json) {
			put_json(&job, &cpu, written ? text.text : NULL, &findings, command->out);
		} else {
			evc_report_findings(&findings, command->messages);
			if (written)
				evc_sink_write(command->out, text.text, text.length);
			else
				say_what_helps(&job, &findings, command->messages);
		}
		status = evc_verdict_exit(verdict);
	}
	evc_sink_free(&text);
	return status;
}

const struct evc_verb evc_verb_export = {
	.name = "export",
	.summary = "write a guest's CPU as QEMU or libvirt configuration",
	.operands = "",
	.help = "Write what makes a guest see exactly a mode: QEMU's -machine and -cpu with every bit named, or\n"
		"libvirt's <cpu> and <qemu:commandline>.  Without --host the mode's own features (version 1\n"
		"unless named), with it those that the host can give, and with --cluster those that all its hosts\n"
		"can.  What they or the target cannot give is said; unless --lossy is given nothing is written then\n"
		"(status 1).  --qemu is the oldest QEMU that is to run it: the hosts' oldest, else 7.2.\n\n"
		"    evc export --to qemu --mode intel-haswell --host web3.json\n"
		"    evc export --mode intel-haswell --cluster hosts/\n"
		"    evc export --mode x86-64-v3 --vendor amd",
	.params = params,
	.run = run,
};
