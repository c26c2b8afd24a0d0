/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Predicted offers: the rules one by one, on machines of the corpus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/kvm_rules.h"
#include "core/machines.h"
#include "core/offer.h"
#include "core/qemu.h"

#include <string.h>

static struct evc_host machine(const char *name)
{
	return corpus_host_named(name, &arena);
}

static struct evc_offer offer_of(const struct evc_host *host, const struct evc_offer_options *options)
{
	return corpus_offer(host, options, &arena);
}

/* --- The rules, one by one --- */

#define HASWELL "machines/intel-haswell-2xxeon-e5-2680v3"
#define CASCADELAKE "machines/intel-cascadelake-2xxeon6230"
#define SAPPHIRE "machines/intel-sapphirerapids-2xxeonmax9460"
#define RAPTOR "machines/intel-raptorlake-corei7-1370p"
#define MEROM "machines/intel-core-2xxeon-e5345"
#define NAPLES "machines/amd-17h-zen-2xepyc-7451"
#define MILAN "machines/amd-19h-zen3-2xepyc-7763"
#define ROME "kvm-hosts/epyc-7502-32-core"
#define SKYLAKE "kvm-hosts/core-i5-6600"
#define ICELAKE "kvm-hosts/ice-lake-server"
#define ALDER "kvm-hosts/core-i7-1270p"
#define GRANITE "kvm-hosts/xeon-6788p"

struct rule_row {
	const char *why;
	const char *host;
	struct evc_offer_options options;
	const char *feature;
	enum evc_truth want;
	uint32_t microcode;
};

