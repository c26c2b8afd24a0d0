/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_RECORD_H
#define EVC_GUEST_RECORD_H

/*
 * Records of the guests that evc run started: what each was given and where its QEMU listens, so
 * that others find it by its name.  A record is a file NAME.json in openevc below $XDG_RUNTIME_DIR, or in
 * /run/openevc for root.  QEMU takes the place of evc, so nobody removes a record when its guest ends: one
 * whose process is gone (its number and start time tell) counts as none, and is removed by who meets it.
 */

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>
#include <sys/types.h>

enum { EVC_RECORD_MAX_NAME = 64 };

/* May a guest be called so?  Letters, digits and -_.+@, not first a '.' or '-', at most EVC_RECORD_MAX_NAME.
 */
bool evc_record_name_fits(const char *name);

/* The folder of records into arena; it is made when it is to be written.  NULL with err when there is none.
 */
const char *evc_record_folder(struct evc_arena *arena, bool make, struct evc_error *err);

/*
 * Write the record of a guest whose QEMU is, or is about to be, this process: pid and its start are added.
 * Fails (EVC_ERR_USAGE) when a living guest has that name.
 */
int evc_record_write(const char *name, json_t *record, struct evc_arena *arena, struct evc_error *err);

/* The record of a living guest, a new reference; NULL and EVC_OK when there is none of that name. */
int evc_record_read(const char *name, struct evc_arena *arena, json_t **ret_record, struct evc_error *err);

/* Remove it; no harm when it is not there. */
void evc_record_remove(const char *name, struct evc_arena *arena);

#endif
