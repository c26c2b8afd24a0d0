/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The matrix says for each pair what the check of that pair says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"
#include "core/check.h"
#include "core/machines.h"
#include "core/matrix.h"

#include <string.h>

enum { MOST = 96 };

static struct evc_cpu machines[MOST];
static size_t n_machines;

static int setup(void **state)
{
	(void)state;
	n_machines = machines_read(&arena, machines, MOST);
	return n_machines > 20 ? 0 : -1;
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A machine with some bits lost, some not known, some fields changed. */
static struct evc_cpu perturbed(uint64_t *state)
{
	struct evc_cpu cpu = machines[random_next(state) % n_machines];
	int changes = (int)(random_next(state) % 6);

	if (random_next(state) % 2)
		memset(&cpu.known, 0xff, sizeof(cpu.known));
	for (int i = 0; i < changes; i++) {
		enum evc_feature_id id = (enum evc_feature_id)(random_next(state) % EVC_N_FEATURES);
		int slot = (int)(random_next(state) % EVC_N_SLOTS);

		evc_set_drop(&cpu.has, id);
		if (random_next(state) % 4 == 0)
			evc_set_drop(&cpu.known, id);
		if (evc_features[id].slot != EVC_NO_SLOT)
			cpu.value[evc_features[id].slot] = 0;
		if (evc_set_has(&cpu.known, evc_slots[slot])) {
			cpu.value[slot] = random_next(state) % 5;
			if (cpu.value[slot])
				evc_set_add(&cpu.has, evc_slots[slot]);
			else
				evc_set_drop(&cpu.has, evc_slots[slot]);
		}
	}
	return cpu;
}

static void run(const struct evc_cpu *const *guests, const struct evc_cpu *const *hosts, size_t n,
                struct evc_matrix *matrix, struct evc_matrix_bits *bits)
{
	struct evc_error err;

	assert_int_equal(evc_matrix_prepare(guests, hosts, n, &arena, matrix, &err), 0);
	assert_int_equal(evc_matrix_bits_make(matrix, &arena, bits, &err), 0);
	evc_matrix_rows(matrix, 0, matrix->n_kinds / 2, bits);
	evc_matrix_rows(matrix, matrix->n_kinds / 2, matrix->n_kinds, bits);
}

static void agrees_with_the_check_of_each_pair(void **state)
{
	enum { N = 150, ROUNDS = 6 };
	static struct evc_cpu cpus[2][N];
	const struct evc_cpu *guests[N], *hosts[N];
	uint64_t seed = 88172645463325252;
	size_t seen[3] = { 0 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct evc_matrix matrix;
		struct evc_matrix_bits bits;

		for (size_t i = 0; i < N; i++) {
			cpus[0][i] = perturbed(&seed);
			cpus[1][i] = round % 2 ? cpus[0][i] : perturbed(&seed);
			guests[i] = &cpus[0][i];
			hosts[i] = &cpus[1][i];
		}
		run(guests, hosts, N, &matrix, &bits);
		for (size_t i = 0; i < N; i++)
			for (size_t j = 0; j < N; j++) {
				enum evc_verdict want =
					evc_check_fits_from(guests[i], hosts[i], hosts[j], NULL);

				assert_int_equal(evc_matrix_verdict(&matrix, &bits, i, j), want);
				seen[want]++;
			}
	}
	/* A law that saw one verdict only would prove nothing. */
	assert_true(seen[EVC_YES] && seen[EVC_NO] && seen[EVC_UNKNOWN]);
}

static void a_host_takes_its_own_guest_when_all_is_known(void **state)
{
	static struct evc_cpu cpus[MOST];
	const struct evc_cpu *hosts[MOST];
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;

	(void)state;
	for (size_t i = 0; i < n_machines; i++) {
		cpus[i] = machines[i];
		memset(&cpus[i].known, 0xff, sizeof(cpus[i].known));
		hosts[i] = &cpus[i];
	}
	run(hosts, hosts, n_machines, &matrix, &bits);
	for (size_t i = 0; i < n_machines; i++)
		assert_int_equal(evc_matrix_verdict(&matrix, &bits, i, i), EVC_YES);
}

/* Dumps that do not tell all: the same dump is the same host, another signature or microcode is not. */
static void a_host_takes_its_own_guest_whatever_is_unknown(void **state)
{
	static struct evc_cpu cpus[3 * MOST];
	const struct evc_cpu *hosts[3 * MOST] = { NULL };
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;
	size_t n = n_machines, n_unsure = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		cpus[i] = cpus[n + i] = cpus[2 * n + i] = machines[i];
		cpus[n + i].microcode = 1;
		cpus[2 * n + i].signature++;
	}
	for (size_t i = 0; i < 3 * n; i++)
		hosts[i] = &cpus[i];
	run(hosts, hosts, 3 * n, &matrix, &bits);
	for (size_t i = 0; i < 3 * n; i++) {
		assert_int_equal(evc_matrix_verdict(&matrix, &bits, i, i),
		                 cpus[i].identified ? EVC_YES : EVC_UNKNOWN);
		for (size_t other = i % n; other < 3 * n; other += n) {
			enum evc_verdict want = evc_check_fits_from(hosts[i], NULL, hosts[other], NULL);

			assert_int_equal(evc_matrix_verdict(&matrix, &bits, i, other), want);
			n_unsure += want == EVC_UNKNOWN;
		}
	}
	assert_true(n_unsure);
}

