/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every oddity of a form that was met in real files, and every kind of damage, a row each. */
#include "text/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define REGS(a, b, c, d) "eax=0x" a " ebx=0x" b " ecx=0x" c " edx=0x" d "\n"
#define LEAF0 "   0x00000000 0x00: " REGS("0000000d", "756e6547", "6c65746e", "49656e69")
#define JSON0 "{\"openevc\": 1, \"cpus\": [{\"leaves\": {\"0.0\": \"d 1 2 3\""
#define XML0 "<cpudata arch='x86'>\n <cpuid eax_in='0' ecx_in='0' eax='0xd' ebx='1' ecx='2' edx='3'/>\n"
#define AIDA0 "CPUID 00000000: 0000000D-756E6547-6C65746E-49656E69 [GenuineIntel]\n"
#define DASHES "--------------------------------------------------------------------------------\n"

/* A good text: one place in it. */
struct good {
	const char *name, *text, *format;
	size_t n_hosts, n_cpus; /* kinds of CPU of the first host */
	size_t cpu;             /* where to look */
	uint32_t leaf, subleaf;
	enum evc_reg reg;
	uint64_t value;
	uint32_t n_alike; /* of that CPU, 0: 1 */
	bool unknown;
};

static const struct good goods[] = {
	{ .name = "cpuid: a leaf and a subleaf",
	  .text = "CPU 0:\n" LEAF0 "   0x00000007 0x01: " REGS("1", "2", "3", "4"),
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 7,
	  .subleaf = 1,
	  .reg = EVC_EDX,
	  .value = 4 },
	{ .name = "cpuid: no CPU line",
	  .text = LEAF0,
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "cpuid: CPU line without number",
	  .text = "CPU:\n" LEAF0,
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "cpuid: the old form numbers subleaves by their order",
	  .text = "CPU 0:\n 0x0: " REGS("d", "1", "2", "3") " 0x4: " REGS("121", "1", "2", "3") " 0x4: " REGS(
		  "122", "5", "6", "7") " 0x5: " REGS("1", "1", "1", "1") " 0x4: " REGS("9", "9", "9", "9"),
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 4,
	  .subleaf = 1,
	  .reg = EVC_EBX,
	  .value = 5 },
	{ .name = "cpuid: carriage returns and a byte order mark",
	  .text = "\xef\xbb\xbf"
	          "CPU 0:\r\n   0x00000000 0x00: eax=0xd ebx=0x1 ecx=0x2 edx=0x3\r\n",
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EDX,
	  .value = 3 },
	{ .name = "cpuid: quoted in a mail and wrapped before edx",
	  .text = "> CPU 0:\n> >  0x00000000 0x00: eax=0xd ebx=0x1 ecx=0x2\n> > edx=0x3\n",
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EDX,
	  .value = 3 },
	{ .name = "cpuid: blank lines and remarks between",
	  .text = "# made by me\n\nCPU 0:\n\nHello,\n" LEAF0 "-- \nme\n",
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "cpuid: upper case names",
	  .text = "CPU 0:\n 0x0 0x0: EAX=0xD EBX=0x1 ECX=0x2 EDX=0x3 trailing\n",
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "cpuid: a leaf above the highest is not believed",
	  .text = "CPU 0:\n" LEAF0
	          "   0x0000001b 0x00: " REGS("ffffffff", "ffffffff", "ffffffff", "ffffffff"),
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0x1b,
	  .reg = EVC_EAX,
	  .value = 0 },
	{ .name = "cpuid: CPUs that differ in their APIC id are of one kind",
	  .text = "CPU 0:\n" LEAF0 " 0x1 0x0: " REGS(
		  "1", "00000800", "3", "4") "CPU 1:\n" LEAF0 " 0x1 0x0: " REGS("1", "01000800", "3", "4"),
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 1,
	  .reg = EVC_EBX,
	  .value = 0x800,
	  .n_alike = 2 },
	{ .name = "cpuid: hybrid CPUs are of two kinds",
	  .text = "CPU 0:\n" LEAF0 " 0x7 0x0: " REGS("0", "1", "3", "4") "CPU 1:\n" LEAF0 " 0x7 0x0: " REGS(
		  "0", "2", "3", "4"),
	  .format = "cpuid",
	  .n_hosts = 1,
	  .n_cpus = 2,
	  .cpu = 1,
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .value = 2 },
	{ .name = "cpuid: many hosts by name",
	  .text = "HOST web1\nCPU 0:\n" LEAF0 "HOST web 2\n" LEAF0,
	  .format = "cpuid",
	  .n_hosts = 2,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "cpuid: a CPU number that comes again begins another host",
	  .text = "CPU 0:\n" LEAF0 "CPU 1:\n" LEAF0 "CPU 0:\n" LEAF0,
	  .format = "cpuid",
	  .n_hosts = 2,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd,
	  .n_alike = 2 },
	{ .name = "aida64: subleaves are hexadecimal",
	  .text = "------[ CPUID Registers / Logical CPU #0 ]------\n\nallcpu: Package 0 / Core 0 / Thread 0: Valid\n\n" AIDA0
	          "CPUID 0000000D: 00000008-00000000-00000001-00000000 [SL 0A]\n",
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0xd,
	  .subleaf = 10,
	  .reg = EVC_EAX,
	  .value = 8 },
	{ .name = "aida64: lines in a row without SL are subleaves",
	  .text = "CPUID Registers (CPU #1):\n" AIDA0 "CPUID 00000004: 00000121-00000001-00000000-00000000\n"
	          "CPUID 00000004: 00000122-00000005-00000000-00000000\n",
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 4,
	  .subleaf = 1,
	  .reg = EVC_EBX,
	  .value = 5 },
	{ .name = "aida64: a tab, no colon",
	  .text = "CPUID 00000000  \t0000000D-756E6547-6C65746E-49656E69\r\n",
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "aida64: a colon apart, blanks between",
	  .text = "CPUID 00000000 : 0000000D 756E6547 6C65746E 49656E69\n",
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EBX,
	  .value = 0x756e6547 },
	{ .name = "aida64: two headings, the second thread under the number of the first",
	  .text = "CPUID Registers (CPU #1):\n" AIDA0 "CPUID Registers (CPU #1 Virtual):\n" AIDA0,
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd,
	  .n_alike = 2 },
	{ .name = "aida64: the heading with an affinity mask",
	  .text = "CPU#000 AffMask: 0x0000000000000001\n" AIDA0 "CPU#001 AffMask: 0x0000000000000002\n" AIDA0,
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd,
	  .n_alike = 2 },
	{ .name = "aida64: MSRs of the section behind the CPUs",
	  .text = "------[ Logical CPU #0 ]------\n" AIDA0 "------[ MSR Registers / Logical CPU #0 ]------\n"
	          "MSR 0000010A: 0000-0000-0088-FD6B [RDCL_NO]\nMSR 00000140: < FAILED >\n",
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0x10a,
	  .reg = EVC_MSR,
	  .value = 0x88fd6b },
	{ .name = "aida64: an MSR that failed is unknown",
	  .text = AIDA0 "MSR 00000140: < FAILED >\n",
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0x140,
	  .reg = EVC_MSR,
	  .unknown = true },
	{ .name = "aida64: other words behind CPUID are not registers",
	  .text = "CPUID Manufacturer  GenuineIntel\n" AIDA0,
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "aida64: what libcpuid expects is not read",
	  .text = AIDA0 DASHES "CPUID 00000000: 00000001-00000000-00000000-00000000\n",
	  .format = "aida64",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "libcpuid: indices are decimal, arrays of subleaves",
	  .text = "version=0.8.2\n\n____ Logical CPU #0 ____\nbasic_cpuid[0]=00000020 1 2 3\n"
	          "basic_cpuid[11]=00000001 00000002 00000100 00000000\nintel_fn4[2]=00000143 00000007 0 0\n",
	  .format = "libcpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 4,
	  .subleaf = 2,
	  .reg = EVC_EBX,
	  .value = 7 },
	{ .name = "libcpuid: subleaves that the form has no place for are unknown",
	  .text = "basic_cpuid[0]=0000000d 1 2 3\nbasic_cpuid[7]=00000001 1 2 3\n",
	  .format = "libcpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 7,
	  .subleaf = 1,
	  .reg = EVC_EAX,
	  .unknown = true },
	{ .name = "libcpuid: what it expects is not read",
	  .text = "basic_cpuid[0]=0000000d 1 2 3\n" DASHES "x86\nbasic_cpuid[0]=00000001 1 2 3\n",
	  .format = "libcpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "kcpuid: subleaves are decimal",
	  .text = "Standard Leafs :\n================\n0x00000000: EAX=0x0000000d, EBX=0x1, ECX=0x2, EDX=0x3\n"
	          "0x0000000d: subleafs:\n  0: EAX=0x00000007, EBX=0x1, ECX=0x2, EDX=0x3\n"
	          " 11: EAX=0x00000010, EBX=0x0, ECX=0x1, EDX=0x0\n\nExtended Leafs :\n================\n",
	  .format = "kcpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0xd,
	  .subleaf = 11,
	  .reg = EVC_EAX,
	  .value = 16 },
	{ .name = "kcpuid: a leaf that is left out is zero",
	  .text = "0x00000000: EAX=0x0000000d, EBX=0x1, ECX=0x2, EDX=0x3\n",
	  .format = "kcpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 7,
	  .reg = EVC_EBX,
	  .value = 0 },
	{ .name = "kcpuid: a subleaf that it does not ask for is unknown",
	  .text = "0x00000000: EAX=0x00000024, EBX=0x1, ECX=0x2, EDX=0x3\n0x00000005: ...\n"
	          "0x00000024: EAX=0x00000001, EBX=0x2, ECX=0x0, EDX=0x0\n",
	  .format = "kcpuid",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0x24,
	  .subleaf = 1,
	  .reg = EVC_ECX,
	  .unknown = true },
	{ .name = "libvirt: a leaf in quotes of both kinds",
	  .text = "<!-- Xeon\xae -->\n" XML0
	          " <cpuid eax_in=\"0x7\" ecx_in=\"0x1\" eax='5' ebx='1' ecx='2' edx='3'/>\n</cpudata>\n",
	  .format = "libvirt",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 7,
	  .subleaf = 1,
	  .reg = EVC_EAX,
	  .value = 5 },
	{ .name = "probe: an MSR, among what a kernel and other sections say",
	  .text = "[    0.1] Linux\n--- cpuid\nCPU 0:\n   0x00000000 0x00: eax=0x00000001 ebx=0x0 ecx=0x0 edx=0x0\n"
	          "--- cpuinfo\nprocessor\t: 0\nflags\t\t: fpu\n--- msr\ncpu 0 0x10a 0x2b\ncpu 0 0x140 faults\n"
	          "--- end\n",
	  .format = "probe",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0x10a,
	  .reg = EVC_MSR,
	  .value = 0x2b },
	{ .name = "libvirt: an MSR",
	  .text = XML0 " <msr index='0x10a' edx='0x1' eax='0x0000002b'/>\n</cpudata>\n",
	  .format = "libvirt",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 0x10a,
	  .reg = EVC_MSR,
	  .value = 0x10000002b },
	{ .name = "libvirt: the old form with function",
	  .text = "<cpudata arch='x86'><cpuid function='0x0' eax='0xd' ebx='1' ecx='2' edx='3'/></cpudata>",
	  .format = "libvirt",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "libvirt: a register that is not given is unknown",
	  .text = "<cpudata arch='x86'><cpuid eax_in='0' ecx_in='0' eax='0xd'/></cpudata>",
	  .format = "libvirt",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EBX,
	  .unknown = true },
	{ .name = "json: a register that is known in part",
	  .text = JSON0 ", \"1.0\": \"- 5/7 0 0\"}}]}",
	  .format = "json",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .leaf = 1,
	  .reg = EVC_EAX,
	  .unknown = true },
	{ .name = "json: members of a later version are left alone",
	  .text = "{\"later\": [1], \"openevc\": 1, \"cpus\": [{\"leaves\": {\"0.0\": \"d 1 2 3\"}, \"more\": {}}]}",
	  .format = "json",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "json: many hosts, a line each",
	  .text = JSON0 "}}]}\n" JSON0 "}}]}\n",
	  .format = "json",
	  .n_hosts = 2,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "json: many hosts without anything between",
	  .text = JSON0 "}}]}" JSON0 "}}]}",
	  .format = "json",
	  .n_hosts = 2,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd },
	{ .name = "firecracker: a fingerprint",
	  .text = "{\"kernel_version\": \"6.1\", \"guest_cpu_config\": {\"cpuid_modifiers\": [{\"leaf\": \"0x0\", "
	          "\"subleaf\": \"0x0\", \"flags\": 0, \"modifiers\": [{\"register\": \"eax\", \"bitmap\": \"0b1101\"}]}]}}",
	  .format = "firecracker",
	  .n_hosts = 1,
	  .n_cpus = 1,
	  .reg = EVC_EAX,
	  .value = 0xd,
	  .unknown = true },
};

