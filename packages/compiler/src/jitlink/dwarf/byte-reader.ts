/** Reads numbers and texts of DWARF, one after the other. What lies outside is a `RangeError`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where the next one begins. */
  offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Rounded when it is 2^53 or more. */
  u64(): number {
    return this.u32() + this.u32() * 2 ** 32;
  }

  /** Rounded when it is 2^53 or more. */
  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 128) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 128) return byte & 0x40 ? value - scale * 128 : value;
    }
  }

  /** Up to a NUL. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.offset);
    if (end < 0) throw new RangeError(`no text ends after ${this.offset}`);
    const text = Buffer.from(this.#bytes.subarray(this.offset, end)).toString('utf8');
    this.offset = end + 1;
    return text;
  }

  skip(sizeBytes: number): void {
    this.#take(sizeBytes);
  }

  #take(sizeBytes: number): number {
    const at = this.offset;
    if (at + sizeBytes > this.#bytes.byteLength) throw new RangeError(`nothing is at ${at}`);
    this.offset = at + sizeBytes;
    return at;
  }
}
