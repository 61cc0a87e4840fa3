/*
 * attempt: what happens to each attempt of a process that is as confined as this one.
 * attempt int80 | x32: a system call of another architecture, getpid, after which there should be no process.
 */
#include "attempts.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	static char text[16 * 1024];
	if (count == 2 && strcmp(arguments[1], "int80") == 0) {
		long result;
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
		return result > 0 ? 0 : 1;
	}
	if (count == 2 && strcmp(arguments[1], "x32") == 0)
		return syscall(0x40000000L + SYS_getpid) > 0 ? 0 : 1;
	size_t length = farjit_attempt_all(text, sizeof text);
	return write(STDOUT_FILENO, text, length) == (ssize_t)length ? 0 : 1;
}
