/* Calls of functions of the compiler's: as compile callbacks, with slots of their own, so that neither kind waits for the other. */
#include "runner.h"

#include "futex.h"
#include "signal_mask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of the thread, while a call of its own has not ended. One is enough: a call in a call, which the compiler has entered meanwhile,
 * is made in the same slot, so that threads that wait for a slot have none. */
static _Thread_local struct farjit_host_call_slot *own_slot __attribute__((tls_model("initial-exec")));

bool farjit_has_host_call(void)
{
	return own_slot;
}

static struct farjit_host_call_slot *claim_slot(void)
{
	for (long pause_ns = FARJIT_FIRST_PAUSE_NS;; pause_ns = farjit_pause(pause_ns)) {
		for (uint32_t i = 0; i < FARJIT_HOST_CALL_SLOT_COUNT; i++) {
			struct farjit_host_call_slot *slot = &farjit_control->host_calls[i];
			uint32_t expected = FARJIT_HOST_CALL_FREE;
			if (atomic_load_explicit(&slot->state, memory_order_relaxed) == FARJIT_HOST_CALL_FREE &&
			    atomic_compare_exchange_strong(&slot->state, &expected, FARJIT_HOST_CALL_CLAIMED))
				return slot;
		}
	}
}

/* Tells the host of the slot's new state and waits for its decision. */
static uint32_t post_and_wait(struct farjit_host_call_slot *slot, uint32_t posted)
{
	atomic_store(&slot->state, posted);
	farjit_ring(FARJIT_BELL_HOST_CALL, (uint16_t)(slot - farjit_control->host_calls), 0);
	for (;;) {
		uint32_t state = atomic_load(&slot->state);
		if (state != posted)
			return state;
		farjit_futex_wait(&slot->state, state);
	}
}

/* Runs what the function that the thread waits for calls. Signals come meanwhile, as in any call. Answers the state to post. */
static uint32_t run_entered(struct farjit_host_call_slot *slot, struct farjit_thread *thread, farjit_signals before)
{
	uint64_t ignored;
	farjit_entry *entry = (farjit_entry *)slot->entry;
	void *argument = (void *)slot->argument;
	if (!thread)
		farjit_fault("the host has entered a thread that is not the runner's");
	atomic_store(&slot->state, FARJIT_HOST_CALL_ENTERED);
	farjit_restore_signals(before);
	thread->entered_count++;
	bool returned = farjit_run_bounded(thread, entry, argument, &ignored);
	thread->entered_count--;
	/* Before the bell, as at the end of a call. */
	fflush(stdout);
	farjit_block_signals();
	slot->token = thread->unwind_token;
	return returned ? FARJIT_HOST_CALL_RETURNED : FARJIT_HOST_CALL_UNWOUND;
}

/* Signals wait while it has a slot: see farjit_reenter. */
void farjit_call_host(uint64_t function, uint64_t *words, uint64_t argument_count)
{
	int saved_errno = errno;
	struct farjit_thread *thread = farjit_current_thread();
	if (argument_count >= FARJIT_HOST_CALL_WORDS)
		farjit_fault("a call of function %llu of the compiler's has %llu arguments", (unsigned long long)function,
			     (unsigned long long)argument_count);
	farjit_need_stack();
	farjit_signals before = farjit_block_signals();
	bool is_in_other = own_slot;
	struct farjit_host_call_slot *slot = is_in_other ? own_slot : claim_slot();
	own_slot = slot;
	slot->thread_id = thread ? thread->thread_id : (uint32_t)syscall(SYS_gettid);
	slot->function = function;
	slot->argument_count = (uint32_t)argument_count;
	memcpy(&slot->words[1], &words[1], argument_count * sizeof *words);

	uint32_t decision = post_and_wait(slot, FARJIT_HOST_CALL_POSTED);
	while (decision == FARJIT_HOST_CALL_ENTER)
		decision = post_and_wait(slot, run_entered(slot, thread, before));
	if (decision != FARJIT_HOST_CALL_RELEASED && decision != FARJIT_HOST_CALL_UNWIND)
		farjit_fault("a host call slot went to state %u", decision);
	words[0] = slot->words[0];
	uint32_t token = slot->token;
	if (!is_in_other)
		own_slot = NULL;
	atomic_store(&slot->state, is_in_other ? FARJIT_HOST_CALL_ENTERED : FARJIT_HOST_CALL_FREE);
	farjit_restore_signals(before);
	errno = saved_errno;
	if (decision == FARJIT_HOST_CALL_UNWIND)
		farjit_fail(thread, token);
}
