import {
  type Commit,
  Connection,
  createMemoryTransportPair,
  type FinalizeAction,
  indirection,
  type MemProt,
  memory,
  type ResultOf,
  type RunnerEnd,
  type RunnerStarted,
  run,
  type Segment,
  session,
  symbols,
  type Transport,
} from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ExecutionContext } from 'ava';
import { createHostResources, type HostResources, Session } from '../src/index.js';
import { OPEN, openOn, WANTED } from './open-on.js';

export { OPEN, WANTED };

export type ReenterAnswer = ResultOf<typeof indirection.reenter>;

/** The compiler's end of a session, as tests use it. */
export interface TestCompiler {
  readonly connection: Connection;
  readonly opened: ResultOf<typeof session.openSession>;
  /** The current one. */
  runner: RunnerStarted;
  /** What `reserve` has given out of its memory. */
  readonly usedBytes: Record<MemProt, number>;
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
  opening = OPEN,
): Promise<TestCompiler & { readonly session: Session }> {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far });
  // Teardowns run last first: the connection is closed before this waits.
  t.teardown(() => hosted.ended);
  const compiler = await openOver(t, near, new Connection(near), opening);
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
  opening = OPEN,
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
  const opened = await openOn(connection, opening);
  const compiler: TestCompiler = {
    connection,
    opened,
    runner: opened.runner,
    usedBytes: { code: 0, constant: 0, data: 0 },
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

export function registers(address: ExecutorAddr, section: Uint8Array): FinalizeAction {
  return { action: 'registerEHFrames', address, sizeBytes: section.byteLength };
}

export function deregisters(address: ExecutorAddr, section: Uint8Array): FinalizeAction {
  return { action: 'deregisterEHFrames', address, sizeBytes: section.byteLength };
}

export function invalidates(address: ExecutorAddr, sizeBytes: number): FinalizeAction {
  return { action: 'invalidateInstructionCache', address, sizeBytes };
}

/** Starts another runner, which is the current one then. */
export async function startRunner(compiler: TestCompiler, wanted = WANTED): Promise<RunnerStarted> {
  const { connection, live, usedBytes } = compiler;
  compiler.runner = await connection.request(session.startRunner, wanted);
  live.generation = compiler.runner.generation;
  for (const prot of ['code', 'constant', 'data'] as const) usedBytes[prot] = 0;
  return compiler.runner;
}

/** Pages of the current runner's memory that no test has been given before. */
export function reserve(
  { runner, usedBytes }: TestCompiler,
  prot: MemProt,
  memoryBytes: number,
): ExecutorAddr {
  const address = addrAdd(runner.memory[prot].address, usedBytes[prot]);
  usedBytes[prot] += Math.ceil(memoryBytes / 4096) * 4096;
  return address;
}

/** Puts code into fresh memory. */
export async function load(compiler: TestCompiler, code: Uint8Array<ArrayBuffer>): Promise<ExecutorAddr> {
  const address = reserve(compiler, 'code', code.byteLength);
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
  const block = await connection.request(indirection.emitStubs, { stubCount: 1 }, live);
  return { trampoline: block.trampolines, stub: block.stubs, pointer: block.pointers };
}

/** Waits until `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}
