import { FarJITError } from '@farjit/protocol/errors';
import type { CArgument, CValue } from '../calls/c-values.js';
import type { CallSignature } from '../calls/call-signature.js';
import type { JITCallable } from '../calls/callable.js';
import type { ConnectOptions } from '../executor-client/connect.js';
import type { OutputChunk } from '../jit/deliver-output.js';
import type { JITOptions } from '../jit/jit-types.js';
import type { TargetDescription } from '../llvm/target.js';
import type { StatisticsSnapshot } from '../observe/statistics.js';
import type { Resolve } from './addresses.js';

/** Where an executor of a pool stands: `lost` while it is connected to again. */
export type ExecutorState = 'connecting' | 'connected' | 'lost' | 'removed';

/** One of a pool's executors, and what it has done. */
export interface ExecutorFigures {
  /** As it was given: `local` for one of our own. */
  readonly url: string;
  /** Of the host, where its name was looked up. */
  readonly address: string | undefined;
  readonly state: ExecutorState;
  /** Why it is not connected. */
  readonly error: Error | undefined;
  /** What code is generated for; undefined before it has been connected to. */
  readonly target: TargetDescription | undefined;
  /** Sessions opened with it: more than one when it has been lost. */
  readonly sessionCount: number;
  /** Chunks it has finished, and elements in them. */
  readonly chunks: number;
  readonly elements: number;
  /** Chunks that were lost with it, and went to others. */
  readonly lostChunks: number;
  /** Time in which it had chunks or expressions to work on. */
  readonly busyMs: number;
  /** Of chunks and their results, without what the protocol adds. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Of all its sessions together. */
  readonly statistics: StatisticsSnapshot | undefined;
}

/** Told to `onExecutor`. */
export interface ExecutorChange {
  readonly url: string;
  readonly address: string | undefined;
  readonly state: ExecutorState;
  /** Why it is `lost`, or still is. */
  readonly error: Error | undefined;
}

/** A piece of what is printed in an executor of a pool. */
export interface PoolOutputChunk extends OutputChunk {
  /** The executor's, as it was given. */
  readonly url: string;
}

/** Columns of elements: the function's parameters, in order. */
export type MapData = Float64Array | { readonly columns: readonly Float64Array[] };

/** A function in the executors, called by name in one that has little to do. */
export interface PoolCallable<
  Arguments extends readonly unknown[] = CArgument[],
  Result extends CValue | undefined = CValue | undefined,
> extends JITCallable<Arguments, Result> {
  /** As it was when it was looked up. */
  readonly signature: CallSignature;
}

/** How a pool works; every option has a default. */
export interface ExecutorPoolOptions
  extends Omit<ConnectOptions, 'address'>,
    Omit<
      JITOptions,
      'executor' | 'transforms' | 'program' | 'recordCalls' | 'sharedObjects' | 'onOutput' | 'onEvent'
    > {
  /** Addresses of a host's name, each of which is an executor. By default the system's look-up of all. */
  readonly resolve?: Resolve;
  /** Milliseconds after which names are looked up again, so that more executors behind a name are seen: 10,000. */
  readonly refreshMs?: number;
  /** How long work waits for an executor when none is connected, before it fails: 60,000 ms. */
  readonly waitMs?: number;
  /** Told of every executor that is connected, lost, tried again in vain, or removed. */
  readonly onExecutor?: (change: ExecutorChange) => void;
  /** What JIT'd code prints, and in which executor. See `JITOptions.onOutput`. */
  readonly onOutput?: (
    stream: 'stdout' | 'stderr',
    content: Uint8Array,
    url: string,
  ) => Promise<void> | undefined | void;
}

/**
 * No executor is connected, and none has been for as long as work waits.
 * @remarks Look at the reasons in the message; add an executor, or wait longer with `waitMs`.
 */
export class NoExecutorError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('NO_EXECUTOR', message, options);
  }
}
