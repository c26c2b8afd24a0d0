/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TESTS_CORE_MACHINES_H
#define EVC_TESTS_CORE_MACHINES_H

/* Machines of the project's own corpus, by the name of their file under corpus/machines. */

#include "base/arena.h"
#include "core/offer.h"

#include <stddef.h>

/* A host as it stands in the corpus, "story/kabylake"; false when there is none. */
bool corpus_host(const char *name, struct evc_arena *arena, struct evc_host *ret_host);

/* The same where there has to be one, and what it offers: the test fails if that cannot be. */
struct evc_host corpus_host_named(const char *name, struct evc_arena *arena);
struct evc_offer corpus_offer(const struct evc_host *host, const struct evc_offer_options *options,
                              struct evc_arena *arena);

/* Decoded and settled, without virtualisation, as a plain guest is given it; false when there is none. */
bool machine_read(const char *name, struct evc_arena *arena, struct evc_cpu *ret_cpu);

/* At most size of them, in the order of corpus/list.txt; returns how many. */
size_t machines_read(struct evc_arena *arena, struct evc_cpu *ret_cpus, size_t size);

#endif
