// Compiler and executors on hosts of their own, with addresses of their own: network namespaces, where the machine lets us.
import test from 'ava';
import type { CompilerReport, CompilerTask } from './compiler-host.js';
import { createHosts, type Executors, HostProgram, startExecutors, TOKEN } from './host-programs.js';
import type { MappingReport, MappingTask } from './mapping-host.js';
import { type Host, whyNoNetwork } from './network.js';

/** Functions that call each other in a row: one callback for each, with nothing guessed. */
const FUNCTION_COUNT = 60;
const CHAIN = Array.from({ length: FUNCTION_COUNT }, (_, index) =>
  index === 0 ? 'def f0(x) x;' : `def f${index}(x) f${index - 1}(x) + ${index};`,
).join('\n');
const LAST = `f${FUNCTION_COUNT - 1}`;
const SUM = (FUNCTION_COUNT * (FUNCTION_COUNT - 1)) / 2;
const HEARTBEAT_MS = 1000;

const why = whyNoNetwork();
const hosted = why === undefined ? test : test.skip;
if (why !== undefined) process.stderr.write(`tests with several hosts are skipped: ${why}\n`);

type Compiler = HostProgram<CompilerTask, CompilerReport>;

/** A compiler that calls the last function of the chain. */
function startCompiler(host: Host, { urls: [url = ''], ca }: Executors): Compiler {
  const call = { name: LAST, args: [0] };
  const task = { url, ca, token: TOKEN, heartbeatMs: HEARTBEAT_MS, source: CHAIN, call };
  return new HostProgram(host, './compiler-host.js', task);
}

function endOf({ reports }: Compiler): CompilerReport | undefined {
  return reports.find(({ type }) => type !== 'event');
}

hosted('a program runs on another host', async (t) => {
  const [compilerHost, executorHost] = (await createHosts(t, 2)) as [Host, Host];
  const compiler = startCompiler(compilerHost, await startExecutors(t, [executorHost]));
  await compiler.ends();
  t.like(endOf(compiler), { type: 'done', value: SUM, statistics: { compileCallbacks: FUNCTION_COUNT } });
});

hosted('a session survives a partition in the middle of its callbacks', async (t) => {
  const [compilerHost, executorHost] = (await createHosts(t, 2)) as [Host, Host];
  const compiler = startCompiler(compilerHost, await startExecutors(t, [executorHost]));
  await compiler.sees({ type: 'event', name: 'callback' }, FUNCTION_COUNT / 3);
  executorHost.cut();
  await compiler.sees({ type: 'event', name: 'connection-lost' });
  t.is(endOf(compiler), undefined);
  executorHost.heal();
  await compiler.ends();
  // Each function was asked for once, and compiled once.
  t.like(endOf(compiler), {
    type: 'done',
    value: SUM,
    statistics: { compileCallbacks: FUNCTION_COUNT, functionsCompiled: FUNCTION_COUNT, runnersLost: 0 },
  });
  t.is(compiler.count({ type: 'event', name: 'connection-resumed' }), 1);
});

hosted(
  'a partition that outlasts a session ends it with words, on both sides, and the executor serves on',
  async (t) => {
    const [compilerHost, executorHost] = (await createHosts(t, 2)) as [Host, Host];
    const executors = await startExecutors(t, [executorHost], '--session-ttl', '1');
    const compiler = startCompiler(compilerHost, executors);
    await compiler.sees({ type: 'event', name: 'callback' }, FUNCTION_COUNT / 3);
    executorHost.cut();
    await compiler.ends();
    t.like(endOf(compiler), { type: 'failed', code: 'CONNECTION_CLOSED' });
    executorHost.heal();
    const next = startCompiler(compilerHost, executors);
    await next.ends();
    t.like(endOf(next), { type: 'done', value: SUM });
  },
);

hosted(
  'maps go on while one of three executors is cut off, and it works again when it is back',
  async (t) => {
    const [compilerHost, ...executorHosts] = (await createHosts(t, 4)) as [Host, Host, Host, Host];
    const { urls, ca } = await startExecutors(t, executorHosts);
    const [lostHost] = executorHosts;
    const [lost = '', second = '', third = ''] = urls;
    const mapping = new HostProgram<MappingTask, MappingReport>(compilerHost, './mapping-host.js', {
      ...{ urls, ca, token: TOKEN, heartbeatMs: HEARTBEAT_MS },
      ...{ elementCount: 20_000, chunk: 500 },
    });
    for (const url of [lost, second, third]) await mapping.sees({ type: 'chunk', url });
    lostHost.cut();
    await mapping.sees({ type: 'executor', url: lost, state: 'lost' });
    // A map that has begun since.
    await mapping.sees({ type: 'map' }, mapping.count({ type: 'map' }) + 2);
    const chunksOfLost = mapping.count({ type: 'chunk', url: lost });
    lostHost.heal();
    await mapping.sees({ type: 'chunk', url: lost }, chunksOfLost + 1);
    mapping.send({});
    await mapping.ends();
    t.is(mapping.count({ type: 'failed' }), 0);
    t.is(mapping.count({ type: 'map', wrongCount: 0 }), mapping.count({ type: 'map' }));
    t.is(mapping.count({ type: 'executor', url: second, state: 'lost' }), 0);
    t.is(mapping.count({ type: 'executor', url: third, state: 'lost' }), 0);
  },
);
