/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_SHARE_H
#define EVC_HOST_SHARE_H

/* Work that falls into equal pieces, done by all CPUs at once. */

#include <stddef.h>

enum { EVC_MAX_PARTS = 64 };

/* Into how many parts n pieces are cut: one for each CPU, but none of fewer than least pieces; at least 1. */
size_t evc_share_parts(size_t n, size_t least);

/*
 * Call work for each part of n pieces, for those from first up to and without last, each part in a thread of
 * its own.  One that cannot be had is done here.  Returns when all are done; what they write must not be the
 * same.
 */
void evc_share(size_t n, size_t n_parts, void (*work)(void *context, size_t part, size_t first, size_t last),
               void *context);

#endif
