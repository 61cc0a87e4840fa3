/* The resolver, blocked threads, and unwinding after a failed callback. More than 400 lines: cases that share what stands before them. */
#include "host.h"

#include <cpuid.h>
#include <errno.h>
#include <fenv.h>
#include <immintrin.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern const char call_c[], nest[], add_one[], compare[], start_and_reenter[];
extern const char read_mxcsr[], load_all[], load_all_return[], store_all[], store_all_area[];

/* Mirrors the offsets in payload_x86_64.S. */
struct registers {
	uint64_t trampoline;
	uint64_t level;
	uint64_t stack_pointer;
	uint64_t return_address;
	uint64_t mxcsr;
	uint64_t result[2];
	uint64_t unused;
	uint64_t general[24]; /* rdi rsi rdx rcx r8 r9 rax r10 rbx r12 r13 r14 r15 rbp r11 */
	uint64_t stack[8];
	uint64_t mask[8];
	uint64_t vector[32][8];
};

/* Sticky exception flags. */
#define MXCSR_FLAGS UINT64_C(0x3f)

enum { LEVEL_SSE, LEVEL_AVX, LEVEL_AVX512F, LEVEL_AVX512BW, GENERAL_COUNT = 15 };

static int vector_level(void)
{
	if (__builtin_cpu_supports("avx512bw"))
		return LEVEL_AVX512BW;
	if (__builtin_cpu_supports("avx512f"))
		return LEVEL_AVX512F;
	return __builtin_cpu_supports("avx") ? LEVEL_AVX : LEVEL_SSE;
}

/* A runner in which whatever reentering does spoils errno and the vector registers. */
static void open_spoilt(struct host *host)
{
	host_start(host, (struct host_options){.preloaded = "clobber.so"});
	host_expect(host, FARJIT_BELL_HELLO);
	host_confine(host, 0);
}

static void first_call_keeps_every_register(void)
{
	static const int vector_count[] = {16, 16, 32, 32}, vector_words[] = {2, 4, 8, 8};
	static const uint64_t mask_bits[] = {0, 0, 0xffff, UINT64_MAX};
	struct host host;
	open_spoilt(&host);
	struct registers *want = (struct registers *)(host.data + DATA_SCRATCH);
	struct registers *got = want + 1;
	int level = vector_level();
	printf("vector level %d\n", level);
	/* No two words of the pattern are alike, and none is zero. */
	uint64_t *words = (uint64_t *)want;
	for (size_t i = 0; i < sizeof *want / sizeof *words; i++)
		words[i] = 0x9e3779b97f4a7c15u * (i + 1);
	want->trampoline = trampoline(&host, 2);
	want->level = got->level = (uint64_t)level;
	want->mxcsr = 0x5f80; /* round up: not the default */
	want->general[0] = data_address(&host, DATA_SCRATCH + 2 * sizeof *want); /* rdi: where sret goes */
	want->general[14] = data_address(&host, DATA_SCRATCH);			  /* r11: how load_all reaches this */
	uint64_t got_address = data_address(&host, DATA_SCRATCH + sizeof *want);
	memcpy(payload_view(&host, store_all_area), &got_address, sizeof got_address);

	struct call_c *block = call_block(&host, 0);
	block->function = payload(&host, load_all);
	block->argument[0] = data_address(&host, DATA_SCRATCH);
	block->errno_location = host.errno_location;
	host_spawn(&host, 0);
	host_post(&host, 0, call_c);
	struct farjit_bell bell = host_expect(&host, FARJIT_BELL_REENTER);
	CHECK_EQUAL(host.control->reentry[bell.slot].kind, FARJIT_REENTRY_COMPILE);
	CHECK_EQUAL(host.control->reentry[bell.slot].return_address, trampoline_return(&host, 2));
	CHECK_EQUAL(host.control->reentry[bell.slot].thread_id, host.control->calls[0].thread_id);
	host_release(&host, bell.slot, payload(&host, store_all));
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK_EQUAL(host_finish(&host, 0), FARJIT_CALL_RETURNED);

	for (int i = 0; i < GENERAL_COUNT; i++)
		CHECK_EQUAL(got->general[i], want->general[i]);
	for (int i = 0; i < 8; i++) {
		CHECK_EQUAL(got->stack[i], want->stack[i]);
		if (mask_bits[level])
			CHECK_EQUAL(got->mask[i] & mask_bits[level], want->mask[i] & mask_bits[level]);
	}
	for (int i = 0; i < vector_count[level]; i++)
		for (int word = 0; word < vector_words[level]; word++)
			CHECK_EQUAL(got->vector[i][word], want->vector[i][word]);
	CHECK_EQUAL((uint32_t)got->mxcsr, (uint32_t)want->mxcsr);
	CHECK_EQUAL(got->stack_pointer, want->stack_pointer);
	CHECK_EQUAL(got->return_address, payload(&host, load_all_return));
	/* What the landing answered arrives, in rax, rdx and through the sret pointer. */
	CHECK_EQUAL(want->result[0], want->general[0]);
	CHECK_EQUAL(want->result[1], 0x1234);
	CHECK_EQUAL(*(uint64_t *)(host.data + DATA_SCRATCH + 2 * sizeof *want), 0x5e7);
	CHECK_EQUAL(host.control->reentry[bell.slot].state, FARJIT_REENTRY_FREE);
	host_close(&host);
}

