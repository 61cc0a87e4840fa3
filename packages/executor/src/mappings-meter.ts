import { closeSync, openSync, readv, readvSync } from 'node:fs';
import { promisify } from 'node:util';

/**
 * What the kernel keeps of a mapping, for each byte of its line in `/proc/<pid>/maps`, which nothing else tells: 192 for
 * the mapping, up to 50 for its place in the tree, 170 more once one of its pages is private (Linux 6.18). The shortest
 * line has 41 bytes, that of anonymous memory where programs usually are 49.
 */
const KERNEL_BYTES_PER_BYTE = 10;
/** The kernel fills a page at a time, so each piece fits into one with a line to spare. */
const PIECE_BYTES = 3072;
/** Enough for a runner that does nothing unusual, some 300 lines, and read at once: it takes 0.1 ms. */
const USUAL_PIECES = 8;
/** The most that one read takes (IOV_MAX). */
const MORE_PIECES = 1024;
/** After a reading of more, nothing of that kind is read for so many times as long as it took. */
const REST_FACTOR = 9;

const readvAsync = promisify(readv);

/** What is read is of no interest, but its length. */
const PIECE = Buffer.allocUnsafeSlow(PIECE_BYTES);
const USUAL = Array<Buffer>(USUAL_PIECES).fill(PIECE);
const MORE = Array<Buffer>(MORE_PIECES).fill(PIECE);

/**
 * Lets the long maps of a host's runners be read one after the other, and for a tenth of the time: the kernel allows
 * 65,530 mappings (`vm.max_map_count`), which take 30 ms, and a runner can have them at no cost. With many such runners
 * each is read more seldom.
 */
export class MapsReader {
  #turn: Promise<void> = Promise.resolve();

  /** Resolves with what `read` does, when it is its turn. */
  async inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = this.#turn;
    let leave = () => {};
    this.#turn = new Promise((resolve) => {
      leave = resolve;
    });
    await turn;
    const startMs = performance.now();
    try {
      return await read();
    } finally {
      setTimeout(leave, REST_FACTOR * (performance.now() - startMs)).unref();
    }
  }
}

/** What the kernel keeps of one process's mappings. */
export class MappingsMeter {
  readonly #reader: MapsReader;
  readonly #fd: number;
  #kernelBytes = 0;
  #isWaiting = false;
  #isReading = false;
  /** Asked for while it was waiting or being read. */
  #isStale = false;
  #isClosed = false;

  constructor(reader: MapsReader, processId: number) {
    this.#reader = reader;
    this.#fd = openSync(`/proc/${processId}/maps`, 'r');
  }

  /** When it was last read. */
  get kernelBytes(): number {
    return this.#kernelBytes;
  }

  /** Reads again: at once where there are as many mappings as usual, and where there are more, soon. */
  refresh(): void {
    this.#isStale = this.#isWaiting;
    if (this.#isWaiting || this.#isClosed) return;
    try {
      const lengthBytes = readvSync(this.#fd, USUAL, 0);
      if (lengthBytes < USUAL_PIECES * PIECE_BYTES) this.#kernelBytes = KERNEL_BYTES_PER_BYTE * lengthBytes;
      else void this.#readMore(lengthBytes);
    } catch {
      // The process is gone, which others notice.
    }
  }

  /** Where a reading is under way, the file is closed after it: the descriptor's number may be another file's then. */
  close(): void {
    if (!this.#isClosed && !this.#isReading) closeSync(this.#fd);
    this.#isClosed = true;
  }

  /** Never rejects. */
  async #readMore(usualBytes: number): Promise<void> {
    this.#isWaiting = true;
    try {
      await this.#reader.inTurn(async () => {
        if (this.#isClosed) return;
        this.#isReading = true;
        this.#kernelBytes = KERNEL_BYTES_PER_BYTE * (await this.#lengthFrom(usualBytes));
      });
    } catch {
      // The process is gone.
    } finally {
      this.#isWaiting = false;
      if (this.#isReading && this.#isClosed) closeSync(this.#fd);
      this.#isReading = false;
    }
    if (this.#isStale) this.refresh();
  }

  /** In a thread of its own. Mappings that come and go meanwhile are counted or not. */
  async #lengthFrom(startBytes: number): Promise<number> {
    for (let lengthBytes = startBytes; ; ) {
      const { bytesRead } = await readvAsync(this.#fd, MORE, lengthBytes);
      if (bytesRead === 0) return lengthBytes;
      lengthBytes += bytesRead;
    }
  }
}
