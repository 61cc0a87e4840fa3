// More than 400 lines: cases that share what stands before them, each by itself.

import { setTimeout as delay } from 'node:timers/promises';
import {
  Connection,
  createMemoryTransportPair,
  FEATURE_NAMES,
  indirection,
  MAX_UNOPENED_MS,
  memory,
  run,
  session,
  symbols,
} from '@farjit/protocol';
import test from 'ava';
import { Account, type MeteredRunner } from '../src/accounts.js';
import { LOCAL_IDENTITY } from '../src/identity.js';
import { createHostResources, type HostResources, Session } from '../src/index.js';
import { LiveRunner } from '../src/live-runner.js';
import { copyFrom, storeConstant, storeTo } from './machine-code.js';
import {
  callDouble,
  commitOf,
  invalidates,
  load,
  lookup,
  OPEN,
  openOver,
  openSession,
  reserve,
  segmentOf,
  startRunner,
  until,
  WANTED,
} from './session-fixture.js';

const host = createHostResources();
/** 1.0 as a double. */
const ONE = 0x3ff0_0000_0000_0000n;

function connect() {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far });
  const connection = new Connection(near);
  connection.start();
  return { hosted, connection };
}

/** Lines of `/proc/<pid>/maps` whose memory is both writable and executable. */
function writableAndExecutable(maps: string): string[] {
  return maps.split('\n').filter((line) => /^\S+ .w.?x/.test(line) || /^\S+ r?wx/.test(line));
}

test('opening describes the executor and its runner', async (t) => {
  const { opened } = await openSession(t, host);
  t.is(opened.version, 2);
  t.is(opened.info.triple, 'x86_64-unknown-linux-gnu');
  t.is(opened.info.pointerBytes, 8);
  t.is(opened.info.pageBytes, 4096);
  t.deepEqual(opened.features, FEATURE_NAMES);
  const { generation, memory: parts, stubs, confinement } = opened.runner;
  t.is(generation, 1);
  // Stubs and trampolines lie between the compiler's code and its constants, and their pointers behind those.
  t.is<bigint, bigint>(stubs.stubs, parts.code.address + BigInt(parts.code.sizeBytes));
  t.true(stubs.trampolines > stubs.stubs && parts.constant.address > stubs.trampolines);
  t.is<bigint, bigint>(stubs.pointers, parts.constant.address + BigInt(parts.constant.sizeBytes) + 8n);
  t.true(parts.data.address > stubs.pointers);
  t.is(stubs.count, 1);
  t.like(confinement, { noNewPrivileges: true, seccomp: true, dumpable: false });
  t.is(confinement.ownUser, process.getuid?.() === 0);
});

test('a version that is not spoken is refused with both sides named', async (t) => {
  const { connection, hosted } = connect();
  const error = await t.throwsAsync(
    connection.request(session.openSession, { ...OPEN, versions: [998, 999] }),
    { code: 'VERSION_MISMATCH' },
  );
  t.regex(
    error?.message ?? '',
    /speaks version 2 of the protocol, the compiler versions 998 to 999: use releases/,
  );
  const opened = await connection.request(session.openSession, { ...OPEN, versions: [999, 1] });
  t.is(opened.version, 2);
  connection.close();
  await hosted.ended;
});

test('nothing else is answered before openSession, and that only once', async (t) => {
  const { connection, hosted } = connect();
  const refused = { code: 'METHOD_NOT_ALLOWED' };
  await t.throwsAsync(connection.request(session.terminateSession, {}), refused);
  await t.throwsAsync(connection.request(session.startRunner, WANTED), refused);
  await t.throwsAsync(connection.request(memory.commitMemory, { commit: commitOf() }), refused);
  const opening = connection.request(session.openSession, OPEN);
  await t.throwsAsync(connection.request(session.openSession, OPEN), refused);
  await opening;
  await t.throwsAsync(connection.request(session.openSession, OPEN), refused);
  connection.close();
  await hosted.ended;
});

