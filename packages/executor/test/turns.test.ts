import test from 'ava';
import { type Lane, type Slices, TURN_MS, Turns } from '../src/turns.js';

/** A clock on which time passes only when it is used. */
class Clock {
  #nowMs = 0;

  readonly turns = new Turns(() => this.#nowMs);

  /** Uses up more than a turn. */
  readonly useTurn = (): void => {
    this.#nowMs += 2 * TURN_MS;
  };
}

/** A lane that notes what becomes of it. */
function laneOf(turns: Turns): { lane: Lane; charged: number[]; faults: unknown[] } {
  const charged: number[] = [];
  const faults: unknown[] = [];
  const lane = turns.lane({
    charge: (usedMs) => charged.push(usedMs),
    fault: (error) => faults.push(error),
  });
  return { lane, charged, faults };
}

function* slicesOf(count: number, onSlice: (index: number) => void): Slices<string> {
  for (let index = 0; index < count; index++) {
    onSlice(index);
    yield;
  }
  return 'done';
}

const nextPass = () => new Promise((resolve) => setImmediate(resolve));

test('work is done at once while there is time left in the turn', (t) => {
  const { turns } = new Clock();
  const { lane } = laneOf(turns);
  const done: number[] = [];
  for (let index = 0; index < 3; index++)
    t.is(
      lane.run(() => done.push(index)),
      undefined,
    );
  t.deepEqual(done, [0, 1, 2]);
});

test('what comes after a turn that is used up waits, in order', async (t) => {
  const { turns, useTurn } = new Clock();
  const { lane } = laneOf(turns);
  const done: string[] = [];
  lane.run(useTurn);
  const first = lane.run(() => done.push('first'));
  const second = lane.run(() => done.push('second'));
  t.deepEqual(done, []);
  await first;
  await second;
  t.deepEqual(done, ['first', 'second']);
  await nextPass();
  t.is(
    lane.run(() => done.push('third')),
    undefined,
  );
  t.deepEqual(done, ['first', 'second', 'third']);
});

test('work that is asked for within work comes after it', async (t) => {
  const { lane } = laneOf(new Turns());
  const done: string[] = [];
  let inner: Promise<void> | undefined;
  lane.run(() => {
    inner = lane.run(() => done.push('inner'));
    done.push('outer');
  });
  t.deepEqual(done, ['outer']);
  await inner;
  t.deepEqual(done, ['outer', 'inner']);
});

test('lanes that wait take turns, and one that has done nothing is served between them', async (t) => {
  const { turns, useTurn } = new Clock();
  const busy = [laneOf(turns).lane, laneOf(turns).lane];
  const idle = laneOf(turns).lane;
  const order: string[] = [];
  const work = (name: string) => () => {
    order.push(name);
    useTurn();
  };
  const all = ['a', 'b'].flatMap((name, index) =>
    [1, 2, 3].map((count) => busy[index]?.run(work(`${name}${count}`))),
  );
  t.deepEqual(order, ['a1', 'b1']);
  // Something from outside, seen when the system is asked for news.
  setTimeout(() => idle.run(() => order.push('idle')), 1);
  await Promise.all(all);
  t.deepEqual(
    order.filter((name) => name !== 'idle'),
    ['a1', 'b1', 'a2', 'b2', 'a3', 'b3'],
  );
  t.true(order.indexOf('idle') > 0 && order.indexOf('idle') < order.length - 1);
});

test('time is charged to whose work it is, and counted', async (t) => {
  const { turns, useTurn } = new Clock();
  const [one, other] = [laneOf(turns), laneOf(turns)];
  one.lane.run(useTurn);
  await one.lane.run(useTurn);
  other.lane.measure(() => {});
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  t.true(sum(one.charged) >= 4 * TURN_MS);
  t.is(other.charged.length, 1);
  t.true(Math.abs(turns.usedMs - sum(one.charged) - sum(other.charged)) < 1e-9);
});

test('what throws is told to the owner, and what comes after it is done', async (t) => {
  const { turns, useTurn } = new Clock();
  const { lane, faults } = laneOf(turns);
  const wrong = (words: string) => () => {
    throw new Error(words);
  };
  const done: string[] = [];
  lane.run(wrong('now'));
  lane.run(useTurn);
  void lane.run(wrong('later'));
  await lane.run(() => done.push('done'));
  t.deepEqual(
    faults.map((error) => String(error)),
    ['Error: now', 'Error: later'],
  );
  t.deepEqual(done, ['done']);
});

test('sliced work that fits into the turn is done at once', (t) => {
  const { turns } = new Clock();
  const { lane } = laneOf(turns);
  const seen: number[] = [];
  lane.run(() => t.is(lane.runSlices(slicesOf(3, (index) => seen.push(index))), 'done'));
  t.deepEqual(seen, [0, 1, 2]);
});

test('sliced work that does not goes on in later turns, before all that came after it, and others have theirs', async (t) => {
  const { turns, useTurn } = new Clock();
  const [{ lane }, { lane: other }] = [laneOf(turns), laneOf(turns)];
  const order: string[] = [];
  const note = (word: string) => () => {
    order.push(word);
    useTurn();
  };
  let result: unknown;
  lane.run(() => {
    result = lane.runSlices(slicesOf(3, (index) => note(`slice ${index}`)()));
    void Promise.resolve(result).then(() => order.push('told'));
  });
  const after = lane.run(note('after'));
  other.run(note('other 1'));
  const others = other.run(note('other 2'));
  t.deepEqual(order, ['slice 0', 'other 1']);
  t.is(await result, 'done');
  await Promise.all([after, others]);
  t.deepEqual(order, ['slice 0', 'other 1', 'slice 1', 'other 2', 'slice 2', 'told', 'after']);
});

test('sliced work that throws rejects, and the lane goes on', async (t) => {
  const { turns, useTurn } = new Clock();
  const { lane, faults } = laneOf(turns);
  const wrong = () =>
    lane.runSlices(
      slicesOf(3, (index) => {
        useTurn();
        if (index === 1) throw new Error('in the middle');
      }),
    );
  await t.throwsAsync(async () => wrong(), { message: 'in the middle' });
  t.deepEqual(faults, []);
  await nextPass();
  let isDone = false;
  await lane.run(() => {
    isDone = true;
  });
  t.true(isDone);
});

test('a lane that is closed drops what waits in it, and says so to whoever waits', async (t) => {
  const { turns, useTurn } = new Clock();
  const { lane } = laneOf(turns);
  const done: string[] = [];
  const sliced = lane.runSlices(slicesOf(3, useTurn));
  const later = lane.run(() => done.push('later'));
  lane.close();
  await later;
  await t.throwsAsync(async () => sliced, { code: 'CANCELLED' });
  t.is(
    lane.run(() => done.push('after')),
    undefined,
  );
  t.throws(() => lane.runSlices(slicesOf(1, () => {})), { code: 'CANCELLED' });
  await nextPass();
  t.deepEqual(done, []);
});

test('a turn is used up to its last moment, and begins anew when that long has passed', async (t) => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  const { lane } = laneOf(turns);
  const take = (usedMs: number) => lane.run(() => (nowMs += usedMs)) === undefined;
  t.true(take(TURN_MS - 0.01));
  t.true(take(0.01), 'there was a moment left');
  t.false(take(0), 'the turn is used up');
  await nextPass();
  t.true(take(TURN_MS));
  // Less than a turn later it is still the same one.
  nowMs += TURN_MS - 0.01;
  t.false(take(0));
  await nextPass();
  t.true(take(TURN_MS));
  nowMs += TURN_MS;
  t.true(take(0));
});

