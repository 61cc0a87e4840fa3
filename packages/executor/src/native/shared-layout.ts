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

export const LAYOUT_MAGIC = 0x544a5246;
/** A fingerprint of what follows. */
export const LAYOUT_VERSION = 0x77e6a60d;

export const REENTRY_SLOT_COUNT = 256;
export const CALL_SLOT_COUNT = 64;
/** calls of functions of the compiler's, at a time; one for each thread */
export const HOST_CALL_SLOT_COUNT = 256;
/** the result of such a call, and its arguments */
export const HOST_CALL_WORDS = 32;
/** arguments and results of a call */
export const BLOCK_BYTES = 49152;
/** names of one lookup, with what ends each */
export const NAME_BYTES = 65536;
export const LOOKUP_NAME_COUNT = 4096;
export const TRAP_FRAME_COUNT = 64;
/** As many registers as a trap report has room for: AArch64 has x0 to x30, sp, pc and pstate. */
export const REGISTER_CAPACITY = 34;
/**
 * Counters of functions lie in pages of their own. The first word of such a page is the threshold of the rest; its
 * end has a bit for each of its words, which is set when that counter has got there.
 */
export const COUNTER_PAGE_BYTES = 4096;
/** where those bits are */
export const HOT_BITS_OFFSET = 3968;
/** more pages of counters than a data part has */
export const DATA_PAGES = 524288;
export const HOT_PAGE_WORDS = 16384;
/**
 * thread-local memory of JIT'd code: of each thread's copy, and of the template that copies are made of, in whole
 * pages in front of the index of unwind information
 */
export const THREAD_BYTES = 65536;
/** what both are aligned to, and filled by */
export const THREAD_UNIT_BYTES = 64;
export const THREAD_UNIT_WORDS = 32;
/** words about what the kernel lacks */
export const MISSING_BYTES = 512;
/** at the longest a sentence with all that is missing */
export const END_MESSAGE_BYTES = 640;

/** `enum farjit_fd`. Descriptors the runner is started with. */
export const RunnerFd = {
  doorbell: 3,
  sealed: 4,
  shared: 5,
  /** a program's standard input, until it begins */
  input: 6,
  /** only with `--files`: the files that it is given */
  image: 7,
  /** only with `--files`: a socket over which the host is given the folder of all that is writable */
  tree: 8,
} as const;

/** `enum farjit_bell_kind`. From runner to host up to 15, from host to runner from 16 on. */
export const BellKind = {
  /** mapped; addresses are in `control`; waiting for CONFINE */
  hello: 1,
  /** confinement done; `value` is a bit set of `enum farjit_confinement` */
  confined: 2,
  /** `slot`: a thread blocks in that reentry slot */
  reenter: 3,
  /** `slot`: the call in that call slot has ended, see its state */
  callDone: 4,
  /** what the host asked for is done, unless another kind says that */
  done: 5,
  /** `control.hot_pending` has become 1 */
  hot: 6,
  /** `slot`: a thread waits in that host call slot, see its state */
  hostCall: 7,
  /** `value`: an `enum farjit_limit` that was reached, once each */
  limit: 8,
  /** rung for the runner before it is executed, by farjit-launch; `value`: its process id */
  launched: 9,
  /** confine yourself, as `control.confine` says */
  confine: 16,
  /** `slot`: start the worker thread of that call slot */
  spawn: 17,
  /** membarrier(PRIVATE_EXPEDITED_SYNC_CORE): code was written where other code was */
  syncCore: 18,
  /**
   * resolve `control.names` into `control.addresses`; `slot`: bits of `enum farjit_library`, which
   * have them, too; `value`: how many names
   */
  lookup: 19,
  /**
   * copy those units of the template of thread-local memory that `control.thread_units` has bits for
   * to all threads
   */
  fillThreads: 20,
  /**
   * resolve `control.names` into pairs in `control.addresses`: the module of a thread-local variable,
   * 0 for none, and its distance from the start of the module's; `value`: how many names, at most
   * half of what there is room for
   */
  lookupThreadLocals: 21,
  /** before CONFINE: load the libraries in `control.names`; `value`: how many */
  preload: 24,
} as const;

