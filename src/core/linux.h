/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LINUX_H
#define EVC_CORE_LINUX_H

/*
 * What Linux will print: /proc/cpuinfo of a guest (or of any CPU whose dump there is), by kernel.
 *
 *   tree      a kernel whose source was read: names, places and numbers of its flags and bugs, lists of
 *             affected models, and the switches in which kernels differ (data/linux)
 *   env       what decides beside CPUID: hypervisor, MSRs, boot options, shape, clock
 *   view      the prediction for one logical CPU
 *   trace     why, step by step, on request
 *
 * Every part of a view has a truth of three values and a mask of the inputs that were assumed
 * and not known (enum evc_linux_input).  So the three certainties are
 *
 *   sure        the truth is known, the mask is empty
 *   depends     the truth is known, the mask says on what
 *   unknown     the truth is EVC_UNSURE; the mask may say what would decide
 *
 * Nothing here is guessed: what a dump does not say and no profile answers stays unsure.
 */

#include "base/error.h"
#include "base/span.h"
#include "core/cpu.h"
#include "core/dump.h"
#include "core/feature.h"
#include "linux-builds.h" /* enum evc_linux_config, _config_value: generated */
#include "linux-ids.h"    /* enum evc_linux_flag, _bug, _vmx, _list, _switch: generated */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EVC_LINUX_WORDS = 23, /* capability words, 32 flags each */
	EVC_LINUX_PLACES = EVC_LINUX_WORDS * 32,
	EVC_LINUX_NOWHERE = 0xffff, /* a flag that the tree does not have */
	EVC_LINUX_NO_BUG = 0xff,
};

/* --- trees ----------------------------------------------------------------------------------- */

/* A flag that is printed, at its place: word * 32 + bit. */
struct evc_linux_name {
	uint16_t place;
	uint16_t symbol; /* enum evc_linux_flag, _bug or _vmx */
	const char *name;
};

/* A capability word that is copied from a register of CPUID. */
struct evc_linux_word {
	uint8_t word;
	struct evc_bit from; /* a whole register */
};

/* A flag that is read from a bit of its own. */
struct evc_linux_scattered {
	uint16_t symbol;
	struct evc_bit bit;
};

/* Clearing needs clears flag. */
struct evc_linux_dependency {
	uint16_t flag, needs;
};

/* A row of the kernel's lists of affected and unaffected CPUs; the first that matches counts. */
struct evc_linux_row {
	uint8_t vendor; /* enum evc_linux_vendor */
	uint8_t family; /* 0: any */
	int16_t model;  /* -1: any */
	uint16_t steppings;
	uint32_t says; /* mask of enum evc_linux_list */
};

/* The newest microcode that a kernel knew of, by signature. */
struct evc_linux_microcode {
	uint32_t signature;
	uint32_t platforms; /* mask of what MSR 0x17 may say */
	uint32_t revision;
};

struct evc_linux_tree {
	const char *name;         /* "6.1.192" */
	const char *title;        /* "Debian 12" */
	const char *distribution; /* who built it: "debian" */
	uint16_t version;         /* major * 256 + minor */
	uint16_t patch;
	bool headers_only;      /* names were read, code was not: rules are those of the nearest whole tree */
	const uint16_t *places; /* of each enum evc_linux_flag, or EVC_LINUX_NOWHERE */
	const uint8_t *bug_numbers;                      /* of each enum evc_linux_bug, or 0xff */
	const struct evc_linux_name *flags, *bugs, *vmx; /* printed ones, in printing order */
	const struct evc_linux_word *words;
	const struct evc_linux_scattered *scattered;
	const struct evc_linux_dependency *dependencies;
	const struct evc_linux_row *unaffected, *affected;
	const struct evc_linux_microcode *microcodes;
	uint16_t n_flags, n_bugs, n_vmx, n_words, n_scattered, n_dependencies, n_unaffected, n_affected,
		n_microcodes;
	uint8_t switches[EVC_LINUX_N_SWITCHES];
};

/* Oldest first. */
extern const struct evc_linux_tree evc_linux_trees[];
extern const size_t evc_n_linux_trees;

