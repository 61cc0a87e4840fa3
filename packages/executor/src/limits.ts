import type { Limit, LimitName } from '@farjit/protocol/limits';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Sessions at a time; each has a process, 256 MiB of address space and a dozen descriptors. */
export const DEFAULT_MAX_SESSIONS = 256;

/** The limits of a session; `null` for none. Units: `LIMIT_UNITS`. */
export type Limits = Readonly<Record<Exclude<LimitName, 'file-size'>, number | null>>;

/** What a program may use unless the executor is told otherwise. */
export const DEFAULT_LIMITS: Limits = {
  // 256 MiB of session memory, 64 calls and 256 threads with stacks of 9 MiB, and room for malloc's arenas.
  'address-space': 8 * GIB,
  // All those stacks, and more heap than `memory` lets be used.
  data: 4 * GIB,
  // Against programs that nobody waits for any more: a day.
  cpu: 24 * 60 * 60,
  // What a C program has.
  stack: 8 * MIB,
  threads: 256,
  // The four it has, and room for poll, which takes no more entries than this.
  descriptors: 16,
  call: 60 * 60 * 1000,
  output: GIB,
  memory: 2 * GIB,
};

/** Smallest values with which a runner can work at all. */
const LEAST: Partial<Record<LimitName, number>> = {
  'address-space': 320 * MIB,
  data: 16 * MIB,
  stack: 64 * 1024,
  descriptors: 4,
  memory: 16 * MIB,
};

/** Defaults, and what is given instead of them. @throws {RangeError} for less than a runner needs. */
export function completeLimits(given: Partial<Limits> = {}): Limits {
  const limits = { ...DEFAULT_LIMITS, ...given };
  for (const [name, least] of Object.entries(LEAST) as [keyof Limits, number][]) {
    const value = limits[name];
    if (value !== null && value < least)
      throw new RangeError(`the limit ${name}=${value} is too small for a runner: at least ${least}`);
  }
  return limits;
}

/** Those that are set, as errors and the handshake name them. */
export function limitsInForce(limits: Limits): Limit[] {
  const set = (Object.entries(limits) as [keyof Limits, number | null][]).flatMap(([name, value]) =>
    value === null ? [] : [{ name, value }],
  );
  return [...set, FILE_SIZE];
}

/** Nothing is ever written to a file. */
export const FILE_SIZE: Limit = { name: 'file-size', value: 0 };
