/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arguments by the rows of a verb. */
#include "base/nearest.h"
#include "cli/cli.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

enum { FIRST_LONG = 256 };

void evc_cli_params(const struct evc_verb *verb, struct evc_param params[static EVC_MAX_PARAMS + 1])
{
	static const struct evc_param common[] = {
		{ .name = "json", .help = "print JSON for programs" },
		{ .name = "help", .letter = 'h', .help = "print this help" },
	};
	size_t n = 0;

	for (size_t i = 0; verb->params && verb->params[i].name; i++) {
		assert(n + 2 < EVC_MAX_PARAMS);
		params[n++] = verb->params[i];
	}
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		params[n++] = common[i];
	params[n] = (struct evc_param){ 0 };
}

/* getopt's tables from the rows; ':' first, so that a missing value is told from an unknown option. */
static void make_options(const struct evc_param *params, struct option *options, char *letters)
{
	size_t n = 0;

	*letters++ = ':';
	for (; params[n].name; n++) {
		options[n] = (struct option){ .name = params[n].name,
			                      .has_arg = params[n].value ? required_argument : no_argument,
			                      .val = FIRST_LONG + (int)n };
		if (params[n].letter) {
			*letters++ = params[n].letter;
			if (params[n].value)
				*letters++ = ':';
		}
	}
	options[n] = (struct option){ 0 };
	*letters = '\0';
}

/* What getopt did not like, in our words. */
static int complain(int c, char **argv, const struct evc_param *params, struct evc_error *err)
{
	const char *word = argv[optind - 1];
	size_t length = strcspn(word, "=");

	if (optopt >= FIRST_LONG && c == '?')
		return evc_fail(err, EVC_ERR_USAGE, "--%s takes no value", params[optopt - FIRST_LONG].name);
	if (c == ':' && optopt >= FIRST_LONG)
		return evc_fail(err, EVC_ERR_USAGE, "--%s wants a value: --%s %s",
		                params[optopt - FIRST_LONG].name, params[optopt - FIRST_LONG].name,
		                params[optopt - FIRST_LONG].value);
	if (c == ':')
		return evc_fail(err, EVC_ERR_USAGE, "-%c wants a value", optopt);
	if (optopt)
		return evc_fail(err, EVC_ERR_USAGE, "there is no option -%c", optopt);
	struct evc_nearest nearest = { .name = { word + 2, length > 2 ? length - 2 : 0 } };

	for (size_t n = 0; params[n].name; n++) {
		evc_nearest_offer(&nearest, params[n].name);
		if (length > 2 && !strncmp(params[n].name, word + 2, length - 2))
			return evc_fail(err, EVC_ERR_USAGE, "%.*s may mean several options", (int)length,
			                word);
	}
	return evc_fail(err, EVC_ERR_USAGE, "there is no option %.*s%s%s%s", (int)length, word,
	                nearest.word ? "; did you mean --" : "", nearest.word ? nearest.word : "",
	                nearest.word ? "?" : "");
}

/* Which parameter the letter is; the number of them when it is none. */
static size_t find_letter(const struct evc_param *params, int letter)
{
	size_t which = 0;

	while (params[which].name && (!letter || params[which].letter != letter))
		which++;
	return which;
}

/* The value that getopt found; another option is none where the parameter can do without. */
static char *default_value(const struct evc_param *param, bool missing)
{
	if (!param->otherwise)
		return optarg;
	if (!missing && optarg && optarg[0] == '-' && optarg[1])
		optind--;
	else if (!missing)
		return optarg;
	return (char *)param->otherwise;
}

int evc_cli_parse(int argc, char **argv, const struct evc_param *params, struct evc_arena *arena,
                  struct evc_args *ret_args, struct evc_error *err)
{
	struct option options[EVC_MAX_PARAMS + 1];
	char letters[2 * EVC_MAX_PARAMS + 2];
	const char **values[EVC_MAX_PARAMS] = { NULL };
	size_t n_values[EVC_MAX_PARAMS] = { 0 }, n = 0;
	int c;

	make_options(params, options, letters);
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		int option = c == ':' || c == '?' ? optopt : c;
		size_t which =
			option < FIRST_LONG ? find_letter(params, option) : (size_t)(option - FIRST_LONG);

		if (c == '?' || (c == ':' && !params[which].otherwise))
			return complain(c, argv, params, err);
		optarg = default_value(&params[which], c == ':');
		if (n_values[which] && params[which].value && !params[which].many)
			return evc_fail(err, EVC_ERR_USAGE, "--%s is given twice", params[which].name);
		/* of a shell's variable that is not set */
		if (params[which].value && optarg && !optarg[0])
			return evc_fail(err, EVC_ERR_USAGE, "--%s is given nothing: --%s %s",
			                params[which].name, params[which].name, params[which].value);
		if (!values[which])
			values[which] = evc_arena_array(arena, (size_t)argc + 1, sizeof(char *));
		if (values[which])
			values[which][n_values[which]++] = optarg ? optarg : "";
	}
	while (params[n].name)
		n++;
	const char *const **copy = evc_arena_array(arena, n + 1, sizeof(*copy));

	if (!copy || evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	memcpy(copy, values, n * sizeof(*copy));
	*ret_args = (struct evc_args){ .operands = (const char *const *)argv + optind,
		                       .n_operands = (size_t)(argc - optind),
		                       .params = params,
		                       .values = copy };
	return EVC_OK;
}
