/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_GENERATION_H
#define EVC_CORE_GENERATION_H

/* CPU generations: what a family, model and stepping are called (data/generations.txt). */

#include "core/cpu.h"

struct evc_generation {
	const char *vendor; /* "intel", "amd", "hygon", "zhaoxin", "via" */
	uint16_t family, model_first, model_last;
	uint8_t stepping_first, stepping_last;
	const char *uarch;   /* "Skylake" */
	const char *product; /* "Kaby Lake U/Y" */
	const char *segment; /* server, client, hybrid, atom, phi, embedded */
	const char *year;    /* of first sale, "?" when not known */
	const char *mode;    /* usual mode, "-" when none */
	const char *source;
};

/* Sorted by vendor and family, narrower ranges first. */
extern const struct evc_generation evc_generations[];
extern const size_t evc_n_generations;

/* The narrowest row for this cpu, or NULL when nobody named it yet or the cpu is not identified. */
const struct evc_generation *evc_generation_find(const struct evc_cpu *cpu);

#endif
