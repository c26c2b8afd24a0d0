/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest like another: the options that a record names, on this machine.  Machine, CPU, memory and devices
 * are taken word by word, since whatever differed would be seen by a guest that is moved here.  Its QEMU is
 * this machine's, and so are its monitor's socket and where it waits; a monitor of the other one would take
 * that one's socket away if both are on one machine.
 */
#include "verb/run.h"

#include "core/qemu.h"
#include "guest/record.h"
#include "host/files.h"
#include "host/kvm.h"
#include "text/qemu-args.h"

#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 4096, MAX_WORD = 64 * 1024 };

static int refuse(struct evc_error *err, const char *path, const char *what)
{
	return evc_fail(err, EVC_ERR_INPUT, "%s: expected the record of a guest: %s", path, what);
}

static int read_record(struct evc_command *command, const char *path, json_t **ret_record,
                       struct evc_error *err)
{
	struct evc_span text;
	const json_t *words, *word;
	json_t *record;
	size_t i;
	int status = evc_file_text(path, command->arena, &text, err);

	if (status < 0)
		return status;
	record = json_loadb(text.text, text.length, JSON_REJECT_DUPLICATES, NULL);
	words = json_object_get(record, "command");
	if (json_array_size(words) < 2 || json_array_size(words) > MAX_WORDS)
		status = refuse(err, path, "its \"command\" is a list of QEMU's words");
	json_array_foreach(words, i, word) if (status == EVC_OK &&
	                                       (!json_is_string(word) || json_string_length(word) > MAX_WORD))
		status = refuse(err, path, "each word of its \"command\" is a text");
	if (status < 0)
		json_decref(record);
	else
		*ret_record = record;
	return status;
}

static const char *text_of(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text ? text : "";
}

/* The other one's words, but for those that are each QEMU's own, and changed by the options of this command.
 */
static const char **take_words(struct evc_command *command, const json_t *record, size_t *ret_n,
                               struct evc_error *err)
{
	static const char *const own[] = { "qmp", "qmp-pretty", "incoming", "daemonize", "pidfile", NULL };
	const json_t *list = json_object_get(record, "command");
	size_t n = json_array_size(list);
	const char **words = evc_arena_array(command->arena, n, sizeof(*words));

	for (size_t i = 1; words && i < n; i++) {
		const json_t *word = json_array_get(list, i);

		words[i - 1] =
			evc_arena_string(command->arena, json_string_value(word), json_string_length(word));
	}
	if (words)
		words = evc_qemu_args_change(words, n - 1, own, command->args.operands,
		                             command->args.n_operands, command->arena, ret_n);
	if (!words || evc_arena_failed(command->arena))
		(void)evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	return evc_arena_failed(command->arena) ? NULL : words;
}

/* A guest under KVM has to be under one here that shows what it is told to. */
static int check_accel(struct evc_command *command, const json_t *record, struct evc_error *err)
{
	struct evc_set overridden = { 0 };
	struct evc_error trouble = { 0 };
	enum evc_verdict trusted;

	if (strcmp(text_of(record, "accel"), "kvm") != 0)
		return EVC_OK;
	trusted = evc_kvm_trusted(command->arena, &overridden, &trouble);
	if (trusted == EVC_YES)
		return EVC_OK;
	if (trusted == EVC_NO)
		return evc_fail(
			err, EVC_ERR_UNSUPPORTED,
			"the guest is under KVM, and this machine's KVM shows guests what was masked");
	return evc_fail(err, EVC_ERR_IO, "the guest is under KVM, which cannot be used here: %s",
	                trouble.text);
}

/* Program, name, socket: what is this machine's. */
static int choose_own(struct evc_command *command, const json_t *record, struct evc_run_job *job,
                      struct evc_error *err)
{
	const char *name = text_of(record, "name"), *where, *cache = NULL;
	struct evc_error trouble;
	int status;

	job->name = evc_arena_string(command->arena, name, strlen(name));
	where = evc_record_folder(command->arena, true, &trouble);
	if (where)
		cache = evc_arena_printf(command->arena, "%s/.qemu", where);
	status = evc_qemu_program(evc_args_value(&command->args, "program"), cache, command->arena,
	                          &job->program, err);
	if (status == EVC_OK)
		status = check_accel(command, record, err);
	if (status == EVC_OK)
		status = evc_run_choose_name(command, job, err);
	return status < 0 ? status : evc_run_choose_socket(command, job, err);
}

static int add_own(struct evc_command *command, const struct evc_run_job *job, const char *const *words,
                   size_t n, const char ***ret_words, struct evc_error *err)
{
	enum { OWN = 5, END = 1 };
	const char **result = evc_arena_array(command->arena, n + OWN + END, sizeof(*result));
	const char *incoming = evc_args_value(&command->args, "incoming");
	size_t at = 0;

	if (!result)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	result[at++] = job->program.path;
	for (size_t i = 0; i < n; i++)
		result[at++] = words[i];
	result[at++] = "-qmp";
	result[at++] = evc_arena_printf(command->arena, "unix:%s,server=on,wait=off", job->qmp);
	if (incoming) {
		result[at++] = "-incoming";
		result[at++] = incoming;
	}
	*ret_words = result;
	return evc_arena_failed(command->arena) ? evc_fail(err, EVC_ERR_MEMORY, "out of memory") : EVC_OK;
}

/* Paths that are not from the root are from where the other QEMU was. */
static void enter_directory(struct evc_command *command, const json_t *record)
{
	const char *directory = text_of(record, "directory");

	if (*directory && chdir(directory))
		evc_sink_printf(command->messages,
		                "evc: there is no %s here: paths are taken from this directory\n", directory);
}

/* The record of the new one: what is promised stays, what is its own does not. */
static json_t *new_record(const json_t *record, const struct evc_run_job *job, const char *const *words)
{
	json_t *result = json_copy((json_t *)record), *command = json_array();

	for (; *words; words++)
		json_array_append_new(command, json_string(*words));
	json_object_set_new(result, "command", command);
	json_object_set_new(result, "name", json_string(job->name));
	json_object_set_new(result, "qmp", json_string(job->qmp));
	json_object_set_new(result, "qemu", json_string(job->program.version));
	return result;
}

/* Options that decide what the record has decided. */
static int check_params(const struct evc_command *command, struct evc_error *err)
{
	static const char *const decided[] = { "mode", "host", "accel", "machine", "with", "lossy" };

	for (size_t i = 0; i < sizeof(decided) / sizeof(decided[0]); i++)
		if (evc_args_value(&command->args, decided[i]) || evc_args_flag(&command->args, decided[i]))
			return evc_fail(err, EVC_ERR_USAGE,
			                "--like and --%s exclude each other: the record decides", decided[i]);
	return EVC_OK;
}

int evc_run_like(struct evc_command *command, const char *path, struct evc_run_job *job,
                 const char ***ret_words, json_t **ret_record, struct evc_error *err)
{
	json_t *record = NULL;
	const char **words;
	size_t n = 0;
	int status = check_params(command, err);

	if (status == EVC_OK)
		status = read_record(command, path, &record, err);
	if (status < 0)
		return status;
	words = take_words(command, record, &n, err);
	status = words ? choose_own(command, record, job, err) : (int)err->code;
	if (status == EVC_OK)
		status = add_own(command, job, words, n, ret_words, err);
	if (status == EVC_OK) {
		enter_directory(command, record);
		*ret_record = new_record(record, job, *ret_words);
	}
	json_decref(record);
	return status;
}
