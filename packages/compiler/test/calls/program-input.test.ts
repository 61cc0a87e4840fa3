import { run } from '@farjit/protocol';
import test from 'ava';
import { ProgramInput, type ProgramSource } from '../../src/calls/program-input.js';

/** Sends a source to an executor that takes nothing. */
function send(source: ProgramSource) {
  const input = new ProgramInput();
  const sent: { sizeBytes: number; isLast: boolean }[] = [];
  const done = input.sendTo(
    (content, isLast) => sent.push({ sizeBytes: content.byteLength, isLast }),
    source,
  );
  return { input, sent, done };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('large chunks are cut, and no more is sent than may be held', async (t) => {
  const { input, sent, done } = send(new Uint8Array(run.MAX_HELD_INPUT_BYTES + 1));
  await turn();
  const most = run.MAX_HELD_INPUT_BYTES / run.MAX_INPUT_BYTES;
  t.deepEqual(sent, new Array(most).fill({ sizeBytes: run.MAX_INPUT_BYTES, isLast: false }));
  input.taken(run.MAX_INPUT_BYTES, true);
  await done;
  t.deepEqual(sent.slice(most), [
    { sizeBytes: 1, isLast: false },
    { sizeBytes: 0, isLast: true },
  ]);
});

test('small chunks count as what it costs to keep them', async (t) => {
  async function* bytes() {
    for (;;) yield 'x';
  }
  const { input, sent, done } = send(bytes());
  const most = run.MAX_HELD_INPUT_BYTES / run.MIN_INPUT_COST_BYTES;
  while (sent.length < most) await turn();
  await turn();
  t.is(sent.length, most);
  input.stop();
  await done;
  t.is(sent.length, most);
});

test('a character may be divided between two strings, and half of one is refused', async (t) => {
  const read = async (...chunks: (string | Uint8Array)[]) => {
    const sent: Uint8Array[] = [];
    await new ProgramInput().sendTo((content) => sent.push(content), chunks);
    return Buffer.concat(sent).toString();
  };
  t.is(await read('a\ud83d', '\ude00b\ud83d', '', '\ude00', Buffer.from('c')), 'a😀b😀c');
  for (const chunks of [
    ['\ud83d'],
    ['\ude00'],
    ['a\ud83d', 'b'],
    ['\ud83d', Buffer.from('b')],
    ['\ud83d\ud83d', '\ude00'],
  ])
    await t.throwsAsync(read(...chunks), { message: 'it has a lone surrogate, which UTF-8 has not' });
});

test('an executor that has taken more than it was sent breaks the protocol', async (t) => {
  const { input, done } = send('x');
  await done;
  // A chunk and the end.
  input.taken(2 * run.MIN_INPUT_COST_BYTES, true);
  t.throws(() => input.taken(1, true), { code: 'PROTOCOL_ERROR' });
});
