import type { Call } from '../core/call-edges.js';
import type { JITDylib, SymbolRef } from '../core/jit-dylib.js';
import {
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { displayName, isLocalFunction } from '../jitlink/local-names.js';
import type { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import type { EventStream } from '../observe/event-stream.js';
import type { Tracing } from '../observe/spans.js';
import { GuessCompiler } from '../optimize/guess-compiler.js';
import { type SpeculationMode, Speculator } from '../optimize/speculation.js';
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

/**
 * So much is sent ahead, in vain perhaps, of what has been compiled as a whole: less would cost a round trip to a far executor
 * more than its bytes do.
 */
const AHEAD_BYTES = 64 * 1024;

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

/** What guesses work on. */
export interface GuessesContext {
  /** Whose functions are guessed. */
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
}

/** A function that nobody has asked for. */
interface Guess {
  readonly unit: MaterializationUnit;
  readonly name: string;
}

/** What is compiled and linked before anybody asks for it: nobody waits for it, and its failures are nobody's. */
export class Guesses {
  readonly #context: GuessesContext;
  #speculator: Speculator | undefined;
  #isHeldBack = false;
  #compileTogether: CompileTogether = () => [];
  #calledFunctions: Set<string> | undefined;
  /** Guesses that failed. Whoever asks for one has it compiled by itself. */
  readonly #failedGuesses = new WeakMap<MaterializationUnit, Set<string>>();
  readonly #compiler = new GuessCompiler({
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

  constructor(context: GuessesContext) {
    this.#context = context;
  }

  /** Lets callbacks compile more than they ask for. */
  speculate(settings: SpeculationSettings, compileTogether: CompileTogether): void {
    const { dylib, materializations } = this.#context;
    const { mode, profile, recordsCalls = false } = settings;
    this.#compileTogether = compileTogether;
    this.#calledFunctions = recordsCalls ? new Set() : undefined;
    const isTaken = (unit: MaterializationUnit) =>
      materializations.isBegun(unit) || this.#compiler.isWaiting(unit);
    const functionOf = (name: string) => {
      const unit = dylib.find(name);
      return unit?.source.kind === 'function' ? unit : undefined;
    };
    const graph = {
      callsOf: (name: string) => this.#callsOf(name),
      isCandidate: (name: string) => {
        const unit = functionOf(name);
        return unit !== undefined && !isTaken(unit) && !this.#hasFailed(unit, name);
      },
      isEmitted: (name: string) => {
        const unit = dylib.find(name);
        return (
          unit?.source.kind === 'module' &&
          unit.isFunction(name) &&
          materializations.knownPart(unit, name) !== undefined &&
          !this.#hasFailed(unit, name)
        );
      },
      isTaken: (name: string) => {
        const unit = functionOf(name);
        return unit !== undefined && isTaken(unit);
      },
    };
    this.#speculator = new Speculator(mode, graph, profile);
  }

  /** Nothing is guessed while memory is short where it would go. */
  holdBack(isHeldBack: boolean): void {
    this.#isHeldBack = isHeldBack;
    this.#speculator?.holdBack(isHeldBack);
  }

  get isHeldBack(): boolean {
    return this.#isHeldBack;
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
    // Of names without end that nobody defines, nothing is kept.
    for (const name of names) if (this.#context.dylib.find(name)) this.#speculator?.noteReachable(name);
  }

  /** A unit's object was given up. */
  noteForgotten(unit: MaterializationUnit): void {
    this.#failedGuesses.delete(unit);
    const locals = this.#context.materializations.localFunctionsOf(unit);
    for (const name of [...unit.interface.functions, ...locals])
      this.#speculator?.forget(
        name,
        this.#callsIn(unit, name).map(({ callee }) => callee),
      );
  }

  /** Functions compiled without being asked for and not known to have been called: an upper bound of the waste. */
  get openGuessCount(): number {
    return this.#speculator?.openCount ?? 0;
  }

  /** Functions found and linked without being asked for, and not known to have been called. */
  get openAheadCount(): number {
    return this.#speculator?.openAheadCount ?? 0;
  }

  /**
   * Resolves when the module that `unit` is compiled in as a guess has been linked, or is of no use to it; undefined when it
   * is in none.
   */
  whenLinked(unit: MaterializationUnit): Promise<void> | undefined {
    const linked = this.#compiler.whenLinked(unit);
    return linked && this.#whenOfUse(unit, linked);
  }

  async #whenOfUse(unit: MaterializationUnit, linked: Promise<void>): Promise<void> {
    const { materializations } = this.#context;
    // Why it failed is for those who ask for it to find out.
    await materializations.settled(unit).catch(() => {});
    // One that was given up meanwhile does not wait for the others.
    if (materializations.knownPart(unit, unit.name)) await linked;
  }

  /** Links those that have been compiled by now, and the others when they have been. */
  async link(guesses: readonly MaterializationUnit[], runner: RunnerContext): Promise<void> {
    const { materializations } = this.#context;
    const isReady = (guess: MaterializationUnit) =>
      materializations.knownPart(guess, guess.name) !== undefined;
    await this.#linkNamed(guesses.filter(isReady).map(byOwnName), runner);
    const others = guesses.filter((guess) => !isReady(guess) && materializations.isBegun(guess));
    this.#compiler.follow(others, runner);
  }

  /**
   * Starts to compile `unit` together with what is likely to be called next, and answers what that is; when it is found, answers
   * what else is. More that is likely is compiled after it.
   */
  choose(
    unit: MaterializationUnit,
    { dylib, name }: SymbolRef,
    runner: RunnerContext,
  ): readonly MaterializationUnit[] {
    if (!isLocalFunction(name)) this.#calledFunctions?.add(name);
    const speculator = this.#speculator;
    // What is guessed is functions of the main dylib, which alone have bodies that are known.
    if (!speculator || dylib !== this.#context.dylib) return [];
    const { materializations } = this.#context;
    speculator.noteCalled(name);
    if (!materializations.isBegun(unit) && this.#takeFound(name))
      return unit.source.kind === 'module' ? [] : this.#linkAhead(speculator, name, runner);
    const guesses = speculator.choose(name).flatMap((guess) => dylib.find(guess) ?? []);
    const found = guesses.filter((guess) => this.#takeFound(guess.name));
    for (const guess of found) speculator.noteFound(guess.name);
    this.#noteLinkedAhead(found.map((guess) => guess.name));
    const missing = guesses.filter((guess) => !materializations.isBegun(guess));
    const alongCount = materializations.isBegun(unit) || this.#hasFailed(unit, name) ? 0 : MAX_GUESSES_ALONG;
    const along = missing.slice(0, alongCount);
    const started = along.length === 0 ? [] : this.#start(along, unit);
    this.#compiler.add(missing.slice(alongCount), runner);
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
      materializations.settled(guess).catch((error: unknown) => this.#noteFailed(byOwnName(guess), error));
    events.statistics.add('functionsGuessed', started.length);
    if (started.length > 0) events.tell('guessed', () => ({ names: started.map(({ name }) => name) }));
    return started;
  }

  /** Functions that are found too, to be linked ahead of their calls. */
  #linkAhead(speculator: Speculator, name: string, runner: RunnerContext): MaterializationUnit[] {
    const { dylib } = this.#context;
    const names = speculator.chooseFound(
      name,
      (candidate) => this.#unlinkedPart(candidate, runner) !== undefined || this.#takeFound(candidate),
    );
    this.#noteLinkedAhead(names);
    return names.flatMap((ahead) => dylib.find(ahead) ?? []);
  }

  #noteLinkedAhead(names: readonly string[]): void {
    const { events } = this.#context;
    events.statistics.add('functionsLinkedAhead', names.length);
    if (names.length > 0) events.tell('linked-ahead', () => ({ names: names.map(displayName) }));
  }

  /** Whether the definition of `name` has an object now: it was kept, or its front end makes it at once. */
  #takeFound(name: string): boolean {
    const unit = this.#context.dylib.find(name);
    try {
      return unit !== undefined && this.#context.materializations.takeFound(unit);
    } catch {
      // Its front end refuses it, or has no key for it, which whoever asks for it is told.
      return false;
    }
  }

  /** Never rejects. */
  async #linkWhenCompiled(guesses: readonly MaterializationUnit[], runner: RunnerContext): Promise<void> {
    await Promise.allSettled(guesses.map((guess) => this.#context.materializations.settled(guess)));
    await this.#linkNamed(guesses.map(byOwnName), runner);
  }

  /**
   * Links what has been compiled as a whole and a function of it may call, before that is linked, whose calls can then go
   * straight there. It costs no compilation, and travels in the answer. Never rejects.
   */
  async linkEmitted(
    unit: MaterializationUnit,
    { dylib, name }: SymbolRef,
    runner: RunnerContext,
  ): Promise<void> {
    const speculator = this.#speculator;
    if (!speculator || unit.source.kind !== 'module' || dylib !== this.#context.dylib) return;
    if (this.#calledFunctions) return;
    let sizeBytes = 0;
    const names = speculator.chooseEmitted(name, (candidate) => {
      const part = this.#unlinkedPart(candidate, runner);
      if (!part || sizeBytes >= AHEAD_BYTES) return false;
      sizeBytes += part.sizeBytes;
      return true;
    });
    this.#noteLinkedAhead(names);
    const found = names.flatMap((ahead) => {
      const owner = dylib.find(ahead);
      return owner ? { unit: owner, name: ahead } : [];
    });
    if (found.length > 0) await this.#linkNamed(found, runner);
  }

  /** The part of a function of what has been compiled as a whole, if it is not linked. */
  #unlinkedPart(name: string, runner: RunnerContext): ObjectPart | undefined {
    const unit = this.#context.dylib.find(name);
    if (unit?.source.kind !== 'module') return undefined;
    const part = this.#context.materializations.knownPart(unit, name);
    return part && !runner.linked.has(part) ? part : undefined;
  }

  /**
   * Links guesses that have objects, in one go if that can be done, and leads their stubs to them before anything asks. They
   * travel in the answer to whoever was asked for, so nothing is compiled for them. Never rejects.
   */
  async #linkNamed(guesses: readonly Guess[], runner: RunnerContext): Promise<void> {
    // With every first call to come here, they are only compiled.
    if (this.#calledFunctions) return;
    const { dylib, materializations, linking, stubs, makeRoom } = this.#context;
    const known = guesses.flatMap((guess) => {
      const part = materializations.knownPart(guess.unit, guess.name);
      return part ? { ...guess, part } : [];
    });
    try {
      await linking.linkAhead([...new Set(known.map(({ part }) => part))], runner);
    } catch {
      // One of them has an error, which shows when each is linked by itself.
      for (const guess of known)
        await linking
          .linkAhead([guess.part], runner)
          .catch((error: unknown) => runner.lost || this.#noteFailed(guess, error));
    }
    const isLinked = ({ unit, name, part }: (typeof known)[number]) =>
      !runner.lost &&
      dylib.find(name) === unit &&
      materializations.knownPart(unit, name) === part &&
      runner.linked.get(part)?.symbols.has(implementationName(name)) === true;
    try {
      await stubs.ensureEmitted(known.filter(isLinked).map(({ name }) => stubs.createStub({ dylib, name })));
      await makeRoom(runner);
    } catch {
      // The executor is gone, which whoever was asked for is told.
      return;
    }
    for (const { name, part } of known.filter(isLinked)) {
      const stub = stubs.createStub({ dylib, name });
      const implementation = runner.linked.get(part)?.symbols.get(implementationName(name))?.address;
      if (stubs.isEmitted(stub) && implementation !== undefined)
        runner.commits.setPointer(stubs.pointerAddress(stub), implementation);
    }
  }

  #hasFailed(unit: MaterializationUnit, name: string): boolean {
    return this.#failedGuesses.get(unit)?.has(name) ?? false;
  }

  /** The calls that a function makes, as far as that is known. */
  #callsOf(name: string): readonly Call[] {
    const unit = this.#context.dylib.find(name);
    return unit ? this.#callsIn(unit, name) : [];
  }

  #callsIn(unit: MaterializationUnit, name: string): readonly Call[] {
    if (unit.calls.length > 0) return unit.calls;
    const part = this.#context.materializations.knownPart(unit, name);
    return part?.references.map((callee) => ({ callee, isCertain: false })) ?? [];
  }

  /** Nobody has asked for it, and when somebody does it is tried again. */
  #noteFailed({ unit, name }: Guess, error: unknown): void {
    const { dylib, materializations, events, isClosed } = this.#context;
    if (isClosed() || dylib.find(name) !== unit) return;
    // Somebody may have asked for it by now, and have it compiled by itself.
    if (!materializations.isBegun(unit)) this.noteForgotten(unit);
    this.#failedGuesses.set(unit, (this.#failedGuesses.get(unit) ?? new Set()).add(name));
    const cause = error instanceof Error ? error : new Error(String(error));
    events.statistics.add('guessesFailed');
    events.tell('guess-failed', () => ({ name: displayName(name), error: cause }));
  }
}

/** A unit of one function that has its name. */
function byOwnName(unit: MaterializationUnit): Guess {
  return { unit, name: unit.name };
}
