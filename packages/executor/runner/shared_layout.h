/*
 * What the host (TypeScript) and the runner (C) share: one memory reservation over two memfds, and a doorbell.
 *
 * Reservation, contiguous in the runner at an address of its own choosing, so that everything in it is within
 * +-2 GiB of everything else:
 *
 *   sealed memfd   | code      r-x | constant  r-- |   host: rw-, sealed against further writable maps
 *   shared memfd   | control   rw- | data      rw- |   host: rw-
 *
 * The control part is `struct farjit_control`. The runner is hostile as soon as JIT'd code runs: the host copies
 * each field it reads once and then checks it. Offsets are in bytes from the start of their structure; everything is
 * little-endian.
 *
 * Doorbell: a Unix stream socket between host and runner. Every message, either way, is one 8-byte
 * `struct farjit_bell`, written whole.
 *
 * Written by scripts/shared-layout.mjs from packages/executor/shared-layout.mjs: change that, and run it.
 */
#ifndef FARJIT_SHARED_LAYOUT_H
#define FARJIT_SHARED_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define FARJIT_LAYOUT_MAGIC 0x544a5246u
/* A fingerprint of what follows. */
#define FARJIT_LAYOUT_VERSION 0x77e6a60du

enum {
	FARJIT_REENTRY_SLOT_COUNT = 256,
	FARJIT_CALL_SLOT_COUNT = 64,
	FARJIT_HOST_CALL_SLOT_COUNT = 256, /* calls of functions of the compiler's, at a time; one for each thread */
	FARJIT_HOST_CALL_WORDS = 32, /* the result of such a call, and its arguments */
	FARJIT_BLOCK_BYTES = 49152, /* arguments and results of a call */
	FARJIT_NAME_BYTES = 65536, /* names of one lookup, with what ends each */
	FARJIT_LOOKUP_NAME_COUNT = 4096,
	FARJIT_TRAP_FRAME_COUNT = 64,
	/* As many registers as a trap report has room for: AArch64 has x0 to x30, sp, pc and pstate. */
	FARJIT_REGISTER_CAPACITY = 34,
	/*
	 * Counters of functions lie in pages of their own. The first word of such a page is the threshold of the
	 * rest; its end has a bit for each of its words, which is set when that counter has got there.
	 */
	FARJIT_COUNTER_PAGE_BYTES = 4096,
	FARJIT_HOT_BITS_OFFSET = 3968, /* where those bits are */
	FARJIT_DATA_PAGES = 524288, /* more pages of counters than a data part has */
	FARJIT_HOT_PAGE_WORDS = 16384,
	/*
	 * thread-local memory of JIT'd code: of each thread's copy, and of the template that copies are made of, in
	 * whole pages in front of the index of unwind information
	 */
	FARJIT_THREAD_BYTES = 65536,
	FARJIT_THREAD_UNIT_BYTES = 64, /* what both are aligned to, and filled by */
	FARJIT_THREAD_UNIT_WORDS = 32,
	FARJIT_MISSING_BYTES = 512, /* words about what the kernel lacks */
	FARJIT_END_MESSAGE_BYTES = 640, /* at the longest a sentence with all that is missing */
};

/* Descriptors the runner is started with. */
enum farjit_fd {
	FARJIT_FD_DOORBELL = 3,
	FARJIT_FD_SEALED = 4,
	FARJIT_FD_SHARED = 5,
	FARJIT_FD_INPUT = 6, /* a program's standard input, until it begins */
	FARJIT_FD_IMAGE = 7, /* only with `--files`: the files that it is given */
	/* only with `--files`: a socket over which the host is given the folder of all that is writable */
	FARJIT_FD_TREE = 8,
};

