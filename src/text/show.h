/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_SHOW_H
#define EVC_TEXT_SHOW_H

/*
 * A host, described: who made the CPU, what it is called, which level it reaches, what it has.
 * Everything is derived from the features, needs, generations and modes; groups of features come
 * from what they need (what needs SSE computes in vectors) and from where they live.
 */

#include "base/sink.h"
#include "core/mode.h"
#include "core/offer.h"

#include <jansson.h>

/* The steps from the signature (leaf 1 EAX) to family, model and stepping as displayed. */
struct evc_show_signature {
	unsigned stepping, model, family, type, extended_model, extended_family; /* the fields as they are */
};

struct evc_show {
	const struct evc_host *host;
	const struct evc_modes *modes;
	const struct evc_offer *offer; /* what guests can have of it; NULL: not asked */
	struct evc_cpu first;          /* the first kind of CPU: identity */
	struct evc_cpu all;            /* all kinds merged: levels and features */
};

/* Decode the host; it, modes and offer are borrowed. */
void evc_show_prepare(const struct evc_host *host, const struct evc_modes *modes,
                      const struct evc_offer *offer, struct evc_show *ret_show);

struct evc_show_signature evc_show_signature(uint32_t eax);

/* The highest mode of one vendor word ("any": psABI levels) that the cpu satisfies, and what comes next. */
void evc_show_modes(const struct evc_modes *modes, const struct evc_cpu *cpu, bool psabi,
                    const struct evc_mode **ret_best, const struct evc_mode **ret_next);

void evc_show_text(const struct evc_show *show, struct evc_sink *out);

/* New reference. */
json_t *evc_show_json(const struct evc_show *show);

/* The registers of each stored subleaf of a leaf, and what their bits mean. */
void evc_show_leaf(const struct evc_host *host, uint32_t leaf, struct evc_sink *out);
json_t *evc_show_leaf_json(const struct evc_dump *dump, const struct evc_leaf *leaf);

/* Every leaf and model-specific register of every kind of CPU. */
void evc_show_raw(const struct evc_host *host, struct evc_sink *out);

enum { EVC_SHOW_GROUPS = 8 };

/* Single bits that the cpu has, in groups of what people look for. */
struct evc_show_group {
	const char *name;
	struct evc_set set;
};

void evc_show_groups(const struct evc_cpu *cpu, struct evc_show_group ret_groups[static EVC_SHOW_GROUPS]);

#endif
