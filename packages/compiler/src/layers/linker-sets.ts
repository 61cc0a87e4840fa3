import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { JITDylib } from '../core/jit-dylib.js';
import type { MaterializationUnit, ObjectPart } from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import { LinkError } from '../jitlink/errors.js';
import type { GraphLink } from '../jitlink/link.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import { parseSetBound, parseSetMember, type SetBound, type SetMember } from '../jitlink/linker-sets.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { ObjectLinkingPlugin } from './object-linking-plugin.js';

/** What linking a set takes of a session. */
export interface LinkerSetsContext {
  dylibOf(unit: MaterializationUnit): JITDylib | undefined;
  materializations(): Materializations;
}

/** A set in the memory of a runner. */
interface PlacedSet {
  readonly start: ExecutorAddr;
  readonly stop: ExecutorAddr;
  readonly parts: ReadonlySet<ObjectPart>;
}

/** Where the sections of a group that are in sets are to be. */
export type SetPlaces = ReadonlyMap<GraphLink, ReadonlyMap<string, ExecutorAddr>>;

interface PartSets {
  readonly members: readonly SetMember[];
  readonly bounds: ReadonlyMap<string, SetBound>;
}

/** What has to be linked along with a part, and what has to be compiled before. */
interface Companions {
  readonly parts: readonly ObjectPart[];
  readonly uncompiled: readonly MaterializationUnit[];
}

// Mostly a part has to do with no set.
const NO_COMPANIONS: Companions = { parts: [], uncompiled: [] };
const NO_ADDRESSES: ReadonlyMap<string, ExecutorAddr> = new Map();
const NO_NAMES: readonly string[] = [];

/**
 * Linker sets: sections whose name X is a C identifier. All of a dylib's are side by side between `__start_X` and `__stop_X`
 * once somebody in it names these. They are linked together, at the first use of one of them or of the bounds. What would add
 * to a set in use is refused: it has its place. A set that nobody asks the bounds of is sections like others.
 */
export class LinkerSets implements ObjectLinkingPlugin {
  readonly #context: LinkerSetsContext;
  readonly #units = new Map<JITDylib, Set<MaterializationUnit>>();
  readonly #placed = new WeakMap<RunnerContext, Map<JITDylib, Map<string, PlacedSet>>>();
  readonly #ofPart = new WeakMap<ObjectPart, PartSets>();

  constructor(context: LinkerSetsContext) {
    this.#context = context;
  }

  noteDefined(unit: MaterializationUnit, dylib: JITDylib): void {
    if (!unit.source.sets) return;
    this.#units.set(dylib, (this.#units.get(dylib) ?? new Set()).add(unit));
  }

  noteRemoved(unit: MaterializationUnit): void {
    const dylib = this.#context.dylibOf(unit);
    if (dylib) this.#units.get(dylib)?.delete(unit);
  }

