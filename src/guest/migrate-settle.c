/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A move that has begun, to its end: look at both QEMUs, do the one step that core/handover.c allows, look
 * again.  States are asked for and not remembered, so a step that was not answered, a connection that was
 * cut and a program that was started again are the same case.
 *
 * The guest is ours to give at three places: at pre-switchover (it stands still, and can still be cancelled),
 * when all is there (the destination is compared with what it was), and when it was let run there (the
 * guest itself may be asked).  Up to "cont" at the destination everything leads back to the source.
 *
 * No wait is endless: an answer has answer_ms, standing still stall_ms, copying total_ms.  What takes
 * longer makes the move unwanted, and the same steps lead back.
 */
#include "guest/migrate-private.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	BACK_ANSWERS = 4,       /* so many times answer_ms the way back may take */
	COPYING_PAUSE_MS = 250, /* between looks while memory is copied; QEMU's events cut it short */
	SHORT_PAUSE_MS = 10,    /* while the guest stands still */
	MENDING_PAUSE_MS = 500, /* between two tries */
};

static void tell(struct evc_migrate_job *job, enum evc_migrate_phase phase)
{
	job->progress.phase = phase;
	if (job->options->progress)
		job->options->progress(job->options->context, &job->progress);
}

/* The first reason is the one that counts. */
static void give_up(struct evc_migrate_job *job, const char *why)
{
	job->seen.wanted = false;
	if (!job->result.why)
		job->result.why = why;
}

static int call(struct evc_migrate_job *job, struct evc_migrate_end *end, const char *command,
                json_t *arguments)
{
	struct evc_error err;
	int status = evc_qmp_call(&end->qmp, command, arguments, job->answer_ms, NULL, &err);

	/* The next look says what came of it; the words are kept for who reads. */
	if (status < 0 && !job->result.why && end->qmp.state == EVC_QMP_READY)
		job->result.why = evc_arena_printf(job->arena, "%s: %s", command, err.text);
	return status;
}

static void sleep_ms(unsigned ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000 * 1000 };

	nanosleep(&pause, NULL);
}

/* --- waiting --------------------------------------------------------------------------------- */

static void check_stall(struct evc_migrate_job *job)
{
	int64_t now = evc_migrate_now();

	if (job->progress.transferred != job->moved_bytes) {
		job->moved_bytes = job->progress.transferred;
		job->moved = now;
	}
	if (now - job->moved > job->stall_ms)
		give_up(job, "for too long nothing moved");
}

static void check_times(struct evc_migrate_job *job)
{
	int64_t now = evc_migrate_now();

	check_stall(job);
	if (now - job->began > job->total_ms)
		give_up(job,
		        "copying took too long; --auto-converge, --postcopy or a larger --downtime may help");
}

/* Until the destination was told to run, or holds memory that the source needs no more. */
static bool is_cancelled(const struct evc_migrate_job *job)
{
	return job->options->cancelled && !job->seen.told && job->seen.source != EVC_SOURCE_SHARES &&
	       job->options->cancelled(job->options->context);
}

/* The source sends, and nothing is against it. */
static void go_on_sending(struct evc_migrate_job *job)
{
	bool ready = !strcmp(job->source.migration, "pre-switchover");

	tell(job, ready ? EVC_MIGRATE_SWITCHING : EVC_MIGRATE_COPYING);
	check_times(job);
	if (!job->seen.wanted)
		return;
	/* Refused: it went on already, and the next look shows it. */
	if (ready)
		evc_qmp_call(&job->source.qmp, "migrate-continue",
		             json_pack("{s:s}", "state", "pre-switchover"), job->answer_ms, NULL, NULL);
	else if (job->options->postcopy && !job->postcopying && job->progress.passes > 1)
		job->postcopying = call(job, &job->source, "migrate-start-postcopy", NULL) == EVC_OK;
	else
		evc_migrate_wait(job, COPYING_PAUSE_MS);
}

