import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { InitializedError, InitializersDueError } from '../core/errors.js';
import type { JITDylib } from '../core/jit-dylib.js';
import type { MaterializationUnit, ObjectPart } from '../core/materialization-unit.js';
import type { LinkedGraph } from '../jitlink/link.js';
import type { Block, LinkGraph } from '../jitlink/link-graph.js';
import { displayName } from '../jitlink/local-names.js';
import { parseRunListName } from '../jitlink/run-lists.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import type { Linked } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';

const NO_ADDRESSES: ReadonlyMap<string, ExecutorAddr> = new Map();

/** A function that a unit wants run, where it is in one runner. */
export interface RunFunction {
  readonly unit: MaterializationUnit;
  /** Which one of the unit's it is, whichever runner it is in. */
  readonly key: string;
  /** As backtraces call it. */
  readonly name: string;
  /** A stub's, of a function that others can name. */
  readonly address: ExecutorAddr;
}

/** What has become of a unit's initialisers in one runner. */
interface UnitState {
  /** `running`: code may reach the unit, since it is its initialisers that do. */
  readonly phase: 'due' | 'running' | 'initialized';
  /** Keys of functions that have returned, and are not run again. */
  readonly ran: ReadonlySet<string>;
}

const DUE: UnitState = { phase: 'due', ran: new Set() };
const WORD_BYTES = 8;
/** Lists of `.ctors` may begin and end with these, which are no functions. */
const NO_FUNCTIONS: readonly bigint[] = [0n, 0xffff_ffff_ffff_ffffn];

/**
 * Knows the units that have functions to run at the start or the end, which of them have run in which runner, and where these
 * functions are. A part of a unit whose initialisers are due is not linked: nothing would be as its code expects it.
 */
export class Initializers implements ObjectLinkingPlugin {
  readonly #dylibOf: (unit: MaterializationUnit) => JITDylib | undefined;
  readonly #units = new Map<JITDylib, Set<MaterializationUnit>>();
  readonly #states = new WeakMap<RunnerContext, Map<MaterializationUnit, UnitState>>();
  /** Of parts that are being linked. */
  readonly #found = new Map<ObjectPart, ReadonlyMap<string, readonly RunFunction[]>>();
  readonly #functions = new WeakMap<Linked, ReadonlyMap<string, readonly RunFunction[]>>();

  /** @param dylibOf the dylib that a unit's names are defined in. */
  constructor(dylibOf: (unit: MaterializationUnit) => JITDylib | undefined) {
    this.#dylibOf = dylibOf;
  }

  noteDefined(unit: MaterializationUnit, dylib: JITDylib): void {
    if (!unit.source.hasInitializers) return;
    this.#units.set(dylib, (this.#units.get(dylib) ?? new Set()).add(unit));
  }

  noteRemoved(unit: MaterializationUnit): void {
    const dylib = this.#dylibOf(unit);
    if (dylib) this.#units.get(dylib)?.delete(unit);
  }

