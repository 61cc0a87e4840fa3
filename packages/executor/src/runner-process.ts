import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { RunnerEnd } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import type { ConfineAnswer, ConfineRequest, ControlArea, RunnerHello } from './control-area.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import type { MapsReader } from './mappings-meter.js';
import { BELL_BYTES, BellKind, CALL_SLOT_COUNT, REENTRY_SLOT_COUNT } from './native/shared-layout.js';
import { OutputPipe } from './output-pipe.js';
import type { Reservation } from './reservation.js';
import { describeEnd, type ProcessExit } from './runner-end.js';
import { type RunnerUsage, RunnerWatch } from './runner-watch.js';

/** Where `npm run build` puts the runner. */
export const DEFAULT_RUNNER_PATH = fileURLToPath(new URL('../runner/farjit-runner', import.meta.url));

/** From spawn to CONFINED takes milliseconds; a machine this much slower is stuck. */
const START_TIMEOUT_MS = 10_000;
/** The doorbell ends with the process; when only one of the two is seen, this is how long the other may take. */
const END_GRACE_MS = 1000;
/** More of `/proc/<pid>/maps` than a runner has lines for. */
const MAX_MAPS_BYTES = 4 * 1024 * 1024;

/** The runner could not be started. */
export class RunnerStartError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('RUNNER_START_FAILED', message, options);
  }
}

/** What a runner says of itself: where its reservation, its resolver and what counted code calls are. */
export interface RunnerAddresses {
  readonly base: ExecutorAddr;
  readonly resolver: ExecutorAddr;
  readonly countFunction: ExecutorAddr;
}

/** Bits of `Confinement`, and what there is to say of them. */
export interface RunnerConfinement extends ConfineAnswer {
  readonly bits: number;
}

/** What the runner's bells and its end turn into. Slots are inside their tables; nothing else is checked. */
export interface RunnerEvents {
  onReenter(slot: number): void;
  onCallDone(slot: number): void;
  /** A counter at this offset in the data part has reached its threshold. */
  onHot(dataOffset: number): void;
  /** The control thread has done its work. */
  onDone(): void;
  /** The runner says that it has reached a limit: any number. */
  onLimit(limit: number): void;
  onOutput(stream: 'stdout' | 'stderr', content: Uint8Array): void;
  /** True while output should wait in the pipe. */
  isCongested(): boolean;
  /** Last of all: the process is gone and its output delivered. */
  onEnd(end: RunnerEnd): void;
}

export interface RunnerStartOptions {
  readonly runnerPath: string;
  readonly control: ControlArea;
  /** Stays the caller's. */
  readonly reservation: Reservation;
  readonly maps: MapsReader;
  /** Libraries to load before it is confined. */
  readonly preload: readonly string[];
}

type Phase = 'mapping' | 'mapped' | 'preloading' | 'confining' | 'ready';

/** One native runner process: starting it, its doorbell, its output, and its end. */
export class RunnerProcess {
  readonly #child: ChildProcess;
  readonly #doorbell: Socket;
  readonly #control: ControlArea;
  readonly #runnerPath: string;
  readonly #outputs: readonly OutputPipe[];
  /** What a runner says before it is ready belongs into the error, not to the program's output. */
  readonly #early: Uint8Array[] = [];
  /** Resolves when the process is gone, after `onEnd`. */
  readonly ended: Promise<void>;
  #resolveEnded!: () => void;
  #events: RunnerEvents | undefined;
  #limits: Limits = DEFAULT_LIMITS;
  #phase: Phase = 'mapping';
  #pendingBytes: Buffer = Buffer.alloc(0);
  #mapsFd: number | undefined;
  #watch: RunnerWatch | undefined;
  #onUsage: ((usage: RunnerUsage) => void) | undefined;
  #hello: RunnerAddresses | undefined;
  #confinement: RunnerConfinement = { bits: 0, landlockAbi: 0, missing: '' };
  #exit: ProcessExit | undefined;
  #doorbellClosed = false;
  #killedFor: RunnerEnd | undefined;
  #end: RunnerEnd | undefined;
  #graceTimer: NodeJS.Timeout | undefined;
  #settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined;

