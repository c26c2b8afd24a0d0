/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest is a clerk: a list of requests lies in its memory, it executes them one by one and notes each
 * answer beside the question.  So a run that breaks off (an instruction that this KVM cannot emulate) leaves
 * all answers before it, and says by the first empty one where it broke off.
 *
 * Asked is more than the vCPU was given, since a leaf that should not be there is what a mask must hide:
 * every leaf where a feature lives, every leaf up to the end of its range and beyond, subleaves alike.
 *
 * Three runs: CPUID and RDMSR in ring 0; XCR0, which changes what leaf 0xd says; CPUID in ring 3, where
 * programs run.
 */
#include "guest/micro.h"

#include "core/feature.h"
#include "core/subleaf.h"
#include "guest/micro_code.h"
#include "host/kvm.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum {
	MAX_REQUESTS = 8192,
	TIMEOUT_MS = 20000, /* of one run; the slowest seen, a KVM inside an emulated CPU, takes 200 ms */
	UNANSWERED = -1,
	STATE_COMPONENTS = 64,
	SUBLEAVES = 4, /* that are asked for of a leaf with subleaves, given or not */
};

struct request {
	uint32_t op, first, second;
	int32_t state; /* UNANSWERED, 0, or EVC_MICRO_FAULTED and the exception */
	uint32_t answer[4];
};

_Static_assert(sizeof(struct request) == EVC_MICRO_REQUEST_SIZE, "guest/micro_code.S");
_Static_assert(offsetof(struct request, state) == EVC_MICRO_STATE, "guest/micro_code.S");
_Static_assert(offsetof(struct request, answer) == EVC_MICRO_ANSWER, "guest/micro_code.S");
_Static_assert(EVC_MACHINE_DATA + MAX_REQUESTS * sizeof(struct request) <= EVC_MACHINE_MEMORY, "too many");

struct work {
	struct evc_machine machine;
	struct evc_arena *arena;
	struct request *requests; /* in the guest's memory */
	size_t n;
	struct evc_micro *micro;
};

static void ask(struct work *work, uint32_t op, uint32_t first, uint32_t second)
{
	if (work->n < MAX_REQUESTS)
		work->requests[work->n++] =
			(struct request){ .op = op, .first = first, .second = second, .state = UNANSWERED };
}

/* A place once; the lists are short and this is done once a run. */
static void ask_leaf(struct work *work, uint32_t leaf, uint32_t subleaf)
{
	for (size_t i = 0; i < work->n; i++)
		if (work->requests[i].op == EVC_MICRO_CPUID && work->requests[i].first == leaf &&
		    work->requests[i].second == subleaf)
			return;
	ask(work, EVC_MICRO_CPUID, leaf, subleaf);
}

/* Whole ranges with what lies just behind their ends. */
static void ask_ranges(struct work *work)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ .first = 0, .last = 0x40 },
		{ .first = 0x20000000, .last = 0x20000001 },
		{ .first = 0x40000000, .last = 0x40000002 },
		{ .first = 0x80000000, .last = 0x80000040 },
		{ .first = 0x80860000, .last = 0x80860000 },
		{ .first = 0xc0000000, .last = 0xc0000006 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (uint32_t leaf = ranges[i].first; leaf <= ranges[i].last; leaf++)
			ask_leaf(work, leaf, 0);
}

/* Lists of topology repeat the number that they were asked for: behind their end there is nothing to see. */
static bool repeats_subleaf(uint32_t leaf)
{
	return leaf == 0xb || leaf == 0x1f || leaf == 0x80000026;
}

static void ask_subleaves(struct work *work, uint32_t leaf)
{
	uint32_t n = leaf == 0xd ? STATE_COMPONENTS : SUBLEAVES;

	if (!evc_leaf_has_subleaves(leaf) || repeats_subleaf(leaf))
		return;
	for (uint32_t subleaf = 1; subleaf < n; subleaf++)
		ask_leaf(work, leaf, subleaf);
}

static void ask_cpuid(struct work *work, const struct evc_dump *vcpu)
{
	for (size_t i = 0; i < vcpu->n_leaves; i++)
		ask_leaf(work, vcpu->leaves[i].leaf, vcpu->leaves[i].subleaf);
	for (unsigned id = 0; id < EVC_N_FEATURES; id++)
		if (evc_features[id].bit.reg != EVC_MSR && !repeats_subleaf(evc_features[id].bit.leaf))
			ask_leaf(work, evc_features[id].bit.leaf, evc_features[id].bit.subleaf);
	ask_ranges(work);
	for (size_t i = 0, n = work->n; i < n; i++)
		ask_subleaves(work, work->requests[i].first);
}

