import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DOCUMENTS = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

test('the bench has each measurement that a document names', (t) => {
  const asked = spawnSync(process.execPath, ['bench/dist/main.js', '--only', 'nothing'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const [, list = ''] = /there is no nothing; there are ([\w, ]+)/.exec(asked.stderr) ?? [];
  const ids = new Set(list.split(', '));
  t.true(ids.has('chains'), asked.stderr);
  const named = DOCUMENTS.flatMap((document) =>
    [...readFileSync(join(ROOT, document), 'utf8').matchAll(/npm run bench -- --only ([\w,]+)/g)].flatMap(
      ([, only = '']) => only.split(',').map((id) => ({ document, id })),
    ),
  );
  t.true(named.length > 0);
  for (const { document, id } of named) t.true(ids.has(id), `${document}: ${id}`);
});