/* By enum: the kernel's symbol ("XMM3", "RETBLEED", "NO_MDS"), our name of a switch ("bhi"). */
extern const char *const evc_linux_flag_symbols[EVC_LINUX_N_FLAGS];
extern const char *const evc_linux_bug_symbols[EVC_LINUX_N_BUGS];
extern const char *const evc_linux_vmx_symbols[EVC_LINUX_N_VMX];
extern const char *const evc_linux_list_symbols[EVC_LINUX_N_LISTS];
extern const char *const evc_linux_switch_symbols[EVC_LINUX_N_SWITCHES];

/* The feature whose bit a flag is, or EVC_N_FEATURES. */
extern const uint16_t evc_linux_flag_features[EVC_LINUX_N_FLAGS];

/* How a tree answers for a version that somebody asked for. */
enum evc_linux_match {
	EVC_LINUX_EXACT,  /* that kernel was read */
	EVC_LINUX_SERIES, /* another build of the same stable series, or of the same distribution's kernel */
	EVC_LINUX_OLDER,  /* no tree of its series: the nearest older one */
	EVC_LINUX_FIRST,  /* older than all that were read: the first */
};

/* --- how kernels are built -------------------------------------------------------------------- */

/* An option of the configuration on which a line hangs. */
struct evc_linux_option_names {
	const char *name;   /* "5level" */
	const char *symbol; /* "X86_5LEVEL" */
	uint32_t values;    /* mask of enum evc_linux_config_value */
	const char *said;   /* these, for people */
};
extern const struct evc_linux_option_names evc_linux_configs[EVC_LINUX_N_CONFIGS];
extern const char *const evc_linux_config_values[EVC_LINUX_N_CONFIG_VALUES];
extern const char evc_linux_config_names[]; /* all, for people */

/* "config.5level=no", as a setting and as a node's text; NULL where it is no value of the option. */
extern const char *const evc_linux_config_asks[EVC_LINUX_N_CONFIGS][EVC_LINUX_N_CONFIG_VALUES];

/* What a distribution chose, from a version on. */
struct evc_linux_build {
	const char *distribution; /* "debian"; "kconfig": nobody chose */
	uint16_t since;           /* major * 256 + minor */
	uint8_t values[EVC_LINUX_N_CONFIGS];
};

/* Rows of one distribution from old to new; the first row is kconfig's. */
extern const struct evc_linux_build evc_linux_builds[];
extern const size_t evc_n_linux_builds;

/* The row that holds for a version of a distribution's; of one that is not known, kconfig's. */
const struct evc_linux_build *evc_linux_build_find(struct evc_span distribution, unsigned version);

struct evc_linux_kernel {
	const struct evc_linux_tree *tree;
	const struct evc_linux_build *build; /* how it was configured */
	bool built;                          /* that is known, else taken to be so */
	enum evc_linux_match match;
	bool vendors; /* a vendor's kernel with changes of its own that were not read (el8, uek, azure …) */
};

/*
 * "4.15" .. "7.3", a tree's name, "ubuntu-20.04", "ubuntu-20.04:5.4.0-216", "debian-12", "rhel-9", or what
 * uname -r prints.  EVC_ERR_USAGE when it is none of these.
 */
int evc_linux_find(struct evc_span name, struct evc_linux_kernel *ret_kernel, struct evc_error *err);

/* "ubuntu-20.04" … and the tree each stands for. */
struct evc_linux_alias {
	const char *name;
	const char *tree;
	uint16_t version; /* of the kernel, where it is not its tree's */
	bool vendors;
};
extern const struct evc_linux_alias evc_linux_aliases[];
extern const size_t evc_n_linux_aliases;

/* --- what decides beside CPUID ---------------------------------------------------------------- */

