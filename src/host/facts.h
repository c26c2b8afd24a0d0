/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_FACTS_H
#define EVC_HOST_FACTS_H

/* What this machine says of itself beside CPUID: kernel, firmware, microcode, KVM's module, QEMU. */

#include "core/dump.h"
#include "core/finding.h"

/*
 * Fill facts with what can be read; what cannot stays "" or 0 and becomes a note about host.
 * programs: also ask QEMU for its version, which means to start it.
 */
void evc_facts_read(const char *host, bool programs, struct evc_facts *ret_facts,
                    struct evc_findings *findings);

/* The first line of a small file of the system, without its end; NULL when it cannot be read. */
const char *evc_facts_line(struct evc_arena *arena, const char *path);

#endif
