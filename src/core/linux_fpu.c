/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of XSAVE and of the flags that mitigations and control registers move, after all CPUs are
 * known.
 *
 * Linux asks leaf 0xD how large the area for what it enabled is, and reckons it itself from the components;
 * since 5.16 a difference costs XSAVE and all that depends on it; since 5.19 it uses the compacted form, and
 * asks that form's size, also with XSAVEC alone.  A dump is of another moment, so what the
 * CPU would answer is taken from what it answered for everything that it can enable, where Linux enables that
 * too. (linux:arch/x86/kernel/fpu/xstate.c, cpu/tsx.c, cpu/bugs.c, cpu/common.c)
 */
#include "core/linux-private.h"

#include "core/vcpu.h"

#define HAS(flag) evc_linux_has(work, EVC_LINUX_F_##flag)
#define FEATURE(name) evc_linux_feature(work, EVC_F_##name)
#define SWITCH(name) work->tree->switches[EVC_LINUX_S_##name]

enum {
	FIRST_EXTENDED = 2,       /* components 0 and 1 are in the old area */
	OLD_COMPONENTS = 3,       /* their bits */
	LEGACY_SIZE = 576,        /* that area with its header */
	COMPACTS_WITH_XSAVEC = 2, /* switch xstate-size: not only with XSAVES */
};

const struct evc_linux_component evc_linux_components[] = {
	{ .number = 2, .flag = EVC_LINUX_F_AVX, .size = 256 },
	{ .number = 3, .flag = EVC_LINUX_F_MPX, .size = 64 },
	{ .number = 4, .flag = EVC_LINUX_F_MPX, .size = 64 },
	{ .number = 5, .flag = EVC_LINUX_F_AVX512F, .size = 64 },
	{ .number = 6, .flag = EVC_LINUX_F_AVX512F, .size = 512 },
	{ .number = 7, .flag = EVC_LINUX_F_AVX512F, .size = 1024 },
	{ .number = 9, .flag = EVC_LINUX_F_PKU, .size = 8 },
	{ .number = 17, .flag = EVC_LINUX_F_AMX_TILE, .size = 64 },
	{ .number = 18, .flag = EVC_LINUX_F_AMX_TILE, .size = 8192 },
};
const size_t evc_n_linux_components = sizeof(evc_linux_components) / sizeof(evc_linux_components[0]);

struct area {
	uint32_t offered; /* what XCR0 may have, as far as known */
	uint32_t asked;   /* components that the dump tells of */
	uint32_t enabled; /* what Linux enables of it */
	uint32_t size;    /* with everything enabled, as the CPU says */
	bool known, unsure;
};

static struct evc_linux_tri mentioned(struct evc_linux_work *work, enum evc_truth truth, const char *text)
{
	return evc_linux_text(work, (struct evc_linux_tri){ .truth = (uint8_t)truth }, text);
}

/* What Linux enables: components whose flags are there. */
static void enable(struct evc_linux_work *work, struct area *area)
{
	area->enabled = area->offered & OLD_COMPONENTS;
	for (size_t i = 0; i < evc_n_linux_components; i++) {
		uint32_t bit = UINT32_C(1) << evc_linux_components[i].number;
		uint16_t place = work->tree->places[evc_linux_components[i].flag];
		struct evc_linux_tri flag;

		if (!((area->offered | ~area->asked) & bit) || place == EVC_LINUX_NOWHERE)
			continue;
		flag = evc_linux_at(work, place);
		if (flag.truth == EVC_PRESENT && area->offered & bit)
			area->enabled |= bit;
		else if (flag.truth != EVC_ABSENT)
			area->unsure = true;
	}
}