/* From runner to host up to 15, from host to runner from 16 on. */
enum farjit_bell_kind {
	FARJIT_BELL_HELLO = 1, /* mapped; addresses are in `control`; waiting for CONFINE */
	FARJIT_BELL_CONFINED = 2, /* confinement done; `value` is a bit set of `enum farjit_confinement` */
	FARJIT_BELL_REENTER = 3, /* `slot`: a thread blocks in that reentry slot */
	FARJIT_BELL_CALL_DONE = 4, /* `slot`: the call in that call slot has ended, see its state */
	FARJIT_BELL_DONE = 5, /* what the host asked for is done, unless another kind says that */
	FARJIT_BELL_HOT = 6, /* `control.hot_pending` has become 1 */
	FARJIT_BELL_HOST_CALL = 7, /* `slot`: a thread waits in that host call slot, see its state */
	FARJIT_BELL_LIMIT = 8, /* `value`: an `enum farjit_limit` that was reached, once each */
	/* rung for the runner before it is executed, by farjit-launch; `value`: its process id */
	FARJIT_BELL_LAUNCHED = 9,
	FARJIT_BELL_CONFINE = 16, /* confine yourself, as `control.confine` says */
	FARJIT_BELL_SPAWN = 17, /* `slot`: start the worker thread of that call slot */
	FARJIT_BELL_SYNC_CORE = 18, /* membarrier(PRIVATE_EXPEDITED_SYNC_CORE): code was written where other code was */
	/*
	 * resolve `control.names` into `control.addresses`; `slot`: bits of `enum farjit_library`, which have them,
	 * too; `value`: how many names
	 */
	FARJIT_BELL_LOOKUP = 19,
	/*
	 * copy those units of the template of thread-local memory that `control.thread_units` has bits for to all
	 * threads
	 */
	FARJIT_BELL_FILL_THREADS = 20,
	/*
	 * resolve `control.names` into pairs in `control.addresses`: the module of a thread-local variable, 0 for
	 * none, and its distance from the start of the module's; `value`: how many names, at most half of what there
	 * is room for
	 */
	FARJIT_BELL_LOOKUP_THREAD_LOCALS = 21,
	FARJIT_BELL_PRELOAD = 24, /* before CONFINE: load the libraries in `control.names`; `value`: how many */
};

struct farjit_bell {
	uint16_t kind;
	uint16_t slot;
	uint32_t value;
};

/* Bits of what is in force. */
enum farjit_confinement {
	FARJIT_CONFINED_NO_NEW_PRIVS = 1,
	FARJIT_CONFINED_SECCOMP = 2,
	FARJIT_CONFINED_OWN_USER = 4,
	FARJIT_CONFINED_UNDUMPABLE = 8,
	FARJIT_CONFINED_LANDLOCK = 16,
	FARJIT_CONFINED_USER_NAMESPACE = 32,
	FARJIT_CONFINED_NETWORK_NAMESPACE = 64,
	FARJIT_CONFINED_MOUNT_NAMESPACE = 128, /* with an empty root */
	FARJIT_CONFINED_IPC_NAMESPACE = 256,
	FARJIT_CONFINED_LIMITS = 512,
	FARJIT_CONFINED_SEALED_MEMORY = 1024, /* nothing can be mapped over code, constants and control */
};

enum farjit_sandbox {
	FARJIT_SANDBOX_OFF = 0, /* limits only */
	FARJIT_SANDBOX_DEFAULT = 1, /* whatever the kernel has; never without seccomp */
	FARJIT_SANDBOX_STRICT = 2, /* all of it, or the runner ends */
};

/* Limits that the runner itself sees reached: what it reports with LIMIT. */
enum farjit_limit {
	FARJIT_LIMIT_ADDRESS_SPACE = 1,
	FARJIT_LIMIT_DATA = 2,
	FARJIT_LIMIT_THREADS = 3,
	FARJIT_LIMIT_DESCRIPTORS = 4,
};

/*
 * Bits: sets of functions in the runner itself, each with a file in runner/libraries. A program finds those of the
 * libraries that its session asks for, by the name that the enumerator has here.
 */
enum farjit_library {
	FARJIT_LIBRARY_KALEIDOSCOPE = 1, /* putchard, printd */
};

