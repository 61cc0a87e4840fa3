/* A library that calls each function that a program may replace. */
#include "heap_functions.h"

#include <stdint.h>

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
