/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the probe program prints, whole and damaged, with a kernel's noise in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "base/sink.h"
#include "core/instruction.h"
#include "text/probe.h"

#include <string.h>

#define CPUID                                                                                                \
	"--- cpuid\n"                                                                                        \
	"CPU 0:\n"                                                                                           \
	"   0x00000000 0x00: eax=0x00000001 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69\n"                  \
	"   0x00000001 0x00: eax=0x000306f0 ebx=0x00020800 ecx=0x00000201 edx=0x0f8bfbff\n"                  \
	"CPU 1:\n"                                                                                           \
	"   0x00000000 0x00: eax=0x00000001 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69\n"                  \
	"   0x00000001 0x00: eax=0x000306f0 ebx=0x01020800 ecx=0x00000201 edx=0x0f8bfbff\n"
#define REST                                                                                                 \
	"--- cpuinfo\n"                                                                                      \
	"processor\t: 0\n"                                                                                   \
	"flags\t\t: fpu pni\n"                                                                               \
	"--- kernel\n"                                                                                       \
	"release 6.1.0-9\n"                                                                                  \
	"online 0-1\n"                                                                                       \
	"--- vulnerabilities\n"                                                                              \
	"spectre_v2: Mitigation: Retpolines\n"                                                               \
	"meltdown: Mitigation: PTI\n"                                                                        \
	"--- xsave\n"                                                                                        \
	"cpu 0 xcr0 0x7 stated 832 written 828 compact 0\n"                                                  \
	"cpu 1 xcr0 0x7 stated 832 written 828 compact 0\n"                                                  \
	"--- msr\n"                                                                                          \
	"cpu 0 0x10a 0x2b\n"                                                                                 \
	"cpu 1 0x10a 0x2b\n"                                                                                 \
	"--- instructions\n"                                                                                 \
	"pshufb ok 0x0\n"                                                                                    \
	"aesenc vector 6\n"                                                                                  \
	"lzcnt ok 0x1f\n"                                                                                    \
	"nosuch ok 0x1\n"                                                                                    \
	"mcommit stuck\n"                                                                                    \
	"--- end\n"

static int read_text(const char *text, struct evc_probe *ret_probe, struct evc_error *err)
{
	return evc_probe_read(evc_span_from(text), "guest", &arena, ret_probe, err);
}

static struct evc_outcome outcome(const struct evc_probe *probe, const char *name)
{
	return probe->outcomes[evc_instruction_find(evc_span_from(name))];
}

static void check_whole(const char *text)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;
	uint64_t known;

	assert_int_equal(read_text(text, &probe, &err), EVC_OK);
	assert_true(probe.complete);
	assert_int_equal(probe.n_cpus, 2);
	assert_int_equal(probe.host.n_cpus, 1);
	assert_false(probe.cpus_missed);
	assert_int_equal(evc_dump_register(&probe.host.cpus[0], 1, 0, EVC_EAX, &known), 0x306f0);
	assert_int_equal(evc_dump_register(&probe.host.cpus[0], 0x10a, 0, EVC_MSR, &known), 0x2b);
	assert_string_equal(probe.host.facts.kernel, "6.1.0-9");
	assert_non_null(strstr(probe.cpuinfo, "fpu pni"));
	assert_null(strstr(probe.cpuinfo, "---"));
	assert_string_equal(probe.msr, "");
	assert_int_equal(probe.n_vulnerabilities, 2);
	assert_string_equal(probe.vulnerabilities[0].name, "meltdown");
	assert_string_equal(probe.vulnerabilities[1].text, "Mitigation: Retpolines");
	assert_true(probe.has_xcr0 && probe.xcr0 == 7 && !probe.xcr0_differs);
	assert_int_equal(probe.xsave_stated, 832);
	assert_int_equal(probe.xsave_written, 828);
	assert_int_equal(outcome(&probe, "pshufb").kind, EVC_OUTCOME_RAN);
	assert_int_equal(outcome(&probe, "aesenc").kind, EVC_OUTCOME_FAULT);
	assert_int_equal(outcome(&probe, "aesenc").vector, 6);
	assert_int_equal(outcome(&probe, "lzcnt").value, 31);
	assert_int_equal(outcome(&probe, "mcommit").kind, EVC_OUTCOME_NONE);
	assert_int_equal(outcome(&probe, "popcnt").kind, EVC_OUTCOME_NONE);
}

static void reads_it_whole(void **state)
{
	(void)state;
	check_whole(CPUID REST);
}

/* A serial line ends its lines with CR LF, and firmware and kernel were there before. */
static void reads_a_serial_line(void **state)
{
	struct evc_sink text = { 0 };
	const char *whole = "SeaBIOS\n[    0.1] Linux\n" CPUID REST "[    5.1] reboot: Power down\n";

	(void)state;
	for (const char *c = whole; *c; c++)
		evc_sink_puts(&text, *c == '\n' ? "\r\n" : (char[]){ *c, '\0' });
	check_whole(text.text);
	evc_sink_free(&text);
}

static void passes_over_what_a_kernel_says_in_between(void **state)
{
	(void)state;
	check_whole(CPUID "[    1.5] clocksource: tsc unstable\n" REST);
	check_whole("--- tomorrow\nwhatever ok 0x1\n" CPUID REST);
}