test('before the session is open, too many frames or too large ones close the connection', async (t) => {
  const many = connect();
  const refused = { code: 'METHOD_NOT_ALLOWED' };
  for (let i = 0; i < 32; i++)
    await t.throwsAsync(many.connection.request(session.terminateSession, {}), refused);
  // A slow machine may take more than the second that counts, but not ten.
  const more = Array.from({ length: 330 }, () => many.connection.request(session.terminateSession, {}));
  t.true((await Promise.allSettled(more)).some(({ status }) => status === 'rejected'));
  t.regex((await many.connection.closed).message, /1008: more than 32 frames in a second/);

  const large = connect();
  const client = 'x'.repeat(65_536);
  await t.throwsAsync(large.connection.request(session.openSession, { ...OPEN, client }));
  t.regex((await large.connection.closed).message, /1009: a frame of \d+ bytes before the session is open/);
  await Promise.all([many.hosted.ended, large.hosted.ended]);
});

test('once the session is open, frames may be many and large', async (t) => {
  const { connection, live } = await openSession(t, host);
  const requests = Array.from({ length: 100 }, () => connection.request(session.sessionStatus, {}));
  await t.notThrowsAsync(Promise.all(requests));
  const names = Array.from({ length: 40 }, (_, i) => `${'x'.repeat(4000)}${i}`);
  await t.notThrowsAsync(connection.request(symbols.lookupSymbols, { names }, live));
});

test('terminating ends the runner and refuses what follows', async (t) => {
  const { connection, opened, session: hosted } = await openSession(t, host);
  const pid = opened.runner.processId;
  t.notThrows(() => process.kill(pid, 0));
  await connection.request(session.terminateSession, {});
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  t.is(hosted.runner, undefined);
  await t.throwsAsync(connection.request(session.terminateSession, {}), { code: 'METHOD_NOT_ALLOWED' });
});

test('closing the connection ends the runner', async (t) => {
  const { connection, opened, session: hosted } = await openSession(t, host);
  connection.close();
  await hosted.ended;
  t.throws(() => process.kill(opened.runner.processId, 0), { code: 'ESRCH' });
});

test('a connection that is lost before the session is open is not waited for', async (t) => {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far, timeToLiveMs: 60_000 });
  near.close(1006, 'gone');
  await hosted.ended;
  t.regex((await hosted.connection.closed).message, /1006: gone/);
});

test('closing the connection while the session opens leaves no runner', async (t) => {
  const { connection, hosted } = connect();
  const opening = connection.request(session.openSession, OPEN);
  await Promise.resolve();
  connection.close();
  await t.throwsAsync(opening, { code: 'CONNECTION_CLOSED' });
  await hosted.ended;
  t.is(hosted.runner, undefined);
});

test('a session that is closed while it opens is not opened any more', async (t) => {
  const { connection, hosted } = connect();
  const events: string[] = [];
  host.events.subscribe((event) => {
    if ('session' in event && event.session === hosted) events.push(event.type);
  });
  const opening = connection.request(session.openSession, OPEN);
  // The runner is being started.
  await new Promise((resolve) => setImmediate(resolve));
  await hosted.close('over');
  await t.throwsAsync(opening, { code: 'CONNECTION_CLOSED' });
  // All that was waited for is there by now.
  await until(() => events.includes('runner-ended'));
  await new Promise((resolve) => setImmediate(resolve));
  t.false(events.includes('session-opened'));
  t.false(events.includes('session-closed'));
  t.is(hosted.runner, undefined);
});

/** A session whose runner starts with it. */
function connectAhead(ahead: HostResources = host) {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host: ahead, transport: far, startAhead: true });
  const connection = new Connection(near);
  connection.start();
  const open = () => connection.request(session.openSession, OPEN);
  return { hosted, connection, open };
}

test('a runner that was started ahead is the one that the session opens with', async (t) => {
  const { hosted, connection, open } = connectAhead();
  await until(() => hosted.runner !== undefined);
  const { processId } = hosted.runner ?? {};
  const { runner } = await open();
  t.deepEqual([runner.processId, runner.generation], [processId, 1]);
  connection.close();
  await hosted.ended;
});

test('a runner that was started ahead and has ended since is replaced', async (t) => {
  const { hosted, connection, open } = connectAhead();
  await until(() => hosted.runner !== undefined);
  process.kill(hosted.runner?.processId ?? 0, 'SIGKILL');
  await until(() => hosted.runner === undefined);
  const { runner } = await open();
  t.is(runner.generation, 2);
  connection.close();
  await hosted.ended;
});

