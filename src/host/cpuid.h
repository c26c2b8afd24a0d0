/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_CPUID_H
#define EVC_HOST_CPUID_H

/*
 * The CPUID instruction of the CPU that the calling thread runs on: every leaf and subleaf that
 * it announces, and the first leaf of each range even where there is no such range, as it
 * answered.  Nothing is interpreted beyond what is needed to know what to ask next.
 */

#include "core/dump.h"

void evc_cpuid_read(struct evc_dump_builder *builder);

/* The same questions, put to somebody else than this CPU: fill value for leaf and subleaf. */
typedef void evc_cpuid_ask(void *context, uint32_t leaf, uint32_t subleaf, uint32_t value[static 4]);
void evc_cpuid_read_by(struct evc_dump_builder *builder, evc_cpuid_ask *ask, void *context);

#endif
