/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An instruction that the CPU refuses comes back as a signal; the kernel's frame says by which
 * exception.  The handler lets the thread go on where probe_enter ends, on the stack that it had
 * when it began.  A timer does the same with an instruction that never ends.
 */
#include "guest/probe/linux.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

enum {
	RESTORER = 0x04000000,  /* SA_RESTORER, which the C library keeps to itself */
	STUCK_SECONDS = 2,      /* twice */
	SIZE_STACK = 64 * 1024, /* room for a frame with all vector and tile registers */
};

/* The kernel's own struct sigaction. */
struct action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

unsigned char probe_memory[PROBE_MEMORY] __attribute__((aligned(4096)));

static unsigned char signal_stack[SIZE_STACK] __attribute__((aligned(4096)));
static volatile int vector;
static volatile bool running, stuck;
static volatile int ticks; /* of the timer since the code began */

/* Written and read by the assembler below. */
extern uint64_t probe_stack;
uint64_t probe_stack;

uint32_t probe_enter(void (*code)(void), void *memory);
void probe_leave(void);
void probe_restore(void);

__asm__(".pushsection .text\n"
        "probe_enter:\n"
        "\tpush %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n"
        "\tmov %rsp, probe_stack(%rip)\n"
        "\tmov %rdi, %r11\n\tmov %rsi, %rdi\n"
        "\txor %eax, %eax\n\txor %ebx, %ebx\n\txor %ecx, %ecx\n\txor %edx, %edx\n"
        "\tpush $0\n\tpush $0\n" /* what code that loses its way returns to */
        "\tcall *%r11\n"
        "probe_leave:\n"
        "\tmov probe_stack(%rip), %rsp\n"
        "\tcld\n\temms\n"
        "\tpop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n"
        "\tret\n"
        "probe_restore:\n"
        "\tmov $15, %eax\n\tsyscall\n" /* rt_sigreturn */
        ".popsection\n");

/* Kernels that are none, such as gVisor's, may not tell the vector: then the signal has to do. */
static int vector_of(int number, long told)
{
	static const int usual[] = {
		[SIGTRAP] = 3, [SIGILL] = 6, [SIGBUS] = 17, [SIGFPE] = 16, [SIGSEGV] = 13
	};

	return told > 0 && told < 32 ? (int)told : usual[number];
}

static void handle(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;

	(void)info;
	/* The first tick may come right after the code began: the second one cannot. */
	if (number == SIGALRM && (!running || ++ticks < 2))
		return;
	if (number == SIGALRM)
		stuck = true;
	else
		vector = vector_of(number, frame->uc_mcontext.gregs[REG_TRAPNO]);
	frame->uc_mcontext.gregs[REG_RIP] = (long long)(uintptr_t)probe_leave;
}

void probe_catch(void)
{
	static const int numbers[] = { SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGALRM };
	const stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	const struct action action = { .handler = handle,
		                       .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART | RESTORER,
		                       .restorer = probe_restore };

	probe_call(SYS_sigaltstack, (long)&stack, 0, 0, 0);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		probe_call(SYS_rt_sigaction, numbers[i], (long)&action, 0, sizeof(action.mask));
}

/* One timer for all of it: setting it for each instruction would be most of what this program does. */
static void start_timer(void)
{
	const struct itimerval timer = { .it_interval = { .tv_sec = STUCK_SECONDS },
		                         .it_value = { .tv_sec = STUCK_SECONDS } };

	probe_call(SYS_setitimer, ITIMER_REAL, (long)&timer, 0, 0);
}

struct probe_outcome probe_run(void (*code)(void))
{
	struct probe_outcome outcome;
	static bool timed;

	if (!timed)
		start_timer();
	timed = true;
	vector = -1;
	stuck = false;
	ticks = 0;
	running = true;
	outcome.eax = probe_enter(code, probe_memory);
	running = false;
	outcome.vector = vector;
	outcome.stuck = stuck;
	return outcome;
}
