/* Threads that are told to end while they are in a callback: no slot stays with them. */
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char prepare_and_reenter[], add_one[], trap_segv[];

/* Argument of the payload's prepare_and_reenter. */
struct preparation {
	uint64_t function;
	uint64_t argument;
	uint64_t trampoline;
	uint64_t value;
	uint64_t times;
};

/* As rt_sigaction takes it. */
struct kernel_action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

enum {
	/* The first of two that libc keeps for itself. */
	SIGCANCEL = 32,
	/* Without it the kernel delivers no signal. */
	SA_RESTORER_FLAG = 0x04000000,
};

enum {
	DATA_THREAD = DATA_SCRATCH,
	DATA_RESULT = DATA_SCRATCH + 8,
	DATA_PREPARATION = DATA_SCRATCH + 64,
	DATA_ACTION = DATA_SCRATCH + 128,
	DATA_TEXT = DATA_SCRATCH + 512,
	DATA_COUNTERS = 2 * DATA_SCRATCH,
	/* A thread more than there are slots, each way. */
	THREADS = FARJIT_REENTRY_SLOT_COUNT + 1,
};

/* A runner in which every frame can be unwound. */
static void open_unwindable(struct host *host)
{
	host_open(host);
	publish_eh_frame(host);
}

static uint64_t word(const struct host *host, size_t offset)
{
	return *(const uint64_t *)(host->data + offset);
}

/* Starts a thread that calls function(argument, 0) and then reenters; answers the slot it waits in. */
static uint16_t start(struct host *host, uint64_t pthread_create_address, struct preparation preparation)
{
	preparation.trampoline = trampoline(host, 3);
	memcpy(host->data + DATA_PREPARATION, &preparation, sizeof preparation);
	CHECK_EQUAL(host_call(host, pthread_create_address,
			      ARGUMENTS(data_address(host, DATA_THREAD), 0, payload(host, prepare_and_reenter),
					data_address(host, DATA_PREPARATION)),
			      NULL),
		    0);
	return host_expect(host, FARJIT_BELL_REENTER).slot;
}

/* Starts threads one after the other, tells each to end with end(thread, signal) while it waits, answers it, and checks
 * what it ended with and that all slots are free after the last. */
static void end_threads(struct host *host, const char *end, int signal, struct preparation preparation, uint64_t result)
{
	uint64_t create = host_lookup(host, "pthread_create"), join = host_lookup(host, "pthread_join");
	uint64_t end_address = host_lookup(host, end);
	for (int i = 0; i < THREADS; i++) {
		uint16_t slot = start(host, create, preparation);
		CHECK_EQUAL(host_call(host, end_address, ARGUMENTS(word(host, DATA_THREAD), (uint64_t)signal), NULL), 0);
		CHECK_EQUAL(host->control->reentry[slot].state, FARJIT_REENTRY_POSTED);
		host_release(host, slot, payload(host, add_one));
		for (uint64_t again = 1; again < preparation.times; again++)
			host_release(host, host_expect(host, FARJIT_BELL_REENTER).slot, payload(host, add_one));
		CHECK_EQUAL(host_call(host, join, ARGUMENTS(word(host, DATA_THREAD), data_address(host, DATA_RESULT)), NULL), 0);
		CHECK_EQUAL(word(host, DATA_RESULT), result);
	}
	for (int i = 0; i < FARJIT_REENTRY_SLOT_COUNT; i++)
		CHECK_EQUAL(host->control->reentry[i].state, FARJIT_REENTRY_FREE);
	CHECK_EQUAL(host->control->program_threads, 0);
	CHECK_EQUAL(host_call(host, payload(host, add_one), ARGUMENTS(1), NULL), 2);
	host_close(host);
}

/* The callbacks are no cancellation points, also when the thread is cancelled before: it returns. */
static void a_thread_cancelled_in_a_callback_gives_its_slot_back(void)
{
	struct host host;
	open_unwindable(&host);
	struct preparation preparation = {host_lookup(&host, "pthread_setcanceltype"), PTHREAD_CANCEL_DEFERRED, 0, 41, 2};
	end_threads(&host, "pthread_cancel", 0, preparation, 42);
}

