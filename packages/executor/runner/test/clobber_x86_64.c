/*
 * Preloaded into the runner by some tests: a syscall(2), which the runner rings its host by, that leaves neither errno
 * nor any vector or mask register as it was, as any function may. The runner's resolver must not rely on what its C half happens to leave alone.
 */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#define ALL_8(instruction, register) ".irp n, 0,1,2,3,4,5,6,7\n" instruction(register) "\n.endr\n"
#define ALL_16(instruction, register) ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n" instruction(register) "\n.endr\n"
#define ALL_32(instruction, register)                                                                                  \
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n" instruction(  \
		register) "\n.endr\n"
#define TERNARY(register) "vpternlogd $0xff, %%" register "\\n, %%" register "\\n, %%" register "\\n"
#define COMPARE(register) "vcmpps $15, %%" register "\\n, %%" register "\\n, %%" register "\\n"
#define EQUAL(register) "pcmpeqd %%" register "\\n, %%" register "\\n"
#define MASK(register) "kxnorw %%" register "\\n, %%" register "\\n, %%" register "\\n"

long syscall(long number, ...)
{
	long argument[6], result;
	va_list arguments;
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(arguments, long);
	va_end(arguments);
	register long r10 __asm__("r10") = argument[3];
	register long r8 __asm__("r8") = argument[4];
	register long r9 __asm__("r9") = argument[5];
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(argument[0]), "S"(argument[1]), "d"(argument[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile(ALL_32(TERNARY, "zmm") ALL_8(MASK, "k")::: "memory");
	else if (__builtin_cpu_supports("avx"))
		__asm__ volatile(ALL_16(COMPARE, "ymm")::: "memory");
	else
		__asm__ volatile(ALL_16(EQUAL, "xmm")::: "memory");
	errno = result < 0 ? (int)-result : EIO;
	return result < 0 ? -1 : result;
}
