import { memory, parseValue, type RunnerEnd, run, session, symbols } from '@farjit/protocol';
import { RemoteError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import { alignUp } from '#executor/src/align-up.js';
import { CONTROL_BYTES } from '#executor/src/native/shared-layout.js';
import { must, Violation } from '../target.js';
import { mustBePrintable } from '../targets/decoder.js';
import { BLOCK_BYTES, OPERATION_BYTES, type Program, WORDS, type WordName } from './program.js';
import { commitOf, invalidates, type RawSession } from './raw-session.js';
import { runnerMemoryBytes } from './runner-memory.js';

/** Limits of the fuzzed host that programs are held to. */
export const MEMORY_LIMIT_BYTES = 64 * 1024 ** 2;
/** How much more there may be, and in how many looks: they are counted, for on a busy machine both host and looks are late. */
const MAX_OVERSHOOT = 1.25;
const OVERSHOOT_LOOKS = 15;
const LOOK_MS = 20;
/** Beyond a program's own time it may sit in a system call; then the host ends it. A sound one may only be slow. */
const CALL_GRACE_MS = 60;
const SOUND_GRACE_MS = 15_000;
/** A call whose deadline has passed comes back when the runner is gone, and work of its control thread after 5 s. */
const RETURN_TIMEOUT_MS = 8000;
const CANCEL_AFTER_MS = 5;
const MANY = 24;
const NAMES = ['sin', 'nowhere', 'malloc', 'pthread_create'];

/** Codes of the wire that a hostile runner may bring about. INTERNAL means that nobody foresaw what happened. */
const CODES = new Set([
  'RUNNER_LOST',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'CALLBACK_FAILED',
  'STALE_GENERATION',
  'LIMIT_EXCEEDED',
  'QUOTA_EXCEEDED',
  'INVALID_ADDRESS',
]);

/** What a guard says of an exception: that it held is well, that it had to is not. */
const UNFORESEEN = /^the executor (failed at|could not tell)/;

/** What came of a program. */
export interface Outcome {
  /** How its runner ended; undefined when it goes on. */
  readonly end: RunnerEnd | undefined;
  /** Bells that are known to have been rung: none of a runner that was lost. */
  readonly bells: number;
}

/** Runs a program in a runner of its own. @throws {Violation} when the session does not behave as it must. */
export async function attack(hostile: RawSession, program: Program): Promise<Outcome> {
  const [entry, pthreadCreate] = await hostile.lookup('fuzz_entry', 'pthread_create');
  if (entry === undefined || pthreadCreate === undefined) throw new Error('a lookup answers too little');
  hostile.answer = program.answer;
  const deadlineMs = program.timeMs + (program.expectation === 'goesOn' ? SOUND_GRACE_MS : CALL_GRACE_MS);
  const start = (first: number, signal?: AbortSignal) =>
    hostile.call(entry, blockOf(hostile, program, first, pthreadCreate), {
      deadlineMs,
      ...(signal ? { signal } : {}),
    });
  const cancel = new AbortController();
  const main = start(0, cancel.signal);
  const beside = Array.from({ length: program.callsBeside }, () => start(program.besideFrom));
  const all = [main, ...beside, ...requestsOf(hostile, program)];
  if (program.requests.includes('cancel')) setTimeout(() => cancel.abort(), CANCEL_AFTER_MS);
  const [results] = await Promise.all([
    inTime(Promise.allSettled(all), deadlineMs + RETURN_TIMEOUT_MS),
    program.expectation === 'isBounded' ? watchMemory(hostile, main, () => cancel.abort()) : undefined,
  ]);
  for (const result of results) if (result.status === 'rejected') mustBeForeseen(result.reason);
  const end = results.map(endOf).find((found) => found) ?? (await hostile.runnerEnd());
  must(
    end?.kind !== 'fault' || !UNFORESEEN.test(end.message),
    () => `nobody foresaw it: ${(end as { message: string }).message}`,
  );
  must(hostile.passedOn === undefined, () => `the host passes on ${hostile.passedOn}`);
  const answer = results[0]?.status === 'fulfilled' ? (results[0].value as Buffer) : undefined;
  if (program.expectation === 'goesOn') await mustGoOn(hostile, results, start);
  if (program.expectation === 'isEnded')
    must(
      end?.kind === 'fault' || end?.kind === 'limit',
      () =>
        `a runner that breaks the contract is not ended for it, but ${end ? describeRunnerEnd(end) : 'goes on'}`,
    );
  return { end, bells: end === undefined && answer ? Number(readWord(answer, 'bells')) : 0 };
}

function blockOf(
  hostile: RawSession,
  program: Program,
  first: number,
  pthreadCreate: ExecutorAddr,
): Uint8Array<ArrayBuffer> {
  const { code, data } = hostile.opened.runner.memory;
  const { places } = hostile;
  const controlBytes = BigInt(alignUp(CONTROL_BYTES, hostile.opened.info.pageBytes));
  // Data follows it.
  const control = data.address - controlBytes;
  const words: Partial<Record<WordName, bigint>> = {
    control,
    controlBytes,
    data: places.data,
    dataBytes: BigInt(places.dataBytes),
    dataStart: data.address,
    codeStart: code.address,
    trampolines: places.trampolines,
    stubs: places.stubs,
    pointers: places.pointers,
    pthreadCreate,
    countFunction: hostile.opened.runner.countFunction,
    timeMs: BigInt(program.timeMs),
    first: BigInt(first),
    operations: BigInt(program.operations.byteLength / OPERATION_BYTES),
  };
  const block = Buffer.alloc(BLOCK_BYTES);
  for (const [index, name] of WORDS.entries()) block.writeBigUInt64LE(words[name] ?? 0n, 8 * index);
  block.set(program.operations, 8 * WORDS.length);
  return new Uint8Array(block);
}

function readWord(block: Buffer, name: WordName): bigint {
  return block.readBigUInt64LE(8 * WORDS.indexOf(name));
}

/** What the compiler asks for meanwhile, of a runner that may be lost at any moment. */
function requestsOf(hostile: RawSession, { requests }: Program): Promise<unknown>[] {
  const times = requests.includes('many') ? MANY : 1;
  const { code, data } = hostile.places;
  const kinds = {
    status: () => hostile.ask(session.sessionStatus, {}),
    maps: () => hostile.ask(session.runnerMaps, {}),
    lookup: () => hostile.ask(symbols.lookupSymbols, { names: NAMES }),
    // Work for the control thread.
    commit: () =>
      hostile.ask(memory.commitMemory, {
        commit: commitOf({ pointers: [{ address: data, value: data }], actions: [invalidates(code)] }),
      }),
  };
  return (['status', 'maps', 'lookup', 'commit'] as const)
    .filter((name) => requests.includes(name))
    .flatMap((name) => Array.from({ length: times }, kinds[name]));
}

/** Of the runner, as a request says that it took it along. */
function endOf(result: PromiseSettledResult<unknown>): RunnerEnd | undefined {
  if (result.status === 'fulfilled' || !(result.reason instanceof RemoteError)) return undefined;
  const data = parseValue(run.runnerLostData, result.reason.data);
  return data.success ? data.output.end : undefined;
}

function mustBeForeseen(reason: unknown): void {
  if (!(reason instanceof RemoteError)) throw reason;
  must(CODES.has(reason.code), () => `a request fails with ${reason.code}: ${reason.message}`);
  mustBePrintable(reason.message);
}

/** What does only what programs may do returns, with the right values, and so does everything after it. */
async function mustGoOn(
  hostile: RawSession,
  results: readonly PromiseSettledResult<unknown>[],
  start: (first: number) => Promise<Buffer>,
): Promise<void> {
  for (const result of results)
    must(result.status === 'fulfilled', () => `a sound program's call fails: ${reasonOf(result)}`);
  const [first] = results as PromiseFulfilledResult<Buffer>[];
  const failure = first ? readWord(first.value, 'failure') : 0n;
  must(failure === 0n, () => `operation ${failure - 1n} of a sound program goes wrong`);
  // Past the last operation: nothing but the call itself.
  const again = await inTime(start(0xffff), RETURN_TIMEOUT_MS);
  must(readWord(again, 'done') === 0n, () => 'a call that does nothing does something');
  await inTime(hostile.lookup('sin'), RETURN_TIMEOUT_MS);
}

function reasonOf(result: PromiseSettledResult<unknown>): string {
  return result.status === 'rejected' ? String((result.reason as Error).message) : '';
}

/**
 * Looks at what the runner holds while its first call runs, which `stop` ends when nothing changes any more.
 * @throws {Violation} when it holds more than it may for longer than it may.
 */
async function watchMemory(hostile: RawSession, call: Promise<unknown>, stop: () => void): Promise<void> {
  let isOver = false;
  void Promise.allSettled([call]).then(() => {
    isOver = true;
  });
  const limit = MEMORY_LIMIT_BYTES * MAX_OVERSHOOT;
  let before = 0;
  for (let over = 0, same = 0; !isOver; ) {
    const bytes = runnerMemoryBytes(hostile.runnerProcessId) ?? 0;
    over = bytes > limit ? over + 1 : 0;
    same = bytes === before ? same + 1 : 0;
    before = bytes;
    must(
      over <= OVERSHOOT_LOOKS,
      () => `a runner holds ${bytes >> 20} MiB, and has held more than ${limit >> 20} for long`,
    );
    if (same === OVERSHOOT_LOOKS && over === 0) stop();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function inTime<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Violation(`a call is not back after ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
