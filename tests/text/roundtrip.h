/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TESTS_ROUNDTRIP_H
#define EVC_TESTS_ROUNDTRIP_H

/* parse(print(x)) = x, up to what the form can hold.  For tests and fuzz targets. */

#include "text/format.h"

/* Print the host in this form, read it back and compare; returns "" or what is wrong, in the arena. */
const char *roundtrip(const struct evc_format *format, const struct evc_host *host, struct evc_arena *arena);

#endif
