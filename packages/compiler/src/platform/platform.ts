import { AbortError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import {
  CALL_LIST_NAME,
  callListBytes,
  DONE_OFFSET,
  encodeCallList,
  encodeProgramStart,
  type ListedCall,
  PROGRAM_START_NAME,
} from '../calls/call-list.js';
import type { CallingSession } from '../calls/calling-session.js';
import type {
  LeadPlace,
  ProgramArguments,
  ProgramLead,
  ProgramOptions,
  ProgramResult,
  Programs,
  RunProgress,
} from '../calls/programs.js';
import { type CallOptions, notCalled } from '../calls/session-calls.js';
import { throwIfAborted, untilAborted } from '../core/aborting.js';
import { ExecutionTrapError, InitializationError, SymbolsNotFoundError } from '../core/errors.js';
import type { JITDylib, SymbolRef } from '../core/jit-dylib.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { DSO_HANDLE, type DSOHandles } from './dso-handles.js';
import type { Initializers, RunFunction } from './initializers.js';
import { type ReplacingSession, replacingCalls } from './replaced-functions.js';
import { type RunListSession, runFunctions } from './run-functions.js';

/** What initialising dylibs takes of a session. */
export interface PlatformSession extends RunListSession, ReplacingSession, Pick<CallingSession, 'call'> {
  readonly initializers: Initializers;
  readonly dsoHandles: DSOHandles;
  readonly programs: Programs;
  runner(): Promise<RunnerContext>;
  readonly executor: Pick<ExecutorProcessControl, 'readMemory'>;
  /** Compiles and links all functions of a dylib. */
  linkAll(dylib: JITDylib, runner: RunnerContext): Promise<void>;
  /** Has the next call of a unit's functions ask for it again. */
  leadToTrampolines(unit: MaterializationUnit): void;
  /** Gives up what is linked of a unit. */
  unlink(unit: MaterializationUnit): void;
}

/** Makes what calls lists of functions. */
export interface CallListLayer {
  callListUnit(): MaterializationUnit;
  programStartUnit(): MaterializationUnit;
}

/** Functions that are to be called in a runner, and the units that this is for. */
interface Plan {
  readonly units: readonly MaterializationUnit[];
  readonly functions: readonly RunFunction[];
  /** Calls after theirs. */
  readonly last: readonly ListedCall[];
}

/** A plan in the memory of its runner. */
interface PlacedPlan extends Plan {
  readonly runner: RunnerContext;
  readonly address: ExecutorAddr;
  readonly sizeBytes: number;
}

/** Runs initialisers and finalisers of dylibs, with the meaning of `dlopen` and `dlclose`: ORC's `Platform`. */
export class Platform {
  readonly #session: PlatformSession;
  readonly #layer: CallListLayer;
  #callListUnit: MaterializationUnit | undefined;
  #programStartUnit: MaterializationUnit | undefined;
  /** What was begun last for each dylib, and when it has ended: one at a time. */
  readonly #turns = new Map<JITDylib, Promise<unknown>>();

  constructor(session: PlatformSession, layer: CallListLayer) {
    this.#session = session;
    this.#layer = layer;
  }

  /**
   * Runs the initialisers of a dylib that have not run in the runner of now, after those of its link order.
   * @throws {InitializationError | AbortError}
   */
  initialize(dylib: JITDylib, options: CallOptions): Promise<void> {
    const dylibs = dependenciesFirst(dylib);
    return this.#inTurn(dylibs, `initialise ${dylib.name}`, options, async () => {
      const { initializers } = this.#session;
      const runner = await this.#session.runner();
      if (dylibs.every((each) => initializers.unitsIn('due', each, runner).length === 0)) return;
      let begun: Pick<Plan, 'units'> & { readonly runner: RunnerContext } = { units: [], runner };
      const plan = async (in_: RunnerContext): Promise<Plan> => {
        const units = dylibs.flatMap((each) => initializers.unitsIn('due', each, in_));
        initializers.enter('running', units, in_);
        begun = { units, runner: in_ };
        const functions = await runFunctions(this.#session, units, ['preinit', 'init'], in_);
        return { units, functions: functions.filter((fn) => !initializers.hasRun(fn, in_)), last: [] };
      };
      try {
        await this.#run('initialise', dylib, plan, options);
        initializers.enter('initialized', begun.units, begun.runner);
      } catch (error) {
        initializers.enter('due', begun.units, begun.runner);
        if (!begun.runner.lost) for (const unit of begun.units) this.#session.leadToTrampolines(unit);
        throw error;
      }
    });
  }

  /**
   * Runs the finalisers of a dylib's units that are initialised, last ones first, and what they have given `__cxa_atexit`. The
   * units are as if nothing of them had been run.
   * @throws {InitializationError | AbortError}
   */
  deinitialize(dylib: JITDylib, options: CallOptions): Promise<void> {
    return this.#inTurn([dylib], `deinitialise ${dylib.name}`, options, async () => {
      const { initializers } = this.#session;
      const runner = await this.#session.runner();
      const units = initializers.unitsIn('initialized', dylib, runner);
      if (units.length === 0) return;
      const plan = async (in_: RunnerContext): Promise<Plan> => {
        // Nothing is initialised in another one.
        if (in_ !== runner) return { units: [], functions: [], last: [] };
        const functions = (await runFunctions(this.#session, units, ['fini'], runner)).toReversed();
        const last = await this.#finalizing(dylib, runner);
        return { units, functions: functions.filter((fn) => !initializers.hasRun(fn, runner)), last };
      };
      await this.#run('deinitialise', dylib, plan, options);
      if (runner.lost) return;
      initializers.reset(units, runner);
      for (const unit of units) this.#session.unlink(unit);
    });
  }

  /**
   * Runs a program, after the initialisers of the dylib that its function is in and of that one's link order, in the same
   * call and with the same arguments. Their finalisers run when it exits, after all that was given to `atexit`.
   * @param progress its `begins` is called before anything of it runs, once it is its turn.
   * @param isFresh whether it waits for programs before it, and is the first that runs in its runner.
   * @throws as `Programs.run`.
   */
  async runProgram(
    ref: SymbolRef,
    options: ProgramOptions,
    progress: RunProgress,
    isFresh: boolean,
  ): Promise<ProgramResult> {
    const { initializers, programs } = this.#session;
    let begun: { readonly units: readonly MaterializationUnit[]; readonly runner: RunnerContext } | undefined;
    const dylibs = dependenciesFirst(ref.dylib);
    const lead = (runner: RunnerContext) =>
      this.#inTurn(dylibs, ref.name, options, async () => {
        progress.begins();
        const units = dylibs.flatMap((each) => initializers.unitsIn('due', each, runner));
        begun = { units, runner };
        initializers.enter('running', units, runner);
        if (options.eager) for (const each of dylibs) await this.#session.linkAll(each, runner);
        const before = dylibs.flatMap((each) => initializers.unitsIn('initialized', each, runner));
        const replacing = await replacingCalls(this.#session, ref, runner);
        return units.length + before.length + replacing.length === 0
          ? undefined
          : this.#leadOf(before, units, replacing, runner);
      });
    try {
      const run = () => programs.run(ref, options, lead, (report) => progress.reported(report));
      return await (isFresh ? programs.runFresh(ref.name, options.signal, run) : run());
    } finally {
      // It has not begun, or it would be gone.
      if (begun && !begun.runner.lost) initializers.enter('due', begun.units, begun.runner);
    }
  }

  /** Compiles and links all that a program can reach, without running anything. @throws as `MaterializationError`. */
  async prepareProgram(ref: SymbolRef): Promise<void> {
    const { initializers } = this.#session;
    const dylibs = dependenciesFirst(ref.dylib);
    await this.#inTurn(dylibs, ref.name, {}, async () => {
      const runner = await this.#session.runner();
      const units = dylibs.flatMap((each) => initializers.unitsIn('due', each, runner));
      initializers.enter('running', units, runner);
      try {
        await this.#session.programs.checkEntry(ref, runner);
        for (const each of dylibs) await this.#session.linkAll(each, runner);
      } finally {
        if (!runner.lost) initializers.enter('due', units, runner);
      }
    });
  }

  /** Begins a program with the initialisers of units, and has it end with their finalisers and those of others. */
  async #leadOf(
    initialized: readonly MaterializationUnit[],
    due: readonly MaterializationUnit[],
    replacing: readonly ListedCall[],
    runner: RunnerContext,
  ): Promise<ProgramLead> {
    const atExit = '__cxa_atexit';
    const [callList, entry, initializers, finalizers, found] = await Promise.all([
      this.#linkCallList(runner),
      this.#linkProgramStart(runner),
      runFunctions(this.#session, due, ['preinit', 'init'], runner),
      runFunctions(this.#session, [...initialized, ...due], ['fini'], runner),
      runner.lookupProcessSymbols([atExit]),
    ]);
    const register = found.get(atExit);
    if (register === undefined) throw new SymbolsNotFoundError([atExit]);
    const place = (main: ExecutorAddr, program: ProgramArguments): LeadPlace => {
      const last = finalizers.toReversed().map(({ address }) => ({ function: address }));
      const finalizing = placeContent(encodeCallList(last), runner);
      const passed = [BigInt(program.argumentCount) as ExecutorAddr, program.arguments, program.environment];
      const calls = initializers
        .filter((fn) => !this.#session.initializers.hasRun(fn, runner))
        .map(({ address }) => ({ function: address, arguments: passed }));
      // Registered first, it is run last.
      const all = [...replacing, { function: register, arguments: [callList, finalizing.address] }, ...calls];
      const list = placeContent(encodeCallList(all), runner);
      const start = placeContent(encodeProgramStart({ callList, list: list.address, main }), runner);
      return { ...start, others: [finalizing, list] };
    };
    return { entry, place };
  }

  async #finalizing(dylib: JITDylib, runner: RunnerContext): Promise<ListedCall[]> {
    const own = dylib.find(DSO_HANDLE);
    const handle = own
      ? await this.#session.link(own, DSO_HANDLE, runner)
      : this.#session.dsoHandles.handleOf(dylib, runner);
    if (handle === undefined) return [];
    const finalize = '__cxa_finalize';
    const address = (await runner.lookupProcessSymbols([finalize])).get(finalize);
    if (address === undefined) throw new SymbolsNotFoundError([finalize]);
    return [{ function: address, arguments: [handle] }];
  }

  /** Makes the calls of a plan in one call. */
  async #run(
    what: 'initialise' | 'deinitialise',
    dylib: JITDylib,
    plan: (runner: RunnerContext) => Promise<Plan>,
    options: CallOptions,
  ): Promise<void> {
    const purpose = `${what} ${dylib.name}`;
    let placed: PlacedPlan | undefined;
    try {
      const prepare = async (runner: RunnerContext) => {
        const planned = await plan(runner);
        const entry = await this.#linkCallList(runner);
        throwIfAborted(options.signal, notCalled(purpose));
        placed = place(planned, runner);
        return { entry, block: encodeCallList([{ function: entry, arguments: [placed.address] }]) };
      };
      await this.#session.call(purpose, prepare, options);
    } catch (error) {
      const candidates = placed ? await this.#stoppedIn(placed, error) : [];
      if (error instanceof AbortError) throw error;
      throw new InitializationError(what, dylib.name, candidates, error);
    } finally {
      if (placed && !placed.runner.lost) {
        const { runner, address, sizeBytes } = placed;
        runner.commits.dropSegment(address, sizeBytes);
        runner.free('data', address);
      }
    }
  }

  /** Notes which functions have returned before an error. @returns names of those of which one did not. */
  async #stoppedIn({ functions, runner, address }: PlacedPlan, error: unknown): Promise<string[]> {
    if (runner.lost) {
      const frames = error instanceof ExecutionTrapError ? error.frames : [];
      const isIn = (name: string) => frames.some(({ symbol }) => symbol === name);
      const found = functions.find(({ name }) => isIn(name));
      return (found ? [found] : functions).map(({ name }) => name);
    }
    const head = await this.#session.executor.readMemory(address, callListBytes(0));
    const done = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(DONE_OFFSET, true));
    for (const returned of functions.slice(0, done)) this.#session.initializers.noteRan(returned, runner);
    return functions.slice(done, done + 1).map(({ name }) => name);
  }

  #linkProgramStart(runner: RunnerContext): Promise<ExecutorAddr> {
    this.#programStartUnit ??= this.#layer.programStartUnit();
    return this.#session.link(this.#programStartUnit, PROGRAM_START_NAME, runner);
  }

  #linkCallList(runner: RunnerContext): Promise<ExecutorAddr> {
    this.#callListUnit ??= this.#layer.callListUnit();
    return this.#session.link(this.#callListUnit, CALL_LIST_NAME, runner);
  }

  /**
   * Waits for what was begun before for one of the dylibs; what is done for others may go on, and may be waited for by it.
   * @param purpose in words, for who gives that up.
   * @throws {AbortError} when the signal is aborted before its turn has come.
   */
  #inTurn<T>(
    dylibs: readonly JITDylib[],
    purpose: string,
    { signal }: CallOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    const before = Promise.all(dylibs.map((dylib) => this.#turns.get(dylib)));
    const mine = untilAborted(signal, notCalled(purpose), () => before).then(() => {
      throwIfAborted(signal, notCalled(purpose));
      return work();
    });
    // Whoever has asked for it is told how it has ended.
    const ended = Promise.allSettled([before, mine]);
    for (const dylib of dylibs) this.#turns.set(dylib, ended);
    return mine;
  }
}

function place(plan: Plan, runner: RunnerContext): PlacedPlan {
  const functions = plan.functions.map(({ address }) => ({ function: address }));
  const content = encodeCallList([...functions, ...plan.last]);
  return { ...plan, runner, ...placeContent(content, runner) };
}

function placeContent(content: Uint8Array, runner: RunnerContext) {
  const { byteLength: sizeBytes } = content;
  const { address } = runner.allocate('data', sizeBytes, 16);
  runner.commits.addSegments([{ address, prot: 'data', content, memoryBytes: sizeBytes }], false);
  return { address, sizeBytes };
}

/** A dylib after all that it can reach over link orders, each once. */
function dependenciesFirst(dylib: JITDylib, seen = new Set<JITDylib>()): JITDylib[] {
  if (seen.has(dylib)) return [];
  seen.add(dylib);
  return [...dylib.linkOrder.flatMap((other) => dependenciesFirst(other, seen)), dylib];
}
