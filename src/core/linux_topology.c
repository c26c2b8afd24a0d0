/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a logical CPU is: package, core, and how many share them.
 *
 * CPUID says how the APIC's number is cut into thread, core and package; counting the processors that are
 * there gives siblings and cores.  Kernels before 6.9 cut by vendor: Intel by leaf 0x1f or 0xb, else by
 * leaves 1 and 4; AMD by leaf 0x80000008, and only with TOPOEXT by 0x8000001e and 0xb.  Since 6.9 one parser
 * serves all; it looked at AMD's 0x80000026 and 0xb with TOPOEXT only until 6.17, and 6.16 and 6.12 of the
 * same weeks. (linux:arch/x86/kernel/cpu/topology.c, amd.c before 6.9; topology_common.c, topology_ext.c,
 * topology_amd.c since)
 */
#include "core/linux-private.h"

static uint32_t below(unsigned shift)
{
	return shift >= 32 ? UINT32_MAX : (UINT32_C(1) << shift) - 1;
}

static uint32_t above(uint32_t number, unsigned shift)
{
	return shift >= 32 ? 0 : number >> shift;
}

/* One dump's leaves, and whether all that was asked was there. */
struct source {
	struct evc_linux_work *work;
	struct evc_dump_reader reader;
	const struct evc_linux_layout *layout; /* of CPUs that share the dump, else NULL */
	unsigned cpu;
	bool known;
};

static uint32_t reg_as_is(struct source *source, uint32_t leaf, uint32_t subleaf, enum evc_reg which)
{
	struct evc_leaf whole;

	evc_dump_reader_leaf(&source->reader, leaf, subleaf, &whole);
	if (source->layout)
		whole.value[which] = evc_linux_numbered_register(
			source->layout, source->cpu,
			&(struct evc_linux_place){ .leaf = leaf, .subleaf = subleaf, .reg = which },
			whole.value[which]);
	else if (source->work->shape != EVC_LINUX_AS_DUMPED)
		return evc_linux_shaped_register(
			source->work, source->cpu,
			&(struct evc_linux_place){ .leaf = leaf, .subleaf = subleaf, .reg = which },
			whole.value[which]);
	if (whole.known[which] != UINT32_MAX)
		source->known = false;
	return whole.value[which];
}

static uint32_t reg(struct source *source, uint32_t leaf, uint32_t subleaf, enum evc_reg which)
{
	struct evc_bit bit = { .leaf = leaf, .subleaf = subleaf, .reg = which, .hi = 31 };
	bool all = source->known;
	uint32_t value;

	source->known = true;
	value = reg_as_is(source, leaf, subleaf, which);
	evc_linux_cause_bits(source->work, bit, value, source->known);
	source->known &= all;
	return value;
}

enum {
	SMT = 1,
	MAX_SUBLEAVES = 16,
};

/* A leaf of extended topology, level by level; false when its first level does not count. */
static bool extended(struct source *source, uint32_t leaf, bool new, struct evc_linux_cut *cut)
{
	uint32_t count = reg(source, leaf, 0, EVC_EBX) & 0xffff,
		 type = reg(source, leaf, 0, EVC_ECX) >> 8 & 0xff;
	unsigned shift = reg(source, leaf, 0, EVC_EAX) & 0x1f;

	if (!count || (new ? type == 0 : type != SMT))
		return false;
	cut->apicid = reg(source, leaf, 0, EVC_EDX);
	cut->smt_shift = type == SMT ? shift : 0;
	if (new && !cut->smt_shift && type == SMT &&count > 1)
		cut->smt_shift = evc_linux_bits_for(count);
	cut->threads = count;
	cut->package_shift = cut->smt_shift;
	cut->processors = count;
	for (unsigned i = 1; i < MAX_SUBLEAVES; i++) {
		type = reg(source, leaf, i, EVC_ECX) >> 8 & 0xff;
		count = reg(source, leaf, i, EVC_EBX) & 0xffff;
		if (!type || (new && !count))
			break;
		cut->package_shift = reg(source, leaf, i, EVC_EAX) & 0x1f;
		cut->processors = count;
	}
	return true;
}

static bool any_extended(const struct evc_linux_work *work, struct source *source, bool new,
                         struct evc_linux_cut *cut)
{
	uint32_t level = work->level, xlevel = work->xlevel;

	if (level >= 0x1f && extended(source, 0x1f, new, cut))
		return true;
	if (new &&xlevel >= 0x80000026 && extended(source, 0x80000026, new, cut))
		return true;
	return level >= 0xb && extended(source, 0xb, new, cut);
}

static void set_ids(struct evc_linux_cut *cut)
{
	cut->package = above(cut->apicid, cut->package_shift);
	cut->core = cut->unit = above(cut->apicid & below(cut->package_shift), cut->smt_shift);
}

