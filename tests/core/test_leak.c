/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an instruction's outcome says, beside what CPUID says, and what could have stopped it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/leak.h"

#include <string.h>

enum { UD = 6, GP = 13, PF = 14, NO_XCR0 = 0, SSE = 0x3, AVX = 0x7, AVX512 = 0xe7 };

#define RAN(eax)                                                                                             \
	{                                                                                                    \
		.kind = EVC_OUTCOME_RAN, .value = (eax)                                                      \
	}
#define FAULT(number)                                                                                        \
	{                                                                                                    \
		.kind = EVC_OUTCOME_FAULT, .vector = (number)                                                \
	}

static const struct row {
	const char *name, *instruction;
	enum evc_feature_id shown[4]; /* ends with 0; all others are known to be hidden */
	unsigned vendor;
	uint64_t xcr0;
	struct evc_outcome outcome;
	enum evc_leak_kind kind;
	bool stoppable;
	const char *stop; /* that must be there, NULL: none may be */
	bool engaged;
} rows[] = {
	{ .name = "shown and executed works",
	  .instruction = "pshufb",
	  .shown = { EVC_F_SSSE3 },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_WORKS },
	{ .name = "hidden and refused is held",
	  .instruction = "pshufb",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = FAULT(UD),
	  .kind = EVC_LEAK_HELD },
	{ .name = "hidden and executed leaks, and nothing can stop SSSE3",
	  .instruction = "pshufb",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS },
	{ .name = "shown and refused is told",
	  .instruction = "pshufb",
	  .shown = { EVC_F_SSSE3 },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = FAULT(UD),
	  .kind = EVC_LEAK_REFUSED },
	{ .name = "what was not tried is not known",
	  .instruction = "pshufb",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .kind = EVC_LEAK_UNTRIED },
	{ .name = "AVX2 cannot be stopped where AVX is shown",
	  .instruction = "vpaddd",
	  .shown = { EVC_F_XSAVE, EVC_F_AVX },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = AVX,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = false,
	  .stop = "xcr0-avx" },
	{ .name = "AVX2 can be stopped where AVX is hidden as well",
	  .instruction = "vpaddd",
	  .shown = { EVC_F_XSAVE },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = AVX,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = true,
	  .stop = "xcr0-avx" },
	{ .name = "XCR0 without AVX is what refuses AVX2",
	  .instruction = "vpaddd",
	  .shown = { EVC_F_XSAVE },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = FAULT(UD),
	  .kind = EVC_LEAK_HELD,
	  .stoppable = true,
	  .stop = "xcr0-avx",
	  .engaged = true },
	{ .name = "without OSXSAVE AVX is shown and refused",
	  .instruction = "vaddps",
	  .shown = { EVC_F_XSAVE, EVC_F_AVX },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = NO_XCR0,
	  .outcome = FAULT(UD),
	  .kind = EVC_LEAK_REFUSED,
	  .stoppable = false,
	  .stop = "xcr0-avx",
	  .engaged = true },
	{ .name = "AVX-512 has a state of its own",
	  .instruction = "vpord",
	  .shown = { EVC_F_XSAVE, EVC_F_AVX },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = AVX512,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = true,
	  .stop = "xcr0-avx512-opmask" },
	{ .name = "BMI needs no state, though it is encoded like AVX",
	  .instruction = "andn",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = NO_XCR0,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS },
	{ .name = "RDRAND can be stopped by Intel's control",
	  .instruction = "rdrand",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(1),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = true,
	  .stop = "RDRAND exiting" },
	{ .name = "on AMD nothing stops RDRAND",
	  .instruction = "rdrand",
	  .vendor = EVC_VENDOR_AMD,
	  .xcr0 = SSE,
	  .outcome = RAN(1),
	  .kind = EVC_LEAK_LEAKS },
	{ .name = "RDPID goes with RDTSCP",
	  .instruction = "rdpid",
	  .shown = { EVC_F_RDTSCP },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = false,
	  .stop = "enable RDTSCP" },
	{ .name = "AMD intercepts RDPRU",
	  .instruction = "rdpru",
	  .vendor = EVC_VENDOR_AMD,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = true,
	  .stop = "RDPRU" },
	{ .name = "FSGSBASE is CR4's",
	  .instruction = "rdfsbase",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = true,
	  .stop = "FSGSBASE" },
	{ .name = "TZCNT as BSF is no leak",
	  .instruction = "tzcnt",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(77),
	  .kind = EVC_LEAK_HELD },
	{ .name = "TZCNT that counts is one",
	  .instruction = "tzcnt",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(32),
	  .kind = EVC_LEAK_LEAKS },
	{ .name = "TZCNT that is shown must count",
	  .instruction = "tzcnt",
	  .shown = { EVC_F_BMI1 },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(77),
	  .kind = EVC_LEAK_REFUSED },
	{ .name = "LZCNT as BSR is no leak",
	  .instruction = "lzcnt",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_HELD },
	{ .name = "LZCNT that counts is one",
	  .instruction = "lzcnt",
	  .vendor = EVC_VENDOR_AMD,
	  .xcr0 = SSE,
	  .outcome = RAN(31),
	  .kind = EVC_LEAK_LEAKS },
	{ .name = "PREFETCHW that executes says nothing",
	  .instruction = "prefetchw",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_SILENT },
	{ .name = "PREFETCHW that is shown works",
	  .instruction = "prefetchw",
	  .shown = { EVC_F_3DNOWPREFETCH },
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_WORKS },
	{ .name = "PAVGB is SSE's as well",
	  .instruction = "pavgb",
	  .vendor = EVC_VENDOR_AMD,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_SILENT },
	{ .name = "ERMS is about speed",
	  .instruction = "rep-movsb",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = RAN(0),
	  .kind = EVC_LEAK_SILENT },
	{ .name = "INVPCID that is only forbidden is there",
	  .instruction = "invpcid",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = FAULT(GP),
	  .kind = EVC_LEAK_LEAKS,
	  .stoppable = true,
	  .stop = "enable INVPCID" },
	{ .name = "INVPCID that is unknown is held",
	  .instruction = "invpcid",
	  .vendor = EVC_VENDOR_INTEL,
	  .xcr0 = SSE,
	  .outcome = FAULT(UD),
	  .kind = EVC_LEAK_HELD,
	  .stoppable = true,
	  .stop = "enable INVPCID" },
	{ .name = "bytes that mean something else are refused by any fault",
	  .instruction = "vphaddbw",
	  .vendor = EVC_VENDOR_AMD,
	  .xcr0 = SSE,
	  .outcome = FAULT(PF),
	  .kind = EVC_LEAK_HELD,
	  .stoppable = true,
	  .stop = "xcr0-avx",
	  .engaged = true },
};

