import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { ObjectPart } from '../../src/core/materialization-unit.js';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { gate } from '../gate.js';
import { assemble } from '../jitlink/toolchain.js';
import { openScripted } from './session-fixture.js';
import { functionUnit, unitOf } from './units.js';

test('better code that comes while a callback links the first lands the callback in it', async (t) => {
  const looking = gate();
  const optimizing = gate();
  const { session, host, enter, linkedOf } = await openScripted(t, {
    lookupSymbols: async ({ names }) => {
      // The second runner's callback is in the middle of linking.
      if (host.runner.generation > 1) await looking.wait();
      return { addresses: names.map(() => toExecutorAddr(0x5000)) };
    },
  });
  const f = functionUnit('f', { calls: ['outside'] });
  const better = new ObjectPart(f, () =>
    buildLinkGraph(assemble('.globl f\n.type f,@function\nf: ret'), 'better'),
  );
  session.tierUp.use({
    makeOptimized: async (_, onPlanned) => {
      onPlanned({ name: 'f', level: 2, available: [], dependencies: [] });
      await optimizing.wait();
      return { part: better, compiled: undefined };
    },
  });
  session.define(f);
  t.is((await enter('f')).outcome, 'landed');
  session.tierUp.noteHot(f);
  await optimizing.reached;
  host.loseRunner({ kind: 'exit', status: 0 });
  await new Promise(setImmediate);
  await session.runner();
  const entered = enter('f');
  await looking.reached;
  optimizing.open();
  while (session.tierUp.stateOf(f) !== 'optimized') await new Promise(setImmediate);
  looking.open();
  const answer = await entered;
  const address: bigint | undefined = (await linkedOf(better))?.symbols.get('f$impl')?.address;
  t.like(answer, { outcome: 'landed', landing: address });
  const stub = session.stubs.createStub(session.mainDylib.ref('f'));
  await session.flush();
  t.is(host.pointers.get(session.stubs.pointerAddress(stub)), address);
});

test('a function that is redefined while it is linked lands in the new definition, though its unit has another that is not', async (t) => {
  const { wait, reached, open } = gate();
  const { session, enter, linkedOf } = await openScripted(t, {
    lookupSymbols: async ({ names }) => {
      await wait();
      return { addresses: names.map(() => toExecutorAddr(0x5000)) };
    },
  });
  const functions = ['f', 'g'];
  const assembly = functions.map(
    (name) => `.globl ${name}\n.type ${name},@function\n${name}: call outside@PLT\nret`,
  );
  const pair = unitOf('pair', assembly.join('\n'), { functions, calls: ['outside'] });
  session.define(pair);
  const entered = enter('f');
  await reached;
  const renewed = functionUnit('f');
  session.define(renewed);
  open();
  t.like(await entered, {
    outcome: 'landed',
    landing: (await linkedOf(session.materializations.knownPart(renewed, 'f')))?.symbols.get('f$impl')
      ?.address,
  });
  t.truthy(await linkedOf(session.materializations.knownPart(pair, 'g')));
});

test('a guess that waits to be compiled is not guessed again', async (t) => {
  const { session, host } = await openScripted(t, {
    lookupSymbols: ({ names }) => ({ addresses: names.map(() => toExecutorAddr(0x5000)) }),
  });
  // As many as are compiled with the function that is asked for, and more.
  const guesses = Array.from({ length: 20 }, (_, index) => `h${index}`);
  for (const name of guesses) session.define(functionUnit(name));
  const waiting: string[][] = [];
  session.guesses.speculate({ mode: 'eager' }, (units, _materializations, { canWait }) => {
    if (canWait) waiting.push(units.map(({ name }) => name));
    return [];
  });
  const trampolines = [];
  for (const name of ['a', 'b']) {
    session.define(functionUnit(name, { calls: guesses }));
    const stub = session.stubs.createStub(session.mainDylib.ref(name));
    await session.stubs.ensureEmitted([stub]);
    trampolines.push(session.stubs.trampolineAddress(stub));
  }
  await Promise.all(trampolines.map((trampoline) => host.reenter(trampoline)));
  while (waiting.length === 0) await new Promise(setImmediate);
  t.deepEqual(waiting, [guesses.slice(15)]);
});
