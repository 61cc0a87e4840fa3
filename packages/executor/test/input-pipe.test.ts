import { readSync } from 'node:fs';
import { run } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { Guard } from '../src/guard.js';
import { InputPipe } from '../src/input-pipe.js';
import { until } from './session-fixture.js';

/** What a pipe holds that nobody reads. */
const PIPE_BYTES = 64 * 1024;

function openPipe(t: ExecutionContext) {
  const taken: [number, boolean][] = [];
  const pipe = new InputPipe(new Guard({ onFault: (_place, error) => t.fail(String(error)) }));
  t.teardown(() => pipe.close());
  const read = () => {
    const content = Buffer.alloc(2 * PIPE_BYTES);
    return content.subarray(0, readSync(pipe.readFd, content)).toString();
  };
  return { pipe, taken, read, open: () => pipe.open((...told) => taken.push(told)) };
}

test('what is written is read, and given back as what it counts as', async (t) => {
  const { pipe, taken, read, open } = openPipe(t);
  t.teardown(() => pipe.closeReadEnd());
  open();
  pipe.write(Buffer.from('one'), false);
  pipe.write(Buffer.alloc(2000, 'x'), false);
  pipe.write(new Uint8Array(), true);
  await until(() => taken.length === 3);
  t.deepEqual(taken, [
    [1024, true],
    [2000, true],
    [1024, false],
  ]);
  t.is(read(), `one${'x'.repeat(2000)}`);
  t.is(read(), '', 'the end');
});

test('more than a compiler may have sent is refused, by bytes and by messages', (t) => {
  for (const sizeBytes of [1, run.MIN_INPUT_COST_BYTES, run.MAX_INPUT_BYTES]) {
    const { pipe, taken, open } = openPipe(t);
    t.teardown(() => pipe.closeReadEnd());
    open();
    const content = new Uint8Array(sizeBytes);
    const count = run.MAX_HELD_INPUT_BYTES / run.inputCost(content);
    for (let index = 0; index < count; index++) pipe.write(content, false);
    t.throws(() => pipe.write(content, false), { code: 'PROTOCOL_ERROR' });
    t.deepEqual(taken, []);
  }
});

test('when nobody reads any more, all of it is given back and the sender told to stop', async (t) => {
  const { pipe, taken, open } = openPipe(t);
  open();
  pipe.closeReadEnd();
  pipe.write(Buffer.from('one'), false);
  await until(() => taken.length === 1);
  pipe.write(Buffer.from('two'), false);
  t.deepEqual(taken, [
    [1024, false],
    [1024, false],
  ]);
});

test('what comes after the end, or before a program, is dropped', async (t) => {
  const { pipe, taken, read, open } = openPipe(t);
  t.teardown(() => pipe.closeReadEnd());
  pipe.write(Buffer.from('early'), false);
  open();
  pipe.write(Buffer.from('all'), true);
  pipe.write(Buffer.from('late'), false);
  await until(() => taken.length === 2);
  t.is(read(), 'all');
  t.is(read(), '');
});

test('a program that has ended is told of no more', async (t) => {
  const { pipe, taken, open } = openPipe(t);
  t.teardown(() => pipe.closeReadEnd());
  open();
  for (let index = 0; index < 3; index++) pipe.write(new Uint8Array(PIPE_BYTES), false);
  await until(() => taken.length === 1);
  pipe.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(taken.length, 1);
});
