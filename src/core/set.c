/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/set.h"

/* The first feature at or behind a place; MSRs come last in the table. */
static unsigned first_at(uint32_t leaf, bool msr)
{
	unsigned low = 0, high = EVC_N_FEATURES;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct evc_bit *bit = &evc_features[middle].bit;
		bool is_msr = bit->reg == EVC_MSR;

		if (is_msr < msr || (is_msr == msr && bit->leaf < leaf))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t evc_set_bits(const struct evc_set *set, unsigned vendors, uint32_t leaf, uint32_t subleaf,
                      enum evc_reg reg)
{
	uint64_t bits = 0;

	for (unsigned id = first_at(leaf, reg == EVC_MSR); id < EVC_N_FEATURES; id++) {
		const struct evc_feature *feature = &evc_features[id];

		if (feature->bit.leaf != leaf || (feature->bit.reg == EVC_MSR) != (reg == EVC_MSR))
			break;
		if (feature->bit.reg == reg && feature->vendors & vendors &&
		    feature->bit.subleaf <= subleaf && subleaf <= feature->subleaf_last &&
		    evc_set_has(set, (enum evc_feature_id)id))
			bits |= evc_bit_mask(feature->bit);
	}
	return bits;
}
