/*
 * Threads that are cancelled asynchronously before one of their instructions after the other. Each is stopped there by ptrace, and
 * cancelled by another thread while it stands there: what happens then is always the same.
 */
#include "breakpoint.h"
#include "host.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char prepare_and_reenter[], prepare_and_reenter_end[], add_one[], trap_segv[], note_unwound[], note_unwound_count[];

enum {
	DATA_THREAD = DATA_SCRATCH,
	DATA_RESULT = DATA_SCRATCH + 8,
	DATA_UNWOUND = DATA_SCRATCH + 16,
	DATA_PREPARATION = DATA_SCRATCH + 64,
	/* In front of the trampolines; it leads to the fourth. Its pointer is the second. */
	STUB_BYTES = 8,
	STUB = CODE_BYTES / 2 - STUB_BYTES,
	POINTERS = CODE_BYTES + CONSTANT_BYTES / 4,
	/* The first page of counters that is nothing else. */
	DATA_COUNTERS = 2 * DATA_SCRATCH,
	/* What the runner does for the end of a thread are some thousand instructions, which are alike. */
	STRIDE_IN_END = 61,
	MAX_INSTRUCTIONS = 16 * 1024,
	/* The first of two that libc keeps for itself. */
	SIGCANCEL = 32,
	/* As many as a trap's handler takes at the least. */
	HANDLER_INSTRUCTIONS = 400,
};

/* A host, and what its threads call. */
struct stepping {
	struct host host;
	uint64_t create, set_type, cancel, join;
	/* How many callbacks a thread makes that is stepped, where they land, and what they are called with. */
	uint64_t times;
	uint64_t landing;
	uint64_t value;
	/* Callbacks that were answered, whose bells have not been heard. */
	size_t answered;
};

/* A confined runner lets nobody look at it. */
static void prepare(struct farjit_control *control)
{
	control->confine.sandbox = FARJIT_SANDBOX_OFF;
	control->header.stubs_offset = STUB;
	control->header.stub_bytes = STUB_BYTES;
	control->header.pointers_offset = POINTERS;
	control->header.pointers_bytes = 2 * sizeof(uint64_t);
}

static void write_stub(struct host *host)
{
	/* jmpq *disp32(%rip) */
	unsigned char jump[] = {0xff, 0x25, 0, 0, 0, 0};
	const int32_t displacement = POINTERS + sizeof(uint64_t) - (STUB + sizeof jump);
	const uint64_t target = trampoline(host, 3);
	memcpy(jump + 2, &displacement, sizeof displacement);
	memcpy(host->code + STUB, jump, sizeof jump);
	memcpy(host->code + POINTERS + sizeof target, &target, sizeof target);
}

static void open_stepping(struct stepping *stepping)
{
	struct host *host = &stepping->host;
	host_start(host, (struct host_options){.prepare = prepare});
	host_expect(host, FARJIT_BELL_HELLO);
	host_confine(host, 0);
	write_stub(host);
	/* When it returns its frame is gone, of which the one rule for all of the payload does not know. */
	publish_eh_frame_before(host, prepare_and_reenter_end, note_unwound);
	*(uint64_t *)payload_view(host, note_unwound_count) = data_address(host, DATA_UNWOUND);
	stepping->create = host_lookup(host, "pthread_create");
	stepping->set_type = host_lookup(host, "pthread_setcanceltype");
	stepping->cancel = host_lookup(host, "pthread_cancel");
	stepping->join = host_lookup(host, "pthread_join");
	stepping->times = 1;
	stepping->landing = payload(host, add_one);
	stepping->value = 41;
	stepping->answered = 0;
}

static uint64_t word(const struct host *host, size_t offset)
{
	return *(const uint64_t *)(host->data + offset);
}

/* Starts a thread that can be cancelled anywhere and calls a trampoline. Answers its number; it is stopped in its first callback,
 * which has been answered. */
