import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { session } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { type Bell, Doorbell, DoorbellEnds } from '../src/doorbell.js';
import { Guard } from '../src/guard.js';
import { createHostResources } from '../src/index.js';
import { BELL_BYTES } from '../src/native/shared-layout.js';
import { OutputPipe } from '../src/output-pipe.js';
import { type Lane, TURN_MS, Turns } from '../src/turns.js';
import { openSession, until, WANTED } from './session-fixture.js';

function guardOf(t: ExecutionContext, lane?: Lane): Guard {
  return new Guard({
    onFault: (place, error) => t.fail(`${place}: ${error}`),
    measure: lane && ((work) => lane.measure(work)),
  });
}

/** Counts the turns that others have. */
function countTurns(t: ExecutionContext): () => number {
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  t.teardown(() => {
    isOver = true;
  });
  return () => turns;
}

/** A doorbell, and what its runner writes to. */
function openDoorbell(t: ExecutionContext, onBell: (bell: Bell, doorbell: Doorbell) => void) {
  const ends = new DoorbellEnds();
  const far = new Socket({ fd: ends.runnerFd });
  let isClosed = false;
  const doorbell = new Doorbell({
    ends,
    guard: guardOf(t),
    onBell: (bell) => onBell(bell, doorbell),
    onClose: () => {
      isClosed = true;
    },
  });
  t.teardown(() => {
    far.destroy();
    doorbell.close();
  });
  return { doorbell, far, isClosed: () => isClosed };
}

/** So many bells, numbered. */
function bellsOf(count: number): Buffer {
  const bells = Buffer.alloc(count * BELL_BYTES);
  for (let index = 0; index < count; index++) bells.writeUInt32LE(index, index * BELL_BYTES + 4);
  return bells;
}

/** So many lanes of one thread; the first is that of a doorbell. */
function lanesOf(t: ExecutionContext, count: number): Lane[] {
  const turns = new Turns();
  return Array.from({ length: count }, () =>
    turns.lane({ charge: () => {}, fault: (error) => t.fail(`${error}`) }),
  );
}

test('bells are heard for a turn at a time, all of them in order, and those before the end', async (t) => {
  let nowMs = 0;
  const lane = new Turns(() => nowMs).lane({ charge: () => {}, fault: (error) => t.fail(`${error}`) });
  const turns = countTurns(t);
  const heard: { value: number; turn: number }[] = [];
  const { doorbell, far, isClosed } = openDoorbell(t, ({ value }) => {
    nowMs += TURN_MS / 10;
    heard.push({ value, turn: turns() });
  });
  doorbell.share(lane);
  far.end(bellsOf(1007));
  await until(isClosed);
  t.deepEqual(
    heard.map(({ value }) => value),
    Array.from({ length: 1007 }, (_, index) => index),
  );
  const perTurn = new Map<number, number>();
  for (const { turn } of heard) perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
  // What comes late in one turn and what comes early in the next may meet.
  t.true(Math.max(...perTurn.values()) <= 22, `${Math.max(...perTurn.values())}`);
});

/** Keeps lanes busy without end, but for that of the runner; every turn of theirs is noted. */
function keepBusy(t: ExecutionContext, done: string[]): Lane {
  const [lane, ...others] = lanesOf(t, 4) as [Lane, ...Lane[]];
  for (const [index, other] of others.entries()) {
    const work = () => {
      useTurn();
      done.push(`other ${index}`);
      other.run(work);
    };
    other.run(work);
  }
  t.teardown(() => {
    for (const other of others) other.close();
  });
  return lane;
}

/** Each has one turn, and then the others have theirs. */
function eachHasItsTurn(t: ExecutionContext, done: readonly string[], own: string): void {
  const all = ['other 0', 'other 1', 'other 2', own].sort();
  const from = done.indexOf(own);
  for (let at = from; at < from + 5 * all.length; at += all.length)
    t.deepEqual(done.slice(at, at + all.length).sort(), all, done.join());
}

