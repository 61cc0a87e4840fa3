import type { MemProt } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { IndirectStub, IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { type LinkContext, type LinkedGraph, link } from '../jitlink/link.js';
import type { LinkGraph, LinkSymbol } from '../jitlink/link-graph.js';
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

/** A part and the graph made for linking it. */
interface Member {
  readonly part: ObjectPart;
  readonly graph: LinkGraph;
  /** Names it has a definition of, and others a stronger one. */
  readonly yielded: ReadonlySet<string>;
}

/** How the names a member refers to were bound. */
interface Binding {
  readonly stubs: Set<IndirectStub>;
  readonly directNames: Set<string>;
  counter: ExecutorAddr | undefined;
}

/** What a name meant when it was looked up. */
interface Meaning {
  readonly unit: MaterializationUnit | undefined;
  /** Of a function. */
  readonly stub?: IndirectStub;
  /** Of data. */
  readonly address?: ExecutorAddr;
}

/** A group on its way: what its members' names are bound to, and what they meant then. */
interface Resolution {
  readonly bindings: readonly Binding[];
  readonly meanings: Map<string, Meaning>;
  /** Data that the group refers to is neither in it nor linked: it has moved since the group was made. */
  isIncomplete: boolean;
}

/**
 * Links objects into a runner: object → graph → addresses → relocated segments in the runner's commit queue. Calls
 * go through stubs, so linking a function never needs another function; only data brings its definition along, and
 * both are linked as one group.
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
   * returns, unless the part was discarded or the runner lost meanwhile: then it is not linked. A group is linked
   * again when one of the names it is bound to has changed its meaning before it was ready.
   * @throws {LinkError} and then neither the queue nor the executor's memory has changed.
   */
  async link(part: ObjectPart, runner: RunnerContext): Promise<void> {
    const isDone = () => part.linkedIn(runner) !== undefined || part.discarded || runner.lost;
    if (isDone()) return;
    await runner.inLinkTurn(async () => {
      while (!isDone()) await this.#linkGroup(await this.#groupOf([part], runner), runner);
    });
  }

  /**
   * Links parts in one go, which costs less than one by one. All of them are linked, or none: then each can still be
   * linked by itself.
   * @throws as `link`.
   */
  async linkTogether(parts: readonly ObjectPart[], runner: RunnerContext): Promise<void> {
    await runner.inLinkTurn(async () => {
      const members = await this.#groupOf(
        parts.filter((part) => !part.discarded),
        runner,
      );
      if (members.length > 0 && !runner.lost) await this.#linkGroup(members, runner);
    });
  }

  /** Parts and all parts they reach over data, without those that are linked already. */
  async #groupOf(roots: readonly ObjectPart[], runner: RunnerContext): Promise<Member[]> {
    const members = new Map<ObjectPart, Member>();
    const queue = [...roots];
    for (let part = queue.pop(); part; part = queue.pop()) {
      if (members.has(part) || part.linkedIn(runner)) continue;
      const graph = part.takeGraph();
      const yielded = this.#giveWay(part.unit, graph);
      const functions = part.unit.interface.functions;
      redirectToStubs(graph, (name) => functions.has(name), implementationName);
      members.set(part, { part, graph, yielded });
      for (const symbol of graph.symbols) {
        if (symbol.kind !== 'external' || !this.#isData(symbol.name)) continue;
        const data = await this.#dataPartOf(symbol.name);
        if (data) queue.push(data);
      }
    }
    return [...members.values()];
  }

  /** Makes the definitions external that others are taken instead of. @returns their names. */
  #giveWay(unit: MaterializationUnit, graph: LinkGraph): Set<string> {
    const yielded = new Set<string>();
    if (!unit.canYield) return yielded;
    for (const symbol of definitionsIn(graph).filter(({ name }) => this.#hasYielded(unit, name))) {
      yielded.add(symbol.name);
      symbol.makeExternal();
    }
    return yielded;
  }

  #hasYielded(unit: MaterializationUnit, name: string): boolean {
    const isYielding = (unit.symbols.get(name)?.linkage ?? 'strong') !== 'strong';
    return isYielding && this.#dylib.find(name) !== unit;
  }

  #isData(name: string): boolean {
    return this.#dylib.find(name)?.interface.data.has(name) === true;
  }

  /** The part that defines a name of data. */
  async #dataPartOf(name: string): Promise<ObjectPart | undefined> {
    for (;;) {
      const unit = this.#dylib.find(name);
      if (!unit?.interface.data.has(name)) return undefined;
      const part = await this.partOf(unit, name);
      if (part) return part;
    }
  }

  /** Adopts the group, or nothing when it cannot stay as it was linked. */
  #linkGroup(members: readonly Member[], runner: RunnerContext): Promise<void> {
    const details = {
      'farjit.unit': members[0]?.part.unit.name ?? '',
      'farjit.units': members.length,
      'farjit.generation': runner.generation,
    };
    const work = (span: OpenSpan) => this.#linkTraced(members, runner, span);
    return this.#tracing().inSpan('farjit.link', details, work);
  }

  async #linkTraced(members: readonly Member[], runner: RunnerContext, span: OpenSpan): Promise<void> {
    const startMs = performance.now();
    const allocations = new Map<ExecutorAddr, MemProt>();
    const resolution: Resolution = {
      bindings: members.map(() => ({ stubs: new Set(), directNames: new Set(), counter: undefined })),
      meanings: new Map(),
      isIncomplete: false,
    };
    let reused = false;
    const rendezvous = new Rendezvous(members.length, (names) =>
      this.#resolve(names, members, resolution, runner),
    );
    const links = members.map(({ graph }, index): Promise<LinkedGraph> => {
      const context: LinkContext = {
        allocate: (requests) =>
          requests.map(({ prot, sizeBytes, alignment }) => {
            const allocated = runner.allocate(prot, sizeBytes, alignment);
            allocations.set(allocated.address, prot);
            if (prot === 'code') reused ||= allocated.reused;
            return allocated.address;
          }),
        // Freed below, all of the group's together.
        deallocate: () => {},
        lookup: (names) => rendezvous.arrive(index, names),
      };
      return link(graph, context).catch((error: unknown) => {
        rendezvous.fail(error);
        throw error;
      });
    });
    const settled = await Promise.allSettled(links);
    const failed = settled.find((result) => result.status === 'rejected');
    // From here to the end nothing yields, so what holds now holds when the group is adopted.
    const isCurrent = !runner.lost && this.#isCurrent(members, resolution, runner);
    if (failed || !isCurrent) {
      for (const [address, prot] of allocations) runner.free(prot, address);
      for (const { counter } of resolution.bindings) if (counter !== undefined) runner.counters.free(counter);
      if (failed && isCurrent) throw failed.reason;
      span.note({ 'farjit.outdated': true });
      return;
    }
    const linkMs = (performance.now() - startMs) / members.length;
    settled.forEach((result, index) => {
      const member = members[index];
      const binding = resolution.bindings[index];
      if (result.status === 'fulfilled' && member && binding)
        this.#adopt(member.part, result.value, binding, runner, reused, linkMs);
    });
  }

  /** Whether the members are still wanted and every name means what it meant when it was looked up. */
  #isCurrent(
    members: readonly Member[],
    { meanings, isIncomplete }: Resolution,
    runner: RunnerContext,
  ): boolean {
    if (isIncomplete || members.some(({ part }) => part.discarded)) return false;
    for (const { part, graph, yielded } of members) {
      const { unit } = part;
      if (!unit.canYield) continue;
      if ([...yielded].some((name) => this.#dylib.find(name) === unit)) return false;
      if (definitionsIn(graph).some(({ name }) => this.#hasYielded(unit, name))) return false;
    }
    for (const [name, { unit, stub, address }] of meanings) {
      if (this.#dylib.find(name) !== unit) return false;
      if (stub && this.#stubs.findStub(name) !== stub) return false;
      if (unit && !stub && this.#dataAddress(name, unit, members, runner) !== address) return false;
    }
    return true;
  }

  /** Addresses for all names a group is missing: its own definitions, stubs, linked data, counters, process symbols. */
  async #resolve(
    wanted: readonly (readonly string[])[],
    members: readonly Member[],
    resolution: Resolution,
    runner: RunnerContext,
  ): Promise<ReadonlyMap<string, ExecutorAddr>> {
    const { bindings, meanings } = resolution;
    const found = new Map<string, ExecutorAddr>();
    const stubNames = new Map<string, IndirectStub>();
    const processNames: string[] = [];
    members.forEach(({ part }, index) => {
      const binding = bindings[index];
      if (part.counterName === undefined || !binding) return;
      binding.counter = runner.counters.allocate(part.unit);
      found.set(part.counterName, binding.counter);
      found.set(COUNT_FUNCTION_NAME, runner.runner.countFunction);
    });
    const names = new Set(wanted.flat().filter((name) => !found.has(name)));
    for (const name of names) {
      const unit = this.#dylib.find(name);
      if (unit?.interface.functions.has(name)) {
        const stub = this.#stubs.createStub(name);
        stubNames.set(name, stub);
        meanings.set(name, { unit, stub });
      } else if (unit) {
        const address = this.#dataAddress(name, unit, members, runner);
        if (address === undefined) resolution.isIncomplete = true;
        else {
          found.set(name, address);
          meanings.set(name, { unit, address });
        }
      } else {
        processNames.push(name);
        meanings.set(name, { unit });
      }
    }
    const [processAddresses] = await Promise.all([
      runner.lookupProcessSymbols(processNames),
      this.#stubs.ensureEmitted(stubNames.values()),
    ]);
    for (const [name, stub] of stubNames) found.set(name, this.#stubs.stubAddress(stub));
    for (const [name, address] of processAddresses) found.set(name, address);
    wanted.forEach((names, index) => {
      for (const name of names) {
        const stub = stubNames.get(name);
        if (stub) bindings[index]?.stubs.add(stub);
        else if (meanings.has(name)) bindings[index]?.directNames.add(name);
      }
    });
    return found;
  }

  /** Undefined when the definition is neither linked nor in the group. */
  #dataAddress(
    name: string,
    unit: MaterializationUnit,
    members: readonly Member[],
    runner: RunnerContext,
  ): ExecutorAddr | undefined {
    for (const { part, graph } of members) {
      const symbol = part.unit === unit ? graph.findDefinition(name) : undefined;
      if (symbol) return symbol.address;
    }
    return unit.knownPart(name)?.linkedIn(runner)?.symbols.get(name)?.address;
  }

  #adopt(
    part: ObjectPart,
    graph: LinkedGraph,
    binding: Binding,
    runner: RunnerContext,
    isReused: boolean,
    linkMs: number,
  ): void {
    for (const stub of binding.stubs) stub.referenceCount++;
    part.linked = {
      generation: runner.generation,
      symbols: graph.symbols,
      functions: graph.functions.map(({ address }) => address),
      allocations: graph.allocations,
      ehFrames: graph.ehFrames,
      stubs: [...binding.stubs],
      directNames: [...binding.directNames],
      counter: binding.counter,
    };
    for (const { name, address, sizeBytes } of graph.functions)
      runner.symbolizer.add(name, address, sizeBytes);
    for (const name of binding.directNames) {
      const users = runner.directUsers.get(name) ?? new Set();
      runner.directUsers.set(name, users.add(part));
    }
    runner.commits.addSegments(graph.segments, isReused);
    runner.commits.registerEHFrames(graph.ehFrames);
    const segmentBytes = graph.segments.reduce((total, segment) => total + segment.content.byteLength, 0);
    this.#events.emit({ type: 'linked', unit: part.unit.name, linkMs, segmentBytes });
  }
}

function definitionsIn(graph: LinkGraph): LinkSymbol[] {
  return graph.symbols.filter(({ kind, scope }) => kind === 'defined' && scope !== 'local');
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

/** Lets the links of a group meet after allocation, so that all their names are looked up in one go. */
class Rendezvous {
  readonly #wanted: string[][] = [];
  readonly #resolve: (wanted: readonly (readonly string[])[]) => Promise<ReadonlyMap<string, ExecutorAddr>>;
  readonly #result: Promise<ReadonlyMap<string, ExecutorAddr>>;
  readonly #partyCount: number;
  #arrived = 0;
  #settle!: {
    resolve: (found: Promise<ReadonlyMap<string, ExecutorAddr>>) => void;
    reject: (error: unknown) => void;
  };

  constructor(
    partyCount: number,
    resolve: (wanted: readonly (readonly string[])[]) => Promise<ReadonlyMap<string, ExecutorAddr>>,
  ) {
    this.#partyCount = partyCount;
    this.#resolve = resolve;
    this.#result = new Promise((resolveResult, reject) => {
      this.#settle = { resolve: resolveResult, reject };
    });
    // A group whose links all failed before they met has nobody waiting here.
    this.#result.catch(() => {});
  }

  arrive(index: number, names: readonly string[]): Promise<ReadonlyMap<string, ExecutorAddr>> {
    this.#wanted[index] = [...names];
    if (++this.#arrived === this.#partyCount) this.#settle.resolve(this.#resolve(this.#wanted));
    return this.#result;
  }

  fail(error: unknown): void {
    this.#settle.reject(error);
  }
}
