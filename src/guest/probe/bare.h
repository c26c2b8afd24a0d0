/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_PROBE_BARE_H
#define EVC_GUEST_PROBE_BARE_H

/* What bare.c and bare_code.S agree on; read by the assembler too, so only numbers here. */

#define BARE_KERNEL_CODE 0x08
#define BARE_KERNEL_DATA 0x10
#define BARE_USER_CODE 0x1b /* selectors of ring 3 have it in them */
#define BARE_USER_DATA 0x23
#define BARE_TASK 0x28

#define BARE_N_EXCEPTIONS 32
#define BARE_HANDLER_SIZE 16
#define BARE_TIMER 0x20 /* and the vectors up to 0x2f are the interrupt controllers' */
#define BARE_N_INTERRUPTS 16
#define BARE_EXIT 0x80 /* ring 3 has come to its end */
#define BARE_N_VECTORS 0x81

#define BARE_CONSOLE 0xe9   /* QEMU's debug console: bytes that are written to it come out at once */
#define BARE_STUCK_TICKS 55 /* 3 s of the timer that PC firmware leaves on, 18.2 a second */

#endif