/* A damaged text: where, and what is said. */
struct bad {
	const char *name, *text, *format;
	unsigned line, column;
	const char *message;
};

static const struct bad bads[] = {
	{ .name = "nothing", .text = "", .format = "", .message = "there is nothing in it" },
	{ .name = "blank lines", .text = " \n\t\r\n", .format = "", .message = "there is nothing in it" },
	{ .name = "another text",
	  .text = "Hello\nWorld\n",
	  .format = "",
	  .message = "not a CPUID dump of any form that evc reads" },
	{ .name = "cpuid: a heading and nothing else",
	  .text = "CPU 0:\n",
	  .format = "cpuid",
	  .line = 0,
	  .message = "no CPUID leaf in it" },
	{ .name = "cpuid: a register too long",
	  .text = "CPU 0:\n   0x00000000 0x00: eax=0x123456789 ebx=0x0 ecx=0x0 edx=0x0\n",
	  .format = "cpuid",
	  .line = 2,
	  .column = 25,
	  .message = "expected 0x and at most 8 hexadecimal digits" },
	{ .name = "cpuid: a register without digits",
	  .text = "CPU 0:\n" LEAF0 "   0x00000001 0x00: eax=0x1 ebx=zz ecx=0x0 edx=0x0\n",
	  .format = "cpuid",
	  .line = 3,
	  .column = 33,
	  .message = "expected 0x and at most 8 hexadecimal digits" },
	{ .name = "cpuid: a register missing",
	  .text = "CPU 0:\n   0x00000000 0x00: eax=0x1 ecx=0x0 edx=0x0\n",
	  .format = "cpuid",
	  .line = 2,
	  .column = 29,
	  .message = "expected ebx=0x and hexadecimal digits" },
	{ .name = "cpuid: cut within a line",
	  .text = "CPU 0:\n" LEAF0 "   0x00000001 0x00: eax=0x1 ebx=0x2",
	  .format = "cpuid",
	  .line = 3,
	  .column = 36,
	  .message = "the text ends where ecx=0x was expected" },
	{ .name = "cpuid: cut within a leaf",
	  .text = "CPU 0:\n" LEAF0 "   0x0000",
	  .format = "cpuid",
	  .line = 3,
	  .column = 10,
	  .message = "expected a leaf as 0x00000007 0x00: and its registers" },
	{ .name = "cpuid: a line that lost its front",
	  .text = "CPU 0:\n" LEAF0 "0000001 0x00: " REGS("1", "2", "3", "4"),
	  .format = "cpuid",
	  .line = 3,
	  .column = 1,
	  .message = "expected a leaf as 0x00000007 0x00: and its registers" },
	{ .name = "cpuid: a host without name",
	  .text = "CPU 0:\n" LEAF0 "HOST \n",
	  .format = "cpuid",
	  .line = 3,
	  .column = 6,
	  .message = "expected a name after HOST" },
	{ .name = "cpuid: a CPU number too large",
	  .text = "CPU 4294967296:\n" LEAF0,
	  .format = "cpuid",
	  .line = 1,
	  .column = 1,
	  .message = "expected a CPU number of at most 32 bits" },
	{ .name = "aida64: registers cut",
	  .text = AIDA0 "CPUID 00000001: 000306F2-00\n",
	  .format = "aida64",
	  .line = 2,
	  .column = 17,
	  .message = "expected a leaf and four registers as 00000007: 00000000-00000000-00000000-00000000" },
	{ .name = "aida64: a subleaf that is no number",
	  .text = AIDA0 "CPUID 00000004: 0-0-0-0 [SL zz]\n",
	  .format = "aida64",
	  .line = 2,
	  .column = 29,
	  .message = "expected a subleaf in hexadecimal after SL" },
	{ .name = "aida64: an MSR cut",
	  .text = AIDA0 "MSR 0000010A: 0000-0000-00\n",
	  .format = "aida64",
	  .line = 2,
	  .column = 27,
	  .message = "expected an MSR's value as 0000-0000-0000-0000" },
	{ .name = "libcpuid: an ARM CPU",
	  .text = "____ Logical CPU #0 ____\narm_midr=00000000414fc0f0\n",
	  .format = "libcpuid",
	  .line = 2,
	  .column = 1,
	  .message = "not an x86 CPU: expected basic_cpuid, found an ARM register" },
	{ .name = "libcpuid: an index beyond all",
	  .text = "basic_cpuid[99999]=0 0 0 0\n",
	  .format = "libcpuid",
	  .line = 1,
	  .column = 13,
	  .message = "expected a decimal index below 4096" },
	{ .name = "libcpuid: three registers",
	  .text = "basic_cpuid[0]=00000001 00000002 00000003\n",
	  .format = "libcpuid",
	  .line = 1,
	  .column = 16,
	  .message = "expected four registers of 8 hexadecimal digits" },
	{ .name = "kcpuid: a subleaf without colon",
	  .text = "0x00000007: subleafs:\n  0 EAX=0x1, EBX=0x1, ECX=0x1, EDX=0x1\n",
	  .format = "kcpuid",
	  .line = 2,
	  .column = 3,
	  .message = "expected a decimal subleaf and a colon" },
	{ .name = "kcpuid: registers cut",
	  .text = "0x00000000: EAX=0x0000000d, EBX=0x1, ECX=0x2, EDX=0x3\n0x00000001: EAX=0x1, EBX=0x2\n",
	  .format = "kcpuid",
	  .line = 2,
	  .column = 29,
	  .message = "expected subleafs: or registers as EAX=0x0, EBX=0x0, ECX=0x0, EDX=0x0" },
	{ .name = "libvirt: a number too large",
	  .text = XML0 " <cpuid eax_in='0x7' ecx_in='0' eax='0x123456789'/>\n</cpudata>\n",
	  .format = "libvirt",
	  .line = 3,
	  .column = 2,
	  .message = "expected registers with numbers of 32 bits" },
	{ .name = "libvirt: no leaf",
	  .text = XML0 " <cpuid ecx_in='0' eax='1'/>\n</cpudata>\n",
	  .format = "libvirt",
	  .line = 3,
	  .column = 2,
	  .message = "expected eax_in (or function) with a number of 32 bits" },
	{ .name = "libvirt: another architecture",
	  .text = "<cpudata arch='ppc64'/>",
	  .format = "libvirt",
	  .line = 1,
	  .column = 1,
	  .message = "not an x86 CPU: expected arch='x86'" },
	{ .name = "libvirt: an entity",
	  .text = "<!DOCTYPE a [<!ENTITY b \"c\">]>\n<cpudata arch='x86'/>",
	  .format = "libvirt",
	  .line = 1,
	  .column = 25,
	  .message = "a dump may not declare entities" },
	{ .name = "json: a CPU number twice",
	  .text = JSON0 "}}, {\"cpu\": 0, \"leaves\": {}}]}",
	  .format = "json",
	  .line = 1,
	  .column = 57,
	  .message = "expected a CPU number that was not there before" },
	{ .name = "json: cut",
	  .text = "{\"openevc\": 1,\n \"cpus\": [",
	  .format = "json",
	  .line = 2,
	  .column = 10,
	  .message = "expected JSON: ']' expected near end of file" },
	{ .name = "json: of something else",
	  .text = " {\"a\": 1}",
	  .format = "json",
	  .line = 1,
	  .column = 2,
	  .message = "expected a host with \"openevc\": 1, not other JSON" },
	{ .name = "json: newer than this program",
	  .text = "{\"openevc\": 2, \"cpus\": []}",
	  .format = "json",
	  .line = 1,
	  .column = 13,
	  .message = "a form that is newer than this evc: expected 1" },
	{ .name = "json: no CPU",
	  .text = "{\"openevc\": 1,\n \"cpus\": []}",
	  .format = "json",
	  .line = 2,
	  .column = 10,
	  .message = "expected \"cpus\", an array with at least one CPU" },
	{ .name = "json: three registers",
	  .text = JSON0 ",\n   \"1.0\": \"1 2 3\"}}]}",
	  .format = "json",
	  .line = 2,
	  .column = 11,
	  .message = "expected \"eax ebx ecx edx\", each of 1 to 8 hexadecimal digits, value/mask or -" },
	{ .name = "json: a key that is no leaf",
	  .text = JSON0 ",\n   \"avx2\": \"1 2 3 4\"}}]}",
	  .format = "json",
	  .line = 2,
	  .column = 12,
	  .message = "expected leaf.subleaf in hexadecimal before this value" },
	{ .name = "json: a leaf twice",
	  .text = JSON0 ", \"0.0\": \"d 1 2 3\"}}]}",
	  .format = "json",
	  .line = 1,
	  .column = 59,
	  .message = "expected JSON: duplicate object key near '\"0.0\"'" },
	{ .name = "json: damage in the second host",
	  .text = JSON0 "}}]}\n{\"openevc\": 1, \"cpus\": [5]}",
	  .format = "json",
	  .line = 2,
	  .column = 25,
	  .message = "expected an object with \"leaves\"" },
	{ .name = "json: a fact of the wrong kind",
	  .text = "{\"openevc\": 1, \"facts\": {\"kernel\": 6}, \"cpus\": []}",
	  .format = "json",
	  .line = 1,
	  .column = 36,
	  .message = "expected a string" },
	{ .name = "firecracker: a bitmap too long",
	  .text = "{\"cpuid_modifiers\": [{\"leaf\": \"0\", \"subleaf\": \"0\", \"modifiers\": [\n"
	          "{\"register\": \"eax\", \"bitmap\": \"0b000000000000000000000000000000000\"}]}]}",
	  .format = "firecracker",
	  .line = 2,
	  .column = 31,
	  .message = "expected 0b and at most 32 of the digits 0, 1 and x" },
};

