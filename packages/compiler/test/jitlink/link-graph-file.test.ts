import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { LinkError } from '../../src/jitlink/errors.js';
import { link } from '../../src/jitlink/link.js';
import { KEEP_ALIVE, type LinkGraph } from '../../src/jitlink/link-graph.js';
import { writeLinkGraph } from '../../src/jitlink/link-graph-file.js';
import { readLinkGraph } from '../../src/jitlink/link-graph-reader.js';
import { splitGraph } from '../../src/jitlink/split.js';
import { LINKER_EDGES } from '../../src/jitlink/x86_64/edges.js';
import { BASES, contextAt } from './linking.js';
import { assemble } from './toolchain.js';

const OBJECT = assemble(`
  .text
  .globl f
  .type f, @function
  f: .cfi_startproc
  .cfi_personality 0x9b, DW.ref.person
  .cfi_lsda 0x1b, table
  call g@PLT
  mov x@GOTPCREL(%rip), %rax
  lea _GLOBAL_OFFSET_TABLE_(%rip), %rbx
  movabs $local@GOTOFF, %rcx
  lea text(%rip), %rdi
  movsd half(%rip), %xmm0
  .cfi_endproc
  .size f, .-f
  .weak w
  .section .gcc_except_table,"a"
  table: .byte 0xff
  .section .rodata.str1.1,"aMS",@progbits,1
  text: .string "text"
  .section .rodata.cst8,"aM",@progbits,8
  half: .quad 0x3fe0000000000000
  .data
  .hidden DW.ref.person
  DW.ref.person: .quad person
  .globl d
  d: .quad f, w, text, f@SIZE
  local: .quad fixed
  .section .init_array,"aw"
  .quad f
  .comm shared, 16, 8
  .globl fixed
  .set fixed, 0x7fffffffffffffff
  .bss
  .p2align 6
  .globl "ünïcode"
  "ünïcode": .skip 100
`);

/** Everything a graph says, as plain data. */
function contentsOf(graph: LinkGraph): unknown {
  const symbols = [...graph.symbols, ...(graph.gotSymbol ? [graph.gotSymbol] : [])];
  const blocks = graph.sections.flatMap((section) => section.blocks);
  return {
    name: graph.name,
    architecture: graph.architecture.name,
    got: graph.gotSymbol ? symbols.indexOf(graph.gotSymbol) : undefined,
    sections: graph.sections.map(({ name, prot, alignment, blocks: { length } }) => ({
      name,
      prot,
      alignment,
      length,
    })),
    blocks: blocks.map((block) => ({
      content: block.content && Buffer.from(block.content).toString('hex'),
      sizeBytes: block.sizeBytes,
      alignment: block.alignment,
      alignmentOffset: block.alignmentOffset,
      mergeable: block.mergeable,
      live: block.live,
      edges: block.edges.map(({ kind, offset, target, addend }) => ({
        kind,
        offset,
        addend,
        to: symbols.indexOf(target),
      })),
    })),
    symbols: symbols.map((symbol) => ({
      name: symbol.name,
      kind: symbol.kind,
      block: symbol.block ? blocks.indexOf(symbol.block) : undefined,
      offset: symbol.offset,
      sizeBytes: symbol.sizeBytes,
      linkage: symbol.linkage,
      scope: symbol.scope,
      callable: symbol.callable,
      live: symbol.live,
      address: symbol.kind === 'absolute' ? symbol.address : undefined,
    })),
  };
}

function written(graph: LinkGraph): Uint8Array {
  const bytes = writeLinkGraph(graph);
  if (!bytes) throw new Error('it was not written');
  return bytes;
}

const WHOLE = written(buildLinkGraph(OBJECT, 'graph.o'));
const FUNCTION = written(
  splitGraph(buildLinkGraph(OBJECT, 'graph.o')).find((graph) => graph.findDefinition('f')) ??
    buildLinkGraph(OBJECT, ''),
);

const CONTEXT = {
  ...contextAt(),
  allocate: (requests: Parameters<ReturnType<typeof contextAt>['allocate']>[0]) => {
    for (const { sizeBytes, alignment } of requests)
      if (sizeBytes > 2 ** 26 || alignment > 2 ** 26) throw new OutOfMemory();
    return requests.map(({ prot }) => toExecutorAddr(BASES[prot]));
  },
  lookup: async (names: readonly string[]) =>
    new Map(names.map((name) => [name, toExecutorAddr(0x7f00_1030_0000n)])),
};

class OutOfMemory extends Error {}

/** Reads and links bytes of unknown origin; whether that worked. */
async function readHostile(bytes: Uint8Array): Promise<boolean> {
  try {
    await link(readLinkGraph(bytes), CONTEXT);
    return true;
  } catch (error) {
    if (error instanceof LinkError || error instanceof OutOfMemory) return false;
    throw error;
  }
}

test('a graph comes back as it was written, whole and split', (t) => {
  const graphs = [buildLinkGraph(OBJECT, 'graph.o'), ...splitGraph(buildLinkGraph(OBJECT, 'graph.o'))];
  t.true(graphs.length > 3);
  for (const graph of graphs) t.deepEqual(contentsOf(readLinkGraph(written(graph))), contentsOf(graph));
});

test('writing what was read gives the same bytes', (t) => {
  t.deepEqual(Buffer.from(written(readLinkGraph(WHOLE))), Buffer.from(WHOLE));
});

