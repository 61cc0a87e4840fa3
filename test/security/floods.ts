import {
  Connection,
  indirection,
  memory,
  type ParamsOf,
  type RequestType,
  type RunnerStarted,
  run,
  session,
} from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { connectExecutor } from '#compiler/src/executor-client/connect.js';
import { BELL_BYTES, BellKind, CONTROL, RunnerFd } from '#executor/src/native/shared-layout.js';
import { layoutReservation } from '#executor/src/reservation-layout.js';
import { callForEver, doubleIt, writeForEver } from '#executor/test/machine-code.js';

const MIB = 1024 * 1024;
/** A megabyte each: no more than waits at this end. */
export const PARTS_AT_ONCE = 20;
/** Sections of EH frames in one commit, as many as it may have. */
const SECTIONS = 240;
/** Commits of them that find room in what is reserved; later ones are refused. */
const SECTION_COMMITS = 2000;

/** A session without a compiler. */
export interface RawSession {
  readonly connection: Connection;
  /** Where the code of its first runner is. */
  readonly code: ExecutorAddr;
  ask<M extends RequestType>(type: M, params: ParamsOf<M>): ReturnType<Connection['request']>;
  reserve(prot: 'code' | 'data', memoryBytes: number): Promise<ExecutorAddr>;
}

/** Opens one; it ends with its connection. */
export async function openRaw(url: string): Promise<RawSession> {
  const connection = new Connection(await connectExecutor(url));
  connection.onNotification(session.runnerLost, () => {});
  connection.onNotification(session.output, () => {});
  connection.start();
  const opened = await connection.request(session.openSession, { versions: [1], client: 'test' });
  return rawOf(connection, opened.runner);
}

/** The session as it is with its runner. */
async function rawOf(connection: Connection, runner: RunnerStarted): Promise<RawSession> {
  const { generation } = runner;
  const ask: RawSession['ask'] = (type, params) => connection.request(type, params, { generation });
  const { allocator } = await connection.request(memory.createAllocator, {}, { generation });
  const reserve: RawSession['reserve'] = async (prot, memoryBytes) => {
    const params = { allocator, prot, memoryBytes };
    return (await connection.request(memory.reserveMemory, params, { generation })).address;
  };
  return { connection, code: runner.memory.code.address, ask, reserve };
}

/** Puts code into a session. @returns what calls it once. */
export async function addCode(
  raw: RawSession,
  code: Uint8Array,
  block = new Uint8Array(8),
): Promise<() => Promise<unknown>> {
  const entry = await load(raw, code);
  return () => raw.ask(run.call, { entry, block, commit: memory.emptyCommit() });
}

async function load(raw: RawSession, code: Uint8Array): Promise<ExecutorAddr> {
  const entry = await raw.reserve('code', code.byteLength);
  const segment = { address: entry, prot: 'code' as const, content: code, memoryBytes: code.byteLength };
  await raw.ask(memory.commitMemory, commitOf({ segments: [segment] }));
  return entry;
}

/** What a neighbour calls. */
export function addFunction(raw: RawSession): Promise<() => Promise<unknown>> {
  return addCode(raw, doubleIt());
}

/** Gets ready. @returns what sends one request of the flood. */
type Flood = (hostile: RawSession) => Promise<(index: number) => Promise<unknown>>;

const commitOf = (parts: Partial<ReturnType<typeof memory.emptyCommit>>) => ({
  commit: { ...memory.emptyCommit(), ...parts },
});

/** So many calls of code that rings bells without end. */
const RINGING_CALLS = 16;

function bellOf(kind: number): Uint8Array<ArrayBuffer> {
  const bell = new Uint8Array(BELL_BYTES);
  bell[0] = kind;
  return bell;
}

/** A runner's own: what it does, it does in its first calls. */
function byRunner(start: (hostile: RawSession) => Promise<() => Promise<unknown>>, calls = 1): Flood {
  return async (hostile) => {
    const call = await start(hostile);
    return (index) => (index < calls ? call() : new Promise(() => {}));
  };
}

