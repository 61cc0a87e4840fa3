import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const run = promisify(execFile);

test('a session for which descriptors are short is refused, at whatever step, and a neighbour works on', async (t) => {
  const script = fileURLToPath(new URL('few-descriptors.js', import.meta.url));
  // Node itself needs many at once to find its modules; how many there are is of no account later.
  const { stdout } = await run('sh', ['-c', `ulimit -n 512; exec '${process.execPath}' '${script}'`]);
  const outcomes = JSON.parse(stdout) as string[];
  const firstOpened = outcomes.indexOf('opened');
  // One descriptor after the other: memory, pipes, the doorbell, files of the process.
  t.true(firstOpened >= 8, stdout);
  t.deepEqual([...new Set(outcomes.slice(0, firstOpened))], ['RUNNER_START_FAILED']);
  t.deepEqual([...new Set(outcomes.slice(firstOpened))], ['opened']);
});
