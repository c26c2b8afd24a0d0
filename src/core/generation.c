/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/generation.h"

#include <string.h>

/* Hygon and VIA have tables of their own, though their designs are AMD's and Centaur's. */
static bool table_holds(const char *vendor_id, const char *table)
{
	static const struct {
		const char *vendor_id;
		const char *table;
	} tables[] = {
		{ .vendor_id = "GenuineIntel", .table = "intel" },
		{ .vendor_id = "GenuineIotel", .table = "intel" },
		{ .vendor_id = "AuthenticAMD", .table = "amd" },
		{ .vendor_id = "AMDisbetter!", .table = "amd" },
		{ .vendor_id = "HygonGenuine", .table = "hygon" },
		{ .vendor_id = "  Shanghai  ", .table = "zhaoxin" },
		/* Zhaoxin's older parts kept VIA's id; the two number their models apart. */
		{ .vendor_id = "CentaurHauls", .table = "zhaoxin" },
		{ .vendor_id = "CentaurHauls", .table = "via" },
		{ .vendor_id = "VIA VIA VIA ", .table = "via" },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (!strcmp(vendor_id, tables[i].vendor_id) && !strcmp(table, tables[i].table))
			return true;
	return false;
}

const struct evc_generation *evc_generation_find(const struct evc_cpu *cpu)
{
	if (!cpu->identified)
		return NULL;
	for (size_t i = 0; i < evc_n_generations; i++) {
		const struct evc_generation *row = &evc_generations[i];

		if (row->family == cpu->family && row->model_first <= cpu->model &&
		    cpu->model <= row->model_last && row->stepping_first <= cpu->stepping &&
		    cpu->stepping <= row->stepping_last && table_holds(cpu->vendor_id, row->vendor))
			return row;
	}
	return NULL;
}
