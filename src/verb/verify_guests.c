/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests under QEMU that prove modes: all that are wanted are prepared, then run side by side as
 * many as there are CPUs, then judged.  Two of each mode: the bare guest is our program alone, answers
 * within a second and reads MSRs; the probe guest has a Linux kernel, which takes its time.
 */
#include "verb/verify.h"

#include "core/feature.h"
#include "core/vcpu.h"
#include "verb/recipe.h"

#include <string.h>
#include <unistd.h>

enum {
	BARE_TIMEOUT_MS = 60 * 1000,
	PROBE_TIMEOUT_MS = 120 * 1000,
	MAX_AT_ONCE = 4, /* a Linux guest has 256 MiB */
};

/* One guest of a proof. */
struct job {
	struct evc_verify_proof *proof;
	enum evc_verify_way way;
	const struct evc_dump *vcpu; /* predicted */
};

struct jobs {
	struct job *items;
	struct evc_probe_guest *guests;
	size_t n;
};

/* The arguments of a QEMU with this vCPU, which end with NULL; NULL when memory is out. */
static const char *const *qemu_arguments(const struct evc_verify *verify, const struct evc_target_cpu *cpu)
{
	enum { MACHINE, TYPE, CPU, VALUE, END };
	struct evc_target_options options = { .accel = verify->accel,
		                              .qemu = verify->qemu,
		                              .machine = verify->machine };
	struct evc_findings losses = { .arena = verify->arena };
	const char **arguments = evc_arena_array(verify->arena, END + 1, sizeof(*arguments));
	struct evc_sink value = { 0 };

	evc_target_qemu_cpu(cpu, &options, &value, &losses);
	if (arguments && value.length) {
		arguments[MACHINE] = "-machine";
		arguments[TYPE] = evc_target_machine(&options, verify->arena);
		arguments[CPU] = "-cpu";
		arguments[VALUE] = evc_arena_string(verify->arena, value.text, value.length);
	}
	evc_sink_free(&value);
	return arguments && arguments[VALUE] ? arguments : NULL;
}

/*
 * A Linux under TCG that switches XSAVE on hangs where leaf d.1 is empty, as in modes before XSAVEOPT: since
 * it knows reserved bits of CR4, QEMU (7.2 and 10.2 do) takes OSXSAVE for one and tries for ever.
 */
static bool would_hang(const struct evc_dump *vcpu)
{
	struct evc_bit d1 = evc_features[EVC_F_XSAVEOPT].bit;
	uint64_t known;
	bool is_known;

	return evc_dump_get(vcpu, evc_features[EVC_F_XSAVE].bit, &is_known) && is_known &&
	       !evc_dump_register(vcpu, d1.leaf, d1.subleaf, d1.reg, &known);
}

static void add_job(const struct evc_verify *verify, struct evc_verify_proof *proof, enum evc_verify_way way,
                    const struct evc_dump *vcpu, const char *const *arguments, struct jobs *jobs)
{
	bool kvm = verify->accel == EVC_ACCEL_KVM, bare = way == EVC_VERIFY_BARE;

	jobs->items[jobs->n] = (struct job){ .proof = proof, .way = way, .vcpu = vcpu };
	jobs->guests[jobs->n++] =
		(struct evc_probe_guest){ .bare = bare,
		                          .name = evc_verify_ways[way].title,
		                          .accel = kvm ? "kvm" : "tcg",
		                          .kernel = verify->kernel,
		                          .append = !kvm && would_hang(vcpu) ? "noxsave" : NULL,
		                          .arguments = arguments,
		                          .timeout_ms = bare ? BARE_TIMEOUT_MS : PROBE_TIMEOUT_MS };
}

/* Why no guest can be run under QEMU here; NULL: they can. */
static const char *why_not(const struct evc_verify *verify)
{
	if (!verify->qemu)
		return "no qemu-system-x86_64 here says its version";
	return verify->accel == EVC_ACCEL_KVM && *verify->no_kvm ? verify->no_kvm : NULL;
}

static int prepare(const struct evc_verify *verify, struct evc_verify_proof *proof, struct jobs *jobs,
                   struct evc_error *err)
{
	struct evc_dump *vcpu = evc_arena_alloc(verify->arena, sizeof(*vcpu));
	const char *const *arguments;
	const char *why = why_not(verify);
	struct evc_target_cpu cpu;
	int status;

