import {
  type Answer,
  type Commit,
  Connection,
  type ConnectionClosedError,
  type ExecutorAddr,
  type FrameEvent,
  formatAddr,
  indirection,
  type MemProt,
  memory,
  ProtocolError,
  type RemoteInfo,
  type ResultOf,
  type RunnerEnd,
  type RunnerStarted,
  run,
  session,
  symbols,
  type Transport,
} from '@farjit/protocol';

/** What the compiler does when the executor asks or tells. */
export interface ExecutorHandlers {
  reenter(
    trampoline: ExecutorAddr,
    generation: number,
  ): Promise<Answer<ResultOf<typeof indirection.reenter>>>;
  runnerLost(generation: number, end: RunnerEnd): void;
  output(stream: 'stdout' | 'stderr', content: Uint8Array): void;
  frame(event: FrameEvent): void;
}

/** A stub block: stub `i` is at `stubs + i * stubBytes`, its pointer at `pointers + i * pointerBytes`. */
export interface StubBlock {
  readonly stubs: ExecutorAddr;
  readonly pointers: ExecutorAddr;
  readonly trampolines: ExecutorAddr;
  readonly count: number;
}

const CLIENT_NAME = 'farjit/0.1.0';

/**
 * What a remote executor looks like from the compiler: one typed method per message, and checks on what the host
 * says, which the compiler does not trust.
 */
export class ExecutorProcessControl {
  readonly info: RemoteInfo;
  readonly sessionId: string;
  readonly server: string;
  readonly #connection: Connection;
  #runner: RunnerStarted;

  private constructor(connection: Connection, opened: ResultOf<typeof session.openSession>) {
    this.#connection = connection;
    this.info = opened.info;
    this.sessionId = opened.session;
    this.server = opened.server;
    this.#runner = checkRunner(opened.runner);
  }

