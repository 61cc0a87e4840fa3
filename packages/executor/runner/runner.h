/*
 * What the parts of the runner say to each other. One section per file; the contract with the host is
 * shared_layout.h, the contract with the ABI's assembly is abi.h.
 */
#ifndef FARJIT_RUNNER_H
#define FARJIT_RUNNER_H

#include "abi.h"
#include "shared_layout.h"

#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <unwind.h>

#define FARJIT_RUNNER_VERSION "0.1.0"

enum {
	/* call_slot of a thread that no call slot owns. */
	FARJIT_NO_CALL_SLOT = 0xffffffffu,
	/* Exit status when the runner ends itself; `control.end` says why (EX_SOFTWARE of sysexits.h). */
	FARJIT_EXIT_FAULT = 70,
	/* Wrong command line (EX_USAGE). */
	FARJIT_EXIT_USAGE = 64,
	/* Unmapped bytes below a stack. Frames larger than a page that touch their far end first must still
	 * land in it; no function of libc that JIT'd code can reach has a frame near this size. */
	FARJIT_STACK_GUARD_BYTES = 1024 * 1024,
	/* The first pause while all slots of a kind are taken. */
	FARJIT_FIRST_PAUSE_NS = 50 * 1000,
};

/* A thread that runs JIT'd code: a worker, or one that JIT'd code made. Lives as long as its thread. */
struct farjit_thread {
	/* Where a failed callback unwinds to; NULL outside JIT'd code. */
	struct farjit_boundary *boundary;
	uint32_t thread_id;
	uint32_t call_slot;
	/* Failure token of the callback that is being unwound. */
	uint32_t unwind_token;
	/* What it runs for functions of the compiler's that it waits for: calls in each other. */
	uint32_t entered_count;
	/* Rounds of thread-specific destructors that have begun. */
	uint32_t destructor_rounds;
	/* [guard_start, stack_start) is unmapped, [stack_start, stack_end) is the stack. */
	uintptr_t guard_start;
	uintptr_t stack_start;
	uintptr_t stack_end;
	/* Alternate signal stack with its guard, from mmap. */
	void *signal_stack;
	struct _Unwind_Exception unwind_exception;
	/* thread_locals.c: its thread-local memory, and its place among all threads. */
	unsigned char *memory;
	struct farjit_thread *next;
	struct farjit_thread **link;
};

/* map.c: set once before HELLO, constant afterwards. */
extern struct farjit_control *farjit_control;
/* Start and end of the code part, for traps. */
extern uintptr_t farjit_code_start;
extern uintptr_t farjit_code_end;
/* Unwind information of JIT'd code. */
extern const struct farjit_frame_index *farjit_frame_index;
/* What threads begin with, FARJIT_THREAD_BYTES of it. */
extern const unsigned char *farjit_thread_template;
/* Start of the data part, which counters are told by their offset in. */
extern uintptr_t farjit_data_start;
/* Has the kernel keep the mappings of all parts but data as they are, until the process ends: nothing can be mapped over
 * them. False, with errno, when it does not do that. Main thread. */
bool farjit_seal_memory(void);
/* Maps both memfds, closes their descriptors, fills what `control` says before HELLO. Main thread, once. */
void farjit_map(void);

/* count.c */
/* Called by counted code at each entry and each iteration of a loop. Any thread. */
void farjit_count(_Atomic uint32_t *counter);

/* host_calls.c */
/* Called by the code that stands for a function of the compiler's: calls it by its number, and waits. `words` has room for the
 * result, and then the arguments. Any thread. */
void farjit_call_host(uint64_t function, uint64_t *words, uint64_t argument_count);
/* Whether the calling thread is in such a call. */
bool farjit_has_host_call(void);

/* bell.c */
/* Rings the host. Any thread; changes errno. */
void farjit_ring(enum farjit_bell_kind kind, uint16_t slot, uint32_t value);
/* Waits for the host's next bell. Main thread; ends the process when the host is gone. */
struct farjit_bell farjit_next_bell(void);

