/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_QEMU_ARGS_H
#define EVC_TEXT_QEMU_ARGS_H

/* QEMU's command line, read: an option is "-name" or "--name", most take the next word as their value. */

#include "base/arena.h"

enum { EVC_QEMU_MAX_QMP = 8 }; /* QMP sockets of one QEMU that are looked at */

/*
 * The next of the words from *at on that is this option: its value, "" for a last word, and *at behind it.
 * NULL when there is none.
 */
const char *evc_qemu_args_next(const char *const *words, size_t n, const char *option, size_t *at);

/*
 * Another command line made of one: options of the names in drop (NULL at the end) are left out, and each
 * option of more takes the place of all of its name.  Texts are borrowed.  Returns the new words with NULL at
 * the end, or NULL when there is no memory; a word that is no option stays where it is.
 */
const char **evc_qemu_args_change(const char *const *words, size_t n, const char *const *drop,
                                  const char *const *more, size_t n_more, struct evc_arena *arena,
                                  size_t *ret_n);

/*
 * The value of a key in "key=value,key=value", where ",," stands for a comma; the first part is the
 * value of the implied key (may be NULL) when it has no "=".  NULL when the key is not there; a key without a
 * value has "on".
 */
const char *evc_qemu_args_key(struct evc_arena *arena, const char *value, const char *key,
                              const char *implied);

/*
 * Addresses (text/qmp.h) of the sockets where a QEMU with this command line speaks QMP: of -qmp,
 * -qmp-pretty, and -mon with its -chardev.  At most EVC_QEMU_MAX_QMP, the number is returned.  Those that it
 * was given as a descriptor, as libvirt does, have no address.
 */
size_t evc_qemu_args_qmp(const char *const *words, size_t n, struct evc_arena *arena,
                         const char *ret_addresses[static EVC_QEMU_MAX_QMP]);

#endif
