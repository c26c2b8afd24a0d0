/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/cpuinfo_more.h"

#include "text/cpuinfo_more.h"
#include "text/report.h"

bool evc_cpuinfo_more_wanted(const struct evc_args *args)
{
	return evc_args_flag(args, "vulnerabilities") || evc_args_flag(args, "views");
}

int evc_cpuinfo_more(struct evc_command *command, const struct evc_linux_question *question, const char *name,
                     json_t *kernel, struct evc_error *err)
{
	bool vulnerabilities = evc_args_flag(&command->args, "vulnerabilities"),
	     views = evc_args_flag(&command->args, "views");
	struct evc_linux_vuln vulns[EVC_LINUX_MAX_VULNS];
	struct evc_linux_view view;
	struct evc_userland userland;
	struct evc_cpu cpu;
	json_t *object = json_pack("{s:s, s:o}", "name", name, "kernel", kernel);
	size_t n;

	if (!object)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_linux_predict(question, &view);
	n = evc_linux_vulns(question, &view, vulns);
	evc_cpu_decode(question->dump, &cpu);
	evc_userland_see(&cpu, &view, &userland);
	if (command->json) {
		if (vulnerabilities)
			json_object_set_new(object, "vulnerabilities", evc_cpuinfo_vulns_json(vulns, n));
		if (views)
			json_object_set_new(object, "views", evc_cpuinfo_userland_json(&userland));
		evc_report_json(object, command->out);
		return EVC_OK;
	}
	json_decref(object);
	if (vulnerabilities)
		evc_cpuinfo_vulns(vulns, n, evc_args_flag(&command->args, "certainty"), command->out);
	if (views)
		evc_cpuinfo_userland(&userland, command->out);
	return EVC_OK;
}
