/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Linux prints, rule by rule: small made-up tables, each row one rule of the kernel's that decides about
 * one word.  The rules were read in the kernel's source; whole listings of real guests are compared in
 * tests/text/test_cpuinfo.c.
 */
#include "core/linux.h"

#include "core/machines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* One register of a made-up table; all else of its leaf is zero. */
struct part {
	uint32_t leaf, subleaf;
	enum evc_reg reg;
	uint32_t value;
};

enum { PARTS = 8, SETTINGS = 4 };

struct row {
	const char *name;
	const char *kernel;
	const char *vendor;
	uint32_t signature, level;
	struct part parts[PARTS];
	const char *settings[SETTINGS];
	const char *there, *gone; /* words, with blanks: "avx gds" */
	const char *unsure;
};

#define INTEL .vendor = "GenuineIntel"
#define AMD .vendor = "AuthenticAMD"
#define GUEST                                                                                                \
	{                                                                                                    \
		.leaf = 1, .reg = EVC_ECX, .value = UINT32_C(1) << 31                                        \
	}
#define ONE_ECX(bits)                                                                                        \
	{                                                                                                    \
		.leaf = 1, .reg = EVC_ECX, .value = (bits)                                                   \
	}
#define ONE_EDX(bits)                                                                                        \
	{                                                                                                    \
		.leaf = 1, .reg = EVC_EDX, .value = (bits)                                                   \
	}
#define SEVEN_EBX(bits)                                                                                      \
	{                                                                                                    \
		.leaf = 7, .reg = EVC_EBX, .value = (bits)                                                   \
	}
#define SEVEN_ECX(bits)                                                                                      \
	{                                                                                                    \
		.leaf = 7, .reg = EVC_ECX, .value = (bits)                                                   \
	}
#define SEVEN_EDX(bits)                                                                                      \
	{                                                                                                    \
		.leaf = 7, .reg = EVC_EDX, .value = (bits)                                                   \
	}
#define XSTATE(bits, size)                                                                                   \
	{ .leaf = 0xd, .reg = EVC_EAX, .value = (bits) },                                                    \
	{                                                                                                    \
		.leaf = 0xd, .reg = EVC_ECX, .value = (size)                                                 \
	}

/* AVX's state; sizes: of the compacted form, and of the other as enabled when the dump was taken. */
#define COMPACTED(ways, compacted, then)                                                                     \
	ONE_ECX(BIT(26) | BIT(28) | BIT(31)), XSTATE(7, 832),                                                \
		{ .leaf = 0xd, .reg = EVC_EBX, .value = (then) },                                            \
		{ .leaf = 0xd, .subleaf = 2, .reg = EVC_EAX, .value = 256 },                                 \
		{ .leaf = 0xd, .subleaf = 2, .reg = EVC_EBX, .value = 576 },                                 \
		{ .leaf = 0xd, .subleaf = 1, .reg = EVC_EAX, .value = (ways) },                              \
	{                                                                                                    \
		.leaf = 0xd, .subleaf = 1, .reg = EVC_EBX, .value = (compacted)                              \
	}

/* One level: a core of two threads. */
#define TOPOLOGY                                                                                             \
	{ .leaf = 0xb, .reg = EVC_EAX, .value = 1 }, { .leaf = 0xb, .reg = EVC_EBX, .value = 2 },            \
	{                                                                                                    \
		.leaf = 0xb, .reg = EVC_ECX, .value = 0x100                                                  \
	}

enum { XSAVEC = 2, XSAVES = 8 }; /* of leaf 0xd.1 */

enum {
	HASWELL_X = 0x306f0,
	KABYLAKE_L = 0x806e9,
	ALDERLAKE_L = 0x906a3,
	RAPTORLAKE = 0xb0671,
	ROME = 0x830f10,
	MILAN = 0xa00f11,
	TURIN = 0xb00f21,
};

#define BIT(n) (UINT32_C(1) << (n))

