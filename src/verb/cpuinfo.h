/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_CPUINFO_H
#define EVC_VERB_CPUINFO_H

/* What the files of evc cpuinfo share: whose /proc/cpuinfo is asked for, and under which kernel. */

#include "core/linux.h"
#include "verb/verb.h"

#include <jansson.h>

enum { EVC_CPUINFO_MAX_SUBJECTS = 2, EVC_CPUINFO_MAX_CPUS = 8192 };

/* Whose /proc/cpuinfo it is: a machine, or a guest on it at a mode. */
struct evc_cpuinfo_subject {
	const char *name;
	struct evc_host host;        /* of a guest at a mode: with its one CPU */
	bool guest;                  /* at a mode */
	bool placed;                 /* by KVM on a host: its shape is not the host's */
	struct evc_host host_before; /* of a guest: the host as it is */
};

struct evc_cpuinfo_request {
	struct evc_command *command;
	struct evc_linux_env env;
	struct evc_linux_kernel kernel;
	const char *kernel_name; /* as asked for, or as the dump or this machine says */
	struct evc_cpuinfo_subject subjects[EVC_CPUINFO_MAX_SUBJECTS];
	size_t n_subjects;
	bool one_cpu;
	uint32_t cpu;
};

/* How many logical CPUs the subject has. */
uint32_t evc_cpuinfo_count(const struct evc_cpuinfo_request *request,
                           const struct evc_cpuinfo_subject *subject);

/* What is asked of one of them. */
struct evc_linux_question evc_cpuinfo_question(const struct evc_cpuinfo_request *request,
                                               const struct evc_cpuinfo_subject *subject, uint32_t cpu);

/* {"asked", "tree", "title", "exact"}, new reference. */
json_t *evc_cpuinfo_kernel_json(const struct evc_cpuinfo_request *request);

/* --against: the first subject and the text at path, "-" or "live"; an exit status or an error. */
int evc_cpuinfo_compare_real(struct evc_cpuinfo_request *request, const char *path, struct evc_error *err);

#endif
