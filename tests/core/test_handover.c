/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/handover.h"

#include <stdlib.h>

enum { N_SOURCES = EVC_SOURCE_SILENT + 1, N_DESTINATIONS = EVC_DESTINATION_SILENT + 1 };

static const struct row {
	const char *name;
	struct evc_handover seen;
	enum evc_handover_step step;
} rows[] = {
	{ "a source that sends to one that waits",
	  { .source = EVC_SOURCE_SENDS, .destination = EVC_DESTINATION_WAITS, .wanted = true },
	  EVC_STEP_WAIT },
	{ "the destination dies while the source sends",
	  { .source = EVC_SOURCE_SENDS, .destination = EVC_DESTINATION_GONE, .wanted = true },
	  EVC_STEP_CANCEL },
	{ "somebody cancels while the source sends",
	  { .source = EVC_SOURCE_SENDS, .destination = EVC_DESTINATION_WAITS },
	  EVC_STEP_CANCEL },
	{ "it runs there though the source says that it sends",
	  { .source = EVC_SOURCE_SENDS, .destination = EVC_DESTINATION_RUNS, .wanted = true },
	  EVC_STEP_DOUBT },
	{ "it runs there and fetches though the source says that it sends",
	  { .source = EVC_SOURCE_SENDS, .destination = EVC_DESTINATION_FETCHES },
	  EVC_STEP_DOUBT },
	{ "it starves there though the source says that it sends",
	  { .source = EVC_SOURCE_SENDS, .destination = EVC_DESTINATION_STARVES, .wanted = true },
	  EVC_STEP_DOUBT },
	{ "a cancelled one stays",
	  { .source = EVC_SOURCE_HAS, .destination = EVC_DESTINATION_WAITS },
	  EVC_STEP_STAY },
	{ "all is there: run it there",
	  { .source = EVC_SOURCE_GAVE, .destination = EVC_DESTINATION_LOADED, .wanted = true, .gave = true },
	  EVC_STEP_RUN },
	{ "all is there, but it is another CPU: take it back",
	  { .source = EVC_SOURCE_GAVE, .destination = EVC_DESTINATION_LOADED, .gave = true },
	  EVC_STEP_TAKE_BACK },
	{ "the destination dies with the guest, before it ran",
	  { .source = EVC_SOURCE_GAVE, .destination = EVC_DESTINATION_GONE, .wanted = true, .gave = true },
	  EVC_STEP_TAKE_BACK },
	{ "it falls silent before it ran",
	  { .source = EVC_SOURCE_GAVE, .destination = EVC_DESTINATION_SILENT, .wanted = true, .gave = true },
	  EVC_STEP_TAKE_BACK },
	{ "it dies when it may have run",
	  { .source = EVC_SOURCE_GAVE,
	    .destination = EVC_DESTINATION_GONE,
	    .wanted = true,
	    .told = true,
	    .gave = true },
	  EVC_STEP_DOUBT },
	{ "it falls silent when it may run",
	  { .source = EVC_SOURCE_GAVE,
	    .destination = EVC_DESTINATION_SILENT,
	    .wanted = true,
	    .told = true,
	    .gave = true },
	  EVC_STEP_DOUBT },
	{ "it runs there: end the source",
	  { .source = EVC_SOURCE_GAVE,
	    .destination = EVC_DESTINATION_RUNS,
	    .wanted = true,
	    .told = true,
	    .gave = true },
	  EVC_STEP_FINISH },
	{ "it runs there and only there",
	  { .source = EVC_SOURCE_GONE, .destination = EVC_DESTINATION_RUNS, .told = true },
	  EVC_STEP_DONE },
	{ "the source dies when all is there",
	  { .source = EVC_SOURCE_GONE, .destination = EVC_DESTINATION_LOADED, .wanted = true },
	  EVC_STEP_RUN },
	{ "the source dies when all is there, but it is another CPU",
	  { .source = EVC_SOURCE_GONE, .destination = EVC_DESTINATION_LOADED },
	  EVC_STEP_DOUBT },
	{ "the source dies before that",
	  { .source = EVC_SOURCE_GONE, .destination = EVC_DESTINATION_WAITS, .wanted = true },
	  EVC_STEP_LOST },
	{ "the source falls silent before it was seen to have given it",
	  { .source = EVC_SOURCE_SILENT, .destination = EVC_DESTINATION_LOADED, .wanted = true },
	  EVC_STEP_DOUBT },
	{ "the source falls silent after it",
	  { .source = EVC_SOURCE_SILENT,
	    .destination = EVC_DESTINATION_LOADED,
	    .wanted = true,
	    .gave = true },
	  EVC_STEP_RUN },
	{ "it runs there, the source is silent and paused",
	  { .source = EVC_SOURCE_SILENT,
	    .destination = EVC_DESTINATION_RUNS,
	    .wanted = true,
	    .told = true,
	    .gave = true },
	  EVC_STEP_LEAVE },
	{ "both are silent, and the destination was not told to run: its end may free the source",
	  { .source = EVC_SOURCE_SILENT, .destination = EVC_DESTINATION_SILENT },
	  EVC_STEP_STAY },
	{ "both are silent, and the destination may run",
	  { .source = EVC_SOURCE_SILENT, .destination = EVC_DESTINATION_SILENT, .told = true },
	  EVC_STEP_DOUBT },
	{ "both run: a person has to look",
	  { .source = EVC_SOURCE_HAS, .destination = EVC_DESTINATION_RUNS, .told = true },
	  EVC_STEP_DOUBT },
	{ "postcopy: enough is there",
	  { .source = EVC_SOURCE_SHARES, .destination = EVC_DESTINATION_LOADED, .wanted = true },
	  EVC_STEP_RUN },
	{ "postcopy: the rest follows",
	  { .source = EVC_SOURCE_SHARES,
	    .destination = EVC_DESTINATION_FETCHES,
	    .wanted = true,
	    .told = true },
	  EVC_STEP_WAIT },
	{ "postcopy: the rest was sent, and not yet put in its place",
	  { .source = EVC_SOURCE_GAVE, .destination = EVC_DESTINATION_FETCHES, .wanted = true, .told = true },
	  EVC_STEP_WAIT },
	{ "postcopy: the connection broke",
	  { .source = EVC_SOURCE_SHARES,
	    .destination = EVC_DESTINATION_STARVES,
	    .wanted = true,
	    .told = true },
	  EVC_STEP_WAIT },
	{ "postcopy: the destination stands still at a page, with its monitor",
	  { .source = EVC_SOURCE_SHARES,
	    .destination = EVC_DESTINATION_SILENT,
	    .wanted = true,
	    .told = true },
	  EVC_STEP_WAIT },
	{ "postcopy: the source ended, and the last of it may be on its way",
	  { .source = EVC_SOURCE_GONE, .destination = EVC_DESTINATION_FETCHES, .wanted = true, .told = true },
	  EVC_STEP_WAIT },
	{ "postcopy: the source ended too early",
	  { .source = EVC_SOURCE_GONE, .destination = EVC_DESTINATION_STARVES, .wanted = true, .told = true },
	  EVC_STEP_LOST },
	{ "postcopy: the destination ended after it ran",
	  { .source = EVC_SOURCE_SHARES, .destination = EVC_DESTINATION_GONE, .wanted = true, .told = true },
	  EVC_STEP_LOST },
	{ "postcopy: the destination ended before it ran",
	  { .source = EVC_SOURCE_SHARES, .destination = EVC_DESTINATION_GONE, .wanted = true },
	  EVC_STEP_DOUBT },
};

