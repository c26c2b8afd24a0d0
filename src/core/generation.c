/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/generation.h"

#include <string.h>

/* Hygon and VIA have tables of their own, though their designs are AMD's and Centaur's. */
static const char *table_of(const struct evc_cpu *cpu)
{
	static const struct {
		const char *vendor_id;
		const char *table;
	} tables[] = {
		{ .vendor_id = "GenuineIntel", .table = "intel" },
		{ .vendor_id = "GenuineIotel", .table = "intel" },
		{ .vendor_id = "AuthenticAMD", .table = "amd" },
		{ .vendor_id = "HygonGenuine", .table = "hygon" },
		{ .vendor_id = "  Shanghai  ", .table = "zhaoxin" },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (!strcmp(cpu->vendor_id, tables[i].vendor_id))
			return tables[i].table;
	/* Zhaoxin's older parts and VIA's share an id; Zhaoxin's families are 6 model 0x19 and 7. */
	if (!strcmp(cpu->vendor_id, "CentaurHauls"))
		return cpu->family == 7 || (cpu->family == 6 && cpu->model == 0x19) ? "zhaoxin" : "via";
	return "";
}

const struct evc_generation *evc_generation_find(const struct evc_cpu *cpu)
{
	const char *table = table_of(cpu);

	if (!cpu->identified)
		return NULL;
	for (size_t i = 0; i < evc_n_generations; i++) {
		const struct evc_generation *row = &evc_generations[i];

		if (row->family == cpu->family && row->model_first <= cpu->model &&
		    cpu->model <= row->model_last && row->stepping_first <= cpu->stepping &&
		    cpu->stepping <= row->stepping_last && !strcmp(row->vendor, table))
			return row;
	}
	return NULL;
}
