import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KaleidoscopeJIT, type KaleidoscopeJITOptions } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { farjit } from '#compiler/test/cli/run-farjit.js';
import { decodeTrace, type ViewedSlice, viewTrace } from './perfetto.js';

const SOURCE = `
  def leaf(x) x + 1;
  def middle(x) leaf(x) * 2;
  def top(x) middle(x) + middle(x + 1);
`;

const directory = mkdtempSync(join(tmpdir(), 'farjit-trace-'));
test.after.always(() => rmSync(directory, { recursive: true }));

/** A program's trace; undefined where there is nothing to read it with. */
async function traceOf(t: ExecutionContext, options: KaleidoscopeJITOptions = {}) {
  const path = join(directory, `${t.title.replace(/\W+/g, '-')}.pftrace`);
  const jit = await KaleidoscopeJIT.create({ speculate: 'off', cacheMaxBytes: 0, ...options });
  await jit.trace(path);
  await jit.addSource(SOURCE);
  const top = await jit.lookup('top');
  t.is(await top(3), 18);
  await jit.close();
  t.is(statSync(path).mode & 0o777, 0o600);
  const packets = await decodeTrace(readFileSync(path));
  if (packets) return { ...viewTrace(packets), packets };
  t.log('skipped: protobufjs is not installed; npm run setup');
  return undefined;
}

function only(t: ExecutionContext, slices: readonly ViewedSlice[], what: string): ViewedSlice {
  t.is(slices.length, 1, what);
  return slices[0] as ViewedSlice;
}

test('a callback is told in steps that follow each other from stub to landing, and add up to it', async (t) => {
  const trace = await traceOf(t, { optLevel: 0 });
  if (!trace) return t.pass();
  const { slices, faults } = trace;
  t.deepEqual(faults, []);
  for (const name of ['top', 'middle', 'leaf']) {
    const whole = only(
      t,
      slices.filter((slice) => slice.name === `callback ${name}`),
      name,
    );
    t.regex(whole.track, /^runner 1 \/ thread \d+$/);
    t.deepEqual(
      whole.parts.map((part) => part.name),
      ['stub, doorbell', 'reenter', 'compile and link', 'answer', 'commit', 'release', 'landing'],
    );
    let atNs = whole.fromNs;
    for (const part of whole.parts) {
      t.is(part.fromNs, atNs, `${part.name} begins where what was before it has ended`);
      t.true(part.toNs >= part.fromNs);
      atNs = part.toNs;
    }
    t.is(atNs, whole.toNs);
    t.true(whole.toNs > whole.fromNs);
    // The compiler's own is as long as the thread says.
    const compiled = only(
      t,
      slices.filter((slice) => slice.name === `compile ${name}` && slice.track === 'compiler / compiler'),
      `compile ${name}`,
    );
    const step = whole.parts[2];
    const differenceNs =
      Number(compiled.toNs - compiled.fromNs) - Number((step?.toNs ?? 0n) - (step?.fromNs ?? 0n));
    t.true(Math.abs(differenceNs) <= Number(whole.toNs - whole.fromNs) / 20, `${differenceNs} ns`);
    t.deepEqual(
      compiled.parts.map((part) => part.name),
      ['IR', 'code generator', `link ${name}`],
    );
  }
});

test('a callback is one flow over thread, host, compiler and code generator, and ends where the thread lands', async (t) => {
  const trace = await traceOf(t, { optLevel: 0 });
  if (!trace) return t.pass();
  const whole = only(
    t,
    trace.slices.filter(({ name }) => name === 'callback leaf'),
    'leaf',
  );
  const [flow] = whole.parts[0]?.flows ?? [];
  t.truthy(flow);
  const through: [string, string][] = [];
  const visit = (slice: ViewedSlice): void => {
    if (slice.flows.includes(flow ?? '')) through.push([slice.track.replace(/ \/ .*$/, ''), slice.name]);
    slice.parts.forEach(visit);
  };
  trace.slices.forEach(visit);
  t.deepEqual(
    new Set(through.map(([, name]) => name)),
    new Set(['stub, doorbell', 'doorbell leaf', 'compile leaf', 'IR', 'link leaf', 'release leaf', 'commit']),
  );
  t.deepEqual(
    new Set(through.map(([track]) => track)),
    new Set(['runner 1', 'host', 'compiler', 'code generator']),
  );
  t.deepEqual(whole.parts.at(-1)?.endsFlows, [flow]);
  const generated = trace.slices.filter(
    ({ track, name }) => /^code generator/.test(track) && name === 'compile leaf',
  );
  t.deepEqual(
    only(t, generated, 'generated').parts.map(({ name }) => name),
    ['parse', 'passes', 'emit'],
  );
});

