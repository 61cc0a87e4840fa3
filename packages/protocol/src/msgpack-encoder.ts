/** Memory that is kept between frames; a larger frame gets memory of its own. */
const KEPT_BYTES = 64 * 1024;
/** Keys whose encoding is kept: more than all declarations have. */
const MAX_KEPT_KEYS = 256;

/**
 * Encodes values as MessagePack: null, booleans, numbers, strings, bytes, arrays, plain objects, and `bigint`, which is a
 * 64-bit integer however small it is. `undefined` is nil: as an extension it would cost the connection, so it is at
 * most one refused message.
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export class MessagePackEncoder {
  #buffer = Buffer.allocUnsafeSlow(KEPT_BYTES);
  #view = viewOf(this.#buffer);
  #position = 0;
  readonly #keys = new Map<string, Uint8Array>();

  /**
   * The result is a fresh buffer that the caller may keep.
   * @throws {RangeError} for a `bigint` of more than 64 bits.
   * @throws {TypeError} for what is none of the above.
   */
  encode(value: unknown): Buffer {
    this.#position = 0;
    try {
      this.#value(value);
      return Buffer.from(this.#buffer.subarray(0, this.#position));
    } finally {
      if (this.#buffer.byteLength > KEPT_BYTES) this.#use(Buffer.allocUnsafeSlow(KEPT_BYTES));
    }
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'number':
        return this.#number(value);
      case 'bigint':
        return this.#bigint(value);
      case 'string':
        return this.#string(value);
      case 'boolean':
        return this.#byte(value ? 0xc3 : 0xc2);
      case 'undefined':
        return this.#byte(0xc0);
      case 'object':
        if (value === null) return this.#byte(0xc0);
        if (value instanceof Uint8Array) return this.#bytes(value);
        if (Array.isArray(value)) return this.#array(value);
        return this.#map(value);
      default:
        throw new TypeError(`a ${typeof value} has no place in a message`);
    }
  }

  #number(value: number): void {
    // As a float, minus zero stays what it is.
    if (!Number.isInteger(value) || value > 0xffff_ffff || value < -0x8000_0000 || Object.is(value, -0)) {
      const at = this.#take(9);
      this.#buffer[at] = 0xcb;
      this.#view.setFloat64(at + 1, value);
    } else if (value >= 0) {
      if (value <= 0x7f) this.#byte(value);
      else this.#sized(value, 0xcc);
    } else if (value >= -0x20) {
      this.#byte(value + 0x100);
    } else {
      const at = this.#take(5);
      this.#buffer[at] = 0xd2;
      this.#view.setInt32(at + 1, value);
    }
  }

  #bigint(value: bigint): void {
    const at = this.#take(9);
    if (value <= 0x7fff_ffff_ffff_ffffn) {
      if (value < -0x8000_0000_0000_0000n) throw new RangeError(`${value} does not fit 64 bits`);
      this.#buffer[at] = 0xd3;
      this.#view.setBigInt64(at + 1, value);
    } else {
      if (value > 0xffff_ffff_ffff_ffffn) throw new RangeError(`${value} does not fit 64 bits`);
      this.#buffer[at] = 0xcf;
      this.#view.setBigUint64(at + 1, value);
    }
  }

  #string(text: string): void {
    const sizeBytes = Buffer.byteLength(text);
    if (sizeBytes < 0x20) this.#byte(0xa0 + sizeBytes);
    else this.#sized(sizeBytes, 0xd9);
    const at = this.#take(sizeBytes);
    this.#buffer.write(text, at, sizeBytes, 'utf8');
  }

  #bytes(bytes: Uint8Array): void {
    this.#sized(bytes.byteLength, 0xc4);
    const at = this.#take(bytes.byteLength);
    this.#buffer.set(bytes, at);
  }

  #array(items: readonly unknown[]): void {
    if (items.length < 0x10) this.#byte(0x90 + items.length);
    else this.#sized(items.length, 0xdb, 0x1_0000);
    for (let i = 0; i < items.length; i++) this.#value(items[i]);
  }

  #map(map: object): void {
    const keys = Object.keys(map);
    if (keys.length < 0x10) this.#byte(0x80 + keys.length);
    else this.#sized(keys.length, 0xdd, 0x1_0000);
    for (const key of keys) {
      this.#key(key);
      this.#value((map as Record<string, unknown>)[key]);
    }
  }

  #key(key: string): void {
    const kept = this.#keys.get(key);
    if (kept) {
      const at = this.#take(kept.byteLength);
      this.#buffer.set(kept, at);
      return;
    }
    const start = this.#position;
    this.#string(key);
    if (this.#keys.size < MAX_KEPT_KEYS)
      this.#keys.set(key, Uint8Array.prototype.slice.call(this.#buffer, start, this.#position));
  }

  /** A tag and a number of 8, 16 or 32 bits after it: `tag8`, or one of the two tags that follow it. */
  #sized(value: number, tag8: number, from = value <= 0xff ? 0x100 : 0x1_0000): void {
    if (from === 0x100) {
      const at = this.#take(2);
      this.#buffer[at] = tag8;
      this.#buffer[at + 1] = value;
    } else if (value <= 0xffff) {
      const at = this.#take(3);
      this.#buffer[at] = tag8 + 1;
      this.#view.setUint16(at + 1, value);
    } else {
      const at = this.#take(5);
      this.#buffer[at] = tag8 + 2;
      this.#view.setUint32(at + 1, value);
    }
  }

  #byte(value: number): void {
    const at = this.#take(1);
    this.#buffer[at] = value;
  }

  /** Start of `sizeBytes` that may be written. */
  #take(sizeBytes: number): number {
    const start = this.#position;
    this.#position = start + sizeBytes;
    if (this.#position > this.#buffer.byteLength) this.#grow();
    return start;
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.byteLength, this.#position));
    larger.set(this.#buffer);
    this.#use(larger);
  }

  #use(buffer: Buffer<ArrayBuffer>): void {
    this.#buffer = buffer;
    this.#view = viewOf(buffer);
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
