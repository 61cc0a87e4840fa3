import type { ChildProcess } from 'node:child_process';
import { nativeProgram } from '@farjit/protocol/native-program';
import { spawnChild } from '@farjit/protocol/spawn-child';
import type { Guard } from './guard.js';
import { type ProcessUse, waitForChild } from './native/libc.js';
import { type ProcessExit, signalName } from './runner-end.js';

/** What starts a runner, and is gone then. */
export const LAUNCHER_PATH = nativeProgram(new URL('../runner/farjit-launch', import.meta.url));

/** Between two looks at a process that is to end. */
const FIRST_LOOK_MS = 1;
const LONGEST_LOOK_MS = 20;

export interface RunnerChildOptions {
  readonly guard: Guard;
  /** Descriptors from 0 on. */
  readonly stdio: readonly ('ignore' | number | undefined)[];
  /** It was not started at all. */
  readonly onError: (error: Error) => void;
  /** It is gone, and `exit` says how. */
  readonly onExit: () => void;
}

/**
 * The process of a runner. It is started by `farjit-launch`, as a child of this process which Node knows nothing of: so it is
 * waited for here, and the kernel says what it has used, with nothing of Node's in it.
 */
export class RunnerChild {
  readonly #options: RunnerChildOptions;
  readonly #launcher: ChildProcess;
  #processId = 0;
  #exit: ProcessExit | undefined;
  #use: ProcessUse | undefined;
  #isExpected = false;

  constructor(runnerPath: string, options: RunnerChildOptions) {
    this.#options = options;
    const { guard, stdio, onError, onExit } = options;
    const { child } = spawnChild(LAUNCHER_PATH, [runnerPath], {
      // No environment: what the host was given is not for JIT'd code. Node hands this one down unless it is named.
      env: { NODE_V8_COVERAGE: undefined },
      cwd: '/',
      stdio: [...stdio],
    });
    this.#launcher = child;
    child.on(
      'error',
      guard.wrap('runner.exit', (error: Error) => {
        // Not spawned at all; a failed kill is answered by the exit that made it fail.
        if (child.pid === undefined) onError(error);
      }),
    );
    child.on(
      'exit',
      guard.wrap('runner.exit', (code: number | null, signal: NodeJS.Signals | null) => {
        if (code === 0 || this.#processId !== 0) return;
        this.#exit = { code, signal };
        onExit();
      }),
    );
  }

  /** 0 before the launcher has said it. */
  get processId(): number {
    return this.#processId;
  }

  /** How it has ended; undefined while it lives. */
  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** What it has used, by the kernel's count, once it has ended. */
  get use(): ProcessUse | undefined {
    return this.#use;
  }

  /**
   * The launcher has said which process it is.
   * @throws {LibcError} when that is no child of this process.
   */
  launched(processId: number): void {
    this.#wait(processId);
    this.#processId = processId;
  }

  /** Ends it, unless it has ended. */
  kill(): void {
    if (this.#exit) return;
    // It is a child of ours until it is waited for, so the number is nobody else's.
    if (this.#processId === 0) this.#launcher.kill('SIGKILL');
    else {
      try {
        process.kill(this.#processId, 'SIGKILL');
      } catch {
        // What may not be killed ends when its doorbell is closed.
      }
      this.#expectExit();
    }
  }

  /** It has left its doorbell, the last that a process does but one. */
  left(): void {
    this.look();
    this.#expectExit();
  }

  #expectExit(): void {
    if (this.#isExpected || this.#exit || this.#processId === 0) return;
    this.#isExpected = true;
    this.#lookLater(FIRST_LOOK_MS);
  }

  /** Sees whether it has ended by itself. */
  look(): void {
    if (this.#exit || this.#processId === 0) return;
    this.#wait(this.#processId);
    if (this.#exit !== undefined) this.#options.onExit();
  }

  #lookLater(delayMs: number): void {
    const look = () => {
      this.look();
      if (!this.#exit) this.#lookLater(Math.min(2 * delayMs, LONGEST_LOOK_MS));
    };
    this.#options.guard.timer('runner.exit', look, delayMs);
  }

  #wait(processId: number): void {
    const ended = waitForChild(processId);
    if (!ended) return;
    const { code, signal, use } = ended;
    this.#use = use;
    this.#exit = { code, signal: signal === null ? null : signalName(signal) };
  }
}
