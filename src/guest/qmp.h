/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_QMP_H
#define EVC_GUEST_QMP_H

/*
 * A client of QEMU's machine protocol: one connection to one QEMU, by its socket or, where libvirt
 * holds that, through virsh.  QEMU answers one client of a socket at a time; a second one waits
 * until the first has gone, and hears nothing.
 *
 * Every wait has a time limit.  When something goes wrong, state says whether that QEMU may still be there,
 * and the error names the socket (as its origin) and what can be done.
 */

#include "base/arena.h"
#include "text/qmp.h"

enum {
	EVC_QMP_TIMEOUT = 10 * 1000, /* milliseconds: what an ordinary command may take */
	EVC_QMP_EVENTS = 1024,       /* that are kept while nobody waits for them; the oldest go first */
};

enum evc_qmp_state {
	EVC_QMP_READY,
	EVC_QMP_SILENT,  /* it did not answer in time; it may answer again, a late answer is dropped */
	EVC_QMP_GONE,    /* the connection ended: QEMU ended or closed it */
	EVC_QMP_GARBAGE, /* what came is not its protocol */
};

struct evc_qmp {
	char name[256]; /* the address, or "domain NAME of URI": for messages */
	char class[64]; /* of QEMU's error when it refused the last command ("CommandNotFound"), else "" */
	unsigned version[3]; /* of QEMU: 7, 2, 22 */
	enum evc_qmp_state state;
	int fd;                   /* -1: closed, or libvirt's */
	const char *uri, *domain; /* of libvirt; NULL: a socket.  Borrowed. */
	json_int_t last_id;       /* of the last command */
	json_int_t heard;         /* of the last one whose answer was heard, or given up */
	json_t *events;           /* array of event objects, oldest first */
	size_t n_dropped;         /* events that nobody waited for in time */
	bool oob;                 /* it takes commands beside its queue: evc_qmp_call_beside */
	size_t n_owed;            /* answers that it has not given to commands of the queue */
	json_int_t last_beside;   /* id of the last command beside it */
	struct evc_qmp_stream stream;
};

/*
 * Connect to an address (text/qmp.h), read the greeting, begin.  EVC_ERR_USAGE for an address that is
 * none, EVC_ERR_IO when nobody or somebody else answers.  On failure there is
 * nothing to close, and the client holds the state alone: nobody there, or somebody who says nothing.
 */
int evc_qmp_open(struct evc_qmp *ret_qmp, const char *address, unsigned timeout_ms, struct evc_error *err);

/*
 * The same, and commands beside the queue can be used, where this QEMU has that (oob).  It then hears through
 * another thread, which costs some time for each command.
 */
int evc_qmp_open_beside(struct evc_qmp *ret_qmp, const char *address, unsigned timeout_ms,
                        struct evc_error *err);

/*
 * The same through "virsh qemu-monitor-command", for a domain whose socket libvirt holds.  uri may be NULL
 * (virsh's own choice) and must, like domain, outlive the client.  Such a client hears no events, and
 * libvirt marks the domain as tainted (custom-monitor).
 */
int evc_qmp_open_domain(struct evc_qmp *ret_qmp, const char *uri, const char *domain, unsigned timeout_ms,
                        struct evc_error *err);

/*
 * Run a command.  arguments (may be NULL) is given away.  ret_value (may be NULL) gets a new reference.
 * EVC_ERR_IO when QEMU refused it (class says which way, state is EVC_QMP_READY) or did not answer (see
 * state); EVC_ERR_UNSUPPORTED when this QEMU has no such command.
 */
int evc_qmp_call(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                 json_t **ret_value, struct evc_error *err);

/*
 * The same beside the queue, by QEMU's monitor thread: it is answered also while QEMU's main loop stands
 * still. Only some commands can do that (migrate-recover, migrate-pause, yank), and only while fewer than 8
 * others are owed an answer.  What was sent and not heard is dropped.  EVC_ERR_UNSUPPORTED where oob is
 * false.
 */
int evc_qmp_call_beside(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                        struct evc_error *err);

/* Does QEMU still owe answers?  Reads what has come, and waits for nothing. */
bool evc_qmp_owes(struct evc_qmp *qmp);

/* One command of several; arguments (may be NULL) are given away. */
struct evc_qmp_question {
	const char *command;
	json_t *arguments;
};

/*
 * Run several commands without waiting for one answer before the next is sent: several times faster.
 * ret_values has a new reference for each, NULL where QEMU refused (or after a failure).  timeout_ms is for
 * all of them.
 */
int evc_qmp_call_all(struct evc_qmp *qmp, const struct evc_qmp_question *questions, size_t n,
                     unsigned timeout_ms, json_t **ret_values, struct evc_error *err);

/*
 * The two halves of evc_qmp_call, to ask two QEMUs at the same time, or one several things: each command
 * that was sent is heard once, in the same order, before anything else is called.  What was sent and is not
 * heard for a failure is dropped.  Not for libvirt's domains.
 */
int evc_qmp_send(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                 struct evc_error *err);
int evc_qmp_hear(struct evc_qmp *qmp, const char *command, unsigned timeout_ms, json_t **ret_value,
                 struct evc_error *err);

/*
 * The next event of one of these names (NULL at the end; names NULL: any), queued or still to come.
 * Others stay queued.  ret_event is a new reference to the whole event ("event", "data", "timestamp"). EVC_OK
 * with *ret_event NULL when none came in time: that is no failure, and state stays as it was.
 */
int evc_qmp_wait(struct evc_qmp *qmp, const char *const *names, unsigned timeout_ms, json_t **ret_event,
                 struct evc_error *err);

/* Give up the connection; QEMU goes on.  Safe on a closed or zeroed client. */
void evc_qmp_close(struct evc_qmp *qmp);

/* Does QEMU itself, and no forwarder, hold the other end on this machine?  False where that cannot be seen.
 */
bool evc_qmp_is_local(const struct evc_qmp *qmp);

/* "7.2.22" */
const char *evc_qmp_version_text(const struct evc_qmp *qmp, struct evc_arena *arena);

#endif