/* calls.c */
/* Starts the worker thread of a call slot. Main thread, after confinement. */
void farjit_spawn_worker(uint32_t slot);
/* The call in a slot fails with a callback's failure, with FARJIT_NO_CALL_SLOT all that run. The calling thread, any one, ends
 * the runner then: another that comes here does not return. */
void farjit_fail_calls(uint32_t slot, uint32_t token);

/* program.c */
/* Runs the `struct farjit_program` at `block`, and ends the process with what its main returns. A worker thread, as the
 * entry of its call. */
void farjit_run_program(void *block);
/* True once a program has begun. Async-signal-safe. */
bool farjit_has_program(void);
/* True for the thread that main runs on. Async-signal-safe. */
bool farjit_is_main_thread(const struct farjit_thread *thread);
/* True for that thread, and for those that JIT'd code has made, once a program has begun. Async-signal-safe. */
bool farjit_is_of_program(const struct farjit_thread *thread);
/* A thread of the program has called a function that failed: the program fails with that, and the runner ends. Nothing is
 * unwound, for a program's own handlers would take it for an exception. Any thread. */
_Noreturn void farjit_end_program(uint32_t token);
/* main's thread ends before the program does: the others end it, or the end of the last. On that thread. */
_Noreturn void farjit_outlive_main(void);

/* reentry.c */
/* The stack that a call to the host takes, with room to spare. A stack that is too short for it overflows here, where a trap is
 * still reported, or caught by the program. */
void farjit_need_stack(void);
/* Pauses while all slots of a kind are taken, from FARJIT_FIRST_PAUSE_NS on; answers how long the next pause is to be. */
long farjit_pause(long pause_ns);
/* What the host has no result for: unwinds the calling thread to its call, or ends the program or the runner. */
_Noreturn void farjit_fail(struct farjit_thread *thread, uint32_t token);

/* unwind.c */
/* Runs entry(argument) as the outermost JIT'd frame of `thread`. True: it returned, the answer is in *result.
 * False: a failed callback unwound it, the token is in thread->unwind_token. */
bool farjit_run_bounded(struct farjit_thread *thread, farjit_entry *entry, void *argument, uint64_t *result);
/* Unwinds the calling thread to its boundary; ends the runner where that is impossible, or a handler would see it. */
_Noreturn void farjit_unwind(struct farjit_thread *thread, uint32_t token);

/* sync_core.c */
/* Makes all threads see code that was written where other code was. Main thread. */
void farjit_sync_core(void);

/* frames.c */
/* Sees that libgcc_s asks here, and finds what its own _Unwind_Find_FDE is, for code that is not JIT'd. Main thread, first of
 * all. */
void farjit_frames_initialize(void);
/* What an FDE's pointers are relative to, and the start of its code: unwind-dw2-fde.h of libgcc. */
struct dwarf_eh_bases {
	void *text;
	void *data;
	void *function;
};
/* In place of libgcc_s's own, which it calls like a function of another library: the FDE of code, or NULL. Any thread;
 * async-signal-safe for JIT'd code, and where libc has _dl_find_object for all. */
const void *_Unwind_Find_FDE(void *program_counter, struct dwarf_eh_bases *bases);

/* backtrace.c */
/* A function's activation, as a trap or a call in it has left it. */
struct farjit_frame {
	/* As farjit_abi_registers copies them. */
	uint64_t registers[FARJIT_REGISTER_CAPACITY];
	/* Its program counter is a return address. */
	bool is_caller;
};
/* Return addresses, innermost first, at most FARJIT_TRAP_FRAME_COUNT; reads nothing outside the thread's stack but unwind
 * information. Async-signal-safe, as far as _Unwind_Find_FDE is. */
uint32_t farjit_walk_frames(const struct farjit_thread *thread, const uint64_t *registers, uint64_t *frames);
/* A word of the thread's stack; false for any other place. Async-signal-safe. */
bool farjit_read_stack(const struct farjit_thread *thread, uint64_t address, uint64_t *value);

