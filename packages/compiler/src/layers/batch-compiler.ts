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

/** What becomes of functions whose first code their front end makes. */
interface FirstCode {
  readonly made: readonly MaterializationUnit[];
  /** They are compiled from IR. */
  readonly left: readonly MaterializationUnit[];
}

/** Compiles functions in one module, which costs LLVM far less than a module each, and splits the object. */
export class BatchCompiler<Body extends object> {
  readonly #compiler: FunctionCompiler<Body>;

  constructor(compiler: FunctionCompiler<Body>) {
    this.#compiler = compiler;
  }

  /**
   * Starts to compile function units together. Those that the front end would refuse, or has no answers about, are left out. Each unit gets its own
   * part of the object.
   * @param options.canWait no thread is blocked for any of them.
   * @returns the units that are being compiled.
   */
  start(
    units: readonly MaterializationUnit[],
    materializations: Materializations,
    { canWait }: { canWait: boolean },
  ): MaterializationUnit[] {
    const { made, left } = this.#makeFirstCode(units, materializations);
    const able = left.flatMap((unit) => this.#memberOf(unit) ?? []);
    const taken = able.filter((member) => !this.#awaitElsewhere(member, materializations));
    const started = [...made, ...able.map(({ unit }) => unit)];
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

  /** Each by itself, and at once: that takes no longer than to hand it to somebody else. */
  #makeFirstCode(units: readonly MaterializationUnit[], materializations: Materializations): FirstCode {
    const made: MaterializationUnit[] = [];
    const left: MaterializationUnit[] = [];
    for (const unit of units) {
      const body = this.#compiler.bodyOf(unit);
      const first = body && this.#compiler.firstCodeOf(body, unit.callees);
      try {
        const code = first?.make();
        if (first && code) {
          const key = first.key();
          const responsibility = materializations.delegate(unit, { isShared: false });
          responsibility.materializing();
          this.#compiler.caching.keep(key, [code.slice]);
          responsibility.emit(new Map([[unit.name, this.#partOf(unit, code.slice)]]), code.report);
          made.push(unit);
        } else left.push(unit);
      } catch {
        // Its own callback says what is wrong with it, if it ever comes.
      }
    }
    return { made, left };
  }

  #partOf(unit: MaterializationUnit, slice: ObjectSlice): ObjectPart {
    return new ObjectPart(unit, () => slice.takeGraph(), {
      counterName: this.#compiler.counterOf(unit.name),
    });
  }

  /** @returns undefined for one that the front end refuses, or has no answers about: its own callback says why, if it ever comes. */
  #memberOf(unit: MaterializationUnit): Member<Body> | undefined {
    const compiler = this.#compiler;
    const body = compiler.bodyOf(unit);
    if (!body) return undefined;
    try {
      compiler.frontEnd.check(body);
      const key = compiler.keyOf(body, 'function', unit.callees);
      return { unit, key, request: compiler.requestOf(body) };
    } catch {
      return undefined;
    }
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

  /** Lets a unit wait for its object when another session makes it. @returns whether one does. */
  #awaitElsewhere({ unit, key }: Member<Body>, materializations: Materializations): boolean {
    const { caching } = this.#compiler;
    const elsewhere = caching.isShared ? caching.elsewhere(key) : undefined;
    if (!elsewhere) return false;
    const responsibility = materializations.delegate(unit, { isShared: true });
    responsibility.materializing();
    elsewhere
      .then(() => {
        const parts = unit.source.findKept?.(unit);
        if (!parts) throw new Error(`${unit.name} was not compiled elsewhere after all`);
        responsibility.emit(parts, 'kept');
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
