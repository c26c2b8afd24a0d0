/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc migrate: move a running guest to a QEMU that waits for it, or say why not. */
#include "verb/verbs.h"

#include "guest/find.h"
#include "guest/migrate.h"
#include "host/spawn.h"
#include "text/report.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct evc_param params[] = {
	{ .name = "guest",
	  .letter = 'g',
	  .value = "ADDRESS",
	  .help = "QMP socket, process or name of the QEMU that runs it" },
	{ .name = "to", .letter = 't', .value = "ADDRESS", .help = "the same of the QEMU that waits for it" },
	{ .name = "dry-run", .letter = 'n', .help = "only say what would happen" },
	{ .name = "bandwidth", .value = "MIB", .help = "at most so many MiB a second" },
	{ .name = "downtime", .value = "MS", .help = "switch when the rest takes at most so long" },
	{ .name = "auto-converge", .help = "slow the guest down if it writes faster than it can be copied" },
	{ .name = "multifd", .value = "N", .help = "copy through N connections" },
	{ .name = "postcopy", .help = "switch after the first pass and fetch the rest when it is wanted" },
	{ .name = "uri", .value = "URI", .help = "where the source sends to: chosen unless given" },
	{ .name = "listen", .value = "URI", .help = "where the destination listens: as --uri unless given" },
	{ .name = "timeout", .value = "S", .help = "copy for at most so many seconds (3600)" },
	{ .name = "stall", .value = "S", .help = "give up when nothing moves for so many seconds (30)" },
	{ .name = "answer", .value = "S", .help = "wait so many seconds for an answer of QEMU (10)" },
	{ .name = "ask", .value = "COMMAND", .help = "run this when it runs there; not 0: keep the source" },
	{ .name = "keep-source", .help = "leave the source paused at the end" },
	{ .name = "log", .value = "FILE", .help = "append what happens, a line each" },
	{ 0 },
};

enum {
	BAR_WIDTH = 24,
	LINE_MS = 2000, /* between lines where there is no terminal */
	ASK_MS = 60 * 1000,
	MIB = 1024 * 1024,
	SECOND_MS = 1000,
};

/* One run: where progress goes, and what was last said. */
struct report {
	struct evc_command *command;
	const char *ask;
	FILE *log; /* NULL: none */
	bool bar;  /* the last thing on the terminal is a bar */
	bool log_failed;
	enum evc_migrate_phase phase;
	bool said;
	struct timespec last;
};

/* --- progress -------------------------------------------------------------------------------- */

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

static void put_bar(struct report *report, const struct evc_migrate_progress *progress)
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
	if (progress->phase == EVC_MIGRATE_COPYING || progress->phase == EVC_MIGRATE_SWITCHING)
		put_numbers(progress, out);
	fputc('\n', out);
	fflush(out);
}

/* A log that cannot be written is no reason to stop a move; it is said at the end. */
static void put_log(struct report *report, const struct evc_migrate_progress *progress)
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

static void tell(void *context, const struct evc_migrate_progress *progress)
{
	struct report *report = context;
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

static void end_bar(struct report *report)
{
	if (report->bar)
		fputs("\r\033[K", stderr);
	report->bar = false;
}

/* --- signals --------------------------------------------------------------------------------- */

/* Those that ask us to stop.  They are held back while the guest moves, and asked for between steps. */
static sigset_t stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

static bool is_cancelled(void *context)
{
	sigset_t pending, stop = stop_signals();

	(void)context;
	sigpending(&pending);
	for (int i = 1; i < SIGRTMIN; i++)
		if (sigismember(&stop, i) && sigismember(&pending, i))
			return true;
	return false;
}

/* They have been heeded. */
static void drop_signals(void)
{
	sigset_t stop = stop_signals();
	const struct timespec now = { 0 };

	while (sigtimedwait(&stop, NULL, &now) > 0)
		;
}

/* --- the guest itself ------------------------------------------------------------------------- */

static enum evc_verdict ask_guest(void *context, struct evc_findings *findings)
{
	struct report *report = context;
	const char *argv[] = { "sh", "-c", report->ask, NULL }, *text;
	struct evc_error err;

	if (evc_spawn_output(argv, ASK_MS, findings->arena, &text, &err) == EVC_OK)
		return EVC_YES;
	evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_NOTE,
	                                                 .severity = EVC_DOUBT,
	                                                 .feature = EVC_N_FEATURES,
	                                                 .subject = "the guest, asked",
	                                                 .detail = evc_arena_string(findings->arena, err.text,
	                                                                            strlen(err.text)) });
	return EVC_UNKNOWN;
}

