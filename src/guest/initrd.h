/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_INITRD_H
#define EVC_GUEST_INITRD_H

/* A first file system for Linux: an archive of the form "newc" of cpio. */

#include "base/sink.h"

#include <stddef.h>

struct evc_initrd_file {
	const char *path; /* without a leading slash; its folders come before it */
	const void *data; /* NULL: a folder */
	size_t size;
	unsigned mode; /* permissions, 0755 */
};

/* Append the archive, its end included. */
void evc_initrd_write(const struct evc_initrd_file *files, size_t n, struct evc_sink *out);

/* That of the probe guest: its init and the folders that it mounts things on. */
void evc_initrd_probe(struct evc_sink *out);

/* The probe program itself, a static executable for any Linux on x86-64. */
extern const unsigned char evc_probe_program[];
extern const size_t evc_probe_program_size;

/* The same as a kernel of its own, started by the note that Xen's PVH guests have: the bare guest. */
extern const unsigned char evc_bare_program[];
extern const size_t evc_bare_program_size;

#endif
