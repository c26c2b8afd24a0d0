/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/find.h"

#include "guest/record.h"
#include "host/files.h"
#include "text/qemu-args.h"

#include <stdlib.h>
#include <string.h>
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
	for (size_t at = 0; copy && at < text.length && n < MAX_WORDS; at += strlen(copy + at) + 1)
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

/* By the options of that process, or, where libvirt holds its socket, by the domain's name. */
static int open_process(struct evc_qmp *ret_qmp, uint64_t pid, struct evc_arena *arena, const char **ret_name,
                        struct evc_error *err)
{
	const char *addresses[EVC_QEMU_MAX_QMP], **words = NULL, *option;
	size_t n = read_words(pid, arena, &words, err), n_addresses, at = 0;
	int status = EVC_ERR_IO;

	if (!n)
		return evc_fail(err, EVC_ERR_NAME,
		                "there is no process %llu with a command line that can be read",
		                (unsigned long long)pid);
	option = evc_qemu_args_next(words, n, "name", &at);
	*ret_name = option ? evc_qemu_args_key(arena, option, "guest", "guest") : NULL;
	if (!*ret_name)
		*ret_name = evc_arena_printf(arena, "%llu", (unsigned long long)pid);
	n_addresses = evc_qemu_args_qmp(words, n, arena, addresses);
	for (size_t i = 0; i < n_addresses && status < 0; i++)
		status = evc_qmp_open(ret_qmp, as_seen_from(pid, addresses[i], arena), EVC_QMP_TIMEOUT, err);
	if (n_addresses)
		return status;
	if (option && open_domain(ret_qmp, *ret_name, err) == EVC_OK)
		return EVC_OK;
	return evc_fail(err, EVC_ERR_UNSUPPORTED,
	                "process %llu (%s) has no QMP socket on its command line, such as -qmp "
	                "unix:PATH,server=on,wait=off, and libvirt knows no such domain",
	                (unsigned long long)pid, words[0]);
}

int evc_guest_open(struct evc_qmp *ret_qmp, const char *what, struct evc_arena *arena, const char **ret_name,
                   struct evc_error *err)
{
	json_t *record = NULL;
	uint64_t pid;
	int status;

	*ret_name = what;
	if (is_socket(what))
		return evc_qmp_open(ret_qmp, what, EVC_QMP_TIMEOUT, err);
	if (evc_span_number(evc_span_from(what), INT32_MAX, &pid))
		return open_process(ret_qmp, pid, arena, ret_name, err);
	status = evc_record_read(what, arena, &record, err);
	if (status < 0)
		return status;
	if (record) {
		const char *address = json_string_value(json_object_get(record, "qmp"));

		status = evc_qmp_open(ret_qmp, address ? address : "", EVC_QMP_TIMEOUT, err);
		json_decref(record);
		return status;
	}
	if (open_domain(ret_qmp, what, err) == EVC_OK)
		return EVC_OK;
	return evc_fail(
		err, EVC_ERR_NAME,
		"%s is no QMP socket, no process, no guest that evc run started, and no domain that libvirt "
		"shows this user",
		what);
}