static void reentry_keeps_errno(void)
{
	struct host host;
	open_spoilt(&host);
	struct call_c *block = call_block(&host, 0);
	block->function = trampoline(&host, 0);
	block->argument[0] = 1;
	block->error = EXDEV;
	block->errno_location = host.errno_location;
	host_spawn(&host, 0);
	host_post(&host, 0, call_c);
	struct farjit_bell bell = host_expect(&host, FARJIT_BELL_REENTER);
	host_release(&host, bell.slot, payload(&host, add_one));
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK_EQUAL(block->result, 2);
	CHECK_EQUAL(block->error, EXDEV);
	host_close(&host);
}

static void counting_keeps_errno(void)
{
	struct host host;
	open_spoilt(&host);
	uint32_t *page = (uint32_t *)(host.data + DATA_SCRATCH);
	page[0] = 1;
	struct call_c *block = call_block(&host, 0);
	block->function = host.control->count_function;
	block->argument[0] = data_address(&host, DATA_SCRATCH + 8);
	block->error = EXDEV;
	block->errno_location = host.errno_location;
	host_spawn(&host, 0);
	host_post(&host, 0, call_c);
	host_expect(&host, FARJIT_BELL_HOT);
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK_EQUAL(block->error, EXDEV);
	host_close(&host);
}

