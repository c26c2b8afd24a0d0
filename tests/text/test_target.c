/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/qemu.h"
#include "text/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static struct evc_target_cpu haswell(void)
{
	struct evc_target_cpu cpu = { .mode = "intel-haswell",
		                      .vendor_id = "GenuineIntel",
		                      .brand = "Intel(R) Xeon(R), a <brand> & more",
		                      .family = 6,
		                      .model = 63,
		                      .max_basic = 13,
		                      .max_extended = 0x80000008 };

	evc_set_add(&cpu.features, EVC_F_AVX2);
	evc_set_add(&cpu.features, EVC_F_SSE3);
	evc_set_add(&cpu.features, EVC_F_PCID);
	return cpu;
}

struct written {
	struct evc_arena arena;
	struct evc_findings findings;
	struct evc_sink sink;
};

static void write(const struct evc_target *target, const struct evc_target_cpu *cpu,
                  struct evc_target_options options, struct written *written)
{
	struct evc_error err = { 0 };

	*written = (struct written){ 0 };
	written->findings.arena = &written->arena;
	if (!options.qemu)
		options.qemu = EVC_QEMU_OLDEST;
	assert_int_equal(target->write(cpu, &options, &written->sink, &written->findings, &err), 0);
}

static bool says(const struct written *written, const char *text)
{
	return strstr(written->sink.text, text) != NULL;
}

static void drop(struct written *written)
{
	evc_sink_free(&written->sink);
	evc_arena_free(&written->arena);
}

static void qemu_names_every_wanted_bit(void **state)
{
	struct evc_target_cpu cpu = haswell();
	struct written written;

	(void)state;
	write(&evc_target_qemu, &cpu, (struct evc_target_options){ 0 }, &written);
	assert_true(says(&written, "-machine pc-q35-7.2 -cpu 'base,vendor=GenuineIntel,family=6,model=63,"
	                           "stepping=0,level=13,xlevel=0x80000008,level-func7=0,"));
	assert_true(says(&written, ",pni=on,"));
	assert_true(says(&written, ",avx2=on,"));
	assert_true(says(&written, ",hypervisor=on,"));
	assert_false(says(&written, ",avx=on,"));
	assert_true(says(&written, ",enforce=on'\n"));
	assert_int_equal(evc_findings_verdict(&written.findings), EVC_YES);
	drop(&written);
}

static void qemu_gets_a_brand_without_commas(void **state)
{
	struct evc_target_cpu cpu = haswell();
	struct written written;

	(void)state;
	write(&evc_target_qemu, &cpu, (struct evc_target_options){ 0 }, &written);
	assert_true(says(&written, ",model-id=Intel(R) Xeon(R)  a <brand> & more,"));
	assert_int_equal(written.findings.n, 1);
	drop(&written);
}

static void libvirt_is_given_the_names_that_it_has(void **state)
{
	static const struct {
		unsigned qemu, libvirt;
		bool named;
	} rows[] = {
		{ .qemu = 802, .named = false },
		{ .qemu = 1000, .named = true },
		{ .qemu = 1000, .libvirt = 900, .named = false },
		{ .qemu = 802, .libvirt = 1208, .named = true },
	};
	struct evc_target_cpu cpu = haswell();

	(void)state;
	evc_set_add(&cpu.features, EVC_F_AMD_PSFD);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct written written;

		write(&evc_target_libvirt, &cpu,
		      (struct evc_target_options){ .qemu = rows[i].qemu, .libvirt = rows[i].libvirt },
		      &written);
		assert_int_equal(says(&written, "<feature policy='require' name='amd-psfd'/>"),
		                 rows[i].named);
		assert_int_equal(says(&written, "x86_64-cpu.amd-psfd=on"), !rows[i].named);
		drop(&written);
	}
}

static void pins_follow_the_version(void **state)
{
	static const struct {
		unsigned qemu;
		bool guest_phys_bits, consistent_cache;
	} rows[] = {
		{ .qemu = 702 },
		{ .qemu = 1000, .guest_phys_bits = true },
		{ .qemu = 1001, .guest_phys_bits = true, .consistent_cache = true },
		{ .qemu = 1101, .guest_phys_bits = true, .consistent_cache = true },
	};
	struct evc_target_cpu cpu = haswell();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct written written;

		write(&evc_target_qemu, &cpu, (struct evc_target_options){ .qemu = rows[i].qemu }, &written);
		assert_int_equal(says(&written, ",guest-phys-bits=0"), rows[i].guest_phys_bits);
		assert_int_equal(says(&written, ",x-consistent-cache=off"), rows[i].consistent_cache);
		assert_true(says(&written, ",pmu=off"));
		drop(&written);
	}
}

