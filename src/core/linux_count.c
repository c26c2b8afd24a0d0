/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many CPUs run in a package, and how many cores they are: the lines "siblings" and "cpu cores".
 *
 * Both are counted by the kernel over the CPUs that it starts, so it is done here: each CPU of the machine
 * has a number, a place, and runs or not.  A crowd is where they come from:
 *
 *   dumps     each CPU has a dump of its own
 *   numbers   the caller says how many there are; their places follow from the shape that he gives
 *   kinds     a dump stands for several CPUs, which differ in nothing but their numbers
 *   counts    one dump is all there is: as many CPUs as CPUID counts in its package
 *
 * Kinds of a hybrid CPU differ in how many threads their cores have, so cores are counted kind by kind. Where
 * places are not known (firmware lists the CPUs of a real machine as it likes), the counts still are, as long
 * as all CPUs run.  (linux:arch/x86/kernel/smpboot.c:set_cpu_sibling_map)
 */
#include "core/linux-private.h"

enum {
	MAX_COUNTED =
		1024, /* CPUs whose places are looked at one by one; larger machines go by CPUID's counts */
	MAX_UNITS = 4096, /* cores of a package that are told apart */
};

struct crowd {
	const struct evc_host *host; /* NULL: all share the question's dump */
	unsigned n;
	bool kinds;
};

/* The kind that a number is of: the one that begins last before it. */
static const struct evc_dump *kind_of(const struct evc_host *host, unsigned cpu)
{
	const struct evc_dump *dump = &host->cpus[0];

	for (size_t i = 0; i < host->n_cpus; i++)
		if (host->cpus[i].cpu <= cpu && host->cpus[i].cpu >= dump->cpu)
			dump = &host->cpus[i];
	return dump;
}

static struct evc_linux_cut member(struct evc_linux_work *work, const struct crowd *crowd, unsigned i,
                                   unsigned *ret_number)
{
	*ret_number = i;
	if (!crowd->host)
		return evc_linux_cut_of(work, work->question->dump, i);
	if (crowd->kinds)
		return evc_linux_cut_of(work, kind_of(crowd->host, i), i);
	*ret_number = crowd->host->cpus[i].cpu;
	return evc_linux_cut_of(work, &crowd->host->cpus[i], *ret_number);
}

/* By the APIC's number, as kernels look at it. */
static bool is_first_thread(const struct evc_linux_cut *cut)
{
	unsigned mask = 1;

	while (mask * 2 <= cut->threads)
		mask *= 2;
	return !(cut->apicid & (mask - 1));
}

/* What of the crowd was looked at so far, and how much is left to start. */
struct roll {
	const struct evc_linux_limits *limits;
	unsigned firsts, others; /* may yet be started */
};

/* Limits count the CPUs in the order in which they are started. */
static struct roll begin(struct evc_linux_work *work, const struct crowd *crowd,
                         const struct evc_linux_limits *limits)
{
	struct roll roll = { .limits = limits, .firsts = limits->start, .others = 0 };
	unsigned n_firsts = 0, number;

	for (unsigned i = 0; limits->cores_first && limits->start != UINT32_MAX && i < crowd->n; i++) {
		struct evc_linux_cut cut = member(work, crowd, i, &number);

		n_firsts += number < limits->exist && is_first_thread(&cut);
	}
	if (limits->cores_first)
		roll.others = limits->start > n_firsts ? limits->start - n_firsts : 0;
	return roll;
}

/* Does the next CPU run? */
static bool runs(struct roll *roll, const struct evc_linux_cut *cut, unsigned number)
{
	const struct evc_linux_limits *limits = roll->limits;
	bool first = !number || is_first_thread(cut);
	unsigned *left = first || !limits->cores_first ? &roll->firsts : &roll->others;

	if (number >= limits->exist)
		return false;
	if (limits->first_threads.truth != EVC_ABSENT && !first)
		return false;
	if (!*left)
		return false;
	if (*left != UINT32_MAX)
		--*left;
	return true;
}

/* Look at each CPU of the crowd. */
static struct evc_linux_shared tally(struct evc_linux_work *work, const struct crowd *crowd,
                                     const struct evc_linux_cut *own, const struct evc_linux_limits *limits)
{
	struct evc_linux_shared shared = { .runs = evc_linux_no() };
	struct roll roll = begin(work, crowd, limits);
	uint64_t units[MAX_UNITS / 64] = { 0 };

	for (unsigned i = 0; i < crowd->n; i++) {
		unsigned number;
		struct evc_linux_cut cut = member(work, crowd, i, &number);

		if (!cut.known || cut.unit >= MAX_UNITS)
			shared.unsure = true;
		if (!runs(&roll, &cut, number))
			continue;
		if (number == work->question->cpu)
			shared.runs = evc_linux_yes();
		if (cut.package != own->package || cut.unit >= MAX_UNITS)
			continue;
		shared.assumed |= cut.assumed;
		shared.siblings++;
		shared.cores += !(units[cut.unit / 64] >> cut.unit % 64 & 1);
		units[cut.unit / 64] |= UINT64_C(1) << cut.unit % 64;
	}
	if (limits->any && shared.unsure)
		shared.runs = evc_linux_unknown(0);
	shared.runs.depends |= limits->first_threads.depends;
	return shared;
}

/* --- without places ------------------------------------------------------------------------------- */

