import { Writable } from 'node:stream';
import test from 'ava';
import { OutputWriter } from '../../src/cli/output-writer.js';

/** A stream whose reader takes a chunk only when it is told to. */
function slowStream() {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const stream = new Writable({
    highWaterMark: 4,
    write(chunk: Buffer, _encoding, done) {
      taken.push(chunk.toString());
      waiting.push(done);
    },
  });
  return { stream, taken, takeOne: () => waiting.shift()?.() };
}

test('text and bytes arrive in the order they were written', (t) => {
  const { stream, taken, takeOne } = slowStream();
  const writer = new OutputWriter(stream, () => t.fail());
  writer.write('a');
  writer.write(Buffer.from('b'));
  writer.write('');
  writer.write('c');
  takeOne();
  takeOne();
  t.deepEqual(taken, ['a', 'b', 'c']);
});

test('a slow reader holds the writer back until it has caught up', async (t) => {
  const { stream, takeOne } = slowStream();
  const writer = new OutputWriter(stream, () => t.fail());
  t.is(writer.write('ab'), undefined);
  const drained = writer.write('cd');
  t.true(drained instanceof Promise);
  t.is(writer.write('ef'), drained, 'one promise for all that wait');
  takeOne();
  takeOne();
  takeOne();
  await drained;
  t.is(writer.write('g'), undefined);
});

test('an ending command does not wait for its reader', async (t) => {
  const { stream } = slowStream();
  const writer = new OutputWriter(stream, () => t.fail());
  const drained = writer.write('abcdef');
  writer.stopWaiting();
  await t.notThrowsAsync(async () => drained);
  t.is(writer.write('ghijkl'), undefined);
});

test('a reader that went away is told of once, lets go of those who wait, and gets nothing more', async (t) => {
  const { stream, taken } = slowStream();
  const failures: unknown[] = [];
  const writer = new OutputWriter(stream, (error) => failures.push(error.code));
  const drained = writer.write('abcdef');
  stream.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }));
  await drained;
  t.is(writer.write('more'), undefined);
  t.deepEqual(failures, ['EPIPE']);
  t.deepEqual(taken, ['abcdef']);
});