	if (!vcpu)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (int way = EVC_VERIFY_BARE; way <= EVC_VERIFY_INSIDE && why; way++)
		evc_verify_cannot(&proof->parts[way], true, why);
	if (why || !(proof->parts[EVC_VERIFY_BARE].asked || proof->parts[EVC_VERIFY_INSIDE].asked))
		return EVC_OK;
	status = evc_verify_predict(verify, proof, EVC_VERIFY_INSIDE, vcpu, err);
	if (status == EVC_OK)
		status = evc_recipe_make(vcpu, proof->mode, verify->qemu, verify->arena, &cpu, err);
	if (status != EVC_OK)
		return status;
	if (!evc_set_has(&cpu.features, EVC_F_LM)) {
		for (int way = EVC_VERIFY_BARE; way <= EVC_VERIFY_INSIDE; way++)
			evc_verify_cannot(&proof->parts[way], true,
			                  "a guest without 64-bit mode, and our programs are 64-bit ones");
		return EVC_OK;
	}
	if (!proof->vcpu.n_leaves)
		proof->vcpu = *vcpu;
	evc_verify_reduce(verify, proof, vcpu, verify->accel == EVC_ACCEL_KVM ? "KVM here" : "TCG");
	arguments = qemu_arguments(verify, &cpu);
	if (!arguments)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (int way = EVC_VERIFY_BARE; way <= EVC_VERIFY_INSIDE; way++)
		if (proof->parts[way].asked)
			add_job(verify, proof, (enum evc_verify_way)way, vcpu, arguments, jobs);
	return EVC_OK;
}

static const char *how(const struct evc_verify *verify, const struct job *job, const struct evc_probe *probe)
{
	const char *accel = verify->accel == EVC_ACCEL_KVM ? "KVM" : "TCG";

	if (job->way == EVC_VERIFY_BARE)
		return evc_arena_printf(verify->arena, "no operating system under %s", accel);
	return evc_arena_printf(verify->arena, "Linux %s under %s",
	                        probe->host.facts.kernel ? probe->host.facts.kernel : "", accel);
}

/* The first CPU executed them. */
static int keep_instructions(const struct evc_verify *verify, struct evc_verify_part *part,
                             const struct evc_probe *probe, struct evc_error *err)
{
	struct evc_cpu *cpu;

	if (!probe->outcomes)
		return EVC_OK;
	cpu = evc_arena_alloc(verify->arena, sizeof(*cpu));
	if (!cpu)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_cpu_decode(&probe->host.cpus[0], cpu);
	part->probe = probe;
	part->cpu = cpu;
	return EVC_OK;
}

static int judge(const struct evc_verify *verify, const struct job *job, const struct evc_probe *probe,
                 struct evc_error *err)
{
	struct evc_verify_proof *proof = job->proof;
	struct evc_verify_part *part = &proof->parts[job->way];
	struct evc_compare compare = { .subject = evc_arena_printf(verify->arena, "the %s",
		                                                   evc_verify_ways[job->way].title),
		                       .mode = evc_verify_name(verify, proof),
		                       .modes = &verify->modes,
		                       .predicted = job->vcpu,
		                       .by = verify->accel == EVC_ACCEL_KVM ? EVC_BY_QEMU : EVC_BY_TCG,
		                       .os = true };
	size_t first = proof->findings.n;

	for (size_t i = 0; i < probe->host.n_cpus; i++) {
		int status;

		compare.seen = &probe->host.cpus[i];
		status = evc_compare_make(&compare, verify->arena, &part->comparison, &proof->findings, err);
		if (status < 0)
			return status;
	}
	evc_verify_conclude(proof, part, first);
	part->how = how(verify, job, probe);
	return keep_instructions(verify, part, probe, err);
}

struct watch {
	const struct evc_verify *verify;
	size_t n;
};

static void watch_ended(void *context, size_t n_ended)
{
	const struct watch *watch = context;

	if (watch->verify->progress)
		watch->verify->progress(watch->verify->context, n_ended, watch->n);
}

static unsigned at_once(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n < MAX_AT_ONCE ? (unsigned)n : MAX_AT_ONCE;
}

static int run(const struct evc_verify *verify, const struct jobs *jobs, struct evc_error *err)
{
	struct evc_probe_answer *answers = evc_arena_array(verify->arena, jobs->n, sizeof(*answers));
	struct watch watch = { .verify = verify, .n = jobs->n };
	int status;

	if (!answers)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	watch_ended(&watch, 0);
	status = evc_probe_guests_run(jobs->guests, jobs->n, at_once(), verify->arena, answers, watch_ended,
	                              &watch, err);
	for (size_t i = 0; i < jobs->n && status == EVC_OK; i++) {
		const struct job *job = &jobs->items[i];
		const struct evc_error *why = &answers[i].error;

		if (why->code)
			evc_verify_cannot(&job->proof->parts[job->way], why->code == EVC_ERR_UNSUPPORTED,
			                  evc_arena_printf(verify->arena, "%s", why->text));
		else
			status = judge(verify, job, &answers[i].probe, err);
	}
	return status;
}

int evc_verify_guests(const struct evc_verify *verify, struct evc_verify_proof *proofs, size_t n,
                      struct evc_error *err)
{
	struct jobs jobs = { .items = evc_arena_array(verify->arena, 2 * n, sizeof(*jobs.items)),
		             .guests = evc_arena_array(verify->arena, 2 * n, sizeof(*jobs.guests)) };

	if (evc_arena_failed(verify->arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++) {
		int status = proofs[i].state == EVC_VERIFY_FOREIGN ? EVC_OK
		                                                   : prepare(verify, &proofs[i], &jobs, err);

		if (status < 0)
			return status;
	}
	return jobs.n ? run(verify, &jobs, err) : EVC_OK;
}
