/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What programs make of a CPU.
 *
 * A program asks CPUID itself, so what it finds is the guest's CPUID and not the kernel's flags; but
 * registers that a kernel must save when it changes tasks are there only once the kernel has switched them
 * on.  Linux switches on every component of XCR0 that it knows, or, where leaf 0xD contradicts itself, none
 * at all: then the flag xsave is gone, and AVX with it for every program, though its CPUID bit is still set.
 *
 * Truths have three values.  Of a list in which the first that holds counts, one that may hold makes the
 * answer unknown, unless all that may come to it say the same.
 */
#include "core/userland.h"

#include <string.h>

enum { STACK = 48 };

struct work {
	const struct evc_cpu *cpu;
	enum evc_truth states[EVC_USERLAND_STATES];
	enum evc_userland_vendor vendor;
	bool vendor_known;
};

static enum evc_truth truth_and(enum evc_truth a, enum evc_truth b)
{
	if (a == EVC_ABSENT || b == EVC_ABSENT)
		return EVC_ABSENT;
	return a == EVC_UNSURE || b == EVC_UNSURE ? EVC_UNSURE : EVC_PRESENT;
}

static enum evc_truth truth_not(enum evc_truth a)
{
	if (a == EVC_UNSURE)
		return a;
	return a == EVC_PRESENT ? EVC_ABSENT : EVC_PRESENT;
}

static enum evc_truth truth_if(bool known, bool condition)
{
	if (!known)
		return EVC_UNSURE;
	return condition ? EVC_PRESENT : EVC_ABSENT;
}

static enum evc_truth operand(const struct work *work, const struct evc_userland_op *op)
{
	const struct evc_cpu *cpu = work->cpu;
	unsigned state;

	switch (op->op) {
	case EVC_USERLAND_OP_TRUE:
		return EVC_PRESENT;
	case EVC_USERLAND_OP_FEATURE:
		state = evc_userland_uses[op->argument];
		return truth_and(evc_cpu_truth(cpu, (enum evc_feature_id)op->argument),
		                 state ? work->states[state - 1] : EVC_PRESENT);
	case EVC_USERLAND_OP_VENDOR:
		return truth_if(work->vendor_known, work->vendor == op->argument);
	case EVC_USERLAND_OP_FAMILY_EQ:
		return truth_if(cpu->identified, cpu->family == op->argument);
	case EVC_USERLAND_OP_FAMILY_GE:
		return truth_if(cpu->identified, cpu->family >= op->argument);
	case EVC_USERLAND_OP_FAMILY_LE:
		return truth_if(cpu->identified, cpu->family <= op->argument);
	case EVC_USERLAND_OP_MODEL_EQ:
		return truth_if(cpu->identified, cpu->model == op->argument);
	case EVC_USERLAND_OP_MODEL_GE:
		return truth_if(cpu->identified, cpu->model >= op->argument);
	case EVC_USERLAND_OP_MODEL_LE:
		return truth_if(cpu->identified, cpu->model <= op->argument);
	default:
		return EVC_UNSURE;
	}
}

/* The generator writes sound postfix; should it ever not, the answer is "unsure". */
static enum evc_truth holds(const struct work *work, unsigned program)
{
	enum evc_truth stack[STACK] = { EVC_UNSURE };
	unsigned n = 0;

	for (const struct evc_userland_op *op = &evc_userland_code[program]; op->op != EVC_USERLAND_OP_END;
	     op++) {
		if (op->op == EVC_USERLAND_OP_NOT && n) {
			stack[n - 1] = truth_not(stack[n - 1]);
		} else if (op->op == EVC_USERLAND_OP_AND && n > 1) {
			n--;
			stack[n - 1] = truth_and(stack[n - 1], stack[n]);
		} else if (op->op == EVC_USERLAND_OP_OR && n > 1) {
			n--;
			stack[n - 1] = truth_not(truth_and(truth_not(stack[n - 1]), truth_not(stack[n])));
		} else if (n < STACK) {
			stack[n++] = operand(work, op);
		}
	}
	return n == 1 ? stack[0] : EVC_UNSURE;
}

