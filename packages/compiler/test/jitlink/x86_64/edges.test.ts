import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { LinkError } from '../../../src/jitlink/errors.js';
import { Edge, LinkGraph, LinkSymbol } from '../../../src/jitlink/link-graph.js';
import {
  type EdgeKindSpec,
  edgeKindName,
  edgeSpec,
  X86_64_EDGES,
  type X86_64EdgeName,
} from '../../../src/jitlink/x86_64/edges.js';
import { x86_64 } from '../../../src/jitlink/x86_64/x86_64.js';

const FIXUP_OFFSET = 4;
const BLOCK_ADDRESS = 0x7f00_1000_0000n;
const FIXUP_ADDRESS = BLOCK_ADDRESS + BigInt(FIXUP_OFFSET);
const GOT_ADDRESS = 0x7f00_2000_0000n;
const THREAD_POINTER = 0x7f00_3000_0000n;

const SIGNED_32 = [-0x8000_0000n, 0x7fff_ffffn] as const;
const ANY = [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn] as const;

/**
 * The field's bytes, and the smallest and the largest value that fit it: psABI for AMD64, 4.4.1 and B.2. Of 8 and 16 bits
 * it says only that they are truncated; addresses of so many bits are both signed and unsigned, distances signed, as other
 * linkers have it.
 */
const FIELDS: Partial<Record<X86_64EdgeName, readonly [widthBytes: number, min: bigint, max: bigint]>> = {
  Pointer64: [8, ...ANY],
  Pointer32: [4, 0n, 0xffff_ffffn],
  Pointer32Signed: [4, ...SIGNED_32],
  Pointer16: [2, -0x8000n, 0xffffn],
  Pointer8: [1, -0x80n, 0xffn],
  Delta64: [8, ...ANY],
  Delta32: [4, ...SIGNED_32],
  Delta16: [2, -0x8000n, 0x7fffn],
  Delta8: [1, -0x80n, 0x7fn],
  NegDelta32: [4, ...SIGNED_32],
  Size64: [8, ...ANY],
  Size32: [4, 0n, 0xffff_ffffn],
  Delta64FromGOT: [8, ...ANY],
  BranchPCRel32: [4, ...SIGNED_32],
  BranchPCRel32ToStub: [4, ...SIGNED_32],
  PCRel32GOTLoadRelaxable: [4, ...SIGNED_32],
  PCRel32GOTLoadREXRelaxable: [4, ...SIGNED_32],
  TPOffset32: [4, ...SIGNED_32],
  TPOffset64: [8, ...ANY],
  TLSModule64: [8, ...ANY],
  TLSOffset64: [8, ...ANY],
  Delta32FromGOT: [4, ...SIGNED_32],
};

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
  graph.threadPointer = toExecutorAddr(THREAD_POINTER);
  const { threadLocal = false } = spec;
  const target = new LinkSymbol({ name: 'foo', kind: 'absolute', threadLocal });
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
    case 'S + A - TP':
      target.resolve(toExecutorAddr(BigInt.asUintN(64, base + THREAD_POINTER)));
      break;
    case 'M':
    case 'O + A':
      // A module has no addend.
      target.threadIndex = { module: value, offset: base };
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

test('every kind that is no request and no mere mark has a field', (t) => {
  const names = SPECS.filter(([, spec]) => !isRequest(spec) && spec.expression !== 'none').map(
    ([name]) => name,
  );
  t.deepEqual(Object.keys(FIELDS), names);
});

for (const [name, [widthBytes, min, max]] of Object.entries(FIELDS)) {
  const spec: EdgeKindSpec = X86_64_EDGES[name as X86_64EdgeName];
  const isWhole = widthBytes === 8;

  test(`${name}: the smallest and the largest value fit, in ${widthBytes} bytes and no other`, (t) => {
    for (const value of [min, max, 0n, 1n])
      for (const addend of [0n, -4n, 100n]) {
        if (spec.expression === 'Z + A' && isWhole && value === max) continue;
        const content = applyWithValue(spec, value, addend);
        t.is(field(content, widthBytes), BigInt.asUintN(widthBytes * 8, value));
        t.true(content.subarray(0, FIXUP_OFFSET).every((byte) => byte === 0xaa));
        t.true(content.subarray(FIXUP_OFFSET + widthBytes).every((byte) => byte === 0xaa));
      }
  });

  if (isWhole) continue;
  test(`${name}: one less and one more overflow`, (t) => {
    for (const value of [min - 1n, max + 1n, -(2n ** 62n), 2n ** 62n]) {
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
        /^limits, section \.text: relocation target 0x[0-9a-f]+ "foo" is out of range of \w+ fixup at 0x7f0010000004/,
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
