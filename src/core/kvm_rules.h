/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_KVM_RULES_H
#define EVC_CORE_KVM_RULES_H

/*
 * What KVM offers of a CPU, by rules (data/kvm.txt, data/kvm-linux.txt).  Whether a feature is offered
 * is a set of answers that are still possible: no, yes, or either.  Only a single one is an answer.
 */

#include "core/cpu.h"

enum evc_may {
	EVC_MAY_NO = 1,
	EVC_MAY_YES = 2,
	EVC_MAY_EITHER = 3,
};

enum {
	EVC_KVM_FLAGS = 48,
	EVC_KVM_OPTIONS = 48,
};

enum evc_kvm_how {
	EVC_KVM_PASS,
	EVC_KVM_RAW,
	EVC_KVM_ALWAYS,
	EVC_KVM_SYNTH,
	EVC_KVM_INTEL,
	EVC_KVM_AMD,
	EVC_KVM_VMX,
	EVC_KVM_CLEAR,
};

/* A condition is a program in postfix order that ends with EVC_OP_END. */
enum evc_kvm_opcode {
	EVC_OP_END,
	EVC_OP_TRUE,
	EVC_OP_UNKNOWN,
	EVC_OP_INTEL,
	EVC_OP_AMD,
	EVC_OP_ZHAOXIN,
	EVC_OP_RAW,     /* feature */
	EVC_OP_CONTROL, /* feature, yes where it is not known */
	EVC_OP_LINUX,   /* feature, or EVC_N_FEATURES + flag */
	EVC_OP_ANSWER,  /* feature in KVM's answer, for QEMU's layer */
	EVC_OP_OPTION,
	EVC_OP_AND,
	EVC_OP_OR,
	EVC_OP_NOT,
	/* Six each, in this order. */
	EVC_OP_FAMILY_EQ,
	EVC_OP_FAMILY_NE,
	EVC_OP_FAMILY_GE,
	EVC_OP_FAMILY_LE,
	EVC_OP_FAMILY_GT,
	EVC_OP_FAMILY_LT,
	EVC_OP_MODEL_EQ,
	EVC_OP_MODEL_NE,
	EVC_OP_MODEL_GE,
	EVC_OP_MODEL_LE,
	EVC_OP_MODEL_GT,
	EVC_OP_MODEL_LT,
	EVC_OP_STEPPING_EQ,
	EVC_OP_STEPPING_NE,
	EVC_OP_STEPPING_GE,
	EVC_OP_STEPPING_LE,
	EVC_OP_STEPPING_GT,
	EVC_OP_STEPPING_LT,
	EVC_OP_MICROCODE_EQ,
	EVC_OP_MICROCODE_NE,
	EVC_OP_MICROCODE_GE,
	EVC_OP_MICROCODE_LE,
	EVC_OP_MICROCODE_GT,
	EVC_OP_MICROCODE_LT,
};

struct evc_kvm_op {
	uint8_t op;
	uint32_t argument;
};

/* Masks of trees have a bit for each of evc_kvm_trees; condition is an index into evc_kvm_code. */
struct evc_kvm_tree {
	const char *name;
	unsigned major, minor, patch;
	bool apart; /* a vendor's, on no chain */
};

struct evc_kvm_option {
	const char *name;
	bool usual;
	uint16_t except; /* trees in which it is the other way */
};

struct evc_kvm_parameter {
	const char *name;
	unsigned option;
};

struct evc_kvm_view {
	uint16_t place; /* feature, or EVC_N_FEATURES + flag */
	bool clear;
	uint16_t trees;
	uint16_t condition;
};

struct evc_kvm_rule {
	enum evc_feature_id feature;
	enum evc_kvm_how how;
	uint16_t trees;
	uint16_t condition;
};

struct evc_kvm_leaf {
	uint32_t first, last;
	uint16_t trees;
};

struct evc_kvm_limit {
	enum evc_feature_id feature;
	uint64_t most;
	uint16_t trees;
	uint16_t condition;
};

struct evc_kvm_raise {
	uint32_t leaf, from;
	uint16_t trees;
	uint16_t condition;
};

struct evc_kvm_qemu {
	enum evc_feature_id feature;
	unsigned since;
	uint16_t condition;
};

struct evc_kvm_need {
	enum evc_feature_id feature, needs;
};

extern const struct evc_kvm_tree evc_kvm_trees[];
extern const size_t evc_n_kvm_trees;
extern const struct evc_kvm_option evc_kvm_options[];
extern const size_t evc_n_kvm_options;
extern const struct evc_kvm_parameter evc_kvm_parameters[];
extern const size_t evc_n_kvm_parameters;
extern const struct evc_kvm_view evc_kvm_views[];
extern const size_t evc_n_kvm_views;
extern const struct evc_kvm_rule evc_kvm_rules[];
extern const size_t evc_n_kvm_rules;
extern const struct evc_kvm_leaf evc_kvm_leaves[];
extern const size_t evc_n_kvm_leaves;
extern const struct evc_kvm_limit evc_kvm_limits[];
extern const size_t evc_n_kvm_limits;
extern const struct evc_kvm_raise evc_kvm_raises[];
extern const size_t evc_n_kvm_raises;
extern const struct evc_kvm_qemu evc_kvm_qemu_adds[];
extern const size_t evc_n_kvm_qemu_adds;
extern const struct evc_kvm_qemu evc_kvm_qemu_hides[];
extern const size_t evc_n_kvm_qemu_hides;
extern const struct evc_kvm_need evc_kvm_needs[];
extern const size_t evc_n_kvm_needs;
extern const struct evc_kvm_op evc_kvm_code[];
extern const size_t evc_n_kvm_code;

/* The kernels that a host may run, of those that were read. */
struct evc_kvm_kernels {
	uint16_t trees;
	bool older; /* than all that were read: what they offer is not sure */
};

/* From uname -r, "6.12" or a tree's name; NULL or "": the newest.  False when it is no version. */
bool evc_kvm_kernels_from(const char *kernel, struct evc_kvm_kernels *ret_kernels);

/* What decides about a CPU. */
struct evc_kvm_machine {
	const struct evc_cpu *raw;
	uint32_t microcode; /* 0: not recorded */
	struct evc_kvm_kernels kernels;
	unsigned qemu;                    /* 702 for 7.2 */
	uint8_t options[EVC_KVM_OPTIONS]; /* enum evc_may, 0: what is usual */
	bool nested;                      /* guests may run guests */
};

/*
 * "nested=0 ept=1", prefixes as in "kvm_intel.nested=0" allowed.  What is understood is taken; false when
 * there was something else, a name that changes nothing that guests see or a value that is none: *ret_odd, in
 * text, is the first.
 */
bool evc_kvm_options_from(const char *text, struct evc_kvm_machine *machine, struct evc_span *ret_odd);

/* What KVM may answer, and QEMU make of it. */
struct evc_kvm_answer {
	uint8_t may[EVC_N_FEATURES]; /* enum evc_may */
	uint64_t most[EVC_N_SLOTS];  /* fields: the host's value, at most this */
	uint64_t least[EVC_N_SLOTS]; /* the lowest that "most" may be: the trees differ */
	uint32_t max_basic, max_extended;
};

void evc_kvm_predict(const struct evc_kvm_machine *machine, struct evc_kvm_answer *ret_answer);
void evc_kvm_qemu_layer(const struct evc_kvm_machine *machine, struct evc_kvm_answer *answer);

/* Do fields of the leaf pass from the host? */
enum evc_may evc_kvm_leaf_passes(const struct evc_kvm_kernels *kernels, uint32_t leaf);

#endif
