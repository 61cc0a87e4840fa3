import { createHash } from 'node:crypto';
import type { EventEncoder } from '../event-file.js';
import type { SessionEvent } from '../events.js';
import {
  crc32,
  DIGEST_BYTES,
  eventJSON,
  HEADER_BYTES,
  MAGIC,
  RECORD_HEAD_BYTES,
  RECORDING_VERSION,
  type RecordingEnd,
  type RecordingStart,
  RecordKind,
} from './recording-format.js';

const START_BYTES = 256 * 1024;
/** Of one UTF-16 unit. */
const MAX_UTF8_BYTES = 3;

/** Fields of events that name artefacts. */
const DIGEST_FIELDS = ['input', 'object', 'graph', 'bytes', 'passes'] as const;

/** A source to keep in a recording. */
export interface RecordedSource {
  readonly name: string;
  readonly content: Uint8Array;
}

/** What is recorded besides events. */
export interface RecordingContent {
  readonly start: Omit<RecordingStart, 'sources'>;
  readonly sources: readonly RecordedSource[];
  /** An artefact; undefined when it is not kept any more. */
  artefact(digest: string): Uint8Array | undefined;
}

/** Writes a recording, record by record: an artefact in front of the first event that names it. */
export class RecordingWriter implements EventEncoder {
  readonly #content: RecordingContent;
  readonly #written = new Set<string>();
  #bytes = Buffer.allocUnsafe(START_BYTES);
  /** Where what waits to be taken ends. */
  #at = 0;
  #eventCount = 0;

  constructor(content: RecordingContent) {
    this.#content = content;
    MAGIC.copy(this.#bytes);
    this.#bytes.writeUInt32LE(RECORDING_VERSION, MAGIC.byteLength);
    this.#bytes.writeUInt32LE(0, MAGIC.byteLength + 4);
    this.#at = HEADER_BYTES;
    const sources = content.sources.map(({ name, content: source }) => ({
      name,
      content: source,
      digest: createHash('sha256').update(source).digest('hex'),
    }));
    const start: RecordingStart = {
      ...content.start,
      sources: sources.map(({ name, digest }) => ({ name, digest })),
    };
    this.#json(RecordKind.start, JSON.stringify(start));
    for (const { digest, content: source } of sources) this.#artefact(digest, source);
  }

  add(event: SessionEvent): void {
    const named = event as Readonly<Partial<Record<(typeof DIGEST_FIELDS)[number], unknown>>>;
    for (const field of DIGEST_FIELDS) {
      const digest = named[field];
      // A pipeline of passes is no digest.
      const content = typeof digest === 'string' ? this.#content.artefact(digest) : undefined;
      if (typeof digest === 'string' && content) this.#artefact(digest, content);
    }
    this.#eventCount++;
    this.#json(RecordKind.event, eventJSON(event));
  }

  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return taken;
  }

  end(): void {
    const end: RecordingEnd = { eventCount: this.#eventCount };
    this.#json(RecordKind.end, JSON.stringify(end));
  }

  #artefact(digest: string, content: Uint8Array): void {
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    this.#record(RecordKind.artefact, DIGEST_BYTES + content.byteLength, (at) => {
      const contentAt = at + this.#bytes.write(digest, at, 'hex');
      this.#bytes.set(content, contentAt);
      return contentAt + content.byteLength;
    });
  }

  #json(kind: number, json: string): void {
    this.#record(kind, MAX_UTF8_BYTES * json.length, (at) => at + this.#bytes.write(json, at));
  }

  /** @param write writes at most so many bytes, and answers where they end. */
  #record(kind: number, mostBytes: number, write: (at: number) => number): void {
    const headAt = this.#at;
    this.#reserve(RECORD_HEAD_BYTES + 1 + mostBytes);
    const bodyAt = headAt + RECORD_HEAD_BYTES;
    this.#bytes.writeUInt8(kind, bodyAt);
    this.#at = write(bodyAt + 1);
    this.#bytes.writeUInt32LE(this.#at - bodyAt, headAt);
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(bodyAt, this.#at)), headAt + 4);
  }

  #reserve(moreBytes: number): void {
    const neededBytes = this.#at + moreBytes;
    if (neededBytes <= this.#bytes.byteLength) return;
    const grown = Buffer.allocUnsafe(Math.max(neededBytes, 2 * this.#bytes.byteLength));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
