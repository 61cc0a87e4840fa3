import type { MemProt } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { JITDylib } from '../core/jit-dylib.js';
import {
  COUNT_FUNCTION_NAME,
  type MaterializationUnit,
  type ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import type { AllocationRequest } from '../jitlink/layout.js';
import type { LinkedGraph } from '../jitlink/link.js';
import type { EventStream } from '../observe/events.js';
import type { OpenSpan, Tracing } from '../observe/spans.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { LinkAttempt, type Member, type Missing } from './link-attempt.js';

/** What objects are linked with. */
export interface LinkingContext {
  readonly stubs: IndirectStubsManager;
  /** In which what defines no names looks up those of others. */
  readonly mainDylib: JITDylib;
  readonly events: EventStream;
  readonly materializations: Materializations;
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
    const able = parts.filter((part) => {
      if (!this.#isWanted(part, runner)) return false;
      const { missing } = attempt.lookAround([part]);
      return !missing || missing.what === 'addresses';
    });
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
   * @throws {LinkError | OutOfExecutorMemoryError} and then it holds nothing.
   */
  #linkGroup(members: readonly Member[], attempt: LinkAttempt, runner: RunnerContext): void {
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
      linked = members.map((member) => {
        const addresses = attempt.addressesOf(member, members);
        const counter = counters.get(member);
        if (counter !== undefined) addCounter(addresses, member.part, counter, runner);
        return member.graph.finish(addresses);
      });
    } catch (error) {
      for (const [address, prot] of allocations) runner.free(prot, address);
      for (const counter of counters.values()) runner.counters.free(counter);
      throw error;
    }
    const linkMs = (performance.now() - startMs) / members.length;
    members.forEach((member, index) => {
      const graph = linked[index];
      if (graph) this.#adopt(member, graph, counters.get(member), runner, isReused, linkMs);
    });
  }

  #adopt(
    { part, graph: { weakNames }, dylib, meanings }: Member,
    graph: LinkedGraph,
    counter: ExecutorAddr | undefined,
    runner: RunnerContext,
    isReused: boolean,
    linkMs: number,
  ): void {
    const stubs = [...meanings.values()].flatMap(({ stub }) => stub ?? []);
    const directNames = [...meanings].flatMap(([name, { found, stub }]) => {
      // What is another's, or has another name there, may come to mean something else without its stub's knowing. What may be
      // nobody's is asked whether it is.
      const isDirect = !stub || found.dylib !== dylib || found.name !== name || weakNames.has(name);
      return isDirect ? [...new Set([name, ...found.through, found.name])] : [];
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

function addCounter(
  addresses: Map<string, ExecutorAddr>,
  { counterName = '' }: ObjectPart,
  counter: ExecutorAddr,
  { runner }: RunnerContext,
): void {
  addresses.set(counterName, counter).set(COUNT_FUNCTION_NAME, runner.countFunction);
}
