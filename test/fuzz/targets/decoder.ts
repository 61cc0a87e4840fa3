import { ProtocolError } from '@farjit/protocol/errors';
import { Packr } from 'msgpackr';
import { decodeFrame, errorBody, type Frame, FrameKind } from '#protocol/src/codec.js';
import { MAX_NESTING } from '#protocol/src/msgpack-decoder.js';
import { parseValue } from '#protocol/src/quick-check.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { declarationOf, FrameInputs } from './frame-inputs.js';

/** The decoder of frames with the schema of each message: what a peer's bytes become before anybody trusts them. */
export const decoder: TargetFactory = {
  name: 'decoder',
  longInputs: 10_000_000,
  shortInputs: 5000,
  create: ({ planted = false } = {}) => new Decoder(planted ? decodeUnguarded : decodeFrame),
};

class Decoder implements FuzzTarget {
  readonly name = 'decoder';
  readonly stages = [
    'refused by the decoder',
    'refused by the envelope',
    'of no known method',
    'refused by the schema',
    'accepted',
  ];
  readonly #inputs = new FrameInputs();
  readonly #decode: (message: Uint8Array) => Frame;

  constructor(decode: (message: Uint8Array) => Frame) {
    this.#decode = decode;
  }

  generate(random: Parameters<FrameInputs['make']>[0]): Uint8Array {
    return this.#inputs.make(random);
  }

  run(input: Uint8Array): string {
    let frame: Frame;
    try {
      frame = this.#decode(input);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      mustBePrintable(error.message);
      return error.message.startsWith('bad envelope') ? 'refused by the envelope' : 'refused by the decoder';
    }
    mustBePlain(frame.body, input, 1);
    if (frame.kind === FrameKind.Cancel) return 'accepted';
    const declaration = declarationOf(frame);
    if (!declaration) return 'of no known method';
    const schema =
      frame.kind === FrameKind.Error
        ? errorBody
        : frame.kind === FrameKind.Response && declaration.kind === 'request'
          ? declaration.result
          : declaration.params;
    const parsed = parseValue<unknown>(schema, frame.body);
    if (!parsed.success) return 'refused by the schema';
    mustBePlain(parsed.output, input, 1);
    return 'accepted';
  }
}

/** The planted bug: without the guard, the decoder makes whatever an extension type asks for. */
function decodeUnguarded(message: Uint8Array): Frame {
  const packr = new Packr({ useRecords: false, int64AsType: 'bigint', moreTypes: false });
  let items: unknown;
  try {
    items = packr.unpack(message);
  } catch (cause) {
    throw new ProtocolError('frame is not MessagePack', { cause });
  }
  if (!Array.isArray(items) || items.length !== 9) throw new ProtocolError('bad envelope');
  const [kind, id, sequence, acknowledged, generation, deadlineMs, traceparent, method, body] = items;
  return { kind, id, sequence, acknowledged, generation, deadlineMs, traceparent, method, body };
}

/** Values are of JSON's kinds, 64-bit integers or bytes; no prototype but the usual, no larger than what was sent. */
function mustBePlain(value: unknown, input: Uint8Array, depth: number): void {
  must(depth <= MAX_NESTING, () => `nests ${depth} deep`);
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return;
    case 'string':
      must(value.length <= input.byteLength, () => 'a text is longer than the frame');
      return;
    case 'bigint':
      must(value >= -(2n ** 63n) && value < 2n ** 64n, () => `${value} has more than 64 bits`);
      return;
    case 'object':
      break;
    default:
      must(false, () => `a ${typeof value} was decoded`);
  }
  if (value === null) return;
  if (value instanceof Uint8Array) {
    must(value.byteLength <= input.byteLength, () => 'bytes are longer than the frame');
    return;
  }
  if (Array.isArray(value)) {
    must(value.length <= input.byteLength, () => 'a list is longer than the frame');
    for (const item of value) mustBePlain(item, input, depth + 1);
    return;
  }
  must(Object.getPrototypeOf(value) === Object.prototype, () => 'a map has a prototype of its own');
  for (const [key, part] of Object.entries(value as object)) {
    must(!['__proto__', 'constructor', 'prototype'].includes(key), () => `a map has the key ${key}`);
    mustBePlain(part, input, depth + 1);
  }
}

export function mustBePrintable(message: string): void {
  must(
    !/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(message),
    () => 'an error carries what drives a terminal',
  );
}
