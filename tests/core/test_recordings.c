/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Predicted offers, against what QEMU really gave: libvirt's recordings of hosts, and of the features that
 * QEMU switched on and off for -cpu host on each (corpus/kvm-given).  A guest had what the host has, without
 * the ones and with the others.
 *
 * No recording says which kernel and QEMU it was made with.  Each row names the tree and the options that
 * come nearest; where that misses, the reason is below, and the same bit must not be missed without one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/machines.h"
#include "core/qemu.h"

#include <stdio.h>
#include <string.h>

/*
 * Why a prediction misses.
 *   automatic  QEMU sets them for guests of more than one CPU, or when asked to; the recorder did not
 *   qemu       QEMU was older than 7.2, the oldest that we know the names of, arat and TSC deadline than 2.4
 *   kernel     the kernel was between two that were read
 *   vendor     a vendor's kernel, with changes of newer kernels (Red Hat's 5.14 most likely) or without
 *              some of el7's last
 *   itself     the recording contradicts itself: MPX was given where XCR0 has no room for its state
 */
struct miss {
	const char *why;
	const char *features; /* between blanks */
};

struct recording {
	const char *name;
	struct evc_offer_options options;
	unsigned libvirt;      /* the recording tells of the features that this libvirt has names for */
	struct miss misses[4]; /* yes for no, and no for yes */
	const char *unknown;   /* what the dump does not tell */
};

enum { VMX_EPT_VPID_CAP = 0x48c };

#define EVERY_REASON "automatic qemu kernel vendor itself"
#define AUTOMATIC " ht "
#define AUTOMATIC_AMD " ht topoext "
#define NO_LEAF_D1 " xsaveopt xsavec xgetbv1 "
#define NO_MSR_345 " ds dtes64 "
#define NO_MICROCODE " sbpb ibpb-brtype "
#define NO_VMX_MSRS " umip "

static const struct recording recordings[] = {
	{ .name = "core2-e6850",
	  .options = { .kernel = "el7", .qemu = "7.2", .options = "nested=0", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC }, { "qemu", " arat " } } },
	{ .name = "opteron-2350",
	  .options = { .kernel = "4.4.1", .qemu = "7.2", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC_AMD } } },
	{ .name = "xeon-e7-4820",
	  .options = { .kernel = "el7", .qemu = "7.2", .options = "nested=0", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC }, { "qemu", " arat " } } },
	{ .name = "a10-5800k",
	  .options = { .kernel = "4.4.1", .qemu = "7.2", .options = "nested=0", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC_AMD }, { "qemu", " arat tsc-deadline-timer " } },
	  .unknown = NO_LEAF_D1 },
	{ .name = "xeon-e5-2630-v3",
	  .options = { .kernel = "el7", .qemu = "7.2", .options = "nested=0", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC }, { "qemu", " arat " } } },
	{ .name = "core-i5-6600",
	  .options = { .kernel = "4.4.1", .qemu = "7.2", .options = "nested=0", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC } } },
	{ .name = "hygon-c86-7185-32-core",
	  .options = { .kernel = "el7", .qemu = "7.2", .options = "nested=0", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC_AMD }, { "vendor", " amd-ssbd " } } },
	{ .name = "xeon-platinum-9242",
	  .options = { .kernel = "5.10.13", .qemu = "7.2", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC }, { "qemu", " ibrs " }, { "kernel", " pdcm amd-stibp " } },
	  .unknown = NO_VMX_MSRS },
	{ .name = "ryzen-9-3900x-12-core",
	  .options = { .kernel = "5.10.13", .qemu = "7.2", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC_AMD }, { "kernel", " amd-stibp " } } },
	{ .name = "epyc-7502-32-core",
	  .options = { .kernel = "5.10.13", .qemu = "7.2", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC_AMD }, { "qemu", " ibrs " } } },
	{ .name = "cooperlake",
	  .options = { .kernel = "5.4.273", .qemu = "7.2", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC }, { "qemu", " ibrs " }, { "kernel", " tsx-ctrl " } },
	  .unknown = NO_VMX_MSRS },
	{ .name = "atom-p5362",
	  .options = { .kernel = "5.4.273", .qemu = "7.2", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC }, { "qemu", " ibrs " }, { "kernel", " pdcm " } } },
	{ .name = "ice-lake-server",
	  .options = { .kernel = "4.19.0", .qemu = "7.2", .options = "nested=0", .nested = true },
	  .libvirt = 900,
	  .misses = { { "automatic", AUTOMATIC }, { "kernel", " stibp wbnoinvd " }, { "itself", " mpx " } } },
	{ .name = "epyc-7713-64-core",
	  .options = { .kernel = "5.10.13", .qemu = "7.2", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC_AMD }, { "qemu", " ibrs " } } },
	{ .name = "core-i7-1270p",
	  .options = { .kernel = "6.12.8", .qemu = "10.0", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC } } },
	{ .name = "core-i7-1365u",
	  .options = { .kernel = "6.12.8", .qemu = "10.0", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC } } },
	{ .name = "xeon-gold-6530",
	  .options = { .kernel = "6.1.4", .qemu = "10.0", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC },
	              { "vendor", " fdp-excptn-only zero-fcs-fds flush-l1d gds-no rfds-no " } },
	  .unknown = NO_MSR_345 },
	{ .name = "xeon-6731e",
	  .options = { .kernel = "6.12.8", .qemu = "10.0", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC } },
	  .unknown = NO_MSR_345 },
	{ .name = "xeon-6788p",
	  .options = { .kernel = "6.12.107", .qemu = "10.1", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC } },
	  .unknown = NO_MSR_345 },
	{ .name = "epyc-9334-32-core",
	  .options = { .kernel = "6.12.8", .qemu = "10.0", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC_AMD } },
	  .unknown = NO_MICROCODE },
	{ .name = "ryzen-9-9950x-16-core",
	  .options = { .kernel = "6.18.15", .qemu = "10.2", .nested = true },
	  .libvirt = 1103,
	  .misses = { { "automatic", AUTOMATIC_AMD } } },
};