static void tcg_says_what_it_cannot_show(void **state)
{
	struct evc_target_cpu cpu = haswell();
	struct written written;

	(void)state;
	write(&evc_target_qemu, &cpu, (struct evc_target_options){ .accel = EVC_ACCEL_TCG }, &written);
	assert_false(says(&written, ",pcid=on"));
	assert_false(says(&written, "kvm"));
	assert_int_equal(written.findings.items[0].feature, EVC_F_PCID);
	assert_int_equal(written.findings.items[0].kind, EVC_FINDING_TARGET_LOSS);
	assert_int_equal(evc_findings_verdict(&written.findings), EVC_YES);
	drop(&written);
}

static void an_older_qemu_blocks_what_it_has_no_name_for(void **state)
{
	struct evc_target_cpu cpu = haswell();
	struct written written;

	(void)state;
	evc_set_add(&cpu.features, EVC_F_AMX_FP16);
	write(&evc_target_qemu, &cpu, (struct evc_target_options){ .qemu = 702 }, &written);
	assert_int_equal(evc_findings_verdict(&written.findings), EVC_NO);
	drop(&written);
	write(&evc_target_qemu, &cpu, (struct evc_target_options){ .qemu = 1000 }, &written);
	assert_int_equal(evc_findings_verdict(&written.findings), EVC_YES);
	assert_true(says(&written, "level-func7=1,"));
	drop(&written);
}

static void what_keeps_a_guest_from_migrating_is_left_out(void **state)
{
	struct evc_target_cpu cpu = haswell();
	struct written written;

	(void)state;
	evc_set_add(&cpu.features, EVC_F_INVTSC);
	write(&evc_target_qemu, &cpu, (struct evc_target_options){ 0 }, &written);
	assert_false(says(&written, "invtsc"));
	drop(&written);
}

static void libvirt_lists_every_bit_and_the_numbers(void **state)
{
	struct evc_target_cpu cpu = haswell();
	struct written written;

	(void)state;
	write(&evc_target_libvirt, &cpu, (struct evc_target_options){ .domain = true }, &written);
	assert_true(says(&written, "<cpu mode='custom' match='exact' check='full'>"));
	assert_true(says(&written, "<model fallback='forbid' vendor_id='GenuineIntel'>kvm64</model>"));
	assert_true(says(&written, "<feature policy='require' name='avx2'/>"));
	assert_true(says(&written, "<feature policy='disable' name='cx16'/>"));
	assert_true(says(&written, "<qemu:arg value='x86_64-cpu.model=63'/>"));
	assert_true(says(&written, "a &lt;brand> &amp; more"));
	drop(&written);
}

static void a_named_signature_has_no_command_line_and_says_what_differs(void **state)
{
	struct evc_target_cpu cpu = haswell();
	struct written written;

	(void)state;
	write(&evc_target_libvirt, &cpu, (struct evc_target_options){ .signature = "Haswell-noTSX" },
	      &written);
	assert_true(says(&written, ">Haswell-noTSX</model>"));
	assert_false(says(&written, "qemu:"));
	assert_true(written.findings.n >= 2);
	assert_int_equal(written.findings.items[0].kind, EVC_FINDING_TARGET_LOSS);
	drop(&written);
}

static void versions_compare(void **state)
{
	static const struct {
		const char *text;
		bool good;
		unsigned version;
	} rows[] = {
		{ .text = "7.2.22", .good = true, .version = 702 },
		{ .text = "10.0", .good = true, .version = 1000 },
		{ .text = "7", .good = false },
		{ .text = "x", .good = false },
		{ .text = "7.200", .good = false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned version = 0;

		assert_int_equal(evc_qemu_version(rows[i].text, &version), rows[i].good);
		assert_int_equal(version, rows[i].version);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_names_every_wanted_bit),
		cmocka_unit_test(qemu_gets_a_brand_without_commas),
		cmocka_unit_test(libvirt_is_given_the_names_that_it_has),
		cmocka_unit_test(pins_follow_the_version),
		cmocka_unit_test(tcg_says_what_it_cannot_show),
		cmocka_unit_test(an_older_qemu_blocks_what_it_has_no_name_for),
		cmocka_unit_test(what_keeps_a_guest_from_migrating_is_left_out),
		cmocka_unit_test(libvirt_lists_every_bit_and_the_numbers),
		cmocka_unit_test(a_named_signature_has_no_command_line_and_says_what_differs),
		cmocka_unit_test(versions_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
