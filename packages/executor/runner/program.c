/* A whole program: what it finds when main begins, and the end of the process with it. */
#include "runner.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int main_function(int, char **, char **);

static _Atomic(struct farjit_thread *) main_thread;

bool farjit_has_program(void)
{
	return atomic_load(&main_thread);
}

bool farjit_is_main_thread(const struct farjit_thread *thread)
{
	return thread && atomic_load(&main_thread) == thread;
}

bool farjit_is_of_program(const struct farjit_thread *thread)
{
	return thread && atomic_load(&main_thread) &&
	       (thread->call_slot == FARJIT_NO_CALL_SLOT || farjit_is_main_thread(thread));
}

_Noreturn void farjit_end_program(uint32_t token)
{
	farjit_fail_calls(atomic_load(&main_thread)->call_slot, token);
	farjit_fault("the program cannot go on without a function that it has called");
}

/* Descriptor 0 becomes the pipe. Without one it stays what it was, which is at its end. */
static void take_input(bool has_input)
{
	if (has_input && syscall(SYS_dup3, FARJIT_FD_INPUT, STDIN_FILENO, 0) < 0)
		farjit_fault("cannot read the program's input: %s", strerror(errno));
	/* When the program closes its input, the host is to see it. */
	close(FARJIT_FD_INPUT);
	/* A call before may have found the end of what was there. */
	clearerr(stdin);
}

static void take_name(char **arguments)
{
	static char no_name[] = "";
	char *name = arguments[0] ? arguments[0] : no_name;
	char *slash = strrchr(name, '/');
	program_invocation_name = name;
	program_invocation_short_name = slash ? slash + 1 : name;
}

void farjit_run_program(void *block)
{
	struct farjit_program program;
	struct farjit_thread *none = NULL;
	memcpy(&program, block, sizeof program);
	if (!atomic_compare_exchange_strong(&main_thread, &none, farjit_current_thread()))
		farjit_fault("a program runs here already");
	char **arguments = (char **)program.arguments;
	environ = (char **)program.environment;
	take_input(program.has_input);
	take_name(arguments);
	farjit_buffer_lines(program.line_buffered);
	exit(((main_function *)program.main)((int)program.argument_count, arguments, environ));
}

_Noreturn void farjit_outlive_main(void)
{
	farjit_wait_for_program_threads();
	exit(0);
}
