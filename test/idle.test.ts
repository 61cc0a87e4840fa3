import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { kill, startExecutor } from './executor-process.js';
import { eventually } from './jit-fixture.js';
import { isAlive } from './proc.js';

const HOST = fileURLToPath(new URL('idle-host.js', import.meta.url));

interface Host {
  readonly child: ChildProcess;
  /** What it says, a line at a time. */
  readonly said: unknown[];
  readonly ended: Promise<unknown[]>;
}

function startHost(t: ExecutionContext, kind: string, url: string): Host {
  const child = spawn(process.execPath, [HOST, kind, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => kill(child));
  const said: unknown[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => said.push(JSON.parse(line)));
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(([exit]) => exit);
  return { child, said, ended };
}

for (const kind of ['own', 'remote', 'own pool', 'remote pool'])
  test(`a program that has closed nothing ends when it has nothing to do: ${kind}`, async (t) => {
    const { url } = kind.includes('remote') ? await startExecutor(t) : { url: '' };
    const { said, ended } = startHost(t, kind, url);
    t.deepEqual(await ended, [0, null]);
    const [{ result, processes }] = said as [{ result: number; processes: number[] }];
    t.is(result, 8);
    if (kind === 'own') t.is(processes.length, 2);
    await eventually(() => !processes.some(isAlive), 'its executor and its runner have ended, too');
  });

for (const kind of ['calling own', 'calling remote', 'calling own pool'])
  test(`a call that nobody waits for keeps the program running: ${kind}`, async (t) => {
    const { url } = kind.includes('remote') ? await startExecutor(t) : { url: '' };
    const { said, ended } = startHost(t, kind, url);
    t.deepEqual(await ended, [0, null]);
    t.deepEqual(said.at(-1), { code: 'DEADLINE_EXCEEDED' });
  });

test('a session that has lost its executor and has nothing to do keeps no program running', async (t) => {
  const executor = await startExecutor(t);
  const { said, ended } = startHost(t, 'lost remote', executor.url);
  await eventually(() => said.includes('ready'), 'it has a session');
  await kill(executor.child);
  t.deepEqual(await ended, [0, null]);
});
