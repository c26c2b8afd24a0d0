/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LEVEL_PRIVATE_H
#define EVC_CORE_LEVEL_PRIVATE_H

/* What level.c, level_hold.c and level_risk.c share. */

#include "core/level.h"

/* One mode asked of one kind. */
struct evc_level_cell {
	uint16_t version; /* newest that it surely has, 0: none */
	bool maybe;       /* none surely, and only what is not known stands in the way of the first */
};

/* What is asked, and the table that all answers come from. */
struct evc_level_work {
	const struct evc_modes *modes;
	const struct evc_level_kind *kinds;
	size_t n_kinds;
	const struct evc_level_options *options;
	struct evc_arena *arena;
	struct evc_findings *findings;
	struct evc_level_cell *cells;   /* of mode m and kind k: [m * n_kinds + k] */
	bool *covers;                   /* does mode a cover mode b: [a * modes->n + b] */
	size_t *n_failing;              /* by mode: how many readable kinds do not surely have it */
	size_t *failing;                /* by mode: the last such kind */
	struct evc_check_options check; /* for causes */
	bool mixed;                     /* readable kinds are of several vendors */
	bool no_vendors_mode;           /* and no vendor's modes are for all of them */
	struct evc_level *level;
};

void evc_level_find(struct evc_level_work *work, struct evc_finding finding);

static inline const struct evc_level_cell *evc_level_cell(const struct evc_level_work *work, size_t mode,
                                                          size_t kind)
{
	return &work->cells[mode * work->n_kinds + kind];
}

size_t evc_level_index(const struct evc_level_work *work, const struct evc_mode *mode);

/* The best of the reached modes: of a vendor before for any, covered by no other, the newest; or NULL. */
const struct evc_mode *evc_level_pick(const struct evc_level_work *work, const bool *reached, bool psabi);

/* The best mode that every readable kind has, or NULL. */
const struct evc_mode *evc_level_best_common(const struct evc_level_work *work, bool psabi);

/* "haswell", "haswell@3" where the mode has several versions. */
const char *evc_level_mode_name(const struct evc_level_work *work, const struct evc_mode *mode,
                                unsigned version);

/* level_hold.c: who keeps the level from what is above it, and who stands in a wanted mode's way. */
void evc_level_find_holding(struct evc_level_work *work);
void evc_level_find_blocking(struct evc_level_work *work, const struct evc_mode *mode, unsigned version);

/* level_risk.c: vendors, what a guest is told of its CPU's flaws, widths of addresses. */
void evc_level_find_vendors(struct evc_level_work *work);
void evc_level_clear_unreachable(struct evc_level_work *work);
void evc_level_find_untruths(struct evc_level_work *work);
void evc_level_find_widths(struct evc_level_work *work);

#endif
