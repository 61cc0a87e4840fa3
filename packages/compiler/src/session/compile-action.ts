import { assert } from '@farjit/protocol/assert';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { AbsoluteSymbols } from '../core/absolute-symbols.js';
import { generate } from '../core/definition-generator.js';
import { MaterializationError, SymbolsNotFoundError } from '../core/errors.js';
import { type JITDylib, Reexports, type SymbolRef } from '../core/jit-dylib.js';
import {
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { LinkError } from '../jitlink/errors.js';
import { displayName } from '../jitlink/local-names.js';
import type { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import type { IndirectStub } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { Guesses } from './guesses.js';

/** What the compile action works on. */
export interface CompileActionContext {
  readonly guesses: Guesses;
  readonly materializations: Materializations;
  readonly stubs: IndirectStubsManager;
  readonly linking: ObjectLinkingLayer;
  /** Sends ahead what is too much for one commit. */
  makeRoom(runner: RunnerContext): Promise<void>;
  /** @throws when a unit cannot be used in a runner yet. */
  checkReady(unit: MaterializationUnit, runner: RunnerContext): void;
  /** The better part of a unit, if it has one. */
  standInOf(unit: MaterializationUnit): ObjectPart | undefined;
  /** The unit's optimised part cannot be linked: its first one is to be used again. */
  giveUpOptimized(unit: MaterializationUnit, error: unknown): void;
  /** The unit's object was kept and is of no use: it is to be compiled. @returns false when nothing can be done. */
  giveUpKept(unit: MaterializationUnit): boolean;
}

/** What happens behind a trampoline: from a name to an implementation that its stub leads to. */
export class CompileAction {
  readonly #context: CompileActionContext;
  constructor(context: CompileActionContext) {
    this.#context = context;
  }

  /**
   * The tutorial's compile action: compile the AST to `name$impl`, link it, find the implementation, update the
   * stub's pointer, return the landing address. Guesses whose objects are there by then are linked along.
   * @throws {MaterializationError}
   */
  async run(stub: IndirectStub, runner: RunnerContext): Promise<ExecutorAddr> {
    const { stubs, materializations, guesses } = this.#context;
    const { dylib, name } = stub;
    try {
      for (;;) {
        const unit = dylib.find(name);
        // The pointer stays at the trampoline: what it would lead to may change without this name's knowing.
        if (!unit || unit instanceof Reexports) {
          const address = await this.#elsewhere(stub, runner);
          if (address !== undefined) return address;
          continue;
        }
        const absolute = unit instanceof AbsoluteSymbols ? unit.addressOf(name) : undefined;
        if (absolute !== undefined) {
          runner.commits.setPointer(stubs.pointerAddress(stub), absolute);
          return absolute;
        }
        const ahead = guesses.choose(unit, stub, runner);
        // Whatever is compiled with it travels in this answer.
        await guesses.whenLinked(unit);
        const isModule = unit.source.kind === 'module';
        const linking = isModule ? this.#linkOfModule(unit, stub, runner) : this.linkPart(unit, name, runner);
        const part = await linking.catch((error: unknown) => {
          if (dylib.find(name) === unit) throw error;
          return undefined;
        });
        if (runner.lost) throw new Error('the runner that asked is gone');
        await guesses.link(ahead, runner);
        // A redefinition, or better code, may have come while this was compiled or linked: land in what is there now.
        const implementation = part && this.addressIn(part, name, runner);
        if (
          implementation === undefined ||
          dylib.find(name) !== unit ||
          materializations.knownPart(unit, name) !== part
        )
          continue;
        runner.commits.setPointer(stubs.pointerAddress(stub), implementation);
        return implementation;
      }
    } catch (error) {
      throw new MaterializationError(displayName(name), error);
    }
  }

  /** Links what it may call before it: its calls of functions that only its module can name go straight there. */
  async #linkOfModule(
    unit: MaterializationUnit,
    stub: IndirectStub,
    runner: RunnerContext,
  ): Promise<ObjectPart | undefined> {
    const { guesses, materializations, checkReady } = this.#context;
    checkReady(unit, runner);
    // Why it cannot be made shows when it is linked.
    const part = await materializations.partOf(unit, stub.name).catch(() => undefined);
    if (part) await guesses.linkEmitted(unit, stub, runner);
    return this.linkPart(unit, stub.name, runner);
  }

  /** Whether a call of that name in `runner` still leads to `implementation`. */
  isCurrent({ dylib, name }: SymbolRef, implementation: ExecutorAddr, runner: RunnerContext): boolean {
    const unit = dylib.find(name);
    if (unit instanceof Reexports) return true;
    if (!unit) {
      const found = dylib.lookup(name);
      return found.unit !== undefined || runner.processSymbol(found.name) === implementation;
    }
    if (unit instanceof AbsoluteSymbols) return unit.addressOf(name) === implementation;
    const part = this.#context.materializations.knownPart(unit, name);
    return part !== undefined && this.addressIn(part, name, runner) === implementation;
  }

  /**
   * The part that defines `name`, after linking it; undefined when the unit gave up its object meanwhile.
   * @throws as `CompileActionContext.checkReady`, and what making and linking the object throw.
   */
  async linkPart(
    unit: MaterializationUnit,
    name: string,
    runner: RunnerContext,
  ): Promise<ObjectPart | undefined> {
    const { linking, makeRoom, materializations, standInOf } = this.#context;
    this.#context.checkReady(unit, runner);
    let part: ObjectPart | undefined;
    try {
      part = await materializations.partOf(unit, name);
      if (!part) return undefined;
      await linking.link(part, runner);
      this.#checkLinked(part, name, runner);
    } catch (error) {
      if (part !== undefined && part === standInOf(unit)) this.#context.giveUpOptimized(unit, error);
      else if (!isFaultOf(unit, error) || !this.#context.giveUpKept(unit)) throw error;
      return this.linkPart(unit, name, runner);
    }
    await makeRoom(runner);
    return part;
  }

  /**
   * Compiles and links all functions that a dylib defines, local ones too, and leads their stubs to them: none of them is asked
   * for any more.
   * @throws as `linkPart`.
   */
  async linkAll(dylib: JITDylib, runner: RunnerContext): Promise<void> {
    const { materializations } = this.#context;
    const entries = [...dylib.entries()];
    for (const unit of new Set(entries.map(([, each]) => each))) {
      if (unit instanceof Reexports || unit instanceof AbsoluteSymbols) continue;
      await materializations.allPartsOf(unit);
      const own = entries.filter(([name, each]) => each === unit && unit.interface.functions.has(name));
      const names = own.map(([name]) => name);
      for (const name of [...names, ...materializations.localFunctionsOf(unit)])
        await this.#linkAhead(unit, { dylib, name }, runner);
    }
  }

  async #linkAhead(
    unit: MaterializationUnit,
    { dylib, name }: SymbolRef,
    runner: RunnerContext,
  ): Promise<void> {
    const { stubs } = this.#context;
    const part = await this.linkPart(unit, name, runner);
    const stub = stubs.createStub({ dylib, name });
    await stubs.ensureEmitted([stub]);
    // Removed or redefined meanwhile, it is asked for as any other.
    if (!part || runner.lost || dylib.find(name) !== unit) return;
    const implementation = this.addressIn(part, name, runner);
    if (implementation !== undefined) runner.commits.setPointer(stubs.pointerAddress(stub), implementation);
  }

  /** Where a part is now; undefined when it is not linked (any more). */
  addressIn(part: ObjectPart, name: string, runner: RunnerContext): ExecutorAddr | undefined {
    const linked = runner.linked.get(part);
    if (!linked) return undefined;
    const linkedName = linkedNameOf(part.unit, name);
    const symbol = linked.symbols.get(linkedName);
    assert(symbol, `${part.unit.name} was linked without ${linkedName}`);
    return symbol.address;
  }

  /**
   * Where a call of a name goes that stands for another, or is defined no more, and means what the link order, a generator or
   * the process has.
   * @returns undefined when it has come to mean something else.
   */
  async #elsewhere({ dylib, name }: SymbolRef, runner: RunnerContext): Promise<ExecutorAddr | undefined> {
    const { stubs } = this.#context;
    const found = dylib.lookup(name);
    if (found.unit instanceof AbsoluteSymbols) {
      const address = found.unit.addressOf(found.name);
      if (address !== undefined) return address;
    }
    if (found.unit?.isFunction(found.name)) {
      const stub = stubs.createStub(found);
      await stubs.ensureEmitted([stub]);
      return stubs.stubAddress(stub);
    }
    const address = (await generate([found.name], found.dylib, runner)).get(found.name);
    if (address !== undefined || dylib.lookup(name).unit !== found.unit) return address;
    if (found.name === name) throw new Error(`${name} has been removed`);
    throw new SymbolsNotFoundError([found.name]);
  }

  /** @throws {LinkError} when a part is linked and does not define what it is there for. */
  #checkLinked(part: ObjectPart, name: string, runner: RunnerContext): void {
    const linked = runner.linked.get(part);
    if (!linked) return;
    const linkedName = linkedNameOf(part.unit, name);
    if (linked.symbols.has(linkedName)) return;
    const details = { graph: part.unit.name, symbol: linkedName };
    throw new LinkError('malformed-object', details, `the object does not define ${linkedName}`);
  }
}

/** What a name's definition is called once it is linked. */
function linkedNameOf(unit: MaterializationUnit, name: string): string {
  return unit.isFunction(name) ? implementationName(name) : name;
}

/** Whether it is the object that is wrong, and not what the program asks of others. */
function isFaultOf(unit: MaterializationUnit, error: unknown): boolean {
  if (!(error instanceof LinkError))
    return (error as { code?: string } | undefined)?.code === 'DEFINITION_DROPPED';
  const { reason, details } = error;
  return reason !== 'missing-symbols' || details.names?.some((name) => !unit.callees.includes(name)) === true;
}
