import { readFileSync } from 'node:fs';
import {
  Connection,
  indirection,
  memory,
  type ParamsOf,
  type RequestType,
  run,
  session,
} from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { connectExecutor } from '#compiler/src/executor-client/connect.js';
import { doubleIt } from '#executor/test/machine-code.js';
import { socketUrl, startExecutor } from '../executor-process.js';

const MIB = 1024 * 1024;
/** Requests of one flood. */
const COUNT = process.env.FARJIT_SECURITY === 'long' ? 200_000 : 2000;
/** As many as may be under way. */
const AT_ONCE = 1000;
/** A megabyte each: no more than waits at this end. */
const PARTS_AT_ONCE = 20;
/** What one session may make its host keep, whatever it asks for. */
const SESSION_BOUND_BYTES = 128 * MIB;

/** A session without a compiler. */
interface Raw {
  readonly connection: Connection;
  ask<M extends RequestType>(type: M, params: ParamsOf<M>): ReturnType<Connection['request']>;
  reserve(prot: 'code' | 'data', memoryBytes: number): Promise<ExecutorAddr>;
}

async function openRaw(t: ExecutionContext, url: string): Promise<Raw> {
  const connection = new Connection(await connectExecutor(url));
  t.teardown(() => connection.close());
  connection.onNotification(session.runnerLost, () => {});
  connection.onNotification(session.output, () => {});
  connection.start();
  const opened = await connection.request(session.openSession, { versions: [1], client: 'test' });
  const { generation } = opened.runner;
  const ask: Raw['ask'] = (type, params) => connection.request(type, params, { generation });
  const { allocator } = await connection.request(memory.createAllocator, {}, { generation });
  const reserve: Raw['reserve'] = async (prot, memoryBytes) => {
    const params = { allocator, prot, memoryBytes };
    return (await connection.request(memory.reserveMemory, params, { generation })).address;
  };
  return { connection, ask, reserve };
}

/** A neighbour that calls a function, one call after the other. */
async function openNeighbour(t: ExecutionContext, url: string) {
  const neighbour = await openRaw(t, url);
  const code = doubleIt();
  const entry = await neighbour.reserve('code', code.byteLength);
  const segment = { address: entry, prot: 'code' as const, content: code, memoryBytes: code.byteLength };
  const commit = { ...memory.emptyCommit(), segments: [segment] };
  await neighbour.ask(memory.commitMemory, { commit });
  return () => neighbour.ask(run.call, { entry, block: new Uint8Array(8), commit: memory.emptyCommit() });
}

function anonymousBytes(processId: number): number {
  const status = readFileSync(`/proc/${processId}/status`, 'latin1');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

type Flood = (hostile: Raw) => Promise<(index: number) => Promise<unknown>>;

const commitOf = (parts: Partial<ReturnType<typeof memory.emptyCommit>>) => ({
  commit: { ...memory.emptyCommit(), ...parts },
});

const FLOODS: Readonly<Record<string, Flood>> = {
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
    const start = await hostile.reserve('data', 4 * 240 * COUNT);
    return (index) => {
      const registerEHFrames = Array.from({ length: 240 }, (_, i) => addrAdd(start, 4 * (240 * index + i)));
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

for (const [what, flood] of Object.entries(FLOODS))
  test.serial(
    `a flood of requests leaves neighbours their turn and the host its memory: ${what}`,
    async (t) => {
      const { url, child } = await startExecutor(t, socketUrl(t));
      const processId = child.pid ?? 0;
      const call = await openNeighbour(t, url);
      const hostile = await openRaw(t, url);
      const ask = await flood(hostile);
      await call();
      const beforeBytes = anonymousBytes(processId);

      let isOver = false;
      let calls = 0;
      let callsAtHalf = 0;
      const neighbour = (async () => {
        for (; !isOver; calls++) await call();
      })();
      let mostBytes = 0;
      const refusals = new Set<string>();
      const [count, atOnce] = what === 'parts' ? [COUNT / 10, PARTS_AT_ONCE] : [COUNT, AT_ONCE];
      for (let done = 0; done < count && !hostile.connection.isClosed; done += atOnce) {
        const batch = Array.from({ length: Math.min(atOnce, count - done) }, (_, i) => ask(done + i));
        for (const result of await Promise.allSettled(batch))
          if (result.status === 'rejected') refusals.add((result.reason as { code: string }).code);
        mostBytes = Math.max(mostBytes, anonymousBytes(processId) - beforeBytes);
        if (callsAtHalf === 0) callsAtHalf = calls;
      }
      isOver = true;
      await neighbour;
      t.log(`${calls} calls meanwhile, ${Math.ceil(mostBytes / MIB)} MiB, ${[...refusals]}`);
      t.true(callsAtHalf > 0, 'the neighbour is served before the first requests are all answered');
      t.true(mostBytes < SESSION_BOUND_BYTES, `${mostBytes} bytes`);
      t.true(
        [...refusals].every((code) =>
          ['LIMIT_EXCEEDED', 'CONNECTION_CLOSED', 'STALE_GENERATION', 'RUNNER_LOST'].includes(code),
        ),
        `${[...refusals]}`,
      );
    },
  );
