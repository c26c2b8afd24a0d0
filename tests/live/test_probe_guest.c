/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe guest as evc itself boots it, what happens when it does not answer, and that nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/cpu.h"
#include "core/instruction.h"
#include "guest/probe_guest.h"
#include "host/spawn.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct evc_arena arena;
static char kernel[PATH_MAX];

/* Beside evc, where the other live tests have fetched it to; empty when there is none. */
static void find_kernel(void)
{
	const char *evc = getenv("EVC"), *slash = evc ? strrchr(evc, '/') : NULL;

	if (slash)
		snprintf(kernel, sizeof(kernel), "%.*s/demo/vmlinuz", (int)(slash - evc), evc);
	if (access(kernel, R_OK))
		kernel[0] = '\0';
}

static int boot(const char *const arguments[], unsigned timeout_ms, struct evc_probe *ret_probe,
                struct evc_error *err)
{
	struct evc_probe_guest guest = {
		.accel = "tcg", .kernel = kernel, .arguments = arguments, .timeout_ms = timeout_ms
	};

	return evc_probe_guest_run(&guest, &arena, ret_probe, err);
}

static void check_nobody_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Not cmocka's skip: what that prints is a failure to Meson. */
static bool no_guest(void)
{
	const char *const argv[] = { "qemu-system-x86_64", "--version", NULL };
	const char *text;

	if (kernel[0] && evc_spawn_output(argv, 10000, &arena, &text, NULL) >= 0)
		return false;
	print_message("# SKIP: no kernel to boot, or no QEMU\n");
	return true;
}

static void a_guest_of_two_vcpus_answers(void **state)
{
	const char *const arguments[] = { "-cpu", "EPYC,family=23,model=1,stepping=2,-avx2", "-smp", "2",
		                          NULL };
	struct evc_error err = { 0 };
	struct evc_probe probe;
	struct evc_cpu cpu;

	(void)state;
	if (no_guest())
		return;
	assert_int_equal(boot(arguments, 120000, &probe, &err), EVC_OK);
	evc_cpu_decode(&probe.host.cpus[0], &cpu);
	assert_true(probe.complete);
	assert_int_equal(probe.n_cpus, 2);
	assert_int_equal(cpu.family, 23);
	assert_string_equal(cpu.vendor_id, "AuthenticAMD");
	assert_string_equal(cpu.hypervisor, "TCGTCGTCGTCG");
	assert_true(probe.has_xcr0 && probe.xcr0 == 7);
	assert_true(probe.xsave_written > 576 && probe.xsave_written <= probe.xsave_stated);
	assert_int_equal(evc_probe_shows(&probe, evc_instruction_find(evc_span_from("vaddps"))), EVC_YES);
	assert_int_equal(evc_probe_shows(&probe, evc_instruction_find(evc_span_from("vpaddd"))), EVC_NO);
	assert_non_null(strstr(probe.cpuinfo, "AuthenticAMD"));
	assert_true(probe.n_vulnerabilities > 5);
	assert_true(probe.host.facts.kernel && probe.host.facts.kernel[0]);
	check_nobody_is_left();
}

static void qemu_says_why_it_refuses(void **state)
{
	const char *const arguments[] = { "-cpu", "nosuch", NULL };
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	if (no_guest())
		return;
	assert_int_equal(boot(arguments, 60000, &probe, &err), EVC_ERR_IO);
	assert_non_null(strstr(err.text, "QEMU ended with status 1"));
	assert_non_null(strstr(err.text, "nosuch"));
	check_nobody_is_left();
}

/* Stopped before its first instruction, it never answers. */
static void a_silent_guest_is_ended(void **state)
{
	const char *const arguments[] = { "-S", NULL };
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	if (no_guest())
		return;
	assert_int_equal(boot(arguments, 2000, &probe, &err), EVC_ERR_IO);
	assert_non_null(strstr(err.text, "did not end within 2 s"));
	check_nobody_is_left();
}

static void no_qemu_is_said(void **state)
{
	struct evc_probe_guest guest = { .qemu = "/nonexistent/qemu", .accel = "tcg", .kernel = "/dev/null" };
	struct evc_error err = { 0 };
	struct evc_probe probe;

	(void)state;
	assert_int_equal(evc_probe_guest_run(&guest, &arena, &probe, &err), EVC_ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "/nonexistent/qemu"));
}

static void a_kernel_that_is_named_must_be_there(void **state)
{
	struct evc_error err = { 0 };
	const char *path;

	(void)state;
	assert_int_equal(evc_probe_kernel("/nonexistent/vmlinuz", &arena, &path, &err), EVC_ERR_IO);
	assert_non_null(strstr(err.text, "/nonexistent/vmlinuz"));
	assert_int_equal(setenv("EVC_KERNEL", "/dev/null", 1), 0);
	assert_int_equal(evc_probe_kernel(NULL, &arena, &path, &err), EVC_OK);
	assert_string_equal(path, "/dev/null");
	assert_int_equal(unsetenv("EVC_KERNEL"), 0);
}

static void the_program_runs_on_this_machine(void **state)
{
	struct evc_error err = { 0 };
	struct evc_probe probe;
	size_t n_tried = 0;

	(void)state;
	assert_int_equal(evc_probe_here("here", 30000, &arena, &probe, &err), EVC_OK);
	assert_true(probe.complete && probe.n_cpus > 0);
	for (size_t i = 0; i < evc_n_instructions; i++)
		n_tried += probe.outcomes[i].kind != EVC_OUTCOME_NONE;
	assert_true(n_tried > 90);
	check_nobody_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_runs_on_this_machine),
		cmocka_unit_test(a_kernel_that_is_named_must_be_there),
		cmocka_unit_test(no_qemu_is_said),
		cmocka_unit_test(qemu_says_why_it_refuses),
		cmocka_unit_test(a_silent_guest_is_ended),
		cmocka_unit_test(a_guest_of_two_vcpus_answers),
	};
	int status;

	find_kernel();
	status = cmocka_run_group_tests_name("live/probe-guest", tests, NULL, NULL);
	evc_arena_free(&arena);
	return status;
}
