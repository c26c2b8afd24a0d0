/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_REMOTE_H
#define EVC_GUEST_REMOTE_H

/*
 * Another host, by OpenSSH: a guest is started there by that host's own evc, and sockets of it are
 * forwarded to sockets here, encrypted and without a port that others could reach.  What is said to the other
 * side goes through standard input, so that no shell there reads a word of it.
 */

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>

#include <stdbool.h>
#include <sys/types.h>

struct evc_remote {
	const char *host;   /* "[user@]host", an alias of ssh_config, or "ssh://[user@]host[:port]" */
	const char *ssh;    /* the program */
	pid_t forwarder;    /* 0: nothing is forwarded */
	char directory[64]; /* of the sockets here, "" when none */
	char qmp[64 + 16], memory[64 + 16]; /* their paths */
};

/* A text that names a host, and nothing that ssh would take for an option or a shell for a command. */
bool evc_remote_host_fits(const char *host);

/*
 * Let the evc there start a guest that is like the record and waits to be moved to (evc run --like -
 * --incoming defer --detach).  ret_started is the new guest's record.  The error says what ssh or that evc
 * said.
 */
int evc_remote_start(const struct evc_remote *remote, const char *record, struct evc_arena *arena,
                     json_t **ret_started, struct evc_error *err);

/*
 * Forward remote->qmp to the socket qmp_there, and remote->memory to memory_there, where nobody needs to
 * listen yet.  Both last until evc_remote_close, and no longer than this process.
 */
int evc_remote_forward(struct evc_remote *remote, const char *qmp_there, const char *memory_there,
                       struct evc_arena *arena, struct evc_error *err);

/* Safe on one that forwards nothing. */
void evc_remote_close(struct evc_remote *remote);

/*
 * The same on this machine, without ssh: this program itself starts it, by another name since the guest has
 * its own.
 */
int evc_remote_start_here(const char *record, const char *name, struct evc_arena *arena, json_t **ret_started,
                          struct evc_error *err);

#endif