static void reads(void **state)
{
	const struct good *row = *state;
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };
	const struct evc_dump *dump;
	uint64_t known, value;

	if (evc_hosts_read(evc_span_from(row->text), "x", &arena, &hosts, &err) < 0)
		fail_msg("line %u, column %u: %s", err.line, err.column, err.text);
	assert_string_equal(hosts.items[0].format, row->format);
	assert_int_equal(hosts.n, row->n_hosts);
	assert_int_equal(hosts.items[0].n_cpus, row->n_cpus);
	dump = &hosts.items[0].cpus[row->cpu];
	assert_int_equal(dump->n_alike, row->n_alike ? row->n_alike : 1);
	value = evc_dump_register(dump, row->leaf, row->subleaf, row->reg, &known);
	assert_int_equal(value, row->value);
	assert_int_equal(known == (row->reg == EVC_MSR ? UINT64_MAX : UINT32_MAX), !row->unknown);
	evc_arena_free(&arena);
}

static void refuses(void **state)
{
	const struct bad *row = *state;
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };

	assert_int_equal(evc_hosts_read(evc_span_from(row->text), "x", &arena, &hosts, &err), EVC_ERR_INPUT);
	assert_string_equal(err.text, row->message);
	assert_int_equal(err.line, row->line);
	assert_int_equal(err.column, row->column);
	/* whoever goes on finds a host of which nothing is known */
	assert_int_equal(hosts.items[hosts.n - 1].reading, EVC_DAMAGED);
	assert_string_equal(hosts.items[hosts.n - 1].format, row->format);
	evc_arena_free(&arena);
}

