// More than 400 lines: a method for each request to an executor, most of them a line.
import {
  type Commit,
  type Connection,
  type Feature,
  type FileRoot,
  files,
  type HostFunctionDescription,
  hostFunctions,
  indirection,
  memory,
  observation,
  type ParamsOf,
  type RemoteInfo,
  type RequestType,
  type ResultOf,
  type RunnerStarted,
  run,
  type StubBlock,
  session,
  symbols,
  type Transport,
} from '@farjit/protocol';
import { ConnectionClosedError, ProtocolError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import { type SandboxLevel, sandboxShortfall } from '@farjit/protocol/sandbox';
import type { AnswerDeadline } from './answer-deadline.js';
import { type LeftFile, listLeftFiles, readLeftFile } from './collect-files.js';
import { checkRunner, checkSize, checkStubs } from './executor-checks.js';
import type { ExecutorConduct } from './executor-conduct.js';
import type { ExecutorHandlers } from './executor-handlers.js';
import { giveFiles, type OfferedContent } from './give-files.js';
import { HeldBack } from './held-back.js';
import { type OpenedConnection, type OpenOptions, openOver } from './open-over.js';
import { SandboxError } from './sandbox-error.js';
import { stageCommit } from './stage-commit.js';

/** How long the host may take to end a session: nothing is lost by not waiting. */
const TERMINATE_TIMEOUT_MS = 5_000;

/** A piece of session memory. */
export interface MemoryPiece {
  readonly address: ExecutorAddr;
  readonly sizeBytes: number;
}

/** What `__tls_get_addr` is asked with. */
export type ThreadLocalPlace = ResultOf<typeof symbols.lookupThreadLocals>['variables'][number];

/** How a call is sent. */
export interface CallRequestOptions {
  readonly generation: number;
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly traceparent?: string | undefined;
}

/** Messages that run code. */
type RunType =
  | typeof run.call
  | typeof run.callAndRead
  | typeof run.runProgram
  | typeof hostFunctions.callFromHost;

/**
 * What a remote executor looks like from the compiler: one typed method per message, and checks on what the host
 * says, which the compiler does not trust.
 */
export class ExecutorProcessControl {
  readonly info: RemoteInfo;
  readonly sessionId: string;
  readonly server: string;
  readonly heldBack = new HeldBack();
  readonly #connection: Connection;
  readonly #conduct: ExecutorConduct;
  readonly #deadline: AnswerDeadline;
  readonly #answerTimeoutMs: number;
  readonly #requireSandbox: SandboxLevel;
  readonly #libraries: readonly string[];
  #runner: RunnerStarted;

  private constructor({ connection, conduct, deadline, options, opened }: OpenedConnection) {
    this.#connection = connection;
    this.#conduct = conduct;
    this.#deadline = deadline;
    this.#answerTimeoutMs = options.answerTimeoutMs;
    this.info = opened.info;
    this.sessionId = opened.session;
    this.server = opened.server;
    this.#requireSandbox = options.requireSandbox;
    this.#libraries = options.libraries;
    this.#runner = this.#checkConfinement(opened.runner);
  }

  /**
   * Opens a session over a connected transport. The connection is closed when that fails.
   * @throws {RemoteError} `VERSION_MISMATCH`, or what else the executor refuses with.
   * @throws {ProtocolError} when its answer makes no sense.
   * @throws {SandboxError} when its runner is confined less than required.
   */
  static async open(
    transport: Transport,
    handlers: ExecutorHandlers,
    options: OpenOptions = {},
  ): Promise<ExecutorProcessControl> {
    return openOver(transport, handlers, options, (opened) => new ExecutorProcessControl(opened));
  }

  /** The runner of the current generation; it may be lost already. */
  get runner(): RunnerStarted {
    return this.#runner;
  }

  get generation(): number {
    return this.#runner.generation;
  }

  /** Resolves with the reason when the connection is gone. */
  get closed(): Promise<ConnectionClosedError> {
    return this.#connection.closed;
  }

  /** What the session has beside what every session has. */
  has(feature: Feature): boolean {
    return this.#connection.has(feature);
  }

  /** Where thread-local variables can be; undefined where the executor has no room for any. */
  get threadLocals(): RunnerStarted['threadLocals'] {
    return this.has('thread-locals') ? this.#runner.threadLocals : undefined;
  }

  /** Whether code can call functions of ours. */
  get callsHostFunctions(): boolean {
    return this.has('host-functions') && this.#runner.callHostFunction !== undefined;
  }

  /**
   * Starts a runner of the next generation, with so many stubs in its first block.
   * @param given.files what it sees, of contents that `giveFiles` has given; nothing unless given.
   * @param given.names symbols that will be looked up in it.
   * @returns the addresses of those, 0 for one that it does not have; none where the executor does not look them up with it.
   */
  async startRunner(
    stubCount: number,
    { files, names = [] }: { readonly files?: FileRoot | undefined; readonly names?: readonly string[] } = {},
  ): Promise<ReadonlyMap<string, ExecutorAddr>> {
    const asked = this.has('short-runs') ? names.slice(0, symbols.MAX_LOOKUP_NAMES) : [];
    // What the executor tells next may be of this runner.
    const onResult = ({ addresses = [], ...runner }: ResultOf<typeof session.startRunner>) => {
      checkAnswered(addresses, 'addresses', asked);
      this.#checkConfinement(checkRunner(runner, this.info));
      checkStubs(runner, this.info, stubCount);
      if (runner.generation <= this.#runner.generation)
        throw new ProtocolError(`generation ${runner.generation} follows ${this.#runner.generation}`);
      this.#runner = runner;
      this.#conduct.begin(runner.generation, runner.stubs, this.info.trampolineBytes);
    };
    const wanted = {
      stubCount,
      libraries: [...this.#libraries],
      ...(files && { files }),
      ...(asked.length > 0 && { names: asked }),
    };
    const { addresses = [] } = await this.#ask(session.startRunner, wanted, 0, { onResult });
    return new Map(asked.map((name, index) => [name, addresses[index] ?? NULL_ADDR]));
  }

  /** Emits a further block of stubs. */
  async emitStubs(stubCount: number, generation: number): Promise<StubBlock> {
    // Threads may come to its trampolines as soon as it is there.
    const onResult = (block: StubBlock) => {
      if (generation !== this.generation) return;
      checkStubs({ memory: this.#runner.memory, stubs: block }, this.info, stubCount);
      this.#conduct.addStubs(block);
    };
    return this.#ask(indirection.emitStubs, { stubCount }, generation, { onResult });
  }

  /** See `giveFiles`: of the next runner's files. */
  giveFiles(contents: readonly OfferedContent[], signal: AbortSignal): Promise<void> {
    return giveFiles((type, params) => this.#ask(type, params), contents, signal);
  }

  /** What the last runner that was given files has left in its writable folders. */
  leftFiles(): ReturnType<typeof listLeftFiles> {
    return listLeftFiles((type, params) => this.#ask(type, params));
  }

  readLeftFile(file: LeftFile): Promise<Uint8Array> {
    return readLeftFile((type, params) => this.#ask(type, params), file);
  }

  /** Neither what was given nor what was left is needed any more. */
  releaseFiles(): void {
    this.#connection.notify(files.releaseFiles, {});
  }

  async commit(commit: Commit, generation: number, traceparent?: string): Promise<void> {
    const staged = stageCommit(this.#connection, commit, generation);
    await this.#ask(memory.commitMemory, { commit: staged }, generation, { traceparent });
  }

  /** What is in session memory: in pieces where that is more than one message reads, which then may be of different times. */
  async readMemory(address: ExecutorAddr, sizeBytes: number): Promise<Uint8Array> {
    const { generation } = this;
    const pieces: Uint8Array[] = [];
    for (let done = 0; done === 0 || done < sizeBytes; done += memory.MAX_READ_MEMORY_BYTES) {
      const pieceBytes = Math.min(sizeBytes - done, memory.MAX_READ_MEMORY_BYTES);
      const piece = { address: addrAdd(address, done), sizeBytes: pieceBytes };
      const { content } = await this.#ask(memory.readMemory, piece, generation);
      checkSize(content, pieceBytes);
      pieces.push(content);
    }
    const [first = new Uint8Array()] = pieces;
    return pieces.length === 1 ? first : Buffer.concat(pieces);
  }

  /** What is in any memory of the runner's process; in pieces, as `readMemory`. How long that takes is its program's affair. */
  async readRunnerMemory(address: ExecutorAddr, sizeBytes: number, generation: number): Promise<Uint8Array> {
    return this.#readInPieces(address, sizeBytes, generation, false);
  }

  /** A text there, up to its zero byte; `maxBytes` of it where there is none in that. */
  async readRunnerText(address: ExecutorAddr, maxBytes: number, generation: number): Promise<Uint8Array> {
    return this.#readInPieces(address, maxBytes, generation, true);
  }

  async writeRunnerMemory(address: ExecutorAddr, content: Uint8Array, generation: number): Promise<void> {
    const { MAX_RUNNER_MEMORY_BYTES } = hostFunctions;
    for (let done = 0; done < content.byteLength; done += MAX_RUNNER_MEMORY_BYTES) {
      const piece = content.subarray(done, done + MAX_RUNNER_MEMORY_BYTES);
      const params = { address: addrAdd(address, done), content: piece };
      await this.#connection.request(hostFunctions.writeRunnerMemory, params, { generation });
    }
  }

  async #readInPieces(
    address: ExecutorAddr,
    sizeBytes: number,
    generation: number,
    isText: boolean,
  ): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let done = 0; done < sizeBytes; ) {
      const wanted = Math.min(sizeBytes - done, hostFunctions.MAX_RUNNER_MEMORY_BYTES);
      const params = { address: addrAdd(address, done), sizeBytes: wanted, isText };
      const { content } = await this.#connection.request(hostFunctions.readRunnerMemory, params, {
        generation,
      });
      if (!isText || content.byteLength > wanted) checkSize(content, wanted);
      pieces.push(content);
      if (content.byteLength < wanted) break;
      done += wanted;
    }
    return Buffer.concat(pieces);
  }

  /** Addresses in the order asked; 0 for a name the runner does not have. */
  lookupSymbols(names: readonly string[], generation: number): Promise<ExecutorAddr[]> {
    return inBatches(names, 'addresses', async (batch) => {
      const { addresses } = await this.#ask(symbols.lookupSymbols, { names: batch }, generation);
      return addresses;
    });
  }

  /** Where thread-local variables of libraries are, in the order asked; module 0 for a name that no library has. */
  lookupThreadLocals(names: readonly string[], generation: number): Promise<ThreadLocalPlace[]> {
    return inBatches(names, 'thread-local variables', async (batch) => {
      const { variables } = await this.#ask(symbols.lookupThreadLocals, { names: batch }, generation);
      return variables;
    });
  }

  /**
   * Calls `entry`. There is no limit to how long that takes, but a deadline or an abort that the host does not act on
   * costs it the connection.
   */
  call(
    entry: ExecutorAddr,
    block: Uint8Array,
    commit: Commit,
    options: CallRequestOptions,
  ): Promise<ResultOf<typeof run.call>> {
    return this.#call(run.call, { entry, block, commit }, options);
  }

  /** The same, and what is then in a piece of memory: read by itself where the session has no `call-and-read`. */
  async callAndRead(
    entry: ExecutorAddr,
    block: Uint8Array,
    commit: Commit,
    read: MemoryPiece,
    options: CallRequestOptions,
  ): Promise<ResultOf<typeof run.callAndRead>> {
    if (!this.has('call-and-read')) {
      const called = await this.call(entry, block, commit, options);
      return { ...called, content: await this.readMemory(read.address, read.sizeBytes) };
    }
    const answer = await this.#call(run.callAndRead, { entry, block, commit, read }, options);
    checkSize(answer.content, read.sizeBytes);
    return answer;
  }

  /** Runs a program to its end: as `call`, with that end for an answer. */
  runProgram(
    params: ParamsOf<typeof run.runProgram>,
    options: CallRequestOptions,
  ): Promise<ResultOf<typeof run.runProgram>> {
    return this.#run(run.runProgram, params, options);
  }

  /** Lets a runner call functions in JavaScript, by the code that is sent next. */
  giveHostFunctions(functions: HostFunctionDescription[], generation: number): void {
    this.#connection.notify(hostFunctions.giveHostFunctions, { functions }, generation);
  }

  /** Has a thread that waits for a function in JavaScript run an entry: as `call`. */
  async callFromHost(
    params: ParamsOf<typeof hostFunctions.callFromHost>,
    options: CallRequestOptions,
  ): Promise<ResultOf<typeof hostFunctions.callFromHost>> {
    const answer = await this.#run(hostFunctions.callFromHost, params, options);
    checkSize(answer.content, params.read.sizeBytes);
    return answer;
  }

  /** A piece of what a program reads: the caller has credit for it. */
  sendInput(content: Uint8Array, isLast: boolean, generation: number): void {
    this.#connection.notify(run.programInput, { content, isLast }, generation);
  }

  async #call<M extends typeof run.call | typeof run.callAndRead>(
    type: M,
    params: ParamsOf<M>,
    options: CallRequestOptions,
  ): Promise<ResultOf<M>> {
    const answer = await this.#run(type, params, options);
    if (answer.block.byteLength !== params.block.byteLength)
      throw new ProtocolError(`the call's block came back with ${answer.block.byteLength} bytes`);
    return answer;
  }

  async #run<M extends RunType>(
    type: M,
    params: ParamsOf<M>,
    options: CallRequestOptions,
  ): Promise<ResultOf<M>> {
    const { deadlineMs = Number.POSITIVE_INFINITY, signal } = options;
    const expectEnd = (inMs: number) => this.#deadline.expect(type.method, inMs + this.#answerTimeoutMs);
    const answered = Number.isFinite(deadlineMs) ? [expectEnd(deadlineMs)] : [];
    const onAbort = () => answered.push(expectEnd(0));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#connection.request(type, this.#staged(params, options), options);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      for (const end of answered) end();
    }
  }

  /** The params of a call that is about to be sent. */
  #staged<P extends { readonly commit: Commit }>(params: P, { generation, signal }: CallRequestOptions): P {
    // A call that is not sent must not leave parts behind.
    if (signal?.aborted) return params;
    return { ...params, commit: stageCommit(this.#connection, params.commit, generation) };
  }

  /** Has the host tell of what happens in it, or no more. */
  observe(isWanted: boolean): Promise<ResultOf<typeof observation.observe>> {
    if (isWanted) this.#conduct.observe();
    return this.#ask(observation.observe, { isWanted });
  }

  readClock(): Promise<ResultOf<typeof observation.readClock>> {
    return this.#ask(observation.readClock, {});
  }

  status(): Promise<ResultOf<typeof session.sessionStatus>> {
    return this.#ask(session.sessionStatus, {});
  }

  /** `/proc/<pid>/maps` of the runner. */
  async runnerMaps(): Promise<string> {
    return (await this.#ask(session.runnerMaps, {})).maps;
  }

  /** Receives nothing more from the executor until `until` has settled. */
  async holdBack(until: Promise<unknown>): Promise<void> {
    await Promise.all([
      this.heldBack.hold(until),
      this.#connection.link.holdBack(until),
      this.#deadline.pause(until),
    ]);
  }

  /**
   * Ends the session and its runner, then the connection. Does nothing when the connection is gone.
   * @returns whether the executor has said that the runner is gone.
   */
  async terminate(): Promise<boolean> {
    if (this.#connection.isClosed) return false;
    const { link } = this.#connection;
    if (link.isBroken) {
      // Its end is not waited for: the executor ends the session when its time to live has passed.
      this.disconnect();
      return false;
    }
    // Nor is it worth resuming from here on.
    link.timeToLiveMs = 0;
    const terminated = this.#ask(session.terminateSession, {}, 0, {
      timeoutMs: TERMINATE_TIMEOUT_MS,
    }).then(
      () => true,
      // The executor may close first, or never answer; either way the session is over.
      () => false,
    );
    // Nor is whoever deals with output waited for, who may never be done: what is behind it is nobody's any more.
    let forget = () => {};
    const held = new Promise<false>((resolve) => {
      forget = this.heldBack.onHeld(() => resolve(false));
    });
    const isTerminated = await Promise.race([terminated, held]);
    forget();
    this.disconnect();
    return isTerminated;
  }

  /** Ends the connection, and with it the session. */
  disconnect(): void {
    this.#connection.close();
  }

  #checkConfinement(runner: RunnerStarted): RunnerStarted {
    const { confinement } = runner;
    const shortfall = sandboxShortfall(confinement, this.#requireSandbox);
    if (shortfall.length > 0) throw new SandboxError(this.#requireSandbox, shortfall, confinement.missing);
    return runner;
  }

  /** A request that the host answers by itself, so that it is to be answered in time. */
  async ask<M extends RequestType>(type: M, params: ParamsOf<M>): Promise<ResultOf<M>> {
    if (this.#connection.link.isBroken)
      throw new ConnectionClosedError(`${type.method}: the connection is lost`);
    return this.#ask(type, params);
  }

  async #ask<M extends RequestType>(
    type: M,
    params: ParamsOf<M>,
    generation = 0,
    {
      timeoutMs = this.#answerTimeoutMs,
      traceparent,
      onResult,
    }: {
      readonly timeoutMs?: number;
      readonly traceparent?: string | undefined;
      readonly onResult?: (result: ResultOf<M>) => void;
    } = {},
  ): Promise<ResultOf<M>> {
    const answered = this.#deadline.expect(type.method, timeoutMs);
    try {
      return await this.#connection.request(type, params, {
        generation,
        traceparent,
        ...(onResult && { onResult }),
      });
    } finally {
      answered();
    }
  }
}

/** Asks for as many names at a time as a message holds. */
async function inBatches<T>(
  names: readonly string[],
  what: string,
  ask: (batch: string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (let start = 0; start < names.length; start += symbols.MAX_LOOKUP_NAMES) {
    const batch = names.slice(start, start + symbols.MAX_LOOKUP_NAMES);
    const answers = await ask(batch);
    checkAnswered(answers, what, batch);
    found.push(...answers);
  }
  return found;
}

function checkAnswered(answers: readonly unknown[], what: string, names: readonly string[]): void {
  if (answers.length !== names.length)
    throw new ProtocolError(`${answers.length} ${what} for ${names.length} names`);
}
