import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, Transport } from '@farjit/protocol';
import { backoffMs } from './backoff.js';
import { ResumeRefusedError } from './connect-errors.js';

/** What becomes of a session's connection. */
export type ConnectionEvent =
  | {
      readonly type: 'connection-lost';
      readonly reason: string;
      /** For so long the session can be resumed, and is tried to be. */
      readonly timeToLiveMs: number;
    }
  /** An attempt: the executor cannot be reached yet. */
  | { readonly type: 'resume-failed'; readonly error: Error }
  | {
      readonly type: 'connection-resumed';
      /** Frames that were lost with the connection and have been sent again. */
      readonly replayedCount: number;
    };

/** Connects a session again that has lost its connection, for as long as it lives. */
export class SessionResumer {
  readonly #connection: Connection;
  readonly #emit: (event: ConnectionEvent) => void;
  #transport: Transport;

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
    for (let attempt = 0; link.isBroken; attempt++) {
      // Ends at once, and leaves no timer, when the connection is closed.
      await delay(backoffMs(attempt), undefined, { signal: ended.signal }).catch(() => {});
      if (!link.isBroken) return;
      try {
        await this.#attempt();
      } catch (error) {
        this.#failed(error instanceof Error ? error : new Error(String(error)));
      }
    }
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
