/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/sides.h"

#include "verb/input.h"

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
		status = evc_side_make(&hosts.items[i], &options, command->arena, &ret_list->items[i], NULL,
		                       err);
	return status;
}
