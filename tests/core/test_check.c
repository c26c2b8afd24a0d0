/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks on real machines: who may move where, and the reason given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/check.h"
#include "core/machines.h"
#include "text/modes.h"

#include <string.h>

#define HASWELL "intel-haswell-2xxeon-e5-2680v3"
#define BROADWELL "intel-broadwell-2xxeon-e5-2650lv4"
#define SKYLAKE "intel-skylake-2xxeon6140"
#define CASCADELAKE "intel-cascadelake-2xxeon6230"
#define ROME "zen2-amd-ryzen-threadripper-pro-3955wx-16-cores"
#define BULLDOZER "amd-15h-bulldozer-4xopteron-6272"
#define VERMEER "zen3-amd-ryzen-9-5950x-16-core-processor"
#define MILAN "amd-19h-zen3-2xepyc-7763"
#define NAPLES "amd-17h-zen-2xepyc-7451"

static struct evc_check_side side(const char *name, struct evc_cpu *cpu)
{
	assert_true(machine_read(name, &arena, cpu));
	return (struct evc_check_side){ .name = name, .cpu = cpu, .silicon = cpu };
}

static const struct evc_finding *find(const struct evc_findings *findings, enum evc_finding_kind kind,
                                      enum evc_feature_id id)
{
	for (size_t i = 0; i < findings->n; i++)
		if (findings->items[i].kind == kind && findings->items[i].feature == id)
			return &findings->items[i];
	return NULL;
}

/* Whoever moves from one machine to another: features that must be named, with their cause. */
static const struct {
	const char *guest, *host;
	enum evc_verdict verdict;
	struct {
		enum evc_feature_id id;
		enum evc_cause cause;
	} lacks[4];
} moves[] = {
	{ .guest = SKYLAKE,
	  .host = HASWELL,
	  .verdict = EVC_NO,
	  .lacks = { { EVC_F_AVX512F, EVC_CAUSE_OLDER }, { EVC_F_CLWB, EVC_CAUSE_OLDER } } },
	{ .guest = BROADWELL,
	  .host = HASWELL,
	  .verdict = EVC_NO,
	  .lacks = { { EVC_F_ADX, EVC_CAUSE_OLDER } } },
	{ .guest = BULLDOZER,
	  .host = NAPLES,
	  .verdict = EVC_NO,
	  .lacks = { { EVC_F_XOP, EVC_CAUSE_REMOVED }, { EVC_F_FMA4, EVC_CAUSE_REMOVED } } },
	{ .guest = ROME, .host = SKYLAKE, .verdict = EVC_NO, .lacks = { { EVC_F_SSE4A, EVC_CAUSE_VENDOR } } },
};

static void names_what_is_missing_and_the_cause(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		struct evc_findings findings = { .arena = &arena };
		struct evc_cpu a, b;
		struct evc_check_side guest = side(moves[i].guest, &a), host = side(moves[i].host, &b);
		struct evc_check_options options = { .modes = &evc_builtin_modes };

		assert_int_equal(evc_check_move(&guest, &host, &options, &findings), moves[i].verdict);
		for (size_t k = 0; k < 4 && moves[i].lacks[k].cause != EVC_CAUSE_NONE; k++) {
			const struct evc_finding *finding =
				find(&findings, EVC_FINDING_LACKS, moves[i].lacks[k].id);

			assert_non_null(finding);
			assert_int_equal(finding->cause, moves[i].lacks[k].cause);
			assert_int_equal(finding->severity, EVC_BLOCKS);
		}
	}
}

static void says_another_vendor_once(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_cpu a, b;
	struct evc_check_side guest = side(ROME, &a), host = side(SKYLAKE, &b);

	(void)state;
	evc_check_move(&guest, &host, NULL, &findings);
	assert_non_null(find(&findings, EVC_FINDING_VENDOR, EVC_N_FEATURES));
	assert_null(find(&findings, EVC_FINDING_OUTSIDE, EVC_F_CPU_VENDORID_0));
}