test('bells that take long have one turn among those of others', async (t) => {
  const done: string[] = [];
  const lane = keepBusy(t, done);
  const { doorbell, far } = openDoorbell(t, () => {
    useTurn();
    done.push('bell');
  });
  doorbell.share(lane);
  far.write(bellsOf(50));
  await until(() => done.length >= 50);
  eachHasItsTurn(t, done, 'bell');
});

/** Takes longer than a turn. */
function useTurn(): void {
  for (const endMs = performance.now() + 1.5 * TURN_MS; performance.now() < endMs; );
}

test('what is rung while nobody listens is heard when somebody does', async (t) => {
  const [lane] = lanesOf(t, 1);
  let count = 0;
  const { doorbell, far, isClosed } = openDoorbell(t, (_bell, self) => {
    if (++count === 3) self.hold();
  });
  if (lane) doorbell.share(lane);
  far.end(bellsOf(1000));
  await until(() => count === 3);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(count, 3);
  t.false(isClosed());
  // Nobody has turns any more, and it has.
  lane?.close();
  doorbell.hearRest();
  await until(isClosed);
  t.is(count, 1000);
});

test('what a runner has rung is heard when it is gone before it is rung itself', async (t) => {
  let count = 0;
  const { doorbell, far, isClosed } = openDoorbell(t, () => {
    count++;
    // Nobody is there to hear it.
    doorbell.ring(1, 2, 3);
  });
  far.end(bellsOf(1000), () => far.destroy());
  await until(isClosed);
  t.is(count, 1000);
});

/** That this process has worked, whatever else the machine does. */
function workedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

// By itself: what other tests do is work of this process, too.
test.serial('the time that it takes to start a runner is charged to who asks for one', async (t) => {
  const turns = new Turns(workedMs);
  const { connection } = await openSession(t, { ...createHostResources(), turns });
  const before = { workedMs: workedMs(), chargedMs: turns.usedMs };
  for (let i = 0; i < 20; i++) await connection.request(session.startRunner, WANTED);
  const share = (turns.usedMs - before.chargedMs) / (workedMs() - before.workedMs);
  // The rest is the compiler's half, and what Node does itself.
  t.true(share > 0.3, `${share}`);
});

test('output that takes long to pass on has one turn among those of others', async (t) => {
  const done: string[] = [];
  const lane = keepBusy(t, done);
  const output = new OutputPipe(guardOf(t, lane), {
    write: () => {
      useTurn();
      done.push('piece');
      // So that there is always more to read, and little.
      if (done.length < 50) writeSync(output.writeFd, 'x');
    },
    isCongested: () => false,
  });
  output.share(lane);
  writeSync(output.writeFd, 'x');
  await until(() => done.length >= 50);
  output.closeWriteEnd();
  output.close();
  eachHasItsTurn(t, done, 'piece');
});

test('a program that prints without end leaves others their turns', async (t) => {
  const turns = countTurns(t);
  const chunks: { sizeBytes: number; turn: number }[] = [];
  const output = new OutputPipe(guardOf(t), {
    write: ({ byteLength }) => chunks.push({ sizeBytes: byteLength, turn: turns() }),
    isCongested: () => false,
  });
  const child = spawn('yes', ['x'.repeat(1023)], { stdio: ['ignore', output.writeFd, 'ignore'] });
  output.closeWriteEnd();
  await until(() => chunks.length > 300);
  child.kill('SIGKILL');
  output.close();
  const perTurn = new Map<number, number>();
  for (const { sizeBytes, turn } of chunks.slice(0, 300))
    perTurn.set(turn, (perTurn.get(turn) ?? 0) + sizeBytes);
  t.true(Math.max(...perTurn.values()) <= 3 * 64 * 1024, `${Math.max(...perTurn.values())} bytes in a turn`);
});
