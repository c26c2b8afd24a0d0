/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/offer.h"

#include <string.h>

int evc_offer_make(const struct evc_host *host, const struct evc_offer_options *options,
                   struct evc_arena *arena, struct evc_offer *ret_offer, struct evc_findings *findings,
                   struct evc_error *err)
{
	struct evc_offer offer = { .basis = EVC_OFFER_GIVEN, .kernel_tree = "", .qemu_tree = "" };

	(void)arena;
	(void)err;
	if (!host->n_cpus) {
		*ret_offer = offer;
		return EVC_OK;
	}
	offer.dump = host->cpus[0];
	evc_cpu_decode_host(host, &offer.cpu);
	if (options->view != EVC_VIEW_RAW && !evc_set_has(&offer.cpu.has, EVC_F_HYPERVISOR) && findings)
		evc_findings_add(findings, (struct evc_finding){
						   .kind = EVC_FINDING_NOTE,
						   .severity = EVC_WARNING,
						   .feature = EVC_N_FEATURES,
						   .subject = host->name,
						   .detail = "taken as the CPU says, not as KVM shows it" });
	*ret_offer = offer;
	return EVC_OK;
}

enum evc_cause evc_offer_cause(const struct evc_host *host, const struct evc_offer_options *options,
                               const struct evc_offer *offer, enum evc_feature_id id)
{
	(void)host;
	(void)options;
	(void)offer;
	(void)id;
	return EVC_CAUSE_NONE;
}