/*
 * Here or there will be known soon.  What does not end is cancelled once: QEMU then decides, and either
 * has the guest back or has given it.  False: it did not decide.
 */
static bool wait_for_switch(struct evc_migrate_job *job)
{
	int64_t now = evc_migrate_now();

	if (!job->switched)
		job->switched = now;
	if (now - job->switched > job->answer_ms) {
		if (job->hurried)
			return false;
		job->hurried = true;
		job->switched = now;
		give_up(job, "the switch-over did not end");
		call(job, &job->source, "migrate_cancel", NULL);
	}
	evc_migrate_wait(job, SHORT_PAUSE_MS);
	return true;
}

/*
 * The connection broke: both notice it, each in its time, and then it is made again.  False: for too long.
 *
 * A destination whose main loop stands still at a page hears what is said beside its queue, on a connection
 * that was made before, and greets no new one.  Whoever gives that connection up gives up the guest, so it is
 * held as long as copying may take, or until its user does not want to wait any more.
 */
static bool mend(struct evc_migrate_job *job)
{
	bool held = job->seen.destination == EVC_DESTINATION_SILENT && job->destination.qmp.oob;
	unsigned most_ms = held && job->total_ms > job->stall_ms ? job->total_ms : job->stall_ms;

	job->progress.held = held;
	tell(job, EVC_MIGRATE_MENDING);
	if (!job->broke)
		job->broke = evc_migrate_now();
	if (evc_migrate_now() - job->broke > most_ms ||
	    (job->options->cancelled && job->options->cancelled(job->options->context)))
		return false;
	if (job->seen.destination == EVC_DESTINATION_STARVES || held)
		evc_migrate_mend(job);
	sleep_ms(MENDING_PAUSE_MS);
	return true;
}

/*
 * A connection that swallows all breaks by itself only after many minutes.  Where nothing moved for half of
 * the time that is given, and the guest needs what does not come, it is broken, so that it can be mended.
 */
static void check_line(struct evc_migrate_job *job)
{
	if (job->hung_up || !job->seen.told || evc_migrate_now() - job->moved < job->stall_ms / 2)
		return;
	job->hung_up = true;
	evc_migrate_hang_up(job);
}

/* Pages still come.  The guest needs both, so there is no end to this wait but that of either, or a stall. */
static bool wait_for_pages(struct evc_migrate_job *job)
{
	bool fetches = job->seen.destination == EVC_DESTINATION_FETCHES;

	if (!strcmp(job->source.migration, "postcopy-paused"))
		return mend(job);
	job->mend_uri = NULL; /* whoever listened has been found */
	if (job->broke && fetches) {
		job->broke = 0;
		job->hung_up = false;
		job->moved = evc_migrate_now();
		job->result.why = NULL;
	}
	tell(job, fetches || job->seen.told ? EVC_MIGRATE_FETCHING : EVC_MIGRATE_COPYING);
	check_stall(job);
	if (!job->seen.wanted)
		return false;
	check_line(job);
	evc_migrate_wait(job, fetches ? COPYING_PAUSE_MS : SHORT_PAUSE_MS);
	return true;
}

static bool wait_a_while(struct evc_migrate_job *job)
{
	if (job->seen.source == EVC_SOURCE_SENDS)
		go_on_sending(job);
	else if (job->seen.source == EVC_SOURCE_SHARES)
		return wait_for_pages(job);
	else
		return wait_for_switch(job);
	return true;
}

/* --- steps ----------------------------------------------------------------------------------- */

/* The source runs as it did before. */
static bool let_source_run(struct evc_migrate_job *job)
{
	int64_t deadline = evc_migrate_now() + job->answer_ms;

	if (!job->was_running)
		return true;
	while (strcmp(job->source.run, "running") != 0 && evc_migrate_now() < deadline) {
		call(job, &job->source, "cont", NULL);
		evc_migrate_look(job);
	}
	return !strcmp(job->source.run, "running");
}

static void put_advice(struct evc_migrate_job *job, const char *advice)
{
	if (!job->result.advice)
		job->result.advice = advice;
}

