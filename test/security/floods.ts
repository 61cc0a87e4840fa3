import {
  Connection,
  hostFunctions,
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
import { callForEver, callHostForEver, doubleIt, writeForEver } from '#executor/test/machine-code.js';
import { OPEN, openOn, WANTED } from '#executor/test/open-on.js';

const MIB = 1024 * 1024;
/** A megabyte each: no more than waits at this end. */
export const PARTS_AT_ONCE = 20;
/** Sections of EH frames in one commit, as many as it may have. */
const SECTIONS = memory.MAX_FINALIZE_ACTIONS;

/** A session without a compiler. */
export interface RawSession {
  readonly connection: Connection;
  readonly runner: RunnerStarted;
  ask<M extends RequestType>(type: M, params: ParamsOf<M>): ReturnType<Connection['request']>;
  /** Code memory that has not been given out before. */
  allotCode(sizeBytes: number): ExecutorAddr;
}

/** Opens one; it ends with its connection. */
export async function openRaw(url: string): Promise<RawSession> {
  const connection = new Connection(await connectExecutor(url));
  connection.onNotification(session.runnerLost, () => {});
  connection.onNotification(session.output, () => {});
  connection.start();
  const { runner } = await openOn(connection, { ...OPEN, runner: { ...WANTED, stubCount: RINGING_CALLS } });
  return rawOf(connection, runner);
}

/** The session as it is with its runner. */
function rawOf(connection: Connection, runner: RunnerStarted): RawSession {
  const { generation } = runner;
  let usedBytes = 0;
  return {
    connection,
    runner,
    ask: (type, params) => connection.request(type, params, { generation }),
    allotCode: (sizeBytes) => {
      const address = addrAdd(runner.memory.code.address, usedBytes);
      usedBytes += Math.ceil(sizeBytes / 64) * 64;
      return address;
    },
  };
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
  const entry = raw.allotCode(code.byteLength);
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
  'memory to clear': async (hostile) => {
    const memoryBytes = 64 * MIB;
    const { address } = hostile.runner.memory.data;
    const segments = [{ address, prot: 'data' as const, content: new Uint8Array(1), memoryBytes }];
    return () => hostile.ask(memory.commitMemory, commitOf({ segments }));
  },
  'EH frames': async (hostile) => {
    const { address } = hostile.runner.memory.data;
    return (index) => {
      // They come, and go again.
      const action = index % 2 === 0 ? ('registerEHFrames' as const) : ('deregisterEHFrames' as const);
      const actions = Array.from({ length: SECTIONS }, (_, i) => ({
        action,
        address: addrAdd(address, 4 * i),
        sizeBytes: 4,
      }));
      return hostile.ask(memory.commitMemory, commitOf({ actions }));
    };
  },
  stubs: async (hostile) => () => hostile.ask(indirection.emitStubs, { stubCount: 16_384 }),
  maps: async (hostile) => () => hostile.ask(session.runnerMaps, {}),
  'memory to read': async (hostile) => {
    const { address } = hostile.runner.memory.data;
    return () => hostile.ask(memory.readMemory, { address, sizeBytes: MIB });
  },
  parts: async (hostile) => {
    const { address } = hostile.runner.memory.data;
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
  runners: async (hostile) => () => hostile.ask(session.startRunner, WANTED),
  'runners that end by an unknown bell': async ({ connection }) => {
    let last: Promise<unknown> = Promise.resolve();
    const again = async () => {
      const raw = rawOf(connection, await connection.request(session.startRunner, WANTED));
      const call = await addCode(raw, writeForEver(RunnerFd.doorbell, BELL_BYTES), bellOf(99));
      await call().catch(() => {});
    };
    return () => {
      last = last.then(again);
      return last;
    };
  },
  'HOT bells': byRunner((hostile) => {
    const pending = addrAdd(
      hostile.runner.memory.code.address,
      layoutReservation(4096).control.offset + CONTROL.hotPending,
    );
    return addCode(hostile, writeForEver(RunnerFd.doorbell, BELL_BYTES, pending), bellOf(BellKind.hot));
  }),
  'callback bells': byRunner(async (hostile) => {
    const landing = await load(hostile, Uint8Array.of(0xc3));
    const answer = { outcome: 'landed' as const, landing, commit: memory.emptyCommit() };
    hostile.connection.handle(indirection.reenter, () => answer);
    const { trampolines } = hostile.runner.stubs;
    const calls = await Promise.all(
      Array.from({ length: RINGING_CALLS }, (_, i) =>
        addCode(hostile, callForEver(addrAdd(trampolines, 8 * i))),
      ),
    );
    return () => Promise.all(calls.map((call) => call()));
  }),
  'calls of a function of the compiler’s': byRunner(async (hostile) => {
    hostile.connection.handle(hostFunctions.callHost, () => ({ outcome: 'returned' as const, value: 0n }));
    const functions = [{ number: 1, result: 'void' as const, parameters: [] }];
    const { generation, callHostFunction = 0n } = hostile.runner;
    hostile.connection.notify(hostFunctions.giveHostFunctions, { functions }, generation);
    const calls = await Promise.all(
      Array.from({ length: RINGING_CALLS }, () => addCode(hostile, callHostForEver(callHostFunction, 1n))),
    );
    return () => Promise.all(calls.map((call) => call()));
  }),
  output: byRunner((hostile) => addCode(hostile, writeForEver(1, 1))),
};
