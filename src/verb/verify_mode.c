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
#include <string.h>

const struct evc_verify_word evc_verify_ways[] = {
	[EVC_VERIFY_MICRO] = { .name = "micro", .title = "micro-VM" },
	[EVC_VERIFY_BARE] = { .name = "bare", .title = "bare guest" },
	[EVC_VERIFY_INSIDE] = { .name = "inside", .title = "probe guest" },
};

const char *evc_verify_name(const struct evc_verify *verify, const struct evc_verify_proof *proof)
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

/* QEMU shows a state component only where a feature is shown that needs it; the first two go with XSAVE. */
static void drop_unneeded_states(struct evc_cpu *cpu)
{
	struct evc_set needed = { 0 }, need_any = { 0 };

	for (size_t i = 0; i < evc_n_needs; i++) {
		const struct evc_need *need = &evc_needs[i];

		if (evc_set_has(&evc_qemu_automatic, need->feature))
			continue;
		evc_set_add(&need_any, need->needs);
		if (evc_set_has(&cpu->has, need->feature))
			evc_set_add(&needed, need->needs);
	}
	need_any = evc_set_and(&need_any, &evc_qemu_automatic);
	need_any = evc_set_minus(&need_any, &needed);
	evc_set_drop(&need_any, EVC_F_XCR0_X87);
	evc_set_drop(&need_any, EVC_F_XCR0_SSE);
	EVC_SET_FOREACH(id, &need_any)
	{
		evc_set_drop(&cpu->has, id);
		evc_set_add(&cpu->known, id);
	}
}

/* The features that TCG of this QEMU can show, of those that the offer has; of address widths it has one. */
static struct evc_cpu tcg_can(const struct evc_verify *verify)
{
	struct evc_target_options options = { .accel = EVC_ACCEL_TCG, .qemu = verify->qemu };
	struct evc_target_cpu target = { .features = verify->offer.cpu.has };
	struct evc_cpu cpu = verify->offer.cpu;

	struct evc_set bits = evc_set_or(&evc_rule_sets[EVC_RULE_AND], &evc_rule_sets[EVC_RULE_OR]);

	if (evc_target_phys_bits(&target, &options))
		cpu.value[evc_features[EVC_F_PHYS_ADDR_BITS].slot] = evc_target_phys_bits(&target, &options);
	EVC_SET_FOREACH(id, &bits)
	{
		bool kvms = evc_set_has(&evc_qemu_kvm_supplied, id);

		if ((evc_features[id].bit.reg == EVC_MSR && !kvms) || evc_set_has(&evc_qemu_automatic, id) ||
		    evc_qemu_tcg_shows(id, verify->qemu))
			continue;
		evc_set_drop(&cpu.has, id);
		evc_set_add(&cpu.known, id);
	}
	drop_unneeded_states(&cpu);
	return cpu;
}

/* What the accelerator of a guest can show; NULL: the offer is its own word. */
static const struct evc_cpu *ability(const struct evc_verify *verify, enum evc_verify_way way,
                                     struct evc_arena *arena)
{
	struct evc_cpu *cpu;

	if (way != EVC_VERIFY_MICRO && verify->accel == EVC_ACCEL_TCG) {
		cpu = evc_arena_alloc(arena, sizeof(*cpu));
		if (cpu)
			*cpu = tcg_can(verify);
		return cpu;
	}
	return verify->other_host ? &verify->offer_here.cpu : NULL;
}

int evc_verify_predict(const struct evc_verify *verify, const struct evc_verify_proof *proof,
                       enum evc_verify_way way, struct evc_dump *ret_dump, struct evc_error *err)
{
	struct evc_findings none = { .arena = verify->arena };

	return evc_vcpu_make(&verify->modes, proof->mode, proof->version, &verify->offer,
	                     ability(verify, way, verify->arena), verify->arena, ret_dump, &none, err);
}

static void tell_reduced(const struct evc_verify *verify, struct evc_verify_proof *proof,
                         const struct evc_set *missing, const char *who)
{
	EVC_SET_FOREACH(id, missing)
	find(proof, (struct evc_finding){ .kind = EVC_FINDING_REDUCED,
	                                  .severity = EVC_WARNING,
	                                  .feature = id,
	                                  .subject = who,
	                                  .other = evc_verify_name(verify, proof) });
	proof->reduced = evc_set_or(&proof->reduced, missing);
}