/* A host, and what QEMU switched on and off of it. */
struct parts {
	struct evc_host raw, on, off;
};

static struct evc_host read_part(const char *folder, const char *name, const char *suffix)
{
	return corpus_host_named(evc_arena_printf(&arena, "%s/%s%s", folder, name, suffix), &arena);
}

static struct parts parts_of(const char *name)
{
	return (struct parts){ .raw = read_part("kvm-hosts", name, ""),
		               .on = read_part("kvm-given", name, ".on"),
		               .off = read_part("kvm-given", name, ".off") };
}

static uint64_t bit_in(const struct evc_host *host, unsigned id)
{
	struct evc_bit bit = evc_features[id].bit;
	const struct evc_leaf *leaf;

	if (bit.reg == EVC_MSR)
		return evc_dump_get(&host->cpus[0], bit, NULL);
	leaf = evc_dump_find(&host->cpus[0], bit.leaf, bit.subleaf);
	return leaf ? evc_bit_get(bit, leaf->value[bit.reg]) : 0;
}

static bool of_vmx(unsigned id)
{
	struct evc_bit bit = evc_features[id].bit;

	return bit.reg == EVC_MSR && bit.leaf >= EVC_MSR_VMX_FIRST && bit.leaf <= EVC_MSR_VMX_LAST;
}

/*
 * The MSRs of VMX, of which the recording has only what was switched on.  QEMU calls two bits
 * vmx-invept-single-context, of which libvirt keeps one.  Old files of libvirt hold the half of what may be
 * set in the place of the one that must.
 */
static bool given_nested(const struct recording *recording, const struct parts *parts, unsigned id,
                         uint64_t *ret_given)
{
	struct evc_bit bit = evc_features[id].bit;
	unsigned version;

	assert_true(evc_qemu_version(recording->options.qemu, &version));
	if (!evc_qemu_passes_nested((enum evc_feature_id)id, version) ||
	    id == EVC_F_VMX_INVVPID_SINGLE_CONTEXT)
		return false;
	evc_dump_register(&parts->on.cpus[0], bit.leaf, 0, EVC_MSR, ret_given);
	if (!*ret_given)
		return false;
	*ret_given = bit_in(&parts->on, id);
	if (bit.lo >= 32 && bit.leaf != VMX_EPT_VPID_CAP) {
		bit.lo = (uint8_t)(bit.lo - 32);
		bit.hi = (uint8_t)(bit.hi - 32);
		*ret_given |= evc_dump_get(&parts->on.cpus[0], bit, NULL);
	}
	return true;
}

