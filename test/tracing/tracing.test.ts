import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BaselineMode, CodegenPool, type KaleidoscopeJITOptions } from '@farjit/compiler';
import { context, trace } from '@opentelemetry/api';
import test, { type ExecutionContext } from 'ava';
import { spawnMortal } from '#executor/test/mortal-process.js';
import { EXECUTOR_MAIN } from '../executor-process.js';
import { parseAssembly } from '../ir-module.js';
import { evaluateAll, eventually, holdCompilations, openJIT } from '../jit-fixture.js';
import { startServer } from '../server-fixture.js';
import { type RecordedSpan, recordingProvider, type SpanTree, trees } from './spans.js';

const PROGRAM = 'def g(x) x + 1; def f(x) g(x) * 2;';

function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A JIT and a server in this process, traced by one provider. */
async function openTraced(t: ExecutionContext, options: KaleidoscopeJITOptions = {}) {
  const { provider, spans } = recordingProvider();
  const { url } = await startServer(t, { tracerProvider: provider });
  const { jit } = await openJIT(t, { executor: { url }, tracerProvider: provider, ...options });
  return { jit, provider, spans };
}

/** Spans of what LLVM makes; what a front end makes itself takes too little to have any. */
function compilation(name: string, baseline: BaselineMode): SpanTree[] {
  return baseline === 'on' ? [] : [[`farjit.irgen ${name}`], [`farjit.llvm ${name}`]];
}

function callback(name: string, baseline: BaselineMode): SpanTree {
  return [
    'farjit.executor.reenter',
    [`farjit.reenter ${name}`, ...compilation(name, baseline), [`farjit.link ${name}`]],
    ['farjit.executor.commit'],
  ];
}

/** The first call of `f`, with nothing compiled before. */
function firstCall(baseline: BaselineMode): SpanTree {
  return [
    'farjit.call f',
    ...compilation('call$double$double', baseline),
    ['farjit.link call$double$double'],
    ['farjit.executor.call', ['farjit.executor.commit'], callback('f', baseline), callback('g', baseline)],
  ];
}

const BASELINES: readonly BaselineMode[] = ['on', 'off'];

for (const baseline of BASELINES)
  test(`a lookup and a call are spans, with all that they had to be done in both processes, baseline ${baseline}`, async (t) => {
    const { jit, spans } = await openTraced(t, { speculate: 'off', baseline });
    await jit.addSource(PROGRAM);
    const f = await jit.lookup('f');
    t.is(await f(1), 4);
    t.is(await f(2), 6);
    t.deepEqual(trees(spans()), [
      ['farjit.lookup f'],
      firstCall(baseline),
      ['farjit.call f', ['farjit.executor.call']],
    ]);
    // The lookup's and the two calls'.
    t.is(new Set(spans().map(({ traceId }) => traceId)).size, 3);
    t.deepEqual(
      new Set(spans().flatMap(({ name, hasRemoteParent }) => (hasRemoteParent ? [name] : []))),
      new Set(['farjit.executor.call', 'farjit.reenter']),
    );
    t.true(spans().every(({ error }) => error === undefined));
  });

test('a call of a function in JavaScript is a span in the trace of the call it is in, and what it does is below it', async (t) => {
  const { jit, spans } = await openTraced(t, { speculate: 'off' });
  jit.define({
    ask: {
      signature: 'double(double)',
      call: async (run, x) => {
        if (x < 0) throw new Error('less than nothing');
        return x > 10 ? run.call(twice, [x]) : x;
      },
    },
  });
  await jit.addSource('extern ask(x); def f(x) ask(x); def twice(x) 2 * x;');
  const twice = await jit.lookup('twice', 'double(double)');
  const f = await jit.lookup('f', 'double(double)');
  t.is(await f(1), 1);
  const before = spans().length;
  t.is(await f(11), 22);
  await t.throwsAsync(f(-1), { code: 'HOST_FUNCTION_FAILED' });
  const after = spans().slice(before);
  const asked = after.filter(({ name }) => name === 'farjit.host_call');
  t.is(asked.length, 2);
  for (const span of asked) {
    const parent = after.find(({ spanId }) => spanId === span.parentSpanId);
    t.is(parent?.name, 'farjit.executor.call');
  }
  const [fine, failed] = asked;
  t.deepEqual(
    after.filter(({ parentSpanId }) => parentSpanId === fine?.spanId).map(({ name }) => name),
    ['farjit.call'],
  );
  t.is(fine?.error, undefined);
  t.is(failed?.error, 'ask has thrown: less than nothing');
});

test('without a context manager an application has no span that is active', async (t) => {
  const { jit, provider, spans } = await openTraced(t, { speculate: 'off', optLevel: 0 });
  const application = provider.getTracer('application').startSpan('application');
  const inApplication = trace.setSpan(context.active(), application);
  await context.with(inApplication, () => evaluateAll(jit, `${PROGRAM} f(1);`));
  application.end();
  const names = trees(spans()).map(([label]) => label);
  t.deepEqual(names, ['application', 'farjit.call __anon_expr']);
});

