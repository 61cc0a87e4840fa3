import { LinkError } from '@farjit/compiler';
import { formatAddr } from '@farjit/protocol/executor-addr';
import { buildLinkGraph } from '#compiler/src/jitlink/elf/elf.js';
import { link } from '#compiler/src/jitlink/link.js';
import { type Block, type Edge, KEEP_ALIVE, type LinkGraph } from '#compiler/src/jitlink/link-graph.js';
import { edgeSpec, edgeValueLimits, X86_64_EDGES } from '#compiler/src/jitlink/x86_64/edges.js';
import { objects } from '../corpus.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';
import { fakeSession, OutOfMemory } from './elf.js';

const CHANGE_BYTES = 6;
const KINDS = Object.values(X86_64_EDGES).map(({ kind }) => kind);
const ADDENDS = [
  0n,
  1n,
  -1n,
  -4n,
  4n,
  127n,
  128n,
  -128n,
  -129n,
  32767n,
  32768n,
  -32769n,
  2n ** 31n - 1n,
  2n ** 31n,
  -(2n ** 31n),
  -(2n ** 31n) - 1n,
  2n ** 32n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const ALIGNMENTS = [1, 2, 8, 16, 64, 4096, 65536, 2 ** 21, 2 ** 30];

/**
 * The linker, on graphs that a reader could have made: those of the corpus, with edges and blocks changed within what
 * the reader guarantees. What a link leaves in memory is computed again and compared.
 *
 * An input is a small program: the number of an object, then changes of `CHANGE_BYTES` bytes each.
 */
export const linker: TargetFactory = {
  name: 'linker',
  longInputs: 1_000_000,
  shortInputs: 2000,
  create: ({ planted = false } = {}) => new Linker(planted),
};

class Linker implements FuzzTarget {
  readonly name = 'linker';
  readonly stages = ['no program', 'refused', 'linked'];
  readonly #objects = objects();
  readonly #isPlanted: boolean;

  constructor(isPlanted: boolean) {
    this.#isPlanted = isPlanted;
  }

  generate(random: Random): Uint8Array {
    return Uint8Array.from({ length: 1 + CHANGE_BYTES * random.below(8) }, () => random.below(256));
  }

  async run(input: Uint8Array): Promise<string> {
    const object = this.#objects[(input[0] ?? 0) % this.#objects.length];
    if (input.byteLength === 0 || !object) return 'no program';
    const read = buildLinkGraph(object, 'fuzz.o');
    const graph: LinkGraph = this.#isPlanted ? withUncheckedFixups(read) : read;
    for (let at = 1; at + CHANGE_BYTES <= input.byteLength; at += CHANGE_BYTES)
      changeGraph(graph, input.subarray(at, at + CHANGE_BYTES));
    try {
      await link(graph, fakeSession());
    } catch (error) {
      if (!(error instanceof LinkError) && !(error instanceof OutOfMemory)) throw error;
      mustBePrintable(error.message);
      return 'refused';
    }
    for (const section of graph.sections) for (const block of section.blocks) mustBeFixedUp(graph, block);
    return 'linked';
  }
}

function changeGraph(graph: LinkGraph, change: Uint8Array): void {
  const [what = 0, blockNumber = 0, edgeNumber = 0, a = 0, b = 0, c = 0] = change;
  const blocks = graph.sections.flatMap((section) => section.blocks);
  const block = blocks[blockNumber % Math.max(blocks.length, 1)];
  if (!block) return;
  const edge = block.edges[edgeNumber % Math.max(block.edges.length, 1)];
  switch (what % 8) {
    case 0:
      if (edge) edge.addend = ADDENDS[a % ADDENDS.length] ?? 0n;
      break;
    case 1:
      if (edge) edge.target = graph.symbols[a % graph.symbols.length] ?? edge.target;
      break;
    case 2:
      if (edge && edge.kind !== KEEP_ALIVE)
        setIfFits(block, edge, KINDS[a % KINDS.length] ?? edge.kind, edge.offset);
      break;
    case 3:
      if (edge && edge.kind !== KEEP_ALIVE)
        setIfFits(block, edge, edge.kind, (a * 256 + b) % (block.sizeBytes + 1));
      break;
    case 4:
      block.section.alignment = ALIGNMENTS[a % ALIGNMENTS.length] ?? 1;
      break;
    case 6: {
      const symbol = graph.symbols[a % Math.max(graph.symbols.length, 1)];
      if (symbol?.kind === 'external') symbol.inLibrary = symbol.threadLocal;
      break;
    }
    case 5: {
      const symbol = graph.symbols[a % Math.max(graph.symbols.length, 1)];
      if (symbol) symbol.live = b % 2 === 0;
      break;
    }
    default:
      if (edge) edge.addend += BigInt(c) - 128n;
  }
}

/** As the reader does: a fixup lies inside its block, and the block has content. */
function setIfFits(block: Block, edge: Edge, kind: number, offset: number): void {
  const width = edgeSpec(kind)?.widthBytes ?? 0;
  if (block.content === null || offset + width > block.sizeBytes) return;
  edge.kind = kind;
  edge.offset = offset;
}

/** Every fixup holds the value of its expression, and the value is one that fits. */
function mustBeFixedUp(graph: LinkGraph, block: Block): void {
  const { content, edges } = block;
  if (content === null) return;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  for (const edge of edges) {
    const spec = edgeSpec(edge.kind);
    if (!spec || edges.some((other) => overlaps(edge, other))) continue;
    const value = BigInt.asIntN(64, expectedValue(graph, block, edge, spec.expression));
    const bits = spec.widthBytes * 8;
    if (bits < 64) {
      const { min, max } = edgeValueLimits(spec);
      must(
        value >= BigInt(min) && value <= BigInt(max),
        () => `${value} does not fit ${bits} bits, but was linked`,
      );
    }
    const stored = readBits(view, edge.offset, bits);
    must(
      stored === BigInt.asUintN(bits, value),
      () => `${formatAddr(stored)} is stored where ${value} belongs`,
    );
  }
}

function overlaps(edge: Edge, other: Edge): boolean {
  const width = edgeSpec(other.kind)?.widthBytes ?? 0;
  const own = edgeSpec(edge.kind)?.widthBytes ?? 0;
  return other !== edge && other.offset < edge.offset + own && edge.offset < other.offset + width;
}

function expectedValue(
  graph: LinkGraph,
  block: Block,
  { target, addend, offset }: Edge,
  expression: string,
): bigint {
  const at = block.address + BigInt(offset);
  switch (expression) {
    case 'S + A':
      return target.address + addend;
    case 'S + A - P':
      return target.address + addend - at;
    case 'P - S + A':
      return at - target.address + addend;
    case 'Z + A':
      return BigInt(target.sizeBytes) + addend;
    case 'M':
      return target.threadIndex?.module ?? 0n;
    case 'O + A':
      return (target.threadIndex?.offset ?? 0n) + addend;
    case 'S + A - TP':
      return target.address + addend - (graph.threadPointer ?? 0n);
    case 'S + A - GOT':
      return target.address + addend - (graph.gotSymbol?.address ?? 0n);
    default:
      throw new Error(`a request ${expression} was left over`);
  }
}

function readBits(view: DataView, offset: number, bits: number): bigint {
  if (bits === 64) return view.getBigUint64(offset, true);
  if (bits === 32) return BigInt(view.getUint32(offset, true));
  return BigInt(bits === 16 ? view.getUint16(offset, true) : view.getUint8(offset));
}

/** The planted bug: values that do not fit are left out without a word. */
function withUncheckedFixups(graph: LinkGraph): LinkGraph {
  const { architecture } = graph;
  const careless = {
    ...architecture,
    applyFixups: (where: LinkGraph, block: Block) => {
      try {
        architecture.applyFixups(where, block);
      } catch (error) {
        if (!(error instanceof LinkError) || error.reason !== 'out-of-range') throw error;
      }
    },
  };
  return Object.assign(graph, { architecture: careless });
}
