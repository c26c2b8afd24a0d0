/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has the guest.
 *
 * Two QEMUs hold parts of one guest while it moves.  Never may both run it (they would write the same
 * disks), and never may neither have it if one could.  The destination is started so that it does not
 * run by itself, and only we tell it to; so before that (told is false) the source is always the one that
 * may run, whatever happened to the destination: dead, silent, or holding a whole copy.  After it, the
 * destination is the one, and the source is a copy of the past that stays paused until the other is seen
 * running.
 *
 *                 before "told"                            after it
 *   source HAS    it runs on                               both run?  a person has to look
 *   SENDS         cancel brings it back                    (postcopy only: SHARES)
 *   SHARES        enough is there: run there               FETCHES: wait; STARVES, silent: connect them again
 *   SWITCHES      wait: QEMU itself decides, by the        the same
 *                 return path, here or there
 *   GAVE          run there; or, not wanted, take back     FINISH when it is seen running
 *   GONE          only a LOADED destination can save it    DONE when it runs whole, LOST when it starves
 *
 * Silence is never taken for death: a process that was stopped can be woken, and a cut connection
 * says nothing of the guest.  What is not seen is left alone (DOUBT), with two exceptions where it does
 * not matter: a silent destination that was never told to run does not run; and a silent source that was
 * seen to have given the guest away stays paused.  A QEMU whose switch-over hangs because the other side
 * is silent falls silent itself (7.2); the end of the destination, which never ran, frees it.
 *
 * The step depends on nothing but what is seen, so that whoever starts again, after a crash of this program
 * or another day, sees the same and goes on with the same step.  He does not know whether the destination was
 * told, and has to take it as told.
 *
 * With postcopy silence is no news: the destination's main loop itself may stand still at a page that the
 * source has not sent, or cannot since the connection broke.  It is waited for; who waits gives up after a
 * time.
 */
#include "core/handover.h"

#include <stddef.h>
#include <string.h>

static enum evc_handover_step next_of_given(const struct evc_handover *seen)
{
	switch (seen->destination) {
	case EVC_DESTINATION_RUNS:
		return EVC_STEP_FINISH;
	case EVC_DESTINATION_FETCHES:
		return EVC_STEP_WAIT; /* the last of it was sent */
	case EVC_DESTINATION_STARVES:
		return EVC_STEP_DOUBT;
	case EVC_DESTINATION_LOADED:
		if (seen->wanted)
			return EVC_STEP_RUN;
		return seen->told ? EVC_STEP_DOUBT : EVC_STEP_TAKE_BACK;
	case EVC_DESTINATION_WAITS:
		/* It confirmed, and is about to say so here, too; who asks gives up after a time. */
		return seen->wanted ? EVC_STEP_WAIT : seen->told ? EVC_STEP_DOUBT : EVC_STEP_TAKE_BACK;
	case EVC_DESTINATION_GONE:
	case EVC_DESTINATION_SILENT:
		return seen->told ? EVC_STEP_DOUBT : EVC_STEP_TAKE_BACK;
	}
	return EVC_STEP_DOUBT;
}

/* Postcopy: the guest needs both.  Once it ran there, what the source has is of the past. */
static enum evc_handover_step next_of_shared(const struct evc_handover *seen)
{
	switch (seen->destination) {
	case EVC_DESTINATION_LOADED:
		return seen->wanted && !seen->told ? EVC_STEP_RUN : EVC_STEP_WAIT;
	case EVC_DESTINATION_RUNS:
	case EVC_DESTINATION_FETCHES:
	case EVC_DESTINATION_STARVES:
	case EVC_DESTINATION_WAITS:
	case EVC_DESTINATION_SILENT:
		return EVC_STEP_WAIT;
	case EVC_DESTINATION_GONE:
		return seen->told ? EVC_STEP_LOST : EVC_STEP_DOUBT;
	}
	return EVC_STEP_DOUBT;
}

static enum evc_handover_step next_of_gone(const struct evc_handover *seen)
{
	switch (seen->destination) {
	case EVC_DESTINATION_RUNS:
		return EVC_STEP_DONE;
	case EVC_DESTINATION_LOADED:
		return seen->wanted ? EVC_STEP_RUN : EVC_STEP_DOUBT;
	case EVC_DESTINATION_FETCHES: /* all of it, or it will starve */
		return EVC_STEP_WAIT;
	case EVC_DESTINATION_STARVES:
	case EVC_DESTINATION_WAITS:
	case EVC_DESTINATION_GONE:
		return EVC_STEP_LOST;
	case EVC_DESTINATION_SILENT:
		return EVC_STEP_DOUBT;
	}
	return EVC_STEP_DOUBT;
}

static enum evc_handover_step next_of_silent(const struct evc_handover *seen)
{
	switch (seen->destination) {
	case EVC_DESTINATION_RUNS:
		return seen->gave ? EVC_STEP_LEAVE : EVC_STEP_DOUBT;
	case EVC_DESTINATION_LOADED:
		return seen->gave && seen->wanted ? EVC_STEP_RUN : EVC_STEP_DOUBT;
	case EVC_DESTINATION_FETCHES:
	case EVC_DESTINATION_STARVES:
		return EVC_STEP_DOUBT;
	case EVC_DESTINATION_WAITS:
	case EVC_DESTINATION_GONE:
	case EVC_DESTINATION_SILENT:
		return seen->gave || seen->told ? EVC_STEP_DOUBT : EVC_STEP_STAY;
	}
	return EVC_STEP_DOUBT;
}