static void ask_msrs(struct work *work, const struct evc_dump *vcpu)
{
	for (size_t i = 0; i < vcpu->n_msrs; i++)
		ask(work, EVC_MICRO_RDMSR, vcpu->msrs[i].index, 0);
}

static const char *describe(const struct work *work, const struct request *request, const char *ring)
{
	switch (request->op) {
	case EVC_MICRO_CPUID:
		return evc_arena_printf(work->arena, "CPUID of leaf %x.%x in %s", request->first,
		                        request->second, ring);
	case EVC_MICRO_RDMSR:
		return evc_arena_printf(work->arena, "RDMSR of %x", request->first);
	case EVC_MICRO_XGETBV:
		return "XGETBV";
	case EVC_MICRO_XSETBV:
		return "XSETBV";
	default:
		return "switching on OSXSAVE in CR4";
	}
}

/* All requests, in one run.  The first run that breaks off is the result's end. */
static int execute(struct work *work, unsigned ring, struct evc_error *err)
{
	enum evc_machine_end end = EVC_MACHINE_DONE;
	size_t done = 0;
	int status = evc_machine_set(&work->machine, ring, EVC_MICRO_ASK, EVC_MACHINE_DATA, work->n, err);

	if (status == EVC_OK)
		status = evc_machine_run(&work->machine, TIMEOUT_MS, &end, err);
	if (status < 0)
		return status;
	while (done < work->n && work->requests[done].state != UNANSWERED)
		done++;
	work->micro->n_asked += done;
	if (end != EVC_MACHINE_DONE && work->micro->end == EVC_MACHINE_DONE) {
		work->micro->end = end;
		work->micro->end_at = done < work->n
		                              ? describe(work, &work->requests[done],
		                                         ring == EVC_MACHINE_USER ? "ring 3" : "ring 0")
		                              : "its end";
	}
	return EVC_OK;
}

/* The answers as a dump.  An MSR that faults is not there, which is what zero says. */
static int take_answers(const struct work *work, struct evc_dump *ret_dump, struct evc_error *err)
{
	struct evc_dump_builder builder;

	evc_dump_begin(&builder, work->arena);
	for (size_t i = 0; i < work->n; i++) {
		const struct request *request = &work->requests[i];
		bool faulted;

		if (request->state == UNANSWERED)
			continue;
		faulted = request->state != 0;
		if (request->op == EVC_MICRO_CPUID && !faulted)
			evc_dump_set_leaf(&builder, request->first, request->second, request->answer);
		if (request->op == EVC_MICRO_RDMSR)
			evc_dump_set_msr(&builder, request->first,
			                 faulted ? 0
			                         : (uint64_t)request->answer[EVC_EDX] << 32 |
			                                   request->answer[EVC_EAX],
			                 UINT64_MAX);
	}
	return evc_dump_finish(&builder, ret_dump, err);
}

/* What is not known of the vCPU is given as zero. */
static int make_given(const struct evc_dump *vcpu, struct evc_arena *arena, struct evc_dump *ret_dump,
                      struct evc_error *err)
{
	struct evc_dump_builder builder;

	evc_dump_begin(&builder, arena);
	for (size_t i = 0; i < vcpu->n_leaves; i++) {
		uint32_t value[4];

		if (evc_dump_is_junk(vcpu, &vcpu->leaves[i]))
			continue;
		for (int reg = 0; reg < 4; reg++)
			value[reg] = vcpu->leaves[i].value[reg] & vcpu->leaves[i].known[reg];
		evc_dump_set_leaf(&builder, vcpu->leaves[i].leaf, vcpu->leaves[i].subleaf, value);
	}
	for (size_t i = 0; i < vcpu->n_msrs; i++)
		evc_dump_set_msr(&builder, vcpu->msrs[i].index, vcpu->msrs[i].value & vcpu->msrs[i].known,
		                 UINT64_MAX);
	return evc_dump_finish(&builder, ret_dump, err);
}

static int give(struct work *work, struct evc_error *err)
{
	const struct evc_dump *given = &work->micro->given;
	struct evc_dump_builder refused;
	int status = evc_machine_give_cpuid(&work->machine, given, work->arena, err);

	if (status < 0)
		return status;
	evc_dump_begin(&refused, work->arena);
	for (size_t i = 0; i < given->n_msrs; i++)
		if (!evc_machine_give_msr(&work->machine, given->msrs[i].index, given->msrs[i].value))
			evc_dump_set_msr(&refused, given->msrs[i].index, given->msrs[i].value, UINT64_MAX);
	return evc_dump_finish(&refused, &work->micro->refused, err);
}

