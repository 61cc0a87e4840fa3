/* farjit-launch RUNNER: starts a runner as a child of who has started this, and is gone.
 *
 * What the kernel counts as a process's peak of memory begins with that of the process that it was made from, and an execve
 * keeps it: a child of Node would seem to have used what Node does. This one uses next to nothing. It has no libc, and so no
 * dynamic linking, which would take longer than all else that it does.
 *
 * The doorbell is told the runner's number before its first bell. */
#include "shared_layout.h"

#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/sched.h>
#include <linux/signal.h>

enum { FAILED = 64 };

static long system_call(long number, long a, long b, long c, long d, long e)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

static void say(const char *text)
{
	long length = 0;
	while (text[length] != '\0')
		length++;
	system_call(__NR_write, 2, (long)text, length, 0, 0);
}

static _Noreturn void end(long status)
{
	for (;;)
		system_call(__NR_exit_group, status, 0, 0, 0, 0);
}

/* The process that is a runner in a moment. */
static _Noreturn void become_runner(char **arguments, char **environment)
{
	struct farjit_bell bell = {
		.kind = FARJIT_BELL_LAUNCHED,
		.value = system_call(__NR_getpid, 0, 0, 0, 0, 0),
	};
	system_call(__NR_write, FARJIT_FD_DOORBELL, (long)&bell, sizeof bell, 0, 0);
	system_call(__NR_execve, (long)arguments[0], (long)arguments, (long)environment, 0, 0);
	say("farjit-launch: the runner cannot be executed\n");
	end(FAILED);
}

/* Called by the entry below. stack: how many arguments, the arguments and a null, the environment and a null. */
__attribute__((used)) static _Noreturn void launch(long *stack)
{
	long count = stack[0];
	char **arguments = (char **)(stack + 1);
	if (count < 2) {
		say("usage: farjit-launch RUNNER\nIt is started by farjit-executor.\n");
		end(FAILED);
	}
	long child = system_call(__NR_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		become_runner(arguments + 1, arguments + count + 1);
	if (child == -EAGAIN)
		say("farjit-launch: there can be no process for a runner: EAGAIN: a limit of processes is reached\n");
	else if (child < 0)
		say("farjit-launch: there can be no process for a runner: ENOMEM: there is no memory for one\n");
	end(child < 0 ? FAILED : 0);
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call launch\n");
