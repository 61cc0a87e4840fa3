/*
 * What Node does with an exception that leaves a handler is to end the process. Here each handler of a session or a
 * runner throws once, while a neighbour on the same host works on.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createMemoryTransportPair,
  hostFunctions,
  indirection,
  observation,
  run,
  session,
  symbols,
  type Transport,
} from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import WebSocket from 'ws';
import { GUARDED_EVENTS, type GuardedEvent } from '../src/guard.js';
import {
  createHostResources,
  type ExecutorEvent,
  type HostResources,
  Server,
  Session,
} from '../src/index.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { RunnerPool } from '../src/runner-pool.js';
import { CountedUsers } from './counted-users.js';
import { hostileRunner } from './hostile-runner-path.js';
import {
  callDouble as callDoubleCode,
  callHost,
  spin,
  storeConstant,
  writeBlockRepeatedly,
} from './machine-code.js';
import {
  callDouble,
  commitOf,
  emitStub,
  load,
  lookup,
  openOver,
  openSession,
  reserve,
  type TestCompiler,
  until,
} from './session-fixture.js';

const directory = mkdtempSync(join(tmpdir(), 'farjit-handlers-'));
test.after.always(() => rmSync(directory, { recursive: true }));

const INJECTED = 'injected by the test';

/** Counts reservations that have been taken and not released. */
class CountedReservations extends ReservationPool {
  count = 0;
  override take(): ReturnType<ReservationPool['take']> {
    const taken = super.take();
    this.count++;
    const release = taken.release.bind(taken);
    let isReleased = false;
    taken.release = () => {
      if (!isReleased) this.count--;
      isReleased = true;
      release();
    };
    return taken;
  }
}

interface Victim {
  readonly host: HostResources;
  /** The event throws the next time, once. */
  readonly arm: () => void;
  readonly hasThrown: () => boolean;
  readonly processIds: number[];
  /** Opens a session as the compiler sees it; undefined where that fails. */
  open(options?: VictimOptions): Promise<Opened>;
}

interface VictimOptions {
  readonly timeToLiveMs?: number;
  readonly runnerPath?: string;
}

interface Opened extends TestCompiler {
  readonly session: Session;
  readonly near: Transport;
}

