import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { JIT, JITPool, KaleidoscopeJIT } from '@farjit/compiler';
import { AbortError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import anyTest, { type ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { socketUrl } from './executor-process.js';
import { eventually, holdCompilations, openJIT } from './jit-fixture.js';
import { openPool } from './pool-fixture.js';
import { startServer } from './server-fixture.js';

const test = anyTest;

/** Something that takes a signal, and does not end before that is aborted. */
interface Work {
  run(signal: AbortSignal): Promise<unknown>;
  /** Waits until it is in the middle of it; half of a time-out unless given. */
  underWay?(): Promise<unknown>;
}

const TIMEOUT_MS = 300;

/** That a signal which is aborted before, in the middle, or by a time-out ends work with an error that says so. */
async function checkAborted(t: ExecutionContext, what: string, work: Work): Promise<void> {
  const check = (error: unknown, reason: unknown) => {
    if (!(error instanceof AbortError)) return t.fail(`${what}: ${String(error)}`);
    t.is(error.name, 'AbortError', what);
    t.is(error.code, 'CANCELLED', what);
    t.is(error.cause, reason, what);
  };
  const reasonOf = (working: Promise<unknown>) =>
    working.then(
      () => undefined,
      (error: unknown) => error,
    );
  const reason = new Error('enough');
  check(await reasonOf(work.run(AbortSignal.abort(reason))), reason);

  const controller = new AbortController();
  const rejected = reasonOf(work.run(controller.signal));
  await Promise.race([work.underWay?.() ?? delay(TIMEOUT_MS / 2), rejected]);
  controller.abort(reason);
  check(await rejected, reason);

  const late = AbortSignal.timeout(TIMEOUT_MS);
  check(await reasonOf(work.run(late)), late.reason);
  t.is((late.reason as Error).name, 'TimeoutError');
}

// Of LLVM 14, which others read as bitcode.
const ENDLESS = `
define void @forever() {
entry:
  br label %again
again:
  br label %again
}
define i32 @count(i32 %n) {
  call void @forever()
  ret i32 %n
}
define i32 @main(i32 %argc, i8** %argv) {
  call void @forever()
  ret i32 0
}
`;
const INITIALIZER =
  '@llvm.global_ctors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 1, void ()* @hook, i8* null }]';
const FINALIZER =
  '@llvm.global_dtors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 1, void ()* @hook, i8* null }]';
const hooked = (list: string) =>
  `${list}\ndefine void @hook() {\nentry:\n  br label %again\nagain:\n  br label %again\n}\n`;

test('every call of a JIT is ended by its signal, and the JIT goes on', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def spin(x) for i = 0, 1 in x; def twice(x) 2 * x;');
  await jit.addIR(assemble(ENDLESS));
  const initialized = jit.createDylib('initialized');
  await initialized.addIR(assemble(hooked(INITIALIZER)));
  const finalized = jit.createDylib('finalized');
  await finalized.addIR(assemble(hooked(FINALIZER)));
  const program = jit.createDylib('program');
  program.addToLinkOrder(initialized);
  await program.addIR('define i32 @main() {\n  ret i32 0\n}');
  const spin = await jit.lookup('spin');
  const addressOf = async (name: string) => (await jit.findSymbol(name))?.address ?? toExecutorAddr(0n);
  const underWay = () =>
    eventually(async () => (await jit.executorStatus()).callsInFlight > 0, 'it runs in the executor');
  const evaluate = async (signal: AbortSignal) => {
    const [result] = await jit.addSource('spin(1);', { signal });
    if (result?.status === 'rejected') throw result.reason;
  };
  const works: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
    'a callable': (signal) => spin.call([1], { signal }),
    applyToColumns: (signal) => jit.applyToColumns('spin', [Float64Array.of(1)], { signal }),
    callVoid: async (signal) => jit.callVoid(await addressOf('forever'), { signal }),
    callIntInt: async (signal) => jit.callIntInt(await addressOf('count'), 1, { signal }),
    callMain: async (signal) => jit.callMain(await addressOf('main'), ['main'], { signal }),
    'an expression': evaluate,
    initialize: (signal) => initialized.initialize({ signal }),
    deinitialize: async (signal) => {
      await finalized.initialize();
      await finalized.deinitialize({ signal });
    },
    runProgram: (signal) => jit.runProgram({ signal }),
    'a program with initialisers': (signal) => program.runProgram({ signal }),
  };
  const twice = await jit.lookup('twice');
  for (const [what, run] of Object.entries(works)) {
    await checkAborted(t, what, { run, underWay });
    t.is(await twice(4), 8, what);
  }
});

