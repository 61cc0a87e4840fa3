import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, Transport } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import type { ConnectionEvent } from '../observe/events.js';
import { backoffMs } from './backoff.js';
import { ResumeRefusedError } from './connect-errors.js';

/** A connection that has lasted so long was worth having, though nothing has come over it. */
const STEADY_MS = 5_000;

/** Connects a session again that has lost its connection, for as long as it lives. */
export class SessionResumer {
  readonly #connection: Connection;
  readonly #emit: (event: ConnectionEvent) => void;
  #transport: Transport;
  /** Attempts that have led to nothing, one after the other. */
  #failedCount = 0;
  /** The last one that has led to a connection, and the frames that had come before. */
  #resumed: { readonly atMs: number; readonly receivedCount: number } | undefined;

  constructor(connection: Connection, transport: Transport, emit: (event: ConnectionEvent) => void) {
    this.#connection = connection;
    this.#transport = transport;
    this.#emit = emit;
  }

  /** Resolves when the connection is there again or closed for good; never rejects. */
  async resume(): Promise<void> {
    const { link, closed } = this.#connection;
    const ended = new AbortController();
    void closed.then(() => ended.abort());
    // An executor that lets a session go on and is gone at once is not asked without a pause.
    this.#failedCount = this.#wasInVain ? this.#failedCount + 1 : 0;
    while (link.isBroken) {
      // Ends at once, and leaves no timer, when the connection is closed.
      // Whoever waits for an answer keeps the program running.
      const options = { signal: ended.signal, ref: false };
      await delay(backoffMs(this.#failedCount), undefined, options).catch(() => {});
      if (!link.isBroken) return;
      try {
        // When it is lost again by now, this has been called again.
        return await this.#attempt();
      } catch (error) {
        this.#failedCount++;
        this.#failed(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  /** Whether the last attempt has led to a connection over which nothing has come. */
  get #wasInVain(): boolean {
    if (!this.#resumed) return false;
    const { atMs, receivedCount } = this.#resumed;
    return this.#connection.link.receivedCount === receivedCount && monotonicMs() - atMs < STEADY_MS;
  }

  async #attempt(): Promise<void> {
    const { link } = this.#connection;
    const reopened = await this.#transport.reopen?.(link.receivedCount);
    if (!reopened) return;
    const { transport, receivedCount } = reopened;
    if (!link.canResume(receivedCount)) {
      transport.close(1002, 'no such state');
      this.#connection.close(1002, `the executor says that it has received ${receivedCount} frames`);
      return;
    }
    this.#transport = transport;
    this.#resumed = { atMs: monotonicMs(), receivedCount: link.receivedCount };
    this.#emit({ type: 'connection-resumed', replayedCount: link.resume(transport, receivedCount) });
  }

  #failed(error: Error): void {
    // Closed meanwhile: nobody asks any more.
    if (!this.#connection.link.isBroken) return;
    if (error instanceof ResumeRefusedError) this.#connection.close(1008, error.message);
    else {
      this.#connection.link.noteObstacle(error.message);
      this.#emit({ type: 'resume-failed', error });
    }
  }
}
