/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_VERB_H
#define EVC_VERB_VERB_H

/*
 * Verbs: what a user can ask for.  A verb is a file: its parameters as rows, then its work.  The
 * command line, the help, the shell completions and the daemon all read the same rows.
 */

#include "base/arena.h"
#include "base/error.h"
#include "base/sink.h"

#include <stdbool.h>
#include <stddef.h>

struct evc_param {
	const char *name;  /* "mode": --mode */
	char letter;       /* 'm': -m, 0 for none */
	const char *value; /* "MODE": takes a value of this kind; NULL: a flag. Known kinds: FILE DIR MODE
	                      FEATURE FORMAT */
	bool many;         /* may be given more than once */
	const char
		*otherwise; /* value when none follows, at the end or before another option; NULL: refused */
	const char *help;   /* one line */
};

/* What was asked, parsed. */
struct evc_args {
	const char *const *operands;
	size_t n_operands;
	const struct evc_param *params;   /* of the verb, then the common ones */
	const char *const *const *values; /* per param: its values, NULL-terminated; NULL when not given */
};

bool evc_args_flag(const struct evc_args *args, const char *name);
const char *evc_args_value(const struct evc_args *args, const char *name); /* last one given, or NULL */
const char *const *evc_args_values(const struct evc_args *args, const char *name, size_t *ret_n);

/* One run of a verb.  The caller owns all of it and prints out and messages. */
struct evc_command {
	struct evc_args args;
	struct evc_arena *arena;
	struct evc_sink *out;      /* the result, for stdout */
	struct evc_sink *messages; /* warnings, one line each, for stderr */
	bool json;
	bool colour;   /* the result goes to a terminal that wants colour */
	bool progress; /* stderr is a terminal */
};

struct evc_verb {
	const char *name;
	const char *summary;            /* one line, imperative */
	const char *operands;           /* "FILE..." for the usage line, "" for none */
	const char *help;               /* a paragraph, with an example */
	const struct evc_param *params; /* ends with a row without name; --json and --help are common */
	/* Returns an exit status from a verdict or 0, or a negative evc_code with err. */
	int (*run)(struct evc_command *command, struct evc_error *err);
};

extern const struct evc_verb *const evc_verbs[];
extern const size_t evc_n_verbs;

const struct evc_verb *evc_verb_find(const char *name);

#endif
