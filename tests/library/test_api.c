/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library as a stranger has it: evc.h alone, and the shared library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <evc.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KABYLAKE "story/kabylake"
#define SANDYBRIDGE "machines/intel-sandybridge-2xxeon-e5-2650"
#define SKYLAKE "machines/intel-skylake-2xxeon6140"

static int make_cluster(void **state)
{
	return evc_cluster_new((struct evc_cluster **)state, NULL);
}

static int free_cluster(void **state)
{
	evc_cluster_free(*state);
	return 0;
}

/* A host of the corpus; its number. */
static size_t add(struct evc_cluster *cluster, const char *name)
{
	static char text[1 << 20];
	size_t length, host = SIZE_MAX;
	char path[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s/corpus/%s.json", getenv("EVC_SOURCE"), name);
	file = fopen(path, "re");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_int_equal(evc_cluster_add(cluster, text, length, name, &host, NULL), EVC_OK);
	return host;
}

static void hosts_are_numbered_in_the_order_they_came(void **state)
{
	assert_int_equal(evc_cluster_n_hosts(*state), 0);
	assert_int_equal(add(*state, SKYLAKE), 0);
	assert_int_equal(add(*state, SANDYBRIDGE), 1);
	assert_int_equal(evc_cluster_n_hosts(*state), 2);
	assert_string_equal(evc_cluster_host_name(*state, 1), "intel-sandybridge-2xxeon-e5-2650");
	assert_null(evc_cluster_host_name(*state, 2));
}

static void a_level_names_who_holds_it_down_and_why(void **state)
{
	struct evc_answer answer = { 0 };

	add(*state, SKYLAKE);
	add(*state, SANDYBRIDGE);
	assert_int_equal(evc_cluster_level(*state, NULL, 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_YES);
	assert_string_equal(answer.mode, "intel-sandybridge@1");
	assert_non_null(strstr(answer.text, "it lacks f16c, rdrand, fsgsbase, smep and erms "
	                                    "(its silicon does not have it)"));
	assert_non_null(strstr(answer.json, "\"cause\": \"older\""));
}

static void a_wanted_mode_that_a_host_lacks_is_a_no(void **state)
{
	struct evc_answer answer = { 0 };

	add(*state, SANDYBRIDGE);
	assert_int_equal(evc_cluster_level(*state, "intel-haswell", 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_NO);
}

static void a_damaged_text_is_an_error_and_a_host_nobody_can_read(void **state)
{
	struct evc_answer answer = { 0 };
	struct evc_error err = { 0 };
	size_t first = SIZE_MAX;

	add(*state, SKYLAKE);
	assert_int_equal(evc_cluster_add(*state, "{", 1, "web7", &first, &err), EVC_ERR_INPUT);
	assert_string_equal(err.origin, "web7");
	assert_int_equal(first, 1);
	assert_int_equal(evc_cluster_level(*state, NULL, 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_UNKNOWN);
	assert_int_equal(evc_cluster_fits(*state, 0, 1, 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_UNKNOWN);
	assert_int_equal(evc_cluster_apply(*state, 1, "intel-haswell", "json", 0, &answer, NULL),
	                 EVC_ERR_INPUT);
}

static void what_is_applied_fits_the_host_it_was_made_on(void **state)
{
	struct evc_answer answer = { 0 };
	size_t host = add(*state, SKYLAKE), guest;

	assert_int_equal(evc_cluster_apply(*state, host, "intel-haswell", "json", 0, &answer, NULL), EVC_OK);
	assert_int_equal(evc_cluster_add(*state, answer.text, strlen(answer.text), "guest", &guest, NULL),
	                 EVC_OK);
	assert_int_equal(evc_cluster_fits(*state, guest, host, 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_YES);
	assert_int_equal(evc_cluster_fits(*state, guest, add(*state, SANDYBRIDGE), 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_NO);
}

static void vendors_are_levelled_only_who_asks_for_it(void **state)
{
	struct evc_answer answer = { 0 };

	add(*state, SKYLAKE);
	add(*state, "machines/amd-17h-zen-2xepyc-7451");
	assert_int_equal(evc_cluster_level(*state, NULL, 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_NO);
	assert_int_equal(evc_cluster_level(*state, NULL, EVC_ACROSS_VENDORS, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_YES);
	assert_string_equal(answer.mode, "x86-64-v3@1");
}

static void modes_of_ones_own_are_known_from_then_on(void **state)
{
	static const char text[] = "mode site\nlabel Site  @chosen\nfrom intel-haswell\ndrops rtm  @chosen\n";
	static const char good[] = "mode site\nlabel Site  @chosen\nfrom intel-haswell\n"
				   "tracks intel  @chosen\ntier 6  @chosen\n";
	struct evc_answer answer = { 0 };
	struct evc_error err = { 0 };

	add(*state, SKYLAKE);
	assert_int_equal(evc_cluster_level(*state, "site", 0, &answer, NULL), EVC_ERR_NAME);
	assert_int_equal(evc_cluster_add_modes(*state, text, strlen(text), "site.modes", &err),
	                 EVC_ERR_INPUT);
	assert_string_equal(err.text, "drops rtm, which is not there");
	assert_int_equal(err.line, 4);
	assert_int_equal(evc_cluster_add_modes(*state, good, strlen(good), "site.modes", NULL), EVC_OK);
	assert_int_equal(evc_cluster_level(*state, "site", 0, &answer, NULL), EVC_OK);
	assert_int_equal(answer.verdict, EVC_YES);
}

static void an_answer_stays_when_others_are_asked_for(void **state)
{
	struct evc_answer first = { 0 }, second = { 0 };
	char *copy;

	add(*state, KABYLAKE);
	assert_int_equal(evc_cluster_level(*state, NULL, 0, &first, NULL), EVC_OK);
	copy = strdup(first.json);
	add(*state, SANDYBRIDGE);
	assert_int_equal(evc_cluster_level(*state, NULL, 0, &second, NULL), EVC_OK);
	assert_string_not_equal(second.json, copy);
	assert_string_equal(first.json, copy);
	free(copy);
}

static void refusals_say_what_to_do_and_leave_the_answer_alone(void **state)
{
	struct evc_answer answer = { .verdict = EVC_UNKNOWN, .mode = "untouched" };
	struct evc_error err = { 0 };

	assert_int_equal(evc_cluster_level(*state, NULL, 0, &answer, &err), EVC_ERR_USAGE);
	assert_string_equal(err.text, "the cluster has no hosts");
	add(*state, KABYLAKE);
	assert_int_equal(evc_cluster_fits(*state, 0, 1, 0, &answer, &err), EVC_ERR_USAGE);
	assert_string_equal(err.text, "no host 1: the cluster has 1");
	assert_int_equal(evc_cluster_level(*state, "nothing", 0, &answer, &err), EVC_ERR_NAME);
	assert_int_equal(err.code, EVC_ERR_NAME);
	assert_int_equal(evc_cluster_apply(*state, 0, "intel-haswell", "papyrus", 0, &answer, NULL),
	                 EVC_ERR_NAME);
	assert_string_equal(answer.mode, "untouched");
}

static void a_success_leaves_the_error_alone(void **state)
{
	static const char text[] = "CPU 0:\n   0x00000001 0x00: eax=0x000306f2 ebx=0x00000000 "
				   "ecx=0x00000000 edx=0x00000000\n";
	static const struct evc_error none = { 0 };
	struct evc_answer answer = { 0 };
	struct evc_error err = { 0 };

	assert_int_equal(evc_cluster_add(*state, text, strlen(text), "web1", NULL, &err), EVC_OK);
	assert_int_equal(evc_cluster_level(*state, NULL, 0, &answer, &err), EVC_OK);
	assert_memory_equal(&err, &none, sizeof(err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_cluster, free_cluster)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(hosts_are_numbered_in_the_order_they_came),
		TEST(a_level_names_who_holds_it_down_and_why),
		TEST(a_wanted_mode_that_a_host_lacks_is_a_no),
		TEST(a_damaged_text_is_an_error_and_a_host_nobody_can_read),
		TEST(what_is_applied_fits_the_host_it_was_made_on),
		TEST(vendors_are_levelled_only_who_asks_for_it),
		TEST(modes_of_ones_own_are_known_from_then_on),
		TEST(an_answer_stays_when_others_are_asked_for),
		TEST(refusals_say_what_to_do_and_leave_the_answer_alone),
		TEST(a_success_leaves_the_error_alone),
	};

	return cmocka_run_group_tests_name("library/api", tests, NULL, NULL);
}
