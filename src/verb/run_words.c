/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What evc run decided, as a name, a socket, a command line and a record. */
#include "verb/run.h"

#include "guest/qmp.h"
#include "guest/record.h"
#include "text/json.h"
#include "text/qemu-args.h"
#include "text/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SOCKET_TIMEOUT_MS = 500 }; /* to see whether somebody has the socket */

/* The guest's name: ours, else QEMU's option, else one of the mode and this process. */
int evc_run_choose_name(struct evc_command *command, struct evc_run_job *job, struct evc_error *err)
{
	const char *name = evc_args_value(&command->args, "name"), *option;
	size_t at = 0;

	option = evc_qemu_args_next(command->args.operands, command->args.n_operands, "name", &at);
	if (!name && option)
		name = evc_qemu_args_key(command->arena, option, "guest", "guest");
	if (!name)
		name = job->name; /* of the record that this guest is to be like */
	if (!name)
		name = evc_arena_printf(command->arena, "%s-%d", job->mode->key, (int)getpid());
	if (!name || !evc_record_name_fits(name))
		return evc_fail(
			err, EVC_ERR_USAGE,
			"\"%s\" is no name for a guest: letters, digits, and -_.+@ after the first, at most %d, and not digits alone",
			name ? name : "", EVC_RECORD_MAX_NAME);
	job->name = name;
	return EVC_OK;
}

/* The name of a living guest is taken. */
static int check_name(struct evc_command *command, const struct evc_run_job *job, struct evc_error *err)
{
	json_t *other = NULL;
	int status = evc_record_read(job->name, command->arena, &other, err);

	if (status == EVC_OK && other)
		status = evc_fail(err, EVC_ERR_USAGE, "a guest of the name %s is running, as process %d",
		                  job->name, (int)json_integer_value(json_object_get(other, "pid")));
	json_decref(other);
	return status;
}

/* QEMU would take a path over from whoever listens there, so nobody may. */
static int check_socket(const char *path, struct evc_error *err)
{
	struct evc_error trouble = { 0 };
	struct evc_qmp qmp;
	int status;

	if (access(path, F_OK))
		return EVC_OK;
	status = evc_qmp_open(&qmp, path, SOCKET_TIMEOUT_MS, &trouble);
	if (status == EVC_OK)
		evc_qmp_close(&qmp);
	/* Connected, whatever was said then: somebody listens. */
	if (status == EVC_OK || qmp.state == EVC_QMP_SILENT || qmp.state == EVC_QMP_GARBAGE)
		return evc_fail(err, EVC_ERR_USAGE, "--qmp %s: another program listens there", path);
	return EVC_OK;
}

/* From the root, since who reads the record may be anywhere. */
static const char *absolute(const char *path, struct evc_arena *arena)
{
	char here[4096];

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		return evc_arena_string(arena, path, strlen(path));
	return evc_arena_printf(arena, "%s/%s", here, path);
}

/* The QMP socket: beside the record unless one is named. */
int evc_run_choose_socket(struct evc_command *command, struct evc_run_job *job, struct evc_error *err)
{
	bool dry = evc_args_flag(&command->args, "dry-run");
	const char *path = evc_args_value(&command->args, "qmp"), *where;
	struct evc_error trouble = { 0 };
	struct evc_qmp_address address;
	int status;

	where = evc_record_folder(command->arena, !dry, &trouble);
	job->recorded = where != NULL;
	if (!where && !path)
		return evc_fail(err, trouble.code,
		                "%s; name a socket with --qmp, then the guest is not recorded", trouble.text);
	if (!where && !dry)
		evc_sink_printf(command->messages, "evc: the guest is not recorded: %s\n", trouble.text);
	if (!path)
		path = evc_arena_printf(command->arena, "%s/%s.qmp", where, job->name);
	if (!path)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = evc_qmp_address_parse(path, &address, err);
	if (status < 0)
		return status;
	if (address.kind != EVC_QMP_UNIX || strchr(address.path, ','))
		return evc_fail(
			err, EVC_ERR_USAGE,
			"--qmp %s: the path of a socket without commas is wanted; further ones are among "
			"QEMU's options",
			path);
	job->qmp = absolute(address.path, command->arena);
	status = dry ? EVC_OK : check_name(command, job, err);
	return status < 0 || dry ? status : check_socket(address.path, err);
}

