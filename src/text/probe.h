/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_PROBE_H
#define EVC_TEXT_PROBE_H

/*
 * What the probe program prints, on a serial line or a pipe.  Sections begin with "--- name" and
 * end where the next one begins; the last is "--- end":
 *
 *   cpuid            lines of "cpuid -r", CPU by CPU
 *   cpuinfo          /proc/cpuinfo
 *   kernel           "release 6.1.0", "machine x86_64", "online 0-3"
 *   vulnerabilities  "name: text", as the kernel's files say
 *   xsave            "cpu 0 xcr0 0x7 stated 832 written 832 compact 832", or "cpu 0 none"
 *   msr              "cpu 0 0x10a 0x2b", "cpu 0 0x480 faults", or "none: why"
 *   instructions     "pshufb ok 0x0" with EAX, "pshufb vector 6"; a name alone: it did not come back from it
 *
 * A kernel writes on the same line whenever it likes, so a line that is none of these is passed over; a
 * section that this reader does not know as well.
 */

#include "base/span.h"
#include "core/probe.h"

/* Is there a section of CPUID in the text? */
bool evc_probe_recognise(struct evc_span text);

/*
 * Read a text of the probe program; name is what the guest is called.  Fails (EVC_ERR_INPUT) when it has no
 * CPUID in it; whatever else is missing is left empty, and probe.complete says whether the end was there.
 */
int evc_probe_read(struct evc_span text, const char *name, struct evc_arena *arena,
                   struct evc_probe *ret_probe, struct evc_error *err);

#endif
