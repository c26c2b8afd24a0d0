/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_RUN_H
#define EVC_VERB_RUN_H

/* What the files of evc run share: run.c decides, run_words.c writes it down, run_start.c does it. */

#include "core/dump.h"
#include "core/mode.h"
#include "host/qemu.h"
#include "text/target.h"
#include "verb/verb.h"

#include <jansson.h>

enum { EVC_RUN_OWN_WORDS = 24 }; /* of QEMU's command line, at most */

/* What was asked for, what came of it. */
struct evc_run_job {
	struct evc_modes modes;
	const struct evc_mode *mode;
	unsigned version;
	struct evc_qemu_program program;
	struct evc_target_options options;
	struct evc_target_cpu cpu;
	const struct evc_host *first; /* of the cluster's hosts, NULL: there is no cluster */
	const char *oldest;           /* QEMU of this machine and the cluster, as text */
	const char *accel_why;        /* why this accelerator, "" when it was asked for */
	const char *name, *qmp;       /* qmp: the path */
	const char *cpu_value, *machine;
	struct evc_host guest; /* what it is to see, leaf by leaf, where there was a host to ask */
	struct evc_dump dump;
	bool recorded;
	const char *words[EVC_RUN_OWN_WORDS];
	size_t n_words;
};

/* The guest's name: ours, else QEMU's option, else one of the mode and this process. */
int evc_run_choose_name(struct evc_command *command, struct evc_run_job *job, struct evc_error *err);

/* The QMP socket: beside the record unless one is named.  Nobody may have the name or listen there. */
int evc_run_choose_socket(struct evc_command *command, struct evc_run_job *job, struct evc_error *err);

/* The whole command line: ours, then the user's options. */
int evc_run_make_words(struct evc_command *command, struct evc_run_job *job, const char ***ret_words,
                       struct evc_error *err);

/* What is recorded of a guest, and what --json says of it. */
json_t *evc_run_record(const struct evc_run_job *job, const char *const *words);

/* For --dry-run; record is given away. */
int evc_run_print(struct evc_command *command, const char *const *words, json_t *record);

/*
 * Become QEMU with these words; record is given away.  Returns only when that failed, or, with detach, when
 * the guest's QMP socket answers.
 */
int evc_run_start(struct evc_command *command, const struct evc_run_job *job, const char *const *words,
                  json_t *record, bool detach, struct evc_error *err);

/*
 * The job and the words of a guest that is recorded in a file, "-" for standard input: the same QEMU options,
 * but for its name, program, QMP socket and where it waits for a guest.  ret_record is a new one.
 */
int evc_run_like(struct evc_command *command, const char *path, struct evc_run_job *job,
                 const char ***ret_words, json_t **ret_record, struct evc_error *err);

#endif
