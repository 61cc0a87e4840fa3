import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { JITDylib } from '../core/jit-dylib.js';
import {
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import type { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import type { CommitSender } from '../runner/commit-sender.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { ResourceManager } from './resource-manager.js';

/** What better code takes the place of the first with. */
export interface OptimizedCodeContext {
  readonly stubs: IndirectStubsManager;
  materializations(): Materializations;
  linking(): ObjectLinkingLayer;
  resources(): ResourceManager;
  commits(): CommitSender;
  /** The current runner, lost or not. */
  runner(): RunnerContext;
  dylibOf(unit: MaterializationUnit): JITDylib | undefined;
}

/** The better parts of functions that have become hot: each stands in for the first one as long as what it was compiled from holds. */
export class OptimizedCode {
  readonly #context: OptimizedCodeContext;
  readonly #parts = new Map<MaterializationUnit, ObjectPart>();

  constructor(context: OptimizedCodeContext) {
    this.#context = context;
  }

  /** The better part of a unit, if it has one. */
  partOf(unit: MaterializationUnit): ObjectPart | undefined {
    return this.#parts.get(unit);
  }

  /**
   * Lets `part` stand in for the first one of its unit, links it where that is linked, and leads the stub there.
   * @throws {LinkError | OutOfExecutorMemoryError}
   */
  async install(unit: MaterializationUnit, part: ObjectPart): Promise<void> {
    const first = this.#context.materializations().knownPart(unit, unit.name);
    this.#parts.set(unit, part);
    const runner = this.#context.runner();
    const isLinked = (some: ObjectPart | undefined) => some !== undefined && runner.linked.has(some);
    // In a runner that has not called it yet, its callback will link it.
    if (runner.lost || !isLinked(first)) return;
    await this.#context.linking().link(part, runner);
    await this.#context.commits().makeRoom(runner);
    const linked = runner.linked.get(part);
    if (runner.lost || this.partOf(unit) !== part || !linked) return;
    this.#pointAt(unit, linked.symbols.get(implementationName(unit.name))?.address, runner);
    if (first) this.#context.resources().retire(first);
    this.#context.commits().flushIfCallsAreRunning();
  }

  /** Gives a unit's better part up, and leads the stub back to its trampoline if it leads there. */
  uninstall(unit: MaterializationUnit): void {
    const part = this.partOf(unit);
    this.#parts.delete(unit);
    if (!part || !this.#context.runner().linked.has(part)) return;
    const dylib = this.#dylibNaming(unit);
    if (dylib) this.#context.resources().pointAtTrampoline({ dylib, name: unit.name });
    this.#context.resources().retire(part);
  }

  /** A unit's objects are given up, this one too. */
  forget(unit: MaterializationUnit): void {
    this.#parts.delete(unit);
  }

  #pointAt(unit: MaterializationUnit, address: ExecutorAddr | undefined, runner: RunnerContext): void {
    const { stubs } = this.#context;
    const dylib = this.#dylibNaming(unit);
    if (address === undefined || !dylib) return;
    const stub = stubs.createStub({ dylib, name: unit.name });
    runner.commits.setPointer(stubs.pointerAddress(stub), address);
  }

  /** The dylib in which the name of a function's unit means that unit. */
  #dylibNaming(unit: MaterializationUnit): JITDylib | undefined {
    const dylib = this.#context.dylibOf(unit);
    return dylib?.find(unit.name) === unit ? dylib : undefined;
  }
}
