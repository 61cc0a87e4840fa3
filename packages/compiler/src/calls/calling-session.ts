import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Call } from '../core/call-edges.js';
import type { JITDylib, SymbolRef } from '../core/jit-dylib.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type {
  CallOptions,
  DataCallResult,
  PreparedCall,
  PreparedDataCall,
  PreparedEnteredCall,
} from './session-calls.js';

/** What calls from outside need of a session: `ExecutionSession` says what each does. */
export interface CallingSession {
  readonly mainDylib: JITDylib;
  readonly executor: Pick<ExecutorProcessControl, 'has'>;
  /** Whether it is the runner of now, and lives. */
  isCurrent(runner: RunnerContext): boolean;
  resolve(ref: SymbolRef, runner: RunnerContext): Promise<{ readonly address: ExecutorAddr } | undefined>;
  link(unit: MaterializationUnit, name: string, runner: RunnerContext): Promise<ExecutorAddr>;
  call(
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedCall>,
    options?: CallOptions,
  ): Promise<Uint8Array>;
  callOnData(
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedDataCall>,
    options?: CallOptions,
  ): Promise<DataCallResult>;
  /** @param within the call of a function in JavaScript which the thread waits in. */
  callWithin(
    within: { readonly runner: RunnerContext; readonly call: number },
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedEnteredCall>,
    options: CallOptions,
  ): Promise<Uint8Array>;
  noteReturned(calls: readonly Call[]): void;
  discard(unit: MaterializationUnit): void;
}
