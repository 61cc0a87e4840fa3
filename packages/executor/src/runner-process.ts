// More than 400 lines: all that happens to one process, from its start to its end, in one order.
import { existsSync } from 'node:fs';
import { type RunnerEnd, session } from '@farjit/protocol';
import { howToGetPrograms, nativeProgram } from '@farjit/protocol/native-program';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import type { Abi } from './abi/abi.js';
import type { ConfineRequest, ControlArea } from './control-area.js';
import { type Bell, Doorbell, DoorbellEnds } from './doorbell.js';
import { type FaultPlace, faultWords, Guard } from './guard.js';
import type { InputPipe } from './input-pipe.js';
import type { Limits } from './limits.js';
import type { ProcessUse } from './native/libc.js';
import {
  BellKind,
  CALL_SLOT_COUNT,
  HOST_CALL_SLOT_COUNT,
  REENTRY_SLOT_COUNT,
} from './native/shared-layout.js';
import { LAUNCHER_PATH, RunnerChild, type RunnerChildOptions } from './runner-child.js';
import { describeEnd, type ProcessExit } from './runner-end.js';
import type { RunnerMemory } from './runner-memory.js';
import { RunnerPipes } from './runner-pipes.js';
import {
  checkHello,
  type RunnerAddresses,
  type RunnerConfinement,
  type RunnerEvents,
  RunnerStartError,
  type RunnerStartOptions,
  startError,
} from './runner-start.js';
import { type RunnerUsage, RunnerWatch } from './runner-watch.js';
import type { Lane } from './turns.js';

/** The runner that is used unless another is named. */
export const DEFAULT_RUNNER_PATH = nativeProgram(new URL('../runner/farjit-runner', import.meta.url));

/** Each phase from spawn to CONFINED takes milliseconds; a machine this much slower is stuck. */
const START_TIMEOUT_MS = 10_000;
/**
 * The doorbell ends with the process; when only one of the two is seen, this is how long the other may take, from the last
 * bell on.
 */
const END_GRACE_MS = 1000;

type Phase = 'launching' | 'mapping' | 'mapped' | 'preloading' | 'confining' | 'confined' | 'in use';

/** One native runner process: starting it, its doorbell, its output, and its end. */
export class RunnerProcess {
  readonly #child: RunnerChild;
  readonly #doorbell: Doorbell;
  readonly #control: ControlArea;
  readonly #limits: Limits;
  readonly #abi: Abi;
  readonly #pipes: RunnerPipes;
  /** What a runner says before it is ready belongs into the error, not to the program's output. */
  readonly #early: Uint8Array[] = [];
  /** Of everything that happens to this runner: a fault in it ends the runner. */
  readonly guard: Guard;
  /** Resolves when the process is gone, after `onEnd`. */
  readonly ended: Promise<void>;
  #resolveEnded!: () => void;
  #events: RunnerEvents | undefined;
  #phase: Phase = 'launching';
  #watch: RunnerWatch | undefined;
  #onUsage: ((usage: RunnerUsage) => void) | undefined;
  #hello: RunnerAddresses | undefined;
  #confinement: RunnerConfinement = { bits: 0, landlockAbi: 0, missing: '' };
  #killedFor: RunnerEnd | undefined;
  #end: RunnerEnd | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #lane: Lane | undefined;
  #settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined;

