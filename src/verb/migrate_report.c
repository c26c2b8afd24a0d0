/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What evc migrate says: progress while it moves, and at the end where the guest is. */
#include "verb/migrate.h"

#include "text/report.h"

#include <stdlib.h>
#include <string.h>

enum {
	BAR_WIDTH = 24,
	LINE_MS = 2000, /* between lines where there is no terminal */
	MIB = 1024 * 1024,
	SECOND_MS = 1000,
};

static unsigned done_percent(const struct evc_migrate_progress *progress)
{
	if (!progress->total || progress->remaining > progress->total)
		return 0;
	return (unsigned)((progress->total - progress->remaining) * 100 / progress->total);
}

static void put_numbers(const struct evc_migrate_progress *progress, FILE *out)
{
	if (!progress->total)
		return;
	fprintf(out, " %3u%%, %llu of %llu MiB left", done_percent(progress),
	        (unsigned long long)(progress->remaining / MIB), (unsigned long long)(progress->total / MIB));
	if (progress->mbps > 0)
		fprintf(out, ", %.0f Mbit/s", progress->mbps);
	if (progress->expected_downtime_ms)
		fprintf(out, ", downtime %llu ms expected",
		        (unsigned long long)progress->expected_downtime_ms);
	if (progress->passes > 1)
		fprintf(out, ", pass %u", progress->passes);
}

static void put_bar(struct evc_migrate_report *report, const struct evc_migrate_progress *progress)
{
	char bar[BAR_WIDTH + 1];
	unsigned full = done_percent(progress) * BAR_WIDTH / 100;

	for (unsigned i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r\033[K%-9s [%s]", evc_migrate_phase_name(progress->phase), bar);
	put_numbers(progress, stderr);
	fflush(stderr);
	report->bar = true;
}

static void put_line(const struct evc_migrate_progress *progress, FILE *out)
{
	fputs(evc_migrate_phase_name(progress->phase), out);
	if (progress->phase == EVC_MIGRATE_COPYING || progress->phase == EVC_MIGRATE_SWITCHING ||
	    progress->phase == EVC_MIGRATE_FETCHING)
		put_numbers(progress, out);
	if (progress->phase == EVC_MIGRATE_FETCHING)
		fputs(" (it runs there, and needs both)", out);
	if (progress->phase == EVC_MIGRATE_MENDING)
		fputs(progress->held
		              ? " (mend what is between them; do not end this command, nobody else can connect them)"
		              : " (mend what is between them)",
		      out);
	fputc('\n', out);
	fflush(out);
}

/* A log that cannot be written is no reason to stop a move; it is said at the end. */
static void put_log(struct evc_migrate_report *report, const struct evc_migrate_progress *progress)
{
	char when[32];
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &parts))
		return;
	strftime(when, sizeof(when), "%FT%T", &parts);
	fprintf(report->log, "%s.%03ldZ ", when, now.tv_nsec / 1000000);
	if (progress->state && progress->state[0])
		fprintf(report->log, "(%s) ", progress->state);
	put_line(progress, report->log);
	report->log_failed |= ferror(report->log) != 0;
}

void evc_migrate_tell(void *context, const struct evc_migrate_progress *progress)
{
	struct evc_migrate_report *report = context;
	struct timespec now;
	bool news = !report->said || progress->phase != report->phase;
	long passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (long)(now.tv_sec - report->last.tv_sec) * 1000 +
	         (now.tv_nsec - report->last.tv_nsec) / 1000000;
	report->said = true;
	report->phase = progress->phase;
	if (report->command->progress)
		put_bar(report, progress);
	if (!news && passed < LINE_MS)
		return;
	report->last = now;
	if (!report->command->progress)
		put_line(progress, stderr);
	if (report->log)
		put_log(report, progress);
}

void evc_migrate_end_bar(struct evc_migrate_report *report)
{
	if (report->bar)
		fputs("\r\033[K", stderr);
	report->bar = false;
}

/* --- what came of it ------------------------------------------------------------------------- */

static bool has_moved(const struct evc_migrate_result *result)
{
	return result->started && (result->end == EVC_STEP_DONE || result->end == EVC_STEP_LEAVE);
}

