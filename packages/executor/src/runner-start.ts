import type { RunnerEnd } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Abi } from './abi/abi.js';
import type { ConfineAnswer, ConfineRequest, ControlArea, RunnerHello } from './control-area.js';
import type { FileHandover } from './files/file-handover.js';
import type { EventProbe, FaultPlace } from './guard.js';
import type { MapsReader } from './mappings-meter.js';
import type { Reservation } from './reservation.js';
import type { ReservationLayout } from './reservation-layout.js';

/**
 * The runner could not be started.
 * @remarks Look at the message, which has the runner’s words; `farjit doctor` looks at all that it needs.
 */
export class RunnerStartError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('RUNNER_START_FAILED', message, options);
  }
}

/**
 * What a runner says of itself: where its reservation, its resolver, what counted code calls, what runs programs and what calls
 * the compiler's functions are; and the
 * thread-local memory of each of its threads, by its distance from the thread pointer, in bytes.
 */
export interface RunnerAddresses {
  readonly base: ExecutorAddr;
  readonly resolver: ExecutorAddr;
  readonly countFunction: ExecutorAddr;
  readonly runProgram: ExecutorAddr;
  readonly callHost: ExecutorAddr;
  readonly threadOffset: number;
}

/** What a 32-bit displacement reaches. */
const MAX_THREAD_OFFSET = 0x7fff_0000n;

/** Bits of `Confinement`, and what there is to say of them. */
export interface RunnerConfinement extends ConfineAnswer {
  readonly bits: number;
}

/** What the runner's bells and its end turn into. Slots are inside their tables; nothing else is checked. */
export interface RunnerEvents {
  onReenter(slot: number): void;
  onCallDone(slot: number): void;
  /** A thread calls a function of the compiler's. */
  onHostCall(slot: number): void;
  /** Counters have reached their thresholds. */
  onHot(): void;
  /** The control thread has done its work. */
  onDone(): void;
  /** The runner says that it has reached a limit: any number. */
  onLimit(limit: number): void;
  onOutput(stream: 'stdout' | 'stderr', content: Uint8Array): void;
  /** True while output should wait in the pipe. */
  isCongested(): boolean;
  /** Last of all: the process is gone and its output delivered. Never throws. */
  onEnd(end: RunnerEnd): void;
}

export interface RunnerStartOptions {
  readonly runnerPath: string;
  readonly abi: Abi;
  readonly control: ControlArea;
  /** Stays the caller's. */
  readonly reservation: Reservation;
  readonly maps: MapsReader;
  /** Libraries to load before it is confined. */
  readonly preload: readonly string[];
  readonly confine: ConfineRequest;
  /** When it is given files; stays the caller's. */
  readonly files?: FileHandover | undefined;
  /** Told of a bug of ours that ends this runner. */
  readonly onFault?: ((place: FaultPlace, error: unknown) => void) | undefined;
  readonly probe?: EventProbe | undefined;
}

/** @param early what the runner has written before it was ready: it says why it could not go on. */
export function startError(
  runnerPath: string,
  error: unknown,
  early: readonly Uint8Array[],
): RunnerStartError {
  const words = [error instanceof Error ? error.message : String(error), Buffer.concat(early).toString()];
  const message = `the runner ${runnerPath} could not be started: ${words.join(' ').trim()}`;
  return new RunnerStartError(message, { cause: error });
}

/** Whether a runner could not be started because there can be no files here, in its own words. */
export function canHaveNoFiles(error: unknown): error is RunnerStartError {
  return error instanceof RunnerStartError && error.message.includes('files need a mount namespace');
}

/**
 * What the runner writes before it is confined is checked like the rest: the base decides where every write goes.
 * @throws {RunnerStartError}
 */
export function checkHello(
  hello: RunnerHello,
  processId: number,
  { totalBytes, pageBytes }: Pick<ReservationLayout, 'totalBytes' | 'pageBytes'>,
  userAddressBits: number,
): RunnerAddresses {
  const { base, resolver, countFunction, runProgram, callHost, threadOffset } = hello;
  const limit = 1n << BigInt(userAddressBits);
  const isPlaced = base > 0n && base % BigInt(pageBytes) === 0n && base + BigInt(totalBytes) <= limit;
  const isInReach = threadOffset >= -MAX_THREAD_OFFSET && threadOffset < MAX_THREAD_OFFSET;
  const isWhole = [resolver, countFunction, runProgram, callHost].every((address) => address !== 0n);
  if (!isPlaced || !isInReach || !isWhole || hello.processId !== processId)
    throw new RunnerStartError(
      `it says: base 0x${base.toString(16)}, resolver 0x${resolver.toString(16)}, ` +
        `count function 0x${countFunction.toString(16)}, program function 0x${runProgram.toString(16)}, ` +
        `host call function 0x${callHost.toString(16)}, thread offset ${threadOffset}, process ${hello.processId}`,
    );
  return {
    base: toExecutorAddr(base),
    resolver: toExecutorAddr(resolver),
    countFunction: toExecutorAddr(countFunction),
    runProgram: toExecutorAddr(runProgram),
    callHost: toExecutorAddr(callHost),
    threadOffset: Number(threadOffset),
  };
}
