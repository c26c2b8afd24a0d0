/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_PROBE_GUEST_H
#define EVC_GUEST_PROBE_GUEST_H

/*
 * The probe guest: a Linux kernel whose only program is ours, started under QEMU with a given
 * virtual CPU, asked from inside what it sees, and ended.  The program also runs as it is on this
 * machine, for guests that are already there.
 */

#include "base/arena.h"
#include "base/error.h"
#include "core/probe.h"

struct evc_probe_guest {
	const char *name;             /* what to call the guest; NULL: "guest" */
	const char *qemu;             /* program; NULL: qemu-system-x86_64 */
	const char *accel;            /* "tcg" or "kvm" */
	const char *kernel;           /* NULL: evc_probe_kernel finds one */
	const char *const *arguments; /* -machine, -cpu, -smp ... as QEMU takes them, ends with NULL */
	unsigned timeout_ms;          /* for all of it; 0: a minute */
};

/*
 * Start it, wait until it has answered or the time is over; QEMU has ended when this returns, whatever
 * happened.  EVC_ERR_UNSUPPORTED: no QEMU or no kernel; EVC_ERR_IO: QEMU refused or the guest did not answer,
 * and err says what QEMU said.
 */
int evc_probe_guest_run(const struct evc_probe_guest *guest, struct evc_arena *arena,
                        struct evc_probe *ret_probe, struct evc_error *err);

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
