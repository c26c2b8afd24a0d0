/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a kernel was configured, where a line of /proc/cpuinfo hangs on it.
 *
 * The source of a release is one thing, what a distribution makes of it another: pages of five levels, the
 * shadow stacks of programs, transactions and enclaves are options.  data/linux-builds.txt has what
 * distributions chose, and what an option is where nobody chose.  Of a kernel whose name does not
 * say who built it, the choice is taken and marked as depending on the configuration; whoever knows better
 * says config.NAME=VALUE.  (linux:arch/x86/Kconfig)
 */
#include "core/linux-private.h"

#include <string.h>

const struct evc_linux_build *evc_linux_build_find(struct evc_span distribution, unsigned version)
{
	const struct evc_linux_build *best = NULL;

	for (size_t i = 0; i < evc_n_linux_builds; i++)
		if (evc_span_equals(distribution, evc_linux_builds[i].distribution) &&
		    evc_linux_builds[i].since <= version)
			best = &evc_linux_builds[i];
	if (best)
		return best;
	if (evc_span_equals(distribution, evc_linux_builds[0].distribution))
		return &evc_linux_builds[0];
	return evc_linux_build_find(evc_span_from(evc_linux_builds[0].distribution), version);
}

/* What was said, else what the build has, else what its tree's distribution would have had. */
static enum evc_linux_config_value value_of(const struct evc_linux_work *work, enum evc_linux_config option,
                                            bool *ret_known)
{
	const struct evc_linux_build *build = work->question->build;

	*ret_known = work->env->config[option] || (build && work->question->built);
	if (work->env->config[option])
		return (enum evc_linux_config_value)(work->env->config[option] - 1);
	if (!build)
		build = evc_linux_build_find(evc_span_from(work->tree->distribution), work->tree->version);
	return (enum evc_linux_config_value)build->values[option];
}

struct evc_linux_tri evc_linux_configured(struct evc_linux_work *work, enum evc_linux_config option,
                                          enum evc_linux_config_value value)
{
	bool known;
	struct evc_linux_tri tri = evc_linux_if(value_of(work, option, &known) == value);

	if (!known)
		tri.depends = UINT32_C(1) << EVC_LINUX_BY_OPTIONS;
	return evc_linux_leaf(work, tri,
	                      &(struct evc_linux_node){ .reason = EVC_LINUX_REASON_OPTION,
	                                                .text = evc_linux_config_asks[option][value] });
}

bool evc_linux_is_config(const struct evc_linux_node *node)
{
	return node->reason == EVC_LINUX_REASON_OPTION && node->text &&
	       evc_span_starts(evc_span_from(node->text), "config.");
}

int evc_linux_config_set(struct evc_linux_env *env, struct evc_span name, struct evc_span value,
                         struct evc_error *err)
{
	for (unsigned i = 0; i < EVC_LINUX_N_CONFIGS; i++) {
		if (!evc_span_equals(name, evc_linux_configs[i].name))
			continue;
		for (unsigned v = 0; v < EVC_LINUX_N_CONFIG_VALUES; v++)
			if (evc_linux_configs[i].values >> v & 1 &&
			    evc_span_equals(value, evc_linux_config_values[v])) {
				env->config[i] = (uint8_t)(v + 1);
				return 0;
			}
		return evc_fail(err, EVC_ERR_USAGE, "config.%s=%.*s: not a value of %s (%s)",
		                evc_linux_configs[i].name, (int)(value.length < 40 ? value.length : 40),
		                value.text, evc_linux_configs[i].symbol, evc_linux_configs[i].said);
	}
	return evc_fail(err, EVC_ERR_USAGE, "config.%.*s: no such option; one of %s",
	                (int)(name.length < 40 ? name.length : 40), name.text, evc_linux_config_names);
}
