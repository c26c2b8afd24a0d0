/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which mode a guest was given, told from its dump; and what it sees that a mode does not promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/given.h"
#include "core/machines.h"
#include "core/offer.h"
#include "core/vcpu.h"
#include "text/modes.h"

#include <string.h>

static const struct evc_mode *mode_of(const char *name)
{
	const struct evc_mode *mode = NULL;
	unsigned version;

	assert_int_equal(evc_modes_find(&evc_builtin_modes, evc_span_from(name), &mode, &version, NULL),
	                 EVC_OK);
	return mode;
}

static struct evc_given given_of(const struct evc_host *host)
{
	struct evc_given given;
	struct evc_cpu cpu;

	evc_cpu_decode(&host->cpus[0], &cpu);
	evc_given_find(&evc_builtin_modes, &host->cpus[0], &cpu, &given);
	return given;
}

/* A published guest, before and after vCenter put it at a mode. */
static void knows_the_mode_of_a_published_guest(void **state)
{
	struct evc_host host;
	struct evc_given given;

	(void)state;
	assert_true(corpus_host("story/kabylake-haswell", &arena, &host));
	given = given_of(&host);
	assert_int_equal(given.fit, EVC_GIVEN_EXACTLY);
	assert_string_equal(given.mode->key, "intel-haswell");
	assert_int_equal(given.version, 2);
	assert_true(corpus_host("story/kabylake", &arena, &host));
	assert_int_not_equal(given_of(&host).fit, EVC_GIVEN_EXACTLY);
}

static enum evc_verdict expect(const struct evc_host *host, const char *mode, struct evc_findings *findings)
{
	struct evc_error err = { 0 };
	enum evc_verdict verdict;

	findings->arena = &arena;
	assert_int_equal(evc_given_expect(&evc_builtin_modes, mode_of(mode), 0, host, "it", &arena, findings,
	                                  &verdict, &err),
	                 EVC_OK);
	return verdict;
}

static bool found(const struct evc_findings *findings, enum evc_finding_kind kind, enum evc_feature_id id)
{
	for (size_t i = 0; i < findings->n; i++)
		if (findings->items[i].kind == kind && findings->items[i].feature == id)
			return true;
	return false;
}

static void expects_neither_more_nor_less(void **state)
{
	struct evc_findings right = { 0 }, more = { 0 }, less = { 0 };
	struct evc_host at, before;

	(void)state;
	assert_true(corpus_host("story/kabylake-haswell", &arena, &at) &&
	            corpus_host("story/kabylake", &arena, &before));
	assert_int_equal(expect(&at, "intel-haswell", &right), EVC_YES);
	assert_int_equal(right.n, 0);
	assert_int_equal(expect(&before, "intel-haswell", &more), EVC_NO);
	assert_true(found(&more, EVC_FINDING_LEAKED, EVC_F_ADX) &&
	            found(&more, EVC_FINDING_LEAKED, EVC_F_RDSEED));
	assert_true(found(&more, EVC_FINDING_VALUE, EVC_N_FEATURES)); /* the signature */
	assert_int_equal(expect(&at, "intel-broadwell", &less), EVC_NO);
	assert_true(found(&less, EVC_FINDING_UNSEEN, EVC_F_ADX) &&
	            !found(&less, EVC_FINDING_LEAKED, EVC_F_AVX2));
}

static void another_vendors_mode_is_said(void **state)
{
	struct evc_findings findings = { 0 };
	struct evc_host host;

	(void)state;
	assert_true(corpus_host("story/kabylake-haswell", &arena, &host));
	assert_int_equal(expect(&host, "amd-zen", &findings), EVC_NO);
	assert_true(found(&findings, EVC_FINDING_VENDOR, EVC_N_FEATURES));
}

/* The law: a guest that was made for a mode sees what it promises, and is seen to be at a mode no lower. */
static void what_is_applied_is_what_is_expected(void **state)
{
	const struct evc_offer_options options = { .view = EVC_VIEW_KVM };
	struct evc_host host;
	struct evc_offer offer;
	size_t n_tried = 0;

	(void)state;
	assert_true(corpus_host("machines/intel-skylake-2xxeon6140", &arena, &host));
	assert_int_equal(evc_offer_make(&host, &options, &arena, &offer, NULL, NULL), EVC_OK);
	for (size_t i = 0; i < evc_builtin_modes.n; i++) {
		const struct evc_mode *mode = evc_builtin_modes.items[i];
		struct evc_findings findings = { 0 };
		struct evc_host guest = { .name = "guest", .format = "json", .n_cpus = 1 };
		struct evc_dump dump;

		if (!evc_mode_best_version(mode, &offer.cpu))
			continue;
		assert_int_equal(
			evc_vcpu_make(&evc_builtin_modes, mode, 0, &offer, NULL, &arena, &dump, NULL, NULL),
			EVC_OK);
		guest.cpus = &dump;
		if (expect(&guest, mode->key, &findings) != EVC_YES)
			fail_msg("%s is not what was applied", mode->key);
		if (!mode->keeps_signature) {
			assert_int_equal(given_of(&guest).fit, EVC_GIVEN_EXACTLY);
			assert_string_equal(given_of(&guest).mode->key, mode->key);
		}
		n_tried++;
	}
	assert_true(n_tried > 6);
}

