import {
  type Commit,
  Connection,
  createMemoryTransportPair,
  FEATURE_NAMES,
  indirection,
  memory,
  type ParamsOf,
  type RequestContext,
  type RequestType,
  type ResultOf,
  type RunnerEnd,
  type RunnerStarted,
  run,
  type StubBlock,
  session,
  symbols,
  type Transport,
} from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ExecutorHandlers } from '../../src/executor-client/executor-handlers.js';

const MIB = 1024 * 1024;
const STUB_BYTES = 8;

type Handler<M extends RequestType> = (
  params: ParamsOf<M>,
  context: RequestContext,
) => ResultOf<M> | Promise<ResultOf<M>>;

/** Of a compiler that compiles nothing and hears nothing. */
export const DEAF_HANDLERS: ExecutorHandlers = {
  reenter: async () => ({ outcome: 'failed', token: 1, message: 'nobody compiles here' }),
  functionsHot: () => {},
  runnerLost: () => {},
  limitReached: () => {},
  memoryPressure: () => {},
  inputTaken: () => {},
  hostEvents: () => {},
  callHost: () => ({ outcome: 'failed', token: 0 }),
  programUsed: () => {},
  output: () => {},
  frame: () => {},
  connection: () => {},
};

/** What the host answers; a test replaces what it wants to lie about. */
export interface Answers {
  openSession: Handler<typeof session.openSession>;
  startRunner: Handler<typeof session.startRunner>;
  sessionStatus: Handler<typeof session.sessionStatus>;
  terminateSession: Handler<typeof session.terminateSession>;
  commitMemory: Handler<typeof memory.commitMemory>;
  readMemory: Handler<typeof memory.readMemory>;
  emitStubs: Handler<typeof indirection.emitStubs>;
  lookupSymbols: Handler<typeof symbols.lookupSymbols>;
  call: Handler<typeof run.call>;
}

/** Never answers. */
export function silence(): Promise<never> {
  return new Promise(() => {});
}

/** A runner with 8 MiB of each kind of memory, and behind that its stubs, trampolines and pointers. */
export function runnerOf(generation: number, base = 0x7f00_0000_0000n): RunnerStarted {
  const part = (index: number) => ({
    address: toExecutorAddr(base + BigInt(index * 8 * MIB)),
    sizeBytes: 8 * MIB,
  });
  return {
    generation,
    processId: 1,
    memory: { code: part(0), constant: part(1), data: part(2) },
    stubs: {
      stubs: part(3).address,
      trampolines: part(4).address,
      pointers: part(5).address,
      count: 512,
    },
    countFunction: toExecutorAddr(0x2000n),
    callHostFunction: toExecutorAddr(0x3000n),
    confinement: {
      sandbox: 'default',
      noNewPrivileges: true,
      seccomp: true,
      ownUser: true,
      root: false,
      dumpable: false,
      landlockAbi: 1,
      userNamespace: true,
      networkNamespace: true,
      mountNamespace: true,
      ipcNamespace: true,
      sealedMemory: true,
      limits: [],
      missing: '',
    },
  };
}

/**
 * The executor's end of a connection, as a script: it hands out addresses and remembers what it is told, but there is
 * no memory and no runner behind it.
 */
export class FakeHost {
  /** The compiler's end, unless the host was given its own. */
  readonly transport: Transport;
  readonly connection: Connection;
  readonly answers: Answers;
  /** Methods asked for, in order. */
  readonly asked: string[] = [];
  /** Commits that arrived, whatever they came with. */
  readonly commits: Commit[] = [];
  /** Pointers as the commits left them. */
  readonly pointers = new Map<bigint, bigint>();
  runner = runnerOf(1);
  #stubCount = 0;