/* Same machine, another logical CPU, an OS that switched other things on. */
static void equal_machines_fit_whatever_their_apic_ids_and_os(void **state)
{
	static const enum evc_feature_id own[] = { EVC_F_OSXSAVE, EVC_F_OSPKE, EVC_F_LOCAL_APIC_ID,
		                                   EVC_F_N_LOGICAL_CPU, EVC_F_HYPERVISOR };
	struct evc_cpu a, b;
	struct evc_misfit misfit;

	(void)state;
	side(HASWELL, &a);
	b = a;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		evc_set_add(&a.has, own[i]);
		evc_set_drop(&b.has, own[i]);
	}
	assert_int_not_equal(evc_check_fits(&a, &b, &misfit), EVC_NO);
	assert_int_not_equal(evc_check_fits(&b, &a, &misfit), EVC_NO);
	/* With all known the answer is yes, both ways. */
	memset(&a.known, 0xff, sizeof(a.known));
	memset(&b.known, 0xff, sizeof(b.known));
	assert_int_equal(evc_check_fits(&a, &b, &misfit), EVC_YES);
	assert_int_equal(evc_check_fits(&b, &a, &misfit), EVC_YES);
}

/* QEMU tells every guest of extensions of MWAIT, also those that it shows no MONITOR. */
static void extensions_of_an_mwait_that_is_not_there_are_none(void **state)
{
	struct evc_cpu guest = { 0 };

	(void)state;
	memset(&guest.known, 0xff, sizeof(guest.known));
	evc_set_add(&guest.has, EVC_F_MWAIT_EXT);
	evc_set_add(&guest.has, EVC_F_MONITOR);
	evc_check_settle(&guest);
	assert_int_equal(evc_cpu_truth(&guest, EVC_F_MWAIT_EXT), EVC_PRESENT);
	evc_set_drop(&guest.has, EVC_F_MONITOR);
	evc_check_settle(&guest);
	assert_int_equal(evc_cpu_truth(&guest, EVC_F_MWAIT_EXT), EVC_ABSENT);
}

/* What a host's CPU decides is told whatever announces it. */
static void a_size_of_state_is_that_of_its_component(void **state)
{
	static const struct {
		enum evc_feature_id size, component;
	} rows[] = {
		{ .size = EVC_F_XSTATE_SIZE_AVX, .component = EVC_F_XCR0_AVX },
		{ .size = EVC_F_XSTATE_OFFSET_HI16_ZMM, .component = EVC_F_XCR0_AVX512_HI16_ZMM },
		{ .size = EVC_F_XSTATE_SIZE_PKRU, .component = EVC_F_XCR0_PKRU },
		{ .size = EVC_F_XSTATE_SIZE_CET_U, .component = EVC_F_XSS_CET_U },
		{ .size = EVC_F_XSTATE_SIZE_CET_S, .component = EVC_F_XSS_CET_S },
		{ .size = EVC_F_XSTATE_SIZE_TILEDATA, .component = EVC_F_XCR0_TILEDATA },
		{ .size = EVC_F_XSTATE_OFFSET_LWP, .component = EVC_F_XCR0_LWP }, /* 62, in the upper half */
	};
	struct evc_cpu guest = { 0 }, host;

	(void)state;
	memset(&guest.known, 0xff, sizeof(guest.known));
	host = guest;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t slot = evc_features[rows[i].size].slot;

		assert_int_equal(evc_check_announcer(rows[i].size), rows[i].component);
		guest.value[slot] = 64;
		host.value[slot] = 32;
		evc_set_add(&guest.has, rows[i].size);
		evc_set_add(&host.has, rows[i].size);
		assert_int_equal(evc_check_fits(&guest, &host, NULL), EVC_YES);
		evc_set_add(&guest.has, rows[i].component);
		evc_set_add(&host.has, rows[i].component);
		assert_int_equal(evc_check_fits(&guest, &host, NULL), EVC_NO);
		host.value[slot] = 64;
		assert_int_equal(evc_check_fits(&guest, &host, NULL), EVC_YES);
	}
}

static void what_is_a_hosts_own_is_not_taken_from_it(void **state)
{
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < EVC_N_FEATURES; i++) {
		enum evc_feature_id id = (enum evc_feature_id)i, by = evc_check_announcer(id);
		struct evc_cpu cpu = { 0 };

		if (evc_features[id].rule != EVC_RULE_OWN || by == EVC_N_FEATURES)
			continue;
		evc_set_add(&cpu.known, by);
		evc_set_add(&cpu.has, id);
		evc_check_settle(&cpu);
		assert_true(evc_set_has(&cpu.has, id));
		n++;
	}
	assert_true(n > 0);
}

