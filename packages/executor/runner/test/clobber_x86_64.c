/*
 * Preloaded into the runner by some tests: a write(2) that leaves neither errno nor any vector or mask register as
 * it was, as any function may. The runner's resolver must not rely on what its C half happens to leave alone.
 */
#include <errno.h>
#include <sys/syscall.h>
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

ssize_t write(int descriptor, const void *from, size_t bytes)
{
	long written;
	__asm__ volatile("syscall"
			 : "=a"(written)
			 : "a"(SYS_write), "D"(descriptor), "S"(from), "d"(bytes)
			 : "rcx", "r11", "memory");
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile(ALL_32(TERNARY, "zmm") ALL_8(MASK, "k")::: "memory");
	else if (__builtin_cpu_supports("avx"))
		__asm__ volatile(ALL_16(COMPARE, "ymm")::: "memory");
	else
		__asm__ volatile(ALL_16(EQUAL, "xmm")::: "memory");
	errno = EIO;
	return written;
}
