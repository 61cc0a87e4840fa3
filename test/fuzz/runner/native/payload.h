/*
 * A program's native half: an interpreter of byte programs, preloaded into a real runner, that does to the runner and to
 * the memory it shares with its host whatever a program says. `../program.ts` makes the programs and names operations,
 * values and words of the input; the enumerations come from there (vocabulary.h).
 */
#ifndef FARJIT_FUZZ_PAYLOAD_H
#define FARJIT_FUZZ_PAYLOAD_H

#include "shared_layout.h"
#include "vocabulary.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	THREADS = 512,
	RESULTS = 16,
	SCRATCH_BYTES = 128 * 1024,
	/* `callq *disp32(%rip)`: a trampoline returns behind it. */
	TRAMPOLINE_CALL_BYTES = 6,
};

/* As program.ts packs it. */
struct operation {
	uint8_t code;
	uint8_t mode;
	uint16_t values[7];
};
_Static_assert(sizeof(struct operation) == FUZZ_OPERATION_BYTES, "operations are packed");

/* Where a thread that a program starts is told from: known by number, never given back. */
struct started {
	/* 0 until the thread runs. */
	_Atomic uint32_t thread_id;
	pthread_t thread;
	bool has_pthread;
	struct program *program;
	uint32_t first, count;
};

struct program {
	uint64_t words[FUZZ_WORDS];
	struct operation operations[FUZZ_MAX_OPERATIONS];
	uint64_t end_ns;
	/* Of the call that the program began with. */
	struct farjit_call_slot *slot;
	/* Memory of its own to make arguments in. */
	char *scratch;
	_Atomic uint64_t bells;
	_Atomic uint64_t done;
	/* 1 + the operation that went wrong though nothing a program does may make it go wrong. */
	_Atomic uint64_t failure;
	_Atomic uint32_t started_count;
	struct started started[THREADS];
};

/* A thread that runs a part of a program. */
struct runner_thread {
	struct program *program;
	uint64_t results[RESULTS];
	uint32_t result_count;
	int depth;
};

/* interpreter.c */
/* Runs `count` operations from `first` on, until the program's time is over. */
void fuzz_run(struct runner_thread *thread, uint32_t first, uint32_t count);
bool fuzz_is_over(const struct program *program);
uint64_t fuzz_now_ns(void);

/* values.c */
/* What a value of an operation stands for: a number or an address. */
uint64_t fuzz_value(struct runner_thread *thread, uint16_t value);
/* A system call by number, from any thread, also one that libc knows nothing of. */
long fuzz_system_call(long number, const uint64_t arguments[6]);

/* memory.c */
/* Takes so much memory in the way that `mode` says, and uses it. */
void fuzz_grab(struct program *program, uint8_t mode, uint32_t pages);
/* Writes to every page of a range. */
void fuzz_touch(uint64_t address, uint64_t bytes);

/* threads.c */
void fuzz_start_thread(struct runner_thread *thread, const struct operation *operation);
void fuzz_join(struct runner_thread *thread, const struct operation *operation);
void fuzz_cancel(struct runner_thread *thread, const struct operation *operation);
void fuzz_handle_signal(struct runner_thread *thread, const struct operation *operation);
void fuzz_send_signal(struct runner_thread *thread, const struct operation *operation);
/* The thread that was started as the `back`th last; NULL when there is none. */
struct started *fuzz_started(struct program *program, uint16_t back);

#endif
