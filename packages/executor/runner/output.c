/* stdout's buffer. */
#include "runner.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static char output_buffer[16 * 1024];

void farjit_output_initialize(void)
{
	/* With a buffer of its own, stdout never asks what kind of file it is, which the sandbox would refuse. */
	setvbuf(stdout, output_buffer, _IOLBF, sizeof output_buffer);
}

void farjit_buffer_lines(bool line_buffered)
{
	/* The buffer stays. */
	setvbuf(stdout, NULL, line_buffered ? _IOLBF : _IOFBF, 0);
}

void farjit_flush_pending(void)
{
	/* glibc's FILE says what is pending in two pointers; JIT'd code may have put anything there. */
	const char *from = stdout->_IO_write_base;
	const char *to = stdout->_IO_write_ptr;
	if (from < output_buffer || to > output_buffer + sizeof output_buffer)
		return;
	int saved_errno = errno;
	while (from < to) {
		/* write() is a cancellation point: a thread that ends of a trap would end of its cancellation. */
		ssize_t written = syscall(SYS_write, STDOUT_FILENO, from, (size_t)(to - from));
		if (written > 0)
			from += written;
		else if (errno != EINTR)
			break;
	}
	errno = saved_errno;
}