test('what is compiled ahead belongs to the callback that it was chosen at', async (t) => {
  const { jit, spans } = await openTraced(t, { optLevel: 0, speculate: 'eager' });
  await jit.addSource(PROGRAM);
  t.is(await (await jit.lookup('f'))(1), 4);
  const reenter = trees(spans().filter(({ name }) => !name.startsWith('farjit.executor'))).find(
    ([label]) => label === 'farjit.reenter f',
  );
  t.deepEqual(reenter, [
    'farjit.reenter f',
    ['farjit.irgen f+1'],
    ['farjit.llvm f+1'],
    ['farjit.link f'],
    ['farjit.link g'],
  ]);
});

test('threads that wait for one callback: the call that came first is its parent, the other is linked', async (t) => {
  const { open, transforms } = holdCompilations((name) => name === 'f');
  const { jit, spans } = await openTraced(t, { optLevel: 0, transforms });
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  const results = [f(1), f(2)];
  await eventually(async () => (await jit.executorStatus()).blocked.length === 2, 'both wait');
  open();
  t.deepEqual(await Promise.all(results), [2, 3]);
  const calls = spans().filter(({ name }) => name === 'farjit.executor.call');
  const [reenter, ...more] = spans().filter(({ name }) => name === 'farjit.executor.reenter');
  t.deepEqual(more, []);
  t.deepEqual(
    [reenter?.parentSpanId, ...(reenter?.linkedSpanIds ?? [])].sort(),
    calls.map(({ spanId }) => spanId).sort(),
  );
});

test('a callback on a thread that JIT made begins a trace, linked to the calls in flight', async (t) => {
  const { jit, spans } = await openTraced(t, { optLevel: 0, speculate: 'off' });
  await jit.addSource('def f(x) x + 1;');
  await jit.addModule(
    parseAssembly(`
declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @pthread_join(i64, i8**)
declare double @f(double)
define i8* @run(i8* %argument) {
  %r = call double @f(double 1.0)
  ret i8* null
}
define i32 @spawn() {
  %id = alloca i64
  %created = call i32 @pthread_create(i64* %id, i8* null, i8* (i8*)* @run, i8* null)
  %thread = load i64, i64* %id
  %joined = call i32 @pthread_join(i64 %thread, i8** null)
  ret i32 %joined
}`),
  );
  t.is(await (await jit.lookup('spawn'))(), 0);
  const call = spans().find(({ name }) => name === 'farjit.executor.call');
  const compilerCall = spans().find(({ name }) => name === 'farjit.call');
  const ofThread = spans().filter(
    ({ name, traceId }) => name.endsWith('reenter') && traceId !== call?.traceId,
  );
  const asked = ofThread.filter(({ name }) => name === 'farjit.executor.reenter');
  const answered = ofThread.filter(({ name }) => name === 'farjit.reenter');
  // `run`, which the thread begins with, and `f`.
  t.deepEqual(answered.map(({ attributes }) => attributes['farjit.symbol']).sort(), ['f', 'run']);
  for (const { parentSpanId, linkedSpanIds } of asked) {
    t.is(parentSpanId, undefined);
    t.deepEqual(linkedSpanIds, [call?.spanId]);
  }
  for (const { parentSpanId, linkedSpanIds } of answered) {
    t.is(parentSpanId, undefined);
    t.true(asked.some(({ spanId }) => spanId === linkedSpanIds[0]));
    t.is(linkedSpanIds[1], compilerCall?.spanId);
  }
});

test('what fails says so on each span above it', async (t) => {
  const { jit, spans } = await openTraced(t, { optLevel: 0, speculate: 'off' });
  await jit.addSource('extern missing(x); def f(x) missing(x);');
  await t.throwsAsync((await jit.lookup('f'))(1), { code: 'MATERIALIZATION_FAILED' });
  const failed = spans().filter(({ error }) => error !== undefined);
  t.deepEqual(
    failed.map(({ name }) => name),
    ['farjit.call', 'farjit.executor.call', 'farjit.executor.reenter', 'farjit.reenter', 'farjit.link'],
  );
  t.is(failed[0]?.attributes['error.type'], 'MATERIALIZATION_FAILED');
  t.is(failed[1]?.attributes['farjit.outcome'], 'CALLBACK_FAILED');
  t.is(failed[2]?.attributes['farjit.outcome'], 'failed');
  t.true(failed.every(({ error }) => error !== ''));
});

test('a recompilation that nobody waits for is a trace of its own', async (t) => {
  const { jit, spans } = await openTraced(t, { hotThreshold: 10, speculate: 'off' });
  await jit.addSource(`${PROGRAM} def loop(n) for i = 1, i < n in f(i);`);
  await evaluateAll(jit, 'loop(1000);');
  await eventually(() => jit.statistics().functionsOptimized >= 2, 'f and g are optimised');
  const optimized = trees(spans()).filter(([label]) => label.startsWith('farjit.optimize'));
  const f = optimized.find(([label]) => label === 'farjit.optimize f');
  t.deepEqual(
    f
      ?.slice(1)
      .map(([label]) => label)
      .slice(0, 3),
    ['farjit.irgen f', 'farjit.llvm f', 'farjit.link f'],
  );
});

