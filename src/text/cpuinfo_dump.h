/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_CPUINFO_DUMP_H
#define EVC_TEXT_CPUINFO_DUMP_H

/*
 * A /proc/cpuinfo as the host that it was printed on, where the caller knows by which kernel, which
 * the text seldom says.  What a word proves, and above all its absence, depends on that.
 */

#include "text/format.h"

/* kernel: what evc_linux_find takes; NULL: as the text says.  It becomes the host's fact. */
int evc_cpuinfo_host(struct evc_span text, const char *name, const char *kernel, struct evc_arena *arena,
                     struct evc_hosts *ret_hosts, struct evc_error *err);

#endif
