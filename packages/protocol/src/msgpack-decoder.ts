import { ProtocolError } from './errors.js';

/** Arrays and maps inside each other: the deepest declared message nests five. */
export const MAX_NESTING = 16;
/**
 * Values in one frame, keys of maps included: `MAX_MESSAGE_ENTRIES` segments and pointers, with room. To decode so many
 * takes a few milliseconds, whatever they are.
 */
export const MAX_VALUES = 20_480;

/** More than any message has. */
const MAX_KNOWN_KEYS = 16;

const PRINTABLE_ASCII = /^[ -~]*$/;
/**
 * Keys that lead to a prototype: the first would not become an own property, the others stand in for what every object
 * has. No declaration uses them.
 */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Decodes the one MessagePack value that a frame is, and refuses what this protocol never sends: extension types
 * (records, dates, references), keys that are not short ASCII strings or that lead to a prototype, deep nesting, lengths
 * beyond the frame, and bytes after the value. 64-bit integers are `bigint`, so that an address never becomes a float;
 * binary values are views into `frame`.
 *
 * Written by hand and not a library's: a general decoder is many times this size, which is what counts in a process
 * that has just started, and would need a pass over the frame before it, to keep out what it can do besides.
 * @returns the value, and how many values, keys included, it is made of.
 * @throws {ProtocolError}
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function decodeMessagePack(frame: Uint8Array): {
  readonly value: unknown;
  readonly valueCount: number;
} {
  const reader = new Reader(frame);
  const value = reader.value(0);
  reader.end();
  return { value, valueCount: reader.valueCount };
}

class Reader {
  readonly #frame: Buffer;
  readonly #view: DataView;
  readonly #sizeBytes: number;
  #position = 0;
  valueCount = 0;
  /** Keys met before, by where they were: those of a list's maps come again and again. */
  readonly #keys: { readonly start: number; readonly sizeBytes: number; readonly text: string }[] = [];

  constructor(frame: Uint8Array) {
    this.#frame = Buffer.isBuffer(frame)
      ? frame
      : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#sizeBytes = frame.byteLength;
  }

  end(): void {
    if (this.#position !== this.#sizeBytes) throw new ProtocolError('bytes after the end of the frame');
  }

  value(depth: number): unknown {
    if (depth > MAX_NESTING) throw new ProtocolError(`values nest deeper than ${MAX_NESTING}`);
    this.#count();
    const tag = this.#uint8();
    if (tag <= 0x7f) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag <= 0x8f) return this.#map(tag & 0x0f, depth);
    if (tag <= 0x9f) return this.#array(tag & 0x0f, depth);
    if (tag <= 0xbf) return this.#string(tag & 0x1f);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4: // bin 8
        return this.#bytes(this.#uint8());
      case 0xc5: // bin 16
        return this.#bytes(this.#uint16());
      case 0xc6: // bin 32
        return this.#bytes(this.#uint32());
      case 0xca:
        return this.#view.getFloat32(this.#take(4));
      case 0xcb:
        return this.#view.getFloat64(this.#take(8));
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return this.#view.getBigUint64(this.#take(8));
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3:
        return this.#view.getBigInt64(this.#take(8));
      case 0xd9: // str 8
        return this.#string(this.#uint8());
      case 0xda: // str 16
        return this.#string(this.#uint16());
      case 0xdb: // str 32
        return this.#string(this.#uint32());
      case 0xdc: // array 16
        return this.#array(this.#uint16(), depth);
      case 0xdd: // array 32
        return this.#array(this.#uint32(), depth);
      case 0xde: // map 16
        return this.#map(this.#uint16(), depth);
      case 0xdf: // map 32
        return this.#map(this.#uint32(), depth);
      default:
        throw new ProtocolError(`extension or reserved type 0x${tag.toString(16)} in a frame`);
    }
  }

  /** Start of the next `sizeBytes`, which are there. */
  #take(sizeBytes: number): number {
    const start = this.#position;
    if (sizeBytes > this.#sizeBytes - start) throw new ProtocolError('frame ends inside a value');
    this.#position = start + sizeBytes;
    return start;
  }

  #uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  #uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  #uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  #bytes(sizeBytes: number): Uint8Array {
    const start = this.#take(sizeBytes);
    return this.#frame.subarray(start, start + sizeBytes);
  }

  #string(sizeBytes: number): string {
    const start = this.#take(sizeBytes);
    return this.#frame.toString('utf8', start, start + sizeBytes);
  }

  /** Grows with what is there, not with what is announced. */
  #array(itemCount: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let i = 0; i < itemCount; i++) items.push(this.value(depth + 1));
    return items;
  }

  #map(entryCount: number, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (let i = 0; i < entryCount; i++) {
      const key = this.#key();
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  #count(): void {
    if (++this.valueCount > MAX_VALUES) throw new ProtocolError(`more than ${MAX_VALUES} values in a frame`);
  }

  #key(): string {
    this.#count();
    const tag = this.#uint8();
    let sizeBytes: number;
    if (tag >= 0xa0 && tag <= 0xbf) sizeBytes = tag & 0x1f;
    else if (tag === 0xd9) sizeBytes = this.#uint8();
    else throw new ProtocolError('map key is not a short string');
    const start = this.#take(sizeBytes);
    for (const known of this.#keys)
      if (known.sizeBytes === sizeBytes && this.#isSame(known.start, start, sizeBytes)) return known.text;
    const text = this.#frame.toString('utf8', start, start + sizeBytes);
    if (!PRINTABLE_ASCII.test(text)) throw new ProtocolError('map key is not printable ASCII');
    if (PROTOTYPE_KEYS.has(text)) throw new ProtocolError('map key names the prototype');
    if (this.#keys.length < MAX_KNOWN_KEYS) this.#keys.push({ start, sizeBytes, text });
    return text;
  }

  #isSame(oneStart: number, otherStart: number, sizeBytes: number): boolean {
    for (let offset = 0; offset < sizeBytes; offset++)
      if (this.#frame[oneStart + offset] !== this.#frame[otherStart + offset]) return false;
    return true;
  }
}