/** `struct farjit_bell`. */
export const BELL = {
  kind: 0,
  slot: 2,
  value: 4,
} as const;
export const BELL_BYTES = 8;

/** `enum farjit_confinement`. Bits of what is in force. */
export const Confinement = {
  noNewPrivs: 1,
  seccomp: 2,
  ownUser: 4,
  undumpable: 8,
  landlock: 16,
  userNamespace: 32,
  networkNamespace: 64,
  /** with an empty root */
  mountNamespace: 128,
  ipcNamespace: 256,
  limits: 512,
  /** nothing can be mapped over code, constants and control */
  sealedMemory: 1024,
} as const;

/** `enum farjit_sandbox`. */
export const Sandbox = {
  /** limits only */
  off: 0,
  /** whatever the kernel has; never without seccomp */
  default: 1,
  /** all of it, or the runner ends */
  strict: 2,
} as const;

/** `enum farjit_limit`. Limits that the runner itself sees reached: what it reports with LIMIT. */
export const ReachedLimit = {
  addressSpace: 1,
  data: 2,
  threads: 3,
  descriptors: 4,
} as const;

/**
 * `enum farjit_library`. Bits: sets of functions in the runner itself, each with a file in runner/libraries. A
 * program finds those of the libraries that its session asks for, by the name that the enumerator has here.
 */
export const RunnerLibrary = {
  /** putchard, printd */
  kaleidoscope: 1,
} as const;

/** `struct farjit_confine`. How to be confined, from the host, and what came of it. */
export const CONFINE = {
  /** an `enum farjit_sandbox` */
  sandbox: 0,
  /** uid and gid to become, 0 to keep */
  userId: 4,
  addressSpaceBytes: 8,
  dataBytes: 16,
  cpuSeconds: 24,
  /** that JIT'd code makes */
  threads: 32,
  descriptors: 36,
  /** of each file that is written */
  fileSizeBytes: 40,
  /** of all that is written, together; 0: there are no files */
  fileSpaceBytes: 48,
  /** of what is made in writable trees */
  fileCount: 56,
  /** 0: none */
  landlockAbi: 60,
  /** features that are not in force, and why; the host may begin */
  missing: 64,
} as const;
export const CONFINE_BYTES = 576;

/** `enum farjit_file_kind`. Of what a runner is given. */
export const FileKind = {
  /** behind its path: its content */
  regular: 1,
  directory: 2,
  /** symbolic; behind its path: where it leads */
  link: 3,
  /** a directory in which all can be written */
  writable: 4,
} as const;

/**
 * `struct farjit_file`. An entry of the image of files that a runner is given, which has no others than these.
 * Behind it are `path_bytes` bytes of its path, which does not begin with a slash, then `size_bytes` of content.
 * Folders come before what is in them; the first one, without a path, is a link whose content is the folder that
 * the program begins in.
 */
export const FILE = {
  /** an `enum farjit_file_kind` */
  kind: 0,
  /** rights */
  mode: 4,
  pathBytes: 8,
  sizeBytes: 16,
} as const;
export const FILE_BYTES = 24;

/*
 * Index of unwind information, at the end of the constant part, so that only the host can write it. The runner
 * searches it while it grows: a node is filled before a head or another node leads to it.
 *
 * The code part is cut into cells, at several levels: of 4 KiB, of 32 KiB, and so on, up to one of all code. Each
 * cell has a list of nodes. A record stands at the lowest level where it reaches over one or two cells, in the lists
 * of both. `heads` are those of all cells, level by level.
 */

/** bits of an offset in a cell of the lowest level */
export const FRAME_CELL_SHIFT = 12;
/** bits more in each level above */
export const FRAME_LEVEL_SHIFT = 3;

/**
 * `struct farjit_frame_record`. An FDE, and the code that it is for. Offsets are from the start of the reservation,
 * where the code part is.
 */
export const FRAME_RECORD = {
  start: 0,
  /** first byte after it */
  end: 4,
  fde: 8,
  /** index of its list in `heads` */
  cell: 12,
} as const;
export const FRAME_RECORD_BYTES = 16;

