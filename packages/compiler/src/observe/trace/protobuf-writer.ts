import { type MessageName, type MessageValue, PERFETTO_MESSAGES } from './track-event.js';

/** Bytes that the length of a message has, so that it can be written after the message: a varint with leading zeros. */
const LENGTH_BYTES = 4;
const START_BYTES = 64 * 1024;

/** Wire types of protobuf. */
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;

type AnyField = readonly [number, string, 'repeated'?];

/** Writes protobuf messages as they are declared, one after the other. */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(START_BYTES);
  #at = 0;

  /** Bytes that wait to be taken. */
  get sizeBytes(): number {
    return this.#at;
  }

  /** A field of `Trace`: what is written is a trace at any time. */
  packet(packet: MessageValue<'TracePacket'>): void {
    this.#field(PERFETTO_MESSAGES.Trace.packet, packet);
  }

  /** What has been written, and is not there any more. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return taken;
  }

  #message(name: MessageName, value: object): void {
    const fields = PERFETTO_MESSAGES[name] as Readonly<Record<string, AnyField>>;
    for (const [key, given] of Object.entries(value)) {
      const field = fields[key];
      if (given === undefined || field === undefined) continue;
      if (field[2]) for (const each of given as readonly unknown[]) this.#field(field, each);
      else this.#field(field, given);
    }
  }

  #field([number, type]: AnyField, value: unknown): void {
    switch (type) {
      case 'string':
        return this.#text(number, value as string);
      case 'double':
        this.#tag(number, FIXED64);
        this.#at = this.#bytes.writeDoubleLE(value as number, this.#at);
        return;
      case 'fixed64':
        this.#tag(number, FIXED64);
        this.#at = this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value as number)), this.#at);
        return;
      case 'bool':
        this.#tag(number, VARINT);
        return this.#varint(value ? 1 : 0);
      case 'uint64':
      case 'int64':
      case 'uint32':
      case 'int32':
        this.#tag(number, VARINT);
        return this.#varint(value as number | bigint);
      default:
        return this.#nested(number, type as MessageName, value as object);
    }
  }

  #nested(number: number, name: MessageName, value: object): void {
    this.#tag(number, DELIMITED);
    const lengthAt = this.#at;
    this.#at += LENGTH_BYTES;
    this.#message(name, value);
    let sizeBytes = this.#at - lengthAt - LENGTH_BYTES;
    for (let index = 0; index < LENGTH_BYTES; index++) {
      this.#bytes[lengthAt + index] = (sizeBytes & 0x7f) | (index < LENGTH_BYTES - 1 ? 0x80 : 0);
      sizeBytes >>>= 7;
    }
  }

  #text(number: number, text: string): void {
    const sizeBytes = Buffer.byteLength(text);
    this.#tag(number, DELIMITED);
    this.#varint(sizeBytes);
    this.#reserve(sizeBytes);
    this.#at += this.#bytes.write(text, this.#at);
  }

  /** Leaves room for a number behind it. */
  #tag(number: number, wireType: number): void {
    this.#reserve(32);
    this.#varint(number * 8 + wireType);
  }

  /** Of 64 bits; negative numbers in two's complement. */
  #varint(given: number | bigint): void {
    if (typeof given === 'bigint' || given < 0) return this.#longVarint(BigInt.asUintN(64, BigInt(given)));
    let value = given;
    // Not by shifts: these cut to 32 bits.
    for (; value >= 0x80; value = Math.floor(value / 0x80)) this.#bytes[this.#at++] = (value % 0x80) | 0x80;
    this.#bytes[this.#at++] = value;
  }

  #longVarint(given: bigint): void {
    let value = given;
    for (; value >= 0x80n; value >>= 7n) this.#bytes[this.#at++] = Number(value & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(value);
  }

  #reserve(moreBytes: number): void {
    const neededBytes = this.#at + moreBytes;
    if (neededBytes <= this.#bytes.byteLength) return;
    const grown = Buffer.allocUnsafe(Math.max(neededBytes, 2 * this.#bytes.byteLength));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
