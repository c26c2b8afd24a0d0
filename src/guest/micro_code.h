/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_MICRO_CODE_H
#define EVC_GUEST_MICRO_CODE_H

/* What guest/micro_code.S and its host agree on; read by the assembler too, so only numbers here. */

#define EVC_MICRO_END_PORT 0xe5c0 /* an OUT to it is the guest's end */

/* Places in the code, as numbers of evc_micro_places */
#define EVC_MICRO_ASK 0    /* answer a list of requests */
#define EVC_MICRO_LOOP 1   /* CPUID and nothing else */
#define EVC_MICRO_TIME 2   /* CPUID, and the cycles of each */
#define EVC_MICRO_CLOCK 3  /* the cycles of reading the clock */
#define EVC_MICRO_FAULTS 4 /* handlers of exceptions */
#define EVC_MICRO_SIZE 5   /* its end */

/* struct request of guest/micro.c */
#define EVC_MICRO_REQUEST_SIZE 32
#define EVC_MICRO_STATE 12
#define EVC_MICRO_ANSWER 16

#define EVC_MICRO_CPUID 0  /* leaf, subleaf */
#define EVC_MICRO_RDMSR 1  /* index */
#define EVC_MICRO_XGETBV 2 /* register */
#define EVC_MICRO_XSETBV 3 /* low and high half of XCR0 */
#define EVC_MICRO_CR4_OSXSAVE 4

#define EVC_MICRO_FAULTED 0x100 /* state: and the exception's number */

#endif
