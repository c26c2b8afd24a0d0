/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/finding.h"

#include <string.h>

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

void evc_findings_add(struct evc_findings *findings, struct evc_finding finding)
{
	struct evc_finding *items = evc_arena_room(findings->arena, findings->items, findings->n,
	                                           &findings->size, 16, sizeof(*items));

	if (!items)
		return;
	findings->items = items;
	finding.subject = or_empty(finding.subject);
	finding.other = or_empty(finding.other);
	finding.detail = or_empty(finding.detail);
	findings->items[findings->n++] = finding;
}

enum evc_verdict evc_findings_verdict(const struct evc_findings *findings)
{
	enum evc_verdict verdict = EVC_YES;

	for (size_t i = 0; i < findings->n; i++) {
		if (findings->items[i].severity == EVC_BLOCKS)
			verdict = evc_verdict_worse(verdict, EVC_NO);
		else if (findings->items[i].severity == EVC_DOUBT)
			verdict = evc_verdict_worse(verdict, EVC_UNKNOWN);
	}
	return verdict;
}
