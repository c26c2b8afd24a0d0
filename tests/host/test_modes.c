/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users' own modes: which files are read, in which order, and what is said of a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "host/modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/evc-modes-XXXXXX";
static char modes_d[64];
static struct evc_arena arena;

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", modes_d, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", modes_d, name);
	unlink(path);
}

static int setup(void **state)
{
	char evc[48];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(evc, sizeof(evc), "%s/evc", folder);
	snprintf(modes_d, sizeof(modes_d), "%s/modes.d", evc);
	return mkdir(evc, 0700) || mkdir(modes_d, 0700) || setenv("XDG_CONFIG_HOME", folder, 1);
}

static int teardown(void **state)
{
	char evc[48];

	(void)state;
	snprintf(evc, sizeof(evc), "%s/evc", folder);
	evc_arena_free(&arena);
	return rmdir(modes_d) || rmdir(evc) || rmdir(folder);
}

static void reads_files_in_the_order_of_their_names(void **state)
{
	struct evc_modes modes;
	struct evc_error err;

	(void)state;
	put("b.modes", "mode second\nlabel Second  @chosen\nfrom first\n");
	put("a.modes", "mode first\nlabel First  @chosen\nfrom intel-haswell\n");
	put("c.txt", "not read\n");
	put(".d.modes", "not read\n");
	assert_int_equal(evc_modes_read(&arena, &modes, &err), 0);
	assert_true(modes.n >= 31);
	assert_string_equal(modes.items[modes.n - 2]->key, "first");
	assert_string_equal(modes.items[modes.n - 1]->key, "second");
	assert_ptr_equal(modes.items[modes.n - 1]->from, modes.items[modes.n - 2]);
	drop("a.modes");
	drop("b.modes");
	drop("c.txt");
	drop(".d.modes");
}

static void names_both_files_of_a_doubled_mode(void **state)
{
	struct evc_modes modes;
	struct evc_error err;
	char text[512], wanted[512];

	(void)state;
	put("a.modes", "mode site\nlabel A  @chosen\nfrom intel-haswell\n");
	put("b.modes", "# mine\nmode site\n");
	assert_int_equal(evc_modes_read(&arena, &modes, &err), EVC_ERR_INPUT);
	snprintf(wanted, sizeof(wanted), "%s/b.modes:2: mode site is already there (%s/a.modes:1)", modes_d,
	         modes_d);
	assert_string_equal(evc_error_format(&err, text, sizeof(text)), wanted);
	drop("a.modes");
	drop("b.modes");
}

static void takes_no_folder_for_no_modes(void **state)
{
	struct evc_modes modes = { 0 };
	struct evc_error err;

	(void)state;
	assert_int_equal(evc_modes_read_folder("/nowhere/at/all", &arena, &modes, &err), 0);
	assert_int_equal(modes.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_files_in_the_order_of_their_names),
		cmocka_unit_test(names_both_files_of_a_doubled_mode),
		cmocka_unit_test(takes_no_folder_for_no_modes),
	};

	return cmocka_run_group_tests_name("host/modes", tests, setup, teardown);
}
