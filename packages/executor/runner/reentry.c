/* Calls out of JIT'd code: claim a slot, tell the host, wait, do what it says. */
#include "runner.h"

#include "futex.h"
#include "signal_mask.h"

#include <errno.h>
#include <time.h>

enum {
	/* The longest pause while all slots are taken: the host frees one per answer it sends. */
	LONGEST_PAUSE_NS = 5 * 1000 * 1000,
};

void __attribute__((noinline)) farjit_need_stack(void)
{
	char stack[4096];
	*(volatile char *)stack = 0;
}

long farjit_pause(long pause_ns)
{
	syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = pause_ns}, NULL);
	return pause_ns < LONGEST_PAUSE_NS ? 2 * pause_ns : pause_ns;
}

static struct farjit_reentry_slot *claim_slot(void)
{
	for (long pause_ns = FARJIT_FIRST_PAUSE_NS;; pause_ns = farjit_pause(pause_ns)) {
		for (uint32_t i = 0; i < FARJIT_REENTRY_SLOT_COUNT; i++) {
			struct farjit_reentry_slot *slot = &farjit_control->reentry[i];
			uint32_t expected = FARJIT_REENTRY_FREE;
			if (atomic_load_explicit(&slot->state, memory_order_relaxed) == FARJIT_REENTRY_FREE &&
			    atomic_compare_exchange_strong(&slot->state, &expected, FARJIT_REENTRY_CLAIMED))
				return slot;
		}
	}
}

/* For people who look inside; without a system call, as the C library reads it from what the kernel has mapped. */
static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Posts the slot and waits for the host's decision: RELEASED or UNWIND. */
static uint32_t post_and_wait(struct farjit_reentry_slot *slot)
{
	slot->posted_ns = now_ns();
	atomic_store(&slot->state, FARJIT_REENTRY_POSTED);
	farjit_ring(FARJIT_BELL_REENTER, (uint16_t)(slot - farjit_control->reentry), 0);
	for (;;) {
		uint32_t state = atomic_load(&slot->state);
		if (state != FARJIT_REENTRY_POSTED) {
			slot->landed_ns = now_ns();
			return state;
		}
		farjit_futex_wait(&slot->state, state);
	}
}

/*
 * A thread that leaves while it has a slot, by cancellation or by a signal handler of the program's that does not return,
 * would never give it back. So signals wait. Whatever is called with a slot is no cancellation point: system calls are made
 * by syscall().
 */
uint64_t farjit_reenter(uint64_t return_address)
{
	int saved_errno = errno;
	struct farjit_thread *thread = farjit_current_thread();
	farjit_need_stack();
	farjit_signals before = farjit_block_signals();
	struct farjit_reentry_slot *slot = claim_slot();
	slot->kind = FARJIT_REENTRY_COMPILE;
	slot->thread_id = thread ? thread->thread_id : (uint32_t)syscall(SYS_gettid);
	slot->return_address = return_address;

	uint32_t decision = post_and_wait(slot);
	if (decision == FARJIT_REENTRY_RELEASED) {
		uint64_t landing = slot->landing;
		atomic_store(&slot->state, FARJIT_REENTRY_FREE);
		farjit_restore_signals(before);
		errno = saved_errno;
		return landing;
	}
	if (decision != FARJIT_REENTRY_UNWIND)
		farjit_fault("a reentry slot went from POSTED to %u", decision);
	uint32_t token = slot->token;
	atomic_store(&slot->state, FARJIT_REENTRY_FREE);
	farjit_restore_signals(before);
	errno = saved_errno;
	farjit_fail(thread, token);
}

_Noreturn void farjit_fail(struct farjit_thread *thread, uint32_t token)
{
	/* What a function of the compiler's has entered fails by itself, and the function is told. */
	if (farjit_is_of_program(thread) && thread->entered_count == 0)
		farjit_end_program(token);
	farjit_unwind(thread, token);
}
