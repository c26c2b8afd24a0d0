/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a guest is to go.  A QEMU that waits is named by its address; one that does not yet is started, here
 * or on another host, with the options that the guest's own QEMU has: equal options make equal guests, and
 * the comparison that follows sees whether they did.
 */
#include "verb/migrate.h"

#include "guest/find.h"
#include "guest/record.h"
#include "text/qemu-args.h"

#include <string.h>
#include <sys/stat.h>

enum { MAX_OPTIONS_WITH_FILES = 8 };

/* Is there a file or a socket of this name, which two QEMUs would both want? */
static bool is_there(const char *path, size_t length, struct evc_arena *arena)
{
	const char *name = evc_arena_string(arena, path, length);
	struct stat st;

	return name && *name && !stat(name, &st) && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode));
}

/*
 * On the same machine the new QEMU must not take the files and sockets of the guest's own.  Images are no
 * matter: they are the guest's, and QEMU's locks see to them.
 */
static int check_shared(const char *const *words, size_t n, struct evc_arena *arena, struct evc_error *err)
{
	static const char *const options[MAX_OPTIONS_WITH_FILES] = { "serial",   "chardev",  "monitor",
		                                                     "debugcon", "parallel", "mon",
		                                                     "vnc",      "D" };
	static const char *const starts[] = { "path=", "file:", "unix:", "" };
	const char *value;

	for (size_t i = 0; i < MAX_OPTIONS_WITH_FILES; i++)
		for (size_t at = 0; (value = evc_qemu_args_next(words, n, options[i], &at));)
			for (size_t j = 0; j < sizeof(starts) / sizeof(starts[0]); j++) {
				const char *found = strstr(value, starts[j]);
				const char *path = found ? found + strlen(starts[j]) : NULL;

				if (path && is_there(path, strcspn(path, ","), arena))
					return evc_fail(
						err, EVC_ERR_USAGE,
						"-%s %s: the guest's QEMU has that here; give another "
						"one after --, as: -- -%s ...",
						options[i], value, options[i]);
			}
	return EVC_OK;
}

/* The record with the options of this command in the place of those of their name; as text. */
static int make_record(struct evc_command *command, const char *from, bool here, json_t **ret_record,
                       struct evc_error *err)
{
	static const char *const none[] = { NULL };
	const struct evc_args *args = &command->args;
	json_t *record = NULL, *list, *changed = json_array();
	const char **words = NULL;
	size_t n, n_words = 0;
	int status = evc_guest_record(from, command->arena, &record, err);

	list = json_object_get(record, "command");
	n = json_array_size(list);
	if (status == EVC_OK)
		words = evc_arena_array(command->arena, n + 1, sizeof(*words));
	for (size_t i = 0; words && i < n; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		words[i] = evc_arena_string(command->arena, word ? word : "", word ? strlen(word) : 0);
	}
	if (words)
		words = evc_qemu_args_change(words, n, none, args->operands, args->n_operands, command->arena,
		                             &n_words);
	if (status == EVC_OK && (!words || evc_arena_failed(command->arena)))
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (status == EVC_OK && here)
		status = check_shared(words, n_words - args->n_operands, command->arena, err);
	for (size_t i = 0; status == EVC_OK && i < n_words; i++)
		json_array_append_new(changed, json_string(words[i]));
	if (status < 0) {
		json_decref(changed);
		json_decref(record);
		return status;
	}
	json_object_set_new(record, "command", changed);
	*ret_record = record;
	return EVC_OK;
}

/* A record as a text that lives in the arena. */
static const char *text_of(const json_t *record, struct evc_arena *arena)
{
	size_t length = json_dumpb(record, NULL, 0, JSON_COMPACT);
	char *text = evc_arena_string(arena, "", 0);

	text = length ? evc_arena_array(arena, length + 1, 1) : text;
	if (text)
		json_dumpb(record, text, length, JSON_COMPACT);
	return text;
}

/* The guest has its name as long as it is here: the other one is called NAME.b, and the next one NAME again.
 */
static const char *other_name(const char *name, struct evc_arena *arena)
{
	size_t length = strlen(name);

	if (length > 2 && !strcmp(name + length - 2, ".b"))
		return evc_arena_string(arena, name, length - 2);
	return evc_arena_printf(arena, "%s.b", name);
}

static int start_here(struct evc_command *command, const char *from, struct evc_migrate_there *there,
                      struct evc_error *err)
{
	json_t *record = NULL;
	const char *text, *name, *qmp;
	int status = make_record(command, from, true, &record, err);

