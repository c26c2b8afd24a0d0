/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_SPAWN_H
#define EVC_HOST_SPAWN_H

/*
 * Other programs: started, listened to, ended after a time, always reaped.  When this process is told to end
 * meanwhile (SIGINT, SIGTERM, SIGHUP), the other one is ended first.
 */

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>

struct evc_spawn {
	const char *const *argv; /* argv[0] is found in PATH; ends with NULL */
	unsigned timeout_ms;
	size_t max_output; /* bytes of standard output that are kept; then the program is ended */
	const char *input; /* what it reads on standard input; NULL: nothing */
	int descriptor;    /* the program has it as EVC_SPAWN_DESCRIPTOR; -1: none */
};

enum { EVC_SPAWN_DESCRIPTOR = 3, EVC_SPAWN_MAX_ERRORS = 4096 };

/* How it went; texts are terminated and in the arena. */
struct evc_spawned {
	const char *output;
	size_t n_output;
	const char *errors; /* the first of what it said on standard error */
	int status;         /* its exit status, or 128 and the signal that ended it */
	int error;          /* an errno: it could not be started, and nothing of the above is there */
	bool timed_out;     /* it had to be killed, after timeout_ms or max_output */
};

/*
 * Run it.  Whatever it does is a result; fails only when it cannot be started:
 * EVC_ERR_UNSUPPORTED when there is no such program, else EVC_ERR_IO.
 */
int evc_spawn_run(const struct evc_spawn *spawn, struct evc_arena *arena, struct evc_spawned *ret_spawned,
                  struct evc_error *err);

/* Called when one of many has ended, with its number and the context that was given. */
typedef void evc_spawn_ended(void *context, size_t which);

/*
 * The same with n programs, at most at_once at a time (one at least); ended may be NULL.  EVC_ERR_MEMORY is
 * the only failure: a program that cannot be started says so in its ret_spawned.  When this process is told
 * to end, those that run are ended and no other is begun: they count as timed out.
 */
int evc_spawn_run_many(const struct evc_spawn *spawns, size_t n, unsigned at_once, struct evc_arena *arena,
                       struct evc_spawned *ret_spawned, evc_spawn_ended *ended, void *context);

/*
 * Run argv[0], found in PATH, without standard input and error, for at most timeout_ms, and
 * return the first 64 KiB of what it printed.  Fails (EVC_ERR_UNSUPPORTED) when there is no such program, and
 * (EVC_ERR_IO) when it ended with another status than 0 or not in time: then it was killed.
 */
int evc_spawn_output(const char *const argv[], unsigned timeout_ms, struct evc_arena *arena,
                     const char **ret_text, struct evc_error *err);

#endif