test('one signal ends many calls, each with the same reason', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def spin(x) for i = 0, 1 in x; def twice(x) 2 * x;');
  const spin = await jit.lookup('spin');
  const controller = new AbortController();
  // More than the executor runs side by side: some wait there.
  const calls = Array.from({ length: 80 }, (_, index) => spin.call([index], { signal: controller.signal }));
  const results = Promise.allSettled(calls);
  await eventually(async () => (await jit.executorStatus()).callsInFlight >= 64, 'they run');
  controller.abort('enough');
  for (const result of await results) {
    if (result.status === 'fulfilled' || !(result.reason instanceof AbortError)) return t.fail();
    t.is(result.reason.cause, 'enough');
  }
  t.is(await (await jit.lookup('twice'))(4), 8);
});

test('what is compiled for ever is not waited for when its signal is aborted, and leaves nothing behind', async (t) => {
  let isHeld = false;
  const { open, transforms } = holdCompilations(() => isHeld);
  const jit = await JIT.create({ transforms });
  t.teardown(() => jit.close());
  t.teardown(open);
  await jit.addIR('define double @twice(double %x) {\n  %y = fmul double %x, 2.0\n  ret double %y\n}');
  await jit.addIR(
    assemble('define i8* @last(i8* %x, i64 %i) {\n  %y = getelementptr i8, i8* %x, i64 %i\n  ret i8* %y\n}'),
  );
  await jit.addIR('define i32 @main() {\n  ret i32 0\n}');
  const initialized = jit.createDylib('initialized');
  await initialized.addIR(assemble(hooked(INITIALIZER).replace('br label %again\n}', 'ret void\n}')));
  const twice = await jit.lookup('twice');
  const last = await jit.lookup('last', 'ptr(ptr, i64)');
  t.is(await twice(1), 2);
  const before = jit.allocatedBytes;
  const { generation } = await jit.executorStatus();
  isHeld = true;
  for (const [what, run] of Object.entries({
    // Its wrapper is compiled first.
    'a callable': (signal: AbortSignal) => last.call([new Uint8Array(1000), 0n], { signal }),
    applyToColumns: (signal: AbortSignal) => jit.applyToColumns('twice', [Float64Array.of(1)], { signal }),
    runProgram: (signal: AbortSignal) => jit.runProgram({ signal, eager: true }),
    initialize: (signal: AbortSignal) => initialized.initialize({ signal }),
  })) {
    await checkAborted(t, what, { run });
    t.is(await twice(4), 8, what);
  }
  t.is((await jit.executorStatus()).generation, generation, 'no runner was ended');
  open();
  isHeld = false;
  t.truthy(await last(new Uint8Array(1000), 0n));
  t.deepEqual(await jit.applyToColumns('twice', [Float64Array.of(1)]), Float64Array.of(2));
  await initialized.initialize();
  t.true(jit.allocatedBytes - before < 65_536);
  t.like(await jit.runProgram(), { exitCode: 0 });
});

