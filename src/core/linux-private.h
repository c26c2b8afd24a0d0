/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_LINUX_PRIVATE_H
#define EVC_CORE_LINUX_PRIVATE_H

/*
 * The inside of core/linux.h: one prediction in the making, and the words in which the kernel's rules
 * are written.  A condition is a struct evc_linux_tri, made of bits, flags, MSRs, rows and options by and,
 * or, not; a rule sets or clears a flag if a condition holds.  A condition carries what it assumed and, when
 * causes are wanted, the node of the trace that it is.
 */

#include "core/linux.h"

struct evc_linux_tri {
	uint32_t depends; /* mask of 1 << enum evc_linux_input */
	uint16_t node;    /* of the trace; 0: none yet */
	uint8_t truth;    /* enum evc_truth */
};

/* Registers that Linux tries to read. */
enum {
	EVC_LINUX_MSR_PLATFORM_ID = 0x17,
	EVC_LINUX_MSR_FEAT_CTL = 0x3a,
	EVC_LINUX_MSR_PPIN_CTL = 0x4e,
	EVC_LINUX_MSR_MICROCODE = 0x8b,
	EVC_LINUX_MSR_MISC_FEATURES = 0x140,
};
#define EVC_LINUX_MSR_LS_CFG UINT32_C(0xc0011020)
#define EVC_LINUX_MSR_AMD_PPIN_CTL UINT32_C(0xc00102f0)
#define EVC_LINUX_MSR_OSVW_LENGTH UINT32_C(0xc0010140)
#define EVC_LINUX_MSR_OSVW_STATUS UINT32_C(0xc0010141)

/* Places that survive each new reading of CPUID: surely, perhaps. */
struct evc_linux_forced {
	uint32_t sure[EVC_LINUX_WORDS], unsure[EVC_LINUX_WORDS];
};

/* Cores of a socket and threads of a core, neither of them zero; sockets are as many as it takes. */
struct evc_linux_shape {
	unsigned cores, threads;
};

/* What of the topology leaves is the caller's: nothing, the numbers of the CPUs, all. */
enum evc_linux_shaping {
	EVC_LINUX_AS_DUMPED,
	EVC_LINUX_AS_NUMBERED,
	EVC_LINUX_AS_SHAPED,
};

/*
 * How a hypervisor numbers CPUs that share one dump: levels from threads up, each with how many CPUs a unit
 * of it has and where its number begins in the APIC's.
 */
enum { EVC_LINUX_LEVELS = 8 };

struct evc_linux_layout {
	unsigned counts[EVC_LINUX_LEVELS], shifts[EVC_LINUX_LEVELS];
	unsigned n;
	bool fits; /* it gives the dump's own CPU the number that the dump has */
};

struct evc_linux_place {
	uint32_t leaf, subleaf;
	enum evc_reg reg;
};

struct evc_linux_work {
	const struct evc_linux_question *question;
	const struct evc_linux_tree *tree;
	const struct evc_linux_env *env;
	struct evc_linux_view *view; /* the flags as they are now, and what was decided so far */
	struct evc_linux_trace *trace;
	struct evc_dump_reader reader;
	uint32_t raw[EVC_LINUX_WORDS], raw_unsure[EVC_LINUX_WORDS]; /* as CPUID has them */
	struct evc_linux_forced set, cleared;
	uint32_t force_depends[EVC_LINUX_PLACES];
	enum evc_linux_vendor vendor; /* EVC_LINUX_VENDOR_ANY: one that this tree does not know */
	bool vendor_known, signature_known, level_known, xlevel_known;
	uint32_t signature;
	unsigned family, model, stepping;
	uint32_t level, xlevel;        /* highest leaves as the kernel keeps them */
	uint32_t unaffected, affected; /* what the rows that match say */
	const struct evc_linux_row *unaffected_row, *affected_row;
	uint32_t platform_depends;
	enum evc_linux_shaping shape;
	struct evc_linux_layout layout; /* of the question's dump, where CPUs share it */
	const char *where; /* the kernel's function that makes the line being made; NULL: what is read is no
	                      cause */
	enum evc_linux_line line;
	bool clock_replaced;       /* a hypervisor's clock: CPUID is not asked for the frequency */
	struct evc_linux_tri gate; /* what all rules depend on, where the kernel would have returned */
};

