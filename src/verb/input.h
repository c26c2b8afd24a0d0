/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_INPUT_H
#define EVC_VERB_INPUT_H

/* What most verbs begin with: hosts from operands, the modes, what each host can offer. */

#include "core/mode.h"
#include "core/offer.h"
#include "text/format.h"
#include "verb/verb.h"

/* Rows for verbs that look at hosts through KVM and QEMU: --view, --kernel, --qemu, --kvm-options, --nested.
 */
#define EVC_OFFER_PARAMS                                                                                     \
	{ .name = "view",                                                                                    \
	  .value = "VIEW",                                                                                   \
	  .help = "auto: a host through KVM, a guest's dump as it is; kvm: always; raw: never" },            \
		{ .name = "kernel",                                                                          \
		  .value = "VERSION",                                                                        \
		  .help = "predict for this kernel instead of the capture's" },                              \
		{ .name = "qemu",                                                                            \
		  .value = "VERSION",                                                                        \
		  .help = "predict for this QEMU instead of the capture's" },                                \
		{ .name = "kvm-options",                                                                     \
		  .value = "OPTIONS",                                                                        \
		  .help = "module options, as \"nested=0 ept=1\"" },                                         \
	{                                                                                                    \
		.name = "nested", .help = "count VMX and SVM for nested guests in"                           \
	}

/* --view alone; auto when it is not given. */
int evc_input_offer_view(const struct evc_args *args, enum evc_offer_view *ret_view, struct evc_error *err);

/* Those rows as options of evc_offer_make. */
int evc_input_offer_options(const struct evc_args *args, struct evc_offer_options *ret_options,
                            struct evc_error *err);

/* All hosts of these paths ("-": standard input, a directory: each file); damaged ones included, each
 * said in command->messages. */
int evc_input_hosts(struct evc_command *command, const char *const *paths, size_t n_paths,
                    struct evc_hosts *ret_hosts, struct evc_error *err);

/* Exactly one readable host; a damaged one is an error with its place. */
int evc_input_host(struct evc_command *command, const char *path, struct evc_host *ret_host,
                   struct evc_error *err);

/* Built-in modes, then those of /etc/evc/modes.d and $XDG_CONFIG_HOME/evc/modes.d. */
int evc_input_modes(struct evc_command *command, struct evc_modes *ret_modes, struct evc_error *err);

/* The mode named by --mode (or another parameter); NULL and OK when it was not given. */
int evc_input_mode(struct evc_command *command, const struct evc_modes *modes, const char *param,
                   const struct evc_mode **ret_mode, unsigned *ret_version, struct evc_error *err);

#endif
