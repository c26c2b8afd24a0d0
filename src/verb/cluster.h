/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_CLUSTER_H
#define EVC_VERB_CLUSTER_H

/* The hosts of a cluster with what each can offer, alike ones once: what levelling begins with. */

#include "core/level.h"
#include "core/offer.h"
#include "host/stream.h"
#include "verb/verb.h"

struct evc_cluster_hosts {
	struct evc_kind **hosts;      /* the first of each kind, how many, names of the first ones */
	struct evc_level_kind *kinds; /* the same, for evc_level_make */
	size_t n;
	size_t n_hosts;
};

/*
 * All hosts of these files, directories and streams.  Hosts are of one kind when neither their offers nor
 * their silicon differ in anything that levelling looks at; serial numbers, clocks and the like do not count.
 * What the offers have to say is added to findings, each saying once.  All memory is the command's arena's.
 */
int evc_cluster_read(struct evc_command *command, const char *const *paths, size_t n_paths,
                     const struct evc_offer_options *options, struct evc_cluster_hosts *ret_cluster,
                     struct evc_findings *findings, struct evc_error *err);

#endif