/* A component of XSAVE's area that Linux manages: the flag it needs, and its size by architecture. */
struct evc_linux_component {
	uint8_t number;
	enum evc_linux_flag flag;
	uint32_t size;
};
extern const struct evc_linux_component evc_linux_components[];
extern const size_t evc_n_linux_components;

/* What reading an MSR gives. */
struct evc_linux_answer {
	enum evc_truth readable;
	uint64_t value, known; /* zero where it is refused */
	uint32_t depends;
};

/* --- conditions (linux_rules.c) ------------------------------------------------------------------- */

struct evc_linux_tri evc_linux_yes(void);
struct evc_linux_tri evc_linux_no(void);
struct evc_linux_tri evc_linux_if(bool condition);
struct evc_linux_tri evc_linux_unknown(uint32_t depends);
struct evc_linux_tri evc_linux_not(struct evc_linux_work *work, struct evc_linux_tri a);
struct evc_linux_tri evc_linux_and(struct evc_linux_work *work, struct evc_linux_tri a,
                                   struct evc_linux_tri b);
struct evc_linux_tri evc_linux_or(struct evc_linux_work *work, struct evc_linux_tri a,
                                  struct evc_linux_tri b);

/* Without a node. */
struct evc_linux_tri evc_linux_joined(enum evc_linux_reason reason, struct evc_linux_tri a,
                                      struct evc_linux_tri b);

/* What a condition is made of: tri as a node of the trace.  Most predictions want no causes: that is decided
 * here. */
struct evc_linux_tri evc_linux_told(struct evc_linux_work *work, struct evc_linux_tri tri,
                                    const struct evc_linux_node *node);
#define evc_linux_leaf(work, tri, ...) ((work)->trace ? evc_linux_told(work, tri, __VA_ARGS__) : (tri))
struct evc_linux_tri evc_linux_text(struct evc_linux_work *work, struct evc_linux_tri tri, const char *text);
uint16_t evc_linux_node_of(struct evc_linux_work *work, struct evc_linux_tri tri);

/* A flag as it is now; a bug so far. */
struct evc_linux_tri evc_linux_has(struct evc_linux_work *work, enum evc_linux_flag flag);
struct evc_linux_tri evc_linux_at(const struct evc_linux_work *work, uint16_t place);
struct evc_linux_tri evc_linux_has_bug(struct evc_linux_work *work, enum evc_linux_bug bug);

/* A place of CPUID or an MSR: is it not zero. */
struct evc_linux_tri evc_linux_bit(struct evc_linux_work *work, struct evc_bit bit);
struct evc_linux_tri evc_linux_feature(struct evc_linux_work *work, enum evc_feature_id feature);

/* A field of CPUID, and whether all of it is known. */
uint32_t evc_linux_field(struct evc_linux_work *work, enum evc_feature_id feature, bool *ret_known);
uint32_t evc_linux_register(struct evc_linux_work *work, uint32_t leaf, uint32_t subleaf, enum evc_reg reg,
                            uint32_t *ret_known);

/* A field of CPUID has that value; CPUID has leaves up to that one. */
struct evc_linux_tri evc_linux_field_is(struct evc_linux_work *work, enum evc_feature_id feature,
                                        unsigned value, const char *text);
struct evc_linux_tri evc_linux_level_from(struct evc_linux_work *work, uint32_t leaf);

/* Does the row of the tree's lists that matches this CPU say that. */
struct evc_linux_tri evc_linux_listed(struct evc_linux_work *work, enum evc_linux_list list);

struct evc_linux_tri evc_linux_cpu(struct evc_linux_work *work, struct evc_linux_cpus cpus);
struct evc_linux_tri evc_linux_models(struct evc_linux_work *work, enum evc_linux_vendor vendor,
                                      unsigned family, unsigned first, unsigned last);
struct evc_linux_tri evc_linux_families(struct evc_linux_work *work, enum evc_linux_vendor vendor,
                                        unsigned first, unsigned last);
struct evc_linux_tri evc_linux_vendor_is(struct evc_linux_work *work, enum evc_linux_vendor vendor);
struct evc_linux_tri evc_linux_platform_is(struct evc_linux_work *work, enum evc_linux_platform platform);
struct evc_linux_tri evc_linux_switched(struct evc_linux_work *work, enum evc_linux_switch id,
                                        unsigned least);

