/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_MIGRATE_PRIVATE_H
#define EVC_GUEST_MIGRATE_PRIVATE_H

/* What the files of a move share: the two ends, and the job. */

#include "guest/migrate.h"

/* A connection to one of the two QEMUs, and its process where that can be watched. */
struct evc_migrate_end {
	struct evc_qmp qmp;
	const char *address, *called; /* called: for people */
	bool beside;                  /* to be connected to so that commands beside its queue can be used */
	int pidfd; /* of the process at the other end of a UNIX socket; -1: cannot be watched */
	char run[32], migration[32]; /* its states when last seen, "" when not told */
};

/* What a QEMU is asked beside what it gave its guest. */
enum {
	EVC_MIGRATE_AROUND_STATE, /* of migration, and what stands in its way */
	EVC_MIGRATE_AROUND_PCI,
	EVC_MIGRATE_AROUND_NAMED, /* devices with a name, and without */
	EVC_MIGRATE_AROUND_UNNAMED,
	EVC_MIGRATE_N_AROUND,
};

struct evc_migrate_around {
	json_t *answers[EVC_MIGRATE_N_AROUND]; /* NULL where QEMU refused */
};

struct evc_migrate_job {
	const struct evc_migrate_options *options;
	struct evc_arena *arena;
	struct evc_arena there; /* of destination_given, which is read by a thread of its own */
	struct evc_findings *findings;
	struct evc_migrate_end source, destination;
	struct evc_given source_given, destination_given;
	struct evc_handover seen;
	struct evc_migrate_progress progress;
	struct evc_migrate_result result;
	unsigned answer_ms, stall_ms, total_ms; /* the options', or what is usual */
	bool was_running;                       /* the guest runs there afterwards because it ran here */
	bool checked;                           /* the destination was asked again */
	bool hurried;                           /* a switch-over that does not end was cancelled */
	bool postcopying;                       /* it was begun */
	const char *listening, *connecting; /* where memory went at first; NULL: that was an earlier run's */
	const char *mend_uri; /* where the source is to connect to after a break; NULL: nobody listens yet */
	int64_t broke;        /* since when the connection is broken, 0: it is not */
	int64_t mended;       /* when the destination was told last to listen again */
	bool hung_up;         /* a connection through which nothing came was broken by us */
	const char *listen_path; /* a socket that we let the destination make; NULL: none */
	/* Times in ms, 0: not yet. */
	int64_t began, switched, arrived, told_at, running;
	int64_t moved; /* the last byte */
	uint64_t moved_bytes;
};

int64_t evc_migrate_now(void);

/* Open and watch; evc_migrate_end_close is safe on a zeroed end whose pidfd is -1. */
int evc_migrate_end_open(struct evc_migrate_end *end, const char *address, unsigned answer_ms,
                         struct evc_error *err);
void evc_migrate_end_close(struct evc_migrate_end *end);

/*
 * A question, which may be asked again on a new connection.  The error says nothing that the end's state
 * does not.
 */
int evc_migrate_query(struct evc_migrate_end *end, const char *command, json_t *arguments, unsigned answer_ms,
                      json_t **ret_value, struct evc_error *err);

/*
 * End the QEMU: by its monitor, or, when that is silent, by a signal if its process can be reached.  True
 * when it is seen to have ended.
 */
bool evc_migrate_end_quit(struct evc_migrate_end *end, unsigned answer_ms);

/* Has the process ended?  Waits up to wait_ms for that; false as well when it cannot be watched. */
bool evc_migrate_end_ended(const struct evc_migrate_end *end, unsigned wait_ms);

/* Ask; freed even after a failure.  Fails as evc_qmp_call. */
int evc_migrate_around_read(struct evc_qmp *qmp, struct evc_migrate_around *ret_around,
                            struct evc_error *err);
void evc_migrate_around_free(struct evc_migrate_around *around);

/* What a QEMU said, as one side of a plan.  Borrows from given, which has to stay. */
int evc_migrate_side(const struct evc_migrate_end *end, const struct evc_given *given,
                     const struct evc_migrate_around *around, struct evc_arena *arena,
                     struct evc_plan_side *ret_side, struct evc_error *err);

/* Wait until one of the two says that something changed, or for a time. */
void evc_migrate_wait(struct evc_migrate_job *job, unsigned ms);

/* Look at both; seen, states and progress of the job are then of now. */
void evc_migrate_look(struct evc_migrate_job *job);
void evc_migrate_look_at_destination(struct evc_migrate_job *job);

/* Capabilities, limits, where to listen and connect, and the command that starts it. */
int evc_migrate_begin(struct evc_migrate_job *job, struct evc_error *err);

/* Try to connect two again whose postcopy broke; their states say what came of it. */
void evc_migrate_mend(struct evc_migrate_job *job);

/* Break the connection of a postcopy through which nothing comes, at both ends. */
void evc_migrate_hang_up(struct evc_migrate_job *job);

/* From begun to the end; the result is filled. */
void evc_migrate_settle(struct evc_migrate_job *job);

/* Is the destination's CPU still what it was before?  Findings say what is not; unknown: no answer. */
enum evc_verdict evc_migrate_is_same(struct evc_migrate_job *job);

#endif
