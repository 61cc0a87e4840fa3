/*
 * `runner/shared_layout.h` in TypeScript: the memory that host and runner share. Offsets are in bytes from the start
 * of the structure each constant names; everything is little-endian, as the x86-64 and AArch64 ABIs are. A test
 * compares all of it with what `farjit-runner --layout` prints.
 */

export const LAYOUT_MAGIC = 0x544a5246;
export const LAYOUT_VERSION = 5;

export const REENTRY_SLOT_COUNT = 256;
export const CALL_SLOT_COUNT = 64;
export const BLOCK_BYTES = 48 * 1024;
export const NAME_BYTES = 64 * 1024;
export const LOOKUP_NAME_COUNT = 4096;
export const TRAP_FRAME_COUNT = 64;
export const REGISTER_COUNT = 18;
/** A page of counters; its first word is the threshold of the others. */
export const COUNTER_PAGE_BYTES = 4096;
/** Where a page of counters has a bit for each of its words. */
export const HOT_BITS_OFFSET = COUNTER_PAGE_BYTES - COUNTER_PAGE_BYTES / 32;
/** More pages than a data part has. */
export const DATA_PAGES = 512 * 1024;
export const MISSING_BYTES = 512;

/** Descriptors the runner is started with. */
export const RUNNER_FD = { doorbell: 3, sealed: 4, shared: 5 } as const;

/** `struct farjit_bell`: u16 kind, u16 slot, u32 value. */
export const BELL_BYTES = 8;

/** `enum farjit_bell_kind`. */
export const BellKind = {
  hello: 1,
  confined: 2,
  reenter: 3,
  callDone: 4,
  done: 5,
  hot: 6,
  limit: 8,
  confine: 16,
  spawn: 17,
  syncCore: 18,
  lookup: 19,
  preload: 24,
} as const;

/** `enum farjit_confinement`: bits of the CONFINED bell's value. */
export const Confinement = {
  noNewPrivs: 1,
  seccomp: 2,
  ownUser: 4,
  undumpable: 8,
  landlock: 16,
  userNamespace: 32,
  networkNamespace: 64,
  mountNamespace: 128,
  ipcNamespace: 256,
  limits: 512,
  sealedMemory: 1024,
} as const;

/** `enum farjit_sandbox`. */
export const Sandbox = { off: 0, default: 1, strict: 2 } as const;

/** `enum farjit_limit`: the LIMIT bell's value. */
export const ReachedLimit = { addressSpace: 1, data: 2, threads: 3 } as const;

/** `enum farjit_reentry_state`: a futex word. */
export const ReentryState = {
  free: 0,
  claimed: 1,
  posted: 2,
  released: 3,
  unwind: 4,
} as const;

/** `enum farjit_reentry_kind`. */
export const ReentryKind = { compile: 1 } as const;

/** `enum farjit_call_state`: a futex word. */
export const CallState = {
  noWorker: 0,
  idle: 1,
  posted: 2,
  running: 3,
  returned: 4,
  unwound: 5,
} as const;

/** `enum farjit_end_kind`. */
export const EndKind = { none: 0, trap: 1, unwindFailed: 2, fault: 3 } as const;

/** Cells of the index of frames: bits of an offset in the lowest level's cells, and more in each level above. */
export const FRAME_CELL_SHIFT = 12;
export const FRAME_LEVEL_SHIFT = 3;
/** Offset of `struct farjit_frame_index`'s heads; before them is the count of removals. */
export const FRAME_HEADS = 8;
/** `struct farjit_frame_node`. */
export const FRAME_NODE = {
  start: 0,
  end: 4,
  fde: 8,
  cell: 12,
  next: 16,
  previous: 24,
  sibling: 32,
} as const;
export const FRAME_NODE_BYTES = 40;

/** `struct farjit_reentry_slot`. */
export const REENTRY_SLOT = {
  state: 0,
  kind: 4,
  threadId: 8,
  callSlot: 12,
  token: 16,
  argument: 24,
  answer: 88,
} as const;
export const REENTRY_SLOT_BYTES = REENTRY_SLOT.answer + 8 * 8;

/** `struct farjit_call_slot`; the block is aligned to 64 bytes. */
export const CALL_SLOT = {
  state: 0,
  threadId: 4,
  token: 8,
  entry: 16,
  block: alignUp(24, 64),
} as const;
export const CALL_SLOT_BYTES = alignUp(CALL_SLOT.block + BLOCK_BYTES, 64);

/** `struct farjit_confine`. */
export const CONFINE = {
  sandbox: 0,
  userId: 4,
  addressSpaceBytes: 8,
  dataBytes: 16,
  cpuSeconds: 24,
  threads: 32,
  descriptors: 36,
  landlockAbi: 40,
  missing: 48,
} as const;
const CONFINE_BYTES = CONFINE.missing + MISSING_BYTES;

/** `struct farjit_end`. */
export const END = {
  kind: 0,
  signal: 4,
  signalCode: 8,
  threadId: 12,
  stackOverflow: 16,
  frameCount: 20,
  faultAddress: 24,
  programCounter: 32,
  registers: 40,
  frames: 40 + 8 * REGISTER_COUNT,
  message: 40 + 8 * REGISTER_COUNT + 8 * TRAP_FRAME_COUNT,
  messageBytes: MISSING_BYTES + 128,
} as const;
export const END_BYTES = END.message + END.messageBytes;

const CONFINE_OFFSET = 88;
const END_OFFSET = CONFINE_OFFSET + CONFINE_BYTES;
const ADDRESSES_OFFSET = END_OFFSET + END_BYTES;
const NAMES_OFFSET = ADDRESSES_OFFSET + 8 * LOOKUP_NAME_COUNT;
const HOT_PAGES_OFFSET = NAMES_OFFSET + NAME_BYTES;
const REENTRY_OFFSET = alignUp(HOT_PAGES_OFFSET + DATA_PAGES / 8, 64);
const CALLS_OFFSET = alignUp(REENTRY_OFFSET + REENTRY_SLOT_COUNT * REENTRY_SLOT_BYTES, 64);

/** `struct farjit_control`. */
export const CONTROL = {
  magic: 0,
  layoutVersion: 4,
  codeBytes: 8,
  constantBytes: 16,
  controlBytes: 24,
  dataBytes: 32,
  threadStackBytes: 40,
  base: 48,
  resolver: 56,
  countFunction: 64,
  processId: 72,
  foreignThreads: 76,
  hotPending: 80,
  confine: CONFINE_OFFSET,
  end: END_OFFSET,
  addresses: ADDRESSES_OFFSET,
  names: NAMES_OFFSET,
  hotPages: HOT_PAGES_OFFSET,
  reentry: REENTRY_OFFSET,
  calls: CALLS_OFFSET,
} as const;
/** `sizeof(struct farjit_control)`. */
export const CONTROL_BYTES = CALLS_OFFSET + CALL_SLOT_COUNT * CALL_SLOT_BYTES;

/** `value` rounded up to a multiple of `alignment`, a power of two. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
