import { closeSync, openSync, readv } from 'node:fs';
import { promisify } from 'node:util';
import { monotonicMs } from '@farjit/protocol/clock';
import { LockPlaces, LockTurns } from './lock-turns.js';

/**
 * What the kernel keeps of a mapping, for each byte of its line in `/proc/<pid>/maps`, which nothing else tells: 192 for
 * the mapping, up to 50 for its place in the tree, 170 more once one of its pages is private (Linux 6.18). The shortest
 * line has 41 bytes, that of anonymous memory where programs usually are 49.
 */
const KERNEL_BYTES_PER_BYTE = 10;
/** The kernel fills a page at a time, so each piece fits into one with a line to spare. */
const PIECE_BYTES = 3072;
/** Enough for a runner that does nothing unusual, some 300 lines, and read in one go: it takes 0.1 ms. */
const USUAL_PIECES = 8;
/** The most that one read takes (IOV_MAX). */
const MORE_PIECES = 1024;
/** After a reading of more, nothing of that kind is read for so many times as long as it took. */
const REST_FACTOR = 9;
/** Looks at a runner, 50 ms apart, for which a reading may last, which takes milliseconds: then its program holds it up. */
const MAX_MISSED_LOOKS = 60;

const readvAsync = promisify(readv);

/** What is read is of no interest, but its length. */
const PIECE = Buffer.allocUnsafeSlow(PIECE_BYTES);
const USUAL = Array<Buffer>(USUAL_PIECES).fill(PIECE);
const MORE = Array<Buffer>(MORE_PIECES).fill(PIECE);

/**
 * Has the maps of a host's runners read in other threads, as it has their memory, when it is a runner's turn. Long ones are read
 * one after the other, and for a tenth of the time: the kernel allows 65,530 mappings (`vm.max_map_count`), which
 * take 30 ms, and a runner can have them at no cost. With many such runners each is read more seldom.
 */
export class MapsReader {
  #turn: Promise<void> = Promise.resolve();
  readonly #places = new LockPlaces();

  /** Those of one runner. */
  turns(): LockTurns {
    return new LockTurns(this.#places);
  }

  /** Resolves with what `read` does, when it is its turn. */
  async inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = this.#turn;
    let leave = () => {};
    this.#turn = new Promise((resolve) => {
      leave = resolve;
    });
    await turn;
    const startMs = monotonicMs();
    try {
      return await read();
    } finally {
      setTimeout(leave, REST_FACTOR * (monotonicMs() - startMs)).unref();
    }
  }
}

/** The mappings of one process, and what the kernel keeps of them. */
export class MappingsMeter {
  readonly #reader: MapsReader;
  readonly #turns: LockTurns;
  readonly #fd: number;
  #kernelBytes = 0;
  /** Being counted, or waiting for it. */
  #isBusy = false;
  /** Asked for while it was busy. */
  #isStale = false;
  #isCounting = false;
  #missedLooks = 0;
  #text: Promise<string> | undefined;
  #readCount = 0;
  #isClosed = false;

  constructor(reader: MapsReader, turns: LockTurns, processId: number) {
    this.#reader = reader;
    this.#turns = turns;
    this.#fd = openSync(`/proc/${processId}/maps`, 'r');
  }

  /** When it was last read. */
  get kernelBytes(): number {
    return this.#kernelBytes;
  }

  /** The process does not let its mappings be read. */
  get isHeldUp(): boolean {
    return this.#missedLooks > MAX_MISSED_LOOKS;
  }

  /** Counts again, soon; where there are many mappings, in turn. */
  refresh(): void {
    this.#isStale = this.#isBusy;
    if (this.#isCounting) this.#missedLooks++;
    if (!this.#isBusy && !this.#isClosed) void this.#measure();
  }

  /**
   * The file, as many whole lines as fit; one reading serves all who ask meanwhile. Empty when the process is gone.
   */
  text(maxBytes: number): Promise<string> {
    this.#text ??= this.#turns
      .run(() => this.#readText(maxBytes))
      .catch(() => '')
      .finally(() => {
        this.#text = undefined;
      });
    return this.#text;
  }

  /** Where a read is under way, the file is closed after it: the descriptor's number may be another file's then. */
  close(): void {
    if (!this.#isClosed && this.#readCount === 0) closeSync(this.#fd);
    this.#isClosed = true;
  }

  /** Never rejects. */
  async #measure(): Promise<void> {
    this.#isBusy = true;
    try {
      let lengthBytes = await this.#count(() => this.#read(USUAL, 0));
      if (lengthBytes === USUAL_PIECES * PIECE_BYTES)
        lengthBytes = await this.#reader.inTurn(() => this.#count(() => this.#lengthFrom(lengthBytes)));
      if (!this.#isClosed) this.#kernelBytes = KERNEL_BYTES_PER_BYTE * lengthBytes;
    } catch {
      // The process is gone, which others notice.
    } finally {
      this.#isBusy = false;
    }
    if (this.#isStale) this.refresh();
  }

  /** Before what is asked of the runner's memory, of which a program can ask much. */
  #count(read: () => Promise<number>): Promise<number> {
    const counted = async () => {
      this.#missedLooks = 0;
      this.#isCounting = true;
      try {
        return await read();
      } finally {
        this.#isCounting = false;
      }
    };
    return this.#turns.run(counted, true);
  }

  /** Mappings that come and go meanwhile are counted or not. */
  async #lengthFrom(startBytes: number): Promise<number> {
    for (let lengthBytes = startBytes; ; ) {
      const readBytes = await this.#read(MORE, lengthBytes);
      if (readBytes === 0) return lengthBytes;
      lengthBytes += readBytes;
    }
  }

  async #readText(maxBytes: number): Promise<string> {
    const text = Buffer.allocUnsafe(maxBytes);
    let sizeBytes = 0;
    while (sizeBytes < maxBytes) {
      const readBytes = await this.#read([text.subarray(sizeBytes)], sizeBytes);
      if (readBytes === 0) break;
      sizeBytes += readBytes;
    }
    // Beyond what was read the buffer holds what was somebody else's.
    if (sizeBytes === 0) return '';
    return text.toString('utf8', 0, text.lastIndexOf('\n', sizeBytes - 1) + 1);
  }

  /** In another thread. Answers 0 at the end, and when it has been closed. */
  async #read(pieces: readonly Buffer[], position: number): Promise<number> {
    if (this.#isClosed) return 0;
    this.#readCount++;
    try {
      return (await readvAsync(this.#fd, pieces, position)).bytesRead;
    } finally {
      this.#readCount--;
      if (this.#isClosed && this.#readCount === 0) closeSync(this.#fd);
    }
  }
}