test('one trace through two processes', async (t) => {
  const directory = temporaryDirectory(t);
  const spansFile = join(directory, 'spans');
  const register = new URL('register-exporter.js', import.meta.url).href;
  const socket = join(directory, 'executor');
  const child = spawnMortal(['--import', register, EXECUTOR_MAIN, '--listen', `ws+unix:${socket}`], {
    env: { ...process.env, SPANS_FILE: spansFile },
    stdio: 'ignore',
  });
  t.teardown(() => child.kill('SIGKILL'));
  await eventually(() => existsSync(socket), 'it listens');
  const { provider, spans } = recordingProvider();
  const { jit } = await openJIT(t, {
    executor: { url: `ws+unix:${socket}` },
    tracerProvider: provider,
    speculate: 'off',
    baseline: 'off',
  });
  await jit.addSource(PROGRAM);
  t.is(await (await jit.lookup('f'))(1), 4);
  await jit.close();
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);

  const lines = readFileSync(spansFile, 'utf8').trim().split('\n');
  const remote = lines.map((line) => JSON.parse(line) as RecordedSpan);
  t.is(remote.length, 6);
  const all = [...spans(), ...remote];
  const call = all.find(({ name }) => name === 'farjit.call');
  const ofCall = all.filter(({ traceId }) => traceId === call?.traceId);
  // Everything but the lookup.
  t.is(ofCall.length, all.length - 1);
  t.deepEqual(sorted(trees(ofCall)), sorted([firstCall('off')]));
});

/** Two processes' spans have no common order. */
function sorted(list: readonly SpanTree[]): SpanTree[] {
  return list
    .map(([label, ...children]): SpanTree => [label, ...sorted(children)])
    .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}

test('`farjit run` and its executor are traced when what Node loads first says so, to the last span', async (t) => {
  const directory = temporaryDirectory(t);
  const spansFile = join(directory, 'spans');
  const program = join(directory, 'program.ks');
  writeFileSync(program, `${PROGRAM} f(1);`);
  const farjit = fileURLToPath(
    new URL('../../dist/launcher/farjit', import.meta.resolve('@farjit/compiler')),
  );
  const child = spawn(farjit, ['run', '--no-cache', '--speculate=off', '--baseline=off', program], {
    env: {
      ...process.env,
      NODE_OPTIONS: `--import=${new URL('register-exporter.js', import.meta.url).href}`,
      SPANS_FILE: spansFile,
      IN_BATCHES: '1',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await child.stdout.toArray();
  t.is(Buffer.concat(said).toString(), 'Evaluated to 4.000000\n');
  const lines = readFileSync(spansFile, 'utf8').trim().split('\n');
  const spans = lines.map((line) => JSON.parse(line) as RecordedSpan);
  const call = spans.find(({ name }) => name === 'farjit.call');
  t.deepEqual(sorted(trees(spans.filter(({ traceId }) => traceId === call?.traceId))), [
    sorted([
      [
        'farjit.call __anon_expr',
        ['farjit.irgen __anon_expr'],
        ['farjit.llvm __anon_expr'],
        ['farjit.link __anon_expr'],
        ['farjit.executor.call', ['farjit.executor.commit'], callback('f', 'off'), callback('g', 'off')],
      ],
    ])[0],
  ] as SpanTree[]);
});

test("a JIT that is not traced does without OpenTelemetry's API", async (t) => {
  // Loading it is an error in this process.
  const hooks = `export async function resolve(name, context, next) {
    if (name === '@opentelemetry/api') throw new Error('the API was loaded');
    return next(name, context);
  }`;
  const script = `
    import { register } from 'node:module';
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)});
    const { KaleidoscopeJIT } = await import(${JSON.stringify(import.meta.resolve('@farjit/compiler'))});
    const jit = await KaleidoscopeJIT.create();
    await jit.addSource('def f(x) x + 1;');
    console.log(await (await jit.lookup('f'))(1));
    await jit.close();
    const tracerProvider = { getTracer: () => ({}) };
    await KaleidoscopeJIT.create({ tracerProvider }).catch(({ message }) => console.log(message));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await child.stdout.toArray();
  t.is(Buffer.concat(said).toString(), '2\nthe API was loaded\n');
});

test('a traced compiler with several sessions over one set of code generators', async (t) => {
  const codegen = new CodegenPool();
  t.teardown(() => codegen.stop());
  const sessions = await Promise.all([openTraced(t, { codegen }), openTraced(t, { codegen })]);
  await Promise.all(sessions.map(({ jit }) => evaluateAll(jit, `${PROGRAM} f(1);`)));
  for (const { spans } of sessions) t.is(spans().filter(({ name }) => name === 'farjit.call').length, 1);
});
