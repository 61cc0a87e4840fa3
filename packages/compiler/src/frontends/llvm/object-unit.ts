import { MaterializationUnit, type ObjectSource } from '../../core/materialization-unit.js';
import { runListsOf, setsOfObject, symbolsOfObject } from '../../core/object-symbols.js';
import type { SymbolFlagsMap } from '../../core/symbol-flags.js';
import { buildLinkGraph } from '../../jitlink/elf/elf.js';
import { LinkError } from '../../jitlink/errors.js';
import type { LinkGraph } from '../../jitlink/link-graph.js';
import { splitObject } from '../../jitlink/object-slice.js';
import type { NeedyUnit } from './archive-members.js';
import { partsOf } from './object-parts.js';
import { THREAD_LOCALS_REFUSED } from './thread-locals-refused.js';

/** What an object is to be run on. */
export interface ObjectTarget {
  readonly triple: string;
  /** Whether it has room for thread-local variables. */
  readonly threadLocals: boolean;
}

/** A unit of an object. */
class ObjectUnit extends MaterializationUnit implements NeedyUnit {
  readonly needs: ReadonlySet<string>;

  constructor(name: string, source: ObjectSource, symbols: SymbolFlagsMap, needs: ReadonlySet<string>) {
    super(name, source, symbols);
    this.needs = needs;
  }
}

/** The symbol of objects that hold nothing but what GCC's own linker plugin reads. */
const SLIM_LTO_SYMBOL = '__gnu_lto_slim';

/**
 * A unit of an object file that somebody else has compiled: each of its functions is linked at its own first call, with
 * what it shares with others. What it defines is read from its symbol table.
 * @param object stays as it is from now on.
 * @param target the executor.
 * @throws {LinkError} when it is malformed, for another machine, or asks for what is not supported.
 */
export function objectUnit(object: Uint8Array, name: string, target: ObjectTarget): MaterializationUnit {
  const graph = buildLinkGraph(object, name);
  refuseForeign(graph, target.triple);
  if (!target.threadLocals) refuseThreadLocals(graph);
  refuseSlim(graph);
  refuseShortAddresses(graph);
  const symbols = symbolsOfObject(graph);
  const hasInitializers = runListsOf(graph).length > 0;
  const sets = setsOfObject(graph);
  const needs = new Set(
    graph.symbols
      .filter(({ kind, linkage }) => kind === 'external' && linkage === 'strong')
      .map((symbol) => symbol.name),
  );
  const slices = splitObject(object, name, graph);
  return new ObjectUnit(
    name,
    {
      kind: 'module',
      hasInitializers,
      sets,
      materialize: async (responsibility) =>
        responsibility.emit(partsOf(slices, responsibility.unit), 'kept'),
    },
    symbols,
    needs,
  );
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

function refuseThreadLocals(graph: LinkGraph): void {
  const variable = graph.symbols.find(({ threadLocal, name }) => threadLocal && name !== '');
  if (variable) throw unsupported(graph, variable.name, `"${variable.name}" is ${THREAD_LOCALS_REFUSED}`);
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
