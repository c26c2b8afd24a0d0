/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/finding.h"
#include "core/linux.h"
#include "host/files.h"
#include "text/cpuinfo.h"
#include "text/cpuinfo_dump.h"
#include "text/format.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct evc_param params[] = {
	{ .name = "to",
	  .letter = 't',
	  .value = "FORMAT",
	  .help = "form to write: json unless given; list: say which" },
	{ .name = "output", .letter = 'o', .value = "FILE", .help = "write to this file" },
	{ .name = "bulk", .help = "write a stream of hosts (json: one a line) even for one" },
	{ .name = "name", .value = "NAME", .help = "call the host so (one host only)" },
	{ .name = "origin", .value = "TEXT", .help = "say in json where the dump comes from" },
	{ .name = "fact",
	  .value = "KEY=VALUE",
	  .many = true,
	  .help = "add a fact: kernel, qemu, firmware, kvm_module, kvm_options, microcode or tsc_khz" },
	{ .name = "kernel",
	  .letter = 'k',
	  .value = "KERNEL",
	  .help = "of a /proc/cpuinfo: the kernel that printed it, as evc cpuinfo takes it" },
	{ .name = "licence", .value = "TEXT", .help = "say in json how it was licensed" },
	{ 0 },
};

static json_t *format_json(const struct evc_format *format)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:b}", "name", format->name, "title", format->title, "reads",
	                 format->read != NULL, "writes", format->write != NULL, "many",
	                 format->write_bulk != NULL);
}

static int list(struct evc_command *command)
{
	json_t *array = json_array();

	for (size_t i = 0; i < evc_n_formats; i++) {
		const struct evc_format *format = evc_formats[i];

		json_array_append_new(array, format_json(format));
		if (!command->json)
			evc_sink_printf(command->out, "%-12s %-10s %s\n", format->name,
			                format->write ? "read,write" : "read", format->title);
	}
	if (command->json) {
		char *text = json_dumps(array, JSON_INDENT(2));

		evc_sink_printf(command->out, "%s\n", text ? text : "");
		free(text);
	}
	json_decref(array);
	return 0;
}

/* What could not be kept, one line each, however many hosts it is true of. */
static void say_losses(struct evc_command *command, const struct evc_findings *findings)
{
	enum { MAX_LOSSES = 16 }; /* different ones; there are fewer */
	struct {
		const struct evc_finding *first;
		size_t n;
	} losses[MAX_LOSSES];
	size_t n = 0;

	for (size_t i = 0; i < findings->n; i++) {
		size_t k = 0;

		while (k < n && strcmp(losses[k].first->detail, findings->items[i].detail))
			k++;
		if (k == n && n < MAX_LOSSES) {
			losses[n].first = &findings->items[i];
			losses[n++].n = 0;
		}
		if (k < n)
			losses[k].n++;
	}
	for (size_t k = 0; k < n; k++) {
		evc_sink_printf(command->messages, "evc: %s", losses[k].first->subject);
		if (losses[k].n > 1)
			evc_sink_printf(command->messages, " and %zu more", losses[k].n - 1);
		evc_sink_printf(command->messages, ": %s cannot hold %s\n", losses[k].first->other,
		                losses[k].first->detail);
	}
}

/* Set one fact of a host from "KEY=VALUE". */
static int set_fact(struct evc_facts *facts, const char *text, struct evc_error *err)
{
	const struct {
		const char *key;
		const char **text;
		uint32_t *number;
	} keys[] = {
		{ .key = "kernel=", .text = &facts->kernel },
		{ .key = "qemu=", .text = &facts->qemu },
		{ .key = "firmware=", .text = &facts->firmware },
		{ .key = "kvm_module=", .text = &facts->kvm_module },
		{ .key = "kvm_options=", .text = &facts->kvm_options },
		{ .key = "microcode=", .number = &facts->microcode },
		{ .key = "tsc_khz=", .number = &facts->tsc_khz },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct evc_span value = evc_span_from(text);
		uint64_t number;

		if (!evc_span_skip(&value, keys[i].key))
			continue;
		if (keys[i].text) {
			*keys[i].text = value.text;
			return EVC_OK;
		}
		if (!evc_span_number(value, UINT32_MAX, &number))
			return evc_fail(err, EVC_ERR_USAGE, "expected a number of 32 bits in %s", text);
		*keys[i].number = (uint32_t)number;
		return EVC_OK;
	}
	return evc_fail(err, EVC_ERR_USAGE, "%s does not begin with a fact's name and =", text);
}

static int set_facts(const struct evc_args *args, struct evc_facts *facts, struct evc_error *err)
{
	size_t n;
	const char *const *values = evc_args_values(args, "fact", &n);
	int status = EVC_OK;

	for (size_t i = 0; i < n && status == EVC_OK; i++)
		status = set_fact(facts, values[i], err);
	return status;
}

