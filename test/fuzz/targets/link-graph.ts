import { LinkError } from '@farjit/compiler';
import { buildLinkGraph } from '#compiler/src/jitlink/elf/elf.js';
import { link } from '#compiler/src/jitlink/link.js';
import type { LinkGraph } from '#compiler/src/jitlink/link-graph.js';
import { writeLinkGraph } from '#compiler/src/jitlink/link-graph-file.js';
import { readLinkGraph } from '#compiler/src/jitlink/link-graph-reader.js';
import { splitGraph } from '#compiler/src/jitlink/split.js';
import { objects } from '../corpus.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';
import { fakeSession, mustBeSound, OutOfMemory } from './elf.js';

const HEADER_BYTES = 48;
const VALUES = [0, 1, 2, 3, 4, 8, 16, 24, 64, 4096, 2 ** 20, 2 ** 30, 2 ** 31, 2 ** 32 - 1];

/** The reader of link graphs that were kept on disk, and linking what it read. */
export const linkGraph: TargetFactory = {
  name: 'link-graph',
  longInputs: 1_000_000,
  shortInputs: 2000,
  create: ({ planted = false } = {}) => new LinkGraphFile(planted ? readWithWrongSizes : readLinkGraph),
};

class LinkGraphFile implements FuzzTarget {
  readonly name = 'link-graph';
  readonly stages = ['refused by the reader', 'refused by the linker', 'linked'];
  readonly #files = keptGraphs();
  readonly #read: (bytes: Uint8Array) => LinkGraph;

  constructor(read: (bytes: Uint8Array) => LinkGraph) {
    this.#read = read;
  }

  generate(random: Random): Uint8Array {
    const file = random.pick(this.#files);
    if (random.oneIn(8)) return mutateBytes(file, random, { others: this.#files });
    const mutant = file.slice();
    const view = new DataView(mutant.buffer);
    for (let count = 1 + random.below(2); count > 0; count--) {
      // Nearly everything in the header has to agree with the rest.
      const first = random.oneIn(8) ? 0 : HEADER_BYTES / 4;
      const at = 4 * (first + random.below((view.byteLength >> 2) - first));
      view.setUint32(at, changed(view, at, random), true);
    }
    return mutant;
  }

  async run(input: Uint8Array): Promise<string> {
    try {
      mustBeSound(this.#read(input), input);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      mustBePrintable(error.message);
      return 'refused by the reader';
    }
    // What was read is written again as it was understood, and means the same.
    const written = writeLinkGraph(this.#read(input));
    if (written) {
      const again = writeLinkGraph(readLinkGraph(written));
      must(
        again !== undefined && Buffer.compare(again, written) === 0,
        () => 'a graph changes when it is kept',
      );
    }
    try {
      await link(this.#read(input), fakeSession());
    } catch (error) {
      if (!(error instanceof LinkError) && !(error instanceof OutOfMemory)) throw error;
      mustBePrintable(error.message);
      return 'refused by the linker';
    }
    return 'linked';
  }
}

function changed(view: DataView, at: number, random: Random): number {
  const before = view.getUint32(at, true);
  switch (random.below(4)) {
    case 0:
      return before + random.pick([-1, 1, -4, 4]);
    case 1:
      return before ^ (1 << random.below(32));
    case 2:
      return view.getUint32(4 * random.below(view.byteLength >> 2), true);
    default:
      return random.pick(VALUES);
  }
}

function keptGraphs(): Uint8Array[] {
  const graphs = objects().flatMap((object) => [
    buildLinkGraph(object, 'kept.o'),
    ...splitGraph(buildLinkGraph(object, 'kept.o')),
  ]);
  return graphs.flatMap((graph) => {
    const written = writeLinkGraph(graph);
    // A Buffer's slice would be a view.
    return written ? [new Uint8Array(written)] : [];
  });
}

/** The planted bug: a symbol's size is believed, so that it reaches over the end of its block. */
function readWithWrongSizes(bytes: Uint8Array): LinkGraph {
  const graph = readLinkGraph(bytes);
  for (const symbol of graph.symbols) if (symbol.callable && symbol.sizeBytes === 0) symbol.offset += 2 ** 20;
  return graph;
}
