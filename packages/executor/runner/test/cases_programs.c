/* Programs: what ends them, and what they read. */
#include "host.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char add_one[], prepare_and_reenter[];

enum {
	DATA_ARGUMENTS = DATA_SCRATCH,
	DATA_ENVIRONMENT = DATA_SCRATCH + 64,
	DATA_STRINGS = DATA_SCRATCH + 128,
	DATA_THREAD = DATA_SCRATCH + 256,
	DATA_PREPARATION = DATA_SCRATCH + 320,
	NO_INPUT = 0,
	INPUT = 1,
};

static uint64_t string_at(struct host *host, size_t offset, const char *text)
{
	strcpy((char *)host->data + DATA_STRINGS + offset, text);
	return data_address(host, DATA_STRINGS + offset);
}

/* Posts a program of one argument and one variable on slot 0. */
static void post_program(struct host *host, uint64_t main, uint64_t has_input)
{
	const uint64_t arguments[] = {string_at(host, 0, "bin/program"), 0};
	const uint64_t environment[] = {string_at(host, 32, "NAME=value"), 0};
	memcpy(host->data + DATA_ARGUMENTS, arguments, sizeof arguments);
	memcpy(host->data + DATA_ENVIRONMENT, environment, sizeof environment);
	const struct farjit_program program = {
		.main = main,
		.argument_count = 1,
		.arguments = data_address(host, DATA_ARGUMENTS),
		.environment = data_address(host, DATA_ENVIRONMENT),
		.has_input = has_input,
		.line_buffered = 1,
	};
	if (host->control->calls[0].state == FARJIT_CALL_NO_WORKER)
		host_spawn(host, 0);
	memcpy(host->control->calls[0].block, &program, sizeof program);
	host_post_address(host, 0, host->control->run_program);
}

static void expect_exit(struct host *host, int code)
{
	int status = host_wait_end(host);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), code);
	CHECK_EQUAL(host->control->end.kind, FARJIT_END_NONE);
}

static void expect_fault(struct host *host, const char *words)
{
	int status = host_wait_end(host);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(host->control->end.kind, FARJIT_END_FAULT);
	if (!strstr(host->control->end.message, words))
		fail(__FILE__, __LINE__, host->control->end.message);
}

/* add_one(argc, argv, envp) */
static void a_program_ends_with_what_its_main_returns(void)
{
	struct host host;
	host_open(&host);
	post_program(&host, payload(&host, add_one), NO_INPUT);
	expect_exit(&host, 2);
}

static void a_program_whose_main_ends_first_ends_with_its_last_thread(void)
{
	struct host host;
	host_open(&host);
	/* It waits for a callback, and main's end for it. */
	uint64_t create = host_lookup(&host, "pthread_create");
	CHECK_EQUAL(host_call(&host, create, ARGUMENTS(data_address(&host, DATA_STRINGS), 0, trampoline(&host, 2), 41), NULL), 0);
	uint16_t slot = host_expect(&host, FARJIT_BELL_REENTER).slot;
	post_program(&host, host_lookup(&host, "pthread_exit"), NO_INPUT);
	CHECK(!host_hears(&host, 100));
	host_release(&host, slot, payload(&host, add_one));
	expect_exit(&host, 0);
	CHECK_EQUAL(host.control->program_threads, 0);
}

static void a_program_reads_what_it_is_given(void)
{
	struct host host;
	host_open(&host);
	CHECK(write(host.input, "x", 1) == 1);
	post_program(&host, host_lookup(&host, "getchar"), INPUT);
	expect_exit(&host, 'x');
}

static void a_program_without_input_is_at_its_end(void)
{
	struct host host;
	host_open(&host);
	CHECK(write(host.input, "x", 1) == 1);
	post_program(&host, host_lookup(&host, "getchar"), NO_INPUT);
	expect_exit(&host, 255);
}

static void a_program_whose_input_is_closed_does_not_begin(void)
{
	struct host host;
	host_open(&host);
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "close"), ARGUMENTS(FARJIT_FD_INPUT), NULL), 0);
	post_program(&host, payload(&host, add_one), INPUT);
	expect_fault(&host, "cannot read the program's input");
}

