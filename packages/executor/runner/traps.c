/* Traps of JIT'd code: say what happened in shared memory, then die of the signal. */
#include "runner.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int trap_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

static void describe(int signal, const siginfo_t *info, const ucontext_t *context, struct farjit_end *end)
{
	const struct farjit_thread *thread = farjit_current_thread();
	uint64_t address = (uint64_t)info->si_addr;
	bool from_kernel = info->si_code > 0;
	end->signal = signal;
	end->signal_code = info->si_code;
	end->thread_id = thread ? thread->thread_id : (uint32_t)syscall(SYS_gettid);
	end->fault_address = from_kernel ? address : 0;
	end->stack_overflow = signal == SIGSEGV && from_kernel && thread && address >= thread->guard_start &&
			      address < thread->stack_start;
	uint64_t registers[FARJIT_REGISTER_CAPACITY] = {0};
	farjit_abi_registers(context, registers);
	end->program_counter = registers[farjit_abi_places.program_counter];
	memcpy(end->registers, registers, sizeof registers);
	end->frame_count = farjit_walk_frames(thread, registers, end->frames);
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	if (!farjit_claim_end())
		farjit_wait_for_end();
	describe(signal, info, context, &farjit_control->end);
	farjit_publish_end(FARJIT_END_TRAP);
	/* What a program has not flushed is lost, as natively. */
	if (!farjit_has_program())
		farjit_flush_pending();
	/* Pending until this handler returns; then the process dies of it before it runs another instruction,
	 * also when the fault would not repeat itself. */
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigaction(signal, &standard, NULL);
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal);
}

void farjit_leave_signals_to_others(void)
{
	/*
	 * By the system call: libc's own function leaves out its own two signals. One cancels a thread, and none may cancel this
	 * one. By the other, 33, a thread that changes its user has every other one do so, and waits until it has.
	 */
	uint64_t signals = ~(UINT64_C(1) << (33 - 1));
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &signals, NULL, sizeof signals);
}

static void handle(int signal, const struct sigaction *action)
{
	if (sigaction(signal, action, NULL) != 0)
		farjit_fault("cannot handle signal %d", signal);
}

void farjit_traps_initialize(void)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	/* sigfillset would leave out libc's own two signals, one of which ends a thread: it would never say what it has begun to. */
	memset(&action.sa_mask, 0xff, sizeof action.sa_mask);
	for (size_t i = 0; i < sizeof trap_signals / sizeof trap_signals[0]; i++)
		handle(trap_signals[i], &action);
	/* Node takes a process that died of one of these for one that has ended well. */
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
		handle(signal, &action);
}
