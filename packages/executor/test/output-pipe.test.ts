import { readdirSync, readlinkSync, writeSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { Guard } from '../src/guard.js';
import { OutputPipe } from '../src/output-pipe.js';
import { until } from './session-fixture.js';

const PIPE_BYTES = 64 * 1024;
const LARGE_BYTES = 16 * 1024;

function prepare(t: ExecutionContext) {
  const chunks: Buffer[] = [];
  const state = { isCongested: false, onChunk: (_sizeBytes: number) => {} };
  const output = new OutputPipe(new Guard({ onFault: (place, error) => t.fail(`${place}: ${error}`) }), {
    write: (content) => {
      chunks.push(Buffer.from(content));
      state.onChunk(content.byteLength);
    },
    isCongested: () => state.isCongested,
  });
  let isOpen = true;
  const closeWriteEnd = () => {
    if (isOpen) output.closeWriteEnd();
    isOpen = false;
  };
  t.teardown(() => {
    closeWriteEnd();
    output.close();
  });
  const write = (sizeBytes: number, fill = 1) => writeSync(output.writeFd, Buffer.alloc(sizeBytes, fill));
  const bytes = () => chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { output, chunks, state, write, bytes, closeWriteEnd };
}

const settle = (ms = 30) => new Promise((resolve) => setTimeout(resolve, ms));

test('what was written is delivered at once by a drain, and not again', async (t) => {
  const { output, chunks, write, bytes } = prepare(t);
  write(10, 1);
  output.drain();
  write(20, 2);
  output.drain();
  output.drain();
  t.deepEqual(
    chunks.map((chunk) => [chunk[0], chunk.byteLength]),
    [
      [1, 10],
      [2, 20],
    ],
  );
  await settle();
  t.is(bytes(), 30);
  // What a chunk holds stays, whatever is read later.
  t.true(chunks[0]?.every((byte) => byte === 1));
});

test('a pipe that is full is delivered whole by one drain', (t) => {
  const { output, write, bytes } = prepare(t);
  write(PIPE_BYTES);
  output.drain();
  t.is(bytes(), PIPE_BYTES);
});

test('a drain has an end though the writer goes on', (t) => {
  const { output, state, write, bytes } = prepare(t);
  let roundsLeft = 20;
  state.onChunk = (sizeBytes) => {
    if (roundsLeft-- > 0) write(sizeBytes);
  };
  write(PIPE_BYTES / 4);
  output.drain();
  state.onChunk = () => {};
  t.is(bytes(), PIPE_BYTES);
});

test('closing delivers what is left, and nothing afterwards', async (t) => {
  const { output, write, bytes } = prepare(t);
  write(100);
  output.close();
  t.is(bytes(), 100);
  output.drain();
  await settle();
  t.is(bytes(), 100);
});

test('while nobody can take it no more is read, and then it goes on', async (t) => {
  const { state, write, bytes } = prepare(t);
  state.isCongested = true;
  write(1);
  await until(() => bytes() === 1);
  write(1);
  await settle();
  t.is(bytes(), 1);
  state.isCongested = false;
  await until(() => bytes() === 2);
  write(1);
  await until(() => bytes() === 3);
});

test('output goes on after a large chunk, and after one that is not', async (t) => {
  for (const sizeBytes of [LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1]) {
    const { write, bytes } = prepare(t);
    write(sizeBytes);
    await until(() => bytes() === sizeBytes);
    write(5);
    await until(() => bytes() === sizeBytes + 5);
    t.is(bytes(), sizeBytes + 5);
  }
});

test.serial('closing leaves no timer and no descriptor behind', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const pipes = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith('pipe:');
      } catch {
        return false;
      }
    }).length;
  const before = { timers: timers(), pipes: pipes() };
  const { output, state, write, bytes, closeWriteEnd } = prepare(t);
  t.is(pipes(), before.pipes + 2);
  state.isCongested = true;
  write(1);
  await until(() => bytes() === 1);
  closeWriteEnd();
  output.close();
  t.is(timers(), before.timers);
  await until(() => pipes() === before.pipes);
});
