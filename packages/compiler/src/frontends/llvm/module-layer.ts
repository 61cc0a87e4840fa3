import type { KeptObjects } from '../../cache/kept-objects.js';
import type { CallSignature } from '../../calls/call-signature.js';
import { MaterializationUnit, ObjectPart, type ObjectSource } from '../../core/materialization-unit.js';
import { LinkError } from '../../jitlink/errors.js';
import { type ObjectSlice, splitObject } from '../../jitlink/object-slice.js';
import { CachingCompiler } from '../../layers/caching-compiler.js';
import type { IRPipeline } from '../../layers/ir-pipeline.js';
import type { ModuleInterface } from '../../llvm/module-interface.js';

/** A module as bitcode, and what LLVM has found in it: it can be given to any session. */
export interface VerifiedModule {
  readonly name: string;
  readonly bitcode: Uint8Array;
  readonly defines: ModuleInterface;
}

/** A unit of a whole module. */
export class ModuleUnit extends MaterializationUnit {
  /** Of its functions; one whose types are not all scalars has none. */
  readonly signatures: ReadonlyMap<string, CallSignature>;

  constructor(name: string, source: ObjectSource, { symbols, signatures }: ModuleInterface) {
    super(name, source, symbols);
    this.signatures = signatures;
  }
}

/** What a section is called whose contents are called when a program starts or ends. */
const RUN_SECTION = /^\.((pre)?init_array|fini_array|ctors|dtors)/;

/**
 * A unit of a whole module: compiled at the first call of any of its functions, in one go; then split, so that each
 * function is linked at its own first call.
 */
export function moduleUnit(
  pipeline: IRPipeline,
  { name, bitcode, defines }: VerifiedModule,
  isDefined: (name: string) => boolean,
  kept?: KeptObjects,
): MaterializationUnit {
  const caching = new CachingCompiler(kept);
  let knownNames: readonly string[] | undefined;
  /** Names that it calls and the program defines, when it is first compiled: LLVM is not to take them for libc's. */
  const programDefined = () => {
    knownNames ??= [...defines.declares].filter(isDefined);
    return knownNames;
  };
  let knownKey: Uint8Array | undefined;
  const key = () => {
    knownKey ??= caching.key((keys) => keys.ofModule(bitcode, pipeline.codegen, programDefined()));
    return knownKey;
  };
  const source: ObjectSource = {
    kind: 'module',
    findKept: (unit) => {
      const slices = caching.find(key(), name);
      return slices && partsOf(slices, unit);
    },
    dropKept: () => caching.drop(key()),
    materialize: (responsibility) =>
      caching.materialize(
        responsibility,
        () => {
          const options = { programDefined: programDefined() };
          return {
            keys: [key()],
            compile: () => pipeline.compileBitcode(name, bitcode, options),
            slicesOf: (object) => [splitModule(object, name)],
          };
        },
        (slices) => partsOf(slices, responsibility.unit),
      ),
  };
  return new ModuleUnit(name, source, defines);
}

/**
 * Module assembly can ask for what the module's own interface does not show.
 * @throws {LinkError} `unsupported` for functions to run at the start or the end: nobody would run them.
 */
function splitModule(object: Uint8Array, name: string): ObjectSlice[] {
  const slices = splitObject(object, name);
  const section = slices.flatMap(({ sections }) => sections).find((title) => RUN_SECTION.test(title));
  if (section !== undefined)
    throw new LinkError(
      'unsupported',
      { graph: name, section },
      'functions to run at the start or the end of a program are not supported',
    );
  return slices;
}

function partsOf(slices: readonly ObjectSlice[], unit: MaterializationUnit): ReadonlyMap<string, ObjectPart> {
  const parts = new Map<string, ObjectPart>();
  for (const slice of slices) {
    const part = new ObjectPart(unit, () => slice.takeGraph());
    for (const symbol of slice.symbols) parts.set(symbol, part);
  }
  return parts;
}
