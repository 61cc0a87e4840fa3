import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type FaultPlace, GUARDED_EVENTS, Guard } from '../src/guard.js';

const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));

function recording() {
  const faults: [FaultPlace, unknown][] = [];
  const guard = new Guard({ onFault: (place, error) => faults.push([place, error]) });
  return { guard, faults };
}

const bug = new Error('a bug');
const throwBug = () => {
  throw bug;
};

test('what a handler throws is a fault, whichever way it was run', async (t) => {
  const { guard, faults } = recording();
  t.is(guard.run('runner.exit', throwBug), undefined);
  guard.wrap('runner.bells', throwBug)();
  t.is(guard.attempt('runner.end', throwBug), undefined);
  guard.spawn('session.lost', throwBug);
  guard.spawn('session.drain', async () => throwBug());
  guard.timer('call.deadline', throwBug, 1);
  guard.later('session.runner-lost', throwBug);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const places = faults.map(([place]) => place).sort();
  t.deepEqual(places, [
    'call.deadline',
    'runner.bells',
    'runner.end',
    'runner.exit',
    'session.drain',
    'session.lost',
    'session.runner-lost',
  ]);
  t.true(faults.every(([, error]) => error === bug));
});

test('what is returned is passed on', (t) => {
  const { guard, faults } = recording();
  t.is(
    guard.run('runner.output', () => 5),
    5,
  );
  t.is(
    guard.attempt('runner.end', () => 6),
    6,
  );
  t.deepEqual(faults, []);
});

test('an end that fails as well goes no further', (t) => {
  const { emitWarning } = process;
  const warned: unknown[] = [];
  process.emitWarning = (warning: string | Error) => {
    warned.push(warning);
  };
  t.teardown(() => {
    process.emitWarning = emitWarning;
  });
  const guard = new Guard({ onFault: throwBug });
  t.notThrows(() => guard.run('runner.exit', throwBug));
  t.deepEqual(warned, [bug]);
});

/** Files that wait for things of the host, and of nobody's session. */
const HOST_WIDE = [
  // The guard itself.
  'guard.ts',
  // The host: what it listens on, its signals, its configuration, its log and metrics.
  'drain.ts',
  'host-listener.ts',
  'http-listener.ts',
  'logging/line-limits.ts',
  'logging/log.ts',
  'main.ts',
  'metrics/endpoints.ts',
  'metrics/metrics-listener.ts',
  'metrics/runner-check.ts',
  'serve-listeners.ts',
  'server.ts',
  'stop-signals.ts',
  'tracing/opentelemetry-source.ts',
  'turns.ts',
  'upgrades.ts',
  // Of a command that answers and ends, and has no sessions.
  'answer-watch.ts',
  // Strangers, before there is a session: a fault costs the connection.
  'gate.ts',
  'strangers.ts',
  // Of one connection, which is what a fault costs.
  'read-in-turns.ts',
  // Taken off again, so it is wrapped first.
  'unopened-guard.ts',
  // Takes turns between the runners of the host.
  'mappings-meter.ts',
  // Starts runners that belong to nobody yet; what they do themselves is guarded.
  'runner-pool.ts',
];

/** Ways to be called by Node, and what may follow them: a guarded handler, or one that does nothing. */
const RAW =
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask|nextTick)\(|\bvoid [\w.#]+\(|\.(on|once|addListener|addEventListener)\((?!\s*'[\w-]+',\s*(guard\.wrap(?:Uncounted)?\(|onAbort, |\(\) => \{\}\)))/g;

test('handlers of sessions and runners are run by a guard, all of them', (t) => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  t.true(files.length > 50);
  for (const name of files.filter((file) => !HOST_WIDE.includes(file))) {
    const code = readFileSync(join(SOURCES, name), 'utf8').replaceAll(/^\s*(\/?\*|\/\/).*$/gm, '');
    t.deepEqual(code.match(RAW) ?? [], [], `${name}: use Guard`);
  }
  for (const name of HOST_WIDE) t.true(files.includes(name), `${name} is gone`);
});

test('every event has a handler', (t) => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && name !== 'guard.ts',
  );
  const text = files.map((name) => readFileSync(join(SOURCES, name), 'utf8')).join('\n');
  // Those of the connection are named where they are put together.
  const named = GUARDED_EVENTS.filter((event) => !text.includes(`'${event}'`));
  t.deepEqual(named, ['session.close', 'session.ttl']);
});
