/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a host to what its KVM and QEMU can show a guest.
 *
 * The answer per feature comes from KVM itself where it was captured, else from the rules
 * (core/kvm_rules.h); QEMU's layer lies over both.  The offer's dump is written from the answer
 * (core/offer_dump.h), and the offer's cpu decoded from that, as a guest would read it.
 */
#include "core/offer.h"

#include "core/offer_dump.h"
#include "core/qemu.h"

#include <string.h>

enum { NEWEST_QEMU = 9999 };

static bool given(const char *text)
{
	return text && text[0];
}

static int set_up(struct evc_offer_work *work, const struct evc_offer_options *options, struct evc_error *err)
{
	const struct evc_facts *facts = &work->host->facts;
	struct evc_kvm_machine *machine = &work->machine;
	struct evc_span odd;

	machine->raw = work->raw;
	machine->microcode = facts->microcode;
	machine->nested = options->nested;
	work->assumed_kernel = !given(options->kernel) && !given(facts->kernel);
	if (!evc_kvm_kernels_from(given(options->kernel) ? options->kernel : facts->kernel,
	                          &machine->kernels)) {
		if (given(options->kernel))
			return evc_fail(err, EVC_ERR_USAGE, "not a kernel version: %s", options->kernel);
		work->assumed_kernel = true;
	}
	machine->qemu = NEWEST_QEMU;
	work->assumed_qemu = false;
	if (given(options->qemu)) {
		if (!evc_qemu_version(options->qemu, &machine->qemu))
			return evc_fail(err, EVC_ERR_USAGE, "not a QEMU version: %s", options->qemu);
	} else if (!given(facts->qemu) || !evc_qemu_version(facts->qemu, &machine->qemu)) {
		work->assumed_qemu = true;
	}
	if (given(options->options)) {
		if (!evc_kvm_options_from(options->options, machine, &odd))
			return evc_fail(
				err, EVC_ERR_USAGE,
				"KVM option %.*s: not NAME=0 or NAME=1 of one that changes what guests "
				"see; evc(1) lists them",
				(int)odd.length, odd.text);
	} else if (given(facts->kvm_options)) {
		/* A host has more parameters than those that matter here. */
		evc_kvm_options_from(facts->kvm_options, machine, &odd);
	}
	return EVC_OK;
}

/* KVM's own answer, bit by bit and whatever the vendor: AMD's bits on Intel's CPUs are its doing. */
static void take_answer(struct evc_offer_work *work)
{
	const struct evc_dump *kvm = work->host->kvm;
	uint64_t reg, reg_known;

	memset(&work->answer, 0, sizeof(work->answer));
	memset(work->answer.most, 0xff, sizeof(work->answer.most));
	memset(work->answer.least, 0xff, sizeof(work->answer.least));
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		struct evc_bit bit = evc_features[id].bit;
		uint64_t mask = evc_bit_mask(bit);

		reg = evc_dump_register(kvm, bit.leaf, bit.subleaf, bit.reg, &reg_known);
		if ((reg_known & mask) != mask)
			work->answer.may[id] = EVC_MAY_EITHER;
		else
			work->answer.may[id] = reg & mask ? EVC_MAY_YES : EVC_MAY_NO;
	}
	work->answer.max_basic = evc_dump_highest(kvm, 0);
	work->answer.max_extended = evc_dump_highest(kvm, 0x80000000);
}

/* A host with several kinds of CPU: fields are those that all kinds can give. */
static void merge_kinds(const struct evc_offer_work *work, struct evc_cpu *cpu)
{
	struct evc_cpu first;

	if (work->host->n_cpus < 2)
		return;
	evc_cpu_decode(&work->host->cpus[0], &first);
	cpu->differs = work->raw->differs;
	for (int slot = 0; slot < EVC_N_SLOTS; slot++) {
		enum evc_feature_id id = evc_slots[slot];

		if (!evc_set_has(&cpu->known, id) || cpu->value[slot] != first.value[slot])
			continue;
		cpu->value[slot] = work->raw->value[slot];
		if (!evc_set_has(&work->raw->known, id)) {
			evc_set_drop(&cpu->known, id);
			evc_set_drop(&cpu->has, id);
		} else if (!cpu->value[slot]) {
			evc_set_drop(&cpu->has, id);
		}
	}
}

static const char *tree_text(uint16_t trees, struct evc_arena *arena)
{
	const char *first = NULL, *last = NULL;

	for (size_t i = 0; i < evc_n_kvm_trees; i++) {
		if (!(trees >> i & 1))
			continue;
		first = first ? first : evc_kvm_trees[i].name;
		last = evc_kvm_trees[i].name;
	}
	if (!first || first == last)
		return first ? first : "";
	return evc_arena_printf(arena, "%s..%s", first, last);
}

static void note(struct evc_findings *findings, const struct evc_host *host, const char *detail)
{
	if (findings)
		evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_NOTE,
		                                                 .severity = EVC_NOTE,
		                                                 .feature = EVC_N_FEATURES,
		                                                 .subject = host->name,
		                                                 .detail = detail });
}