/* Inputs of a prediction that may be assumed; bits of a mask: 1 << input. */
enum evc_linux_input {
	EVC_LINUX_BY_PLATFORM,  /* which hypervisor, and what its interface answers */
	EVC_LINUX_BY_OPTIONS,   /* boot options and how the kernel was configured */
	EVC_LINUX_BY_SHAPE,     /* how many CPUs, how they are laid out */
	EVC_LINUX_BY_CLOCK,     /* the TSC's frequency */
	EVC_LINUX_BY_MICROCODE, /* MSR 0x8b: the revision */
	EVC_LINUX_BY_ARCH_CAP,  /* MSR 0x10a */
	EVC_LINUX_BY_MISC,      /* MSR 0x1a0 */
	EVC_LINUX_BY_FEAT_CTL,  /* MSR 0x3a */
	EVC_LINUX_BY_VMX,       /* MSRs 0x480 .. 0x492 */
	EVC_LINUX_BY_FAULTING,  /* MSRs 0xce and 0x140 */
	EVC_LINUX_BY_PPIN,      /* MSRs 0x4e and 0xc00102f0 */
	EVC_LINUX_BY_LS_CFG,    /* MSR 0xc0011020 */
	EVC_LINUX_BY_VM_CR,     /* MSR 0xc0010114 */
	EVC_LINUX_BY_SYSCFG,    /* MSRs 0xc0010010 and 0xc0010015 */
	EVC_LINUX_BY_OSVW,      /* MSRs 0xc0010140, 0xc0010141 and 0xc0010055 */
	EVC_LINUX_BY_TME,       /* MSR 0x982 */
	EVC_LINUX_BY_MSR,       /* another MSR */
	EVC_LINUX_BY_DEVICE,    /* a PCI device of the processor */
	EVC_LINUX_BY_RUNTIME,   /* what happens while it runs */
	EVC_LINUX_N_INPUTS,
};

/* "msr:10a", "boot options" … */
const char *evc_linux_input_name(enum evc_linux_input input);

enum evc_linux_platform {
	EVC_LINUX_PLATFORM_AUTO, /* as CPUID says */
	EVC_LINUX_BARE,
	EVC_LINUX_KVM,
	EVC_LINUX_TCG, /* QEMU without KVM */
	EVC_LINUX_VMWARE,
	EVC_LINUX_HYPERV,
	EVC_LINUX_XEN,
	EVC_LINUX_OTHER, /* a hypervisor that nobody knows */
	EVC_LINUX_N_PLATFORMS,
};

const char *evc_linux_platform_name(enum evc_linux_platform platform);

enum {
	EVC_LINUX_MAX_MSRS = 32,
	EVC_LINUX_CMDLINE = 2048, /* as many characters as Linux takes on x86 */
};

/* An MSR that somebody answered for. */
struct evc_linux_msr {
	uint32_t index;
	bool faults; /* reading it is refused: the guest takes a fault */
	uint64_t value, known;
};

/* All zero: whatever the dump says, then what the hypervisor usually answers. */
struct evc_linux_env {
	enum evc_linux_platform platform;
	struct evc_linux_msr msrs[EVC_LINUX_MAX_MSRS];
	unsigned n_msrs;
	char cmdline[EVC_LINUX_CMDLINE];        /* boot options, as /proc/cmdline has them */
	bool has_cmdline;                       /* even if it is empty */
	uint8_t config[EVC_LINUX_N_CONFIGS];    /* 1 + enum evc_linux_config_value; 0: as the build has it */
	uint32_t tsc_khz;                       /* 0: as the dump's facts say */
	uint32_t cpus, sockets, cores, threads; /* 0: as the dump says */
};

/*
 * One "KEY=VALUE": hypervisor=kvm, msr.0x10a=0x4 or msr.0x140=fault, cmdline=…, tsc-khz=…, microcode=…,
 * smp=4 or smp=4,sockets=1,cores=2,threads=2, config.5level=no.  EVC_ERR_USAGE with what is wrong.
 */
int evc_linux_env_set(struct evc_linux_env *env, struct evc_span setting, struct evc_error *err);

/* --- the prediction --------------------------------------------------------------------------- */

struct evc_linux_truth {
	uint32_t depends; /* mask of 1 << enum evc_linux_input: what was assumed */
	uint8_t truth;    /* enum evc_truth */
};

