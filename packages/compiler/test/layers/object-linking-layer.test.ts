import test from 'ava';
import { OutOfExecutorMemoryError } from '../../src/core/errors.js';
import { LinkError } from '../../src/jitlink/errors.js';
import { gate } from '../gate.js';
import { addressesFor, openScripted, partNamed } from '../session/session-fixture.js';
import { dataUnit, functionUnit, unitOf } from '../session/units.js';

test('a part is linked once per runner', async (t) => {
  const { session, call, host } = await openScripted(t);
  let linked = 0;
  session.events.subscribe(({ type }) => {
    if (type === 'linked') linked++;
  });
  const f = functionUnit('f');
  await Promise.all([call(f, 'f'), call(f, 'f')]);
  t.is(linked, 1);
  host.loseRunner({ kind: 'exit', status: 0 });
  await new Promise(setImmediate);
  await call(f, 'f');
  t.is(linked, 2);
  t.is(session.statistics.snapshot().functionsCompiled, 1);
});

test('calls go through stubs: linking a function links no other', async (t) => {
  const { session, enter, linkedOf } = await openScripted(t);
  const callee = functionUnit('callee');
  session.define(functionUnit('caller', { calls: ['callee', 'caller'] }));
  session.define(callee);
  await enter('caller');
  t.is(session.materializations.partsOf(callee).size, 0);
  const [part] = [partNamed(session, 'caller')];
  t.deepEqual((await linkedOf(part))?.stubs.map(({ name }) => name).sort(), ['callee', 'caller']);
});

test('data is linked along with what refers to it, in a circle too, in one message', async (t) => {
  const { session, enter, host } = await openScripted(t);
  session.define(dataUnit('a', 'b'));
  session.define(dataUnit('b', 'c'));
  session.define(dataUnit('c', 'a'));
  session.define(functionUnit('reader', { loads: ['a'] }));
  const before = host.commits.length;
  const answer = await enter('reader');
  t.is(answer.outcome, 'landed');
  t.is(host.commits.length, before + 1);
  const segments = host.commits.at(-1)?.segments ?? [];
  const { linked } = await session.runner();
  const addressOf = (name: string) => {
    const part = partNamed(session, name);
    return (part && linked.get(part)?.symbols.get(name)?.address) ?? 0n;
  };
  for (const [name, held] of [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'a'],
  ] as const) {
    const isIn = ({ address, content }: (typeof segments)[number]) =>
      address <= addressOf(name) && addressOf(name) + 8n <= address + BigInt(content.byteLength);
    const segment = segments.find(isIn);
    const offset = Number(addressOf(name) - (segment?.address ?? 0n));
    t.is(segment && Buffer.from(segment.content).readBigUInt64LE(offset), addressOf(held), name);
  }
});

test('data that is linked already stays where it is', async (t) => {
  const { session, enter, linkedOf } = await openScripted(t);
  session.define(dataUnit('a'));
  session.define(functionUnit('f', { loads: ['a'] }));
  session.define(functionUnit('g', { loads: ['a'] }));
  await enter('f');
  const linked = await linkedOf(partNamed(session, 'a'));
  await enter('g');
  t.is(await linkedOf(partNamed(session, 'a')), linked);
});

test('a name that becomes other data, of a runner that is gone, while it is linked, gets its place in the new one', async (t) => {
  const { session, host, call, enter, linkedOf } = await openScripted(t);
  const old = unitOf('d', '.data\n.globl d\n.globl e\nd: .quad 1\ne: .quad 2', { data: ['d', 'e'] });
  session.define(old);
  await call(functionUnit('f', { loads: ['d'] }), 'f');
  // Still the definition of `e`, so its object is not given up.
  session.define(dataUnit('d'));
  host.loseRunner({ kind: 'exit', status: 0 });
  await new Promise(setImmediate);
  const runner = await session.runner();
  // Fill the place that it had, so that it gets another.
  runner.allocate('data', 4096, 64);
  const reader = functionUnit('reader', { loads: ['aa', 'd'] });
  session.define(reader);
  // While the group waits for an address, the name goes back to the old unit.
  host.answers.lookupSymbols = (asked) => {
    session.define(old);
    return addressesFor({ aa: 0x5000n })(asked);
  };
  t.is((await enter('reader')).outcome, 'landed');
  const place = (await linkedOf(session.materializations.knownPart(old, 'd')))?.symbols.get('d');
  t.truthy(place, 'the data is linked in the new runner');
});

test('all names that a group needs of the process are looked up in one round trip', async (t) => {
  const { session, enter, host } = await openScripted(t, {
    lookupSymbols: addressesFor({ sin: 0x5000n, cos: 0x6000n }),
  });
  session.define(dataUnit('a', 'sin'));
  session.define(functionUnit('f', { loads: ['a'], calls: ['cos', 'sin'] }));
  t.is((await enter('f')).outcome, 'landed');
  t.is(host.askedFor('lookupSymbols'), 1);
});

