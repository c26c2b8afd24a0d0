/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_MODES_PRIVATE_H
#define EVC_TEXT_MODES_PRIVATE_H

/* Between modes.c (blocks and their order), passes.c and mode-*.c (what the lines in a block say). */

#include "text/modes.h"

struct evc_name_index; /* feature names, hashed: a text asks for a few hundred of 1,600 */

struct evc_mode_block {
	struct evc_span key;
	struct evc_span body; /* the lines after the heading */
	unsigned line;        /* of the heading */
	bool is_base;
	struct evc_span from; /* without version; empty: none */
	unsigned from_version;
	unsigned from_line;
	struct evc_mode *mode; /* NULL until read */
	bool reading;          /* on the way to the end of a chain of "from" */
};

/* One text while it is read. */
struct evc_modes_reader {
	struct evc_arena *arena;
	struct evc_error *err;
	const char *origin;
	const struct evc_name_index *names;
	const struct evc_modes *old; /* of earlier texts */
	struct evc_mode_block *blocks;
	size_t n_blocks;
};

/* A line without comment; false at the end.  Lines that say nothing are skipped. */
bool evc_modes_line(struct evc_span *rest, unsigned *line, struct evc_span *ret_line);

/* Our own name to an id. */
bool evc_name_index_find(const struct evc_name_index *names, struct evc_span name,
                         enum evc_feature_id *ret_id);

/* "...  @read KEY": takes the claim off the end of *line. */
int evc_modes_claim(struct evc_modes_reader *reader, unsigned number, struct evc_span *line,
                    struct evc_claim *ret_claim);

/* An arena's copy. */
const char *evc_modes_string(struct evc_modes_reader *reader, struct evc_span span);

/* The lines of a block; from is the mode it is from or NULL. */
int evc_mode_read_lines(struct evc_modes_reader *reader, struct evc_mode_block *block,
                        const struct evc_mode *from);

/* A version as the text has it, before inherited ones are put between. */
struct evc_own_version {
	unsigned number;
	unsigned line;
	const char *since;
	const char *why;
	struct evc_claim claim;
	struct evc_set adds;
};

/* Fill mode->versions; own_versions has version 1 first, drops is what the mode does not take from its
 * "from". */
int evc_mode_order_versions(struct evc_modes_reader *reader, struct evc_mode *mode,
                            const struct evc_own_version *own_versions, size_t n_own,
                            const struct evc_set *drops);

/* The lines of "passes". */
int evc_passes_read_lines(struct evc_modes_reader *reader, const struct evc_mode_block *block,
                          struct evc_modes *modes);

#endif