static const struct rule_row rule_rows[] = {
	{ "xsaves of Zen 2 was offered before the erratum was known",
	  ROME,
	  { .kernel = "5.10.13" },
	  "xsaves",
	  EVC_PRESENT,
	  0 },
	{ "then taken away", ROME, { .kernel = "6.1.187" }, "xsaves", EVC_ABSENT, 0 },
	{ "then offered with new microcode", ROME, { .kernel = "6.12.8" }, "xsaves", EVC_PRESENT, 0x8301052 },
	{ "and not with old", ROME, { .kernel = "6.12.8" }, "xsaves", EVC_ABSENT, 0x8301051 },
	{ "and unknown when the microcode is", ROME, { .kernel = "6.12.8" }, "xsaves", EVC_UNSURE, 0 },
	{ "Debian's ABI number does not tell the stable kernel",
	  ROME,
	  { .kernel = "6.1.0-50-amd64" },
	  "xsaves",
	  EVC_UNSURE,
	  0 },
	{ "what all stable kernels of it offer is known",
	  ROME,
	  { .kernel = "6.1.0-50-amd64" },
	  "avx2",
	  EVC_PRESENT,
	  0 },
	{ "between two trees that differ nobody knows",
	  ROME,
	  { .kernel = "6.1.90" },
	  "xsaves",
	  EVC_UNSURE,
	  0 },
	{ "a vendor's kernel may have taken back anything newer",
	  MILAN,
	  { .kernel = "5.14.0-503.el9.x86_64" },
	  "amd-psfd",
	  EVC_UNSURE,
	  0 },
	{ "kernels older than all that were read are not sure",
	  HASWELL,
	  { .kernel = "2.6.32" },
	  "avx2",
	  EVC_UNSURE,
	  0 },
	{ "tsc-adjust is offered without hardware",
	  ROME,
	  { .kernel = "5.10.13" },
	  "tsc-adjust",
	  EVC_PRESENT,
	  0 },
	{ "x2apic too", MILAN, { .qemu = "7.2" }, "x2apic", EVC_PRESENT, 0 },
	{ "monitor never is", HASWELL, { .qemu = "10.0" }, "monitor", EVC_ABSENT, 0 },
	{ "nor is EIST", HASWELL, { .qemu = "10.0" }, "est", EVC_ABSENT, 0 },
	{ "vmx only when asked for", SKYLAKE, { .kernel = "6.1.187" }, "vmx", EVC_ABSENT, 0 },
	{ "vmx when asked for", SKYLAKE, { .kernel = "6.1.187", .nested = true }, "vmx", EVC_PRESENT, 0 },
	{ "vmx not with nested=0",
	  SKYLAKE,
	  { .kernel = "6.1.187", .nested = true, .options = "nested=0" },
	  "vmx",
	  EVC_ABSENT,
	  0 },
	{ "without svm a guest is not told what svm can do",
	  MILAN,
	  { .kernel = "6.1.187" },
	  "svm-nasid",
	  EVC_ABSENT,
	  0 },
	{ "with it it is", MILAN, { .kernel = "6.1.187", .nested = true }, "svm-nasid", EVC_PRESENT, 0 },
	{ "umip is emulated where the exit is there, which this dump does not say",
	  SKYLAKE,
	  { .kernel = "6.1.187" },
	  "umip",
	  EVC_UNSURE,
	  0 },
	{ "no umip before it was emulated", SKYLAKE, { .kernel = "4.4.1" }, "umip", EVC_ABSENT, 0 },
	{ "hybrid hosts lose their PMU",
	  RAPTOR,
	  { .kernel = "6.12.8", .qemu = "10.0" },
	  "pdcm",
	  EVC_ABSENT,
	  0 },
	{ "which they had", RAPTOR, { .kernel = "6.1.4", .qemu = "10.0" }, "pdcm", EVC_PRESENT, 0 },
	{ "pku needs EPT", SAPPHIRE, { .options = "ept=0" }, "pku", EVC_ABSENT, 0 },
	{ "pku with EPT", SAPPHIRE, { .options = "ept=1" }, "pku", EVC_PRESENT, 0 },
	{ "module names before parameters are understood",
	  SAPPHIRE,
	  { .options = "kvm_intel.ept=N" },
	  "pku",
	  EVC_ABSENT,
	  0 },
	{ "RSBA that the CPU does not have is not shown",
	  SKYLAKE,
	  { .kernel = "6.12.107" },
	  "rsba",
	  EVC_ABSENT,
	  0 },
	{ "an old QEMU has no name for what KVM offers", SAPPHIRE, { .qemu = "7.2" }, "fzrm", EVC_ABSENT, 0 },
	{ "a newer one has", SAPPHIRE, { .qemu = "10.0" }, "fzrm", EVC_PRESENT, 0 },
	{ "invtsc keeps guests from being migrated",
	  SKYLAKE,
	  { .kernel = "6.12.8" },
	  "invtsc",
	  EVC_ABSENT,
	  0 },
	{ "self-snoop of Merom was offered", MEROM, { .kernel = "4.19.0" }, "ss", EVC_PRESENT, 0 },
	{ "and is not any more", MEROM, { .kernel = "6.12.8" }, "ss", EVC_ABSENT, 0 },
	{ "no kernel named: the newest",
	  MILAN,
	  { .view = EVC_VIEW_AUTO },
	  "lfence-always-serializing",
	  EVC_PRESENT,
	  0 },
	{ "VMX registers that no CPU has tell nothing: what is usual is taken",
	  GRANITE,
	  { .kernel = "6.12.8" },
	  "invpcid",
	  EVC_PRESENT,
	  0 },
	{ "they promise a guest that may run guests nothing",
	  GRANITE,
	  { .kernel = "6.12.8", .nested = true },
	  "vmx-vpid",
	  EVC_UNSURE,
	  0 },
	{ "what KVM emulates for every nested guest is known",
	  GRANITE,
	  { .kernel = "6.12.8", .nested = true },
	  "vmx-ept",
	  EVC_PRESENT,
	  0 },
	{ "a plain guest is not told of VMX", GRANITE, { .kernel = "6.12.8" }, "vmx-ept", EVC_ABSENT, 0 },
	{ "fb-clear is told to guests that KVM tells they need it not",
	  SAPPHIRE,
	  { .kernel = "6.12.8", .qemu = "10.2" },
	  "fb-clear",
	  EVC_UNSURE,
	  0 },
	{ "not where KVM does not tell taa-no, without RTM",
	  ALDER,
	  { .kernel = "6.12.8", .qemu = "10.2" },
	  "fb-clear",
	  EVC_ABSENT,
	  0 },
	{ "performance samples into a guest's memory: Ice Lake's servers",
	  ICELAKE,
	  { .kernel = "6.1.4" },
	  "ds",
	  EVC_PRESENT,
	  0 },
	{ "later CPUs by the format of their samples, which this dump does not tell",
	  SAPPHIRE,
	  { .kernel = "6.12.8" },
	  "ds",
	  EVC_UNSURE,
	  0 },
	{ "no CPU before there was the option", ICELAKE, { .kernel = "5.10.262" }, "ds", EVC_ABSENT, 0 },
	{ "arch-capabilities on AMD, to QEMU 10.1",
	  MILAN,
	  { .qemu = "10.0" },
	  "arch-capabilities",
	  EVC_PRESENT,
	  0 },
	{ "and hidden from 10.2 on", MILAN, { .qemu = "10.2" }, "arch-capabilities", EVC_ABSENT, 0 },
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rule_rows) / sizeof(rule_rows[0]); i++) {
		const struct rule_row *row = &rule_rows[i];
		struct evc_host host = machine(row->host);
		enum evc_feature_id id;
		struct evc_offer offer;

		host.facts.microcode = row->microcode;
		offer = offer_of(&host, &row->options);
		assert_int_equal(offer.basis, EVC_OFFER_PREDICTED);
		if (!evc_feature_find(evc_span_from(row->feature), &id))
			fail_msg("no feature %s", row->feature);
		if (evc_cpu_truth(&offer.cpu, id) != row->want)
			fail_msg("%s: %s of %s is %d", row->why, row->feature, row->host,
			         (int)evc_cpu_truth(&offer.cpu, id));
	}
}