static void check_row(void **state)
{
	const struct row *row = *state;

	assert_int_equal(evc_handover_next(&row->seen), row->step);
}

/* Every state there is, seen in every way. */
static void each_state(void (*check)(const struct evc_handover *seen, enum evc_handover_step step))
{
	for (int i = 0; i < N_SOURCES * N_DESTINATIONS * 8; i++) {
		struct evc_handover seen = {
			.source = (enum evc_handover_source)(i / 8 % N_SOURCES),
			.destination = (enum evc_handover_destination)(i / 8 / N_SOURCES),
			.wanted = i & 1,
			.told = i & 2,
			.gave = i & 4,
		};

		check(&seen, evc_handover_next(&seen));
	}
}

/* Whoever is let run must know that the other one does not, and will not. */
static void no_second_one(const struct evc_handover *seen, enum evc_handover_step step)
{
	if (step == EVC_STEP_RUN) {
		assert_int_equal(seen->destination, EVC_DESTINATION_LOADED);
		assert_true(seen->source == EVC_SOURCE_GAVE || seen->source == EVC_SOURCE_GONE ||
		            seen->source == EVC_SOURCE_SHARES ||
		            (seen->source == EVC_SOURCE_SILENT && seen->gave));
	}
	if (step == EVC_STEP_TAKE_BACK) {
		assert_int_equal(seen->source, EVC_SOURCE_GAVE);
		assert_false(seen->told);
		assert_int_not_equal(seen->destination, EVC_DESTINATION_RUNS);
	}
}