/** Requests that cost a host more than others, by name. */
export const REQUEST_FLOODS: Readonly<Record<string, Flood>> = {
  allocators: async (hostile) => () => hostile.ask(memory.createAllocator, {}),
  owners: async (hostile) => () => hostile.ask(indirection.createIndirectStubsOwner, {}),
  reservations: async (hostile) => () => hostile.reserve('data', 1),
  'memory to clear': async (hostile) => {
    const memoryBytes = 64 * MIB;
    const address = await hostile.reserve('data', memoryBytes);
    const segments = [{ address, prot: 'data' as const, content: new Uint8Array(1), memoryBytes }];
    return () => hostile.ask(memory.commitMemory, commitOf({ segments }));
  },
  'EH frames': async (hostile) => {
    const start = await hostile.reserve('data', 4 * SECTIONS * SECTION_COMMITS);
    return (index) => {
      const registerEHFrames = Array.from({ length: SECTIONS }, (_, i) =>
        addrAdd(start, 4 * (SECTIONS * index + i)),
      );
      return hostile.ask(memory.commitMemory, commitOf({ registerEHFrames }));
    };
  },
  stubs: async (hostile) => {
    const { owner } = (await hostile.ask(indirection.createIndirectStubsOwner, {})) as { owner: number };
    const initialTarget = await hostile.reserve('code', 1);
    return () =>
      hostile.ask(indirection.emitIndirectStubs, {
        owner,
        stubCount: 65_536,
        initialTarget,
        initialStrideBytes: 0,
      });
  },
  maps: async (hostile) => () => hostile.ask(session.runnerMaps, {}),
  'memory to read': async (hostile) => {
    const address = await hostile.reserve('data', MIB);
    return () => hostile.ask(memory.readMemory, { address, sizeBytes: MIB });
  },
  parts: async (hostile) => {
    const address = await hostile.reserve('data', MIB);
    const content = new Uint8Array(MIB);
    return (index) => {
      const segments = [{ address, prot: 'data' as const, content, memoryBytes: MIB }];
      hostile.connection.notify(memory.stageCommit, { segments, pointers: [] }, 1);
      // Never the commit that they are for.
      return index % PARTS_AT_ONCE === PARTS_AT_ONCE - 1
        ? hostile.ask(session.sessionStatus, {})
        : Promise.resolve();
    };
  },
};

/** The same of runners: what they make their host do, without end. */
export const RUNNER_FLOODS: Readonly<Record<string, Flood>> = {
  runners: async (hostile) => () => hostile.ask(session.startRunner, {}),
  'runners that end by an unknown bell': async ({ connection }) => {
    let last: Promise<unknown> = Promise.resolve();
    const again = async () => {
      const raw = await rawOf(connection, await connection.request(session.startRunner, {}));
      const call = await addCode(raw, writeForEver(RunnerFd.doorbell, BELL_BYTES), bellOf(99));
      await call().catch(() => {});
    };
    return () => {
      last = last.then(again);
      return last;
    };
  },
  'HOT bells': byRunner((hostile) => {
    const pending = addrAdd(hostile.code, layoutReservation(4096).control.offset + CONTROL.hotPending);
    return addCode(hostile, writeForEver(RunnerFd.doorbell, BELL_BYTES, pending), bellOf(BellKind.hot));
  }),
  'callback bells': byRunner(async (hostile) => {
    const landing = await load(hostile, Uint8Array.of(0xc3));
    const answer = { outcome: 'landed' as const, landing, commit: memory.emptyCommit() };
    hostile.connection.handle(indirection.reenter, () => answer);
    await hostile.ask(indirection.emitResolverBlock, {});
    const trampolines = (await hostile.ask(indirection.emitTrampolineBlock, {
      trampolineCount: RINGING_CALLS,
    })) as { trampolines: ExecutorAddr };
    const calls = await Promise.all(
      Array.from({ length: RINGING_CALLS }, (_, i) =>
        addCode(hostile, callForEver(addrAdd(trampolines.trampolines, 8 * i))),
      ),
    );
    return () => Promise.all(calls.map((call) => call()));
  }),
  output: byRunner((hostile) => addCode(hostile, writeForEver(1, 1))),
};
