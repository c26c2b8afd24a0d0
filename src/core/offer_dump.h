/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_OFFER_DUMP_H
#define EVC_CORE_OFFER_DUMP_H

/* The inside of core/offer.h: an answer of KVM and QEMU, written as a guest's dump. */

#include "core/kvm_rules.h"

/* One offer in the making. */
struct evc_offer_work {
	const struct evc_host *host;
	const struct evc_cpu *raw; /* the host, all kinds of CPU merged */
	struct evc_kvm_machine machine;
	struct evc_kvm_answer answer;
	const struct evc_dump *fields; /* the dump whose fields pass */
	struct evc_dump_reader from_fields, from_host;
	uint32_t components; /* XSAVE components that may be offered */
	struct evc_dump_builder builder;
	bool assumed_kernel, assumed_qemu; /* nobody said: the newest known */
};

/* Write the answer as the dump that a guest would take. 0, EVC_ERR_LIMIT or EVC_ERR_MEMORY. */
int evc_offer_write(struct evc_offer_work *work, struct evc_arena *arena, struct evc_dump *ret_dump,
                    struct evc_error *err);

#endif