static void find_states(struct work *work, const struct evc_linux_view *view)
{
	enum evc_truth used = evc_linux_view_flag(view, EVC_LINUX_F_XSAVE).truth;

	for (unsigned i = 0; i < EVC_USERLAND_STATES; i++) {
		work->states[i] = used;
		EVC_SET_FOREACH(id, &evc_userland_states[i])
		{
			work->states[i] = truth_and(work->states[i], evc_cpu_truth(work->cpu, id));
		}
	}
}

static void find_vendor(struct work *work)
{
	static const struct {
		const char *id;
		enum evc_userland_vendor vendor;
	} vendors[] = {
		{ .id = "GenuineIntel", .vendor = EVC_USERLAND_INTEL },
		{ .id = "AuthenticAMD", .vendor = EVC_USERLAND_AMD },
		{ .id = "HygonGenuine", .vendor = EVC_USERLAND_HYGON },
		{ .id = "CentaurHauls", .vendor = EVC_USERLAND_ZHAOXIN },
		{ .id = "  Shanghai  ", .vendor = EVC_USERLAND_ZHAOXIN },
	};

	work->vendor_known = work->cpu->vendor_id[0] != '\0';
	work->vendor = EVC_USERLAND_OTHER;
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (!strcmp(vendors[i].id, work->cpu->vendor_id))
			work->vendor = vendors[i].vendor;
}

/* The first name that holds, of this version of GCC. */
static const char *march(const struct work *work, unsigned version)
{
	const char *name = NULL;

	for (size_t i = 0; i < evc_n_userland_gcc; i++) {
		const struct evc_userland_row *row = &evc_userland_gcc[i];
		enum evc_truth truth;

		if (!(row->versions >> version & 1))
			continue;
		truth = holds(work, row->program);
		if (truth == EVC_ABSENT)
			continue;
		if (name && strcmp(name, row->name) != 0)
			return NULL;
		name = row->name;
		if (truth == EVC_PRESENT)
			return name;
	}
	return NULL;
}

static void find_hypervisor(const struct work *work, const struct evc_linux_view *view,
                            struct evc_userland_hypervisor *ret)
{
	/* Whoever is not in the list is none of Linux's, and "some other" for systemd. */
	*ret = (struct evc_userland_hypervisor){ .signature = work->cpu->hypervisor };
	if (!work->cpu->hypervisor[0])
		return;
	ret->systemd = "vm-other";
	for (size_t i = 0; i < evc_n_userland_hypervisors; i++) {
		if (strcmp(evc_userland_hypervisors[i].signature, work->cpu->hypervisor) != 0)
			continue;
		*ret = evc_userland_hypervisors[i];
		if (view->tree->version < ret->since)
			ret->kernel = NULL;
		break;
	}
}

void evc_userland_see(const struct evc_cpu *cpu, const struct evc_linux_view *view,
                      struct evc_userland *ret_userland)
{
	struct work work = { .cpu = cpu };

	*ret_userland = (struct evc_userland){ .guest = evc_cpu_truth(cpu, EVC_F_HYPERVISOR) };
	find_states(&work, view);
	find_vendor(&work);
	for (size_t i = 0; i < evc_n_userland_hwcaps; i++)
		ret_userland->hwcaps[i] = holds(&work, evc_userland_hwcaps[i].program);
	for (unsigned i = 0; i < EVC_USERLAND_GCCS; i++)
		ret_userland->march[i] = march(&work, i);
	for (size_t i = 0; i < evc_n_userland_supports; i++)
		ret_userland->supports[i] = holds(&work, evc_userland_supports[i].program);
	find_hypervisor(&work, view, &ret_userland->hypervisor);
}
