/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CLI_CLI_H
#define EVC_CLI_CLI_H

/* The command line: arguments to what was asked, rows to help and to shell completion. */

#include "verb/verb.h"

#include <stdio.h>

enum { EVC_MAX_PARAMS = 32 };

/* The verb's rows, then those that every verb has, then one without a name. */
void evc_cli_params(const struct evc_verb *verb, struct evc_param params[static EVC_MAX_PARAMS + 1]);

/* argv[0] is the verb.  Options may follow operands; "--" ends them.  params must outlive ret_args. */
int evc_cli_parse(int argc, char **argv, const struct evc_param *params, struct evc_arena *arena,
                  struct evc_args *ret_args, struct evc_error *err);

void evc_cli_usage(FILE *to);
void evc_cli_help(const struct evc_verb *verb);
void evc_cli_version(void);

/* "evc completion bash|zsh|fish": the script; "evc completion modes|features|formats|targets": its words. */
int evc_cli_completion(const char *what, struct evc_sink *out, struct evc_error *err);

#endif
