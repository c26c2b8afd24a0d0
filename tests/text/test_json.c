/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The own form and cpuid -r: what is written is read back. */
#include "text/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char json[] =
	"{\"openevc\": 1, \"name\": \"web3\", \"facts\": {\"microcode\": \"0x84\"},\n"
	" \"cpus\": [{\"cpu\": 2, \"alike\": 3, \"leaves\": {\"0.0\": \"00000007 1 2 3\",\n"
	"  \"7.1\": \"000000f0/000000ff - 1 2\"}, \"msrs\": {\"10a\": \"2b\"}}],\n"
	" \"kvm\": {\"leaves\": {\"0.0\": \"7 1 2 3\"}}}\n";

static void reads_and_writes_json(void **state)
{
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_sink sink = { 0 }, again = { 0 };
	struct evc_error err = { 0 };
	uint64_t known;
	(void)state;

	assert_int_equal(evc_hosts_read(evc_span_from(json), "x", &arena, &hosts, &err), EVC_OK);
	assert_int_equal(hosts.n, 1);
	assert_string_equal(hosts.items[0].name, "web3");
	assert_int_equal(hosts.items[0].facts.microcode, 0x84);
	assert_int_equal(hosts.items[0].cpus[0].cpu, 2);
	assert_int_equal(hosts.items[0].cpus[0].n_alike, 3);
	assert_int_equal(evc_dump_register(&hosts.items[0].cpus[0], 7, 1, EVC_EAX, &known), 0xf0);
	assert_int_equal(known, 0xff);
	assert_int_equal(evc_dump_register(&hosts.items[0].cpus[0], 0x10a, 0, EVC_MSR, &known), 0x2b);
	assert_non_null(hosts.items[0].kvm);
	assert_int_equal(evc_format_json.write(&hosts.items[0], &sink, NULL, &err), EVC_OK);
	assert_int_equal(evc_hosts_read(evc_span_from(sink.text), "x", &arena, &hosts, &err), EVC_OK);
	assert_int_equal(evc_format_json.write(&hosts.items[1], &again, NULL, &err), EVC_OK);
	assert_string_equal(sink.text, again.text);
	evc_sink_free(&sink);
	evc_sink_free(&again);
	evc_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_json),
	};

	return cmocka_run_group_tests_name("text/json", tests, NULL, NULL);
}
