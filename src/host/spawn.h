/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_SPAWN_H
#define EVC_HOST_SPAWN_H

/* Other programs: started, listened to, ended after a time, always reaped. */

#include "base/arena.h"
#include "base/error.h"

/*
 * Run argv[0], found in PATH, without standard input and error, for at most timeout_ms, and
 * return the first 64 KiB of what it printed.  Fails (EVC_ERR_UNSUPPORTED) when there is no such program, and
 * (EVC_ERR_IO) when it ended with another status than 0 or not in time: then it was killed.
 */
int evc_spawn_output(const char *const argv[], unsigned timeout_ms, struct evc_arena *arena,
                     const char **ret_text, struct evc_error *err);

#endif
