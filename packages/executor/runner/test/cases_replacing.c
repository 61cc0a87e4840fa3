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

/* One after the other: a library calls the program's function with what it was called with, and takes what that answers. */
static void libraries_call_each_function_that_a_program_replaces(void)
{
#define NAME(name) #name,
	static const char *const names[] = {FOR_EACH_HEAP_FUNCTION(NAME)};
	/* No block of the heap's is there. */
	const uint64_t arguments[] = {UINT64_C(0x123456789ab0), UINT64_C(0xfedcba9876543210), 0x77};
	struct host host;
	host_start(&host, (struct host_options){.preloaded = "heap-user.so"});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_confine(&host, 0);
	const uint64_t call = host_lookup(&host, "farjit_test_call_heap");
	const struct noted *noted = (const struct noted *)(host.data + DATA_SCRATCH);
	*(uint64_t *)payload_view(&host, note_arguments_area) = data_address(&host, DATA_SCRATCH);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
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

const struct test_case replacing_cases[] = {
	{"libraries-call-each-function-that-a-program-replaces", libraries_call_each_function_that_a_program_replaces},
	{0},
};
