import { nativeProgram } from '@farjit/protocol/native-program';
import type { Guard } from './guard.js';
import { type ProcessUse, spawnProgram, waitForChild } from './native/libc.js';
import { type ProcessExit, signalName } from './runner-end.js';

/** What starts a runner, and is gone then. */
export const LAUNCHER_PATH = nativeProgram(new URL('../runner/farjit-launch', import.meta.url));

/** Between two looks at a process that is to end. */
const FIRST_LOOK_MS = 1;
const LONGEST_LOOK_MS = 20;

export interface RunnerChildOptions {
  readonly guard: Guard;
  /** `LAUNCHER_PATH` unless given. */
  readonly launcherPath?: string;
  /** Of the runner: none unless given. */
  readonly arguments?: readonly string[];
  /** From 0 on. */
  readonly descriptors: readonly (number | undefined)[];
  /** It is gone, and `exit` says how. */
  readonly onExit: () => void;
}

/**
 * The process of a runner. It is started by `farjit-launch`, as a child of this process. Node knows nothing of either: they are
 * waited for here, and the kernel says what the runner has used, with nothing of Node's in it.
 */
export class RunnerChild {
  readonly #options: RunnerChildOptions;
  readonly #launcherId: number;
  #isLaunching = true;
  #processId = 0;
  #exit: ProcessExit | undefined;
  #use: ProcessUse | undefined;
  #isExpected = false;
  /** Nobody has the doorbell any more. */
  #hasLeft = false;
  #isLooking = false;

  /** @throws {LibcError} when the launcher cannot be started. */
  constructor(runnerPath: string, options: RunnerChildOptions) {
    this.#options = options;
    const { launcherPath = LAUNCHER_PATH } = options;
    const args = [launcherPath, runnerPath, ...(options.arguments ?? [])];
    this.#launcherId = spawnProgram(launcherPath, { args, descriptors: options.descriptors });
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
    this.#waitForLauncher();
    // It was to end before it was known.
    if (this.#isExpected) this.kill();
    this.#lookOn();
  }

  /** Ends it, unless it has ended. */
  kill(): void {
    if (this.#exit) return;
    // Children of ours until they are waited for, so the numbers are nobody else's. A launcher that is gone may have said nothing.
    const processId = this.#processId || (this.#isLaunching ? this.#launcherId : 0);
    try {
      if (processId > 0) process.kill(processId, 'SIGKILL');
    } catch {
      // What may not be killed ends when its doorbell is closed.
    }
    this.#expectExit();
  }

  /** It has left its doorbell, the last that a process does but one. */
  left(): void {
    this.#hasLeft = true;
    this.look();
    this.#noteLaunchedNothing();
    if (!this.#exit) this.#expectExit();
  }

  /** Sees whether it has ended by itself. */
  look(): void {
    this.#waitForLauncher();
    if (this.#exit || this.#processId === 0) return;
    this.#wait(this.#processId);
    if (this.#exit !== undefined) this.#options.onExit();
  }

  #expectExit(): void {
    this.#isExpected = true;
    this.#lookOn();
  }

  /** Looks until what is to end has ended: the launcher, and the runner when it is expected to. */
  #lookOn(delayMs = FIRST_LOOK_MS): void {
    const isAwaited = this.#isLaunching || (this.#isExpected && !this.#exit && this.#processId !== 0);
    if (this.#isLooking || !isAwaited) return;
    this.#isLooking = true;
    const look = () => {
      this.#isLooking = false;
      this.look();
      this.#lookOn(Math.min(2 * delayMs, LONGEST_LOOK_MS));
    };
    this.#options.guard.timer('runner.exit', look, delayMs);
  }

  #wait(processId: number): void {
    const ended = waitForChild(processId);
    if (!ended) return;
    this.#use = ended.use;
    this.#exit = exitOf(ended);
  }

  /** Where it has ended before there was a runner, that is the end. */
  #waitForLauncher(): void {
    if (!this.#isLaunching) return;
    const ended = waitForChild(this.#launcherId);
    if (!ended) return;
    this.#isLaunching = false;
    if (this.#processId !== 0) return;
    if (ended.code === 0) return this.#noteLaunchedNothing();
    this.#exit = exitOf(ended);
    this.#options.onExit();
  }

  /** A runner says which process it is before all else, and no one is left who could. */
  #noteLaunchedNothing(): void {
    if (this.#exit || this.#isLaunching || this.#processId !== 0 || !this.#hasLeft) return;
    this.#exit = { code: 0, signal: null };
    this.#options.onExit();
  }
}

function exitOf({
  code,
  signal,
}: {
  readonly code: number | null;
  readonly signal: number | null;
}): ProcessExit {
  return { code, signal: signal === null ? null : signalName(signal) };
}
