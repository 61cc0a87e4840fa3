import type { Segment } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { JITDylib } from '../core/jit-dylib.js';
import type { MaterializationUnit, ObjectPart } from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import type { AllocationRequest } from '../jitlink/layout.js';
import type { GraphLink, LinkedGraph } from '../jitlink/link.js';
import type { LinkGraph, SectionProt } from '../jitlink/link-graph.js';
import { writeLinkGraph } from '../jitlink/link-graph-file.js';
import { displayName } from '../jitlink/local-names.js';
import type { Artefacts } from '../observe/artefacts.js';
import type { EventStream } from '../observe/event-stream.js';
import type { OpenSpan, Tracing } from '../observe/spans.js';
import type { IndirectStub, Linked } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { changedFields, formerPlace } from './former-place.js';
import { LinkAttempt, type Member, type Missing } from './link-attempt.js';
import type { LinkerSets, SetPlaces } from './linker-sets.js';
import type { ObjectLinkingPlugin } from './object-linking-plugin.js';

/** What objects are linked with. */
export interface LinkingContext {
  readonly stubs: IndirectStubsManager;
  /** In which what defines no names looks up those of others. */
  readonly mainDylib: JITDylib;
  readonly events: EventStream;
  readonly materializations: Materializations;
  /** In the order in which they are asked. The layer's own come last: none of them throws when a part is emitted. */
  readonly plugins: readonly ObjectLinkingPlugin[];
  readonly sets: LinkerSets;
  /** The dylib that a unit's names are defined in; undefined for what defines none. */
  dylibOf(unit: MaterializationUnit): JITDylib | undefined;
  tracing(): Tracing;
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