  /**
   * Spawns a runner, which maps its memory, loads libraries, confines itself, and waits to be taken into use.
   * @throws {RunnerStartError} and then no process and no descriptor is left.
   */
  static async start(options: RunnerStartOptions): Promise<RunnerProcess> {
    const { runnerPath, files } = options;
    const { sealedFd, sharedFd } = options.reservation.descriptors;
    const early: Uint8Array[] = [];
    let pipes: RunnerPipes | undefined;
    let doorbell: DoorbellEnds | undefined;
    let runner: RunnerProcess | undefined;
    const guard = new Guard({
      onFault: (place, error) => {
        options.onFault?.(place, error);
        if (runner) runner.#onFault(place, error);
      },
      measure: (work) => (runner ? runner.#count(work) : work()),
      probe: options.probe,
    });
    try {
      for (const path of [runnerPath, LAUNCHER_PATH])
        if (!existsSync(path))
          throw new RunnerStartError(`there is no runner at ${path}: ${howToGetPrograms()}`);
      try {
        pipes = new RunnerPipes({
          guard,
          write: (stream, content) => {
            if (runner) runner.#onOutput(stream, content);
            else early.push(content);
          },
          isCongested: () => runner?.isCongested ?? false,
        });
        doorbell = new DoorbellEnds();
        const { stdout, stderr, input } = pipes.runnerFds;
        const own = [undefined, stdout, stderr, doorbell.runnerFd, sealedFd, sharedFd, input];
        const descriptors = [...own, ...(files?.runnerFds ?? [])];
        runner = new RunnerProcess(doorbell, guard, options, pipes, descriptors);
      } finally {
        // While the host has them open nothing ends.
        pipes?.closeRunnerEnds();
        doorbell?.closeRunnerEnd();
        files?.closeRunnerEnds();
      }
      await runner.#sayHello(options);
      if (options.preload.length > 0) await runner.#preload(options.preload);
      await runner.#confine(options.confine);
      return runner;
    } catch (error) {
      pipes?.close(guard);
      doorbell?.socket.destroy();
      throw startError(runnerPath, error, runner ? runner.#early : early);
    }
  }

  private constructor(
    ends: DoorbellEnds,
    guard: Guard,
    options: RunnerStartOptions,
    pipes: RunnerPipes,
    descriptors: RunnerChildOptions['descriptors'],
  ) {
    this.guard = guard;
    this.#control = options.control;
    this.#limits = options.confine.limits;
    this.#abi = options.abi;
    this.#pipes = pipes;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#child = new RunnerChild(options.runnerPath, {
      arguments: options.files ? ['--files'] : [],
      guard,
      descriptors,
      onExit: () => this.#partEnded(),
    });
    this.#doorbell = new Doorbell({
      ends,
      guard,
      onBell: (bell) => this.#onBell(bell),
      onClose: () => {
        this.#child.left();
        this.#partEnded();
      },
    });
  }

  get processId(): number {
    return this.#child.processId;
  }

  get hello(): RunnerAddresses {
    if (!this.#hello) throw new Error('the runner has not said HELLO');
    return this.#hello;
  }

  /** What the runner says is in force. */
  get confinement(): RunnerConfinement {
    return this.#confinement;
  }

  /** What a program reads. */
  get input(): InputPipe {
    return this.#pipes.input;
  }

  /** True while output should wait in the pipes. */
  get isCongested(): boolean {
    return this.#events?.isCongested() ?? false;
  }

  /** When it was last looked at. */
  get usage(): RunnerUsage | undefined {
    return this.#watch?.usage;
  }

  /** In all, by the kernel's count; undefined before it has ended, and when it was never launched. */
  get used(): ProcessUse | undefined {
    return this.#child.use;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Rings the runner. */
  ring(kind: number, slot = 0, value = 0): void {
    this.#doorbell.ring(kind, slot, value);
  }

  /** Ends the process; `end` is what is reported, unless the process has ended by itself already. Never throws. */
  kill(end: RunnerEnd): void {
    if (this.#exit || this.#killedFor || this.#end) return;
    this.#killedFor = end;
    this.#doorbell.hold();
    this.guard.attempt('runner.end', () => {
      const usage = this.#onUsage && this.#watch?.read();
      if (usage) this.#onUsage?.(usage);
    });
    this.#child.kill();
  }

  #count<T>(work: () => T): T {
    return this.#lane ? this.#lane.measure(work) : work();
  }

  /** Something of ours has thrown. The events that tell of the runner's end may be lost, so it is waited for by time. */
  #onFault(place: FaultPlace, error: unknown): void {
    const message = faultWords(place, error);
    this.#settleStart?.reject(new RunnerStartError(message));
    this.kill({ kind: 'fault', message });
    clearTimeout(this.#endTimer);
    this.#endTimer = undefined;
    this.#expectEnd();
  }

  /** Delivers all output that the runner has written up to now. */
  drainOutput(): void {
    this.#pipes.drainOutput();
  }

  /** All memory of the process, while it is there. */
  get memory(): RunnerMemory | undefined {
    return this.#watch?.memory;
  }

  /** Counts what others hold for it, too. */
  countMemory(usedBytes: () => number): void {
    this.#watch?.countMemory(usedBytes);
  }

  /** As many whole lines of `/proc/<pid>/maps` as may be told; empty when it is gone. */
  async readMaps(): Promise<string> {
    return (await this.#watch?.readMaps(session.MAX_MAPS_BYTES)) ?? '';
  }

  async #sayHello({ reservation, maps }: RunnerStartOptions): Promise<void> {
    await this.#nextPhase(() => {
      this.#hello = checkHello(
        this.#control.readHello(),
        this.processId,
        reservation.layout,
        this.#abi.userAddressBits,
      );
      this.#watch = new RunnerWatch(this.guard, this.processId, reservation, maps);
      this.#phase = 'mapped';
    });
  }

  async #preload(libraries: readonly string[]): Promise<void> {
    this.#control.writeLookupNames(libraries.map((library) => Buffer.from(library)));
    this.#phase = 'preloading';
    this.ring(BellKind.preload, 0, libraries.length);
    await this.#nextPhase(() => {
      this.#phase = 'mapped';
    });
  }

  async #confine(request: ConfineRequest): Promise<void> {
    this.#control.writeConfine(request);
    this.#phase = 'confining';
    this.ring(BellKind.confine);
    await this.#nextPhase(() => {
      this.#phase = 'confined';
    });
  }

  /**
   * Takes the runner into use: code may run in it from now on, and `events` are told what it does.
   * @throws {RunnerStartError} when it has ended, and then `events` are not told.
   */
  use(events: RunnerEvents): void {
    if (this.#phase !== 'confined') throw new RunnerStartError(`the runner is ${this.#phase} already`);
    if (this.#end) throw new RunnerStartError(`the runner has ended: ${describeRunnerEnd(this.#end)}`);
    if (this.#doorbell.isLeft()) throw new RunnerStartError('the runner has ended just now');
    this.#events = events;
    this.#phase = 'in use';
  }

  /**
   * Ends the runner at the limits that the host counts.
   * @param told.onUsage told what it uses from time to time, and when it is killed.
   * @param told.onMemory told the bytes that it uses, from time to time.
   * @param lane counts the time that the host works for it, and gives its bells and output their turns.
   */
  watch(
    {
      onUsage,
      onMemory,
    }: { onUsage?: ((usage: RunnerUsage) => void) | undefined; onMemory?: (bytes: number) => void },
    lane: Lane,
  ): void {
    this.#onUsage = onUsage;
    this.#lane = lane;
    this.#doorbell.share(lane);
    this.#pipes.share(lane);
    this.#watch?.start({
      limits: this.#limits,
      end: (end) => this.kill(end),
      onUsage: (usage) => {
        onUsage?.(usage);
        onMemory?.(usage.memoryBytes);
      },
      onLook: () => this.#child.look(),
    });
  }

  /** Waits for the bell that ends this phase, then does what `enter` does. Ends the process when either fails. */
  async #nextPhase(enter: () => void): Promise<void> {
    const onTimeout = () => {
      const message = `the runner was not ready within ${START_TIMEOUT_MS} ms`;
      this.#settleStart?.reject(new RunnerStartError(message));
    };
    const timer = this.guard.timer('runner.start-timeout', onTimeout, START_TIMEOUT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settleStart = { resolve, reject };
      });
      enter();
    } catch (error) {
      this.#end ??= { kind: 'fault', message: 'the runner did not start' };
      // Which process it is may have been said, and not been heard yet.
      if (this.#phase === 'launching') this.#doorbell.isLeft();
      this.#child.kill();
      this.#release();
      this.#resolveEnded();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#settleStart = undefined;
    }
  }

  #onOutput(stream: 'stdout' | 'stderr', content: Uint8Array): void {
    if (this.#phase === 'in use') this.#events?.onOutput(stream, content);
    else this.#early.push(content);
  }

  #onBell({ kind, slot, value }: Bell): void {
    if (this.#phase === 'launching' && kind === BellKind.launched) {
      this.#child.launched(value);
      this.#phase = 'mapping';
      return;
    }
    if (this.#phase === 'mapping' && kind === BellKind.hello) return this.#settleStart?.resolve();
    if (this.#phase === 'preloading' && kind === BellKind.done) return this.#settleStart?.resolve();
    if (this.#phase === 'confining' && kind === BellKind.confined) {
      this.#confinement = { bits: value, ...this.#control.readConfine() };
      return this.#settleStart?.resolve();
    }
    const events = this.#phase === 'in use' ? this.#events : undefined;
    if (events) {
      if (kind === BellKind.reenter && slot < REENTRY_SLOT_COUNT) return events.onReenter(slot);
      if (kind === BellKind.callDone && slot < CALL_SLOT_COUNT) return events.onCallDone(slot);
      if (kind === BellKind.hostCall && slot < HOST_CALL_SLOT_COUNT) return events.onHostCall(slot);
      if (kind === BellKind.hot) return events.onHot();
      if (kind === BellKind.done) return events.onDone();
      if (kind === BellKind.limit) return events.onLimit(value);
    }
    this.kill({
      kind: 'fault',
      message: `the runner rang with kind ${kind}, slot ${slot} while ${this.#phase}`,
    });
  }

  get #exit(): ProcessExit | undefined {
    return this.#child.exit;
  }

  /** Exit and the end of the doorbell come in either order; what was rung before the end is heard first. */
  #partEnded(): void {
    const exit = this.#exit;
    if (exit && (this.#doorbell.isClosed || this.#isKilled(exit))) return this.#finish(exit);
    this.#expectEnd();
    // It may have ended before it could be killed.
    if (exit) this.#doorbell.hearRest();
  }

  /** Whether this is the end that we have made, and not one that came before it. */
  #isKilled({ signal }: ProcessExit): boolean {
    return signal === 'SIGKILL' && this.#killedFor !== undefined;
  }

  /** A runner that is to end is made to: it dies, or is killed until it does. */
  #expectEnd(heardCount = -1): void {
    if (this.#end) return;
    this.#endTimer ??= this.guard.timer(
      'runner.end-timeout',
      () => {
        this.#endTimer = undefined;
        const heardNow = this.#doorbell.heardCount;
        if (!this.#exit) {
          this.kill({ kind: 'fault', message: 'the runner closed its doorbell' });
          this.#child.kill();
        } else if (heardNow === heardCount) return this.#finish(this.#exit);
        this.#expectEnd(heardNow);
      },
      END_GRACE_MS,
    );
  }

  /** Each step is done whatever becomes of those before. */
  #finish(exit: ProcessExit): void {
    if (this.#end) return;
    const killed = this.#isKilled(exit) ? this.#killedFor : undefined;
    const end = killed ??
      this.guard.attempt('runner.end', () =>
        describeEnd(this.#control.readEnd(), exit, this.#limits, this.#abi.registerNames),
      ) ?? {
        kind: 'fault',
        message: 'the executor could not tell how the runner ended',
      };
    this.#end = end;
    const wasInUse = this.#phase === 'in use';
    this.#release();
    if (wasInUse) this.#events?.onEnd(end);
    else this.#settleStart?.reject(new RunnerStartError(describeRunnerEnd(end)));
    this.#resolveEnded();
  }

  /** Delivers the last output and gives descriptors back. */
  #release(): void {
    clearTimeout(this.#endTimer);
    this.#pipes.close(this.guard);
    this.guard.attempt('runner.end', () => this.#watch?.close());
    this.#watch = undefined;
    this.#doorbell.close();
  }
}