/* How to be confined, from the host, and what came of it. */
struct farjit_confine {
	uint32_t sandbox; /* an `enum farjit_sandbox` */
	uint32_t user_id; /* uid and gid to become, 0 to keep */
	/* Limits; the largest number means none. */
	uint64_t address_space_bytes;
	uint64_t data_bytes;
	uint64_t cpu_seconds;
	uint32_t threads; /* that JIT'd code makes */
	uint32_t descriptors;
	uint64_t file_size_bytes; /* of each file that is written */
	uint64_t file_space_bytes; /* of all that is written, together; 0: there are no files */
	uint32_t file_count; /* of what is made in writable trees */
	/* Written by the runner before CONFINED. */
	uint32_t landlock_abi; /* 0: none */
	char missing[FARJIT_MISSING_BYTES]; /* features that are not in force, and why; the host may begin */
};

/* Of what a runner is given. */
enum farjit_file_kind {
	FARJIT_FILE_REGULAR = 1, /* behind its path: its content */
	FARJIT_FILE_DIRECTORY = 2,
	FARJIT_FILE_LINK = 3, /* symbolic; behind its path: where it leads */
	FARJIT_FILE_WRITABLE = 4, /* a directory in which all can be written */
};

/*
 * An entry of the image of files that a runner is given, which has no others than these. Behind it are `path_bytes`
 * bytes of its path, which does not begin with a slash, then `size_bytes` of content. Folders come before what is in
 * them; the first one, without a path, is a link whose content is the folder that the program begins in.
 */
struct farjit_file {
	uint32_t kind; /* an `enum farjit_file_kind` */
	uint32_t mode; /* rights */
	uint64_t path_bytes;
	uint64_t size_bytes;
};

/*
 * Index of unwind information, at the end of the constant part, so that only the host can write it. The runner
 * searches it while it grows: a node is filled before a head or another node leads to it.
 *
 * The code part is cut into cells, at several levels: of 4 KiB, of 32 KiB, and so on, up to one of all code. Each
 * cell has a list of nodes. A record stands at the lowest level where it reaches over one or two cells, in the lists
 * of both. `heads` are those of all cells, level by level.
 */
enum {
	FARJIT_FRAME_CELL_SHIFT = 12, /* bits of an offset in a cell of the lowest level */
	FARJIT_FRAME_LEVEL_SHIFT = 3, /* bits more in each level above */
};

/* An FDE, and the code that it is for. Offsets are from the start of the reservation, where the code part is. */
struct farjit_frame_record {
	uint32_t start;
	uint32_t end; /* first byte after it */
	uint32_t fde;
	uint32_t cell; /* index of its list in `heads` */
};

struct farjit_frame_node {
	struct farjit_frame_record record;
	_Atomic uint64_t next; /* offset of a node, 0 for none */
	/* The host's. */
	uint64_t previous;
	uint64_t sibling; /* next node of the same .eh_frame */
};

struct farjit_frame_index {
	_Atomic uint64_t removals; /* counted before a node that was removed is used again */
	_Atomic uint64_t heads[]; /* offsets of nodes, 0 for none; rounded up to pages */
};

/* Of a call out of JIT'd code: a futex word. */
enum farjit_reentry_state {
	FARJIT_REENTRY_FREE = 0, /* claimed by a thread: -> CLAIMED */
	FARJIT_REENTRY_CLAIMED = 1, /* being filled: -> POSTED, then the doorbell */
	FARJIT_REENTRY_POSTED = 2, /* the thread waits; the host: -> RELEASED or UNWIND */
	FARJIT_REENTRY_RELEASED = 3, /* the thread wakes: takes the landing, -> FREE */
	FARJIT_REENTRY_UNWIND = 4, /* the thread wakes: -> FREE, then unwinds to its call boundary */
};

enum farjit_reentry_kind {
	FARJIT_REENTRY_COMPILE = 1, /* a trampoline was called */
};

struct farjit_reentry_slot {
	_Atomic uint32_t state;
	uint32_t kind;
	uint64_t return_address; /* behind the call instruction of the trampoline, which it names */
	uint64_t landing; /* from the host: where the thread goes on */
	uint32_t thread_id;
	uint32_t token; /* of the failure, from the host with UNWIND */
	/* Nanoseconds of CLOCK_MONOTONIC, for people who look inside. */
	uint64_t posted_ns; /* when it was last posted */
	uint64_t landed_ns; /* when a thread was last let go, or unwound: kept until the next is */
};

