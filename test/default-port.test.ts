import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Where documents and files of deployments have an executor, or a proxy for several. */
const PORT = '9000';
/** What people read and copy from; what helps say is in the sources. */
const READ = ['*.md', 'deploy', 'docker-compose.yml', 'examples', 'packages/*/src'];

test('all documents have executors on one port', (t) => {
  const files = execFileSync('git', ['-C', root, 'ls-files', '-z', ...READ], { encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && file !== 'CHANGELOG.md');
  const found = files.flatMap((file) =>
    // In prose, the address stands for any.
    [...readFileSync(join(root, file), 'utf8').matchAll(/\bwss?:\/\/[^\s/:]+:(\d+)/g)].map(
      ([url, port = '']) => ({ file, url, port }),
    ),
  );
  // A free one, of whoever tries it.
  t.deepEqual(
    found.filter(({ port }) => port !== PORT && port !== '0'),
    [],
  );
  t.true(new Set(found.map(({ file }) => file)).size >= 10);
});