/* A boot option, as a whole word: "nopcid", "pti=off".  usual: depends on the command line when none was
 * given. */
struct evc_linux_tri evc_linux_option(struct evc_linux_work *work, const char *word, bool usual);

/* An option of the configuration has that value. (linux_builds.c) */
struct evc_linux_tri evc_linux_configured(struct evc_linux_work *work, enum evc_linux_config option,
                                          enum evc_linux_config_value value);

/* config.NAME=VALUE: EVC_ERR_USAGE for what is no option or no value of it. */
int evc_linux_config_set(struct evc_linux_env *env, struct evc_span name, struct evc_span value,
                         struct evc_error *err);

/*
 * Causes of a line: from here on what is read is a cause of that line, until the end.  evc_linux_cause_bits
 * names one that was read by another way.
 */
void evc_linux_line_begin(struct evc_linux_work *work, enum evc_linux_line line, const char *where);
void evc_linux_line_end(struct evc_linux_work *work);
void evc_linux_cause_text(struct evc_linux_work *work, const char *text);
void evc_linux_cause_bits(struct evc_linux_work *work, struct evc_bit bit, uint64_t value, bool known);

/* --- facts that several rules need (linux_facts.c) ------------------------------------------------ */

/* The revision of the microcode, as the kernel keeps it. */
uint32_t evc_linux_microcode(struct evc_linux_work *work, bool *ret_known, uint32_t *ret_depends);
struct evc_linux_tri evc_linux_older_microcode(struct evc_linux_work *work, uint32_t revision);

/* A leaf of extended topology that this kernel accepts. */
struct evc_linux_tri evc_linux_has_topology(struct evc_linux_work *work);

/* AMD's register of errata: does it know of one, and does this CPU have it. */
struct evc_linux_tri evc_linux_osvw_knows(struct evc_linux_work *work, unsigned id);
struct evc_linux_tri evc_linux_osvw_says(struct evc_linux_work *work, unsigned id);

/* --- the shape that the caller gives (linux_shape.c) ---------------------------------------------- */

/* How many bits number n things. */
unsigned evc_linux_bits_for(unsigned n);

enum evc_linux_shaping evc_linux_shaping_of(const struct evc_linux_question *question);

/* A register as the hypervisor shows it to that CPU, from what the dump has. */
uint32_t evc_linux_shaped_register(const struct evc_linux_work *work, unsigned cpu,
                                   const struct evc_linux_place *place, uint32_t value);

struct evc_linux_layout evc_linux_layout_of(const struct evc_dump *dump);
/* A register as CPU number cpu of those that share a dump has it. */
uint32_t evc_linux_numbered_register(const struct evc_linux_layout *layout, unsigned cpu,
                                     const struct evc_linux_place *place, uint32_t value);
uint32_t evc_linux_layout_apicid(const struct evc_linux_layout *layout, unsigned cpu);

/* --- which CPUs run, and where they are (linux_online.c, linux_topology.c, linux_count.c) --------- */

/* What the command line says of them. */
struct evc_linux_limits {
	unsigned exist;                     /* numbers from here on do not exist */
	unsigned start;                     /* so many are started */
	struct evc_linux_tri first_threads; /* of a core only one thread stays */
	bool cores_first;                   /* first threads are started before others */
	bool any;                           /* is anything limited */
};
struct evc_linux_limits evc_linux_limits_of(struct evc_linux_work *work);

/* The cut of one logical CPU's number. */
struct evc_linux_cut {
	uint32_t apicid;
	uint32_t package, core;
	uint32_t unit; /* what counts as a core: AMD's family 0x15 has two cores in one */
	unsigned smt_shift, package_shift;
	unsigned threads, processors; /* of a core, of a package, as CPUID counts */
	unsigned per_unit;            /* CPUs of a unit, where they are not the threads */
	bool known;
	bool assumed; /* its number is: that of one of several CPUs that share a dump */
};

/* Of the CPU of that number, by a dump that is its own or that it shares. */
struct evc_linux_cut evc_linux_cut_of(struct evc_linux_work *work, const struct evc_dump *dump, unsigned cpu);