static const struct row rows[] = {
	{ .name = "a level below 0xd takes XSAVE and what depends on it",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 12,
	  .parts = { ONE_ECX(BIT(26) | BIT(28) | BIT(12) | BIT(31)), SEVEN_EBX(BIT(5)) },
	  .gone = "xsave avx fma avx2" },
	{ .name = "AVX2 without AVX stays: only clearing propagates",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(5)) },
	  .there = "avx2",
	  .gone = "avx" },
	{ .name = "leaf 0xd without the AVX component's size costs XSAVE since 5.16",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(26) | BIT(28) | BIT(31)), XSTATE(7, 832) },
	  .gone = "xsave avx" },
	{ .name = "and before it did not",
	  .kernel = "5.10",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(26) | BIT(28) | BIT(31)), XSTATE(7, 832) },
	  .there = "xsave avx" },
	{ .name = "leaf 0xd that adds up keeps XSAVE",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(26) | BIT(28) | BIT(31)),
	             XSTATE(7, 832),
	             { .leaf = 0xd, .subleaf = 2, .reg = EVC_EAX, .value = 256 },
	             { .leaf = 0xd, .subleaf = 2, .reg = EVC_EBX, .value = 576 } },
	  .there = "xsave avx" },
	{ .name = "the compacted form adds up, too",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { COMPACTED(XSAVEC | XSAVES, 832, 832) },
	  .there = "xsave avx xsavec xsaves" },
	{ .name = "a compacted form of another size costs XSAVE",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { COMPACTED(XSAVEC | XSAVES, 896, 832) },
	  .gone = "xsave avx xsavec xsaves" },
	{ .name = "with XSAVEC alone, too",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { COMPACTED(XSAVEC, 896, 832) },
	  .gone = "xsave avx xsavec" },
	{ .name = "but not before 5.19",
	  .kernel = "5.15.0-204",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { COMPACTED(XSAVEC, 896, 832) },
	  .there = "xsave avx xsavec" },
	{ .name = "nor of a dump that was taken before all was enabled",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { COMPACTED(XSAVEC | XSAVES, 576, 576) },
	  .there = "xsave avx xsavec xsaves" },
	{ .name = "Raptor Lake without Atom cores has no rfds since the kernel tells them apart",
	  .kernel = "7.2",
	  INTEL,
	  .signature = RAPTORLAKE,
	  .level = 0x1f,
	  .parts = { { .leaf = 0x1a, .reg = EVC_EAX, .value = 0x40000000 } },
	  .gone = "rfds" },
	{ .name = "and with Atom cores only it has",
	  .kernel = "7.2",
	  INTEL,
	  .signature = RAPTORLAKE,
	  .level = 0x1f,
	  .parts = { { .leaf = 0x1a, .reg = EVC_EAX, .value = 0x20000000 } },
	  .there = "rfds" },
	{ .name = "but no leaf of core types is asked below its level",
	  .kernel = "7.2",
	  INTEL,
	  .signature = RAPTORLAKE,
	  .level = 0x16,
	  .parts = { { .leaf = 0x1a, .reg = EVC_EAX, .value = 0x20000000 } },
	  .gone = "rfds" },
	{ .name = "a hybrid CPU is taken to have all types of core",
	  .kernel = "7.2",
	  INTEL,
	  .signature = RAPTORLAKE,
	  .level = 0x1f,
	  .parts = { SEVEN_EDX(BIT(15)) },
	  .there = "rfds" },
	{ .name = "and an older kernel has it of all Raptor Lakes",
	  .kernel = "6.1",
	  INTEL,
	  .signature = RAPTORLAKE,
	  .level = 0x1f,
	  .parts = { { .leaf = 0x1a, .reg = EVC_EAX, .value = 0x40000000 } },
	  .there = "rfds" },
	{ .name = "the list names model 142 for srbds, with rdrand",
	  .kernel = "ubuntu-20.04",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(30) | BIT(31)) },
	  .there = "srbds retbleed" },
	{ .name = "and not model 63",
	  .kernel = "ubuntu-20.04",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(30) | BIT(31)) },
	  .there = "mmio_stale_data",
	  .gone = "srbds retbleed" },
	{ .name = "RSBA says that returns are affected elsewhere",
	  .kernel = "ubuntu-20.04",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EDX(BIT(29)) },
	  .settings = { "msr.0x10a=0x4" },
	  .there = "retbleed" },
	{ .name = "a register that CPUID does not announce is not read",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "msr.0x10a=0x1" },
	  .there = "cpu_meltdown l1tf pti" },
	{ .name = "RDCL_NO takes Meltdown, L1TF and page table isolation",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EDX(BIT(29)) },
	  .settings = { "msr.0x10a=0x1" },
	  .gone = "cpu_meltdown l1tf pti" },
	{ .name = "mitigations=off leaves the bug and no page table isolation",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "cmdline=quiet mitigations=off" },
	  .there = "cpu_meltdown",
	  .gone = "pti" },
	{ .name = "a guest without ITS_NO has its, whatever the model",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .there = "its bhi" },
	{ .name = "bare metal goes by the list",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .there = "vmscape",
	  .gone = "its bhi" },
	{ .name = "GDS needs AVX",
	  .kernel = "6.1",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST },
	  .gone = "gds" },
	{ .name = "Alder Lake with old microcode loses PCID, in guests too",
	  .kernel = "6.1",
	  INTEL,
	  .signature = ALDERLAKE_L,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(17) | BIT(31)), ONE_EDX(BIT(13)), SEVEN_EBX(BIT(10)) },
	  .settings = { "microcode=0x42" },
	  .there = "invpcid",
	  .gone = "pcid invpcid_single" },
	{ .name = "and keeps it with new microcode",
	  .kernel = "6.1",
	  INTEL,
	  .signature = ALDERLAKE_L,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(17) | BIT(31)), ONE_EDX(BIT(13)), SEVEN_EBX(BIT(10)) },
	  .settings = { "microcode=0x42c" },
	  .there = "pcid invpcid_single" },
	{ .name = "PCID without global pages is not used",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(17) | BIT(31)) },
	  .gone = "pcid" },
	{ .name = "Haswell's clock is constant by its model until 6.14",
	  .kernel = "6.12",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .there = "constant_tsc",
	  .gone = "nonstop_tsc" },
	{ .name = "and by CPUID alone since 6.17",
	  .kernel = "7.2",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .gone = "constant_tsc" },
	{ .name = "fast strings that are switched off take ERMS along",
	  .kernel = "5.4",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(9)) },
	  .settings = { "msr.0x1a0=0" },
	  .gone = "rep_good erms" },
	{ .name = "fast strings that are on keep both",
	  .kernel = "7.3",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(9)) },
	  .settings = { "msr.0x1a0=1" },
	  .there = "rep_good erms" },
	{ .name = "CPUID faults where both registers are readable",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "msr.0xce=0x80000000", "msr.0x140=0" },
	  .there = "cpuid_fault" },
	{ .name = "and not where one is refused",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "msr.0xce=0x80000000", "msr.0x140=fault" },
	  .gone = "cpuid_fault" },
	{ .name = "TSX is off by configuration where it can be",
	  .kernel = "6.1",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(4) | BIT(11)), SEVEN_EDX(BIT(29)) },
	  .settings = { "msr.0x10a=0x80" },
	  .there = "taa",
	  .gone = "hle rtm" },
	{ .name = "and on when asked for",
	  .kernel = "6.1",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(4) | BIT(11)), SEVEN_EDX(BIT(29)) },
	  .settings = { "msr.0x10a=0x80", "cmdline=tsx=on" },
	  .there = "hle rtm" },
	{ .name = "since 7.0 it stays on where buffers do not leak",
	  .kernel = "7.0",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(4) | BIT(11)), SEVEN_EDX(BIT(29)) },
	  .settings = { "msr.0x10a=0x180" },
	  .there = "hle rtm" },
	{ .name = "which 6.19 did not",
	  .kernel = "6.19",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(4) | BIT(11)), SEVEN_EDX(BIT(29)) },
	  .settings = { "msr.0x10a=0x180" },
	  .gone = "hle rtm" },
	{ .name = "and goes where they do",
	  .kernel = "7.0",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(4) | BIT(11)), SEVEN_EDX(BIT(29)) },
	  .settings = { "msr.0x10a=0x80" },
	  .gone = "hle rtm" },
	{ .name = "pages of five levels are an option that Debian 11 did not take",
	  .kernel = "debian-11",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(16)) },
	  .gone = "la57" },
	{ .name = "Debian 12 took it",
	  .kernel = "6.1.0-56-cloud-amd64",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(16)) },
	  .there = "la57" },
	{ .name = "and whoever builds his own kernel can",
	  .kernel = "debian-11",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(16)) },
	  .settings = { "config.5level=yes" },
	  .there = "la57" },
	{ .name = "4.15 prints the bit whatever was chosen",
	  .kernel = "ubuntu-18.04",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(16)) },
	  .there = "la57" },
	{ .name = "since 6.16 there is no choice",
	  .kernel = "7.2.13",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(16)) },
	  .settings = { "config.5level=no" },
	  .there = "la57" },
	{ .name = "AMD's leaf 0xb counts",
	  .kernel = "6.16.12",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST, TOPOLOGY },
	  .there = "xtopology" },
	{ .name = "but early 6.16 wanted TOPOEXT",
	  .kernel = "6.16.3",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST, TOPOLOGY },
	  .gone = "xtopology" },
	{ .name = "and took it with that",
	  .kernel = "6.16.3",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST, { .leaf = 0x80000001, .reg = EVC_ECX, .value = BIT(22) }, TOPOLOGY },
	  .there = "xtopology" },
	{ .name = "as Ubuntu's 6.14",
	  .kernel = "6.14",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST, TOPOLOGY },
	  .gone = "xtopology" },
	{ .name = "shadow stacks of programs are an option that Debian 13 took",
	  .kernel = "6.12.117+deb13-amd64",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(7)) },
	  .there = "user_shstk" },
	{ .name = "and that nobody has who does not ask for it",
	  .kernel = "6.18.44-fc",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(7)) },
	  .gone = "user_shstk" },
	{ .name = "protection keys are switched on by the kernel",
	  .kernel = "6.1",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(3)) },
	  .there = "pku ospke" },
	{ .name = "unless it is told not to",
	  .kernel = "6.1",
	  INTEL,
	  .signature = KABYLAKE_L,
	  .level = 13,
	  .parts = { GUEST, SEVEN_ECX(BIT(3) | BIT(4)) },
	  .settings = { "cmdline=nopku" },
	  .there = "pku",
	  .gone = "ospke" },
	{ .name = "clearcpuid takes what depends on it",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { ONE_ECX(BIT(28) | BIT(31)), SEVEN_EBX(BIT(5)) },
	  .settings = { "cmdline=clearcpuid=avx" },
	  .gone = "avx avx2" },
	{ .name = "VMware's clock is constant and reliable",
	  .kernel = "ubuntu-20.04",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "hypervisor=vmware" },
	  .there = "constant_tsc tsc_reliable",
	  .gone = "tsc_known_freq" },
	{ .name = "and of known frequency since 5.12",
	  .kernel = "5.15",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "hypervisor=vmware" },
	  .there = "tsc_known_freq" },
	{ .name = "AMD's guests are told nothing of null selectors",
	  .kernel = "6.1",
	  AMD,
	  .signature = MILAN,
	  .level = 13,
	  .parts = { GUEST },
	  .there = "null_seg sysret_ss_attrs fxsave_leak" },
	{ .name = "Zen 2 loses XSAVES on Debian's 6.1",
	  .kernel = "6.1",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST, { .leaf = 0xd, .subleaf = 1, .reg = EVC_EAX, .value = 0xf } },
	  .there = "xsavec",
	  .gone = "xsaves" },
	{ .name = "and keeps it on 6.12 with newer microcode",
	  .kernel = "6.12",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST, { .leaf = 0xd, .subleaf = 1, .reg = EVC_EAX, .value = 0xf } },
	  .settings = { "microcode=0x8301052" },
	  .there = "xsaves" },
	{ .name = "SSBD by LS_CFG where that register can be read",
	  .kernel = "6.1",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "msr.0xc0011020=0" },
	  .there = "ssbd" },
	{ .name = "and not where it is refused",
	  .kernel = "6.1",
	  AMD,
	  .signature = ROME,
	  .level = 13,
	  .parts = { GUEST },
	  .settings = { "msr.0xc0011020=fault" },
	  .gone = "ssbd" },
	{ .name = "Zen 5 with old microcode loses RDSEED on 6.12",
	  .kernel = "6.12",
	  AMD,
	  .signature = TURIN,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EBX(BIT(18)) },
	  .settings = { "microcode=0x0b002100" },
	  .gone = "rdseed" },
	{ .name = "an MSR that nobody answers for leaves what rests on it unsure",
	  .kernel = "6.1",
	  INTEL,
	  .signature = HASWELL_X,
	  .level = 13,
	  .parts = { GUEST, SEVEN_EDX(BIT(29)) },
	  .settings = { "hypervisor=other" },
	  .there = "spectre_v1",
	  .unsure = "cpu_meltdown mds pti" },
};