/* The lines of a block, in printing order. */
enum evc_linux_line {
	EVC_LINUX_PROCESSOR,  /* number */
	EVC_LINUX_VENDOR_ID,  /* text */
	EVC_LINUX_CPU_FAMILY, /* number */
	EVC_LINUX_MODEL,      /* number */
	EVC_LINUX_MODEL_NAME, /* text */
	EVC_LINUX_STEPPING, /* number; text "unknown" in the file when it is 0 and no CPUID, which is not ours
	                     */
	EVC_LINUX_MICROCODE,        /* number, 0x%x */
	EVC_LINUX_CPU_MHZ,          /* number: kHz; %u.%03u */
	EVC_LINUX_CACHE_SIZE,       /* number: KB */
	EVC_LINUX_PHYSICAL_ID,      /* number */
	EVC_LINUX_SIBLINGS,         /* number */
	EVC_LINUX_CORE_ID,          /* number */
	EVC_LINUX_CPU_CORES,        /* number */
	EVC_LINUX_APICID,           /* number */
	EVC_LINUX_INITIAL_APICID,   /* number */
	EVC_LINUX_FPU,              /* number: 1 is "yes" */
	EVC_LINUX_FPU_EXCEPTION,    /* number: 1 is "yes" */
	EVC_LINUX_CPUID_LEVEL,      /* number, signed */
	EVC_LINUX_WP,               /* number: 1 is "yes" */
	EVC_LINUX_FLAGS,            /* the view's flags */
	EVC_LINUX_VMX_FLAGS,        /* the view's vmx flags */
	EVC_LINUX_BUGS,             /* the view's bugs */
	EVC_LINUX_BOGOMIPS,         /* number: hundredths */
	EVC_LINUX_TLB_SIZE,         /* number: "%u 4K pages" */
	EVC_LINUX_CLFLUSH_SIZE,     /* number */
	EVC_LINUX_CACHE_ALIGNMENT,  /* number */
	EVC_LINUX_ADDRESS_SIZES,    /* number physical, second virtual */
	EVC_LINUX_POWER_MANAGEMENT, /* number: mask, see evc_linux_power_names */
	EVC_LINUX_N_LINES,
};

/* The line's name as printed: "cpu family". */
const char *evc_linux_line_name(enum evc_linux_line line);

/* By bit of the power management line; NULL: printed as " [13]", "": printed not at all. */
extern const char *const evc_linux_power_names[32];

struct evc_linux_value {
	struct evc_linux_truth shown; /* is the line printed */
	struct evc_linux_truth known; /* EVC_PRESENT: the value below holds; else EVC_UNSURE */
	int64_t number, second;
};

struct evc_linux_trace;

/* What is asked. */
struct evc_linux_question {
	const struct evc_linux_tree *tree;
	const struct evc_linux_build
		*build;                  /* how it was configured; NULL: as its tree's distribution does */
	bool built;                      /* that is known, not taken to be so */
	const struct evc_linux_env *env; /* NULL: all zero */
	const struct evc_dump *dump;     /* the logical CPU */
	const struct evc_host *host;     /* its machine: facts, and the other CPUs; NULL: that dump is all */
	unsigned cpu;                    /* its number among the machine's */
	struct evc_linux_trace *trace;   /* NULL: no causes */
};

/* One logical CPU as the kernel shows it.  About 4 KB; no pointers into the dump. */
struct evc_linux_view {
	const struct evc_linux_tree *tree;
	enum evc_linux_platform platform;
	uint32_t flags[EVC_LINUX_WORDS];         /* a one: there */
	uint32_t flags_unsure[EVC_LINUX_WORDS];  /* a one: nobody knows */
	uint32_t flags_depend[EVC_LINUX_PLACES]; /* masks of inputs, by place */
	uint64_t bugs, bugs_unsure;              /* by enum evc_linux_bug */
	uint32_t bugs_depend[EVC_LINUX_N_BUGS];
	uint32_t vmx[5], vmx_unsure[5]; /* by place, as evc_linux_name has it */
	uint32_t vmx_depends;
	struct evc_linux_value lines[EVC_LINUX_N_LINES];
	char vendor_id[13];
	char model_name[65];
};

void evc_linux_predict(const struct evc_linux_question *question, struct evc_linux_view *ret_view);

struct evc_linux_truth evc_linux_view_flag(const struct evc_linux_view *view, enum evc_linux_flag flag);
struct evc_linux_truth evc_linux_view_bug(const struct evc_linux_view *view, enum evc_linux_bug bug);
struct evc_linux_truth evc_linux_view_vmx(const struct evc_linux_view *view, unsigned place);

/* What a line that is made of words can say in a tree; the names are the tree's. */
struct evc_linux_words {
	enum evc_linux_line line;
	const struct evc_linux_name *names; /* in printing order */
	size_t n;
};

/* EVC_LINUX_FLAGS, EVC_LINUX_VMX_FLAGS or EVC_LINUX_BUGS; another line has no words. */
struct evc_linux_words evc_linux_tree_words(const struct evc_linux_tree *tree, enum evc_linux_line line);

/* The truth of words->names[i]; those of vmx have to be of the view's own tree. */
struct evc_linux_truth evc_linux_view_word(const struct evc_linux_view *view,
                                           const struct evc_linux_words *words, size_t i);

