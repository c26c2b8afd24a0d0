/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_REPORT_H
#define EVC_TEXT_REPORT_H

/*
 * Reports: findings, sets and verdicts as text for people and as JSON for programs.  A report
 * knows nothing that is not in the findings; explaining is printing.
 */

#include "base/sink.h"
#include "core/cpu.h"
#include "core/finding.h"

#include <jansson.h>

/* One finding as one sentence without full stop: "web3 lacks avx2: its silicon is older". */
void evc_report_finding(const struct evc_finding *finding, struct evc_sink *out);

/* All findings, one line each, severity first; those about the same subject, kind and cause share a line. */
void evc_report_findings(const struct evc_findings *findings, struct evc_sink *out);

/* [{"kind", "severity", "cause", "feature", "subject", "other", "detail", "have", "want", "text"}], new
 * reference. */
json_t *evc_report_findings_json(const struct evc_findings *findings);

/* The names of a set, wrapped at 78 columns, each line indented; "none" when empty. */
void evc_report_set(const struct evc_set *set, int indent, struct evc_sink *out);

/* An array of names, new reference. */
json_t *evc_report_set_json(const struct evc_set *set);

const char *evc_cause_name(enum evc_cause cause);     /* "firmware" */
const char *evc_cause_sentence(enum evc_cause cause); /* "probably switched off in firmware" */
const char *evc_cause_remedy(enum evc_cause cause);   /* "switch it on in firmware setup", "" when none */
const char *evc_severity_name(enum evc_severity severity);
const char *evc_finding_kind_name(enum evc_finding_kind kind);

/* Print the object sorted as built, indented by 2, newline at the end, and drop the reference. */
void evc_report_json(json_t *object, struct evc_sink *out);

#endif