/*
 * A source that fell silent may have done so for want of the destination, whose end frees it.  True
 * when it answers again.
 */
static bool wake_source(struct evc_migrate_job *job)
{
	struct evc_error err;

	/* A message for later, should it be woken by others: do not go on waiting for us. */
	evc_qmp_call(&job->source.qmp, "migrate_cancel", NULL, job->answer_ms, NULL, &err);
	evc_migrate_look(job);
	return job->seen.source != EVC_SOURCE_SILENT;
}

/* The guest is the source's; what came to the destination is of no use to anybody.  False: look again. */
static bool stay(struct evc_migrate_job *job, enum evc_handover_step *step)
{
	bool ended;

	tell(job, EVC_MIGRATE_RETURNING);
	ended = evc_migrate_end_quit(&job->destination, job->answer_ms);
	if (job->seen.source == EVC_SOURCE_SILENT && wake_source(job))
		return false;
	if (!ended)
		put_advice(job, evc_arena_printf(job->arena,
		                                 "the destination %s did not end: end its process, and never "
		                                 "let it run (cont)",
		                                 job->destination.called));
	if (job->seen.source == EVC_SOURCE_SILENT) {
		put_advice(job,
		           evc_arena_printf(job->arena,
		                            "the source %s has the guest, but does not answer: wake its "
		                            "process; if it does not run by itself (query-status), cancel "
		                            "(migrate_cancel) and let it run (cont)",
		                            job->source.called));
		return true;
	}
	if (let_source_run(job))
		return true;
	put_advice(job, evc_arena_printf(job->arena,
	                                 "the source %s has the guest, but it does not run: look at "
	                                 "query-status there, and let it run (cont)",
	                                 job->source.called));
	*step = EVC_STEP_DOUBT;
	return true;
}

/* Once, when all is there; false: not to be run. */
static bool check_there(struct evc_migrate_job *job)
{
	enum evc_verdict same;

	if (job->checked)
		return true;
	tell(job, EVC_MIGRATE_CHECKING);
	same = evc_migrate_is_same(job);
	job->checked = same == EVC_YES;
	if (same == EVC_NO)
		give_up(job, "the destination's CPU is not what it was when it was compared");
	else if (same == EVC_UNKNOWN)
		give_up(job, "the destination ended or does not answer");
	return job->checked;
}

/* All is there: compare, then let it run. */
static void run_there(struct evc_migrate_job *job)
{
	if (!check_there(job))
		return;
	if (is_cancelled(job) && job->seen.source == EVC_SOURCE_GAVE) {
		give_up(job, "cancelled");
		return;
	}
	if (!job->was_running)
		return; /* the next look takes "paused" for what it should be */
	tell(job, EVC_MIGRATE_STARTING);
	if (!job->told_at)
		job->told_at = evc_migrate_now();
	else if (evc_migrate_now() - job->told_at > job->answer_ms)
		give_up(job, "the destination was told to run and does not");
	else
		sleep_ms(SHORT_PAUSE_MS);
	job->seen.told = true;
	/* Refused is not run: it can be taken back. */
	if (call(job, &job->destination, "cont", NULL) < 0 && job->destination.qmp.state == EVC_QMP_READY) {
		evc_migrate_look(job);
		if (job->seen.destination == EVC_DESTINATION_LOADED) {
			job->seen.told = false;
			give_up(job, "the destination refused to run");
		}
	}
}

