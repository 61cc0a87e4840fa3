import type { KeptObjects } from '../../cache/kept-objects.js';
import { type CallSignature, callWrapperName } from '../../calls/call-signature.js';
import type { PassedParts } from '../../calls/passed-parts.js';
import { passingOf } from '../../calls/passing.js';
import {
  MaterializationUnit,
  NOT_OF_SCALARS,
  type ObjectSource,
  unitSets,
} from '../../core/materialization-unit.js';
import { splitObject } from '../../jitlink/object-slice.js';
import { CachingCompiler } from '../../layers/caching-compiler.js';
import type { IRPipeline } from '../../layers/ir-pipeline.js';
import type { ExtractionMode } from '../../layers/layer-stack.js';
import { CompileError } from '../../llvm/errors.js';
import type { ModuleInterface } from '../../llvm/module-interface.js';
import { KeptLines } from './kept-lines.js';
import { hasPieces, ModulePieces } from './module-pieces.js';
import type { NeedyUnit } from './needed-members.js';
import { partsOf } from './object-parts.js';
import { THREAD_LOCALS_REFUSED } from './thread-locals-refused.js';
import type { VerifiedModule } from './verified-module.js';

/** A unit of a whole module. */
export class ModuleUnit extends MaterializationUnit implements NeedyUnit {
  readonly needs: ReadonlySet<string>;
  /** Of its functions; one whose types are not all scalars has none. */
  readonly signatures: ReadonlyMap<string, CallSignature>;
  /** Of those that have none, where they have what they are passed, if that is known. */
  readonly passings: ReadonlyMap<string, PassedParts>;

  constructor(
    name: string,
    source: ObjectSource,
    { symbols, aliases, signatures, passings, needs, libraryFunctions }: ModuleInterface,
  ) {
    super(name, source, symbols, [], [...libraryFunctions]);
    this.signatures = signatures;
    this.passings = passings;
    this.aliases = aliases;
    this.needs = needs;
  }

  override typeOf(name: string): string | undefined {
    const signature = this.signatures.get(name);
    return signature ? callWrapperName(passingOf(signature).wrapper) : NOT_OF_SCALARS;
  }
}

/**
 * A unit of a whole module: compiled at the first call of any of its functions, in one go, or piece by piece; then split,
 * so that each function is linked at its own first call.
 */
export function moduleUnit(
  pipeline: IRPipeline,
  module: VerifiedModule,
  {
    isDefined,
    kept,
    extraction = 'off',
    isGuessing = true,
    isHeldBack = () => false,
  }: {
    readonly isDefined: (name: string) => boolean;
    readonly kept?: KeptObjects | undefined;
    readonly extraction?: ExtractionMode;
    /** Whether pieces have functions that nobody has asked for. */
    readonly isGuessing?: boolean;
    /** Whether they are to have none for now. */
    readonly isHeldBack?: () => boolean;
  },
): MaterializationUnit {
  const { name, bitcode, defines } = module;
  const caching = new CachingCompiler(kept);
  /** Of the names that LLVM knows by heart, those that are its own or that it calls and the program defines now. */
  const programDefined = () => [
    ...defines.ownLibraryFunctions,
    ...[...defines.libraryFunctions].filter(isDefined),
  ];
  let known: { readonly names: string; readonly key: Uint8Array | undefined } | undefined;
  const key = () => {
    const defined = programDefined();
    const names = defined.join('\0');
    if (known?.names !== names)
      known = { names, key: caching.key((keys) => keys.ofModule(bitcode, pipeline.codegen, defined)) };
    return known.key;
  };
  const lines = new KeptLines(name, kept, key);
  const pieces = hasPieces(module, extraction)
    ? new ModulePieces({ pipeline, module, caching, isGuessing, isHeldBack, key, programDefined })
    : undefined;
  const source: ObjectSource = {
    kind: 'module',
    hasInitializers: defines.runLists.length > 0,
    sets: unitSets(defines.sections, defines.declares),
    find: (unit) => {
      const slices = caching.find(key(), name);
      return slices && { parts: partsOf(slices, unit), origin: 'kept' };
    },
    pieces,
    sourceLines: () => lines.find(),
    dropKept: () => {
      caching.drop(key());
      pieces?.dropKept();
    },
    materialize: (responsibility) =>
      caching.materialize(
        responsibility,
        () => {
          const options = { programDefined: programDefined() };
          return {
            keys: [key()],
            compile: () => pipeline.compileBitcode(name, bitcode, options),
            slicesOf: (object) => {
              lines.note(object);
              return [splitObject(object, name, { locals: true })];
            },
          };
        },
        (slices) => partsOf(slices, responsibility.unit),
      ),
  };
  return new ModuleUnit(name, source, defines);
}

/** @throws {CompileError} for thread-local variables, where the executor has no room for them. */
export function refuseThreadLocalsOf({ name, defines }: VerifiedModule): void {
  const [variable] = defines.threadLocals;
  if (variable !== undefined)
    throw new CompileError(
      name,
      `Cannot use module ${name}: its variable ${variable} is ${THREAD_LOCALS_REFUSED}`,
    );
}
