import type { ExecutorAddr } from '@farjit/protocol';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { type SpeculationMode, Speculator } from '../indirection/speculation.js';
import type { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import { MaterializationError } from './errors.js';
import type { EventStream } from './events.js';
import type { JITDylib } from './jit-dylib.js';
import {
  type CompileObserver,
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from './materialization-unit.js';
import type { RunnerContext } from './runner-context.js';

/** Compiles units in one go; those that it leaves out stay as they were. */
export type CompileTogether = (
  asked: MaterializationUnit,
  guesses: readonly MaterializationUnit[],
  observerOf: (units: readonly MaterializationUnit[]) => CompileObserver,
) => void;

/** What the compile action works on. */
export interface CompileActionContext {
  readonly dylib: JITDylib;
  readonly stubs: IndirectStubsManager;
  readonly linking: ObjectLinkingLayer;
  readonly events: EventStream;
  /** Sends what is queued for the current runner. */
  flush(): Promise<void>;
}

/** What happens behind a trampoline: from a name to an implementation that its stub leads to. */
export class CompileAction {
  readonly #context: CompileActionContext;
  #speculator: Speculator | undefined;
  #compileTogether: CompileTogether = () => {};

  constructor(context: CompileActionContext) {
    this.#context = context;
  }

  /** Lets callbacks compile more than they ask for. */
  speculate(mode: SpeculationMode, compileTogether: CompileTogether): void {
    const { dylib } = this.#context;
    this.#compileTogether = compileTogether;
    this.#speculator = new Speculator(mode, {
      calleesOf: (name) => dylib.find(name)?.callees ?? [],
      isCandidate: (name) => {
        const unit = dylib.find(name);
        return unit?.source.kind === 'function' && !unit.isCompiled;
      },
    });
  }

  /** Something that is no function may call these. */
  noteReachable(names: readonly string[]): void {
    for (const name of names) this.#speculator?.noteReachable(name);
  }

  /** A unit's object was given up. */
  noteForgotten(unit: MaterializationUnit): void {
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
   * stub's pointer, return the landing address.
   * @throws {MaterializationError}
   */
  async run(name: string, runner: RunnerContext): Promise<ExecutorAddr> {
    const { dylib, stubs } = this.#context;
    try {
      for (;;) {
        const unit = dylib.find(name);
        if (!unit) throw new Error(`${name} has been removed`);
        const guesses = this.#guess(unit, name);
        const part = await this.linkPart(unit, name, runner).catch((error: unknown) => {
          if (dylib.find(name) === unit) throw error;
          return undefined;
        });
        if (runner.lost) throw new Error('the runner that asked is gone');
        for (const guess of guesses) await this.#linkGuess(guess, runner);
        // A redefinition may have come while this one was compiled or linked: land in the definition of now.
        const implementation = part && this.addressIn(part, name, runner);
        if (implementation === undefined || dylib.find(name) !== unit) continue;
        runner.commits.setPointer(stubs.pointerAddress(stubs.createStub(name)), implementation);
        return implementation;
      }
    } catch (error) {
      throw new MaterializationError(name, error);
    }
  }

  /** Whether a call of `name` in `runner` still leads to `implementation`. */
  isCurrent(name: string, implementation: ExecutorAddr, runner: RunnerContext): boolean {
    const part = this.#context.dylib.find(name)?.knownPart(name);
    return part !== undefined && this.addressIn(part, name, runner) === implementation;
  }

  /** The part that defines `name`, after linking it; undefined when the unit gave up its object meanwhile. */
  async linkPart(
    unit: MaterializationUnit,
    name: string,
    runner: RunnerContext,
  ): Promise<ObjectPart | undefined> {
    const { linking, flush } = this.#context;
    const part = await linking.partOf(unit, name);
    if (!part) return undefined;
    await linking.link(part, runner);
    while (runner.commits.isOverfull && !runner.lost) await flush();
    return part;
  }

  /** Where a part is now; undefined when it is not linked (any more). */
  addressIn(part: ObjectPart, name: string, runner: RunnerContext): ExecutorAddr | undefined {
    if (part.linked?.generation !== runner.generation) return undefined;
    const linkedName = part.unit.interface.functions.has(name) ? implementationName(name) : name;
    const symbol = part.linked.symbols.get(linkedName);
    if (!symbol) throw new Error(`${part.unit.name} was linked without ${linkedName}`);
    return symbol.address;
  }

  /**
   * Starts to compile `unit` together with what is likely to be called next, and answers what that is; when its object
   * was kept, answers which of those were kept too.
   */
  #guess(unit: MaterializationUnit, name: string): MaterializationUnit[] {
    const { dylib, linking, events } = this.#context;
    const speculator = this.#speculator;
    speculator?.noteCalled(name);
    if (!speculator || unit.isCompiled) return [];
    if (this.#takeKept(name)) return this.#linkAhead(speculator, name);
    const guesses = speculator.choose(name).flatMap((guess) => dylib.find(guess) ?? []);
    if (guesses.length === 0) return [];
    const found = guesses.filter((guess) => this.#takeKept(guess.name));
    for (const { name: kept } of found) speculator.noteFound(kept);
    this.#noteLinkedAhead(found.map((guess) => guess.name));
    const missing = guesses.filter((guess) => !guess.isCompiled);
    this.#compileTogether(unit, missing, (units) => linking.observerOf(units));
    for (const guess of missing) if (!guess.isCompiled) this.noteForgotten(guess);
    const compiled = missing.filter((guess) => guess.isCompiled);
    events.emit({ type: 'guessed', names: compiled.map((guess) => guess.name) });
    return [...found, ...compiled];
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
    const { dylib, linking } = this.#context;
    const unit = dylib.find(name);
    return unit?.takeKept(linking.observerOf([unit])) ?? false;
  }

  /** A guess travels in the answer to whoever was asked for, and its stub leads to it before anything asks. */
  async #linkGuess(unit: MaterializationUnit, runner: RunnerContext): Promise<void> {
    const { dylib, stubs } = this.#context;
    const { name } = unit;
    try {
      const part = await this.linkPart(unit, name, runner);
      const stub = stubs.createStub(name);
      await stubs.ensureEmitted([stub]);
      const implementation = part && this.addressIn(part, name, runner);
      if (implementation === undefined || runner.lost || dylib.find(name) !== unit) return;
      runner.commits.setPointer(stubs.pointerAddress(stub), implementation);
    } catch {
      // It has not been called: when it is, its own callback says what is wrong with it.
    }
  }
}
