/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_CPU_H
#define EVC_CORE_CPU_H

/*
 * A cpu: a dump, understood.  Every feature has a truth of three values: it is there, it is not,
 * or nobody knows.  The rules of core/feature.h are defined on those three, so that what is
 * unknown of one host stays unknown in the level unless another host decides it alone (a zero
 * decides "and", a one decides "or").
 */

#include "core/dump.h"
#include "core/set.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	EVC_MSR_ARCH_CAPABILITIES = 0x10a,
	EVC_MSR_VMX_FIRST = 0x480,
	EVC_MSR_VMX_LAST = 0x493,
};

struct evc_cpu {
	struct evc_set has;          /* features seen set; fields: value not zero */
	struct evc_set known;        /* features whose value is known */
	struct evc_set differs;      /* "same" features on which merged hosts disagree */
	uint64_t value[EVC_N_SLOTS]; /* levelled fields, 0 where not known */
	unsigned vendor;             /* one of enum evc_vendor */
	char vendor_id[13];          /* "GenuineIntel", "" when unknown */
	char brand[49];              /* model name, blanks trimmed, "" when unknown */
	char hypervisor[13];         /* signature of leaf 0x40000000, "" when none */
	bool identified;             /* leaf 1 EAX is known: family, model, stepping, type hold */
	uint16_t family;             /* as displayed: extended parts added */
	uint16_t model;
	uint8_t stepping;
	uint8_t type;
	uint32_t signature; /* leaf 1 EAX */
	uint32_t microcode; /* of a host's facts; 0: not known */
	uint32_t max_basic, max_extended, max_hypervisor;
};

enum evc_truth {
	EVC_ABSENT,
	EVC_PRESENT,
	EVC_UNSURE,
};

/* Understand a dump.  Nothing can fail: what is not in the dump is unknown. */
void evc_cpu_decode(const struct evc_dump *dump, struct evc_cpu *ret_cpu);

/* A whole host: the merge of its kinds of CPU, since a guest's vCPU may run on any of them. */
void evc_cpu_decode_host(const struct evc_host *host, struct evc_cpu *ret_cpu);

enum evc_truth evc_cpu_truth(const struct evc_cpu *cpu, enum evc_feature_id id);

/* The value of a levelled field; false when unknown or not levelled. */
bool evc_cpu_value(const struct evc_cpu *cpu, enum evc_feature_id id, uint64_t *ret_value);

/*
 * Merge b into a by the rules.  Commutative, associative and idempotent on what evc_cpu_level_part
 * leaves: identity (signature, brand, own and calc features) is not merged, it is dropped.
 */
void evc_cpu_level_part(struct evc_cpu *cpu);
void evc_cpu_merge(struct evc_cpu *a, const struct evc_cpu *b);

/* Same level: features, values and what is known of them. */
bool evc_cpu_same_level(const struct evc_cpu *a, const struct evc_cpu *b);

/*
 * Why a guest does not fit a host, as sets: lacks (and), hides (or: a warning the guest was not
 * given), outside (min, max, same), unsure (a side is unknown).  All empty: it fits.
 */
struct evc_misfit {
	struct evc_set lacks;
	struct evc_set hides;
	struct evc_set outside;
	struct evc_set unsure;
};

enum evc_verdict evc_cpu_fits(const struct evc_cpu *guest, const struct evc_cpu *host,
                              struct evc_misfit *ret_misfit);

/*
 * The largest part of the cpu's features in which everything has what it needs: what lost its
 * needs is dropped, and put into ret_dropped (may be NULL).
 */
void evc_cpu_close(struct evc_cpu *cpu, struct evc_set *ret_dropped);

/* Leaf 1 EAX from family, model, stepping as displayed (type 0), and back. */
uint32_t evc_signature_pack(unsigned family, unsigned model, unsigned stepping);
void evc_signature_unpack(uint32_t eax, unsigned *ret_family, unsigned *ret_model, unsigned *ret_stepping);

/* The vendor of a 12-character id; EVC_VENDOR_OTHER for what is not known. */
enum evc_vendor evc_vendor_from_id(const char *vendor_id);

#endif
