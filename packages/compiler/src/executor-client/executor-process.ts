import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { spawnChild } from '@farjit/protocol/spawn-child';

/** The inherited socket's descriptor in the executor. */
const INHERITED_FD = 3;

/** A process of ours that runs an executor, and our end of the socket pair that it serves. */
export interface ExecutorProcess {
  readonly processId: number | undefined;
  readonly socket: Socket;
  /** Why it could not be started, or how it ended. */
  endInWords(): string;
  /** Resolves when it has ended and the system has forgotten it. */
  ended(): Promise<void>;
  /** Ends it if it has not ended. */
  kill(): void;
}

/** Starts `entry` with this Node. */
export function spawnExecutor(entry: string, args: readonly string[]): ExecutorProcess {
  const { child, pipe } = spawnChild(
    process.execPath,
    [entry, '--inherit-fd', String(INHERITED_FD), ...args],
    {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      // Ctrl-C in a terminal is for the compiler to handle, and must not reach executor and runner.
      detached: true,
      // Certificates that Node would read when it starts, for 40 ms. An executor speaks no TLS.
      env: { ...process.env, NODE_EXTRA_CA_CERTS: undefined },
    },
  );
  child.unref();
  return new SpawnedExecutor(child, pipe(INHERITED_FD));
}

class SpawnedExecutor implements ExecutorProcess {
  readonly socket: Socket;
  readonly #child: ChildProcess;
  #startError: Error | undefined;

  constructor(child: ChildProcess, socket: Socket) {
    this.#child = child;
    this.socket = socket;
    child.on('error', (error) => {
      this.#startError ??= error;
      socket.destroy(error);
    });
  }

  get processId(): number | undefined {
    return this.#child.pid;
  }

  endInWords(): string {
    const { exitCode, signalCode } = this.#child;
    if (this.#startError) return this.#startError.message;
    if (signalCode !== null) return `it was killed by ${signalCode}`;
    return `it ended with exit code ${exitCode} before it answered`;
  }

  async ended(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    await once(child, 'exit');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** What `farjit`'s launcher hands over: an executor that it started before it became this process. */
export interface InheritedExecutorIds {
  /** Our end of the socket pair. */
  readonly socketFd: number;
  readonly processId: number;
}

/**
 * An executor that was this process's child before it was Node, so that Node knows nothing of it: to learn how it ended
 * takes a system call.
 * @throws {Error} when the descriptor is no open socket.
 */
export class InheritedExecutor implements ExecutorProcess {
  readonly socket: Socket;
  readonly processId: number;
  #ended: Promise<void> | undefined;
  #hasEnded = false;
  #isKilled = false;
  #words = 'it ended before it answered';

  constructor({ socketFd, processId }: InheritedExecutorIds) {
    this.processId = processId;
    this.socket = new Socket({ fd: socketFd, readable: true, writable: true });
  }

  endInWords(): string {
    return this.#words;
  }

  ended(): Promise<void> {
    this.#ended ??= this.#reap();
    return this.#ended;
  }

  kill(): void {
    // Until it is reaped, which only `ended` does, no other process can have its number.
    if (this.#hasEnded) return;
    process.kill(this.processId, 'SIGKILL');
    this.#isKilled = true;
  }

  async #reap(): Promise<void> {
    const { waitForChild, waitForKilledChild } = await import('../ffi/wait-for-child.js');
    const wait = this.#isKilled ? waitForKilledChild : waitForChild;
    const status = await wait(this.processId);
    this.#hasEnded = true;
    if (status?.signal !== undefined) this.#words = `it was killed by ${signalName(status.signal)}`;
    else if (status) this.#words = `it ended with exit code ${status.exitCode} before it answered`;
  }
}

function signalName(signal: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}