void evc_verify_reduce(const struct evc_verify *verify, struct evc_verify_proof *proof,
                       const struct evc_dump *dump, const char *who)
{
	struct evc_set missing, of_host;
	struct evc_cpu cpu;

	evc_cpu_decode(dump, &cpu);
	missing = evc_set_minus(&proof->wanted, &cpu.has);
	missing = evc_set_minus(&missing, &proof->reduced);
	of_host = evc_set_minus(&missing, &verify->offer.cpu.has);
	missing = evc_set_minus(&missing, &of_host);
	tell_reduced(verify, proof, &of_host, verify->host.name);
	tell_reduced(verify, proof, &missing, who);
}

void evc_verify_conclude(const struct evc_verify_proof *proof, struct evc_verify_part *part, size_t first)
{
	part->state = EVC_VERIFY_HELD;
	for (size_t i = first; i < proof->findings.n; i++)
		if (proof->findings.items[i].severity == EVC_BLOCKS)
			part->state = EVC_VERIFY_BROKEN;
}

void evc_verify_cannot(struct evc_verify_part *part, bool impossible, const char *why)
{
	part->state = EVC_VERIFY_UNTESTED;
	part->impossible = impossible;
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
		                       .mode = evc_verify_name(verify, proof),
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
	evc_verify_conclude(proof, part, first);
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
		evc_verify_cannot(part, true, verify->no_kvm);
		return EVC_OK;
	}
	status = evc_verify_predict(verify, proof, EVC_VERIFY_MICRO, &proof->vcpu, err);
	if (status < 0)
		return status;
	evc_verify_reduce(verify, proof, &proof->vcpu, "KVM here");
	if (evc_micro_look(&proof->vcpu, verify->arena, micro, &why) < 0) {
		evc_verify_cannot(part, false, evc_arena_printf(verify->arena, "%s", why.text));
		return EVC_OK;
	}
	return judge_micro(verify, proof, micro, err);
}

/* Broken if any part is; untested if none could be tried, or one that should have been. */
static void sum_up(const struct evc_verify *verify, struct evc_verify_proof *proof)
{
	struct evc_set seen = proof->wanted;
	bool tried = false, missed = false, broken = false;

	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++) {
		const struct evc_verify_part *part = &proof->parts[i];

		if (!part->asked)
			continue;
		if (part->state == EVC_VERIFY_UNTESTED) {
			missed |= verify->named || !part->impossible;
			continue;
		}
		tried = true;
		seen = evc_set_and(&seen, &part->comparison.proved);
		broken |= part->state == EVC_VERIFY_BROKEN;
	}
	proof->state = broken ? EVC_VERIFY_BROKEN : !tried || missed ? EVC_VERIFY_UNTESTED : EVC_VERIFY_HELD;
	if (tried)
		proof->proved = seen;
}

static void begin(const struct evc_verify *verify, struct evc_verify_proof *proof)
{
	if (!proof->version)
		proof->version = evc_mode_best_version(proof->mode, &verify->offer.cpu);
	if (!proof->version)
		proof->version = 1;
	proof->wanted = evc_mode_version(proof->mode, proof->version)->features;
	proof->findings = (struct evc_findings){ .arena = verify->arena };
	proof->state =
		verify->offer.cpu.vendor & proof->mode->vendors ? EVC_VERIFY_UNTESTED : EVC_VERIFY_FOREIGN;
	for (int i = 0; i < EVC_N_VERIFY_WAYS; i++)
		proof->parts[i] = (struct evc_verify_part){ .asked = verify->ways[i] &&
			                                             proof->state != EVC_VERIFY_FOREIGN,
			                                    .state = EVC_VERIFY_UNTESTED,
			                                    .why = "",
			                                    .how = "" };
}

int evc_verify_modes(const struct evc_verify *verify, struct evc_verify_proof *proofs, size_t n,
                     struct evc_error *err)
{
	int status = EVC_OK;

	for (size_t i = 0; i < n && status == EVC_OK; i++) {
		begin(verify, &proofs[i]);
		if (proofs[i].parts[EVC_VERIFY_MICRO].asked)
			status = try_micro(verify, &proofs[i], err);
	}
	if (status == EVC_OK)
		status = evc_verify_guests(verify, proofs, n, err);
	for (size_t i = 0; i < n && status == EVC_OK; i++)
		if (proofs[i].state != EVC_VERIFY_FOREIGN)
			sum_up(verify, &proofs[i]);
	return status;
}
