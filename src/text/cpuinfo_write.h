/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_WRITE_H
#define EVC_TEXT_CPUINFO_WRITE_H

/*
 * A prediction of core/linux.h as text: what the kernel will print, byte for byte, and as JSON.
 * A value that nobody knows is printed as "?", and a flag or bug that nobody knows is left out;
 * both are named when the text is asked to say how certain it is.
 */

#include "base/sink.h"
#include "core/linux.h"

#include <jansson.h>

enum evc_cpuinfo_marks {
	EVC_CPUINFO_PLAIN,     /* as the kernel prints it */
	EVC_CPUINFO_CERTAINTY, /* below each line that is not sure: on what it depends, indented with # */
};

/* One CPU's block, with the empty line that ends it. */
void evc_cpuinfo_write(const struct evc_linux_view *view, enum evc_cpuinfo_marks marks,
                       struct evc_sink *sink);

/* The value of one line as printed, without its name: " fpu vme" has lost its first blank. */
void evc_cpuinfo_value(const struct evc_linux_view *view, enum evc_linux_line line, struct evc_sink *sink);

/* Is the line printed?  A line of which nobody knows it counts as printed. */
bool evc_cpuinfo_shows(const struct evc_linux_view *view, enum evc_linux_line line);

/* "sure", "depends" or "unknown". */
const char *evc_cpuinfo_certainty(struct evc_linux_truth truth);

/* The inputs of a mask: "msr:8b, boot options". */
void evc_cpuinfo_inputs(uint32_t mask, struct evc_sink *sink);
json_t *evc_cpuinfo_inputs_json(uint32_t mask);

/*
 * {"kernel", "platform", "lines": {NAME: {"value", "certainty", "depends", "cause"}}, "flags": {NAME:
 * {"certainty", ...}}, "bugs", "vmx flags"}; new reference.  Causes are there when the view was made
 * with this trace (may be NULL).
 */
json_t *evc_cpuinfo_json(const struct evc_linux_view *view, const struct evc_linux_trace *trace);

#endif
