import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { LinkError } from '../../src/jitlink/errors.js';
import { Edge, LinkGraph, LinkSymbol } from '../../src/jitlink/link-graph.js';
import { x86_64 } from '../../src/jitlink/x86_64.js';
import {
  type EdgeKindSpec,
  edgeKindName,
  edgeSpec,
  edgeValueLimits,
  X86_64_EDGES,
} from '../../src/jitlink/x86_64-edges.js';

const FIXUP_OFFSET = 4;
const BLOCK_ADDRESS = 0x7f00_1000_0000n;
const FIXUP_ADDRESS = BLOCK_ADDRESS + BigInt(FIXUP_OFFSET);
const GOT_ADDRESS = 0x7f00_2000_0000n;

const SPECS = Object.entries<EdgeKindSpec>(X86_64_EDGES);
const isRequest = ({ becomes }: EdgeKindSpec) => becomes !== undefined;

/** Applies one edge whose value comes to `value`; gives the bytes around and in the field. */
function applyWithValue(spec: EdgeKindSpec, value: bigint, addend = 0n): Uint8Array {
  const graph = new LinkGraph('limits', x86_64);
  const content = new Uint8Array(16).fill(0xaa);
  const block = graph.addBlock(graph.section('.text', 'code'), content, content.byteLength);
  block.address = toExecutorAddr(BLOCK_ADDRESS);
  graph.gotSymbol = new LinkSymbol({ name: 'GOT', kind: 'absolute', address: toExecutorAddr(GOT_ADDRESS) });
  const base = value - addend;
  const target = new LinkSymbol({ name: 'foo', kind: 'absolute' });
  let extra = 0n;
  switch (spec.expression) {
    case 'S + A':
      target.resolve(toExecutorAddr(BigInt.asUintN(64, base)));
      break;
    case 'S + A - P':
      target.resolve(toExecutorAddr(BigInt.asUintN(64, base + FIXUP_ADDRESS)));
      break;
    case 'P - S + A':
      target.resolve(toExecutorAddr(BigInt.asUintN(64, FIXUP_ADDRESS - base)));
      break;
    case 'S + A - GOT':
      target.resolve(toExecutorAddr(BigInt.asUintN(64, base + GOT_ADDRESS)));
      break;
    case 'Z + A':
      // A size is no negative number; the addend is.
      target.sizeBytes = base < 0n ? 0 : Number(base);
      extra = base < 0n ? base : 0n;
      break;
    default:
      throw new Error(`${spec.expression} is a request`);
  }
  block.edges.push(new Edge(spec.kind, FIXUP_OFFSET, target, addend + extra));
  x86_64.applyFixups(graph, block);
  return content;
}

function field(content: Uint8Array, widthBytes: number): bigint {
  let value = 0n;
  for (let i = widthBytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(content[FIXUP_OFFSET + i] ?? 0);
  return value;
}

for (const [name, spec] of SPECS.filter(([, spec]) => !isRequest(spec))) {
  const bits = spec.widthBytes * 8;
  const { min, max } = edgeValueLimits(spec);
  const limits: readonly bigint[] =
    spec.range === 'any' ? [-(2n ** 63n), 2n ** 63n - 1n] : [BigInt(min), BigInt(max)];

  test(`${name}: the smallest and the largest value fit, in ${spec.widthBytes} bytes and no other`, (t) => {
    for (const value of [...limits, 0n, 1n])
      for (const addend of [0n, -4n, 100n]) {
        if (spec.expression === 'Z + A' && spec.range === 'any' && value === limits[1]) continue;
        const content = applyWithValue(spec, value, addend);
        t.is(field(content, spec.widthBytes), BigInt.asUintN(bits, value));
        t.true(content.subarray(0, FIXUP_OFFSET).every((byte) => byte === 0xaa));
        t.true(content.subarray(FIXUP_OFFSET + spec.widthBytes).every((byte) => byte === 0xaa));
      }
  });

  if (spec.range === 'any') continue;
  test(`${name}: one less and one more overflow`, (t) => {
    for (const value of [BigInt(min) - 1n, BigInt(max) + 1n, -(2n ** 62n), 2n ** 62n]) {
      if (spec.expression === 'Z + A' && value > 2n ** 53n) continue;
      const error = t.throws(() => applyWithValue(spec, value), { instanceOf: LinkError });
      t.is(error?.code, 'LINK_ERROR');
      t.is(error?.reason, 'out-of-range');
      t.like(error?.details, {
        graph: 'limits',
        section: '.text',
        symbol: 'foo',
        edgeKind: name,
        fixupAddress: FIXUP_ADDRESS,
      });
      t.regex(
        error?.message ?? '',
        /^In graph limits, section \.text: relocation target 0x[0-9a-f]+ "foo" is out of range of \w+ fixup at 0x7f0010000004/,
      );
    }
  });
}

test('kinds are numbered without gaps, and found by number and by name', (t) => {
  t.deepEqual(
    SPECS.map(([, { kind }]) => kind),
    SPECS.map((_, i) => i + 1),
  );
  for (const [name, spec] of SPECS) {
    t.is(edgeSpec(spec.kind), spec);
    t.is(edgeKindName(spec.kind), name);
  }
  t.is(edgeKindName(0), 'KeepAlive');
  t.is(edgeSpec(0), undefined);
});

test('every request becomes a kind of its own width and range that is no request', (t) => {
  const table: Readonly<Record<string, EdgeKindSpec>> = X86_64_EDGES;
  for (const [name, spec] of SPECS.filter(([, spec]) => isRequest(spec))) {
    const becomes = table[spec.becomes ?? ''];
    t.is(becomes?.widthBytes, spec.widthBytes, name);
    t.is(becomes?.range, spec.range, name);
    t.is(becomes?.becomes, undefined, name);
  }
});

test('sums wrap as addresses do', (t) => {
  // A symbol in the upper half of the address space is a small negative number to a sign-extended field.
  const content = applyWithValue(X86_64_EDGES.Pointer32Signed, -0x1000n);
  t.is(field(content, 4), 0xffff_f000n);
});

test('the size of an external symbol is not known', (t) => {
  const graph = new LinkGraph('sizes', x86_64);
  const block = graph.addBlock(graph.section('.data', 'data'), new Uint8Array(8), 8);
  const target = new LinkSymbol({ name: 'foo', kind: 'external' });
  block.edges.push(new Edge(X86_64_EDGES.Size32.kind, 0, target, 0n));
  const error = t.throws(() => x86_64.applyFixups(graph, block), { instanceOf: LinkError });
  t.is(error?.reason, 'unsupported');
  t.regex(error?.message ?? '', /size of "foo"/);
});