static void says_that_the_end_is_not_there(void **state)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	assert_int_equal(read_text(CPUID "--- instructions\npshufb ok 0x0\naesenc", &probe, &err), EVC_OK);
	assert_false(probe.complete);
	assert_int_equal(outcome(&probe, "pshufb").kind, EVC_OUTCOME_RAN);
	assert_int_equal(outcome(&probe, "aesenc").kind, EVC_OUTCOME_NONE);
	assert_false(probe.has_xcr0);
	assert_string_equal(probe.cpuinfo, "");
	assert_string_equal(probe.msr, "they were not asked for");
}

static void notices_cpus_that_it_could_not_get_to(void **state)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	assert_int_equal(read_text(CPUID "--- kernel\nonline 0-2,5\n--- end\n", &probe, &err), EVC_OK);
	assert_true(probe.cpus_missed);
	assert_int_equal(read_text(CPUID "--- kernel\nonline 0-x\n--- end\n", &probe, &err), EVC_OK);
	assert_false(probe.cpus_missed);
}

static void says_why_there_are_no_msrs(void **state)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	assert_int_equal(read_text(CPUID "--- msr\nnone: not for this user\n--- end\n", &probe, &err),
	                 EVC_OK);
	assert_string_equal(probe.msr, "not for this user");
}

/* A register that faults is not there, which is what zero says; one that was not asked for is unknown. */
static void tells_a_register_that_faults_from_one_that_was_not_asked_for(void **state)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;
	uint64_t known;

	(void)state;
	assert_int_equal(read_text(CPUID
	                           "--- msr\ncpu 0 0x480 faults\ncpu 0 0x8b 0x1\ncpu 0 0xce what\n--- end\n",
	                           &probe, &err),
	                 EVC_OK);
	assert_string_equal(probe.msr, "");
	assert_int_equal(evc_dump_register(&probe.host.cpus[0], 0x480, 0, EVC_MSR, &known), 0);
	assert_true(known == UINT64_MAX);
	assert_int_equal(evc_dump_register(&probe.host.cpus[0], 0x8b, 0, EVC_MSR, &known), 1);
	evc_dump_register(&probe.host.cpus[0], 0xce, 0, EVC_MSR, &known);
	assert_true(known == 0);
}

static void sees_xcr0_that_is_not_the_same_everywhere(void **state)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	assert_int_equal(read_text(CPUID "--- xsave\ncpu 0 xcr0 0x7 stated 832 written 832 compact 0\n"
	                                 "cpu 1 xcr0 0x3 stated 576 written 576 compact 0\n--- end\n",
	                           &probe, &err),
	                 EVC_OK);
	assert_true(probe.xcr0_differs);
	assert_int_equal(probe.xcr0, 7);
	assert_int_equal(read_text(CPUID "--- xsave\ncpu 0 none\n--- end\n", &probe, &err), EVC_OK);
	assert_false(probe.has_xcr0);
}

/* The last of two: a guest that was started again on the same line. */
static void takes_the_last_of_two(void **state)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	assert_int_equal(read_text(CPUID "--- kernel\nrelease old\n--- end\n" CPUID
	                                 "--- kernel\nrelease new\n--- end\n",
	                           &probe, &err),
	                 EVC_OK);
	assert_string_equal(probe.host.facts.kernel, "new");
	assert_int_equal(probe.n_cpus, 2);
}

static const struct refusal {
	const char *name, *text, *message;
} refusals[] = {
	{ .name = "an empty text is none", .text = "", .message = "there is no section \"--- cpuid\"" },
	{ .name = "a kernel's panic is none",
	  .text = "[    1.0] Kernel panic - not syncing\n",
	  .message = "there is no section \"--- cpuid\"" },
	{ .name = "a section without a CPU is none",
	  .text = "--- cpuid\n--- end\n",
	  .message = "there is no section \"--- cpuid\"" },
	{ .name = "a damaged line is refused",
	  .text = "--- cpuid\nCPU 0:\n   0x00000000 0x00: eax=0x0000000d ebx=0xzz\n--- end\n",
	  .message = "expected 0x and at most 8 hexadecimal digits" },
};

static void refuses(void **state)
{
	const struct refusal *refusal = *state;
	struct evc_error err = { 0 };
	struct evc_probe probe;

	assert_int_equal(read_text(refusal->text, &probe, &err), EVC_ERR_INPUT);
	assert_string_equal(err.text, refusal->message);
}

int main(void)
{
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(reads_it_whole),
		cmocka_unit_test(reads_a_serial_line),
		cmocka_unit_test(passes_over_what_a_kernel_says_in_between),
		cmocka_unit_test(says_that_the_end_is_not_there),
		cmocka_unit_test(notices_cpus_that_it_could_not_get_to),
		cmocka_unit_test(says_why_there_are_no_msrs),
		cmocka_unit_test(tells_a_register_that_faults_from_one_that_was_not_asked_for),
		cmocka_unit_test(sees_xcr0_that_is_not_the_same_everywhere),
		cmocka_unit_test(takes_the_last_of_two),
	};
	enum {
		N_WHOLE = sizeof(whole) / sizeof(whole[0]),
		N_REFUSALS = sizeof(refusals) / sizeof(refusals[0])
	};
	struct CMUnitTest tests[N_WHOLE + N_REFUSALS];

	memcpy(tests, whole, sizeof(whole));
	for (size_t i = 0; i < N_REFUSALS; i++)
		tests[N_WHOLE + i] = (struct CMUnitTest){ .name = refusals[i].name,
			                                  .test_func = refuses,
			                                  .initial_state = (void *)(uintptr_t)&refusals[i] };
	return cmocka_run_group_tests_name("text/probe", tests, NULL, free_arena);
}