test('closing the connection before the session is opened leaves no runner that was started ahead', async (t) => {
  const { hosted, connection } = connectAhead();
  connection.close();
  await hosted.ended;
  t.is(hosted.runner, undefined);
});

test('a runner that cannot be started ahead is refused when the session is opened', async (t) => {
  const { hosted, connection, open } = connectAhead(
    createHostResources({ runnerPath: '/nonexistent/runner' }),
  );
  for (let attempt = 0; attempt < 2; attempt++)
    await t.throwsAsync(open(), { code: 'RUNNER_START_FAILED', message: /there is no runner/ });
  connection.close();
  await hosted.ended;
});

test('a runner that cannot be started is refused with words, and opening may be tried again', async (t) => {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({
    host: createHostResources({ runnerPath: '/nonexistent/runner' }),
    transport: far,
  });
  const connection = new Connection(near);
  connection.start();
  for (let attempt = 0; attempt < 2; attempt++)
    await t.throwsAsync(connection.request(session.openSession, OPEN), {
      code: 'RUNNER_START_FAILED',
      message: /there is no runner at \/nonexistent\/runner/,
    });
  connection.close();
  await hosted.ended;
});

test('a peer that asks for no session in time is told so, and one that does keeps it', async (t) => {
  t.is(MAX_UNOPENED_MS, 30_000);
  const unopenedMs = 500;
  const [near, far] = createMemoryTransportPair();
  const closed = new Promise((resolve) => near.start({ onMessage: () => {}, onClose: resolve }));
  const silent = new Session({ host, transport: far, unopenedMs });
  const [nearOpened, farOpened] = createMemoryTransportPair();
  const opened = new Session({ host, transport: farOpened, unopenedMs: 2 * unopenedMs });
  t.teardown(() => opened.ended);
  const { connection } = await openOver(t, nearOpened);
  t.like(await closed, { code: 1008, reason: 'no session was opened within 0.5 s' });
  await silent.ended;
  await delay(3 * unopenedMs);
  await t.notThrowsAsync(connection.request(session.sessionStatus, {}));
});

test('a program that is no runner is refused', async (t) => {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host: createHostResources({ runnerPath: '/bin/false' }), transport: far });
  const connection = new Connection(near);
  connection.start();
  await t.throwsAsync(connection.request(session.openSession, OPEN), {
    code: 'RUNNER_START_FAILED',
    message: /exit\(1\)/,
  });
  connection.close();
  await hosted.ended;
});

test('nothing in the runner is writable and executable', async (t) => {
  const { connection, opened } = await openSession(t, host);
  const { maps } = await connection.request(session.runnerMaps, {});
  t.deepEqual(writableAndExecutable(maps), []);
  const line = (address: bigint) => maps.split('\n').find((text) => text.startsWith(address.toString(16)));
  const { code, constant, data } = opened.runner.memory;
  t.regex(line(code.address) ?? '', / r-xs .*farjit-sealed/);
  t.regex(line(constant.address) ?? '', / r--s .*farjit-sealed/);
  const [, controlStart] = /^(\S+)-\S+ rw-s .*farjit-shared/m.exec(maps) ?? [];
  const control = BigInt(`0x${controlStart}`);
  t.true(control > constant.address && control < data.address);
  // The check would notice one.
  const bad = '7f0000000000-7f0000001000 rwxp 00000000 00:00 0';
  t.deepEqual(writableAndExecutable(`${maps}\n${bad}`), [bad]);
});

test('a runner that is just dying has no maps', async (t) => {
  for (let round = 0; round < 3; round++) {
    const { connection, opened, lost } = await openSession(t, host);
    process.kill(opened.runner.processId, 'SIGKILL');
    while (lost.length === 0)
      await t.notThrowsAsync(connection.request(session.runnerMaps, {}), `round ${round}`);
    t.is((await connection.request(session.runnerMaps, {})).maps, '');
  }
});

test("JIT'd code cannot write its code or constants", async (t) => {
  for (const prot of ['code', 'constant'] as const) {
    const compiler = await openSession(t, host);
    const target = reserve(compiler, prot, 8);
    const entry = await load(compiler, storeTo(target));
    const error = await t.throwsAsync(callDouble(compiler, entry), { code: 'RUNNER_LOST' });
    t.like(error, { data: { end: { kind: 'trap', trap: { signal: 'SIGSEGV', faultAddress: target } } } });
  }
});