/* Linux gives Intel's guests AMD's bits of speculation, made of Intel's. */
static void test_other_vendors_bits(void **state)
{
	struct evc_host host = machine(CASCADELAKE);
	struct evc_offer offer = offer_of(&host, &(struct evc_offer_options){ .kernel = "6.1.187" });

	(void)state;
	assert_int_equal(evc_dump_get(&offer.dump, evc_features[EVC_F_IBPB].bit, NULL), 1);
	assert_int_equal(evc_dump_get(&offer.dump, evc_features[EVC_F_AMD_STIBP].bit, NULL), 1);
	assert_int_equal(evc_cpu_truth(&offer.cpu, EVC_F_IBPB), EVC_PRESENT);
	/* And a server of its time is shown what its generation is. */
	assert_int_equal(evc_cpu_truth(&offer.cpu, EVC_F_AVX512_VNNI), EVC_PRESENT);
}

static void test_extended_leaf_is_raised(void **state)
{
	struct evc_host host = machine(ROME);

	(void)state;
	assert_int_equal(offer_of(&host, &(struct evc_offer_options){ .kernel = "5.10.13" }).cpu.max_extended,
	                 0x8000001f);
	assert_int_equal(offer_of(&host, &(struct evc_offer_options){ .kernel = "6.1.187" }).cpu.max_extended,
	                 0x80000021);
}

/* QEMU adds fb-clear where KVM's answer says that VERW need not clear, from 10.2 on and in stable releases.
 */