/* cfi.c */
/* Makes of a frame its caller's, by unwind information; false, and the frame as it was, where there is none that can be
 * followed. Async-signal-safe, as far as _Unwind_Find_FDE is. */
bool farjit_cfi_step(struct farjit_frame *frame, const struct farjit_thread *thread);
/* What decides about exceptions in a function, by an address in it; NULL for one that neither catches nor cleans up. */
_Unwind_Personality_Fn farjit_personality_of(uint64_t address);

/* lookup.c */
/* Resolves `count` names of control.names into control.addresses, also in the libraries `wanted`, a bit set of enum
 * farjit_library; ends the runner where it has not all of them. Main thread. */
void farjit_lookup(uint32_t count, uint32_t wanted);

/* Resolves `count` names of control.names into modules and distances. Main thread. */
void farjit_lookup_thread_locals(uint32_t count);

/* thread_locals.c */
/* Gives back the calling thread's thread-local memory, which libc has cleared page by page: no JIT'd code runs on the control
 * thread. */
void farjit_thread_locals_initialize(void);
/* Where a thread's thread-local memory is, counted from its thread pointer; signed, and the same for all. */
uint64_t farjit_thread_offset(void);
/* Gives the calling thread what the template holds, before JIT'd code runs on it, and from now on what is filled. */
void farjit_join_threads(struct farjit_thread *thread);
/* The calling thread ends. */
void farjit_leave_threads(struct farjit_thread *thread);
/* Copies the units of the template that `control.thread_units` says to all threads. Main thread. */
void farjit_fill_threads(void);

/* threads.c */
/* The calling thread, or NULL on one that this runner did not start. Async-signal-safe. */
struct farjit_thread *farjit_current_thread(void);
/* First thing on a worker or program thread: makes it known, and its end noticed. */
void farjit_set_current_thread(struct farjit_thread *thread);
/* Alternate signal stack for the calling thread. make: any thread, NULL when memory is short. */
void *farjit_make_signal_stack(void);
void farjit_use_signal_stack(void *signal_stack);
/* Turns the calling thread's alternate stack off and unmaps it. */
void farjit_drop_signal_stack(void *signal_stack);
/* Before the first thread. */
void farjit_threads_initialize(void);
/* Returns when no thread is left that JIT'd code has made. */
void farjit_wait_for_program_threads(void);
/* From now on there are as many as control.confine says. Main thread, after confinement. */
void farjit_limit_threads(void);
/* Starts a thread of the runner's own. */
int farjit_start_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
/* What JIT'd code and the libraries it uses get for pthread_create and thrd_create. */
int farjit_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int farjit_thrd_create(pthread_t *thread, int (*start)(void *), void *argument);

/* traps.c */
/* Installs the trap handlers. Main thread, after farjit_map. */
void farjit_traps_initialize(void);
/* The calling thread runs no signal handlers any more. Main thread: those of the program run on the program's threads, and
 * none of them can end or hold the thread that works for the host. */
void farjit_leave_signals_to_others(void);

