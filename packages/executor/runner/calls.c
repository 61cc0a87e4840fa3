/* Calls into JIT'd code: one worker thread per call slot. */
#include "runner.h"

#include "futex.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void wait_until_posted(struct farjit_call_slot *slot)
{
	for (;;) {
		uint32_t state = atomic_load(&slot->state);
		if (state == FARJIT_CALL_POSTED)
			return;
		farjit_futex_wait(&slot->state, state);
	}
}

static void run_call(struct farjit_thread *worker, struct farjit_call_slot *slot)
{
	atomic_store(&slot->state, FARJIT_CALL_RUNNING);
	sigset_t blocked;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	uint64_t ignored;
	bool returned = farjit_run_bounded(worker, (farjit_entry *)slot->entry, slot->block, &ignored);
	if (!returned) {
		slot->token = worker->unwind_token;
		/* It may have been in a signal handler, which blocks signals until it returns. */
		pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	}
	if (farjit_has_host_call())
		farjit_fault("a call has left another by a jump that a function of the compiler's has made in it");
	/* Before the bell: the host drains the pipe when it hears it. */
	fflush(stdout);
	atomic_store(&slot->state, returned ? FARJIT_CALL_RETURNED : FARJIT_CALL_UNWOUND);
	farjit_ring(FARJIT_BELL_CALL_DONE, (uint16_t)worker->call_slot, 0);
}

static void fail_call(struct farjit_call_slot *slot, uint32_t token)
{
	uint32_t running = FARJIT_CALL_RUNNING;
	slot->token = token;
	/* Without a bell: who hears of it must not find a runner that is about to end. */
	atomic_compare_exchange_strong(&slot->state, &running, FARJIT_CALL_FAILED);
}

void farjit_fail_calls(uint32_t number, uint32_t token)
{
	static atomic_bool has_failed;
	if (atomic_exchange(&has_failed, true))
		farjit_wait_for_end();
	/* Who has the lock may wait for ever. */
	if (ftrylockfile(stdout) == 0) {
		fflush(stdout);
		funlockfile(stdout);
	}
	for (uint32_t i = 0; i < FARJIT_CALL_SLOT_COUNT; i++)
		if (number == i || number == FARJIT_NO_CALL_SLOT)
			fail_call(&farjit_control->calls[i], token);
}

static void *worker_main(void *argument)
{
	struct farjit_thread *worker = argument;
	struct farjit_call_slot *slot = &farjit_control->calls[worker->call_slot];
	worker->thread_id = (uint32_t)syscall(SYS_gettid);
	farjit_set_current_thread(worker);
	farjit_use_signal_stack(worker->signal_stack);
	slot->thread_id = worker->thread_id;
	/* The host may post the first call before this thread exists. */
	uint32_t expected = FARJIT_CALL_NO_WORKER;
	atomic_compare_exchange_strong(&slot->state, &expected, FARJIT_CALL_IDLE);
	for (;;) {
		wait_until_posted(slot);
		run_call(worker, slot);
	}
	return NULL;
}

/* Stack with its guard below, from one map. */
static void make_stack(struct farjit_thread *worker)
{
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t bytes = farjit_control->header.thread_stack_bytes;
	if (bytes < (uintptr_t)PTHREAD_STACK_MIN)
		bytes = (uintptr_t)PTHREAD_STACK_MIN;
	/* libc keeps thread-local memory at its end. */
	bytes = (bytes + FARJIT_THREAD_BYTES + page_bytes - 1) & ~(page_bytes - 1);
	char *map = mmap(NULL, FARJIT_STACK_GUARD_BYTES + bytes, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (map == MAP_FAILED || mprotect(map + FARJIT_STACK_GUARD_BYTES, bytes, PROT_READ | PROT_WRITE) != 0) {
		farjit_note_refused_memory(FARJIT_STACK_GUARD_BYTES + bytes);
		farjit_fault("no memory for the stack of call slot %u: %s", worker->call_slot, strerror(errno));
	}
	worker->guard_start = (uintptr_t)map;
	worker->stack_start = worker->guard_start + FARJIT_STACK_GUARD_BYTES;
	worker->stack_end = worker->stack_start + bytes;
}

void farjit_spawn_worker(uint32_t slot)
{
	if (slot >= FARJIT_CALL_SLOT_COUNT)
		farjit_fault("there is no call slot %u", slot);
	struct farjit_thread *worker = calloc(1, sizeof *worker);
	if (!worker || !(worker->signal_stack = farjit_make_signal_stack()))
		farjit_fault("no memory for the worker of call slot %u", slot);
	worker->call_slot = slot;
	make_stack(worker);

	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t none;
	sigemptyset(&none);
	pthread_attr_init(&attributes);
	pthread_attr_setsigmask_np(&attributes, &none);
	pthread_attr_setstack(&attributes, (void *)worker->stack_start, worker->stack_end - worker->stack_start);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	int error = farjit_start_thread(&thread, &attributes, worker_main, worker);
	pthread_attr_destroy(&attributes);
	if (error != 0)
		farjit_fault("cannot start the worker of call slot %u: %s", slot, strerror(error));
}
