import { createHash } from 'node:crypto';
import type { EventEncoder } from '../event-file.js';
import type { SessionEvent } from '../events.js';
import {
  crc32,
  eventJSON,
  HEADER_BYTES,
  MAGIC,
  RECORD_HEAD_BYTES,
  RECORDING_VERSION,
  type RecordingEnd,
  type RecordingStart,
  RecordKind,
} from './recording-format.js';

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
  #ready: Buffer[] = [];
  #eventCount = 0;

  constructor(content: RecordingContent) {
    this.#content = content;
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.writeUInt32LE(RECORDING_VERSION, MAGIC.byteLength);
    this.#ready.push(header);
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
    const taken = Buffer.concat(this.#ready);
    this.#ready = [];
    return taken;
  }

  end(): void {
    const end: RecordingEnd = { eventCount: this.#eventCount };
    this.#json(RecordKind.end, JSON.stringify(end));
  }

  #artefact(digest: string, content: Uint8Array): void {
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    this.#record(RecordKind.artefact, Buffer.from(digest, 'hex'), content);
  }

  #json(kind: number, json: string): void {
    this.#record(kind, Buffer.from(json));
  }

  #record(kind: number, ...parts: readonly Uint8Array[]): void {
    const bodyBytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 1);
    const record = Buffer.allocUnsafe(RECORD_HEAD_BYTES + bodyBytes);
    record.writeUInt32LE(bodyBytes, 0);
    record.writeUInt8(kind, RECORD_HEAD_BYTES);
    let at = RECORD_HEAD_BYTES + 1;
    for (const part of parts) {
      record.set(part, at);
      at += part.byteLength;
    }
    record.writeUInt32LE(crc32(record.subarray(RECORD_HEAD_BYTES)), 4);
    this.#ready.push(record);
  }
}
