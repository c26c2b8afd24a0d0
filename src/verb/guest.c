/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc guest: what a running guest was given, asked from outside. */
#include "verb/verbs.h"

#include "core/check.h"
#include "guest/find.h"
#include "guest/given.h"
#include "host/files.h"
#include "text/json.h"
#include "text/report.h"
#include "verb/input.h"

#include <string.h>

static const struct evc_param params[] = {
	{ .name = "output", .letter = 'o', .value = "FILE", .help = "write the dump to this file" },
	{ .name = "to", .letter = 't', .value = "FORMAT", .help = "form of the dump: json unless given" },
	{ .name = "name", .value = "NAME", .help = "call the guest so in the dump" },
	{ 0 },
};

/* The modes between which a guest is. */
struct fit {
	const struct evc_mode *within; /* the least mode that has all that the guest has; NULL: none */
	unsigned version;              /* of it, the first that has */
	bool exact;                    /* and the guest has all of it, and its signature */
	const struct evc_mode *best[4];
	size_t n_best;
};

/* Single bits that a mode could list and the guest has. */
static struct evc_set listable(const struct evc_modes *modes, const struct evc_cpu *cpu)
{
	struct evc_set bits = evc_set_and(&cpu->has, &evc_rule_sets[EVC_RULE_AND]);

	bits = evc_set_minus(&bits, &modes->passes);
	EVC_SET_FOREACH(id, &bits)
	if (!evc_feature_is_bit(&evc_features[id]))
		evc_set_drop(&bits, id);
	return bits;
}

static bool has_signature(const struct evc_mode *mode, const struct evc_cpu *cpu)
{
	return !mode->keeps_signature && cpu->identified && cpu->family == mode->family.value &&
	       cpu->model == mode->model.value && cpu->stepping == mode->stepping.value &&
	       cpu->max_basic == mode->max_basic.value && cpu->max_extended == mode->max_extended.value;
}

/* The smallest version of a mode of the guest's vendor that lists all these features. */
static void find_within(const struct evc_modes *modes, const struct evc_cpu *cpu, const struct evc_set *has,
                        struct fit *fit)
{
	int least = EVC_N_FEATURES + 1;

	for (size_t i = 0; i < modes->n; i++) {
		const struct evc_mode *mode = modes->items[i];

		for (size_t v = 0; v < mode->n_versions && mode->vendors & cpu->vendor; v++) {
			const struct evc_set *features = &mode->versions[v].features;
			int n = evc_set_count(features);

			if (n >= least || !evc_set_within(has, features))
				continue;
			least = n;
			fit->within = mode;
			fit->version = mode->versions[v].number;
		}
	}
}

static void find_fit(const struct evc_modes *modes, const struct evc_cpu *cpu, struct fit *ret_fit,
                     struct evc_set *ret_lacks)
{
	struct evc_set has = listable(modes, cpu);
	struct fit fit = { 0 };

	*ret_lacks = (struct evc_set){ 0 };
	find_within(modes, cpu, &has, &fit);
	if (fit.within) {
		fit.exact = evc_mode_satisfied(fit.within, fit.version, cpu, ret_lacks, NULL) == EVC_YES &&
		            has_signature(fit.within, cpu);
	}
	fit.n_best = evc_modes_best(modes, cpu, fit.best, sizeof(fit.best) / sizeof(fit.best[0]));
	if (fit.n_best > sizeof(fit.best) / sizeof(fit.best[0]))
		fit.n_best = sizeof(fit.best) / sizeof(fit.best[0]);
	*ret_fit = fit;
}

static void put_best(const struct fit *fit, struct evc_sink *out)
{
	for (size_t i = 0; i < fit->n_best; i++)
		evc_sink_printf(out, "%s%s", i ? ", " : "", fit->best[i]->key);
	if (!fit->n_best)
		evc_sink_puts(out, "no mode");
}

static void put_text(const char *name, const struct evc_given *given, const struct evc_cpu *cpu,
                     const struct fit *fit, const struct evc_set *lacks, struct evc_sink *out)
{
	evc_sink_printf(out, "%s: QEMU %s, %s, %s, %s; %zu vCPU%s, %llu MiB\n", name, given->qemu,
	                given->machine, *given->accel ? given->accel : "accelerator unknown", given->status,
	                given->n_vcpus, given->n_vcpus == 1 ? "" : "s",
	                (unsigned long long)(given->memory >> 20));
	evc_sink_printf(out, "%s: %s %u/%u/%u, leaves to 0x%x and 0x%x, \"%s\"\n", name, cpu->vendor_id,
	                cpu->family, cpu->model, cpu->stepping, cpu->max_basic, cpu->max_extended,
	                cpu->brand);
	if (given->tsc_khz)
		evc_sink_printf(out, "%s: time stamp counter of %u kHz\n", name, given->tsc_khz);
	if (fit->exact)
		evc_sink_printf(out, "%s: exactly at %s@%u\n", name, fit->within->key, fit->version);
	else if (fit->within)
		evc_sink_printf(out, "%s: goes not beyond %s@%u; signature and leaves are %s\n", name,
		                fit->within->key, fit->version,
		                has_signature(fit->within, cpu) ? "that mode's" : "not that mode's");
	else
		evc_sink_printf(out, "%s: no mode has all that it has: it was not given a mode\n", name);
	if (fit->within && !evc_set_is_empty(lacks)) {
		evc_sink_printf(out, "%s: of %s@%u it lacks\n", name, fit->within->key, fit->version);
		evc_report_set(lacks, 2, out);
	}
	if (!fit->exact) {
		evc_sink_printf(out, "%s: has all of ", name);
		put_best(fit, out);
		evc_sink_puts(out, "\n");
	}
	for (size_t i = 0; i < given->n_cpus; i++)
		if (json_array_size(given->cpus[i].unavailable))
			evc_sink_printf(out,
			                "%s: %zu features that it was started with are not there (%s, ...)\n",
			                name, json_array_size(given->cpus[i].unavailable),
			                json_string_value(json_array_get(given->cpus[i].unavailable, 0)));
	if (given->n_cpus > 1)
		evc_sink_printf(out, "%s: its vCPUs are of %zu kinds\n", name, given->n_cpus);
}

