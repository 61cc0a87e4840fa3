/* Functions of libraries that a program replaces. */
#include "host.h"

#include "heap_functions.h"

#include <string.h>

extern const char note_arguments[], note_arguments_area[];

/* What the payload's note_arguments writes. */
struct noted {
	uint64_t argument[3];
	uint64_t count;
};

enum { NOTE_ARGUMENTS_ANSWER = 0x7e57 };

#define NAME(name) #name,
static const char *const names[] = {FOR_EACH_HEAP_FUNCTION(NAME)};
enum { FUNCTIONS = sizeof names / sizeof names[0] };

/* One after the other: a library calls the program's function with what it was called with, and takes what that answers. */
static void libraries_call_each_function_that_a_program_replaces(void)
{
	/* No block of the heap's is there. */
	const uint64_t arguments[] = {UINT64_C(0x123456789ab0), UINT64_C(0xfedcba9876543210), 0x77};
	struct host host;
	host_start(&host, (struct host_options){.preloaded = "heap-user.so"});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_confine(&host, 0);
	const uint64_t call = host_lookup(&host, "farjit_test_call_heap");
	const struct noted *noted = (const struct noted *)(host.data + DATA_SCRATCH);
	*(uint64_t *)payload_view(&host, note_arguments_area) = data_address(&host, DATA_SCRATCH);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		char name[128] = "farjit$replace$";
		uint64_t replace = host_lookup(&host, strcat(name, names[i]));
		if (replace == 0)
			fail(__FILE__, __LINE__, name);
		host_call(&host, replace, ARGUMENTS(payload(&host, note_arguments)), NULL);
		memset(host.data + DATA_SCRATCH, 0, sizeof *noted);
		uint64_t answer = host_call(&host, call, ARGUMENTS(i, arguments[0], arguments[1], arguments[2]), NULL);
		bool makes = strstr(names[i], "_Zd") != names[i] && strcmp(names[i], "free") != 0;
		size_t count = strcmp(names[i], "realloc") == 0 ? 2 : 3;
		if (noted->count != 1 || memcmp(noted->argument, arguments, count * sizeof *arguments) != 0 ||
		    (makes && answer != NOTE_ARGUMENTS_ANSWER))
			fail(__FILE__, __LINE__, name);
	}
	host_close(&host);
}

static uint64_t number_of(const char *wanted)
{
	for (uint64_t number = 0; number < FUNCTIONS; number++)
		if (strcmp(names[number], wanted) == 0)
			return number;
	fail(__FILE__, __LINE__, wanted);
}

/* What a library has from before becomes the program's when it is made larger or smaller: so many bytes of it, and no more. */
static void a_block_of_before_moves_to_the_programs_heap(void)
{
	static const struct {
		size_t bytes, kept;
		bool is_full;
	} rounds[] = {{16, 16, false}, {200, 48, false}, {16, 0, true}};
	struct host host;
	host_start(&host, (struct host_options){.preloaded = "heap-user.so"});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_confine(&host, 0);
	const uint64_t call = host_lookup(&host, "farjit_test_call_heap"), byte = host_lookup(&host, "farjit_test_byte");
	const uint64_t own = host_lookup(&host, "farjit_test_own_heap"), full = host_lookup(&host, "farjit_test_own_heap_is_full");
	const uint64_t realloc_number = number_of("realloc");
	host_call(&host, host_lookup(&host, "farjit$replace$realloc"),
		  ARGUMENTS(host_lookup(&host, "farjit_test_own_realloc")), NULL);
	for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++) {
		uint64_t block = host_call(&host, host_lookup(&host, "farjit_test_earlier"), ARGUMENTS(i), NULL);
		if (rounds[i].is_full)
			host_call(&host, host_lookup(&host, "memset"), ARGUMENTS(full, 1, 1), NULL);
		uint64_t moved = host_call(&host, call, ARGUMENTS(realloc_number, block, rounds[i].bytes), NULL);
		if (rounds[i].is_full) {
			/* As it was. */
			CHECK_EQUAL(moved, 0);
			for (size_t at = 0; at < 48; at++)
				CHECK_EQUAL(host_call(&host, byte, ARGUMENTS(block + at), NULL), at + 1);
			continue;
		}
		CHECK_EQUAL(moved, own);
		for (size_t at = 0; at < rounds[i].kept; at++)
			CHECK_EQUAL(host_call(&host, byte, ARGUMENTS(own + at), NULL), at + 1);
		for (size_t at = rounds[i].bytes; at < 256; at++)
			CHECK_EQUAL(host_call(&host, byte, ARGUMENTS(own + at), NULL), 0);
		/* libc has it back, and gives it to who asks for as much next. */
		CHECK_EQUAL(host_call(&host, host_lookup(&host, "malloc"), ARGUMENTS(48), NULL), block);
	}
	host_close(&host);
}

/* What libc does for the runner's own thread is done with libc's memory: that thread waits for nobody's code. */
static void the_control_thread_goes_on_with_libcs_heap(void)
{
	struct host host;
	host_start(&host, (struct host_options){.preloaded = "heap-user.so"});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_confine(&host, 0);
	const struct noted *noted = (const struct noted *)(host.data + DATA_SCRATCH);
	*(uint64_t *)payload_view(&host, note_arguments_area) = data_address(&host, DATA_SCRATCH);
	static const char *const replaced[] = {"malloc", "calloc", "realloc", "free"};
	uint64_t replace[4];
	for (size_t i = 0; i < 4; i++) {
		char name[64] = "farjit$replace$";
		replace[i] = host_lookup(&host, strcat(name, replaced[i]));
	}
	for (size_t i = 0; i < 4; i++)
		host_call(&host, replace[i], ARGUMENTS(payload(&host, note_arguments)), NULL);
	memset(host.data + DATA_SCRATCH, 0, sizeof *noted);
	/* libc keeps what went wrong. */
	CHECK_EQUAL(host_lookup(&host, "nobody_has_this"), 0);
	CHECK_EQUAL(host_lookup(&host, "nor_this"), 0);
	host_spawn(&host, 1);
	CHECK_EQUAL(noted->count, 0);
	host_close(&host);
}

const struct test_case replacing_cases[] = {
	{"libraries-call-each-function-that-a-program-replaces", libraries_call_each_function_that_a_program_replaces},
	{"a-block-of-before-moves-to-the-programs-heap", a_block_of_before_moves_to_the_programs_heap},
	{"the-control-thread-goes-on-with-libcs-heap", the_control_thread_goes_on_with_libcs_heap},
	{0},
};