/* The source is a copy of the past now.  Whoever lives there is looked at once more before, and after. */
static enum evc_handover_step end_source(struct evc_migrate_job *job)
{
	if (job->options->ask_guest) /* that took its time */
		evc_migrate_look(job);
	if (job->seen.destination != EVC_DESTINATION_RUNS) {
		give_up(job, "the destination ran, and does not any more");
		return EVC_STEP_DOUBT;
	}
	if (!evc_migrate_end_quit(&job->source, job->answer_ms)) {
		put_advice(job,
		           evc_arena_printf(job->arena,
		                            "the guest runs at the destination; the source %s is paused and "
		                            "did not end: end its process, and never let it run (cont)",
		                            job->source.called));
		return EVC_STEP_LEAVE;
	}
	job->seen.source = EVC_SOURCE_GONE;
	evc_migrate_look_at_destination(job);
	if (job->seen.destination == EVC_DESTINATION_RUNS)
		return EVC_STEP_DONE;
	give_up(job, "the destination ran, and ended while the source was ended");
	return job->seen.destination == EVC_DESTINATION_GONE ? EVC_STEP_LOST : EVC_STEP_DOUBT;
}

/* It runs there.  Whether it does so well, the guest knows best. */
static enum evc_handover_step finish(struct evc_migrate_job *job)
{
	tell(job, EVC_MIGRATE_ENDING);
	if (job->options->ask_guest &&
	    job->options->ask_guest(job->options->context, job->findings) != EVC_YES) {
		give_up(job, "the guest runs at the destination, but did not say that all is well");
		put_advice(job,
		           evc_arena_printf(job->arena,
		                            "the source %s keeps it as it was, paused: look at the guest, "
		                            "then end one of the two (quit), and only then let the source "
		                            "run (cont)",
		                            job->source.called));
		return EVC_STEP_DOUBT;
	}
	return job->options->keep_source ? EVC_STEP_LEAVE : end_source(job);
}

static void advise_doubt(struct evc_migrate_job *job)
{
	const char *here = job->source.called, *there = job->destination.called;
	struct evc_arena *arena = job->arena;

	if (job->seen.destination == EVC_DESTINATION_RUNS)
		put_advice(job, evc_arena_printf(
					arena,
					"the guest runs at %s; make sure that %s does not, and end that one",
					there, here));
	else if (job->seen.source == EVC_SOURCE_SHARES && (job->seen.destination == EVC_DESTINATION_FETCHES ||
	                                                   job->seen.destination == EVC_DESTINATION_STARVES))
		put_advice(job, evc_arena_printf(
					arena,
					"the guest runs at %s and needs %s for the rest of its memory: end "
					"neither; mend what is between them, then the same command connects "
					"them again",
					there, here));
	else if (job->seen.source == EVC_SOURCE_SHARES && !strcmp(job->source.migration, "postcopy-paused"))
		put_advice(
			job,
			evc_arena_printf(
				arena,
				"the guest runs at %s, which stands still for want of memory that %s has: end "
				"neither; mend what is between them, and when %s answers again (it may not), the "
				"same command connects them",
				there, here, there));
	else if (job->seen.source == EVC_SOURCE_SHARES)
		put_advice(job,
		           evc_arena_printf(
				   arena,
				   "each of the two has a part of the guest: end neither; see whether %s can "
				   "be reached again, then the same command goes on; if its process is gone "
				   "for certain, what %s has is the guest as it was when it was stopped",
				   there, here));
	else if (job->seen.told)
		put_advice(job,
		           evc_arena_printf(arena,
		                            "the destination %s was told to run and may have: if it runs "
		                            "(query-status), end the source %s (quit); if its process is "
		                            "gone for certain, let the source run (cont); never both",
		                            there, here));
	else if (job->seen.destination == EVC_DESTINATION_LOADED)
		put_advice(job, evc_arena_printf(
					arena,
					"the destination %s has the whole guest, paused: if the source %s "
					"is gone for certain, let it run there (cont); if the source runs "
					"or is postmigrate, end the destination (quit) and let the source "
					"run (cont); never both",
					there, here));
	else
		put_advice(job, evc_arena_printf(
					arena,
					"the guest can only be at the source %s: look at query-status there, "
					"end the destination %s (quit), then let the source run (cont)",
					here, there));
}

