import { FarJITError } from './errors.js';

/** What the value of a limit counts. */
export type LimitUnit = 'bytes' | 'seconds' | 'milliseconds' | 'count';

/** The limits of a session by name, as options and errors spell them, with their units. */
export const LIMIT_UNITS = {
  /** Address space of the runner. */
  'address-space': 'bytes',
  /** Private writable memory of the runner: heap and stacks. */
  data: 'bytes',
  /** CPU time of one runner. */
  cpu: 'seconds',
  /** Stack of a thread. */
  stack: 'bytes',
  /** Threads that JIT'd code makes, alive at one time. */
  threads: 'count',
  /** Open descriptors of the runner. */
  descriptors: 'count',
  /** Size of each file that a program writes; 0 for one that is given no files. */
  'file-size': 'bytes',
  /** All that a program writes into files, together. */
  'file-space': 'bytes',
  /** Files, folders and links that a program makes. */
  'file-count': 'count',
  /** Wall-clock time of one call. */
  call: 'milliseconds',
  /** Output while one call runs. */
  output: 'bytes',
  /** Memory of the runner that is really there, counted by the host. */
  memory: 'bytes',
} as const satisfies Readonly<Record<string, LimitUnit>>;

export type LimitName = keyof typeof LIMIT_UNITS;
export const LIMIT_NAMES = Object.keys(LIMIT_UNITS) as [LimitName, ...LimitName[]];

/**
 * Those whose reaching the other end is told. What is refused in a folder that is full, the program is told by its error alone: releases of
 * version 2 of the protocol know no such limits.
 */
export const TOLD_LIMITS = LIMIT_NAMES.filter((name) => name !== 'file-space' && name !== 'file-count') as [
  LimitName,
  ...LimitName[],
];

/** Limits that have an option: all of them. */
export const SETTABLE_LIMITS: readonly LimitName[] = LIMIT_NAMES;

const MIB = 1024 ** 2;

/** Smallest values with which a runner can work at all. */
const LEAST: Readonly<Partial<Record<LimitName, number>>> = {
  memory: 16 * MIB,
  'address-space': 320 * MIB,
  data: 16 * MIB,
  stack: 64 * 1024,
  descriptors: 4,
  'file-space': 4096,
};

/** The smallest value of a limit with which a runner can work. */
export function leastOf(name: LimitName): number {
  return LEAST[name] ?? 1;
}

/** A limit and its value in its unit. */
export interface Limit {
  readonly name: LimitName;
  readonly value: number;
}

/** Those of limits that somebody reports which this build knows. */
export function knownLimits(limits: readonly { readonly name: string; readonly value: number }[]): Limit[] {
  return limits.flatMap(({ name, value }) => {
    const known = LIMIT_NAMES.find((candidate) => candidate === name);
    return known === undefined ? [] : [{ name: known, value }];
  });
}

/**
 * A text is no limit.
 * @remarks Write it as the message says.
 */
export class LimitSyntaxError extends FarJITError {
  constructor(message: string) {
    super('LIMIT_SYNTAX', message);
  }
}

const SCALES: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/**
 * Reads `NAME=VALUE`: a whole number in the limit's unit, for bytes with `K`, `M`, `G` or `T` after it, or `none`.
 * @returns the value `null` for `none`.
 * @throws {LimitSyntaxError}
 */
export function parseLimit(text: string): { readonly name: LimitName; readonly value: number | null } {
  const [name = '', value = '', ...more] = text.split('=');
  const known = SETTABLE_LIMITS.find((candidate) => candidate === name);
  if (known === undefined || more.length > 0)
    throw new LimitSyntaxError(`${text}: expected NAME=VALUE with one of ${SETTABLE_LIMITS.join(', ')}`);
  if (value === 'none') return { name: known, value: null };
  const [, digits, suffix = ''] = /^(\d{1,15})([KMGT]?)$/.exec(value) ?? [];
  const scale = LIMIT_UNITS[known] === 'bytes' || suffix === '' ? SCALES[suffix] : undefined;
  const result = Number(digits) * (scale ?? Number.NaN);
  if (!Number.isSafeInteger(result) || result < 1)
    throw new LimitSyntaxError(`${text}: expected a whole number of ${unitInWords(known)}, or none`);
  return { name: known, value: result };
}

/** A limit in words: `its limit memory=512M`, which is also how it is raised. */
export function describeLimit({ name, value }: Limit): string {
  return `its limit ${formatLimit({ name, value })}`;
}

/** As `parseLimit` reads it. */
export function formatLimit({ name, value }: Limit): string {
  return `${name}=${LIMIT_UNITS[name] === 'bytes' ? formatBytes(value) : value}`;
}

function unitInWords(name: LimitName): string {
  const unit = LIMIT_UNITS[name];
  return unit === 'bytes' ? 'bytes, as in 512M' : unit === 'count' ? name : unit;
}

function formatBytes(sizeBytes: number): string {
  const [suffix, scale] = Object.entries(SCALES).findLast(
    ([, scale]) => sizeBytes > 0 && sizeBytes % scale === 0,
  ) ?? ['', 1];
  return `${sizeBytes / scale}${suffix}`;
}
