import assert from 'node:assert';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { AbsoluteSymbols } from '../core/absolute-symbols.js';
import type { Call } from '../core/call-edges.js';
import { generate } from '../core/definition-generator.js';
import { MaterializationError, SymbolsNotFoundError } from '../core/errors.js';
import { type JITDylib, Reexports, type SymbolRef } from '../core/jit-dylib.js';
import {
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { LinkError } from '../jitlink/errors.js';
import type { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import type { EventStream } from '../observe/events.js';
import type { Tracing } from '../observe/spans.js';
import { GuessCompiler } from '../optimize/guess-compiler.js';
import { type SpeculationMode, Speculator } from '../optimize/speculation.js';
import type { IndirectStub } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';

/**
 * Guesses that are compiled in the module of the function that was asked for, at most: they cost its thread little,
 * and the answer that carries them saves a callback. The others come after the answer.
 */
const MAX_GUESSES_ALONG = 15;

/** Starts to compile units in one go, and answers which: those that it leaves out stay as they were. */
export type CompileTogether = (
  units: readonly MaterializationUnit[],
  materializations: Materializations,
  options: { canWait: boolean },
) => readonly MaterializationUnit[];

/** How callbacks guess. */
export interface SpeculationSettings {
  readonly mode: SpeculationMode;
  /** Functions in the order in which a former run first called them. */
  readonly profile?: readonly string[] | undefined;
  /**
   * Every first call of a function comes here, so that `calledFunctions` lists them all: guesses are compiled and not
   * sent before they are asked for.
   */
  readonly recordsCalls?: boolean | undefined;
}

/** What the compile action works on. */
export interface CompileActionContext {
  readonly dylib: JITDylib;
  readonly materializations: Materializations;
  readonly stubs: IndirectStubsManager;
  readonly linking: ObjectLinkingLayer;
  readonly events: EventStream;
  tracing(): Tracing;
  /** What fails from then on does so because it was cut short. */
  isClosed(): boolean;
  /** Sends what is queued for the current runner. */
  flush(): Promise<void>;
  /** Sends ahead what is too much for one commit. */
  makeRoom(runner: RunnerContext): Promise<void>;
  /** The better part of a unit, if it has one. */
  standInOf(unit: MaterializationUnit): ObjectPart | undefined;
  /** The unit's optimised part cannot be linked: its first one is to be used again. */
  giveUpOptimized(unit: MaterializationUnit, error: unknown): void;
  /** The unit's object was kept and is of no use: it is to be compiled. @returns false when nothing can be done. */
  giveUpKept(unit: MaterializationUnit): boolean;
}

/** What happens behind a trampoline: from a name to an implementation that its stub leads to. */
export class CompileAction {
  readonly #context: CompileActionContext;
  #speculator: Speculator | undefined;
  #compileTogether: CompileTogether = () => [];
  #calledFunctions: Set<string> | undefined;
  /** Guesses that failed. Whoever asks for one has it compiled by itself. */
  readonly #failedGuesses = new WeakSet<MaterializationUnit>();
  readonly #guesses = new GuessCompiler({
    isBegun: (unit) => this.#context.materializations.isBegun(unit),
    compile: (units) => this.#start(units),
    link: (units, runner) => this.#linkWhenCompiled(units, runner),
    trace: (functionCount, work) =>
      this.#context.tracing().inSpan('farjit.speculate', { 'farjit.functions': functionCount }, work),
    push: () =>
      void this.#context.flush().catch(() => {
        // The connection or the runner is gone, which the calls in flight report.
      }),
  });

  constructor(context: CompileActionContext) {
    this.#context = context;
  }

  /** Lets callbacks compile more than they ask for. */
  speculate(settings: SpeculationSettings, compileTogether: CompileTogether): void {
    const { dylib, materializations } = this.#context;
    const { mode, profile, recordsCalls = false } = settings;
    this.#compileTogether = compileTogether;
    this.#calledFunctions = recordsCalls ? new Set() : undefined;
    const isTaken = (unit: MaterializationUnit) =>
      materializations.isBegun(unit) || this.#guesses.isWaiting(unit);
    const functionOf = (name: string) => {
      const unit = dylib.find(name);
      return unit?.source.kind === 'function' ? unit : undefined;
    };
    const graph = {
      callsOf: (name: string) => dylib.find(name)?.calls ?? [],
      isCandidate: (name: string) => {
        const unit = functionOf(name);
        return unit !== undefined && !isTaken(unit) && !this.#failedGuesses.has(unit);
      },
      isTaken: (name: string) => {
        const unit = functionOf(name);
        return unit !== undefined && isTaken(unit);
      },
    };
    this.#speculator = new Speculator(mode, graph, profile);
  }

  /** Functions in the order in which they were first called; empty unless calls are recorded. */
  get calledFunctions(): string[] {
    return [...(this.#calledFunctions ?? [])];
  }

  /** An expression that makes these calls, or a call from outside, has returned. */
  noteReturned(calls: readonly Call[]): void {
    this.#speculator?.noteReturned(calls);
  }

  /** Something that is no function may call these. */
  noteReachable(names: readonly string[]): void {
    for (const name of names) this.#speculator?.noteReachable(name);
  }

  /** A unit's object was given up. */
  noteForgotten(unit: MaterializationUnit): void {
    this.#failedGuesses.delete(unit);
    for (const name of unit.interface.functions) this.#speculator?.forget(name, unit.callees);
  }

  /** Functions compiled without being asked for and not known to have been called: an upper bound of the waste. */
  get openGuessCount(): number {
    return this.#speculator?.openCount ?? 0;
  }

  /** Functions linked without being asked for, from kept objects, and not known to have been called. */
  get openAheadCount(): number {
    return this.#speculator?.openAheadCount ?? 0;
  }

  /**
   * The tutorial's compile action: compile the AST to `name$impl`, link it, find the implementation, update the
   * stub's pointer, return the landing address. Guesses whose objects are there by then are linked along.
   * @throws {MaterializationError}
   */
  async run(stub: IndirectStub, runner: RunnerContext): Promise<ExecutorAddr> {
    const { stubs, materializations } = this.#context;
    const { dylib, name } = stub;
    try {
      for (;;) {
        const unit = dylib.find(name);
        // The pointer stays at the trampoline: what it would lead to may change without this name's knowing.
        if (!unit || unit instanceof Reexports) {
          const address = await this.#elsewhere(stub, runner);
          if (address !== undefined) return address;
          continue;
        }
        const absolute = unit instanceof AbsoluteSymbols ? unit.addressOf(name) : undefined;
        if (absolute !== undefined) {
          runner.commits.setPointer(stubs.pointerAddress(stub), absolute);
          return absolute;
        }
        const guesses = this.#guess(unit, stub, runner);
        // Whatever is compiled with it travels in this answer.
        await this.#guesses.whenLinked(unit);
        const part = await this.linkPart(unit, name, runner).catch((error: unknown) => {
          if (dylib.find(name) === unit) throw error;
          return undefined;
        });
        if (runner.lost) throw new Error('the runner that asked is gone');
        const isReady = (guess: MaterializationUnit) =>
          materializations.knownPart(guess, guess.name) !== undefined;
        await this.#linkGuesses(guesses.filter(isReady), runner);
        this.#guesses.follow(
          guesses.filter((guess) => !isReady(guess) && materializations.isBegun(guess)),
          runner,
        );
        // A redefinition, or better code, may have come while this was compiled or linked: land in what is there now.
        const implementation = part && this.addressIn(part, name, runner);
        if (
          implementation === undefined ||
          dylib.find(name) !== unit ||
          materializations.knownPart(unit, name) !== part
        )
          continue;
        runner.commits.setPointer(stubs.pointerAddress(stub), implementation);
        return implementation;
      }
    } catch (error) {
      throw new MaterializationError(name, error);
    }
  }

  /** Whether a call of that name in `runner` still leads to `implementation`. */
  isCurrent({ dylib, name }: SymbolRef, implementation: ExecutorAddr, runner: RunnerContext): boolean {
    const unit = dylib.find(name);
    if (unit instanceof Reexports) return true;
    if (!unit) {
      const found = dylib.lookup(name);
      return found.unit !== undefined || runner.processSymbol(found.name) === implementation;
    }
    if (unit instanceof AbsoluteSymbols) return unit.addressOf(name) === implementation;
    const part = this.#context.materializations.knownPart(unit, name);
    return part !== undefined && this.addressIn(part, name, runner) === implementation;
  }

  /** The part that defines `name`, after linking it; undefined when the unit gave up its object meanwhile. */
  async linkPart(
    unit: MaterializationUnit,
    name: string,
    runner: RunnerContext,
  ): Promise<ObjectPart | undefined> {
    const { linking, makeRoom, materializations, standInOf } = this.#context;
    let part: ObjectPart | undefined;
    try {
      part = await materializations.partOf(unit, name);
      if (!part) return undefined;
      await linking.link(part, runner);
      this.#checkLinked(part, name, runner);
    } catch (error) {
      if (part !== undefined && part === standInOf(unit)) this.#context.giveUpOptimized(unit, error);
      else if (!isFaultOf(unit, error) || !this.#context.giveUpKept(unit)) throw error;
      return this.linkPart(unit, name, runner);
    }
    await makeRoom(runner);
    return part;
  }

  /** Where a part is now; undefined when it is not linked (any more). */
  addressIn(part: ObjectPart, name: string, runner: RunnerContext): ExecutorAddr | undefined {
    const linked = runner.linked.get(part);
    if (!linked) return undefined;
    const linkedName = linkedNameOf(part.unit, name);
    const symbol = linked.symbols.get(linkedName);
    assert(symbol, `${part.unit.name} was linked without ${linkedName}`);
    return symbol.address;
  }

  /**
   * Where a call of a name goes that stands for another, or is defined no more, and means what the link order, a generator or
   * the process has.
   * @returns undefined when it has come to mean something else.
   */
  async #elsewhere({ dylib, name }: SymbolRef, runner: RunnerContext): Promise<ExecutorAddr | undefined> {
    const { stubs } = this.#context;
    const found = dylib.lookup(name);
    if (found.unit instanceof AbsoluteSymbols) {
      const address = found.unit.addressOf(found.name);
      if (address !== undefined) return address;
    }
    if (found.unit?.interface.functions.has(found.name)) {
      const stub = stubs.createStub(found);
      await stubs.ensureEmitted([stub]);
      return stubs.stubAddress(stub);
    }
    const address = (await generate([found.name], found.dylib, runner)).get(found.name);
    if (address !== undefined || dylib.lookup(name).unit !== found.unit) return address;
    if (found.name === name) throw new Error(`${name} has been removed`);
    throw new SymbolsNotFoundError([found.name]);
  }

  /** @throws {LinkError} when a part is linked and does not define what it is there for. */
  #checkLinked(part: ObjectPart, name: string, runner: RunnerContext): void {
    const linked = runner.linked.get(part);
    if (!linked) return;
    const linkedName = linkedNameOf(part.unit, name);
    if (linked.symbols.has(linkedName)) return;
    const details = { graph: part.unit.name, symbol: linkedName };
    throw new LinkError('malformed-object', details, `the object does not define ${linkedName}`);
  }

  /**
   * Starts to compile `unit` together with what is likely to be called next, and answers what that is; when its object
   * was kept, answers which of those were kept too. More that is likely is compiled after it.
   */
  #guess(
    unit: MaterializationUnit,
    { dylib, name }: SymbolRef,
    runner: RunnerContext,
  ): readonly MaterializationUnit[] {
    this.#calledFunctions?.add(name);
    const speculator = this.#speculator;
    // What is guessed is functions of the main dylib, which alone have bodies that are known.
    if (!speculator || dylib !== this.#context.dylib) return [];
    const { materializations } = this.#context;
    speculator.noteCalled(name);
    if (!materializations.isBegun(unit) && this.#takeKept(name)) return this.#linkAhead(speculator, name);
    const guesses = speculator.choose(name).flatMap((guess) => dylib.find(guess) ?? []);
    const found = guesses.filter((guess) => this.#takeKept(guess.name));
    for (const { name: kept } of found) speculator.noteFound(kept);
    this.#noteLinkedAhead(found.map((guess) => guess.name));
    const missing = guesses.filter((guess) => !materializations.isBegun(guess));
    const alongCount =
      materializations.isBegun(unit) || this.#failedGuesses.has(unit) ? 0 : MAX_GUESSES_ALONG;
    const along = missing.slice(0, alongCount);
    const started = along.length === 0 ? [] : this.#start(along, unit);
    this.#guesses.add(missing.slice(alongCount), runner);
    return [...found, ...started];
  }

  /**
   * Starts to compile guesses in one module, in that of `asked` if there is one; answers which. What is known of those
   * that are left out is forgotten.
   */
  #start(guesses: readonly MaterializationUnit[], asked?: MaterializationUnit): MaterializationUnit[] {
    const { dylib, materializations, events } = this.#context;
    // What is known of one that was replaced while it waited has been forgotten.
    const current = guesses.filter((guess) => dylib.find(guess.name) === guess);
    const units = asked ? [asked, ...current] : current;
    const all = this.#compileTogether(units, materializations, { canWait: !asked });
    const started = all.filter((unit) => unit !== asked);
    for (const guess of current) if (!materializations.isBegun(guess)) this.noteForgotten(guess);
    for (const guess of started)
      materializations.settled(guess).catch((error: unknown) => this.#noteFailed(guess, error));
    if (started.length > 0) events.emit({ type: 'guessed', names: started.map(({ name }) => name) });
    return started;
  }

  #linkAhead(speculator: Speculator, name: string): MaterializationUnit[] {
    const { dylib } = this.#context;
    const names = speculator.chooseFound(name, (candidate) => this.#takeKept(candidate));
    this.#noteLinkedAhead(names);
    return names.flatMap((ahead) => dylib.find(ahead) ?? []);
  }

  #noteLinkedAhead(names: readonly string[]): void {
    if (names.length > 0) this.#context.events.emit({ type: 'linked-ahead', names });
  }

  /** Whether the definition of `name` has an object, be it from an earlier compilation. */
  #takeKept(name: string): boolean {
    const unit = this.#context.dylib.find(name);
    return unit !== undefined && this.#context.materializations.takeKept(unit);
  }

  /** Never rejects. */
  async #linkWhenCompiled(guesses: readonly MaterializationUnit[], runner: RunnerContext): Promise<void> {
    await Promise.allSettled(guesses.map((guess) => this.#context.materializations.settled(guess)));
    await this.#linkGuesses(guesses, runner);
  }

  /**
   * Links guesses that have objects, in one go if that can be done, and leads their stubs to them before anything asks. They
   * travel in the answer to whoever was asked for, so nothing is compiled for them. Never rejects.
   */
  async #linkGuesses(guesses: readonly MaterializationUnit[], runner: RunnerContext): Promise<void> {
    // With every first call to come here, they are only compiled.
    if (this.#calledFunctions) return;
    const { dylib, materializations, linking, stubs, makeRoom } = this.#context;
    const known = new Map<MaterializationUnit, ObjectPart>();
    for (const guess of guesses) {
      const part = materializations.knownPart(guess, guess.name);
      if (part) known.set(guess, part);
    }
    try {
      await linking.linkAhead([...known.values()], runner);
    } catch {
      // One of them has an error, which shows when each is linked by itself.
      for (const [guess, part] of known)
        await linking
          .linkAhead([part], runner)
          .catch((error: unknown) => runner.lost || this.#noteFailed(guess, error));
    }
    const isLinked = ([guess, part]: [MaterializationUnit, ObjectPart]) =>
      !runner.lost &&
      dylib.find(guess.name) === guess &&
      materializations.knownPart(guess, guess.name) === part &&
      runner.linked.get(part)?.symbols.has(implementationName(guess.name)) === true;
    try {
      await stubs.ensureEmitted(
        [...known].filter(isLinked).map(([{ name }]) => stubs.createStub({ dylib, name })),
      );
      await makeRoom(runner);
    } catch {
      // The executor is gone, which whoever was asked for is told.
      return;
    }
    for (const [guess, part] of [...known].filter(isLinked)) {
      const stub = stubs.findStub({ dylib, name: guess.name });
      const implementation = this.addressIn(part, guess.name, runner);
      if (stub && stubs.isEmitted(stub) && implementation !== undefined)
        runner.commits.setPointer(stubs.pointerAddress(stub), implementation);
    }
  }

  /** Nobody has asked for it, and when somebody does it is tried again. */
  #noteFailed(guess: MaterializationUnit, error: unknown): void {
    const { dylib, materializations, events, isClosed } = this.#context;
    if (isClosed() || dylib.find(guess.name) !== guess) return;
    // Somebody may have asked for it by now, and have it compiled by itself.
    if (!materializations.isBegun(guess)) this.noteForgotten(guess);
    this.#failedGuesses.add(guess);
    const cause = error instanceof Error ? error : new Error(String(error));
    events.emit({ type: 'guess-failed', name: guess.name, error: cause });
  }
}

/** What a name's definition is called once it is linked. */
function linkedNameOf(unit: MaterializationUnit, name: string): string {
  return unit.interface.functions.has(name) ? implementationName(name) : name;
}

/** Whether it is the object that is wrong, and not what the program asks of others. */
function isFaultOf(unit: MaterializationUnit, error: unknown): boolean {
  if (!(error instanceof LinkError))
    return (error as { code?: string } | undefined)?.code === 'DEFINITION_DROPPED';
  const { reason, details } = error;
  return reason !== 'missing-symbols' || details.names?.some((name) => !unit.callees.includes(name)) === true;
}
