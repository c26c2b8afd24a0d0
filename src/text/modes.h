/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_MODES_H
#define EVC_TEXT_MODES_H

/* clang-format off */
/*
 * Modes as text: the built-in ones (data/modes.txt) and users' own, one syntax for both.
 *
 * A line is a word and what it says.  '#' begins a comment at the start of a line or after two blanks.
 * A value ends in where it comes from, after two blanks: "@read SOURCE[:PLACE]", "@inferred SOURCE[:PLACE]",
 * or "@chosen"; SOURCE is a key of sources.txt.  A block begins with one of
 *
 *	mode KEY                a mode: lower case, digits, hyphens
 *	base KEY                what modes begin with; not a mode itself
 *	passes                  what no mode takes away; once, in the built-in text
 *
 * and in a mode or base there may be, each at most once unless it says otherwise,
 *
 *	label TEXT  @...        how people call it; every mode has one
 *	from KEY[@VERSION]      starts with all of that mode's features and values, and gets its later versions
 *	vendor intel|amd|any    whose hosts; "any" for all
 *	tracks WORD...  @...    with tier: A is at least B when A's tracks include B's and its tier is not less
 *	tier NUMBER  @...
 *	family NUMBER  @...     and model, stepping, max-basic, max-extended: what the guest is shown;
 *	                        decimal or 0x hexadecimal
 *	signature host          no numbers of its own: those of the host stay
 *	host-keys KEY...  @...  VMware keys about hosts, shown but not part of what a guest sees; any number of lines
 *	adds FEATURE...  @...   features by our names; any number of lines
 *	drops FEATURE...  @...  what "from" brought and this mode does not have; any number of lines
 *	holds FEATURE...  @...  there already: this source says so of this mode too; any number of lines
 *	version N since YYYY-MM why TEXT  @...
 *	                        what follows (adds) joined later; N counts all versions, inherited ones too, by date
 *
 * and in passes
 *
 *	leaf LEAF[-LEAF]...  @...     hexadecimal: whole leaves
 *	msr INDEX[-INDEX]...  @...    hexadecimal: whole MSRs
 *	rule RULE  @...               all features of a rule
 *	features FEATURE...  @...     single features and fields
 *
 * Only features whose rule is "and" or "or" and that are single bits can be listed by a mode.
 */
/* clang-format on */

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"
#include "core/mode.h"

enum {
	EVC_MAX_MODES = 4096,         /* of all texts together */
	EVC_MAX_MODES_TEXT = 1 << 20, /* bytes of one text */
};

/*
 * Add the modes of a text to *modes (zeroed before the first text).  A mode may be "from" one of an
 * earlier text or of this one, in any order.  On failure *modes is as it was.  All memory is the arena's, the
 * text itself need not live on.
 */
int evc_modes_parse(struct evc_span text, const char *origin, struct evc_arena *arena,
                    struct evc_modes *modes, struct evc_error *err);

/* The modes of data/modes.txt: read by evc_modes_parse when OpenEVC is built. */
extern const struct evc_modes evc_builtin_modes;

#endif