  /**
   * Links a part into `runner` unless it is there already. Its segments are in the runner's commit queue when this
   * returns, unless the part was discarded or the runner lost meanwhile: then it is not linked.
   * @throws {LinkError} and then neither the queue nor the executor's memory has changed.
   */
  async link(part: ObjectPart, runner: RunnerContext): Promise<void> {
    await this.#link([part], runner, this.#newAttempt(runner), async (missing) => {
      await missing.get();
      return true;
    });
  }

  /**
   * Links parts that nobody has asked for in one go, which costs less than one by one. They wait for the executor alone:
   * those that refer to data without an object, or to what a generator would have to be asked for, are left out. All others
   * are linked, or none: then each can still be linked by itself.
   * @throws as `link`.
   */
  async linkAhead(parts: readonly ObjectPart[], runner: RunnerContext): Promise<void> {
    const attempt = this.#newAttempt(runner);
    const canBeLinked = (some: readonly ObjectPart[]) => {
      const { missing } = attempt.lookAround(some);
      return !missing || missing.what === 'addresses';
    };
    const wanted = parts.filter((part) => this.#isWanted(part, runner));
    // Mostly all of them can.
    const able = canBeLinked(wanted) ? wanted : wanted.filter((part) => canBeLinked([part]));
    await this.#link(able, runner, attempt, async (missing) => {
      if (missing.what !== 'addresses') return false;
      await missing.get();
      return true;
    });
  }

  /** @param getMissing answers whether to go on. */
  async #link(
    parts: readonly ObjectPart[],
    runner: RunnerContext,
    attempt: LinkAttempt,
    getMissing: (missing: Missing) => Promise<boolean>,
  ): Promise<void> {
    const [first] = parts.filter((part) => this.#isWanted(part, runner));
    if (!first) return;
    const details = { 'farjit.unit': first.unit.name, 'farjit.generation': runner.generation };
    await this.#context.tracing().inSpan('farjit.link', details, async (span) => {
      try {
        for (;;) {
          const missing = this.#tryToLink(parts, runner, attempt, span);
          if (!missing || !(await getMissing(missing))) return;
          attempt.lookAnew();
        }
      } catch (error) {
        this.#giveUp(attempt, runner);
        throw error;
      }
    });
  }

  /** Tells plugins of all that they may have seen of a link that has failed. */
  #giveUp({ parts }: LinkAttempt, runner: RunnerContext): void {
    for (const part of parts)
      if (!runner.linked.has(part))
        for (const plugin of this.#context.plugins) this.#tell(() => plugin.failed?.(part, runner));
  }

  /** Runs a plugin's hook that can refuse nothing any more: what it throws comes up as an uncaught exception, and stops nothing. */
  #tell(hook: () => void): void {
    try {
      hook();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** Links what is still to be linked of parts and all that they reach over data, or answers what is missing. */
  #tryToLink(
    parts: readonly ObjectPart[],
    runner: RunnerContext,
    attempt: LinkAttempt,
    span: OpenSpan,
  ): Missing | undefined {
    const roots = parts.filter((part) => this.#isWanted(part, runner));
    if (roots.length === 0) return undefined;
    const { members, missing } = attempt.lookAround(roots);
    if (missing) return missing;
    span.note({ 'farjit.units': members.length });
    this.#linkGroup(members, attempt, runner);
    return undefined;
  }

  #isWanted(part: ObjectPart, runner: RunnerContext): boolean {
    return !runner.lost && !this.#context.materializations.isDiscarded(part) && !runner.linked.has(part);
  }

  #newAttempt(runner: RunnerContext): LinkAttempt {
    return new LinkAttempt(this.#context, runner);
  }

  /**
   * Places, binds and adopts a group of which nothing is missing.
   * @throws {LinkError | OutOfExecutorMemoryError} and what plugins throw; then it holds nothing.
   */
  #linkGroup(members: readonly Member[], attempt: LinkAttempt, runner: RunnerContext): void {
    const startMs = monotonicMs();
    const beganNs = this.#context.events.nowNs();
    const { plugins, sets } = this.#context;
    const allocations = new Map<ExecutorAddr, SectionProt>();
    let isReused = false;
    let places: SetPlaces = new Map();
    const allocateFor = (graph: GraphLink) => (requests: readonly AllocationRequest[]) =>
      requests.map(({ prot, sizeBytes, alignment, set }) => {
        const place = set === undefined ? undefined : places.get(graph)?.get(set);
        if (place !== undefined) return place;
        const names = () => (prot === 'thread' ? threadLocalsOf(graph.graph) : []);
        const allocated = runner.allocate(prot, sizeBytes, alignment, names);
        allocations.set(allocated.address, prot);
        if (prot === 'code') isReused ||= allocated.reused;
        return allocated.address;
      });
    let emitted: { member: Member; linked: Linked; graph: LinkedGraph }[];
    try {
      places = sets.place(members, runner, (sizeBytes, alignment) => {
        const { address } = runner.allocate('data', sizeBytes, alignment);
        allocations.set(address, 'data');
        return address;
      });
      for (const { part, graph } of members) {
        const allocate = allocateFor(graph);
        graph.place((requests) => formerPlace(runner.displaced.get(part), requests) ?? allocate(requests));
      }
      emitted = members.map((member) => {
        const addresses = attempt.addressesOf(member, members);
        for (const plugin of plugins) {
          const own = plugin.resolve?.(member.part, runner);
          if (own && own.size > 0) for (const [name, address] of own) addresses.set(name, address);
        }
        const graph = member.graph.finish(addresses, {
          threadPointer: runner.threadPointer,
          threadIndexOf: (name) => runner.threadIndexOf(name),
        });
        return {
          member,
          graph,
          linked: linkedOf(member, graph, places, addresses, this.#directNamesOf(member, addresses)),
        };
      });
      for (const plugin of plugins)
        for (const { linked, graph } of emitted) plugin.emitted?.(linked, graph, runner);
    } catch (error) {
      sets.unplace(members, runner);
      for (const [address, prot] of allocations) runner.free(prot, address);
      throw error;
    }
    const linkMs = (monotonicMs() - startMs) / members.length;
    for (const { linked, graph, member } of emitted) {
      this.#write(linked, graph.segments, member.graph.graph, runner, isReused);
      this.#adopt(linked, runner);
      this.#noteLinked(linked, graph, member.graph.graph, { linkMs, beganNs, generation: runner.generation });
    }
  }

  #noteLinked(
    { part, functions }: Linked,
    { segments }: LinkedGraph,
    source: LinkGraph,
    facts: { readonly linkMs: number; readonly beganNs: number; readonly generation: number },
  ): void {
    const { events } = this.#context;
    const segmentBytes = segments.reduce((total, segment) => total + segment.content.byteLength, 0);
    events.statistics.add('linkMs', facts.linkMs);
    events.statistics.add('linkedBytes', segmentBytes);
    const { artefacts } = events;
    events.tell('linked', () => ({
      ...facts,
      ...(artefacts.areKept && linkArtefacts(source, segments, artefacts)),
      unit: part.unit.name,
      segmentBytes,
      sizeBytes: segmentBytes,
      address: segments[0]?.address,
      functions: functions.map(({ name }) => displayName(name)),
    }));
  }

  #adopt(linked: Linked, runner: RunnerContext): void {
    const { part, stubs, directNames } = linked;
    for (const stub of stubs) stub.referenceCount++;
    runner.linked.set(part, linked);
    for (const name of directNames) {
      const users = runner.directUsers.get(name) ?? new Set();
      runner.directUsers.set(name, users.add(part));
    }
  }

  /** Queues what is to be written of a part: of one that is where it was, the addresses that have changed. */
  #write(
    { part, addresses, allocations }: Linked,
    segments: readonly Segment[],
    graph: LinkGraph,
    runner: RunnerContext,
    isReused: boolean,
  ): void {
    const former = runner.displaced.get(part);
    runner.displaced.delete(part);
    if (former && former.allocations[0]?.address === allocations[0]?.address) {
      for (const field of changedFields(graph, former.addresses, addresses)) runner.commits.overwrite(field);
      for (const stub of former.stubs) stub.referenceCount--;
      return;
    }
    runner.commits.addSegments(segments, isReused);
    if (former) this.#release(former, runner);
  }

  /** Names that a part is bound to by address. */
  #directNamesOf(
    { graph, dylib, meanings }: Member,
    addresses: ReadonlyMap<string, ExecutorAddr>,
  ): readonly string[] {
    const hasData = () => graph.layouts.some(({ prot }) => prot === 'data');
    return [...meanings].flatMap(([name, { found, stub, isCall }]) => {
      if (isCall && stub)
        return addresses.get(name) === this.#context.stubs.stubAddress(stub) ? [] : [found.name];
      // One of several names of a function may come to be another's. Pointers in data stay what they are.
      const aliases = found.unit?.aliases.get(found.name);
      if (stub && aliases && !hasData()) return [...new Set([name, ...found.through, ...aliases])];
      // What is another's, or has another name there, may come to mean something else without its stub's knowing. What may be
      // nobody's is asked whether it is.
      const isDirect = !stub || found.dylib !== dylib || found.name !== name || graph.weakNames.has(name);
      return isDirect ? [...new Set([name, ...found.through, found.name])] : [];
    });
  }

  /** Nobody gets into what is linked of a part any more; it is freed when all who are inside have left. */
  retire(part: ObjectPart, runner: RunnerContext): void {
    const linked = this.#unlink(part, runner) ?? runner.displaced.get(part);
    runner.displaced.delete(part);
    if (linked) this.#release(linked, runner);
  }

  /** A part without code is to be bound anew, when it is next linked, and stays where it is. */
  displace(part: ObjectPart, runner: RunnerContext): void {
    const linked = this.#unlink(part, runner);
    if (linked) runner.displaced.set(part, linked);
  }

  #unlink(part: ObjectPart, runner: RunnerContext): Linked | undefined {
    const linked = runner.linked.get(part);
    if (!linked) return undefined;
    runner.linked.delete(part);
    this.#context.sets.forget(part, runner);
    for (const name of linked.directNames) {
      const users = runner.directUsers.get(name);
      users?.delete(part);
      if (users?.size === 0) runner.directUsers.delete(name);
    }
    return linked;
  }

  #release(linked: Linked, runner: RunnerContext): void {
    for (const stub of linked.stubs) stub.referenceCount--;
    runner.retire(() => {
      const removing = new Set(this.#context.plugins.filter((plugin) => plugin.removing));
      for (const plugin of [...removing])
        this.#tell(() =>
          plugin.removing?.(linked, runner, () => {
            if (removing.delete(plugin) && removing.size === 0 && !runner.lost) this.#free(linked, runner);
          }),
        );
    });
  }

  #free({ allocations, stubs }: Linked, runner: RunnerContext): void {
    for (const { prot, address, sizeBytes, isOfSet } of allocations) {
      // Others are in the same memory.
      if (isOfSet) continue;
      runner.commits.dropSegment(address, sizeBytes);
      runner.free(prot, address);
    }
    for (const stub of stubs) this.#context.stubs.releaseIfUnused(stub);
  }
}