  /**
   * Spawns a runner and sees it through HELLO: it has mapped its memory and runs nothing before it is confined.
   * @throws {RunnerStartError} and then no process and no descriptor is left.
   */
  static async start(options: RunnerStartOptions): Promise<RunnerProcess> {
    const { runnerPath } = options;
    const { sealedFd, sharedFd } = options.reservation.descriptors;
    const outputs: OutputPipe[] = [];
    const early: Uint8Array[] = [];
    let runner: RunnerProcess | undefined;
    try {
      if (!existsSync(runnerPath))
        throw new RunnerStartError(`there is no runner at ${runnerPath}: build it with \`npm run build\``);
      for (const stream of ['stdout', 'stderr'] as const)
        outputs.push(
          new OutputPipe({
            write: (content) => {
              if (runner) runner.#onOutput(stream, content);
              else early.push(content);
            },
            isCongested: () => runner?.isCongested ?? false,
          }),
        );
      const child = spawn(runnerPath, [], {
        // No environment: what the host was given is not for JIT'd code. A session of its own, so that Ctrl-C on
        // the terminal reaches only who should decide about it.
        env: {},
        cwd: '/',
        detached: true,
        stdio: ['ignore', outputs[0]?.writeFd, outputs[1]?.writeFd, 'pipe', sealedFd, sharedFd],
      });
      runner = new RunnerProcess(child, options, outputs);
      await runner.#sayHello(options);
      return runner;
    } catch (error) {
      for (const output of outputs) output.close();
      throw startError(runnerPath, error, runner ? runner.#early : early);
    } finally {
      for (const output of outputs) output.closeWriteEnd();
    }
  }

  private constructor(child: ChildProcess, options: RunnerStartOptions, outputs: readonly OutputPipe[]) {
    this.#child = child;
    this.#control = options.control;
    this.#runnerPath = options.runnerPath;
    this.#outputs = outputs;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    child.on('error', (error) => {
      // Not spawned at all; a failed kill is answered by the exit that made it fail.
      if (child.pid === undefined) this.#settleStart?.reject(error);
    });
    const doorbell = child.stdio?.[3];
    if (!(doorbell instanceof Socket)) throw new RunnerStartError('spawn gave no doorbell');
    this.#doorbell = doorbell;
    doorbell.on('data', (chunk: Buffer) => this.#receive(chunk));
    // A write to a runner that is gone; its exit says more.
    doorbell.on('error', () => {});
    doorbell.on('close', () => {
      this.#doorbellClosed = true;
      this.#partEnded();
    });
    child.on('exit', (code, signal) => {
      this.#exit = { code, signal };
      this.#partEnded();
    });
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  get hello(): RunnerAddresses {
    if (!this.#hello) throw new Error('the runner has not said HELLO');
    return this.#hello;
  }

  /** What the runner says is in force. */
  get confinement(): RunnerConfinement {
    return this.#confinement;
  }

  /** True while output should wait in the pipes. */
  get isCongested(): boolean {
    return this.#events?.isCongested() ?? false;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Rings the runner. */
  ring(kind: number, slot = 0, value = 0): void {
    const bell = Buffer.alloc(BELL_BYTES);
    bell.writeUInt16LE(kind, 0);
    bell.writeUInt16LE(slot, 2);
    bell.writeUInt32LE(value, 4);
    if (this.#doorbell.writable) this.#doorbell.write(bell);
  }

  /** Ends the process; `end` is what is reported, unless the process has ended by itself already. */
  kill(end: RunnerEnd): void {
    if (this.#exit || this.#killedFor) return;
    this.#killedFor = end;
    const usage = this.#onUsage && this.#watch?.read();
    if (usage) this.#onUsage?.(usage);
    this.#child.kill('SIGKILL');
  }

  /** Delivers all output that the runner has written up to now. */
  drainOutput(): void {
    for (const output of this.#outputs) output.drain();
  }

  /** `/proc/<pid>/maps`, through the descriptor opened before the runner became undumpable; empty when it is gone. */
  readMaps(): string {
    const fd = this.#mapsFd;
    if (fd === undefined) return '';
    const pieces: Buffer[] = [];
    for (let position = 0; position < MAX_MAPS_BYTES; ) {
      const piece = Buffer.allocUnsafe(64 * 1024);
      const sizeBytes = readSync(fd, piece, 0, piece.byteLength, position);
      if (sizeBytes === 0) break;
      pieces.push(piece.subarray(0, sizeBytes));
      position += sizeBytes;
    }
    return Buffer.concat(pieces).toString();
  }

  async #sayHello({ reservation, maps, preload }: RunnerStartOptions): Promise<void> {
    await this.#nextPhase(() => {
      this.#hello = checkHello(this.#control.readHello(), this.processId, reservation.layout.totalBytes);
      this.#mapsFd = openSync(`/proc/${this.processId}/maps`, 'r');
      this.#watch = new RunnerWatch(this.processId, reservation, maps);
      this.#phase = 'mapped';
    });
    if (preload.length > 0) await this.#preload(preload);
  }

  async #preload(libraries: readonly string[]): Promise<void> {
    this.#control.writeLookupNames(libraries.map((library) => Buffer.from(library)));
    this.#phase = 'preloading';
    this.ring(BellKind.preload, 0, libraries.length);
    await this.#nextPhase(() => {
      this.#phase = 'mapped';
    });
  }

