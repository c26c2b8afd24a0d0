/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_GIVEN_H
#define EVC_GUEST_GIVEN_H

/*
 * What a guest was given, asked of its QEMU from outside: the properties of its vCPUs, its machine,
 * and the dump that follows from them (text/qom.h).  Nothing of the guest is touched, and it need not run:
 * the values are final as soon as QEMU answers, also with -S and with -incoming defer.
 */

#include "core/dump.h"
#include "guest/qmp.h"

struct evc_given_cpu {
	const char *path; /* of its object, "/machine/unattached/device[0]" */
	const char *type; /* "base-x86_64-cpu" */
	/*
	 * Every property of the CPU's model by name, as QEMU prints it, and "feature-words".  Two CPUs show a
	 * guest the same CPUID, apart from their places, if these are equal and QEMU's versions are.
	 */
	json_t *properties;
	json_t *unavailable; /* array: features that were asked for and that the accelerator lacks */
	size_t n_alike;      /* vCPUs that are so, at least 1 */
	struct evc_dump dump;
};

struct evc_given {
	const char *qemu;    /* "7.2.22" */
	const char *name;    /* by -name, "" when none */
	const char *uuid;    /* "" when none */
	const char *status;  /* "running", "prelaunch", "inmigrate", ... */
	const char *machine; /* "pc-q35-7.2" */
	const char *accel;   /* "kvm", "tcg", "" when neither */
	bool encrypted;      /* SEV */
	uint64_t memory;     /* bytes, what was plugged in later included */
	json_t *topology;    /* QEMU's "smp": cpus, maxcpus, sockets, dies, cores, threads */
	size_t n_vcpus;
	uint32_t tsc_khz;           /* of the first vCPU, 0 when not told */
	struct evc_given_cpu *cpus; /* kinds, the first vCPU's first */
	size_t n_cpus;
};

/* How much is asked. */
enum evc_given_wanted {
	EVC_GIVEN_ALL,
	EVC_GIVEN_COMPARED, /* what core/plan.h compares: no name, no UUID, nothing of how QEMU came to its
	                       values */
};

/*
 * Ask.  Texts and dumps live in arena; JSON values until evc_given_free.  Fails as evc_qmp_call does, and
 * with EVC_ERR_UNSUPPORTED for a guest that is not x86.
 */
int evc_given_read(struct evc_qmp *qmp, enum evc_given_wanted wanted, struct evc_arena *arena,
                   struct evc_given *ret_given, struct evc_error *err);

/* Add what a guest under KVM has of its host, which is this machine: size and place of its states. */
int evc_given_add_host(struct evc_given *given, struct evc_arena *arena, struct evc_error *err);

void evc_given_free(struct evc_given *given);

/* The guest as a host, which checks and formats take; borrows from given and its arena. */
int evc_given_host(const struct evc_given *given, const char *name, struct evc_arena *arena,
                   struct evc_host *ret_host, struct evc_error *err);

/* Machine, vCPUs and their properties as JSON, for programs and records; a new reference. */
json_t *evc_given_json(const struct evc_given *given);

#endif
