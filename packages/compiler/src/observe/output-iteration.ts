import { ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web';

/** Output that may wait to be asked for before whoever prints it is held back. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** A piece of output, whatever else there is to say of it. */
interface Printed {
  readonly content: Uint8Array;
}

/** What is printed, for one `for await`. */
export class OutputIteration<Chunk extends Printed> {
  readonly chunks: AsyncIterableIterator<Chunk>;
  /** Called when it has ended, by whoever prints or by the loop. */
  onEnd = (): void => {};
  #controller!: ReadableStreamDefaultController<Chunk>;
  #hasEnded = false;
  readonly #held: (() => void)[] = [];

  constructor() {
    const stream = new ReadableStream<Chunk>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        // There is room again.
        pull: () => this.#goOn(),
        cancel: () => this.#leave(),
      },
      { highWaterMark: MAX_WAITING_BYTES, size: ({ content }) => content.byteLength },
    );
    this.chunks = stream.values();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** @returns what holds back whoever prints, until there is room. */
  take(chunk: Chunk): Promise<void> | undefined {
    this.#controller.enqueue(chunk);
    if ((this.#controller.desiredSize ?? 0) >= 0) return undefined;
    return new Promise((resolve) => void this.#held.push(resolve));
  }

  /** No more comes. */
  end(): void {
    if (this.#hasEnded) return;
    this.#controller.close();
    this.#leave();
  }

  #leave(): void {
    this.#hasEnded = true;
    this.onEnd();
    this.#goOn();
  }

  #goOn(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }
}

/** Iterations of what is printed in one place: it goes to the one that was begun last, until that ends. */
export class OutputIterations<Chunk extends Printed> {
  readonly #open: OutputIteration<Chunk>[] = [];
  #isOver = false;

  /** The one that gets what is printed now. */
  get current(): OutputIteration<Chunk> | undefined {
    return this.#open.at(-1);
  }

  /** Begins one; without an argument, a new one. */
  begin(iteration = new OutputIteration<Chunk>()): AsyncIterableIterator<Chunk> {
    if (this.#isOver) iteration.end();
    if (iteration.hasEnded) return iteration.chunks;
    this.#open.push(iteration);
    iteration.onEnd = () => this.#open.splice(this.#open.indexOf(iteration), 1);
    return iteration.chunks;
  }

  /** Nothing is printed any more. */
  endAll(): void {
    this.#isOver = true;
    for (const iteration of [...this.#open]) iteration.end();
  }
}
