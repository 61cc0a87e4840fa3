/* Futexes on words that host and runner share, so never the process-private kind. */
#ifndef FARJIT_FUTEX_H
#define FARJIT_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sleeps while *word is `expected`; may wake for nothing. Changes errno. */
static inline void farjit_futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
	syscall(SYS_futex, word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

/* Wakes every sleeper of *word, in both processes. Changes errno. */
static inline void farjit_futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

#endif