static pid_t start_stopped(struct stepping *stepping)
{
	struct host *host = &stepping->host;
	const struct {
		uint64_t function, argument, trampoline, value, times;
	} preparation = {stepping->set_type, PTHREAD_CANCEL_ASYNCHRONOUS, host->control->base + STUB, stepping->value, stepping->times};
	memcpy(host->data + DATA_PREPARATION, &preparation, sizeof preparation);
	CHECK_EQUAL(host_call(host, stepping->create,
			      ARGUMENTS(data_address(host, DATA_THREAD), 0, payload(host, prepare_and_reenter),
					data_address(host, DATA_PREPARATION)),
			      NULL),
		    0);
	uint16_t slot = host_expect(host, FARJIT_BELL_REENTER).slot;
	pid_t thread = (pid_t)host->control->reentry[slot].thread_id;
	CHECK_EQUAL(ptrace(PTRACE_SEIZE, thread, NULL, NULL), 0);
	CHECK_EQUAL(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL), 0);
	CHECK_EQUAL(waitpid(thread, NULL, __WALL), thread);
	host_release(host, slot, stepping->landing);
	return thread;
}

/* A thread that is stepped never waits for its answer. */
static void answer_callbacks(struct stepping *stepping)
{
	for (uint32_t slot = 0; slot < FARJIT_REENTRY_SLOT_COUNT; slot++)
		if (stepping->host.control->reentry[slot].state == FARJIT_REENTRY_POSTED) {
			host_release(&stepping->host, slot, stepping->landing);
			stepping->answered++;
		}
}

/* Has a stopped thread take one step, with a signal or 0. Answers the signal that comes next, or SIGTRAP. */
static int step(struct stepping *stepping, pid_t thread, int signal)
{
	int status;
	CHECK_EQUAL(ptrace(PTRACE_SINGLESTEP, thread, NULL, signal), 0);
	CHECK_EQUAL(waitpid(thread, &status, __WALL), thread);
	CHECK(WIFSTOPPED(status));
	answer_callbacks(stepping);
	return WSTOPSIG(status);
}

