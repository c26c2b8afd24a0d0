/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_HOST_KVM_H
#define EVC_HOST_KVM_H

/* What /dev/kvm of this machine says that it can show a guest, and whether it keeps its word. */

#include "core/dump.h"
#include "core/finding.h"
#include "core/set.h"

struct evc_kvm {
	struct evc_dump supported; /* KVM_GET_SUPPORTED_CPUID and the feature MSRs */
	struct evc_dump emulated;  /* KVM_GET_EMULATED_CPUID */
	bool has_emulated;
	uint32_t tsc_khz;          /* of a vCPU, 0 when not known */
	enum evc_verdict trusted;  /* does a vCPU show what it was given? */
	struct evc_set overridden; /* features shown though they were masked, when not trusted */
};

/*
 * Ask KVM; memory from arena.  EVC_ERR_UNSUPPORTED when there is no /dev/kvm, EVC_ERR_IO when it
 * may not be opened or refuses.
 */
int evc_kvm_read(struct evc_arena *arena, struct evc_kvm *ret_kvm, struct evc_error *err);

/*
 * Give a vCPU a CPUID from which every feature of the structured feature leaves and most of leaf 1
 * are masked, and read back what it shows.  EVC_YES: what was given; EVC_NO: this KVM shows more,
 * ret_overridden says what, so no level can be trusted here; EVC_UNKNOWN: it could not be tried,
 * err says why.
 */
enum evc_verdict evc_kvm_trusted(struct evc_arena *arena, struct evc_set *ret_overridden,
                                 struct evc_error *err);

/* An open /dev/kvm that speaks the interface we know; the caller closes it.  Fails as evc_kvm_read does. */
int evc_kvm_open(int *ret_fd, struct evc_error *err);

/*
 * A list of CPUID leaves of KVM or of a vCPU (KVM_GET_SUPPORTED_CPUID, KVM_GET_CPUID2) as a dump in which
 * what is not listed is zero.  name is the request's, for errors.
 */
int evc_kvm_cpuid(int fd, unsigned long request, const char *name, struct evc_arena *arena,
                  struct evc_dump *ret_dump, struct evc_error *err);

#endif
