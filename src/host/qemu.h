/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_QEMU_H
#define EVC_HOST_QEMU_H

/* The QEMU of this machine: which program, and its version. */

#include "base/arena.h"
#include "base/error.h"

struct evc_qemu_program {
	const char *path;
	const char *version; /* "7.2.22" */
};

/*
 * Find QEMU: name in PATH or as a path, NULL for what distributions call it.  Its version is asked of the
 * program, which takes as long as a small start of it, and remembered in the file cache (NULL: none) until
 * the program changes. EVC_ERR_UNSUPPORTED when there is none, EVC_ERR_IO when it does not say its version.
 */
int evc_qemu_program(const char *name, const char *cache, struct evc_arena *arena,
                     struct evc_qemu_program *ret_program, struct evc_error *err);

#endif