/* Leaves 1 and 4: processors and cores of a package, each rounded up to a power of two. */
static void legacy(struct evc_linux_work *work, struct source *source, struct evc_linux_cut *cut)
{
	uint32_t ebx = reg(source, 1, 0, EVC_EBX), four = work->level >= 4 ? reg(source, 4, 0, EVC_EAX) : 0;
	unsigned cores = four & 0x1f ? (four >> 26) + 1 : 1, processors = ebx >> 16 & 0xff;
	bool ht = evc_linux_has(work, EVC_LINUX_F_HT).truth == EVC_PRESENT;

	cut->processors = ht ? processors : cores;
	cut->package_shift = ht ? evc_linux_bits_for(processors) : evc_linux_bits_for(cores);
	cut->smt_shift = cut->package_shift > evc_linux_bits_for(cores)
	                         ? cut->package_shift - evc_linux_bits_for(cores)
	                         : 0;
	cut->threads = 1U << (cut->smt_shift < 8 ? cut->smt_shift : 8);
	set_ids(cut);
	if (!work->tree->switches[EVC_LINUX_S_TOPOLOGY] && !ht) {
		/* Each CPU is taken for a package of its own. */
		cut->package = cut->apicid;
		cut->core = cut->unit = 0;
	}
}

static void old_amd(struct evc_linux_work *work, struct source *source, struct evc_linux_cut *cut)
{
	bool topoext = evc_linux_has(work, EVC_LINUX_F_TOPOEXT).truth == EVC_PRESENT;
	uint32_t sizes = work->xlevel >= 0x80000008 ? reg(source, 0x80000008, 0, EVC_ECX) : 0, ebx;
	unsigned bits = sizes >> 12 & 0xf;

	cut->processors = (sizes & 0xff) + 1;
	cut->package_shift = bits ? bits : evc_linux_bits_for(cut->processors);
	cut->threads = 1;
	set_ids(cut);
	if (!topoext)
		return;
	ebx = reg(source, 0x8000001e, 0, EVC_EBX);
	cut->threads = (ebx >> 8 & 0xff) + 1;
	if (work->family >= 0x17)
		cut->core = cut->unit = ebx & 0xff;
	if (any_extended(work, source, false, cut))
		set_ids(cut);
	if (work->family == 0x15)
		cut->unit = ebx & 0xff;
}

static void new_amd(struct evc_linux_work *work, struct source *source, struct evc_linux_cut *cut)
{
	bool topoext = evc_linux_has(work, EVC_LINUX_F_TOPOEXT).truth == EVC_PRESENT;
	bool tried = topoext || !work->tree->switches[EVC_LINUX_S_TOPOLOGY_TOPOEXT];
	bool found = tried && any_extended(work, source, true, cut);
	unsigned nodes;

	if (!found && work->xlevel >= 0x80000008) {
		uint32_t sizes = reg(source, 0x80000008, 0, EVC_ECX);

		cut->processors = (sizes & 0xff) + 1;
		cut->package_shift =
			sizes >> 12 & 0xf ? sizes >> 12 & 0xf : evc_linux_bits_for(cut->processors);
	}
	if (!found && topoext) {
		cut->apicid = reg(source, 0x8000001e, 0, EVC_EAX);
		if (work->family >= 0x17) {
			cut->threads = (reg(source, 0x8000001e, 0, EVC_EBX) >> 8 & 0xff) + 1;
			cut->smt_shift = evc_linux_bits_for(cut->threads);
		}
	}
	set_ids(cut);
	nodes = topoext ? (reg(source, 0x8000001e, 0, EVC_ECX) >> 8 & 7) + 1 : 1;
	if (topoext && work->family == 0x15) {
		uint32_t ebx = reg(source, 0x8000001e, 0, EVC_EBX);

		cut->unit = ebx & 0xff;
		cut->per_unit = (ebx >> 8 & 0xff) + 1;
	}
	if (work->family < 0x17 && nodes > 1 && cut->processors >= nodes)
		cut->core %= cut->processors / nodes;
}

/* CPUs that share a dump are told apart by their numbers, unless the caller gives the whole shape. */
static const struct evc_linux_layout *layout_for(const struct evc_linux_work *work,
                                                 const struct evc_dump *dump, unsigned cpu,
                                                 struct evc_linux_layout *room)
{
	if (work->shape == EVC_LINUX_AS_SHAPED ||
	    (work->shape == EVC_LINUX_AS_DUMPED && dump->n_alike <= 1) ||
	    (cpu == dump->cpu && !work->env->cpus))
		return NULL;
	if (work->shape == EVC_LINUX_AS_NUMBERED && dump == work->question->dump)
		return &work->layout;
	*room = evc_linux_layout_of(dump);
	return room;
}

