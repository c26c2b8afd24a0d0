/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/plan.h"

#include <stdio.h>
#include <string.h>

enum { N_VCPUS = 2, N_PROPERTIES = 16, N_SHAPE = 4 };

/* A side with room of its own, so that a row may change one thing in it. */
struct guest {
	struct evc_plan_side side;
	struct evc_plan_vcpu vcpus[N_VCPUS + 1];
	struct evc_leaf leaves[N_VCPUS][4];
	struct evc_plan_property properties[N_VCPUS][N_PROPERTIES];
	struct evc_plan_property shape[N_SHAPE];
	const char *blockers[2], *devices[4], *unavailable[2];
};

static const struct evc_plan_property vcpu_properties[] = {
	{ .name = "apic-id", .value = "0" },
	{ .name = "cpuid-0xb", .value = "true" },
	{ .name = "enforce", .value = "true" },
	{ .name = "family", .value = "6" },
	{ .name = "guest-phys-bits", .value = "0" },
	{ .name = "level", .value = "13" },
	{ .name = "model", .value = "63" },
	{ .name = "model-id", .value = "A CPU" },
	{ .name = "phys-bits", .value = "40" },
	{ .name = "rdctl-no", .value = "false" },
	{ .name = "stepping", .value = "0" },
	{ .name = "tsc-frequency", .value = "2500000000" },
	{ .name = "type", .value = "base-x86_64-cpu" },
	{ .name = "vendor", .value = "GenuineIntel" },
	{ .name = "xlevel", .value = "2147483656" },
};

static void make_vcpu(struct guest *guest, size_t i)
{
	struct evc_bit avx2 = evc_features[EVC_F_AVX2].bit, aes = evc_features[EVC_F_AES].bit;

	guest->leaves[i][0] = (struct evc_leaf){ .leaf = aes.leaf, .subleaf = aes.subleaf };
	guest->leaves[i][0].value[aes.reg] = 1U << aes.lo;
	guest->leaves[i][1] = (struct evc_leaf){ .leaf = avx2.leaf, .subleaf = avx2.subleaf };
	guest->leaves[i][1].value[avx2.reg] = 1U << avx2.lo;
	for (int leaf = 0; leaf < 2; leaf++)
		memset(guest->leaves[i][leaf].known, 0xff, sizeof(guest->leaves[i][leaf].known));
	memcpy(guest->properties[i], vcpu_properties, sizeof(vcpu_properties));
	guest->properties[i][0].value = i ? "1" : "0";
	guest->vcpus[i] = (struct evc_plan_vcpu){
		.n_alike = 1,
		.words = { .leaves = guest->leaves[i], .n_leaves = 2 },
		.properties = { .items = guest->properties[i],
		                .n = sizeof(vcpu_properties) / sizeof(vcpu_properties[0]) },
	};
}

static void make(struct guest *guest, const char *name, const char *status)
{
	memset(guest, 0, sizeof(*guest));
	for (size_t i = 0; i < N_VCPUS; i++)
		make_vcpu(guest, i);
	guest->shape[0] = (struct evc_plan_property){ .name = "memory", .value = "1024" };
	guest->shape[1] = (struct evc_plan_property){ .name = "smp.cores", .value = "2" };
	guest->devices[0] = guest->devices[1] = "virtio-net-pci";
	guest->side = (struct evc_plan_side){
		.name = name,
		.qemu = "7.2.22",
		.accel = "kvm",
		.machine = "pc-q35-7.2",
		.status = status,
		.shape = { .items = guest->shape, .n = 2 },
		.vcpus = guest->vcpus,
		.n_vcpus = N_VCPUS,
		.blockers = { .items = guest->blockers, .known = true },
		.devices = { .items = guest->devices, .n = 2, .known = true },
		.unavailable = { .items = guest->unavailable, .known = true },
	};
}

/* --- what a row changes at the destination (or, named so, at the source) ----------------------- */

static struct evc_plan_property *property(struct guest *guest, size_t vcpu, const char *name)
{
	for (size_t i = 0; i < guest->vcpus[vcpu].properties.n; i++)
		if (!strcmp(guest->properties[vcpu][i].name, name))
			return &guest->properties[vcpu][i];
	fail_msg("no property %s", name);
	return NULL;
}

static void set(struct guest *guest, const char *name, const char *value)
{
	for (size_t i = 0; i < N_VCPUS; i++)
		property(guest, i, name)->value = value;
}

