/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From argv to a verb, from its result to the terminal. */
#include "base/nearest.h"
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_OUTPUT = 4 };

/* Is there a byte of which a control character is made?  A block at a time, for which compilers use vectors.
 */
static bool may_steer(const struct evc_sink *text)
{
	enum { BLOCK = 64 };
	unsigned char block[BLOCK];

	for (size_t i = 0; i < text->length; i += BLOCK) {
		size_t n = text->length - i < BLOCK ? text->length - i : BLOCK;
		unsigned char any = 0;

		memset(block, ' ', sizeof(block));
		memcpy(block, text->text + i, n);
		for (size_t k = 0; k < BLOCK; k++)
			any |= ((block[k] < 0x20) & (block[k] != '\n') & (block[k] != '\t')) |
			       (block[k] == 0x7f) | (block[k] == 0xc2);
		if (any)
			return true;
	}
	return false;
}

/*
 * Names of files, hosts and CPUs come from outside and must not steer the terminal of who reads them: '?' for
 * each control character but the end of a line.
 */
static void tame(struct evc_sink *text)
{
	size_t start = 0;

	if (!may_steer(text))
		return;

	for (size_t i = 0; i <= text->length; i++) {
		bool crlf = i + 1 < text->length && text->text[i] == '\r' && text->text[i + 1] == '\n';

		if (i < text->length && text->text[i] != '\n' && text->text[i] != '\t' && !crlf)
			continue;
		evc_span_tame((struct evc_span){ text->text + start, i - start }, text->text + start);
		start = i + 1;
	}
}

/* All of text to stdout.  A reader that went away (head, less) has seen enough: no message, no failure. */
static int write_out(const struct evc_sink *out)
{
	if (out->failed) {
		fputs("evc: out of memory\n", stderr);
		return evc_code_exit(EVC_ERR_MEMORY);
	}
	if (out->length)
		fwrite(out->text, 1, out->length, stdout);
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	if (errno == EPIPE)
		return 0;
	fprintf(stderr, "evc: the output could not be written: %s\n", strerror(errno));
	return STATUS_OUTPUT;
}

static int finish(struct evc_command *command, int status, const struct evc_error *err, const char *verb)
{
	int written;

	tame(command->out);
	tame(command->messages);
	written = write_out(command->out);
	if (command->messages->length)
		fwrite(command->messages->text, 1, command->messages->length, stderr);
	if (status < 0) {
		char text[512];

		evc_error_format(err, text, sizeof(text));
		evc_span_tame(evc_span_from(text), text);
		fprintf(stderr, "evc: %s: %s\n", verb, text);
		return evc_code_exit((enum evc_code)status);
	}
	return written ? written : status;
}

static int run_verb(const struct evc_verb *verb, int argc, char **argv)
{
	struct evc_param params[EVC_MAX_PARAMS + 1];
	struct evc_arena arena = { 0 };
	struct evc_sink out = { 0 }, messages = { 0 };
	struct evc_error err = { 0 };
	struct evc_command command = { .arena = &arena, .out = &out, .messages = &messages };
	int status;

	evc_cli_params(verb, params);
	status = evc_cli_parse(argc, argv, params, &arena, &command.args, &err);
	if (status == EVC_OK && evc_args_flag(&command.args, "help")) {
		evc_cli_help(verb);
	} else if (status == EVC_OK) {
		command.json = evc_args_flag(&command.args, "json");
		command.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
		command.progress = isatty(STDERR_FILENO);
		status = verb->run(&command, &err);
	}
	status = finish(&command, status, &err, verb->name);
	if (status == evc_code_exit(EVC_ERR_USAGE) && err.code == EVC_ERR_USAGE)
		fprintf(stderr, "\"evc help %s\" says how it is used\n", verb->name);
	evc_sink_free(&out);
	evc_sink_free(&messages);
	evc_arena_free(&arena);
	return status;
}

static int unknown_verb(const char *name)
{
	struct evc_nearest nearest = { .name = evc_span_from(name) };

	for (size_t n = 0; n < evc_n_verbs; n++)
		evc_nearest_offer(&nearest, evc_verbs[n]->name);
	if (nearest.word)
		fprintf(stderr, "evc: there is no verb %s; did you mean %s?\n", name, nearest.word);
	else
		fprintf(stderr, "evc: there is no verb %s; \"evc --help\" lists them\n", name);
	return evc_code_exit(EVC_ERR_USAGE);
}

static int run_help(const char *name)
{
	const struct evc_verb *verb = name ? evc_verb_find(name) : NULL;

	if (name && !verb)
		return unknown_verb(name);
	if (verb)
		evc_cli_help(verb);
	else
		evc_cli_usage(stdout);
	return 0;
}

static int run_completion(const char *what)
{
	struct evc_sink out = { 0 }, messages = { 0 };
	struct evc_error err = { 0 };
	struct evc_command command = { .out = &out, .messages = &messages };
	int status = evc_cli_completion(what ? what : "", &out, &err);

	status = finish(&command, status, &err, "completion");
	evc_sink_free(&out);
	return status;
}

/* Asked without a verb: --version, --help, help, completion.  False: it is something else. */
static bool run_builtin(char **argv, int *ret_status)
{
	static const struct evc_sink nothing;

	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		evc_cli_version();
		*ret_status = 0;
	} else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		*ret_status = run_help(NULL);
	} else if (!strcmp(argv[1], "help")) {
		*ret_status = run_help(argv[2]);
	} else if (!strcmp(argv[1], "completion")) {
		*ret_status = run_completion(argv[2]);
		return true;
	} else {
		return false;
	}
	if (write_out(&nothing))
		*ret_status = STATUS_OUTPUT;
	return true;
}

int main(int argc, char **argv)
{
	const struct evc_verb *verb;
	int status;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		evc_cli_usage(stderr);
		return evc_code_exit(EVC_ERR_USAGE);
	}
	if (run_builtin(argv, &status))
		return status;
	verb = evc_verb_find(argv[1]);
	return verb ? run_verb(verb, argc - 1, argv + 1) : unknown_verb(argv[1]);
}
