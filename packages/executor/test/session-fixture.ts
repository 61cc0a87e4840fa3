import {
  type Commit,
  Connection,
  createMemoryTransportPair,
  indirection,
  type MemProt,
  memory,
  type ResultOf,
  type RunnerEnd,
  run,
  type Segment,
  session,
  symbols,
  type Transport,
} from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ExecutionContext } from 'ava';
import { createHostResources, type HostResources, Session } from '../src/index.js';

export type ReenterAnswer = ResultOf<typeof indirection.reenter>;

/** The compiler's end of a session, as tests use it. */
export interface TestCompiler {
  readonly connection: Connection;
  readonly opened: ResultOf<typeof session.openSession>;
  /** Envelope of requests to the runner of the current generation. */
  readonly live: { generation: number };
  /** What happened, in order: output, answers that the test records, lost runners. */
  readonly events: string[];
  readonly lost: { generation: number; end: RunnerEnd }[];
  /** Answers `reenter` requests; a test sets it. */
  onReenter: (trampoline: ExecutorAddr) => Promise<ReenterAnswer>;
  readonly reenterCount: () => number;
}

/** A session over an in-memory channel, with the host's half in this process. */
export async function openSession(
  t: ExecutionContext,
  host: HostResources = createHostResources(),
): Promise<TestCompiler & { readonly session: Session }> {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far });
  // Teardowns run last first: the connection is closed before this waits.
  t.teardown(() => hosted.ended);
  const compiler = await openOver(t, near);
  return Object.assign(compiler, { session: hosted });
}

/**
 * Opens a session over a transport; it is closed when the test ends.
 * @param connection over that transport, when it is to be another than usual.
 */
export async function openOver(
  t: ExecutionContext,
  transport: Transport,
  connection = new Connection(transport),
): Promise<TestCompiler> {
  const events: string[] = [];
  const lost: TestCompiler['lost'] = [];
  let reenterCount = 0;
  connection.onNotification(session.output, ({ stream, content }) => {
    events.push(`${stream}: ${Buffer.from(content).toString()}`);
  });
  connection.onNotification(session.runnerLost, ({ generation, end }) => {
    events.push(`lost ${generation}`);
    lost.push({ generation, end });
  });
  connection.handle(indirection.reenter, async ({ trampoline }) => {
    reenterCount++;
    return compiler.onReenter(trampoline);
  });
  connection.start();
  t.teardown(() => connection.close());
  const opened = await connection.request(session.openSession, { versions: [1], client: 'test' });
  const compiler: TestCompiler = {
    connection,
    opened,
    live: { generation: opened.runner.generation },
    events,
    lost,
    onReenter: async () => ({ outcome: 'failed', token: 1, message: 'no test answers this' }),
    reenterCount: () => reenterCount,
  };
  return compiler;
}

export function commitOf(parts: Partial<Commit> = {}): Commit {
  return { ...memory.emptyCommit(), ...parts };
}

export function segmentOf(address: ExecutorAddr, prot: MemProt, content: Uint8Array<ArrayBuffer>): Segment {
  return { address, prot, content, memoryBytes: content.byteLength };
}

/** Reserves memory in an allocator of its own. */
export async function reserve(
  { connection, live }: TestCompiler,
  prot: MemProt,
  memoryBytes: number,
): Promise<ExecutorAddr> {
  const { allocator } = await connection.request(memory.createAllocator, {}, live);
  const reserved = await connection.request(memory.reserveMemory, { allocator, prot, memoryBytes }, live);
  return reserved.address;
}

/** Puts code into fresh memory. */
export async function load(compiler: TestCompiler, code: Uint8Array<ArrayBuffer>): Promise<ExecutorAddr> {
  const address = await reserve(compiler, 'code', code.byteLength);
  const commit = commitOf({ segments: [segmentOf(address, 'code', code)] });
  await compiler.connection.request(memory.commitMemory, { commit }, compiler.live);
  return address;
}

/** Calls `entry` with a block that holds one double, and answers the double that is there afterwards. */
export async function callDouble(
  { connection, live }: TestCompiler,
  entry: ExecutorAddr,
  argument = 0,
): Promise<number> {
  const block = Buffer.alloc(8);
  block.writeDoubleLE(argument);
  const result = await connection.request(run.call, { entry, block, commit: commitOf() }, live);
  return Buffer.from(result.block).readDoubleLE();
}

export async function lookup({ connection, live }: TestCompiler, name: string): Promise<ExecutorAddr> {
  const { addresses } = await connection.request(symbols.lookupSymbols, { names: [name] }, live);
  const [address] = addresses;
  if (!address) throw new Error(`the runner has no ${name}`);
  return address;
}

/** One stub and the trampoline it points at. */
export async function emitStub({ connection, live }: TestCompiler) {
  const { owner } = await connection.request(indirection.createIndirectStubsOwner, {}, live);
  const { trampolines } = await connection.request(
    indirection.emitTrampolineBlock,
    { trampolineCount: 1 },
    live,
  );
  const { stubs, pointers } = await connection.request(
    indirection.emitIndirectStubs,
    { owner, stubCount: 1, initialTarget: trampolines, initialStrideBytes: 8 },
    live,
  );
  return { owner, trampoline: trampolines, stub: stubs, pointer: pointers };
}

/** Waits until `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}
