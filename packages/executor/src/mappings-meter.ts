import { closeSync, openSync, readv } from 'node:fs';
import { promisify } from 'node:util';

/**
 * What the kernel keeps of a mapping, for each byte of its line in `/proc/<pid>/maps`, which nothing else tells: 192 for
 * the mapping, up to 50 for its place in the tree, 170 more once one of its pages is private (Linux 6.18). The shortest
 * line has 41 bytes, that of anonymous memory where programs usually are 49.
 */
const KERNEL_BYTES_PER_BYTE = 10;
/** The kernel fills a page at a time, so each piece fits into one with a line to spare. */
const PIECE_BYTES = 3072;
/** Enough for a runner that does nothing unusual, and the most that one read takes (IOV_MAX). */
const FIRST_PIECES = 8;
const MORE_PIECES = 1024;
/** After a reading, nothing is read for so many times as long as it took. */
const REST_FACTOR = 9;
/** The kernel's bound on mappings (`vm.max_map_count`) makes a reading of 30 ms; those of usual runners need no rest. */
const SHORT_MS = 1;

const readvAsync = promisify(readv);

/**
 * Reads the maps of all runners of a host, one after the other and for a tenth of the time: what a runner can make the
 * host do by 65,000 mappings is bounded, however many runners do.
 */
export class MapsReader {
  /** What is read is of no interest, but its length. */
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  readonly #first = Array<Buffer>(FIRST_PIECES).fill(this.#piece);
  readonly #more = Array<Buffer>(MORE_PIECES).fill(this.#piece);
  #turn: Promise<void> = Promise.resolve();

  /**
   * Length of a process's `maps`, by an open descriptor of it.
   * @throws the system's error when the process is gone.
   */
  async measure(fd: number): Promise<number> {
    const turn = this.#turn;
    let leave = () => {};
    this.#turn = new Promise((resolve) => {
      leave = resolve;
    });
    await turn;
    const startMs = performance.now();
    try {
      return await this.#length(fd);
    } finally {
      const tookMs = performance.now() - startMs;
      if (tookMs < SHORT_MS) leave();
      else setTimeout(leave, REST_FACTOR * tookMs).unref();
    }
  }

  async #length(fd: number): Promise<number> {
    let lengthBytes = 0;
    for (let pieces = this.#first; ; pieces = this.#more) {
      const { bytesRead } = await readvAsync(fd, pieces, lengthBytes);
      if (bytesRead === 0) return lengthBytes;
      lengthBytes += bytesRead;
    }
  }
}

/** What the kernel keeps of one process's mappings. */
export class MappingsMeter {
  readonly #reader: MapsReader;
  readonly #fd: number;
  #kernelBytes = 0;
  #isReading = false;
  #isClosed = false;

  constructor(reader: MapsReader, processId: number) {
    this.#reader = reader;
    this.#fd = openSync(`/proc/${processId}/maps`, 'r');
  }

  /** When it was last read. */
  get kernelBytes(): number {
    return this.#kernelBytes;
  }

  /** Reads again, in a thread of its own, unless it is being read. */
  async refresh(): Promise<void> {
    if (this.#isReading || this.#isClosed) return;
    this.#isReading = true;
    try {
      this.#kernelBytes = KERNEL_BYTES_PER_BYTE * (await this.#reader.measure(this.#fd));
    } catch {
      // The process is gone, which others notice.
    } finally {
      this.#isReading = false;
      if (this.#isClosed) closeSync(this.#fd);
    }
  }

  /** Waits for a reading that is under way: the descriptor's number may be another file's afterwards. */
  close(): void {
    if (!this.#isClosed && !this.#isReading) closeSync(this.#fd);
    this.#isClosed = true;
  }
}
