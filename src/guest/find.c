/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/find.h"

#include "guest/record.h"
#include "guest/socket.h"
#include "host/files.h"
#include "text/qemu-args.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_WORDS = 4096 }; /* of a QEMU's command line */

static bool is_socket(const char *what)
{
	struct stat st;

	return strchr(what, '/') || !strncmp(what, "unix:", 5) || !strncmp(what, "tcp:", 4) ||
	       !strncmp(what, "fd:", 3) || (!stat(what, &st) && S_ISSOCK(st.st_mode));
}

/* The words of a process's command line; 0 when there is no such process or it may not be seen. */
static size_t read_words(uint64_t pid, struct evc_arena *arena, const char ***ret_words,
                         struct evc_error *err)
{
	const char *path = evc_arena_printf(arena, "/proc/%llu/cmdline", (unsigned long long)pid);
	const char **words = evc_arena_array(arena, MAX_WORDS, sizeof(*words));
	struct evc_span text;
	char *copy;
	size_t n = 0;

	if (!path || !words || evc_file_text(path, arena, &text, err) < 0)
		return 0;
	copy = evc_arena_string(arena, text.text, text.length);
	if (!copy)
		return 0;
	for (size_t at = 0; at < text.length && n < MAX_WORDS; at += strlen(copy + at) + 1)
		words[n++] = copy + at;
	*ret_words = words;
	return n;
}

/* A path that is not from the root is from where that process is. */
static const char *as_seen_from(uint64_t pid, const char *address, struct evc_arena *arena)
{
	if (strncmp(address, "unix:", 5) != 0 || address[5] == '/')
		return address;
	return evc_arena_printf(arena, "unix:/proc/%llu/cwd/%s", (unsigned long long)pid, address + 5);
}

static int open_domain(struct evc_qmp *ret_qmp, const char *name, struct evc_error *err)
{
	static const char *const uris[] = { "qemu:///system", "qemu:///session" };
	struct evc_error first = { 0 };
	int status = evc_qmp_open_domain(ret_qmp, uris[0], name, EVC_QMP_TIMEOUT, &first);

	if (status < 0)
		status = evc_qmp_open_domain(ret_qmp, uris[1], name, EVC_QMP_TIMEOUT, err);
	return status;
}

/* A QEMU by its command line. */
struct process {
	const char *program, *name; /* name: of the guest, "" when it has none */
	const char *addresses[EVC_QEMU_MAX_QMP];
	size_t n;
};

static int read_process(uint64_t pid, struct evc_arena *arena, struct process *ret_process,
                        struct evc_error *err)
{
	const char **words = NULL, *option;
	struct process process = { .name = "" };
	size_t n = read_words(pid, arena, &words, err), at = 0;

	if (!n)
		return evc_fail(err, EVC_ERR_NAME,
		                "there is no process %llu with a command line that can be read",
		                (unsigned long long)pid);
	process.program = words[0];
	option = evc_qemu_args_next(words, n, "name", &at);
	if (option)
		process.name = evc_qemu_args_key(arena, option, "guest", "guest");
	if (!process.name)
		process.name = "";
	process.n = evc_qemu_args_qmp(words, n, arena, process.addresses);
	for (size_t i = 0; i < process.n; i++)
		process.addresses[i] = as_seen_from(pid, process.addresses[i], arena);
	*ret_process = process;
	return EVC_OK;
}

static int no_socket(uint64_t pid, const struct process *process, struct evc_error *err)
{
	return evc_fail(err, EVC_ERR_UNSUPPORTED,
	                "process %llu (%s) has no QMP socket on its command line, such as -qmp "
	                "unix:PATH,server=on,wait=off, and libvirt knows no such domain",
	                (unsigned long long)pid, process->program);
}

/* By the options of that process, or, where libvirt holds its socket, by the domain's name. */
static int open_process(struct evc_qmp *ret_qmp, uint64_t pid, struct evc_arena *arena, const char **ret_name,
                        struct evc_error *err)
{
	struct process process;
	int status = read_process(pid, arena, &process, err);

	if (status < 0)
		return status;
	*ret_name = *process.name ? process.name : evc_arena_printf(arena, "%llu", (unsigned long long)pid);
	status = EVC_ERR_IO;
	for (size_t i = 0; i < process.n && status < 0; i++)
		status = evc_qmp_open(ret_qmp, process.addresses[i], EVC_QMP_TIMEOUT, err);
	if (process.n)
		return status;
	if (*process.name && open_domain(ret_qmp, process.name, err) == EVC_OK)
		return EVC_OK;
	return no_socket(pid, &process, err);
}

/* The socket of a guest that evc run recorded; NULL: there is no such guest. */
static int recorded_address(const char *name, struct evc_arena *arena, const char **ret_address,
                            struct evc_error *err)
{
	json_t *record = NULL;
	const char *address;
	int status = evc_record_read(name, arena, &record, err);

	address = json_string_value(json_object_get(record, "qmp"));
	*ret_address = address ? evc_arena_string(arena, address, strlen(address)) : NULL;
	json_decref(record);
	return status;
}

