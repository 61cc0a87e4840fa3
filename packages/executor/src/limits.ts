import { type Limit, type LimitName, leastOf } from '@farjit/protocol/limits';
import { CALL_SLOT_COUNT } from './native/shared-layout.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Sessions at a time; each has a process, 256 MiB of address space and a dozen descriptors. */
export const DEFAULT_MAX_SESSIONS = 256;

/** The limits of a session; `null` for none. Units: `LIMIT_UNITS`. */
export type Limits = Readonly<Record<LimitName, number | null>>;

/** What a program may use unless the executor is told otherwise. */
export const DEFAULT_LIMITS: Limits = {
  // 256 MiB of session memory, 64 calls and 256 threads with stacks of 9 MiB, and room for malloc's arenas.
  'address-space': 8 * GIB,
  // Before `data`, which follows it: when both are too small, it is what is wrong.
  memory: 2 * GIB,
  // As `memory`, whatever that is, so that a program is refused memory before it is ended for it.
  data: 2 * GIB,
  // Against programs that nobody waits for any more: a day.
  cpu: 24 * 60 * 60,
  // What a C program has.
  stack: 8 * MIB,
  threads: 256,
  // The five it has, and room for poll, which takes no more entries than this.
  descriptors: 16,
  'file-size': 256 * MIB,
  // At most half of `memory`, whatever that is, so that a program finds its folders full before it is ended.
  'file-space': 256 * MIB,
  // Each costs the kernel up to 2 KiB.
  'file-count': 16 * 1024,
  call: 60 * 60 * 1000,
  output: GIB,
};

/** A stack without a limit: a thread must have one, and this much is address space only. */
const UNLIMITED_STACK_BYTES = 64 * MIB;

/**
 * Defaults, and what is given instead of them. `data` follows `memory` when it is not given.
 * @throws {RangeError} for less than a runner needs.
 */
export function completeLimits(given: Partial<Limits> = {}): Limits {
  const { memory = DEFAULT_LIMITS.memory } = given;
  const space = Math.min(
    DEFAULT_LIMITS['file-space'] ?? 0,
    Math.floor((memory ?? Number.MAX_SAFE_INTEGER) / 2),
  );
  const limits = { ...DEFAULT_LIMITS, data: memory, 'file-space': space, ...given };
  for (const [name, value] of Object.entries(limits) as [keyof Limits, number | null][]) {
    const least = leastOf(name);
    if (value !== null && value < least)
      throw new RangeError(`the limit ${name}=${value} is too small for a runner: at least ${least}`);
  }
  return limits;
}

/** Stack of a call, and of a thread for which JIT'd code asks no other size. */
export function stackBytes({ stack }: Pick<Limits, 'stack'>): number {
  return stack ?? UNLIMITED_STACK_BYTES;
}

/**
 * Calls that may run at one time; further ones wait. A runner that has no memory for a call's stack ends, so stacks of
 * calls take half of `data` at the most, and the rest is the program's.
 */
export function callsAtOnce(limits: Pick<Limits, 'data' | 'stack'>): number {
  if (limits.data === null) return CALL_SLOT_COUNT;
  return Math.min(Math.max(Math.floor(limits.data / 2 / stackBytes(limits)), 1), CALL_SLOT_COUNT);
}

/** Those that are set, as errors and the handshake name them. */
export function limitsInForce(limits: Limits): Limit[] {
  const set = (Object.entries(limits) as [keyof Limits, number | null][]).flatMap(([name, value]) =>
    value === null ? [] : [{ name, value }],
  );
  return set.filter(({ name, value }) => value > 0 || name === 'file-size');
}

/** Those of a runner that is given no files. */
export function withoutFiles(limits: Limits): Limits {
  return { ...limits, 'file-size': 0, 'file-space': 0, 'file-count': 0 };
}
