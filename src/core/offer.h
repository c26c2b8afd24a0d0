/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_OFFER_H
#define EVC_CORE_OFFER_H

/*
 * The offer: what a host's KVM and QEMU can show a guest.  Never the raw CPUID of the host: KVM
 * hides much, adds some (x2apic, tsc-adjust), and QEMU passes only what it has a name for.
 *
 * Where the host was captured together with KVM's own answer, that is the offer ("measured");
 * otherwise data/kvm.txt predicts it from raw CPUID, MSRs, kernel and QEMU version
 * ("predicted").  A bit whose rule changed between the trees we know, or hangs on a switch that
 * is not known, is unknown in the offer: never a yes.
 *
 * A dump taken inside a guest is taken as it is ("given"): it shows what that guest was given.
 */

#include "core/cpu.h"
#include "core/dump.h"
#include "core/finding.h"

enum evc_offer_basis {
	EVC_OFFER_MEASURED,
	EVC_OFFER_PREDICTED,
	EVC_OFFER_GIVEN,
};

/* How to look at a host. */
enum evc_offer_view {
	EVC_VIEW_AUTO, /* a guest's dump as given, a host's through KVM */
	EVC_VIEW_KVM,  /* always through KVM and QEMU */
	EVC_VIEW_RAW,  /* as given */
};

struct evc_offer_options {
	enum evc_offer_view view;
	const char *kernel;  /* uname -r or "6.12", NULL: the capture's, else the newest tree known */
	const char *qemu;    /* "7.2", NULL: the capture's, else the newest known */
	const char *options; /* "nested=0 ept=1", NULL: the capture's, else the module's defaults */
	bool nested;         /* VMX and SVM are part of the offer; plain guests are not given them */
};

struct evc_offer {
	struct evc_dump dump;   /* leaves of the offer; unknown bits are not known in it */
	struct evc_cpu cpu;     /* the dump decoded, all kinds of CPU of the host merged */
	struct evc_cpu silicon; /* the host itself decoded, all kinds merged */
	enum evc_offer_basis basis;
	const char *kernel_tree; /* "6.1.187", or "6.1.4..6.1.187" when it may be any; "" unless predicted */
	const char *qemu_tree;
	const char *
		assumed; /* what nobody said and was taken as the newest known, a sentence; "" when nothing */
};

/*
 * The offer of a host.  A damaged host gives an offer in which nothing is known; its own error says why.
 * When nobody names the kernel or QEMU, the newest known are assumed and one EVC_NOTE says so.  KVM's own
 * answer takes no kernel. findings may be NULL.  Fails on memory and on options that make no sense.
 */
int evc_offer_make(const struct evc_host *host, const struct evc_offer_options *options,
                   struct evc_arena *arena, struct evc_offer *ret_offer, struct evc_findings *findings,
                   struct evc_error *err);

/*
 * Why a feature that the raw cpu may have is not in the offer: KVM never offers it, this kernel
 * does not yet, an option, QEMU.  EVC_CAUSE_NONE when the offer has it.
 */
enum evc_cause evc_offer_cause(const struct evc_host *host, const struct evc_offer_options *options,
                               const struct evc_offer *offer, enum evc_feature_id id);

#endif
