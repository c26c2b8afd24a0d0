/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of modes: what it says, and every refusal with its exact message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "text/modes.h"

#include <stdio.h>
#include <string.h>

/* A whole mode but for what a row adds. */
#define HEAD "mode site\nlabel Site  @chosen\nfrom intel-haswell\n"

static const struct {
	const char *name, *text, *message;
} refusals[] = {
	{ "a line before the first mode", "label X  @chosen\n",
	  "t:1: label X  @chosen before the first mode KEY" },
	{ "a mode without key", "mode\n", "t:1: not a heading: mode KEY, base KEY or passes" },
	{ "a mode with two keys", "mode a b\n", "t:1: not a heading: mode KEY, base KEY or passes" },
	{ "passes with a key", "passes all\n", "t:1: not a heading: mode KEY, base KEY or passes" },
	{ "a key in capitals", "mode Site\n", "t:1: Site is not a key: lower case letters, digits, hyphens" },
	{ "a key with an @", "mode site@2\n",
	  "t:1: site@2 is not a key: lower case letters, digits, hyphens" },
	{ "a mode twice in one text", HEAD "\n# second\n" HEAD, "t:6: mode site is already there (line 1)" },
	{ "a built-in mode again", "mode intel-haswell\n",
	  "t:1: mode intel-haswell is already there (modes.txt:%u)" },
	{ "a base of a built-in key", "base x86-64\n", "t:1: base x86-64 is already there (modes.txt:%u)" },
	{ "passes again", "passes\n", "t:1: passes is already there (modes.txt:%u)" },
	{ "passes twice in one text", "passes\npasses\n", "t:1: passes is already there (modes.txt:%u)" },
	{ "from nothing", "mode site\nfrom\n", "t:2: not a from: from KEY[@VERSION]" },
	{ "from two", "mode site\nfrom a b\n", "t:2: not a from: from KEY[@VERSION]" },
	{ "from twice", HEAD "from intel-merom\n", "t:4: from is already given (line 3)" },
	{ "from an unknown mode", "mode site\nfrom intel-hasswell\n", "t:2: unknown mode intel-hasswell" },
	{ "from version 0", "mode site\nfrom intel-haswell@0\n",
	  "t:2: intel-haswell@0: a version is a number from 1" },
	{ "from a version that is not there", "mode site\nfrom intel-haswell@9\n",
	  "t:2: intel-haswell has versions 1 to 5, not 9 (modes.txt:%u)" },
	{ "from itself", "mode a\nfrom a\n", "t:2: a cycle: a from a (line 1)" },
	{ "a cycle of three", "mode a\nfrom b\nmode b\nfrom c\nmode c\nfrom a\n",
	  "t:2: a cycle: a from b (line 3) from c (line 5) from a (line 1)" },
	{ "no provenance", "mode site\nlabel X\n",
	  "t:2: missing provenance: \"  @read SOURCE\", \"  @inferred SOURCE\" or \"  @chosen\"" },
	{ "one blank before the provenance", "mode site\nlabel X @chosen\n",
	  "t:2: missing provenance: \"  @read SOURCE\", \"  @inferred SOURCE\" or \"  @chosen\"" },
	{ "an unknown provenance", "mode site\nlabel X  @heard\n",
	  "t:2: @heard is no provenance: @read SOURCE, @inferred SOURCE or @chosen" },
	{ "a source for what was chosen", "mode site\nlabel X  @chosen sdm1\n",
	  "t:2: @chosen is no provenance: @read SOURCE, @inferred SOURCE or @chosen" },
	{ "no source", "mode site\nlabel X  @read\n", "t:2: missing source after @read" },
	{ "an unknown source", "mode site\nlabel X  @inferred rumour:3\n", "t:2: unknown source rumour" },
	{ "an unknown word", HEAD "colour blue  @chosen\n", "t:4: unknown word colour" },
	{ "an empty label", "mode site\nlabel  @chosen\n", "t:2: label says nothing" },
	{ "a label twice", HEAD "label Y  @chosen\n", "t:4: label is already given (line 2)" },
	{ "no label", "mode site\nfrom intel-haswell\n", "t:1: site has no label" },
	{ "an unknown vendor", HEAD "vendor cyrix\n", "t:4: unknown vendor cyrix: intel, amd or any" },
	{ "no tracks", "mode site\nlabel X  @chosen\nfrom x86-64\nvendor intel\n",
	  "t:1: site has no tracks" },
	{ "empty tracks", HEAD "tracks  @chosen\n", "t:4: tracks says nothing" },
	{ "no family", "mode site\nlabel X  @chosen\nfrom x86-64\ntracks a  @chosen\ntier 1  @chosen\n",
	  "t:1: site has no family" },
	{ "a number that is none", HEAD "family six  @chosen\n", "t:4: family six is not a number" },
	{ "a number too many", HEAD "family 6 7  @chosen\n", "t:4: family 6 7 is not a number" },
	{ "a family that does not fit", HEAD "family 0x10f  @chosen\n",
	  "t:4: family 0x10f is more than 0x10e" },
	{ "a stepping that does not fit", HEAD "stepping 16  @chosen\n",
	  "t:4: stepping 0x10 is more than 0xf" },
	{ "a highest extended leaf among the basic", HEAD "max-extended 8  @chosen\n",
	  "t:4: max-extended 0x8 is below 0x80000000" },
	{ "a model twice", HEAD "model 1  @chosen\nmodel 2  @chosen\n",
	  "t:5: model is already given (line 4)" },
	{ "another signature", HEAD "signature mine\n", "t:4: not a signature: signature host" },
	{ "both signatures", HEAD "signature host\nmodel 1  @chosen\n",
	  "t:5: model beside \"signature host\" (line 4)" },
	{ "an empty list", HEAD "adds  @chosen\n", "t:4: no feature is named" },
	{ "an unknown feature", HEAD "adds avx3  @chosen\n", "t:4: unknown feature avx3" },
	{ "a feature that is there by the mode it is from", HEAD "adds avx2  @chosen\n",
	  "t:4: avx2 is already there (intel-haswell, modes.txt:%u)" },
	{ "a feature twice", HEAD "adds smap  @chosen\nadds smap  @chosen\n",
	  "t:5: smap is already there (line 4)" },
	{ "a feature twice in one line", HEAD "adds smap smap  @chosen\n",
	  "t:4: smap is already there (line 4)" },
	{ "a number as feature", HEAD "adds phys-addr-bits  @chosen\n",
	  "t:4: phys-addr-bits is a number: a mode lists single bits" },
	{ "a feature that is nobody's to level", HEAD "adds osxsave  @chosen\n",
	  "t:4: osxsave has rule own: a mode lists features of rule and, or" },
	{ "another vendor's feature", HEAD "adds clzero  @chosen\n", "t:4: clzero does not exist on intel" },
	{ "dropping what is not there", HEAD "drops smap  @chosen\n", "t:4: drops smap, which is not there" },
	{ "dropping twice", HEAD "drops avx2  @chosen\ndrops avx2  @chosen\n",
	  "t:5: drops avx2, which is not there" },
	{ "holding what is not there", HEAD "holds smap  @chosen\n", "t:4: holds smap, which is not there" },
	{ "a version without reason", HEAD "version 6 since 2026-01  @chosen\n",
	  "t:4: not a version: version NUMBER since YYYY-MM why TEXT, NUMBER from 2" },
	{ "version 1", HEAD "version 1 since 2026-01 why X  @chosen\n",
	  "t:4: not a version: version NUMBER since YYYY-MM why TEXT, NUMBER from 2" },
	{ "a date that is none", HEAD "version 6 since January why X  @chosen\n",
	  "t:4: not a version: version NUMBER since YYYY-MM why TEXT, NUMBER from 2" },
	{ "a version number that is not its place",
	  HEAD "version 2 since 2026-01 why X  @chosen\nadds smap  @chosen\n",
	  "t:4: version 2 is number 6 in order of dates, inherited ones included" },
	{ "versions out of order",
	  HEAD
	  "version 6 since 2026-02 why X  @chosen\nadds smap  @chosen\nversion 7 since 2026-01 why Y  @chosen\n",
	  "t:6: version 7 is not after version 6 (line 4)" },
	{ "a version that adds nothing", HEAD "version 6 since 2026-01 why X  @chosen\n",
	  "t:4: version 6 adds nothing" },
	{ "a version that takes away", HEAD "version 6 since 2026-01 why X  @chosen\ndrops avx2  @chosen\n",
	  "t:5: a later version only adds" },
};

