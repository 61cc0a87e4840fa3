import { type CallSignature, callWrapperName } from '../../calls/call-signature.js';
import { passingOf } from '../../calls/passing.js';
import { parseSignature } from '../../calls/signature-text.js';
import { ArgumentError } from '../../core/argument-error.js';
import type { FunctionAliases } from '../../core/function-aliases.js';
import { MaterializationUnit, type ObjectSource, type UnitSets } from '../../core/materialization-unit.js';
import { aliasesOfObject, runListsOf, setsOfObject, symbolsOfObject } from '../../core/object-symbols.js';
import type { SymbolFlagsMap } from '../../core/symbol-flags.js';
import { readSourceLines } from '../../jitlink/dwarf/read-source-lines.js';
import type { SourceLines } from '../../jitlink/dwarf/source-lines.js';
import { buildLinkGraph } from '../../jitlink/elf/elf.js';
import { LinkError } from '../../jitlink/errors.js';
import type { LinkGraph } from '../../jitlink/link-graph.js';
import { type ObjectSlice, splitObject } from '../../jitlink/object-slice.js';
import type { NeedyUnit } from './needed-members.js';
import { partsOf } from './object-parts.js';
import { THREAD_LOCALS_REFUSED } from './thread-locals-refused.js';

/** An object that has been read: it can be given to any session. */
export interface VerifiedObject {
  readonly name: string;
  readonly symbols: SymbolFlagsMap;
  readonly aliases: FunctionAliases;
  /** Names that others define, or might. */
  readonly declares: ReadonlySet<string>;
  /** Those of them that it cannot do without. */
  readonly needs: ReadonlySet<string>;
  /** Sections of it that list functions to run at the start or the end of a program. */
  readonly runLists: readonly string[];
  readonly sets: UnitSets | undefined;
  /** A thread-local variable that it defines or refers to, if there are any. */
  readonly threadLocal: string | undefined;
  /** Of its functions, where whoever adds it says them. */
  readonly signatures: ReadonlyMap<string, CallSignature>;
  readonly slices: readonly ObjectSlice[];
  /** Which lines its functions come from, where it says it. */
  sourceLines(): SourceLines | undefined;
}

/** How functions are called, in words. */
export type SignatureWords = Readonly<Record<string, string>>;

/** A unit of an object. */
export class ObjectUnit extends MaterializationUnit implements NeedyUnit {
  readonly needs: ReadonlySet<string>;
  readonly signatures: ReadonlyMap<string, CallSignature>;

  constructor(source: ObjectSource, { name, symbols, aliases, needs, signatures }: VerifiedObject) {
    super(name, source, symbols);
    this.aliases = aliases;
    this.needs = needs;
    this.signatures = signatures;
  }

  override typeOf(name: string): string | undefined {
    const signature = this.signatures.get(name);
    return signature && callWrapperName(passingOf(signature).wrapper);
  }
}

/** The symbol of objects that hold nothing but what GCC's own linker plugin reads. */
const SLIM_LTO_SYMBOL = '__gnu_lto_slim';

/**
 * Reads an object file that somebody else has compiled. What it defines is read from its symbol table.
 * @param object stays as it is from now on.
 * @param triple the executor's.
 * @throws {LinkError} when it is malformed, for another machine, or asks for what is not supported.
 * @throws {SignatureError}
 * @throws {ArgumentError} for a signature of what it does not define.
 */
export function readObject(
  object: Uint8Array,
  name: string,
  triple: string,
  signatures: SignatureWords = {},
): VerifiedObject {
  let lines: { readonly read: SourceLines | undefined } | undefined;
  const called = Object.entries(signatures).map(([fn, words]) => [fn, parseSignature(words)] as const);
  const graph = buildLinkGraph(object, name);
  refuseForeign(graph, triple);
  refuseSlim(graph);
  refuseShortAddresses(graph);
  const symbols = symbolsOfObject(graph);
  for (const fn of Object.keys(signatures))
    if (!symbols.has(fn))
      throw new ArgumentError(`options.signatures.${fn} is for a function that ${name} does not define`);
  const externals = graph.symbols.filter(({ kind }) => kind === 'external');
  return {
    name,
    symbols,
    aliases: aliasesOfObject(graph, symbols),
    declares: new Set(externals.map((symbol) => symbol.name)),
    needs: new Set(externals.filter(({ linkage }) => linkage === 'strong').map((symbol) => symbol.name)),
    runLists: runListsOf(graph),
    sets: setsOfObject(graph),
    threadLocal: graph.symbols.find((symbol) => symbol.threadLocal && symbol.name !== '')?.name,
    signatures: new Map(called),
    slices: splitObject(object, name, { graph, locals: true }),
    sourceLines: () => {
      lines ??= { read: readSourceLines(object, name) };
      return lines.read;
    },
  };
}

/** A unit of an object: each of its functions is linked at its own first call, with what it shares with others. */
export function objectUnit(object: VerifiedObject): MaterializationUnit {
  const { runLists, sets, slices } = object;
  const source: ObjectSource = {
    kind: 'module',
    hasInitializers: runLists.length > 0,
    sets,
    sourceLines: () => object.sourceLines(),
    materialize: async (responsibility) => responsibility.emit(partsOf(slices, responsibility.unit), 'kept'),
  };
  return new ObjectUnit(source, object);
}

/** @throws {LinkError} for thread-local variables, where the executor has no room for them. */
export function refuseThreadLocals({ name: graph, threadLocal: symbol }: VerifiedObject): void {
  if (symbol !== undefined)
    throw new LinkError('unsupported', { graph, symbol }, `"${symbol}" is ${THREAD_LOCALS_REFUSED}`);
}

function refuseForeign(graph: LinkGraph, triple: string): void {
  const [architecture] = triple.split('-');
  if (graph.architecture.name !== architecture)
    throw unsupported(
      graph,
      undefined,
      `it is for ${graph.architecture.name}, and the executor is ${triple}`,
    );
}

function refuseSlim(graph: LinkGraph): void {
  if (graph.findDefinition(SLIM_LTO_SYMBOL))
    throw unsupported(
      graph,
      SLIM_LTO_SYMBOL,
      'it was made by gcc -flto and holds no machine code; compile it without -flto, or with -ffat-lto-objects',
    );
}

/** Code that was made to be loaded below 2 GiB. */
function refuseShortAddresses(graph: LinkGraph): void {
  const { architecture } = graph;
  for (const { name: section, blocks } of graph.sections)
    for (const { edges } of blocks)
      for (const { kind, target } of edges) {
        if (target.kind === 'absolute' || !architecture.isTooShort(kind)) continue;
        throw new LinkError(
          'unsupported',
          { graph: graph.name, section, symbol: target.name, edgeKind: architecture.edgeKindName(kind) },
          `it has addresses of 32 bits or less (${architecture.edgeKindName(kind)}); compile it with -fPIC`,
        );
      }
}

function unsupported(graph: LinkGraph, symbol: string | undefined, problem: string): LinkError {
  return new LinkError(
    'unsupported',
    { graph: graph.name, ...(symbol !== undefined && { symbol }) },
    problem,
  );
}
