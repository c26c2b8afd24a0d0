/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Centaur's CPUs and Zhaoxin's, which continue them; their own word of features is copied only by their own
 * rules. (linux:arch/x86/kernel/cpu/centaur.c, zhaoxin.c)
 */
#include "core/linux-private.h"

#define FEATURE(name) evc_linux_feature(work, EVC_F_##name)

static void tsc(struct evc_linux_work *work, struct evc_linux_tri constant, const char *where)
{
	evc_linux_set(work, EVC_LINUX_F_CONSTANT_TSC, constant, where);
	evc_linux_set(work, EVC_LINUX_F_CONSTANT_TSC, FEATURE(INVTSC), where);
	evc_linux_set(work, EVC_LINUX_F_NONSTOP_TSC, FEATURE(INVTSC), where);
}

static struct evc_linux_tri centaur_since_nano(struct evc_linux_work *work)
{
	return evc_linux_or(work, evc_linux_models(work, EVC_LINUX_VENDOR_CENTAUR, 6, 0xf, UINT8_MAX),
	                    evc_linux_families(work, EVC_LINUX_VENDOR_CENTAUR, 7, UINT8_MAX));
}

void evc_linux_centaur_early(struct evc_linux_work *work)
{
	tsc(work, centaur_since_nano(work), "centaur.c:early_init_centaur");
}

void evc_linux_centaur_late(struct evc_linux_work *work)
{
	const char *where = "centaur.c:init_centaur";

	evc_linux_centaur_early(work);
	if (work->level_known && work->level > 9 && work->tree->switches[EVC_LINUX_S_CENTAUR_PMU])
		evc_linux_arch_perfmon(work, where);
	if (work->family >= 6)
		evc_linux_copy_centaur_word(work, "centaur.c:init_c3");
	evc_linux_set(work, EVC_LINUX_F_REP_GOOD, centaur_since_nano(work), where);
	evc_linux_feat_ctl(work);
}

void evc_linux_zhaoxin_early(struct evc_linux_work *work)
{
	tsc(work, evc_linux_families(work, EVC_LINUX_VENDOR_ZHAOXIN, 6, UINT8_MAX),
	    "zhaoxin.c:early_init_zhaoxin");
}

void evc_linux_zhaoxin_late(struct evc_linux_work *work)
{
	const char *where = "zhaoxin.c:init_zhaoxin";

	evc_linux_zhaoxin_early(work);
	if (work->level_known && work->level > 9)
		evc_linux_arch_perfmon(work, where);
	if (work->family >= 6)
		evc_linux_copy_centaur_word(work, "zhaoxin.c:init_zhaoxin_cap");
	evc_linux_set(work, EVC_LINUX_F_REP_GOOD,
	              evc_linux_families(work, EVC_LINUX_VENDOR_ZHAOXIN, 6, UINT8_MAX), where);
	evc_linux_feat_ctl(work);
}
