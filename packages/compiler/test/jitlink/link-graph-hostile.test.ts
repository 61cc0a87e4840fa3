import test from 'ava';
import { LinkError } from '../../src/jitlink/errors.js';
import { LinkGraph, LinkSymbol } from '../../src/jitlink/link-graph.js';
import { writeLinkGraph } from '../../src/jitlink/link-graph-file.js';
import { readLinkGraph } from '../../src/jitlink/link-graph-reader.js';
import { x86_64 } from '../../src/jitlink/x86_64/x86_64.js';

const HEADER_BYTES = 48;
const SYMBOL_BYTES = 32;

test('names that overlap are refused, before a file of megabytes makes gigabytes of them', (t) => {
  const graph = new LinkGraph('g', x86_64);
  const count = 100;
  for (let i = 0; i < count; i++)
    graph.addSymbol(new LinkSymbol({ name: `${'n'.repeat(1000)}${i}`, kind: 'external', scope: 'default' }));
  const written = writeLinkGraph(graph);
  if (!written) return t.fail('not written');
  t.is(readLinkGraph(written).symbols.length, count);
  const view = new DataView(written.buffer, written.byteOffset, written.byteLength);
  const stringBytes = view.getUint32(28, true);
  for (let i = 0; i < count; i++) {
    const symbol = HEADER_BYTES + i * SYMBOL_BYTES;
    view.setUint32(symbol, i, true);
    view.setUint32(symbol + 4, stringBytes - count, true);
  }
  t.throws(() => readLinkGraph(written), { instanceOf: LinkError, message: /names overlap/ });
});
