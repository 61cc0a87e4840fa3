import type { RunnerEnd, TrapReport } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import { formatAddr } from '@farjit/protocol/executor-addr';
import { describeLimit, type Limit } from '@farjit/protocol/limits';
import { describeQuota, type Quota } from '@farjit/protocol/quotas';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import { LinkError } from '../jitlink/errors.js';
import type { SectionProt } from '../jitlink/link-graph.js';

/** A JIT'd frame in words: `fib$impl+0x1c`, or the bare address of code that is not JIT'd. */
export interface SymbolizedFrame {
  readonly address: bigint;
  /** Symbol and offset; undefined outside JIT'd code (libc, libm, a wild jump). */
  readonly symbol: string | undefined;
  readonly offsetBytes: number;
  /** The line of the source, where its compiler was told to say it (`-g`). */
  readonly place?: { readonly file: string; readonly line: number };
}

/**
 * JIT'd code trapped. The runner is gone; the next call gets a new one. `signal`, `faultAddress` and `frames` come from the
 * trap report, which untrusted code can forge.
 * @remarks Look at `frames`: the program has done something that its processor or the sandbox does not allow. The next call
 * gets a new runner.
 */
export class ExecutionTrapError extends FarJITError {
  readonly trap: TrapReport;
  /** Innermost first; the first is where the trap happened. */
  readonly frames: readonly SymbolizedFrame[];
  /** Limits that the program had reached before: memory or threads it was refused, the stack that overflowed. */
  readonly limits: readonly Limit[];

  constructor(trap: TrapReport, frames: readonly SymbolizedFrame[], limits: readonly Limit[] = []) {
    super('EXECUTION_TRAP', describeTrap(trap, frames) + reachedInWords(limits));
    this.trap = trap;
    this.frames = frames;
    this.limits = limits;
  }

  get signal(): string {
    return this.trap.signal;
  }

  get faultAddress(): bigint {
    return this.trap.faultAddress;
  }

  /** Innermost JIT'd function on the stack, without its offset. */
  get symbol(): string | undefined {
    return this.frames.find((frame) => frame.symbol !== undefined)?.symbol;
  }
}

/** A C++ exception that nobody caught, as libstdc++ tells of it on standard error. */
export interface UncaughtException {
  /** As C++ writes it: `std::runtime_error`. */
  readonly type: string;
  /** What its `what()` says, if it is a `std::exception`. */
  readonly what?: string;
}

/**
 * The runner ended while the call was in flight, for a reason that was not the call's own trap; or before, where nobody has
 * been told that a thread could not go on: `cause` is then why, and the call was not made.
 * @remarks Look at `end`, which says how it ended; the next call gets a new runner, in which data has its initial values.
 */
export class RunnerLostError extends FarJITError {
  readonly end: RunnerEnd;
  /** What ended the runner by SIGABRT, where the program has said so; untrusted code can forge it. */
  readonly uncaught: UncaughtException | undefined;
  /** Limits that the program had reached before, as `ExecutionTrapError` has them. */
  readonly limits: readonly Limit[];

  constructor(
    end: RunnerEnd,
    options: ErrorOptions & {
      readonly limits?: readonly Limit[];
      readonly uncaught?: UncaughtException | undefined;
    } = {},
  ) {
    const { limits = [], uncaught, ...errorOptions } = options;
    super(
      'RUNNER_LOST',
      `the runner ended: ${describeRunnerEnd(end)}${failureInWords(end, options.cause)}` +
        `${uncaughtInWords(uncaught)}${reachedInWords(limits)}`,
      errorOptions,
    );
    this.end = end;
    this.uncaught = uncaught;
    this.limits = limits;
  }
}

/**
 * A call was refused: the executor ends when those in flight have ended. Another one can be asked.
 * @remarks Use another executor.
 */
export class ExecutorDrainingError extends FarJITError {
  constructor(name: string, options?: ErrorOptions) {
    super('DRAINING', `${name} was not called: the executor is draining; use another`, options);
  }
}

/**
 * A call was refused: all sessions of this compiler's identity together have what the executor lets it have.
 * @remarks Close sessions or end calls that are not needed, or have the executor’s administrator raise `quota`.
 */
export class QuotaExceededError extends FarJITError {
  readonly quota: Quota;

  constructor(quota: Quota, options?: ErrorOptions) {
    super('QUOTA_EXCEEDED', `the call was refused: ${describeQuota(quota)} is used up`, options);
    this.quota = quota;
  }
}

/**
 * A call passed its deadline: its runner was ended, if it was in one, or it was not called.
 * @remarks Give the call more time, or find out what it does not end over. Data of the program has its initial values again if
 * the runner was ended.
 */
export class DeadlineExceededError extends FarJITError {
  readonly deadlineMs: number;