test('links whose names are looked up at the same time ask for each once, and keep no other link waiting', async (t) => {
  const { wait, reached, open } = gate();
  const asked: string[][] = [];
  const { session, call, enter } = await openScripted(t, {
    lookupSymbols: async ({ names }) => {
      asked.push(names);
      await wait();
      return addressesFor({ sin: 0x5000n, cos: 0x6000n })({ names });
    },
  });
  const linked: string[] = [];
  session.events.subscribe((event) => {
    if (event.type === 'linked') linked.push(event.unit);
  });
  const f = functionUnit('f', { calls: ['sin'] });
  session.define(functionUnit('g', { calls: ['sin', 'cos'] }));
  session.define(functionUnit('h'));
  const calls = [call(f, 'f'), call(f, 'f')];
  const entered = enter('g');
  await reached;
  t.is((await enter('h')).outcome, 'landed');
  t.deepEqual(linked, ['h']);
  open();
  await Promise.all(calls);
  t.is((await entered).outcome, 'landed');
  t.deepEqual(linked.sort(), ['f', 'g', 'h']);
  // Whichever was first.
  t.deepEqual(asked.flat().sort(), ['cos', 'sin']);
});

test('data that is linked while another group waits for it is not linked again', async (t) => {
  const { wait, reached, open } = gate();
  const { session, enter, linkedOf } = await openScripted(t, {
    lookupSymbols: async ({ names }) => {
      await wait();
      return addressesFor({ sin: 0x5000n })({ names });
    },
  });
  let linked = 0;
  session.events.subscribe((event) => {
    if (event.type === 'linked' && event.unit === 'd') linked++;
  });
  session.define(dataUnit('d'));
  session.define(functionUnit('f', { calls: ['sin'], loads: ['d'] }));
  session.define(functionUnit('g', { loads: ['d'] }));
  const waiting = enter('f');
  await reached;
  t.is((await enter('g')).outcome, 'landed');
  const place = await linkedOf(partNamed(session, 'd'));
  open();
  t.is((await waiting).outcome, 'landed');
  t.is(await linkedOf(partNamed(session, 'd')), place);
  t.is(linked, 1);
});

test('a group that lacks a name gives back all memory and queues nothing', async (t) => {
  const { session, enter, host } = await openScripted(t);
  session.define(dataUnit('a', 'missing'));
  session.define(functionUnit('f', { loads: ['a'] }));
  const answer = await enter('f');
  t.true(answer.outcome === 'failed' && answer.message.includes('"missing"'), JSON.stringify(answer));
  const runner = await session.runner();
  for (const prot of ['code', 'constant', 'data'] as const) t.is(runner.allocatedBytes(prot), 0, prot);
  t.true(runner.commits.isEmpty);
  t.deepEqual(host.commits, []);
  // The same function works once what it misses is there.
  session.define(dataUnit('missing'));
  t.is((await enter('f')).outcome, 'landed');
});

test('a group that lacks a name gives its counters back', async (t) => {
  const { session, enter, linkedOf } = await openScripted(t);
  session.define(functionUnit('f', { calls: ['missing'], isCounted: true }));
  for (let attempt = 0; attempt < 3; attempt++) t.is((await enter('f')).outcome, 'failed');
  session.define(functionUnit('g', { isCounted: true }));
  await enter('g');
  const linked = await linkedOf(partNamed(session, 'g'));
  const counter = linked && session.counters.counterOf(linked);
  // The first in its page, after the threshold.
  t.is((counter ?? 0n) % 4096n, 4n);
});

test('a call that lacks a name rejects with the LinkError itself', async (t) => {
  const { call } = await openScripted(t);
  const error = await t.throwsAsync(call(functionUnit('f', { calls: ['missing'] }), 'f'), {
    instanceOf: LinkError,
  });
  t.deepEqual(error?.details.names, ['missing']);
});

test('a group for which there is no room gives back what it got', async (t) => {
  const { session, enter, codeBytes } = await openScripted(t);
  session.define(
    unitOf('huge', '.bss\n.globl huge\n.type huge,@object\nhuge: .zero 0x1000000', { data: ['huge'] }),
  );
  session.define(functionUnit('f', { loads: ['huge'] }));
  const answer = await enter('f');
  t.is(answer.outcome, 'failed');
  if (answer.outcome === 'failed') t.regex(answer.message, /no 16777216 bytes of data memory left/);
  t.is(await codeBytes(), 0);
  await t.throwsAsync(session.findSymbol('huge'), { instanceOf: OutOfExecutorMemoryError });
});

test('reused code memory is synchronised, fresh memory is not', async (t) => {
  const { session, call, host } = await openScripted(t);
  const f = functionUnit('f');
  const invalidated = () =>
    host.commits.at(-1)?.actions.filter(({ action }) => action === 'invalidateInstructionCache').length;
  await call(f, 'f');
  t.is(invalidated(), 0);
  session.discard(f);
  await session.flush();
  await call(functionUnit('g'), 'g');
  t.is(invalidated(), 1);
});
