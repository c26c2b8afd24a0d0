/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One mode, tried.
 *
 * Predicted is what "evc apply" prints, less what nobody here can show: features that this machine's KVM (or
 * TCG) lacks are taken out before, by name, with everything that follows from them, so that the rest can
 * be held to the letter.  They count as reduced and never as proved.
 */
#include "verb/verify.h"

#include "core/qemu.h"
#include "core/vcpu.h"
#include "verb/recipe.h"

#include <string.h>

enum { PROBE_TIMEOUT_MS = 120 * 1000 };

static const char *mode_name(const struct evc_verify *verify, const struct evc_verify_proof *proof)
{
	const char *name = proof->mode->key;

	if (proof->mode->n_versions > 1)
		name = evc_arena_printf(verify->arena, "%s@%u", proof->mode->key, proof->version);
	return name ? name : proof->mode->key;
}

static void find(struct evc_verify_proof *proof, struct evc_finding finding)
{
	evc_findings_add(&proof->findings, finding);
}

/* The features that TCG of this QEMU can show, of those that the offer has; of address widths it has one. */
static struct evc_cpu tcg_can(const struct evc_verify *verify)
{
	struct evc_target_options options = { .accel = EVC_ACCEL_TCG, .qemu = verify->qemu };
	struct evc_target_cpu target = { 0 };
	struct evc_cpu cpu = verify->offer.cpu;

	struct evc_set bits = evc_set_or(&evc_rule_sets[EVC_RULE_AND], &evc_rule_sets[EVC_RULE_OR]);

	cpu.value[evc_features[EVC_F_PHYS_ADDR_BITS].slot] = evc_target_phys_bits(&target, &options);
	EVC_SET_FOREACH(id, &bits)
	{
		if (evc_features[id].bit.reg == EVC_MSR || evc_set_has(&evc_qemu_automatic, id) ||
		    evc_qemu_tcg_shows(id, verify->qemu))
			continue;
		evc_set_drop(&cpu.has, id);
		evc_set_add(&cpu.known, id);
	}
	return cpu;
}

/* What the accelerator of a part can show; NULL: the offer is its own word. */
static const struct evc_cpu *ability(const struct evc_verify *verify, int part, struct evc_arena *arena)
{
	struct evc_cpu *cpu;

	if (part == EVC_VERIFY_INSIDE && verify->accel == EVC_ACCEL_TCG) {
		cpu = evc_arena_alloc(arena, sizeof(*cpu));
		if (cpu)
			*cpu = tcg_can(verify);
		return cpu;
	}
	return verify->other_host ? &verify->offer_here.cpu : NULL;
}

static int predict(const struct evc_verify *verify, const struct evc_verify_proof *proof, int part,
                   struct evc_dump *ret_dump, struct evc_error *err)
{
	struct evc_findings none = { .arena = verify->arena };

	return evc_vcpu_make(&verify->modes, proof->mode, proof->version, &verify->offer,
	                     ability(verify, part, verify->arena), verify->arena, ret_dump, &none, err);
}

/* What the mode wants and this vCPU does not have, named once a part. */
static void reduce(const struct evc_verify *verify, struct evc_verify_proof *proof,
                   const struct evc_dump *dump, const char *who)
{
	struct evc_set missing;
	struct evc_cpu cpu;

	evc_cpu_decode(dump, &cpu);
	missing = evc_set_minus(&proof->wanted, &cpu.has);
	missing = evc_set_minus(&missing, &proof->reduced);
	EVC_SET_FOREACH(id, &missing)
	find(proof, (struct evc_finding){ .kind = EVC_FINDING_REDUCED,
	                                  .severity = EVC_WARNING,
	                                  .feature = id,
	                                  .subject = who,
	                                  .other = mode_name(verify, proof) });
	proof->reduced = evc_set_or(&proof->reduced, &missing);
}

/* The verdict of a part from the findings that it added. */
static void conclude(struct evc_verify_proof *proof, struct evc_verify_part *part, size_t first)
{
	part->state = EVC_VERIFY_HELD;
	for (size_t i = first; i < proof->findings.n; i++)
		if (proof->findings.items[i].severity == EVC_BLOCKS)
			part->state = EVC_VERIFY_BROKEN;
}

static void cannot_try(struct evc_verify_part *part, const char *why)
{
	part->state = EVC_VERIFY_UNTESTED;
	part->why = why ? why : "out of memory";
}

/* The guest broke off: with what was seen until then nothing is proved. */
static void tell_end(const struct evc_micro *micro, struct evc_verify_proof *proof, struct evc_arena *arena)
{
	if (micro->end == EVC_MACHINE_DONE)
		return;
	find(proof,
	     (struct evc_finding){ .kind = EVC_FINDING_NOTE,
	                           .severity = EVC_BLOCKS,
	                           .cause = EVC_CAUSE_OVERRIDE,
	                           .feature = EVC_N_FEATURES,
	                           .subject = "the micro-VM",
	                           .detail = evc_arena_printf(arena, "broke off at %s: %s", micro->end_at,
	                                                      evc_machine_end_sentence(micro->end)) });
}