  /**
   * @param options.cause given when it was not called: what the executor said.
   * @param options.why what it was not called for, in words; other calls unless given.
   */
  constructor(name: string, deadlineMs: number, options?: ErrorOptions & { readonly why?: string }) {
    const { why = 'the executor was busy with other calls' } = options ?? {};
    const became = options?.cause
      ? `was not called within ${deadlineMs} ms: ${why}`
      : `did not return within ${deadlineMs} ms; its runner was ended`;
    super('DEADLINE_EXCEEDED', `${name} ${became}`, options);
    this.deadlineMs = deadlineMs;
  }
}

/**
 * A function that was called could not be compiled or linked. The session goes on, and the function is tried again when it is
 * called again. `cause` is the diagnostic, `LinkError` or LLVM error.
 * @remarks Mend what the cause says, and call again.
 */
export class MaterializationError extends FarJITError {
  readonly symbol: string;

  constructor(symbol: string, cause: unknown) {
    const verb = cause instanceof LinkError ? 'link' : 'compile';
    super('MATERIALIZATION_FAILED', `cannot ${verb} ${symbol}: ${messageOf(cause)}`, { cause });
    this.symbol = symbol;
  }
}

/**
 * A function in JavaScript has thrown, or has given what is not of its type: the call that its thread was in was ended. `cause` is
 * what it has thrown, whatever that is.
 * @remarks Mend the function, or have it say by its result what the program is to do.
 */
export class HostFunctionError extends FarJITError {
  /** Of the function. */
  readonly symbol: string;

  constructor(symbol: string, problem: string, options?: ErrorOptions) {
    super('HOST_FUNCTION_FAILED', `${symbol} ${problem}`, options);
    this.symbol = symbol;
  }
}

/**
 * A function in JavaScript has ended, and its `run` was asked for something: the thread that it was called by has gone on, and its memory
 * may be anything by now; or its runner has ended, and nobody waits for it any more. The cause says that, where it is known.
 * @remarks Have the function wait for what it asks (`await`), and keep what it has read in place of its `run`.
 */
export class HostCallEndedError extends FarJITError {
  constructor(symbol: string, options: { readonly cause?: unknown; readonly isLost?: boolean } = {}) {
    super(
      'HOST_CALL_ENDED',
      options.isLost
        ? `nobody waits for ${symbol} any more: the runner that it was called in has ended`
        : `${symbol} has ended, and what it was called for has gone on: wait for it there`,
      options,
    );
  }
}

/**
 * A function in JavaScript has called code that has called a function in JavaScript, and so on, deeper than is allowed; or too many such
 * calls are open at once.
 * @remarks Look for a recursion without an end; let calls end before others are begun.
 */
export class HostDepthError extends FarJITError {
  constructor(symbol: string, problem: string) {
    super('HOST_CALLS_TOO_DEEP', `${symbol} is not called: ${problem}`);
  }
}

/**
 * Symbols that neither the session defines nor the runner has.
 * @remarks Define `names`, add the library or archive that does, or check the spelling.
 */
export class SymbolsNotFoundError extends FarJITError {
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    const list = names.join(', ');
    super(
      'SYMBOLS_NOT_FOUND',
      `symbols not found: ${list}; define them, or check the spelling of the extern`,
    );
    this.names = names;
  }
}

/**
 * The session's memory in the executor is used up.
 * @remarks Remove what is not needed any more, or give the executor more with its limits.
 */
export class OutOfExecutorMemoryError extends FarJITError {
  /** @param names of what was to go there, where that is known. */
  constructor(prot: SectionProt, sizeBytes: number, names: readonly string[] = []) {
    const kind = prot === 'thread' ? 'thread-local' : prot;
    const owner = names.length > 0 ? ` for ${names.join(', ')}` : '';
    super(
      'OUT_OF_EXECUTOR_MEMORY',
      `no ${sizeBytes} bytes of ${kind} memory left in the executor${owner}; remove modules that are no longer needed`,
    );
  }
}

/**
 * A name was looked up that is a thread-local variable's: each thread has its own, so there is no address to give.
 * @remarks Call a function that answers what its thread has.
 */
export class ThreadLocalSymbolError extends FarJITError {
  constructor(name: string) {
    super(
      'THREAD_LOCAL_SYMBOL',
      `${name} is thread-local: it has no address for all threads; call a function that answers what its thread has`,
    );
  }
}

/**
 * A program was not run: it cannot be given these files, or not here, or not now.
 * @remarks The message says which, and why: a path, a limit of the executor's, or calls that run in its session.
 */
export class FilesError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('FILES_REFUSED', message, options);
  }
}

/**
 * A program was not run: the session has one runner, and another program runs there.
 * @remarks Wait for the other program, or open another session.
 */
export class ProgramRunningError extends FarJITError {
  constructor(name: string) {
    super(
      'PROGRAM_RUNNING',
      `${name} was not run: a program runs in this session already; open another session for it`,
    );
  }
}

/**
 * A program was not run: it has functions of memory of its own, and libraries have memory of earlier calls, of another heap.
 * @remarks Run it before anything else in its session, or open another session for it.
 */