/* Who is ended must not be the only one. */
static void not_the_last_one(const struct evc_handover *seen, enum evc_handover_step step)
{
	if (step == EVC_STEP_FINISH)
		assert_int_equal(seen->destination, EVC_DESTINATION_RUNS);
	if (step == EVC_STEP_STAY) {
		assert_true(seen->source == EVC_SOURCE_HAS || seen->source == EVC_SOURCE_SILENT);
		if (seen->source == EVC_SOURCE_SILENT)
			assert_int_not_equal(seen->destination, EVC_DESTINATION_LOADED);
	}
	if (step == EVC_STEP_LOST) {
		bool starves = seen->destination == EVC_DESTINATION_STARVES;
		bool gone = seen->destination == EVC_DESTINATION_GONE;

		/* With postcopy each of the two has a part, and either's end is the guest's. */
		if (seen->source == EVC_SOURCE_SHARES)
			assert_true(gone && seen->told);
		else
			assert_int_equal(seen->source, EVC_SOURCE_GONE);
		assert_true(gone || starves || seen->destination == EVC_DESTINATION_WAITS);
	}
}

static void no_step_lets_two_run(void **state)
{
	(void)state;
	each_state(no_second_one);
}

static void no_step_ends_the_only_one(void **state)
{
	(void)state;
	each_state(not_the_last_one);
}

static void qemus_words_are_understood(void **state)
{
	(void)state;
	assert_int_equal(evc_handover_source_from("running", ""), EVC_SOURCE_HAS);
	assert_int_equal(evc_handover_source_from("paused", "failed"), EVC_SOURCE_HAS);
	assert_int_equal(evc_handover_source_from("running", "cancelled"), EVC_SOURCE_HAS);
	assert_int_equal(evc_handover_source_from("running", "active"), EVC_SOURCE_SENDS);
	assert_int_equal(evc_handover_source_from("finish-migrate", "pre-switchover"), EVC_SOURCE_SENDS);
	assert_int_equal(evc_handover_source_from("finish-migrate", "device"), EVC_SOURCE_SWITCHES);
	assert_int_equal(evc_handover_source_from("finish-migrate", "failed"), EVC_SOURCE_SWITCHES);
	assert_int_equal(evc_handover_source_from("finish-migrate", "completed"), EVC_SOURCE_SWITCHES);
	assert_int_equal(evc_handover_source_from("postmigrate", "completed"), EVC_SOURCE_GAVE);
	assert_int_equal(evc_handover_source_from("finish-migrate", "postcopy-active"), EVC_SOURCE_SHARES);
	assert_int_equal(evc_handover_destination_from("inmigrate", ""), EVC_DESTINATION_WAITS);
	assert_int_equal(evc_handover_destination_from("inmigrate", "active"), EVC_DESTINATION_WAITS);
	assert_int_equal(evc_handover_destination_from("paused", "completed"), EVC_DESTINATION_LOADED);
	assert_int_equal(evc_handover_destination_from("paused", "postcopy-active"), EVC_DESTINATION_LOADED);
	assert_int_equal(evc_handover_destination_from("running", "completed"), EVC_DESTINATION_RUNS);
	assert_int_equal(evc_handover_destination_from("running", "postcopy-active"),
	                 EVC_DESTINATION_FETCHES);
	assert_int_equal(evc_handover_destination_from("running", "postcopy-paused"),
	                 EVC_DESTINATION_STARVES);
	assert_int_equal(evc_handover_destination_from("paused", "postcopy-recover"),
	                 EVC_DESTINATION_STARVES);
	/* Paused, but nobody says that something arrived: there is no guest to run. */
	assert_int_equal(evc_handover_destination_from("paused", ""), EVC_DESTINATION_WAITS);
}

int main(void)
{
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	struct CMUnitTest tests[N + 3];

	for (size_t i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
			                        .test_func = check_row,
			                        .initial_state = (void *)&rows[i] };
	tests[N] = (struct CMUnitTest)cmocka_unit_test(no_step_lets_two_run);
	tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(no_step_ends_the_only_one);
	tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(qemus_words_are_understood);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