static void test_added_to_kvms_answer(void **state)
{
	static const struct {
		const char *qemu;
		enum evc_truth want;
	} rows[] = { { "10.2", EVC_PRESENT }, { "10.0", EVC_UNSURE }, { "9.2", EVC_ABSENT } };
	struct evc_host host = machine(GRANITE);

	(void)state;
	host.kvm = &host.cpus[0];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_offer offer = offer_of(&host, &(struct evc_offer_options){ .qemu = rows[i].qemu });

		assert_int_equal(evc_cpu_truth(&offer.cpu, EVC_F_FB_CLEAR), rows[i].want);
	}
}

/* --- Kernel versions --- */

struct kernel_row {
	const char *kernel, *first, *last; /* of the trees it may be; NULL: no version */
	bool older;
};

static const struct kernel_row kernel_rows[] = {
	{ "6.12.107", "6.12.107", "6.12.107", false },
	{ "6.12.57+deb13-amd64", "6.12.8", "6.12.107", false },
	{ "6.12.200", "6.12.107", "6.12.107", false },
	{ "6.12", "6.12.8", "6.12.107", false },
	{ "6.12.3", "6.1.4", "6.12.8", false },
	{ "6.1.0-50-amd64", "6.1.4", "6.1.187", false },
	{ "6.6.30", "6.1.4", "6.12.107", false },
	{ "7.3.4", "7.2.8", "7.2.8", false },
	{ "4.18.0-553.el8_10.x86_64", "4.4.1", "7.2.8", false },
	{ "5.15.0-91-generic", "5.10.13", "7.2.8", false },
	{ "6.12.1-1.el9.elrepo.x86_64", "6.1.4", "6.12.8", false },
	{ "3.10.0-1160.119.1.el7.x86_64", "el7", "el7", false },
	{ "2.6.32", "4.4.1", "4.4.1", true },
	{ "", "7.2.8", "7.2.8", false },
	{ "six", NULL, NULL, false },
	{ "6", NULL, NULL, false },
	{ "6.x", NULL, NULL, false },
};

static void test_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kernel_rows) / sizeof(kernel_rows[0]); i++) {
		const struct kernel_row *row = &kernel_rows[i];
		struct evc_kvm_kernels kernels;
		unsigned first, last;

		if (evc_kvm_kernels_from(row->kernel, &kernels) != !!row->first)
			fail_msg("%s: is it a version?", row->kernel);
		if (!row->first)
			continue;
		first = (unsigned)__builtin_ctz(kernels.trees);
		last = 31 - (unsigned)__builtin_clz(kernels.trees);
		if (strcmp(evc_kvm_trees[first].name, row->first) ||
		    strcmp(evc_kvm_trees[last].name, row->last) || kernels.older != row->older)
			fail_msg("%s: %s to %s", row->kernel, evc_kvm_trees[first].name,
			         evc_kvm_trees[last].name);
	}
}

/* --- Views, causes, findings --- */

static void test_views(void **state)
{
	struct evc_host host = machine("kvm-hosts/epyc-9004-guest"), real = machine(MILAN);
	struct evc_offer plain;

	(void)state;
	assert_int_equal(offer_of(&host, &(struct evc_offer_options){ 0 }).basis, EVC_OFFER_GIVEN);
	assert_int_equal(offer_of(&host, &(struct evc_offer_options){ .view = EVC_VIEW_KVM }).basis,
	                 EVC_OFFER_PREDICTED);
	assert_int_equal(offer_of(&real, &(struct evc_offer_options){ .view = EVC_VIEW_RAW }).basis,
	                 EVC_OFFER_GIVEN);
	/* The offer of a host that was captured with KVM's answer is that answer, through QEMU. */
	real.kvm = &real.cpus[0];
	assert_int_equal(offer_of(&real, &(struct evc_offer_options){ 0 }).basis, EVC_OFFER_MEASURED);
	plain = offer_of(&real, &(struct evc_offer_options){ .qemu = "7.2" });
	assert_true(evc_set_has(&plain.cpu.has, EVC_F_AVX2));
	assert_false(evc_set_has(&plain.cpu.has, EVC_F_SVM));
}

