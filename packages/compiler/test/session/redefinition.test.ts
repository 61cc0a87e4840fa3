import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { gate } from '../gate.js';
import { addressesFor, openScripted, partNamed } from './session-fixture.js';
import { dataUnit, functionUnit } from './units.js';

/** Code of one of the small functions here, as the slab counts it. */
const FUNCTION_BYTES = 64;

test('a redefinition while the old definition is compiled lands in the new one and leaves nothing of the old', async (t) => {
  const { session, enter, codeBytes, linkedOf } = await openScripted(t);
  const { wait, reached, open } = gate();
  session.define(functionUnit('f', { calls: ['g'], before: wait }));
  session.define(functionUnit('g'));
  const entered = enter('f');
  await reached;
  const replacement = functionUnit('f');
  session.define(replacement);
  open();
  const answer = await entered;
  t.is(answer.outcome, 'landed');
  const [part] = session.materializations.partsOf(replacement);
  if (answer.outcome === 'landed')
    t.is(answer.landing, (await linkedOf(part))?.symbols.get('f$impl')?.address ?? toExecutorAddr(0));
  t.is(await codeBytes(), FUNCTION_BYTES);
  t.is(session.stubs.findStub(session.mainDylib.ref('g'))?.referenceCount ?? 0, 0);
});

test('a redefinition is landed in although the old definition then fails to compile', async (t) => {
  const { session, enter } = await openScripted(t);
  const { wait, reached, fail } = gate();
  session.define(functionUnit('f', { before: wait }));
  const entered = enter('f');
  await reached;
  session.define(functionUnit('f'));
  fail(new Error('the old text means nothing'));
  t.is((await entered).outcome, 'landed');
});

test('a function removed while it is compiled fails its callers and leaves nothing', async (t) => {
  const { session, enter, codeBytes, host } = await openScripted(t);
  const { wait, reached, open } = gate();
  const unit = functionUnit('f', { calls: ['g'], before: wait });
  session.define(unit);
  session.define(functionUnit('g'));
  const entered = enter('f');
  await reached;
  session.remove(unit);
  open();
  const answer = await entered;
  t.is(answer.outcome, 'failed');
  if (answer.outcome === 'failed') t.regex(answer.message, /f has been removed/);
  t.is(await codeBytes(), 0);
  t.is(session.stubs.findStub(session.mainDylib.ref('g'))?.referenceCount ?? 0, 0);
  t.is(session.stubs.findStub(session.mainDylib.ref('f')), undefined);
  await session.flush();
  t.deepEqual(
    host.commits.flatMap(({ segments }) => segments),
    [],
  );
});

test('a function is compiled again when the type of one that it calls changes while it is compiled', async (t) => {
  const { session, enter, codeBytes } = await openScripted(t);
  const { wait, reached, open } = gate();
  let compilations = 0;
  const unit = functionUnit('f', {
    calls: ['g'],
    before: () => {
      compilations++;
      return compilations === 1 ? wait() : Promise.resolve();
    },
  });
  session.define(functionUnit('g'));
  session.define(unit);
  const entered = enter('f');
  await reached;
  session.definitions.noteTypeChanged('g');
  open();
  t.is((await entered).outcome, 'landed');
  t.is(compilations, 2);
  t.is(await codeBytes(), FUNCTION_BYTES);
});

test('a callee removed while its caller is linked does not leave the caller with a stub of another name', async (t) => {
  const { wait, reached, open } = gate();
  const { session, enter, linkedOf } = await openScripted(t, {
    lookupSymbols: async ({ names }) => {
      await wait();
      return { addresses: names.map(() => toExecutorAddr(0x5000)) };
    },
  });
  const callee = functionUnit('callee');
  session.define(callee);
  session.define(functionUnit('caller', { calls: ['callee', 'outside'] }));
  const entered = enter('caller');
  await reached;
  session.remove(callee);
  session.define(functionUnit('other'));
  const other = session.stubs.createStub(session.mainDylib.ref('other'));
  open();
  await entered;
  const part = partNamed(session, 'caller');
  // `callee` is what `outside` is now: a function of the process.
  t.deepEqual(
    (await linkedOf(part))?.stubs.map(({ name }) => name),
    [],
  );
  t.deepEqual([...((await linkedOf(part))?.directNames ?? [])].sort(), ['callee', 'outside']);
  t.is(other.referenceCount, 0);
});

