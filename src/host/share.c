/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/share.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

struct part {
	void (*work)(void *context, size_t part, size_t first, size_t last);
	void *context;
	size_t number, first, last;
};

size_t evc_share_parts(size_t n, size_t least)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	size_t parts = online < 1 ? 1 : online > EVC_MAX_PARTS ? EVC_MAX_PARTS : (size_t)online;

	if (parts > n / least)
		parts = n / least;
	return parts ? parts : 1;
}

static void *do_part(void *data)
{
	const struct part *part = data;

	part->work(part->context, part->number, part->first, part->last);
	return NULL;
}

void evc_share(size_t n, size_t n_parts, void (*work)(void *context, size_t part, size_t first, size_t last),
               void *context)
{
	struct part parts[EVC_MAX_PARTS];
	pthread_t threads[EVC_MAX_PARTS];
	bool runs[EVC_MAX_PARTS] = { false };

	assert(n_parts && n_parts <= EVC_MAX_PARTS);
	for (size_t i = n_parts; i-- > 0;) {
		parts[i] = (struct part){ .work = work,
			                  .context = context,
			                  .number = i,
			                  .first = n * i / n_parts,
			                  .last = n * (i + 1) / n_parts };
		runs[i] = i && !pthread_create(&threads[i], NULL, do_part, &parts[i]);
		if (!runs[i])
			do_part(&parts[i]);
	}
	for (size_t i = 1; i < n_parts; i++)
		if (runs[i])
			pthread_join(threads[i], NULL);
}
