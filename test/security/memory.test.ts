import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type KaleidoscopeJIT, RunnerLostError } from '@farjit/compiler';
import type { RunnerEnd } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { startExecutor } from '../executor-process.js';
import { parseAssembly } from '../ir-module.js';
import { evaluateAll, openJIT } from '../jit-fixture.js';
import { descriptorTargets } from '../proc.js';

const MIB = 1024 ** 2;
const LIMIT_BYTES = 64 * MIB;
/** What is held may be so much when the host has had time to look, and for so long at the most. */
const ALLOWED_BYTES = 80 * MIB;
/** 200 ms on a machine that has nothing else to do; this is for those on which the host waits for its turn. */
const ALLOWED_MS = 2000;
const ASKED_BYTES = 1024 * MIB;
/** Its rights take tens of milliseconds to change. */
const CONTENDED_BYTES = 512 * MIB;
/** Not too much by itself: what is beside it is. */
const BESIDE_BYTES = 54 * MIB;
/** Half a minute and more was waited, when all looks at memory took turns. */
const CONTENDED_MS = 5000;
const GLOBAL_BYTES = 48 * MIB;
const SAMPLE_MS = 5;
/** What the kernel keeps for a mapping and a thread, on this machine about. */
const MAPPING_BYTES = 320;
const THREAD_BYTES = 24 * 1024;

const LIMIT_END: RunnerEnd = { kind: 'limit', limit: { name: 'memory', value: LIMIT_BYTES } };
const HELD_UP_END: RunnerEnd = {
  kind: 'fault',
  message: 'it holds up who counts its mappings, which hides them',
};
const HIDING_END: RunnerEnd = {
  kind: 'fault',
  message: 'its first thread has ended, which hides what it uses',
};

/** Beyond any wait on a busy machine, and short of those for a runner's lock of its memory. */
const MAX_WAIT_MS = 3000;

const at = (path: string) => fileURLToPath(new URL(path, import.meta.resolve('@farjit/executor')));
const LIBRARY = at('../runner/memory-tricks.so');

const assembly = (trick: string) => `
declare i64 @farjit_trick_${trick}(i64)
define i64 @run(i64 %bytes) {
  %got = call i64 @farjit_trick_${trick}(i64 %bytes)
  ret i64 %got
}`;

const DROPPED = `
declare i64 @farjit_trick_dropped(i8*, i64, i64)
@global = global [${GLOBAL_BYTES} x i8] zeroinitializer
define i64 @run(i64 %bytes) {
  %start = getelementptr [${GLOBAL_BYTES} x i8], [${GLOBAL_BYTES} x i8]* @global, i64 0, i64 0
  %got = call i64 @farjit_trick_dropped(i8* %start, i64 ${GLOBAL_BYTES}, i64 %bytes)
  ret i64 %got
}`;

