import { FrameKind, MESSAGES } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import type { CompileTimings, UnitCompiler, UnitKind } from './events.js';

/** Counts and times of a session, as `farjit run --stats=json` prints them. */
export interface StatisticsSnapshot {
  functionsDefined: number;
  /** Definitions compiled, whoever asked for them and whoever made them; linking again from a kept object does not count. */
  functionsCompiled: number;
  /** Of those, the ones that LLVM has compiled and no callback had asked for. */
  functionsGuessed: number;
  /** Of the guesses, those not known to have been called: an upper bound of what LLVM has compiled in vain. */
  guessesOpen: number;
  /** Functions guessed that were not compiled, or not linked, over an error of theirs or of their module. */
  guessesFailed: number;
  /**
   * Functions linked before they were asked for, since their objects were kept, or made at once by their front end; and of those,
   * the ones not known to have been called: an upper bound of what a front end has made in vain.
   */
  functionsLinkedAhead: number;
  linkedAheadOpen: number;
  /** Hot functions whose stubs were led to better code, compiled in the background or kept from before. */
  functionsOptimized: number;
  /** Of those, how often one was given up because something it depended on had changed. */
  optimizationsInvalidated: number;
  optimizationsFailed: number;
  expressionsCompiled: number;
  /** Call wrappers (one per signature) and modules added as IR. */
  wrappersCompiled: number;
  /** Loops that apply a function to columns. */
  loopsCompiled: number;
  modulesCompiled: number;
  /** Pieces of modules: what is compiled of a large module when it is asked for. */
  piecesCompiled: number;
  /** Of functions, expressions and wrappers, those whose code their front end made itself, without LLVM. */
  compiledWithoutLLVM: number;
  /** Objects that were found, in memory or on disk, instead of being compiled; and those that were looked for in vain. */
  cacheMemoryHits: number;
  cacheDiskHits: number;
  /** Those that another compiler may have made, and left where they are shared. */
  cacheStoreHits: number;
  cacheMisses: number;
  /** Objects written to disk, and objects there that were damaged. */
  cacheStored: number;
  cacheDamaged: number;
  compileCallbacks: number;
  failedCallbacks: number;
  calls: number;
  runnersStarted: number;
  runnersLost: number;
  /** Requests answered, by method, whichever end asked. */
  roundTrips: Record<string, number>;
  bytesSent: number;
  bytesReceived: number;
  objectBytes: number;
  linkedBytes: number;
  /** IRGen, bitcode, passes and emission together, and what front ends make themselves. */
  compileMs: number;
  irgenMs: number;
  llvmMs: number;
  /** Code that front ends made themselves. */
  frontEndMs: number;
  /** The same as `compileMs` for functions compiled again, which nobody waited for. */
  optimizeMs: number;
  linkMs: number;
  /** In the compiler, from a callback's arrival to its answer. */
  callbackMs: number;
  /** Since the session began. */
  wallMs: number;
}

const METHODS: ReadonlySet<string> = new Set(MESSAGES.map(({ method }) => method));

/** What is only counted. */
type CountName = Exclude<
  keyof StatisticsSnapshot,
  'roundTrips' | 'wallMs' | 'compileMs' | 'guessesOpen' | 'linkedAheadOpen'
>;

/** What an object has cost. */
interface CompiledCost {
  readonly compiler: UnitCompiler;
  readonly objectBytes: number;
  readonly timings: CompileTimings;
}

/** Adds up what happens. */
export class Statistics {
  readonly #startMs = monotonicMs();
  readonly #totals: Omit<StatisticsSnapshot, 'wallMs' | 'compileMs' | 'guessesOpen' | 'linkedAheadOpen'> = {
    functionsDefined: 0,
    functionsCompiled: 0,
    functionsGuessed: 0,
    guessesFailed: 0,
    functionsLinkedAhead: 0,
    functionsOptimized: 0,
    optimizationsInvalidated: 0,
    optimizationsFailed: 0,
    expressionsCompiled: 0,
    wrappersCompiled: 0,
    loopsCompiled: 0,
    modulesCompiled: 0,
    piecesCompiled: 0,
    compiledWithoutLLVM: 0,
    cacheMemoryHits: 0,
    cacheDiskHits: 0,
    cacheStoreHits: 0,
    cacheMisses: 0,
    cacheStored: 0,
    cacheDamaged: 0,
    compileCallbacks: 0,
    failedCallbacks: 0,
    calls: 0,
    runnersStarted: 0,
    runnersLost: 0,
    roundTrips: {},
    bytesSent: 0,
    bytesReceived: 0,
    objectBytes: 0,
    linkedBytes: 0,
    irgenMs: 0,
    llvmMs: 0,
    frontEndMs: 0,
    optimizeMs: 0,
    linkMs: 0,
    callbackMs: 0,
  };

  #programFunctions = 0;

  /** @param open what only the speculator knows. */
  snapshot({ guessesOpen = 0, linkedAheadOpen = 0 } = {}): StatisticsSnapshot {
    const totals = this.#totals;
    return {
      ...totals,
      roundTrips: { ...totals.roundTrips },
      guessesOpen,
      linkedAheadOpen,
      compileMs: totals.irgenMs + totals.llvmMs + totals.frontEndMs,
      wallMs: monotonicMs() - this.#startMs,
    };
  }

  /** Counts one more, or so many. */
  add(name: CountName, by = 1): void {
    this.#totals[name] += by;
  }

  addCompiled(
    kind: UnitKind | 'piece',
    { compiler, objectBytes, timings }: CompiledCost,
    functionCount: number,
  ): void {
    const totals = this.#totals;
    totals[`${kind}sCompiled`]++;
    totals.objectBytes += objectBytes;
    this.#programFunctions += functionCount;
    const { irgenMs, parseMs, passesMs, emitMs } = timings;
    if (compiler === 'front-end') {
      totals.compiledWithoutLLVM++;
      totals.frontEndMs += emitMs;
      return;
    }
    totals.irgenMs += irgenMs;
    totals.llvmMs += parseMs + passesMs + emitMs;
  }

  /** A hot function leads to better code. @param timings undefined when that had been kept. */
  addOptimized(timings: CompileTimings | undefined): void {
    this.#totals.functionsOptimized++;
    if (timings)
      this.#totals.optimizeMs += timings.irgenMs + timings.parseMs + timings.passesMs + timings.emitMs;
  }

  addFrame(direction: 'sent' | 'received', kind: FrameKind, method: string, sizeBytes: number): void {
    const totals = this.#totals;
    if (direction === 'sent') totals.bytesSent += sizeBytes;
    else totals.bytesReceived += sizeBytes;
    // A method that nobody declared is a peer's invention, of which there may be any number.
    if (kind === FrameKind.Request && METHODS.has(method))
      totals.roundTrips[method] = (totals.roundTrips[method] ?? 0) + 1;
  }

  /** Functions of the program's in all that has been compiled. */
  get programFunctions(): number {
    return this.#programFunctions;
  }

  get compileCallbacks(): number {
    return this.#totals.compileCallbacks;
  }
}
