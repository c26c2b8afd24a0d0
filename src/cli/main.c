/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From argv to a verb, from its result to the terminal. */
#include "verb/verb.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PARAMS = 32, MAX_VALUES = 4096 };

/* The verb's parameters, then those that every verb has. */
static size_t all_params(const struct evc_verb *verb, struct evc_param *params)
{
	static const struct evc_param common[] = {
		{ .name = "json", .help = "print JSON for programs" },
		{ .name = "help", .letter = 'h', .help = "print this help" },
	};
	size_t n = 0;

	for (size_t i = 0; verb->params && verb->params[i].name; i++)
		params[n++] = verb->params[i];
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		params[n++] = common[i];
	params[n] = (struct evc_param){ 0 };
	return n;
}

static void print_help(const struct evc_verb *verb, const struct evc_param *params)
{
	printf("usage: evc %s [options] %s\n\n%s\n\noptions:\n", verb->name, verb->operands, verb->help);
	for (size_t i = 0; params[i].name; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s%s", "--", params[i].name, params[i].value ? " " : "",
		         params[i].value ? params[i].value : "");
		printf("  %c%c %-24s %s\n", params[i].letter ? '-' : ' ',
		       params[i].letter ? params[i].letter : ' ', left, params[i].help);
	}
}

static void print_usage(FILE *to)
{
	fputs("usage: evc VERB [options] [operands]\n\nverbs:\n", to);
	for (size_t i = 0; i < evc_n_verbs; i++)
		fprintf(to, "  %-10s %s\n", evc_verbs[i]->name, evc_verbs[i]->summary);
	fputs("\n\"evc VERB --help\" says more.\n", to);
}

/* getopt's tables from the rows; short options as "l:j". */
static void make_options(const struct evc_param *params, struct option *options, char *letters)
{
	size_t n = 0;

	for (; params[n].name; n++) {
		options[n] = (struct option){ .name = params[n].name,
			                      .has_arg = params[n].value ? required_argument : no_argument,
			                      .val = 256 + (int)n };
		if (params[n].letter) {
			*letters++ = params[n].letter;
			if (params[n].value)
				*letters++ = ':';
		}
	}
	options[n] = (struct option){ 0 };
	*letters = '\0';
}

static int parse(int argc, char **argv, const struct evc_param *params, struct evc_arena *arena,
                 struct evc_args *ret_args)
{
	struct option options[MAX_PARAMS + 1];
	char letters[2 * MAX_PARAMS + 1];
	const char **values[MAX_PARAMS] = { NULL };
	size_t n_values[MAX_PARAMS] = { 0 }, n = 0;
	int c;

	make_options(params, options, letters);
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		size_t which = (size_t)(c - 256);

		if (c == '?')
			return EVC_ERR_USAGE;
		if (c < 256)
			for (which = 0; params[which].letter != c; which++)
				;
		if (!values[which])
			values[which] = evc_arena_array(arena, (size_t)argc + 1, sizeof(char *));
		if (values[which])
			values[which][n_values[which]++] = optarg ? optarg : "";
	}
	while (params[n].name)
		n++;
	const char *const **copy = evc_arena_array(arena, n + 1, sizeof(*copy));

	if (!copy)
		return EVC_ERR_MEMORY;
	memcpy(copy, values, n * sizeof(*copy));
	*ret_args = (struct evc_args){ .operands = (const char *const *)argv + optind,
		                       .n_operands = (size_t)(argc - optind),
		                       .params = params,
		                       .values = copy };
	return EVC_OK;
}

static int finish(struct evc_command *command, int status, const struct evc_error *err, const char *verb)
{
	char text[512];

	if (command->out->length)
		fwrite(command->out->text, 1, command->out->length, stdout);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("evc: the output could not be written\n", stderr);
		return 4;
	}
	if (command->messages->length)
		fwrite(command->messages->text, 1, command->messages->length, stderr);
	if (status >= 0)
		return status;
	fprintf(stderr, "evc: %s: %s\n", verb, evc_error_format(err, text, sizeof(text)));
	return evc_code_exit((enum evc_code)status);
}

static int run_verb(const struct evc_verb *verb, int argc, char **argv)
{
	struct evc_param params[MAX_PARAMS + 1];
	struct evc_arena arena = { 0 };
	struct evc_sink out = { 0 }, messages = { 0 };
	struct evc_error err = { 0 };
	struct evc_command command = { .arena = &arena, .out = &out, .messages = &messages };
	int status;

	all_params(verb, params);
	status = parse(argc, argv, params, &arena, &command.args);
	if (status < 0)
		return evc_code_exit((enum evc_code)status);
	if (evc_args_flag(&command.args, "help")) {
		print_help(verb, params);
		return 0;
	}
	command.json = evc_args_flag(&command.args, "json");
	command.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	command.progress = isatty(STDERR_FILENO);
	status = verb->run(&command, &err);
	status = finish(&command, status, &err, verb->name);
	evc_sink_free(&out);
	evc_sink_free(&messages);
	evc_arena_free(&arena);
	return status;
}

int main(int argc, char **argv)
{
	const struct evc_verb *verb;

	if (argc < 2) {
		print_usage(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return 0;
	}
	verb = evc_verb_find(argv[1]);
	if (!verb) {
		fprintf(stderr, "evc: %s is not a verb; \"evc --help\" lists them\n", argv[1]);
		return 2;
	}
	return run_verb(verb, argc - 1, argv + 1);
}