  /**
   * Opens a session over a connected transport.
   * @throws {RemoteError} `VERSION_MISMATCH`, or what else the executor refuses with.
   */
  static async open(transport: Transport, handlers: ExecutorHandlers): Promise<ExecutorProcessControl> {
    const connection = new Connection(transport, { onFrame: handlers.frame });
    connection.handle(indirection.reenter, ({ trampoline }, { generation }) =>
      handlers.reenter(trampoline, generation),
    );
    connection.onNotification(session.runnerLost, ({ generation, end }) =>
      handlers.runnerLost(generation, end),
    );
    connection.onNotification(session.output, ({ stream, content }) => handlers.output(stream, content));
    connection.start();
    try {
      const opened = await connection.request(session.openSession, {
        versions: [...session.PROTOCOL_VERSIONS],
        client: CLIENT_NAME,
      });
      return new ExecutorProcessControl(connection, opened);
    } catch (error) {
      connection.close();
      throw error;
    }
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

  /** Starts a runner of the next generation. */
  async startRunner(): Promise<RunnerStarted> {
    const runner = checkRunner(await this.#connection.request(session.startRunner, {}));
    if (runner.generation <= this.#runner.generation)
      throw new ProtocolError(`generation ${runner.generation} follows ${this.#runner.generation}`);
    this.#runner = runner;
    return runner;
  }

  /** Reserves the given ranges under a new allocator, in the order asked. */
  async reserve(requests: readonly { prot: MemProt; sizeBytes: number }[]): Promise<ExecutorAddr[]> {
    const options = { generation: this.generation };
    const { allocator } = await this.#connection.request(memory.createAllocator, {}, options);
    const replies = await Promise.all(
      requests.map(({ prot, sizeBytes }) =>
        this.#connection.request(memory.reserveMemory, { allocator, prot, memoryBytes: sizeBytes }, options),
      ),
    );
    return replies.map(({ address }, index) => {
      const request = requests[index];
      if (request) checkInside(this.#runner, address, request.sizeBytes, request.prot);
      return address;
    });
  }

  /** Emits the resolver and returns a fresh owner of indirect stubs. */
  async createIndirectStubsOwner(): Promise<number> {
    const options = { generation: this.generation };
    const [{ owner }] = await Promise.all([
      this.#connection.request(indirection.createIndirectStubsOwner, {}, options),
      this.#connection.request(indirection.emitResolverBlock, {}, options),
    ]);
    return owner;
  }

  /** Emits `stubCount` trampolines and as many stubs that point at them. */
  async emitStubBlock(owner: number, stubCount: number, generation: number): Promise<StubBlock> {
    const options = { generation };
    const { trampolines } = await this.#connection.request(
      indirection.emitTrampolineBlock,
      { trampolineCount: stubCount },
      options,
    );
    const { stubs, pointers } = await this.#connection.request(
      indirection.emitIndirectStubs,
      { owner, stubCount, initialTarget: trampolines, initialStrideBytes: this.info.trampolineBytes },
      options,
    );
    checkInside(this.#runner, stubs, stubCount * this.info.stubBytes, 'code');
    checkInside(this.#runner, trampolines, stubCount * this.info.trampolineBytes, 'code');
    checkInside(this.#runner, pointers, stubCount * this.info.pointerBytes, 'constant');
    return { stubs, pointers, trampolines, count: stubCount };
  }

  async commit(commit: Commit, generation: number): Promise<void> {
    await this.#connection.request(memory.commitMemory, { commit }, { generation });
  }

  async readMemory(address: ExecutorAddr, sizeBytes: number): Promise<Uint8Array> {
    const options = { generation: this.generation };
    const { content } = await this.#connection.request(memory.readMemory, { address, sizeBytes }, options);
    return content;
  }

  /** Addresses in the order asked; 0 for a name the runner does not have. */
  async lookupSymbols(names: readonly string[], generation: number): Promise<ExecutorAddr[]> {
    const found: ExecutorAddr[] = [];
    for (let start = 0; start < names.length; start += symbols.MAX_LOOKUP_NAMES) {
      const batch = names.slice(start, start + symbols.MAX_LOOKUP_NAMES);
      const { addresses } = await this.#connection.request(
        symbols.lookupSymbols,
        { names: batch },
        { generation },
      );
      if (addresses.length !== batch.length)
        throw new ProtocolError(`${addresses.length} addresses for ${batch.length} names`);
      found.push(...addresses);
    }
    return found;
  }

  call(
    entry: ExecutorAddr,
    block: Uint8Array,
    commit: Commit,
    options: {
      generation: number;
      deadlineMs?: number | undefined;
      signal?: AbortSignal | undefined;
    },
  ): Promise<ResultOf<typeof run.call>> {
    return this.#connection.request(run.call, { entry, block, commit }, options);
  }

  status(): Promise<ResultOf<typeof session.sessionStatus>> {
    return this.#connection.request(session.sessionStatus, {});
  }

  /** Receives nothing more from the executor until `until` has settled. */
  holdBack(until: Promise<unknown>): Promise<void> {
    return this.#connection.holdBack(until);
  }

  /** Ends the session and its runner, then the connection. Does nothing when the connection is gone. */
  async terminate(): Promise<void> {
    if (this.#connection.isClosed) return;
    await this.#connection.request(session.terminateSession, {}).catch(() => {
      // The executor may close first; either way the session is over.
    });
    this.#connection.close();
  }
}

/** The three parts of a runner's memory must be sane and within reach of each other. */
function checkRunner(runner: RunnerStarted): RunnerStarted {
  const { code, constant, data } = runner.memory;
  const parts = [code, constant, data];
  for (const part of parts)
    if (part.address % 4096n !== 0n || part.address + BigInt(part.sizeBytes) > 1n << 47n)
      throw new ProtocolError(`the executor reports memory at ${formatAddr(part.address)}`);
  const low = parts.reduce((least, part) => (part.address < least ? part.address : least), code.address);
  for (const part of parts)
    if (part.address + BigInt(part.sizeBytes) - low > 0x7fff_ffffn)
      throw new ProtocolError('the executor reports memory that spans more than 2 GiB');
  return runner;
}

function checkInside(runner: RunnerStarted, address: ExecutorAddr, sizeBytes: number, prot: MemProt): void {
  const part = runner.memory[prot];
  if (address < part.address || address + BigInt(sizeBytes) > part.address + BigInt(part.sizeBytes))
    throw new ProtocolError(
      `the executor reserved ${prot} memory at ${formatAddr(address)}, outside its own`,
    );
}
