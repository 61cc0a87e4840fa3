import { close, receiveDescriptor, socketPair } from '../native/libc.js';
import type { GivenRoot } from './given-root.js';

/** What a runner that is given files is started with, and gives back: the image of its root, and its writable tree. */
export class FileHandover {
  readonly root: GivenRoot;
  /** Descriptors for the runner, until `closeRunnerEnds`. */
  readonly runnerFds: readonly [image: number, tree: number];
  readonly #hostFd: number;
  readonly #open = new Set<number>();

  /**
   * @param imageFd of the root's image; becomes its own.
   * @throws {LibcError} and then it is closed.
   */
  constructor(root: GivenRoot, imageFd: number) {
    this.root = root;
    try {
      const [hostFd, runnerFd] = socketPair();
      this.#hostFd = hostFd;
      this.runnerFds = [imageFd, runnerFd];
    } catch (error) {
      close(imageFd);
      throw error;
    }
    for (const fd of [this.#hostFd, ...this.runnerFds]) this.#open.add(fd);
  }

  /** The host's copies. */
  closeRunnerEnds(): void {
    for (const fd of this.runnerFds) this.#close(fd);
  }

  /** The folder that holds all writable ones, by number, which the runner has sent by now. The caller closes it. @throws {LibcError} */
  takeTree(): number {
    return receiveDescriptor(this.#hostFd);
  }

  /** Twice does nothing. */
  close(): void {
    this.closeRunnerEnds();
    this.#close(this.#hostFd);
  }

  #close(fd: number): void {
    if (this.#open.delete(fd)) close(fd);
  }
}