	if (status < 0)
		return status;
	text = text_of(record, command->arena);
	name = other_name(json_string_value(json_object_get(record, "name")), command->arena);
	json_decref(record);
	if (!text || !name)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = evc_remote_start_here(text, name, command->arena, &there->started, err);
	if (status < 0)
		return status;
	qmp = json_string_value(json_object_get(there->started, "qmp"));
	there->address = there->called = evc_arena_string(command->arena, qmp, strlen(qmp));
	return EVC_OK;
}

/* Sockets here that lead to the QEMU there: its monitor, and where it will take the guest's memory. */
static int forward(struct evc_command *command, const char *qmp, struct evc_migrate_there *there,
                   struct evc_error *err)
{
	struct evc_arena *arena = command->arena;
	const char *memory = evc_arena_printf(arena, "%s.migrate", qmp);
	int status;

	there->called = evc_arena_printf(arena, "%s:%s", there->remote.host, qmp);
	if (!memory || !there->called)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = evc_remote_forward(&there->remote, qmp, memory, arena, err);
	if (status < 0)
		return status;
	there->address = there->remote.qmp;
	there->uri = evc_arena_printf(arena, "unix:%s", there->remote.memory);
	there->listen = evc_arena_printf(arena, "unix:%s", memory);
	return there->uri && there->listen ? EVC_OK : evc_fail(err, EVC_ERR_MEMORY, "out of memory");
}

static int start_there(struct evc_command *command, const char *from, struct evc_migrate_there *there,
                       struct evc_error *err)
{
	json_t *record = NULL;
	const char *text, *qmp;
	int status = make_record(command, from, false, &record, err);

	if (status < 0)
		return status;
	text = text_of(record, command->arena);
	json_decref(record);
	if (!text)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = evc_remote_start(&there->remote, text, command->arena, &there->started, err);
	if (status < 0)
		return status;
	qmp = json_string_value(json_object_get(there->started, "qmp"));
	status = forward(command, evc_arena_string(command->arena, qmp, strlen(qmp)), there, err);
	if (status < 0)
		evc_sink_printf(command->messages,
		                "evc: a QEMU that waits for the guest was left at %s (%s): it is of no use\n",
		                there->remote.host, qmp);
	return status;
}

/* Cut "HOST:/SOCKET" in two; the socket is NULL when it is a host alone.  False: it is neither. */
static bool split_host(const char *to, struct evc_arena *arena, const char **ret_host,
                       const char **ret_socket)
{
	bool uri = !strncmp(to, "ssh://", 6);
	const char *start = !uri && !strncmp(to, "ssh:", 4) ? to + 4 : to,
		   *colon = uri ? NULL : strstr(start, ":/");

	*ret_socket = colon ? colon + 1 : NULL;
	*ret_host = evc_arena_string(arena, start, colon ? (size_t)(colon - start) : strlen(start));
	return *ret_host && evc_remote_host_fits(*ret_host);
}

/* A QEMU of this machine that waits: by its address, its process or its name.  False: it is none of them. */
static bool is_local(const char *to, struct evc_arena *arena)
{
	json_t *record = NULL;
	struct evc_error err;
	uint64_t pid;
	bool known;

	if (!strncmp(to, "unix:", 5) || !strncmp(to, "tcp:", 4) || !strncmp(to, "fd:", 3) || to[0] == '/' ||
	    to[0] == '.' || evc_span_number(evc_span_from(to), INT32_MAX, &pid))
		return true;
	if (!strncmp(to, "ssh:", 4) || strstr(to, ":/"))
		return false;
	known = strchr(to, '/') || (evc_record_read(to, arena, &record, &err) == EVC_OK && record);
	json_decref(record);
	return known;
}

int evc_migrate_there_open(struct evc_command *command, const char *from, const char *to,
                           struct evc_migrate_there *ret_there, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	struct evc_migrate_there *there = ret_there;
	const char *ssh = evc_args_value(args, "ssh"), *host, *socket;
	bool local = is_local(to, command->arena), here = !local && !strcmp(to, "here");

	if (local && !args->n_operands) {
		int status = evc_guest_address(to, command->arena, &there->address, err);

		there->called = there->address;
		return status;
	}
	if (here)
		return start_here(command, from, there, err);
	if (!local && !split_host(to, command->arena, &host, &socket))
		return evc_fail(
			err, EVC_ERR_USAGE,
			"--to %s: no socket, no process, no guest that evc run started, and no name of a host",
			to);
	if (args->n_operands && (local || socket))
		return evc_fail(err, EVC_ERR_USAGE,
		                "%s: options of QEMU are for a destination that evc starts",
		                args->operands[0]);
	there->remote = (struct evc_remote){ .host = host, .ssh = ssh ? ssh : "ssh" };
	return socket ? forward(command, socket, there, err) : start_there(command, from, there, err);
}

void evc_migrate_there_close(struct evc_migrate_there *there)
{
	evc_remote_close(&there->remote);
	json_decref(there->started);
	there->started = NULL;
}
