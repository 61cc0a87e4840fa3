import assert from 'node:assert';
import {
  type CompileObserver,
  implementationName,
  type MaterializationUnit,
  ObjectPart,
} from '../core/materialization-unit.js';
import { type ObjectSlice, splitObject } from '../jitlink/object-slice.js';
import type { CompileRequest } from './caching-compiler.js';
import type { FunctionCompiler } from './function-compiler.js';
import type { CompilationOptions } from './ir-pipeline.js';

/** Compiles functions in one module, which costs LLVM far less than a module each, and splits the object. */
export class BatchCompiler<Body extends object> {
  readonly #compiler: FunctionCompiler<Body>;

  constructor(compiler: FunctionCompiler<Body>) {
    this.#compiler = compiler;
  }

  /**
   * Starts to compile function units together. Those that the front end would refuse are left out. Each unit gets its own
   * part of the object.
   * @param options.canWait no thread is blocked for any of them.
   * @returns the units that are being compiled.
   */
  start(
    units: readonly MaterializationUnit[],
    observerOf: (units: readonly MaterializationUnit[]) => CompileObserver,
    { canWait }: { canWait: boolean },
  ): MaterializationUnit[] {
    const compiler = this.#compiler;
    const able = units.filter((unit) => compiler.soundBodyOf(unit));
    const taken = able.filter((unit) => !this.#awaitElsewhere(unit, observerOf([unit])));
    const [first] = taken;
    if (!first) return able;
    const name = taken.length > 1 ? `${first.name}+${taken.length - 1}` : first.name;
    const observer = observerOf(taken);
    observer.compiling();
    const holdsGuesses = canWait || taken.length > 1;
    const compiling = compiler.caching.make(this.#requestOf(name, taken, { canWait, holdsGuesses }));
    const batch = compiling.then(({ compiled, slices }) => {
      observer.compiled(compiled);
      return slices;
    });
    for (const [index, unit] of taken.entries())
      unit.compileWith(
        batch.then((slices) => {
          const slice = slices[index]?.[0];
          assert(slice, `${name} was compiled without ${unit.name}`);
          const part = new ObjectPart(unit, () => slice.takeGraph(), compiler.counterOf(unit.name));
          return new Map([[unit.name, part]]);
        }),
        { isShared: holdsGuesses },
      );
    return able;
  }

  /** Lets a unit wait for its object when another session makes it. @returns whether one does. */
  #awaitElsewhere(unit: MaterializationUnit, observer: CompileObserver): boolean {
    const { caching } = this.#compiler;
    const elsewhere = caching.isShared ? caching.elsewhere(this.#keyOf(unit)) : undefined;
    if (!elsewhere) return false;
    observer.compiling();
    unit.compileWith(
      elsewhere.then(() => {
        const parts = unit.source.findKept?.(unit);
        if (!parts) throw new Error(`${unit.name} was not compiled elsewhere after all`);
        return parts;
      }),
      { isKept: true },
    );
    return true;
  }

  /** Asks for functions in one object, and for each one's part of it. */
  #requestOf(name: string, units: readonly MaterializationUnit[], how: CompilationOptions): CompileRequest {
    const compiler = this.#compiler;
    const requests = units.map((unit) => compiler.requestOf(compiler.bodyIn(unit)));
    const called = new Set(units.flatMap((unit) => unit.callees));
    const options = { ...compiler.options([...called]), ...how };
    return {
      keys: units.map((unit) => this.#keyOf(unit)),
      compile: () => compiler.pipeline.compile(name, () => compiler.generate(requests), options),
      slicesOf: (object) => {
        const slices = new Map<string, ObjectSlice>();
        for (const slice of splitObject(object, name))
          for (const symbol of slice.symbols) slices.set(symbol, slice);
        return units.map((unit) => {
          const slice = slices.get(implementationName(unit.name));
          return slice && [slice];
        });
      },
    };
  }

  #keyOf(unit: MaterializationUnit): Uint8Array | undefined {
    return this.#compiler.keyOf(this.#compiler.bodyIn(unit), 'function', unit.callees);
  }
}
