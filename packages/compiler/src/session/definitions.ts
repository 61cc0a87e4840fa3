import { ArgumentError } from '../core/argument-error.js';
import type { Assumptions } from '../core/assumptions.js';
import { type FoundDefinition, JITDylib } from '../core/jit-dylib.js';
import { MaterializationUnit } from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import { LinkError } from '../jitlink/errors.js';
import type { EventStream } from '../observe/event-stream.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { ResourceManager } from './resource-manager.js';

/** Whether a unit takes its names from those that define them, strong or not, as a redefinition in a REPL does. */
export type Redefines = (unit: MaterializationUnit) => boolean;

/** What definitions concern. */
export interface DefinitionsContext {
  readonly assumptions: Assumptions;
  readonly events: EventStream;
  readonly mayReplace: Redefines;
  resources(): ResourceManager;
  materializations(): Materializations;
  /** The current runner, lost or not. */
  runner(): RunnerContext;
  /** Names mean something else: running code should know. */
  changed(): void;
}

/** The dylibs of a session, and what follows for those who are compiled and linked when a name in them changes its meaning. */
export class Definitions {
  readonly #context: DefinitionsContext;
  readonly #dylibs: JITDylib[] = [];
  readonly #dylibOf = new WeakMap<MaterializationUnit, JITDylib>();

  constructor(context: DefinitionsContext) {
    this.#context = context;
  }

  /** The dylib that a unit's names are defined in; undefined for what defines none. */
  dylibOf(unit: MaterializationUnit): JITDylib | undefined {
    return this.#dylibOf.get(unit);
  }

  /** Grows with every definition and removal. */
  get revision(): number {
    return this.#dylibs.reduce((sum, { revision }) => sum + revision, 0);
  }

