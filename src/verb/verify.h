/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_VERIFY_H
#define EVC_VERB_VERIFY_H

/* A proof: guests run at a mode on this machine, and what they see held against what was predicted. */

#include "core/compare.h"
#include "core/offer.h"
#include "core/probe.h"
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

/* Ways of looking. */
enum evc_verify_way {
	EVC_VERIFY_MICRO,  /* the micro-VM: KVM alone */
	EVC_VERIFY_BARE,   /* the bare guest: QEMU, and nothing in the guest but our program */
	EVC_VERIFY_INSIDE, /* the probe guest: QEMU and a Linux kernel */
	EVC_N_VERIFY_WAYS,
};

extern const struct evc_verify_word {
	const char *name, *title; /* "micro": the option and the JSON; "micro-VM": said to people */
} evc_verify_ways[EVC_N_VERIFY_WAYS];

/* What came of one of them. */
struct evc_verify_part {
	bool asked; /* the user wants it */
	enum evc_verify_state state;
	const char *why; /* of EVC_VERIFY_UNTESTED, "" otherwise */
	bool impossible; /* of EVC_VERIFY_UNTESTED: this machine has not what it needs; nothing was tried */
	struct evc_comparison comparison;
	const char *how; /* "569 instructions, 584 VM exits", "" when not tried */
	/* The guest's answer, and its CPU, where it also executed instructions; else NULL. */
	const struct evc_probe *probe;
	const struct evc_cpu *cpu;
};

/* What came of one mode. */
struct evc_verify_proof {
	const struct evc_mode *mode;
	unsigned version;
	enum evc_verify_state state;
	struct evc_dump vcpu;   /* predicted */
	struct evc_set wanted;  /* the version's features */
	struct evc_set proved;  /* of them seen by every part that was tried */
	struct evc_set reduced; /* of them not shown here: the host, KVM or TCG lacks them */
	struct evc_verify_part parts[EVC_N_VERIFY_WAYS];
	struct evc_findings findings;
};

/* What all modes have in common. */
struct evc_verify {
	struct evc_arena *arena;
	struct evc_modes modes;
	struct evc_host here;         /* this machine, captured */
	struct evc_host host;         /* whose guests are predicted: here, or that of --host */
	bool other_host;              /* they are not the same */
	struct evc_offer offer;       /* of host */
	struct evc_offer offer_here;  /* of here; through KVM's own answer when there is one */
	enum evc_accel accel;         /* of the probe guest */
	const char *no_kvm;           /* why KVM cannot be used, "" when it can */
	enum evc_verdict trusted;     /* does KVM here keep to masks? */
	bool ways[EVC_N_VERIFY_WAYS]; /* wanted */
	bool named;                   /* by name, so that each must be tried; else those that are possible */
	unsigned qemu;                /* version; 0: there is none */
	const char *kernel;           /* of the probe guest; NULL: one is found */
	const char *machine;          /* of QEMU; NULL: its newest pc-q35 */
	/* Called when one of n guests has ended; NULL: nobody looks. */
	void (*progress)(void *context, size_t n_ended, size_t n);
	void *context;
};

/*
 * Try the modes that proofs name (version 0: the newest that the host has), and fill in the rest.
 * Fails on memory only.
 */
int evc_verify_modes(const struct evc_verify *verify, struct evc_verify_proof *proofs, size_t n,
                     struct evc_error *err);

/* Its guests under QEMU, which are run side by side. */
int evc_verify_guests(const struct evc_verify *verify, struct evc_verify_proof *proofs, size_t n,
                      struct evc_error *err);

/* What is predicted for a guest of the mode that is looked at in this way. */
int evc_verify_predict(const struct evc_verify *verify, const struct evc_verify_proof *proof,
                       enum evc_verify_way way, struct evc_dump *ret_dump, struct evc_error *err);

/* What the mode wants and this vCPU does not have, named once a proof. */
void evc_verify_reduce(const struct evc_verify *verify, struct evc_verify_proof *proof,
                       const struct evc_dump *dump, const char *who);

/* The verdict of a part from the findings that were added since first. */
void evc_verify_conclude(const struct evc_verify_proof *proof, struct evc_verify_part *part, size_t first);
void evc_verify_cannot(struct evc_verify_part *part, bool impossible, const char *why);

/* "amd-zen@1" */
const char *evc_verify_name(const struct evc_verify *verify, const struct evc_verify_proof *proof);

void evc_verify_report(const struct evc_verify *verify, const struct evc_verify_proof *proof,
                       struct evc_sink *out);
void evc_verify_table(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n,
                      struct evc_sink *out);
/* One line on all proofs. */
void evc_verify_summary(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n,
                        struct evc_sink *out);
json_t *evc_verify_json(const struct evc_verify *verify, const struct evc_verify_proof *proofs, size_t n);

/*
 * Instructions that a guest at the mode is not shown and can execute: by name, with what could stop them.
 * They are no difference, since CPUID is what was predicted.
 */
void evc_verify_leaks_report(const struct evc_verify_proof *proof, struct evc_sink *out);
/* How many; -1: no guest executed any. */
int evc_verify_leaks_count(const struct evc_verify_proof *proof);
/* Of all modes, each once, with how many modes it leaks at. */
void evc_verify_leaks_summary(const struct evc_verify_proof *proofs, size_t n, struct evc_sink *out);
/* Those of one guest, as evc observe has them; NULL: it executed none.  New reference. */
json_t *evc_verify_leaks_json(const struct evc_verify_part *part);

void evc_verify_cost_report(const struct evc_micro_cost *cost, struct evc_sink *out);
json_t *evc_verify_cost_json(const struct evc_micro_cost *cost);

#endif