/* --- options --------------------------------------------------------------------------------- */

/* A number of the option, at least 1 and at most max, times a factor; 0 when it was not given. */
static int number(const struct evc_args *args, const char *name, uint64_t max, uint64_t factor,
                  uint64_t *ret_value, struct evc_error *err)
{
	const char *text = evc_args_value(args, name);
	uint64_t value = 0;

	if (text && (!evc_span_number(evc_span_from(text), max, &value) || !value))
		return evc_fail(err, EVC_ERR_USAGE, "--%s %s: a number from 1 to %llu is wanted", name, text,
		                (unsigned long long)max);
	*ret_value = value * factor;
	return EVC_OK;
}

static int read_numbers(const struct evc_args *args, struct evc_migrate_options *options,
                        struct evc_error *err)
{
	enum { BANDWIDTH, DOWNTIME, CHANNELS, TOTAL, STALL, ANSWER, N };
	static const struct {
		const char *name;
		uint64_t max, factor;
	} rows[N] = {
		[BANDWIDTH] = { .name = "bandwidth", .max = MIB, .factor = MIB },
		[DOWNTIME] = { .name = "downtime", .max = 2000 * 1000, .factor = 1 },
		[CHANNELS] = { .name = "multifd", .max = 255, .factor = 1 },
		[TOTAL] = { .name = "timeout", .max = MIB, .factor = SECOND_MS },
		[STALL] = { .name = "stall", .max = MIB, .factor = SECOND_MS },
		[ANSWER] = { .name = "answer", .max = 3600, .factor = SECOND_MS },
	};
	uint64_t values[N] = { 0 };

	for (int i = 0; i < N; i++) {
		int status = number(args, rows[i].name, rows[i].max, rows[i].factor, &values[i], err);

		if (status < 0)
			return status;
	}
	options->max_bandwidth = values[BANDWIDTH];
	options->max_downtime_ms = (unsigned)values[DOWNTIME];
	options->n_channels = (unsigned)values[CHANNELS];
	options->total_ms = (unsigned)values[TOTAL];
	options->stall_ms = (unsigned)values[STALL];
	options->answer_ms = (unsigned)values[ANSWER];
	return EVC_OK;
}

static int read_options(struct evc_command *command, struct report *report,
                        struct evc_migrate_options *ret_options, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	struct evc_migrate_options options = {
		.uri = evc_args_value(args, "uri"),
		.listen = evc_args_value(args, "listen"),
		.auto_converge = evc_args_flag(args, "auto-converge"),
		.postcopy = evc_args_flag(args, "postcopy"),
		.dry_run = evc_args_flag(args, "dry-run"),
		.keep_source = evc_args_flag(args, "keep-source"),
		.cancelled = is_cancelled,
		.progress = tell,
		.ask_guest = report->ask ? ask_guest : NULL,
		.context = report,
	};
	int status = read_numbers(args, &options, err);

	if (status < 0)
		return status;
	if (options.listen && !options.uri)
		return evc_fail(err, EVC_ERR_USAGE, "--listen goes with --uri, where the source sends to");
	if (options.postcopy && options.n_channels)
		return evc_fail(err, EVC_ERR_USAGE, "--postcopy and --multifd exclude each other");
	*ret_options = options;
	return EVC_OK;
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
static void put_outcome(const struct evc_migrate_result *result, const char *from, const char *to,
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
		evc_sink_printf(out, "the guest is lost: %s ended before %s had all of it\n", from, to);
	else if (result->end == EVC_STEP_DOUBT)
		evc_sink_printf(out, "where the guest is, a person has to find out: %s %s, %s %s\n", from,
		                evc_handover_source_name(result->source), to,
		                evc_handover_destination_name(result->destination));
	else
		evc_sink_printf(out, "the guest stays at %s\n", from);
	if (!has_moved(result) && result->why[0])
		evc_sink_printf(out, "reason: %s\n", result->why);
	if (result->advice[0])
		evc_sink_printf(out, "to do: %s\n", result->advice);
}

static void put_json(const struct evc_migrate_result *result, const struct evc_findings *findings,
                     struct evc_sink *out)
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
	json_object_set_new(object, "findings", evc_report_findings_json(findings));
	evc_report_json(object, out);
}