static void drop(struct guest *guest, const char *name)
{
	for (size_t v = 0; v < N_VCPUS; v++) {
		struct evc_plan_property *from = property(guest, v, name);
		size_t left = guest->vcpus[v].properties.n - (size_t)(from - guest->properties[v]) - 1;

		memmove(from, from + 1, left * sizeof(*from));
		guest->vcpus[v].properties.n--;
	}
}

/* At the end of the sorted list. */
static void add_property(struct guest *guest, const char *name, const char *value)
{
	for (size_t v = 0; v < N_VCPUS; v++)
		guest->properties[v][guest->vcpus[v].properties.n++] =
			(struct evc_plan_property){ .name = name, .value = value };
}

static void flip(struct guest *guest, size_t vcpu, enum evc_feature_id id)
{
	const struct evc_bit bit = evc_features[id].bit;

	for (int i = 0; i < 2; i++)
		if (guest->leaves[vcpu][i].leaf == bit.leaf && guest->leaves[vcpu][i].subleaf == bit.subleaf)
			guest->leaves[vcpu][i].value[bit.reg] ^= 1U << bit.lo;
}

static void nothing(struct guest *from, struct guest *to)
{
	(void)from;
	(void)to;
}

static void lesser_cpu(struct guest *from, struct guest *to)
{
	(void)from;
	flip(to, 0, EVC_F_AVX2);
	flip(to, 1, EVC_F_AVX2);
}

static void greater_cpu(struct guest *from, struct guest *to)
{
	(void)from;
	flip(to, 0, EVC_F_SSSE3);
	flip(to, 1, EVC_F_SSSE3);
}

static void lesser_second_vcpu(struct guest *from, struct guest *to)
{
	(void)from;
	flip(to, 1, EVC_F_AES);
}

static void nameless_bit(struct guest *from, struct guest *to)
{
	struct evc_leaf *leaf = &to->leaves[0][1];

	(void)from;
	/* Register EAX of leaf 7 is a number; a bit of it has no name of its own. */
	leaf->value[EVC_EAX] ^= 1U << 3;
}

static void unknown_word_with_bits(struct guest *from, struct guest *to)
{
	(void)from;
	to->vcpus[0].words.n_leaves = to->vcpus[1].words.n_leaves = 1;
}

static void unknown_word_of_zeros(struct guest *from, struct guest *to)
{
	lesser_cpu(from, from);
	to->vcpus[0].words.n_leaves = to->vcpus[1].words.n_leaves = 1;
}

static void no_words(struct guest *from, struct guest *to)
{
	(void)from;
	to->vcpus[0].words.n_leaves = 0;
}

static void no_words_at_all(struct guest *from, struct guest *to)
{
	for (size_t i = 0; i < N_VCPUS; i++)
		from->vcpus[i].words.n_leaves = to->vcpus[i].words.n_leaves = 0;
}

static void other_stepping(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "stepping", "7");
}

static void other_model_id(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "model-id", "Another CPU");
}

static void other_level(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "level", "11");
}

static void other_vendor(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "vendor", "AuthenticAMD");
}

static void other_apic_id(struct guest *from, struct guest *to)
{
	(void)from;
	property(to, 1, "apic-id")->value = "2";
}

static void other_future_property(struct guest *from, struct guest *to)
{
	add_property(from, "zz-new", "1");
	add_property(to, "zz-new", "2");
}

static void msr_feature(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "rdctl-no", "true");
}

static void enforce_missing(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "enforce", "false");
}

static void model_of_another_name(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "type", "Haswell-v4-x86_64-cpu");
}

static void pin_unknown_there(struct guest *from, struct guest *to)
{
	(void)from;
	drop(to, "guest-phys-bits");
}

static void pin_unknown_there_and_not_pinned(struct guest *from, struct guest *to)
{
	set(from, "guest-phys-bits", "39");
	drop(to, "guest-phys-bits");
}

static void feature_unknown_there_and_off(struct guest *from, struct guest *to)
{
	(void)from;
	drop(to, "rdctl-no");
}

static void feature_unknown_there_and_on(struct guest *from, struct guest *to)
{
	set(from, "rdctl-no", "true");
	drop(to, "rdctl-no");
}

static void property_that_one_side_knows(struct guest *from, struct guest *to)
{
	(void)from;
	add_property(to, "zz-new", "false");
}

static void level_unreadable_on_both(struct guest *from, struct guest *to)
{
	drop(from, "level");
	drop(to, "level");
}

static void tsc_near(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "tsc-frequency", "2500100000");
}

