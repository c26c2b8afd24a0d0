/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hiding a feature is asking programs not to use it.
 *
 * CPUID is a statement.  The CPU executes PSHUFB whether the hypervisor's answer to CPUID mentions
 * SSSE3 or not; masking is a system of honour, and works because compilers and libraries keep to it.
 * A program that does not (it was built for the machine it was built on, or tries and catches the
 * signal) uses the hidden instruction, and dies when the guest has moved to a host without it.
 *
 * Some instructions obey more than CPUID.  A control is what can make them fail:
 *
 *   XCR0      states that XSAVE may not save may not be used: AVX, AVX-512, AMX.  The hypervisor
 *             decides which of them the guest may switch on.
 *   CR4, MSR  bits without which an instruction is undefined; the hypervisor refuses to set them
 *   VMX, SVM  execution controls and intercepts: the CPU hands the instruction to the hypervisor.  Which of
 *             the two there is follows from the vendor that the guest is shown; nobody else can be asked.
 *
 * A control is coarse: it goes with a feature, its base, and takes all that hangs on it.  Without XCR0's AVX
 * there is no AVX2, but AVX2 alone cannot be taken from a guest that has AVX.  So a stop is "alone" when the
 * base is hidden as well, and only then it costs nothing that was promised.
 *
 * Some instructions execute on CPUs without their feature, as a no-op or as an older instruction.  That they
 * execute says nothing; where they leave another value than the older one, that does.
 */
#include "core/leak.h"

/* Does the state component's bit stand in this XCR0? */
static bool has_state(uint64_t xcr0, enum evc_feature_id state)
{
	struct evc_bit bit = evc_features[state].bit;

	return xcr0 >> (bit.lo + (bit.reg == EVC_EDX ? 32 : 0)) & 1;
}

/* Is the control known to refuse what is under it in this guest? */
static bool is_engaged(const struct evc_probe *probe, const struct evc_control *control)
{
	switch (control->kind) {
	case EVC_CONTROL_XCR0:
		return !probe->has_xcr0 || !has_state(probe->xcr0, control->state);
	case EVC_CONTROL_CR4:
		return control->base == EVC_F_XSAVE && !probe->has_xcr0;
	case EVC_CONTROL_MSR:
	case EVC_CONTROL_VMX:
	case EVC_CONTROL_SVM:
		break;
	}
	return false;
}

/* Is there such a control on CPUs of this vendor? */
static bool exists(const struct evc_control *control, unsigned vendor)
{
	switch (control->kind) {
	case EVC_CONTROL_VMX:
		return !(vendor & EVC_VENDOR_AMD);
	case EVC_CONTROL_SVM:
		return !(vendor & (EVC_VENDOR_INTEL | EVC_VENDOR_ZHAOXIN));
	case EVC_CONTROL_XCR0:
	case EVC_CONTROL_CR4:
	case EVC_CONTROL_MSR:
		break;
	}
	return true;
}

static void find_stops(const struct evc_probe *probe, const struct evc_cpu *cpu,
                       const struct evc_instruction *instruction, struct evc_leak *leak)
{
	for (size_t i = 0; i < EVC_MAX_CONTROLS && instruction->controls[i]; i++) {
		const struct evc_control *control = instruction->controls[i];
		struct evc_leak_stop *stop = &leak->stops[leak->n_stops];

		if (!exists(control, cpu->vendor))
			continue;
		leak->n_stops++;
		stop->control = control;
		stop->alone = evc_cpu_truth(cpu, control->base) == EVC_ABSENT;
		stop->engaged = is_engaged(probe, control);
		leak->stoppable |= stop->alone;
	}
}

static enum evc_leak_kind kind_of(const struct evc_instruction *instruction, enum evc_truth shown,
                                  enum evc_verdict there)
{
	if (there == EVC_UNKNOWN || shown == EVC_UNSURE)
		return EVC_LEAK_UNTRIED;
	if (shown == EVC_PRESENT)
		return there == EVC_YES ? EVC_LEAK_WORKS : EVC_LEAK_REFUSED;
	if (there == EVC_NO)
		return EVC_LEAK_HELD;
	return instruction->silent[0] ? EVC_LEAK_SILENT : EVC_LEAK_LEAKS;
}

void evc_leak_judge(const struct evc_probe *probe, const struct evc_cpu *cpu, size_t instruction,
                    struct evc_leak *ret_leak)
{
	const struct evc_instruction *what = &evc_instructions[instruction];
	enum evc_verdict there = evc_probe_shows(probe, instruction);
	struct evc_leak leak = { .shown = evc_cpu_truth(cpu, what->feature) };

	leak.kind = kind_of(what, leak.shown, there);
	leak.older = there == EVC_NO && probe->outcomes[instruction].kind == EVC_OUTCOME_RAN;
	find_stops(probe, cpu, what, &leak);
	*ret_leak = leak;
}

void evc_leak_count(const struct evc_probe *probe, const struct evc_cpu *cpu,
                    size_t ret_count[static EVC_N_LEAK_KINDS])
{
	for (int kind = 0; kind < EVC_N_LEAK_KINDS; kind++)
		ret_count[kind] = 0;
	for (size_t i = 0; i < evc_n_instructions; i++) {
		struct evc_leak leak;

		evc_leak_judge(probe, cpu, i, &leak);
		ret_count[leak.kind]++;
	}
}

const char *evc_leak_kind_name(enum evc_leak_kind kind)
{
	static const char *const names[EVC_N_LEAK_KINDS] = {
		[EVC_LEAK_UNTRIED] = "untried", [EVC_LEAK_WORKS] = "works", [EVC_LEAK_HELD] = "held",
		[EVC_LEAK_SILENT] = "silent",   [EVC_LEAK_LEAKS] = "leaks", [EVC_LEAK_REFUSED] = "refused",
	};

	return names[kind];
}
