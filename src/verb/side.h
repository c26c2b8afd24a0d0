/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_SIDE_H
#define EVC_VERB_SIDE_H

/* Hosts with their offers, as the checks want them. */

#include "core/check.h"
#include "core/offer.h"
#include "verb/verb.h"

struct evc_side_list {
	struct evc_check_side *items;
	size_t n;
};

/* One host with its offer, in the command's arena; findings (may be NULL) get the offer's. */
int evc_side_make(struct evc_command *command, const struct evc_host *host,
                  const struct evc_offer_options *options, struct evc_findings *findings,
                  struct evc_check_side *ret_side, struct evc_error *err);

/* All hosts of these paths through EVC_OFFER_PARAMS; damaged ones are sides without cpu. */
int evc_sides_read(struct evc_command *command, const char *const *paths, size_t n_paths,
                   struct evc_side_list *ret_list, struct evc_error *err);

/* The offer of a readable side of evc_sides_read. */
const struct evc_offer *evc_side_offer(const struct evc_check_side *side);

#endif