struct cause_row {
	const char *host;
	struct evc_offer_options options;
	enum evc_feature_id feature;
	enum evc_cause want;
};

static const struct cause_row cause_rows[] = {
	{ HASWELL, { 0 }, EVC_F_AVX2, EVC_CAUSE_NONE },
	{ HASWELL, { 0 }, EVC_F_MONITOR, EVC_CAUSE_NEVER },
	{ SAPPHIRE, { .kernel = "4.19.0" }, EVC_F_AMX_TILE, EVC_CAUSE_KERNEL },
	{ SAPPHIRE, { .options = "ept=0" }, EVC_F_PKU, EVC_CAUSE_OPTION },
	{ SAPPHIRE, { .qemu = "7.2" }, EVC_F_FZRM, EVC_CAUSE_QEMU },
	{ SAPPHIRE, { 0 }, EVC_F_INVTSC, EVC_CAUSE_UNMIGRATABLE },
	{ MILAN, { 0 }, EVC_F_SVM, EVC_CAUSE_OPTION },
	{ HASWELL, { 0 }, EVC_F_SVM, EVC_CAUSE_VENDOR },
	{ HASWELL, { .kernel = "el7" }, EVC_F_KVM_ASYNCPF_INT, EVC_CAUSE_KERNEL },
	{ HASWELL, { .qemu = "7.2" }, EVC_F_KVM_ASYNCPF_VMEXIT, EVC_CAUSE_QEMU },
};

static void test_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cause_rows) / sizeof(cause_rows[0]); i++) {
		const struct cause_row *row = &cause_rows[i];
		struct evc_host host = machine(row->host);
		struct evc_offer offer = offer_of(&host, &row->options);

		if (evc_offer_cause(&host, &row->options, &offer, row->feature) != row->want)
			fail_msg("%s of %s: cause %d", evc_features[row->feature].name, row->host,
			         (int)evc_offer_cause(&host, &row->options, &offer, row->feature));
	}
}

/* Linux 5.10 does not show AMX: neither its states nor the room for them.  Nobody shows the supervisor's. */
static void test_sizes_of_what_is_shown(void **state)
{
	static const struct {
		const char *kernel;
		uint32_t components, size, compacted, tiles;
	} rows[] = {
		{ .kernel = "5.10.0", .components = 0x2e7, .size = 0xa88, .compacted = 0x988, .tiles = 0 },
		{ .kernel = "6.12.107",
		  .components = 0x602e7,
		  .size = 0x2b00,
		  .compacted = 0x2a00,
		  .tiles = 0x2000 },
	};
	struct evc_host host = machine(SAPPHIRE);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_offer offer =
			offer_of(&host, &(struct evc_offer_options){ .kernel = rows[i].kernel });
		uint64_t known;

		assert_int_equal(evc_dump_register(&offer.dump, 0xd, 0, EVC_EAX, &known), rows[i].components);
		assert_int_equal(evc_dump_register(&offer.dump, 0xd, 0, EVC_EBX, &known), rows[i].size);
		assert_int_equal(evc_dump_register(&offer.dump, 0xd, 0, EVC_ECX, &known), rows[i].size);
		assert_int_equal(evc_dump_register(&offer.dump, 0xd, 1, EVC_EBX, &known), rows[i].compacted);
		assert_int_equal(evc_dump_register(&offer.dump, 0xd, 18, EVC_EAX, &known), rows[i].tiles);
		for (size_t m = 0; m < offer.dump.n_msrs; m++)
			assert_true(offer.dump.msrs[m].index >= 0x3a); /* none but MSRs */
	}
}

static enum evc_truth truth_in(const struct evc_host *host, const struct evc_offer_options *options,
                               enum evc_feature_id id)
{
	struct evc_offer offer = offer_of(host, options);

	return evc_cpu_truth(&offer.cpu, id);
}

