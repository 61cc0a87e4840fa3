import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { BELLS_PER_TURN, Doorbell } from '../src/doorbell.js';
import { Guard } from '../src/guard.js';
import { BELL_BYTES } from '../src/native/shared-layout.js';
import { OutputPipe } from '../src/output-pipe.js';
import { until } from './session-fixture.js';

function guardOf(t: ExecutionContext): Guard {
  return new Guard({ onFault: (place, error) => t.fail(`${place}: ${error}`) });
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

/** Both ends of a socket. */
async function socketPair(t: ExecutionContext): Promise<[Socket, Socket]> {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-doorbell-'));
  const path = join(directory, 's');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const far = connect(path);
  t.teardown(() => {
    far.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return [await accepted, far];
}

test('few bells are heard in a turn, all of them in order, and those before the end', async (t) => {
  const [near, far] = await socketPair(t);
  const turns = countTurns(t);
  const heard: { value: number; turn: number }[] = [];
  let isClosed = false;
  new Doorbell({
    socket: near,
    guard: guardOf(t),
    onBell: ({ value }) => heard.push({ value, turn: turns() }),
    onClose: () => {
      isClosed = true;
    },
    isDeaf: () => false,
  });
  const count = 50 * BELLS_PER_TURN + 7;
  const bells = Buffer.alloc(count * BELL_BYTES);
  for (let index = 0; index < count; index++) bells.writeUInt32LE(index, index * BELL_BYTES + 4);
  far.end(bells);
  await until(() => isClosed);
  t.deepEqual(
    heard.map(({ value }) => value),
    Array.from({ length: count }, (_, index) => index),
  );
  const perTurn = new Map<number, number>();
  for (const { turn } of heard) perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
  // What comes late in one turn and what comes early in the next may meet.
  t.true(Math.max(...perTurn.values()) <= 2 * BELLS_PER_TURN);
});

test('nothing is heard of a runner that is being ended', async (t) => {
  const [near, far] = await socketPair(t);
  let count = 0;
  let isClosed = false;
  new Doorbell({
    socket: near,
    guard: guardOf(t),
    onBell: () => count++,
    onClose: () => {
      isClosed = true;
    },
    isDeaf: () => count >= 3,
  });
  far.end(Buffer.alloc(10_000 * BELL_BYTES));
  await until(() => isClosed);
  t.is(count, 3);
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