/* Nothing need be unwound for it. */
static void a_program_ends_without_a_function_that_it_has_called(void)
{
	struct host host;
	host_open(&host);
	post_program(&host, trampoline(&host, 2), NO_INPUT);
	host_unwind(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, 7);
	expect_fault(&host, "cannot go on");
	CHECK_EQUAL(host.control->calls[0].state, FARJIT_CALL_FAILED);
	CHECK_EQUAL(host.control->calls[0].token, 7);
}

static void a_program_ends_without_a_function_that_one_of_its_threads_has_called(void)
{
	struct host host;
	host_open(&host);
	const uint64_t preparation[] = {trampoline(&host, 2), 'x', trampoline(&host, 3), 41, 1};
	memcpy(host.data + DATA_PREPARATION, preparation, sizeof preparation);
	uint64_t create = host_lookup(&host, "pthread_create"), putchar_address = host_lookup(&host, "putchar");
	CHECK_EQUAL(host_call(&host, create,
			      ARGUMENTS(data_address(&host, DATA_THREAD), 0, payload(&host, prepare_and_reenter),
					data_address(&host, DATA_PREPARATION)),
			      NULL),
		    0);
	uint16_t slot = host_expect(&host, FARJIT_BELL_REENTER).slot;
	post_program(&host, trampoline(&host, 4), NO_INPUT);
	/* It has begun. */
	CHECK_EQUAL(host.control->reentry[host_expect(&host, FARJIT_BELL_REENTER).slot].return_address, trampoline_return(&host, 4));
	/* The thread prints a character, which stays in stdout's buffer, before it calls what fails. */
	host_release(&host, slot, putchar_address);
	host_unwind(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, 8);
	expect_fault(&host, "cannot go on");
	CHECK_EQUAL(host.printed_bytes, 1);
	CHECK_EQUAL(host.control->calls[0].token, 8);
}

static void a_failed_callback_of_a_call_beside_a_program_is_that_calls(void)
{
	struct host host;
	host_open(&host);
	publish_eh_frame(&host);
	post_program(&host, host_lookup(&host, "pause"), NO_INPUT);
	while (host.control->calls[0].state != FARJIT_CALL_RUNNING)
		sched_yield();
	host_post_call(&host, 1, trampoline(&host, 2), ARGUMENTS(0));
	host_unwind(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, 9);
	CHECK_EQUAL(host_expect(&host, FARJIT_BELL_CALL_DONE).slot, 1);
	CHECK_EQUAL(host_finish(&host, 1), FARJIT_CALL_UNWOUND);
	CHECK_EQUAL(host.control->calls[0].state, FARJIT_CALL_RUNNING);
	host_close(&host);
}

static void a_second_program_is_a_fault(void)
{
	struct host host;
	host_open(&host);
	post_program(&host, host_lookup(&host, "pause"), NO_INPUT);
	host_spawn(&host, 1);
	memcpy(host.control->calls[1].block, host.control->calls[0].block, sizeof(struct farjit_program));
	host_post_address(&host, 1, host.control->run_program);
	expect_fault(&host, "a program runs here already");
}

const struct test_case program_cases[] = {
	{"a-program-ends-with-what-its-main-returns", a_program_ends_with_what_its_main_returns},
	{"a-program-whose-main-ends-first-ends-with-its-last-thread", a_program_whose_main_ends_first_ends_with_its_last_thread},
	{"a-program-reads-what-it-is-given", a_program_reads_what_it_is_given},
	{"a-program-without-input-is-at-its-end", a_program_without_input_is_at_its_end},
	{"a-program-whose-input-is-closed-does-not-begin", a_program_whose_input_is_closed_does_not_begin},
	{"a-program-ends-without-a-function-that-it-has-called", a_program_ends_without_a_function_that_it_has_called},
	{"a-program-ends-without-a-function-that-one-of-its-threads-has-called",
	 a_program_ends_without_a_function_that_one_of_its_threads_has_called},
	{"a-failed-callback-of-a-call-beside-a-program-is-that-calls", a_failed_callback_of_a_call_beside_a_program_is_that_calls},
	{"a-second-program-is-a-fault", a_second_program_is_a_fault},
	{0},
};
