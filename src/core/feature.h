/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_FEATURE_H
#define EVC_CORE_FEATURE_H

/*
 * Features: the named places.  A feature is a bit (present or not) or a field (a number), at one
 * place, with one rule that says both how hosts merge and when a guest fits a host:
 *
 *   rule  merging hosts a, b   guest g fits host h when   for
 *   and   a & b                g <= h                     ordinary features
 *   or    a | b                h <= g                     warnings a guest must see if any host has them
 *   min   the smaller          g <= h                     address widths, highest leaves
 *   max   the larger           g >= h                     sizes that a guest must reserve
 *   same  must agree           g == h                     what cannot be levelled
 *   own   left out             always                     identity, topology, what the host decides
 *   calc  recomputed           recomputed                 follows from other features
 *
 * The tables are generated from data/features.txt, names.txt, needs.txt and sources.txt; an
 * enum evc_feature_id names each feature to the compiler (EVC_F_AVX2).
 */

#include "base/span.h"
#include "core/bit.h"
#include "feature-ids.h"

#include <stdbool.h>
#include <stddef.h>

enum evc_rule {
	EVC_RULE_AND,
	EVC_RULE_OR,
	EVC_RULE_MIN,
	EVC_RULE_MAX,
	EVC_RULE_SAME,
	EVC_RULE_OWN,
	EVC_RULE_CALC,
	EVC_N_RULES,
};

/* For whom a place has this meaning, as bits of a mask. */
enum evc_vendor {
	EVC_VENDOR_INTEL = 1 << 0,
	EVC_VENDOR_AMD = 1 << 1,     /* and Hygon, which is AMD's design under another name */
	EVC_VENDOR_ZHAOXIN = 1 << 2, /* and VIA, Centaur */
	EVC_VENDOR_TRANSMETA = 1 << 3,
	EVC_VENDOR_OTHER = 1 << 4,
	EVC_VENDOR_ANY = (1 << 5) - 1,
	EVC_N_VENDORS = 5,
};

enum {
	EVC_NO_SLOT = -1,
	EVC_MAX_MEANINGS = 4, /* features that one name can stand for */
};

struct evc_feature {
	const char *name;
	const char *title;
	struct evc_bit bit;
	uint32_t subleaf_last; /* the same meaning in subleaves bit.subleaf .. subleaf_last */
	enum evc_rule rule;
	unsigned vendors; /* mask of enum evc_vendor */
	int slot;         /* a levelled field's place in evc_cpu.value, else EVC_NO_SLOT */
	uint16_t source;  /* index into evc_sources */
};

/* What a feature needs, directly. */
struct evc_need {
	enum evc_feature_id feature;
	enum evc_feature_id needs;
	const char *why;
	const char *source;
};

/* What somebody else calls a feature, where it differs. */
struct evc_foreign_name {
	const char *space; /* "qemu", "libvirt", "linux", "vmware", "xen" */
	const char *name;
	enum evc_feature_id feature;
	bool also; /* understood, never printed */
};

struct evc_source {
	const char *key;
	const char *title;
};

/* A register in which features live: evc_features[first] and the n - 1 after it. */
struct evc_register {
	uint32_t leaf;
	uint32_t subleaf;
	enum evc_reg reg;
	uint16_t first, n;
};

/* Indexed by enum evc_feature_id, sorted by place. */
extern const struct evc_feature evc_features[EVC_N_FEATURES];
extern const uint64_t evc_feature_masks[EVC_N_FEATURES]; /* evc_bit_mask of each, side by side */
extern const struct evc_register evc_registers[];        /* sorted by place */
extern const size_t evc_n_registers;
extern const enum evc_feature_id evc_slots[EVC_N_SLOTS];         /* the feature of each slot */
extern const enum evc_feature_id evc_name_order[EVC_N_FEATURES]; /* all, sorted as the foreign names are */
extern const struct evc_need evc_needs[];
extern const size_t evc_n_needs;
/* Sorted by name without case and '-' '_' '.', then space (qemu libvirt linux vmware xen), then place. */
extern const struct evc_foreign_name evc_foreign_names[];
extern const size_t evc_n_foreign_names;
extern const uint16_t evc_printed_names[]; /* numbers of those foreign names that are printed, by feature */
extern const size_t evc_n_printed_names;
extern const struct evc_source evc_sources[];
extern const size_t evc_n_sources;

/* What a guest loses with the feature, in people's words; NULL where nobody would notice (data/costs.txt). */
extern const char *const evc_feature_costs[EVC_N_FEATURES];

/* A feature that came and went (data/removed.txt). */
struct evc_removal {
	unsigned vendors; /* whose CPUs dropped it, mask of enum evc_vendor; 0: it was never removed */
	int year;         /* CPUs first sold since then may be without */
	const char *what; /* "Zen and its successors are without" */
	const char *source;
};

extern const struct evc_removal evc_removals[EVC_N_FEATURES];

/* By its own name, exactly; false when there is none. */
bool evc_feature_find(struct evc_span name, enum evc_feature_id *ret_id);

/*
 * By any name somebody may type: ours, QEMU's, libvirt's, Linux's, VMware's, Xen's, with '_', '-' and '.'
 * alike, upper or lower case, or a place as evc_bit_format prints it.  Who asks with a space, as an
 * argument (may be NULL) or as "qemu:pni", gets that space's meaning first, then ours; who asks without
 * gets ours first, then that of the first space that has the name, in the order qemu, libvirt, linux,
 * vmware, xen.
 *
 * A name can stand for several features: Linux's flag "ibrs" is one bit on Intel and another on AMD.
 * evc_feature_lookup then gives the first by place; _all gives each and says how many.
 */
bool evc_feature_lookup(struct evc_span name, const char *space, enum evc_feature_id *ret_id);
size_t evc_feature_lookup_all(struct evc_span name, const char *space,
                              enum evc_feature_id ret_ids[static EVC_MAX_MEANINGS]);

/* What a namespace calls the feature: its own entry, else our name. */
const char *evc_feature_name_in(enum evc_feature_id id, const char *space);

const char *evc_rule_name(enum evc_rule rule);
const char *evc_vendor_name(unsigned vendor);

/* In the range of leaves that no CPU answers but its hypervisor. */
static inline bool evc_feature_is_hypervisors(const struct evc_feature *feature)
{
	return feature->bit.reg != EVC_MSR &&
	       feature->bit.leaf >> 16 == evc_features[EVC_F_MAX_HYP_LEAF].bit.leaf >> 16;
}

static inline bool evc_feature_is_msr(const struct evc_feature *feature)
{
	return feature->bit.reg == EVC_MSR;
}

/* One bit of a register that is either there or not. */
static inline bool evc_feature_is_bit(const struct evc_feature *feature)
{
	return feature->bit.lo == feature->bit.hi;
}

#endif
