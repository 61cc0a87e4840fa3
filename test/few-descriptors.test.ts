import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { startServer } from './server-fixture.js';

const HOST = fileURLToPath(new URL('few-descriptors.js', import.meta.url));

/** A failure that the host tells of, or `done`. */
interface Failure {
  readonly count: number;
  readonly what: string;
  readonly isOurs: boolean;
  readonly code: string;
  readonly message: string;
}

test('where descriptors run out, everything rejects with an error of ours that says so, and later works', async (t) => {
  t.timeout(240_000);
  const { url } = await startServer(t);
  const counts = [0, 1, 2, 3, 4, 5, 6, 8, 12, 14, 16, 18];
  // Enough to load the program with.
  const command = `ulimit -n 250; exec "$@"`;
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    command,
    'sh',
    process.execPath,
    HOST,
    url,
    ...counts.map(String),
  ]);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Failure | 'done');
  t.is(lines.pop(), 'done', stdout);
  const failures = lines as Failure[];
  for (const failure of failures) {
    const words = JSON.stringify(failure);
    t.true(failure.isOurs, words);
    // What the other end, of the same process, had no descriptor for is seen as its end.
    t.regex(failure.message, failure.what === 'server' ? /EMFILE|EPIPE|ECONNRESET/ : /EMFILE/, words);
  }
  const failed = (what: string) => failures.filter((failure) => failure.what === what).length;
  for (const what of ['local', 'remote', 'pool', 'server', 'C']) t.true(failed(what) >= 3, what);
  t.true(new Set(failures.map(({ code }) => code)).size >= 5, 'at several places');
});
