import { ProtocolError } from './errors.js';

/** Arrays and maps inside each other: the deepest declared message nests five. */
export const MAX_NESTING = 16;
/** Values in one frame: a full commit of `MAX_COMMIT_SEGMENTS` segments and pointers, with room. */
export const MAX_VALUES = 1 << 17;

/**
 * Walks one MessagePack value and refuses what this protocol never sends, before the decoder sees it: extension
 * types (records, dates, references), keys that are not short ASCII strings or that lead to a prototype, deep nesting,
 * lengths beyond the frame, and bytes after the value.
 * @throws {ProtocolError}
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function guardMessagePack(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  let position = 0;
  let valueCount = 0;

  function need(sizeBytes: number): number {
    const start = position;
    if (sizeBytes > frame.byteLength - start) throw new ProtocolError('frame ends inside a value');
    position += sizeBytes;
    return start;
  }

  function length(widthBytes: 1 | 2 | 4): number {
    const at = need(widthBytes);
    if (widthBytes === 1) return view.getUint8(at);
    return widthBytes === 2 ? view.getUint16(at) : view.getUint32(at);
  }

  function key(): void {
    const tag = view.getUint8(need(1));
    let size: number;
    if (tag >= 0xa0 && tag <= 0xbf) size = tag & 0x1f;
    else if (tag === 0xd9) size = length(1);
    else throw new ProtocolError('map key is not a short string');
    const start = need(size);
    for (let at = start; at < position; at++) {
      const byte = view.getUint8(at);
      if (byte < 0x20 || byte > 0x7e) throw new ProtocolError('map key is not printable ASCII');
    }
    if (PROTOTYPE_KEY_SIZES.has(size)) refusePrototypeKey(frame.subarray(start, position));
  }

  function array(itemCount: number, depth: number): void {
    for (let i = 0; i < itemCount; i++) value(depth + 1);
  }

  function map(entryCount: number, depth: number): void {
    for (let i = 0; i < entryCount; i++) {
      key();
      value(depth + 1);
    }
  }

  function value(depth: number): void {
    if (depth > MAX_NESTING) throw new ProtocolError(`values nest deeper than ${MAX_NESTING}`);
    if (++valueCount > MAX_VALUES) throw new ProtocolError(`more than ${MAX_VALUES} values in a frame`);
    const tag = view.getUint8(need(1));
    if (tag <= 0x7f || tag >= 0xe0) return; // fixint
    if (tag <= 0x8f) return map(tag & 0x0f, depth);
    if (tag <= 0x9f) return array(tag & 0x0f, depth);
    if (tag <= 0xbf) return void need(tag & 0x1f); // fixstr
    switch (tag) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return;
      case 0xc4: // bin 8
      case 0xd9: // str 8
        return void need(length(1));
      case 0xc5: // bin 16
      case 0xda: // str 16
        return void need(length(2));
      case 0xc6: // bin 32
      case 0xdb: // str 32
        return void need(length(4));
      case 0xcc: // uint 8
      case 0xd0: // int 8
        return void need(1);
      case 0xcd: // uint 16
      case 0xd1: // int 16
        return void need(2);
      case 0xca: // float 32
      case 0xce: // uint 32
      case 0xd2: // int 32
        return void need(4);
      case 0xcb: // float 64
      case 0xcf: // uint 64
      case 0xd3: // int 64
        return void need(8);
      case 0xdc:
        return array(length(2), depth);
      case 0xdd:
        return array(length(4), depth);
      case 0xde:
        return map(length(2), depth);
      case 0xdf:
        return map(length(4), depth);
      default:
        throw new ProtocolError(`extension or reserved type 0x${tag.toString(16)} in a frame`);
    }
  }

  value(0);
  if (position !== frame.byteLength) throw new ProtocolError('bytes after the end of the frame');
}

/**
 * Keys that lead to a prototype: the first would not become an own property, the others stand in for what every object
 * has. No declaration uses them.
 */
const PROTOTYPE_KEYS = ['__proto__', 'constructor', 'prototype'].map((key) => Buffer.from(key));
const PROTOTYPE_KEY_SIZES: ReadonlySet<number> = new Set(PROTOTYPE_KEYS.map(({ byteLength }) => byteLength));

function refusePrototypeKey(key: Uint8Array): void {
  if (PROTOTYPE_KEYS.some((refused) => refused.equals(key)))
    throw new ProtocolError('map key names the prototype');
}
