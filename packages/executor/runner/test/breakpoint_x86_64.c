/* Where a stopped thread is, and where it stops next: by the debug registers, which are the thread's own. Intel SDM volume 3, 17.2. */
#include "breakpoint.h"

#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

uint64_t program_counter(pid_t thread)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, thread, offsetof(struct user, regs.rip), NULL);
}

static bool set(pid_t thread, size_t number, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, thread, offsetof(struct user, u_debugreg) + number * sizeof value, value) == 0;
}

enum { ADDRESS = 0, CONTROL = 7, ENABLE_FIRST = 1 };

bool stop_before(pid_t thread, uint64_t address)
{
	return set(thread, ADDRESS, address) && set(thread, CONTROL, ENABLE_FIRST);
}

bool stop_nowhere(pid_t thread)
{
	return set(thread, CONTROL, 0);
}
