const INITIAL_BYTES = 1024;

/** Bytes that a key is made of. Numbers are little-endian; a string is a u32 length and UTF-8. */
export class KeyBytes {
  #bytes = Buffer.alloc(INITIAL_BYTES);
  #view = viewOf(this.#bytes);
  #length = 0;

  /** Starts over, with these bytes. */
  begin(prefix: Uint8Array): void {
    this.#length = 0;
    this.#reserve(prefix.byteLength);
    this.#bytes.set(prefix, 0);
    this.#length = prefix.byteLength;
  }

  /** All that has been added; a view that holds until the next addition. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  count(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  string(text: string): void {
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    this.#reserve(4 + 3 * text.length);
    const written = this.#bytes.write(text, this.#length + 4);
    this.#view.setUint32(this.#length, written, true);
    this.#length += 4 + written;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.alloc(2 * (this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