/** How each event comes about. */
const PROVOKE: Readonly<Record<GuardedEvent, (victim: Victim, t: ExecutionContext) => Promise<unknown>>> = {
  'runner.start-timeout': async ({ arm, open }) => {
    arm();
    await settled(open({ runnerPath: script('says-nothing', '#!/bin/sh\nexec sleep 60\n', 0o755) }));
  },
  'runner.exit': endOfRunner,
  'runner.doorbell-close': endOfRunner,
  'session.runner-lost': endOfRunner,
  'runner.end-timeout': async ({ arm, open }) => {
    const compiler = await open({ runnerPath: hostileRunner(directory, 'doorbell closed') });
    arm();
    await settled(callOnce(compiler));
  },
  'runner.bells': async ({ arm, open }) => {
    const compiler = await open();
    const entry = await load(compiler, storeConstant(1n));
    arm();
    await settled(callDouble(compiler, entry));
  },
  'runner.output': output,
  'runner.output-resume': output,
  'runner.input': async ({ arm, open }) => {
    const compiler = await open();
    const { connection, live } = compiler;
    const main = await load(compiler, spin());
    const environment = reserve(compiler, 'data', 8);
    const program = {
      ...{ main, argumentCount: 0, arguments: environment, environment },
      ...{ hasInput: true, lineBuffered: true },
    };
    const ended = connection.request(run.runProgram, { ...program, commit: commitOf() }, live);
    arm();
    connection.notify(run.programInput, { content: new Uint8Array(1), isLast: false }, live.generation);
    await settled(ended);
  },
  'runner.look': async ({ arm, open, hasThrown }) => {
    await open();
    arm();
    await until(hasThrown);
  },
  'runner.work-timeout': async ({ arm, open }) => {
    const { connection, live } = await open({ runnerPath: hostileRunner(directory, 'silent') });
    arm();
    await settled(connection.request(symbols.lookupSymbols, { names: ['sin'] }, live));
  },
  'runner.hot': async ({ arm, open }) => {
    const compiler = await open({ runnerPath: hostileRunner(directory, 'a million hot counters') });
    compiler.connection.onNotification(indirection.functionsHot, () => {});
    reserve(compiler, 'data', 4 * 4096);
    arm();
    await settled(callOnce(compiler));
  },
  'call.begin': async ({ arm, open }) => {
    const compiler = await open();
    const entry = await load(compiler, storeConstant(1n));
    arm();
    await settled(callDouble(compiler, entry));
  },
  'call.deadline': async ({ arm, open }) => {
    const compiler = await open();
    const entry = await load(compiler, spin());
    arm();
    const params = { entry, block: new Uint8Array(8), commit: commitOf() };
    await settled(compiler.connection.request(run.call, params, { ...compiler.live, deadlineMs: 50 }));
  },
  'call.abort': async ({ arm, open }) => {
    const compiler = await open();
    const entry = await load(compiler, spin());
    arm();
    const params = { entry, block: new Uint8Array(8), commit: commitOf() };
    const signal = AbortSignal.timeout(50);
    await settled(compiler.connection.request(run.call, params, { ...compiler.live, signal }));
  },
  'callback.answer': async ({ arm, open }) => {
    const compiler = await open();
    const { stub } = await emitStub(compiler);
    const entry = await load(compiler, callDoubleCode(stub));
    arm();
    await settled(callDouble(compiler, entry));
  },
  'host-call.answer': async ({ arm, open }) => {
    const compiler = await open();
    const entry = await load(compiler, callHost(compiler.runner.callHostFunction ?? 0n, 7n, 0));
    const functions = [{ number: 7, result: 'double' as const, parameters: [] }];
    compiler.connection.notify(hostFunctions.giveHostFunctions, { functions }, compiler.live.generation);
    arm();
    await settled(callDouble(compiler, entry));
  },
  'session.message': async ({ arm, open }) => {
    const { connection } = await open();
    arm();
    await settled(connection.request(session.sessionStatus, {}));
  },
  'session.close': async ({ arm, open }) => {
    const { near } = await open();
    arm();
    near.close(1000, 'done');
  },
  'session.lost': async ({ arm, open }) => {
    const { near } = await open({ timeToLiveMs: 50 });
    arm();
    near.close(1006, '');
  },
  'session.ttl': async ({ arm, open, hasThrown }) => {
    const { near } = await open({ timeToLiveMs: 50 });
    arm();
    near.close(1006, '');
    await until(hasThrown);
  },
  'session.resume': async ({ arm, open }) => {
    const opened = await open({ timeToLiveMs: 10_000 });
    opened.near.close(1006, '');
    await until(() => opened.session.connection.link.isBroken);
    arm();
    opened.session.resume(createMemoryTransportPair()[1], opened.connection.link.receivedCount);
  },
  'session.unopened': async ({ arm, host }) => {
    arm();
    const [, far] = createMemoryTransportPair();
    await new Session({ host, transport: far, unopenedMs: 20 }).ended;
  },
  'session.observe': async ({ arm, open }) => {
    const { connection } = await open();
    arm();
    await settled(connection.request(observation.observe, { isWanted: true }, {}));
  },
  'session.drain': async ({ arm, open }) => {
    const opened = await open();
    arm();
    opened.session.drain();
  },
  // Needs a server: below.
  upgrade: () => Promise.resolve(),
};

for (const event of GUARDED_EVENTS.filter((name) => name !== 'upgrade'))
  test(`a handler throws, and only its own session or runner ends: ${event}`, async (t) => {
    const users = new CountedUsers();
    const reservations = new CountedReservations(layoutReservation(4096));
    const shared = { ...createHostResources(), users, reservations };
    const host = { ...shared, runners: new RunnerPool(shared, 0) };
    const faults: Extract<ExecutorEvent, { type: 'internal-fault' }>[] = [];
    host.events.subscribe((happened) => {
      if (happened.type === 'internal-fault') faults.push(happened);
    });
    const neighbour = await startNeighbour(t, host);
    const victim = makeVictim(t, host, event);
    await PROVOKE[event](victim, t);
    await until(victim.hasThrown);
    await victim.close();

    t.deepEqual(
      faults.map(({ place }) => place),
      [event],
      'one fault, told once',
    );
    t.regex(String(faults[0]?.error), new RegExp(INJECTED));
    for (const processId of victim.processIds) await until(() => isGone(processId));
    // The neighbour's own.
    t.is(users.count, 1);
    t.is(reservations.count, 1);
    await neighbour.stop();
  });