static void add(struct evc_run_job *job, const char *word)
{
	if (job->n_words < EVC_RUN_OWN_WORDS)
		job->words[job->n_words++] = word;
}

static void add_option(struct evc_run_job *job, const char *option, const char *value)
{
	add(job, option);
	add(job, value);
}

/* The whole command line: ours, then the user's options. */
int evc_run_make_words(struct evc_command *command, struct evc_run_job *job, const char ***ret_words,
                       struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	const char *incoming = evc_args_value(args, "incoming"), **words;
	size_t at = 0;

	add(job, job->program.path);
	if (!evc_qemu_args_next(args->operands, args->n_operands, "name", &at))
		add_option(job, "-name", job->name);
	add_option(job, "-machine", job->machine);
	add_option(job, "-accel", job->options.accel == EVC_ACCEL_KVM ? "kvm" : "tcg");
	add_option(job, "-cpu", job->cpu_value);
	add_option(job, "-qmp", evc_arena_printf(command->arena, "unix:%s,server=on,wait=off", job->qmp));
	if (incoming)
		add_option(job, "-incoming", incoming);
	words = evc_arena_array(command->arena, job->n_words + args->n_operands + 1, sizeof(*words));
	if (!words || evc_arena_failed(command->arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	memcpy(words, job->words, job->n_words * sizeof(*words));
	if (args->n_operands)
		memcpy(words + job->n_words, args->operands, args->n_operands * sizeof(*words));
	*ret_words = words;
	return EVC_OK;
}

/* A word for a shell: as it is, or in quotes. */
static void put_word(const char *word, struct evc_sink *out)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:=/+@%";

	if (*word && strspn(word, plain) == strlen(word)) {
		evc_sink_puts(out, word);
		return;
	}
	evc_sink_puts(out, "'");
	for (; *word; word++)
		if (*word == '\'')
			evc_sink_puts(out, "'\\''");
		else
			evc_sink_write(out, word, 1);
	evc_sink_puts(out, "'");
}

json_t *evc_run_record(const struct evc_run_job *job, const char *const *words)
{
	json_t *command = json_array(), *record;
	char directory[4096];
	struct evc_sink dump = { 0 };
	struct evc_error err;

	for (; *words; words++)
		json_array_append_new(command, json_string(*words));
	record = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o}", "name", job->name, "mode",
	                   job->mode->key, "version", (int)job->version, "qmp", job->qmp, "qemu",
	                   job->program.version, "machine", job->machine, "accel",
	                   job->options.accel == EVC_ACCEL_KVM ? "kvm" : "tcg", "cpu", job->cpu_value,
	                   "command", command);
	if (getcwd(directory, sizeof(directory)))
		json_object_set_new(record, "directory", json_string(directory));
	if (job->guest.facts.tsc_khz)
		json_object_set_new(record, "tsc_khz", json_integer(job->guest.facts.tsc_khz));
	/* The dump as the promise that it was when the guest was started. */
	if (job->guest.n_cpus && evc_json_write(&job->guest, false, &dump, &err) == EVC_OK)
		json_object_set_new(record, "dump", json_loadb(dump.text, dump.length, 0, NULL));
	evc_sink_free(&dump);
	return record;
}

int evc_run_print(struct evc_command *command, const char *const *words, json_t *record)
{
	if (command->json) {
		evc_report_json(record, command->out);
		return EVC_OK;
	}
	json_decref(record);
	for (size_t i = 0; words[i]; i++) {
		evc_sink_puts(command->out, i ? " " : "");
		put_word(words[i], command->out);
	}
	evc_sink_puts(command->out, "\n");
	return EVC_OK;
}
