/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_SEEN_H
#define EVC_VERB_SEEN_H

/* What a level, a mode or a difference is in the words of the guests' Linux: a line or two, and JSON. */

#include "core/linux_seen.h"
#include "core/offer.h"
#include "verb/cluster.h"
#include "verb/verb.h"

#include <jansson.h>

#define EVC_SEEN_PARAM                                                                                       \
	{                                                                                                    \
		.name = "guest-kernel", .value = "KERNEL",                                                   \
		.help = "the Linux that guests run, as for cpuinfo --kernel: " EVC_LINUX_GUEST               \
			" unless given"                                                                      \
	}

/* Names of flags and bugs, as printed; lists end with NULL. */
struct evc_seen {
	const struct evc_linux_tree *tree;
	const char *const *lost_flags, *const *gained_flags, *const *lost_bugs, *const *gained_bugs;
};

/* --guest-kernel, or what is taken where it was not given. */
int evc_seen_tree(const struct evc_args *args, const struct evc_linux_tree **ret_tree, struct evc_error *err);

/* From what the one vCPU shows to what the other shows. */
int evc_seen_change(struct evc_command *command, const struct evc_linux_tree *tree,
                    const struct evc_dump *from, const struct evc_dump *to, struct evc_seen *ret_seen,
                    struct evc_error *err);

/*
 * From what guests of each host see of their own to what they see at the level: lost on some host, gained on
 * some.  Adds findings about flaws that guests are not told of.  Without a mode nothing is seen.
 */
int evc_seen_level(struct evc_command *command, const struct evc_modes *modes, const struct evc_level *level,
                   const struct evc_cluster_hosts *cluster, struct evc_seen *ret_seen,
                   struct evc_findings *findings, struct evc_error *err);

/*
 * A guest (NULL: one at the mode, made on the host) on a host: findings about flaws that it is not told of.
 * kernel: what the guest runs.
 */
int evc_seen_check(struct evc_command *command, const struct evc_modes *modes, const struct evc_mode *mode,
                   unsigned version, const struct evc_check_side *guest, const struct evc_check_side *host,
                   struct evc_findings *findings, struct evc_error *err);

/* "  lose adx smap", "  no longer read srbds in bugs"; nothing at all when nothing changes. */
void evc_seen_print(const struct evc_seen *seen, const char *heading, struct evc_sink *out);

/* {"kernel", "lost_flags", "gained_flags", "lost_bugs", "gained_bugs"}, new reference. */
json_t *evc_seen_json(const struct evc_seen *seen);

#endif