/* Moved is yes, refused or cancelled no; everything that needs a person, or went wrong, is a failure. */
static int exit_status(const struct evc_migrate_result *result)
{
	if (!result->started)
		return evc_verdict_exit(result->plan.there);
	if (has_moved(result))
		return result->advice[0] ? evc_code_exit(EVC_ERR_IO) : evc_verdict_exit(EVC_YES);
	if (result->end != EVC_STEP_DOUBT && !result->advice[0] && !strcmp(result->why, "cancelled"))
		return evc_verdict_exit(EVC_NO);
	return evc_code_exit(EVC_ERR_IO);
}

static int move(struct report *report, const char *from, const char *to,
                const struct evc_migrate_options *options, struct evc_error *err)
{
	struct evc_command *command = report->command;
	struct evc_findings findings = { .arena = command->arena };
	struct evc_migrate_result result;
	sigset_t stop = stop_signals(), before;
	int status;

	sigprocmask(SIG_BLOCK, &stop, &before);
	status = evc_migrate(from, to, options, &findings, &result, err);
	drop_signals();
	sigprocmask(SIG_SETMASK, &before, NULL);
	end_bar(report);
	if (status < 0)
		return status;
	if (command->json) {
		put_json(&result, &findings, command->out);
	} else {
		put_outcome(&result, from, to, command->out);
		evc_report_findings(&findings, command->out);
	}
	return exit_status(&result);
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	const char *from = evc_args_value(args, "guest"), *to = evc_args_value(args, "to"),
		   *log = evc_args_value(args, "log");
	struct report report = { .command = command, .ask = evc_args_value(args, "ask") };
	struct evc_migrate_options options;
	int status = read_options(command, &report, &options, err);

	if (status < 0)
		return status;
	if (!from || !to || args->n_operands)
		return evc_fail(err, EVC_ERR_USAGE, "name the guest with --guest and where to with --to");
	if (!strncmp(to, "ssh:", 4) || !strncmp(from, "ssh:", 4))
		return evc_fail(
			err, EVC_ERR_UNSUPPORTED,
			"ssh: is not built in; forward the socket (ssh -L /run/there.qmp:/run/vm.qmp HOST) and "
			"name it, with --uri for the guest's memory");
	if ((status = evc_guest_address(from, command->arena, &from, err)) < 0 ||
	    (status = evc_guest_address(to, command->arena, &to, err)) < 0)
		return status;
	report.log = log ? fopen(log, "ae") : NULL;
	if (log && !report.log)
		return evc_fail(err, EVC_ERR_IO, "%s: cannot be written", log);
	status = move(&report, from, to, &options, err);
	if (report.log && (fclose(report.log) || report.log_failed))
		evc_sink_printf(command->messages, "evc: %s could not be written to the end\n", log);
	return status;
}

const struct evc_verb evc_verb_migrate = {
	.name = "migrate",
	.summary = "move a running guest to a QEMU that waits for it, or say why not",
	.operands = "--guest ADDRESS --to ADDRESS",
	.help = "Each is a QMP address (unix:PATH, PATH or tcp:HOST:PORT), a process, or the name of a guest\n"
		"that evc run started. The other QEMU was started for this guest with -incoming defer. What\n"
		"the guest would see differently, and what QEMU would refuse, is said before anything is\n"
		"touched. If something goes wrong underway the guest stays where it was; the last lines say\n"
		"where it is and what is left to do.\n"
		"  evc migrate --guest /run/vm7.qmp --to tcp:10.0.0.2:4445 --dry-run\n"
		"  evc migrate --guest vm7 --to vm7-there --auto-converge --downtime 100",
	.params = params,
	.run = run,
};