struct evc_linux_cut evc_linux_cut_of(struct evc_linux_work *work, const struct evc_dump *dump, unsigned cpu)
{
	bool amds = work->vendor == EVC_LINUX_VENDOR_AMD || work->vendor == EVC_LINUX_VENDOR_HYGON;
	bool new = work->tree->switches[EVC_LINUX_S_TOPOLOGY];
	struct evc_linux_layout room;
	struct source source = { .work = work,
		                 .layout = layout_for(work, dump, cpu, &room),
		                 .reader = { .dump = dump },
		                 .cpu = cpu,
		                 .known = work->level_known && work->vendor_known };
	struct evc_linux_cut cut = { .threads = 1, .processors = 1 };

	cut.apicid = reg(&source, 1, 0, EVC_EBX) >> 24;
	if (amds && new)
		new_amd(work, &source, &cut);
	else if (amds)
		old_amd(work, &source, &cut);
	else if (work->vendor == EVC_LINUX_VENDOR_INTEL && any_extended(work, &source, new, &cut))
		set_ids(&cut);
	else
		legacy(work, &source, &cut);
	cut.known = source.known;
	/* Of a machine nobody knows in which order its firmware lists CPUs. */
	cut.assumed = source.layout != NULL;
	if (source.layout && !work->env->cpus &&
	    (work->view->platform == EVC_LINUX_BARE || !source.layout->fits))
		cut.known = false;
	return cut;
}

/* The registers that number the CPU are asked again, so that each line has them for causes. */
static void tell(struct evc_linux_work *work, const struct evc_linux_shared *shared)
{
	static const enum evc_linux_line ids[] = { EVC_LINUX_PHYSICAL_ID, EVC_LINUX_CORE_ID, EVC_LINUX_APICID,
		                                   EVC_LINUX_INITIAL_APICID };
	bool new = work->tree->switches[EVC_LINUX_S_TOPOLOGY];

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		evc_linux_line_begin(work, ids[i],
		                     new ? "topology_common.c:parse_topology" : "topology.c, amd.c");
		evc_linux_cut_of(work, work->question->dump, work->question->cpu);
	}
	for (unsigned line = EVC_LINUX_SIBLINGS; line <= EVC_LINUX_CPU_CORES; line++) {
		if (line == EVC_LINUX_CORE_ID)
			continue;
		evc_linux_line_begin(work, (enum evc_linux_line)line, "smpboot.c:set_cpu_sibling_map");
		evc_linux_cause_text(work, line == EVC_LINUX_SIBLINGS ? "CPUs of the package that run"
		                                                      : "cores of the package that run");
		if (shared->assumed)
			evc_linux_cause_text(work, "as many as CPUID counts, or as share the dump");
	}
	evc_linux_line_end(work);
}

void evc_linux_topology(struct evc_linux_work *work)
{
	const struct evc_linux_question *question = work->question;
	struct evc_linux_value *lines = work->view->lines;
	struct evc_linux_cut cut = evc_linux_cut_of(work, question->dump, question->cpu);
	struct evc_linux_shared shared = evc_linux_count(work, &cut);
	struct evc_linux_truth known = { .truth = cut.known ? EVC_PRESENT : EVC_UNSURE };

	if (work->trace)
		tell(work, &shared);

	if (cut.assumed)
		known.depends = UINT32_C(1) << EVC_LINUX_BY_SHAPE;
	lines[EVC_LINUX_PHYSICAL_ID] =
		(struct evc_linux_value){ .number = shared.in_package ? shared.package : cut.package,
		                          .known = { .truth = shared.in_package ? EVC_PRESENT : known.truth,
		                                     .depends = known.depends } };
	lines[EVC_LINUX_CORE_ID] = (struct evc_linux_value){ .number = cut.core, .known = known };
	lines[EVC_LINUX_APICID] = (struct evc_linux_value){ .number = cut.apicid, .known = known };
	lines[EVC_LINUX_INITIAL_APICID] = (struct evc_linux_value){ .number = cut.apicid, .known = known };
	known = (struct evc_linux_truth){ .truth = shared.unsure ? EVC_UNSURE : EVC_PRESENT };
	if (shared.assumed)
		known.depends = UINT32_C(1) << EVC_LINUX_BY_SHAPE;
	lines[EVC_LINUX_SIBLINGS] = (struct evc_linux_value){ .number = shared.siblings, .known = known };
	lines[EVC_LINUX_CPU_CORES] = (struct evc_linux_value){ .number = shared.cores, .known = known };
	for (unsigned line = EVC_LINUX_PHYSICAL_ID; line <= EVC_LINUX_INITIAL_APICID; line++)
		lines[line].shown.truth = EVC_PRESENT;
	lines[EVC_LINUX_PROCESSOR].shown =
		(struct evc_linux_truth){ .truth = shared.runs.truth, .depends = shared.runs.depends };
}
