/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_TARGET_H
#define EVC_TEXT_TARGET_H

/*
 * Export targets: a virtual CPU as the configuration of whoever runs the guest.  A target is
 * given what the guest is to see and writes it bit by bit; what it cannot express is a finding
 * (EVC_FINDING_TARGET_LOSS), never left out in silence.
 */

#include "base/sink.h"
#include "core/finding.h"
#include "core/set.h"

enum evc_accel {
	EVC_ACCEL_KVM,
	EVC_ACCEL_TCG,
};

/* What a guest is to see. */
struct evc_target_cpu {
	struct evc_set features; /* single bits */
	struct evc_set withheld; /* of what the hypervisor supplies (core/qemu.h): not on this host */
	const char *mode;        /* for findings and comments: "intel-haswell" */
	const char *vendor_id;   /* 12 characters */
	const char *brand;       /* at most 48 characters count */
	unsigned family, model, stepping;
	uint32_t max_basic, max_extended;
	unsigned phys_bits; /* 0: not known */
};

struct evc_target_options {
	enum evc_accel accel;
	unsigned qemu;         /* version as in core/qemu.h */
	unsigned libvirt;      /* version likewise; 0: the one that is usual with that QEMU */
	const char *machine;   /* machine type; NULL: the one of that version */
	const char *signature; /* libvirt: a named model, whose numbers the guest then has; NULL: exact */
	bool domain;           /* libvirt: a whole small domain */
};

struct evc_target {
	const char *name;  /* "qemu", as --to takes it */
	const char *title; /* "QEMU command line" */
	int (*write)(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
	             struct evc_sink *sink, struct evc_findings *findings, struct evc_error *err);
};

extern const struct evc_target evc_target_qemu;
extern const struct evc_target evc_target_libvirt;

extern const struct evc_target *const evc_targets[];
extern const size_t evc_n_targets;

const struct evc_target *evc_target_find(const char *name);

/*
 * Of the wanted features what this QEMU can be asked for, plus what the hypervisor supplies.
 * A feature without a property blocks; one that only TCG cannot show is a warning.
 */
struct evc_set evc_target_expressible(const struct evc_target_cpu *cpu,
                                      const struct evc_target_options *options,
                                      struct evc_findings *findings);

/* The value of QEMU's -cpu alone, as an argument for a program: nothing is quoted. */
void evc_target_qemu_cpu(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                         struct evc_sink *sink, struct evc_findings *findings);

/* The highest subleaf of leaf 7 that these features need. */
unsigned evc_target_level_func7(const struct evc_set *features);

/* "pc-q35-7.2" into the findings' arena, or what the options name. */
const char *evc_target_machine(const struct evc_target_options *options, struct evc_arena *arena);

/* The brand string as a property's value: no commas, at most 48 characters. */
const char *evc_target_brand(const struct evc_target_cpu *cpu, struct evc_findings *findings);

/* Physical address bits: TCG has 40 and no other.  0: a CPU without long mode has what QEMU gives it, and
 * takes no number. */
unsigned evc_target_phys_bits(const struct evc_target_cpu *cpu, const struct evc_target_options *options);

#endif