static void set_bit(struct evc_dump *dump, enum evc_feature_id id, bool on)
{
	const struct evc_bit bit = evc_features[id].bit;
	struct evc_leaf *leaf = (struct evc_leaf *)evc_dump_find(dump, bit.leaf, bit.subleaf);

	assert_non_null(leaf);
	leaf->value[bit.reg] &= ~(UINT32_C(1) << bit.lo);
	leaf->value[bit.reg] |= (uint32_t)on << bit.lo;
}

/* A guest at intel-haswell in which one bit is changed. */
static void one_bit_too_much_or_too_little_is_not_the_mode(void **state)
{
	static const struct {
		enum evc_feature_id id; /* EVC_N_FEATURES: none */
		bool on;
		enum evc_given_fit fit;
		enum evc_finding_kind kind;
	} rows[] = {
		{ .id = EVC_N_FEATURES, .fit = EVC_GIVEN_EXACTLY },
		{ .id = EVC_F_RDSEED, .on = true, .fit = EVC_GIVEN_LIKE, .kind = EVC_FINDING_LEAKED },
		/* in EAX, where leaves 0 and 1 have what identifies */
		{ .id = EVC_F_XSAVES, .on = true, .fit = EVC_GIVEN_LIKE, .kind = EVC_FINDING_LEAKED },
		{ .id = EVC_F_AVX2, .fit = EVC_GIVEN_LIKE, .kind = EVC_FINDING_UNSEEN },
	};
	const struct evc_offer_options options = { .view = EVC_VIEW_KVM };
	struct evc_host host;
	struct evc_offer offer;

	(void)state;
	assert_true(corpus_host("machines/intel-skylake-2xxeon6140", &arena, &host));
	assert_int_equal(evc_offer_make(&host, &options, &arena, &offer, NULL, NULL), EVC_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_host guest = { .name = "guest", .format = "json", .n_cpus = 1 };
		struct evc_findings findings = { 0 };
		struct evc_given given;
		struct evc_dump dump;

		assert_int_equal(evc_vcpu_make(&evc_builtin_modes, mode_of("intel-haswell"), 0, &offer, NULL,
		                               &arena, &dump, NULL, NULL),
		                 EVC_OK);
		guest.cpus = &dump;
		if (rows[i].id != EVC_N_FEATURES)
			set_bit(&dump, rows[i].id, rows[i].on);
		given = given_of(&guest);
		assert_int_equal(given.fit, rows[i].fit);
		assert_string_equal(given.mode->key, "intel-haswell");
		if (rows[i].id == EVC_N_FEATURES) {
			assert_int_equal(expect(&guest, "intel-haswell", &findings), EVC_YES);
			continue;
		}
		assert_true(evc_set_has(rows[i].on ? &given.more : &given.less, rows[i].id));
		assert_int_equal(evc_set_count(&given.more) + evc_set_count(&given.less), 1);
		assert_int_equal(expect(&guest, "intel-haswell", &findings), EVC_NO);
		assert_true(found(&findings, rows[i].kind, rows[i].id));
	}
}

static void other_highest_leaves_are_not_the_mode_and_a_signature_is_said_once(void **state)
{
	struct evc_findings findings = { 0 };
	struct evc_host host;
	struct evc_leaf *leaf;

	(void)state;
	assert_true(corpus_host("story/kabylake-haswell", &arena, &host));
	leaf = (struct evc_leaf *)evc_dump_find(&host.cpus[0], 0, 0);
	leaf->value[EVC_EAX]++;
	assert_int_equal(given_of(&host).fit, EVC_GIVEN_LIKE);
	assert_int_equal(expect(&host, "intel-haswell", &findings), EVC_NO);
	leaf->value[EVC_EAX]--;
	leaf = (struct evc_leaf *)evc_dump_find(&host.cpus[0], 1, 0);
	leaf->value[EVC_EAX]++;
	findings.n = 0;
	assert_int_equal(given_of(&host).fit, EVC_GIVEN_NOTHING);
	assert_int_equal(expect(&host, "intel-haswell", &findings), EVC_NO);
	assert_int_equal(findings.n, 1);
	assert_int_equal(findings.items[0].kind, EVC_FINDING_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_mode_of_a_published_guest),
		cmocka_unit_test(expects_neither_more_nor_less),
		cmocka_unit_test(another_vendors_mode_is_said),
		cmocka_unit_test(what_is_applied_is_what_is_expected),
		cmocka_unit_test(one_bit_too_much_or_too_little_is_not_the_mode),
		cmocka_unit_test(other_highest_leaves_are_not_the_mode_and_a_signature_is_said_once),
	};

	return cmocka_run_group_tests_name("core/given", tests, NULL, free_arena);
}
