/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_RUN_CHECK_H
#define EVC_VERB_RUN_CHECK_H

/* What evc run does not take, each with its reason: all are EVC_ERR_USAGE. */

#include "base/error.h"
#include "text/target.h"

/* Options of QEMU that would undo what evc run is for. */
int evc_run_check_options(const char *const *words, size_t n, struct evc_error *err);

/* A machine type whose meaning changes with QEMU's version: a guest with it cannot be moved to another one.
 */
int evc_run_check_machine(const char *machine, struct evc_error *err);

/* Of properties beside the mode only the hypervisor's interfaces and the clock, and only where KVM gives
 * them. */
int evc_run_check_with(const char *const *values, size_t n, enum evc_accel accel, struct evc_error *err);

#endif
