/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_USERLAND_H
#define EVC_CORE_USERLAND_H

/*
 * What programs of a Linux guest make of its CPU: the directories that ld.so searches, the name behind GCC's
 * -march=native, what __builtin_cpu_supports says, and how tools name the hypervisor.  The rules are
 * data/userland.txt.
 */

#include "core/linux.h"

enum {
	EVC_USERLAND_GCCS = 2, /* versions of GCC whose names are known */
	EVC_USERLAND_HWCAPS = 4,
	EVC_USERLAND_SUPPORTS = 112,
	EVC_USERLAND_STATES = 4,
};

/* How each names the owner of leaf 0x40000000; NULL: not at all. */
struct evc_userland_hypervisor {
	const char *signature;
	const char *kernel, *systemd, *lscpu, *virt_what;
	uint16_t since; /* the first kernel that does, major * 256 + minor */
};

struct evc_userland {
	enum evc_truth hwcaps[EVC_USERLAND_HWCAPS]; /* by evc_userland_hwcaps */
	const char *march[EVC_USERLAND_GCCS];       /* NULL: not known, or none of the names that we know */
	enum evc_truth supports[EVC_USERLAND_SUPPORTS]; /* by evc_userland_supports */
	enum evc_truth guest;                           /* the hypervisor bit */
	struct evc_userland_hypervisor hypervisor;      /* signature "" when there is none */
};

/* The view is that of the same dump: whether the kernel uses XSAVE, and which kernel it is. */
void evc_userland_see(const struct evc_cpu *cpu, const struct evc_linux_view *view,
                      struct evc_userland *ret_userland);

/* --- generated ---------------------------------------------------------------------------------- */

struct evc_userland_row {
	const char *name;
	uint16_t program;
	uint16_t versions; /* of GCC, a mask; 0: all */
};

enum evc_userland_vendor {
	EVC_USERLAND_INTEL,
	EVC_USERLAND_AMD,
	EVC_USERLAND_HYGON,
	EVC_USERLAND_ZHAOXIN,
	EVC_USERLAND_OTHER,
};

/* A condition is a program in postfix order that ends with EVC_USERLAND_OP_END. */
enum evc_userland_opcode {
	EVC_USERLAND_OP_END,
	EVC_USERLAND_OP_TRUE,
	EVC_USERLAND_OP_FEATURE, /* as a program finds it */
	EVC_USERLAND_OP_VENDOR,  /* enum evc_userland_vendor */
	EVC_USERLAND_OP_FAMILY_EQ,
	EVC_USERLAND_OP_FAMILY_GE,
	EVC_USERLAND_OP_FAMILY_LE,
	EVC_USERLAND_OP_MODEL_EQ,
	EVC_USERLAND_OP_MODEL_GE,
	EVC_USERLAND_OP_MODEL_LE,
	EVC_USERLAND_OP_AND,
	EVC_USERLAND_OP_OR,
	EVC_USERLAND_OP_NOT,
};

struct evc_userland_op {
	uint8_t op;
	uint16_t argument;
};

extern const struct evc_userland_row evc_userland_hwcaps[], evc_userland_gcc[], evc_userland_supports[];
extern const size_t evc_n_userland_hwcaps, evc_n_userland_gcc, evc_n_userland_supports;
extern const char *const evc_userland_gcc_versions[];
extern const struct evc_userland_hypervisor evc_userland_hypervisors[];
extern const size_t evc_n_userland_hypervisors;
extern const uint8_t evc_userland_uses[EVC_N_FEATURES]; /* state of a feature + 1; 0: none */
extern const struct evc_set evc_userland_states[];
extern const struct evc_userland_op evc_userland_code[];

#endif
