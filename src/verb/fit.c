/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/fit.h"

#include "core/qemu.h"
#include "core/side.h"
#include "core/vcpu.h"
#include "verb/cluster.h"

#include <string.h>

/* The level's findings, less those about the host itself, which the vCPU's will tell, and what making for all
 * settles. */
static void take_findings(const struct evc_findings *level, const char *host, struct evc_findings *findings)
{
	for (size_t i = 0; i < level->n; i++) {
		const struct evc_finding *finding = &level->items[i];
		bool own = finding->kind == EVC_FINDING_LACKS || finding->kind == EVC_FINDING_UNSURE;

		if (finding->kind == EVC_FINDING_NOTE && finding->feature == EVC_F_PHYS_ADDR_BITS)
			continue;
		if (!own || strcmp(finding->subject, host) != 0)
			evc_findings_add(findings, *finding);
	}
}

/* The level of the host's side and of those that the parameter names. */
static int level_with(struct evc_command *command, struct evc_fit *fit, const struct evc_check_side *side,
                      struct evc_level *ret_level, struct evc_findings *findings, struct evc_error *err)
{
	struct evc_findings told = { .arena = command->arena };
	struct evc_level_options options = {
		.mode = fit->mode,
		.version = fit->version,
		.across_vendors = fit->across_vendors,
	};
	size_t n_paths;
	const char *const *paths = evc_args_values(&command->args, fit->others, &n_paths);
	struct evc_cluster_hosts others;
	struct evc_level_kind *kinds;
	int status = evc_cluster_read(command, paths, n_paths, fit->options, &others, &told, err);

	if (status < 0)
		return status;
	kinds = evc_arena_array(command->arena, others.n + 1, sizeof(*kinds));
	if (!kinds)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	kinds[0] =
		(struct evc_level_kind){ .name = side->name, .n_hosts = 1, .cpu = side->cpu, .side = side };
	for (size_t i = 0; i < others.n; i++)
		kinds[i + 1] = others.kinds[i];
	status = evc_level_make(fit->modes, kinds, others.n + 1, &options, command->arena, ret_level, &told,
	                        err);
	if (status == EVC_OK) {
		take_findings(&told, side->name, findings);
		fit->version = ret_level->version;
	}
	return status;
}

/* Why the host lacks what the mode wants, put into those findings that do not say it. */
static void add_causes(const struct evc_modes *modes, const struct evc_check_side *side,
                       struct evc_findings *findings)
{
	const struct evc_check_options check = { .modes = modes };

	for (size_t i = 0; i < findings->n; i++) {
		struct evc_finding *finding = &findings->items[i];

		if (finding->kind == EVC_FINDING_LACKS && finding->cause == EVC_CAUSE_NONE &&
		    finding->feature != EVC_N_FEATURES)
			finding->cause = evc_check_cause(side, finding->feature, NULL, &check);
	}
}

int evc_fit_guest(struct evc_command *command, struct evc_fit *fit, const struct evc_offer **ret_offer,
                  struct evc_dump *ret_dump, struct evc_findings *findings, struct evc_error *err)
{
	bool others = evc_args_flag(&command->args, fit->others);
	struct evc_check_side side;
	struct evc_level level;
	int status = evc_side_make(fit->host, fit->options, command->arena, &side, findings, err);

	if (status >= 0 && others)
		status = level_with(command, fit, &side, &level, findings, err);
	if (status < 0)
		return status;
	*ret_offer = evc_side_offer(&side);
	status = evc_vcpu_make(fit->modes, fit->mode, fit->version, *ret_offer, others ? &level.cpu : NULL,
	                       command->arena, ret_dump, findings, err);
	add_causes(fit->modes, &side, findings);
	return status;
}

int evc_fit_hosts(struct evc_command *command, const char *const *paths, size_t n_paths,
                  const struct evc_host **ret_first, const char **ret_qemu, struct evc_error *err)
{
	const struct evc_host *first = NULL;
	const char *oldest = NULL;
	unsigned lowest = UINT32_MAX;

	for (size_t i = 0; i < n_paths; i++) {
		struct evc_kinds kinds;
		int status = evc_stream_read(paths[i], command->arena, &kinds, err);

		if (status < 0)
			return status;
		for (size_t k = 0; k < kinds.n; k++) {
			const struct evc_host *host = &kinds.items[k].host;
			unsigned version;

			if (host->reading == EVC_DAMAGED)
				continue;
			first = first ? first : host;
			if (!host->facts.qemu || !evc_qemu_version(host->facts.qemu, &version) ||
			    version >= lowest)
				continue;
			lowest = version;
			oldest = host->facts.qemu;
		}
	}
	*ret_first = first;
	*ret_qemu = oldest;
	return EVC_OK;
}