static void tsc_far(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "tsc-frequency", "2600000000");
}

static void tsc_unknown(struct guest *from, struct guest *to)
{
	(void)from;
	set(to, "tsc-frequency", "0");
}

static void one_vcpu_less(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.n_vcpus = from->side.n_vcpus = 1;
	from->vcpus[0].n_alike = 2;
}

static void two_kinds(struct guest *from, struct guest *to)
{
	from->side.n_vcpus = 1;
	from->vcpus[0].n_alike = 2;
	(void)to;
}

static void no_vcpus(struct guest *from, struct guest *to)
{
	from->side.n_vcpus = to->side.n_vcpus = 0;
}

static void other_memory(struct guest *from, struct guest *to)
{
	(void)from;
	to->shape[0].value = "2048";
}

static void other_cores(struct guest *from, struct guest *to)
{
	(void)from;
	to->shape[1].value = "1";
}

static void other_machine(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.machine = "pc-q35-6.2";
}

static void machine_unknown(struct guest *from, struct guest *to)
{
	from->side.machine = to->side.machine = "";
}

static void machine_unknown_there(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.machine = NULL;
}

static void accelerator_unknown_here(struct guest *from, struct guest *to)
{
	(void)to;
	from->side.accel = NULL;
}

static void qemu_unknown_there(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.qemu = NULL;
}

static void qemu_unknown_here(struct guest *from, struct guest *to)
{
	(void)to;
	from->side.qemu = "";
}

static void qemu_of_no_number(struct guest *from, struct guest *to)
{
	from->side.qemu = to->side.qemu = "master";
}

static void devices_unknown_there(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.devices = (struct evc_plan_list){ .known = false };
}

static void reduced_by_nobody_knows_what(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.unavailable.known = false;
}

static void status_unknown_there(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.status = NULL;
}

static void guests_of_its_own(struct guest *from, struct guest *to)
{
	flip(from, 1, EVC_F_VMX);
	flip(to, 1, EVC_F_VMX);
}

static void guests_of_its_own_under_tcg(struct guest *from, struct guest *to)
{
	guests_of_its_own(from, to);
	from->side.accel = to->side.accel = "tcg";
}

static void other_accelerator(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.accel = "tcg";
}

static void newer_qemu(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.qemu = "10.0.13";
}

static void older_qemu(struct guest *from, struct guest *to)
{
	from->side.qemu = "10.0.13";
	(void)to;
}

static void blocked(struct guest *from, struct guest *to)
{
	(void)to;
	from->blockers[0] = "State blocked by non-migratable CPU device (invtsc flag)";
	from->side.blockers.n = 1;
}

static void one_device_less(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.devices.n = 1;
}

static void other_device(struct guest *from, struct guest *to)
{
	(void)from;
	to->devices[1] = "e1000";
}

static void destination_runs(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.status = "running";
}

static void source_has_gone(struct guest *from, struct guest *to)
{
	(void)to;
	from->side.status = "postmigrate";
}

static void destination_not_asked(struct guest *from, struct guest *to)
{
	(void)from;
	to->side.why = "no answer";
}

static void reduced(struct guest *from, struct guest *to)
{
	from->unavailable[0] = to->unavailable[0] = "pcid";
	from->side.unavailable.n = to->side.unavailable.n = 1;
}

