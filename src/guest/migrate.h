/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_MIGRATE_H
#define EVC_GUEST_MIGRATE_H

/*
 * Move a running guest from one QEMU to another that was started for it with -incoming, without losing
 * it: what would change or break is found before (core/plan.h), what happens underway is decided by
 * who has the guest (core/handover.h).
 */

#include "core/handover.h"
#include "core/plan.h"
#include "guest/given.h"
#include "guest/qmp.h"

enum evc_migrate_phase {
	EVC_MIGRATE_ASKING,    /* both sides are asked what they have */
	EVC_MIGRATE_PREPARING, /* capabilities, limits, addresses */
	EVC_MIGRATE_COPYING,   /* the guest runs, its memory is copied */
	EVC_MIGRATE_SWITCHING, /* it stands still, the rest is copied */
	EVC_MIGRATE_CHECKING,  /* all is there: the destination is asked again */
	EVC_MIGRATE_STARTING,  /* it is let run there */
	EVC_MIGRATE_FETCHING,  /* postcopy: it runs there and takes the rest; it needs both */
	EVC_MIGRATE_MENDING,   /* postcopy: the connection broke, and is made again */
	EVC_MIGRATE_ENDING,    /* the source is ended */
	EVC_MIGRATE_RETURNING, /* it stays, or is taken back */
};

/* Bytes and milliseconds, as QEMU tells them; 0 where it does not. */
struct evc_migrate_progress {
	enum evc_migrate_phase phase;
	uint64_t total, remaining, transferred;
	uint64_t elapsed_ms, expected_downtime_ms;
	double mbps;
	unsigned passes;   /* over memory */
	bool held;         /* mending: only this program's connection reaches the destination */
	const char *state; /* of the source's migration, QEMU's word */
};

struct evc_migrate_options {
	const char *uri;          /* where the source connects to; NULL: chosen */
	const char *listen;       /* where the destination listens; NULL: uri */
	uint64_t max_bandwidth;   /* bytes a second, 0: QEMU's own limit */
	unsigned max_downtime_ms; /* 0: QEMU's own */
	unsigned n_channels;      /* of multifd, 0: off */
	bool auto_converge, postcopy;
	const char *called;   /* the destination, for people, when its address is a forwarder's; NULL: the
	                         address */
	unsigned answer_ms;   /* how long one answer may take; 0: 10 s */
	unsigned stall_ms;    /* how long nothing may move; 0: 30 s */
	unsigned total_ms;    /* how long memory may be copied; 0: an hour */
	bool dry_run;         /* ask and compare, touch nothing */
	bool keep_source;     /* leave it paused at the end */
	bool own_destination; /* it was started for this move: end it whenever the guest does not go there */
	bool (*cancelled)(
		void *context); /* asked often: true gives up as soon as that is safe; may be NULL */
	void (*progress)(void *context, const struct evc_migrate_progress *progress); /* may be NULL */
	/* A question to the guest itself, once it runs there and before the source is ended; may be NULL. */
	enum evc_verdict (*ask_guest)(void *context, struct evc_findings *findings);
	void *context;
};

/* What came of it.  Texts live in the arena. */
struct evc_migrate_result {
	struct evc_plan_verdict plan; /* before */
	enum evc_handover_step end;   /* STAY, TAKE_BACK, DONE, LEAVE, DOUBT or LOST */
	enum evc_handover_source source;
	enum evc_handover_destination destination;
	bool started;       /* a migration was begun; false: nothing was touched */
	bool resumed;       /* an earlier run's work was taken up */
	const char *why;    /* the reason it did not move, "" when none */
	const char *advice; /* what a person has to do now, "" when nothing */
	uint64_t transferred, total_ms;
	uint64_t downtime_ms; /* as QEMU counts it, and from then to when it ran there */
};

/*
 * Move the guest of source to destination (addresses as evc_qmp_open takes them).  EVC_OK means that
 * ret_result says where the guest is, also when it did not move; findings say why.  A failure means that
 * nothing was touched: an address that is none, a QEMU that does not answer.
 */
int evc_migrate(const char *source, const char *destination, const struct evc_migrate_options *options,
                struct evc_findings *findings, struct evc_migrate_result *ret_result, struct evc_error *err);

/* "copying" */
const char *evc_migrate_phase_name(enum evc_migrate_phase phase);

#endif
