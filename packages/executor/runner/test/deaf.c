/* In front of libgcc_s: an unwinder that finds unwind information by itself, and asks nobody. */
#include <stddef.h>

void *_Unwind_FindEnclosingFunction(void *program_counter);

void *_Unwind_FindEnclosingFunction(void *program_counter)
{
	(void)program_counter;
	return NULL;
}