/* Does the component that begins last end where the CPU says that the area does. */
static bool ends_right(struct evc_linux_work *work, const struct area *area, bool *ret_known)
{
	unsigned top = 31U - (unsigned)__builtin_clz(area->enabled);
	uint32_t known_size, known_offset, size, offset;

	*ret_known = true;
	if (area->enabled != area->offered || !area->size)
		return true;
	if (top < FIRST_EXTENDED)
		return area->size == LEGACY_SIZE;
	size = evc_linux_register(work, 0xd, top, EVC_EAX, &known_size);
	offset = evc_linux_register(work, 0xd, top, EVC_EBX, &known_offset);
	*ret_known = (known_size & known_offset) == UINT32_MAX;
	return offset + size == area->size;
}

/* Does Linux keep the area in the compacted form? */
static struct evc_linux_tri compacts(struct evc_linux_work *work)
{
	struct evc_linux_tri with = HAS(XSAVES);

	return SWITCH(XSTATE_SIZE) == COMPACTS_WITH_XSAVEC ? evc_linux_or(work, with, HAS(XSAVEC)) : with;
}

/*
 * In the compacted form each component begins where the one before it ends.  The size that a dump tells is
 * that of what was enabled when it was taken: it says something where that was all, and no supervisor's
 * state.
 */
static bool adds_up(struct evc_linux_work *work, const struct area *area)
{
	uint32_t known[4], size;
	uint32_t then = evc_linux_register(work, 0xd, 0, EVC_EBX, &known[0]);
	uint32_t told = evc_linux_register(work, 0xd, 1, EVC_EBX, &known[1]);
	uint32_t low = evc_linux_register(work, 0xd, 1, EVC_ECX, &known[2]);
	uint32_t high = evc_linux_register(work, 0xd, 1, EVC_EDX, &known[3]);

	if ((known[0] & known[1] & known[2] & known[3]) != UINT32_MAX || !told || low || high ||
	    then != area->size || area->enabled != area->offered)
		return true;
	return !evc_xsave_compacted_size(work->question->dump, area->enabled, &size) || size == told;
}

/* Is the whole area as large as its components?  Linux asks that of the one form that it uses. */
static enum evc_truth area_agrees(struct evc_linux_work *work, const struct area *area)
{
	enum evc_truth compacted = (enum evc_truth)compacts(work).truth;
	bool known = true, standard = compacted == EVC_PRESENT || ends_right(work, area, &known);
	bool compact = compacted == EVC_ABSENT || adds_up(work, area);

	if (!known || (compacted == EVC_UNSURE && standard != compact))
		return EVC_UNSURE;
	return standard && compact ? EVC_PRESENT : EVC_ABSENT;
}

static enum evc_truth sizes_agree(struct evc_linux_work *work, const struct area *area)
{
	enum evc_truth whole;
	bool unsure = false;

	for (size_t i = 0; i < evc_n_linux_components; i++) {
		uint32_t known_bits, size;

		if (!(area->enabled >> evc_linux_components[i].number & 1))
			continue;
		size = evc_linux_register(work, 0xd, evc_linux_components[i].number, EVC_EAX, &known_bits);
		if (known_bits == UINT32_MAX && size != evc_linux_components[i].size)
			return EVC_ABSENT;
		unsure = unsure || known_bits != UINT32_MAX;
	}
	whole = area_agrees(work, area);
	return whole == EVC_PRESENT && unsure ? EVC_UNSURE : whole;
}

