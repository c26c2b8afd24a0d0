/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_CHECK_H
#define EVC_CORE_CHECK_H

/* Checks: may this guest move to that host, may this host join at that mode, and why not. */

#include "core/finding.h"
#include "core/mode.h"

/* A guest or a host.  All pointers are borrowed. */
struct evc_check_side {
	const char *name;
	const struct evc_cpu *cpu;     /* what a guest has, what a host offers; NULL: not readable */
	const struct evc_cpu *silicon; /* the host's CPUID itself, for the cause; NULL: not known */
	const char *why;               /* of one that is not readable */
	uint32_t tsc_khz;              /* 0: not known */
	const char *assumed; /* what the answer rests on though nobody said it; NULL or "": nothing */
	/* Why the offer has not what the silicon has; NULL: nobody to ask. */
	enum evc_cause (*cause)(const struct evc_check_side *side, enum evc_feature_id id);
	const void *context; /* of cause */
};

struct evc_check_options {
	const struct evc_modes *modes;         /* for causes; NULL: none */
	const struct evc_check_side *siblings; /* other hosts, to tell firmware and microcode from silicon */
	size_t n_siblings;
	const struct evc_check_side *from; /* where the guest runs; NULL: not said */
	bool moves_only;                   /* nothing about a guest that is made anew */
};

/*
 * The bit without which the feature means nothing: that announces its MSR, its leaf, or its part of leaf 0xD.
 * EVC_N_FEATURES: none does.
 */
enum evc_feature_id evc_check_announcer(enum evc_feature_id id);

/*
 * Make known what follows: features of an MSR, of MWAIT or of leaf 0xD that nothing announces are absent.
 * Unknown ones of MSRs that no CPUID bit announces are left unknown; the checks ask for none of
 * those, since KVM emulates such an MSR itself.
 */
void evc_check_settle(struct evc_cpu *cpu);

/* evc_cpu_fits without what does not stop a move: see check_fit.c.  The misfit keeps hides. */
enum evc_verdict evc_check_fits(const struct evc_cpu *guest, const struct evc_cpu *host,
                                struct evc_misfit *ret_misfit);

/*
 * The same of a guest that was started on from (NULL: on a host that is like it).  What is not
 * known of it is no obstacle on a host of from's kind.
 */
enum evc_verdict evc_check_fits_from(const struct evc_cpu *guest, const struct evc_cpu *from,
                                     const struct evc_cpu *host, struct evc_misfit *ret_misfit);

/*
 * The same cpu, or one of the same vendor, signature and microcode, which must be known, of which in what is
 * asked the same is known and the same is not.
 */
bool evc_check_same_kind(const struct evc_set *asked, const struct evc_cpu *a, const struct evc_cpu *b);

/* Do two clocks, of any one unit, differ by more than KVM lets a guest's run beside the host's without
 * scaling? */
bool evc_check_clocks_apart(uint64_t a, uint64_t b);

/* False for what is in an MSR that the guest is known not to have. */
bool evc_check_cares(const struct evc_cpu *guest, enum evc_feature_id id);

/* The features that evc_check_fits asks for. */
void evc_check_asked(struct evc_set *ret_set);

/* May the guest move to the host?  Findings are added; their verdict is the one returned. */
enum evc_verdict evc_check_move(const struct evc_check_side *guest, const struct evc_check_side *host,
                                const struct evc_check_options *options, struct evc_findings *findings);

/*
 * May the host join a cluster at the mode?  In this order: readable, vendor known, vendor right,
 * features.  Adds findings; version 0 means the first.
 */
enum evc_verdict evc_check_join(const struct evc_mode *mode, unsigned version,
                                const struct evc_check_side *host, const struct evc_check_options *options,
                                struct evc_findings *findings);

/* The host with the fewest misfits, those that do not block counted less; n when none is readable. */
size_t evc_check_nearest(const struct evc_check_side *guest, const struct evc_check_side *hosts, size_t n);

/* Does the feature say that a flaw, or the cure of one, is not the CPU's own? */
bool evc_check_is_immunity(enum evc_feature_id id);

/* Why the host probably has not the feature. other: a side that has it, NULL: none. */
enum evc_cause evc_check_cause(const struct evc_check_side *host, enum evc_feature_id id,
                               const struct evc_check_side *other, const struct evc_check_options *options);

#endif