/* %u in a message stands for a line of modes.txt, which may change; the digits must be there. */
static bool same_message(const char *got, const char *want)
{
	while (*got && *want) {
		if (!strncmp(want, "%u", 2) && *got >= '0' && *got <= '9') {
			while (*got >= '0' && *got <= '9')
				got++;
			want += 2;
		} else if (*got++ != *want++) {
			return false;
		}
	}
	return !*got && !*want;
}

static void refuses(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct evc_modes modes = evc_builtin_modes;
		struct evc_error err = { 0 };
		char text[512] = "accepted";

		if (evc_modes_parse(evc_span_from(refusals[i].text), "t", &arena, &modes, &err) < 0)
			evc_error_format(&err, text, sizeof(text));
		if (!same_message(text, refusals[i].message)) {
			failed++;
			print_error("%s: %s\n  wanted: %s\n", refusals[i].name, text, refusals[i].message);
		}
		if (modes.n != evc_builtin_modes.n || modes.items != evc_builtin_modes.items) {
			failed++;
			print_error("%s: the modes were changed\n", refusals[i].name);
		}
	}
	assert_int_equal(failed, 0);
}

static const struct evc_mode *parse(const char *text, const char *key)
{
	struct evc_modes modes = evc_builtin_modes;
	const struct evc_mode *mode = NULL;
	struct evc_error err = { 0 };
	unsigned version;
	char message[512];

	if (evc_modes_parse(evc_span_from(text), "t", &arena, &modes, &err) < 0)
		fail_msg("%s", evc_error_format(&err, message, sizeof(message)));
	assert_int_equal(evc_modes_find(&modes, evc_span_from(key), &mode, &version, &err), 0);
	return mode;
}

