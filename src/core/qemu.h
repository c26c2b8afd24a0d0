/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_QEMU_H
#define EVC_CORE_QEMU_H

/*
 * What a QEMU can put on a -cpu line (data/qemu.txt).  Versions are 100 * major + minor, so that
 * they compare; what a property is called is evc_feature_name_in(id, "qemu").
 */

#include "base/span.h"
#include "core/set.h"

enum {
	EVC_QEMU_OLDEST = 702, /* the oldest that we write for */
};

struct evc_qemu_property {
	uint16_t since;               /* 0: no QEMU has a property for it */
	uint16_t tcg_first, tcg_last; /* releases whose TCG can show it, 0: none */
	uint16_t libvirt;             /* oldest libvirt known to name it, 0: none */
	uint16_t nested;              /* passes to guests that run guests since, 0: never, or as all else */
};

/* A property that takes the place of a machine type's default. */
struct evc_qemu_pin {
	const char *name, *value;
	uint16_t since;
};

/* The libvirt that is taken to run a QEMU of this version and newer; by version. */
struct evc_qemu_libvirt {
	uint16_t qemu, libvirt;
};

/* Indexed by enum evc_feature_id. */
extern const struct evc_qemu_property evc_qemu_properties[EVC_N_FEATURES];
extern const struct evc_qemu_pin evc_qemu_pins[];
extern const size_t evc_n_qemu_pins;
extern const struct evc_qemu_libvirt evc_qemu_libvirts[];
extern const size_t evc_n_qemu_libvirts;

extern const struct evc_set evc_qemu_supplied; /* the hypervisor gives it, whatever the mode */
extern const struct evc_set
	evc_qemu_kvm_supplied;                  /* of these, what only KVM gives, in registers of its own */
extern const struct evc_set evc_qemu_automatic; /* decided by QEMU or the guest, never asked for */
extern const struct evc_set evc_qemu_unmigratable; /* keeps a guest from being migrated */
extern const struct evc_set evc_qemu_libvirt_base; /* what the model kvm64 has */

/* "7.2.22" or "10.0": 702, 1000; false when it is none. */
bool evc_qemu_version(const char *text, unsigned *ret_version);

/* Of the MSRs of VMX: does this QEMU pass it to a guest that may run guests? */
bool evc_qemu_passes_nested(enum evc_feature_id id, unsigned version);

/* Has this QEMU a property for it; can its TCG show it?  Between two releases that were tried: no. */
bool evc_qemu_names(enum evc_feature_id id, unsigned version);
bool evc_qemu_tcg_shows(enum evc_feature_id id, unsigned version);

/* The libvirt that is taken to run this QEMU where nobody says. */
unsigned evc_qemu_usual_libvirt(unsigned version);

/* Has this libvirt a name for the feature?  KVM's own leaves are not CPU features to libvirt. */
bool evc_libvirt_names(enum evc_feature_id id, unsigned libvirt);

#endif
