/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_CPUINFO_MORE_H
#define EVC_VERB_CPUINFO_MORE_H

/* What evc cpuinfo prints beside /proc/cpuinfo: --vulnerabilities and --views. */

#include "core/linux.h"
#include "verb/verb.h"

#include <jansson.h>

#define EVC_CPUINFO_MORE_PARAMS                                                                              \
	{ .name = "vulnerabilities",                                                                         \
	  .help = "what /sys/devices/system/cpu/vulnerabilities will say instead" },                         \
	{                                                                                                    \
		.name = "views",                                                                             \
		.help = "what ld.so, GCC and tools make of the CPU and its hypervisor instead"               \
	}

/* Was one of them asked for? */
bool evc_cpuinfo_more_wanted(const struct evc_args *args);

/* Print what was asked for; kernel is what a JSON answer says of it (taken over). */
int evc_cpuinfo_more(struct evc_command *command, const struct evc_linux_question *question, const char *name,
                     json_t *kernel, struct evc_error *err);

#endif
