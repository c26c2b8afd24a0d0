/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Help from the rows of the verbs. */
#include "cli/cli.h"

#include "core/feature.h"

#include <expat.h>
#include <jansson.h>
#include <string.h>

void evc_cli_usage(FILE *to)
{
	fputs("usage: evc VERB [options] [operands]\n\nverbs:\n", to);
	for (size_t i = 0; i < evc_n_verbs; i++)
		fprintf(to, "  %-10s %s\n", evc_verbs[i]->name, evc_verbs[i]->summary);
	fputs("\n  help VERB, --version, completion bash|zsh|fish\n"
	      "\nStatus: 0 yes, 1 no or not known, 2 wrong usage, 3 and above failure.\n",
	      to);
}

void evc_cli_help(const struct evc_verb *verb)
{
	struct evc_param params[EVC_MAX_PARAMS + 1];

	evc_cli_params(verb, params);
	printf("usage: evc %s [options]%s%s\n\n%s\n\noptions:\n", verb->name, verb->operands[0] ? " " : "",
	       verb->operands, verb->help);
	for (size_t i = 0; params[i].name; i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", params[i].name, params[i].value ? " " : "",
		         params[i].value ? params[i].value : "");
		printf("  %c%c%c %-22s %s%s\n", params[i].letter ? '-' : ' ',
		       params[i].letter ? params[i].letter : ' ', params[i].letter ? ',' : ' ', left,
		       params[i].help, params[i].many ? "; may be repeated" : "");
	}
}

void evc_cli_version(void)
{
	printf("evc %s\n%d features, %zu needs, %zu foreign names\njansson %s, %s\n", EVC_VERSION,
	       (int)EVC_N_FEATURES, evc_n_needs, evc_n_foreign_names, JANSSON_VERSION, XML_ExpatVersion());
	puts("left out of this build: nothing");
}