/* Of a call of a function of the compiler's: a futex word. */
enum farjit_host_call_state {
	FARJIT_HOST_CALL_FREE = 0, /* claimed by a thread: -> CLAIMED */
	FARJIT_HOST_CALL_CLAIMED = 1, /* being filled: -> POSTED, then the doorbell */
	FARJIT_HOST_CALL_POSTED = 2, /* the thread waits; the host: -> RELEASED, UNWIND or ENTER */
	/* the thread wakes: takes the result, -> FREE, or ENTERED in a call that it has made in another */
	FARJIT_HOST_CALL_RELEASED = 3,
	FARJIT_HOST_CALL_UNWIND = 4, /* the thread wakes: the same, then fails as over a callback that has failed */
	FARJIT_HOST_CALL_ENTER = 5, /* the thread wakes: -> ENTERED */
	/*
	 * the thread runs `entry`; when that calls a function -> POSTED, and at its end -> RETURNED or UNWOUND, then
	 * the doorbell
	 */
	FARJIT_HOST_CALL_ENTERED = 6,
	FARJIT_HOST_CALL_RETURNED = 7, /* the thread waits, as POSTED */
	FARJIT_HOST_CALL_UNWOUND = 8, /* the same, after a failed callback, `token` says which */
};

struct farjit_host_call_slot {
	_Atomic uint32_t state;
	uint32_t thread_id;
	uint32_t token; /* of the failure, from the host with UNWIND, to it with UNWOUND */
	uint32_t argument_count;
	uint64_t function; /* its number, which the compiler has given */
	uint64_t entry; /* void (*)(void *argument), from the host with ENTER */
	uint64_t argument;
	uint64_t words[FARJIT_HOST_CALL_WORDS]; /* the result, from the host with RELEASED; then the arguments */
};

/*
 * Of a call into JIT'd code, one worker thread per slot: a futex word. The first call may be POSTED right after
 * SPAWN, or before it: a new worker makes IDLE only of NO_WORKER.
 */
enum farjit_call_state {
	FARJIT_CALL_NO_WORKER = 0, /* host sends SPAWN; the new worker: -> IDLE */
	FARJIT_CALL_IDLE = 1, /* worker waits; the host fills the slot: -> POSTED */
	FARJIT_CALL_POSTED = 2, /* worker: -> RUNNING */
	FARJIT_CALL_RUNNING = 3, /* worker: -> RETURNED or UNWOUND, then the doorbell */
	FARJIT_CALL_RETURNED = 4, /* host: -> IDLE */
	FARJIT_CALL_UNWOUND = 5, /* ended by a failed callback, `token` says which; host: -> IDLE */
	FARJIT_CALL_FAILED = 6, /* the same, but frames in between must not go on: the runner ends, and rings no more */
};

struct farjit_call_slot {
	_Atomic uint32_t state;
	uint32_t thread_id;
	uint64_t entry; /* void (*)(void *block) */
	uint32_t token;
	_Alignas(64) uint8_t block[FARJIT_BLOCK_BYTES];
};

/* The block of a call of `control.run_program`, which ends the process. */
struct farjit_program {
	uint64_t main; /* int (*)(int, char **, char **) */
	uint64_t argument_count;
	uint64_t arguments; /* char *[argument_count + 1] */
	uint64_t environment; /* char *[], null at its end */
	uint64_t has_input; /* 0: it is at the end of its input, else it reads FD_INPUT */
	uint64_t line_buffered; /* 0: its stdout is written when the buffer is full, else with each line */
};

/*
 * Places of registers in a trap report of x86-64: DWARF numbers 0 to 16, then flags (psABI x86-64, figure "DWARF
 * Register Number Mapping").
 */
enum farjit_x86_64_register {
	FARJIT_X86_64_RAX = 0,
	FARJIT_X86_64_RDX = 1,
	FARJIT_X86_64_RCX = 2,
	FARJIT_X86_64_RBX = 3,
	FARJIT_X86_64_RSI = 4,
	FARJIT_X86_64_RDI = 5,
	FARJIT_X86_64_RBP = 6,
	FARJIT_X86_64_RSP = 7,
	FARJIT_X86_64_R8 = 8,
	FARJIT_X86_64_R9 = 9,
	FARJIT_X86_64_R10 = 10,
	FARJIT_X86_64_R11 = 11,
	FARJIT_X86_64_R12 = 12,
	FARJIT_X86_64_R13 = 13,
	FARJIT_X86_64_R14 = 14,
	FARJIT_X86_64_R15 = 15,
	FARJIT_X86_64_RIP = 16,
	FARJIT_X86_64_RFLAGS = 17,
};

