import { type JITCallable, KaleidoscopeJIT, RunnerLostError } from '@farjit/compiler';
import { FarJITError } from '@farjit/protocol/errors';
import test from 'ava';
import { randomFrom } from '#compiler/test/random.js';
import { parseAssembly } from '../ir-module.js';
import { type Mapping, parseMaps } from '../proc.js';
import { startServer } from '../server-fixture.js';
import { rounds } from './length.js';

const ROUNDS = rounds(25, 2000);
/** A scribbled runner may never answer. */
const DEADLINE_MS = 500;

/** More than all of the control area and malloc's heap. */
const MAX_WORDS = 2_000_000;

const SCRIBBLE = `
; Fills [from, from + words * 8) with random words (xorshift64), some of which are small.
define void @scribble(i64 %from, i64 %words, i64 %seed) {
entry:
  %start = inttoptr i64 %from to i64*
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %x = phi i64 [ %seed, %entry ], [ %x3, %loop ]
  %a = shl i64 %x, 13
  %x1 = xor i64 %x, %a
  %b = lshr i64 %x1, 7
  %x2 = xor i64 %x1, %b
  %c = shl i64 %x2, 17
  %x3 = xor i64 %x2, %c
  %low = and i64 %x3, 7
  %isSmall = icmp ult i64 %low, 3
  %small = and i64 %x2, 4294967303
  %word = select i1 %isSmall, i64 %small, i64 %x3
  %p = getelementptr i64, i64* %start, i64 %i
  store volatile i64 %word, i64* %p
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %words
  br i1 %more, label %loop, label %out
out:
  ret void
}`;

test('memory scribbled over while calls and callbacks go on: the host lives, other sessions notice nothing', async (t) => {
  t.timeout(60 * 60 * 1000);
  const { server, url } = await startServer(t);
  const open = async () => {
    const jit = await KaleidoscopeJIT.create({ executor: { url }, optLevel: 0, onOutput: () => {} });
    t.teardown(() => jit.close());
    return jit;
  };
  const [victim, neighbour] = await Promise.all([open(), open()]);
  await victim.addModule(parseAssembly(SCRIBBLE));
  await neighbour.addSource('def twice(x) x * 2;');
  const _twice = await neighbour.lookup('twice');
  const scribble = await victim.lookup('scribble');
  const random = randomFrom(2_718_281);
  const pick = (mappings: readonly Mapping[]): Mapping => {
    const mapping = mappings[random(mappings.length)];
    if (!mapping) throw new Error('no such mapping');
    return mapping;
  };
  let served = 0;
  let lost = 0;
  let isOver = false;
  const neighbours = (async () => {
    for (; !isOver; served++) {
      // A callback each time, through a definition of its own.
      await neighbour.addSource(`def n${served % 50}(x) twice(x) + ${served};`);
      const call = await neighbour.lookup(`n${served % 50}`);
      if ((await call(1)) !== 2 + served) throw new Error('a neighbour got a wrong value');
    }
  })();

  for (let round = 0; round < ROUNDS; round++) {
    const chain = Array.from(
      { length: 4 },
      (_, i) => `def c${i}(x) ${i === 0 ? 'x' : `c${i - 1}(x)`} + ${round};`,
    );
    await victim.addSource(chain.join('\n'));
    // There is a runner again, and it is the one whose maps these are.
    const fresh = await victim.lookup('c0');
    t.is(await sooner(fresh, 1), 1 + round);
    const maps = await victim.runnerMaps();
    const writable = parseMaps(maps).filter(
      ({ rights, path }) => rights.startsWith('rw') && path !== '[stack]',
    );
    const shared = writable.filter(({ path }) => path.includes('memfd:farjit-shared'));
    t.true(shared.length > 0 && writable.length > shared.length);
    // What the host reads too, anything, or every page that can be written, all at once.
    const targets = round % 5 === 4 ? writable : [pick(round % 2 === 0 ? shared : writable)];
    const call = await victim.lookup('c3');
    const results = await Promise.allSettled([
      ...targets.map(({ start, end }) => {
        const words = Number((end - start) / 8n);
        const from = targets.length > 1 || round % 4 === 0 ? 0 : random(Math.min(words, MAX_WORDS));
        const count = targets.length > 1 || round % 3 === 0 ? MAX_WORDS : 1 + random(20_000);
        const seed = BigInt(1 + random(1_000_000_000));
        return scribble.call([start + BigInt(from * 8), BigInt(Math.min(words - from, count)), seed], {
          deadlineMs: DEADLINE_MS,
        });
      }),
      ...Array.from({ length: 4 }, () => call.call([1], { deadlineMs: DEADLINE_MS })),
    ]);
    for (const result of results)
      if (result.status === 'rejected') {
        lost++;
        t.true(result.reason instanceof FarJITError, String(result.reason));
      }
    // Whatever is left of that runner is not worth keeping.
    try {
      process.kill(victim.runner.processId, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
  isOver = true;
  await neighbours;
  t.log(`${ROUNDS} rounds: ${lost} calls lost, ${served} calls of the neighbour`);
  t.is(server.sessions.size, 2);
  t.is(neighbour.runner.generation, 1);
  t.true(served > ROUNDS);
  // The scribbler's own session goes on too, with a new runner.
  await victim.addSource('def after(x) x + 1;');
  const after = await victim.lookup('after');
  t.is(await sooner(after, 1), 2);
});

/** A call whose runner may be one whose loss is not known yet. */
async function sooner(call: JITCallable, argument: number): Promise<unknown> {
  for (;;)
    try {
      return await call(argument);
    } catch (error) {
      if (!(error instanceof RunnerLostError)) throw error;
    }
}
