import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Server } from '@farjit/executor';
import test from 'ava';
import { eventually } from '../jit-fixture.js';
import { FaultProxy } from './fault-proxy.js';

const FARJIT = fileURLToPath(new URL('../../bin/farjit.js', import.meta.resolve('@farjit/compiler')));

/** Prints a letter, and then counts for a while. */
const PROGRAM = `extern putchard(x);
def count(n) for i = 0, i < n in i;
putchard(97);
count(600000000);
count(1) + 42;
`;

test('farjit run says that the connection is lost, that the session goes on, and the result', async (t) => {
  const server = new Server({ credentials: 'a token' });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  const child = spawn(process.execPath, [FARJIT, 'run', '-', '--executor', proxy.url], {
    env: { ...process.env, FARJIT_TOKEN: 'a token' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (chunk: Buffer) => {
      said[stream] += chunk.toString();
    });
  child.stdin.end(PROGRAM);
  await eventually(() => said.stdout.includes('a'), 'the program runs');
  proxy.cutAll();
  const [code] = await once(child, 'close');
  t.is(code, 0);
  t.is(said.stdout, `a${'Evaluated to 0.000000\n'.repeat(2)}Evaluated to 42.000000\n`);
  t.is(
    said.stderr,
    'farjit: warning: the connection to the executor is lost (no reason given): trying for 30 s to resume the session\n' +
      'farjit: note: the session goes on\n',
  );
});