enum farjit_end_kind {
	FARJIT_END_NONE = 0,
	FARJIT_END_TRAP = 1,
	FARJIT_END_UNWIND_FAILED = 2,
	FARJIT_END_FAULT = 3, /* the runner could not go on; `message` says why */
};

/*
 * Why the runner ended, written once, before it dies: of the signal itself after TRAP, with exit status 70 after
 * UNWIND_FAILED and FAULT. A runner that cannot map its memory says why on stderr and exits with 70, kind NONE.
 */
struct farjit_end {
	_Atomic uint32_t kind;
	int32_t signal;
	int32_t signal_code;
	uint32_t thread_id;
	uint32_t stack_overflow;
	uint32_t frame_count;
	uint64_t fault_address;
	uint64_t program_counter;
	uint64_t registers[FARJIT_REGISTER_CAPACITY]; /* in the ABI's order */
	uint64_t frames[FARJIT_TRAP_FRAME_COUNT];
	char message[FARJIT_END_MESSAGE_BYTES];
};

/* Written by the host before the runner starts, which reads it before it has mapped anything. */
struct farjit_header {
	uint32_t magic; /* "FRJT" */
	uint32_t layout_version; /* of all that is described here */
	uint64_t code_bytes;
	uint64_t constant_bytes;
	uint64_t control_bytes; /* size of `struct farjit_control`, rounded up to pages */
	uint64_t data_bytes;
	uint64_t thread_stack_bytes;
	uint64_t frame_index_bytes; /* of `struct farjit_frame_index`, at the end of the constant part; whole pages */
	/*
	 * Stubs are in a row, counted from the start of the reservation, and so are their pointers, behind one that
	 * is to the resolver. A pointer is 0 where there is no stub yet. Behind the stubs, to the end of the code
	 * part, are trampolines.
	 */
	uint64_t stubs_offset;
	uint64_t stub_bytes; /* of each */
	uint64_t pointers_offset;
	uint64_t pointers_bytes; /* of all that there is room for */
};

struct farjit_control {
	struct farjit_header header;
	/* Written by the runner before HELLO. */
	uint64_t base; /* start of the reservation: code, constant, control, data follow each other */
	uint64_t resolver; /* address of farjit_resolver */
	uint64_t count_function; /* address of farjit_count */
	uint64_t run_program; /* address of farjit_run_program */
	uint64_t call_host; /* address of farjit_call_host */
	uint64_t thread_offset; /* where a thread's copy of the template is, counted from its thread pointer; signed */
	uint32_t process_id;
	_Atomic uint32_t program_threads; /* live threads made by JIT'd code; the runner waits on it for their end */
	/* set after the bits of a counter; who sets it rings HOT, and the host clears it before it looks at the bits */
	_Atomic uint32_t hot_pending;
	uint32_t thread_units[FARJIT_THREAD_UNIT_WORDS]; /* for FILL_THREADS, from the host */
	struct farjit_confine confine;
	struct farjit_end end;
	/* For LOOKUP: NUL-terminated names one after the other; the runner answers addresses, 0 for unknown. */
	uint64_t addresses[FARJIT_LOOKUP_NAME_COUNT];
	char names[FARJIT_NAME_BYTES];
	/* a bit for each page of the data part in which bits have been set */
	_Atomic uint32_t hot_pages[FARJIT_HOT_PAGE_WORDS];
	_Alignas(64) struct farjit_reentry_slot reentry[FARJIT_REENTRY_SLOT_COUNT];
	_Alignas(64) struct farjit_host_call_slot host_calls[FARJIT_HOST_CALL_SLOT_COUNT];
	_Alignas(64) struct farjit_call_slot calls[FARJIT_CALL_SLOT_COUNT];
};

#endif