test('memory is read back, and the runner sees what is committed', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const data = reserve(compiler, 'data', 8);
  const double = Buffer.alloc(8);
  double.writeDoubleLE(42.5);
  const commit = commitOf({ segments: [segmentOf(data, 'data', Uint8Array.from(double))] });
  await connection.request(memory.commitMemory, { commit }, live);
  const { content } = await connection.request(memory.readMemory, { address: data, sizeBytes: 8 }, live);
  t.is(Buffer.from(content).readDoubleLE(), 42.5);
  t.is(await callDouble(compiler, await load(compiler, copyFrom(data))), 42.5);
});

test('symbols of the runner are found in the order asked, 0 for unknown ones', async (t) => {
  const compiler = await openSession(t, host);
  const sin = await lookup(compiler, 'sin');
  const names = ['nosuchsymbol', 'sin', 'putchard', 'printd', 'sin'];
  const { addresses } = await compiler.connection.request(symbols.lookupSymbols, { names }, compiler.live);
  t.is<bigint | undefined, bigint>(addresses[0], 0n);
  t.is(addresses[1], sin);
  t.is(addresses[4], sin);
  t.not(addresses[2], 0n);
  t.not(addresses[3], addresses[2]);
});

test('a lookup of more than the control area holds is done in pieces', async (t) => {
  const compiler = await openSession(t, host);
  const names = Array.from({ length: 100 }, (_, index) =>
    index % 10 === 9 ? 'cos' : 'x'.repeat(4000) + index,
  );
  const { addresses } = await compiler.connection.request(symbols.lookupSymbols, { names }, compiler.live);
  const cos = await lookup(compiler, 'cos');
  t.deepEqual(
    addresses,
    names.map((name) => (name === 'cos' ? cos : 0n)),
  );
});

test('lookups and commits at the same time each get their own answer', async (t) => {
  const compiler = await openSession(t, host);
  const constant = reserve(compiler, 'constant', 4096);
  const code = reserve(compiler, 'code', 4096);
  const sync = commitOf({ actions: [invalidates(code, 4096)] });
  const [sin, , cos, , tan] = await Promise.all([
    lookup(compiler, 'sin'),
    compiler.connection.request(memory.commitMemory, { commit: sync }, compiler.live),
    lookup(compiler, 'cos'),
    compiler.connection.request(memory.commitMemory, { commit: sync }, compiler.live),
    lookup(compiler, 'tan'),
  ]);
  t.is(new Set([sin, cos, tan]).size, 3);
  t.is(sin, await lookup(compiler, 'sin'));
  t.truthy(constant);
});

test('a runner that has answered a lookup is not ended later for not having answered it', async (t) => {
  const compiler = await openSession(t, host);
  const address = await lookup(compiler, 'malloc');
  // Longer than a lookup may take.
  await delay(5500);
  t.deepEqual(compiler.lost, []);
  t.is(await lookup(compiler, 'malloc'), address);
});

test('messages of another generation are refused', async (t) => {
  const compiler = await openSession(t, host);
  const { connection } = compiler;
  const entry = await load(compiler, storeConstant(1n));
  for (const generation of [0, 2]) {
    const options = { generation };
    const stale = (method: string) => ({
      code: 'STALE_GENERATION',
      message: `${method} is for generation ${generation}, the runner is generation 1`,
    });
    await t.throwsAsync(
      connection.request(memory.commitMemory, { commit: commitOf() }, options),
      stale('commitMemory'),
    );
    await t.throwsAsync(
      connection.request(memory.readMemory, { address: entry, sizeBytes: 1 }, options),
      stale('readMemory'),
    );
    await t.throwsAsync(
      connection.request(indirection.emitStubs, { stubCount: 1 }, options),
      stale('emitStubs'),
    );
    await t.throwsAsync(
      connection.request(run.call, { entry, block: new Uint8Array(8), commit: commitOf() }, options),
      stale('call'),
    );
  }
});

