import test from 'ava';
import {
  encodeFirstRequest,
  formatFirstFrame,
  MAX_FIRST_FRAME_BYTES,
  parseFirstFrame,
} from '../src/first-frame.js';
import { Connection, createMemoryTransportPair, FEATURE_NAMES, session } from '../src/index.js';

const OPEN = {
  versions: [2, 2],
  features: FEATURE_NAMES,
  client: 'test',
  runner: { stubCount: 512, libraries: ['kaleidoscope'] },
};

test('the first request of a connection is the frame that is made of it in advance', async (t) => {
  const [near, far] = createMemoryTransportPair();
  const sent = new Promise<Uint8Array>((resolve) => far.start({ onMessage: resolve, onClose() {} }));
  const connection = new Connection(near);
  connection.start();
  const opening = connection.request(session.openSession, OPEN);
  t.deepEqual(Buffer.from(await sent), Buffer.from(encodeFirstRequest(session.openSession, OPEN)));
  connection.close();
  await t.throwsAsync(opening, { code: 'CONNECTION_CLOSED' });
});

test('a frame comes out of a header as it was put in, up to the largest', (t) => {
  for (const sizeBytes of [1, 2, 3, 200, MAX_FIRST_FRAME_BYTES - 1, MAX_FIRST_FRAME_BYTES]) {
    const frame = Uint8Array.from({ length: sizeBytes }, (_, i) => 255 - (i % 256));
    const header = formatFirstFrame(frame);
    t.regex(header ?? '', /^[\w-]+$/);
    t.deepEqual(Uint8Array.from(parseFirstFrame(header ?? '') ?? []), frame);
  }
  t.is(formatFirstFrame(new Uint8Array(MAX_FIRST_FRAME_BYTES + 1)), undefined);
});

test('there is room for several times what opens a session', (t) => {
  t.true(3 * encodeFirstRequest(session.openSession, OPEN).byteLength < MAX_FIRST_FRAME_BYTES);
});

test('a header that no client of ours writes carries no frame', (t) => {
  for (const header of [
    '',
    'A',
    'AAA=',
    'AA==',
    'A+A/',
    ' AAAA',
    'AAAA ',
    'AA AA',
    'AAAA, AAAA',
    'AAAA\u00e9',
    // Bits that no byte has.
    'AB',
    Buffer.alloc(MAX_FIRST_FRAME_BYTES + 1).toString('base64url'),
    ['AAAA', 'AAAA'],
  ])
    t.is(parseFirstFrame(header), undefined, JSON.stringify(header).slice(0, 40));
});
