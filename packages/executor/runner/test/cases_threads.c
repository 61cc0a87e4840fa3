/* Thread-local memory: what threads begin with, and what those get that are there. */
#include "host.h"

#include <string.h>
#include <sys/wait.h>

extern const char count_thread_local[], add_one[];

static uint64_t *template_of(struct host *host, size_t unit)
{
	unsigned char *template = host->code + CODE_BYTES + CONSTANT_BYTES - FRAME_INDEX_BYTES - FARJIT_THREAD_BYTES;
	return (uint64_t *)(template + unit * FARJIT_THREAD_UNIT_BYTES);
}

static uint64_t distance(const struct host *host, size_t unit)
{
	return host->control->thread_offset + unit * FARJIT_THREAD_UNIT_BYTES;
}

static void fill(struct host *host, size_t unit, uint64_t value)
{
	*template_of(host, unit) = value;
	memset(host->control->thread_units, 0, sizeof host->control->thread_units);
	host->control->thread_units[unit / 32] = 1u << unit % 32;
	host_ring(host, FARJIT_BELL_FILL_THREADS, 0, 0);
	host_expect(host, FARJIT_BELL_DONE);
}

/* Answers what the worker of slot 0 has there, and adds one to it. */
static uint64_t count(struct host *host, size_t unit)
{
	return host_call(host, payload(host, count_thread_local), ARGUMENTS(distance(host, unit)), NULL);
}

/* Makes a thread that runs `start` with the unit's distance. */
static void start_thread(struct host *host, uint64_t start, size_t unit)
{
	uint64_t thread = data_address(host, DATA_SCRATCH);
	uint64_t arguments[6] = {thread, 0, start, distance(host, unit)};
	CHECK_EQUAL((uint32_t)host_call(host, host_lookup(host, "pthread_create"), arguments, NULL), 0);
}

/* Answers what the thread that was made last has returned. */
static uint64_t join_thread(struct host *host)
{
	const uint64_t *words = (const uint64_t *)(host->data + DATA_SCRATCH);
	host_call(host, host_lookup(host, "pthread_join"), ARGUMENTS(words[0], data_address(host, DATA_SCRATCH + 8)), NULL);
	return words[1];
}

static uint64_t count_in_thread(struct host *host, size_t unit)
{
	start_thread(host, payload(host, count_thread_local), unit);
	return join_thread(host);
}

static void threads_begin_with_the_template(void)
{
	struct host host;
	host_open(&host);
	CHECK(host.control->thread_offset % FARJIT_THREAD_UNIT_BYTES == 0);
	fill(&host, 3, 70);
	fill(&host, 1023, 80);
	/* What lies behind it was filled before. */
	fill(&host, 1, 60);
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(count_in_thread(&host, 1), 60);
		CHECK_EQUAL(count_in_thread(&host, 3), 70);
		CHECK_EQUAL(count_in_thread(&host, 1023), 80);
	}
	CHECK_EQUAL(count_in_thread(&host, 4), 0);
	CHECK_EQUAL(count(&host, 3), 70);
	CHECK_EQUAL(count(&host, 3), 71);
	host_close(&host);
}

static void threads_that_are_there_get_what_is_filled_and_nothing_else(void)
{
	struct host host;
	host_open(&host);
	fill(&host, 0, 10);
	CHECK_EQUAL(count(&host, 0), 10);
	/* It blocks before it looks, and is there when the unit is filled. */
	start_thread(&host, trampoline(&host, 1), 5);
	struct farjit_bell bell = host_expect(&host, FARJIT_BELL_REENTER);
	*template_of(&host, 0) = 99;
	fill(&host, 5, 50);
	host_release(&host, bell.slot, payload(&host, count_thread_local));
	CHECK_EQUAL(join_thread(&host), 50);
	CHECK_EQUAL(count(&host, 5), 50);
	CHECK_EQUAL(count(&host, 0), 11);
	host_close(&host);
}

static void a_unit_that_is_used_again_is_filled_again(void)
{
	struct host host;
	host_open(&host);
	for (uint64_t value = 1; value < 1000; value += 100) {
		fill(&host, 7, value);
		CHECK_EQUAL(count(&host, 7), value);
		CHECK_EQUAL(count(&host, 7), value + 1);
		CHECK_EQUAL(count_in_thread(&host, 7), value);
	}
	host_close(&host);
}

static void threads_that_have_ended_are_filled_no_more(void)
{
	struct host host;
	host_open(&host);
	for (size_t i = 0; i < 20; i++) {
		CHECK_EQUAL(count_in_thread(&host, 9), i);
		fill(&host, 9, i + 1);
	}
	CHECK_EQUAL(host.control->program_threads, 0);
	host_close(&host);
}

static void tells_where_variables_of_libraries_are(void)
{
	struct host host;
	host_open(&host);
	static const char names[] = "errno\0malloc\0there_is_no_such_variable";
	memcpy(host.control->names, names, sizeof names);
	host_ring(&host, FARJIT_BELL_LOOKUP_THREAD_LOCALS, 0, 3);
	host_expect(&host, FARJIT_BELL_DONE);
	const uint64_t *found = host.control->addresses;
	CHECK(found[0] != 0);
	CHECK_EQUAL(found[2], 0);
	CHECK_EQUAL(found[4], 0);
	/* __tls_get_addr of it is what errno is on that thread. */
	uint64_t *index = (uint64_t *)(host.data + DATA_SCRATCH);
	index[0] = found[0];
	index[1] = found[1];
	uint64_t here = host_call(&host, host_lookup(&host, "__tls_get_addr"),
				  ARGUMENTS(data_address(&host, DATA_SCRATCH)), NULL);
	CHECK_EQUAL(here, host_call(&host, host_lookup(&host, "__errno_location"), ARGUMENTS(0), NULL));
	host_close(&host);
}

const struct test_case thread_cases[] = {
	{"threads-begin-with-the-template", threads_begin_with_the_template},
	{"threads-that-are-there-get-what-is-filled-and-nothing-else", threads_that_are_there_get_what_is_filled_and_nothing_else},
	{"a-unit-that-is-used-again-is-filled-again", a_unit_that_is_used_again_is_filled_again},
	{"threads-that-have-ended-are-filled-no-more", threads_that_have_ended_are_filled_no_more},
	{"tells-where-variables-of-libraries-are", tells_where_variables_of_libraries_are},
	{NULL, NULL},
};
