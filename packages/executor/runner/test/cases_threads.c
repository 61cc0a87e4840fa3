/* Threads that JIT'd code makes; and thread-local memory: what threads begin with, and what those get that are there. */
#include "host.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

extern const char count_thread_local[], add_one[], start_and_reenter[];

/* Starts a thread with `create`, joins it with `join`; answers what it returned, as 64 bits. */
static uint64_t run_thread(struct host *host, const char *start_name, uint64_t start, uint64_t argument)
{
	bool posix = strcmp(start_name, "pthread_create") == 0;
	uint64_t thread = data_address(host, DATA_SCRATCH), result = data_address(host, DATA_SCRATCH + 8);
	uint64_t *words = (uint64_t *)(host->data + DATA_SCRATCH);
	words[0] = words[1] = 0;
	uint64_t created =
		posix ? host_call(host, host_lookup(host, start_name), ARGUMENTS(thread, 0, start, argument), NULL)
		      : host_call(host, host_lookup(host, start_name), ARGUMENTS(thread, start, argument), NULL);
	CHECK_EQUAL((uint32_t)created, 0);
	uint64_t joined = host_call(host, host_lookup(host, posix ? "pthread_join" : "thrd_join"),
				    ARGUMENTS(words[0], result), NULL);
	CHECK_EQUAL((uint32_t)joined, 0);
	return words[1];
}

static void counts_the_threads_of_jitted_code(void)
{
	struct host host;
	host_open(&host);
	uint64_t *words = (uint64_t *)(host.data + DATA_SCRATCH);
	uint64_t thread = data_address(&host, DATA_SCRATCH);
	uint64_t start = payload(&host, start_and_reenter);
	host_call(&host, host_lookup(&host, "pthread_create"),
		  ARGUMENTS(thread, 0, start, trampoline(&host, 1)), NULL);
	struct farjit_bell bell = host_expect(&host, FARJIT_BELL_REENTER);
	CHECK_EQUAL(host.control->program_threads, 1);
	CHECK_EQUAL(call_slot_of(&host, host.control->reentry[bell.slot].thread_id), FARJIT_CALL_SLOT_COUNT);
	host_release(&host, bell.slot, payload(&host, add_one));
	host_call(&host, host_lookup(&host, "pthread_join"),
		  ARGUMENTS(words[0], data_address(&host, DATA_SCRATCH + 8)), NULL);
	CHECK_EQUAL(words[1], 42);
	CHECK_EQUAL(host.control->program_threads, 0);
	host_close(&host);
}

static uint64_t mapped_bytes(FILE *maps)
{
	char line[512];
	uint64_t bytes = 0, start, end;
	rewind(maps);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2)
			bytes += end - start;
	return bytes;
}

static void threads_leave_nothing_mapped(void)
{
	enum { THREADS = 20, PAGE = 4096 };
	struct host host;
	char path[64];
	host_start(&host, (struct host_options){0});
	host_expect(&host, FARJIT_BELL_HELLO);
	/* Opened while the runner can still be inspected, read when it cannot. */
	snprintf(path, sizeof path, "/proc/%d/maps", host.pid);
	FILE *maps = fopen(path, "r");
	CHECK(maps);
	host_confine(&host, 0);
	uint64_t start = payload(&host, add_one);
	/* The C library keeps a stack for the next. */
	for (uint64_t i = 0; i < 4; i++)
		run_thread(&host, "pthread_create", start, i);
	uint64_t before = mapped_bytes(maps);
	for (uint64_t i = 0; i < THREADS; i++)
		run_thread(&host, "pthread_create", start, i);
	CHECK(mapped_bytes(maps) < before + THREADS / 2 * PAGE);
	/* Nor those that could not be made. */
	host.control->confine.threads = 0;
	for (uint64_t i = 0; i < THREADS; i++)
		CHECK_EQUAL((uint32_t)host_call(&host, host_lookup(&host, "pthread_create"),
						ARGUMENTS(data_address(&host, DATA_SCRATCH), 0, start, i), NULL),
			    EAGAIN);
	CHECK(mapped_bytes(maps) < before + THREADS / 2 * PAGE);
	CHECK_EQUAL(host.control->program_threads, 0);
	fclose(maps);
	host_close(&host);
}

