/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_OBSERVE_H
#define EVC_TEXT_OBSERVE_H

/* A probe, described: in what it ran, which mode it was given, what its instructions did. */

#include "base/sink.h"
#include "core/given.h"
#include "core/leak.h"
#include "core/probe.h"

#include <jansson.h>

struct evc_observation {
	const struct evc_probe *probe;
	const struct evc_modes *modes;
	const char *product;  /* what the firmware says that the machine is, "" when it says nothing */
	struct evc_cpu first; /* the first kind of CPU: identity */
	struct evc_cpu all;   /* all kinds merged */
	struct evc_given given;
	char second[13]; /* the hypervisor's second signature, of leaf 0x40000100, "" when none */
};

/* Decode the probe; it, modes and product are borrowed. */
void evc_observe_prepare(const struct evc_probe *probe, const struct evc_modes *modes, const char *product,
                         struct evc_observation *ret_observation);

void evc_observe_text(const struct evc_observation *observation, struct evc_sink *out);

/* Each instruction that leaks or is refused, and what could stop it; then those that say nothing. */
void evc_observe_leaks(const struct evc_observation *observation, struct evc_sink *out);

/* One instruction, its feature, and why: a line without its end. */
void evc_observe_instruction(const struct evc_leak *leak, size_t instruction, int indent,
                             struct evc_sink *out);

/* What there is to be said of one; cpu is the decoded dump of the probe's guest.  New reference. */
json_t *evc_observe_instruction_json(const struct evc_probe *probe, const struct evc_cpu *cpu,
                                     size_t instruction);

/* All of both; new reference. */
json_t *evc_observe_json(const struct evc_observation *observation);

#endif