/*
 * What a guest had; false when the recording does not tell.  A feature that the host has and that was
 * neither switched on nor off had no name in its libvirt.
 */
static bool given(const struct recording *recording, const struct parts *parts, unsigned id,
                  uint64_t *ret_given)
{
	uint64_t raw = bit_in(&parts->raw, id), on = bit_in(&parts->on, id), off = bit_in(&parts->off, id);

	if (!evc_feature_is_bit(&evc_features[id]))
		return false;
	if (of_vmx(id))
		return given_nested(recording, parts, id, ret_given);
	if (!on && !off && (raw || !evc_libvirt_names((enum evc_feature_id)id, recording->libvirt)))
		return false;
	*ret_given = (raw & ~off) | on;
	return true;
}

static bool is_named(const char *list, unsigned id)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", evc_features[id].name);
	return list && strstr(list, word);
}

/* By one of these reasons. */
static bool is_explained(const struct recording *recording, unsigned id, const char *reasons)
{
	for (size_t i = 0; i < sizeof(recording->misses) / sizeof(recording->misses[0]); i++)
		if (is_named(recording->misses[i].features, id) && strstr(reasons, recording->misses[i].why))
			return true;
	return false;
}

static void compare(const struct recording *recording)
{
	struct parts parts = parts_of(recording->name);
	struct evc_offer offer = corpus_offer(&parts.raw, &recording->options, &arena);
	unsigned n = 0, wrong_yes = 0, wrong_no = 0, unknown = 0;

	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		bool known;
		uint64_t got = evc_dump_get(&offer.dump, evc_features[id].bit, &known), want;

		if (!given(recording, &parts, id, &want))
			continue;
		n++;
		unknown += !known;
		wrong_yes += known && got > want;
		wrong_no += known && got < want;
		/* Most of VMX hangs on registers that were not recorded. */
		if (known == is_named(recording->unknown, id) && !(of_vmx(id) && !known))
			fail_msg("%s: %s is %sknown", recording->name, evc_features[id].name,
			         known ? "" : "not ");
		if (known && (got == want) == is_explained(recording, id, EVERY_REASON))
			fail_msg("%s: %s is %d, in the guest it was %d", recording->name,
			         evc_features[id].name, (int)got, (int)want);
	}
	print_message("# %s: %u bits right, %u wrong yes, %u wrong no, %u unknown\n", recording->name,
	              n - wrong_yes - wrong_no - unknown, wrong_yes, wrong_no, unknown);
	assert_true(n > 150);
}

static void test_recordings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(recordings) / sizeof(recordings[0]); i++)
		compare(&recordings[i]);
}

/* A vendor's kernel may be anything from its number to the newest: it has to be unknown what they differ in.
 */
static void test_vendors_kernel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(recordings) / sizeof(recordings[0]); i++) {
		const struct recording *recording = &recordings[i];
		struct evc_offer_options options = recording->options;
		struct parts parts = parts_of(recording->name);
		struct evc_offer offer;
		unsigned unknown = 0;

		options.kernel = "4.18.0-553.el8_10.x86_64";
		offer = corpus_offer(&parts.raw, &options, &arena);
		for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
			bool known;
			uint64_t got = evc_dump_get(&offer.dump, evc_features[id].bit, &known), want;

			if (!given(recording, &parts, id, &want))
				continue;
			unknown += !known;
			if (known && got != want && !is_explained(recording, id, "automatic qemu itself"))
				fail_msg("%s: %s is %d, in the guest it was %d", recording->name,
				         evc_features[id].name, (int)got, (int)want);
		}
		print_message("# %s: %u unknown\n", recording->name, unknown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "hosts give their guests what they are predicted to", test_recordings, NULL, NULL, NULL },
		{ "of a vendor's kernel nothing that is known is wrong", test_vendors_kernel, NULL, NULL,
		  NULL },
	};

	return cmocka_run_group_tests_name("core/recordings", tests, NULL, free_arena);
}