/** `struct farjit_frame_node`. */
export const FRAME_NODE = {
  record: 0,
  /** offset of a node, 0 for none */
  next: 16,
  previous: 24,
  /** next node of the same .eh_frame */
  sibling: 32,
} as const;
export const FRAME_NODE_BYTES = 40;

/** `struct farjit_frame_index`. */
export const FRAME_INDEX = {
  /** counted before a node that was removed is used again */
  removals: 0,
  /** offsets of nodes, 0 for none; rounded up to pages */
  heads: 8,
} as const;
export const FRAME_INDEX_BYTES = 8;

/** `enum farjit_reentry_state`. Of a call out of JIT'd code: a futex word. */
export const ReentryState = {
  /** claimed by a thread: -> CLAIMED */
  free: 0,
  /** being filled: -> POSTED, then the doorbell */
  claimed: 1,
  /** the thread waits; the host: -> RELEASED or UNWIND */
  posted: 2,
  /** the thread wakes: takes the landing, -> FREE */
  released: 3,
  /** the thread wakes: -> FREE, then unwinds to its call boundary */
  unwind: 4,
} as const;

/** `enum farjit_reentry_kind`. */
export const ReentryKind = {
  /** a trampoline was called */
  compile: 1,
} as const;

/** `struct farjit_reentry_slot`. */
export const REENTRY_SLOT = {
  state: 0,
  kind: 4,
  /** behind the call instruction of the trampoline, which it names */
  returnAddress: 8,
  /** from the host: where the thread goes on */
  landing: 16,
  threadId: 24,
  /** of the failure, from the host with UNWIND */
  token: 28,
  /** when it was last posted */
  postedNs: 32,
  /** when a thread was last let go, or unwound: kept until the next is */
  landedNs: 40,
} as const;
export const REENTRY_SLOT_BYTES = 48;

/** `enum farjit_host_call_state`. Of a call of a function of the compiler's: a futex word. */
export const HostCallState = {
  /** claimed by a thread: -> CLAIMED */
  free: 0,
  /** being filled: -> POSTED, then the doorbell */
  claimed: 1,
  /** the thread waits; the host: -> RELEASED, UNWIND or ENTER */
  posted: 2,
  /** the thread wakes: takes the result, -> FREE, or ENTERED in a call that it has made in another */
  released: 3,
  /** the thread wakes: the same, then fails as over a callback that has failed */
  unwind: 4,
  /** the thread wakes: -> ENTERED */
  enter: 5,
  /**
   * the thread runs `entry`; when that calls a function -> POSTED, and at its end -> RETURNED or
   * UNWOUND, then the doorbell
   */
  entered: 6,
  /** the thread waits, as POSTED */
  returned: 7,
  /** the same, after a failed callback, `token` says which */
  unwound: 8,
} as const;

/** `struct farjit_host_call_slot`. */
export const HOST_CALL_SLOT = {
  state: 0,
  threadId: 4,
  /** of the failure, from the host with UNWIND, to it with UNWOUND */
  token: 8,
  argumentCount: 12,
  /** its number, which the compiler has given */
  function: 16,
  /** void (*)(void *argument), from the host with ENTER */
  entry: 24,
  argument: 32,
  /** the result, from the host with RELEASED; then the arguments */
  words: 40,
} as const;
export const HOST_CALL_SLOT_BYTES = 296;

/**
 * `enum farjit_call_state`. Of a call into JIT'd code, one worker thread per slot: a futex word. The first call may
 * be POSTED right after SPAWN, or before it: a new worker makes IDLE only of NO_WORKER.
 */
export const CallState = {
  /** host sends SPAWN; the new worker: -> IDLE */
  noWorker: 0,
  /** worker waits; the host fills the slot: -> POSTED */
  idle: 1,
  /** worker: -> RUNNING */
  posted: 2,
  /** worker: -> RETURNED or UNWOUND, then the doorbell */
  running: 3,
  /** host: -> IDLE */
  returned: 4,
  /** ended by a failed callback, `token` says which; host: -> IDLE */
  unwound: 5,
  /** the same, but frames in between must not go on: the runner ends, and rings no more */
  failed: 6,
} as const;