const hasClang = (() => {
  try {
    execFileSync('clang-14', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
(hasClang ? test : test.skip)('the C compiler is ended by its signal', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-abort-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  // Whoever opens it waits for one who writes to it.
  execFileSync('mkfifo', [join(directory, 'never.h')]);
  const { jit } = await openJIT(t);
  const pool = await openPool(t, ['local']);
  for (const language of ['c', 'c++', 'assembler-with-cpp'] as const)
    await checkAborted(t, language, {
      run: (signal) => jit.addC('#include "never.h"\n', { name: 'never.c', directory, language, signal }),
    });
  await checkAborted(t, 'in a pool', {
    run: (signal) => pool.addC('#include "never.h"\n', { name: 'never.c', directory, signal }),
  });
  for (const one of [jit, pool]) {
    await one.addC('int one(void) { return 1; }');
    t.is(await (await one.lookup('one', 'i32()'))(), 1);
  }
});

/** A server that takes connections, and upgrades them if asked to, and is silent from then on. */
async function silentServer(t: ExecutionContext, { upgrades }: { upgrades: boolean }): Promise<string> {
  const url = socketUrl(t);
  const server = createServer();
  if (upgrades) new WebSocketServer({ server });
  else server.on('upgrade', () => {});
  await new Promise<void>((resolve) => server.listen(url.slice('ws+unix:'.length), resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  return url;
}

test('connecting and opening a session are given up', async (t) => {
  for (const upgrades of [false, true]) {
    const url = await silentServer(t, { upgrades });
    const what = upgrades ? 'a session that does not open' : 'an executor that does not answer';
    for (const [who, run] of Object.entries({
      JIT: (signal: AbortSignal) => JIT.create({ executor: { url, signal } }),
      KaleidoscopeJIT: (signal: AbortSignal) => KaleidoscopeJIT.create({ executor: { url, signal } }),
      JITPool: (signal: AbortSignal) => JITPool.connect([url], { signal }),
    }))
      await checkAborted(t, `${who}: ${what}`, { run });
  }
  const { url } = await startServer(t);
  // An abortion means nothing to what is there.
  const controller = new AbortController();
  const jit = await KaleidoscopeJIT.create({ executor: { url, signal: controller.signal } });
  t.teardown(() => jit.close());
  controller.abort();
  t.deepEqual(await jit.addSource('1;'), [{ status: 'fulfilled', value: 1 }]);
});

test('a pool’s calls, maps and expressions are ended by their signals', async (t) => {
  const pool = await openPool(t, ['local']);
  await pool.addSource('def spin(x) for i = 0, 1 in x; def twice(x) 2 * x;');
  const spin = await pool.lookup('spin');
  const twice = await pool.lookup('twice');
  const data = Float64Array.of(1, 2);
  const works: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
    'a callable': (signal) => spin.call([1], { signal }),
    map: (signal) => pool.map('spin', data, { signal }),
    'an expression': async (signal) => {
      const [result] = await pool.addSource('spin(1);', { signal });
      if (result?.status === 'rejected') throw result.reason;
    },
  };
  for (const [what, run] of Object.entries(works)) {
    await checkAborted(t, what, { run });
    t.is(await twice(4), 8, what);
  }
});

test('waiting for an executor of a pool is given up', async (t) => {
  const { server, url } = await startServer(t);
  const pool = await openPool(t, [url]);
  await pool.addSource('def twice(x) 2 * x;');
  const twice = await pool.lookup('twice');
  await server.close();
  await eventually(() => pool.executors.every(({ state }) => state !== 'connected'), 'it is lost');
  const works: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
    'a callable': (signal) => twice.call([1], { signal }),
    map: (signal) => pool.map('twice', Float64Array.of(1), { signal }),
    'an expression': async (signal) => {
      const [result] = await pool.addSource('twice(1);', { signal });
      if (result?.status === 'rejected') throw result.reason;
    },
    addC: (signal) => pool.addC('int one(void) { return 1; }', { signal }),
  };
  for (const [what, run] of Object.entries(works)) await checkAborted(t, what, { run });
});