static void judges(void **state)
{
	const struct row *row = *state;
	struct evc_outcome outcomes[256] = { 0 };
	struct evc_probe probe = { .has_xcr0 = row->xcr0 != NO_XCR0,
		                   .xcr0 = row->xcr0,
		                   .outcomes = outcomes };
	struct evc_cpu cpu = { .vendor = row->vendor };
	size_t at = evc_instruction_find(evc_span_from(row->instruction));
	bool found = false;
	struct evc_leak leak;

	assert_true(at < evc_n_instructions && evc_n_instructions <= sizeof(outcomes) / sizeof(outcomes[0]));
	outcomes[at] = row->outcome;
	memset(&cpu.known, 0xff, sizeof(cpu.known));
	for (size_t i = 0; i < 4 && row->shown[i]; i++)
		evc_set_add(&cpu.has, row->shown[i]);
	evc_leak_judge(&probe, &cpu, at, &leak);
	assert_string_equal(evc_leak_kind_name(leak.kind), evc_leak_kind_name(row->kind));
	assert_int_equal(leak.stoppable, row->stoppable);
	for (size_t i = 0; row->stop && i < leak.n_stops; i++)
		if (!strcmp(leak.stops[i].control->title, row->stop)) {
			found = true;
			assert_int_equal(leak.stops[i].engaged, row->engaged);
		}
	assert_int_equal(found, row->stop != NULL);
	if (!row->stop)
		assert_int_equal(leak.n_stops, 0);
}

static void unknown_features_are_not_judged(void **state)
{
	struct evc_outcome outcomes[256] = { 0 };
	struct evc_probe probe = { .outcomes = outcomes };
	struct evc_cpu cpu = { .vendor = EVC_VENDOR_INTEL };
	size_t at = evc_instruction_find(evc_span_from("pshufb"));
	struct evc_leak leak;

	(void)state;
	outcomes[at].kind = EVC_OUTCOME_RAN;
	evc_leak_judge(&probe, &cpu, at, &leak);
	assert_int_equal(leak.kind, EVC_LEAK_UNTRIED);
}

static void counts_every_instruction_once(void **state)
{
	struct evc_probe probe = { 0 };
	struct evc_cpu cpu = { .vendor = EVC_VENDOR_INTEL };
	size_t count[EVC_N_LEAK_KINDS], total = 0;

	(void)state;
	evc_leak_count(&probe, &cpu, count);
	for (int kind = 0; kind < EVC_N_LEAK_KINDS; kind++)
		total += count[kind];
	assert_int_equal(total, evc_n_instructions);
	assert_int_equal(count[EVC_LEAK_UNTRIED], evc_n_instructions);
}

int main(void)
{
	enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };
	struct CMUnitTest tests[N_ROWS + 2];

	for (size_t i = 0; i < N_ROWS; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
			                        .test_func = judges,
			                        .initial_state = (void *)(uintptr_t)&rows[i] };
	tests[N_ROWS] = (struct CMUnitTest)cmocka_unit_test(unknown_features_are_not_judged);
	tests[N_ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(counts_every_instruction_once);
	return cmocka_run_group_tests_name("core/leak", tests, NULL, NULL);
}
