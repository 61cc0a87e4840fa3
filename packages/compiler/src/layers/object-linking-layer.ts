import type { MemProt } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { IndirectStub, IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import type { AllocationRequest } from '../jitlink/layout.js';
import { GraphLink, type LinkedGraph } from '../jitlink/link.js';
import { redirectToStubs } from '../jitlink/redirect.js';
import type { CompileTimings, EventStream } from '../session/events.js';
import type { JITDylib } from '../session/jit-dylib.js';
import {
  COUNT_FUNCTION_NAME,
  type CompileObserver,
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from '../session/materialization-unit.js';
import type { RunnerContext } from '../session/runner-context.js';
import type { OpenSpan, Tracing } from '../tracing/tracing.js';

/** A part on its way into a runner. */
interface Member {
  readonly part: ObjectPart;
  readonly graph: GraphLink;
  /** Names it has a weak definition of, and whether another is taken instead. */
  readonly gaveWay: ReadonlyMap<string, boolean>;
}

/** What the names mean that a group refers to. */
interface Meanings {
  readonly stubs: ReadonlyMap<string, IndirectStub>;
  readonly data: ReadonlyMap<string, MaterializationUnit>;
  readonly process: ReadonlySet<string>;
}

/** What a link has come by, for each time that it looks again. */
interface Attempt {
  readonly members: Map<ObjectPart, Member>;
  /** Process symbols that have been looked up, whether they are there or not. */
  readonly lookedUp: Set<string>;
}

/** What a link cannot be done without. */
interface Missing {
  readonly what: 'objects' | 'addresses';
  get(): Promise<unknown>;
}

/**
 * Links objects into a runner: object → graph → addresses → relocated segments in the runner's commit queue. Calls
 * go through stubs, so linking a function never needs another function; only data brings its definition along, and
 * both are linked as one group.
 *
 * A link is done in one turn of the event loop, with what names mean in it: nothing is placed before all objects of the
 * group and all addresses of its names are there. What is missing is waited for, and then the link looks anew. So links
 * that wait keep no other waiting, and where all is known nothing waits.
 */
export class ObjectLinkingLayer {
  readonly #stubs: IndirectStubsManager;
  readonly #dylib: JITDylib;
  readonly #events: EventStream;
  readonly #tracing: () => Tracing;

  constructor(stubs: IndirectStubsManager, dylib: JITDylib, events: EventStream, tracing: () => Tracing) {
    this.#tracing = tracing;
    this.#stubs = stubs;
    this.#dylib = dylib;
    this.#events = events;
  }

  /** Compiles the unit when needed; the part of it that defines `name`, or undefined as `MaterializationUnit.partOf`. */
  partOf(unit: MaterializationUnit, name: string): Promise<ObjectPart | undefined> {
    return unit.partOf(name, this.observerOf([unit]));
  }

  /** Notes what a compilation that makes the objects of `units` says; each is told with its share of it. */
  observerOf(units: readonly MaterializationUnit[]): CompileObserver {
    return {
      compiling: () => {
        for (const unit of units) this.#dylib.noteCompiling(unit);
      },
      compiled: ({ object, timings }) => {
        const objectBytes = object.byteLength / units.length;
        const share = shareOf(timings, units.length);
        for (const { name, source } of units)
          this.#events.emit({ type: 'compiled', unit: name, kind: source.kind, objectBytes, timings: share });
      },
    };
  }

  /**
   * Links a part into `runner` unless it is there already. Its segments are in the runner's commit queue when this
   * returns, unless the part was discarded or the runner lost meanwhile: then it is not linked.
   * @throws {LinkError} and then neither the queue nor the executor's memory has changed.
   */
  async link(part: ObjectPart, runner: RunnerContext): Promise<void> {
    await this.#link([part], runner, newAttempt(), async (missing) => {
      await missing.get();
      return true;
    });
  }

  /**
   * Links parts that nobody has asked for in one go, which costs less than one by one. Nothing is compiled for them: those
   * that refer to data without an object are left out. All others are linked, or none: then each can still be linked by
   * itself.
   * @throws as `link`.
   */
  async linkAhead(parts: readonly ObjectPart[], runner: RunnerContext): Promise<void> {
    const attempt = newAttempt();
    const able = parts.filter(
      (part) => isWanted(part, runner) && this.#groupOf([part], runner, attempt).undefinedData.size === 0,
    );
    await this.#link(able, runner, attempt, async (missing) => {
      if (missing.what === 'objects') return false;
      await missing.get();
      return true;
    });
  }

  /** @param getMissing answers whether to go on. */
  async #link(
    parts: readonly ObjectPart[],
    runner: RunnerContext,
    attempt: Attempt,
    getMissing: (missing: Missing) => Promise<boolean>,
  ): Promise<void> {
    const [first] = parts.filter((part) => isWanted(part, runner));
    if (!first) return;
    const details = { 'farjit.unit': first.unit.name, 'farjit.generation': runner.generation };
    await this.#tracing().inSpan('farjit.link', details, async (span) => {
      for (;;) {
        const missing = this.#tryToLink(parts, runner, attempt, span);
        if (!missing || !(await getMissing(missing))) return;
      }
    });
  }

  /** Links what is still to be linked of parts and all that they reach over data, or answers what is missing. */
  #tryToLink(
    parts: readonly ObjectPart[],
    runner: RunnerContext,
    attempt: Attempt,
    span: OpenSpan,
  ): Missing | undefined {
    const roots = parts.filter((part) => isWanted(part, runner));
    if (roots.length === 0) return undefined;
    const { members, undefinedData } = this.#groupOf(roots, runner, attempt);
    if (undefinedData.size > 0) {
      const get = () => Promise.all([...undefinedData].map(([name, unit]) => this.partOf(unit, name)));
      return { what: 'objects', get };
    }
    const meanings = this.#meaningsOf(members);
    const names = [...meanings.process].filter(
      (name) => runner.processSymbol(name) === undefined && !attempt.lookedUp.has(name),
    );
    const stubs = [...meanings.stubs.values()].filter((stub) => !this.#stubs.isEmitted(stub));
    if (names.length > 0 || stubs.length > 0) {
      const get = async () => {
        await Promise.all([runner.lookupProcessSymbols(names), this.#stubs.ensureEmitted(stubs)]);
        for (const name of names) attempt.lookedUp.add(name);
      };
      return { what: 'addresses', get };
    }
    span.note({ 'farjit.units': members.length });
    this.#linkGroup(members, meanings, runner);
    return undefined;
  }

  /** Parts and all parts they reach over data, without those that are linked already; and the data that has no object. */
  #groupOf(
    roots: readonly ObjectPart[],
    runner: RunnerContext,
    attempt: Attempt,
  ): { members: readonly Member[]; undefinedData: ReadonlyMap<string, MaterializationUnit> } {
    const members = new Map<ObjectPart, Member>();
    const undefinedData = new Map<string, MaterializationUnit>();
    const queue = [...roots];
    for (let part = queue.pop(); part; part = queue.pop()) {
      if (members.has(part) || part.linkedIn(runner)) continue;
      const known = attempt.members.get(part);
      const member = known && this.#isCurrent(known) ? known : this.#newMember(part);
      attempt.members.set(part, member);
      members.set(part, member);
      for (const name of member.graph.externalNames) {
        const unit = this.#dylib.find(name);
        if (!unit?.interface.data.has(name)) continue;
        const data = unit.knownPart(name);
        if (data) queue.push(data);
        else undefinedData.set(name, unit);
      }
    }
    return { members: [...members.values()], undefinedData };
  }

  /** Makes a part's graph, without definitions that others are taken instead of. */
  #newMember(part: ObjectPart): Member {
    const graph = part.takeGraph();
    const { interface: defines, symbols, canYield } = part.unit;
    const gaveWay = new Map<string, boolean>();
    for (const symbol of canYield ? graph.symbols : []) {
      const { name, kind, scope } = symbol;
      if (kind !== 'defined' || scope === 'local') continue;
      if ((symbols.get(name)?.linkage ?? 'strong') === 'strong') continue;
      gaveWay.set(name, this.#dylib.find(name) !== part.unit);
      if (gaveWay.get(name)) symbol.makeExternal();
    }
    redirectToStubs(graph, (name) => defines.functions.has(name), implementationName);
    return { part, graph: new GraphLink(graph), gaveWay };
  }

  /** Whether what gave way when the graph was made would do so now. */
  #isCurrent({ part, gaveWay }: Member): boolean {
    return [...gaveWay].every(([name, given]) => given === (this.#dylib.find(name) !== part.unit));
  }

  #meaningsOf(members: readonly Member[]): Meanings {
    const stubs = new Map<string, IndirectStub>();
    const data = new Map<string, MaterializationUnit>();
    const process = new Set<string>();
    const counting = new Set(members.flatMap(({ part: { counterName } }) => counterName ?? []));
    if (counting.size > 0) counting.add(COUNT_FUNCTION_NAME);
    for (const name of new Set(members.flatMap(({ graph }) => graph.externalNames))) {
      if (counting.has(name)) continue;
      const unit = this.#dylib.find(name);
      if (!unit) process.add(name);
      else if (unit.interface.functions.has(name)) stubs.set(name, this.#stubs.createStub(name));
      else data.set(name, unit);
    }
    return { stubs, data, process };
  }

  /**
   * Places, binds and adopts a group of which nothing is missing.
   * @throws {LinkError | OutOfExecutorMemoryError} and then it holds nothing.
   */
  #linkGroup(members: readonly Member[], meanings: Meanings, runner: RunnerContext): void {
    const startMs = performance.now();
    const allocations = new Map<ExecutorAddr, MemProt>();
    const counters = new Map<Member, ExecutorAddr>();
    let isReused = false;
    let linked: LinkedGraph[];
    const allocate = (requests: readonly AllocationRequest[]) =>
      requests.map(({ prot, sizeBytes, alignment }) => {
        const allocated = runner.allocate(prot, sizeBytes, alignment);
        allocations.set(allocated.address, prot);
        if (prot === 'code') isReused ||= allocated.reused;
        return allocated.address;
      });
    try {
      for (const member of members) {
        member.graph.place(allocate);
        if (member.part.counterName !== undefined)
          counters.set(member, runner.counters.allocate(member.part.unit));
      }
      const addresses = this.#addressesOf(members, meanings, counters, runner);
      linked = members.map(({ graph }) => graph.finish(addresses));
    } catch (error) {
      for (const [address, prot] of allocations) runner.free(prot, address);
      for (const counter of counters.values()) runner.counters.free(counter);
      throw error;
    }
    const linkMs = (performance.now() - startMs) / members.length;
    members.forEach((member, index) => {
      const graph = linked[index];
      if (graph) this.#adopt(member, graph, meanings, counters.get(member), runner, isReused, linkMs);
    });
  }

  /** Addresses for all names a group refers to: its own definitions, stubs, linked data, counters, process symbols. */
  #addressesOf(
    members: readonly Member[],
    { stubs, data, process }: Meanings,
    counters: ReadonlyMap<Member, ExecutorAddr>,
    runner: RunnerContext,
  ): ReadonlyMap<string, ExecutorAddr> {
    const addresses = new Map<string, ExecutorAddr>();
    const set = (name: string | undefined, address: ExecutorAddr | undefined) => {
      if (name !== undefined && address !== undefined) addresses.set(name, address);
    };
    for (const [{ part }, counter] of counters) set(part.counterName, counter);
    if (counters.size > 0) set(COUNT_FUNCTION_NAME, runner.runner.countFunction);
    for (const [name, stub] of stubs) set(name, this.#stubs.stubAddress(stub));
    for (const [name, unit] of data) set(name, dataAddress(name, unit, members, runner));
    for (const name of process) set(name, runner.processSymbol(name));
    return addresses;
  }

  #adopt(
    { part, graph: { externalNames } }: Member,
    graph: LinkedGraph,
    meanings: Meanings,
    counter: ExecutorAddr | undefined,
    runner: RunnerContext,
    isReused: boolean,
    linkMs: number,
  ): void {
    const stubs = externalNames.flatMap((name) => meanings.stubs.get(name) ?? []);
    const directNames = externalNames.filter((name) => meanings.data.has(name) || meanings.process.has(name));
    for (const stub of stubs) stub.referenceCount++;
    part.linked = {
      generation: runner.generation,
      symbols: graph.symbols,
      functions: graph.functions.map(({ address }) => address),
      allocations: graph.allocations,
      ehFrames: graph.ehFrames,
      stubs,
      directNames,
      counter,
    };
    for (const { name, address, sizeBytes } of graph.functions)
      runner.symbolizer.add(name, address, sizeBytes);
    for (const name of directNames) {
      const users = runner.directUsers.get(name) ?? new Set();
      runner.directUsers.set(name, users.add(part));
    }
    runner.commits.addSegments(graph.segments, isReused);
    runner.commits.registerEHFrames(graph.ehFrames);
    const segmentBytes = graph.segments.reduce((total, segment) => total + segment.content.byteLength, 0);
    this.#events.emit({ type: 'linked', unit: part.unit.name, linkMs, segmentBytes });
  }
}

function newAttempt(): Attempt {
  return { members: new Map(), lookedUp: new Set() };
}

function isWanted(part: ObjectPart, runner: RunnerContext): boolean {
  return !runner.lost && !part.discarded && part.linkedIn(runner) === undefined;
}

/** Where data is or, in a group that has been placed, will be. */
function dataAddress(
  name: string,
  unit: MaterializationUnit,
  members: readonly Member[],
  runner: RunnerContext,
): ExecutorAddr | undefined {
  const part = unit.knownPart(name);
  const member = members.find((candidate) => candidate.part === part);
  const definition = member?.graph.graph.findDefinition(name);
  return definition?.address ?? part?.linkedIn(runner)?.symbols.get(name)?.address;
}

function shareOf(timings: CompileTimings, count: number): CompileTimings {
  return {
    irgenMs: timings.irgenMs / count,
    bitcodeMs: timings.bitcodeMs / count,
    parseMs: timings.parseMs / count,
    passesMs: timings.passesMs / count,
    emitMs: timings.emitMs / count,
  };
}