static void threads_return_and_exit_as_usual(void)
{
	struct host host;
	host_open(&host);
	for (uint64_t i = 0; i < 50; i++)
		CHECK_EQUAL(run_thread(&host, "pthread_create", payload(&host, add_one), i), i + 1);
	CHECK_EQUAL((uint32_t)run_thread(&host, "thrd_create", payload(&host, add_one), 7), 8);
	CHECK_EQUAL(run_thread(&host, "pthread_create", host_lookup(&host, "pthread_exit"), 9), 9);
	CHECK_EQUAL((uint32_t)run_thread(&host, "thrd_create", host_lookup(&host, "thrd_exit"), 10), 10);
	CHECK_EQUAL(host.control->program_threads, 0);
	host_close(&host);
}

static void little_memory(struct farjit_control *control)
{
	control->confine.address_space_bytes = UINT64_C(1024) * 1024 * 1024;
	control->confine.data_bytes = UINT64_C(128) * 1024 * 1024;
}

/* A thread that cannot be made for its stack: the limit is named, once each. */
static void names_the_limit_that_refuses_a_threads_stack(void)
{
	static const struct {
		uint64_t stack_bytes;
		enum farjit_limit limit;
	} refused[] = {{UINT64_C(256) << 20, FARJIT_LIMIT_DATA}, {UINT64_C(4096) << 20, FARJIT_LIMIT_ADDRESS_SPACE}};
	struct host host;
	host_start(&host, (struct host_options){.prepare = little_memory});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_confine(&host, 0);
	const uint64_t wanted = data_address(&host, DATA_SCRATCH + 64), thread = data_address(&host, DATA_SCRATCH);
	const uint64_t create = host_lookup(&host, "pthread_create"), set = host_lookup(&host, "pthread_attr_setstacksize");
	host_call(&host, host_lookup(&host, "pthread_attr_init"), ARGUMENTS(wanted), NULL);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		for (int again = 0; again <= 1; again++) {
			CHECK_EQUAL(host_call(&host, set, ARGUMENTS(wanted, refused[i].stack_bytes), NULL), 0);
			CHECK_EQUAL((uint32_t)host_call(&host, create, ARGUMENTS(thread, wanted, payload(&host, add_one), 1), NULL), EAGAIN);
			if (!again)
				CHECK_EQUAL(host_expect(&host, FARJIT_BELL_LIMIT).value, refused[i].limit);
			CHECK(!host_hears(&host, 20));
			CHECK_EQUAL(host.control->program_threads, 0);
		}
	host_close(&host);
}

static void little_memory_and_large_stacks(struct farjit_control *control)
{
	little_memory(control);
	control->header.thread_stack_bytes = control->confine.address_space_bytes;
}

/* A call that has no room for its stack ends the runner, which says why. */
static void ends_when_a_call_has_no_room_for_its_stack(void)
{
	struct host host;
	host_start(&host, (struct host_options){.prepare = little_memory_and_large_stacks});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_confine(&host, 0);
	host_spawn(&host, 3);
	CHECK_EQUAL(host_expect(&host, FARJIT_BELL_LIMIT).value, FARJIT_LIMIT_ADDRESS_SPACE);
	host_wait_end(&host);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_FAULT);
	CHECK(strstr(host.control->end.message, "no memory for the stack of call slot 3"));
}

static void a_detached_thread_is_detached(void)
{
	struct host host;
	host_open(&host);
	const uint64_t thread = data_address(&host, DATA_SCRATCH), state = data_address(&host, DATA_SCRATCH + 8);
	const uint64_t wanted = data_address(&host, DATA_SCRATCH + 64), got = data_address(&host, DATA_SCRATCH + 128);
	uint64_t *words = (uint64_t *)(host.data + DATA_SCRATCH);
	host_call(&host, host_lookup(&host, "pthread_attr_init"), ARGUMENTS(wanted), NULL);
	host_call(&host, host_lookup(&host, "pthread_attr_setdetachstate"), ARGUMENTS(wanted, PTHREAD_CREATE_DETACHED),
		  NULL);
	host_call(&host, host_lookup(&host, "pthread_create"),
		  ARGUMENTS(thread, wanted, payload(&host, start_and_reenter), trampoline(&host, 1)), NULL);
	uint32_t slot = host_expect(&host, FARJIT_BELL_REENTER).slot;
	/* While it waits: when it has ended, nothing can be asked of it. */
	host_call(&host, host_lookup(&host, "pthread_getattr_np"), ARGUMENTS(words[0], got), NULL);
	host_call(&host, host_lookup(&host, "pthread_attr_getdetachstate"), ARGUMENTS(got, state), NULL);
	CHECK_EQUAL((uint32_t)words[1], PTHREAD_CREATE_DETACHED);
	host_release(&host, slot, payload(&host, add_one));
	host_close(&host);
}

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

