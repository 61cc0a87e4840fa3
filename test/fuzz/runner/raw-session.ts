import {
  type Commit,
  Connection,
  type FinalizeAction,
  type HostFunctionDescription,
  hostFunctions,
  indirection,
  memory,
  type ParamsOf,
  type RequestType,
  type ResultOf,
  type RunnerEnd,
  run,
  type Segment,
  session,
  symbols,
  wrongWords,
} from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { connectExecutor } from '#compiler/src/executor-client/connect.js';
import { doubleIt, ehFrameOf } from '#executor/test/machine-code.js';
import { OPEN, openOn, WANTED } from '#executor/test/open-on.js';
import { type Answer, STUB_COUNT } from './program.js';

const LANDING_BYTES = 16;
const EH_FRAME_BYTES = 64;
const POINTER_BYTES = 8;
const COUNTER_BYTES = 4;
const LATE_MS = 20;

/** What its runner may call, by number. */
const GIVEN: readonly HostFunctionDescription[] = [
  { number: 0, result: 'void', parameters: [] },
  { number: 1, result: 'i32', parameters: ['i8'] },
];

type Reentered = ResultOf<typeof indirection.reenter>;

/** Where things are in a session's memory. */
export interface Places {
  readonly code: ExecutorAddr;
  readonly constant: ExecutorAddr;
  readonly data: ExecutorAddr;
  readonly dataBytes: number;
  readonly trampolines: ExecutorAddr;
  readonly stubs: ExecutorAddr;
  readonly pointers: ExecutorAddr;
}

export interface CallOptions {
  readonly commit?: Commit;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** The compiler's half of a session, without a compiler: stubs whose functions double their argument. */
export class RawSession {
  readonly opened: ResultOf<typeof session.openSession>;
  /** Bytes of output so far. */
  outputBytes = 0;
  /** What the host has passed on to the compiler though nobody may have said it. */
  passedOn: string | undefined;
  answer: Answer = 'lands';
  readonly #connection: Connection;
  readonly #landed = new Set<number>();
  #end: RunnerEnd | undefined;

  private constructor(connection: Connection, opened: ResultOf<typeof session.openSession>) {
    this.#connection = connection;
    this.opened = opened;
  }

  static async open(url: string): Promise<RawSession> {
    const connection = new Connection(await connectExecutor(url));
    let opened: RawSession | undefined;
    connection.onNotification(session.runnerLost, ({ end }) => {
      if (opened) opened.#end = end;
    });
    connection.onNotification(session.limitReached, () => {});
    connection.onNotification(session.output, ({ content }) => {
      if (opened) opened.outputBytes += content.byteLength;
    });
    connection.onNotification(indirection.functionsHot, ({ counters }) => {
      for (const counter of counters) opened?.checkCounter(counter);
    });
    connection.handle(indirection.reenter, async ({ trampoline }): Promise<Reentered> => {
      if (!opened) throw new Error('a callback before there is a stub');
      return opened.#reenter(trampoline);
    });
    connection.handle(hostFunctions.callHost, async (call) => {
      if (!opened) throw new Error('a call before there is a runner');
      return opened.#callHost(call);
    });
    connection.start();
    opened = new RawSession(
      connection,
      await openOn(connection, { ...OPEN, client: 'fuzz', runner: { ...WANTED, stubCount: STUB_COUNT } }),
    );
    const { generation } = opened.opened.runner;
    connection.notify(hostFunctions.giveHostFunctions, { functions: [...GIVEN] }, generation);
    return opened;
  }

  /** What a function was given for is of its types, whatever the runner has posted. */
  #callHost(call: ParamsOf<typeof hostFunctions.callHost>): ResultOf<typeof hostFunctions.callHost> {
    const wrong = wrongWords(GIVEN[call.function]?.parameters ?? [], call.arguments);
    if (call.function >= GIVEN.length || wrong !== undefined)
      this.passedOn ??= `a call of function ${call.function} with ${call.arguments}`;
    return { outcome: 'returned', value: 0n };
  }

  /** A counter lies in reserved data memory. */
  checkCounter(counter: ExecutorAddr): void {
    const { data, dataBytes } = this.places;
    const offset = Number(counter - data);
    if (offset < 0 || offset >= dataBytes || offset % COUNTER_BYTES !== 0)
      this.passedOn ??= `a counter ${offset} bytes into memory of ${dataBytes}`;
  }

  get places(): Places {
    const { memory, stubs } = this.opened.runner;
    return {
      code: memory.code.address,
      constant: memory.constant.address,
      data: memory.data.address,
      dataBytes: memory.data.sizeBytes,
      trampolines: stubs.trampolines,
      stubs: stubs.stubs,
      pointers: stubs.pointers,
    };
  }

