/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_SIDES_H
#define EVC_VERB_SIDES_H

/* Hosts with their offers, as the checks want them. */

#include "core/side.h"
#include "verb/verb.h"

struct evc_side_list {
	struct evc_check_side *items;
	size_t n;
};

/* All hosts of these paths through EVC_OFFER_PARAMS; damaged ones are sides without cpu. */
int evc_sides_read(struct evc_command *command, const char *const *paths, size_t n_paths,
                   struct evc_side_list *ret_list, struct evc_error *err);

#endif