  /** Units of a dylib whose initialisers are in a phase, in the order in which they were added. */
  unitsIn(phase: UnitState['phase'], dylib: JITDylib, runner: RunnerContext): MaterializationUnit[] {
    const units = this.#units.get(dylib) ?? [];
    return [...units].filter((unit) => this.#stateOf(unit, runner).phase === phase);
  }

  /** @throws {InitializersDueError} when initialisers of a dylib are due. */
  checkReady(dylib: JITDylib, runner: RunnerContext): void {
    const due = this.unitsIn('due', dylib, runner);
    if (due.length > 0)
      throw new InitializersDueError(
        dylib.name,
        due.map(({ name }) => name),
      );
  }

  /** @throws {InitializersDueError} when the initialisers of a unit are due. */
  checkUnitReady(unit: MaterializationUnit, runner: RunnerContext): void {
    if (unit.source.hasInitializers && this.#stateOf(unit, runner).phase === 'due')
      throw new InitializersDueError(this.#dylibOf(unit)?.name ?? 'main', [unit.name]);
  }

  /** @throws {InitializedError} when a unit is initialised in a runner that lives. */
  checkRemovable(unit: MaterializationUnit, runner: RunnerContext): void {
    if (!unit.source.hasInitializers || runner.lost || this.#stateOf(unit, runner).phase === 'due') return;
    throw new InitializedError(this.#dylibOf(unit)?.name ?? 'main', unit.name);
  }

  /** Units enter a phase. What they have run counts no more when that is the end of it. */
  enter(phase: UnitState['phase'], units: readonly MaterializationUnit[], runner: RunnerContext): void {
    for (const unit of units) this.#setState(unit, runner, { ...this.#stateOf(unit, runner), phase });
  }

  /** Units are as if they had never been run. */
  reset(units: readonly MaterializationUnit[], runner: RunnerContext): void {
    for (const unit of units) this.#setState(unit, runner, DUE);
  }

  hasRun({ unit, key }: RunFunction, runner: RunnerContext): boolean {
    return this.#stateOf(unit, runner).ran.has(key);
  }

  noteRan({ unit, key }: RunFunction, runner: RunnerContext): void {
    const state = this.#stateOf(unit, runner);
    this.#setState(unit, runner, { ...state, ran: new Set([...state.ran, key]) });
  }

  /** The functions that a list of a linked part has, in its order. */
  functionsOf(linked: Linked, list: string): readonly RunFunction[] {
    return this.#functions.get(linked)?.get(list) ?? [];
  }

  postFixup(graph: LinkGraph, part: ObjectPart): void {
    if (!part.unit.source.hasInitializers) return;
    const lists = new Map<string, readonly RunFunction[]>();
    for (const { name, block } of graph.symbols)
      if (block && parseRunListName(name)) lists.set(name, functionsIn(graph, part.unit, name, block));
    if (lists.size > 0) this.#found.set(part, lists);
  }

  resolve({ unit }: ObjectPart, runner: RunnerContext): ReadonlyMap<string, ExecutorAddr> {
    this.checkUnitReady(unit, runner);
    return NO_ADDRESSES;
  }

  emitted(linked: Linked, _graph: LinkedGraph, _runner: RunnerContext): void {
    const lists = this.#found.get(linked.part);
    if (!lists) return;
    this.#found.delete(linked.part);
    this.#functions.set(linked, lists);
  }

  failed(part: ObjectPart): void {
    this.#found.delete(part);
  }

  #stateOf(unit: MaterializationUnit, runner: RunnerContext): UnitState {
    return this.#states.get(runner)?.get(unit) ?? DUE;
  }

  #setState(unit: MaterializationUnit, runner: RunnerContext, state: UnitState): void {
    const states = this.#states.get(runner) ?? new Map<MaterializationUnit, UnitState>();
    this.#states.set(runner, states.set(unit, state));
  }
}

/** The functions of a list whose fixups are done. */
function functionsIn(graph: LinkGraph, unit: MaterializationUnit, list: string, block: Block): RunFunction[] {
  const { content } = block;
  if (!content) return [];
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const functions: RunFunction[] = [];
  for (let offset = 0; offset + WORD_BYTES <= content.byteLength; offset += WORD_BYTES) {
    const address = view.getBigUint64(offset, true) as ExecutorAddr;
    if (NO_FUNCTIONS.includes(address)) continue;
    functions.push({ unit, key: `${list}+${offset}`, name: nameAt(graph, block, offset), address });
  }
  return functions;
}

/** What the pointer at an offset leads to, by name: objects may name the section that a function begins. */
function nameAt(graph: LinkGraph, block: Block, offset: number): string {
  const edge = block.edges.find((candidate) => candidate.offset === offset);
  if (!edge) return 'a function';
  const { target, addend } = edge;
  const place = BigInt(target.offset) + addend;
  const exact = graph.symbols.find(
    (symbol) =>
      symbol.callable && symbol.block && symbol.block === target.block && BigInt(symbol.offset) === place,
  );
  return displayName((exact ?? target).name) || 'a function';
}