static void answer(struct evc_offer_work *work)
{
	if (work->host->kvm)
		take_answer(work);
	else
		evc_kvm_predict(&work->machine, &work->answer);
	evc_kvm_qemu_layer(&work->machine, &work->answer);
}

static const char *assumption(bool kernel, bool qemu)
{
	if (kernel)
		return qemu ? "kernel and QEMU are not known: taken as the newest known"
		            : "the kernel is not known: taken as the newest known";
	return qemu ? "QEMU is not known: taken as the newest known" : "";
}

/* What is offered of offer->silicon. */
static int through_kvm(const struct evc_host *host, const struct evc_offer_options *options,
                       struct evc_arena *arena, struct evc_offer *offer, struct evc_findings *findings,
                       struct evc_error *err)
{
	struct evc_offer_work work = { .host = host,
		                       .raw = &offer->silicon,
		                       .fields = host->kvm ? host->kvm : &host->cpus[0] };
	int status;

	status = set_up(&work, options, err);
	if (status < 0)
		return status;
	answer(&work);
	status = evc_offer_write(&work, arena, &offer->dump, err);
	if (status < 0)
		return status;
	offer->dump.cpu = host->cpus[0].cpu;
	offer->dump.n_alike = host->cpus[0].n_alike;
	offer->dump.skips_zero = host->cpus[0].skips_zero;
	evc_cpu_decode(&offer->dump, &offer->cpu);
	merge_kinds(&work, &offer->cpu);
	offer->basis = host->kvm ? EVC_OFFER_MEASURED : EVC_OFFER_PREDICTED;
	if (!host->kvm)
		offer->kernel_tree = tree_text(work.machine.kernels.trees, arena);
	offer->assumed = assumption(work.assumed_kernel && !host->kvm, work.assumed_qemu);
	if (offer->assumed[0])
		note(findings, host, offer->assumed);
	if (work.machine.qemu != NEWEST_QEMU)
		offer->qemu_tree = given(options->qemu) ? options->qemu : host->facts.qemu;
	return EVC_OK;
}

int evc_offer_make(const struct evc_host *host, const struct evc_offer_options *options,
                   struct evc_arena *arena, struct evc_offer *ret_offer, struct evc_findings *findings,
                   struct evc_error *err)
{
	struct evc_offer offer = {
		.basis = EVC_OFFER_GIVEN, .kernel_tree = "", .qemu_tree = "", .assumed = ""
	};
	int status = EVC_OK;
	bool is_guest;

	if (!host->n_cpus) {
		*ret_offer = offer;
		return EVC_OK;
	}
	evc_cpu_decode_host(host, &offer.silicon);
	is_guest = evc_set_has(&offer.silicon.has, EVC_F_HYPERVISOR) && !host->kvm;
	if (options->view == EVC_VIEW_RAW || (options->view == EVC_VIEW_AUTO && is_guest)) {
		offer.dump = host->cpus[0];
		offer.cpu = offer.silicon;
	} else {
		status = through_kvm(host, options, arena, &offer, findings, err);
	}
	if (!status)
		*ret_offer = offer;
	return status;
}

static bool asked(struct evc_offer_work *work, enum evc_feature_id id)
{
	evc_kvm_predict(&work->machine, &work->answer);
	return work->answer.may[id] & EVC_MAY_YES;
}

enum evc_cause evc_offer_cause(const struct evc_host *host, const struct evc_offer_options *options,
                               const struct evc_offer *offer, enum evc_feature_id id)
{
	struct evc_offer_work work = { .host = host, .raw = &offer->silicon };
	struct evc_kvm_kernels newest;
	bool yes;

	if (evc_cpu_truth(&offer->cpu, id) != EVC_ABSENT || offer->basis == EVC_OFFER_GIVEN || !host->n_cpus)
		return EVC_CAUSE_NONE;
	if (!(evc_features[id].vendors & work.raw->vendor))
		return EVC_CAUSE_VENDOR;
	/* The hypervisor's bits are of KVM itself. */
	if (evc_cpu_truth(work.raw, id) == EVC_ABSENT && !evc_feature_is_hypervisors(&evc_features[id]))
		return evc_set_has(&work.raw->has, EVC_F_HYPERVISOR) ? EVC_CAUSE_NESTED : EVC_CAUSE_NONE;
	if (set_up(&work, options, NULL) < 0)
		return EVC_CAUSE_NONE;
	if (host->kvm) {
		take_answer(&work);
		yes = work.answer.may[id] & EVC_MAY_YES;
	} else {
		yes = asked(&work, id);
	}
	if (yes && evc_set_has(&evc_qemu_unmigratable, id))
		return EVC_CAUSE_UNMIGRATABLE;
	if (yes)
		return (id == EVC_F_VMX || id == EVC_F_SVM) && !options->nested ? EVC_CAUSE_OPTION
		                                                                : EVC_CAUSE_QEMU;
	evc_kvm_kernels_from(NULL, &newest);
	work.machine.kernels.trees |= newest.trees;
	if (asked(&work, id))
		return EVC_CAUSE_KERNEL;
	memset(work.machine.options, 0, sizeof(work.machine.options));
	return asked(&work, id) ? EVC_CAUSE_OPTION : EVC_CAUSE_NEVER;
}