static int read_back(struct work *work, struct evc_error *err)
{
	const struct evc_dump *given = &work->micro->given;
	struct evc_dump_builder builder;
	struct evc_dump leaves;
	int status = evc_kvm_cpuid(work->machine.vcpu, KVM_GET_CPUID2, "KVM_GET_CPUID2", work->arena, &leaves,
	                           err);

	if (status < 0)
		return status;
	evc_dump_begin(&builder, work->arena);
	evc_dump_copy(&builder, &leaves);
	for (size_t i = 0; i < given->n_msrs; i++) {
		uint64_t value;

		if (evc_machine_msr(&work->machine, given->msrs[i].index, &value))
			evc_dump_set_msr(&builder, given->msrs[i].index, value, UINT64_MAX);
	}
	status = evc_dump_finish(&builder, &work->micro->shown, err);
	if (status == EVC_OK)
		work->micro->shown.skips_zero = true;
	return status;
}

static bool sees(const struct evc_dump *seen, enum evc_feature_id id)
{
	bool known;

	return evc_dump_get(seen, evc_features[id].bit, &known) && known;
}

/* Switch on all states that leaf 0xd offers, and read what became of it. */
static int try_xcr0(struct work *work, struct evc_error *err)
{
	struct evc_micro *micro = work->micro;
	uint64_t known, low = evc_dump_register(&micro->seen, 0xd, 0, EVC_EAX, &known),
			high = evc_dump_register(&micro->seen, 0xd, 0, EVC_EDX, &known);
	enum { SET = 1, GET, SIZE };
	uint64_t learnt;
	int status;

	if (!sees(&micro->seen, EVC_F_XSAVE))
		return EVC_OK;
	micro->xcr0_allowed = high << 32 | low;
	work->n = 0;
	ask(work, EVC_MICRO_CR4_OSXSAVE, 0, 0);
	ask(work, EVC_MICRO_XSETBV, (uint32_t)low, (uint32_t)high);
	ask(work, EVC_MICRO_XGETBV, 0, 0);
	ask(work, EVC_MICRO_CPUID, 0xd, 0);
	status = execute(work, EVC_MACHINE_KERNEL, err);
	if (status < 0)
		return status;
	micro->xsetbv_refused = work->requests[SET].state > 0;
	micro->has_xcr0 = work->requests[GET].state == 0;
	micro->xcr0_learnt = !evc_machine_xcr0(&work->machine, &learnt) || learnt == micro->xcr0_allowed;
	if (!micro->has_xcr0)
		return EVC_OK;
	micro->xcr0 =
		(uint64_t)work->requests[GET].answer[EVC_EDX] << 32 | work->requests[GET].answer[EVC_EAX];
	if (work->requests[SIZE].state == 0)
		micro->xsave_size = work->requests[SIZE].answer[EVC_EBX];
	return EVC_OK;
}

static int look(struct work *work, const struct evc_dump *vcpu, struct evc_error *err)
{
	struct evc_micro *micro = work->micro;
	int status;

	if ((status = make_given(vcpu, work->arena, &micro->given, err)) < 0 ||
	    (status = give(work, err)) < 0 || (status = read_back(work, err)) < 0)
		return status;
	ask_cpuid(work, &micro->given);
	ask_msrs(work, &micro->given);
	if ((status = execute(work, EVC_MACHINE_KERNEL, err)) < 0 ||
	    (status = take_answers(work, &micro->seen, err)) < 0)
		return status;
	/* A vCPU that broke off is in no state to go on from. */
	if (micro->end != EVC_MACHINE_DONE || (status = try_xcr0(work, err)) < 0)
		return status;
	if (micro->end != EVC_MACHINE_DONE)
		return EVC_OK;
	work->n = 0;
	ask_cpuid(work, &micro->given);
	if ((status = execute(work, EVC_MACHINE_USER, err)) < 0)
		return status;
	return take_answers(work, &micro->seen_by_programs, err);
}

int evc_micro_look(const struct evc_dump *vcpu, struct evc_arena *arena, struct evc_micro *ret_micro,
                   struct evc_error *err)
{
	struct evc_micro micro = { .end = EVC_MACHINE_DONE, .end_at = "" };
	struct work work = { .arena = arena, .micro = &micro };
	int status = evc_machine_make(&work.machine, err);