/* Nobody's guest has the leaves of Knights Corner, whatever its host. */
static void leaves_that_kvm_shows_nobody_are_not_asked_for(void **state)
{
	struct evc_cpu guest, host;
	struct evc_misfit misfit;

	(void)state;
	side(HASWELL, &guest);
	memset(&guest.known, 0xff, sizeof(guest.known));
	host = guest;
	evc_set_add(&guest.has, EVC_F_K1OM);
	assert_int_equal(evc_check_fits(&guest, &host, &misfit), EVC_YES);
}

static void a_twin_that_has_it_means_firmware_or_microcode(void **state)
{
	struct evc_cpu a, b;
	struct evc_check_side guest = side(HASWELL, &a), host = side(HASWELL, &b);
	struct evc_check_options options = { .modes = &evc_builtin_modes };

	(void)state;
	evc_set_drop(&b.has, EVC_F_AES);
	assert_int_equal(evc_check_cause(&host, EVC_F_AES, &guest, &options), EVC_CAUSE_FIRMWARE);
	evc_set_add(&a.has, EVC_F_SPEC_CTRL);
	evc_set_add(&a.known, EVC_F_SPEC_CTRL);
	evc_set_drop(&b.has, EVC_F_SPEC_CTRL);
	evc_set_add(&b.known, EVC_F_SPEC_CTRL);
	assert_int_equal(evc_check_cause(&host, EVC_F_SPEC_CTRL, &guest, &options), EVC_CAUSE_MICROCODE);
}

static void what_only_servers_of_a_generation_have_no_firmware_switches_on(void **state)
{
	struct evc_cpu client, server;
	struct evc_check_side desktop = side(VERMEER, &client), rack = side(MILAN, &server);
	struct evc_check_options options = { .modes = &evc_builtin_modes };

	(void)state;
	assert_int_equal(evc_check_cause(&desktop, EVC_F_PCID, &rack, &options), EVC_CAUSE_OLDER);
	evc_set_drop(&client.has, EVC_F_NX);
	assert_int_equal(evc_check_cause(&desktop, EVC_F_NX, &rack, &options), EVC_CAUSE_FIRMWARE);
	evc_set_drop(&server.has, EVC_F_PCID);
	assert_int_equal(evc_check_cause(&rack, EVC_F_PCID, &desktop, &options), EVC_CAUSE_FIRMWARE);
}

static void a_bit_that_kvm_makes_of_another_is_missing_for_the_reason_of_the_other(void **state)
{
	struct evc_cpu silicon, offered;
	struct evc_check_side host = side(HASWELL, &silicon);
	struct evc_check_options options = { .modes = &evc_builtin_modes };

	(void)state;
	offered = silicon;
	host.cpu = &offered;
	evc_set_add(&silicon.known, EVC_F_SPEC_CTRL);
	evc_set_drop(&silicon.has, EVC_F_SPEC_CTRL);
	evc_set_add(&silicon.known, EVC_F_IBPB);
	evc_set_drop(&silicon.has, EVC_F_IBPB);
	evc_set_add(&offered.known, EVC_F_IBPB);
	evc_set_drop(&offered.has, EVC_F_IBPB);
	assert_int_equal(evc_check_cause(&host, EVC_F_IBPB, NULL, &options), EVC_CAUSE_MICROCODE);
	evc_set_add(&silicon.has, EVC_F_SPEC_CTRL);
	assert_int_equal(evc_check_cause(&host, EVC_F_IBPB, NULL, &options), EVC_CAUSE_NONE);
	evc_set_drop(&silicon.has, EVC_F_SPEC_CTRL);
	evc_set_drop(&silicon.known, EVC_F_SPEC_CTRL);
	evc_set_drop(&offered.known, EVC_F_IBPB);
	assert_int_equal(evc_check_cause(&host, EVC_F_IBPB, NULL, &options), EVC_CAUSE_DUMP);
	silicon.vendor = EVC_VENDOR_AMD; /* whose own bit it is */
	assert_int_equal(evc_check_cause(&host, EVC_F_IBPB, NULL, &options), EVC_CAUSE_OLDER);
}