test('after a runner is gone a new one has the next generation', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, opened, lost } = compiler;
  const entry = await load(compiler, storeConstant(ONE));
  t.is(await callDouble(compiler, entry), 1);
  process.kill(opened.runner.processId, 'SIGKILL');
  await until(() => lost.length === 1);
  t.deepEqual(lost, [{ generation: 1, end: { kind: 'signal', signal: 'SIGKILL' } }]);
  const gone = { code: 'STALE_GENERATION', message: 'call: the runner of generation 1 is gone' };
  // Whatever generation it speaks of, the one that is gone is told.
  for (const generation of [0, 1, 2])
    await t.throwsAsync(callDouble({ ...compiler, live: { generation } }, entry), gone);
  const status = await connection.request(session.sessionStatus, {});
  t.like(status, { generation: 1, processId: 0, callsInFlight: 0, commitsApplied: 1 });
  t.deepEqual(await connection.request(session.runnerMaps, {}), { maps: '' });

  const runner = await startRunner(compiler);
  t.is(runner.generation, 2);
  t.not(runner.processId, opened.runner.processId);
  const old = { ...compiler, live: { generation: 1 } };
  await t.throwsAsync(callDouble(old, entry), {
    code: 'STALE_GENERATION',
    message: 'call is for generation 1, the runner is generation 2',
  });
  t.is(await callDouble(compiler, await load(compiler, storeConstant(ONE))), 1);
  const after = await connection.request(session.sessionStatus, {});
  t.like(after, { generation: 2, commitsApplied: 2, callsStarted: 2 });
});

test('of a runner that is gone, however it has ended, the kernel says what it has used', async (t) => {
  const used: (number | undefined)[] = [];
  class NotingAccount extends Account {
    override forget(runner: MeteredRunner, cpuSeconds: number | undefined): void {
      if (runner instanceof LiveRunner) used.push(cpuSeconds);
      super.forget(runner, cpuSeconds);
    }
  }
  const account = new NotingAccount(LOCAL_IDENTITY, () => performance.now());
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far, account });
  const { connection, opened, lost } = await openOver(t, near);
  process.kill(opened.runner.processId, 'SIGKILL');
  await until(() => lost.length === 1);
  await connection.request(session.startRunner, WANTED);
  await connection.request(session.terminateSession, {});
  connection.close();
  await hosted.ended;
  t.is(used.length, 2);
  for (const seconds of used) t.true(seconds !== undefined && seconds > 0 && seconds < 5, String(seconds));
});

test('a runner that is still there is ended before the next starts, and one start at a time', async (t) => {
  const compiler = await openSession(t, host);
  const { opened, lost } = compiler;
  const both = await Promise.allSettled([startRunner(compiler), startRunner(compiler)]);
  const started = both.flatMap((result) => (result.status === 'fulfilled' ? result.value.generation : []));
  const refused = both.flatMap((result) => (result.status === 'rejected' ? result.reason.code : []));
  // On a busy machine the second comes when the first has been answered, and replaces its runner.
  t.deepEqual(started, [2, 3].slice(0, started.length));
  t.deepEqual(refused, ['METHOD_NOT_ALLOWED'].slice(started.length - 1));
  t.deepEqual(
    lost.map(({ generation, end }) => [generation, end.kind]),
    started.map((generation) => [generation - 1, 'fault']),
  );
  t.throws(() => process.kill(opened.runner.processId, 0), { code: 'ESRCH' });
  t.is(await callDouble(compiler, await load(compiler, storeConstant(ONE))), 1);
});

test('a session that is closed while it opens stays closed, and its runner goes', async (t) => {
  const host = createHostResources();
  const events: string[] = [];
  const processIds: number[] = [];
  host.events.subscribe((event) => {
    events.push(event.type);
    if (event.type === 'runner-started') processIds.push(event.processId);
  });
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far });
  const connection = new Connection(near);
  connection.start();
  const opening = connection.request(session.openSession, OPEN);
  const rejected = t.throwsAsync(opening);
  await new Promise((resolve) => setImmediate(resolve));
  connection.close();
  await rejected;
  await hosted.ended;
  t.is(hosted.runner, undefined);
  t.false(hosted.canResume(0));
  t.false(events.includes('session-opened'));
  t.is(processIds.length, 1);
  for (const processId of processIds) t.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
});
