/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of a mode's versions.  A mode has those of the mode it is from as well, so that a bit
 * which microcode brought to a whole line of CPUs is written once; dates say where each goes.
 */
#include "text/modes-private.h"

#include <string.h>

/*
 * All versions by date: those of "from" that came after the one this mode starts with, less what
 * was dropped or is there already, and the mode's own.  Same date: one version.
 */
int evc_mode_order_versions(struct evc_modes_reader *reader, struct evc_mode *mode,
                            const struct evc_own_version *own_versions, size_t n_own,
                            const struct evc_set *drops)
{
	const struct evc_mode *from = mode->from;
	size_t next = from ? mode->from_version : 0, n_from = from ? from->n_versions : 0, n = 0, own = 0;
	struct evc_mode_version *versions =
		evc_arena_array(reader->arena, n_own + n_from + 1, sizeof(*versions));
	struct evc_set features = { { 0 } };

	if (!versions)
		return evc_fail(reader->err, EVC_ERR_MEMORY, "out of memory");
	if (from)
		features = evc_set_minus(&from->versions[next - 1].features, drops);
	while (own < n_own || next < n_from) {
		const struct evc_own_version *mine = own < n_own ? &own_versions[own] : NULL;
		const struct evc_mode_version *theirs = next < n_from ? &from->versions[next] : NULL;
		int order = !mine ? 1 : !theirs ? -1 : strcmp(mine->since, theirs->since);
		struct evc_mode_version version = { .since = "", .why = "", .source = "" };

		if (theirs && order >= 0) {
			version = *theirs;
			version.adds = evc_set_minus(&theirs->adds, drops);
			version.adds = evc_set_minus(&version.adds, &features);
			next++;
			if (order && evc_set_is_empty(&version.adds))
				continue;
		}
		if (mine && order <= 0) {
			version.since = mine->since;
			version.why = mine->why;
			version.provenance = mine->claim.provenance;
			version.source = mine->claim.source;
			version.adds = evc_set_or(&version.adds, &mine->adds);
			version.adds = evc_set_minus(&version.adds, &features);
			own++;
			if (mine->number != n + 1)
				return evc_fail_at(
					reader->err, EVC_ERR_INPUT, mine->line, 0,
					"version %u is number %zu in order of dates, inherited ones included",
					mine->number, n + 1);
			if (n && evc_set_is_empty(&version.adds))
				return evc_fail_at(reader->err, EVC_ERR_INPUT, mine->line, 0,
				                   "version %u adds nothing", mine->number);
		}
		features = evc_set_or(&features, &version.adds);
		version.features = features;
		version.number = (unsigned)n + 1;
		versions[n++] = version;
	}
	mode->versions = versions;
	mode->n_versions = n;
	return EVC_OK;
}