/* The dump in our own form with one member more, which readers of dumps leave alone. */
static int put_json(const struct evc_host *host, const struct evc_given *given, const struct fit *fit,
                    struct evc_sink *out, struct evc_error *err)
{
	json_t *object, *guest = evc_given_json(given), *best = json_array();
	struct evc_sink text = { 0 };
	int status = evc_json_write(host, true, &text, err);

	object = status == EVC_OK ? json_loadb(text.text, text.length, 0, NULL) : NULL;
	evc_sink_free(&text);
	for (size_t i = 0; i < fit->n_best; i++)
		json_array_append_new(best, json_string(fit->best[i]->key));
	json_object_set_new(guest, "within",
	                    fit->within ? json_sprintf("%s@%u", fit->within->key, fit->version)
	                                : json_null());
	json_object_set_new(guest, "exact", json_boolean(fit->exact));
	json_object_set_new(guest, "has_all_of", best);
	json_object_set_new(object, "guest", guest);
	if (!object)
		return status < 0 ? status : evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_report_json(object, out);
	return EVC_OK;
}

static int put_dump(struct evc_command *command, const struct evc_host *host, const struct evc_given *given,
                    const struct fit *fit, struct evc_sink *out, struct evc_error *err)
{
	const char *to = evc_args_value(&command->args, "to");
	const struct evc_format *format = evc_format_find(to ? to : "json");
	struct evc_findings losses = { .arena = command->arena };

	if (command->json)
		return put_json(host, given, fit, out, err);
	if (!format || !format->write)
		return evc_fail(err, EVC_ERR_NAME,
		                "%s is not a form that evc writes; evc convert --to list names them", to);
	return format->write(host, out, &losses, err);
}

static int describe(struct evc_command *command, const char *name, const struct evc_given *given,
                    struct evc_error *err)
{
	const char *path = evc_args_value(&command->args, "output");
	struct evc_sink file = { 0 };
	struct evc_modes modes;
	struct evc_host host;
	struct evc_cpu cpu;
	struct evc_set lacks;
	struct fit fit;
	int status = evc_input_modes(command, &modes, err);

	if (status == EVC_OK)
		status = evc_given_host(given, name, command->arena, &host, err);
	if (status < 0)
		return status;
	evc_cpu_decode_host(&host, &cpu);
	evc_check_settle(&cpu);
	find_fit(&modes, &cpu, &fit, &lacks);
	status = put_dump(command, &host, given, &fit, path ? &file : command->out, err);
	if (status == EVC_OK && path)
		status = evc_file_write(path, &file, err);
	evc_sink_free(&file);
	if (status == EVC_OK && (!command->json || path))
		put_text(name, given, &cpu, &fit, &lacks, path ? command->out : command->messages);
	return status;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const char *name, *called = evc_args_value(&command->args, "name");
	struct evc_given given = { 0 };
	struct evc_qmp qmp = { .fd = -1 };
	int status;

	if (command->args.n_operands != 1)
		return evc_fail(err, EVC_ERR_USAGE,
		                "name one guest: its QMP socket, its process or its name");
	status = evc_guest_open(&qmp, command->args.operands[0], command->arena, &name, err);
	if (status == EVC_OK)
		status = evc_given_read(&qmp, EVC_GIVEN_ALL, command->arena, &given, err);
	if (status == EVC_OK && !strcmp(given.accel, "kvm") && evc_qmp_is_local(&qmp))
		status = evc_given_add_host(&given, command->arena, err);
	if (status == EVC_OK && *given.name)
		name = given.name;
	if (status == EVC_OK)
		status = describe(command, called ? called : name, &given, err);
	evc_given_free(&given);
	evc_qmp_close(&qmp);
	return status;
}

const struct evc_verb evc_verb_guest = {
	.name = "guest",
	.summary = "say what a running guest was given, and write it as a dump",
	.operands = "NAME|PID|QMP-SOCKET",
	.help = "Ask QEMU from outside what CPU a guest has: by its QMP socket (PATH, tcp:ADDRESS:PORT), by\n"
		"the number of its process, by the name that \"evc run\" gave it, or as a domain of libvirt.\n"
		"The dump goes to standard output or to the file, what the guest is to the other.  Its caches,\n"
		"topology and sizes of state cannot be asked and are not known in the dump.  QEMU's socket answers\n"
		"one client at a time; libvirt marks a domain that is asked as tainted (custom-monitor).\n\n"
		"    evc check --guest <(evc guest vm7) --host web3.json",
	.params = params,
	.run = run,
};