  /** @throws {LinkError} when a unit adds to a set in use, or asks for the bounds of one whose members are apart by now. */
  checkDefinable(unit: MaterializationUnit, dylib: JITDylib, runner: RunnerContext): void {
    const { sets } = unit.source;
    if (!sets || runner.lost) return;
    for (const set of sets.members)
      if (this.#find(set, dylib, runner)) throw inUse(unit.name, set, 'add what is in it before it is used');
    for (const set of sets.walked)
      if (!this.#find(set, dylib, runner) && this.#isLinked(set, dylib, runner))
        throw inUse(unit.name, set, `add what names __start_${set} before what is in it is used`);
  }

  /** @throws {LinkError} when a unit is in a set in use. */
  checkRemovable(unit: MaterializationUnit, runner: RunnerContext): void {
    const dylib = this.#context.dylibOf(unit);
    if (!dylib || runner.lost) return;
    for (const set of unit.source.sets?.members ?? [])
      if (this.#find(set, dylib, runner)) throw inUse(unit.name, set, 'what is in it cannot be removed');
  }

  /** Whether a part has its place in a set, which it cannot leave. */
  isPlaced(part: ObjectPart, runner: RunnerContext): boolean {
    const dylib = this.#dylibOf(part);
    const sets = dylib && this.#placed.get(runner)?.get(dylib);
    return [...(sets?.values() ?? [])].some(({ parts }) => parts.has(part));
  }

  /**
   * What has to be linked along with a part: all parts of the sets that it is in, or asks the bounds of.
   * @returns units to be compiled first, as well.
   */
  companionsOf(part: ObjectPart): Companions {
    const ofPart = this.#ofPart.get(part);
    const dylib = ofPart && this.#dylibOf(part);
    if (!dylib) return NO_COMPANIONS;
    const { members, bounds } = ofPart;
    const parts: ObjectPart[] = [];
    const uncompiled: MaterializationUnit[] = [];
    const sets = new Set([...members, ...bounds.values()].map(({ set }) => set));
    for (const set of sets)
      for (const unit of this.#isWalked(set, dylib) ? this.#unitsOf(set, dylib) : []) {
        const known = this.#context.materializations().knownParts(unit);
        if (!known) uncompiled.push(unit);
        else parts.push(...this.#partsIn(set, unit, dylib));
      }
    return { parts, uncompiled };
  }

  /**
   * Gives the sets that a group has parts of their places, side by side in the order in which the units were added.
   * @param allocate executor memory for data.
   */
  place(
    group: readonly { readonly part: ObjectPart; readonly graph: GraphLink }[],
    runner: RunnerContext,
    allocate: (sizeBytes: number, alignment: number) => ExecutorAddr,
  ): SetPlaces {
    const places = new Map<GraphLink, Map<string, ExecutorAddr>>();
    const done = new Set<string>();
    for (const { part } of group) {
      const dylib = this.#dylibOf(part);
      for (const { set } of this.#ofPart.get(part)?.members ?? []) {
        const key = `${dylib?.name} ${set}`;
        if (!dylib || done.has(key) || !this.#isWalked(set, dylib)) continue;
        done.add(key);
        this.#placeSet(set, dylib, group, runner, allocate, places);
      }
    }
    return places;
  }

  /** A group was not linked after all. */
  unplace(group: readonly { readonly part: ObjectPart }[], runner: RunnerContext): void {
    for (const { part } of group) this.forget(part, runner);
  }

  /** A part is linked no more: who asks for its set next is told. */
  forget(part: ObjectPart, runner: RunnerContext): void {
    const dylib = this.#dylibOf(part);
    const sets = dylib && this.#placed.get(runner)?.get(dylib);
    for (const [set, { parts }] of sets ?? []) if (parts.has(part)) sets?.delete(set);
  }

  prePrune(graph: LinkGraph, part: ObjectPart): void {
    const { unit } = part;
    if (!unit.source.sets) return;
    const members: SetMember[] = [];
    const bounds = new Map<string, SetBound>();
    for (const symbol of graph.symbols) {
      const bound = symbol.kind === 'external' ? parseSetBound(symbol.name) : undefined;
      if (bound) bounds.set(symbol.name, bound);
      const member = symbol.kind === 'defined' ? parseSetMember(symbol.name) : undefined;
      if (member && this.#isAnothers(unit, member)) symbol.live = false;
      else if (member) members.push(member);
    }
    this.#ofPart.set(part, { members, bounds });
  }

  ownNames(part: ObjectPart): readonly string[] {
    return this.#ofPart.has(part) ? [...this.#boundsOf(part).keys()] : NO_NAMES;
  }

  resolve(part: ObjectPart, runner: RunnerContext): ReadonlyMap<string, ExecutorAddr> {
    const dylib = this.#ofPart.has(part) ? this.#dylibOf(part) : undefined;
    if (!dylib) return NO_ADDRESSES;
    const addresses = new Map<string, ExecutorAddr>();
    for (const [name, { set, which }] of this.#boundsOf(part)) {
      const placed = this.#find(set, dylib, runner);
      if (placed) addresses.set(name, placed[which]);
    }
    return addresses;
  }

  /** Bounds that are a set's: somebody is in it, and nobody defines a symbol of that name. */
  #boundsOf(part: ObjectPart): Map<string, SetBound> {
    const dylib = this.#dylibOf(part);
    const bounds = this.#ofPart.get(part)?.bounds ?? [];
    const isSets = (name: string, set: string) =>
      dylib !== undefined && !dylib.lookup(name).unit && this.#hasParts(set, dylib);
    return new Map([...bounds].filter(([name, { set }]) => isSets(name, set)));
  }

  /** Compiled or not: a unit that is not may turn out to have none. */
  #hasParts(set: string, dylib: JITDylib): boolean {
    const { materializations } = this.#context;
    return this.#unitsOf(set, dylib).some(
      (unit) => !materializations().knownParts(unit) || this.#partsIn(set, unit, dylib).length > 0,
    );
  }

  #placeSet(
    set: string,
    dylib: JITDylib,
    group: readonly { readonly part: ObjectPart; readonly graph: GraphLink }[],
    runner: RunnerContext,
    allocate: (sizeBytes: number, alignment: number) => ExecutorAddr,
    places: Map<GraphLink, Map<string, ExecutorAddr>>,
  ): void {
    const parts = this.#unitsOf(set, dylib).flatMap((unit) => this.#partsIn(set, unit, dylib));
    let end = 0;
    let greatest = 1;
    const offsets: [GraphLink, number][] = [];
    for (const part of parts) {
      const member = group.find((candidate) => candidate.part === part);
      // It was linked when nobody asked for the bounds, or the set has lost others since.
      if (!member) throw inUse(part.unit.name, set, 'it is linked already, apart from what else is in it');
      const layout = member.graph.layouts.find((candidate) => candidate.set === set);
      if (!layout) continue;
      end = Math.ceil(end / layout.alignment) * layout.alignment;
      offsets.push([member.graph, end]);
      end += layout.sizeBytes;
      greatest = Math.max(greatest, layout.alignment);
    }
    const start = allocate(Math.max(end, 1), greatest);
    for (const [graph, offset] of offsets)
      places.set(graph, (places.get(graph) ?? new Map()).set(set, addrAdd(start, offset)));
    const ofRunner = this.#placed.get(runner) ?? new Map<JITDylib, Map<string, PlacedSet>>();
    this.#placed.set(runner, ofRunner);
    const ofDylib = ofRunner.get(dylib) ?? new Map<string, PlacedSet>();
    ofRunner.set(dylib, ofDylib.set(set, { start, stop: addrAdd(start, end), parts: new Set(parts) }));
  }

  /** Parts of a unit that has been compiled, in the order of its sections. */
  #partsIn(set: string, unit: MaterializationUnit, dylib: JITDylib): ObjectPart[] {
    const found: { part: ObjectPart; index: number }[] = [];
    for (const [name, part] of this.#context.materializations().knownParts(unit) ?? []) {
      const member = parseSetMember(name);
      if (member?.set === set && !this.#isAnothers(unit, member, dylib))
        found.push({ part, index: member.index });
    }
    return [...new Set(found.toSorted((a, b) => a.index - b.index).map(({ part }) => part))];
  }

  #isAnothers(unit: MaterializationUnit, { group }: SetMember, dylib = this.#context.dylibOf(unit)): boolean {
    const winner = group === undefined ? undefined : dylib?.find(group);
    return winner !== undefined && winner !== unit;
  }

  #unitsOf(set: string, dylib: JITDylib): MaterializationUnit[] {
    return [...(this.#units.get(dylib) ?? [])].filter((unit) => unit.source.sets?.members.has(set));
  }

  #isWalked(set: string, dylib: JITDylib): boolean {
    return [...(this.#units.get(dylib) ?? [])].some((unit) => unit.source.sets?.walked.has(set));
  }

  #isLinked(set: string, dylib: JITDylib, runner: RunnerContext): boolean {
    const parts = this.#unitsOf(set, dylib).flatMap((unit) => this.#partsIn(set, unit, dylib));
    return parts.some((part) => runner.linked.has(part));
  }

  #find(set: string, dylib: JITDylib, runner: RunnerContext): PlacedSet | undefined {
    return this.#placed.get(runner)?.get(dylib)?.get(set);
  }

  #dylibOf({ unit }: ObjectPart): JITDylib | undefined {
    return this.#context.dylibOf(unit);
  }
}

function inUse(graph: string, set: string, words: string): LinkError {
  return new LinkError(
    'unsupported',
    { graph, section: set },
    `the set of sections "${set}" is in use: ${words}`,
  );
}
