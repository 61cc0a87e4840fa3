/*
 * Thread-local variables of JIT'd code: memory in each thread at one distance from its thread pointer, which is known before
 * there is any code. A template in sealed memory, which the host writes, says what threads begin with.
 */
#include "runner.h"

#include "signal_mask.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { UNITS = FARJIT_THREAD_BYTES / FARJIT_THREAD_UNIT_BYTES };

static _Thread_local _Alignas(FARJIT_THREAD_UNIT_BYTES) unsigned char memory[FARJIT_THREAD_BYTES]
	__attribute__((tls_model("initial-exec")));

/* Of all that follows, and of the memory of threads in the list while it is written from outside. Signals wait: a handler may
 * not return, or need what the control thread does next. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Threads that JIT'd code may run on. */
static struct farjit_thread *first;
/* What no thread has to copy lies behind it: it was never filled. */
static size_t filled_bytes;

void farjit_thread_locals_initialize(void)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start = ((uint64_t)memory + page - 1) & ~(page - 1);
	uint64_t end = (uint64_t)(memory + sizeof memory) & ~(page - 1);
	if (start < end)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

uint64_t farjit_thread_offset(void)
{
	return (uint64_t)memory - farjit_abi_thread_pointer();
}

void farjit_join_threads(struct farjit_thread *thread)
{
	farjit_signals before = farjit_block_signals();
	pthread_mutex_lock(&lock);
	/* What is being written into the template now is not used yet, and will be filled when it is whole. */
	memcpy(memory, farjit_thread_template, filled_bytes);
	thread->memory = memory;
	thread->next = first;
	thread->link = &first;
	if (first)
		first->link = &thread->next;
	first = thread;
	pthread_mutex_unlock(&lock);
	farjit_restore_signals(before);
}

void farjit_leave_threads(struct farjit_thread *thread)
{
	farjit_signals before = farjit_block_signals();
	pthread_mutex_lock(&lock);
	*thread->link = thread->next;
	if (thread->next)
		thread->next->link = thread->link;
	pthread_mutex_unlock(&lock);
	farjit_restore_signals(before);
}

static void fill(size_t unit)
{
	size_t offset = unit * FARJIT_THREAD_UNIT_BYTES;
	for (struct farjit_thread *thread = first; thread; thread = thread->next)
		memcpy(thread->memory + offset, farjit_thread_template + offset, FARJIT_THREAD_UNIT_BYTES);
	if (filled_bytes < offset + FARJIT_THREAD_UNIT_BYTES)
		filled_bytes = offset + FARJIT_THREAD_UNIT_BYTES;
}

void farjit_fill_threads(void)
{
	farjit_signals before = farjit_block_signals();
	pthread_mutex_lock(&lock);
	for (size_t unit = 0; unit < UNITS; unit++)
		if (farjit_control->thread_units[unit / 32] >> unit % 32 & 1)
			fill(unit);
	pthread_mutex_unlock(&lock);
	farjit_restore_signals(before);
}
