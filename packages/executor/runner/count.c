/* Counts what a function does, and says once when that is much. */
#include "runner.h"

#include "signal_mask.h"

#include <errno.h>

/* However many counters get there, there is one bell for the host to hear, and the bits of each counter. A thread that left in
 * between, by asynchronous cancellation or by a signal handler that does not return, would keep all others from ringing: so
 * signals wait. */
static void __attribute__((noinline, cold)) tell_hot(const _Atomic uint32_t *counter, uintptr_t page)
{
	_Atomic uint32_t *bits = (_Atomic uint32_t *)(page + FARJIT_HOT_BITS_OFFSET);
	uintptr_t word = ((uintptr_t)counter - page) / sizeof *counter;
	uintptr_t page_number = (page - farjit_data_start) / FARJIT_COUNTER_PAGE_BYTES;
	/* Hostile code may count anywhere. */
	if (page_number >= FARJIT_DATA_PAGES)
		return;
	int saved_errno = errno;
	farjit_signals before = farjit_block_signals();
	atomic_fetch_or(&bits[word / 32], UINT32_C(1) << word % 32);
	atomic_fetch_or(&farjit_control->hot_pages[page_number / 32], UINT32_C(1) << page_number % 32);
	if (atomic_exchange(&farjit_control->hot_pending, 1) == 0)
		farjit_ring(FARJIT_BELL_HOT, 0, 0);
	farjit_restore_signals(before);
	errno = saved_errno;
}

/*
 * Threads count without a locked instruction, so counts get lost when they come together. The threshold is not: each
 * store is one more than what that thread has loaded, so the first store of the threshold is found by who makes it.
 */
void farjit_count(_Atomic uint32_t *counter)
{
	uint32_t count = atomic_load_explicit(counter, memory_order_relaxed) + 1;
	atomic_store_explicit(counter, count, memory_order_relaxed);
	uintptr_t page = (uintptr_t)counter & ~(uintptr_t)(FARJIT_COUNTER_PAGE_BYTES - 1);
	if (count == *(const uint32_t *)page)
		tell_hot(counter, page);
}
