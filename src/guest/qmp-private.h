/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_QMP_PRIVATE_H
#define EVC_GUEST_QMP_PRIVATE_H

/* What the two transports of QMP share: a socket (qmp.c), and virsh (qmp-virsh.c). */

#include "guest/qmp.h"

/* Name the QEMU that an error is about, and remember what became of it; returns status. */
int evc_qmp_fail_as(struct evc_qmp *qmp, enum evc_qmp_state state, int status, struct evc_error *err);

/* Everything that a client starts with; the name is cut to size. */
void evc_qmp_begin(struct evc_qmp *qmp, const char *name);

/* What was opened; of what was not, the state alone. */
int evc_qmp_finish_open(struct evc_qmp *qmp, int status, struct evc_qmp *ret_qmp);

/* The command as text, with an id unless it goes through libvirt, which has its own; malloc'ed. */
char *evc_qmp_write_command(struct evc_qmp *qmp, const char *command, json_t *arguments);

/* One more command of virsh, quoted as its own parser reads it. */
void evc_qmp_put_virsh(const struct evc_qmp *qmp, const char *text, struct evc_sink *script);

/* Let virsh run the script; its output, QEMU's answers, becomes the stream. */
int evc_qmp_ask_virsh(struct evc_qmp *qmp, const struct evc_sink *script, int64_t timeout_ms,
                      struct evc_error *err);

/* The next of QEMU's answers that virsh printed. */
int evc_qmp_take_printed(struct evc_qmp *qmp, const char *command, struct evc_qmp_message *ret_answer,
                         struct evc_error *err);

int evc_qmp_call_libvirt(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                         struct evc_qmp_message *ret_answer, struct evc_error *err);

#endif
