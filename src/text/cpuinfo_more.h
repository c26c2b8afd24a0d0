/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_MORE_H
#define EVC_TEXT_CPUINFO_MORE_H

/*
 * What a guest shows beside /proc/cpuinfo, as text: the kernel's files on flaws (core/linux_vuln.h), and what
 * programs make of the CPU (core/userland.h).
 */

#include "base/sink.h"
#include "core/linux_vuln.h"
#include "core/userland.h"

#include <jansson.h>

/*
 * One line a file, "name: text" as the kernel says it; with certainty below it, indented with #, on which
 * conditions it comes and what was assumed.
 */
void evc_cpuinfo_vulns(const struct evc_linux_vuln *vulns, size_t n, bool certainty, struct evc_sink *out);

/* [{"file", "class", "text", "certainty", "depends", "because"}], new reference; text null when not known. */
json_t *evc_cpuinfo_vulns_json(const struct evc_linux_vuln *vulns, size_t n);

void evc_cpuinfo_userland(const struct evc_userland *userland, struct evc_sink *out);

/* {"hwcaps", "march", "supports", "hypervisor"}, new reference. */
json_t *evc_cpuinfo_userland_json(const struct evc_userland *userland);

#endif
