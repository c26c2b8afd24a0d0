/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows: a name in each space and what it means, a signature and what it is called. */
#include "core/feature.h"
#include "core/generation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct name_row {
	const char *title;
	const char *name, *space;
	enum evc_feature_id first;
	size_t n; /* meanings */
};

static const struct name_row name_rows[] = {
	{ "finds our own name", "avx2", NULL, EVC_F_AVX2, 1 },
	{ "does not mind case", "AVX2", NULL, EVC_F_AVX2, 1 },
	{ "finds sse4.1 as Linux spells it", "sse4_1", NULL, EVC_F_SSE4_1, 1 },
	{ "finds sse4.1 with a hyphen", "sse4-1", NULL, EVC_F_SSE4_1, 1 },
	{ "finds a place", "7.0:ebx[5]", NULL, EVC_F_AVX2, 1 },
	{ "finds a place in a register", "msr:10a[0]", NULL, EVC_F_RDCL_NO, 1 },
	{ "finds QEMU's pni", "qemu:pni", NULL, EVC_F_SSE3, 1 },
	{ "finds QEMU's alias xd", "xd", "qemu", EVC_F_NX, 1 },
	{ "finds QEMU's rdctl-no", "rdctl-no", NULL, EVC_F_RDCL_NO, 1 },
	{ "finds both of QEMU's kvmclock", "qemu:kvmclock", NULL, EVC_F_KVMCLOCK, 2 },
	{ "finds libvirt's misspelt name", "libvirt:pclmuldq", NULL, EVC_F_PCLMULQDQ, 1 },
	{ "takes Linux's dts for debug store", "linux:dts", NULL, EVC_F_DS, 1 },
	{ "gives Linux's ibrs both meanings", "ibrs", "linux", EVC_F_SPEC_CTRL, 2 },
	{ "takes ibrs alone for ours", "ibrs", NULL, EVC_F_IBRS, 1 },
	{ "gives Linux's ssbd three meanings", "linux:ssbd", NULL, EVC_F_SSBD, 3 },
	{ "takes VMware's psfd for Intel's bit", "vmware:PSFD", NULL, EVC_F_INTEL_PSFD, 1 },
	{ "takes Xen's psfd for AMD's bit", "xen:PSFD", NULL, EVC_F_AMD_PSFD, 1 },
	{ "takes prefetchi for AMD's bit", "qemu:prefetchi", NULL, EVC_F_PREFETCHI, 1 },
	{ "takes Xen's prefetchi for Intel's bit", "xen:PREFETCHI", NULL, EVC_F_PREFETCHITI, 1 },
	{ "finds VMware's XSAVE component", "vmware:XCR0_MASTER_YMM_H", NULL, EVC_F_XCR0_AVX, 1 },
	{ "falls back to our name in a space", "qemu:avx2", NULL, EVC_F_AVX2, 1 },
	{ "does not find what is not there", "nosuch", NULL, EVC_N_FEATURES, 0 },
	{ "does not find an empty name", "", NULL, EVC_N_FEATURES, 0 },
	{ "does not find a part of a name", "avx51", NULL, EVC_N_FEATURES, 0 },
};

static void look_up(void **state)
{
	const struct name_row *row = *state;
	enum evc_feature_id ids[EVC_MAX_MEANINGS], first;

	assert_int_equal(evc_feature_lookup_all(evc_span_from(row->name), row->space, ids), row->n);
	assert_int_equal(evc_feature_lookup(evc_span_from(row->name), row->space, &first), row->n > 0);
	if (row->n) {
		assert_string_equal(evc_features[ids[0]].name, evc_features[row->first].name);
		assert_int_equal(ids[0], first);
	}
}

static void finds_each_feature(void **state)
{
	(void)state;
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		enum evc_feature_id found;

		assert_true(evc_feature_find(evc_span_from(evc_features[id].name), &found));
		assert_int_equal(found, id);
	}
}

static void finds_each_foreign_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < evc_n_foreign_names; i++) {
		const struct evc_foreign_name *foreign = &evc_foreign_names[i];
		enum evc_feature_id ids[EVC_MAX_MEANINGS];
		bool found = false;

		for (size_t n = evc_feature_lookup_all(evc_span_from(foreign->name), foreign->space, ids); n;)
			found |= ids[--n] == foreign->feature;
		assert_true(found);
		if (!foreign->also)
			assert_string_equal(evc_feature_name_in(foreign->feature, foreign->space),
			                    foreign->name);
	}
}

static void needs_lead_to_other_rules_than_or(void **state)
{
	(void)state;
	for (size_t i = 0; i < evc_n_needs; i++) {
		assert_int_not_equal(evc_features[evc_needs[i].needs].rule, EVC_RULE_OR);
		assert_int_not_equal(evc_features[evc_needs[i].feature].rule, EVC_RULE_OR);
	}
}

