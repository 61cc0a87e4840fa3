/*
 * What the host (TypeScript) and the runner (C) share, described once. scripts/shared-layout.mjs makes of it
 * runner/shared_layout.h, runner/shared_layout.c, which has the C compiler check sizes and offsets, and
 * src/native/shared-layout.ts. They are committed, and a build fails where they are not what this says.
 *
 * Constants and values of enums are [value] or [value, comment]. Fields are [name, type] or [name, type, comment]; a text
 * between fields says something of those that follow. Types: u8, u16, u32, u64, i32, char, `struct NAME`; before them `atomic`,
 * after them an array's length, which is a constant's name or empty, and `align BYTES`.
 */

const COUNTER_PAGE_BYTES = 4096;
const DATA_PAGES = 512 * 1024;
const MISSING_BYTES = 512;
const THREAD_BYTES = 64 * 1024;
const THREAD_UNIT_BYTES = 64;

/** Says of both files what they are. */
export const ABOUT = `\
What the host (TypeScript) and the runner (C) share: one memory reservation over two memfds, and a doorbell.

Reservation, contiguous in the runner at an address of its own choosing, so that everything in it is within
+-2 GiB of everything else:

  sealed memfd   | code      r-x | constant  r-- |   host: rw-, sealed against further writable maps
  shared memfd   | control   rw- | data      rw- |   host: rw-

The control part is \`struct farjit_control\`. The runner is hostile as soon as JIT'd code runs: the host copies
each field it reads once and then checks it. Offsets are in bytes from the start of their structure; everything is
little-endian.

Doorbell: a Unix stream socket between host and runner. Every message, either way, is one 8-byte
\`struct farjit_bell\`, written whole.`;