test('tracks are of processes, in absolute monotonic time, and generations are marked', async (t) => {
  const before = process.hrtime.bigint();
  const trace = await traceOf(t);
  if (!trace) return t.pass();
  const after = process.hrtime.bigint();
  const processes = trace.packets.flatMap(({ trackDescriptor }) => trackDescriptor?.process ?? []);
  t.is(processes.find(({ processName }) => processName === 'compiler')?.pid, process.pid);
  t.is(new Set(processes.map(({ pid }) => pid)).size, processes.length);
  t.true(processes.some(({ processName }) => processName === 'host'));
  for (const { timestamp, timestampClockId, trackEvent } of trace.packets) {
    if (!trackEvent) continue;
    t.is(timestampClockId, 3);
    t.true(BigInt(timestamp ?? 0) > before && BigInt(timestamp ?? 0) < after);
  }
  t.is(trace.packets[0]?.clockSnapshot?.primaryTraceClock, 3);
  t.true(trace.marks.includes('host-runner-started'));
  t.true(trace.marks.includes('host-runner-ended'));
});

test('guesses, tier-ups and what is found in the cache are marked', async (t) => {
  const path = join(directory, 'marks.pftrace');
  const cacheDir = join(directory, 'objects');
  const run = async () => {
    const jit = await KaleidoscopeJIT.create({ cacheDir, hotThreshold: 10, baseline: 'off' });
    await jit.trace(path);
    await jit.addSource(SOURCE);
    const hot = new Promise<void>((resolve) => {
      const end = jit.subscribe(({ type, symbol }) => {
        if (type !== 'tier-up' || symbol !== 'top') return;
        end();
        resolve();
      });
    });
    const top = await jit.lookup('top');
    for (let i = 0; i < 20; i++) await top(i);
    await hot;
    await jit.close();
    return decodeTrace(readFileSync(path));
  };
  const first = await run();
  if (!first) return t.pass();
  const [cold, warm] = [viewTrace(first), viewTrace((await run()) ?? [])];
  t.true(cold.marks.some((name) => name.startsWith('guessed')));
  t.true(cold.marks.includes('tier-up top'));
  t.true(cold.marks.some((name) => name.startsWith('cache-miss')));
  t.true(warm.marks.some((name) => name.startsWith('cache-hit')));
  t.deepEqual([...cold.faults, ...warm.faults], []);
});

test('a file that cannot be opened rejects, and one that cannot be written any more ends, not the work', async (t) => {
  const jit = await KaleidoscopeJIT.create();
  await t.throwsAsync(jit.trace(join(directory, 'no', 'such', 'folder')), { code: 'EVENT_FILE' });
  const errors: string[] = [];
  await jit.trace('/dev/full', { onError: ({ message }) => errors.push(message) });
  await jit.addSource(SOURCE);
  t.is(await (await jit.lookup('top'))(3), 18);
  await jit.close();
  t.is(errors.length, 1);
  t.regex(errors[0] ?? '', /^\/dev\/full is not written any more: no space left on device$/);
  // What was there before has other rights no more.
  const path = join(directory, 'was-there');
  writeFileSync(path, 'x', { mode: 0o644 });
  const other = await KaleidoscopeJIT.create();
  await other.trace(path);
  await other.close();
  t.is(statSync(path).mode & 0o777, 0o600);
});

test('farjit run --trace writes the trace of a program in C, threads of its own included', async (t) => {
  const [source, path] = [join(directory, 'threads.c'), join(directory, 'threads.pftrace')];
  writeFileSync(
    source,
    `#include <pthread.h>
     static void *work(void *given) { return given; }
     int main(void) {
       pthread_t thread;
       if (pthread_create(&thread, 0, work, 0)) return 1;
       return pthread_join(thread, 0);
     }`,
  );
  const { end, stderr } = await farjit(t, ['run', '--no-cache', '--trace', path, source]);
  t.is(end, 0, stderr);
  t.is(statSync(path).mode & 0o777, 0o600);
  const packets = await decodeTrace(readFileSync(path));
  if (!packets) return t.pass();
  const { slices, faults } = viewTrace(packets);
  t.deepEqual(faults, []);
  const callbacks = slices.filter(({ name }) => name.startsWith('callback '));
  const of = (name: string) => callbacks.find((slice) => slice.name === `callback ${name}`);
  t.true((Number(of('main')?.annotations.call) || 0) > 0);
  // Which the program has made.
  t.is(of('work')?.annotations.call, undefined);
  t.not(of('work')?.track, of('main')?.track);
});

test('a trace is of one executor', async (t) => {
  const executors = ['--executor=ws://127.0.0.1:1', '--executor=ws://127.0.0.1:2'];
  const { end, stderr } = await farjit(t, [
    'run',
    '-e',
    '1',
    ...executors,
    '--trace',
    join(directory, 'none'),
  ]);
  t.is(end, 1);
  t.regex(stderr, /--trace and --record are of one session, and so of one executor/);
});
