/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a host to a side.
 *
 * The checks compare cpus and know nothing of dumps, kernels and options.  What they are given is the
 * host's offer, in which what follows from other features is settled, with the host's microcode in it, so
 * that hosts of one kind are known as such; what they ask back is why the silicon's feature is not offered.
 */
#include "core/side.h"

struct offered {
	const struct evc_host *host;
	struct evc_offer_options options;
	struct evc_offer offer;
};

static enum evc_cause ask_offer(const struct evc_check_side *side, enum evc_feature_id id)
{
	const struct offered *offered = side->context;

	return evc_offer_cause(offered->host, &offered->options, &offered->offer, id);
}

int evc_side_make(const struct evc_host *host, const struct evc_offer_options *options,
                  struct evc_arena *arena, struct evc_check_side *ret_side, struct evc_findings *findings,
                  struct evc_error *err)
{
	struct offered *offered;
	int status;

	if (host->reading == EVC_DAMAGED) {
		*ret_side = (struct evc_check_side){ .name = host->name, .why = host->error.text };
		return EVC_OK;
	}
	offered = evc_arena_alloc(arena, sizeof(*offered));
	if (!offered)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	offered->host = host;
	offered->options = *options;
	status = evc_offer_make(host, options, arena, &offered->offer, findings, err);
	if (status < 0)
		return status;
	evc_check_settle(&offered->offer.cpu);
	offered->offer.cpu.microcode = host->facts.microcode;
	*ret_side = (struct evc_check_side){
		.name = host->name,
		.cpu = &offered->offer.cpu,
		.silicon = &offered->offer.silicon,
		.tsc_khz = host->facts.tsc_khz,
		.assumed = offered->offer.assumed,
		.cause = ask_offer,
		.context = offered,
	};
	return EVC_OK;
}

const struct evc_offer *evc_side_offer(const struct evc_check_side *side)
{
	const struct offered *offered = side->context;

	return &offered->offer;
}
