/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_MODES_H
#define EVC_HOST_MODES_H

/* Users' own modes: files of this machine, in the form of text/modes.h. */

#include "text/modes.h"

/*
 * The built-in modes, then those of all files *.modes in /etc/evc/modes.d and in evc/modes.d below
 * $XDG_CONFIG_HOME (else below .config of $HOME), sorted by name within each folder.  A folder that is not
 * there is none; a file that cannot be read or is wrong is an error with its place.
 */
int evc_modes_read(struct evc_arena *arena, struct evc_modes *ret_modes, struct evc_error *err);

/* Add those of one folder. */
int evc_modes_read_folder(const char *folder, struct evc_arena *arena, struct evc_modes *modes,
                          struct evc_error *err);

#endif
