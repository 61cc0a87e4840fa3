import { createHash } from 'node:crypto';
import { FarJITError } from '@farjit/protocol/errors';
import {
  crc32,
  DIGEST_BYTES,
  HEADER_BYTES,
  type JSONValue,
  MAGIC,
  MAX_RECORD_BYTES,
  RECORD_HEAD_BYTES,
  RECORDING_VERSION,
  type RecordedEvent,
  type RecordingEnd,
  type RecordingStart,
  RecordKind,
} from './recording-format.js';

/**
 * A file is no recording, or is damaged.
 * @remarks What was read before the damage can be used. A recording of a later release says so: read it with that.
 */
export class RecordingError extends FarJITError {
  /** Where, from the start of the file. */
  readonly offset: number;

  constructor(offset: number, words: string) {
    super('RECORDING', `${words}, at byte ${offset} of the recording`);
    this.offset = offset;
  }
}

/**
 * Reads a recording from its bytes, which may come in pieces: what is not whole yet waits for more. Whatever the bytes are, it takes
 * no more than they have, and what it gives has the types that are declared.
 */
export class RecordingReader {
  /** In the order in which they were written. */
  readonly events: RecordedEvent[] = [];
  readonly #artefacts = new Map<string, Uint8Array>();
  #start: RecordingStart | undefined;
  #end: RecordingEnd | undefined;
  #rest: Buffer = Buffer.alloc(0);
  /** Of `#rest`, from the start of the file. */
  #offset = 0;
  #damage: RecordingError | undefined;

  /** Undefined before it has come. */
  get start(): RecordingStart | undefined {
    return this.#start;
  }

  /** What was written last; undefined while it grows, or when whoever wrote it has crashed. */
  get end(): RecordingEnd | undefined {
    return this.#end;
  }

  /** What is wrong with the file: nothing behind it is read. */
  get damage(): RecordingError | undefined {
    return this.#damage;
  }

  /** Bytes behind the last whole record. */
  get unreadBytes(): number {
    return this.#rest.byteLength;
  }