test('a name defined while its caller is linked to the process is called through its stub', async (t) => {
  const { wait, reached, open } = gate();
  const { session, enter, linkedOf } = await openScripted(t, {
    lookupSymbols: async ({ names }) => {
      await wait();
      return { addresses: names.map(() => toExecutorAddr(0x5000)) };
    },
  });
  const caller = functionUnit('caller', { calls: ['fabs'] });
  session.define(caller);
  const entered = enter('caller');
  await reached;
  session.define(functionUnit('fabs'));
  open();
  t.is((await entered).outcome, 'landed');
  const [part] = session.materializations.partsOf(caller);
  t.deepEqual(
    (await linkedOf(part))?.stubs.map(({ name }) => name),
    ['fabs'],
  );
  t.deepEqual((await linkedOf(part))?.directNames, []);
});

test('a name missing when it was looked up but defined before the answer is no error', async (t) => {
  const { wait, reached, open } = gate();
  const { session, enter } = await openScripted(t, {
    lookupSymbols: async ({ names }) => {
      await wait();
      return { addresses: names.map(() => toExecutorAddr(0)) };
    },
  });
  session.define(functionUnit('caller', { calls: ['late'] }));
  const entered = enter('caller');
  await reached;
  session.define(functionUnit('late'));
  open();
  t.is((await entered).outcome, 'landed');
});

test('a name defined while its caller is compiled takes over from the process symbol it was compiled for', async (t) => {
  const { session, enter } = await openScripted(t, { lookupSymbols: addressesFor({ fabs: 0x5000n }) });
  const { wait, reached, open } = gate();
  let compilations = 0;
  const caller = functionUnit('caller', {
    calls: ['fabs'],
    before: () => {
      compilations++;
      return compilations === 1 ? wait() : Promise.resolve();
    },
  });
  session.define(caller);
  const entered = enter('caller');
  await reached;
  session.define(functionUnit('fabs'));
  open();
  t.is((await entered).outcome, 'landed');
  // The compiler may know a function of libc by heart, so the object of the first time is of no use.
  t.is(compilations, 2);
});

test('data that is linked again takes along those that hold its address', async (t) => {
  const { session, enter, linkedOf } = await openScripted(t, {
    lookupSymbols: addressesFor({ sin: 0x5000n }),
  });
  session.define(dataUnit('pointer', 'sin'));
  const reader = functionUnit('reader', { loads: ['pointer'] });
  session.define(reader);
  t.is((await enter('reader')).outcome, 'landed');
  session.define(functionUnit('sin'));
  const [part] = session.materializations.partsOf(reader);
  t.is(await linkedOf(part), undefined);
  await session.flush();
  t.is((await enter('reader')).outcome, 'landed');
});

test('stubs are given back after a runner was lost', async (t) => {
  const { session, enter, host } = await openScripted(t);
  const f = functionUnit('f', { calls: ['g'] });
  const g = functionUnit('g');
  session.define(f);
  session.define(g);
  await enter('f');
  t.is(session.stubs.findStub(session.mainDylib.ref('g'))?.referenceCount, 1);
  for (const _ of [1, 2, 3]) {
    host.loseRunner({ kind: 'exit', status: 1 });
    await new Promise(setImmediate);
    await session.runner();
    await enter('f');
    t.is(session.stubs.findStub(session.mainDylib.ref('g'))?.referenceCount, 1);
  }
  session.remove(f);
  session.remove(g);
  t.deepEqual([...session.stubs.stubs()], []);
});

test('a call that a lost runner was slow to end gives nothing away in the next one', async (t) => {
  const { wait, reached, open } = gate();
  const { session, host } = await openScripted(t);
  session.define(functionUnit('f'));
  session.stubs.createStub(session.mainDylib.ref('f'));
  // Preparing takes long: the runner is lost, and its successor is in use, before the first knows.
  const slow = session.call('slow', async () => {
    await wait();
    throw new Error('not now');
  });
  await reached;
  const first = session.mainDylib.find('f');
  if (first) session.remove(first);
  host.loseRunner({ kind: 'exit', status: 1 });
  await new Promise(setImmediate);
  const f = functionUnit('f');
  session.define(f);
  const second = gate();
  const running = session.call('f', async () => {
    const symbol = await session.findSymbol('f');
    await second.wait();
    return { entry: symbol?.address ?? toExecutorAddr(0), block: new Uint8Array(8) };
  });
  await second.reached;
  const before = session.stubs.findStub(session.mainDylib.ref('f'))?.index;
  session.remove(f);
  open();
  await t.throwsAsync(slow, { message: 'not now' });
  session.define(functionUnit('g'));
  t.not(session.stubs.createStub(session.mainDylib.ref('g')).index, before);
  second.open();
  await running;
});
