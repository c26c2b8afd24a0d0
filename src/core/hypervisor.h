/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_HYPERVISOR_H
#define EVC_CORE_HYPERVISOR_H

/* Hypervisors by the twelve characters that leaf 0x40000000 shows. */

/* "VMware" of "VMwareVMware"; NULL for a signature that nobody named yet. */
const char *evc_hypervisor_name(const char *signature);

#endif
