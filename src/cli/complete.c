/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shell completion from the rows of the verbs; the shells ask us for modes, features and forms. */
#include "cli/cli.h"

#include "core/feature.h"
#include "host/modes.h"
#include "text/format.h"
#include "text/target.h"

#include <string.h>

/* Kinds of value whose words we know; other kinds have none. */
static const struct {
	const char *kind, *words;
} kinds[] = {
	{ .kind = "MODE", .words = "modes" },
	{ .kind = "FEATURE", .words = "features" },
	{ .kind = "FORMAT", .words = "formats" },
	{ .kind = "TARGET", .words = "targets" },
};

static const char *words_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(kind, kinds[i].kind))
			return kinds[i].words;
	return NULL;
}

static bool is_file(const char *kind)
{
	return strstr(kind, "FILE") || strstr(kind, "HOST") || strstr(kind, "DIR");
}

/* Text within single quotes of a shell. */
static void put_quoted(const char *text, const char *quote, struct evc_sink *out)
{
	for (; *text; text++) {
		if (*text == '\'')
			evc_sink_puts(out, quote);
		else
			evc_sink_write(out, text, 1);
	}
}

static void put_verbs(struct evc_sink *out)
{
	for (size_t i = 0; i < evc_n_verbs; i++)
		evc_sink_printf(out, "%s%s", i ? " " : "", evc_verbs[i]->name);
	evc_sink_puts(out, " help completion");
}

/* "show:--leaf|show:-l) reply words ;;" for each option that takes a value. */
static void put_value_cases(const char *words, const char *files, const char *nothing, struct evc_sink *out)
{
	struct evc_param params[EVC_MAX_PARAMS + 1];

	for (size_t i = 0; i < evc_n_verbs; i++) {
		evc_cli_params(evc_verbs[i], params);
		for (const struct evc_param *param = params; param->name; param++) {
			if (!param->value)
				continue;
			evc_sink_printf(out, "\t%s:--%s", evc_verbs[i]->name, param->name);
			if (param->letter)
				evc_sink_printf(out, "|%s:-%c", evc_verbs[i]->name, param->letter);
			evc_sink_puts(out, ") ");
			if (words_of(param->value))
				evc_sink_printf(out, "%s %s", words, words_of(param->value));
			else
				evc_sink_puts(out, is_file(param->value) ? files : nothing);
			evc_sink_puts(out, "; return ;;\n");
		}
	}
}

static void put_option_cases(const char *set, struct evc_sink *out)
{
	struct evc_param params[EVC_MAX_PARAMS + 1];

	for (size_t i = 0; i < evc_n_verbs; i++) {
		const char *words = words_of(evc_verbs[i]->operands);

		evc_cli_params(evc_verbs[i], params);
		evc_sink_printf(out, "\t%s) %s", evc_verbs[i]->name, set);
		for (const struct evc_param *param = params; param->name; param++)
			evc_sink_printf(out, "%s--%s", param == params ? "" : " ", param->name);
		/* Modes are named by --mode where files are the operands. */
		evc_sink_printf(out, "' words=%s ;;\n",
		                words && !is_file(evc_verbs[i]->operands) ? words : "");
	}
}

static void bash(struct evc_sink *out)
{
	evc_sink_puts(out,
	              "# bash completion for evc, made from its own options\n"
	              "_evc_words() { COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" completion \"$1\" "
	              "2>/dev/null)\" -- \"$cur\")); }\n"
	              "_evc_files() { compopt -o filenames 2>/dev/null; "
	              "COMPREPLY=($(compgen -f -- \"$cur\")); }\n"
	              "_evc() {\n"
	              "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} options words\n"
	              "\tlocal IFS=$' \\t\\n'\n"
	              "\tCOMPREPLY=()\n"
	              "\tif ((COMP_CWORD == 1)); then\n"
	              "\t\tCOMPREPLY=($(compgen -W '");
	put_verbs(out);
	evc_sink_puts(out, " --version --help' -- \"$cur\"))\n\t\treturn\n\tfi\n"
	                   "\tcase ${COMP_WORDS[1]}:$prev in\n");
	put_value_cases("_evc_words", "_evc_files", ":", out);
	evc_sink_puts(out, "\tesac\n\tcase ${COMP_WORDS[1]} in\n");
	put_option_cases("options='", out);
	evc_sink_puts(out, "\thelp) options='");
	put_verbs(out);
	evc_sink_puts(out, "' words=- ;;\n\tcompletion) options='bash zsh fish' words=- ;;\n\tesac\n"
	                   "\tif [[ $cur == -* || $words == - ]]; then\n"
	                   "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	                   "\telif [[ $words ]]; then\n\t\t_evc_words \"$words\"\n"
	                   "\telse\n\t\t_evc_files\n\tfi\n}\n"
	                   "complete -F _evc evc\n");
}

