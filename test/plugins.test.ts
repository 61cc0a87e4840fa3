import { MaterializationError, type ObjectLinkingPlugin } from '@farjit/compiler';
import { formatAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { openJIT } from './jit-fixture.js';

test('a plugin sees graphs before and after pruning and after fixups, where they went, and that they go', async (t) => {
  const said: string[] = [];
  const plugin: ObjectLinkingPlugin = {
    prePrune: (graph, { unit }) => {
      const symbol = graph.findDefinition('f$impl') ?? graph.findDefinition('f');
      said.push(`prePrune ${unit.name}: ${symbol?.name}`);
    },
    postPrune: (graph, { unit }) => {
      // Only now the function has the name that its stub leads to.
      said.push(`postPrune ${unit.name}: ${graph.findDefinition('f$impl')?.kind}`);
    },
    postFixup: (graph, { unit }) => {
      const definition = graph.findDefinition('f$impl');
      said.push(`postFixup ${unit.name}: ${definition && definition.address > 0n ? 'placed' : 'nowhere'}`);
    },
    emitted: ({ part, symbols, allocations }, { segments }) => {
      const address = symbols.get('f$impl')?.address ?? 0n;
      const isInside = allocations.some(
        (range) => range.address <= address && address < range.address + BigInt(range.sizeBytes),
      );
      said.push(`emitted ${part.unit.name}: ${isInside}, ${segments.length > 0}`);
    },
    removing: ({ part }, _runner, done) => {
      said.push(`removing ${part.unit.name}`);
      done();
    },
  };
  const { jit } = await openJIT(t, { plugins: [plugin], optLevel: 0 });
  await jit.addSource('def f(x) x + 1;');
  t.deepEqual(said, []);
  const f = await jit.lookup('f');
  t.is(await f(1), 2);
  const ofF = () => said.filter((line) => / f(:|$)/.test(line));
  t.deepEqual(ofF(), [
    'prePrune f: f$impl',
    'postPrune f: defined',
    'postFixup f: placed',
    'emitted f: true, true',
  ]);
  await jit.addSource('def f(x) x + 2;');
  t.is(await f(1), 3);
  t.is(ofF().filter((line) => line === 'removing f').length, 1);
  t.is(ofF().filter((line) => line === 'emitted f: true, true').length, 2);
});

test('what a plugin throws fails the call that needs the link, and nothing is taken', async (t) => {
  let isBroken = true;
  const failed: string[] = [];
  for (const hook of ['prePrune', 'postPrune', 'postFixup', 'emitted'] as const) {
    isBroken = true;
    const refuse = () => {
      if (isBroken) throw new Error(`${hook} refuses`);
    };
    const plugin: ObjectLinkingPlugin = { [hook]: refuse, failed: ({ unit }) => failed.push(unit.name) };
    const { jit } = await openJIT(t, { plugins: [plugin], optLevel: 0, speculate: 'off' });
    await jit.addSource('def f(x) x + 1;');
    const before = jit.allocatedBytes;
    const f = await jit.lookup('f');
    const error = await t.throwsAsync(f(1));
    t.regex(String((error as Error).cause ?? error), new RegExp(`${hook} refuses`));
    t.is(jit.allocatedBytes, before, hook);
    isBroken = false;
    t.is(await f(1), 2);
  }
  // The wrapper of the call, which is the first that is linked.
  t.true(failed.length >= 2);
  t.is(new Set(failed).size, 1);
});

test('a plugin gives addresses to names of its own', async (t) => {
  const asked: string[] = [];
  let where = '';
  const plugin: ObjectLinkingPlugin = {
    ownNames: ({ unit }) => (unit.name === 'f' ? ['elsewhere'] : []),
    resolve: ({ unit }, runner) => {
      if (unit.name !== 'f') return new Map();
      asked.push(unit.name);
      const sine = runner.processSymbol('sin');
      if (sine === undefined) return new Map();
      where = formatAddr(sine);
      return new Map([['elsewhere', sine]]);
    },
  };
  const { jit } = await openJIT(t, { plugins: [plugin], optLevel: 0 });
  await jit.addSource('extern elsewhere(x); def f(x) elsewhere(x); extern sin(x);');
  const f = await jit.lookup('f');
  // Nobody has asked for `sin` yet, so the plugin knows no address.
  await t.throwsAsync(f(0), { instanceOf: MaterializationError, message: /elsewhere/ });
  const sin = await jit.lookup('sin');
  t.is(await sin(0), 0);
  t.is(await f(1), Math.sin(1));
  t.deepEqual(asked, ['f', 'f']);
  t.not(where, '');
});
