import { LinkError, type LinkErrorDetails, outOfRangeError } from '../errors.js';
import {
  type Architecture,
  type Block,
  type Edge,
  KEEP_ALIVE,
  type LinkGraph,
  type ThreadIndex,
} from '../link-graph.js';
import {
  type EdgeKindSpec,
  edgeKindName,
  edgeSpec,
  edgeValueLimits,
  LINKER_EDGES,
  X86_64_EDGES,
} from './edges.js';
import { buildGOTAndStubs } from './got-plt.js';
import { referenceOf, takesOwnAddress } from './references.js';
import { relax } from './relax.js';
import { relaxThreadLocals } from './thread-locals.js';

const INT3 = 0xcc;
/** Every edge of an object is asked for. */
const SIZE_KINDS: ReadonlySet<number> = new Set(
  Object.values<EdgeKindSpec>(X86_64_EDGES).flatMap(({ kind, expression }) =>
    expression === 'Z + A' ? kind : [],
  ),
);

/** The x86-64 backend: what the linker's algorithm does not know about the processor. */
export const x86_64: Architecture = {
  name: 'x86_64',
  codeFillByte: INT3,
  negDelta32: X86_64_EDGES.NegDelta32.kind,
  edgeKindName,
  edgeWidthBytes: (kind) => edgeSpec(kind)?.widthBytes ?? 0,
  isTooShort: (kind) => {
    const spec = edgeSpec(kind);
    return spec?.expression === 'S + A' && spec.widthBytes < 8;
  },
  isSize: (kind) => SIZE_KINDS.has(kind),
  referenceOf,
  takesOwnAddress,
  isObjectEdgeKind: (kind) => edgeSpec(kind) !== undefined && !LINKER_EDGES.has(kind),
  buildGOTAndStubs: (graph) => {
    relaxThreadLocals(graph);
    buildGOTAndStubs(graph);
  },
  relax,
  applyFixups,
};

/** `min` and `max` per edge kind, at index `2 * kind`. */
const LIMITS: Float64Array = limitsByKind();

function applyFixups(graph: LinkGraph, block: Block): void {
  const { content, edges } = block;
  if (content === null) return;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  for (const edge of edges) {
    if (edge.kind === KEEP_ALIVE) continue;
    const spec = edgeSpec(edge.kind);
    if (!spec) throw new Error(`${edgeKindName(edge.kind)} is no edge kind of x86-64`);
    if (edge.target.threadLocal !== (spec.threadLocal ?? false) && spec.expression !== 'Z + A')
      throw threadLocalError(graph, block, edge);
    // The processor computes addresses modulo 2^64.
    const value = BigInt.asIntN(64, evaluate(graph, block, edge, spec));
    if (spec.widthBytes === 8) {
      view.setBigInt64(edge.offset, value, true);
      continue;
    }
    // A rounded number is on the same side of a limit of 32 bits or less as the value itself.
    const number = Number(value);
    if (number < at(2 * edge.kind) || number > at(2 * edge.kind + 1))
      throw rangeError(graph, block, edge, spec);
    if (spec.widthBytes === 4) view.setInt32(edge.offset, number, true);
    else if (spec.widthBytes === 2) view.setInt16(edge.offset, number, true);
    else view.setInt8(edge.offset, number);
  }
}

function at(index: number): number {
  return LIMITS[index] ?? 0;
}

function evaluate(graph: LinkGraph, block: Block, edge: Edge, spec: EdgeKindSpec): bigint {
  switch (spec.expression) {
    case 'S + A - P':
      return edge.target.address + edge.addend - (block.address + BigInt(edge.offset));
    case 'S + A':
      return edge.target.address + edge.addend;
    case 'P - S + A':
      return block.address + BigInt(edge.offset) - edge.target.address + edge.addend;
    case 'Z + A':
      if (edge.target.kind === 'external')
        throw new LinkError(
          'unsupported',
          detailsOf(graph, block, edge),
          `${edgeKindName(edge.kind)} needs the size of "${edge.target.name}", which is defined in another object`,
        );
      return BigInt(edge.target.sizeBytes) + edge.addend;
    case 'M':
      return threadIndexOf(graph, block, edge).module;
    case 'O + A':
      return threadIndexOf(graph, block, edge).offset + edge.addend;
    case 'S + A - TP':
      if (graph.threadPointer === null)
        throw new LinkError(
          'unsupported',
          detailsOf(graph, block, edge),
          `there is no room for thread-local variables, as "${edge.target.name}" is`,
        );
      return edge.target.address + edge.addend - graph.threadPointer;
    case 'S + A - GOT':
      return edge.target.address + edge.addend - (graph.gotSymbol?.address ?? 0n);
    default:
      throw new Error(`${edgeKindName(edge.kind)} was left over when the GOT and the stubs were built`);
  }
}

function detailsOf(graph: LinkGraph, block: Block, { target, kind }: Edge): LinkErrorDetails {
  return {
    graph: graph.name,
    section: block.section.name,
    ...(target.name ? { symbol: target.name } : {}),
    edgeKind: edgeKindName(kind),
  };
}

function threadIndexOf(graph: LinkGraph, block: Block, edge: Edge): ThreadIndex {
  const { name, threadIndex } = edge.target;
  if (threadIndex) return threadIndex;
  throw new LinkError('unsupported', detailsOf(graph, block, edge), `no library has "${name}"`);
}

/** A thread-local variable has no address, and other things no distance from the thread pointer. */
function threadLocalError(graph: LinkGraph, block: Block, edge: Edge): LinkError {
  const { name, threadLocal } = edge.target;
  const what = name ? `"${name}"` : 'what it refers to';
  return new LinkError(
    'unsupported',
    detailsOf(graph, block, edge),
    `${edgeKindName(edge.kind)} is ${threadLocal ? 'not ' : ''}for what is thread-local, and ${what} is${threadLocal ? '' : ' not'}`,
  );
}

function rangeError(graph: LinkGraph, block: Block, edge: Edge, spec: EdgeKindSpec): LinkError {
  const { min, max } = edgeValueLimits(spec);
  const { target } = edge;
  return outOfRangeError(
    {
      ...detailsOf(graph, block, edge),
      fixupAddress: wrap(block.address + BigInt(edge.offset)),
      targetAddress: wrap(target.address),
    },
    `from ${hex(min)} to ${hex(max)}`,
  );
}

function wrap(address: bigint): Block['address'] {
  return BigInt.asUintN(64, address) as Block['address'];
}

function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function limitsByKind(): Float64Array {
  const specs = Object.values<EdgeKindSpec>(X86_64_EDGES);
  const limits = new Float64Array(2 * (specs.length + 1));
  for (const spec of specs) {
    const { min, max } = edgeValueLimits(spec);
    limits[2 * spec.kind] = min;
    limits[2 * spec.kind + 1] = max;
  }
  return limits;
}
