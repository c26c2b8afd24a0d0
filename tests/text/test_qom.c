/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's properties of a vCPU as a dump: what they say, what follows from them, what nobody knows. */
#include "text/qom.h"

#include "core/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"

#define WORD(leaf, reg, value)                                                                               \
	"{\"cpuid-input-eax\": " #leaf ", \"cpuid-register\": \"" reg "\", \"features\": " #value "}"
#define SUBWORD(leaf, subleaf, reg, value)                                                                   \
	"{\"cpuid-input-eax\": " #leaf ", \"cpuid-input-ecx\": " #subleaf ", \"cpuid-register\": \"" reg     \
	"\", \"features\": " #value "}"
#define NUMBERS                                                                                                   \
	"\"type\": \"base-x86_64-cpu\", \"vendor\": \"GenuineIntel\", \"model-id\": \"A brand\", \"family\": 6, " \
	"\"model\": 63, \"stepping\": 2, \"level\": 13, \"xlevel\": 2147483656, \"level-func7\": 0, "             \
	"\"phys-bits\": 40, \"lm\": true, \"la57\": false, \"pmu\": false, \"tcg-cpuid\": true, \"kvm\": true, \"ht\": null"
/* 1.ECX with SSE3 and the hypervisor bit, OSXSAVE's place empty, 1.EDX with FPU, 7.0.EBX with AVX2, KVM's
 * clock */
#define WORDS                                                                                                \
	"\"feature-words\": [" WORD(1, "ECX", 2147483649) ", " WORD(1, "EDX", 1) ", " SUBWORD(               \
		7, 0, "EBX", 32) ", " SUBWORD(7, 0, "ECX", 0) ", " WORD(2147483649, "ECX",                   \
	                                                                0) ", " WORD(1073741825, "EAX",      \
	                                                                             8) "]"

static struct evc_dump make(const char *text, bool kvm, unsigned n_shared)
{
	const struct evc_qom_machine machine = { .kvm = kvm, .n_alike = 2, .n_shared = n_shared };
	json_t *properties = json_loads(text, 0, NULL);
	struct evc_error err = { 0 };
	struct evc_dump dump;

	assert_non_null(properties);
	if (evc_qom_dump(properties, &machine, &arena, &dump, &err) != EVC_OK)
		fail_msg("%s", err.text);
	json_decref(properties);
	return dump;
}

static void says_what_words_and_numbers_say(void **state)
{
	struct evc_dump dump = make("{" NUMBERS ", " WORDS "}", false, 1);
	struct evc_cpu cpu;
	uint64_t value;

	(void)state;
	evc_cpu_decode(&dump, &cpu);
	assert_int_equal(dump.n_alike, 2);
	assert_string_equal(cpu.vendor_id, "GenuineIntel");
	assert_string_equal(cpu.brand, "A brand");
	assert_int_equal(cpu.signature, 0x306f2);
	assert_int_equal(cpu.max_basic, 13);
	assert_int_equal(cpu.max_extended, 0x80000008);
	assert_int_equal(evc_cpu_truth(&cpu, EVC_F_AVX2), EVC_PRESENT);
	assert_int_equal(evc_cpu_truth(&cpu, EVC_F_BMI1), EVC_ABSENT);
	assert_true(evc_cpu_value(&cpu, EVC_F_PHYS_ADDR_BITS, &value));
	assert_int_equal(value, 40);
	assert_true(evc_cpu_value(&cpu, EVC_F_VIRT_ADDR_BITS, &value));
	assert_int_equal(value, 48);
}