static void who_is_not_said_to_be_immune_is_affected(void **state)
{
	struct evc_cpu silicon, offered;
	struct evc_check_side host = side(HASWELL, &silicon);

	(void)state;
	offered = silicon;
	host.cpu = &offered;
	evc_set_drop(&silicon.known, EVC_F_GDS_NO);
	evc_set_add(&offered.known, EVC_F_GDS_NO);
	evc_set_drop(&offered.has, EVC_F_GDS_NO);
	assert_int_equal(evc_check_cause(&host, EVC_F_GDS_NO, NULL, NULL), EVC_CAUSE_AFFECTED);
	evc_set_drop(&offered.known, EVC_F_GDS_NO);
	assert_int_equal(evc_check_cause(&host, EVC_F_GDS_NO, NULL, NULL), EVC_CAUSE_DUMP);
	evc_set_add(&silicon.known, EVC_F_GDS_NO);
	evc_set_drop(&silicon.has, EVC_F_GDS_NO);
	assert_int_equal(evc_check_cause(&host, EVC_F_GDS_NO, NULL, NULL), EVC_CAUSE_AFFECTED);
}

static size_t count_guesses(const struct evc_findings *findings)
{
	size_t n = 0;

	for (size_t i = 0; i < findings->n; i++)
		n += findings->items[i].severity == EVC_NOTE && strstr(findings->items[i].detail, "guessed");
	return n;
}

static void what_was_assumed_of_either_is_said(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_cpu a, b;
	struct evc_check_side guest = side(HASWELL, &a), host = side(HASWELL, &b);
	const struct evc_mode *mode;
	unsigned version;

	(void)state;
	guest.name = "guest";
	host.name = "host";
	guest.assumed = "guessed";
	host.assumed = "";
	evc_check_move(&guest, &host, NULL, &findings);
	assert_int_equal(count_guesses(&findings), 1);
	host.assumed = "guessed too";
	evc_check_move(&guest, &host, NULL, &findings);
	assert_int_equal(count_guesses(&findings), 3);
	assert_int_equal(
		evc_modes_find(&evc_builtin_modes, evc_span_from("x86-64-v1"), &mode, &version, NULL), 0);
	evc_check_join(mode, 1, &host, NULL, &findings);
	assert_int_equal(count_guesses(&findings), 4);
}

static void a_twin_has_the_same_signature_of_the_same_vendor(void **state)
{
	struct evc_cpu a, b;
	struct evc_check_side other = side(HASWELL, &a), host = side(HASWELL, &b);

	(void)state;
	evc_set_add(&a.has, EVC_F_AVX512F);
	assert_int_equal(evc_check_cause(&host, EVC_F_AVX512F, &other, NULL), EVC_CAUSE_FIRMWARE);
	strcpy(a.vendor_id, "GenuineIotel");
	assert_int_equal(evc_check_cause(&host, EVC_F_AVX512F, &other, NULL), EVC_CAUSE_OLDER);
	strcpy(a.vendor_id, b.vendor_id);
	a.signature++;
	assert_int_equal(evc_check_cause(&host, EVC_F_AVX512F, &other, NULL), EVC_CAUSE_OLDER);
}

static void a_host_that_is_a_guest_was_not_given_it(void **state)
{
	struct evc_cpu cpu;
	struct evc_check_side host = side(HASWELL, &cpu);

	(void)state;
	evc_set_add(&cpu.has, EVC_F_HYPERVISOR);
	assert_int_equal(evc_check_cause(&host, EVC_F_AVX512F, NULL, NULL), EVC_CAUSE_NESTED);
}

static void clocks_may_be_250_ppm_apart(void **state)
{
	static const struct {
		uint32_t khz;
		bool told;
	} rows[] = {
		{ .khz = 2000500 }, { .khz = 2000501, .told = true },
		{ .khz = 1999500 }, { .khz = 1999499, .told = true },
		{ .khz = 0 },
	};
	struct evc_cpu a, b;
	struct evc_check_side guest = side(HASWELL, &a), host = side(HASWELL, &b);

	(void)state;
	guest.tsc_khz = 2000000;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_findings findings = { .arena = &arena };
		bool told = false;

		host.tsc_khz = rows[i].khz;
		evc_check_move(&guest, &host, NULL, &findings);
		for (size_t f = 0; f < findings.n; f++)
			told |= strstr(findings.items[f].detail, "TSC scaling") != NULL;
		assert_int_equal(told, rows[i].told);
	}
}

static void an_unreadable_side_is_unknown(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_cpu a;
	struct evc_check_side guest = side(HASWELL, &a), host = { .name = "web3", .why = "cut short" };

	(void)state;
	assert_int_equal(evc_check_move(&guest, &host, NULL, &findings), EVC_UNKNOWN);
	assert_int_equal(findings.n, 1);
	assert_int_equal(findings.items[0].kind, EVC_FINDING_UNREADABLE);
	assert_string_equal(findings.items[0].detail, "cut short");
}

