/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LINUX_VULN_H
#define EVC_CORE_LINUX_VULN_H

/*
 * What /sys/devices/system/cpu/vulnerabilities will say, from a view (core/linux.h) and what else decides.
 * The rules are data/linux-vuln.txt; linux_vuln.c says how they are read.
 */

#include "core/linux.h"

enum {
	EVC_LINUX_MAX_VULNS = 24,
	EVC_LINUX_VULN_PARTS = 8,
	EVC_LINUX_VULN_TEXT = 192,
};

/* The sort of answer. */
enum evc_linux_vuln_class {
	EVC_LINUX_VULN_UNSURE, /* nobody can tell */
	EVC_LINUX_VULN_NOT_AFFECTED,
	EVC_LINUX_VULN_VULNERABLE,
	EVC_LINUX_VULN_MITIGATION,
	EVC_LINUX_VULN_UNKNOWN, /* the kernel itself will say that it does not know */
	EVC_LINUX_VULN_NONE,    /* of a row: no answer of its own */
};

/* "not affected", "vulnerable", "mitigation", "unknown", "unsure". */
const char *evc_linux_vuln_class_name(enum evc_linux_vuln_class class);

struct evc_linux_vuln_row {
	uint16_t program; /* index into evc_linux_vuln_code */
	enum evc_linux_vuln_class class;
	bool last;             /* no part follows */
	const char *text;      /* "?..." is some text of the class */
	const char *condition; /* as the data file has it */
};

struct evc_linux_vuln_part {
	uint16_t first, n; /* rows */
};

struct evc_linux_vuln_file {
	const char *name;          /* "spectre_v2" */
	uint16_t exists, affected; /* programs */
	uint16_t commas;           /* program: kernels that put commas between the parts */
	uint16_t first_part, n_parts;
	uint16_t first_option, n_options; /* boot options that change the text */
};

/* One file of one guest. */
struct evc_linux_vuln {
	const struct evc_linux_vuln_file *file;
	struct evc_linux_truth affected; /* whether the kernel takes the CPU to have the flaw */
	enum evc_linux_vuln_class class;
	uint32_t depends;               /* mask of 1 << enum evc_linux_input: what was assumed */
	bool text_known;                /* else only the class, and that only when it is not UNSURE */
	char text[EVC_LINUX_VULN_TEXT]; /* without the end of line; "" when not known */
	/* The row that each part's text comes from; NULL where nothing holds or nobody knows. */
	const struct evc_linux_vuln_row *rows[EVC_LINUX_VULN_PARTS];
	size_t n_rows;
};

/* All files that the view's kernel has, in the order of the data; returns how many. */
size_t evc_linux_vulns(const struct evc_linux_question *question, const struct evc_linux_view *view,
                       struct evc_linux_vuln ret_vulns[static EVC_LINUX_MAX_VULNS]);

/* --- generated ---------------------------------------------------------------------------------- */

/* A condition is a program in postfix order that ends with EVC_LINUX_OP_END. */
enum evc_linux_vuln_opcode {
	EVC_LINUX_OP_END,
	EVC_LINUX_OP_TRUE,
	EVC_LINUX_OP_UNKNOWN,
	EVC_LINUX_OP_CALL,  /* program */
	EVC_LINUX_OP_FLAG,  /* enum evc_linux_flag */
	EVC_LINUX_OP_BUG,   /* enum evc_linux_bug */
	EVC_LINUX_OP_HAS,   /* the tree has that bug */
	EVC_LINUX_OP_CAP,   /* bit of IA32_ARCH_CAPABILITIES */
	EVC_LINUX_OP_SINCE, /* major * 256 + minor */
	EVC_LINUX_OP_TREE,  /* index into evc_linux_vuln_names */
	EVC_LINUX_OP_INTEL,
	EVC_LINUX_OP_AMD,
	EVC_LINUX_OP_FAMILY_BELOW,
	EVC_LINUX_OP_OFF,
	EVC_LINUX_OP_SMT,
	EVC_LINUX_OP_SMT_POSSIBLE,
	EVC_LINUX_OP_EBPF,
	EVC_LINUX_OP_KVM,
	EVC_LINUX_OP_ON_KVM,
	EVC_LINUX_OP_ON_TCG,
	EVC_LINUX_OP_AND,
	EVC_LINUX_OP_OR,
	EVC_LINUX_OP_NOT,
};

struct evc_linux_vuln_op {
	uint8_t op;
	uint16_t argument;
};

extern const struct evc_linux_vuln_row evc_linux_vuln_rows[];
extern const struct evc_linux_vuln_part evc_linux_vuln_parts[];
extern const struct evc_linux_vuln_file evc_linux_vuln_files[];
extern const size_t evc_n_linux_vuln_files;
extern const char *const evc_linux_vuln_options[];
extern const char *const evc_linux_vuln_names[];
extern const struct evc_linux_vuln_op evc_linux_vuln_code[];

#endif
