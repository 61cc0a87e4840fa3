import {
  implementationName,
  type MaterializationResponsibility,
  type MaterializationUnit,
  ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import { type ObjectSlice, splitObject } from '../jitlink/object-slice.js';
import { type CompiledSlices, type CompileRequest, reportOf } from './caching-compiler.js';
import type { FunctionCompiler } from './function-compiler.js';
import type { BodyRequest } from './function-module.js';
import type { CompilationOptions } from './ir-pipeline.js';

/** A function of a batch, and all that the front end is asked about it before anything has begun. */
interface Member<Body extends object> {
  readonly unit: MaterializationUnit;
  readonly key: Uint8Array | undefined;
  readonly request: BodyRequest<Body>;
}

/** Compiles functions in one module, which costs LLVM far less than a module each, and splits the object. */
export class BatchCompiler<Body extends object> {
  readonly #compiler: FunctionCompiler<Body>;

  constructor(compiler: FunctionCompiler<Body>) {
    this.#compiler = compiler;
  }

  /**
   * Starts to compile function units together, but for those that are found by now. Those that the front end would refuse, or has
   * no answers about, are left out. Each unit gets its own part of the object.
   * @param options.canWait no thread is blocked for any of them.
   * @returns the units that are being compiled, or are found.
   */
  start(
    units: readonly MaterializationUnit[],
    materializations: Materializations,
    { canWait }: { canWait: boolean },
  ): MaterializationUnit[] {
    const found: MaterializationUnit[] = [];
    const able: Member<Body>[] = [];
    for (const unit of units)
      try {
        if (materializations.takeFound(unit)) found.push(unit);
        else able.push(this.#memberOf(unit));
      } catch {
        // Its own callback says what is wrong with it, if it ever comes.
      }
    const taken = able.filter((member) => !this.#awaitElsewhere(member, materializations));
    const started = [...found, ...able.map(({ unit }) => unit)];
    const [first] = taken;
    if (!first) return started;
    const name = taken.length > 1 ? `${first.unit.name}+${taken.length - 1}` : first.unit.name;
    const holdsGuesses = canWait || taken.length > 1;
    const responsibilities = taken.map(({ unit }) =>
      materializations.delegate(unit, { isShared: holdsGuesses }),
    );
    for (const responsibility of responsibilities) responsibility.materializing();
    const making = this.#compiler.caching.make(this.#requestOf(name, taken, { canWait, holdsGuesses }));
    void this.#emit(name, making, responsibilities);
    return started;
  }

  #partOf(unit: MaterializationUnit, slice: ObjectSlice): ObjectPart {
    return new ObjectPart(unit, () => slice.takeGraph(), {
      counterName: this.#compiler.counterOf(unit.name),
    });
  }

  /** @throws what the front end throws that refuses it, or has no answers about it. */
  #memberOf(unit: MaterializationUnit): Member<Body> {
    const compiler = this.#compiler;
    const body = compiler.bodyIn(unit);
    compiler.frontEnd.check(body);
    const key = compiler.keyOf(body, 'function', unit.callees);
    return { unit, key, request: compiler.requestOf(body) };
  }

  /** Gives each its part when it is there. Never rejects. */
  async #emit(
    name: string,
    making: Promise<CompiledSlices>,
    responsibilities: readonly MaterializationResponsibility[],
  ): Promise<void> {
    let made: CompiledSlices;
    try {
      made = await making;
    } catch (error) {
      for (const responsibility of responsibilities) responsibility.fail(error);
      return;
    }
    const report = reportOf(made.compiled, responsibilities.length);
    for (const [index, responsibility] of responsibilities.entries()) {
      const { unit } = responsibility;
      const slice = made.slices[index]?.[0];
      if (!slice) {
        responsibility.fail(new Error(`${name} was compiled without ${unit.name}`));
        continue;
      }
      responsibility.emit(new Map([[unit.name, this.#partOf(unit, slice)]]), report);
    }
  }

  /** Lets a unit wait for its object when another session makes it, or a store has it. @returns whether it does. */
  #awaitElsewhere({ unit, key }: Member<Body>, materializations: Materializations): boolean {
    const elsewhere = this.#compiler.caching.elsewhere(key);
    if (!elsewhere) return false;
    const responsibility = materializations.delegate(unit, { isShared: true });
    responsibility.materializing();
    elsewhere
      .then(() => {
        const found = unit.source.find?.(unit);
        if (!found) throw new Error(`${unit.name} was not compiled elsewhere after all`);
        responsibility.emit(found.parts, found.origin);
      })
      .catch((error: unknown) => responsibility.fail(error));
    return true;
  }

  /** Asks for functions in one object, and for each one's part of it. */
  #requestOf(name: string, members: readonly Member<Body>[], how: CompilationOptions): CompileRequest {
    const compiler = this.#compiler;
    const requests = members.map(({ request }) => request);
    const called = new Set(members.flatMap(({ unit }) => unit.callees));
    const options = { ...compiler.options([...called]), ...how };
    return {
      keys: members.map(({ key }) => key),
      compile: () => compiler.pipeline.compile(name, () => compiler.generate(requests), options),
      slicesOf: (object) => {
        const slices = new Map<string, ObjectSlice>();
        for (const slice of splitObject(object, name))
          for (const symbol of slice.symbols) slices.set(symbol, slice);
        return members.map(({ unit }) => {
          const slice = slices.get(implementationName(unit.name));
          return slice && [slice];
        });
      },
    };
  }
}