static void a_bit_that_nobody_knows_is_never_a_yes(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_cpu a, b;
	struct evc_check_side guest = side(HASWELL, &a), host = side(HASWELL, &b);

	(void)state;
	memset(&a.known, 0xff, sizeof(a.known));
	b = a;
	evc_set_drop(&b.known, EVC_F_AVX2);
	evc_set_drop(&b.has, EVC_F_AVX2);
	assert_int_equal(evc_check_fits(&a, &b, NULL), EVC_UNKNOWN);
	assert_int_equal(evc_check_move(&guest, &host, NULL, &findings), EVC_UNKNOWN);
	assert_non_null(find(&findings, EVC_FINDING_UNSURE, EVC_F_AVX2));
}

static void a_host_whose_vendor_nobody_knows_does_not_join(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	const struct evc_mode *mode;
	unsigned version;
	struct evc_cpu cpu;
	struct evc_check_side host = side(HASWELL, &cpu);

	(void)state;
	cpu.vendor_id[0] = '\0';
	assert_int_equal(
		evc_modes_find(&evc_builtin_modes, evc_span_from("intel-haswell"), &mode, &version, NULL),
		EVC_OK);
	assert_int_equal(evc_check_join(mode, 1, &host, NULL, &findings), EVC_UNKNOWN);
	assert_non_null(find(&findings, EVC_FINDING_UNSURE, EVC_F_CPU_VENDORID_0));
}

static void a_missing_state_component_blocks(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_cpu a, b;
	struct evc_check_side guest = side(SKYLAKE, &a), host = side(SKYLAKE, &b);

	(void)state;
	evc_set_drop(&b.has, EVC_F_XCR0_PKRU);
	assert_int_equal(evc_check_move(&guest, &host, NULL, &findings), EVC_NO);
	assert_non_null(find(&findings, EVC_FINDING_LACKS, EVC_F_XCR0_PKRU));
}

static void tells_who_could_not_come_back(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_cpu a, b;
	struct evc_check_side guest = side(HASWELL, &a), host = side(CASCADELAKE, &b), from = guest;
	struct evc_check_options options = { .modes = &evc_builtin_modes, .from = &from };
	const struct evc_finding *finding;

	(void)state;
	evc_check_move(&guest, &host, &options, &findings);
	finding = find(&findings, EVC_FINDING_CANNOT_RETURN, EVC_N_FEATURES);
	assert_non_null(finding);
	assert_string_equal(finding->subject, CASCADELAKE);
	assert_string_equal(finding->other, HASWELL);
}

static bool says(const struct evc_findings *findings, const char *words)
{
	for (size_t i = 0; i < findings->n; i++)
		if (strstr(findings->items[i].detail, words))
			return true;
	return false;
}

