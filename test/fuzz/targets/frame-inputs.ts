import { MESSAGES, type MessageType, type RequestType } from '@farjit/protocol';
import { Packr } from 'msgpackr';
import * as v from 'valibot';
import { decodeFrame, type Frame, FrameKind } from '#protocol/src/codec.js';
import { sampleValue } from '#protocol/test/sample-values.js';
import { recordedFrames } from '../corpus.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';

/** Bytes beyond this say nothing new, and cost time. */
const MAX_CONTENT_BYTES = 128;

export const REQUESTS: readonly RequestType[] = MESSAGES.filter(
  (message): message is RequestType => message.kind === 'request',
);

const packr = new Packr({ useRecords: false, int64AsType: 'bigint', moreTypes: false });

/** What MessagePack has and the protocol does not, and what is special to the decoder. */
const TOKENS: readonly Uint8Array[] = [
  [0xc1],
  [0xd4, 0x00, 0x00],
  [0xd4, 0x72, 0x40],
  [0xd5, 0x62, 0x00, 0x00],
  [0xd6, 0xff, 0x00, 0x00, 0x00, 0x00],
  [0xc7, 0x02, 0x65, 0x91, 0xa1],
  [0xc8, 0xff, 0xff, 0x05],
  [0xa9, ...Buffer.from('__proto__')],
  [0xab, ...Buffer.from('constructor')],
  [0xd9, 0x09, ...Buffer.from('prototype')],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdf, 0xff, 0xff, 0xff, 0xff],
  [0xc6, 0xff, 0xff, 0xff, 0xff],
  [0xdb, 0x7f, 0xff, 0xff, 0xff],
  [0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91],
  [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
  [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
].map((bytes) => Uint8Array.from(bytes));

const NUMBERS = [
  0,
  1,
  -1,
  127,
  128,
  255,
  256,
  65535,
  65536,
  0x7fff_ffff,
  0xffff_ffff,
  2 ** 32,
  2 ** 53,
  -(2 ** 31),
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];
const BIGINTS = [
  0n,
  1n,
  -1n,
  0xfffn,
  0x1000n,
  0x7fff_ffff_f000n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  -(2n ** 63n),
];
const TEXTS = [
  '',
  'x',
  'toString',
  'code',
  '\0',
  '\u001b[2J',
  '\u202e',
  'é'.repeat(40),
  'x'.repeat(65),
  'x'.repeat(129),
  'x'.repeat(300),
];
const KEYS = ['', 'toString', 'hasOwnProperty', '__proto_', 'constructor', 'prototype', 'address', '\u001b'];

/** The message whose declaration a frame's body belongs to. Answers are tried on the request that their id picks. */
export function declarationOf({ kind, id, method }: Frame): MessageType | undefined {
  if (kind === FrameKind.Response || kind === FrameKind.Error) return REQUESTS[id % REQUESTS.length];
  const wanted = kind === FrameKind.Request ? 'request' : 'notification';
  return MESSAGES.find((message) => message.kind === wanted && message.method === method);
}

/** Makes frames: recorded or sampled from the declarations, with values and then bytes changed. */
export class FrameInputs {
  readonly #recorded = recordedFrames().map(asDeclared);
  readonly #encoded = recordedFrames();

  make(random: Random): Uint8Array {
    const items = random.oneIn(3) ? this.#sampled(random) : [...random.pick(this.#recorded)];
    for (let count = random.below(4); count > 0; count--) {
      // The body is where there is most to get wrong.
      const at = random.oneIn(3) ? random.below(items.length) : items.length - 1;
      items[at] = mutateValue(items[at], random);
    }
    if (random.oneIn(200)) items.splice(random.below(items.length), random.below(2), null);
    const encoded = packr.pack(items);
    return random.oneIn(3)
      ? mutateBytes(encoded, random, { tokens: TOKENS, others: this.#encoded })
      : new Uint8Array(encoded);
  }

  #sampled(random: Random): unknown[] {
    const message = random.pick(MESSAGES);
    const unit = () => random.bits() / 2 ** 32;
    const envelope = (kind: FrameKind, id: number, method: string, body: unknown): unknown[] => [
      kind,
      id,
      1 + random.below(3),
      0,
      random.below(3),
      random.oneIn(4) ? 100 : null,
      random.oneIn(8) ? '00-trace' : null,
      method,
      body,
    ];
    if (message.kind === 'notification')
      return envelope(
        FrameKind.Notification,
        0,
        message.method,
        clipBytes(sampleValue(message.params, unit)),
      );
    if (random.oneIn(2))
      return envelope(FrameKind.Request, 1, message.method, clipBytes(sampleValue(message.params, unit)));
    const id = REQUESTS.indexOf(message);
    return envelope(FrameKind.Response, id, '', clipBytes(sampleValue(message.result, unit)));
  }
}

/** A recorded frame as its nine items; an answer's id picks the declaration it fits. */
function asDeclared(encoded: Uint8Array): unknown[] {
  const frame = decodeFrame(encoded);
  const { kind, sequence, acknowledged, generation, deadlineMs, traceparent, method } = frame;
  const id =
    kind === FrameKind.Response
      ? Math.max(
          REQUESTS.findIndex(({ result }) => v.is(result, frame.body)),
          0,
        )
      : frame.id;
  const body = clipBytes(frame.body);
  return [kind, id, sequence, acknowledged, generation, deadlineMs, traceparent, method, body];
}

function clipBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.subarray(0, MAX_CONTENT_BYTES);
  if (Array.isArray(value)) return value.map(clipBytes);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, clipBytes(part)]));
}

/** Changes one value somewhere inside; what is around it is copied. */
export function mutateValue(value: unknown, random: Random): unknown {
  if (Array.isArray(value)) {
    const items = [...value];
    if (items.length === 0 || random.oneIn(6)) {
      if (random.oneIn(2)) items.push(scalar(random));
      else if (items.length > 0) items.splice(random.below(items.length), 1);
      else return scalar(random);
    } else if (random.oneIn(8)) items.push(...items.slice(0, 8));
    else {
      const at = random.below(items.length);
      items[at] = mutateValue(items[at], random);
    }
    return items;
  }
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    const entries = Object.entries(value);
    if (entries.length === 0 || random.oneIn(6)) {
      if (random.oneIn(2)) entries.push([random.pick(KEYS), scalar(random)]);
      else if (entries.length > 0) entries.splice(random.below(entries.length), 1);
      else return scalar(random);
    } else {
      const entry = random.pick(entries);
      entry[1] = mutateValue(entry[1], random);
    }
    return Object.fromEntries(entries);
  }
  if (random.oneIn(5)) return scalar(random);
  if (typeof value === 'number')
    return random.oneIn(2) ? value + random.pick([-1, 1, 8]) : random.pick(NUMBERS);
  if (typeof value === 'bigint')
    return random.oneIn(2)
      ? BigInt.asUintN(64, value + random.pick([-1n, 1n, 8n, -8n, 0x1000n]))
      : random.pick(BIGINTS);
  if (typeof value === 'string')
    return random.oneIn(3) ? random.pick(TEXTS) : `${value}${random.pick(TEXTS)}`;
  return scalar(random);
}

function scalar(random: Random): unknown {
  switch (random.below(8)) {
    case 0:
      return random.pick(NUMBERS);
    case 1:
      return random.pick(BIGINTS);
    case 2:
      return random.pick(TEXTS);
    case 3:
      return random.oneIn(2);
    case 4:
      return new Uint8Array(random.below(20));
    case 5:
      return {};
    case 6:
      return nested(random.below(20));
    default:
      return null;
  }
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { key: value };
  return value;
}
