import type { Assumptions } from '../core/assumptions.js';
import type { JITDylib, SymbolRef } from '../core/jit-dylib.js';
import {
  functionOfImplementation,
  type MaterializationUnit,
  type ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { isLocal, localOfImplementation } from '../jitlink/local-names.js';
import type { LinkerSets } from '../layers/linker-sets.js';
import type { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import type { Linked } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';

/** Whose resources they are. */
export interface ResourceManagerContext {
  readonly assumptions: Assumptions;
  readonly materializations: Materializations;
  /** The dylib that a unit's names are defined in. */
  dylibOf(unit: MaterializationUnit): JITDylib | undefined;
  readonly stubs: IndirectStubsManager;
  readonly linking: ObjectLinkingLayer;
  readonly sets: Pick<LinkerSets, 'isPlaced'>;
  /** The current runner, lost or not. */
  runner(): RunnerContext;
  /** A unit's objects are being given up. */
  forgetting(unit: MaterializationUnit): void;
}

/**
 * Gives up what linked units hold in the runner: memory, counters, EH frames, references to stubs. All of it is used
 * again once nothing can be inside it.
 */
export class ResourceManager {
  readonly #context: ResourceManagerContext;

  constructor(context: ResourceManagerContext) {
    this.#context = context;
  }

  /** Gives up a unit's objects and all that is linked of it. */
  forget(unit: MaterializationUnit): void {
    this.#forget(unit);
    const runner = this.#context.runner();
    for (const part of runner.outliving.get(unit) ?? []) this.retire(part);
    runner.outliving.delete(unit);
  }

  /** Gives a unit's objects up: its next call compiles it again. Constants stay, since programs keep pointers to them. */
  recompile(unit: MaterializationUnit): void {
    const runner = this.#context.runner();
    const outliving = new Set(runner.outliving.get(unit));
    for (const part of this.#context.materializations.partsOf(unit))
      if (isConstant(runner.linked.get(part) ?? runner.displaced.get(part))) outliving.add(part);
    if (outliving.size > 0) runner.outliving.set(unit, outliving);
    this.#forget(unit);
  }

  #forget(unit: MaterializationUnit): void {
    this.#context.forgetting(unit);
    this.unlink(unit);
    this.#context.assumptions.release(unit);
    this.#context.materializations.discard(unit);
  }

  /** Whether data of a unit is linked, which a new object would have anew. That of a runner that is gone is lost. */
  hasState(unit: MaterializationUnit): boolean {
    const runner = this.#context.runner();
    if (runner.lost) return false;
    const parts = [...this.#context.materializations.partsOf(unit)];
    return parts.some((part) => hasData(runner.linked.get(part) ?? runner.displaced.get(part)));
  }

  /**
   * Gives up a unit's object that was kept, and sees to it that it is not found again. Data that is linked has a state, which
   * a new object would not have; that of a runner that is gone is lost.
   * @returns false when nothing can be done.
   */
  forgetKept(unit: MaterializationUnit): boolean {
    // What was added as an object can be made in no other way.
    const { dropKept } = unit.source;
    if (!this.#context.materializations.isKept(unit) || !dropKept || this.hasState(unit)) return false;
    dropKept();
    this.recompile(unit);
    return true;
  }

  /** Makes the next call of a unit's functions link again, and retires what is linked now. */
  unlink(unit: MaterializationUnit): void {
    for (const part of this.#context.materializations.partsOf(unit)) this.#unlinkPart(part);
  }

  /**
   * Unlinks what is bound to a name without a stub, and nothing beside it. Constants and data stay where they are, since programs
   * keep pointers to them, and are bound anew when they are linked next. Data that initialisers have made, or that is in a linker
   * set, stays as it is, bound to what its names meant then.
   */
  unlinkDirectUsers(name: string): void {
    const runner = this.#context.runner();
    for (const part of runner.directUsers.get(name) ?? [])
      if (!this.#isFixed(part, runner)) this.#unlinkPart(part, isWithoutCode(runner.linked.get(part)));
  }

  #isFixed(part: ObjectPart, runner: RunnerContext): boolean {
    const isInitialized = part.unit.source.hasInitializers && hasData(runner.linked.get(part));
    return isInitialized || this.#context.sets.isPlaced(part, runner);
  }

  /** Unlinks the part of a unit's data if it was linked while the name was another's. */
  unlinkWithout(unit: MaterializationUnit, name: string): void {
    const part = unit.interface.data.has(name)
      ? this.#context.materializations.knownPart(unit, name)
      : undefined;
    const linked = part && this.#context.runner().linked.get(part);
    if (linked && !linked.symbols.has(name)) this.#unlinkPart(part);
  }

  #unlinkPart(part: ObjectPart, staysInPlace = false): void {
    const runner = this.#context.runner();
    const linked = runner.linked.get(part);
    if (!linked) {
      if (!runner.outliving.get(part.unit)?.has(part)) this.retire(part);
      return;
    }
    const dylib = this.#context.dylibOf(part.unit);
    for (const name of functionsIn(linked))
      if (dylib?.find(name) === part.unit) this.pointAtTrampoline({ dylib, name });
    if (staysInPlace) this.#context.linking.displace(part, runner);
    else if (!runner.outliving.get(part.unit)?.has(part)) this.retire(part);
    // It may be placed anew, so those that hold its address are linked again too, and it with them: that of data, or of a function
    // that only this unit calls.
    for (const symbol of linked.symbols.keys()) {
      const name = localOfImplementation(symbol) ?? symbol;
      if (isLocal(name) || part.unit.interface.data.has(name)) this.unlinkDirectUsers(name);
    }
  }

  /** Leads the stubs of all functions of a unit back to the compile callback; what is linked of it stays. */
  leadToTrampolines(unit: MaterializationUnit): void {
    const dylib = this.#context.dylibOf(unit);
    if (dylib)
      for (const name of [
        ...unit.interface.functions,
        ...this.#context.materializations.localFunctionsOf(unit),
      ])
        if (dylib.find(name) === unit) this.pointAtTrampoline({ dylib, name });
  }

  /** Leads a name's stub, if it has one, back to the compile callback. */
  pointAtTrampoline(ref: SymbolRef): void {
    const { stubs } = this.#context;
    const runner = this.#context.runner();
    const stub = stubs.findStub(ref);
    if (stub && !runner.lost && stubs.isEmitted(stub))
      runner.commits.setPointer(stubs.pointerAddress(stub), stubs.trampolineAddress(stub));
  }

  /** Nobody gets into what is linked of an object any more; it is freed when all who are inside have left. */
  retire(part: ObjectPart): void {
    this.#context.linking.retire(part, this.#context.runner());
  }

  /** Gives the stub of a name that is gone back once nothing refers to it. */
  retireStub(ref: SymbolRef): void {
    const stub = this.#context.stubs.findStub(ref);
    if (stub) this.#context.runner().retire(() => this.#context.stubs.releaseIfUnused(stub));
  }
}

/** Names of the functions whose code is among what is linked. */
function functionsIn({ part, symbols }: Linked): string[] {
  const names = [...symbols.keys()].flatMap((symbol) => functionOfImplementation(symbol) ?? []);
  return names.filter((name) => part.unit.isFunction(name));
}

/** Whether writable data is among what is linked. */
function hasData(linked: Linked | undefined): boolean {
  return linked?.allocations.some(({ prot }) => prot === 'data') === true;
}

/** Whether what is linked of a part can be written over where it is. Of thread-local variables each thread has its own. */
function isWithoutCode(linked: Linked | undefined): boolean {
  return linked?.allocations.every(({ prot }) => prot === 'constant' || prot === 'data') === true;
}

/** Whether nothing but constants is linked of a part. */
function isConstant(linked: Linked | undefined): boolean {
  return linked?.allocations.every(({ prot }) => prot === 'constant') === true;
}