struct generation_row {
	const char *title;
	const char *vendor_id;
	uint16_t family, model;
	uint8_t stepping;
	const char *uarch; /* NULL: nobody named it */
	const char *part;  /* of the product */
};

static const struct generation_row generation_rows[] = {
	{ "calls 6/142/9 Kaby Lake", "GenuineIntel", 6, 142, 9, "Kaby Lake", "Kaby Lake-U" },
	{ "calls 6/63/0 Haswell", "GenuineIntel", 6, 63, 0, "Haswell", "EP" },
	{ "calls 6/85/4 Skylake", "GenuineIntel", 6, 0x55, 4, "Skylake", "Skylake-SP" },
	{ "calls 6/85/7 Cascade Lake", "GenuineIntel", 6, 0x55, 7, "Cascade Lake", "Cascade Lake" },
	{ "calls 6/85/11 Cooper Lake", "GenuineIntel", 6, 0x55, 11, "Cooper Lake", "Cooper Lake" },
	{ "calls 6/106/6 Ice Lake-SP", "GenuineIntel", 6, 0x6a, 6, "Sunny Cove", "Ice Lake-SP" },
	{ "calls 6/143/8 Sapphire Rapids", "GenuineIntel", 6, 0x8f, 8, "Golden Cove", "Sapphire Rapids" },
	{ "calls 19/1/0 Diamond Rapids", "GenuineIntel", 0x13, 1, 0, "Panther Cove", "Diamond Rapids" },
	{ "calls 23/49/0 Rome", "AuthenticAMD", 0x17, 0x31, 0, "Zen 2", "Rome" },
	{ "calls 23/53/0 some Zen 2", "AuthenticAMD", 0x17, 0x35, 0, "Zen 2", "other models" },
	{ "calls 25/17/1 Genoa", "AuthenticAMD", 0x19, 0x11, 1, "Zen 4", "Genoa" },
	{ "calls 26/2/1 Turin", "AuthenticAMD", 0x1a, 2, 1, "Zen 5", "Turin" },
	{ "calls 24/0/1 of Hygon Dhyana", "HygonGenuine", 0x18, 0, 1, "Dhyana (Zen)", "C86" },
	{ "calls VIA's 6/15/10 Isaiah", "CentaurHauls", 6, 15, 10, "Isaiah", "Nano" },
	{ "calls Zhaoxin's 6/15/14 ZhangJiang", "CentaurHauls", 6, 15, 14, "ZhangJiang (Isaiah II)", "ZX-C" },
	{ "calls 7/91/0 of Shanghai YongFeng", "  Shanghai  ", 7, 0x5b, 0, "YongFeng", "KH-40000" },
	{ "calls 7/107/1 of Centaur's id ShiJiDaDao", "CentaurHauls", 7, 0x6b, 1, "ShiJiDaDao", "KX-7000" },
	{ "calls Centaur's 6/71/2 CNS", "CentaurHauls", 6, 0x47, 2, "CNS", "CHA" },
	{ "does not name Intel's models for AMD", "AuthenticAMD", 6, 142, 9, NULL, NULL },
	{ "does not name what is not known", "GenuineIntel", 6, 0xfe, 0, NULL, NULL },
	{ "does not name other vendors", "TCGTCGTCGTCG", 6, 142, 9, NULL, NULL },
};

static void call(void **state)
{
	const struct generation_row *row = *state;
	struct evc_cpu cpu = {
		.family = row->family, .model = row->model, .stepping = row->stepping, .identified = true
	};
	const struct evc_generation *generation;

	strcpy(cpu.vendor_id, row->vendor_id);
	generation = evc_generation_find(&cpu);
	assert_int_equal(generation != NULL, row->uarch != NULL);
	if (generation) {
		assert_string_equal(generation->uarch, row->uarch);
		assert_non_null(strstr(generation->product, row->part));
	}
	cpu.identified = false;
	assert_null(evc_generation_find(&cpu));
}

enum {
	N_NAME_ROWS = sizeof(name_rows) / sizeof(name_rows[0]),
	N_GENERATION_ROWS = sizeof(generation_rows) / sizeof(generation_rows[0]),
};

int main(void)
{
	struct CMUnitTest tests[N_NAME_ROWS + N_GENERATION_ROWS + 3] = {
		{ "finds each feature by its name", finds_each_feature, NULL, NULL, NULL },
		{ "finds and prints each foreign name", finds_each_foreign_name, NULL, NULL, NULL },
		{ "has no need from or to a warning", needs_lead_to_other_rules_than_or, NULL, NULL, NULL },
	};
	size_t n = 3;

	for (size_t i = 0; i < N_NAME_ROWS; i++)
		tests[n++] =
			(struct CMUnitTest){ name_rows[i].title, look_up, NULL, NULL, (void *)&name_rows[i] };
	for (size_t i = 0; i < N_GENERATION_ROWS; i++)
		tests[n++] = (struct CMUnitTest){ generation_rows[i].title, call, NULL, NULL,
			                          (void *)&generation_rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