static void eight_threads_block_on_one_trampoline_and_are_all_released(void)
{
	enum { THREADS = 8 };
	struct host host;
	host_open(&host);
	uint16_t slots[THREADS];
	for (uint32_t i = 0; i < THREADS; i++)
		host_post_call(&host, i, trampoline(&host, 5), ARGUMENTS(100 * i));
	for (int i = 0; i < THREADS; i++)
		slots[i] = host_expect(&host, FARJIT_BELL_REENTER).slot;
	/* All blocked at the same time, each in a slot of its own, each from another call. */
	uint64_t seen_calls = 0, seen_slots = 0;
	for (int i = 0; i < THREADS; i++) {
		struct farjit_reentry_slot *slot = &host.control->reentry[slots[i]];
		CHECK_EQUAL(slot->state, FARJIT_REENTRY_POSTED);
		CHECK_EQUAL(slot->return_address, trampoline_return(&host, 5));
		seen_calls |= UINT64_C(1) << call_slot_of(&host, slot->thread_id);
		seen_slots |= UINT64_C(1) << slots[i];
	}
	CHECK_EQUAL(seen_calls, 0xff);
	CHECK_EQUAL(__builtin_popcountll(seen_slots), THREADS);

	for (int i = 0; i < THREADS; i++)
		host_release(&host, slots[i], payload(&host, add_one));
	for (int i = 0; i < THREADS; i++) {
		struct farjit_bell bell = host_expect(&host, FARJIT_BELL_CALL_DONE);
		CHECK_EQUAL(call_block(&host, bell.slot)->result, 100u * bell.slot + 1);
		CHECK_EQUAL(host_finish(&host, bell.slot), FARJIT_CALL_RETURNED);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQUAL(host.control->reentry[slots[i]].state, FARJIT_REENTRY_FREE);
	host_close(&host);
}

static void different_trampolines_are_told_apart(void)
{
	struct host host;
	host_open(&host);
	for (uint32_t i = 0; i < TRAMPOLINES; i++)
		host_post_call(&host, i, trampoline(&host, (int)i), ARGUMENTS(i));
	uint64_t seen = 0;
	uint16_t slots[TRAMPOLINES];
	for (int i = 0; i < TRAMPOLINES; i++) {
		slots[i] = host_expect(&host, FARJIT_BELL_REENTER).slot;
		struct farjit_reentry_slot *slot = &host.control->reentry[slots[i]];
		uint32_t call = call_slot_of(&host, slot->thread_id);
		CHECK(call < TRAMPOLINES);
		CHECK_EQUAL(slot->return_address, trampoline_return(&host, (int)call));
		seen |= UINT64_C(1) << call;
	}
	CHECK_EQUAL(seen, (1u << TRAMPOLINES) - 1);
	for (int i = 0; i < TRAMPOLINES; i++)
		host_release(&host, slots[i], payload(&host, add_one));
	for (int i = 0; i < TRAMPOLINES; i++)
		host_expect(&host, FARJIT_BELL_CALL_DONE);
	host_close(&host);
}

static void waits_for_a_slot_when_all_are_taken(void)
{
	struct host host;
	host_open(&host);
	for (int i = 0; i < FARJIT_REENTRY_SLOT_COUNT; i++)
		host.control->reentry[i].state = FARJIT_REENTRY_CLAIMED;
	/* What is in memory behind them looks free: the first call slot, which has no worker. */
	host_post_call(&host, 1, trampoline(&host, 0), ARGUMENTS(5));
	CHECK(!host_hears(&host, 50));
	/* The last one. */
	const uint16_t slot = FARJIT_REENTRY_SLOT_COUNT - 1;
	host.control->reentry[slot].state = FARJIT_REENTRY_FREE;
	CHECK_EQUAL(host_expect(&host, FARJIT_BELL_REENTER).slot, slot);
	host_release(&host, slot, payload(&host, add_one));
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK_EQUAL(call_block(&host, 1)->result, 6);
	host_close(&host);
}

static void fail_reentry(struct host *host, uint32_t token)
{
	host_unwind(host, host_expect(host, FARJIT_BELL_REENTER).slot, token);
}

static void a_failed_callback_unwinds_nested_frames(void)
{
	struct host host;
	host_open(&host);
	struct call_c *block = call_block(&host, 0);
	block->function = trampoline(&host, 3);
	block->errno_location = host.errno_location;
	publish_eh_frame(&host);
	host_spawn(&host, 0);
	/* Again and again on the same worker: nothing piles up on its stack. */
	for (uint32_t i = 1; i <= 2000; i++) {
		host_post(&host, 0, nest);
		fail_reentry(&host, i);
		host_expect(&host, FARJIT_BELL_CALL_DONE);
		CHECK_EQUAL(host.control->calls[0].token, i);
		CHECK_EQUAL(host_finish(&host, 0), FARJIT_CALL_UNWOUND);
	}
	for (int i = 0; i < FARJIT_REENTRY_SLOT_COUNT; i++)
		CHECK_EQUAL(host.control->reentry[i].state, FARJIT_REENTRY_FREE);
	/* The control words that the unwound frames changed are as the runner had them: those of a new thread. */
	uint64_t fegetround_address = host_lookup(&host, "fegetround");
	CHECK_EQUAL(host_call(&host, fegetround_address, ARGUMENTS(0), NULL), FE_TONEAREST);
	CHECK_EQUAL(host_call(&host, payload(&host, read_mxcsr), ARGUMENTS(0), NULL) & ~MXCSR_FLAGS, 0x1f80);
	/* And others, which an earlier call has left. */
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "fesetround"), ARGUMENTS(FE_UPWARD), NULL), 0);
	call_block(&host, 0)->function = trampoline(&host, 3);
	host_post(&host, 0, nest);
	fail_reentry(&host, 1);
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK_EQUAL(host_finish(&host, 0), FARJIT_CALL_UNWOUND);
	CHECK_EQUAL(host_call(&host, fegetround_address, ARGUMENTS(0), NULL), FE_UPWARD);
	CHECK_EQUAL(host_call(&host, payload(&host, read_mxcsr), ARGUMENTS(0), NULL) & ~MXCSR_FLAGS, 0x5f80);
	host_close(&host);
}

