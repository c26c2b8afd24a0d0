/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_PLAN_PRIVATE_H
#define EVC_CORE_PLAN_PRIVATE_H

/* What plan.c and plan_vcpu.c share. */

#include "core/plan.h"
#include "core/set.h"

struct evc_plan_comparison {
	const struct evc_plan_side *from, *to;
	struct evc_findings *findings;
	struct evc_set lost, gained; /* features already reported */
};

/* A sentence about one side; said once, however many vCPUs it is true of. */
void evc_plan_note(struct evc_plan_comparison *c, enum evc_severity severity,
                   const struct evc_plan_side *side, const char *detail);

/* The destination's value of a thing, and the source's; "": nothing. */
void evc_plan_differs(struct evc_plan_comparison *c, enum evc_severity severity, const char *what,
                      const char *there, const char *here);

void evc_plan_compare_number(struct evc_plan_comparison *c, const char *what, size_t here, size_t there);

/* plan_vcpu.c: properties by name, and all that the vCPUs show. */
void evc_plan_compare_properties(struct evc_plan_comparison *c, const struct evc_plan_properties *here,
                                 const struct evc_plan_properties *there);
void evc_plan_compare_vcpus(struct evc_plan_comparison *c);

#endif
