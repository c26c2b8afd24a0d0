/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_WHY_H
#define EVC_TEXT_CPUINFO_WHY_H

/*
 * The chain of causes of a prediction in words: from a bit, an MSR or a row of a list to the
 * printed word, with the kernel's function at each step.  Printed from a trace, and only from it.
 */

#include "base/sink.h"
#include "core/linux.h"

#include <jansson.h>

/* What a user may name: a flag, a bug, or the line they are on. */
struct evc_cpuinfo_word {
	enum evc_linux_target target;
	uint16_t id;
	const char *name; /* as the tree prints it, or the symbol of what is not printed */
	bool printed;     /* by this tree, when it is there */
};

/* Find a word in any spelling that a tree prints, or the kernel's symbol; lines first. */
bool evc_cpuinfo_word(const struct evc_linux_tree *tree, struct evc_span text,
                      struct evc_cpuinfo_word *ret_word);

/* As the tree prints a flag, bug or line, or the kernel's symbol for what it never prints. */
const char *evc_cpuinfo_name(const struct evc_linux_tree *tree, enum evc_linux_target target, uint16_t id);

/* The whole chain, several lines, ending with a newline. */
void evc_cpuinfo_why(const struct evc_linux_view *view, const struct evc_linux_trace *trace,
                     const struct evc_cpuinfo_word *word, struct evc_sink *sink);

/* The step that decided, on one line without end: "get_cpu_cap (common.c): 7.0:ebx[5] is 1"; false when
 * no step had an effect. */
bool evc_cpuinfo_cause(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                       enum evc_linux_target target, uint16_t id, struct evc_sink *sink);

/* One condition on one line, with the names that the tree prints. */
void evc_cpuinfo_condition(const struct evc_linux_tree *tree, const struct evc_linux_trace *trace,
                           uint16_t node, struct evc_sink *sink);

/* [{"where", "effect", "condition": {...}, "holds"}], new reference. */
json_t *evc_cpuinfo_why_json(const struct evc_linux_view *view, const struct evc_linux_trace *trace,
                             const struct evc_cpuinfo_word *word);

#endif
