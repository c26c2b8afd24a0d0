/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_FIND_H
#define EVC_GUEST_FIND_H

/* A guest by what people call it: its QMP socket, its QEMU's process, its name. */

#include "guest/qmp.h"

/*
 * Connect to the guest that what names: a QMP address (anything with a '/', or that begins with unix:, tcp:
 * or fd:), the number of a QEMU process, the name of a guest that evc run recorded, or of a domain of libvirt
 * (the system's, then the session's).  ret_name gets what to call it.  Texts live in arena, which must
 * outlive the client.
 */
int evc_guest_open(struct evc_qmp *ret_qmp, const char *what, struct evc_arena *arena, const char **ret_name,
                   struct evc_error *err);

/*
 * The QMP address of what names, of the same kinds but for libvirt's domains, which keep theirs to libvirt.
 * Nobody is connected to: whether somebody listens there is not known.
 */
int evc_guest_address(const char *what, struct evc_arena *arena, const char **ret_address,
                      struct evc_error *err);

/*
 * What a guest of this machine was started with, as evc run --like takes it: its record, or, for a QEMU that
 * evc did not start, name, command line and directory of its process.  ret_record is a new reference.
 */
int evc_guest_record(const char *what, struct evc_arena *arena, json_t **ret_record, struct evc_error *err);

#endif