test('a graph that was read links to the same bytes as the object', async (t) => {
  const fromObject = await link(buildLinkGraph(OBJECT, 'graph.o'), CONTEXT);
  const fromFile = await link(readLinkGraph(WHOLE), CONTEXT);
  t.deepEqual(fromFile, fromObject);
});

test('it is read from anywhere in a buffer', (t) => {
  const shifted = new Uint8Array(FUNCTION.byteLength + 3);
  shifted.set(FUNCTION, 3);
  t.deepEqual(contentsOf(readLinkGraph(shifted.subarray(3))), contentsOf(readLinkGraph(FUNCTION)));
});

test('cut short at any length, or with anything behind it, it is refused', (t) => {
  for (let length = 0; length < FUNCTION.byteLength; length++)
    t.throws(() => readLinkGraph(FUNCTION.subarray(0, length)), { instanceOf: LinkError }, `${length}`);
  t.throws(() => readLinkGraph(Buffer.concat([FUNCTION, Buffer.alloc(1)])), { instanceOf: LinkError });
});

test('with any byte changed, it is refused or can be linked', async (t) => {
  const outcomes = { linked: 0, refused: 0 };
  for (let at = 0; at < FUNCTION.byteLength; at++)
    for (const change of [0x01, 0x80, 0xff]) {
      const damaged = Uint8Array.from(FUNCTION);
      damaged[at] = (damaged[at] ?? 0) ^ change;
      outcomes[(await readHostile(damaged)) ? 'linked' : 'refused']++;
    }
  t.true(outcomes.linked > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
});

test('with any word of its tables replaced, it is refused or can be linked', async (t) => {
  const view = new DataView(WHOLE.buffer, WHOLE.byteOffset, WHOLE.byteLength);
  const tables = WHOLE.byteLength - view.getUint32(28, true) - view.getUint32(32, true);
  let refused = 0;
  for (let at = 0; at < tables; at += 4)
    for (const value of [0, 1, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const damaged = Buffer.from(WHOLE);
      damaged.writeUInt32LE(value, at);
      if (!(await readHostile(damaged))) refused++;
    }
  t.true(refused > 500, `${refused}`);
});

test('several changes at once are refused or can be linked', async (t) => {
  // xorshift32, so that a failure can be repeated.
  let state = 0x2545_f491;
  const random = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  for (let round = 0; round < 3000; round++) {
    const seed = state;
    const damaged = Buffer.from(round % 2 === 0 ? WHOLE : FUNCTION);
    for (let change = random(4) + 1; change > 0; change--)
      if (random(2) === 0) damaged[random(damaged.length)] = random(256);
      else damaged.writeUInt32LE(random(40), 4 * random(damaged.length >> 2));
    await t.notThrowsAsync(readHostile(damaged), `seed ${seed}`);
  }
});

/** The function's graph with one thing made wrong; the writer does not look. */
function spoiled(spoil: (graph: LinkGraph) => void): Uint8Array {
  const graph = readLinkGraph(FUNCTION);
  spoil(graph);
  return written(graph);
}

const firstEdge = (graph: LinkGraph) => {
  const block = graph.sections
    .flatMap(({ blocks }) => blocks)
    .find(({ edges }) => edges.some(({ kind }) => kind !== KEEP_ALIVE));
  const edge = block?.edges.find(({ kind }) => kind !== KEEP_ALIVE);
  if (!block || !edge) throw new Error('no edge');
  return { block, edge };
};

const SPOILS: Record<string, (graph: LinkGraph) => void> = {
  'an edge beyond its block': (graph) => {
    const { block, edge } = firstEdge(graph);
    edge.offset = block.sizeBytes - 3;
  },
  'an edge of a kind that there is not': (graph) => {
    firstEdge(graph).edge.kind = 99;
  },
  'an edge in a block without content': (graph) => {
    firstEdge(graph).block.content = null;
  },
  'a symbol beyond its block': (graph) => {
    const symbol = graph.findDefinition('f');
    if (symbol?.block) symbol.offset = symbol.block.sizeBytes + 1;
  },
  'a symbol larger than its block': (graph) => {
    const symbol = graph.findDefinition('f');
    if (symbol?.block) symbol.sizeBytes = symbol.block.sizeBytes + 1;
  },
  'two definitions of a name': (graph) => {
    const symbol = graph.findDefinition('f');
    if (symbol) graph.symbols.push(symbol);
  },
  'an external without a name': (graph) => {
    const symbol = graph.symbols.find(({ kind }) => kind === 'external');
    if (symbol) symbol.name = '';
  },
  'an alignment of three': (graph) => {
    const [section] = graph.sections;
    if (section) section.alignment = 3;
  },
};

for (const [what, spoil] of Object.entries(SPOILS))
  test(`${what} is refused`, (t) => {
    t.throws(() => readLinkGraph(spoiled(spoil)), { instanceOf: LinkError, message: /damaged/ });
  });

test('edges that only linking makes are refused: their targets would be taken for GOT entries', (t) => {
  for (const kind of LINKER_EDGES)
    t.throws(
      () =>
        readLinkGraph(
          spoiled((graph) => {
            firstEdge(graph).edge.kind = kind;
          }),
        ),
      { instanceOf: LinkError },
      `${kind}`,
    );
});
