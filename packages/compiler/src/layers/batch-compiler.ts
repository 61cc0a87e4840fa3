import assert from 'node:assert';
import {
  type CompiledObject,
  type CompileObserver,
  implementationName,
  type MaterializationUnit,
  ObjectPart,
} from '../session/materialization-unit.js';
import type { FunctionCompiler } from './function-compiler.js';
import type { CompilationOptions } from './ir-pipeline.js';
import { type ObjectSlice, splitObject } from './split-object.js';

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
    const shared = compiler.kept?.isShared ? taken : [];
    const keys = shared.map((unit) => this.#keyOf(unit));
    const holdsGuesses = canWait || taken.length > 1;
    const how = { canWait, holdsGuesses };
    const compiling = compiler.claim(keys, () => this.#compile(name, taken, how));
    const batch = compiling.then(({ compiled, slices }) => {
      observer.compiled(compiled);
      return slices;
    });
    for (const unit of taken)
      unit.compileWith(
        batch.then((slices) => {
          const slice = slices.get(implementationName(unit.name));
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
    const { kept } = this.#compiler;
    const elsewhere = kept?.isShared ? kept.elsewhere(this.#keyOf(unit)) : undefined;
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

  /** Compiles functions into one object, keeps each one's part of it, and answers the parts by their symbols. */
  async #compile(
    name: string,
    units: readonly MaterializationUnit[],
    how: CompilationOptions,
  ): Promise<{ compiled: CompiledObject; slices: ReadonlyMap<string, ObjectSlice> }> {
    const compiler = this.#compiler;
    // From here to the IR nothing yields: the keys tell what names mean in it.
    const keys = units.map((unit) => this.#keyOf(unit));
    const requests = units.map((unit) => compiler.requestOf(compiler.bodyIn(unit)));
    const called = new Set(units.flatMap((unit) => unit.callees));
    const options = { ...compiler.options([...called]), ...how };
    const generate = () => compiler.generate(requests);
    const compiled = await compiler.pipeline.compile(name, generate, options);
    const slices = new Map<string, ObjectSlice>();
    for (const slice of splitObject(compiled.object, name))
      for (const symbol of slice.symbols) slices.set(symbol, slice);
    for (const [index, unit] of units.entries()) {
      const slice = slices.get(implementationName(unit.name));
      if (slice) compiler.kept?.keep(keys[index], [slice]);
    }
    return { compiled, slices };
  }

  #keyOf(unit: MaterializationUnit): Uint8Array | undefined {
    return this.#compiler.keyOf(this.#compiler.bodyIn(unit), 'function', unit.callees);
  }
}