/* Each order in which three threads may end. */
static void threads_end_in_any_order_and_the_others_are_filled(void)
{
	enum { THREADS = 3, DATA_THREADS = DATA_SCRATCH + 16, UNIT = 40 };
	static const int orders[][THREADS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct host host;
	host_open(&host);
	uint64_t create = host_lookup(&host, "pthread_create"), join = host_lookup(&host, "pthread_join");
	const uint64_t *threads = (const uint64_t *)(host.data + DATA_THREADS);
	const uint64_t *result = (const uint64_t *)(host.data + DATA_SCRATCH + 8);
	uint64_t value = 1000;
	for (size_t order = 0; order < sizeof orders / sizeof orders[0]; order++) {
		uint16_t slots[THREADS];
		for (size_t i = 0; i < THREADS; i++) {
			uint64_t thread = data_address(&host, DATA_THREADS + 8 * i);
			CHECK_EQUAL((uint32_t)host_call(&host, create, ARGUMENTS(thread, 0, trampoline(&host, 1), distance(&host, UNIT)), NULL), 0);
			slots[i] = host_expect(&host, FARJIT_BELL_REENTER).slot;
		}
		for (int i = 0; i < THREADS; i++) {
			int ending = orders[order][i];
			fill(&host, UNIT, value);
			host_release(&host, slots[ending], payload(&host, count_thread_local));
			CHECK_EQUAL(host_call(&host, join, ARGUMENTS(threads[ending], data_address(&host, DATA_SCRATCH + 8)), NULL), 0);
			CHECK_EQUAL(*result, value);
			value += 1000;
		}
	}
	host_close(&host);
}

/* All units that are said, the last of a word and the first of the next, and none beside them. */
static void units_are_filled_at_once(void)
{
	static const size_t units[] = {0, 31, 32, 33, 1023};
	enum { COUNT = sizeof units / sizeof units[0] };
	struct host host;
	host_open(&host);
	for (size_t i = 0; i < COUNT; i++)
		fill(&host, units[i], 1);
	/* The thread is there. */
	CHECK_EQUAL(count(&host, 32), 1);
	memset(host.control->thread_units, 0, sizeof host.control->thread_units);
	for (size_t i = 0; i < COUNT; i++) {
		*template_of(&host, units[i]) = 50 + i;
		if (units[i] != 32)
			host.control->thread_units[units[i] / 32] |= 1u << units[i] % 32;
	}
	host_ring(&host, FARJIT_BELL_FILL_THREADS, 0, 0);
	host_expect(&host, FARJIT_BELL_DONE);
	for (size_t i = 0; i < COUNT; i++)
		CHECK_EQUAL(count(&host, units[i]), units[i] == 32 ? 2 : 50 + i);
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
	{"counts-the-threads-of-jitted-code", counts_the_threads_of_jitted_code},
	{"threads-leave-nothing-mapped", threads_leave_nothing_mapped},
	{"threads-return-and-exit-as-usual", threads_return_and_exit_as_usual},
	{"names-the-limit-that-refuses-a-threads-stack", names_the_limit_that_refuses_a_threads_stack},
	{"ends-when-a-call-has-no-room-for-its-stack", ends_when_a_call_has_no_room_for_its_stack},
	{"a-detached-thread-is-detached", a_detached_thread_is_detached},
	{"threads-begin-with-the-template", threads_begin_with_the_template},
	{"threads-that-are-there-get-what-is-filled-and-nothing-else", threads_that_are_there_get_what_is_filled_and_nothing_else},
	{"a-unit-that-is-used-again-is-filled-again", a_unit_that_is_used_again_is_filled_again},
	{"threads-end-in-any-order-and-the-others-are-filled", threads_end_in_any_order_and_the_others_are_filled},
	{"units-are-filled-at-once", units_are_filled_at_once},
	{"threads-that-have-ended-are-filled-no-more", threads_that_have_ended_are_filled_no_more},
	{"tells-where-variables-of-libraries-are", tells_where_variables_of_libraries_are},
	{NULL, NULL},
};
