/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_GIVEN_PRIVATE_H
#define EVC_GUEST_GIVEN_PRIVATE_H

/* What the files that ask a QEMU for its guest share. */

#include "guest/given.h"

/* qom-get */
struct evc_qmp_question evc_given_get(const char *path, const char *property);

/* Values of properties of one object, by name; those that QEMU refuses are left out. */
int evc_given_ask_properties(struct evc_qmp *qmp, const char *path, const json_t *names, json_t *values,
                             struct evc_error *err);

/*
 * Every property that says what CPU the guest was given, as an object; null for those that nobody needs to
 * ask for.  listing is qom-list's answer for that path (NULL: it is asked).
 */
int evc_given_ask_cpu(struct evc_qmp *qmp, const char *path, json_t *listing, bool kvm,
                      enum evc_given_wanted wanted, json_t **ret_values, struct evc_error *err);

#endif