  /**
   * Makes `unit` the definition of its names, save those that others keep. Callers that are linked already come through
   * the stub. Those that were compiled for a process symbol of that name are compiled again, since LLVM may have known it
   * by heart.
   * @throws {LinkError} `duplicate-definition` when a name is taken, or is in use as the process's by what has a state, and
   *   then nothing has changed.
   */
  define(unit: MaterializationUnit, dylib: JITDylib): void {
    const { assumptions } = this.#context;
    // Of a program's first definitions, none.
    const assumed = [...unit.symbols.keys()].filter((name) => assumptions.has(name));
    this.#refuseLate(
      unit.name,
      assumed.filter((name) => !dylib.lookup(name).unit),
    );
    const before = new Map(assumed.map((name) => [name, dylib.lookup(name).unit?.typeOf(name)]));
    const losers = dylib.define(unit);
    this.#dylibOf.set(unit, dylib);
    const names = dylib.currentNames(unit);
    for (const name of assumed) if (dylib.find(name) === unit) this.#noteType(name, before.get(name), dylib);
    for (const name of names) this.#noteMeansOther(name);
    for (const loser of losers) {
      // Whoever has its names, it has run at the start, and is to run at the end.
      const isUsed =
        dylib.currentNames(loser).length > 0 || loser.source.hasInitializers || loser.source.sets;
      if (!isUsed) this.#context.resources().forget(loser);
    }
    for (const name of names) this.#noteDefined(unit, name);
    this.#context.changed();
  }

  /**
   * Takes `unit`'s definitions away; a name that another gave way for is the other's. Its memory is used again once nothing
   * can be inside it.
   */
  remove(unit: MaterializationUnit): void {
    const dylib = this.dylibOf(unit);
    if (!dylib) return;
    const names = dylib.remove(unit);
    for (const name of names) {
      this.#context.resources().unlinkDirectUsers(name);
      this.#context.resources().pointAtTrampoline({ dylib, name });
      this.#context.assumptions.changed(name, 'body');
    }
    const locals = this.#context.materializations().localFunctionsOf(unit);
    for (const name of locals) this.#context.resources().pointAtTrampoline({ dylib, name });
    this.#context.resources().forget(unit);
    for (const name of locals) this.#context.resources().retireStub({ dylib, name });
    for (const name of names) {
      const next = dylib.find(name);
      this.#context.resources().retireStub({ dylib, name });
      this.#context.events.tell('removed', () => ({ name }));
      this.#noteType(name, unit.typeOf(name), dylib);
      if (next) this.#noteDefined(next, name);
    }
    this.#context.changed();
  }

  /**
   * A dylib of its own, with names of its own. In it, names that it lacks are the process's, until it is given a link order.
   * @param name as errors and tools call it.
   */
  createDylib(name: string): JITDylib {
    if (this.#dylibs.some((other) => other.name === name))
      throw new ArgumentError(`name is "${name}": there is a dylib of that name`);
    const dylib: JITDylib = new JITDylib(name, {
      mayReplace: (unit) => this.#context.mayReplace(unit),
      isPlaced: (_, defined) => this.isPlaced(defined, dylib),
    });
    this.#dylibs.push(dylib);
    return dylib;
  }

  /**
   * Lets names that `dylib` lacks mean what `other` exports, after all that is in its link order already.
   * @throws {LinkError} as `define`.
   */
  addToLinkOrder(dylib: JITDylib, other: JITDylib): void {
    const names = [...other.entries()].map(([name]) => name);
    const unknown = names.filter((name) => !dylib.lookup(name).unit);
    this.#refuseLate(other.name, unknown);
    dylib.addToLinkOrder(other);
    for (const name of unknown) this.#noteType(name, undefined, dylib);
    for (const name of names) this.#noteMeansOther(name);
    this.#context.changed();
  }

  /** Whether the definition of a name is linked in the current runner. */
  isPlaced(name: string, dylib: JITDylib): boolean {
    const runner = this.#context.runner();
    const unit = dylib.find(name);
    const part = unit && this.#context.materializations().knownPart(unit, name);
    return !runner.lost && part !== undefined && (runner.linked.has(part) || runner.displaced.has(part));
  }

  /** The type of a name's function has changed: those who call it are compiled again when they are called. */
  noteTypeChanged(name: string): void {
    this.#context.assumptions.changed(name, 'signature', 'body');
    this.#context.changed();
  }

  /** A unit is about to be turned into IR: what names mean from now on comes too late for this object. */
  noteMaterializing(unit: MaterializationUnit, mainDylib: JITDylib): void {
    const dylib = this.dylibOf(unit) ?? mainDylib;
    const giveUp = () => this.#context.resources().recompile(unit);
    const { assumptions } = this.#context;
    assumptions.release(unit);
    assumptions.assume({ owner: unit, aspect: 'signature', names: unit.callees, giveUp });
    const absent = unit.assumedAbsent.filter((name) => !dylib.lookup(name).unit);
    if (absent.length === 0) return;
    // Calls that are still there are bound anew. Where there are none left, LLVM has put its own in their place.
    const hasCalls = (name: string) =>
      [...this.#context.materializations().partsOf(unit)].some(({ references }) => references.includes(name));
    const hasState = () => this.#context.resources().hasState(unit);
    assumptions.assume({
      owner: unit,
      aspect: 'absence',
      names: absent,
      giveUp,
      outlives: hasState,
      isFixed: (name) => hasState() && !hasCalls(name),
    });
  }

  /** The type of what a name means, where it is known and matters to somebody. */
  #typeOf({ unit, name }: FoundDefinition): string | undefined {
    return this.#context.assumptions.has(name) ? unit?.typeOf(name) : undefined;
  }

  /** A name has the meaning that `dylib` finds now. Callers that were compiled for another type would pass garbage. */
  #noteType(name: string, before: string | undefined, dylib: JITDylib): void {
    const type = this.#typeOf(dylib.lookup(name));
    if (type !== undefined && type !== before) this.#context.assumptions.changed(name, 'signature');
  }

  /** @throws {LinkError} when some of the names that mean something now are the process's for what has a state. */
  #refuseLate(definer: string, names: readonly string[]): void {
    const { assumptions } = this.#context;
    const owners = new Set<string>();
    const late = names.filter((name) => {
      const fixed = assumptions.fixedOn(name, 'absence');
      for (const owner of fixed) if (owner instanceof MaterializationUnit) owners.add(owner.name);
      return fixed.length > 0;
    });
    if (late.length === 0) return;
    throw new LinkError(
      'duplicate-definition',
      { graph: definer, names: late },
      `${late.join(', ')} already in use as the process's by ${[...owners].join(', ')}, which has data in use; ` +
        'define it before that is used',
    );
  }

  /** `name` means what `unit` defines from now on. */
  #noteDefined(unit: MaterializationUnit, name: string): void {
    this.#context.assumptions.changed(name, 'body');
    this.#context.resources().unlinkWithout(unit, name);
    if (!unit.interface.functions.has(name)) return;
    const dylib = this.dylibOf(unit);
    if (dylib) this.#context.resources().pointAtTrampoline({ dylib, name });
    const { events } = this.#context;
    events.statistics.add('functionsDefined');
    events.tell('defined', () => ({ name }));
  }

  /** A name that may have been the process's, or nobody's, or data elsewhere, is so no more. */
  #noteMeansOther(name: string): void {
    this.#context.assumptions.changed(name, 'absence');
    this.#context.resources().unlinkDirectUsers(name);
  }
}
