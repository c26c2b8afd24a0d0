/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A move, from the first question on.
 *
 *   ask       both sides; compare; nothing is touched.  Refused: the end.
 *   begin     migrate-begin.c: the destination is told not to run by itself, the source to send.
 *   settle    migrate-settle.c: until one of the two has the guest, and the other is of no more use.
 *
 * Who starts again after this program ended underway finds other states: the source sends, or keeps the guest
 * paused that it gave away.  Then the sides are compared as ever, and settling goes on from there.
 * What cannot be seen is taken for the worse: that the destination was told to run, and that the guest
 * was running.
 */
#include "guest/migrate-private.h"

#include <pthread.h>
#include <string.h>

/* Where nobody says otherwise. */
enum { ANSWER_MS = 10 * 1000, STALL_MS = 30 * 1000, TOTAL_MS = 60 * 60 * 1000 };

const char *evc_migrate_phase_name(enum evc_migrate_phase phase)
{
	static const char *const names[] = {
		[EVC_MIGRATE_ASKING] = "asking",     [EVC_MIGRATE_PREPARING] = "preparing",
		[EVC_MIGRATE_COPYING] = "copying",   [EVC_MIGRATE_SWITCHING] = "switching",
		[EVC_MIGRATE_CHECKING] = "checking", [EVC_MIGRATE_STARTING] = "starting",
		[EVC_MIGRATE_FETCHING] = "fetching", [EVC_MIGRATE_MENDING] = "mending",
		[EVC_MIGRATE_ENDING] = "ending",     [EVC_MIGRATE_RETURNING] = "returning",
	};

	return names[phase];
}

/* One QEMU being connected to and asked; the two take as long as one. */
struct reading {
	struct evc_migrate_end *end;
	const char *address;
	unsigned answer_ms;
	struct evc_arena *arena;
	struct evc_given *given;
	struct evc_migrate_around around;
	struct evc_error err;
	int status;
};

static void *read_end(void *argument)
{
	struct reading *reading = argument;
	struct evc_error *err = &reading->err;

	reading->status = evc_migrate_end_open(reading->end, reading->address, reading->answer_ms, err);
	if (reading->status == EVC_OK)
		reading->status = evc_given_read(&reading->end->qmp, EVC_GIVEN_COMPARED, reading->arena,
		                                 reading->given, err);
	if (reading->status == EVC_OK)
		reading->status = evc_migrate_around_read(&reading->end->qmp, &reading->around, err);
	return NULL;
}

static int read_both(struct reading *here, struct reading *there, struct evc_error *err)
{
	pthread_t thread;
	bool beside = pthread_create(&thread, NULL, read_end, there) == 0;

	read_end(here);
	if (beside)
		pthread_join(thread, NULL);
	else
		read_end(there);
	if (here->status == EVC_OK && there->status == EVC_OK)
		return EVC_OK;
	*err = here->status < 0 ? here->err : there->err;
	return here->status < 0 ? here->status : there->status;
}

/* Both sides as they are, before anything is touched. */
static int ask(struct evc_migrate_job *job, const char *source, const char *destination,
               struct evc_plan_side sides[static 2], struct evc_error *err)
{
	struct reading here = { .end = &job->source,
		                .address = source,
		                .answer_ms = job->answer_ms,
		                .arena = job->arena,
		                .given = &job->source_given };
	struct reading there = { .end = &job->destination,
		                 .address = destination,
		                 .answer_ms = job->answer_ms,
		                 .arena = &job->there,
		                 .given = &job->destination_given };
	int status = read_both(&here, &there, err);

	if (status == EVC_OK)
		status = evc_migrate_side(&job->source, &job->source_given, &here.around, job->arena,
		                          &sides[0], err);
	if (status == EVC_OK)
		status = evc_migrate_side(&job->destination, &job->destination_given, &there.around,
		                          job->arena, &sides[1], err);
	evc_migrate_around_free(&here.around);
	evc_migrate_around_free(&there.around);
	if (status < 0)
		return status;
	job->was_running = !strcmp(job->source_given.status, "running");
	evc_migrate_look(job);
	return EVC_OK;
}

