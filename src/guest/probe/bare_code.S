/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bare guest's beginning, and its ways between the rings.
 *
 * It is started as Xen's PVH guests are, by the address in a note: in 32-bit mode with flat segments and without
 * paging.  4 MiB are mapped one to one, for ring 3 too: there is nothing to protect.
 *
 * bare_enter executes code that may not exist.  Every exception ends at bare_leave, which is the way back from
 * bare_enter on the stack that it had, so no frame of an exception matters.
 */
#include "guest/probe/bare.h"

#define CR0_PG_NE_MP_PE 0x80000023
#define CR0_TS_EM 0xc
#define CR4_PAE 0x20
#define EFER 0xc0000080
#define EFER_LME 0x100
#define FLAGS_IF 0x202
#define PAGE_TABLE 7	/* present, writable, for all rings */
#define PAGE_LARGE 0x87

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18	/* XEN_ELFNOTE_PHYS32_ENTRY @linux:include/xen/interface/elfnote.h */
	.asciz	"Xen"
	.quad	bare_start

	.text
	.code32
	.globl	bare_start
bare_start:
	cli
	cld
	mov	$stack_end, %esp
	lgdt	gdt_pointer
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	and	$~CR0_TS_EM, %eax
	or	$CR0_PG_NE_MP_PE, %eax
	mov	%eax, %cr0
	ljmp	$BARE_KERNEL_CODE, $start_64

	.code64
start_64:
	mov	$BARE_KERNEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	/* The address of the task state lies in pieces in its descriptor. */
	mov	$task, %eax
	mov	%ax, gdt + BARE_TASK + 2
	shr	$16, %eax
	mov	%al, gdt + BARE_TASK + 4
	mov	%ah, gdt + BARE_TASK + 7
	mov	$BARE_TASK, %eax
	ltr	%ax
	call	bare_main
	/* An exception without handlers ends the guest: QEMU was told not to begin again. */
	lidt	no_handlers
	int3

/* uint32_t bare_enter(void (*code)(void), void *memory, bool user): EAX after it */
	.globl	bare_enter, bare_leave
bare_enter:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, stack_before(%rip)
	mov	%rdi, %r11
	mov	%rsi, %rdi
	test	%edx, %edx
	jz	in_kernel
	movq	$user_end, user_stack_end - 24
	pushq	$BARE_USER_DATA
	pushq	$user_stack_end - 24
	pushq	$FLAGS_IF
	pushq	$BARE_USER_CODE
	push	%r11
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	iretq
in_kernel:
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	push	%rax	/* the ABI's alignment */
	call	*%r11
bare_leave:
	mov	stack_before(%rip), %rsp
	cld
	emms
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* Where code in ring 3 returns to. */
user_end:
	int	$BARE_EXIT

	.balign	BARE_HANDLER_SIZE
	.globl	bare_exceptions, bare_tick, bare_ignore
bare_exceptions:
	.set	vector, 0
	.rept	BARE_N_EXCEPTIONS
	.balign	BARE_HANDLER_SIZE
	movl	$vector, bare_vector(%rip)
	jmp	bare_leave
	.set	vector, vector + 1
	.endr

/* The timer, while ring 3 executes something: what does not end is left after a while. */
bare_tick:
	push	%rax
	mov	$0x20, %al
	out	%al, $0x20
	pop	%rax
	incl	bare_ticks(%rip)
	cmpl	$BARE_STUCK_TICKS, bare_ticks(%rip)
	jae	bare_leave
bare_ignore:
	iretq

	.data
	.balign	4096
pml4:	.quad	pdpt + PAGE_TABLE
	.balign	4096
pdpt:	.quad	directory + PAGE_TABLE
	.balign	4096
directory:
	.quad	PAGE_LARGE, 0x200000 + PAGE_LARGE
	.balign	4096

	.balign	16
gdt:	.quad	0
	.quad	0x00209b0000000000	/* ring 0: code, data */
	.quad	0x0000930000000000
	.quad	0x0020fb0000000000	/* ring 3 */
	.quad	0x0000f30000000000
	.quad	0x0000890000000067	/* task state of 104 bytes; its address is filled in */
	.quad	0
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
	.balign	8
no_handlers:
	.word	0
	.quad	0
	.balign	16
task:	.long	0
	.quad	fault_stack_end		/* ring 0's stack for what ring 3 runs into */
	.fill	92, 1, 0

	.bss
	.balign	16
	.skip	16384
stack_end:
	.skip	4096
fault_stack_end:
	.skip	4096
user_stack_end:
stack_before:
	.skip	8

	.section .note.GNU-stack, "", @progbits
