import assert from 'node:assert';
import type { ExecutorAddr, MemProt } from '@farjit/protocol';
import type { IndirectStub } from '../indirection/indirect-stubs-manager.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import type { CompileTimings, UnitKind } from './events.js';

/** An unrelocated ELF object and what it took to make it. */
export interface CompiledObject {
  readonly object: Uint8Array;
  readonly timings: CompileTimings;
}

/** A symbol's place in the executor. */
export interface LinkedSymbol {
  readonly address: ExecutorAddr;
  readonly sizeBytes: number;
  readonly callable: boolean;
}

/** Where one part of an object went in one runner generation, and what it holds on to there. */
export interface Linked {
  readonly generation: number;
  readonly symbols: ReadonlyMap<string, LinkedSymbol>;
  readonly allocations: readonly { readonly prot: MemProt; readonly address: ExecutorAddr }[];
  readonly ehFrames: readonly ExecutorAddr[];
  /** Stubs whose addresses the code holds. */
  readonly stubs: readonly IndirectStub[];
  /** Names it is bound to by address, without a stub: process symbols and data. */
  readonly directNames: readonly string[];
}

/** What is linked and freed as one: a function's object, or one of the graphs a module's object splits into. */
export class ObjectPart {
  readonly unit: MaterializationUnit;
  readonly #takeGraph: () => LinkGraph;
  linked: Linked | undefined;

  constructor(unit: MaterializationUnit, takeGraph: () => LinkGraph) {
    this.unit = unit;
    this.#takeGraph = takeGraph;
  }

  /** A fresh graph: linking uses it up. */
  takeGraph(): LinkGraph {
    return this.#takeGraph();
  }
}

/** The names a unit defines. Functions are called through stubs; data is bound by address. */
export interface Interface {
  readonly functions: ReadonlySet<string>;
  readonly data: ReadonlySet<string>;
}

/** Makes a unit's object when it is first needed, and takes it apart. */
export interface ObjectSource {
  readonly kind: UnitKind;
  /** @throws Diagnostic, or what LLVM says. */
  compile(): Promise<CompiledObject>;
  /** Parts of an object that `compile` made, and the defined names that lead to each. */
  split(object: Uint8Array, unit: MaterializationUnit): ReadonlyMap<string, ObjectPart>;
}

/** The public name's implementation, as IRGen and the linker call it: the plain name is the stub's. */
export function implementationName(name: string): string {
  return `${name}$impl`;
}

/**
 * Something that defines names and can be compiled: a function's AST, a module, an expression. It is compiled once;
 * its object is kept, so that a new runner needs linking only.
 */
export class MaterializationUnit {
  readonly name: string;
  readonly source: ObjectSource;
  readonly interface: Interface;
  /** Functions its source calls by name, where that is known before it is compiled. */
  readonly callees: readonly string[];
  #parts: Promise<ReadonlyMap<string, ObjectPart>> | undefined;
  #knownParts: ReadonlyMap<string, ObjectPart> | undefined;

  constructor(name: string, source: ObjectSource, defines: Interface, callees: readonly string[] = []) {
    this.name = name;
    this.source = source;
    this.interface = defines;
    this.callees = callees;
  }

  /**
   * The part that defines `name`, compiling the unit when that has not been done. Callers that come together share
   * one compilation; a failed one is tried again by the next.
   */
  async partOf(name: string, onCompiled: (compiled: CompiledObject) => void): Promise<ObjectPart> {
    this.#parts ??= this.#compile(onCompiled);
    const part = (await this.#parts).get(name);
    assert(part, `${this.name} does not define ${name}`);
    return part;
  }

  /** Parts that have been made; none before the unit is compiled. */
  get parts(): ReadonlySet<ObjectPart> {
    return new Set(this.#knownParts?.values());
  }

  /** Forgets the object, because something it was compiled against has changed. */
  forgetObject(): void {
    this.#parts = undefined;
    this.#knownParts = undefined;
  }

  async #compile(onCompiled: (compiled: CompiledObject) => void): Promise<ReadonlyMap<string, ObjectPart>> {
    const attempt = this.source.compile().then((compiled) => {
      onCompiled(compiled);
      return this.source.split(compiled.object, this);
    });
    try {
      const parts = await attempt;
      this.#knownParts = parts;
      return parts;
    } catch (error) {
      this.#parts = undefined;
      throw error;
    }
  }
}