static void inherits_what_is_not_said(void **state)
{
	const struct evc_mode *site = parse(HEAD "drops avx2 fma  @chosen\nadds smap  @chosen\n", "site"),
			      *by;
	const struct evc_set *first = &evc_mode_version(site, 1)->features;

	(void)state;
	assert_string_equal(site->key, "site");
	assert_string_equal(site->label, "Site");
	assert_string_equal(site->origin, "t:1");
	assert_string_equal(site->from->key, "intel-haswell");
	assert_int_equal(site->vendors, EVC_VENDOR_INTEL);
	assert_int_equal(site->family.value, 6);
	assert_int_equal(site->model.value, 0x3f);
	assert_string_equal(site->tracks, "intel");
	assert_false(evc_set_has(first, EVC_F_AVX2) || evc_set_has(first, EVC_F_FMA));
	assert_true(evc_set_has(first, EVC_F_SMAP) && evc_set_has(first, EVC_F_BMI2));
	assert_int_equal(site->n_versions, 5);
	assert_true(evc_set_has(&site->versions[1].features, EVC_F_SPEC_CTRL));
	assert_null(evc_mode_claim(site, EVC_F_AVX2, &by));
	assert_int_equal(evc_mode_claim(site, EVC_F_SMAP, &by)->provenance, EVC_PROVENANCE_CHOSEN);
	assert_ptr_equal(by, site);
}

static void puts_versions_in_order_of_dates(void **state)
{
	const struct evc_mode *site =
		parse(HEAD "version 3 since 2018-03 why Ours  @chosen\nadds smap  @chosen\n", "site");

	(void)state;
	assert_int_equal(site->n_versions, 6);
	assert_string_equal(site->versions[1].since, "2018-01");
	assert_string_equal(site->versions[2].since, "2018-03");
	assert_string_equal(site->versions[2].why, "Ours");
	assert_true(evc_set_has(&site->versions[2].adds, EVC_F_SMAP));
	assert_int_equal(evc_set_count(&site->versions[2].adds), 1);
	assert_string_equal(site->versions[3].since, "2018-05");
	assert_true(evc_set_has(&site->versions[5].features, EVC_F_SMAP));
	assert_false(evc_set_has(&site->versions[1].features, EVC_F_SMAP));
}

