import { type MemProt, type RunnerStarted, symbols } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import { knownLimits, type Limit } from '@farjit/protocol/limits';
import * as v from 'valibot';
import { OutOfExecutorMemoryError } from '../core/errors.js';
import type { MaterializationUnit, ObjectPart } from '../core/materialization-unit.js';
import type {
  ExecutorProcessControl,
  ThreadLocalPlace,
} from '../executor-client/executor-process-control.js';
import type { SectionProt } from '../jitlink/link-graph.js';
import { CallbackFailures } from './callback-failures.js';
import { CommitQueue, MESSAGE_LIMITS, STAGED_LIMITS } from './commit-queue.js';
import { CounterPages } from './counter-pages.js';
import type { Linked } from './linked.js';
import { Reclaimer } from './reclaimer.js';
import { SlabAllocator } from './slab-allocator.js';
import { StubBlocks } from './stub-blocks.js';
import { Symbolizer } from './symbolizer.js';
import { LastWords } from './uncaught-exception.js';

/** Everything that belongs to one runner generation and is worthless after it. */
export class RunnerContext {
  readonly runner: RunnerStarted;
  /** @internal */
  readonly stubBlocks: StubBlocks;
  /** @internal */
  readonly symbolizer = new Symbolizer();
  /** @internal */
  readonly commits: CommitQueue;
  /** @internal */
  readonly reclaimer = new Reclaimer();
  /**
   * Where counted functions count.
   * @internal
   */
  readonly counters: CounterPages;
  /** Where parts are, and what they hold. What is not in here is not linked, or not any more. */
  readonly linked = new Map<ObjectPart, Linked>();
  /** Constants and data that are to be bound anew, where they were: programs keep pointers to them. */
  readonly displaced = new Map<ObjectPart, Linked>();
  /** Linked parts by the names they are bound to without a stub: process symbols and data. */
  readonly directUsers = new Map<string, Set<ObjectPart>>();
  /** Constants of objects that have been given up, linked as long as their unit is there. */
  readonly outliving = new Map<MaterializationUnit, ReadonlySet<ObjectPart>>();
  readonly #executor: ExecutorProcessControl;
  /** Where the thread pointer would be if what threads begin with were a thread's; undefined without room for it. */
  readonly threadPointer: ExecutorAddr | undefined;
  readonly #slabs: Partial<Record<SectionProt, SlabAllocator>>;
  readonly #processSymbols = new Map<string, ExecutorAddr>();
  readonly #threadLocals = new Map<string, ThreadLocalPlace | undefined>();
  /** Units of which it is known what of theirs libraries have. */
  readonly #compared = new WeakSet<MaterializationUnit>();
  /** Names that are being looked up. */
  readonly #lookups = new Map<string, Promise<void>>();
  readonly #applying = new Set<Promise<unknown>>();
  /** Who waits for an answer. */
  readonly #waiting = new Set<(error: Error) => void>();
  /** Limits that the runner has reached without ending, in order. */
  readonly reachedLimits: Limit[] = [];
  /**
   * Why its callbacks have failed.
   * @internal
   */
  readonly failures = new CallbackFailures();
  /**
   * What the program writes on standard error.
   * @internal
   */
  readonly lastWords = new LastWords();
  /** Calls have been sent to it. */
  hasRun = false;
  lost = false;

  /**
   * Of the executor's current runner.
   * @param hotThreshold what counters count to.
   * @internal
   */
  constructor(executor: ExecutorProcessControl, hotThreshold: number) {
    const { runner } = executor;
    this.#executor = executor;
    this.runner = runner;
    this.commits = new CommitQueue(executor.has('staged-commits') ? STAGED_LIMITS : MESSAGE_LIMITS);
    this.stubBlocks = new StubBlocks(executor, runner);
    const slabOf = (prot: MemProt) =>
      new SlabAllocator(runner.memory[prot].address, runner.memory[prot].sizeBytes);
    this.#slabs = { code: slabOf('code'), constant: slabOf('constant'), data: slabOf('data') };
    const { threadLocals } = executor;
    if (threadLocals) {
      this.#slabs.thread = new SlabAllocator(threadLocals.address, threadLocals.sizeBytes);
      this.threadPointer = addrAdd(threadLocals.address, -threadLocals.offset);
    }
    this.counters = new CounterPages(
      {
        commits: this.commits,
        allocateData: (sizeBytes, alignment) => this.allocate('data', sizeBytes, alignment),
      },
      hotThreshold,
    );
  }

  get limitsInForce(): readonly Limit[] {
    return knownLimits(this.runner.confinement.limits);
  }

  get generation(): number {
    return this.runner.generation;
  }

  /**
   * @param names of what is to go there, for the error.
   * @returns the address, and whether the memory held something else before.
   */
  allocate(
    prot: SectionProt,
    sizeBytes: number,
    alignment: number,
    names: () => readonly string[] = () => [],
  ): { address: ExecutorAddr; reused: boolean } {
    const allocated = this.#slabs[prot]?.allocate(sizeBytes, alignment);
    if (!allocated) throw new OutOfExecutorMemoryError(prot, sizeBytes, names());
    return allocated;
  }

  free(prot: SectionProt, address: ExecutorAddr): void {
    this.#slabs[prot]?.free(address);
  }

  /** Runs `free` once nothing can be inside what was retired any more; never when the runner is lost before. */
  retire(free: () => void): void {
    this.reclaimer.retire(() => {
      if (!this.lost) free();
    });
  }

  allocatedBytes(prot: SectionProt): number {
    return this.#slabs[prot]?.allocatedBytes ?? 0;
  }