/* Truths of features, with some properties more. */
static const struct {
	const char *name, *more;
	bool kvm;
	unsigned n_shared;
	enum evc_feature_id id;
	enum evc_truth truth;
} rows[] = {
	{ .name = "the guest switches OSXSAVE", .id = EVC_F_OSXSAVE, .truth = EVC_UNSURE },
	{ .name = "the guest switches OSPKE", .id = EVC_F_OSPKE, .truth = EVC_UNSURE },
	{ .name = "one vCPU in a package has no HT", .n_shared = 1, .id = EVC_F_HT, .truth = EVC_ABSENT },
	{ .name = "more in a package may have HT", .n_shared = 2, .id = EVC_F_HT, .truth = EVC_UNSURE },
	{ .name = "where nobody tells how many, it may have HT", .id = EVC_F_HT, .truth = EVC_UNSURE },
	{ .name = "caches are not known", .id = EVC_F_CACHE_SELF_INIT, .truth = EVC_UNSURE },
	{ .name = "a register without a word, of a leaf with words, is empty",
	  .id = EVC_F_PBNDKB,
	  .truth = EVC_ABSENT },
	{ .name = "a feature that this QEMU has no property for is not shown",
	  .id = EVC_F_AVX_VNNI_INT8,
	  .truth = EVC_ABSENT },
	{ .name = "a feature of an MSR is its property's value",
	  .more = "\"rdctl-no\": true",
	  .id = EVC_F_RDCL_NO,
	  .truth = EVC_PRESENT },
	{ .name = "a feature of an MSR that is off is not there",
	  .more = "\"rdctl-no\": false",
	  .id = EVC_F_RDCL_NO,
	  .truth = EVC_ABSENT },
	{ .name = "an MSR's feature without a property is not shown",
	  .id = EVC_F_RFDS_NO,
	  .truth = EVC_ABSENT },
	{ .name = "a property that is there and was not asked for says nothing of an MSR",
	  .more = "\"rdctl-no\": null",
	  .id = EVC_F_RDCL_NO,
	  .truth = EVC_UNSURE },
	{ .name = "the hypervisor's word is there",
	  .kvm = true,
	  .id = EVC_F_KVMCLOCK2,
	  .truth = EVC_PRESENT },
	{ .name = "Hyper-V's leaves push KVM's away",
	  .more = "\"hv-relaxed\": true",
	  .kvm = true,
	  .id = EVC_F_KVMCLOCK2,
	  .truth = EVC_UNSURE },
	{ .name = "a fixed model tells of MWAIT's extensions", .id = EVC_F_MWAIT_EXT, .truth = EVC_PRESENT },
	{ .name = "the host's model tells the same when it shows no MONITOR",
	  .more = "\"type\": \"host-x86_64-cpu\", \"monitor\": false",
	  .kvm = true,
	  .id = EVC_F_MWAIT_EXT,
	  .truth = EVC_PRESENT },
	{ .name = "the host's model with MONITOR may tell anything of MWAIT",
	  .more = "\"type\": \"host-x86_64-cpu\", \"monitor\": true",
	  .kvm = true,
	  .id = EVC_F_MWAIT_EXT,
	  .truth = EVC_UNSURE },
};

static void truth(void **state)
{
	size_t i = (size_t)*state;
	char text[4096];
	struct evc_dump dump;
	struct evc_cpu cpu;

	/* a later member takes the place of an earlier one of its name */
	snprintf(text, sizeof(text), "{" NUMBERS ", " WORDS "%s%s}", rows[i].more ? ", " : "",
	         rows[i].more ? rows[i].more : "");
	dump = make(text, rows[i].kvm, rows[i].n_shared);
	evc_cpu_decode(&dump, &cpu);
	assert_int_equal(evc_cpu_truth(&cpu, rows[i].id), rows[i].truth);
}