static void zsh(struct evc_sink *out)
{
	evc_sink_puts(out, "#compdef evc\n# zsh completion for evc, made from its own options\n"
	                   "_evc_words() { compadd -- ${(f)\"$(evc completion $1 2>/dev/null)\"} }\n"
	                   "_evc() {\n\tlocal options words_of\n\tlocal -a verbs\n"
	                   "\tif (( CURRENT == 2 )); then\n\t\tverbs=(\n");
	for (size_t i = 0; i < evc_n_verbs; i++) {
		evc_sink_printf(out, "\t\t\t'%s:", evc_verbs[i]->name);
		put_quoted(evc_verbs[i]->summary, "'\\''", out);
		evc_sink_puts(out, "'\n");
	}
	evc_sink_puts(out, "\t\t\t'help:print help of a verb'\n\t\t)\n\t\t_describe verb verbs\n\t\treturn\n"
	                   "\tfi\n\tcase ${words[2]}:${words[CURRENT-1]} in\n");
	put_value_cases("_evc_words", "_files", "_message value", out);
	evc_sink_puts(out, "\tesac\n\tcase ${words[2]} in\n");
	struct evc_sink cases = { 0 };

	put_option_cases("options='", &cases);
	/* "words" is zsh's own name for the command line. */
	for (const char *text = cases.text ? cases.text : ""; *text;) {
		size_t skip = !strncmp(text, " words=", 7) ? 7 : 0;

		evc_sink_puts(out, skip ? " words_of=" : "");
		if (!skip)
			evc_sink_write(out, text, 1);
		text += skip ? skip : 1;
	}
	evc_sink_free(&cases);
	evc_sink_puts(out, "\thelp) compadd -- ");
	put_verbs(out);
	evc_sink_puts(out, "; return ;;\n\tesac\n"
	                   "\tif [[ ${words[CURRENT]} == -* ]]; then\n\t\tcompadd -- ${=options}\n"
	                   "\telif [[ -n $words_of ]]; then\n\t\t_evc_words $words_of\n"
	                   "\telse\n\t\t_files\n\tfi\n}\n"
	                   "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _evc \"$@\"; "
	                   "else compdef _evc evc; fi\n");
}

static void fish_verb(const struct evc_verb *verb, struct evc_sink *out)
{
	struct evc_param params[EVC_MAX_PARAMS + 1];
	const char *words = is_file(verb->operands) ? NULL : words_of(verb->operands);

	evc_sink_printf(out, "complete -c evc -n __fish_use_subcommand -f -a %s -d '", verb->name);
	put_quoted(verb->summary, "\\'", out);
	evc_sink_puts(out, "'\n");
	if (words)
		evc_sink_printf(out,
		                "complete -c evc -n '__fish_seen_subcommand_from %s' -f -a "
		                "'(evc completion %s 2>/dev/null)'\n",
		                verb->name, words);
	evc_cli_params(verb, params);
	for (const struct evc_param *param = params; param->name; param++) {
		evc_sink_printf(out, "complete -c evc -n '__fish_seen_subcommand_from %s' -l %s", verb->name,
		                param->name);
		if (param->letter)
			evc_sink_printf(out, " -s %c", param->letter);
		if (param->value && words_of(param->value))
			evc_sink_printf(out, " -x -a '(evc completion %s 2>/dev/null)'",
			                words_of(param->value));
		else if (param->value)
			evc_sink_puts(out, is_file(param->value) ? " -r -F" : " -x");
		evc_sink_puts(out, " -d '");
		put_quoted(param->help, "\\'", out);
		evc_sink_puts(out, "'\n");
	}
}

static void fish(struct evc_sink *out)
{
	evc_sink_puts(out, "# fish completion for evc, made from its own options\n");
	for (size_t i = 0; i < evc_n_verbs; i++)
		fish_verb(evc_verbs[i], out);
	evc_sink_puts(out, "complete -c evc -n __fish_use_subcommand -f -a help -d 'print help of a verb'\n"
	                   "complete -c evc -n '__fish_seen_subcommand_from help' -f -a '");
	put_verbs(out);
	evc_sink_puts(out, "'\n");
}

static int words(const char *what, struct evc_sink *out, struct evc_error *err)
{
	if (!strcmp(what, "features")) {
		for (unsigned id = 0; id < EVC_N_FEATURES; id++)
			evc_sink_printf(out, "%s\n", evc_features[id].name);
	} else if (!strcmp(what, "formats")) {
		for (size_t i = 0; i < evc_n_formats; i++)
			if (evc_formats[i]->write)
				evc_sink_printf(out, "%s\n", evc_formats[i]->name);
	} else if (!strcmp(what, "targets")) {
		for (size_t i = 0; i < evc_n_targets; i++)
			evc_sink_printf(out, "%s\n", evc_targets[i]->name);
	} else if (!strcmp(what, "modes")) {
		struct evc_arena arena = { 0 };
		struct evc_modes modes;
		int status = evc_modes_read(&arena, &modes, err);

		for (size_t i = 0; status >= 0 && i < modes.n; i++)
			evc_sink_printf(out, "%s\n", modes.items[i]->key);
		evc_arena_free(&arena);
		return status;
	} else {
		return evc_fail(err, EVC_ERR_USAGE, "name a shell: bash, zsh or fish");
	}
	return EVC_OK;
}

int evc_cli_completion(const char *what, struct evc_sink *out, struct evc_error *err)
{
	static const struct {
		const char *name;
		void (*put)(struct evc_sink *out);
	} shells[] = {
		{ .name = "bash", .put = bash },
		{ .name = "zsh", .put = zsh },
		{ .name = "fish", .put = fish },
	};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(what, shells[i].name) != 0)
			continue;
		shells[i].put(out);
		return EVC_OK;
	}
	return words(what, out, err);
}