/* A /proc/cpuinfo of a kernel that the caller names; every other form says by itself what it knows. */
static int read_cpuinfo(struct evc_command *command, const char *path, const char *kernel,
                        struct evc_hosts *hosts, struct evc_error *err)
{
	const char *slash = strrchr(path, '/');
	struct evc_linux_kernel found;
	struct evc_span text;
	int status = evc_file_text(path, command->arena, &text, err);

	if (status < 0)
		return status;
	if (!evc_cpuinfo_recognise(text))
		return evc_fail(err, EVC_ERR_USAGE, "--kernel is for a /proc/cpuinfo, %s is none", path);
	status = evc_cpuinfo_host(text, slash ? slash + 1 : path, kernel, command->arena, hosts, err);
	if (status < 0) {
		evc_error_set_origin(err, path);
		return status;
	}
	if (evc_linux_find(evc_span_from(kernel), &found, NULL) == EVC_OK && found.match != EVC_LINUX_EXACT)
		evc_sink_printf(command->messages,
		                "evc: %s: its source was not read: what is said is what all kernels prove\n",
		                kernel);
	return EVC_OK;
}

static int read_operands(struct evc_command *command, struct evc_hosts *hosts, struct evc_error *err)
{
	const char *name = evc_args_value(&command->args, "name");
	const char *origin = evc_args_value(&command->args, "origin");
	const char *kernel = evc_args_value(&command->args, "kernel");
	const char *licence = evc_args_value(&command->args, "licence");

	if (!command->args.n_operands)
		return evc_fail(err, EVC_ERR_USAGE, "name at least one file, or - for standard input");
	for (size_t i = 0; i < command->args.n_operands; i++) {
		const char *path = command->args.operands[i];
		int status = kernel ? read_cpuinfo(command, path, kernel, hosts, err)
		                    : evc_files_read(path, command->arena, hosts, err);

		if (status < 0)
			return status;
	}
	if (name && hosts->n != 1)
		return evc_fail(err, EVC_ERR_USAGE, "--name is for one host, there are %zu", hosts->n);
	for (size_t i = 0; i < hosts->n; i++) {
		hosts->items[i].name = name ? name : hosts->items[i].name;
		hosts->items[i].facts.origin = origin ? origin : hosts->items[i].facts.origin;
		hosts->items[i].facts.licence = licence ? licence : hosts->items[i].facts.licence;
		int status = set_facts(&command->args, &hosts->items[i].facts, err);

		if (status < 0)
			return status;
	}
	return EVC_OK;
}

/* All hosts that could be read; the others are named.  Returns 0, or 1 when one was left out. */
static int convert(struct evc_command *command, const struct evc_format *format,
                   const struct evc_hosts *hosts, struct evc_sink *sink, struct evc_error *err)
{
	bool bulk = hosts->n > 1 || evc_args_flag(&command->args, "bulk");
	struct evc_findings losses = { .arena = command->arena };
	size_t left_out = 0;
	char text[512];

	if (!hosts->n)
		return evc_fail(err, EVC_ERR_INPUT, "no dump in %s", command->args.operands[0]);
	if (bulk && !format->write_bulk)
		return evc_fail(err, EVC_ERR_USAGE, "a text of form %s holds one host, there are %zu",
		                format->name, hosts->n);
	for (size_t i = 0; i < hosts->n; i++) {
		const struct evc_host *host = &hosts->items[i];
		int status;

		if (host->reading == EVC_DAMAGED) {
			evc_sink_printf(command->messages, "evc: %s: left out\n",
			                evc_error_format(&host->error, text, sizeof(text)));
			left_out++;
			continue;
		}
		status = (bulk ? format->write_bulk : format->write)(host, sink, &losses, err);
		if (status < 0)
			return status;
	}
	if (left_out == hosts->n)
		return evc_fail(err, EVC_ERR_INPUT, "no host could be read");
	say_losses(command, &losses);
	return left_out > 0;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const char *to = evc_args_value(&command->args, "to"),
		   *path = evc_args_value(&command->args, "output");
	const struct evc_format *format;
	struct evc_hosts hosts = { 0 };
	struct evc_sink file = { 0 };
	int status;

	if (to && !strcmp(to, "list"))
		return list(command);
	format = evc_format_find(to ? to : "json");
	if (!format || !format->write)
		return evc_fail(err, EVC_ERR_NAME, "%s is not a form that evc writes; --to list names them",
		                to);
	status = read_operands(command, &hosts, err);
	if (status < 0)
		return status;
	status = convert(command, format, &hosts, path ? &file : command->out, err);
	if (status >= 0 && path) {
		int written = evc_file_write(path, &file, err);

		status = written < 0 ? written : status;
	}
	evc_sink_free(&file);
	return status;
}

const struct evc_verb evc_verb_convert = {
	.name = "convert",
	.summary = "write CPUID dumps in another form",
	.operands = "FILE...",
	.help = "Read dumps of any form and write them in another one.  What the form cannot hold is said on\n"
		"standard error.  Many hosts become one stream, with --to json or --to cpuid.\n\n"
		"    evc convert --to cpuid web3.json | cpuid -f -",
	.params = params,
	.run = run,
};