static void where_it_runs_it_fits_again_unless_it_has_more(void **state)
{
	static const struct {
		bool has, known; /* of a feature that from is known to lack */
		const char *said;
	} rows[] = {
		{ .known = true, .said = "it fits on " HASWELL " again" },
		{ .said = "it fits on " HASWELL " again" }, /* it runs there */
		{ .has = true, .known = true, .said = "not even as it is" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_findings findings = { .arena = &arena };
		struct evc_cpu a, b, c;
		struct evc_check_side guest = side(HASWELL, &a), host = side(CASCADELAKE, &b),
				      from = side(HASWELL, &c);
		struct evc_check_options options = { .from = &from };

		memset(&c.known, 0xff, sizeof(c.known));
		a.known = c.known;
		evc_set_drop(&c.has, EVC_F_AVX512F);
		if (rows[i].has)
			evc_set_add(&a.has, EVC_F_AVX512F);
		if (!rows[i].known)
			evc_set_drop(&a.known, EVC_F_AVX512F);
		evc_check_move(&guest, &host, &options, &findings);
		assert_true(says(&findings, rows[i].said));
		assert_int_equal(says(&findings, "not even"), rows[i].has);
	}
}

static void what_equal_cpus_do_not_say_is_told_to_be_taken_as_equal(void **state)
{
	(void)state;
	for (int same = 0; same < 2; same++) {
		struct evc_findings findings = { .arena = &arena };
		struct evc_cpu a, b;
		struct evc_check_side guest = side(HASWELL, &a), host;
		const struct evc_finding *bit, *msr;

		evc_set_drop(&a.known, EVC_F_UMIP);
		evc_set_drop(&a.known, EVC_F_RDCL_NO);
		evc_set_drop(&a.has, EVC_F_RDCL_NO);
		evc_set_add(&a.has, EVC_F_ARCH_CAPABILITIES);
		evc_set_add(&a.known, EVC_F_ARCH_CAPABILITIES);
		a.microcode = 0x49;
		b = a;
		b.microcode = same ? 0x49 : 0x4a;
		host = (struct evc_check_side){ .name = "other", .cpu = &b, .silicon = &b };
		assert_int_equal(evc_check_move(&guest, &host, NULL, &findings),
		                 same ? EVC_YES : EVC_UNKNOWN);
		bit = find(&findings, EVC_FINDING_UNSURE, EVC_F_UMIP);
		msr = find(&findings, EVC_FINDING_UNSURE, EVC_F_ARCH_CAPABILITIES);
		assert_non_null(bit);
		assert_non_null(msr);
		assert_int_equal(bit->severity, same ? EVC_WARNING : EVC_DOUBT);
		assert_int_equal(!!strstr(bit->detail, "taken as equal"), same);
		assert_int_equal(!!strstr(msr->detail, "taken as equal"), same);
		assert_non_null(strstr(msr->detail, "MSRs"));
	}
}

static void who_is_not_identified_is_not_compared_by_signature(void **state)
{
	(void)state;
	for (int unknown = 0; unknown < 3; unknown++) {
		struct evc_findings findings = { .arena = &arena };
		struct evc_cpu a, b;
		struct evc_check_side guest = side(HASWELL, &a), host = side(CASCADELAKE, &b);

		a.identified = unknown != 1;
		b.identified = unknown != 2;
		evc_check_move(&guest, &host, NULL, &findings);
		assert_int_equal(says(&findings, "a guest would be family"), !unknown);
	}
}

static void clocks_and_nesting_are_risks_that_do_not_block(void **state)
{
	struct evc_findings findings = { .arena = &arena };
	struct evc_cpu a;
	struct evc_check_side guest = side(HASWELL, &a), host = guest;
	size_t risks = 0;

	(void)state;
	memset(&a.known, 0xff, sizeof(a.known));
	evc_set_add(&a.has, EVC_F_INVTSC);
	evc_set_add(&a.has, EVC_F_VMX);
	guest.tsc_khz = 2500000;
	host.tsc_khz = 2600000;
	assert_int_equal(evc_check_move(&guest, &host, NULL, &findings), EVC_YES);
	for (size_t i = 0; i < findings.n; i++)
		risks += findings.items[i].kind == EVC_FINDING_RISK;
	assert_int_equal(risks, 3);
}

static bool notes(const struct evc_findings *findings, const char *words)
{
	for (size_t i = 0; i < findings->n; i++)
		if (strstr(findings->items[i].detail, words))
			return true;
	return false;
}

/* A guest that was given virtualisation, by either vendor's name for it; one that was not is not warned of
 * it. */
static void guests_of_a_guest_are_a_risk(void **state)
{
	static const struct {
		const char *machine;
		enum evc_feature_id id;
	} rows[] = { { HASWELL, EVC_F_VMX }, { ROME, EVC_F_SVM } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_findings with = { .arena = &arena }, without = { .arena = &arena };
		struct evc_cpu cpu;
		struct evc_check_side guest = side(rows[i].machine, &cpu), host = guest;

		evc_check_move(&guest, &host, NULL, &without);
		assert_false(notes(&without, "guests of its own"));
		evc_set_add(&cpu.known, rows[i].id);
		evc_set_add(&cpu.has, rows[i].id);
		evc_check_move(&guest, &host, NULL, &with);
		assert_true(notes(&with, "guests of its own"));
	}
}

/* Basic and extended leaves each count by themselves. */
static void highest_leaves_that_a_new_guest_would_not_have_are_noted(void **state)
{
	struct evc_cpu a, b;
	struct evc_check_side guest = side(HASWELL, &a), host = side(HASWELL, &b);

	(void)state;
	for (int which = 0; which < 3; which++) {
		struct evc_findings findings = { .arena = &arena };

		b = a;
		b.max_basic -= which == 1;
		b.max_extended -= which == 2;
		evc_check_move(&guest, &host, NULL, &findings);
		assert_int_equal(notes(&findings, "highest leaves"), which > 0);
	}
}

static void a_host_joins_at_its_own_mode_and_not_above(void **state)
{
	static const struct {
		const char *host, *mode;
		enum evc_verdict verdict;
		enum evc_finding_kind kind;
	} rows[] = {
		{ HASWELL, "intel-haswell", EVC_YES, EVC_FINDING_NOTE },
		{ HASWELL, "intel-skylake", EVC_NO, EVC_FINDING_LACKS },
		{ ROME, "intel-haswell", EVC_NO, EVC_FINDING_VENDOR },
		{ SKYLAKE, "intel-westmere", EVC_YES, EVC_FINDING_NOTE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_findings findings = { .arena = &arena };
		struct evc_cpu cpu;
		struct evc_check_side host = side(rows[i].host, &cpu);
		struct evc_check_options options = { .modes = &evc_builtin_modes };
		const struct evc_mode *mode;
		struct evc_error err;
		unsigned version;

		assert_int_equal(evc_modes_find(&evc_builtin_modes, evc_span_from(rows[i].mode), &mode,
		                                &version, &err),
		                 0);
		assert_int_equal(evc_check_join(mode, version, &host, &options, &findings), rows[i].verdict);
		if (rows[i].verdict == EVC_YES)
			assert_int_equal(findings.n, 0);
		else
			assert_int_equal(findings.items[0].kind, rows[i].kind);
	}
}

static void the_nearest_host_lacks_least(void **state)
{
	struct evc_cpu cpus[4];
	struct evc_check_side guest = side(SKYLAKE, &cpus[0]);
	struct evc_check_side hosts[] = {
		{ .name = "down" }, side(HASWELL, &cpus[1]), side(CASCADELAKE, &cpus[2]), side(ROME, &cpus[3])
	};

	(void)state;
	assert_int_equal(evc_check_nearest(&guest, hosts, 4), 2);
	assert_int_equal(evc_check_nearest(&guest, hosts, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_what_is_missing_and_the_cause),
		cmocka_unit_test(says_another_vendor_once),
		cmocka_unit_test(equal_machines_fit_whatever_their_apic_ids_and_os),
		cmocka_unit_test(extensions_of_an_mwait_that_is_not_there_are_none),
		cmocka_unit_test(a_size_of_state_is_that_of_its_component),
		cmocka_unit_test(what_is_a_hosts_own_is_not_taken_from_it),
		cmocka_unit_test(leaves_that_kvm_shows_nobody_are_not_asked_for),
		cmocka_unit_test(a_twin_that_has_it_means_firmware_or_microcode),
		cmocka_unit_test(what_only_servers_of_a_generation_have_no_firmware_switches_on),
		cmocka_unit_test(a_bit_that_kvm_makes_of_another_is_missing_for_the_reason_of_the_other),
		cmocka_unit_test(who_is_not_said_to_be_immune_is_affected),
		cmocka_unit_test(what_was_assumed_of_either_is_said),
		cmocka_unit_test(a_twin_has_the_same_signature_of_the_same_vendor),
		cmocka_unit_test(a_host_that_is_a_guest_was_not_given_it),
		cmocka_unit_test(clocks_may_be_250_ppm_apart),
		cmocka_unit_test(an_unreadable_side_is_unknown),
		cmocka_unit_test(a_bit_that_nobody_knows_is_never_a_yes),
		cmocka_unit_test(a_missing_state_component_blocks),
		cmocka_unit_test(tells_who_could_not_come_back),
		cmocka_unit_test(where_it_runs_it_fits_again_unless_it_has_more),
		cmocka_unit_test(what_equal_cpus_do_not_say_is_told_to_be_taken_as_equal),
		cmocka_unit_test(who_is_not_identified_is_not_compared_by_signature),
		cmocka_unit_test(clocks_and_nesting_are_risks_that_do_not_block),
		cmocka_unit_test(guests_of_a_guest_are_a_risk),
		cmocka_unit_test(highest_leaves_that_a_new_guest_would_not_have_are_noted),
		cmocka_unit_test(a_host_joins_at_its_own_mode_and_not_above),
		cmocka_unit_test(a_host_whose_vendor_nobody_knows_does_not_join),
		cmocka_unit_test(the_nearest_host_lacks_least),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