static void test_what_the_capture_says(void **state)
{
	struct evc_host host = machine(SAPPHIRE);
	const struct evc_offer_options none = { 0 }, ept = { .options = "ept=1" },
				       kernel = { .kernel = "6.12.107" }, qemu = { .qemu = "10.0" };

	(void)state;
	host.facts.kvm_options = "kvm.ignore_msrs=N kvm_intel.ept=N";
	assert_int_equal(truth_in(&host, &none, EVC_F_PKU), EVC_ABSENT);
	assert_int_equal(truth_in(&host, &ept, EVC_F_PKU), EVC_PRESENT);
	host.facts.kvm_options = NULL;
	host.facts.kernel = "5.10.262";
	assert_int_equal(truth_in(&host, &none, EVC_F_AMX_TILE), EVC_ABSENT);
	assert_int_equal(truth_in(&host, &kernel, EVC_F_AMX_TILE), EVC_PRESENT);
	host.facts.kernel = "6.12.107";
	host.facts.qemu = "7.2.22";
	assert_int_equal(truth_in(&host, &none, EVC_F_FZRM), EVC_ABSENT);
	assert_int_equal(truth_in(&host, &qemu, EVC_F_FZRM), EVC_PRESENT);
}

static void test_leaves_that_kvm_does_not_show(void **state)
{
	static const uint32_t shown[] = { 1, 4, 7, 0xb, 0xd }, hidden[] = { 5, 6, 0xf, 0x10, 0x14, 0x16 };
	struct evc_host host = machine(SKYLAKE);
	struct evc_offer offer = offer_of(&host, &(struct evc_offer_options){ .kernel = "6.12.107" });
	uint64_t known;

	(void)state;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		assert_true(evc_dump_register(&offer.dump, shown[i], 0, EVC_EBX, &known) ||
		            evc_dump_register(&offer.dump, shown[i], 0, EVC_EAX, &known));
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		for (int reg = EVC_EBX; reg <= EVC_EDX; reg++) {
			assert_int_equal(
				evc_dump_register(&offer.dump, hidden[i], 0, (enum evc_reg)reg, &known), 0);
			assert_int_equal(known, UINT32_MAX);
		}
}

