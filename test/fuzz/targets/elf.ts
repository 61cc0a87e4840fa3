import { LinkError } from '@farjit/compiler';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import { buildLinkGraph } from '#compiler/src/jitlink/elf/elf.js';
import { ElfLinkGraphBuilder } from '#compiler/src/jitlink/elf/link-graph-builder.js';
import { ElfObject, type ElfSection } from '#compiler/src/jitlink/elf/object.js';
import type { LinkContext } from '#compiler/src/jitlink/link.js';
import { link } from '#compiler/src/jitlink/link.js';
import type { LinkGraph } from '#compiler/src/jitlink/link-graph.js';
import { splitGraph } from '#compiler/src/jitlink/split.js';
import { elfX86_64 } from '#compiler/src/jitlink/x86_64/elf-relocations.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';
import { ElfInputs } from './elf-inputs.js';

/** What a session has to give of each kind of memory. */
const SLAB_BYTES = 32 * 1024 * 1024;
const BASES = {
  code: 0x7f00_0000_0000n,
  constant: 0x7f00_1000_0000n,
  data: 0x7f00_1800_0000n,
  thread: 0x7f00_1f00_0000n,
} as const;
const THREAD_POINTER = toExecutorAddr(0x7f00_1f01_0000n);

/** The ELF reader, then splitting and linking what it made. */
export const elf: TargetFactory = {
  name: 'elf',
  longInputs: 1_000_000,
  shortInputs: 2000,
  create: ({ planted = false } = {}) => new Elf(planted ? buildCarelessly : buildLinkGraph),
};

class Elf implements FuzzTarget {
  readonly name = 'elf';
  readonly stages = ['refused by the headers', 'refused by the reader', 'refused by the linker', 'linked'];
  readonly #inputs = new ElfInputs();
  readonly #build: (object: Uint8Array, name: string) => LinkGraph;

  constructor(build: (object: Uint8Array, name: string) => LinkGraph) {
    this.#build = build;
  }

  generate(random: Random): Uint8Array {
    return this.#inputs.make(random);
  }

  async run(input: Uint8Array): Promise<string> {
    const before = Buffer.from(input).toString('latin1');
    let stage = 'refused by the headers';
    try {
      new ElfObject('fuzz.o', input);
      stage = 'refused by the reader';
      const graph = this.#build(input, 'fuzz.o');
      mustBeSound(graph, input);
      stage = 'refused by the linker';
      const apart = [false, true].map((locals) => splitGraph(this.#build(input, 'fuzz.o'), { locals }));
      const parts = apart.flat();
      for (const part of parts) mustBeSound(part, input);
      await link(graph, fakeSession());
      for (const part of parts) await link(part, fakeSession());
      stage = 'linked';
    } catch (error) {
      if (!(error instanceof LinkError) && !(error instanceof OutOfMemory)) throw error;
      mustBePrintable(error.message);
      // Who has made the object is told where in it to look.
      if (
        error instanceof LinkError &&
        error.reason === 'malformed-object' &&
        stage !== 'refused by the linker'
      )
        must(error.details.offset !== undefined, () => 'an error that does not say where');
    }
    must(Buffer.from(input).toString('latin1') === before, () => 'linking has written into the object');
    return stage;
  }
}

export class OutOfMemory extends Error {}

/** A session that allocates at fixed places, no more than there is, and knows every name. */
export function fakeSession(): LinkContext {
  return {
    allocate: (requests) => {
      for (const { sizeBytes, alignment } of requests)
        if (sizeBytes > SLAB_BYTES || alignment > SLAB_BYTES) throw new OutOfMemory('no memory');
      return requests.map(({ prot }) => toExecutorAddr(BASES[prot]));
    },
    deallocate: () => {},
    threadPointer: THREAD_POINTER,
    threadIndexOf: (name) => (name.length % 2 === 0 ? { module: 3n, offset: 8n } : undefined),
    lookup: async (names) => new Map(names.map((name) => [name, toExecutorAddr(0x7f00_1030_0000n)])),
  };
}

/** What the linker relies on. */
export function mustBeSound(graph: LinkGraph, input: Uint8Array): void {
  for (const section of graph.sections)
    for (const block of section.blocks) {
      const { content, sizeBytes, alignment, alignmentOffset, edges } = block;
      must(
        content === null || content.byteLength === sizeBytes,
        () => 'a block is not as long as its content',
      );
      must(sizeBytes >= 0 && !Number.isNaN(sizeBytes), () => `a block of ${sizeBytes} bytes`);
      if (content !== null && content.buffer === input.buffer)
        must(
          content.byteOffset + sizeBytes <= input.byteOffset + input.byteLength,
          () => 'content outside the file',
        );
      must(
        Number.isInteger(Math.log2(alignment)) && alignmentOffset < alignment,
        () => `alignment ${alignment}`,
      );
      for (const { kind, offset, target } of edges) {
        const width = graph.architecture.edgeWidthBytes(kind);
        must(
          offset >= 0 && offset + width <= sizeBytes,
          () => `an edge at ${offset} of a block of ${sizeBytes} bytes`,
        );
        must(
          target.block === null || target.block.section.blocks.length > 0,
          () => 'an edge to a block that is nowhere',
        );
      }
    }
  for (const { kind, block, offset } of graph.symbols)
    if (kind === 'defined')
      must(
        block !== null && offset >= 0 && offset <= block.sizeBytes,
        () => `a symbol at ${offset} outside its block`,
      );
}

/** The planted bug: where a section is aligned to more than a page, one byte too many is taken for its content. */
class CarelessObject extends ElfObject {
  override content(section: ElfSection): Uint8Array {
    const extra = section.alignment > 4096 ? 1 : 0;
    return this.bytes.subarray(section.offset, section.offset + section.sizeBytes + extra);
  }
}

function buildCarelessly(object: Uint8Array, name: string): LinkGraph {
  return new ElfLinkGraphBuilder(new CarelessObject(name, object), elfX86_64).build();
}
