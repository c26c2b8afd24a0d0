/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of guests: found while their process lives, void afterwards; names that are none. */
#include "guest/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct evc_arena arena;
static char folder[] = "/tmp/evc-record-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(folder) || setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	evc_arena_free(&arena);
	snprintf(path, sizeof(path), "%s/openevc", folder);
	return rmdir(path) || rmdir(folder);
}

static void a_name_is_of_few_letters(void **state)
{
	static const struct {
		const char *name;
		bool fits;
	} rows[] = {
		{ "vm7", true },
		{ "a-b_c.d+e@f", true },
		{ "7a", true },
		{ "7", false },
		{ "", false },
		{ ".", false },
		{ "../vm7", false },
		{ "-vm7", false },
		{ "a b", false },
		{ "a/b", false },
		{ "é", false },
		{ "a123456789012345678901234567890123456789012345678901234567890123", true },
		{ "a1234567890123456789012345678901234567890123456789012345678901234", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(evc_record_name_fits(rows[i].name), rows[i].fits);
}

static void a_living_guest_is_found_by_its_name(void **state)
{
	json_t *record = json_pack("{s:s}", "qmp", "/run/vm7.qmp"), *found = NULL;
	struct evc_error err = { 0 };

	(void)state;
	assert_int_equal(evc_record_write("vm7", record, &arena, &err), EVC_OK);
	assert_int_equal(evc_record_read("vm7", &arena, &found, &err), EVC_OK);
	assert_non_null(found);
	assert_string_equal(json_string_value(json_object_get(found, "qmp")), "/run/vm7.qmp");
	assert_int_equal(json_integer_value(json_object_get(found, "pid")), getpid());
	json_decref(found);
	/* and its name is taken */
	assert_int_equal(evc_record_write("vm7", record, &arena, &err), EVC_ERR_USAGE);
	assert_non_null(strstr(err.text, "vm7 is running"));
	json_decref(record);
	evc_record_remove("vm7", &arena);
	assert_int_equal(evc_record_read("vm7", &arena, &found, &err), EVC_OK);
	assert_null(found);
}

static void a_guest_that_ended_is_not_found(void **state)
{
	json_t *record = json_object(), *found = NULL;
	struct evc_error err = { 0 };
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(evc_record_write("gone", record, &arena, &err) != EVC_OK);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(evc_record_read("gone", &arena, &found, &err), EVC_OK);
	assert_null(found);
	json_decref(record);
}

/* Another process may have got the number of one that ended. */
static void a_process_that_began_later_is_another(void **state)
{
	json_t *record = json_object(), *found = NULL;
	struct evc_error err = { 0 };
	char path[64];

	(void)state;
	assert_int_equal(evc_record_write("vm8", record, &arena, &err), EVC_OK);
	snprintf(path, sizeof(path), "%s/openevc/vm8.json", folder);
	json_object_set_new(record, "start",
	                    json_integer(json_integer_value(json_object_get(record, "start")) - 1));
	assert_int_equal(json_dump_file(record, path, 0), 0);
	assert_int_equal(evc_record_read("vm8", &arena, &found, &err), EVC_OK);
	assert_null(found);
	assert_int_not_equal(access(path, F_OK), 0);
	json_decref(record);
}

static void a_damaged_record_counts_as_none(void **state)
{
	json_t *found = NULL;
	struct evc_error err = { 0 };
	char path[64];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/openevc/half.json", folder);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("{\"pid\": ", file);
	fclose(file);
	assert_int_equal(evc_record_read("half", &arena, &found, &err), EVC_OK);
	assert_null(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_of_few_letters),
		cmocka_unit_test(a_living_guest_is_found_by_its_name),
		cmocka_unit_test(a_guest_that_ended_is_not_found),
		cmocka_unit_test(a_process_that_began_later_is_another),
		cmocka_unit_test(a_damaged_record_counts_as_none),
	};

	return cmocka_run_group_tests_name("guest/record", tests, setup, teardown);
}
