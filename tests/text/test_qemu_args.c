/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's command line: where it speaks QMP, and what its options say. */
#include "text/qemu-args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_WORDS = 16 };

struct row {
	const char *name;
	const char *words[MAX_WORDS];
	const char *addresses; /* with blanks between */
};

static const struct row rows[] = {
	{ .name = "finds -qmp with a path",
	  .words = { "qemu", "-m", "1G", "-qmp", "unix:/run/a.sock,server=on,wait=off" },
	  .addresses = "unix:/run/a.sock" },
	{ .name = "finds --qmp with a port",
	  .words = { "qemu", "--qmp", "tcp:127.0.0.1:4444,server" },
	  .addresses = "tcp:127.0.0.1:4444" },
	{ .name = "finds a pretty one, and several",
	  .words = { "qemu", "-qmp-pretty", "unix:b", "-qmp", "unix:a", "-qmp", "unix:c" },
	  .addresses = "unix:a unix:c unix:b" },
	{ .name = "finds -mon with its -chardev",
	  .words = { "qemu", "-chardev", "socket,id=x,path=/run/x,server=on", "-chardev",
	             "socket,path=/run/m,id=m,server=on", "-mon", "chardev=m,mode=control" },
	  .addresses = "unix:/run/m" },
	{ .name = "finds -mon whose id comes first, by TCP",
	  .words = { "qemu", "-mon", "m,mode=control", "-chardev", "socket,id=m,host=::1,port=7,server=on" },
	  .addresses = "tcp:::1:7" },
	{ .name = "finds -qmp that names a -chardev",
	  .words = { "qemu", "-qmp", "chardev:m", "-chardev", "socket,id=m,path=p" },
	  .addresses = "unix:p" },
	{ .name = "takes two commas for one",
	  .words = { "qemu", "-qmp", "unix:/a,,b,server" },
	  .addresses = "unix:/a,b" },
	{ .name = "leaves monitors for people alone",
	  .words = { "qemu", "-monitor", "unix:/run/m", "-chardev", "socket,id=m,path=/run/n", "-mon",
	             "chardev=m" },
	  .addresses = "" },
	{ .name = "has no address for a descriptor, as libvirt gives it",
	  .words = { "qemu", "-chardev", "socket,id=charmonitor,fd=23,server=on,wait=off", "-mon",
	             "chardev=charmonitor,id=monitor,mode=control" },
	  .addresses = "" },
	{ .name = "has no address for standard input, nor for nothing",
	  .words = { "qemu", "-qmp", "stdio", "-qmp" },
	  .addresses = "" },
};

static void finds_sockets(void **state)
{
	const struct row *row = *state;
	const char *addresses[EVC_QEMU_MAX_QMP];
	struct evc_arena arena = { 0 };
	char text[256] = "";
	size_t n = 0;

	while (n < MAX_WORDS && row->words[n])
		n++;
	n = evc_qemu_args_qmp(row->words, n, &arena, addresses);
	for (size_t i = 0; i < n; i++)
		strcat(strcat(text, i ? " " : ""), addresses[i]);
	assert_string_equal(text, row->addresses);
	evc_arena_free(&arena);
}

static const struct {
	const char *value, *key, *implied, *want; /* NULL: not there */
} keys[] = {
	{ .value = "guest=vm7,debug-threads=on", .key = "guest", .implied = "guest", .want = "vm7" },
	{ .value = "vm7,debug-threads=on", .key = "guest", .implied = "guest", .want = "vm7" },
	{ .value = "vm7", .key = "vm7", .implied = "guest", .want = NULL },
	{ .value = "a,,b,x=1", .key = "guest", .implied = "guest", .want = "a,b" },
	{ .value = "socket,server,id=m", .key = "server", .implied = "backend", .want = "on" },
	{ .value = "id=m,id=n", .key = "id", .implied = NULL, .want = "n" },
	{ .value = "server", .key = "server", .implied = NULL, .want = "on" },
	{ .value = "", .key = "id", .implied = NULL, .want = NULL },
	{ .value = "id=", .key = "id", .implied = NULL, .want = "" },
	{ .value = "ids=3", .key = "id", .implied = NULL, .want = NULL },
};