/* Equal dumps of two hosts say nothing of their MSRs, which microcode changes. */
static void equal_hosts_of_unknown_microcode_are_not_taken_as_equal(void **state)
{
	static struct evc_cpu cpus[2];
	const struct evc_cpu *hosts[] = { &cpus[0], &cpus[1] };
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;

	(void)state;
	for (unsigned microcode = 0; microcode < 2; microcode++) {
		for (size_t i = 0; i < 2; i++) {
			cpus[i] = (struct evc_cpu){ .vendor_id = "GenuineIntel",
				                    .vendor = EVC_VENDOR_INTEL,
				                    .identified = true,
				                    .signature = 0x50654,
				                    .microcode = microcode };
			memset(&cpus[i].known, 0xff, sizeof(cpus[i].known));
			evc_set_add(&cpus[i].has, EVC_F_ARCH_CAPABILITIES);
			evc_set_drop(&cpus[i].known, EVC_F_RDCL_NO);
		}
		run(hosts, hosts, 2, &matrix, &bits);
		assert_int_equal(evc_matrix_verdict(&matrix, &bits, 0, 0), EVC_YES);
		assert_int_equal(evc_matrix_verdict(&matrix, &bits, 0, 1), microcode ? EVC_YES : EVC_UNKNOWN);
		assert_int_equal(evc_check_fits_from(hosts[0], NULL, hosts[1], NULL),
		                 microcode ? EVC_YES : EVC_UNKNOWN);
	}
}

static void an_unreadable_host_is_unknown_to_all(void **state)
{
	const struct evc_cpu *hosts[] = { &machines[0], NULL, &machines[1] };
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;

	(void)state;
	run(hosts, hosts, 3, &matrix, &bits);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(evc_matrix_verdict(&matrix, &bits, 1, i), EVC_UNKNOWN);
		assert_int_equal(evc_matrix_verdict(&matrix, &bits, i, 1), EVC_UNKNOWN);
	}
}

static void equal_hosts_are_one_kind_and_one_pool(void **state)
{
	static struct evc_cpu cpus[4];
	const struct evc_cpu *hosts[4];
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;
	uint32_t pools[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		cpus[i] = machines[i / 2];
		memset(&cpus[i].known, 0xff, sizeof(cpus[i].known));
		hosts[i] = &cpus[i];
	}
	evc_set_add(&cpus[2].has, EVC_F_SSE3);
	evc_set_add(&cpus[3].has, EVC_F_SSE3);
	evc_set_drop(&cpus[0].has, EVC_F_SSE3);
	evc_set_drop(&cpus[1].has, EVC_F_SSE3);
	evc_set_add(&cpus[1].has, EVC_F_OSXSAVE);
	evc_set_drop(&cpus[0].has, EVC_F_OSXSAVE);
	run(hosts, hosts, 4, &matrix, &bits);
	assert_int_equal(matrix.n_kinds, 2);
	assert_int_equal(matrix.kind[0], matrix.kind[1]);
	assert_int_equal(evc_matrix_pools(&matrix, &bits, pools), 2);
}

static void a_pool_is_of_hosts_that_take_each_others_guests(void **state)
{
	static struct evc_cpu with, without;
	const struct evc_cpu *hosts[] = { &without, &with, &with }, *guests[] = { &without, &with, &without };
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;
	uint32_t pools[3];

	(void)state;
	without = machines[0];
	memset(&without.known, 0xff, sizeof(without.known));
	evc_set_drop(&without.has, EVC_F_SSE3);
	with = without;
	evc_set_add(&with.has, EVC_F_SSE3);
	run(guests, hosts, 2, &matrix, &bits);
	assert_int_equal(evc_matrix_verdict(&matrix, &bits, 0, 1), EVC_YES);
	assert_int_equal(evc_matrix_verdict(&matrix, &bits, 1, 0), EVC_NO);
	assert_int_equal(evc_matrix_pools(&matrix, &bits, pools), 2);
	/* The third's guests are given no more than the first has: with each of the others it goes both ways.
	 */
	run(guests, hosts, 3, &matrix, &bits);
	assert_int_equal(matrix.n_kinds, 3);
	assert_int_equal(evc_matrix_pools(&matrix, &bits, pools), 2);
	assert_int_equal(pools[matrix.kind[0]], pools[matrix.kind[2]]);
	assert_int_not_equal(pools[matrix.kind[0]], pools[matrix.kind[1]]);
}

static void no_hosts_are_no_matrix(void **state)
{
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;

	(void)state;
	run(NULL, NULL, 0, &matrix, &bits);
	assert_int_equal(matrix.n_kinds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_check_of_each_pair),
		cmocka_unit_test(a_host_takes_its_own_guest_when_all_is_known),
		cmocka_unit_test(a_host_takes_its_own_guest_whatever_is_unknown),
		cmocka_unit_test(equal_hosts_of_unknown_microcode_are_not_taken_as_equal),
		cmocka_unit_test(an_unreadable_host_is_unknown_to_all),
		cmocka_unit_test(equal_hosts_are_one_kind_and_one_pool),
		cmocka_unit_test(a_pool_is_of_hosts_that_take_each_others_guests),
		cmocka_unit_test(no_hosts_are_no_matrix),
	};

	return cmocka_run_group_tests(tests, setup, free_arena);
}
