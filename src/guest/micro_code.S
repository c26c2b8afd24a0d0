/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What runs inside the micro-VM, in 64-bit mode, in ring 0 or ring 3.  Position independent: it is copied
 * into the guest's memory.  Its memory, stacks and tables are made by guest/machine.c.
 *
 * micro_ask: rdi = requests (struct request of guest/micro.c), rsi = how many.  Each is executed in
 * turn; a fault is caught and told instead of an answer.
 * micro_loop: rsi times CPUID of leaf 0 and nothing else.
 * micro_time: the same, the cycles of each into the 32-bit numbers at rdi, as RDTSC before and after tells.
 * micro_clock: the same without the CPUID, so that the cost of asking the clock is known.
 * micro_faults: handlers of the exceptions 0 to 31, 16 bytes each.
 *
 * Everything ends by an OUT that the host waits for; ring 3 may execute it since the host sets its IOPL.
 */
#include "guest/micro_code.h"

#define CR4_OSXSAVE 0x40000

	.section .rodata
	.code64
	.balign 16
	.globl	evc_micro_code, evc_micro_places
	.hidden	evc_micro_code, evc_micro_places

/* In the order of guest/micro_code.h, in bytes from the beginning. */
evc_micro_places:
	.long	micro_ask - evc_micro_code, micro_loop - evc_micro_code, micro_time - evc_micro_code
	.long	micro_clock - evc_micro_code, micro_faults - evc_micro_code, micro_end - evc_micro_code

	.balign	16
evc_micro_code:

micro_ask:
	test	%rsi, %rsi
	jz	end
	xor	%r14d, %r14d		/* what a handler leaves */
	lea	answer(%rip), %r15	/* where a handler returns to */
	mov	(%rdi), %r8d
	mov	4(%rdi), %eax
	mov	8(%rdi), %ecx
	cmp	$EVC_MICRO_CPUID, %r8d
	je	ask_cpuid
	cmp	$EVC_MICRO_RDMSR, %r8d
	je	ask_rdmsr
	cmp	$EVC_MICRO_XGETBV, %r8d
	je	ask_xgetbv
	cmp	$EVC_MICRO_XSETBV, %r8d
	je	ask_xsetbv
	cmp	$EVC_MICRO_CR4_OSXSAVE, %r8d
	je	ask_cr4
	ud2

ask_cpuid:
	cpuid
	jmp	answer
ask_rdmsr:
	mov	%eax, %ecx
	xor	%ebx, %ebx
	rdmsr
	jmp	answer
ask_xgetbv:
	mov	%eax, %ecx
	xor	%ebx, %ebx
	xgetbv
	jmp	answer
ask_xsetbv:				/* XCR0 = second : first operand */
	mov	%ecx, %edx
	xor	%ecx, %ecx
	xsetbv
	jmp	answer
ask_cr4:
	mov	%cr4, %rax
	or	$CR4_OSXSAVE, %rax
	mov	%rax, %cr4
answer:
	mov	%eax, EVC_MICRO_ANSWER(%rdi)
	mov	%ebx, EVC_MICRO_ANSWER+4(%rdi)
	mov	%ecx, EVC_MICRO_ANSWER+8(%rdi)
	mov	%edx, EVC_MICRO_ANSWER+12(%rdi)
	mov	%r14d, EVC_MICRO_STATE(%rdi)
	add	$EVC_MICRO_REQUEST_SIZE, %rdi
	dec	%rsi
	jmp	micro_ask

end:
	mov	$EVC_MICRO_END_PORT, %dx
	out	%al, %dx
	jmp	end

micro_loop:
	xor	%eax, %eax
	xor	%ecx, %ecx
	cpuid
	dec	%rsi
	jnz	micro_loop
	jmp	end

micro_time:
	rdtsc
	mov	%eax, %r8d
	xor	%eax, %eax
	xor	%ecx, %ecx
	cpuid
	rdtsc
	sub	%r8d, %eax
	mov	%eax, (%rdi)
	add	$4, %rdi
	dec	%rsi
	jnz	micro_time
	jmp	end

micro_clock:
	rdtsc
	mov	%eax, %r8d
	rdtsc
	sub	%r8d, %eax
	mov	%eax, (%rdi)
	add	$4, %rdi
	dec	%rsi
	jnz	micro_clock
	jmp	end

/* The CPU pushes an error code for some exceptions; the frame that IRETQ wants lies above it. */
	.altmacro
	.macro	handler vector
	.balign	16
	.if	(1 << \vector) & 0x60227d00	/* 8, 10-14, 17, 21, 29, 30 */
	add	$8, %rsp
	.endif
	mov	$EVC_MICRO_FAULTED + \vector, %r14d
	jmp	fault
	.endm

	.balign 16
micro_faults:
	.set	vector, 0
	.rept	32
	handler	%vector
	.set	vector, vector + 1
	.endr
	.balign 16
fault:
	mov	%r15, (%rsp)
	iretq
micro_end:

	.section .note.GNU-stack, "", @progbits
