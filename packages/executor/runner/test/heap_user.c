/* A library that calls each function that a program may replace. */
#include "heap_functions.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t function(uint64_t first, uint64_t second, uint64_t third);

#define DECLARE(name) extern function called_##name __asm__(#name);
FOR_EACH_HEAP_FUNCTION(DECLARE)

#define LIST(name) called_##name,
static function *const functions[] = {FOR_EACH_HEAP_FUNCTION(LIST)};

uint64_t farjit_test_call_heap(uint64_t number, uint64_t first, uint64_t second, uint64_t third);

uint64_t farjit_test_call_heap(uint64_t number, uint64_t first, uint64_t second, uint64_t third)
{
	return functions[number](first, second, third);
}

enum { EARLIER_BYTES = 48, OWN_BYTES = 256 };

/* Blocks of libc's, from before a program has replaced anything: bytes 1, 2, 3 and so on. */
static unsigned char *earlier[3];

static void __attribute__((constructor)) make_earlier(void)
{
	for (size_t i = 0; i < sizeof earlier / sizeof earlier[0]; i++) {
		earlier[i] = malloc(EARLIER_BYTES);
		for (unsigned at = 0; earlier[i] && at < EARLIER_BYTES; at++)
			earlier[i][at] = (unsigned char)(at + 1);
	}
}

/* Memory of a program's heap, which gives one block out, again and again, or none. */
unsigned char farjit_test_own_heap[OWN_BYTES];
uint64_t farjit_test_own_heap_is_full;

void *farjit_test_own_realloc(void *block, size_t bytes);

void *farjit_test_own_realloc(void *block, size_t bytes)
{
	/* It knows no other block. */
	if (block || bytes > OWN_BYTES)
		abort();
	return farjit_test_own_heap_is_full ? NULL : memset(farjit_test_own_heap, 0, OWN_BYTES);
}

uint64_t farjit_test_earlier(uint64_t number);

uint64_t farjit_test_earlier(uint64_t number)
{
	return (uint64_t)earlier[number];
}

/* What is at an address of this process. */
uint64_t farjit_test_byte(uint64_t address);

uint64_t farjit_test_byte(uint64_t address)
{
	return *(const unsigned char *)address;
}