/* What is not a vCPU of x86, or not whole. */
static void refuses_what_is_no_vcpu(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{" NUMBERS "}",
		"{" WORDS "}",
		"{" NUMBERS ", \"feature-words\": []}",
		"{" NUMBERS ", \"feature-words\": [1]}",
		"{" NUMBERS ", \"feature-words\": [" WORD(1, "EFX", 1) "]}",
		"{" NUMBERS ", \"feature-words\": [" WORD(1, "EAX", 4294967296) "]}",
		"{" NUMBERS ", " WORDS ", \"vendor\": \"GenuineIntelX\"}",
		"{" NUMBERS ", " WORDS ", \"family\": -1}",
		"{" NUMBERS ", " WORDS ", \"model\": 256}",
		"{" NUMBERS ", " WORDS ", \"level\": \"13\"}",
	};
	const struct evc_qom_machine machine = { .n_alike = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *properties = json_loads(texts[i], 0, NULL);
		struct evc_error err = { 0 };
		struct evc_dump dump;

		assert_non_null(properties);
		assert_int_equal(evc_qom_dump(properties, &machine, &arena, &dump, &err), EVC_ERR_INPUT);
		assert_non_null(strstr(err.text, "expected the properties of an x86 vCPU"));
		json_decref(properties);
	}
}

/* Under KVM a state is where the host has it. */
static void takes_states_from_the_host(void **state)
{
	static const struct evc_leaf leaves[] = {
		{ .leaf = 0, .value = { 13 }, .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
		{ .leaf = 0xd,
		  .value = { 0x207 },
		  .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
		{ .leaf = 0xd,
		  .subleaf = 9,
		  .value = { 8, 2432, 0, 0 },
		  .known = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
	};
	const struct evc_dump host = { .leaves = leaves, .n_leaves = 3, .n_alike = 1 };
	struct evc_dump dump =
		make("{" NUMBERS ", \"feature-words\": [" SUBWORD(13, 0, "EAX", 519) "]}", true, 1);
	struct evc_error err = { 0 };
	uint64_t known;

	(void)state;
	assert_int_equal(evc_dump_register(&dump, 0xd, 9, EVC_EBX, &known), 0);
	assert_int_equal(known, 0);
	assert_int_equal(evc_qom_states(&dump, &host, &arena, &dump, &err), EVC_OK);
	assert_int_equal(evc_dump_register(&dump, 0xd, 9, EVC_EBX, &known), 2432);
	assert_int_equal(known, UINT32_MAX);
	assert_int_equal(dump.n_alike, 2);
	/* AVX's is the same everywhere, and the host did not tell */
	assert_int_equal(evc_dump_register(&dump, 0xd, 2, EVC_EBX, &known), 576);
}

static void reads_the_clock(void **state)
{
	json_t *properties = json_loads("{\"tsc-frequency\": 2400000000}", 0, NULL), *none = json_object();

	(void)state;
	assert_int_equal(evc_qom_tsc_khz(properties), 2400000);
	assert_int_equal(evc_qom_tsc_khz(none), 0);
	json_decref(properties);
	json_decref(none);
}

/* Properties by name and type, and whether they are the model's. */
static void tells_the_model_from_the_place(void **state)
{
	static const struct {
		const char *name, *type;
		bool model;
	} properties[] = {
		{ "avx2", "bool", true },
		{ "model-id", "string", true },
		{ "apic-id", "uint32", false },
		{ "lapic", "child<apic>", false },
		{ "memory", "link<memory-region>", false },
		{ "filtered-features", "X86CPUFeatureWordInfo", false },
		{ "tsc-frequency", "int", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		assert_int_equal(evc_qom_is_model(properties[i].name, properties[i].type),
		                 properties[i].model);
}

int main(void)
{
	enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(says_what_words_and_numbers_say), cmocka_unit_test(refuses_what_is_no_vcpu),
		cmocka_unit_test(takes_states_from_the_host),      cmocka_unit_test(reads_the_clock),
		cmocka_unit_test(tells_the_model_from_the_place),
	};
	struct CMUnitTest tests[sizeof(fixed) / sizeof(fixed[0]) + N_ROWS];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		tests[n++] = fixed[i];
	for (size_t i = 0; i < N_ROWS; i++)
		tests[n++] = (struct CMUnitTest){ .name = rows[i].name,
			                          .test_func = truth,
			                          .initial_state = (void *)i };
	return cmocka_run_group_tests_name("text/qom", tests, NULL, free_arena);
}
