import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { type Affinity, SharedCore } from '../../src/executor-client/shared-core.js';
import type { SessionEvent } from '../../src/session/events.js';

const ALL = Buffer.from([0b1111]);
const COMPILER = 10;
const HOST = 20;
const RUNNER = 30;

/** A machine of four cores; its caller runs on core 2. */
class FakeMachine implements Affinity {
  /** Threads of each process, and the cores each may use. */
  readonly threads = new Map([
    [COMPILER, [10, 11]],
    [HOST, [20, 21]],
    [RUNNER, [30, 31]],
  ]);
  readonly cores = new Map<number, Buffer>();
  refused = new Set<number>();
  sets = 0;

  currentCore(): number {
    return 2;
  }
  threadsOf(processId: number): number[] {
    return this.threads.get(processId) ?? [];
  }
  ownCores(): Buffer {
    return ALL;
  }
  setCores(threadId: number, cores: Buffer): boolean {
    this.sets++;
    if (this.refused.has(threadId)) return false;
    this.cores.set(threadId, cores);
    return true;
  }
  setCore(threadId: number, core: number): boolean {
    return this.setCores(threadId, Buffer.from([1 << core]));
  }

  /** Threads that may not run everywhere. */
  get bound(): number[] {
    return [...this.cores].filter(([, cores]) => !cores.equals(ALL)).map(([threadId]) => threadId);
  }
}

function callback(handlingMs = 0.2, outcome: 'landed' | 'failed' = 'landed'): SessionEvent {
  return { type: 'callback', name: 'f', handlingMs, outcome };
}

const compiled: SessionEvent = {
  type: 'compiled',
  unit: 'f',
  kind: 'function',
  objectBytes: 1,
  timings: { irgenMs: 0, bitcodeMs: 0, parseMs: 0, passesMs: 0, emitMs: 0 },
};

async function make(machine: FakeMachine): Promise<{ core: SharedCore; loads: () => number }> {
  let loads = 0;
  const processes = { compilerId: COMPILER, hostId: HOST, runnerId: () => RUNNER };
  const core = new SharedCore(processes, async () => {
    loads++;
    return machine;
  });
  return { core, loads: () => loads };
}

async function callbacks(core: SharedCore, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    core.note(callback());
    await Promise.resolve();
  }
}

test('quick callbacks in a row put the three on the core of the compiler, helpers of the Nodes aside', async (t) => {
  const machine = new FakeMachine();
  const { core, loads } = await make(machine);
  await callbacks(core, 15);
  t.is(loads(), 0);
  t.is(machine.sets, 0);
  await callbacks(core, 40);
  t.is(loads(), 1);
  t.true(core.isPlaced);
  t.deepEqual(machine.bound, [10, 20, 30, 31]);
  t.deepEqual(machine.cores.get(30), Buffer.from([0b100]));
  t.is(machine.sets, 4, 'once, not with each callback');
  core.release();
  t.deepEqual(machine.bound, []);
});

test('threads made meanwhile are let go too', async (t) => {
  const machine = new FakeMachine();
  const { core } = await make(machine);
  await callbacks(core, 40);
  machine.threads.set(RUNNER, [30, 31, 32]);
  machine.setCore(32, 2);
  core.release();
  t.deepEqual(machine.bound, []);
});

const ENDS: readonly (readonly [string, SessionEvent])[] = [
  ['a callback that took long', callback(3)],
  ['a callback that failed', callback(0.1, 'failed')],
  ['a compilation', compiled],
  [
    'the end of the runner',
    { type: 'runner-lost', generation: 1, end: { kind: 'signal', signal: 'SIGKILL' } },
  ],
];

for (const [what, event] of ENDS) {
  test(`${what} takes it back, and the counting begins anew`, async (t) => {
    const machine = new FakeMachine();
    const { core } = await make(machine);
    await callbacks(core, 40);
    t.true(core.isPlaced);
    core.note(event);
    t.false(core.isPlaced);
    t.deepEqual(machine.bound, []);
    await callbacks(core, 15);
    t.false(core.isPlaced);
    await callbacks(core, 1);
    t.true(core.isPlaced);
    core.release();
  });
}

test('it is taken back when no callback comes, and then nothing is done any more', async (t) => {
  const machine = new FakeMachine();
  const { core } = await make(machine);
  await callbacks(core, 40);
  t.true(core.isPlaced);
  // Its timer does not keep a process alive; ours does.
  while (core.isPlaced) await sleep(5);
  t.deepEqual(machine.bound, []);
  const { sets } = machine;
  await sleep(60);
  t.is(machine.sets, sets);
});

test('a program with threads of its own is left alone', async (t) => {
  const machine = new FakeMachine();
  machine.threads.set(RUNNER, [30, 31, 32]);
  const { core } = await make(machine);
  await callbacks(core, 100);
  t.is(machine.sets, 0);
});

test('where a thread may not be moved, none is, and it is not tried again', async (t) => {
  const machine = new FakeMachine();
  machine.refused.add(30);
  const { core } = await make(machine);
  await callbacks(core, 40);
  t.false(core.isPlaced);
  t.deepEqual(machine.bound, []);
  const { sets } = machine;
  await callbacks(core, 100);
  t.is(machine.sets, sets);
});

test('where affinity cannot be set at all, callbacks go on', async (t) => {
  const processes = { compilerId: COMPILER, hostId: HOST, runnerId: () => RUNNER };
  const core = new SharedCore(processes, () => Promise.reject(new Error('no libc')));
  await callbacks(core, 100);
  t.false(core.isPlaced);
});
