/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties of a vCPU as a QEMU may tell them: a dump comes of it that can be printed, or a reason why not.
 */
#include "text/qom.h"

#include "text/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good, const char *wrong)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", wrong);
	abort();
}

static void check_dump(const json_t *properties, bool kvm)
{
	const struct evc_qom_machine machine = { .kvm = kvm, .n_alike = 1, .n_shared = 1 };
	struct evc_arena arena = { 0 };
	struct evc_sink text = { 0 };
	struct evc_error err = { 0 };
	struct evc_dump dump;
	int status = evc_qom_dump(properties, &machine, &arena, &dump, &err);

	check(status == EVC_OK || err.text[0], "an error without a text");
	evc_qom_tsc_khz(properties);
	if (status == EVC_OK) {
		struct evc_host host = { .name = "guest", .format = "qmp", .cpus = &dump, .n_cpus = 1 };

		check(evc_json_write(&host, true, &text, &err) == EVC_OK, "a dump that cannot be printed");
	}
	evc_sink_free(&text);
	evc_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *properties = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);

	check_dump(properties, false);
	check_dump(properties, true);
	json_decref(properties);
	return 0;
}