  get runnerProcessId(): number {
    return this.opened.runner.processId;
  }

  /** Resolves when it is closed, by whomever. */
  get closed(): Promise<Error> {
    return this.#connection.closed;
  }

  ask<M extends RequestType>(type: M, params: ParamsOf<M>, options: CallOptions = {}): Promise<ResultOf<M>> {
    const { deadlineMs, signal } = options;
    return this.#connection.request(type, params, {
      generation: this.opened.runner.generation,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(signal ? { signal } : {}),
    });
  }

  /** Runs `entry`, a `void (*)(void *block)`. */
  async call(
    entry: ExecutorAddr,
    block: Uint8Array<ArrayBuffer>,
    options: CallOptions = {},
  ): Promise<Buffer> {
    const { commit = commitOf() } = options;
    return Buffer.from((await this.ask(run.call, { entry, block, commit }, options)).block);
  }

  /** @throws when the runner has not all of them. */
  async lookup(...names: string[]): Promise<ExecutorAddr[]> {
    const { addresses } = await this.ask(symbols.lookupSymbols, { names });
    if (addresses.some((address) => address === 0n)) throw new Error(`the runner has not all of ${names}`);
    return addresses;
  }

  /** How its runner has ended, if it has; this session asks for no other. */
  async runnerEnd(): Promise<RunnerEnd | undefined> {
    // What was said before the answer, or the refusal, is here before it.
    await Promise.allSettled([this.ask(memory.commitMemory, { commit: commitOf() })]);
    return this.#end;
  }

  /** Makes a stub lazy again. */
  lazyAgain(index: number): Commit {
    const { pointers, trampolines } = this.places;
    return commitOf({
      pointers: [
        {
          address: addrAdd(pointers, index * POINTER_BYTES),
          value: addrAdd(trampolines, index * this.opened.info.trampolineBytes),
        },
      ],
    });
  }

  close(): void {
    this.#connection.close();
  }

  async #reenter(trampoline: ExecutorAddr): Promise<Reentered> {
    const index = Number(trampoline - this.places.trampolines) / this.opened.info.trampolineBytes;
    if (!Number.isInteger(index) || index < 0 || index >= STUB_COUNT)
      this.passedOn ??= `a callback from trampoline ${index} of ${STUB_COUNT}`;
    switch (this.answer) {
      case 'fails':
        return { outcome: 'failed', token: 7, message: 'nothing compiles here' };
      case 'landsLate':
        await new Promise((resolve) => setTimeout(resolve, LATE_MS));
        break;
      case 'isRefused':
        // A commit that no host accepts ends the runner.
        return {
          outcome: 'landed',
          landing: trampoline,
          commit: commitOf({
            actions: [{ action: 'registerEHFrames', address: addrAdd(trampoline, 1), sizeBytes: 4 }],
          }),
        };
    }
    return this.#land(index);
  }

  #land(index: number): Reentered {
    const { code, constant, pointers } = this.places;
    const landing = addrAdd(code, index * LANDING_BYTES);
    if (this.answer === 'landsAndStaysLazy' && this.#landed.has(index))
      return { outcome: 'landed', landing, commit: commitOf({ actions: [invalidates(landing)] }) };
    const isFirst = !this.#landed.has(index);
    this.#landed.add(index);
    const frame = addrAdd(constant, index * EH_FRAME_BYTES);
    const content = doubleIt();
    const section = ehFrameOf(landing, content.byteLength, 0);
    const commit = commitOf({
      segments: isFirst ? [segmentOf(landing, 'code', content), segmentOf(frame, 'constant', section)] : [],
      actions: isFirst ? [{ action: 'registerEHFrames', address: frame, sizeBytes: section.byteLength }] : [],
      pointers:
        this.answer === 'landsAndStaysLazy'
          ? []
          : [{ address: addrAdd(pointers, index * POINTER_BYTES), value: landing }],
    });
    return { outcome: 'landed', landing, commit };
  }
}

/** Makes a function's code visible once more. */
export function invalidates(address: ExecutorAddr): FinalizeAction {
  return { action: 'invalidateInstructionCache', address, sizeBytes: LANDING_BYTES };
}

/** A commit of these parts and nothing else. */
export function commitOf(parts: Partial<Commit> = {}): Commit {
  return { ...memory.emptyCommit(), ...parts };
}

export function segmentOf(
  address: ExecutorAddr,
  prot: Segment['prot'],
  content: Uint8Array<ArrayBuffer>,
): Segment {
  return { address, prot, content, memoryBytes: content.byteLength };
}
