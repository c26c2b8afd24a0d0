/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/hypervisor.h"

#include <stddef.h>
#include <string.h>

/*
 * Signatures are a convention and not a rule: KVM shows another one where a guest asked for
 * Hyper-V's leaves, and a guest's owner may set any.
 */
static const struct {
	const char *signature;
	const char *name;
} names[] = {
	{ .signature = "KVMKVMKVM", .name = "KVM" },
	{ .signature = "Linux KVM Hv", .name = "KVM with Hyper-V's interface" },
	{ .signature = "TCGTCGTCGTCG", .name = "QEMU without KVM (TCG)" },
	{ .signature = "VMwareVMware", .name = "VMware" },
	{ .signature = "Microsoft Hv", .name = "Microsoft Hyper-V" },
	{ .signature = "XenVMMXenVMM", .name = "Xen" },
	{ .signature = "VBoxVBoxVBox", .name = "VirtualBox" },
	{ .signature = "bhyve bhyve ", .name = "bhyve" },
	{ .signature = "OpenBSDVMM58", .name = "OpenBSD vmm" },
	{ .signature = "ACRNACRNACRN", .name = "ACRN" },
	{ .signature = "prl hyperv  ", .name = "Parallels" },
	{ .signature = " lrpepyh  vr", .name = "Parallels" },
	{ .signature = "QNXQVMBSQG", .name = "QNX" },
	{ .signature = "Jailhouse", .name = "Jailhouse" },
	{ .signature = "VirtualApple", .name = "Apple Rosetta" },
	{ .signature = "MicrosoftXTA", .name = "Microsoft's x86 on Arm" },
	{ .signature = "___ NVMM ___", .name = "NetBSD NVMM" },
	{ .signature = "HAXMHAXMHAXM", .name = "Intel HAXM" },
	{ .signature = "EVMMEVMMEVMM", .name = "Intel KGT" },
	{ .signature = "UnisysSpar64", .name = "Unisys s-Par" },
	{ .signature = "SRESRESRESRE", .name = "Lockheed Martin LMHS" },
	{ .signature = "NoirVisor ZT", .name = "NoirVisor" },
};

const char *evc_hypervisor_name(const char *signature)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].signature, signature))
			return names[i].name;
	return NULL;
}