/* Cancels a stopped thread where it is, and lets it go. */
static void cancel(struct stepping *stepping, pid_t thread)
{
	struct host *host = &stepping->host;
	CHECK_EQUAL(host_call(host, stepping->cancel, ARGUMENTS(word(host, DATA_THREAD)), NULL), 0);
	CHECK(stop_nowhere(thread));
	CHECK_EQUAL(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
}

/* The same for a cancellation that has been on its way since the thread could be cancelled: only the signal is still to come. */
static void cancel_late(struct stepping *stepping, pid_t thread)
{
	siginfo_t signal = {.si_signo = SIGCANCEL, .si_code = SI_TKILL, .si_pid = stepping->host.pid, .si_uid = getuid()};
	CHECK(stop_nowhere(thread));
	/* In place of the signal that has stopped it. */
	CHECK_EQUAL(ptrace(PTRACE_SETSIGINFO, thread, NULL, &signal), 0);
	CHECK_EQUAL(ptrace(PTRACE_DETACH, thread, NULL, SIGCANCEL), 0);
}

/* Waits for the end of a thread; answers its result. */
static uint64_t join(struct stepping *stepping)
{
	struct host *host = &stepping->host;
	host_post_call(host, 0, stepping->join, ARGUMENTS(word(host, DATA_THREAD), data_address(host, DATA_RESULT)));
	while (host->control->calls[0].state != FARJIT_CALL_RETURNED) {
		answer_callbacks(stepping);
		CHECK_EQUAL(waitpid(host->pid, NULL, WNOHANG), 0);
		sched_yield();
	}
	CHECK_EQUAL(host_expect(host, FARJIT_BELL_CALL_DONE).slot, 0);
	CHECK_EQUAL(host_finish(host, 0), FARJIT_CALL_RETURNED);
	CHECK_EQUAL(call_block(host, 0)->result, 0);
	for (; stepping->answered > 0; stepping->answered--)
		host_expect(host, FARJIT_BELL_REENTER);
	return word(host, DATA_RESULT);
}

/* The instructions of a thread, from its first callback to where nothing is left of it but libc's. */
struct trace {
	uint64_t addresses[MAX_INSTRUCTIONS];
	unsigned count;
	/* Those before it have the frame of who calls the stub. */
	unsigned return_number;
};

static void record(struct stepping *stepping, struct trace *trace)
{
	pid_t thread = start_stopped(stepping);
	for (trace->count = 0; stepping->host.control->program_threads != 0; trace->count++) {
		CHECK(trace->count < MAX_INSTRUCTIONS);
		trace->addresses[trace->count] = program_counter(thread);
		if (trace->addresses[trace->count] == payload(&stepping->host, prepare_and_reenter_end))
			trace->return_number = trace->count;
		CHECK_EQUAL(step(stepping, thread, 0), SIGTRAP);
	}
	CHECK_EQUAL(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
	join(stepping);
}

/* Lets a stopped thread go on to where it stops, and answers its callbacks meanwhile. False: it has ended. */
static bool go_on(struct stepping *stepping, pid_t thread)
{
	int status;
	pid_t stopped;
	CHECK_EQUAL(ptrace(PTRACE_CONT, thread, NULL, NULL), 0);
	while ((stopped = waitpid(thread, &status, __WALL | WNOHANG)) == 0) {
		answer_callbacks(stepping);
		sched_yield();
	}
	CHECK_EQUAL(stopped, thread);
	CHECK(WIFEXITED(status) || (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP));
	return WIFSTOPPED(status);
}

/* Lets a thread that is stopped at its first instruction go on to that of a number. False: it has taken another way. */
static bool go_on_to(struct stepping *stepping, pid_t thread, const struct trace *trace, unsigned number)
{
	bool is_there = true;
	CHECK(stop_before(thread, trace->addresses[number]));
	for (unsigned at = 1; at <= number && is_there; at++)
		if (trace->addresses[at] == trace->addresses[number])
			is_there = go_on(stepping, thread);
	return is_there;
}

enum outcome { CANCELLED, RETURNED, ELSEWHERE };

/* Ends a thread by `end` before its instruction of that number, unless it takes another way this time; answers what became of it. */
static enum outcome end_before(struct stepping *stepping, const struct trace *trace, unsigned number,
			       void (*end)(struct stepping *stepping, pid_t thread))
{
	pid_t thread = start_stopped(stepping);
	bool is_there = go_on_to(stepping, thread, trace, number);
	if (is_there)
		end(stepping, thread);
	uint64_t result = join(stepping);
	if (!is_there)
		return ELSEWHERE;
	return result == (uint64_t)PTHREAD_CANCELED ? CANCELLED : RETURNED;
}

/* What became of a thread has left nothing of it. */
static void check_nothing_is_left(struct stepping *stepping, enum outcome outcome)
{
	const struct farjit_control *control = stepping->host.control;
	CHECK_EQUAL(control->program_threads, 0);
	for (int slot = 0; slot < FARJIT_REENTRY_SLOT_COUNT; slot++)
		CHECK_EQUAL(control->reentry[slot].state, FARJIT_REENTRY_FREE);
	if (outcome != CANCELLED)
		CHECK_EQUAL(word(&stepping->host, DATA_RESULT), 42);
}

/* From the wait for an answer through the landing, the stub, the next trampoline and the resolver to where it has given back all.
 * As long as there is a caller to clean up, it does. */
static void a_thread_cancelled_before_any_instruction_leaves_nothing_behind(void)
{
	static struct trace trace;
	struct stepping stepping;
	open_stepping(&stepping);
	stepping.times = 2;
	record(&stepping, &trace);
	const uint64_t *unwound = (const uint64_t *)(stepping.host.data + DATA_UNWOUND);
	bool is_stepped[2] = {false, false};
	enum outcome outcome = CANCELLED;
	unsigned counts[] = {[CANCELLED] = 0, [RETURNED] = 0, [ELSEWHERE] = 0};
	for (unsigned number = 0; number < trace.count; number += outcome == RETURNED ? STRIDE_IN_END : 1) {
		const uint64_t unwound_before = *unwound;
		outcome = end_before(&stepping, &trace, number, cancel);
		check_nothing_is_left(&stepping, outcome);
		if (outcome == CANCELLED)
			CHECK_EQUAL(*unwound - unwound_before, number < trace.return_number);
		counts[outcome]++;
		is_stepped[0] |= trace.addresses[number] == stepping.host.control->base + STUB;
		is_stepped[1] |= trace.addresses[number] == trampoline(&stepping.host, 3);
		if (outcome == RETURNED)
			check_nothing_is_left(&stepping, end_before(&stepping, &trace, number, cancel_late));
	}
	/* Once it has returned, what is left to do is the runner's. */
	CHECK(counts[CANCELLED] > 100 && counts[RETURNED] > 10);
	CHECK(is_stepped[0] && is_stepped[1]);
	host_close(&stepping.host);
}

/* What the runner says to the host comes once, or not, and never half. */
static void a_thread_cancelled_in_a_counter_has_rung_or_not(void)
{
	static struct trace trace;
	struct stepping stepping;
	open_stepping(&stepping);
	struct host *host = &stepping.host;
	uint32_t *page = (uint32_t *)(host->data + DATA_COUNTERS);
	uint32_t *bits = page + FARJIT_HOT_BITS_OFFSET / sizeof *page;
	*page = 1;
	stepping.landing = host->control->count_function;
	stepping.value = data_address(host, DATA_COUNTERS + sizeof *page);
	record(&stepping, &trace);
	unsigned rung = 0, silent = 0;
	enum outcome outcome = CANCELLED;
	for (unsigned number = 0; outcome != RETURNED; number++) {
		if (host->control->hot_pending)
			host_expect(host, FARJIT_BELL_HOT);
		page[1] = *bits = 0;
		host->control->hot_pages[0] = host->control->hot_pending = 0;
		outcome = end_before(&stepping, &trace, number, cancel);
		bool is_told = *bits != 0;
		CHECK_EQUAL(host->control->hot_pages[0] != 0, is_told);
		CHECK_EQUAL(host->control->hot_pending != 0, is_told);
		rung += is_told;
		silent += !is_told;
	}
	CHECK(rung > 0 && silent > 0);
	host_expect(host, FARJIT_BELL_HOT);
	host_close(host);
}

/* A trap ends the runner, and nothing keeps its thread from that. */
static void a_thread_cancelled_while_it_reports_a_trap_ends_the_runner(void)
{
	for (unsigned number = 0; number < HANDLER_INSTRUCTIONS; number += HANDLER_INSTRUCTIONS / 4) {
		struct stepping stepping;
		open_stepping(&stepping);
		stepping.landing = payload(&stepping.host, trap_segv);
		pid_t thread = start_stopped(&stepping);
		int signal;
		while ((signal = step(&stepping, thread, 0)) == SIGTRAP)
			;
		CHECK_EQUAL(signal, SIGSEGV);
		CHECK_EQUAL(step(&stepping, thread, SIGSEGV), SIGTRAP);
		for (unsigned at = 0; at < number; at++)
			CHECK_EQUAL(step(&stepping, thread, 0), SIGTRAP);
		cancel(&stepping, thread);
		int status = host_wait_end(&stepping.host);
		CHECK(WIFSIGNALED(status));
		CHECK_EQUAL(WTERMSIG(status), SIGSEGV);
		CHECK_EQUAL(stepping.host.control->end.kind, FARJIT_END_TRAP);
	}
}

const struct test_case cancel_cases[] = {
	{"a-thread-cancelled-before-any-instruction-leaves-nothing-behind",
	 a_thread_cancelled_before_any_instruction_leaves_nothing_behind},
	{"a-thread-cancelled-in-a-counter-has-rung-or-not", a_thread_cancelled_in_a_counter_has_rung_or_not},
	{"a-thread-cancelled-while-it-reports-a-trap-ends-the-runner",
	 a_thread_cancelled_while_it_reports_a_trap_ends_the_runner},
	{0},
};
