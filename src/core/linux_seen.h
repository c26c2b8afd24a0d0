/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LINUX_SEEN_H
#define EVC_CORE_LINUX_SEEN_H

/*
 * Levels as guests see them: which of Linux's flags and bugs a mode takes away or adds, and whether a guest
 * is told of every flaw that a host of its pool has.
 */

#include "core/finding.h"
#include "core/linux_vuln.h"
#include "core/offer.h"

/* The kernel that guests are taken to run when nobody says: Debian's. */
#define EVC_LINUX_GUEST "debian-13"

/* "debian-13" where name is NULL; else as evc_linux_find. */
int evc_linux_seen_tree(const char *name, const struct evc_linux_tree **ret_tree, struct evc_error *err);

/* What a guest sees with this vCPU; under KVM, unless its own leaves name another hypervisor. */
void evc_linux_see(const struct evc_linux_tree *tree, const struct evc_dump *dump,
                   struct evc_linux_view *ret_view);

/* Which flaws a guest is surely told that it has, or has not: one truth for each of the tree's files. */
struct evc_linux_flaws {
	const struct evc_linux_vuln_file *files[EVC_LINUX_MAX_VULNS];
	uint8_t affected[EVC_LINUX_MAX_VULNS]; /* enum evc_truth */
	size_t n;
};

/* By what evc_linux_see said of the same dump. */
void evc_linux_flaws_told(const struct evc_linux_view *view, const struct evc_dump *dump,
                          struct evc_linux_flaws *ret_flaws);

/* Somebody's name with what is told there. */
struct evc_linux_seer {
	const char *name;
	struct evc_linux_flaws flaws;
};

/*
 * The vCPU as it would be if it said on which CPU it is: the level's features with the signature of the offer
 * that it was made of, the offer's IA32_ARCH_CAPABILITIES with what else the CPU says it is not affected by,
 * and with its instructions that CPUID cannot keep a guest from.
 */
int evc_linux_honest(const struct evc_dump *guest, const struct evc_offer *offer, struct evc_arena *arena,
                     struct evc_dump *ret_dump, struct evc_error *err);

/*
 * Flaws that a guest with the level's features is told of when it knows the host's CPU, and that these guests
 * are told they do not have: EVC_FINDING_UNTOLD, one for each flaw, that names the first such host and guest.
 * All were told by one tree.  Nothing is found where one side is not known, or known only from what was
 * assumed of an MSR; nor of what findings tell already by the bit that says so (EVC_FINDING_SECURITY).
 */
void evc_linux_find_untold(const struct evc_linux_seer *hosts, size_t n_hosts,
                           const struct evc_linux_seer *guests, size_t n_guests,
                           struct evc_findings *findings);

#endif