/* end.c */
/* True for the one thread that may write control.end. Async-signal-safe. */
bool farjit_claim_end(void);
/* Makes control.end valid. Async-signal-safe. */
void farjit_publish_end(enum farjit_end_kind kind);
/* Waits for another thread to end the process. Async-signal-safe. */
_Noreturn void farjit_wait_for_end(void);
/* Ends the runner with an end of `kind` and a message. Any thread, not in a signal handler. */
_Noreturn void farjit_end(enum farjit_end_kind kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define farjit_fault(...) farjit_end(FARJIT_END_FAULT, __VA_ARGS__)

/* output.c */
/* Makes stdout line-buffered in a buffer that farjit_flush_pending knows. Before any output. */
void farjit_output_initialize(void);
/* Has stdout write each line at once, or what fills its buffer. Any thread. */
void farjit_buffer_lines(bool line_buffered);
/* Writes what stdout has not written yet, without its lock. Async-signal-safe, best effort. */
void farjit_flush_pending(void);

/* sandbox.c */
/* Gives up rights as control.confine says; answers a bit set of enum farjit_confinement. Main thread, while it is the
 * only one; ends the runner where the level does not allow less. */
uint32_t farjit_confine(void);
/* Whether it is given files. */
bool farjit_has_files(void);
/* Dies with the host. Main thread; again after each change of credentials, which the kernel answers by
 * forgetting it. */
void farjit_die_with_host(void);
/* Adds "feature (reason)" to control.confine.missing. */
void farjit_note_missing(const char *feature, const char *reason);

/* seccomp.c */
/* Loads the filter, for all threads. Last of all. */
void farjit_load_filter(bool has_files);
/* Prints the system calls that the filter lets through, with reasons, as JSON on stdout. */
void farjit_print_system_calls(void);

/* confinement_report.c */
/* Prints as JSON on stdout how a runner is confined here and what is missing; answers the exit status. */
int farjit_print_confinement(void);

/* landlock.c */
/* The kernel's version of Landlock; less than 1, with errno, when it has none. */
long farjit_landlock_abi(void);
/* Takes away all rights that Landlock knows, but those to files that it is given; answers its ABI version, 0 when the kernel
 * has none. Needs no_new_privs. */
uint32_t farjit_restrict_with_landlock(bool has_files);

/* files.c */
/* Makes the root that the image of files says, in a mount namespace of its own, and hands its writable tree to the host; false,
 * with errno, where the kernel gives no such root. */
bool farjit_enter_files(void);
/* Calls `found` with each writable tree of the root, opened for a moment. */
void farjit_each_writable(void (*found)(int descriptor));
/* The same for each device that programs write to. */
void farjit_each_device(void (*found)(int descriptor));
/* The image is needed no more. */
void farjit_forget_image(void);

/* namespaces.c */
/* Moves to namespaces of its own, the mounts with an empty root; answers those of enum farjit_confinement that are in
 * force, and leaves capabilities in them to be dropped. */
uint32_t farjit_enter_namespaces(void);

/* limits.c */
/* Leaves the processor to the host, and dies before it when memory is short. Main thread, first of all. */
void farjit_yield_to_host(void);
/* Sets the limits of control.confine. `counts_alone`: the kernel counts this process's threads by themselves. */
void farjit_set_limits(bool counts_alone);
/* Reports a limit as reached. Any thread, not in a signal handler. */
void farjit_note_limit(enum farjit_limit limit);
/* `bytes` of memory were refused: reports the limit that did it, if it was one. Keeps errno. */
void farjit_note_refused_memory(size_t bytes);
/* What JIT'd code gets for libc's functions of these names: the same, and a refusal is noted. */
void *farjit_malloc(size_t bytes);
void *farjit_calloc(size_t count, size_t bytes);
void *farjit_realloc(void *block, size_t bytes);
void *farjit_reallocarray(void *block, size_t count, size_t bytes);
void *farjit_aligned_alloc(size_t alignment, size_t bytes);
void *farjit_memalign(size_t alignment, size_t bytes);
void *farjit_valloc(size_t bytes);
void *farjit_pvalloc(size_t bytes);
int farjit_posix_memalign(void **block, size_t alignment, size_t bytes);
void *farjit_mmap(void *address, size_t bytes, int rights, int flags, int descriptor, long offset);
void *farjit_mremap(void *address, size_t old_bytes, size_t bytes, int flags, void *new_address);

/* The same for descriptors; the variadic ones of libc are given all that there can be. */
int farjit_open(const char *path, int flags, mode_t mode);
int farjit_openat(int folder, const char *path, int flags, mode_t mode);
int farjit_dup(int descriptor);
FILE *farjit_fopen(const char *path, const char *mode);
FILE *farjit_tmpfile(void);
DIR *farjit_opendir(const char *path);

/* preload.c */
/* Loads the `count` libraries that control.names holds. Main thread, before confinement. */
void farjit_preload(uint32_t count);

#endif