/* A whole leaf for each that a part names, and what every table has. */
static void make_dump(const struct row *row, struct evc_arena *arena, struct evc_dump *ret_dump)
{
	struct evc_dump_builder builder;
	uint32_t id[3];

	memcpy(id, row->vendor, sizeof(id));
	evc_dump_begin(&builder, arena);
	evc_dump_set_leaf(&builder, 0, 0, (const uint32_t[4]){ row->level, id[0], id[2], id[1] });
	for (uint32_t leaf = 1; leaf <= row->level; leaf++) {
		uint32_t value[4] = { leaf == 1 ? row->signature : 0 };

		for (uint32_t subleaf = 0; subleaf < 3; subleaf++) {
			for (unsigned i = 0; i < PARTS; i++)
				if (row->parts[i].leaf == leaf && row->parts[i].subleaf == subleaf)
					value[row->parts[i].reg] = row->parts[i].value;
			evc_dump_set_leaf(&builder, leaf, subleaf, value);
			memset(value, 0, sizeof(value));
		}
	}
	for (uint32_t leaf = 0x80000001; leaf <= 0x80000008; leaf++) {
		uint32_t value[4] = { 0 };

		for (unsigned i = 0; i < PARTS; i++)
			if (row->parts[i].leaf == leaf)
				value[row->parts[i].reg] = row->parts[i].value;
		evc_dump_set_leaf(&builder, leaf, 0, value);
	}
	evc_dump_set_leaf(&builder, 0x80000000, 0, (const uint32_t[4]){ 0x80000008 });
	evc_dump_set_leaf(&builder, 0x40000000, 0, (const uint32_t[4]){ 0x40000000, 0, 0, 0 });
	assert_int_equal(evc_dump_finish(&builder, ret_dump, NULL), 0);
}

