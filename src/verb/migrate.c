/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evc migrate: move a running guest to a QEMU that waits for it, or say why not. */
#include "verb/migrate.h"

#include "guest/find.h"
#include "host/spawn.h"
#include "text/report.h"
#include "verb/verbs.h"

#include <signal.h>
#include <string.h>

static const struct evc_param params[] = {
	{ .name = "guest",
	  .letter = 'g',
	  .value = "ADDRESS",
	  .help = "QMP socket, process or name of the QEMU that runs it" },
	{ .name = "to",
	  .letter = 't',
	  .value = "ADDRESS",
	  .help = "the same of the QEMU that waits for it; or \"here\", HOST or HOST:SOCKET" },
	{ .name = "ssh", .value = "PROGRAM", .help = "what reaches a HOST: ssh unless given" },
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

enum { ASK_MS = 60 * 1000, MIB = 1024 * 1024, SECOND_MS = 1000 };

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
	struct evc_migrate_report *report = context;
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

static int read_options(struct evc_command *command, struct evc_migrate_report *report,
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
		.progress = evc_migrate_tell,
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

static int move(struct evc_migrate_report *report, const char *from, const struct evc_migrate_there *there,
                const struct evc_migrate_options *options, struct evc_error *err)
{
	struct evc_command *command = report->command;
	struct evc_findings findings = { .arena = command->arena };
	struct evc_migrate_result result;
	int status = evc_migrate(from, there->address, options, &findings, &result, err);

	evc_migrate_end_bar(report);
	if (status < 0)
		return status;
	if (command->json) {
		evc_migrate_print_json(&result, &findings, there->started, command->out);
	} else {
		evc_migrate_print(&result, from, there->called, command->out);
		evc_report_findings(&findings, command->out);
	}
	return evc_migrate_exit(&result);
}

/* From the destination's start, if it has to be started, to the end of what was opened for it. */
static int move_there(struct evc_migrate_report *report, const char *from, const char *to,
                      struct evc_migrate_options *options, struct evc_error *err)
{
	struct evc_migrate_there there = { 0 };
	const char *address;
	int status = evc_migrate_there_open(report->command, from, to, &there, err);

	if (status == EVC_OK)
		status = evc_guest_address(from, report->command->arena, &address, err);
	if (status == EVC_OK) {
		options->called = there.called;
		options->own_destination = there.started != NULL;
		if (!options->uri) {
			options->uri = there.uri;
			options->listen = there.listen;
		}
		status = move(report, address, &there, options, err);
	}
	evc_migrate_there_close(&there);
	return status;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	const char *from = evc_args_value(args, "guest"), *to = evc_args_value(args, "to"),
		   *log = evc_args_value(args, "log");
	struct evc_migrate_report report = { .command = command, .ask = evc_args_value(args, "ask") };
	struct evc_migrate_options options;
	sigset_t stop = stop_signals(), before;
	int status = read_options(command, &report, &options, err);

	if (status < 0)
		return status;
	if (!from || !to)
		return evc_fail(err, EVC_ERR_USAGE, "name the guest with --guest and where to with --to");
	report.log = log ? fopen(log, "ae") : NULL;
	if (log && !report.log)
		return evc_fail(err, EVC_ERR_IO, "%s: cannot be written", log);
	sigprocmask(SIG_BLOCK, &stop, &before);
	status = move_there(&report, from, to, &options, err);
	drop_signals();
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (report.log && (fclose(report.log) || report.log_failed))
		evc_sink_printf(command->messages, "evc: %s could not be written to the end\n", log);
	return status;
}

const struct evc_verb evc_verb_migrate = {
	.name = "migrate",
	.summary = "move a running guest to a QEMU that waits for it, or say why not",
	.operands = "--guest ADDRESS --to ADDRESS [-- QEMU-OPTION...]",
	.help = "Each is a QMP address (unix:PATH, PATH or tcp:HOST:PORT), a process, or the name of a guest\n"
		"that evc run started. The other QEMU was started for this guest with -incoming defer, or evc\n"
		"starts it, with the options of the guest's own: --to here on this machine, --to [user@]HOST on\n"
		"another one by ssh and its evc; options after -- take the place of those of their name. A QEMU\n"
		"that waits on another host is HOST:SOCKET. What the guest would see differently, and what QEMU\n"
		"would refuse, is said before anything is touched. If something goes wrong underway the guest\n"
		"stays where it was; the last lines say where it is and what is left to do.\n"
		"  evc migrate --guest /run/vm7.qmp --to tcp:10.0.0.2:4445 --dry-run\n"
		"  evc migrate --guest vm7 --to vm7-there --auto-converge --downtime 100\n"
		"  evc migrate --guest vm7 --to root@host2",
	.params = params,
	.run = run,
};