/* --- why ---------------------------------------------------------------------------------------- */

/* CPUs of a vendor in a range of families and models, and of steppings. */
struct evc_linux_cpus {
	enum evc_linux_vendor vendor; /* EVC_LINUX_VENDOR_ANY: all */
	uint8_t family, family_last;  /* 0xff: no end */
	uint8_t model, model_last;
	uint8_t stepping, stepping_last;
};

enum { EVC_LINUX_CPUS_TEXT = 96 };

/* "AMD family 0x17 models 0x30 to 0x4f"; returns buf. */
char *evc_linux_cpus_format(const struct evc_linux_cpus *cpus, char buf[static EVC_LINUX_CPUS_TEXT]);
bool evc_linux_cpus_equal(const struct evc_linux_cpus *a, const struct evc_linux_cpus *b);

/* What a condition rests on. */
enum evc_linux_reason {
	EVC_LINUX_NO_REASON,       /* always */
	EVC_LINUX_REASON_BIT,      /* bit is number (truth: not zero) */
	EVC_LINUX_REASON_FLAG,     /* id: enum evc_linux_flag, as it was at that moment */
	EVC_LINUX_REASON_BUG,      /* id: enum evc_linux_bug */
	EVC_LINUX_REASON_ROW,      /* id: enum evc_linux_list; row: the row that matched, NULL: none */
	EVC_LINUX_REASON_READABLE, /* number: MSR that can be read */
	EVC_LINUX_REASON_PLATFORM, /* id: enum evc_linux_platform */
	EVC_LINUX_REASON_OPTION,   /* text: boot option, or config.NAME=VALUE of the configuration */
	EVC_LINUX_REASON_SWITCH,   /* id: enum evc_linux_switch: number is the tree's */
	EVC_LINUX_REASON_CPU,      /* cpus */
	EVC_LINUX_REASON_NUMBER,   /* text: what, number: its value, limit: what it was compared with */
	EVC_LINUX_REASON_TEXT,     /* text: anything else */
	EVC_LINUX_REASON_NOT,      /* a */
	EVC_LINUX_REASON_AND,      /* a, b */
	EVC_LINUX_REASON_OR,       /* a, b */
};

struct evc_linux_node {
	enum evc_linux_reason reason;
	uint8_t truth; /* enum evc_truth */
	uint16_t a, b; /* nodes before this one */
	uint16_t id;
	struct evc_bit bit;
	uint64_t number, limit;
	const char *text;
	const struct evc_linux_row *row;
	struct evc_linux_cpus cpus;
	uint32_t depends;
};

/* Is it an option of the configuration, and not of the command line? */
bool evc_linux_is_config(const struct evc_linux_node *node);

enum evc_linux_target {
	EVC_LINUX_TARGET_FLAG,
	EVC_LINUX_TARGET_BUG,
	EVC_LINUX_TARGET_LINE,
};

enum evc_linux_effect {
	EVC_LINUX_SET,         /* true: it is there */
	EVC_LINUX_CLEAR,       /* true: it goes */
	EVC_LINUX_BECOMES,     /* it is what the condition is */
	EVC_LINUX_STAYS_SET,   /* forced: no later clear counts (setup_force_cpu_cap) */
	EVC_LINUX_STAYS_CLEAR, /* forced: no later set counts (setup_clear_cpu_cap) */
};

struct evc_linux_step {
	enum evc_linux_target target;
	uint16_t id; /* enum evc_linux_flag, _bug or _line; EVC_LINUX_N_FLAGS: all flags are zeroed */
	enum evc_linux_effect effect;
	uint16_t node;     /* the condition */
	const char *where; /* "common.c:get_cpu_cap" */
};

/* In the order of the kernel's events.  Node 0 is "always". */
struct evc_linux_trace {
	struct evc_arena *arena;
	struct evc_linux_node *nodes;
	struct evc_linux_step *steps;
	uint16_t n_nodes, n_steps, size_nodes, size_steps;
	bool full; /* something was left out: memory, or more than any prediction needs */
};

/* An empty trace in an arena; NULL when memory is out. */
struct evc_linux_trace *evc_linux_trace_new(struct evc_arena *arena);

/* What the steps of a flag or bug come to, computed from the nodes alone. */
enum evc_truth evc_linux_recompute(const struct evc_linux_trace *trace, enum evc_linux_target target,
                                   uint16_t id);

#endif