static enum evc_truth word(const struct evc_linux_view *view, struct evc_span name)
{
	for (size_t i = 0; i < view->tree->n_flags; i++)
		if (evc_span_equals(name, view->tree->flags[i].name))
			return (enum evc_truth)evc_linux_view_flag(view, view->tree->flags[i].symbol).truth;
	for (size_t i = 0; i < view->tree->n_bugs; i++)
		if (evc_span_equals(name, view->tree->bugs[i].name))
			return (enum evc_truth)evc_linux_view_bug(view, view->tree->bugs[i].symbol).truth;
	return EVC_ABSENT;
}

static void expect(const struct evc_linux_view *view, const char *words, enum evc_truth truth)
{
	struct evc_span rest = evc_span_from(words ? words : ""), name;

	while (evc_span_word(&rest, &name))
		if (word(view, name) != truth)
			fail_msg("%.*s is %d and not %d", (int)name.length, name.text, word(view, name),
			         truth);
}

/* The causes come to what was predicted, word by word. */
static void causes_agree(const struct evc_linux_view *view, const struct evc_linux_trace *trace)
{
	for (size_t i = 0; i < view->tree->n_flags; i++)
		assert_int_equal(
			evc_linux_view_flag(view, view->tree->flags[i].symbol).truth,
			evc_linux_recompute(trace, EVC_LINUX_TARGET_FLAG, view->tree->flags[i].symbol));
	for (size_t i = 0; i < view->tree->n_bugs; i++)
		assert_int_equal(
			evc_linux_view_bug(view, view->tree->bugs[i].symbol).truth,
			evc_linux_recompute(trace, EVC_LINUX_TARGET_BUG, view->tree->bugs[i].symbol));
}