static void a_failed_callback_unwinds_through_the_c_library(void)
{
	struct host host;
	host_open(&host);
	int64_t *numbers = (int64_t *)(host.data + DATA_SCRATCH);
	memcpy(numbers, (int64_t[]){3, 1, 2}, 3 * sizeof *numbers);
	publish_eh_frame(&host);
	const uint64_t *arguments = ARGUMENTS(data_address(&host, DATA_SCRATCH), 3, 8, trampoline(&host, 0));
	host_post_call(&host, 0, host_lookup(&host, "qsort"), arguments);
	fail_reentry(&host, 9);
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK_EQUAL(host.control->calls[0].token, 9);
	CHECK_EQUAL(host_finish(&host, 0), FARJIT_CALL_UNWOUND);
	host_call(&host, host_lookup(&host, "qsort"),
		  ARGUMENTS(data_address(&host, DATA_SCRATCH), 3, 8, payload(&host, compare)), NULL);
	CHECK(numbers[0] == 1 && numbers[1] == 2 && numbers[2] == 3);
	host_close(&host);
}

static void a_failed_callback_of_a_program_thread_fails_the_calls_that_run(void)
{
	struct host host;
	host_open(&host);
	publish_eh_frame(&host);
	uint64_t *words = (uint64_t *)(host.data + DATA_SCRATCH);
	uint64_t thread = data_address(&host, DATA_SCRATCH);
	host_call(&host, host_lookup(&host, "pthread_create"),
		  ARGUMENTS(thread, 0, payload(&host, start_and_reenter), trampoline(&host, 1)), NULL);
	uint16_t reentry = host_expect(&host, FARJIT_BELL_REENTER).slot;
	/* In the first slot and in the last; another one has a worker and no call. */
	const uint32_t last = FARJIT_CALL_SLOT_COUNT - 1, idle = 5;
	uint64_t pause_address = host_lookup(&host, "pause");
	host_spawn(&host, idle);
	host_post_call(&host, 0, host_lookup(&host, "pthread_join"), ARGUMENTS(words[0], 0));
	host_post_call(&host, last, pause_address, ARGUMENTS(0));
	while (host.control->calls[0].state != FARJIT_CALL_RUNNING || host.control->calls[last].state != FARJIT_CALL_RUNNING ||
	       host.control->calls[idle].state != FARJIT_CALL_IDLE)
		sched_yield();
	host_unwind(&host, reentry, 4);
	CHECK(WIFEXITED(host_wait_end(&host)));
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_UNWIND_FAILED);
	CHECK_EQUAL(host.control->calls[idle].state, FARJIT_CALL_IDLE);
	for (uint32_t slot = 0; slot <= last; slot += last) {
		CHECK_EQUAL(host.control->calls[slot].state, FARJIT_CALL_FAILED);
		CHECK_EQUAL(host.control->calls[slot].token, 4);
	}
}

/* Whoever has stdout to itself may keep it. */
static void a_failed_callback_waits_for_nobody_who_prints(void)
{
	struct host host;
	host_open(&host);
	uint64_t scratch = data_address(&host, DATA_SCRATCH);
	host_call(&host, host_lookup(&host, "memcpy"), ARGUMENTS(scratch, host_lookup(&host, "stdout"), 8), NULL);
	uint64_t file = *(uint64_t *)(host.data + DATA_SCRATCH), lock = host_lookup(&host, "flockfile");
	host_call(&host, host_lookup(&host, "pthread_create"),
		  ARGUMENTS(scratch, 0, payload(&host, start_and_reenter), trampoline(&host, 1)), NULL);
	uint16_t failing = host_expect(&host, FARJIT_BELL_REENTER).slot;
	host_post_both(&host, lock, ARGUMENTS(file), trampoline(&host, 2), ARGUMENTS(0));
	host_expect(&host, FARJIT_BELL_REENTER);
	host_unwind(&host, failing, 5);
	CHECK(WIFEXITED(host_wait_end(&host)));
	CHECK_EQUAL(host.control->calls[0].token, 5);
}