  /** Of all kinds together. */
  get allAllocatedBytes(): number {
    return Object.values(this.#slabs).reduce((sum, slab) => sum + slab.allocatedBytes, 0);
  }

  /** Names of process symbols that have been looked up and found. */
  get processNames(): string[] {
    return [...this.#processSymbols.keys()];
  }

  /** They have been looked up, and have these addresses; 0 for one that there is not. */
  noteProcessSymbols(addresses: ReadonlyMap<string, ExecutorAddr>): void {
    for (const [name, address] of addresses)
      if (address !== NULL_ADDR) this.#processSymbols.set(name, address);
  }

  /** The address of a process symbol that has been looked up. */
  processSymbol(name: string): ExecutorAddr | undefined {
    return this.#processSymbols.get(name);
  }

  /**
   * Process symbols by name, each asked for once, all new ones in one round trip; unknown names are absent, and so are
   * those that no symbol can have.
   */
  async lookupProcessSymbols(names: readonly string[]): Promise<ReadonlyMap<string, ExecutorAddr>> {
    const unknown = new Set(
      names.filter(
        (name) =>
          !this.#processSymbols.has(name) &&
          !this.#threadLocals.get(name) &&
          v.is(symbols.lookupSymbols.params, { names: [name] }),
      ),
    );
    const unasked = [...unknown].filter((name) => !this.#lookups.has(name));
    if (unasked.length > 0) {
      const lookup = this.#lookUp(unasked).finally(() => {
        for (const name of unasked) this.#lookups.delete(name);
      });
      for (const name of unasked) this.#lookups.set(name, lookup);
    }
    await Promise.all([...unknown].map((name) => this.#lookups.get(name)));
    const found = new Map<string, ExecutorAddr>();
    for (const name of names) {
      const address = this.#processSymbols.get(name);
      if (address !== undefined) found.set(name, address);
    }
    return found;
  }

  /** Whether it is known which of a unit's data libraries have, whose copy is everybody's then. */
  knowsShared(unit: MaterializationUnit): boolean {
    return unit.vague.size === 0 || this.#compared.has(unit);
  }

  /** Asks which of a unit's data libraries have, in one go. */
  async lookupShared(unit: MaterializationUnit): Promise<void> {
    const isThreadLocal = (name: string) => unit.symbols.get(name)?.threadLocal === true;
    const names = [...unit.vague];
    await Promise.all([
      this.lookupProcessSymbols(names.filter((name) => !isThreadLocal(name))),
      this.lookupThreadLocals(names.filter(isThreadLocal)),
    ]);
    this.#compared.add(unit);
  }

  /** Whether a library has what the unit defines too, and means; what it has is everybody's. */
  isShared(unit: MaterializationUnit, name: string): boolean {
    return this.sharedAddress(unit, name) !== undefined || this.isSharedThreadLocal(unit, name);
  }

  /** Where that is; undefined for what is the unit's own, or has no address. */
  sharedAddress(unit: MaterializationUnit, name: string): ExecutorAddr | undefined {
    return unit.vague.has(name) ? this.#processSymbols.get(name) : undefined;
  }

  isSharedThreadLocal(unit: MaterializationUnit, name: string): boolean {
    return unit.vague.has(name) && this.#threadLocals.get(name) !== undefined;
  }

  async #lookUp(names: readonly string[]): Promise<void> {
    const addresses = await this.#executor.lookupSymbols(names, this.generation);
    this.noteProcessSymbols(new Map(names.map((name, index) => [name, addresses[index] ?? NULL_ADDR])));
  }

  /** Where a library has a thread-local variable; undefined where none has, or nobody has asked yet. */
  threadIndexOf(name: string): ThreadLocalPlace | undefined {
    return this.#threadLocals.get(name);
  }

  /** Whether it is known where libraries have the variable, or that they have none. */
  knowsThreadLocal(name: string): boolean {
    return this.#threadLocals.has(name);
  }

  /** Asks where libraries have thread-local variables of these names, once for each name. */
  async lookupThreadLocals(names: readonly string[]): Promise<void> {
    const unknown = [...new Set(names)].filter(
      (name) => !this.knowsThreadLocal(name) && v.is(symbols.lookupThreadLocals.params, { names: [name] }),
    );
    const found = unknown.length > 0 ? await this.#executor.lookupThreadLocals(unknown, this.generation) : [];
    for (const [index, name] of unknown.entries()) {
      const place = found[index];
      this.#threadLocals.set(name, place?.module === NULL_ADDR ? undefined : place);
    }
  }

  /** A commit of its own is on its way; its publish work is done when `applied` resolves. */
  noteCommit(applied: Promise<unknown>): void {
    const settled = applied
      .catch(() => {
        // Whoever sent it reports what became of it.
      })
      .finally(() => this.#applying.delete(settled));
    this.#applying.add(settled);
  }

  /**
   * Waits for commits that are on their way. Code that came with one of them must not be entered before: a call or a
   * landing that is sent now would overtake the publish work, which the runner's control thread does.
   */
  async whenApplied(): Promise<void> {
    while (this.#applying.size > 0) await Promise.all(this.#applying);
  }

  get isApplying(): boolean {
    return this.#applying.size > 0;
  }

  /** Whether a call or landing may be sent: its message takes all that is queued, and overtakes nothing. */
  get isReady(): boolean {
    return !this.isApplying && !this.commits.isOverfull;
  }

  /** An answer that a call or a link waits for; rejects when `abandon` comes first. */
  answerOrLoss<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const settled = () => this.#waiting.delete(reject);
      answer.then(resolve, reject).finally(settled);
    });
  }

  /** The runner is gone, and has answered all calls that it will ever answer: nothing is waited for any more. */
  abandon(reasonOf: () => Error): void {
    for (const reject of this.#waiting) reject(reasonOf());
    this.#waiting.clear();
  }
}
