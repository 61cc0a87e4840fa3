import test from 'ava';
import * as v from 'valibot';
import { decodeFrame, describeIssues, encodeFrame, type Frame, FrameKind } from '../src/codec.js';
import { ProtocolError } from '../src/errors.js';
import { MESSAGES } from '../src/messages/index.js';
import { commitMemory } from '../src/messages/memory.js';
import { sampleValue, seededRandom } from './sample-values.js';

const plainFrame: Frame = {
  kind: FrameKind.Request,
  id: 1,
  sequence: 1,
  acknowledged: 0,
  generation: 0,
  deadlineMs: null,
  traceparent: null,
  method: 'm',
  body: null,
};

for (const message of MESSAGES) {
  test(`${message.method}: params${message.kind === 'request' ? ' and result' : ''} come back as they were`, (t) => {
    const random = seededRandom(7);
    for (let i = 0; i < 200; i++) {
      const schemas = message.kind === 'request' ? [message.params, message.result] : [message.params];
      for (const schema of schemas) {
        const body = sampleValue(schema, random);
        const decoded = decodeFrame(encodeFrame({ ...plainFrame, body })).body;
        t.deepEqual(plainBytes(v.parse(schema, decoded)), body);
      }
    }
  });
}

test('the envelope comes back as it was, at its limits', (t) => {
  const frame: Frame = {
    kind: FrameKind.Notification,
    id: 2 ** 40,
    sequence: Number.MAX_SAFE_INTEGER,
    acknowledged: 2 ** 33,
    generation: 0xffff_ffff,
    deadlineMs: 0xffff_ffff,
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    method: 'x'.repeat(64),
    body: { a: [1, 'two', false] },
  };
  t.like(decodeFrame(encodeFrame(frame)), frame);
});

test('an envelope is an array of nine on the wire', (t) => {
  const bytes = encodeFrame({ ...plainFrame, deadlineMs: 300 });
  t.deepEqual([...bytes], [0x99, 0, 1, 1, 0, 0, 0xcd, 0x01, 0x2c, 0xc0, 0xa1, 0x6d, 0xc0]);
});

test('addresses are 64-bit integers on the wire, however small, and bigint after it', (t) => {
  const encoded = encodeFrame({ ...plainFrame, body: 5n });
  t.is(Buffer.from(encoded).toString('hex').slice(-18), 'd30000000000000005');
  for (const address of [0n, 5n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])
    t.is(decodeFrame(encodeFrame({ ...plainFrame, body: address })).body, address);
});

test('a number where an address belongs is refused', (t) => {
  const params = {
    commit: {
      segments: [],
      pointers: [],
      actions: [{ action: 'registerEHFrames', address: 4096, sizeBytes: 64 }],
      stagedParts: 0,
    },
  };
  const result = v.safeParse(
    commitMemory.params,
    decodeFrame(encodeFrame({ ...plainFrame, body: params })).body,
  );
  t.false(result.success);
  t.regex(describeIssues(result.issues ?? []), /^commit\.actions\.0\.address: .*bigint/);
});

test('bytes are a MessagePack bin, and views of the message after it', (t) => {
  const content = Uint8Array.from([1, 2, 3]);
  const encoded = encodeFrame({ ...plainFrame, body: { content } });
  t.is(Buffer.from(encoded).toString('hex').slice(-10), 'c403010203');
  const body = decodeFrame(encoded).body as { content: Uint8Array };
  t.deepEqual(plainBytes(body), { content });
  t.is(body.content.buffer, encoded.buffer);
});

test('a buffer from encodeFrame stays as it is when more is encoded', (t) => {
  const first = encodeFrame({ ...plainFrame, body: 'first' });
  const copy = first.slice();
  for (let i = 0; i < 10_000; i++) encodeFrame({ ...plainFrame, body: `another ${i}` });
  t.deepEqual(first, copy);
});

test('undefined goes out as nil, not as an extension', (t) => {
  const body = { a: undefined, b: [undefined] };
  t.deepEqual(decodeFrame(encodeFrame({ ...plainFrame, body })).body, { a: null, b: [null] });
});

test('what fits no 64 bits is refused when it is encoded', (t) => {
  t.throws(() => encodeFrame({ ...plainFrame, body: 2n ** 64n }), { instanceOf: RangeError });
});

const badEnvelopes: [string, readonly unknown[]][] = [
  ['too short', [0, 1, 1, 0, 0, null, null, 'm']],
  ['too long', [0, 1, 1, 0, 0, null, null, 'm', null, null]],
  ['unknown kind', [6, 1, 1, 0, 0, null, null, 'm', null]],
  ['negative id', [0, -1, 1, 0, 0, null, null, 'm', null]],
  ['fractional sequence', [0, 1, 1.5, 0, 0, null, null, 'm', null]],
  ['bigint sequence', [0, 1, 1n, 0, 0, null, null, 'm', null]],
  ['acknowledged is not a number', [0, 1, 1, Number.NaN, 0, null, null, 'm', null]],
  ['generation beyond 32 bits', [0, 1, 1, 0, 2 ** 32, null, null, 'm', null]],
  ['negative deadline', [0, 1, 1, 0, 0, -1, null, 'm', null]],
  ['deadline is text', [0, 1, 1, 0, 0, '5', null, 'm', null]],
  ['long traceparent', [0, 1, 1, 0, 0, null, 'x'.repeat(129), 'm', null]],
  ['long method', [0, 1, 1, 0, 0, null, null, 'm'.repeat(65), null]],
  ['no method', [0, 1, 1, 0, 0, null, null, null, null]],
];

for (const [what, envelope] of badEnvelopes) {
  test(`bad envelope: ${what}`, (t) => {
    t.throws(() => decodeFrame(packArray(envelope)), {
      instanceOf: ProtocolError,
      message: /^bad envelope: /,
    });
  });
}

test('a frame that is no array is refused', (t) => {
  for (const bytes of [[0xc0], [0x80], [0x2a], [0xa1, 0x78], [0xc4, 0x00]])
    t.throws(() => decodeFrame(Uint8Array.from(bytes)), {
      instanceOf: ProtocolError,
      message: /^bad envelope/,
    });
});

/** The encoder packs frames only; a frame whose body is the array holds it as its tail. */
function packArray(items: readonly unknown[]): Uint8Array {
  const encoded = encodeFrame({ ...plainFrame, body: items });
  const headBytes = encodeFrame(plainFrame).byteLength - 1;
  return encoded.subarray(headBytes);
}

/** Replaces `Buffer`s, which deepEqual tells apart from other bytes. */
function plainBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plainBytes);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainBytes(item)]));
}

test('an issue quotes two hundred letters of words and of a path, and says where it leaves off', (t) => {
  const describe = (key: string, message: string) =>
    describeIssues([{ message, path: [{ key }] } as unknown as v.BaseIssue<unknown>]);
  const most = 'a'.repeat(200);
  t.is(describe(most, most), `${most}: ${most}`);
  t.is(describe(`${most}b`, `${most}b`), `${most}…: ${most}…`);
  t.is(describeIssues([]), 'does not fit the declaration');
  t.is(describeIssues([{ message: 'no' } as unknown as v.BaseIssue<unknown>]), 'no');
});