static void predicts_row(void **state)
{
	const struct row *row = *state;
	struct evc_linux_kernel kernel;
	struct evc_linux_env env = { 0 };
	struct evc_arena arena = { 0 };
	struct evc_linux_view view;
	struct evc_dump dump;
	struct evc_linux_question question;

	make_dump(row, &arena, &dump);
	assert_int_equal(evc_linux_find(evc_span_from(row->kernel), &kernel, NULL), 0);
	for (unsigned i = 0; i < SETTINGS && row->settings[i]; i++)
		assert_int_equal(evc_linux_env_set(&env, evc_span_from(row->settings[i]), NULL), 0);
	question = (struct evc_linux_question){ .tree = kernel.tree,
		                                .build = kernel.build,
		                                .built = kernel.built,
		                                .env = &env,
		                                .dump = &dump,
		                                .trace = evc_linux_trace_new(&arena) };
	evc_linux_predict(&question, &view);
	expect(&view, row->there, EVC_PRESENT);
	expect(&view, row->gone, EVC_ABSENT);
	expect(&view, row->unsure, EVC_UNSURE);
	causes_agree(&view, question.trace);
	evc_arena_free(&arena);
}

/* --- names of kernels
 * ----------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *tree;
	enum evc_linux_match match;
	bool vendors;
} kernels[] = {
	{ .name = "ubuntu-20.04", .tree = "5.4.0-139", .match = EVC_LINUX_EXACT },
	{ .name = "ubuntu-20.04:5.4.0-216", .tree = "5.4.0-216", .match = EVC_LINUX_EXACT },
	{ .name = "5.4.0-139-generic", .tree = "5.4.0-139", .match = EVC_LINUX_EXACT },
	{ .name = "5.4.0-150-generic", .tree = "5.4.0-139", .match = EVC_LINUX_SERIES },
	{ .name = "6.1.0-56-cloud-amd64", .tree = "6.1.192", .match = EVC_LINUX_SERIES },
	{ .name = "6.12.95+deb13-amd64", .tree = "6.12.117", .match = EVC_LINUX_SERIES },
	{ .name = "6.1.192", .tree = "6.1.192", .match = EVC_LINUX_EXACT },
	{ .name = "5.15", .tree = "5.15.0-204", .match = EVC_LINUX_SERIES },
	{ .name = "3.10.0-1160.el7.x86_64", .tree = "4.15.0-20", .match = EVC_LINUX_FIRST, .vendors = true },
	{ .name = "9.9", .tree = "7.3.4", .match = EVC_LINUX_OLDER },
	{ .name = "6.18.44-fc-v595", .tree = "6.18.15", .match = EVC_LINUX_SERIES },
	{ .name = "6.15.4", .tree = "6.14", .match = EVC_LINUX_OLDER },
	{ .name = "6.16.5+deb13-amd64", .tree = "6.16.3", .match = EVC_LINUX_SERIES },
	{ .name = "7.1.3", .tree = "7.1.13", .match = EVC_LINUX_SERIES },
	{ .name = "debian-13", .tree = "6.12.117", .match = EVC_LINUX_EXACT },
};

static void finds_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		struct evc_linux_kernel kernel;

		if (evc_linux_find(evc_span_from(kernels[i].name), &kernel, NULL) < 0)
			fail_msg("%s is refused", kernels[i].name);
		assert_string_equal(kernel.tree->name, kernels[i].tree);
		assert_int_equal(kernel.match, kernels[i].match);
		assert_int_equal(kernel.vendors, kernels[i].vendors);
	}
}

static void refuses_what_is_no_kernel(void **state)
{
	static const char *const names[] = { "",    "linux",          "5",     "5.",
		                             "5.x", "ubuntu-20.04:x", "999.1", "5.4garbage" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct evc_linux_kernel kernel;
		struct evc_error err = { 0 };

		if (evc_linux_find(evc_span_from(names[i]), &kernel, &err) != EVC_ERR_USAGE)
			fail_msg("%s is taken for a kernel", names[i]);
		assert_true(err.text[0]);
	}
}

static void refuses_bad_settings(void **state)
{
	static const struct {
		const char *setting, *text;
	} settings[] = {
		{ .setting = "msr.0x10a", .text = "msr.0x10a: not KEY=VALUE" },
		{ .setting = "msr.zz=1", .text = "msr.zz: not an MSR: msr.0x10a" },
		{ .setting = "tsc-khz=fast", .text = "tsc-khz=fast: not a number, decimal or 0x…" },
		{ .setting = "smp=0", .text = "smp=0: not N[,sockets=N][,cores=N][,threads=N]" },
		{ .setting = "smp=4,dies=2",
		  .text = "smp=4,dies=2: not N[,sockets=N][,cores=N][,threads=N]" },
		{ .setting = "hypervisor=none",
		  .text = "hypervisor=none: one of auto bare kvm tcg vmware hyperv xen other" },
		{ .setting = "colour=red",
		  .text = "colour: unknown; one of hypervisor msr.N cmdline config.NAME tsc-khz microcode smp" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct evc_linux_env env = { 0 };
		struct evc_error err = { 0 };

		assert_int_equal(evc_linux_env_set(&env, evc_span_from(settings[i].setting), &err),
		                 EVC_ERR_USAGE);
		assert_string_equal(err.text, settings[i].text);
	}
}

/* Within a tree places are unique, printing is in their order, and every row of a list says something. */
static void trees_are_sound(void **state)
{
	(void)state;
	for (size_t t = 0; t < evc_n_linux_trees; t++) {
		const struct evc_linux_tree *tree = &evc_linux_trees[t];

		for (size_t i = 1; i < tree->n_flags; i++)
			assert_true(tree->flags[i].place > tree->flags[i - 1].place);
		for (size_t i = 0; i < tree->n_flags; i++)
			assert_int_equal(tree->places[tree->flags[i].symbol], tree->flags[i].place);
		for (size_t i = 0; i < tree->n_affected; i++)
			assert_int_not_equal(tree->affected[i].says, 0);
		if (t)
			assert_true(tree->version >= evc_linux_trees[t - 1].version);
	}
}