static void ends_when_it_cannot_unwind(void)
{
	struct host host;
	host_open(&host);
	host_post_call(&host, 0, trampoline(&host, 0), ARGUMENTS(0));
	fail_reentry(&host, 31);
	int status = host_wait_end(&host);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 70);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_UNWIND_FAILED);
	CHECK_EQUAL(host.control->end.thread_id, host.control->calls[0].thread_id);
	CHECK(strstr(host.control->end.message, "failure 31"));
	CHECK_EQUAL(host.control->calls[0].state, FARJIT_CALL_FAILED);
	CHECK_EQUAL(host.control->calls[0].token, 31);
}

/* Fails the callback of a call, and checks that no signals are blocked in the worker afterwards. */
static void check_unblocked_after_failure(struct host *host)
{
	fail_reentry(host, 7);
	host_expect(host, FARJIT_BELL_CALL_DONE);
	CHECK_EQUAL(host_finish(host, 0), FARJIT_CALL_UNWOUND);
	uint64_t *blocked = (uint64_t *)(host->data + DATA_SCRATCH);
	*blocked = UINT64_MAX;
	host_call(host, host_lookup(host, "pthread_sigmask"), ARGUMENTS(0, 0, data_address(host, DATA_SCRATCH)), NULL);
	CHECK_EQUAL(*blocked, 0);
	host_close(host);
}

static void a_failed_callback_leaves_no_signal_blocked(void)
{
	struct host host;
	host_open(&host);
	publish_eh_frame(&host);
	host_post_call(&host, 0, trampoline(&host, 3), ARGUMENTS(5));
	check_unblocked_after_failure(&host);
}

/* A handler's signal is blocked until the handler returns, which it does not. */
static void a_failed_callback_in_a_signal_handler_leaves_no_signal_blocked(void)
{
	struct host host;
	host_open(&host);
	publish_eh_frame(&host);
	struct sigaction action = {.sa_handler = (void (*)(int))trampoline(&host, 3)};
	memcpy(host.data + DATA_SCRATCH, &action, sizeof action);
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "sigaction"), ARGUMENTS(SIGUSR1, data_address(&host, DATA_SCRATCH)), NULL), 0);
	host_post_call(&host, 0, host_lookup(&host, "raise"), ARGUMENTS(SIGUSR1));
	check_unblocked_after_failure(&host);
}

const struct test_case reentry_cases[] = {
	{"first-call-keeps-every-register", first_call_keeps_every_register},
	{"reentry-keeps-errno", reentry_keeps_errno},
	{"counting-keeps-errno", counting_keeps_errno},
	{"eight-threads-block-on-one-trampoline-and-are-all-released",
	 eight_threads_block_on_one_trampoline_and_are_all_released},
	{"different-trampolines-are-told-apart", different_trampolines_are_told_apart},
	{"waits-for-a-slot-when-all-are-taken", waits_for_a_slot_when_all_are_taken},
	{"a-failed-callback-unwinds-nested-frames", a_failed_callback_unwinds_nested_frames},
	{"a-failed-callback-unwinds-through-the-c-library", a_failed_callback_unwinds_through_the_c_library},
	{"a-failed-callback-of-a-program-thread-fails-the-calls-that-run",
	 a_failed_callback_of_a_program_thread_fails_the_calls_that_run},
	{"a-failed-callback-waits-for-nobody-who-prints", a_failed_callback_waits_for_nobody_who_prints},
	{"a-failed-callback-leaves-no-signal-blocked", a_failed_callback_leaves_no_signal_blocked},
	{"a-failed-callback-in-a-signal-handler-leaves-no-signal-blocked",
	 a_failed_callback_in_a_signal_handler_leaves_no_signal_blocked},
	{"ends-when-it-cannot-unwind", ends_when_it_cannot_unwind},
	{0},
};
