import test from 'ava';
import { decodeFrame, encodeFrame, FrameKind } from '../src/codec.js';
import { ProtocolError } from '../src/errors.js';
import { MESSAGES } from '../src/messages/index.js';
import { decodeMessagePack, MAX_NESTING, MAX_VALUES } from '../src/msgpack-decoder.js';
import { sampleValue, seededRandom } from './sample-values.js';

function decode(...bytes: number[]): unknown {
  return decodeMessagePack(Uint8Array.from(bytes)).value;
}

const refusedTags: [string, number[]][] = [
  ['never used 0xc1', [0xc1]],
  ['ext 8', [0xc7, 0x01, 0x05, 0x00]],
  ['ext 16', [0xc8, 0x00, 0x01, 0x05, 0x00]],
  ['ext 32', [0xc9, 0x00, 0x00, 0x00, 0x01, 0x05, 0x00]],
  ['fixext 1: undefined', [0xd4, 0x00, 0x00]],
  ['fixext 1: record definition', [0xd4, 0x72, 0x40]],
  ['fixext 2', [0xd5, 0x05, 0x00, 0x00]],
  ['fixext 4: timestamp', [0xd6, 0xff, 0x00, 0x00, 0x00, 0x00]],
  ['fixext 8', [0xd7, 0x05, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['fixext 16', [0xd8, 0x05, ...new Array<number>(16).fill(0)]],
];

for (const [what, bytes] of refusedTags) {
  test(`refuses ${what}, alone, in an array and in a map`, (t) => {
    const expected = { instanceOf: ProtocolError, message: /extension or reserved type/ };
    t.throws(() => decode(...bytes), expected);
    t.throws(() => decode(0x91, ...bytes), expected);
    t.throws(() => decode(0x81, 0xa1, 0x6b, ...bytes), expected);
  });
}

const accepted: [string, number[]][] = [
  ['fixint', [0x7f]],
  ['negative fixint', [0xe0]],
  ['fixmap', [0x81, 0xa1, 0x6b, 0x01]],
  ['fixarray', [0x92, 0x01, 0x02]],
  ['fixstr', [0xa2, 0x68, 0x69]],
  ['nil', [0xc0]],
  ['false', [0xc2]],
  ['true', [0xc3]],
  ['bin 8', [0xc4, 0x01, 0xff]],
  ['bin 16', [0xc5, 0x00, 0x01, 0xff]],
  ['bin 32', [0xc6, 0x00, 0x00, 0x00, 0x01, 0xff]],
  ['float 32', [0xca, 0, 0, 0, 0]],
  ['float 64', [0xcb, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['uint 8', [0xcc, 0xff]],
  ['uint 16', [0xcd, 0xff, 0xff]],
  ['uint 32', [0xce, 0xff, 0xff, 0xff, 0xff]],
  ['uint 64', [0xcf, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['int 8', [0xd0, 0x80]],
  ['int 16', [0xd1, 0x80, 0x00]],
  ['int 32', [0xd2, 0x80, 0x00, 0x00, 0x00]],
  ['int 64', [0xd3, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['str 8', [0xd9, 0x01, 0x78]],
  ['str 16', [0xda, 0x00, 0x01, 0x78]],
  ['str 32', [0xdb, 0x00, 0x00, 0x00, 0x01, 0x78]],
  ['array 16', [0xdc, 0x00, 0x01, 0xc0]],
  ['array 32', [0xdd, 0x00, 0x00, 0x00, 0x01, 0xc0]],
  ['map 16', [0xde, 0x00, 0x01, 0xa1, 0x6b, 0xc0]],
  ['map 32', [0xdf, 0x00, 0x00, 0x00, 0x01, 0xd9, 0x01, 0x6b, 0xc0]],
];

for (const [what, bytes] of accepted) {
  test(`accepts ${what}; refuses it cut short and with a byte after it`, (t) => {
    t.notThrows(() => decode(...bytes));
    for (let size = 0; size < bytes.length; size++)
      t.throws(() => decode(...bytes.slice(0, size)), {
        instanceOf: ProtocolError,
        message: /ends inside a value/,
      });
    t.throws(() => decode(...bytes, 0xc0), { instanceOf: ProtocolError, message: /after the end/ });
  });
}

test('every tag is either refused or in the table of accepted ones', (t) => {
  const fixed = (tag: number) => tag <= 0xbf || tag >= 0xe0;
  const listed = new Set([...refusedTags, ...accepted].map(([, bytes]) => bytes[0]));
  for (let tag = 0; tag <= 0xff; tag++) t.true(fixed(tag) || listed.has(tag), `tag 0x${tag.toString(16)}`);
});

test(`values nest ${MAX_NESTING} deep and no deeper`, (t) => {
  const nested = (depth: number) => [...new Array<number>(depth).fill(0x91), 0xc0];
  t.notThrows(() => decode(...nested(MAX_NESTING)));
  t.throws(() => decode(...nested(MAX_NESTING + 1)), { instanceOf: ProtocolError, message: /nest deeper/ });
  // Deep enough to overflow the stack of a decoder that recurses.
  t.throws(() => decode(...nested(100_000)), { instanceOf: ProtocolError, message: /nest deeper/ });
});

test('maps nest no deeper than arrays', (t) => {
  const nested = (depth: number) => [...new Array<number[]>(depth).fill([0x81, 0xa0]).flat(), 0xc0];
  t.notThrows(() => decode(...nested(MAX_NESTING)));
  t.throws(() => decode(...nested(MAX_NESTING + 1)), { instanceOf: ProtocolError, message: /nest deeper/ });
});

test('counts values, not only bytes', (t) => {
  const arrayOfNil = (count: number) => {
    const bytes = new Uint8Array(5 + count).fill(0xc0);
    bytes.set([0xdd, count >>> 24, (count >>> 16) & 0xff, (count >>> 8) & 0xff, count & 0xff]);
    return bytes;
  };
  t.notThrows(() => decodeMessagePack(arrayOfNil(MAX_VALUES - 1)));
  t.throws(() => decodeMessagePack(arrayOfNil(MAX_VALUES)), {
    instanceOf: ProtocolError,
    message: /more than/,
  });
});

test('a length beyond the frame is refused without reading on', (t) => {
  for (const tag of [0xc6, 0xdb, 0xdd, 0xdf])
    t.throws(() => decode(tag, 0xff, 0xff, 0xff, 0xff), {
      instanceOf: ProtocolError,
      message: /ends inside a value/,
    });
});

test('map keys are short strings', (t) => {
  const keys = [
    [0x01],
    [0xc0],
    [0xc4, 0x01, 0x6b],
    [0x91, 0xa1, 0x6b],
    [0xda, 0x00, 0x01, 0x6b],
    [0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
  ];
  for (const key of keys)
    t.throws(() => decode(0x81, ...key, 0xc0), { instanceOf: ProtocolError, message: /not a short string/ });
});

for (const key of ['__proto__', 'constructor', 'prototype'])
  test(`the key ${key} is refused in either string format, on any level`, (t) => {
    const name = [...Buffer.from(key)];
    const expected = { instanceOf: ProtocolError, message: /names the prototype/ };
    for (const head of [[0xa0 + name.length], [0xd9, name.length]]) {
      t.throws(() => decode(0x81, ...head, ...name, 0x80), expected);
      t.throws(() => decode(0x91, 0x81, 0xa1, 0x6b, 0x81, ...head, ...name, 0xc0), expected);
    }
    t.notThrows(() => decode(0x81, 0xa0 + name.length + 1, ...name, 0x5f, 0xc0));
  });

test('map keys are printable ASCII', (t) => {
  const expected = { instanceOf: ProtocolError, message: /not printable ASCII/ };
  for (const byte of [0x00, 0x1b, 0x1f, 0x7f, 0x80, 0xff])
    t.throws(() => decode(0x81, 0xa2, 0x61, byte, 0xc0), expected);
  for (const byte of [0x20, 0x7e]) t.notThrows(() => decode(0x81, 0xa2, 0x61, byte, 0xc0));
});

test('no spelling of a key reaches the prototype', (t) => {
  const frameWith = (...key: number[]) => {
    const head = encodeFrame({ ...emptyFrame, body: null }).slice(0, -1);
    return Uint8Array.from([...head, 0x81, 0xa0 + key.length, ...key, 0x81, 0xa1, 0x78, 0x01]);
  };
  // 0xc1 0x9f is an overlong encoding of `_`, which a lenient UTF-8 decoder takes.
  t.throws(() => decodeFrame(frameWith(0xc1, 0x9f, ...Buffer.from('_proto__'))), {
    instanceOf: ProtocolError,
  });
  for (const key of ['toString', 'valueOf', 'hasOwnProperty', '__defineGetter__']) {
    const { body } = decodeFrame(frameWith(...Buffer.from(key)));
    t.is(Object.getPrototypeOf(body), Object.prototype);
    t.deepEqual(Object.keys(body as object), [key]);
  }
  t.is(Reflect.get({}, 'x'), undefined);
});

const emptyFrame = {
  kind: FrameKind.Request,
  id: 1,
  sequence: 1,
  acknowledged: 0,
  generation: 1,
  deadlineMs: null,
  traceparent: null,
  method: 'm',
  body: null,
};

test('a frame cut at any length is refused', (t) => {
  const random = seededRandom(11);
  for (const message of MESSAGES) {
    const body = sampleValue(message.params, random);
    const frame = encodeFrame({ ...emptyFrame, method: message.method, body });
    for (let size = 0; size < frame.byteLength; size++)
      t.throws(() => decodeFrame(frame.subarray(0, size)), { instanceOf: ProtocolError });
  }
});

test('a mutated frame decodes or is refused: nothing else', (t) => {
  const random = seededRandom(42);
  const pick = (limit: number) => Math.floor(random() * limit);
  let refused = 0;
  for (let i = 0; i < 5000; i++) {
    const message = MESSAGES[i % MESSAGES.length];
    if (!message) return t.fail('no messages');
    const frame = encodeFrame({
      ...emptyFrame,
      method: message.method,
      body: sampleValue(message.params, random),
    });
    for (let n = 0; n <= pick(4); n++) frame[pick(frame.byteLength)] = pick(256);
    try {
      decodeFrame(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      refused++;
    }
  }
  // Most mutations hit a structure byte or change the length of what follows; many hit content.
  t.true(refused > 500 && refused < 4900, `${refused} of 5000 refused`);
});