/* --- the shape that the caller gives -------------------------------------------------------------------- */

/* The topology lines of one CPU: physical id, siblings, core id, cpu cores, apicid. */
static const struct shape_row {
	const char *name, *host, *kernel, *shape;
	unsigned cpu;
	int64_t lines[5];
	bool legacy, threads; /* flags cmp_legacy and ht */
	const char *cmdline;
	bool stopped; /* it is not started: no line counts */
} shapes[] = {
	{ .name = "nosmt leaves the first thread of each core",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.1.192",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=nosmt",
	  .cpu = 2,
	  .lines = { 0, 2, 1, 2, 2 },
	  .threads = true },
	{ .name = "and the second does not run",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.1.192",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=nosmt=force",
	  .cpu = 3,
	  .stopped = true,
	  .threads = true },
	{ .name = "a kernel from before the option starts it",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "4.15.0-20",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=nosmt",
	  .cpu = 3,
	  .lines = { 0, 4, 1, 2, 3 },
	  .threads = true },
	{ .name = "threads that a kernel takes for cores stay with nosmt",
	  .host = "guests/qemu-epyc-v3",
	  .kernel = "6.1.192",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=nosmt",
	  .cpu = 3,
	  .lines = { 0, 4, 3, 4, 3 },
	  .legacy = true,
	  .threads = true },
	{ .name = "mitigations=auto,nosmt stops threads of a CPU with mds",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.12",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=mitigations=auto,nosmt",
	  .cpu = 1,
	  .stopped = true,
	  .threads = true },
	{ .name = "and leaves those of Zen 4, which has no such flaw",
	  .host = "kvm-hosts/epyc-9004-guest",
	  .kernel = "6.12",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=mitigations=auto,nosmt",
	  .cpu = 1,
	  .lines = { 0, 4, 0, 2, 1 },
	  .legacy = true,
	  .threads = true },
	{ .name = "maxcpus= counts by number before 6.5",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.1.192",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=maxcpus=2",
	  .cpu = 1,
	  .lines = { 0, 2, 0, 1, 1 },
	  .threads = true },
	{ .name = "since 6.5 the first threads come first",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.8.0-151",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=maxcpus=3",
	  .cpu = 2,
	  .lines = { 0, 3, 1, 2, 2 },
	  .threads = true },
	{ .name = "unless they are started one after the other",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.8.0-151",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=maxcpus=2 cpuhp.parallel=0",
	  .cpu = 2,
	  .stopped = true,
	  .threads = true },
	{ .name = "nr_cpus= takes away the last numbers",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.12",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=nr_cpus=3",
	  .cpu = 1,
	  .lines = { 0, 3, 0, 2, 1 },
	  .threads = true },
	{ .name = "nosmp is the boot CPU alone",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.12",
	  .shape = "smp=4,cores=2,threads=2",
	  .cmdline = "cmdline=nosmp",
	  .lines = { 0, 1, 0, 1, 0 },
	  .threads = true },
	{ .name = "an AMD guest without TOPOEXT: threads are taken for cores before 6.9",
	  .host = "guests/qemu-epyc-v3",
	  .kernel = "6.1.192",
	  .shape = "smp=4,cores=2,threads=2",
	  .cpu = 3,
	  .lines = { 0, 4, 3, 4, 3 },
	  .legacy = true,
	  .threads = true },
	{ .name = "the same since 6.9, from leaf 0xb",
	  .host = "guests/qemu-epyc-v3",
	  .kernel = "7.3.4",
	  .shape = "smp=4,cores=2,threads=2",
	  .cpu = 3,
	  .lines = { 0, 4, 1, 2, 3 },
	  .legacy = true,
	  .threads = true },
	{ .name = "an AMD guest without leaf 0xb cannot say threads to any kernel",
	  .host = "guests/qemu-opteron_g3-v1",
	  .kernel = "7.3.4",
	  .shape = "smp=4,cores=2,threads=2",
	  .cpu = 2,
	  .lines = { 0, 4, 2, 4, 2 },
	  .legacy = true,
	  .threads = true },
	{ .name = "Intel's leaves 1 and 4, where there is no leaf 0xb",
	  .host = "guests/qemu-core2duo-v1",
	  .kernel = "6.1.192",
	  .shape = "smp=4,cores=2,threads=2",
	  .cpu = 2,
	  .lines = { 0, 4, 1, 2, 2 },
	  .threads = true },
	{ .name = "two sockets: the second begins with a number of its own",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.1.192",
	  .shape = "smp=6,sockets=2,cores=3",
	  .cpu = 4,
	  .lines = { 1, 3, 1, 3, 5 },
	  .threads = true },
	{ .name = "sockets of one CPU each have no threads to tell of",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.1.192",
	  .shape = "smp=2,sockets=2",
	  .cpu = 1,
	  .lines = { 1, 1, 0, 1, 1 } },
	{ .name = "cores that nobody gave are made of the rest",
	  .host = "guests/qemu-haswell-v4",
	  .kernel = "6.1.192",
	  .shape = "smp=4",
	  .cpu = 3,
	  .lines = { 0, 4, 3, 4, 3 },
	  .threads = true },
	{ .name = "a number alone leaves the layout to a dump that has one",
	  .host = "machines/intel-haswell-2xxeon-e5-2680v3",
	  .kernel = "6.1.192",
	  .shape = "smp=3",
	  .cpu = 2,
	  .lines = { 0, 3, 1, 2, 2 },
	  .threads = true },
};

