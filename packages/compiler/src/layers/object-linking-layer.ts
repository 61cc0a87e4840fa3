import type { MemProt } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { IndirectStub, IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import type { AllocationRequest } from '../jitlink/layout.js';
import { GraphLink, type LinkedGraph } from '../jitlink/link.js';
import { redirectToStubs } from '../jitlink/redirect.js';
import { AbsoluteSymbols } from '../session/absolute-symbols.js';
import { generate, isSupplied } from '../session/definition-generator.js';
import type { CompileTimings, EventStream } from '../session/events.js';
import type { FoundDefinition, JITDylib } from '../session/jit-dylib.js';
import {
  COUNT_FUNCTION_NAME,
  type CompileObserver,
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from '../session/materialization-unit.js';
import type { RunnerContext } from '../session/runner-context.js';
import type { OpenSpan, Tracing } from '../tracing/tracing.js';

/** What objects are linked with. */
export interface LinkingContext {
  readonly stubs: IndirectStubsManager;
  /** In which what defines no names looks up those of others. */
  readonly mainDylib: JITDylib;
  readonly events: EventStream;
  /** A unit is about to be turned into IR. */
  compiling(unit: MaterializationUnit): void;
  tracing(): Tracing;
}

/** A part on its way into a runner. */
interface Member {
  readonly part: ObjectPart;
  readonly graph: GraphLink;
  /** Names it has a weak definition of, and whether another is taken instead. */
  readonly gaveWay: ReadonlyMap<string, boolean>;
}

/** What a name means that a group refers to. */
interface Meaning {
  readonly found: FoundDefinition;
  /** Of a function. */
  readonly stub?: IndirectStub;
}

/** What names mean, by the dylib that they are looked up in. */
type Meanings = ReadonlyMap<JITDylib, ReadonlyMap<string, Meaning>>;

/** What a link has come by, for each time that it looks again. */
interface Attempt {
  readonly members: Map<ObjectPart, Member>;
  /** By dylib, names that nobody defines and that have been asked for, with the addresses of those that have one. */
  readonly generated: Map<JITDylib, Map<string, ExecutorAddr | undefined>>;
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
  readonly #context: LinkingContext;

  constructor(context: LinkingContext) {
    this.#context = context;
  }

  /** Compiles the unit when needed; the part of it that defines `name`, or undefined as `MaterializationUnit.partOf`. */
  partOf(unit: MaterializationUnit, name: string): Promise<ObjectPart | undefined> {
    return unit.partOf(name, this.observerOf([unit]));
  }

  /** Notes what a compilation that makes the objects of `units` says; each is told with its share of it. */
  observerOf(units: readonly MaterializationUnit[]): CompileObserver {
    return {
      compiling: () => {
        for (const unit of units) this.#context.compiling(unit);
      },
      compiled: ({ object, timings }) => {
        const objectBytes = object.byteLength / units.length;
        const share = shareOf(timings, units.length);
        for (const { name, source } of units)
          this.#context.events.emit({
            type: 'compiled',
            unit: name,
            kind: source.kind,
            objectBytes,
            timings: share,
          });
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
      (part) => isWanted(part, runner) && this.#groupOf([part], runner, attempt).undefinedData.length === 0,
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
    await this.#context.tracing().inSpan('farjit.link', details, async (span) => {
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
    if (undefinedData.length > 0) {
      const get = () => Promise.all(undefinedData.map(({ name, unit }) => this.partOf(unit, name)));
      return { what: 'objects', get };
    }
    const meanings = this.#meaningsOf(members);
    const all = [...meanings.values()].flatMap((names) => [...names.values()]);
    const unknown = all.filter(({ found }) => !found.unit && !isKnown(found, attempt, runner));
    const stubs = all.flatMap(({ stub }) => (stub && !this.#context.stubs.isEmitted(stub) ? [stub] : []));
    if (unknown.length > 0 || stubs.length > 0) {
      const get = () =>
        Promise.all([ask(unknown, attempt, runner), this.#context.stubs.ensureEmitted(stubs)]);
      return { what: 'addresses', get };
    }
    span.note({ 'farjit.units': members.length });
    this.#linkGroup(members, meanings, attempt, runner);
    return undefined;
  }

  /** Parts and all parts they reach over data, without those that are linked already; and the data that has no object. */
  #groupOf(
    roots: readonly ObjectPart[],
    runner: RunnerContext,
    attempt: Attempt,
  ): { members: readonly Member[]; undefinedData: readonly { name: string; unit: MaterializationUnit }[] } {
    const members = new Map<ObjectPart, Member>();
    const undefinedData: { name: string; unit: MaterializationUnit }[] = [];
    const queue = [...roots];
    for (let part = queue.pop(); part; part = queue.pop()) {
      if (members.has(part) || runner.linked.has(part)) continue;
      const known = attempt.members.get(part);
      const member = known && this.#isCurrent(known) ? known : this.#newMember(part);
      attempt.members.set(part, member);
      members.set(part, member);
      const dylib = this.#dylibOf(part.unit);
      for (const asked of member.graph.externalNames) {
        const { name, unit } = dylib.lookup(asked);
        if (!unit?.interface.data.has(name) || unit instanceof AbsoluteSymbols) continue;
        const data = unit.knownPart(name);
        if (data) queue.push(data);
        else undefinedData.push({ name, unit });
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
      gaveWay.set(name, isElsewhere(part.unit, name));
      if (gaveWay.get(name)) symbol.makeExternal();
    }
    redirectToStubs(graph, (name) => defines.functions.has(name), implementationName);
    return { part, graph: new GraphLink(graph), gaveWay };
  }

  /** Whether what gave way when the graph was made would do so now. */
  #isCurrent({ part, gaveWay }: Member): boolean {
    return [...gaveWay].every(([name, given]) => given === isElsewhere(part.unit, name));
  }

  #dylibOf(unit: MaterializationUnit): JITDylib {
    return unit.dylib ?? this.#context.mainDylib;
  }

  #meaningsOf(members: readonly Member[]): Meanings {
    const meanings = new Map<JITDylib, Map<string, Meaning>>();
    for (const { part, graph } of members) {
      const { unit, counterName } = part;
      const dylib = this.#dylibOf(unit);
      const names = meanings.get(dylib) ?? new Map<string, Meaning>();
      meanings.set(dylib, names);
      for (const name of graph.externalNames) {
        const isCounting =
          counterName !== undefined && (name === counterName || name === COUNT_FUNCTION_NAME);
        if (!isCounting && !names.has(name)) names.set(name, this.#meaningOf(dylib.lookup(name)));
      }
    }
    return meanings;
  }

  #meaningOf(found: FoundDefinition): Meaning {
    const { unit, name } = found;
    const isStubbed = unit?.interface.functions.has(name) && !(unit instanceof AbsoluteSymbols);
    return isStubbed ? { found, stub: this.#context.stubs.createStub(found) } : { found };
  }

  /**
   * Places, binds and adopts a group of which nothing is missing.
   * @throws {LinkError | OutOfExecutorMemoryError} and then it holds nothing.
   */
  #linkGroup(members: readonly Member[], meanings: Meanings, attempt: Attempt, runner: RunnerContext): void {
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
      const addresses = this.#addressesOf(members, meanings, attempt, runner);
      linked = members.map((member) => {
        const counter = counters.get(member);
        const known = addresses.get(this.#dylibOf(member.part.unit)) ?? new Map();
        return member.graph.finish(
          counter === undefined ? known : withCounter(known, member.part, counter, runner),
        );
      });
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

  /**
   * Addresses for all names a group refers to, by the dylib that they are looked up in: its own definitions, stubs, linked
   * data, absolute symbols, what generators know.
   */
  #addressesOf(
    members: readonly Member[],
    meanings: Meanings,
    attempt: Attempt,
    runner: RunnerContext,
  ): ReadonlyMap<JITDylib, Map<string, ExecutorAddr>> {
    const addressOf = ({ found, stub }: Meaning): ExecutorAddr | undefined => {
      if (stub) return this.#context.stubs.stubAddress(stub);
      const { name, unit } = found;
      return unit ? dataAddress(name, unit, members, runner) : generatedAddress(found, attempt, runner);
    };
    const addresses = new Map<JITDylib, Map<string, ExecutorAddr>>();
    for (const [dylib, names] of meanings) {
      const known = new Map<string, ExecutorAddr>();
      addresses.set(dylib, known);
      for (const [name, meaning] of names) {
        const address = addressOf(meaning);
        if (address !== undefined) known.set(name, address);
      }
    }
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
    const dylib = this.#dylibOf(part.unit);
    const names = meanings.get(dylib);
    const stubs = externalNames.flatMap((name) => names?.get(name)?.stub ?? []);
    const directNames = externalNames.flatMap((name) => {
      const meaning = names?.get(name);
      // What is another's, or has another name there, may come to mean something else without its stub's knowing.
      const isDirect =
        meaning && (!meaning.stub || meaning.found.dylib !== dylib || meaning.found.name !== name);
      return isDirect ? [...new Set([name, meaning.found.name])] : [];
    });
    for (const stub of stubs) stub.referenceCount++;
    runner.linked.set(part, {
      symbols: graph.symbols,
      functions: graph.functions.map(({ address }) => address),
      allocations: graph.allocations,
      ehFrames: graph.ehFrames,
      stubs,
      directNames,
      counter,
    });
    for (const { name, address, sizeBytes } of graph.functions)
      runner.symbolizer.add(name, address, sizeBytes);
    for (const name of directNames) {
      const users = runner.directUsers.get(name) ?? new Set();
      runner.directUsers.set(name, users.add(part));
    }
    runner.commits.addSegments(graph.segments, isReused);
    runner.commits.registerEHFrames(graph.ehFrames);
    const segmentBytes = graph.segments.reduce((total, segment) => total + segment.content.byteLength, 0);
    this.#context.events.emit({ type: 'linked', unit: part.unit.name, linkMs, segmentBytes });
  }
}

function newAttempt(): Attempt {
  return { members: new Map(), generated: new Map() };
}

function isWanted(part: ObjectPart, runner: RunnerContext): boolean {
  return !runner.lost && !part.discarded && !runner.linked.has(part);
}

/** Whether another unit's definition of a name is taken instead of this one's. */
function isElsewhere(unit: MaterializationUnit, name: string): boolean {
  return unit.dylib?.find(name) !== unit;
}

/** Of a name that nobody defines: what generators have said in this attempt or, where only the process can, what it has. */
function generatedAddress(
  { dylib, name }: FoundDefinition,
  attempt: Attempt,
  runner: RunnerContext,
): ExecutorAddr | undefined {
  return (
    attempt.generated.get(dylib)?.get(name) ?? (isSupplied(dylib) ? undefined : runner.processSymbol(name))
  );
}

/** Whether nothing is to be waited for over a name that nobody defines: its address is known, or nobody knows one. */
function isKnown(found: FoundDefinition, attempt: Attempt, runner: RunnerContext): boolean {
  const isAsked = attempt.generated.get(found.dylib)?.has(found.name) === true;
  return isAsked || generatedAddress(found, attempt, runner) !== undefined;
}

/** Asks the generators for names that nobody defines. */
async function ask(meanings: readonly Meaning[], attempt: Attempt, runner: RunnerContext): Promise<void> {
  const names = new Map<JITDylib, Set<string>>();
  for (const { found } of meanings)
    names.set(found.dylib, (names.get(found.dylib) ?? new Set()).add(found.name));
  const askFor = async ([dylib, missing]: [JITDylib, Set<string>]) => {
    const found = await generate([...missing], dylib, runner);
    const known = attempt.generated.get(dylib) ?? new Map<string, ExecutorAddr | undefined>();
    attempt.generated.set(dylib, known);
    for (const name of missing) known.set(name, found.get(name));
  };
  await Promise.all([...names].map(askFor));
}

function withCounter(
  known: ReadonlyMap<string, ExecutorAddr>,
  { counterName = '' }: ObjectPart,
  counter: ExecutorAddr,
  { runner }: RunnerContext,
): ReadonlyMap<string, ExecutorAddr> {
  return new Map(known).set(counterName, counter).set(COUNT_FUNCTION_NAME, runner.countFunction);
}

/** Where data is or, in a group that has been placed, will be. */
function dataAddress(
  name: string,
  unit: MaterializationUnit,
  members: readonly Member[],
  runner: RunnerContext,
): ExecutorAddr | undefined {
  if (unit instanceof AbsoluteSymbols) return unit.addressOf(name);
  const part = unit.knownPart(name);
  const member = members.find((candidate) => candidate.part === part);
  const definition = member?.graph.graph.findDefinition(name);
  return definition?.address ?? (part && runner.linked.get(part)?.symbols.get(name)?.address);
}

function shareOf(timings: CompileTimings, count: number): CompileTimings {
  return {
    irgenMs: timings.irgenMs / count,
    parseMs: timings.parseMs / count,
    passesMs: timings.passesMs / count,
    emitMs: timings.emitMs / count,
  };
}
