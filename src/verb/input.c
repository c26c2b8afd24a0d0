/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/input.h"

#include "host/files.h"
#include "host/modes.h"

#include <string.h>

int evc_input_offer_view(const struct evc_args *args, enum evc_offer_view *ret_view, struct evc_error *err)
{
	static const struct {
		const char *name;
		enum evc_offer_view view;
	} views[] = {
		{ .name = "auto", .view = EVC_VIEW_AUTO },
		{ .name = "kvm", .view = EVC_VIEW_KVM },
		{ .name = "raw", .view = EVC_VIEW_RAW },
	};
	const char *view = evc_args_value(args, "view");

	*ret_view = EVC_VIEW_AUTO;
	for (size_t i = 0; view && i < sizeof(views) / sizeof(views[0]); i++) {
		if (strcmp(view, views[i].name) != 0)
			continue;
		*ret_view = views[i].view;
		return EVC_OK;
	}
	if (view)
		return evc_fail(err, EVC_ERR_USAGE, "--view %s: one of auto, kvm, raw", view);
	return EVC_OK;
}

int evc_input_offer_options(const struct evc_args *args, struct evc_offer_options *ret_options,
                            struct evc_error *err)
{
	*ret_options = (struct evc_offer_options){
		.kernel = evc_args_value(args, "kernel"),
		.qemu = evc_args_value(args, "qemu"),
		.options = evc_args_value(args, "kvm-options"),
		.nested = evc_args_flag(args, "nested"),
	};
	return evc_input_offer_view(args, &ret_options->view, err);
}

int evc_input_hosts(struct evc_command *command, const char *const *paths, size_t n_paths,
                    struct evc_hosts *ret_hosts, struct evc_error *err)
{
	struct evc_hosts hosts = { 0 };

	for (size_t i = 0; i < n_paths; i++) {
		int status = evc_files_read(paths[i], command->arena, &hosts, err);

		if (status < 0)
			return status;
	}
	for (size_t i = 0; i < hosts.n; i++) {
		char text[512];

		if (hosts.items[i].reading == EVC_READ)
			continue;
		evc_error_format(&hosts.items[i].error, text, sizeof(text));
		evc_sink_printf(command->messages, "evc: %s\n", text);
	}
	*ret_hosts = hosts;
	return EVC_OK;
}

int evc_input_host(struct evc_command *command, const char *path, struct evc_host *ret_host,
                   struct evc_error *err)
{
	struct evc_hosts hosts = { 0 };
	int status = evc_files_read(path, command->arena, &hosts, err);

	if (status < 0)
		return status;
	if (hosts.n != 1) {
		status = evc_fail(err, EVC_ERR_USAGE, "one host is wanted, here are %zu", hosts.n);
		evc_error_set_origin(err, path);
		return status;
	}
	if (hosts.items[0].reading == EVC_DAMAGED) {
		*err = hosts.items[0].error;
		return err->code;
	}
	*ret_host = hosts.items[0];
	return EVC_OK;
}

int evc_input_modes(struct evc_command *command, struct evc_modes *ret_modes, struct evc_error *err)
{
	return evc_modes_read(command->arena, ret_modes, err);
}

int evc_input_mode(struct evc_command *command, const struct evc_modes *modes, const char *param,
                   const struct evc_mode **ret_mode, unsigned *ret_version, struct evc_error *err)
{
	const char *name = evc_args_value(&command->args, param);

	*ret_mode = NULL;
	*ret_version = 0;
	if (!name)
		return EVC_OK;
	return evc_modes_find(modes, evc_span_from(name), ret_mode, ret_version, err);
}
