/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/side.h"

#include "verb/input.h"

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

int evc_side_make(struct evc_command *command, const struct evc_host *host,
                  const struct evc_offer_options *options, struct evc_findings *findings,
                  struct evc_check_side *ret_side, struct evc_error *err)
{
	struct offered *offered;
	int status;

	*ret_side = (struct evc_check_side){ .name = host->name, .why = host->error.text };
	if (host->reading == EVC_DAMAGED)
		return EVC_OK;
	offered = evc_arena_alloc(command->arena, sizeof(*offered));
	if (!offered)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	offered->host = host;
	offered->options = *options;
	status = evc_offer_make(host, options, command->arena, &offered->offer, findings, err);
	if (status < 0)
		return status;
	evc_check_settle(&offered->offer.cpu);
	offered->offer.cpu.microcode = host->facts.microcode;
	ret_side->cpu = &offered->offer.cpu;
	ret_side->silicon = &offered->offer.silicon;
	ret_side->tsc_khz = host->facts.tsc_khz;
	ret_side->cause = ask_offer;
	ret_side->context = offered;
	return EVC_OK;
}

const struct evc_offer *evc_side_offer(const struct evc_check_side *side)
{
	const struct offered *offered = side->context;

	return &offered->offer;
}

int evc_sides_read(struct evc_command *command, const char *const *paths, size_t n_paths,
                   struct evc_side_list *ret_list, struct evc_error *err)
{
	struct evc_offer_options options;
	struct evc_hosts hosts;
	int status = evc_input_offer_options(&command->args, &options, err);

	if (status >= 0)
		status = evc_input_hosts(command, paths, n_paths, &hosts, err);
	if (status < 0)
		return status;
	*ret_list = (struct evc_side_list){
		.items = evc_arena_array(command->arena, hosts.n + 1, sizeof(*ret_list->items)),
		.n = hosts.n,
	};
	if (!ret_list->items)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < hosts.n && status >= 0; i++)
		status = evc_side_make(command, &hosts.items[i], &options, NULL, &ret_list->items[i], err);
	return status;
}