/** What a part was linked from, and to. */
function linkArtefacts(graph: LinkGraph, segments: readonly Segment[], artefacts: Artefacts) {
  const written = writeLinkGraph(graph);
  const ofGraph = written && artefacts.keep(written);
  const bytes = artefacts.keep(Buffer.concat(segments.map(({ content }) => content)));
  return { ...(ofGraph !== undefined && { graph: ofGraph }), ...(bytes !== undefined && { bytes }) };
}

/** Names of the thread-local variables that a graph defines. */
function threadLocalsOf({ symbols }: LinkGraph): string[] {
  return symbols
    .filter(({ name, kind, threadLocal }) => threadLocal && kind === 'defined' && name !== '')
    .map(({ name }) => displayName(name));
}

/** What a part that has its place holds on to. */
function linkedOf(
  { part, graph, meanings }: Member,
  { symbols, functions, ehFrames, allocations: allocated }: LinkedGraph,
  places: SetPlaces,
  addresses: ReadonlyMap<string, ExecutorAddr>,
  directNames: readonly string[],
): Linked {
  const inSets = places.get(graph);
  const ofSets = inSets && new Set(inSets.values());
  const allocations = ofSets
    ? allocated.map((each) => ({ ...each, isOfSet: ofSets.has(each.address) }))
    : allocated;
  const stubs: IndirectStub[] = [];
  for (const { stub } of meanings.values()) if (stub) stubs.push(stub);
  return { part, symbols, functions, ehFrames, allocations, stubs, directNames, addresses };
}
