/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_PROBE_LINUX_H
#define EVC_GUEST_PROBE_LINUX_H

#include "guest/probe/probe.h"

/* A system call; its result, or a negative errno. */
long probe_call(long number, long a, long b, long c, long d);

#endif