static void a_thread_cancelled_asynchronously_in_a_callback_gives_its_slot_back(void)
{
	struct host host;
	open_unwindable(&host);
	struct preparation preparation = {host_lookup(&host, "pthread_setcanceltype"), PTHREAD_CANCEL_ASYNCHRONOUS, 0, 41, 1};
	end_threads(&host, "pthread_cancel", 0, preparation, (uint64_t)PTHREAD_CANCELED);
}

/* pthread_exit(signal) is what the kernel's call of the handler becomes. */
static void exit_on_signal(struct host *host, int signal)
{
	struct sigaction action = {.sa_handler = (void (*)(int))host_lookup(host, "pthread_exit")};
	memcpy(host->data + DATA_ACTION, &action, sizeof action);
	CHECK_EQUAL(host_call(host, host_lookup(host, "sigaction"), ARGUMENTS((uint64_t)signal, data_address(host, DATA_ACTION)), NULL),
		    0);
}

static void a_thread_whose_signal_handler_exits_in_a_callback_gives_its_slot_back(void)
{
	struct host host;
	open_unwindable(&host);
	exit_on_signal(&host, SIGUSR1);
	struct preparation preparation = {payload(&host, add_one), 0, 0, 41, 1};
	end_threads(&host, "pthread_kill", SIGUSR1, preparation, SIGUSR1);
}

/* The signals of traps can be sent, too. */
static void a_thread_whose_trap_handler_exits_in_a_callback_gives_its_slot_back(void)
{
	struct host host;
	open_unwindable(&host);
	exit_on_signal(&host, SIGSEGV);
	struct preparation preparation = {payload(&host, add_one), 0, 0, 41, 1};
	end_threads(&host, "pthread_kill", SIGSEGV, preparation, SIGSEGV);
}

static void the_control_thread_runs_no_handlers(void)
{
	struct host host;
	open_unwindable(&host);
	exit_on_signal(&host, SIGUSR1);
	uint64_t pid = (uint64_t)host.pid;
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "tgkill"), ARGUMENTS(pid, pid, SIGUSR1), NULL), 0);
	CHECK(host_lookup(&host, "getpid") != 0);
	/* Nor those of traps, which are the program's to send, too. */
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "tgkill"), ARGUMENTS(pid, pid, SIGSEGV), NULL), 0);
	CHECK(host_lookup(&host, "getpid") != 0);
	/* Nor the one by which libc cancels threads, for which it lets no program have a handler. */
	struct kernel_action action = {host_lookup(&host, "pthread_exit"), SA_RESTORER_FLAG, host_lookup(&host, "abort"), 0};
	memcpy(host.data + DATA_ACTION, &action, sizeof action);
	uint64_t syscall_address = host_lookup(&host, "syscall");
	CHECK_EQUAL(host_call(&host, syscall_address,
			      ARGUMENTS(SYS_rt_sigaction, SIGCANCEL, data_address(&host, DATA_ACTION), 0, sizeof action.mask),
			      NULL),
		    0);
	CHECK_EQUAL(host_call(&host, syscall_address, ARGUMENTS(SYS_tgkill, pid, pid, SIGCANCEL), NULL), 0);
	CHECK(host_lookup(&host, "getpid") != 0);
	host_close(&host);
}

/* libc has each thread do so, and would wait for ever for one that blocks its signal. Confined, all are refused. */
static void a_change_of_user_waits_for_no_thread_for_ever(void)
{
	struct host host;
	int error = 0;
	open_unwindable(&host);
	uint64_t answer = host_call(&host, host_lookup(&host, "setuid"), ARGUMENTS(getuid()), &error);
	CHECK((int)answer == 0 || ((int)answer == -1 && error == EPERM));
	CHECK(host_lookup(&host, "getpid") != 0);
	host_close(&host);
}