static void xstate(struct evc_linux_work *work)
{
	const char *where = "fpu/xstate.c:fpu__init_system_xstate";
	struct evc_linux_tri has = HAS(XSAVE), sane;
	struct area area = { 0 };
	uint32_t known_size;

	if (has.truth == EVC_ABSENT)
		return;
	area.offered = evc_linux_register(work, 0xd, 0, EVC_EAX, &area.asked);
	area.size = evc_linux_register(work, 0xd, 0, EVC_ECX, &known_size);
	if (OLD_COMPONENTS & ~area.asked &&
	    ((area.offered | ~area.asked) & OLD_COMPONENTS) == OLD_COMPONENTS) {
		evc_linux_forbid(work, EVC_LINUX_F_XSAVE,
		                 mentioned(work, EVC_UNSURE, "the components of leaf 0xd are not known"),
		                 where);
		return;
	}
	sane = mentioned(work, (area.offered & OLD_COMPONENTS) == OLD_COMPONENTS ? EVC_PRESENT : EVC_ABSENT,
	                 "leaf 0xd has the x87 and SSE components");
	if (sane.truth == EVC_PRESENT && SWITCH(XSTATE_SIZE)) {
		enable(work, &area);
		if (known_size != UINT32_MAX)
			area.size = 0;
		sane = evc_linux_and(work, sane,
		                     mentioned(work, area.unsure ? EVC_UNSURE : sizes_agree(work, &area),
		                               "leaf 0xd has the sizes that the components add up to"));
	}
	evc_linux_forbid(work, EVC_LINUX_F_XSAVE, evc_linux_not(work, sane), where);
}

/* Are transactions switched on: by a boot option, else as it is configured.  auto: unless buffers leak. */
static struct evc_linux_tri tsx_wanted(struct evc_linux_work *work)
{
	struct evc_linux_tri on = evc_linux_option(work, "tsx=on", true);
	struct evc_linux_tri automatic = evc_linux_option(work, "tsx=auto", true);
	struct evc_linux_tri said = evc_linux_or(
		work, on, evc_linux_or(work, automatic, evc_linux_option(work, "tsx=off", true)));

#define BUILT(value) evc_linux_configured(work, EVC_LINUX_CONFIG_TSX, EVC_LINUX_IS_##value)
	on = evc_linux_or(work, on, evc_linux_and(work, evc_linux_not(work, said), BUILT(ON)));
	automatic =
		evc_linux_or(work, automatic, evc_linux_and(work, evc_linux_not(work, said), BUILT(AUTO)));
#undef BUILT
	return evc_linux_or(work, on,
	                    evc_linux_and(work, automatic,
	                                  evc_linux_not(work, evc_linux_has_bug(work, EVC_LINUX_B_TAA))));
}

/* Transactions are switched off or on where that can be; off always where they always abort. */
static void tsx(struct evc_linux_work *work)
{
	const char *where = "tsx.c:tsx_init";
	struct evc_linux_tri off, on, control, aborts;

	if (work->tree->bug_numbers[EVC_LINUX_B_TAA] == EVC_LINUX_NO_BUG)
		return;
	aborts = SWITCH(RTM_ALWAYS_ABORT) ? HAS(RTM_ALWAYS_ABORT) : evc_linux_no();
	control = evc_linux_and(work, HAS(ARCH_CAPABILITIES), FEATURE(TSX_CTRL));
	control = evc_linux_and(work, control, evc_linux_not(work, aborts));
	if (control.truth == EVC_ABSENT && HAS(RTM).truth == EVC_ABSENT && HAS(HLE).truth == EVC_ABSENT)
		return;
	on = tsx_wanted(work);
	off = evc_linux_or(work, aborts, evc_linux_and(work, control, evc_linux_not(work, on)));
	evc_linux_forbid(work, EVC_LINUX_F_RTM, off, where);
	evc_linux_forbid(work, EVC_LINUX_F_HLE, off, where);
	on = evc_linux_and(work, control, on);
	evc_linux_force(work, EVC_LINUX_F_RTM, on, where);
	evc_linux_force(work, EVC_LINUX_F_HLE, on, where);
}

/* What is set when a control register is: before, the bit of CPUID is zero. */
void evc_linux_control_registers(struct evc_linux_work *work)
{
	evc_linux_force(
		work, EVC_LINUX_F_OSPKE,
		evc_linux_and(work, HAS(PKU), evc_linux_not(work, evc_linux_option(work, "nopku", false))),
		"common.c:setup_pku");
	if (HAS(SHSTK).truth != EVC_ABSENT &&
	    work->tree->places[EVC_LINUX_F_USER_SHSTK] != EVC_LINUX_NOWHERE) {
		struct evc_linux_tri user_stacks =
			evc_linux_configured(work, EVC_LINUX_CONFIG_USER_SHSTK, EVC_LINUX_IS_YES);

		evc_linux_set(work, EVC_LINUX_F_USER_SHSTK,
		              evc_linux_and(work, evc_linux_and(work, HAS(SHSTK), user_stacks),
		                            evc_linux_not(work, evc_linux_option(work, "nousershstk", true))),
		              "common.c:setup_cet");
	}
}

