/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_FIT_H
#define EVC_VERB_FIT_H

/* A guest that is to fit more hosts than the one it starts on, and why a host cannot give it everything. */

#include "core/level.h"
#include "core/offer.h"
#include "verb/verb.h"

/* What is asked for; all of it is borrowed, but the version. */
struct evc_fit {
	const struct evc_modes *modes;
	const struct evc_mode *mode;
	unsigned version;                        /* 0: the newest that all of them have; then, that one */
	bool across_vendors;                     /* Intel with AMD */
	const struct evc_host *host;             /* where the guest starts; was read */
	const struct evc_offer_options *options; /* how to look at all of them */
	const char *others;                      /* the parameter that names the others */
};

/*
 * What a guest sees at the mode on the host, one that fits the others too where the parameter names some: fit
 * then gets the version that all have.  What the host lacks is among the findings, with its cause.  The offer
 * is the arena's.
 */
int evc_fit_guest(struct evc_command *command, struct evc_fit *fit, const struct evc_offer **ret_offer,
                  struct evc_dump *ret_dump, struct evc_findings *findings, struct evc_error *err);

/*
 * The oldest QEMU of a set of hosts as its text, "7.2.22", and the host that stands for them, the first one
 * that could be read; NULL each when there is none.
 */
int evc_fit_hosts(struct evc_command *command, const char *const *paths, size_t n_paths,
                  const struct evc_host **ret_first, const char **ret_qemu, struct evc_error *err);

#endif