/* CPUs that run in the same package as the question's, and whether it runs itself. */
struct evc_linux_shared {
	unsigned siblings, cores;
	uint32_t package;
	bool in_package; /* all are in that package, wherever in it */
	bool assumed;    /* by what CPUID counts, or by how hypervisors number */
	bool unsure;
	struct evc_linux_tri runs;
};
struct evc_linux_shared evc_linux_count(struct evc_linux_work *work, const struct evc_linux_cut *own);

/* --- MSRs (linux_msr.c) --------------------------------------------------------------------------- */

struct evc_linux_answer evc_linux_msr(const struct evc_linux_work *work, uint32_t index);
struct evc_linux_tri evc_linux_readable(struct evc_linux_work *work, uint32_t index);
uint32_t evc_linux_msr_input(uint32_t index);

/* --- rules (linux_caps.c) ------------------------------------------------------------------------- */

/* set_cpu_cap; clear_cpu_cap, with what depends on it; setup_force_cpu_cap; setup_clear_cpu_cap. */
void evc_linux_set(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                   const char *where);
void evc_linux_clear(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                     const char *where);
void evc_linux_force(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                     const char *where);
void evc_linux_forbid(struct evc_linux_work *work, enum evc_linux_flag flag, struct evc_linux_tri when,
                      const char *where);
void evc_linux_set_bug(struct evc_linux_work *work, enum evc_linux_bug bug, struct evc_linux_tri when,
                       const char *where);

void evc_linux_read_words(struct evc_linux_work *work);
void evc_linux_zero(struct evc_linux_work *work);
void evc_linux_get_cpu_cap(struct evc_linux_work *work);
void evc_linux_filter(struct evc_linux_work *work);
void evc_linux_apply_forced(struct evc_linux_work *work);

/* --- the trace (linux_trace.c) --------------------------------------------------------------------- */

uint16_t evc_linux_trace_node(struct evc_linux_trace *trace, const struct evc_linux_node *node);
void evc_linux_trace_step(struct evc_linux_trace *trace, const struct evc_linux_step *step);
enum evc_truth evc_linux_combine(enum evc_linux_reason reason, enum evc_truth a, enum evc_truth b);

/* --- the kernel's events ----------------------------------------------------------------------------- */

void evc_linux_intel_early(struct evc_linux_work *work);
void evc_linux_intel_late(struct evc_linux_work *work);
void evc_linux_amd_early(struct evc_linux_work *work);
void evc_linux_amd_bsp(struct evc_linux_work *work);
void evc_linux_amd_late(struct evc_linux_work *work);
void evc_linux_hygon_early(struct evc_linux_work *work);
void evc_linux_hygon_bsp(struct evc_linux_work *work);
void evc_linux_hygon_late(struct evc_linux_work *work);
void evc_linux_centaur_early(struct evc_linux_work *work);
void evc_linux_centaur_late(struct evc_linux_work *work);
void evc_linux_zhaoxin_early(struct evc_linux_work *work);
void evc_linux_zhaoxin_late(struct evc_linux_work *work);
void evc_linux_arch_perfmon(struct evc_linux_work *work, const char *where);
void evc_linux_feat_ctl(struct evc_linux_work *work);
void evc_linux_copy_centaur_word(struct evc_linux_work *work, const char *where);
void evc_linux_dcm(struct evc_linux_work *work);
void evc_linux_bugs(struct evc_linux_work *work);
void evc_linux_find_platform(struct evc_linux_work *work);
void evc_linux_platform(struct evc_linux_work *work);
void evc_linux_tsc(struct evc_linux_work *work);
struct evc_linux_tri evc_linux_no_pti(struct evc_linux_work *work);
void evc_linux_options(struct evc_linux_work *work);
void evc_linux_control_registers(struct evc_linux_work *work);
void evc_linux_ppin(struct evc_linux_work *work);
void evc_linux_split_lock(struct evc_linux_work *work);
void evc_linux_mitigations(struct evc_linux_work *work);
void evc_linux_lines(struct evc_linux_work *work);
void evc_linux_caches(struct evc_linux_work *work, struct evc_linux_value *size, struct evc_linux_value *tlb);
void evc_linux_show_if_positive(struct evc_linux_value *value, bool known);
void evc_linux_topology(struct evc_linux_work *work);

#endif