/*
 * XCR0 takes what leaf 0xd offers, and the size follows it.  A KVM that does not learn of the guest's XSETBV
 * is nested in a hypervisor that does not tell it, such as QEMU's TCG, and gives the guest its old XCR0 back.
 */
static void tell_xcr0(const struct evc_micro *micro, struct evc_verify_proof *proof, struct evc_arena *arena)
{
	uint64_t known, all = evc_dump_register(&micro->seen, 0xd, 0, EVC_ECX, &known);
	struct evc_finding finding = { .kind = EVC_FINDING_NOTE,
		                       .severity = EVC_BLOCKS,
		                       .feature = EVC_N_FEATURES,
		                       .subject = "the micro-VM" };

	if (micro->xsetbv_refused) {
		finding.detail =
			evc_arena_printf(arena, "XSETBV of the states that leaf d offers (0x%llx) faults",
		                         (unsigned long long)micro->xcr0_allowed);
	} else if (micro->has_xcr0 && !micro->xcr0_learnt) {
		finding.severity = EVC_WARNING;
		finding.detail =
			"this KVM does not learn what a guest writes into XCR0; it seems to be nested in "
			"a hypervisor that does not tell it (QEMU's TCG), and guests of it should not "
			"have XSAVE";
	} else if (micro->has_xcr0 && micro->xcr0 != micro->xcr0_allowed) {
		finding.detail = evc_arena_printf(arena, "XCR0 is 0x%llx after 0x%llx was written",
		                                  (unsigned long long)micro->xcr0,
		                                  (unsigned long long)micro->xcr0_allowed);
	} else if (micro->has_xcr0 && micro->xsave_size != all) {
		finding.detail = evc_arena_printf(
			arena, "leaf d states %u bytes for all states, and %u when all are on", (unsigned)all,
			micro->xsave_size);
	}
	if (finding.detail)
		find(proof, finding);
}

static int judge_micro(const struct evc_verify *verify, struct evc_verify_proof *proof,
                       const struct evc_micro *micro, struct evc_error *err)
{
	struct evc_verify_part *part = &proof->parts[EVC_VERIFY_MICRO];
	struct evc_compare compare = { .subject = "the micro-VM",
		                       .mode = mode_name(verify, proof),
		                       .modes = &verify->modes,
		                       .predicted = &proof->vcpu,
		                       .seen = &micro->seen,
		                       .shown = &micro->shown,
		                       .refused = &micro->refused,
		                       .by = EVC_BY_KVM };
	struct evc_comparison programs;
	size_t first = proof->findings.n;
	int status;

	if ((status = evc_compare_read_back(&micro->given, &micro->shown, verify->arena, &proof->findings,
	                                    err)) < 0 ||
	    (status = evc_compare_make(&compare, verify->arena, &part->comparison, &proof->findings, err)) <
	            0)
		return status;
	evc_compare_beyond(&compare, verify->arena, &proof->findings);
	tell_end(micro, proof, verify->arena);
	if (micro->seen_by_programs.n_leaves) {
		compare.subject = "the micro-VM's program in ring 3";
		compare.seen = &micro->seen_by_programs;
		compare.os = true;
		status = evc_compare_make(&compare, verify->arena, &programs, &proof->findings, err);
		if (status < 0)
			return status;
		tell_xcr0(micro, proof, verify->arena);
	}
	conclude(proof, part, first);
	part->how = evc_arena_printf(verify->arena, "%zu instructions in ring 0 and 3%s", micro->n_asked,
	                             micro->exits_counted ? evc_arena_printf(verify->arena, ", %llu VM exits",
	                                                                     (unsigned long long)micro->exits)
	                                                  : "");
	return EVC_OK;
}

static int try_micro(const struct evc_verify *verify, struct evc_verify_proof *proof, struct evc_error *err)
{
	struct evc_verify_part *part = &proof->parts[EVC_VERIFY_MICRO];
	struct evc_micro *micro = evc_arena_alloc(verify->arena, sizeof(*micro));
	struct evc_error why = { 0 };
	int status;

	if (!micro)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (*verify->no_kvm) {
		cannot_try(part, verify->no_kvm);
		return EVC_OK;
	}
	status = predict(verify, proof, EVC_VERIFY_MICRO, &proof->vcpu, err);
	if (status < 0)
		return status;
	reduce(verify, proof, &proof->vcpu, "KVM here");
	if (evc_micro_look(&proof->vcpu, verify->arena, micro, &why) < 0) {
		cannot_try(part, evc_arena_printf(verify->arena, "%s", why.text));
		return EVC_OK;
	}
	return judge_micro(verify, proof, micro, err);
}

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