/* Did somebody begin, and not end? */
static bool is_begun(const struct evc_migrate_job *job)
{
	switch (job->seen.source) {
	case EVC_SOURCE_SENDS:
	case EVC_SOURCE_SWITCHES:
	case EVC_SOURCE_SHARES:
	case EVC_SOURCE_GAVE:
		return true;
	case EVC_SOURCE_HAS:
	case EVC_SOURCE_GONE:
	case EVC_SOURCE_SILENT:
		break;
	}
	return false;
}

static void compare(struct evc_migrate_job *job, const struct evc_plan_side sides[static 2])
{
	struct evc_plan_verdict *plan = &job->result.plan;

	job->result.resumed = is_begun(job);
	if (job->result.resumed)
		plan->there = plan->back = evc_plan_same_vcpus(&sides[0], &sides[1], job->findings);
	else
		*plan = evc_plan_move(&sides[0], &sides[1], job->findings);
	job->seen.wanted = plan->there == EVC_YES;
	if (job->options->postcopy && plan->there == EVC_YES)
		evc_findings_add(
			job->findings,
			(struct evc_finding){
				.kind = EVC_FINDING_NOTE,
				.severity = EVC_WARNING,
				.feature = EVC_N_FEATURES,
				.subject = job->destination.called,
				.detail = "with postcopy the guest runs there before all of its memory is, "
					  "and is lost if either QEMU ends before the rest has come" });
}

/* Take up what an earlier run left. */
static void take_up(struct evc_migrate_job *job)
{
	job->result.started = true;
	job->was_running = true;
	job->seen.told = job->seen.destination != EVC_DESTINATION_WAITS;
	if (!job->seen.wanted)
		job->result.why = "the two are not the same";
	evc_migrate_settle(job);
}

static int run(struct evc_migrate_job *job, const char *source, const char *destination,
               struct evc_error *err)
{
	struct evc_plan_side sides[2];
	int status = ask(job, source, destination, sides, err);

	if (status < 0)
		return status;
	if (job->options->own_destination && is_begun(job))
		return evc_fail(
			err, EVC_ERR_USAGE,
			"%s is being moved already, to another destination: name that one with --to, or "
			"cancel it first (migrate_cancel)",
			source);
	compare(job, sides);
	job->result.end = EVC_STEP_STAY;
	job->result.source = job->seen.source;
	job->result.destination = job->seen.destination;
	if (job->options->dry_run)
		return EVC_OK;
	if (job->result.resumed) {
		take_up(job);
		return EVC_OK;
	}
	if (!job->seen.wanted)
		return EVC_OK;
	status = evc_migrate_begin(job, err);
	if (status < 0) {
		evc_error_set_origin(err, job->source.qmp.name);
		return status;
	}
	evc_migrate_settle(job);
	return EVC_OK;
}

int evc_migrate(const char *source, const char *destination, const struct evc_migrate_options *options,
                struct evc_findings *findings, struct evc_migrate_result *ret_result, struct evc_error *err)
{
	struct evc_migrate_job job = {
		.options = options,
		.arena = findings->arena,
		.findings = findings,
		.source = { .pidfd = -1, .qmp.fd = -1 },
		.destination = { .pidfd = -1, .qmp.fd = -1 },
		.answer_ms = options->answer_ms ? options->answer_ms : ANSWER_MS,
		.stall_ms = options->stall_ms ? options->stall_ms : STALL_MS,
		.total_ms = options->total_ms ? options->total_ms : TOTAL_MS,
	};
	int status;

	job.source.beside = job.destination.beside = options->postcopy; /* to mend it, if that breaks */
	job.source.called = source;
	job.destination.called = options->called ? options->called : destination;
	status = run(&job, source, destination, err);

	if (options->own_destination && (status < 0 || !job.result.started)) {
		job.destination.address = destination;
		evc_migrate_end_quit(&job.destination, job.answer_ms);
	}
	evc_migrate_end_close(&job.source);
	evc_migrate_end_close(&job.destination);
	evc_given_free(&job.source_given);
	evc_given_free(&job.destination_given);
	evc_arena_free(&job.there);
	if (status < 0)
		return status;
	if (!job.result.why)
		job.result.why = "";
	if (!job.result.advice)
		job.result.advice = "";
	*ret_result = job.result;
	return EVC_OK;
}