test('a handler throws, and only its own socket is closed: upgrade', async (t) => {
  let armed = false;
  const probe = (event: GuardedEvent) => {
    if (!armed || event !== 'upgrade') return;
    armed = false;
    throw new Error(INJECTED);
  };
  const server = new Server({ probe });
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const connect = () => {
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${server.token}` } });
    return new Promise<string>((resolve) => {
      socket.once('open', () => {
        socket.close();
        resolve('open');
      });
      socket.once('error', () => resolve('error'));
    });
  };
  armed = true;
  t.is(await connect(), 'error');
  t.is(await connect(), 'open');
  await until(() => server.sessions.size === 0);
});

test('the end of a session is the end, whatever else is thrown on the way', async (t) => {
  const host = createHostResources();
  const neighbour = await startNeighbour(t, host);
  const opened = await openSession(t, host);
  const { runner } = opened.session;
  // Closing fails as well.
  opened.session.connection.close = () => {
    throw new Error('closing fails, too');
  };
  const { emitWarning } = process;
  process.emitWarning = () => {};
  t.teardown(() => {
    process.emitWarning = emitWarning;
  });
  opened.session.resume(undefined as unknown as Transport, 0);
  await opened.session.ended;
  await until(() => isGone(runner?.processId ?? 0));
  await neighbour.stop();
});

function makeVictim(t: ExecutionContext, shared: HostResources, event: GuardedEvent) {
  let isArmed = false;
  let hasThrown = false;
  const probe = (happened: GuardedEvent) => {
    if (!isArmed || hasThrown || happened !== event) return;
    hasThrown = true;
    throw new Error(INJECTED);
  };
  const sessions: Session[] = [];
  const processIds: number[] = [];
  const hostWith = (runnerPath: string): HostResources => {
    const resources = { ...shared, runnerPath, probe };
    return { ...resources, runners: new RunnerPool(resources, 0) };
  };
  return {
    host: hostWith(shared.runnerPath),
    arm: () => {
      isArmed = true;
    },
    hasThrown: () => hasThrown,
    processIds,
    open: async ({ timeToLiveMs, runnerPath = shared.runnerPath }: VictimOptions = {}): Promise<Opened> => {
      const [near, far] = createMemoryTransportPair();
      const hosted = new Session({
        host: hostWith(runnerPath),
        transport: far,
        ...(timeToLiveMs && { timeToLiveMs }),
      });
      sessions.push(hosted);
      const compiler = await openOver(t, near);
      processIds.push(compiler.opened.runner.processId);
      return Object.assign(compiler, { session: hosted, near });
    },
    close: async () => {
      await Promise.all(sessions.map((hosted) => hosted.close('the test is over')));
      await Promise.all(sessions.map((hosted) => hosted.ended));
    },
  };
}

/** A session that calls without end; `stop` fails when one call did, and waits for one that began after it was asked. */
async function startNeighbour(t: ExecutionContext, host: HostResources) {
  const compiler = await openSession(t, host);
  const entry = await load(compiler, storeConstant(0x4045_0000_0000_0000n));
  let isStopping = false;
  let calls = 0;
  const working = (async () => {
    do {
      t.is(await callDouble(compiler, entry), 42);
      calls++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    } while (!isStopping);
    t.is(await callDouble(compiler, entry), 42);
  })();
  return {
    stop: async () => {
      isStopping = true;
      await working;
      t.true(calls > 0);
      t.is(compiler.lost.length, 0);
    },
  };
}

async function endOfRunner({ arm, open }: Victim): Promise<void> {
  const opened = await open();
  arm();
  opened.session.runner?.kill({ kind: 'cancelled' });
}

async function output({ arm, open }: Victim): Promise<void> {
  const compiler = await open();
  const write = await lookup(compiler, 'write');
  const entry = await load(compiler, writeBlockRepeatedly(write, 32 * 1024, 64));
  arm();
  const params = { entry, block: new Uint8Array(32 * 1024), commit: commitOf() };
  await settled(compiler.connection.request(run.call, params, compiler.live));
}

function callOnce({ connection, live }: TestCompiler) {
  const params = { entry: toExecutorAddr(0x1000n), block: Uint8Array.of(5), commit: commitOf() };
  return connection.request(run.call, params, live);
}

/** What it comes to does not matter. */
async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => {});
}

function script(name: string, content: string, mode: number): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function isGone(processId: number): boolean {
  try {
    return !process.kill(processId, 0);
  } catch {
    return true;
  }
}
