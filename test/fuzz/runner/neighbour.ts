import { setTimeout as delay } from 'node:timers/promises';
import { addrAdd } from '@farjit/protocol/executor-addr';
import { callDouble } from '#executor/test/machine-code.js';
import { Violation } from '../target.js';
import { STUB_COUNT } from './program.js';
import { commitOf, RawSession, segmentOf } from './raw-session.js';

/** Between two of its calls, so that the host is not busy with them alone. */
const PAUSE_MS = 1;
/** One call in so many goes through a callback. */
const CALLBACK_INTERVAL = 4;
/** A call takes a millisecond, and tens of them on a loaded machine; with so many nobody would call it served. */
export const MAX_LATENCY_MS = 3000;
const CODE_OFFSET = 32 * 1024;
const ENTRY_BYTES = 64;

/** Another session of the host, which works all the while and must never notice. */
export class Neighbour {
  readonly #session: RawSession;
  readonly #done: Promise<void>;
  #isOver = false;
  #error: Error | undefined;
  #callCount = 0;
  #beganMs = 0;
  #longestMs = 0;

  private constructor(session: RawSession) {
    this.#session = session;
    this.#done = this.#work();
  }

  static async open(url: string): Promise<Neighbour> {
    const session = await RawSession.open(url);
    const { code, stubs } = session.places;
    const segments = Array.from({ length: STUB_COUNT }, (_, index) =>
      segmentOf(
        addrAdd(code, CODE_OFFSET + index * ENTRY_BYTES),
        'code',
        callDouble(addrAdd(stubs, 8 * index)),
      ),
    );
    await session.call(addrAdd(code, CODE_OFFSET), Buffer.alloc(8), { commit: commitOf({ segments }) });
    return new Neighbour(session);
  }

  /** Calls that have come back with what they should. */
  get callCount(): number {
    return this.#callCount;
  }

  /** The longest that a call has taken since this was asked last. */
  takeLongestMs(): number {
    const now = this.#beganMs === 0 ? 0 : performance.now() - this.#beganMs;
    const longest = Math.max(this.#longestMs, now);
    this.#longestMs = 0;
    return longest;
  }

  /**
   * Waits for a call that begins from now on.
   * @throws {Violation} when it has noticed anything.
   */
  async isServed(): Promise<void> {
    const wanted = this.#callCount + 2;
    const endMs = performance.now() + MAX_LATENCY_MS;
    while (this.#callCount < wanted) {
      if (this.#error) throw this.#error;
      if (performance.now() > endMs)
        throw new Violation(`a neighbour waits for more than ${MAX_LATENCY_MS} ms`);
      await delay(1);
    }
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#session.close();
    await this.#done;
  }

  async #work(): Promise<void> {
    try {
      while (!this.#isOver) {
        await this.#callOnce();
        await delay(PAUSE_MS);
      }
    } catch (error) {
      if (!this.#isOver)
        this.#error = new Violation(`a neighbour's call fails: ${(error as Error).message}`, {
          cause: error,
        });
    }
  }

  async #callOnce(): Promise<void> {
    const count = this.#callCount;
    const index = count % STUB_COUNT;
    const block = Buffer.alloc(8);
    block.writeDoubleLE(count);
    const commit = count % CALLBACK_INTERVAL === 0 ? this.#session.lazyAgain(index) : commitOf();
    const entry = addrAdd(this.#session.places.code, CODE_OFFSET + index * ENTRY_BYTES);
    this.#beganMs = performance.now();
    const result = (await this.#session.call(entry, block, { commit })).readDoubleLE();
    this.#longestMs = Math.max(this.#longestMs, performance.now() - this.#beganMs);
    this.#beganMs = 0;
    if (result !== 2 * count) throw new Violation(`twice ${count} is ${result}`);
    this.#callCount++;
  }
}