	if (status < 0)
		return status;
	work.requests = (struct request *)(void *)(work.machine.memory + EVC_MACHINE_DATA);
	status = look(&work, vcpu, err);
	micro.exits_counted = evc_machine_exits(&work.machine, &micro.exits);
	evc_machine_free(&work.machine);
	if (status == EVC_OK)
		*ret_micro = micro;
	return status;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* One run that must come to its end. */
static int run_whole(const struct evc_machine *machine, unsigned place, uint64_t n, int64_t *ret_ns,
                     struct evc_error *err)
{
	enum evc_machine_end end = EVC_MACHINE_DONE;
	int64_t start;
	int status = evc_machine_set(machine, EVC_MACHINE_KERNEL, place, EVC_MACHINE_DATA, n, err);

	start = now_ns();
	if (status == EVC_OK)
		status = evc_machine_run(machine, TIMEOUT_MS, &end, err);
	if (status < 0)
		return status;
	*ret_ns = now_ns() - start;
	if (end != EVC_MACHINE_DONE)
		return evc_fail(err, EVC_ERR_IO,
		                "the guest whose exits were to be measured did not come to its end: %s",
		                evc_machine_end_sentence(end));
	return EVC_OK;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

enum { SAMPLES = 4096 };

/* Cycles as the guest's own clock counts them, sorted. */
static int sample(const struct evc_machine *machine, unsigned place, uint32_t *ret_least,
                  uint32_t *ret_median, struct evc_error *err)
{
	uint32_t *cycles = (uint32_t *)(void *)(machine->memory + EVC_MACHINE_DATA);
	int64_t ns;
	int status = run_whole(machine, place, SAMPLES, &ns, err);

	if (status < 0)
		return status;
	qsort(cycles, SAMPLES, sizeof(*cycles), by_size);
	*ret_least = cycles[0];
	*ret_median = cycles[SAMPLES / 2];
	return EVC_OK;
}

static int by_time(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* Batches, since something else may run on this CPU: the best one had it for itself. */
static int time_loop(const struct evc_machine *machine, struct evc_micro_cost *cost, struct evc_error *err)
{
	uint64_t each = cost->n / EVC_MICRO_BATCHES;
	double times[EVC_MICRO_BATCHES];

	for (int i = 0; i < EVC_MICRO_BATCHES; i++) {
		int64_t ns = 0;
		int status = run_whole(machine, EVC_MICRO_LOOP, each, &ns, err);

		if (status < 0)
			return status;
		times[i] = (double)ns / (double)each;
	}
	qsort(times, EVC_MICRO_BATCHES, sizeof(times[0]), by_time);
	cost->best_ns = times[0];
	cost->median_ns = times[EVC_MICRO_BATCHES / 2];
	return EVC_OK;
}

static int measure(const struct evc_machine *machine, struct evc_micro_cost *cost, struct evc_error *err)
{
	uint64_t before, after;
	uint32_t median;
	int64_t ns;
	int khz, status;

	/* The first run maps the guest's memory; it is not measured. */
	if ((status = run_whole(machine, EVC_MICRO_LOOP, 16, &ns, err)) < 0)
		return status;
	cost->exits_counted = evc_machine_exits(machine, &before);
	if ((status = time_loop(machine, cost, err)) < 0)
		return status;
	if (cost->exits_counted && evc_machine_exits(machine, &after))
		cost->exits_per_cpuid = (double)(after - before) / (double)cost->n;
	if ((status = sample(machine, EVC_MICRO_TIME, &cost->least, &cost->median, err)) < 0 ||
	    (status = sample(machine, EVC_MICRO_CLOCK, &cost->clock_least, &median, err)) < 0)
		return status;
	khz = ioctl(machine->vcpu, KVM_GET_TSC_KHZ, 0);
	cost->tsc_khz = khz > 0 ? (uint32_t)khz : 0;
	return EVC_OK;
}

int evc_micro_measure(const struct evc_dump *vcpu, uint64_t n, struct evc_arena *arena,
                      struct evc_micro_cost *ret_cost, struct evc_error *err)
{
	struct evc_micro_cost cost = { .n = (n + EVC_MICRO_BATCHES - 1) / EVC_MICRO_BATCHES *
		                            EVC_MICRO_BATCHES };
	struct evc_machine machine;
	struct evc_dump given;
	int status = evc_machine_make(&machine, err);

	if (status < 0)
		return status;
	status = make_given(vcpu, arena, &given, err);
	if (status == EVC_OK)
		status = evc_machine_give_cpuid(&machine, &given, arena, err);
	if (status == EVC_OK)
		status = measure(&machine, &cost, err);
	evc_machine_free(&machine);
	if (status == EVC_OK)
		*ret_cost = cost;
	return status;
}