/* The number of the processor is read where firmware lets it; guests are refused the register. */
void evc_linux_ppin(struct evc_linux_work *work)
{
	static const uint8_t models[] = { 0x3e, 0x3f, 0x56, 0x4f, 0x55, 0x6a, 0x6c, 0x8f, 0xcf, 0x57, 0x85 };
	const char *where = "common.c:ppin_init";
	struct evc_linux_tri may = HAS(INTEL_PPIN), on;

	if (work->vendor == EVC_LINUX_VENDOR_INTEL) {
		for (size_t i = 0; i < sizeof(models); i++)
			if (work->family == 6 && work->model == models[i])
				may = evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 6, models[i], models[i]);
		if (may.truth == EVC_ABSENT)
			return;
		/* Where it is not locked Linux enables it, which only a real register remembers. */
		on = evc_linux_and(work, evc_linux_not(work, FEATURE(PPIN_CTL_LOCK)),
		                   evc_linux_platform_is(work, EVC_LINUX_BARE));
		on = evc_linux_and(work, evc_linux_readable(work, EVC_LINUX_MSR_PPIN_CTL),
		                   evc_linux_or(work, FEATURE(PPIN_CTL_ENABLE), on));
		evc_linux_set(work, EVC_LINUX_F_INTEL_PPIN, evc_linux_and(work, may, on), where);
		evc_linux_clear(work, EVC_LINUX_F_INTEL_PPIN,
		                evc_linux_and(work, may, evc_linux_not(work, on)), where);
	} else if (HAS(AMD_PPIN).truth != EVC_ABSENT) {
		on = evc_linux_readable(work, EVC_LINUX_MSR_AMD_PPIN_CTL);
		evc_linux_clear(work, EVC_LINUX_F_AMD_PPIN, evc_linux_not(work, on), where);
	}
}

/* Locks across cache lines: bare metal alone. */
void evc_linux_split_lock(struct evc_linux_work *work)
{
	struct evc_linux_tri bare = evc_linux_not(work, HAS(HYPERVISOR)), models;

	if (work->vendor != EVC_LINUX_VENDOR_INTEL || bare.truth == EVC_ABSENT)
		return;
	models =
		evc_linux_or(work, evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 6, 0x6a, 0x6a),
	                     evc_linux_or(work, evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 6, 0x6c, 0x6c),
	                                  evc_linux_models(work, EVC_LINUX_VENDOR_INTEL, 6, 0x7e, 0x7e)));
	evc_linux_force(work, EVC_LINUX_F_SPLIT_LOCK_DETECT,
	                evc_linux_and(work, bare,
	                              evc_linux_or(work, models,
	                                           evc_linux_and(work, HAS(CORE_CAPABILITIES),
	                                                         FEATURE(SPLIT_LOCK_DETECT)))),
	                "intel.c:sld_setup");
}

void evc_linux_mitigations(struct evc_linux_work *work)
{
	tsx(work);
	if (evc_linux_option(work, "gather_data_sampling=force", false).truth == EVC_PRESENT)
		evc_linux_forbid(work, EVC_LINUX_F_AVX,
		                 evc_linux_and(work, evc_linux_has_bug(work, EVC_LINUX_B_GDS),
		                               evc_linux_not(work, evc_linux_and(work, HAS(ARCH_CAPABILITIES),
		                                                                 FEATURE(GDS_CTRL)))),
		                 "bugs.c:gds_select_mitigation");
	xstate(work);
}
