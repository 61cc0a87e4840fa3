import { type RecordedEvent, RecordingReader } from '@farjit/compiler';
import { EventStream } from '#compiler/src/observe/event-stream.js';
import { crc32 } from '#compiler/src/observe/recording/recording-format.js';
import { RecordingWriter } from '#compiler/src/observe/recording/recording-writer.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';

const HEADER_BYTES = 16;
const HEAD_BYTES = 8;
const TOKENS = ['null', '[]', '{}', '-1', '1e999', '"x"', '"__proto__"', '\\ud800'].map((text) =>
  Buffer.from(text),
);

/** The reader of recordings. */
export const recording: TargetFactory = {
  name: 'recording',
  longInputs: 300_000,
  shortInputs: 2000,
  create: ({ planted = false } = {}) => new RecordingFile(planted ? TrustingReader : RecordingReader),
};

class RecordingFile implements FuzzTarget {
  readonly name = 'recording';
  readonly stages = ['refused', 'damaged', 'cut', 'whole'];
  readonly #files = [recordingOf(0), recordingOf(3), recordingOf(12)];
  readonly #Reader: typeof RecordingReader;

  constructor(Reader: typeof RecordingReader) {
    this.#Reader = Reader;
  }

  generate(random: Random): Uint8Array {
    const file = random.pick(this.#files);
    if (random.oneIn(8)) return mutateBytes(file, random, { others: this.#files });
    if (random.oneIn(8)) return file.subarray(0, random.below(file.byteLength));
    const records = recordsOf(file);
    const at = random.below(records.length);
    const changed = changedRecord(records[at] ?? Buffer.alloc(0), random);
    // What a record is told after another may matter.
    const others = random.oneIn(6) ? [random.pick(records)] : [];
    return Buffer.concat([
      file.subarray(0, HEADER_BYTES),
      ...records.slice(0, at),
      changed,
      ...others,
      ...records.slice(at + 1),
    ]);
  }

  run(input: Uint8Array): string {
    const whole = this.#read(input, input.byteLength);
    const inPieces = this.#read(input, 1 + (input.byteLength % 61));
    must(
      whole.events.length === inPieces.events.length && whole.damage?.message === inPieces.damage?.message,
      () => 'a recording means something else in pieces',
    );
    const { start, end, damage, events, artefacts, unreadBytes } = whole;
    if (damage) mustBePrintable(damage.message);
    const heldBytes = [...artefacts.values()].reduce((sum, sizeBytes) => sum + sizeBytes, unreadBytes);
    must(heldBytes <= input.byteLength, () => `${heldBytes} bytes of ${input.byteLength}`);
    for (const event of events) mustBeEvent(event);
    if (!start) return 'refused';
    must(typeof start.target.triple === 'string' && Array.isArray(start.sources), () => 'a start is none');
    if (damage) return 'damaged';
    return end ? 'whole' : 'cut';
  }

  #read(input: Uint8Array, pieceBytes: number): RecordingReader {
    const reader = new this.#Reader();
    for (let at = 0; at < input.byteLength; at += pieceBytes)
      reader.push(input.subarray(at, at + pieceBytes));
    return reader;
  }
}

function mustBeEvent({ type, atNs, process, address, thread }: RecordedEvent): void {
  must(
    typeof type === 'string' && typeof atNs === 'number' && typeof process === 'string',
    () => 'an event is none',
  );
  must(address === undefined || typeof address === 'string', () => 'an address is no text');
  must(thread === undefined || typeof thread === 'number', () => 'a thread is no number');
}

/** Takes whatever an event says for a thread. */
class TrustingReader extends RecordingReader {
  override push(bytes: Uint8Array): void {
    super.push(bytes);
    for (const event of this.events) if (event.sizeBytes === 0) Object.assign(event, { thread: 'none' });
  }
}

/** A recording of so many functions. */
function recordingOf(functionCount: number): Buffer {
  const events = new EventStream();
  const stop = events.artefacts.want();
  const writer = new RecordingWriter({
    start: {
      ...{
        version: '0.1.0',
        startedAt: new Date(0).toISOString(),
        originNs: '17',
        session: 's',
        processId: 1,
      },
      target: { triple: 'x86_64-linux-gnu', cpuName: 'x', cpuFeatures: '' },
    },
    sources: [{ name: 'a.ks', content: Buffer.from('def f(x) x;') }],
    artefact: (digest) => events.artefacts.get(digest),
  });
  events.subscribe((event) => writer.add(event));
  for (let index = 0; index < functionCount; index++) {
    const name = `f${index}`;
    events.tell('defined', () => ({ name }));
    const bytes = events.artefacts.keep(Buffer.alloc(index, index)) ?? '';
    events.tell('linked', () => ({
      ...{ unit: name, linkMs: 1, segmentBytes: index, beganNs: 1, functions: [name], bytes },
      ...{ generation: 1, thread: index, sizeBytes: index + 1 },
    }));
  }
  stop();
  writer.end();
  return writer.take();
}

function recordsOf(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = HEADER_BYTES; at < file.byteLength; ) {
    const sizeBytes = HEAD_BYTES + file.readUInt32LE(at);
    records.push(file.subarray(at, at + sizeBytes));
    at += sizeBytes;
  }
  return records;
}

/** Mostly one whose sum is right: so its content is looked at. */
function changedRecord(record: Buffer, random: Random): Buffer {
  if (random.oneIn(10)) return Buffer.from(mutateBytes(record, random));
  const text = record.subarray(HEAD_BYTES + 1).toString('latin1');
  // A number, or a text, becomes another value.
  const values = [...text.matchAll(/:("[^"]*"|-?\d+)/g)];
  const { index = 0, 0: found = '' } = values.length > 0 ? random.pick(values) : {};
  const isJSON = values.length > 0 && !random.oneIn(4);
  const value = random.pick(['0', '1', '-1', '"x"', 'null', '[]', '{}', '1e999', '4294967296']);
  const content = isJSON
    ? Buffer.from(`${text.slice(0, index)}:${value}${text.slice(index + found.length)}`, 'latin1')
    : Buffer.from(mutateBytes(record.subarray(HEAD_BYTES + 1), random, { tokens: TOKENS }));
  const body = Buffer.concat([
    Buffer.of(random.oneIn(20) ? random.below(8) : (record[HEAD_BYTES] ?? 0)),
    content,
  ]);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(body.byteLength, 0);
  head.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([head, body]);
}