/* After postcopy one may be left that looks alive. */
static void advise_loss(struct evc_migrate_job *job)
{
	if (job->seen.destination == EVC_DESTINATION_STARVES)
		put_advice(job, evc_arena_printf(job->arena,
		                                 "%s stands still where it lacks what the source had: save "
		                                 "what you can of it, and end it (quit)",
		                                 job->destination.called));
	if (job->seen.source == EVC_SOURCE_SHARES)
		put_advice(
			job,
			evc_arena_printf(
				job->arena,
				"the guest went on at the destination, which has ended; %s has it as it was "
				"when it was stopped: do not let it run with disks that went on, end it (quit)",
				job->source.called));
}

/* One step; true: it was the last. */
static bool step(struct evc_migrate_job *job, enum evc_handover_step next)
{
	switch (next) {
	case EVC_STEP_WAIT:
		if (wait_a_while(job))
			return false;
		next = EVC_STEP_DOUBT;
		break;
	case EVC_STEP_CANCEL:
		tell(job, EVC_MIGRATE_RETURNING);
		give_up(job, "the destination ended or does not answer");
		call(job, &job->source, "migrate_cancel", NULL);
		evc_migrate_wait(job, SHORT_PAUSE_MS);
		return false;
	case EVC_STEP_RUN:
		run_there(job);
		return false;
	case EVC_STEP_STAY:
	case EVC_STEP_TAKE_BACK:
		if (!stay(job, &next))
			return false;
		break;
	case EVC_STEP_FINISH:
		next = finish(job);
		break;
	case EVC_STEP_LEAVE:
		put_advice(job,
		           evc_arena_printf(job->arena,
		                            "the guest runs at the destination; the source %s is paused and "
		                            "does not answer: end its process",
		                            job->source.called));
		break;
	case EVC_STEP_LOST:
		advise_loss(job);
		break;
	case EVC_STEP_DONE:
	case EVC_STEP_DOUBT:
		break;
	}
	if (next == EVC_STEP_DOUBT)
		advise_doubt(job);
	job->result.end = next;
	return true;
}

/* Whatever is not as it was asked for has a reason: what was seen of both last, where nobody told another
 * one. */
static void give_reason(struct evc_migrate_job *job)
{
	const char *here = evc_handover_source_name(job->seen.source),
		   *there = evc_handover_destination_name(job->seen.destination);
	enum evc_handover_step end = job->result.end;

	if (job->result.why || end == EVC_STEP_DONE || (end == EVC_STEP_LEAVE && !job->result.advice))
		return;
	if (end == EVC_STEP_LEAVE)
		job->result.why =
			evc_arena_printf(job->arena, "the source was told to end, and did not: it %s", here);
	else
		job->result.why =
			evc_arena_printf(job->arena, "the source %s, and the destination %s", here, there);
}

void evc_migrate_settle(struct evc_migrate_job *job)
{
	int64_t wanted;
	enum evc_handover_step next;

	wanted = job->began = job->moved = evc_migrate_now();
	do {
		evc_migrate_look(job);
		if (is_cancelled(job))
			give_up(job, "cancelled");
		if (job->seen.wanted)
			wanted = evc_migrate_now();
		next = evc_migrate_now() - wanted > BACK_ANSWERS * (int64_t)job->answer_ms
		               ? EVC_STEP_DOUBT
		               : evc_handover_next(&job->seen);
	} while (!step(job, next));
	if (job->result.end == EVC_STEP_STAY || job->result.end == EVC_STEP_TAKE_BACK)
		give_up(job,
		        job->seen.destination == EVC_DESTINATION_WAITS
		                ? "QEMU gave up, and did not say why"
		                : evc_arena_printf(job->arena, "the destination %s",
		                                   evc_handover_destination_name(job->seen.destination)));
	give_reason(job);
	job->result.source = job->seen.source;
	job->result.destination = job->seen.destination;
	if (job->arrived && job->running)
		job->result.downtime_ms += (uint64_t)(job->running - job->arrived);
	job->result.transferred = job->progress.transferred;
	job->result.total_ms = (uint64_t)(evc_migrate_now() - job->began);
	if (job->listen_path)
		unlink(job->listen_path);
}