/* A guest's vCPU may run on any of them. */
static void test_fields_of_a_hybrid_host(void **state)
{
	static const struct {
		uint32_t bits[2]; /* 0: not known */
		uint64_t offered;
	} rows[] = {
		{ .bits = { 46, 39 }, .offered = 39 },
		{ .bits = { 39, 46 }, .offered = 39 },
		{ .bits = { 46, 46 }, .offered = 46 },
		{ .bits = { 46, 0 } },
		{ .bits = { 0, 46 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_host host = machine("machines/golden-cove-intel-pentium-gold-g7400");
		struct evc_offer offer;
		uint64_t value = 0;

		assert_true(host.n_cpus == 2);
		for (int kind = 0; kind < 2; kind++) {
			struct evc_leaf *leaf =
				(struct evc_leaf *)evc_dump_find(&host.cpus[kind], 0x80000008, 0);

			assert_non_null(leaf);
			leaf->value[EVC_EAX] = (leaf->value[EVC_EAX] & ~UINT32_C(0xff)) | rows[i].bits[kind];
			if (!rows[i].bits[kind])
				leaf->known[EVC_EAX] &= ~UINT32_C(0xff);
		}
		offer = offer_of(&host, &(struct evc_offer_options){ .kernel = "6.12.107" });
		assert_int_equal(evc_cpu_value(&offer.cpu, EVC_F_PHYS_ADDR_BITS, &value),
		                 rows[i].offered != 0);
		assert_int_equal(value, rows[i].offered);
		assert_int_equal(offer.cpu.vendor, EVC_VENDOR_INTEL);
	}
}

static void test_which_trees_answered(void **state)
{
	static const struct {
		struct evc_offer_options options;
		const char *tree;
	} rows[] = {
		{ .options = { .kernel = "6.1.187" }, .tree = "6.1.187" },
		{ .options = { .kernel = "6.1.100" }, .tree = "6.1.4..6.1.187" },
		{ .options = { .kernel = "el7" }, .tree = "el7" },
		{ .options = { .view = EVC_VIEW_RAW }, .tree = "" },
	};
	struct evc_host host = machine(SKYLAKE);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(offer_of(&host, &rows[i].options).kernel_tree, rows[i].tree);
}

static void test_what_was_assumed(void **state)
{
	static const struct {
		struct evc_offer_options options;
		bool measured;
		const char *assumed;
	} rows[] = {
		{ .assumed = "kernel and QEMU are not known: taken as the newest known" },
		{ .options = { .kernel = "6.12.8" },
		  .assumed = "QEMU is not known: taken as the newest known" },
		{ .options = { .qemu = "9.2" },
		  .assumed = "the kernel is not known: taken as the newest known" },
		{ .options = { .kernel = "6.12.8", .qemu = "9.2" }, .assumed = "" },
		{ .measured = true, .assumed = "QEMU is not known: taken as the newest known" },
		{ .options = { .qemu = "9.2" }, .measured = true, .assumed = "" },
		{ .options = { .view = EVC_VIEW_RAW }, .assumed = "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_host host = machine(MILAN);

		host.kvm = rows[i].measured ? &host.cpus[0] : NULL;
		assert_string_equal(offer_of(&host, &rows[i].options).assumed, rows[i].assumed);
	}
}

static void test_unknown_kernel_is_noted_once(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_host host = machine(MILAN);
	struct evc_offer offer;
	struct evc_error err;

	(void)state;
	assert_int_equal(
		evc_offer_make(&host, &(struct evc_offer_options){ 0 }, &arena, &offer, &findings, &err), 0);
	assert_int_equal(findings.n, 1);
	assert_int_equal(findings.items[0].severity, EVC_NOTE);
	assert_int_equal(evc_offer_make(&host, &(struct evc_offer_options){ .kernel = "six" }, &arena, &offer,
	                                NULL, &err),
	                 EVC_ERR_USAGE);
	assert_int_equal(evc_offer_make(&host, &(struct evc_offer_options){ .options = "ept" }, &arena,
	                                &offer, NULL, &err),
	                 EVC_ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "each rule, on a real machine", test_rules, NULL, NULL, NULL },
		{ "AMD's speculation bits are shown on Intel", test_other_vendors_bits, NULL, NULL, NULL },
		{ "KVM raises the highest extended leaf of Zen 2", test_extended_leaf_is_raised, NULL, NULL,
		  NULL },
		{ "QEMU adds to what KVM answered", test_added_to_kvms_answer, NULL, NULL, NULL },
		{ "a kernel's version says which trees it may be", test_kernels, NULL, NULL, NULL },
		{ "views: given, predicted, measured", test_views, NULL, NULL, NULL },
		{ "why a feature is not in the offer", test_causes, NULL, NULL, NULL },
		{ "XSAVE's area is as large as what is shown of it", test_sizes_of_what_is_shown, NULL, NULL,
		  NULL },
		{ "what the capture says counts, what is said beside it counts more",
		  test_what_the_capture_says, NULL, NULL, NULL },
		{ "leaves that KVM does not show are empty", test_leaves_that_kvm_does_not_show, NULL, NULL,
		  NULL },
		{ "fields are those that all kinds of CPU can give", test_fields_of_a_hybrid_host, NULL, NULL,
		  NULL },
		{ "which trees answered is told", test_which_trees_answered, NULL, NULL, NULL },
		{ "what nobody said of kernel and QEMU is told", test_what_was_assumed, NULL, NULL, NULL },
		{ "an unknown kernel is noted once, a wrong one refused", test_unknown_kernel_is_noted_once,
		  NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("core/offer", tests, NULL, free_arena);
}