static void reads_keys(void **state)
{
	struct evc_arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *got = evc_qemu_args_key(&arena, keys[i].value, keys[i].key, keys[i].implied);

		if (!keys[i].want)
			assert_null(got);
		else
			assert_string_equal(got, keys[i].want);
	}
	evc_arena_free(&arena);
}

static void finds_every_place_of_an_option(void **state)
{
	static const char *const words[] = {
		"qemu", "-cpu", "a", "x-cpu", "--cpu", "b", "-cpus", "c", "-cpu"
	};
	enum { N = sizeof(words) / sizeof(words[0]) };
	size_t at = 0;

	(void)state;
	assert_string_equal(evc_qemu_args_next(words, N, "cpu", &at), "a");
	assert_string_equal(evc_qemu_args_next(words, N, "cpu", &at), "b");
	assert_string_equal(evc_qemu_args_next(words, N, "cpu", &at), "");
	assert_null(evc_qemu_args_next(words, N, "cpu", &at));
}

/* What a command line becomes; words with blanks between. */
static const struct {
	const char *name, *words, *drop, *more, *becomes;
} changes[] = {
	{ .name = "keeps what nobody changes",
	  .words = "-m 1G -nodefaults disk.img -S -append -x",
	  .becomes = "-m 1G -nodefaults disk.img -S -append -x" },
	{ .name = "drops an option with its value",
	  .words = "-m 1G -qmp unix:a --qmp unix:b -smp 2",
	  .drop = "qmp",
	  .becomes = "-m 1G -smp 2" },
	{ .name = "drops one that has none, and not the word behind it",
	  .words = "-daemonize disk.img -nographic -m 1G",
	  .drop = "daemonize",
	  .becomes = "disk.img -nographic -m 1G" },
	{ .name = "puts an option in the place of all of its name",
	  .words = "-serial file:a -m 1G --serial file:b",
	  .more = "-serial null -serial file:c",
	  .becomes = "-m 1G -serial null -serial file:c" },
	{ .name = "takes no value for an option",
	  .words = "-append -serial -serial file:a",
	  .more = "-append -m",
	  .becomes = "-serial file:a -append -m" },
	{ .name = "takes an option at the end that lacks its value",
	  .words = "-m 1G -qmp",
	  .drop = "qmp",
	  .becomes = "-m 1G" },
};

/* Cut a text at its blanks; NULL at the end. */
static size_t cut(char *text, const char *words[static MAX_WORDS])
{
	size_t n = 0;

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	words[n] = NULL;
	return n;
}

static void changes_options(void **state)
{
	size_t row = (size_t)*state, n, n_more, n_result = 0;
	char text[3][256] = { { 0 } }, joined[256] = "";
	const char *words[MAX_WORDS], *drop[MAX_WORDS], *more[MAX_WORDS], **result;
	struct evc_arena arena = { 0 };

	strcpy(text[0], changes[row].words);
	strcpy(text[1], changes[row].drop ? changes[row].drop : "");
	strcpy(text[2], changes[row].more ? changes[row].more : "");
	n = cut(text[0], words);
	cut(text[1], drop);
	n_more = cut(text[2], more);
	result = evc_qemu_args_change(words, n, drop, more, n_more, &arena, &n_result);
	assert_non_null(result);
	for (size_t i = 0; i < n_result; i++) {
		strcat(joined, i ? " " : "");
		strcat(joined, result[i]);
	}
	assert_string_equal(joined, changes[row].becomes);
	assert_null(result[n_result]);
	evc_arena_free(&arena);
}

int main(void)
{
	enum { N_ROWS = sizeof(rows) / sizeof(rows[0]), N_CHANGES = sizeof(changes) / sizeof(changes[0]) };
	struct CMUnitTest tests[N_ROWS + 2 + N_CHANGES];

	for (int i = 0; i < N_ROWS; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
			                        .test_func = finds_sockets,
			                        .initial_state = (void *)&rows[i] };
	tests[N_ROWS] = (struct CMUnitTest)cmocka_unit_test(reads_keys);
	tests[N_ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(finds_every_place_of_an_option);
	for (size_t i = 0; i < N_CHANGES; i++)
		tests[N_ROWS + 2 + i] = (struct CMUnitTest){ .name = changes[i].name,
			                                     .test_func = changes_options,
			                                     .initial_state = (void *)i };
	return cmocka_run_group_tests_name("text/qemu-args", tests, NULL, NULL);
}
