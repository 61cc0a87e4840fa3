import { type FileHandle, open } from 'node:fs/promises';
import { RecordingReader } from './recording-reader.js';

/** Bytes that are read at a time. */
const CHUNK_BYTES = 1024 * 1024;

/** A recording in a file, which may still be written. */
export class Recording extends RecordingReader implements AsyncDisposable {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    super();
    this.#file = file;
  }

  /**
   * Opens a recording and reads what there is of it. `damage` says where that ends early.
   * @throws {RecordingError} when it is none, or of a version that this release does not read.
   * @throws the system's error when it cannot be read.
   */
  static async open(path: string): Promise<Recording> {
    const recording = new Recording(await open(path, 'r'));
    try {
      await recording.readOn();
      if (recording.damage && !recording.start) throw recording.damage;
      return recording;
    } catch (error) {
      await recording.close();
      throw error;
    }
  }

  /**
   * Reads what has been written since; `events` has it then.
   * @returns how many events that were.
   * @throws the system's error when it cannot be read.
   */
  async readOn(): Promise<number> {
    const before = this.events.length;
    for (;;) {
      // As much as waits for the rest of its record: so a large one is put together in a few steps.
      const chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, this.unreadBytes));
      const { bytesRead } = await this.#file.read(chunk, 0, chunk.byteLength);
      if (bytesRead === 0) return this.events.length - before;
      this.push(chunk.subarray(0, bytesRead));
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