static void shapes_row(void **state)
{
	static const enum evc_linux_line lines[] = { EVC_LINUX_PHYSICAL_ID, EVC_LINUX_SIBLINGS,
		                                     EVC_LINUX_CORE_ID, EVC_LINUX_CPU_CORES,
		                                     EVC_LINUX_APICID };
	const struct shape_row *row = *state;
	struct evc_linux_kernel kernel;
	struct evc_linux_env env = { 0 };
	struct evc_arena arena = { 0 };
	struct evc_linux_view view;
	struct evc_host host;

	assert_true(corpus_host(row->host, &arena, &host));
	assert_int_equal(evc_linux_find(evc_span_from(row->kernel), &kernel, NULL), 0);
	assert_int_equal(evc_linux_env_set(&env, evc_span_from(row->shape), NULL), 0);
	if (row->cmdline)
		assert_int_equal(evc_linux_env_set(&env, evc_span_from(row->cmdline), NULL), 0);
	host.n_cpus = 1;
	evc_linux_predict(&(struct evc_linux_question){ .tree = kernel.tree,
	                                                .env = &env,
	                                                .dump = &host.cpus[0],
	                                                .host = &host,
	                                                .cpu = row->cpu },
	                  &view);
	assert_int_equal(view.lines[EVC_LINUX_PROCESSOR].shown.truth,
	                 row->stopped ? EVC_ABSENT : EVC_PRESENT);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && !row->stopped; i++) {
		assert_int_equal(view.lines[lines[i]].known.truth, EVC_PRESENT);
		assert_int_equal(view.lines[lines[i]].number, row->lines[i]);
	}
	assert_int_equal(evc_linux_view_flag(&view, EVC_LINUX_F_CMP_LEGACY).truth == EVC_PRESENT,
	                 row->legacy);
	assert_int_equal(evc_linux_view_flag(&view, EVC_LINUX_F_HT).truth == EVC_PRESENT, row->threads);
	evc_arena_free(&arena);
}

int main(void)
{
	enum {
		N_ROWS = sizeof(rows) / sizeof(rows[0]),
		N_SHAPES = sizeof(shapes) / sizeof(shapes[0]),
		N_OTHERS = 4
	};
	struct CMUnitTest tests[N_ROWS + N_SHAPES + N_OTHERS] = {
		cmocka_unit_test(finds_kernels),
		cmocka_unit_test(refuses_what_is_no_kernel),
		cmocka_unit_test(refuses_bad_settings),
		cmocka_unit_test(trees_are_sound),
	};

	for (size_t i = 0; i < N_ROWS; i++)
		tests[N_OTHERS + i] = (struct CMUnitTest){ .name = rows[i].name,
			                                   .test_func = predicts_row,
			                                   .initial_state = (void *)&rows[i] };
	for (size_t i = 0; i < N_SHAPES; i++)
		tests[N_OTHERS + N_ROWS + i] = (struct CMUnitTest){ .name = shapes[i].name,
			                                            .test_func = shapes_row,
			                                            .initial_state = (void *)&shapes[i] };
	return cmocka_run_group_tests_name("core/linux", tests, NULL, NULL);
}
