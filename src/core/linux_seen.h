/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LINUX_SEEN_H
#define EVC_CORE_LINUX_SEEN_H

/*
 * Levels as guests see them: which of Linux's flags and bugs a mode takes away or adds, and whether a guest
 * is told of every flaw that a host of its pool has.
 */

#include "core/finding.h"
#include "core/linux.h"

/* The kernel that guests are taken to run when nobody says: Debian's. */
#define EVC_LINUX_GUEST "debian-13"

/* "debian-13" where name is NULL; else as evc_linux_find. */
int evc_linux_seen_tree(const char *name, const struct evc_linux_tree **ret_tree, struct evc_error *err);

/* What a guest with this vCPU sees; under KVM, unless its own leaves name another hypervisor. */
void evc_linux_see(const struct evc_linux_tree *tree, const struct evc_dump *dump,
                   struct evc_linux_view *ret_view);

/*
 * Flags that the one surely has and the other surely has not, as printed and in printing order; n of
 * evc_linux_flags_only is at most EVC_LINUX_PLACES, that of evc_linux_bugs_only EVC_LINUX_N_BUGS.
 */
size_t evc_linux_flags_only(const struct evc_linux_view *has, const struct evc_linux_view * not,
                            const char *ret_names[static EVC_LINUX_PLACES]);
size_t evc_linux_bugs_only(const struct evc_linux_view *has, const struct evc_linux_view * not,
                           const char *ret_names[static EVC_LINUX_N_BUGS]);

/* Somebody's name with what is seen there: a guest that was made on a host, or a host's own guests. */
struct evc_linux_seer {
	const char *name;
	const struct evc_linux_view *view;
};

/*
 * Flaws of which a host's own guests are told, and these guests are not: EVC_FINDING_UNTOLD, one for each
 * flaw, that names the first such host and guest.  Nothing is found where one side is not known, or known
 * only from what was assumed of an MSR.
 */
void evc_linux_find_untold(const struct evc_linux_seer *hosts, size_t n_hosts,
                           const struct evc_linux_seer *guests, size_t n_guests,
                           struct evc_findings *findings);

#endif
