import test from 'ava';
import { BaselineCompiler } from '../../../../src/frontends/kaleidoscope/baseline/baseline-compiler.js';
import { writeLinkGraph } from '../../../../src/jitlink/link-graph-file.js';
import { readLinkGraph } from '../../../../src/jitlink/link-graph-reader.js';
import { onlyFunction } from '../parse.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };
const REQUEST = { target: TARGET, symbol: 'f$impl', entry: undefined, counting: undefined };

/** A function with so many variables that live at a time. */
function withVariables(count: number): string {
  const names = Array.from({ length: count }, (_, index) => `v${index}`);
  return `def f(x) var ${names.map((name) => `${name} = x`).join(', ')} in g(v0) + v${count - 1};`;
}

function listingOf(text: string): string | undefined {
  return new BaselineCompiler().list(onlyFunction(text), REQUEST);
}

test('a frame of pages touches each of them, and a smaller one none; one that is too large is left to LLVM', (t) => {
  const touched = (count: number) =>
    [...(listingOf(withVariables(count)) ?? '').matchAll(/testl %eax, (-\d+)\(%rbp\)/g)].map(([, at]) =>
      Number(at),
    );
  t.deepEqual(touched(100), []);
  t.deepEqual(touched(600), [-4096]);
  t.deepEqual(touched(1200), [-4096, -8192]);
  t.is(listingOf(withVariables(8500)), undefined);
  t.is(new BaselineCompiler().compile(onlyFunction(withVariables(8500)), REQUEST), undefined);
});

test('it makes code of x86-64 alone, and wrappers for doubles alone', (t) => {
  const compiler = new BaselineCompiler();
  const elsewhere = { ...TARGET, triple: 'aarch64-unknown-linux-gnu' };
  const fn = onlyFunction('def f(x) x;');
  t.truthy(compiler.compile(fn, REQUEST));
  t.is(compiler.compile(fn, { ...REQUEST, target: elsewhere }), undefined);
  const request = { target: TARGET, symbol: 'call' };
  t.truthy(compiler.wrapper({ result: 'double', parameters: ['double'] }, request));
  t.is(
    compiler.wrapper({ result: 'double', parameters: ['double'] }, { ...request, target: elsewhere }),
    undefined,
  );
  t.is(compiler.wrapper({ result: 'double', parameters: ['i32'] }, request), undefined);
  t.is(compiler.wrapper({ result: 'void', parameters: [] }, request), undefined);
  t.is(
    compiler.wrapper({ result: 'double', parameters: new Array(9000).fill('double') }, request),
    undefined,
  );
});

test('what it makes is the same each time, and stays so when it is kept', (t) => {
  const compiler = new BaselineCompiler();
  const fn = onlyFunction('def f(x) if x < 1 then f(x - 1) * 2 else for i = x, i < 3 in g(i, x);');
  const request = {
    ...REQUEST,
    entry: 'f$entry',
    counting: { counter: 'c', threshold: 't', function: 'count' },
  };
  const written = () => {
    const graph = compiler.compile(fn, request);
    return graph && writeLinkGraph(graph);
  };
  const first = written();
  compiler.compile(onlyFunction('def other(a b c) a * b + c;'), REQUEST);
  t.deepEqual(written(), first);
  t.deepEqual(first && writeLinkGraph(readLinkGraph(first)), first);
});

test('a chain as long as a program can be needs no stack, and no more of a frame', (t) => {
  const listing = listingOf(`def f(x) x${' + x * 2'.repeat(10_000)};`) ?? '';
  t.regex(listing, /subq \$16, %rsp/);
  t.is([...listing.matchAll(/addsd/g)].length, 10_000);
});

test('operands are in registers, and variables where they are', (t) => {
  const listing = listingOf('def f(x y) x * y - x;') ?? '';
  const body = listing
    .split('\n')
    .slice(4, -3)
    .map((line) => line.trim());
  t.deepEqual(body, [
    'movsd %xmm0, -8(%rbp)',
    'movsd %xmm1, -16(%rbp)',
    'movsd -8(%rbp), %xmm0',
    'mulsd -16(%rbp), %xmm0',
    'subsd -8(%rbp), %xmm0',
  ]);
});