/* One more than the most that is accepted. */
static void refuses_too_many_leaves_and_cpus(void **state)
{
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };
	struct evc_sink sink = { 0 };

	(void)state;
	for (int i = 0; i <= EVC_MAX_LEAVES; i++)
		evc_sink_printf(&sink, "0x4 0x%x: " REGS("1", "2", "3", "4"), (unsigned)i);
	assert_int_equal(
		evc_hosts_read((struct evc_span){ sink.text, sink.length }, "x", &arena, &hosts, &err),
		EVC_ERR_LIMIT);
	evc_sink_clear(&sink);
	for (int i = 0; i <= EVC_MAX_CPUS; i++)
		evc_sink_printf(&sink, "CPU %d:\n" LEAF0, i);
	assert_int_equal(
		evc_hosts_read((struct evc_span){ sink.text, sink.length }, "x", &arena, &hosts, &err),
		EVC_ERR_LIMIT);
	evc_sink_free(&sink);
	evc_arena_free(&arena);
}

static void says_what_a_form_cannot_hold(void **state)
{
	static const char text[] = JSON0 ", \"1.0\": \"1/f 2 3 4\", \"7.1\": \"1 2 3 4\"}, \"alike\": 2, "
					 "\"msrs\": {\"10a\": \"1\"}}], \"facts\": {\"kernel\": \"6.1\"}}";
	static const struct {
		const char *format;
		size_t n_losses;
	} rows[] = { { "json", 0 },     { "cpuid", 4 },  { "aida64", 3 },
		     { "libcpuid", 5 }, { "kcpuid", 5 }, { "libvirt", 3 } };
	struct evc_arena arena = { 0 };
	struct evc_hosts hosts = { 0 };
	struct evc_error err = { 0 };

	(void)state;
	assert_int_equal(evc_hosts_read(evc_span_from(text), "x", &arena, &hosts, &err), EVC_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_findings findings = { .arena = &arena };
		struct evc_sink sink = { 0 };

		assert_int_equal(
			evc_format_find(rows[i].format)->write(&hosts.items[0], &sink, &findings, &err), 0);
		evc_sink_free(&sink);
		for (size_t k = 0; k < findings.n; k++)
			assert_string_equal(findings.items[k].other, rows[i].format);
		if (findings.n != rows[i].n_losses)
			fail_msg("%s: %zu losses", rows[i].format, findings.n);
	}
	evc_arena_free(&arena);
}

enum { N_GOODS = sizeof(goods) / sizeof(goods[0]), N_BADS = sizeof(bads) / sizeof(bads[0]) };

int main(void)
{
	struct CMUnitTest tests[N_GOODS + N_BADS + 2];
	size_t n = 0;

	for (size_t i = 0; i < N_GOODS; i++)
		tests[n++] = (struct CMUnitTest){ .name = goods[i].name,
			                          .test_func = reads,
			                          .initial_state = (void *)(uintptr_t)&goods[i] };
	for (size_t i = 0; i < N_BADS; i++)
		tests[n++] = (struct CMUnitTest){ .name = bads[i].name,
			                          .test_func = refuses,
			                          .initial_state = (void *)(uintptr_t)&bads[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refuses_too_many_leaves_and_cpus);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(says_what_a_form_cannot_hold);
	return cmocka_run_group_tests_name("text/formats", tests, NULL, NULL);
}
