/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verb.h"

#include "verb/verbs.h"

#include <string.h>

/* In the order of the help, one a line. */
/* clang-format off */
const struct evc_verb *const evc_verbs[] = {
	&evc_verb_capture,
	&evc_verb_show,
	&evc_verb_level,
	&evc_verb_apply,
	&evc_verb_modes,
	&evc_verb_check,
	&evc_verb_diff,
	&evc_verb_matrix,
	&evc_verb_explain,
	&evc_verb_cpuinfo,
	&evc_verb_convert,
	&evc_verb_export,
	&evc_verb_run,
	&evc_verb_guest,
	&evc_verb_observe,
	&evc_verb_migrate,
	&evc_verb_verify,
};
/* clang-format on */

const size_t evc_n_verbs = sizeof(evc_verbs) / sizeof(evc_verbs[0]);

const struct evc_verb *evc_verb_find(const char *name)
{
	for (size_t i = 0; i < evc_n_verbs; i++)
		if (!strcmp(evc_verbs[i]->name, name))
			return evc_verbs[i];
	return NULL;
}

const char *const *evc_args_values(const struct evc_args *args, const char *name, size_t *ret_n)
{
	static const char *const none[] = { NULL };
	size_t n = 0;

	for (size_t i = 0; args->params[i].name; i++) {
		const char *const *values = args->values[i];

		if (strcmp(args->params[i].name, name))
			continue;
		while (values && values[n])
			n++;
		*ret_n = n;
		return values ? values : none;
	}
	*ret_n = 0;
	return none;
}

const char *evc_args_value(const struct evc_args *args, const char *name)
{
	size_t n;
	const char *const *values = evc_args_values(args, name, &n);

	return n ? values[n - 1] : NULL;
}

bool evc_args_flag(const struct evc_args *args, const char *name)
{
	return evc_args_value(args, name) != NULL;
}
