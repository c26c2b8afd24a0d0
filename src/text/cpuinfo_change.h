/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_CHANGE_H
#define EVC_TEXT_CPUINFO_CHANGE_H

/* What a guest's user will see change, with the cause of each change. */

#include "base/sink.h"
#include "core/linux_change.h"
#include "text/cpuinfo_why.h"

#include <jansson.h>

/* Lines, then flags and bugs that are lost, gained, or no longer known; "nothing changes" where nothing does.
 */
void evc_cpuinfo_changes(const struct evc_linux_told *before, const struct evc_linux_told *after,
                         const struct evc_linux_changes *changes, struct evc_sink *sink);

/* {"lines": [...], "flags": [...], "bugs": [...]} of {"name", "before", "after", "causes"}, new reference. */
json_t *evc_cpuinfo_changes_json(const struct evc_linux_told *before, const struct evc_linux_told *after,
                                 const struct evc_linux_changes *changes);

/* Of a word of a guest at a mode: what it is without the mode, and what turned it; two or more lines. */
void evc_cpuinfo_turned(const struct evc_linux_told *before, const struct evc_linux_told *after,
                        const struct evc_cpuinfo_word *word, struct evc_sink *sink);

/* {"before", "after", "causes"}, new reference. */
json_t *evc_cpuinfo_turned_json(const struct evc_linux_told *before, const struct evc_linux_told *after,
                                const struct evc_cpuinfo_word *word);

/* One cause on one line, without end: "80000001.0:ecx[8] is gone". */
void evc_cpuinfo_change_cause(const struct evc_linux_told *before, const struct evc_linux_told *after,
                              const struct evc_linux_cause *cause, struct evc_sink *sink);

#endif
