import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Transport } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import type { LimitName } from '@farjit/protocol/limits';
import { howToGetPrograms, nativeProgram } from '@farjit/protocol/native-program';
import type { SandboxLevel } from '@farjit/protocol/sandbox';
import {
  type ExecutorProcess,
  InheritedExecutor,
  type InheritedExecutorIds,
  spawnExecutor,
} from './executor-process.js';

/** After its connection closes an executor only ends its runners; one that takes longer is stuck. */
const EXIT_GRACE_MS = 2000;

/**
 * Loaded beside everything else: nothing before an executor answers needs a WebSocket. Not when it is needed, when there may be
 * no descriptor to read it with, after which Node never tries again.
 */
const connectModule = import('./connect.js');
connectModule.catch(() => {});

/** One that is alive and has said nothing for so long is stuck: it takes a tenth of a second, and many where much else runs. */
const START_TIMEOUT_MS = 30_000;

/** How an executor of our own confines its runner. */
export interface LocalExecutorOptions {
  /** `default` unless given. */
  readonly sandbox?: SandboxLevel;
  /** By name, in the units of `LIMIT_UNITS`; null for none. Those that are not given have the executor's defaults. */
  readonly limits?: Partial<Readonly<Record<LimitName, number | null>>>;
  /** Libraries that the program may call, loaded before it is confined. */
  readonly preload?: readonly string[];
  readonly entry?: string;
  /** For its first word, in milliseconds; 30 s unless given. */
  readonly startTimeoutMs?: number;
  /** What it has to say itself on standard error, which is seldom, is a line of JSON each. */
  readonly json?: boolean | undefined;
}

/**
 * The executor could not be started.
 * @remarks Do what the message says; what the executor has to say itself is on standard error. `farjit doctor` looks at all
 * that it needs.
 */
export class ExecutorStartError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('EXECUTOR_START_FAILED', message, options);
  }
}

/**
 * An executor of our own, at the other end of an inherited Unix socket pair: no port, no socket file, and either
 * end sees the other's death as the end of the stream.
 */
export class LocalExecutor implements AsyncDisposable {
  readonly #process: ExecutorProcess;
  readonly #startTimeoutMs: number;
  #connecting: Promise<Transport> | undefined;

  private constructor(executorProcess: ExecutorProcess, startTimeoutMs = START_TIMEOUT_MS) {
    this.#process = executorProcess;
    this.#startTimeoutMs = startTimeoutMs;
  }

  /**
   * Starts `farjit-executor` with this Node. Does not wait for it: `connect` does.
   * @param options.entry its main file; by default that of `@farjit/executor`.
   * @throws {ExecutorStartError} when that package is not there, or has nothing for this machine.
   */
  static start(options: LocalExecutorOptions = {}): LocalExecutor {
    const executorProcess = spawnExecutor(options.entry ?? findEntry(), argumentsOf(options));
    return new LocalExecutor(executorProcess, options.startTimeoutMs);
  }

  /**
   * Takes over one that was started, as our child, before this process was Node.
   * @throws {ExecutorStartError} when the descriptor is no open socket.
   */
  static adopt(ids: InheritedExecutorIds): LocalExecutor {
    try {
      return new LocalExecutor(new InheritedExecutor(ids));
    } catch (cause) {
      throw new ExecutorStartError(`descriptor ${ids.socketFd} leads to no executor`, { cause });
    }
  }

  /**
   * The connection to it, of which there is one.
   * @throws {ExecutorStartError} when it ends instead of answering, or does neither for 30 s. What it had to say is on standard error.
   */
  connect(): Promise<Transport> {
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  get processId(): number | undefined {
    return this.#process.processId;
  }

  /**
   * Waits for the executor to end, which it does when its connection closes; ends it when it does not. With `atOnce` it is ended
   * without that: its runners are gone, and it has nothing left to do.
   */
  async stop({ atOnce = false } = {}): Promise<void> {
    this.#process.socket.destroy();
    const timer = setTimeout(() => this.#process.kill(), EXIT_GRACE_MS);
    if (atOnce) this.#process.kill();
    await this.#process.ended();
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #connect(): Promise<Transport> {
    let silence: string | undefined;
    const timer = setTimeout(() => {
      silence = `it has not answered within ${this.#startTimeoutMs / 1000} s`;
      this.#process.socket.destroy();
    }, this.#startTimeoutMs);
    try {
      const { connectSocket } = await connectModule;
      return await connectSocket(this.#process.socket);
    } catch (cause) {
      await this.stop();
      const words = silence ?? this.#process.endInWords();
      throw new ExecutorStartError(`the executor could not be started: ${words}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

function argumentsOf({ sandbox, limits = {}, preload = [], json }: LocalExecutorOptions): string[] {
  return [
    ...(sandbox === undefined ? [] : [`--sandbox=${sandbox}`]),
    ...Object.entries(limits).map(([name, value]) => `--limit=${name}=${value ?? 'none'}`),
    ...preload.map((library) => `--preload=${library}`),
    ...(json ? ['--json'] : []),
  ];
}

function findEntry(): string {
  const manifest = findManifest();
  if (!existsSync(nativeProgram(new URL('dist/runner/farjit-runner', manifest))))
    throw new ExecutorStartError(`no executor runs here: ${howToGetPrograms()}`);
  return fileURLToPath(new URL('bin/farjit-executor.js', manifest));
}

function findManifest(): string {
  try {
    return import.meta.resolve('@farjit/executor/package.json');
  } catch (cause) {
    throw new ExecutorStartError('@farjit/executor is not installed; run npm install @farjit/executor', {
      cause,
    });
  }
}
