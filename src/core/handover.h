/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_HANDOVER_H
#define EVC_CORE_HANDOVER_H

/*
 * Who has the guest while it moves, and what may be done next.  A value of what is seen of both QEMUs goes
 * in, one step comes out; see handover.c for the rules.
 */

#include <stdbool.h>

enum evc_handover_source {
	EVC_SOURCE_HAS, /* the guest is here and no migration is under way; it runs, or its user paused it */
	EVC_SOURCE_SENDS,    /* a migration is under way, the guest is still here and can stay */
	EVC_SOURCE_SWITCHES, /* the last part is on its way: here or there will be known soon */
	EVC_SOURCE_SHARES,   /* postcopy: the guest is there, part of its memory still here */
	EVC_SOURCE_GAVE,     /* paused, after the destination confirmed that it has everything */
	EVC_SOURCE_GONE,     /* its process ended */
	EVC_SOURCE_SILENT,   /* no answer, or the connection cannot be had again */
};

enum evc_handover_destination {
	EVC_DESTINATION_WAITS,  /* for a guest, or for the rest of it */
	EVC_DESTINATION_LOADED, /* it has the whole guest (postcopy: enough of it), paused */
	EVC_DESTINATION_RUNS,
	EVC_DESTINATION_FETCHES, /* postcopy: it runs, and takes what it lacks from the source */
	EVC_DESTINATION_STARVES, /* postcopy: the same, and the connection broke: it stands still where it
	                            lacks it */
	EVC_DESTINATION_GONE,
	EVC_DESTINATION_SILENT,
};

struct evc_handover {
	enum evc_handover_source source;
	enum evc_handover_destination destination;
	bool wanted; /* nobody cancelled, and nothing was found against the move */
	bool told;   /* the destination may have been told to run */
	bool gave;   /* the source was seen as EVC_SOURCE_GAVE once; nobody else lets it run again */
};

enum evc_handover_step {
	EVC_STEP_WAIT,      /* look again */
	EVC_STEP_CANCEL,    /* cancel the migration at the source, then look again */
	EVC_STEP_STAY,      /* the guest stays at the source; the destination is of no more use */
	EVC_STEP_TAKE_BACK, /* end the destination, then let the source run as before */
	EVC_STEP_RUN,       /* let the destination run */
	EVC_STEP_FINISH,    /* it runs there: end the source */
	EVC_STEP_DONE,      /* it runs there, and nowhere else */
	EVC_STEP_LEAVE,     /* it runs there; the source is paused, but cannot be ended from here */
	EVC_STEP_DOUBT,     /* touch neither; a person has to look */
	EVC_STEP_LOST,      /* neither has it */
};

enum evc_handover_step evc_handover_next(const struct evc_handover *seen);

/* "take-back" */
const char *evc_handover_step_name(enum evc_handover_step step);
const char *evc_handover_source_name(enum evc_handover_source source);
const char *evc_handover_destination_name(enum evc_handover_destination destination);

/* States by QEMU's words: of query-status and of query-migrate ("" when it says none). */
enum evc_handover_source evc_handover_source_from(const char *run, const char *migration);
enum evc_handover_destination evc_handover_destination_from(const char *run, const char *migration);

#endif