  constructor(answers: Partial<Answers> = {}, transport?: Transport) {
    const [near, far] = createMemoryTransportPair();
    this.transport = near;
    this.connection = new Connection(transport ?? far);
    this.answers = { ...this.#honest(), ...answers };
    const handle = <M extends RequestType>(type: M, answer: () => Handler<M>): void =>
      this.connection.handle(type, async (params, context) => {
        this.asked.push(type.method);
        return answer()(params, context);
      });
    handle(session.openSession, () => this.answers.openSession);
    handle(session.startRunner, () => this.answers.startRunner);
    handle(session.sessionStatus, () => this.answers.sessionStatus);
    handle(session.terminateSession, () => this.answers.terminateSession);
    handle(memory.commitMemory, () => this.answers.commitMemory);
    handle(memory.readMemory, () => this.answers.readMemory);
    handle(indirection.emitStubs, () => this.answers.emitStubs);
    handle(symbols.lookupSymbols, () => this.answers.lookupSymbols);
    handle(run.call, () => this.answers.call);
    this.connection.agree(FEATURE_NAMES, 'a compiler');
    this.connection.start();
  }

  /** A thread hits a trampoline; the answer's commit is applied. */
  async reenter(
    trampoline: ExecutorAddr,
    generation = this.runner.generation,
  ): Promise<ResultOf<typeof indirection.reenter>> {
    const answer = await this.connection.request(indirection.reenter, { trampoline }, { generation });
    if (answer.outcome === 'landed') this.apply(answer.commit);
    return answer;
  }

  /** Says that a runner is gone. */
  loseRunner(end: RunnerEnd, generation = this.runner.generation): void {
    this.connection.notify(session.runnerLost, { generation, end }, generation);
  }

  apply(commit: Commit): void {
    this.commits.push(commit);
    for (const { address, value } of commit.pointers) this.pointers.set(address, value);
  }

  askedFor(method: string): number {
    return this.asked.filter((asked) => asked === method).length;
  }

  #emit(count: number): StubBlock {
    const { stubs, trampolines, pointers } = this.runner.stubs;
    const offset = this.#stubCount * STUB_BYTES;
    this.#stubCount += count;
    for (let at = offset; at < offset + count * STUB_BYTES; at += STUB_BYTES)
      this.pointers.set(addrAdd(pointers, at), addrAdd(trampolines, at));
    return {
      stubs: addrAdd(stubs, offset),
      trampolines: addrAdd(trampolines, offset),
      pointers: addrAdd(pointers, offset),
      count,
    };
  }

  #honest(): Answers {
    return {
      openSession: ({ features, runner: { stubCount } }) => ({
        version: 2,
        features,
        server: 'fake',
        session: 'a session',
        info: {
          triple: 'x86_64-pc-linux-gnu',
          cpuName: 'x86-64',
          cpuFeatures: '',
          pointerBytes: 8,
          pageBytes: 4096,
          trampolineBytes: STUB_BYTES,
          stubBytes: STUB_BYTES,
        },
        runner: { ...this.runner, stubs: this.#emit(stubCount) },
        timeToLiveMs: 0,
      }),
      startRunner: ({ stubCount, names }) => {
        this.runner = runnerOf(this.runner.generation + 1, 0x7e00_0000_0000n);
        this.#stubCount = 0;
        this.pointers.clear();
        const started = { ...this.runner, stubs: this.#emit(stubCount) };
        // `lookupSymbols` is asked then.
        return names ? { ...started, addresses: names.map(() => toExecutorAddr(0n)) } : started;
      },
      sessionStatus: () => ({
        generation: this.runner.generation,
        processId: 1,
        callsInFlight: 0,
        blocked: [],
        programThreads: 0,
        commitsApplied: this.commits.length,
        callsStarted: 0,
        callbackWaitUs: 0,
        commitUs: 0,
      }),
      terminateSession: () => ({}),
      commitMemory: ({ commit }) => {
        this.apply(commit);
        return {};
      },
      readMemory: ({ address, sizeBytes }) => {
        const content = Buffer.alloc(sizeBytes);
        if (sizeBytes === 8) content.writeBigUInt64LE(this.pointers.get(address) ?? 0n);
        return { content };
      },
      emitStubs: ({ stubCount }) => this.#emit(stubCount),
      lookupSymbols: ({ names }) => ({ addresses: names.map(() => toExecutorAddr(0n)) }),
      call: ({ block, commit }) => {
        this.apply(commit);
        return { block, programThreads: 0 };
      },
    };
  }
}
