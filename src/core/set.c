/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/set.h"

/* The first register at or behind a leaf; MSRs come last in the table. */
static size_t first_at(uint32_t leaf, bool msr)
{
	size_t low = 0, high = evc_n_registers;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct evc_register *place = &evc_registers[middle];
		bool is_msr = place->reg == EVC_MSR;

		if (is_msr < msr || (is_msr == msr && place->leaf < leaf))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What the set has of the features of one register. */
static uint64_t register_bits(const struct evc_set *set, unsigned vendors, const struct evc_register *place,
                              uint32_t subleaf)
{
	unsigned end = (unsigned)place->first + place->n;
	uint64_t bits = 0;

	for (unsigned id = evc_set_next(set, place->first); id < end; id = evc_set_next(set, id + 1))
		if (evc_features[id].vendors & vendors && subleaf <= evc_features[id].subleaf_last)
			bits |= evc_feature_masks[id];
	return bits;
}

uint64_t evc_set_bits(const struct evc_set *set, unsigned vendors, uint32_t leaf, uint32_t subleaf,
                      enum evc_reg reg)
{
	uint64_t bits = 0;

	for (size_t i = first_at(leaf, reg == EVC_MSR); i < evc_n_registers; i++) {
		const struct evc_register *place = &evc_registers[i];

		if (place->leaf != leaf || (place->reg == EVC_MSR) != (reg == EVC_MSR))
			break;
		if (place->reg == reg && place->subleaf <= subleaf)
			bits |= register_bits(set, vendors, place, subleaf);
	}
	return bits;
}