  /**
   * Ends the runner at the limits that the host counts.
   * @param onUsage told what it uses from time to time, and when it is killed.
   */
  watch(onUsage?: (usage: RunnerUsage) => void): void {
    this.#onUsage = onUsage;
    this.#watch?.start({ limits: this.#limits, end: (end) => this.kill(end), onUsage });
  }

  /**
   * Confines the runner; code may run in it from then on, and `events` are told what it does.
   * @throws {RunnerStartError} and then the process is gone, and `events` are not told.
   */
  async confine(request: ConfineRequest, events: RunnerEvents): Promise<void> {
    try {
      if (this.#phase !== 'mapped' || this.#end)
        throw new RunnerStartError(this.#end ? describeRunnerEnd(this.#end) : `it is ${this.#phase} already`);
      this.#events = events;
      this.#limits = request.limits;
      this.#control.writeConfine(request);
      this.#phase = 'confining';
      this.ring(BellKind.confine);
      await this.#nextPhase(() => {
        this.#phase = 'ready';
      });
    } catch (error) {
      throw startError(this.#runnerPath, error, this.#early);
    }
  }

  /** Waits for the bell that ends this phase, then does what `enter` does. Ends the process when either fails. */
  async #nextPhase(enter: () => void): Promise<void> {
    const timer = setTimeout(() => {
      this.kill({ kind: 'fault', message: `the runner was not ready within ${START_TIMEOUT_MS} ms` });
    }, START_TIMEOUT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settleStart = { resolve, reject };
      });
      enter();
    } catch (error) {
      this.#end ??= { kind: 'fault', message: 'the runner did not start' };
      this.#child.kill('SIGKILL');
      this.#release();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#settleStart = undefined;
    }
  }

  #onOutput(stream: 'stdout' | 'stderr', content: Uint8Array): void {
    if (this.#phase === 'ready') this.#events?.onOutput(stream, content);
    else this.#early.push(content);
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#pendingBytes.byteLength > 0 ? Buffer.concat([this.#pendingBytes, chunk]) : chunk;
    let at = 0;
    for (; at + BELL_BYTES <= bytes.byteLength; at += BELL_BYTES) {
      if (this.#killedFor) return;
      this.#onBell(bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2), bytes.readUInt32LE(at + 4));
    }
    this.#pendingBytes = Buffer.from(bytes.subarray(at));
  }

  #onBell(kind: number, slot: number, value: number): void {
    if (this.#phase === 'mapping' && kind === BellKind.hello) return this.#settleStart?.resolve();
    if (this.#phase === 'preloading' && kind === BellKind.done) return this.#settleStart?.resolve();
    if (this.#phase === 'confining' && kind === BellKind.confined) {
      this.#confinement = { bits: value, ...this.#control.readConfine() };
      return this.#settleStart?.resolve();
    }
    const events = this.#phase === 'ready' ? this.#events : undefined;
    if (events) {
      if (kind === BellKind.reenter && slot < REENTRY_SLOT_COUNT) return events.onReenter(slot);
      if (kind === BellKind.callDone && slot < CALL_SLOT_COUNT) return events.onCallDone(slot);
      if (kind === BellKind.hot) return events.onHot(value);
      if (kind === BellKind.done) return events.onDone();
      if (kind === BellKind.limit) return events.onLimit(value);
    }
    this.kill({
      kind: 'fault',
      message: `the runner rang with kind ${kind}, slot ${slot} while ${this.#phase}`,
    });
  }

  /** Exit and the end of the doorbell come in either order; what was rung before the end is heard first. */
  #partEnded(): void {
    if (this.#end) return;
    if (this.#exit && this.#doorbellClosed) return this.#finish(this.#exit);
    this.#graceTimer ??= setTimeout(() => {
      if (this.#exit) this.#finish(this.#exit);
      else {
        this.#graceTimer = undefined;
        this.kill({ kind: 'fault', message: 'the runner closed its doorbell' });
      }
    }, END_GRACE_MS);
  }

  #finish(exit: ProcessExit): void {
    const killed = exit.signal === 'SIGKILL' ? this.#killedFor : undefined;
    this.#end = killed ?? describeEnd(this.#control.readEnd(), exit, this.#limits);
    const wasReady = this.#phase === 'ready';
    this.#release();
    if (wasReady) this.#events?.onEnd(this.#end);
    else this.#settleStart?.reject(new RunnerStartError(describeRunnerEnd(this.#end)));
    this.#resolveEnded();
  }

  /** Delivers the last output and gives descriptors back. */
  #release(): void {
    clearTimeout(this.#graceTimer);
    for (const output of this.#outputs) output.close();
    if (this.#mapsFd !== undefined) closeSync(this.#mapsFd);
    this.#mapsFd = undefined;
    this.#watch?.close();
    this.#watch = undefined;
    this.#doorbell.destroy();
  }
}

function startError(runnerPath: string, error: unknown, early: readonly Uint8Array[]): RunnerStartError {
  const words = [error instanceof Error ? error.message : String(error), Buffer.concat(early).toString()];
  const message = `the runner ${runnerPath} could not be started: ${words.join(' ').trim()}`;
  return new RunnerStartError(message, { cause: error });
}

/** What the runner writes before it is confined is checked like the rest: the base decides where every write goes. */
function checkHello(hello: RunnerHello, processId: number, reservationBytes: number): RunnerAddresses {
  const { base, resolver, countFunction } = hello;
  // User space is the lower half of the canonical addresses.
  const limit = 1n << 47n;
  const isPlaced = base > 0n && base % 4096n === 0n && base + BigInt(reservationBytes) <= limit;
  if (!isPlaced || resolver === 0n || countFunction === 0n || hello.processId !== processId)
    throw new RunnerStartError(
      `it says: base 0x${base.toString(16)}, resolver 0x${resolver.toString(16)}, ` +
        `count function 0x${countFunction.toString(16)}, process ${hello.processId}`,
    );
  return {
    base: toExecutorAddr(base),
    resolver: toExecutorAddr(resolver),
    countFunction: toExecutorAddr(countFunction),
  };
}
