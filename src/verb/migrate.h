/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_MIGRATE_H
#define EVC_VERB_MIGRATE_H

/* What the files of evc migrate share: the verb (migrate.c), where to (migrate_there.c), what is said. */

#include "guest/migrate.h"
#include "guest/remote.h"
#include "verb/verb.h"

#include <stdio.h>
#include <time.h>

/* One run: where progress goes, and what was last said. */
struct evc_migrate_report {
	struct evc_command *command;
	const char *ask;
	FILE *log; /* NULL: none */
	bool bar;  /* the last thing on the terminal is a bar */
	bool log_failed;
	enum evc_migrate_phase phase;
	bool said;
	struct timespec last;
};

/* Progress, a bar or lines; context is the report. */
void evc_migrate_tell(void *context, const struct evc_migrate_progress *progress);
void evc_migrate_end_bar(struct evc_migrate_report *report);

/* Where the guest is; started (may be NULL) is the record of a destination that was started for it. */
void evc_migrate_print(const struct evc_migrate_result *result, const char *from, const char *to,
                       struct evc_sink *out);
void evc_migrate_print_json(const struct evc_migrate_result *result, const struct evc_findings *findings,
                            const json_t *started, struct evc_sink *out);
int evc_migrate_exit(const struct evc_migrate_result *result);

/* Where a guest is to go. */
struct evc_migrate_there {
	const char *address, *called;
	const char *uri, *listen; /* for its memory; NULL: chosen */
	json_t *started;          /* the record of a QEMU that was started for it; NULL: it was there */
	struct evc_remote remote;
};

/*
 * Understand --to, and make it so that a QEMU waits at address: one that is there, by its address or name;
 * one that is started here, or on another host.  from is --guest.  Whatever came of it,
 * evc_migrate_there_close.
 */
int evc_migrate_there_open(struct evc_command *command, const char *from, const char *to,
                           struct evc_migrate_there *ret_there, struct evc_error *err);
void evc_migrate_there_close(struct evc_migrate_there *there);

#endif