/* There is nothing to unwind to: the call that the thread ran before is over. */
static void a_callback_outside_of_calls_cannot_fail(void)
{
	struct host host;
	open_unwindable(&host);
	struct sigaction action = {.sa_handler = (void (*)(int))trampoline(&host, 2)};
	memcpy(host.data + DATA_ACTION, &action, sizeof action);
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "sigaction"), ARGUMENTS(SIGUSR1, data_address(&host, DATA_ACTION)), NULL),
		    0);
	/* The one thread that handles signals waits for its next call. */
	CHECK_EQUAL(kill(host.pid, SIGUSR1), 0);
	host_unwind(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, 6);
	CHECK(WIFEXITED(host_wait_end(&host)));
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_UNWIND_FAILED);
	CHECK(strstr(host.control->end.message, "failure 6: its thread is in no call"));
}

/* Starts a thread that reenters twice, cancels it while it waits, and has it land at `first`. */
static void start_cancelled(struct host *host, uint64_t value, uint64_t first)
{
	struct preparation preparation = {payload(host, add_one), 0, 0, value, 2};
	uint16_t slot = start(host, host_lookup(host, "pthread_create"), preparation);
	CHECK_EQUAL(host_call(host, host_lookup(host, "pthread_cancel"), ARGUMENTS(word(host, DATA_THREAD)), NULL), 0);
	host_release(host, slot, first);
}

static void a_counter_is_no_cancellation_point(void)
{
	struct host host;
	open_unwindable(&host);
	uint32_t *page = (uint32_t *)(host.data + DATA_COUNTERS);
	page[0] = 1;
	start_cancelled(&host, data_address(&host, DATA_COUNTERS + 4), host.control->count_function);
	host_expect(&host, FARJIT_BELL_HOT);
	CHECK_EQUAL(page[FARJIT_HOT_BITS_OFFSET / sizeof *page], 1 << 1);
	host_release(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, payload(&host, add_one));
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "pthread_join"),
			      ARGUMENTS(word(&host, DATA_THREAD), data_address(&host, DATA_RESULT)), NULL),
		    0);
	CHECK_EQUAL(word(&host, DATA_RESULT), data_address(&host, DATA_COUNTERS + 4) + 1);
	host_close(&host);
}

/* Writing what stdout holds must not end the thread in place of the process. */
static void a_trap_of_a_cancelled_thread_ends_the_runner(void)
{
	struct host host;
	open_unwindable(&host);
	strcpy((char *)host.data + DATA_TEXT, "not yet written");
	start_cancelled(&host, data_address(&host, DATA_TEXT), host_lookup(&host, "printf"));
	host_release(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, payload(&host, trap_segv));
	int status = host_wait_end(&host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGSEGV);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_TRAP);
	CHECK(strcmp(host.printed, "not yet written") == 0);
}

const struct test_case leaving_cases[] = {
	{"a-thread-cancelled-in-a-callback-gives-its-slot-back", a_thread_cancelled_in_a_callback_gives_its_slot_back},
	{"a-thread-cancelled-asynchronously-in-a-callback-gives-its-slot-back",
	 a_thread_cancelled_asynchronously_in_a_callback_gives_its_slot_back},
	{"a-thread-whose-signal-handler-exits-in-a-callback-gives-its-slot-back",
	 a_thread_whose_signal_handler_exits_in_a_callback_gives_its_slot_back},
	{"a-thread-whose-trap-handler-exits-in-a-callback-gives-its-slot-back",
	 a_thread_whose_trap_handler_exits_in_a_callback_gives_its_slot_back},
	{"the-control-thread-runs-no-handlers", the_control_thread_runs_no_handlers},
	{"a-change-of-user-waits-for-no-thread-for-ever", a_change_of_user_waits_for_no_thread_for_ever},
	{"a-callback-outside-of-calls-cannot-fail", a_callback_outside_of_calls_cannot_fail},
	{"a-counter-is-no-cancellation-point", a_counter_is_no_cancellation_point},
	{"a-trap-of-a-cancelled-thread-ends-the-runner", a_trap_of_a_cancelled_thread_ends_the_runner},
	{0},
};
