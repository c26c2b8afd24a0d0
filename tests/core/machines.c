/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/machines.h"

#include "core/check.h"
#include "text/format.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *file_text(const char *path, struct evc_arena *arena, size_t *ret_length)
{
	enum { MOST = 1 << 20 };
	FILE *file = fopen(path, "re");
	char *text = evc_arena_alloc(arena, MOST);

	*ret_length = file && text ? fread(text, 1, MOST, file) : 0;
	if (file)
		fclose(file);
	return text;
}

bool corpus_host(const char *name, struct evc_arena *arena, struct evc_host *ret_host)
{
	struct evc_hosts hosts = { 0 };
	struct evc_error err;
	char path[512];
	size_t length;
	char *text;

	snprintf(path, sizeof(path), "%s/corpus/%s.json", getenv("EVC_SOURCE"), name);
	text = file_text(path, arena, &length);
	if (!length || evc_hosts_read((struct evc_span){ text, length }, name, arena, &hosts, &err) < 0)
		return false;
	*ret_host = hosts.items[0];
	return true;
}

struct evc_host corpus_host_named(const char *name, struct evc_arena *arena)
{
	struct evc_host host = { 0 };

	if (!corpus_host(name, arena, &host))
		fail_msg("%s is not in the corpus", name);
	return host;
}

struct evc_offer corpus_offer(const struct evc_host *host, const struct evc_offer_options *options,
                              struct evc_arena *arena)
{
	struct evc_offer offer = { 0 };
	struct evc_error err;

	if (evc_offer_make(host, options, arena, &offer, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return offer;
}

bool machine_read(const char *name, struct evc_arena *arena, struct evc_cpu *ret_cpu)
{
	struct evc_host host;
	char path[256];

	snprintf(path, sizeof(path), "machines/%s", name);
	if (!corpus_host(path, arena, &host))
		return false;
	evc_cpu_decode_host(&host, ret_cpu);
	evc_set_drop(&ret_cpu->has, EVC_F_VMX);
	evc_set_drop(&ret_cpu->has, EVC_F_SVM);
	evc_check_settle(ret_cpu);
	return true;
}

size_t machines_read(struct evc_arena *arena, struct evc_cpu *ret_cpus, size_t size)
{
	struct dirent **entries;
	char path[512];
	size_t n = 0;
	int count;

	snprintf(path, sizeof(path), "%s/corpus/machines", getenv("EVC_SOURCE"));
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char *end = strstr(entries[i]->d_name, ".json");

		if (end && n < size) {
			*end = '\0';
			n += machine_read(entries[i]->d_name, arena, &ret_cpus[n]);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return n;
}
