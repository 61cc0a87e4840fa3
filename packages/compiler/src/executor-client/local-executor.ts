import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { FarJITError } from '@farjit/protocol';

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
  readonly socket: Socket;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, socket: Socket) {
    this.#child = child;
    this.socket = socket;
  }

  /** Starts `farjit-executor` with this Node. Does not wait for it: the first request does. */
  static start(): LocalExecutor {
    const entry = fileURLToPath(
      new URL('../../bin/farjit-executor.js', import.meta.resolve('@farjit/executor')),
    );
    // Detached: Ctrl-C in a terminal is for the compiler to handle, and must not reach executor and runner.
    const child = spawn(process.execPath, [entry, '--inherit-fd', String(INHERITED_FD)], {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      detached: true,
    });
    const socket = child.stdio[INHERITED_FD] as Socket;
    child.on('error', (cause) => {
      socket.destroy(new ExecutorStartError(`cannot start the executor: ${cause.message}`, { cause }));
    });
    child.unref();
    return new LocalExecutor(child, socket);
  }

  get processId(): number | undefined {
    return this.#child.pid;
  }

  /** Waits for the executor to end, which it does when its connection closes; ends it when it does not. */
  async stop(): Promise<void> {
    this.socket.destroy();
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_GRACE_MS);
    child.ref();
    await once(child, 'exit');
    clearTimeout(timer);
  }
}