export const SHARED_LAYOUT = [
  {
    constants: {
      REENTRY_SLOT_COUNT: [256],
      CALL_SLOT_COUNT: [64],
      HOST_CALL_SLOT_COUNT: [256, "calls of functions of the compiler's, at a time; one for each thread"],
      HOST_CALL_WORDS: [32, 'the result of such a call, and its arguments'],
      BLOCK_BYTES: [48 * 1024, 'arguments and results of a call'],
      NAME_BYTES: [64 * 1024, 'names of one lookup, with what ends each'],
      LOOKUP_NAME_COUNT: [4096],
      TRAP_FRAME_COUNT: [64],
      REGISTER_CAPACITY: [
        34,
        'As many registers as a trap report has room for: AArch64 has x0 to x30, sp, pc and pstate.',
      ],
      COUNTER_PAGE_BYTES: [
        COUNTER_PAGE_BYTES,
        'Counters of functions lie in pages of their own. The first word of such a page is the threshold of the rest; its end ' +
          'has a bit for each of its words, which is set when that counter has got there.',
      ],
      HOT_BITS_OFFSET: [COUNTER_PAGE_BYTES - COUNTER_PAGE_BYTES / 32, 'where those bits are'],
      DATA_PAGES: [DATA_PAGES, 'more pages of counters than a data part has'],
      HOT_PAGE_WORDS: [DATA_PAGES / 32],
      THREAD_BYTES: [
        THREAD_BYTES,
        "thread-local memory of JIT'd code: of each thread's copy, and of the template that copies are made of, in whole pages in " +
          'front of the index of unwind information',
      ],
      THREAD_UNIT_BYTES: [THREAD_UNIT_BYTES, 'what both are aligned to, and filled by'],
      THREAD_UNIT_WORDS: [THREAD_BYTES / THREAD_UNIT_BYTES / 32],
      MISSING_BYTES: [MISSING_BYTES, 'words about what the kernel lacks'],
      END_MESSAGE_BYTES: [MISSING_BYTES + 128, 'at the longest a sentence with all that is missing'],
    },
  },
  {
    enum: 'fd',
    prefix: 'FD',
    ts: 'RunnerFd',
    comment: 'Descriptors the runner is started with.',
    values: {
      DOORBELL: [3],
      SEALED: [4],
      SHARED: [5],
      INPUT: [6, "a program's standard input, until it begins"],
      IMAGE: [7, 'only with `--files`: the files that it is given'],
      TREE: [
        8,
        'only with `--files`: a socket over which the host is given the folder of all that is writable',
      ],
    },
  },
  {
    enum: 'bell_kind',
    prefix: 'BELL',
    ts: 'BellKind',
    comment: 'From runner to host up to 15, from host to runner from 16 on.',
    values: {
      HELLO: [1, 'mapped; addresses are in `control`; waiting for CONFINE'],
      CONFINED: [2, 'confinement done; `value` is a bit set of `enum farjit_confinement`'],
      REENTER: [3, '`slot`: a thread blocks in that reentry slot'],
      CALL_DONE: [4, '`slot`: the call in that call slot has ended, see its state'],
      DONE: [5, 'what the host asked for is done, unless another kind says that'],
      HOT: [6, '`control.hot_pending` has become 1'],
      HOST_CALL: [7, '`slot`: a thread waits in that host call slot, see its state'],
      LIMIT: [8, '`value`: an `enum farjit_limit` that was reached, once each'],
      LAUNCHED: [9, 'rung for the runner before it is executed, by farjit-launch; `value`: its process id'],
      CONFINE: [16, 'confine yourself, as `control.confine` says'],
      SPAWN: [17, '`slot`: start the worker thread of that call slot'],
      SYNC_CORE: [18, 'membarrier(PRIVATE_EXPEDITED_SYNC_CORE): code was written where other code was'],
      LOOKUP: [
        19,
        'resolve `control.names` into `control.addresses`; `slot`: bits of `enum farjit_library`, which have them, too; `value`: how many names',
      ],
      FILL_THREADS: [
        20,
        'copy those units of the template of thread-local memory that `control.thread_units` has bits for to all threads',
      ],
      LOOKUP_THREAD_LOCALS: [
        21,
        'resolve `control.names` into pairs in `control.addresses`: the module of a thread-local variable, 0 for none, and its ' +
          "distance from the start of the module's; `value`: how many names, at most half of what there is room for",
      ],
      PRELOAD: [24, 'before CONFINE: load the libraries in `control.names`; `value`: how many'],
    },
  },
  {
    struct: 'bell',
    fields: [
      ['kind', 'u16'],
      ['slot', 'u16'],
      ['value', 'u32'],
    ],
  },
  {
    enum: 'confinement',
    prefix: 'CONFINED',
    ts: 'Confinement',
    comment: 'Bits of what is in force.',
    values: {
      NO_NEW_PRIVS: [1],
      SECCOMP: [2],
      OWN_USER: [4],
      UNDUMPABLE: [8],
      LANDLOCK: [16],
      USER_NAMESPACE: [32],
      NETWORK_NAMESPACE: [64],
      MOUNT_NAMESPACE: [128, 'with an empty root'],
      IPC_NAMESPACE: [256],
      LIMITS: [512],
      SEALED_MEMORY: [1024, 'nothing can be mapped over code, constants and control'],
    },
  },
  {
    enum: 'sandbox',
    prefix: 'SANDBOX',
    ts: 'Sandbox',
    values: {
      OFF: [0, 'limits only'],
      DEFAULT: [1, 'whatever the kernel has; never without seccomp'],
      STRICT: [2, 'all of it, or the runner ends'],
    },
  },
  {
    enum: 'limit',
    prefix: 'LIMIT',
    ts: 'ReachedLimit',
    comment: 'Limits that the runner itself sees reached: what it reports with LIMIT.',
    values: { ADDRESS_SPACE: [1], DATA: [2], THREADS: [3], DESCRIPTORS: [4] },
  },
  {
    enum: 'library',
    prefix: 'LIBRARY',
    ts: 'RunnerLibrary',
    comment:
      'Bits: sets of functions in the runner itself, each with a file in runner/libraries. A program finds those of the libraries ' +
      'that its session asks for, by the name that the enumerator has here.',
    values: { KALEIDOSCOPE: [1, 'putchard, printd'] },
  },
  {
    struct: 'confine',
    comment: 'How to be confined, from the host, and what came of it.',
    fields: [
      ['sandbox', 'u32', 'an `enum farjit_sandbox`'],
      ['user_id', 'u32', 'uid and gid to become, 0 to keep'],
      'Limits; the largest number means none.',
      ['address_space_bytes', 'u64'],
      ['data_bytes', 'u64'],
      ['cpu_seconds', 'u64'],
      ['threads', 'u32', "that JIT'd code makes"],
      ['descriptors', 'u32'],
      ['file_size_bytes', 'u64', 'of each file that is written'],
      ['file_space_bytes', 'u64', 'of all that is written, together; 0: there are no files'],
      ['file_count', 'u32', 'of what is made in writable trees'],
      'Written by the runner before CONFINED.',
      ['landlock_abi', 'u32', '0: none'],
      ['missing', 'char[MISSING_BYTES]', 'features that are not in force, and why; the host may begin'],
    ],
  },
  {
    enum: 'file_kind',
    prefix: 'FILE',
    ts: 'FileKind',
    comment: 'Of what a runner is given.',
    values: {
      REGULAR: [1, 'behind its path: its content'],
      DIRECTORY: [2],
      LINK: [3, 'symbolic; behind its path: where it leads'],
      WRITABLE: [4, 'a directory in which all can be written'],
    },
  },
  {
    struct: 'file',
    comment:
      'An entry of the image of files that a runner is given, which has no others than these. Behind it are `path_bytes` bytes of ' +
      'its path, which does not begin with a slash, then `size_bytes` of content. Folders come before what is in them; the first ' +
      'one, without a path, is a link whose content is the folder that the program begins in.',
    fields: [
      ['kind', 'u32', 'an `enum farjit_file_kind`'],
      ['mode', 'u32', 'rights'],
      ['path_bytes', 'u64'],
      ['size_bytes', 'u64'],
    ],
  },
  {
    comment:
      'Index of unwind information, at the end of the constant part, so that only the host can write it. The runner searches ' +
      'it while it grows: a node is filled before a head or another node leads to it.\n\n' +
      'The code part is cut into cells, at several levels: of 4 KiB, of 32 KiB, and so on, up to one of all code. Each cell ' +
      'has a list of nodes. A record stands at the lowest level where it reaches over one or two cells, in the lists of ' +
      'both. `heads` are those of all cells, level by level.',
    constants: {
      FRAME_CELL_SHIFT: [12, 'bits of an offset in a cell of the lowest level'],
      FRAME_LEVEL_SHIFT: [3, 'bits more in each level above'],
    },
  },
  {
    struct: 'frame_record',
    comment:
      'An FDE, and the code that it is for. Offsets are from the start of the reservation, where the code part is.',
    fields: [
      ['start', 'u32'],
      ['end', 'u32', 'first byte after it'],
      ['fde', 'u32'],
      ['cell', 'u32', 'index of its list in `heads`'],
    ],
  },
  {
    struct: 'frame_node',
    fields: [
      ['record', 'struct frame_record'],
      ['next', 'atomic u64', 'offset of a node, 0 for none'],
      "The host's.",
      ['previous', 'u64'],
      ['sibling', 'u64', 'next node of the same .eh_frame'],
    ],
  },
  {
    struct: 'frame_index',
    fields: [
      ['removals', 'atomic u64', 'counted before a node that was removed is used again'],
      ['heads', 'atomic u64[]', 'offsets of nodes, 0 for none; rounded up to pages'],
    ],
  },
  {
    enum: 'reentry_state',
    prefix: 'REENTRY',
    ts: 'ReentryState',
    comment: "Of a call out of JIT'd code: a futex word.",
    values: {
      FREE: [0, 'claimed by a thread: -> CLAIMED'],
      CLAIMED: [1, 'being filled: -> POSTED, then the doorbell'],
      POSTED: [2, 'the thread waits; the host: -> RELEASED or UNWIND'],
      RELEASED: [3, 'the thread wakes: takes the landing, -> FREE'],
      UNWIND: [4, 'the thread wakes: -> FREE, then unwinds to its call boundary'],
    },
  },
  {
    enum: 'reentry_kind',
    prefix: 'REENTRY',
    ts: 'ReentryKind',
    values: { COMPILE: [1, 'a trampoline was called'] },
  },
  {
    struct: 'reentry_slot',
    fields: [
      ['state', 'atomic u32'],
      ['kind', 'u32'],
      ['return_address', 'u64', 'behind the call instruction of the trampoline, which it names'],
      ['landing', 'u64', 'from the host: where the thread goes on'],
      ['thread_id', 'u32'],
      ['token', 'u32', 'of the failure, from the host with UNWIND'],
      'Nanoseconds of CLOCK_MONOTONIC, for people who look inside.',
      ['posted_ns', 'u64', 'when it was last posted'],
      ['landed_ns', 'u64', 'when a thread was last let go, or unwound: kept until the next is'],
    ],
  },
  {
    enum: 'host_call_state',
    prefix: 'HOST_CALL',
    ts: 'HostCallState',
    comment: "Of a call of a function of the compiler's: a futex word.",
    values: {
      FREE: [0, 'claimed by a thread: -> CLAIMED'],
      CLAIMED: [1, 'being filled: -> POSTED, then the doorbell'],
      POSTED: [2, 'the thread waits; the host: -> RELEASED, UNWIND or ENTER'],
      RELEASED: [
        3,
        'the thread wakes: takes the result, -> FREE, or ENTERED in a call that it has made in another',
      ],
      UNWIND: [4, 'the thread wakes: the same, then fails as over a callback that has failed'],
      ENTER: [5, 'the thread wakes: -> ENTERED'],
      ENTERED: [
        6,
        'the thread runs `entry`; when that calls a function -> POSTED, and at its end -> RETURNED or UNWOUND, then the doorbell',
      ],
      RETURNED: [7, 'the thread waits, as POSTED'],
      UNWOUND: [8, 'the same, after a failed callback, `token` says which'],
    },
  },
  {
    struct: 'host_call_slot',
    fields: [
      ['state', 'atomic u32'],
      ['thread_id', 'u32'],
      ['token', 'u32', 'of the failure, from the host with UNWIND, to it with UNWOUND'],
      ['argument_count', 'u32'],
      ['function', 'u64', 'its number, which the compiler has given'],
      ['entry', 'u64', 'void (*)(void *argument), from the host with ENTER'],
      ['argument', 'u64'],
      ['words', 'u64[HOST_CALL_WORDS]', 'the result, from the host with RELEASED; then the arguments'],
    ],
  },
  {
    enum: 'call_state',
    prefix: 'CALL',
    ts: 'CallState',
    comment:
      "Of a call into JIT'd code, one worker thread per slot: a futex word. The first call may be POSTED right after SPAWN, or " +
      'before it: a new worker makes IDLE only of NO_WORKER.',
    values: {
      NO_WORKER: [0, 'host sends SPAWN; the new worker: -> IDLE'],
      IDLE: [1, 'worker waits; the host fills the slot: -> POSTED'],
      POSTED: [2, 'worker: -> RUNNING'],
      RUNNING: [3, 'worker: -> RETURNED or UNWOUND, then the doorbell'],
      RETURNED: [4, 'host: -> IDLE'],
      UNWOUND: [5, 'ended by a failed callback, `token` says which; host: -> IDLE'],
      FAILED: [6, 'the same, but frames in between must not go on: the runner ends, and rings no more'],
    },
  },
  {
    struct: 'call_slot',
    fields: [
      ['state', 'atomic u32'],
      ['thread_id', 'u32'],
      ['entry', 'u64', 'void (*)(void *block)'],
      ['token', 'u32'],
      ['block', 'u8[BLOCK_BYTES] align 64'],
    ],
  },
  {
    struct: 'program',
    comment: 'The block of a call of `control.run_program`, which ends the process.',
    fields: [
      ['main', 'u64', 'int (*)(int, char **, char **)'],
      ['argument_count', 'u64'],
      ['arguments', 'u64', 'char *[argument_count + 1]'],
      ['environment', 'u64', 'char *[], null at its end'],
      ['has_input', 'u64', '0: it is at the end of its input, else it reads FD_INPUT'],
      ['line_buffered', 'u64', '0: its stdout is written when the buffer is full, else with each line'],
    ],
  },
  {
    enum: 'x86_64_register',
    prefix: 'X86_64',
    ts: 'X86_64Register',
    comment:
      'Places of registers in a trap report of x86-64: DWARF numbers 0 to 16, then flags (psABI x86-64, figure "DWARF Register ' +
      'Number Mapping").',
    values: Object.fromEntries(
      'RAX RDX RCX RBX RSI RDI RBP RSP R8 R9 R10 R11 R12 R13 R14 R15 RIP RFLAGS'
        .split(' ')
        .map((name, index) => [name, [index]]),
    ),
  },
  {
    enum: 'end_kind',
    prefix: 'END',
    ts: 'EndKind',
    values: {
      NONE: [0],
      TRAP: [1],
      UNWIND_FAILED: [2],
      FAULT: [3, 'the runner could not go on; `message` says why'],
    },
  },
  {
    struct: 'end',
    comment:
      'Why the runner ended, written once, before it dies: of the signal itself after TRAP, with exit status 70 after ' +
      'UNWIND_FAILED and FAULT. A runner that cannot map its memory says why on stderr and exits with 70, kind NONE.',
    fields: [
      ['kind', 'atomic u32'],
      ['signal', 'i32'],
      ['signal_code', 'i32'],
      ['thread_id', 'u32'],
      ['stack_overflow', 'u32'],
      ['frame_count', 'u32'],
      ['fault_address', 'u64'],
      ['program_counter', 'u64'],
      ['registers', 'u64[REGISTER_CAPACITY]', "in the ABI's order"],
      ['frames', 'u64[TRAP_FRAME_COUNT]'],
      ['message', 'char[END_MESSAGE_BYTES]'],
    ],
  },
  {
    struct: 'header',
    comment: 'Written by the host before the runner starts, which reads it before it has mapped anything.',
    fields: [
      ['magic', 'u32', '"FRJT"'],
      ['layout_version', 'u32', 'of all that is described here'],
      ['code_bytes', 'u64'],
      ['constant_bytes', 'u64'],
      ['control_bytes', 'u64', 'size of `struct farjit_control`, rounded up to pages'],
      ['data_bytes', 'u64'],
      ['thread_stack_bytes', 'u64'],
      [
        'frame_index_bytes',
        'u64',
        'of `struct farjit_frame_index`, at the end of the constant part; whole pages',
      ],
      'Stubs are in a row, counted from the start of the reservation, and so are their pointers, behind one that is to the resolver. ' +
        'A pointer is 0 where there is no stub yet. Behind the stubs, to the end of the code part, are trampolines.',
      ['stubs_offset', 'u64'],
      ['stub_bytes', 'u64', 'of each'],
      ['pointers_offset', 'u64'],
      ['pointers_bytes', 'u64', 'of all that there is room for'],
    ],
  },
  {
    struct: 'control',
    fields: [
      ['header', 'struct header'],
      'Written by the runner before HELLO.',
      ['base', 'u64', 'start of the reservation: code, constant, control, data follow each other'],
      ['resolver', 'u64', 'address of farjit_resolver'],
      ['count_function', 'u64', 'address of farjit_count'],
      ['run_program', 'u64', 'address of farjit_run_program'],
      ['call_host', 'u64', 'address of farjit_call_host'],
      [
        'thread_offset',
        'u64',
        "where a thread's copy of the template is, counted from its thread pointer; signed",
      ],
      ['process_id', 'u32'],
      [
        'program_threads',
        'atomic u32',
        "live threads made by JIT'd code; the runner waits on it for their end",
      ],
      [
        'hot_pending',
        'atomic u32',
        'set after the bits of a counter; who sets it rings HOT, and the host clears it before it looks at the bits',
      ],
      ['thread_units', 'u32[THREAD_UNIT_WORDS]', 'for FILL_THREADS, from the host'],
      ['confine', 'struct confine'],
      ['end', 'struct end'],
      'For LOOKUP: NUL-terminated names one after the other; the runner answers addresses, 0 for unknown.',
      ['addresses', 'u64[LOOKUP_NAME_COUNT]'],
      ['names', 'char[NAME_BYTES]'],
      [
        'hot_pages',
        'atomic u32[HOT_PAGE_WORDS]',
        'a bit for each page of the data part in which bits have been set',
      ],
      ['reentry', 'struct reentry_slot[REENTRY_SLOT_COUNT] align 64'],
      ['host_calls', 'struct host_call_slot[HOST_CALL_SLOT_COUNT] align 64'],
      ['calls', 'struct call_slot[CALL_SLOT_COUNT] align 64'],
    ],
  },
];