test('slices go on while there is time, and end with the turn', async (t) => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  const { lane } = laneOf(turns);
  const seen: number[] = [];
  const result = lane.runSlices(
    slicesOf(10, (index) => {
      seen.push(index);
      nowMs += TURN_MS / 4;
    }),
  );
  t.deepEqual(seen, [0, 1, 2, 3]);
  t.is(await result, 'done');
  t.is(seen.length, 10);
});

test('sliced work waits for what was begun before it, and each is told of its own', async (t) => {
  const { turns, useTurn } = new Clock();
  const { lane } = laneOf(turns);
  const order: string[] = [];
  const sliced = (name: string) =>
    Promise.resolve(
      lane.runSlices(
        slicesOf(2, (index) => {
          order.push(`${name}${index}`);
          useTurn();
        }),
      ),
    ).then(() => order.push(`${name} told`));
  await Promise.all([sliced('a'), sliced('b')]);
  t.deepEqual(order, ['a0', 'a1', 'a told', 'b0', 'b1', 'b told']);
});

test('time that is measured within work counts once', (t) => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  const { lane, charged } = laneOf(turns);
  lane.run(() => {
    nowMs += 1;
    t.is(
      lane.measure(() => {
        nowMs += 2;
        return 5;
      }),
      5,
    );
  });
  t.deepEqual(charged, [3]);
  t.throws(() =>
    lane.measure(() => {
      nowMs += 4;
      throw new Error('in the middle');
    }),
  );
  t.deepEqual(charged, [3, 4]);
  t.is(turns.usedMs, 7);
});

test('a lane that was closed is given no turn any more', async (t) => {
  const { turns, useTurn } = new Clock();
  const [{ lane }, other] = [laneOf(turns), laneOf(turns)];
  lane.run(useTurn);
  const waiting = lane.run(() => t.fail('it is closed'));
  lane.close();
  await waiting;
  other.lane.run(useTurn);
  let isDone = false;
  await other.lane.run(() => {
    isDone = true;
  });
  t.true(isDone);
});

test('work in slices that is given up gives back what it holds', async (t) => {
  const { turns, useTurn } = new Clock();
  const { lane, faults } = laneOf(turns);
  let isHeld = true;
  function* holding(): Slices<void> {
    try {
      for (;;) {
        useTurn();
        yield;
      }
    } finally {
      isHeld = false;
    }
  }
  const done = lane.runSlices(holding());
  lane.close();
  await t.throwsAsync(async () => done, { code: 'CANCELLED' });
  t.false(isHeld);
  t.deepEqual(faults, []);
});

test('work of another lane inside of it counts once, for that one', (t) => {
  const { turns, useTurn } = new Clock();
  const outer = laneOf(turns);
  const inner = laneOf(turns);
  outer.lane.run(() => {
    useTurn();
    inner.lane.run(useTurn);
    useTurn();
  });
  t.deepEqual(outer.charged, [4 * TURN_MS]);
  t.deepEqual(inner.charged, [2 * TURN_MS]);
  t.is(turns.usedMs, 6 * TURN_MS);
});
