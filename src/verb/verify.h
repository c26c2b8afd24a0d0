/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_VERIFY_H
#define EVC_VERB_VERIFY_H

/* A proof: guests run at a mode on this machine, and what they see held against what was predicted. */

#include "core/compare.h"
#include "core/offer.h"
#include "guest/micro.h"
#include "guest/probe_guest.h"
#include "text/target.h"
#include "verb/verb.h"

#include <jansson.h>

enum evc_verify_state {
	EVC_VERIFY_HELD,     /* all as predicted */
	EVC_VERIFY_BROKEN,   /* something is not */
	EVC_VERIFY_UNTESTED, /* could not be tried */
	EVC_VERIFY_FOREIGN,  /* the mode is another vendor's than the host: nothing to try */
};

/* One way of looking: the micro-VM or the probe guest. */
struct evc_verify_part {
	const char *name;
	bool asked; /* the user wants it and it makes sense here */
	enum evc_verify_state state;
	const char *why; /* of EVC_VERIFY_UNTESTED, "" otherwise */
	struct evc_comparison comparison;
	const char *how; /* "569 instructions, 584 VM exits", "" when not tried */
};

enum { EVC_VERIFY_MICRO, EVC_VERIFY_INSIDE, EVC_N_VERIFY_PARTS };

/* What came of one mode. */
struct evc_verify_proof {
	const struct evc_mode *mode;
	unsigned version;
	enum evc_verify_state state;
	struct evc_dump vcpu;   /* predicted */
	struct evc_set wanted;  /* the version's features */
	struct evc_set proved;  /* of them seen by every part that was tried */
	struct evc_set reduced; /* of them not shown here: the host, KVM or TCG lacks them */
	struct evc_verify_part parts[EVC_N_VERIFY_PARTS];
	struct evc_findings findings;
};

/* What all modes have in common. */
struct evc_verify {
	struct evc_arena *arena;
	struct evc_modes modes;
	struct evc_host here;        /* this machine, captured */
	struct evc_host host;        /* whose guests are predicted: here, or that of --host */
	bool other_host;             /* they are not the same */
	struct evc_offer offer;      /* of host */
	struct evc_offer offer_here; /* of here; through KVM's own answer when there is one */
	enum evc_accel accel;        /* of the probe guest */
	const char *no_kvm;          /* why KVM cannot be used, "" when it can */
	enum evc_verdict trusted;    /* does KVM here keep to masks? */
	bool micro, inside;          /* wanted */
	unsigned qemu;               /* version; 0: there is none */
	const char *kernel;          /* of the probe guest; NULL: one is found */
	const char *machine;         /* its machine type; NULL: the newest pc-q35 of this QEMU */
};

/* Try one mode; version 0: the newest that the host has.  Fails on memory only. */
int evc_verify_mode(const struct evc_verify *verify, const struct evc_mode *mode, unsigned version,
                    struct evc_verify_proof *ret_proof, struct evc_error *err);

void evc_verify_report(const struct evc_verify *verify, const struct evc_verify_proof *proof,
                       struct evc_sink *out);
void evc_verify_table(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n,
                      struct evc_sink *out);
/* One line on all proofs. */
void evc_verify_summary(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n,
                        struct evc_sink *out);
json_t *evc_verify_json(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n);

void evc_verify_cost_report(const struct evc_micro_cost *cost, struct evc_sink *out);
json_t *evc_verify_cost_json(const struct evc_micro_cost *cost);

#endif
