/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_PROBE_GUEST_H
#define EVC_GUEST_PROBE_GUEST_H

/*
 * Guests under QEMU with a given virtual CPU, asked from inside what they see, and ended.  The probe guest is
 * a Linux kernel whose only program is ours; the bare guest is our program alone, as a kernel, and reads
 * MSRs.  The program also runs as it is on this machine, for guests that are already there.
 */

#include "base/arena.h"
#include "base/error.h"
#include "core/probe.h"

struct evc_probe_guest {
	bool bare;                    /* without Linux */
	const char *name;             /* what to call the guest; NULL: "guest" */
	const char *qemu;             /* program; NULL: qemu-system-x86_64 */
	const char *accel;            /* "tcg" or "kvm" */
	const char *kernel;           /* NULL: evc_probe_kernel finds one */
	const char *const *arguments; /* -machine, -cpu, -smp ... as QEMU takes them, ends with NULL */
	const char *append;           /* more of the kernel's command line; NULL: nothing */
	unsigned timeout_ms;          /* for all of it; 0: a minute */
};

struct evc_probe_answer {
	struct evc_probe probe; /* when error.code is EVC_OK */
	struct evc_error error; /* else why there is no answer */
};

/*
 * Start it, wait until it has answered or the time is over; QEMU has ended when this returns, whatever
 * happened.  EVC_ERR_UNSUPPORTED: no QEMU or no kernel; EVC_ERR_IO: QEMU refused or the guest did not answer,
 * and err says what QEMU said.
 */
int evc_probe_guest_run(const struct evc_probe_guest *guest, struct evc_arena *arena,
                        struct evc_probe *ret_probe, struct evc_error *err);

/*
 * The same with n guests, at most at_once at a time; ended (may be NULL) is called after each with how many
 * have ended.  Fails on memory only: why one did not answer is in its ret_answers.
 */
typedef void evc_probe_ended(void *context, size_t n_ended);
int evc_probe_guests_run(const struct evc_probe_guest *guests, size_t n, unsigned at_once,
                         struct evc_arena *arena, struct evc_probe_answer *ret_answers,
                         evc_probe_ended *ended, void *context, struct evc_error *err);

/*
 * The kernel to boot: the wanted one (NULL: none named), $EVC_KERNEL, $XDG_CACHE_HOME/openevc/vmlinuz
 * (~/.cache without it), /boot/vmlinuz of the running kernel, the newest /boot/vmlinuz-*.  The first that is
 * named must be readable.  EVC_ERR_UNSUPPORTED says how to get one.
 */
int evc_probe_kernel(const char *wanted, struct evc_arena *arena, const char **ret_path,
                     struct evc_error *err);

/* The same program on this machine, as a process of its own that may die or be killed and is always reaped.
 */
int evc_probe_here(const char *name, unsigned timeout_ms, struct evc_arena *arena,
                   struct evc_probe *ret_probe, struct evc_error *err);

#endif