static void starts_with_a_version_when_told(void **state)
{
	const struct evc_mode *site = parse("mode site\nlabel Site  @chosen\nfrom intel-haswell@3\n", "site");

	(void)state;
	assert_int_equal(site->n_versions, 3);
	assert_true(evc_set_has(&site->versions[0].features, EVC_F_SSBD));
	assert_true(evc_set_has(&site->versions[1].adds, EVC_F_MD_CLEAR));
}

static void joins_versions_of_one_month(void **state)
{
	const struct evc_mode *site =
		parse(HEAD "version 2 since 2018-01 why Both  @chosen\nadds smap  @chosen\n", "site");

	(void)state;
	assert_int_equal(site->n_versions, 5);
	assert_true(evc_set_has(&site->versions[1].adds, EVC_F_SMAP));
	assert_true(evc_set_has(&site->versions[1].adds, EVC_F_STIBP));
}

static void may_have_at_once_what_came_later(void **state)
{
	const struct evc_mode *site = parse(HEAD "adds md-clear  @chosen\n", "site");

	(void)state;
	assert_true(evc_set_has(&site->versions[0].features, EVC_F_MD_CLEAR));
	assert_int_equal(site->n_versions, 4);
}

static void reads_in_the_order_of_from(void **state)
{
	const struct evc_mode *a = parse("mode a\nlabel A  @chosen\nfrom b\nadds smap  @chosen\n"
	                                 "base b\nfrom intel-haswell\ndrops avx2  @chosen\n",
	                                 "a");

	(void)state;
	assert_string_equal(a->from->key, "b");
	assert_false(evc_set_has(&a->versions[0].features, EVC_F_AVX2));
}

static void keeps_the_hosts_signature_when_told(void **state)
{
	const struct evc_mode *site = parse(HEAD "signature host\n", "site");
	const struct evc_mode *own =
		parse("mode own\nlabel Own  @chosen\nfrom x86-64-v2\nvendor any\nfamily 6  @chosen\n"
	              "model 1  @chosen\nstepping 1  @chosen\nmax-basic 0xd  @chosen\n"
	              "max-extended 0x80000008  @chosen\n",
	              "own");

	(void)state;
	assert_true(site->keeps_signature);
	assert_int_equal(site->model.value, 0);
	assert_false(own->keeps_signature);
	assert_int_equal(own->max_basic.value, 13);
}

static void knows_comments_and_line_ends(void **state)
{
	const struct evc_mode *site =
		parse("# first\r\n\r\n  mode site\r\n\tlabel Site #1  @chosen  # said\r\n"
	              "from intel-haswell\t# tab\r\nadds smap  @chosen",
	              "site");

	(void)state;
	assert_string_equal(site->label, "Site #1");
	assert_string_equal(site->origin, "t:3");
	assert_true(evc_set_has(&site->versions[0].features, EVC_F_SMAP));
}

static void takes_an_empty_text(void **state)
{
	struct evc_modes modes = evc_builtin_modes;
	struct evc_error err;

	(void)state;
	assert_int_equal(evc_modes_parse(evc_span_from(""), "t", &arena, &modes, &err), 0);
	assert_int_equal(modes.n, evc_builtin_modes.n);
}

static void refuses_a_text_beyond_its_limit(void **state)
{
	struct evc_modes modes = evc_builtin_modes;
	struct evc_error err;
	struct evc_span huge = { .text = "", .length = EVC_MAX_MODES_TEXT + 1 };

	(void)state;
	assert_int_equal(evc_modes_parse(huge, "t", &arena, &modes, &err), EVC_ERR_LIMIT);
	assert_string_equal(err.text, "more than 1048576 bytes of modes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(inherits_what_is_not_said),
		cmocka_unit_test(puts_versions_in_order_of_dates),
		cmocka_unit_test(starts_with_a_version_when_told),
		cmocka_unit_test(joins_versions_of_one_month),
		cmocka_unit_test(may_have_at_once_what_came_later),
		cmocka_unit_test(reads_in_the_order_of_from),
		cmocka_unit_test(keeps_the_hosts_signature_when_told),
		cmocka_unit_test(knows_comments_and_line_ends),
		cmocka_unit_test(takes_an_empty_text),
		cmocka_unit_test(refuses_a_text_beyond_its_limit),
	};

	return cmocka_run_group_tests_name("text/modes", tests, NULL, free_arena);
}
