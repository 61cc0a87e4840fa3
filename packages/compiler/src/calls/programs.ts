import type { ProgramEnd, ProgramUse, ResultOf, run } from '@farjit/protocol';
import { FeatureError, ProtocolError, RemoteError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { throwIfAborted, untilAborted } from '../core/aborting.js';
import { ArgumentError } from '../core/argument-error.js';
import {
  type ExecutionTrapError,
  ProgramInputError,
  ProgramRunningError,
  RunnerLostError,
  SymbolsNotFoundError,
} from '../core/errors.js';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { EventStream } from '../observe/event-stream.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { RunnerSupervisor } from '../runner/runner-supervisor.js';
import { trapErrorOf } from './call-errors.js';
import type { CallSignature, ScalarKind } from './call-signature.js';
import { type CollectedFiles, FilesOfProgram } from './files-of-program.js';
import type { ProgramFiles } from './program-files.js';
import { ProgramInput, type ProgramSource, wholeInput } from './program-input.js';
import { layOutProgram } from './program-memory.js';
import { outcomeOf, RunMeter, type RunReport } from './run-report.js';
import { type CallOptions, notCalled, type SendCall, type SessionCalls } from './session-calls.js';
import { signalNumber } from './signal-numbers.js';
import { formatSignature } from './signature-text.js';

/** What a program finds when it begins, and how long it may run. */
export interface ProgramOptions extends CallOptions {
  /** From its own name on, texts or bytes that may not be UTF-8; unless given, the name of its function. */
  readonly argv?: readonly (string | Uint8Array)[] | undefined;
  /** All of its environment; none unless given. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What it reads; it is at its end at once unless given. */
  readonly stdin?: ProgramSource | undefined;
  /**
   * Whether each line that it prints is told at once, as C programs do it on a terminal; unless given what fills a buffer is, as
   * into a pipe, which is much faster.
   */
  readonly lineBuffered?: boolean | undefined;
  /**
   * Compile and link all functions of its dylib and of that one's link order before it begins, instead of each at its first
   * call. What a linker would have refused then fails before anything has run.
   */
  readonly eager?: boolean | undefined;
  /**
   * Files that it sees, by its absolute paths, and nothing else of any machine's. It runs in a fresh runner then, where data has its
   * initial values. What is given is read-only, but in folders that are given as writable, and `/tmp`, which are its own.
   */
  readonly files?: ProgramFiles | undefined;
  /** Where it begins, of its folders: `/` unless given. */
  readonly workingDirectory?: string | undefined;
  /** Which of the files that it leaves in writable folders its result has: paths, with `*`, `**` and `?`. None unless given. */
  readonly collect?: readonly string[] | undefined;
}

/** How a program has ended. */
export interface ProgramResult extends CollectedFiles {
  /** What it has called `exit` with, or `main` has returned, from 0 to 255; after a signal 128 and its number, as shells say it. */
  readonly exitCode: number;
  /** The signal it has died of. */
  readonly signal?: string;
  /** Where and why, when it was a trap. */
  readonly trap?: ExecutionTrapError;
  readonly report: RunReport;
}

/** Told of a run as it goes on. */
export interface RunProgress {
  /** What is printed from now on is its own. */
  begins(): void;
  /** It has ended, in whichever way, after it had been sent. */
  reported(report: RunReport): void;
}

/** What programs need of a session. */
export interface ProgramsContext {
  readonly calls: SessionCalls;
  readonly runners: RunnerSupervisor;
  readonly events: EventStream;
  executor(): ExecutorProcessControl;
  resolve(
    ref: SymbolRef,
    runner: RunnerContext,
  ): Promise<{ readonly address: ExecutorAddr; readonly kind: string } | undefined>;
}

/** What C passes to `main`, of which it may take as much as it likes. */
const MAIN_PARAMETERS: readonly ScalarKind[] = ['i32', 'ptr', 'ptr'];

/**
 * @param signature where it is known.
 * @throws {ArgumentError} when a function cannot be a program's `main`.
 */
export function checkMain(name: string, signature: CallSignature | undefined): void {
  if (!signature) return;
  const { result, parameters } = signature;
  const takesNoMore = parameters.every((kind, index) => kind === MAIN_PARAMETERS[index]);
  if (takesNoMore && (result === 'i32' || result === 'void')) return;
  throw new ArgumentError(
    `${name} is ${formatSignature(signature)}, and a program begins with i32(i32, ptr, ptr) or less of it`,
  );
}

/** What a program is passed. */
export interface ProgramArguments {
  readonly argumentCount: number;
  readonly arguments: ExecutorAddr;
  readonly environment: ExecutorAddr;
}

/** A program in the memory of a runner. */
interface PreparedProgram extends ProgramArguments {
  readonly main: ExecutorAddr;
  readonly lineBuffered: boolean;
}

/** A function that a program begins with, before its own. */
export interface ProgramLead {
  readonly entry: ExecutorAddr;
  /** What it finds in front of `argv`. @param main what it is to go on with. */
  place(main: ExecutorAddr, program: ProgramArguments): LeadPlace;
}

/** Memory of a runner for as long as a program may be run in it. */
interface Place {
  readonly address: ExecutorAddr;
  readonly sizeBytes: number;
}

/** Where there is what a lead finds, and what else that leads to. */
export interface LeadPlace extends Place {
  readonly others: readonly Place[];
}

/** Makes a runner ready for a program before its function is looked for; undefined when there is nothing to be done first. */
export type LeadProgram = (runner: RunnerContext) => Promise<ProgramLead | undefined>;

type ProgramAnswer = ResultOf<typeof run.runProgram> & { readonly programThreads: number };

/** Input and the runner it is for. */
interface SentInput {
  readonly input: ProgramInput;
  readonly generation: number;
}

/** Of `Programs.run`. */
type RunArguments = [
  ref: SymbolRef,
  options: ProgramOptions,
  leadProgram?: LeadProgram,
  reported?: RunProgress['reported'],
];

/** Programs of a session, one at a time: each runs in the session's runner, and its end is the runner's. */
export class Programs {
  readonly #context: ProgramsContext;
  #isRunning = false;
  /** Settles, never rejects, when those that have waited for their turn, or still do, have ended. */
  #last: Promise<unknown> = Promise.resolve();
  /** The same of the one that runs. */
  #current: Promise<unknown> = Promise.resolve();
  /** Of the program that runs, or was the last to run. */
  #sent: SentInput | undefined;
  /** The same. */
  #meter: RunMeter | undefined;

  constructor(context: ProgramsContext) {
    this.#context = context;
  }

  /**
   * Runs `exit(main(argc, argv, envp))` of what a name means. What its runner holds is as the calls before have left it.
   * @param leadProgram what is done in its runner first; nothing unless given.
   * @param reported told what it has taken, in whichever way it has ended, before this settles.
   * @throws {ArgumentError | SymbolsNotFoundError | ProgramRunningError | FeatureError} before it has begun.
   * @throws {ProgramInputError} when `stdin` has thrown, and as a call, where it has not ended by itself.
   */
  run(...given: RunArguments): Promise<ProgramResult> {
    if (this.#isRunning) return Promise.reject(new ProgramRunningError(given[0].name));
    const running = this.#runNow(...given);
    this.#current = Promise.allSettled([running]);
    return running;
  }

  /**
   * Runs a program when those before it have ended, in a runner in which nothing has run.
   * @throws {AbortError} when the signal is aborted before its turn has come.
   */
  runFresh<T>(name: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const turn = async () => {
      await before;
      // One that did not wait for its turn.
      while (this.#isRunning) await this.#current;
    };
    const mine = untilAborted(signal, notCalled(name), turn).then(() => {
      throwIfAborted(signal, notCalled(name));
      this.#context.runners.renew();
      return run();
    });
    this.#last = Promise.allSettled([before, mine]);
    return mine;
  }

  async #runNow(
    ref: SymbolRef,
    { argv = [ref.name], env = {}, stdin, lineBuffered = false, ...given }: ProgramOptions,
    leadProgram: LeadProgram = async () => undefined,
    reported: RunProgress['reported'] = () => {},
  ): Promise<ProgramResult> {
    const { name } = ref;
    const { calls, executor } = this.#context;
    if (!executor().has('programs'))
      throw new FeatureError(
        `${name} is not run: the executor (${executor().server}) is of a release without programs`,
      );
    const { files, workingDirectory, collect, ...options } = given;
    const filesOf = files && new FilesOfProgram(name, this.#context, { files, workingDirectory, collect });
    const memory = layOutProgram(argv, env);
    const input = new ProgramInput();
    const ending = new Ending(options.signal);
    const meter = new RunMeter(this.#context.events);
    this.#meter = meter;
    let used: { readonly runner: RunnerContext; readonly places: readonly Place[] } | undefined;

    const prepare = async (runner: RunnerContext): Promise<PreparedProgram> => {
      const lead = await leadProgram(runner);
      const main = await this.#resolve(ref, runner);
      throwIfAborted(ending.signal, notCalled(name));
      const { sizeBytes } = memory;
      const { address } = runner.allocate('data', sizeBytes, 16);
      used = { runner, places: [{ address, sizeBytes }] };
      const program = {
        argumentCount: memory.argumentCount,
        arguments: addrAdd(address, memory.argumentsOffset),
        environment: addrAdd(address, memory.environmentOffset),
      };
      const found = lead?.place(main, program);
      if (found) used = { runner, places: [...used.places, found, ...found.others] };
      const content = memory.contentAt(address, found?.address);
      const segment = { address, prot: 'data', content, memoryBytes: sizeBytes } as const;
      runner.commits.addSegments([segment], false);
      return { ...program, main: lead?.entry ?? main, lineBuffered };
    };
    this.#isRunning = true;
    try {
      const deadlineMs = await filesOf?.give({ deadlineMs: options.deadlineMs, signal: ending.signal });
      const { end } = await calls.run({
        name,
        prepare,
        send: this.#sendWith(stdin, input, ending, meter),
        options: { ...options, ...(filesOf && { deadlineMs }), signal: ending.signal },
        nextRunner: filesOf && (() => filesOf.runner()),
      });
      const result = this.#resultOf(end, used?.runner);
      const { exitCode, signal } = result;
      const report = meter.report(signal === undefined ? { exitCode } : { exitCode, signal });
      if (!report) throw new ProtocolError(`${name} has ended without having been sent`);
      const collected = await filesOf?.collected(ending.signal, end.kind === 'exit');
      reported(report);
      return { ...result, ...collected, report };
    } catch (error) {
      const report = meter.report(outcomeOf(error));
      if (report) reported(report);
      throw ending.inputFailure ? new ProgramInputError(name, ending.inputFailure.cause) : error;
    } finally {
      this.#isRunning = false;
      filesOf?.release();
      ending.forget();
      input.stop();
      if (used && !used.runner.lost)
        for (const { address, sizeBytes } of used.places) {
          used.runner.commits.dropSegment(address, sizeBytes);
          used.runner.free('data', address);
        }
    }
  }

  /**
   * The executor has taken what was sent for a runner's program.
   * @throws {ProtocolError} when nothing was.
   */
  inputTaken(generation: number, costBytes: number, isOpen: boolean): void {
    if (this.#sent?.generation !== generation)
      throw new ProtocolError(`the executor has taken input for runner ${generation}, which was sent none`);
    this.#sent.input.taken(costBytes, isOpen);
  }

  /** @throws {SymbolsNotFoundError | ArgumentError} when a name is no function that a program could begin with. */
  async checkEntry(ref: SymbolRef, runner: RunnerContext): Promise<void> {
    await this.#resolve(ref, runner);
  }

  /** The executor says what the runner of a program has used. */
  programUsed(generation: number, use: ProgramUse): void {
    this.#meter?.noteUse(generation, use);
  }

  async #resolve(ref: SymbolRef, runner: RunnerContext): Promise<ExecutorAddr> {
    const symbol = await this.#context.resolve(ref, runner);
    if (!symbol) throw new SymbolsNotFoundError([ref.name]);
    if (symbol.kind === 'data') throw new ArgumentError(`${ref.name} is data, not a function to run`);
    return symbol.address;
  }

  #sendWith(
    stdin: ProgramSource | undefined,
    input: ProgramInput,
    ending: Ending,
    meter: RunMeter,
  ): SendCall<PreparedProgram, ProgramAnswer> {
    const { runners } = this.#context;
    return async (executor, program, commit, options) => {
      const { generation } = options;
      const hasInput = stdin !== undefined;
      const isShort = executor.has('short-runs');
      const whole = hasInput && isShort ? wholeInput(stdin) : undefined;
      meter.begin(runners.ofGeneration(generation));
      const ended = executor.runProgram(
        { ...program, hasInput, commit, ...(whole && { input: whole }) },
        options,
      );
      if (hasInput && !whole) {
        this.#sent = { input, generation };
        const send = (content: Uint8Array, isLast: boolean) =>
          executor.sendInput(content, isLast, generation);
        const sent = input.sendTo(send, stdin);
        sent.catch((cause: unknown) => ending.inputFailed(cause));
      }
      try {
        const { end, used } = await ended;
        if (used) meter.noteUse(generation, used);
        // Its loss may be told of in a moment; nothing new is to begin in it.
        if (isShort) runners.gone(generation, end);
        else runners.noteLost(generation, end);
        return { end, programThreads: 0 };
      } catch (error) {
        if (!(error instanceof RemoteError)) throw error;
        if (error.code === 'CALLBACK_FAILED')
          runners.noteLost(generation, { kind: 'fault', message: 'its program could not go on' });
        // The input has been read, and cannot be sent to another runner, unless it goes along as a whole.
        if (error.code === 'STALE_GENERATION' && hasInput && !whole)
          throw new RunnerLostError({ kind: 'fault', message: error.message }, { cause: error });
        throw error;
      }
    };
  }

  #resultOf(end: ProgramEnd, runner: RunnerContext | undefined): Omit<ProgramResult, 'report'> {
    if (end.kind === 'exit') return { exitCode: end.status };
    const signal = end.kind === 'trap' ? end.trap.signal : end.signal;
    const died = { exitCode: 128 + signalNumber(signal), signal };
    return end.kind === 'trap' && runner ? { ...died, trap: trapErrorOf(end.trap, runner) } : died;
  }
}

/** Ends a program before it ends itself: its caller does, or its input. */
class Ending {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #callerAborts = (): void => this.#controller.abort(this.#caller?.reason);
  inputFailure: { readonly cause: unknown } | undefined;

  constructor(caller: AbortSignal | undefined) {
    this.#caller = caller;
    if (caller?.aborted) this.#callerAborts();
    caller?.addEventListener('abort', this.#callerAborts, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  inputFailed(cause: unknown): void {
    if (this.signal.aborted) return;
    this.inputFailure = { cause };
    this.#controller.abort(cause);
  }

  forget(): void {
    this.#caller?.removeEventListener('abort', this.#callerAborts);
  }
}
