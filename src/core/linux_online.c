/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which CPUs a kernel starts, as far as its command line says.
 *
 *   nr_cpus=N, possible_cpus=N   CPUs from number N on do not exist
 *   maxcpus=N                    N are started, and then no more; 0, as nosmp, is the boot CPU alone
 *   nosmt, nosmt=force           of a core's threads only the first stays: the others are started and stopped
 *   mitigations=auto,nosmt       the same, where the CPU has a flaw that threads of a core could use; each
 * flaw has an option of its own for it, mds=full,nosmt
 *
 * Until 6.4 CPUs are started by their numbers.  Since 6.5 the first threads of all cores come before the
 * others, and maxcpus= counts in that order.  "First" is by the APIC's number, and only where CPUID tells of
 * threads at all.  (linux:kernel/cpu.c:bringup_nonboot_cpus, cpu_smt_disable; arch/x86/kernel/apic/apic.c,
 * arch/x86/kernel/cpu/bugs.c)
 */
#include "core/linux-private.h"

#include <string.h>

#define HAS(flag) evc_linux_has(work, EVC_LINUX_F_##flag)
#define BUG(bug) evc_linux_has_bug(work, EVC_LINUX_B_##bug)
#define OPTION(word) evc_linux_option(work, word, false)
#define NOT(a) evc_linux_not(work, a)
#define AND(a, b) evc_linux_and(work, a, b)
#define OR(a, b) evc_linux_or(work, a, b)

/* "maxcpus=2": the last that is given counts, as the kernel reads them. */
static bool number_of(const struct evc_linux_work *work, const char *name, unsigned *ret_number)
{
	struct evc_span rest = evc_span_from(work->env->cmdline), option;
	uint64_t number;
	bool found = false;

	while (evc_span_word(&rest, &option))
		if (evc_span_skip(&option, name) && evc_span_number(option, INT32_MAX, &number)) {
			*ret_number = (unsigned)number;
			found = true;
		}
	return found;
}

static bool starts_with(const struct evc_linux_work *work, const char *start)
{
	struct evc_span rest = evc_span_from(work->env->cmdline), option;

	while (evc_span_word(&rest, &option))
		if (evc_span_starts(option, start))
			return true;
	return false;
}

/* A flaw that the threads of a core could use: its defence is on, and asks for one thread, or auto,nosmt
 * does. */
static struct evc_linux_tri stops_for(struct evc_linux_work *work, struct evc_linux_tri flaw,
                                      const char *const options[static 4])
{
	struct evc_linux_tri wants = OPTION("mitigations=auto,nosmt");

	for (unsigned i = 1; i < 4 && options[i]; i++)
		wants = OR(wants, OPTION(options[i]));
	return AND(wants, AND(flaw, NOT(OPTION(options[0]))));
}

static struct evc_linux_tri stops_for_flaws(struct evc_linux_work *work)
{
	static const char *const l1tf[4] = { "l1tf=off", "l1tf=flush,nosmt", "l1tf=full", "l1tf=full,force" };
	static const char *const mds[4] = { "mds=off", "mds=full,nosmt" };
	static const char *const taa[4] = { "tsx_async_abort=off", "tsx_async_abort=full,nosmt" };
	static const char *const mmio[4] = { "mmio_stale_data=off", "mmio_stale_data=full,nosmt" };
	static const char *const retbleed[4] = { "retbleed=off", "retbleed=auto,nosmt" };
	struct evc_linux_tri amds = OR(evc_linux_vendor_is(work, EVC_LINUX_VENDOR_AMD),
	                               evc_linux_vendor_is(work, EVC_LINUX_VENDOR_HYGON));
	struct evc_linux_tri any = stops_for(work, BUG(L1TF), l1tf);

	any = OR(any, stops_for(work, AND(BUG(MDS), NOT(BUG(MSBDS_ONLY))), mds));
	any = OR(any, stops_for(work, AND(BUG(TAA), HAS(RTM)), taa));
	any = OR(any, stops_for(work, BUG(MMIO_STALE_DATA), mmio));
	any = OR(any, stops_for(work, AND(BUG(RETBLEED), AND(amds, NOT(HAS(STIBP)))), retbleed));
	return AND(any, NOT(OPTION("mitigations=off")));
}

/* The option came with the first flaw that asked for it. */
static struct evc_linux_tri stops_threads(struct evc_linux_work *work)
{
	if (work->tree->bug_numbers[EVC_LINUX_B_L1TF] == EVC_LINUX_NO_BUG)
		return evc_linux_no();
	/* Whatever stands behind it, but "force", which says only that it stays so. */
	if (starts_with(work, "nosmt="))
		return OPTION("nosmt=force").truth == EVC_PRESENT ? OPTION("nosmt=force") : evc_linux_yes();
	return OR(OPTION("nosmt"), stops_for_flaws(work));
}

struct evc_linux_limits evc_linux_limits_of(struct evc_linux_work *work)
{
	struct evc_linux_limits limits = { .exist = UINT32_MAX, .start = UINT32_MAX };
	unsigned number;

	if (!work->env->cmdline[0])
		return limits;
	if (number_of(work, "possible_cpus=", &number) && number)
		limits.exist = number;
	if (number_of(work, "nr_cpus=", &number) && number && number < limits.exist)
		limits.exist = number;
	if (number_of(work, "maxcpus=", &number))
		limits.start = number ? number : 1;
	if (OPTION("nosmp").truth == EVC_PRESENT)
		limits.start = 1;
	limits.first_threads = stops_threads(work);
	limits.cores_first =
		work->tree->switches[EVC_LINUX_S_PARALLEL_START] && !starts_with(work, "cpuhp.parallel=0") &&
		!starts_with(work, "cpuhp.parallel=n") && !starts_with(work, "cpuhp.parallel=of");
	limits.any = limits.exist != UINT32_MAX || limits.start != UINT32_MAX ||
	             limits.first_threads.truth != EVC_ABSENT;
	return limits;
}
