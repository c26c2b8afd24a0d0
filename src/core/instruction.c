/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/instruction.h"

size_t evc_instruction_find(struct evc_span name)
{
	for (size_t i = 0; i < evc_n_instructions; i++)
		if (evc_span_equals(name, evc_instructions[i].name))
			return i;
	return evc_n_instructions;
}

const char *evc_control_kind_name(enum evc_control_kind kind)
{
	switch (kind) {
	case EVC_CONTROL_XCR0:
		return "xcr0";
	case EVC_CONTROL_CR4:
		return "cr4";
	case EVC_CONTROL_MSR:
		return "msr";
	case EVC_CONTROL_VMX:
		return "vmx";
	case EVC_CONTROL_SVM:
		return "svm";
	}
	return "";
}
