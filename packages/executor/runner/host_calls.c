/* Calls of functions of the compiler's: as compile callbacks, with slots of their own, so that neither kind waits for the other. */
#include "runner.h"

#include "futex.h"
#include "signal_mask.h"

#include <errno.h>
#include <string.h>

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

/* Posts the slot and waits for the host's decision: RELEASED or UNWIND. */
static uint32_t post_and_wait(struct farjit_host_call_slot *slot)
{
	atomic_store(&slot->state, FARJIT_HOST_CALL_POSTED);
	farjit_ring(FARJIT_BELL_HOST_CALL, (uint16_t)(slot - farjit_control->host_calls), 0);
	for (;;) {
		uint32_t state = atomic_load(&slot->state);
		if (state != FARJIT_HOST_CALL_POSTED)
			return state;
		farjit_futex_wait(&slot->state, state);
	}
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
	struct farjit_host_call_slot *slot = claim_slot();
	slot->thread_id = thread ? thread->thread_id : (uint32_t)syscall(SYS_gettid);
	slot->function = function;
	slot->argument_count = (uint32_t)argument_count;
	memcpy(&slot->words[1], &words[1], argument_count * sizeof *words);

	uint32_t decision = post_and_wait(slot);
	if (decision != FARJIT_HOST_CALL_RELEASED && decision != FARJIT_HOST_CALL_UNWIND)
		farjit_fault("a host call slot went from POSTED to %u", decision);
	words[0] = slot->words[0];
	uint32_t token = slot->token;
	atomic_store(&slot->state, FARJIT_HOST_CALL_FREE);
	farjit_restore_signals(before);
	errno = saved_errno;
	if (decision == FARJIT_HOST_CALL_UNWIND)
		farjit_fail(thread, token);
}