test.before(() => {
  const sources = at('../../runner');
  execFileSync('flock', [sources, 'make', '-C', sources, 'test-driver']);
});

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** What a runner holds, added up from what the kernel says of its threads, its maps and its host's memfds. */
function heldBytes(processId: number, hostId: number): number {
  const threads = readdirSync(`/proc/${processId}/task`);
  const statuses = threads.map((thread) => text(`/proc/${processId}/task/${thread}/status`));
  const status = statuses.find((each) => each.includes('RssAnon')) ?? '';
  const bytes = (name: string) => 1024 * Number(new RegExp(`\\n${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  const mappings = text(`/proc/${processId}/maps`).split('\n').length;
  return (
    bytes('RssAnon') +
    bytes('VmSwap') +
    bytes('VmPTE') +
    memfdBytes(hostId) +
    MAPPING_BYTES * mappings +
    THREAD_BYTES * threads.length
  );
}

/** Of a host with one session. */
function memfdBytes(hostId: number): number {
  const isMemfd = descriptorTargets(hostId).map((target) => target.includes('memfd:farjit'));
  const files = readdirSync(`/proc/${hostId}/fd`).filter((_, index) => isMemfd[index]);
  return files.reduce((sum, file) => sum + 512 * statSync(`/proc/${hostId}/fd/${file}`).blocks, 0);
}

/** Samples until `stop`: the most that was held, and for how long more than is allowed was. */
function observe(t: ExecutionContext, processId: number, hostId: number) {
  let mostBytes = 0;
  let overMs = 0;
  let overSinceMs: number | undefined;
  const timer = setInterval(() => {
    let bytes = 0;
    try {
      bytes = heldBytes(processId, hostId);
    } catch {
      // It is gone.
    }
    mostBytes = Math.max(mostBytes, bytes);
    const nowMs = performance.now();
    overSinceMs = bytes > ALLOWED_BYTES ? (overSinceMs ?? nowMs) : nowMs;
    overMs = Math.max(overMs, nowMs - overSinceMs);
  }, SAMPLE_MS);
  t.teardown(() => clearInterval(timer));
  return () => {
    clearInterval(timer);
    return { mostBytes, overMs };
  };
}

async function open(t: ExecutionContext, code: string) {
  const args = ['--limit', `memory=${LIMIT_BYTES}`, '--preload', LIBRARY];
  const { child, url } = await startExecutor(t, undefined, args);
  const { jit } = await openJIT(t, { executor: { url } });
  await jit.addModule(parseAssembly(code));
  const stop = observe(t, jit.runner.processId, child.pid ?? 0);
  return { jit, stop };
}

function check(t: ExecutionContext, { mostBytes, overMs }: { mostBytes: number; overMs: number }): void {
  t.log(`at most ${Math.round(mostBytes / MIB)} MiB, more than allowed for ${Math.round(overMs)} ms`);
  t.true(overMs <= ALLOWED_MS, `${overMs} ms`);
}

/** A new runner serves the next call. */
async function stillWorks(t: ExecutionContext, jit: KaleidoscopeJIT): Promise<void> {
  t.deepEqual(await evaluateAll(jit, '1 + 1;'), [2]);
}

const ENDED: readonly [what: string, code: string, bytes: number, end: RunnerEnd][] = [
  ['memory that is made read-only, which is not data', assembly('read_only'), ASKED_BYTES, LIMIT_END],
  ['memory, after the first thread has ended', assembly('leader_exit'), ASKED_BYTES, HIDING_END],
  ['memory, behind a name that says there is none', assembly('name'), ASKED_BYTES, LIMIT_END],
  ['65,000 mappings beside memory', assembly('mappings'), BESIDE_BYTES, LIMIT_END],
  ['page tables beside memory', assembly('page_tables'), BESIDE_BYTES, LIMIT_END],
  ['session memory that is mapped no more', DROPPED, BESIDE_BYTES, LIMIT_END],
  ['stacks of threads in the kernel beside memory', assembly('kernel_stacks'), BESIDE_BYTES, LIMIT_END],
];

for (const [what, code, bytes, end] of ENDED)
  test.serial(`memory=64M ends who holds too much: ${what}`, async (t) => {
    const { jit, stop } = await open(t, code);
    const run = await jit.lookup('run');
    const error = await t.throwsAsync(run(BigInt(bytes)), { instanceOf: RunnerLostError });
    check(t, stop());
    t.deepEqual(error?.end, end);
    await stillWorks(t, jit);
  });

test.serial('memory=64M ends who holds too much: a thread that waits until no call runs', async (t) => {
  const { jit, stop } = await open(t, assembly('later'));
  const ends: RunnerEnd[] = [];
  const lost = new Promise<void>((resolve) => {
    jit.subscribe((event) => {
      if (event.type !== 'runner-lost') return;
      ends.push(event.end);
      resolve();
    });
  });
  t.is(await (await jit.lookup('run'))(BigInt(ASKED_BYTES)), 1n);
  await lost;
  check(t, stop());
  t.deepEqual(ends, [LIMIT_END]);
  await stillWorks(t, jit);
});

for (const [what, trick, most] of [
  ['memory that is shared', 'shared', 0n],
  ['memory that grows downwards', 'stack_map', 0n],
  ['more than a thousand signals that wait', 'signals', 1024n],
] as const)
  test.serial(`the kernel refuses a runner ${what}`, async (t) => {
    const { jit, stop } = await open(t, assembly(trick));
    const got = await (await jit.lookup('run'))(BigInt(ASKED_BYTES));
    check(t, stop());
    t.true(typeof got === 'bigint' && got <= most, String(got));
    t.is(jit.runner.generation, 1);
  });

test.serial("the first thread's stack grows to a mebibyte, and no further", async (t) => {
  const { jit, stop } = await open(t, assembly('first_stack'));
  const error = await t.throwsAsync((await jit.lookup('run'))(BigInt(ASKED_BYTES)), {
    code: 'EXECUTION_TRAP',
  });
  const { mostBytes, overMs } = stop();
  check(t, { mostBytes, overMs });
  t.true(mostBytes < LIMIT_BYTES, error?.message);
  await stillWorks(t, jit);
});

test.serial('who holds the lock of its memory holds up neither its host nor its neighbour', async (t) => {
  const { child, url } = await startExecutor(t, undefined, ['--preload', LIBRARY]);
  const [{ jit }, { jit: neighbour }] = [
    await openJIT(t, { executor: { url } }),
    await openJIT(t, { executor: { url } }),
  ];
  await jit.addModule(parseAssembly(assembly('contention')));
  const run = await jit.lookup('run');
  await neighbour.addSource('def same(x) x;');
  const same = await neighbour.lookup('same');
  let isOver = false;
  // It is ended where it holds the lock for long enough, and returns on faster machines.
  const ended = run(BigInt(CONTENDED_BYTES)).then(
    () => 'returned',
    (error: unknown) => (error instanceof RunnerLostError ? error.end : error),
  );
  const over = ended.finally(() => {
    isOver = true;
  });
  let longestMs = 0;
  let calls = 0;
  for (; !isOver; calls++) {
    const startMs = performance.now();
    t.is(await same(calls), calls);
    longestMs = Math.max(longestMs, performance.now() - startMs);
  }
  const end = await over;
  t.log(`${calls} calls, the longest ${Math.round(longestMs)} ms; then`, end);
  t.true(longestMs < MAX_WAIT_MS, `${longestMs} ms`);
  t.true(end === 'returned' || isDeepStrictEqual(end, HELD_UP_END), JSON.stringify(end));
  t.is(child.exitCode, null);
  await stillWorks(t, jit);
});

test.serial(
  'who has its memory looked at while it holds the lock keeps no neighbour waiting for its own',
  async (t) => {
    const { url } = await startExecutor(t);
    const [{ jit }, { jit: neighbour }] = [
      await openJIT(t, { executor: { url } }),
      await openJIT(t, { executor: { url } }),
    ];
    const looks = { seen: 0 };
    const signature = 'void(ptr)';
    jit.define({
      look: {
        signature,
        call: async (run, address) => {
          await run.readBytes(address, 8);
          looks.seen++;
        },
      },
    });
    await jit.addC(`
    #include <pthread.h>
    #include <string.h>
    #include <sys/mman.h>
    void look(void *);
    enum { SIZE = 400 << 20, HOLDERS = 60, LOOKERS = 50, STACK_BYTES = 65536 };
    static void *memory;
    static void *hold(void *_) {
      for (;;) {
        mprotect(memory, SIZE, PROT_READ);
        mprotect(memory, SIZE, PROT_READ | PROT_WRITE);
      }
    }
    static void *flood(void *_) { long place; for (;;) look(&place); }
    void contend(void) {
      memory = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      memset(memory, 1, SIZE);
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      pthread_attr_setstacksize(&attributes, STACK_BYTES);
      pthread_t thread;
      for (int i = 0; i < LOOKERS; i++) pthread_create(&thread, &attributes, flood, 0);
      for (int i = 0; i < HOLDERS; i++) pthread_create(&thread, &attributes, hold, 0);
      flood(0);
    }
  `);
    neighbour.define({
      look: {
        signature,
        call: async (run, address) => run.write(address, await run.readBytes(address, 8)),
      },
    });
    await neighbour.addC('void look(void *); void own(void) { long place; look(&place); }');
    const contend = await jit.lookup('contend', 'void()');
    const own = await neighbour.lookup('own', 'void()');
    await own();
    const controller = new AbortController();
    const call = contend.call([], { signal: controller.signal });
    let early: unknown;
    call.catch((error: unknown) => {
      early = error;
    });
    const ended = t.throwsAsync(call);
    while (looks.seen < 3) {
      if (early) throw early;
      await delay(5);
    }
    let longestMs = 0;
    const endMs = performance.now() + CONTENDED_MS;
    for (let startMs = performance.now(); startMs < endMs; startMs = performance.now()) {
      await own();
      longestMs = Math.max(longestMs, performance.now() - startMs);
    }
    t.log(`the longest ${Math.round(longestMs)} ms, beside ${looks.seen} looks`);
    t.true(longestMs < MAX_WAIT_MS, `${longestMs} ms`);
    controller.abort();
    await ended;
  },
);
