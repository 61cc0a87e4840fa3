import type { RunnerEnd } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { ControlArea } from '../src/control-area.js';
import { ControlWork } from '../src/control-work.js';
import { Guard } from '../src/guard.js';
import { BellKind, CONTROL, LOOKUP_NAME_COUNT, NAME_BYTES } from '../src/native/shared-layout.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';

const MIB = 1024 * 1024;
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB }),
);
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Work for a runner that does what the test says. */
function prepare(t: ExecutionContext) {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  const rung: (readonly [kind: number, slot: number, value: number])[] = [];
  const kills: RunnerEnd[] = [];
  const guard = new Guard({ onFault: (place, error) => t.fail(`${place}: ${error}`) });
  const work = new ControlWork(new ControlArea(reservation), {
    guard,
    ring: (...bell) => rung.push(bell),
    kill: (end) => kills.push(end),
  });
  t.teardown(() => work.lose(new RequestError('RUNNER_LOST', 'the test is over')));
  /** Puts the addresses there and rings. */
  const answer = (...addresses: bigint[]) => {
    for (const [index, address] of addresses.entries())
      reservation.control.writeBigUInt64LE(address, CONTROL.addresses + 8 * index);
    return work.onDone();
  };
  return { reservation, rung, kills, work, answer };
}

test('threads are filled with what was asked for, when it is the turn of that', async (t) => {
  const { reservation, rung, work, answer } = prepare(t);
  const word = () => reservation.control.readUInt32LE(CONTROL.threadUnits);
  const filled = [work.fillThreads([1]), work.fillThreads([2])];
  t.deepEqual([rung.at(-1), word()], [[BellKind.fillThreads, 0, 0], 2]);
  t.true(answer());
  t.deepEqual([rung.length, word()], [2, 4]);
  t.true(answer());
  await Promise.all(filled);
});

test('where thread-local variables are is two words for each name, asked for as many at a time as there is room for', async (t) => {
  const { rung, work, answer } = prepare(t);
  const names = Array.from({ length: LOOKUP_NAME_COUNT / 2 + 1 }, (_, index) => `v${index}`);
  const found = work.lookupThreadLocals(names);
  t.deepEqual(rung.at(-1), [BellKind.lookupThreadLocals, 0, LOOKUP_NAME_COUNT / 2]);
  t.true(answer(1n, 8n));
  await settle();
  t.deepEqual(rung.at(-1), [BellKind.lookupThreadLocals, 0, 1]);
  t.true(answer(2n, 16n));
  const words = await found;
  t.is(words.length, 2 * names.length);
  t.deepEqual(
    [words.slice(0, 2), words.slice(-2)],
    [
      [1n, 8n],
      [2n, 16n],
    ],
  );
});

test('one thing is done at a time, in the order in which it was asked for', async (t) => {
  const { rung, work, answer } = prepare(t);
  const done: string[] = [];
  const all = [
    work.syncCore().then(() => done.push('sync')),
    work.lookup(['a', 'b']).then((found) => done.push(`found ${found}`)),
    work.syncCore().then(() => done.push('sync again')),
  ];
  t.deepEqual(rung, [[BellKind.syncCore, 0, 0]]);
  t.true(answer());
  await settle();
  t.deepEqual(done, ['sync']);
  t.deepEqual(rung.slice(1), [[BellKind.lookup, 0, 2]]);
  t.true(answer(5n, 6n));
  await settle();
  t.deepEqual(done, ['sync', 'found 5,6']);
  t.true(answer());
  await Promise.all(all);
  t.deepEqual(done, ['sync', 'found 5,6', 'sync again']);
  t.is(rung.length, 3);
  t.false(answer(), 'nothing was asked for');
});

test('names are looked up as many at a time as there is room for', async (t) => {
  const cases = [
    [LOOKUP_NAME_COUNT, 1, [LOOKUP_NAME_COUNT]],
    [LOOKUP_NAME_COUNT + 1, 1, [LOOKUP_NAME_COUNT, 1]],
    // With its end each fills a half, and a little more than a half.
    [2, NAME_BYTES / 2 - 1, [2]],
    [5, NAME_BYTES / 2 - 1, [2, 2, 1]],
    [2, NAME_BYTES / 2, [1, 1]],
    [1, NAME_BYTES - 1, [1]],
    [3, NAME_BYTES - 1, [1, 1, 1]],
  ] as const;
  for (const [count, nameBytes, batches] of cases) {
    const { rung, work, answer } = prepare(t);
    const found = work.lookup(Array.from({ length: count }, () => 'x'.repeat(nameBytes)));
    let next = 1n;
    for (const size of batches) {
      await settle();
      answer(...Array.from({ length: size }, () => next++));
    }
    t.deepEqual(
      await found,
      Array.from({ length: count }, (_, index) => BigInt(index + 1)),
    );
    t.deepEqual(
      rung,
      batches.map((size) => [BellKind.lookup, 0, size]),
    );
  }
});

test('the bytes of a name count, not its letters', async (t) => {
  const { rung, work, answer } = prepare(t);
  const found = work.lookup(['ü'.repeat(NAME_BYTES / 2), 'x'].map((name) => name.slice(0, NAME_BYTES / 4)));
  await settle();
  answer(1n, 2n);
  t.deepEqual(await found, [1n, 2n]);
  const wide = work.lookup(['ü'.repeat(NAME_BYTES / 4), 'ü'.repeat(NAME_BYTES / 4)]);
  await settle();
  answer(1n);
  await settle();
  answer(2n);
  t.deepEqual(await wide, [1n, 2n]);
  t.deepEqual(
    rung.map(([, , value]) => value),
    [2, 1, 1],
  );
});

test('what does not fit is refused, and what comes after it is done', async (t) => {
  const { rung, work, answer } = prepare(t);
  const tooLong = t.throwsAsync(work.lookup(['x'.repeat(NAME_BYTES)]), { instanceOf: RangeError });
  const next = work.syncCore();
  while (answer()) await settle();
  await Promise.all([tooLong, next]);
  t.is(rung.at(-1)?.[0], BellKind.syncCore);
});

test.serial('a runner that is gone does nothing more, now and later, and no time runs for it', async (t) => {
  const { rung, work } = prepare(t);
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const asked = [work.syncCore(), work.lookup(['a']), work.syncCore()];
  t.is(timers(), before + 1);
  work.lose(new RequestError('RUNNER_LOST', 'gone'));
  t.is(timers(), before);
  for (const one of [...asked, work.syncCore(), work.lookup(['b'])])
    await t.throwsAsync(one, { code: 'RUNNER_LOST', message: 'gone' });
  t.is(rung.length, 1);
  t.false(work.onDone());
});

test.serial('no time runs for work that has been done', async (t) => {
  const { work, answer, kills } = prepare(t);
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const done = work.syncCore();
  answer();
  await done;
  t.is(timers(), before);
  t.deepEqual(kills, []);
});