int evc_guest_open(struct evc_qmp *ret_qmp, const char *what, struct evc_arena *arena, const char **ret_name,
                   struct evc_error *err)
{
	const char *address;
	uint64_t pid;
	int status;

	*ret_name = what;
	if (is_socket(what))
		return evc_qmp_open(ret_qmp, what, EVC_QMP_TIMEOUT, err);
	if (evc_span_number(evc_span_from(what), INT32_MAX, &pid))
		return open_process(ret_qmp, pid, arena, ret_name, err);
	status = recorded_address(what, arena, &address, err);
	if (status < 0)
		return status;
	if (address)
		return evc_qmp_open(ret_qmp, address, EVC_QMP_TIMEOUT, err);
	if (open_domain(ret_qmp, what, err) == EVC_OK)
		return EVC_OK;
	return evc_fail(
		err, EVC_ERR_NAME,
		"%s is no QMP socket, no process, no guest that evc run started, and no domain that libvirt "
		"shows this user",
		what);
}

int evc_guest_address(const char *what, struct evc_arena *arena, const char **ret_address,
                      struct evc_error *err)
{
	struct process process;
	uint64_t pid;
	int status;

	*ret_address = what;
	if (is_socket(what))
		return EVC_OK;
	if (evc_span_number(evc_span_from(what), INT32_MAX, &pid)) {
		status = read_process(pid, arena, &process, err);
		if (status == EVC_OK && !process.n)
			status = no_socket(pid, &process, err);
		if (status == EVC_OK)
			*ret_address = process.addresses[0];
		return status;
	}
	status = recorded_address(what, arena, ret_address, err);
	if (status == EVC_OK && !*ret_address)
		status = evc_fail(err, EVC_ERR_NAME,
		                  "%s is no QMP socket, no process, and no guest that evc run started", what);
	return status;
}

/* Who made the socket: it is connected to for that. */
static int find_process(const char *address, uint64_t *ret_pid, struct evc_error *err)
{
	struct evc_qmp_address to;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int fd, status = evc_qmp_address_parse(address, &to, err);

	if (status < 0)
		return status;
	if (to.kind == EVC_QMP_TCP)
		return evc_fail(err, EVC_ERR_UNSUPPORTED,
		                "%s: whose it is cannot be seen: name the guest or its process", address);
	fd = evc_socket_connect(&to, evc_now_ms() + EVC_QMP_TIMEOUT, err);
	if (fd < 0) {
		evc_error_set_origin(err, address);
		return fd;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.pid <= 0)
		status = evc_fail(err, EVC_ERR_UNSUPPORTED, "%s: whose it is cannot be seen", address);
	close(fd);
	*ret_pid = (uint64_t)peer.pid;
	return status;
}

/* Of a process that evc run may not have started. */
static int record_of(uint64_t pid, struct evc_arena *arena, json_t **ret_record, struct evc_error *err)
{
	struct process process;
	const char **words = NULL;
	char directory[4096], link[64];
	json_t *command, *record = NULL;
	ssize_t length;
	size_t n;
	int status = read_process(pid, arena, &process, err);

	if (status == EVC_OK && *process.name)
		status = evc_record_read(process.name, arena, &record, err);
	if (status < 0)
		return status;
	if (record && (uint64_t)json_integer_value(json_object_get(record, "pid")) == pid) {
		*ret_record = record;
		return EVC_OK;
	}
	json_decref(record);
	n = read_words(pid, arena, &words, err);
	if (!strstr(process.program, "qemu"))
		return evc_fail(err, EVC_ERR_UNSUPPORTED,
		                "process %llu is %s, and not the guest's QEMU: name the guest or its process",
		                (unsigned long long)pid, process.program);
	snprintf(link, sizeof(link), "/proc/%llu/cwd", (unsigned long long)pid);
	length = readlink(link, directory, sizeof(directory) - 1);
	directory[length > 0 ? length : 0] = '\0';
	command = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(command, json_string(words[i]));
	*ret_record = json_pack(
		"{s:s, s:s, s:o}", "name",
		*process.name ? process.name : evc_arena_printf(arena, "guest-%llu", (unsigned long long)pid),
		"directory", directory, "command", command);
	return EVC_OK;
}

int evc_guest_record(const char *what, struct evc_arena *arena, json_t **ret_record, struct evc_error *err)
{
	json_t *record = NULL;
	uint64_t pid = 0;
	int status = EVC_OK;

	if (!is_socket(what) && !evc_span_number(evc_span_from(what), INT32_MAX, &pid)) {
		status = evc_record_read(what, arena, &record, err);
		if (status == EVC_OK && !record)
			status = evc_fail(err, EVC_ERR_NAME, "%s is no guest that evc run started", what);
		if (status == EVC_OK)
			*ret_record = record;
		return status;
	}
	if (is_socket(what))
		status = find_process(what, &pid, err);
	return status < 0 ? status : record_of(pid, arena, ret_record, err);
}
