import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Transport } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';

/** The inherited socket's descriptor in the executor. */
const INHERITED_FD = 3;
/** After its connection closes an executor only ends its runners; one that takes longer is stuck. */
const EXIT_GRACE_MS = 2000;

/** The executor could not be started. */
export class ExecutorStartError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('EXECUTOR_START_FAILED', message, options);
  }
}

/**
 * An executor of our own, at the other end of an inherited Unix socket pair: no port, no socket file, and either
 * end sees the other's death as the end of the stream.
 */
export class LocalExecutor {
  readonly #socket: Socket;
  readonly #child: ChildProcess;
  #startError: Error | undefined;

  private constructor(child: ChildProcess, socket: Socket) {
    this.#child = child;
    this.#socket = socket;
    child.on('error', (error) => {
      this.#startError ??= error;
      socket.destroy(error);
    });
  }

  /**
   * Starts `farjit-executor` with this Node. Does not wait for it: `connect` does.
   * @param entry its main file; by default that of `@farjit/executor`.
   * @throws {ExecutorStartError} when that package is not there.
   */
  static start(entry = findEntry()): LocalExecutor {
    // Detached: Ctrl-C in a terminal is for the compiler to handle, and must not reach executor and runner.
    const child = spawn(process.execPath, [entry, '--inherit-fd', String(INHERITED_FD)], {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      detached: true,
    });
    child.unref();
    return new LocalExecutor(child, child.stdio[INHERITED_FD] as Socket);
  }

  /**
   * A connection to it, of which there can be one.
   * @throws {ExecutorStartError} when it ends instead of answering. What it had to say is on standard error.
   */
  async connect(): Promise<Transport> {
    try {
      // Loaded while the executor starts: nothing before that needs a WebSocket.
      const { connectSocket } = await import('./connect.js');
      return await connectSocket(this.#socket);
    } catch (cause) {
      await this.stop();
      throw new ExecutorStartError(`the executor could not be started: ${this.#endInWords()}`, { cause });
    }
  }

  get processId(): number | undefined {
    return this.#child.pid;
  }

  /** Waits for the executor to end, which it does when its connection closes; ends it when it does not. */
  async stop(): Promise<void> {
    this.#socket.destroy();
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_GRACE_MS);
    child.ref();
    await once(child, 'exit');
    clearTimeout(timer);
  }

  #endInWords(): string {
    const { exitCode, signalCode } = this.#child;
    if (this.#startError) return this.#startError.message;
    if (signalCode !== null) return `it was killed by ${signalCode}`;
    return `it ended with exit code ${exitCode} before it answered`;
  }
}

function findEntry(): string {
  try {
    return fileURLToPath(new URL('../../bin/farjit-executor.js', import.meta.resolve('@farjit/executor')));
  } catch (cause) {
    throw new ExecutorStartError('@farjit/executor is not installed; run npm install @farjit/executor', {
      cause,
    });
  }
}