/** `struct farjit_call_slot`. */
export const CALL_SLOT = {
  state: 0,
  threadId: 4,
  /** void (*)(void *block) */
  entry: 8,
  token: 16,
  block: 64,
} as const;
export const CALL_SLOT_BYTES = 49216;

/** `struct farjit_program`. The block of a call of `control.run_program`, which ends the process. */
export const PROGRAM = {
  /** int (*)(int, char **, char **) */
  main: 0,
  argumentCount: 8,
  /** char *[argument_count + 1] */
  arguments: 16,
  /** char *[], null at its end */
  environment: 24,
  /** 0: it is at the end of its input, else it reads FD_INPUT */
  hasInput: 32,
  /** 0: its stdout is written when the buffer is full, else with each line */
  lineBuffered: 40,
} as const;
export const PROGRAM_BYTES = 48;

/**
 * `enum farjit_x86_64_register`. Places of registers in a trap report of x86-64: DWARF numbers 0 to 16, then flags
 * (psABI x86-64, figure "DWARF Register Number Mapping").
 */
export const X86_64Register = {
  rax: 0,
  rdx: 1,
  rcx: 2,
  rbx: 3,
  rsi: 4,
  rdi: 5,
  rbp: 6,
  rsp: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r11: 11,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
  rip: 16,
  rflags: 17,
} as const;

/** `enum farjit_end_kind`. */
export const EndKind = {
  none: 0,
  trap: 1,
  unwindFailed: 2,
  /** the runner could not go on; `message` says why */
  fault: 3,
} as const;

/**
 * `struct farjit_end`. Why the runner ended, written once, before it dies: of the signal itself after TRAP, with
 * exit status 70 after UNWIND_FAILED and FAULT. A runner that cannot map its memory says why on stderr and exits
 * with 70, kind NONE.
 */
export const END = {
  kind: 0,
  signal: 4,
  signalCode: 8,
  threadId: 12,
  stackOverflow: 16,
  frameCount: 20,
  faultAddress: 24,
  programCounter: 32,
  /** in the ABI's order */
  registers: 40,
  frames: 312,
  message: 824,
} as const;
export const END_BYTES = 1464;

/**
 * `struct farjit_header`. Written by the host before the runner starts, which reads it before it has mapped
 * anything.
 */
export const HEADER = {
  /** "FRJT" */
  magic: 0,
  /** of all that is described here */
  layoutVersion: 4,
  codeBytes: 8,
  constantBytes: 16,
  /** size of `struct farjit_control`, rounded up to pages */
  controlBytes: 24,
  dataBytes: 32,
  threadStackBytes: 40,
  /** of `struct farjit_frame_index`, at the end of the constant part; whole pages */
  frameIndexBytes: 48,
  stubsOffset: 56,
  /** of each */
  stubBytes: 64,
  pointersOffset: 72,
  /** of all that there is room for */
  pointersBytes: 80,
} as const;
export const HEADER_BYTES = 88;

/** `struct farjit_control`. */
export const CONTROL = {
  header: 0,
  /** start of the reservation: code, constant, control, data follow each other */
  base: 88,
  /** address of farjit_resolver */
  resolver: 96,
  /** address of farjit_count */
  countFunction: 104,
  /** address of farjit_run_program */
  runProgram: 112,
  /** address of farjit_call_host */
  callHost: 120,
  /** where a thread's copy of the template is, counted from its thread pointer; signed */
  threadOffset: 128,
  processId: 136,
  /** live threads made by JIT'd code; the runner waits on it for their end */
  programThreads: 140,
  /**
   * set after the bits of a counter; who sets it rings HOT, and the host clears it before it looks at
   * the bits
   */
  hotPending: 144,
  /** for FILL_THREADS, from the host */
  threadUnits: 148,
  confine: 280,
  end: 856,
  addresses: 2320,
  names: 35088,
  /** a bit for each page of the data part in which bits have been set */
  hotPages: 100624,
  reentry: 166208,
  hostCalls: 178496,
  calls: 254272,
} as const;
export const CONTROL_BYTES = 3404096;