  /** Digests of all artefacts, with their sizes. */
  get artefacts(): ReadonlyMap<string, number> {
    return new Map([...this.#artefacts].map(([digest, { byteLength }]) => [digest, byteLength]));
  }

  artefact(digest: string): Uint8Array | undefined {
    return this.#artefacts.get(digest);
  }

  /** Takes more of the file. What is damaged, or no recording, shows in `damage`. */
  push(bytes: Uint8Array): void {
    if (this.#damage) return;
    this.#rest = this.#rest.byteLength > 0 ? Buffer.concat([this.#rest, bytes]) : Buffer.from(bytes);
    let at = 0;
    try {
      if (this.#offset === 0) at = this.#header();
      for (let sizeBytes = at < 0 ? 0 : this.#record(at); sizeBytes > 0; sizeBytes = this.#record(at))
        at += sizeBytes;
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.#damage = error;
    }
    if (at <= 0) return;
    this.#rest = this.#rest.subarray(at);
    this.#offset += at;
  }

  /** @returns where records begin; -1 when it is not whole. */
  #header(): number {
    const known = this.#rest.subarray(0, MAGIC.byteLength);
    if (!MAGIC.subarray(0, known.byteLength).equals(known)) throw new RecordingError(0, 'it is no recording');
    if (this.#rest.byteLength < HEADER_BYTES) return -1;
    const version = this.#rest.readUInt32LE(MAGIC.byteLength);
    if (version !== RECORDING_VERSION)
      throw new RecordingError(8, `it is of version ${version}, and this release reads ${RECORDING_VERSION}`);
    return HEADER_BYTES;
  }

  /** @returns bytes of the record; 0 when it is not whole. */
  #record(at: number): number {
    const restBytes = this.#rest.byteLength - at;
    if (restBytes < RECORD_HEAD_BYTES) return 0;
    const bodyBytes = this.#rest.readUInt32LE(at);
    const offset = this.#offset + at;
    if (bodyBytes === 0 || bodyBytes > MAX_RECORD_BYTES)
      throw new RecordingError(offset, `there is no record of ${bodyBytes} bytes`);
    if (restBytes < RECORD_HEAD_BYTES + bodyBytes) return 0;
    const body = this.#rest.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + bodyBytes);
    if (crc32(body) !== this.#rest.readUInt32LE(at + 4))
      throw new RecordingError(offset, 'a record is not what was written');
    if (this.#end) throw new RecordingError(offset, 'there is something behind its end');
    this.#take(body[0] ?? 0, body.subarray(1), offset);
    return RECORD_HEAD_BYTES + bodyBytes;
  }

  #take(kind: number, content: Buffer, offset: number): void {
    if ((kind === RecordKind.start) === (this.#start !== undefined))
      throw new RecordingError(offset, 'it does not begin with its start, or begins twice');
    switch (kind) {
      case RecordKind.start:
        this.#start = startOf(objectIn(content, offset), offset);
        return;
      case RecordKind.event:
        return void this.events.push(eventOf(objectIn(content, offset), offset));
      case RecordKind.artefact:
        return this.#takeArtefact(content, offset);
      case RecordKind.end: {
        const { eventCount } = objectIn(content, offset);
        if (!isCount(eventCount)) throw new RecordingError(offset, 'its end says no number of events');
        this.#end = { eventCount };
        return;
      }
      default:
        throw new RecordingError(offset, `there is no record of kind ${kind}`);
    }
  }

  #takeArtefact(content: Buffer, offset: number): void {
    if (content.byteLength < DIGEST_BYTES) throw new RecordingError(offset, 'an artefact has no digest');
    const digest = content.subarray(0, DIGEST_BYTES).toString('hex');
    // A copy: the rest of the file need not stay.
    const bytes = new Uint8Array(content.subarray(DIGEST_BYTES));
    if (createHash('sha256').update(bytes).digest('hex') !== digest)
      throw new RecordingError(offset, 'an artefact is another than its digest says');
    this.#artefacts.set(digest, bytes);
  }
}

type JSONObject = { readonly [key: string]: JSONValue | undefined };

function objectIn(content: Buffer, offset: number): JSONObject {
  let value: unknown;
  try {
    value = JSON.parse(content.toString('utf8'));
  } catch {
    throw new RecordingError(offset, 'a record is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RecordingError(offset, 'a record is no object');
  return value as JSONObject;
}

function startOf(object: JSONObject, offset: number): RecordingStart {
  const { version, startedAt, originNs, session, processId, target, optLevel, sources } = object;
  const isText = (value: JSONValue | undefined) => typeof value === 'string';
  const has = (value: JSONValue | undefined, ...keys: readonly string[]) =>
    typeof value === 'object' && value !== null && keys.every((key) => isText((value as JSONObject)[key]));
  const isStart =
    [version, startedAt, session].every(isText) &&
    typeof originNs === 'string' &&
    /^\d{1,20}$/.test(originNs) &&
    isCount(processId) &&
    has(target, 'triple', 'cpuName', 'cpuFeatures') &&
    (optLevel === undefined || isCount(optLevel)) &&
    Array.isArray(sources) &&
    sources.every((source) => has(source as JSONValue, 'name', 'digest'));
  if (!isStart) throw new RecordingError(offset, 'its start says not what was recorded');
  return object as unknown as RecordingStart;
}

/** Fields that all events may have, and what they are. */
const TEXTS = ['type', 'process', 'session', 'unit', 'symbol', 'address'] as const;
const NUMBERS = [
  'atNs',
  'errorNs',
  'processId',
  'generation',
  'call',
  'callback',
  'thread',
  'sizeBytes',
] as const;
const REQUIRED = ['type', 'atNs', 'errorNs', 'process', 'processId', 'session'] as const;

function eventOf(object: JSONObject, offset: number): RecordedEvent {
  const wrong = [
    ...REQUIRED.filter((key) => object[key] === undefined),
    ...TEXTS.filter((key) => object[key] !== undefined && typeof object[key] !== 'string'),
    ...NUMBERS.filter((key) => object[key] !== undefined && typeof object[key] !== 'number'),
  ];
  const [first] = wrong;
  if (first !== undefined) throw new RecordingError(offset, `an event has no ${first}, or a strange one`);
  return object as RecordedEvent;
}

function isCount(value: JSONValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