static bool runs(enum evc_handover_destination destination)
{
	return destination == EVC_DESTINATION_RUNS || destination == EVC_DESTINATION_FETCHES ||
	       destination == EVC_DESTINATION_STARVES;
}

enum evc_handover_step evc_handover_next(const struct evc_handover *seen)
{
	switch (seen->source) {
	case EVC_SOURCE_HAS:
		return runs(seen->destination) ? EVC_STEP_DOUBT : EVC_STEP_STAY;
	case EVC_SOURCE_SENDS:
		if (runs(seen->destination))
			return EVC_STEP_DOUBT;
		return seen->wanted && seen->destination == EVC_DESTINATION_WAITS ? EVC_STEP_WAIT
		                                                                  : EVC_STEP_CANCEL;
	case EVC_SOURCE_SWITCHES:
		return EVC_STEP_WAIT;
	case EVC_SOURCE_SHARES:
		return next_of_shared(seen);
	case EVC_SOURCE_GAVE:
		return next_of_given(seen);
	case EVC_SOURCE_GONE:
		return next_of_gone(seen);
	case EVC_SOURCE_SILENT:
		return next_of_silent(seen);
	}
	return EVC_STEP_DOUBT;
}

const char *evc_handover_step_name(enum evc_handover_step step)
{
	static const char *const names[] = {
		[EVC_STEP_WAIT] = "wait",   [EVC_STEP_CANCEL] = "cancel",
		[EVC_STEP_STAY] = "stay",   [EVC_STEP_TAKE_BACK] = "take-back",
		[EVC_STEP_RUN] = "run",     [EVC_STEP_FINISH] = "finish",
		[EVC_STEP_DONE] = "done",   [EVC_STEP_LEAVE] = "leave",
		[EVC_STEP_DOUBT] = "doubt", [EVC_STEP_LOST] = "lost",
	};

	return names[step];
}

const char *evc_handover_source_name(enum evc_handover_source source)
{
	static const char *const names[] = {
		[EVC_SOURCE_HAS] = "has the guest",
		[EVC_SOURCE_SENDS] = "sends the guest",
		[EVC_SOURCE_SWITCHES] = "is about to give the guest away",
		[EVC_SOURCE_SHARES] = "holds a part of its memory",
		[EVC_SOURCE_GAVE] = "has given the guest away and keeps it paused",
		[EVC_SOURCE_GONE] = "has ended",
		[EVC_SOURCE_SILENT] = "does not answer",
	};

	return names[source];
}

const char *evc_handover_destination_name(enum evc_handover_destination destination)
{
	static const char *const names[] = {
		[EVC_DESTINATION_WAITS] = "waits",
		[EVC_DESTINATION_LOADED] = "has the guest, paused",
		[EVC_DESTINATION_RUNS] = "runs the guest",
		[EVC_DESTINATION_FETCHES] = "runs the guest and fetches its memory",
		[EVC_DESTINATION_STARVES] = "has the guest, but not all of its memory",
		[EVC_DESTINATION_GONE] = "has ended",
		[EVC_DESTINATION_SILENT] = "does not answer",
	};

	return names[destination];
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

enum evc_handover_source evc_handover_source_from(const char *run, const char *migration)
{
	static const char *const sending[] = { "setup", "active", "pre-switchover", "wait-unplug", NULL };
	static const char *const switching[] = { "device", "cancelling", "colo", NULL };
	static const char *const sharing[] = { "postcopy-active",        "postcopy-device",
		                               "postcopy-paused",        "postcopy-recover",
		                               "postcopy-recover-setup", NULL };

	if (!strcmp(run, "postmigrate"))
		return EVC_SOURCE_GAVE;
	if (is_one_of(migration, sharing))
		return EVC_SOURCE_SHARES;
	if (is_one_of(migration, switching))
		return EVC_SOURCE_SWITCHES;
	if (is_one_of(migration, sending))
		return EVC_SOURCE_SENDS;
	/* Completed, failed or cancelled, but not yet settled. */
	if (!strcmp(run, "finish-migrate"))
		return EVC_SOURCE_SWITCHES;
	return EVC_SOURCE_HAS;
}

enum evc_handover_destination evc_handover_destination_from(const char *run, const char *migration)
{
	static const char *const starving[] = { "postcopy-paused", "postcopy-recover",
		                                "postcopy-recover-setup", NULL };
	bool active = !strcmp(migration, "postcopy-active");

	if (is_one_of(migration, starving))
		return EVC_DESTINATION_STARVES;
	if (!strcmp(run, "running"))
		return active ? EVC_DESTINATION_FETCHES : EVC_DESTINATION_RUNS;
	if (strcmp(run, "inmigrate") != 0 && (active || !strcmp(migration, "completed")))
		return EVC_DESTINATION_LOADED;
	return EVC_DESTINATION_WAITS;
}