static const struct row {
	const char *name;
	void (*change)(struct guest *from, struct guest *to);
	enum evc_verdict there, back;
	size_t n;                   /* findings */
	enum evc_finding_kind kind; /* of the first, if any */
	const char *detail;         /* part of it, or of other */
} rows[] = {
	{ "equal sides are a yes both ways", nothing, EVC_YES, EVC_YES, .n = 0 },
	{ "a lesser CPU is refused by the feature's name", lesser_cpu, EVC_NO, EVC_NO, 1, EVC_FINDING_LACKS,
	  "A" },
	{ "a greater CPU is refused as well", greater_cpu, EVC_NO, EVC_NO, 1, EVC_FINDING_SHOWS, "A" },
	{ "the second vCPU counts", lesser_second_vcpu, EVC_NO, EVC_NO, 1, EVC_FINDING_LACKS, "A" },
	{ "a bit without a name counts", nameless_bit, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "7.0:eax[3]" },
	{ "a word that the other QEMU does not know, with bits", unknown_word_with_bits, EVC_NO, EVC_NO, 1,
	  EVC_FINDING_LACKS, "A" },
	{ "a word that the other QEMU does not know, of zeros", unknown_word_of_zeros, EVC_YES, EVC_YES,
	  .n = 0 },
	{ "no words of one vCPU are a doubt", no_words, EVC_UNKNOWN, EVC_UNKNOWN, 1, EVC_FINDING_NOTE,
	  "feature words" },
	{ "no words on both sides are a doubt, not equal", no_words_at_all, EVC_UNKNOWN, EVC_UNKNOWN, 4,
	  EVC_FINDING_NOTE, "feature words" },
	{ "another stepping", other_stepping, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES,
	  "7 where the guest has 0" },
	{ "another model-id", other_model_id, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "Another CPU" },
	{ "another level", other_level, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "11 where the guest has 13" },
	{ "another vendor", other_vendor, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "AuthenticAMD" },
	{ "another APIC id", other_apic_id, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES,
	  "2 where the guest has 1" },
	{ "a property that is new to us counts", other_future_property, EVC_NO, EVC_NO, 1,
	  EVC_FINDING_CHANGES, "zz-new" },
	{ "a feature that only a property shows", msr_feature, EVC_NO, EVC_NO, 1, EVC_FINDING_SHOWS, "A" },
	{ "enforce alone changes nothing that a guest sees", enforce_missing, EVC_YES, EVC_YES, .n = 0 },
	{ "nor does the name of the model", model_of_another_name, EVC_YES, EVC_YES, 1, EVC_FINDING_CHANGES,
	  "Haswell-v4" },
	{ "a pin that an older QEMU does not know", pin_unknown_there, EVC_YES, EVC_YES, .n = 0 },
	{ "the same with another value", pin_unknown_there_and_not_pinned, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "guest-phys-bits" },
	{ "a feature that the other QEMU does not know, off", feature_unknown_there_and_off, EVC_YES, EVC_YES,
	  .n = 0 },
	{ "a feature that the other QEMU does not know, on", feature_unknown_there_and_on, EVC_NO, EVC_NO, 1,
	  EVC_FINDING_LACKS, "A" },
	{ "any other property that one side knows is a doubt", property_that_one_side_knows, EVC_UNKNOWN,
	  EVC_UNKNOWN, 1, EVC_FINDING_NOTE, "zz-new" },
	{ "what is read on neither side is a doubt", level_unreadable_on_both, EVC_UNKNOWN, EVC_UNKNOWN, 4,
	  EVC_FINDING_NOTE, "level of vCPUs of kind 0 is not known" },
	{ "a TSC within the tolerance", tsc_near, EVC_YES, EVC_YES, 1, EVC_FINDING_CHANGES, "2500100000" },
	{ "a TSC beyond the tolerance is a doubt", tsc_far, EVC_UNKNOWN, EVC_UNKNOWN, 1, EVC_FINDING_CHANGES,
	  "2600000000" },
	{ "a TSC that only one side tells is a doubt", tsc_unknown, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_CHANGES, "0 where" },
	{ "fewer vCPUs", one_vcpu_less, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "1 where the guest has 2" },
	{ "vCPUs that are not alike there", two_kinds, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES,
	  "2 where the guest has 1" },
	{ "no vCPUs on either side are a doubt", no_vcpus, EVC_UNKNOWN, EVC_UNKNOWN, 1, EVC_FINDING_NOTE,
	  "vCPUs" },
	{ "other memory", other_memory, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "2048" },
	{ "another topology", other_cores, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "smp.cores" },
	{ "another machine type", other_machine, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "pc-q35-6.2" },
	{ "machine types that nobody knows", machine_unknown, EVC_UNKNOWN, EVC_UNKNOWN, 1, EVC_FINDING_NOTE,
	  "machine type" },
	{ "a machine type that one side does not tell", machine_unknown_there, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "machine type" },
	{ "an accelerator that one side does not tell", accelerator_unknown_here, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "accelerator" },
	{ "a QEMU there whose version nobody knows", qemu_unknown_there, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "version" },
	{ "a QEMU here whose version nobody knows", qemu_unknown_here, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "version" },
	{ "versions that are no numbers are not equal", qemu_of_no_number, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "version" },
	{ "devices that one side does not tell: QEMU will notice", devices_unknown_there, EVC_YES, EVC_YES, 1,
	  EVC_FINDING_NOTE, "devices" },
	{ "what it could not give is not known", reduced_by_nobody_knows_what, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "did not give" },
	{ "a destination of which nobody knows whether it waits", status_unknown_there, EVC_NO, EVC_NO, 1,
	  EVC_FINDING_NOTE, "not known" },
	{ "guests of its own, on any of its vCPUs, are a warning", guests_of_its_own, EVC_YES, EVC_YES, 1,
	  EVC_FINDING_NOTE, "guests of its own" },
	{ "which TCG never has", guests_of_its_own_under_tcg, EVC_YES, EVC_YES, .n = 0 },
	{ "another accelerator", other_accelerator, EVC_NO, EVC_NO, 1, EVC_FINDING_CHANGES, "tcg" },
	{ "a newer QEMU: there, but nobody promises back", newer_qemu, EVC_YES, EVC_UNKNOWN, 1,
	  EVC_FINDING_NOTE, "newer" },
	{ "an older QEMU: a warning", older_qemu, EVC_YES, EVC_YES, 1, EVC_FINDING_NOTE, "older" },
	{ "QEMU's own reason", blocked, EVC_NO, EVC_NO, 1, EVC_FINDING_NOTE, "invtsc" },
	{ "one device of two equal ones less", one_device_less, EVC_NO, EVC_NO, 1, EVC_FINDING_NOTE,
	  "only it has the device virtio-net-pci" },
	{ "another device is said of both", other_device, EVC_NO, EVC_NO, 2, EVC_FINDING_NOTE,
	  "virtio-net-pci" },
	{ "a destination that runs already", destination_runs, EVC_NO, EVC_NO, 1, EVC_FINDING_NOTE,
	  "running" },
	{ "a source whose guest has gone", source_has_gone, EVC_NO, EVC_NO, 1, EVC_FINDING_NOTE,
	  "postmigrate" },
	{ "a destination that does not answer", destination_not_asked, EVC_UNKNOWN, EVC_UNKNOWN, 1,
	  EVC_FINDING_UNREADABLE, "no answer" },
	{ "started without enforce: equal, with a warning for each", reduced, EVC_YES, EVC_YES, 2,
	  EVC_FINDING_NOTE, "enforce" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	static struct guest from, to;
	struct evc_arena arena = { 0 };
	struct evc_findings findings = { .arena = &arena };
	struct evc_plan_verdict verdict;

	make(&from, "A", "running");
	make(&to, "B", "inmigrate");
	row->change(&from, &to);
	verdict = evc_plan_move(&from.side, &to.side, &findings);
	for (size_t i = 0; i < findings.n; i++)
		print_message("# %d %s %s: %s\n", findings.items[i].kind, findings.items[i].subject,
		              findings.items[i].other, findings.items[i].detail);
	assert_int_equal(verdict.there, row->there);
	assert_int_equal(verdict.back, row->back);
	assert_int_equal(findings.n, row->n);
	if (row->n) {
		assert_int_equal(findings.items[0].kind, row->kind);
		assert_true(strstr(findings.items[0].detail, row->detail) ||
		            strstr(findings.items[0].other, row->detail));
	}
	evc_arena_free(&arena);
}

/* What differs there differs the other way round as well: no "fits there but not here" for one guest. */
static void a_difference_is_one_in_both_directions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct guest from, to;
		struct evc_arena arena = { 0 };
		struct evc_findings there = { .arena = &arena }, back = { .arena = &arena };

		make(&from, "A", "running");
		make(&to, "B", "inmigrate");
		rows[i].change(&from, &to);
		assert_int_equal(evc_plan_same_vcpus(&from.side, &to.side, &there),
		                 evc_plan_same_vcpus(&to.side, &from.side, &back));
		evc_arena_free(&arena);
	}
}

static void who_did_not_answer_is_not_the_same(void **state)
{
	static struct guest from, to;

	(void)state;
	for (int silent = 0; silent < 2; silent++) {
		struct evc_arena arena = { 0 };
		struct evc_findings findings = { .arena = &arena };

		make(&from, "A", "running");
		make(&to, "B", "inmigrate");
		(silent ? &from : &to)->side.why = "no answer";
		assert_int_equal(evc_plan_same_vcpus(&from.side, &to.side, &findings), EVC_UNKNOWN);
		assert_int_equal(findings.n, 1);
		evc_arena_free(&arena);
	}
}

int main(void)
{
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	struct CMUnitTest tests[N + 2];

	for (size_t i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
			                        .test_func = check_row,
			                        .initial_state = (void *)&rows[i] };
	tests[N] = (struct CMUnitTest)cmocka_unit_test(a_difference_is_one_in_both_directions);
	tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(who_did_not_answer_is_not_the_same);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
