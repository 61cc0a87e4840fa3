/* Signals that wait while a thread holds what it must give back. */
#ifndef FARJIT_SIGNAL_MASK_H
#define FARJIT_SIGNAL_MASK_H

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A set of signals as the kernel takes it: one bit each, from signal 1 on. */
typedef uint64_t farjit_signals;

/* Blocks all there are, those of traps included, which programs may send, and the one that cancels a thread, which libc's own
 * function would not block. Answers what was blocked before. */
static inline farjit_signals farjit_block_signals(void)
{
	farjit_signals blocked = UINT64_MAX, before = 0;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, &before, sizeof before);
	return before;
}

/* What has waited comes now, and need not come back. */
static inline void farjit_restore_signals(farjit_signals before)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}

#endif
