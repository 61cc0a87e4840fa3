/* Counts what a function does, and says once when that is much. */
#include "runner.h"

#include <errno.h>

static void __attribute__((noinline, cold)) ring_hot(const _Atomic uint32_t *counter)
{
	int saved_errno = errno;
	/* Nonsense from hostile code becomes an offset that the host refuses. */
	farjit_ring(FARJIT_BELL_HOT, 0, (uint32_t)((uintptr_t)counter - farjit_data_start));
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
		ring_hot(counter);
}