static const char *place(const struct evc_migrate_result *result)
{
	switch (result->end) {
	case EVC_STEP_DONE:
	case EVC_STEP_LEAVE:
		return "destination";
	case EVC_STEP_STAY:
	case EVC_STEP_TAKE_BACK:
		return "source";
	case EVC_STEP_LOST:
		return "nowhere";
	case EVC_STEP_WAIT:
	case EVC_STEP_CANCEL:
	case EVC_STEP_RUN:
	case EVC_STEP_FINISH:
	case EVC_STEP_DOUBT:
		break;
	}
	return "not known";
}

/* The first line: where the guest is. */
void evc_migrate_print(const struct evc_migrate_result *result, const char *from, const char *to,
                       struct evc_sink *out)
{
	if (!result->started)
		evc_sink_printf(out, "the guest %s move to %s%s\n",
		                result->plan.there == EVC_YES  ? "can"
		                : result->plan.there == EVC_NO ? "cannot"
		                                               : "may or may not",
		                to, result->plan.there == EVC_YES ? "" : "; nothing was touched");
	else if (has_moved(result))
		evc_sink_printf(out, "the guest runs at %s: %llu MiB in %.1f s, paused for %llu ms of it\n",
		                to, (unsigned long long)(result->transferred / MIB),
		                (double)result->total_ms / SECOND_MS,
		                (unsigned long long)result->downtime_ms);
	else if (result->end == EVC_STEP_LOST)
		evc_sink_printf(out,
		                result->source == EVC_SOURCE_GONE
		                        ? "the guest is lost: %s ended before %s had all of it\n"
		                        : "the guest is lost: of %s and %s, the second one ended with it\n",
		                from, to);
	else if (result->end == EVC_STEP_DOUBT)
		evc_sink_printf(out, "where the guest is, a person has to find out: %s %s, %s %s\n", from,
		                evc_handover_source_name(result->source), to,
		                evc_handover_destination_name(result->destination));
	else
		evc_sink_printf(out, "the guest stays at %s\n", from);
	if (result->why[0] && (!has_moved(result) || result->advice[0]))
		evc_sink_printf(out, "reason: %s\n", result->why);
	if (result->advice[0])
		evc_sink_printf(out, "to do: %s\n", result->advice);
}

void evc_migrate_print_json(const struct evc_migrate_result *result, const struct evc_findings *findings,
                            const json_t *started, struct evc_sink *out)
{
	json_t *object =
		json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:s, s:s, s:s, s:s, s:s}", "verdict",
	                  evc_verdict_name(result->plan.there), "back", evc_verdict_name(result->plan.back),
	                  "started", result->started, "resumed", result->resumed, "moved", has_moved(result),
	                  "guest", place(result), "end", evc_handover_step_name(result->end), "source",
	                  evc_handover_source_name(result->source), "destination",
	                  evc_handover_destination_name(result->destination), "reason", result->why, "advice",
	                  result->advice);

	json_object_set_new(object, "transferred", json_integer((json_int_t)result->transferred));
	json_object_set_new(object, "total_ms", json_integer((json_int_t)result->total_ms));
	json_object_set_new(object, "downtime_ms", json_integer((json_int_t)result->downtime_ms));
	if (started)
		json_object_set_new(object, "started_destination",
		                    json_pack("{s:O, s:O}", "name", json_object_get(started, "name"), "qmp",
		                              json_object_get(started, "qmp")));
	json_object_set_new(object, "findings", evc_report_findings_json(findings));
	evc_report_json(object, out);
}

/* Moved is yes, refused or cancelled no; everything that needs a person, or went wrong, is a failure. */
int evc_migrate_exit(const struct evc_migrate_result *result)
{
	if (!result->started)
		return evc_verdict_exit(result->plan.there);
	if (has_moved(result))
		return result->advice[0] ? evc_code_exit(EVC_ERR_IO) : evc_verdict_exit(EVC_YES);
	if (result->end != EVC_STEP_DOUBT && !result->advice[0] && !strcmp(result->why, "cancelled"))
		return evc_verdict_exit(EVC_NO);
	return evc_code_exit(EVC_ERR_IO);
}
