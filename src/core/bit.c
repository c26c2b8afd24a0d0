/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/bit.h"

#include <stdio.h>

const char *evc_reg_name(enum evc_reg reg)
{
	static const char *const names[] = {
		[EVC_EAX] = "eax", [EVC_EBX] = "ebx", [EVC_ECX] = "ecx", [EVC_EDX] = "edx", [EVC_MSR] = "msr",
	};

	return names[reg];
}

char *evc_bit_format(struct evc_bit bit, char buf[static EVC_BIT_TEXT])
{
	char bits[12];

	if (bit.hi == bit.lo)
		snprintf(bits, sizeof(bits), "[%u]", bit.lo);
	else
		snprintf(bits, sizeof(bits), "[%u:%u]", bit.hi, bit.lo);
	if (bit.reg == EVC_MSR)
		snprintf(buf, EVC_BIT_TEXT, "msr:%x%s", bit.leaf, bits);
	else
		snprintf(buf, EVC_BIT_TEXT, "%x.%x:%s%s", bit.leaf, bit.subleaf, evc_reg_name(bit.reg), bits);
	return buf;
}
