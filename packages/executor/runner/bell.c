/* The doorbell: 8-byte messages on a Unix stream socket. System calls are made by syscall(), for a function of libc that
 * waits is a cancellation point: a counter would end its thread, and a thread in a callback would keep its slot. */
#include "runner.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct farjit_bell) == 8, "a bell is written whole");

/* The host is gone, and nobody is left to tell; or the program has closed what is not its own. */
static _Noreturn void end_without_doorbell(int error)
{
	if (error == EBADF)
		farjit_fault("the program has closed the runner's doorbell");
	_exit(0);
}

static void wait_for_doorbell(short events)
{
	struct pollfd doorbell = {.fd = FARJIT_FD_DOORBELL, .events = events};
	syscall(SYS_ppoll, &doorbell, 1, NULL, NULL, 0);
}

void farjit_ring(enum farjit_bell_kind kind, uint16_t slot, uint32_t value)
{
	struct farjit_bell bell = {.kind = (uint16_t)kind, .slot = slot, .value = value};
	/* A stream socket takes 8 bytes whole or not at all, so threads need no lock between them. */
	while (syscall(SYS_write, FARJIT_FD_DOORBELL, &bell, sizeof bell) < 0) {
		if (errno == EAGAIN)
			wait_for_doorbell(POLLOUT);
		else if (errno != EINTR)
			end_without_doorbell(errno);
	}
}

struct farjit_bell farjit_next_bell(void)
{
	struct farjit_bell bell;
	size_t have = 0;
	while (have < sizeof bell) {
		ssize_t got = syscall(SYS_read, FARJIT_FD_DOORBELL, (char *)&bell + have, sizeof bell - have);
		if (got > 0)
			have += (size_t)got;
		else if (got < 0 && errno == EAGAIN)
			wait_for_doorbell(POLLIN);
		else if (got == 0 || errno != EINTR)
			end_without_doorbell(got == 0 ? 0 : errno);
	}
	return bell;
}