/* A hybrid CPU of which only one kind was seen: the cores of the others may have other threads. */
static bool is_half_seen(struct evc_linux_work *work)
{
	return evc_linux_feature(work, EVC_F_HYBRID_CPU).truth != EVC_ABSENT;
}

static unsigned per_core(const struct evc_linux_cut *cut)
{
	unsigned n = cut->per_unit ? cut->per_unit : cut->threads;

	return n ? n : 1;
}

static struct evc_linux_shared as_cpuid_counts(struct evc_linux_work *work, const struct evc_linux_cut *cut)
{
	unsigned cores = cut->processors / per_core(cut);

	return (struct evc_linux_shared){ .siblings = cut->processors,
		                          .cores = cores ? cores : 1,
		                          .assumed = cut->processors > 1,
		                          .unsure =
		                                  !cut->known || (cut->processors > 1 && is_half_seen(work)),
		                          .runs = evc_linux_yes() };
}

/* Kinds that all fit into one package, or one kind that fills several. */
static struct evc_linux_shared as_kinds(struct evc_linux_work *work, const struct evc_host *host, unsigned n,
                                        const struct evc_linux_cut *own)
{
	struct evc_linux_shared shared = as_cpuid_counts(work, own);

	if (n > own->processors && host->n_cpus == 1) {
		shared.unsure = !own->known || n % own->processors != 0;
		return shared;
	}
	shared.siblings = n;
	shared.cores = 0;
	shared.unsure = n > own->processors;
	shared.package = own->package;
	for (size_t i = 0; i < host->n_cpus; i++) {
		struct evc_linux_cut cut = evc_linux_cut_of(work, &host->cpus[i], host->cpus[i].cpu);

		shared.unsure |= !cut.known || host->cpus[i].n_alike % per_core(&cut) != 0;
		shared.cores += host->cpus[i].n_alike / per_core(&cut);
		if (!i)
			shared.package = cut.package;
	}
	shared.in_package = !shared.unsure;
	return shared;
}

/* The counts of CPUs whose places nobody knows, where some do not run. */
static void limit(struct evc_linux_work *work, const struct evc_linux_limits *limits,
                  struct evc_linux_shared *shared)
{
	unsigned most = limits->exist < limits->start ? limits->exist : limits->start,
		 cpu = work->question->cpu;

	if (limits->first_threads.truth != EVC_ABSENT)
		shared->siblings = shared->cores;
	shared->unsure |= most > 1 && most < shared->siblings;
	if (most == 1)
		shared->siblings = shared->cores = 1;
	shared->runs = !cpu          ? evc_linux_yes()
	               : cpu >= most ? evc_linux_no()
	                             : evc_linux_unknown(limits->first_threads.depends);
}

/* --- which crowd ---------------------------------------------------------------------------------- */

/* Numbers are dealt out in order, so a package is a run of them: of very many CPUs only those are looked at.
 */
static struct evc_linux_shared count_numbers(struct evc_linux_work *work, const struct evc_linux_cut *own,
                                             const struct evc_linux_limits *limits)
{
	struct crowd crowd = { .n = work->env->cpus };

	if (crowd.n > MAX_COUNTED && !limits->any)
		return as_cpuid_counts(work, own);
	return tally(work, &crowd, own, limits);
}

/* Hypervisors number CPUs in order; from then on those that the one dump stands for are told apart. */
static bool may_number(struct evc_linux_work *work, const struct evc_linux_cut *own)
{
	if (work->view->platform == EVC_LINUX_BARE || own->processors <= 1 || own->processors > MAX_COUNTED)
		return false;
	work->layout = evc_linux_layout_of(work->question->dump);
	if (!work->layout.fits)
		return false;
	work->shape = EVC_LINUX_AS_NUMBERED;
	return true;
}

struct evc_linux_shared evc_linux_count(struct evc_linux_work *work, const struct evc_linux_cut *own)
{
	const struct evc_host *host = work->question->host;
	struct evc_linux_limits limits = evc_linux_limits_of(work);
	struct evc_linux_cut first = *own; /* counts are the same of all that share a dump */
	struct crowd crowd = { .host = host };
	struct evc_linux_shared shared;

	if (work->env->cpus && work->shape != EVC_LINUX_AS_DUMPED)
		return count_numbers(work, own, &limits);
	for (size_t i = 0; host && i < host->n_cpus; i++) {
		crowd.kinds |= host->cpus[i].n_alike > 1;
		crowd.n += host->cpus[i].n_alike > 1 ? host->cpus[i].n_alike : 1;
	}
	if (crowd.n > 1 && crowd.n <= MAX_COUNTED) {
		shared = tally(work, &crowd, own, &limits);
		if (!crowd.kinds || !shared.unsure)
			return shared;
	}
	if (crowd.n <= 1 && limits.any && may_number(work, own)) {
		/* A guest of as many CPUs as its package can have. */
		crowd = (struct crowd){ .n = own->processors };
		shared = tally(work, &crowd, own, &limits);
		shared.assumed = true;
		return shared;
	}
	if (own->assumed)
		first = evc_linux_cut_of(work, work->question->dump, work->question->dump->cpu);
	shared = crowd.n > 1 && crowd.kinds ? as_kinds(work, host, crowd.n, &first)
	                                    : as_cpuid_counts(work, &first);
	if (limits.any)
		limit(work, &limits, &shared);
	return shared;
}
