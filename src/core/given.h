/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_GIVEN_H
#define EVC_CORE_GIVEN_H

/* Which mode a guest was given, told from what it sees; and whether it sees what a mode promises. */

#include "core/finding.h"
#include "core/mode.h"

enum evc_given_fit {
	EVC_GIVEN_NOTHING, /* no mode has its signature */
	EVC_GIVEN_LIKE,    /* a mode's signature, but more or less than the mode */
	EVC_GIVEN_EXACTLY, /* signature, highest leaves, and every feature: no more and no less */
};

struct evc_given {
	enum evc_given_fit fit;
	const struct evc_mode *mode; /* NULL for EVC_GIVEN_NOTHING */
	unsigned version;            /* 0: not even the first */
	struct evc_set more, less; /* single bits that the guest has beyond, and that it lacks of the first */
};

/*
 * The mode that fits best; of those that fit equally well the one with the fewest bits more and less.  cpu is
 * the dump decoded.  What QEMU and the guest's kernel set whatever the mode does not count as more.
 */
void evc_given_find(const struct evc_modes *modes, const struct evc_dump *dump, const struct evc_cpu *cpu,
                    struct evc_given *ret_given);

/*
 * Does the guest see what the mode promises, leaf by leaf?  version 0: the newest that it has all of.
 * Each thing that it lacks, sees beyond it or sees otherwise is a finding about subject.
 */
int evc_given_expect(const struct evc_modes *modes, const struct evc_mode *mode, unsigned version,
                     const struct evc_host *guest, const char *subject, struct evc_arena *arena,
                     struct evc_findings *findings, enum evc_verdict *ret_verdict, struct evc_error *err);

#endif