export class HeapInUseError extends FarJITError {
  /** @param replaced as C and C++ write them. */
  constructor(name: string, replaced: readonly string[]) {
    super(
      'HEAP_IN_USE',
      `${name} was not run: the program defines ${replaced.join(', ')} in place of the libraries', which may have memory of ` +
        'the calls before it; run it before other calls, or in another session',
    );
  }
}

/**
 * What a program was to read could not be read: `cause` says why. The program was ended.
 * @remarks Look at the cause, which is what the source of `stdin` has thrown.
 */
export class ProgramInputError extends FarJITError {
  constructor(name: string, cause: unknown) {
    super('PROGRAM_INPUT_FAILED', `${name} was ended, for its input failed: ${messageOf(cause)}`, { cause });
  }
}

/**
 * What is wanted of a dylib works only when its initialisers have run, and they have not, in this runner.
 * @remarks Call `initialize()` of that dylib.
 */
export class InitializersDueError extends FarJITError {
  readonly dylib: string;

  /** @param units that have such initialisers. */
  constructor(dylib: string, units: readonly string[]) {
    super(
      'INITIALIZERS_DUE',
      `initialisers of ${units.join(', ')} have not run in this runner: call initialize() of the dylib ${dylib} first`,
    );
    this.dylib = dylib;
  }
}

/**
 * Something could not be removed: it is initialised, and what it has registered for its end would be called when it is gone.
 * @remarks Call `deinitialize()` of that dylib first.
 */
export class InitializedError extends FarJITError {
  constructor(dylib: string, unit: string) {
    super(
      'INITIALIZED',
      `${unit} is initialised: call deinitialize() of the dylib ${dylib} before it is removed`,
    );
  }
}

/** Most functions that an error lists by name. */
const MAX_LISTED = 3;

/**
 * Initialisers or finalisers of a dylib have not all run: `cause` says why.
 * @remarks Look at the cause, which is the error of the call; initialisers that have returned are not run again.
 */
export class InitializationError extends FarJITError {
  readonly dylib: string;
  /** The function that did not return, where that is known. */
  readonly initializer: string | undefined;

  /** @param candidates functions of which one did not return. */
  constructor(
    what: 'initialise' | 'deinitialise',
    dylib: string,
    candidates: readonly string[],
    cause: unknown,
  ) {
    const more = candidates.length - MAX_LISTED;
    const listed = candidates.slice(0, MAX_LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '');
    const where = candidates.length > 1 ? `one of ${listed}: ` : listed && `${listed}: `;
    super('INITIALIZATION_FAILED', `cannot ${what} ${dylib}: ${where}${messageOf(cause)}`, { cause });
    this.dylib = dylib;
    this.initializer = candidates.length === 1 ? candidates[0] : undefined;
  }
}

/**
 * The session was closed, or its executor is gone.
 * @remarks Open another session; what was defined has to be added again.
 */
export class SessionClosedError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('SESSION_CLOSED', message, options);
  }
}

function describeTrap(trap: TrapReport, frames: readonly SymbolizedFrame[]): string {
  const what = trap.stackOverflow ? 'stack overflow' : `fault address ${formatAddr(trap.faultAddress)}`;
  const jitted = frames.find((frame) => frame.symbol !== undefined);
  const jumped = isOnStack(trap) ? '; it jumped to its stack, and no code is run there' : '';
  const where = jitted ? `in ${jitted.symbol}+${formatAddr(BigInt(jitted.offsetBytes))}` : 'outside JIT code';
  return `${trap.signal} ${where} (pc ${formatAddr(trap.programCounter)}, ${what}${jumped})`;
}

/** How psABIs call the stack pointer. */
const STACK_POINTERS = ['rsp', 'sp'];
/** Code on the stack is that of a function which is not far out. */
const NEAR_BYTES = 1n << 20n;

/** Other signals have the address of the instruction for a fault address, and code may be right above the stack. */
function isOnStack({ signal, registers, programCounter, faultAddress }: TrapReport): boolean {
  const [top] = STACK_POINTERS.flatMap((name) => registers[name] ?? []);
  const isNear = top !== undefined && programCounter >= top - NEAR_BYTES && programCounter < top + NEAR_BYTES;
  return isNear && signal === 'SIGSEGV' && faultAddress === programCounter;
}

function uncaughtInWords(uncaught: UncaughtException | undefined): string {
  if (!uncaught) return '';
  const { type, what } = uncaught;
  return `: nobody caught ${type}${what === undefined ? '' : `, what(): ${what}`}`;
}

function failureInWords({ kind }: RunnerEnd, cause: unknown): string {
  return kind === 'unwind-failed' && cause instanceof Error ? `: ${cause.message}` : '';
}

function reachedInWords(limits: readonly Limit[]): string {
  return limits.length === 0 ? '' : `; the program had reached ${limits.map(describeLimit).join(' and ')}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