static int boot(const struct evc_verify *verify, struct evc_verify_proof *proof, const struct evc_dump *vcpu,
                struct evc_probe *ret_probe, const char **ret_why, struct evc_error *err)
{
	bool kvm = verify->accel == EVC_ACCEL_KVM;
	struct evc_probe_guest guest = { .name = "probe guest",
		                         .accel = kvm ? "kvm" : "tcg",
		                         .kernel = verify->kernel,
		                         .timeout_ms = PROBE_TIMEOUT_MS };
	struct evc_target_cpu cpu;
	struct evc_error why = { 0 };
	int status = evc_recipe_make(vcpu, proof->mode, verify->qemu, verify->arena, &cpu, err);

	if (status < 0)
		return status;
	guest.arguments = qemu_arguments(verify, &cpu);
	if (!guest.arguments)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_why = NULL;
	if (evc_probe_guest_run(&guest, verify->arena, ret_probe, &why) < 0)
		*ret_why = evc_arena_printf(verify->arena, "%s", why.text);
	return EVC_OK;
}

static int judge_inside(const struct evc_verify *verify, struct evc_verify_proof *proof,
                        const struct evc_dump *vcpu, const struct evc_probe *probe, struct evc_error *err)
{
	struct evc_verify_part *part = &proof->parts[EVC_VERIFY_INSIDE];
	struct evc_compare compare = { .subject = "the probe guest",
		                       .mode = mode_name(verify, proof),
		                       .modes = &verify->modes,
		                       .predicted = vcpu,
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
	conclude(proof, part, first);
	part->how = evc_arena_printf(verify->arena, "Linux %s under %s", probe->host.facts.kernel,
	                             verify->accel == EVC_ACCEL_KVM ? "KVM" : "TCG");
	return EVC_OK;
}

static int try_inside(const struct evc_verify *verify, struct evc_verify_proof *proof, struct evc_error *err)
{
	struct evc_verify_part *part = &proof->parts[EVC_VERIFY_INSIDE];
	struct evc_probe *probe = evc_arena_alloc(verify->arena, sizeof(*probe));
	struct evc_dump vcpu;
	const char *why;
	int status;

	if (!probe)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (!verify->qemu) {
		cannot_try(part, "there is no qemu-system-x86_64 here");
		return EVC_OK;
	}
	if (verify->accel == EVC_ACCEL_KVM && *verify->no_kvm) {
		cannot_try(part, verify->no_kvm);
		return EVC_OK;
	}
	status = predict(verify, proof, EVC_VERIFY_INSIDE, &vcpu, err);
	if (status < 0)
		return status;
	if (!proof->vcpu.n_leaves)
		proof->vcpu = vcpu;
	reduce(verify, proof, &vcpu, verify->accel == EVC_ACCEL_KVM ? "KVM here" : "TCG");
	status = boot(verify, proof, &vcpu, probe, &why, err);
	if (status < 0)
		return status;
	if (why) {
		cannot_try(part, why);
		return EVC_OK;
	}
	return judge_inside(verify, proof, &vcpu, probe, err);
}

/* Broken if any part is; untested if none could be tried. */
static void sum_up(struct evc_verify_proof *proof)
{
	struct evc_set seen = proof->wanted;
	bool tried = false;

	proof->state = EVC_VERIFY_HELD;
	for (int i = 0; i < EVC_N_VERIFY_PARTS; i++) {
		const struct evc_verify_part *part = &proof->parts[i];

		if (!part->asked || part->state == EVC_VERIFY_UNTESTED)
			continue;
		tried = true;
		seen = evc_set_and(&seen, &part->comparison.proved);
		if (part->state == EVC_VERIFY_BROKEN)
			proof->state = EVC_VERIFY_BROKEN;
	}
	if (!tried)
		proof->state = EVC_VERIFY_UNTESTED;
	else
		proof->proved = seen;
}

int evc_verify_mode(const struct evc_verify *verify, const struct evc_mode *mode, unsigned version,
                    struct evc_verify_proof *ret_proof, struct evc_error *err)
{
	struct evc_verify_proof proof = { .mode = mode, .findings = { .arena = verify->arena } };
	int status = EVC_OK;

	if (!version)
		version = evc_mode_best_version(mode, &verify->offer.cpu);
	proof.version = version ? version : 1;
	proof.wanted = evc_mode_version(mode, proof.version)->features;
	proof.parts[EVC_VERIFY_MICRO] =
		(struct evc_verify_part){ .name = "micro-VM", .asked = verify->micro, .why = "", .how = "" };
	proof.parts[EVC_VERIFY_INSIDE] = (struct evc_verify_part){
		.name = "probe guest", .asked = verify->inside, .why = "", .how = ""
	};
	if (!(verify->offer.cpu.vendor & mode->vendors)) {
		proof.state = EVC_VERIFY_FOREIGN;
		*ret_proof = proof;
		return EVC_OK;
	}
	if (verify->micro)
		status = try_micro(verify, &proof, err);
	if (status == EVC_OK && verify->inside)
		status = try_inside(verify, &proof, err);
	if (status < 0)
		return status;
	sum_up(&proof);
	*ret_proof = proof;
	return EVC_OK;
}
